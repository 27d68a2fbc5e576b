// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/* C7: values, their order against the oracle, and the walk (CC6, CC7, CC8, CC14, CC15). */
#include "vectors.h"

#include <setjmp.h>
#include <stdio.h>

#include <cmocka.h>

static struct buf b, before;

static int
setup(void **state)
{
    (void)state;
    buf_init(&b, &base_malloc);
    buf_init(&before, &base_malloc);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    buf_release(&b);
    buf_release(&before);
    return 0;
}

/* The value's code in b; skipped whole in both directions. */
static void
put_and_skip(const struct tvalue *v)
{
    struct rd r;
    bool cut = true;

    buf_clear(&b);
    assert_int_equal(tvalue_put(&b, v), BASIN_OK);
    r = rd_over(b.data, b.size);
    assert_int_equal(tuple_skip_value(&r, NULL), BASIN_OK);
    assert_true(rd_done(&r));
    r = rd_over(b.data, b.size);
    assert_int_equal(tuple_skip_column(&r, false, &cut, NULL), BASIN_OK);
    assert_true(rd_done(&r) && !cut);
    tuple_invert(&b, 0);
    r = rd_over(b.data, b.size);
    assert_int_equal(tuple_skip_column(&r, true, &cut, NULL), BASIN_OK);
    assert_true(rd_done(&r) && !cut);
    tuple_invert(&b, 0);
}

static void
cc6_codes_both_directions(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(value_vectors); i++) {
        put_and_skip(&value_vectors[i].v);
        assert_hex(buf_bytes(&b), value_vectors[i].hex);
    }
    put_and_skip(&(struct tvalue)V_STRING("a"));
    tuple_invert(&b, 0);
    assert_hex(buf_bytes(&b), "F0 9E FF FE");
    put_and_skip(&(struct tvalue)V_INT(25));
    tuple_invert(&b, 0);
    assert_hex(buf_bytes(&b), "F5 FA BF FB 6F");
}

static void
cc7_cc14_order_across_types(void **state)
{
    const struct tvalue ladder[] = {
        { .tag = TUPLE_MIN_KEY },
        { .tag = TUPLE_NULL },
        V_DOUBLE(-1e300),
        V_INT(-1),
        V_INT(0),
        V_INT(1),
        V_DOUBLE(1.5),
        V_INT(2),
        V_STRING(""),
        V_STRING("a"),
        V_STRING("b"),
        { .tag = TUPLE_DOCUMENT },
        { .tag = TUPLE_DOCUMENT, V_KEYS(V_A), V_ITEMS(V_INT(1)) },
        { .tag = TUPLE_ARRAY },
        V_ARRAY(V_INT(1)),
        { .tag = TUPLE_BINARY, .text = V_TEXT("x") },
        { .tag = TUPLE_OBJECT_ID, .text = V_TEXT("abcdefghijkl") },
        { .tag = TUPLE_BOOL, .yes = false },
        { .tag = TUPLE_BOOL, .yes = true },
        { .tag = TUPLE_DATETIME, .time = 0 },
        { .tag = TUPLE_REGEX, .text = V_TEXT("a") },
        { .tag = TUPLE_MAX_KEY },
    };

    (void)state;
    buf_clear(&before);
    for (size_t i = 0; i < COUNT_OF(ladder); i++) {
        put_and_skip(&ladder[i]);
        if (i > 0) {
            assert_int_equal(tvalue_oracle(&ladder[i - 1], &ladder[i]), -1);
            assert_true(bytes_compare(buf_bytes(&before), buf_bytes(&b)) < 0);
            tuple_invert(&b, 0);
            tuple_invert(&before, 0);
            assert_true(bytes_compare(buf_bytes(&before), buf_bytes(&b)) > 0);
            tuple_invert(&b, 0);
        }
        assert_int_equal(buf_set(&before, b.data, b.size), BASIN_OK);
    }
}

static void
cc8_cc14_containers(void **state)
{
    const struct tvalue arrays[] = { V_ARRAY(V_INT(1), V_INT(2)),
                                     V_ARRAY(V_INT(1), V_INT(2), V_INT(0)),
                                     V_ARRAY(V_INT(1), V_INT(3)) };
    const struct tvalue documents[] = {
        { .tag = TUPLE_DOCUMENT, V_KEYS(V_A), V_ITEMS(V_INT(1)) },
        { .tag = TUPLE_DOCUMENT, V_KEYS(V_A, V_B), V_ITEMS(V_INT(1), V_INT(1)) },
        { .tag = TUPLE_DOCUMENT, V_KEYS(V_A), V_ITEMS(V_INT(2)) },
    };

    (void)state;
    for (size_t i = 0; i < 6; i++) {
        put_and_skip(i < 3 ? &arrays[i] : &documents[i - 3]);
        if (i > 0)
            assert_true(bytes_compare(buf_bytes(&before), buf_bytes(&b)) < 0 || i == 3);
        assert_int_equal(buf_set(&before, b.data, b.size), BASIN_OK);
    }
}

/* Equal, less and greater all occur often, so that the test has force. */
static void
cc8_random_nested_values(void **state)
{
    struct chance c = chance_init("cc8", 8);
    struct tvalue last = { .tag = TUPLE_NULL };
    struct arena arenas[2];
    size_t seen[3] = { 0 };

    (void)state;
    arena_init(&arenas[0], &base_malloc, 4096);
    arena_init(&arenas[1], &base_malloc, 4096);
    buf_clear(&before);
    assert_int_equal(tvalue_put(&before, &last), BASIN_OK);
    for (size_t i = 0, n = test_scale(10000); i < n; i++) {
        struct tvalue v;
        int want, order;
        arena_release(&arenas[i % 2]);
        arena_init(&arenas[i % 2], &base_malloc, 4096);
        v = tvalue_random(&c, &arenas[i % 2], 3);
        if (chance_below(&c, 2))
            v.tag = last.tag == TUPLE_DOCUMENT || last.tag == TUPLE_ARRAY ? v.tag : TUPLE_NUMBER;
        put_and_skip(&v);
        want = tvalue_oracle(&last, &v);
        order = bytes_compare(buf_bytes(&before), buf_bytes(&b));
        assert_int_equal((order > 0) - (order < 0), (want > 0) - (want < 0));
        if (order != 0)
            assert_true(bytes_shared(buf_bytes(&before), buf_bytes(&b)) <
                        MIN_OF(b.size, before.size));
        seen[1 + (want > 0) - (want < 0)]++;
        assert_int_equal(buf_set(&before, b.data, b.size), BASIN_OK);
        last = v;
    }
    assert_true(seen[0] > 1000 && seen[1] > 20 && seen[2] > 1000);
    arena_release(&arenas[0]);
    arena_release(&arenas[1]);
}

static void
cc15_nul_in_keys_and_patterns(void **state)
{
    const struct tvalue pairs[][2] = {
        { V_STRING("a"), V_STRING("a\0b") },
        { { .tag = TUPLE_DOCUMENT, V_KEYS(V_A), V_ITEMS(V_INT(1)) },
          { .tag = TUPLE_DOCUMENT, V_KEYS(V_TEXT("a\0b")), V_ITEMS(V_INT(1)) } },
        { { .tag = TUPLE_REGEX, .text = V_TEXT("a") },
          { .tag = TUPLE_REGEX, .text = V_TEXT("a\0b") } },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        put_and_skip(&pairs[i][0]);
        assert_int_equal(buf_set(&before, b.data, b.size), BASIN_OK);
        put_and_skip(&pairs[i][1]);
        assert_true(bytes_compare(buf_bytes(&before), buf_bytes(&b)) < 0);
    }
}

/* Steps as text: one letter each, payload sizes behind. */
static void
walk_text(bool descending, char *to, size_t size)
{
    static const char letters[] = { [TUPLE_STEP_SCALAR] = 's',
                                    [TUPLE_STEP_SCOPE] = 'c',
                                    [TUPLE_STEP_OPEN] = '(',
                                    [TUPLE_STEP_KEY] = 'k',
                                    [TUPLE_STEP_CLOSE] = ')' };
    struct tuple_walk w;
    struct tuple_step step;
    size_t used = 0;
    basin_status st;

    tuple_walk_init(&w, buf_bytes(&b), 0, descending);
    while ((st = tuple_walk_next(&w, &step, NULL)) == BASIN_OK)
        used += (size_t)snprintf(to + used, size - used, "%c%02X:%zu ", letters[step.kind],
                                 step.tag, step.payload.size);
    assert_int_equal(st, BASIN_END);
    assert_int_equal(w.at, b.size);
    assert_int_equal(tuple_walk_next(&w, &step, NULL), BASIN_END);
}

static void
walk_names_every_part(void **state)
{
    const struct tvalue v = V_ARRAY(
        V_INT(25),
        { .tag = TUPLE_DOCUMENT, V_KEYS(V_A, V_B), V_ITEMS(V_STRING("x"), { .tag = TUPLE_ARRAY }) },
        { .tag = TUPLE_CODE_SCOPE, .text = V_A, V_KEYS(V_B), V_ITEMS({ .tag = TUPLE_NULL }) });
    static const char want[] = "(19:0 s0A:4 (14:0 k0F:3 s0F:3 k0F:3 (19:0 )19:0 )14:0 "
                               "c41:3 (14:0 k0F:3 s05:0 )14:0 )19:0 ";
    char got[256] = "";

    (void)state;
    put_and_skip(&v);
    walk_text(false, got, sizeof got);
    assert_string_equal(got, want);
    tuple_invert(&b, 0);
    walk_text(true, got, sizeof got);
    assert_string_equal(got, want);
}

/* As deep as allowed is walked, one more is refused; hostile depth costs nothing. */
static void
depth_is_bounded(void **state)
{
    struct rd r;

    (void)state;
    for (size_t depth = TUPLE_DEPTH_MAX; depth <= TUPLE_DEPTH_MAX + 1; depth++) {
        buf_clear(&b);
        for (size_t i = 0; i < depth; i++)
            assert_int_equal(tuple_put_tag(&b, TUPLE_ARRAY), BASIN_OK);
        for (size_t i = 0; i < depth; i++)
            assert_int_equal(tuple_put_tag(&b, TUPLE_END), BASIN_OK);
        r = rd_over(b.data, b.size);
        assert_int_equal(tuple_skip_value(&r, NULL),
                         depth == TUPLE_DEPTH_MAX ? BASIN_OK : BASIN_CORRUPT);
    }
}

static void
payload_readers(void **state)
{
    enum tuple_tag tag = TUPLE_END;
    bool yes = false;
    uint8_t subtype = 0;
    struct bytes data;
    struct rd r;

    (void)state;
    buf_clear(&b);
    assert_int_equal(tuple_put_tag(&b, TUPLE_BOOL), BASIN_OK);
    assert_int_equal(tuple_put_bool(&b, true), BASIN_OK);
    assert_int_equal(tuple_put_tag(&b, TUPLE_BINARY), BASIN_OK);
    assert_int_equal(tuple_put_binary(&b, 5, BYTES_LIT("xyz")), BASIN_OK);
    r = rd_over(b.data, b.size);
    assert_int_equal(tuple_get_tag(&r, &tag, NULL), BASIN_OK);
    assert_int_equal(tag, TUPLE_BOOL);
    assert_int_equal(tuple_get_bool(&r, &yes, NULL), BASIN_OK);
    assert_true(yes);
    assert_int_equal(tuple_get_tag(&r, &tag, NULL), BASIN_OK);
    assert_int_equal(tuple_get_binary(&r, &subtype, &data, NULL), BASIN_OK);
    assert_true(tag == TUPLE_BINARY && subtype == 5 && rd_done(&r));
    assert_true(bytes_equal(data, BYTES_LIT("xyz")));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cc6_codes_both_directions),
        cmocka_unit_test(cc7_cc14_order_across_types),
        cmocka_unit_test(cc8_cc14_containers),
        cmocka_unit_test(cc8_random_nested_values),
        cmocka_unit_test(cc15_nul_in_keys_and_patterns),
        cmocka_unit_test(walk_names_every_part),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(payload_readers),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
