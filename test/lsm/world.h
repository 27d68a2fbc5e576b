// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * A database made by hand for tests of the read path: memtables, and strata that are written and
 * opened in memory, put together to a version. No log, no files, no threads.
 */
#ifndef TEST_LSM_WORLD_H
#define TEST_LSM_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "lsm/internal.h"
#include "lsm/mem.h"
#include "lsm/rules.h"
#include "lsm/version.h"
#include "model/chance.h"
#include "model/memory.h"

enum { WORLD_MAX = 96 };

struct built {
    struct buf bytes;
    struct memory_source source;
    struct lsm_stratum ls;
};

struct world {
    struct test_memory memory;
    const basin_allocator *mem;
    struct lsm db;
    struct lsm_operator operators[3];
    struct mem_fold fold;
    struct stratum_cache *cache;
    struct memtable *mems[WORLD_MAX]; /* oldest first */
    size_t mem_count;
    struct built *built[WORLD_MAX];
    size_t built_count;
    struct lsm_run runs[WORLD_MAX]; /* in the order of a version */
    struct lsm_stratum *strata[WORLD_MAX][8]; /* of the runs, in the order of their making */
    size_t run_count, runs_made;
    struct memtable *newest_first[WORLD_MAX];
    struct version version;
    basin_error err;
};

/* Fails the test with the error's text. */
#define assert_ok(w, call) world_expect((w), (call), BASIN_OK, __FILE__, __LINE__)
#define assert_status(w, call, want) world_expect((w), (call), (want), __FILE__, __LINE__)

static inline void
world_expect(struct world *w, basin_status st, basin_status want, const char *file, int line)
{
    if (st != want) {
        print_error("%s, not %s: %s\n", basin_status_name(st), basin_status_name(want),
                    w->err.what);
        _fail(file, line);
    }
}

static inline void
world_init(struct world *w)
{
    memset(w, 0, sizeof *w);
    test_memory_init(&w->memory);
    w->mem = &w->memory.table;
    w->db.mem = w->mem;
    w->operators[0] = lsm_operator_counter;
    w->operators[1] = lsm_operator_append;
    w->db.operators = w->operators;
    w->db.operator_count = 2;
    w->fold = (struct mem_fold){ w->operators, 2 };
    assert_ok(w, stratum_cache_new(w->mem, MIB, &w->cache, &w->err));
}

/* A new newest memtable; it belongs to w. */
static inline struct memtable *
world_memtable(struct world *w)
{
    struct memtable *m;

    assert_true(w->mem_count < WORLD_MAX);
    assert_ok(w, memtable_new(w->mem, &w->fold, &m, &w->err));
    w->mems[w->mem_count++] = m;
    return m;
}

static inline void
world_drop_oldest(struct world *w)
{
    memtable_unref(w->mems[0]);
    w->mem_count--;
    memmove(w->mems, w->mems + 1, w->mem_count * sizeof *w->mems);
}

/* The first byte of a key, or the first three. */
static inline size_t
world_prefix(struct bytes key, unsigned elements)
{
    return MIN_OF(key.size, (size_t)(elements > 1 ? 3 : 1));
}

/* What of a memtable goes into a stratum. */
struct world_cut {
    uint32_t level;
    uint64_t run;
    const struct bytes *from, *to; /* [from, to); NULL = no bound */
    uint64_t elide; /* not 0: only what is seen at this snapshot or later is written, without
                       seqnos where the stratum may */
    bool no_map;
};

static inline bool
cut_has(const struct world_cut *cut, struct bytes key)
{
    return (cut->from == NULL || bytes_compare(*cut->from, key) <= 0) &&
           (cut->to == NULL || bytes_compare(key, *cut->to) < 0);
}

/* All range tombstones of a memtable as fragments, with every seqno. */
static inline void
world_fragments(struct world *w, const struct memtable *m, struct range_tombstone **out,
                size_t *count)
{
    struct range_tombstone *all;
    size_t n;

    assert_ok(w, memtable_ranges(m, w->mem, &all, &n, &w->err));
    uint64_t *each = mem_new(w->mem, (n + 1) * sizeof *each);
    for (size_t i = 0; i < n; i++)
        each[i] = all[i].seqno;
    assert_ok(w, lsm__rules_ranges(&(struct rules_options){ .db = &w->db,
                                                            .snapshots = each,
                                                            .snapshot_count = n },
                                   all, n, out, count, &w->err));
    mem_free(w->mem, each, (n + 1) * sizeof *each);
    mem_free(w->mem, all, n * sizeof *all);
}

static inline void
world_write_ranges(struct world *w, const struct memtable *m, const struct world_cut *cut,
                   struct stratum_writer *writer)
{
    struct range_tombstone *ranges;
    size_t count;

    world_fragments(w, m, &ranges, &count);
    for (size_t i = 0; i < count; i++) {
        struct range_tombstone t = ranges[i];
        if (cut->from != NULL && bytes_compare(t.begin, *cut->from) < 0)
            t.begin = *cut->from;
        if (cut->to != NULL && (t.unbounded || bytes_compare(*cut->to, t.end) < 0)) {
            t.end = *cut->to;
            t.unbounded = false;
        }
        if (t.unbounded || bytes_compare(t.begin, t.end) < 0)
            assert_ok(w, stratum_writer_add_range(writer, &t, &w->err));
    }
    mem_free(w->mem, ranges, count * sizeof *ranges);
}

static inline void
world_write_entries(struct world *w, struct memtable *m, const struct world_cut *cut,
                    struct stratum_writer *writer)
{
    struct icur *c;
    struct buf key;
    bool closed = false;

    buf_init(&key, w->mem);
    assert_ok(w, memtable_cursor(m, w->mem, &c, &w->err));
    for (assert_ok(w, c->ops->first(c, &w->err)); c->valid;
         assert_ok(w, c->ops->next(c, &w->err))) {
        if (!cut_has(cut, c->entry.key))
            continue;
        if (key.data == NULL || !bytes_equal(buf_bytes(&key), c->entry.key))
            closed = false;
        assert_ok(w, buf_set(&key, c->entry.key.data, c->entry.key.size));
        if (key.data == NULL)
            assert_ok(w, buf_reserve(&key, 1));
        if (cut->elide > 0 &&
            (closed || memtable_covering(m, c->entry.key, UINT64_MAX, NULL) > c->entry.seqno))
            continue;
        assert_ok(w, stratum_writer_add(writer, &c->entry, &w->err));
        closed = c->entry.kind != ENTRY_MERGE;
    }
    c->ops->close(c);
    buf_release(&key);
}

static inline void
world_describe(struct world *w, struct lsm_stratum *ls, const struct world_cut *cut,
               const struct stratum_summary *s)
{
    ls->db = &w->db;
    ls->id = (struct object_id){ 1, w->built_count + 1 };
    ls->level = cut->level;
    ls->run = cut->run;
    buf_init(&ls->first_key, w->mem);
    buf_init(&ls->last_key, w->mem);
    assert_ok(w, buf_set(&ls->first_key, s->first_key.data, s->first_key.size));
    assert_ok(w, buf_set(&ls->last_key, s->last_key.data, s->last_key.size));
    ls->last_excluded = s->last_key_excluded;
    ls->last_unbounded = s->last_unbounded;
    ls->entries = s->entries;
    ls->deletes = s->deletes;
    ls->merges = s->merges;
    ls->range_tombstones = s->range_tombstones;
    ls->seqno_min = s->seqno_min;
    ls->seqno_max = s->seqno_max;
    ls->size = s->size;
    atomic_init(&ls->ref_count, 1);
}

/* Writes a part of m and opens it; NULL when there is nothing in it. It belongs to w. */
static inline struct lsm_stratum *
world_stratum(struct world *w, struct memtable *m, const struct world_cut *cut)
{
    struct built *b = mem_new(w->mem, sizeof *b);
    struct stratum_writer *writer;
    struct stratum_summary summary;
    struct memory_sink sink;
    struct stratum *s;
    struct stratum_write_options wo = { .mem = w->mem, .page_size = 256, .filter_bits = 10,
                                        .prefix = world_prefix, .seqno_elide = cut->elide };
    struct stratum_read_options ro = { .mem = w->mem, .cache = w->cache,
                                       .counters = &w->db.counters, .no_map = cut->no_map };
    basin_status st;

    assert_non_null(b);
    assert_true(w->built_count < WORLD_MAX);
    buf_init(&b->bytes, w->mem);
    memory_sink_init(&sink, &b->bytes);
    wo.object_id[1] = ro.object_id[1] = w->built_count + 1;
    assert_ok(w, stratum_writer_new(&wo, &sink.base, &writer, &w->err));
    world_write_ranges(w, m, cut, writer);
    world_write_entries(w, m, cut, writer);
    st = stratum_writer_finish(writer, &summary, &w->err);
    if (st == BASIN_END) {
        stratum_writer_free(writer);
        sink.base.ops->free(&sink.base);
        buf_release(&b->bytes);
        mem_free(w->mem, b, sizeof *b);
        return NULL;
    }
    assert_ok(w, st);
    assert_ok(w, sink.base.ops->commit(&sink.base, &w->err));
    world_describe(w, &b->ls, cut, &summary);
    stratum_writer_free(writer);
    sink.base.ops->free(&sink.base);
    memory_source_init(&b->source, buf_bytes(&b->bytes), "test");
    assert_ok(w, stratum_open(&b->source.base, &ro, &s, &w->err));
    atomic_init(&b->ls.opened, s);
    w->built[w->built_count++] = b;
    return &b->ls;
}

/* Puts a run where its level and number belong. */
static inline void
world_add_run(struct world *w, struct lsm_stratum *const *strata, size_t count)
{
    size_t at = 0;
    uint32_t level = strata[0]->level;

    assert_true(w->runs_made < WORLD_MAX && count <= 8);
    while (at < w->run_count &&
           (w->runs[at].level < level ||
            (w->runs[at].level == level && w->runs[at].run > strata[0]->run)))
        at++;
    memmove(w->runs + at + 1, w->runs + at, (w->run_count - at) * sizeof *w->runs);
    memcpy(w->strata[w->runs_made], strata, count * sizeof *strata);
    w->runs[at] = (struct lsm_run){ level, strata[0]->run, count, w->strata[w->runs_made++] };
    w->run_count++;
}

/* The version of what was added so far; until more is. */
static inline struct version *
world_version(struct world *w)
{
    for (size_t i = 0; i < w->mem_count; i++)
        w->newest_first[i] = w->mems[w->mem_count - 1 - i];
    w->version = (struct version){ .ref_count = 1,
                                   .db = &w->db,
                                   .mem_count = w->mem_count,
                                   .mems = w->newest_first,
                                   .run_count = w->run_count,
                                   .runs = w->runs };
    return &w->version;
}

static inline void
world_release(struct world *w)
{
    while (w->mem_count > 0)
        world_drop_oldest(w);
    for (size_t i = 0; i < w->built_count; i++) {
        struct built *b = w->built[i];
        stratum_close(atomic_load(&b->ls.opened));
        buf_release(&b->ls.first_key);
        buf_release(&b->ls.last_key);
        buf_release(&b->bytes);
        mem_free(w->mem, b, sizeof *b);
    }
    stratum_cache_free(w->cache);
    assert_int_equal(w->memory.live, 0);
}

#endif
