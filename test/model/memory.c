// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Each block carries its size in a header of 16 bytes, so a wrong size given back is found at the
 * place where it is given back.
 */
#include "memory.h"

#include <stdlib.h>

enum { HEADER = 16 };

static bool
refuse(struct test_memory *m)
{
    size_t n = atomic_fetch_add(&m->calls, 1) + 1;

    if (m->refuse_at == 0)
        return false;
    return n == m->refuse_at || (m->refuse_all_after && n > m->refuse_at);
}

static void
note_size(struct test_memory *m, size_t old_size, size_t new_size)
{
    size_t live = atomic_fetch_add(&m->live, new_size - old_size) + new_size - old_size;
    size_t peak = atomic_load(&m->peak);

    while (live > peak && !atomic_compare_exchange_weak(&m->peak, &peak, live))
        ;
}

static void *
test_resize(void *ctx, void *p, size_t old_size, size_t new_size)
{
    struct test_memory *m = ctx;
    uint8_t *block = p ? (uint8_t *)p - HEADER : NULL;
    uint64_t size = new_size;

    must(p != NULL || old_size == 0);
    must(block == NULL || load_u64(block) == old_size);
    if (new_size == 0) {
        if (block != NULL)
            note_size(m, old_size, 0);
        free(block);
        return NULL;
    }
    if (refuse(m))
        return NULL;
    block = realloc(block, HEADER + new_size);
    must(block != NULL);
    memcpy(block, &size, sizeof size);
    note_size(m, old_size, new_size);
    return block + HEADER;
}

void
test_memory_init(struct test_memory *m)
{
    memset(m, 0, sizeof *m);
    m->table = (basin_allocator){ .resize = test_resize, .ctx = m };
}

void
test_memory_refuse(struct test_memory *m, size_t n)
{
    m->refuse_at = n;
    m->refuse_all_after = false;
    atomic_store(&m->calls, 0);
}

void
test_memory_refuse_from(struct test_memory *m, size_t n)
{
    test_memory_refuse(m, n);
    m->refuse_all_after = true;
}

bool
test_memory_refused(const struct test_memory *m)
{
    return m->refuse_at != 0 && atomic_load(&m->calls) >= m->refuse_at;
}
