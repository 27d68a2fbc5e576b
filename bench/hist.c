// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Latencies in buckets: 32 equal steps within each power of two of nanoseconds, so that a quantile
 * is at most 3 % too high. Values below 32 ns have buckets of their own; above some hours all
 * share the last bucket. The largest value is kept exactly.
 */
#include "bench.h"

static size_t
bucket_of(uint64_t ns)
{
    int top;
    size_t at;

    if (ns < HIST_STEPS)
        return (size_t)ns;
    top = 63 - __builtin_clzll(ns);
    at = (size_t)(top - 4) * HIST_STEPS + (size_t)((ns >> (top - 5)) & (HIST_STEPS - 1));
    return at < HIST_BUCKETS ? at : HIST_BUCKETS - 1;
}

static uint64_t
bucket_end(size_t at)
{
    size_t top = at / HIST_STEPS + 4;
    uint64_t step = at % HIST_STEPS;

    if (at < HIST_STEPS)
        return at;
    return ((HIST_STEPS + step + 1) << (top - 5)) - 1;
}

void
hist_add(struct hist *h, uint64_t ns)
{
    h->count++;
    h->buckets[bucket_of(ns)]++;
    if (ns > h->max)
        h->max = ns;
}

void
hist_merge(struct hist *to, const struct hist *from)
{
    to->count += from->count;
    if (from->max > to->max)
        to->max = from->max;
    for (size_t i = 0; i < HIST_BUCKETS; i++)
        to->buckets[i] += from->buckets[i];
}

uint64_t
hist_quantile(const struct hist *h, double part)
{
    uint64_t want = (uint64_t)(part * (double)h->count), sum = 0;

    if (h->count == 0)
        return 0;
    if (want >= h->count)
        want = h->count - 1;
    for (size_t i = 0; i < HIST_BUCKETS; i++) {
        sum += h->buckets[i];
        if (sum > want)
            return bucket_end(i) < h->max ? bucket_end(i) : h->max;
    }
    return h->max;
}

void
tally_merge(struct tally *to, const struct tally *from)
{
    to->ops += from->ops;
    to->user_bytes += from->user_bytes;
    to->verified += from->verified;
    to->errors += from->errors;
    to->cut = to->cut || from->cut;
    hist_merge(&to->hist, &from->hist);
}
