// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The memtable: its life, additions, and lookups of one key.
 *
 * A version is written whole and then published: the first one with its key by the tree, a later
 * one by the key's `newest`. A version behind the first carries a jump pointer, so that an old
 * snapshot of a key that was overwritten a million times is found in 40 steps.
 *
 * An operand on top of an operand carries, beside itself, the sum of both (E64), and a pointer past
 * what is in the sum: a reader at its seqno or later takes the sum, one at an earlier seqno never
 * gets there. Nothing is folded across a range tombstone, or when the operator declines.
 */
#include "lsm/mem_tree.h"

enum { ARENA_SIZE_MIN = 1024, SUM_MAX = 256 };

basin_status
memtable_new(const basin_allocator *mem, const struct mem_fold *fold, struct memtable **out,
             basin_error *err)
{
    basin_status st = BASIN_OK;
    struct memtable *m = mem_new(mem, sizeof(*m));

    *out = NULL;
    if (m == NULL)
        FAIL(err, BASIN_NO_MEM, "no memory for a memtable");
    m->mem = mem;
    m->fold = fold;
    atomic_init(&m->ref_count, 1);
    arena_init(&m->arena, mem, ARENA_SIZE_MIN);
    buf_init(&m->scratch, mem);
    if (mem__tree_init(m) != BASIN_OK) {
        memtable_unref(m);
        FAIL(err, BASIN_NO_MEM, "no memory for a memtable");
    }
    atomic_init(&m->used, sizeof(*m) + m->arena.used);
    *out = m;
out:
    return st;
}

void
memtable_ref(struct memtable *m)
{
    atomic_fetch_add_explicit(&m->ref_count, 1, memory_order_relaxed);
}

void
memtable_unref(struct memtable *m)
{
    if (m == NULL || atomic_fetch_sub_explicit(&m->ref_count, 1, memory_order_acq_rel) != 1)
        return;
    arena_release(&m->arena);
    buf_release(&m->scratch);
    mem_free(m->mem, m, sizeof(*m));
}

size_t
memtable_used(const struct memtable *m)
{
    return atomic_load_explicit(&m->used, memory_order_relaxed);
}

uint64_t
memtable_entries(const struct memtable *m)
{
    return atomic_load_explicit(&m->entries, memory_order_relaxed);
}

uint64_t
memtable_range_count(const struct memtable *m)
{
    return atomic_load_explicit(&m->range_count, memory_order_relaxed);
}

uint64_t
memtable_seqno_min(const struct memtable *m)
{
    return atomic_load_explicit(&m->seqno_min, memory_order_relaxed);
}

uint64_t
memtable_seqno_max(const struct memtable *m)
{
    return atomic_load_explicit(&m->seqno_max, memory_order_relaxed);
}

/* ------------------------------------------------------------------ versions */

const struct mem_version *
mem__version_at(const struct mem_version *v, uint64_t snapshot)
{
    while (v != NULL && version_seqno(v) > snapshot) {
        const struct mem_version *jump = NULL;
        if (v->tag & TAG_LINKED)
            jump = ((const struct mem_link *)(const void *)v - 1)->jump;
        v = jump != NULL && version_seqno(jump) > snapshot ? jump : v->older;
    }
    return v;
}

static uint64_t
version_depth(const struct mem_version *v)
{
    return v->tag & TAG_LINKED ? ((const struct mem_link *)(const void *)v - 1)->depth : 0;
}

static const struct mem_version *
version_jump(const struct mem_version *v)
{
    return v->tag & TAG_LINKED ? ((const struct mem_link *)(const void *)v - 1)->jump : v;
}

static struct mem_link
link_above(const struct mem_version *v)
{
    const struct mem_version *jump = version_jump(v), *far = version_jump(jump);
    uint64_t near_by = version_depth(v) - version_depth(jump);
    uint64_t far_by = version_depth(jump) - version_depth(far);

    return (struct mem_link){ near_by == far_by ? far : v, version_depth(v) + 1 };
}

const struct mem_version *
memtable_find(const struct memtable *m, struct bytes key, uint64_t snapshot)
{
    const struct mem_node *leaf = mem__leaf_of(m, key);
    uint64_t order = node_order(leaf);
    bool equal;
    unsigned place = mem__rank(leaf, order, key, &equal);

    if (!equal)
        return NULL;
    return mem__version_at(record_newest(leaf->record[order_slot(order, place)]), snapshot);
}

const struct mem_version *
mem_version_older(const struct mem_version *v)
{
    return v->older;
}

void
mem_version_entry(const struct mem_version *v, struct entry *out)
{
    out->value = bytes_of(v->value, v->size);
    out->seqno = version_seqno(v);
    out->kind = (enum entry_kind)(v->tag & TAG_KIND);
}

static const struct mem_sum *
version_sum(const struct mem_version *v)
{
    const struct mem_link *link = (const struct mem_link *)(const void *)v - 1;
    return (const struct mem_sum *)(const void *)link - 1;
}

const struct mem_version *
mem_version_sum(const struct mem_version *v, struct entry *out)
{
    const struct mem_sum *sum;

    mem_version_entry(v, out);
    if (!(v->tag & TAG_FOLDED))
        return v->older;
    sum = version_sum(v);
    out->value = bytes_of(sum->value, sum->size);
    return sum->below;
}

/* ------------------------------------------------------------------ additions */

static void
version_write(struct mem_version *v, const struct entry *e, const struct mem_version *older,
              uint64_t flags)
{
    v->older = older;
    v->tag = e->seqno << TAG_SEQNO_SHIFT | flags | (uint64_t)e->kind;
    v->size = (uint32_t)e->value.size;
    if (e->value.size)
        memcpy(v->value, e->value.data, e->value.size);
}

/* Folds e onto the operand `on` into m->scratch, the operator byte first; false: keep it apart. */
static bool
fold_operand(struct memtable *m, const struct entry *e, const struct mem_version *on,
             const struct mem_version **below)
{
    const struct lsm_operator *op = NULL;
    struct entry sum;
    size_t count = m->fold ? m->fold->count : 0;

    if (e->kind != ENTRY_MERGE || (on->tag & TAG_KIND) != ENTRY_MERGE)
        return false;
    *below = mem_version_sum(on, &sum);
    if (e->value.size < 1 || e->value.size > SUM_MAX || sum.value.size < 1 ||
        sum.value.size > SUM_MAX || sum.value.data[0] != e->value.data[0])
        return false;
    for (size_t i = 0; i < count && op == NULL; i++)
        if (m->fold->operators[i].number == e->value.data[0])
            op = &m->fold->operators[i];
    if (op == NULL || op->partial == NULL ||
        memtable_covering(m, e->key, UINT64_MAX, NULL) > version_seqno(on))
        return false;
    buf_clear(&m->scratch);
    return buf_add(&m->scratch, e->value.data, 1) == BASIN_OK &&
           op->partial(op->ctx, e->key, bytes_of(sum.value.data + 1, sum.value.size - 1),
                       bytes_of(e->value.data + 1, e->value.size - 1), &m->scratch,
                       NULL) == BASIN_OK;
}

/* A version in front of those of a key. */
static basin_status
add_version(struct memtable *m, struct mem_record *r, const struct entry *e, basin_error *err)
{
    const struct mem_version *older = record_newest(r), *below = NULL;
    bool folded = fold_operand(m, e, older, &below);
    size_t value_at = sizeof(struct mem_link) + (folded ? sizeof(struct mem_sum) : 0);
    size_t sum_at = value_at + offsetof(struct mem_version, value) + e->value.size;
    uint8_t *p = arena_alloc(&m->arena, sum_at + (folded ? m->scratch.size : 0));
    struct mem_version *v;

    if (p == NULL)
        return error_set(err, BASIN_NO_MEM, "no memory for a value of %zu bytes", e->value.size);
    v = (struct mem_version *)(void *)(p + value_at);
    version_write(v, e, older, TAG_LINKED | (folded ? TAG_FOLDED : 0));
    *(struct mem_link *)(void *)(p + value_at - sizeof(struct mem_link)) = link_above(older);
    if (folded) {
        memcpy(p + sum_at, m->scratch.data, m->scratch.size);
        *(struct mem_sum *)(void *)p = (struct mem_sum){ below, p + sum_at, m->scratch.size };
    }
    atomic_store_explicit(&r->newest, v, memory_order_release);
    return BASIN_OK;
}

static basin_status
add_key(struct memtable *m, struct mem_path *path, const struct entry *e, basin_error *err)
{
    size_t version_at = record_version_at(e->key.size);
    size_t size = version_at + offsetof(struct mem_version, value) + e->value.size;
    struct mem_record *r = arena_alloc(&m->arena, size);
    struct mem_version *v;

    if (r == NULL)
        return error_set(err, BASIN_NO_MEM, "no memory for an entry of %zu bytes", size);
    v = (struct mem_version *)(void *)((uint8_t *)r + version_at);
    version_write(v, e, NULL, 0);
    atomic_init(&r->newest, v);
    r->key_size = (uint32_t)e->key.size;
    if (e->key.size)
        memcpy(r->key, e->key.data, e->key.size);
    if (mem__insert(m, path, r) != BASIN_OK)
        return error_set(err, BASIN_NO_MEM, "no memory for a node of a memtable");
    return BASIN_OK;
}

static void
note_added(struct memtable *m, _Atomic uint64_t *counter, uint64_t seqno)
{
    uint64_t n = atomic_load_explicit(counter, memory_order_relaxed);

    if (memtable_entries(m) + memtable_range_count(m) == 0)
        atomic_store_explicit(&m->seqno_min, seqno, memory_order_relaxed);
    atomic_store_explicit(counter, n + 1, memory_order_relaxed);
    atomic_store_explicit(&m->seqno_max, seqno, memory_order_relaxed);
    atomic_store_explicit(&m->used, sizeof(*m) + m->arena.used + m->scratch.capacity,
                          memory_order_relaxed);
}

basin_status
memtable_add(struct memtable *m, const struct entry *e, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct mem_path path;
    const struct mem_record *r;

    must(e->seqno >= memtable_seqno_max(m) && e->seqno >> (64 - TAG_SEQNO_SHIFT) == 0);
    if (e->key.size > STRATUM_KEY_MAX || e->value.size > UINT32_MAX)
        FAIL(err, BASIN_LIMIT, "a key of %zu and a value of %zu bytes are too long",
             e->key.size, e->value.size);
    r = mem__locate(m, e->key, &path);
    atomic_store_explicit(&path.step[0].node->seqno_max, e->seqno, memory_order_relaxed);
    if (r != NULL)
        TRY(add_version(m, (struct mem_record *)(uintptr_t)r, e, err));
    else
        TRY(add_key(m, &path, e, err));
    note_added(m, &m->entries, e->seqno);
out:
    return st;
}

/* ------------------------------------------------------------------ what changed */

static bool
leaf_changed(const struct mem_node *leaf, struct bytes begin, struct bytes end, bool unbounded,
             uint64_t since, bool *behind)
{
    uint64_t order = node_order(leaf);
    bool equal;

    if (atomic_load_explicit(&leaf->seqno_max, memory_order_relaxed) <= since) {
        *behind = !unbounded && order_count(order) > 0 &&
                  bytes_compare(record_key(leaf->record[order_slot(order, 0)]), end) >= 0;
        return false;
    }
    for (unsigned i = mem__rank(leaf, order, begin, &equal); i < order_count(order); i++) {
        const struct mem_record *r = leaf->record[order_slot(order, i)];
        *behind = !unbounded && bytes_compare(record_key(r), end) >= 0;
        if (*behind)
            return false;
        if (version_seqno(record_newest(r)) > since)
            return true;
    }
    return false;
}

bool
memtable_changed_since(const struct memtable *m, struct bytes begin, struct bytes end,
                       bool unbounded, uint64_t since)
{
    bool behind = !unbounded && bytes_compare(begin, end) >= 0;

    if (behind || memtable_seqno_max(m) <= since)
        return false;
    if (mem__ranges_changed(m, begin, end, unbounded, since))
        return true;
    for (const struct mem_node *leaf = mem__leaf_of(m, begin); leaf != NULL && !behind;
         leaf = node_next(leaf))
        if (leaf_changed(leaf, begin, end, unbounded, since, &behind))
            return true;
    return false;
}
