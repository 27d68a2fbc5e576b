// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Single operations without a transaction: a get at the present, and a blind write. What needs more
 * (large values, reading processes, lanes that are all busy) is left to a transaction; the caller
 * is told by END. docs/notes/0037-single-reads-and-writes.md.
 */
#include "lsm/lane.h"
#include "lsm/read.h"
#include "lsm/txn.h"

basin_status
lsm_read_now(struct lsm *db, struct bytes key, void *to, size_t n, uint64_t *size, basin_error *err)
{
    basin_status st;
    struct lsm_found f = { 0 };
    struct sight at = { 0 };
    struct lane *lane;
    uint64_t seqno;
    size_t got;

    *size = 0;
    TRY(lsm__key_check(key, err));
    if (db->o.read_only) /* what is read has to show in the reader's slot */
        return BASIN_END;
    lane = lsm__lane_enter(db, &seqno);
    if (lane == NULL)
        return BASIN_END;
    at.version = lane->version;
    at.snapshot = seqno;
    st = lsm__resolve(&at, key, &f, NULL, err);
    if (st == BASIN_OK && f.kind == ENTRY_REF) {
        st = BASIN_END;
    } else if (st == BASIN_OK) {
        *size = f.value.size;
        lsm__copy_part(f.value, 0, to, n, &got);
    }
    lsm__found_release(&f);
    lsm__lane_leave(lane);
out:
    return st;
}

enum { OPS_SMALL = 1024 };

static basin_status
write_now(struct lsm *db, const struct op *op, bool durable, basin_error *err)
{
    basin_status st;
    struct request r = { .kind = REQUEST_COMMIT, .op_count = 1, .durable = durable };
    uint8_t small[OPS_SMALL];
    struct buf ops;
    bool fits = op->key.size + op->value.size <= OPS_SMALL - 1 - 2 * LEB_MAX;

    buf_init(&ops, db->mem);
    if (fits) { /* borrowed: never grown, never released */
        ops.data = small;
        ops.capacity = sizeof(small);
    }
    if (db->o.read_only)
        FAIL(err, BASIN_READ_ONLY, "the database is open for reading");
    TRY(lsm__key_check(op->key, err));
    if (lsm__op_put(&ops, op) != BASIN_OK)
        FAIL(err, BASIN_NO_MEM, "no memory for an operation of %zu bytes",
             op->key.size + op->value.size);
    r.ops = buf_bytes(&ops);
    TRY(lsm__wait_for_room(db, r.ops, err));
    if (db->tail_unsafe_hint)
        TRY(lsm__wait_for_tail(db, err));
    TRY(lsm__writer_enter(db, NULL, true, UINT32_MAX, err));
    st = lsm__submit(db, &r, err);
    lsm__writer_leave(db, true);
out:
    if (!fits)
        buf_release(&ops);
    return st;
}

basin_status
lsm_put_now(struct lsm *db, struct bytes key, struct bytes value, bool durable, basin_error *err)
{
    if (value.size >= db->o.value_threshold || value.size > db->o.mem_limit / 4)
        return BASIN_END;
    return write_now(db, &(struct op){ OP_PUT, key, value }, durable, err);
}

basin_status
lsm_delete_now(struct lsm *db, struct bytes key, bool durable, basin_error *err)
{
    return write_now(db, &(struct op){ OP_DELETE, key, BYTES_NULL }, durable, err);
}
