// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Check: opens the database as a reader does and looks at the logs and at every object that the
 * manifest names; deep reads every page and value. Where the manifest itself cannot be read, what
 * rebuild.c finds is looked at; without the key of a sealed database, what the stored bytes tell.
 * It tells all faults; it changes nothing.
 *
 *   open untouched -> look -> done          a writer is there, or came: -> open as a reader, again
 *        | damaged                          | sealed and no key
 *        v                                  v
 *   rebuild -> look -> done                 stored bytes -> done
 */
#include <stdio.h>

#include "lsm/rebuild.h"

struct check {
    struct lsm *db;
    const struct lsm_check_options *o;
    struct rebuild faults;
    const char *object;
    uint64_t first_log, last_log; /* as they were at the beginning */
    bool disturbed;               /* a writer came while nothing was held */
    struct object_id *values;     /* looked at already */
    size_t value_count, value_capacity;
};

/* ------------------------------------------------------------------ telling */

static basin_status
look_at_logs(struct lsm *db, uint64_t *first, uint64_t *last, basin_error *err)
{
    basin_status st;
    uint64_t *logs = NULL;
    size_t count = 0, capacity = 0;

    *first = *last = 0;
    TRY(lsm__log_list(db, &logs, &count, &capacity, err));
    if (count > 0) {
        *first = logs[0];
        *last = logs[count - 1];
    }
out:
    mem_free(db->mem, logs, capacity * sizeof(*logs));
    return st;
}

static bool
writer_is_there(struct lsm *db)
{
    return db->lock_file != NULL &&
           os_test_lock(db->lock_file, 0, 1, OS_LOCK_EXCLUSIVE, NULL) == BASIN_BUSY;
}

/* While nothing is held a writer may come and remove what is looked at: no fault then. */
static bool
disturbed(struct check *c)
{
    uint64_t first, last;

    if (c->db == NULL || !c->db->o.untouched || c->db->rebuild != NULL)
        return false;
    if (writer_is_there(c->db) || look_at_logs(c->db, &first, &last, NULL) != BASIN_OK ||
        first != c->first_log || last != c->last_log)
        c->disturbed = true;
    return c->disturbed;
}

static void
tell(struct check *c, const char *object, const basin_error *fault, const struct bytes *from,
     const struct bytes *to)
{
    if (!disturbed(c))
        lsm__rebuild_fault(&c->faults, object, fault, from, to);
}

static void
fault_in_object(void *ctx, const basin_error *fault, struct bytes from, struct bytes to)
{
    struct check *c = ctx;

    tell(c, c->object, fault, &from, &to);
}

static void
plain_fault(struct check *c, const char *object, const basin_error *fault)
{
    tell(c, object, fault, NULL, NULL);
}

static basin_status
tick(struct check *c, const char *unit, uint64_t done, uint64_t total, basin_error *err)
{
    const basin_watch *w = c->o->watch;
    basin_progress p = { .stage = "check", .unit = unit, .done = done, .total = total,
                         .eta_ms = UINT64_MAX };

    if (c->disturbed)
        return BASIN_CONFLICT;
    if (w != NULL && w->progress != NULL && w->progress(w->ctx, &p) != 0)
        return error_set(err, BASIN_CANCELLED, "stopped by the progress callback");
    return BASIN_OK;
}

/* ------------------------------------------------------------------ strata */

/* The manifest and the stratum must agree. */
static void
compare_summary(struct check *c, const struct lsm_stratum *ls, const struct stratum *s,
                const char *name)
{
    const struct stratum_summary *sum = stratum_summary_of(s);
    basin_error fault = { 0 };

    if (sum->entries == ls->entries && sum->hash == ls->hash &&
        sum->range_tombstones == ls->range_tombstones)
        return;
    (void)error_set(&fault, BASIN_CORRUPT,
                    "%s: %llu entries and hash %llx, the manifest says %llu and %llx", name,
                    (unsigned long long)sum->entries, (unsigned long long)sum->hash,
                    (unsigned long long)ls->entries, (unsigned long long)ls->hash);
    plain_fault(c, name, &fault);
}

static void
check_stratum(struct check *c, struct lsm_stratum *ls)
{
    struct stratum *s;
    struct stratum_note note;
    basin_error fault = { 0 };
    char name[LSM_OBJECT_NAME_SIZE];

    lsm__object_name(name, "strata", ls->id);
    c->object = name;
    if (lsm__stratum_use(ls, &s, &fault) != BASIN_OK) {
        if (!disturbed(c))
            lsm__rebuild_lost(&c->faults, ls, &fault);
        return;
    }
    compare_summary(c, ls, s, name);
    if (lsm__note_get(stratum_meta(s), c->db->mem, &note, &fault) != BASIN_OK)
        plain_fault(c, name, &fault);
    lsm__note_release(c->db->mem, &note);
    if (c->o->deep)
        (void)!stratum_verify(s, fault_in_object, c, &fault);
}

/* Runs of a version ascend and do not overlap. */
static void
check_order(struct check *c, const struct lsm_run *run)
{
    basin_error fault = { 0 };
    char name[LSM_OBJECT_NAME_SIZE];

    for (size_t i = 1; i < run->count; i++) {
        if (lsm__strata_apart(run->strata[i - 1], run->strata[i]))
            continue;
        lsm__object_name(name, "strata", run->strata[i]->id);
        (void)error_set(&fault, BASIN_CORRUPT, "%s: overlaps strata/%llu-%llu of level %u", name,
                        (unsigned long long)run->strata[i - 1]->id.epoch,
                        (unsigned long long)run->strata[i - 1]->id.number, run->level);
        plain_fault(c, name, &fault);
    }
}

/* ------------------------------------------------------------------ value strata */

static basin_status
first_look(struct check *c, struct object_id id, bool *first, basin_error *err)
{
    const basin_allocator *mem = c->db->mem;
    struct object_id *more;

    *first = false;
    for (size_t i = c->value_count; i-- > 0;)
        if (c->values[i].epoch == id.epoch && c->values[i].number == id.number)
            return BASIN_OK;
    if (c->value_count == c->value_capacity) {
        size_t n = c->value_capacity + 256;
        more = mem->resize(mem->ctx, c->values, c->value_capacity * sizeof(*more),
                           n * sizeof(*more));
        if (more == NULL)
            return error_set(err, BASIN_NO_MEM, "no memory for %zu names", n);
        c->values = more;
        c->value_capacity = n;
    }
    c->values[c->value_count++] = id;
    *first = true;
    return BASIN_OK;
}

static basin_status
check_value_stratum(struct check *c, struct object_id id, basin_error *err)
{
    basin_status st;
    basin_error fault = { 0 };
    struct value_stratum *v = NULL;
    char name[LSM_OBJECT_NAME_SIZE];
    bool first;

    TRY(first_look(c, id, &first, err));
    if (!first)
        goto out;
    lsm__object_name(name, "values", id);
    st = lsm__value_stratum_open(c->db, id, &v, &fault);
    if (st == BASIN_OK && c->o->deep)
        st = value_verify(v, &fault);
    value_close(v);
    if (st != BASIN_OK)
        plain_fault(c, name, &fault);
    st = BASIN_OK;
out:
    return st;
}

/* What only the log refers to. */
static basin_status
check_memtable(struct check *c, struct memtable *m, basin_error *err)
{
    basin_status st;
    struct icur *i = NULL;
    struct value_place p;

    TRY(memtable_cursor(m, c->db->mem, &i, err));
    for (st = i->ops->first(i, err); st == BASIN_OK && i->valid; st = i->ops->next(i, err)) {
        if (i->entry.kind != ENTRY_REF)
            continue;
        TRY(lsm__value_place_get(i->entry.value, &p, err));
        TRY(check_value_stratum(c, p.id, err));
    }
out:
    if (i != NULL)
        i->ops->close(i);
    return st;
}

/* ------------------------------------------------------------------ logs */

static void
check_log(struct check *c, uint64_t epoch, bool live)
{
    struct log_reader log;
    struct record rec;
    basin_error fault = { 0 };
    basin_status st;
    char name[LSM_OBJECT_NAME_SIZE];

    (void)snprintf(name, sizeof(name), "log/%llu", (unsigned long long)epoch);
    st = lsm__log_reader_open(c->db, (struct place){ epoch, 0 }, &log, &fault);
    if (st == BASIN_NOT_FOUND && live)
        return; /* it was retired meanwhile */
    if (st != BASIN_OK) {
        plain_fault(c, name, &fault);
        return;
    }
    if (log.mended) {
        (void)error_set(&fault, BASIN_CORRUPT, "%s: the header is damaged; its copy is whole",
                        name);
        plain_fault(c, name, &fault);
    }
    log.live = live;
    do {
        st = lsm__log_reader_next(&log, &rec, &fault);
        if (st != BASIN_OK && st != BASIN_END) {
            plain_fault(c, name, &fault);
            st = lsm__log_reader_resync(&log, &fault);
        }
    } while (st == BASIN_OK);
    lsm__log_reader_close(&log);
}

static void
missing_log(struct check *c, uint64_t epoch)
{
    basin_error fault = { 0 };
    char name[LSM_OBJECT_NAME_SIZE];

    (void)snprintf(name, sizeof(name), "log/%llu", (unsigned long long)epoch);
    (void)error_set(&fault, BASIN_CORRUPT, "%s is missing", name);
    plain_fault(c, name, &fault);
}

static basin_status
check_logs(struct check *c, basin_error *err)
{
    basin_status st;
    uint64_t *logs = NULL;
    size_t count = 0, capacity = 0;
    bool live = writer_is_there(c->db);
    uint64_t held = UINT64_MAX;

    if (!c->db->without_key) /* what nobody needs may come back in parts after a power loss */
        TRY(lsm__feed_keep_epoch(c->db, &held, err));
    TRY(lsm__log_list(c->db, &logs, &count, &capacity, err));
    for (size_t i = 0; i < count; i++) {
        TRY(tick(c, "logs", i, count, err));
        if (i > 0 && logs[i - 1] >= held && logs[i] != logs[i - 1] + 1 && !live)
            missing_log(c, logs[i] - 1);
        check_log(c, logs[i], live);
    }
out:
    mem_free(c->db->mem, logs, capacity * sizeof(*logs));
    return st;
}

/* ------------------------------------------------------------------ all that the manifest names */

static basin_status
check_version(struct check *c, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct version *v = lsm__version_get(c->db);

    for (size_t i = 0; i < v->run_count; i++)
        check_order(c, &v->runs[i]);
    for (size_t i = 0; i < v->stratum_count; i++) {
        TRY(tick(c, "strata", i, v->stratum_count, err));
        check_stratum(c, v->strata[i]);
        for (size_t k = 0; k < v->strata[i]->use_count; k++)
            TRY(check_value_stratum(c, v->strata[i]->uses[k].id, err));
    }
    for (size_t i = 0; i < v->mem_count; i++)
        TRY(check_memtable(c, v->mems[i], err));
    TRY(tick(c, "strata", v->stratum_count, v->stratum_count, err));
out:
    lsm__version_unref(v);
    return st;
}

static void
check_close(struct check *c)
{
    const basin_allocator *mem;

    if (c->db == NULL)
        return;
    mem = c->db->mem;
    mem_free(mem, c->values, c->value_capacity * sizeof(*c->values));
    c->values = NULL;
    c->value_count = c->value_capacity = 0;
    (void)!lsm_close(c->db, NULL);
    c->db = NULL;
}

static basin_status
check_whole(const char *path, const struct lsm_options *open, struct check *c, basin_error *err)
{
    basin_status st;
    struct recovery r = { 0 };
    basin_error fault = { 0 };

    TRY(lsm_open(path, open, &c->db, err));
    TRY(look_at_logs(c->db, &c->first_log, &c->last_log, err));
    TRY(store_list(c->db->store, "ckpt", lsm__recover_newest, &r, err));
    r.logs = &c->last_log;
    r.log_count = 1;
    if (open->untouched && lsm__recover_check_objects(c->db, &r, &fault) == BASIN_CORRUPT)
        plain_fault(c, "log", &fault);
    TRY(check_logs(c, err));
    TRY(check_version(c, err));
out:
    check_close(c);
    return st;
}

/* Without a manifest: rebuild tells what it finds, then every survivor is looked at. */
static basin_status
check_pieces(const char *path, const struct lsm_options *open, struct check *c,
             const basin_error *why, basin_error *err)
{
    basin_status st;
    struct lsm_options o = *open;
    uint64_t before = c->faults.faults;

    o.rebuild = &c->faults;
    TRY(lsm_open(path, &o, &c->db, err));
    if (c->faults.faults == before)
        plain_fault(c, "database", why);
    TRY(check_version(c, err));
out:
    check_close(c);
    return st;
}

/* ------------------------------------------------------------------ stored bytes */

static basin_status
check_stored(void *ctx, const char *base, uint64_t size, basin_error *err)
{
    struct check *c = ctx;
    struct object_id id;
    struct manifest none = { .mem = c->db->mem };
    basin_error fault = { 0 };
    struct source *from = NULL;
    basin_status st;
    char name[LSM_OBJECT_NAME_SIZE];

    (void)size;
    if (!lsm__object_parse(base, &id))
        return BASIN_OK;
    lsm__object_name(name, c->object, id);
    if (strcmp(c->object, "ckpt") == 0) {
        st = lsm__checkpoint_load(c->db, (struct place){ id.epoch, id.number }, &none, &fault);
    } else {
        st = store_open(c->db->store, name, &from, &fault);
        if (st == BASIN_OK)
            st = stratum_check_stored(from, c->db->mem, &fault);
        if (from != NULL)
            from->ops->close(from);
    }
    if (st != BASIN_OK)
        plain_fault(c, name, &fault);
    return tick(c, "objects", 0, 0, err);
}

/* A sealed database without its key: checksums of all objects, and hashes of whole ones. */
static basin_status
check_without_key(const char *path, const struct lsm_options *open, struct check *c,
                  basin_error *err)
{
    basin_status st;
    static const char *const classes[] = { "ckpt", "strata", "values" };

    TRY(lsm__open_stored(path, open, &c->db, err));
    TRY(look_at_logs(c->db, &c->first_log, &c->last_log, err));
    TRY(check_logs(c, err));
    for (size_t i = 0; i < COUNT_OF(classes); i++) {
        c->object = classes[i];
        TRY(store_list(c->db->store, classes[i], check_stored, c, err));
    }
out:
    check_close(c);
    return st;
}

/* ------------------------------------------------------------------ the whole */

static bool
has_key(const struct lsm_options *o)
{
    return o->key.size > 0 || o->passphrase.size > 0;
}

static basin_status
check_once(const char *path, const struct lsm_options *o, struct check *c, basin_error *err)
{
    basin_error why = { 0 };
    basin_status st = check_whole(path, o, c, &why);

    if (st == BASIN_WRONG_KEY && !has_key(o))
        st = check_without_key(path, o, c, err);
    else if (st == BASIN_CORRUPT || st == BASIN_VERSION)
        st = check_pieces(path, o, c, &why, err);
    else if (st != BASIN_OK && err != NULL)
        *err = why;
    return st;
}

basin_status
lsm_check(const char *path, const struct lsm_options *open,
          const struct lsm_check_options *options, basin_error *err)
{
    basin_status st;
    struct check c = { .o = options, .faults = { .options = options } };
    struct lsm_options o = *open;

    o.read_only = true;
    o.untouched = true;
    st = check_once(path, &o, &c, err);
    if (st == BASIN_BUSY || st == BASIN_CONFLICT) { /* a writer is there: look beside it */
        o.untouched = false;
        c.disturbed = false;
        error_clear(err);
        st = check_once(path, &o, &c, err);
    }
    TRY(st);
    if (c.faults.faults > 0) {
        st = error_set(err, BASIN_CORRUPT, "%llu faults were found",
                       (unsigned long long)c.faults.faults);
        error_hint(err, "run basin repair or basin salvage");
    }
out:
    return st;
}
