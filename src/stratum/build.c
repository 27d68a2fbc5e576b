// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The open leaf page of a writer. Entries are collected with their keys whole; the kind of page,
 * the common prefix, the width of offsets and sequence numbers are decided when the page is closed.
 * Running sums tell at any time how large the page would become.
 * Format: docs/format/stratum.md, "Leaf pages". It never writes anywhere but into a buffer.
 */
#include "stratum/format.h"

void
leaf_builder_init(struct leaf_builder *b, const basin_allocator *mem)
{
    *b = (struct leaf_builder){ .mem = mem };
    buf_init(&b->keys, mem);
    buf_init(&b->values, mem);
}

void
leaf_builder_release(struct leaf_builder *b)
{
    if (!b->mem)
        return;
    buf_release(&b->keys);
    buf_release(&b->values);
    mem_free(b->mem, b->entries, b->entries_capacity * sizeof(*b->entries));
    *b = (struct leaf_builder){ .mem = b->mem };
}

void
leaf_builder_clear(struct leaf_builder *b)
{
    buf_clear(&b->keys);
    if (b->values.capacity > 4 * MIB)
        buf_release(&b->values);
    buf_clear(&b->values);
    b->count = 0;
    b->prefix_size = b->key_bytes = b->leb_bytes = b->value_bytes = b->dense_bytes = 0;
    b->key_max = 0;
    b->deletes = 0;
}

struct bytes
leaf_builder_key(const struct leaf_builder *b, size_t i)
{
    return buf_part(&b->keys, b->entries[i].key_at, b->entries[i].key_size);
}

static size_t
nibble_extra(size_t n)
{
    return n < 15 ? 0 : leb_size(n - 15);
}

/* Bytes of an entry in a dense page, the common prefix not yet taken off. */
static size_t
dense_entry_size(size_t count, size_t key_size, size_t shared)
{
    if (count % RESTART_EVERY == 0)
        shared = 0;
    return 1 + nibble_extra(shared) + nibble_extra(key_size - shared) + key_size - shared;
}

static uint8_t
seqno_width(uint64_t span)
{
    return span == 0            ? 0
           : span <= UINT8_MAX  ? 1
           : span <= UINT16_MAX ? 2
           : span <= UINT32_MAX ? 4
                                : 8;
}

/* The sums that a page size follows from. */
struct page_sums {
    size_t count;
    size_t prefix_size;
    size_t key_bytes;
    size_t leb_bytes;
    size_t value_bytes;
    size_t dense_bytes;
    uint8_t seqno_width;
    bool mixed;
    bool all_empty;
};

static size_t
offset_width(size_t area)
{
    return area > UINT16_MAX ? 4 : 2;
}

/* Bytes of the entries alone. */
static size_t
point_area(const struct page_sums *s)
{
    return s->key_bytes - s->count * s->prefix_size + s->leb_bytes + s->value_bytes;
}

static size_t
dense_area(const struct page_sums *s)
{
    size_t restarts = (s->count + RESTART_EVERY - 1) / RESTART_EVERY;

    return s->dense_bytes - restarts * s->prefix_size;
}

static size_t
point_size(const struct page_sums *s)
{
    size_t area = point_area(s);

    return LEAF_HEAD_SIZE + s->count * (1 + offset_width(area) + s->seqno_width) + s->prefix_size +
           area;
}

static size_t
dense_size(const struct page_sums *s)
{
    size_t restarts = (s->count + RESTART_EVERY - 1) / RESTART_EVERY;
    size_t area = dense_area(s);

    return LEAF_HEAD_SIZE + restarts * offset_width(area) + s->count * s->seqno_width +
           (s->mixed ? (s->count + 3) / 4 : 0) + s->prefix_size + area;
}

/* Dense pages are slower to search, so they must earn an eighth. */
static bool
prefer_dense(const struct page_sums *s)
{
    return s->all_empty && dense_size(s) * 8 <= point_size(s) * 7;
}

size_t
leaf_builder_size_with(const struct leaf_builder *b, const struct entry *e, size_t shared)
{
    struct page_sums s = {
        .count = b->count + 1,
        .prefix_size = e->key.size,
        .key_bytes = b->key_bytes + e->key.size,
        .leb_bytes = b->leb_bytes + leb_size((uint64_t)e->key.size << 2),
        .value_bytes = b->value_bytes + e->value.size,
        .dense_bytes = b->dense_bytes + dense_entry_size(b->count, e->key.size, shared),
        .all_empty = e->value.size == 0,
    };
    uint64_t seqno_min = e->seqno, seqno_max = e->seqno;

    if (b->count) {
        s.prefix_size = MIN_OF(b->prefix_size, shared);
        s.all_empty = b->all_empty && s.all_empty;
        s.mixed = b->mixed || e->kind != b->entries[0].kind;
        seqno_min = MIN_OF(b->seqno_min, seqno_min);
        seqno_max = MAX_OF(b->seqno_max, seqno_max);
    }
    s.seqno_width = seqno_max <= b->seqno_elide ? 0 : seqno_width(seqno_max - seqno_min);
    return prefer_dense(&s) ? dense_size(&s) : point_size(&s);
}

static bool
leaf_builder_grow(struct leaf_builder *b)
{
    size_t capacity = b->entries_capacity ? b->entries_capacity * 2 : 64;
    size_t old_size = b->entries_capacity * sizeof(*b->entries);
    void *p = b->mem->resize(b->mem->ctx, b->entries, old_size, capacity * sizeof(*b->entries));

    if (!p)
        return false;
    b->entries = p;
    b->entries_capacity = capacity;
    return true;
}

/* Into space that was reserved. */
static void
append(struct buf *to, struct bytes b)
{
    if (b.size)
        memcpy(to->data + to->size, b.data, b.size);
    to->size += b.size;
}

basin_status
leaf_builder_add(struct leaf_builder *b, const struct entry *e, size_t shared, uint64_t hash,
                 basin_error *err)
{
    struct pending *p;

    if ((b->count == b->entries_capacity && !leaf_builder_grow(b)) ||
        buf_reserve(&b->keys, e->key.size) != BASIN_OK ||
        buf_reserve(&b->values, e->value.size) != BASIN_OK)
        return error_set(err, BASIN_NO_MEM, "no memory for an entry of %zu bytes",
                         e->key.size + e->value.size);
    p = &b->entries[b->count];
    *p = (struct pending){ .key_at = b->keys.size,
                           .value_at = b->values.size,
                           .key_size = (uint32_t)e->key.size,
                           .value_size = (uint32_t)e->value.size,
                           .shared = b->count ? (uint32_t)shared : 0,
                           .seqno = e->seqno,
                           .hash = hash,
                           .kind = e->kind };
    append(&b->keys, e->key);
    append(&b->values, e->value);
    b->prefix_size = b->count ? MIN_OF(b->prefix_size, shared) : e->key.size;
    b->all_empty = (b->count == 0 || b->all_empty) && e->value.size == 0;
    b->mixed = b->count && (b->mixed || e->kind != b->entries[0].kind);
    b->seqno_min = b->count ? MIN_OF(b->seqno_min, e->seqno) : e->seqno;
    b->seqno_max = b->count ? MAX_OF(b->seqno_max, e->seqno) : e->seqno;
    b->dense_bytes += dense_entry_size(b->count, e->key.size, shared);
    b->key_bytes += e->key.size;
    b->leb_bytes += leb_size((uint64_t)e->key.size << 2);
    b->value_bytes += e->value.size;
    b->key_max = MAX_OF(b->key_max, e->key.size);
    b->deletes += e->kind == ENTRY_DELETE;
    b->count++;
    return BASIN_OK;
}

/* ------------------------------------------------------------------ layout */

struct layout {
    const struct leaf_builder *b;
    uint8_t *page;
    size_t at;
    size_t prefix_size;
    bool wide;
    bool mixed;
    uint8_t seqno_width;
    uint64_t seqno_base;
};

static void
put_head(struct layout *y, bool all_empty, enum entry_kind kind)
{
    uint8_t *p = y->page;

    p[0] = (uint8_t)((y->wide ? LEAF_WIDE : 0) | (y->mixed ? LEAF_MIXED : 0) |
                     (all_empty ? LEAF_ALL_EMPTY : 0));
    p[1] = y->seqno_width;
    p[2] = (uint8_t)kind;
    p[3] = 0;
    store_u32(p + 4, (uint32_t)y->b->count);
    store_u16(p + 8, (uint16_t)y->prefix_size);
    store_u16(p + 10, (uint16_t)y->b->key_max);
    store_u32(p + 12, 0);
    store_u64(p + 16, y->seqno_base);
    y->at = LEAF_HEAD_SIZE;
}

static void
put_seqnos(struct layout *y)
{
    uint8_t *p = y->page + y->at;

    for (size_t i = 0; i < y->b->count && y->seqno_width; i++, p += y->seqno_width) {
        uint64_t v = y->b->entries[i].seqno - y->seqno_base;
        memcpy(p, &v, y->seqno_width); /* little-endian: its low bytes */
    }
    y->at += y->b->count * y->seqno_width;
}

static void
put_prefix(struct layout *y)
{
    if (y->prefix_size)
        memcpy(y->page + y->at, y->b->keys.data, y->prefix_size);
    y->at += y->prefix_size;
}

static void
put_offset(const struct layout *y, uint8_t *offsets, size_t i, size_t offset)
{
    if (y->wide)
        store_u32(offsets + i * 4, (uint32_t)offset);
    else
        store_u16(offsets + i * 2, (uint16_t)offset);
}

static void
put_point(struct layout *y)
{
    const struct leaf_builder *b = y->b;
    uint8_t *offsets;
    size_t from;

    put_head(y, b->all_empty, ENTRY_PUT);
    for (size_t i = 0; i < b->count; i++)
        y->page[y->at++] = filter_print(b->entries[i].hash);
    offsets = y->page + y->at;
    y->at += b->count * (y->wide ? 4 : 2);
    put_seqnos(y);
    put_prefix(y);
    from = y->at;
    for (size_t i = 0; i < b->count; i++) {
        const struct pending *p = &b->entries[i];
        size_t rest = p->key_size - y->prefix_size;
        put_offset(y, offsets, i, y->at - from);
        y->at += leb_put(y->page + y->at, (uint64_t)rest << 2 | (uint64_t)p->kind);
        if (rest)
            memcpy(y->page + y->at, b->keys.data + p->key_at + y->prefix_size, rest);
        y->at += rest;
        if (p->value_size)
            memcpy(y->page + y->at, b->values.data + p->value_at, p->value_size);
        y->at += p->value_size;
    }
}

static void
put_kinds(struct layout *y)
{
    size_t n = y->mixed ? (y->b->count + 3) / 4 : 0;

    if (n)
        memset(y->page + y->at, 0, n);
    for (size_t i = 0; i < y->b->count && n; i++)
        y->page[y->at + i / 4] |= (uint8_t)(y->b->entries[i].kind << (i % 4 * 2));
    y->at += n;
}

static void
put_dense(struct layout *y)
{
    const struct leaf_builder *b = y->b;
    size_t restarts = (b->count + RESTART_EVERY - 1) / RESTART_EVERY, from;
    uint8_t *offsets;

    put_head(y, true, y->mixed ? ENTRY_PUT : b->entries[0].kind);
    offsets = y->page + y->at;
    y->at += restarts * (y->wide ? 4 : 2);
    put_kinds(y);
    put_seqnos(y);
    put_prefix(y);
    from = y->at;
    for (size_t i = 0; i < b->count; i++) {
        const struct pending *p = &b->entries[i];
        size_t shared = i % RESTART_EVERY ? p->shared - y->prefix_size : 0;
        size_t own = p->key_size - y->prefix_size - shared;
        if (i % RESTART_EVERY == 0)
            put_offset(y, offsets, i / RESTART_EVERY, y->at - from);
        y->page[y->at++] = (uint8_t)(MIN_OF(shared, (size_t)15) << 4 | MIN_OF(own, (size_t)15));
        if (shared >= 15)
            y->at += leb_put(y->page + y->at, shared - 15);
        if (own >= 15)
            y->at += leb_put(y->page + y->at, own - 15);
        if (own)
            memcpy(y->page + y->at, b->keys.data + p->key_at + y->prefix_size + shared, own);
        y->at += own;
    }
}

basin_status
leaf_builder_finish(const struct leaf_builder *b, bool elide, struct buf *to, enum block_kind *kind,
                    basin_error *err)
{
    struct layout y = { .b = b, .prefix_size = b->prefix_size };
    struct page_sums s = {
        b->count, b->prefix_size, b->key_bytes, b->leb_bytes, b->value_bytes, b->dense_bytes,
        0,        b->mixed,       b->all_empty
    };
    size_t room;
    bool dense;

    must(b->count > 0);
    if (!elide) {
        y.seqno_base = b->seqno_min;
        y.seqno_width = s.seqno_width = seqno_width(b->seqno_max - b->seqno_min);
    }
    dense = prefer_dense(&s);
    room = dense ? dense_size(&s) : point_size(&s);
    y.mixed = dense && b->mixed;
    y.wide = offset_width(dense ? dense_area(&s) : point_area(&s)) == 4;
    buf_clear(to);
    if (buf_reserve(to, room) != BASIN_OK)
        return error_set(err, BASIN_NO_MEM, "no memory for a page of %zu bytes", room);
    y.page = to->data;
    if (dense)
        put_dense(&y);
    else
        put_point(&y);
    must(y.at <= room);
    to->size = y.at;
    *kind = dense ? BLOCK_DENSE : BLOCK_POINT;
    return BASIN_OK;
}
