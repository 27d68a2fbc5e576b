// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * What the POSIX files of the room share: the open file, the map, and how an errno becomes a
 * status. Private to the room (and to its tests).
 */
#ifndef OS_POSIX_H
#define OS_POSIX_H

#include <pthread.h>
#include <sys/types.h>

#include "os/os.h"

/* An open regular file. Threads: any. Syncs of one go one after the other: the kernel tells an
 * error once for an open file, so that of two side by side one would hear of nothing. */
struct posix_file {
    struct os_file base;
    int fd;
    bool writable;
    pthread_mutex_t sync_mu;
    bool poisoned; /* GUARDED(sync_mu) a sync failed: pages may be clean and not on disk */
    char path[];   /* for error texts */
};

/* A shared map. Immutable but for its bytes. */
struct posix_map {
    struct os_map base;
    uint8_t *mapped; /* what mmap returned: starts at a page */
    size_t mapped_size;
    uint8_t *data; /* what the caller asked for, inside it */
    size_t size;
    bool writable;
};

/* Turns errno e of `verb` on `path` into an error and its status. writing: the call would have
 * changed something, so that a refusal is READ_ONLY. */
basin_status posix__fail(basin_error *err, int e, bool writing, const char *verb, const char *path);

/* files: posix.c */
basin_status posix__open(struct os *os, const char *path, unsigned flags, struct os_file **out,
                         basin_error *err);
void posix__close(struct os_file *file);
basin_status posix__read(struct os_file *file, uint64_t at, void *to, size_t n, size_t *got,
                         basin_error *err);
basin_status posix__write(struct os_file *file, uint64_t at, const void *p, size_t n,
                          basin_error *err);
basin_status posix__size(struct os_file *file, uint64_t *size, basin_error *err);
basin_status posix__truncate(struct os_file *file, uint64_t size, basin_error *err);
basin_status posix__allocate(struct os_file *file, uint64_t size, basin_error *err);
/* allocate for file systems without fallocate: zeros into every hole below size and up to it. */
basin_status posix__allocate_zeros(struct os_file *file, uint64_t size, basin_error *err);
basin_status posix__sync(struct os_file *file, bool data_only, basin_error *err);
void posix__write_behind(struct os_file *file, uint64_t at, uint64_t n);
basin_status posix__lock(struct os_file *file, uint64_t at, uint64_t n, enum os_lock_kind kind,
                         basin_error *err);
basin_status posix__unlock(struct os_file *file, uint64_t at, uint64_t n, basin_error *err);
basin_status posix__test_lock(struct os_file *file, uint64_t at, uint64_t n, enum os_lock_kind kind,
                              basin_error *err);

/* maps: posix_map.c */
basin_status posix__map(struct os_file *file, uint64_t at, size_t size, bool write,
                        struct os_map **out, basin_error *err);
void posix__unmap(struct os_map *map);
uint8_t *posix__map_data(struct os_map *map);
void posix__map_write(struct os_map *map, size_t at, const void *p, size_t n);
void posix__map_store_u64(struct os_map *map, size_t at, uint64_t v);

#endif
