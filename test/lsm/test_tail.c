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
    r->keys = WALK_KEYS;
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
    if (st == BASIN_OK) { /* else it may be there or not */
        assert_int_equal(seqno, r->seqno + 1);
        r->seqno = seqno;
        if (durable)
            rig_durable(r, seqno);
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
    os_sim_crash_at(r->sim, 1); /* nothing of the close that frees the handle gets through */
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

/*
 * A call fails, the process goes on as far as it can and closes, the machine runs on. What the next
 * opening shows is built on, so from the next durable commit on it must outlive the power, although
 * its pages may be clean in the cache and yet not on disk.
 */
static void
what_a_poisoned_writer_left_is_not_trusted(void **state)
{
    static const enum os_crash_mode modes[] = { OS_CRASH_LOSE_ALL, OS_CRASH_RANDOM };
    size_t poisoned = 0;
    bool more = true;

    (void)state;
    for (uint64_t n = 1; more; n++) {
        struct rig *r = begin(n);
        basin_status st = BASIN_OK;
        uint64_t calls;
        rig_open(r);
        commits(r, 3, 200, true);
        calls = os_sim_calls(r->sim);
        os_sim_fail_at(r->sim, n, BASIN_IO);
        for (size_t i = 0; i < 6 && st == BASIN_OK; i++)
            st = commit(r, 200, i % 3 == 2);
        (void)!lsm_flush(r->db, &r->err);
        more = os_sim_calls(r->sim) - calls >= n;
        poisoned += lsm__failure(r->db, NULL) != BASIN_OK;
        rig_drop(r);
        os_sim_fail_at(r->sim, 0, BASIN_IO);
        rig_recover(r, false);
        commits(r, 1, 100, true);
        crash(r, modes[n % 2]);
        rig_recover(r, true);
        end(r);
    }
    assert_true(poisoned > 3);
}

/* ------------------------------------------------------------------ a tail that cannot be flushed
 */

/* A disk that takes so many objects and then is full. */
struct disk {
    struct os_sim *sim;
    unsigned objects;
};

static void
fill_up(void *ctx, const char *verb, const char *path, bool crashes)
{
    struct disk *d = ctx;

    (void)crashes;
    if (strcmp(verb, "open") != 0 || strncmp(path, "db/tmp/", 7) != 0)
        return;
    if (d->objects > 0)
        d->objects--;
    else
        os_sim_fail_at(d->sim, 1, BASIN_NO_SPACE);
}

/* A commit that the full disk refuses: nothing of it is ever seen. */
static void
refused(struct rig *r, bool durable)
{
    assert_int_equal(commit(r, 50, durable), BASIN_NO_SPACE);
    oracle_cut(r->oracle, r->seqno);
    r->mark_count--;
    rig_ok(r, lsm__failure(r->db, &r->err));
}

/* Opens with a tail that stays unsafe, since there is room for a checkpoint only: every commit
 * waits for it, and goes on when there is room again. False when there was no tail. */
static bool
work_on_an_unsafe_tail(struct rig *r, bool lossy, bool room_again)
{
    struct disk d = { r->sim, 1 };
    bool unsafe;

    os_sim_watch(r->sim, fill_up, &d);
    rig_recover(r, lossy);
    unsafe = r->db->tail_unsafe;
    if (unsafe) {
        refused(r, false);
        refused(r, true);
        assert_true(r->db->tail_unsafe);
    }
    os_sim_watch(r->sim, NULL, NULL);
    os_sim_fail_at(r->sim, 0, BASIN_IO);
    if (unsafe && room_again) {
        commits(r, 40, 100, false);
        assert_false(r->db->tail_unsafe);
    }
    return unsafe;
}

/*
 * The first crash leaves a tail, with holes when the power went; the disk is too full to flush it,
 * and the second crash comes before the tail is safe, or just after that. What was acknowledged in
 * between is not lost by a kill, and never appears without what was before it.
 */
static void
hole(uint64_t seed, enum os_crash_mode first, enum os_crash_mode second, size_t *unsafe)
{
    struct rig *r = begin(seed);
    bool lossy = first != OS_CRASH_KILL;

    rig_open(r);
    commits(r, 1, 100, true);
    commits(r, 60, 1500, false);
    crash(r, first);
    *unsafe += work_on_an_unsafe_tail(r, lossy, seed % 2);
    crash(r, second);
    lossy = second != OS_CRASH_KILL;
    *unsafe += work_on_an_unsafe_tail(r, lossy, seed % 3);
    crash(r, OS_CRASH_KILL);
    rig_recover(r, false);
    commits(r, 1, 100, true);
    crash(r, OS_CRASH_LOSE_ALL);
    rig_recover(r, true);
    end(r);
}

static void
commits_behind_a_hole_stand_and_fall_with_those_before(void **state)
{
    struct chance c = chance_init("holes", 3);

    (void)state;
    for (int first = 0; first < 3; first++) {
        for (int second = 0; second < 3; second++) {
            size_t unsafe = 0;
            for (size_t i = 0; i < test_scale(12); i++)
                hole(chance_u64(&c), (enum os_crash_mode)first, (enum os_crash_mode)second,
                     &unsafe);
            assert_true(unsafe > 0 || first == OS_CRASH_LOSE_ALL);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_close_that_was_killed_is_not_trusted),
        cmocka_unit_test(what_a_poisoned_writer_left_is_not_trusted),
        cmocka_unit_test(commits_behind_a_hole_stand_and_fall_with_those_before),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
