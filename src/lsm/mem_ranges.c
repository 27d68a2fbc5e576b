// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Range tombstones of a memtable: a short list of the newest, and indexes over the older ones.
 *
 *   tail    up to TAIL_SIZE tombstones, searched one by one
 *   level   an index over a stretch of older ones; each stretch is longer than the next newer one
 *           (the logarithmic method of Bentley and Saxe), so there are at most log2 n of them
 *
 * An index cuts the keys at every bound of its tombstones; a segment tree over the pieces (not a
 * list per piece: nested ranges would make that quadratic) holds ascending numbers of tombstones,
 * which are ascending seqnos too. Everything is published whole by one pointer and never changes,
 * except that the tail grows by an atomic count.
 */
#include "lsm/mem_tree.h"

enum { TAIL_SIZE = 16, LEVELS_MAX = 40 };

struct mem_range {
    struct bytes begin, end;
    uint64_t seqno;
    bool unbounded;
};

struct range_tail {
    _Atomic size_t count;
    struct mem_range items[TAIL_SIZE];
};

/* lists[list_at[i]] to lists[list_at[i + 1]]: tombstones at node i of the tree; its leaf p is node
 * cut_count + p and stands for the keys from cuts[p] to the next cut. */
struct range_level {
    size_t count;
    const struct mem_range **items; /* ascending seqno */
    size_t cut_count;
    struct bytes *cuts;
    uint32_t *list_at;
    uint32_t *lists;
};

struct range_set {
    struct range_tail *tail;
    size_t level_count;
    struct range_level *levels[LEVELS_MAX]; /* oldest first */
};

/* ------------------------------------------------------------------ sorting */

/* Ascending, without repetitions; `spare` has room for n. Returns how many are left. */
static size_t
sort_cuts(struct bytes *cuts, size_t n, struct bytes *spare)
{
    struct bytes *from = cuts, *to = spare, *swap;
    size_t kept = 0;

    for (size_t width = 1; width < n; width *= 2) {
        for (size_t start = 0; start < n; start += 2 * width) {
            size_t middle = MIN_OF(start + width, n), end = MIN_OF(start + 2 * width, n);
            size_t a = start, b = middle;
            for (size_t i = start; i < end; i++)
                to[i] = b == end || (a < middle && bytes_compare(from[a], from[b]) <= 0)
                            ? from[a++]
                            : from[b++];
        }
        swap = from;
        from = to;
        to = swap;
    }
    for (size_t i = 0; i < n; i++) {
        struct bytes b = from[i];
        if (kept == 0 || !bytes_equal(cuts[kept - 1], b))
            cuts[kept++] = b;
    }
    return kept;
}

/* The piece that holds key; SIZE_MAX: key lies before all cuts. */
static size_t
piece_of(const struct range_level *level, struct bytes key)
{
    size_t low = 0, high = level->cut_count;

    while (low < high) {
        size_t mid = (low + high) / 2;
        if (bytes_compare(level->cuts[mid], key) <= 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low - 1;
}

/* ------------------------------------------------------------------ building an index */

/* Calls for the nodes that make up the pieces of item: counts them (to NULL) or adds item. */
static void
spread(struct range_level *level, uint32_t item, uint32_t *count_or_at, bool fill)
{
    const struct mem_range *r = level->items[item];
    size_t left = piece_of(level, r->begin) + level->cut_count;
    size_t right = (r->unbounded ? level->cut_count : piece_of(level, r->end)) + level->cut_count;

    for (; left < right; left /= 2, right /= 2) {
        if (left & 1) {
            if (fill)
                level->lists[count_or_at[left]] = item;
            count_or_at[left++]++;
        }
        if (right & 1) {
            --right;
            if (fill)
                level->lists[count_or_at[right]] = item;
            count_or_at[right]++;
        }
    }
}

/* items are the level's; everything else is made here. False: no memory. */
static bool
level_build(struct range_level *level, struct arena *a)
{
    size_t nodes, total = 0, n = 0;
    struct bytes *spare = arena_alloc(a, 2 * level->count * sizeof(*spare));
    uint32_t *at;

    level->cuts = arena_alloc(a, 2 * level->count * sizeof(*level->cuts));
    if (spare == NULL || level->cuts == NULL)
        return false;
    for (size_t i = 0; i < level->count; i++) {
        level->cuts[n++] = level->items[i]->begin;
        if (!level->items[i]->unbounded)
            level->cuts[n++] = level->items[i]->end;
    }
    level->cut_count = sort_cuts(level->cuts, n, spare);
    nodes = 2 * level->cut_count;
    level->list_at = arena_alloc(a, (nodes + 1) * sizeof(*level->list_at));
    at = arena_alloc(a, nodes * sizeof(*at));
    if (level->list_at == NULL || at == NULL)
        return false;
    memset(at, 0, nodes * sizeof(*at));
    for (uint32_t i = 0; i < level->count; i++)
        spread(level, i, at, false);
    for (size_t i = 0; i < nodes; i++) {
        level->list_at[i] = (uint32_t)total;
        total += at[i];
        at[i] = level->list_at[i];
    }
    level->list_at[nodes] = (uint32_t)total;
    level->lists = arena_alloc(a, total * sizeof(*level->lists));
    if (level->lists == NULL)
        return false;
    for (uint32_t i = 0; i < level->count; i++)
        spread(level, i, at, true);
    return true;
}

static size_t
tail_count(const struct range_tail *tail)
{
    return atomic_load_explicit(&tail->count, memory_order_acquire);
}

/* An index over the levels from `from` on and the tail. */
static struct range_level *
level_merge(const struct range_set *set, size_t from, struct arena *a)
{
    size_t count = tail_count(set->tail), n = 0;
    struct range_level *level = arena_alloc(a, sizeof(*level));

    for (size_t i = from; i < set->level_count; i++)
        count += set->levels[i]->count;
    if (level == NULL)
        return NULL;
    *level = (struct range_level){ .count = count };
    level->items = arena_alloc(a, count * sizeof(*level->items));
    if (level->items == NULL)
        return NULL;
    for (size_t i = from; i < set->level_count; i++)
        for (size_t k = 0; k < set->levels[i]->count; k++)
            level->items[n++] = set->levels[i]->items[k];
    for (size_t i = 0; n < count; i++)
        level->items[n++] = &set->tail->items[i];
    return level_build(level, a) ? level : NULL;
}

/* ------------------------------------------------------------------ additions */

/* A set whose tail is empty: the old one's goes into an index. NULL: no memory. */
static struct range_set *
set_with_room(struct memtable *m, const struct range_set *old)
{
    struct range_set *set = arena_alloc(&m->arena, sizeof(*set));
    size_t keep = 0, count;

    if (set == NULL)
        return NULL;
    *set = (struct range_set){ 0 };
    set->tail = arena_alloc(&m->arena, sizeof(*set->tail));
    if (set->tail == NULL)
        return NULL;
    atomic_init(&set->tail->count, 0);
    if (old == NULL)
        return set;
    count = tail_count(old->tail);
    for (keep = old->level_count; keep > 0 && old->levels[keep - 1]->count <= count; keep--)
        count += old->levels[keep - 1]->count;
    memcpy(set->levels, old->levels, keep * sizeof(*set->levels));
    set->level_count = keep + 1;
    must(set->level_count <= LEVELS_MAX);
    set->levels[keep] = level_merge(old, keep, &m->arena);
    return set->levels[keep] ? set : NULL;
}

static struct range_tombstone
tombstone_of(const struct mem_range *r)
{
    return (struct range_tombstone){ r->begin, r->end, r->unbounded, r->seqno };
}

static bool
copy_bytes(struct arena *a, struct bytes from, struct bytes *to)
{
    uint8_t *p = arena_alloc(a, from.size);

    if (p != NULL && from.size)
        memcpy(p, from.data, from.size);
    *to = bytes_of(p, from.size);
    return p != NULL;
}

static void
note_range(struct memtable *m, uint64_t seqno, bool kept)
{
    if (memtable_entries(m) + memtable_range_count(m) == 0)
        atomic_store_explicit(&m->seqno_min, seqno, memory_order_relaxed);
    if (kept)
        atomic_store_explicit(&m->range_count, memtable_range_count(m) + 1,
                              memory_order_release);
    atomic_store_explicit(&m->seqno_max, seqno, memory_order_relaxed);
    atomic_store_explicit(&m->used, sizeof(*m) + m->arena.used + m->scratch.capacity,
                          memory_order_relaxed);
}

basin_status
memtable_add_range(struct memtable *m, const struct range_tombstone *t, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct range_set *set = atomic_load_explicit(&m->ranges, memory_order_relaxed);
    struct mem_range r = { .seqno = t->seqno, .unbounded = t->unbounded };
    bool fresh = set == NULL || tail_count(set->tail) == TAIL_SIZE;
    size_t count;

    must(t->seqno >= memtable_seqno_max(m));
    if (!t->unbounded && bytes_compare(t->begin, t->end) >= 0) {
        note_range(m, t->seqno, false);
        goto out;
    }
    if (t->begin.size > STRATUM_KEY_MAX || (!t->unbounded && t->end.size > STRATUM_KEY_MAX))
        FAIL(err, BASIN_LIMIT, "a bound of a range delete is longer than %d bytes",
             STRATUM_KEY_MAX);
    if (!copy_bytes(&m->arena, t->begin, &r.begin) ||
        (!t->unbounded && !copy_bytes(&m->arena, t->end, &r.end)))
        FAIL(err, BASIN_NO_MEM, "no memory for a range tombstone");
    if (fresh && (set = set_with_room(m, set)) == NULL)
        FAIL(err, BASIN_NO_MEM, "no memory for an index of range tombstones");
    count = tail_count(set->tail);
    set->tail->items[count] = r;
    atomic_store_explicit(&set->tail->count, count + 1, memory_order_release);
    if (fresh)
        atomic_store_explicit(&m->ranges, set, memory_order_release);
    note_range(m, t->seqno, true);
out:
    return st;
}

/* ------------------------------------------------------------------ lookup */

static bool
range_covers(const struct mem_range *r, struct bytes key)
{
    return bytes_compare(r->begin, key) <= 0 &&
           (r->unbounded || bytes_compare(key, r->end) < 0);
}

/* Makes the interval end at `end` when that is nearer. */
static void
cut_end(struct range_cover *cover, struct bytes end)
{
    if (cover->unbounded || bytes_compare(end, cover->end) < 0) {
        cover->end = end;
        cover->unbounded = false;
    }
}

static void
cut_begin(struct range_cover *cover, struct bytes begin)
{
    if (bytes_compare(cover->begin, begin) < 0)
        cover->begin = begin;
}

/* The last of n ascending numbers whose tombstone has a seqno <= snapshot, or 0. */
static uint64_t
list_seqno(const struct range_level *level, const uint32_t *list, size_t n, uint64_t snapshot)
{
    size_t low = 0, high = n;

    if (n > 0 && level->items[list[n - 1]]->seqno <= snapshot)
        return level->items[list[n - 1]]->seqno;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (level->items[list[mid]]->seqno <= snapshot)
            low = mid + 1;
        else
            high = mid;
    }
    return low ? level->items[list[low - 1]]->seqno : 0;
}

static uint64_t
level_covering(const struct range_level *level, struct bytes key, uint64_t snapshot,
               struct range_cover *cover)
{
    size_t piece = piece_of(level, key);
    uint64_t best = 0;

    if (cover != NULL && piece + 1 < level->cut_count)
        cut_end(cover, level->cuts[piece + 1]);
    if (piece == SIZE_MAX) /* before all; piece + 1 was the first cut */
        return 0;
    if (cover != NULL)
        cut_begin(cover, level->cuts[piece]);
    for (size_t i = piece + level->cut_count; i > 0; i /= 2) {
        const uint32_t *list = level->lists + level->list_at[i];
        uint64_t seqno = list_seqno(level, list, level->list_at[i + 1] - level->list_at[i],
                                    snapshot);
        best = MAX_OF(best, seqno);
    }
    return best;
}

static uint64_t
tail_covering(const struct range_tail *tail, struct bytes key, uint64_t snapshot,
              struct range_cover *cover)
{
    uint64_t best = 0;

    for (size_t i = tail_count(tail); i-- > 0;) {
        const struct mem_range *r = &tail->items[i];
        if (r->seqno > snapshot)
            continue;
        if (range_covers(r, key)) {
            best = MAX_OF(best, r->seqno);
            if (cover == NULL)
                break;
            cut_begin(cover, r->begin);
            if (!r->unbounded)
                cut_end(cover, r->end);
        } else if (cover != NULL && bytes_compare(key, r->begin) < 0) {
            cut_end(cover, r->begin);
        } else if (cover != NULL) {
            cut_begin(cover, r->end);
        }
    }
    return best;
}

uint64_t
memtable_covering(const struct memtable *m, struct bytes key, uint64_t snapshot,
                  struct range_cover *cover)
{
    const struct range_set *set = atomic_load_explicit(&m->ranges, memory_order_acquire);
    uint64_t best;

    if (cover != NULL)
        *cover = (struct range_cover){ .unbounded = true };
    if (set == NULL)
        return 0;
    best = tail_covering(set->tail, key, snapshot, cover);
    for (size_t i = set->level_count; i-- > 0 && (best == 0 || cover != NULL);) {
        uint64_t seqno = level_covering(set->levels[i], key, snapshot, cover);
        best = MAX_OF(best, seqno);
    }
    if (cover != NULL)
        cover->seqno = best;
    return best;
}

static bool
range_meets(const struct mem_range *r, struct bytes begin, struct bytes end, bool unbounded)
{
    return (r->unbounded || bytes_compare(begin, r->end) < 0) &&
           (unbounded || bytes_compare(r->begin, end) < 0);
}

bool
mem__ranges_changed(const struct memtable *m, struct bytes begin, struct bytes end,
                    bool unbounded, uint64_t since)
{
    const struct range_set *set = atomic_load_explicit(&m->ranges, memory_order_acquire);

    if (set == NULL)
        return false;
    for (size_t i = tail_count(set->tail); i-- > 0;) {
        if (set->tail->items[i].seqno <= since)
            return false;
        if (range_meets(&set->tail->items[i], begin, end, unbounded))
            return true;
    }
    for (size_t k = set->level_count; k-- > 0;)
        for (size_t i = set->levels[k]->count; i-- > 0;) {
            if (set->levels[k]->items[i]->seqno <= since)
                return false;
            if (range_meets(set->levels[k]->items[i], begin, end, unbounded))
                return true;
        }
    return false;
}

/* ------------------------------------------------------------------ all of them */

basin_status
memtable_ranges(const struct memtable *m, const basin_allocator *mem, struct range_tombstone **out,
                size_t *count, basin_error *err)
{
    const struct range_set *set = atomic_load_explicit(&m->ranges, memory_order_acquire);
    struct range_tombstone *to;
    size_t tail, n;

    *out = NULL;
    *count = 0;
    if (set == NULL)
        return BASIN_OK;
    n = tail = tail_count(set->tail);
    for (size_t i = 0; i < set->level_count; i++)
        n += set->levels[i]->count;
    *out = to = mem_new(mem, n * sizeof(**out));
    if (to == NULL)
        return error_set(err, BASIN_NO_MEM, "no memory for %zu range tombstones", n);
    *count = n;
    for (size_t i = 0; i < set->level_count; i++)
        for (size_t k = 0; k < set->levels[i]->count; k++)
            *to++ = tombstone_of(set->levels[i]->items[k]);
    for (size_t i = 0; i < tail; i++)
        *to++ = tombstone_of(&set->tail->items[i]);
    return BASIN_OK;
}
