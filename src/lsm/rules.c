// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The drop rules of flush and merge: which versions of a key are kept, which merges are folded and
 * which tombstones may go (E41, E64, decisions 17 and 18). It reads a raw cursor and feeds an
 * output; it never opens or publishes anything. Range tombstones: rules_ranges.c.
 *
 * Snapshots cut the seqnos into stripes: two versions in one stripe look the same to everybody
 * except for the newest of them. What is newer than the newest visible seqno is kept as it is.
 *
 * (R1) of a stripe the newest version that is not an operand is kept, everything older in it goes.
 * (R2) operands fold only inside a stripe; with a base, or at the bottom, they become a put.
 * (R3) a tombstone goes when it is in the lowest stripe and no older run can hold its key.
 * (R4) an operand whose operator is missing or fails is carried on unchanged.
 */
#include "lsm/rules.h"

enum { OPERANDS_MAX = 100000, SUM_LEVELS = 17, CANCEL_EVERY = 512 };

static_assert(OPERANDS_MAX < 1 << SUM_LEVELS, "a level for each bit of their number");

struct operand {
    size_t at, size; /* in pending */
    uint64_t seqno;
};

struct rules {
    const struct rules_options *o;
    struct buf key;
    bool has_key;
    size_t closed;        /* stripe whose base was seen, or SIZE_MAX */
    size_t top;           /* stripe of the newest version that was kept, or SIZE_MAX */
    uint64_t emitted;     /* seqno of the version that was kept last */
    struct buf pending;   /* operand bytes, newest first */
    struct operand *operands;
    size_t operand_count, operand_capacity;
    size_t pending_stripe;
    struct buf result, other;
    struct buf sums[SUM_LEVELS]; /* of fold */
};

/* Below a version without seqno (0: every snapshot sees it) there is none with one: what comes from
 * another run may still have its own. */
static basin_status
emit(struct rules *r, enum entry_kind kind, struct bytes value, uint64_t seqno, basin_error *err)
{
    basin_status st;
    size_t stripe = lsm__stripe_of(r->o, seqno);

    if (r->top != SIZE_MAX)
        seqno = MIN_OF(seqno, r->emitted);
    r->emitted = seqno;
    TRY(lsm__output_add(r->o->output,
                        &(struct entry){ buf_bytes(&r->key), value, seqno, kind }, err));
    if (r->top == SIZE_MAX)
        r->top = stripe;
    else if (r->top != stripe)
        lsm__output_stacked(r->o->output);
out:
    return st;
}

/* ------------------------------------------------------------------ operands */

static struct bytes
operand_bytes(const struct rules *r, size_t i)
{
    if (r->operands[i].size == 0) /* there may be no memory behind it */
        return BYTES_NULL;
    return bytes_of(r->pending.data + r->operands[i].at, r->operands[i].size);
}

static basin_status
hold_operand(struct rules *r, const struct entry *e, size_t stripe, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct operand *more;
    const basin_allocator *mem = r->o->db->mem;

    if (r->operand_count == r->operand_capacity) {
        size_t n = r->operand_capacity ? r->operand_capacity * 2 : 64;
        more = mem->resize(mem->ctx, r->operands, r->operand_capacity * sizeof(*more),
                           n * sizeof(*more));
        if (more == NULL)
            FAIL(err, BASIN_NO_MEM, "no memory for %zu operands", n);
        r->operands = more;
        r->operand_capacity = n;
    }
    r->operands[r->operand_count++] =
        (struct operand){ r->pending.size, e->value.size, e->seqno };
    TRY(error_mem(buf_add(&r->pending, e->value.data, e->value.size), err));
    r->pending_stripe = stripe;
out:
    return st;
}

static basin_status
carry_on(struct rules *r, basin_error *err)
{
    basin_status st = BASIN_OK;

    for (size_t i = 0; i < r->operand_count; i++)
        TRY(emit(r, ENTRY_MERGE, operand_bytes(r, i), r->operands[i].seqno, err));
out:
    return st;
}

/* Puts the operand `older` before the one in r->result; false when they cannot be one. */
static bool
join(struct rules *r, const struct lsm_operator *op, const struct buf *older)
{
    struct buf swap = r->other;

    buf_clear(&swap);
    if (buf_add(&swap, older->data, 1) != BASIN_OK ||
        op->partial(op->ctx, buf_bytes(&r->key), bytes_of(older->data + 1, older->size - 1),
                    bytes_of(r->result.data + 1, r->result.size - 1), &swap, NULL) != BASIN_OK) {
        r->other = swap;
        return false;
    }
    r->other = r->result;
    r->result = swap;
    return true;
}

/* The operator of all operands, or NULL: of several, or one that cannot fold. */
static const struct lsm_operator *
one_operator(const struct rules *r)
{
    struct bytes first = operand_bytes(r, 0);
    const struct lsm_operator *op = first.size ? lsm__operator(r->o->db, first.data[0]) : NULL;

    for (size_t i = 1; i < r->operand_count; i++) {
        struct bytes more = operand_bytes(r, i);
        if (more.size == 0 || first.size == 0 || more.data[0] != first.data[0])
            return NULL;
    }
    return op != NULL && op->partial != NULL ? op : NULL;
}

/*
 * Folds all operands into one, in r->result (operator byte first); false when it cannot. As a
 * balanced tree, since partial is associative: sums[l] is 2^l operands, so of n appended pieces
 * each is copied log n times. One sum that takes each in turn would copy all before it n times.
 */
static bool
fold(struct rules *r)
{
    const struct lsm_operator *op = r->operand_count < 2 ? NULL : one_operator(r);
    uint32_t have = 0; /* bit l: sums[l] is there */
    struct buf swap;

    if (op == NULL)
        return false;
    for (size_t i = r->operand_count; i-- > 0;) {
        struct bytes operand = operand_bytes(r, i);
        size_t level = 0;
        if (buf_set(&r->result, operand.data, operand.size) != BASIN_OK)
            return false;
        for (; have >> level & 1; level++)
            if (!join(r, op, &r->sums[level]))
                return false;
        have += 1;
        swap = r->sums[level];
        r->sums[level] = r->result;
        r->result = swap;
    }
    for (size_t level = 0, n = 0; level < SUM_LEVELS; level++) {
        if (!(have >> level & 1))
            continue;
        if (n++ == 0) {
            swap = r->sums[level];
            r->sums[level] = r->result;
            r->result = swap;
        } else if (!join(r, op, &r->sums[level])) {
            return false;
        }
    }
    return true;
}

/* base_known: what lies below is `base` (NULL = nothing); else something older may follow. */
static basin_status
resolve(struct rules *r, bool base_known, const struct bytes *base, bool *used_base,
        basin_error *err)
{
    basin_status st = BASIN_OK;
    struct bytes list[64], *all = list;
    bool deleted = false;
    size_t count = r->operand_count;

    *used_base = false;
    if (count > COUNT_OF(list)) {
        all = mem_new(r->o->db->mem, count * sizeof(*all));
        if (all == NULL)
            FAIL(err, BASIN_NO_MEM, "no memory for %zu operands", count);
    }
    for (size_t i = 0; i < count; i++)
        all[i] = operand_bytes(r, i);
    buf_clear(&r->result);
    if (base_known && lsm__merge_full(r->o->db, buf_bytes(&r->key), base, all, count, &r->result,
                                      &deleted, NULL) == BASIN_OK) {
        *used_base = true;
        if (!deleted)
            TRY(emit(r, ENTRY_PUT, buf_bytes(&r->result), r->operands[0].seqno, err));
        else if (!(r->o->bottom && r->pending_stripe == 0))
            TRY(emit(r, ENTRY_DELETE, BYTES_NULL, r->operands[0].seqno, err));
    } else if (!base_known && fold(r)) {
        TRY(emit(r, ENTRY_MERGE, buf_bytes(&r->result), r->operands[0].seqno, err));
    } else {
        TRY(carry_on(r, err));
    }
out:
    if (all != list)
        mem_free(r->o->db->mem, all, count * sizeof(*all));
    r->operand_count = 0;
    buf_clear(&r->pending);
    return st;
}

/* Operands with nothing more in their stripe. */
static basin_status
resolve_open(struct rules *r, bool key_ends, basin_error *err)
{
    bool used;
    bool nothing_below = key_ends && r->o->bottom && r->pending_stripe == 0;

    if (r->operand_count == 0)
        return BASIN_OK;
    return resolve(r, nothing_below, NULL, &used, err);
}

/* ------------------------------------------------------------------ entries */

static basin_status
take_base(struct rules *r, const struct entry *e, size_t stripe, basin_error *err)
{
    basin_status st = BASIN_OK;
    bool used = false;
    bool pending = r->operand_count > 0;

    if (pending && e->kind == ENTRY_REF)
        TRY(resolve(r, false, NULL, &used, err));
    else if (pending)
        TRY(resolve(r, true, e->kind == ENTRY_PUT ? &e->value : NULL, &used, err));
    if (!used && !(e->kind == ENTRY_DELETE && (r->o->bottom || PLANTED(TOMBSTONE_ABOVE)) &&
                   (stripe == 0 || PLANTED(TOMBSTONE_PINNED))))
        TRY(emit(r, e->kind, e->value, e->seqno, err));
    r->closed = stripe;
out:
    return st;
}

static bool
is_covered(const struct rules *r, const struct entry *e, size_t stripe)
{
    struct icur *source = r->o->source;

    return source->has_ranges &&
           lsm__multi_covering(source, lsm__multi_source(source), e->key, r->o->snapshots[stripe],
                               NULL) > e->seqno;
}

static basin_status
take(struct rules *r, const struct entry *e, basin_error *err)
{
    basin_status st = BASIN_OK;
    size_t stripe = lsm__stripe_of(r->o, e->seqno);
    bool used;

    if (!r->has_key || !bytes_equal(buf_bytes(&r->key), e->key)) {
        TRY(resolve_open(r, true, err));
        if (buf_set(&r->key, e->key.data, e->key.size) != BASIN_OK)
            FAIL(err, BASIN_NO_MEM, "no memory for a key");
        r->has_key = true;
        r->closed = SIZE_MAX;
        r->top = SIZE_MAX;
    }
    if (stripe == r->o->snapshot_count) { /* nobody sees it yet */
        TRY(emit(r, e->kind, e->value, e->seqno, err));
        goto out;
    }
    if (stripe == r->closed)
        goto out;
    if (r->operand_count > 0 && stripe != r->pending_stripe && !PLANTED(FOLD_ACROSS))
        TRY(resolve_open(r, false, err));
    if (is_covered(r, e, stripe)) {
        if (r->operand_count > 0)
            TRY(resolve(r, true, NULL, &used, err));
        r->closed = stripe;
    } else if (e->kind == ENTRY_MERGE) {
        TRY(hold_operand(r, e, stripe, err));
        if (r->operand_count >= OPERANDS_MAX)
            TRY(resolve_open(r, false, err));
    } else {
        TRY(take_base(r, e, stripe, err));
    }
out:
    return st;
}

basin_status
lsm__rules_run(const struct rules_options *options, basin_error *err)
{
    basin_status st;
    struct rules r = { .o = options, .closed = SIZE_MAX, .top = SIZE_MAX };
    const basin_allocator *mem = options->db->mem;
    struct icur *source = options->source;
    size_t steps = 0;

    buf_init(&r.key, mem);
    buf_init(&r.pending, mem);
    buf_init(&r.result, mem);
    buf_init(&r.other, mem);
    for (size_t i = 0; i < COUNT_OF(r.sums); i++)
        buf_init(&r.sums[i], mem);
    for (st = source->ops->first(source, err); st == BASIN_OK && source->valid;
         st = source->ops->next(source, err)) {
        if (++steps % CANCEL_EVERY == 0 && options->cancelled != NULL &&
            options->cancelled(options->cancel_ctx))
            FAIL(err, BASIN_CANCELLED, "stopped on request");
        TRY(take(&r, &source->entry, err));
    }
    TRY(st);
    TRY(resolve_open(&r, true, err));
out:
    mem_free(mem, r.operands, r.operand_capacity * sizeof(*r.operands));
    buf_release(&r.key);
    buf_release(&r.pending);
    buf_release(&r.result);
    buf_release(&r.other);
    for (size_t i = 0; i < COUNT_OF(r.sums); i++)
        buf_release(&r.sums[i]);
    return st;
}
