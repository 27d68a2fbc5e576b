// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * init, check, repair, salvage, compact and rekey.
 */
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "dump.h"
#include "session.h"
#include "spaces.h"
#include "verbs.h"

/* ------------------------------------------------------------------ init and rekey */

enum { PAGE_SIZE_MIN = 256, PAGE_SIZE_MAX = 65536 };

basin_status
verb_init(struct cli *c)
{
    uint64_t page_size = args_number(&c->args, OPT_PAGE_SIZE, 0);
    struct opening o = { 0 };
    basin_db *db = NULL;
    basin_status st;

    TRY(opening_read(c, &o));
    o.options.must_create = true;
    if (args_has(&c->args, OPT_PAGE_SIZE) &&
        (page_size < PAGE_SIZE_MIN || page_size > PAGE_SIZE_MAX))
        FAIL(&c->err, BASIN_MISUSE, "--page-size is %" PRIu64 ": it goes from %d to %d", page_size,
             PAGE_SIZE_MIN, PAGE_SIZE_MAX);
    o.options.page_size = (uint32_t)page_size;
    TRY(basin_open(c->args.words[0], &o.options, &db, &c->err));
    st = basin_close(db, &c->err);
out:
    opening_release(&o);
    return st;
}

basin_status
verb_rekey(struct cli *c)
{
    struct opening old = { 0 }, new = { .options = BASIN_OPTIONS_INIT };
    basin_status st;

    TRY(opening_read(c, &old));
    TRY(opening_secret(c, OPT_NEW_PASSPHRASE_FILE, OPT_NEW_KEY_FILE, &new));
    if (new.secret.size == 0) {
        cli_error(&c->err, BASIN_MISUSE, "what is the new secret?");
        cli_hint(&c->err, "give --new-passphrase-file or --new-key-file");
        st = BASIN_MISUSE;
        goto out;
    }
    st = basin_rekey(c->args.words[0], &old.options, &new.options, &c->err);
out:
    opening_release(&old);
    opening_release(&new);
    return st;
}

/* ------------------------------------------------------------------ faults */

struct faults {
    struct cli *c;
    struct out *to; /* where they are told; NULL = standard error */
    uint64_t count;
};

static void
fault_as_json(struct faults *f, const basin_fault *fault)
{
    struct jout j;

    jout_start(&j, f->to);
    jout_open(&j, NULL, '{');
    jout_text(&j, "fault", fault->what);
    jout_text(&j, "object", fault->object);
    jout_text(&j, "status", basin_status_name(fault->status));
    if (fault->has_range) {
        jout_bytes(&j, "lost_from", fault->lost_from, true);
        jout_bytes(&j, "lost_to", fault->lost_to, true);
    }
    jout_close(&j, '{');
    jout_line(&j);
}

static void
tell_fault(void *ctx, const basin_fault *fault)
{
    struct faults *f = ctx;
    struct grow line = { 0 };
    const char *what = fault->what != NULL ? fault->what : basin_status_name(fault->status);

    progress_end(&f->c->progress);
    f->count++;
    if (f->to != NULL && f->c->json) {
        fault_as_json(f, fault);
        return;
    }
    text_escape(&line, what, strlen(what));
    if (fault->object != NULL && strstr(what, fault->object) == NULL)
        grow_format(&line, " (%s)", fault->object);
    if (fault->has_range) {
        grow_text(&line, "; lost keys ");
        text_to_hex(&line, fault->lost_from.data, fault->lost_from.size);
        grow_text(&line, " to ");
        text_to_hex(&line, fault->lost_to.data, fault->lost_to.size);
    }
    if (f->to != NULL)
        out_format(f->to, "%s\n", grow_string(&line));
    else
        cli_say(f->c, "%s", grow_string(&line));
    grow_free(&line);
}

static basin_check_options
check_options(struct cli *c, struct faults *f)
{
    basin_check_options o = BASIN_CHECK_INIT;

    o.deep = args_has(&c->args, OPT_DEEP);
    o.fault = tell_fault;
    o.ctx = f;
    o.watch = cli_watch(c);
    return o;
}

/* ------------------------------------------------------------------ check and repair */

basin_status
verb_check(struct cli *c)
{
    struct faults f = { .c = c, .to = &c->out };
    basin_check_options options = check_options(c, &f);
    struct opening o = { 0 };
    struct jout j;
    basin_status st;

    TRY(opening_read(c, &o));
    st = basin_check(c->args.words[0], &o.options, &options, &c->err);
    progress_end(&c->progress);
    if (st != BASIN_OK && st != BASIN_CORRUPT)
        goto out;
    if (c->json) {
        jout_start(&j, &c->out);
        jout_open(&j, NULL, '{');
        jout_bool(&j, "sound", st == BASIN_OK);
        jout_number(&j, "faults", f.count);
        jout_close(&j, '{');
        jout_line(&j);
    } else if (st == BASIN_OK) {
        out_text(&c->out, "sound\n");
    }
    if (st == BASIN_CORRUPT && c->err.hint[0] == '\0')
        cli_hint(&c->err, "`basin repair DB --to DIR` keeps what can be read; `basin salvage` "
                          "writes it as a dump");
out:
    opening_release(&o);
    return st;
}

basin_status
verb_repair(struct cli *c)
{
    const char *to = args_text(&c->args, OPT_REPAIR_TO, NULL);
    struct faults f = { .c = c, .to = &c->out };
    basin_check_options options = check_options(c, &f);
    char faults[2 * HUMAN_SIZE];
    struct opening o = { 0 };
    struct jout j;
    basin_status st;

    if ((to != NULL) == args_has(&c->args, OPT_IN_PLACE)) {
        cli_error(&c->err, BASIN_MISUSE, "where should the repaired database be?");
        cli_hint(&c->err, "--to DIR (leaves the damaged one alone), or --in-place --yes");
        return BASIN_MISUSE;
    }
    if (to == NULL && !args_has(&c->args, OPT_YES)) {
        cli_say(c, "would rewrite %s where it is; nothing is done without --yes. Prefer --to DIR",
                c->args.words[0]);
        c->exit_code = EXIT_NO;
        return BASIN_OK;
    }
    TRY(opening_read(c, &o));
    TRY(basin_repair(c->args.words[0], to, &o.options, &options, &c->err));
    progress_end(&c->progress);
    if (c->json) {
        jout_start(&j, &c->out);
        jout_open(&j, NULL, '{');
        jout_bool(&j, "repaired", true);
        jout_number(&j, "faults", f.count);
        jout_close(&j, '{');
        jout_line(&j);
    }
    cli_say(c, "%s; the repaired database is %s", human_things(faults, f.count, "fault"),
            to != NULL ? to : c->args.words[0]);
out:
    opening_release(&o);
    return st;
}

/* ------------------------------------------------------------------ salvage */

struct salvage {
    struct cli *c;
    struct dump_writer w;
    struct out *to;
    bool begun; /* nothing is written before the database could be read */
    basin_space space;
};

static void
salvage_space(struct salvage *s, basin_space space, const char *name)
{
    char unnamed[32];

    if (space != BASIN_SPACE_DEFAULT && (name == NULL || name[0] == '\0')) {
        snprintf(unnamed, sizeof(unnamed), "space-%" PRIu64, (uint64_t)space);
        name = unnamed;
    }
    dump_space(&s->w, space == BASIN_SPACE_DEFAULT ? NULL : name);
    s->begun = true;
    s->space = space;
}

static basin_status
salvage_piece(void *ctx, const basin_piece *p)
{
    struct salvage *s = ctx;

    if (!s->begun)
        dump_begin(&s->w, s->to);
    if (!s->begun || p->space != s->space)
        salvage_space(s, p->space, p->space_name);
    return dump_part(&s->w, p->key, p->value_size, p->at, p->piece, &s->c->err);
}

basin_status
verb_salvage(struct cli *c)
{
    struct faults f = { .c = c };
    basin_check_options options = check_options(c, &f);
    struct salvage s = { .c = c };
    char pairs[2 * HUMAN_SIZE], faults[2 * HUMAN_SIZE];
    struct opening o = { 0 };
    struct output file = { 0 };
    basin_status st;

    TRY(opening_read(c, &o));
    TRY(output_open(c, &file));
    s.to = file.to;
    TRY(basin_salvage(c->args.words[0], &o.options, &options, salvage_piece, &s, &c->err));
    if (!s.begun) {
        dump_begin(&s.w, file.to);
        dump_space(&s.w, NULL);
    }
    dump_end(&s.w);
    progress_end(&c->progress);
    TRY(output_finish(c, &file));
    cli_say(c, "%s, %s", human_things(pairs, s.w.counts.pairs, "pair"),
            human_things(faults, f.count, "fault"));
out:
    output_close(&file);
    dump_free(&s.w);
    opening_release(&o);
    return st;
}

/* ------------------------------------------------------------------ compact */

enum { WALK_DEPTH = 8 }; /* descriptors */

/* One walk at a time: nftw has no place for a context. */
static uint64_t walked_bytes;

static int
add_file(const char *path, const struct stat *info, int type, struct FTW *at)
{
    (void)path;
    (void)at;
    if (type == FTW_F)
        walked_bytes += (uint64_t)info->st_size;
    return 0;
}

/* What the files of the database take while nobody has it open for writing: an open log is longer
 * than what is in it. */
static uint64_t
bytes_on_disk(const char *path)
{
    walked_bytes = 0;
    (void)nftw(path, add_file, WALK_DEPTH, FTW_PHYS);
    return walked_bytes;
}

basin_status
verb_compact(struct cli *c)
{
    const char *path = c->args.words[0];
    uint64_t before = bytes_on_disk(path), after;
    basin_watch watch = cli_watch(c);
    struct session s = { 0 };
    char a[HUMAN_SIZE], b[HUMAN_SIZE];
    struct jout j;
    basin_status st;

    TRY(session_open(c, path, SESSION_WRITE, &s));
    TRY(basin_compact(s.db, &watch, &c->err));
out:
    progress_end(&c->progress);
    st = session_close(&s, st);
    if (st != BASIN_OK)
        return st;
    after = bytes_on_disk(path);
    if (c->json) {
        jout_start(&j, &c->out);
        jout_open(&j, NULL, '{');
        jout_number(&j, "bytes_before", before);
        jout_number(&j, "bytes_after", after);
        jout_close(&j, '{');
        jout_line(&j);
    }
    cli_say(c, "%s before, %s now", human_bytes(a, before), human_bytes(b, after));
    return BASIN_OK;
}
