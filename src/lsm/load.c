// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Bulk load: pairs go straight into strata, which one edit publishes as a run of level 0 under one
 * seqno. Inside they carry no seqno; the manifest gives it to the whole stratum (seqno_min =
 * seqno_max). Unsorted input is collected in a memtable, spilled as sorted strata that nobody
 * knows, and merged at the end; of equal keys the last one wins.
 *
 *   add ... -> [spill]* -> merge -> writers wait -> flush -> publish -> writers go on
 *
 * The flush comes first because a memtable is newer than every run.
 */
#include "lsm/txn.h"
#include "lsm/values.h"

enum { SPILLS_MAX = 1024, TICK_EVERY = 4096 };

struct lsm_load {
    struct lsm *db;
    bool unsorted;
    const basin_watch *watch;
    uint64_t begin_ns, tick_ns, pairs, bytes;
    uint64_t interrupts;       /* when it began */
    struct output *output;     /* the final strata */
    struct buf last_key;
    bool has_last;
    struct memtable *table;    /* unsorted: what is being collected */
    uint64_t order;
    struct output *spills[SPILLS_MAX]; /* oldest first */
    size_t spill_count;
    struct value_out *values;
    struct buf ref;
    struct buf pieces; /* of a value that goes into a stratum */
    basin_status failed;
    bool logged; /* the edit may be in the log */
    struct object_id group; /* names this load in its strata */
};

static basin_status
open_output(struct lsm_load *l, struct output **out, basin_error *err)
{
    /* everything is elided: see above */
    basin_status st = lsm__reserve_allows(l->db, err);

    if (st != BASIN_OK)
        return st;
    return lsm__output_open(&(struct output_options){ .db = l->db, .level = 0,
                                                      .seqno_elide = UINT64_MAX,
                                                      .group = l->group,
                                                      .size_max = l->db->o.stratum_size },
                            out, err);
}

basin_status
lsm_load_open(struct lsm *db, const struct lsm_load_options *options, struct lsm_load **out,
              basin_error *err)
{
    basin_status st = BASIN_OK;
    struct lsm_load *l = NULL;

    *out = NULL;
    if (db->o.read_only)
        FAIL(err, BASIN_READ_ONLY, "the database is open for reading");
    l = mem_new(db->mem, sizeof(*l));
    if (l == NULL)
        FAIL(err, BASIN_NO_MEM, "no memory for a load");
    l->db = db;
    l->unsorted = options->unsorted;
    l->group = lsm__next_object(db);
    l->watch = options->watch;
    l->interrupts = lsm__interrupts(db);
    l->begin_ns = l->tick_ns = db->os->ops->monotonic_ns(db->os);
    buf_init(&l->last_key, db->mem);
    buf_init(&l->ref, db->mem);
    buf_init(&l->pieces, db->mem);
    lsm__child_opened(db, CHILD_LOAD);
    *out = l;
out:
    return st;
}

static void
load_free(struct lsm_load *l)
{
    struct lsm *db = l->db;

    for (size_t i = 0; i < l->spill_count; i++)
        lsm__output_close(l->spills[i], false);
    lsm__output_close(l->output, l->logged);
    lsm__value_out_close(l->values);
    memtable_unref(l->table);
    buf_release(&l->last_key);
    buf_release(&l->ref);
    buf_release(&l->pieces);
    lsm__child_closed(db, CHILD_LOAD);
    mem_free(db->mem, l, sizeof(*l));
}

void
lsm_load_abort(struct lsm_load *l)
{
    if (l != NULL)
        load_free(l);
}

/* ------------------------------------------------------------------ adding */

static basin_status
tick(struct lsm_load *l, const char *stage, basin_error *err)
{
    uint64_t now = l->db->os->ops->monotonic_ns(l->db->os);
    const basin_watch *w = l->watch;
    basin_progress p = { .stage = stage, .unit = "pairs", .done = l->pairs,
                         .bytes_in = l->bytes, .eta_ms = UINT64_MAX };

    if (lsm__interrupts(l->db) != l->interrupts)
        return error_set(err, BASIN_CANCELLED, "interrupted");
    if (w == NULL)
        return BASIN_OK;
    p.elapsed_ms = (now - l->begin_ns) / 1000000;
    if (w->deadline_ms && p.elapsed_ms > w->deadline_ms)
        return error_set(err, BASIN_TIMEOUT, "not finished within %u ms", w->deadline_ms);
    if (w->progress == NULL ||
        now - l->tick_ns < (w->interval_ms ? w->interval_ms : 200) * UINT64_C(1000000))
        return BASIN_OK;
    l->tick_ns = now;
    if (w->progress(w->ctx, &p) != 0)
        return error_set(err, BASIN_CANCELLED, "stopped by the progress callback");
    return BASIN_OK;
}

/* A large value goes to the load's own value stratum; the entry then refers to it. */
static basin_status
place_piece(struct lsm_load *l, const struct lsm_piece *p, struct entry *e, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct value_place place;

    TRY(lsm__reserve_allows(l->db, err));
    if (l->values == NULL)
        TRY(lsm__value_out_open(l->db, &l->values, err));
    place.id = l->values->id;
    TRY(value_writer_add(l->values->writer, p->piece, err));
    if (p->at + p->piece.size < p->value_size)
        goto out;
    TRY(value_writer_end(l->values->writer, &place.ref, err));
    buf_clear(&l->ref);
    TRY(error_mem(lsm__value_place_put(&l->ref, &place), err));
    e->kind = ENTRY_REF;
    e->value = buf_bytes(&l->ref);
out:
    return st;
}

static basin_status
collect_piece(struct lsm_load *l, const struct lsm_piece *p, struct entry *e, basin_error *err)
{
    basin_status st = BASIN_OK;

    e->value = p->piece;
    if (p->piece.size == p->value_size)
        goto out;
    if (p->at == 0)
        buf_clear(&l->pieces);
    TRY(error_mem(buf_add(&l->pieces, p->piece.data, p->piece.size), err));
    e->value = buf_bytes(&l->pieces);
out:
    return st;
}

static basin_status
spill(struct lsm_load *l, basin_error *err)
{
    basin_status st;
    struct icur *c = NULL;
    struct output *o = NULL;
    struct buf last;
    bool first = true;

    buf_init(&last, l->db->mem);
    if (l->spill_count == SPILLS_MAX)
        FAIL(err, BASIN_LIMIT, "more than %d sorted pieces: raise mem_limit", SPILLS_MAX);
    TRY(open_output(l, &o, err));
    TRY(memtable_cursor(l->table, l->db->mem, &c, err));
    for (st = c->ops->first(c, err); st == BASIN_OK && c->valid; st = c->ops->next(c, err)) {
        struct entry e = c->entry;
        if (!first && bytes_equal(buf_bytes(&last), e.key))
            continue; /* an older one */
        first = false;
        TRY(error_mem(buf_set(&last, e.key.data, e.key.size), err));
        e.seqno = 0;
        TRY(lsm__output_add(o, &e, err));
    }
    TRY(st);
    TRY(lsm__output_finish(o, err));
    l->spills[l->spill_count++] = o;
    o = NULL;
    memtable_unref(l->table);
    l->table = NULL;
out:
    if (c != NULL)
        c->ops->close(c);
    buf_release(&last);
    lsm__output_close(o, false);
    return st;
}

static basin_status
add_unsorted(struct lsm_load *l, struct entry *e, basin_error *err)
{
    basin_status st = BASIN_OK;

    if (l->table != NULL && memtable_used(l->table) >= l->db->o.memtable_size)
        TRY(spill(l, err));
    if (l->table == NULL)
        TRY(memtable_new(l->db->mem, NULL, &l->table, err));
    e->seqno = ++l->order;
    TRY(memtable_add(l->table, e, err));
out:
    return st;
}

static basin_status
add_sorted(struct lsm_load *l, struct entry *e, basin_error *err)
{
    basin_status st = BASIN_OK;

    if (l->has_last && bytes_compare(e->key, buf_bytes(&l->last_key)) <= 0) {
        st = error_set(err, BASIN_MISUSE, "pair %llu: its key is not above the one before",
                       (unsigned long long)l->pairs);
        error_hint(err, "sort the input, or load it as unsorted");
        goto out;
    }
    if (l->output == NULL)
        TRY(open_output(l, &l->output, err));
    TRY(error_mem(buf_set(&l->last_key, e->key.data, e->key.size), err));
    l->has_last = true;
    TRY(lsm__output_add(l->output, e, err));
out:
    return st;
}

basin_status
lsm_load_add(struct lsm_load *l, struct bytes key, struct bytes value, basin_error *err)
{
    return lsm_load_piece(l, &(struct lsm_piece){ key, value.size, 0, value }, err);
}

basin_status
lsm_load_piece(struct lsm_load *l, const struct lsm_piece *p, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct entry e = { p->key, BYTES_NULL, 0, ENTRY_PUT };

    if (l->failed != BASIN_OK)
        FAIL(err, l->failed, "the load has failed before");
    TRY(lsm__key_check(p->key, err));
    if (p->value_size >= l->db->o.value_threshold)
        TRY(place_piece(l, p, &e, err));
    else
        TRY(collect_piece(l, p, &e, err));
    if (p->at + p->piece.size < p->value_size)
        goto out;
    TRY(l->unsorted ? add_unsorted(l, &e, err) : add_sorted(l, &e, err));
    l->bytes += p->key.size + p->value_size;
    if (++l->pairs % TICK_EVERY == 0)
        TRY(tick(l, "load", err));
out:
    if (st != BASIN_OK)
        l->failed = st;
    return st;
}

/* ------------------------------------------------------------------ publishing */

static basin_status
merge_spills(struct lsm_load *l, basin_error *err)
{
    basin_status st = BASIN_OK;
    const basin_allocator *mem = l->db->mem;
    struct icur *subs[SPILLS_MAX], *all = NULL;
    struct lsm_run runs[SPILLS_MAX];
    struct buf last;
    size_t n = 0;
    bool first = true;

    buf_init(&last, mem);
    for (; n < l->spill_count; n++) { /* newest first */
        struct output *o = l->spills[l->spill_count - 1 - n];
        runs[n].count = lsm__output_strata(o, &runs[n].strata);
        TRY(lsm__run_icur(&runs[n], mem, &subs[n], err));
    }
    st = lsm__multi_icur(mem, subs, n, &all, err);
    n = 0;
    TRY(st);
    TRY(open_output(l, &l->output, err));
    for (st = all->ops->first(all, err); st == BASIN_OK && all->valid;
         st = all->ops->next(all, err)) {
        struct entry e = all->entry;
        if (!first && bytes_equal(buf_bytes(&last), e.key))
            continue;
        first = false;
        TRY(error_mem(buf_set(&last, e.key.data, e.key.size), err));
        e.seqno = 0;
        TRY(lsm__output_add(l->output, &e, err));
        if (++l->order % TICK_EVERY == 0)
            TRY(tick(l, "merge", err));
    }
out:
    while (n-- > 0)
        subs[n]->ops->close(subs[n]);
    if (all != NULL)
        all->ops->close(all);
    buf_release(&last);
    return st;
}

struct publish_work {
    struct lsm_load *load;
    struct edit *edit;
    uint64_t seqno;
};

/* On the leader: memtables are empty, the seqno is the next one. */
static basin_status
name_strata(struct lsm *db, void *ctx, basin_error *err)
{
    struct publish_work *w = ctx;
    struct lsm_stratum **strata;
    size_t n = lsm__output_strata(w->load->output, &strata);
    uint64_t run = lsm__next_run(db);

    (void)err;
    /* older data in memory would hide the run: nobody commits behind the flush */
    must(db->immutable_count == 0 && memtable_entries(db->active) == 0 &&
         memtable_range_count(db->active) == 0);
    w->seqno = db->last_seqno + 1;
    for (size_t i = 0; i < n; i++) {
        strata[i]->run = run;
        strata[i]->seqno_min = strata[i]->seqno_max = w->seqno;
        lsm__edit_add_stratum(w->edit, strata[i]);
    }
    lsm__edit_load(w->edit, w->seqno);
    return BASIN_OK;
}

static basin_status
publish(struct lsm_load *l, uint64_t *seqno, basin_error *err)
{
    basin_status st;
    struct lsm *db = l->db;
    struct edit edit;
    struct publish_work w = { l, &edit, 0 };
    struct request r = { .kind = REQUEST_EDIT, .edit = &edit };

    lsm__edit_init(&edit, db->mem);
    st = lsm_flush(db, err);
    if (st == BASIN_OK)
        st = lsm__call(db, name_strata, &w, err);
    if (st == BASIN_OK) {
        r.seqno_after = w.seqno;
        st = lsm__submit(db, &r, err);
    }
    *seqno = w.seqno;
    l->logged = edit.logged;
    lsm__edit_release(&edit);
    return st;
}

static basin_status
finish_values(struct lsm_load *l, basin_error *err)
{
    basin_status st = BASIN_OK;

    if (l->values == NULL)
        return BASIN_OK;
    TRY(lsm__value_out_finish(l->values, err));
    TRY(lsm__value_out_register(l->values, err));
out:
    return st;
}

static basin_status
load_commit(struct lsm_load *l, bool entered, uint64_t *seqno, basin_error *err)
{
    basin_status st = BASIN_OK;

    if (l->failed != BASIN_OK)
        FAIL(err, l->failed, "the load has failed before");
    if (l->unsorted) {
        if (l->table != NULL)
            TRY(spill(l, err));
        if (l->spill_count > 0)
            TRY(merge_spills(l, err));
    }
    *seqno = atomic_load_explicit(&l->db->visible, memory_order_acquire);
    if (l->output == NULL)
        goto out; /* no pairs: nothing to publish */
    TRY(lsm__output_finish(l->output, err));
    TRY(finish_values(l, err));
    if (!entered)
        TRY(lsm__writer_enter(l->db, NULL, false, UINT32_MAX, err));
    st = publish(l, seqno, err);
    if (!entered)
        lsm__writer_leave(l->db, false);
out:
    return st;
}

basin_status
lsm_load_commit(struct lsm_load *l, uint64_t *seqno, basin_error *err)
{
    basin_status st;
    struct lsm *db = l->db;
    bool early = db->o.no_threads; /* refused before anything is done, instead of waiting */

    *seqno = 0;
    if (early) {
        st = lsm__writer_enter(db, NULL, false, 0, err);
        if (st != BASIN_OK)
            return st;
    }
    st = load_commit(l, early, seqno, err);
    if (early)
        lsm__writer_leave(db, false);
    lsm__values_born(db, l->values, (struct place){ 0, 0 });
    load_free(l);
    return st;
}
