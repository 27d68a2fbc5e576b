// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The raw cursor over a run: strata with ascending, disjoint key ranges, one after the other. A
 * single stratum is a run of one. At most one stratum cursor is open; a stratum is opened when the
 * first entry in it is needed, and never when its bounds, or the limit, say that none is.
 *
 * A stratum whose list of prefixes says that no key of it lies in the limit is stepped over, as one
 * without entries is: what it says holds for the cursor's whole life, whatever way it moves. Range
 * tombstones are asked for all the same.
 *
 * Bounds of a stratum: [first_key, last_key], or last_key excluded, or no end at all: the bounds of
 * a range tombstone count. A stratum without entries is stepped over unopened.
 */
#include "lsm/read.h"

struct run_cursor {
    struct icur base;
    const basin_allocator *mem;
    struct lsm_run run;
    struct lsm_stratum *single;    /* the strata of a run of one */
    const struct lsm_range *limit; /* borrowed, may be NULL */
    size_t at;                     /* stratum of the cursor, which may hold keys in the limit */
    struct stratum_cursor *cursor; /* NULL: none is open */
};

basin_status
lsm__stratum_read(struct lsm_stratum *ls, struct stratum **out, basin_error *err)
{
    char name[LSM_OBJECT_NAME_SIZE];

    *out = NULL;
    if (LIKELY(!atomic_load_explicit(&ls->damaged, memory_order_relaxed)))
        return lsm__stratum_use(ls, out, err);
    lsm__object_name(name, "strata", ls->id);
    (void)error_set(err, BASIN_CORRUPT, "%s: fenced off, since damage was found in it", name);
    error_hint(err, "keys outside of it are not affected; run basin repair or basin salvage");
    return BASIN_CORRUPT;
}

static bool
ends_before(const struct lsm_stratum *ls, struct bytes key)
{
    int c;

    if (ls->last_unbounded)
        return false;
    c = bytes_compare(buf_bytes(&ls->last_key), key);
    return c < 0 || (c == 0 && ls->last_excluded);
}

size_t
lsm__run_find(const struct lsm_run *run, struct bytes key)
{
    size_t low = 0, high = run->count;

    while (low < high) {
        size_t mid = (low + high) / 2;
        if (ends_before(run->strata[mid], key))
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* How many strata begin at or before key. */
static size_t
count_begun(const struct lsm_run *run, struct bytes key)
{
    size_t low = 0, high = run->count;

    while (low < high) {
        size_t mid = (low + high) / 2;
        if (lsm__stratum_begins(run->strata[mid], key))
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* ------------------------------------------------------------------ places */

static struct run_cursor *
run_of(struct icur *c)
{
    return (struct run_cursor *)(void *)c;
}

static void
show(struct run_cursor *c)
{
    c->base.valid = c->cursor != NULL && stratum_cursor_valid(c->cursor);
    if (c->base.valid) {
        c->base.entry = *stratum_cursor_entry(c->cursor);
        c->base.prefix = key_prefix(c->base.entry.key);
    }
}

/* Whether stratum s may have entries in the limit. */
static bool
may_hold(const struct run_cursor *c, const struct stratum *s)
{
    const struct lsm_range *r = c->limit;

    if (r == NULL)
        return true;
    return stratum_may_hold(s, r->has_lower ? &r->lower : NULL, r->has_upper ? &r->upper : NULL,
                            r->upper_excluded);
}

/* Opens a cursor on stratum i; *has: it may have entries in the limit, else nothing was done. */
static basin_status
enter(struct run_cursor *c, size_t i, bool *has, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct stratum *s;

    *has = c->run.strata[i]->entries > 0;
    if (!*has || (c->cursor != NULL && c->at == i))
        goto out;
    TRY(lsm__stratum_read(c->run.strata[i], &s, err));
    *has = may_hold(c, s);
    if (!*has)
        goto out;
    stratum_cursor_close(c->cursor);
    c->cursor = NULL;
    TRY(stratum_cursor_open(s, &c->cursor, err));
    if (UNLIKELY(c->run.strata[i]->db->rebuild != NULL))
        lsm__rebuild_skip(c->run.strata[i], c->cursor);
    c->at = i;
out:
    return st;
}

static bool
behind_limit(const struct run_cursor *c, size_t i)
{
    const struct lsm_range *r = c->limit;
    int order;

    if (r == NULL || !r->has_upper)
        return false;
    order = bytes_compare(buf_bytes(&c->run.strata[i]->first_key), r->upper);
    return order > 0 || (order == 0 && r->upper_excluded);
}

static bool
before_limit(const struct run_cursor *c, size_t i)
{
    const struct lsm_range *r = c->limit;
    return r != NULL && r->has_lower && ends_before(c->run.strata[i], r->lower);
}

/* To the first entry of stratum i or of one behind it. */
static basin_status
first_from(struct run_cursor *c, size_t i, basin_error *err)
{
    basin_status st = BASIN_OK;
    bool has;

    for (; i < c->run.count && !behind_limit(c, i) && !c->base.valid; i++) {
        TRY(enter(c, i, &has, err));
        if (!has)
            continue;
        TRY(stratum_cursor_first(c->cursor, err));
        show(c);
    }
out:
    return st;
}

/* To the last entry of a stratum before i. */
static basin_status
last_before(struct run_cursor *c, size_t i, basin_error *err)
{
    basin_status st = BASIN_OK;
    bool has;

    while (i-- > 0 && !before_limit(c, i) && !c->base.valid) {
        TRY(enter(c, i, &has, err));
        if (!has)
            continue;
        TRY(stratum_cursor_last(c->cursor, err));
        show(c);
    }
out:
    return st;
}

static basin_status
run_first(struct icur *base, basin_error *err)
{
    base->valid = false;
    return first_from(run_of(base), 0, err);
}

static basin_status
run_last(struct icur *base, basin_error *err)
{
    base->valid = false;
    return last_before(run_of(base), run_of(base)->run.count, err);
}

static basin_status
run_seek_ge(struct icur *base, struct bytes key, uint64_t snapshot, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct run_cursor *c = run_of(base);
    size_t i = lsm__run_find(&c->run, key);
    bool has;

    base->valid = false;
    if (i == c->run.count || behind_limit(c, i))
        goto out;
    TRY(enter(c, i, &has, err));
    if (has) {
        TRY(stratum_cursor_seek_ge(c->cursor, key, snapshot, err));
        show(c);
    }
    if (!base->valid)
        TRY(first_from(c, i + 1, err));
out:
    return st;
}

static basin_status
run_seek_le(struct icur *base, struct bytes key, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct run_cursor *c = run_of(base);
    size_t i = count_begun(&c->run, key);
    bool has;

    base->valid = false;
    if (i == 0 || before_limit(c, i - 1))
        goto out;
    TRY(enter(c, i - 1, &has, err));
    if (has) {
        TRY(stratum_cursor_seek_le(c->cursor, key, err));
        show(c);
    }
    if (!base->valid)
        TRY(last_before(c, i - 1, err));
out:
    return st;
}

static basin_status
run_next(struct icur *base, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct run_cursor *c = run_of(base);

    if (!base->valid)
        goto out;
    base->valid = false;
    TRY(stratum_cursor_next(c->cursor, err));
    show(c);
    if (!base->valid)
        TRY(first_from(c, c->at + 1, err));
out:
    return st;
}

static basin_status
run_prev(struct icur *base, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct run_cursor *c = run_of(base);

    if (!base->valid)
        goto out;
    base->valid = false;
    TRY(stratum_cursor_prev(c->cursor, err));
    show(c);
    if (!base->valid)
        TRY(last_before(c, c->at, err));
out:
    return st;
}

/* ------------------------------------------------------------------ range tombstones */

/* First of the n fragments that begins behind key (or, with `at_too`, at or behind it). */
static size_t
fragment_find(const struct range_tombstone *r, size_t n, struct bytes key, bool at_too)
{
    size_t low = 0, high = n;

    while (low < high) {
        size_t mid = (low + high) / 2;
        int c = bytes_compare(r[mid].begin, key);
        if (c < 0 || (c == 0 && !at_too))
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* The fragments of one stratum; cover is set to the stratum's part of the keys already. */
static void
fragments_covering(const struct range_tombstone *r, size_t n, struct bytes key, uint64_t snapshot,
                   struct range_cover *cover)
{
    size_t behind = fragment_find(r, n, key, false), first;
    const struct range_tombstone *f;

    if (behind < n) {
        cover->end = r[behind].begin;
        cover->unbounded = false;
    }
    if (behind == 0)
        return;
    f = &r[behind - 1];
    if (!f->unbounded && bytes_compare(f->end, key) <= 0) {
        cover->begin = f->end;
        return;
    }
    cover->begin = f->begin;
    cover->end = f->end;
    cover->unbounded = f->unbounded;
    first = fragment_find(r, behind, f->begin, true);
    for (size_t low = first, high = behind; low < high;) { /* seqnos descend */
        size_t mid = (low + high) / 2;
        if (r[mid].seqno <= snapshot) {
            cover->seqno = r[mid].seqno;
            high = mid;
        } else {
            low = mid + 1;
        }
    }
}

static basin_status
run_covering(struct icur *base, struct bytes key, uint64_t snapshot, struct range_cover *cover,
             basin_error *err)
{
    basin_status st = BASIN_OK;
    struct run_cursor *c = run_of(base);
    size_t i = lsm__run_find(&c->run, key), n;
    const struct range_tombstone *ranges;
    struct stratum *s;

    *cover = (struct range_cover){ .begin = key, .unbounded = true };
    if (i == c->run.count)
        goto out;
    if (!lsm__stratum_begins(c->run.strata[i], key)) {
        cover->end = buf_bytes(&c->run.strata[i]->first_key);
        cover->unbounded = false;
        goto out;
    }
    cover->begin = buf_bytes(&c->run.strata[i]->first_key);
    if (i + 1 < c->run.count) {
        cover->end = buf_bytes(&c->run.strata[i + 1]->first_key);
        cover->unbounded = false;
    }
    if (c->run.strata[i]->range_tombstones == 0)
        goto out;
    TRY(lsm__stratum_read(c->run.strata[i], &s, err));
    ranges = stratum_ranges(s, &n);
    fragments_covering(ranges, n, key, snapshot, cover);
out:
    return st;
}

/* ------------------------------------------------------------------ life */

static void
run_close(struct icur *base)
{
    struct run_cursor *c = run_of(base);

    stratum_cursor_close(c->cursor);
    mem_free(c->mem, c, sizeof(*c));
}

static const struct icur_ops run_ops = {
    .first = run_first,
    .last = run_last,
    .seek_ge = run_seek_ge,
    .seek_le = run_seek_le,
    .next = run_next,
    .prev = run_prev,
    .covering = run_covering,
    .close = run_close,
};

basin_status
lsm__run_icur(const struct lsm_run *run, const basin_allocator *mem, struct icur **out,
              basin_error *err)
{
    struct run_cursor *c = mem_new(mem, sizeof(*c));

    *out = NULL;
    if (c == NULL)
        return error_set(err, BASIN_NO_MEM, "no memory for a cursor");
    c->base.ops = &run_ops;
    c->mem = mem;
    c->run = *run;
    for (size_t i = 0; i < run->count && !c->base.has_ranges; i++)
        c->base.has_ranges = run->strata[i]->range_tombstones > 0;
    *out = &c->base;
    return BASIN_OK;
}

basin_status
lsm__stratum_icur(struct lsm_stratum *ls, const basin_allocator *mem, struct icur **out,
                  basin_error *err)
{
    basin_status st;
    struct lsm_run run = { ls->level, ls->run, 1, &ls };

    TRY(lsm__run_icur(&run, mem, out, err));
    run_of(*out)->single = ls;
    run_of(*out)->run.strata = &run_of(*out)->single;
out:
    return st;
}

void
lsm__run_limit(struct icur *run, const struct lsm_range *range)
{
    run_of(run)->limit = range;
}
