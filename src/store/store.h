// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Door of the room store: whole immutable objects by name. The only primitives are
 * create-if-absent, ranged read, strong listing and delete, so that a directory, memory and object
 * storage can all be drivers (design: the log per epoch).
 *
 * Names are [a-z0-9-]+ in at most two parts, "strata/3-17"; the first part is a class.
 * Threads: any, concurrently; a sink is confined.
 */
#ifndef STORE_H
#define STORE_H

#include "base/base.h"
#include "os/os.h"

enum { STORE_NAME_MAX = 63 };

struct store;

/* Called by list in ascending name order; name is without the class. */
typedef basin_status store_list_fn(void *ctx, const char *name, uint64_t size, basin_error *err);

struct store_ops {
    basin_status (*create)(struct store *s, const char *name, struct sink **out,
                           basin_error *err);
    basin_status (*open)(struct store *s, const char *name, struct source **out,
                         basin_error *err);
    basin_status (*list)(struct store *s, const char *class_name, store_list_fn *fn, void *ctx,
                         basin_error *err);
    basin_status (*remove)(struct store *s, const char *name, basin_error *err);
    void (*close)(struct store *s);
};
struct store {
    const struct store_ops *ops;
};

/*
 * Opens the directory driver over os at dir (which exists). create makes class directories as
 * needed: temporary file "tmp/N" in dir, data, fsync, link to its name, fsync of the directory,
 * unlink of the temporary name. Sources are mapped when `maps` and the os can; else pread.
 * Left-over temporary files are removed by store_sweep.
 */
basin_status store_open_dir(struct os *os, const char *dir, bool read_only, bool maps,
                            const basin_allocator *mem, struct store **out, basin_error *err);
/* Objects in memory; for tests, and strata opened from bytes. */
basin_status store_open_memory(const basin_allocator *mem, struct store **out, basin_error *err);

/* Starts an object; sink commit publishes it durably, and returns EXISTS when the name is taken. */
basin_status store_create(struct store *s, const char *name, struct sink **out,
                          basin_error *err);
/* NOT_FOUND when absent. source->ops->close frees it. */
basin_status store_open(struct store *s, const char *name, struct source **out,
                        basin_error *err);
basin_status store_list(struct store *s, const char *class_name, store_list_fn *fn, void *ctx,
                        basin_error *err);
/* NOT_FOUND when absent. Readers of an open source are not disturbed. */
basin_status store_remove(struct store *s, const char *name, basin_error *err);
void store_close(struct store *s);

/* Whole small objects. put: EXISTS when the name is taken. get: appends to `to`, LIMIT over max. */
basin_status store_put(struct store *s, const char *name, struct bytes data, basin_error *err);
basin_status store_get(struct store *s, const char *name, size_t size_max, struct buf *to,
                       basin_error *err);
/* Directory driver: removes what interrupted creates left behind. Only the lock holder calls it. */
basin_status store_sweep(struct store *s, basin_error *err);

#endif
