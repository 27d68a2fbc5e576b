// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Owned, growing bytes.
 *
 * Capacity doubles, so n single additions cost O(n); a refused allocation leaves the content as it
 * was. What is added must not lie inside the same buffer: growing would move it away.
 */
#include "base/base.h"

enum { BUF_CAPACITY_MIN = 64 };

void
buf_init(struct buf *b, const basin_allocator *mem)
{
    *b = (struct buf){ .mem = mem };
}

void
buf_release(struct buf *b)
{
    mem_free(b->mem, b->data, b->capacity);
    *b = (struct buf){ .mem = b->mem };
}

basin_status
buf_reserve(struct buf *b, size_t more)
{
    size_t need, capacity;
    uint8_t *data;

    must(b->size <= b->capacity);
    if (more <= b->capacity - b->size)
        return BASIN_OK;
    if (more > SIZE_MAX / 2 - b->size)
        return BASIN_NO_MEM;
    need = b->size + more;
    capacity = MAX_OF(need, MAX_OF(b->capacity * 2, (size_t)BUF_CAPACITY_MIN));
    data = b->mem->resize(b->mem->ctx, b->data, b->capacity, capacity);
    if (data == NULL)
        return BASIN_NO_MEM;
    b->data = data;
    b->capacity = capacity;
    return BASIN_OK;
}

basin_status
buf_add(struct buf *b, const void *p, size_t n)
{
    basin_status st;

    if (n == 0)
        return BASIN_OK;
    st = buf_reserve(b, n);
    if (st != BASIN_OK)
        return st;
    memcpy(b->data + b->size, p, n);
    b->size += n;
    return BASIN_OK;
}

basin_status
buf_set(struct buf *b, const void *p, size_t n)
{
    size_t size = b->size;
    basin_status st;

    b->size = 0;
    st = buf_add(b, p, n);
    if (st != BASIN_OK)
        b->size = size;
    return st;
}
