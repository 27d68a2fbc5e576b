// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/* SplitMix64 (Steele, Lea, Flood 2014): one word of state, any seed is good. */
#include "chance.h"

#include <stdio.h>
#include <stdlib.h>

struct chance
chance_of(uint64_t seed)
{
    return (struct chance){ seed, seed };
}

struct chance
chance_init(const char *name, uint64_t fallback)
{
    const char *text = getenv("BASIN_TEST_SEED");
    uint64_t seed = text && *text ? strtoull(text, NULL, 0) : fallback;

    fprintf(stderr, "%s: BASIN_TEST_SEED=%llu\n", name, (unsigned long long)seed);
    return chance_of(seed);
}

uint64_t
chance_u64(struct chance *c)
{
    uint64_t z = c->state += 0x9E3779B97F4A7C15u;

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

uint64_t
chance_below(struct chance *c, uint64_t n)
{
    must(n > 0);
    return chance_u64(c) % n;
}

int64_t
chance_between(struct chance *c, int64_t low, int64_t high)
{
    uint64_t span = (uint64_t)high - (uint64_t)low;

    must(low <= high);
    if (span == UINT64_MAX)
        return (int64_t)chance_u64(c);
    return (int64_t)((uint64_t)low + chance_below(c, span + 1));
}

void
chance_bytes(struct chance *c, void *to, size_t n)
{
    uint8_t *p = to;

    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)chance_u64(c);
}

size_t
test_scale(size_t count)
{
    const char *text = getenv("BASIN_TEST_SCALE");
    long scale = text ? strtol(text, NULL, 10) : 1;

    return count * (size_t)(scale > 0 ? scale : 1);
}
