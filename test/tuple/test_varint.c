// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/* CC1: the varint of C3. */
#include "vectors.h"

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
cc1_codes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(varint_vectors); i++) {
        struct rd r;
        uint64_t v = 1;
        buf_clear(&b);
        assert_int_equal(tuple_put_varint(&b, varint_vectors[i].v), BASIN_OK);
        assert_hex(buf_bytes(&b), varint_vectors[i].hex);
        r = rd_over(b.data, b.size);
        assert_int_equal(tuple_get_varint(&r, &v, NULL), BASIN_OK);
        assert_true(v == varint_vectors[i].v && rd_done(&r));
    }
}

static void
cc1_lengths(void **state)
{
    static const struct {
        uint64_t v;
        size_t size;
    } cases[] = {
        { 0, 1 },
        { 240, 1 },
        { 241, 2 },
        { 2287, 2 },
        { 2288, 3 },
        { 67823, 3 },
        { 67824, 4 },
        { 16777215, 4 },
        { 16777216, 5 },
        { UINT32_MAX, 5 },
        { (uint64_t)1 << 32, 6 },
        { ((uint64_t)1 << 40) - 1, 6 },
        { (uint64_t)1 << 40, 7 },
        { ((uint64_t)1 << 48) - 1, 7 },
        { ((uint64_t)1 << 56) - 1, 8 },
        { (uint64_t)1 << 56, 9 },
        { UINT64_MAX, 9 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t p[TUPLE_VARINT_MAX];
        uint64_t v = 0;
        struct rd r;
        assert_int_equal(tuple_varint_size(cases[i].v), cases[i].size);
        assert_int_equal(tuple_varint_put(p, cases[i].v), cases[i].size);
        r = rd_over(p, cases[i].size);
        assert_int_equal(tuple_get_varint(&r, &v, NULL), BASIN_OK);
        assert_true(v == cases[i].v);
    }
}

static uint64_t
random_number(struct chance *c)
{
    if (chance_below(c, 4) == 0)
        return varint_vectors[chance_below(c, COUNT_OF(varint_vectors))].v + chance_below(c, 3) - 1;
    return chance_u64(c) >> chance_below(c, 64);
}

static void
cc1_random_order(void **state)
{
    struct chance c = chance_init("cc1", 1);
    uint8_t before[TUPLE_VARINT_MAX], p[TUPLE_VARINT_MAX];
    uint64_t last = 0, v, back;
    size_t last_size = tuple_varint_put(before, last), size;

    (void)state;
    for (size_t i = 0, n = test_scale(20000); i < n; i++) {
        struct rd r;
        int order;
        v = random_number(&c);
        size = tuple_varint_put(p, v);
        assert_int_equal(size, tuple_varint_size(v));
        r = rd_over(p, size);
        assert_int_equal(tuple_get_varint(&r, &back, NULL), BASIN_OK);
        assert_true(back == v && rd_done(&r));
        order = bytes_compare(bytes_of(p, size), bytes_of(before, last_size));
        assert_int_equal((order > 0) - (order < 0), (v > last) - (v < last));
        memcpy(before, p, size);
        last_size = size;
        last = v;
    }
}

/* Every code of up to three bytes: either the reader refuses it, or the writer makes it. */
static void
cc1_one_form(void **state)
{
    (void)state;
    for (uint32_t n = 0; n < 1u << 24; n += 1 + (n & 0xFF00) / 0xFF00 * 37) {
        uint8_t in[3] = { (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n };
        uint8_t out[TUPLE_VARINT_MAX];
        struct rd r = rd_over(in, sizeof in);
        uint64_t v;
        if (tuple_get_varint(&r, &v, NULL) != BASIN_OK) {
            assert_true(!rd_ok(&r) && in[0] >= 241);
            continue;
        }
        assert_int_equal(tuple_varint_put(out, v), r.at);
        assert_memory_equal(out, in, r.at);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cc1_codes),
        cmocka_unit_test(cc1_lengths),
        cmocka_unit_test(cc1_random_order),
        cmocka_unit_test(cc1_one_form),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
