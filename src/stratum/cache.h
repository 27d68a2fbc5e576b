// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Private: frames of the page cache as the reader uses them. A frame holds the data of one block,
 * decoded. A slot is one 64-bit word per block of a stratum: the frame's number (0 = none) in its
 * low half, the count of pins in its high half, so that a hit is one atomic addition.
 */
#ifndef STRATUM_CACHE_H
#define STRATUM_CACHE_H

#include "stratum/format.h"

typedef _Atomic uint64_t cache_slot;

struct frame {
    const basin_allocator *mem;
    cache_slot *slot; /* NULL: private to its holder, freed at unpin */
    uint8_t *memory;  /* what is freed */
    size_t memory_size;
    struct bytes data; /* inside memory */
    uint8_t kind;
    bool live;          /* GUARDED(cache lock) */
    uint32_t next_free; /* GUARDED(cache lock) */
    atomic_bool referenced;
};

/* What a loaded block is made of; given to the frame. */
struct frame_content {
    uint8_t *memory;
    size_t memory_size;
    struct bytes data;
    uint8_t kind;
};

/* The pinned frame of a slot, or NULL when it is not cached. Lock-free. */
struct frame *cache_pin(struct stratum_cache *c, cache_slot *slot);
/* Takes the content (freed on failure, or when another thread was faster); returns it pinned. */
basin_status cache_insert(struct stratum_cache *c, cache_slot *slot,
                          const struct frame_content *content, struct frame **out,
                          basin_error *err);
/* The same without a cache. */
basin_status frame_private(const basin_allocator *mem, const struct frame_content *content,
                           struct frame **out, basin_error *err);
/* Takes NULL. */
void frame_unpin(struct frame *f);
/* Forgets every frame of a stratum that closes; none may be pinned. */
void cache_drop(struct stratum_cache *c, cache_slot *slots, size_t count);

const basin_allocator *cache_mem(const struct stratum_cache *c);
/* A codec from the pool, or a new one. */
basin_status cache_codec_take(struct stratum_cache *c, struct codec **out, basin_error *err);
void cache_codec_give(struct stratum_cache *c, struct codec *codec);

#endif
