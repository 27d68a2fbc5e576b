// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * What the files of the directory driver share. Private to the room.
 *
 * Sources that are not mapped read through a handle, and there may be more of them than the process
 * may have handles. So only `handles_max` of them keep one: the others give theirs back, least
 * recently used first, and open it again by name when they read. An object that is removed while it
 * is open in this store gets its handle back first and keeps it. One that another process removes
 * meanwhile is gone for a source without a handle: the table of readers above prevents it.
 *
 * (D1) a source is in `idle` when it has a handle, nobody reads through it, and it may lose it.
 * (D2) handles counts the sources that have one.
 */
#ifndef STORE_DIR_H
#define STORE_DIR_H

#include "store/store_driver.h"

enum {
    DIR_BUFFER_SIZE = 128 * 1024,
    DIR_WRITE_BEHIND = 1024 * 1024, /* after so many bytes the system may start to write them */
    DIR_CLASSES_MAX = 16, /* remembered as durable; a further one costs a sync per object */
    DIR_SALT_SIZE = 16,
    DIR_HANDLES_MIN = 4,
    DIR_HANDLES_MAX = 4096
};

/* An open object. Mapped: immutable. Else: handle, pins and place in lists are GUARDED(mu). */
struct dir_source {
    struct source base;
    struct dir_store *store;
    struct os_map *map; /* NULL when not mapped */
    struct os_file *file;
    unsigned pins;           /* reads that go on */
    bool removed;            /* the name is gone: the handle is all there is */
    struct dir_source *next; /* of all that are not mapped */
    struct dir_source *prev;
    struct dir_source *idle_next; /* towards the most recently used */
    struct dir_source *idle_prev;
    bool idle;
};

struct dir_store {
    struct store base;
    struct os *os;
    const basin_allocator *mem;
    bool read_only;
    bool maps;
    size_t dir_size;      /* of dir with its NUL */
    size_t handles_max;   /* for sources */
    atomic_bool poisoned; /* a directory sync failed: what a later one says means nothing */
    struct os_mutex *mu;
    char salt[DIR_SALT_SIZE + 1];                      /* GUARDED(mu) until set */
    uint64_t next_tmp;                                 /* GUARDED(mu) */
    char classes[DIR_CLASSES_MAX][STORE_NAME_MAX + 1]; /* GUARDED(mu), durable ones */
    size_t class_count;                                /* GUARDED(mu) */
    struct dir_source *sources;                        /* GUARDED(mu), those not mapped */
    struct dir_source *idle_oldest;                    /* GUARDED(mu) */
    struct dir_source *idle_newest;                    /* GUARDED(mu) */
    size_t handles;                                    /* GUARDED(mu) */
    char dir[];
};

static inline basin_status
dir_path(const struct dir_store *s, const char *name, char to[OS_PATH_MAX], basin_error *err)
{
    return os_join(to, s->dir, name, err);
}

/* store_source.c */
basin_status dir__open(struct store *store, const char *name, struct source **out,
                       basin_error *err);
/* Before a name goes away: open sources of it get their handle and keep it. */
basin_status dir__keep_handles(struct dir_store *s, const char *name, basin_error *err);

#endif
