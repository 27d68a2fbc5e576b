// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Who watches the watchmen: the engine is built once more with a list of known bugs, of which one
 * is planted at a time; the crash histories must find each, and pass the engine without one.
 *
 * With arguments: lsm_test_planted NAME [SEED]   what finds it, or one seed with all that it says
 */
#include "lsm/shrink.h"

enum planted basin_planted;

#define PLANTED_TEXT(name, what) { #name, what },
static const struct {
    const char *name, *what;
} bugs[] = { { "NONE", "the engine as it is" }, PLANTED_LIST(PLANTED_TEXT) };

enum { SEEDS_MAX = 2000 };

/* Those that take long are only looked for at scale 20; a test of its own finds each of the last
 * two at once (test_tail.c, test_levels.c). */
static bool
is_rare(size_t bug)
{
    return bug == PLANTED_SWEEP_NAME || bug == PLANTED_GAP || bug == PLANTED_CHECKPOINT_ONLY ||
           bug == PLANTED_CLEAN_FIRST || bug == PLANTED_BETWEEN;
}

struct search {
    struct stage *stage;
    uint64_t from, to;
};

static uint64_t
seed_number(uint64_t i)
{
    struct chance c = chance_of(i * 2 + 1);

    return chance_u64(&c);
}

static void
search_child(void *ctx)
{
    struct search *s = ctx;
    struct history *h = malloc(sizeof *h);

    must(h != NULL);
    for (uint64_t i = s->from; i < s->to; i++) {
        s->stage->at = i;
        (void)alarm(SHRINK_ALARM_S);
        history_make(h, seed_number(i), HISTORY_LIVES);
        history_play(h, NULL);
    }
    free(h);
}

/* How many seeds a bug takes; 0 when none of them finds it. */
static uint64_t
seeds_taken(enum planted bug, uint64_t seeds, FILE *say)
{
    struct search s = { stage_new(), 0, seeds };
    uint64_t taken = 0;

    basin_planted = bug;
    if (!played_well(search_child, &s, say))
        taken = s.stage->at + 1;
    basin_planted = PLANTED_NONE;
    stage_free(s.stage);
    return taken;
}

/* The reason that a failing history gave: its first line. */
static void
first_line(FILE *say, char *to, size_t size)
{
    rewind(say);
    to[0] = 0;
    if (fgets(to, (int)size, say) != NULL)
        to[strcspn(to, "\n")] = 0;
}

static void
each_planted_bug_is_found(void **state)
{
    uint64_t most = 1;
    unsigned missed = 0;
    char why[160];

    (void)state;
    for (size_t i = 1; i < PLANTED_COUNT; i++) {
        FILE *say;
        if (is_rare(i) && test_scale(1) < 20)
            continue;
        say = tmpfile();
        assert_non_null(say);
        uint64_t taken = seeds_taken((enum planted)i, SEEDS_MAX, say);
        first_line(say, why, sizeof why);
        (void)fclose(say);
        print_message("%-17s %5llu  %s\n", bugs[i].name, (unsigned long long)taken, why);
        missed += taken == 0;
        most = MAX_OF(most, taken);
    }
    assert_int_equal(missed, 0);
    assert_int_equal(seeds_taken(PLANTED_NONE, most, stderr), 0);
}

static int
by_hand(const char *name, const char *seed)
{
    static struct history h;

    for (size_t i = 0; i < PLANTED_COUNT; i++)
        if (strcmp(bugs[i].name, name) == 0)
            basin_planted = (enum planted)i;
    if (seed != NULL) {
        history_make(&h, seed_number(strtoull(seed, NULL, 0) - 1), HISTORY_LIVES);
        h.talks = true;
        history_play(&h, NULL);
        return 0;
    }
    printf("%s: %llu\n", name, (unsigned long long)seeds_taken(basin_planted, SEEDS_MAX, stderr));
    return 0;
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_planted_bug_is_found),
    };

    if (argc > 1)
        return by_hand(argv[1], argc > 2 ? argv[2] : NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
