// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * A handle without background threads that several threads of the program use: what one of them
 * works at, the others wait for, or are told of.
 */
#include "lsm/plain.h"

#include <pthread.h>
#include <sched.h>

#include "lsm/txn.h"

enum { HOLDING = 77 };

static struct ledger l;
static _Atomic bool hold, inside, published;

/* The newest operand; stops in a flush or merge while `hold` is set. */
static basin_status
full(void *ctx, struct bytes key, const struct bytes *base, const struct bytes *operands,
     size_t count, struct buf *to, bool *deleted, basin_error *err)
{
    (void)ctx;
    (void)key;
    (void)base;
    (void)err;
    *deleted = false;
    while (atomic_load(&hold)) {
        atomic_store(&inside, true);
        (void)sched_yield();
    }
    return buf_set(to, operands[count - 1].data, operands[count - 1].size);
}

static const struct lsm_operator holding = { .number = HOLDING, .name = "holding", .full = full };

static int
setup(void **state)
{
    (void)state;
    ledger_init(&l, 1);
    l.o.operators = &holding;
    l.o.operator_count = 1;
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

static void *
flush(void *arg)
{
    basin_error err = { 0 };

    return lsm_flush(l.db, &err) == BASIN_OK ? NULL : arg;
}

static void *
load(void *arg)
{
    basin_error err = { 0 };
    struct lsm_load *load;
    uint64_t seqno;

    if (lsm_load_open(l.db, &(struct lsm_load_options){ 0 }, &load, &err) != BASIN_OK ||
        lsm_load_add(load, text("a"), text("new"), &err) != BASIN_OK ||
        lsm_load_commit(load, &seqno, &err) != BASIN_OK)
        return arg;
    atomic_store(&published, true);
    return NULL;
}

static bool
wants_writer(void)
{
    bool held;

    os_mutex_lock(l.db->writer_mu);
    held = l.db->writer_held;
    os_mutex_unlock(l.db->writer_mu);
    return held;
}

/* The flush that a load asks for is another thread's: it is waited for, else what it writes would
 * be a newer run than the load and hide it. */
static void
a_load_is_not_hidden_by_a_flush_of_another_thread(void **state)
{
    struct lsm_txn *txn;
    pthread_t flusher, loader;
    void *failed;

    (void)state;
    (void)plain_put(&l, "a", "old");
    txn = plain_begin(&l, LSM_WRITE);
    ledger_ok(&l, lsm_put(txn, text("k"), text("0"), &l.err));
    ledger_ok(&l, lsm_merge(txn, text("k"), HOLDING, text("1"), &l.err));
    (void)plain_commit(&l, txn);
    atomic_store(&hold, true);
    assert_int_equal(pthread_create(&flusher, NULL, flush, &l), 0);
    while (!atomic_load(&inside))
        (void)sched_yield();
    assert_int_equal(pthread_create(&loader, NULL, load, &l), 0);
    while (!wants_writer() && !atomic_load(&published))
        (void)sched_yield();
    for (int i = 0; i < 1000; i++) /* time to go wrong */
        (void)sched_yield();
    assert_false(atomic_load(&published));
    atomic_store(&hold, false);
    assert_int_equal(pthread_join(flusher, &failed), 0);
    assert_null(failed);
    assert_int_equal(pthread_join(loader, &failed), 0);
    assert_null(failed);
    plain_now(&l, "a", "new");
    plain_compact(&l);
    plain_now(&l, "a", "new");
}

/* ------------------------------------------------------------------ a locked transaction beside */

/* Who would have to wait for the only thread there is gets BUSY, and can try again. */
static void
a_commit_beside_a_locked_transaction_can_be_tried_again(void **state)
{
    uint8_t large[4000] = { 1 };
    struct lsm_txn *locked = plain_begin(&l, LSM_LOCKED), *txn = plain_begin(&l, LSM_WRITE);
    struct bytes got;
    uint64_t seqno;

    (void)state;
    ledger_ok(&l, lsm_put(txn, text("large"), bytes_of(large, sizeof large), &l.err));
    ledger_status(&l, lsm_commit(txn, false, &seqno, &l.err), BASIN_BUSY);
    ledger_ok(&l, lsm_put(txn, text("a"), text("1"), &l.err));
    ledger_status(&l, lsm_commit(txn, false, &seqno, &l.err), BASIN_BUSY);
    lsm_abort(locked);
    (void)plain_commit(&l, txn);
    plain_flush(&l);
    plain_compact(&l);
    plain_now(&l, "a", "1");
    txn = plain_begin(&l, LSM_READ);
    ledger_ok(&l, lsm_get(txn, text("large"), &got, &l.err));
    assert_int_equal(got.size, sizeof large);
    lsm_abort(txn);
}

static void
a_load_beside_a_locked_transaction_can_be_tried_again(void **state)
{
    struct lsm_txn *locked = plain_begin(&l, LSM_LOCKED);
    struct lsm_load *load;
    uint64_t seqno;

    (void)state;
    ledger_ok(&l,
              lsm_load_open(l.db, &(struct lsm_load_options){ .unsorted = true }, &load, &l.err));
    ledger_ok(&l, lsm_load_add(load, text("b"), text("2"), &l.err));
    ledger_status(&l, lsm_load_commit(load, &seqno, &l.err), BASIN_BUSY);
    ledger_ok(&l, lsm_load_add(load, text("a"), text("1"), &l.err));
    ledger_ok(&l, lsm_put(locked, text("a"), text("0"), &l.err));
    (void)plain_commit(&l, locked);
    ledger_ok(&l, lsm_load_commit(load, &seqno, &l.err));
    plain_now(&l, "a", "1");
    plain_now(&l, "b", "2");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_load_is_not_hidden_by_a_flush_of_another_thread, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_commit_beside_a_locked_transaction_can_be_tried_again,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_load_beside_a_locked_transaction_can_be_tried_again,
                                        setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
