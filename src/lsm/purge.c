// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Purging: a stratum is written again without what newer runs hide from every snapshot. A merge
 * needs room for all that it reads before it gives any back; a purge needs room for what is left of
 * one stratum, so that deletes become room on a disk that has next to none. What hides stays where
 * it is, so the stratum keeps its level and nothing is ever applied twice.
 *
 *   multi [ newer runs ..., the stratum ] -> filter: only entries of the last one, not hidden
 *
 * (P1) an entry is hidden by a put or delete of its key in a newer run, or by a range tombstone
 *      there, that the oldest snapshot sees. Operands of merges hide nothing.
 */
#include "lsm/merge.h"
#include "lsm/rules.h"

struct filter {
    struct icur base;
    const basin_allocator *mem;
    struct icur *all;
    struct icur *own;   /* of the stratum; belongs to all */
    size_t newer;       /* runs before it */
    uint64_t oldest;    /* snapshot */
    struct bytes begin; /* first key of the stratum */
    const struct lsm_stratum *stratum;
    struct buf hidden; /* a key that a newer run hides */
    bool has_hidden;
    uint64_t seen, bytes, dropped, dropped_bytes;
};

static bool
is_hidden(struct filter *f, const struct entry *e)
{
    struct range_cover cover;

    if (f->has_hidden && bytes_equal(buf_bytes(&f->hidden), e->key))
        return true;
    return f->all->has_ranges &&
           lsm__multi_covering(f->all, f->newer - 1, e->key, f->oldest, &cover) > e->seqno;
}

/* What an entry takes; of a large value also what lies out of line. */
static uint64_t
entry_bytes(const struct entry *e)
{
    struct value_place p;
    uint64_t n = e->key.size + e->value.size;

    if (e->kind == ENTRY_REF && lsm__value_place_get(e->value, &p, NULL) == BASIN_OK)
        n += p.ref.stored;
    return n;
}

static bool
is_behind(const struct filter *f, struct bytes key)
{
    return !f->stratum->last_unbounded && bytes_compare(key, buf_bytes(&f->stratum->last_key)) > 0;
}

/* Whether the current entry of `all` is one that stays. */
static basin_status
take(struct filter *f, bool *stays, basin_error *err)
{
    const struct entry *e = &f->all->entry;

    *stays = false;
    if (lsm__multi_source(f->all) != f->newer) {
        if (e->kind == ENTRY_MERGE || e->seqno > f->oldest)
            return BASIN_OK;
        f->has_hidden = true;
        return error_mem(buf_set(&f->hidden, e->key.data, e->key.size), err);
    }
    *stays = !is_hidden(f, e);
    f->seen++;
    f->bytes += entry_bytes(e);
    if (!*stays) {
        f->dropped++;
        f->dropped_bytes += entry_bytes(e);
    }
    return BASIN_OK;
}

/* To the next entry that stays, from the current one of `all` on. */
static basin_status
settle(struct filter *f, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct icur *a = f->all;
    bool stays = false;

    while (a->valid && !is_behind(f, a->entry.key)) {
        TRY(take(f, &stays, err));
        if (stays)
            break;
        TRY(a->ops->next(a, err));
    }
    f->base.valid = stays;
    f->base.entry = a->entry;
    f->base.prefix = a->prefix;
out:
    return st;
}

static basin_status
filter_first(struct icur *c, basin_error *err)
{
    struct filter *f = (struct filter *)c;
    basin_status st;

    f->has_hidden = false;
    f->seen = f->bytes = f->dropped = f->dropped_bytes = 0;
    TRY(f->all->ops->seek_ge(f->all, f->begin, UINT64_MAX, err));
    TRY(settle(f, err));
out:
    return st;
}

static basin_status
filter_next(struct icur *c, basin_error *err)
{
    struct filter *f = (struct filter *)c;
    basin_status st;

    TRY(f->all->ops->next(f->all, err));
    TRY(settle(f, err));
out:
    return st;
}

/* The range tombstones of the stratum itself: those of newer runs stay there. */
static basin_status
filter_covering(struct icur *c, struct bytes key, uint64_t snapshot, struct range_cover *cover,
                basin_error *err)
{
    struct filter *f = (struct filter *)c;

    return f->own->ops->covering(f->own, key, snapshot, cover, err);
}

static void
filter_close(struct icur *c)
{
    struct filter *f = (struct filter *)c;

    if (f->all != NULL)
        f->all->ops->close(f->all);
    buf_release(&f->hidden);
    mem_free(f->mem, f, sizeof(*f));
}

/* Rewriting reads forwards only. */
static const struct icur_ops filter_ops = {
    .first = filter_first,
    .next = filter_next,
    .covering = filter_covering,
    .close = filter_close,
};

/* The runs of the plan's version that are newer than its stratum, then that one. */
static basin_status
open_all(const struct merge_plan *p, struct filter *f, basin_error *err)
{
    basin_status st = BASIN_OK;
    const basin_allocator *mem = p->db->mem;
    struct icur **subs = mem_new(mem, (p->newer + 1) * sizeof(*subs));
    size_t n = 0;

    if (subs == NULL)
        FAIL(err, BASIN_NO_MEM, "no memory for %zu runs", p->newer + 1);
    for (; n < p->newer; n++)
        TRY(lsm__run_icur(&p->version->runs[n], mem, &subs[n], err));
    TRY(lsm__run_icur(&p->runs[0], mem, &subs[n], err));
    f->own = subs[n++];
    st = lsm__multi_icur(mem, subs, n, &f->all, err);
    n = 0; /* given away */
out:
    while (n-- > 0)
        subs[n]->ops->close(subs[n]);
    mem_free(mem, subs, (p->newer + 1) * sizeof(*subs));
    return st;
}

basin_status
lsm__purge_icur(const struct merge_plan *p, uint64_t oldest, struct icur **out, basin_error *err)
{
    basin_status st;
    struct filter *f = mem_new(p->db->mem, sizeof(*f));

    *out = NULL;
    if (f == NULL)
        return error_set(err, BASIN_NO_MEM, "no memory for a purge");
    f->base.ops = &filter_ops;
    f->mem = p->db->mem;
    f->newer = p->newer;
    f->oldest = oldest;
    f->stratum = p->inputs[0];
    f->begin = buf_bytes(&p->inputs[0]->first_key);
    buf_init(&f->hidden, f->mem);
    TRY(open_all(p, f, err));
    f->base.has_ranges = f->own->has_ranges;
    *out = &f->base;
    f = NULL;
out:
    if (f != NULL)
        filter_close(&f->base);
    return st;
}

basin_status
lsm__purge_gain(const struct merge_plan *p, uint64_t oldest, bool *worth, uint64_t *left,
                basin_error *err)
{
    basin_status st;
    struct icur *c = NULL;
    const struct filter *f;
    uint64_t size = p->inputs[0]->size;

    *worth = false;
    TRY(lsm__purge_icur(p, oldest, &c, err));
    for (st = c->ops->first(c, err); st == BASIN_OK && c->valid; st = c->ops->next(c, err))
        ;
    TRY(st);
    f = (const struct filter *)c;
    *worth = f->dropped > 0 && f->dropped_bytes >= f->bytes / PURGE_LEAST;
    *left = f->seen ? size / f->seen * (f->seen - f->dropped) + size / 8 : size;
out:
    if (c != NULL)
        c->ops->close(c);
    return st;
}
