// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The worked examples of docs/format/stratum.md and docs/format/value-stratum.md: the bytes in the
 * documents are what the writers write, and what the readers read.
 */
#include "model/document.h"
#include "stratum/format.h"
#include "stratum/shelf.h"

static void
write_example(struct shelf *s)
{
    struct range_tombstone t = { text("ax"), text("b"), false, 9 };

    s->to.page_size = 256;
    s->to.database_id[0] = s->from.database_id[0] = 1;
    s->to.database_id[1] = s->from.database_id[1] = 2;
    s->to.object_id[0] = s->from.object_id[0] = 3;
    s->to.object_id[1] = s->from.object_id[1] = 4;
    shelf_write(s);
    must_be_ok(s, stratum_writer_add_range(s->writer, &t, &s->err));
    shelf_add(s, text("ant"), text("6"), 7, ENTRY_PUT);
    shelf_add(s, text("ant"), BYTES_NULL, 5, ENTRY_DELETE);
    shelf_add(s, text("anteater"), text("4 feet"), 8, ENTRY_PUT);
}

static void
stratum_example_is_what_the_document_shows(void **state)
{
    static const char *keys[] = { "ant", "ant", "anteater" };
    static const uint64_t seqnos[] = { 7, 5, 8 };
    struct buf want;
    struct shelf s;
    size_t n = 0, ranges;

    (void)state;
    buf_init(&want, &base_malloc);
    shelf_init(&s);
    write_example(&s);
    shelf_open(&s, true);
    document_hex("docs/format/stratum.md", 0, &want);
    document_expect(buf_bytes(&s.bytes), buf_bytes(&want));
    must_be_ok(&s, stratum_cursor_first(s.cursor, &s.err));
    while (stratum_cursor_valid(s.cursor)) {
        const struct entry *e = stratum_cursor_entry(s.cursor);
        assert_true(n < 3);
        assert_true(bytes_equal(e->key, text(keys[n])));
        assert_int_equal(e->seqno, seqnos[n]);
        n++;
        must_be_ok(&s, stratum_cursor_next(s.cursor, &s.err));
    }
    assert_int_equal(n, 3);
    assert_int_equal(stratum_ranges(s.stratum, &ranges)[0].seqno, 9);
    assert_int_equal(ranges, 1);
    buf_release(&want);
    shelf_release(&s);
}

static void
value_example_is_what_the_document_shows(void **state)
{
    struct buf want, have;
    struct memory_sink sink;
    struct stratum_write_options o = write_options(&base_malloc);
    struct value_writer *w;
    struct value_ref ref;
    uint64_t count, size;

    (void)state;
    buf_init(&want, &base_malloc);
    buf_init(&have, &base_malloc);
    memory_sink_init(&sink, &have);
    o.database_id[0] = 1;
    o.database_id[1] = 2;
    o.object_id[0] = 3;
    o.object_id[1] = 4;
    assert_int_equal(value_writer_new(&o, &sink.base, &w, NULL), BASIN_OK);
    assert_int_equal(value_writer_add(w, text("hello, "), NULL), BASIN_OK);
    assert_int_equal(value_writer_add(w, text("basin"), NULL), BASIN_OK);
    assert_int_equal(value_writer_end(w, &ref, NULL), BASIN_OK);
    assert_int_equal(value_writer_finish(w, &count, &size, NULL), BASIN_OK);
    document_hex("docs/format/value-stratum.md", 0, &want);
    document_expect(buf_bytes(&have), buf_bytes(&want));
    assert_int_equal(ref.at, 0);
    assert_int_equal(ref.size, 12);
    assert_int_equal(ref.stored, 32);
    value_writer_free(w);
    buf_release(&have);
    buf_release(&want);
}

/* EC53: no flag value overlaps another. */
static void
every_flag_is_its_own_bit(void **state)
{
    static const unsigned leaf[] = { LEAF_WIDE, LEAF_MIXED, LEAF_ALL_EMPTY };
    static const unsigned node[] = { NODE_WIDE_AT, NODE_WIDE_COUNT, NODE_WIDE_SEQNO,
                                     NODE_DELETES, NODE_ROOT,       NODE_FILTERS };
    static const unsigned feature[] = { FEATURE_SEALED, FEATURE_HOOK,       FEATURE_FILTER,
                                        FEATURE_RANGES, FEATURE_COMPRESSED, FEATURE_PREFIXES };
    unsigned seen = 0;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(leaf); i++) {
        assert_int_equal(__builtin_popcount(leaf[i]), 1);
        assert_int_equal(seen & leaf[i], 0);
        seen |= leaf[i];
    }
    assert_int_equal(seen, LEAF_FLAGS);
    seen = 0;
    for (size_t i = 0; i < COUNT_OF(node); i++) {
        assert_int_equal(__builtin_popcount(node[i]), 1);
        assert_int_equal(seen & node[i], 0);
        seen |= node[i];
    }
    assert_int_equal(seen, NODE_FLAGS);
    seen = 0;
    for (size_t i = 0; i < COUNT_OF(feature); i++) {
        assert_int_equal(__builtin_popcount(feature[i]), 1);
        assert_int_equal(seen & feature[i], 0);
        seen |= feature[i];
    }
    assert_int_equal(seen, FEATURE_ALL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stratum_example_is_what_the_document_shows),
        cmocka_unit_test(value_example_is_what_the_document_shows),
        cmocka_unit_test(every_flag_is_its_own_bit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
