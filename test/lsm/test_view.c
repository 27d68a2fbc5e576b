// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/* The living cursor and lookups over memtables, runs and a transaction's own memtable. */
#include "lsm/walk.h"

/* ------------------------------------------------------------------ random work (E3 to E9) */

static void
check_everything(struct walk *k, struct oracle *o, struct memtable *extra, uint64_t snapshot,
                 uint64_t oracle_snapshot, size_t steps)
{
    uint8_t low[WALK_KEY_SIZE], high[WALK_KEY_SIZE], key[WALK_KEY_SIZE];
    struct lsm_range r = walk_range(k, low, high);
    struct view *v;
    struct view_options options = { .version = world_version(k->w),
                                    .extra = extra,
                                    .extra_snapshot = UINT64_MAX,
                                    .snapshot = snapshot,
                                    .range = chance_below(&k->c, 3) ? &r : NULL,
                                    .mem = k->w->mem };

    if (options.range == NULL)
        r = (struct lsm_range){ 0 };
    assert_ok(k->w, lsm__view_open(&options, &v, &k->w->err));
    walk_view(k, o, v, &r, oracle_snapshot, steps);
    lsm__view_close(v);
    for (unsigned i = 0; i < 10; i++)
        walk_check_get(k, o, extra, snapshot, oracle_snapshot,
                       walk_key((unsigned)chance_below(&k->c, k->keys), key));
}

/* A transaction's own changes lie over a snapshot that is not the newest (EC68). */
static void
check_with_extra(struct walk *k, uint64_t snapshot)
{
    struct oracle *o = oracle_clone(k->o);
    struct memtable *extra;
    size_t changes = chance_below(&k->c, 40);

    oracle_cut(o, snapshot);
    assert_ok(k->w, memtable_new(k->w->mem, &k->w->fold, &extra, &k->w->err));
    for (uint64_t i = 1; i <= changes; i++) /* its seqnos are its own */
        walk_change(k, extra, i, o, snapshot + i, true);
    check_everything(k, o, extra, snapshot, UINT64_MAX, 60);
    memtable_unref(extra);
    oracle_free(o);
}

static void
random_walk(uint64_t seed, unsigned keys, bool merges, size_t rounds)
{
    static struct world w;
    struct walk k = { .w = &w, .c = chance_of(seed), .keys = keys };

    world_init(&w);
    k.o = oracle_new();
    for (size_t i = 0; i < rounds; i++) {
        walk_work(&k, chance_below(&k.c, 30), merges);
        uint64_t snapshot = k.readable + chance_below(&k.c, k.seqno - k.readable + 1);
        if (chance_below(&k.c, 2))
            snapshot = k.seqno;
        check_everything(&k, k.o, NULL, snapshot, snapshot, 60);
        if (i % 4 == 0)
            check_with_extra(&k, snapshot);
    }
    oracle_free(k.o);
    world_release(&w);
}

static void
view_agrees_with_the_oracle_on_few_keys(void **state)
{
    struct chance c = chance_init("few keys", 1);

    (void)state;
    for (size_t i = 0; i < test_scale(60); i++)
        random_walk(chance_u64(&c), 12, true, 30);
}

static void
view_agrees_with_the_oracle_on_many_keys(void **state)
{
    struct chance c = chance_init("many keys", 2);

    (void)state;
    for (size_t i = 0; i < test_scale(30); i++)
        random_walk(chance_u64(&c), WALK_KEYS, i % 2, 60);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(view_agrees_with_the_oracle_on_few_keys),
        cmocka_unit_test(view_agrees_with_the_oracle_on_many_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
