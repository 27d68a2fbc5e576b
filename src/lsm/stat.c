// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Figures of an open database (E33, E65): what lives where, and counters since open or reset.
 */
#include "lsm/internal.h"

#define GET(field) atomic_load_explicit(&(field), memory_order_relaxed)
#define ZERO(field) atomic_store_explicit(&(field), 0, memory_order_relaxed)

static void
stat_counters(struct lsm *db, struct lsm_stats *out)
{
    out->commits = GET(db->commits);
    out->conflicts = GET(db->conflicts);
    out->syncs = GET(db->syncs);
    out->log_written = GET(db->log_written);
    out->flushes = GET(db->flushes);
    out->merges = GET(db->merges);
    out->moves = GET(db->moves);
    out->merge_bytes_in = GET(db->merge_bytes_in);
    out->merge_bytes_out = GET(db->merge_bytes_out);
    out->stalls = GET(db->stalls);
    out->stall_us = GET(db->stall_us);
    out->gets = GET(db->gets) + lsm__lanes_gets(db);
    out->puts = GET(db->puts);
    out->pages_read = GET(db->counters.pages_read);
    out->pages_written = GET(db->counters.pages_written);
    out->bytes_read = GET(db->counters.bytes_read);
    out->bytes_written = GET(db->counters.bytes_written);
    out->cache_hits = GET(db->counters.cache_hits);
    out->cache_misses = GET(db->counters.cache_misses);
    out->filter_checks = GET(db->counters.filter_checks);
    out->filter_rejects = GET(db->counters.filter_rejects);
    out->key_compares = GET(db->counters.key_compares);
}

static void
stat_levels(struct lsm *db, struct lsm_stats *out)
{
    const struct version *v = db->current;

    for (size_t i = 0; i < v->run_count; i++)
        out->levels[v->runs[i].level].runs++;
    for (size_t i = 0; i < v->stratum_count; i++) {
        struct lsm_level_stat *l = &out->levels[v->strata[i]->level];
        l->strata++;
        l->bytes += v->strata[i]->size;
        l->entries += v->strata[i]->entries;
        l->deletes += v->strata[i]->deletes;
        out->live_bytes += v->strata[i]->size;
    }
    for (size_t i = 0; i < v->mem_count; i++)
        out->memtable_bytes += memtable_used(v->mems[i]);
}

static basin_status
log_bytes(struct lsm *db, uint64_t *bytes, basin_error *err)
{
    basin_status st;
    uint64_t *epochs = NULL, size;
    size_t count = 0, capacity = 0;
    char path[PATH_SIZE_MAX + 64];
    struct os_file *f;

    *bytes = 0;
    TRY(lsm__log_list(db, &epochs, &count, &capacity, err));
    for (size_t i = 0; i < count; i++) {
        TRY(lsm__log_path(db, epochs[i], path, sizeof(path), err));
        if (os_open(db->os, path, OS_READ, &f, NULL) != BASIN_OK)
            continue; /* retired in between */
        if (os_size(f, &size, NULL) == BASIN_OK)
            *bytes += size;
        os_close(f);
    }
out:
    mem_free(db->mem, epochs, capacity * sizeof(*epochs));
    return st;
}

basin_status
lsm_stat(struct lsm *db, struct lsm_stats *out, basin_error *err)
{
    basin_status st;

    *out = (struct lsm_stats){ 0 };
    TRY(log_bytes(db, &out->log_bytes, err));
    TRY(lsm__values_stat(db, &out->value_bytes, &out->value_dead_bytes, err));
    out->readers = lsm__readers_count(db);
    os_mutex_lock(db->mu);
    out->seqno = GET(db->visible);
    out->epoch = GET(db->epoch);
    stat_levels(db, out);
    stat_counters(db, out);
    out->retired_bytes = GET(db->retired_bytes);
    out->cache_bytes = stratum_cache_used(db->cache);
    out->mem_used = GET(db->counting.used);
    out->mem_peak = GET(db->counting.peak);
    out->mem_limit = db->o.mem_limit;
    out->snapshots = db->snapshot_count;
    out->oldest_snapshot = db->snapshot_count ? db->snapshots.next->seqno : out->seqno;
    out->pins = db->manifest.pin_count;
    os_mutex_unlock(db->mu);
out:
    return st;
}

void
lsm_stat_reset(struct lsm *db)
{
    ZERO(db->commits);
    ZERO(db->conflicts);
    ZERO(db->syncs);
    ZERO(db->log_written);
    ZERO(db->flushes);
    ZERO(db->merges);
    ZERO(db->moves);
    ZERO(db->merge_bytes_in);
    ZERO(db->merge_bytes_out);
    ZERO(db->stalls);
    ZERO(db->stall_us);
    ZERO(db->gets);
    for (unsigned i = 0; i < LANE_COUNT; i++)
        ZERO(db->lanes[i].gets);
    ZERO(db->puts);
    ZERO(db->counters.pages_read);
    ZERO(db->counters.pages_written);
    ZERO(db->counters.bytes_read);
    ZERO(db->counters.bytes_written);
    ZERO(db->counters.cache_hits);
    ZERO(db->counters.cache_misses);
    ZERO(db->counters.filter_checks);
    ZERO(db->counters.filter_rejects);
    ZERO(db->counters.filter_bytes);
    ZERO(db->counters.key_compares);
}

/* Level and run of a stratum are the version's: those of the manifest may be changing. */
basin_status
lsm_stratum_list(struct lsm *db, lsm_stratum_fn *fn, void *ctx, basin_error *err)
{
    struct version *v = lsm__version_get(db);
    char name[LSM_OBJECT_NAME_SIZE];
    bool more = true;

    (void)err;
    for (size_t k = 0; k < v->run_count && more; k++) {
        const struct lsm_run *run = &v->runs[k];
        for (size_t i = 0; i < run->count && more; i++) {
            const struct lsm_stratum *s = run->strata[i];
            lsm__object_name(name, "strata", s->id);
            struct lsm_stratum_info info = { name,
                                             run->level,
                                             s->size,
                                             s->entries,
                                             s->deletes,
                                             s->range_tombstones,
                                             s->seqno_min,
                                             s->seqno_max,
                                             buf_bytes(&s->first_key),
                                             buf_bytes(&s->last_key) };
            more = fn(ctx, &info) == 0;
        }
    }
    lsm__version_unref(v);
    return BASIN_OK;
}
