// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * What all workloads are made of: threads with a handle each, one checked get, one commit.
 * Only the engine's call stands between the two clock readings; making and checking data does not,
 * but it is inside the rate (about 0.1 us a put, 0.15 us a get, 0.04 us a scanned pair).
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "work.h"

struct job {
    pthread_t thread;
    struct worker *worker;
    void (*fn)(struct worker *w);
};

static void *
job_main(void *arg)
{
    struct job *job = arg;

    job->fn(job->worker);
    job->worker->done_ns = now_ns();
    return NULL;
}

static void
prepare(struct run *r, struct worker *w, unsigned number, const void *plan)
{
    w->run = r;
    w->plan = plan;
    w->number = number;
    w->chance.state = r->world->seed * 1000003 + number * 7919 + 17;
    w->handle = r->column->engine->handle_open(r->db);
    w->clock_ns = 0;
    memset(&w->tally, 0, sizeof w->tally);
}

void
workers_run(struct run *r, unsigned count, void (*fn)(struct worker *w), const void *plan,
            struct worker *workers, struct tally *t)
{
    struct job *jobs = bench_alloc(count * sizeof *jobs);

    for (unsigned i = 0; i < count; i++) {
        prepare(r, &workers[i], i, plan);
        jobs[i].worker = &workers[i];
        jobs[i].fn = fn;
    }
    if (count == 1)
        job_main(&jobs[0]);
    for (unsigned i = 0; i < count && count > 1; i++)
        if (pthread_create(&jobs[i].thread, NULL, job_main, &jobs[i]) != 0)
            bench_fail("no thread");
    for (unsigned i = 0; i < count && count > 1; i++)
        pthread_join(jobs[i].thread, NULL);
    for (unsigned i = 0; i < count; i++) {
        r->column->engine->handle_close(workers[i].handle);
        tally_merge(t, &workers[i].tally);
    }
    free(jobs);
}

void
worker_get(struct worker *w, uint64_t index)
{
    const struct world *world = w->run->world;
    struct state *state = &w->run->state;
    uint8_t key[KEY_SIZE], value[VALUE_SIZE_MAX];
    bool stored = index < world->count, found;
    uint32_t before = 0;
    size_t size = 0;
    uint64_t from;

    key_make(world, index, key);
    if (stored)
        before = atomic_load_explicit(&state->slots[index], memory_order_acquire);
    from = now_ns();
    found = w->run->column->engine->get(w->handle, key, sizeof key, value, sizeof value, &size);
    w->clock_ns = now_ns();
    hist_add(&w->tally.hist, w->clock_ns - from);
    w->tally.ops++;
    w->tally.verified++;
    if (found != (stored && before >> SLOT_SHIFT != 0 && !(before & SLOT_DELETED)))
        w->tally.errors++;
    else if (found && !state_accepts(state, index, before, value, size))
        w->tally.errors++;
}

void
batch_init(struct batch *b, size_t capacity)
{
    *b = (struct batch){ .capacity = capacity };
    b->pairs = bench_alloc(capacity * sizeof *b->pairs);
    b->indexes = bench_alloc(capacity * sizeof *b->indexes);
    b->keys = bench_alloc(capacity * KEY_SIZE);
    b->values = bench_alloc(capacity * (VALUE_SIZE_MAX + 8));
}

void
batch_release(struct batch *b)
{
    free(b->pairs);
    free(b->indexes);
    free(b->keys);
    free(b->values);
}

void
batch_add(struct batch *b, struct run *r, uint64_t index, bool deletes)
{
    const struct world *world = r->world;
    uint8_t *key = b->keys + b->count * KEY_SIZE;
    uint8_t *value = b->values + b->count * (world->value_size + 8);
    uint32_t version = state_claim(&r->state, index);

    if (version == 0) /* this commit has the key already */
        return;
    key_make(world, index, key);
    b->pairs[b->count] = (struct pair){ key, KEY_SIZE, NULL, 0 };
    if (!deletes) {
        value_make(world, index, version, value);
        b->pairs[b->count].value = value;
        b->pairs[b->count].value_size = world->value_size;
    }
    b->indexes[b->count++] = index;
}

void
batch_commit(struct batch *b, struct worker *w, bool deletes)
{
    struct run *r = w->run;
    uint64_t from = now_ns();

    r->column->engine->put(w->handle, b->pairs, b->count);
    w->clock_ns = now_ns();
    hist_add(&w->tally.hist, w->clock_ns - from);
    for (size_t i = 0; i < b->count; i++)
        state_settle(&r->state, b->indexes[i], deletes);
    w->tally.ops += b->count;
    w->tally.user_bytes += b->count * (KEY_SIZE + (deletes ? 0 : r->world->value_size));
    b->count = 0;
}
