// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Cursor over one stratum: a place is (index block, leaf in it, entry in the leaf).
 *
 *   invalid --first, last, seek--> at an entry --next, prev--> at an entry | invalid
 *   any failure --> invalid
 *
 * seek_ge gallops when its target lies ahead: over the root, the open index block, then the open
 * leaf, each from where the cursor stands. Keys of dense pages are rebuilt from what changed; a key
 * is copied only when its page has a common prefix. Stepping allocates nothing: the key buffer
 * grows when a page with longer keys is entered.
 */
#include "stratum/reader.h"

struct stratum_cursor {
    struct stratum *s;
    bool valid;
    bool index_open;
    bool leaf_open;
    uint32_t group; /* of the open index block */
    uint32_t child; /* leaf in the index block */
    uint32_t at;    /* entry in the leaf */
    struct page index_page;
    struct node index;
    struct page leaf_page;
    struct leaf leaf;
    struct dense_at dense;
    struct buf key;    /* prefix and rest of the current key */
    struct buf target; /* copy of a seek's key that is the cursor's own */
    struct entry entry;
    stratum_fault_fn *fault; /* with skip_damage */
    void *fault_ctx;
    bool skip_damage;
};

basin_status
stratum_cursor_open(struct stratum *s, struct stratum_cursor **out, basin_error *err)
{
    struct stratum_cursor *c = mem_new(s->options.mem, sizeof(*c));

    *out = c;
    if (!c)
        return error_set(err, BASIN_NO_MEM, "stratum %s: no memory for a cursor", s->source->name);
    c->s = s;
    buf_init(&c->key, s->options.mem);
    buf_init(&c->target, s->options.mem);
    return BASIN_OK;
}

void
stratum_cursor_close(struct stratum_cursor *c)
{
    if (!c)
        return;
    stratum__unpin(&c->leaf_page);
    stratum__unpin(&c->index_page);
    buf_release(&c->key);
    buf_release(&c->target);
    mem_free(c->s->options.mem, c, sizeof(*c));
}

void
stratum_cursor_skip_damage(struct stratum_cursor *c, stratum_fault_fn *fn, void *ctx)
{
    c->skip_damage = true;
    c->fault = fn;
    c->fault_ctx = ctx;
}

/* ------------------------------------------------------------------ pages */

static basin_status
open_index(struct stratum_cursor *c, uint32_t group, basin_error *err)
{
    basin_status st;

    if (c->index_open && c->group == group)
        return BASIN_OK;
    c->leaf_open = false;
    c->index_open = false;
    stratum__unpin(&c->index_page);
    TRY(stratum__pin_index(c->s, group, &c->index_page, &c->index, err));
    c->group = group;
    c->index_open = true;
out:
    return st;
}

/* Leaf i of the open index block; makes room for its longest key. */
static basin_status
open_leaf(struct stratum_cursor *c, uint32_t i, basin_error *err)
{
    struct bytes prefix;
    basin_status st;

    if (c->leaf_open && c->child == i)
        return BASIN_OK;
    c->leaf_open = false;
    stratum__unpin(&c->leaf_page);
    TRY(stratum__pin_leaf(c->s, &c->index, i, &c->leaf_page, &c->leaf, err));
    buf_clear(&c->key);
    if (buf_reserve(&c->key, (size_t)c->leaf.key_max + 1) != BASIN_OK)
        FAIL(err, BASIN_NO_MEM, "stratum %s: no memory for a key of %u bytes", c->s->source->name,
             c->leaf.key_max);
    prefix = leaf_prefix(&c->leaf);
    if (prefix.size)
        memcpy(c->key.data, prefix.data, prefix.size);
    c->dense.parsed = 0;
    c->child = i;
    c->leaf_open = true;
out:
    return st;
}

/* ------------------------------------------------------------------ the current entry */

/* agree: bytes behind the prefix on which the key buffer agrees with a dense page's new entry. */
static void
show_entry(struct stratum_cursor *c, uint32_t at, size_t agree)
{
    const struct leaf *l = &c->leaf;
    struct entry *e = &c->entry;

    c->at = at;
    e->seqno = leaf_seqno(l, at) + c->s->seqno_base;
    if (l->kind == BLOCK_POINT) {
        struct slot slot = leaf_slot(l, at);
        e->value = slot.value;
        e->kind = slot.kind;
        e->key = slot.rest;
        if (l->prefix_size) {
            size_t n = MIN_OF(slot.rest.size, (size_t)l->key_max - l->prefix_size);
            memcpy(c->key.data + l->prefix_size, slot.rest.data, n);
            e->key = bytes_of(c->key.data, l->prefix_size + n);
        }
    } else {
        dense_goto(l, &c->dense, at);
        e->key =
            bytes_of(c->key.data, l->prefix_size + dense_build(l, &c->dense, c->key.data, agree));
        e->value = BYTES_NULL;
        e->kind = leaf_kind(l, at);
    }
    c->valid = true;
}

/* Shared part of the current entry with the one before it, within its group. */
static size_t
dense_shared(const struct stratum_cursor *c)
{
    return c->leaf.kind == BLOCK_POINT ? 0 : c->dense.shared[c->dense.index % RESTART_EVERY];
}

/* ------------------------------------------------------------------ damage */

/* Bounds of what a damaged page held: from its separator to that of the page behind it. */
static void
report(struct stratum_cursor *c, const basin_error *fault, const struct node *n, uint32_t i)
{
    struct buf from, to;
    struct bytes a = BYTES_NULL, b = BYTES_NULL;

    if (!c->fault)
        return;
    buf_init(&from, c->s->options.mem);
    buf_init(&to, c->s->options.mem);
    if (buf_reserve(&from, STRATUM_KEY_MAX) == BASIN_OK)
        a = bytes_of(from.data, node_separator(n, i, from.data));
    if (buf_reserve(&to, STRATUM_KEY_MAX) == BASIN_OK) {
        if (i + 1 < n->count)
            b = bytes_of(to.data, node_separator(n, i + 1, to.data));
        else if (n != &c->s->root && c->group + 1 < c->s->root.count)
            b = bytes_of(to.data, node_separator(&c->s->root, c->group + 1, to.data));
        else
            b = c->s->summary.last_key;
    }
    c->fault(c->fault_ctx, fault, a, b);
    buf_release(&from);
    buf_release(&to);
}

/* Whether a failure is to be stepped over; then it was reported. */
static bool
skipped(struct stratum_cursor *c, basin_status st, const basin_error *fault, const struct node *n,
        uint32_t i)
{
    if (st != BASIN_CORRUPT || !c->skip_damage)
        return false;
    report(c, fault, n, i);
    return true;
}

/* ------------------------------------------------------------------ walking over pages */

/*
 * Opens leaf `child` of `group`, or, with skip_damage, the nearest readable one in the direction.
 * child UINT32_MAX: the last of the group. END when there is none; then nothing is open.
 */
static basin_status
enter(struct stratum_cursor *c, uint32_t group, uint32_t child, bool forward, basin_error *err)
{
    basin_error fault = { 0 };
    basin_status st;

    for (;;) {
        st = open_index(c, group, &fault);
        if (st == BASIN_OK) {
            if (child == UINT32_MAX)
                child = c->index.count - 1;
            st = open_leaf(c, child, &fault);
            if (st == BASIN_OK)
                return st;
            if (!skipped(c, st, &fault, &c->index, child))
                break;
            if (forward ? child + 1 < c->index.count : child > 0) {
                child = forward ? child + 1 : child - 1;
                continue;
            }
        } else if (!skipped(c, st, &fault, &c->s->root, group)) {
            break;
        }
        if (forward ? group + 1 >= c->s->root.count : group == 0)
            return BASIN_END;
        group = forward ? group + 1 : group - 1;
        child = forward ? 0 : UINT32_MAX;
    }
    if (err)
        *err = fault;
    return st;
}

/* To the first entry of the leaf behind the open one; invalid when there is none. */
static basin_status
next_leaf(struct stratum_cursor *c, basin_error *err)
{
    basin_status st;

    c->valid = false;
    if (c->child + 1 < c->index.count)
        st = enter(c, c->group, c->child + 1, true, err);
    else if (c->group + 1 < c->s->root.count)
        st = enter(c, c->group + 1, 0, true, err);
    else
        st = BASIN_END;
    if (st == BASIN_OK)
        show_entry(c, 0, 0);
    return st == BASIN_END ? BASIN_OK : st;
}

static basin_status
prev_leaf(struct stratum_cursor *c, basin_error *err)
{
    basin_status st;

    c->valid = false;
    if (c->child > 0)
        st = enter(c, c->group, c->child - 1, false, err);
    else if (c->group > 0)
        st = enter(c, c->group - 1, UINT32_MAX, false, err);
    else
        st = BASIN_END;
    if (st == BASIN_OK)
        show_entry(c, c->leaf.count - 1, 0);
    return st == BASIN_END ? BASIN_OK : st;
}

/* ------------------------------------------------------------------ stepping */

basin_status
stratum_cursor_first(struct stratum_cursor *c, basin_error *err)
{
    basin_status st;

    c->valid = false;
    if (c->s->footer.leaves == 0)
        return BASIN_OK;
    st = enter(c, 0, 0, true, err);
    if (st == BASIN_OK)
        show_entry(c, 0, 0);
    return st == BASIN_END ? BASIN_OK : st;
}

basin_status
stratum_cursor_last(struct stratum_cursor *c, basin_error *err)
{
    basin_status st;

    c->valid = false;
    if (c->s->footer.leaves == 0)
        return BASIN_OK;
    st = enter(c, c->s->root.count - 1, UINT32_MAX, false, err);
    if (st == BASIN_OK)
        show_entry(c, c->leaf.count - 1, 0);
    return st == BASIN_END ? BASIN_OK : st;
}

basin_status
stratum_cursor_next(struct stratum_cursor *c, basin_error *err)
{
    if (!c->valid)
        return BASIN_OK;
    if (UNLIKELY(c->at + 1 >= c->leaf.count))
        return next_leaf(c, err);
    if (c->leaf.kind == BLOCK_POINT) {
        show_entry(c, c->at + 1, 0);
        return BASIN_OK;
    }
    (void)dense_step(&c->leaf, &c->dense);
    show_entry(c, c->at + 1, dense_shared(c));
    return BASIN_OK;
}

basin_status
stratum_cursor_prev(struct stratum_cursor *c, basin_error *err)
{
    if (!c->valid)
        return BASIN_OK;
    if (c->at == 0)
        return prev_leaf(c, err);
    show_entry(c, c->at - 1, dense_shared(c));
    return BASIN_OK;
}

bool
stratum_cursor_valid(const struct stratum_cursor *c)
{
    return c->valid;
}

const struct entry *
stratum_cursor_entry(const struct stratum_cursor *c)
{
    check(c->valid);
    return &c->entry;
}

int
stratum_cursor_compare(const struct stratum_cursor *c, struct bytes key)
{
    check(c->valid);
    return bytes_compare(c->entry.key, key);
}

/* ------------------------------------------------------------------ seeking */

/* Whether the place lies behind the current entry. */
static bool
lies_ahead(const struct stratum_cursor *c, const struct place *to)
{
    int order;

    if (!c->valid)
        return false;
    order = bytes_compare(c->entry.key, to->key);
    return order < 0 || (order == 0 && c->entry.seqno - c->s->seqno_base > to->snapshot);
}

/* A caller may seek to the cursor's own key, which moving would take away. */
static basin_status
keep_target(struct stratum_cursor *c, struct place *to, basin_error *err)
{
    if (to->key.size == 0 || to->key.data != c->entry.key.data)
        return BASIN_OK;
    if (buf_set(&c->target, to->key.data, to->key.size) != BASIN_OK)
        return error_set(err, BASIN_NO_MEM, "stratum %s: no memory for a key of %zu bytes",
                         c->s->source->name, to->key.size);
    to->key = buf_bytes(&c->target);
    return BASIN_OK;
}

/* Goes around a lost index block, in the direction of the search. */
static basin_status
go_around(struct stratum_cursor *c, uint32_t group, bool forward, basin_error *err)
{
    if (forward)
        return group + 1 < c->s->root.count ? enter(c, group + 1, 0, true, err) : BASIN_END;
    return group > 0 ? enter(c, group - 1, UINT32_MAX, false, err) : BASIN_END;
}

/* Opens the leaf in which the place is, or behind which it is. ahead: the place is not in the open
 * leaf but behind it. */
static basin_status
go_to_leaf(struct stratum_cursor *c, const struct place *to, bool ahead, basin_error *err)
{
    uint64_t compares = 0;
    uint32_t group, child;
    bool same;
    basin_error fault = { 0 };
    basin_status st;

    group = node_search(&c->s->root, to, ahead ? c->group : 0, &compares);
    same = ahead && group == c->group;
    st = open_index(c, group, &fault);
    if (st != BASIN_OK) {
        if (skipped(c, st, &fault, &c->s->root, group))
            return go_around(c, group, !to->after, err);
        if (err)
            *err = fault;
        return st;
    }
    child = node_search(&c->index, to, same ? c->child : 0, &compares);
    stratum__count_compares(c->s, compares);
    return enter(c, group, child, !to->after, err);
}

/* First entry of the open leaf at or after the place; count when it is behind the leaf. */
static uint32_t
seek_in_leaf(struct stratum_cursor *c, const struct place *to, bool ahead)
{
    struct leaf_from from = { LEAF_FROM_NONE, BYTES_NULL };
    uint64_t compares = 0;
    uint32_t at;

    if (ahead)
        from = (struct leaf_from){ c->at, c->entry.key };
    else if (c->leaf.kind == BLOCK_POINT) { /* a key that is there is found sooner by fingerprint */
        at = leaf_find(&c->leaf, to->key, filter_hash(to->key), to->snapshot, &compares);
        if (at != UINT32_MAX)
            goto out;
    }
    at = leaf_seek(&c->leaf, &c->dense, to->key, to->snapshot, &from, &compares);
out:
    stratum__count_compares(c->s, compares);
    return at;
}

basin_status
stratum_cursor_seek_ge(struct stratum_cursor *c, struct bytes key, uint64_t snapshot,
                       basin_error *err)
{
    uint64_t base = c->s->seqno_base;
    struct place to = { key, snapshot > base ? snapshot - base : 0, false };
    bool ahead = lies_ahead(c, &to);
    uint32_t at;
    basin_status st;

    if (c->s->footer.leaves == 0)
        return BASIN_OK;
    if (ahead) {
        at = seek_in_leaf(c, &to, true);
        if (at < c->leaf.count) {
            show_entry(c, at, 0);
            return BASIN_OK;
        }
    }
    c->valid = false;
    st = keep_target(c, &to, err);
    if (st == BASIN_OK)
        st = go_to_leaf(c, &to, ahead, err);
    if (st != BASIN_OK)
        return st == BASIN_END ? BASIN_OK : st;
    at = seek_in_leaf(c, &to, false);
    if (at >= c->leaf.count)
        return next_leaf(c, err);
    show_entry(c, at, 0);
    return BASIN_OK;
}

/* First entry of the open leaf behind every version of the key. */
static uint32_t
seek_behind(struct stratum_cursor *c, struct bytes key)
{
    const struct leaf *l = &c->leaf;
    uint64_t compares = 0;
    uint32_t at = UINT32_MAX;

    if (l->kind == BLOCK_POINT)
        at = leaf_find(l, key, filter_hash(key), UINT64_MAX, &compares);
    if (at == UINT32_MAX) {
        at = leaf_seek_after(l, &c->dense, key, &compares);
    } else {
        struct bytes rest = leaf_slot(l, at).rest;
        while (++at < l->count && bytes_equal(leaf_slot(l, at).rest, rest))
            continue;
    }
    stratum__count_compares(c->s, compares);
    return at;
}

basin_status
stratum_cursor_seek_le(struct stratum_cursor *c, struct bytes key, basin_error *err)
{
    struct place to = { key, 0, true };
    uint32_t at;
    basin_status st;

    c->valid = false;
    if (c->s->footer.leaves == 0)
        return BASIN_OK;
    st = keep_target(c, &to, err);
    if (st == BASIN_OK)
        st = go_to_leaf(c, &to, false, err);
    if (st != BASIN_OK)
        return st == BASIN_END ? BASIN_OK : st;
    at = seek_behind(c, to.key);
    if (at == 0)
        return prev_leaf(c, err);
    show_entry(c, at - 1, 0);
    return BASIN_OK;
}
