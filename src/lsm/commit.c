// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Group commit. Requests queue; the first one becomes the leader and carries out the whole queue:
 * it validates, appends to the log, applies to the active memtable, syncs once when somebody asked
 * for it, and only then publishes the new seqno (no reader sees what a failed sync takes back).
 * Only the leader touches the log's end and the active memtable; structural edits pass through the
 * same queue, so that there is one commit sequence.
 *
 *   submit -> [queue] -> lead: process each -> sync -> publish -> wake -> [next leader]
 */
#include "lsm/internal.h"
#include "lsm/txn.h"

enum { GROUP_BYTES_MAX = 1 << 20, RESERVE_AHEAD = 16 * 1024 };

void
lsm__poison(struct lsm *db, basin_status st, const basin_error *err)
{
    os_mutex_lock(db->mu);
    if (db->failed == BASIN_OK) {
        db->failed = st;
        if (err != NULL)
            db->failure = *err;
        db->failure.status = st;
        atomic_store_explicit(&db->failed_hint, true, memory_order_release);
    }
    os_cond_broadcast(db->idle_cond);
    os_mutex_unlock(db->mu);
}

static basin_status
failure_copy(struct lsm *db, basin_error *err)
{
    if (db->failed != BASIN_OK && err != NULL)
        *err = db->failure;
    return db->failed;
}

/* A store that lost the sync of a directory publishes nothing more, so nothing more is taken. */
basin_status
lsm__failure(struct lsm *db, basin_error *err)
{
    basin_status st;
    basin_error lost;

    if (LIKELY(store_failure(db->store, NULL) == BASIN_OK &&
               !atomic_load_explicit(&db->failed_hint, memory_order_acquire)))
        return BASIN_OK;
    error_clear(&lost);
    os_mutex_lock(db->mu);
    if (db->failed == BASIN_OK && store_failure(db->store, &lost) != BASIN_OK) {
        db->failed = lost.status;
        db->failure = lost;
        atomic_store_explicit(&db->failed_hint, true, memory_order_release);
        os_cond_broadcast(db->idle_cond);
    }
    st = failure_copy(db, err);
    os_mutex_unlock(db->mu);
    return st;
}

/* ------------------------------------------------------------------ the leader's work */

/* Goes on in a new epoch: the old log gets its seal and is synced first; where that ends stands in
 * the header of the next. */
static basin_status
roll(struct lsm *db, basin_error *err)
{
    basin_status st;
    struct log_file *next = NULL, *old = db->log;
    struct place at;
    uint64_t epoch = db->epoch;

    do {
        epoch++;
        st = lsm__log_create(db, epoch, epoch == old->epoch + 1 ? lsm__log_sealed_end(old) : 0,
                             &next, err);
    } while (st == BASIN_EXISTS);
    TRY(st);
    TRY(lsm__log_append(old, RECORD_SEAL, db->last_seqno + 1, BYTES_NULL, &at, err));
    if (!PLANTED(ROLL_UNSYNCED))
        TRY(lsm__log_sync(old, err)); /* nothing may follow a seal: a failed sync poisons */
    os_mutex_lock(db->mu);
    db->log = next;
    atomic_store_explicit(&db->epoch, epoch, memory_order_release);
    os_mutex_unlock(db->mu);
    next = NULL;
    lsm__log_unref(old);
out:
    if (next != NULL) {
        lsm__log_unref(next);
        lsm__log_remove(db, epoch);
    }
    return st;
}

static bool
only_deletes(struct bytes ops)
{
    struct rd r = rd_over(ops.data, ops.size);
    struct op op;

    while (lsm__op_next(&r, &op, NULL) == BASIN_OK)
        if (op.kind != OP_DELETE && op.kind != OP_DELETE_RANGE && op.kind != OP_DELETE_FROM)
            return false;
    return true;
}

static basin_status
append_once(struct lsm *db, bool fresh, const struct record *r, struct place *at, basin_error *err)
{
    basin_status st = BASIN_LIMIT;

    if (!fresh)
        st = lsm__log_append(db->log, r->type, r->first_seqno, r->body, at, err);
    if (st == BASIN_LIMIT) {
        TRY(roll(db, err));
        st = lsm__log_append(db->log, r->type, r->first_seqno, r->body, at, err);
    }
out:
    return st;
}

/* When twice the old log does not fit, a new one may. `must_fit`: what a full disk may not stop
 * takes from the reserve. */
static basin_status
append(struct lsm *db, const struct record *r, bool must_fit, struct place *at, basin_error *err)
{
    basin_status st = append_once(db, false, r, at, err);

    if (st == BASIN_NO_SPACE && !db->log->torn && lsm__failure(db, NULL) == BASIN_OK)
        st = append_once(db, true, r, at, err);
    if (st == BASIN_NO_SPACE && must_fit && !db->log->torn && lsm__reserve_release(db))
        st = append_once(db, true, r, at, err);
    if (st != BASIN_OK && db->log->torn) /* the record may be there after a kill */
        lsm__poison(db, st, err);
    return st;
}

/* Puts operations into a memtable with ascending seqnos. */
basin_status
lsm__apply_ops(struct memtable *m, struct bytes ops, uint64_t first_seqno, uint64_t *next_seqno,
               basin_error *err)
{
    static const enum entry_kind kinds[] = { ENTRY_PUT, ENTRY_DELETE, ENTRY_MERGE, ENTRY_REF };
    basin_status st;
    struct rd r = rd_over(ops.data, ops.size);
    struct op op;

    uint64_t seqno = first_seqno;

    for (; (st = lsm__op_next(&r, &op, err)) == BASIN_OK; seqno++) {
        if (seqno < memtable_seqno_max(m) || seqno > LSM_SEQNO_MAX)
            return error_set(err, BASIN_CORRUPT, "batch: seqno %llu follows %llu",
                             (unsigned long long)seqno, (unsigned long long)memtable_seqno_max(m));
        if (op.kind == OP_DELETE_RANGE || op.kind == OP_DELETE_FROM)
            st = memtable_add_range(m,
                                    &(struct range_tombstone){ op.key, op.value,
                                                               op.kind == OP_DELETE_FROM, seqno },
                                    err);
        else
            st = memtable_add(m, &(struct entry){ op.key, op.value, seqno, kinds[op.kind] }, err);
        if (st != BASIN_OK)
            return st;
    }
    *next_seqno = seqno;
    return st == BASIN_END ? BASIN_OK : st;
}

/* A new active memtable; the old one waits for its flush. */
basin_status
lsm__rotate(struct lsm *db, basin_error *err)
{
    basin_status st;
    struct memtable *next;

    TRY(memtable_new(db->mem, lsm__fold_table(db), &next, err));
    os_mutex_lock(db->mu);
    db->immutable[db->immutable_count].table = db->active;
    db->immutable[db->immutable_count].from = db->active_from;
    db->immutable[db->immutable_count].seqno = db->active_seqno;
    db->immutable_count++;
    db->active = next;
    db->active_from = (struct place){ db->epoch, db->log->end };
    db->active_seqno = db->last_seqno;
    db->rotated++;
    atomic_store_explicit(&db->reserved_upto, 0, memory_order_release);
    st = lsm__version_install(db, err);
    if (st != BASIN_OK) { /* as it was */
        db->rotated--;
        db->immutable_count--;
        db->active = db->immutable[db->immutable_count].table;
        db->active_from = db->immutable[db->immutable_count].from;
        db->active_seqno = db->immutable[db->immutable_count].seqno;
        memtable_unref(next);
    }
    lsm__background_wake(db);
    os_mutex_unlock(db->mu);
out:
    return st;
}

static bool
may_rotate(struct lsm *db)
{
    bool may;

    os_mutex_lock(db->mu);
    may = db->immutable_count < COUNT_OF(db->immutable);
    os_mutex_unlock(db->mu);
    return may;
}

static basin_status
make_room(struct lsm *db, basin_error *err)
{
    uint64_t most = db->o.memtable_size;

    if (atomic_load_explicit(&db->full, memory_order_acquire)) /* so that log can go soon */
        most = MIN_OF(most, RESERVE_DELETES);
    if (memtable_used(db->active) < most && memtable_range_count(db->active) < MEMTABLE_RANGES_MAX)
        return BASIN_OK;
    return may_rotate(db) ? lsm__rotate(db, err) : BASIN_OK;
}

static basin_status
process_rotate(struct lsm *db, struct request *r)
{
    if (memtable_entries(db->active) + memtable_range_count(db->active) == 0)
        return BASIN_OK;
    if (!may_rotate(db))
        return error_set(&r->error, BASIN_BUSY, "too many memtables wait for their flush");
    return lsm__rotate(db, &r->error);
}

/* Before anything but a delete makes the memtable grow, the reserve grows. */
static basin_status
reserve_for(struct lsm *db, struct bytes ops, basin_error *err)
{
    uint64_t used = memtable_used(db->active) + ops.size + RESERVE_AHEAD;
    bool grows = used > atomic_load_explicit(&db->reserved_upto, memory_order_relaxed);

    if (LIKELY(!grows && !atomic_load_explicit(&db->full, memory_order_acquire)))
        return BASIN_OK;
    if (only_deletes(ops))
        return BASIN_OK;
    if (grows && used < db->o.memtable_size / 2 &&
        lsm__reserve_hold(db, 2 * used, NULL) == BASIN_OK)
        return BASIN_OK;
    return lsm__reserve_hold(db, grows ? used + used / 8 : 0, err);
}

static basin_status
process_commit(struct lsm *db, struct request *r)
{
    basin_status st = BASIN_OK;
    uint64_t first = db->last_seqno + 1, next;
    struct record record = { .type = RECORD_BATCH, .first_seqno = first, .body = r->ops };

    r->seqno = db->last_seqno;
    if (r->txn != NULL)
        TRY(lsm__txn_validate(r->txn, &r->error));
    if (r->op_count == 0)
        goto out;
    TRY(make_room(db, &r->error));
    TRY(reserve_for(db, r->ops, &r->error));
    st = append(db, &record, false, &r->place, &r->error);
    if (st == BASIN_NO_SPACE && lsm__failure(db, NULL) == BASIN_OK && only_deletes(r->ops))
        st = append(db, &record, true, &r->place, &r->error);
    TRY(st);
    db->last_seqno += r->op_count;
    r->seqno = db->last_seqno;
    st = lsm__apply_ops(db->active, r->ops, first, &next, &r->error);
    if (st != BASIN_OK) /* in the log, but not in memory: only reopening makes them agree */
        lsm__poison(db, st, &r->error);
    atomic_fetch_add_explicit(&db->commits, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&db->puts, r->op_count, memory_order_relaxed);
out:
    if (st == BASIN_NO_SPACE)
        lsm__full_hint(&r->error);
    return st;
}

static basin_status
process_call(struct lsm *db, struct request *r)
{
    basin_status st;

    os_mutex_lock(db->mu);
    st = r->call(db, r->call_ctx, &r->error);
    os_mutex_unlock(db->mu);
    return st;
}

/* R1, R2: what the edit names is synced by its caller; the record is synced here, and only then
 * does the manifest change. */
static basin_status
process_edit(struct lsm *db, struct request *r)
{
    basin_status st;
    struct record record = { .type = RECORD_EDIT };

    if (r->txn != NULL)
        TRY(lsm__txn_validate(r->txn, &r->error));
    if (r->call != NULL)
        TRY(process_call(db, r));
    if (r->edit->failed)
        FAIL(&r->error, BASIN_NO_MEM, "no memory for an edit");
    record.first_seqno = MAX_OF(db->last_seqno, r->seqno_after); /* the call may set it */
    record.body = buf_bytes(&r->edit->body);
    st = append(db, &record, r->seqno_after == 0, &r->place, &r->error);
    r->edit->logged = st == BASIN_OK || db->log->torn;
    TRY(st);
    if (!PLANTED(EDIT_UNSYNCED))
        st = lsm__log_sync(db->log, &r->error);
    if (st == BASIN_OK) {
        db->last_seqno = MAX_OF(db->last_seqno, r->seqno_after);
        lsm__readers_publish(db);
        os_mutex_lock(db->mu);
        st = lsm__manifest_apply(db, &db->manifest, buf_bytes(&r->edit->body),
                                 (struct place){ db->log->epoch, db->log->end }, &r->error);
        if (st == BASIN_OK && r->install != NULL)
            r->install(db, r->install_ctx);
        if (st == BASIN_OK)
            st = lsm__version_install(db, &r->error);
        lsm__background_wake(db);
        os_cond_broadcast(db->idle_cond);
        os_mutex_unlock(db->mu);
    }
    if (st != BASIN_OK) /* the log says one thing, memory another */
        lsm__poison(db, st, &r->error);
out:
    return st;
}

static basin_status
process(struct lsm *db, struct request *r)
{
    basin_status st = lsm__failure(db, &r->error);

    if (st != BASIN_OK)
        return st;
    switch (r->kind) {
    case REQUEST_COMMIT:
        return process_commit(db, r);
    case REQUEST_EDIT:
        return process_edit(db, r);
    case REQUEST_ROTATE:
        return process_rotate(db, r);
    case REQUEST_CALL:
        return process_call(db, r);
    case REQUEST_SYNC:
        break;
    }
    return BASIN_OK;
}

/*
 * The bounds of buffered commits, before anybody is told of a commit. The sync thread keeps them in
 * good time; the leader takes over when more is waiting than may, or when a sync that it began
 * lasts. What is not covered by that one is younger, so the clock is read then only.
 */
static bool
sync_is_due(struct lsm *db)
{
    uint64_t waiting = lsm__log_unsynced(db->log), since, now;
    uint64_t bound_ns = MIN_OF(db->o.buffer_ms, UINT64_C(3600000)) * UINT64_C(1000000);

    if (waiting == 0)
        db->unsynced_ns = 0;
    if (waiting == 0 || db->tail_unsafe)
        return false;
    if (waiting >= db->o.buffer_bytes)
        return true;
    if (!db->o.no_threads) {
        since = atomic_load_explicit(&db->sync_started_ns, memory_order_acquire);
        if (since == 0 && waiting >= db->o.buffer_bytes / 2)
            os_cond_signal(db->sync_cond);
        return since != 0 && db->os->ops->monotonic_ns(db->os) - since >= bound_ns / 2;
    }
    now = db->os->ops->monotonic_ns(db->os);
    if (db->unsynced_ns == 0)
        db->unsynced_ns = MAX_OF(now, (uint64_t)1);
    return now - db->unsynced_ns >= bound_ns;
}

static void
fail_group(struct request *head, basin_status st, const basin_error *err)
{
    for (struct request *r = head; r; r = r->next)
        if (r->status == BASIN_OK && r->kind != REQUEST_EDIT) {
            r->status = st;
            r->error = *err;
        }
}

static void
lead(struct lsm *db, struct request *head)
{
    basin_status st = BASIN_OK;
    basin_error error = { 0 };
    bool sync = false;

    for (struct request *r = head; r; r = r->next) {
        r->status = process(db, r);
        sync = sync ||
               (r->durable && r->status == BASIN_OK && !(PLANTED(FOLLOWER) && r->next != NULL));
    }
    if ((sync && !PLANTED(ACK_FIRST)) || (sync_is_due(db) && lsm__failure(db, NULL) == BASIN_OK)) {
        st = lsm__log_sync(db->log, &error);
        db->unsynced_ns = 0;
    }
    if (st != BASIN_OK) { /* it has poisoned the database */
        fail_group(head, st, &error);
        return;
    }
    if (lsm__failure(db, NULL) == BASIN_OK) {
        atomic_store_explicit(&db->visible, db->last_seqno, memory_order_release);
        if (lsm__log_unsynced(db->log) == 0 &&
            !atomic_load_explicit(&db->tail_unsafe_hint, memory_order_acquire))
            lsm__durable_to(db, db->last_seqno);
        lsm__readers_publish(db);
    }
}

/* ------------------------------------------------------------------ the queue */

/* Takes a group from the queue: all of it, up to a bound in bytes. REQUIRES(queue_mu). */
static struct request *
take_group(struct lsm *db)
{
    struct request *head = db->queue_head, *last = head;
    size_t size = head->ops.size;

    while (last->next != NULL && size + last->next->ops.size <= GROUP_BYTES_MAX) {
        last = last->next;
        size += last->ops.size;
    }
    db->queue_head = last->next;
    if (db->queue_head == NULL)
        db->queue_tail = NULL;
    last->next = NULL;
    return head;
}

basin_status
lsm__submit(struct lsm *db, struct request *r, basin_error *err)
{
    struct request *group, *next;

    r->next = NULL;
    r->done = false;
    os_mutex_lock(db->queue_mu);
    if (db->queue_tail != NULL)
        db->queue_tail->next = r;
    else
        db->queue_head = r;
    db->queue_tail = r;
    while (!r->done && db->leading)
        (void)os_cond_wait(db->queue_cond, db->queue_mu, UINT64_MAX);
    if (!r->done) {
        db->leading = true;
        while (!r->done) {
            group = take_group(db);
            os_mutex_unlock(db->queue_mu);
            lead(db, group);
            os_mutex_lock(db->queue_mu);
            for (; group; group = next) {
                next = group->next;
                group->done = true;
            }
        }
        db->leading = false;
        os_cond_broadcast(db->queue_cond);
    }
    os_mutex_unlock(db->queue_mu);
    if (r->status != BASIN_OK && err != NULL)
        *err = r->error;
    return r->status;
}

basin_status
lsm__publish(struct lsm *db, struct edit *edit, void (*install)(struct lsm *db, void *ctx),
             void *ctx, basin_error *err)
{
    struct request r = {
        .kind = REQUEST_EDIT, .edit = edit, .install = install, .install_ctx = ctx
    };
    return lsm__submit(db, &r, err);
}

/* Runs fn on the leader with mu held: the log's end and the manifest then agree. */
basin_status
lsm__call(struct lsm *db, basin_status (*fn)(struct lsm *db, void *ctx, basin_error *err),
          void *ctx, basin_error *err)
{
    struct request r = { .kind = REQUEST_CALL, .call = fn, .call_ctx = ctx };
    return lsm__submit(db, &r, err);
}

/* ------------------------------------------------------------------ pace of writers */

/* Nanoseconds that a commit of `size` bytes is held back: grows with the runs of level 0 above
 * what merging is expected to keep up with, so that nobody meets the hard limit. */
static uint64_t
delay_ns(uint64_t runs, size_t size)
{
    if (runs <= DEBT_RUNS_SLOW)
        return 0;
    return MIN_OF((runs - DEBT_RUNS_SLOW) * (uint64_t)size * 4, UINT64_C(20000000));
}

/* REQUIRES(mu) */
static bool
must_wait(const struct lsm *db)
{
    if (db->failed != BASIN_OK)
        return false;
    if (db->level0_runs >= DEBT_RUNS_STOP)
        return !db->merge_blocked && !db->merge_short;
    return db->immutable_count >= IMMUTABLE_MAX && db->stuck == BASIN_OK;
}

/* Why a commit of `ops` cannot go on. REQUIRES(mu) */
static basin_status
no_room(struct lsm *db, struct bytes ops, basin_error *err)
{
    basin_status st = failure_copy(db, err);

    if (st != BASIN_OK)
        return st;
    if (db->level0_runs >= DEBT_RUNS_STOP && db->merge_blocked) {
        if (err != NULL)
            *err = db->merge_error;
        return db->merge_error.status;
    }
    if (db->level0_runs >= DEBT_RUNS_SHORT && db->merge_short && !only_deletes(ops)) {
        st = error_set(err, BASIN_NO_SPACE, "%s: the disk is full: no room to merge %llu runs",
                       db->path, (unsigned long long)db->level0_runs);
        lsm__full_hint(err);
        return st;
    }
    return db->immutable_count >= IMMUTABLE_MAX ? lsm__stuck(db, err) : BASIN_OK;
}

/* Background work in the caller's thread: what a writer must wait for, done at once. */
static basin_status
room_inline(struct lsm *db, struct bytes ops, basin_error *err)
{
    basin_status st = BASIN_OK;
    bool did = true, full;

    while (did) {
        os_mutex_lock(db->mu);
        full = db->immutable_count > 0 || db->level0_runs > 2 * db->o.level0_runs;
        os_mutex_unlock(db->mu);
        if (!full)
            break;
        st = lsm__background_step(db, &did, err);
        if (st == BASIN_CANCELLED)
            return BASIN_OK; /* the next commit goes on with it */
        TRY(st);
    }
    os_mutex_lock(db->mu);
    st = no_room(db, ops, err);
    os_mutex_unlock(db->mu);
out:
    return st;
}

basin_status
lsm__wait_for_room(struct lsm *db, struct bytes ops, basin_error *err)
{
    basin_status st;
    uint64_t begin = 0, delay;

    if (db->o.no_threads)
        return room_inline(db, ops, err);
    if (LIKELY(!atomic_load_explicit(&db->crowded, memory_order_acquire)))
        return BASIN_OK;
    os_mutex_lock(db->mu);
    while (must_wait(db)) {
        begin = begin ? begin : db->os->ops->monotonic_ns(db->os);
        os_cond_broadcast(db->work_cond);
        (void)os_cond_wait(db->idle_cond, db->mu, UINT64_C(100000000));
    }
    delay = delay_ns(db->level0_runs, ops.size);
    st = no_room(db, ops, err);
    os_mutex_unlock(db->mu);
    if (delay) {
        begin = begin ? begin : db->os->ops->monotonic_ns(db->os);
        db->os->ops->sleep_ns(db->os, delay);
    }
    if (begin) {
        atomic_fetch_add_explicit(&db->stalls, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&db->stall_us, (db->os->ops->monotonic_ns(db->os) - begin) / 1000,
                                  memory_order_relaxed);
    }
    return st;
}

/* Before a commit the tail that an earlier epoch left must be safe (its pages may be clean in the
 * page cache and yet not on disk): its flush makes it so. A buffered commit waits, too: the power
 * could take the tail and leave the commit, which then has no predecessor to be replayed after. */
basin_status
lsm__wait_for_tail(struct lsm *db, basin_error *err)
{
    basin_status st = BASIN_OK;
    bool did;

    os_mutex_lock(db->mu);
    while (db->tail_unsafe && db->failed == BASIN_OK &&
           (db->o.no_threads ? db->immutable_count > 0 : db->stuck == BASIN_OK)) {
        if (db->o.no_threads && !db->flush_running) {
            os_mutex_unlock(db->mu);
            st = lsm__flush_step(db, &did, err);
            if (st != BASIN_OK)
                return st;
            os_mutex_lock(db->mu);
        } else {
            os_cond_broadcast(db->work_cond);
            (void)os_cond_wait(db->idle_cond, db->mu, UINT64_C(100000000));
        }
    }
    st = failure_copy(db, err);
    if (st == BASIN_OK && db->tail_unsafe)
        st = lsm__stuck(db, err);
    os_mutex_unlock(db->mu);
    return st;
}
