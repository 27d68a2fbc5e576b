// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The tail of an earlier log (decision 12): it was read from the page cache and may not be on disk,
 * because the process was killed before its sync, because that sync failed, or because the power
 * took parts of it. What is acknowledged later must not depend on it, and must not be lost with it.
 */
#include "lsm/crash.h"

static struct rig *
begin(uint64_t seed)
{
    struct rig *r = malloc(sizeof *r);

    assert_non_null(r);
    rig_init(r, seed, true);
    r->plain = true;
    r->o = (struct lsm_options){ .mem = &r->memory.table,
                                 .os = r->os,
                                 .no_threads = true,
                                 .page_size = 512,
                                 .value_threshold = 8000,
                                 .key = r->o.key };
    return r;
}

static void
end(struct rig *r)
{
    rig_check(r, true);
    rig_ok(r, lsm_flush(r->db, &r->err));
    rig_settle(r);
    rig_check_files(r);
    rig_close(r);
    rig_release(r);
    free(r);
}

/* One put of `size` bytes, as a commit of its own. */
static basin_status
commit(struct rig *r, size_t size, bool durable)
{
    uint8_t data[WALK_KEY_SIZE];
    struct bytes key = rig_key(r, data), value;
    struct lsm_txn *txn;
    uint64_t seqno;
    basin_status st;

    chance_bytes(&r->c, r->value, size);
    value = bytes_of(r->value, size);
    rig_begin(r, LSM_WRITE, &txn);
    rig_ok(r, lsm_put(txn, key, value, &r->err));
    oracle_put(r->oracle, key, value, r->seqno + 1);
    rig_mark(r, r->seqno + 1);
    st = lsm_commit(txn, durable, &seqno, &r->err);
    if (st == BASIN_OK) {
        assert_int_equal(seqno, r->seqno + 1);
        r->seqno = seqno;
        if (durable)
            rig_durable(r, seqno);
    } else if (!os_sim_crashed(r->sim)) { /* nothing of it may show */
        oracle_cut(r->oracle, r->seqno);
        r->mark_count--;
    }
    return st;
}

static void
commits(struct rig *r, size_t count, size_t size, bool durable)
{
    while (count-- > 0)
        rig_ok(r, commit(r, size, durable));
}

static void
crash(struct rig *r, enum os_crash_mode mode)
{
    rig_drop(r);
    os_sim_crash(r->sim, mode);
}

/* Killed at any change of a close: what was still on its way to the disk then is not taken for
 * safe, although the log may already say that it was closed. */
static void
a_close_that_was_killed_is_not_trusted(void **state)
{
    bool more = true;

    (void)state;
    for (uint64_t n = 1; more; n++) {
        struct rig *r = begin(n);
        rig_open(r);
        commits(r, 1, 50, true);
        commits(r, 5, 50, false);
        os_sim_crash_at(r->sim, n);
        (void)!lsm_close(r->db, &r->err);
        r->db = NULL;
        more = os_sim_crashed(r->sim);
        crash(r, OS_CRASH_KILL);
        rig_recover(r, false);
        commits(r, 1, 50, true);
        assert_int_equal(r->durable, 7);
        crash(r, OS_CRASH_LOSE_ALL);
        rig_recover(r, true);
        end(r);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_close_that_was_killed_is_not_trusted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
