// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * No database: a hash table in memory, a ceiling for gets and puts. Its order is made by a sort
 * when a scan or a flush finds new keys; the records lie scattered, so it is no ceiling for scans.
 * With `drops` it is the negative control: one put in 5000 is thrown away, and the verification
 * must notice.
 *
 * Threads: one lock for readers and writers. The sort happens under the writer's lock.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "engine.h"

enum { DROP_EVERY = 5000, CAPACITY_MIN = 1 << 12 };

/* A pair; value_size bytes follow the key. */
struct record {
    uint32_t key_size;
    uint32_t value_size;
    bool dead;
    uint8_t bytes[];
};

struct table {
    pthread_rwlock_t lock;
    struct record **slots;  /* open addressing; NULL = free */
    size_t capacity;        /* a power of two */
    size_t count;           /* used slots, dead records included */
    struct record **sorted; /* the first sorted_count slots in key order */
    size_t sorted_count;
    uint64_t puts;
    bool drops;
};

static const char *
mem_version(void)
{
    return "none";
}

static void
table_reserve(struct table *t, size_t capacity)
{
    t->capacity = capacity;
    t->slots = calloc(capacity, sizeof *t->slots);
    if (!t->slots)
        bench_fail("mem: no memory for %zu slots", capacity);
}

static void *
mem_open(const struct engine_setup *s)
{
    struct table *t = bench_alloc(sizeof *t);

    memset(t, 0, sizeof *t);
    pthread_rwlock_init(&t->lock, NULL);
    table_reserve(t, CAPACITY_MIN);
    t->drops = s->drops;
    return t;
}

static void
mem_close(void *db)
{
    struct table *t = db;

    for (size_t i = 0; i < t->capacity; i++)
        free(t->slots[i]);
    free(t->slots);
    free(t->sorted);
    pthread_rwlock_destroy(&t->lock);
    free(t);
}

static void *
mem_handle_open(void *db)
{
    return db;
}

static void
mem_handle_close(void *handle)
{
    (void)handle;
}

static uint64_t
hash_of(const void *key, size_t n)
{
    const uint8_t *p = key;
    uint64_t h = n * UINT64_C(0x9e3779b97f4a7c15), x;

    for (; n >= 8; n -= 8, p += 8) {
        memcpy(&x, p, 8);
        h = (h ^ x) * UINT64_C(0xff51afd7ed558ccd);
        h ^= h >> 32;
    }
    for (; n > 0; n--)
        h = (h ^ *p++) * UINT64_C(0xff51afd7ed558ccd);
    return h ^ (h >> 29);
}

/* The slot of a key, or the free one where it belongs. */
static struct record **
slot_of(const struct table *t, const void *key, size_t n)
{
    for (size_t at = hash_of(key, n);; at++) {
        struct record **slot = &t->slots[at & (t->capacity - 1)];

        if (!*slot || ((*slot)->key_size == n && memcmp((*slot)->bytes, key, n) == 0))
            return slot;
    }
}

static void
table_grow(struct table *t)
{
    struct record **old = t->slots;
    size_t capacity = t->capacity;

    table_reserve(t, capacity * 2);
    for (size_t i = 0; i < capacity; i++)
        if (old[i])
            *slot_of(t, old[i]->bytes, old[i]->key_size) = old[i];
    free(old);
}

static void
put_one(struct table *t, const struct pair *p)
{
    struct record **slot = slot_of(t, p->key, p->key_size), *r = *slot;

    if (!p->value) {
        if (r)
            r->dead = true;
        return;
    }
    if (r && r->value_size != p->value_size)
        bench_fail("mem: a value changed its size");
    if (!r) {
        r = bench_alloc(sizeof *r + p->key_size + p->value_size);
        r->key_size = (uint32_t)p->key_size;
        r->value_size = (uint32_t)p->value_size;
        memcpy(r->bytes, p->key, p->key_size);
        *slot = r;
        t->count++;
        t->sorted_count = 0;
    }
    memcpy(r->bytes + p->key_size, p->value, p->value_size);
    r->dead = false;
    if (t->count * 2 > t->capacity)
        table_grow(t);
}

static void
mem_put(void *handle, const struct pair *pairs, size_t count)
{
    struct table *t = handle;

    pthread_rwlock_wrlock(&t->lock);
    for (size_t i = 0; i < count; i++)
        if (!(t->drops && pairs[i].value && ++t->puts % DROP_EVERY == 0))
            put_one(t, &pairs[i]);
    pthread_rwlock_unlock(&t->lock);
}

static bool
mem_get(void *handle, const void *key, size_t key_size, void *to, size_t capacity, size_t *size)
{
    struct table *t = handle;
    const struct record *r;
    bool found;

    pthread_rwlock_rdlock(&t->lock);
    r = *slot_of(t, key, key_size);
    found = r && !r->dead;
    if (found) {
        *size = r->value_size;
        memcpy(to, r->bytes + key_size, *size < capacity ? *size : capacity);
    }
    pthread_rwlock_unlock(&t->lock);
    return found;
}

static int
compare(const void *key, size_t n, const struct record *r)
{
    size_t shorter = n < r->key_size ? n : r->key_size;
    int order = memcmp(key, r->bytes, shorter);

    return order ? order : n < r->key_size ? -1 : n > r->key_size;
}

static int
by_key(const void *a, const void *b)
{
    const struct record *x = *(struct record *const *)a;

    return compare(x->bytes, x->key_size, *(struct record *const *)b);
}

static void
mem_flush(void *db)
{
    struct table *t = db;

    pthread_rwlock_wrlock(&t->lock);
    if (t->sorted_count != t->count) {
        free(t->sorted);
        t->sorted = bench_alloc(t->count * sizeof(struct record *));
        t->sorted_count = 0;
        for (size_t i = 0; i < t->capacity; i++)
            if (t->slots[i])
                t->sorted[t->sorted_count++] = t->slots[i];
        qsort(t->sorted, t->sorted_count, sizeof(struct record *), by_key);
    }
    pthread_rwlock_unlock(&t->lock);
}

/* How many records are below the key. */
static size_t
rank_of(const struct table *t, const void *key, size_t n)
{
    size_t low = 0, high = t->sorted_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (compare(key, n, t->sorted[middle]) > 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void
mem_scan(void *handle, const struct scan_ask *ask, visit_fn *visit, void *ctx)
{
    struct table *t = handle;
    size_t seen = 0, at;

    mem_flush(t);
    pthread_rwlock_rdlock(&t->lock);
    at = ask->backward ? t->sorted_count - 1 : 0; /* wraps below 0 */
    if (ask->from)
        at = rank_of(t, ask->from, ask->from_size);
    for (; at < t->sorted_count && seen < ask->limit; at += ask->backward ? SIZE_MAX : 1) {
        const struct record *r = t->sorted[at];

        if (r->dead)
            continue;
        seen++;
        if (!visit(ctx, r->bytes, r->key_size, r->bytes + r->key_size, r->value_size))
            break;
    }
    pthread_rwlock_unlock(&t->lock);
}

/* What a ceiling need not do. */
static void
mem_snapshot(void *handle, bool on)
{
    (void)handle;
    (void)on;
}

static void
mem_sync(void *db)
{
    (void)db;
}

static void
mem_load(void *db, const struct pair_source *source)
{
    struct pair p;

    while (source->next(source->ctx, &p))
        mem_put(db, &p, 1);
}

const struct engine engine_mem = {
    .name = "mem",
    .persistent = false,
    .version = mem_version,
    .open = mem_open,
    .close = mem_close,
    .handle_open = mem_handle_open,
    .handle_close = mem_handle_close,
    .put = mem_put,
    .get = mem_get,
    .scan = mem_scan,
    .snapshot = mem_snapshot,
    .sync = mem_sync,
    .flush = mem_flush,
    .compact = mem_flush,
    .load = mem_load,
};
