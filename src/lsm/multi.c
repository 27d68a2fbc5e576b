// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Merging of cursors by a tree of losers (Knuth, volume 3, 5.4.1): after the winner has moved, only
 * the matches on its way up are played again. Keys are compared by their cached prefixes first.
 *
 *   invalid --first, seek_ge--> forward --prev--> backward
 *   invalid --last, seek_le--> backward --next--> forward
 *
 * When the direction changes, every source but the current one is positioned anew around the
 * current entry. The merging cursor is raw: of equal keys it shows all entries, the earlier source
 * first. It never looks at seqnos: that earlier sources are newer is the caller's promise (V1).
 */
#include "lsm/multi.h"
#include "lsm/version.h"

/* ------------------------------------------------------------------ steps by key */

basin_status
icur_next_key(struct icur *c, struct bytes key, basin_error *err)
{
    basin_status st = BASIN_OK;
    uint64_t prefix = c->prefix;

    if (!c->valid)
        return BASIN_OK;
    if (c->ops->next_key != NULL) {
        c->ops->next_key(c);
        return BASIN_OK;
    }
    do {
        TRY(c->ops->next(c, err));
    } while (icur_at(c, key, prefix));
out:
    return st;
}

basin_status
icur_seek_lt(struct icur *c, struct bytes key, basin_error *err)
{
    basin_status st;
    uint64_t prefix = key_prefix(key);

    TRY(c->ops->seek_le(c, key, err));
    if (c->ops->prev_key != NULL && icur_at(c, key, prefix))
        c->ops->prev_key(c);
    while (icur_at(c, key, prefix))
        TRY(c->ops->prev(c, err));
out:
    return st;
}

basin_status
icur_seek_gt(struct icur *c, struct bytes key, basin_error *err)
{
    basin_status st;

    TRY(c->ops->seek_ge(c, key, 0, err));
    if (icur_at(c, key, key_prefix(key)))
        TRY(icur_next_key(c, key, err));
out:
    return st;
}

basin_status
icur_take_back(struct icur *c, struct bytes key, uint64_t snapshot, struct entry *found,
               bool *has, struct buf *store, bool *whole, basin_error *err)
{
    basin_status st = BASIN_OK;
    uint64_t prefix = c->prefix;

    *has = false;
    *whole = true;
    if (c->ops->newest != NULL) {
        *has = c->ops->newest(c, snapshot, found);
        c->ops->prev_key(c);
        return BASIN_OK;
    }
    do {
        if (c->entry.seqno <= snapshot) {
            *found = c->entry;
            found->key = key;
            *has = true;
            *whole = c->stable || (store != NULL && found->value.size <= ICUR_COPY_MAX);
            if (!c->stable && *whole) {
                if (buf_set(store, c->entry.value.data, c->entry.value.size) != BASIN_OK)
                    FAIL(err, BASIN_NO_MEM, "no memory for a value");
                found->value = buf_bytes(store);
            }
        }
        TRY(c->ops->prev(c, err));
    } while (icur_at(c, key, prefix));
out:
    return st;
}

/* ------------------------------------------------------------------ the tournament */

/* Whether source a comes before source b. */
static inline bool
comes_first(const struct tournament *t, uint32_t a, uint32_t b)
{
    const struct icur *x = t->sources[a], *y = t->sources[b];
    int c;

    if (!x->valid || !y->valid)
        return x->valid || (!y->valid && a < b);
    if (x->prefix != y->prefix)
        return (x->prefix < y->prefix) == t->forward;
    c = bytes_compare(x->entry.key, y->entry.key);
    if (c == 0)
        return (a < b) == t->forward;
    return (c < 0) == t->forward;
}

basin_status
tournament_init(struct tournament *t, const basin_allocator *mem, struct icur **sources,
                size_t count, basin_error *err)
{
    basin_status st = BASIN_OK;

    *t = (struct tournament){ .forward = true };
    if (count == 0)
        return BASIN_OK;
    t->sources = mem_new(mem, count * sizeof(*t->sources));
    t->losers = mem_new(mem, count * sizeof(*t->losers));
    if (t->sources == NULL || t->losers == NULL) {
        for (size_t i = 0; i < count; i++)
            sources[i]->ops->close(sources[i]);
        mem_free(mem, t->sources, count * sizeof(*t->sources));
        mem_free(mem, t->losers, count * sizeof(*t->losers));
        *t = (struct tournament){ .forward = true };
        FAIL(err, BASIN_NO_MEM, "no memory to merge %zu sources", count);
    }
    memcpy(t->sources, sources, count * sizeof(*t->sources));
    t->count = count;
out:
    return st;
}

void
tournament_release(struct tournament *t, const basin_allocator *mem)
{
    for (size_t i = 0; i < t->count; i++)
        t->sources[i]->ops->close(t->sources[i]);
    mem_free(mem, t->sources, t->count * sizeof(*t->sources));
    mem_free(mem, t->losers, t->count * sizeof(*t->losers));
    *t = (struct tournament){ 0 };
}

void
tournament_replay(struct tournament *t, size_t i)
{
    uint32_t winner = (uint32_t)i;

    for (size_t node = (t->count + i) / 2; node > 0; node /= 2) {
        uint32_t other = t->losers[node];
        if (comes_first(t, other, winner)) {
            t->losers[node] = winner;
            winner = other;
        }
    }
    t->losers[0] = winner;
}

/* Source i is leaf count + i of the tree. A node that has met only one contender so far holds
 * UINT32_MAX: the first to come waits there, the second plays. */
void
tournament_play(struct tournament *t, bool forward)
{
    t->forward = forward;
    for (size_t i = 0; i < t->count; i++)
        t->losers[i] = UINT32_MAX;
    for (size_t i = t->count; i-- > 0;) {
        uint32_t winner = (uint32_t)i;
        size_t node = (t->count + i) / 2;
        for (; node > 0; node /= 2) {
            uint32_t other = t->losers[node];
            if (other == UINT32_MAX) {
                t->losers[node] = winner;
                break;
            }
            if (comes_first(t, other, winner)) {
                t->losers[node] = winner;
                winner = other;
            }
        }
        if (node == 0)
            t->losers[0] = winner;
    }
}

/* ------------------------------------------------------------------ the merging cursor */

struct multi {
    struct icur base;
    const basin_allocator *mem;
    struct tournament t;
    struct buf key;       /* the current one, while sources are moved */
    basin_status failed;  /* of covering; returned by the next step */
    basin_error failure;
};

static struct multi *
multi_of(const struct icur *c)
{
    return (struct multi *)(uintptr_t)c;
}

static void
show_top(struct multi *m)
{
    const struct icur *top = tournament_top(&m->t);

    m->base.valid = top != NULL;
    if (top != NULL) {
        m->base.entry = top->entry;
        m->base.prefix = top->prefix;
    }
}

/* Before every step: a failure of covering that had no way out. */
static basin_status
multi_start(struct multi *m, basin_error *err)
{
    basin_status st = m->failed;

    if (st != BASIN_OK) {
        m->base.valid = false;
        m->failed = BASIN_OK;
        if (err != NULL)
            *err = m->failure;
    }
    return st;
}

/* How all sources are positioned. */
struct target {
    enum { PLACE_FIRST, PLACE_LAST, PLACE_GE, PLACE_LE } how;
    struct bytes key;
    uint64_t snapshot;
};

static basin_status
place_source(struct icur *c, const struct target *to, basin_error *err)
{
    switch (to->how) {
    case PLACE_FIRST:
        return c->ops->first(c, err);
    case PLACE_LAST:
        return c->ops->last(c, err);
    case PLACE_GE:
        return c->ops->seek_ge(c, to->key, to->snapshot, err);
    case PLACE_LE:
        break;
    }
    return c->ops->seek_le(c, to->key, err);
}

static basin_status
place_all(struct multi *m, const struct target *to, basin_error *err)
{
    basin_status st;

    TRY(multi_start(m, err));
    m->base.valid = false;
    for (size_t i = 0; i < m->t.count; i++) {
        TRY(place_source(m->t.sources[i], to, err));
        m->base.has_ranges |= m->t.sources[i]->has_ranges;
    }
    tournament_play(&m->t, to->how == PLACE_FIRST || to->how == PLACE_GE);
    show_top(m);
out:
    return st;
}

static basin_status
multi_first(struct icur *c, basin_error *err)
{
    return place_all(multi_of(c), &(struct target){ .how = PLACE_FIRST }, err);
}

static basin_status
multi_last(struct icur *c, basin_error *err)
{
    return place_all(multi_of(c), &(struct target){ .how = PLACE_LAST }, err);
}

static basin_status
multi_seek_ge(struct icur *c, struct bytes key, uint64_t snapshot, basin_error *err)
{
    return place_all(multi_of(c), &(struct target){ PLACE_GE, key, snapshot }, err);
}

static basin_status
multi_seek_le(struct icur *c, struct bytes key, basin_error *err)
{
    return place_all(multi_of(c), &(struct target){ PLACE_LE, key, 0 }, err);
}

/* Puts every source but the current one just behind the current entry (forward), or before it. */
static basin_status
turn(struct multi *m, bool forward, basin_error *err)
{
    basin_status st = BASIN_OK;
    uint32_t current = m->t.losers[0];
    struct bytes key = m->base.entry.key;

    if (buf_set(&m->key, key.data, key.size) != BASIN_OK)
        FAIL(err, BASIN_NO_MEM, "no memory for a key of %zu bytes", key.size);
    key = buf_bytes(&m->key);
    for (uint32_t i = 0; i < m->t.count; i++) {
        struct icur *c = m->t.sources[i];
        if (i == current)
            continue;
        if (forward)
            TRY(i < current ? icur_seek_gt(c, key, err)
                            : c->ops->seek_ge(c, key, UINT64_MAX, err));
        else
            TRY(i < current ? c->ops->seek_le(c, key, err) : icur_seek_lt(c, key, err));
    }
    m->t.forward = forward;
out:
    return st;
}

static basin_status
step(struct multi *m, bool forward, basin_error *err)
{
    basin_status st;
    struct icur *c;
    bool turned = m->t.forward != forward;

    TRY(multi_start(m, err));
    if (!m->base.valid)
        return BASIN_OK;
    m->base.valid = false;
    c = m->t.sources[m->t.losers[0]];
    if (turned && m->t.count > 1)
        TRY(turn(m, forward, err));
    TRY(forward ? c->ops->next(c, err) : c->ops->prev(c, err));
    if (turned)
        tournament_play(&m->t, forward);
    else
        tournament_replay(&m->t, m->t.losers[0]);
    show_top(m);
out:
    return st;
}

static basin_status
multi_next(struct icur *c, basin_error *err)
{
    return step(multi_of(c), true, err);
}

static basin_status
multi_prev(struct icur *c, basin_error *err)
{
    return step(multi_of(c), false, err);
}

/* The part of both in which both answers hold. */
static void
cover_meet(struct range_cover *to, const struct range_cover *with)
{
    to->seqno = MAX_OF(to->seqno, with->seqno);
    if (bytes_compare(to->begin, with->begin) < 0)
        to->begin = with->begin;
    if (!with->unbounded && (to->unbounded || bytes_compare(with->end, to->end) < 0)) {
        to->end = with->end;
        to->unbounded = false;
    }
}

static basin_status
cover_sources(struct multi *m, size_t count, struct bytes key, uint64_t snapshot,
              struct range_cover *cover, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct range_cover one;

    *cover = (struct range_cover){ .unbounded = true };
    for (size_t i = 0; i < count; i++) {
        struct icur *c = m->t.sources[i];
        if (!c->has_ranges)
            continue;
        TRY(c->ops->covering(c, key, snapshot, &one, err));
        cover_meet(cover, &one);
    }
out:
    return st;
}

static basin_status
multi_covering(struct icur *c, struct bytes key, uint64_t snapshot, struct range_cover *cover,
               basin_error *err)
{
    struct multi *m = multi_of(c);
    return cover_sources(m, m->t.count, key, snapshot, cover, err);
}

static void
multi_close(struct icur *c)
{
    struct multi *m = multi_of(c);

    tournament_release(&m->t, m->mem);
    buf_release(&m->key);
    mem_free(m->mem, m, sizeof(*m));
}

static const struct icur_ops multi_ops = {
    .first = multi_first,
    .last = multi_last,
    .seek_ge = multi_seek_ge,
    .seek_le = multi_seek_le,
    .next = multi_next,
    .prev = multi_prev,
    .covering = multi_covering,
    .close = multi_close,
};

basin_status
lsm__multi_icur(const basin_allocator *mem, struct icur **sources, size_t count,
                struct icur **out, basin_error *err)
{
    basin_status st;
    struct tournament t;
    struct multi *m;

    st = tournament_init(&t, mem, sources, count, err);
    *out = NULL; /* it may be the place of a source */
    if (st != BASIN_OK)
        return st;
    m = mem_new(mem, sizeof(*m));
    if (m == NULL) {
        tournament_release(&t, mem);
        return error_set(err, BASIN_NO_MEM, "no memory to merge %zu sources", count);
    }
    m->base.ops = &multi_ops;
    m->base.stable = true;
    m->mem = mem;
    m->t = t;
    buf_init(&m->key, mem);
    for (size_t i = 0; i < count; i++) {
        m->base.has_ranges |= t.sources[i]->has_ranges;
        m->base.stable &= t.sources[i]->stable;
    }
    *out = &m->base;
    return BASIN_OK;
}

size_t
lsm__multi_source(const struct icur *multi)
{
    return multi_of(multi)->t.losers[0];
}

uint64_t
lsm__multi_covering(struct icur *multi, size_t source, struct bytes key, uint64_t snapshot,
                    struct range_cover *cover)
{
    struct multi *m = multi_of(multi);
    struct range_cover whole;
    basin_status st = cover_sources(m, source + 1, key, snapshot, &whole, &m->failure);

    if (st != BASIN_OK) {
        m->failed = st;
        whole = (struct range_cover){ .begin = key, .end = key };
    }
    if (cover != NULL)
        *cover = whole;
    return whole.seqno;
}
