// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * C7: document values: a tag byte that is the rank of the type, then a payload.
 *
 * The walk goes through a value of any depth with one bit per open container, so a value of hostile
 * bytes costs neither the stack nor memory. Its states, and what leads from one to the next:
 *
 *     VALUE --tag of a scalar--> AFTER      VALUE --tag of a container--> INSIDE
 *     VALUE --code with scope--> SCOPE --tag of a document--> INSIDE
 *     INSIDE --pair mark and key--> VALUE   INSIDE --end mark--> AFTER
 *     INSIDE of an array --any tag--> as VALUE
 *     AFTER = INSIDE of the container around it, or DONE when there is none
 *
 * Format: docs/format/tuple.md.
 */
#include "tuple/tuple_scan.h"

enum expect { EXPECT_VALUE, EXPECT_SCOPE, EXPECT_INSIDE, EXPECT_DONE };

basin_status
tuple_put_tag(struct buf *to, enum tuple_tag tag)
{
    return tuple_put_u8(to, (uint8_t)tag);
}

/* END is no tag of a value. */
static bool
tag_known(uint8_t byte)
{
    switch ((enum tuple_tag)byte) {
    case TUPLE_MIN_KEY:
    case TUPLE_ABSENT:
    case TUPLE_NULL:
    case TUPLE_NUMBER:
    case TUPLE_STRING:
    case TUPLE_DOCUMENT:
    case TUPLE_ARRAY:
    case TUPLE_BINARY:
    case TUPLE_OBJECT_ID:
    case TUPLE_UUID:
    case TUPLE_BOOL:
    case TUPLE_DATETIME:
    case TUPLE_TIMESTAMP:
    case TUPLE_REGEX:
    case TUPLE_CODE:
    case TUPLE_CODE_SCOPE:
    case TUPLE_MAX_KEY:
        return true;
    case TUPLE_END:
        return false;
    }
    return false;
}

basin_status
tuple_get_tag(struct rd *r, enum tuple_tag *tag, basin_error *err)
{
    *tag = TUPLE_END;
    if (!rd_ok(r) || rd_left(r) == 0)
        return tuple__corrupt(r, err, "a value is missing");
    if (!tag_known(r->data[r->at]) && r->data[r->at] != TUPLE_END)
        return tuple__corrupt(r, err, "an unknown tag");
    *tag = (enum tuple_tag)r->data[r->at++];
    return BASIN_OK;
}

basin_status
tuple_put_binary(struct buf *to, uint8_t subtype, struct bytes data)
{
    size_t from = to->size;
    basin_status st;

    if (data.size > UINT32_MAX)
        return BASIN_LIMIT;
    TRY(tuple_put_u8(to, subtype));
    TRY(tuple_put_u32(to, (uint32_t)data.size));
    TRY(buf_add(to, data.data, data.size));
out:
    if (st != BASIN_OK)
        to->size = from;
    return st;
}

basin_status
tuple_get_binary(struct rd *r, uint8_t *subtype, struct bytes *data, basin_error *err)
{
    uint32_t size;
    basin_status st;

    *data = BYTES_NULL;
    TRY(tuple_get_u8(r, subtype, err));
    TRY(tuple_get_u32(r, &size, err));
    if (size > rd_left(r)) {
        st = tuple__corrupt(r, err, "a binary is cut off");
        goto out;
    }
    *data = rd_bytes(r, size);
out:
    return st;
}

void
tuple_walk_init(struct tuple_walk *w, struct bytes in, size_t at, bool descending)
{
    must(at <= in.size);
    *w = (struct tuple_walk){
        .in = in, .at = at, .mask = descending ? 0xFF : 0x00, .expect = EXPECT_VALUE
    };
}

static bool
in_document(const struct tuple_walk *w)
{
    unsigned level = w->depth - 1u;

    return w->documents[level / 64] >> (level % 64) & 1;
}

static enum scan_result
scan_binary(struct scan *s)
{
    size_t size = 0;
    enum scan_result result = tuple__scan_raw(s, 1, "a binary is cut off");

    for (int i = 0; result == SCAN_OK && i < 4; i++) {
        size = size << 8 | (s->at < s->size ? tuple__scan_byte(s) : 0);
        result = tuple__scan_raw(s, 1, "a binary is cut off");
    }
    return result == SCAN_OK ? tuple__scan_raw(s, size, "a binary is cut off") : result;
}

static enum scan_result
scan_bool(struct scan *s)
{
    if (s->at < s->size && tuple__scan_byte(s) > 1)
        return tuple__scan_stop(s, SCAN_BAD, "a bool other than 00 and 01");
    return tuple__scan_raw(s, 1, "a bool is cut off");
}

static enum scan_result
scan_regex(struct scan *s)
{
    enum scan_result result = tuple__scan_str(s);

    return result == SCAN_OK ? tuple__scan_str(s) : result;
}

/* What follows the tag of a scalar, and the code of a code with scope. */
static enum scan_result
scan_payload(struct scan *s, enum tuple_tag tag)
{
    switch (tag) {
    case TUPLE_NUMBER:
        return tuple__scan_bnum(s);
    case TUPLE_STRING:
    case TUPLE_CODE:
    case TUPLE_CODE_SCOPE:
        return tuple__scan_str(s);
    case TUPLE_BINARY:
        return scan_binary(s);
    case TUPLE_OBJECT_ID:
        return tuple__scan_raw(s, TUPLE_OBJECT_ID_SIZE, "an object id is cut off");
    case TUPLE_UUID:
        return tuple__scan_raw(s, TUPLE_UUID_SIZE, "a UUID is cut off");
    case TUPLE_BOOL:
        return scan_bool(s);
    case TUPLE_DATETIME:
    case TUPLE_TIMESTAMP:
        return tuple__scan_raw(s, 8, "a time is cut off");
    case TUPLE_REGEX:
        return scan_regex(s);
    default:
        return SCAN_OK; /* null and its like have none */
    }
}

/* Enters the container whose tag was read. */
static enum scan_result
open_container(struct tuple_walk *w, struct scan *s, enum tuple_tag tag)
{
    uint64_t bit = (uint64_t)1 << (w->depth % 64);

    if (w->depth == TUPLE_DEPTH_MAX)
        return tuple__scan_stop(s, SCAN_BAD, "a value is nested too deep");
    if (tag == TUPLE_DOCUMENT)
        w->documents[w->depth / 64] |= bit;
    else
        w->documents[w->depth / 64] &= ~bit;
    w->depth++;
    w->expect = EXPECT_INSIDE;
    return SCAN_OK;
}

static enum scan_result
step_value(struct tuple_walk *w, struct scan *s, struct tuple_step *step)
{
    enum scan_result result;
    uint8_t byte;

    if (s->at == s->size)
        return tuple__scan_stop(s, SCAN_SHORT, "a value is missing");
    byte = tuple__scan_byte(s);
    if (!tag_known(byte))
        return tuple__scan_stop(s, SCAN_BAD, "an unknown tag");
    if (w->expect == EXPECT_SCOPE && byte != TUPLE_DOCUMENT)
        return tuple__scan_stop(s, SCAN_BAD, "the scope of code is not a document");
    step->tag = (enum tuple_tag)byte;
    if (byte == TUPLE_DOCUMENT || byte == TUPLE_ARRAY) {
        step->kind = TUPLE_STEP_OPEN;
        result = open_container(w, s, step->tag);
        s->at += result == SCAN_OK;
        return result;
    }
    s->at++;
    w->at = s->at; /* where the payload begins */
    result = scan_payload(s, step->tag);
    step->kind = byte == TUPLE_CODE_SCOPE ? TUPLE_STEP_SCOPE : TUPLE_STEP_SCALAR;
    if (byte == TUPLE_CODE_SCOPE)
        w->expect = EXPECT_SCOPE;
    else
        w->expect = w->depth ? EXPECT_INSIDE : EXPECT_DONE;
    step->payload = bytes_of(s->data + w->at, s->at - w->at);
    return result;
}

static enum scan_result
step_inside(struct tuple_walk *w, struct scan *s, struct tuple_step *step)
{
    bool document = in_document(w);
    enum scan_result result;
    uint8_t byte;

    if (s->at == s->size)
        return tuple__scan_stop(s, SCAN_SHORT, "a container without an end");
    byte = tuple__scan_byte(s);
    if (byte == TUPLE_END) {
        s->at++;
        w->depth--;
        w->expect = w->depth ? EXPECT_INSIDE : EXPECT_DONE;
        step->kind = TUPLE_STEP_CLOSE;
        step->tag = document ? TUPLE_DOCUMENT : TUPLE_ARRAY;
        return SCAN_OK;
    }
    if (!document)
        return step_value(w, s, step);
    if (byte != TUPLE_PAIR)
        return tuple__scan_stop(s, SCAN_BAD, "neither a pair nor the end of a document");
    s->at++;
    w->at = s->at;
    result = tuple__scan_str(s);
    w->expect = EXPECT_VALUE;
    step->kind = TUPLE_STEP_KEY;
    step->tag = TUPLE_STRING;
    step->payload = bytes_of(s->data + w->at, s->at - w->at);
    return result;
}

static enum scan_result
walk_step(struct tuple_walk *w, struct scan *s, struct tuple_step *step)
{
    enum scan_result result;

    *step = (struct tuple_step){ .payload = BYTES_NULL };
    if (w->expect == EXPECT_INSIDE)
        result = step_inside(w, s, step);
    else
        result = step_value(w, s, step);
    w->at = s->at;
    return result;
}

static struct scan
scan_of_walk(const struct tuple_walk *w)
{
    return (struct scan){ .data = w->in.data, .size = w->in.size, .at = w->at, .mask = w->mask };
}

basin_status
tuple_walk_next(struct tuple_walk *w, struct tuple_step *step, basin_error *err)
{
    struct scan s = scan_of_walk(w);
    struct rd r;
    enum scan_result result;

    *step = (struct tuple_step){ .payload = BYTES_NULL };
    if (w->expect == EXPECT_DONE)
        return BASIN_END;
    result = walk_step(w, &s, step);
    if (result == SCAN_OK)
        return BASIN_OK;
    r = rd_over(w->in.data, w->in.size);
    return tuple__scan_done(&r, &s, result, err);
}

/* Walks to the end of one value. */
static enum scan_result
scan_value(struct scan *s)
{
    struct tuple_walk w;
    struct tuple_step step;
    enum scan_result result = SCAN_OK;

    tuple_walk_init(&w, bytes_of(s->data, s->size), s->at, s->mask != 0);
    while (result == SCAN_OK && w.expect != EXPECT_DONE)
        result = walk_step(&w, s, &step);
    return result;
}

basin_status
tuple_skip_value(struct rd *r, basin_error *err)
{
    struct scan s = tuple__scan_of(r);

    if (!rd_ok(r))
        return tuple__corrupt(r, err, "read after a failure");
    return tuple__scan_done(r, &s, scan_value(&s), err);
}

/*
 * An element of at most TUPLE_CUT_AT bytes ends inside that window, for no code is a prefix of
 * another. One that does not end there was cut, and is then TUPLE_CUT_SIZE bytes.
 */
static basin_status
skip_cut(struct rd *r, bool descending, enum scan_result (*scan)(struct scan *s), bool *cut,
         basin_error *err)
{
    struct scan s = tuple__scan_of(r);
    size_t from = r->at;
    enum scan_result result;

    *cut = false;
    if (!rd_ok(r))
        return tuple__corrupt(r, err, "read after a failure");
    s.mask = descending ? 0xFF : 0x00;
    s.size = from + MIN_OF(rd_left(r), (size_t)TUPLE_CUT_AT);
    result = scan(&s);
    if (result != SCAN_SHORT || rd_left(r) < TUPLE_CUT_SIZE)
        return tuple__scan_done(r, &s, result, err);
    r->at += TUPLE_CUT_SIZE;
    *cut = true;
    return BASIN_OK;
}

basin_status
tuple_skip_column(struct rd *r, bool descending, bool *cut, basin_error *err)
{
    return skip_cut(r, descending, scan_value, cut, err);
}

basin_status
tuple_skip_cut_str(struct rd *r, bool descending, bool *cut, basin_error *err)
{
    return skip_cut(r, descending, tuple__scan_str, cut, err);
}
