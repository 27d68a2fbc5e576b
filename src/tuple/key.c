// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * What is done to elements once they are written: inverting them for a descending order (C8), the
 * bound of a prefix (C10), and cutting long ones (C11).
 *
 * A cut element keeps its first TUPLE_CUT_AT bytes, which order it, and gets the BLAKE3 of the
 * whole ascending code, which tells it from its neighbours. Cutting comes before inverting. Format:
 * docs/format/tuple.md.
 */
#include "tuple/tuple.h"

#include <blake3.h>

static_assert(TUPLE_HASH_SIZE == BLAKE3_OUT_LEN, "the length of BLAKE3-256");
static_assert(TUPLE_CUT_SIZE == TUPLE_CUT_AT + TUPLE_HASH_SIZE, "a cut element is head and hash");

void
tuple_invert(struct buf *to, size_t from)
{
    must(from <= to->size);
    for (size_t i = from; i < to->size; i++)
        to->data[i] = (uint8_t)~to->data[i];
}

basin_status
tuple_prefix_end(struct bytes prefix, struct buf *to, bool *unbounded)
{
    size_t n = prefix.size;
    basin_status st;

    while (n > 0 && prefix.data[n - 1] == 0xFF)
        n--;
    *unbounded = n == 0;
    if (n == 0)
        return BASIN_OK;
    st = buf_add(to, prefix.data, n);
    if (st == BASIN_OK)
        to->data[to->size - 1]++;
    return st;
}

void
tuple_hash(struct bytes in, uint8_t out[TUPLE_HASH_SIZE])
{
    blake3_hasher hasher;

    blake3_hasher_init(&hasher);
    blake3_hasher_update(&hasher, in.data, in.size);
    blake3_hasher_finalize(&hasher, out, TUPLE_HASH_SIZE);
}

basin_status
tuple_cut(struct buf *to, size_t from)
{
    size_t size;
    basin_status st;

    must(from <= to->size);
    size = to->size - from;
    if (size <= TUPLE_CUT_AT)
        return BASIN_OK;
    if (size < TUPLE_CUT_SIZE) {
        st = buf_reserve(to, TUPLE_CUT_SIZE - size);
        if (st != BASIN_OK)
            return st;
    }
    tuple_hash(bytes_of(to->data + from, size), to->data + from + TUPLE_CUT_AT);
    to->size = from + TUPLE_CUT_SIZE;
    return BASIN_OK;
}
