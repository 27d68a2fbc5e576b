// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/* LEB128, the bounded reader and the writer; records cut at every byte, memory refused. */
#include "base/base.h"

#include <stdlib.h>

#include <setjmp.h>

#include <cmocka.h>

#include "model/chance.h"
#include "model/hex.h"
#include "model/memory.h"

static void
leb_codes(void **state)
{
    static const struct {
        uint64_t v;
        const char *hex;
    } cases[] = {
        { 0, "00" },
        { 127, "7F" },
        { 128, "80 01" },
        { 300, "AC 02" },
        { 16383, "FF 7F" },
        { 16384, "80 80 01" },
        { UINT32_MAX, "FF FF FF FF 0F" },
        { (uint64_t)1 << 63, "80 80 80 80 80 80 80 80 80 01" },
        { UINT64_MAX, "FF FF FF FF FF FF FF FF FF 01" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t p[LEB_MAX];
        uint64_t v = 1;
        size_t n = leb_put(p, cases[i].v);
        assert_hex(bytes_of(p, n), cases[i].hex);
        assert_int_equal(leb_size(cases[i].v), n);
        assert_int_equal(leb_get(p, n, &v), n);
        assert_true(v == cases[i].v);
        for (size_t cut = 0; cut < n; cut++)
            assert_int_equal(leb_get(p, cut, &v), 0);
    }
}

static void
leb_refuses_padding_and_overflow(void **state)
{
    static const char *const bad[] = { "80 00",
                                       "FF 80 00",
                                       "80 80 80 80 80 80 80 80 80 02",
                                       "FF FF FF FF FF FF FF FF FF 7F",
                                       "80 80 80 80 80 80 80 80 80 80 01",
                                       "80 80 80 80 80 80 80 80 80 00" };
    struct buf b;
    uint64_t v;

    (void)state;
    buf_init(&b, &base_malloc);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        buf_clear(&b);
        assert_true(hex_read(bad[i], strlen(bad[i]), &b));
        assert_int_equal(leb_get(b.data, b.size, &v), 0);
    }
    buf_release(&b);
}

/* Random bytes: refused, or the writer's own form. */
static void
leb_has_one_form(void **state)
{
    struct chance c = chance_init("leb", 30);

    (void)state;
    for (size_t i = 0, n = test_scale(200000); i < n; i++) {
        uint8_t in[12], out[LEB_MAX];
        size_t size = chance_below(&c, sizeof in + 1), used;
        uint64_t v;
        for (size_t b = 0; b < size; b++)
            in[b] = (uint8_t)(chance_u64(&c) | (chance_below(&c, 4) ? 0x80 : 0));
        used = leb_get(in, size, &v);
        assert_true(used <= size);
        if (used > 0) {
            assert_int_equal(leb_put(out, v), used);
            assert_memory_equal(in, out, used);
        }
    }
}

static void
put_record(struct wr *w)
{
    wr_u8(w, 0x11);
    wr_u16(w, 0x2233);
    wr_u32(w, 0x44556677);
    wr_u64(w, 0x8899AABBCCDDEEFF);
    wr_leb(w, 300);
    wr_bytes(w, BYTES_LIT("xyz"));
    wr_bytes(w, BYTES_NULL);
    wr_leb_bytes(w, BYTES_LIT("hello"));
    wr_leb_bytes(w, BYTES_NULL);
    wr_zeros(w, 3);
    wr_zeros(w, 0);
}

/* Reads put_record back; true when all of it was there and right. */
static bool
get_record(struct bytes in, bool *ok)
{
    struct rd r = rd_over(in.data, in.size);
    bool same = rd_u8(&r) == 0x11 && rd_u16(&r) == 0x2233;

    same = (rd_u32(&r) == 0x44556677) && same;
    same = (rd_u64(&r) == 0x8899AABBCCDDEEFF) && same;
    same = (rd_leb(&r) == 300) && same;
    same = bytes_equal(rd_bytes(&r, 3), BYTES_LIT("xyz")) && same;
    same = bytes_equal(rd_leb_bytes(&r), BYTES_LIT("hello")) && same;
    same = bytes_equal(rd_leb_bytes(&r), BYTES_NULL) && same;
    rd_zeros(&r, 3);
    assert_true(r.at <= r.size && rd_left(&r) == r.size - r.at);
    *ok = rd_done(&r);
    assert_true(!rd_done(&r) || rd_ok(&r));
    return same;
}

static void
record_is_little_endian_and_comes_back(void **state)
{
    struct buf b;
    struct wr w;
    bool ok = false;

    (void)state;
    buf_init(&b, &base_malloc);
    w = wr_into(&b);
    put_record(&w);
    assert_int_equal(wr_status(&w, NULL), BASIN_OK);
    assert_hex(buf_bytes(&b), "11 3322 77665544 FFEEDDCCBBAA9988 AC02 78797A 05 68656C6C6F 00 "
                              "000000");
    assert_true(get_record(buf_bytes(&b), &ok) && ok);
    buf_release(&b);
}

static void
record_cut_at_every_byte_is_refused(void **state)
{
    struct buf b;
    struct wr w;

    (void)state;
    buf_init(&b, &base_malloc);
    w = wr_into(&b);
    put_record(&w);
    for (size_t n = 0; n < b.size; n++) {
        uint8_t *copy = malloc(n ? n : 1);
        bool ok = true;
        assert_non_null(copy);
        memcpy(copy, b.data, n);
        get_record(bytes_of(copy, n), &ok);
        assert_false(ok);
        free(copy);
    }
    assert_int_equal(buf_add(&b, "", 1), BASIN_OK); /* a byte too many */
    {
        bool ok = true;
        assert_true(get_record(buf_bytes(&b), &ok));
        assert_false(ok);
    }
    buf_release(&b);
}

static void
reader_is_sticky_and_stays_at_the_failure(void **state)
{
    static const uint8_t in[] = { 1, 2, 3, 4 };
    struct rd r = rd_over(in, sizeof in);

    (void)state;
    assert_int_equal(rd_u8(&r), 1);
    assert_int_equal(rd_u64(&r), 0);
    assert_false(rd_ok(&r));
    assert_int_equal(r.at, 1);
    assert_int_equal(rd_u8(&r), 0);
    assert_int_equal(rd_u16(&r), 0);
    assert_int_equal(rd_leb(&r), 0);
    assert_int_equal(rd_bytes(&r, 1).size, 0);
    assert_int_equal(rd_leb_bytes(&r).size, 0);
    rd_zeros(&r, 1);
    assert_int_equal(r.at, 1);
    r = rd_over(in, sizeof in);
    rd_zeros(&r, 1); /* reserved bytes that are not zero */
    assert_true(!rd_ok(&r) && r.at == 0);
    r = rd_over("\x05\x61", 2); /* a length past the end */
    assert_int_equal(rd_leb_bytes(&r).size, 0);
    assert_false(rd_ok(&r));
    r = rd_over("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", 10); /* a length of 2^64 - 1 */
    assert_int_equal(rd_leb_bytes(&r).size, 0);
    assert_false(rd_ok(&r));
    r = rd_over(in, sizeof in);
    assert_int_equal(rd_bytes(&r, SIZE_MAX).size, 0);
    assert_false(rd_ok(&r));
    r = rd_over(NULL, 0);
    assert_true(rd_done(&r));
    assert_int_equal(rd_bytes(&r, 0).size, 0);
    assert_true(rd_done(&r));
    rd_fail(&r);
    assert_false(rd_done(&r));
}

static void
writer_remembers_each_refused_allocation(void **state)
{
    struct test_memory m;
    bool more = true;

    (void)state;
    test_memory_init(&m);
    for (size_t n = 1; more; n++) {
        basin_error err = { 0 };
        struct buf b;
        struct wr w;
        buf_init(&b, &m.table);
        test_memory_refuse(&m, n);
        w = wr_into(&b);
        for (int i = 0; i < 20; i++)
            put_record(&w);
        wr_zeros(&w, 1000);
        more = test_memory_refused(&m);
        assert_int_equal(wr_status(&w, &err), more ? BASIN_NO_MEM : BASIN_OK);
        assert_int_equal(err.status, more ? BASIN_NO_MEM : BASIN_OK);
        buf_release(&b);
        assert_int_equal(atomic_load(&m.live), 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leb_codes),
        cmocka_unit_test(leb_refuses_padding_and_overflow),
        cmocka_unit_test(leb_has_one_form),
        cmocka_unit_test(record_is_little_endian_and_comes_back),
        cmocka_unit_test(record_cut_at_every_byte_is_refused),
        cmocka_unit_test(reader_is_sticky_and_stays_at_the_failure),
        cmocka_unit_test(writer_remembers_each_refused_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
