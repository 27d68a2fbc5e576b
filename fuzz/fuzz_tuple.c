// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Readers of tuples on any bytes. The first byte chooses the element, the rest is its input. What
 * is accepted must be what a writer makes: it is written again and compared. A value and its
 * inversion must be skipped alike, step by step and whole.
 */
#include "tuple/tuple.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
same_again(const struct rd *r, struct buf *again, basin_status written)
{
    must(written == BASIN_OK);
    must(bytes_equal(bytes_of(r->data, r->at), buf_bytes(again)));
}

static void
fuzz_number(struct rd *r, struct buf *again, uint8_t which)
{
    struct tuple_number number;
    uint64_t u;
    int64_t i;
    double d;
    bool yes;

    if (which == 0 && tuple_get_varint(r, &u, NULL) == BASIN_OK)
        same_again(r, again, tuple_put_varint(again, u));
    else if (which == 1 && tuple_get_i64(r, &i, NULL) == BASIN_OK)
        same_again(r, again, tuple_put_i64(again, i));
    else if (which == 2 && tuple_get_f64(r, &d, NULL) == BASIN_OK)
        same_again(r, again, tuple_put_f64(again, d));
    else if (which == 3 && tuple_get_bnum(r, &number, NULL) == BASIN_OK)
        same_again(r, again, tuple_put_bnum(again, number));
    else if (which == 4 && tuple_get_bool(r, &yes, NULL) == BASIN_OK)
        same_again(r, again, tuple_put_bool(again, yes));
}

static void
fuzz_text(struct rd *r, struct buf *again)
{
    struct buf text;

    buf_init(&text, &base_malloc);
    if (tuple_get_str(r, &text, NULL) == BASIN_OK)
        same_again(r, again, tuple_put_str(again, buf_bytes(&text)));
    else
        must(text.size == 0);
    buf_release(&text);
}

static void
fuzz_binary(struct rd *r, struct buf *again)
{
    struct bytes content;
    uint8_t subtype;

    if (tuple_get_binary(r, &subtype, &content, NULL) == BASIN_OK)
        same_again(r, again, tuple_put_binary(again, subtype, content));
}

static void
fuzz_value(struct rd *r, struct buf *inverted)
{
    struct bytes in = bytes_of(r->data, r->size);
    struct tuple_walk w;
    struct tuple_step step;
    struct rd down;
    bool cut = false;
    basin_status st, whole = tuple_skip_value(r, NULL);

    tuple_walk_init(&w, in, 0, false);
    do {
        st = tuple_walk_next(&w, &step, NULL);
        must(w.at <= in.size && step.payload.size <= in.size);
    } while (st == BASIN_OK);
    must((st == BASIN_END) == (whole == BASIN_OK) && w.at == r->at);
    must(buf_add(inverted, in.data, in.size) == BASIN_OK);
    tuple_invert(inverted, 0);
    down = rd_over(inverted->data, inverted->size);
    st = tuple_skip_column(&down, true, &cut, NULL);
    if (whole == BASIN_OK && r->at <= TUPLE_CUT_AT)
        must(st == BASIN_OK && down.at == r->at && !cut);
    if (cut)
        must(down.at == TUPLE_CUT_SIZE);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf out;
    struct rd r;

    if (size == 0)
        return 0;
    buf_init(&out, &base_malloc);
    r = rd_over(data + 1, size - 1);
    if (data[0] % 8 < 5)
        fuzz_number(&r, &out, data[0] % 8);
    else if (data[0] % 8 == 5)
        fuzz_text(&r, &out);
    else if (data[0] % 8 == 6)
        fuzz_binary(&r, &out);
    else
        fuzz_value(&r, &out);
    must(r.at <= r.size);
    buf_release(&out);
    return 0;
}
