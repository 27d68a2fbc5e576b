// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * C1: byte strings and text. A byte 00 is written as 00 FF and the end as 00 01, so a string sorts
 * directly before its extensions and no string is a prefix of another one's code.
 * Also the helpers that turn a scan into a reader's result.
 *
 * Format: docs/format/tuple.md. Source of the idea: FoundationDB's tuple layer; its end mark is a
 * single 00, which would let a string run into a following element that begins with FF.
 */
#include "tuple/tuple_scan.h"

basin_status
tuple__corrupt(struct rd *r, basin_error *err, const char *what)
{
    rd_fail(r);
    return error_set(err, BASIN_CORRUPT, "tuple: byte %zu of %zu: %s", r->at, r->size, what);
}

struct scan
tuple__scan_of(const struct rd *r)
{
    return (struct scan){ .data = r->data, .size = r->size, .at = r->at };
}

basin_status
tuple__scan_done(struct rd *r, const struct scan *s, enum scan_result result, basin_error *err)
{
    must(s->at <= r->size);
    r->at = s->at;
    if (result != SCAN_OK)
        return tuple__corrupt(r, err, s->what);
    return BASIN_OK;
}

enum scan_result
tuple__scan_raw(struct scan *s, size_t n, const char *what)
{
    if (n > s->size - s->at)
        return tuple__scan_stop(s, SCAN_SHORT, what);
    s->at += n;
    return SCAN_OK;
}

enum scan_result
tuple__scan_str(struct scan *s)
{
    for (;;) {
        size_t left = s->size - s->at;
        const uint8_t *zero = left ? memchr(s->data + s->at, s->mask, left) : NULL;
        uint8_t next;

        if (zero == NULL) {
            s->at = s->size;
            return tuple__scan_stop(s, SCAN_SHORT, "string without an end");
        }
        s->at = (size_t)(zero - s->data) + 1;
        if (s->at == s->size)
            return tuple__scan_stop(s, SCAN_SHORT, "string ends inside an escape");
        next = tuple__scan_byte(s);
        if (next != 0x01 && next != 0xFF)
            return tuple__scan_stop(s, SCAN_BAD, "00 in a string is followed by neither FF nor 01");
        s->at++;
        if (next == 0x01)
            return SCAN_OK;
    }
}

basin_status
tuple_put_str_prefix(struct buf *to, struct bytes s)
{
    size_t from = to->size, zeros = 0, at = 0;
    basin_status st;

    for (size_t i = 0; i < s.size; i++)
        zeros += s.data[i] == 0;
    if (zeros > SIZE_MAX / 2 - s.size)
        return BASIN_NO_MEM;
    st = buf_reserve(to, s.size + zeros);
    if (st != BASIN_OK)
        return st;
    while (at < s.size) {
        const uint8_t *zero = memchr(s.data + at, 0, s.size - at);
        size_t n = zero ? (size_t)(zero - (s.data + at)) + 1 : s.size - at;
        memcpy(to->data + to->size, s.data + at, n);
        to->size += n;
        at += n;
        if (zero)
            to->data[to->size++] = 0xFF;
    }
    must(to->size == from + s.size + zeros);
    return BASIN_OK;
}

basin_status
tuple_put_str(struct buf *to, struct bytes s)
{
    static const uint8_t end[] = { 0x00, 0x01 };
    size_t from = to->size;
    basin_status st;

    TRY(tuple_put_str_prefix(to, s));
    TRY(buf_add(to, end, sizeof end));
out:
    if (st != BASIN_OK)
        to->size = from;
    return st;
}

/* Appends the content of a sound code, its end mark excluded. */
static basin_status
unescape(struct bytes code, struct buf *out)
{
    size_t at = 0;
    basin_status st = buf_reserve(out, code.size);

    if (st != BASIN_OK)
        return st;
    while (at < code.size) {
        const uint8_t *zero = memchr(code.data + at, 0, code.size - at);
        size_t n = zero ? (size_t)(zero - (code.data + at)) + 1 : code.size - at;
        memcpy(out->data + out->size, code.data + at, n);
        out->size += n;
        at += zero ? n + 1 : n;
    }
    return BASIN_OK;
}

basin_status
tuple_get_str(struct rd *r, struct buf *out, basin_error *err)
{
    size_t from = r->at;
    basin_status st = tuple_skip_str(r, err);

    if (st != BASIN_OK || out == NULL)
        return st;
    if (unescape(bytes_of(r->data + from, r->at - from - 2), out) != BASIN_OK) {
        r->at = from;
        return error_set(err, BASIN_NO_MEM, "tuple: no memory for a string");
    }
    return BASIN_OK;
}

basin_status
tuple_skip_str(struct rd *r, basin_error *err)
{
    struct scan s = tuple__scan_of(r);

    if (!rd_ok(r))
        return tuple__corrupt(r, err, "read after a failure");
    return tuple__scan_done(r, &s, tuple__scan_str(&s), err);
}
