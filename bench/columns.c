// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The columns that this build has. Peers are optional: the build defines BENCH_WITH_<ENGINE> for
 * each whose library it found, and says loudly which it left out.
 */
#include <string.h>

#include "engine.h"

static const struct column columns[] = {
#ifdef BENCH_WITH_ROCKSDB
    { .name = "rocksdb", .engine = &engine_rocksdb },
    { .name = "rocksdb-lz4", .engine = &engine_rocksdb, .lz4 = true },
    { .name = "rocksdb-map", .engine = &engine_rocksdb, .mapped = true },
#endif
#ifdef BENCH_WITH_LEVELDB
    { .name = "leveldb", .engine = &engine_leveldb },
#endif
#ifdef BENCH_WITH_LMDB
    { .name = "lmdb", .engine = &engine_lmdb },
#endif
#ifdef BENCH_WITH_SQLITE
    { .name = "sqlite", .engine = &engine_sqlite },
    { .name = "sqlite-map", .engine = &engine_sqlite, .mapped = true },
#endif
#ifdef BENCH_WITH_WIREDTIGER
    { .name = "wiredtiger", .engine = &engine_wiredtiger },
#endif
#ifdef BENCH_WITH_BASIN
    { .name = "basin", .engine = &engine_basin },
    { .name = "basin-lz4", .engine = &engine_basin, .lz4 = true },
#endif
    { .name = "mem", .engine = &engine_mem },
    { .name = "control", .engine = &engine_mem, .drops = true },
    { .name = NULL },
};

const struct column *
column_list(void)
{
    return columns;
}

const struct column *
column_find(const char *name, size_t size)
{
    for (const struct column *c = columns; c->name; c++)
        if (strlen(c->name) == size && memcmp(c->name, name, size) == 0)
            return c;
    return NULL;
}
