// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The page cache: its budget, pins, accounting, and many threads over small budgets (run under a
 * thread sanitizer as well).
 */
#include <pthread.h>

#include "stratum/shelf.h"

enum { KEYS = 5000, THREADS = 4 };

static void
fill(struct shelf *s, struct stratum_cache *cache, enum codec_id codec, bool mapped)
{
    char key[24], value[64];

    shelf_init(s);
    s->to.page_size = 512;
    s->to.codec = codec;
    s->from.cache = cache;
    shelf_write(s);
    for (unsigned i = 0; i < KEYS; i++) {
        snprintf(key, sizeof(key), "key%07u", i);
        snprintf(value, sizeof(value), "value of %u, and then some more words", i);
        shelf_put(s, key, value);
    }
    shelf_open(s, mapped);
}

static void
get_and_check(struct stratum *s, unsigned i)
{
    char key[24], value[64];
    struct stratum_hit hit;
    basin_status st;

    snprintf(key, sizeof(key), "key%07u", i);
    snprintf(value, sizeof(value), "value of %u, and then some more words", i);
    st = stratum_get(s, text(key), 9, &hit, NULL);
    must(st == BASIN_OK);
    must(bytes_equal(hit.entry.value, text(value)));
    stratum_unpin(s, &hit);
}

static void
the_budget_is_kept(void **state)
{
    struct stratum_cache *cache;
    struct test_memory m;
    struct shelf s;

    (void)state;
    test_memory_init(&m);
    assert_int_equal(stratum_cache_new(&m.table, 40000, &cache, NULL), BASIN_OK);
    fill(&s, cache, CODEC_NONE, false);
    for (unsigned i = 0; i < KEYS; i++) {
        get_and_check(s.stratum, i * 7 % KEYS);
        assert_true(stratum_cache_used(cache) <= 40000);
        assert_true(m.live <= 40000 + 64 * KIB); /* frame segments */
    }
    assert_true(stratum_cache_used(cache) > 30000);
    assert_true(atomic_load(&s.counters.cache_misses) > 0);
    stratum_cache_resize(cache, 5000);
    assert_true(stratum_cache_used(cache) <= 5000);
    stratum_cache_resize(cache, 1 << 20);
    for (unsigned i = 0; i < KEYS; i++)
        get_and_check(s.stratum, i);
    memset(&s.counters, 0, sizeof(s.counters));
    for (unsigned i = 0; i < KEYS; i++)
        get_and_check(s.stratum, i); /* everything fits: no more misses */
    assert_int_equal(atomic_load(&s.counters.cache_misses), 0);
    /* filter and leaf; the index is in the tail */
    assert_int_equal(atomic_load(&s.counters.cache_hits), KEYS * 2);
    shelf_release(&s);
    assert_int_equal(stratum_cache_used(cache), 0);
    stratum_cache_free(cache);
    assert_int_equal(m.live, 0);
}

static void
pinned_pages_stay(void **state)
{
    struct stratum_cache *cache;
    struct stratum_hit hits[50];
    struct shelf s;
    char key[24], value[64];

    (void)state;
    assert_int_equal(stratum_cache_new(&base_malloc, 1, &cache, NULL), BASIN_OK);
    fill(&s, cache, CODEC_LZ4, true);
    for (unsigned i = 0; i < 50; i++) {
        snprintf(key, sizeof(key), "key%07u", i * 100);
        must_be_ok(&s, stratum_get(s.stratum, text(key), 9, &hits[i], &s.err));
    }
    for (unsigned i = 0; i < KEYS; i++)
        get_and_check(s.stratum, i);
    assert_true(stratum_cache_used(cache) > 50 * 500);
    for (unsigned i = 0; i < 50; i++) {
        snprintf(value, sizeof(value), "value of %u, and then some more words", i * 100);
        assert_true(bytes_equal(hits[i].entry.value, text(value)));
        stratum_unpin(s.stratum, &hits[i]);
    }
    stratum_cache_resize(cache, 0);
    shelf_release(&s);
    stratum_cache_free(cache);
}

/* A mapped, plain stratum needs no cache at all. */
static void
a_mapped_stratum_bypasses_it(void **state)
{
    struct stratum_cache *cache;
    struct shelf s;

    (void)state;
    assert_int_equal(stratum_cache_new(&base_malloc, 1 << 20, &cache, NULL), BASIN_OK);
    fill(&s, cache, CODEC_NONE, true);
    for (unsigned i = 0; i < KEYS; i++)
        get_and_check(s.stratum, i);
    assert_int_equal(stratum_cache_used(cache), 0);
    assert_int_equal(s.source.reads, 0);
    assert_true(atomic_load(&s.counters.pages_read) >= s.summary.pages);
    shelf_release(&s);
    stratum_cache_free(cache);
}

/* ------------------------------------------------------------------ threads */

struct worker {
    pthread_t thread;
    struct stratum *strata[2];
    struct stratum_cache *cache;
    uint64_t seed;
};

static void
scan_some(struct stratum *s, struct chance *c)
{
    struct stratum_cursor *cursor;
    char key[24];

    must(stratum_cursor_open(s, &cursor, NULL) == BASIN_OK);
    for (int k = 0; k < 5; k++) {
        unsigned i = (unsigned)chance_below(c, KEYS);
        snprintf(key, sizeof(key), "key%07u", i);
        must(stratum_cursor_seek_ge(cursor, text(key), 9, NULL) == BASIN_OK);
        for (unsigned n = 0; n < 100 && stratum_cursor_valid(cursor); n++, i++) {
            snprintf(key, sizeof(key), "key%07u", i);
            must(stratum_cursor_compare(cursor, text(key)) == 0);
            must(stratum_cursor_next(cursor, NULL) == BASIN_OK);
        }
    }
    stratum_cursor_close(cursor);
}

static void *
work(void *arg)
{
    struct worker *w = arg;
    struct chance c = chance_of(w->seed);

    for (size_t i = 0; i < test_scale(1500); i++) {
        get_and_check(w->strata[i % 2], (unsigned)chance_below(&c, KEYS));
        if (i % 50 == 0)
            scan_some(w->strata[i / 50 % 2], &c);
        if (i % 300 == 0)
            stratum_cache_resize(w->cache, 1 + chance_below(&c, 2) * chance_below(&c, 100000));
    }
    return NULL;
}

static void
many_threads_share_it(void **state)
{
    static const bool mapped[] = { true, false };

    (void)state;
    for (int round = 0; round < 4; round++) {
        struct worker w[THREADS];
        struct stratum_cache *cache;
        struct shelf a, b;
        assert_int_equal(stratum_cache_new(&base_malloc, 30000, &cache, NULL), BASIN_OK);
        fill(&a, cache, round % 2 ? CODEC_LZ4 : CODEC_NONE, mapped[round / 2]);
        fill(&b, cache, round % 2 ? CODEC_ZSTD : CODEC_NONE, false);
        for (int i = 0; i < THREADS; i++) {
            w[i] = (struct worker){ .strata = { a.stratum, b.stratum },
                                    .cache = cache,
                                    .seed = (uint64_t)(round * 10 + i) };
            assert_int_equal(pthread_create(&w[i].thread, NULL, work, &w[i]), 0);
        }
        for (int i = 0; i < THREADS; i++)
            assert_int_equal(pthread_join(w[i].thread, NULL), 0);
        shelf_release(&a);
        shelf_release(&b);
        assert_int_equal(stratum_cache_used(cache), 0);
        stratum_cache_free(cache);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_budget_is_kept),
        cmocka_unit_test(pinned_pages_stay),
        cmocka_unit_test(a_mapped_stratum_bypasses_it),
        cmocka_unit_test(many_threads_share_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
