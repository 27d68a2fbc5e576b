// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Short calls on a database in a real directory: keys and values as texts, one commit each. The
 * directory, the options and the checks of statuses are those of the ledger.
 */
#ifndef TEST_LSM_PLAIN_H
#define TEST_LSM_PLAIN_H

#include <string.h>

#include "lsm/ledger.h"

static inline struct bytes
text(const char *s)
{
    return bytes_of(s, strlen(s));
}

static inline struct lsm_txn *
plain_begin(struct ledger *l, enum lsm_mode mode)
{
    struct lsm_txn *txn;

    ledger_ok(l, lsm_begin(l->db, &(struct lsm_begin){ .mode = mode, .timeout_ms = UINT32_MAX },
                           &txn, &l->err));
    return txn;
}

static inline uint64_t
plain_commit(struct ledger *l, struct lsm_txn *txn)
{
    uint64_t seqno;

    ledger_ok(l, lsm_commit(txn, false, &seqno, &l->err));
    return seqno;
}

/* Puts, or with value NULL deletes. */
static inline uint64_t
plain_put(struct ledger *l, const char *key, const char *value)
{
    struct lsm_txn *txn = plain_begin(l, LSM_WRITE);

    if (value != NULL)
        ledger_ok(l, lsm_put(txn, text(key), text(value), &l->err));
    else
        ledger_ok(l, lsm_delete(txn, text(key), &l->err));
    return plain_commit(l, txn);
}

/* Expects a value, or with want NULL that there is none. */
static inline void
plain_expect(struct ledger *l, struct lsm_txn *txn, const char *key, const char *want)
{
    struct bytes got;
    basin_status st = lsm_get(txn, text(key), &got, &l->err);

    ledger_status(l, st, want ? BASIN_OK : BASIN_NOT_FOUND);
    if (want != NULL) {
        assert_int_equal(got.size, strlen(want));
        assert_memory_equal(got.data, want, got.size);
    }
}

static inline void
plain_now(struct ledger *l, const char *key, const char *want)
{
    struct lsm_txn *txn = plain_begin(l, LSM_READ);

    plain_expect(l, txn, key, want);
    lsm_abort(txn);
}

/* How many keys a scan of [from, to) finds; NULL = no bound. */
static inline size_t
plain_count(struct ledger *l, struct lsm_txn *txn, const char *from, const char *to)
{
    struct lsm_range range = { .has_lower = from != NULL,
                               .has_upper = to != NULL,
                               .upper_excluded = true };
    struct lsm_cursor *c;
    size_t n = 0;
    basin_status st;

    if (from != NULL)
        range.lower = text(from);
    if (to != NULL)
        range.upper = text(to);
    ledger_ok(l, lsm_cursor_open(txn, &range, &c, &l->err));
    for (st = lsm_cursor_first(c, &l->err); st == BASIN_OK; st = lsm_cursor_next(c, &l->err))
        n++;
    ledger_status(l, st, BASIN_END);
    lsm_cursor_close(c);
    return n;
}

/* Keys key(from) .. key(to - 1) in commits of `batch`, with values of `size` bytes that do not
 * compress to nothing. */
static inline void
plain_fill(struct ledger *l, unsigned from, unsigned to, unsigned batch, size_t size)
{
    uint8_t *value = malloc(size + 1);
    char key[16];

    assert_non_null(value);
    while (from < to) {
        struct lsm_txn *txn = plain_begin(l, LSM_WRITE);
        for (unsigned i = 0; i < batch && from < to; i++, from++) {
            (void)snprintf(key, sizeof key, "k%08u", from);
            chance_bytes(&l->c, value, size);
            ledger_ok(l, lsm_put(txn, text(key), bytes_of(value, size), &l->err));
        }
        (void)plain_commit(l, txn);
    }
    free(value);
}

static inline struct lsm_stats
plain_stat(struct ledger *l)
{
    struct lsm_stats s;

    ledger_ok(l, lsm_stat(l->db, &s, &l->err));
    return s;
}

static inline void
plain_flush(struct ledger *l)
{
    ledger_ok(l, lsm_flush(l->db, &l->err));
}

static inline void
plain_compact(struct ledger *l)
{
    ledger_ok(l, lsm_compact(l->db, NULL, &l->err));
}

#endif
