// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Questions that the fences answer: how many entries come before a key, whether a key range changed
 * since a seqno, and the list of all fences. At most one leaf and two index blocks are read for
 * the first two, however large the range is.
 */
#include "stratum/reader.h"

basin_status
stratum_rank(struct stratum *s, struct bytes key, uint64_t *entries_before, basin_error *err)
{
    struct place to = { key, UINT64_MAX, false };
    struct page index_page = { 0 }, leaf_page = { 0 };
    struct node index;
    struct leaf leaf;
    struct dense_at dense = { 0 };
    uint64_t compares = 0;
    uint32_t group, child;
    struct leaf_from none = { .index = LEAF_FROM_NONE };
    basin_status st = BASIN_OK;

    *entries_before = 0;
    if (s->footer.leaves == 0)
        return BASIN_OK;
    group = node_search(&s->root, &to, 0, &compares);
    TRY(stratum__pin_index(s, group, &index_page, &index, err));
    child = node_search(&index, &to, 0, &compares);
    TRY(stratum__pin_leaf(s, &index, child, &leaf_page, &leaf, err));
    *entries_before =
        node_entries(&index, child) + leaf_seek(&leaf, &dense, key, UINT64_MAX, &none, &compares);
out:
    stratum__unpin(&leaf_page);
    stratum__unpin(&index_page);
    stratum__count_compares(s, compares);
    return st;
}

/* ------------------------------------------------------------------ changes */

bool
stratum_ranges_changed_since(const struct stratum *s, struct bytes begin, struct bytes end,
                             bool unbounded, uint64_t since)
{
    for (size_t i = 0; i < s->ranges_count; i++) {
        const struct range_tombstone *t = &s->ranges[i];
        if (t->seqno > since && (unbounded || bytes_compare(t->begin, end) < 0) &&
            (t->unbounded || bytes_compare(t->end, begin) > 0))
            return true;
    }
    return false;
}

static bool
children_changed(const struct stratum *s, const struct node *n, uint32_t first, uint32_t last,
                 uint64_t since)
{
    for (uint32_t i = first; i <= last && i < n->count; i++)
        if (node_seqno(n, i) + s->seqno_base > since)
            return true;
    return false;
}

/* Leaves of a group that may hold keys of the range. */
static basin_status
group_changed(struct stratum *s, uint32_t group, const struct place *from, const struct place *to,
              uint64_t since, bool *changed, basin_error *err)
{
    struct page page = { 0 };
    struct node index;
    uint64_t compares = 0;
    uint32_t first, last;
    basin_status st = BASIN_OK;

    if (node_seqno(&s->root, group) + s->seqno_base <= since)
        return BASIN_OK;
    TRY(stratum__pin_index(s, group, &page, &index, err));
    first = from ? node_search(&index, from, 0, &compares) : 0;
    last = to ? node_search(&index, to, 0, &compares) : index.count - 1;
    *changed = children_changed(s, &index, first, last, since);
out:
    stratum__unpin(&page);
    return st;
}

basin_status
stratum_changed_since(struct stratum *s, struct bytes begin, struct bytes end, bool unbounded,
                      uint64_t since, bool *changed, basin_error *err)
{
    struct place from = { begin, UINT64_MAX, false }, to = { end, UINT64_MAX, false };
    uint64_t compares = 0;
    uint32_t first, last;
    basin_status st = BASIN_OK;

    *changed = false;
    if (s->summary.seqno_max <= since || (!unbounded && bytes_compare(begin, end) >= 0))
        return BASIN_OK;
    *changed = stratum_ranges_changed_since(s, begin, end, unbounded, since);
    if (*changed || s->footer.leaves == 0)
        return BASIN_OK;
    first = node_search(&s->root, &from, 0, &compares);
    last = unbounded ? s->root.count - 1 : node_search(&s->root, &to, 0, &compares);
    TRY(group_changed(s, first, &from, !unbounded && last == first ? &to : NULL, since, changed,
                      err));
    if (!*changed && last > first + 1)
        *changed = children_changed(s, &s->root, first + 1, last - 1, since);
    if (!*changed && last > first)
        TRY(group_changed(s, last, NULL, unbounded ? NULL : &to, since, changed, err));
out:
    return st;
}

/* ------------------------------------------------------------------ fences */

static basin_status
group_fences(struct stratum *s, uint32_t group, struct buf *key, stratum_fence_fn *fn, void *ctx,
             basin_error *err)
{
    struct page page = { 0 };
    struct node index;
    basin_status st;

    TRY(stratum__pin_index(s, group, &page, &index, err));
    for (uint32_t i = 0; i < index.count; i++) {
        struct stratum_fence row = { 0 };
        struct fence f;
        node_fence(&index, i, &f);
        row.separator = bytes_of(key->data, node_separator(&index, i, key->data));
        row.entries_before = f.entries;
        row.deletes_before = f.deletes;
        row.seqno_max = f.seqno_max + s->seqno_base;
        row.at = f.at;
        row.stored_size = f.size;
        TRY(fn(ctx, &row));
    }
out:
    stratum__unpin(&page);
    return st;
}

basin_status
stratum_each_fence(struct stratum *s, stratum_fence_fn *fn, void *ctx, basin_error *err)
{
    struct buf key;
    basin_status st = BASIN_OK;

    buf_init(&key, s->options.mem);
    if (buf_reserve(&key, STRATUM_KEY_MAX) != BASIN_OK)
        FAIL(err, BASIN_NO_MEM, "stratum %s: no memory for a separator", s->source->name);
    for (uint32_t g = 0; s->footer.leaves != 0 && g < s->root.count; g++)
        TRY(group_fences(s, g, &key, fn, ctx, err));
out:
    buf_release(&key);
    return st;
}
