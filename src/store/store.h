// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Door of the room store: whole immutable objects by name. The only primitives are
 * create-if-absent, ranged read, strong listing and delete, so that a directory, memory and object
 * storage can all be drivers (design: the log per epoch).
 *
 * Names are [a-z0-9-]+ in at most two parts, "strata/3-17"; the first part is a class. The class
 * "tmp" belongs to the directory driver. An object without a class is in the class "".
 * Threads: any, concurrently; a sink is confined.
 * Sinks and sources are freed before their store is closed.
 */
#ifndef STORE_H
#define STORE_H

#include "base/base.h"
#include "os/os.h"

enum {
    STORE_NAME_MAX = 63,  /* bytes of a name, the class included */
    STORE_LOCK_RANK = 900 /* of the mutexes in here; nothing else is ever taken under them */
};

struct store;

/* Called by list in ascending name order; name is without the class. */
typedef basin_status store_list_fn(void *ctx, const char *name, uint64_t size, basin_error *err);

struct store_ops {
    basin_status (*create)(struct store *s, const char *name, struct sink **out, basin_error *err);
    basin_status (*open)(struct store *s, const char *name, struct source **out, basin_error *err);
    basin_status (*list)(struct store *s, const char *class_name, store_list_fn *fn, void *ctx,
                         basin_error *err);
    basin_status (*remove)(struct store *s, const char *name, basin_error *err);
    void (*close)(struct store *s);
    basin_status (*sweep)(struct store *s, basin_error *err); /* NULL = nothing to sweep */
    basin_status (*failure)(struct store *s, basin_error *err); /* NULL = never */
    void (*no_maps)(struct store *s);                           /* NULL = it maps nothing */
};
struct store {
    const struct store_ops *ops;
};

/*
 * Opens the directory driver over os at dir (which exists). create makes class directories as
 * needed: temporary file "tmp/N" in dir, data, fsync, link to its name, fsync of the directory,
 * unlink of the temporary name. Left-over temporary files are removed by store_sweep.
 * Sources are mapped when `maps` and the os can, and then keep no descriptor; else they share a
 * quarter of the descriptors that the process may have, and open their file again when they need
 * to: thousands of objects may be open under a small limit.
 */
basin_status store_open_dir(struct os *os, const char *dir, bool read_only, bool maps,
                            const basin_allocator *mem, struct store **out, basin_error *err);
/* Objects in memory; for tests, and strata opened from bytes. */
basin_status store_open_memory(const basin_allocator *mem, struct store **out, basin_error *err);

/* Starts an object; sink commit publishes it durably, and returns EXISTS when the name is taken.
 * After any failure of write or commit the sink can only be freed. A commit that failed otherwise
 * than by EXISTS may have left the whole object or nothing, never a part. Directory driver: after a
 * failed sync of a directory nothing more is acknowledged until the store is opened anew. */
basin_status store_create(struct store *s, const char *name, struct sink **out, basin_error *err);
/* NOT_FOUND when absent. source->ops->close frees it. A read past the end is CORRUPT. */
basin_status store_open(struct store *s, const char *name, struct source **out, basin_error *err);
/* A class that was never written to is empty. */
basin_status store_list(struct store *s, const char *class_name, store_list_fn *fn, void *ctx,
                        basin_error *err);
/* NOT_FOUND when absent. Readers of an open source are not disturbed. Not durable by itself: a
 * power loss may bring the object back. */
basin_status store_remove(struct store *s, const char *name, basin_error *err);
void store_close(struct store *s);

/* Whole small objects. put: EXISTS when the name is taken. get: appends to `to`, LIMIT over max. */
basin_status store_put(struct store *s, const char *name, struct bytes data, basin_error *err);
basin_status store_get(struct store *s, const char *name, size_t size_max, struct buf *to,
                       basin_error *err);
/* Directory driver: removes what interrupted creates of other processes left behind, and makes the
 * names durable that a killed process had published without having synced them. Only the lock
 * holder calls it, before it builds on what it finds. */
basin_status store_sweep(struct store *s, basin_error *err);
/* OK, or why no object can be published any more until the store is opened anew. */
basin_status store_failure(struct store *s, basin_error *err);
/* Maps no source that is opened from now on. Not beside other calls. */
void store_no_maps(struct store *s);

#endif
