// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Reading the durable state at open: the newest checkpoint, then the log after it. First the
 * edits, which tell from where data is needed, then the batches from there into a memtable. Shared
 * by the writer and by reader processes; nothing is written here.
 *
 * A record counts when its checksum holds. A hole in the seqnos means that the tail of an earlier
 * log did not reach the disk: what follows it was never durable and is left out, unless that log is
 * known to have been there (log_chain); then it is damage.
 */
#include "lsm/recover.h"

basin_status
lsm__recover_newest(void *ctx, const char *name, uint64_t size, basin_error *err)
{
    struct recovery *r = ctx;
    struct object_id id;
    struct place p;

    (void)size;
    (void)err;
    if (!lsm__object_parse(name, &id))
        return BASIN_OK;
    r->checkpoint_count++;
    p = (struct place){ id.epoch, id.number };
    if (!r->has_checkpoint || place_compare(p, r->checkpoint) > 0)
        r->checkpoint = p;
    r->has_checkpoint = true;
    return BASIN_OK;
}

/* ------------------------------------------------------------------ walking the logs */

static bool
closes_log(const struct record *rec)
{
    return rec->type == RECORD_EDIT && rec->body.size == 1 && rec->body.data[0] == EDIT_CLEAN;
}

/* The first record of a log makes what its header says of the log before true. */
basin_status
lsm__chain_check(struct log_chain *c, const struct log_reader *log, basin_error *err)
{
    struct place before = c->end;
    unsigned long long epoch = log->epoch - 1;

    if (c->epoch == log->epoch)
        return BASIN_OK;
    c->epoch = log->epoch;
    c->loose = c->loose || (before.epoch != 0 && log->end_before == 0);
    if (before.epoch == 0 || log->end_before == 0)
        return BASIN_OK;
    if (before.epoch != epoch)
        return error_set(err, BASIN_CORRUPT, "log/%llu is missing: log/%llu goes on behind it",
                         epoch, epoch + 1);
    if (before.at < log->end_before)
        return error_set(err, BASIN_CORRUPT,
                         "log/%llu: damaged at byte %llu: it was on disk up to %llu, as log/%llu "
                         "says",
                         epoch, (unsigned long long)before.at,
                         (unsigned long long)log->end_before, epoch + 1);
    return BASIN_OK;
}

void
lsm__chain_end(struct log_chain *c, const struct log_reader *log)
{
    c->end = (struct place){ log->epoch, MAX_OF(log->at, (uint64_t)1) };
}

/* The log of the checkpoint was synced up to its place, a bounded one is committed up to there. */
static basin_status
check_end(const struct recovery *r, const struct log_reader *log, basin_error *err)
{
    struct place at = { log->epoch, log->at };
    struct place least = r->has_checkpoint ? r->checkpoint : (struct place){ 0, 0 };

    if (r->stopped)
        return BASIN_OK;
    if (r->bounded && log->epoch == r->limit.epoch && place_compare(least, r->limit) < 0)
        least = r->limit;
    if (log->epoch != least.epoch || place_compare(at, least) >= 0)
        return BASIN_OK;
    return error_set(err, BASIN_CORRUPT, "log/%llu: damaged at byte %llu, committed up to %llu",
                     (unsigned long long)log->epoch, (unsigned long long)log->at,
                     (unsigned long long)least.at);
}

static basin_status
walk_log(struct lsm *db, struct recovery *r, struct place from, record_fn *fn, basin_error *err)
{
    basin_status st;
    struct log_reader log;
    struct record rec;

    TRY(lsm__log_reader_open(db, from, &log, err));
    if (r->bounded && from.epoch == r->limit.epoch) {
        log.limit = r->limit.at;
        log.live = true;
    }
    while ((st = lsm__log_reader_next(&log, &rec, err)) == BASIN_OK) {
        st = lsm__chain_check(&r->chain, &log, err);
        if (st == BASIN_OK && !r->stopped)
            st = fn(db, r, &rec, err);
        if (st != BASIN_OK)
            break;
        if (!r->stopped)
            r->end = rec.after;
        if (closes_log(&rec)) { /* what is behind is not looked at */
            r->closed_at = rec.place.at;
            log.live = true;
        }
    }
    if (st == BASIN_END)
        st = check_end(r, &log, err);
    lsm__chain_end(&r->chain, &log);
    lsm__log_reader_close(&log);
out:
    return st;
}

basin_status
lsm__walk(struct lsm *db, struct recovery *r, struct place from, record_fn *fn, basin_error *err)
{
    basin_status st = BASIN_OK;

    r->chain = (struct log_chain){ 0 };
    r->stopped = false;
    for (size_t i = 0; i < r->log_count; i++) {
        struct place at = { r->logs[i], 0 };
        if (r->logs[i] < from.epoch || (r->bounded && r->logs[i] > r->limit.epoch))
            continue;
        if (r->logs[i] == from.epoch)
            at = from;
        TRY(walk_log(db, r, at, fn, err));
    }
out:
    return st;
}

static basin_status
take_edit(struct lsm *db, struct recovery *r, const struct record *rec, basin_error *err)
{
    basin_status st = BASIN_OK;

    if (rec->type == RECORD_EDIT) {
        st = lsm__manifest_apply(db, r->manifest, rec->body, rec->after, err);
        r->seqno = MAX_OF(r->seqno, rec->first_seqno);
    } else {
        r->manifest->clean = false;
    }
    return st;
}

/* Behind a log that lost its tail nothing is wrong with that; elsewhere nothing explains it. */
static basin_status
take_hole(struct recovery *r, const struct record *rec, basin_error *err)
{
    r->stopped = true;
    if (r->chain.loose)
        return BASIN_OK;
    return error_set(err, BASIN_CORRUPT, "log/%llu: byte %llu: commit %llu follows %llu",
                     (unsigned long long)rec->place.epoch, (unsigned long long)rec->place.at,
                     (unsigned long long)rec->first_seqno, (unsigned long long)r->replayed_seqno);
}

/* A writer sheds its memtable by flushing; a reader has to carry what the log holds. */
basin_status
lsm__replay_fits(const struct lsm *db, const struct memtable *m, basin_error *err)
{
    basin_status st;

    if (!db->o.read_only || memtable_used(m) <= db->o.mem_limit)
        return BASIN_OK;
    st = error_set(err, BASIN_LIMIT, "the log holds more than the memory limit of %llu bytes",
                   (unsigned long long)db->o.mem_limit);
    error_hint(err, "raise the limit, or let a writer flush");
    return st;
}

static basin_status
take_batch(struct lsm *db, struct recovery *r, const struct record *rec, basin_error *err)
{
    basin_status st;
    uint64_t next;

    if (rec->synced >= rec->place.at) /* all before it was on disk when it was made */
        r->durable = MAX_OF(r->durable, r->replayed_seqno);
    if (rec->type == RECORD_EDIT) {
        r->replayed_seqno = MAX_OF(r->replayed_seqno, rec->first_seqno);
        return BASIN_OK;
    }
    if (rec->first_seqno != r->replayed_seqno + 1 && !PLANTED(GAP))
        return take_hole(r, rec, err);
    TRY(lsm__apply_ops(r->table, rec->body, rec->first_seqno, &next, err));
    r->replayed_seqno = next - 1;
    r->batches++;
    TRY(lsm__replay_fits(db, r->table, err));
out:
    return st;
}

/* ------------------------------------------------------------------ the whole */

struct newest_object {
    const char *class_name;
    struct object_id id;
};

static basin_status
note_newest(void *ctx, const char *name, uint64_t size, basin_error *err)
{
    struct newest_object *n = ctx;
    struct object_id id;

    (void)size;
    (void)err;
    if (lsm__object_parse(name, &id) && id.epoch >= n->id.epoch)
        n->id = id;
    return BASIN_OK;
}

/*
 * Before the first object of an epoch is made, its log is durable (lsm__write_options): an object
 * of a later epoch than all logs and checkpoints means that a log was deleted.
 */
basin_status
lsm__recover_check_objects(struct lsm *db, const struct recovery *r, basin_error *err)
{
    basin_status st = BASIN_OK;
    static const char *const classes[] = { "strata", "values" };
    uint64_t epoch = r->has_checkpoint ? r->checkpoint.epoch : 0;

    if (r->log_count > 0)
        epoch = MAX_OF(epoch, r->logs[r->log_count - 1]);
    for (size_t i = 0; i < COUNT_OF(classes); i++) {
        struct newest_object n = { classes[i], { 0, 0 } };
        TRY(store_list(db->store, classes[i], note_newest, &n, err));
        if (n.id.epoch > epoch)
            FAIL(err, BASIN_CORRUPT, "log/%llu is missing, but %s/%llu-%llu is there",
                 (unsigned long long)n.id.epoch, classes[i], (unsigned long long)n.id.epoch,
                 (unsigned long long)n.id.number);
    }
out:
    return lsm__advise(st, err);
}

static basin_status
check_log(const struct recovery *r, uint64_t epoch, basin_error *err)
{
    for (size_t i = 0; i < r->log_count; i++)
        if (r->logs[i] == epoch)
            return BASIN_OK;
    if (epoch == 0)
        return BASIN_OK;
    return error_set(err, BASIN_CORRUPT, "log/%llu is missing", (unsigned long long)epoch);
}

basin_status
lsm__recover(struct lsm *db, struct recovery *r, basin_error *err)
{
    basin_status st;
    struct place from = { 0, 0 };

    TRY(store_list(db->store, "ckpt", lsm__recover_newest, r, err));
    if (r->has_checkpoint) {
        TRY(lsm__checkpoint_load(db, r->checkpoint, r->manifest, err));
        from = r->checkpoint;
    }
    TRY(lsm__log_list(db, &r->logs, &r->log_count, &r->log_capacity, err));
    TRY(check_log(r, from.epoch, err));
    if (!r->has_checkpoint && r->log_count > 0 && r->logs[0] != 1) {
        st = error_set(err, BASIN_CORRUPT, "the checkpoint is missing: logs start at %llu",
                       (unsigned long long)r->logs[0]);
        error_hint(err, "run basin repair: it rebuilds the checkpoint from the strata");
        goto out;
    }
    r->seqno = r->manifest->seqno;
    TRY(lsm__walk(db, r, from, take_edit, err));
    r->seqno = MAX_OF(r->seqno, r->manifest->seqno);
    if (r->chain.end.epoch != r->end.epoch)
        r->manifest->clean = false; /* the newest log has no record at all */
    TRY(check_log(r, r->manifest->replay_from.epoch, err));
    TRY(memtable_new(db->mem, lsm__fold_table(db), &r->table, err));
    r->replayed_seqno = r->durable = r->manifest->replay_seqno;
    TRY(lsm__walk(db, r, r->manifest->replay_from, take_batch, err));
    r->seqno = MAX_OF(r->seqno, r->replayed_seqno);
    if (r->manifest->clean)
        r->durable = r->seqno;
    if (!r->manifest->clean)
        r->closed_at = 0;
out:
    return lsm__advise(st, err);
}

basin_status
lsm__replay(struct lsm *db, struct recovery *r, basin_error *err)
{
    basin_status st;

    TRY(lsm__log_list(db, &r->logs, &r->log_count, &r->log_capacity, err));
    TRY(check_log(r, r->manifest->replay_from.epoch, err));
    r->replayed_seqno = r->manifest->replay_seqno;
    TRY(lsm__walk(db, r, r->manifest->replay_from, take_batch, err));
out:
    return st;
}

void
lsm__recovery_release(struct lsm *db, struct recovery *r)
{
    mem_free(db->mem, r->logs, r->log_capacity * sizeof(*r->logs));
    r->logs = NULL;
    r->log_capacity = 0;
    memtable_unref(r->table);
    r->table = NULL;
}
