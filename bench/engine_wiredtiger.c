// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * WiredTiger: a B-tree with its log on, one session and cursor per handle. Unsynced commits write
 * the log without syncing it (method none), synced ones fsync it. Its cache holds what the caches
 * and write buffers of the others hold together. Preallocated logs count in its size.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wiredtiger.h>

#include "bench.h"
#include "engine.h"

#define TABLE "table:kv"

struct wt {
    WT_CONNECTION *connection;
    WT_SESSION *session;
};

struct wt_handle {
    WT_SESSION *session;
    WT_CURSOR *cursor;
};

static void
expect(const char *what, int rc)
{
    if (rc)
        bench_fail("wiredtiger: %s: %s", what, wiredtiger_strerror(rc));
}

static const char *
wt_version(void)
{
    static char text[32];
    int major, minor, patch;

    wiredtiger_version(&major, &minor, &patch);
    snprintf(text, sizeof text, "%d.%d.%d", major, minor, patch);
    return text;
}

static void *
wt_open(const struct engine_setup *s)
{
    struct wt *w = bench_alloc(sizeof *w);
    char config[320];

    snprintf(config, sizeof config,
             "create,cache_size=%zuMB,log=(enabled=true,file_max=64MB,prealloc=true),"
             "checkpoint=(log_size=64MB),transaction_sync=(enabled=true,method=%s)",
             (s->cache_size + s->write_buffer_size) >> 20, s->synced ? "fsync" : "none");
    expect("open", wiredtiger_open(s->dir, NULL, config, &w->connection));
    expect("session", w->connection->open_session(w->connection, NULL, NULL, &w->session));
    expect("table", w->session->create(w->session, TABLE,
                                       "key_format=u,value_format=u,type=file,"
                                       "leaf_page_max=16KB,internal_page_max=16KB"));
    return w;
}

static void
wt_close(void *db)
{
    struct wt *w = db;

    expect("close", w->connection->close(w->connection, NULL));
    free(w);
}

static void *
wt_handle_open(void *db)
{
    struct wt_handle *h = bench_alloc(sizeof *h);
    WT_CONNECTION *c = ((struct wt *)db)->connection;

    expect("session", c->open_session(c, NULL, NULL, &h->session));
    expect("cursor", h->session->open_cursor(h->session, TABLE, NULL, NULL, &h->cursor));
    return h;
}

static void
wt_handle_close(void *handle)
{
    struct wt_handle *h = handle;

    expect("close", h->session->close(h->session, NULL));
    free(h);
}

static void
put_one(WT_CURSOR *c, const struct pair *p)
{
    WT_ITEM key = { .data = p->key, .size = p->key_size };
    WT_ITEM value = { .data = p->value, .size = p->value_size };

    c->set_key(c, &key);
    if (p->value) {
        c->set_value(c, &value);
        expect("put", c->insert(c));
    } else {
        expect("delete", c->remove(c));
    }
}

static void
wt_put(void *handle, const struct pair *pairs, size_t count)
{
    struct wt_handle *h = handle;

    if (count > 1)
        expect("begin", h->session->begin_transaction(h->session, NULL));
    for (size_t i = 0; i < count; i++)
        put_one(h->cursor, &pairs[i]);
    if (count > 1)
        expect("commit", h->session->commit_transaction(h->session, NULL));
}

static bool
wt_get(void *handle, const void *key, size_t key_size, void *to, size_t capacity, size_t *size)
{
    WT_CURSOR *c = ((struct wt_handle *)handle)->cursor;
    WT_ITEM k = { .data = key, .size = key_size }, v;
    int rc;

    c->set_key(c, &k);
    rc = c->search(c);
    if (rc == 0) {
        expect("value", c->get_value(c, &v));
        memcpy(to, v.data, v.size < capacity ? v.size : capacity);
        *size = v.size;
    } else if (rc != WT_NOTFOUND) {
        expect("get", rc);
    }
    expect("reset", c->reset(c));
    return rc == 0;
}

/* Stands on the first pair of the scan. */
static int
stand(WT_CURSOR *c, const struct scan_ask *ask)
{
    WT_ITEM k = { .data = ask->from, .size = ask->from_size };
    int rc, exact = 0;

    if (!ask->from)
        return ask->backward ? c->prev(c) : c->next(c);
    c->set_key(c, &k);
    rc = c->search_near(c, &exact);
    if (rc == 0 && exact < 0 && !ask->backward)
        rc = c->next(c);
    if (rc == 0 && exact > 0 && ask->backward)
        rc = c->prev(c);
    return rc;
}

static void
wt_scan(void *handle, const struct scan_ask *ask, visit_fn *visit, void *ctx)
{
    WT_CURSOR *c = ((struct wt_handle *)handle)->cursor;
    int rc = stand(c, ask);

    for (size_t n = 0; n < ask->limit && rc == 0; n++) {
        WT_ITEM k, v;

        expect("key", c->get_key(c, &k));
        expect("value", c->get_value(c, &v));
        if (!visit(ctx, k.data, k.size, v.data, v.size))
            break;
        rc = ask->backward ? c->prev(c) : c->next(c);
    }
    if (rc != WT_NOTFOUND)
        expect("scan", rc);
    expect("reset", c->reset(c));
}

static void
wt_snapshot(void *handle, bool on)
{
    WT_SESSION *s = ((struct wt_handle *)handle)->session;

    if (on)
        expect("begin", s->begin_transaction(s, "isolation=snapshot"));
    else
        expect("commit", s->commit_transaction(s, NULL));
}

static void
wt_sync(void *db)
{
    WT_SESSION *s = ((struct wt *)db)->session;

    expect("sync", s->log_flush(s, "sync=on"));
}

static void
wt_flush(void *db)
{
    WT_SESSION *s = ((struct wt *)db)->session;

    expect("checkpoint", s->checkpoint(s, NULL));
}

static void
wt_compact(void *db)
{
    WT_SESSION *s = ((struct wt *)db)->session;

    expect("compact", s->compact(s, TABLE, NULL));
}

static void
wt_load(void *db, const struct pair_source *source)
{
    WT_SESSION *s = ((struct wt *)db)->session;
    WT_CURSOR *c;
    struct pair p;

    expect("bulk", s->open_cursor(s, TABLE, NULL, "bulk", &c));
    while (source->next(source->ctx, &p))
        put_one(c, &p);
    expect("close", c->close(c));
    wt_flush(db);
}

const struct engine engine_wiredtiger = {
    .name = "wiredtiger",
    .persistent = true,
    .version = wt_version,
    .open = wt_open,
    .close = wt_close,
    .handle_open = wt_handle_open,
    .handle_close = wt_handle_close,
    .put = wt_put,
    .get = wt_get,
    .scan = wt_scan,
    .snapshot = wt_snapshot,
    .sync = wt_sync,
    .flush = wt_flush,
    .compact = wt_compact,
    .load = wt_load,
};
