// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Read lanes: see lane.h. Threads choose by the place of their stack, so that each mostly finds
 * the same lane, idle and in its cache; a lane that is busy is passed over, never waited for.
 */
#include "lsm/lane.h"

#include "lsm/internal.h"

/* Stacks of threads lie megabytes apart. */
static unsigned
first_lane(void)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0) >> 16;

    return (unsigned)((here * UINT64_C(0x9E3779B97F4A7C15)) >> 61) % LANE_COUNT;
}

static bool
is_stale(const struct lane *lane)
{
    return (atomic_load_explicit(&lane->state, memory_order_acquire) & LANE_STALE) != 0;
}

/* Owner. STALE goes first: what changes behind it is seen by the next look at it. */
static void
refill(struct lsm *db, struct lane *lane)
{
    lsm__version_unref(lane->version);
    atomic_fetch_and_explicit(&lane->state, ~(uint32_t)LANE_STALE, memory_order_acq_rel);
    lane->version = lsm__version_get(db);
}

struct lane *
lsm__lane_enter(struct lsm *db, uint64_t *seqno)
{
    unsigned first = first_lane();

    for (unsigned i = 0; i < LANE_COUNT; i++) {
        struct lane *lane = &db->lanes[(first + i) % LANE_COUNT];
        uint32_t old = atomic_fetch_or_explicit(&lane->state, LANE_BUSY, memory_order_acquire);
        if (old & LANE_BUSY)
            continue;
        do {
            if (lane->version == NULL || is_stale(lane))
                refill(db, lane);
            *seqno = atomic_load_explicit(&db->visible, memory_order_acquire);
        } while (is_stale(lane));
        atomic_store_explicit(&lane->gets,
                              atomic_load_explicit(&lane->gets, memory_order_relaxed) + 1,
                              memory_order_relaxed);
        return lane;
    }
    return NULL;
}

/* Lets go of a stale version, unless the lane is busy: then its owner does when it leaves. */
static void
drop_stale(struct lane *lane)
{
    uint32_t old;

    while (is_stale(lane)) {
        old = atomic_fetch_or_explicit(&lane->state, LANE_BUSY, memory_order_acquire);
        if (old & LANE_BUSY)
            return;
        if (old & LANE_STALE) {
            lsm__version_unref(lane->version);
            lane->version = NULL;
            atomic_fetch_and_explicit(&lane->state, ~(uint32_t)LANE_STALE, memory_order_acq_rel);
        }
        atomic_fetch_and_explicit(&lane->state, ~(uint32_t)LANE_BUSY, memory_order_release);
    }
}

void
lsm__lane_leave(struct lane *lane)
{
    uint32_t old =
        atomic_fetch_and_explicit(&lane->state, ~(uint32_t)LANE_BUSY, memory_order_acq_rel);

    if (UNLIKELY(old & LANE_STALE))
        drop_stale(lane);
}

void
lsm__lanes_turn(struct lsm *db)
{
    for (unsigned i = 0; i < LANE_COUNT; i++) {
        atomic_fetch_or_explicit(&db->lanes[i].state, LANE_STALE, memory_order_acq_rel);
        drop_stale(&db->lanes[i]);
    }
}

uint64_t
lsm__lanes_gets(const struct lsm *db)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < LANE_COUNT; i++)
        sum += atomic_load_explicit(&db->lanes[i].gets, memory_order_relaxed);
    return sum;
}
