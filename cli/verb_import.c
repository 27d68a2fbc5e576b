// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * import: records of a file become pairs, in batches or as one bulk load.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "record.h"
#include "session.h"
#include "stop.h"
#include "verbs.h"

enum { IMPORT_BATCH = 1000, MEM_DEFAULT = 64 * 1024 * 1024, LINE_MAX_MIN = 64 * 1024 };

struct import {
    struct cli *c;
    struct session s;
    struct record_options options;
    basin_load *load;   /* --bulk */
    struct out skipped; /* --on-error skip:FILE */
    bool skips;
    uint64_t batch;
    uint64_t in_batch;
    uint64_t pairs;
    uint64_t bytes; /* keys and values */
    uint64_t skip_count;
    uint64_t done_before; /* bytes of the files that were read already */
    uint64_t total;       /* bytes of all files; 0 = unknown */
    double started;
};

static basin_status
read_options(struct import *im)
{
    struct cli *c = im->c;
    const char *on_error = args_text(&c->args, OPT_ON_ERROR, "stop");
    basin_status st;

    TRY(args_exclude(&c->args, OPT_BULK, OPT_BATCH, &c->err));
    TRY(args_exclude(&c->args, OPT_BULK, OPT_BUFFERED, &c->err));
    TRY(args_exclude(&c->args, OPT_DURABLE, OPT_BUFFERED, &c->err));
    im->options.raw = args_has(&c->args, OPT_RAW);
    im->options.header = args_has(&c->args, OPT_HEADER);
    im->options.key = args_text(&c->args, OPT_KEY, NULL);
    im->options.value = args_text(&c->args, OPT_VALUE, NULL);
    im->batch = args_number(&c->args, OPT_BATCH, IMPORT_BATCH);
    if (im->batch == 0)
        FAIL(&c->err, BASIN_MISUSE, "--batch is 0: at least one pair per commit is needed");
    im->skips = strncmp(on_error, "skip:", 5) == 0 && on_error[5] != '\0';
    if (!im->skips && strcmp(on_error, "stop") != 0) {
        cli_error(&c->err, BASIN_MISUSE, "--on-error is '%s'", on_error);
        cli_hint(&c->err, "it is stop or skip:FILE");
        return BASIN_MISUSE;
    }
    if (im->skips)
        TRY(out_open_file(&im->skipped, on_error + 5, &c->err));
out:
    return st;
}

static basin_status
find_format(struct import *im, const char *path)
{
    struct cli *c = im->c;
    const struct given *given = args_find(&c->args, OPT_FORMAT);

    if (given != NULL) {
        im->options.format = (enum format)given->number;
        return BASIN_OK;
    }
    if (record_format_of(path, &im->options.format))
        return BASIN_OK;
    cli_error(&c->err, BASIN_MISUSE, "%s: the name does not tell the format", path);
    cli_hint(&c->err, "--format %s", table_options[OPT_FORMAT].value);
    return BASIN_MISUSE;
}

/* Creates the keyspace and, for --bulk, begins the load. */
static basin_status
begin_import(struct import *im)
{
    struct cli *c = im->c;
    basin_load_options load = BASIN_LOAD_INIT;
    basin_status st;

    TRY(session_write(&im->s));
    if (!args_has(&c->args, OPT_BULK))
        goto out;
    TRY(session_commit(&im->s, BASIN_DURABLE));
    load.unsorted = true;
    load.watch = cli_watch(c);
    TRY(basin_load_open(im->s.db, im->s.space, &load, &im->load, &c->err));
out:
    return st;
}

static basin_status
next_batch(struct import *im)
{
    struct cli *c = im->c;
    basin_status st;

    TRY(session_commit(&im->s, BASIN_BUFFERED));
    im->in_batch = 0;
    TRY(stop_check(&c->err));
    TRY(basin_begin_mode(im->s.db, BASIN_WRITE_LOCKED, &im->s.txn, &c->err));
out:
    return st;
}

static basin_status
store_pair(struct import *im, basin_bytes key, basin_bytes value)
{
    struct cli *c = im->c;
    basin_status st;

    if (im->load != NULL)
        TRY(basin_load_add(im->load, key, value, &c->err));
    else
        TRY(basin_put(im->s.txn, im->s.space, key, value, &c->err));
    im->pairs++;
    im->bytes += key.size + value.size;
    if (im->load == NULL && ++im->in_batch == im->batch)
        TRY(next_batch(im));
out:
    return st;
}

/* With --on-error skip: writes the record down and goes on. */
static basin_status
skip_record(struct import *im, const struct record_reader *r, basin_status why)
{
    if (!im->skips || (why != BASIN_CORRUPT && why != BASIN_LIMIT))
        return why;
    out_bytes(&im->skipped, r->text.data, r->text.size);
    if (r->text.size == 0 || ((const char *)r->text.data)[r->text.size - 1] != '\n')
        out_text(&im->skipped, "\n");
    im->skip_count++;
    return out_status(&im->skipped, &im->c->err);
}

static basin_status
import_record(struct import *im, struct record_reader *r)
{
    struct cli *c = im->c;
    basin_status st = record_next(r, &c->err);

    if (st == BASIN_END)
        return st;
    if (st == BASIN_OK && r->key.size > BASIN_KEY_MAX)
        st = cli_error(&c->err, BASIN_LIMIT,
                       "%s: line %llu: the key has %zu bytes, at most %d "
                       "are allowed",
                       r->in->name, (unsigned long long)r->line, r->key.size, BASIN_KEY_MAX);
    if (st != BASIN_OK)
        return skip_record(im, r, st);
    return store_pair(im, grow_bytes(&r->key), grow_bytes(&r->value));
}

static void
show_progress(struct import *im, const struct input *in, bool at_end)
{
    basin_progress now = { .stage = "import", .unit = "bytes" };
    uint64_t size;

    input_place(in, &now.done, &size);
    if (at_end && size > 0)
        now.done = size;
    now.done += im->done_before;
    now.total = im->total;
    now.bytes_in = in->bytes;
    now.bytes_out = im->bytes;
    progress_tick_bytes(&im->c->progress, &now);
    im->done_before = at_end ? now.done : im->done_before;
}

static basin_status
import_records(struct import *im, struct input *in)
{
    struct record_reader r;
    uint64_t count = 0;
    basin_status st;

    record_open(&r, &im->options, in);
    while ((st = import_record(im, &r)) == BASIN_OK) {
        if (++count % 256 == 0)
            show_progress(im, in, false);
    }
    record_close(&r);
    if (st != BASIN_END)
        return st;
    show_progress(im, in, true);
    return BASIN_OK;
}

static basin_status
import_file(struct import *im, const char *path)
{
    struct cli *c = im->c;
    uint64_t mem = args_number(&c->args, OPT_MEM, MEM_DEFAULT);
    size_t line_max = mem / 4 > LINE_MAX_MIN ? (size_t)(mem / 4) : LINE_MAX_MIN;
    struct input in = { .fd = -1, .file_fd = -1 };
    basin_status st, closed;
    basin_error late;

    TRY(find_format(im, path));
    TRY(input_open(&in, path, line_max, &c->err));
    st = import_records(im, &in);
out:
    closed = input_close(&in, &late);
    if (st == BASIN_OK && closed != BASIN_OK) {
        c->err = late;
        st = closed;
    }
    return st;
}

/* What progress counts up to; unknown as soon as one input is no plain file. */
static uint64_t
size_of_files(const struct cli *c)
{
    uint64_t total = 0;
    struct stat info;

    for (size_t i = 1; i < c->args.word_count; i++) {
        if (stat(c->args.words[i], &info) != 0 || !S_ISREG(info.st_mode))
            return 0;
        total += (uint64_t)info.st_size;
    }
    return total;
}

static basin_status
finish_import(struct import *im)
{
    struct cli *c = im->c;
    basin_load *load = im->load;
    basin_status st;

    im->load = NULL;
    if (load != NULL) {
        TRY(basin_load_commit(load, NULL, &c->err));
    } else {
        TRY(session_commit(&im->s, BASIN_BUFFERED));
        TRY(basin_sync(im->s.db, &c->err));
    }
    if (im->skips)
        TRY(out_finish(&im->skipped, &c->err));
out:
    return st;
}

static void
tell_import(struct import *im)
{
    double seconds = cli_now() - im->started;
    double rate = seconds > 0 ? (double)im->pairs / seconds : 0;
    char a[2 * HUMAN_SIZE], b[HUMAN_SIZE], d[HUMAN_SIZE], e[HUMAN_SIZE];
    struct jout j;

    if (!im->c->json) {
        cli_say(im->c, "%s, %s in %s (%s pairs/s)", human_things(a, im->pairs, "pair"),
                human_bytes(b, im->bytes), human_seconds(d, seconds), human_rate(e, rate));
        if (im->skip_count > 0)
            cli_say(im->c, "skipped %s, see %s", human_things(a, im->skip_count, "record"),
                    im->skipped.name);
        return;
    }
    jout_start(&j, &im->c->out);
    jout_open(&j, NULL, '{');
    jout_number(&j, "pairs", im->pairs);
    jout_number(&j, "bytes", im->bytes);
    jout_number(&j, "skipped", im->skip_count);
    jout_real(&j, "seconds", seconds);
    jout_close(&j, '{');
    jout_line(&j);
}

/* What a failed import left behind belongs to its message. */
static void
hint_what_is_stored(struct import *im)
{
    struct cli *c = im->c;

    char before[BASIN_HINT_SIZE + 4], stored[2 * HUMAN_SIZE];

    if (im->s.db == NULL)
        return;
    snprintf(before, sizeof(before), "%s%s", c->err.hint, c->err.hint[0] != '\0' ? "; " : "");
    if (args_has(&c->args, OPT_BULK))
        cli_hint(&c->err, "%snothing was stored", before);
    else if (im->pairs == im->in_batch)
        cli_hint(&c->err, "%s0 pairs before it were stored", before);
    else
        cli_hint(&c->err, "%s%s before it were stored; --bulk stores all or nothing", before,
                 human_things(stored, im->pairs - im->in_batch, "pair"));
}

/* Before the database is created: files that are not there. */
static basin_status
check_files(struct cli *c)
{
    for (size_t i = 1; i < c->args.word_count; i++) {
        const char *path = c->args.words[i];

        if (strcmp(path, "-") != 0 && access(path, R_OK) != 0)
            return cli_system_error(&c->err, errno, "cannot open %s", path);
    }
    return BASIN_OK;
}

basin_status
verb_import(struct cli *c)
{
    struct import im = { .c = c, .started = cli_now(), .skipped = { .fd = -1 } };
    basin_status st;

    TRY(read_options(&im));
    for (size_t i = 1; i < c->args.word_count; i++)
        TRY(find_format(&im, c->args.words[i]));
    TRY(check_files(c));
    TRY(session_open(c, c->args.words[0], SESSION_CREATE, &im.s));
    im.total = size_of_files(c);
    TRY(begin_import(&im));
    for (size_t i = 1; i < c->args.word_count; i++)
        TRY(import_file(&im, c->args.words[i]));
    TRY(finish_import(&im));
    progress_end(&c->progress);
    tell_import(&im);
out:
    if (st != BASIN_OK)
        hint_what_is_stored(&im);
    basin_load_abort(im.load);
    out_close(&im.skipped);
    return session_close(&im.s, st);
}
