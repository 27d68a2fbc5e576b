// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/* A database in a scratch directory, used through the public header alone. */
#ifndef TEST_API_DESK_H
#define TEST_API_DESK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "basin/basin.h"
#include "model/chance.h"
#include "model/scratch.h"

struct desk {
    char path[SCRATCH_PATH_MAX];
    basin_options o;
    basin_db *db;
    basin_error err;
};

#define desk_ok(d, call) desk_expect((d), (call), BASIN_OK, #call, __FILE__, __LINE__)
#define desk_status(d, call, want) desk_expect((d), (call), (want), #call, __FILE__, __LINE__)

static inline void
desk_expect(struct desk *d, basin_status st, basin_status want, const char *call, const char *file,
            int line)
{
    if (st == want)
        return;
    print_error("%s:%d: %s: %s, not %s: %s\n", file, line, call, basin_status_name(st),
                basin_status_name(want), st == BASIN_OK ? "" : d->err.what);
    _fail(file, line);
}

static inline basin_bytes
key_of(const char *s)
{
    return (basin_bytes){ s, strlen(s) };
}

static inline void
desk_open(struct desk *d)
{
    desk_ok(d, basin_open(d->path, &d->o, &d->db, &d->err));
}

static inline void
desk_init(struct desk *d)
{
    *d = (struct desk){ .o = BASIN_OPTIONS_INIT };
    scratch_make(d->path);
}

static inline void
desk_close(struct desk *d)
{
    desk_ok(d, basin_close(d->db, &d->err));
    d->db = NULL;
}

static inline void
desk_release(struct desk *d)
{
    scratch_remove(d->path);
}

static inline basin_txn *
desk_begin(struct desk *d, basin_mode mode)
{
    basin_txn *txn;

    desk_ok(d, basin_begin_mode(d->db, mode, &txn, &d->err));
    return txn;
}

static inline void
desk_put(struct desk *d, const char *key, const char *value)
{
    desk_ok(d, basin_db_put(d->db, BASIN_SPACE_DEFAULT, key_of(key), key_of(value), BASIN_BUFFERED,
                            &d->err));
}

/* want NULL: there is none. */
static inline void
desk_now(struct desk *d, const char *key, const char *want)
{
    char got[256];
    uint64_t size;

    desk_status(d,
                basin_db_get(d->db, BASIN_SPACE_DEFAULT, key_of(key), got, sizeof got, &size,
                             &d->err),
                want ? BASIN_OK : BASIN_NOT_FOUND);
    if (want != NULL) {
        assert_int_equal(size, strlen(want));
        assert_memory_equal(got, want, size);
    }
}

#endif
