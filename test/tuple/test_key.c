// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/* C11 and BLAKE3: long elements (CC11), and the hash against its official vectors. */
#include "vectors.h"

#include <stdlib.h>

#include <setjmp.h>

#include <cmocka.h>

#include "model/data.h"
#include "model/memory.h"

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

/* The value of n letters, the last one given, behind a byte that is not part of it; then cut. */
static void
put_long(struct buf *to, size_t n, char last)
{
    uint8_t *text = malloc(n);

    assert_non_null(text);
    memset(text, 'a', n);
    text[n - 1] = (uint8_t)last;
    buf_clear(to);
    assert_int_equal(tuple_put_u8(to, 0x07), BASIN_OK);
    assert_int_equal(tuple_put_tag(to, TUPLE_STRING), BASIN_OK);
    assert_int_equal(tuple_put_str(to, bytes_of(text, n)), BASIN_OK);
    assert_int_equal(tuple_cut(to, 1), BASIN_OK);
    free(text);
}

static void
cc11_lengths_and_hash(void **state)
{
    (void)state;
    put_long(&b, 2045, 'a');
    assert_int_equal(b.size, 1 + 2048);
    assert_hex(bytes_of(b.data + b.size - 3, 3), "61 00 01");
    put_long(&b, 2046, 'a');
    assert_int_equal(b.size, 1 + TUPLE_CUT_SIZE);
    put_long(&b, 3000, 'a');
    assert_int_equal(b.size, 1 + TUPLE_CUT_SIZE);
    assert_int_equal(b.data[0], 0x07);
    assert_int_equal(b.data[1], TUPLE_STRING);
    for (size_t i = 0; i < 2047; i++)
        assert_int_equal(b.data[2 + i], 'a');
    assert_hex(bytes_of(b.data + 2049, 32),
               "606C5546E5794285A6D0E14F8FD58520B084F2B012D931032C7CC5D5FB786689");
}

/* Two long strings with equal first 2047 bytes, and the 2045-byte one below both. */
static void
cc11_order_and_equality(void **state)
{
    struct buf other, whole;

    (void)state;
    buf_init(&other, &base_malloc);
    buf_init(&whole, &base_malloc);
    put_long(&b, 3000, 'b');
    put_long(&other, 3000, 'c');
    assert_false(bytes_equal(buf_bytes(&b), buf_bytes(&other)));
    put_long(&whole, 2045, 'a');
    assert_true(bytes_compare(buf_bytes(&whole), buf_bytes(&b)) < 0);
    assert_true(bytes_compare(buf_bytes(&whole), buf_bytes(&other)) < 0);
    put_long(&whole, 2045, 'b'); /* above all that begin with 2045 x "a" */
    assert_true(bytes_compare(buf_bytes(&whole), buf_bytes(&b)) > 0);
    assert_true(bytes_compare(buf_bytes(&whole), buf_bytes(&other)) > 0);
    put_long(&other, 3000, 'b');
    assert_true(bytes_equal(buf_bytes(&b), buf_bytes(&other)));
    buf_release(&other);
    buf_release(&whole);
}

/* What follows a cut column is found, in both directions; a short one is not taken for cut. */
static void
cc11_columns_are_skipped(void **state)
{
    static const size_t sizes[] = { 1, 2044, 2045, 2046, 2047, 3000, 100000 };

    (void)state;
    for (size_t i = 0; i < 2 * COUNT_OF(sizes); i++) {
        size_t n = sizes[i / 2];
        bool descending = i % 2, cut = false;
        struct rd r;
        put_long(&b, n, 'z');
        if (descending)
            tuple_invert(&b, 1);
        assert_int_equal(tuple_put_u64(&b, 0x0102030405060708), BASIN_OK);
        r = rd_over(b.data, b.size);
        assert_int_equal(rd_u8(&r), 0x07);
        assert_int_equal(tuple_skip_column(&r, descending, &cut, NULL), BASIN_OK);
        assert_int_equal(cut, n > 2045);
        assert_int_equal(rd_left(&r), 8);
    }
    for (size_t n = 2045; n < 2049; n++) { /* a string alone ends two bytes later */
        struct rd r;
        bool cut = false;
        buf_clear(&b);
        for (size_t k = 0; k < n; k++)
            assert_int_equal(tuple_put_str_prefix(&b, BYTES_LIT("s")), BASIN_OK);
        assert_int_equal(tuple_put_str(&b, BYTES_NULL), BASIN_OK);
        assert_int_equal(tuple_cut(&b, 0), BASIN_OK);
        r = rd_over(b.data, b.size);
        assert_int_equal(tuple_skip_cut_str(&r, false, &cut, NULL), BASIN_OK);
        assert_true(rd_done(&r));
        assert_int_equal(cut, n > 2046);
    }
}

static void
every_write_survives_refused_memory(void **state)
{
    struct test_memory m;
    bool more = true;

    (void)state;
    test_memory_init(&m);
    for (size_t n = 1; more; n++) {
        struct tvalue v = V_STRING("abc\0def");
        struct buf to;
        size_t size = 0;
        basin_status st = BASIN_OK;
        test_memory_refuse(&m, n);
        buf_init(&to, &m.table);
        for (int i = 0; i < 700 && st == BASIN_OK; i++) {
            size = to.size;
            st = tuple_put_str(&to, v.text);
            if (st == BASIN_OK) {
                size = to.size;
                st = tuple_put_binary(&to, 0, v.text);
            }
        }
        if (st == BASIN_OK) {
            size = to.size;
            st = tuple_cut(&to, 0);
        }
        more = test_memory_refused(&m);
        assert_int_equal(st, more ? BASIN_NO_MEM : BASIN_OK);
        if (more)
            assert_int_equal(to.size, size);
        buf_release(&to);
        assert_int_equal(atomic_load(&m.live), 0);
    }
}

/* The text behind "name": in the case at *at, which moves behind it; NULL at the end. */
static const char *
field_of(const char *name, const char **at)
{
    const char *p = strstr(*at, name);

    if (p != NULL)
        *at = p + strlen(name);
    return p ? *at : NULL;
}

/* Every official case, 32 bytes of the mode "hash": through tuple_cut where it is long enough, and
 * all of them through the hash that it uses. */
static void
blake3_official_vectors(void **state)
{
    char path[1024];
    struct buf file;
    const char *at, *p;
    unsigned cases = 0, cut = 0;

    (void)state;
    if (!test_data_path("blake3/test_vectors.json", path, sizeof path)) {
        skip();
        return;
    }
    buf_init(&file, &base_malloc);
    assert_true(test_read_file(path, &file));
    assert_int_equal(buf_add(&file, "", 1), BASIN_OK);
    at = (const char *)file.data;
    while ((p = field_of("\"input_len\": ", &at)) != NULL) {
        size_t n = (size_t)strtoull(p, NULL, 10);
        char want[65] = "";
        uint8_t got[32];
        buf_clear(&b);
        assert_int_equal(buf_reserve(&b, n + 1), BASIN_OK);
        for (size_t i = 0; i < n; i++)
            b.data[b.size++] = (uint8_t)(i % 251);
        p = field_of("\"hash\": \"", &at);
        assert_non_null(p);
        memcpy(want, p, 64);
        tuple_hash(buf_bytes(&b), got);
        assert_hex(bytes_of(got, sizeof got), want);
        if (n > TUPLE_CUT_AT) {
            assert_int_equal(tuple_cut(&b, 0), BASIN_OK);
            assert_hex(bytes_of(b.data + TUPLE_CUT_AT, 32), want);
            cut++;
        }
        cases++;
    }
    buf_release(&file);
    assert_int_equal(cases, 35);
    assert_true(cut > 10);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cc11_lengths_and_hash),
        cmocka_unit_test(cc11_order_and_equality),
        cmocka_unit_test(cc11_columns_are_skipped),
        cmocka_unit_test(every_write_survives_refused_memory),
        cmocka_unit_test(blake3_official_vectors),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
