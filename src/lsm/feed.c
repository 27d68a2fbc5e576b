// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The change feed: a cursor over commits in their order, read from the log files, in the writer's
 * process and in readers. It goes back as far as log is kept and forward to what the handle sees
 * and is on disk; at the end it closes its file and looks again at the next call.
 *
 *   open(since) -> find the log that has since + 1 -> [record -> changes]* -> END ... and again
 *
 * (F1) commits come without a gap: the first seqno of a batch is the one after the last, or the
 *      log between has gone and the answer is TOO_OLD.
 * A consumer that must not miss anything holds log by name, up to a bound in bytes; when its log
 * grows over that, the hold no longer counts.
 */
#include "lsm/internal.h"

struct lsm_feed {
    struct lsm *db;
    uint64_t since;       /* changes up to it are passed over */
    uint64_t next;        /* seqno that the next commit begins with */
    struct place at;      /* of the next record */
    struct log_reader log;
    bool open;
    bool fresh;           /* log was opened after the visible seqno was read */
    struct rd body;       /* rest of the current batch, in log's buffer */
    uint64_t seqno;       /* of its next change */
    uint64_t commit_seqno;
};

/* ------------------------------------------------------------------ where a seqno lies */

/* Whether a log was retired: the file that was read may have become another log meanwhile. */
static bool
is_gone(struct lsm *db, uint64_t epoch)
{
    char path[PATH_SIZE_MAX + 64];
    uint64_t size;

    return lsm__log_path(db, epoch, path, sizeof(path), NULL) == BASIN_OK &&
           db->os->ops->path_size(db->os, path, &size, NULL) == BASIN_NOT_FOUND;
}

static basin_status
missing(struct place at, const char *what, basin_error *err)
{
    basin_status st = error_set(err, BASIN_CORRUPT, "log/%llu: damaged at byte %llu: %s",
                                (unsigned long long)at.epoch, (unsigned long long)at.at, what);
    error_hint(err, "run basin check");
    return st;
}

/* Opens a log for reading; what lies behind the newest one's records is being written. */
static basin_status
open_at(struct lsm *db, struct place at, struct place committed, struct log_reader *log,
        basin_error *err)
{
    basin_status st = lsm__log_reader_open(db, at, log, err);

    log->live = at.epoch >= committed.epoch;
    return st;
}

/* What the first record of a log tells: the seqno that its first commit has or would have.
 * NOT_FOUND when it is empty or gone. */
static basin_status
first_seqno(struct lsm *db, uint64_t epoch, uint64_t *seqno, basin_error *err)
{
    basin_status st;
    struct log_reader log;
    struct record rec;
    struct place committed = lsm__committed(db);

    *seqno = 0;
    TRY(open_at(db, (struct place){ epoch, 0 }, committed, &log, err));
    st = lsm__log_reader_next(&log, &rec, err);
    if (st == BASIN_OK)
        *seqno = rec.first_seqno + (rec.type == RECORD_EDIT ? 1 : 0);
    if (st == BASIN_OK && rec.type == RECORD_EDIT) {
        struct edit_commit commit;
        st = lsm__edit_commit_of(db, rec.body, &commit, err);
        *seqno = commit.first != 0 ? commit.first : *seqno;
    }
    lsm__log_reader_close(&log);
    if (st == BASIN_END && !log.sealed && epoch == committed.epoch &&
        committed.at > LOG_HEADER_SIZE)
        st = missing((struct place){ epoch, LOG_HEADER_SIZE }, "the first record", err);
    if (st == BASIN_END || (st == BASIN_CORRUPT && is_gone(db, epoch)))
        st = BASIN_NOT_FOUND;
out:
    return st;
}

static basin_status
too_old(uint64_t seqno, basin_error *err)
{
    basin_status st = error_set(err, BASIN_TOO_OLD, "the log that has commit %llu is gone",
                                (unsigned long long)seqno);
    error_hint(err, "read the present state and follow from there; hold log for a slow consumer");
    return st;
}

/*
 * The log that has `seqno`, and the first seqno of it: the newest log that begins at or before it.
 * *epoch 0 when no log has any record. seqno 0: the oldest log. TOO_OLD when it is gone.
 */
static basin_status
find_log(struct lsm *db, uint64_t seqno, uint64_t *epoch, uint64_t *first, basin_error *err)
{
    basin_status st;
    uint64_t *logs = NULL, begin;
    size_t count = 0, capacity = 0;

    *epoch = 0;
    *first = 0;
    TRY(lsm__log_list(db, &logs, &count, &capacity, err));
    for (size_t i = count; i-- > 0;) {
        st = first_seqno(db, logs[i], &begin, err);
        if (st == BASIN_NOT_FOUND) {
            st = BASIN_OK;
            continue;
        }
        if (st != BASIN_OK)
            goto out;
        *epoch = logs[i];
        *first = begin;
        if (seqno != 0 && begin <= seqno)
            goto out;
    }
    if (*epoch != 0 && seqno != 0)
        st = too_old(seqno, err);
out:
    mem_free(db->mem, logs, capacity * sizeof(*logs));
    return st;
}

/* The log after `epoch`, or 0. */
static basin_status
log_after(struct lsm *db, uint64_t epoch, uint64_t *next, basin_error *err)
{
    basin_status st;
    uint64_t *logs = NULL;
    size_t count = 0, capacity = 0;

    *next = 0;
    TRY(lsm__log_list(db, &logs, &count, &capacity, err));
    for (size_t i = count; i-- > 0 && logs[i] > epoch;)
        *next = logs[i];
out:
    mem_free(db->mem, logs, capacity * sizeof(*logs));
    return st;
}

/* What is told: nothing that a power loss may take back, since its seqnos would be given out again
 * to other commits, which a consumer that resumes by seqno would never see. */
static uint64_t
told_now(struct lsm *db)
{
    uint64_t visible = atomic_load_explicit(&db->visible, memory_order_acquire);

    return MIN_OF(visible, atomic_load_explicit(&db->durable, memory_order_acquire));
}

/* ------------------------------------------------------------------ open, close */

static basin_status
feed_start(struct lsm_feed *f, basin_error *err)
{
    basin_status st;
    uint64_t visible = told_now(f->db);

    TRY(find_log(f->db, f->since ? f->since + 1 : 0, &f->at.epoch, &f->next, err));
    if (f->at.epoch == 0) { /* no log has a record: nothing old is kept */
        if (f->since != 0 && f->since < visible)
            st = too_old(f->since + 1, err);
        f->next = visible + 1;
    }
out:
    return st;
}

basin_status
lsm_feed_open(struct lsm *db, uint64_t since, struct lsm_feed **out, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct lsm_feed *f = NULL;

    *out = NULL;
    TRY(lsm_check_process(db, err));
    if (since == UINT64_MAX)
        FAIL(err, BASIN_MISUSE, "no commit comes after seqno %llu", (unsigned long long)since);
    f = mem_new(db->mem, sizeof(*f));
    if (f == NULL)
        FAIL(err, BASIN_NO_MEM, "no memory for a change feed");
    f->db = db;
    f->since = since;
    TRY(feed_start(f, err));
    lsm__child_opened(db, CHILD_FEED);
    *out = f;
    f = NULL;
out:
    if (f != NULL)
        mem_free(db->mem, f, sizeof(*f));
    return st;
}

static void
close_log(struct lsm_feed *f)
{
    if (f->open)
        lsm__log_reader_close(&f->log);
    f->open = false;
}

void
lsm_feed_close(struct lsm_feed *f)
{
    struct lsm *db;

    if (f == NULL)
        return;
    db = f->db;
    close_log(f);
    lsm__child_closed(db, CHILD_FEED);
    mem_free(db->mem, f, sizeof(*f));
}

/* ------------------------------------------------------------------ records */

/* The number of changes of a batch; all of it is decoded once before any of it is given out. */
basin_status
lsm__ops_count(struct bytes ops, uint64_t *count, basin_error *err)
{
    basin_status st;
    struct rd r = rd_over(ops.data, ops.size);
    struct op op;

    *count = 0;
    while ((st = lsm__op_next(&r, &op, err)) == BASIN_OK)
        (*count)++;
    return st == BASIN_END ? BASIN_OK : st;
}

/* The end of a log: goes on in the next one, or tells END. */
static basin_status
at_end(struct lsm_feed *f, uint64_t visible, basin_error *err)
{
    basin_status st = BASIN_OK;
    bool was_fresh = f->fresh, sealed = f->log.sealed;
    uint64_t next;

    close_log(f);
    if (!sealed && f->next > visible)
        return BASIN_END;
    if (!sealed && !was_fresh) /* its buffer may be older than what is visible */
        return BASIN_OK;
    TRY(log_after(f->db, f->at.epoch, &next, err));
    if (next == 0 && f->next > visible)
        return BASIN_END;
    f->at.at = MAX_OF(f->at.at, (uint64_t)LOG_HEADER_SIZE);
    if (next == 0 && place_compare(f->at, lsm__committed(f->db)) >= 0)
        return too_old(f->next, err); /* a crash took it from the log, not from the strata */
    if (next == 0)
        return missing(f->at, "a commit is missing", err);
    f->at = (struct place){ next, 0 };
out:
    return st;
}

/* A gap: the log between is gone. Beyond what is visible: later. */
static basin_status
check_next(struct lsm_feed *f, const struct record *rec, uint64_t first, uint64_t last,
           uint64_t visible, basin_error *err)
{
    if (last > visible) {
        close_log(f);
        return BASIN_END;
    }
    if (first > f->next)
        return too_old(f->next, err);
    if (first < f->next)
        return error_set(err, BASIN_CORRUPT, "log/%llu: commit %llu follows %llu",
                         (unsigned long long)rec->place.epoch, (unsigned long long)first,
                         (unsigned long long)(f->next - 1));
    return BASIN_OK;
}

/* Loads and spilled transactions leave one change, other edits none. */
static basin_status
take_edit(struct lsm_feed *f, const struct record *rec, uint64_t visible,
          struct lsm_change *change, basin_error *err)
{
    basin_status st;
    struct edit_commit c;

    TRY(lsm__edit_commit_of(f->db, rec->body, &c, err));
    if (c.first != 0) {
        TRY(check_next(f, rec, c.first, c.last, visible, err));
        f->next = c.last + 1;
        if (c.last > f->since)
            *change = (struct lsm_change){ .kind = c.spill ? LSM_CHANGE_SPILL : LSM_CHANGE_LOAD,
                                           .seqno = c.first, .commit_seqno = c.last,
                                           .last_in_commit = true };
    } else if (rec->first_seqno >= f->next) {
        TRY(check_next(f, rec, rec->first_seqno + 1, rec->first_seqno, visible, err));
    }
    f->at = rec->after;
out:
    return st;
}

static basin_status
take_batch(struct lsm_feed *f, const struct record *rec, uint64_t visible, basin_error *err)
{
    basin_status st;
    uint64_t count;

    TRY(lsm__ops_count(rec->body, &count, err));
    if (count == 0)
        return missing(rec->place, "an empty batch", err);
    TRY(check_next(f, rec, rec->first_seqno, rec->first_seqno + count - 1, visible, err));
    f->seqno = rec->first_seqno;
    f->commit_seqno = rec->first_seqno + count - 1;
    f->next = f->commit_seqno + 1;
    f->body = rd_over(rec->body.data, rec->body.size);
    f->at = rec->after;
out:
    return st;
}

static basin_status
open_log(struct lsm_feed *f, basin_error *err)
{
    basin_status st;
    uint64_t epoch = f->at.epoch;

    if (epoch == 0) { /* there was none yet */
        TRY(log_after(f->db, 0, &epoch, err));
        if (epoch == 0)
            return BASIN_END;
        f->at = (struct place){ epoch, 0 };
    }
    st = open_at(f->db, f->at, lsm__committed(f->db), &f->log, err);
    if (st == BASIN_NOT_FOUND)
        return too_old(f->next, err);
    TRY(st);
    f->open = true;
    f->fresh = true;
out:
    return st;
}

/* Reads one record; *change is filled when it is one by itself. */
static basin_status
next_record(struct lsm_feed *f, struct lsm_change *change, basin_error *err)
{
    basin_status st = BASIN_OK;
    uint64_t visible = told_now(f->db);
    struct record rec;

    f->fresh = false;
    f->body = rd_over(NULL, 0);
    if (!f->open)
        TRY(open_log(f, err));
    st = lsm__log_reader_next(&f->log, &rec, err);
    if (st == BASIN_END)
        return at_end(f, visible, err);
    if (st == BASIN_CORRUPT && is_gone(f->db, f->at.epoch))
        return too_old(f->next, err);
    TRY(st);
    if (rec.type == RECORD_EDIT)
        TRY(take_edit(f, &rec, visible, change, err));
    else
        TRY(take_batch(f, &rec, visible, err));
out:
    return st;
}

/* ------------------------------------------------------------------ changes */

static basin_status
translate(const struct op *op, struct lsm_change *change, basin_error *err)
{
    static const enum lsm_change_kind kinds[] = {
        [OP_PUT] = LSM_CHANGE_PUT,
        [OP_DELETE] = LSM_CHANGE_DELETE,
        [OP_MERGE] = LSM_CHANGE_MERGE,
        [OP_REF] = LSM_CHANGE_PUT,
        [OP_DELETE_RANGE] = LSM_CHANGE_DELETE_RANGE,
        [OP_DELETE_FROM] = LSM_CHANGE_DELETE_RANGE,
    };
    basin_status st = BASIN_OK;
    struct value_place p;

    change->kind = kinds[op->kind];
    change->key = op->key;
    change->value = op->value;
    change->value_size = op->value.size;
    change->unbounded = op->kind == OP_DELETE_FROM;
    if (op->kind == OP_REF) {
        TRY(lsm__value_place_get(op->value, &p, err));
        change->out_of_line = true;
        change->value = BYTES_NULL;
        change->value_size = p.ref.size;
    }
out:
    return st;
}

basin_status
lsm_feed_next(struct lsm_feed *f, struct lsm_change *change, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct op op;
    uint64_t interrupts = lsm__interrupts(f->db);

    *change = (struct lsm_change){ 0 };
    for (;;) {
        while (rd_left(&f->body) > 0) {
            TRY(lsm__op_next(&f->body, &op, err));
            if (f->seqno++ <= f->since)
                continue;
            change->seqno = f->seqno - 1;
            change->commit_seqno = f->commit_seqno;
            change->last_in_commit = change->seqno == f->commit_seqno;
            TRY(translate(&op, change, err));
            goto out;
        }
        if (lsm__interrupts(f->db) != interrupts)
            FAIL(err, BASIN_CANCELLED, "interrupted");
        TRY(next_record(f, change, err));
        if (change->seqno != 0)
            break; /* a load, or a spilled transaction */
    }
out:
    return st;
}

/* ------------------------------------------------------------------ holds */

basin_status
lsm_feed_hold(struct lsm *db, const char *consumer, uint64_t seqno, uint64_t bytes_max,
              basin_error *err)
{
    basin_status st;
    struct edit edit;
    struct feed_hold h = { (char *)(uintptr_t)consumer, seqno, bytes_max };
    uint64_t epoch, first;

    lsm__edit_init(&edit, db->mem);
    if (db->o.read_only)
        FAIL(err, BASIN_READ_ONLY, "a reader cannot hold log: ask the writer");
    if (consumer[0] == 0 || strlen(consumer) > LSM_NAME_MAX)
        FAIL(err, BASIN_LIMIT, "a consumer's name has 1 to %d bytes", LSM_NAME_MAX);
    if (seqno != UINT64_MAX && seqno > atomic_load_explicit(&db->visible, memory_order_acquire))
        FAIL(err, BASIN_MISUSE, "seqno %llu is not committed yet", (unsigned long long)seqno);
    TRY(lsm__wait_for_tail(db, err));
    lsm__edit_hold(&edit, &h);
    TRY(lsm__publish(db, &edit, NULL, NULL, err));
    TRY(lsm__remove_covered(db, err)); /* what the consumer does not need any more */
    if (seqno != UINT64_MAX)
        TRY(find_log(db, seqno + 1, &epoch, &first, err));
out:
    lsm__edit_release(&edit);
    return st;
}

struct held {
    uint64_t seqno, bytes_max;
};

static basin_status
copy_holds(struct lsm *db, struct held **out, size_t *count, basin_error *err)
{
    basin_status st = BASIN_OK;

    os_mutex_lock(db->mu);
    *count = db->manifest.hold_count;
    *out = *count ? mem_new(db->mem, *count * sizeof(**out)) : NULL;
    if (*count > 0 && *out == NULL)
        st = error_set(err, BASIN_NO_MEM, "no memory for %zu consumers", *count);
    for (size_t i = 0; i < *count && *out != NULL; i++)
        (*out)[i] = (struct held){ db->manifest.holds[i].seqno, db->manifest.holds[i].bytes_max };
    os_mutex_unlock(db->mu);
    return st;
}

/* Bytes of the log files from an epoch on. */
static basin_status
bytes_from(struct lsm *db, uint64_t epoch, uint64_t *bytes, basin_error *err)
{
    basin_status st;
    uint64_t *logs = NULL, size;
    size_t count = 0, capacity = 0;
    char path[PATH_SIZE_MAX + 64];

    *bytes = 0;
    TRY(lsm__log_list(db, &logs, &count, &capacity, err));
    for (size_t i = 0; i < count; i++) {
        if (logs[i] < epoch)
            continue;
        TRY(lsm__log_path(db, logs[i], path, sizeof(path), err));
        st = db->os->ops->path_size(db->os, path, &size, err);
        if (st == BASIN_OK)
            *bytes += size;
        else if (st != BASIN_NOT_FOUND)
            goto out;
    }
    st = BASIN_OK;
out:
    mem_free(db->mem, logs, capacity * sizeof(*logs));
    return st;
}

basin_status
lsm__feed_keep_epoch(struct lsm *db, uint64_t *epoch, basin_error *err)
{
    basin_status st;
    struct held *holds = NULL;
    size_t count = 0;
    uint64_t needs, first, bytes;

    *epoch = UINT64_MAX;
    TRY(copy_holds(db, &holds, &count, err));
    for (size_t i = 0; i < count; i++) {
        st = find_log(db, holds[i].seqno + 1, &needs, &first, err);
        if (st == BASIN_TOO_OLD)
            continue;
        TRY(st);
        if (needs == 0)
            continue;
        TRY(bytes_from(db, needs, &bytes, err));
        if (bytes <= holds[i].bytes_max)
            *epoch = MIN_OF(*epoch, needs);
    }
    st = BASIN_OK;
out:
    mem_free(db->mem, holds, count * sizeof(*holds));
    return st;
}
