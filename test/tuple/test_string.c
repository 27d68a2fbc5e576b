// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/* C1, C8, C10: strings ascending and descending, prefix ranges (CC2, CC9, CC10, CC15). */
#include "vectors.h"

#include <setjmp.h>

#include <cmocka.h>

static struct buf b, text;

static int
setup(void **state)
{
    (void)state;
    buf_init(&b, &base_malloc);
    buf_init(&text, &base_malloc);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    buf_release(&b);
    buf_release(&text);
    return 0;
}

static void
cc2_codes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(text_vectors); i++) {
        struct rd r;
        buf_clear(&b);
        buf_clear(&text);
        assert_int_equal(tuple_put_str(&b, text_vectors[i].text), BASIN_OK);
        assert_hex(buf_bytes(&b), text_vectors[i].hex);
        r = rd_over(b.data, b.size);
        assert_int_equal(tuple_get_str(&r, &text, NULL), BASIN_OK);
        assert_true(rd_done(&r) && bytes_equal(buf_bytes(&text), text_vectors[i].text));
        r = rd_over(b.data, b.size);
        assert_int_equal(tuple_skip_str(&r, NULL), BASIN_OK);
        assert_true(rd_done(&r));
    }
}

/* CC2: the table is in order. CC15: "a" and "a\0b" differ and the shorter one is first. */
static void
cc2_cc15_sorted(void **state)
{
    struct buf before;

    (void)state;
    buf_init(&before, &base_malloc);
    for (size_t i = 0; i < COUNT_OF(text_vectors); i++) {
        buf_clear(&b);
        assert_int_equal(tuple_put_str(&b, text_vectors[i].text), BASIN_OK);
        if (i > 0)
            assert_true(bytes_compare(buf_bytes(&before), buf_bytes(&b)) < 0);
        assert_int_equal(buf_set(&before, b.data, b.size), BASIN_OK);
    }
    buf_release(&before);
}

static struct bytes
random_text(struct chance *c, uint8_t *to)
{
    static const uint8_t letters[] = { 0x00, 0x01, 0xFE, 0xFF };
    size_t n = chance_below(c, 8);

    for (size_t i = 0; i < n; i++)
        to[i] = letters[chance_below(c, sizeof letters)];
    return bytes_of(to, n);
}

static void
cc2_random_order(void **state)
{
    struct chance c = chance_init("cc2", 2);
    uint8_t room[2][8];
    struct bytes last = bytes_of(room[1], 0);
    struct buf before;

    (void)state;
    buf_init(&before, &base_malloc);
    assert_int_equal(tuple_put_str(&before, last), BASIN_OK);
    for (size_t i = 0, n = test_scale(10000); i < n; i++) {
        struct bytes s = random_text(&c, room[i % 2]);
        struct rd r;
        int order, want = bytes_compare(s, last);
        buf_clear(&b);
        buf_clear(&text);
        assert_int_equal(tuple_put_str(&b, s), BASIN_OK);
        order = bytes_compare(buf_bytes(&b), buf_bytes(&before));
        assert_int_equal((order > 0) - (order < 0), (want > 0) - (want < 0));
        r = rd_over(b.data, b.size);
        assert_int_equal(tuple_get_str(&r, &text, NULL), BASIN_OK);
        assert_true(bytes_equal(buf_bytes(&text), s));
        if (order != 0)
            assert_true(bytes_shared(buf_bytes(&b), buf_bytes(&before)) <
                        MIN_OF(b.size, before.size));
        assert_int_equal(buf_set(&before, b.data, b.size), BASIN_OK);
        last = s;
    }
    buf_release(&before);
}

static void
cc9_descending(void **state)
{
    static const struct {
        struct bytes text;
        const char *hex;
    } cases[] = { { BYTES_LIT("ab"), "9E 9D FF FE" },
                  { BYTES_LIT("a\0"), "9E FF 00 FF FE" },
                  { BYTES_LIT("a"), "9E FF FE" },
                  { { NULL, 0 }, "FF FE" } };
    struct buf before;

    (void)state;
    buf_init(&before, &base_malloc);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct rd r;
        bool cut = true;
        buf_clear(&b);
        assert_int_equal(tuple_put_u8(&b, 0x33), BASIN_OK); /* stays as it is */
        assert_int_equal(tuple_put_str(&b, cases[i].text), BASIN_OK);
        tuple_invert(&b, 1);
        assert_int_equal(b.data[0], 0x33);
        assert_hex(bytes_of(b.data + 1, b.size - 1), cases[i].hex);
        assert_true(bytes_compare(buf_bytes(&before), buf_bytes(&b)) < 0);
        assert_int_equal(buf_set(&before, b.data, b.size), BASIN_OK);
        r = rd_over(b.data + 1, b.size - 1);
        assert_int_equal(tuple_skip_cut_str(&r, true, &cut, NULL), BASIN_OK);
        assert_true(rd_done(&r) && !cut);
        tuple_invert(&b, 1);
        buf_clear(&text);
        r = rd_over(b.data + 1, b.size - 1);
        assert_int_equal(tuple_get_str(&r, &text, NULL), BASIN_OK);
        assert_true(bytes_equal(buf_bytes(&text), cases[i].text));
    }
    buf_release(&before);
}

/* Which of "a\xFF", "a\xFF\xFF", "b" (bits 0, 1, 2) lie in the range of a prefix. */
static unsigned
in_prefix(struct bytes prefix, bool *unbounded)
{
    static const struct bytes names[] = { BYTES_LIT("a\xFF"), BYTES_LIT("a\xFF\xFF"),
                                          BYTES_LIT("b") };
    struct buf lower, upper;
    unsigned found = 0;

    buf_init(&lower, &base_malloc);
    buf_init(&upper, &base_malloc);
    assert_int_equal(tuple_put_str_prefix(&lower, prefix), BASIN_OK);
    assert_int_equal(tuple_prefix_end(buf_bytes(&lower), &upper, unbounded), BASIN_OK);
    for (unsigned i = 0; i < COUNT_OF(names); i++) {
        buf_clear(&b);
        assert_int_equal(tuple_put_str(&b, names[i]), BASIN_OK);
        if (bytes_compare(buf_bytes(&b), buf_bytes(&lower)) >= 0 &&
            (*unbounded || bytes_compare(buf_bytes(&b), buf_bytes(&upper)) < 0))
            found |= 1u << i;
    }
    buf_release(&lower);
    buf_release(&upper);
    return found;
}

static void
cc10_prefix_ranges(void **state)
{
    bool unbounded = true;

    (void)state;
    assert_int_equal(in_prefix(BYTES_LIT("a\xFF"), &unbounded), 3);
    assert_false(unbounded);
    assert_int_equal(in_prefix(BYTES_LIT("\xFF\xFF"), &unbounded), 0);
    assert_true(unbounded);
    assert_int_equal(in_prefix(BYTES_NULL, &unbounded), 7);
    assert_true(unbounded);
}

/* A prefix that ends in NUL, and the bound of a whole key whose string part is all FF. */
static void
cc10_escapes_and_enclosing_range(void **state)
{
    bool unbounded = true;

    (void)state;
    buf_clear(&b);
    buf_clear(&text);
    assert_int_equal(tuple_put_str_prefix(&b, BYTES_LIT("a\0")), BASIN_OK);
    assert_hex(buf_bytes(&b), "61 00 FF");
    assert_int_equal(tuple_prefix_end(buf_bytes(&b), &text, &unbounded), BASIN_OK);
    assert_hex(buf_bytes(&text), "61 01");
    buf_clear(&b);
    buf_clear(&text);
    assert_int_equal(tuple_put_varint(&b, 7), BASIN_OK);
    assert_int_equal(tuple_put_str_prefix(&b, BYTES_LIT("\xFF\xFF")), BASIN_OK);
    assert_int_equal(tuple_prefix_end(buf_bytes(&b), &text, &unbounded), BASIN_OK);
    assert_false(unbounded);
    assert_hex(buf_bytes(&text), "08");
}

static void
random_prefixes_hold_exactly_their_strings(void **state)
{
    struct chance c = chance_init("c10", 10);
    uint8_t room[2][8];
    struct buf lower, upper;

    (void)state;
    buf_init(&lower, &base_malloc);
    buf_init(&upper, &base_malloc);
    for (size_t i = 0, n = test_scale(20000); i < n; i++) {
        struct bytes s = random_text(&c, room[0]), p = random_text(&c, room[1]);
        bool unbounded, inside, want;
        p.size = MIN_OF(p.size, (size_t)3);
        want = s.size >= p.size && (p.size == 0 || memcmp(s.data, p.data, p.size) == 0);
        buf_clear(&lower);
        buf_clear(&upper);
        buf_clear(&b);
        assert_int_equal(tuple_put_str(&b, s), BASIN_OK);
        assert_int_equal(tuple_put_str_prefix(&lower, p), BASIN_OK);
        assert_int_equal(tuple_prefix_end(buf_bytes(&lower), &upper, &unbounded), BASIN_OK);
        inside = bytes_compare(buf_bytes(&b), buf_bytes(&lower)) >= 0 &&
                 (unbounded || bytes_compare(buf_bytes(&b), buf_bytes(&upper)) < 0);
        assert_int_equal(inside, want);
    }
    buf_release(&lower);
    buf_release(&upper);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cc2_codes),
        cmocka_unit_test(cc2_cc15_sorted),
        cmocka_unit_test(cc2_random_order),
        cmocka_unit_test(cc9_descending),
        cmocka_unit_test(cc10_prefix_ranges),
        cmocka_unit_test(cc10_escapes_and_enclosing_range),
        cmocka_unit_test(random_prefixes_hold_exactly_their_strings),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
