// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The tree of the memtable: a B+tree of nodes of 15 slots, read without locks beside one writer.
 * The permutation in one word is from Masstree (Mao, Kohler, Morris: EuroSys 2012); it differs in
 * that slots are written once and nodes are replaced instead of versioned, inner nodes too, so that
 * readers never wait. What readers stand on stays until the memtable goes.
 *
 * Change of a node, the new nodes being complete before any of this:
 *
 *   room in it                write a free slot, publish the order
 *   key outside of its common copy with a shorter common part, put in place of the node
 *   full, a streak at its end a node behind it with the new key alone
 *   full                      two nodes in place of the node: cut behind a streak, or in the middle
 *
 * The parent first gets the right node as an addition, and then the left one in place of the old:
 * between the two the old node still answers for the left half. A reader that took the order from
 * before and the child from after would miss the right half, so it looks at the order again; that
 * changes 15 times in the life of a node. Additions go up level by level.
 *
 * The common part of a node comes from what it holds when it is made, less NODE_SLACK bytes, so
 * that neighbours seldom force a copy. It is compared in full: a key may lie outside of it.
 */
#include "lsm/mem_tree.h"

enum {
    NODE_SLACK = 4,   /* bytes that a common part stays short of what it could be */
    STREAK_MIN = 8,   /* ascending additions in a row that are taken for a load in order */
    SAME_MIN = 4,     /* keys with equal prefixes that make a node worth a longer common part */
    CHUNK_MAX = 16    /* nodes per allocation */
};

/* ------------------------------------------------------------------ search */

/* < 0: key lies before all keys with the common part, > 0: behind them, 0: *window is its prefix
 * behind that part. */
static inline int
node_window(const struct mem_node *n, struct bytes key, uint64_t *window)
{
    size_t skip = n->skip;
    int c;

    if (skip == 0) {
        *window = key_prefix(key);
        return 0;
    }
    const uint8_t *common = skip <= NODE_HEAD ? n->head : n->common;
    if (UNLIKELY(key.size < skip)) {
        c = key.size ? memcmp(key.data, common, key.size) : 0;
        return c ? c : -1;
    }
    c = memcmp(key.data, common, skip);
    if (c == 0)
        *window = key_prefix(bytes_of(key.data + skip, key.size - skip));
    return c;
}

/* Binary search among `same` places from `place` on, whose prefixes equal that of key. */
static unsigned
rank_same(const struct mem_node *n, uint64_t order, unsigned place, unsigned same,
          struct bytes key, bool *equal)
{
    while (same > 0) {
        unsigned half = same / 2;
        const struct mem_record *r = n->record[order_slot(order, place + half)];
        int c = bytes_compare(record_key(r), key);
        if (c == 0) {
            *equal = true;
            return place + half;
        }
        if (c < 0) {
            place += half + 1;
            same -= half + 1;
        } else {
            same = half;
        }
    }
    return place;
}

unsigned
mem__rank(const struct mem_node *leaf, uint64_t order, struct bytes key, bool *equal)
{
    unsigned count = order_count(order), less = 0, same = 0;
    uint64_t window = 0;
    int c = node_window(leaf, key, &window);

    *equal = false;
    if (UNLIKELY(c != 0))
        return c < 0 ? 0 : count;
    for (unsigned i = 0; i < count; i++) {
        less += leaf->prefix[i] < window;
        same += leaf->prefix[i] == window;
    }
    return same ? rank_same(leaf, order, less, same, key, equal) : less;
}

/* Place of the child that answers for key. */
static unsigned
child_place(const struct mem_node *n, uint64_t order, struct bytes key)
{
    unsigned count = order_count(order), less = 0, same = 0;
    uint64_t window = 0;
    bool equal = false;
    int c = node_window(n, key, &window);

    if (UNLIKELY(c != 0))
        return c < 0 ? 0 : count - 1;
    for (unsigned i = 1; i < count; i++) {
        less += n->prefix[i] < window;
        same += n->prefix[i] == window;
    }
    if (same)
        less = rank_same(n, order, less + 1, same, key, &equal) - 1 + equal;
    return less;
}

static inline void
prefetch_node(const struct mem_node *n)
{
    const char *p = (const char *)n;

    for (size_t at = 0; at < offsetof(struct mem_node, child); at += NODE_ALIGN)
        __builtin_prefetch(p + at);
}

struct mem_node *
mem__leaf_of(const struct memtable *m, struct bytes key)
{
    struct mem_node *n = atomic_load_explicit(&m->root, memory_order_acquire);

    while (n->level > 0) {
        uint64_t order = node_order(n);
        struct mem_node *child = node_child(n, order, child_place(n, order, key));
        prefetch_node(child);
        if (LIKELY(node_order(n) == order))
            n = child;
    }
    return n;
}

/* Whether key belongs behind all of the hint leaf and before the next leaf. */
static bool
appends_to_hint(const struct memtable *m, struct bytes key)
{
    const struct mem_node *leaf = m->hint, *next;
    uint64_t order;
    bool equal;

    if (leaf == NULL || order_count(order = node_order(leaf)) == NODE_WIDTH)
        return false;
    if (mem__rank(leaf, order, key, &equal) < order_count(order))
        return false;
    next = node_next(leaf);
    if (next == NULL)
        return true;
    return bytes_compare(key, record_key(next->record[order_slot(node_order(next), 0)])) < 0;
}

const struct mem_record *
mem__locate(struct memtable *m, struct bytes key, struct mem_path *path)
{
    struct mem_node *n;
    uint64_t order;
    unsigned place;
    bool equal;

    if (appends_to_hint(m, key)) {
        path->height = 1;
        path->step[0] = (struct mem_step){ m->hint, order_count(node_order(m->hint)) };
        return NULL;
    }
    n = atomic_load_explicit(&m->root, memory_order_relaxed);
    path->height = n->level + 1u;
    for (; n->level > 0; n = node_child(n, order, place)) {
        order = node_order(n);
        place = child_place(n, order, key);
        path->step[n->level] = (struct mem_step){ n, place };
        prefetch_node(node_child(n, order, place));
    }
    order = node_order(n);
    place = mem__rank(n, order, key, &equal);
    path->step[0] = (struct mem_step){ n, place };
    return equal ? n->record[order_slot(order, place)] : NULL;
}

/* ------------------------------------------------------------------ making nodes */

static size_t
node_size(unsigned level)
{
    size_t size = level ? sizeof(struct mem_node) : offsetof(struct mem_node, child);
    return (size + NODE_ALIGN - 1) & ~(size_t)(NODE_ALIGN - 1);
}

/* Makes sure that n nodes can be taken. */
static bool
pool_reserve(struct memtable *m, struct node_pool *pool, unsigned level, size_t n)
{
    size_t count, size = node_size(level);
    uint8_t *p;

    if (pool->left >= n)
        return true;
    count = MAX_OF(n, pool->chunk);
    p = arena_alloc(&m->arena, count * size + NODE_ALIGN - 8);
    if (p == NULL)
        return false;
    pool->next = (uint8_t *)(((uintptr_t)p + NODE_ALIGN - 1) & ~(uintptr_t)(NODE_ALIGN - 1));
    pool->left = count;
    pool->chunk = MIN_OF(pool->chunk * 2, (size_t)CHUNK_MAX);
    return true;
}

static struct mem_node *
node_take(struct memtable *m, unsigned level)
{
    struct node_pool *pool = level ? &m->inners : &m->leaves;
    struct mem_node *n = (struct mem_node *)(void *)pool->next;

    must(pool->left > 0);
    pool->left--;
    pool->next += node_size(level);
    memset(n, 0, node_size(level));
    n->level = (uint8_t)level;
    return n;
}

/* What lies at a place: a record, and in inner nodes the child under it. */
struct item {
    const struct mem_record *record; /* NULL at place 0 of an inner node */
    struct mem_node *child;
};

/* How many bytes keys from first to last should skip. */
static size_t
useful_skip(struct bytes first, struct bytes last)
{
    size_t shared = bytes_shared(first, last);
    return shared > NODE_SLACK ? shared - NODE_SLACK : 0;
}

static void
node_set_common(struct mem_node *n, struct bytes key, size_t skip)
{
    n->skip = (uint16_t)skip;
    n->common = key.data;
    if (skip > 0 && skip <= NODE_HEAD)
        memcpy(n->head, key.data, skip);
}

static void
node_put(struct mem_node *n, unsigned slot, struct item item)
{
    struct bytes key = BYTES_NULL;

    if (item.record != NULL) {
        key = record_key(item.record);
        key = bytes_of(key.data + n->skip, key.size - n->skip);
    }
    n->prefix[slot] = key_prefix(key);
    n->record[slot] = item.record;
    if (n->level > 0)
        atomic_store_explicit(&n->child[slot], item.child, memory_order_relaxed);
}

/* A node of these items in order; skip SIZE_MAX: what is useful for them. */
static struct mem_node *
node_make(struct memtable *m, unsigned level, const struct item *items, unsigned count,
          size_t skip)
{
    struct mem_node *n = node_take(m, level);
    unsigned first = level ? 1 : 0;
    uint64_t order = count;

    if (count > first) {
        struct bytes key = record_key(items[first].record);
        if (skip == SIZE_MAX && count > first + 1)
            skip = useful_skip(key, record_key(items[count - 1].record));
        node_set_common(n, key, skip == SIZE_MAX ? 0 : skip);
    }
    for (unsigned i = 0; i < count; i++) {
        struct item item = items[i];
        if (i < first)
            item.record = NULL;
        node_put(n, i, item);
        order |= (uint64_t)i << (4 * (i + 1));
    }
    atomic_store_explicit(&n->order, order, memory_order_relaxed);
    return n;
}

/* The items of n with one more at `place`, and `left`, when not NULL, under the one before. */
static unsigned
node_items(const struct mem_node *n, unsigned place, struct item add, struct mem_node *left,
           struct item *items)
{
    uint64_t order = node_order(n);
    unsigned count = order_count(order), to = 0;

    for (unsigned i = 0; i <= count; i++) {
        if (i == place)
            items[to++] = add;
        if (i < count) {
            unsigned slot = order_slot(order, i);
            items[to++] = (struct item){ n->record[slot],
                                         n->level ? node_child(n, order, i) : NULL };
        }
    }
    if (left != NULL)
        items[place - 1].child = left;
    return to;
}

/* ------------------------------------------------------------------ insertion */

/* What one level asks of the level above: `right` behind the child, `left` in place of it. */
struct change {
    struct item right;     /* child NULL: none */
    struct mem_node *left; /* NULL: the child stays */
};

static void
link_leaves(struct mem_node *old, struct mem_node *first, struct mem_node *last)
{
    struct mem_node *prev = old == first ? NULL : node_prev(old), *next = node_next(old);

    if (first != last && last != NULL) {
        atomic_store_explicit(&last->prev, first, memory_order_relaxed);
        atomic_store_explicit(&last->next, next, memory_order_relaxed);
    }
    if (first != old) {
        atomic_store_explicit(&first->prev, prev, memory_order_relaxed);
        atomic_store_explicit(&first->next, last == first ? next : last, memory_order_relaxed);
        if (prev != NULL)
            atomic_store_explicit(&prev->next, first, memory_order_release);
    } else {
        atomic_store_explicit(&old->next, last, memory_order_release);
    }
    if (next != NULL)
        atomic_store_explicit(&next->prev, last, memory_order_release);
}

/* Whether all prefixes of the node equal that of the new key, so that they tell nothing. */
static bool
prefixes_useless(const struct mem_node *n, uint64_t order, struct bytes key, uint64_t window)
{
    unsigned first = n->level ? 1 : 0, count = order_count(order);
    size_t skip;

    if (count < first + SAME_MIN)
        return false;
    if (n->prefix[order_slot(order, first)] != window ||
        n->prefix[order_slot(order, count - 1)] != window)
        return false;
    skip = useful_skip(key, record_key(n->record[order_slot(order, first)]));
    return skip > n->skip &&
           useful_skip(key, record_key(n->record[order_slot(order, count - 1)])) > n->skip;
}

static bool
add_in_place(struct mem_node *n, unsigned place, const struct change *change)
{
    uint64_t order = node_order(n), low, window;
    unsigned count = order_count(order);
    struct bytes key = record_key(change->right.record);

    if (count == NODE_WIDTH || node_window(n, key, &window) != 0 ||
        prefixes_useless(n, order, key, window))
        return false;
    node_put(n, count, change->right);
    low = (UINT64_C(1) << (4 * (place + 1))) - 1;
    order = ((order & low) + 1) | (uint64_t)count << (4 * (place + 1)) | (order & ~low) << 4;
    atomic_store_explicit(&n->order, order, memory_order_release);
    if (change->left != NULL)
        atomic_store_explicit(&n->child[order_slot(order, place - 1)], change->left,
                              memory_order_release);
    n->streak = place == n->last + 1u ? (uint8_t)MIN_OF(n->streak + 1, 255) : 0;
    n->last = (uint8_t)place;
    return true;
}

/* Where a full node with its addition is cut: keys that come in order fill what they leave. */
static unsigned
cut_at(const struct mem_node *n, unsigned place)
{
    bool streak = place == n->last + 1u && n->streak >= STREAK_MIN;

    if (!streak)
        return (NODE_WIDTH + 1) / 2;
    return place == NODE_WIDTH ? NODE_WIDTH : place + 1;
}

/* The new node goes on with the streak of the old one if it got the addition. */
static void
pass_streak(struct mem_node *to, const struct mem_node *n, unsigned place, unsigned first,
            unsigned count)
{
    bool in_order = place == n->last + 1u;

    if (place >= first && place < first + count && in_order) {
        to->streak = n->streak;
        to->last = (uint8_t)(place - first);
    }
}

/* The old node with the addition as one or two new nodes; *up says what the parent does. */
static void
add_by_copy(struct memtable *m, struct mem_node *n, unsigned place, struct change *change,
            struct change *up)
{
    struct item items[NODE_WIDTH + 1];
    unsigned count = node_items(n, place, change->right, change->left, items);
    unsigned cut = count <= NODE_WIDTH ? count : cut_at(n, place);
    struct mem_node *left, *right;

    *up = (struct change){ 0 };
    if (place == NODE_WIDTH && cut == NODE_WIDTH && change->left == NULL) {
        size_t skip = useful_skip(record_key(items[cut - 1].record),
                                  record_key(items[cut].record));
        left = n;
        right = node_make(m, n->level, items + cut, 1, n->level ? SIZE_MAX : skip);
    } else {
        left = right = node_make(m, n->level, items, cut, SIZE_MAX);
        pass_streak(left, n, place, 0, cut);
        up->left = left;
        if (cut < count)
            right = node_make(m, n->level, items + cut, count - cut, SIZE_MAX);
    }
    if (right != left) {
        pass_streak(right, n, place, cut, count - cut);
        up->right = (struct item){ items[cut].record, right };
    }
    if (left == n)
        n->streak = 0; /* what comes between it and the right one goes on with no streak */
    if (n->level == 0) {
        uint64_t seqno = atomic_load_explicit(&n->seqno_max, memory_order_relaxed);
        atomic_store_explicit(&left->seqno_max, seqno, memory_order_relaxed);
        atomic_store_explicit(&right->seqno_max, seqno, memory_order_relaxed);
        link_leaves(n, left, right);
    }
}

static void
grow_root(struct memtable *m, struct mem_node *old, const struct change *up)
{
    struct item items[2] = { { NULL, up->left ? up->left : old }, up->right };
    struct mem_node *root = up->left;

    if (up->right.child != NULL)
        root = node_make(m, old->level + 1u, items, 2, SIZE_MAX);
    atomic_store_explicit(&m->root, root, memory_order_release);
}

/* Nodes for the worst that this insertion can lead to. */
static bool
reserve_nodes(struct memtable *m, const struct mem_path *path)
{
    unsigned level = 1;
    size_t inners = 1; /* a new root, or a copy of the first one with room */

    for (; level < path->height; level++) {
        if (order_count(node_order(path->step[level].node)) < NODE_WIDTH)
            break;
        inners += 2;
    }
    return pool_reserve(m, &m->leaves, 0, 2) && pool_reserve(m, &m->inners, 1, inners);
}

basin_status
mem__insert(struct memtable *m, struct mem_path *path, const struct mem_record *record)
{
    struct change change = { .right = { record, NULL } }, up;
    struct mem_node *leaf = path->step[0].node, *n;
    unsigned level = 0, place = path->step[0].place;
    bool at_end = place == order_count(node_order(leaf));

    m->hint = NULL;
    if (add_in_place(leaf, place, &change)) {
        m->hint = at_end ? leaf : NULL;
        return BASIN_OK;
    }
    if (path->height <= level + 1) /* the hint knows no way */
        (void)mem__locate(m, record_key(record), path);
    if (!reserve_nodes(m, path))
        return BASIN_NO_MEM;
    for (;;) {
        n = path->step[level].node;
        if (add_in_place(n, place, &change))
            break;
        add_by_copy(m, n, place, &change, &up);
        level++;
        if (level == path->height) {
            grow_root(m, n, &up);
            break;
        }
        place = path->step[level].place + 1;
        change = up;
        if (change.right.child == NULL) { /* only replaced */
            struct mem_node *parent = path->step[level].node;
            unsigned slot = order_slot(node_order(parent), place - 1);
            atomic_store_explicit(&parent->child[slot], change.left, memory_order_release);
            break;
        }
    }
    return BASIN_OK;
}

basin_status
mem__tree_init(struct memtable *m)
{
    m->leaves.chunk = m->inners.chunk = 1;
    if (!pool_reserve(m, &m->leaves, 0, 1))
        return BASIN_NO_MEM;
    atomic_init(&m->root, node_take(m, 0));
    m->leaves.chunk = 2;
    return BASIN_OK;
}
