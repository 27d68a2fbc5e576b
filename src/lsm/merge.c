// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * A merge step: reads the inputs of a plan through the drop rules into new strata and publishes
 * the exchange as one edit, or only changes levels.
 *
 *   plan (mu) -> write strata, synced -> publish edit -> release
 *
 * Every few hundred entries it looks whether it should stop: on close, and when the call that it
 * runs in is interrupted.
 */
#include "lsm/merge.h"
#include "lsm/rules.h"

static bool
merge_cancelled(void *ctx)
{
    struct lsm *db = ctx;

    return atomic_load_explicit(&db->closing, memory_order_acquire) ||
           (db->o.no_threads && lsm__interrupts(db) != db->merge_interrupts) ||
           lsm__failure(db, NULL) != BASIN_OK;
}

/* What a merge has written is needed for a flush when the disk becomes full; a purge goes on. */
static bool
large_cancelled(void *ctx)
{
    struct lsm *db = ctx;

    return merge_cancelled(db) || atomic_load_explicit(&db->full, memory_order_acquire);
}

/* Range tombstones of all inputs, each clipped to its stratum already. */
static basin_status
collect_ranges(const struct merge_plan *p, struct range_tombstone **out, size_t *count,
               basin_error *err)
{
    basin_status st = BASIN_OK;
    struct stratum *s;
    size_t total = 0, n;

    *out = NULL;
    *count = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < p->input_count; i++) {
            if (p->inputs[i]->range_tombstones == 0)
                continue;
            TRY(lsm__stratum_use(p->inputs[i], &s, err));
            const struct range_tombstone *t = stratum_ranges(s, &n);
            if (pass == 1)
                memcpy(*out + *count, t, n * sizeof(*t));
            *count += n;
        }
        if (pass == 1 || *count == 0)
            break;
        total = *count;
        *out = mem_new(p->db->mem, total * sizeof(**out));
        if (*out == NULL)
            FAIL(err, BASIN_NO_MEM, "no memory for %zu range tombstones", total);
        *count = 0;
    }
out:
    if (st != BASIN_OK) {
        mem_free(p->db->mem, *out, total * sizeof(**out));
        *out = NULL;
        *count = 0;
    }
    return st;
}

static basin_status
open_inputs(const struct merge_plan *p, struct icur **source, basin_error *err)
{
    basin_status st = BASIN_OK;
    const basin_allocator *mem = p->db->mem;
    struct icur **subs = mem_new(mem, p->run_count * sizeof(*subs));
    size_t n = 0;

    *source = NULL;
    if (subs == NULL)
        FAIL(err, BASIN_NO_MEM, "no memory for %zu runs", p->run_count);
    for (; n < p->run_count; n++)
        TRY(lsm__run_icur(&p->runs[n], mem, &subs[n], err));
    st = lsm__multi_icur(mem, subs, n, source, err);
    n = 0; /* given away */
out:
    while (n-- > 0)
        subs[n]->ops->close(subs[n]);
    mem_free(mem, subs, p->run_count * sizeof(*subs));
    return st;
}

/* Whether one of n ascending strata meets s. */
static bool
meets_one(struct lsm_stratum *const *strata, size_t n, const struct lsm_stratum *s)
{
    size_t low = 0, high = n;

    while (low < high) { /* the first that begins behind the begin of s */
        size_t mid = (low + high) / 2;
        if (bytes_compare(buf_bytes(&strata[mid]->first_key), buf_bytes(&s->first_key)) <= 0)
            low = mid + 1;
        else
            high = mid;
    }
    return (low > 0 && !lsm__strata_apart(strata[low - 1], s)) ||
           (low < n && !lsm__strata_apart(strata[low], s));
}

/* (V2) of version.h is looked at before it is logged: of strata that overlap in a level the readers
 * would miss keys. */
static basin_status
check_apart(const struct merge_plan *p, struct lsm_stratum *const *strata, size_t n,
            basin_error *err)
{
    basin_status st = BASIN_OK;
    const struct manifest *m = &p->db->manifest;

    if (p->to_level == 0)
        return BASIN_OK;
    os_mutex_lock(p->db->mu);
    for (size_t i = 1; i < n && st == BASIN_OK; i++)
        if (!lsm__strata_apart(strata[i - 1], strata[i]))
            st = BASIN_CORRUPT;
    for (size_t i = 0; i < m->stratum_count && st == BASIN_OK; i++)
        if (m->strata[i]->level == p->to_level && !m->strata[i]->in_merge &&
            meets_one(strata, n, m->strata[i]))
            st = BASIN_CORRUPT;
    os_mutex_unlock(p->db->mu);
    return st == BASIN_OK
               ? st
               : error_set(err, st, "a merge into level %u would make strata overlap", p->to_level);
}

static basin_status
publish(const struct merge_plan *p, struct output *output, bool *logged, basin_error *err)
{
    basin_status st;
    struct edit edit;
    struct lsm_stratum **strata = NULL;
    size_t n = output ? lsm__output_strata(output, &strata) : 0;

    lsm__edit_init(&edit, p->db->mem);
    *logged = false;
    TRY(check_apart(p, strata, n, err));
    for (size_t i = 0; i < p->input_count; i++) {
        if (p->move)
            lsm__edit_move_stratum(&edit, p->inputs[i]->id, p->to_level, p->to_level);
        else
            lsm__edit_remove_stratum(&edit, p->inputs[i]->id);
    }
    for (size_t i = 0; i < n; i++)
        lsm__edit_add_stratum(&edit, strata[i]);
    st = lsm__publish(p->db, &edit, NULL, NULL, err);
    *logged = edit.logged;
out:
    lsm__edit_release(&edit);
    return st;
}

static basin_status
rewrite(const struct merge_plan *p, const uint64_t *snapshots, size_t snapshot_count,
        basin_error *err)
{
    basin_status st;
    struct lsm *db = p->db;
    struct output *output = NULL;
    struct icur *source = NULL;
    struct range_tombstone *raw = NULL, *kept = NULL;
    size_t raw_count = 0, kept_count = 0;
    bool logged = false;
    struct rules_options rules = { .db = db,
                                   .snapshots = snapshots,
                                   .snapshot_count = snapshot_count,
                                   .bottom = p->bottom,
                                   .cancelled = merge_cancelled,
                                   .cancel_ctx = db };
    struct output_options options = { .db = db,
                                      .level = p->to_level,
                                      .run = p->to_level ? p->to_level : p->runs[0].run,
                                      .stale = p->stale,
                                      .stale_count = p->stale_count,
                                      .seqno_elide = p->keep_seqnos ? 0 : snapshots[0],
                                      .consumed = p->inputs,
                                      .consumed_count = p->input_count,
                                      .between = p->between,
                                      .between_count = p->between_count,
                                      .size_max = db->o.stratum_size };

    if (!p->though_full)
        rules.cancelled = large_cancelled;
    TRY(collect_ranges(p, &raw, &raw_count, err));
    TRY(lsm__rules_ranges(&rules, raw, raw_count, &kept, &kept_count, err));
    options.ranges = kept;
    options.range_count = kept_count;
    TRY(lsm__output_open(&options, &output, err));
    if (p->version != NULL) {
        TRY(lsm__purge_icur(p, snapshots[0], &source, err));
        TRY(lsm__multi_icur(db->mem, &source, 1, &source, err));
    } else {
        TRY(open_inputs(p, &source, err));
    }
    rules.source = source;
    rules.output = output;
    TRY(lsm__rules_run(&rules, err));
    TRY(lsm__output_finish(output, err));
    TRY(publish(p, output, &logged, err));
    atomic_fetch_add_explicit(&db->merges, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&db->merge_bytes_in, p->bytes, memory_order_relaxed);
    atomic_fetch_add_explicit(&db->merge_bytes_out, lsm__output_bytes(output),
                              memory_order_relaxed);
out:
    if (source != NULL)
        source->ops->close(source);
    lsm__output_close(output, logged); /* what the log may name stays, whatever the result */
    mem_free(db->mem, raw, raw_count * sizeof(*raw));
    mem_free(db->mem, kept, kept_count * sizeof(*kept));
    return st;
}

/* ------------------------------------------------------------------ steps */

/* Whether the disk has room for a plan: its output is not larger than its input. */
static bool
fits(const struct merge_plan *p, uint64_t room)
{
    return p->move || p->input_count == 0 || p->bytes + p->bytes / 16 + p->values_bytes <= room;
}

/* Cancelled for good, not for the sake of a flush. REQUIRES(db->mu). */
static bool
merge_stops(const struct lsm *db)
{
    return atomic_load_explicit(&db->closing, memory_order_acquire) || db->failed != BASIN_OK;
}

/* The next step; on a disk without room for it, a purge. REQUIRES(db->mu). */
static basin_status
choose(struct lsm *db, struct merge_plan *plan, uint64_t room, basin_error *err)
{
    basin_status st;
    bool full = atomic_load_explicit(&db->full, memory_order_acquire);

    TRY(lsm__merge_plan(db, plan, err));
    plan->though_full = full; /* it leaves room for a flush */
    db->merge_short = !fits(plan, room);
    if (db->merge_short)
        lsm__merge_plan_release(plan);
    if (plan->input_count == 0 && (db->merge_short || full))
        TRY(lsm__purge_plan(db, plan, err));
out:
    return st;
}

/* A purge is made when it is worth it, with the room of the reserve if need be. */
static basin_status
purge(const struct merge_plan *p, const uint64_t *snapshots, size_t count, basin_error *err)
{
    basin_status st;
    bool worth;
    uint64_t left = 0;

    TRY(lsm__purge_gain(p, snapshots[0], &worth, &left, err));
    if (!worth)
        goto out;
    if (left > lsm__room(p->db) && (!lsm__reserve_release(p->db) || left > lsm__room(p->db)))
        goto out;
    TRY(rewrite(p, snapshots, count, err));
out:
    return st;
}

static basin_status
carry_out(const struct merge_plan *p, const uint64_t *snapshots, size_t count, basin_error *err)
{
    basin_status st;
    bool logged;

    if (p->version != NULL)
        return purge(p, snapshots, count, err);
    if (!p->move)
        return rewrite(p, snapshots, count, err);
    st = publish(p, NULL, &logged, err);
    atomic_fetch_add_explicit(&p->db->moves, 1, memory_order_relaxed);
    return st;
}

basin_status
lsm__merge_step(struct lsm *db, bool *did, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct merge_plan plan = { .db = db };
    uint64_t *snapshots = NULL, room = lsm__room_for_merge(db);
    size_t count = 0, capacity = 0;

    *did = false;
    os_mutex_lock(db->mu);
    /* an edit is synced, which says that the logs before are whole: not before the tail is safe */
    if (!db->merge_running && db->failed == BASIN_OK && !db->tail_unsafe)
        st = choose(db, &plan, room, err);
    if (st == BASIN_OK && plan.input_count > 0)
        st = lsm__snapshot_list(db, &snapshots, &count, &capacity, err);
    *did = plan.input_count > 0;
    if (st == BASIN_OK && *did) {
        db->merge_running = true;
        db->merge_interrupts = lsm__interrupts(db);
    } else if (*did) {
        lsm__merge_plan_release(&plan);
    }
    os_mutex_unlock(db->mu);
    if (st != BASIN_OK || !*did)
        return st;
    st = carry_out(&plan, snapshots, count, err);
    mem_free(db->mem, snapshots, capacity * sizeof(*snapshots));
    os_mutex_lock(db->mu);
    if (st == BASIN_NO_SPACE || (st == BASIN_CANCELLED && !merge_stops(db))) {
        db->merge_short = true; /* others took it meanwhile: again when there is more */
        *did = false;
        st = BASIN_OK;
    }
    lsm__merge_plan_release(&plan);
    db->merge_running = false;
    os_cond_broadcast(db->idle_cond);
    os_mutex_unlock(db->mu);
    lsm__remove_dead(db); /* its room counts for the next step */
    (void)!lsm__reserve_hold(db, 0, NULL);
    return st;
}
