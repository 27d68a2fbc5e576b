// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * LevelDB through its C API. It has no call that flushes or syncs alone: sync is a synced delete
 * of a key that is never used, flush does the same. Bulk: sorted batches of 10,000 pairs.
 */
#include <leveldb/c.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "engine.h"

struct ldb {
    leveldb_t *db;
    leveldb_options_t *options;
    leveldb_cache_t *cache;
    leveldb_filterpolicy_t *filter;
    leveldb_writeoptions_t *write;
    leveldb_writeoptions_t *write_synced;
};

struct ldb_handle {
    struct ldb *l;
    leveldb_readoptions_t *read;
    leveldb_writebatch_t *batch;
    const leveldb_snapshot_t *snapshot;
};

static void
expect(const char *what, char *err)
{
    if (err)
        bench_fail("leveldb: %s: %s", what, err);
}

static const char *
ldb_version(void)
{
    static char text[32];

    snprintf(text, sizeof text, "%d.%d", leveldb_major_version(), leveldb_minor_version());
    return text;
}

static void *
ldb_open(const struct engine_setup *s)
{
    struct ldb *l = bench_alloc(sizeof *l);
    char *err = NULL;

    l->options = leveldb_options_create();
    l->cache = leveldb_cache_create_lru(s->cache_size);
    l->filter = leveldb_filterpolicy_create_bloom(10);
    leveldb_options_set_create_if_missing(l->options, 1);
    leveldb_options_set_cache(l->options, l->cache);
    leveldb_options_set_filter_policy(l->options, l->filter);
    leveldb_options_set_write_buffer_size(l->options, s->write_buffer_size);
    leveldb_options_set_compression(l->options, leveldb_no_compression);
    l->write = leveldb_writeoptions_create();
    leveldb_writeoptions_set_sync(l->write, s->synced);
    l->write_synced = leveldb_writeoptions_create();
    leveldb_writeoptions_set_sync(l->write_synced, 1);
    l->db = leveldb_open(l->options, s->dir, &err);
    expect("open", err);
    return l;
}

static void
ldb_close(void *db)
{
    struct ldb *l = db;

    leveldb_close(l->db);
    leveldb_options_destroy(l->options);
    leveldb_cache_destroy(l->cache);
    leveldb_filterpolicy_destroy(l->filter);
    leveldb_writeoptions_destroy(l->write);
    leveldb_writeoptions_destroy(l->write_synced);
    free(l);
}

static void *
ldb_handle_open(void *db)
{
    struct ldb_handle *h = bench_alloc(sizeof *h);

    h->l = db;
    h->read = leveldb_readoptions_create();
    h->batch = leveldb_writebatch_create();
    h->snapshot = NULL;
    return h;
}

static void
ldb_handle_close(void *handle)
{
    struct ldb_handle *h = handle;

    leveldb_readoptions_destroy(h->read);
    leveldb_writebatch_destroy(h->batch);
    free(h);
}

static void
ldb_put(void *handle, const struct pair *pairs, size_t count)
{
    struct ldb_handle *h = handle;
    char *err = NULL;

    leveldb_writebatch_clear(h->batch);
    for (size_t i = 0; i < count; i++) {
        const struct pair *p = &pairs[i];

        if (p->value)
            leveldb_writebatch_put(h->batch, p->key, p->key_size, p->value, p->value_size);
        else
            leveldb_writebatch_delete(h->batch, p->key, p->key_size);
    }
    leveldb_write(h->l->db, h->l->write, h->batch, &err);
    expect("write", err);
}

static bool
ldb_get(void *handle, const void *key, size_t key_size, void *to, size_t capacity, size_t *size)
{
    struct ldb_handle *h = handle;
    char *err = NULL;
    char *value = leveldb_get(h->l->db, h->read, key, key_size, size, &err);

    expect("get", err);
    if (!value)
        return false;
    memcpy(to, value, *size < capacity ? *size : capacity);
    leveldb_free(value);
    return true;
}

static void
ldb_scan(void *handle, const struct scan_ask *ask, visit_fn *visit, void *ctx)
{
    struct ldb_handle *h = handle;
    leveldb_iterator_t *it = leveldb_create_iterator(h->l->db, h->read);
    char *err = NULL;

    if (ask->from)
        leveldb_iter_seek(it, ask->from, ask->from_size);
    else if (ask->backward)
        leveldb_iter_seek_to_last(it);
    else
        leveldb_iter_seek_to_first(it);
    for (size_t n = 0; n < ask->limit && leveldb_iter_valid(it); n++) {
        size_t key_size, value_size;
        const char *key = leveldb_iter_key(it, &key_size);
        const char *value = leveldb_iter_value(it, &value_size);

        if (!visit(ctx, key, key_size, value, value_size))
            break;
        if (ask->backward)
            leveldb_iter_prev(it);
        else
            leveldb_iter_next(it);
    }
    leveldb_iter_get_error(it, &err);
    expect("scan", err);
    leveldb_iter_destroy(it);
}

static void
ldb_snapshot(void *handle, bool on)
{
    struct ldb_handle *h = handle;

    if (on) {
        h->snapshot = leveldb_create_snapshot(h->l->db);
    } else {
        leveldb_release_snapshot(h->l->db, h->snapshot);
        h->snapshot = NULL;
    }
    leveldb_readoptions_set_snapshot(h->read, h->snapshot);
}

static void
ldb_sync(void *db)
{
    struct ldb *l = db;
    char *err = NULL;

    leveldb_delete(l->db, l->write_synced, "~never used", 11, &err);
    expect("sync", err);
}

static void
ldb_compact(void *db)
{
    struct ldb *l = db;

    leveldb_compact_range(l->db, NULL, 0, NULL, 0);
}

static void
ldb_load(void *db, const struct pair_source *source)
{
    enum { BATCH = 10000 };
    struct ldb *l = db;
    leveldb_writebatch_t *batch = leveldb_writebatch_create();
    struct pair p;
    bool more = true;

    while (more) {
        char *err = NULL;
        size_t n = 0;

        leveldb_writebatch_clear(batch);
        while (n < BATCH && (more = source->next(source->ctx, &p))) {
            leveldb_writebatch_put(batch, p.key, p.key_size, p.value, p.value_size);
            n++;
        }
        leveldb_write(l->db, l->write, batch, &err);
        expect("load", err);
    }
    leveldb_writebatch_destroy(batch);
    ldb_sync(db);
}

const struct engine engine_leveldb = {
    .name = "leveldb",
    .persistent = true,
    .version = ldb_version,
    .open = ldb_open,
    .close = ldb_close,
    .handle_open = ldb_handle_open,
    .handle_close = ldb_handle_close,
    .put = ldb_put,
    .get = ldb_get,
    .scan = ldb_scan,
    .snapshot = ldb_snapshot,
    .sync = ldb_sync,
    .flush = ldb_sync,
    .compact = ldb_compact,
    .load = ldb_load,
};
