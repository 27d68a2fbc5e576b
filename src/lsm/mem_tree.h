// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Inside of the memtable: versions, records, tree nodes and the set of range tombstones.
 *
 * What a reader may meet is written before it is published by a release store and never changes
 * afterwards; the few fields that do change are atomic.
 *
 * (T1) a node uses its slots from 0 on; a slot is written once, before the order that shows it.
 * (T2) a node is replaced, never emptied: a replaced one keeps all that it held.
 * (T3) place 0 of an inner node is slot 0 and takes every key below the one of place 1.
 * (T4) the key of an inner place p > 0 is the smallest key under it; it is in the leaf for good.
 */
#ifndef LSM_MEM_TREE_H
#define LSM_MEM_TREE_H

#include "lsm/mem.h"

/* ------------------------------------------------------------------ versions and records */

enum {
    TAG_KIND = 0x03,
    TAG_LINKED = 0x40, /* a struct mem_link lies before it */
    TAG_FOLDED = 0x80, /* and before that a struct mem_sum */
    TAG_SEQNO_SHIFT = 8
};

struct mem_version {
    const struct mem_version *older;
    uint64_t tag; /* seqno << 8 | flags | kind */
    uint32_t size;
    uint8_t value[];
};

/* For a search by seqno in O(log n): a jump pointer as in Myers' random-access stack (1983). */
struct mem_link {
    const struct mem_version *jump;
    uint64_t depth;
};

struct mem_sum {
    const struct mem_version *below;
    const uint8_t *value;
    uint64_t size;
};

/* A key and its versions; the first version lies behind the key. */
struct mem_record {
    _Atomic(const struct mem_version *) newest;
    uint32_t key_size;
    uint8_t key[];
};

static inline uint64_t
version_seqno(const struct mem_version *v)
{
    return v->tag >> TAG_SEQNO_SHIFT;
}

static inline struct bytes
record_key(const struct mem_record *r)
{
    return bytes_of(r->key, r->key_size);
}

static inline size_t
record_version_at(size_t key_size)
{
    return (offsetof(struct mem_record, key) + key_size + 7) & ~(size_t)7;
}

static inline const struct mem_version *
record_oldest(const struct mem_record *r)
{
    return (const struct mem_version *)((const uint8_t *)r + record_version_at(r->key_size));
}

static inline const struct mem_version *
record_newest(const struct mem_record *r)
{
    return atomic_load_explicit(&r->newest, memory_order_acquire);
}

/* The newest of v and its elders with seqno <= snapshot, or NULL. */
const struct mem_version *mem__version_at(const struct mem_version *v, uint64_t snapshot);

/* ------------------------------------------------------------------ nodes */

enum { NODE_WIDTH = 15, NODE_HEAD = 19, NODE_ALIGN = 64, TREE_HEIGHT_MAX = 24 };

struct mem_node {
    _Atomic uint64_t order;     /* low nibble: count; nibble p + 1: slot of place p */
    _Atomic uint64_t seqno_max; /* leaf: of what was added under it */
    _Atomic(struct mem_node *) next, prev; /* leaf */
    const uint8_t *common;      /* bytes that all keys share; of place 1 and up in an inner node */
    uint16_t skip;              /* how many */
    uint8_t level;              /* 0 = leaf */
    uint8_t last;               /* writer: place of the last addition */
    uint8_t streak;             /* writer: additions in a row that went behind the one before */
    uint8_t head[NODE_HEAD];    /* copy of common when it is no longer than this */
    uint64_t prefix[NODE_WIDTH]; /* of the key behind common */
    const struct mem_record *record[NODE_WIDTH];
    _Atomic(struct mem_node *) child[NODE_WIDTH]; /* inner nodes only: leaves end before */
};
static_assert(offsetof(struct mem_node, prefix) == NODE_ALIGN, "the head is one cache line");

static inline unsigned
order_count(uint64_t order)
{
    return (unsigned)(order & 15);
}

static inline unsigned
order_slot(uint64_t order, unsigned place)
{
    return (unsigned)(order >> (4 * (place + 1))) & 15;
}

static inline uint64_t
node_order(const struct mem_node *n)
{
    return atomic_load_explicit(&n->order, memory_order_acquire);
}

static inline struct mem_node *
node_child(const struct mem_node *n, uint64_t order, unsigned place)
{
    return atomic_load_explicit(&n->child[order_slot(order, place)], memory_order_acquire);
}

static inline struct mem_node *
node_next(const struct mem_node *n)
{
    return atomic_load_explicit(&n->next, memory_order_acquire);
}

static inline struct mem_node *
node_prev(const struct mem_node *n)
{
    return atomic_load_explicit(&n->prev, memory_order_acquire);
}

/* ------------------------------------------------------------------ the memtable */

struct node_pool {
    uint8_t *next;
    size_t left;  /* nodes */
    size_t chunk; /* nodes of the next chunk */
};

struct range_set;

struct memtable {
    /* immutable */
    const basin_allocator *mem;
    const struct mem_fold *fold;

    /* atomic */
    _Atomic uint32_t ref_count;
    _Atomic(struct mem_node *) root;
    _Atomic(struct range_set *) ranges; /* NULL: none */
    _Atomic size_t used;
    _Atomic uint64_t entries, range_count, seqno_min, seqno_max;

    /* writer only */
    struct arena arena;
    struct node_pool leaves, inners;
    struct mem_node *hint; /* leaf that got the last addition, at its end, or NULL */
    struct buf scratch;    /* of folding */
};

/* A way from the root to a leaf, for the writer. path[0] is the leaf. */
struct mem_step {
    struct mem_node *node;
    unsigned place; /* of the child; in the leaf: where the key is or belongs */
};
struct mem_path {
    struct mem_step step[TREE_HEIGHT_MAX];
    unsigned height;
};

basin_status mem__tree_init(struct memtable *m);
/* The leaf that holds or would hold key. */
struct mem_node *mem__leaf_of(const struct memtable *m, struct bytes key);
/* Keys in the leaf that are smaller; *equal: the key is at that place. */
unsigned mem__rank(const struct mem_node *leaf, uint64_t order, struct bytes key, bool *equal);
/* The record of key, or NULL; then path is the way to its place. */
const struct mem_record *mem__locate(struct memtable *m, struct bytes key, struct mem_path *path);
/* Puts a new record where mem__locate said. NO_MEM leaves everything unchanged. */
basin_status mem__insert(struct memtable *m, struct mem_path *path,
                         const struct mem_record *record);

/* Whether a range tombstone with seqno > since meets [begin, end). */
bool mem__ranges_changed(const struct memtable *m, struct bytes begin, struct bytes end,
                         bool unbounded, uint64_t since);

#endif
