// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The machine or the process dies at any change, in all modes, also while it recovers: EC41, EC43,
 * EC70, EC76, decisions 7 and 12.
 */
#include "lsm/crash.h"

/* ------------------------------------------------------------------ random lives */

static void
random_lives(uint64_t seed, size_t lives)
{
    struct rig *r = malloc(sizeof *r);
    bool lossy = false;

    assert_non_null(r);
    rig_init(r, seed, true);
    r->plain = true;
    r->o.memtable_size = 4 * KIB;
    for (size_t i = 0; i < lives; i++) {
        uint64_t n = 1 + chance_below(&r->c, rig_chance(r, 3) ? 20 : 200);
        rig_live(r, n, 20, &lossy, (enum os_crash_mode)chance_below(&r->c, 3));
        rig_random_options(r);
    }
    rig_recover(r, lossy);
    rig_check(r, true);
    rig_ok(r, lsm_flush(r->db, &r->err));
    rig_settle(r);
    rig_check_files(r);
    rig_check(r, true);
    rig_close(r);
    rig_release(r);
    free(r);
}

static void
survives_random_crashes(void **state)
{
    struct chance c = chance_init("crashes", 1);

    (void)state;
    for (size_t i = 0; i < test_scale(40); i++)
        random_lives(chance_u64(&c), 12);
}

/* With arguments: one history, "SEED lives". */
int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(survives_random_crashes),
    };

    if (argc == 3) {
        random_lives(strtoull(argv[1], NULL, 0), (size_t)strtoul(argv[2], NULL, 10));
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
