// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Random histories of a whole database against the oracle: every kind of write, transactions with
 * savepoints, loads, readers and pins that outlive everything, flushes, merges and reopening, on
 * the simulated machine step by step and on a real directory with background threads.
 * Cases: E1 to E9, E60, E61, E64; EC12, EC14, EC19, EC20, EC39, EC47, EC65 to EC68.
 */
#include "lsm/rig.h"

enum { SIM_STEPS = 400, THREADS_STEPS = 200 };

/* Without readers and pins a full compaction leaves one entry for each key that lives, apart from
 * operands above a large value. */
static void
check_compacted(struct rig *r)
{
    struct lsm_stats stats;
    struct bytes key;
    uint64_t living = 0, entries = 0, deletes = 0;

    for (size_t i = 0; i < RIG_PIN_MAX; i++) {
        char name[16];
        rig_pin_name(name, i);
        if (r->pins[i].used)
            rig_ok(r, lsm_unpin(r->db, name, &r->err));
        r->pins[i].used = false;
    }
    for (size_t i = 0; i < RIG_HELD_MAX; i++)
        if (r->held[i].txn != NULL)
            rig_release_held(r, &r->held[i]);
    rig_ok(r, lsm_compact(r->db, NULL, &r->err));
    rig_check(r, true);
    for (bool there = oracle_step(r->oracle, NULL, true, true, r->seqno, &key); there; living++)
        there = oracle_step(r->oracle, &key, false, true, r->seqno, &key);
    rig_ok(r, lsm_stat(r->db, &stats, &r->err));
    for (size_t i = 0; i < LSM_LEVEL_COUNT; i++) {
        entries += stats.levels[i].entries;
        deletes += stats.levels[i].deletes;
    }
    if (!r->plain)
        return; /* operands that cannot be resolved are carried along */
    for (size_t i = 0; i < r->db->manifest.stratum_count; i++) {
        assert_int_equal(r->db->manifest.strata[i]->range_tombstones, 0);
        entries -= r->db->manifest.strata[i]->merges;
    }
    assert_int_equal(deletes, 0);
    assert_int_equal(entries, living);
}

static void
random_history(uint64_t seed, bool sim, size_t steps)
{
    struct rig *r = malloc(sizeof *r);

    assert_non_null(r);
    rig_init(r, seed, sim);
    r->plain = rig_chance(r, 2);
    rig_open(r);
    for (size_t i = 0; i < steps; i++)
        rig_step(r);
    rig_check(r, true);
    rig_reopen(r);
    rig_check(r, true);
    check_compacted(r);
    rig_close(r);
    rig_release(r);
    free(r);
}

static void
agrees_with_the_oracle_on_the_simulator(void **state)
{
    struct chance c = chance_init("simulator", 1);

    (void)state;
    for (size_t i = 0; i < test_scale(30); i++)
        random_history(chance_u64(&c), true, SIM_STEPS);
}

static void
agrees_with_the_oracle_with_threads(void **state)
{
    struct chance c = chance_init("threads", 2);

    (void)state;
    for (size_t i = 0; i < test_scale(4); i++)
        random_history(chance_u64(&c), false, THREADS_STEPS);
}

/* With arguments: one history, "SEED sim|threads". */
int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_oracle_on_the_simulator),
        cmocka_unit_test(agrees_with_the_oracle_with_threads),
    };
    if (argc == 3) {
        bool sim = strcmp(argv[2], "sim") == 0;
        random_history(strtoull(argv[1], NULL, 0), sim, sim ? SIM_STEPS : THREADS_STEPS);
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
