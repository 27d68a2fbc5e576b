// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Workloads that read, and those that read beside writing. Every value is compared byte for byte,
 * every scan with the known order of keys; errors are counted in the row.
 * They run for a fixed time, so a faster engine does more of the same sequence of operations.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "work.h"

static uint64_t
draw(struct worker *w, enum pick pick)
{
    const struct world *world = w->run->world;

    switch (pick) {
    case PICK_MISS:
        return world->count + chance_below(&w->chance, world->count);
    case PICK_ZIPF:
        return world->zipf[w->from++ & (ZIPF_DRAWS - 1)];
    case PICK_HIT:
        break;
    }
    return chance_below(&w->chance, world->count);
}

/* Draws the index after the next one, so that the driver's own slot is in the cache by then. */
static uint64_t
next_index(struct worker *w, enum pick pick)
{
    uint64_t index = w->ahead;

    w->ahead = draw(w, pick);
    if (w->ahead < w->run->world->count)
        __builtin_prefetch((const void *)&w->run->state.slots[w->ahead]);
    return index;
}

static void
get_main(struct worker *w)
{
    const struct reading *g = w->plan;
    const struct engine *e = w->run->column->engine;

    w->from = w->number * (uint64_t)(ZIPF_DRAWS / 4);
    w->ahead = draw(w, g->pick);
    while (w->clock_ns < w->until_ns && (g->count == 0 || w->tally.ops < g->count)) {
        if (g->snapshot == 0) {
            worker_get(w, next_index(w, g->pick));
            continue;
        }
        e->snapshot(w->handle, true);
        for (unsigned i = 0; i < g->snapshot; i++)
            worker_get(w, next_index(w, g->pick));
        e->snapshot(w->handle, false);
    }
}

void
work_get(struct run *r, const struct reading *g)
{
    struct worker *w = bench_alloc(g->threads * sizeof *w);
    struct tally t = { 0 };
    struct meter m;

    meter_begin(r, &m, g->workload);
    for (unsigned i = 0; i < g->threads; i++)
        w[i].until_ns = g->count ? UINT64_MAX : now_ns() + (uint64_t)(r->suite->read_seconds * 1e9);
    workers_run(r, g->threads, get_main, g, w, &t);
    meter_end(r, &m);
    row_write(r, g->workload, &m, &t, NULL);
    free(w);
}

static void
scan_main(struct worker *w)
{
    const bool *backward = w->plan;
    struct run *r = w->run;
    struct scan_ask ask = { .limit = SIZE_MAX, .backward = *backward };
    struct scan_check c;

    scan_check_init(&c, &r->state, *backward ? r->world->count - 1 : 0, *backward);
    r->column->engine->scan(w->handle, &ask, scan_check_visit, &c);
    scan_check_end(&c);
    w->tally.ops = w->tally.verified = c.seen;
    w->tally.user_bytes = c.bytes;
    w->tally.errors = c.errors;
}

void
work_scan(struct run *r, const char *workload, bool backward)
{
    struct worker w = { .until_ns = UINT64_MAX };
    struct tally t = { 0 };
    struct meter m;

    meter_begin(r, &m, workload);
    workers_run(r, 1, scan_main, &backward, &w, &t);
    meter_end(r, &m);
    row_write(r, workload, &m, &t, NULL);
}

/* A scan of up to 100 pairs from the key of a random index. */
static void
short_scan(struct worker *w)
{
    enum { PAIRS = 100 };
    struct run *r = w->run;
    uint64_t rank = r->world->rank[chance_below(&w->chance, r->world->count)];
    uint64_t left = r->world->count - rank, from;
    uint8_t key[KEY_SIZE];
    struct scan_ask ask = { key, KEY_SIZE, PAIRS, false };
    struct scan_check c;

    key_make(r->world, r->world->sorted[rank], key);
    scan_check_init(&c, &r->state, rank, false);
    from = now_ns();
    r->column->engine->scan(w->handle, &ask, scan_check_visit, &c);
    w->clock_ns = now_ns();
    hist_add(&w->tally.hist, w->clock_ns - from);
    if (c.seen < PAIRS && left > c.seen)
        scan_check_end(&c);
    w->tally.ops++;
    w->tally.verified += c.seen;
    w->tally.user_bytes += c.bytes;
    w->tally.errors += c.errors;
}

static void
scan_100_main(struct worker *w)
{
    while (w->clock_ns < w->until_ns)
        short_scan(w);
}

/* Runs a workload of one thread for the time of a read workload. */
static void
run_timed(struct run *r, const char *workload, void (*fn)(struct worker *w))
{
    struct worker w = { .until_ns = UINT64_MAX };
    struct tally t = { 0 };
    struct meter m;

    meter_begin(r, &m, workload);
    w.until_ns = now_ns() + (uint64_t)(r->suite->read_seconds * 1e9);
    workers_run(r, 1, fn, NULL, &w, &t);
    meter_end(r, &m);
    row_write(r, workload, &m, &t, NULL);
}

void
work_scan_100(struct run *r, const char *workload)
{
    run_timed(r, workload, scan_100_main);
}

static void
mixed_main(struct worker *w)
{
    struct batch b;

    batch_init(&b, 1);
    w->ahead = draw(w, PICK_ZIPF);
    while (w->clock_ns < w->until_ns) {
        uint64_t index = next_index(w, PICK_ZIPF);

        if (chance_next(&w->chance) & 1) {
            worker_get(w, index);
        } else {
            batch_add(&b, w->run, index, false);
            batch_commit(&b, w, false);
        }
    }
    batch_release(&b);
}

void
work_mixed(struct run *r, const char *workload)
{
    run_timed(r, workload, mixed_main);
}

/* Worker 0 reads, worker 1 writes single pairs. */
static void
read_while_write_main(struct worker *w)
{
    struct batch b;

    batch_init(&b, 1);
    w->ahead = draw(w, PICK_HIT);
    while (w->clock_ns < w->until_ns) {
        uint64_t index = next_index(w, PICK_HIT);

        if (w->number == 0) {
            worker_get(w, index);
        } else {
            batch_add(&b, w->run, index, false);
            batch_commit(&b, w, false);
        }
    }
    batch_release(&b);
}

void
work_read_while_write(struct run *r, const char *workload)
{
    struct worker *w = bench_alloc(2 * sizeof *w);
    struct tally both = { 0 };
    struct meter m;
    char name[64];

    meter_begin(r, &m, workload);
    w[0].until_ns = w[1].until_ns = now_ns() + (uint64_t)(r->suite->read_seconds * 1e9);
    workers_run(r, 2, read_while_write_main, NULL, w, &both);
    meter_end(r, &m);
    row_write(r, workload, &m, &w[0].tally, NULL);
    snprintf(name, sizeof name, "%s_writes", workload);
    row_write(r, name, &m, &w[1].tally, NULL);
    free(w);
}

static void
first_get(struct worker *w)
{
    worker_get(w, w->run->world->count / 2);
}

void
work_open(struct run *r, const char *workload, bool cold)
{
    struct worker w = { .until_ns = UINT64_MAX };
    struct tally t = { 0 };
    struct meter m;
    double resident = 1;
    char extra[64];

    run_close(r);
    if (cold)
        resident = evict(r->dir);
    meter_begin(r, &m, workload);
    run_open(r);
    workers_run(r, 1, first_get, NULL, &w, &t);
    meter_end(r, &m);
    snprintf(extra, sizeof extra, ",\"resident\":%.4f", resident);
    row_write(r, workload, &m, &t, extra);
}
