// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The counting allocator: passes every call on to the caller's allocator and knows how much is
 * out, so that mem_limit can be kept and shown.
 */
#include "lsm/internal.h"

static void *
counting_resize(void *ctx, void *p, size_t old_size, size_t new_size)
{
    struct counting_allocator *c = ctx;
    void *q = c->under->resize(c->under->ctx, p, old_size, new_size);
    size_t used, peak;

    if (q == NULL && new_size != 0)
        return NULL;
    used = atomic_fetch_add_explicit(&c->used, new_size - old_size, memory_order_relaxed) +
           new_size - old_size;
    peak = atomic_load_explicit(&c->peak, memory_order_relaxed);
    while (new_size > old_size && used > peak &&
           !atomic_compare_exchange_weak_explicit(&c->peak, &peak, used, memory_order_relaxed,
                                                  memory_order_relaxed))
        ;
    return q;
}

void
lsm__counting_init(struct counting_allocator *c, const basin_allocator *under)
{
    c->iface = (basin_allocator){ .resize = counting_resize, .ctx = c };
    c->under = under;
    atomic_init(&c->used, 0);
    atomic_init(&c->peak, 0);
}
