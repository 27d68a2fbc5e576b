// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * RocksDB through its C API; values are taken pinned, which saves the copy that rocksdb_get makes.
 * Bulk: sorted table files of 64 MB, ingested by move. Settings are listed in README.md.
 */
#include <rocksdb/c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "engine.h"

#ifndef BENCH_ROCKSDB_VERSION
#define BENCH_ROCKSDB_VERSION "unknown"
#endif

struct rdb {
    rocksdb_t *db;
    rocksdb_options_t *options;
    rocksdb_cache_t *cache;
    rocksdb_writeoptions_t *write;
    char dir[400];
};

struct rdb_handle {
    struct rdb *r;
    rocksdb_readoptions_t *read;
    rocksdb_writebatch_t *batch;
    const rocksdb_snapshot_t *snapshot;
};

static void
expect(const char *what, char *err)
{
    if (err)
        bench_fail("rocksdb: %s: %s", what, err);
}

static const char *
rdb_version(void)
{
    return BENCH_ROCKSDB_VERSION; /* its C API does not tell; from pkg-config */
}

static rocksdb_block_based_table_options_t *
table_options(struct rdb *r, const struct engine_setup *s)
{
    rocksdb_block_based_table_options_t *t = rocksdb_block_based_options_create();

    r->cache = rocksdb_cache_create_lru(s->cache_size);
    rocksdb_block_based_options_set_block_cache(t, r->cache);
    rocksdb_block_based_options_set_block_size(t, 4096);
    rocksdb_block_based_options_set_format_version(t, 5);
    rocksdb_block_based_options_set_filter_policy(t, rocksdb_filterpolicy_create_bloom_full(10));
    rocksdb_block_based_options_set_cache_index_and_filter_blocks(t, 0);
    return t;
}

static void *
rdb_open(const struct engine_setup *s)
{
    struct rdb *r = bench_alloc(sizeof *r);
    rocksdb_block_based_table_options_t *t = table_options(r, s);
    char *err = NULL;

    snprintf(r->dir, sizeof r->dir, "%s", s->dir);
    r->options = rocksdb_options_create();
    rocksdb_options_set_create_if_missing(r->options, 1);
    rocksdb_options_set_block_based_table_factory(r->options, t);
    rocksdb_options_set_write_buffer_size(r->options, s->write_buffer_size);
    rocksdb_options_set_max_write_buffer_number(r->options, 2);
    rocksdb_options_set_max_background_jobs(r->options, 2);
    rocksdb_options_set_level_compaction_dynamic_level_bytes(r->options, 1);
    rocksdb_options_set_bytes_per_sync(r->options, 1 << 20);
    rocksdb_options_set_compaction_style(r->options, rocksdb_level_compaction);
    rocksdb_options_set_compression(r->options,
                                    s->lz4 ? rocksdb_lz4_compression : rocksdb_no_compression);
    rocksdb_options_set_allow_mmap_reads(r->options, s->mapped);
    r->write = rocksdb_writeoptions_create();
    rocksdb_writeoptions_set_sync(r->write, s->synced);
    r->db = rocksdb_open(r->options, s->dir, &err);
    expect("open", err);
    rocksdb_block_based_options_destroy(t);
    return r;
}

static void
rdb_close(void *db)
{
    struct rdb *r = db;

    rocksdb_close(r->db);
    rocksdb_options_destroy(r->options);
    rocksdb_cache_destroy(r->cache);
    rocksdb_writeoptions_destroy(r->write);
    free(r);
}

static void *
rdb_handle_open(void *db)
{
    struct rdb_handle *h = bench_alloc(sizeof *h);

    h->r = db;
    h->read = rocksdb_readoptions_create();
    h->batch = rocksdb_writebatch_create();
    h->snapshot = NULL;
    return h;
}

static void
rdb_handle_close(void *handle)
{
    struct rdb_handle *h = handle;

    rocksdb_readoptions_destroy(h->read);
    rocksdb_writebatch_destroy(h->batch);
    free(h);
}

static void
rdb_put(void *handle, const struct pair *pairs, size_t count)
{
    struct rdb_handle *h = handle;
    char *err = NULL;

    rocksdb_writebatch_clear(h->batch);
    for (size_t i = 0; i < count; i++) {
        const struct pair *p = &pairs[i];

        if (p->value)
            rocksdb_writebatch_put(h->batch, p->key, p->key_size, p->value, p->value_size);
        else
            rocksdb_writebatch_delete(h->batch, p->key, p->key_size);
    }
    rocksdb_write(h->r->db, h->r->write, h->batch, &err);
    expect("write", err);
}

static bool
rdb_get(void *handle, const void *key, size_t key_size, void *to, size_t capacity, size_t *size)
{
    struct rdb_handle *h = handle;
    char *err = NULL;
    rocksdb_pinnableslice_t *slice = rocksdb_get_pinned(h->r->db, h->read, key, key_size, &err);
    const char *value;

    expect("get", err);
    if (!slice)
        return false;
    value = rocksdb_pinnableslice_value(slice, size);
    memcpy(to, value, *size < capacity ? *size : capacity);
    rocksdb_pinnableslice_destroy(slice);
    return true;
}

static void
rdb_scan(void *handle, const struct scan_ask *ask, visit_fn *visit, void *ctx)
{
    struct rdb_handle *h = handle;
    rocksdb_iterator_t *it = rocksdb_create_iterator(h->r->db, h->read);
    char *err = NULL;

    if (ask->from)
        rocksdb_iter_seek(it, ask->from, ask->from_size);
    else if (ask->backward)
        rocksdb_iter_seek_to_last(it);
    else
        rocksdb_iter_seek_to_first(it);
    for (size_t n = 0; n < ask->limit && rocksdb_iter_valid(it); n++) {
        size_t key_size, value_size;
        const char *key = rocksdb_iter_key(it, &key_size);
        const char *value = rocksdb_iter_value(it, &value_size);

        if (!visit(ctx, key, key_size, value, value_size))
            break;
        if (ask->backward)
            rocksdb_iter_prev(it);
        else
            rocksdb_iter_next(it);
    }
    rocksdb_iter_get_error(it, &err);
    expect("scan", err);
    rocksdb_iter_destroy(it);
}

static void
rdb_snapshot(void *handle, bool on)
{
    struct rdb_handle *h = handle;

    if (on)
        h->snapshot = rocksdb_create_snapshot(h->r->db);
    rocksdb_readoptions_set_snapshot(h->read, on ? h->snapshot : NULL);
    if (!on)
        rocksdb_release_snapshot(h->r->db, h->snapshot);
}

static void
rdb_sync(void *db)
{
    char *err = NULL;

    rocksdb_flush_wal(((struct rdb *)db)->db, 1, &err);
    expect("sync", err);
}

static void
rdb_flush(void *db)
{
    rocksdb_flushoptions_t *o = rocksdb_flushoptions_create();
    char *err = NULL;

    rocksdb_flushoptions_set_wait(o, 1);
    rocksdb_flush(((struct rdb *)db)->db, o, &err);
    expect("flush", err);
    rocksdb_flushoptions_destroy(o);
}

static void
rdb_compact(void *db)
{
    rocksdb_compact_range(((struct rdb *)db)->db, NULL, 0, NULL, 0);
}

/* Writes one sorted file of up to 64 MB; false when the source is empty. p is the next pair. */
static bool
write_file(struct rdb *r, const char *path, const struct pair_source *source, struct pair *p)
{
    rocksdb_envoptions_t *env = rocksdb_envoptions_create();
    rocksdb_sstfilewriter_t *w = rocksdb_sstfilewriter_create(env, r->options);
    size_t bytes = 0;
    bool more = true;
    char *err = NULL;

    rocksdb_sstfilewriter_open(w, path, &err);
    expect("open of a table", err);
    while (more && bytes < (size_t)64 << 20) {
        rocksdb_sstfilewriter_put(w, p->key, p->key_size, p->value, p->value_size, &err);
        expect("put into a table", err);
        bytes += p->key_size + p->value_size;
        more = source->next(source->ctx, p);
    }
    rocksdb_sstfilewriter_finish(w, &err);
    expect("end of a table", err);
    rocksdb_sstfilewriter_destroy(w);
    rocksdb_envoptions_destroy(env);
    return more;
}

static void
rdb_load(void *db, const struct pair_source *source)
{
    enum { FILES_MAX = 256, NAME_SIZE = 440 };
    struct rdb *r = db;
    rocksdb_ingestexternalfileoptions_t *o = rocksdb_ingestexternalfileoptions_create();
    char *paths = bench_alloc((size_t)FILES_MAX * NAME_SIZE);
    const char *list[FILES_MAX];
    size_t count = 0;
    struct pair p;
    bool more = source->next(source->ctx, &p);
    char *err = NULL;

    for (; more && count < FILES_MAX; count++) {
        char *path = paths + count * NAME_SIZE;

        snprintf(path, NAME_SIZE, "%s/load-%zu.sst", r->dir, count);
        list[count] = path;
        more = write_file(r, path, source, &p);
    }
    rocksdb_ingestexternalfileoptions_set_move_files(o, 1);
    rocksdb_ingest_external_file(r->db, list, count, o, &err);
    expect("ingest", err);
    rocksdb_ingestexternalfileoptions_destroy(o);
    free(paths);
}

const struct engine engine_rocksdb = {
    .name = "rocksdb",
    .persistent = true,
    .version = rdb_version,
    .open = rdb_open,
    .close = rdb_close,
    .handle_open = rdb_handle_open,
    .handle_close = rdb_handle_close,
    .put = rdb_put,
    .get = rdb_get,
    .scan = rdb_scan,
    .snapshot = rdb_snapshot,
    .sync = rdb_sync,
    .flush = rdb_flush,
    .compact = rdb_compact,
    .load = rdb_load,
};
