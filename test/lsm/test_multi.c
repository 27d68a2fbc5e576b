// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/* Raw cursors: runs of strata, merges of sources, merges of merges (E5, E7, E50). */
#include "lsm/raw.h"

static struct world w;

struct fill {
    struct chance c;
    uint64_t seqno;
    unsigned letters; /* few: many versions and ties */
};

static struct bytes
some_key(struct fill *f, uint8_t to[24])
{
    int n;

    if (chance_below(&f->c, 40) == 0)
        return BYTES_NULL;
    n = snprintf((char *)to, 24, "%s%llu", chance_below(&f->c, 3) ? "" : "shared start/",
                 (unsigned long long)chance_below(&f->c, f->letters));
    return bytes_of(to, (size_t)n);
}

/* n random entries into a memtable, and into the model as source number. */
static void
fill(struct fill *f, struct memtable *m, size_t n, struct raw *r, uint32_t source)
{
    uint8_t key[24], value[8];

    for (size_t i = 0; i < n; i++) {
        struct entry e = { some_key(f, key), bytes_of(value, 8), ++f->seqno, ENTRY_PUT };
        store_u64(value, f->seqno * 5);
        if (chance_below(&f->c, 5) == 0) {
            e.kind = ENTRY_DELETE;
            e.value = BYTES_NULL;
        }
        assert_ok(&w, memtable_add(m, &e, &w.err));
        if (r != NULL)
            raw_add(r, source, &e);
    }
}

/* A cursor over m itself, or over a stratum or run of its entries. */
static struct icur *
source_of(struct fill *f, struct memtable *m)
{
    struct icur *c;
    struct lsm_stratum *strata[3];
    struct world_cut cut = { .run = ++f->seqno, .no_map = chance_below(&f->c, 2) };
    struct bytes a = BYTES_LIT("3"), b = BYTES_LIT("sh");
    size_t n = 0;

    switch (chance_below(&f->c, 3)) {
    case 0:
        assert_ok(&w, memtable_cursor(m, w.mem, &c, &w.err));
        return c;
    case 1:
        strata[0] = world_stratum(&w, m, &cut);
        if (strata[0] != NULL) {
            assert_ok(&w, lsm__stratum_icur(strata[0], w.mem, &c, &w.err));
            return c;
        }
        break;
    default:
        break;
    }
    for (int part = 0; part < 3; part++) {
        cut.from = part == 0 ? NULL : part == 1 ? &a : &b;
        cut.to = part == 0 ? &a : part == 1 ? &b : NULL;
        strata[n] = world_stratum(&w, m, &cut);
        n += strata[n] != NULL;
    }
    struct lsm_run run = { 0, 1, n, strata };
    if (n > 0) {
        world_add_run(&w, strata, n);
        for (size_t i = 0; i < w.run_count; i++)
            if (w.runs[i].run == cut.run)
                run = w.runs[i];
    }
    assert_ok(&w, lsm__run_icur(&run, w.mem, &c, &w.err));
    return c;
}

/* ------------------------------------------------------------------ random walks */

static void
single_sources_agree_with_an_array(void **state)
{
    struct fill f = { .c = chance_init("sources", 21) };

    (void)state;
    for (size_t round = 0; round < test_scale(90); round++) {
        struct raw r = { 0 };
        struct icur *c;
        world_init(&w);
        f.letters = round % 2 ? 30 : 4000;
        f.seqno = 0;
        struct memtable *m = world_memtable(&w);
        fill(&f, m, chance_below(&f.c, 600), &r, 0);
        raw_sort(&r);
        c = source_of(&f, m);
        assert_false(c->valid);
        assert_ok(&w, c->ops->next(c, &w.err));
        assert_false(c->valid);
        assert_ok(&w, c->ops->prev(c, &w.err));
        assert_false(c->valid);
        raw_walk(&w, &r, c, &f.c, 400);
        raw_seeks(&w, &r, c, &f.c, 100);
        c->ops->close(c);
        raw_free(&r);
        world_release(&w);
    }
}

static void
merges_agree_with_an_array(void **state)
{
    struct fill f = { .c = chance_init("merges", 22) };

    (void)state;
    for (size_t round = 0; round < test_scale(90); round++) {
        struct raw r = { 0 };
        struct icur *sources[9], *c;
        size_t count = chance_below(&f.c, 10);
        world_init(&w);
        f.letters = round % 2 ? 30 : 4000;
        f.seqno = 0;
        for (size_t i = count; i-- > 0;) { /* the oldest is filled first */
            struct memtable *m = world_memtable(&w);
            fill(&f, m, chance_below(&f.c, 100), &r, (uint32_t)i);
            sources[i] = source_of(&f, m);
        }
        raw_sort(&r);
        assert_ok(&w, lsm__multi_icur(w.mem, sources, count, &c, &w.err));
        raw_walk(&w, &r, c, &f.c, 600);
        assert_ok(&w, c->ops->first(c, &w.err));
        for (size_t i = 0; i < r.count; i++) {
            raw_expect(&r, c, i);
            assert_int_equal(lsm__multi_source(c), r.e[i].source);
            assert_ok(&w, c->ops->next(c, &w.err));
        }
        assert_false(c->valid);
        c->ops->close(c);
        raw_free(&r);
        world_release(&w);
    }
}

/* EC19: a merge of merges shows the same as one merge of everything. */
static void
merges_of_merges_agree_with_an_array(void **state)
{
    struct fill f = { .c = chance_init("nested", 23) };

    (void)state;
    for (size_t round = 0; round < test_scale(60); round++) {
        struct raw r = { 0 };
        struct icur *sources[6], *c;
        size_t count = 3 + chance_below(&f.c, 4), first = chance_below(&f.c, 2);
        world_init(&w);
        f.letters = round % 2 ? 20 : 2000;
        f.seqno = 0;
        for (size_t i = count; i-- > 0;) {
            struct memtable *m = world_memtable(&w);
            fill(&f, m, chance_below(&f.c, 60), &r, (uint32_t)i);
            sources[i] = source_of(&f, m);
        }
        raw_sort(&r);
        /* two or three neighbours become one source */
        size_t inner = 2 + chance_below(&f.c, count - first > 2 ? 2 : 1);
        assert_ok(&w, lsm__multi_icur(w.mem, sources + first, inner, &sources[first], &w.err));
        memmove(sources + first + 1, sources + first + inner,
                (count - first - inner) * sizeof *sources);
        count -= inner - 1;
        assert_ok(&w, lsm__multi_icur(w.mem, sources, count, &c, &w.err));
        raw_walk(&w, &r, c, &f.c, 600);
        c->ops->close(c);
        raw_free(&r);
        world_release(&w);
    }
}

/* EC19: the same stratum twice: each key once when one steps by key, in both directions. */
static void
the_same_source_twice(void **state)
{
    struct fill f = { .c = chance_of(24), .letters = 500 };
    struct raw r = { 0 };
    struct icur *sources[2], *c;
    struct world_cut cut = { .run = 1 };
    size_t keys = 0;

    (void)state;
    world_init(&w);
    struct memtable *m = world_memtable(&w);
    fill(&f, m, 800, &r, 0);
    raw_sort(&r);
    struct lsm_stratum *ls = world_stratum(&w, m, &cut);
    assert_ok(&w, lsm__stratum_icur(ls, w.mem, &sources[0], &w.err));
    assert_ok(&w, lsm__stratum_icur(ls, w.mem, &sources[1], &w.err));
    assert_ok(&w, lsm__multi_icur(w.mem, sources, 2, &c, &w.err));
    for (size_t i = 0; i < r.count; i++)
        keys += i == 0 || !bytes_equal(raw_key(&r.e[i - 1]), raw_key(&r.e[i]));
    assert_ok(&w, c->ops->first(c, &w.err));
    for (size_t i = 0; i < r.count;) {
        struct bytes key = raw_key(&r.e[i]);
        raw_expect(&r, c, i);
        assert_ok(&w, icur_next_key(c, key, &w.err));
        while (i < r.count && bytes_equal(raw_key(&r.e[i]), key))
            i++;
        keys--;
    }
    assert_false(c->valid);
    assert_int_equal(keys, 0);
    assert_ok(&w, c->ops->last(c, &w.err));
    for (size_t i = r.count; i > 0;) {
        struct bytes key = raw_key(&r.e[i - 1]);
        struct entry found;
        struct buf store;
        bool has, whole;
        buf_init(&store, w.mem);
        raw_expect(&r, c, i - 1);
        while (i > 0 && bytes_equal(raw_key(&r.e[i - 1]), key))
            i--;
        assert_ok(&w, icur_take_back(c, key, UINT64_MAX, &found, &has, &store, &whole, &w.err));
        assert_true(has && whole);
        assert_int_equal(found.seqno, r.e[i].seqno);
        if (r.e[i].value)
            assert_int_equal(load_u64(found.value.data), r.e[i].value);
        buf_release(&store);
    }
    assert_false(c->valid);
    c->ops->close(c);
    raw_free(&r);
    world_release(&w);
}

/* EC12: of equal keys the first source wins; in the other order, the other one does. */
static void
the_first_source_wins(void **state)
{
    struct memtable *m[2];
    struct icur *sources[2], *c;

    (void)state;
    world_init(&w);
    for (size_t i = 0; i < 2; i++) {
        struct entry e = { BYTES_LIT("b"), i ? BYTES_LIT("5") : BYTES_LIT("2"), i + 1, ENTRY_PUT };
        m[i] = world_memtable(&w);
        assert_ok(&w, memtable_add(m[i], &e, &w.err));
    }
    for (size_t newer = 0; newer < 2; newer++) {
        assert_ok(&w, memtable_cursor(m[newer], w.mem, &sources[0], &w.err));
        assert_ok(&w, memtable_cursor(m[1 - newer], w.mem, &sources[1], &w.err));
        assert_ok(&w, lsm__multi_icur(w.mem, sources, 2, &c, &w.err));
        assert_ok(&w, c->ops->first(c, &w.err));
        assert_int_equal(c->entry.value.data[0], newer ? '5' : '2');
        assert_ok(&w, icur_next_key(c, BYTES_LIT("b"), &w.err));
        assert_false(c->valid);
        c->ops->close(c);
    }
    world_release(&w);
}

/* Every source is asked about its range tombstones, and only those up to the given one. */
static void
covering_counts_newer_sources_only(void **state)
{
    struct icur *sources[3], *c;
    struct range_cover cover;

    (void)state;
    world_init(&w);
    for (size_t i = 3; i-- > 0;) { /* source i deletes [a, a + 2 + i) at 30 - 10 i */
        struct memtable *m = world_memtable(&w);
        uint8_t end = (uint8_t)('c' + i);
        struct range_tombstone t = { BYTES_LIT("a"), bytes_of(&end, 1), false, 30 - 10 * i };
        assert_ok(&w, memtable_add_range(m, &t, &w.err));
        if (i == 1) {
            struct lsm_stratum *ls = world_stratum(&w, m, &(struct world_cut){ .run = 1 });
            assert_ok(&w, lsm__stratum_icur(ls, w.mem, &sources[i], &w.err));
        } else {
            assert_ok(&w, memtable_cursor(m, w.mem, &sources[i], &w.err));
        }
    }
    assert_ok(&w, lsm__multi_icur(w.mem, sources, 3, &c, &w.err));
    assert_true(c->has_ranges);
    assert_int_equal(lsm__multi_covering(c, 2, BYTES_LIT("b"), UINT64_MAX, &cover), 30);
    assert_int_equal(cover.end.data[0], 'c');
    assert_int_equal(lsm__multi_covering(c, 2, BYTES_LIT("c"), UINT64_MAX, NULL), 20);
    assert_int_equal(lsm__multi_covering(c, 1, BYTES_LIT("d"), UINT64_MAX, NULL), 0);
    assert_int_equal(lsm__multi_covering(c, 2, BYTES_LIT("d"), UINT64_MAX, &cover), 10);
    assert_int_equal(cover.begin.data[0], 'd');
    assert_int_equal(lsm__multi_covering(c, 2, BYTES_LIT("b"), 15, NULL), 10);
    assert_int_equal(lsm__multi_covering(c, 2, BYTES_LIT("e"), UINT64_MAX, &cover), 0);
    assert_true(cover.unbounded);
    c->ops->close(c);
    world_release(&w);
}

/* ------------------------------------------------------------------ damage and memory */

/* A stratum that is fenced off: what lies outside of its bounds is read, inside is CORRUPT. */
static void
a_damaged_stratum_is_named(void **state)
{
    struct fill f = { .c = chance_of(25), .letters = 4000 };
    struct lsm_stratum *strata[3];
    struct bytes a = BYTES_LIT("3"), b = BYTES_LIT("6");
    struct world_cut cut = { .run = 1 };
    struct icur *c;

    (void)state;
    world_init(&w);
    struct memtable *m = world_memtable(&w);
    fill(&f, m, 2000, NULL, 0);
    for (int part = 0; part < 3; part++) {
        cut.from = part == 0 ? NULL : part == 1 ? &a : &b;
        cut.to = part == 0 ? &a : part == 1 ? &b : NULL;
        strata[part] = world_stratum(&w, m, &cut);
        assert_non_null(strata[part]);
    }
    world_add_run(&w, strata, 3);
    atomic_store(&strata[1]->damaged, true);
    assert_ok(&w, lsm__run_icur(&w.runs[0], w.mem, &c, &w.err));
    assert_ok(&w, c->ops->seek_ge(c, BYTES_LIT("1"), UINT64_MAX, &w.err));
    assert_true(c->valid);
    assert_ok(&w, c->ops->seek_le(c, BYTES_LIT("7"), &w.err));
    assert_true(c->valid);
    memset(&w.err, 0, sizeof w.err);
    assert_status(&w, c->ops->seek_ge(c, BYTES_LIT("4"), UINT64_MAX, &w.err), BASIN_CORRUPT);
    assert_false(c->valid);
    assert_non_null(strstr(w.err.what, "strata/1-2"));
    assert_ok(&w, c->ops->next(c, &w.err));
    assert_false(c->valid);
    /* a scan stops where the damage begins, and not before */
    size_t seen = 0;
    basin_status st = c->ops->first(c, &w.err);
    for (; st == BASIN_OK && c->valid; st = c->ops->next(c, &w.err)) {
        seen++;
        assert_true(bytes_compare(c->entry.key, a) < 0);
    }
    assert_int_equal(st, BASIN_CORRUPT);
    assert_int_equal(seen, strata[0]->entries);
    /* within a limit the stratum behind it is not touched */
    struct lsm_range limit = { .upper = BYTES_LIT("25"), .has_upper = true };
    lsm__run_limit(c, &limit);
    for (st = c->ops->first(c, &w.err); st == BASIN_OK && c->valid; st = c->ops->next(c, &w.err))
        continue;
    assert_ok(&w, st);
    limit = (struct lsm_range){ .lower = BYTES_LIT("61"), .has_lower = true };
    for (st = c->ops->last(c, &w.err); st == BASIN_OK && c->valid; st = c->ops->prev(c, &w.err))
        continue;
    assert_ok(&w, st);
    c->ops->close(c);
    world_release(&w);
}

/* Making a merge takes its sources along, also when it fails. */
static void
multi_survives_each_allocation_failure(void **state)
{
    basin_status st = BASIN_NO_MEM;

    (void)state;
    for (size_t refused = 1; st != BASIN_OK; refused++) {
        struct icur *sources[3] = { 0 }, *c = NULL;
        size_t made = 0;
        world_init(&w);
        for (size_t i = 0; i < 3; i++) {
            uint8_t key = (uint8_t)('a' + i);
            struct memtable *m = world_memtable(&w);
            struct entry e = { bytes_of(&key, 1), BYTES_NULL, 1, ENTRY_PUT };
            assert_ok(&w, memtable_add(m, &e, &w.err));
        }
        test_memory_refuse(&w.memory, refused);
        st = BASIN_OK;
        for (; made < 3 && st == BASIN_OK; made += st == BASIN_OK)
            st = memtable_cursor(w.mems[made], w.mem, &sources[made], &w.err);
        if (st == BASIN_OK) {
            st = lsm__multi_icur(w.mem, sources, 3, &sources[0], &w.err);
            made = st == BASIN_OK ? 1 : 0;
            c = sources[0];
        }
        if (st == BASIN_OK) /* turning needs memory for a key */
            st = c->ops->seek_ge(c, BYTES_LIT("b"), UINT64_MAX, &w.err);
        if (st == BASIN_OK)
            st = c->ops->prev(c, &w.err);
        if (st == BASIN_OK)
            assert_int_equal(c->entry.key.data[0], 'a');
        assert_true(st == BASIN_OK || st == BASIN_NO_MEM);
        while (made > 0) {
            made--;
            sources[made]->ops->close(sources[made]);
        }
        test_memory_refuse(&w.memory, 0);
        world_release(&w);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(single_sources_agree_with_an_array),
        cmocka_unit_test(merges_agree_with_an_array),
        cmocka_unit_test(merges_of_merges_agree_with_an_array),
        cmocka_unit_test(the_same_source_twice),
        cmocka_unit_test(the_first_source_wins),
        cmocka_unit_test(covering_counts_newer_sources_only),
        cmocka_unit_test(a_damaged_stratum_is_named),
        cmocka_unit_test(multi_survives_each_allocation_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
