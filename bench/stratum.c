// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * One stratum in memory, timed: write, scan, get, seek. For work on src/stratum; the engine's own
 * benchmark is the rest of this folder. Built by hand, from the top folder:
 *
 *     cc -O2 -std=c17 -D_GNU_SOURCE -Isrc -Iinclude bench/stratum.c src/base/[a-z]*.c \
 *        src/codec/[a-z]*.c src/stratum/[a-z]*.c -o build/stratum_time \
 *        -lzstd -llz4 -lxxhash -lsodium
 *     build/stratum_time [PAIRS [VALUE_BYTES [map|cache [CODEC]]]]
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "stratum/stratum.h"

enum { KEY = 16 };

struct run {
    size_t count;
    size_t value_size;
    bool no_map;
    enum codec_id codec;
    uint8_t (*keys)[KEY];
    uint64_t chance;
    struct buf bytes;
    struct stratum_cache *cache;
    struct stratum *s;
    struct stratum_cursor *c;
    basin_error err;
};

static void
ok(const struct run *r, basin_status st)
{
    if (st == BASIN_OK)
        return;
    fprintf(stderr, "%s: %s\n", basin_status_name(st), r->err.what);
    exit(1);
}

static double
now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void
say(const char *what, double from, size_t count)
{
    printf("%-12s %8.1f ns\n", what, (now() - from) / (double)count * 1e9);
}

static uint64_t
chance(struct run *r)
{
    uint64_t z = r->chance += 0x9E3779B97F4A7C15u;

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static struct bytes
some_key(struct run *r)
{
    return bytes_of(r->keys[chance(r) % r->count], KEY);
}

static int
order(const void *a, const void *b)
{
    return memcmp(a, b, KEY);
}

static void
make_keys(struct run *r)
{
    char text[KEY + 1];

    r->keys = malloc(r->count * KEY);
    must(r->keys);
    for (size_t i = 0; i < r->count; i++) {
        snprintf(text, sizeof(text), "%016llx", (unsigned long long)chance(r));
        memcpy(r->keys[i], text, KEY);
    }
    qsort(r->keys, r->count, KEY, order);
}

static void
write_all(struct run *r)
{
    struct stratum_write_options o = { .mem = &base_malloc, .page_size = 4096, .filter_bits = 10 };
    uint8_t *value = malloc(r->value_size + 1);
    struct stratum_writer *w;
    struct stratum_summary sum;
    struct memory_sink sink;
    double t;

    must(value);
    for (size_t i = 0; i < r->value_size; i++)
        value[i] = (uint8_t)chance(r);
    buf_init(&r->bytes, &base_malloc);
    ok(r, buf_reserve(&r->bytes, r->count * (r->value_size + 40) + 100000));
    memset(r->bytes.data, 0, r->bytes.capacity); /* no page faults in what is timed */
    memory_sink_init(&sink, &r->bytes);
    o.codec = r->codec;
    o.codec_level = 3;
    ok(r, stratum_writer_new(&o, &sink.base, &w, &r->err));
    t = now();
    for (size_t i = 0; i < r->count; i++) {
        struct entry e = { bytes_of(r->keys[i], KEY), bytes_of(value, r->value_size), 1 + i % 7,
                           ENTRY_PUT };
        ok(r, stratum_writer_add(w, &e, &r->err));
    }
    ok(r, stratum_writer_finish(w, &sum, &r->err));
    say("write", t, r->count);
    printf("%-12s %8.1f bytes a pair, %.2f beside key and value\n", "size",
           (double)sum.size / (double)r->count,
           (double)sum.size / (double)r->count - (double)(KEY + r->value_size));
    stratum_writer_free(w);
    free(value);
}

static void
scan(struct run *r, const char *what, bool forward)
{
    double t = now();
    size_t n = 0;

    ok(r, forward ? stratum_cursor_first(r->c, &r->err) : stratum_cursor_last(r->c, &r->err));
    for (; stratum_cursor_valid(r->c); n++)
        ok(r, forward ? stratum_cursor_next(r->c, &r->err) : stratum_cursor_prev(r->c, &r->err));
    must(n == r->count);
    say(what, t, n);
}

static void
look_up(struct run *r)
{
    size_t n = 1000000, found = 0;
    struct stratum_hit hit;
    double t = now();

    for (size_t i = 0; i < n; i++) {
        ok(r, stratum_get(r->s, some_key(r), UINT64_MAX, &hit, &r->err));
        stratum_unpin(r->s, &hit);
    }
    say("get", t, n);
    t = now();
    for (size_t i = 0; i < n; i++) {
        uint8_t key[KEY];
        memcpy(key, some_key(r).data, KEY);
        key[KEY - 1] = 'z';
        found += stratum_get(r->s, bytes_of(key, KEY), UINT64_MAX, &hit, &r->err) == BASIN_OK;
    }
    must(found == 0);
    say("get, absent", t, n);
}

static void
seek(struct run *r)
{
    size_t n = 500000;
    double t = now();

    for (size_t i = 0; i < n; i++)
        ok(r, stratum_cursor_seek_ge(r->c, some_key(r), UINT64_MAX, &r->err));
    say("seek GE", t, n);
    t = now();
    for (size_t i = 0; i < n; i++)
        ok(r, stratum_cursor_seek_le(r->c, some_key(r), &r->err));
    say("seek LE", t, n);
    t = now();
    ok(r, stratum_cursor_first(r->c, &r->err));
    for (size_t i = 0; i < r->count; i += 4)
        ok(r, stratum_cursor_seek_ge(r->c, bytes_of(r->keys[i], KEY), UINT64_MAX, &r->err));
    say("seek, +4", t, r->count / 4);
}

int
main(int argc, char **argv)
{
    struct run r = { .count = argc > 1 ? strtoul(argv[1], NULL, 0) : 2000000,
                     .value_size = argc > 2 ? strtoul(argv[2], NULL, 0) : 100,
                     .no_map = argc > 3 && strcmp(argv[3], "cache") == 0,
                     .codec = argc > 4 ? (enum codec_id)strtoul(argv[4], NULL, 0) : CODEC_NONE,
                     .chance = 42 };
    struct stratum_read_options o = { .mem = &base_malloc };
    struct memory_source source;
    double t;

    make_keys(&r);
    write_all(&r);
    memory_source_init(&source, buf_bytes(&r.bytes), "bench");
    ok(&r, stratum_cache_new(&base_malloc, r.count * (r.value_size + 100), &r.cache, &r.err));
    o.cache = r.cache;
    o.no_map = r.no_map;
    t = now();
    ok(&r, stratum_open(&source.base, &o, &r.s, &r.err));
    say("open", t, 1);
    ok(&r, stratum_cursor_open(r.s, &r.c, &r.err));
    scan(&r, "scan, first", true);
    scan(&r, "scan", true);
    scan(&r, "backwards", false);
    look_up(&r);
    seek(&r);
    t = now();
    ok(&r, stratum_verify(r.s, NULL, NULL, &r.err));
    say("verify", t, r.count);
    stratum_cursor_close(r.c);
    stratum_close(r.s);
    stratum_cache_free(r.cache);
    buf_release(&r.bytes);
    free(r.keys);
    return 0;
}
