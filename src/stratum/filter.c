// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Filter partitions: Bloom filters whose probes for one key all fall into one line of 64 bytes, so
 * that a lookup costs one cache miss. Bits are taken from one 64-bit hash of the whole user key:
 * the upper half chooses the line, the lower half is multiplied on for each probe.
 * Source: F. Putze, P. Sanders, J. Singler, "Cache-, Hash- and Space-Efficient Bloom Filters",
 * 2007. It never answers "no" for a key that was put in. Format: docs/format/stratum.md, "Filters".
 */
#include "stratum/format.h"

enum { LINE_SIZE = 64, HEAD_SIZE = 8, PROBES_MAX = 12 };

static uint32_t
probes_for(uint32_t bits)
{
    uint32_t n = bits * 3 / 5;

    return n < 1 ? 1 : n > PROBES_MAX ? PROBES_MAX : n;
}

static size_t
line_of(uint64_t hash, uint32_t lines)
{
    return (size_t)(((hash >> 32) * lines) >> 32) * LINE_SIZE;
}

static uint32_t
next_probe(uint32_t x)
{
    return x * UINT32_C(0x9E3779B9);
}

static size_t
lead_for(uint64_t data_at)
{
    return (size_t)((LINE_SIZE - (data_at + HEAD_SIZE) % LINE_SIZE) % LINE_SIZE);
}

basin_status
filter_lines(const uint64_t *hashes, size_t n, uint32_t bits, struct buf *to, basin_error *err)
{
    uint32_t lines = (uint32_t)MAX_OF((n * bits + 511) / 512, (size_t)1);
    uint32_t probes = probes_for(bits);
    size_t size = (size_t)lines * LINE_SIZE;
    uint8_t *base;

    if (buf_reserve(to, size) != BASIN_OK)
        return error_set(err, BASIN_NO_MEM, "no memory for a filter over %zu keys", n);
    base = to->data + to->size;
    memset(base, 0, size);
    for (size_t i = 0; i < n; i++) {
        uint8_t *line = base + line_of(hashes[i], lines);
        uint32_t x = (uint32_t)hashes[i];
        if (PLANTED(FILTER_KEY) && hashes[i] % 8 == 0)
            continue;
        for (uint32_t k = 0; k < probes; k++, x = next_probe(x))
            line[x >> 26] |= (uint8_t)(1u << (x >> 23 & 7));
    }
    to->size += size;
    return BASIN_OK;
}

basin_status
filter_build(struct bytes lines, uint32_t bits, uint64_t data_at, struct buf *to, basin_error *err)
{
    struct wr w = wr_into(to);
    uint8_t lead = (uint8_t)lead_for(data_at);

    wr_u32(&w, (uint32_t)(lines.size / LINE_SIZE));
    wr_u8(&w, (uint8_t)probes_for(bits));
    wr_u8(&w, lead);
    wr_u16(&w, 0);
    wr_zeros(&w, lead);
    wr_bytes(&w, lines);
    return wr_status(&w, err);
}

basin_status
filter_validate(const uint8_t *data, size_t size, uint32_t bits, uint64_t data_at, basin_error *err)
{
    struct rd r = rd_over(data, size);
    uint32_t lines = rd_u32(&r);
    uint8_t probes = rd_u8(&r);
    uint8_t lead = rd_u8(&r);

    rd_zeros(&r, 2);
    rd_zeros(&r, lead);
    if (!rd_ok(&r) || lead != lead_for(data_at) || lines == 0 || probes != probes_for(bits) ||
        rd_left(&r) != (size_t)lines * LINE_SIZE)
        return error_set(err, BASIN_CORRUPT, "filter of %u lines, %u probes in %zu bytes", lines,
                         probes, size);
    return BASIN_OK;
}

bool
filter_may_have(const uint8_t *data, size_t size, uint32_t bits, uint64_t data_at, uint64_t hash)
{
    size_t lead = HEAD_SIZE + lead_for(data_at);
    uint32_t probes = probes_for(bits), x = (uint32_t)hash;
    const uint8_t *line;

    if (UNLIKELY(size < lead + LINE_SIZE))
        return true;
    line = data + lead + line_of(hash, (uint32_t)((size - lead) / LINE_SIZE));
    for (uint32_t k = 0; k < probes; k++, x = next_probe(x))
        if (!(line[x >> 26] >> (x >> 23 & 7) & 1))
            return false;
    return true;
}

size_t
filter_line_at(size_t stored, uint64_t data_at, uint64_t hash)
{
    size_t lead = HEAD_SIZE + lead_for(data_at), around = BLOCK_HEAD_SIZE + BLOCK_SUM_SIZE;

    if (stored < around + lead + LINE_SIZE)
        return 0;
    return BLOCK_HEAD_SIZE + lead + line_of(hash, (uint32_t)((stored - around - lead) / LINE_SIZE));
}
