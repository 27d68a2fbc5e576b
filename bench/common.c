// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The little that both programs need: giving up, memory, the clock.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define HUGE_PAGE ((size_t)2 << 20)

void
bench_fail(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    fputs("bench: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
    fflush(stderr);
    _exit(3);
}

void *
bench_alloc(size_t n)
{
    void *p = malloc(n ? n : 1);

    if (!p)
        bench_fail("no memory for %zu bytes", n);
    return p;
}

void *
bench_alloc_huge(size_t n)
{
    size_t size = (n + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    void *p = aligned_alloc(HUGE_PAGE, size ? size : HUGE_PAGE);

    if (!p)
        bench_fail("no memory for %zu bytes", n);
    (void)madvise(p, size, MADV_HUGEPAGE); /* a wish; small pages do as well */
    return p;
}

uint64_t
now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
