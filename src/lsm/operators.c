// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The built-in merge operators (E64; docs/format/operators.md).
 *
 *   2   counter   full value 00 and an i64, operand 01 and an i64 to add; both little-endian
 *   16  append    operands are appended to the value
 *
 * A counter's operands are added up exactly and the sum is saturated once, when it becomes a full
 * value. So partial is associative, as it must be: a saturating partial would make the result
 * depend on where operands happened to be folded. It declines (LIMIT) when a sum does not fit, and
 * the operands stay apart.
 */
#include "lsm/lsm.h"

enum { COUNTER_SIZE = 9, COUNTER_FULL = 0, COUNTER_DELTA = 1 };

__extension__ typedef __int128 wide;

static basin_status
counter_read(struct bytes from, uint8_t form, int64_t *to, basin_error *err)
{
    if (from.size != COUNTER_SIZE || from.data[0] != form)
        return error_set(err, BASIN_CORRUPT, "a counter's %s has %zu bytes and form %d",
                         form == COUNTER_FULL ? "value" : "operand", from.size,
                         from.size ? from.data[0] : -1);
    *to = (int64_t)load_u64(from.data + 1);
    return BASIN_OK;
}

static basin_status
counter_write(struct buf *out, uint8_t form, int64_t n, basin_error *err)
{
    uint8_t bytes[COUNTER_SIZE] = { form };

    store_u64(bytes + 1, (uint64_t)n);
    if (buf_add(out, bytes, sizeof(bytes)) != BASIN_OK)
        return error_set(err, BASIN_NO_MEM, "no memory for a counter");
    return BASIN_OK;
}

static basin_status
counter_full(void *ctx, struct bytes key, const struct bytes *base, const struct bytes *operands,
             size_t count, struct buf *out, bool *deleted, basin_error *err)
{
    basin_status st = BASIN_OK;
    int64_t n = 0;
    wide sum = 0;

    (void)ctx;
    (void)key;
    *deleted = false;
    if (base != NULL)
        TRY(counter_read(*base, COUNTER_FULL, &n, err));
    sum = n;
    for (size_t i = 0; i < count; i++) {
        TRY(counter_read(operands[i], COUNTER_DELTA, &n, err));
        sum += n;
    }
    sum = MIN_OF(MAX_OF(sum, (wide)INT64_MIN), (wide)INT64_MAX);
    TRY(counter_write(out, COUNTER_FULL, (int64_t)sum, err));
out:
    return st;
}

static basin_status
counter_partial(void *ctx, struct bytes key, struct bytes older, struct bytes newer,
                struct buf *out, basin_error *err)
{
    basin_status st;
    int64_t a = 0, b = 0, sum;

    (void)ctx;
    (void)key;
    TRY(counter_read(older, COUNTER_DELTA, &a, err));
    TRY(counter_read(newer, COUNTER_DELTA, &b, err));
    if (__builtin_add_overflow(a, b, &sum))
        FAIL(err, BASIN_LIMIT, "the sum of two counter operands does not fit");
    TRY(counter_write(out, COUNTER_DELTA, sum, err));
out:
    return st;
}

static basin_status
append_all(struct buf *out, const struct bytes *pieces, size_t count, basin_error *err)
{
    for (size_t i = 0; i < count; i++)
        if (buf_add(out, pieces[i].data, pieces[i].size) != BASIN_OK)
            return error_set(err, BASIN_NO_MEM, "no memory to append %zu bytes", pieces[i].size);
    return BASIN_OK;
}

static basin_status
append_full(void *ctx, struct bytes key, const struct bytes *base, const struct bytes *operands,
            size_t count, struct buf *out, bool *deleted, basin_error *err)
{
    basin_status st = BASIN_OK;

    (void)ctx;
    (void)key;
    *deleted = false;
    if (base != NULL)
        TRY(append_all(out, base, 1, err));
    TRY(append_all(out, operands, count, err));
out:
    return st;
}

static basin_status
append_partial(void *ctx, struct bytes key, struct bytes older, struct bytes newer,
               struct buf *out, basin_error *err)
{
    struct bytes both[] = { older, newer };

    (void)ctx;
    (void)key;
    return append_all(out, both, COUNT_OF(both), err);
}

const struct lsm_operator lsm_operator_counter = {
    .number = LSM_OP_COUNTER,
    .name = "counter",
    .full = counter_full,
    .partial = counter_partial,
};

const struct lsm_operator lsm_operator_append = {
    .number = LSM_OP_APPEND,
    .name = "append",
    .full = append_full,
    .partial = append_partial,
};
