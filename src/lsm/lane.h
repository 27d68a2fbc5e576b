// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Private: read lanes. A get that needs no snapshot of its own borrows the version of a lane, so
 * that it takes no lock and counts no reference that other threads count.
 *
 *   idle --enter--> busy --leave--> idle         stale: the version is no longer the current one
 *
 * (L1) who set BUSY owns the lane's version until it clears BUSY.
 * (L2) STALE is set under db->mu behind each change of the current version. While it is not set,
 *      everything up to `visible` is in the lane's version, and nothing of it was merged away.
 */
#ifndef LSM_LANE_H
#define LSM_LANE_H

#include "base/base.h"

struct lsm;
struct version;

enum { LANE_COUNT = 8, LANE_BUSY = 1, LANE_STALE = 2 };

struct lane {
    _Atomic uint32_t state;
    struct version *version; /* counted; owner only */
    _Atomic uint64_t gets;   /* written by the owner */
    uint8_t apart[104];      /* from the next one's cache line, wherever the allocator begins */
};

/* A lane with a version and the seqno to read at, or NULL when all are busy. */
struct lane *lsm__lane_enter(struct lsm *db, uint64_t *seqno);
void lsm__lane_leave(struct lane *lane);
/* The current version has changed, or goes: idle lanes let go of theirs at once, busy ones when
 * they are left. */
void lsm__lanes_turn(struct lsm *db);
uint64_t lsm__lanes_gets(const struct lsm *db);

#endif
