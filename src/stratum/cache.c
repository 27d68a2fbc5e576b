// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The page cache: decoded blocks of strata that cannot be read in place.
 *
 *   slot:  empty --insert--> (frame, pins) --last unpin, hand passes twice--> empty
 *
 * A hit adds a pin to the slot and reads the frame's number from the same word, without a lock. A
 * frame is taken away only by exchanging (frame, 0 pins) for 0, which fails when anyone holds it.
 * Frames live in segments that never move. CLOCK chooses; what is pinned may exceed the budget.
 * The lock is a spin lock, held for a few dozen instructions, never during input or allocation.
 */
#include "stratum/cache.h"

enum { SEGMENTS_MAX = 22, SEGMENT_MIN = 256, EVICT_BATCH = 32, CODECS_MAX = 8 };
#define PIN_ONE (UINT64_C(1) << 32)

struct stratum_cache {
    const basin_allocator *mem;
    atomic_size_t size_max;
    atomic_size_t used;
    atomic_flag lock;
    _Atomic(struct frame *) segments[SEGMENTS_MAX];
    uint32_t frames;                  /* GUARDED(lock): numbers given out so far */
    uint32_t free_first;              /* GUARDED(lock) */
    uint32_t hand;                    /* GUARDED(lock) */
    struct codec *codecs[CODECS_MAX]; /* GUARDED(lock) */
    size_t codecs_count;              /* GUARDED(lock) */
};

static void
lock(struct stratum_cache *c)
{
    while (atomic_flag_test_and_set_explicit(&c->lock, memory_order_acquire)) {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#endif
    }
}

static void
unlock(struct stratum_cache *c)
{
    atomic_flag_clear_explicit(&c->lock, memory_order_release);
}

/* Segment k holds SEGMENT_MIN << k frames; numbers count from 1. */
static unsigned
segment_of(uint32_t number, uint32_t *index)
{
    uint32_t n = number - 1 + SEGMENT_MIN;
    unsigned k = 31u - (unsigned)__builtin_clz(n / SEGMENT_MIN);

    *index = n - ((uint32_t)SEGMENT_MIN << k);
    return k;
}

static struct frame *
frame_at(const struct stratum_cache *c, uint32_t number)
{
    uint32_t index;
    unsigned k = segment_of(number, &index);

    return atomic_load_explicit(&c->segments[k], memory_order_acquire) + index;
}

basin_status
stratum_cache_new(const basin_allocator *mem, size_t size_max, struct stratum_cache **out,
                  basin_error *err)
{
    struct stratum_cache *c = mem_new(mem, sizeof(*c));

    *out = c;
    if (!c)
        return error_set(err, BASIN_NO_MEM, "no memory for a page cache");
    c->mem = mem;
    atomic_init(&c->size_max, size_max);
    atomic_flag_clear(&c->lock);
    return BASIN_OK;
}

void
stratum_cache_free(struct stratum_cache *c)
{
    if (!c)
        return;
    must(atomic_load(&c->used) == 0);
    for (unsigned k = 0; k < SEGMENTS_MAX; k++)
        mem_free(c->mem, atomic_load(&c->segments[k]),
                 ((size_t)SEGMENT_MIN << k) * sizeof(struct frame));
    for (size_t i = 0; i < c->codecs_count; i++)
        codec_free(c->codecs[i]);
    mem_free(c->mem, c, sizeof(*c));
}

size_t
stratum_cache_used(const struct stratum_cache *c)
{
    return atomic_load_explicit(&c->used, memory_order_relaxed);
}

const basin_allocator *
cache_mem(const struct stratum_cache *c)
{
    return c->mem;
}

static size_t
frame_cost(const struct frame *f)
{
    return f->memory_size + sizeof(*f);
}

/* ------------------------------------------------------------------ eviction */

/* REQUIRES(lock). Takes the memory out of a frame and gives its number back. */
static struct frame_content
retire(struct stratum_cache *c, struct frame *f, uint32_t number)
{
    struct frame_content gone = { .memory = f->memory, .memory_size = f->memory_size };

    atomic_fetch_sub_explicit(&c->used, frame_cost(f), memory_order_relaxed);
    f->live = false;
    f->slot = NULL;
    f->memory = NULL;
    f->next_free = c->free_first;
    c->free_first = number;
    return gone;
}

/* REQUIRES(lock). Moves the hand until one frame is free to go; false after two rounds. */
static bool
evict_one(struct stratum_cache *c, struct frame_content *gone)
{
    for (uint64_t steps = (uint64_t)c->frames * 2; steps > 0; steps--) {
        struct frame *f;
        uint64_t idle;
        c->hand = c->hand >= c->frames ? 1 : c->hand + 1;
        f = frame_at(c, c->hand);
        if (!f->live || atomic_exchange_explicit(&f->referenced, false, memory_order_relaxed))
            continue;
        idle = c->hand;
        if (atomic_compare_exchange_strong_explicit(f->slot, &idle, 0, memory_order_acquire,
                                                    memory_order_relaxed)) {
            *gone = retire(c, f, c->hand);
            return true;
        }
    }
    return false;
}

static bool
over_budget(const struct stratum_cache *c)
{
    return atomic_load_explicit(&c->used, memory_order_relaxed) >
           atomic_load_explicit(&c->size_max, memory_order_relaxed);
}

static void
evict(struct stratum_cache *c)
{
    struct frame_content gone[EVICT_BATCH];
    size_t n = EVICT_BATCH;

    while (n == EVICT_BATCH && over_budget(c)) {
        n = 0;
        lock(c);
        while (n < EVICT_BATCH && over_budget(c) && evict_one(c, &gone[n]))
            n++;
        unlock(c);
        for (size_t i = 0; i < n; i++)
            mem_free(c->mem, gone[i].memory, gone[i].memory_size);
    }
}

void
stratum_cache_resize(struct stratum_cache *c, size_t size_max)
{
    atomic_store_explicit(&c->size_max, size_max, memory_order_relaxed);
    evict(c);
}

/* ------------------------------------------------------------------ pins */

struct frame *
cache_pin(struct stratum_cache *c, cache_slot *slot)
{
    struct frame *f;
    uint32_t number;

    if ((uint32_t)atomic_load_explicit(slot, memory_order_relaxed) == 0)
        return NULL;
    number = (uint32_t)atomic_fetch_add_explicit(slot, PIN_ONE, memory_order_acquire);
    if (number == 0) {
        atomic_fetch_sub_explicit(slot, PIN_ONE, memory_order_relaxed);
        return NULL;
    }
    f = frame_at(c, number);
    if (!atomic_load_explicit(&f->referenced, memory_order_relaxed))
        atomic_store_explicit(&f->referenced, true, memory_order_relaxed);
    return f;
}

void
frame_unpin(struct frame *f)
{
    if (!f)
        return;
    if (f->slot) {
        atomic_fetch_sub_explicit(f->slot, PIN_ONE, memory_order_release);
        return;
    }
    mem_free(f->mem, f->memory, f->memory_size);
    mem_free(f->mem, f, sizeof(*f));
}

basin_status
frame_private(const basin_allocator *mem, const struct frame_content *content, struct frame **out,
              basin_error *err)
{
    struct frame *f = mem_new(mem, sizeof(*f));

    *out = f;
    if (!f) {
        mem_free(mem, content->memory, content->memory_size);
        return error_set(err, BASIN_NO_MEM, "no memory for a page");
    }
    f->mem = mem;
    f->memory = content->memory;
    f->memory_size = content->memory_size;
    f->data = content->data;
    f->kind = content->kind;
    return BASIN_OK;
}

/* REQUIRES(lock). A free number, or 0 when a new segment is needed first. */
static uint32_t
take_number(struct stratum_cache *c)
{
    uint32_t number = c->free_first, index;
    unsigned k;

    if (number) {
        c->free_first = frame_at(c, number)->next_free;
        return number;
    }
    k = segment_of(c->frames + 1, &index);
    if (k >= SEGMENTS_MAX || !atomic_load_explicit(&c->segments[k], memory_order_relaxed))
        return 0;
    return ++c->frames;
}

static basin_status
add_segment(struct stratum_cache *c, unsigned k, basin_error *err)
{
    struct frame *none = NULL, *segment;
    size_t size;

    if (k >= SEGMENTS_MAX)
        return error_set(err, BASIN_LIMIT, "page cache: too many pages");
    size = ((size_t)SEGMENT_MIN << k) * sizeof(struct frame);
    segment = mem_new(c->mem, size);
    if (!segment)
        return error_set(err, BASIN_NO_MEM, "page cache: no memory for %zu frames",
                         (size_t)SEGMENT_MIN << k);
    if (!atomic_compare_exchange_strong(&c->segments[k], &none, segment))
        mem_free(c->mem, segment, size);
    return BASIN_OK;
}

/* REQUIRES(lock). */
static struct frame *
fill(struct stratum_cache *c, uint32_t number, cache_slot *slot,
     const struct frame_content *content)
{
    struct frame *f = frame_at(c, number);

    f->mem = c->mem;
    f->slot = slot;
    f->memory = content->memory;
    f->memory_size = content->memory_size;
    f->data = content->data;
    f->kind = content->kind;
    f->live = true;
    atomic_store_explicit(&f->referenced, true, memory_order_relaxed);
    atomic_fetch_add_explicit(&c->used, frame_cost(f), memory_order_relaxed);
    atomic_fetch_add_explicit(slot, number + PIN_ONE, memory_order_release);
    return f;
}

basin_status
cache_insert(struct stratum_cache *c, cache_slot *slot, const struct frame_content *content,
             struct frame **out, basin_error *err)
{
    basin_status st = BASIN_OK;
    bool kept = false;

    *out = NULL;
    while (!*out) {
        uint32_t number, index;
        unsigned k;
        lock(c);
        *out = cache_pin(c, slot); /* another thread was faster */
        number = *out ? 0 : take_number(c);
        if (number) {
            *out = fill(c, number, slot, content);
            kept = true;
        }
        k = segment_of(c->frames + 1, &index);
        unlock(c);
        if (!*out)
            TRY(add_segment(c, k, err));
    }
    evict(c);
out:
    if (!kept)
        mem_free(c->mem, content->memory, content->memory_size);
    return st;
}

void
cache_drop(struct stratum_cache *c, cache_slot *slots, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct frame_content gone = { 0 };
        uint64_t word;
        if ((uint32_t)atomic_load_explicit(&slots[i], memory_order_relaxed) == 0)
            continue;
        lock(c);
        word = atomic_exchange_explicit(&slots[i], 0, memory_order_acquire);
        must(word < PIN_ONE); /* nothing may be pinned when a stratum closes */
        if (word)
            gone = retire(c, frame_at(c, (uint32_t)word), (uint32_t)word);
        unlock(c);
        mem_free(c->mem, gone.memory, gone.memory_size);
    }
}

/* ------------------------------------------------------------------ codecs */

basin_status
cache_codec_take(struct stratum_cache *c, struct codec **out, basin_error *err)
{
    *out = NULL;
    lock(c);
    if (c->codecs_count)
        *out = c->codecs[--c->codecs_count];
    unlock(c);
    return *out ? BASIN_OK : codec_new(c->mem, out, err);
}

void
cache_codec_give(struct stratum_cache *c, struct codec *codec)
{
    bool kept = false;

    if (!codec)
        return;
    lock(c);
    if (c->codecs_count < CODECS_MAX) {
        c->codecs[c->codecs_count++] = codec;
        kept = true;
    }
    unlock(c);
    if (!kept)
        codec_free(codec);
}
