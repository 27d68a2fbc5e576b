// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * A source over borrowed bytes and a sink into a buffer: the second implementation of both tables,
 * with which whole strata are written, searched and damaged in memory.
 *
 * Neither owns heap memory: closing a source or freeing a sink releases nothing, but a sink that
 * was not committed takes back what it wrote.
 */
#include "base/base.h"

#include <stdio.h>

static basin_status
source_read(struct source *s, uint64_t at, void *to, size_t n, basin_error *err)
{
    const struct memory_source *m = (const struct memory_source *)s;

    if (at > m->data.size || n > m->data.size - at) {
        error_set(err, BASIN_CORRUPT, "%s: %zu bytes at %llu are past its end at %zu", s->name, n,
                  (unsigned long long)at, m->data.size);
        return BASIN_CORRUPT;
    }
    if (n > 0)
        memcpy(to, m->data.data + at, n);
    return BASIN_OK;
}

static const uint8_t *
source_map(struct source *s)
{
    const struct memory_source *m = (const struct memory_source *)s;

    return m->mappable ? m->data.data : NULL;
}

static void
source_close(struct source *s)
{
    (void)s;
}

static const struct source_ops memory_source_ops = { source_read, source_map, source_close };

void
memory_source_init(struct memory_source *s, struct bytes data, const char *name)
{
    *s = (struct memory_source){ .base = { .ops = &memory_source_ops, .size = data.size },
                                 .data = data,
                                 .mappable = true };
    snprintf(s->base.name, sizeof s->base.name, "%s", name);
}

static basin_status
sink_write(struct sink *s, const void *p, size_t n, basin_error *err)
{
    struct memory_sink *m = (struct memory_sink *)s;

    must(!m->committed);
    if (buf_add(m->to, p, n) != BASIN_OK)
        return error_set(err, BASIN_NO_MEM, "memory sink: no memory for %zu bytes", n);
    s->size += n;
    return BASIN_OK;
}

static basin_status
sink_commit(struct sink *s, basin_error *err)
{
    struct memory_sink *m = (struct memory_sink *)s;

    (void)err;
    must(!m->committed);
    m->committed = true;
    return BASIN_OK;
}

static void
sink_free(struct sink *s)
{
    struct memory_sink *m = (struct memory_sink *)s;

    if (s == NULL || m->committed)
        return;
    must(m->to->size >= s->size);
    m->to->size -= (size_t)s->size;
    s->size = 0;
}

static const struct sink_ops memory_sink_ops = { sink_write, sink_commit, sink_free };

void
memory_sink_init(struct memory_sink *s, struct buf *to)
{
    *s = (struct memory_sink){ .base = { .ops = &memory_sink_ops }, .to = to };
}
