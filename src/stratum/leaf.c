// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Leaf pages as they are read: two kinds under one set of calls.
 *
 * Point page: one fingerprint byte and one offset per entry, then each entry whole behind the
 * common prefix. A get compares fingerprints eight at a time, a seek halves over the offsets.
 * Dense page: all values empty; keys are front coded with a whole key every 16 entries. A seek
 * halves over the whole keys and steps through at most 16 entries, comparing in place.
 *
 * A page is walked once (leaf_validate); afterwards accessors only clamp, so that bytes which
 * change under a map give a wrong answer at worst. Nothing here allocates or decodes a page.
 * Format: docs/format/stratum.md, "Leaf pages".
 */
#include "stratum/format.h"

static uint32_t
restarts_of(uint32_t count)
{
    return (count + RESTART_EVERY - 1) / RESTART_EVERY;
}

bool
leaf_open(struct leaf *l, uint8_t kind, const uint8_t *data, size_t size)
{
    size_t at = LEAF_HEAD_SIZE, offsets, wide;

    if (size < LEAF_HEAD_SIZE || size > PAGE_RAW_MAX)
        return false;
    l->data = data;
    l->size = (uint32_t)size;
    l->kind = kind;
    l->flags = data[0];
    l->seqno_width = data[1];
    l->entry_kind = data[2] & 3;
    l->count = load_u32(data + 4);
    l->prefix_size = load_u16(data + 8);
    l->key_max = load_u16(data + 10);
    l->seqno_base = load_u64(data + 16);
    if (l->count == 0 || l->count > size || l->prefix_size > l->key_max || l->seqno_width > 8)
        return false;
    offsets = kind == BLOCK_POINT ? l->count : restarts_of(l->count);
    wide = l->flags & LEAF_WIDE ? 4 : 2;
    l->prints_at = (uint32_t)at;
    at += kind == BLOCK_POINT ? l->count : 0;
    l->offsets_at = (uint32_t)at;
    at += offsets * wide;
    l->kinds_at = (uint32_t)at;
    at += l->flags & LEAF_MIXED ? ((size_t)l->count + 3) / 4 : 0;
    l->seqnos_at = (uint32_t)at;
    at += (size_t)l->count * l->seqno_width;
    l->prefix_at = (uint32_t)at;
    at += l->prefix_size;
    l->entries_at = (uint32_t)at;
    return at <= size;
}

uint64_t
leaf_seqno(const struct leaf *l, uint32_t i)
{
    const uint8_t *p = l->data + l->seqnos_at + (size_t)i * l->seqno_width;

    switch (l->seqno_width) {
    case 1:
        return l->seqno_base + *p;
    case 2:
        return l->seqno_base + load_u16(p);
    case 4:
        return l->seqno_base + load_u32(p);
    case 8:
        return l->seqno_base + load_u64(p);
    default:
        return l->seqno_base;
    }
}

enum entry_kind
leaf_kind(const struct leaf *l, uint32_t i)
{
    if (l->kind == BLOCK_POINT)
        return leaf_slot(l, i).kind;
    if (l->flags & LEAF_MIXED)
        return (enum entry_kind)(l->data[l->kinds_at + i / 4] >> (i % 4 * 2) & 3);
    return (enum entry_kind)l->entry_kind;
}

/* ------------------------------------------------------------------ dense: parsing */

struct dense_entry {
    uint32_t shared;
    uint32_t own;
    uint32_t own_at;
    uint32_t next_at;
};

/* One entry of a dense page at position at; every result is inside the page. */
static inline void
dense_parse(const struct leaf *l, uint32_t at, struct dense_entry *e)
{
    const uint8_t *p = l->data + MIN_OF(at, l->size), *end = l->data + l->size;
    uint8_t nibbles = p < end ? *p++ : 0;

    e->shared = nibbles >> 4;
    e->own = nibbles & 15;
    if (UNLIKELY(e->shared == 15))
        e->shared += leaf_leb(&p, end) & 0xFFFF;
    if (UNLIKELY(e->own == 15))
        e->own += leaf_leb(&p, end) & 0xFFFF;
    e->own = MIN_OF(e->own, (uint32_t)(end - p));
    e->own_at = (uint32_t)(p - l->data);
    e->next_at = e->own_at + e->own;
}

/* Puts a parsed entry behind the others of its group, clamped to a possible key. */
static inline void
dense_take(const struct leaf *l, struct dense_at *d, const struct dense_entry *e)
{
    uint32_t i = d->parsed, room = (uint32_t)l->key_max - l->prefix_size;
    uint32_t before = i ? (uint32_t)d->shared[i - 1] + d->own[i - 1] : 0;

    d->shared[i] = (uint16_t)MIN_OF(e->shared, before);
    d->own[i] = (uint16_t)MIN_OF(e->own, room - d->shared[i]);
    d->own_at[i] = e->own_at;
    d->next_at = e->next_at;
    d->parsed = i + 1;
}

static void
dense_open_group(const struct leaf *l, struct dense_at *d, uint32_t group)
{
    struct dense_entry e;

    dense_parse(l, leaf_offset(l, group), &e);
    d->index = group * RESTART_EVERY;
    d->parsed = 0;
    dense_take(l, d, &e);
}

bool
dense_step(const struct leaf *l, struct dense_at *d)
{
    struct dense_entry e;

    if (d->index + 1 >= l->count)
        return false;
    d->index++;
    if (d->index % RESTART_EVERY == 0)
        d->parsed = 0;
    else if (d->index % RESTART_EVERY < d->parsed)
        return true;
    dense_parse(l, d->next_at, &e);
    dense_take(l, d, &e);
    return true;
}

void
dense_goto(const struct leaf *l, struct dense_at *d, uint32_t index)
{
    if (d->parsed == 0 || d->index / RESTART_EVERY != index / RESTART_EVERY)
        dense_open_group(l, d, index / RESTART_EVERY);
    if (index % RESTART_EVERY < d->parsed) {
        d->index = index;
        return;
    }
    d->index = index / RESTART_EVERY * RESTART_EVERY + d->parsed - 1;
    while (d->index < index && dense_step(l, d))
        continue;
}

size_t
dense_build(const struct leaf *l, const struct dense_at *d, uint8_t *key, size_t agree)
{
    uint32_t i = d->index % RESTART_EVERY;
    size_t need = d->shared[i];
    uint8_t *rest = key + l->prefix_size;

    memcpy(rest + need, l->data + d->own_at[i], d->own[i]);
    for (uint32_t j = i; j-- > 0 && need > agree;) {
        if (d->shared[j] < need) {
            size_t n = MIN_OF(need - d->shared[j], (size_t)d->own[j]);
            memcpy(rest + d->shared[j], l->data + d->own_at[j], n);
            need = d->shared[j];
        }
    }
    return (size_t)d->shared[i] + d->own[i];
}

/* ------------------------------------------------------------------ validation */

static basin_status
validate_point(const struct leaf *l, basin_error *err)
{
    const uint8_t *offsets = l->data + l->offsets_at;
    uint32_t from = 0, area = l->size - l->entries_at;

    for (uint32_t i = 0; i < l->count; i++) {
        uint32_t at = l->flags & LEAF_WIDE ? load_u32(offsets + (size_t)i * 4)
                                           : load_u16(offsets + (size_t)i * 2);
        uint32_t to = area;
        uint64_t head;
        size_t n;
        if (i + 1 < l->count)
            to = l->flags & LEAF_WIDE ? load_u32(offsets + (size_t)i * 4 + 4)
                                      : load_u16(offsets + (size_t)i * 2 + 2);
        if (at != from || to <= at || to > area)
            return error_set(err, BASIN_CORRUPT, "entry %u of %u: offsets %u to %u of %u", i,
                             l->count, at, to, area);
        n = leb_get(l->data + l->entries_at + at, to - at, &head);
        if (n == 0 || (head >> 2) > to - at - n || (head >> 2) + l->prefix_size > l->key_max)
            return error_set(err, BASIN_CORRUPT, "entry %u of %u: key of %llu bytes", i, l->count,
                             (unsigned long long)(head >> 2));
        from = to;
    }
    return BASIN_OK;
}

/* The strict form of dense_parse: false when anything had to be clamped. */
static bool
dense_strict(const struct leaf *l, uint32_t at, uint32_t before, struct dense_entry *e)
{
    struct rd r = rd_over(l->data, l->size);
    uint64_t shared, own;
    uint8_t nibbles;

    r.at = at;
    nibbles = rd_u8(&r);
    shared = nibbles >> 4;
    own = nibbles & 15;
    if (shared == 15)
        shared += rd_leb(&r) & UINT32_MAX;
    if (own == 15)
        own += rd_leb(&r) & UINT32_MAX;
    if (!rd_ok(&r) || own > rd_left(&r) || shared > before ||
        l->prefix_size + shared + own > l->key_max)
        return false;
    e->shared = (uint32_t)shared;
    e->own = (uint32_t)own;
    e->own_at = (uint32_t)r.at;
    e->next_at = (uint32_t)(r.at + own);
    return true;
}

static basin_status
validate_dense(const struct leaf *l, basin_error *err)
{
    struct dense_entry e = { .next_at = l->entries_at };
    uint32_t before = 0;

    for (uint32_t i = 0; i < l->count; i++) {
        if (i % RESTART_EVERY == 0) {
            before = 0;
            if (leaf_offset(l, i / RESTART_EVERY) != e.next_at)
                return error_set(err, BASIN_CORRUPT, "restart %u is not at %u", i / RESTART_EVERY,
                                 e.next_at);
        }
        if (e.next_at >= l->size || !dense_strict(l, e.next_at, before, &e))
            return error_set(err, BASIN_CORRUPT, "entry %u of %u does not fit", i, l->count);
        before = e.shared + e.own;
    }
    if (e.next_at != l->size)
        return error_set(err, BASIN_CORRUPT, "%u bytes behind the last entry", l->size - e.next_at);
    return BASIN_OK;
}

basin_status
leaf_validate(const struct leaf *l, basin_error *err)
{
    uint8_t w = l->seqno_width;

    if ((l->flags & ~LEAF_FLAGS) != 0 || l->data[3] != 0 || load_u32(l->data + 12) != 0 ||
        (w != 0 && w != 1 && w != 2 && w != 4 && w != 8) || l->data[2] > 3)
        return error_set(err, BASIN_CORRUPT, "page head has flags %02x, width %u", l->flags, w);
    if (l->kind == BLOCK_POINT) {
        if ((l->flags & LEAF_MIXED) || l->entry_kind != 0)
            return error_set(err, BASIN_CORRUPT, "point page has flags %02x", l->flags);
        return validate_point(l, err);
    }
    if (!(l->flags & LEAF_ALL_EMPTY))
        return error_set(err, BASIN_CORRUPT, "dense page has flags %02x", l->flags);
    return validate_dense(l, err);
}

/* ------------------------------------------------------------------ searching */

/* What is looked for in a page: the key behind the common prefix. */
struct target {
    struct bytes rest;
    uint64_t prefix8;
    uint64_t snapshot;
    bool after; /* every version of the key counts as before the target */
    bool equal; /* out: the entry found has this key */
    uint64_t compares;
};

/* <0: all entries are behind the target; >0: all before it; 0: search for t->rest. */
static int
target_init(struct target *t, const struct leaf *l, struct bytes key)
{
    struct bytes prefix = leaf_prefix(l);
    size_t n = MIN_OF(prefix.size, key.size);
    int c = n ? memcmp(key.data, prefix.data, n) : 0;

    if (c == 0 && key.size < prefix.size)
        c = -1;
    if (c != 0)
        return c;
    t->rest = bytes_behind(key, n);
    t->prefix8 = key_prefix(t->rest);
    return 0;
}

static inline int
compare_rest(struct bytes have, const struct target *t)
{
    if (have.size >= 8 && t->rest.size >= 8) {
        uint64_t p;
        memcpy(&p, have.data, 8);
        p = __builtin_bswap64(p);
        if (p != t->prefix8)
            return p < t->prefix8 ? -1 : 1;
    }
    return bytes_compare(have, t->rest);
}

/* Whether entry i, whose key compares to the target's as c, comes before the target. */
static inline bool
comes_before(const struct leaf *l, struct target *t, uint32_t i, int c)
{
    t->compares++;
    if (c != 0)
        return c < 0;
    return t->after || leaf_seqno(l, i) > t->snapshot;
}

static bool
point_before(const struct leaf *l, struct target *t, uint32_t i)
{
    return comes_before(l, t, i, compare_rest(leaf_slot(l, i).rest, t));
}

/* lo: everything below is known to come before the target; gallop from there, or halve. */
static uint32_t
point_seek(const struct leaf *l, struct target *t, uint32_t lo)
{
    uint32_t hi = l->count, step = 1;

    for (uint32_t probe = lo; lo > 0 && probe < hi; step *= 2) {
        if (!point_before(l, t, probe)) {
            hi = probe;
            break;
        }
        lo = probe + 1;
        probe += step;
    }
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (point_before(l, t, mid))
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static struct bytes
restart_key(const struct leaf *l, uint32_t group)
{
    struct dense_entry e;

    dense_parse(l, leaf_offset(l, group), &e);
    return bytes_of(l->data + e.own_at, e.own);
}

static bool
group_before(const struct leaf *l, struct target *t, uint32_t group)
{
    return comes_before(l, t, group * RESTART_EVERY, compare_rest(restart_key(l, group), t));
}

/* The last group whose first entry comes before the target; `from` is known to, 0 need not. */
static uint32_t
dense_group(const struct leaf *l, struct target *t, uint32_t from)
{
    uint32_t lo = from + 1, hi = restarts_of(l->count), step = 1;

    for (uint32_t probe = lo; from > 0 && probe < hi; step *= 2) {
        if (!group_before(l, t, probe)) {
            hi = probe;
            break;
        }
        lo = probe + 1;
        probe += step;
    }
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (group_before(l, t, mid))
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo - 1;
}

/*
 * Compares the current entry, given that the one before it came before the target and agreed with
 * it on *match bytes. Sets *match to what this entry agrees on.
 */
static int
dense_compare(const struct leaf *l, const struct dense_at *d, const struct target *t, size_t *match)
{
    uint32_t i = d->index % RESTART_EVERY;
    size_t m = *match, n, k = 0;
    const uint8_t *own = l->data + d->own_at[i];

    if (d->shared[i] > m)
        return -1;
    if (d->shared[i] < m)
        return 1;
    n = MIN_OF((size_t)d->own[i], t->rest.size - m);
    while (k < n && own[k] == t->rest.data[m + k])
        k++;
    *match = m + k;
    if (k < n)
        return own[k] < t->rest.data[m + k] ? -1 : 1;
    if (d->own[i] > k)
        return 1;
    return *match < t->rest.size ? -1 : 0;
}

/* Walks the rest of the current group, whose last parsed entry came before the target. The first
 * entry of the next group is the result when nothing here is. */
static uint32_t
dense_walk(const struct leaf *l, struct dense_at *d, struct target *t, size_t match)
{
    uint32_t end = MIN_OF((d->index / RESTART_EVERY + 1) * RESTART_EVERY, l->count);

    while (d->index + 1 < end) {
        int c;
        (void)dense_step(l, d);
        c = dense_compare(l, d, t, &match);
        if (!comes_before(l, t, d->index, c)) {
            t->equal = c == 0;
            return d->index;
        }
    }
    if (!dense_step(l, d))
        return l->count;
    t->equal = bytes_equal(restart_key(l, d->index / RESTART_EVERY), t->rest);
    return d->index;
}

static uint32_t
dense_seek(const struct leaf *l, struct dense_at *d, struct target *t, uint32_t group)
{
    size_t match = 0;
    int c;

    group = dense_group(l, t, group);
    dense_open_group(l, d, group);
    c = dense_compare(l, d, t, &match);
    if (!comes_before(l, t, d->index, c)) { /* only in group 0 */
        t->equal = c == 0;
        return d->index;
    }
    return dense_walk(l, d, t, match);
}

/* From the current entry, which comes before the target. */
static uint32_t
dense_seek_on(const struct leaf *l, struct dense_at *d, struct target *t, struct bytes rest)
{
    uint32_t group = d->index / RESTART_EVERY;

    if (group + 1 < restarts_of(l->count) && group_before(l, t, group + 1))
        return dense_seek(l, d, t, group + 1);
    return dense_walk(l, d, t, bytes_shared(rest, t->rest));
}

static uint32_t
seek(const struct leaf *l, struct dense_at *d, struct bytes key, struct target *t,
     const struct leaf_from *from)
{
    int c = target_init(t, l, key);
    size_t prefix = l->prefix_size;

    t->compares++;
    if (c > 0)
        return l->count;
    if (c < 0) {
        if (l->kind != BLOCK_POINT)
            dense_open_group(l, d, 0);
        return 0;
    }
    if (l->kind == BLOCK_POINT)
        return point_seek(l, t, from->index + 1); /* none: 0 */
    if (from->index == LEAF_FROM_NONE || from->key.size < prefix)
        return dense_seek(l, d, t, 0);
    return dense_seek_on(l, d, t, bytes_behind(from->key, prefix));
}

uint32_t
leaf_seek(const struct leaf *l, struct dense_at *d, struct bytes key, uint64_t snapshot,
          const struct leaf_from *from, uint64_t *compares)
{
    struct target t = { .snapshot = snapshot };
    uint32_t i = seek(l, d, key, &t, from);

    *compares += t.compares;
    return i;
}

uint32_t
leaf_seek_after(const struct leaf *l, struct dense_at *d, struct bytes key, uint64_t *compares)
{
    struct target t = { .after = true };
    struct leaf_from none = { .index = LEAF_FROM_NONE };
    uint32_t i = seek(l, d, key, &t, &none);

    *compares += t.compares;
    return i;
}

/* Bits 7 of the bytes of x that equal the byte repeated in `splat`; bytes behind the first such
 * may be marked by mistake, none is missed. */
static inline uint64_t
equal_bytes(uint64_t x, uint64_t splat)
{
    uint64_t v = x ^ splat;

    return (v - UINT64_C(0x0101010101010101)) & ~v & UINT64_C(0x8080808080808080);
}

static uint32_t
point_find(const struct leaf *l, struct target *t, uint8_t print)
{
    const uint8_t *prints = l->data + l->prints_at;
    uint64_t splat = print * UINT64_C(0x0101010101010101);

    for (uint32_t i = 0; i < l->count; i += 8) {
        uint64_t x = 0, hits;
        memcpy(&x, prints + i, MIN_OF((size_t)8, (size_t)(l->size - l->prints_at - i)));
        for (hits = equal_bytes(x, splat); hits != 0; hits &= hits - 1) {
            uint32_t k = i + (uint32_t)__builtin_ctzll(hits) / 8;
            if (k >= l->count)
                break;
            t->compares++;
            if (bytes_equal(leaf_slot(l, k).rest, t->rest) && leaf_seqno(l, k) <= t->snapshot)
                return k;
        }
    }
    return UINT32_MAX;
}

uint32_t
leaf_find(const struct leaf *l, struct bytes key, uint64_t hash, uint64_t snapshot,
          uint64_t *compares)
{
    struct target t = { .snapshot = snapshot };
    struct dense_at d;
    uint32_t i = UINT32_MAX;

    if (target_init(&t, l, key) == 0) {
        if (l->kind == BLOCK_POINT) {
            i = point_find(l, &t, filter_print(hash));
        } else {
            d.parsed = 0;
            i = dense_seek(l, &d, &t, 0);
            if (!t.equal || i >= l->count)
                i = UINT32_MAX;
        }
    }
    *compares += t.compares + 1;
    return i;
}
