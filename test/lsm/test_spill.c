// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Transactions that outgrow their share of memory, beside what random histories do with them:
 * what is left after an abort and a kill, how they conflict, what other processes and the change
 * feed see, how much memory they take. Cases: E36, E63, EC43, EC68; decision 9.
 */
#include "lsm/crash.h"

#include "lsm/txn.h"

static struct rig r;

static void
start(uint64_t spill_size)
{
    rig_init(&r, 3, true);
    r.o = (struct lsm_options){ .mem = &r.memory.table,
                                .os = r.os,
                                .no_threads = true,
                                .mem_limit = 4 * MIB,
                                .memtable_size = 256 * KIB,
                                .stratum_size = 64 * KIB,
                                .value_threshold = 3000,
                                .spill_size = spill_size };
    rig_open(&r);
}

static void
finish(void)
{
    rig_close(&r);
    rig_release(&r);
}

static struct bytes
key_of(unsigned i, char to[16])
{
    int n = snprintf(to, 16, "%06u", i * 7919 % 1000000);
    return bytes_of(to, (size_t)n);
}

static void
put_many(struct lsm_txn *txn, unsigned from, unsigned to)
{
    char key[16];
    uint8_t value[100];

    for (unsigned i = from; i < to; i++) {
        memset(value, (int)(i % 251), sizeof value);
        rig_ok(&r, lsm_put(txn, key_of(i, key), bytes_of(value, sizeof value), &r.err));
    }
}

static unsigned
count_pairs(struct lsm_txn *txn)
{
    struct lsm_cursor *c;
    unsigned n = 0;
    basin_status st;

    rig_ok(&r, lsm_cursor_open(txn, NULL, &c, &r.err));
    for (st = lsm_cursor_first(c, &r.err); st == BASIN_OK; st = lsm_cursor_next(c, &r.err))
        n++;
    rig_status(&r, st, BASIN_END);
    lsm_cursor_close(c);
    return n;
}

static unsigned
count_now(void)
{
    struct lsm_txn *txn;
    unsigned n;

    rig_begin(&r, LSM_READ, &txn);
    n = count_pairs(txn);
    lsm_abort(txn);
    return n;
}

static basin_status
count_file(void *ctx, const char *name, basin_error *err)
{
    (void)name;
    (void)err;
    ++*(unsigned *)ctx;
    return BASIN_OK;
}

static unsigned
count_files(const char *class_name)
{
    char path[OS_PATH_MAX];
    unsigned n = 0;
    basin_status st;

    rig_ok(&r, os_join(path, r.path, class_name, &r.err));
    st = os_list(r.os, path, count_file, &n, &r.err);
    assert_true(st == BASIN_OK || st == BASIN_NOT_FOUND);
    return n;
}

static void
an_abort_leaves_nothing_at_once(void **state)
{
    struct lsm_txn *txn;
    uint8_t large[5000] = { 1 };

    (void)state;
    start(4000);
    rig_begin(&r, LSM_WRITE, &txn);
    put_many(txn, 0, 500);
    rig_ok(&r, lsm_put(txn, BYTES_LIT("large"), bytes_of(large, sizeof large), &r.err));
    put_many(txn, 500, 1000);
    assert_true(count_files("strata") > 1);
    assert_int_equal(count_pairs(txn), 1001);
    lsm_abort(txn);
    assert_int_equal(count_files("strata"), 0);
    assert_int_equal(count_files("values"), 0);
    assert_int_equal(count_files("tmp"), 0);
    assert_int_equal(count_now(), 0);
    finish();
}

static void
a_cursor_outlives_a_rollback_and_an_abort(void **state)
{
    struct lsm_txn *txn;
    struct lsm_cursor *c;
    unsigned n = 0;

    (void)state;
    start(4000);
    rig_begin(&r, LSM_WRITE, &txn);
    put_many(txn, 0, 200);
    rig_ok(&r, lsm_savepoint(txn, "here", &r.err));
    put_many(txn, 200, 400);
    rig_ok(&r, lsm_cursor_open(txn, NULL, &c, &r.err));
    rig_ok(&r, lsm_rollback_to(txn, "here", &r.err));
    for (basin_status st = lsm_cursor_first(c, &r.err); st == BASIN_OK; n++)
        st = lsm_cursor_next(c, &r.err);
    assert_int_equal(n, 400);
    assert_int_equal(count_pairs(txn), 200);
    lsm_abort(txn);
    assert_true(count_files("strata") > 0);
    lsm_cursor_close(c);
    assert_int_equal(count_files("strata"), 0);
    finish();
}

static void
ec43_a_kill_leaves_nothing_at_the_next_opening(void **state)
{
    struct lsm_txn *txn;

    (void)state;
    start(4000);
    rig_begin(&r, LSM_WRITE, &r.txn);
    put_many(r.txn, 0, 1000);
    rig_ok(&r, lsm_commit(r.txn, true, &r.seqno, &r.err));
    rig_begin(&r, LSM_WRITE, &r.txn);
    put_many(r.txn, 1000, 2000);
    os_sim_crash_at(r.sim, 1); /* the next change is the last */
    txn = r.txn;
    for (unsigned i = 2000; !os_sim_crashed(r.sim); i++) {
        char key[16];
        (void)!lsm_put(txn, key_of(i, key), BYTES_LIT("x"), NULL);
    }
    rig_drop(&r);
    os_sim_crash(r.sim, OS_CRASH_KILL);
    rig_open(&r);
    assert_int_equal(count_files("strata"), r.db->manifest.stratum_count);
    assert_int_equal(count_now(), 1000);
    finish();
}

/* First committer wins, over what was spilled too; beside what was read there is no conflict. */
static void
a_spilled_commit_conflicts_and_is_conflicted_with(void **state)
{
    struct lsm_txn *large, *reader, *writer;
    struct bytes value;
    char key[16];
    uint64_t seqno;

    (void)state;
    start(4000);
    for (unsigned round = 0; round < 2; round++) {
        rig_begin(&r, LSM_WRITE, &reader);
        rig_status(&r, lsm_get(reader, round ? BYTES_LIT("none") : key_of(3, key), &value, &r.err),
                   BASIN_NOT_FOUND);
        rig_ok(&r, lsm_put(reader, BYTES_LIT("other"), BYTES_LIT("x"), &r.err));
        rig_begin(&r, LSM_WRITE, &large);
        put_many(large, round * 500, round * 500 + 500);
        rig_ok(&r, lsm_commit(large, true, &seqno, &r.err));
        rig_status(&r, lsm_commit(reader, true, &seqno, &r.err), round ? BASIN_OK : BASIN_CONFLICT);
    }
    rig_begin(&r, LSM_WRITE, &large);
    rig_ok(&r, lsm_get(large, key_of(7, key), &value, &r.err));
    put_many(large, 2000, 2500);
    rig_begin(&r, LSM_WRITE, &writer);
    rig_ok(&r, lsm_put(writer, key_of(7, key), BYTES_LIT("y"), &r.err));
    rig_ok(&r, lsm_commit(writer, true, &seqno, &r.err));
    rig_status(&r, lsm_commit(large, true, &seqno, &r.err), BASIN_CONFLICT);
    assert_int_equal(count_files("strata"), r.db->manifest.stratum_count);
    assert_int_equal(count_now(), 1001);
    finish();
}

static void
the_feed_tells_one_event(void **state)
{
    struct lsm_txn *txn;
    struct lsm_feed *feed;
    struct lsm_change change;
    uint64_t seqno;

    (void)state;
    start(4000);
    rig_begin(&r, LSM_WRITE, &txn);
    rig_ok(&r, lsm_put(txn, BYTES_LIT("a"), BYTES_LIT("1"), &r.err));
    rig_ok(&r, lsm_commit(txn, true, &seqno, &r.err));
    rig_begin(&r, LSM_WRITE, &txn);
    put_many(txn, 0, 300);
    rig_ok(&r, lsm_commit(txn, false, &seqno, &r.err));
    assert_int_equal(seqno, 301);
    rig_ok(&r, lsm_feed_open(r.db, 1, &feed, &r.err));
    rig_ok(&r, lsm_feed_next(feed, &change, &r.err));
    assert_int_equal(change.kind, LSM_CHANGE_SPILL);
    assert_int_equal(change.seqno, 2);
    assert_int_equal(change.commit_seqno, 301);
    assert_true(change.last_in_commit);
    rig_status(&r, lsm_feed_next(feed, &change, &r.err), BASIN_END);
    lsm_feed_close(feed);
    finish();
}

/* Forty times mem_limit, reads in between: never more than the limit is taken. */
static void
memory_stays_within_its_limit(void **state)
{
    struct lsm_txn *txn;
    struct bytes value;
    char key[16];
    uint64_t seqno;

    (void)state;
    start(0);
    r.memory.peak = r.memory.live;
    rig_begin(&r, LSM_WRITE, &txn);
    for (unsigned i = 0; i < 160; i++) {
        put_many(txn, i * 1000, i * 1000 + 1000);
        rig_ok(&r, lsm_get(txn, key_of(i * 500, key), &value, &r.err));
    }
    rig_ok(&r, lsm_commit(txn, true, &seqno, &r.err));
    assert_int_equal(seqno, 160000);
    assert_in_range(r.memory.peak, 0, 4 * MIB);
    assert_int_equal(count_now(), 160000);
    finish();
}

/* Reads are kept apart while there is room for them, then only roughly, and never lost. */
static void
what_was_read_is_bounded(void **state)
{
    struct lsm_txn *txn, *other;
    struct bytes value;
    char key[16];
    uint64_t seqno;

    (void)state;
    for (unsigned round = 0; round < 3; round++) {
        start(0);
        rig_begin(&r, LSM_WRITE, &txn);
        for (unsigned i = 0; i < 50000; i++) { /* round 2: few keys again and again */
            unsigned n = round == 2 ? i % 100 : i;
            rig_status(&r, lsm_get(txn, key_of(n, key), &value, &r.err), BASIN_NOT_FOUND);
        }
        assert_true(txn->read_bytes <= r.o.mem_limit / 16 && !txn->reads_everything);
        rig_ok(&r, lsm_put(txn, BYTES_LIT("b"), BYTES_LIT("x"), &r.err));
        rig_begin(&r, LSM_WRITE, &other);
        rig_ok(&r,
               lsm_put(other, round ? BYTES_LIT("z") : key_of(12345, key), BYTES_LIT("y"), &r.err));
        rig_ok(&r, lsm_commit(other, true, &seqno, &r.err));
        rig_status(&r, lsm_commit(txn, true, &seqno, &r.err), round ? BASIN_OK : BASIN_CONFLICT);
        finish();
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_abort_leaves_nothing_at_once),
        cmocka_unit_test(a_cursor_outlives_a_rollback_and_an_abort),
        cmocka_unit_test(ec43_a_kill_leaves_nothing_at_the_next_opening),
        cmocka_unit_test(a_spilled_commit_conflicts_and_is_conflicted_with),
        cmocka_unit_test(the_feed_tells_one_event),
        cmocka_unit_test(memory_stays_within_its_limit),
        cmocka_unit_test(what_was_read_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
