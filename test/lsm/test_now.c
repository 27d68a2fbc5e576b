// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Single operations without a transaction: what they see while the version under them changes, the
 * lanes they borrow it from, and the gate of the writer lock.
 */
#include "lsm/plain.h"

#include <pthread.h>

#include "lsm/lane.h"
#include "lsm/txn.h"

enum { KEYS = 64, READERS = 3 };

static struct ledger l;

static int
setup(void **state)
{
    (void)state;
    ledger_init(&l, 1);
    ledger_open(&l);
    return 0;
}

static int
setup_threads(void **state)
{
    (void)state;
    ledger_init(&l, 1);
    l.o.no_threads = false;
    l.o.memtable_size = 16384;
    ledger_open(&l);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    ledger_close(&l);
    ledger_release(&l);
    return 0;
}

static void
key_of(size_t i, char key[16])
{
    (void)snprintf(key, 16, "key%04zu", i);
}

/* The number under key i, or 0. */
static basin_status
read_number(size_t i, uint64_t *number, basin_error *err)
{
    char key[16];
    uint64_t size;
    basin_status st;

    key_of(i, key);
    *number = 0;
    st = lsm_read_now(l.db, text(key), number, sizeof(*number), &size, err);
    return st == BASIN_NOT_FOUND ? BASIN_OK : st;
}

static basin_status
write_number(size_t i, uint64_t number, basin_error *err)
{
    char key[16];

    key_of(i, key);
    return lsm_put_now(l.db, text(key), bytes_of(&number, sizeof(number)), false, err);
}

static uint64_t
version_holders(void)
{
    return atomic_load(&l.db->current->ref_count);
}

static void
reads_the_present_through_every_change_of_version(void **state)
{
    uint64_t number;

    (void)state;
    for (uint64_t round = 1; round <= 40; round++) {
        for (size_t i = 0; i < KEYS; i++)
            ledger_ok(&l, write_number(i, round * 1000 + i, &l.err));
        ledger_ok(&l, lsm_delete_now(l.db, text("key0003"), false, &l.err));
        if (round % 3 == 0)
            ledger_ok(&l, lsm_flush(l.db, &l.err));
        if (round % 10 == 0)
            ledger_ok(&l, lsm_compact(l.db, NULL, &l.err));
        for (size_t i = 0; i < KEYS; i++) {
            ledger_ok(&l, read_number(i, &number, &l.err));
            assert_int_equal(number, i == 3 ? 0 : round * 1000 + i);
        }
    }
}

/* An idle lane keeps no version alive that is not the current one. */
static void
lanes_let_go_of_old_versions(void **state)
{
    uint64_t number, seqno;
    struct lane *lane;
    struct version *old;

    (void)state;
    ledger_ok(&l, write_number(1, 7, &l.err));
    ledger_ok(&l, read_number(1, &number, &l.err));
    assert_int_equal(version_holders(), 2); /* the database and one lane */
    assert_int_equal(l.db->current->run_count, 0);
    ledger_ok(&l, lsm_flush(l.db, &l.err));
    assert_int_equal(l.db->current->run_count, 1);
    assert_int_equal(version_holders(), 1);
    lane = lsm__lane_enter(l.db, &seqno);
    assert_non_null(lane);
    old = lane->version;
    ledger_ok(&l, write_number(1, 8, &l.err));
    ledger_ok(&l, lsm_flush(l.db, &l.err));
    assert_true(lane->version == old && l.db->current != old); /* a busy one goes on with it */
    ledger_ok(&l, read_number(1, &number, &l.err));            /* by another lane */
    assert_int_equal(number, 8);
    lsm__lane_leave(lane);
    assert_null(lane->version);
}

static void
with_all_lanes_busy_a_transaction_is_asked_for(void **state)
{
    struct lane *lanes[LANE_COUNT];
    uint64_t seqno, number;

    (void)state;
    ledger_ok(&l, write_number(1, 7, &l.err));
    for (size_t i = 0; i < LANE_COUNT; i++) {
        lanes[i] = lsm__lane_enter(l.db, &seqno);
        assert_non_null(lanes[i]);
    }
    assert_int_equal(read_number(1, &number, &l.err), BASIN_END);
    lsm__lane_leave(lanes[5]);
    ledger_ok(&l, read_number(1, &number, &l.err));
    assert_int_equal(number, 7);
    for (size_t i = 0; i < LANE_COUNT; i++)
        if (i != 5)
            lsm__lane_leave(lanes[i]);
}

static void
large_values_are_left_to_transactions(void **state)
{
    struct lsm_txn *txn = plain_begin(&l, LSM_WRITE);
    size_t size = (size_t)l.db->o.value_threshold;
    uint8_t *value = calloc(1, size), small[4];
    uint64_t whole;

    (void)state;
    assert_non_null(value);
    assert_int_equal(lsm_put_now(l.db, text("k"), bytes_of(value, size), false, &l.err), BASIN_END);
    ledger_ok(&l, lsm_put(txn, text("k"), bytes_of(value, size), &l.err));
    (void)plain_commit(&l, txn);
    assert_int_equal(lsm_read_now(l.db, text("k"), small, 4, &whole, &l.err), BASIN_END);
    free(value);
}

/* ------------------------------------------------------------------ threads */

static _Atomic bool finished;
static _Atomic uint64_t written; /* every key has at least this number */

struct reading {
    pthread_t thread;
    basin_status status;
    basin_error err;
    uint64_t backwards;
};

/* What was acknowledged before a read is seen by it, and nothing goes back. */
static void *
read_on(void *ctx)
{
    struct reading *r = ctx;
    uint64_t last[KEYS] = { 0 }, number, floor;

    for (size_t i = 0; !atomic_load(&finished) && r->status == BASIN_OK; i = (i + 7) % KEYS) {
        floor = atomic_load(&written);
        r->status = read_number(i, &number, &r->err);
        if (r->status == BASIN_END) { /* all lanes were busy */
            r->status = BASIN_OK;
            continue;
        }
        r->backwards += number < last[i] || number < floor;
        last[i] = number;
    }
    return NULL;
}

static void
readers_never_go_back(void **state)
{
    struct reading readers[READERS] = { 0 };
    uint64_t rounds = test_scale(300);

    (void)state;
    atomic_store(&finished, false);
    atomic_store(&written, 0);
    for (size_t i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i].thread, NULL, read_on, &readers[i]), 0);
    for (uint64_t round = 1; round <= rounds; round++) {
        for (size_t i = 0; i < KEYS; i++)
            ledger_ok(&l, write_number(i, round, &l.err));
        atomic_store(&written, round);
        if (round % 50 == 0)
            ledger_ok(&l, lsm_compact(l.db, NULL, &l.err));
    }
    atomic_store(&finished, true);
    for (size_t i = 0; i < READERS; i++) {
        assert_int_equal(pthread_join(readers[i].thread, NULL), 0);
        assert_int_equal(readers[i].status, BASIN_OK);
        assert_int_equal(readers[i].backwards, 0);
    }
    assert_true(l.db->flushes > 0);
}

struct writing {
    pthread_t thread;
    basin_status status;
    basin_error err;
    uint64_t rounds;
    size_t key;
};

/* Counts up without a transaction: lost updates show when a locked one reads between. */
static void *
write_on(void *ctx)
{
    struct writing *w = ctx;

    for (uint64_t i = 1; i <= w->rounds && w->status == BASIN_OK; i++)
        w->status = write_number(w->key, i, &w->err);
    return NULL;
}

/* While a locked transaction is open nothing else is committed, and all go on behind it. */
static void
the_gate_keeps_single_writes_behind_a_locked_transaction(void **state)
{
    struct writing writers[2] = { { .rounds = test_scale(3000), .key = 1 },
                                  { .rounds = test_scale(3000), .key = 2 } };
    uint64_t before, after, number;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(writers); i++)
        assert_int_equal(pthread_create(&writers[i].thread, NULL, write_on, &writers[i]), 0);
    for (size_t i = 0; i < 200; i++) {
        struct lsm_txn *txn;
        ledger_ok(&l, lsm_begin(l.db,
                                &(struct lsm_begin){ .mode = LSM_LOCKED, .timeout_ms = UINT32_MAX },
                                &txn, &l.err));
        before = atomic_load(&l.db->visible);
        ledger_ok(&l, read_number(1, &number, &l.err));
        after = atomic_load(&l.db->visible);
        assert_int_equal(before, after);
        assert_int_equal(lsm_txn_seqno(txn), before);
        lsm_abort(txn);
    }
    for (size_t i = 0; i < COUNT_OF(writers); i++) {
        assert_int_equal(pthread_join(writers[i].thread, NULL), 0);
        assert_int_equal(writers[i].status, BASIN_OK);
        ledger_ok(&l, read_number(writers[i].key, &number, &l.err));
        assert_int_equal(number, writers[i].rounds);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_the_present_through_every_change_of_version, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(lanes_let_go_of_old_versions, setup, teardown),
        cmocka_unit_test_setup_teardown(with_all_lanes_busy_a_transaction_is_asked_for, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(large_values_are_left_to_transactions, setup, teardown),
        cmocka_unit_test_setup_teardown(readers_never_go_back, setup_threads, teardown),
        cmocka_unit_test_setup_teardown(the_gate_keeps_single_writes_behind_a_locked_transaction,
                                        setup_threads, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
