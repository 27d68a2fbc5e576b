// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/* The drop rules of flush and merge; see rules.c and rules_ranges.c. */
#ifndef LSM_RULES_H
#define LSM_RULES_H

#include "lsm/internal.h"

struct rules_options {
    struct lsm *db;
    const uint64_t *snapshots; /* ascending; the last is the newest visible seqno */
    size_t snapshot_count;     /* >= 1 */
    bool bottom;               /* no older run can hold a key of the output's range */
    struct icur *source;       /* of lsm__multi_icur, newest source first */
    struct output *output;
    bool (*cancelled)(void *ctx); /* may be NULL */
    void *cancel_ctx;
};

/* Index of the smallest snapshot >= seqno; snapshot_count when none sees it yet. */
static inline size_t
lsm__stripe_of(const struct rules_options *o, uint64_t seqno)
{
    size_t low = 0, high = o->snapshot_count;

    while (low < high) {
        size_t mid = (low + high) / 2;
        if (o->snapshots[mid] >= seqno)
            high = mid;
        else
            low = mid + 1;
    }
    return low;
}

/* Runs the source through the rules into the output. CANCELLED when asked to stop. */
basin_status lsm__rules_run(const struct rules_options *options, basin_error *err);
/* What is kept of range tombstones in any order, as fragments; keys borrow from `in`. Free with
 * mem_free(db->mem, *out, *out_count * sizeof **out). */
basin_status lsm__rules_ranges(const struct rules_options *options,
                               const struct range_tombstone *in, size_t count,
                               struct range_tombstone **out, size_t *out_count,
                               basin_error *err);

#endif
