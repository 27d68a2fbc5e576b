// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/* Status names and the error record: cut texts, one line, errno, and NULL everywhere. */
#include "base/base.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

static void
every_status_has_its_own_name(void **state)
{
    (void)state;
    for (int i = BASIN_OK; i <= BASIN_UNKNOWN_OPERATOR; i++) {
        const char *name = basin_status_name((basin_status)i);
        assert_string_not_equal(name, "unknown");
        for (int j = BASIN_OK; j < i; j++)
            assert_string_not_equal(name, basin_status_name((basin_status)j));
    }
    assert_string_equal(basin_status_name(BASIN_OK), "ok");
    assert_string_equal(basin_status_name(BASIN_NOT_FOUND), "not_found");
    assert_string_equal(basin_status_name(BASIN_UNKNOWN_OPERATOR), "unknown_operator");
    assert_string_equal(basin_status_name((basin_status)(BASIN_UNKNOWN_OPERATOR + 1)), "unknown");
    assert_string_equal(basin_status_name((basin_status)-1), "unknown");
}

static void
set_replaces_the_whole_record(void **state)
{
    basin_error err;

    (void)state;
    memset(&err, 'x', sizeof err);
    assert_int_equal(error_set(&err, BASIN_CORRUPT, "stratum %d: block %d", 41, 7), BASIN_CORRUPT);
    assert_int_equal(err.status, BASIN_CORRUPT);
    assert_int_equal(err.os_errno, 0);
    assert_string_equal(err.what, "stratum 41: block 7");
    assert_string_equal(err.hint, "");
    assert_string_equal(err.where, "");
    error_hint(&err, "run %s", "repair");
    error_where(&err, "byte %d", 12);
    assert_string_equal(err.what, "stratum 41: block 7");
    assert_string_equal(err.hint, "run repair");
    assert_string_equal(err.where, "byte 12");
    error_clear(&err);
    assert_int_equal(err.status, BASIN_OK);
    assert_string_equal(err.what, "");
    assert_string_equal(err.hint, "");
}

static void
null_is_no_record(void **state)
{
    (void)state;
    assert_int_equal(error_set(NULL, BASIN_BUSY, "%s", "x"), BASIN_BUSY);
    assert_int_equal(error_set_os(NULL, ENOSPC, "x"), BASIN_NO_SPACE);
    error_hint(NULL, "x");
    error_where(NULL, "x");
    error_clear(NULL);
}

static void
texts_are_cut_and_one_line(void **state)
{
    basin_error err;
    char name[1000];

    (void)state;
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    error_set(&err, BASIN_LIMIT, "%s", name);
    assert_int_equal(strlen(err.what), BASIN_WHAT_SIZE - 1);
    error_hint(&err, "%s", name);
    assert_int_equal(strlen(err.hint), BASIN_HINT_SIZE - 1);
    error_where(&err, "%s", name);
    assert_int_equal(strlen(err.where), BASIN_WHERE_SIZE - 1);
    error_set_os(&err, ENOENT, "%s", name);
    assert_int_equal(strlen(err.what), BASIN_WHAT_SIZE - 1);
    error_set(&err, BASIN_IO, "a\nb\tc\x7F%c", 1);
    assert_string_equal(err.what, "a?b?c??");
    error_set(&err, BASIN_IO, "caf\xC3\xA9"); /* text that is not ASCII stays */
    assert_string_equal(err.what, "caf\xC3\xA9");
}

static void
system_errors_carry_number_and_text(void **state)
{
    basin_error err;

    (void)state;
    assert_int_equal(error_set_os(&err, ENOENT, "open %s", "f"), BASIN_IO);
    assert_int_equal(err.os_errno, ENOENT);
    assert_string_equal(err.what, "open f: No such file or directory");
    assert_int_equal(error_set_os(&err, EDQUOT, "write"), BASIN_NO_SPACE);
    assert_int_equal(err.status, BASIN_NO_SPACE);
    assert_int_equal(error_set_os(&err, ENOSPC, "write"), BASIN_NO_SPACE);
}

static basin_status
try_twice(basin_status first, basin_status second, int *reached, basin_error *err)
{
    basin_status st;

    TRY(first);
    *reached = 1;
    TRY(second);
    *reached = 2;
    FAIL(err, BASIN_MISUSE, "reached %d", *reached);
out:
    return st;
}

static void
try_and_fail_leave_through_one_label(void **state)
{
    basin_error err = { 0 };
    int reached = 0;

    (void)state;
    assert_int_equal(try_twice(BASIN_IO, BASIN_OK, &reached, &err), BASIN_IO);
    assert_int_equal(reached, 0);
    assert_int_equal(try_twice(BASIN_OK, BASIN_END, &reached, &err), BASIN_END);
    assert_int_equal(reached, 1);
    assert_int_equal(try_twice(BASIN_OK, BASIN_OK, &reached, &err), BASIN_MISUSE);
    assert_string_equal(err.what, "reached 2");
}

/* In a child: the panic writes one line that names the place, and ends by SIGABRT. */
static void
panic_says_where_and_aborts(void **state)
{
    char said[256] = "";
    int ends[2], status = 0;
    ssize_t n;
    pid_t child;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        dup2(ends[1], STDERR_FILENO);
        base_panic("n < max", "file.c", 42);
    }
    close(ends[1]);
    n = read(ends[0], said, sizeof said - 1);
    close(ends[0]);
    assert_true(waitpid(child, &status, 0) == child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_true(n > 0);
    assert_string_equal(said, "basin: file.c:42: this must hold: n < max\n");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_has_its_own_name),
        cmocka_unit_test(set_replaces_the_whole_record),
        cmocka_unit_test(null_is_no_record),
        cmocka_unit_test(texts_are_cut_and_one_line),
        cmocka_unit_test(system_errors_carry_number_and_text),
        cmocka_unit_test(try_and_fail_leave_through_one_label),
        cmocka_unit_test(panic_says_where_and_aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
