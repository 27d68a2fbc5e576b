// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Keyspaces by name, pins, figures: thin over catalog and lsm.
 */
#include "api/api.h"

static basin_status
space_name(const char *name, struct catalog_name *out, basin_error *err)
{
    size_t size = name ? strlen(name) : 0;

    if (size == 0 || size > BASIN_NAME_MAX)
        return error_set(err, BASIN_LIMIT, "a keyspace's name has 1 to %d bytes, not %zu",
                         BASIN_NAME_MAX, size);
    *out = (struct catalog_name){ .model = CATALOG_KEYS, .part_count = 1 };
    out->parts[0] = bytes_of(name, size);
    return BASIN_OK;
}

basin_status
basin_space_open(basin_txn *txn, const char *name, bool create, basin_space *space,
                 basin_error *err)
{
    basin_status st;
    struct catalog_name n;

    *space = 0;
    TRY(api_enter_txn(txn, err));
    TRY(space_name(name, &n, err));
    st = create && txn->mode != BASIN_READ ? catalog_space_ensure(txn->lsm, &n, space, err)
                                           : catalog_space_find(txn->lsm, &n, space, err);
    if (st == BASIN_NOT_FOUND)
        (void)error_set(err, st, "no keyspace named '%s'", name);
out:
    return st;
}

/* The default keyspace keeps its number: it is emptied. */
basin_status
basin_space_drop(basin_txn *txn, const char *name, basin_error *err)
{
    basin_status st;
    struct catalog_name n;

    TRY(api_enter_txn(txn, err));
    TRY(space_name(name, &n, err));
    if (strcmp(name, API_DEFAULT_NAME) == 0)
        return basin_delete_range(txn, BASIN_SPACE_DEFAULT, (basin_bytes){ NULL, 0 }, NULL, err);
    memset(txn->checked, 0, sizeof(txn->checked));
    st = catalog_space_drop(txn->lsm, &n, err);
    if (st == BASIN_NOT_FOUND)
        (void)error_set(err, st, "no keyspace named '%s'", name);
out:
    return st;
}

struct list_work {
    basin_space_fn *fn;
    void *ctx;
};

static basin_status
list_one(void *ctx, const struct catalog_name *name, uint64_t space, basin_error *err)
{
    struct list_work *w = ctx;
    char text[BASIN_NAME_MAX + 1];

    (void)err;
    if (name->part_count != 1 || name->parts[0].size > BASIN_NAME_MAX)
        return BASIN_OK;
    memcpy(text, name->parts[0].data, name->parts[0].size);
    text[name->parts[0].size] = 0;
    if (strcmp(text, API_DEFAULT_NAME) == 0)
        return BASIN_OK;
    return w->fn(w->ctx, text, space) ? BASIN_END : BASIN_OK;
}

basin_status
basin_space_list(basin_txn *txn, basin_space_fn *fn, void *ctx, basin_error *err)
{
    struct list_work w = { fn, ctx };
    struct catalog_select select = { .model = CATALOG_KEYS };

    basin_status st = api_enter_txn(txn, err);

    return st != BASIN_OK ? st : catalog_space_list(txn->lsm, &select, list_one, &w, err);
}

/* ------------------------------------------------------------------ pins */

basin_status
basin_pin(basin_db *db, const char *name, const char *owner, uint64_t *seqno, basin_error *err)
{
    uint64_t ignored;
    basin_status st = api_enter(db, err);

    if (st != BASIN_OK)
        return st;
    if (name == NULL)
        return error_set(err, BASIN_MISUSE, "a pin needs a name");
    return lsm_pin(db->lsm, name, owner, seqno ? seqno : &ignored, err);
}

basin_status
basin_unpin(basin_db *db, const char *name, basin_error *err)
{
    basin_status st = api_enter(db, err);

    if (st != BASIN_OK)
        return st;
    if (name == NULL)
        return error_set(err, BASIN_MISUSE, "a pin needs a name");
    return lsm_unpin(db->lsm, name, err);
}

struct pin_work {
    basin_pin_fn *fn;
    void *ctx;
};

static int
pin_one(void *ctx, const struct lsm_pin_info *p)
{
    struct pin_work *w = ctx;
    basin_pin_info info = { p->name, p->owner, p->seqno, p->made_ms, p->held_bytes };

    return w->fn(w->ctx, &info);
}

basin_status
basin_pin_list(basin_db *db, basin_pin_fn *fn, void *ctx, basin_error *err)
{
    struct pin_work w = { fn, ctx };

    basin_status st = api_enter(db, err);

    return st != BASIN_OK ? st : lsm_pin_list(db->lsm, pin_one, &w, err);
}

/* ------------------------------------------------------------------ figures */

static void
copy_levels(const struct lsm_stats *from, basin_stats *to)
{
    for (size_t i = 0; i < BASIN_LEVEL_COUNT; i++)
        to->levels[i] = (basin_level_stat){ from->levels[i].runs, from->levels[i].strata,
                                            from->levels[i].bytes, from->levels[i].entries,
                                            from->levels[i].deletes };
}

static void
copy_counters(const struct lsm_stats *f, basin_stats *t)
{
    t->commits = f->commits;
    t->conflicts = f->conflicts;
    t->syncs = f->syncs;
    t->log_written = f->log_written;
    t->pages_read = f->pages_read;
    t->pages_written = f->pages_written;
    t->bytes_read = f->bytes_read;
    t->bytes_written = f->bytes_written;
    t->cache_hits = f->cache_hits;
    t->cache_misses = f->cache_misses;
    t->filter_checks = f->filter_checks;
    t->filter_rejects = f->filter_rejects;
    t->flushes = f->flushes;
    t->merges = f->merges;
    t->moves = f->moves;
    t->merge_bytes_in = f->merge_bytes_in;
    t->merge_bytes_out = f->merge_bytes_out;
    t->stalls = f->stalls;
    t->stall_us = f->stall_us;
    t->gets = f->gets;
    t->puts = f->puts;
    t->key_compares = f->key_compares;
}

basin_status
basin_stat(basin_db *db, basin_stats *out, basin_error *err)
{
    basin_status st;
    struct lsm_stats f;
    basin_stats t = BASIN_STATS_INIT;
    size_t size = out->struct_size;

    TRY(api_enter(db, err));
    TRY(lsm_stat(db->lsm, &f, err));
    t.seqno = f.seqno;
    t.epoch = f.epoch;
    t.log_bytes = f.log_bytes;
    t.live_bytes = f.live_bytes;
    t.retired_bytes = f.retired_bytes;
    t.value_bytes = f.value_bytes;
    t.value_dead_bytes = f.value_dead_bytes;
    t.memtable_bytes = f.memtable_bytes;
    t.cache_bytes = f.cache_bytes;
    t.mem_used = f.mem_used;
    t.mem_limit = f.mem_limit;
    t.mem_peak = f.mem_peak;
    t.snapshots = f.snapshots;
    t.oldest_snapshot = f.oldest_snapshot;
    t.pins = f.pins;
    t.readers = f.readers;
    copy_counters(&f, &t);
    copy_levels(&f, &t);
    memcpy(out, &t, MIN_OF(size, sizeof(t)));
    out->struct_size = size;
out:
    return st;
}

void
basin_stat_reset(basin_db *db)
{
    lsm_stat_reset(db->lsm);
}

struct reader_work {
    basin_reader_fn *fn;
    void *ctx;
};

static int
reader_one(void *ctx, const struct lsm_reader_info *r)
{
    struct reader_work *w = ctx;
    basin_reader_info info = { r->slot, r->name, r->seqno, r->held_bytes };

    return w->fn(w->ctx, &info);
}

basin_status
basin_reader_list(basin_db *db, basin_reader_fn *fn, void *ctx, basin_error *err)
{
    struct reader_work w = { fn, ctx };

    basin_status st = api_enter(db, err);

    return st != BASIN_OK ? st : lsm_reader_list(db->lsm, reader_one, &w, err);
}

struct stratum_work {
    basin_stratum_fn *fn;
    void *ctx;
};

static int
stratum_one(void *ctx, const struct lsm_stratum_info *s)
{
    struct stratum_work *w = ctx;
    basin_stratum_info info = { s->name,          s->level,     s->size,
                                s->entries,       s->deletes,   s->range_deletes,
                                s->seqno_min,     s->seqno_max, api_out(s->first),
                                api_out(s->last) };

    return w->fn(w->ctx, &info);
}

basin_status
basin_stratum_list(basin_db *db, basin_stratum_fn *fn, void *ctx, basin_error *err)
{
    struct stratum_work w = { fn, ctx };

    basin_status st = api_enter(db, err);

    return st != BASIN_OK ? st : lsm_stratum_list(db->lsm, stratum_one, &w, err);
}
