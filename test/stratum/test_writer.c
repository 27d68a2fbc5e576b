// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * What a writer accepts and refuses, what it says of the result, and when seqnos are elided.
 */
#include <pthread.h>

#include "stratum/format.h"
#include "stratum/shelf.h"

static void
ec30_hundred_thousand_pairs_without_a_seek(void **state)
{
    struct shelf s;
    char key[24];
    size_t n = 0;

    (void)state;
    shelf_init(&s); /* a sink has no seek: only write, commit, free */
    shelf_write(&s);
    for (unsigned i = 0; i < 100000; i++) {
        snprintf(key, sizeof(key), "key%08u", i);
        shelf_put(&s, key, "some value");
    }
    assert_true(stratum_writer_size(s.writer) > 1000000);
    shelf_open(&s, true);
    assert_int_equal(s.summary.size, s.bytes.size);
    assert_int_equal(s.summary.entries, 100000);
    assert_true(bytes_equal(s.summary.first_key, text("key00000000")));
    assert_true(bytes_equal(s.summary.last_key, text("key00099999")));
    must_be_ok(&s, stratum_cursor_first(s.cursor, &s.err));
    for (; stratum_cursor_valid(s.cursor); n++)
        must_be_ok(&s, stratum_cursor_next(s.cursor, &s.err));
    assert_int_equal(n, 100000);
    must_be_ok(&s, stratum_verify(s.stratum, NULL, NULL, &s.err));
    shelf_release(&s);
}

static void
ec31_nothing_added_gives_nothing(void **state)
{
    struct shelf s;

    (void)state;
    shelf_init(&s);
    shelf_write(&s);
    assert_int_equal(stratum_writer_finish(s.writer, &s.summary, &s.err), BASIN_END);
    assert_int_equal(s.bytes.size, 0);
    assert_int_equal(stratum_writer_finish(s.writer, &s.summary, &s.err), BASIN_MISUSE);
    shelf_release(&s);
}

static basin_status
add(struct shelf *s, const char *key, uint64_t seqno, enum entry_kind kind, size_t value_size)
{
    static const uint8_t zeros[64];
    struct entry e = { text(key), bytes_of(zeros, value_size), seqno, kind };

    return stratum_writer_add(s->writer, &e, &s->err);
}

static void
ec32_disorder_is_refused_and_stays_so(void **state)
{
    static const struct {
        const char *key;
        uint64_t seqno;
        enum entry_kind kind;
        size_t value_size;
    } bad[] = {
        { "l", 5, ENTRY_PUT, 1 },    { "", 5, ENTRY_PUT, 1 },     { "m", 5, ENTRY_PUT, 1 },
        { "m", 6, ENTRY_DELETE, 0 }, { "n", 5, ENTRY_DELETE, 1 }, { "n", 5, (enum entry_kind)4, 0 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct shelf s;
        shelf_init(&s);
        shelf_write(&s);
        assert_int_equal(add(&s, "m", 5, ENTRY_PUT, 3), BASIN_OK);
        assert_int_equal(add(&s, bad[i].key, bad[i].seqno, bad[i].kind, bad[i].value_size),
                         BASIN_MISUSE);
        assert_true(s.err.what[0] != 0);
        assert_int_equal(add(&s, "z", 5, ENTRY_PUT, 3), BASIN_MISUSE);
        assert_int_equal(stratum_writer_finish(s.writer, &s.summary, &s.err), BASIN_MISUSE);
        shelf_release(&s);
        assert_int_equal(s.bytes.size, 0);
    }
}

static void
versions_without_seqno_keep_their_order(void **state)
{
    struct stratum_hit hit;
    struct shelf s;

    (void)state;
    shelf_init(&s);
    shelf_write(&s);
    shelf_add(&s, text("k"), text("new"), 0, ENTRY_MERGE);
    shelf_add(&s, text("k"), text("old"), 0, ENTRY_PUT);
    shelf_open(&s, true);
    must_be_ok(&s, stratum_get(s.stratum, text("k"), 0, &hit, &s.err));
    assert_true(bytes_equal(hit.entry.value, text("new")));
    stratum_unpin(s.stratum, &hit);
    must_be_ok(&s, stratum_cursor_last(s.cursor, &s.err));
    assert_true(bytes_equal(stratum_cursor_entry(s.cursor)->value, text("old")));
    shelf_release(&s);
}

static void
limits_are_checked(void **state)
{
    struct stratum_write_options bad;
    struct stratum_writer *w;
    struct shelf s;
    struct entry e = { .kind = ENTRY_PUT };
    struct range_tombstone t = { .unbounded = true };
    uint8_t *big = calloc(1, STRATUM_KEY_MAX + 2);

    (void)state;
    assert_non_null(big);
    shelf_init(&s);
    bad = s.to;
    bad.page_size = 255;
    assert_int_equal(stratum_writer_new(&bad, &s.sink.base, &w, &s.err), BASIN_MISUSE);
    bad.page_size = 65537;
    assert_int_equal(stratum_writer_new(&bad, &s.sink.base, &w, &s.err), BASIN_MISUSE);
    shelf_write(&s);
    e.key = bytes_of(big, STRATUM_KEY_MAX + 1);
    assert_int_equal(stratum_writer_add(s.writer, &e, &s.err), BASIN_LIMIT);
    stratum_writer_free(s.writer);
    shelf_write(&s);
    e.key = BYTES_NULL;
    e.value = bytes_of(big, (size_t)STRATUM_VALUE_MAX + 1);
    assert_int_equal(stratum_writer_add(s.writer, &e, &s.err), BASIN_LIMIT);
    stratum_writer_free(s.writer);
    shelf_write(&s);
    t.begin = bytes_of(big, STRATUM_KEY_MAX + 1);
    assert_int_equal(stratum_writer_add_range(s.writer, &t, &s.err), BASIN_LIMIT);
    assert_int_equal(stratum_writer_set_meta(s.writer, bytes_of(big, STRATUM_META_MAX + 1), &s.err),
                     BASIN_LIMIT);
    shelf_release(&s);
    free(big);
}

/* An inline value of 64 MiB, random and constant (compressed pages have a bound on their size). */
static void
a_huge_value_stays_inline(void **state)
{
    size_t size = 64 * MIB;
    uint8_t *value = malloc(size);

    (void)state;
    assert_non_null(value);
    for (int round = 0; round < 2; round++) {
        struct stratum_hit hit;
        struct shelf s;
        shelf_init(&s);
        memset(value, round, size);
        value[size - 1] = 7;
        s.to.codec = round ? CODEC_LZ4 : CODEC_NONE;
        shelf_write(&s);
        shelf_put(&s, "a", "small");
        shelf_add(&s, text("b"), bytes_of(value, size), 1, ENTRY_PUT);
        shelf_put(&s, "c", "small");
        shelf_open(&s, false);
        must_be_ok(&s, stratum_get(s.stratum, text("b"), 9, &hit, &s.err));
        assert_int_equal(hit.entry.value.size, size);
        assert_memory_equal(hit.entry.value.data, value, size);
        stratum_unpin(s.stratum, &hit);
        must_be_ok(&s, stratum_cursor_seek_ge(s.cursor, text("bb"), 9, &s.err));
        assert_true(bytes_equal(stratum_cursor_entry(s.cursor)->key, text("c")));
        shelf_release(&s);
    }
    free(value);
}

/* EC25, EC28: random and fixed lengths of keys and values, by ten writers at once. */
struct bench {
    pthread_t thread;
    size_t key_size, value_size, count;
    uint64_t seed;
    struct buf bytes;
};

static void *
write_bench(void *arg)
{
    struct bench *b = arg;
    struct chance c = chance_of(b->seed);
    struct stratum_write_options o = write_options(&base_malloc);
    struct stratum_summary sum;
    struct stratum_writer *w;
    struct memory_sink sink;
    uint8_t *p = malloc(20000);

    must(p);
    buf_init(&b->bytes, &base_malloc);
    memory_sink_init(&sink, &b->bytes);
    o.page_size = 256;
    must(stratum_writer_new(&o, &sink.base, &w, NULL) == BASIN_OK);
    for (size_t i = 0; i < b->count; i++) {
        size_t key_size = b->key_size ? b->key_size : 8 + chance_below(&c, 9990);
        size_t value_size = b->key_size ? b->value_size : chance_below(&c, 10000);
        struct entry e = { bytes_of(p, key_size), bytes_of(p + 10000, value_size), 7, ENTRY_PUT };
        memset(p, 'k', key_size);
        memset(p + 10000, (int)(i % 256), value_size);
        store_u32(p + 4, __builtin_bswap32((uint32_t)i)); /* 4 bytes shared, then the number */
        must(stratum_writer_add(w, &e, NULL) == BASIN_OK);
    }
    must(stratum_writer_finish(w, &sum, NULL) == BASIN_OK);
    must(sum.entries == b->count);
    stratum_writer_free(w);
    free(p);
    return NULL;
}

static void
read_bench(struct bench *b)
{
    struct chance c = chance_of(b->seed);
    struct stratum_read_options o = read_options(&base_malloc);
    struct counted_source source;
    struct stratum_cursor *cursor;
    struct stratum *s;

    counted_init(&source, buf_bytes(&b->bytes), true);
    assert_int_equal(stratum_open(&source.base, &o, &s, NULL), BASIN_OK);
    assert_int_equal(stratum_cursor_open(s, &cursor, NULL), BASIN_OK);
    assert_int_equal(stratum_cursor_first(cursor, NULL), BASIN_OK);
    for (size_t i = 0; i < b->count; i++) {
        const struct entry *e = stratum_cursor_entry(cursor);
        struct stratum_hit hit;
        size_t key_size = b->key_size ? b->key_size : 8 + chance_below(&c, 9990);
        size_t value_size = b->key_size ? b->value_size : chance_below(&c, 10000);
        assert_int_equal(e->key.size, key_size);
        assert_int_equal(e->value.size, value_size);
        assert_int_equal(__builtin_bswap32(load_u32(e->key.data + 4)), i);
        assert_true(value_size == 0 || e->value.data[value_size - 1] == i % 256);
        assert_int_equal(stratum_get(s, e->key, 7, &hit, NULL), BASIN_OK);
        assert_true(bytes_equal(hit.entry.value, e->value));
        stratum_unpin(s, &hit);
        assert_int_equal(stratum_cursor_next(cursor, NULL), BASIN_OK);
    }
    assert_false(stratum_cursor_valid(cursor));
    stratum_cursor_close(cursor);
    stratum_close(s);
    buf_release(&b->bytes);
}

static void
ec25_ec28_lengths_by_ten_writers(void **state)
{
    static const size_t shapes[][3] = { { 100, 100, 1000 },
                                        { 100, 1000, 100 },
                                        { 1000, 100, 100 },
                                        { 1000, 1000, 10 },
                                        { 0, 0, 100 } };
    struct bench b[10];

    (void)state;
    for (size_t i = 0; i < 10; i++) {
        const size_t *shape = shapes[i % COUNT_OF(shapes)];
        b[i] = (struct bench){
            .key_size = shape[0], .value_size = shape[1], .count = shape[2], .seed = 25 + i
        };
        assert_int_equal(pthread_create(&b[i].thread, NULL, write_bench, &b[i]), 0);
    }
    for (size_t i = 0; i < 10; i++) {
        assert_int_equal(pthread_join(b[i].thread, NULL), 0);
        read_bench(&b[i]);
    }
}

/* ------------------------------------------------------------------ memory */

/* A sink that keeps nothing. */
static basin_status
drop_write(struct sink *s, const void *p, size_t n, basin_error *err)
{
    (void)p;
    (void)err;
    s->size += n;
    return BASIN_OK;
}

static basin_status
drop_commit(struct sink *s, basin_error *err)
{
    (void)s;
    (void)err;
    return BASIN_OK;
}

static void
drop_free(struct sink *s)
{
    (void)s;
}

/* E10: what is held does not grow with the stratum, but for the root: one fence per group. */
static void
e10_memory_stays_bounded(void **state)
{
    static const struct sink_ops ops = { drop_write, drop_commit, drop_free };
    struct sink sink = { .ops = &ops };
    struct test_memory m;
    struct stratum_writer *w;
    struct stratum_summary sum;
    struct stratum_write_options o;
    uint8_t key[8], value[2000] = { 0 };

    (void)state;
    test_memory_init(&m);
    o = write_options(&m.table);
    o.filter_bits = 64; /* much to hold */
    assert_int_equal(stratum_writer_new(&o, &sink, &w, NULL), BASIN_OK);
    for (uint64_t i = 0; i < 1000000; i++) {
        struct entry e = { bytes_of(key, 8), bytes_of(value, i % 4 ? 0 : 1000), 1, ENTRY_PUT };
        store_u64(key, __builtin_bswap64(i));
        assert_int_equal(stratum_writer_add(w, &e, NULL), BASIN_OK);
    }
    assert_int_equal(stratum_writer_finish(w, &sum, NULL), BASIN_OK);
    assert_int_equal(sum.size, sink.size);
    assert_true(sum.size > 200 * MIB);
    assert_true(m.peak < 12 * MIB);
    stratum_writer_free(w);
    assert_int_equal(m.live, 0);
}

/* Many groups, written in several runs: index blocks grow, the tail is the root alone. */
static void
a_stratum_of_many_groups(void **state)
{
    struct stratum_hit hit;
    struct shelf s;
    uint8_t key[8];
    size_t n = 0;

    (void)state;
    shelf_init(&s);
    s.to.page_size = 256;
    s.to.filter_bits = 64;
    shelf_write(&s);
    for (uint64_t i = 0; i < 500000; i++) {
        store_u64(key, __builtin_bswap64(i * 3));
        shelf_add(&s, bytes_of(key, 8), bytes_of("0123456789abcdefghij", 20), 1, ENTRY_PUT);
    }
    shelf_open(&s, false);
    must_be_ok(&s, stratum_verify(s.stratum, NULL, NULL, &s.err));
    for (uint64_t i = 0; i < 500000; i += 997) {
        store_u64(key, __builtin_bswap64(i * 3));
        must_be_ok(&s, stratum_get(s.stratum, bytes_of(key, 8), 1, &hit, &s.err));
        stratum_unpin(s.stratum, &hit);
        must_be_ok(&s, stratum_cursor_seek_ge(s.cursor, bytes_of(key, 8), 1, &s.err));
        assert_int_equal(stratum_cursor_compare(s.cursor, bytes_of(key, 8)), 0);
    }
    s.from.no_map = false;
    stratum_cursor_close(s.cursor);
    s.cursor = NULL;
    stratum_close(s.stratum);
    counted_init(&s.source, buf_bytes(&s.bytes), true);
    must_be_ok(&s, stratum_open(&s.source.base, &s.from, &s.stratum, &s.err));
    must_be_ok(&s, stratum_cursor_open(s.stratum, &s.cursor, &s.err));
    must_be_ok(&s, stratum_cursor_last(s.cursor, &s.err));
    for (; stratum_cursor_valid(s.cursor); n++)
        must_be_ok(&s, stratum_cursor_prev(s.cursor, &s.err));
    assert_int_equal(n, 500000);
    shelf_release(&s);
}

/* ------------------------------------------------------------------ seqnos */

/* Seqnos a byte, two, four and eight bytes apart. */
static void
seqnos_of_every_width(void **state)
{
    static const uint64_t spans[] = { 0, 200, 60000, UINT32_MAX, UINT64_MAX - 500 };

    (void)state;
    for (size_t k = 0; k < COUNT_OF(spans); k++) {
        for (size_t value_size = 0; value_size < 2; value_size++) {
            struct shelf s;
            char key[16];
            unsigned n = 0;
            shelf_init(&s);
            s.to.page_size = 512;
            shelf_write(&s);
            for (unsigned i = 0; i < 1000; i++) {
                snprintf(key, sizeof(key), "%05u", i);
                shelf_add(&s, text(key), bytes_of("v", value_size), 300 + spans[k] / 999 * i,
                          ENTRY_PUT);
            }
            shelf_open(&s, true);
            must_be_ok(&s, stratum_cursor_first(s.cursor, &s.err));
            for (; stratum_cursor_valid(s.cursor); n++) {
                assert_int_equal(stratum_cursor_entry(s.cursor)->seqno, 300 + spans[k] / 999 * n);
                must_be_ok(&s, stratum_cursor_next(s.cursor, &s.err));
            }
            assert_int_equal(n, 1000);
            must_be_ok(&s, stratum_verify(s.stratum, NULL, NULL, &s.err));
            shelf_release(&s);
        }
    }
}

static uint64_t
seqno_of(struct shelf *s, const char *key)
{
    must_be_ok(s, stratum_cursor_seek_ge(s->cursor, text(key), UINT64_MAX, &s->err));
    assert_true(stratum_cursor_valid(s->cursor));
    assert_int_equal(stratum_cursor_compare(s->cursor, text(key)), 0);
    return stratum_cursor_entry(s->cursor)->seqno;
}

/* Decision 17: a seqno is not dropped under a live range tombstone. */
static void
old_seqnos_are_elided_unless_a_range_tombstone_is_over_them(void **state)
{
    struct range_tombstone t = { text("k0500"), text("k0510"), false, 50 };
    struct shelf s;
    char key[16];

    (void)state;
    shelf_init(&s);
    s.to.page_size = 256;
    s.to.seqno_elide = 100;
    shelf_write(&s);
    must_be_ok(&s, stratum_writer_add_range(s.writer, &t, &s.err));
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(key, sizeof(key), "k%04u", i);
        shelf_add(&s, text(key), text("v"), i == 900 ? 101 : 1 + i % 99, ENTRY_PUT);
    }
    shelf_open(&s, true);
    assert_int_equal(seqno_of(&s, "k0000"), 0);
    assert_int_equal(seqno_of(&s, "k0400"), 0);
    assert_int_equal(seqno_of(&s, "k0505"), 1 + 505 % 99);
    assert_int_equal(seqno_of(&s, "k0600"), 0);
    assert_int_equal(seqno_of(&s, "k0900"), 101);
    assert_int_equal(s.summary.seqno_max, 101);
    assert_int_equal(s.summary.seqno_min, 1);
    shelf_release(&s);
}

/* A key whose versions go on in the next page keeps its seqnos, so that order stays visible. */
static void
versions_over_many_pages(void **state)
{
    struct stratum_hit hit;
    struct shelf s;
    uint8_t value[40] = { 0 };

    (void)state;
    for (uint64_t elide = 0; elide <= 2000; elide += 500) {
        uint64_t last = UINT64_MAX;
        shelf_init(&s);
        s.to.page_size = 256;
        s.to.seqno_elide = elide;
        shelf_write(&s);
        shelf_put(&s, "j", "before");
        for (uint64_t q = 1000; q > 0; q--) {
            store_u64(value, q);
            shelf_add(&s, text("k"), bytes_of(value, sizeof(value)), q, ENTRY_PUT);
        }
        shelf_put(&s, "kk", "behind");
        shelf_open(&s, elide % 1000 == 0);
        for (uint64_t q = 1; q <= 1000; q++) {
            if (q < elide)
                continue; /* no snapshot is that old */
            must_be_ok(&s, stratum_get(s.stratum, text("k"), q, &hit, &s.err));
            assert_int_equal(load_u64(hit.entry.value.data), q);
            stratum_unpin(s.stratum, &hit);
            must_be_ok(&s, stratum_cursor_seek_ge(s.cursor, text("k"), q, &s.err));
            assert_int_equal(load_u64(stratum_cursor_entry(s.cursor)->value.data), q);
        }
        must_be_ok(&s, stratum_cursor_seek_ge(s.cursor, text("k"), UINT64_MAX, &s.err));
        while (stratum_cursor_compare(s.cursor, text("k")) == 0) {
            assert_true(stratum_cursor_entry(s.cursor)->seqno < last ||
                        stratum_cursor_entry(s.cursor)->seqno == 0);
            last = stratum_cursor_entry(s.cursor)->seqno;
            must_be_ok(&s, stratum_cursor_next(s.cursor, &s.err));
        }
        must_be_ok(&s, stratum_cursor_seek_le(s.cursor, text("k"), &s.err));
        assert_int_equal(load_u64(stratum_cursor_entry(s.cursor)->value.data), 1);
        /* to the cursor's own key, which lies in the page that the seek leaves */
        must_be_ok(&s, stratum_cursor_seek_ge(s.cursor, stratum_cursor_entry(s.cursor)->key,
                                              UINT64_MAX, &s.err));
        assert_int_equal(load_u64(stratum_cursor_entry(s.cursor)->value.data), 1000);
        must_be_ok(&s,
                   stratum_cursor_seek_le(s.cursor, stratum_cursor_entry(s.cursor)->key, &s.err));
        assert_int_equal(load_u64(stratum_cursor_entry(s.cursor)->value.data), 1);
        must_be_ok(&s, stratum_verify(s.stratum, NULL, NULL, &s.err));
        shelf_release(&s);
    }
}

/* ------------------------------------------------------------------ page kinds, size */

static void
count_kind(const struct shelf *s, unsigned kind, size_t *pages)
{
    size_t at = 0;

    *pages = 0;
    while (at + FOOTER_SIZE < s->bytes.size) {
        *pages += s->bytes.data[at] == kind;
        at += load_u32(s->bytes.data + at + 4);
    }
    assert_int_equal(at + FOOTER_SIZE, s->bytes.size);
}

static void
the_writer_chooses_the_kind_of_page(void **state)
{
    struct shelf s;
    char key[64];
    size_t points, denses;

    (void)state;
    shelf_init(&s);
    shelf_write(&s);
    for (unsigned i = 0; i < 2000; i++) {
        snprintf(key, sizeof(key), "a%010u", i);
        shelf_put(&s, key, "");
    }
    for (unsigned i = 0; i < 2000; i++) {
        snprintf(key, sizeof(key), "b%010u", i);
        shelf_put(&s, key, "value");
    }
    shelf_open(&s, true);
    count_kind(&s, BLOCK_POINT, &points);
    count_kind(&s, BLOCK_DENSE, &denses);
    assert_true(points > 4 && denses >= 1);
    assert_true(denses < points); /* a value must not turn a full dense page into a point page */
    shelf_release(&s);
}

/* E45, E13: an index entry of a short key costs about a byte beside the bytes that it does not
 * share. Keys 40000 apart share 1 or 2 of their 4 bytes: 2.6 of their own on the average. */
static void
dense_entries_cost_one_byte(void **state)
{
    struct shelf s;
    uint8_t key[4];
    double own = 0;

    (void)state;
    shelf_init(&s);
    s.to.filter_bits = 0;
    shelf_write(&s);
    for (uint32_t i = 0, before = 0; i < 100000; i++) {
        uint32_t v = i * 40000;
        store_u32(key, __builtin_bswap32(v));
        own += i == 0 ? 4 : 4 - __builtin_clz(v ^ before) / 8;
        before = v;
        shelf_add(&s, bytes_of(key, 4), BYTES_NULL, 1, ENTRY_PUT);
    }
    shelf_open(&s, true);
    assert_true((double)s.bytes.size < own + 100000 * 1.3); /* with heads, restarts and fences */
    shelf_release(&s);
}

/* ------------------------------------------------------------------ ranges and meta */

static void
ranges_are_kept_and_found(void **state)
{
    static const struct {
        const char *begin, *end;
        uint64_t seqno;
    } in[] = {
        { "b", "d", 30 }, { "b", "d", 20 }, { "b", "d", 10 }, { "d", "f", 25 }, { "m", "n", 40 }
    };
    struct shelf s;
    size_t count;

    (void)state;
    shelf_init(&s);
    shelf_write(&s);
    for (size_t i = 0; i < COUNT_OF(in); i++) {
        struct range_tombstone t = { text(in[i].begin), text(in[i].end), false, in[i].seqno };
        must_be_ok(&s, stratum_writer_add_range(s.writer, &t, &s.err));
    }
    must_be_ok(&s,
               stratum_writer_add_range(
                   s.writer, &(struct range_tombstone){ text("x"), BYTES_NULL, true, 35 }, &s.err));
    must_be_ok(&s, stratum_writer_set_meta(s.writer, text("some meta"), &s.err));
    shelf_add(&s, text("c"), text("v"), 15, ENTRY_PUT);
    shelf_open(&s, true);
    assert_true(bytes_equal(stratum_meta(s.stratum), text("some meta")));
    assert_int_equal(stratum_ranges(s.stratum, &count)[5].unbounded, true);
    assert_int_equal(count, 6);
    assert_int_equal(stratum_range_covering(s.stratum, text("a"), 99), 0);
    assert_int_equal(stratum_range_covering(s.stratum, text("b"), 99), 30);
    assert_int_equal(stratum_range_covering(s.stratum, text("c"), 29), 20);
    assert_int_equal(stratum_range_covering(s.stratum, text("c"), 20), 20);
    assert_int_equal(stratum_range_covering(s.stratum, text("c"), 19), 10);
    assert_int_equal(stratum_range_covering(s.stratum, text("c"), 9), 0);
    assert_int_equal(stratum_range_covering(s.stratum, text("d"), 99), 25);
    assert_int_equal(stratum_range_covering(s.stratum, text("f"), 99), 0);
    assert_int_equal(stratum_range_covering(s.stratum, text("zzz"), 99), 35);
    assert_int_equal(stratum_range_covering(s.stratum, text("zzz"), 34), 0);
    assert_true(stratum_summary_of(s.stratum)->last_unbounded);
    assert_true(bytes_equal(stratum_summary_of(s.stratum)->first_key, text("b")));
    assert_int_equal(stratum_summary_of(s.stratum)->seqno_max, 40);
    assert_int_equal(stratum_summary_of(s.stratum)->seqno_min, 10);
    shelf_release(&s);
}

static void
ranges_out_of_order_are_refused(void **state)
{
    static const struct {
        const char *begin, *end;
        bool unbounded;
        uint64_t seqno;
    } bad[] = { { "b", "b", false, 9 },  { "c", "b", false, 9 }, { "b", "d", false, 30 },
                { "b", "d", false, 31 }, { "c", "e", false, 9 }, { "a", "b", false, 9 },
                { "b", "", true, 9 } };
    struct shelf s;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct range_tombstone t = { text("b"), text("d"), false, 30 };
        shelf_init(&s);
        shelf_write(&s);
        must_be_ok(&s, stratum_writer_add_range(s.writer, &t, &s.err));
        t = (struct range_tombstone){ text(bad[i].begin), text(bad[i].end), bad[i].unbounded,
                                      bad[i].seqno };
        assert_int_equal(stratum_writer_add_range(s.writer, &t, &s.err), BASIN_MISUSE);
        shelf_release(&s);
    }
}

/* Once entries may have lost their seqnos, a range tombstone comes too late. */
static void
ranges_may_come_late_unless_seqnos_are_elided(void **state)
{
    struct range_tombstone t = { text("b"), text("c"), false, 9 };

    (void)state;
    for (uint64_t elide = 0; elide < 2; elide++) {
        struct shelf s;
        shelf_init(&s);
        s.to.seqno_elide = elide;
        shelf_write(&s);
        shelf_put(&s, "a", "v");
        assert_int_equal(stratum_writer_add_range(s.writer, &t, &s.err),
                         elide ? BASIN_MISUSE : BASIN_OK);
        if (!elide) {
            shelf_open(&s, true);
            assert_int_equal(stratum_range_covering(s.stratum, text("bb"), 9), 9);
            assert_int_equal(stratum_summary_of(s.stratum)->seqno_max, 9);
            assert_int_equal(stratum_summary_of(s.stratum)->seqno_min, 1);
            must_be_ok(&s, stratum_verify(s.stratum, NULL, NULL, &s.err));
        }
        shelf_release(&s);
    }
}

static void
bounds_say_whether_the_last_key_is_included(void **state)
{
    static const struct {
        const char *end, *key;
        bool excluded;
        const char *last;
    } cases[] = { { "d", "c", true, "d" }, { "d", "d", false, "d" }, { "d", "e", false, "e" } };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct range_tombstone t = { text("b"), text(cases[i].end), false, 30 };
        const struct stratum_summary *sum;
        struct shelf s;
        shelf_init(&s);
        shelf_write(&s);
        must_be_ok(&s, stratum_writer_add_range(s.writer, &t, &s.err));
        shelf_put(&s, cases[i].key, "v");
        shelf_open(&s, true);
        sum = stratum_summary_of(s.stratum);
        assert_int_equal(sum->last_key_excluded, cases[i].excluded);
        assert_true(bytes_equal(sum->last_key, text(cases[i].last)));
        assert_true(bytes_equal(sum->first_key, text("b")));
        assert_int_equal(sum->hash, s.summary.hash);
        must_be_ok(&s, stratum_verify(s.stratum, NULL, NULL, &s.err));
        shelf_release(&s);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ec30_hundred_thousand_pairs_without_a_seek),
        cmocka_unit_test(ec31_nothing_added_gives_nothing),
        cmocka_unit_test(ec32_disorder_is_refused_and_stays_so),
        cmocka_unit_test(versions_without_seqno_keep_their_order),
        cmocka_unit_test(limits_are_checked),
        cmocka_unit_test(a_huge_value_stays_inline),
        cmocka_unit_test(ec25_ec28_lengths_by_ten_writers),
        cmocka_unit_test(e10_memory_stays_bounded),
        cmocka_unit_test(a_stratum_of_many_groups),
        cmocka_unit_test(seqnos_of_every_width),
        cmocka_unit_test(old_seqnos_are_elided_unless_a_range_tombstone_is_over_them),
        cmocka_unit_test(versions_over_many_pages),
        cmocka_unit_test(the_writer_chooses_the_kind_of_page),
        cmocka_unit_test(dense_entries_cost_one_byte),
        cmocka_unit_test(ranges_are_kept_and_found),
        cmocka_unit_test(ranges_out_of_order_are_refused),
        cmocka_unit_test(ranges_may_come_late_unless_seqnos_are_elided),
        cmocka_unit_test(bounds_say_whether_the_last_key_is_included),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
