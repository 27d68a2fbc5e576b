// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Repair and salvage. Both open the database from what is left of it (rebuild.c). Salvage reads
 * every pair and passes over damaged pages; repair writes them into a new database, or in place
 * rewrites the damaged strata without what is lost and makes a new checkpoint. The originals are
 * touched in place only.
 */
#include "lsm/rebuild.h"

static basin_status
open_rebuilt(const char *path, const struct lsm_options *open, struct rebuild *b,
             struct lsm **out, basin_error *err)
{
    struct lsm_options o = *open;

    o.rebuild = b;
    o.must_exist = true;
    o.must_create = false;
    return lsm_open(path, &o, out, err);
}

static basin_status
open_source(const char *path, const struct lsm_options *open, struct rebuild *b,
            struct lsm **out, basin_error *err)
{
    struct lsm_options o = *open;

    o.read_only = true;
    o.untouched = true;
    return open_rebuilt(path, &o, b, out, err);
}

/* Closes; the first failure is the one that counts. */
static basin_status
close_after(struct lsm *db, basin_status st, basin_error *err)
{
    if (db == NULL)
        return st;
    if (st == BASIN_OK)
        return lsm_close(db, err);
    (void)!lsm_close(db, NULL);
    return st;
}

/* ------------------------------------------------------------------ every pair */

static bool
is_lost(basin_status st)
{
    return st == BASIN_CORRUPT || st == BASIN_IO || st == BASIN_UNKNOWN_OPERATOR;
}

static basin_status
tick(const struct lsm_check_options *options, uint64_t pairs, basin_error *err)
{
    const basin_watch *w = options != NULL ? options->watch : NULL;
    basin_progress p = { .stage = "salvage", .unit = "pairs", .done = pairs,
                         .eta_ms = UINT64_MAX };

    if (w != NULL && w->progress != NULL && pairs % 4096 == 0 && w->progress(w->ctx, &p) != 0)
        return error_set(err, BASIN_CANCELLED, "stopped by the progress callback");
    return BASIN_OK;
}

struct pairs {
    struct lsm *db;
    struct lsm_cursor *cursor;
    lsm_piece_fn *fn;
    void *ctx;
    struct buf room; /* LSM_PIECE_SIZE, once a large value was met */
};

/* Through a large value in pieces; fn NULL: only whether it can be read. */
static basin_status
walk_pieces(struct pairs *p, uint64_t size, lsm_piece_fn *fn, basin_error *err)
{
    basin_status st = BASIN_OK;
    size_t got = 0;

    for (uint64_t at = 0; at < size; at += got) {
        TRY(lsm_cursor_read(p->cursor, at, p->room.data, LSM_PIECE_SIZE, &got, err));
        if (got == 0)
            FAIL(err, BASIN_CORRUPT, "a value ends at byte %llu of %llu", (unsigned long long)at,
                 (unsigned long long)size);
        if (fn != NULL)
            TRY(fn(p->ctx,
                   &(struct lsm_piece){ lsm_cursor_key(p->cursor), size, at,
                                        bytes_of(p->room.data, got) },
                   err));
    }
out:
    return st;
}

/* Nothing of a value is given before all of it was read. */
static basin_status
read_value(struct pairs *p, struct lsm_piece *whole, basin_error *err)
{
    basin_status st;

    TRY(lsm_cursor_value_size(p->cursor, &whole->value_size, err));
    if (whole->value_size <= LSM_PIECE_SIZE) {
        TRY(lsm_cursor_value(p->cursor, &whole->piece, err));
        goto out;
    }
    TRY(error_mem(buf_reserve(&p->room, LSM_PIECE_SIZE), err));
    TRY(walk_pieces(p, whole->value_size, NULL, err));
out:
    return st;
}

static basin_status
give_pair(struct pairs *p, basin_error *err)
{
    basin_error fault = { 0 };
    struct lsm_piece whole = { .key = lsm_cursor_key(p->cursor) };
    basin_status st = read_value(p, &whole, &fault);

    if (is_lost(st)) {
        lsm__rebuild_fault(p->db->rebuild, "value", &fault, &whole.key, &whole.key);
        return BASIN_OK;
    }
    if (st != BASIN_OK && err != NULL)
        *err = fault;
    if (st != BASIN_OK)
        return st;
    return whole.value_size <= LSM_PIECE_SIZE ? p->fn(p->ctx, &whole, err)
                                              : walk_pieces(p, whole.value_size, p->fn, err);
}

static basin_status
each_pair(struct lsm *db, lsm_piece_fn *fn, void *ctx, basin_error *err)
{
    basin_status st, end;
    struct lsm_begin how = { .mode = LSM_READ };
    struct lsm_txn *txn = NULL;
    struct pairs p = { .db = db, .fn = fn, .ctx = ctx };
    uint64_t count = 0;

    buf_init(&p.room, db->mem);
    TRY(lsm_begin(db, &how, &txn, err));
    TRY(lsm_cursor_open(txn, NULL, &p.cursor, err));
    for (end = lsm_cursor_first(p.cursor, err); end == BASIN_OK;
         end = lsm_cursor_next(p.cursor, err)) {
        TRY(tick(db->rebuild->options, count++, err));
        TRY(give_pair(&p, err));
    }
    st = end == BASIN_END ? BASIN_OK : end;
out:
    lsm_cursor_close(p.cursor);
    lsm_abort(txn);
    buf_release(&p.room);
    return st;
}

basin_status
lsm_salvage(const char *path, const struct lsm_options *open,
            const struct lsm_check_options *options, lsm_piece_fn *fn, void *ctx,
            basin_error *err)
{
    basin_status st;
    struct rebuild b = { .options = options };
    struct lsm *db = NULL;

    TRY(open_source(path, open, &b, &db, err));
    TRY(each_pair(db, fn, ctx, err));
out:
    return close_after(db, st, err);
}

/* ------------------------------------------------------------------ into a new database */

static basin_status
load_pair(void *ctx, const struct lsm_piece *p, basin_error *err)
{
    return lsm_load_piece(ctx, p, err);
}

static basin_status
repair_to(const char *path, const char *to, const struct lsm_options *open,
          const struct lsm_check_options *options, basin_error *err)
{
    basin_status st;
    struct rebuild b = { .options = options };
    struct lsm_options o = *open;
    struct lsm_load_options how = { .unsorted = false };
    struct lsm *from = NULL, *db = NULL;
    struct lsm_load *load = NULL;
    uint64_t seqno;

    o.read_only = o.must_exist = false;
    o.must_create = true;
    TRY(open_source(path, open, &b, &from, err)); /* first: nothing is made for a wrong path */
    o.page_size = from->o.page_size;
    o.level_factor = from->o.level_factor;
    if (o.stored_codec) {
        o.codec = from->o.codec;
        o.codec_level = from->o.codec_level;
    }
    TRY(lsm_open(to, &o, &db, err));
    TRY(lsm_load_open(db, &how, &load, err));
    TRY(each_pair(from, load_pair, load, err));
    st = lsm_load_commit(load, &seqno, err);
    load = NULL;
out:
    lsm_load_abort(load);
    st = close_after(db, st, err);
    return close_after(from, st, err);
}

/* ------------------------------------------------------------------ in place */

/* Names of value strata. */
struct names {
    struct object_id *ids;
    size_t count, capacity;
};

struct bad_values {
    struct lsm *db;
    struct names seen;
    struct names bad; /* do not verify */
};

static basin_status
add_name(const basin_allocator *mem, struct names *l, struct object_id id, basin_error *err)
{
    struct object_id *more;

    if (l->count == l->capacity) {
        size_t n = l->capacity + 64;
        more = mem->resize(mem->ctx, l->ids, l->capacity * sizeof(*more), n * sizeof(*more));
        if (more == NULL)
            return error_set(err, BASIN_NO_MEM, "no memory for %zu names", n);
        l->ids = more;
        l->capacity = n;
    }
    l->ids[l->count++] = id;
    return BASIN_OK;
}

static basin_status
look_at_values(struct bad_values *b, struct object_id id, basin_error *err)
{
    basin_status st;
    basin_error fault = { 0 };
    struct value_stratum *v = NULL;

    if (lsm__object_among(id, b->seen.ids, b->seen.count))
        return BASIN_OK;
    TRY(add_name(b->db->mem, &b->seen, id, err));
    st = lsm__value_stratum_open(b->db, id, &v, &fault);
    if (st == BASIN_OK)
        st = value_verify(v, &fault);
    value_close(v);
    if (is_lost(st))
        st = add_name(b->db->mem, &b->bad, id, err);
    else if (st != BASIN_OK && err != NULL)
        *err = fault;
out:
    return st;
}

/* A value that cannot be read: its key gets a tombstone, as older values are not the right ones. */
static basin_status
drop_lost_value(const struct bad_values *b, struct entry *e, basin_error *err)
{
    basin_status st;
    basin_error fault = { 0 };
    struct value_place p;
    struct arena room;
    struct bytes value;

    TRY(lsm__value_place_get(e->value, &p, err));
    if (!lsm__object_among(p.id, b->bad.ids, b->bad.count))
        goto out;
    arena_init(&room, b->db->mem, 4096);
    st = lsm__value_load(b->db, e->value, &room, &value, &fault);
    arena_release(&room);
    if (is_lost(st)) {
        lsm__rebuild_fault(b->db->rebuild, "value", &fault, &e->key, &e->key);
        e->kind = ENTRY_DELETE;
        e->value = BYTES_NULL;
        st = BASIN_OK;
    } else if (st != BASIN_OK && err != NULL) {
        *err = fault;
    }
out:
    return st;
}

static basin_status
copy_entries(struct lsm_stratum *ls, const struct bad_values *b, struct output *o,
             basin_error *err)
{
    basin_status st;
    struct lsm_run run = { ls->level, ls->run, 1, &ls };
    struct icur *c = NULL;

    TRY(lsm__run_icur(&run, b->db->mem, &c, err));
    for (st = c->ops->first(c, err); st == BASIN_OK && c->valid; st = c->ops->next(c, err)) {
        struct entry e = c->entry;
        if (e.kind == ENTRY_REF)
            TRY(drop_lost_value(b, &e, err));
        TRY(lsm__output_add(o, &e, err));
        if (ls->stacked)
            lsm__output_stacked(o);
    }
out:
    if (c != NULL)
        c->ops->close(c);
    return st;
}

/* Copies what can be read of one stratum, every version, into strata at its place. Values in
 * damaged value strata are copied out of them. */
static basin_status
rewrite_readable(struct lsm_stratum *ls, const struct bad_values *b, basin_error *err)
{
    basin_status st;
    struct lsm *db = b->db;
    struct output *o = NULL;
    struct edit edit;
    struct lsm_stratum **strata;
    struct stratum *s;
    struct output_options options = { .db = db, .level = ls->level, .run = ls->run,
                                      .size_max = db->o.stratum_size, .consumed = &ls,
                                      .consumed_count = 1, .stale = b->bad.ids,
                                      .stale_count = b->bad.count };

    lsm__edit_init(&edit, db->mem);
    TRY(lsm__stratum_use(ls, &s, err));
    options.ranges = stratum_ranges(s, &options.range_count);
    TRY(lsm__output_open(&options, &o, err));
    TRY(copy_entries(ls, b, o, err));
    TRY(lsm__output_finish(o, err));
    lsm__edit_remove_stratum(&edit, ls->id);
    for (size_t i = 0, n = lsm__output_strata(o, &strata); i < n; i++)
        lsm__edit_add_stratum(&edit, strata[i]);
    TRY(lsm__publish(db, &edit, NULL, NULL, err));
    lsm__output_close(o, true);
    o = NULL;
out:
    lsm__output_close(o, false);
    lsm__edit_release(&edit);
    return st;
}

static bool
uses_any(const struct lsm_stratum *ls, const struct bad_values *b)
{
    for (size_t i = 0; i < ls->use_count; i++)
        if (lsm__object_among(ls->uses[i].id, b->bad.ids, b->bad.count))
            return true;
    return false;
}

/* A stratum or value stratum is damaged when verifying it says so. */
static basin_status
repair_strata(struct lsm *db, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct version *v = lsm__version_get(db);
    struct bad_values b = { .db = db };
    struct stratum *s;

    for (size_t i = 0; i < v->stratum_count; i++)
        for (size_t k = 0; k < v->strata[i]->use_count; k++)
            TRY(look_at_values(&b, v->strata[i]->uses[k].id, err));
    for (size_t i = 0; i < v->stratum_count; i++) {
        basin_status damage;
        TRY(lsm__stratum_use(v->strata[i], &s, err));
        damage = stratum_verify(s, NULL, NULL, NULL);
        if (is_lost(damage) || uses_any(v->strata[i], &b))
            TRY(rewrite_readable(v->strata[i], &b, err));
    }
out:
    mem_free(db->mem, b.seen.ids, b.seen.capacity * sizeof(*b.seen.ids));
    mem_free(db->mem, b.bad.ids, b.bad.capacity * sizeof(*b.bad.ids));
    lsm__version_unref(v);
    return st;
}

/* Log with a gap would look whole to a consumer of the change feed that holds it: it has to begin
 * anew. Oldest first, so that what is left by a crash has no gap. */
static basin_status
drop_broken_log(struct lsm *db, basin_error *err)
{
    basin_status st;
    uint64_t *logs = NULL;
    size_t count = 0, capacity = 0;

    TRY(lsm__log_list(db, &logs, &count, &capacity, err));
    for (size_t i = 0; i < count && logs[i] < db->first_epoch; i++)
        lsm__log_remove(db, logs[i]);
out:
    mem_free(db->mem, logs, capacity * sizeof(*logs));
    return st;
}

static basin_status
repair_in_place(const char *path, const struct lsm_options *open,
                const struct lsm_check_options *options, basin_error *err)
{
    basin_status st;
    struct rebuild b = { .options = options };
    struct lsm_options o = *open;
    struct lsm *db = NULL;

    o.read_only = false;
    o.no_threads = true; /* nothing merges while strata are looked at */
    TRY(open_rebuilt(path, &o, &b, &db, err));
    TRY(lsm_flush(db, err));
    TRY(repair_strata(db, err));
    TRY(lsm__checkpoint(db, err));
    if (b.log_lost)
        TRY(drop_broken_log(db, err));
out:
    return close_after(db, st, err);
}

basin_status
lsm_repair(const char *path, const char *to, const struct lsm_options *open,
           const struct lsm_check_options *options, basin_error *err)
{
    return to != NULL ? repair_to(path, to, open, options, err)
                      : repair_in_place(path, open, options, err);
}
