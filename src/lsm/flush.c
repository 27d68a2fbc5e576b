// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Flush: the oldest waiting memtable becomes a run of level 0.
 *
 *   rotate -> [immutable] -> write strata, synced -> publish edit -> install drops the memtable
 *
 * The edit moves replay_from to the first place of the next memtable: log before it is not needed.
 */
#include "lsm/rules.h"

struct flush {
    struct memtable *table;
    struct place next_from;
    uint64_t next_seqno; /* newest one before next_from */
    bool keep_seqnos;
    bool logged; /* the edit may be in the log */
};

/* With mu held, together with the edit. */
static void
flush_install(struct lsm *db, void *ctx)
{
    struct flush *f = ctx;

    must(db->immutable_count > 0 && db->immutable[0].table == f->table);
    memtable_unref(f->table); /* the version still holds it */
    db->immutable_count--;
    db->flushed++;
    db->stuck = BASIN_OK;
    memmove(db->immutable, db->immutable + 1, db->immutable_count * sizeof(*db->immutable));
    if (f->next_from.epoch >= db->first_epoch) {
        db->tail_unsafe = false;
        atomic_store_explicit(&db->tail_unsafe_hint, false, memory_order_release);
    }
}

static bool
flush_cancelled(void *ctx)
{
    struct lsm *db = ctx;
    return lsm__failure(db, NULL) != BASIN_OK;
}

static basin_status
flush_publish(struct lsm *db, struct output *output, struct flush *f, basin_error *err)
{
    basin_status st;
    struct edit edit;
    struct lsm_stratum **strata;
    size_t n = lsm__output_strata(output, &strata);

    lsm__edit_init(&edit, db->mem);
    for (size_t i = 0; i < n; i++)
        lsm__edit_add_stratum(&edit, strata[i]);
    lsm__edit_replay_from(&edit, f->next_from, f->next_seqno);
    lsm__edit_seqno(&edit, memtable_seqno_max(f->table));
    st = lsm__publish(db, &edit, flush_install, f, err);
    f->logged = edit.logged;
    lsm__edit_release(&edit);
    return st;
}

static basin_status
flush_table(struct lsm *db, struct flush *f, uint64_t run, const uint64_t *snapshots,
            size_t snapshot_count, basin_error *err)
{
    basin_status st;
    struct output *output = NULL;
    struct icur *source = NULL;
    struct range_tombstone *raw = NULL, *kept = NULL;
    size_t raw_count = 0, kept_count = 0;
    struct rules_options rules = { .db = db,
                                   .snapshots = snapshots,
                                   .snapshot_count = snapshot_count,
                                   .cancelled = flush_cancelled,
                                   .cancel_ctx = db };
    struct output_options options = { .db = db,
                                      .level = 0,
                                      .run = run,
                                      .seqno_elide = f->keep_seqnos ? 0 : snapshots[0],
                                      .size_max = db->o.stratum_size };

    TRY(memtable_ranges(f->table, db->mem, &raw, &raw_count, err));
    TRY(lsm__rules_ranges(&rules, raw, raw_count, &kept, &kept_count, err));
    options.ranges = kept;
    options.range_count = kept_count;
    TRY(lsm__output_open(&options, &output, err));
    TRY(memtable_cursor(f->table, db->mem, &source, err));
    TRY(lsm__multi_icur(db->mem, &source, 1, &source, err));
    rules.source = source;
    rules.output = output;
    TRY(lsm__rules_run(&rules, err));
    TRY(lsm__output_finish(output, err));
    TRY(flush_publish(db, output, f, err));
    atomic_fetch_add_explicit(&db->flushes, 1, memory_order_relaxed);
out:
    if (source != NULL)
        source->ops->close(source);
    lsm__output_close(output, f->logged);
    mem_free(db->mem, raw, raw_count * sizeof(*raw));
    mem_free(db->mem, kept, kept_count * sizeof(*kept));
    return st;
}

/* The run number is above all live ones; flushes are published in order. REQUIRES(db->mu). */
uint64_t
lsm__next_run(struct lsm *db)
{
    uint64_t run = 0;

    for (size_t i = 0; i < db->manifest.stratum_count; i++)
        if (db->manifest.strata[i]->level == 0)
            run = MAX_OF(run, db->manifest.strata[i]->run);
    return run + 1;
}

/*
 * While a range tombstone lives in some stratum, what is written keeps its seqnos: once both are in
 * one stratum, only the seqno tells that the entry is the younger one. REQUIRES(db->mu).
 */
bool
lsm__any_ranges(const struct lsm *db)
{
    for (size_t i = 0; i < db->manifest.stratum_count; i++)
        if (db->manifest.strata[i]->range_tombstones > 0)
            return true;
    return false;
}

/* The disk is full: gives the reserve back, and waits for a merge to end and return what it wrote,
 * which it does at once unless it is a purge. True when there may be room now. */
static bool
make_way(struct lsm *db)
{
    bool had = lsm__reserve_release(db);

    if (lsm__failure(db, NULL) != BASIN_OK)
        return false;
    os_mutex_lock(db->mu);
    had = had || db->merge_running;
    while (db->merge_running)
        (void)os_cond_wait(db->idle_cond, db->mu, UINT64_C(100000000));
    os_mutex_unlock(db->mu);
    return had;
}

basin_status
lsm__flush_step(struct lsm *db, bool *did, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct flush f = { 0 };
    uint64_t *snapshots = NULL, run = 0;
    size_t count = 0, capacity = 0;

    *did = false;
    os_mutex_lock(db->mu);
    if (db->immutable_count > 0 && !db->flush_running && db->failed == BASIN_OK) {
        f.table = db->immutable[0].table;
        f.next_from = db->immutable_count > 1 ? db->immutable[1].from : db->active_from;
        f.next_seqno = db->immutable_count > 1 ? db->immutable[1].seqno : db->active_seqno;
        f.keep_seqnos = lsm__any_ranges(db);
        run = lsm__next_run(db);
        st = lsm__snapshot_list(db, &snapshots, &count, &capacity, err);
        db->flush_running = st == BASIN_OK;
        *did = true;
    }
    os_mutex_unlock(db->mu);
    if (!*did || st != BASIN_OK)
        return st;
    st = flush_table(db, &f, run, snapshots, count, err);
    if (st == BASIN_NO_SPACE && make_way(db))
        st = flush_table(db, &f, run, snapshots, count, err);
    mem_free(db->mem, snapshots, capacity * sizeof(*snapshots));
    os_mutex_lock(db->mu);
    db->flush_running = false;
    os_cond_broadcast(db->idle_cond);
    os_cond_broadcast(db->work_cond);
    os_mutex_unlock(db->mu);
    if (st == BASIN_OK)
        (void)!lsm__reserve_hold(db, 0, NULL); /* strata may be larger than before */
    return st;
}

/* Without background threads: flushes in the caller's thread, or waits for the thread that is at
 * it, until `until` memtables have left. */
static basin_status
flush_inline(struct lsm *db, uint64_t until, basin_error *err)
{
    basin_status st = BASIN_OK;
    bool did;

    os_mutex_lock(db->mu);
    while (st == BASIN_OK && db->flushed < until && db->failed == BASIN_OK) {
        if (db->flush_running) {
            (void)os_cond_wait(db->idle_cond, db->mu, UINT64_MAX);
            continue;
        }
        os_mutex_unlock(db->mu);
        st = lsm__flush_step(db, &did, err);
        os_mutex_lock(db->mu);
    }
    os_mutex_unlock(db->mu);
    return st;
}

/* Asks the leader for a new memtable and waits until all waiting ones are on disk. */
basin_status
lsm_flush(struct lsm *db, basin_error *err)
{
    basin_status st;
    struct request r = { .kind = REQUEST_ROTATE };
    uint64_t until;

    if (db->o.read_only)
        FAIL(err, BASIN_READ_ONLY, "the database is open for reading");
    do {
        TRY(lsm__wait_for_room(db, BYTES_NULL, err));
        st = lsm__submit(db, &r, err);
    } while (st == BASIN_BUSY);
    TRY(st);
    os_mutex_lock(db->mu);
    until = db->rotated;
    db->stuck = BASIN_OK; /* tried once more */
    os_cond_broadcast(db->work_cond);
    while (!db->o.no_threads && db->flushed < until && db->failed == BASIN_OK &&
           db->stuck == BASIN_OK)
        (void)os_cond_wait(db->idle_cond, db->mu, UINT64_C(100000000));
    st = db->flushed < until ? lsm__stuck(db, err) : BASIN_OK;
    os_mutex_unlock(db->mu);
    TRY(st);
    if (db->o.no_threads)
        TRY(flush_inline(db, until, err));
    TRY(lsm__failure(db, err));
out:
    return st;
}
