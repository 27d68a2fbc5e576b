// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Syncs of one file side by side. The kernel tells an error of writing back once for an open file:
 * of two calls at the same time one gets it, the other 0. The program's own fdatasync stands in for
 * it here.
 */
#include "os/posix.h"

#include <setjmp.h>

#include <cmocka.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "model/scratch.h"

enum { WAIT_YIELDS = 2000 };

static _Atomic unsigned calls;
static _Atomic bool begun, waiting;
static struct os_file *file;

/* The first call fails, when the second one is inside or had time to be. */
int
fdatasync(int fd)
{
    (void)fd;
    if (atomic_fetch_add(&calls, 1) > 0)
        return 0;
    atomic_store(&begun, true);
    while (!atomic_load(&waiting))
        (void)sched_yield();
    for (int i = 0; i < WAIT_YIELDS && atomic_load(&calls) == 1; i++)
        (void)sched_yield();
    errno = EIO;
    return -1;
}

static void *
sync_file(void *arg)
{
    *(basin_status *)arg = os_sync(file, true, NULL);
    return arg;
}

static void
no_sync_beside_a_failing_one_succeeds(void **state)
{
    char dir[SCRATCH_PATH_MAX], path[SCRATCH_PATH_MAX + 8];
    basin_status first, second;
    basin_error err = { 0 };
    pthread_t thread;

    (void)state;
    scratch_make(dir);
    (void)snprintf(path, sizeof path, "%s/f", dir);
    assert_int_equal(os_open(os_posix(), path, OS_WRITE | OS_CREATE, &file, &err), BASIN_OK);
    assert_int_equal(os_write(file, 0, "x", 1, &err), BASIN_OK);
    assert_int_equal(pthread_create(&thread, NULL, sync_file, &first), 0);
    while (!atomic_load(&begun))
        (void)sched_yield();
    atomic_store(&waiting, true);
    second = os_sync(file, true, &err);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(first, BASIN_IO);
    assert_int_equal(second, BASIN_IO);
    assert_int_equal(os_sync(file, true, &err), BASIN_IO);
    assert_int_equal(calls, 1);
    os_close(file);
    scratch_remove(dir);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_sync_beside_a_failing_one_succeeds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
