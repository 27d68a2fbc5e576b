// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/* Checksums against published values, and the source and sink in memory. */
#include "base/base.h"

#include <setjmp.h>

#include <cmocka.h>

#include "model/chance.h"
#include "model/memory.h"

/* XXH3-64 of nothing without a seed, as published with xxHash. */
static void
hash_of_nothing_is_the_published_one(void **state)
{
    (void)state;
    assert_true(hash64(NULL, 0, 0) == 0x2D06800538D394C2u);
    assert_true(hash64("", 0, 0) == 0x2D06800538D394C2u);
    assert_true(hash64("a", 1, 0) != hash64("a", 1, 1));
    assert_true(hash64("a", 1, 0) != hash64("b", 1, 0));
}

/* However the bytes are cut into pieces, the stream gives the value of the whole. */
static void
stream_agrees_with_the_whole(void **state)
{
    struct chance c = chance_init("hash", 40);
    static uint8_t data[5000];

    (void)state;
    chance_bytes(&c, data, sizeof data);
    for (int i = 0; i < 200; i++) {
        size_t n = chance_below(&c, sizeof data + 1), at = 0;
        uint64_t seed = chance_below(&c, 2) ? chance_u64(&c) : 0;
        struct hash_stream *h = hash_stream_new(seed);
        assert_non_null(h);
        while (at < n) {
            size_t piece = chance_below(&c, 400);
            piece = MIN_OF(piece, n - at);
            hash_stream_add(h, data + at, piece);
            at += piece;
            assert_true(hash_stream_value(h) == hash64(data, at, seed));
        }
        assert_true(hash_stream_value(h) == hash64(data, n, seed));
        hash_stream_free(h);
    }
    hash_stream_free(NULL);
}

static void
source_reads_ranges_and_refuses_the_rest(void **state)
{
    struct memory_source s;
    struct source *base = &s.base;
    basin_error err = { 0 };
    char got[8] = "";

    (void)state;
    memory_source_init(&s, BYTES_LIT("hello"), "thing-41");
    assert_int_equal(base->size, 5);
    assert_int_equal(base->ops->read(base, 1, got, 4, &err), BASIN_OK);
    assert_memory_equal(got, "ello", 4);
    assert_int_equal(base->ops->read(base, 5, got, 0, &err), BASIN_OK);
    assert_int_equal(base->ops->read(base, 2, got, 4, &err), BASIN_CORRUPT);
    assert_non_null(strstr(err.what, "thing-41"));
    assert_int_equal(base->ops->read(base, 6, got, 0, &err), BASIN_CORRUPT);
    assert_int_equal(base->ops->read(base, UINT64_MAX, got, 2, &err), BASIN_CORRUPT);
    assert_int_equal(base->ops->read(base, 1, got, SIZE_MAX, NULL), BASIN_CORRUPT);
    assert_ptr_equal(base->ops->map(base), s.data.data);
    s.mappable = false;
    assert_null(base->ops->map(base));
    base->ops->close(base);
    memory_source_init(&s, BYTES_NULL,
                       "a name that is a great deal longer than the room for it, "
                       "which is cut");
    assert_int_equal(strlen(s.base.name), sizeof s.base.name - 1);
    assert_int_equal(s.base.ops->read(&s.base, 0, got, 0, NULL), BASIN_OK);
}

static void
sink_keeps_what_is_committed_only(void **state)
{
    struct memory_sink s;
    struct buf b;

    (void)state;
    buf_init(&b, &base_malloc);
    assert_int_equal(buf_add(&b, "before", 6), BASIN_OK);
    memory_sink_init(&s, &b);
    assert_int_equal(s.base.ops->write(&s.base, "abc", 3, NULL), BASIN_OK);
    assert_int_equal(s.base.size, 3);
    s.base.ops->free(&s.base);
    assert_true(bytes_equal(buf_bytes(&b), BYTES_LIT("before")));
    memory_sink_init(&s, &b);
    assert_int_equal(s.base.ops->write(&s.base, "abc", 3, NULL), BASIN_OK);
    assert_int_equal(s.base.ops->write(&s.base, "def", 3, NULL), BASIN_OK);
    assert_int_equal(s.base.ops->commit(&s.base, NULL), BASIN_OK);
    s.base.ops->free(&s.base);
    assert_true(bytes_equal(buf_bytes(&b), BYTES_LIT("beforeabcdef")));
    buf_release(&b);
}

static void
sink_reports_each_refused_allocation(void **state)
{
    struct test_memory m;
    bool more = true;

    (void)state;
    test_memory_init(&m);
    for (size_t n = 1; more; n++) {
        basin_status st = BASIN_OK;
        basin_error err = { 0 };
        struct memory_sink s;
        struct buf b;
        test_memory_refuse(&m, n);
        buf_init(&b, &m.table);
        memory_sink_init(&s, &b);
        for (int i = 0; i < 100 && st == BASIN_OK; i++)
            st = s.base.ops->write(&s.base, "0123456789", 10, &err);
        more = test_memory_refused(&m);
        assert_int_equal(st, more ? BASIN_NO_MEM : BASIN_OK);
        assert_int_equal(err.status, st);
        s.base.ops->free(&s.base);
        assert_int_equal(b.size, 0);
        buf_release(&b);
        assert_int_equal(atomic_load(&m.live), 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hash_of_nothing_is_the_published_one),
        cmocka_unit_test(stream_agrees_with_the_whole),
        cmocka_unit_test(source_reads_ranges_and_refuses_the_rest),
        cmocka_unit_test(sink_keeps_what_is_committed_only),
        cmocka_unit_test(sink_reports_each_refused_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
