// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Bulk load, change feed, compaction, check, repair and salvage: arguments and keyspaces.
 */
#include "api/api.h"

struct basin_load {
    basin_db *db;
    struct lsm_load *lsm;
    const basin_allocator *mem;
    basin_watch watch;
    uint64_t space;
    struct buf key;
    size_t head;
};

struct basin_feed {
    basin_db *db;
    struct lsm_feed *lsm;
    const basin_allocator *mem;
};

/* ------------------------------------------------------------------ bulk load */

/* The keyspace must be there before the load: it is made in a transaction of its own. */
static basin_status
load_space(basin_db *db, basin_space space, uint64_t *id, basin_error *err)
{
    basin_status st;
    basin_txn *txn;

    do {
        TRY(basin_begin_mode(db, BASIN_WRITE, &txn, err));
        st = api_space(txn, space, true, id, err);
        if (st != BASIN_OK)
            basin_abort(txn);
        else
            st = api_commit_one(txn, BASIN_DURABLE, err);
    } while (st == BASIN_CONFLICT);
out:
    return st;
}

basin_status
basin_load_open(basin_db *db, basin_space space, const basin_load_options *options,
                basin_load **out, basin_error *err)
{
    basin_status st;
    basin_load_options o = BASIN_LOAD_INIT;
    struct lsm_load_options lsm = { 0 };
    uint64_t id;
    basin_load *l = NULL;

    *out = NULL;
    TRY(api_enter(db, err));
    if (options != NULL)
        memcpy(&o, options, MIN_OF(options->struct_size, sizeof(o)));
    TRY(load_space(db, space, &id, err));
    l = mem_new(db->mem, sizeof(*l));
    if (l == NULL)
        FAIL(err, BASIN_NO_MEM, "no memory for a load");
    l->db = db;
    l->mem = db->mem;
    l->space = id;
    l->watch = o.watch;
    buf_init(&l->key, db->mem);
    if (buf_reserve(&l->key, TUPLE_VARINT_MAX) != BASIN_OK)
        FAIL(err, BASIN_NO_MEM, "no memory for a load");
    l->head = tuple_varint_put(l->key.data, id);
    lsm.unsorted = o.unsorted;
    lsm.watch = &l->watch;
    TRY(lsm_load_open(db->lsm, &lsm, &l->lsm, err));
    *out = l;
    l = NULL;
out:
    basin_load_abort(l);
    return st;
}

basin_status
basin_load_add(basin_load *l, basin_bytes key, basin_bytes value, basin_error *err)
{
    basin_status st;

    TRY(api_check_key(key, err));
    l->key.size = l->head;
    TRY(error_mem(buf_add(&l->key, key.data, key.size), err));
    TRY(lsm_load_add(l->lsm, buf_bytes(&l->key), api_bytes(value), err));
out:
    return st;
}

static void
load_free(basin_load *l)
{
    buf_release(&l->key);
    mem_free(l->mem, l, sizeof(*l));
}

/* A keyspace that was dropped since takes no load. */
static basin_status
still_there(basin_load *l, basin_error *err)
{
    basin_status st;
    basin_txn *txn = NULL;

    TRY(basin_begin_mode(l->db, BASIN_READ, &txn, err));
    TRY(catalog_space_check(txn->lsm, l->space, err));
out:
    basin_abort(txn);
    return st;
}

basin_status
basin_load_commit(basin_load *l, uint64_t *seqno, basin_error *err)
{
    uint64_t ignored;
    basin_status st;

    st = api_enter(l->db, err);
    if (st != BASIN_OK)
        return st;
    st = still_there(l, err);
    if (st != BASIN_OK)
        lsm_load_abort(l->lsm);
    else
        st = lsm_load_commit(l->lsm, seqno ? seqno : &ignored, err);
    if (st != BASIN_BUSY)
        load_free(l);
    return st;
}

void
basin_load_abort(basin_load *l)
{
    if (l == NULL)
        return;
    lsm_load_abort(l->lsm);
    load_free(l);
}

/* ------------------------------------------------------------------ change feed */

basin_status
basin_feed_open(basin_db *db, uint64_t since, basin_feed **out, basin_error *err)
{
    basin_status st;
    basin_feed *f;

    *out = NULL;
    TRY(api_enter(db, err));
    f = mem_new(db->mem, sizeof(*f));
    if (f == NULL)
        return error_set(err, BASIN_NO_MEM, "no memory for a feed");
    f->db = db;
    f->mem = db->mem;
    st = lsm_feed_open(db->lsm, since, &f->lsm, err);
    if (st != BASIN_OK)
        mem_free(db->mem, f, sizeof(*f));
    else
        *out = f;
out:
    return st;
}

static basin_status
translate(const struct lsm_change *c, basin_change *out, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct bytes key, end;
    uint64_t end_space;

    *out = (basin_change){ .kind = (basin_change_kind)c->kind, .seqno = c->seqno,
                           .commit_seqno = c->commit_seqno, .value_size = c->value_size,
                           .last_in_commit = c->last_in_commit };
    if (c->kind == LSM_CHANGE_LOAD || c->kind == LSM_CHANGE_SPILL)
        goto out;
    TRY(api_split(c->key, &out->space, &key));
    out->key = api_out(key);
    if (c->kind == LSM_CHANGE_DELETE_RANGE) {
        if (!c->unbounded && api_split(c->value, &end_space, &end) == BASIN_OK &&
            end_space == out->space)
            out->value = api_out(end);
        out->value_size = out->value.size;
    } else if (!c->out_of_line) {
        out->value = api_out(c->value);
    }
out:
    if (st != BASIN_OK)
        (void)error_set(err, st, "change %llu: a key without keyspace",
                        (unsigned long long)c->seqno);
    return st;
}

/* The default keyspace's number is not the user's. */
static basin_status
hide_default(basin_feed *f, basin_change *change, basin_error *err)
{
    basin_status st = BASIN_OK;
    basin_txn *txn;
    uint64_t id = atomic_load_explicit(&f->db->default_space, memory_order_acquire);

    if (id == 0 && change->space != 0) {
        TRY(basin_begin_mode(f->db, BASIN_READ, &txn, err));
        st = api_space(txn, BASIN_SPACE_DEFAULT, false, &id, err);
        basin_abort(txn);
        if (st == BASIN_NOT_FOUND)
            return BASIN_OK;
    }
    if (change->space == id)
        change->space = BASIN_SPACE_DEFAULT;
out:
    return st;
}

/* Changes of the catalog are not the user's; a commit of nothing else ends silently. */
basin_status
basin_feed_next(basin_feed *f, basin_change *change, basin_error *err)
{
    basin_status st;
    struct lsm_change c;

    TRY(api_enter(f->db, err));
    do {
        TRY(lsm_feed_next(f->lsm, &c, err));
        TRY(translate(&c, change, err));
    } while (change->space == 0 && change->kind != BASIN_CHANGE_LOAD &&
             change->kind != BASIN_CHANGE_SPILL);
    TRY(hide_default(f, change, err));
out:
    return st;
}

void
basin_feed_close(basin_feed *f)
{
    if (f == NULL)
        return;
    lsm_feed_close(f->lsm);
    mem_free(f->mem, f, sizeof(*f));
}

basin_status
basin_feed_hold(basin_db *db, const char *consumer, uint64_t seqno, uint64_t bytes_max,
                basin_error *err)
{
    basin_status st = api_enter(db, err);

    return st != BASIN_OK ? st : lsm_feed_hold(db->lsm, consumer, seqno, bytes_max, err);
}

/* ------------------------------------------------------------------ care */

basin_status
basin_compact(basin_db *db, const basin_watch *watch, basin_error *err)
{
    basin_status st = api_enter(db, err);

    return st != BASIN_OK ? st : lsm_compact(db->lsm, watch, err);
}

struct fault_work {
    basin_fault_fn *fn;
    void *ctx;
};

static void
fault_one(void *ctx, const struct lsm_fault *f)
{
    struct fault_work *w = ctx;
    basin_fault fault = { f->object,           f->what,           f->status,
                          api_out(f->lost_from), api_out(f->lost_to), f->has_range };

    if (w->fn != NULL)
        w->fn(w->ctx, &fault);
}

struct care {
    struct fault_work faults;
    struct lsm_options open;
    struct lsm_check_options check;
    basin_check_options o;
    struct api_operator *keep;
    struct lsm_operator *operators;
    size_t operator_count;
    const basin_allocator *mem;
};

static basin_status
care_begin(struct care *c, const basin_options *open, const basin_check_options *options,
           basin_error *err)
{
    basin_options o = api_options(open);

    error_clear(err);
    *c = (struct care){ .o = BASIN_CHECK_INIT };
    if (options != NULL)
        memcpy(&c->o, options, MIN_OF(options->struct_size, sizeof(c->o)));
    c->mem = o.allocator ? o.allocator : &base_malloc;
    c->faults = (struct fault_work){ c->o.fault, c->o.ctx };
    c->check = (struct lsm_check_options){ c->o.deep, fault_one, &c->faults, &c->o.watch };
    api_lsm_options(&o, &c->open);
    c->operator_count = o.operator_count;
    basin_status st = api_operators(&o, c->mem, NULL, &c->keep, &c->operators, err);
    c->open.operators = c->operators;
    c->open.operator_count = o.operator_count;
    return st;
}

static void
care_end(struct care *c)
{
    api_operators_free(c->mem, c->keep, c->operator_count, c->operators);
}

basin_status
basin_check(const char *path, const basin_options *open, const basin_check_options *options,
            basin_error *err)
{
    basin_status st;
    struct care c;

    TRY(care_begin(&c, open, options, err));
    st = lsm_check(path, &c.open, &c.check, err);
    care_end(&c);
out:
    return st;
}

basin_status
basin_repair(const char *path, const char *to, const basin_options *open,
             const basin_check_options *options, basin_error *err)
{
    basin_status st;
    struct care c;

    TRY(care_begin(&c, open, options, err));
    st = lsm_repair(path, to, &c.open, &c.check, err);
    care_end(&c);
out:
    return st;
}

/* ------------------------------------------------------------------ salvage */

struct salvage_name {
    uint64_t space;
    char text[BASIN_NAME_MAX + 1];
    struct salvage_name *next;
};

struct salvage_work {
    basin_piece_fn *fn;
    void *ctx;
    struct arena arena;
    struct buf room;
    struct salvage_name *names;
};

/* The catalog's pairs come first: space 0 sorts before all others. */
static basin_status
note_name(struct salvage_work *w, struct bytes key, struct bytes value, basin_error *err)
{
    struct catalog_name name;
    uint64_t space;
    struct salvage_name *n;

    if (catalog_record_decode(key, value, &w->room, &name, &space, NULL) != BASIN_OK ||
        name.model != CATALOG_KEYS || name.parts[0].size > BASIN_NAME_MAX)
        return BASIN_OK;
    n = arena_alloc(&w->arena, sizeof(*n));
    if (n == NULL)
        return error_set(err, BASIN_NO_MEM, "no memory for a keyspace's name");
    n->space = space;
    memcpy(n->text, name.parts[0].data, name.parts[0].size);
    n->text[name.parts[0].size] = 0;
    n->next = w->names;
    w->names = n;
    return BASIN_OK;
}

static basin_status
salvage_one(void *ctx, const struct lsm_piece *p, basin_error *err)
{
    struct salvage_work *w = ctx;
    basin_piece out;
    uint64_t space;
    struct bytes rest;
    const struct salvage_name *n;

    if (api_split(p->key, &space, &rest) != BASIN_OK)
        return BASIN_OK; /* not a key that this library writes */
    if (space == 0)
        return p->piece.size == p->value_size ? note_name(w, p->key, p->piece, err) : BASIN_OK;
    for (n = w->names; n != NULL && n->space != space;)
        n = n->next;
    if (n != NULL && strcmp(n->text, API_DEFAULT_NAME) == 0)
        space = BASIN_SPACE_DEFAULT;
    out = (basin_piece){ space,         n ? n->text : "", api_out(rest),
                         p->value_size, p->at,            api_out(p->piece) };
    return w->fn(w->ctx, &out);
}

basin_status
basin_salvage(const char *path, const basin_options *open, const basin_check_options *options,
              basin_piece_fn *fn, void *ctx, basin_error *err)
{
    basin_status st;
    struct care c;
    struct salvage_work w = { .fn = fn, .ctx = ctx };

    TRY(care_begin(&c, open, options, err));
    arena_init(&w.arena, c.mem, 1024);
    buf_init(&w.room, c.mem);
    st = lsm_salvage(path, &c.open, &c.check, salvage_one, &w, err);
    arena_release(&w.arena);
    buf_release(&w.room);
    care_end(&c);
out:
    return st;
}
