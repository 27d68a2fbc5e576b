// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The bounded reader and the writer that every format goes through.
 *
 * Both are sticky: after the first failure they do nothing more, so a decoder reads all its fields
 * and asks once. The reader never moves past size; `at` stays where it stopped, which is what the
 * error text of a decoder names.
 */
#include "base/base.h"

struct rd
rd_over(const void *p, size_t n)
{
    return (struct rd){ .data = p, .size = n };
}

void
rd_fail(struct rd *r)
{
    r->failed = true;
}

/* The next n bytes, or NULL; n is not 0. */
static const uint8_t *
take(struct rd *r, size_t n)
{
    const uint8_t *p;

    check(r->at <= r->size);
    if (r->failed || n > r->size - r->at) {
        r->failed = true;
        return NULL;
    }
    p = r->data + r->at;
    r->at += n;
    return p;
}

uint8_t
rd_u8(struct rd *r)
{
    const uint8_t *p = take(r, 1);

    return p ? *p : 0;
}

uint16_t
rd_u16(struct rd *r)
{
    const uint8_t *p = take(r, 2);

    return p ? load_u16(p) : 0;
}

uint32_t
rd_u32(struct rd *r)
{
    const uint8_t *p = take(r, 4);

    return p ? load_u32(p) : 0;
}

uint64_t
rd_u64(struct rd *r)
{
    const uint8_t *p = take(r, 8);

    return p ? load_u64(p) : 0;
}

uint64_t
rd_leb(struct rd *r)
{
    uint64_t v = 0;
    size_t n;

    if (r->failed || r->at == r->size) {
        r->failed = true;
        return 0;
    }
    n = leb_get(r->data + r->at, r->size - r->at, &v);
    if (n == 0)
        r->failed = true;
    r->at += n;
    return v;
}

struct bytes
rd_bytes(struct rd *r, size_t n)
{
    const uint8_t *p;

    if (n == 0)
        return BYTES_NULL;
    p = take(r, n);
    return p ? bytes_of(p, n) : BYTES_NULL;
}

struct bytes
rd_leb_bytes(struct rd *r)
{
    uint64_t n = rd_leb(r);

    if (r->failed || n > r->size - r->at) {
        r->failed = true;
        return BYTES_NULL;
    }
    return rd_bytes(r, (size_t)n);
}

void
rd_zeros(struct rd *r, size_t n)
{
    for (size_t i = 0; i < n && !r->failed; i++) {
        if (r->at == r->size || r->data[r->at] != 0)
            r->failed = true;
        else
            r->at++;
    }
}

struct wr
wr_into(struct buf *to)
{
    return (struct wr){ .to = to };
}

static void
put(struct wr *w, const void *p, size_t n)
{
    if (!w->failed && buf_add(w->to, p, n) != BASIN_OK)
        w->failed = true;
}

void
wr_u8(struct wr *w, uint8_t v)
{
    put(w, &v, 1);
}

void
wr_u16(struct wr *w, uint16_t v)
{
    uint8_t p[2];

    store_u16(p, v);
    put(w, p, sizeof p);
}

void
wr_u32(struct wr *w, uint32_t v)
{
    uint8_t p[4];

    store_u32(p, v);
    put(w, p, sizeof p);
}

void
wr_u64(struct wr *w, uint64_t v)
{
    uint8_t p[8];

    store_u64(p, v);
    put(w, p, sizeof p);
}

void
wr_leb(struct wr *w, uint64_t v)
{
    uint8_t p[LEB_MAX];

    put(w, p, leb_put(p, v));
}

void
wr_bytes(struct wr *w, struct bytes b)
{
    put(w, b.data, b.size);
}

void
wr_leb_bytes(struct wr *w, struct bytes b)
{
    wr_leb(w, b.size);
    wr_bytes(w, b);
}

void
wr_zeros(struct wr *w, size_t n)
{
    if (w->failed || n == 0)
        return;
    if (buf_reserve(w->to, n) != BASIN_OK) {
        w->failed = true;
        return;
    }
    memset(w->to->data + w->to->size, 0, n);
    w->to->size += n;
}

basin_status
wr_status(const struct wr *w, basin_error *err)
{
    if (!w->failed)
        return BASIN_OK;
    return error_set(err, BASIN_NO_MEM, "out of memory after %zu bytes of a record", w->to->size);
}
