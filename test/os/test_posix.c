// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * What only the real system shows: other processes, signals, limits, permissions, failing syncs.
 */
#include "os/posix.h"

#include <setjmp.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "model/scratch.h"

static char dir[SCRATCH_PATH_MAX];

static int
setup(void **state)
{
    (void)state;
    scratch_make(dir);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    scratch_remove(dir);
    return 0;
}

static const char *
path(const char *name)
{
    static char text[OS_PATH_MAX];

    must(os_join(text, dir, name, NULL) == BASIN_OK);
    return text;
}

static struct os_file *
opened(const char *name, unsigned flags)
{
    struct os_file *f;

    must(os_open(os_posix(), path(name), flags, &f, NULL) == BASIN_OK);
    return f;
}

static int
descriptor(struct os_file *f)
{
    return ((struct posix_file *)f)->fd;
}

/* Runs a check in a process of its own, which may change limits and rights. */
static void
assert_in_child(bool (*holds)(void))
{
    int result;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0)
        _exit(holds() ? 0 : 1);
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFEXITED(result));
    assert_int_equal(WEXITSTATUS(result), 0);
}

/* ------------------------------------------------------------------ locks */

/* A child takes the lock, says so, and waits to be killed. */
static pid_t
child_with_lock(struct os_file *inherited)
{
    int ready[2];
    char byte;
    pid_t child;

    must(pipe(ready) == 0);
    child = fork();
    must(child >= 0);
    if (child == 0) {
        struct os_file *f = opened("lock", OS_WRITE);
        os_close(inherited);
        if (os_lock(f, 0, 1, OS_LOCK_EXCLUSIVE, NULL) == BASIN_OK && write(ready[1], "x", 1) == 1)
            pause();
        _exit(1);
    }
    close(ready[1]);
    must(read(ready[0], &byte, 1) == 1);
    close(ready[0]);
    return child;
}

/* The kernel drops the lock of a killed process: EC42. */
static void
ec42_a_lock_dies_with_its_process(void **state)
{
    struct os_file *f = opened("lock", OS_WRITE | OS_CREATE);
    pid_t child = child_with_lock(f);

    (void)state;
    assert_int_equal(os_lock(f, 0, 1, OS_LOCK_EXCLUSIVE, NULL), BASIN_BUSY);
    assert_int_equal(os_test_lock(f, 0, 1, OS_LOCK_SHARED, NULL), BASIN_BUSY);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(os_lock(f, 0, 1, OS_LOCK_EXCLUSIVE, NULL), BASIN_OK);
    os_close(f);
}

/* Closing another descriptor of the file keeps the lock: per-process locks would lose it. */
static void
a_lock_survives_the_close_of_another_handle(void **state)
{
    struct os_file *f = opened("lock", OS_WRITE | OS_CREATE);
    struct os_file *g = opened("lock", OS_WRITE);

    (void)state;
    assert_int_equal(os_lock(f, 0, 1, OS_LOCK_EXCLUSIVE, NULL), BASIN_OK);
    os_close(g);
    g = opened("lock", OS_WRITE);
    assert_int_equal(os_lock(g, 0, 1, OS_LOCK_EXCLUSIVE, NULL), BASIN_BUSY);
    os_close(g);
    os_close(f);
}

/* ------------------------------------------------------------------ descriptors */

static void
every_descriptor_is_close_on_exec(void **state)
{
    struct os_file *f = opened("a", OS_WRITE | OS_CREATE);

    (void)state;
    assert_true(fcntl(descriptor(f), F_GETFD) & FD_CLOEXEC);
    os_close(f);
}

static bool
is_full_table_a_limit(void)
{
    struct rlimit limit = { 32, 32 };
    struct os_file *f[64] = { NULL };
    basin_status st = BASIN_OK;
    basin_error err = { 0 };
    size_t n = 0;

    must(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    while (n < COUNT_OF(f) && st == BASIN_OK)
        st = os_open(os_posix(), path("a"), OS_WRITE | OS_CREATE, &f[n++], &err);
    for (size_t i = 0; i < n; i++)
        os_close(f[i]);
    return st == BASIN_LIMIT && err.status == BASIN_LIMIT && err.os_errno == EMFILE &&
           strstr(err.hint, "ulimit");
}

static void
too_many_open_files_is_a_limit(void **state)
{
    (void)state;
    assert_in_child(is_full_table_a_limit);
}

/* ------------------------------------------------------------------ writes */

/* At the limit the system writes a part first, and refuses only the rest. */
static bool
is_short_write_carried_on(void)
{
    struct rlimit limit = { 10000, 10000 };
    struct os_file *f = opened("a", OS_WRITE | OS_CREATE);
    static uint8_t data[20000];
    basin_error err = { 0 };
    basin_status st;
    uint64_t size = 0;
    bool ok;

    memset(data, 'x', sizeof data);
    signal(SIGXFSZ, SIG_IGN);
    must(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    st = os_write(f, 0, data, sizeof data, &err);
    ok = st == BASIN_LIMIT && err.os_errno == EFBIG;
    ok = ok && os_size(f, &size, NULL) == BASIN_OK && size == 10000;
    ok = ok && os_truncate(f, 5000, NULL) == BASIN_OK;
    ok = ok && os_allocate(f, 20000, &err) == BASIN_LIMIT && err.hint[0];
    ok = ok && os_size(f, &size, NULL) == BASIN_OK && size == 5000; /* given back */
    os_close(f);
    return ok;
}

static void
a_short_write_is_carried_on(void **state)
{
    (void)state;
    assert_in_child(is_short_write_carried_on);
}

static bool
is_refusal_read_only(void)
{
    struct os_file *f = NULL;
    basin_error err = { 0 };
    bool ok;

    if (geteuid() == 0)
        must(seteuid(65534) == 0);
    ok = os_open(os_posix(), path("a"), OS_WRITE, &f, &err) == BASIN_READ_ONLY && err.hint[0];
    ok = ok && os_open(os_posix(), path("b"), OS_WRITE | OS_CREATE, &f, NULL) == BASIN_READ_ONLY;
    ok = ok && os_make_dir(os_posix(), path("d"), NULL) == BASIN_READ_ONLY;
    ok = ok && os_unlink(os_posix(), path("a"), NULL) == BASIN_READ_ONLY;
    ok = ok && os_open(os_posix(), path("a"), OS_READ, &f, NULL) == BASIN_OK;
    os_close(f);
    return ok;
}

static void
no_right_to_write_is_read_only(void **state)
{
    (void)state;
    os_close(opened("a", OS_WRITE | OS_CREATE));
    assert_int_equal(chmod(path("a"), 0444), 0);
    assert_int_equal(chmod(dir, 0555), 0);
    assert_in_child(is_refusal_read_only);
    assert_int_equal(chmod(dir, 0755), 0);
}

static void
errnos_become_statuses(void **state)
{
    static const struct {
        int e;
        bool writing;
        basin_status status;
    } cases[] = {
        { ENOSPC, true, BASIN_NO_SPACE },    { EDQUOT, true, BASIN_NO_SPACE },
        { EROFS, true, BASIN_READ_ONLY },    { EACCES, true, BASIN_READ_ONLY },
        { EACCES, false, BASIN_IO },         { ENOENT, false, BASIN_NOT_FOUND },
        { ENAMETOOLONG, true, BASIN_LIMIT }, { EMFILE, false, BASIN_LIMIT },
        { ENOMEM, false, BASIN_NO_MEM },     { EIO, true, BASIN_IO },
        { EEXIST, true, BASIN_EXISTS },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        basin_error err;
        assert_int_equal(posix__fail(&err, cases[i].e, cases[i].writing, "verb", "name"),
                         cases[i].status);
        assert_int_equal(err.status, cases[i].status);
        assert_int_equal(err.os_errno, cases[i].e);
        assert_non_null(strstr(err.what, "verb name"));
        assert_int_equal(posix__fail(NULL, cases[i].e, cases[i].writing, "v", "n"),
                         cases[i].status);
    }
}

/* The way of file systems without fallocate: blocks in the holes, data untouched. */
static void
zeros_fill_the_holes(void **state)
{
    struct os_file *f = opened("a", OS_WRITE | OS_CREATE);
    static uint8_t to[400000], zeros[200000];
    struct stat info;

    (void)state;
    assert_int_equal(os_write(f, 200000, "middle", 6, NULL), BASIN_OK);
    assert_int_equal(posix__allocate_zeros(f, 400000, NULL), BASIN_OK);
    assert_int_equal(fstat(descriptor(f), &info), 0);
    assert_int_equal(info.st_size, 400000);
    assert_true(info.st_blocks * 512 >= 400000);
    assert_int_equal(os_read_exact(f, 0, to, sizeof to, NULL), BASIN_OK);
    assert_memory_equal(to, zeros, sizeof zeros);
    assert_memory_equal(to + 200000, "middle", 6);
    assert_memory_equal(to + 200006, zeros, 199994);
    assert_int_equal(os_truncate(f, 500000, NULL), BASIN_OK); /* a hole at the end */
    assert_int_equal(posix__allocate_zeros(f, 450000, NULL), BASIN_OK);
    assert_int_equal(fstat(descriptor(f), &info), 0);
    assert_true(info.st_blocks * 512 >= 450000);
    assert_int_equal(os_truncate(f, 400000, NULL), BASIN_OK);
    assert_int_equal(posix__allocate_zeros(f, 1000, NULL), BASIN_OK);
    assert_int_equal(fstat(descriptor(f), &info), 0);
    assert_int_equal(info.st_size, 400000);
    os_close(f);
}

static void
allocated_blocks_exist(void **state)
{
    struct os_file *f = opened("a", OS_WRITE | OS_CREATE);
    struct stat info;

    (void)state;
    assert_int_equal(os_allocate(f, 300000, NULL), BASIN_OK);
    assert_int_equal(fstat(descriptor(f), &info), 0);
    assert_int_equal(info.st_size, 300000);
    assert_true(info.st_blocks * 512 >= 300000);
    os_close(f);
}

/* ------------------------------------------------------------------ sync */

/* The first sync hits a descriptor that cannot be synced; then the real file is back, and a sync of
 * it would succeed, but must not say so. */
static void
a_failed_sync_poisons_the_handle(void **state)
{
    struct os_file *f = opened("a", OS_WRITE | OS_CREATE), *g;
    int ends[2], keep = dup(descriptor(f));
    basin_error err;

    (void)state;
    assert_true(keep >= 0);
    assert_int_equal(os_sync(f, true, NULL), BASIN_OK);
    assert_int_equal(pipe(ends), 0);
    assert_true(dup2(ends[1], descriptor(f)) >= 0);
    assert_int_equal(os_sync(f, true, &err), BASIN_IO);
    assert_int_equal(err.os_errno, EINVAL);
    assert_true(dup2(keep, descriptor(f)) >= 0);
    assert_int_equal(fsync(descriptor(f)), 0);
    assert_int_equal(os_sync(f, true, &err), BASIN_IO);
    assert_non_null(strstr(err.what, "earlier"));
    assert_int_equal(os_sync(f, false, NULL), BASIN_IO);
    g = opened("a", OS_WRITE);
    assert_int_equal(os_sync(g, false, NULL), BASIN_OK);
    os_close(g);
    os_close(f);
    close(keep);
    close(ends[0]);
    close(ends[1]);
}

/* ------------------------------------------------------------------ odd files, signals */

static void
odd_files_are_refused(void **state)
{
    struct os_file *f;

    (void)state;
    assert_int_equal(os_open(os_posix(), "/dev/null", OS_WRITE, &f, NULL), BASIN_IO);
    assert_null(f);
    assert_int_equal(os_open(os_posix(), dir, OS_WRITE, &f, NULL), BASIN_IO);
    assert_null(f);
}

static void
on_alarm(int signal_number)
{
    (void)signal_number;
}

static void
signals_do_not_shorten_a_sleep(void **state)
{
    struct sigaction action = { .sa_handler = on_alarm }, before;
    struct itimerval every = { { 0, 2000 }, { 0, 2000 } }, never = { { 0, 0 }, { 0, 0 } };
    uint64_t start = os_monotonic_ns(os_posix());

    (void)state;
    assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &every, NULL), 0);
    os_sleep_ns(os_posix(), 30000000);
    assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
    assert_int_equal(sigaction(SIGALRM, &before, NULL), 0);
    assert_true(os_monotonic_ns(os_posix()) - start >= 30000000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ec42_a_lock_dies_with_its_process, setup, teardown),
        cmocka_unit_test_setup_teardown(a_lock_survives_the_close_of_another_handle, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(every_descriptor_is_close_on_exec, setup, teardown),
        cmocka_unit_test_setup_teardown(too_many_open_files_is_a_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(a_short_write_is_carried_on, setup, teardown),
        cmocka_unit_test_setup_teardown(no_right_to_write_is_read_only, setup, teardown),
        cmocka_unit_test_setup_teardown(errnos_become_statuses, setup, teardown),
        cmocka_unit_test_setup_teardown(zeros_fill_the_holes, setup, teardown),
        cmocka_unit_test_setup_teardown(allocated_blocks_exist, setup, teardown),
        cmocka_unit_test_setup_teardown(a_failed_sync_poisons_the_handle, setup, teardown),
        cmocka_unit_test_setup_teardown(odd_files_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(signals_do_not_shorten_a_sleep, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
