// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * XXH3-64, the one checksum family of all formats, in one call and over a stream.
 *
 * Source: xxHash (https://xxhash.com). The state of a stream is the library's own, which needs an
 * alignment of 64 that the allocator table does not promise; so it comes from the library too.
 */
#include "base/base.h"

#include <xxhash.h>

uint64_t
hash64(const void *p, size_t n, uint64_t seed)
{
    return XXH3_64bits_withSeed(n ? p : "", n, seed);
}

static XXH3_state_t *
state_of(struct hash_stream *h)
{
    return (XXH3_state_t *)(void *)h;
}

struct hash_stream *
hash_stream_new(uint64_t seed)
{
    XXH3_state_t *state = XXH3_createState();

    if (state != NULL && XXH3_64bits_reset_withSeed(state, seed) != XXH_OK) {
        XXH3_freeState(state);
        return NULL;
    }
    return (struct hash_stream *)(void *)state;
}

void
hash_stream_add(struct hash_stream *h, const void *p, size_t n)
{
    if (n > 0)
        XXH3_64bits_update(state_of(h), p, n);
}

uint64_t
hash_stream_value(const struct hash_stream *h)
{
    return XXH3_64bits_digest((const XXH3_state_t *)(const void *)h);
}

void
hash_stream_free(struct hash_stream *h)
{
    if (h != NULL)
        XXH3_freeState(state_of(h));
}
