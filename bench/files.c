// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The engine's directory seen from outside: how much it occupies, putting it out of the page cache,
 * removing it, and what a durable append costs on its file system.
 * Sizes are allocated blocks, so sparse files count what they hold and preallocated ones all.
 */
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"

/* Calls fn for every entry below a directory, contents before their directory. */
static void
walk(const char *dir, void (*fn)(void *ctx, const FTSENT *e), void *ctx)
{
    char *path = strdup(dir);
    char *roots[] = { path, NULL };
    FTS *tree;
    FTSENT *e;

    if (!path || access(dir, F_OK) != 0) {
        free(path);
        return;
    }
    tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    if (!tree)
        bench_fail("%s: %s", dir, strerror(errno));
    while ((e = fts_read(tree)) != NULL)
        if (e->fts_info == FTS_F || e->fts_info == FTS_DP || e->fts_info == FTS_DEFAULT)
            fn(ctx, e);
    fts_close(tree);
    free(path);
}

static void
add_blocks(void *ctx, const FTSENT *e)
{
    if (e->fts_info == FTS_F)
        *(uint64_t *)ctx += (uint64_t)e->fts_statp->st_blocks * 512;
}

uint64_t
disk_bytes(const char *dir)
{
    uint64_t sum = 0;

    walk(dir, add_blocks, &sum);
    return sum;
}

static void
remove_entry(void *ctx, const FTSENT *e)
{
    (void)ctx;
    if (remove(e->fts_accpath) != 0)
        bench_fail("%s: %s", e->fts_path, strerror(errno));
}

void
remove_tree(const char *dir)
{
    walk(dir, remove_entry, NULL);
}

struct residency {
    uint64_t pages;
    uint64_t resident;
};

static void
count_resident(struct residency *r, int fd, size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = (size + page - 1) / page;
    unsigned char *seen = bench_alloc(pages);
    void *map = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);

    if (map != MAP_FAILED && mincore(map, size, seen) == 0) {
        for (size_t i = 0; i < pages; i++)
            r->resident += seen[i] & 1;
        r->pages += pages;
    }
    if (map != MAP_FAILED)
        munmap(map, size);
    free(seen);
}

static void
evict_file(void *ctx, const FTSENT *e)
{
    int fd;

    if (e->fts_info != FTS_F || e->fts_statp->st_blocks == 0 || e->fts_statp->st_size == 0)
        return;
    fd = open(e->fts_accpath, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        bench_fail("%s: %s", e->fts_path, strerror(errno));
    if (fsync(fd) != 0) /* dirty pages would stay */
        bench_fail("%s: fsync: %s", e->fts_path, strerror(errno));
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    /* a sparse map of tens of gigabytes is not worth a page table: look at what is there */
    if ((uint64_t)e->fts_statp->st_size <= (uint64_t)e->fts_statp->st_blocks * 512 * 4)
        count_resident(ctx, fd, (size_t)e->fts_statp->st_size);
    close(fd);
}

double
evict(const char *dir)
{
    struct residency r = { 0, 0 };

    walk(dir, evict_file, &r);
    return r.pages ? (double)r.resident / (double)r.pages : 0;
}

static int
by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

uint64_t
sync_probe(const char *dir)
{
    enum { ROUNDS = 41 };
    uint64_t took[ROUNDS];
    char path[512], page[4096];
    int fd;

    snprintf(path, sizeof path, "%s/sync.probe", dir);
    memset(page, 'p', sizeof page);
    fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
    if (fd < 0)
        bench_fail("%s: %s", path, strerror(errno));
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t from = now_ns();

        if (write(fd, page, sizeof page) != sizeof page || fdatasync(fd) != 0)
            bench_fail("%s: %s", path, strerror(errno));
        took[i] = now_ns() - from;
    }
    close(fd);
    unlink(path);
    qsort(took, ROUNDS, sizeof took[0], by_size);
    return took[ROUNDS / 2];
}
