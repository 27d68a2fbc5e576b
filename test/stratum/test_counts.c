// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * What a lookup costs, by counts: comparisons, ranged reads, pages, filter bytes. And what the
 * fences say: separators, ranks, changes.
 */
#include "stratum/shelf.h"

static uint64_t
loaded(const _Atomic uint64_t *counter)
{
    return atomic_load(counter);
}

/* Reopens the shelf's bytes from a source that cannot be mapped, with a cold cache. */
static void
reopen_cold(struct shelf *s, struct stratum_cache *cache)
{
    stratum_cursor_close(s->cursor);
    stratum_close(s->stratum);
    s->cursor = NULL;
    s->stratum = NULL;
    memset(&s->counters, 0, sizeof(s->counters));
    s->from.cache = cache;
    counted_init(&s->source, buf_bytes(&s->bytes), false);
    must_be_ok(s, stratum_open(&s->source.base, &s->from, &s->stratum, &s->err));
    must_be_ok(s, stratum_cursor_open(s->stratum, &s->cursor, &s->err));
}

static void
fill(struct shelf *s, unsigned count, const char *value)
{
    char key[24];

    shelf_init(s);
    shelf_write(s);
    for (unsigned i = 0; i < count; i++) {
        snprintf(key, sizeof(key), "user%010u", i);
        shelf_put(s, key, value);
    }
    shelf_open(s, true);
}

static void
ec49_filter_finds_all_and_rejects_absent(void **state)
{
    struct shelf with, without;
    char key[24];
    size_t passed = 0;

    (void)state;
    shelf_init(&without);
    without.to.filter_bits = 0;
    shelf_write(&without);
    for (unsigned i = 0; i < 10000; i++) {
        snprintf(key, sizeof(key), "user%010u", i * 2);
        shelf_put(&without, key, "v");
    }
    shelf_open(&without, true);
    shelf_init(&with);
    shelf_write(&with);
    for (unsigned i = 0; i < 10000; i++) {
        snprintf(key, sizeof(key), "user%010u", i * 2);
        shelf_put(&with, key, "v");
    }
    shelf_open(&with, true);
    for (unsigned i = 0; i < 20000; i++) {
        struct stratum_hit a, b;
        uint64_t rejects = loaded(&with.counters.filter_rejects);
        basin_status sta, stb;
        snprintf(key, sizeof(key), "user%010u", i);
        sta = stratum_get(with.stratum, text(key), 9, &a, &with.err);
        stb = stratum_get(without.stratum, text(key), 9, &b, &without.err);
        assert_int_equal(sta, stb);
        assert_int_equal(sta, i % 2 ? BASIN_NOT_FOUND : BASIN_OK);
        if (i % 2)
            passed += rejects == loaded(&with.counters.filter_rejects);
        stratum_unpin(with.stratum, &a);
        stratum_unpin(without.stratum, &b);
    }
    assert_true(passed < 200); /* 2 % of 10 000 */
    assert_int_equal(loaded(&without.counters.filter_checks), 0);
    shelf_release(&with);
    shelf_release(&without);
}

static void
ec56_ec59_ec74_one_lookup_in_a_million(void **state)
{
    struct stratum_cache *cache;
    struct stratum_hit hit;
    struct shelf s;
    size_t reads_max = 0;
    uint64_t compares_max = 0, filter_max = 0;

    (void)state;
    fill(&s, 1000000, "0123456789");
    for (unsigned i = 0; i < 200; i++) {
        char key[24];
        uint64_t compares;
        must_be_ok(&s, stratum_cache_new(&base_malloc, 1 << 20, &cache, &s.err));
        reopen_cold(&s, cache);
        snprintf(key, sizeof(key), "user%010u", i * 4987 + i % 7);
        compares = loaded(&s.counters.key_compares);
        must_be_ok(&s, stratum_get(s.stratum, text(key), 9, &hit, &s.err));
        compares_max = MAX_OF(compares_max, loaded(&s.counters.key_compares) - compares);
        reads_max = MAX_OF(reads_max, s.source.reads);
        filter_max = MAX_OF(filter_max, loaded(&s.counters.filter_bytes));
        assert_int_equal(loaded(&s.counters.pages_read), 3); /* filter, index, leaf */
        stratum_unpin(s.stratum, &hit);
        compares = loaded(&s.counters.key_compares);
        must_be_ok(&s, stratum_cursor_seek_ge(s.cursor, text(key), 9, &s.err));
        must_be_ok(&s, stratum_cursor_seek_le(s.cursor, text(key), &s.err));
        assert_true(loaded(&s.counters.key_compares) - compares <= 120);
        stratum_cursor_close(s.cursor);
        stratum_close(s.stratum);
        s.cursor = NULL;
        s.stratum = NULL;
        stratum_cache_free(cache);
    }
    assert_true(reads_max <= 4); /* the tail at open included */
    assert_true(compares_max <= 60);
    assert_true(filter_max > 0 && filter_max < 100000); /* all filters: 1.25 MB */
    shelf_release(&s);
}

/* Reads at open do not grow with the stratum. */
static void
ec58_open_reads_the_tail_only(void **state)
{
    static const unsigned counts[] = { 10, 1000, 100000, 600000 };
    size_t reads[COUNT_OF(counts)];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        struct shelf s;
        fill(&s, counts[i], "0123456789");
        reopen_cold(&s, NULL);
        reads[i] = s.source.reads;
        assert_int_equal(loaded(&s.counters.pages_read), 0);
        assert_true(s.source.bytes <= 512 * KIB);
        shelf_release(&s);
    }
    for (size_t i = 0; i < COUNT_OF(counts); i++)
        assert_true(reads[i] <= 2);
    assert_int_equal(reads[0], 1);
}

/* EC75, E71: LE costs as many pages as GE. */
static void
ec75_le_costs_what_ge_costs(void **state)
{
    struct chance c = chance_of(75);
    struct stratum_cache *cache;
    struct shelf s;
    uint64_t ge, le;
    char key[24];

    (void)state;
    fill(&s, 200000, "0123456789");
    must_be_ok(&s, stratum_cache_new(&base_malloc, 1, &cache, &s.err)); /* keeps nothing */
    reopen_cold(&s, cache);
    for (int i = 0; i < 2000; i++) {
        snprintf(key, sizeof(key), "user%010u", (unsigned)chance_below(&c, 200000));
        must_be_ok(&s, stratum_cursor_seek_ge(s.cursor, text(key), UINT64_MAX, &s.err));
    }
    ge = loaded(&s.counters.pages_read);
    reopen_cold(&s, cache);
    c = chance_of(75);
    for (int i = 0; i < 2000; i++) {
        snprintf(key, sizeof(key), "user%010u", (unsigned)chance_below(&c, 200000));
        must_be_ok(&s, stratum_cursor_seek_le(s.cursor, text(key), &s.err));
    }
    le = loaded(&s.counters.pages_read);
    assert_int_equal(ge, le);
    shelf_release(&s);
    stratum_cache_free(cache);
}

/* Galloping: seeks in order touch each page once. */
static void
seeks_in_order_read_each_page_once(void **state)
{
    struct stratum_cache *cache;
    struct shelf s;
    char key[24];

    (void)state;
    fill(&s, 100000, "0123456789");
    must_be_ok(&s, stratum_cache_new(&base_malloc, 1, &cache, &s.err));
    reopen_cold(&s, cache);
    for (unsigned i = 0; i < 100000; i += 3) {
        snprintf(key, sizeof(key), "user%010u", i);
        must_be_ok(&s, stratum_cursor_seek_ge(s.cursor, text(key), UINT64_MAX, &s.err));
        assert_int_equal(stratum_cursor_compare(s.cursor, text(key)), 0);
    }
    assert_true(loaded(&s.counters.pages_read) <= s.summary.pages + s.summary.pages / 50 + 8);
    shelf_release(&s);
    stratum_cache_free(cache);
}

/* ------------------------------------------------------------------ fences */

struct fences {
    struct stratum *s;
    uint64_t pages;
    uint64_t entries;
    uint64_t deletes;
    uint64_t at;
    size_t longest;
    struct buf last;
};

static basin_status
check_fence(void *ctx, const struct stratum_fence *f)
{
    struct fences *all = ctx;
    uint64_t before;

    assert_int_equal(stratum_rank(all->s, f->separator, &before, NULL), BASIN_OK);
    assert_int_equal(before, f->entries_before);
    assert_true(f->at >= all->at);
    assert_true(all->pages == 0 || bytes_compare(buf_bytes(&all->last), f->separator) < 0);
    assert_int_equal(buf_set(&all->last, f->separator.data, f->separator.size), BASIN_OK);
    all->at = f->at + f->stored_size;
    all->longest = MAX_OF(all->longest, f->separator.size);
    all->deletes = f->deletes_before;
    all->pages++;
    return BASIN_OK;
}

static void
ec52_separators_are_short(void **state)
{
    struct fences all = { 0 };
    struct shelf s;
    struct stratum_hit hit;
    uint8_t value[200] = { 0 };
    char key[64];

    (void)state;
    shelf_init(&s);
    s.to.page_size = 256;
    shelf_write(&s);
    /* one entry a page: "…def…" then "…d…": the separator ends where they differ */
    shelf_add(&s, text("abcdef"), bytes_of(value, 200), 1, ENTRY_PUT);
    shelf_add(&s, text("abdxxxxxxxxxxxx"), bytes_of(value, 200), 1, ENTRY_PUT);
    for (unsigned i = 0; i < 300; i++) {
        snprintf(key, sizeof(key), "b%05uyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy", i);
        shelf_add(&s, text(key), i % 2 ? bytes_of(value, 200) : BYTES_NULL, 1,
                  i % 2 ? ENTRY_PUT : ENTRY_DELETE);
    }
    shelf_open(&s, true);
    all.s = s.stratum;
    buf_init(&all.last, &base_malloc);
    must_be_ok(&s, stratum_each_fence(s.stratum, check_fence, &all, &s.err));
    assert_int_equal(all.pages, s.summary.pages);
    assert_true(all.pages > 100);
    assert_true(all.longest <= 6);
    assert_true(all.deletes >= 148);
    must_be_ok(&s, stratum_get(s.stratum, text("abcdef"), 1, &hit, &s.err));
    stratum_unpin(s.stratum, &hit);
    must_be_ok(&s, stratum_get(s.stratum, text("abdxxxxxxxxxxxx"), 1, &hit, &s.err));
    stratum_unpin(s.stratum, &hit);
    must_be_ok(&s, stratum_cursor_seek_ge(s.cursor, text("abd"), 1, &s.err));
    assert_int_equal(stratum_cursor_compare(s.cursor, text("abdxxxxxxxxxxxx")), 0);
    must_be_ok(&s, stratum_cursor_seek_le(s.cursor, text("abd"), &s.err));
    assert_int_equal(stratum_cursor_compare(s.cursor, text("abcdef")), 0);
    buf_release(&all.last);
    shelf_release(&s);
}

/* EC55: separators from 1 to 65 535 bytes on pages of 256. */
static void
ec55_separators_of_every_length(void **state)
{
    uint8_t *key = malloc(STRATUM_KEY_MAX);
    struct shelf s;
    struct stratum_hit hit;

    (void)state;
    assert_non_null(key);
    memset(key, 'k', STRATUM_KEY_MAX);
    shelf_init(&s);
    s.to.page_size = 256;
    shelf_write(&s);
    for (size_t n = 1; n <= STRATUM_KEY_MAX; n += n < 300 ? 1 : 1 + n / 8)
        shelf_add(&s, bytes_of(key, n), text("v"), 1, ENTRY_PUT);
    shelf_add(&s, bytes_of(key, STRATUM_KEY_MAX), text("last"), 1, ENTRY_PUT);
    shelf_open(&s, false);
    for (size_t n = 1; n <= STRATUM_KEY_MAX; n += n < 300 ? 1 : 1 + n / 8) {
        must_be_ok(&s, stratum_get(s.stratum, bytes_of(key, n), 1, &hit, &s.err));
        assert_true(bytes_equal(hit.entry.value, text("v")));
        stratum_unpin(s.stratum, &hit);
        must_be_ok(&s, stratum_cursor_seek_le(s.cursor, bytes_of(key, n), &s.err));
        assert_int_equal(stratum_cursor_entry(s.cursor)->key.size, n);
    }
    must_be_ok(&s, stratum_verify(s.stratum, NULL, NULL, &s.err));
    shelf_release(&s);
    free(key);
}

static bool
changed(struct shelf *s, const char *begin, const char *end, uint64_t since)
{
    bool yes = false;

    must_be_ok(s, stratum_changed_since(s->stratum, text(begin), end ? text(end) : BYTES_NULL, !end,
                                        since, &yes, &s->err));
    return yes;
}

static void
changes_are_found_by_fences(void **state)
{
    struct range_tombstone t = { text("k90000"), text("k90010"), false, 5000 };
    struct shelf s;
    char key[24];
    uint64_t pages;

    (void)state;
    shelf_init(&s);
    s.to.page_size = 512;
    shelf_write(&s);
    must_be_ok(&s, stratum_writer_add_range(s.writer, &t, &s.err));
    for (unsigned i = 0; i < 50000; i++) {
        snprintf(key, sizeof(key), "k%05u", i);
        shelf_add(&s, text(key), text("value"), i == 25000 ? 1000 : 10, ENTRY_PUT);
    }
    shelf_open(&s, false);
    pages = loaded(&s.counters.pages_read);
    assert_true(changed(&s, "", NULL, 9));
    assert_true(changed(&s, "k25000", "k25001", 999));
    assert_false(changed(&s, "k25000", "k25001", 1000));
    assert_false(changed(&s, "k00000", "k24000", 10));
    assert_false(changed(&s, "k26000", "k90000", 10));
    assert_true(changed(&s, "k24000", "k26000", 10));
    assert_true(changed(&s, "k10000", "k40000", 10)); /* in a group between the first and last */
    assert_false(changed(&s, "k10000", "k40000", 1000));
    assert_true(changed(&s, "k26000", NULL, 10)); /* the range tombstone */
    assert_true(changed(&s, "k90005", "k90006", 4999));
    assert_false(changed(&s, "k90010", NULL, 100));
    assert_false(changed(&s, "", NULL, 5000));
    assert_false(changed(&s, "k3", "k3", 0));
    assert_true(loaded(&s.counters.pages_read) - pages <= 2 * 11); /* index blocks only */
    shelf_release(&s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ec49_filter_finds_all_and_rejects_absent),
        cmocka_unit_test(ec56_ec59_ec74_one_lookup_in_a_million),
        cmocka_unit_test(ec58_open_reads_the_tail_only),
        cmocka_unit_test(ec75_le_costs_what_ge_costs),
        cmocka_unit_test(seeks_in_order_read_each_page_once),
        cmocka_unit_test(ec52_separators_are_short),
        cmocka_unit_test(ec55_separators_of_every_length),
        cmocka_unit_test(changes_are_found_by_fences),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
