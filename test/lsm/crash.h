// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Crashing a rig's machine in the middle of its work, and what must hold afterwards: the survivors
 * are the commits up to one place, which is not before the last durable one, and not before the
 * last acknowledged one when the process was only killed (EC70, EC76); pins that were acknowledged
 * are there; no file is left that nothing refers to.
 */
#ifndef TEST_LSM_CRASH_H
#define TEST_LSM_CRASH_H

#include "lsm/rig.h"

/* ------------------------------------------------------------------ after a crash */

/* Frees what the crash found open, and the handle. */
static inline void
rig_drop(struct rig *r)
{
    lsm_cursor_close(r->cursor);
    r->cursor = NULL;
    for (size_t i = 0; i < RIG_HELD_MAX; i++)
        if (r->held[i].txn != NULL)
            rig_release_held(r, &r->held[i]);
    lsm_stream_abort(r->stream);
    lsm_load_abort(r->load);
    lsm_abort(r->txn);
    r->stream = NULL;
    r->load = NULL;
    r->txn = NULL;
    if (r->db != NULL) {
        basin_status st = lsm_close(r->db, &r->err);
        if (st == BASIN_BUSY)
            print_error("close: %s\n", r->err.what);
        assert_int_not_equal(st, BASIN_BUSY);
    }
    r->db = NULL;
    assert_int_equal(r->memory.live, 0);
    assert_int_equal(os_sim_handles(r->sim), 0);
}

/* Whether the database is what the oracle was at `snapshot`. */
static inline bool
rig_same(struct rig *r, struct lsm_txn *txn, uint64_t snapshot)
{
    struct bytes want = BYTES_NULL, got, value;
    struct lsm_range all = { 0 };
    struct lsm_cursor *c;
    basin_status st;
    bool there, same = true;

    rig_ok(r, lsm_cursor_open(txn, NULL, &r->cursor, &r->err));
    c = r->cursor;
    st = lsm_cursor_first(c, &r->err);
    there = walk_expect(r->oracle, &all, NULL, true, true, snapshot, &want);
    while (same && there) {
        struct bytes from = want;
        if (st != BASIN_END)
            rig_ok(r, st);
        same = st == BASIN_OK && bytes_equal(lsm_cursor_key(c), want);
        if (!same)
            break;
        if (oracle_get(r->oracle, want, snapshot, &value) == ORACLE_VALUE) {
            st = lsm_cursor_value(c, &got, &r->err);
            if (st != BASIN_UNKNOWN_OPERATOR && st != BASIN_CORRUPT)
                rig_ok(r, st);
            same = st == BASIN_OK && bytes_equal(got, value);
        }
        there = walk_expect(r->oracle, &all, &from, false, true, snapshot, &want);
        st = lsm_cursor_next(c, &r->err);
    }
    same = same && !there && st == BASIN_END;
    lsm_cursor_close(c);
    r->cursor = NULL;
    return same;
}

static inline int
rig_note_pin(void *ctx, const struct lsm_pin_info *pin)
{
    struct rig *r = ctx;
    char name[16];

    for (size_t i = 0; i < RIG_PIN_MAX; i++) {
        rig_pin_name(name, i);
        if (strcmp(name, pin->name) != 0)
            continue;
        assert_true(r->pins[i].used || r->pins[i].unsure);
        assert_int_equal(pin->seqno, r->pins[i].seqno);
        r->pins[i].used = true;
        r->pins[i].unsure = false;
        return 0;
    }
    fail_msg("a pin '%s' that nobody made", pin->name);
    return 1;
}

static inline void
rig_recover_pins(struct rig *r)
{
    bool expected[RIG_PIN_MAX];

    for (size_t i = 0; i < RIG_PIN_MAX; i++) {
        expected[i] = r->pins[i].used && !r->pins[i].unsure;
        r->pins[i].unsure = r->pins[i].unsure || !r->pins[i].used;
        r->pins[i].unsure = r->pins[i].unsure && !expected[i];
        r->pins[i].used = false;
    }
    for (size_t i = 0; i < RIG_PIN_MAX; i++)
        if (expected[i])
            r->pins[i].unsure = true; /* allowed, and required below */
    rig_ok(r, lsm_pin_list(r->db, rig_note_pin, r, &r->err));
    for (size_t i = 0; i < RIG_PIN_MAX; i++) {
        if (expected[i] && !r->pins[i].used)
            fail_msg("pin-%zu at %llu is lost; history %llu", i,
                     (unsigned long long)r->pins[i].seqno, (unsigned long long)r->c.seed);
        r->pins[i].unsure = false;
    }
}

/* The newest of the states that may have survived, up to the seqno that the database gives. */
static inline uint64_t
rig_survivor(struct rig *r, uint64_t least, uint64_t most)
{
    for (size_t i = r->mark_count; i-- > 0;)
        if (r->marks[i] >= least && r->marks[i] <= most && rig_same(r, r->txn, r->marks[i]))
            return r->marks[i];
    if (r->durable >= least && rig_same(r, r->txn, r->durable))
        return r->durable;
    fail_msg("no prefix of commits from %llu to %llu (durable %llu); history %llu",
             (unsigned long long)least,
             (unsigned long long)(r->mark_count ? r->marks[r->mark_count - 1] : r->durable),
             (unsigned long long)r->durable, (unsigned long long)r->c.seed);
    return 0;
}

/* Opens after crashes, of which one lost power when `lossy`, and takes over what is there. */
static inline void
rig_recover(struct rig *r, bool lossy)
{
    uint64_t survivor, seqno;
    size_t kept = 0;

    rig_open(r);
    rig_begin(r, LSM_READ, &r->txn);
    seqno = lsm_txn_seqno(r->txn);
    survivor = rig_survivor(r, lossy ? r->durable : r->seqno, seqno);
    lsm_abort(r->txn);
    r->txn = NULL;
    oracle_cut(r->oracle, survivor);
    rig_recover_pins(r);
    while (kept < r->mark_count && r->marks[kept] <= survivor)
        kept++;
    r->mark_count = kept;
    r->seqno = seqno;
    if (lossy)
        rig_durable(r, seqno);
    else if (seqno > survivor)
        rig_mark(r, seqno);
}

/* ------------------------------------------------------------------ files */

struct rig_files {
    struct rig *r;
    const char *class_name;
    size_t count;
    bool log;
};

static inline bool
rig_expects(struct rig *r, const char *class_name, struct object_id id)
{
    const struct manifest *m = &r->db->manifest;

    if (strcmp(class_name, "strata") == 0) {
        for (size_t i = 0; i < m->stratum_count; i++)
            if (m->strata[i]->id.epoch == id.epoch && m->strata[i]->id.number == id.number)
                return true;
        return false;
    }
    if (strcmp(class_name, "values") == 0) {
        for (size_t i = 0; i < m->stratum_count; i++)
            for (size_t k = 0; k < m->strata[i]->use_count; k++)
                if (m->strata[i]->uses[k].id.epoch == id.epoch &&
                    m->strata[i]->uses[k].id.number == id.number)
                    return true;
        return false;
    }
    return id.epoch == r->db->checkpoint.epoch && id.number == r->db->checkpoint.at;
}

static inline basin_status
rig_see_file(void *ctx, const char *name, basin_error *err)
{
    struct rig_files *f = ctx;
    struct object_id id;
    uint64_t least = f->r->db->manifest.replay_from.epoch;

    (void)err;
    f->count++;
    if (strcmp(f->class_name, "log") == 0) {
        if (strcmp(name, "spare") != 0 && strtoull(name, NULL, 10) < least)
            fail_msg("log %s is left, replay is from %llu; history %llu", name,
                     (unsigned long long)least, (unsigned long long)f->r->c.seed);
        return BASIN_OK;
    }
    if (!lsm__object_parse(name, &id) || !rig_expects(f->r, f->class_name, id))
        fail_msg("%s/%s is left; history %llu", f->class_name, name,
                 (unsigned long long)f->r->c.seed);
    return BASIN_OK;
}

/* Everything is flushed and settled: what is there is referred to. */
static inline void
rig_check_files(struct rig *r)
{
    static const char *const classes[] = { "strata", "values", "ckpt", "log", "tmp" };
    char path[OS_PATH_MAX];

    for (size_t i = 0; i < COUNT_OF(classes); i++) {
        struct rig_files f = { .r = r, .class_name = classes[i] };
        rig_ok(r, os_join(path, r->path, classes[i], &r->err));
        basin_status st = os_list(r->os, path, rig_see_file, &f, &r->err);
        if (st != BASIN_NOT_FOUND)
            rig_ok(r, st);
        assert_true(i != 3 || f.count <= 8);
    }
}

#endif
