// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * put, get and del.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "session.h"
#include "stop.h"
#include "value.h"
#include "verbs.h"

enum { STREAM_PIECE = 256 * 1024 };

/* ------------------------------------------------------------------ put */

/* Copies standard input into a stream, piece by piece. */
static basin_status
copy_input(struct cli *c, basin_stream *to, uint64_t *size)
{
    struct grow piece = { 0 };
    uint8_t *room = grow_room(&piece, STREAM_PIECE);
    basin_status st = BASIN_OK;
    ssize_t n = 1;

    *size = 0;
    while (n > 0) {
        TRY(stop_check(&c->err));
        n = read(STDIN_FILENO, room, STREAM_PIECE);
        if (n < 0 && errno == EINTR) {
            n = 1;
            continue;
        }
        if (n < 0)
            st = cli_system_error(&c->err, errno, "cannot read standard input");
        TRY(st);
        TRY(basin_stream_write(to, room, (size_t)n, &c->err));
        *size += (uint64_t)n;
        progress_tick(&c->progress, "put", "bytes", *size, 0);
    }
out:
    grow_free(&piece);
    return st;
}

static basin_status
put_stream(struct cli *c, struct session *s, basin_bytes key, uint64_t *size)
{
    basin_stream *stream = NULL;
    basin_status st;

    TRY(basin_stream_open(s->txn, s->space, key, &stream, &c->err));
    st = copy_input(c, stream, size);
    progress_end(&c->progress);
    TRY(st);
    st = basin_stream_close(stream, &c->err);
    stream = NULL;
out:
    basin_stream_abort(stream);
    return st;
}

static void
told_pairs(struct cli *c, const char *what, uint64_t count, uint64_t seqno)
{
    struct jout j;

    if (!c->json)
        return;
    jout_start(&j, &c->out);
    jout_open(&j, NULL, '{');
    jout_number(&j, what, count);
    if (seqno != 0)
        jout_number(&j, "seqno", seqno);
    jout_close(&j, '{');
    jout_line(&j);
}

basin_status
verb_put(struct cli *c)
{
    struct session s = { 0 };
    struct grow key = { 0 }, value = { 0 };
    bool from_input = strcmp(c->args.words[2], "-") == 0;
    uint64_t size = 0, seqno = 0;
    basin_txn *txn;
    basin_status st;

    TRY(args_exclude(&c->args, OPT_DURABLE, OPT_BUFFERED, &c->err));
    TRY(args_exclude(&c->args, OPT_HEX, OPT_ESCAPE, &c->err));
    TRY(cli_key(c, c->args.words[1], &key));
    if (!from_input)
        TRY(cli_bytes(c, c->args.words[2], &value));
    TRY(session_open(c, c->args.words[0], SESSION_CREATE, &s));
    TRY(session_write(&s));
    if (from_input)
        TRY(put_stream(c, &s, grow_bytes(&key), &size));
    else
        TRY(basin_put(s.txn, s.space, grow_bytes(&key), grow_bytes(&value), &c->err));
    txn = s.txn;
    s.txn = NULL;
    TRY(basin_commit(txn, cli_durability(c, BASIN_DURABLE), &seqno, &c->err));
    told_pairs(c, "put", 1, seqno);
out:
    st = session_close(&s, st);
    grow_free(&key);
    grow_free(&value);
    return st;
}

/* ------------------------------------------------------------------ get */

static basin_status
write_got(struct cli *c, struct value *v, basin_bytes key, uint64_t from, uint64_t to)
{
    static const enum form forms[] = { FORM_RAW, FORM_ESCAPED, FORM_HEX };
    enum notation notation = cli_notation(c);
    struct jout j;
    basin_status st;

    if (!c->json) {
        TRY(value_write(v, from, to, forms[notation], &c->out, &c->err));
        if (c->out.is_tty || notation != NOTATION_RAW)
            out_text(&c->out, "\n");
        goto out;
    }
    jout_start(&j, &c->out);
    jout_open(&j, NULL, '{');
    jout_bytes(&j, "key", key, notation == NOTATION_HEX);
    jout_number(&j, "size", v->size);
    TRY(value_write_json(v, &j, "value", from, to, notation == NOTATION_HEX, &c->err));
    jout_close(&j, '{');
    jout_line(&j);
out:
    return st;
}

basin_status
verb_get(struct cli *c)
{
    struct session s = { 0 };
    struct value v = { 0 };
    struct grow key = { 0 };
    uint64_t from = args_number(&c->args, OPT_OFFSET, 0);
    uint64_t length = args_number(&c->args, OPT_LENGTH, UINT64_MAX);
    uint64_t to = length > UINT64_MAX - from ? UINT64_MAX : from + length;
    basin_status st;

    TRY(args_exclude(&c->args, OPT_HEX, OPT_ESCAPE, &c->err));
    TRY(cli_key(c, c->args.words[1], &key));
    TRY(session_open(c, c->args.words[0], SESSION_READ, &s));
    TRY(session_read(&s));
    st = value_of_key(&v, s.txn, s.space, grow_bytes(&key), &c->err);
    if (st == BASIN_NOT_FOUND)
        cli_error(&c->err, st, "no such key");
    TRY(st);
    TRY(write_got(c, &v, grow_bytes(&key), from, to));
out:
    value_free(&v);
    st = session_close(&s, st);
    grow_free(&key);
    return st;
}

/* ------------------------------------------------------------------ del */

static basin_status
del_keys(struct cli *c, struct session *s)
{
    struct grow key = { 0 };
    uint64_t gone = 0, size;
    size_t got, absent = 0;
    basin_status st = BASIN_OK;

    TRY(session_write(s));
    for (size_t i = 1; i < c->args.word_count; i++) {
        TRY(cli_key(c, c->args.words[i], &key));
        st = basin_read(s->txn, s->space, grow_bytes(&key), 0, NULL, 0, &got, &size, &c->err);
        if (st == BASIN_NOT_FOUND) {
            absent = absent == 0 ? i : absent;
            continue;
        }
        TRY(st);
        TRY(basin_delete(s->txn, s->space, grow_bytes(&key), &c->err));
        gone++;
    }
    st = BASIN_OK;
    if (gone > 0)
        TRY(session_commit(s, BASIN_DURABLE));
    told_pairs(c, "deleted", gone, 0);
    if (absent != 0)
        FAIL(&c->err, BASIN_NOT_FOUND, "no such key: '%.80s'", c->args.words[absent]);
out:
    grow_free(&key);
    return st;
}

static basin_status
count_range(struct cli *c, struct session *s, const basin_range *range, uint64_t *count)
{
    basin_cursor *cursor = NULL;
    basin_pair pairs[256];
    size_t n;
    basin_status st;

    *count = 0;
    TRY(basin_cursor_open(s->txn, s->space, range, &cursor, &c->err));
    st = basin_cursor_first(cursor, &c->err);
    while (st == BASIN_OK) {
        TRY(stop_check(&c->err));
        st = basin_cursor_next_many(cursor, pairs, LENGTH_OF(pairs), &n, &c->err);
        *count += st == BASIN_OK ? n : 0;
    }
    st = st == BASIN_END ? BASIN_OK : st;
out:
    basin_cursor_close(cursor);
    return st;
}

static basin_status
del_range(struct cli *c, struct session *s)
{
    struct cli_range r;
    char things[2 * HUMAN_SIZE];
    const basin_bytes *end;
    uint64_t count;
    basin_status st;

    TRY(cli_range_read(c, &r));
    if (!args_has(&c->args, OPT_YES)) {
        TRY(session_read(s));
        TRY(count_range(c, s, &r.range, &count));
        told_pairs(c, "would_delete", count, 0);
        cli_say(c, "would delete %s; nothing is done without --yes",
                human_things(things, count, "pair"));
        c->exit_code = EXIT_NO;
        goto out;
    }
    TRY(session_write(s));
    end = r.range.upper_bound == BASIN_NO_BOUND ? NULL : &r.range.upper;
    if (args_has(&c->args, OPT_PREFIX))
        TRY(basin_delete_prefix(s->txn, s->space, r.range.prefix, &c->err));
    else
        TRY(basin_delete_range(s->txn, s->space, r.range.lower, end, &c->err));
    TRY(session_commit(s, BASIN_DURABLE));
    told_pairs(c, "deleted_ranges", 1, 0);
out:
    cli_range_free(&r);
    return st;
}

basin_status
verb_del(struct cli *c)
{
    bool by_range = args_has(&c->args, OPT_RANGE) || args_has(&c->args, OPT_PREFIX);
    bool ask = by_range && !args_has(&c->args, OPT_YES);
    struct session s = { 0 };
    basin_status st;

    TRY(args_exclude(&c->args, OPT_DURABLE, OPT_BUFFERED, &c->err));
    TRY(args_exclude(&c->args, OPT_HEX, OPT_ESCAPE, &c->err));
    if (by_range == (c->args.word_count > 1)) {
        cli_error(&c->err, BASIN_MISUSE,
                  by_range ? "keys and a range do not go together" : "which keys?");
        cli_hint(&c->err, "usage: basin %s", c->verb->usage[0]);
        return BASIN_MISUSE;
    }
    TRY(session_open(c, c->args.words[0], ask ? SESSION_READ : SESSION_WRITE, &s));
    st = by_range ? del_range(c, &s) : del_keys(c, &s);
out:
    return session_close(&s, st);
}
