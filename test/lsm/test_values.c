// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/* Large values of a transaction that is still open, and of those that just ended (E63). */
#include "lsm/plain.h"

#include <pthread.h>

static struct ledger l;

static int
setup(void **state)
{
    (void)state;
    ledger_init(&l, 1);
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

enum { VALUE_SIZE = 150000 };

static struct bytes
make_value(uint8_t *to, uint8_t seed)
{
    for (size_t i = 0; i < VALUE_SIZE; i++)
        to[i] = (uint8_t)(seed + i % 251 + i / 251);
    return bytes_of(to, VALUE_SIZE);
}

static void
has_value(struct lsm_txn *txn, const char *key, uint8_t seed)
{
    static uint8_t want[VALUE_SIZE];
    struct bytes got, made = make_value(want, seed);

    ledger_ok(&l, lsm_get(txn, text(key), &got, &l.err));
    assert_true(bytes_equal(got, made));
}

/* ------------------------------------------------------------------ beside a stream */

/* What was put is read while streams write behind it, once and again. */
static void
e63_an_own_value_is_read_beside_an_open_stream(void **state)
{
    static uint8_t a[VALUE_SIZE], b[VALUE_SIZE];
    struct bytes piece;
    struct lsm_stream *s, *other;
    struct lsm_txn *txn;

    (void)state;
    ledger_open(&l);
    txn = plain_begin(&l, LSM_WRITE);
    ledger_ok(&l, lsm_put(txn, text("put"), make_value(a, 1), &l.err));
    piece = make_value(b, 2);
    ledger_ok(&l, lsm_stream_open(txn, text("streamed"), &s, &l.err));
    ledger_ok(&l, lsm_stream_write(s, bytes_of(piece.data, 70001), &l.err));
    has_value(txn, "put", 1);
    ledger_ok(&l, lsm_stream_open(txn, text("aborted"), &other, &l.err));
    ledger_ok(&l, lsm_stream_write(other, piece, &l.err));
    ledger_ok(&l, lsm_put(txn, text("third"), make_value(a, 3), &l.err));
    has_value(txn, "third", 3);
    lsm_stream_abort(other);
    ledger_ok(&l, lsm_stream_write(s, bytes_of(piece.data + 70001, VALUE_SIZE - 70001), &l.err));
    has_value(txn, "put", 1);
    ledger_ok(&l, lsm_stream_close(s, &l.err));
    has_value(txn, "streamed", 2);
    (void)plain_commit(&l, txn);
    ledger_close(&l);
    ledger_open(&l);
    txn = plain_begin(&l, LSM_READ);
    has_value(txn, "put", 1);
    has_value(txn, "streamed", 2);
    has_value(txn, "third", 3);
    lsm_abort(txn);
}

/* ------------------------------------------------------------------ of other threads */

enum { READERS = 3, WRITERS = 3, ROUNDS = 100 };

static _Atomic unsigned writing;

static void *
read_values(void *arg)
{
    basin_error err = { 0 };
    struct bytes got;
    struct lsm_txn *txn;
    size_t wrong = 0;

    while (atomic_load(&writing) > 0) {
        if (lsm_begin(l.db, &(struct lsm_begin){ .mode = LSM_READ }, &txn, &err) != BASIN_OK)
            return arg;
        for (int k = 0; k < WRITERS; k++) {
            const char key[2] = { (char)('a' + k), 0 };
            basin_status st = lsm_get(txn, text(key), &got, &err);
            wrong += st != BASIN_NOT_FOUND && (st != BASIN_OK || got.size != 3000);
        }
        lsm_abort(txn);
    }
    return wrong ? arg : NULL;
}

static void *
write_values(void *arg)
{
    const char *key = arg;
    uint8_t value[3000];
    basin_error err = { 0 };
    struct lsm_txn *txn;
    uint64_t seqno;
    bool good = true;

    memset(value, *key, sizeof value);
    for (int i = 0; i < ROUNDS && good; i++) {
        good = lsm_begin(l.db, &(struct lsm_begin){ .mode = LSM_WRITE }, &txn, &err) == BASIN_OK &&
               lsm_put(txn, text(key), bytes_of(value, sizeof value), &err) == BASIN_OK &&
               lsm_commit(txn, false, &seqno, &err) == BASIN_OK;
    }
    atomic_fetch_sub(&writing, 1);
    return good ? NULL : arg;
}

/* A reader that meets a value in the moment of its commit uses nothing of the committer's. */
static void
values_are_read_while_their_transactions_end(void **state)
{
    static char keys[WRITERS][2] = { "a", "b", "c" };
    pthread_t threads[READERS + WRITERS];
    void *failed;

    (void)state;
    l.o.no_threads = false;
    ledger_open(&l);
    atomic_store(&writing, WRITERS);
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_values, keys), 0);
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&threads[READERS + i], NULL, write_values, keys[i]), 0);
    for (int i = 0; i < READERS + WRITERS; i++) {
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(e63_an_own_value_is_read_beside_an_open_stream, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(values_are_read_while_their_transactions_end, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
