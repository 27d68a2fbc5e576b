// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Workloads that write: fills, overwrites, deletes, sorted load, durable commits, and what follows
 * them (settling, sizes, compaction).
 *
 * A fill that reaches its time limit is cut: its rate is of what was done, and the rest is loaded
 * in key order outside the measurement, so that all later reads see all keys. Unsynced fills
 * include one final sync.
 */
#include <stdlib.h>
#include <string.h>

#include "work.h"

/* How far before its use the driver asks for its own slot of a key, in key order. */
enum { AHEAD = 16 };

static uint64_t
index_at(const struct run *r, const struct fill *f, uint64_t at)
{
    if (!f->sorted)
        return at;
    if (at + AHEAD < f->to)
        __builtin_prefetch((const void *)&r->state.slots[r->world->sorted[at + AHEAD]]);
    return r->world->sorted[at];
}

static void
fill_main(struct worker *w)
{
    const struct fill *f = w->plan;
    uint64_t at = f->from;
    struct batch b;

    batch_init(&b, f->batch);
    while (at < f->to && w->clock_ns < w->until_ns) {
        for (; b.count < f->batch && at < f->to; at++)
            batch_add(&b, w->run, index_at(w->run, f, at), false);
        batch_commit(&b, w, false);
    }
    batch_release(&b);
    w->from = at;
    w->tally.cut = at < f->to;
    w->run->column->engine->sync(w->run->db);
}

/* Loads in key order what a cut fill left out. */
static void
load_rest(struct run *r, const struct fill *f)
{
    struct worker w;
    struct batch b;

    memset(&w, 0, sizeof w);
    w.run = r;
    w.handle = r->column->engine->handle_open(r->db);
    batch_init(&b, 1000);
    for (uint64_t rank = 0; rank < r->world->count; rank++) {
        uint64_t index = r->world->sorted[rank];

        if (index < f->from || index >= f->to || state_live(&r->state, index))
            continue;
        batch_add(&b, r, index, false);
        if (b.count == b.capacity)
            batch_commit(&b, &w, false);
    }
    if (b.count)
        batch_commit(&b, &w, false);
    batch_release(&b);
    r->column->engine->handle_close(w.handle);
    r->column->engine->sync(r->db);
}

void
work_fill(struct run *r, const struct fill *f)
{
    struct worker w = { .until_ns = UINT64_MAX };
    struct tally t = { 0 };
    struct meter m;

    meter_begin(r, &m, f->workload);
    w.until_ns = now_ns() + (uint64_t)(f->seconds * 1e9);
    workers_run(r, 1, fill_main, f, &w, &t);
    meter_end(r, &m);
    row_write(r, f->workload, &m, &t, NULL);
    if (t.cut && !f->sorted)
        load_rest(r, f);
    else if (t.cut)
        bench_fail("%s: a sorted fill was cut", f->workload);
}

static void
overwrite_main(struct worker *w)
{
    const struct overwrite *o = w->plan;
    struct batch b;

    batch_init(&b, o->batch);
    while (w->tally.ops < o->count && w->clock_ns < w->until_ns) {
        while (b.count < o->batch)
            batch_add(&b, w->run, chance_below(&w->chance, o->span), false);
        batch_commit(&b, w, false);
    }
    batch_release(&b);
    w->tally.cut = w->tally.ops < o->count;
    w->run->column->engine->sync(w->run->db);
}

void
work_overwrite(struct run *r, const struct overwrite *o)
{
    struct worker w = { .until_ns = UINT64_MAX };
    struct tally t = { 0 };
    struct meter m;

    if (o->span < o->batch)
        bench_fail("%s: %llu keys are too few", o->workload, (unsigned long long)o->span);
    meter_begin(r, &m, o->workload);
    w.until_ns = now_ns() + (uint64_t)(o->seconds * 1e9);
    workers_run(r, 1, overwrite_main, o, &w, &t);
    meter_end(r, &m);
    row_write(r, o->workload, &m, &t, NULL);
}

/* Deletes a tenth of all keys, in random order. */
static void
delete_main(struct worker *w)
{
    const struct world *world = w->run->world;
    struct batch b;

    batch_init(&b, 100);
    for (uint64_t index = 0; index < world->count; index += 10) {
        batch_add(&b, w->run, index, true);
        if (b.count == b.capacity)
            batch_commit(&b, w, true);
    }
    if (b.count)
        batch_commit(&b, w, true);
    batch_release(&b);
    w->run->column->engine->sync(w->run->db);
}

void
work_delete(struct run *r, const char *workload)
{
    struct worker w = { .until_ns = UINT64_MAX };
    struct tally t = { 0 };
    struct meter m;

    meter_begin(r, &m, workload);
    workers_run(r, 1, delete_main, NULL, &w, &t);
    meter_end(r, &m);
    row_write(r, workload, &m, &t, NULL);
}

void
work_settle(struct run *r, const char *workload)
{
    struct tally t = { .ops = 1 };
    struct meter m;
    uint64_t from, took;
    char extra[64];

    meter_begin(r, &m, workload);
    from = now_ns();
    r->column->engine->flush(r->db);
    took = now_ns() - from;
    from = settle(r);
    meter_end(r, &m);
    snprintf(extra, sizeof extra, ",\"settle_s\":%.6f", (double)(took + from) * 1e-9);
    row_write(r, workload, &m, &t, extra);
}

void
work_size(struct run *r, const char *workload)
{
    struct tally t = { .ops = 1 };
    struct meter m;
    char extra[128];

    meter_begin(r, &m, workload);
    meter_end(r, &m);
    snprintf(extra, sizeof extra, ",\"disk\":%llu,\"data\":%llu",
             (unsigned long long)disk_bytes(r->dir),
             (unsigned long long)(state_live_count(&r->state) * (KEY_SIZE + r->world->value_size)));
    row_write(r, workload, &m, &t, extra);
}

void
work_compact(struct run *r, const char *workload)
{
    struct tally t = { .ops = 1 };
    struct meter m;

    meter_begin(r, &m, workload);
    r->column->engine->compact(r->db);
    meter_end(r, &m);
    row_write(r, workload, &m, &t, NULL);
}

struct sorted_feed {
    struct run *run;
    uint64_t rank;
    uint8_t key[KEY_SIZE];
    uint8_t value[VALUE_SIZE_MAX + 8];
};

static bool
sorted_next(void *ctx, struct pair *pair)
{
    struct sorted_feed *s = ctx;
    const struct world *w = s->run->world;
    uint64_t index;

    if (s->rank == w->count)
        return false;
    index = w->sorted[s->rank++];
    if (s->rank + AHEAD < w->count)
        __builtin_prefetch((const void *)&s->run->state.slots[w->sorted[s->rank + AHEAD]]);
    key_make(w, index, s->key);
    value_make(w, index, state_claim(&s->run->state, index), s->value);
    state_settle(&s->run->state, index, false);
    *pair = (struct pair){ s->key, KEY_SIZE, s->value, w->value_size };
    return true;
}

void
work_bulk(struct run *r, const char *workload)
{
    struct sorted_feed feed = { .run = r };
    struct tally t = { 0 };
    struct meter m;

    meter_begin(r, &m, workload);
    r->column->engine->load(r->db, &(struct pair_source){ sorted_next, &feed });
    meter_end(r, &m);
    t.ops = feed.rank;
    t.user_bytes = feed.rank * (KEY_SIZE + r->world->value_size);
    row_write(r, workload, &m, &t, NULL);
}

static void
durable_main(struct worker *w)
{
    const struct durable *d = w->plan;
    uint64_t part = (d->to - d->from) / d->threads;
    uint64_t at = d->from + w->number * part, end = at + part;
    struct batch b;

    batch_init(&b, d->batch);
    while (at < end && w->clock_ns < w->until_ns) {
        for (; b.count < d->batch && at < end; at++)
            batch_add(&b, w->run, at, false);
        batch_commit(&b, w, false);
    }
    batch_release(&b);
}

void
work_durable(struct run *r, const struct durable *d)
{
    struct worker *w = bench_alloc(d->threads * sizeof *w);
    struct tally t = { 0 };
    struct meter m;

    meter_begin(r, &m, d->workload);
    for (unsigned i = 0; i < d->threads; i++)
        w[i].until_ns = now_ns() + (uint64_t)(d->seconds * 1e9);
    workers_run(r, d->threads, durable_main, d, w, &t);
    meter_end(r, &m);
    row_write(r, d->workload, &m, &t, NULL);
    free(w);
}
