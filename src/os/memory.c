// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The allocator that a database uses when the caller gives none: the C library's for small pieces,
 * the system's pages for large ones. Memtable blocks and buffers that come and go then leave no
 * holes in the heap, and what is freed is given back: mem_limit bounds the process, not only a
 * count.
 */
#include <sys/mman.h>

#include "os/os.h"

enum { PAGES_FROM = 256 * 1024, PAGE = 4096 };

static size_t
whole_pages(size_t n)
{
    return (n + PAGE - 1) & ~(size_t)(PAGE - 1);
}

static void *
pages_new(size_t n)
{
    void *p = mmap(NULL, whole_pages(n), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                   0);

    return p == MAP_FAILED ? NULL : p;
}

static void *
small_resize(void *p, size_t old_size, size_t new_size)
{
    return base_malloc.resize(base_malloc.ctx, p, old_size, new_size);
}

static void
piece_free(void *p, size_t n)
{
    if (n >= PAGES_FROM)
        (void)munmap(p, whole_pages(n));
    else
        (void)small_resize(p, n, 0);
}

static void *
pages_resize(void *ctx, void *p, size_t old_size, size_t new_size)
{
    void *q;

    (void)ctx;
    if (new_size == 0) {
        if (p != NULL)
            piece_free(p, old_size);
        return NULL;
    }
    if (p != NULL && old_size < PAGES_FROM && new_size < PAGES_FROM)
        return small_resize(p, old_size, new_size);
    if (p != NULL && old_size >= PAGES_FROM && new_size >= PAGES_FROM) {
        q = mremap(p, whole_pages(old_size), whole_pages(new_size), MREMAP_MAYMOVE);
        return q == MAP_FAILED ? NULL : q;
    }
    q = new_size >= PAGES_FROM ? pages_new(new_size) : small_resize(NULL, 0, new_size);
    if (q != NULL && p != NULL) {
        memcpy(q, p, MIN_OF(old_size, new_size));
        piece_free(p, old_size);
    }
    return q;
}

const basin_allocator os_allocator = { .resize = pages_resize };
