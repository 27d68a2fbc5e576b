// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Reads and writes inside a transaction, and the validation of what was read.
 */
#include "lsm/spill.h"

enum { EXACT_ENTRIES_MAX = 1000 };

basin_status
lsm__key_check(struct bytes key, basin_error *err)
{
    if (key.size > STRATUM_KEY_MAX)
        return error_set(err, BASIN_LIMIT, "a key of %zu bytes is longer than %d", key.size,
                         STRATUM_KEY_MAX);
    return BASIN_OK;
}

/* ------------------------------------------------------------------ writes */

basin_status
lsm__txn_add_op(struct lsm_txn *txn, const struct op *op, basin_error *err)
{
    basin_status st;

    if (txn->mode == LSM_READ)
        FAIL(err, BASIN_MISUSE, "a write in a reading transaction");
    TRY(lsm__key_check(op->key, err));
    TRY(lsm__spill_room(txn, op->key.size + op->value.size, err));
    if (lsm__op_put(&txn->ops, op) != BASIN_OK) {
        FAIL(err, BASIN_NO_MEM, "no memory for an operation of %zu bytes",
             op->key.size + op->value.size);
    }
    txn->op_count++;
    txn->range_ops += op->kind == OP_DELETE_RANGE || op->kind == OP_DELETE_FROM;
out:
    return st;
}

basin_status
lsm_put(struct lsm_txn *txn, struct bytes key, struct bytes value, basin_error *err)
{
    if (UNLIKELY(value.size >= txn->db->o.value_threshold && txn->mode != LSM_READ))
        return lsm__put_large(txn, key, value, err);
    return lsm__txn_add_op(txn, &(struct op){ OP_PUT, key, value }, err);
}

basin_status
lsm_delete(struct lsm_txn *txn, struct bytes key, basin_error *err)
{
    return lsm__txn_add_op(txn, &(struct op){ OP_DELETE, key, BYTES_NULL }, err);
}

basin_status
lsm_delete_range(struct lsm_txn *txn, struct bytes begin, struct bytes end, bool unbounded,
                 basin_error *err)
{
    basin_status st = lsm__key_check(end, err);

    if (st != BASIN_OK)
        return st;
    if (!unbounded && bytes_compare(begin, end) >= 0)
        return txn->mode == LSM_READ ? error_set(err, BASIN_MISUSE, "a write in a reader")
                                     : BASIN_OK;
    return lsm__txn_add_op(
        txn, &(struct op){ unbounded ? OP_DELETE_FROM : OP_DELETE_RANGE, begin, end }, err);
}

basin_status
lsm_merge(struct lsm_txn *txn, struct bytes key, uint8_t op, struct bytes operand,
          basin_error *err)
{
    basin_status st;
    struct buf value;

    buf_init(&value, txn->db->mem);
    if (lsm__operator(txn->db, op) == NULL)
        FAIL(err, BASIN_UNKNOWN_OPERATOR, "merge operator %u is not registered", op);
    if (buf_add(&value, &op, 1) != BASIN_OK ||
        buf_add(&value, operand.data, operand.size) != BASIN_OK)
        FAIL(err, BASIN_NO_MEM, "no memory for an operand of %zu bytes", operand.size);
    TRY(lsm__txn_add_op(txn, &(struct op){ OP_MERGE, key, buf_bytes(&value) }, err));
out:
    buf_release(&value);
    return st;
}

/* ------------------------------------------------------------------ reads */

void
lsm__txn_forget_index(struct lsm_txn *txn)
{
    memtable_unref(txn->index);
    txn->index = NULL;
    txn->indexed = 0;
    txn->indexed_count = txn->ops_before;
}

basin_status
lsm__txn_index(struct lsm_txn *txn, basin_error *err)
{
    basin_status st = BASIN_OK;
    uint64_t next;
    struct bytes rest;

    if (txn->indexed == txn->ops.size)
        goto out;
    if (txn->index == NULL) {
        lsm__txn_forget_index(txn);
        TRY(memtable_new(txn->db->mem, lsm__fold_table(txn->db), &txn->index, err));
    }
    rest = bytes_of(txn->ops.data + txn->indexed, txn->ops.size - txn->indexed);
    st = lsm__apply_ops(txn->index, rest, txn->indexed_count + 1, &next, err);
    if (st != BASIN_OK) { /* half applied: drop it, the next read starts over */
        lsm__txn_forget_index(txn);
        goto out;
    }
    txn->indexed = txn->ops.size;
    txn->indexed_count = txn->op_count;
out:
    return st;
}

static basin_status
copy_to_arena(struct lsm_txn *txn, struct bytes from, struct bytes *to, basin_error *err)
{
    uint8_t *p = arena_alloc(&txn->arena, from.size ? from.size : 1);

    if (p == NULL)
        return error_set(err, BASIN_NO_MEM, "no memory for %zu bytes", from.size);
    if (from.size)
        memcpy(p, from.data, from.size);
    *to = bytes_of(p, from.size);
    return BASIN_OK;
}

/* A single key is the range [key, key 00). */
static basin_status
note_key(struct lsm_txn *txn, struct bytes key, basin_error *err)
{
    basin_status st = BASIN_OK;
    uint8_t small[256];
    struct buf upper;

    if (!txn->check_reads)
        return BASIN_OK;
    buf_init(&upper, txn->db->mem);
    if (key.size < sizeof(small)) {
        if (key.size)
            memcpy(small, key.data, key.size);
        small[key.size] = 0;
        return lsm__txn_read_range(txn, key, bytes_of(small, key.size + 1), false, err);
    }
    if (buf_add(&upper, key.data, key.size) != BASIN_OK || buf_add(&upper, "", 1) != BASIN_OK)
        FAIL(err, BASIN_NO_MEM, "no memory to note what was read");
    TRY(lsm__txn_read_range(txn, key, buf_bytes(&upper), false, err));
out:
    buf_release(&upper);
    return st;
}

static basin_status
find(struct lsm_txn *txn, struct bytes key, struct lsm_found *f, basin_error *err)
{
    basin_status st;

    TRY(lsm__key_check(key, err));
    TRY(note_key(txn, key, err));
    TRY(lsm__txn_index(txn, err));
    st = lsm__get(txn->version, txn->index, txn->spilled, key, txn->snapshot.seqno, f, err);
out:
    return st;
}

basin_status
lsm_get(struct lsm_txn *txn, struct bytes key, struct bytes *value, basin_error *err)
{
    basin_status st;
    struct lsm_found f = { 0 };

    *value = BYTES_NULL;
    TRY(find(txn, key, &f, err));
    if (f.kind == ENTRY_REF)
        TRY(lsm__value_load(txn->db, f.value, &txn->arena, value, err));
    else if (f.in_place)
        *value = f.value;
    else
        TRY(copy_to_arena(txn, f.value, value, err));
    if (value->data == NULL)
        value->data = (const uint8_t *)"";
out:
    lsm__found_release(&f);
    return st;
}

/* Copies a part of `from`. */
void
lsm__copy_part(struct bytes from, uint64_t offset, void *to, size_t n, size_t *got)
{
    size_t left = offset < from.size ? from.size - (size_t)offset : 0;
    size_t part = MIN_OF(n, left);

    if (part)
        memcpy(to, from.data + offset, part);
    *got = part;
}

basin_status
lsm_read(struct lsm_txn *txn, struct bytes key, uint64_t offset, void *to, size_t n, size_t *got,
         uint64_t *size, basin_error *err)
{
    basin_status st;
    struct lsm_found f = { 0 };
    size_t part = 0;
    uint64_t whole = 0;

    TRY(find(txn, key, &f, err));
    whole = f.value.size;
    if (f.kind == ENTRY_REF)
        TRY(lsm__value_part(txn->db, f.value, offset, to, n, &part, &whole, err));
    else
        lsm__copy_part(f.value, offset, to, n, &part);
out:
    lsm__found_release(&f);
    if (got != NULL)
        *got = part;
    if (size != NULL)
        *size = whole;
    return st;
}

/* ------------------------------------------------------------------ validation */

static bool
strata_apart(const struct lsm_stratum *s, const struct read_item *item)
{
    int last;

    if (!item->unbounded && bytes_compare(item->upper, buf_bytes(&s->first_key)) <= 0)
        return true;
    if (s->last_unbounded)
        return false;
    last = bytes_compare(buf_bytes(&s->last_key), item->lower);
    return last < 0 || (last == 0 && s->last_excluded);
}

/* Fences speak of whole pages: a change beside what was read is none. The entries themselves are
 * looked at, up to a bound, since the leader does it. */
static basin_status
entries_changed(struct stratum *s, const struct read_item *item, uint64_t since, bool *changed,
                basin_error *err)
{
    basin_status st;
    struct stratum_cursor *c = NULL;
    size_t left = EXACT_ENTRIES_MAX;

    *changed = true;
    TRY(stratum_cursor_open(s, &c, err));
    for (st = stratum_cursor_seek_ge(c, item->lower, UINT64_MAX, err);
         st == BASIN_OK && left > 0; st = stratum_cursor_next(c, err), left--) {
        if (!stratum_cursor_valid(c) ||
            (!item->unbounded && stratum_cursor_compare(c, item->upper) >= 0)) {
            *changed = stratum_ranges_changed_since(s, item->lower, item->upper, item->unbounded,
                                                    since);
            goto out;
        }
        if (stratum_cursor_entry(c)->seqno > since)
            goto out;
    }
out:
    stratum_cursor_close(c);
    return st;
}

static basin_status
item_changed(struct lsm_txn *txn, const struct read_item *item, bool *changed, basin_error *err)
{
    basin_status st = BASIN_OK;
    const struct version *v = txn->db->current;
    uint64_t since = txn->snapshot.seqno;
    struct stratum *s;

    for (size_t i = 0; i < v->mem_count && !*changed; i++)
        if (memtable_seqno_max(v->mems[i]) > since)
            *changed = memtable_changed_since(v->mems[i], item->lower, item->upper,
                                              item->unbounded, since);
    for (size_t i = 0; i < v->stratum_count && !*changed; i++) {
        if (v->strata[i]->seqno_max <= since || strata_apart(v->strata[i], item))
            continue;
        if (v->strata[i]->seqno_min == v->strata[i]->seqno_max) {
            *changed = true; /* a bulk load counts as a write of its whole range */
            break;
        }
        TRY(lsm__stratum_use(v->strata[i], &s, err));
        TRY(stratum_changed_since(s, item->lower, item->upper, item->unbounded, since, changed,
                                  err));
        if (*changed)
            TRY(entries_changed(s, item, since, changed, err));
    }
out:
    return st;
}

/* Versions change only in the leader, so the current one may be read without mu here. */
basin_status
lsm__txn_validate(struct lsm_txn *txn, basin_error *err)
{
    basin_status st = BASIN_OK;
    bool changed = txn->reads_everything && txn->db->last_seqno > txn->snapshot.seqno;

    if (txn->db->last_seqno == txn->snapshot.seqno)
        return BASIN_OK;
    for (const struct read_block *b = txn->reads; b && !changed; b = b->next)
        for (size_t i = 0; i < b->count && !changed; i++)
            TRY(item_changed(txn, &b->items[i], &changed, err));
    if (changed)
        FAIL(err, BASIN_CONFLICT, "a commit after seqno %llu changed what this transaction read",
             (unsigned long long)txn->snapshot.seqno);
out:
    return st;
}
