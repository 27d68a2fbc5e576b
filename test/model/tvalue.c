// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/* See tvalue.h. The order of types is the number of their tag, as the format says. */
#include "tvalue.h"

#include <math.h>

typedef __int128 wide;

static int
sign_of(wide a, wide b)
{
    return (a > b) - (a < b);
}

static wide
wide_of(struct tuple_number v)
{
    return v.kind == TUPLE_INT ? (wide)v.as.i : (wide)v.as.u;
}

/* n against d, exactly: d = m * 2^e with an integer m of 53 bits. */
static int
int_against_double(wide n, double d)
{
    int e;
    wide m;

    if (isnan(d))
        return 1;
    if (isinf(d))
        return d > 0 ? -1 : 1;
    m = (wide)(int64_t)ldexp(frexp(d, &e), 53);
    e -= 53;
    if (m == 0)
        return sign_of(n, 0);
    if (e > 70)
        return m > 0 ? -1 : 1; /* beyond 2^122 */
    if (e >= 0)
        return sign_of(n, m * ((wide)1 << e));
    if (e >= -60)
        return sign_of(n * ((wide)1 << -e), m);
    return n ? sign_of(n, 0) : sign_of(0, m); /* |d| < 1 */
}

int
number_oracle(struct tuple_number a, struct tuple_number b)
{
    bool x = a.kind == TUPLE_DOUBLE, y = b.kind == TUPLE_DOUBLE;

    if (!x && !y)
        return sign_of(wide_of(a), wide_of(b));
    if (!x)
        return int_against_double(wide_of(a), b.as.d);
    if (!y)
        return -int_against_double(wide_of(b), a.as.d);
    if (isnan(a.as.d) || isnan(b.as.d))
        return (isnan(b.as.d) != 0) - (isnan(a.as.d) != 0);
    return (a.as.d > b.as.d) - (a.as.d < b.as.d);
}

static int
compare_binary(const struct tvalue *a, const struct tvalue *b)
{
    int c = (a->subtype > b->subtype) - (a->subtype < b->subtype);

    if (c == 0)
        c = (a->text.size > b->text.size) - (a->text.size < b->text.size);
    return c ? c : bytes_compare(a->text, b->text);
}

static int
compare_items(const struct tvalue *a, const struct tvalue *b, bool keys)
{
    for (size_t i = 0; i < a->count && i < b->count; i++) {
        int c = keys ? bytes_compare(a->keys[i], b->keys[i]) : 0;
        if (c == 0)
            c = tvalue_oracle(&a->items[i], &b->items[i]);
        if (c != 0)
            return c;
    }
    return (a->count > b->count) - (a->count < b->count);
}

int
tvalue_oracle(const struct tvalue *a, const struct tvalue *b)
{
    int c;

    if (a->tag != b->tag)
        return a->tag < b->tag ? -1 : 1;
    switch (a->tag) {
    case TUPLE_NUMBER:
        return number_oracle(a->number, b->number);
    case TUPLE_DOCUMENT:
        return compare_items(a, b, true);
    case TUPLE_ARRAY:
        return compare_items(a, b, false);
    case TUPLE_BINARY:
        return compare_binary(a, b);
    case TUPLE_BOOL:
        return (int)a->yes - (int)b->yes;
    case TUPLE_DATETIME:
        return (a->time > b->time) - (a->time < b->time);
    case TUPLE_TIMESTAMP:
        return ((uint64_t)a->time > (uint64_t)b->time) - ((uint64_t)a->time < (uint64_t)b->time);
    case TUPLE_CODE_SCOPE:
        c = bytes_compare(a->text, b->text);
        return c ? c : compare_items(a, b, true);
    case TUPLE_MIN_KEY:
    case TUPLE_ABSENT:
    case TUPLE_NULL:
    case TUPLE_MAX_KEY:
        return 0;
    default:
        c = bytes_compare(a->text, b->text);
        return c ? c : bytes_compare(a->text2, b->text2);
    }
}

static basin_status
put_items(struct buf *to, const struct tvalue *v, bool keys)
{
    basin_status st = BASIN_OK;

    for (size_t i = 0; i < v->count; i++) {
        if (keys) {
            TRY(tuple_put_u8(to, TUPLE_PAIR));
            TRY(tuple_put_str(to, v->keys[i]));
        }
        TRY(tvalue_put(to, &v->items[i]));
    }
    TRY(tuple_put_tag(to, TUPLE_END));
out:
    return st;
}

static basin_status
put_scope(struct buf *to, const struct tvalue *v)
{
    basin_status st;

    TRY(tuple_put_str(to, v->text));
    TRY(tuple_put_tag(to, TUPLE_DOCUMENT));
    TRY(put_items(to, v, true));
out:
    return st;
}

basin_status
tvalue_put(struct buf *to, const struct tvalue *v)
{
    basin_status st = tuple_put_tag(to, v->tag);

    if (st != BASIN_OK)
        return st;
    switch (v->tag) {
    case TUPLE_NUMBER:
        return tuple_put_bnum(to, v->number);
    case TUPLE_STRING:
    case TUPLE_CODE:
        return tuple_put_str(to, v->text);
    case TUPLE_REGEX:
        st = tuple_put_str(to, v->text);
        return st == BASIN_OK ? tuple_put_str(to, v->text2) : st;
    case TUPLE_DOCUMENT:
    case TUPLE_ARRAY:
        return put_items(to, v, v->tag == TUPLE_DOCUMENT);
    case TUPLE_CODE_SCOPE:
        return put_scope(to, v);
    case TUPLE_BINARY:
        return tuple_put_binary(to, v->subtype, v->text);
    case TUPLE_OBJECT_ID:
    case TUPLE_UUID:
        return buf_add(to, v->text.data, v->text.size);
    case TUPLE_BOOL:
        return tuple_put_bool(to, v->yes);
    case TUPLE_DATETIME:
        return tuple_put_i64(to, v->time);
    case TUPLE_TIMESTAMP:
        return tuple_put_u64(to, (uint64_t)v->time);
    default:
        return BASIN_OK;
    }
}

struct tuple_number
number_random(struct chance *c)
{
    uint64_t bits = chance_u64(c);
    struct tuple_number v;
    double near;

    switch (chance_below(c, 8)) {
    case 0: /* any bits are a double */
        v.kind = TUPLE_DOUBLE;
        memcpy(&v.as.d, &bits, sizeof bits);
        return v;
    case 1: /* small whole and half ones meet the integers below */
        return NUMBER_DOUBLE((double)chance_between(c, -40, 40) / 2);
    case 2:
        return NUMBER_INT(chance_between(c, -20, 20));
    case 3:
        return NUMBER_INT((int64_t)(bits >> (1 + chance_below(c, 63))) *
                          (chance_below(c, 2) ? 1 : -1));
    case 4:
        return NUMBER_UINT(bits >> chance_below(c, 64));
    case 5: /* a double beside a power of two */
        near = ldexp(1.0, (int)chance_between(c, -1074, 1023));
        return NUMBER_DOUBLE(nextafter(chance_below(c, 2) ? near : -near,
                                       chance_below(c, 2) ? INFINITY : -INFINITY));
    case 6: /* an integer beside a power of two */
        return NUMBER_UINT(((uint64_t)1 << chance_below(c, 64)) + chance_below(c, 3) - 1);
    default: /* subnormal */
        bits = (bits >> 12 >> chance_below(c, 52)) | (bits & (uint64_t)1 << 63);
        v.kind = TUPLE_DOUBLE;
        memcpy(&v.as.d, &bits, sizeof bits);
        return v;
    }
}

static struct bytes
random_text(struct chance *c, struct arena *a, size_t n)
{
    static const uint8_t letters[] = { 'a', 'b', 0x00, 0x01, 0xFE, 0xFF };
    uint8_t *p = arena_alloc(a, n);

    must(p != NULL);
    for (size_t i = 0; i < n; i++)
        p[i] = letters[chance_below(c, sizeof letters)];
    return bytes_of(p, n);
}

static void
random_items(struct chance *c, struct arena *a, unsigned depth, struct tvalue *v)
{
    struct bytes *keys;
    struct tvalue *items;

    v->count = chance_below(c, 4);
    keys = arena_alloc(a, v->count * sizeof *keys);
    items = arena_alloc(a, v->count * sizeof *items);
    must(keys != NULL && items != NULL);
    for (size_t i = 0; i < v->count; i++) {
        keys[i] = random_text(c, a, chance_below(c, 3));
        items[i] = tvalue_random(c, a, depth - 1);
    }
    v->keys = keys;
    v->items = items;
}

struct tvalue
tvalue_random(struct chance *c, struct arena *a, unsigned depth)
{
    static const enum tuple_tag tags[] = {
        TUPLE_MIN_KEY,    TUPLE_ABSENT,   TUPLE_NULL,      TUPLE_NUMBER,    TUPLE_NUMBER,
        TUPLE_STRING,     TUPLE_STRING,   TUPLE_BINARY,    TUPLE_OBJECT_ID, TUPLE_UUID,
        TUPLE_BOOL,       TUPLE_DATETIME, TUPLE_TIMESTAMP, TUPLE_REGEX,     TUPLE_CODE,
        TUPLE_MAX_KEY,    TUPLE_DOCUMENT, TUPLE_DOCUMENT,  TUPLE_ARRAY,     TUPLE_ARRAY,
        TUPLE_CODE_SCOPE,
    };
    struct tvalue v = { 0 };
    size_t count = depth ? COUNT_OF(tags) : COUNT_OF(tags) - 5;

    v.tag = tags[chance_below(c, count)];
    v.number = chance_below(c, 2) ? NUMBER_INT(chance_between(c, -2, 2)) : number_random(c);
    v.yes = chance_below(c, 2);
    v.time = chance_below(c, 2) ? chance_between(c, -2, 2) : (int64_t)chance_u64(c);
    v.subtype = (uint8_t)chance_below(c, 3);
    v.text = random_text(c, a, chance_below(c, 4));
    if (v.tag == TUPLE_OBJECT_ID || v.tag == TUPLE_UUID)
        v.text = random_text(c, a, v.tag == TUPLE_UUID ? TUPLE_UUID_SIZE : TUPLE_OBJECT_ID_SIZE);
    if (v.tag == TUPLE_REGEX)
        v.text2 = random_text(c, a, chance_below(c, 3));
    if (v.tag == TUPLE_DOCUMENT || v.tag == TUPLE_ARRAY || v.tag == TUPLE_CODE_SCOPE)
        random_items(c, a, depth, &v);
    return v;
}
