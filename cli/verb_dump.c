// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * dump and load.
 *
 * load stores through one bulk load per keyspace: the pairs of a dump are in order, so they go
 * straight into strata and are published together. A hand-edited dump may break the order; the
 * rest of that keyspace is then sorted. Values that are too large to be held go in as streams.
 */
#include <string.h>

#include "dump.h"
#include "session.h"
#include "spaces.h"
#include "stop.h"
#include "verbs.h"

/* ------------------------------------------------------------------ dump */

static basin_status
dump_one_space(struct cli *c, struct dump_writer *w, basin_txn *txn, basin_space space)
{
    basin_cursor *cursor = NULL;
    struct value v = { 0 };
    basin_status st;

    TRY(basin_cursor_open(txn, space, NULL, &cursor, &c->err));
    st = basin_cursor_first(cursor, &c->err);
    while (st == BASIN_OK) {
        TRY(value_at_cursor(&v, cursor, &c->err));
        TRY(dump_pair(w, basin_cursor_key(cursor), &v, &c->err));
        if (w->counts.pairs % 256 == 0)
            progress_tick(&c->progress, "dump", "pairs", w->counts.pairs, 0);
        st = basin_cursor_next(cursor, &c->err);
    }
    st = st == BASIN_END ? BASIN_OK : st;
out:
    value_free(&v);
    basin_cursor_close(cursor);
    return st;
}

basin_status
verb_dump(struct cli *c)
{
    struct session s = { 0 };
    struct output o = { 0 };
    struct dump_writer w = { 0 };
    struct space_list list = { 0 };
    basin_status st;

    TRY(session_open(c, c->args.words[0], SESSION_READ, &s));
    TRY(session_read(&s));
    TRY(space_list_read(&list, s.txn, &c->err));
    TRY(output_open(c, &o));
    dump_begin(&w, o.to);
    dump_space(&w, NULL);
    TRY(dump_one_space(c, &w, s.txn, BASIN_SPACE_DEFAULT));
    for (size_t i = 0; i < list.count; i++) {
        dump_space(&w, list.items[i].name);
        TRY(dump_one_space(c, &w, s.txn, list.items[i].space));
    }
    dump_end(&w);
    TRY(output_finish(c, &o));
out:
    output_close(&o);
    dump_free(&w);
    space_list_free(&list);
    return session_close(&s, st);
}

/* ------------------------------------------------------------------ load */

/* Values above this are streamed. */
enum { HELD_VALUE_MAX = 1024 * 1024 };

struct loader {
    struct cli *c;
    struct session s;
    bool dry; /* only check the dump */
    basin_space space;
    basin_load *load;
    bool unsorted; /* of this load */
    bool has_last;
    struct grow last; /* the key added last */
    struct grow key;  /* of the pair that is being collected */
    struct grow value;
    bool pending;
    basin_txn *txn; /* of a value that is streamed */
    basin_stream *stream;
};

static basin_status
open_load(struct loader *l, bool unsorted)
{
    basin_load_options options = BASIN_LOAD_INIT;

    options.unsorted = unsorted;
    options.watch = cli_watch(l->c);
    l->unsorted = unsorted;
    l->has_last = false;
    return basin_load_open(l->s.db, l->space, &options, &l->load, &l->c->err);
}

static basin_status
commit_load(struct loader *l)
{
    basin_load *load = l->load;

    l->load = NULL;
    return load != NULL ? basin_load_commit(load, NULL, &l->c->err) : BASIN_OK;
}

static int
compare_bytes(basin_bytes a, basin_bytes b)
{
    size_t n = a.size < b.size ? a.size : b.size;
    int order = n > 0 ? memcmp(a.data, b.data, n) : 0;

    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

static basin_status
add_pair(struct loader *l)
{
    basin_bytes key = grow_bytes(&l->key);
    basin_status st;

    if (l->load != NULL && !l->unsorted && l->has_last &&
        compare_bytes(grow_bytes(&l->last), key) >= 0) {
        TRY(commit_load(l));
        TRY(open_load(l, true));
    }
    if (l->load == NULL)
        TRY(open_load(l, false));
    TRY(basin_load_add(l->load, key, grow_bytes(&l->value), &l->c->err));
    l->has_last = true;
    grow_clear(&l->last);
    grow_add(&l->last, key.data, key.size);
out:
    return st;
}

static basin_status
end_stream(struct loader *l)
{
    basin_stream *stream = l->stream;
    basin_txn *txn = l->txn;
    basin_status st;

    l->stream = NULL;
    TRY(basin_stream_close(stream, &l->c->err));
    l->txn = NULL;
    st = basin_commit(txn, BASIN_BUFFERED, NULL, &l->c->err);
out:
    return st;
}

/* The pair that was collected is complete. */
static basin_status
finish_pair(struct loader *l)
{
    if (!l->pending)
        return BASIN_OK;
    l->pending = false;
    return l->stream != NULL ? end_stream(l) : add_pair(l);
}

static basin_status
add_piece(struct loader *l, basin_bytes piece)
{
    basin_error *err = &l->c->err;
    basin_status st = BASIN_OK;

    if (l->stream == NULL && l->value.size + piece.size <= HELD_VALUE_MAX) {
        grow_add(&l->value, piece.data, piece.size);
        return BASIN_OK;
    }
    if (l->stream == NULL) {
        TRY(basin_begin_mode(l->s.db, BASIN_WRITE_LOCKED, &l->txn, err));
        TRY(basin_stream_open(l->txn, l->space, grow_bytes(&l->key), &l->stream, err));
        TRY(basin_stream_write(l->stream, l->value.data, l->value.size, err));
        grow_clear(&l->value);
    }
    TRY(basin_stream_write(l->stream, piece.data, piece.size, err));
out:
    return st;
}

/* Publishes what the keyspace before it got, and turns to the next. */
static basin_status
begin_space(struct loader *l, struct grow *name)
{
    basin_error *err = &l->c->err;
    basin_txn *txn = NULL;
    basin_status st;

    TRY(commit_load(l));
    l->space = BASIN_SPACE_DEFAULT;
    if (name->size == 0)
        goto out;
    TRY(basin_begin_mode(l->s.db, BASIN_WRITE_LOCKED, &txn, err));
    st = basin_space_open(txn, grow_string(name), true, &l->space, err);
    if (st != BASIN_OK)
        basin_abort(txn);
    else
        st = basin_commit(txn, BASIN_BUFFERED, NULL, err);
out:
    return st;
}

static basin_status
take_event(struct loader *l, struct dump_reader *r, enum dump_event event)
{
    basin_status st = BASIN_OK;

    if (l->dry)
        return BASIN_OK;
    if (event != DUMP_MORE)
        TRY(finish_pair(l));
    if (event == DUMP_SPACE)
        TRY(begin_space(l, &r->name));
    if (event == DUMP_PAIR) {
        l->pending = true;
        grow_clear(&l->value);
        grow_clear(&l->key);
        grow_add(&l->key, r->key.data, r->key.size);
    }
    if (event == DUMP_PAIR || event == DUMP_MORE)
        TRY(add_piece(l, grow_bytes(&r->piece)));
    if (event == DUMP_END)
        TRY(commit_load(l));
out:
    return st;
}

static basin_status
read_dump(struct loader *l, struct input *in, struct dump_counts *counts)
{
    struct cli *c = l->c;
    struct dump_reader r;
    enum dump_event event = DUMP_SPACE;
    uint64_t done, total, events = 0;
    basin_status st = BASIN_OK;

    dump_reader_open(&r, in);
    while (event != DUMP_END) {
        TRY(dump_next(&r, &event, &c->err));
        TRY(take_event(l, &r, event));
        if (++events % 256 == 0) {
            input_place(in, &done, &total);
            progress_tick(&c->progress, l->dry ? "check" : "load", "bytes", done, total);
            TRY(stop_check(&c->err));
        }
    }
    *counts = r.counts;
out:
    dump_reader_close(&r);
    return st;
}

static void
loader_release(struct loader *l)
{
    basin_stream_abort(l->stream);
    basin_abort(l->txn);
    basin_load_abort(l->load);
    grow_free(&l->last);
    grow_free(&l->key);
    grow_free(&l->value);
}

static void
tell_load(struct cli *c, const struct dump_counts *counts, double seconds)
{
    char a[2 * HUMAN_SIZE], e[2 * HUMAN_SIZE], b[HUMAN_SIZE], d[HUMAN_SIZE];
    struct jout j;

    if (!c->json) {
        cli_say(c, "%s in %s, %s in %s", human_things(a, counts->pairs, "pair"),
                human_things(e, counts->spaces, "keyspace"), human_bytes(b, counts->bytes),
                human_seconds(d, seconds));
        return;
    }
    jout_start(&j, &c->out);
    jout_open(&j, NULL, '{');
    jout_number(&j, "pairs", counts->pairs);
    jout_number(&j, "spaces", counts->spaces);
    jout_number(&j, "bytes", counts->bytes);
    jout_real(&j, "seconds", seconds);
    jout_close(&j, '{');
    jout_line(&j);
}

/* Unless --yes, what is loaded into must be empty. */
static basin_status
check_empty(struct loader *l)
{
    struct cli *c = l->c;
    bool empty;
    basin_status st;

    if (args_has(&c->args, OPT_LOAD_YES))
        return BASIN_OK;
    TRY(space_list_is_empty(l->s.db, &empty, &c->err));
    if (empty)
        goto out;
    cli_error(&c->err, BASIN_EXISTS, "%s is not empty", c->args.words[0]);
    cli_hint(&c->err, "--yes adds to it and overwrites keys that are in both");
    st = BASIN_EXISTS;
out:
    return st;
}

basin_status
verb_load(struct cli *c)
{
    struct loader l = { .c = c };
    struct input in = { .fd = -1, .file_fd = -1 };
    struct dump_counts counts = { 0 };
    double started = cli_now();
    basin_status st;

    TRY(input_open(&in, c->args.words[1], DUMP_LINE_MAX, &c->err));
    if (input_can_rewind(&in)) {
        l.dry = true;
        TRY(read_dump(&l, &in, &counts));
        TRY(input_rewind(&in, &c->err));
        l.dry = false;
    }
    TRY(session_open(c, c->args.words[0], SESSION_CREATE, &l.s));
    TRY(check_empty(&l));
    TRY(read_dump(&l, &in, &counts));
    TRY(basin_sync(l.s.db, &c->err));
    progress_end(&c->progress);
    tell_load(c, &counts, cli_now() - started);
out:
    if (st != BASIN_OK && l.s.db != NULL && st != BASIN_EXISTS && c->err.hint[0] == '\0')
        cli_hint(&c->err, "%s holds a part of the dump: do not use it", c->args.words[0]);
    loader_release(&l);
    input_close(&in, NULL);
    return session_close(&l.s, st);
}
