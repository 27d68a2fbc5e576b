// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The allocator table over the C library, and the two calls that rooms use with any table.
 *
 * Sizes are passed back exactly on every free, so that an allocator may count without a header of
 * its own. Nothing in Basin calls malloc elsewhere on behalf of a handle.
 */
#include "base/base.h"

#include <stdlib.h>

static void *
malloc_resize(void *ctx, void *p, size_t old_size, size_t new_size)
{
    (void)ctx;
    (void)old_size;
    if (new_size == 0) {
        free(p);
        return NULL;
    }
    return realloc(p, new_size);
}

const basin_allocator base_malloc = { .resize = malloc_resize };

void *
mem_new(const basin_allocator *mem, size_t size)
{
    void *p;

    must(size > 0);
    p = mem->resize(mem->ctx, NULL, 0, size);
    if (p != NULL)
        memset(p, 0, size);
    return p;
}

void
mem_free(const basin_allocator *mem, void *p, size_t size)
{
    if (p != NULL)
        mem->resize(mem->ctx, p, size, 0);
}
