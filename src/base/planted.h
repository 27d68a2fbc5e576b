// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Known bugs of the engine, for the test that proves that its other tests would find them
 * (test/lsm/test_planted.c). A library made for that test alone defines BASIN_PLANTED and plants
 * one of them at run time; everywhere else PLANTED(x) is a constant, and no code is left of it.
 */
#ifndef BASE_PLANTED_H
#define BASE_PLANTED_H

#define PLANTED_LIST(X)                                                                     \
    X(LOG_NAME, "the name of a new log is not synced")                                      \
    X(OBJECT_NAME, "the name of an object is not synced")                                   \
    X(SWEEP_NAME, "opening builds on names that a killed process did not sync")             \
    X(CHECKPOINT_DATA, "a checkpoint is published before its bytes are synced")             \
    X(STRATUM_DATA, "an edit is published before the bytes of its strata are synced")       \
    X(EDIT_UNSYNCED, "an edit takes effect before it is synced")                            \
    X(COVERED_FIRST, "covered log is removed before the checkpoint is there")               \
    X(ACK_FIRST, "a durable commit is acknowledged before the sync")                        \
    X(FOLLOWER, "a follower of a group is acknowledged without its sync")                   \
    X(ROLL_UNSYNCED, "an epoch rolls before its log is synced")                             \
    X(TAIL_TRUSTED, "the tail that recovery read is taken for safe")                        \
    X(CLEAN_FIRST, "a log says that it was closed before it is synced")                     \
    X(GAP, "replay goes on behind a damaged record")                                        \
    X(LOG_SEED, "the epoch is not in the checksums: bytes of a recycled log parse")         \
    X(LOG_HELD, "log is recycled that a consumer of the feed holds")                        \
    X(TOMBSTONE_PINNED, "a tombstone above what a snapshot or pin sees is dropped")         \
    X(TOMBSTONE_ABOVE, "a tombstone is dropped in a merge that is not the last")            \
    X(RANGE_EARLY, "a range tombstone is dropped in a merge that is not the last")          \
    X(FOLD_ACROSS, "merge operands are folded across a snapshot")                           \
    X(FILTER_KEY, "a filter does not have some of its keys")                                \
    X(BETWEEN, "a merge writes across strata that it leaves alone")                         \
    X(SLOT_IGNORED, "strata are unlinked that a reader process needs")                      \
    X(CHECKPOINT_ONLY, "strata are unlinked when a reader has the newest checkpoint")

#ifdef BASIN_PLANTED
#define PLANTED_NUMBER(name, what) PLANTED_##name,
enum planted { PLANTED_NONE, PLANTED_LIST(PLANTED_NUMBER) PLANTED_COUNT };
extern enum planted basin_planted;
#define PLANTED(name) (basin_planted == PLANTED_##name)
#else
#define PLANTED(name) false
#endif

#endif
