// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * C2, C4, C5: elements of fixed width, and the byte of a bool.
 *
 * Unsigned integers are big-endian. A signed one has its top bit flipped, which moves the negative
 * half below. A double is inverted when negative, else its top bit is flipped; -0.0 is written as
 * +0.0 and every NaN as one NaN, which lands below -inf. Format: docs/format/tuple.md.
 */
#include "tuple/tuple_scan.h"

static const uint64_t top_bit = (uint64_t)1 << 63;
/* Codes of a double that no writer makes: -0.0 is this one; NaNs have one code. */
static const uint64_t f64_minus_zero_code = 0x7FFFFFFFFFFFFFFFu;
static const uint64_t f64_nan_bits = 0xFFF8000000000000u;
static const uint64_t f64_infinity_bits = 0x7FF0000000000000u;

/* The low `width` bytes of v, highest first. */
static basin_status
put_number(struct buf *to, uint64_t v, size_t width)
{
    uint8_t p[8];

    store_u64(p, __builtin_bswap64(v));
    return buf_add(to, p + sizeof p - width, width);
}

static basin_status
get_number(struct rd *r, uint64_t *v, size_t width, basin_error *err)
{
    uint8_t p[8] = { 0 };
    struct bytes in;

    *v = 0;
    if (rd_left(r) < width)
        return tuple__corrupt(r, err, "a number is cut off");
    in = rd_bytes(r, width);
    if (!rd_ok(r))
        return tuple__corrupt(r, err, "read after a failure");
    memcpy(p + sizeof p - width, in.data, width);
    *v = __builtin_bswap64(load_u64(p));
    return BASIN_OK;
}

basin_status
tuple_put_u8(struct buf *to, uint8_t v)
{
    return buf_add(to, &v, 1);
}

basin_status
tuple_put_u16(struct buf *to, uint16_t v)
{
    return put_number(to, v, 2);
}

basin_status
tuple_put_u32(struct buf *to, uint32_t v)
{
    return put_number(to, v, 4);
}

basin_status
tuple_put_u64(struct buf *to, uint64_t v)
{
    return put_number(to, v, 8);
}

basin_status
tuple_put_u128(struct buf *to, uint64_t high, uint64_t low)
{
    uint8_t p[16];

    store_u64(p, __builtin_bswap64(high));
    store_u64(p + 8, __builtin_bswap64(low));
    return buf_add(to, p, sizeof p);
}

basin_status
tuple_get_u8(struct rd *r, uint8_t *v, basin_error *err)
{
    uint64_t n;
    basin_status st = get_number(r, &n, 1, err);

    *v = (uint8_t)n;
    return st;
}

basin_status
tuple_get_u16(struct rd *r, uint16_t *v, basin_error *err)
{
    uint64_t n;
    basin_status st = get_number(r, &n, 2, err);

    *v = (uint16_t)n;
    return st;
}

basin_status
tuple_get_u32(struct rd *r, uint32_t *v, basin_error *err)
{
    uint64_t n;
    basin_status st = get_number(r, &n, 4, err);

    *v = (uint32_t)n;
    return st;
}

basin_status
tuple_get_u64(struct rd *r, uint64_t *v, basin_error *err)
{
    return get_number(r, v, 8, err);
}

basin_status
tuple_get_u128(struct rd *r, uint64_t *high, uint64_t *low, basin_error *err)
{
    basin_status st;

    *high = *low = 0;
    if (rd_left(r) < 16)
        return tuple__corrupt(r, err, "a number is cut off");
    st = get_number(r, high, 8, err);
    return st == BASIN_OK ? get_number(r, low, 8, err) : st;
}

basin_status
tuple_put_i64(struct buf *to, int64_t v)
{
    return put_number(to, (uint64_t)v ^ top_bit, 8);
}

basin_status
tuple_get_i64(struct rd *r, int64_t *v, basin_error *err)
{
    uint64_t n;
    basin_status st = get_number(r, &n, 8, err);

    *v = st == BASIN_OK ? (int64_t)(n ^ top_bit) : 0;
    return st;
}

basin_status
tuple_put_f64(struct buf *to, double v)
{
    uint64_t bits;

    memcpy(&bits, &v, sizeof bits);
    if ((bits & ~top_bit) > f64_infinity_bits)
        bits = f64_nan_bits;
    else if (bits == top_bit)
        bits = 0;
    return put_number(to, bits & top_bit ? ~bits : bits ^ top_bit, 8);
}

basin_status
tuple_get_f64(struct rd *r, double *v, basin_error *err)
{
    size_t from = r->at;
    uint64_t code, bits;
    basin_status st = get_number(r, &code, 8, err);

    *v = 0;
    if (st != BASIN_OK)
        return st;
    bits = code & top_bit ? code ^ top_bit : ~code;
    if (code == f64_minus_zero_code ||
        ((bits & ~top_bit) > f64_infinity_bits && bits != f64_nan_bits)) {
        r->at = from;
        return tuple__corrupt(r, err, "a double in a form that is never written");
    }
    memcpy(v, &bits, sizeof bits);
    return BASIN_OK;
}

basin_status
tuple_put_bool(struct buf *to, bool v)
{
    return tuple_put_u8(to, v ? 1 : 0);
}

basin_status
tuple_get_bool(struct rd *r, bool *v, basin_error *err)
{
    size_t from = r->at;
    uint8_t byte;
    basin_status st = tuple_get_u8(r, &byte, err);

    *v = byte == 1;
    if (st == BASIN_OK && byte > 1) {
        r->at = from;
        st = tuple__corrupt(r, err, "a bool other than 00 and 01");
    }
    return st;
}
