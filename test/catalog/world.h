// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * A database in the simulator for the tests of the catalog: opened, reopened, looked at raw. Memory
 * is counted, so that a test can refuse allocations and nothing is left at the end.
 */
#ifndef TEST_CATALOG_WORLD_H
#define TEST_CATALOG_WORLD_H

#include "catalog/catalog.h"

#include <setjmp.h>

#include <cmocka.h>

#include "model/chance.h"
#include "model/hex.h"
#include "model/memory.h"

/* Of any key that is made here: two elements, then one that is cut (C11). */
enum { WORLD_KEY_MAX = 2 + TUPLE_CUT_SIZE };

struct world {
    struct test_memory memory;
    struct os_sim *sim;
    struct lsm *db;
    basin_error err;
};

/* The status that was wanted, or the test fails with the story. */
#define expect(w, call, want)                                                     \
    do {                                                                          \
        basin_status expect_st = (call);                                          \
        if (expect_st != (want))                                                  \
            print_error("%s: %s\n", basin_status_name(expect_st), (w)->err.what); \
        assert_int_equal(expect_st, (want));                                      \
    } while (0)
#define expect_ok(w, call) expect((w), (call), BASIN_OK)

static inline void
world_open_db(struct world *w)
{
    struct lsm_options options = { .mem = &w->memory.table,
                                   .os = os_sim_os(w->sim),
                                   .no_threads = true };

    expect_ok(w, lsm_open("/db", &options, &w->db, &w->err));
}

/* Only BUSY leaves it open. */
static inline void
world_close_db(struct world *w)
{
    struct lsm *db = w->db;

    w->db = NULL;
    if (db != NULL)
        expect_ok(w, lsm_close(db, &w->err));
}

static inline void
world_init(struct world *w)
{
    struct os_sim_options options = { .seed = 1, .mem = &base_malloc };

    memset(w, 0, sizeof *w);
    test_memory_init(&w->memory);
    expect_ok(w, os_sim_new(&options, &w->sim, &w->err));
    world_open_db(w);
}

static inline void
world_release(struct world *w)
{
    world_close_db(w);
    os_sim_free(w->sim);
    assert_int_equal(atomic_load(&w->memory.live), 0);
}

static inline void
world_reopen(struct world *w)
{
    world_close_db(w);
    world_open_db(w);
}

static inline struct lsm_txn *
world_begin(struct world *w)
{
    struct lsm_begin how = { .mode = LSM_WRITE };
    struct lsm_txn *txn = NULL;

    expect_ok(w, lsm_begin(w->db, &how, &txn, &w->err));
    return txn;
}

static inline void
world_commit(struct world *w, struct lsm_txn *txn)
{
    expect_ok(w, lsm_commit(txn, true, NULL, &w->err));
}

/* The raw value at a key written in hex, or NOT_FOUND. */
static inline void
world_expect_raw(struct world *w, const char *key, const char *value)
{
    struct lsm_txn *txn = world_begin(w);
    struct bytes got;
    struct buf k;

    buf_init(&k, &base_malloc);
    must(hex_read(key, strlen(key), &k));
    if (value == NULL) {
        expect(w, lsm_get(txn, buf_bytes(&k), &got, &w->err), BASIN_NOT_FOUND);
    } else {
        expect_ok(w, lsm_get(txn, buf_bytes(&k), &got, &w->err));
        assert_hex(got, value);
    }
    buf_release(&k);
    lsm_abort(txn);
}

/* How many keys a space has, as the transaction sees it. */
static inline size_t
world_count(struct world *w, struct lsm_txn *txn, uint64_t space)
{
    struct lsm_range range = { .has_lower = true, .has_upper = true, .upper_excluded = true };
    struct lsm_cursor *c = NULL;
    struct buf lower, upper;
    bool unbounded = false;
    size_t count = 0;
    basin_status st;

    buf_init(&lower, &base_malloc);
    buf_init(&upper, &base_malloc);
    must(catalog_key(&lower, space, -1) == BASIN_OK);
    must(catalog_space_end(&upper, space, &unbounded) == BASIN_OK);
    range.lower = buf_bytes(&lower);
    range.upper = buf_bytes(&upper);
    range.has_upper = !unbounded;
    expect_ok(w, lsm_cursor_open(txn, &range, &c, &w->err));
    for (st = lsm_cursor_first(c, &w->err); st == BASIN_OK; st = lsm_cursor_next(c, &w->err)) {
        assert_true(lsm_cursor_key(c).size <= WORLD_KEY_MAX);
        count++;
    }
    assert_int_equal(st, BASIN_END);
    lsm_cursor_close(c);
    buf_release(&lower);
    buf_release(&upper);
    return count;
}

/* n keys into a space. */
static inline void
world_fill(struct world *w, struct lsm_txn *txn, uint64_t space, uint64_t n)
{
    struct buf key;

    buf_init(&key, &base_malloc);
    for (uint64_t i = 0; i < n; i++) {
        buf_clear(&key);
        must(catalog_key(&key, space, 0x30) == BASIN_OK);
        must(tuple_put_varint(&key, i) == BASIN_OK);
        expect_ok(w, lsm_put(txn, buf_bytes(&key), BYTES_LIT("value"), &w->err));
    }
    buf_release(&key);
}

#endif
