// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * What an opening finds after a crash, and who may open. Cases: EC41, EC42, EC43, EC68, EC70, EC76;
 * decision 2. Random histories of crashes are in test_crash.c.
 */
#include "lsm/plain.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "model/chance.h"

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
    ledger_release(&l);
    return 0;
}

/* ------------------------------------------------------------------ a machine that crashes */

static struct os_sim *sim;

static void
machine(uint64_t seed)
{
    struct os_sim_options so = { .seed = seed, .maps = seed % 2, .mem = &base_malloc };

    ledger_ok(&l, os_sim_new(&so, &sim, &l.err));
    l.o.os = os_sim_os(sim);
    (void)snprintf(l.path, sizeof l.path, "db");
}

static void
scrap(void)
{
    ledger_close(&l);
    os_sim_free(sim);
}

/* Puts key = value durably or not; false when the machine stopped. */
static bool
sim_put(const char *key, const char *value, bool durable)
{
    struct lsm_txn *txn = NULL;
    basin_status st = lsm_begin(l.db, &(struct lsm_begin){ .mode = LSM_WRITE }, &txn, &l.err);

    if (st == BASIN_OK)
        st = lsm_put(txn, text(key), text(value), &l.err);
    if (st == BASIN_OK) {
        st = lsm_commit(txn, durable, NULL, &l.err);
        txn = NULL;
    }
    lsm_abort(txn);
    return st == BASIN_OK;
}

static void
crash(enum os_crash_mode mode)
{
    os_sim_crash(sim, mode);
    if (l.db != NULL)
        (void)!lsm_close(l.db, NULL);
    l.db = NULL;
}

/* A crash at each change of: creating, a commit, a checkpoint, closing, opening again. */
static bool
live_until(uint64_t n, size_t *acknowledged)
{
    os_sim_crash_at(sim, n);
    *acknowledged = 0;
    for (int i = 0; i < 3; i++) {
        if (lsm_open(l.path, &l.o, &l.db, &l.err) != BASIN_OK)
            return false;
        for (int k = 0; k < 2; k++) {
            if (!sim_put("state", (const char[]){ (char)('1' + *acknowledged), 0 }, true))
                return false;
            (*acknowledged)++;
        }
        if (lsm_flush(l.db, &l.err) != BASIN_OK || lsm__checkpoint(l.db, &l.err) != BASIN_OK)
            return false;
        if (lsm_close(l.db, &l.err) != BASIN_OK) {
            l.db = NULL;
            return false;
        }
        l.db = NULL;
    }
    return !os_sim_crashed(sim);
}

static void
ec41_a_crash_at_every_change_leaves_old_or_new(void **state)
{
    bool whole = false;

    (void)state;
    for (uint64_t n = 1; !whole; n++) {
        size_t acknowledged;
        struct lsm_txn *txn;
        struct bytes got;
        basin_status st;
        machine(n);
        whole = live_until(n, &acknowledged);
        crash((enum os_crash_mode)(n % 3));
        ledger_open(&l); /* never an error */
        txn = plain_begin(&l, LSM_READ);
        st = lsm_get(txn, text("state"), &got, &l.err);
        if (st == BASIN_OK)
            assert_true(got.data[0] == '0' + acknowledged || got.data[0] == '1' + acknowledged);
        else
            assert_true(st == BASIN_NOT_FOUND && acknowledged == 0);
        lsm_abort(txn);
        scrap();
    }
}

/* ------------------------------------------------------------------ EC70, EC76 */

/* Five keyspaces are five starts of keys; the batch holds a put, a delete, a range, an operand. */
static bool
batch(const char *value)
{
    static const uint8_t one[9] = { 1, 1 };
    struct lsm_txn *txn = NULL;
    char key[8];
    basin_status st = lsm_begin(l.db, &(struct lsm_begin){ .mode = LSM_WRITE }, &txn, &l.err);

    for (char space = '\x01'; space <= '\x05' && st == BASIN_OK; space++) {
        (void)snprintf(key, sizeof key, "%ca", space);
        st = lsm_put(txn, text(key), text(value), &l.err);
        if (st == BASIN_OK)
            st = lsm_delete_range(txn, bytes_of((const char[]){ space, 'x' }, 2),
                                  bytes_of((const char[]){ space, 'y' }, 2), false, &l.err);
        (void)snprintf(key, sizeof key, "%cn", space);
        if (st == BASIN_OK)
            st = lsm_merge(txn, text(key), LSM_OP_COUNTER, bytes_of(one, 9), &l.err);
    }
    if (st == BASIN_OK) {
        st = lsm_commit(txn, true, NULL, &l.err);
        txn = NULL;
    }
    lsm_abort(txn);
    return st == BASIN_OK;
}

/* The number of batches that all five keyspaces agree on. */
static size_t
agreed_batches(void)
{
    struct lsm_txn *txn = plain_begin(&l, LSM_READ);
    size_t batches = SIZE_MAX;

    for (char space = '\x01'; space <= '\x05'; space++) {
        char key[8];
        struct bytes got;
        size_t a = 0, n = 0;
        (void)snprintf(key, sizeof key, "%ca", space);
        if (lsm_get(txn, text(key), &got, &l.err) == BASIN_OK)
            a = (size_t)(got.data[0] - '0');
        (void)snprintf(key, sizeof key, "%cn", space);
        if (lsm_get(txn, text(key), &got, &l.err) == BASIN_OK)
            n = (size_t)load_u64(got.data + 1);
        assert_int_equal(a, n);
        assert_true(batches == SIZE_MAX || batches == a);
        batches = a;
    }
    lsm_abort(txn);
    return batches;
}

static void
ec70_a_batch_over_five_keyspaces_is_there_or_not(void **state)
{
    bool whole = false;

    (void)state;
    for (uint64_t n = 1; !whole; n++) {
        size_t done = 0, found;
        machine(n);
        ledger_open(&l);
        os_sim_crash_at(sim, n);
        while (done < 4 && batch((const char[]){ (char)('1' + done), 0 }))
            done++;
        whole = !os_sim_crashed(sim);
        crash((enum os_crash_mode)(n % 3));
        ledger_open(&l);
        found = agreed_batches();
        assert_true(found == done || (!whole && found == done + 1));
        scrap();
    }
}

static void
ec76_survivors_are_a_prefix_with_all_that_is_durable(void **state)
{
    char key[16];

    (void)state;
    for (uint64_t seed = 1; seed <= test_scale(60); seed++) {
        struct lsm_txn *txn;
        size_t n = 0, all;
        machine(seed);
        l.o.buffer_ms = 1000000;
        ledger_open(&l);
        for (unsigned i = 1; i <= 100; i++) {
            (void)snprintf(key, sizeof key, "%03u", i);
            assert_true(sim_put(key, "v", i == 50));
        }
        crash((enum os_crash_mode)(seed % 3));
        ledger_open(&l);
        txn = plain_begin(&l, LSM_READ);
        all = plain_count(&l, txn, NULL, NULL);
        for (unsigned i = 1; i <= all; i++, n++) { /* 1 .. n without a gap */
            (void)snprintf(key, sizeof key, "%03u", i);
            plain_expect(&l, txn, key, "v");
        }
        assert_true(n >= 50 && n <= 100);
        assert_true(seed % 3 != OS_CRASH_KILL || n == 100);
        lsm_abort(txn);
        scrap();
    }
}

/* ------------------------------------------------------------------ EC43 */

static basin_status
count_name(void *ctx, const char *name, basin_error *err)
{
    (void)name;
    (void)err;
    (*(size_t *)ctx)++;
    return BASIN_OK;
}

static void
ec43_what_was_not_published_goes_at_the_next_opening(void **state)
{
    (void)state;
    for (int mode = 0; mode < 3; mode++) {
        struct lsm_load *load;
        size_t files = 0;
        uint8_t value[500] = { 0 };
        machine(43);
        ledger_open(&l);
        (void)plain_put(&l, "a", "1");
        ledger_ok(&l, lsm_sync(l.db, &l.err));
        ledger_ok(&l, lsm_load_open(l.db, &(struct lsm_load_options){ 0 }, &load, &l.err));
        for (unsigned i = 0; i < 1000; i++) {
            char key[16];
            (void)snprintf(key, sizeof key, "w%06u", i);
            ledger_ok(&l, lsm_load_add(load, text(key), bytes_of(value, sizeof value), &l.err));
        }
        (void)!os_list(l.o.os, "db/strata", count_name, &files, NULL);
        assert_true(files > 1); /* waiting ones */
        os_sim_crash(sim, (enum os_crash_mode)mode);
        lsm_load_abort(load);
        crash((enum os_crash_mode)mode);
        ledger_open(&l);
        plain_flush(&l);
        files = 0;
        (void)!os_list(l.o.os, "db/strata", count_name, &files, NULL);
        assert_int_equal(files, l.db->manifest.stratum_count);
        plain_now(&l, "a", "1");
        plain_now(&l, "w000001", NULL);
        scrap();
    }
}

/* ------------------------------------------------------------------ EC42 */

static void
ec42_one_writer_at_a_time(void **state)
{
    struct lsm *second;
    int ready[2], wait_status;
    char byte;

    (void)state;
    ledger_open(&l);
    ledger_status(&l, lsm_open(l.path, &l.o, &second, &l.err), BASIN_BUSY); /* this process */
    pid_t child = fork();
    if (child == 0)
        _exit(lsm_open(l.path, &l.o, &second, NULL) != BASIN_BUSY); /* another one */
    assert_int_equal(waitpid(child, &wait_status, 0), child);
    assert_int_equal(wait_status, 0);
    ledger_close(&l);
    assert_int_equal(pipe(ready), 0);
    child = fork();
    if (child == 0) {
        ledger_open(&l);
        (void)!write(ready[1], "r", 1);
        for (;;)
            (void)pause();
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    ledger_status(&l, lsm_open(l.path, &l.o, &second, &l.err), BASIN_BUSY);
    (void)snprintf(l.err.hint, sizeof l.err.hint, " %ld ", (long)child);
    assert_non_null(strstr(l.err.what, l.err.hint));
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &wait_status, 0), child);
    ledger_open(&l); /* a lock dies with its process */
    ledger_close(&l);
    (void)close(ready[0]);
    (void)close(ready[1]);
}

/* ------------------------------------------------------------------ EC68 */

static void
expect_place(struct lsm_txn *txn, const char *from, enum lsm_seek op, const char *want)
{
    struct lsm_cursor *c;

    ledger_ok(&l, lsm_cursor_open(txn, &(struct lsm_range){ 0 }, &c, &l.err));
    ledger_status(&l, lsm_cursor_seek(c, text(from), op, &l.err), want ? BASIN_OK : BASIN_END);
    if (want != NULL)
        assert_int_equal(lsm_cursor_compare(c, text(want)), 0);
    lsm_cursor_close(c);
}

static void
ec68_a_transaction_sees_its_own_writes(void **state)
{
    static const uint8_t two[9] = { 1, 2 };
    struct lsm_txn *txn;
    struct bytes got;

    (void)state;
    ledger_open(&l);
    for (const char *k = "bdfhj"; *k; k++)
        (void)plain_put(&l, (const char[]){ *k, 0 }, "stored");
    plain_flush(&l);
    (void)plain_put(&l, "h", "stored again");
    txn = plain_begin(&l, LSM_WRITE);
    ledger_ok(&l, lsm_put(txn, text("c"), text("own"), &l.err));
    plain_expect(&l, txn, "c", "own");
    ledger_ok(&l, lsm_delete(txn, text("d"), &l.err));
    plain_expect(&l, txn, "d", NULL);
    expect_place(txn, "c1", LSM_SEEK_GE, "f");
    expect_place(txn, "e", LSM_SEEK_LE, "c");
    expect_place(txn, "bz", LSM_SEEK_GE, "c");
    expect_place(txn, "bz", LSM_SEEK_LE, "b");
    ledger_ok(&l, lsm_delete_range(txn, text("f"), text("i"), false, &l.err));
    assert_int_equal(plain_count(&l, txn, NULL, NULL), 3); /* b c j */
    expect_place(txn, "f", LSM_SEEK_GE, "j");
    expect_place(txn, "i", LSM_SEEK_LE, "c");
    ledger_ok(&l, lsm_put(txn, text("g"), text("above the range"), &l.err));
    expect_place(txn, "i", LSM_SEEK_LE, "g");
    ledger_ok(&l, lsm_merge(txn, text("n"), LSM_OP_COUNTER, bytes_of(two, 9), &l.err));
    ledger_ok(&l, lsm_merge(txn, text("n"), LSM_OP_COUNTER, bytes_of(two, 9), &l.err));
    ledger_ok(&l, lsm_get(txn, text("n"), &got, &l.err));
    assert_int_equal(load_u64(got.data + 1), 4);
    plain_now(&l, "c", NULL); /* nobody else sees any of it */
    plain_now(&l, "d", "stored");
    lsm_abort(txn);
    txn = plain_begin(&l, LSM_READ);
    assert_int_equal(plain_count(&l, txn, NULL, NULL), 5);
    plain_expect(&l, txn, "n", NULL);
    plain_expect(&l, txn, "h", "stored again");
    lsm_abort(txn);
    ledger_close(&l);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ec41_a_crash_at_every_change_leaves_old_or_new),
        cmocka_unit_test(ec70_a_batch_over_five_keyspaces_is_there_or_not),
        cmocka_unit_test(ec76_survivors_are_a_prefix_with_all_that_is_durable),
        cmocka_unit_test(ec43_what_was_not_published_goes_at_the_next_opening),
        cmocka_unit_test_setup_teardown(ec42_one_writer_at_a_time, setup, teardown),
        cmocka_unit_test_setup_teardown(ec68_a_transaction_sees_its_own_writes, setup, teardown),
    };
    l.o = ledger_options();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
