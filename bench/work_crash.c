// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Recovery after kill -9: a loader process commits batches of 100 unsynced and acknowledges each in
 * shared memory; when half of the keys are in it is killed. Open and first get are timed, then
 * every batch is looked for.
 *
 * Lost: an acknowledged batch of which nothing is there. Torn: a batch of which a part is there,
 * acknowledged or not. Hole: a batch that is there behind one that is not. All are errors.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "work.h"

enum { BATCH = 100 };

struct loss {
    uint64_t lost;
    uint64_t torn;
    uint64_t holes;
};

/* The loader: never returns, it is killed or leaves when all is loaded. */
_Noreturn static void
loader_main(struct run *r)
{
    struct worker w;
    struct batch b;

    memset(&w, 0, sizeof w);
    run_open(r);
    w.run = r;
    w.handle = r->column->engine->handle_open(r->db);
    batch_init(&b, BATCH);
    for (uint64_t at = 0; at + BATCH <= r->world->count; at += BATCH) {
        for (uint64_t i = at; i < at + BATCH; i++)
            batch_add(&b, r, i, false);
        batch_commit(&b, &w, false);
        atomic_fetch_add(&r->watch->acked, 1);
    }
    for (;;) /* all is in before the signal came */
        pause();
}

/* Loads up to half of the keys in another process and kills it; returns batches acknowledged. */
static uint64_t
load_and_kill(struct run *r)
{
    uint64_t want = r->world->count / 2 / BATCH;
    uint64_t until = now_ns() + (uint64_t)(15e9);
    int status, pid;

    atomic_store(&r->watch->acked, 0);
    pid = fork();
    if (pid < 0)
        bench_fail("fork: %s", strerror(errno));
    if (pid == 0)
        loader_main(r);
    while (atomic_load(&r->watch->acked) < want && now_ns() < until &&
           waitpid(pid, &status, WNOHANG) == 0)
        nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    return atomic_load(&r->watch->acked);
}

/* How many keys of a batch are there with the right value; a wrong value counts as an error. */
static unsigned
present_of(struct worker *w, uint64_t batch)
{
    struct run *r = w->run;
    uint8_t key[KEY_SIZE], value[VALUE_SIZE_MAX], expected[VALUE_SIZE_MAX + 8];
    unsigned n = 0;
    size_t size;

    for (uint64_t i = batch * BATCH; i < (batch + 1) * BATCH; i++) {
        key_make(r->world, i, key);
        if (!r->column->engine->get(w->handle, key, sizeof key, value, sizeof value, &size))
            continue;
        value_make(r->world, i, 1, expected);
        if (size != r->world->value_size || memcmp(value, expected, size) != 0)
            w->tally.errors++;
        n++;
    }
    w->tally.verified += n;
    return n;
}

static void
look_for_batches(struct worker *w, uint64_t acked, struct loss *loss)
{
    uint64_t count = w->run->world->count / BATCH;
    bool gap = false;

    for (uint64_t b = 0; b < count; b++) {
        unsigned n = present_of(w, b);

        if (n != 0 && n != BATCH)
            loss->torn++;
        if (n == 0 && b < acked)
            loss->lost++;
        if (n != 0 && gap)
            loss->holes++;
        gap = gap || n == 0;
    }
    w->tally.errors += loss->torn + loss->lost + loss->holes;
}

static void
recover_main(struct worker *w)
{
    uint8_t key[KEY_SIZE], value[VALUE_SIZE_MAX];
    size_t size;

    key_make(w->run->world, 0, key);
    w->run->column->engine->get(w->handle, key, sizeof key, value, sizeof value, &size);
    w->tally.ops = 1;
}

void
work_recover(struct run *r, const char *workload)
{
    struct loss loss = { 0, 0, 0 };
    struct worker w = { .until_ns = UINT64_MAX };
    struct tally t = { 0 };
    struct meter m;
    uint64_t acked;
    char extra[256];

    acked = load_and_kill(r);
    meter_begin(r, &m, workload);
    run_open(r);
    workers_run(r, 1, recover_main, NULL, &w, &t);
    meter_end(r, &m);
    w.handle = r->column->engine->handle_open(r->db);
    look_for_batches(&w, acked, &loss);
    r->column->engine->handle_close(w.handle);
    t.errors = w.tally.errors;
    t.verified = w.tally.verified;
    snprintf(extra, sizeof extra, ",\"acked\":%llu,\"lost\":%llu,\"torn\":%llu,\"holes\":%llu",
             (unsigned long long)acked, (unsigned long long)loss.lost,
             (unsigned long long)loss.torn, (unsigned long long)loss.holes);
    row_write(r, workload, &m, &t, extra);
}
