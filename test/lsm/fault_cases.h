// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/* The operations of the engine, as cases of the fault sweeps. */
#ifndef TEST_LSM_FAULT_CASES_H
#define TEST_LSM_FAULT_CASES_H

#include "lsm/fault.h"

/* ------------------------------------------------------------------ opening */

static inline basin_status
case_open(struct rig *r)
{
    basin_status st;

    TRY(fault_open(r));
    TRY(fault_close(r));
out:
    return st;
}

static inline void
fill_and_close(struct rig *r)
{
    fault_fill(r);
    rig_ok(r, fault_close(r));
}

/* A process is killed, and what it left in the page cache is there. */
static inline void
fill_and_kill(struct rig *r)
{
    fault_fill(r);
    os_sim_crash(r->sim, OS_CRASH_KILL);
    rig_drop(r);
}

static inline void
fill_and_lose_power(struct rig *r)
{
    fault_fill(r);
    rig_durable(r, r->seqno);
    rig_ok(r, lsm_sync(r->db, &r->err));
    rig_ok(r, fault_commit(r, &(struct fault_change){ .from = 2, .count = 3, .size = 30 }));
    os_sim_crash(r->sim, OS_CRASH_LOSE_ALL);
    rig_drop(r);
    r->mark_count = 0;
    oracle_cut(r->oracle, r->durable);
    r->seqno = r->durable;
}

/* A reading process beside the writer. */
static inline basin_status
case_reader(struct rig *r)
{
    basin_status st;
    struct lsm_options o = r->o;
    struct lsm *reader = NULL;
    struct lsm_txn *txn = NULL;
    struct bytes value;
    uint8_t key[WALK_KEY_SIZE];
    uint64_t seqno;

    o.read_only = true;
    TRY(os_sim_process(r->sim, &o.os, &r->err));
    TRY(lsm_open(r->path, &o, &reader, &r->err));
    TRY(fault_commit(r, &(struct fault_change){
                            .from = 4, .count = 2, .size = 200, .durable = true }));
    TRY(lsm_refresh(reader, &seqno, &r->err));
    assert_int_equal(seqno, r->seqno);
    TRY(lsm_begin(reader, &(struct lsm_begin){ .mode = LSM_READ }, &txn, &r->err));
    st = lsm_get(txn, fault_key(3, key), &value, &r->err);
    if (st == BASIN_NOT_FOUND)
        st = BASIN_OK;
    TRY(st);
out:
    lsm_abort(txn);
    if (st == BASIN_OK)
        st = lsm_close(reader, &r->err);
    else
        (void)!lsm_close(reader, NULL);
    return st;
}

/* ------------------------------------------------------------------ committing */

static inline basin_status
case_commit_buffered(struct rig *r)
{
    basin_status st;

    for (unsigned i = 0; i < 3; i++)
        TRY(fault_commit(r, &(struct fault_change){ .from = i, .count = 4, .size = 100 }));
out:
    return st;
}

static inline basin_status
case_commit_durable(struct rig *r)
{
    basin_status st;

    TRY(fault_commit(r, &(struct fault_change){
                            .from = 2, .count = 9, .size = 100, .durable = true }));
    TRY(fault_commit(r,
                     &(struct fault_change){
                         .from = 4, .count = 3, .remove = true, .durable = true, .locked = true }));
    TRY(fault_commit(r, &(struct fault_change){ .from = 9, .range = true, .durable = true }));
out:
    return st;
}

static inline basin_status
case_commit_large(struct rig *r)
{
    basin_status st;

    TRY(fault_commit(r, &(struct fault_change){
                            .from = 2, .count = 3, .size = 5000, .durable = true }));
    TRY(fault_commit(r, &(struct fault_change){ .from = 2, .count = 1, .size = 6000 }));
out:
    return st;
}

static inline basin_status
case_commit_stream(struct rig *r)
{
    return fault_commit(r,
                        &(struct fault_change){
                            .from = 2, .count = 2, .size = 7000, .stream = true, .durable = true });
}

/* Every few operations are a stratum of their own; there are more than a commit may publish. */
static inline basin_status
case_commit_spilled(struct rig *r)
{
    basin_status st;
    uint64_t spill_size = r->db->o.spill_size;

    r->db->o.spill_size = 300;
    TRY(fault_commit(r, &(struct fault_change){ .from = 2, .count = 20, .size = 100 }));
    TRY(fault_commit(r,
                     &(struct fault_change){
                         .from = 2, .count = 3, .size = 5000, .durable = true, .locked = true }));
out:
    r->db->o.spill_size = spill_size;
    return st;
}

/* The log is at its end. */
static inline void
fill_log(struct rig *r)
{
    fault_fill(r);
    while (r->db->log->end < LOG_SIZE_START - 3000)
        rig_ok(r, fault_commit(r, &(struct fault_change){ .from = 1, .count = 1, .size = 900 }));
    rig_ok(r, lsm_sync(r->db, &r->err));
    rig_durable(r, r->seqno);
}

static inline basin_status
case_roll(struct rig *r)
{
    basin_status st;
    uint64_t epoch = r->db->epoch;

    for (unsigned i = 0; i < 5; i++)
        TRY(fault_commit(r, &(struct fault_change){ .from = i, .count = 1, .size = 900 }));
    assert_true(r->db->epoch > epoch);
out:
    return st;
}

/* ------------------------------------------------------------------ upkeep */

static inline basin_status
case_flush(struct rig *r)
{
    return fault_flush(r);
}

/* The folders of strata, values and checkpoints are not there yet. */
static inline void
fill_little(struct rig *r)
{
    rig_ok(r, fault_open(r));
    rig_ok(r, fault_commit(r, &(struct fault_change){ .from = 1, .count = 9, .size = 150 }));
}

static inline basin_status
case_first(struct rig *r)
{
    basin_status st;

    TRY(fault_commit(r, &(struct fault_change){ .from = 2, .count = 1, .size = 1500 }));
    TRY(fault_flush(r));
    st = lsm__checkpoint(r->db, &r->err);
out:
    return st;
}

static inline void
fill_for_merge(struct rig *r)
{
    fault_fill(r);
    for (unsigned i = 0; i < 3; i++) {
        rig_ok(r, fault_commit(r, &(struct fault_change){
                                      .from = i * 4, .count = 9, .size = 150 + i * 700 }));
        rig_ok(r, fault_flush(r));
    }
}

static inline basin_status
case_merge(struct rig *r)
{
    basin_status st = lsm_compact(r->db, NULL, &r->err);

    if (st == BASIN_OK)
        rig_durable(r, r->seqno);
    return st;
}

static inline basin_status
case_checkpoint(struct rig *r)
{
    basin_status st = lsm__checkpoint(r->db, &r->err);

    if (st == BASIN_OK)
        rig_durable(r, r->seqno);
    return st;
}

static inline basin_status
case_pin(struct rig *r)
{
    basin_status st;

    TRY(fault_pin(r, 1, true));
    TRY(fault_pin(r, 0, false));
out:
    return st;
}

static inline basin_status
case_load_sorted(struct rig *r)
{
    return fault_load(r, false, 60, 300);
}

static inline basin_status
case_load_unsorted(struct rig *r)
{
    return fault_load(r, true, 60, 300);
}

static inline basin_status
case_load_large(struct rig *r)
{
    return fault_load(r, true, 12, 3000);
}

static inline basin_status
case_feed(struct rig *r)
{
    basin_status st;
    struct lsm_feed *f = NULL;
    struct lsm_change change;

    TRY(lsm_feed_hold(r->db, "fault", r->seqno, MIB, &r->err));
    TRY(fault_commit(r, &(struct fault_change){ .from = 2, .count = 3, .size = 1200 }));
    TRY(lsm_feed_open(r->db, r->seqno - 3, &f, &r->err));
    while ((st = lsm_feed_next(f, &change, &r->err)) == BASIN_OK)
        assert_true(change.seqno <= r->seqno);
    if (st == BASIN_END)
        st = BASIN_OK;
out:
    lsm_feed_close(f);
    return st;
}

static inline basin_status
case_close(struct rig *r)
{
    return fault_close(r);
}

/* A memtable that has to be flushed, many edits. */
static inline void
fill_to_close(struct rig *r)
{
    fill_for_merge(r);
    r->o.memtable_size = MIB;
    rig_ok(r, fault_close(r));
    rig_ok(r, fault_open(r));
    for (unsigned i = 0; i < 8; i++)
        rig_ok(r, fault_pin(r, 1, i % 2 == 0));
    for (unsigned i = 0; i < 90; i++)
        rig_ok(r, fault_commit(r, &(struct fault_change){ .from = i, .count = 1, .size = 900 }));
}

static const struct fault_case fault_cases[] = {
    { "open, new", NULL, case_open, false, true },
    { "open, new, mapped", NULL, case_open, true, true },
    { "open, clean", fill_and_close, case_open, false, false },
    { "open, clean, mapped", fill_and_close, case_open, true, false },
    { "open, killed", fill_and_kill, case_open, true, false },
    { "open, killed, not mapped", fill_and_kill, case_open, false, false },
    { "open, power lost", fill_and_lose_power, case_open, true, false },
    { "reader", fault_fill, case_reader, true, false },
    { "commit, buffered", fault_fill, case_commit_buffered, true, false },
    { "commit, buffered, not mapped", fault_fill, case_commit_buffered, false, false },
    { "commit, durable", fault_fill, case_commit_durable, true, false },
    { "commit, spilled", fault_fill, case_commit_spilled, true, false },
    { "commit, durable, not mapped", fault_fill, case_commit_durable, false, false },
    { "commit, large values", fault_fill, case_commit_large, true, false },
    { "commit, stream", fault_fill, case_commit_stream, false, false },
    { "roll", fill_log, case_roll, true, false },
    { "roll, not mapped", fill_log, case_roll, false, false },
    { "flush", fault_fill, case_flush, true, false },
    { "first of each", fill_little, case_first, true, true },
    { "merge", fill_for_merge, case_merge, true, false },
    { "merge, not mapped", fill_for_merge, case_merge, false, false },
    { "checkpoint", fill_for_merge, case_checkpoint, true, false },
    { "pin", fault_fill, case_pin, true, false },
    { "load, sorted", fault_fill, case_load_sorted, true, false },
    { "load, unsorted", fault_fill, case_load_unsorted, false, false },
    { "load, large values", fault_fill, case_load_large, true, false },
    { "feed", fault_fill, case_feed, true, false },
    { "close", fault_fill, case_close, true, false },
    { "close, much to do", fill_to_close, case_close, true, false },
};

#endif
