// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/* The oracle of raw cursors: every entry in an array, and random walks compared with it. */
#ifndef TEST_LSM_RAW_H
#define TEST_LSM_RAW_H

#include "lsm/world.h"

struct raw_entry {
    uint8_t *key;
    uint32_t key_size;
    uint32_t source; /* smaller is newer */
    uint64_t seqno;
    enum entry_kind kind;
    uint64_t value; /* entries carry 8 bytes */
};

struct raw {
    struct raw_entry *e;
    size_t count, capacity;
};

static inline struct bytes
raw_key(const struct raw_entry *e)
{
    return bytes_of(e->key, e->key_size);
}

static inline void
raw_add(struct raw *r, uint32_t source, const struct entry *from)
{
    struct raw_entry *e;

    if (r->count == r->capacity) {
        r->capacity = r->capacity ? r->capacity * 2 : 64;
        r->e = realloc(r->e, r->capacity * sizeof *r->e);
        assert_non_null(r->e);
    }
    e = &r->e[r->count++];
    *e = (struct raw_entry){ malloc(from->key.size + 1), (uint32_t)from->key.size, source,
                             from->seqno, from->kind, 0 };
    assert_non_null(e->key);
    if (from->key.size)
        memcpy(e->key, from->key.data, from->key.size);
    if (from->value.size == 8)
        e->value = load_u64(from->value.data);
}

static inline int
raw_compare(const void *a, const void *b)
{
    const struct raw_entry *x = a, *y = b;
    int c = bytes_compare(raw_key(x), raw_key(y));

    if (c == 0)
        c = (x->source > y->source) - (x->source < y->source);
    return c ? c : (x->seqno < y->seqno) - (x->seqno > y->seqno);
}

static inline void
raw_sort(struct raw *r)
{
    if (r->count)
        qsort(r->e, r->count, sizeof *r->e, raw_compare);
}

static inline void
raw_free(struct raw *r)
{
    for (size_t i = 0; i < r->count; i++)
        free(r->e[i].key);
    free(r->e);
    *r = (struct raw){ 0 };
}

/* First index whose key is not below `key` (or, above: is above it). */
static inline size_t
raw_rank(const struct raw *r, struct bytes key, bool above)
{
    size_t low = 0, high = r->count;

    while (low < high) {
        size_t mid = (low + high) / 2;
        int c = bytes_compare(raw_key(&r->e[mid]), key);
        if (c < 0 || (c == 0 && above))
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* What a merge over sources shows after seek_ge: of each source what is at or after the place. */
static inline bool
raw_passes(const struct raw_entry *e, struct bytes key, uint64_t snapshot)
{
    return e->seqno <= snapshot || !bytes_equal(raw_key(e), key);
}

static inline void
raw_expect(const struct raw *r, const struct icur *c, size_t at)
{
    bool there = at < r->count;

    assert_int_equal(c->valid, there);
    if (!there)
        return;
    assert_int_equal(c->entry.key.size, r->e[at].key_size);
    if (r->e[at].key_size)
        assert_memory_equal(c->entry.key.data, r->e[at].key, r->e[at].key_size);
    assert_int_equal(c->entry.seqno, r->e[at].seqno);
    assert_int_equal(c->entry.kind, r->e[at].kind);
    assert_int_equal(c->prefix, key_prefix(c->entry.key));
    if (r->e[at].value) {
        assert_int_equal(c->entry.value.size, 8);
        assert_int_equal(load_u64(c->entry.value.data), r->e[at].value);
    }
}

/* Random steps; after seek_ge at a snapshot the walk goes only as far as the model is exact: the
 * versions of that key that were passed over are not in the merge any more until the next key. */
static inline void
raw_walk(struct world *w, const struct raw *r, struct icur *c, struct chance *chance, size_t steps)
{
    size_t at = SIZE_MAX;
    bool forward = true;

    while (steps-- > 0 && r->count > 0) {
        uint64_t dice = chance_below(chance, 30);
        struct bytes key = raw_key(&r->e[chance_below(chance, r->count)]);
        uint8_t shorter[64];
        if (chance_below(chance, 3) == 0 && key.size > 0 && key.size < sizeof shorter) {
            memcpy(shorter, key.data, key.size); /* a key that is hardly there */
            shorter[key.size - 1] ^= (uint8_t)(1 + chance_below(chance, 255));
            key = bytes_of(shorter, key.size - chance_below(chance, 2));
        }
        if (dice < 5)
            forward = !forward;
        if (dice == 0) {
            assert_ok(w, c->ops->first(c, &w->err));
            at = 0;
        } else if (dice == 1) {
            assert_ok(w, c->ops->last(c, &w->err));
            at = r->count - 1;
        } else if (dice < 6) {
            assert_ok(w, c->ops->seek_ge(c, key, UINT64_MAX, &w->err));
            at = raw_rank(r, key, false);
        } else if (dice < 10) {
            assert_ok(w, c->ops->seek_le(c, key, &w->err));
            at = raw_rank(r, key, true) - 1;
        } else if (forward) {
            assert_ok(w, c->ops->next(c, &w->err));
            at = at < r->count ? at + 1 : SIZE_MAX;
        } else {
            assert_ok(w, c->ops->prev(c, &w->err));
            at = at < r->count ? at - 1 : SIZE_MAX;
        }
        if (at >= r->count)
            at = SIZE_MAX; /* invalid until positioned again */
        raw_expect(r, c, at);
    }
}

/* seek_ge at snapshots, on one source. */
static inline void
raw_seeks(struct world *w, const struct raw *r, struct icur *c, struct chance *chance, size_t n)
{
    while (n-- > 0 && r->count > 0) {
        struct bytes key = raw_key(&r->e[chance_below(chance, r->count)]);
        uint64_t snapshot = r->e[chance_below(chance, r->count)].seqno;
        size_t at = raw_rank(r, key, false);
        while (at < r->count && !raw_passes(&r->e[at], key, snapshot))
            at++;
        assert_ok(w, c->ops->seek_ge(c, key, snapshot, &w->err));
        raw_expect(r, c, at);
    }
}

#endif
