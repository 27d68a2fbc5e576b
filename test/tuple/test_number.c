// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/* C2, C4, C5, C6: fixed integers, doubles and bnum (CC3, CC4, CC5, CC13). */
#include "vectors.h"

#include <stdlib.h>

#include <setjmp.h>

#include <cmocka.h>

static struct buf b;

static int
setup(void **state)
{
    (void)state;
    buf_init(&b, &base_malloc);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    buf_release(&b);
    return 0;
}

static void
c2_fixed_integers(void **state)
{
    uint8_t v8 = 0;
    uint16_t v16 = 0;
    uint32_t v32 = 0;
    uint64_t v64 = 0, high = 0, low = 0;
    struct rd r;

    (void)state;
    buf_clear(&b);
    assert_int_equal(tuple_put_u8(&b, 0x81), BASIN_OK);
    assert_int_equal(tuple_put_u16(&b, 0x8123), BASIN_OK);
    assert_int_equal(tuple_put_u32(&b, 0x81234567), BASIN_OK);
    assert_int_equal(tuple_put_u64(&b, 0x8123456789ABCDEF), BASIN_OK);
    assert_int_equal(tuple_put_u128(&b, 1, 0xF000000000000002), BASIN_OK);
    assert_hex(buf_bytes(&b), "81 8123 81234567 8123456789ABCDEF"
                              "0000000000000001F000000000000002");
    r = rd_over(b.data, b.size);
    assert_int_equal(tuple_get_u8(&r, &v8, NULL), BASIN_OK);
    assert_int_equal(tuple_get_u16(&r, &v16, NULL), BASIN_OK);
    assert_int_equal(tuple_get_u32(&r, &v32, NULL), BASIN_OK);
    assert_int_equal(tuple_get_u64(&r, &v64, NULL), BASIN_OK);
    assert_int_equal(tuple_get_u128(&r, &high, &low, NULL), BASIN_OK);
    assert_true(v8 == 0x81 && v16 == 0x8123 && v32 == 0x81234567);
    assert_true(v64 == 0x8123456789ABCDEF && high == 1 && low == 0xF000000000000002);
    assert_true(rd_done(&r));
    assert_int_equal(tuple_get_u8(&r, &v8, NULL), BASIN_CORRUPT);
    assert_int_equal(v8, 0);
}

static void
cc3_i64_codes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(i64_vectors); i++) {
        struct rd r;
        int64_t v = 1;
        buf_clear(&b);
        assert_int_equal(tuple_put_i64(&b, i64_vectors[i].v), BASIN_OK);
        assert_hex(buf_bytes(&b), i64_vectors[i].hex);
        r = rd_over(b.data, b.size);
        assert_int_equal(tuple_get_i64(&r, &v, NULL), BASIN_OK);
        assert_true(v == i64_vectors[i].v);
    }
}

static void
cc3_f64_codes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(f64_vectors); i++) {
        struct rd r;
        double v = 1;
        buf_clear(&b);
        assert_int_equal(tuple_put_f64(&b, f64_vectors[i].v), BASIN_OK);
        assert_hex(buf_bytes(&b), f64_vectors[i].hex);
        r = rd_over(b.data, b.size);
        assert_int_equal(tuple_get_f64(&r, &v, NULL), BASIN_OK);
        assert_true(v == f64_vectors[i].v || (isnan(v) && isnan(f64_vectors[i].v)));
    }
    buf_clear(&b);
    assert_int_equal(tuple_put_f64(&b, -0.0), BASIN_OK);
    assert_hex(buf_bytes(&b), "80 00 00 00 00 00 00 00");
    buf_clear(&b);
    assert_int_equal(tuple_put_f64(&b, -(double)NAN), BASIN_OK);
    assert_hex(buf_bytes(&b), "00 07 FF FF FF FF FF FF");
}

/* C13: -0.0 and the other NaNs are never written. */
static void
f64_has_one_form(void **state)
{
    static const char *const bad[] = { "7F FF FF FF FF FF FF FF", "00 07 FF FF FF FF FF FE",
                                       "00 00 00 00 00 00 00 00", "FF F8 00 00 00 00 00 00",
                                       "FF FF FF FF FF FF FF FF", "FF F0 00 00 00 00 00 01" };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct rd r;
        double v;
        buf_clear(&b);
        assert_true(hex_read(bad[i], strlen(bad[i]), &b));
        r = rd_over(b.data, b.size);
        assert_int_equal(tuple_get_f64(&r, &v, NULL), BASIN_CORRUPT);
        assert_int_equal(r.at, 0);
    }
}

static void
cc3_random_order(void **state)
{
    struct chance c = chance_init("cc3", 3);
    uint8_t before[16] = { 0 };
    int64_t last = 0;
    double last_d = 0;

    (void)state;
    for (size_t i = 0, n = test_scale(20000); i < n; i++) {
        int64_t v =
            (int64_t)(chance_u64(&c) >> chance_below(&c, 64)) ^ (chance_below(&c, 2) ? -1 : 0);
        struct tuple_number d = number_random(&c);
        int order;
        if (d.kind != TUPLE_DOUBLE)
            d = NUMBER_DOUBLE((double)v);
        buf_clear(&b);
        assert_int_equal(tuple_put_i64(&b, v), BASIN_OK);
        assert_int_equal(tuple_put_f64(&b, d.as.d), BASIN_OK);
        if (i > 0) {
            order = memcmp(b.data, before, 8);
            assert_int_equal((order > 0) - (order < 0), (v > last) - (v < last));
            order = memcmp(b.data + 8, before + 8, 8);
            assert_int_equal((order > 0) - (order < 0), number_oracle(d, NUMBER_DOUBLE(last_d)));
        }
        memcpy(before, b.data, 16);
        last = v;
        last_d = d.as.d;
    }
}

static void
expect_number(struct tuple_number v, const char *hex)
{
    struct tuple_number back = { 0 };
    struct rd r;

    buf_clear(&b);
    assert_int_equal(tuple_put_bnum(&b, v), BASIN_OK);
    assert_hex(buf_bytes(&b), hex);
    r = rd_over(b.data, b.size);
    assert_int_equal(tuple_get_bnum(&r, &back, NULL), BASIN_OK);
    assert_true(rd_done(&r));
    assert_int_equal(number_oracle(v, back), 0);
}

static void
cc4_bnum_codes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bnum_vectors); i++) {
        const struct bnum_vector *v = &bnum_vectors[i];
        if (v->has_i)
            expect_number(NUMBER_INT(v->i), v->hex);
        if (v->has_u)
            expect_number(NUMBER_UINT(v->u), v->hex);
        if (v->has_d)
            expect_number(NUMBER_DOUBLE(v->d), v->hex);
    }
}

/* Integers come back as integers, whatever they were written from. */
static void
cc4_kinds_of_what_is_decoded(void **state)
{
    static const struct {
        struct tuple_number in;
        enum tuple_number_kind kind;
    } cases[] = {
        { { .kind = TUPLE_DOUBLE, .as.d = 25.0 }, TUPLE_INT },
        { { .kind = TUPLE_DOUBLE, .as.d = -0.0 }, TUPLE_INT },
        { { .kind = TUPLE_DOUBLE, .as.d = 1e18 }, TUPLE_INT },
        { { .kind = TUPLE_DOUBLE, .as.d = -9223372036854775808.0 }, TUPLE_INT },
        { { .kind = TUPLE_DOUBLE, .as.d = 9223372036854775808.0 }, TUPLE_UINT },
        { { .kind = TUPLE_DOUBLE, .as.d = 18446744073709551616.0 }, TUPLE_DOUBLE },
        { { .kind = TUPLE_DOUBLE, .as.d = -18446744073709549568.0 }, TUPLE_DOUBLE },
        { { .kind = TUPLE_DOUBLE, .as.d = 0.5 }, TUPLE_DOUBLE },
        { { .kind = TUPLE_DOUBLE, .as.d = 5e-324 }, TUPLE_DOUBLE },
        { { .kind = TUPLE_DOUBLE, .as.d = 2.2250738585072014e-308 }, TUPLE_DOUBLE },
        { { .kind = TUPLE_DOUBLE, .as.d = 2.2250738585072009e-308 }, TUPLE_DOUBLE },
        { { .kind = TUPLE_UINT, .as.u = 7 }, TUPLE_INT },
        { { .kind = TUPLE_UINT, .as.u = UINT64_MAX }, TUPLE_UINT },
        { { .kind = TUPLE_INT, .as.i = INT64_MIN }, TUPLE_INT },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct tuple_number v;
        struct rd r;
        buf_clear(&b);
        assert_int_equal(tuple_put_bnum(&b, cases[i].in), BASIN_OK);
        r = rd_over(b.data, b.size);
        assert_int_equal(tuple_get_bnum(&r, &v, NULL), BASIN_OK);
        assert_int_equal(v.kind, cases[i].kind);
        assert_int_equal(number_oracle(v, cases[i].in), 0);
    }
}

static int
by_oracle(const void *a, const void *c)
{
    return number_oracle(*(const struct tuple_number *)a, *(const struct tuple_number *)c);
}

/* CC5: sorted as exact rationals; codes in the same order, equal ones equal, none a prefix. */
static void
cc5_random_order(void **state)
{
    struct chance c = chance_init("cc5", 5);
    size_t n = test_scale(20000);
    struct tuple_number *numbers = calloc(n, sizeof *numbers);
    struct buf before;

    (void)state;
    assert_non_null(numbers);
    buf_init(&before, &base_malloc);
    for (size_t i = 0; i < n; i++)
        numbers[i] = number_random(&c);
    qsort(numbers, n, sizeof *numbers, by_oracle);
    for (size_t i = 0; i < n; i++) {
        struct tuple_number back;
        struct rd r;
        buf_clear(&b);
        assert_int_equal(tuple_put_bnum(&b, numbers[i]), BASIN_OK);
        assert_in_range(b.size, 1, TUPLE_BNUM_MAX);
        r = rd_over(b.data, b.size);
        assert_int_equal(tuple_get_bnum(&r, &back, NULL), BASIN_OK);
        assert_int_equal(number_oracle(back, numbers[i]), 0);
        if (i > 0) {
            int want = number_oracle(numbers[i - 1], numbers[i]);
            int order = bytes_compare(buf_bytes(&before), buf_bytes(&b));
            assert_int_equal((order > 0) - (order < 0), want);
            assert_int_equal(tuple_number_compare(numbers[i - 1], numbers[i]), want);
            assert_int_equal(tuple_number_compare(numbers[i], numbers[i - 1]), -want);
            if (order != 0)
                assert_true(bytes_shared(buf_bytes(&before), buf_bytes(&b)) <
                            MIN_OF(b.size, before.size));
        }
        assert_int_equal(buf_set(&before, b.data, b.size), BASIN_OK);
    }
    buf_release(&before);
    free(numbers);
}

/* The oracle is checked against itself on what it must know, so that it cannot agree by accident.
 */
static void
oracle_knows_its_corners(void **state)
{
    (void)state;
    assert_int_equal(number_oracle(NUMBER_INT(9007199254740993), NUMBER_DOUBLE(0x1p53)), 1);
    assert_int_equal(number_oracle(NUMBER_UINT(UINT64_MAX), NUMBER_DOUBLE(0x1p64)), -1);
    assert_int_equal(number_oracle(NUMBER_INT(0), NUMBER_DOUBLE(-5e-324)), 1);
    assert_int_equal(number_oracle(NUMBER_INT(-1), NUMBER_DOUBLE(-0.99)), -1);
    assert_int_equal(number_oracle(NUMBER_INT(INT64_MIN), NUMBER_DOUBLE(-0x1p63)), 0);
    assert_int_equal(number_oracle(NUMBER_INT(5), NUMBER_DOUBLE(1e300)), -1);
    assert_int_equal(number_oracle(NUMBER_DOUBLE((double)NAN), NUMBER_INT(INT64_MIN)), -1);
}

static void
cc13_one_number_one_key_and_no_decimal(void **state)
{
    struct buf other;

    (void)state;
    buf_init(&other, &base_malloc);
    buf_clear(&b);
    assert_int_equal(tuple_put_bnum(&b, NUMBER_INT(25)), BASIN_OK);
    assert_int_equal(tuple_put_bnum(&other, NUMBER_DOUBLE(25.0)), BASIN_OK);
    assert_true(bytes_equal(buf_bytes(&b), buf_bytes(&other)));
    buf_clear(&b);
    buf_clear(&other);
    assert_int_equal(tuple_put_bnum(&b, NUMBER_DOUBLE(0x1p53)), BASIN_OK);
    assert_int_equal(tuple_put_bnum(&other, NUMBER_INT(((int64_t)1 << 53) + 1)), BASIN_OK);
    assert_true(bytes_compare(buf_bytes(&b), buf_bytes(&other)) < 0);
    buf_clear(&b);
    buf_clear(&other);
    assert_int_equal(tuple_put_bnum(&b, NUMBER_DOUBLE(0.1)), BASIN_OK);
    assert_int_equal(tuple_put_bnum(&other, NUMBER_DOUBLE(nextafter(0.1, 1))), BASIN_OK);
    assert_true(bytes_compare(buf_bytes(&b), buf_bytes(&other)) < 0);
    buf_release(&other);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(c2_fixed_integers),
        cmocka_unit_test(cc3_i64_codes),
        cmocka_unit_test(cc3_f64_codes),
        cmocka_unit_test(f64_has_one_form),
        cmocka_unit_test(cc3_random_order),
        cmocka_unit_test(cc4_bnum_codes),
        cmocka_unit_test(cc4_kinds_of_what_is_decoded),
        cmocka_unit_test(cc5_random_order),
        cmocka_unit_test(oracle_knows_its_corners),
        cmocka_unit_test(cc13_one_number_one_key_and_no_decimal),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
