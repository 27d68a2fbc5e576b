// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The raw cursor over a memtable. It works on the order of a leaf as it was when it came to the
 * leaf: what is added later has a seqno above every snapshot that was taken before, and a leaf that
 * is replaced meanwhile keeps what it held and its neighbours (T2).
 * Records are prefetched a leaf ahead, since their places in memory have nothing to do with order:
 * into the second level, for the first has too few buffers for a whole leaf at once.
 */
#include "lsm/mem_tree.h"

struct mem_cursor {
    struct icur base;
    const struct memtable *m;
    const basin_allocator *mem;
    const struct mem_node *leaf;
    uint64_t order;
    unsigned place;
    const struct mem_record *record;
    const struct mem_version *version;
};

static struct mem_cursor *
cursor_of(struct icur *c)
{
    return (struct mem_cursor *)(void *)c;
}

static void
show_version(struct mem_cursor *c, const struct mem_version *v)
{
    c->version = v;
    mem_version_entry(v, &c->base.entry);
}

/* At the record of this place; v is one of its versions. */
static void
show(struct mem_cursor *c, const struct mem_record *r, const struct mem_version *v)
{
    c->record = r;
    c->base.entry.key = record_key(r);
    c->base.prefix = key_prefix(c->base.entry.key);
    c->base.valid = true;
    show_version(c, v);
}

static inline const struct mem_record *
record_at(const struct mem_cursor *c)
{
    return c->leaf->record[order_slot(c->order, c->place)];
}

static void
prefetch_records(const struct mem_node *leaf)
{
    unsigned count = order_count(node_order(leaf));

    for (unsigned i = 0; i < count; i++) {
        __builtin_prefetch(leaf->record[i], 0, 2);
        __builtin_prefetch((const char *)leaf->record[i] + NODE_ALIGN, 0, 2);
    }
}

static void
prefetch_leaf(const struct mem_node *leaf)
{
    for (size_t at = 0; at < offsetof(struct mem_node, child); at += NODE_ALIGN)
        __builtin_prefetch((const char *)leaf + at);
}

static void
enter(struct mem_cursor *c, const struct mem_node *leaf)
{
    c->leaf = leaf;
    c->order = node_order(leaf);
}

/* To the first record behind the leaf. */
static const struct mem_record *
step_leaf(struct mem_cursor *c)
{
    const struct mem_node *leaf = node_next(c->leaf), *next;

    c->base.valid = false;
    if (leaf == NULL)
        return NULL;
    enter(c, leaf);
    c->place = 0;
    next = node_next(leaf);
    if (next != NULL) {
        prefetch_records(next);
        next = node_next(next);
        if (next != NULL)
            prefetch_leaf(next);
    }
    return record_at(c);
}

static const struct mem_record *
step_leaf_back(struct mem_cursor *c)
{
    const struct mem_node *leaf = node_prev(c->leaf), *prev;

    c->base.valid = false;
    if (leaf == NULL)
        return NULL;
    enter(c, leaf);
    c->place = order_count(c->order) - 1;
    prev = node_prev(leaf);
    if (prev != NULL) {
        prefetch_records(prev);
        prev = node_prev(prev);
        if (prev != NULL)
            prefetch_leaf(prev);
    }
    return record_at(c);
}

static const struct mem_record *
next_record(struct mem_cursor *c)
{
    if (UNLIKELY(++c->place >= order_count(c->order)))
        return step_leaf(c);
    return record_at(c);
}

static const struct mem_record *
prev_record(struct mem_cursor *c)
{
    if (UNLIKELY(c->place == 0))
        return step_leaf_back(c);
    c->place--;
    return record_at(c);
}

/* ------------------------------------------------------------------ steps */

static void
mem_next_key(struct icur *base)
{
    struct mem_cursor *c = cursor_of(base);
    const struct mem_record *r = next_record(c);

    if (r != NULL)
        show(c, r, record_newest(r));
}

static void
mem_prev_key(struct icur *base)
{
    struct mem_cursor *c = cursor_of(base);
    const struct mem_record *r = prev_record(c);

    if (r != NULL)
        show(c, r, record_oldest(r));
}

static bool
mem_newest(const struct icur *base, uint64_t snapshot, struct entry *found)
{
    const struct mem_cursor *c = (const struct mem_cursor *)(const void *)base;
    const struct mem_version *v = mem__version_at(record_newest(c->record), snapshot);

    if (v == NULL)
        return false;
    found->key = base->entry.key;
    mem_version_entry(v, found);
    return true;
}

static basin_status
mem_next(struct icur *base, basin_error *err)
{
    struct mem_cursor *c = cursor_of(base);

    (void)err;
    if (!base->valid)
        return BASIN_OK;
    if (c->version->older == NULL)
        mem_next_key(base);
    else
        show_version(c, c->version->older);
    return BASIN_OK;
}

static basin_status
mem_prev(struct icur *base, basin_error *err)
{
    struct mem_cursor *c = cursor_of(base);
    const struct mem_version *v;

    (void)err;
    if (!base->valid)
        return BASIN_OK;
    v = record_newest(c->record);
    if (v == c->version) {
        mem_prev_key(base);
        return BASIN_OK;
    }
    while (v->older != c->version) { /* by jumps to the one above the current one */
        const struct mem_version *jump = NULL;
        if (v->tag & TAG_LINKED)
            jump = ((const struct mem_link *)(const void *)v - 1)->jump;
        v = jump && version_seqno(jump) > version_seqno(c->version) ? jump : v->older;
    }
    show_version(c, v);
    return BASIN_OK;
}

/* ------------------------------------------------------------------ places */

static void
note_ranges(struct mem_cursor *c)
{
    c->base.has_ranges = memtable_range_count(c->m) > 0;
}

static basin_status
mem_first(struct icur *base, basin_error *err)
{
    struct mem_cursor *c = cursor_of(base);

    (void)err;
    note_ranges(c);
    base->valid = false;
    enter(c, mem__leaf_of(c->m, BYTES_NULL));
    c->place = 0;
    if (order_count(c->order) > 0)
        show(c, record_at(c), record_newest(record_at(c)));
    return BASIN_OK;
}

static basin_status
mem_last(struct icur *base, basin_error *err)
{
    struct mem_cursor *c = cursor_of(base);
    const struct mem_node *n = atomic_load_explicit(&c->m->root, memory_order_acquire), *next;
    uint64_t order;

    (void)err;
    note_ranges(c);
    base->valid = false;
    for (; n->level > 0; n = node_child(n, order, order_count(order) - 1))
        order = node_order(n);
    for (next = node_next(n); next != NULL; next = node_next(n))
        n = next;
    enter(c, n);
    c->place = order_count(c->order);
    if (c->place > 0) {
        c->place--;
        show(c, record_at(c), record_oldest(record_at(c)));
    }
    return BASIN_OK;
}

/* Whether the leaf that the cursor stands in decides where key belongs; then *place does. */
static bool
near_by(const struct mem_cursor *c, struct bytes key, unsigned *place, bool *equal)
{
    if (!c->base.valid)
        return false;
    *place = mem__rank(c->leaf, c->order, key, equal);
    return *equal || (*place > 0 && *place < order_count(c->order));
}

/* To the place of key; *equal: it is there. Else the place may be behind the last of the leaf. */
static void
find_place(struct mem_cursor *c, struct bytes key, bool *equal)
{
    note_ranges(c);
    if (near_by(c, key, &c->place, equal))
        return;
    enter(c, mem__leaf_of(c->m, key));
    c->place = mem__rank(c->leaf, c->order, key, equal);
}

static basin_status
mem_seek_ge(struct icur *base, struct bytes key, uint64_t snapshot, basin_error *err)
{
    struct mem_cursor *c = cursor_of(base);
    const struct mem_record *r;
    const struct mem_version *v;
    bool equal;

    (void)err;
    find_place(c, key, &equal);
    base->valid = false;
    if (equal) {
        r = record_at(c);
        v = mem__version_at(record_newest(r), snapshot);
        if (v != NULL) {
            show(c, r, v);
            return BASIN_OK;
        }
        r = next_record(c);
    } else {
        r = c->place < order_count(c->order) ? record_at(c) : step_leaf(c);
    }
    if (r != NULL)
        show(c, r, record_newest(r));
    return BASIN_OK;
}

static basin_status
mem_seek_le(struct icur *base, struct bytes key, basin_error *err)
{
    struct mem_cursor *c = cursor_of(base);
    const struct mem_record *r;
    bool equal;

    (void)err;
    find_place(c, key, &equal);
    base->valid = false;
    r = equal ? record_at(c) : prev_record(c);
    if (r != NULL)
        show(c, r, record_oldest(r));
    return BASIN_OK;
}

static basin_status
mem_covering(struct icur *base, struct bytes key, uint64_t snapshot, struct range_cover *cover,
             basin_error *err)
{
    (void)err;
    (void)memtable_covering(cursor_of(base)->m, key, snapshot, cover);
    return BASIN_OK;
}

static void
mem_close(struct icur *base)
{
    struct mem_cursor *c = cursor_of(base);

    mem_free(c->mem, c, sizeof(*c));
}

static const struct icur_ops mem_ops = {
    .first = mem_first,
    .last = mem_last,
    .seek_ge = mem_seek_ge,
    .seek_le = mem_seek_le,
    .next = mem_next,
    .prev = mem_prev,
    .covering = mem_covering,
    .close = mem_close,
    .next_key = mem_next_key,
    .prev_key = mem_prev_key,
    .newest = mem_newest,
};

basin_status
memtable_cursor(struct memtable *m, const basin_allocator *mem, struct icur **out,
                basin_error *err)
{
    struct mem_cursor *c = mem_new(mem, sizeof(*c));

    *out = NULL;
    if (c == NULL)
        return error_set(err, BASIN_NO_MEM, "no memory for a cursor");
    c->base.ops = &mem_ops;
    c->base.stable = true;
    c->m = m;
    c->mem = mem;
    note_ranges(c);
    *out = &c->base;
    return BASIN_OK;
}
