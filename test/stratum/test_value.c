// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Value strata: streams of unknown length, ranged reads that touch only the frames they need,
 * every size around a frame, damage, keys, failures.
 */
#include "stratum/reseal.h"
#include "stratum/shelf.h"

enum { FRAME = 65536 };

static struct codec_key secret = { { 7 } };

/* Byte i of the pattern. */
static uint8_t
pattern(uint64_t i)
{
    return (uint8_t)(i * 31 + i / 251 + i / 65521);
}

struct vault {
    struct buf bytes;
    struct memory_sink sink;
    struct counted_source source;
    struct stratum_write_options to;
    struct stratum_read_options from;
    struct stratum_counters counters;
    struct value_writer *writer;
    struct value_stratum *stratum;
    basin_error err;
};

static void
ok(const struct vault *v, basin_status st)
{
    if (st != BASIN_OK)
        print_error("status %s: %s\n", basin_status_name(st), v->err.what);
    assert_int_equal(st, BASIN_OK);
}

static void
vault_init(struct vault *v, unsigned variant)
{
    memset(v, 0, sizeof(*v));
    buf_init(&v->bytes, &base_malloc);
    memory_sink_init(&v->sink, &v->bytes);
    v->to = write_options(&base_malloc);
    v->from = read_options(&base_malloc);
    v->from.counters = &v->counters;
    if (variant == 1)
        v->to.codec = CODEC_LZ4;
    if (variant == 2) {
        v->to.codec = CODEC_ZSTD;
        v->to.data_key = v->from.data_key = &secret;
    }
    ok(v, value_writer_new(&v->to, &v->sink.base, &v->writer, &v->err));
}

static struct value_ref
vault_put(struct vault *v, size_t size, size_t piece)
{
    uint8_t *p = malloc(piece + 1);
    struct value_ref ref;

    assert_non_null(p);
    for (size_t at = 0; at < size;) {
        size_t n = MIN_OF(piece, size - at);
        for (size_t i = 0; i < n; i++)
            p[i] = pattern(at + i);
        ok(v, value_writer_add(v->writer, bytes_of(p, n), &v->err));
        at += n;
    }
    ok(v, value_writer_end(v->writer, &ref, &v->err));
    assert_int_equal(ref.size, size);
    free(p);
    return ref;
}

static void
vault_open(struct vault *v, bool mapped)
{
    uint64_t count, size, values, bytes;

    ok(v, value_writer_finish(v->writer, &count, &size, &v->err));
    assert_int_equal(size, v->bytes.size);
    assert_int_equal(v->sink.base.ops->commit(&v->sink.base, NULL), BASIN_OK);
    counted_init(&v->source, buf_bytes(&v->bytes), mapped);
    ok(v, value_open(&v->source.base, &v->from, &v->stratum, &v->err));
    value_counts(v->stratum, &values, &bytes);
    assert_int_equal(values, count);
}

static void
vault_release(struct vault *v)
{
    value_close(v->stratum);
    value_writer_free(v->writer);
    buf_release(&v->bytes);
}

/* Reads [offset, offset + n) and expects the pattern. */
static void
expect_read(struct vault *v, const struct value_ref *ref, uint64_t offset, size_t n, size_t want)
{
    uint8_t *p = malloc(n + 1);
    size_t got;

    assert_non_null(p);
    ok(v, value_read(v->stratum, ref, offset, p, n, &got, &v->err));
    assert_int_equal(got, want);
    for (size_t i = 0; i < got; i++)
        if (p[i] != pattern(offset + i))
            assert_int_equal(p[i], pattern(offset + i));
    free(p);
}

static void
ec22_ec23_ec24_in_one_read_and_in_pieces(void **state)
{
    static const size_t sizes[] = { 100000, 40000, 20000, 1499, 200, 0, 1, 57 };

    (void)state;
    for (unsigned variant = 0; variant < 3; variant++) {
        struct value_ref refs[COUNT_OF(sizes)];
        struct vault v;
        vault_init(&v, variant);
        for (size_t i = 0; i < COUNT_OF(sizes); i++) /* written in pieces: length not known */
            refs[i] = vault_put(&v, sizes[i], 1 + i * 997);
        vault_open(&v, variant % 2);
        for (size_t i = 0; i < COUNT_OF(sizes); i++) {
            expect_read(&v, &refs[i], 0, sizes[i] + 10, sizes[i]);
            for (size_t at = 0; at < sizes[i]; at += 57 * (1 + at / 3000))
                expect_read(&v, &refs[i], at, 57, MIN_OF((size_t)57, sizes[i] - at));
        }
        ok(&v, value_verify(v.stratum, &v.err));
        vault_release(&v);
    }
}

/* EC27, as far as frames are the pages of values: sizes around exact multiples. */
static void
sizes_around_a_frame(void **state)
{
    static const size_t sizes[] = { 0,         FRAME - 1,    FRAME, FRAME + 1, 2 * FRAME - 1,
                                    2 * FRAME, 2 * FRAME + 1 };

    (void)state;
    for (unsigned variant = 0; variant < 3; variant++) {
        struct value_ref refs[COUNT_OF(sizes)];
        struct vault v;
        vault_init(&v, variant);
        for (size_t i = 0; i < COUNT_OF(sizes); i++)
            refs[i] = vault_put(&v, sizes[i], 30000);
        vault_open(&v, true);
        for (size_t i = 0; i < COUNT_OF(sizes); i++) {
            expect_read(&v, &refs[i], 0, 3 * FRAME, sizes[i]);
            expect_read(&v, &refs[i], sizes[i] / 2, 3 * FRAME, sizes[i] - sizes[i] / 2);
            assert_int_equal(refs[i].stored == 0, sizes[i] == 0);
        }
        vault_release(&v);
    }
}

static void
ec33_random_reads_touch_only_what_they_need(void **state)
{
    struct chance c = chance_of(33);

    (void)state;
    for (unsigned variant = 0; variant < 2; variant++) {
        struct value_ref ref;
        struct vault v;
        vault_init(&v, variant);
        ref = vault_put(&v, 10 * MIB + 77, 100000);
        vault_open(&v, false);
        v.source.reads = 0;
        v.source.bytes = 0;
        for (int i = 0; i < 1000; i++) {
            uint64_t at = chance_below(&c, ref.size), before = v.counters.pages_read;
            size_t frames = (at % FRAME) + 100 > FRAME ? 2 : 1;
            expect_read(&v, &ref, at, 100, (size_t)MIN_OF((uint64_t)100, ref.size - at));
            assert_true(v.counters.pages_read - before <= frames + 1); /* and one table */
        }
        assert_true(v.source.reads <= 2100);
        assert_true(v.source.bytes <= 1100ull * (FRAME + 2000));
        vault_release(&v);
    }
}

/* More than 1024 frames: several tables. */
static void
a_value_of_many_tables(void **state)
{
    struct value_ref ref;
    struct vault v;
    size_t size = (size_t)1030 * FRAME + 5;

    (void)state;
    vault_init(&v, 1);
    ref = vault_put(&v, size, 1 << 20);
    vault_open(&v, true);
    expect_read(&v, &ref, 0, 10, 10);
    expect_read(&v, &ref, (uint64_t)1023 * FRAME + 65530, 100, 100);
    expect_read(&v, &ref, size - 3, 100, 3);
    vault_release(&v);
}

static void
ec54_ranged_read_is_offset_and_length(void **state)
{
    uint8_t all[100], p[100];
    struct value_ref ref;
    struct vault v;
    size_t got;

    (void)state;
    vault_init(&v, 0);
    for (size_t i = 0; i < 100; i++)
        all[i] = (uint8_t)i;
    ok(&v, value_writer_add(v.writer, bytes_of(all, 100), &v.err));
    ok(&v, value_writer_end(v.writer, &ref, &v.err));
    vault_open(&v, true);
    ok(&v, value_read(v.stratum, &ref, 60, p, 30, &got, &v.err));
    assert_int_equal(got, 30);
    assert_memory_equal(p, all + 60, 30);
    ok(&v, value_read(v.stratum, &ref, 90, p, 30, &got, &v.err));
    assert_int_equal(got, 10);
    assert_memory_equal(p, all + 90, 10);
    ok(&v, value_read(v.stratum, &ref, 100, p, 1, &got, &v.err));
    assert_int_equal(got, 0);
    ok(&v, value_read(v.stratum, &ref, UINT64_MAX, p, 1, &got, &v.err));
    assert_int_equal(got, 0);
    vault_release(&v);
}

static void
misuse_is_refused(void **state)
{
    struct value_ref ref;
    struct vault v;
    uint64_t count, size;

    (void)state;
    vault_init(&v, 0);
    assert_int_equal(value_writer_finish(v.writer, &count, &size, &v.err), BASIN_END);
    assert_int_equal(v.bytes.size, 0);
    assert_int_equal(value_writer_add(v.writer, text("x"), &v.err), BASIN_MISUSE);
    vault_release(&v);
    vault_init(&v, 0);
    ok(&v, value_writer_add(v.writer, text("x"), &v.err));
    assert_int_equal(value_writer_finish(v.writer, &count, &size, &v.err), BASIN_MISUSE);
    assert_int_equal(value_writer_end(v.writer, &ref, &v.err), BASIN_MISUSE);
    vault_release(&v);
}

/* ------------------------------------------------------------------ damage */

static void
expect_refused(struct vault *v, const struct value_ref *ref, size_t n, bool mapped)
{
    struct value_stratum *s;
    uint8_t *p = malloc((size_t)ref->size);
    size_t got;
    basin_status st;

    assert_non_null(p);
    counted_init(&v->source, bytes_of(v->bytes.data, n), mapped);
    st = value_open(&v->source.base, &v->from, &s, &v->err);
    if (st == BASIN_OK) {
        assert_int_equal(value_verify(s, &v->err), BASIN_CORRUPT);
        st = value_read(s, ref, 0, p, (size_t)ref->size, &got, &v->err);
        if (st == BASIN_OK)
            for (size_t i = 0; i < got; i += 13)
                assert_int_equal(p[i], pattern(i));
        value_close(s);
    }
    assert_true(st == BASIN_OK || st == BASIN_CORRUPT);
    free(p);
}

static void
flipped_bits_and_cuts_are_refused(void **state)
{
    (void)state;
    for (unsigned variant = 0; variant < 3; variant++) {
        struct value_ref ref;
        struct vault v;
        size_t step;
        vault_init(&v, variant);
        ref = vault_put(&v, 70000, 1000);
        vault_open(&v, true);
        value_close(v.stratum);
        v.stratum = NULL;
        step = v.bytes.size / 400 + 1;
        for (size_t i = 0; i < v.bytes.size;) {
            v.bytes.data[i] ^= (uint8_t)(1 << i % 8);
            expect_refused(&v, &ref, v.bytes.size, i % 2);
            v.bytes.data[i] ^= (uint8_t)(1 << i % 8);
            expect_refused(&v, &ref, i, i % 2);
            i += i + 700 > v.bytes.size || i < 40 ? 1 : step; /* footer, table and head: each */
        }
        vault_release(&v);
    }
}

/* Right checksums, wrong content, wrong references: anything but unsafe memory. */
static void
resealed_damage_and_wild_references_are_survived(void **state)
{
    const uint64_t ids[] = { 11, 12, 3, 41 };
    struct chance c = chance_init("value damage", 0x7A1);
    static uint8_t to[3 * FRAME];
    struct value_ref ref;
    struct vault v;
    uint8_t *copy;

    (void)state;
    vault_init(&v, 1);
    ref = vault_put(&v, 140000, 1000);
    vault_open(&v, true);
    value_close(v.stratum);
    v.stratum = NULL;
    copy = malloc(v.bytes.size);
    assert_non_null(copy);
    for (size_t i = 0; i < test_scale(2000); i++) {
        struct value_stratum *s;
        struct value_ref wild = ref;
        size_t got;
        memcpy(copy, v.bytes.data, v.bytes.size);
        for (int k = 0; k < 3; k++)
            copy[chance_below(&c, 4) ? v.bytes.size - 1 - chance_below(&c, 400)
                                     : chance_below(&c, v.bytes.size)] = (uint8_t)chance_u64(&c);
        reseal(copy, v.bytes.size, ids);
        counted_init(&v.source, bytes_of(copy, v.bytes.size), i % 2);
        if (value_open(&v.source.base, &v.from, &s, NULL) != BASIN_OK)
            continue;
        if (chance_below(&c, 2)) {
            wild.at = chance_below(&c, 200000);
            wild.size = chance_below(&c, 2) ? chance_u64(&c) : chance_below(&c, 300000);
            wild.stored = chance_below(&c, 2) ? chance_u64(&c) : chance_below(&c, 300000);
        }
        (void)value_read(s, &wild, chance_below(&c, 1 + wild.size / 2), to, sizeof(to), &got, NULL);
        (void)value_verify(s, NULL);
        value_close(s);
    }
    free(copy);
    vault_release(&v);
}

static void
keys_are_needed(void **state)
{
    struct codec_key other = { { 8 } };
    struct value_stratum *s;
    struct value_ref ref;
    struct vault v;
    uint8_t p[10];
    size_t got;

    (void)state;
    vault_init(&v, 2);
    ref = vault_put(&v, 1000, 1000);
    vault_open(&v, true);
    v.from.data_key = NULL;
    counted_init(&v.source, buf_bytes(&v.bytes), true);
    assert_int_equal(value_open(&v.source.base, &v.from, &s, &v.err), BASIN_WRONG_KEY);
    v.from.data_key = &other;
    counted_init(&v.source, buf_bytes(&v.bytes), true);
    ok(&v, value_open(&v.source.base, &v.from, &s, &v.err));
    assert_int_equal(value_read(s, &ref, 0, p, 10, &got, &v.err), BASIN_CORRUPT);
    value_close(s);
    vault_release(&v);
}

static void
survives_each_allocation_failure(void **state)
{
    struct test_memory m;

    (void)state;
    test_memory_init(&m);
    for (size_t n = 1, more = 1; more; n++) {
        static uint8_t all[2 * FRAME];
        struct stratum_write_options w = write_options(&m.table);
        struct stratum_read_options r = read_options(&m.table);
        struct counted_source source;
        struct memory_sink sink;
        struct buf bytes;
        struct value_writer *writer = NULL;
        struct value_stratum *s = NULL;
        struct value_ref ref;
        uint64_t count, size;
        size_t got;
        basin_status st;
        buf_init(&bytes, &base_malloc);
        memory_sink_init(&sink, &bytes);
        w.codec = CODEC_LZ4;
        test_memory_refuse(&m, n);
        TRY(value_writer_new(&w, &sink.base, &writer, NULL));
        TRY(value_writer_add(writer, bytes_of(all, sizeof(all)), NULL));
        TRY(value_writer_end(writer, &ref, NULL));
        TRY(value_writer_finish(writer, &count, &size, NULL));
        counted_init(&source, buf_bytes(&bytes), false);
        TRY(value_open(&source.base, &r, &s, NULL));
        TRY(value_read(s, &ref, 5, all, sizeof(all), &got, NULL));
        TRY(value_verify(s, NULL));
    out:
        more = test_memory_refused(&m);
        assert_true(more ? st == BASIN_NO_MEM || st == BASIN_OK : st == BASIN_OK);
        value_close(s);
        value_writer_free(writer);
        buf_release(&bytes);
        assert_int_equal(m.live, 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ec22_ec23_ec24_in_one_read_and_in_pieces),
        cmocka_unit_test(sizes_around_a_frame),
        cmocka_unit_test(ec33_random_reads_touch_only_what_they_need),
        cmocka_unit_test(a_value_of_many_tables),
        cmocka_unit_test(ec54_ranged_read_is_offset_and_length),
        cmocka_unit_test(misuse_is_refused),
        cmocka_unit_test(flipped_bits_and_cuts_are_refused),
        cmocka_unit_test(resealed_damage_and_wild_references_are_survived),
        cmocka_unit_test(keys_are_needed),
        cmocka_unit_test(survives_each_allocation_failure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
