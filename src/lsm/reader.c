// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * A process that only reads. It takes a slot of the reader table instead of the lock, builds its
 * own memtable from the tail of the log, and moves on only when asked (lsm_refresh).
 *
 *   slot "opening" -> look -> recover what is committed -> look again -> version -> slot place
 *        ^                                               | a writer came or went in between
 *        +-----------------------------------------------+
 *
 * While a writer lives, log counts up to the position that it publishes; without one, everything
 * that is valid counts, as the next writer will see it. Nothing in a store is ever removed here.
 * The manifest, the active memtable and the visible seqno change together under mu, so that a
 * transaction never sees a newer version with an older seqno: what it lost to merges in the writer
 * is not needed at the newer one.
 */
#include <stdio.h>

#include "lsm/readers.h"
#include "lsm/rebuild.h"

enum { LOAD_TRIES = 12, LOAD_TRIES_SAME = 3 };

struct reader_state {
    struct os_mutex *mu; /* one refresh at a time */
    /* atomic */
    _Atomic uint64_t seen;   /* sequence of the header that was followed to its end */
    _Atomic uint64_t newest; /* epoch of the newest log when the state was loaded */
    /* GUARDED(mu) */
    struct place end;   /* records before it are in the memtable, or in strata */
    struct place from;  /* ... in the memtable from here on */
    bool broken;        /* a refresh failed half-way: load anew */
    uint64_t loads;     /* times that the whole state was loaded */
    /* GUARDED(db->dead_mu) */
    bool loading;       /* the slot says "opening" */
    struct place held;  /* what the slot says */
};

/* What there is to read, as seen from outside. */
struct outlook {
    bool alive; /* a writer holds the lock */
    struct readers_header header;
};

/* ------------------------------------------------------------------ the slot */

/* Tells the place of the oldest living version; also when one died. REQUIRES(db->dead_mu) */
static void
hold(struct lsm *db)
{
    struct reader_state *r = db->reader;
    struct place oldest = { UINT64_MAX, 0 }, p;

    if (r->loading || db->readers == NULL || !db->readers->has_slot)
        return;
    for (const struct version *v = db->versions; v; v = v->older) {
        p = (struct place){ v->place_epoch, v->place_at };
        if (place_compare(p, oldest) < 0)
            oldest = p;
    }
    if (oldest.epoch == UINT64_MAX || place_compare(oldest, r->held) == 0)
        return;
    r->held = oldest;
    lsm__slot_place(db->readers, oldest);
}

/* A version died. A forked child leaves its parent's slot alone. REQUIRES(db->dead_mu) */
void
lsm__reader_released(struct lsm *db)
{
    if (db->reader != NULL && db->process_id == db->os->ops->process_id(db->os))
        hold(db);
}

/* The oldest snapshot may be another one; for whoever lists readers. REQUIRES(db->mu) */
void
lsm__reader_snapshots(struct lsm *db)
{
    uint64_t seqno = atomic_load_explicit(&db->visible, memory_order_relaxed);

    if (db->reader == NULL || db->readers == NULL || !db->readers->has_slot)
        return;
    if (db->snapshot_count > 0)
        seqno = MIN_OF(seqno, db->snapshots.next->seqno);
    lsm__slot_seqno(db->readers, seqno);
}

static void
begin_loading(struct lsm *db)
{
    os_mutex_lock(db->dead_mu);
    db->reader->loading = true;
    db->reader->held = (struct place){ 0, 0 };
    if (db->readers != NULL && db->readers->has_slot)
        lsm__slot_opening(db->readers);
    os_mutex_unlock(db->dead_mu);
}

static void
end_loading(struct lsm *db)
{
    os_mutex_lock(db->dead_mu);
    db->reader->loading = false;
    hold(db);
    os_mutex_unlock(db->dead_mu);
}

/* ------------------------------------------------------------------ looking out */

static basin_status
look(struct lsm *db, struct outlook *o, basin_error *err)
{
    basin_status st = BASIN_OK;

    *o = (struct outlook){ 0 };
    if (db->lock_file != NULL)
        st = os_test_lock(db->lock_file, 0, 1, OS_LOCK_EXCLUSIVE, err);
    o->alive = st == BASIN_BUSY;
    if (st != BASIN_OK && st != BASIN_BUSY)
        return st;
    if (db->readers != NULL && !lsm__table_header(db->readers, &o->header))
        return error_set(err, BASIN_BUSY, "the writer commits faster than its position is read");
    if (db->o.untouched && o->alive)
        return error_set(err, BASIN_BUSY, "%s: open for writing", db->path);
    if (db->readers == NULL && o->alive)
        return error_set(err, BASIN_READ_ONLY,
                         "%s/readers: no right to read the table beside a writer", db->path);
    return BASIN_OK;
}

/* A ready writer bounds what counts; one that is recovering has not committed anything. */
static bool
is_bounded(const struct outlook *o)
{
    return o->alive && o->header.ready;
}

/* Whether what was read between the two is one state. */
static bool
is_steady(const struct outlook *a, const struct outlook *b)
{
    return a->header.generation == b->header.generation && (is_bounded(a) || a->alive == b->alive);
}

/* ------------------------------------------------------------------ installing */

struct state {
    struct manifest manifest;
    struct memtable *table;
    uint64_t seqno;
    struct place end;
    uint64_t newest; /* log */
};

static void
state_release(struct state *s)
{
    lsm__manifest_release(&s->manifest);
    memtable_unref(s->table);
    s->table = NULL;
}

/* Makes s the state of the handle and leaves the old one in s; nothing happens on failure. */
static basin_status
install(struct lsm *db, struct state *s, basin_error *err)
{
    basin_status st;
    struct manifest manifest;
    struct memtable *table;

    os_mutex_lock(db->mu);
    manifest = db->manifest;
    table = db->active;
    db->manifest = s->manifest;
    db->active = s->table;
    st = lsm__version_install(db, err);
    if (st == BASIN_OK) {
        s->manifest = manifest;
        s->table = table;
        atomic_store_explicit(&db->visible, s->seqno, memory_order_release);
        atomic_store_explicit(&db->epoch, s->end.epoch, memory_order_relaxed);
        db->reader->end = s->end;
        db->reader->from = db->manifest.replay_from;
        atomic_store_explicit(&db->reader->newest, s->newest, memory_order_release);
        lsm__reader_snapshots(db);
    } else {
        db->manifest = manifest;
        db->active = table;
    }
    os_mutex_unlock(db->mu);
    return st;
}

/* ------------------------------------------------------------------ loading the whole state */

static basin_status
load_once(struct lsm *db, const struct outlook *o, basin_error *err)
{
    basin_status st;
    struct state s = { .manifest = { .mem = db->mem } };
    struct recovery r = { .manifest = &s.manifest, .bounded = is_bounded(o),
                          .limit = o->header.end };
    struct outlook after;

    TRY(db->rebuild ? lsm__rebuild(db, &r, err) : lsm__recover(db, &r, err));
    TRY(look(db, &after, err));
    /* a checkpoint that was made after the look has edits from behind the limit */
    if (!is_steady(o, &after) ||
        (r.bounded && (place_compare(r.checkpoint, r.limit) > 0 || r.seqno != o->header.seqno))) {
        st = BASIN_CONFLICT; /* try again */
        goto out;
    }
    s.table = r.table;
    r.table = NULL;
    s.seqno = r.seqno;
    s.end = r.bounded ? r.limit : r.end;
    s.newest = r.log_count > 0 ? r.logs[r.log_count - 1] : 0;
    TRY(install(db, &s, err));
    lsm__durable_to(db, r.bounded ? o->header.durable : r.durable);
out:
    lsm__recovery_release(db, &r);
    state_release(&s);
    lsm__dead_release(db, false);
    return st;
}

/* What a writer at work can cause: an object that was listed is gone, or half of two states. */
static bool
may_pass(const struct lsm *db, basin_status st, const struct outlook *before, unsigned tries)
{
    struct outlook now;

    if (st == BASIN_CONFLICT || st == BASIN_NOT_FOUND || st == BASIN_BUSY)
        return tries < LOAD_TRIES;
    if (st != BASIN_CORRUPT || look((struct lsm *)(uintptr_t)db, &now, NULL) != BASIN_OK)
        return false;
    if (now.alive != before->alive || now.header.sequence != before->header.sequence ||
        now.header.generation != before->header.generation)
        return tries < LOAD_TRIES;
    return now.alive && tries < LOAD_TRIES_SAME;
}

static basin_status
load(struct lsm *db, basin_error *err)
{
    basin_status st;
    struct outlook o = { 0 };

    begin_loading(db);
    for (unsigned tries = 1;; tries++) {
        error_clear(err);
        st = look(db, &o, err);
        if (st == BASIN_OK)
            st = load_once(db, &o, err);
        if (st == BASIN_OK || !may_pass(db, st, &o, tries))
            break;
        db->os->ops->sleep_ns(db->os, UINT64_C(200000) << MIN_OF(tries, 8u));
    }
    if (st == BASIN_CONFLICT)
        st = error_set(err, BASIN_BUSY, "writers came and went during %d attempts to read",
                       LOAD_TRIES);
    if (st == BASIN_NOT_FOUND)
        st = error_set(err, BASIN_CORRUPT, "a checkpoint or log is missing that is needed");
    db->reader->broken = st != BASIN_OK;
    db->reader->loads++;
    if (st == BASIN_OK)
        atomic_store_explicit(&db->reader->seen, o.header.sequence, memory_order_release);
    end_loading(db);
    return st;
}

/* How often the whole state was loaded; tests see by it what a refresh costs. */
uint64_t
lsm__reader_loads(const struct lsm *db)
{
    return db->reader->loads;
}

/* ------------------------------------------------------------------ opening */

static basin_status
reader_new(struct lsm *db, basin_error *err)
{
    db->reader = mem_new(db->mem, sizeof(*db->reader));
    if (db->reader == NULL)
        return error_set(err, BASIN_NO_MEM, "no memory for a reader");
    return os_mutex_new(db->mem, LOCK_RANK_REFRESH, "refresh", &db->reader->mu, err);
}

void
lsm__reader_close(struct lsm *db)
{
    if (db->reader == NULL)
        return;
    os_mutex_free(db->reader->mu);
    mem_free(db->mem, db->reader, sizeof(*db->reader));
    db->reader = NULL;
}

/* The head that was listed may have been replaced by one with another key. */
static basin_status
read_head(struct lsm *db, basin_error *err)
{
    basin_status st;
    uint64_t generation;

    for (unsigned tries = 1;; tries++) {
        st = lsm__head_read(db, &generation, err);
        if (st != BASIN_NOT_FOUND || generation == 0 || tries == LOAD_TRIES)
            break;
    }
    if (st != BASIN_NOT_FOUND)
        return st;
    st = lsm__check_headless(db, err);
    return st != BASIN_OK ? st : error_set(err, BASIN_NOT_FOUND,
                                           "%s: there is no Basin database here", db->path);
}

/* Salvage keeps writers away; a check lets them come and looks again. */
static basin_status
keep_away(struct lsm *db, basin_error *err)
{
    basin_status st = BASIN_OK;

    if (db->rebuild != NULL && db->lock_file != NULL)
        st = os_lock(db->lock_file, 0, 1, OS_LOCK_SHARED, err);
    if (st == BASIN_BUSY)
        st = error_set(err, st, "%s: open for writing; close it there first", db->path);
    return st;
}

basin_status
lsm__open_reader(struct lsm *db, basin_error *err)
{
    basin_status st;
    char path[PATH_SIZE_MAX + 8];

    TRY(reader_new(db, err));
    TRY(store_open_dir(db->os, db->path, true, !db->o.no_map, db->mem, &db->store, err));
    TRY(read_head(db, err));
    (void)snprintf(path, sizeof(path), "%s/lock", db->path);
    st = os_open(db->os, path, OS_READ, &db->lock_file, err);
    if (st != BASIN_NOT_FOUND)
        TRY(st);
    TRY(keep_away(db, err));
    if (db->os->maps && !db->o.untouched)
        TRY(lsm__table_open(db, &db->readers, err));
    if (db->readers != NULL && db->readers->writable)
        TRY(lsm__table_take_slot(db->readers, db->o.name, err));
    TRY(load(db, err));
out:
    return st;
}

/* The end of the log that this handle knows to be whole. */
struct place
lsm__committed(struct lsm *db)
{
    struct place p = { 0, 0 };

    os_mutex_lock(db->mu);
    if (db->reader != NULL)
        p = db->reader->end;
    else if (db->log != NULL)
        p = (struct place){ db->log->epoch,
                            atomic_load_explicit(&db->log->end_shared, memory_order_acquire) };
    os_mutex_unlock(db->mu);
    return p;
}

/* A writer is there, or was: each one that changes something leaves a log of its own. */
static bool
is_overtaken(struct lsm *db)
{
    uint64_t *logs = NULL, newest;
    uint64_t loaded = atomic_load_explicit(&db->reader->newest, memory_order_acquire);
    size_t count = 0, capacity = 0;
    struct outlook now;
    bool overtaken = true;

    if (look(db, &now, NULL) == BASIN_OK && !now.alive &&
        lsm__log_list(db, &logs, &count, &capacity, NULL) == BASIN_OK) {
        newest = count > 0 ? logs[count - 1] : 0;
        overtaken = newest != loaded;
    }
    mem_free(db->mem, logs, capacity * sizeof(*logs));
    return overtaken;
}

/* A reader without a slot may lose what it reads to the writer. */
bool
lsm__is_pinned(struct lsm *db)
{
    return db->reader == NULL || db->o.untouched ||
           (db->readers != NULL && db->readers->has_slot) || !is_overtaken(db);
}

/* ------------------------------------------------------------------ following the log */

struct follow {
    struct recovery r;
    struct manifest next; /* what edits make of the manifest: it shows with the version */
    bool edited; /* an edit was applied: a new version is due */
    bool moved;  /* ... that makes older log unnecessary: a new memtable is due */
};

static basin_status
follow_edit(struct lsm *db, struct follow *f, const struct record *rec, basin_error *err)
{
    basin_status st = BASIN_OK;

    if (!f->edited)
        TRY(lsm__manifest_copy(&db->manifest, &f->next, err));
    f->edited = true;
    f->r.manifest = &f->next;
    os_mutex_lock(db->mu); /* the strata are shared */
    st = lsm__manifest_apply(db, &f->next, rec->body, rec->after, err);
    os_mutex_unlock(db->mu);
    TRY(st);
    f->moved = place_compare(f->next.replay_from, db->reader->from) != 0;
    f->r.seqno = MAX_OF(f->r.seqno, rec->first_seqno);
out:
    return st;
}

static basin_status
follow_record(struct lsm *db, struct recovery *r, const struct record *rec, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct follow *f = (struct follow *)r; /* its first member */
    uint64_t next = 0;

    if (rec->type == RECORD_EDIT)
        return follow_edit(db, f, rec, err);
    if (rec->first_seqno != r->seqno + 1)
        FAIL(err, BASIN_CORRUPT, "log/%llu: commit %llu follows %llu",
             (unsigned long long)rec->place.epoch, (unsigned long long)rec->first_seqno,
             (unsigned long long)r->seqno);
    if (f->moved)
        st = lsm__ops_count(rec->body, &next, err);
    else
        st = lsm__apply_ops(db->active, rec->body, rec->first_seqno, &next, err);
    TRY(st);
    r->seqno = f->moved ? r->seqno + next : next - 1;
    TRY(lsm__replay_fits(db, db->active, err));
out:
    return st;
}

/* What the strata do not have, anew: nothing of it may be seen twice. */
static basin_status
rebuild(struct lsm *db, struct follow *f, struct memtable **out, basin_error *err)
{
    basin_status st;
    struct recovery r = { .manifest = &f->next, .bounded = f->r.bounded, .limit = f->r.limit };

    *out = NULL;
    TRY(memtable_new(db->mem, lsm__fold_table(db), &r.table, err));
    TRY(lsm__replay(db, &r, err));
    *out = r.table;
    r.table = NULL;
out:
    lsm__recovery_release(db, &r);
    return st;
}

static basin_status
follow_install(struct lsm *db, struct follow *f, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct memtable *table = NULL, *old = NULL;

    if (f->moved)
        TRY(rebuild(db, f, &table, err));
    if (lsm__table_kept(db->readers) > db->reader->end.epoch) {
        st = BASIN_TOO_OLD; /* a log in between may have been missed */
        goto out;
    }
    os_mutex_lock(db->mu);
    if (table != NULL) {
        old = db->active;
        db->active = table;
        table = NULL;
    }
    if (f->edited) {
        struct manifest before = db->manifest;
        db->manifest = f->next;
        f->next = before;
        st = lsm__version_install(db, err);
        if (st != BASIN_OK) {
            f->next = db->manifest;
            db->manifest = before;
        }
    }
    if (st == BASIN_OK) {
        atomic_store_explicit(&db->visible, f->r.seqno, memory_order_release);
        atomic_store_explicit(&db->epoch, f->r.end.epoch, memory_order_relaxed);
        db->reader->end = f->r.end;
        db->reader->from = db->manifest.replay_from;
        lsm__reader_snapshots(db);
    }
    os_mutex_unlock(db->mu);
    memtable_unref(old);
out:
    memtable_unref(table);
    return st;
}

/* Reads on from where the last refresh ended, up to what is committed now. */
static basin_status
follow(struct lsm *db, const struct readers_header *h, basin_error *err)
{
    basin_status st;
    struct follow f = { .r = { .manifest = &db->manifest, .bounded = true, .limit = h->end },
                        .next = { .mem = db->mem } };

    f.r.seqno = atomic_load_explicit(&db->visible, memory_order_relaxed);
    f.r.end = db->reader->end;
    TRY(lsm__log_list(db, &f.r.logs, &f.r.log_count, &f.r.log_capacity, err));
    TRY(lsm__walk(db, &f.r, db->reader->end, follow_record, err));
    if (f.r.seqno != h->seqno) {
        st = BASIN_TOO_OLD;
        goto out;
    }
    f.r.end = h->end;
    TRY(follow_install(db, &f, err));
out:
    lsm__recovery_release(db, &f.r);
    lsm__manifest_release(&f.next);
    lsm__dead_release(db, false);
    return st;
}

/* New log since the last time, or nothing. REQUIRES(db->reader->mu) */
static basin_status
refresh(struct lsm *db, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct reader_state *r = db->reader;
    struct readers_header h;

    if (r->broken)
        return load(db, err);
    if (!lsm__table_header(db->readers, &h) || h.end.epoch == 0)
        return BASIN_OK; /* next time */
    /* Also while a writer recovers: what the one before it had committed stays committed. */
    if (place_compare(h.end, r->end) > 0 && h.seqno >= atomic_load(&db->visible))
        st = follow(db, &h, err);
    else if (h.seqno != atomic_load(&db->visible))
        st = load(db, err);
    if (st == BASIN_OK) {
        lsm__durable_to(db, h.durable);
        atomic_store_explicit(&r->seen, h.sequence, memory_order_release);
        return BASIN_OK;
    }
    r->broken = true;
    return st == BASIN_NO_MEM || st == BASIN_IO || st == BASIN_LIMIT ? st : load(db, err);
}

basin_status
lsm_refresh(struct lsm *db, uint64_t *seqno, basin_error *err)
{
    basin_status st = BASIN_OK;

    *seqno = 0;
    TRY(lsm_check_process(db, err));
    if (db->reader != NULL && db->readers != NULL &&
        lsm__table_sequence(db->readers) !=
            atomic_load_explicit(&db->reader->seen, memory_order_acquire)) {
        os_mutex_lock(db->reader->mu);
        st = refresh(db, err);
        os_mutex_unlock(db->reader->mu);
    }
    if (st == BASIN_OK)
        *seqno = atomic_load_explicit(&db->visible, memory_order_acquire);
out:
    return st;
}
