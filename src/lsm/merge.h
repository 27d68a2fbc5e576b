// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/* A merge step: what merge_plan.c chose and merge.c carries out. */
#ifndef LSM_MERGE_H
#define LSM_MERGE_H

#include "lsm/internal.h"

enum {
    MERGE_STALE_MAX = 16,
    PURGE_LEAST = 8 /* a purge must get rid of this part of a stratum */
};

/*
 * Inputs are counted references, marked in_merge; what lies between is counted, too. Groups 0 ..
 * run_count - 1 are runs, newest first; the strata of a group ascend.
 */
struct merge_plan {
    struct lsm *db;
    uint32_t to_level;
    bool move;   /* only the level changes, nothing is rewritten */
    bool keep_seqnos; /* a range tombstone lives somewhere */
    bool bottom; /* no stratum outside the inputs is older and overlaps them */
    struct lsm_stratum **inputs;
    size_t input_count, input_capacity;
    struct lsm_run *runs;
    size_t run_count;
    struct lsm_stratum **between; /* of the destination, inputs on both sides of it; ascending */
    size_t between_count, between_capacity;
    struct object_id stale[MERGE_STALE_MAX]; /* value strata more than half dead: moved out of */
    size_t stale_count;
    uint64_t bytes;
    uint64_t values_bytes; /* that are copied out of stale value strata */
    /* a purge: one input, rewritten without what the first `newer` runs of version hide */
    struct version *version;
    size_t newer;
    bool though_full; /* goes on when the disk becomes full */
};

/* Chooses the next step; inputs stay empty when there is none. REQUIRES(db->mu). */
basin_status lsm__merge_plan(struct lsm *db, struct merge_plan *plan, basin_error *err);
void lsm__merge_plan_release(struct merge_plan *plan); /* REQUIRES(db->mu) */
/* Chooses a stratum that was not looked at since the last flush. REQUIRES(db->mu). */
basin_status lsm__purge_plan(struct lsm *db, struct merge_plan *plan, basin_error *err);
/* What stays of the plan's stratum (purge.c). */
basin_status lsm__purge_icur(const struct merge_plan *p, uint64_t oldest, struct icur **out,
                             basin_error *err);
/* Whether a purge is worth it, and the room that it takes. */
basin_status lsm__purge_gain(const struct merge_plan *p, uint64_t oldest, bool *worth,
                             uint64_t *left, basin_error *err);

#endif
