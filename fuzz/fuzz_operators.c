// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The built-in merge operators on any bytes. Input: operator, whether there is a value, and pieces
 * with a length byte each: the value, then operands, oldest first.
 *
 * Whatever is folded first, the result is the same (partial is associative): each pair of
 * neighbours that the operator folds is put back in its place and the whole is resolved again.
 */
#include "lsm/lsm.h"

enum { PIECES_MAX = 12 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static basin_status
full(const struct lsm_operator *op, const struct bytes *base, const struct bytes *operands,
     size_t count, struct buf *out)
{
    bool deleted = false;
    basin_status st;

    buf_clear(out);
    st = op->full(op->ctx, BYTES_LIT("k"), base, operands, count, out, &deleted, NULL);
    must(st == BASIN_OK || st == BASIN_CORRUPT);
    must(!deleted);
    return st;
}

/* Folds operands at and at + 1 and resolves again. */
static void
fold_one(const struct lsm_operator *op, const struct bytes *base, const struct bytes *operands,
         size_t count, size_t at, const struct buf *want)
{
    struct bytes folded[PIECES_MAX];
    struct buf sum, again;

    buf_init(&sum, &base_malloc);
    buf_init(&again, &base_malloc);
    if (op->partial(op->ctx, BYTES_LIT("k"), operands[at], operands[at + 1], &sum, NULL) ==
        BASIN_OK) {
        memcpy(folded, operands, at * sizeof *folded);
        folded[at] = buf_bytes(&sum);
        memcpy(folded + at + 1, operands + at + 2, (count - at - 2) * sizeof *folded);
        must(full(op, base, folded, count - 1, &again) == BASIN_OK);
        must(bytes_equal(buf_bytes(&again), buf_bytes(want)));
    }
    buf_release(&sum);
    buf_release(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rd r = rd_over(data, size);
    uint8_t head = rd_u8(&r);
    const struct lsm_operator *op = head & 1 ? &lsm_operator_counter : &lsm_operator_append;
    bool has_base = head & 2;
    struct bytes pieces[PIECES_MAX];
    struct buf out;
    size_t count = 0, skip = has_base ? 1 : 0;

    while (count < PIECES_MAX && rd_left(&r) > 0) {
        size_t n = rd_u8(&r);
        pieces[count++] = rd_bytes(&r, MIN_OF(n, rd_left(&r)));
    }
    if (count <= skip)
        return 0;
    buf_init(&out, &base_malloc);
    if (full(op, has_base ? pieces : NULL, pieces + skip, count - skip, &out) == BASIN_OK)
        for (size_t at = 0; at + 1 < count - skip; at++)
            fold_one(op, has_base ? pieces : NULL, pieces + skip, count - skip, at, &out);
    buf_release(&out);
    return 0;
}
