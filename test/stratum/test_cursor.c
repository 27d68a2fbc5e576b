// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The acceptance cases of cursors that one stratum can show, each run on small and usual pages,
 * mapped and through a cache.
 */
#include "stratum/shelf.h"

/* One way to store and read: every case runs on all of them. */
struct form {
    size_t page_size;
    bool mapped;
    enum codec_id codec;
};

static const struct form forms[] = {
    { 256, true, CODEC_NONE },   { 256, false, CODEC_LZ4 },   { 4096, true, CODEC_NONE },
    { 4096, false, CODEC_NONE }, { 16384, true, CODEC_ZSTD },
};

static struct stratum_cache *cache;

static void
start(struct shelf *s, const struct form *f)
{
    shelf_init(s);
    s->to.page_size = f->page_size;
    s->to.codec = f->codec;
    s->to.codec_level = 1;
    s->from.cache = cache;
    shelf_write(s);
}

static void
numbers(struct shelf *s, const struct form *f, const char *format, unsigned first, unsigned count,
        unsigned step)
{
    char key[32];

    start(s, f);
    for (unsigned i = 0; i < count; i++) {
        snprintf(key, sizeof(key), format, first + i * step);
        shelf_put(s, key, "v");
    }
    shelf_open(s, f->mapped);
}

static void
strings(struct shelf *s, const struct form *f, const char *const *keys, size_t count)
{
    start(s, f);
    for (size_t i = 0; i < count; i++)
        shelf_put(s, keys[i], "v");
    shelf_open(s, f->mapped);
}

static void
ge(struct shelf *s, const char *key)
{
    must_be_ok(s, stratum_cursor_seek_ge(s->cursor, text(key), UINT64_MAX, &s->err));
}

static void
le(struct shelf *s, const char *key)
{
    must_be_ok(s, stratum_cursor_seek_le(s->cursor, text(key), &s->err));
}

static void
next(struct shelf *s)
{
    must_be_ok(s, stratum_cursor_next(s->cursor, &s->err));
}

static void
prev(struct shelf *s)
{
    must_be_ok(s, stratum_cursor_prev(s->cursor, &s->err));
}

static void
first(struct shelf *s)
{
    must_be_ok(s, stratum_cursor_first(s->cursor, &s->err));
}

static void
last(struct shelf *s)
{
    must_be_ok(s, stratum_cursor_last(s->cursor, &s->err));
}

static bool
valid(const struct shelf *s)
{
    return stratum_cursor_valid(s->cursor);
}

static void
at(const struct shelf *s, const char *key)
{
    assert_true(valid(s));
    if (!bytes_equal(stratum_cursor_entry(s->cursor)->key, text(key)))
        print_error("at %.*s, not %s\n", (int)stratum_cursor_entry(s->cursor)->key.size,
                    (const char *)stratum_cursor_entry(s->cursor)->key.data, key);
    assert_true(bytes_equal(stratum_cursor_entry(s->cursor)->key, text(key)));
}

/* EQ is a GE that must land on the key. */
static bool
eq(struct shelf *s, const char *key)
{
    struct stratum_hit hit;
    bool found;

    ge(s, key);
    found = valid(s) && stratum_cursor_compare(s->cursor, text(key)) == 0;
    assert_int_equal(stratum_get(s->stratum, text(key), UINT64_MAX, &hit, &s->err),
                     found ? BASIN_OK : BASIN_NOT_FOUND);
    stratum_unpin(s->stratum, &hit);
    return found;
}

#define EACH_FORM(f) for (const struct form *f = forms; f < forms + COUNT_OF(forms); f++)

static void
ec1_without_entries_everything_is_invalid(void **state)
{
    (void)state;
    EACH_FORM(f)
    {
        struct range_tombstone t = { text("a"), text("b"), false, 3 };
        struct stratum_hit hit;
        struct shelf s;
        uint64_t before = 7;
        start(&s, f);
        must_be_ok(&s, stratum_writer_add_range(s.writer, &t, &s.err));
        shelf_open(&s, f->mapped);
        first(&s);
        assert_false(valid(&s));
        last(&s);
        assert_false(valid(&s));
        ge(&s, "a");
        assert_false(valid(&s));
        le(&s, "a");
        assert_false(valid(&s));
        next(&s);
        assert_false(valid(&s));
        prev(&s);
        assert_false(valid(&s));
        assert_int_equal(stratum_get(s.stratum, text("a"), 9, &hit, &s.err), BASIN_NOT_FOUND);
        must_be_ok(&s, stratum_rank(s.stratum, text("b"), &before, &s.err));
        assert_int_equal(before, 0);
        must_be_ok(&s, stratum_verify(s.stratum, NULL, NULL, &s.err));
        shelf_release(&s);
    }
}

static void
ec2_ec3_hundred_numbers(void **state)
{
    (void)state;
    EACH_FORM(f)
    {
        struct shelf s;
        numbers(&s, f, "%08u", 0, 101, 1);
        first(&s);
        at(&s, "00000000");
        prev(&s);
        assert_false(valid(&s));
        prev(&s);
        assert_false(valid(&s));
        last(&s);
        next(&s);
        assert_false(valid(&s));
        next(&s);
        assert_false(valid(&s));
        assert_true(eq(&s, "00000042"));
        at(&s, "00000042");
        assert_false(eq(&s, "00000105"));
        ge(&s, "00000105");
        assert_false(valid(&s));
        le(&s, "00000105");
        at(&s, "00000100");
        shelf_release(&s);
    }
}

static void
ec4_order_is_by_bytes(void **state)
{
    static const char *const keys[] = { "10", "20", "8" };

    (void)state;
    EACH_FORM(f)
    {
        struct shelf s;
        strings(&s, f, keys, 3);
        first(&s);
        at(&s, "10");
        next(&s);
        at(&s, "20");
        next(&s);
        at(&s, "8");
        prev(&s);
        at(&s, "20");
        prev(&s);
        at(&s, "10");
        shelf_release(&s);
    }
}

/* EC5 on one stratum: the path of the case over 1000 keys returns to where it must. */
static void
ec5_zigzag(void **state)
{
    (void)state;
    EACH_FORM(f)
    {
        struct shelf s;
        char key[16];
        numbers(&s, f, "%05u", 0, 1000, 1);
        first(&s);
        for (int i = 0; i < 100; i++)
            next(&s);
        for (int i = 0; i < 50; i++)
            prev(&s);
        at(&s, "00050");
        for (int i = 0; i < 100; i++) {
            next(&s);
            next(&s);
            prev(&s);
        }
        at(&s, "00150");
        snprintf(key, sizeof(key), "%.5s", (const char *)stratum_cursor_entry(s.cursor)->key.data);
        assert_true(eq(&s, key));
        for (int i = 0; i < 50; i++)
            next(&s);
        for (int i = 0; i < 50; i++)
            prev(&s);
        le(&s, key);
        for (int i = 0; i < 50; i++)
            prev(&s);
        at(&s, "00100");
        /* seek to the cursor's own key */
        must_be_ok(&s, stratum_cursor_seek_ge(s.cursor, stratum_cursor_entry(s.cursor)->key,
                                              UINT64_MAX, &s.err));
        at(&s, "00100");
        must_be_ok(&s,
                   stratum_cursor_seek_le(s.cursor, stratum_cursor_entry(s.cursor)->key, &s.err));
        at(&s, "00100");
        shelf_release(&s);
    }
}

static void
ec6_ec7_between_letters(void **state)
{
    static const char *const keys[] = { "c", "e", "g" };
    static const char *const letters[] = { "a", "c", "e", "g", "i", "k", "m",
                                           "o", "q", "s", "u", "w", "y" };

    (void)state;
    EACH_FORM(f)
    {
        struct shelf s;
        strings(&s, f, keys, 3);
        le(&s, "a");
        assert_false(valid(&s));
        le(&s, "d");
        at(&s, "c");
        ge(&s, "f");
        at(&s, "g");
        ge(&s, "h");
        assert_false(valid(&s));
        shelf_release(&s);
        strings(&s, f, letters, 13);
        assert_false(eq(&s, "n"));
        le(&s, "n");
        at(&s, "m");
        ge(&s, "n");
        at(&s, "o");
        shelf_release(&s);
    }
}

static void
ec8_even_numbers(void **state)
{
    (void)state;
    EACH_FORM(f)
    {
        struct shelf s;
        numbers(&s, f, "%08u", 0, 10000, 2);
        assert_true(eq(&s, "00008088"));
        assert_false(eq(&s, "00008087"));
        le(&s, "00008087");
        at(&s, "00008086");
        ge(&s, "00008087");
        at(&s, "00008088");
        shelf_release(&s);
    }
}

/* EC10, EC11, EC15 raw: tombstones are entries, with neighbours on both sides. */
static void
ec10_ec15_tombstones_are_seen_raw(void **state)
{
    (void)state;
    EACH_FORM(f)
    {
        struct shelf s;
        char key[16];
        start(&s, f);
        for (unsigned i = 0; i < 100; i++) {
            snprintf(key, sizeof(key), "%02u", i);
            if (i == 73)
                shelf_add(&s, text(key), BYTES_NULL, 2, ENTRY_DELETE);
            shelf_add(&s, text(key), text("x"), 1, ENTRY_PUT);
        }
        shelf_open(&s, f->mapped);
        assert_int_equal(s.summary.deletes, 1);
        assert_int_equal(s.summary.entries, 101);
        assert_true(eq(&s, "42"));
        next(&s);
        at(&s, "43");
        ge(&s, "73");
        at(&s, "73");
        assert_int_equal(stratum_cursor_entry(s.cursor)->kind, ENTRY_DELETE);
        next(&s);
        at(&s, "73");
        assert_int_equal(stratum_cursor_entry(s.cursor)->kind, ENTRY_PUT);
        next(&s);
        at(&s, "74");
        le(&s, "73");
        assert_int_equal(stratum_cursor_entry(s.cursor)->seqno, 1);
        must_be_ok(&s, stratum_cursor_seek_ge(s.cursor, text("73"), 1, &s.err));
        assert_int_equal(stratum_cursor_entry(s.cursor)->kind, ENTRY_PUT);
        must_be_ok(&s, stratum_cursor_seek_ge(s.cursor, text("73"), 0, &s.err));
        at(&s, "74");
        shelf_release(&s);
    }
}

static void
ec13_empty_values(void **state)
{
    (void)state;
    EACH_FORM(f)
    {
        struct shelf s;
        char key[16];
        size_t n = 0;
        start(&s, f);
        shelf_add(&s, text("_"), BYTES_NULL, 1, ENTRY_PUT);
        for (unsigned i = 0; i < 10000; i++) {
            snprintf(key, sizeof(key), "a%07u", i);
            shelf_add(&s, text(key), BYTES_NULL, 1, ENTRY_PUT);
        }
        shelf_open(&s, f->mapped);
        for (first(&s); valid(&s); next(&s), n++) {
            assert_int_equal(stratum_cursor_entry(s.cursor)->kind, ENTRY_PUT);
            assert_int_equal(stratum_cursor_entry(s.cursor)->value.size, 0);
        }
        assert_int_equal(n, 10001);
        assert_true(eq(&s, "_"));
        /* dense: 8 bytes of key share nearly all, the filter takes 1.25 bytes a key */
        assert_true(s.bytes.size < 10000 * 6);
        shelf_release(&s);
    }
}

static void
ec14_only_tombstones_and_the_empty_key(void **state)
{
    (void)state;
    EACH_FORM(f)
    {
        struct shelf s;
        start(&s, f);
        shelf_add(&s, BYTES_NULL, BYTES_NULL, 3, ENTRY_DELETE);
        shelf_add(&s, text("x"), BYTES_NULL, 3, ENTRY_DELETE);
        shelf_add(&s, text("y"), BYTES_NULL, 3, ENTRY_DELETE);
        shelf_open(&s, f->mapped);
        assert_int_equal(s.summary.entries, 3);
        assert_int_equal(s.summary.deletes, 3);
        assert_true(eq(&s, ""));
        at(&s, "");
        le(&s, "");
        at(&s, "");
        prev(&s);
        assert_false(valid(&s));
        le(&s, "a");
        at(&s, "");
        ge(&s, "a");
        at(&s, "x");
        shelf_release(&s);
    }
}

static void
ec16_long_common_prefix_is_stored_once(void **state)
{
    (void)state;
    EACH_FORM(f)
    {
        struct shelf s;
        char key[128];
        start(&s, f);
        memset(key, 'p', 100);
        for (unsigned i = 0; i < 10000; i++) {
            snprintf(key + 100, 28, "%06u", i);
            shelf_put(&s, key, "");
        }
        shelf_open(&s, f->mapped);
        assert_true(s.bytes.size < 10000 * 106);
        first(&s);
        for (unsigned i = 0; i < 10000; i++) {
            snprintf(key + 100, 28, "%06u", i);
            at(&s, key);
            next(&s);
        }
        snprintf(key + 100, 28, "%06u", 7777);
        assert_true(eq(&s, key));
        key[105] = 'x';
        le(&s, key);
        key[105] = '9';
        at(&s, key);
        shelf_release(&s);
    }
}

static void
ec17_prefixes_of_ff(void **state)
{
    (void)state;
    EACH_FORM(f)
    {
        struct shelf s;
        start(&s, f);
        shelf_put(&s, "a\xFF", "1");
        shelf_put(&s, "a\xFF\xFF", "2");
        shelf_put(&s, "b", "3");
        shelf_open(&s, f->mapped);
        ge(&s, "a\xFF");
        at(&s, "a\xFF");
        next(&s);
        at(&s, "a\xFF\xFF");
        next(&s);
        at(&s, "b");
        ge(&s, "\xFF\xFF");
        assert_false(valid(&s));
        le(&s, "\xFF\xFF");
        at(&s, "b");
        ge(&s, "");
        at(&s, "a\xFF");
        shelf_release(&s);
    }
}

static void
ec18_bounds(void **state)
{
    (void)state;
    EACH_FORM(f)
    {
        struct shelf s;
        numbers(&s, f, "%u", 1, 9, 1);
        /* GT 3 and LT 6: the entry behind 3, up to the one before 6 */
        ge(&s, "3");
        at(&s, "3");
        next(&s);
        at(&s, "4");
        assert_true(stratum_cursor_compare(s.cursor, text("6")) < 0);
        next(&s);
        assert_true(stratum_cursor_compare(s.cursor, text("6")) < 0);
        next(&s);
        assert_int_equal(stratum_cursor_compare(s.cursor, text("6")), 0);
        next(&s);
        assert_true(stratum_cursor_compare(s.cursor, text("6")) > 0);
        shelf_release(&s);
    }
}

static void
ec20_next_prev_next_everywhere(void **state)
{
    (void)state;
    EACH_FORM(f)
    {
        struct shelf s;
        char key[16], here[16];
        start(&s, f);
        for (unsigned i = 0; i < 700; i++) {
            snprintf(key, sizeof(key), "%04u", i);
            if (i % 3)
                shelf_add(&s, text(key), BYTES_NULL, 1, ENTRY_DELETE);
            else
                shelf_put(&s, key, i % 2 ? "value" : "");
        }
        shelf_open(&s, f->mapped);
        first(&s);
        for (unsigned i = 0; i + 1 < 700; i++) {
            snprintf(here, sizeof(here), "%04u", i);
            snprintf(key, sizeof(key), "%04u", i + 1);
            at(&s, here);
            next(&s);
            at(&s, key);
            prev(&s);
            at(&s, here);
            next(&s);
        }
        shelf_release(&s);
    }
}

/* EC26: keys of a repeated letter up to thousands of bytes, sharing more than 255 bytes. */
static void
ec26_long_keys(void **state)
{
    char *key = malloc(70000);

    (void)state;
    assert_non_null(key);
    EACH_FORM(f)
    {
        struct shelf s;
        size_t n = 0;
        start(&s, f);
        memset(key, 's', 70000);
        for (size_t i = 1; i <= 3000; i += 37)
            shelf_add(&s, bytes_of(key, i), bytes_of(key, i % 100), 1, ENTRY_PUT);
        shelf_add(&s, bytes_of(key, STRATUM_KEY_MAX - 1), BYTES_NULL, 1, ENTRY_PUT);
        shelf_add(&s, bytes_of(key, STRATUM_KEY_MAX), BYTES_NULL, 1, ENTRY_PUT);
        shelf_open(&s, f->mapped);
        for (first(&s); valid(&s); next(&s))
            n++;
        assert_int_equal(n, s.summary.entries);
        for (size_t i = 1; i <= 3000; i += 37) {
            must_be_ok(&s, stratum_cursor_seek_le(s.cursor, bytes_of(key, i + 5), &s.err));
            assert_int_equal(stratum_cursor_entry(s.cursor)->key.size, i);
            assert_int_equal(stratum_cursor_entry(s.cursor)->value.size, i % 100);
        }
        last(&s);
        assert_int_equal(stratum_cursor_entry(s.cursor)->key.size, STRATUM_KEY_MAX);
        must_be_ok(&s, stratum_verify(s.stratum, NULL, NULL, &s.err));
        shelf_release(&s);
    }
    free(key);
}

/* EC27: every value length from 0 to 3 pages, and around a page that one entry fills. */
static void
ec27_every_value_length(void **state)
{
    static const size_t pages[] = { 256, 512, 4096 };
    uint8_t *value = malloc(3 * 4096 + 8);

    (void)state;
    assert_non_null(value);
    for (size_t i = 0; i < 3 * 4096 + 8; i++)
        value[i] = (uint8_t)(i * 7 + i / 251);
    for (size_t k = 0; k < COUNT_OF(pages); k++) {
        size_t step = pages[k] == 4096 ? 5 : 1, n = 0;
        struct shelf s;
        char key[16];
        shelf_init(&s);
        s.to.page_size = pages[k];
        shelf_write(&s);
        for (size_t i = 0; i <= 3 * pages[k]; i += step) {
            snprintf(key, sizeof(key), "%06zu", i);
            shelf_add(&s, text(key), bytes_of(value, i), 1, ENTRY_PUT);
        }
        shelf_open(&s, k != 1);
        for (first(&s); valid(&s); next(&s), n += step) {
            const struct entry *e = stratum_cursor_entry(s.cursor);
            assert_int_equal(e->value.size, n);
            assert_memory_equal(e->value.data, value, n);
        }
        shelf_release(&s);
    }
    free(value);
}

static int
setup(void **state)
{
    (void)state;
    return stratum_cache_new(&base_malloc, 64 * KIB, &cache, NULL) != BASIN_OK;
}

static int
teardown(void **state)
{
    (void)state;
    stratum_cache_free(cache);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ec1_without_entries_everything_is_invalid),
        cmocka_unit_test(ec2_ec3_hundred_numbers),
        cmocka_unit_test(ec4_order_is_by_bytes),
        cmocka_unit_test(ec5_zigzag),
        cmocka_unit_test(ec6_ec7_between_letters),
        cmocka_unit_test(ec8_even_numbers),
        cmocka_unit_test(ec10_ec15_tombstones_are_seen_raw),
        cmocka_unit_test(ec13_empty_values),
        cmocka_unit_test(ec14_only_tombstones_and_the_empty_key),
        cmocka_unit_test(ec16_long_common_prefix_is_stored_once),
        cmocka_unit_test(ec17_prefixes_of_ff),
        cmocka_unit_test(ec18_bounds),
        cmocka_unit_test(ec20_next_prev_next_everywhere),
        cmocka_unit_test(ec26_long_keys),
        cmocka_unit_test(ec27_every_value_length),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
