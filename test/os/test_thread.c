// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Threads, mutexes and conditions with real threads; worth most under the thread sanitizer. The
 * order of ranks is tested in processes of their own, since a violation panics.
 */
#include "os/os.h"

#include <setjmp.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "model/chance.h"
#include "model/memory.h"

enum { THREADS = 4 };

struct shared {
    struct os_mutex *mu;
    struct os_cond *changed;
    uint64_t count;
    uint64_t turn;
    bool signals_blocked;
};

static struct shared s;

static int
setup(void **state)
{
    (void)state;
    memset(&s, 0, sizeof s);
    if (os_mutex_new(&base_malloc, 10, "test", &s.mu, NULL) != BASIN_OK)
        return 1;
    return os_cond_new(&base_malloc, &s.changed, NULL) != BASIN_OK;
}

static int
teardown(void **state)
{
    (void)state;
    os_cond_free(s.changed);
    os_mutex_free(s.mu);
    return 0;
}

static void
count_up(void *ctx)
{
    size_t rounds = *(const size_t *)ctx;

    for (size_t i = 0; i < rounds; i++) {
        if (i % 3 || !os_mutex_try(s.mu))
            os_mutex_lock(s.mu);
        s.count++;
        os_mutex_unlock(s.mu);
    }
}

static void
a_mutex_guards(void **state)
{
    struct os_thread *t[THREADS];
    size_t rounds = test_scale(20000);

    (void)state;
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(os_thread_start(&base_malloc, count_up, &rounds, "counter", &t[i], NULL),
                         BASIN_OK);
    for (size_t i = 0; i < THREADS; i++)
        os_thread_join(t[i]);
    assert_int_equal(s.count, THREADS * rounds);
    os_thread_join(NULL);
}

/* Each thread adds one when it is its turn, and wakes the next. */
static void
take_turns(void *ctx)
{
    uint64_t mine = *(const uint64_t *)ctx;

    for (size_t i = 0; i < 200; i++) {
        os_mutex_lock(s.mu);
        while (s.turn % THREADS != mine)
            must(os_cond_wait(s.changed, s.mu, UINT64_MAX));
        s.turn++;
        os_cond_broadcast(s.changed);
        os_mutex_unlock(s.mu);
    }
}

static void
conditions_wake(void **state)
{
    struct os_thread *t[THREADS];
    uint64_t mine[THREADS];

    (void)state;
    for (size_t i = 0; i < THREADS; i++) {
        mine[i] = i;
        assert_int_equal(os_thread_start(&base_malloc, take_turns, &mine[i], "turns", &t[i], NULL),
                         BASIN_OK);
    }
    for (size_t i = 0; i < THREADS; i++)
        os_thread_join(t[i]);
    assert_int_equal(s.turn, THREADS * 200);
}

static void
say_hello(void *ctx)
{
    (void)ctx;
    os_mutex_lock(s.mu);
    s.count = 1;
    os_cond_signal(s.changed);
    os_mutex_unlock(s.mu);
}

static void
waits_end(void **state)
{
    struct os_thread *t;
    uint64_t start = os_monotonic_ns(os_posix());

    (void)state;
    os_mutex_lock(s.mu);
    while (os_cond_wait(s.changed, s.mu, 5000000))
        ;
    assert_true(os_monotonic_ns(os_posix()) - start >= 5000000);
    assert_false(os_cond_wait(s.changed, s.mu, 0));
    assert_int_equal(os_thread_start(&base_malloc, say_hello, NULL, "hello", &t, NULL), BASIN_OK);
    while (!s.count)
        assert_true(os_cond_wait(s.changed, s.mu, UINT64_MAX - 1));
    os_mutex_unlock(s.mu);
    os_thread_join(t);
}

static void
look_at_signals(void *ctx)
{
    sigset_t now;

    (void)ctx;
    sigemptyset(&now);
    pthread_sigmask(SIG_SETMASK, NULL, &now);
    s.signals_blocked = sigismember(&now, SIGTERM) == 1 && sigismember(&now, SIGINT) == 1 &&
                        sigismember(&now, SIGALRM) == 1;
}

static void
threads_block_signals_and_the_caller_does_not(void **state)
{
    struct os_thread *t;
    sigset_t before, after;

    (void)state;
    sigemptyset(&before);
    sigemptyset(&after);
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    assert_int_equal(os_thread_start(&base_malloc, look_at_signals, NULL,
                                     "a name that is longer than the system takes", &t, NULL),
                     BASIN_OK);
    os_thread_join(t);
    assert_true(s.signals_blocked);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    assert_int_equal(sigismember(&before, SIGTERM), sigismember(&after, SIGTERM));
}

static void
try_fails_while_another_holds(void **state)
{
    struct os_thread *t;
    size_t rounds = 1;

    (void)state;
    assert_true(os_mutex_try(s.mu));
    os_mutex_held(s.mu);
    assert_int_equal(os_thread_start(&base_malloc, count_up, &rounds, "other", &t, NULL), BASIN_OK);
    os_sleep_ns(os_posix(), 1000000);
    assert_int_equal(s.count, 0); /* its try failed and its lock waits */
    os_mutex_unlock(s.mu);
    os_thread_join(t);
    assert_int_equal(s.count, 1);
}

static void
refused_memory_is_told(void **state)
{
    struct test_memory m;
    struct os_mutex *mu;
    struct os_cond *cond;
    struct os_thread *t;
    basin_error err;

    (void)state;
    test_memory_init(&m);
    test_memory_refuse_from(&m, 1);
    assert_int_equal(os_mutex_new(&m.table, 1, "none", &mu, &err), BASIN_NO_MEM);
    assert_null(mu);
    assert_int_equal(os_cond_new(&m.table, &cond, &err), BASIN_NO_MEM);
    assert_null(cond);
    assert_int_equal(os_thread_start(&m.table, say_hello, NULL, "none", &t, &err), BASIN_NO_MEM);
    assert_null(t);
    assert_int_equal(err.status, BASIN_NO_MEM);
    os_mutex_free(NULL);
    os_cond_free(NULL);
}

/* ------------------------------------------------------------------ ranks */

#ifdef BASIN_DEBUG

static struct os_mutex *low, *high;

static void
ascending(void)
{
    os_mutex_lock(low);
    os_mutex_lock(high);
    os_mutex_unlock(low);
    os_mutex_unlock(high);
    os_mutex_lock(low);
    os_mutex_unlock(low);
}

static void
descending(void)
{
    os_mutex_lock(high);
    os_mutex_lock(low);
}

static void
descending_try(void)
{
    os_mutex_lock(high);
    (void)!os_mutex_try(low);
}

static void
twice(void)
{
    os_mutex_lock(low);
    os_mutex_lock(low);
}

static void
not_held(void)
{
    os_mutex_held(low);
}

static void
unlock_not_held(void)
{
    os_mutex_lock(high);
    os_mutex_unlock(low);
}

/* Whether the process that runs fn ends by itself; what it says of its panic is not shown. */
static bool
survives(void (*fn)(void))
{
    int result;
    pid_t child = fork();

    must(child >= 0);
    if (child == 0) {
        if (!freopen("/dev/null", "w", stderr))
            _exit(0);
        fn();
        _exit(0);
    }
    must(waitpid(child, &result, 0) == child);
    return WIFEXITED(result) && WEXITSTATUS(result) == 0;
}

static void
ranks_are_asserted(void **state)
{
    (void)state;
    assert_int_equal(os_mutex_new(&base_malloc, 1, "low", &low, NULL), BASIN_OK);
    assert_int_equal(os_mutex_new(&base_malloc, 2, "high", &high, NULL), BASIN_OK);
    assert_true(survives(ascending));
    assert_false(survives(descending));
    assert_false(survives(descending_try));
    assert_false(survives(twice));
    assert_false(survives(not_held));
    assert_false(survives(unlock_not_held));
    os_mutex_free(low);
    os_mutex_free(high);
}

#endif

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_mutex_guards, setup, teardown),
        cmocka_unit_test_setup_teardown(conditions_wake, setup, teardown),
        cmocka_unit_test_setup_teardown(waits_end, setup, teardown),
        cmocka_unit_test_setup_teardown(threads_block_signals_and_the_caller_does_not, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(try_fails_while_another_holds, setup, teardown),
        cmocka_unit_test(refused_memory_is_told),
#ifdef BASIN_DEBUG
        cmocka_unit_test(ranks_are_asserted),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
