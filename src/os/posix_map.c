// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Shared maps of files. The size is checked when the map is made; what can still raise SIGBUS is a
 * file that somebody else cuts, and a page that the disk cannot read. No signal handler is ever
 * installed here.
 */
#include "os/posix.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <unistd.h>

basin_status
posix__map(struct os_file *file, uint64_t at, size_t size, bool write, struct os_map **out,
           basin_error *err)
{
    struct posix_file *f = (struct posix_file *)file;
    size_t skip = (size_t)(at & ((uint64_t)sysconf(_SC_PAGESIZE) - 1));
    struct posix_map *m = NULL;
    uint64_t file_size;
    basin_status st;
    void *p;

    *out = NULL;
    if (write && !f->writable)
        FAIL(err, BASIN_READ_ONLY, "map %s: opened for reading", f->path);
    TRY(posix__size(file, &file_size, err));
    if (at > file_size || size > file_size - at)
        FAIL(err, BASIN_CORRUPT, "map %s: file ends at %" PRIu64 ", needed %zu bytes at %" PRIu64,
             f->path, file_size, size, at);
    m = mem_new(&base_malloc, sizeof *m);
    if (!m)
        FAIL(err, BASIN_NO_MEM, "map %s: out of memory", f->path);
    p = mmap(NULL, size + skip, PROT_READ | (write ? PROT_WRITE : 0), MAP_SHARED, f->fd,
             (off_t)(at - skip));
    if (p == MAP_FAILED) {
        st = posix__fail(err, errno, write, "map", f->path);
        goto out;
    }
    *m = (struct posix_map){ .base.os = file->os,
                             .mapped = p,
                             .mapped_size = size + skip,
                             .data = (uint8_t *)p + skip,
                             .size = size,
                             .writable = write };
    *out = &m->base;
    m = NULL; /* given away */
out:
    mem_free(&base_malloc, m, sizeof *m);
    return st;
}

void
posix__unmap(struct os_map *map)
{
    struct posix_map *m = (struct posix_map *)map;

    if (!m)
        return;
    must(munmap(m->mapped, m->mapped_size) == 0);
    mem_free(&base_malloc, m, sizeof *m);
}

uint8_t *
posix__map_data(struct os_map *map)
{
    return ((struct posix_map *)map)->data;
}

void
posix__map_write(struct os_map *map, size_t at, const void *p, size_t n)
{
    struct posix_map *m = (struct posix_map *)map;

    must(m->writable && at <= m->size && n <= m->size - at);
    if (n)
        memcpy(m->data + at, p, n);
}

void
posix__map_store_u64(struct os_map *map, size_t at, uint64_t v)
{
    struct posix_map *m = (struct posix_map *)map;

    must(m->writable && m->size >= 8 && at <= m->size - 8);
    __atomic_store_n((uint64_t *)(void *)(m->data + at), v, __ATOMIC_SEQ_CST);
}
