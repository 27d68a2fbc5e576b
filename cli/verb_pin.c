// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * pin, watch and hold: the past and the changes.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "session.h"
#include "spaces.h"
#include "stop.h"
#include "value.h"
#include "verbs.h"

/* ------------------------------------------------------------------ pin */

enum { TIME_SIZE = 32 };

/* RFC 3339 in UTC. */
static const char *
time_text(char to[TIME_SIZE], uint64_t ms)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm parts;

    if (gmtime_r(&seconds, &parts) == NULL ||
        strftime(to, TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        snprintf(to, TIME_SIZE, "%" PRIu64, ms);
    return to;
}

static int
write_pin(void *ctx, const basin_pin_info *pin)
{
    struct cli *c = ctx;
    const char *owner = pin->owner != NULL ? pin->owner : "";
    char when[TIME_SIZE], held[HUMAN_SIZE];
    struct jout j;

    time_text(when, pin->made_ms);
    if (!c->json) {
        form_write(&c->out, FORM_ESCAPED, bytes_from(pin->name, strlen(pin->name)));
        out_format(&c->out, "\t%" PRIu64 "\t%s\t%s\t", pin->seqno, when,
                   human_bytes(held, pin->held_bytes));
        form_write(&c->out, FORM_ESCAPED, bytes_from(owner, strlen(owner)));
        out_text(&c->out, "\n");
        return 0;
    }
    jout_start(&j, &c->out);
    jout_open(&j, NULL, '{');
    jout_text(&j, "name", pin->name);
    jout_text(&j, "owner", owner);
    jout_number(&j, "seqno", pin->seqno);
    jout_text(&j, "made", when);
    jout_number(&j, "held_bytes", pin->held_bytes);
    jout_close(&j, '{');
    jout_line(&j);
    return 0;
}

static basin_status
add_pin(struct cli *c, struct session *s, const char *name)
{
    uint64_t seqno;
    struct jout j;
    basin_status st;

    TRY(basin_pin(s->db, name, args_text(&c->args, OPT_OWNER, ""), &seqno, &c->err));
    if (!c->json) {
        out_format(&c->out, "%" PRIu64 "\n", seqno);
        goto out;
    }
    jout_start(&j, &c->out);
    jout_open(&j, NULL, '{');
    jout_text(&j, "name", name);
    jout_number(&j, "seqno", seqno);
    jout_close(&j, '{');
    jout_line(&j);
out:
    return st;
}

static basin_status
remove_pin(struct cli *c, struct session *s, const char *name)
{
    basin_status st = basin_unpin(s->db, name, &c->err);

    if (st == BASIN_NOT_FOUND)
        cli_error(&c->err, st, "there is no pin '%s'", name);
    return st;
}

basin_status
verb_pin(struct cli *c)
{
    const char *action = c->args.words[0];
    const char *name = c->args.word_count > 2 ? c->args.words[2] : NULL;
    bool list = strcmp(action, "ls") == 0;
    struct session s = { 0 };
    basin_status st;

    TRY(cli_check_action(c, list ? 2 : 3));
    TRY(session_open(c, c->args.words[1], list ? SESSION_READ : SESSION_WRITE, &s));
    if (list)
        st = basin_pin_list(s.db, write_pin, c, &c->err);
    else if (strcmp(action, "add") == 0)
        st = add_pin(c, &s, name);
    else
        st = remove_pin(c, &s, name);
out:
    return session_close(&s, st);
}

/* ------------------------------------------------------------------ hold */

enum { HOLD_BYTES = 64 * 1024 * 1024 };

static basin_status
add_hold(struct cli *c, struct session *s, const char *name)
{
    uint64_t bytes = args_number(&c->args, OPT_HOLD_BYTES, HOLD_BYTES), since;
    struct jout j;
    basin_status st;

    TRY(session_read(s));
    since = args_number(&c->args, OPT_HOLD_SINCE, basin_txn_seqno(s->txn));
    TRY(basin_feed_hold(s->db, name, since, bytes, &c->err));
    if (!c->json) {
        out_format(&c->out, "%" PRIu64 "\n", since);
        goto out;
    }
    jout_start(&j, &c->out);
    jout_open(&j, NULL, '{');
    jout_text(&j, "name", name);
    jout_number(&j, "since", since);
    jout_close(&j, '{');
    jout_line(&j);
out:
    return st;
}

basin_status
verb_hold(struct cli *c)
{
    const char *name = c->args.words[2];
    struct session s = { 0 };
    basin_status st;

    TRY(session_open(c, c->args.words[1], SESSION_WRITE, &s));
    if (strcmp(c->args.words[0], "add") == 0)
        st = add_hold(c, &s, name);
    else
        st = basin_feed_hold(s.db, name, UINT64_MAX, 0, &c->err);
out:
    return session_close(&s, st);
}

/* ------------------------------------------------------------------ watch */

enum { WATCH_SLEEP_MIN_MS = 5, WATCH_SLEEP_MAX_MS = 200 };

struct watch {
    struct cli *c;
    struct session s;
    basin_feed *feed;
    struct space_list spaces;
    enum form form;
    uint64_t count;
    uint64_t limit;
};

/* The name of a keyspace; a number that is not known yet may be a new one. */
static basin_status
space_name(struct watch *w, basin_space space, const char **name)
{
    basin_txn *txn = NULL;
    basin_status st = BASIN_OK;

    *name = "";
    if (space == BASIN_SPACE_DEFAULT)
        return BASIN_OK;
    *name = space_list_name(&w->spaces, space);
    if (*name != NULL)
        return BASIN_OK;
    TRY(basin_begin_mode(w->s.db, BASIN_READ, &txn, &w->c->err));
    TRY(space_list_read(&w->spaces, txn, &w->c->err));
    *name = space_list_name(&w->spaces, space);
    *name = *name != NULL ? *name : "";
out:
    basin_abort(txn);
    return st;
}

static const char *
kind_name(basin_change_kind kind)
{
    static const char *const names[] = { "put", "delete", "delete_range", "merge", "load",
                                         "spill" };

    return (size_t)kind < LENGTH_OF(names) ? names[kind] : "other";
}

static void
change_as_json(struct watch *w, const basin_change *change, const char *space)
{
    bool hex = w->form == FORM_HEX;
    struct jout j;

    jout_start(&j, &w->c->out);
    jout_open(&j, NULL, '{');
    jout_number(&j, "seqno", change->seqno);
    jout_number(&j, "commit", change->commit_seqno);
    jout_text(&j, "kind", kind_name(change->kind));
    jout_text(&j, "space", change->space == BASIN_SPACE_DEFAULT ? NULL : space);
    if (change->kind != BASIN_CHANGE_LOAD && change->kind != BASIN_CHANGE_SPILL)
        jout_bytes(&j, "key", change->key, hex);
    if (change->kind == BASIN_CHANGE_DELETE_RANGE && change->value.data != NULL)
        jout_bytes(&j, "end", change->value, hex);
    if (change->kind == BASIN_CHANGE_PUT || change->kind == BASIN_CHANGE_MERGE) {
        if (change->value.data != NULL || change->value_size == 0)
            jout_bytes(&j, "value", change->value, hex);
        jout_number(&j, "value_size", change->value_size);
    }
    jout_bool(&j, "last_in_commit", change->last_in_commit);
    jout_close(&j, '{');
    jout_line(&j);
}

static basin_status
write_change(struct watch *w, const basin_change *change)
{
    struct out *out = &w->c->out;
    const char *space;
    basin_status st;

    TRY(space_name(w, change->space, &space));
    if (w->c->json) {
        change_as_json(w, change, space);
        goto out;
    }
    out_format(out, "%" PRIu64 "\t%s\t", change->commit_seqno, kind_name(change->kind));
    form_write(out, FORM_ESCAPED, bytes_from(space, strlen(space)));
    out_text(out, "\t");
    form_write(out, w->form, change->key);
    out_text(out, "\t");
    if (change->value.data == NULL && change->value_size > 0)
        out_format(out, "(%" PRIu64 " bytes)", change->value_size);
    else
        form_write(out, w->form, change->value);
    out_text(out, "\n");
out:
    return st;
}

/* Nothing newer: what there is goes out, then a rest that grows while nothing happens. */
static basin_status
rest(struct watch *w, uint64_t *sleep_ms)
{
    basin_status st;

    TRY(out_flush(&w->c->out, &w->c->err));
    stop_sleep_ms(*sleep_ms);
    *sleep_ms = *sleep_ms * 2 < WATCH_SLEEP_MAX_MS ? *sleep_ms * 2 : WATCH_SLEEP_MAX_MS;
    TRY(stop_check(&w->c->err));
    TRY(basin_refresh(w->s.db, NULL, &w->c->err));
out:
    return st;
}

static basin_status
follow(struct watch *w)
{
    uint64_t sleep_ms = WATCH_SLEEP_MIN_MS;
    basin_change change;
    basin_status st = BASIN_OK;

    while (w->count < w->limit) {
        st = basin_feed_next(w->feed, &change, &w->c->err);
        if (st == BASIN_END) {
            if (args_has(&w->c->args, OPT_ONCE))
                break;
            TRY(rest(w, &sleep_ms));
            continue;
        }
        TRY(st);
        TRY(write_change(w, &change));
        TRY(out_status(&w->c->out, &w->c->err));
        TRY(stop_check(&w->c->err));
        w->count++;
        sleep_ms = WATCH_SLEEP_MIN_MS;
    }
    st = BASIN_OK;
out:
    return st;
}

/* Where the feed starts: --since, or the present. */
static basin_status
feed_start(struct watch *w, uint64_t *since)
{
    struct cli *c = w->c;
    basin_txn *txn = NULL;
    basin_status st = BASIN_OK;

    *since = args_number(&c->args, OPT_SINCE, 0);
    if (args_has(&c->args, OPT_SINCE))
        return BASIN_OK;
    TRY(basin_begin_mode(w->s.db, BASIN_READ, &txn, &c->err));
    *since = basin_txn_seqno(txn);
out:
    basin_abort(txn);
    return st;
}

basin_status
verb_watch(struct cli *c)
{
    struct watch w = { .c = c };
    uint64_t since;
    basin_status st;

    w.form = args_has(&c->args, OPT_HEX) ? FORM_HEX : FORM_ESCAPED;
    w.limit = args_number(&c->args, OPT_EVENTS, UINT64_MAX);
    TRY(session_open(c, c->args.words[0], SESSION_READ, &w.s));
    TRY(feed_start(&w, &since));
    TRY(basin_feed_open(w.s.db, since, &w.feed, &c->err));
    st = follow(&w);
    if (stop_seen() == SIGALRM && (st == BASIN_TIMEOUT || st == BASIN_CANCELLED))
        st = BASIN_OK; /* --timeout says how long to watch */
out:
    basin_feed_close(w.feed);
    space_list_free(&w.spaces);
    return session_close(&w.s, st);
}
