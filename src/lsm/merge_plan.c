// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * What to merge next (E39 to E43). Leveled: level 0 holds whole runs, each later level one run of
 * strata that do not overlap; a step takes all of level 0, or one stratum of a level, together
 * with what it overlaps in the next level. The stratum is the unit of reuse: parts of the
 * destination outside the key range are not touched.
 *
 * Order of choice: level 0 at its trigger; a level over its size; strata that are mostly
 * tombstones, or hold range tombstones, above the deepest level; strata of the deepest level whose
 * tombstones no snapshot needs any more; strata that refer to value strata more than half dead;
 * what a manual compaction still asks for.
 * It only reads the manifest and marks inputs; merge.c does the work.
 */
#include "lsm/merge.h"

enum { SMALL_STRATA = 8 };

struct levels {
    uint64_t bytes[LSM_LEVEL_COUNT];
    uint64_t runs0;
    uint32_t deepest; /* deepest level that is not empty */
};

static void
measure(const struct lsm *db, struct levels *l)
{
    const struct manifest *m = &db->manifest;

    *l = (struct levels){ 0 };
    for (size_t i = 0; i < m->stratum_count; i++) {
        l->bytes[m->strata[i]->level] += m->strata[i]->size;
        l->deepest = MAX_OF(l->deepest, m->strata[i]->level);
    }
    l->runs0 = db->level0_runs;
}

/* ------------------------------------------------------------------ overlap */

/* Whether the key ranges of two strata meet. */
static bool
ends_before(const struct lsm_stratum *a, const struct lsm_stratum *b)
{
    int c;

    if (a->last_unbounded)
        return false;
    c = bytes_compare(buf_bytes(&a->last_key), buf_bytes(&b->first_key));
    return c < 0 || (c == 0 && a->last_excluded);
}

bool
lsm__strata_apart(const struct lsm_stratum *a, const struct lsm_stratum *b)
{
    return ends_before(a, b) || ends_before(b, a);
}

static bool
overlaps_inputs(const struct merge_plan *p, size_t count, const struct lsm_stratum *s)
{
    for (size_t i = 0; i < count; i++)
        if (!lsm__strata_apart(p->inputs[i], s))
            return true;
    return false;
}

/* ------------------------------------------------------------------ building a plan */

static basin_status
add_input(struct merge_plan *p, struct lsm_stratum *s, basin_error *err)
{
    const basin_allocator *mem = p->db->mem;
    struct lsm_stratum **more;

    if (p->input_count == p->input_capacity) {
        size_t n = p->input_capacity + 64;
        more =
            mem->resize(mem->ctx, p->inputs, p->input_capacity * sizeof(*more), n * sizeof(*more));
        if (more == NULL)
            return error_set(err, BASIN_NO_MEM, "no memory for a merge of %zu strata", n);
        p->inputs = more;
        p->input_capacity = n;
    }
    s->in_merge = true;
    lsm__stratum_ref(s);
    p->bytes += s->size;
    p->inputs[p->input_count++] = s;
    return BASIN_OK;
}

/* Adds what the inputs so far overlap in the destination level. */
static basin_status
add_destination(struct merge_plan *p, basin_error *err)
{
    basin_status st = BASIN_OK;
    const struct manifest *m = &p->db->manifest;
    size_t count = p->input_count;

    for (size_t i = 0; i < m->stratum_count; i++) {
        struct lsm_stratum *s = m->strata[i];
        if (s->level == p->to_level && !s->in_merge && overlaps_inputs(p, count, s))
            TRY(add_input(p, s, err));
    }
out:
    return st;
}

static bool
is_small(const struct merge_plan *p, const struct lsm_stratum *s)
{
    return s->level == p->to_level && !s->in_merge && s->size < p->db->o.stratum_size / 8;
}

/* Adds small strata of the destination once they are many: little data that is moved or merged
 * where nothing overlaps it would leave ever more of them. */
static basin_status
add_small(struct merge_plan *p, basin_error *err)
{
    basin_status st = BASIN_OK;
    const struct manifest *m = &p->db->manifest;
    uint64_t bytes = 0;
    size_t n = 0;

    for (size_t i = 0; i < m->stratum_count; i++)
        n += is_small(p, m->strata[i]);
    for (size_t i = 0; i < m->stratum_count && n >= SMALL_STRATA; i++) {
        if (!is_small(p, m->strata[i]) || bytes >= p->db->o.stratum_size)
            continue;
        bytes += m->strata[i]->size;
        TRY(add_input(p, m->strata[i], err));
    }
out:
    return st;
}

static int
compare_inputs(const void *a, const void *b)
{
    const struct lsm_stratum *x = *(struct lsm_stratum *const *)a;
    const struct lsm_stratum *y = *(struct lsm_stratum *const *)b;

    if (x->level != y->level)
        return x->level < y->level ? -1 : 1;
    if (x->run != y->run)
        return x->run > y->run ? -1 : 1;
    return bytes_compare(buf_bytes(&x->first_key), buf_bytes(&y->first_key));
}

/* The inputs that begin first and last. */
struct extent {
    const struct lsm_stratum *first, *last;
};

static void
extent_of(const struct merge_plan *p, struct extent *e)
{
    e->first = e->last = p->inputs[0];
    for (size_t i = 1; i < p->input_count; i++) {
        struct bytes key = buf_bytes(&p->inputs[i]->first_key);
        if (bytes_compare(key, buf_bytes(&e->first->first_key)) < 0)
            e->first = p->inputs[i];
        if (bytes_compare(key, buf_bytes(&e->last->first_key)) > 0)
            e->last = p->inputs[i];
    }
}

/* Whether s, which no input meets, is in the destination and has inputs on both sides. */
static bool
lies_between(const struct merge_plan *p, const struct extent *e, const struct lsm_stratum *s)
{
    struct bytes key = buf_bytes(&s->first_key);

    return s->level == p->to_level && !s->in_merge &&
           bytes_compare(buf_bytes(&e->first->first_key), key) < 0 &&
           bytes_compare(key, buf_bytes(&e->last->first_key)) < 0;
}

/* What is not touched in the destination, but lies between inputs, must not be written across. */
static basin_status
note_between(struct merge_plan *p, basin_error *err)
{
    const struct manifest *m = &p->db->manifest;
    struct extent e;
    size_t n = 0;

    if (p->to_level == 0)
        return BASIN_OK;
    extent_of(p, &e);
    for (size_t i = 0; i < m->stratum_count; i++)
        n += lies_between(p, &e, m->strata[i]);
    if (n == 0)
        return BASIN_OK;
    p->between = mem_new(p->db->mem, n * sizeof(*p->between));
    if (p->between == NULL)
        return error_set(err, BASIN_NO_MEM, "no memory for %zu strata", n);
    p->between_capacity = n;
    for (size_t i = 0; i < m->stratum_count; i++) {
        if (!lies_between(p, &e, m->strata[i]))
            continue;
        lsm__stratum_ref(m->strata[i]);
        p->between[p->between_count++] = m->strata[i];
    }
    if (n > 1)
        sort_items(p->between, n, sizeof(*p->between), compare_inputs);
    return BASIN_OK;
}

/* Sorts the inputs, cuts them into runs and finds out what may be dropped or only moved. */
static basin_status
finish_plan(struct merge_plan *p, bool may_move, basin_error *err)
{
    const struct manifest *m = &p->db->manifest;

    p->runs = mem_new(p->db->mem, p->input_capacity * sizeof(*p->runs));
    if (p->runs == NULL)
        return error_set(err, BASIN_NO_MEM, "no memory for a merge of %zu strata", p->input_count);
    sort_items(p->inputs, p->input_count, sizeof(*p->inputs), compare_inputs);
    p->move = may_move;
    for (size_t i = 0; i < p->input_count; i++) {
        struct lsm_stratum *s = p->inputs[i];
        struct lsm_run *last = p->run_count ? &p->runs[p->run_count - 1] : NULL;
        if (last == NULL || last->level != s->level || last->run != s->run)
            p->runs[p->run_count++] = (struct lsm_run){ s->level, s->run, 1, p->inputs + i };
        else
            last->count++;
        p->move = p->move && s->level != p->to_level && !overlaps_inputs(p, i, s);
    }
    p->keep_seqnos = lsm__any_ranges(p->db);
    p->bottom = p->to_level > 0; /* a rewrite inside level 0 has older runs beside it */
    for (size_t i = 0; i < m->stratum_count && p->bottom; i++)
        if (m->strata[i]->level > p->to_level && overlaps_inputs(p, p->input_count, m->strata[i]))
            p->bottom = false;
    return p->move ? BASIN_OK : note_between(p, err);
}

void
lsm__merge_plan_release(struct merge_plan *p)
{
    const basin_allocator *mem = p->db->mem;

    for (size_t i = 0; i < p->input_count; i++) {
        p->inputs[i]->in_merge = false;
        lsm__stratum_unref(p->inputs[i]);
    }
    for (size_t i = 0; i < p->between_count; i++)
        lsm__stratum_unref(p->between[i]);
    mem_free(mem, p->between, p->between_capacity * sizeof(*p->between));
    lsm__version_unref(p->version);
    mem_free(mem, p->inputs, p->input_capacity * sizeof(*p->inputs));
    mem_free(mem, p->runs, p->runs ? p->input_capacity * sizeof(*p->runs) : 0);
    *p = (struct merge_plan){ .db = p->db };
}

/* ------------------------------------------------------------------ choices */

/* All of level 0: its runs may overlap each other. */
static basin_status
take_level0(struct merge_plan *p, basin_error *err)
{
    basin_status st = BASIN_OK;
    const struct manifest *m = &p->db->manifest;

    p->to_level = 1;
    for (size_t i = 0; i < m->stratum_count; i++)
        if (m->strata[i]->level == 0)
            TRY(add_input(p, m->strata[i], err));
    TRY(add_destination(p, err));
    TRY(add_small(p, err));
    TRY(finish_plan(p, true, err));
out:
    return st;
}

static basin_status
take_one(struct merge_plan *p, struct lsm_stratum *s, uint32_t to_level, bool may_move,
         basin_error *err)
{
    basin_status st;

    p->to_level = to_level;
    TRY(add_input(p, s, err));
    if (to_level != s->level)
        TRY(add_destination(p, err));
    TRY(finish_plan(p, may_move, err));
out:
    return st;
}

static uint64_t
level_target(const struct lsm *db, uint32_t level)
{
    uint64_t size = MAX_OF(4 * db->o.memtable_size, db->o.stratum_size);

    for (uint32_t i = 1; i < level; i++)
        size = size > UINT64_MAX / db->o.level_factor ? UINT64_MAX : size * db->o.level_factor;
    return size;
}

/* Tombstones per entry in thousandths; a range tombstone counts as half. */
static uint64_t
density(const struct lsm_stratum *s)
{
    uint64_t d = s->entries ? s->deletes * 1000 / s->entries : 0;
    return s->range_tombstones ? MAX_OF(d, 500) : d;
}

/* Of a level the densest in tombstones if it is dense enough, else the next after the last one by
 * object number, so that all get their turn. */
static struct lsm_stratum *
pick_in_level(struct lsm *db, uint32_t level)
{
    const struct manifest *m = &db->manifest;
    struct lsm_stratum *dense = NULL, *next = NULL, *first = NULL;
    uint64_t after = db->merge_pointer[level];

    for (size_t i = 0; i < m->stratum_count; i++) {
        struct lsm_stratum *s = m->strata[i];
        if (s->level != level || s->in_merge)
            continue;
        if (density(s) >= 250 && (dense == NULL || density(s) > density(dense)))
            dense = s;
        if (s->id.number > after && (next == NULL || s->id.number < next->id.number))
            next = s;
        if (first == NULL || s->id.number < first->id.number)
            first = s;
    }
    if (dense != NULL)
        return dense;
    next = next ? next : first;
    if (next != NULL)
        db->merge_pointer[level] = next->id.number;
    return next;
}

/* Tombstones that only take room: above the deepest level they go down; at the deepest level they
 * go as soon as no snapshot needs them, and so do versions that were kept for one. */
static struct lsm_stratum *
pick_tombstones(struct lsm *db, const struct levels *l, uint64_t oldest, uint64_t least)
{
    const struct manifest *m = &db->manifest;

    for (size_t i = 0; i < m->stratum_count; i++) {
        struct lsm_stratum *s = m->strata[i];
        bool deepest = s->level == l->deepest;
        if (s->level == 0 || s->in_merge || s->seqno_max > oldest)
            continue;
        if (deepest ? s->stacked || s->deletes + s->range_tombstones > 0 : density(s) >= least)
            return s;
    }
    return NULL;
}

static uint64_t
oldest_snapshot(struct lsm *db)
{
    uint64_t oldest = atomic_load_explicit(&db->visible, memory_order_acquire);

    if (db->snapshots.next != &db->snapshots)
        oldest = MIN_OF(oldest, db->snapshots.next->seqno);
    for (size_t i = 0; i < db->manifest.pin_count; i++)
        oldest = MIN_OF(oldest, db->manifest.pins[i].seqno);
    return oldest;
}

static basin_status
plan_tombstones(struct lsm *db, const struct levels *l, uint64_t least, struct merge_plan *p,
                basin_error *err)
{
    struct lsm_stratum *s = pick_tombstones(db, l, oldest_snapshot(db), least);

    if (s == NULL)
        return BASIN_OK;
    return take_one(p, s, s->level == l->deepest ? s->level : s->level + 1, false, err);
}

/* Value strata more than half dead: a stratum that still refers to one is rewritten in its place,
 * with the values copied out (decision 19). */
static basin_status
plan_values(struct lsm *db, struct merge_plan *p, basin_error *err)
{
    const struct manifest *m = &db->manifest;

    p->stale_count = lsm__values_stale(db, p->stale, MERGE_STALE_MAX, &p->values_bytes);
    for (size_t i = 0; i < m->stratum_count && p->stale_count > 0; i++) {
        struct lsm_stratum *s = m->strata[i];
        for (size_t j = 0; j < s->use_count && !s->in_merge; j++)
            if (lsm__object_among(s->uses[j].id, p->stale, p->stale_count))
                return take_one(p, s, s->level, false, err);
    }
    p->stale_count = 0;
    p->values_bytes = 0;
    return BASIN_OK;
}

basin_status
lsm__purge_plan(struct lsm *db, struct merge_plan *plan, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct version *v = db->current;
    struct lsm_stratum *best = NULL;
    size_t newer = 0;

    *plan = (struct merge_plan){ .db = db };
    for (size_t i = 1; i < v->run_count; i++) {
        for (size_t k = 0; k < v->runs[i].count; k++) {
            struct lsm_stratum *s = v->runs[i].strata[k];
            if (s->in_merge || s->purge_seen == db->flushed + 1 ||
                (best != NULL && s->size >= best->size))
                continue;
            best = s;
            newer = i;
        }
    }
    if (best == NULL)
        return BASIN_OK;
    best->purge_seen = db->flushed + 1;
    TRY(take_one(plan, best, best->level, false, err));
    plan->version = v;
    plan->though_full = true;
    plan->newer = newer;
    lsm__version_ref(v);
out:
    if (st != BASIN_OK)
        lsm__merge_plan_release(plan);
    return st;
}

/* A manual compaction pushes everything into the deepest level, a stratum at a time. */
static basin_status
plan_manual(struct lsm *db, const struct levels *l, struct merge_plan *p, basin_error *err)
{
    struct lsm_stratum *s;

    if (l->bytes[0] > 0)
        return take_level0(p, err);
    for (uint32_t level = 1; level < l->deepest; level++) {
        s = l->bytes[level] ? pick_in_level(db, level) : NULL;
        if (s != NULL)
            return take_one(p, s, level + 1, true, err);
    }
    return plan_tombstones(db, l, 1, p, err);
}

basin_status
lsm__merge_plan(struct lsm *db, struct merge_plan *plan, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct levels l;
    struct lsm_stratum *s;

    *plan = (struct merge_plan){ .db = db };
    measure(db, &l);
    if (l.runs0 >= db->o.level0_runs) {
        TRY(take_level0(plan, err));
        goto out;
    }
    for (uint32_t level = 1; level + 1 < LSM_LEVEL_COUNT && plan->input_count == 0; level++) {
        if (l.bytes[level] <= level_target(db, level))
            continue;
        s = pick_in_level(db, level);
        if (s != NULL)
            TRY(take_one(plan, s, level + 1, true, err));
    }
    if (plan->input_count == 0)
        TRY(plan_tombstones(db, &l, 500, plan, err));
    if (plan->input_count == 0)
        TRY(plan_values(db, plan, err));
    if (plan->input_count == 0 && db->manual_merges > 0)
        TRY(plan_manual(db, &l, plan, err));
out:
    if (st != BASIN_OK)
        lsm__merge_plan_release(plan);
    return st;
}
