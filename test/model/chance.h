// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Random numbers of tests. The seed comes from BASIN_TEST_SEED or is fixed, so a run repeats; it is
 * written to stderr, where a failing test leaves it. BASIN_TEST_SCALE multiplies counts of cases.
 */
#ifndef TEST_MODEL_CHANCE_H
#define TEST_MODEL_CHANCE_H

#include "base/base.h"

struct chance {
    uint64_t state;
    uint64_t seed; /* as given */
};

/* BASIN_TEST_SEED, or fallback when it is not set. The seed goes to stderr with the name. */
struct chance chance_init(const char *name, uint64_t fallback);
struct chance chance_of(uint64_t seed);
uint64_t chance_u64(struct chance *c);
/* In [0, n); n > 0. */
uint64_t chance_below(struct chance *c, uint64_t n);
/* In [low, high]. */
int64_t chance_between(struct chance *c, int64_t low, int64_t high);
void chance_bytes(struct chance *c, void *to, size_t n);
/* By how much a sanitizer slows a loop down, roughly; counts of a million are divided by it. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TEST_SLOWNESS 8
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TEST_SLOWNESS 8
#endif
#endif
#ifndef TEST_SLOWNESS
#define TEST_SLOWNESS 1
#endif
/* count times BASIN_TEST_SCALE (default 1). */
size_t test_scale(size_t count);

#endif
