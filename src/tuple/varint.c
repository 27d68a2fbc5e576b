// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * C3: the variable-length integer of SQLite4. Its first byte tells the length and grows with the
 * number, so codes sort like numbers. The shortest form is the only legal one.
 * Format: docs/format/tuple.md. Source: https://sqlite.org/src4/doc/trunk/www/varint.wiki.
 */
#include "tuple/tuple_scan.h"

enum {
    ONE_MAX = 240,    /* largest number of one byte */
    TWO_MAX = 2287,   /* of two */
    THREE_MAX = 67823 /* of three */
};

size_t
tuple_varint_size(uint64_t v)
{
    unsigned bits;

    if (v <= ONE_MAX)
        return 1;
    if (v <= TWO_MAX)
        return 2;
    if (v <= THREE_MAX)
        return 3;
    bits = 64u - (unsigned)__builtin_clzll(v);
    return 1 + MAX_OF((bits + 7) / 8, 3u);
}

size_t
tuple_varint_put(uint8_t *p, uint64_t v)
{
    size_t size = tuple_varint_size(v);

    if (size == 1) {
        p[0] = (uint8_t)v;
    } else if (size == 2) {
        p[0] = (uint8_t)(241 + (v - ONE_MAX) / 256);
        p[1] = (uint8_t)(v - ONE_MAX);
    } else if (v <= THREE_MAX) {
        p[0] = 249;
        p[1] = (uint8_t)((v - TWO_MAX - 1) >> 8);
        p[2] = (uint8_t)(v - TWO_MAX - 1);
    } else {
        p[0] = (uint8_t)(250 + size - 4);
        for (size_t i = size - 1; i > 0; i--) {
            p[i] = (uint8_t)v;
            v >>= 8;
        }
    }
    return size;
}

basin_status
tuple_put_varint(struct buf *to, uint64_t v)
{
    uint8_t p[TUPLE_VARINT_MAX];

    return buf_add(to, p, tuple_varint_put(p, v));
}

/* Bytes of the code that begins with this byte. */
static size_t
size_of_code(uint8_t first)
{
    if (first <= 240)
        return 1;
    if (first <= 248)
        return 2;
    return (size_t)first - 246;
}

basin_status
tuple_get_varint(struct rd *r, uint64_t *v, basin_error *err)
{
    const uint8_t *p;
    uint64_t n = 0;
    size_t size;

    *v = 0;
    if (!rd_ok(r) || rd_left(r) == 0)
        return tuple__corrupt(r, err, "a varint is missing");
    p = r->data + r->at;
    size = size_of_code(p[0]);
    if (size > rd_left(r))
        return tuple__corrupt(r, err, "a varint is cut off");
    for (size_t i = 1; i < size; i++)
        n = n << 8 | p[i];
    if (size == 1)
        n = p[0];
    else if (size == 2)
        n += ONE_MAX + 256 * (uint64_t)(p[0] - 241);
    else if (size == 3)
        n += TWO_MAX + 1;
    if (tuple_varint_size(n) != size)
        return tuple__corrupt(r, err, "a varint is not in its shortest form");
    r->at += size;
    *v = n;
    return BASIN_OK;
}
