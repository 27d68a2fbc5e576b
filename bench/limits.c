// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * What the machine can do at best, so that a figure of an engine can be read against it: durable
 * appends in several forms, writes, reads from disk and page cache, memory, checksums, search.
 * Prints a Markdown table; each line is one small loop that times nothing but its subject.
 *
 * usage: basin_limits [DIR]    files are made in DIR (here) and removed; about 600 MB
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>

#include "bench.h"

#define MIB ((size_t)1 << 20)
enum { PAGE = 4096, SYNCS = 1000, RECORD = 140, FILE_MIB = 512, BIG_MIB = 256 };

struct lab {
    char path[512];
    uint8_t *chunk;         /* 1 MiB, aligned and filled */
    uint8_t *big;           /* BIG_MIB, touched */
    volatile uint64_t sink; /* keeps results alive */
};

_Noreturn static void
broken(const char *what)
{
    bench_fail("%s: %s", what, strerror(errno));
}

static int
file_open(const struct lab *lab, int flags)
{
    int fd = open(lab->path, O_RDWR | O_CLOEXEC | flags, 0644);

    if (fd < 0)
        broken(lab->path);
    return fd;
}

static void
print_latency(const char *what, const struct hist *h, double seconds)
{
    printf("| %s | p50 %.1f us, p99 %.1f us, %.1fk/s |\n", what,
           (double)hist_quantile(h, 0.5) * 1e-3, (double)hist_quantile(h, 0.99) * 1e-3,
           (double)h->count / seconds * 1e-3);
}

static void
print_each(const char *what, uint64_t ns, uint64_t count)
{
    printf("| %s | %.1f ns |\n", what, (double)ns / (double)count);
}

static void
print_rate(const char *what, uint64_t bytes, uint64_t ns)
{
    printf("| %s | %.2f GB/s |\n", what, (double)bytes / (double)ns);
}

/* One write of a page at `at`, made durable. */
enum durable {
    APPEND_DATASYNC,
    APPEND_SYNC,
    OVERWRITE_DATASYNC,
    OVERWRITE_DSYNC,
    DIRECT_DSYNC,
    MAPPED_DATASYNC
};

static void
durable_write(struct lab *lab, int fd, uint8_t *map, enum durable kind, off_t at)
{
    if (map)
        memcpy(map + at, lab->chunk, PAGE);
    else if (pwrite(fd, lab->chunk, PAGE, at) != PAGE)
        broken("write");
    if (kind == APPEND_SYNC ? fsync(fd) != 0
                            : kind != OVERWRITE_DSYNC && kind != DIRECT_DSYNC && fdatasync(fd) != 0)
        broken("sync");
}

static void
measure_durable(struct lab *lab, const char *what, enum durable kind)
{
    bool grows = kind == APPEND_DATASYNC || kind == APPEND_SYNC;
    int flags = kind == OVERWRITE_DSYNC ? O_DSYNC : kind == DIRECT_DSYNC ? O_DSYNC | O_DIRECT : 0;
    struct hist *h = bench_alloc(sizeof *h);
    uint8_t *map = NULL;
    uint64_t start;
    int fd = file_open(lab, O_CREAT | O_TRUNC);

    memset(h, 0, sizeof *h);
    for (int i = 0; !grows && i < SYNCS; i++)
        if (write(fd, lab->chunk, PAGE) != PAGE)
            broken("fill");
    if (fsync(fd) != 0)
        broken("sync");
    close(fd);
    fd = file_open(lab, flags);
    if (kind == MAPPED_DATASYNC)
        map = mmap(NULL, (size_t)SYNCS * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        broken("map");
    start = now_ns();
    for (int i = 0; i < SYNCS; i++) {
        uint64_t from = now_ns();

        durable_write(lab, fd, map, kind, (off_t)i * PAGE);
        hist_add(h, now_ns() - from);
    }
    print_latency(what, h, (double)(now_ns() - start) * 1e-9);
    if (map)
        munmap(map, (size_t)SYNCS * PAGE);
    close(fd);
    free(h);
}

static void
measure_log_appends(struct lab *lab)
{
    enum { COUNT = 400000 };
    size_t size = (size_t)COUNT * RECORD;
    int fd = file_open(lab, O_CREAT | O_TRUNC);
    uint64_t from = now_ns();
    uint8_t *map;

    for (int i = 0; i < COUNT; i++)
        if (write(fd, lab->chunk, RECORD) != RECORD)
            broken("write");
    print_each("write() of 140 B a record", now_ns() - from, COUNT);
    map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        broken("map");
    for (int round = 0; round < 2; round++) {
        from = now_ns();
        for (size_t at = 0; at < size; at += RECORD) {
            uint64_t sum = XXH3_64bits(lab->chunk, RECORD - 8);

            memcpy(map + at, lab->chunk, RECORD - 8);
            memcpy(map + at + RECORD - 8, &sum, 8);
        }
        print_each(round ? "mapped log append with XXH3, pages touched before"
                         : "mapped log append with XXH3, first touch",
                   now_ns() - from, COUNT);
    }
    munmap(map, size);
    close(fd);
}

static void
measure_sequential(struct lab *lab)
{
    uint64_t size = FILE_MIB * MIB, from, written;
    int fd = file_open(lab, O_CREAT | O_TRUNC);

    from = now_ns();
    for (int i = 0; i < FILE_MIB; i++)
        if (write(fd, lab->chunk, MIB) != (ssize_t)MIB)
            broken("write");
    written = now_ns();
    print_rate("sequential write, buffered", size, written - from);
    if (fdatasync(fd) != 0)
        broken("sync");
    print_rate("sequential write with fdatasync at the end", size, now_ns() - from);
    from = now_ns();
    for (uint64_t at = 0; at < size; at += MIB)
        if (pread(fd, lab->big, MIB, (off_t)at) != (ssize_t)MIB)
            broken("read");
    print_rate("sequential read from the page cache", size, now_ns() - from);
    close(fd);
    fd = file_open(lab, O_DIRECT);
    from = now_ns();
    for (uint64_t at = 0; at < size; at += MIB)
        if (pread(fd, lab->big, MIB, (off_t)at) != (ssize_t)MIB)
            broken("read");
    print_rate("sequential read, O_DIRECT 1 MiB", size, now_ns() - from);
    close(fd);
}

/* The file of measure_sequential is there. */
static void
measure_random_reads(struct lab *lab)
{
    enum { COLD = 2000, WARM = 200000 };
    struct hist *h = bench_alloc(sizeof *h);
    struct chance c = { 5 };
    uint64_t pages = FILE_MIB * MIB / PAGE, from, start;
    int fd = file_open(lab, O_DIRECT);

    memset(h, 0, sizeof *h);
    start = now_ns();
    for (int i = 0; i < COLD; i++) {
        from = now_ns();
        if (pread(fd, lab->big, PAGE, (off_t)(chance_below(&c, pages) * PAGE)) != PAGE)
            broken("read");
        hist_add(h, now_ns() - from);
    }
    print_latency("random 4 KiB from disk, one at a time", h, (double)(now_ns() - start) * 1e-9);
    close(fd);
    fd = file_open(lab, 0);
    for (uint64_t at = 0; at < pages; at++)
        if (pread(fd, lab->big, PAGE, (off_t)(at * PAGE)) != PAGE)
            broken("read");
    from = now_ns();
    for (int i = 0; i < WARM; i++)
        if (pread(fd, lab->big, PAGE, (off_t)(chance_below(&c, pages) * PAGE)) != PAGE)
            broken("read");
    print_each("pread of 4 KiB from the page cache", now_ns() - from, WARM);
    close(fd);
    free(h);
}

/* Follows a chain through every cache line of `size` bytes in random order. */
static void
measure_misses(struct lab *lab, bool huge)
{
    enum { STEP = 64, WALKS = 4000000 };
    size_t size = BIG_MIB * MIB, lines = size / STEP;
    uint8_t *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint32_t *order = bench_alloc(lines * sizeof *order), next = 0;
    struct chance c = { 9 };
    uint64_t from;

    if (at == MAP_FAILED)
        broken("map");
    if (madvise(at, size, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE) != 0 && huge)
        printf("| huge pages | not given: %s |\n", strerror(errno));
    for (uint32_t i = 0; i < lines; i++)
        order[i] = i;
    for (uint32_t i = (uint32_t)lines - 1; i > 0; i--) { /* one cycle: Sattolo */
        uint32_t j = (uint32_t)chance_below(&c, i), t = order[i];

        order[i] = order[j];
        order[j] = t;
    }
    for (size_t i = 0; i < lines; i++)
        memcpy(at + i * STEP, &order[i], sizeof order[i]);
    from = now_ns();
    for (int i = 0; i < WALKS; i++)
        memcpy(&next, at + (size_t)next * STEP, sizeof next);
    print_each(huge ? "random cache line in 256 MiB, huge pages asked for"
                    : "random cache line in 256 MiB, 4 KiB pages",
               now_ns() - from, WALKS);
    lab->sink = next;
    munmap(at, size);
    free(order);
}

static void
measure_memory(struct lab *lab)
{
    size_t half = BIG_MIB * MIB / 2;
    uint64_t from = now_ns(), sum = 0, x;

    for (int i = 0; i < 8; i++)
        memcpy(lab->big + half, lab->big, half);
    print_rate("memcpy of 128 MiB", 8 * half, now_ns() - from);
    from = now_ns();
    for (size_t at = 0; at < BIG_MIB * MIB; at += 8) {
        memcpy(&x, lab->big + at, 8);
        sum += x;
    }
    print_rate("reading 256 MiB", BIG_MIB * MIB, now_ns() - from);
    from = now_ns();
    for (size_t at = 0; at < BIG_MIB * MIB; at += PAGE)
        sum += XXH3_64bits(lab->big + at, PAGE);
    print_rate("XXH3 of 4 KiB pages", BIG_MIB * MIB, now_ns() - from);
    lab->sink = sum;
    from = now_ns();
    for (int i = 0; i < 1000000; i++)
        sum += now_ns();
    print_each("clock_gettime", now_ns() - from, 1000000);
    lab->sink = sum;
}

static void
measure_search(struct lab *lab)
{
    enum { COUNT = 2000000, GETS = 1000000 };
    struct world w = { .count = COUNT, .value_size = 16, .binary_keys = true, .seed = 1 };
    uint64_t *keys = bench_alloc(COUNT * sizeof *keys), from, found = 0;
    struct chance c = { 3 };
    uint8_t key[KEY_SIZE];

    world_init(&w);
    for (size_t i = 0; i < COUNT; i++) {
        key_make(&w, w.sorted[i], key);
        memcpy(&keys[i], key, 8);
        keys[i] = __builtin_bswap64(keys[i]);
    }
    from = now_ns();
    for (int i = 0; i < GETS; i++) {
        uint64_t want = keys[chance_below(&c, COUNT)];
        size_t low = 0, high = COUNT;

        while (low < high) {
            size_t middle = low + (high - low) / 2;

            if (keys[middle] < want)
                low = middle + 1;
            else
                high = middle;
        }
        found += low;
    }
    print_each("binary search in 2M sorted u64", now_ns() - from, GETS);
    lab->sink = found;
    world_release(&w);
    free(keys);
}

int
main(int argc, char **argv)
{
    struct lab lab;

    snprintf(lab.path, sizeof lab.path, "%s/limits.data", argc > 1 ? argv[1] : ".");
    lab.chunk = aligned_alloc(PAGE, MIB);
    lab.big = aligned_alloc(PAGE, BIG_MIB * MIB);
    if (!lab.chunk || !lab.big)
        bench_fail("no memory");
    memset(lab.chunk, 'c', MIB);
    memset(lab.big, 'b', BIG_MIB * MIB);
    puts("| what | value |\n|---|---|");
    measure_durable(&lab, "append 4 KiB + fdatasync (file grows)", APPEND_DATASYNC);
    measure_durable(&lab, "append 4 KiB + fsync", APPEND_SYNC);
    measure_durable(&lab, "overwrite 4 KiB in a written file + fdatasync", OVERWRITE_DATASYNC);
    measure_durable(&lab, "the same, O_DSYNC", OVERWRITE_DSYNC);
    measure_durable(&lab, "the same, O_DIRECT + O_DSYNC", DIRECT_DSYNC);
    measure_durable(&lab, "mapped file, memcpy + fdatasync", MAPPED_DATASYNC);
    measure_log_appends(&lab);
    measure_sequential(&lab);
    measure_random_reads(&lab);
    measure_memory(&lab);
    measure_misses(&lab, false);
    measure_misses(&lab, true);
    measure_search(&lab);
    unlink(lab.path);
    free(lab.chunk);
    free(lab.big);
    return 0;
}
