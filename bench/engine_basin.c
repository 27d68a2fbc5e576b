// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Basin as an application sees it: include/basin/basin.h and nothing else. Unsynced commits are
 * BASIN_BUFFERED, with the default bounds of one second and 4 MiB, so they are synced soon after,
 * which the peers do not do. mem_limit is the cache and two write buffers of the others.
 */
#include <stdlib.h>
#include <string.h>

#include "basin/basin.h"
#include "bench.h"
#include "engine.h"

struct bas {
    basin_db *db;
    basin_durability durability;
};

struct bas_handle {
    struct bas *b;
    basin_txn *snapshot;
};

static void
expect(const char *what, basin_status st, const basin_error *err)
{
    if (st != BASIN_OK)
        bench_fail("basin: %s: %s: %s (%s)", what, basin_status_name(st), err->what, err->where);
}

static const char *
bas_version(void)
{
    return basin_version();
}

static void *
bas_open(const struct engine_setup *s)
{
    struct bas *b = bench_alloc(sizeof *b);
    basin_options o = BASIN_OPTIONS_INIT;
    basin_error err;

    o.mem_limit = s->cache_size + 2 * s->write_buffer_size;
    o.memtable_size = s->write_buffer_size;
    o.codec = s->lz4 ? BASIN_CODEC_LZ4 : BASIN_CODEC_NONE;
    b->durability = s->synced ? BASIN_DURABLE : BASIN_BUFFERED;
    expect("open", basin_open(s->dir, &o, &b->db, &err), &err);
    return b;
}

static void
bas_close(void *db)
{
    struct bas *b = db;
    basin_error err;

    expect("close", basin_close(b->db, &err), &err);
    free(b);
}

static void *
bas_handle_open(void *db)
{
    struct bas_handle *h = bench_alloc(sizeof *h);

    h->b = db;
    h->snapshot = NULL;
    return h;
}

static void
bas_handle_close(void *handle)
{
    free(handle);
}

static void
put_many(struct bas *b, const struct pair *pairs, size_t count)
{
    basin_txn *txn;
    basin_error err;

    expect("begin", basin_begin_mode(b->db, BASIN_WRITE, &txn, &err), &err);
    for (size_t i = 0; i < count; i++) {
        basin_bytes key = { pairs[i].key, pairs[i].key_size };
        basin_bytes value = { pairs[i].value, pairs[i].value_size };

        if (pairs[i].value)
            expect("put", basin_put(txn, BASIN_SPACE_DEFAULT, key, value, &err), &err);
        else
            expect("delete", basin_delete(txn, BASIN_SPACE_DEFAULT, key, &err), &err);
    }
    expect("commit", basin_commit(txn, b->durability, NULL, &err), &err);
}

static void
bas_put(void *handle, const struct pair *pairs, size_t count)
{
    struct bas *b = ((struct bas_handle *)handle)->b;
    basin_error err;

    if (count == 1 && pairs->value) {
        basin_bytes key = { pairs->key, pairs->key_size };
        basin_bytes value = { pairs->value, pairs->value_size };

        expect("put", basin_db_put(b->db, BASIN_SPACE_DEFAULT, key, value, b->durability, &err),
               &err);
        return;
    }
    put_many(b, pairs, count);
}

static bool
bas_get(void *handle, const void *key, size_t key_size, void *to, size_t capacity, size_t *size)
{
    struct bas_handle *h = handle;
    basin_bytes k = { key, key_size }, v;
    uint64_t value_size = 0;
    basin_error err;
    basin_status st;

    if (h->snapshot) {
        st = basin_get(h->snapshot, BASIN_SPACE_DEFAULT, k, &v, &err);
        if (st == BASIN_OK) {
            memcpy(to, v.data, v.size < capacity ? v.size : capacity);
            value_size = v.size;
        }
    } else {
        st = basin_db_get(h->b->db, BASIN_SPACE_DEFAULT, k, to, capacity, &value_size, &err);
    }
    if (st == BASIN_NOT_FOUND)
        return false;
    expect("get", st, &err);
    *size = (size_t)value_size;
    return true;
}

static basin_status
scan_steps(basin_cursor *c, const struct scan_ask *ask, visit_fn *visit, void *ctx,
           basin_error *err)
{
    basin_status st = BASIN_OK;

    for (size_t n = 0; n < ask->limit && st == BASIN_OK; n++) {
        basin_bytes key = basin_cursor_key(c), value;

        st = basin_cursor_value(c, &value, err);
        if (st != BASIN_OK)
            break;
        if (!visit(ctx, key.data, key.size, value.data, value.size))
            break;
        st = ask->backward ? basin_cursor_prev(c, err) : basin_cursor_next(c, err);
    }
    return st;
}

static void
bas_scan(void *handle, const struct scan_ask *ask, visit_fn *visit, void *ctx)
{
    struct bas_handle *h = handle;
    basin_bytes from = { ask->from, ask->from_size };
    basin_txn *txn;
    basin_cursor *c;
    basin_error err;
    basin_status st;

    expect("begin", basin_begin_mode(h->b->db, BASIN_READ, &txn, &err), &err);
    expect("cursor", basin_cursor_open(txn, BASIN_SPACE_DEFAULT, NULL, &c, &err), &err);
    if (ask->from)
        st = basin_cursor_seek(c, from, ask->backward ? BASIN_SEEK_LE : BASIN_SEEK_GE, &err);
    else
        st = ask->backward ? basin_cursor_last(c, &err) : basin_cursor_first(c, &err);
    if (st == BASIN_OK)
        st = scan_steps(c, ask, visit, ctx, &err);
    if (st != BASIN_END)
        expect("scan", st, &err);
    basin_cursor_close(c);
    basin_abort(txn);
}

static void
bas_snapshot(void *handle, bool on)
{
    struct bas_handle *h = handle;
    basin_error err;

    if (on) {
        expect("begin", basin_begin_mode(h->b->db, BASIN_READ, &h->snapshot, &err), &err);
    } else {
        basin_abort(h->snapshot);
        h->snapshot = NULL;
    }
}

static void
bas_sync(void *db)
{
    basin_error err;

    expect("sync", basin_sync(((struct bas *)db)->db, &err), &err);
}

static void
bas_flush(void *db)
{
    basin_error err;

    expect("flush", basin_flush(((struct bas *)db)->db, &err), &err);
}

static void
bas_compact(void *db)
{
    basin_error err;

    expect("compact", basin_compact(((struct bas *)db)->db, NULL, &err), &err);
}

static void
bas_load(void *db, const struct pair_source *source)
{
    struct bas *b = db;
    basin_load_options o = BASIN_LOAD_INIT;
    basin_load *load;
    basin_error err;
    struct pair p;

    expect("load", basin_load_open(b->db, BASIN_SPACE_DEFAULT, &o, &load, &err), &err);
    while (source->next(source->ctx, &p)) {
        basin_bytes key = { p.key, p.key_size }, value = { p.value, p.value_size };

        expect("load", basin_load_add(load, key, value, &err), &err);
    }
    expect("load", basin_load_commit(load, NULL, &err), &err);
}

const struct engine engine_basin = {
    .name = "basin",
    .persistent = true,
    .version = bas_version,
    .open = bas_open,
    .close = bas_close,
    .handle_open = bas_handle_open,
    .handle_close = bas_handle_close,
    .put = bas_put,
    .get = bas_get,
    .scan = bas_scan,
    .snapshot = bas_snapshot,
    .sync = bas_sync,
    .flush = bas_flush,
    .compact = bas_compact,
    .load = bas_load,
};
