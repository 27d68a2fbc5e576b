// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * What a transaction has read, for its validation: ranges of keys, within a sixteenth of mem_limit.
 * When they outgrow it, those that overlap or touch become one; if that does not make much room,
 * neighbours do too, with the keys between them. So it may conflict more often, but never less.
 */
#include "lsm/txn.h"

enum { COARSE_MAX = 256 }; /* ranges after neighbours were joined */

static basin_status
copy_bound(struct lsm_txn *txn, struct bytes from, struct bytes *to)
{
    uint8_t *p = arena_alloc(&txn->read_arena, from.size ? from.size : 1);

    if (p == NULL)
        return BASIN_NO_MEM;
    if (from.size)
        memcpy(p, from.data, from.size);
    *to = bytes_of(p, from.size);
    return BASIN_OK;
}

static size_t
cost_of(const struct read_item *item)
{
    return sizeof(*item) + item->lower.size + item->upper.size;
}

static basin_status
add_item(struct lsm_txn *txn, const struct read_item *item)
{
    basin_status st;
    struct read_block *b = txn->reads;
    struct read_item copy = *item;

    TRY(copy_bound(txn, item->lower, &copy.lower));
    TRY(copy_bound(txn, item->upper, &copy.upper));
    if (b == NULL || b->count == READ_BLOCK_ITEMS) {
        b = arena_alloc(&txn->read_arena, sizeof(*b));
        if (b == NULL)
            return BASIN_NO_MEM;
        b->next = txn->reads;
        b->count = 0;
        txn->reads = b;
    }
    b->items[b->count++] = copy;
    txn->read_count++;
    txn->read_bytes += cost_of(item);
out:
    return st;
}

static void
forget_reads(struct lsm_txn *txn)
{
    txn->reads = NULL;
    txn->read_count = txn->read_bytes = 0;
    arena_init(&txn->read_arena, txn->db->mem, 512);
}

static int
compare_lower(const void *a, const void *b)
{
    return bytes_compare(((const struct read_item *)a)->lower,
                         ((const struct read_item *)b)->lower);
}

/* Of two in order, *a becomes both and what lies between them. */
static void
join(struct read_item *a, const struct read_item *b)
{
    if (!a->unbounded && (b->unbounded || bytes_compare(b->upper, a->upper) > 0))
        a->upper = b->upper;
    a->unbounded = a->unbounded || b->unbounded;
}

/* Joins those that overlap or touch; returns how many are left, and their cost. */
static size_t
join_touching(struct read_item *items, size_t count, size_t *cost)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        if (kept > 0 && (items[kept - 1].unbounded ||
                         bytes_compare(items[i].lower, items[kept - 1].upper) <= 0))
            join(&items[kept - 1], &items[i]);
        else
            items[kept++] = items[i];
    }
    *cost = 0;
    for (size_t i = 0; i < kept; i++)
        *cost += cost_of(&items[i]);
    return kept;
}

/* Fewer ranges that cover the same and more. */
static basin_status
gather(struct lsm_txn *txn, size_t cost_max)
{
    basin_status st = BASIN_OK;
    const basin_allocator *mem = txn->db->mem;
    size_t count = txn->read_count, n = 0, cost, step;
    struct read_item *items = mem_new(mem, count * sizeof(*items));
    struct arena old = txn->read_arena;

    if (items == NULL)
        return BASIN_NO_MEM;
    for (const struct read_block *b = txn->reads; b; b = b->next)
        for (size_t i = 0; i < b->count; i++)
            items[n++] = b->items[i];
    sort_items(items, n, sizeof(*items), compare_lower);
    n = join_touching(items, n, &cost);
    step = cost > cost_max / 2 ? (n + COARSE_MAX - 1) / COARSE_MAX : 1;
    forget_reads(txn);
    for (size_t i = 0; i < n; i += step) {
        for (size_t k = i + 1; k < n && k < i + step; k++)
            join(&items[i], &items[k]);
        TRY(add_item(txn, &items[i]));
    }
out:
    arena_release(&old);
    mem_free(mem, items, count * sizeof(*items));
    return st;
}

basin_status
lsm__txn_read_range(struct lsm_txn *txn, struct bytes lower, struct bytes upper, bool unbounded,
                    basin_error *err)
{
    basin_status st = BASIN_OK;
    const struct read_item item = { lower, upper, unbounded };
    size_t cost_max = (size_t)(txn->db->o.mem_limit / 16);

    if (!txn->check_reads || txn->reads_everything)
        return BASIN_OK;
    if (txn->read_count > 1 && txn->read_bytes + cost_of(&item) > cost_max &&
        (gather(txn, cost_max) != BASIN_OK || txn->read_bytes + cost_of(&item) > cost_max)) {
        txn->reads_everything = true; /* safe: it can only conflict more often */
        arena_release(&txn->read_arena);
        forget_reads(txn);
        return BASIN_OK;
    }
    st = add_item(txn, &item);
    if (st != BASIN_OK)
        return error_set(err, st, "no memory to note what was read");
    return BASIN_OK;
}
