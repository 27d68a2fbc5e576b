// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The drop rules of range tombstones: what flush and merge keep of a heap of overlapping ones, cut
 * into the fragments that a stratum holds (E41, E64).
 *
 * A sweep over the bounds in key order. The tombstones over the place of the sweep are a set of
 * ranks in the order of seqnos; of each stripe the newest is kept and the rest is passed over, so
 * nothing is made that is dropped again: n log n and what is kept, also for n nested ranges. Places
 * side by side that keep the same become one fragment. What nobody sees yet is one stripe: it is
 * all of the group of commits that is being published, and shows at once.
 */
#include "lsm/rules.h"

enum { RANK_LEVELS = 6 }; /* 64 to the 6th */

/* A set of numbers below some bound: bit i of level l + 1 = word i of level l is not empty. */
struct rank_set {
    uint64_t *words[RANK_LEVELS];
    size_t level_count;
};

struct edge {
    struct bytes key;
    size_t item;
    bool ends;
};

struct order {
    uint64_t seqno;
    size_t item;
};

struct sweep {
    const struct rules_options *o;
    struct arena arena;
    size_t count;
    struct edge *edges; /* by key */
    size_t edge_count;
    struct order *order;  /* by seqno: the ranks */
    size_t *rank;         /* of each tombstone */
    size_t *stripe_begin; /* of each rank: the first of its stripe */
    size_t hidden_count;  /* ranks below go: of the lowest stripe, at the bottom */
    struct rank_set here;
    struct range_tombstone *out;
    size_t out_count, out_capacity;
    size_t last; /* where the fragments of the place before begin */
};

/* ------------------------------------------------------------------ ranks */

static bool
ranks_init(struct rank_set *s, size_t count, struct arena *a)
{
    size_t words = count + 1; /* the search begins at count: the top level has a word for it */

    do {
        words = (words + 63) / 64;
        must(s->level_count < RANK_LEVELS);
        s->words[s->level_count] = arena_alloc(a, words * sizeof(uint64_t));
        if (s->words[s->level_count] == NULL)
            return false;
        memset(s->words[s->level_count++], 0, words * sizeof(uint64_t));
    } while (words > 1);
    return true;
}

static void
ranks_add(struct rank_set *s, size_t rank)
{
    for (size_t l = 0; l < s->level_count; l++, rank /= 64)
        s->words[l][rank / 64] |= (uint64_t)1 << rank % 64;
}

static void
ranks_drop(struct rank_set *s, size_t rank)
{
    for (size_t l = 0; l < s->level_count; l++, rank /= 64) {
        s->words[l][rank / 64] &= ~((uint64_t)1 << rank % 64);
        if (s->words[l][rank / 64] != 0)
            break;
    }
}

static size_t
top_bit(uint64_t word)
{
    return 63 - (size_t)__builtin_clzll(word);
}

/* The largest one below `rank`, or SIZE_MAX. */
static size_t
ranks_below(const struct rank_set *s, size_t rank)
{
    for (size_t l = 0; l < s->level_count; l++, rank /= 64) {
        uint64_t word = rank % 64 ? s->words[l][rank / 64] << (64 - rank % 64) : 0;
        if (word == 0)
            continue;
        rank -= 64 - top_bit(word);
        while (l-- > 0)
            rank = rank * 64 + top_bit(s->words[l][rank]);
        return rank;
    }
    return SIZE_MAX;
}

/* ------------------------------------------------------------------ set-up */

static int
compare_edges(const void *a, const void *b)
{
    return bytes_compare(((const struct edge *)a)->key, ((const struct edge *)b)->key);
}

static int
compare_orders(const void *a, const void *b)
{
    uint64_t x = ((const struct order *)a)->seqno, y = ((const struct order *)b)->seqno;
    return (x > y) - (x < y);
}

static void
sweep_order(struct sweep *s)
{
    size_t stripe, before = SIZE_MAX;

    sort_items(s->order, s->count, sizeof(*s->order), compare_orders);
    for (size_t i = 0; i < s->count; i++, before = stripe) {
        s->rank[s->order[i].item] = i;
        stripe = lsm__stripe_of(s->o, s->order[i].seqno);
        s->stripe_begin[i] = i > 0 && stripe == before ? s->stripe_begin[i - 1] : i;
        if (stripe == 0 && (s->o->bottom || PLANTED(RANGE_EARLY)))
            s->hidden_count = i + 1;
    }
}

static basin_status
sweep_init(struct sweep *s, const struct range_tombstone *in, basin_error *err)
{
    basin_status st = BASIN_OK;

    s->edges = arena_alloc(&s->arena, 2 * s->count * sizeof(*s->edges));
    s->order = arena_alloc(&s->arena, s->count * sizeof(*s->order));
    s->rank = arena_alloc(&s->arena, s->count * sizeof(*s->rank));
    s->stripe_begin = arena_alloc(&s->arena, s->count * sizeof(*s->stripe_begin));
    if (s->edges == NULL || s->order == NULL || s->rank == NULL || s->stripe_begin == NULL ||
        !ranks_init(&s->here, s->count, &s->arena))
        FAIL(err, BASIN_NO_MEM, "no memory for %zu range tombstones", s->count);
    for (size_t i = 0; i < s->count; i++) {
        s->edges[s->edge_count++] = (struct edge){ in[i].begin, i, false };
        if (!in[i].unbounded)
            s->edges[s->edge_count++] = (struct edge){ in[i].end, i, true };
        s->order[i] = (struct order){ in[i].seqno, i };
    }
    sort_items(s->edges, s->edge_count, sizeof(*s->edges), compare_edges);
    sweep_order(s);
out:
    return st;
}

/* ------------------------------------------------------------------ sweeping */

static basin_status
sweep_emit(struct sweep *s, const struct range_tombstone *t, basin_error *err)
{
    const basin_allocator *mem = s->o->db->mem;
    size_t more = s->out_capacity ? s->out_capacity * 2 : 16;
    struct range_tombstone *p;

    if (s->out_count == s->out_capacity) {
        p = mem->resize(mem->ctx, s->out, s->out_capacity * sizeof(*p), more * sizeof(*p));
        if (p == NULL)
            return error_set(err, BASIN_NO_MEM, "no memory for %zu range tombstones", more);
        s->out = p;
        s->out_capacity = more;
    }
    s->out[s->out_count++] = *t;
    return BASIN_OK;
}

/* The fragments from `from` on say the same as those before them, which end where they begin. */
static bool
goes_on(const struct sweep *s, size_t from)
{
    size_t n = s->out_count - from;

    if (n == 0 || from - s->last != n || !bytes_equal(s->out[s->last].end, s->out[from].begin))
        return false;
    for (size_t i = 0; i < n; i++)
        if (s->out[s->last + i].seqno != s->out[from + i].seqno)
            return false;
    return true;
}

/* The keys from `begin` to `end` (NULL = all behind). */
static basin_status
sweep_place(struct sweep *s, struct bytes begin, const struct bytes *end, basin_error *err)
{
    basin_status st = BASIN_OK;
    size_t from = s->out_count, rank = s->count;
    struct range_tombstone t = { begin, end ? *end : BYTES_NULL, end == NULL, 0 };

    while ((rank = ranks_below(&s->here, rank)) != SIZE_MAX && rank >= s->hidden_count) {
        t.seqno = s->order[rank].seqno;
        TRY(sweep_emit(s, &t, err));
        rank = s->stripe_begin[rank];
    }
    if (goes_on(s, from)) {
        for (size_t i = s->last; i < from; i++) {
            s->out[i].end = t.end;
            s->out[i].unbounded = t.unbounded;
        }
        s->out_count = from;
    } else if (s->out_count > from) {
        s->last = from;
    }
out:
    return st;
}

/* All edges at one key; what begins first, for ranges that have nothing in them. */
static size_t
sweep_edges(struct sweep *s, size_t at)
{
    size_t end = at;

    for (; end < s->edge_count && bytes_equal(s->edges[end].key, s->edges[at].key); end++)
        if (!s->edges[end].ends)
            ranks_add(&s->here, s->rank[s->edges[end].item]);
    for (size_t i = at; i < end; i++)
        if (s->edges[i].ends)
            ranks_drop(&s->here, s->rank[s->edges[i].item]);
    return end;
}

/* The array has exactly the size that its owner frees. */
static basin_status
sweep_finish(struct sweep *s, basin_error *err)
{
    const basin_allocator *mem = s->o->db->mem;
    struct range_tombstone *p = NULL;

    if (s->out_count > 0) {
        p = mem->resize(mem->ctx, s->out, s->out_capacity * sizeof(*p), s->out_count * sizeof(*p));
        if (p == NULL)
            return error_set(err, BASIN_NO_MEM, "no memory for %zu range tombstones", s->out_count);
        s->out = p;
        s->out_capacity = s->out_count;
    }
    return BASIN_OK;
}

basin_status
lsm__rules_ranges(const struct rules_options *o, const struct range_tombstone *in, size_t count,
                  struct range_tombstone **out, size_t *out_count, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct sweep s = { .o = o, .count = count };

    *out = NULL;
    *out_count = 0;
    if (count == 0)
        return BASIN_OK;
    arena_init(&s.arena, o->db->mem, 4096);
    TRY(sweep_init(&s, in, err));
    for (size_t i = 0; i < s.edge_count;) {
        struct bytes begin = s.edges[i].key;
        i = sweep_edges(&s, i);
        TRY(sweep_place(&s, begin, i < s.edge_count ? &s.edges[i].key : NULL, err));
    }
    TRY(sweep_finish(&s, err));
    *out = s.out;
    *out_count = s.out_count;
    s.out = NULL;
out:
    mem_free(o->db->mem, s.out, s.out ? s.out_capacity * sizeof(*s.out) : 0);
    arena_release(&s.arena);
    return st;
}
