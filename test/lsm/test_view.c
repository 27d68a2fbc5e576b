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

/* ------------------------------------------------------------------ what is skipped */

static struct world w;

static void
put(struct memtable *m, struct bytes key, struct bytes value, uint64_t seqno)
{
    assert_ok(&w, memtable_add(m, &(struct entry){ key, value, seqno, ENTRY_PUT }, &w.err));
}

static void
delete(struct memtable *m, struct bytes key, uint64_t seqno)
{
    assert_ok(&w, memtable_add(m, &(struct entry){ key, BYTES_NULL, seqno, ENTRY_DELETE },
                               &w.err));
}

static void
delete_range(struct memtable *m, struct bytes begin, struct bytes end, bool unbounded,
             uint64_t seqno)
{
    struct range_tombstone t = { begin, end, unbounded, seqno };
    assert_ok(&w, memtable_add_range(m, &t, &w.err));
}

static struct view *
open_view(const struct lsm_range *range, uint64_t snapshot)
{
    struct view *v;
    struct view_options o = { .version = world_version(&w), .snapshot = snapshot,
                              .range = range, .mem = w.mem };
    assert_ok(&w, lsm__view_open(&o, &v, &w.err));
    return v;
}

static struct bytes
number_key(const char *prefix, size_t i, uint8_t to[32])
{
    int n = snprintf((char *)to, 32, "%s%010zu", prefix, i);
    return bytes_of(to, (size_t)n);
}

/* A run of all entries of m, which goes away; w has no other memtable. */
static void
to_run(uint32_t level, uint64_t run, bool no_map)
{
    struct world_cut cut = { .level = level, .run = run, .no_map = no_map };
    struct lsm_stratum *ls = world_stratum(&w, w.mems[0], &cut);

    assert_non_null(ls);
    world_add_run(&w, &ls, 1);
    world_drop_oldest(&w);
}

static uint64_t
pages_touched(void)
{
    return atomic_load(&w.db.counters.cache_hits) + atomic_load(&w.db.counters.cache_misses) +
           atomic_load(&w.db.counters.pages_read);
}

/* EC60, E72: a million tombstones directly behind the bound, in a memtable and in a stratum; the
 * scan is repeated from every one of its ten keys. */
static void
ec60_tombstones_behind_the_bound(void **state)
{
    size_t dead = test_scale(100000);
    uint8_t key[32], low[32];

    (void)state;
    for (int in_stratum = 0; in_stratum < 2; in_stratum++) {
        world_init(&w);
        struct memtable *m = world_memtable(&w);
        uint64_t seqno = 0;
        for (size_t i = 0; i < 10; i++)
            put(m, number_key("b", i, key), BYTES_LIT("v"), ++seqno);
        for (size_t i = 0; i < dead; i++)
            delete(m, number_key("c", i, key), ++seqno);
        for (size_t i = 0; i < dead; i++)
            delete(m, number_key("a", i, key), ++seqno);
        if (in_stratum)
            to_run(0, 1, true);
        for (size_t from = 0; from < 10; from++) {
            struct lsm_range r = { .lower = number_key("b", from, low), .has_lower = true,
                                   .upper = BYTES_LIT("b9"), .has_upper = true };
            struct view *v = open_view(&r, UINT64_MAX);
            uint64_t before = pages_touched();
            size_t n = 0;
            basin_status st;
            for (st = lsm__view_first(v, &w.err); st == BASIN_OK; st = lsm__view_next(v, &w.err))
                n++;
            assert_int_equal(n, 10 - from);
            for (st = lsm__view_last(v, &w.err); st == BASIN_OK; st = lsm__view_prev(v, &w.err))
                n--;
            assert_int_equal(n, 0);
            assert_true(lsm__view_visited(v) <= 100);
            assert_true(pages_touched() - before <= 100);
            lsm__view_close(v);
        }
        world_release(&w);
    }
}

/* EC47: a deleted prefix of many keys is jumped over by a seek per source, in both directions,
 * even when the delete is in many pieces. */
static void
ec47_a_deleted_prefix_is_jumped_over(void **state)
{
    size_t many = test_scale(60000);
    uint8_t key[32], end[32];

    (void)state;
    for (int pieces = 1; pieces <= 1000; pieces *= 1000) {
        world_init(&w);
        for (uint32_t level = 1; level <= 3; level++) {
            struct memtable *m = world_memtable(&w);
            for (size_t i = level; i < many; i += 3)
                put(m, number_key("p", i, key), BYTES_LIT("v"), i + 1);
            put(m, BYTES_LIT("a"), BYTES_LIT("first"), many + 1);
            put(m, BYTES_LIT("z"), BYTES_LIT("last"), many + 2);
            to_run(level, level, true);
        }
        struct memtable *m = world_memtable(&w);
        size_t part = many / (size_t)pieces + 1;
        for (int i = 0; i < pieces; i++)
            delete_range(m, number_key("p", (size_t)i * part, key),
                         number_key("p", (size_t)(i + 1) * part, end), false,
                         2 * many + (uint64_t)i);
        struct view *v = open_view(NULL, UINT64_MAX);
        uint64_t before = pages_touched();
        assert_ok(&w, lsm__view_first(v, &w.err));
        assert_ok(&w, lsm__view_next(v, &w.err));
        assert_int_equal(lsm__view_key(v).data[0], 'z');
        assert_true(lsm__view_visited(v) <= 10);
        assert_true(pages_touched() - before <= 60);
        assert_ok(&w, lsm__view_prev(v, &w.err));
        assert_int_equal(lsm__view_key(v).data[0], 'a');
        assert_ok(&w, lsm__view_seek(v, number_key("p", many / 2, key), LSM_SEEK_GE, &w.err));
        assert_int_equal(lsm__view_key(v).data[0], 'z');
        assert_ok(&w, lsm__view_seek(v, number_key("p", many / 2, key), LSM_SEEK_LE, &w.err));
        assert_int_equal(lsm__view_key(v).data[0], 'a');
        assert_true(lsm__view_visited(v) <= 30 + 4 * (uint64_t)pieces);
        lsm__view_close(v);
        /* who looks from before the delete sees everything */
        size_t n = 0;
        v = open_view(NULL, 2 * many - 1);
        for (basin_status st = lsm__view_first(v, &w.err); st == BASIN_OK;
             st = lsm__view_next(v, &w.err))
            n++;
        assert_int_equal(n, many - 1 + 2);
        lsm__view_close(v);
        world_release(&w);
    }
}

/* EC47 and EC48 in small: a later put shows through, a suffix delete stays in its keyspace. */
static void
ec48_a_suffix_delete_ends_with_its_keyspace(void **state)
{
    struct bytes value;
    enum entry_kind kind;

    (void)state;
    world_init(&w);
    struct memtable *m = world_memtable(&w);
    put(m, BYTES_LIT("\x01" "a"), BYTES_LIT("1"), 1);
    put(m, BYTES_LIT("\x01" "b"), BYTES_LIT("2"), 2);
    put(m, BYTES_LIT("\x01\xFF\xFF"), BYTES_LIT("3"), 3);
    put(m, BYTES_LIT("\x02" "a"), BYTES_LIT("4"), 4);
    to_run(1, 1, false);
    m = world_memtable(&w);
    delete_range(m, BYTES_LIT("\x01" "b"), BYTES_LIT("\x02"), false, 5);
    delete_range(m, BYTES_LIT("\x02" "b"), BYTES_LIT("\x02" "b"), false, 6); /* empty */
    put(m, BYTES_LIT("\x01" "c"), BYTES_LIT("5"), 7);
    struct view *v = open_view(NULL, UINT64_MAX);
    char got[8] = { 0 };
    size_t n = 0;
    for (basin_status st = lsm__view_first(v, &w.err); st == BASIN_OK;
         st = lsm__view_next(v, &w.err)) {
        assert_ok(&w, lsm__view_value(v, &kind, &value, &w.err));
        got[n++] = (char)value.data[0];
    }
    assert_string_equal(got, "154");
    lsm__view_close(v);
    world_release(&w);
}

/* ------------------------------------------------------------------ merges */

static void
append(struct memtable *m, struct bytes key, const char *text, uint64_t seqno)
{
    uint8_t value[64] = { LSM_OP_APPEND };
    size_t n = strlen(text);

    memcpy(value + 1, text, n);
    assert_ok(&w, memtable_add(m, &(struct entry){ key, bytes_of(value, n + 1), seqno,
                                                   ENTRY_MERGE }, &w.err));
}

static void
expect_content(struct bytes key, uint64_t snapshot, const char *want)
{
    struct lsm_found f;
    struct bytes value;
    enum entry_kind kind;
    basin_status st = lsm__get(world_version(&w), NULL, NULL, key, snapshot, &f, &w.err);
    struct view *v = open_view(NULL, snapshot);

    assert_status(&w, st, want ? BASIN_OK : BASIN_NOT_FOUND);
    if (want) {
        assert_int_equal(f.value.size, strlen(want));
        assert_memory_equal(f.value.data, want, f.value.size);
    }
    lsm__found_release(&f);
    for (int op = 0; op < 3; op++) {
        st = lsm__view_seek(v, key, (enum lsm_seek)op, &w.err);
        bool there = st == BASIN_OK && bytes_equal(lsm__view_key(v), key);
        assert_int_equal(there, want != NULL);
        if (there && want) {
            assert_ok(&w, lsm__view_value(v, &kind, &value, &w.err));
            assert_int_equal(value.size, strlen(want));
            assert_memory_equal(value.data, want, value.size);
        }
    }
    lsm__view_close(v);
}

/* EC65: what lies below a delete or range delete does not count; between two operands only the
 * first is seen. All in one memtable, and each in a source of its own. */
static void
ec65_operands_above_deletes(void **state)
{
    struct bytes a = BYTES_LIT("a"), b = BYTES_LIT("b"), c = BYTES_LIT("c");

    (void)state;
    for (int apart = 0; apart < 3; apart++) {
        world_init(&w);
        for (uint64_t s = 1; s <= 6; s++) {
            struct memtable *m = s == 1 || apart ? world_memtable(&w) : w.mems[0];
            if (s == 1) {
                put(m, a, BYTES_LIT("old"), 1);
                put(m, b, BYTES_LIT("old"), 1);
                put(m, c, BYTES_LIT("base"), 1);
            } else if (s == 2) {
                delete(m, a, 2);
            } else if (s == 3) {
                delete_range(m, b, c, false, 3);
            } else if (s < 6) {
                append(m, a, s == 4 ? "x" : "y", s);
                append(m, b, s == 4 ? "x" : "y", s);
                append(m, c, s == 4 ? "x" : "y", s);
            }
            if (apart == 2 && s < 6)
                to_run(s == 1 ? 2 : 0, s, s % 2);
        }
        expect_content(a, 1, "old");
        expect_content(a, 2, NULL);
        expect_content(a, 4, "x");
        expect_content(a, 5, "xy");
        expect_content(b, 2, "old");
        expect_content(b, 3, NULL);
        expect_content(b, 4, "x");
        expect_content(b, 5, "xy");
        expect_content(c, 3, "base");
        expect_content(c, 4, "basex");
        expect_content(c, 5, "basexy");
        world_release(&w);
    }
}

static basin_status
vanish(void *ctx, struct bytes key, const struct bytes *base, const struct bytes *operands,
       size_t count, struct buf *out, bool *deleted, basin_error *err)
{
    (void)ctx;
    (void)key;
    (void)base;
    (void)operands;
    (void)err;
    *deleted = count > 1;
    return *deleted ? BASIN_OK : buf_add(out, "there", 5);
}

/* E64: an operator may answer that there is no value: then the key is not shown. */
static void
an_operator_may_delete(void **state)
{
    uint8_t operand = 9;

    (void)state;
    world_init(&w);
    w.operators[2] = (struct lsm_operator){ .number = 9, .name = "vanish", .full = vanish };
    w.db.operator_count = 3;
    struct memtable *m = world_memtable(&w);
    put(m, BYTES_LIT("a"), BYTES_LIT("1"), 1);
    struct entry e = { BYTES_LIT("b"), bytes_of(&operand, 1), 2, ENTRY_MERGE };
    assert_ok(&w, memtable_add(m, &e, &w.err));
    put(m, BYTES_LIT("c"), BYTES_LIT("3"), 3);
    e.seqno = 4;
    assert_ok(&w, memtable_add(m, &e, &w.err));
    expect_content(BYTES_LIT("b"), 3, "there");
    expect_content(BYTES_LIT("b"), 4, NULL);
    struct view *v = open_view(NULL, 4);
    assert_ok(&w, lsm__view_first(v, &w.err));
    assert_ok(&w, lsm__view_next(v, &w.err));
    assert_int_equal(lsm__view_key(v).data[0], 'c');
    assert_ok(&w, lsm__view_prev(v, &w.err));
    assert_int_equal(lsm__view_key(v).data[0], 'a');
    lsm__view_close(v);
    world_release(&w);
}

/* E64: without its operator a value is reported, and the rest stays readable. */
static void
a_missing_operator_is_named(void **state)
{
    uint8_t operand[] = { 99, 1 };
    struct lsm_found f;
    struct bytes value;
    enum entry_kind kind;

    (void)state;
    world_init(&w);
    struct memtable *m = world_memtable(&w);
    put(m, BYTES_LIT("a"), BYTES_LIT("1"), 1);
    struct entry e = { BYTES_LIT("b"), bytes_of(operand, 2), 2, ENTRY_MERGE };
    assert_ok(&w, memtable_add(m, &e, &w.err));
    put(m, BYTES_LIT("c"), BYTES_LIT("3"), 3);
    assert_status(&w, lsm__get(world_version(&w), NULL, NULL, e.key, 3, &f, &w.err),
                  BASIN_UNKNOWN_OPERATOR);
    assert_non_null(strstr(w.err.what, "99"));
    assert_non_null(strstr(w.err.what, "key 62"));
    lsm__found_release(&f);
    struct view *v = open_view(NULL, 3);
    assert_ok(&w, lsm__view_first(v, &w.err));
    for (int i = 0; i < 2; i++) {
        assert_ok(&w, i ? lsm__view_seek(v, e.key, LSM_SEEK_EQ, &w.err)
                        : lsm__view_next(v, &w.err));
        assert_int_equal(lsm__view_key(v).data[0], 'b');
        assert_status(&w, lsm__view_value(v, &kind, &value, &w.err), BASIN_UNKNOWN_OPERATOR);
        assert_true(lsm__view_valid(v));
    }
    assert_ok(&w, lsm__view_next(v, &w.err));
    assert_ok(&w, lsm__view_value(v, &kind, &value, &w.err));
    assert_int_equal(value.data[0], '3');
    lsm__view_close(v);
    world_release(&w);
}

/* ------------------------------------------------------------------ lookups */

/* E71, EC75: as many pages for LE as for GE. */
static void
ec75_seeking_le_costs_as_much_as_ge(void **state)
{
    struct chance c = chance_init("le and ge", 31);
    size_t many = 20000, rounds = 2000;
    uint64_t pages[2] = { 0 };
    uint8_t key[32];

    (void)state;
    world_init(&w);
    for (uint32_t level = 1; level <= 2; level++) {
        struct memtable *m = world_memtable(&w);
        for (size_t i = level; i < many; i += 2)
            put(m, number_key("k", 2 * i, key), BYTES_LIT("some value"), i);
        to_run(level, level, true);
    }
    struct view *v = open_view(NULL, UINT64_MAX);
    for (size_t i = 0; i < rounds; i++)
        for (int le = 0; le < 2; le++) {
            uint64_t before = pages_touched();
            number_key("k", 2 + 2 * chance_below(&c, many) + chance_below(&c, 2), key);
            (void)lsm__view_seek(v, bytes_of(key, 11), le ? LSM_SEEK_LE : LSM_SEEK_GE, &w.err);
            pages[le] += pages_touched() - before;
        }
    assert_true(pages[1] <= pages[0] + pages[0] / 5);
    lsm__view_close(v);
    world_release(&w);
}

/* The filter answers before index and leaf are touched; a range tombstone is asked for still. */
static void
filters_come_before_pages(void **state)
{
    uint8_t key[32];
    struct lsm_found f;

    (void)state;
    world_init(&w);
    struct memtable *m = world_memtable(&w);
    for (size_t i = 0; i < 5000; i++)
        put(m, number_key("k", 2 * i, key), BYTES_LIT("v"), i + 1);
    to_run(2, 2, true);
    m = world_memtable(&w);
    delete_range(m, number_key("k", 100, key), BYTES_LIT("k1"), false, 6000);
    put(m, BYTES_LIT("a"), BYTES_LIT("1"), 6001);
    put(m, BYTES_LIT("z"), BYTES_LIT("1"), 6002);
    to_run(1, 1, true);
    uint64_t rejects = atomic_load(&w.db.counters.filter_rejects);
    for (size_t i = 0; i < 5000; i++) {
        basin_status want = i % 2 == 0 && i < 100 ? BASIN_OK : BASIN_NOT_FOUND;
        struct bytes k = number_key("k", i, key);
        assert_status(&w, lsm__get(world_version(&w), NULL, NULL, k, UINT64_MAX, &f, &w.err), want);
        lsm__found_release(&f);
    }
    assert_true(atomic_load(&w.db.counters.filter_rejects) - rejects >= 4900);
    assert_int_equal(atomic_load(&w.db.gets), 5000);
    world_release(&w);
}

/* A stratum that is fenced off answers for its own keys only. */
static void
damage_hides_no_other_keys(void **state)
{
    struct lsm_found f;

    (void)state;
    world_init(&w);
    struct memtable *m = world_memtable(&w);
    put(m, BYTES_LIT("a"), BYTES_LIT("1"), 1);
    put(m, BYTES_LIT("c"), BYTES_LIT("2"), 2);
    put(m, BYTES_LIT("e"), BYTES_LIT("3"), 3);
    to_run(2, 2, false);
    m = world_memtable(&w);
    put(m, BYTES_LIT("c"), BYTES_LIT("4"), 4);
    put(m, BYTES_LIT("d"), BYTES_LIT("5"), 5);
    to_run(1, 1, false);
    m = world_memtable(&w);
    put(m, BYTES_LIT("d"), BYTES_LIT("6"), 6);
    atomic_store(&w.runs[0].strata[0]->damaged, true);
    struct version *version = world_version(&w);
    assert_ok(&w, lsm__get(version, NULL, NULL, BYTES_LIT("a"), 9, &f, &w.err));
    lsm__found_release(&f);
    assert_ok(&w, lsm__get(version, NULL, NULL, BYTES_LIT("e"), 9, &f, &w.err));
    lsm__found_release(&f);
    assert_ok(&w, lsm__get(version, NULL, NULL, BYTES_LIT("d"), 9, &f, &w.err));
    lsm__found_release(&f);
    memset(&w.err, 0, sizeof w.err);
    assert_status(&w, lsm__get(version, NULL, NULL, BYTES_LIT("c"), 9, &f, &w.err), BASIN_CORRUPT);
    assert_non_null(strstr(w.err.what, "strata/1-2"));
    lsm__found_release(&f);
    struct view *v = open_view(NULL, 9);
    assert_ok(&w, lsm__view_seek(v, BYTES_LIT("a"), LSM_SEEK_EQ, &w.err));
    assert_status(&w, lsm__view_next(v, &w.err), BASIN_CORRUPT);
    assert_false(lsm__view_valid(v));
    assert_status(&w, lsm__view_next(v, &w.err), BASIN_END);
    assert_status(&w, lsm__view_seek(v, BYTES_LIT("c"), LSM_SEEK_EQ, &w.err), BASIN_CORRUPT);
    assert_ok(&w, lsm__view_seek(v, BYTES_LIT("e"), LSM_SEEK_GE, &w.err));
    assert_int_equal(lsm__view_key(v).data[0], 'e');
    lsm__view_close(v);
    struct lsm_range r = { .upper = BYTES_LIT("b"), .has_upper = true };
    v = open_view(&r, 9); /* it lies outside of the bounds */
    assert_ok(&w, lsm__view_first(v, &w.err));
    assert_status(&w, lsm__view_next(v, &w.err), BASIN_END);
    lsm__view_close(v);
    world_release(&w);
}

/* Large values are not copied by a step backward, and come out whole. */
static void
large_values_backward(void **state)
{
    static uint8_t big[50000];
    uint8_t key[32];
    struct bytes value;
    enum entry_kind kind;

    (void)state;
    world_init(&w);
    struct memtable *m = world_memtable(&w);
    for (size_t i = 0; i < 20; i++) {
        memset(big, (int)i, sizeof big);
        put(m, number_key("k", i, key), bytes_of(big, 200 * i), i + 1);
    }
    to_run(1, 1, true);
    m = world_memtable(&w);
    put(m, BYTES_LIT("a"), bytes_of(big, sizeof big), 100);
    struct view *v = open_view(NULL, UINT64_MAX);
    basin_status st = lsm__view_last(v, &w.err);
    for (size_t i = 20; i-- > 0; st = lsm__view_prev(v, &w.err)) {
        assert_ok(&w, st);
        for (int again = 0; again < 2; again++) {
            assert_ok(&w, lsm__view_value(v, &kind, &value, &w.err));
            assert_int_equal(value.size, 200 * i);
            for (size_t n = 0; n < value.size; n++)
                assert_int_equal(value.data[n], i);
        }
    }
    assert_ok(&w, lsm__view_value(v, &kind, &value, &w.err));
    assert_int_equal(value.size, sizeof big);
    lsm__view_close(v);
    world_release(&w);
}

/* ------------------------------------------------------------------ refused memory */

/* Whatever is refused, nothing is lost, and the view can be used again. */
static void
survives_each_allocation_failure(void **state)
{
    uint8_t key[32];

    (void)state;
    world_init(&w);
    struct memtable *m = world_memtable(&w);
    for (size_t i = 0; i < 200; i++)
        put(m, number_key("k", i, key), BYTES_LIT("0123456789"), i + 1);
    to_run(1, 1, true);
    m = world_memtable(&w);
    for (size_t i = 0; i < 200; i += 3)
        append(m, number_key("k", i, key), "x", i + 1000);
    for (int n = 0; n < 40; n++) /* too many operands for the inline ones */
        append(m, BYTES_LIT("many"), "abcdefghijklmnopqrstuvwxyz", 2000 + (uint64_t)n);
    delete_range(m, number_key("k", 50, key), BYTES_LIT("k0000000060"), false, 3000);
    size_t live = w.memory.live;
    for (size_t refused = 1, more = 1; more; refused++) {
        struct lsm_range r = { .lower = BYTES_LIT("k"), .has_lower = true };
        struct view_options o = { .version = world_version(&w), .snapshot = UINT64_MAX,
                                  .range = &r, .mem = w.mem };
        struct view *v = NULL;
        struct lsm_found f;
        struct bytes value;
        enum entry_kind kind;
        size_t keys = 0, failures = 0;
        test_memory_refuse(&w.memory, refused);
        basin_status st =
            lsm__get(o.version, NULL, NULL, BYTES_LIT("many"), UINT64_MAX, &f, &w.err);
        assert_true(st == BASIN_OK || st == BASIN_NO_MEM);
        lsm__found_release(&f);
        st = lsm__view_open(&o, &v, &w.err);
        while (st == BASIN_OK && failures < 2) {
            for (st = lsm__view_last(v, &w.err); st == BASIN_OK;
                 st = lsm__view_prev(v, &w.err)) {
                assert_true(lsm__view_valid(v));
                basin_status got = lsm__view_value(v, &kind, &value, &w.err);
                assert_true(got == BASIN_OK || got == BASIN_NO_MEM);
                keys++;
            }
            assert_false(lsm__view_valid(v));
            assert_true(st == BASIN_END || st == BASIN_NO_MEM);
            failures += st == BASIN_END ? 2 : 1;
            keys = st == BASIN_END ? keys : 0;
            st = BASIN_OK;
        }
        assert_true(v == NULL || keys == 191);
        if (v != NULL)
            assert_true(lsm__view_seek(v, BYTES_LIT("many"), LSM_SEEK_EQ, &w.err) != BASIN_END);
        more = test_memory_refused(&w.memory);
        test_memory_refuse(&w.memory, 0);
        lsm__view_close(v);
        assert_true(w.memory.live <= live + 2 * MIB); /* the page cache may have grown */
    }
    world_release(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(view_agrees_with_the_oracle_on_few_keys),
        cmocka_unit_test(view_agrees_with_the_oracle_on_many_keys),
        cmocka_unit_test(ec60_tombstones_behind_the_bound),
        cmocka_unit_test(ec47_a_deleted_prefix_is_jumped_over),
        cmocka_unit_test(ec48_a_suffix_delete_ends_with_its_keyspace),
        cmocka_unit_test(ec65_operands_above_deletes),
        cmocka_unit_test(an_operator_may_delete),
        cmocka_unit_test(a_missing_operator_is_named),
        cmocka_unit_test(ec75_seeking_le_costs_as_much_as_ge),
        cmocka_unit_test(filters_come_before_pages),
        cmocka_unit_test(damage_hides_no_other_keys),
        cmocka_unit_test(large_values_backward),
        cmocka_unit_test(survives_each_allocation_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
