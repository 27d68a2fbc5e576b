// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * C6: integers and doubles in one exact order.
 *
 * A number is taken apart into class, exponent and a fraction of 64 bits with the top bit set; that
 * form is exact for every int64, uint64 and double, and comparing it piece by piece is comparing
 * the numbers. The code is these pieces in bytes; a negative number is the inverted code of its
 * absolute value, class byte aside. Nothing goes through decimal or through a double.
 * Format: docs/format/tuple.md.
 */
#include "tuple/tuple_scan.h"

enum number_class {
    CLASS_NAN = 1,
    CLASS_MINUS_INFINITY = 2,
    CLASS_NEGATIVE = 3,
    CLASS_ZERO = 4,
    CLASS_POSITIVE = 5,
    CLASS_INFINITY = 6
};

enum {
    EXPONENT_BIAS = 0x4000,
    GROUPS_MAX = 9,              /* 63 bits below the leading 1, seven in a group */
    DOUBLE_EXPONENT_MIN = -1022, /* of normal doubles */
    DOUBLE_EXPONENT_LEAST = -1074,
    DOUBLE_EXPONENT_MAX = 1023,
    DOUBLE_BITS = 53
};

static const uint64_t top_bit = (uint64_t)1 << 63;

/* |x| = fraction * 2^(exponent - 63) for the classes negative and positive. */
struct parts {
    enum number_class class;
    int exponent;
    uint64_t fraction; /* top bit set */
};

/* magnitude * 2^scale */
static struct parts
parts_of_scaled(bool negative, uint64_t magnitude, int scale)
{
    int zeros;

    if (magnitude == 0)
        return (struct parts){ CLASS_ZERO, 0, 0 };
    zeros = __builtin_clzll(magnitude);
    return (struct parts){ negative ? CLASS_NEGATIVE : CLASS_POSITIVE, 63 - zeros + scale,
                           magnitude << zeros };
}

static struct parts
parts_of_double(double v)
{
    uint64_t bits, fraction;
    int exponent;
    bool negative;

    memcpy(&bits, &v, sizeof bits);
    negative = bits >> 63;
    exponent = (int)(bits >> 52 & 0x7FF);
    fraction = bits & (((uint64_t)1 << 52) - 1);
    if (exponent == 0x7FF) {
        if (fraction)
            return (struct parts){ CLASS_NAN, 0, 0 };
        return (struct parts){ negative ? CLASS_MINUS_INFINITY : CLASS_INFINITY, 0, 0 };
    }
    if (exponent == 0)
        return parts_of_scaled(negative, fraction, DOUBLE_EXPONENT_LEAST);
    return parts_of_scaled(negative, fraction | (uint64_t)1 << 52, exponent - 1075);
}

static struct parts
parts_of(struct tuple_number v)
{
    if (v.kind == TUPLE_DOUBLE)
        return parts_of_double(v.as.d);
    if (v.kind == TUPLE_UINT)
        return parts_of_scaled(false, v.as.u, 0);
    return parts_of_scaled(v.as.i < 0, v.as.i < 0 ? 0 - (uint64_t)v.as.i : (uint64_t)v.as.i, 0);
}

int
tuple_number_compare(struct tuple_number a, struct tuple_number b)
{
    struct parts x = parts_of(a), y = parts_of(b);
    int c;

    if (x.class != y.class)
        return x.class < y.class ? -1 : 1;
    c = (x.exponent > y.exponent) - (x.exponent < y.exponent);
    if (c == 0)
        c = (x.fraction > y.fraction) - (x.fraction < y.fraction);
    return x.class == CLASS_NEGATIVE ? -c : c;
}

basin_status
tuple_put_bnum(struct buf *to, struct tuple_number v)
{
    struct parts x = parts_of(v);
    uint8_t p[TUPLE_BNUM_MAX];
    uint64_t rest = x.fraction << 1;
    unsigned biased;
    size_t n = 0;

    p[n++] = (uint8_t)x.class;
    if (x.class != CLASS_POSITIVE && x.class != CLASS_NEGATIVE)
        return buf_add(to, p, n);
    biased = (unsigned)(x.exponent + EXPONENT_BIAS);
    p[n++] = (uint8_t)(biased >> 8);
    p[n++] = (uint8_t)biased;
    do {
        uint8_t group = (uint8_t)(rest >> 57);
        rest <<= 7;
        must(n < sizeof p);
        p[n++] = (uint8_t)(group << 1 | (rest != 0));
    } while (rest != 0);
    if (x.class == CLASS_NEGATIVE) {
        for (size_t i = 1; i < n; i++)
            p[i] = (uint8_t)~p[i];
    }
    return buf_add(to, p, n);
}

/* Whether a writer could have had this number: an int64, a uint64 or a double. */
static bool
parts_exist(const struct parts *x)
{
    int unused; /* low bits of the fraction that the number must leave zero */

    if (x->exponent >= 0 && x->exponent <= 63) {
        uint64_t below = x->exponent == 63 ? 0 : ~(uint64_t)0 >> (x->exponent + 1);
        bool whole = (x->fraction & below) == 0;
        bool fits = x->class == CLASS_POSITIVE || x->exponent < 63 || x->fraction == top_bit;
        if (whole && fits)
            return true;
    }
    if (x->exponent < DOUBLE_EXPONENT_LEAST || x->exponent > DOUBLE_EXPONENT_MAX)
        return false;
    unused = 64 - DOUBLE_BITS;
    if (x->exponent < DOUBLE_EXPONENT_MIN)
        unused += DOUBLE_EXPONENT_MIN - x->exponent;
    return (x->fraction & (((uint64_t)1 << unused) - 1)) == 0;
}

/* The class byte, then exponent and groups. s->at stays on the byte that is wrong. */
static enum scan_result
scan_parts(struct scan *s, struct parts *x)
{
    uint64_t rest = 0;
    uint8_t invert, byte;
    size_t from = s->at, groups = 0;

    if (s->at == s->size)
        return tuple__scan_stop(s, SCAN_SHORT, "a number is missing");
    byte = tuple__scan_byte(s);
    if (byte < CLASS_NAN || byte > CLASS_INFINITY)
        return tuple__scan_stop(s, SCAN_BAD, "an unknown class of number");
    *x = (struct parts){ (enum number_class)byte, 0, 0 };
    s->at++;
    if (byte != CLASS_POSITIVE && byte != CLASS_NEGATIVE)
        return SCAN_OK;
    invert = byte == CLASS_NEGATIVE ? 0xFF : 0x00;
    for (int i = 0; i < 2; i++) {
        if (s->at == s->size)
            return tuple__scan_stop(s, SCAN_SHORT, "a number is cut off");
        x->exponent = x->exponent << 8 | (tuple__scan_byte(s) ^ invert);
        s->at++;
    }
    x->exponent -= EXPONENT_BIAS;
    do {
        if (s->at == s->size)
            return tuple__scan_stop(s, SCAN_SHORT, "a number is cut off");
        byte = tuple__scan_byte(s) ^ invert;
        if (groups == GROUPS_MAX - 1 && byte & 1)
            return tuple__scan_stop(s, SCAN_BAD, "a number with too many groups");
        if (groups > 0 && byte == 0)
            return tuple__scan_stop(s, SCAN_BAD, "a number with a superfluous zero group");
        rest |= (uint64_t)(byte >> 1) << (57 - 7 * groups);
        groups++;
        s->at++;
    } while (byte & 1);
    x->fraction = top_bit | rest >> 1;
    if (!parts_exist(x)) {
        s->at = from;
        return tuple__scan_stop(s, SCAN_BAD, "a number that is no int64, uint64 or double");
    }
    return SCAN_OK;
}

enum scan_result
tuple__scan_bnum(struct scan *s)
{
    struct parts x;

    return scan_parts(s, &x);
}

static double
double_of(const struct parts *x)
{
    uint64_t bits = x->class == CLASS_NEGATIVE || x->class == CLASS_MINUS_INFINITY ? top_bit : 0;
    double v;

    if (x->class == CLASS_NAN)
        bits = 0xFFF8000000000000u;
    else if (x->class == CLASS_INFINITY || x->class == CLASS_MINUS_INFINITY)
        bits |= (uint64_t)0x7FF << 52;
    else if (x->exponent < DOUBLE_EXPONENT_MIN)
        bits |= x->fraction >> (64 - DOUBLE_BITS + DOUBLE_EXPONENT_MIN - x->exponent);
    else
        bits |= (uint64_t)(x->exponent + 1023) << 52 | (x->fraction << 1) >> 12;
    memcpy(&v, &bits, sizeof v);
    return v;
}

/* Undoes parts_of: the integer when it is one in range, else the double. */
static struct tuple_number
number_of(const struct parts *x)
{
    struct tuple_number v = { .kind = TUPLE_INT };
    uint64_t magnitude, below;

    if (x->class == CLASS_ZERO)
        return v;
    v.kind = TUPLE_DOUBLE;
    v.as.d = double_of(x);
    if ((x->class != CLASS_POSITIVE && x->class != CLASS_NEGATIVE) || x->exponent < 0 ||
        x->exponent > 63)
        return v;
    below = x->exponent == 63 ? 0 : ~(uint64_t)0 >> (x->exponent + 1);
    if (x->fraction & below)
        return v;
    magnitude = x->fraction >> (63 - x->exponent);
    if (x->class == CLASS_NEGATIVE) {
        if (magnitude > top_bit)
            return v;
        v.kind = TUPLE_INT;
        v.as.i = (int64_t)(0 - magnitude);
    } else if (magnitude > INT64_MAX) {
        v.kind = TUPLE_UINT;
        v.as.u = magnitude;
    } else {
        v.kind = TUPLE_INT;
        v.as.i = (int64_t)magnitude;
    }
    return v;
}

basin_status
tuple_get_bnum(struct rd *r, struct tuple_number *v, basin_error *err)
{
    struct scan s = tuple__scan_of(r);
    struct parts x = { CLASS_ZERO, 0, 0 };
    basin_status st;

    *v = (struct tuple_number){ .kind = TUPLE_INT };
    if (!rd_ok(r))
        return tuple__corrupt(r, err, "read after a failure");
    st = tuple__scan_done(r, &s, scan_parts(&s, &x), err);
    if (st == BASIN_OK)
        *v = number_of(&x);
    return st;
}
