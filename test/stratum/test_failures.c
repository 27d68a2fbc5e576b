// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Sweeps over writing, opening and reading: each allocation fails in turn, each write to the sink
 * fails in turn, each read from the source fails in turn. Every time the failure comes back as it
 * is, the message is filled, and nothing leaks.
 */
#include "stratum/shelf.h"

static struct codec_key secret = { { 4, 5, 6 } };

/* ------------------------------------------------------------------ a sink that fails */

struct failing_sink {
    struct sink base;
    struct buf bytes;
    size_t writes;
    size_t fail_at; /* from 1; 0 = never */
};

static basin_status
failing_write(struct sink *s, const void *p, size_t n, basin_error *err)
{
    struct failing_sink *f = (struct failing_sink *)s;

    if (++f->writes == f->fail_at)
        return error_set(err, BASIN_NO_SPACE, "the test's disk is full");
    s->size += n;
    return buf_add(&f->bytes, p, n);
}

static basin_status
failing_commit(struct sink *s, basin_error *err)
{
    (void)s;
    (void)err;
    return BASIN_OK;
}

static void
failing_free(struct sink *s)
{
    buf_release(&((struct failing_sink *)s)->bytes);
}

static const struct sink_ops failing_ops = { failing_write, failing_commit, failing_free };

static void
sink_init(struct failing_sink *f, size_t fail_at)
{
    *f = (struct failing_sink){ .base = { .ops = &failing_ops }, .fail_at = fail_at };
    buf_init(&f->bytes, &base_malloc);
}

/* ------------------------------------------------------------------ a source that fails */

struct failing_source {
    struct counted_source counted;
    size_t fail_at;
};

static basin_status
failing_read(struct source *s, uint64_t at, void *to, size_t n, basin_error *err)
{
    struct failing_source *f = (struct failing_source *)s;

    if (f->counted.reads + 1 == f->fail_at) {
        f->counted.reads++;
        return error_set(err, BASIN_IO, "the test's disk does not answer");
    }
    return counted_read(s, at, to, n, err);
}

static const struct source_ops failing_source_ops = { failing_read, counted_map, counted_close };

/* ------------------------------------------------------------------ what is swept */

static basin_status
write_one(const struct stratum_write_options *o, struct sink *to, basin_error *err)
{
    struct range_tombstone t = { text("a"), text("b"), false, 3 };
    struct stratum_writer *w = NULL;
    struct stratum_summary sum;
    char key[40];
    uint8_t value[300];
    basin_status st;

    memset(value, 'v', sizeof(value));
    TRY(stratum_writer_new(o, to, &w, err));
    TRY(stratum_writer_add_range(w, &t, err));
    TRY(stratum_writer_set_meta(w, text("meta"), err));
    for (unsigned i = 0; i < 400; i++) {
        struct entry e = { .seqno = 9 };
        e.key = bytes_of(key, (size_t)snprintf(key, sizeof(key), "key%07u", i * 3));
        e.value = bytes_of(value, i % 3 ? 0 : i % 300);
        TRY(stratum_writer_add(w, &e, err));
    }
    TRY(stratum_writer_finish(w, &sum, err));
out:
    stratum_writer_free(w);
    return st;
}

static void
count_faults(void *ctx, const basin_error *fault, struct bytes from, struct bytes to)
{
    (void)fault;
    (void)from;
    (void)to;
    ++*(size_t *)ctx;
}

static basin_status
read_one(struct source *from, const struct stratum_read_options *o, basin_error *err)
{
    struct stratum *s = NULL;
    struct stratum_cursor *c = NULL;
    struct stratum_hit hit;
    uint64_t before;
    size_t faults = 0, n = 0;
    bool changed;
    basin_status st;

    TRY(stratum_open(from, o, &s, err));
    TRY(stratum_cursor_open(s, &c, err));
    TRY(stratum_cursor_first(c, err));
    while (stratum_cursor_valid(c)) {
        n++;
        TRY(stratum_cursor_next(c, err));
    }
    assert_int_equal(n, 400);
    TRY(stratum_cursor_seek_ge(c, text("key0000500"), 99, err));
    TRY(stratum_cursor_seek_ge(c, stratum_cursor_entry(c)->key, 0, err)); /* its own key */
    TRY(stratum_cursor_seek_le(c, text("key0000100"), err));
    TRY(stratum_cursor_last(c, err));
    TRY(stratum_cursor_prev(c, err));
    TRY(stratum_get(s, text("key0000300"), 99, &hit, err));
    stratum_unpin(s, &hit);
    TRY(stratum_rank(s, text("key0000300"), &before, err));
    TRY(stratum_changed_since(s, text("a"), text("z"), false, 100, &changed, err));
    TRY(stratum_verify(s, count_faults, &faults, err));
    assert_int_equal(faults, 0);
out:
    stratum_cursor_close(c);
    stratum_close(s);
    return st;
}

static void
variant(unsigned v, struct stratum_write_options *w, struct stratum_read_options *r)
{
    w->page_size = 512;
    w->prefix = first_elements;
    if (v == 1)
        w->codec = CODEC_LZ4;
    if (v == 2) {
        w->codec = CODEC_ZSTD;
        w->codec_level = 3;
        w->data_key = r->data_key = &secret;
    }
}

/* ------------------------------------------------------------------ the sweeps */

static void
writing_survives_each_allocation_failure(void **state)
{
    (void)state;
    for (unsigned v = 0; v < 3; v++) {
        struct test_memory m;
        test_memory_init(&m);
        for (size_t n = 1, more = 1; more; n++) {
            struct stratum_write_options w = write_options(&m.table);
            struct stratum_read_options r = read_options(&m.table);
            struct failing_sink sink;
            basin_error err = { 0 };
            basin_status st;
            sink_init(&sink, 0);
            variant(v, &w, &r);
            test_memory_refuse(&m, n);
            st = write_one(&w, &sink.base, &err);
            more = test_memory_refused(&m);
            /* a codec without memory stores pages as they are */
            assert_true(more ? st == BASIN_NO_MEM || (v && st == BASIN_OK) : st == BASIN_OK);
            assert_true(st == BASIN_OK || err.what[0] != 0);
            assert_int_equal(m.live, 0);
            sink.base.ops->free(&sink.base);
        }
    }
}

static void
reading_survives_each_allocation_failure(void **state)
{
    (void)state;
    for (unsigned v = 0; v < 6; v++) {
        struct stratum_write_options w = write_options(&base_malloc);
        struct stratum_read_options r = read_options(NULL);
        struct failing_sink sink;
        struct test_memory m;
        sink_init(&sink, 0);
        variant(v % 3, &w, &r);
        assert_int_equal(write_one(&w, &sink.base, NULL), BASIN_OK);
        test_memory_init(&m);
        r.mem = &m.table;
        for (size_t n = 1, more = 1; more; n += 1 + n / 40) {
            struct counted_source source;
            basin_error err = { 0 };
            basin_status st = BASIN_OK;
            counted_init(&source, buf_bytes(&sink.bytes), v % 2);
            test_memory_refuse(&m, n);
            r.cache = NULL;
            if (v >= 3)
                st = stratum_cache_new(&m.table, 20000, &r.cache, &err);
            if (st == BASIN_OK) {
                st = read_one(&source.base, &r, &err);
                assert_int_equal(source.closed, 1);
            }
            stratum_cache_free(r.cache);
            more = test_memory_refused(&m);
            assert_int_equal(st, more ? BASIN_NO_MEM : BASIN_OK);
            assert_true(st == BASIN_OK || err.what[0] != 0);
            assert_int_equal(m.live, 0);
        }
        sink.base.ops->free(&sink.base);
    }
}

static void
writing_survives_each_failing_write(void **state)
{
    (void)state;
    for (size_t n = 1, more = 1; more; n++) {
        struct stratum_write_options w = write_options(&base_malloc);
        struct stratum_read_options r = read_options(&base_malloc);
        struct failing_sink sink;
        basin_error err = { 0 };
        basin_status st;
        sink_init(&sink, n);
        variant((unsigned)(n % 3), &w, &r);
        st = write_one(&w, &sink.base, &err);
        more = sink.writes >= n;
        assert_int_equal(st, more ? BASIN_NO_SPACE : BASIN_OK);
        assert_true(st == BASIN_OK || strstr(err.what, "disk is full"));
        sink.base.ops->free(&sink.base);
    }
}

static void
reading_survives_each_failing_read(void **state)
{
    (void)state;
    for (unsigned v = 0; v < 3; v++) {
        struct stratum_write_options w = write_options(&base_malloc);
        struct stratum_read_options r = read_options(&base_malloc);
        struct failing_sink sink;
        sink_init(&sink, 0);
        variant(v, &w, &r);
        assert_int_equal(write_one(&w, &sink.base, NULL), BASIN_OK);
        for (size_t n = 1, more = 1; more; n++) {
            struct failing_source source;
            basin_error err = { 0 };
            basin_status st;
            counted_init(&source.counted, buf_bytes(&sink.bytes), false);
            source.counted.base.ops = &failing_source_ops;
            source.fail_at = n;
            st = read_one(&source.counted.base, &r, &err);
            more = source.counted.reads >= n;
            assert_int_equal(st, more ? BASIN_IO : BASIN_OK);
            assert_true(st == BASIN_OK || strstr(err.what, "does not answer"));
            assert_int_equal(source.counted.closed, 1);
        }
        sink.base.ops->free(&sink.base);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writing_survives_each_allocation_failure),
        cmocka_unit_test(reading_survives_each_allocation_failure),
        cmocka_unit_test(writing_survives_each_failing_write),
        cmocka_unit_test(reading_survives_each_failing_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
