// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * E57, E66: listing names, and dropping all that are listed.
 *
 * The bounds of the scan are as narrow as the selection allows; the selection is then asked for
 * each name again, so that one rule decides. The cursor sees the transaction as of its opening, so
 * what is called for a name may drop it.
 */
#include "catalog/catalog_key.h"

static bool
starts_with(struct bytes s, struct bytes prefix)
{
    return s.size >= prefix.size &&
           (prefix.size == 0 || memcmp(s.data, prefix.data, prefix.size) == 0);
}

static bool
selected(const struct catalog_select *select, const struct catalog_name *name)
{
    struct bytes first = name->parts[0];

    if (select->model != 0 && select->model != name->model)
        return false;
    if (select->exact && !bytes_equal(first, select->lower))
        return false;
    if (select->has_lower && bytes_compare(first, select->lower) < 0)
        return false;
    if (select->has_upper && bytes_compare(first, select->upper) >= 0)
        return false;
    return starts_with(first, select->prefix);
}

/* The scan's bounds: all names, those of a model, or those whose first part begins right. */
static basin_status
bounds_of(const struct catalog_select *select, struct buf *lower, struct buf *upper,
          basin_error *err)
{
    bool unbounded = false;
    basin_status st;

    TRY(catalog_key(lower, 0, select->model != 0 ? (int)select->model : 1));
    if (select->model == 0) {
        TRY(catalog_key(upper, 1, -1));
        goto out;
    }
    if (select->exact)
        TRY(tuple_put_str(lower, select->lower));
    else
        TRY(tuple_put_str_prefix(lower, select->prefix));
    TRY(tuple_prefix_end(buf_bytes(lower), upper, &unbounded));
    must(!unbounded); /* it begins with 00 and a model below FF */
    if (select->has_lower && bytes_compare(select->lower, select->prefix) > 0 && !select->exact) {
        buf_clear(lower);
        TRY(catalog_key(lower, 0, (int)select->model));
        TRY(tuple_put_str(lower, select->lower));
    }
out:
    return catalog__built(st, err);
}

/* Calls fn for each selected name with the raw key of its record. */
typedef basin_status record_fn(void *ctx, const struct catalog_name *name, uint64_t space,
                               struct bytes key, basin_error *err);

/* END when the selection's upper end is passed. */
static basin_status
visit(struct lsm_cursor *c, const struct catalog_select *select, struct buf *room, record_fn *fn,
      void *ctx, basin_error *err)
{
    struct catalog_name name;
    struct bytes key = lsm_cursor_key(c), value;
    uint64_t space;
    basin_status st;

    TRY(lsm_cursor_value(c, &value, err));
    TRY(catalog_record_decode(key, value, room, &name, &space, err));
    if (select->model != 0 && select->has_upper && bytes_compare(name.parts[0], select->upper) >= 0)
        return BASIN_END;
    if (selected(select, &name))
        TRY(fn(ctx, &name, space, key, err));
out:
    return st;
}

static basin_status
each_record(struct lsm_txn *txn, const struct catalog_select *select, record_fn *fn, void *ctx,
            basin_error *err)
{
    const basin_allocator *mem = lsm_allocator(lsm_txn_db(txn));
    struct lsm_range range = { .has_lower = true, .has_upper = true, .upper_excluded = true };
    struct lsm_cursor *c = NULL;
    struct buf lower, upper, room;
    basin_status st;

    buf_init(&lower, mem);
    buf_init(&upper, mem);
    buf_init(&room, mem);
    TRY(bounds_of(select, &lower, &upper, err));
    range.lower = buf_bytes(&lower);
    range.upper = buf_bytes(&upper);
    if (bytes_compare(range.lower, range.upper) >= 0)
        goto out;
    TRY(lsm_cursor_open(txn, &range, &c, err));
    for (st = lsm_cursor_first(c, err); st == BASIN_OK; st = lsm_cursor_next(c, err)) {
        st = visit(c, select, &room, fn, ctx, err);
        if (st != BASIN_OK)
            break;
    }
    if (st == BASIN_END)
        st = BASIN_OK;
out:
    lsm_cursor_close(c);
    buf_release(&lower);
    buf_release(&upper);
    buf_release(&room);
    return st;
}

struct list {
    catalog_space_fn *fn;
    void *ctx;
};

static basin_status
list_record(void *ctx, const struct catalog_name *name, uint64_t space, struct bytes key,
            basin_error *err)
{
    struct list *l = ctx;

    (void)key;
    return l->fn(l->ctx, name, space, err);
}

basin_status
catalog_space_list(struct lsm_txn *txn, const struct catalog_select *select, catalog_space_fn *fn,
                   void *ctx, basin_error *err)
{
    struct list l = { fn, ctx };

    return each_record(txn, select, list_record, &l, err);
}

struct drop {
    struct lsm_txn *txn;
    struct buf scratch;
    uint64_t count;
};

static basin_status
drop_record(void *ctx, const struct catalog_name *name, uint64_t space, struct bytes key,
            basin_error *err)
{
    struct drop *d = ctx;
    basin_status st;

    (void)name;
    TRY(catalog__drop(d->txn, key, space, &d->scratch, err));
    d->count++;
out:
    return st;
}

basin_status
catalog_space_drop_all(struct lsm_txn *txn, const struct catalog_select *select, uint64_t *dropped,
                       basin_error *err)
{
    struct drop d = { .txn = txn };
    basin_status st;

    buf_init(&d.scratch, lsm_allocator(lsm_txn_db(txn)));
    st = each_record(txn, select, drop_record, &d, err);
    buf_release(&d.scratch);
    if (dropped != NULL)
        *dropped = d.count;
    return st;
}
