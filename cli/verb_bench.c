// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * bench: a few figures of this machine, each with the durability it was measured at.
 *
 * Keys are the numbers 0..N-1 mixed by a bijection, so that they are distinct, come in no order and
 * need no memory; values are random bytes of which half repeat, which compresses about as real
 * records do.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session.h"
#include "stop.h"
#include "verbs.h"

enum {
    BENCH_PAIRS = 100000,
    BENCH_VALUE = 100,
    BENCH_BATCH = 1000,
    BENCH_KEY = 16,
    BENCH_SINGLE_MAX = 200,
    BENCH_VALUE_MAX = 1024 * 1024
};

struct bench {
    struct cli *c;
    struct session s;
    uint64_t pairs;
    size_t value_size;
    uint64_t random;             /* state */
    basin_durability durability; /* of the batches */
    struct grow value;
};

struct measure {
    const char *what;
    const char *durability;
    uint64_t count;
    uint64_t bytes;
    double seconds;
};

/* A bijection of 64 bits (the finisher of splitmix64). */
static uint64_t
mix(uint64_t v)
{
    v += 0x9E3779B97F4A7C15u;
    v = (v ^ v >> 30) * 0xBF58476D1CE4E5B9u;
    v = (v ^ v >> 27) * 0x94D049BB133111EBu;
    return v ^ v >> 31;
}

static uint64_t
next_random(struct bench *b)
{
    return mix(b->random++);
}

static basin_bytes
bench_key(char to[BENCH_KEY + 1], uint64_t index)
{
    snprintf(to, BENCH_KEY + 1, "%016" PRIx64, mix(index));
    return bytes_from(to, BENCH_KEY);
}

static basin_bytes
bench_value(struct bench *b)
{
    uint8_t *to;

    grow_clear(&b->value);
    to = grow_room(&b->value, b->value_size + sizeof(uint64_t));
    for (size_t i = 0; i < b->value_size; i += sizeof(uint64_t)) {
        uint64_t v = i < b->value_size / 2 ? next_random(b) : 0x2020202020202020u;
        memcpy(to + i, &v, sizeof(v));
    }
    return bytes_from(to, b->value_size);
}

static void
tell_measure(struct bench *b, const struct measure *m)
{
    double rate = m->seconds > 0 ? (double)m->count / m->seconds : 0;
    double bytes = m->seconds > 0 ? (double)m->bytes / m->seconds : 0;
    char r[HUMAN_SIZE], v[HUMAN_SIZE], n[HUMAN_SIZE], each[HUMAN_SIZE];
    struct jout j;

    progress_end(&b->c->progress);
    if (!b->c->json) {
        human_seconds(each, m->count > 0 ? m->seconds / (double)m->count : 0);
        out_format(&b->c->out, "%-26s%12s%9s/s%12s/s%11s  %s\n", m->what, human_count(n, m->count),
                   human_rate(r, rate), human_bytes(v, (uint64_t)bytes), each, m->durability);
        return;
    }
    jout_start(&j, &b->c->out);
    jout_open(&j, NULL, '{');
    jout_text(&j, "what", m->what);
    jout_number(&j, "count", m->count);
    jout_real(&j, "seconds", m->seconds);
    jout_real(&j, "per_second", rate);
    jout_real(&j, "bytes_per_second", bytes);
    jout_text(&j, "durability", m->durability);
    jout_close(&j, '{');
    jout_line(&j);
}

/* Writes all pairs in batches. */
static basin_status
fill(struct bench *b, const char *what)
{
    basin_error *err = &b->c->err;
    bool durable = b->durability == BASIN_DURABLE;
    struct measure m = { .what = what,
                         .count = b->pairs,
                         .bytes = b->pairs * (BENCH_KEY + b->value_size) };
    char key[BENCH_KEY + 1];
    double started = cli_now();
    basin_txn *txn = NULL;
    basin_status st = BASIN_OK;

    m.durability = durable ? "each batch of 1000 durable" : "batches of 1000 buffered, then synced";
    for (uint64_t i = 0; i < b->pairs; i++) {
        if (txn == NULL)
            TRY(basin_begin_mode(b->s.db, BASIN_WRITE_LOCKED, &txn, err));
        TRY(basin_put(txn, BASIN_SPACE_DEFAULT, bench_key(key, i), bench_value(b), err));
        if (i % BENCH_BATCH == BENCH_BATCH - 1 || i + 1 == b->pairs) {
            basin_txn *ready = txn;
            txn = NULL;
            TRY(basin_commit(ready, b->durability, NULL, err));
            progress_tick(&b->c->progress, what, "pairs", i + 1, b->pairs);
            TRY(stop_check(err));
        }
    }
    TRY(basin_sync(b->s.db, err));
    m.seconds = cli_now() - started;
    tell_measure(b, &m);
out:
    basin_abort(txn);
    return st;
}

/* Single puts, each on disk before the next. */
static basin_status
single_puts(struct bench *b)
{
    uint64_t count = b->pairs < BENCH_SINGLE_MAX ? b->pairs : BENCH_SINGLE_MAX;
    struct measure m = { .what = "put, one by one",
                         .durability = "each put durable",
                         .count = count,
                         .bytes = count * (BENCH_KEY + b->value_size) };
    char key[BENCH_KEY + 1];
    double started = cli_now();
    basin_status st = BASIN_OK;

    for (uint64_t i = 0; i < count; i++) {
        TRY(basin_db_put(b->s.db, BASIN_SPACE_DEFAULT, bench_key(key, i), bench_value(b),
                         BASIN_DURABLE, &b->c->err));
        TRY(stop_check(&b->c->err));
    }
    m.seconds = cli_now() - started;
    tell_measure(b, &m);
out:
    return st;
}

/* Random point reads: of keys that are there, or of keys that are not. */
static basin_status
read_pairs(struct bench *b, const char *what, bool present)
{
    struct measure m = { .what = what, .durability = "-", .count = b->pairs };
    uint8_t *to = need_memory(b->value_size + 1);
    char key[BENCH_KEY + 1];
    double started = cli_now();
    basin_txn *txn = NULL;
    basin_status st;

    TRY(basin_begin_mode(b->s.db, BASIN_READ, &txn, &b->c->err));
    for (uint64_t i = 0; i < b->pairs; i++) {
        uint64_t index = next_random(b) % b->pairs + (present ? 0 : b->pairs);
        size_t got = 0;

        st = basin_read(txn, BASIN_SPACE_DEFAULT, bench_key(key, index), 0, to, b->value_size, &got,
                        NULL, &b->c->err);
        if (st == BASIN_NOT_FOUND && !present)
            st = BASIN_OK;
        else if (st == BASIN_OK && !present)
            st = cli_error(&b->c->err, BASIN_CORRUPT, "a key is there that was never written");
        TRY(st);
        m.bytes += present ? BENCH_KEY + got : 0;
        if (i % BENCH_BATCH == 0) {
            progress_tick(&b->c->progress, what, "pairs", i, b->pairs);
            TRY(stop_check(&b->c->err));
        }
    }
    m.seconds = cli_now() - started;
    tell_measure(b, &m);
out:
    free(to);
    basin_abort(txn);
    return st;
}

static basin_status
scan_all(struct bench *b)
{
    struct measure m = { .what = "scan", .durability = "-" };
    double started = cli_now();
    basin_cursor *cursor = NULL;
    basin_txn *txn = NULL;
    basin_pair pairs[256];
    size_t n;
    basin_status st;

    TRY(basin_begin_mode(b->s.db, BASIN_READ, &txn, &b->c->err));
    TRY(basin_cursor_open(txn, BASIN_SPACE_DEFAULT, NULL, &cursor, &b->c->err));
    st = basin_cursor_first(cursor, &b->c->err);
    while (st == BASIN_OK) {
        TRY(stop_check(&b->c->err));
        st = basin_cursor_next_many(cursor, pairs, LENGTH_OF(pairs), &n, &b->c->err);
        for (size_t i = 0; st == BASIN_OK && i < n; i++)
            m.bytes += pairs[i].key.size + pairs[i].value.size;
        m.count += st == BASIN_OK ? n : 0;
    }
    if (st != BASIN_END)
        goto out;
    st = BASIN_OK;
    m.seconds = cli_now() - started;
    tell_measure(b, &m);
    if (m.count != b->pairs)
        st = cli_error(&b->c->err, BASIN_CORRUPT, "the scan found %" PRIu64 " pairs, not %" PRIu64,
                       m.count, b->pairs);
out:
    basin_cursor_close(cursor);
    basin_abort(txn);
    return st;
}

static basin_status
open_bench(struct bench *b)
{
    struct cli *c = b->c;
    struct opening o;
    basin_status st;

    TRY(opening_read(c, &o));
    o.options.must_create = true;
    st = basin_open(c->args.words[0], &o.options, &b->s.db, &c->err);
    if (st == BASIN_EXISTS && c->err.hint[0] == '\0')
        cli_hint(&c->err, "bench wants a folder of its own");
    TRY(st);
    stop_watch(b->s.db);
out:
    opening_release(&o);
    return st;
}

basin_status
verb_bench(struct cli *c)
{
    struct bench b = { .c = c, .s = { .c = c } };
    basin_status st;

    TRY(args_exclude(&c->args, OPT_DURABLE, OPT_BUFFERED, &c->err));
    b.pairs = args_number(&c->args, OPT_PAIRS, BENCH_PAIRS);
    b.value_size = (size_t)args_number(&c->args, OPT_VALUE_SIZE, BENCH_VALUE);
    b.random = args_number(&c->args, OPT_SEED, 1);
    b.durability = cli_durability(c, BASIN_BUFFERED);
    if (b.pairs == 0 || b.value_size > BENCH_VALUE_MAX)
        FAIL(&c->err, BASIN_MISUSE, "bench takes at least one pair and values of at most 1M");
    TRY(open_bench(&b));
    if (!c->json)
        out_format(&c->out, "%-26s%12s%11s%14s%11s  %s\n", "what", "count", "rate", "data", "each",
                   "durability");
    TRY(fill(&b, "fill, random order"));
    TRY(single_puts(&b));
    TRY(read_pairs(&b, "get, random", true));
    TRY(read_pairs(&b, "get, absent keys", false));
    TRY(scan_all(&b));
    TRY(fill(&b, "overwrite, random order"));
out:
    grow_free(&b.value);
    return session_close(&b.s, st);
}
