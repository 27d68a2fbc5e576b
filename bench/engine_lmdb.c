// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * LMDB. Unsynced = MDB_NOSYNC: a power cut may then damage the file, not only lose its end. One
 * read transaction per handle, renewed for each get. Compaction copies to a new file and puts it
 * in the place of the old one.
 */
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bench.h"
#include "engine.h"

struct lm {
    MDB_env *env;
    MDB_dbi dbi;
    unsigned flags;
    char dir[400];
};

struct lm_handle {
    struct lm *l;
    MDB_txn *txn; /* reading; reset between gets */
    MDB_cursor *cursor;
    bool snapshot;
};

static void
expect(const char *what, int rc)
{
    if (rc)
        bench_fail("lmdb: %s: %s", what, mdb_strerror(rc));
}

static const char *
lm_version(void)
{
    static char text[32];
    int major, minor, patch;

    mdb_version(&major, &minor, &patch);
    snprintf(text, sizeof text, "%d.%d.%d", major, minor, patch);
    return text;
}

static void
open_env(struct lm *l)
{
    MDB_txn *txn;

    expect("create", mdb_env_create(&l->env));
    expect("map size", mdb_env_set_mapsize(l->env, (size_t)32 << 30));
    expect("open", mdb_env_open(l->env, l->dir, l->flags, 0644));
    expect("begin", mdb_txn_begin(l->env, NULL, 0, &txn));
    expect("open of the table", mdb_dbi_open(txn, NULL, 0, &l->dbi));
    expect("commit", mdb_txn_commit(txn));
}

static void *
lm_open(const struct engine_setup *s)
{
    struct lm *l = bench_alloc(sizeof *l);

    snprintf(l->dir, sizeof l->dir, "%s", s->dir);
    l->flags = MDB_NOTLS | (s->synced ? 0u : (unsigned)MDB_NOSYNC);
    open_env(l);
    return l;
}

static void
lm_close(void *db)
{
    struct lm *l = db;

    mdb_env_close(l->env);
    free(l);
}

static void *
lm_handle_open(void *db)
{
    struct lm_handle *h = bench_alloc(sizeof *h);

    h->l = db;
    h->snapshot = false;
    expect("begin", mdb_txn_begin(h->l->env, NULL, MDB_RDONLY, &h->txn));
    expect("cursor", mdb_cursor_open(h->txn, h->l->dbi, &h->cursor));
    mdb_txn_reset(h->txn);
    return h;
}

static void
lm_handle_close(void *handle)
{
    struct lm_handle *h = handle;

    mdb_cursor_close(h->cursor);
    mdb_txn_abort(h->txn);
    free(h);
}

static void
put_one(MDB_txn *txn, MDB_dbi dbi, const struct pair *p, unsigned flags)
{
    MDB_val key = { p->key_size, (void *)p->key };
    MDB_val value = { p->value_size, (void *)p->value };

    if (p->value)
        expect("put", mdb_put(txn, dbi, &key, &value, flags));
    else
        expect("delete", mdb_del(txn, dbi, &key, NULL));
}

static void
lm_put(void *handle, const struct pair *pairs, size_t count)
{
    struct lm_handle *h = handle;
    MDB_txn *txn;

    expect("begin", mdb_txn_begin(h->l->env, NULL, 0, &txn));
    for (size_t i = 0; i < count; i++)
        put_one(txn, h->l->dbi, &pairs[i], 0);
    expect("commit", mdb_txn_commit(txn));
}

static bool
lm_get(void *handle, const void *key, size_t key_size, void *to, size_t capacity, size_t *size)
{
    struct lm_handle *h = handle;
    MDB_val k = { key_size, (void *)key }, v;
    int rc;

    if (!h->snapshot)
        expect("renew", mdb_txn_renew(h->txn));
    rc = mdb_get(h->txn, h->l->dbi, &k, &v);
    if (rc == 0) {
        memcpy(to, v.mv_data, v.mv_size < capacity ? v.mv_size : capacity);
        *size = v.mv_size;
    } else if (rc != MDB_NOTFOUND) {
        expect("get", rc);
    }
    if (!h->snapshot)
        mdb_txn_reset(h->txn);
    return rc == 0;
}

static void
lm_scan(void *handle, const struct scan_ask *ask, visit_fn *visit, void *ctx)
{
    struct lm_handle *h = handle;
    MDB_cursor_op first = ask->backward ? MDB_LAST : MDB_FIRST;
    MDB_cursor_op step = ask->backward ? MDB_PREV : MDB_NEXT;
    MDB_val k = { ask->from_size, (void *)ask->from }, v;
    int rc;

    if (!h->snapshot)
        expect("renew", mdb_txn_renew(h->txn));
    expect("cursor", mdb_cursor_renew(h->txn, h->cursor));
    rc = mdb_cursor_get(h->cursor, &k, &v, ask->from ? MDB_SET_RANGE : first);
    for (size_t n = 0; n < ask->limit && rc == 0; n++) {
        if (!visit(ctx, k.mv_data, k.mv_size, v.mv_data, v.mv_size))
            break;
        rc = mdb_cursor_get(h->cursor, &k, &v, step);
    }
    if (rc != MDB_NOTFOUND)
        expect("scan", rc);
    if (!h->snapshot)
        mdb_txn_reset(h->txn);
}

static void
lm_snapshot(void *handle, bool on)
{
    struct lm_handle *h = handle;

    if (on)
        expect("renew", mdb_txn_renew(h->txn));
    else
        mdb_txn_reset(h->txn);
    h->snapshot = on;
}

static void
lm_sync(void *db)
{
    expect("sync", mdb_env_sync(((struct lm *)db)->env, 1));
}

/* Every commit is in its place already. */
static void
lm_flush(void *db)
{
    (void)db;
}

static void
lm_compact(void *db)
{
    struct lm *l = db;
    char to[440], from[440], copy[440];

    snprintf(copy, sizeof copy, "%s/copy", l->dir);
    if (mkdir(copy, 0755) != 0)
        bench_fail("lmdb: %s cannot be made", copy);
    expect("copy", mdb_env_copy2(l->env, copy, MDB_CP_COMPACT));
    mdb_env_close(l->env);
    snprintf(from, sizeof from, "%s/copy/data.mdb", l->dir);
    snprintf(to, sizeof to, "%s/data.mdb", l->dir);
    if (rename(from, to) != 0)
        bench_fail("lmdb: %s cannot be renamed", from);
    remove_tree(copy);
    open_env(l);
}

static void
lm_load(void *db, const struct pair_source *source)
{
    enum { BATCH = 50000 };
    struct lm *l = db;
    struct pair p;
    bool more = true;

    while (more) {
        MDB_txn *txn;

        expect("begin", mdb_txn_begin(l->env, NULL, 0, &txn));
        for (size_t n = 0; n < BATCH && (more = source->next(source->ctx, &p)); n++)
            put_one(txn, l->dbi, &p, MDB_APPEND);
        expect("commit", mdb_txn_commit(txn));
    }
    lm_sync(db);
}

const struct engine engine_lmdb = {
    .name = "lmdb",
    .persistent = true,
    .version = lm_version,
    .open = lm_open,
    .close = lm_close,
    .handle_open = lm_handle_open,
    .handle_close = lm_handle_close,
    .put = lm_put,
    .get = lm_get,
    .scan = lm_scan,
    .snapshot = lm_snapshot,
    .sync = lm_sync,
    .flush = lm_flush,
    .compact = lm_compact,
    .load = lm_load,
};
