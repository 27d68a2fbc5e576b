// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Point lookup: root -> filter partition -> index block -> leaf, with nothing decoded or allocated
 * on the way. The filter says no for most absent keys, so that neither index nor leaf is touched.
 * When the versions of a key go on in the next page, the one looked for may be its first entry.
 */
#include "stratum/reader.h"

/* A lookup on its way. */
struct lookup {
    struct stratum *s;
    struct place to;
    uint64_t hash;
    uint64_t compares;
    uint32_t group;
    struct page index_page;
    struct node index;
    struct page leaf_page;
    struct leaf leaf;
};

/* Looks into leaf i of the open index block; true when found. */
static basin_status
look(struct lookup *k, uint32_t i, uint32_t *found, basin_error *err)
{
    basin_status st;

    stratum__unpin(&k->leaf_page);
    TRY(stratum__pin_leaf(k->s, &k->index, i, &k->leaf_page, &k->leaf, err));
    *found = leaf_find(&k->leaf, k->to.key, k->hash, k->to.snapshot, &k->compares);
out:
    return st;
}

/* The page behind leaf i, when it goes on with versions of the key. */
static basin_status
look_behind(struct lookup *k, uint32_t i, uint32_t *found, basin_error *err)
{
    basin_status st = BASIN_OK;

    if (i + 1 < k->index.count) {
        if (node_continues(&k->index, i + 1, k->to.key))
            TRY(look(k, i + 1, found, err));
    } else if (k->group + 1 < k->s->root.count &&
               node_continues(&k->s->root, k->group + 1, k->to.key)) {
        stratum__unpin(&k->index_page);
        TRY(stratum__pin_index(k->s, k->group + 1, &k->index_page, &k->index, err));
        TRY(look(k, 0, found, err));
    }
out:
    return st;
}

static basin_status
filter_allows(struct lookup *k, bool *maybe, basin_error *err)
{
    struct page filter;
    basin_status st;

    *maybe = true;
    if (!(k->s->root.flags & NODE_FILTERS))
        return BASIN_OK;
    TRY(stratum__pin_filter(k->s, k->group, &filter, err));
    *maybe = stratum__filter_has(k->s, k->group, &filter, k->hash);
    stratum__unpin(&filter);
    COUNT(k->s, filter_checks);
    if (!*maybe)
        COUNT(k->s, filter_rejects);
out:
    return st;
}

static void
fill_hit(struct lookup *k, uint32_t i, struct stratum_hit *hit)
{
    hit->entry.key = k->to.key;
    hit->entry.seqno = leaf_seqno(&k->leaf, i) + k->s->seqno_base;
    if (k->leaf.kind == BLOCK_POINT) {
        struct slot slot = leaf_slot(&k->leaf, i);
        hit->entry.value = slot.value;
        hit->entry.kind = slot.kind;
    } else {
        hit->entry.kind = leaf_kind(&k->leaf, i);
    }
    hit->pin = k->leaf_page.pin;
    k->leaf_page.pin = NULL; /* given away */
}

/* Seqnos inside lack the base. One below it sees nothing: the caller finds that out. */
static uint64_t
stored_snapshot(const struct stratum *s, uint64_t snapshot)
{
    return snapshot > s->seqno_base ? snapshot - s->seqno_base : 0;
}

uint64_t
stratum_hash(struct bytes key)
{
    return filter_hash(key);
}

struct stratum_aim
stratum_aim_at(struct stratum *s, struct bytes key, uint64_t snapshot, uint64_t hash)
{
    struct stratum_aim a = { .s = s, .hash = hash };
    struct place to = { key, stored_snapshot(s, snapshot), false };
    uint64_t compares = 0, at;
    uint32_t size;

    must(s->footer.leaves > 0);
    a.group = node_search(&s->root, &to, 0, &compares);
    stratum__count_compares(s, compares);
    if (s->root.flags & NODE_FILTERS) {
        node_filter_place(&s->root, a.group, &at, &size);
        stratum__prefetch(s, at + filter_line_at(size, at + BLOCK_HEAD_SIZE, hash), 1);
    }
    return a;
}

basin_status
stratum_get(struct stratum *s, struct bytes key, uint64_t snapshot, struct stratum_hit *hit,
            basin_error *err)
{
    struct stratum_aim aim;

    *hit = (struct stratum_hit){ 0 };
    if (s->footer.leaves == 0)
        return BASIN_NOT_FOUND;
    aim = stratum_aim_at(s, key, snapshot, filter_hash(key));
    return stratum_get_aimed(&aim, key, snapshot, hit, err);
}

basin_status
stratum_get_aimed(const struct stratum_aim *aim, struct bytes key, uint64_t snapshot,
                  struct stratum_hit *hit, basin_error *err)
{
    struct stratum *s = aim->s;
    struct lookup k = { .s = s,
                        .to = { key, stored_snapshot(s, snapshot), false },
                        .hash = aim->hash,
                        .group = aim->group };
    uint32_t i, found = UINT32_MAX;
    bool maybe;
    basin_status st = BASIN_NOT_FOUND;

    *hit = (struct stratum_hit){ 0 };
    if (snapshot < s->seqno_base)
        return BASIN_NOT_FOUND;
    TRY(filter_allows(&k, &maybe, err));
    if (maybe) {
        TRY(stratum__pin_index(s, k.group, &k.index_page, &k.index, err));
        i = node_search(&k.index, &k.to, 0, &k.compares);
        TRY(look(&k, i, &found, err));
        if (found == UINT32_MAX)
            TRY(look_behind(&k, i, &found, err));
    }
    if (found != UINT32_MAX)
        fill_hit(&k, found, hit);
    else
        st = BASIN_NOT_FOUND;
out:
    stratum__unpin(&k.leaf_page);
    stratum__unpin(&k.index_page);
    stratum__count_compares(s, k.compares);
    return st;
}

void
stratum_unpin(struct stratum *s, struct stratum_hit *hit)
{
    (void)s;
    frame_unpin(hit->pin);
    *hit = (struct stratum_hit){ 0 };
}
