// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Makes a manifest from the strata themselves, when the checkpoint is lost or damaged. Every
 * stratum carries a note: the level and run it was written for, the value strata that it refers to
 * and the strata that it replaced.
 *
 * (B1) a stratum that a surviving one replaced is dead.
 * (B2) of two strata that overlap, the one of the lower level is newer; in one level, the one that
 *      was made later. A move to another level keeps this order: it overlapped nothing there.
 * (B3) of the logs, batches younger than every stratum count.
 *
 * All survivors become runs of level 0 in that order; merging brings them back into shape.
 */
#include <stdlib.h>

#include "lsm/rebuild.h"

struct survivor {
    struct lsm_stratum *ls;
    struct stratum_note note;
    bool dead;
};

struct search {
    struct lsm *db;
    struct survivor *list;
    size_t count, capacity;
};

/* ------------------------------------------------------------------ notes */

basin_status
lsm__note_put(struct buf *to, const struct stratum_note *n)
{
    struct wr w = wr_into(to);

    wr_leb(&w, n->level);
    wr_leb(&w, n->run);
    wr_leb(&w, n->use_count);
    for (size_t i = 0; i < n->use_count; i++) {
        wr_leb(&w, n->uses[i].id.epoch);
        wr_leb(&w, n->uses[i].id.number);
        wr_leb(&w, n->uses[i].bytes);
        wr_leb(&w, n->uses[i].count);
    }
    wr_leb(&w, n->consumed_count);
    for (size_t i = 0; i < n->consumed_count; i++) {
        wr_leb(&w, n->consumed[i].epoch);
        wr_leb(&w, n->consumed[i].number);
    }
    return wr_status(&w, NULL);
}

void
lsm__note_release(const basin_allocator *mem, struct stratum_note *n)
{
    mem_free(mem, n->uses, n->use_count * sizeof(*n->uses));
    mem_free(mem, n->consumed, n->consumed_count * sizeof(*n->consumed));
    *n = (struct stratum_note){ 0 };
}

/* An array of `count` items of which each takes at least `least` bytes of what is left. */
static void *
note_array(struct rd *r, const basin_allocator *mem, uint64_t count, size_t least, size_t size)
{
    if (!rd_ok(r) || count > rd_left(r) / least) {
        rd_fail(r);
        return NULL;
    }
    return mem_new(mem, (size_t)count * size);
}

basin_status
lsm__note_get(struct bytes from, const basin_allocator *mem, struct stratum_note *n,
              basin_error *err)
{
    struct rd r = rd_over(from.data, from.size);
    uint64_t count;

    *n = (struct stratum_note){ 0 };
    n->level = rd_leb(&r);
    n->run = rd_leb(&r);
    count = rd_leb(&r);
    n->uses = count ? note_array(&r, mem, count, 4, sizeof(*n->uses)) : NULL;
    n->use_count = n->uses ? (size_t)count : 0;
    for (size_t i = 0; i < n->use_count; i++) {
        n->uses[i].id.epoch = rd_leb(&r);
        n->uses[i].id.number = rd_leb(&r);
        n->uses[i].bytes = rd_leb(&r);
        n->uses[i].count = rd_leb(&r);
    }
    count = rd_leb(&r);
    n->consumed = count ? note_array(&r, mem, count, 2, sizeof(*n->consumed)) : NULL;
    n->consumed_count = n->consumed ? (size_t)count : 0;
    for (size_t i = 0; i < n->consumed_count; i++) {
        n->consumed[i].epoch = rd_leb(&r);
        n->consumed[i].number = rd_leb(&r);
    }
    if (!rd_done(&r) || n->level >= LSM_LEVEL_COUNT) {
        lsm__note_release(mem, n);
        return error_set(err, BASIN_CORRUPT, "stratum note: stopped at byte %zu of %zu", r.at,
                         r.size);
    }
    return BASIN_OK;
}

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

/* ------------------------------------------------------------------ finding strata */

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
    if (fill(out->ls, stratum_summary_of(opened)) != BASIN_OK)
        FAIL(err, BASIN_NO_MEM, "no memory for a stratum");
    TRY(lsm__note_get(stratum_meta(opened), db->mem, &out->note, err));
out:
    if (st != BASIN_OK) {
        lsm__stratum_unref(out->ls);
        out->ls = NULL;
    }
    return st;
}

static basin_status
note_stratum(void *ctx, const char *base, uint64_t size, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct search *s = ctx;
    const basin_allocator *mem = s->db->mem;
    struct object_id id;
    struct survivor found = { 0 }, *more;
    basin_error fault = { 0 };
    char name[LSM_OBJECT_NAME_SIZE];

    (void)size;
    if (!lsm__object_parse(base, &id))
        return BASIN_OK;
    if (s->count == s->capacity) {
        more = mem->resize(mem->ctx, s->list, s->capacity * sizeof(*more),
                           (s->capacity + 64) * sizeof(*more));
        if (more == NULL)
            FAIL(err, BASIN_NO_MEM, "no memory for %zu strata", s->capacity + 64);
        s->list = more;
        s->capacity += 64;
    }
    st = try_stratum(s, id, &found, &fault);
    if (st == BASIN_OK) {
        s->list[s->count++] = found;
    } else if (st == BASIN_CORRUPT || st == BASIN_VERSION || st == BASIN_IO) {
        lsm__object_name(name, "strata", id);
        lsm__rebuild_fault(s->db->rebuild, name, &fault, NULL, NULL);
        st = BASIN_OK;
    } else if (err != NULL) {
        *err = fault;
    }
out:
    return st;
}

/* (B1) */
static void
bury(struct search *s)
{
    for (size_t i = 0; i < s->count; i++)
        for (size_t j = 0; j < s->list[i].note.consumed_count; j++)
            for (size_t k = 0; k < s->count; k++)
                if (s->list[k].ls->id.epoch == s->list[i].note.consumed[j].epoch &&
                    s->list[k].ls->id.number == s->list[i].note.consumed[j].number)
                    s->list[k].dead = true;
}

/* Oldest first: (B2) turned round. */
static int
compare_age(const void *a, const void *b)
{
    const struct survivor *x = a, *y = b;

    if (x->note.level != y->note.level)
        return x->note.level > y->note.level ? -1 : 1;
    if (x->ls->id.epoch != y->ls->id.epoch)
        return x->ls->id.epoch < y->ls->id.epoch ? -1 : 1;
    return (x->ls->id.number > y->ls->id.number) - (x->ls->id.number < y->ls->id.number);
}

/* Gives run numbers: neighbours in age that do not overlap share one. */
static bool
meets_run(const struct search *s, size_t from, size_t i)
{
    for (size_t k = from; k < i; k++) {
        const struct lsm_stratum *a = s->list[k].ls, *b = s->list[i].ls;
        if (!s->list[k].dead && !lsm__strata_apart(a, b))
            return true;
    }
    return false;
}

static basin_status
adopt_all(struct search *s, struct manifest *m, uint64_t *flushed, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct edit edit;
    size_t run_from = 0;
    uint64_t run = 1;

    lsm__edit_init(&edit, s->db->mem);
    bury(s);
    if (s->count > 1)
        qsort(s->list, s->count, sizeof(*s->list), compare_age);
    for (size_t i = 0; i < s->count; i++) {
        struct survivor *v = &s->list[i];
        if (v->dead)
            continue;
        if (meets_run(s, run_from, i)) {
            run++;
            run_from = i;
        }
        v->ls->level = 0;
        v->ls->run = run;
        v->ls->uses = v->note.uses;
        v->ls->use_count = v->note.use_count;
        v->note.uses = NULL;
        v->note.use_count = 0;
        *flushed = MAX_OF(*flushed, v->ls->seqno_max);
        lsm__edit_add_stratum(&edit, v->ls);
    }
    lsm__edit_seqno(&edit, *flushed);
    if (edit.failed)
        FAIL(err, BASIN_NO_MEM, "no memory for a manifest");
    TRY(lsm__manifest_apply(s->db, m, buf_bytes(&edit.body), (struct place){ 0, 1 }, err));
out:
    lsm__edit_release(&edit);
    return st;
}

/* ------------------------------------------------------------------ logs */

/* Pins and holds of the log survive; which strata live is known from the strata. */
static basin_status
replay_record(struct lsm *db, struct recovery *r, const struct record *rec, uint64_t flushed,
              basin_error *err)
{
    uint64_t next;

    if (rec->type == RECORD_EDIT) {
        r->seqno = MAX_OF(r->seqno, rec->first_seqno);
        return lsm__manifest_take_names(db, r->manifest, rec->body, err);
    }
    if (rec->first_seqno <= flushed)
        return BASIN_OK;
    basin_status st = lsm__apply_ops(r->table, rec->body, rec->first_seqno, &next, err);
    r->seqno = MAX_OF(r->seqno, next - 1);
    return st;
}

static void
replay_log(struct lsm *db, struct recovery *r, uint64_t epoch, uint64_t flushed)
{
    struct log_reader log;
    struct record rec;
    basin_error fault = { 0 };
    char name[LSM_OBJECT_NAME_SIZE];
    basin_status st = lsm__log_reader_open(db, (struct place){ epoch, 0 }, &log, &fault);

    while (st == BASIN_OK && (st = lsm__log_reader_next(&log, &rec, &fault)) == BASIN_OK)
        st = replay_record(db, r, &rec, flushed, &fault);
    if (st != BASIN_END && st != BASIN_OK) {
        lsm__object_name(name, "log", (struct object_id){ epoch, 0 });
        lsm__rebuild_fault(db->rebuild, name, &fault, NULL, NULL);
    }
    lsm__log_reader_close(&log);
}

basin_status
lsm__rebuild(struct lsm *db, struct recovery *r, basin_error *err)
{
    basin_status st;
    struct search s = { .db = db };
    uint64_t flushed = 0;

    TRY(store_list(db->store, "strata", note_stratum, &s, err));
    TRY(adopt_all(&s, r->manifest, &flushed, err));
    TRY(lsm__log_list(db, &r->logs, &r->log_count, &r->log_capacity, err));
    TRY(memtable_new(db->mem, lsm__fold_table(db), &r->table, err));
    r->seqno = flushed;
    for (size_t i = 0; i < r->log_count; i++)
        replay_log(db, r, r->logs[i], flushed);
    TRY(store_list(db->store, "ckpt", lsm__recover_newest, r, err)); /* only for its epoch */
    for (size_t i = 0; i < s.count; i++)
        r->checkpoint.epoch = MAX_OF(r->checkpoint.epoch, s.list[i].ls->id.epoch);
    r->has_checkpoint = true;
    r->manifest->clean = false;
out:
    for (size_t i = 0; i < s.count; i++) {
        lsm__note_release(db->mem, &s.list[i].note);
        lsm__stratum_unref(s.list[i].ls);
    }
    mem_free(db->mem, s.list, s.capacity * sizeof(*s.list));
    return st;
}
