// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Private: an open stratum, and how its blocks are reached.
 *
 * A block is either in view (the source is mapped, or the block is in the tail that a reader keeps)
 * and stored plain: then it is used where it lies, checked at its first touch. Or it is loaded into
 * a frame: of the cache, or private when there is none.
 */
#ifndef STRATUM_READER_H
#define STRATUM_READER_H

#include "stratum/cache.h"
#include "stratum/footer.h"
#include "stratum/prefix.h"

struct stratum {
    struct source *source;
    struct stratum_read_options options;
    struct block_form form;
    struct footer footer;
    uint64_t seqno_base; /* what is shown is larger than what is stored by this */
    struct stratum_summary summary;
    struct bytes meta;
    struct prefix_list prefixes;

    const uint8_t *view; /* the object's bytes [view_at, size), or NULL */
    uint64_t view_at;
    uint8_t *tail; /* when the view is owned */
    size_t tail_size;

    _Atomic uint64_t *checked; /* one bit per block in view that was checked */
    size_t checked_words;
    cache_slot *slots; /* one per block; NULL when everything is in view or no cache */
    size_t slots_count;
    size_t blocks; /* leaves, index blocks and filters */

    struct node root; /* when footer.leaves != 0 */
    struct frame *root_pin;
    struct frame *props_pin;
    struct frame *ranges_pin;
    struct range_tombstone *ranges;
    size_t ranges_count;
};

/* Data of one block. */
struct page {
    const uint8_t *data;
    size_t size;
    struct frame *pin; /* NULL when in view */
    uint8_t kind;
};

/* Which block: its kind, its number among that kind, its place. */
struct block_id {
    enum block_kind kind; /* BLOCK_LEAF, BLOCK_INDEX or BLOCK_FILTER */
    uint64_t number;
    uint64_t at;
    uint32_t size;
};

basin_status stratum__pin(struct stratum *s, const struct block_id *b, struct page *out,
                          basin_error *err);
static inline void
stratum__unpin(struct page *p)
{
    frame_unpin(p->pin);
    *p = (struct page){ 0 };
}

/* The index block of a group, opened. */
basin_status stratum__pin_index(struct stratum *s, uint32_t group, struct page *page,
                                struct node *node, basin_error *err);
/* Leaf i of an index block, opened. */
basin_status stratum__pin_leaf(struct stratum *s, const struct node *index, uint32_t i,
                               struct page *page, struct leaf *leaf, basin_error *err);
/* Asks for the first lines of what lies at a place in view, ahead of their use. A get or a step is
 * mostly waiting for memory: what is known to be needed is asked for together. */
enum { LINE_SIZE = 64 };
static inline void
stratum__prefetch(const struct stratum *s, uint64_t at, unsigned lines)
{
    if (s->view == NULL || at < s->view_at || at >= s->footer.root_at)
        return; /* a damaged fence may say anything */
    for (unsigned i = 0; i < lines; i++)
        __builtin_prefetch(s->view + (at - s->view_at) + (size_t)i * LINE_SIZE);
}
/* The filter partition of a group; only when it has one. */
basin_status stratum__pin_filter(struct stratum *s, uint32_t group, struct page *page,
                                 basin_error *err);
bool stratum__filter_has(const struct stratum *s, uint32_t group, const struct page *filter,
                         uint64_t hash);

/* Adds to a counter that many threads share; an update may be lost under contention. */
static inline void
count_fast(_Atomic uint64_t *counter)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}
#define COUNT(s, field)                                \
    do {                                               \
        if ((s)->options.counters)                     \
            count_fast(&(s)->options.counters->field); \
    } while (0)

static inline void
stratum__count_compares(const struct stratum *s, uint64_t n)
{
#ifdef BASIN_DEBUG
    if (s->options.counters)
        atomic_fetch_add_explicit(&s->options.counters->key_compares, n, memory_order_relaxed);
#else
    (void)s;
    (void)n;
#endif
}

#endif
