// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Memory that is given back all at once.
 *
 * A block is a header and its bytes. Requests come from the newest block; one that is larger than
 * the next block would be gets a block of its own, put behind the newest, so that what is left
 * there is not lost. Blocks double up to ARENA_BLOCK_SIZE_MAX.
 */
#include "base/base.h"

enum { ARENA_BLOCK_SIZE_MAX = 1 << 20, ARENA_BLOCK_SIZE_MIN = 256, ARENA_ALIGN = 8 };

struct arena_block {
    struct arena_block *next; /* older */
    size_t size;              /* with this header */
};

static_assert(sizeof(struct arena_block) % ARENA_ALIGN == 0, "bytes after the header are aligned");

void
arena_init(struct arena *a, const basin_allocator *mem, size_t block_size_min)
{
    size_t size = MAX_OF(block_size_min, (size_t)ARENA_BLOCK_SIZE_MIN);

    *a = (struct arena){ .mem = mem, .block_size = MIN_OF(size, (size_t)ARENA_BLOCK_SIZE_MAX) };
}

void
arena_release(struct arena *a)
{
    struct arena_block *b = a->blocks, *next;

    for (; b != NULL; b = next) {
        next = b->next;
        must(a->used >= b->size);
        a->used -= b->size;
        mem_free(a->mem, b, b->size);
    }
    must(a->used == 0);
    a->blocks = NULL;
    a->next = NULL;
    a->left = 0;
}

static struct arena_block *
new_block(struct arena *a, size_t size)
{
    struct arena_block *b = a->mem->resize(a->mem->ctx, NULL, 0, size);

    if (b != NULL) {
        b->next = NULL;
        b->size = size;
        a->used += size;
    }
    return b;
}

static void *
alloc_alone(struct arena *a, size_t size)
{
    struct arena_block *b = new_block(a, sizeof *b + size);

    if (b == NULL)
        return NULL;
    if (a->blocks == NULL) {
        a->blocks = b;
    } else {
        b->next = a->blocks->next;
        a->blocks->next = b;
    }
    return b + 1;
}

void *
arena_alloc(struct arena *a, size_t size)
{
    struct arena_block *b;
    void *p;

    if (size > SIZE_MAX / 2)
        return NULL;
    size = (MAX_OF(size, (size_t)1) + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    if (size > a->left) {
        if (size > a->block_size - sizeof *b)
            return alloc_alone(a, size);
        b = new_block(a, a->block_size);
        if (b == NULL)
            return NULL;
        b->next = a->blocks;
        a->blocks = b;
        a->next = (uint8_t *)(b + 1);
        a->left = b->size - sizeof *b;
        a->block_size = MIN_OF(a->block_size * 2, (size_t)ARENA_BLOCK_SIZE_MAX);
    }
    p = a->next;
    a->next += size;
    a->left -= size;
    return p;
}
