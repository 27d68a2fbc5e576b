// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The machine or the process dies at any change, in all modes, also while it recovers: EC41, EC43,
 * EC70, EC76, decisions 7 and 12.
 *
 * With arguments:
 *   lsm_test_crash replay SEED [ITEM...]   one history, or some items of it
 *   lsm_test_crash shrink SEED             the shortest failing part of a failing history
 *   lsm_test_crash torture CRASHES [SEED]  histories until so many crashes; what was hit
 */
#include <time.h>

#include "lsm/shrink.h"

enum { TORTURE_BATCH = 100 };

static void
survives_random_crashes(void **state)
{
    struct chance c = chance_init("crashes", 1);
    struct sites *s = calloc(1, sizeof *s);
    struct history *h = malloc(sizeof *h);

    (void)state;
    assert_non_null(s);
    assert_non_null(h);
    for (size_t i = 0; i < test_scale(40); i++) {
        history_make(h, chance_u64(&c), HISTORY_LIVES);
        history_play(h, s);
    }
    assert_true(s->calls >= 200 * s->histories);
    assert_true(s->crashes >= 5 * s->histories);
    assert_true(s->flushes >= s->histories && s->merges >= s->histories);
    assert_true(s->checkpoints >= s->histories);
    assert_true(s->rolls > 0 && s->rewrites > 0);
    free(s);
    free(h);
}

/* ------------------------------------------------------------------ by hand */

struct batch {
    struct stage *stage;
    uint64_t seed, from;
};

static uint64_t
seed_number(uint64_t seed, uint64_t i)
{
    struct chance c = chance_of(seed + i * 2);

    return chance_u64(&c);
}

static void
play_batch(void *ctx)
{
    struct batch *b = ctx;
    struct history *h = malloc(sizeof *h);

    must(h != NULL);
    for (uint64_t i = 0; i < TORTURE_BATCH; i++) {
        b->stage->at = b->from + i;
        (void)alarm(SHRINK_ALARM_S);
        history_make(h, seed_number(b->seed, b->from + i), HISTORY_LIVES);
        history_play(h, &b->stage->sites);
    }
    free(h);
}

static int
shrink(uint64_t seed)
{
    static struct history h;

    history_make(&h, seed, HISTORY_LIVES);
    if (played_well(play_history, &h, stderr)) {
        printf("history %llu does not fail\n", (unsigned long long)seed);
        return 0;
    }
    history_shrink(&h);
    printf("history %llu fails with %zu of its items; to repeat it:\n", (unsigned long long)seed,
           h.count);
    history_print(&h, stdout);
    return 1;
}

static uint64_t
seconds_now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec;
}

static int
torture(uint64_t crashes, uint64_t seed)
{
    struct batch b = { stage_new(), seed, 0 };
    uint64_t begin = seconds_now(), took;
    int failed = 0;

    printf("seed %llu\n", (unsigned long long)seed);
    while (b.stage->sites.crashes < crashes && !failed) {
        if (!played_well(play_batch, &b, stderr))
            failed = shrink(seed_number(seed, b.stage->at));
        b.from += TORTURE_BATCH;
    }
    took = MAX_OF(seconds_now() - begin, (uint64_t)1);
    sites_print(&b.stage->sites, stdout);
    printf("%llu crashes in %llu s, %llu a second\n", (unsigned long long)b.stage->sites.crashes,
           (unsigned long long)took, (unsigned long long)(b.stage->sites.crashes / took));
    stage_free(b.stage);
    return failed;
}

static int
replay(int count, char **words)
{
    static struct history h;

    history_read(&h, count, words);
    h.talks = true;
    history_play(&h, NULL);
    printf("history %s does not fail\n", words[0]);
    return 0;
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(survives_random_crashes),
    };

    if (argc >= 3 && strcmp(argv[1], "replay") == 0)
        return replay(argc - 2, argv + 2);
    if (argc == 3 && strcmp(argv[1], "shrink") == 0)
        return shrink(strtoull(argv[2], NULL, 0));
    if (argc >= 3 && strcmp(argv[1], "torture") == 0)
        return torture(strtoull(argv[2], NULL, 0), argc > 3 ? strtoull(argv[3], NULL, 0) : 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
