// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * A ledger for tests with several handles or processes: accounts whose sum never changes, a count
 * of commits kept by puts and by merges, and values from nothing to out of line. Every snapshot
 * shows whether it is one: the sum holds, the two counts agree, the padding fits the amount.
 *
 * One process writes; struct ledger remembers the state at each seqno that it committed.
 */
#ifndef TEST_LSM_LEDGER_H
#define TEST_LSM_LEDGER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "lsm/internal.h"
#include "model/chance.h"
#include "model/memory.h"
#include "model/scratch.h"

enum { LEDGER_ACCOUNTS = 48, LEDGER_START = 1000, LEDGER_PAD_MAX = 3000 };

struct ledger_state {
    uint64_t seqno;
    uint64_t commits;
    int64_t amounts[LEDGER_ACCOUNTS];
};

struct ledger {
    char path[SCRATCH_PATH_MAX];
    struct lsm_options o;
    struct lsm *db;
    struct chance c;
    struct ledger_state now;
    struct ledger_state *states;
    size_t count, capacity;
    basin_error err;
};

#define ledger_ok(l, call) ledger_expect((l), (call), BASIN_OK, #call, __FILE__, __LINE__)
#define ledger_status(l, call, want) ledger_expect((l), (call), (want), #call, __FILE__, __LINE__)

static inline void
ledger_expect(struct ledger *l, basin_status st, basin_status want, const char *call,
              const char *file, int line)
{
    if (st == want)
        return;
    print_error("%s:%d: %s: %s, not %s: %s\n", file, line, call, basin_status_name(st),
                basin_status_name(want), st == BASIN_OK ? "" : l->err.what);
    _fail(file, line);
}

static inline struct lsm_options
ledger_options(void)
{
    return (struct lsm_options){
        .no_threads = true,
        .mem_limit = 8 * MIB,
        .memtable_size = 64 * KIB,
        .stratum_size = 32 * KIB,
        .value_threshold = 2000,
        .log_size_max = LOG_SIZE_START,
        .page_size = 1024,
        .level_factor = 3,
        .level0_runs = 2,
        .buffer_ms = 20,
    };
}

static inline void
ledger_init(struct ledger *l, uint64_t seed)
{
    memset(l, 0, sizeof *l);
    scratch_make(l->path);
    l->o = ledger_options();
    l->c = chance_of(seed);
}

static inline void
ledger_release(struct ledger *l)
{
    free(l->states);
    l->states = NULL;
    scratch_remove(l->path);
}

static inline void
ledger_remember(struct ledger *l)
{
    if (l->count == l->capacity) {
        l->capacity = l->capacity ? l->capacity * 2 : 256;
        l->states = realloc(l->states, l->capacity * sizeof *l->states);
        assert_non_null(l->states);
    }
    l->states[l->count++] = l->now;
}

/* The state that a snapshot at seqno shows. */
static inline const struct ledger_state *
ledger_at(const struct ledger *l, uint64_t seqno)
{
    for (size_t i = l->count; i-- > 0;)
        if (l->states[i].seqno <= seqno)
            return &l->states[i];
    return NULL;
}

/* ------------------------------------------------------------------ keys and values */

static inline struct bytes
ledger_key(char to[8], size_t account)
{
    (void)snprintf(to, 8, "a%03u", (unsigned)account % 1000);
    return bytes_of(to, strlen(to));
}

static inline struct bytes
ledger_value(uint8_t *to, int64_t amount, size_t pad)
{
    store_u64(to, (uint64_t)amount);
    memset(to + 8, (uint8_t)(amount * 7 + 3), pad);
    return bytes_of(to, 8 + pad);
}

static inline bool
ledger_value_fits(struct bytes v, int64_t *amount)
{
    if (v.size < 8)
        return false;
    *amount = (int64_t)load_u64(v.data);
    for (size_t i = 8; i < v.size; i++)
        if (v.data[i] != (uint8_t)(*amount * 7 + 3))
            return false;
    return true;
}

/* ------------------------------------------------------------------ writing */

static inline size_t
ledger_pad(struct ledger *l)
{
    return (size_t)(chance_below(&l->c, 12) == 0 ? chance_below(&l->c, LEDGER_PAD_MAX)
                                                 : chance_below(&l->c, 200));
}

static inline basin_status
ledger_counts(struct lsm_txn *txn, uint64_t commits, basin_error *err)
{
    basin_status st;
    uint8_t n[8], delta[9] = { 1, 1 };

    store_u64(n, commits);
    TRY(lsm_put(txn, BYTES_LIT("n"), bytes_of(n, 8), err));
    TRY(lsm_merge(txn, BYTES_LIT("m"), LSM_OP_COUNTER, bytes_of(delta, 9), err));
out:
    return st;
}

/* The first commit gives every account its start. */
static inline basin_status
ledger_found(struct ledger *l, struct lsm_txn *txn, basin_error *err)
{
    basin_status st = BASIN_OK;
    uint8_t value[8 + LEDGER_PAD_MAX];
    char key[8];

    for (size_t i = 0; i < LEDGER_ACCOUNTS; i++) {
        l->now.amounts[i] = LEDGER_START;
        TRY(lsm_put(txn, ledger_key(key, i), ledger_value(value, LEDGER_START, ledger_pad(l)),
                    err));
    }
out:
    return st;
}

/* Moves some money; an account is sometimes deleted first, alone or by a range. */
static inline basin_status
ledger_transfer(struct ledger *l, struct lsm_txn *txn, basin_error *err)
{
    basin_status st = BASIN_OK;
    uint8_t value[8 + LEDGER_PAD_MAX];
    char key[8];
    size_t from = (size_t)chance_below(&l->c, LEDGER_ACCOUNTS);
    size_t to = (from + 1 + (size_t)chance_below(&l->c, LEDGER_ACCOUNTS - 1)) % LEDGER_ACCOUNTS;
    int64_t sum = chance_between(&l->c, 1, 500);
    size_t both[2] = { from, to };

    l->now.amounts[from] -= sum;
    l->now.amounts[to] += sum;
    if (chance_below(&l->c, 8) == 0)
        TRY(lsm_delete(txn, ledger_key(key, from), err));
    if (chance_below(&l->c, 8) == 0) {
        char end[8];
        struct bytes k = ledger_key(key, to);
        memcpy(end, k.data, k.size);
        end[k.size] = 0;
        TRY(lsm_delete_range(txn, k, bytes_of(end, k.size + 1), false, err));
    }
    for (size_t i = 0; i < 2; i++)
        TRY(lsm_put(txn, ledger_key(key, both[i]),
                    ledger_value(value, l->now.amounts[both[i]], ledger_pad(l)), err));
out:
    return st;
}

/* One commit. */
static inline basin_status
ledger_commit(struct ledger *l, bool durable, basin_error *err)
{
    basin_status st;
    struct lsm_txn *txn = NULL;
    struct ledger_state before = l->now;
    uint64_t seqno;

    TRY(lsm_begin(l->db, &(struct lsm_begin){ .mode = LSM_WRITE }, &txn, err));
    if (l->now.commits == 0)
        TRY(ledger_found(l, txn, err));
    for (uint64_t n = chance_below(&l->c, 4) + 1; n > 0; n--)
        TRY(ledger_transfer(l, txn, err));
    l->now.commits++;
    TRY(ledger_counts(txn, l->now.commits, err));
    st = lsm_commit(txn, durable, &seqno, err);
    txn = NULL;
    TRY(st);
    l->now.seqno = seqno;
    ledger_remember(l);
out:
    lsm_abort(txn);
    if (st != BASIN_OK)
        l->now = before;
    return st;
}

static inline void
ledger_commits(struct ledger *l, size_t n)
{
    for (; n > 0; n--)
        ledger_ok(l, ledger_commit(l, chance_below(&l->c, 4) == 0, &l->err));
}

static inline void
ledger_pump(struct ledger *l)
{
    bool more = true;

    while (more)
        ledger_ok(l, lsm_pump(l->db, &more, &l->err));
}

/* ------------------------------------------------------------------ reading */

static inline basin_status
ledger_get_counts(struct lsm_txn *txn, uint64_t *put, uint64_t *merged, basin_error *err)
{
    basin_status st;
    struct bytes v;

    *put = *merged = 0;
    st = lsm_get(txn, BYTES_LIT("n"), &v, err);
    if (st == BASIN_NOT_FOUND)
        return BASIN_OK;
    TRY(st);
    *put = v.size == 8 ? load_u64(v.data) : UINT64_MAX;
    TRY(lsm_get(txn, BYTES_LIT("m"), &v, err));
    *merged = v.size == 9 && v.data[0] == 0 ? load_u64(v.data + 1) : UINT64_MAX - 1;
out:
    return st;
}

/* Reads all accounts by a cursor: CORRUPT with a text when what it sees is no state at all. */
static inline basin_status
ledger_look(struct lsm_txn *txn, struct ledger_state *s, basin_error *err)
{
    basin_status st;
    struct lsm_cursor *c = NULL;
    struct lsm_range range = { .lower = BYTES_LIT("a"), .upper = BYTES_LIT("b"),
                               .has_lower = true, .has_upper = true, .upper_excluded = true };
    struct bytes v;
    uint64_t merged;
    int64_t sum = 0;
    size_t n = 0;
    char key[8];

    *s = (struct ledger_state){ .seqno = lsm_txn_seqno(txn) };
    TRY(ledger_get_counts(txn, &s->commits, &merged, err));
    if (s->commits != merged)
        FAIL(err, BASIN_CORRUPT, "seqno %llu: %llu commits by puts, %llu by merges",
             (unsigned long long)s->seqno, (unsigned long long)s->commits,
             (unsigned long long)merged);
    TRY(lsm_cursor_open(txn, &range, &c, err));
    for (st = lsm_cursor_first(c, err); st == BASIN_OK; st = lsm_cursor_next(c, err), n++) {
        TRY(lsm_cursor_value(c, &v, err));
        if (n >= LEDGER_ACCOUNTS || !bytes_equal(lsm_cursor_key(c), ledger_key(key, n)) ||
            !ledger_value_fits(v, &s->amounts[n]))
            FAIL(err, BASIN_CORRUPT, "seqno %llu: account %zu is wrong",
                 (unsigned long long)s->seqno, n);
        sum += s->amounts[n];
    }
    if (st != BASIN_END)
        goto out;
    st = BASIN_OK;
    if (s->commits != 0 && (n != LEDGER_ACCOUNTS || sum != LEDGER_ACCOUNTS * LEDGER_START))
        FAIL(err, BASIN_CORRUPT, "seqno %llu: %zu accounts with %lld in all",
             (unsigned long long)s->seqno, n, (long long)sum);
out:
    lsm_cursor_close(c);
    return st;
}

/* What txn sees is the state at its seqno. */
static inline void
ledger_check_txn(struct ledger *l, struct lsm_txn *txn)
{
    struct ledger_state seen;
    const struct ledger_state *want = ledger_at(l, lsm_txn_seqno(txn));

    ledger_ok(l, ledger_look(txn, &seen, &l->err));
    if (want == NULL) {
        assert_int_equal(seen.commits, 0);
        return;
    }
    assert_int_equal(seen.commits, want->commits);
    assert_memory_equal(seen.amounts, want->amounts, sizeof want->amounts);
}

/* What handle sees now is a state, and the one at its seqno. */
static inline uint64_t
ledger_check(struct ledger *l, struct lsm *handle)
{
    struct lsm_txn *txn;
    uint64_t seqno;

    ledger_ok(l, lsm_begin(handle, &(struct lsm_begin){ .mode = LSM_READ }, &txn, &l->err));
    seqno = lsm_txn_seqno(txn);
    ledger_check_txn(l, txn);
    lsm_abort(txn);
    return seqno;
}

static inline void
ledger_open(struct ledger *l)
{
    ledger_ok(l, lsm_open(l->path, &l->o, &l->db, &l->err));
}

static inline void
ledger_close(struct ledger *l)
{
    ledger_ok(l, lsm_close(l->db, &l->err));
    l->db = NULL;
}

static inline struct lsm *
ledger_reader(struct ledger *l, const char *name)
{
    struct lsm_options o = l->o;
    struct lsm *reader;

    o.read_only = true;
    o.name = name;
    ledger_ok(l, lsm_open(l->path, &o, &reader, &l->err));
    return reader;
}

static inline void
ledger_refresh(struct ledger *l, struct lsm *reader)
{
    uint64_t seqno;

    ledger_ok(l, lsm_refresh(reader, &seqno, &l->err));
    assert_int_equal(seqno, l->now.seqno);
    assert_int_equal(ledger_check(l, reader), l->now.seqno);
}

#endif
