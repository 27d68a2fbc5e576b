// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Signals.
 *
 * The two variables of this file are the only mutable ones of the program outside a function: a
 * signal handler has no other way to reach anything. Library threads block all signals, so the
 * handler runs on the main thread, which takes the database away (stop_watch(NULL)) before it
 * closes it.
 */
#include "stop.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

#include "cli.h"

static _Atomic(basin_db *) stop_db;
static volatile sig_atomic_t stop_signal;

static void
on_signal(int number)
{
    int saved = errno;
    basin_db *db = atomic_load(&stop_db);

    stop_signal = number;
    if (db != NULL)
        basin_interrupt(db);
    errno = saved;
}

void
stop_install(void)
{
    static const int asked[] = { SIGINT, SIGTERM, SIGHUP, SIGALRM };
    struct sigaction old, action = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };

    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < LENGTH_OF(asked); i++) {
        /* what the caller ignores (nohup, a job in the background) stays ignored */
        if (sigaction(asked[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            sigaction(asked[i], &action, NULL);
    }
    signal(SIGPIPE, SIG_IGN);
}

void
stop_after_ms(uint64_t ms)
{
    struct itimerval t = { .it_value = { .tv_sec = (time_t)(ms / 1000),
                                         .tv_usec = (suseconds_t)(ms % 1000) * 1000 } };

    if (ms == 0)
        t.it_value.tv_usec = 1;
    setitimer(ITIMER_REAL, &t, NULL);
}

void
stop_watch(basin_db *db)
{
    atomic_store(&stop_db, db);
    if (db != NULL && stop_signal != 0)
        basin_interrupt(db);
}

int
stop_seen(void)
{
    return stop_signal;
}

basin_status
stop_check(basin_error *err)
{
    if (stop_signal == 0)
        return BASIN_OK;
    if (stop_signal == SIGALRM)
        return cli_error(err, BASIN_TIMEOUT, "the time that --timeout gives is over");
    return cli_error(err, BASIN_CANCELLED, "interrupted");
}

void
stop_sleep_ms(uint64_t ms)
{
    struct timespec t = { .tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000 };

    if (stop_signal == 0)
        nanosleep(&t, NULL);
}
