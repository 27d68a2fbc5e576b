// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * What the driver asks of an engine. An adapter is one table of functions in engine_<name>.c and
 * does nothing that the driver does not ask for; its settings are listed in README.md.
 *
 * A call that fails ends the process with bench_fail. Handles belong to one thread; several may be
 * open at once, none while load or compact runs or the database closes.
 */
#ifndef BENCH_ENGINE_H
#define BENCH_ENGINE_H

#include <stdbool.h>
#include <stddef.h>

struct engine_setup {
    const char *dir;
    size_t cache_size;
    size_t write_buffer_size;
    size_t value_size;
    bool synced; /* a commit is on stable storage at return; else it survives only kill -9 */
    bool lz4;
    bool mapped; /* variant that reads through maps */
    bool drops;  /* negative control: loses one put in 5000 */
};

struct pair {
    const void *key;
    size_t key_size;
    const void *value; /* NULL = delete the key */
    size_t value_size;
};

/* false stops the scan. */
typedef bool visit_fn(void *ctx, const void *key, size_t key_size, const void *value,
                      size_t value_size);

struct scan_ask {
    const void *from; /* first key, included; NULL = from the end where the scan starts */
    size_t from_size;
    size_t limit; /* pairs */
    bool backward;
};

/* Where the pairs of a sorted load come from; false = no more. */
struct pair_source {
    bool (*next)(void *ctx, struct pair *pair);
    void *ctx;
};

struct engine {
    const char *name;
    bool persistent;
    const char *(*version)(void);
    void *(*open)(const struct engine_setup *setup);
    void (*close)(void *db);
    void *(*handle_open)(void *db);
    void (*handle_close)(void *handle);
    /* One atomic commit. */
    void (*put)(void *handle, const struct pair *pairs, size_t count);
    /* Copies the value; false = no such key. */
    bool (*get)(void *handle, const void *key, size_t key_size, void *to, size_t capacity,
                size_t *size);
    void (*scan)(void *handle, const struct scan_ask *ask, visit_fn *visit, void *ctx);
    /* Between on and off all gets of the handle read one snapshot. */
    void (*snapshot)(void *handle, bool on);
    void (*sync)(void *db);  /* every commit so far reaches stable storage */
    void (*flush)(void *db); /* what is kept in memory goes to its final place */
    void (*compact)(void *db);
    void (*load)(void *db, const struct pair_source *source); /* into an empty one; durable */
};

extern const struct engine engine_mem;
extern const struct engine engine_basin;
extern const struct engine engine_rocksdb;
extern const struct engine engine_leveldb;
extern const struct engine engine_lmdb;
extern const struct engine engine_sqlite;
extern const struct engine engine_wiredtiger;

/* A column of the table: an engine in one variant. */
struct column {
    const char *name;
    const struct engine *engine;
    bool lz4;
    bool mapped;
    bool drops;
};
/* The columns that this build has, ended by a NULL name. */
const struct column *column_list(void);
/* NULL when this build has no such column. */
const struct column *column_find(const char *name, size_t size);

#endif
