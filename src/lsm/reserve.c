// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The reserve for a full disk (decision 16): a file of allocated blocks that nobody reads. It is as
 * large as what a flush, a purge (purge.c), a roll of the log and a checkpoint may take, and grows
 * with them before the data does. When one of these meets a full disk, the blocks are given back to
 * it. From then on what takes room is refused, until the reserve could be taken again; deletes,
 * compaction and close go on. docs/notes/0036-a-full-disk.md.
 *
 *   whole -- lsm__reserve_release, or it cannot grow --> full -- lsm__reserve_hold --> whole
 *
 * Other errors of the file are not told: without a reserve the database works as well.
 */
#include <stdio.h>

#include "lsm/internal.h"

enum {
    RESERVE_STEP = 16 * 1024,
    RESERVE_LEAST = LOG_SIZE_START + 32 * 1024, /* a roll of the log and a small checkpoint */
    RESERVE_SLACK = 4, /* it stays as it is while no larger than so many times what is wanted */
    STRATUM_NOTE = 256 /* about what a checkpoint tells of a stratum */
};

static void
reserve_path(const struct lsm *db, char *to, size_t size)
{
    (void)snprintf(to, size, "%s/reserve", db->path);
}

/* What the steps may take that must not fail, when the memtable grows up to `upto`. */
static uint64_t
wanted(struct lsm *db, uint64_t upto)
{
    uint64_t largest = 0, all = 0, waiting, most = (IMMUTABLE_MAX + 1) * db->o.memtable_size, sum;
    bool is_empty;

    os_mutex_lock(db->mu);
    for (size_t i = 0; i < db->manifest.stratum_count; i++) {
        largest = MAX_OF(largest, db->manifest.strata[i]->size);
        all += db->manifest.strata[i]->size;
    }
    upto = MAX_OF(upto, atomic_load_explicit(&db->reserved_upto, memory_order_acquire));
    waiting = MAX_OF(memtable_used(db->active), upto);
    for (size_t i = 0; i < db->immutable_count; i++)
        waiting += memtable_used(db->immutable[i].table);
    waiting = MIN_OF(waiting, most);
    sum = db->manifest.stratum_count * STRATUM_NOTE;
    is_empty = sum == 0 && upto == 0 && db->immutable_count == 0 &&
               memtable_entries(db->active) + memtable_range_count(db->active) == 0;
    os_mutex_unlock(db->mu);
    if (is_empty)
        return 0;
    sum += 3 * MIN_OF(all / 8, MIN_OF(db->o.memtable_size, (uint64_t)RESERVE_DELETES));
    sum += largest + largest / 8 + waiting + waiting / 8 + RESERVE_LEAST;
    return (sum + RESERVE_STEP - 1) / RESERVE_STEP * RESERVE_STEP;
}

uint64_t
lsm__room(struct lsm *db)
{
    uint64_t bytes = 0;

    return os_free_space(db->os, db->path, &bytes, NULL) == BASIN_OK ? bytes : UINT64_MAX;
}

uint64_t
lsm__room_for_merge(struct lsm *db)
{
    uint64_t room = lsm__room(db), kept = 0;

    if (atomic_load_explicit(&db->full, memory_order_acquire))
        kept = wanted(db, 0);
    return room - MIN_OF(room, kept);
}

/* Given back for a flush, it is not taken again before that has made its stratum. Takes mu. */
static bool
is_in_use(struct lsm *db)
{
    bool waits;

    if (!atomic_load_explicit(&db->full, memory_order_acquire))
        return false;
    os_mutex_lock(db->mu);
    waits = db->immutable_count > 0;
    os_mutex_unlock(db->mu);
    return waits;
}

/* REQUIRES(reserve_mu). The look at the free space spares a full disk the attempt. */
static basin_status
grow(struct lsm *db, uint64_t to, basin_error *err)
{
    basin_status st = BASIN_OK;
    char path[PATH_SIZE_MAX + 16];

    if (lsm__room(db) < to - db->reserve_size)
        FAIL(err, BASIN_NO_SPACE, "no room for a reserve of %llu bytes", (unsigned long long)to);
    reserve_path(db, path, sizeof(path));
    if (db->reserve == NULL)
        TRY(os_open(db->os, path, OS_WRITE | OS_CREATE, &db->reserve, err));
    TRY(os_allocate(db->reserve, to, err));
    db->reserve_size = to;
out:
    return st;
}

/* REQUIRES(reserve_mu) */
static void
shrink(struct lsm *db, uint64_t to)
{
    if (db->reserve_size > to && os_truncate(db->reserve, to, NULL) == BASIN_OK)
        db->reserve_size = to;
}

static void
set_full(struct lsm *db, bool full)
{
    if (atomic_exchange_explicit(&db->full, full, memory_order_acq_rel) && !full) {
        os_mutex_lock(db->mu);
        db->stuck = BASIN_OK;
        lsm__background_wake(db);
        os_cond_broadcast(db->idle_cond);
        os_mutex_unlock(db->mu);
    }
}

basin_status
lsm__reserve_hold(struct lsm *db, uint64_t upto, basin_error *err)
{
    basin_status st = BASIN_OK;
    uint64_t want;
    bool in_use;

    if (!db->reserving)
        return BASIN_OK;
    want = wanted(db, upto);
    in_use = is_in_use(db);
    os_mutex_lock(db->reserve_mu);
    if (in_use)
        st = BASIN_NO_SPACE;
    else if (want > db->reserve_size)
        st = grow(db, want, err);
    else if (want < db->reserve_size / RESERVE_SLACK)
        shrink(db, want);
    os_mutex_unlock(db->reserve_mu);
    set_full(db, st == BASIN_NO_SPACE);
    if (st != BASIN_NO_SPACE) {
        if (upto > 0)
            atomic_store_explicit(&db->reserved_upto, upto, memory_order_release);
        return BASIN_OK;
    }
    st = error_set(err, BASIN_NO_SPACE, "%s: the disk is full: no room to keep %llu bytes free",
                   db->path, (unsigned long long)want);
    lsm__full_hint(err);
    return st;
}

void
lsm__full_hint(basin_error *err)
{
    error_hint(err, "make room on the disk, or delete and compact: that goes on");
}

basin_status
lsm__reserve_allows(struct lsm *db, basin_error *err)
{
    if (LIKELY(!atomic_load_explicit(&db->full, memory_order_acquire)))
        return BASIN_OK;
    return lsm__reserve_hold(db, 0, err);
}

bool
lsm__reserve_release(struct lsm *db)
{
    bool had = false;
    char spare[PATH_SIZE_MAX + 16];

    if (!db->reserving || lsm__failure(db, NULL) != BASIN_OK)
        return false; /* a sync that met a full disk is never retried */
    os_mutex_lock(db->reserve_mu);
    if (db->reserve_size > 0 && os_truncate(db->reserve, 0, NULL) == BASIN_OK) {
        db->reserve_size = 0;
        had = true;
    }
    os_mutex_unlock(db->reserve_mu);
    (void)snprintf(spare, sizeof(spare), "%s/log/spare", db->path);
    had = os_unlink(db->os, spare, NULL) == BASIN_OK || had; /* its blocks are as good */
    set_full(db, true);
    return had;
}

/* On a disk without room already the opening itself needs what the reserve holds. */
void
lsm__reserve_open(struct lsm *db)
{
    char path[PATH_SIZE_MAX + 16];

    reserve_path(db, path, sizeof(path));
    if (os_open(db->os, path, OS_WRITE, &db->reserve, NULL) == BASIN_OK &&
        os_size(db->reserve, &db->reserve_size, NULL) != BASIN_OK)
        db->reserve_size = 0;
    db->reserving = true;
    if (db->reserve_size > 0 && lsm__room(db) < RESERVE_LEAST)
        (void)lsm__reserve_release(db);
}

/* A database at rest keeps what deleting and compacting it takes; an empty one keeps nothing. */
void
lsm__reserve_close(struct lsm *db)
{
    char path[PATH_SIZE_MAX + 16];
    uint64_t want;

    if (!db->reserving || db->reserve == NULL)
        return;
    db->reserving = false;
    atomic_store_explicit(&db->reserved_upto, 0, memory_order_release);
    want = wanted(db, 0);
    reserve_path(db, path, sizeof(path));
    shrink(db, want);
    if (db->reserve_size == 0)
        (void)!os_unlink(db->os, path, NULL);
}
