// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Repair and salvage. Both open the database from its strata and logs instead of its checkpoint
 * (rebuild.c). Salvage reads every pair and passes over damaged pages; repair writes them into a
 * new database, or in place writes a new checkpoint and rewrites the damaged strata without their
 * lost pages. The originals are touched in place only.
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
each_pair(struct lsm *db, lsm_pair_fn *fn, void *ctx, basin_error *err)
{
    basin_status st, end;
    struct lsm_begin how = { .mode = LSM_READ };
    struct lsm_txn *txn = NULL;
    struct lsm_cursor *c = NULL;
    struct bytes value;

    TRY(lsm_begin(db, &how, &txn, err));
    TRY(lsm_cursor_open(txn, NULL, &c, err));
    for (end = lsm_cursor_first(c, err); end == BASIN_OK; end = lsm_cursor_next(c, err)) {
        basin_error fault = { 0 };
        st = lsm_cursor_value(c, &value, &fault);
        if (st == BASIN_CORRUPT || st == BASIN_UNKNOWN_OPERATOR) {
            struct bytes key = lsm_cursor_key(c);
            lsm__rebuild_fault(db->rebuild, "value", &fault, &key, &key);
            continue;
        }
        if (st != BASIN_OK && err != NULL)
            *err = fault;
        TRY(st);
        TRY(fn(ctx, lsm_cursor_key(c), value, err));
    }
    st = end == BASIN_END ? BASIN_OK : end;
out:
    lsm_cursor_close(c);
    lsm_abort(txn);
    return st;
}

static basin_status
open_source(const char *path, const struct lsm_options *open, struct rebuild *b,
            struct lsm **out, basin_error *err)
{
    struct lsm_options o = *open;

    o.read_only = true;
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

basin_status
lsm_salvage(const char *path, const struct lsm_options *open,
            const struct lsm_check_options *options, lsm_pair_fn *fn, void *ctx,
            basin_error *err)
{
    basin_status st;
    struct rebuild b = { options, 0 };
    struct lsm *db = NULL;

    TRY(open_source(path, open, &b, &db, err));
    TRY(each_pair(db, fn, ctx, err));
out:
    return close_after(db, st, err);
}

/* ------------------------------------------------------------------ into a new database */

static basin_status
load_pair(void *ctx, struct bytes key, struct bytes value, basin_error *err)
{
    return lsm_load_add(ctx, key, value, err);
}

static basin_status
repair_to(const char *path, const char *to, const struct lsm_options *open,
          const struct lsm_check_options *options, basin_error *err)
{
    basin_status st;
    struct rebuild b = { options, 0 };
    struct lsm_options o = *open;
    struct lsm_load_options how = { .unsorted = false, .watch = options->watch };
    struct lsm *from = NULL, *db = NULL;
    struct lsm_load *load = NULL;
    uint64_t seqno;

    o.read_only = o.must_exist = false;
    o.must_create = true;
    TRY(open_source(path, open, &b, &from, err)); /* first: nothing is made for a wrong path */
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

/* Copies what can be read of one stratum, every version, into strata at its place. */
static basin_status
rewrite_readable(struct lsm *db, struct lsm_stratum *ls, basin_error *err)
{
    basin_status st;
    struct lsm_run run = { ls->level, ls->run, 1, &ls };
    struct icur *c = NULL;
    struct output *o = NULL;
    struct edit edit;
    struct lsm_stratum **strata;
    struct stratum *s;
    size_t ranges;
    struct output_options options = { .db = db, .level = ls->level, .run = ls->run,
                                      .size_max = db->o.stratum_size, .consumed = &ls,
                                      .consumed_count = 1 };

    lsm__edit_init(&edit, db->mem);
    TRY(lsm__stratum_use(ls, &s, err));
    options.ranges = stratum_ranges(s, &ranges);
    options.range_count = ranges;
    TRY(lsm__output_open(&options, &o, err));
    TRY(lsm__run_icur(&run, db->mem, &c, err));
    for (st = c->ops->first(c, err); st == BASIN_OK && c->valid; st = c->ops->next(c, err))
        TRY(lsm__output_add(o, &c->entry, err));
    TRY(st);
    TRY(lsm__output_finish(o, err));
    lsm__edit_remove_stratum(&edit, ls->id);
    for (size_t i = 0, n = lsm__output_strata(o, &strata); i < n; i++)
        lsm__edit_add_stratum(&edit, strata[i]);
    TRY(lsm__publish(db, &edit, NULL, NULL, err));
    lsm__output_close(o, true);
    o = NULL;
out:
    if (c != NULL)
        c->ops->close(c);
    lsm__output_close(o, false);
    lsm__edit_release(&edit);
    return st;
}

/* A stratum is damaged when verifying it says so. */
static basin_status
repair_strata(struct lsm *db, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct version *v = lsm__version_get(db);
    struct stratum *s;

    for (size_t i = 0; i < v->stratum_count; i++) {
        TRY(lsm__stratum_use(v->strata[i], &s, err));
        if (stratum_verify(s, NULL, NULL, NULL) == BASIN_CORRUPT)
            TRY(rewrite_readable(db, v->strata[i], err));
    }
out:
    lsm__version_unref(v);
    return st;
}

static basin_status
repair_in_place(const char *path, const struct lsm_options *open,
                const struct lsm_check_options *options, basin_error *err)
{
    basin_status st;
    struct rebuild b = { options, 0 };
    struct lsm_options o = *open;
    struct lsm *db = NULL;

    o.read_only = false;
    o.no_threads = true; /* nothing merges while strata are looked at */
    TRY(open_rebuilt(path, &o, &b, &db, err));
    TRY(lsm_flush(db, err));
    TRY(repair_strata(db, err));
    TRY(lsm__checkpoint(db, err));
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
