// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * What the tests of strata share: a stratum written into memory and opened again, a source that
 * counts its reads, a page hook with XOR, and short names for entries.
 */
#ifndef TEST_STRATUM_SHELF_H
#define TEST_STRATUM_SHELF_H

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "model/chance.h"
#include "model/memory.h"
#include "stratum/stratum.h"

/* A source over a buffer that counts reads; cannot be mapped unless asked to. */
struct counted_source {
    struct source base;
    struct bytes data;
    bool mappable;
    atomic_size_t reads;
    atomic_size_t bytes;
    size_t closed;
};

static basin_status
counted_read(struct source *s, uint64_t at, void *to, size_t n, basin_error *err)
{
    struct counted_source *c = (struct counted_source *)s;

    if (at > c->data.size || n > c->data.size - at)
        return error_set(err, BASIN_CORRUPT, "%s: read past the end", s->name);
    c->reads++;
    c->bytes += n;
    if (n)
        memcpy(to, c->data.data + at, n);
    return BASIN_OK;
}

static const uint8_t *
counted_map(struct source *s)
{
    struct counted_source *c = (struct counted_source *)s;

    return c->mappable ? c->data.data : NULL;
}

static void
counted_close(struct source *s)
{
    ((struct counted_source *)s)->closed++;
}

static const struct source_ops counted_ops = { counted_read, counted_map, counted_close };

static inline void
counted_init(struct counted_source *c, struct bytes data, bool mappable)
{
    memset(c, 0, sizeof(*c));
    c->base.ops = &counted_ops;
    c->base.size = data.size;
    c->data = data;
    c->mappable = mappable;
    snprintf(c->base.name, sizeof(c->base.name), "%s", "test");
}

/* XOR with a byte; keeps a note in the reserved bytes. */
static inline basin_status
xor_page(void *ctx, uint64_t page, uint8_t *data, size_t size, uint8_t *reserved)
{
    uint8_t mask = *(const uint8_t *)ctx;

    (void)page;
    for (size_t i = 0; i < size; i++)
        data[i] ^= mask;
    memset(reserved, 0xEE, 32);
    return BASIN_OK;
}

static inline basin_status
unxor_page(void *ctx, uint64_t page, uint8_t *data, size_t size, const uint8_t *reserved)
{
    uint8_t mask = *(const uint8_t *)ctx;

    (void)page;
    for (size_t i = 0; i < 32; i++)
        if (reserved[i] != 0xEE)
            return BASIN_CORRUPT;
    for (size_t i = 0; i < size; i++)
        data[i] ^= mask;
    return BASIN_OK;
}

/* The first byte tells the size of the first element, 1 to 3 bytes; the second is one byte. */
static inline size_t
first_elements(struct bytes key, unsigned elements)
{
    size_t n = key.size == 0 ? 0 : 1 + key.data[0] / 100u + (elements > 1);

    return MIN_OF(n, key.size);
}

static inline struct stratum_write_options
write_options(const basin_allocator *mem)
{
    return (struct stratum_write_options){ .mem = mem,
                                           .page_size = STRATUM_PAGE_SIZE_DEFAULT,
                                           .filter_bits = 10,
                                           .database_id = { 11, 12 },
                                           .object_id = { 3, 41 } };
}

static inline struct stratum_read_options
read_options(const basin_allocator *mem)
{
    return (struct stratum_read_options){ .mem = mem,
                                          .database_id = { 11, 12 },
                                          .object_id = { 3, 41 } };
}

/* A stratum in memory, written and opened. */
struct shelf {
    struct buf bytes;
    struct memory_sink sink;
    struct counted_source source;
    struct stratum_write_options to;
    struct stratum_read_options from;
    struct stratum_writer *writer;
    struct stratum_summary summary;
    struct stratum_counters counters;
    struct stratum *stratum;
    struct stratum_cursor *cursor;
    basin_error err;
};

static inline void
shelf_init(struct shelf *s)
{
    memset(s, 0, sizeof(*s));
    buf_init(&s->bytes, &base_malloc);
    memory_sink_init(&s->sink, &s->bytes);
    s->to = write_options(&base_malloc);
    s->from = read_options(&base_malloc);
    s->from.counters = &s->counters;
}

static inline void
must_be_ok(const struct shelf *s, basin_status st)
{
    if (st != BASIN_OK)
        print_error("status %s: %s\n", basin_status_name(st), s->err.what);
    assert_int_equal(st, BASIN_OK);
}

static inline void
shelf_write(struct shelf *s)
{
    must_be_ok(s, stratum_writer_new(&s->to, &s->sink.base, &s->writer, &s->err));
}

static inline void
shelf_add(struct shelf *s, struct bytes key, struct bytes value, uint64_t seqno,
          enum entry_kind kind)
{
    struct entry e = { key, value, seqno, kind };

    must_be_ok(s, stratum_writer_add(s->writer, &e, &s->err));
}

static inline struct bytes
text(const char *s)
{
    return bytes_of(s, strlen(s));
}

static inline void
shelf_put(struct shelf *s, const char *key, const char *value)
{
    shelf_add(s, text(key), text(value), 1, ENTRY_PUT);
}

/* Finishes the writer and opens what it wrote, with a cursor. */
static inline void
shelf_open(struct shelf *s, bool mappable)
{
    must_be_ok(s, stratum_writer_finish(s->writer, &s->summary, &s->err));
    assert_int_equal(s->sink.base.ops->commit(&s->sink.base, NULL), BASIN_OK);
    counted_init(&s->source, buf_bytes(&s->bytes), mappable);
    must_be_ok(s, stratum_open(&s->source.base, &s->from, &s->stratum, &s->err));
    must_be_ok(s, stratum_cursor_open(s->stratum, &s->cursor, &s->err));
}

static inline void
shelf_release(struct shelf *s)
{
    stratum_cursor_close(s->cursor);
    stratum_close(s->stratum);
    stratum_writer_free(s->writer);
    buf_release(&s->bytes);
}

#endif
