// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Heapsort (Williams 1964): n log n in every case, no recursion, no memory. The C library's qsort
 * may allocate.
 */
#include "base/base.h"

enum { ITEM_SIZE_MAX = 256 };

struct heap {
    uint8_t *items;
    size_t size; /* of an item */
    sort_compare_fn *compare;
};

static void
swap(const struct heap *h, size_t a, size_t b)
{
    uint8_t t[ITEM_SIZE_MAX];

    memcpy(t, h->items + a * h->size, h->size);
    memcpy(h->items + a * h->size, h->items + b * h->size, h->size);
    memcpy(h->items + b * h->size, t, h->size);
}

/* Lets item i sink to its place in the heap of the first `count` items. */
static void
sink(const struct heap *h, size_t i, size_t count)
{
    size_t child;

    for (; (child = 2 * i + 1) < count; i = child) {
        if (child + 1 < count && h->compare(h->items + child * h->size,
                                            h->items + (child + 1) * h->size) < 0)
            child++;
        if (h->compare(h->items + i * h->size, h->items + child * h->size) >= 0)
            break;
        swap(h, i, child);
    }
}

void
sort_items(void *items, size_t count, size_t item_size, sort_compare_fn *compare)
{
    struct heap h = { items, item_size, compare };

    must(item_size > 0 && item_size <= ITEM_SIZE_MAX);
    for (size_t i = count / 2; i-- > 0;)
        sink(&h, i, count);
    for (size_t n = count; n > 1; n--) {
        swap(&h, 0, n - 1);
        sink(&h, 0, n - 1);
    }
}
