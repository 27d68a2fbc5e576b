// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The cursor of a transaction: a view over the snapshot and the transaction's own operations as of
 * its opening. In a checked transaction it notes the ranges that it walked over.
 */
#include "lsm/txn.h"

struct lsm_cursor {
    struct lsm_txn *txn;
    struct view *view;
    struct memtable *index; /* a reference; NULL when there was none */
    struct spilled *spilled; /* likewise */
    struct buf value;       /* of a value read from out of line */
    bool tracking;
    bool walked;            /* low and high hold a range that is not noted yet */
    bool to_end;            /* ... up to the upper bound */
    struct buf low, high;
    struct lsm_range range;
    struct buf lower, upper;
};

static basin_status
copy_range(struct lsm_cursor *c, const struct lsm_range *range, basin_error *err)
{
    if (range == NULL)
        return BASIN_OK;
    if (buf_set(&c->lower, range->lower.data, range->lower.size) != BASIN_OK ||
        buf_set(&c->upper, range->upper.data, range->upper.size) != BASIN_OK)
        return error_set(err, BASIN_NO_MEM, "no memory for a cursor's bounds");
    c->range = *range;
    c->range.lower = buf_bytes(&c->lower);
    c->range.upper = buf_bytes(&c->upper);
    return BASIN_OK;
}

basin_status
lsm_cursor_open(struct lsm_txn *txn, const struct lsm_range *range, struct lsm_cursor **out,
                basin_error *err)
{
    basin_status st;
    const basin_allocator *mem = txn->db->mem;
    struct lsm_cursor *c = NULL;

    *out = NULL;
    TRY(lsm__txn_index(txn, err));
    c = mem_new(mem, sizeof(*c));
    if (c == NULL)
        FAIL(err, BASIN_NO_MEM, "no memory for a cursor");
    c->txn = txn;
    lsm__txn_child_opened(txn, CHILD_CURSOR);
    c->tracking = txn->check_reads;
    c->index = txn->index;
    if (c->index != NULL)
        memtable_ref(c->index);
    c->spilled = txn->spilled;
    if (c->spilled != NULL)
        lsm__spilled_ref(c->spilled);
    buf_init(&c->value, mem);
    buf_init(&c->low, mem);
    buf_init(&c->high, mem);
    buf_init(&c->lower, mem);
    buf_init(&c->upper, mem);
    TRY(copy_range(c, range, err));
    TRY(lsm__view_open(&(struct view_options){ .version = txn->version, .extra = c->index,
                                               .spilled = c->spilled,
                                               .extra_snapshot = txn->op_count,
                                               .snapshot = txn->snapshot.seqno,
                                               .range = range ? &c->range : NULL, .mem = mem },
                       &c->view, err));
    *out = c;
    c = NULL;
out:
    lsm_cursor_close(c);
    return st;
}

/* ------------------------------------------------------------------ noting reads */

static basin_status
note_walk(struct lsm_cursor *c, basin_error *err)
{
    basin_status st = BASIN_OK;
    bool unbounded = c->to_end && !c->range.has_upper;

    if (!c->walked)
        return BASIN_OK;
    c->walked = false;
    if (c->to_end && c->range.has_upper)
        TRY(error_mem(buf_set(&c->high, c->range.upper.data, c->range.upper.size), err));
    if (!unbounded && !(c->to_end && c->range.has_upper && c->range.upper_excluded))
        TRY(error_mem(buf_add(&c->high, "", 1), err)); /* the last key itself belongs to it */
    TRY(lsm__txn_read_range(c->txn, buf_bytes(&c->low), buf_bytes(&c->high), unbounded, err));
out:
    return st;
}

/* The cursor was placed: everything between `from` and where it stands was read. */
static basin_status
track_place(struct lsm_cursor *c, struct bytes from, bool upward, basin_error *err)
{
    basin_status st;
    bool valid = lsm__view_valid(c->view);
    struct bytes key = valid ? lsm__view_key(c->view) : BYTES_NULL;

    TRY(note_walk(c, err));
    c->to_end = false;
    if (upward) {
        TRY(error_mem(buf_set(&c->low, from.data, from.size), err));
        TRY(error_mem(buf_set(&c->high, key.data, key.size), err));
        c->to_end = !valid;
    } else {
        if (!valid && c->range.has_lower)
            key = c->range.lower;
        TRY(error_mem(buf_set(&c->low, key.data, key.size), err));
        TRY(error_mem(buf_set(&c->high, from.data, from.size), err));
    }
    c->walked = true;
out:
    return st;
}

static basin_status
track_step(struct lsm_cursor *c, bool upward)
{
    bool valid = lsm__view_valid(c->view);
    struct bytes key = valid ? lsm__view_key(c->view) : BYTES_NULL;

    if (upward && !valid) {
        c->to_end = true;
        return BASIN_OK;
    }
    if (upward)
        return bytes_compare(key, buf_bytes(&c->high)) > 0 ? buf_set(&c->high, key.data, key.size)
                                                           : BASIN_OK;
    if (!valid && c->range.has_lower)
        key = c->range.lower;
    return bytes_compare(key, buf_bytes(&c->low)) < 0 ? buf_set(&c->low, key.data, key.size)
                                                      : BASIN_OK;
}

void
lsm_cursor_close(struct lsm_cursor *c)
{
    const basin_allocator *mem;

    if (c == NULL)
        return;
    mem = c->txn->db->mem;
    if (!c->txn->ended && note_walk(c, NULL) != BASIN_OK)
        c->txn->reads_everything = true; /* safe: it can only conflict more often */
    lsm__view_close(c->view);
    memtable_unref(c->index);
    lsm__spilled_unref(c->spilled);
    buf_release(&c->value);
    buf_release(&c->low);
    buf_release(&c->high);
    buf_release(&c->lower);
    buf_release(&c->upper);
    lsm__txn_child_closed(c->txn, CHILD_CURSOR);
    mem_free(mem, c, sizeof(*c));
}

/* ------------------------------------------------------------------ moving */

static basin_status
check_live(struct lsm_cursor *c, basin_error *err)
{
    if (c->txn->ended)
        return error_set(err, BASIN_MISUSE, "the cursor's transaction has ended");
    return BASIN_OK;
}

basin_status
lsm_cursor_first(struct lsm_cursor *c, basin_error *err)
{
    basin_status st, moved;

    TRY(check_live(c, err));
    moved = lsm__view_first(c->view, err);
    if (c->tracking && moved <= BASIN_END)
        TRY(track_place(c, c->range.has_lower ? c->range.lower : BYTES_NULL, true, err));
    st = moved;
out:
    return st;
}

basin_status
lsm_cursor_last(struct lsm_cursor *c, basin_error *err)
{
    basin_status st, moved;

    TRY(check_live(c, err));
    moved = lsm__view_last(c->view, err);
    if (c->tracking && moved <= BASIN_END) {
        TRY(track_place(c, c->range.has_upper ? c->range.upper : BYTES_NULL, false, err));
        c->to_end = true;
    }
    st = moved;
out:
    return st;
}

basin_status
lsm_cursor_seek(struct lsm_cursor *c, struct bytes key, enum lsm_seek op, basin_error *err)
{
    basin_status st, moved;

    TRY(check_live(c, err));
    TRY(lsm__key_check(key, err));
    moved = lsm__view_seek(c->view, key, op, err);
    if (c->tracking && moved <= BASIN_END) {
        if (op == LSM_SEEK_EQ) {
            TRY(note_walk(c, err));
            TRY(error_mem(buf_set(&c->low, key.data, key.size), err));
            TRY(error_mem(buf_set(&c->high, key.data, key.size), err));
            c->to_end = false;
            c->walked = true;
        } else {
            TRY(track_place(c, key, op == LSM_SEEK_GE, err));
        }
    }
    st = moved;
out:
    return st;
}

basin_status
lsm_cursor_next(struct lsm_cursor *c, basin_error *err)
{
    basin_status st, moved;

    TRY(check_live(c, err));
    if (!lsm__view_valid(c->view))
        return BASIN_END;
    moved = lsm__view_next(c->view, err);
    if (c->tracking && moved <= BASIN_END)
        TRY(track_step(c, true));
    st = moved;
out:
    return st;
}

basin_status
lsm_cursor_prev(struct lsm_cursor *c, basin_error *err)
{
    basin_status st, moved;

    TRY(check_live(c, err));
    if (!lsm__view_valid(c->view))
        return BASIN_END;
    moved = lsm__view_prev(c->view, err);
    if (c->tracking && moved <= BASIN_END)
        TRY(track_step(c, false));
    st = moved;
out:
    return st;
}

bool
lsm_cursor_valid(const struct lsm_cursor *c)
{
    return !c->txn->ended && lsm__view_valid(c->view);
}

struct bytes
lsm_cursor_key(const struct lsm_cursor *c)
{
    return lsm__view_key(c->view);
}

int
lsm_cursor_compare(const struct lsm_cursor *c, struct bytes key)
{
    return bytes_compare(lsm__view_key(c->view), key);
}

/* ------------------------------------------------------------------ values */

static basin_status
current(struct lsm_cursor *c, enum entry_kind *kind, struct bytes *value, basin_error *err)
{
    if (!lsm_cursor_valid(c))
        return error_set(err, BASIN_MISUSE, "the cursor stands nowhere");
    return lsm__view_value(c->view, kind, value, err);
}

basin_status
lsm_cursor_value(struct lsm_cursor *c, struct bytes *value, basin_error *err)
{
    basin_status st;
    enum entry_kind kind;
    struct bytes found;
    uint64_t size;
    size_t got;

    *value = BYTES_NULL;
    TRY(current(c, &kind, &found, err));
    if (kind == ENTRY_REF) {
        TRY(lsm__value_part(c->txn->db, found, 0, NULL, 0, &got, &size, err));
        buf_clear(&c->value);
        if (size > SIZE_MAX / 2 || buf_reserve(&c->value, (size_t)size) != BASIN_OK)
            FAIL(err, BASIN_NO_MEM, "no memory for a value of %llu bytes",
                 (unsigned long long)size);
        TRY(lsm__value_part(c->txn->db, found, 0, c->value.data, (size_t)size, &got, &size, err));
        c->value.size = got;
        found = buf_bytes(&c->value);
    }
    *value = found;
    if (value->data == NULL)
        value->data = (const uint8_t *)"";
out:
    return st;
}

basin_status
lsm_cursor_value_size(struct lsm_cursor *c, uint64_t *size, basin_error *err)
{
    basin_status st;
    enum entry_kind kind;
    struct bytes found;
    size_t got;

    *size = 0;
    TRY(current(c, &kind, &found, err));
    *size = found.size;
    if (kind == ENTRY_REF)
        TRY(lsm__value_part(c->txn->db, found, 0, NULL, 0, &got, size, err));
out:
    return st;
}

basin_status
lsm_cursor_read(struct lsm_cursor *c, uint64_t offset, void *to, size_t n, size_t *got,
                basin_error *err)
{
    basin_status st;
    enum entry_kind kind;
    struct bytes found;
    uint64_t size;

    *got = 0;
    TRY(current(c, &kind, &found, err));
    if (kind == ENTRY_REF)
        TRY(lsm__value_part(c->txn->db, found, offset, to, n, got, &size, err));
    else
        lsm__copy_part(found, offset, to, n, got);
out:
    return st;
}
