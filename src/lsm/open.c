// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Opening and closing. A writer takes the lock, reads the durable state, begins a new epoch and
 * starts the background threads; opening scans neither blocks nor strata. A reader process takes a
 * slot of the reader table instead (readers.c).
 *
 *   lock -> head -> recover -> new epoch -> threads        and back
 */
#include <stdio.h>

#include "lsm/rebuild.h"

enum {
    CLOSE_KEEPS_IN_LOG = 64 * 1024, /* bytes of a memtable that needs no flush */
    CLOSE_MERGES = 4 << 20,         /* bytes that may be merged once more */
    LOGS_MAX = 4,
    NAMED_TRANSACTIONS = 4
};

/* ------------------------------------------------------------------ defaults */

void
lsm__kdf_defaults(struct lsm_options *o)
{
    if (o->kdf.passes == 0)
        o->kdf.passes = 3;
    if (o->kdf.memory_kib == 0)
        o->kdf.memory_kib = 65536;
}

static basin_status
defaults(struct lsm_options *o, basin_error *err)
{
    if (o->mem_limit == 0)
        o->mem_limit = 64 * MIB;
    if (o->memtable_size == 0)
        o->memtable_size = MIN_OF(o->mem_limit / 4, 64 * MIB);
    if (o->stratum_size == 0)
        o->stratum_size = 16 * MIB;
    if (o->value_threshold == 0)
        o->value_threshold = 64 * KIB;
    if (o->buffer_ms == 0)
        o->buffer_ms = 1000;
    if (o->buffer_bytes == 0)
        o->buffer_bytes = 4 * MIB;
    if (o->log_size_max == 0)
        o->log_size_max = 64 * MIB;
    if (o->spill_size == 0)
        o->spill_size = MIN_OF(MIN_OF(o->mem_limit / 8, 64 * MIB), o->log_size_max / 4);
    if (o->page_size == 0)
        o->page_size = STRATUM_PAGE_SIZE_DEFAULT;
    if (o->level_factor == 0)
        o->level_factor = 10;
    if (o->level0_runs == 0)
        o->level0_runs = 4;
    o->level0_runs = MIN_OF(o->level0_runs, DEBT_RUNS_STOP - 1); /* else all would wait for ever */
    if (o->codec_level == 0 && !o->stored_codec)
        o->codec_level = CODEC_LEVEL_DEFAULT;
    if (o->filter_bits == 0)
        o->filter_bits = 10;
    lsm__kdf_defaults(o);
    if (o->page_size < STRATUM_PAGE_SIZE_MIN || o->page_size > STRATUM_PAGE_SIZE_MAX ||
        o->level_factor < 2 || o->codec >= CODEC_COUNT || o->codec_level < 0 ||
        o->codec_level > CODEC_LEVEL_MAX || o->filter_bits > 64 || o->stratum_size > 64 * MIB ||
        o->log_size_max < LOG_SIZE_START)
        return error_set(err, BASIN_MISUSE,
                         "options: page size %u, level factor %u, codec %d, level %d, "
                         "filter bits %d, stratum size %llu",
                         o->page_size, o->level_factor, (int)o->codec, o->codec_level,
                         o->filter_bits, (unsigned long long)o->stratum_size);
    return BASIN_OK;
}

/* ------------------------------------------------------------------ the handle */

static basin_status
make_locks(struct lsm *db, basin_error *err)
{
    basin_status st;
    const basin_allocator *mem = db->mem;

    TRY(os_mutex_new(mem, LOCK_RANK_WRITER, "writer", &db->writer_mu, err));
    TRY(os_mutex_new(mem, LOCK_RANK_QUEUE, "queue", &db->queue_mu, err));
    TRY(os_mutex_new(mem, LOCK_RANK_MU, "mu", &db->mu, err));
    TRY(os_mutex_new(mem, LOCK_RANK_DEAD, "dead", &db->dead_mu, err));
    TRY(os_mutex_new(mem, LOCK_RANK_VALUES, "values", &db->values_mu, err));
    TRY(os_mutex_new(mem, LOCK_RANK_RESERVE, "reserve", &db->reserve_mu, err));
    TRY(os_cond_new(mem, &db->writer_cond, err));
    TRY(os_cond_new(mem, &db->queue_cond, err));
    TRY(os_cond_new(mem, &db->work_cond, err));
    TRY(os_cond_new(mem, &db->sync_cond, err));
    TRY(os_cond_new(mem, &db->idle_cond, err));
    TRY(os_mark_new(mem, &db->mark, err));
out:
    return st;
}

static basin_status
copy_operators(struct lsm *db, basin_error *err)
{
    size_t n = 2 + db->o.operator_count;

    db->operators = mem_new(db->mem, n * sizeof(*db->operators));
    if (db->operators == NULL)
        return error_set(err, BASIN_NO_MEM, "no memory for %zu operators", n);
    db->operator_count = n;
    db->operators[0] = lsm_operator_counter;
    db->operators[1] = lsm_operator_append;
    for (size_t i = 0; i < db->o.operator_count; i++)
        db->operators[2 + i] = db->o.operators[i];
    return BASIN_OK;
}

static basin_status
handle_new(const char *path, const struct lsm_options *options, struct lsm **out, basin_error *err)
{
    basin_status st;
    struct lsm_options o = *options;
    const basin_allocator *under = o.mem ? o.mem : &os_allocator;
    struct lsm *db = NULL;

    *out = NULL;
    TRY(defaults(&o, err));
    if (strlen(path) >= PATH_SIZE_MAX)
        FAIL(err, BASIN_LIMIT, "a path of %zu bytes: %d at most", strlen(path), PATH_SIZE_MAX);
    db = mem_new(under, sizeof(*db));
    if (db == NULL)
        FAIL(err, BASIN_NO_MEM, "no memory for a database handle");
    *out = db;
    lsm__counting_init(&db->counting, under);
    db->mem = &db->counting.iface;
    db->o = o;
    db->os = o.os ? o.os : os_posix();
    if (!db->os->threads)
        db->o.no_threads = true;
    db->rebuild = o.rebuild;
    memcpy(db->path, path, strlen(path) + 1);
    db->process_id = db->os->ops->process_id(db->os);
    db->snapshots.next = db->snapshots.prev = &db->snapshots;
    db->manifest.mem = db->mem;
    atomic_init(&db->next_number, 1);
    TRY(copy_operators(db, err));
    db->fold = (struct mem_fold){ db->operators, db->operator_count };
    TRY(make_locks(db, err));
    TRY(stratum_cache_new(db->mem, (size_t)(db->o.mem_limit / 4), &db->cache, err));
out:
    return st;
}

static void
handle_free(struct lsm *db)
{
    const basin_allocator *under = db->counting.under;

    if (db->dead_mu != NULL) {
        lsm__lanes_turn(db);
        lsm__version_unref(db->current);
        for (size_t i = 0; i < db->immutable_count; i++)
            memtable_unref(db->immutable[i].table);
        memtable_unref(db->active);
        lsm__manifest_release(&db->manifest);
        lsm__dead_release(db, false);
    }
    lsm__values_close(db);
    lsm__readers_close(db);
    lsm__reader_close(db);
    lsm__log_unref(db->log);
    store_close(db->store);
    os_close(db->reserve);
    os_mutex_free(db->reserve_mu);
    stratum_cache_free(db->cache);
    os_close(db->lock_file);
    os_cond_free(db->writer_cond);
    os_cond_free(db->queue_cond);
    os_cond_free(db->work_cond);
    os_cond_free(db->sync_cond);
    os_cond_free(db->idle_cond);
    os_mutex_free(db->writer_mu);
    os_mutex_free(db->queue_mu);
    os_mutex_free(db->mu);
    os_mutex_free(db->dead_mu);
    os_mark_free(db->mark);
    mem_free(db->mem, db->operators, db->operator_count * sizeof(*db->operators));
    codec_wipe(&db->data_key, sizeof(db->data_key));
    mem_free(under, db, sizeof(*db));
}

/* ------------------------------------------------------------------ the directory */

struct entries {
    size_t ours, foreign;
};

static basin_status
count_entry(void *ctx, const char *name, basin_error *err)
{
    struct entries *e = ctx;
    static const char *const ours[] = { "lock", "readers", "strata", "values", "ckpt",
                                        "log",  "head",    "tmp",    "reserve" };

    (void)err;
    for (size_t i = 0; i < COUNT_OF(ours); i++)
        if (strcmp(name, ours[i]) == 0) {
            e->ours++;
            return BASIN_OK;
        }
    e->foreign++;
    return BASIN_OK;
}

static basin_status
refuse_foreign(struct lsm *db, basin_error *err)
{
    basin_status st;

    st = error_set(err, BASIN_MISUSE, "%s: not a Basin database, and not empty", db->path);
    error_hint(err, "give a new or empty directory");
    return st;
}

static basin_status
check_foreign(struct lsm *db, basin_error *err)
{
    basin_status st;
    struct entries e = { 0 };

    TRY(db->os->ops->list(db->os, db->path, count_entry, &e, err));
    if (e.foreign > 0)
        st = refuse_foreign(db, err);
out:
    return st;
}

/* Before a lock or a directory is made: what belongs to somebody else is left as it is. */
static basin_status
look_around(struct lsm *db, basin_error *err)
{
    basin_status st;
    struct entries e = { 0 };

    st = db->os->ops->list(db->os, db->path, count_entry, &e, err);
    if (st != BASIN_NOT_FOUND)
        TRY(st);
    st = BASIN_OK;
    if (e.ours == 0 && db->o.must_exist)
        FAIL(err, BASIN_NOT_FOUND, "%s: there is no Basin database here", db->path);
    if (e.ours == 0 && e.foreign > 0)
        st = refuse_foreign(db, err);
out:
    return st;
}

/* The parent directory of `path`, for its sync after a creation. */
static void
parent_of(const char *path, char *to)
{
    size_t n = strlen(path);

    while (n > 1 && path[n - 1] == '/')
        n--;
    while (n > 0 && path[n - 1] != '/')
        n--;
    while (n > 1 && path[n - 1] == '/')
        n--;
    if (n == 0) {
        memcpy(to, ".", 2);
    } else {
        memcpy(to, path, n);
        to[n] = 0;
    }
}

static basin_status
make_directory(struct lsm *db, basin_error *err)
{
    basin_status st;
    char log[PATH_SIZE_MAX + 8];

    st = db->os->ops->make_dir(db->os, db->path, err);
    if (st != BASIN_EXISTS)
        TRY(st);
    (void)snprintf(log, sizeof(log), "%s/log", db->path);
    st = db->os->ops->make_dir(db->os, log, err);
    if (st == BASIN_EXISTS)
        st = BASIN_OK;
    else if (st == BASIN_NOT_FOUND)
        st = error_set(err, BASIN_MISUSE, "%s: not a directory", db->path);
out:
    return st;
}

/* The directories that a head makes a database of. That they are there proves nothing: who made
 * them may have been killed before it synced them. */
static basin_status
sync_directories(struct lsm *db, basin_error *err)
{
    basin_status st;
    char parent[PATH_SIZE_MAX + 1];

    parent_of(db->path, parent);
    TRY(db->os->ops->sync_dir(db->os, parent, err));
    TRY(db->os->ops->sync_dir(db->os, db->path, err));
out:
    return st;
}

static basin_status
name_holder(struct lsm *db, basin_error *err)
{
    char holder[128] = { 0 };
    size_t got = 0;

    (void)!os_read(db->lock_file, 0, holder, sizeof(holder) - 1, &got, NULL);
    holder[got < sizeof(holder) ? got : 0] = 0;
    basin_status st = error_set(err, BASIN_BUSY, "%s: open for writing by %s", db->path,
                                holder[0] ? holder : "another process");
    error_hint(err, "close it there, or open it read-only");
    return st;
}

static basin_status
take_lock(struct lsm *db, basin_error *err)
{
    basin_status st;
    char path[PATH_SIZE_MAX + 8], name[100] = { 0 };
    uint64_t begin = db->os->ops->monotonic_ns(db->os);

    (void)snprintf(path, sizeof(path), "%s/lock", db->path);
    TRY(os_open(db->os, path, OS_WRITE | OS_CREATE, &db->lock_file, err));
    for (;;) {
        st = os_lock(db->lock_file, 0, 1, OS_LOCK_EXCLUSIVE, err);
        if (st != BASIN_BUSY)
            break;
        if (db->os->ops->monotonic_ns(db->os) - begin >= db->o.lock_timeout_ms * UINT64_C(1000000))
            return name_holder(db, err);
        db->os->ops->sleep_ns(db->os, 5000000);
    }
    TRY(st);
    db->os->ops->process_name(db->os, name, sizeof(name));
    TRY(os_truncate(db->lock_file, 0, err));
    st = os_write(db->lock_file, 0, name, strlen(name), err);
    if (st == BASIN_NO_SPACE) /* it only tells others who holds the lock */
        st = BASIN_OK;
out:
    return st;
}

/* ------------------------------------------------------------------ opening */

static basin_status
count_object(void *ctx, const char *name, basin_error *err)
{
    (void)name;
    (void)err;
    (*(size_t *)ctx)++;
    return BASIN_OK;
}

/* A database whose head is gone is not made anew: its objects would be swept away. */
basin_status
lsm__check_headless(struct lsm *db, basin_error *err)
{
    basin_status st = BASIN_OK;
    static const char *const classes[] = { "log", "ckpt", "strata", "values" };
    char path[PATH_SIZE_MAX + 16];
    size_t objects = 0;

    for (size_t i = 0; i < COUNT_OF(classes); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", db->path, classes[i]);
        st = db->os->ops->list(db->os, path, count_object, &objects, err);
        if (st != BASIN_NOT_FOUND)
            TRY(st);
    }
    st = BASIN_OK;
    if (objects > 0) {
        st = error_set(err, BASIN_CORRUPT, "head/0-1 is missing, but there are %zu objects",
                       objects);
        error_hint(err, "run basin repair or basin salvage");
    }
out:
    return st;
}

static basin_status
find_head(struct lsm *db, basin_error *err)
{
    basin_status st;
    uint64_t generation;

    st = lsm__head_read(db, &generation, err);
    if (st == BASIN_OK && db->o.must_create)
        FAIL(err, BASIN_EXISTS, "%s: the database is there already", db->path);
    if (st == BASIN_OK && db->head_lost)
        TRY(lsm__head_replace(db, generation, err));
    if (st != BASIN_NOT_FOUND)
        goto out;
    TRY(lsm__check_headless(db, err));
    if (db->o.must_exist || db->o.read_only) {
        FAIL(err, BASIN_NOT_FOUND, "%s: there is no Basin database here", db->path);
    }
    TRY(check_foreign(db, err));
    TRY(sync_directories(db, err));
    TRY(lsm__head_create(db, err));
out:
    return st;
}

/* What recovery found becomes the state of the handle. */
static void
adopt(struct lsm *db, struct recovery *r)
{
    db->checkpoint = r->checkpoint;
    db->checkpoint_edits = r->has_checkpoint ? 1 : 0;
    db->covered_epoch = r->log_count ? r->logs[0] : 0;
    db->last_seqno = r->seqno;
    db->manifest.seqno = r->seqno;
    atomic_store_explicit(&db->visible, r->seqno, memory_order_release);
    lsm__durable_to(db, r->durable);
    db->active = r->table;
    r->table = NULL;
}

static uint64_t
newest_epoch(const struct recovery *r)
{
    uint64_t epoch = r->has_checkpoint ? r->checkpoint.epoch : 0;

    return r->log_count ? MAX_OF(epoch, r->logs[r->log_count - 1]) : epoch;
}

/* Nothing tells of this epoch: neither a record nor an object. */
static bool
is_untouched(const struct lsm *db)
{
    return db->log != NULL && db->log->end == LOG_HEADER_SIZE &&
           db->checkpoint.epoch != db->log->epoch &&
           atomic_load_explicit(&db->next_number, memory_order_relaxed) == 1;
}

/* The tail becomes strata. On a full disk that has to wait: then edits and commits wait for it
 * (tail_unsafe), since it may never have reached the disk. */
static basin_status
flush_tail(struct lsm *db, bool safe, basin_error *err)
{
    basin_status st;
    bool did;

    db->tail_unsafe = !safe;
    atomic_store_explicit(&db->tail_unsafe_hint, !safe, memory_order_release);
    TRY(lsm__rotate(db, err));
    st = lsm__flush_step(db, &did, err);
    if (st == BASIN_NO_SPACE)
        st = BASIN_OK;
out:
    return st;
}

/* A power loss may bring back what was removed. */
static bool
left_behind(const struct lsm *db, const struct recovery *r)
{
    return r->checkpoint_count > 1 ||
           (r->log_count > 0 &&
            r->logs[0] < MIN_OF(db->manifest.replay_from.epoch, r->checkpoint.epoch));
}

/* What recovery replayed is in memory, and soon in strata; a consumer of the change feed that holds
 * log reads it there, so there, too, it has to be on disk. */
static basin_status
secure_held_logs(struct lsm *db, const struct recovery *r, basin_error *err)
{
    basin_status st = BASIN_OK;
    uint64_t held;

    if (db->manifest.hold_count == 0)
        return BASIN_OK;
    TRY(lsm__feed_keep_epoch(db, &held, err));
    held = MAX_OF(held, db->manifest.replay_from.epoch);
    for (size_t i = 0; i < r->log_count; i++)
        if (r->logs[i] >= held)
            TRY(lsm__log_rewrite(db, r->logs[i], err));
out:
    return st;
}

/*
 * After a crash nothing is built on what recovery found: the manifest is written anew as a
 * checkpoint, and the tail that the log holds is flushed (decision 12). A clean tail that is small
 * and in few logs stays.
 */
static basin_status
settle(struct lsm *db, const struct recovery *r, basin_error *err)
{
    basin_status st = BASIN_OK;
    bool empty = memtable_entries(db->active) + memtable_range_count(db->active) == 0;
    bool safe = db->manifest.clean || PLANTED(TAIL_TRUSTED);
    struct place here = { db->log->epoch, db->log->end };

    db->active_from = empty ? here : db->manifest.replay_from;
    db->active_seqno = empty ? db->last_seqno : db->manifest.replay_seqno;
    if (r->log_count == 0 && !r->has_checkpoint)
        goto out; /* new */
    if (safe && r->log_count <= LOGS_MAX) {
        if (left_behind(db, r))
            TRY(lsm__remove_covered(db, err));
        goto out;
    }
    if (!safe)
        TRY(secure_held_logs(db, r, err));
    if (empty) {
        db->manifest.replay_from = here;
        db->manifest.replay_seqno = db->last_seqno;
    }
    TRY(lsm__checkpoint_first(db, err));
    if (empty)
        lsm__durable_to(db, db->last_seqno);
    else
        TRY(flush_tail(db, safe, err));
    TRY(lsm__remove_covered(db, err));
out:
    return st;
}

static basin_status
open_writer(struct lsm *db, basin_error *err)
{
    basin_status st;
    struct recovery r = { .manifest = &db->manifest };
    uint64_t epoch;

    lsm__reserve_open(db);
    TRY(lsm__readers_open_writer(db, err));
    TRY(db->rebuild ? lsm__rebuild(db, &r, err) : lsm__recover(db, &r, err));
    if (!db->rebuild)
        TRY(lsm__recover_check_objects(db, &r, err));
    TRY(store_sweep(db->store, err)); /* what follows builds on names that are durable */
    epoch = newest_epoch(&r);
    adopt(db, &r);
    do {
        epoch++;
        st = lsm__log_create(db, epoch, epoch == r.end.epoch + 1 ? r.closed_at : 0, &db->log, err);
    } while (st == BASIN_EXISTS);
    TRY(st);
    atomic_store_explicit(&db->epoch, epoch, memory_order_release);
    db->first_epoch = epoch;
    os_mutex_lock(db->mu);
    st = lsm__version_install(db, err);
    os_mutex_unlock(db->mu);
    TRY(st);
    lsm__readers_ready(db);
    TRY(settle(db, &r, err));
    TRY(lsm__values_open(db, err));
    if (!db->rebuild) /* what could not be read stays until the next opening */
        TRY(lsm__sweep_orphans(db, err));
    (void)!lsm__reserve_hold(db, 0, NULL); /* a full disk refuses what takes room, not this */
    TRY(lsm__background_start(db, err));
out:
    lsm__recovery_release(db, &r);
    return st;
}

basin_status
lsm_open(const char *path, const struct lsm_options *options, struct lsm **out, basin_error *err)
{
    basin_status st;
    struct lsm *db = NULL;

    *out = NULL;
    TRY(handle_new(path, options, &db, err));
    if (db->o.read_only) {
        TRY(lsm__open_reader(db, err));
    } else {
        TRY(look_around(db, err));
        if (!db->o.must_exist)
            TRY(make_directory(db, err));
        TRY(take_lock(db, err));
        TRY(store_open_dir(db->os, db->path, false, !db->o.no_map, db->mem, &db->store, err));
        TRY(find_head(db, err));
        TRY(open_writer(db, err));
    }
    *out = db;
    db = NULL;
out:
    if (db != NULL) {
        if (db->idle_cond != NULL) /* the last of them */
            lsm__background_stop(db);
        if (st != BASIN_OK && is_untouched(db))
            lsm__log_remove(db, db->log->epoch);
        handle_free(db);
    }
    return lsm__advise(st, err);
}

basin_status
lsm__open_stored(const char *path, const struct lsm_options *options, struct lsm **out,
                 basin_error *err)
{
    basin_status st;
    struct lsm *db = NULL;
    uint64_t generation;

    *out = NULL;
    TRY(handle_new(path, options, &db, err));
    db->without_key = true;
    TRY(store_open_dir(db->os, db->path, true, !db->o.no_map, db->mem, &db->store, err));
    TRY(lsm__head_read(db, &generation, err));
    *out = db;
    db = NULL;
out:
    if (db != NULL)
        handle_free(db);
    return st;
}

/* ------------------------------------------------------------------ closing */

/* Without room for it the log keeps what it holds. */
static basin_status
flush_all(struct lsm *db, bool rotate, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct request r = { .kind = REQUEST_ROTATE };
    bool did = true;

    if (rotate)
        st = lsm__submit(db, &r, err);
    while (did && st == BASIN_OK)
        st = lsm__flush_step(db, &did, err);
    return st == BASIN_NO_SPACE || st == BASIN_BUSY ? BASIN_OK : st;
}

/* Whether runs of level 0 have piled up in a database so small that merging them takes no time. */
static bool
small_merge_is_due(struct lsm *db)
{
    uint64_t size = 0;
    bool due;

    os_mutex_lock(db->mu);
    for (size_t i = 0; i < db->current->stratum_count; i++)
        if (db->current->strata[i]->level <= 1)
            size += db->current->strata[i]->size;
    due = db->level0_runs > db->o.level0_runs && size <= CLOSE_MERGES;
    os_mutex_unlock(db->mu);
    return due;
}

/* A process that lives for one write cuts off the merge that it began: a thousand of them would
 * leave as many runs as the debt allows. The threads are gone; a merge that fails is left to the
 * next opening. */
static void
merge_small(struct lsm *db)
{
    bool did = true;

    atomic_store_explicit(&db->closing, false, memory_order_release);
    while (did && small_merge_is_due(db))
        if (lsm__merge_step(db, &did, NULL) != BASIN_OK)
            break;
}

static basin_status
close_writer(struct lsm *db, basin_error *err)
{
    basin_status st;
    struct edit clean;
    struct request r = { .kind = REQUEST_EDIT, .edit = &clean };
    bool keep = memtable_used(db->active) < CLOSE_KEEPS_IN_LOG &&
                db->active_from.epoch + LOGS_MAX > db->log->epoch;

    lsm__edit_init(&clean, db->mem);
    TRY(lsm__failure(db, err));
    TRY(flush_all(db, false, err));
    if (!keep)
        TRY(flush_all(db, true, err));
    if (db->tail_unsafe)
        FAIL(err, BASIN_NO_SPACE, "%s: no room to flush what a power loss may take", db->path);
    merge_small(db);
    if (is_untouched(db)) {
        lsm__log_remove(db, db->log->epoch);
        goto out;
    }
    if (db->manifest.edits - db->checkpoint_edits > 8 ||
        db->manifest.replay_from.epoch > db->covered_epoch) {
        st = lsm__checkpoint(db, err);
        if (st != BASIN_NO_SPACE) /* else the older one is good enough */
            TRY(st);
    }
    if (!PLANTED(CLEAN_FIRST)) /* the record proves all that is before it; its reader trusts that */
        TRY(lsm__log_sync(db->log, err));
    lsm__edit_clean(&clean);
    st = lsm__submit(db, &r, err);
    if (st != BASIN_OK && r.place.epoch != 0) /* not clean: it is not on disk */
        lsm__log_void(db->log, r.place.at);
out:
    lsm__edit_release(&clean);
    return st;
}

/* The seqnos of some open transactions. REQUIRES(db->mu) */
static size_t
name_transactions(const struct lsm *db, char *to, size_t size)
{
    size_t at = 0;
    unsigned count = 0;

    for (const struct snapshot *s = db->snapshots.next;
         s != &db->snapshots && count < NAMED_TRANSACTIONS; s = s->next)
        at += (size_t)snprintf(to + at, size - at, "%s%llu", count++ ? ", " : " (reading at ",
                               (unsigned long long)s->seqno);
    if (count > 0)
        at += (size_t)snprintf(to + at, size - at, "%s)", db->snapshot_count > count ? ", .." : "");
    return at;
}

/* BUSY and what is still open, or OK. */
static basin_status
name_children(struct lsm *db, basin_error *err)
{
    static const char *const names[CHILD_KINDS] = { "transaction", "cursor", "stream", "bulk load",
                                                    "change feed" };
    char text[BASIN_WHAT_SIZE];
    size_t at = 0;

    os_mutex_lock(db->mu);
    for (int kind = 0; kind < CHILD_KINDS; kind++) {
        uint64_t n = atomic_load_explicit(&db->children[kind], memory_order_relaxed);
        if (n == 0)
            continue;
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%llu %s%s", at ? ", " : "",
                               (unsigned long long)n, names[kind], n > 1 ? "s" : "");
        if (kind == CHILD_TXN)
            at += name_transactions(db, text + at, sizeof(text) - at);
    }
    os_mutex_unlock(db->mu);
    return at == 0 ? BASIN_OK : error_set(err, BASIN_BUSY, "still open: %s", text);
}

basin_status
lsm_check_process(const struct lsm *db, basin_error *err)
{
    if (LIKELY(os_mark_is_own(db->mark)))
        return BASIN_OK;
    return error_set(err, BASIN_MISUSE, "the database was opened before fork");
}

/* The threads are not here, and a lock may be held by one of them for ever: only the files whose
 * locks this process would go on holding are let go. */
static void
close_in_child(struct lsm *db)
{
    os_close(db->lock_file);
    db->lock_file = NULL;
    lsm__readers_let_go(db);
}

basin_status
lsm_close(struct lsm *db, basin_error *err)
{
    basin_status st = BASIN_OK;

    if (db == NULL)
        return BASIN_OK;
    if (lsm_check_process(db, NULL) != BASIN_OK) {
        close_in_child(db);
        return BASIN_OK;
    }
    if (name_children(db, err) != BASIN_OK)
        return BASIN_BUSY;
    lsm__background_stop(db);
    if (!db->o.read_only)
        st = close_writer(db, err);
    lsm__lanes_turn(db);
    lsm__reserve_close(db);
    lsm__version_unref(db->current);
    db->current = NULL;
    lsm__dead_release(db, !db->o.read_only);
    if (!db->o.read_only)
        lsm__values_sweep(db);
    handle_free(db);
    return st;
}

void
lsm_interrupt(struct lsm *db)
{
    atomic_fetch_add_explicit(&db->interrupts, 1, memory_order_release);
}

const basin_allocator *
lsm_allocator(struct lsm *db)
{
    return db->mem;
}
