// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * SQLite as a key/value table WITHOUT ROWID, in WAL mode, one connection per handle. Each get is a
 * read transaction of its own unless a snapshot is on. Sync is fdatasync of the write-ahead log:
 * what was checkpointed before has been synced by the checkpoint.
 */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "engine.h"

struct lite {
    struct engine_setup setup;
    char path[440];
    sqlite3 *db; /* for what concerns the whole database */
};

struct lite_handle {
    sqlite3 *db;
    sqlite3_stmt *get;
    sqlite3_stmt *put;
    sqlite3_stmt *del;
    sqlite3_stmt *begin;
    sqlite3_stmt *begin_read;
    sqlite3_stmt *commit;
    sqlite3_stmt *scan;
    sqlite3_stmt *scan_from;
    sqlite3_stmt *scan_back;
};

static void
expect(sqlite3 *db, const char *what, int rc)
{
    if (rc != SQLITE_OK && rc != SQLITE_DONE && rc != SQLITE_ROW)
        bench_fail("sqlite: %s: %s", what, sqlite3_errmsg(db));
}

static void __attribute__((format(printf, 2, 3))) execute(sqlite3 *db, const char *fmt, ...)
{
    char sql[256];
    va_list args;

    va_start(args, fmt);
    vsnprintf(sql, sizeof sql, fmt, args);
    va_end(args);
    expect(db, sql, sqlite3_exec(db, sql, NULL, NULL, NULL));
}

static const char *
lite_version(void)
{
    return sqlite3_libversion();
}

static sqlite3 *
connect(const struct lite *l)
{
    const struct engine_setup *s = &l->setup;
    int page = s->value_size > 200 ? 16384 : 4096;
    sqlite3 *db;

    expect(NULL, "open",
           sqlite3_open_v2(l->path, &db,
                           SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL));
    sqlite3_busy_timeout(db, 60000);
    execute(db, "PRAGMA page_size=%d", page);
    execute(db, "PRAGMA journal_mode=WAL");
    execute(db, "PRAGMA synchronous=%s", s->synced ? "FULL" : "NORMAL");
    execute(db, "PRAGMA cache_size=-%zu", s->cache_size >> 10);
    execute(db, "PRAGMA wal_autocheckpoint=%d", (64 << 20) / page);
    execute(db, "PRAGMA mmap_size=%lld", s->mapped ? 2LL << 30 : 0LL);
    return db;
}

static void *
lite_open(const struct engine_setup *s)
{
    struct lite *l = bench_alloc(sizeof *l);

    l->setup = *s;
    snprintf(l->path, sizeof l->path, "%s/kv.db", s->dir);
    l->db = connect(l);
    execute(l->db, "CREATE TABLE IF NOT EXISTS kv(k BLOB PRIMARY KEY, v BLOB) WITHOUT ROWID");
    return l;
}

static void
lite_close(void *db)
{
    struct lite *l = db;

    expect(l->db, "close", sqlite3_close(l->db));
    free(l);
}

static sqlite3_stmt *
prepared(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *s;

    expect(db, sql, sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s, NULL));
    return s;
}

static void *
lite_handle_open(void *db)
{
    struct lite_handle *h = bench_alloc(sizeof *h);

    h->db = connect(db);
    h->get = prepared(h->db, "SELECT v FROM kv WHERE k=?1");
    h->put = prepared(h->db, "REPLACE INTO kv VALUES(?1,?2)");
    h->del = prepared(h->db, "DELETE FROM kv WHERE k=?1");
    h->begin = prepared(h->db, "BEGIN IMMEDIATE");
    h->begin_read = prepared(h->db, "BEGIN");
    h->commit = prepared(h->db, "COMMIT");
    h->scan = prepared(h->db, "SELECT k,v FROM kv ORDER BY k");
    h->scan_from = prepared(h->db, "SELECT k,v FROM kv WHERE k>=?1 ORDER BY k");
    h->scan_back = prepared(h->db, "SELECT k,v FROM kv ORDER BY k DESC");
    return h;
}

static void
lite_handle_close(void *handle)
{
    struct lite_handle *h = handle;
    sqlite3_stmt *all[] = { h->get,    h->put,  h->del,       h->begin,    h->begin_read,
                            h->commit, h->scan, h->scan_from, h->scan_back };

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        sqlite3_finalize(all[i]);
    expect(h->db, "close", sqlite3_close(h->db));
    free(h);
}

static void
run(sqlite3 *db, sqlite3_stmt *s, const char *what)
{
    expect(db, what, sqlite3_step(s));
    expect(db, what, sqlite3_reset(s));
}

static void
put_one(sqlite3 *db, sqlite3_stmt *put, sqlite3_stmt *del, const struct pair *p)
{
    sqlite3_stmt *s = p->value ? put : del;

    sqlite3_bind_blob(s, 1, p->key, (int)p->key_size, SQLITE_STATIC);
    if (p->value)
        sqlite3_bind_blob(s, 2, p->value, (int)p->value_size, SQLITE_STATIC);
    run(db, s, "put");
}

static void
lite_put(void *handle, const struct pair *pairs, size_t count)
{
    struct lite_handle *h = handle;

    if (count > 1)
        run(h->db, h->begin, "begin");
    for (size_t i = 0; i < count; i++)
        put_one(h->db, h->put, h->del, &pairs[i]);
    if (count > 1)
        run(h->db, h->commit, "commit");
}

static bool
lite_get(void *handle, const void *key, size_t key_size, void *to, size_t capacity, size_t *size)
{
    struct lite_handle *h = handle;
    bool found;
    int rc;

    sqlite3_bind_blob(h->get, 1, key, (int)key_size, SQLITE_STATIC);
    rc = sqlite3_step(h->get);
    expect(h->db, "get", rc);
    found = rc == SQLITE_ROW;
    if (found) {
        const void *value = sqlite3_column_blob(h->get, 0);

        *size = (size_t)sqlite3_column_bytes(h->get, 0);
        memcpy(to, value, *size < capacity ? *size : capacity);
    }
    sqlite3_reset(h->get);
    return found;
}

static void
lite_scan(void *handle, const struct scan_ask *ask, visit_fn *visit, void *ctx)
{
    struct lite_handle *h = handle;
    sqlite3_stmt *s = ask->from ? h->scan_from : ask->backward ? h->scan_back : h->scan;

    if (ask->from && ask->backward)
        bench_fail("sqlite: no backward scan from a key is asked for");
    if (ask->from)
        sqlite3_bind_blob(s, 1, ask->from, (int)ask->from_size, SQLITE_STATIC);
    for (size_t n = 0; n < ask->limit; n++) {
        int rc = sqlite3_step(s);

        expect(h->db, "scan", rc);
        if (rc != SQLITE_ROW)
            break;
        if (!visit(ctx, sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0),
                   sqlite3_column_blob(s, 1), (size_t)sqlite3_column_bytes(s, 1)))
            break;
    }
    sqlite3_reset(s);
}

static void
lite_snapshot(void *handle, bool on)
{
    struct lite_handle *h = handle;

    run(h->db, on ? h->begin_read : h->commit, "snapshot");
}

static void
lite_sync(void *db)
{
    const struct lite *l = db;
    char path[480];
    int fd;

    snprintf(path, sizeof path, "%s-wal", l->path);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fdatasync(fd) != 0)
        bench_fail("sqlite: %s: %s", path, strerror(errno));
    close(fd);
}

static void
lite_flush(void *db)
{
    const struct lite *l = db;

    execute(l->db, "PRAGMA wal_checkpoint(PASSIVE)");
}

static void
lite_compact(void *db)
{
    const struct lite *l = db;

    execute(l->db, "VACUUM");
}

static void
lite_load(void *db, const struct pair_source *source)
{
    const struct lite *l = db;
    sqlite3_stmt *put = prepared(l->db, "INSERT INTO kv VALUES(?1,?2)");
    struct pair p;

    execute(l->db, "BEGIN IMMEDIATE");
    while (source->next(source->ctx, &p))
        put_one(l->db, put, NULL, &p);
    execute(l->db, "COMMIT");
    sqlite3_finalize(put);
    lite_sync(db);
}

const struct engine engine_sqlite = {
    .name = "sqlite",
    .persistent = true,
    .version = lite_version,
    .open = lite_open,
    .close = lite_close,
    .handle_open = lite_handle_open,
    .handle_close = lite_handle_close,
    .put = lite_put,
    .get = lite_get,
    .scan = lite_scan,
    .snapshot = lite_snapshot,
    .sync = lite_sync,
    .flush = lite_flush,
    .compact = lite_compact,
    .load = lite_load,
};
