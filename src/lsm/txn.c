// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Beginning and ending transactions, and the locked mode.
 *
 * The writer lock is first come, first served: a locked transaction waits until nobody before it
 * holds or wants it and no optimistic commit is in flight; an optimistic commit waits behind a
 * locked transaction. Both wait in one line of tickets.
 *
 * The gate counts optimistic commits in flight. While nobody holds or waits they pass it without
 * the mutex; GATE_CLOSED, which changes under the mutex only, sends them to the line.
 */
#include <stdio.h>

#include "lsm/spill.h"
#include "lsm/values.h"

/* ------------------------------------------------------------------ the line of writers */

#define GATE_CLOSED (UINT32_C(1) << 31)

static bool
may_enter(const struct lsm *db, const struct writer_wait *w)
{
    uint32_t gate = atomic_load_explicit(&db->writer_gate, memory_order_acquire);

    return db->writer_line == w && !db->writer_held && (w->shared || gate == GATE_CLOSED);
}

/* Whether an optimistic commit got through the open gate. */
static bool
pass_gate(struct lsm *db)
{
    uint32_t gate = atomic_load_explicit(&db->writer_gate, memory_order_relaxed);

    while (!(gate & GATE_CLOSED))
        if (atomic_compare_exchange_weak_explicit(&db->writer_gate, &gate, gate + 1,
                                                  memory_order_acquire, memory_order_relaxed))
            return true;
    return false;
}

/* REQUIRES(writer_mu). */
static void
set_gate(struct lsm *db)
{
    if (db->writer_held || db->writer_line != NULL)
        atomic_fetch_or_explicit(&db->writer_gate, GATE_CLOSED, memory_order_acq_rel);
    else
        atomic_fetch_and_explicit(&db->writer_gate, ~GATE_CLOSED, memory_order_release);
}

static void
line_leave(struct lsm *db, struct writer_wait *w)
{
    struct writer_wait **at = &db->writer_line;

    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    set_gate(db);
    os_cond_broadcast(db->writer_cond);
}

/* Waits for the writer lock: alone (shared false) or beside other optimistic commits. */
basin_status
lsm__writer_enter(struct lsm *db, struct lsm_txn *txn, bool shared, uint32_t timeout_ms,
                  basin_error *err)
{
    basin_status st = BASIN_OK;
    struct writer_wait w = { .shared = shared };
    struct writer_wait **at;
    uint64_t now, until;

    if (shared && pass_gate(db))
        return BASIN_OK;
    now = db->os->ops->monotonic_ns(db->os);
    until = timeout_ms == UINT32_MAX ? UINT64_MAX : now + timeout_ms * UINT64_C(1000000);
    os_mutex_lock(db->writer_mu);
    for (at = &db->writer_line; *at; at = &(*at)->next)
        ;
    *at = &w;
    set_gate(db);
    while (!may_enter(db, &w)) {
        if (timeout_ms == 0 || db->o.no_threads) {
            st = error_set(err, BASIN_BUSY, "another transaction holds the writer lock");
            break;
        }
        if (now >= until) {
            st = error_set(err, BASIN_TIMEOUT, "the writer lock was not free within %u ms",
                           timeout_ms);
            break;
        }
        (void)os_cond_wait(db->writer_cond, db->writer_mu,
                           until == UINT64_MAX ? UINT64_MAX : until - now);
        now = db->os->ops->monotonic_ns(db->os);
    }
    if (st == BASIN_OK && shared) {
        atomic_fetch_add_explicit(&db->writer_gate, 1, memory_order_acquire);
    } else if (st == BASIN_OK) {
        db->writer = txn;
        db->writer_held = true;
    }
    line_leave(db, &w);
    os_mutex_unlock(db->writer_mu);
    return st;
}

void
lsm__writer_leave(struct lsm *db, bool shared)
{
    uint32_t gate = GATE_CLOSED;

    if (shared) {
        gate = atomic_fetch_sub_explicit(&db->writer_gate, 1, memory_order_acq_rel);
        must((gate & ~GATE_CLOSED) > 0);
    }
    if (!(gate & GATE_CLOSED))
        return;
    os_mutex_lock(db->writer_mu);
    if (!shared) {
        must(db->writer_held);
        db->writer = NULL;
        db->writer_held = false;
    }
    set_gate(db);
    if (db->writer_line != NULL)
        os_cond_broadcast(db->writer_cond);
    os_mutex_unlock(db->writer_mu);
}

/* ------------------------------------------------------------------ begin */

static const struct pin *
pin_named(const struct lsm *db, const char *name)
{
    for (size_t i = 0; i < db->manifest.pin_count; i++)
        if (strcmp(db->manifest.pins[i].name, name) == 0)
            return &db->manifest.pins[i];
    return NULL;
}

/* A past seqno is readable while a pin or an open snapshot holds just that one. */
static bool
still_held(const struct lsm *db, uint64_t seqno)
{
    for (size_t i = 0; i < db->manifest.pin_count; i++)
        if (db->manifest.pins[i].seqno == seqno)
            return true;
    for (const struct snapshot *s = db->snapshots.next; s != &db->snapshots; s = s->next)
        if (s->seqno == seqno)
            return true;
    return seqno == atomic_load_explicit(&db->visible, memory_order_acquire);
}

static basin_status
choose_seqno(struct lsm *db, const struct lsm_begin *how, uint64_t *seqno, basin_error *err)
{
    const struct pin *pin;

    *seqno = atomic_load_explicit(&db->visible, memory_order_acquire);
    if (how->at_pin != NULL) {
        pin = pin_named(db, how->at_pin);
        if (pin == NULL)
            return error_set(err, BASIN_NOT_FOUND, "no pin named '%s'", how->at_pin);
        *seqno = pin->seqno;
    } else if (how->at_seqno != 0) {
        if (!still_held(db, how->at_seqno))
            return error_set(err, BASIN_TOO_OLD, "seqno %llu is not held by a pin or snapshot",
                             (unsigned long long)how->at_seqno);
        *seqno = how->at_seqno;
    }
    return BASIN_OK;
}

/* Here every version has what an open snapshot sees; in a reader process only the snapshot's own
 * one does, because the writer merges without knowing of it. */
static struct version *
version_for(const struct lsm *db, const struct lsm_begin *how, uint64_t seqno)
{
    struct snapshot *s = db->snapshots.next;

    if (!db->o.read_only || how->at_seqno == 0 ||
        seqno == atomic_load_explicit(&db->visible, memory_order_acquire))
        return db->current;
    while (s != &db->snapshots && s->seqno != seqno)
        s = s->next;
    if (s == &db->snapshots)
        return db->current; /* a pin */
    return ((struct lsm_txn *)((char *)s - offsetof(struct lsm_txn, snapshot)))->version;
}

static basin_status
txn_snapshot(struct lsm *db, const struct lsm_begin *how, struct lsm_txn *txn, basin_error *err)
{
    basin_status st;

    os_mutex_lock(db->mu);
    st = choose_seqno(db, how, &txn->snapshot.seqno, err);
    if (st == BASIN_OK) {
        txn->version = version_for(db, how, txn->snapshot.seqno);
        lsm__snapshot_add(db, &txn->snapshot);
        lsm__version_ref(txn->version);
        lsm__child_opened(db, CHILD_TXN);
    }
    os_mutex_unlock(db->mu);
    return st;
}

static basin_status
begin_check(struct lsm *db, const struct lsm_begin *how, basin_error *err)
{
    if (how->mode != LSM_READ && db->o.read_only)
        return error_set(err, BASIN_READ_ONLY, "the database is open for reading");
    if (how->mode != LSM_READ && (how->at_pin != NULL || how->at_seqno != 0))
        return error_set(err, BASIN_MISUSE, "a writing transaction starts at the present");
    if (how->mode > LSM_LOCKED || (how->at_pin != NULL && how->at_seqno != 0))
        return error_set(err, BASIN_MISUSE, "bad transaction options");
    return lsm_check_process(db, err);
}

basin_status
lsm_begin(struct lsm *db, const struct lsm_begin *how, struct lsm_txn **out, basin_error *err)
{
    basin_status st;
    struct lsm_txn *txn = NULL;

    *out = NULL;
    TRY(begin_check(db, how, err));
    txn = mem_new(db->mem, sizeof(*txn));
    if (txn == NULL)
        FAIL(err, BASIN_NO_MEM, "no memory for a transaction");
    txn->db = db;
    txn->mode = how->mode;
    txn->check_reads = how->mode == LSM_WRITE && !how->no_read_check;
    buf_init(&txn->ops, db->mem);
    arena_init(&txn->arena, db->mem, 512);
    arena_init(&txn->read_arena, db->mem, 512);
    if (how->mode == LSM_LOCKED) {
        TRY(lsm__writer_enter(db, txn, false, how->timeout_ms, err));
        txn->holds_writer = true;
    }
    TRY(txn_snapshot(db, how, txn, err));
    *out = txn;
    txn = NULL;
out:
    if (txn != NULL) {
        if (txn->holds_writer)
            lsm__writer_leave(db, false);
        arena_release(&txn->arena);
        arena_release(&txn->read_arena);
        mem_free(db->mem, txn, sizeof(*txn));
    }
    return st;
}

uint64_t
lsm_txn_seqno(const struct lsm_txn *txn)
{
    return txn->snapshot.seqno;
}

struct lsm *
lsm_txn_db(const struct lsm_txn *txn)
{
    return txn->db;
}

/* ------------------------------------------------------------------ end */

static void
free_savepoints(struct lsm_txn *txn, const struct savepoint *until)
{
    while (txn->savepoints != until) {
        struct savepoint *s = txn->savepoints;
        txn->savepoints = s->outer;
        txn->savepoint_count--;
        mem_free(txn->db->mem, s, sizeof(*s) + strlen(s->name) + 1);
    }
}

/* What others wait for: the writer lock, and what only this snapshot needs. Once. */
static void
let_go(struct lsm_txn *txn)
{
    struct lsm *db = txn->db;

    os_mutex_lock(db->mu);
    lsm__snapshot_remove(db, &txn->snapshot);
    lsm__reader_snapshots(db);
    os_mutex_unlock(db->mu);
    if (txn->holds_writer)
        lsm__writer_leave(db, false);
    txn->holds_writer = false;
}

void
lsm__txn_free_savepoints(struct lsm_txn *txn)
{
    free_savepoints(txn, NULL);
}

static void
txn_free(struct lsm_txn *txn)
{
    struct lsm *db = txn->db;
    struct value_out *v, *after;

    if (!txn->ended)
        let_go(txn);
    lsm__child_closed(db, CHILD_TXN);
    lsm__version_unref(txn->version);
    if (db->o.read_only) /* maps keep the space of what the writer removes */
        lsm__dead_release(db, false);
    memtable_unref(txn->index);
    lsm__spill_drop(txn, false);
    for (v = txn->values; v; v = after) {
        after = v->next;
        lsm__value_out_close(v);
    }
    free_savepoints(txn, NULL);
    buf_release(&txn->ops);
    arena_release(&txn->arena);
    arena_release(&txn->read_arena);
    mem_free(db->mem, txn, sizeof(*txn));
}

/* With cursors still open the handle stays behind as a husk, for the memory that they point into;
 * the last close frees it. */
void
lsm_abort(struct lsm_txn *txn)
{
    if (txn == NULL || lsm_check_process(txn->db, NULL) != BASIN_OK)
        return;
    if (txn->open_count > 0) {
        let_go(txn);
        txn->ended = true;
        return;
    }
    txn_free(txn);
}

void
lsm__txn_child_opened(struct lsm_txn *txn, enum child kind)
{
    txn->open_count++;
    lsm__child_opened(txn->db, kind);
}

void
lsm__txn_child_closed(struct lsm_txn *txn, enum child kind)
{
    must(txn->open_count > 0);
    lsm__child_closed(txn->db, kind);
    txn->open_count--;
    if (txn->ended && txn->open_count == 0)
        txn_free(txn);
}

/* `entered`: the caller stands in the line of writers already. */
static basin_status
commit_ops(struct lsm_txn *txn, bool durable, bool entered, uint64_t *seqno, basin_error *err)
{
    basin_status st;
    struct lsm *db = txn->db;
    struct request r = { .kind = REQUEST_COMMIT, .txn = txn->check_reads ? txn : NULL,
                         .ops = buf_bytes(&txn->ops), .op_count = txn->op_count,
                         .durable = durable };
    bool shared = !txn->holds_writer && !entered;

    if (db->tail_unsafe_hint) /* also of a buffered one: what it follows could be lost before it */
        TRY(lsm__wait_for_tail(db, err));
    TRY(lsm__wait_for_room(db, buf_bytes(&txn->ops), err));
    TRY(lsm__txn_finish_values(txn, err));
    if (shared)
        TRY(lsm__writer_enter(db, txn, true, UINT32_MAX, err));
    st = lsm__submit(db, &r, err);
    if (shared)
        lsm__writer_leave(db, true);
    *seqno = r.seqno;
out:
    lsm__values_born(db, txn->values, st == BASIN_OK ? r.place : (struct place){ 0, 0 });
    return st;
}

basin_status
lsm_commit(struct lsm_txn *txn, bool durable, uint64_t *seqno, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct lsm *db = txn->db;
    uint64_t last = txn->snapshot.seqno;
    bool early = db->o.no_threads && !txn->holds_writer && txn->op_count > 0;
    bool spills = txn->op_count > 0 && lsm__spill_needed(txn);

    if (seqno != NULL)
        *seqno = 0;
    st = lsm_check_process(db, err);
    if (st != BASIN_OK)
        return st; /* the locks may be held for ever here: nothing is freed */
    if (txn->open_count > 0)
        return error_set(err, BASIN_BUSY, "the transaction has %zu open cursors or streams",
                         txn->open_count);
    if (early) { /* who would have to wait is refused before anything is done */
        st = lsm__writer_enter(db, txn, !spills, 0, err);
        if (st != BASIN_OK)
            return st;
    }
    if (spills)
        st = lsm__spill_commit(txn, early, &last, err);
    else if (txn->op_count > 0)
        st = commit_ops(txn, durable, early, &last, err);
    if (early)
        lsm__writer_leave(db, !spills);
    if (seqno != NULL && st == BASIN_OK)
        *seqno = last;
    if (st == BASIN_CONFLICT)
        atomic_fetch_add_explicit(&db->conflicts, 1, memory_order_relaxed);
    txn_free(txn);
    return st;
}

/* ------------------------------------------------------------------ savepoints */

static struct savepoint *
savepoint_named(struct lsm_txn *txn, const char *name, basin_error *err)
{
    struct savepoint *s = txn->savepoints;

    while (s != NULL && strcmp(s->name, name) != 0)
        s = s->outer;
    if (s == NULL)
        (void)error_set(err, BASIN_NOT_FOUND, "no savepoint named '%s'", name);
    return s;
}

basin_status
lsm_savepoint(struct lsm_txn *txn, const char *name, basin_error *err)
{
    size_t size = strlen(name);
    struct savepoint *s;

    if (size > LSM_NAME_MAX || txn->savepoint_count >= LSM_SAVEPOINT_MAX)
        return error_set(err, BASIN_LIMIT, "savepoint '%.32s': %d bytes and %d savepoints at most",
                         name, LSM_NAME_MAX, LSM_SAVEPOINT_MAX);
    s = mem_new(txn->db->mem, sizeof(*s) + size + 1);
    if (s == NULL)
        return error_set(err, BASIN_NO_MEM, "no memory for a savepoint");
    memcpy(s->name, name, size + 1);
    s->ops_size = txn->ops.size;
    s->op_count = txn->op_count;
    s->run_count = txn->spilled != NULL ? txn->spilled->run_count : 0;
    s->outer = txn->savepoints;
    txn->savepoints = s;
    txn->savepoint_count++;
    return BASIN_OK;
}

/* The index cannot forget: it is built anew when needed. */
basin_status
lsm_rollback_to(struct lsm_txn *txn, const char *name, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct savepoint *s = savepoint_named(txn, name, err);

    if (s == NULL)
        return BASIN_NOT_FOUND;
    if (txn->spilled != NULL && txn->spilled->run_count > s->run_count) {
        TRY(lsm__spill_cut(txn, s->run_count, err));
        txn->ops_before = s->op_count; /* the batch was spilled behind it: s->ops_size is 0 */
        lsm__txn_forget_index(txn);
    } else if (txn->indexed > s->ops_size) {
        lsm__txn_forget_index(txn);
    }
    txn->ops.size = s->ops_size;
    txn->op_count = s->op_count;
    free_savepoints(txn, s);
out:
    return st;
}

basin_status
lsm_savepoint_release(struct lsm_txn *txn, const char *name, basin_error *err)
{
    struct savepoint *s = savepoint_named(txn, name, err);

    if (s == NULL)
        return BASIN_NOT_FOUND;
    free_savepoints(txn, s->outer);
    return BASIN_OK;
}
