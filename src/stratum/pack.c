// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The packed form of a point page: what is compressed in its place. Fingerprints are left out,
 * since they follow from the keys, and offsets become sizes, which repeat where offsets never do;
 * both are bytes that a compressor can do nothing with. Unpacking gives the page back, so that all
 * readers know one form; its structure is validated afterwards like that of any page.
 * Format: docs/format/stratum.md, "Packed point pages".
 */
#include "stratum/format.h"

/* The fixed parts of a packed page, after a bounded look at its head. */
struct packed {
    uint32_t count;
    size_t wide;
    size_t prefix_size;
    size_t seqnos_at; /* sizes lie before */
    size_t prefix_at;
    size_t entries_at;
};

static bool
packed_open(struct bytes data, struct packed *k)
{
    uint64_t at = LEAF_HEAD_SIZE;

    if (data.size < LEAF_HEAD_SIZE)
        return false;
    k->count = load_u32(data.data + 4);
    k->wide = data.data[0] & LEAF_WIDE ? 4 : 2;
    k->prefix_size = load_u16(data.data + 8);
    if (k->count > data.size || data.data[1] > 8)
        return false;
    k->seqnos_at = (size_t)(at += k->count * k->wide);
    k->prefix_at = (size_t)(at += (uint64_t)k->count * data.data[1]);
    k->entries_at = (size_t)(at += k->prefix_size);
    return at <= data.size;
}

static inline uint32_t
load_width(const uint8_t *p, size_t wide, uint32_t i)
{
    return wide == 4 ? load_u32(p + (size_t)i * 4) : load_u16(p + (size_t)i * 2);
}

static inline void
store_width(uint8_t *p, size_t wide, uint32_t i, uint32_t v)
{
    if (wide == 4)
        store_u32(p + (size_t)i * 4, v);
    else
        store_u16(p + (size_t)i * 2, (uint16_t)v);
}

/* ------------------------------------------------------------------ packing */

basin_status
leaf_pack(struct bytes page, struct buf *to, basin_error *err)
{
    struct leaf l;
    size_t wide, rest;
    uint8_t *p;

    must(leaf_open(&l, BLOCK_POINT, page.data, page.size));
    wide = l.flags & LEAF_WIDE ? 4 : 2;
    buf_clear(to);
    if (buf_reserve(to, page.size) != BASIN_OK)
        return error_set(err, BASIN_NO_MEM, "no memory for a page of %zu bytes", page.size);
    memcpy(to->data, page.data, LEAF_HEAD_SIZE);
    p = to->data + LEAF_HEAD_SIZE;
    for (uint32_t i = 0; i < l.count; i++) {
        uint32_t end = i + 1 < l.count ? leaf_offset(&l, i + 1) : l.size;
        store_width(p, wide, i, end - leaf_offset(&l, i));
    }
    rest = l.size - l.seqnos_at;
    memcpy(p + l.count * wide, l.data + l.seqnos_at, rest);
    to->size = LEAF_HEAD_SIZE + l.count * wide + rest;
    return BASIN_OK;
}

/* ------------------------------------------------------------------ unpacking */

/* Offsets from sizes; false when the sizes are not those of the entries. */
static bool
restore_offsets(const struct packed *k, struct bytes data, uint8_t *offsets)
{
    const uint8_t *sizes = data.data + LEAF_HEAD_SIZE;
    uint64_t at = 0, area = data.size - k->entries_at;

    for (uint32_t i = 0; i < k->count; i++) {
        store_width(offsets, k->wide, i, (uint32_t)at);
        at += load_width(sizes, k->wide, i);
        if (at > area)
            return false;
    }
    return at == area;
}

/*
 * Fingerprints from the keys. A key stands in one piece nowhere, so the common part is written in
 * front of each rest, over bytes of the packed page that were copied before.
 */
static bool
restore_prints(const struct packed *k, uint8_t *data, size_t size, const uint8_t *page,
               const uint8_t *offsets, uint8_t *prints)
{
    const uint8_t *prefix = page + k->count + k->prefix_at;

    for (uint32_t i = 0; i < k->count; i++) {
        const uint8_t *p = data + k->entries_at + load_width(offsets, k->wide, i);
        uint32_t head = leaf_leb(&p, data + size);
        uint8_t *key = data + (p - data) - k->prefix_size;
        if (head >> 2 > (size_t)(data + size - p))
            return false;
        if (k->prefix_size)
            memcpy(key, prefix, k->prefix_size);
        prints[i] = filter_print(filter_hash(bytes_of(key, k->prefix_size + (head >> 2))));
    }
    return true;
}

basin_status
leaf_unpack(uint8_t *data, size_t size, const basin_allocator *mem, uint8_t **page,
            size_t *page_size, basin_error *err)
{
    struct packed k = { 0 };
    uint8_t *p = NULL, *offsets;
    basin_status st = BASIN_OK;

    *page = NULL;
    *page_size = 0;
    if (!packed_open(bytes_of(data, size), &k))
        FAIL(err, BASIN_CORRUPT, "its packed arrays do not fit %zu bytes", size);
    p = mem_new(mem, size + k.count);
    if (p == NULL)
        FAIL(err, BASIN_NO_MEM, "no memory for %zu bytes", size + k.count);
    memcpy(p, data, LEAF_HEAD_SIZE);
    offsets = p + LEAF_HEAD_SIZE + k.count;
    memcpy(offsets + k.count * k.wide, data + k.seqnos_at, size - k.seqnos_at);
    if (!restore_offsets(&k, bytes_of(data, size), offsets) ||
        !restore_prints(&k, data, size, p, offsets, p + LEAF_HEAD_SIZE))
        FAIL(err, BASIN_CORRUPT, "its packed entries do not fill %zu bytes", size);
    *page = p;
    *page_size = size + k.count;
    p = NULL;
out:
    mem_free(mem, p, size + k.count);
    return st;
}
