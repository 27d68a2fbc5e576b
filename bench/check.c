// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * What must be in the database, and the comparison with what came out of it.
 *
 * A writer marks a key before it writes (claim) and states the new version when the engine has
 * acknowledged it (settle). A reader notes the slot before its get; afterwards every version from
 * the one acknowledged then to the one claimed now is right, anything else is an error.
 * Who has read a value of the writer also sees its claim, since the engine hands the value over in
 * order; the acknowledgement is released by settle and acquired before the get.
 * A scan is compared with the known order of all keys, so missing, foreign and doubled pairs show.
 */
#include <stdlib.h>
#include <string.h>

#include "bench.h"

void
state_init(struct state *s, const struct world *w)
{
    s->w = w;
    s->slots = bench_alloc_huge(w->count * sizeof *s->slots);
    for (uint64_t i = 0; i < w->count; i++)
        atomic_init(&s->slots[i], 0);
}

void
state_release(struct state *s)
{
    free((void *)s->slots);
    s->slots = NULL;
}

uint32_t
state_claim(struct state *s, uint64_t index)
{
    uint32_t slot = atomic_load_explicit(&s->slots[index], memory_order_relaxed);

    if (slot & SLOT_WRITING)
        return 0;
    atomic_store_explicit(&s->slots[index], slot | SLOT_WRITING, memory_order_relaxed);
    return (slot >> SLOT_SHIFT) + 1;
}

void
state_settle(struct state *s, uint64_t index, bool deleted)
{
    uint32_t slot = atomic_load_explicit(&s->slots[index], memory_order_relaxed);
    uint32_t next = ((slot >> SLOT_SHIFT) + 1) << SLOT_SHIFT;

    atomic_store_explicit(&s->slots[index], deleted ? next | SLOT_DELETED : next,
                          memory_order_release);
}

bool
state_live(const struct state *s, uint64_t index)
{
    uint32_t slot = atomic_load_explicit(&s->slots[index], memory_order_relaxed);

    return slot >> SLOT_SHIFT != 0 && !(slot & SLOT_DELETED);
}

uint64_t
state_live_count(const struct state *s)
{
    uint64_t n = 0;

    for (uint64_t i = 0; i < s->w->count; i++)
        n += state_live(s, i);
    return n;
}

bool
state_accepts(const struct state *s, uint64_t index, uint32_t before, const void *value,
              size_t size)
{
    uint32_t after = atomic_load_explicit(&s->slots[index], memory_order_acquire);
    uint32_t lowest = before >> SLOT_SHIFT;
    uint32_t highest = (after >> SLOT_SHIFT) + (after & SLOT_WRITING);
    uint8_t expected[VALUE_SIZE_MAX + 8];
    uint32_t version;

    if (size != s->w->value_size)
        return false;
    memcpy(&version, (const uint8_t *)value + 8, sizeof version);
    if (version < lowest || version > highest || version == 0)
        return false;
    value_make(s->w, index, version, expected);
    return memcmp(expected, value, size) == 0;
}

void
scan_check_init(struct scan_check *c, const struct state *s, uint64_t rank, bool backward)
{
    *c = (struct scan_check){ .state = s, .at = rank, .backward = backward };
}

static void
step(struct scan_check *c)
{
    uint64_t last = c->backward ? 0 : c->state->w->count - 1;

    if (c->at == last)
        c->ended = true;
    else
        c->at += c->backward ? UINT64_MAX : 1;
}

/* Moves to the next rank whose key must be there. */
static void
skip_absent(struct scan_check *c)
{
    const uint32_t *sorted = c->state->w->sorted;

    while (!c->ended && !state_live(c->state, sorted[c->at]))
        step(c);
}

/* Inlined by force: gcc drops calls of a function that does nothing but prefetch. */
static inline __attribute__((always_inline)) void
look_ahead(const struct scan_check *c)
{
    const struct world *w = c->state->w;
    uint64_t ahead = c->backward ? c->at - 16 : c->at + 16;

    if (ahead < w->count)
        __builtin_prefetch((const void *)&c->state->slots[w->sorted[ahead]]);
}

bool
scan_check_visit(void *ctx, const void *key, size_t key_size, const void *value, size_t value_size)
{
    struct scan_check *c = ctx;
    const struct world *w = c->state->w;
    uint8_t expected[KEY_SIZE];

    c->seen++;
    c->bytes += key_size + value_size;
    for (;;) {
        int order;

        skip_absent(c);
        if (c->ended || key_size != KEY_SIZE) {
            c->errors++;
            return c->errors < w->count;
        }
        look_ahead(c);
        key_make(w, w->sorted[c->at], expected);
        order = memcmp(key, expected, KEY_SIZE);
        if (order == 0)
            break;
        c->errors++;
        if ((order < 0) != c->backward)
            return true; /* foreign or out of order; what is expected may still come */
        step(c);
    }
    if (!state_accepts(c->state, w->sorted[c->at],
                       atomic_load_explicit(&c->state->slots[w->sorted[c->at]],
                                            memory_order_relaxed),
                       value, value_size))
        c->errors++;
    step(c);
    return true;
}

void
scan_check_end(struct scan_check *c)
{
    for (skip_absent(c); !c->ended; skip_absent(c)) {
        c->errors++;
        step(c);
    }
}
