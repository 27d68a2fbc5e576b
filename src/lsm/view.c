// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The living cursor: the newest visible version of each key over all sources of a version.
 *
 *   invalid --first, seek GE--> forward --prev--> backward
 *   invalid --last, seek LE--> backward --next--> forward
 *   invalid --seek EQ--> detached --next--> forward, --prev--> backward
 *   any step that finds nothing, or fails --> invalid
 *
 * (W1) forward: the current entry is that of the tournament's winner; all sources stand at the
 *      current key or behind it. Key and value are read in place.
 * (W2) backward: all sources stand before the current key, for the newest version of a key comes
 *      last when one goes backward; key and value were taken on the way (a large value is looked
 *      up when it is asked for). A source that finds the newest version without moving may still
 *      stand at the key.
 *
 * A range tombstone of source j hides every key in it from the sources behind j: they are moved to
 * its end by one seek each. Answers about range tombstones are kept with the interval in which they
 * hold, so that a scan asks once per interval and not once per key.
 */
#include "lsm/multi.h"
#include "lsm/read.h"

/* The last answer of a source about range tombstones. */
struct known_cover {
    struct range_cover cover;
    bool known;
};

struct view {
    const basin_allocator *mem;
    struct sight sight;
    struct lsm_range range; /* bytes in lower and upper */
    struct buf lower, upper;
    struct tournament t;
    struct known_cover *covers; /* one per source */
    size_t extra_count;         /* sources of the transaction's own */
    bool any_ranges;
    bool valid;
    bool key_fixed;             /* the key does not move with its source */
    bool lazy;                  /* the value is looked up when asked for */
    bool detached;              /* after seek EQ: the sources stand anywhere */
    bool has_found;
    struct bytes key;
    enum entry_kind kind;
    struct bytes value;
    struct buf key_buf, store, target;
    struct lsm_found found;     /* of a merge or a lazy value */
    uint64_t visited;
};

/* ------------------------------------------------------------------ bounds */

static bool
behind_upper(const struct view *w, struct bytes key)
{
    int c;

    if (!w->range.has_upper)
        return false;
    c = bytes_compare(key, w->range.upper);
    return c > 0 || (c == 0 && w->range.upper_excluded);
}

static bool
before_lower(const struct view *w, struct bytes key)
{
    int c;

    if (!w->range.has_lower)
        return false;
    c = bytes_compare(key, w->range.lower);
    return c < 0 || (c == 0 && w->range.lower_excluded);
}

static uint64_t
snapshot_of(const struct view *w, size_t source)
{
    return source < w->extra_count ? w->sight.extra_snapshot : w->sight.snapshot;
}

/* ------------------------------------------------------------------ state */

static void
forget_found(struct view *w)
{
    if (w->has_found)
        lsm__found_release(&w->found);
    w->has_found = false;
}

static basin_status
end(struct view *w)
{
    w->valid = false;
    return BASIN_END;
}

/* Before anything moves: the view is invalid until the step succeeds. */
static void
start(struct view *w)
{
    w->valid = false;
    forget_found(w);
}

static void
hold_key(struct view *w, const struct icur *c)
{
    w->key = c->entry.key;
    w->key_fixed = c->stable;
}

/* Makes the key outlive a move of its source. */
static basin_status
fix_key(struct view *w, basin_error *err)
{
    if (w->key_fixed)
        return BASIN_OK;
    if (buf_set(&w->key_buf, w->key.data, w->key.size) != BASIN_OK)
        return error_set(err, BASIN_NO_MEM, "no memory for a key of %zu bytes", w->key.size);
    w->key = buf_bytes(&w->key_buf);
    w->key_fixed = true;
    return BASIN_OK;
}

/* What source j says about w->key. */
static basin_status
ask_cover(struct view *w, size_t j, uint64_t *seqno, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct known_cover *k = &w->covers[j];
    struct icur *c = w->t.sources[j];

    if (k->known)
        k->known = w->t.forward ? k->cover.unbounded || bytes_compare(w->key, k->cover.end) < 0
                                : bytes_compare(k->cover.begin, w->key) <= 0;
    if (!k->known) {
        TRY(c->ops->covering(c, w->key, snapshot_of(w, j), &k->cover, err));
        /* an interval that begins at the key is only good for going forward */
        k->known = w->t.forward || k->cover.begin.data != w->key.data;
    }
    *seqno = k->cover.seqno;
out:
    return st;
}

static void
play(struct view *w, bool forward)
{
    if (w->t.forward != forward)
        for (size_t i = 0; i < w->t.count; i++)
            w->covers[i].known = false;
    tournament_play(&w->t, forward);
}

/* The value of a key whose newest version is an operand; *shown: there is one. */
static basin_status
resolve_merge(struct view *w, bool *shown, basin_error *err)
{
    basin_status st;
    bool unresolved;

    TRY(fix_key(w, err));
    st = lsm__resolve(&w->sight, w->key, &w->found, &unresolved, err);
    w->has_found = true;
    *shown = st != BASIN_NOT_FOUND;
    if (st == BASIN_OK) {
        w->kind = w->found.kind;
        w->value = w->found.value;
        return BASIN_OK;
    }
    forget_found(w);
    if (st == BASIN_NOT_FOUND)
        return BASIN_OK;
    if (unresolved || lsm__passes_over(w->sight.version->db, st)) {
        /* the key is there; asking for its value tells */
        w->lazy = true;
        return BASIN_OK;
    }
out:
    return st;
}

/* ------------------------------------------------------------------ forward */

/* All sources move behind the current key; the winner stands on it. */
static basin_status
leave_key(struct view *w, basin_error *err)
{
    basin_status st;
    struct icur *c = w->t.sources[w->t.losers[0]];
    uint64_t prefix = c->prefix;

    TRY(fix_key(w, err));
    do {
        TRY(icur_next_key(c, w->key, err));
        if (w->t.count == 1)
            break;
        tournament_replay(&w->t, w->t.losers[0]);
        c = w->t.sources[w->t.losers[0]];
    } while (icur_at(c, w->key, prefix));
out:
    return st;
}

/* Where the cover of source j that holds w->key ends; adjoining ones are followed. */
static basin_status
cover_end(struct view *w, size_t j, struct bytes *end_at, bool *behind, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct icur *c = w->t.sources[j];
    struct range_cover cover = w->covers[j].cover;

    while (cover.seqno > 0) {
        *end_at = cover.end;
        *behind = cover.unbounded || behind_upper(w, cover.end);
        if (*behind)
            break;
        TRY(c->ops->covering(c, *end_at, snapshot_of(w, j), &cover, err));
    }
out:
    return st;
}

/* w->key, at source i, is covered by a range tombstone of source j <= i. */
static basin_status
skip_cover(struct view *w, size_t i, size_t j, basin_error *err)
{
    basin_status st;
    struct bytes to = BYTES_NULL;
    bool behind = false;

    TRY(fix_key(w, err));
    TRY(cover_end(w, j, &to, &behind, err));
    for (size_t k = j + 1; k < w->t.count; k++) {
        struct icur *c = w->t.sources[k];
        if (c->valid && behind)
            c->valid = false;
        else if (c->valid && bytes_compare(c->entry.key, to) < 0)
            TRY(c->ops->seek_ge(c, to, snapshot_of(w, k), err));
    }
    if (i == j)
        TRY(icur_next_key(w->t.sources[i], w->key, err));
    play(w, true);
out:
    return st;
}

enum verdict { SHOWN, HIDDEN, COVERED, TOO_NEW };

/* Of the current entry of source i; `by` is the source that covers it. */
static basin_status
judge(struct view *w, size_t i, enum verdict *verdict, size_t *by, basin_error *err)
{
    basin_status st = BASIN_OK;
    const struct icur *c = w->t.sources[i];
    uint64_t seqno, own = 0;
    bool shown = true;

    for (size_t j = 0; w->any_ranges && j <= i; j++) {
        if (!w->t.sources[j]->has_ranges)
            continue;
        TRY(ask_cover(w, j, &seqno, err));
        if (seqno > 0 && j < i) {
            *verdict = COVERED;
            *by = j;
            goto out;
        }
        own = seqno;
    }
    *by = i;
    if (c->entry.seqno > snapshot_of(w, i)) {
        *verdict = TOO_NEW;
    } else if (c->entry.seqno < own) {
        *verdict = COVERED;
    } else if (c->entry.kind == ENTRY_DELETE) {
        *verdict = HIDDEN;
    } else {
        w->kind = c->entry.kind;
        w->value = c->entry.value;
        if (w->kind == ENTRY_MERGE)
            TRY(resolve_merge(w, &shown, err));
        *verdict = shown ? SHOWN : HIDDEN;
    }
out:
    return st;
}

/* To a version that is old enough, or behind the key. */
static basin_status
step_older(struct view *w, size_t i, basin_error *err)
{
    basin_status st;
    struct icur *c = w->t.sources[i];

    if (c->stable)
        TRY(c->ops->seek_ge(c, w->key, snapshot_of(w, i), err));
    else
        TRY(c->ops->next(c, err));
    tournament_replay(&w->t, i);
out:
    return st;
}

/* To the first key to show at or behind where the sources stand. */
static basin_status
settle_forward(struct view *w, basin_error *err)
{
    basin_status st = BASIN_OK;
    enum verdict verdict = HIDDEN;
    size_t by = 0;

    while (verdict != SHOWN) {
        struct icur *c = tournament_top(&w->t);
        size_t i;
        if (c == NULL || behind_upper(w, c->entry.key))
            return end(w);
        i = w->t.losers[0];
        w->visited++;
        w->lazy = false;
        hold_key(w, c);
        TRY(judge(w, i, &verdict, &by, err));
        if (verdict == TOO_NEW)
            TRY(step_older(w, i, err));
        else if (verdict == COVERED)
            TRY(skip_cover(w, i, by, err));
        else if (verdict == HIDDEN)
            TRY(leave_key(w, err));
    }
    w->valid = true;
out:
    return st;
}

/* ------------------------------------------------------------------ backward */

/* Sources behind j move to before the range tombstone of j that covers w->key. */
static basin_status
skip_cover_back(struct view *w, size_t j, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct bytes from = w->covers[j].cover.begin;

    for (size_t k = j + 1; k < w->t.count; k++) {
        struct icur *c = w->t.sources[k];
        if (c->valid && bytes_compare(c->entry.key, from) >= 0)
            TRY(icur_seek_lt(c, from, err));
    }
out:
    return st;
}

/* Sources that still stand at the current key move to before it. */
static void
leave_key_back(struct view *w)
{
    struct icur *c;
    uint64_t prefix = key_prefix(w->key);

    while ((c = tournament_top(&w->t)) != NULL && icur_at(c, w->key, prefix)) {
        c->ops->prev_key(c);
        tournament_replay(&w->t, w->t.losers[0]);
    }
}

/* What source c, which stands at w->key, has of it; whether the source moved. */
static basin_status
take_from(struct view *w, size_t i, bool wanted, struct entry *e, bool *has, bool *moved,
          basin_error *err)
{
    basin_status st = BASIN_OK;
    struct icur *c = w->t.sources[i];
    bool whole = true;

    *moved = c->ops->newest == NULL;
    if (*moved)
        TRY(icur_take_back(c, w->key, snapshot_of(w, i), e, has, wanted ? &w->store : NULL,
                           &whole, err));
    else
        *has = c->ops->newest(c, snapshot_of(w, i), e);
    if (wanted)
        w->lazy = !whole;
out:
    return st;
}

/* Finds what w->key shows; sources move as (W2) says. */
static basin_status
take_key(struct view *w, bool *shown, basin_error *err)
{
    basin_status st = BASIN_OK;
    uint64_t prefix = key_prefix(w->key), own;
    size_t move_count = 0, last = 0, hider = SIZE_MAX;
    bool done = false, has, moved;
    struct entry e = { 0 };

    *shown = false;
    for (size_t i = 0; i < w->t.count; i++) {
        struct icur *c = w->t.sources[i];
        own = 0;
        if (!done && c->has_ranges)
            TRY(ask_cover(w, i, &own, err));
        if (icur_at(c, w->key, prefix)) {
            TRY(take_from(w, i, !done, &e, &has, &moved, err));
            move_count += moved;
            last = moved ? i : last;
            if (!done && has && e.seqno >= own) {
                done = true;
                *shown = e.kind != ENTRY_DELETE;
                w->kind = e.kind;
                w->value = e.value;
            }
        }
        if (!done && own > 0) {
            done = true;
            hider = i;
        }
    }
    if (hider != SIZE_MAX)
        TRY(skip_cover_back(w, hider, err));
    if (hider != SIZE_MAX || move_count > 1 || (move_count == 1 && last != w->t.losers[0]))
        play(w, false);
    else if (move_count == 1)
        tournament_replay(&w->t, last);
    if (*shown && w->kind == ENTRY_MERGE)
        TRY(resolve_merge(w, shown, err));
out:
    return st;
}

/* To the last key to show at or before where the sources stand. */
static basin_status
settle_backward(struct view *w, basin_error *err)
{
    basin_status st = BASIN_OK;
    bool shown = false;

    while (!shown) {
        struct icur *c = tournament_top(&w->t);
        if (c == NULL || before_lower(w, c->entry.key))
            return end(w);
        w->visited++;
        w->lazy = false;
        hold_key(w, c);
        TRY(fix_key(w, err));
        TRY(take_key(w, &shown, err));
        if (!shown)
            leave_key_back(w);
    }
    w->valid = true;
out:
    return st;
}

/* ------------------------------------------------------------------ places */

enum spot { SPOT_FIRST, SPOT_GE, SPOT_GT, SPOT_LAST, SPOT_LE, SPOT_LT };

static basin_status
place_source(struct view *w, size_t i, enum spot spot, struct bytes key, basin_error *err)
{
    struct icur *c = w->t.sources[i];

    switch (spot) {
    case SPOT_FIRST:
        return c->ops->first(c, err);
    case SPOT_GE:
        return c->ops->seek_ge(c, key, snapshot_of(w, i), err);
    case SPOT_GT:
        return icur_seek_gt(c, key, err);
    case SPOT_LAST:
        return c->ops->last(c, err);
    case SPOT_LE:
        return c->ops->seek_le(c, key, err);
    case SPOT_LT:
        break;
    }
    return icur_seek_lt(c, key, err);
}

/* Positions all sources and settles. key lies in no source's memory. */
static basin_status
go(struct view *w, enum spot spot, struct bytes key, basin_error *err)
{
    basin_status st = BASIN_OK;
    bool forward = spot <= SPOT_GT;

    start(w);
    w->any_ranges = w->detached = false;
    for (size_t i = 0; i < w->t.count; i++) {
        TRY(place_source(w, i, spot, key, err));
        w->any_ranges |= w->t.sources[i]->has_ranges;
        w->covers[i].known = false;
    }
    play(w, forward);
    TRY(forward ? settle_forward(w, err) : settle_backward(w, err));
out:
    return lsm__advise(st, err);
}

basin_status
lsm__view_first(struct view *w, basin_error *err)
{
    if (!w->range.has_lower)
        return go(w, SPOT_FIRST, BYTES_NULL, err);
    return go(w, w->range.lower_excluded ? SPOT_GT : SPOT_GE, w->range.lower, err);
}

basin_status
lsm__view_last(struct view *w, basin_error *err)
{
    if (!w->range.has_upper)
        return go(w, SPOT_LAST, BYTES_NULL, err);
    return go(w, w->range.upper_excluded ? SPOT_LT : SPOT_LE, w->range.upper, err);
}

/* A lookup of one key, with the help of filters; the sources are placed when a step follows. */
static basin_status
seek_equal(struct view *w, struct bytes key, basin_error *err)
{
    basin_status st;
    bool unresolved;

    start(w);
    if (before_lower(w, key) || behind_upper(w, key))
        return end(w);
    w->visited++;
    w->key = key;
    w->key_fixed = false; /* the next seek overwrites it */
    TRY(fix_key(w, err));
    st = lsm__resolve(&w->sight, w->key, &w->found, &unresolved, err);
    w->has_found = true;
    w->lazy = unresolved;
    if (st == BASIN_NOT_FOUND)
        return end(w);
    if (!unresolved)
        TRY(st);
    w->kind = w->found.kind;
    w->value = w->found.value;
    w->detached = w->valid = true;
    st = BASIN_OK;
out:
    return st;
}

basin_status
lsm__view_seek(struct view *w, struct bytes key, enum lsm_seek op, basin_error *err)
{
    /* the key may be the view's own */
    if (buf_set(&w->target, key.data, key.size) != BASIN_OK) {
        start(w);
        return error_set(err, BASIN_NO_MEM, "no memory for a key of %zu bytes", key.size);
    }
    key = buf_bytes(&w->target);
    if (op == LSM_SEEK_EQ)
        return seek_equal(w, key, err);
    if (op == LSM_SEEK_GE)
        return before_lower(w, key) ? lsm__view_first(w, err) : go(w, SPOT_GE, key, err);
    return behind_upper(w, key) ? lsm__view_last(w, err) : go(w, SPOT_LE, key, err);
}

basin_status
lsm__view_next(struct view *w, basin_error *err)
{
    basin_status st;

    if (!w->valid)
        return BASIN_END;
    TRY(fix_key(w, err));
    if (w->detached || !w->t.forward)
        return go(w, SPOT_GT, w->key, err);
    start(w);
    TRY(leave_key(w, err));
    st = settle_forward(w, err);
out:
    if (st != BASIN_OK)
        w->valid = false;
    return lsm__advise(st, err);
}

basin_status
lsm__view_prev(struct view *w, basin_error *err)
{
    basin_status st;

    if (!w->valid)
        return BASIN_END;
    TRY(fix_key(w, err));
    if (w->detached || w->t.forward)
        return go(w, SPOT_LT, w->key, err);
    start(w);
    leave_key_back(w);
    st = settle_backward(w, err);
out:
    if (st != BASIN_OK)
        w->valid = false;
    return lsm__advise(st, err);
}

/* ------------------------------------------------------------------ what is there */

bool
lsm__view_valid(const struct view *w)
{
    return w->valid;
}

struct bytes
lsm__view_key(const struct view *w)
{
    must(w->valid);
    return w->key;
}

basin_status
lsm__view_value(struct view *w, enum entry_kind *kind, struct bytes *value, basin_error *err)
{
    basin_status st = BASIN_OK;

    must(w->valid);
    *value = BYTES_NULL;
    if (w->lazy) {
        TRY(fix_key(w, err));
        forget_found(w);
        st = lsm__resolve(&w->sight, w->key, &w->found, NULL, err);
        w->has_found = true;
        if (st == BASIN_NOT_FOUND)
            FAIL(err, BASIN_IO, "a value that could not be read is deleted now");
        TRY(st);
        w->kind = w->found.kind;
        w->value = w->found.value;
        w->lazy = false;
    }
    *kind = w->kind;
    *value = w->value;
out:
    return st;
}

uint64_t
lsm__view_visited(const struct view *w)
{
    return w->visited;
}

/* ------------------------------------------------------------------ life */

static basin_status
copy_bound(struct buf *to, struct bytes *bound, bool there, basin_error *err)
{
    if (!there)
        return BASIN_OK;
    if (buf_set(to, bound->data, bound->size) != BASIN_OK)
        return error_set(err, BASIN_NO_MEM, "no memory for a bound of %zu bytes", bound->size);
    *bound = buf_bytes(to);
    return BASIN_OK;
}

static basin_status
add_memtable(struct view *w, struct memtable *m, struct icur **sources, size_t *count,
             basin_error *err)
{
    basin_status st = BASIN_OK;

    if (memtable_entries(m) + memtable_range_count(m) == 0)
        return BASIN_OK;
    TRY(memtable_cursor(m, w->mem, &sources[*count], err));
    ++*count;
out:
    return st;
}

/* Whether some stratum of the run has keys or range tombstones inside the bounds. */
static bool
run_matters(const struct view *w, const struct lsm_run *run)
{
    size_t i = w->range.has_lower ? lsm__run_find(run, w->range.lower) : 0;

    return i < run->count && !behind_upper(w, buf_bytes(&run->strata[i]->first_key));
}

static basin_status
add_run(struct view *w, const struct lsm_run *run, struct icur **sources, size_t *count,
        basin_error *err)
{
    basin_status st = BASIN_OK;

    if (!run_matters(w, run))
        return BASIN_OK;
    TRY(lsm__run_icur(run, w->mem, &sources[*count], err));
    lsm__run_limit(sources[*count], &w->range);
    ++*count;
out:
    return st;
}

/* All sources, newest first; *count of them are made also on failure. */
static basin_status
open_sources(struct view *w, struct icur **sources, size_t *count, basin_error *err)
{
    basin_status st = BASIN_OK;
    const struct version *v = w->sight.version;
    const struct spilled *own = w->sight.spilled;

    if (w->sight.extra != NULL)
        TRY(add_memtable(w, w->sight.extra, sources, count, err));
    for (size_t i = 0; own != NULL && i < own->run_count; i++)
        TRY(add_run(w, &own->runs[i], sources, count, err));
    w->extra_count = *count;
    for (size_t i = 0; i < v->mem_count; i++)
        TRY(add_memtable(w, v->mems[i], sources, count, err));
    for (size_t i = 0; i < v->run_count; i++)
        TRY(add_run(w, &v->runs[i], sources, count, err));
out:
    return st;
}

static basin_status
view_fill(struct view *w, basin_error *err)
{
    basin_status st;
    const struct version *v = w->sight.version;
    size_t own = w->sight.spilled != NULL ? w->sight.spilled->run_count : 0;
    size_t most = 1 + own + v->mem_count + v->run_count, count = 0;
    struct icur **sources = mem_new(w->mem, most * sizeof(*sources));

    if (sources == NULL)
        FAIL(err, BASIN_NO_MEM, "no memory for %zu sources", most);
    st = open_sources(w, sources, &count, err);
    if (st == BASIN_OK && count > 0) {
        w->covers = mem_new(w->mem, count * sizeof(*w->covers));
        if (w->covers == NULL)
            st = error_set(err, BASIN_NO_MEM, "no memory for %zu sources", count);
    }
    if (st == BASIN_OK) {
        st = tournament_init(&w->t, w->mem, sources, count, err);
        if (st != BASIN_OK) {
            mem_free(w->mem, w->covers, count * sizeof(*w->covers));
            w->covers = NULL;
        }
        goto out;
    }
    while (count > 0) {
        count--;
        sources[count]->ops->close(sources[count]);
    }
out:
    mem_free(w->mem, sources, most * sizeof(*sources));
    return st;
}

basin_status
lsm__view_open(const struct view_options *options, struct view **out, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct view *w = mem_new(options->mem, sizeof(*w));

    *out = NULL;
    if (w == NULL)
        FAIL(err, BASIN_NO_MEM, "no memory for a cursor");
    w->mem = options->mem;
    w->sight = (struct sight){ options->version, options->extra, options->spilled,
                               options->extra_snapshot, options->snapshot };
    buf_init(&w->lower, w->mem);
    buf_init(&w->upper, w->mem);
    buf_init(&w->key_buf, w->mem);
    buf_init(&w->store, w->mem);
    buf_init(&w->target, w->mem);
    if (options->range != NULL)
        w->range = *options->range;
    TRY(copy_bound(&w->lower, &w->range.lower, w->range.has_lower, err));
    TRY(copy_bound(&w->upper, &w->range.upper, w->range.has_upper, err));
    TRY(view_fill(w, err));
    *out = w;
    w = NULL; /* given away */
out:
    lsm__view_close(w);
    return st;
}

void
lsm__view_close(struct view *w)
{
    if (w == NULL)
        return;
    forget_found(w);
    mem_free(w->mem, w->covers, w->t.count * sizeof(*w->covers));
    tournament_release(&w->t, w->mem);
    buf_release(&w->lower);
    buf_release(&w->upper);
    buf_release(&w->key_buf);
    buf_release(&w->store);
    buf_release(&w->target);
    mem_free(w->mem, w, sizeof(*w));
}
