// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Threads, mutexes and conditions over pthreads. Threads block all signals, so that those of the
 * host program are never delivered here. Debug builds keep the mutexes that each thread holds and
 * panic when one is taken out of rank order, taken twice, or released by a thread that has it not:
 * a deadlock is found by the first run that takes the locks in a wrong order, not by the unlucky
 * one.
 */
#include "os/os.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

struct os_thread {
    const basin_allocator *mem;
    pthread_t id;
    void (*fn)(void *ctx);
    void *ctx;
    char name[16]; /* the system's limit */
};

struct os_mutex {
    const basin_allocator *mem;
    pthread_mutex_t mutex;
    unsigned rank;
    const char *name;
};

struct os_cond {
    const basin_allocator *mem;
    pthread_cond_t cond;
};

/* ------------------------------------------------------------------ threads */

static void *
thread_main(void *p)
{
    struct os_thread *t = p;

    (void)pthread_setname_np(pthread_self(), t->name);
    t->fn(t->ctx);
    return NULL;
}

basin_status
os_thread_start(const basin_allocator *mem, void (*fn)(void *ctx), void *ctx, const char *name,
                struct os_thread **out, basin_error *err)
{
    struct os_thread *t = mem_new(mem, sizeof *t);
    sigset_t all, before;
    int rc;

    *out = NULL;
    if (!t)
        return error_set(err, BASIN_NO_MEM, "thread %s: out of memory", name);
    t->mem = mem;
    t->fn = fn;
    t->ctx = ctx;
    snprintf(t->name, sizeof t->name, "%s", name);
    sigfillset(&all);
    must(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    rc = pthread_create(&t->id, NULL, thread_main, t);
    must(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    if (rc != 0) {
        mem_free(mem, t, sizeof *t);
        error_set_os(err, rc, "thread %s", name);
        error_hint(err, "raise the limit on threads of this user or control group");
        if (err)
            err->status = BASIN_LIMIT;
        return BASIN_LIMIT;
    }
    *out = t;
    return BASIN_OK;
}

void
os_thread_join(struct os_thread *t)
{
    if (!t)
        return;
    must(pthread_join(t->id, NULL) == 0);
    mem_free(t->mem, t, sizeof *t);
}

uint64_t
os_thread_self(void)
{
    return (uint64_t)pthread_self();
}

/* ------------------------------------------------------------------ ranks, debug builds only */

#ifdef BASIN_DEBUG

enum { HELD_MAX = 32 };
static _Thread_local const struct os_mutex *held[HELD_MAX];
static _Thread_local unsigned held_count;

static bool
is_held(const struct os_mutex *m)
{
    for (unsigned i = 0; i < held_count; i++) {
        if (held[i] == m)
            return true;
    }
    return false;
}

static void
rank_check(const struct os_mutex *m)
{
    for (unsigned i = 0; i < held_count; i++) {
        if (held[i]->rank < m->rank)
            continue;
        fprintf(stderr, "mutex %s (rank %u) taken while %s (rank %u) is held\n", m->name, m->rank,
                held[i]->name, held[i]->rank);
        must(held[i]->rank < m->rank);
    }
    must(held_count < HELD_MAX);
}

static void
held_add(const struct os_mutex *m)
{
    held[held_count++] = m;
}

static void
held_remove(const struct os_mutex *m)
{
    unsigned i = held_count;

    must(is_held(m));
    while (held[i - 1] != m)
        i--;
    for (; i < held_count; i++)
        held[i - 1] = held[i];
    held_count--;
}

#else

static void
rank_check(const struct os_mutex *m)
{
    (void)m;
}

static void
held_add(const struct os_mutex *m)
{
    (void)m;
}

static void
held_remove(const struct os_mutex *m)
{
    (void)m;
}

#endif

/* ------------------------------------------------------------------ mutexes */

basin_status
os_mutex_new(const basin_allocator *mem, unsigned rank, const char *name, struct os_mutex **out,
             basin_error *err)
{
    struct os_mutex *m = mem_new(mem, sizeof *m);
    int rc;

    *out = NULL;
    if (!m)
        return error_set(err, BASIN_NO_MEM, "mutex %s: out of memory", name);
    rc = pthread_mutex_init(&m->mutex, NULL);
    if (rc != 0) {
        mem_free(mem, m, sizeof *m);
        return error_set_os(err, rc, "mutex %s", name);
    }
    m->mem = mem;
    m->rank = rank;
    m->name = name;
    *out = m;
    return BASIN_OK;
}

void
os_mutex_free(struct os_mutex *m)
{
    if (!m)
        return;
    must(pthread_mutex_destroy(&m->mutex) == 0);
    mem_free(m->mem, m, sizeof *m);
}

void
os_mutex_lock(struct os_mutex *m)
{
    rank_check(m);
    must(pthread_mutex_lock(&m->mutex) == 0);
    held_add(m);
}

bool
os_mutex_try(struct os_mutex *m)
{
    int rc;

    rank_check(m);
    rc = pthread_mutex_trylock(&m->mutex);
    must(rc == 0 || rc == EBUSY);
    if (rc == 0)
        held_add(m);
    return rc == 0;
}

void
os_mutex_unlock(struct os_mutex *m)
{
    held_remove(m);
    must(pthread_mutex_unlock(&m->mutex) == 0);
}

void
os_mutex_held(struct os_mutex *m)
{
#ifdef BASIN_DEBUG
    must(is_held(m));
#else
    (void)m;
#endif
}

/* ------------------------------------------------------------------ conditions */

basin_status
os_cond_new(const basin_allocator *mem, struct os_cond **out, basin_error *err)
{
    struct os_cond *c = mem_new(mem, sizeof *c);
    pthread_condattr_t attr;
    int rc;

    *out = NULL;
    if (!c)
        return error_set(err, BASIN_NO_MEM, "condition: out of memory");
    rc = pthread_condattr_init(&attr);
    if (rc == 0) {
        rc = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
        if (rc == 0)
            rc = pthread_cond_init(&c->cond, &attr);
        (void)pthread_condattr_destroy(&attr);
    }
    if (rc != 0) {
        mem_free(mem, c, sizeof *c);
        return error_set_os(err, rc, "condition");
    }
    c->mem = mem;
    *out = c;
    return BASIN_OK;
}

void
os_cond_free(struct os_cond *c)
{
    if (!c)
        return;
    must(pthread_cond_destroy(&c->cond) == 0);
    mem_free(c->mem, c, sizeof *c);
}

/* timeout_ns from now, or false when that is further than the clock's type reaches. */
static bool
deadline_after(uint64_t timeout_ns, struct timespec *deadline)
{
    uint64_t s = timeout_ns / 1000000000u, ns = timeout_ns % 1000000000u;

    must(clock_gettime(CLOCK_MONOTONIC, deadline) == 0);
    if (s > (uint64_t)INT32_MAX)
        return false;
    ns += (uint64_t)deadline->tv_nsec;
    deadline->tv_sec += (time_t)(s + ns / 1000000000u);
    deadline->tv_nsec = (long)(ns % 1000000000u);
    return true;
}

bool
os_cond_wait(struct os_cond *c, struct os_mutex *m, uint64_t timeout_ns)
{
    struct timespec deadline;
    int rc;

    os_mutex_held(m);
    /* the held list keeps m meanwhile: this thread takes nothing else while it sleeps */
    if (!deadline_after(timeout_ns, &deadline))
        rc = pthread_cond_wait(&c->cond, &m->mutex);
    else
        rc = pthread_cond_timedwait(&c->cond, &m->mutex, &deadline);
    must(rc == 0 || rc == ETIMEDOUT);
    return rc == 0;
}

void
os_cond_signal(struct os_cond *c)
{
    must(pthread_cond_signal(&c->cond) == 0);
}

void
os_cond_broadcast(struct os_cond *c)
{
    must(pthread_cond_broadcast(&c->cond) == 0);
}
