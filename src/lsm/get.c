// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Lookup of one key: sources newest first, until a put, a delete or a range tombstone ends the
 * search. Operands are gathered on the way and resolved at the end.
 *
 * A range tombstone of a source hides what is older in that source (by seqno) and everything in the
 * sources behind it (V3). It is asked for even when the filter says that the key is not there.
 * The seqnos of a transaction's own operations are of their own: none of them is ever compared with
 * the version's.
 */
#include <stdio.h>

#include "lsm/read.h"

enum { OPERANDS_INLINE = 32, KEY_TEXT_BYTES = 24, RUNS_AT_ONCE = 4 };

/* What the search has met so far, newest first. */
struct gather {
    const struct sight *at;
    struct bytes key;
    uint64_t snapshot;     /* of the sources that are being asked */
    bool lasting;          /* what they hold lives as long as the version */
    struct lsm_found *f;
    bool done;     /* nothing older counts */
    bool has_base; /* f->kind and f->value */
    struct bytes *operands;
    size_t count, capacity; /* capacity 0: the inline ones */
    struct bytes few[OPERANDS_INLINE];
    struct arena copies; /* of what lies in pages */
};

static void
gather_init(struct gather *g, const struct sight *at, struct bytes key, struct lsm_found *f)
{
    g->at = at;
    g->key = key;
    g->f = f;
    g->done = g->has_base = false;
    g->operands = g->few;
    g->count = g->capacity = 0;
    arena_init(&g->copies, at->version->db->mem, 512);
}

static basin_status
copy(struct gather *g, struct bytes from, struct bytes *to, basin_error *err)
{
    uint8_t *p = arena_alloc(&g->copies, from.size);

    if (p == NULL)
        return error_set(err, BASIN_NO_MEM, "no memory for a value of %zu bytes", from.size);
    if (from.size)
        memcpy(p, from.data, from.size);
    *to = bytes_of(p, from.size);
    return BASIN_OK;
}

static void
note_seqno(struct gather *g, uint64_t seqno)
{
    if (g->count == 0 && !g->has_base)
        g->f->seqno = seqno;
}

static basin_status
add_operand(struct gather *g, struct bytes operand, uint64_t seqno, basin_error *err)
{
    basin_status st = BASIN_OK;
    const basin_allocator *mem = g->at->version->db->mem;
    size_t room = g->capacity ? g->capacity : OPERANDS_INLINE;
    struct bytes *more;

    note_seqno(g, seqno);
    if (g->count == room) {
        more = mem->resize(mem->ctx, g->capacity ? g->operands : NULL, g->capacity * sizeof(*more),
                           2 * room * sizeof(*more));
        if (more == NULL)
            FAIL(err, BASIN_NO_MEM, "no memory for %zu operands", 2 * room);
        if (g->capacity == 0)
            memcpy(more, g->few, sizeof(g->few));
        g->operands = more;
        g->capacity = 2 * room;
    }
    g->operands[g->count++] = operand;
out:
    return st;
}

/* A put, reference or delete: the search ends. */
static void
set_base(struct gather *g, enum entry_kind kind, struct bytes value, uint64_t seqno)
{
    note_seqno(g, seqno);
    g->done = true;
    g->has_base = kind != ENTRY_DELETE;
    g->f->kind = kind;
    g->f->value = value;
}

/* ------------------------------------------------------------------ sources */

static basin_status
look_memtable(struct gather *g, const struct memtable *m, basin_error *err)
{
    basin_status st = BASIN_OK;
    uint64_t cover = memtable_covering(m, g->key, g->snapshot, NULL);
    const struct mem_version *v = memtable_find(m, g->key, g->snapshot), *below;
    struct entry e = { 0 };

    for (; v != NULL && !g->done; v = below) {
        below = mem_version_sum(v, &e);
        if (e.seqno < cover)
            break;
        if (e.kind == ENTRY_MERGE) {
            TRY(add_operand(g, e.value, e.seqno, err));
        } else {
            set_base(g, e.kind, e.value, e.seqno);
            g->f->in_place = g->lasting;
        }
    }
    g->done |= cover > 0;
out:
    return st;
}

/* All versions of the key, when the newest is an operand. */
static basin_status
look_below(struct gather *g, struct stratum *s, uint64_t cover, basin_error *err)
{
    basin_status st;
    struct stratum_cursor *c = NULL;
    struct bytes value;

    TRY(stratum_cursor_open(s, &c, err));
    TRY(stratum_cursor_seek_ge(c, g->key, g->snapshot, err));
    while (stratum_cursor_valid(c) && stratum_cursor_compare(c, g->key) == 0 && !g->done) {
        const struct entry *e = stratum_cursor_entry(c);
        if (e->seqno < cover)
            break;
        TRY(copy(g, e->value, &value, err));
        if (e->kind == ENTRY_MERGE)
            TRY(add_operand(g, value, e->seqno, err));
        else
            set_base(g, e->kind, value, e->seqno);
        TRY(stratum_cursor_next(c, err));
    }
out:
    stratum_cursor_close(c);
    return st;
}

static basin_status
look_stratum(struct gather *g, const struct stratum_aim *aim, uint64_t cover, basin_error *err)
{
    basin_status st;
    struct stratum *s = aim->s;
    struct stratum_hit hit = { 0 };

    if (UNLIKELY(g->at->version->db->rebuild != NULL))
        return look_below(g, s, cover, err); /* a damaged filter loses nothing */
    st = stratum_get_aimed(aim, g->key, g->snapshot, &hit, err);
    if (st == BASIN_NOT_FOUND)
        return BASIN_OK;
    TRY(st);
    if (hit.entry.seqno < cover || hit.entry.kind == ENTRY_MERGE) {
        bool operand = hit.entry.seqno >= cover;
        stratum_unpin(s, &hit);
        if (operand)
            TRY(look_below(g, s, cover, err));
        goto out;
    }
    set_base(g, hit.entry.kind, hit.entry.value, hit.entry.seqno);
    g->f->stratum = s;
    g->f->hit = hit;
    g->f->in_place = hit.pin == NULL && g->lasting;
out:
    return st;
}

/* A stratum that may hold the key. */
struct target {
    struct lsm_stratum *ls; /* NULL: none */
    struct stratum_aim aim;
};

/* Aims at the run's stratum, if one may hold the key. */
static basin_status
aim_at_run(const struct gather *g, const struct lsm_run *run, uint64_t hash, struct target *t,
           basin_error *err)
{
    basin_status st = BASIN_OK;
    size_t i = lsm__run_find(run, g->key);
    struct stratum *s;

    t->ls = NULL;
    if (i == run->count || !lsm__stratum_begins(run->strata[i], g->key))
        goto out;
    if (run->strata[i]->seqno_min > g->snapshot)
        goto out;
    TRY(lsm__stratum_read(run->strata[i], &s, err));
    t->ls = run->strata[i];
    t->aim.s = s;
    if (t->ls->entries > 0)
        t->aim = stratum_aim_at(s, g->key, g->snapshot, hash);
out:
    return st;
}

static basin_status
look_target(struct gather *g, const struct target *t, basin_error *err)
{
    basin_status st = BASIN_OK;
    uint64_t cover = 0;

    if (t->ls == NULL)
        return BASIN_OK;
    if (t->ls->range_tombstones > 0)
        cover = stratum_range_covering(t->aim.s, g->key, g->snapshot);
    if (t->ls->entries > 0)
        TRY(look_stratum(g, &t->aim, cover, err));
    g->done |= cover > 0;
out:
    return st;
}

/* Aims at some runs, then looks from new to old. A run that cannot be read fails the search only
 * when it gets there. */
static basin_status
look_some(struct gather *g, const struct lsm_run *runs, size_t run_count, uint64_t hash,
          basin_error *err)
{
    basin_status st = BASIN_OK, aimed = BASIN_OK;
    struct target targets[RUNS_AT_ONCE];
    size_t count = 0;

    while (count < run_count && aimed == BASIN_OK) {
        aimed = aim_at_run(g, &runs[count], hash, &targets[count], err);
        count += aimed == BASIN_OK;
    }
    for (size_t i = 0; i < count && !g->done; i++)
        TRY(look_target(g, &targets[i], err));
    if (!g->done)
        st = aimed;
out:
    return st;
}

static basin_status
look_runs(struct gather *g, const struct lsm_run *runs, size_t count, basin_error *err)
{
    basin_status st = BASIN_OK;
    uint64_t hash = g->done || count == 0 ? 0 : stratum_hash(g->key);

    for (size_t i = 0; i < count && !g->done; i += RUNS_AT_ONCE)
        TRY(look_some(g, runs + i, MIN_OF(count - i, (size_t)RUNS_AT_ONCE), hash, err));
out:
    return st;
}

static basin_status
look_everywhere(struct gather *g, basin_error *err)
{
    basin_status st = BASIN_OK;
    const struct version *v = g->at->version;
    const struct spilled *own = g->at->spilled;

    g->snapshot = g->at->extra_snapshot;
    g->lasting = false;
    if (g->at->extra != NULL)
        TRY(look_memtable(g, g->at->extra, err));
    if (own != NULL)
        TRY(look_runs(g, own->runs, own->run_count, err));
    g->snapshot = g->at->snapshot;
    g->lasting = true;
    for (size_t i = 0; i < v->mem_count && !g->done; i++)
        TRY(look_memtable(g, v->mems[i], err));
    TRY(look_runs(g, v->runs, v->run_count, err));
out:
    return st;
}

/* ------------------------------------------------------------------ the answer */

static void
unpin(struct lsm_found *f)
{
    if (f->stratum != NULL)
        stratum_unpin(f->stratum, &f->hit);
    f->stratum = NULL;
}

/* f->value becomes the base with all operands; NOT_FOUND when the operator says so. */
static basin_status
merge(struct gather *g, bool *unresolved, basin_error *err)
{
    basin_status st;
    struct lsm *db = g->at->version->db;
    struct lsm_found *f = g->f;
    struct bytes base = f->value;
    bool deleted = false;

    if (g->has_base && f->kind == ENTRY_REF)
        TRY(lsm__value_load(db, f->value, &g->copies, &base, err));
    st = lsm__merge_full(db, g->key, g->has_base ? &base : NULL, g->operands, g->count, &f->scratch,
                         &deleted, err);
    if (unresolved != NULL)
        *unresolved = st != BASIN_OK && st != BASIN_NO_MEM;
    TRY(st);
    unpin(f);
    f->kind = ENTRY_PUT;
    f->value = buf_bytes(&f->scratch);
    f->in_place = false;
    if (deleted)
        st = BASIN_NOT_FOUND;
out:
    return st;
}

basin_status
lsm__resolve(const struct sight *at, struct bytes key, struct lsm_found *f, bool *unresolved,
             basin_error *err)
{
    basin_status st;
    const basin_allocator *mem = at->version->db->mem;
    struct gather g;

    *f = (struct lsm_found){ 0 };
    buf_init(&f->scratch, mem);
    if (unresolved != NULL)
        *unresolved = false;
    gather_init(&g, at, key, f); /* field by field: clearing the inline operands costs */
    TRY(look_everywhere(&g, err));
    if (g.count > 0)
        st = merge(&g, unresolved, err);
    else
        st = g.has_base ? BASIN_OK : BASIN_NOT_FOUND;
out:
    if (st != BASIN_OK)
        unpin(f);
    if (g.capacity)
        mem_free(mem, g.operands, g.capacity * sizeof(*g.operands));
    arena_release(&g.copies);
    return lsm__advise(st, err);
}

basin_status
lsm__get(struct version *v, struct memtable *extra, const struct spilled *spilled,
         struct bytes key, uint64_t snapshot, struct lsm_found *f, basin_error *err)
{
    struct sight at = { v, extra, spilled, UINT64_MAX, snapshot };

    atomic_fetch_add_explicit(&v->db->gets, 1, memory_order_relaxed);
    return lsm__resolve(&at, key, f, NULL, err);
}

void
lsm__found_release(struct lsm_found *f)
{
    unpin(f);
    if (f->scratch.mem != NULL)
        buf_release(&f->scratch);
}

/* ------------------------------------------------------------------ operators at work */

static basin_status
unknown_operator(struct bytes key, uint8_t number, basin_error *err)
{
    char text[2 * KEY_TEXT_BYTES + 1] = "";

    for (size_t i = 0; i < MIN_OF(key.size, (size_t)KEY_TEXT_BYTES); i++)
        (void)snprintf(text + 2 * i, 3, "%02x", key.data[i]);
    return error_set(err, BASIN_UNKNOWN_OPERATOR,
                     "key %s%s of %zu bytes: its value needs merge operator %u", text,
                     key.size > KEY_TEXT_BYTES ? ".." : "", key.size, number);
}

/* Operands with the same number, oldest first and without it, from the oldest left on. */
static basin_status
next_group(const struct bytes *newest_first, size_t left, struct bytes *group, size_t *count,
           uint8_t *number, basin_error *err)
{
    for (*count = 0; *count < left; ++*count) {
        struct bytes operand = newest_first[left - 1 - *count];
        if (operand.size == 0)
            return error_set(err, BASIN_CORRUPT, "a merge operand has no operator number");
        if (*count == 0)
            *number = operand.data[0];
        else if (operand.data[0] != *number)
            break;
        group[*count] = bytes_of(operand.data + 1, operand.size - 1);
    }
    return BASIN_OK;
}

/* Operands of different operators on one key: each group in turn is resolved on the result of the
 * older ones. */
basin_status
lsm__merge_full(const struct lsm *db, struct bytes key, const struct bytes *base,
                const struct bytes *operands_newest_first, size_t count, struct buf *out,
                bool *deleted, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct bytes few[OPERANDS_INLINE], *group = few, value;
    size_t left = count, n;
    uint8_t number = 0;
    struct buf result, swap;

    *deleted = false;
    buf_init(&result, out->mem);
    if (count > OPERANDS_INLINE)
        group = mem_new(out->mem, count * sizeof(*group));
    if (group == NULL)
        FAIL(err, BASIN_NO_MEM, "no memory for %zu operands", count);
    for (; left > 0; left -= n) {
        TRY(next_group(operands_newest_first, left, group, &n, &number, err));
        const struct lsm_operator *op = lsm__operator(db, number);
        if (op == NULL) {
            st = unknown_operator(key, number, err);
            goto out;
        }
        buf_clear(&result);
        *deleted = false;
        TRY(op->full(op->ctx, key, base, group, n, &result, deleted, err));
        swap = *out;
        *out = result;
        result = swap;
        value = buf_bytes(out);
        base = *deleted ? NULL : &value;
    }
out:
    buf_release(&result);
    if (group != few)
        mem_free(out->mem, group, count * sizeof(*group));
    return st;
}
