// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * A tournament over cursors: which of them has the smallest entry (forward) or the largest one
 * (backward). Embedded in the merging cursor and in the view; it moves no cursor by itself.
 *
 * (L1) forward: key ascending, of equal keys the earlier source first.
 * (L2) backward: the exact reverse.
 * (L3) invalid sources lose against all others.
 */
#ifndef LSM_MULTI_H
#define LSM_MULTI_H

#include "lsm/icur.h"

struct tournament {
    struct icur **sources; /* owned array of owned cursors */
    uint32_t *losers;      /* [0] is the winner, [1] to [count - 1] the inner nodes */
    size_t count;
    bool forward;
};

/* Takes ownership of the cursors, also when it fails; the array is copied. */
basin_status tournament_init(struct tournament *t, const basin_allocator *mem,
                             struct icur **sources, size_t count, basin_error *err);
void tournament_release(struct tournament *t, const basin_allocator *mem);
/* After any number of sources moved. */
void tournament_play(struct tournament *t, bool forward);
/* After source i alone moved; the direction stays. */
void tournament_replay(struct tournament *t, size_t i);

/* The winner, or NULL when all are invalid. */
static inline struct icur *
tournament_top(const struct tournament *t)
{
    struct icur *c = t->count ? t->sources[t->losers[0]] : NULL;
    return c != NULL && c->valid ? c : NULL;
}

static inline bool
icur_at(const struct icur *c, struct bytes key, uint64_t prefix)
{
    return c->valid && c->prefix == prefix && bytes_equal(c->entry.key, key);
}

#endif
