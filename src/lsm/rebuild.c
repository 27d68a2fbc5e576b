// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Makes a manifest from what is left: for repair, salvage and the check of a database that does not
 * open. The law is docs/format/meta.md.
 *
 *   checkpoint, if it can be read -> edits of the logs, as far as they can -> strata -> batches
 *
 * When the checkpoint and the edits are whole, the manifest is what it was, and strata that cannot
 * be opened are left out. Else the notes of the strata fill the gaps:
 *
 * (B1) what a finished set of strata replaced is dead; a set that is not finished, while all that
 *      it would replace is there, was never published and is dead itself.
 * (B2) of two strata that overlap, the one of the lower level is newer; in one level, the one that
 *      was made later. A move to another level keeps this order: it overlapped nothing there.
 * (B3) of the logs, batches younger than every stratum count.
 *
 * All survivors become runs of level 0 in that order; merging brings them back into shape.
 */
#include <stdio.h>

#include "lsm/rebuild.h"

struct survivor {
    struct lsm_stratum *ls; /* open */
    struct stratum_note note;
    uint64_t base; /* of its seqnos */
    bool dead;
};

struct id_list {
    const basin_allocator *mem;
    struct object_id *ids;
    size_t count, capacity;
};

struct search {
    struct lsm *db;
    struct recovery *r;
    struct survivor *list;
    size_t count, capacity;
    struct id_list present;  /* objects of the class "strata", in order */
    struct id_list removed;  /* by edits, in order */
    struct id_list consumed; /* by any set, in order */
    struct log_chain chain;
    bool has_base; /* the checkpoint could be read */
    bool whole;    /* no edit behind it is lost */
    bool exact;    /* the manifest is what it was */
    uint64_t flushed;
};

/* ------------------------------------------------------------------ faults */

void
lsm__rebuild_fault(struct rebuild *b, const char *object, const basin_error *fault,
                   const struct bytes *from, const struct bytes *to)
{
    struct lsm_fault f = { .object = object, .what = fault->what, .status = fault->status };

    b->faults++;
    if (b->options == NULL || b->options->fault == NULL)
        return;
    if (from != NULL) {
        f.has_range = true;
        f.lost_from = *from;
        f.lost_to = *to;
    }
    b->options->fault(b->options->ctx, &f);
}

void
lsm__rebuild_lost(struct rebuild *b, const struct lsm_stratum *ls, const basin_error *fault)
{
    struct bytes from = buf_bytes(&ls->first_key);
    struct bytes to = ls->last_unbounded ? BYTES_NULL : buf_bytes(&ls->last_key);
    char name[LSM_OBJECT_NAME_SIZE];

    lsm__object_name(name, "strata", ls->id);
    lsm__rebuild_fault(b, name, fault, &from, &to);
}

static void
log_fault(const struct search *s, uint64_t epoch, const basin_error *fault)
{
    char name[LSM_OBJECT_NAME_SIZE];

    (void)snprintf(name, sizeof(name), "log/%llu", (unsigned long long)epoch);
    lsm__rebuild_fault(s->db->rebuild, name, fault, NULL, NULL);
}

static void
skipped(void *ctx, const basin_error *fault, struct bytes from, struct bytes to)
{
    struct lsm_stratum *ls = ctx;
    char name[LSM_OBJECT_NAME_SIZE];

    lsm__object_name(name, "strata", ls->id);
    atomic_store_explicit(&ls->lossy, true, memory_order_relaxed);
    lsm__rebuild_fault(ls->db->rebuild, name, fault, &from, &to);
}

void
lsm__rebuild_skip(struct lsm_stratum *ls, struct stratum_cursor *c)
{
    stratum_cursor_skip_damage(c, skipped, ls);
}

/* Damage is told and passed over; what else fails ends the search. */
static bool
is_damage(basin_status st)
{
    return st == BASIN_CORRUPT || st == BASIN_IO || st == BASIN_NOT_FOUND || st == BASIN_LIMIT;
}

bool
lsm__passes_over(const struct lsm *db, basin_status st)
{
    return db->rebuild != NULL && (st == BASIN_CORRUPT || st == BASIN_IO);
}

/* ------------------------------------------------------------------ lists of names */

static basin_status
list_add(struct id_list *l, struct object_id id, basin_error *err)
{
    struct object_id *more;

    if (l->count == l->capacity) {
        size_t n = l->capacity ? l->capacity * 2 : 64;
        more = l->mem->resize(l->mem->ctx, l->ids, l->capacity * sizeof(*more),
                              n * sizeof(*more));
        if (more == NULL)
            return error_set(err, BASIN_NO_MEM, "no memory for %zu names", n);
        l->ids = more;
        l->capacity = n;
    }
    l->ids[l->count++] = id;
    return BASIN_OK;
}

static void
list_free(struct id_list *l)
{
    mem_free(l->mem, l->ids, l->capacity * sizeof(*l->ids));
}

static int
compare_ids(const void *a, const void *b)
{
    const struct object_id *x = a, *y = b;

    if (x->epoch != y->epoch)
        return x->epoch < y->epoch ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

static void
list_sort(struct id_list *l)
{
    sort_items(l->ids, l->count, sizeof(*l->ids), compare_ids);
}

static bool
list_has(const struct id_list *l, struct object_id id)
{
    size_t low = 0, high = l->count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int c = compare_ids(&l->ids[mid], &id);
        if (c == 0)
            return true;
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return false;
}

/* ------------------------------------------------------------------ checkpoint */

static basin_status
read_base(struct search *s, basin_error *err)
{
    basin_status st;
    basin_error fault = { 0 };
    struct recovery *r = s->r;
    char name[LSM_OBJECT_NAME_SIZE];

    TRY(store_list(s->db->store, "ckpt", lsm__recover_newest, r, err));
    if (!r->has_checkpoint)
        goto out;
    st = lsm__checkpoint_load(s->db, r->checkpoint, r->manifest, &fault);
    s->has_base = st == BASIN_OK;
    if (is_damage(st)) {
        lsm__object_name(name, "ckpt",
                         (struct object_id){ r->checkpoint.epoch, r->checkpoint.at });
        lsm__rebuild_fault(s->db->rebuild, name, &fault, NULL, NULL);
        lsm__manifest_release(r->manifest);
        st = BASIN_OK;
    } else if (st != BASIN_OK && err != NULL) {
        *err = fault;
    }
out:
    return st;
}

/* ------------------------------------------------------------------ logs */

typedef basin_status mend_fn(struct search *s, const struct record *rec, basin_error *err);

/* Damage at or behind the checkpoint may have taken edits with it. */
static void
log_damaged(struct search *s, uint64_t epoch, uint64_t at, const basin_error *fault, bool tell)
{
    struct place p = { epoch, at };

    s->db->rebuild->log_lost = true;
    if (!s->has_base || place_compare(p, s->r->checkpoint) >= 0)
        s->whole = false;
    if (tell)
        log_fault(s, epoch, fault);
}

/* First the logs from the checkpoint on, then those before it that are needed for batches. */
static bool
is_chained(const struct search *s, uint64_t epoch, bool first)
{
    return first ? !s->has_base || epoch >= s->r->checkpoint.epoch
                 : s->has_base && s->r->manifest->replay_from.epoch < s->r->checkpoint.epoch;
}

/* A log before that is not what it was is told once. */
static void
look_back(struct search *s, const struct log_reader *log, bool first)
{
    struct place end = s->chain.end;
    basin_error fault = { 0 };

    if (!is_chained(s, log->epoch, first) ||
        lsm__chain_check(&s->chain, log, &fault) == BASIN_OK ||
        (!first && log->epoch > s->r->checkpoint.epoch))
        return;
    log_damaged(s, log->epoch - 1, end.epoch == log->epoch - 1 ? end.at : UINT64_MAX, &fault,
                true);
}

/* Every record that can be read, behind damage too. */
static basin_status
read_log(struct search *s, uint64_t epoch, mend_fn *fn, bool tell, struct log_reader *log,
         basin_error *err)
{
    struct record rec;
    basin_error fault = { 0 };
    basin_status st;

    for (;;) {
        error_clear(&fault);
        uint64_t at = log->at;
        st = lsm__log_reader_next(log, &rec, &fault);
        if (st == BASIN_END)
            return BASIN_OK;
        if (st == BASIN_OK) {
            look_back(s, log, tell);
            st = fn(s, &rec, &fault);
            if (st == BASIN_OK)
                s->r->end = rec.after;
        } else if (is_damage(st)) {
            log_damaged(s, epoch, at, &fault, tell);
            st = lsm__log_reader_resync(log, &fault);
            if (st == BASIN_END || is_damage(st))
                return BASIN_OK;
        }
        if (st == BASIN_CORRUPT) { /* a body that no writer makes */
            log_damaged(s, epoch, at, &fault, tell);
        } else if (st != BASIN_OK) {
            if (err != NULL)
                *err = fault;
            return st;
        }
    }
}

/* The log of the checkpoint was synced up to its place. */
static void
check_reach(struct search *s, const struct log_reader *log)
{
    basin_error fault = { 0 };

    if (!s->has_base || log->epoch != s->r->checkpoint.epoch || log->at >= s->r->checkpoint.at)
        return;
    (void)error_set(&fault, BASIN_CORRUPT, "log/%llu: ends at byte %llu, synced up to %llu",
                    (unsigned long long)log->epoch, (unsigned long long)log->at,
                    (unsigned long long)s->r->checkpoint.at);
    log_damaged(s, log->epoch, s->r->checkpoint.at, &fault, true);
}

static basin_status
open_and_read(struct search *s, uint64_t epoch, mend_fn *fn, bool tell, basin_error *err)
{
    basin_status st;
    basin_error fault = { 0 };
    struct log_reader log;

    st = lsm__log_reader_open(s->db, (struct place){ epoch, 0 }, &log, &fault);
    if (is_damage(st)) {
        log_damaged(s, epoch, UINT64_MAX, &fault, tell);
        return BASIN_OK;
    }
    if (st != BASIN_OK) {
        if (err != NULL)
            *err = fault;
        return st;
    }
    if (log.mended && tell) {
        (void)error_set(&fault, BASIN_CORRUPT, "log/%llu: the header is damaged; its copy is whole",
                        (unsigned long long)epoch);
        log_fault(s, epoch, &fault);
    }
    st = read_log(s, epoch, fn, tell, &log, err);
    if (st == BASIN_OK && tell)
        check_reach(s, &log);
    if (is_chained(s, epoch, tell))
        lsm__chain_end(&s->chain, &log);
    lsm__log_reader_close(&log);
    return st;
}

static void
look_for_log(struct search *s, uint64_t epoch)
{
    const struct recovery *r = s->r;
    basin_error fault = { 0 };

    for (size_t i = 0; i < r->log_count; i++)
        if (r->logs[i] == epoch)
            return;
    if (epoch == 0)
        return;
    (void)error_set(&fault, BASIN_CORRUPT, "log/%llu is missing", (unsigned long long)epoch);
    log_damaged(s, epoch, UINT64_MAX, &fault, true);
}

/* The log of the checkpoint, and the first; log_chain for those between, and for the newest see
 * lsm__recover_check_objects. */
static void
look_for_logs(struct search *s)
{
    const struct recovery *r = s->r;
    basin_error fault = { 0 };

    if (s->has_base)
        look_for_log(s, r->checkpoint.epoch);
    if (!r->has_checkpoint && r->log_count > 0 && r->logs[0] != 1) {
        (void)error_set(&fault, BASIN_CORRUPT, "the checkpoint is missing: logs start at %llu",
                        (unsigned long long)r->logs[0]);
        lsm__rebuild_fault(s->db->rebuild, "ckpt", &fault, NULL, NULL);
    }
    error_clear(&fault);
    if (lsm__recover_check_objects(s->db, r, &fault) == BASIN_CORRUPT) {
        s->whole = false;
        s->db->rebuild->log_lost = true;
        lsm__rebuild_fault(s->db->rebuild, "log", &fault, NULL, NULL);
    }
}

/* Log that only a consumer of the change feed holds. */
static void
look_for_held(struct search *s)
{
    const struct recovery *r = s->r;

    for (size_t i = 1; i < r->log_count && r->manifest->hold_count > 0; i++)
        if (r->logs[i] <= r->checkpoint.epoch && r->logs[i] != r->logs[i - 1] + 1)
            look_for_log(s, r->logs[i] - 1);
}

static basin_status
note_removed(void *ctx, struct object_id id, basin_error *err)
{
    return list_add(ctx, id, err);
}

static basin_status
take_edit(struct search *s, const struct record *rec, basin_error *err)
{
    struct recovery *r = s->r;

    r->seqno = MAX_OF(r->seqno, rec->first_seqno - (rec->type == RECORD_EDIT ? 0 : 1));
    if (rec->type != RECORD_EDIT ||
        (s->has_base && place_compare(rec->place, r->checkpoint) < 0))
        return BASIN_OK;
    return lsm__manifest_mend(s->db, r->manifest, rec->body, rec->after, note_removed,
                              &s->removed, err);
}

static basin_status
take_batch(struct search *s, const struct record *rec, basin_error *err)
{
    basin_status st;
    struct recovery *r = s->r;
    uint64_t next;

    if (rec->type != RECORD_BATCH || place_compare(rec->place, r->manifest->replay_from) < 0 ||
        (!s->exact && rec->first_seqno <= s->flushed))
        return BASIN_OK;
    TRY(lsm__apply_ops(r->table, rec->body, rec->first_seqno, &next, err));
    r->seqno = MAX_OF(r->seqno, next - 1);
    r->batches++;
    TRY(lsm__replay_fits(s->db, r->table, err));
out:
    return st;
}

/* ------------------------------------------------------------------ an exact manifest */

/* Strata that cannot be opened are told and left out. */
static basin_status
keep_openable(struct search *s, basin_error *err)
{
    struct manifest *m = s->r->manifest;
    struct stratum *opened;

    for (size_t i = 0; i < m->stratum_count;) {
        basin_error fault = { 0 };
        basin_status st = lsm__stratum_use(m->strata[i], &opened, &fault);
        if (st == BASIN_OK) {
            i++;
            continue;
        }
        if (!is_damage(st) && st != BASIN_VERSION) {
            if (err != NULL)
                *err = fault;
            return st;
        }
        lsm__rebuild_lost(s->db->rebuild, m->strata[i], &fault);
        lsm__stratum_unref(lsm__manifest_drop(m, i));
    }
    return BASIN_OK;
}

/* ------------------------------------------------------------------ what the strata tell */

static basin_status
fill(struct lsm_stratum *ls, const struct stratum_summary *sum)
{
    basin_status st;

    TRY(buf_set(&ls->first_key, sum->first_key.data, sum->first_key.size));
    TRY(buf_set(&ls->last_key, sum->last_key.data, sum->last_key.size));
    ls->last_excluded = sum->last_key_excluded;
    ls->last_unbounded = sum->last_unbounded;
    ls->stacked = true; /* nobody knows: the next full compaction looks */
    ls->entries = sum->entries;
    ls->deletes = sum->deletes;
    ls->merges = sum->merges;
    ls->range_tombstones = sum->range_tombstones;
    ls->refs = sum->refs;
    ls->seqno_min = sum->seqno_min;
    ls->seqno_max = sum->seqno_max;
    ls->size = sum->size;
    ls->raw_bytes = sum->raw_bytes;
    ls->hash = sum->hash;
out:
    return st;
}

static basin_status
try_stratum(struct search *s, struct object_id id, struct survivor *out, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct lsm *db = s->db;
    struct source *from;
    struct stratum *opened = NULL;
    struct stratum_read_options options;
    char name[LSM_OBJECT_NAME_SIZE];

    out->ls = lsm__stratum_new(db, id);
    if (out->ls == NULL)
        FAIL(err, BASIN_NO_MEM, "no memory for a stratum");
    lsm__object_name(name, "strata", id);
    TRY(store_open(db->store, name, &from, err));
    lsm__read_options(db, id, &options);
    TRY(stratum_open(from, &options, &opened, err));
    atomic_store_explicit(&out->ls->opened, opened, memory_order_release);
    TRY(error_mem(fill(out->ls, stratum_summary_of(opened)), err));
    TRY(lsm__note_get(stratum_meta(opened), db->mem, &out->note, err));
out:
    if (st != BASIN_OK) {
        lsm__stratum_unref(out->ls);
        out->ls = NULL;
    }
    return st;
}

static struct lsm_stratum *
in_manifest(const struct search *s, struct object_id id)
{
    struct manifest *m = s->r->manifest;
    const struct id_slot *slot = lsm__ids_find(&m->index, id);

    return slot != NULL ? m->strata[slot->a] : NULL;
}

/*
 * Removed by an edit, or not in the checkpoint although it is older: then it counts only if it may
 * have been published behind the checkpoint, by a flush or merge that had begun before.
 */
static bool
is_known_dead(const struct search *s, const struct survivor *v)
{
    if (in_manifest(s, v->ls->id) != NULL)
        return false;
    if (list_has(&s->removed, v->ls->id))
        return true;
    if (!s->has_base || v->ls->id.epoch >= s->r->checkpoint.epoch)
        return false;
    for (size_t i = 0; i < v->note.consumed_count; i++)
        if (in_manifest(s, v->note.consumed[i]) != NULL)
            return false;
    return v->note.consumed_count > 0 || v->ls->seqno_max <= s->flushed;
}

/* Takes over what was found. */
static basin_status
add_survivor(struct search *s, struct survivor *found, basin_error *err)
{
    basin_status st = BASIN_OK;
    const basin_allocator *mem = s->db->mem;
    struct survivor *more;

    if (is_known_dead(s, found))
        goto out;
    if (s->count == s->capacity) {
        size_t n = s->capacity ? s->capacity * 2 : 64;
        more = mem->resize(mem->ctx, s->list, s->capacity * sizeof(*more), n * sizeof(*more));
        if (more == NULL)
            FAIL(err, BASIN_NO_MEM, "no memory for %zu strata", n);
        s->list = more;
        s->capacity = n;
    }
    for (size_t k = 0; k < found->note.consumed_count; k++)
        TRY(list_add(&s->consumed, found->note.consumed[k], err));
    s->list[s->count++] = *found;
    *found = (struct survivor){ 0 };
out:
    lsm__stratum_unref(found->ls);
    lsm__note_release(mem, &found->note);
    return st;
}

static basin_status
note_present(void *ctx, const char *base, uint64_t size, basin_error *err)
{
    struct object_id id;

    (void)size;
    return lsm__object_parse(base, &id) ? list_add(ctx, id, err) : BASIN_OK;
}

static basin_status
open_survivors(struct search *s, basin_error *err)
{
    basin_status st;
    char name[LSM_OBJECT_NAME_SIZE];

    for (size_t i = 0; i < s->r->manifest->stratum_count; i++)
        s->flushed = MAX_OF(s->flushed, s->r->manifest->strata[i]->seqno_max);
    TRY(store_list(s->db->store, "strata", note_present, &s->present, err));
    list_sort(&s->present);
    for (size_t i = 0; i < s->present.count; i++) {
        struct survivor found = { 0 };
        basin_error fault = { 0 };
        st = try_stratum(s, s->present.ids[i], &found, &fault);
        if (st == BASIN_OK) {
            TRY(add_survivor(s, &found, err));
            continue;
        }
        if (!is_damage(st) && st != BASIN_VERSION) {
            if (err != NULL)
                *err = fault;
            goto out;
        }
        if (in_manifest(s, s->present.ids[i]) != NULL || list_has(&s->removed, s->present.ids[i]))
            continue; /* told with its range later; nobody misses it */
        lsm__object_name(name, "strata", s->present.ids[i]);
        lsm__rebuild_fault(s->db->rebuild, name, &fault, NULL, NULL);
    }
    list_sort(&s->consumed);
    st = BASIN_OK;
out:
    return st;
}

/* ------------------------------------------------------------------ (B1) */

/* Its last stratum is there, or one of it was replaced: only what was published ever is. */
static bool
is_finished(const struct search *s, struct object_id set)
{
    if (list_has(&s->consumed, set))
        return true;
    for (size_t i = 0; i < s->count; i++) {
        const struct survivor *v = &s->list[i];
        if (compare_ids(&v->note.set, &set) == 0 &&
            (v->note.last || list_has(&s->consumed, v->ls->id) ||
             in_manifest(s, v->ls->id) != NULL))
            return true;
    }
    return false;
}

static bool
inputs_present(const struct search *s, const struct stratum_note *n)
{
    for (size_t i = 0; i < n->consumed_count; i++)
        if (!list_has(&s->present, n->consumed[i]))
            return false;
    return n->consumed_count > 0;
}

static basin_status
bury(struct search *s, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct id_list replaced = { .mem = s->db->mem };

    for (size_t i = 0; i < s->count; i++) {
        struct survivor *v = &s->list[i];
        v->dead = !is_finished(s, v->note.set) && inputs_present(s, &v->note);
        for (size_t k = 0; k < v->note.consumed_count && !v->dead; k++)
            TRY(list_add(&replaced, v->note.consumed[k], err));
    }
    list_sort(&replaced);
    for (size_t i = 0; i < s->count; i++)
        s->list[i].dead = s->list[i].dead || list_has(&replaced, s->list[i].ls->id);
    for (size_t i = 0; i < s->r->manifest->stratum_count; i++) {
        const struct lsm_stratum *ls = s->r->manifest->strata[i];
        bool found = list_has(&replaced, ls->id);
        basin_error fault = { 0 };
        for (size_t k = 0; k < s->count && !found; k++)
            found = compare_ids(&s->list[k].ls->id, &ls->id) == 0;
        if (found)
            continue;
        (void)error_set(&fault, BASIN_CORRUPT, "strata/%llu-%llu: %s",
                        (unsigned long long)ls->id.epoch, (unsigned long long)ls->id.number,
                        list_has(&s->present, ls->id) ? "damaged" : "the stratum is missing");
        lsm__rebuild_lost(s->db->rebuild, ls, &fault);
    }
out:
    list_free(&replaced);
    return st;
}

/* ------------------------------------------------------------------ (B2) */

/* A stratum of level 0 that was rewritten in its place has the age of the old one. */
static struct object_id
age_of(const struct survivor *v)
{
    return v->note.level == 0 && v->note.consumed_count == 1 ? v->note.consumed[0] : v->ls->id;
}

/* Oldest first. */
static int
compare_age(const void *a, const void *b)
{
    const struct survivor *x = a, *y = b;
    struct object_id of_x = age_of(x), of_y = age_of(y);
    int c;

    if (x->note.level != y->note.level)
        return x->note.level > y->note.level ? -1 : 1;
    c = compare_ids(&of_x, &of_y);
    return c ? c : compare_ids(&x->ls->id, &y->ls->id);
}

/* Gives run numbers: neighbours in age that do not overlap share one. */
static bool
meets_run(const struct search *s, size_t from, size_t i)
{
    for (size_t k = from; k < i; k++)
        if (!s->list[k].dead && !lsm__strata_apart(s->list[k].ls, s->list[i].ls))
            return true;
    return false;
}

/* Seqnos of a load or spilled transaction that no edit tells: behind everything older. Its strata
 * count from one base. */
static void
give_base(struct search *s, size_t i)
{
    struct survivor *v = &s->list[i];
    const struct survivor *first = s->list;

    if (v->note.group.epoch == 0 || in_manifest(s, v->ls->id) != NULL)
        return;
    while (first < v && (first->dead || compare_ids(&first->note.group, &v->note.group) != 0))
        first++;
    v->base = first < v ? first->base : s->flushed + (v->ls->seqno_max == 0);
    v->ls->seqno_min += v->base;
    v->ls->seqno_max += v->base;
}

static basin_status
adopt_all(struct search *s, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct manifest *m = s->r->manifest;
    struct edit edit;
    size_t run_from = 0;
    uint64_t run = 1;

    lsm__edit_init(&edit, s->db->mem);
    for (size_t i = 0; i < s->count; i++) { /* what the manifest knows better */
        const struct lsm_stratum *known = in_manifest(s, s->list[i].ls->id);
        if (known == NULL)
            continue;
        s->list[i].note.level = known->level;
        s->list[i].base = known->seqno_max - s->list[i].ls->seqno_max;
        s->list[i].ls->seqno_min = known->seqno_min;
        s->list[i].ls->seqno_max = known->seqno_max;
    }
    sort_items(s->list, s->count, sizeof(*s->list), compare_age);
    s->flushed = 0;
    for (size_t i = 0; i < s->count; i++) {
        struct survivor *v = &s->list[i];
        if (v->dead)
            continue;
        if (meets_run(s, run_from, i)) {
            run++;
            run_from = i;
        }
        give_base(s, i);
        v->ls->level = 0;
        v->ls->run = run;
        v->ls->uses = v->note.uses;
        v->ls->use_count = v->note.use_count;
        v->note.uses = NULL;
        v->note.use_count = 0;
        s->flushed = MAX_OF(s->flushed, v->ls->seqno_max);
        lsm__edit_add_stratum(&edit, v->ls);
    }
    lsm__edit_seqno(&edit, s->flushed);
    if (edit.failed)
        FAIL(err, BASIN_NO_MEM, "no memory for a manifest");
    while (m->stratum_count > 0)
        lsm__stratum_unref(lsm__manifest_drop(m, m->stratum_count - 1));
    TRY(lsm__manifest_apply(s->db, m, buf_bytes(&edit.body), m->place, err));
out:
    lsm__edit_release(&edit);
    return st;
}

/* ------------------------------------------------------------------ the whole */

static basin_status
make_manifest(struct search *s, basin_error *err)
{
    basin_status st;
    struct recovery *r = s->r;

    TRY(read_base(s, err));
    look_for_logs(s);
    for (size_t i = 0; i < r->log_count; i++)
        TRY(open_and_read(s, r->logs[i], take_edit, true, err));
    if ((s->has_base || !r->has_checkpoint) &&
        r->manifest->replay_from.epoch != r->checkpoint.epoch)
        look_for_log(s, r->manifest->replay_from.epoch);
    if (s->has_base)
        look_for_held(s);
    list_sort(&s->removed);
    s->exact = s->whole && (s->has_base || (r->log_count > 0 && r->logs[0] == 1));
    if (s->exact) {
        TRY(keep_openable(s, err));
    } else {
        TRY(open_survivors(s, err));
        TRY(bury(s, err));
        TRY(adopt_all(s, err));
    }
out:
    return st;
}

/* New objects get names that no old one has. */
static basin_status
newest_epoch(void *ctx, const char *name, uint64_t size, basin_error *err)
{
    struct recovery *r = ctx;
    struct object_id id;

    (void)size;
    (void)err;
    if (lsm__object_parse(name, &id))
        r->checkpoint.epoch = MAX_OF(r->checkpoint.epoch, id.epoch);
    return BASIN_OK;
}

basin_status
lsm__rebuild(struct lsm *db, struct recovery *r, basin_error *err)
{
    basin_status st;
    struct search s = { .db = db, .r = r, .whole = true, .present.mem = db->mem,
                        .removed.mem = db->mem, .consumed.mem = db->mem };

    TRY(lsm__log_list(db, &r->logs, &r->log_count, &r->log_capacity, err));
    TRY(make_manifest(&s, err));
    TRY(memtable_new(db->mem, lsm__fold_table(db), &r->table, err));
    s.chain = (struct log_chain){ 0 };
    for (size_t i = 0; i < r->log_count; i++)
        if (r->logs[i] >= r->manifest->replay_from.epoch)
            TRY(open_and_read(&s, r->logs[i], take_batch, false, err));
    r->seqno = MAX_OF(r->seqno, MAX_OF(s.flushed, r->manifest->seqno));
    TRY(store_list(db->store, "strata", newest_epoch, r, err));
    TRY(store_list(db->store, "values", newest_epoch, r, err));
    r->has_checkpoint = true;
    r->manifest->clean = false;
out:
    for (size_t i = 0; i < s.count; i++) {
        lsm__note_release(db->mem, &s.list[i].note);
        lsm__stratum_unref(s.list[i].ls);
    }
    mem_free(db->mem, s.list, s.capacity * sizeof(*s.list));
    list_free(&s.present);
    list_free(&s.removed);
    list_free(&s.consumed);
    return st;
}
