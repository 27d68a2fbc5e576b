// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Background work: one thread flushes and makes checkpoints, one merges, one syncs buffered
 * commits: their bound holds however long a flush takes. Without threads the same steps run when
 * the caller pumps. A failed step poisons the database when it was an error of the disk; a merge
 * that was only cancelled, or found damage, is not repeated until something changes.
 */
#include "lsm/internal.h"

static basin_status
checkpoint_step(struct lsm *db, bool *did, basin_error *err)
{
    os_mutex_lock(db->mu);
    *did = lsm__checkpoint_due(db) && !db->checkpoint_running;
    if (*did)
        db->checkpoint_running = true;
    os_mutex_unlock(db->mu);
    if (!*did)
        return BASIN_OK;
    basin_status st = lsm__checkpoint(db, err);
    if (st == BASIN_NO_SPACE && lsm__reserve_release(db))
        st = lsm__checkpoint(db, err);
    os_mutex_lock(db->mu);
    db->checkpoint_running = false;
    if (st == BASIN_OK)
        db->covered_epoch = db->manifest.replay_from.epoch;
    os_mutex_unlock(db->mu);
    return st;
}

basin_status
lsm__background_step(struct lsm *db, bool *did, basin_error *err)
{
    basin_status st;

    TRY(lsm__flush_step(db, did, err));
    if (!*did)
        TRY(checkpoint_step(db, did, err));
    if (!*did)
        TRY(lsm__merge_step(db, did, err));
    lsm__remove_dead(db);
    (void)!lsm__reserve_allows(db, NULL); /* there may be room again */
out:
    if (st != BASIN_OK && st != BASIN_CANCELLED)
        lsm__background_failed(db, st, err);
    return st;
}

/* Damage in a stratum stops merging, which says so in its error; a full disk and lack of memory
 * pass, so that the step is tried again, and who must wait for it is told; anything else poisons.
 */
void
lsm__background_failed(struct lsm *db, basin_status st, const basin_error *err)
{
    if (st == BASIN_CORRUPT || st == BASIN_UNKNOWN_OPERATOR) {
        os_mutex_lock(db->mu);
        db->merge_blocked = true;
        if (err != NULL)
            db->merge_error = *err;
        os_mutex_unlock(db->mu);
        return;
    }
    if (st == BASIN_NO_SPACE || st == BASIN_NO_MEM) {
        os_mutex_lock(db->mu);
        db->stuck = st;
        if (err != NULL)
            db->stuck_error = *err;
        os_cond_broadcast(db->idle_cond);
        os_mutex_unlock(db->mu);
        return;
    }
    lsm__poison(db, st, err);
}

basin_status
lsm__stuck(const struct lsm *db, basin_error *err)
{
    if (db->stuck != BASIN_OK && err != NULL)
        *err = db->stuck_error;
    return db->stuck;
}

/* ------------------------------------------------------------------ threads */

static bool
stopping(struct lsm *db)
{
    return atomic_load_explicit(&db->closing, memory_order_acquire);
}

static void
flush_thread(void *ctx)
{
    struct lsm *db = ctx;
    basin_status st;
    basin_error error;
    bool did, more;

    while (!stopping(db)) {
        error_clear(&error);
        st = lsm__flush_step(db, &did, &error);
        if (st == BASIN_OK)
            st = checkpoint_step(db, &more, &error);
        if (st != BASIN_OK)
            lsm__background_failed(db, st, &error);
        lsm__remove_dead(db);
        (void)!lsm__reserve_allows(db, NULL); /* there may be room again */
        os_mutex_lock(db->mu);
        if (db->merge_short)
            lsm__background_wake(db);
        if (!stopping(db) &&
            (db->immutable_count == 0 || db->failed != BASIN_OK || db->stuck != BASIN_OK))
            (void)os_cond_wait(db->work_cond, db->mu, UINT64_C(500000000));
        os_mutex_unlock(db->mu);
    }
}

static void
merge_thread(void *ctx)
{
    struct lsm *db = ctx;
    basin_status st;
    basin_error error;
    bool did;
    bool blocked;
    uint64_t seen;

    while (!stopping(db)) {
        error_clear(&error);
        did = false;
        st = BASIN_OK;
        os_mutex_lock(db->mu);
        seen = db->work_seen;
        blocked = db->merge_blocked;
        os_mutex_unlock(db->mu);
        if (!blocked)
            st = lsm__merge_step(db, &did, &error);
        if (st != BASIN_OK && st != BASIN_CANCELLED)
            lsm__background_failed(db, st, &error);
        lsm__remove_dead(db);
        os_mutex_lock(db->mu);
        db->merge_idle = !did && seen == db->work_seen;
        os_cond_broadcast(db->idle_cond);
        while (!stopping(db) && !did && seen == db->work_seen)
            (void)os_cond_wait(db->work_cond, db->mu, UINT64_MAX);
        os_mutex_unlock(db->mu);
    }
}

static void
sync_buffered(struct lsm *db, struct log_file *log, uint64_t visible)
{
    basin_error error = { 0 };
    struct request r = { .kind = REQUEST_SYNC };

    if (lsm__log_unsynced(log) > 0) {
        atomic_store_explicit(&db->sync_started_ns, db->os->ops->monotonic_ns(db->os),
                              memory_order_release);
        if (lsm__log_sync(log, &error) == BASIN_OK) /* a failure poisons the database */
            lsm__durable_to(db, visible);
        atomic_store_explicit(&db->sync_started_ns, 0, memory_order_release);
        (void)!lsm__submit(db, &r, &error); /* the leader tells the readers */
    }
    lsm__log_unref(log);
}

/* It begins at half of either bound; what it does not reach in time the leader syncs itself, so
 * that nobody is told of a commit that is over the bound. */
static void
sync_thread(void *ctx)
{
    struct lsm *db = ctx;
    uint64_t pause_ns = MIN_OF(db->o.buffer_ms, UINT64_C(3600000)) * UINT64_C(500000);
    struct log_file *log;
    uint64_t visible;

    os_mutex_lock(db->mu);
    while (!stopping(db)) {
        /* first: what it sees is in this log, or in one before that was synced when it ended */
        visible = atomic_load_explicit(&db->visible, memory_order_acquire);
        log = db->tail_unsafe || db->failed != BASIN_OK ? NULL : db->log;
        if (log != NULL) {
            lsm__log_ref(log);
            os_mutex_unlock(db->mu);
            sync_buffered(db, log, visible);
            os_mutex_lock(db->mu);
        }
        if (!stopping(db))
            (void)os_cond_wait(db->sync_cond, db->mu, pause_ns);
    }
    os_mutex_unlock(db->mu);
}

static basin_status
start_thread(struct lsm *db, void (*fn)(void *ctx), const char *name, basin_error *err)
{
    basin_status st = os_thread_start(db->mem, fn, db, name, &db->threads[db->thread_count], err);

    db->thread_count += st == BASIN_OK;
    return st;
}

basin_status
lsm__background_start(struct lsm *db, basin_error *err)
{
    basin_status st = BASIN_OK;

    if (db->o.no_threads || db->o.read_only)
        return BASIN_OK;
    TRY(start_thread(db, flush_thread, "basin-flush", err));
    TRY(start_thread(db, merge_thread, "basin-merge", err));
    TRY(start_thread(db, sync_thread, "basin-sync", err));
out:
    return st;
}

void
lsm__background_stop(struct lsm *db)
{
    atomic_store_explicit(&db->closing, true, memory_order_release);
    os_mutex_lock(db->mu);
    os_cond_broadcast(db->work_cond);
    os_cond_broadcast(db->sync_cond);
    os_cond_broadcast(db->idle_cond);
    os_mutex_unlock(db->mu);
    while (db->thread_count > 0)
        os_thread_join(db->threads[--db->thread_count]);
}

/* Something changed that background work may care about. REQUIRES(db->mu). */
void
lsm__background_wake(struct lsm *db)
{
    db->work_seen++;
    os_cond_broadcast(db->work_cond);
}

basin_status
lsm_pump(struct lsm *db, bool *more, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct request r = { .kind = REQUEST_SYNC };

    *more = false;
    if (db->o.read_only || !db->o.no_threads)
        return BASIN_OK;
    TRY(lsm__background_step(db, more, err));
    st = lsm__submit(db, &r, err); /* the leader syncs what is due */
out:
    return st;
}

/* ------------------------------------------------------------------ asked for */

basin_status
lsm_sync(struct lsm *db, basin_error *err)
{
    basin_status st;
    struct request r = { .kind = REQUEST_SYNC, .durable = true };

    if (db->o.read_only)
        return BASIN_OK;
    TRY(lsm__wait_for_tail(db, err));
    TRY(lsm__submit(db, &r, err));
out:
    return st;
}

struct compaction {
    const basin_watch *watch;
    uint64_t begin_ns, bytes_before, interrupts;
};

static basin_status
watch_tick(struct lsm *db, const struct compaction *c, basin_error *err)
{
    const basin_watch *watch = c->watch;
    uint64_t now = db->os->ops->monotonic_ns(db->os);
    basin_progress p = { .stage = "compact", .unit = "bytes", .eta_ms = UINT64_MAX };

    if (lsm__interrupts(db) != c->interrupts)
        return error_set(err, BASIN_CANCELLED, "interrupted");
    if (watch == NULL)
        return BASIN_OK;
    p.elapsed_ms = (now - c->begin_ns) / 1000000;
    p.done = atomic_load_explicit(&db->merge_bytes_in, memory_order_relaxed) - c->bytes_before;
    p.bytes_in = p.done;
    if (watch->deadline_ms && p.elapsed_ms > watch->deadline_ms)
        return error_set(err, BASIN_TIMEOUT, "not finished within %u ms", watch->deadline_ms);
    if (watch->progress != NULL && watch->progress(watch->ctx, &p) != 0)
        return error_set(err, BASIN_CANCELLED, "stopped by the progress callback");
    return BASIN_OK;
}

/* Waits until no merge is left to do; merging stops with the first failure. */
basin_status
lsm_compact(struct lsm *db, const basin_watch *watch, basin_error *err)
{
    basin_status st;
    struct compaction c = { .watch = watch,
                            .begin_ns = db->os->ops->monotonic_ns(db->os),
                            .bytes_before = atomic_load(&db->merge_bytes_in),
                            .interrupts = lsm__interrupts(db) };
    bool did = true;

    TRY(lsm_flush(db, err));
    os_mutex_lock(db->mu);
    db->manual_merges++;
    db->merge_blocked = false;
    db->merge_idle = false;
    lsm__background_wake(db);
    os_mutex_unlock(db->mu);
    while (did && st == BASIN_OK) {
        if (db->o.no_threads) {
            st = lsm__background_step(db, &did, err);
        } else {
            os_mutex_lock(db->mu);
            if (!db->merge_idle && !db->merge_blocked && db->failed == BASIN_OK)
                (void)os_cond_wait(db->idle_cond, db->mu, UINT64_C(100000000));
            did = !db->merge_idle && !db->merge_blocked && db->failed == BASIN_OK;
            os_mutex_unlock(db->mu);
        }
        if (st == BASIN_OK)
            st = watch_tick(db, &c, err);
    }
    os_mutex_lock(db->mu);
    db->manual_merges--;
    if (st == BASIN_OK && db->merge_blocked) {
        st = db->merge_error.status;
        if (err != NULL)
            *err = db->merge_error;
    }
    os_mutex_unlock(db->mu);
    if (st == BASIN_OK)
        st = lsm__failure(db, err);
out:
    return st;
}

/* Unlinks strata whose last reader is gone, unless a reader process still needs them. */
void
lsm__remove_dead(struct lsm *db)
{
    lsm__dead_release(db, true);
    lsm__values_sweep(db);
    if (atomic_load_explicit(&db->cover_pending, memory_order_relaxed))
        (void)!lsm__remove_covered(db, NULL); /* what stays now goes with the next checkpoint */
}
