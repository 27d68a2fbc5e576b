// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * What flush and merge keep of range tombstones: all that somebody can see, and no more work or
 * memory than that, however the ranges lie.
 */
#include "lsm/rig.h"
#include "lsm/rules.h"

enum { RANGES_MAX = 60, SNAPSHOTS_MAX = 6, LETTERS = 12, NESTED = 3000 };

struct heap {
    struct lsm db;
    struct range_tombstone in[RANGES_MAX];
    uint8_t bounds[LETTERS + 1];
    size_t count;
    uint64_t snapshots[SNAPSHOTS_MAX];
    size_t snapshot_count;
    bool bottom;
};

static struct bytes
letter(struct heap *h, uint64_t i)
{
    h->bounds[i] = (uint8_t)('a' + i);
    return bytes_of(&h->bounds[i], 1);
}

static void
heap_random(struct heap *h, struct chance *c, const basin_allocator *mem)
{
    *h = (struct heap){ .count = 1 + chance_below(c, RANGES_MAX),
                        .snapshot_count = 1 + chance_below(c, SNAPSHOTS_MAX),
                        .bottom = chance_below(c, 2) };
    h->db.mem = mem;
    for (size_t i = 0; i < h->count; i++) {
        uint64_t from = chance_below(c, LETTERS);
        uint64_t to = from + chance_below(c, LETTERS - from + 1); /* some have nothing in them */
        h->in[i] = (struct range_tombstone){ letter(h, from), letter(h, to), false,
                                             1 + chance_below(c, 2 * RANGES_MAX) };
        if (chance_below(c, 8) == 0) {
            h->in[i].unbounded = true;
            h->in[i].end = BYTES_NULL;
        }
    }
    for (size_t i = 0; i < h->snapshot_count; i++)
        h->snapshots[i] = (i > 0 ? h->snapshots[i - 1] : 0) + 1 + chance_below(c, RANGES_MAX / 2);
}

/* The newest one over the key that `snapshot` sees. */
static uint64_t
newest(const struct range_tombstone *t, size_t n, struct bytes key, uint64_t snapshot)
{
    uint64_t best = 0;

    for (size_t i = 0; i < n; i++)
        if (t[i].seqno <= snapshot && bytes_compare(t[i].begin, key) <= 0 &&
            (t[i].unbounded || bytes_compare(key, t[i].end) < 0))
            best = MAX_OF(best, t[i].seqno);
    return best;
}

static void
expect_seen(struct heap *h, const struct range_tombstone *kept, size_t n)
{
    for (uint64_t k = 0; k <= LETTERS; k++)
        for (size_t i = 0; i <= h->snapshot_count; i++) {
            uint64_t at = i < h->snapshot_count ? h->snapshots[i] : UINT64_MAX;
            uint64_t want = newest(h->in, h->count, letter(h, k), at);
            if (h->bottom && want <= h->snapshots[0])
                want = 0;
            assert_int_equal(newest(kept, n, letter(h, k), at), want);
        }
}

/* Fragments either are over the same keys or do not meet; of a stripe there is one. */
static void
expect_fragments(const struct heap *h, const struct range_tombstone *kept, size_t n)
{
    const struct rules_options o = { .snapshots = h->snapshots,
                                     .snapshot_count = h->snapshot_count };

    for (size_t i = 0; i < n; i++) {
        assert_true(kept[i].unbounded || bytes_compare(kept[i].begin, kept[i].end) < 0);
        if (i == 0)
            continue;
        if (bytes_equal(kept[i].begin, kept[i - 1].begin)) {
            assert_true(lsm__stripe_of(&o, kept[i].seqno) < lsm__stripe_of(&o, kept[i - 1].seqno));
            assert_int_equal(kept[i].unbounded, kept[i - 1].unbounded);
            assert_true(bytes_equal(kept[i].end, kept[i - 1].end));
        } else {
            assert_false(kept[i - 1].unbounded);
            assert_true(bytes_compare(kept[i - 1].end, kept[i].begin) <= 0);
        }
    }
}

static void
what_a_snapshot_can_see_is_kept_and_no_more(void **state)
{
    struct chance c = chance_init("ranges of the rules", 7);
    struct test_memory memory;
    static struct heap h;

    (void)state;
    test_memory_init(&memory);
    for (int round = 0; round < 3000; round++) {
        struct range_tombstone *kept;
        size_t n;
        basin_error err;
        heap_random(&h, &c, &memory.table);
        struct rules_options o = { .db = &h.db,
                                   .snapshots = h.snapshots,
                                   .snapshot_count = h.snapshot_count,
                                   .bottom = h.bottom };
        assert_int_equal(lsm__rules_ranges(&o, h.in, h.count, &kept, &n, &err), BASIN_OK);
        expect_fragments(&h, kept, n);
        expect_seen(&h, kept, n);
        mem_free(h.db.mem, kept, n * sizeof *kept);
    }
    assert_int_equal(memory.live, 0);
}

/* Also where a number of them fills the words of the set of ranks. */
static void
any_number_of_ranges_is_kept(void **state)
{
    static struct range_tombstone in[4097];
    static char keys[4097][8];
    struct test_memory memory;
    struct lsm db = { 0 };
    uint64_t snapshot = UINT64_MAX;
    struct rules_options o = { .db = &db, .snapshots = &snapshot, .snapshot_count = 1 };
    basin_error err;

    (void)state;
    test_memory_init(&memory);
    db.mem = &memory.table;
    for (size_t i = 0; i < COUNT_OF(in); i++) {
        (void)snprintf(keys[i], sizeof keys[i], "%06u", (unsigned)(2 * i % 1000000));
        in[i] = (struct range_tombstone){ bytes_of(keys[i], 5), bytes_of(keys[i], 6), false,
                                          i + 1 };
    }
    for (size_t count = 1; count <= COUNT_OF(in); count += count == 130 ? 3900 : 1) {
        struct range_tombstone *kept;
        size_t n;
        assert_int_equal(lsm__rules_ranges(&o, in + COUNT_OF(in) - count, count, &kept, &n, &err),
                         BASIN_OK);
        uint64_t newest_kept = 0;
        for (size_t i = 0; i < n; i++)
            newest_kept = MAX_OF(newest_kept, kept[i].seqno);
        assert_int_equal(newest_kept, COUNT_OF(in));
        mem_free(db.mem, kept, n * sizeof *kept);
    }
    assert_int_equal(memory.live, 0);
}

/* An expiry that deletes ["0", now) again and again: each range lies in the next one. */
static void
nested_ranges_are_flushed_in_the_memory_of_their_number(void **state)
{
    struct rig *r = malloc(sizeof *r);
    struct lsm_txn *txn;
    size_t before;
    char end[16];

    (void)state;
    assert_non_null(r);
    rig_init(r, 5, true);
    r->o = (struct lsm_options){ .mem = &r->memory.table, .os = r->os, .no_threads = true };
    rig_open(r);
    rig_begin(r, LSM_WRITE, &txn);
    for (unsigned i = 1; i <= NESTED; i++) {
        int n = snprintf(end, sizeof end, "%08u", i);
        rig_ok(r, lsm_delete_range(txn, BYTES_LIT("0"), bytes_of(end, (size_t)n), false, &r->err));
    }
    rig_ok(r, lsm_commit(txn, false, &r->seqno, &r->err));
    before = r->memory.live;
    r->memory.peak = before;
    rig_ok(r, lsm_flush(r->db, &r->err));
    assert_in_range(r->memory.peak, before, before + NESTED * 400);
    assert_int_equal(r->db->manifest.stratum_count, 1);
    assert_int_equal(r->db->manifest.strata[0]->range_tombstones, 1);
    rig_close(r);
    rig_release(r);
    free(r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_snapshot_can_see_is_kept_and_no_more),
        cmocka_unit_test(any_number_of_ranges_is_kept),
        cmocka_unit_test(nested_ranges_are_flushed_in_the_memory_of_their_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
