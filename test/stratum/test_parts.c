// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Nodes, leaf pages and filters on their own, against plain loops: wide counters that no test could
 * reach with real sizes, and searches from every starting point.
 */
#include "stratum/format.h"
#include "stratum/shelf.h"

enum { CHILDREN = 300 };

struct child {
    uint8_t key[24];
    size_t size;
    struct fence fence;
};

static int
child_compare(const struct child *a, const struct child *b)
{
    return bytes_compare(bytes_of(a->key, a->size), bytes_of(b->key, b->size));
}

static int
child_order(const void *a, const void *b)
{
    return child_compare(a, b);
}

/* Separators in order, some of them the same key going on with falling seqnos. */
static size_t
make_children(struct chance *c, struct child *all, unsigned style)
{
    size_t n = 0;
    struct fence at = { .at = style & 1 ? UINT64_C(1) << 40 : 7 };

    for (size_t i = 0; i < CHILDREN; i++) {
        all[i].size = 1 + chance_below(c, 20);
        for (size_t k = 0; k < all[i].size; k++)
            all[i].key[k] = (uint8_t)(chance_below(c, 4) ? 'a' + chance_below(c, 2) : 0);
        if (style & 2)
            memcpy(all[i].key, "prefix", MIN_OF(all[i].size, (size_t)6));
    }
    qsort(all, CHILDREN, sizeof(all[0]), child_order);
    for (size_t i = 0; i < CHILDREN; i++) {
        bool same = n && child_compare(&all[n - 1], &all[i]) == 0;
        struct child *k = &all[n];
        if (same && all[n - 1].fence.continues && all[n - 1].fence.first_seqno < 10)
            continue;
        *k = all[i];
        k->fence = at;
        k->fence.size = 20 + (uint32_t)chance_below(c, 100000);
        k->fence.seqno_max = style & 4 ? chance_u64(c) >> chance_below(c, 60) : 9 + i;
        k->fence.continues = same;
        k->fence.first_seqno = !same ? 0
                               : all[n - 1].fence.continues
                                   ? all[n - 1].fence.first_seqno - 1 - chance_below(c, 5)
                                   : 1000;
        at.at += k->fence.size + (style & 1 ? chance_u64(c) >> 30 : 0);
        at.entries += 1 + (style & 8 ? chance_u64(c) >> 30 : chance_below(c, 90));
        at.deletes += style & 16 ? chance_below(c, 3) : 0;
        at.leaves += 2;
        n++;
    }
    all[n].fence = at;
    return n;
}

/* Whether a child begins before the place: the definition, in plain words. */
static bool
begins_before(const struct child *k, const struct place *to)
{
    int order = bytes_compare(bytes_of(k->key, k->size), to->key);

    if (order != 0)
        return order < 0;
    return !k->fence.continues || to->after || k->fence.first_seqno > to->snapshot;
}

static void
expect_search(const struct node *node, const struct child *all, size_t n, const struct place *to)
{
    size_t before = 0;
    uint64_t compares = 0;

    while (before < n && begins_before(&all[before], to))
        before++;
    assert_int_equal(node_search(node, to, 0, &compares), before ? before - 1 : 0);
    for (uint32_t from = 0; from < before; from += 1 + from / 3)
        assert_int_equal(node_search(node, to, from, &compares), before - 1);
}

static void
expect_fences(const struct node *node, const struct child *all, size_t n, bool root)
{
    uint8_t key[STRATUM_KEY_MAX];

    assert_int_equal(node->count, n);
    for (uint32_t i = 0; i < n; i++) {
        const struct fence *want = &all[i].fence;
        struct fence f;
        node_fence(node, i, &f);
        assert_int_equal(f.at, want->at);
        assert_int_equal(f.size, want->size);
        assert_int_equal(f.entries, want->entries);
        assert_int_equal(f.deletes, want->deletes);
        assert_int_equal(f.leaves, root ? want->leaves : 0);
        assert_int_equal(f.seqno_max, want->seqno_max);
        assert_int_equal(f.continues, want->continues);
        assert_int_equal(f.first_seqno, want->first_seqno);
        assert_int_equal(node_separator(node, i, key), all[i].size);
        assert_int_equal(node_separator_size(node, i), all[i].size);
        assert_memory_equal(key, all[i].key, all[i].size);
        assert_int_equal(node_continues(node, i, bytes_of(all[i].key, all[i].size)),
                         want->continues);
        assert_false(node_continues(node, i, text("elsewhere")));
    }
    assert_int_equal(node_entries(node, (uint32_t)n), all[n].fence.entries);
    assert_int_equal(node_deletes(node, (uint32_t)n), all[n].fence.deletes);
}

static void
nodes_agree_with_plain_loops(void **state)
{
    struct chance c = chance_init("stratum nodes", 0x90DE);
    struct child *all = calloc(CHILDREN + 1, sizeof(*all));

    (void)state;
    assert_non_null(all);
    for (unsigned style = 0; style < 64; style++) {
        struct node_builder b;
        struct node node;
        struct buf page;
        bool root = style & 32;
        size_t n = make_children(&c, all, style);
        node_builder_init(&b, &base_malloc);
        buf_init(&page, &base_malloc);
        node_builder_clear(&b, 5);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(node_builder_add(&b, bytes_of(all[i].key, all[i].size), &all[i].fence,
                                              NULL),
                             BASIN_OK);
        assert_int_equal(node_builder_finish(&b, root, root, &all[n].fence, &page, NULL), BASIN_OK);
        assert_true(node_open(&node, page.data, page.size));
        assert_int_equal(node_validate(&node, root, NULL), BASIN_OK);
        assert_int_equal(node_validate(&node, !root, NULL), BASIN_CORRUPT);
        assert_int_equal(node.first, 5);
        assert_int_equal(!(node.flags & NODE_WIDE_AT), !(style & 1));
        assert_int_equal(!(node.flags & NODE_WIDE_COUNT), !(style & 8));
        expect_fences(&node, all, n, root);
        for (size_t i = 0; i < 200; i++) {
            struct child k = all[chance_below(&c, n)];
            struct place to = { .snapshot = 980 + chance_below(&c, 30) };
            k.size -= chance_below(&c, 4) == 0;
            k.key[chance_below(&c, 24)] ^= (uint8_t)(chance_below(&c, 3) == 0);
            to.key = bytes_of(k.key, k.size);
            to.after = chance_below(&c, 3) == 0;
            expect_search(&node, all, n, &to);
        }
        expect_search(&node, all, n, &(struct place){ BYTES_NULL, 0, false });
        expect_search(&node, all, n, &(struct place){ text("\xFF"), 0, false });
        buf_release(&page);
        node_builder_release(&b);
    }
    free(all);
}

/* ------------------------------------------------------------------ leaves */

static void
put(struct leaf_builder *b, const char *key, const char *value, uint64_t seqno)
{
    struct entry e = { text(key), text(value), seqno, ENTRY_PUT };
    size_t shared = 0;

    if (b->count)
        shared = bytes_shared(leaf_builder_key(b, b->count - 1), e.key);
    assert_true(leaf_builder_size_with(b, &e, shared) > 0);
    assert_int_equal(leaf_builder_add(b, &e, shared, filter_hash(e.key), NULL), BASIN_OK);
}

/* Seeks from every known place give what a seek from nowhere gives; find agrees with seek. */
static void
leaves_gallop_to_the_same_place(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        struct leaf_builder b;
        struct dense_at d = { 0 };
        struct leaf leaf;
        struct buf page;
        enum block_kind found;
        uint64_t compares = 0;
        char key[32];
        leaf_builder_init(&b, &base_malloc);
        buf_init(&page, &base_malloc);
        for (unsigned i = 0; i < 300; i++) {
            snprintf(key, sizeof(key), "some%05u", i / 3 * 3);
            put(&b, key, kind ? "v" : "", 10 - i % 3);
        }
        assert_int_equal(leaf_builder_finish(&b, false, &page, &found, NULL), BASIN_OK);
        assert_int_equal(found, kind ? BLOCK_POINT : BLOCK_DENSE);
        assert_true(leaf_open(&leaf, (uint8_t)found, page.data, page.size));
        assert_int_equal(leaf_validate(&leaf, NULL), BASIN_OK);
        for (unsigned i = 0; i < 310; i++) {
            for (uint64_t snapshot = 7; snapshot < 12; snapshot++) {
                struct leaf_from none = { LEAF_FROM_NONE, BYTES_NULL };
                uint32_t want, exact;
                snprintf(key, sizeof(key), "some%05u", i);
                want = leaf_seek(&leaf, &d, text(key), snapshot, &none, &compares);
                exact = leaf_find(&leaf, text(key), filter_hash(text(key)), snapshot, &compares);
                if (i % 3 == 0 && i < 300 && snapshot >= 8)
                    assert_int_equal(exact, want);
                else
                    assert_int_equal(exact, UINT32_MAX);
                for (uint32_t from = 0; from < want; from += 7) {
                    struct leaf_from known = { from, leaf_builder_key(&b, from) };
                    dense_goto(&leaf, &d, kind ? 0 : from);
                    assert_int_equal(leaf_seek(&leaf, &d, text(key), snapshot, &known, &compares),
                                     want);
                }
            }
        }
        buf_release(&page);
        leaf_builder_release(&b);
    }
}

/* Packing loses nothing, and what was packed may be any bytes when it comes back. */
static void
expect_packs(struct bytes page, struct chance *c)
{
    struct buf packed;
    uint8_t *again;
    size_t size;

    buf_init(&packed, &base_malloc);
    for (int round = 0; round < 4; round++) {
        assert_int_equal(leaf_pack(page, &packed, NULL), BASIN_OK);
        assert_true(packed.size < page.size);
        if (round)
            packed.data[chance_below(c, packed.size)] ^= (uint8_t)(1 << chance_below(c, 8));
        if (leaf_unpack(packed.data, packed.size, &base_malloc, &again, &size, NULL) == BASIN_OK) {
            struct leaf leaf;
            if (round == 0)
                assert_true(bytes_equal(bytes_of(again, size), page));
            else if (leaf_open(&leaf, BLOCK_POINT, again, size))
                (void)leaf_validate(&leaf, NULL);
            mem_free(&base_malloc, again, size);
        } else {
            assert_int_not_equal(round, 0);
        }
    }
    buf_release(&packed);
}

/* The bytes that the writer says a page will take are never exceeded. */
static void
page_sizes_are_bounds(void **state)
{
    struct chance c = chance_of(44);

    (void)state;
    for (int round = 0; round < 300; round++) {
        struct leaf_builder b;
        struct buf page;
        enum block_kind kind;
        uint8_t key[400] = { 0 };
        size_t key_size = 1, promised = 0;
        leaf_builder_init(&b, &base_malloc);
        buf_init(&page, &base_malloc);
        for (uint64_t i = chance_below(&c, 200) + 1; i > 0; i--) {
            struct entry e = { .seqno = chance_u64(&c) >> chance_below(&c, 64) };
            size_t shared = chance_below(&c, key_size);
            if (key[shared] == 255)
                break;
            key[shared] = (uint8_t)(key[shared] + 1);
            key_size = shared + 1 + chance_below(&c, 300 - shared % 300);
            memset(key + shared + 1, 0, sizeof(key) - shared - 1);
            e.key = bytes_of(key, key_size);
            e.value = bytes_of(key, round % 3 ? 0 : chance_below(&c, 300));
            e.kind = (enum entry_kind)(chance_below(&c, 9) ? 0 : chance_below(&c, 4));
            shared = b.count ? bytes_shared(leaf_builder_key(&b, b.count - 1), e.key) : 0;
            promised = leaf_builder_size_with(&b, &e, shared);
            assert_int_equal(leaf_builder_add(&b, &e, shared, filter_hash(e.key), NULL), BASIN_OK);
        }
        if (b.count) {
            struct leaf leaf;
            assert_int_equal(leaf_builder_finish(&b, false, &page, &kind, NULL), BASIN_OK);
            assert_true(page.size <= promised);
            assert_true(leaf_open(&leaf, (uint8_t)kind, page.data, page.size));
            assert_int_equal(leaf_validate(&leaf, NULL), BASIN_OK);
            if (kind == BLOCK_POINT)
                expect_packs(buf_bytes(&page), &c);
        }
        buf_release(&page);
        leaf_builder_release(&b);
    }
}

/* ------------------------------------------------------------------ filters */

static void
filters_know_their_keys_at_every_width(void **state)
{
    (void)state;
    for (uint32_t bits = 1; bits <= 64; bits += 3) {
        struct buf lines, page;
        uint64_t hashes[1000];
        size_t passed = 0;
        buf_init(&lines, &base_malloc);
        buf_init(&page, &base_malloc);
        for (uint64_t i = 0; i < 1000; i++)
            hashes[i] = filter_hash(bytes_of(&i, 8));
        assert_int_equal(filter_lines(hashes, 1000, bits, &lines, NULL), BASIN_OK);
        assert_int_equal(filter_build(buf_bytes(&lines), bits, 77, &page, NULL), BASIN_OK);
        assert_int_equal(filter_validate(page.data, page.size, bits, 77, NULL), BASIN_OK);
        assert_int_equal(filter_validate(page.data, page.size - 1, bits, 77, NULL), BASIN_CORRUPT);
        assert_int_equal(filter_validate(page.data, page.size, bits, 78, NULL), BASIN_CORRUPT);
        for (uint64_t i = 0; i < 1000; i++)
            assert_true(filter_may_have(page.data, page.size, bits, 77, hashes[i]));
        for (uint64_t i = 1000; i < 11000; i++)
            passed += filter_may_have(page.data, page.size, bits, 77, filter_hash(bytes_of(&i, 8)));
        if (bits >= 10)
            assert_true(passed < 200);
        buf_release(&lines);
        buf_release(&page);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_agree_with_plain_loops),
        cmocka_unit_test(leaves_gallop_to_the_same_place),
        cmocka_unit_test(page_sizes_are_bounds),
        cmocka_unit_test(filters_know_their_keys_at_every_width),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
