// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Status names, the error record and the panic.
 *
 * An error is written once, at the place of its birth, into memory of the caller: no global, no
 * allocation, so it works when memory is what failed. Texts are cut to their fields and kept to
 * one line: a control byte (a name may hold any) becomes '?'.
 * base_panic is the only place in the library that writes to a standard stream.
 */
#include "base/base.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const status_names[] = {
    [BASIN_OK] = "ok",
    [BASIN_END] = "end",
    [BASIN_NOT_FOUND] = "not_found",
    [BASIN_EXISTS] = "exists",
    [BASIN_BUSY] = "busy",
    [BASIN_TIMEOUT] = "timeout",
    [BASIN_CONFLICT] = "conflict",
    [BASIN_LIMIT] = "limit",
    [BASIN_NO_MEM] = "no_mem",
    [BASIN_NO_SPACE] = "no_space",
    [BASIN_IO] = "io",
    [BASIN_CORRUPT] = "corrupt",
    [BASIN_VERSION] = "version",
    [BASIN_WRONG_KEY] = "wrong_key",
    [BASIN_MISUSE] = "misuse",
    [BASIN_CANCELLED] = "cancelled",
    [BASIN_TOO_OLD] = "too_old",
    [BASIN_READ_ONLY] = "read_only",
    [BASIN_UNKNOWN_OPERATOR] = "unknown_operator",
};

const char *
basin_status_name(basin_status status)
{
    size_t i = (size_t)status;

    return i < COUNT_OF(status_names) ? status_names[i] : "unknown";
}

_Noreturn void
base_panic(const char *what, const char *file, int line)
{
    fprintf(stderr, "basin: %s:%d: this must hold: %s\n", file, line, what);
    abort();
}

static void
keep_one_line(char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20 || c == 0x7F)
            *text = '?';
    }
}

static void __attribute__((format(printf, 3, 0)))
fill(char *to, size_t size, const char *fmt, va_list ap)
{
    if (vsnprintf(to, size, fmt, ap) < 0)
        to[0] = '\0';
    keep_one_line(to);
}

void
error_clear(basin_error *err)
{
    if (err == NULL)
        return;
    err->status = BASIN_OK;
    err->os_errno = 0;
    err->what[0] = err->hint[0] = err->where[0] = '\0';
}

basin_status
error_set(basin_error *err, basin_status code, const char *fmt, ...)
{
    va_list ap;

    if (err == NULL)
        return code;
    error_clear(err);
    err->status = code;
    va_start(ap, fmt);
    fill(err->what, sizeof err->what, fmt, ap);
    va_end(ap);
    return code;
}

/* strerror_r has two shapes; the result type tells which one the C library has. */
static const char *
text_of_gnu(const char *text, const char *space)
{
    (void)space;
    return text;
}

static const char *
text_of_posix(int failed, const char *space)
{
    return failed ? "unknown error" : space;
}

#define STRERROR(n, space) \
    _Generic(strerror_r(0, (space), sizeof(space)), char *: text_of_gnu, int: text_of_posix)( \
        strerror_r((n), (space), sizeof(space)), (space))

basin_status
error_set_os(basin_error *err, int os_errno, const char *fmt, ...)
{
    basin_status code = BASIN_IO;
    char space[96] = "";
    va_list ap;
    size_t used;

    if (os_errno == ENOSPC || os_errno == EDQUOT)
        code = BASIN_NO_SPACE;
    if (err == NULL)
        return code;
    error_clear(err);
    err->status = code;
    err->os_errno = os_errno;
    va_start(ap, fmt);
    fill(err->what, sizeof err->what, fmt, ap);
    va_end(ap);
    used = strlen(err->what);
    snprintf(err->what + used, sizeof err->what - used, ": %s", STRERROR(os_errno, space));
    return code;
}

void
error_hint(basin_error *err, const char *fmt, ...)
{
    va_list ap;

    if (err == NULL)
        return;
    va_start(ap, fmt);
    fill(err->hint, sizeof err->hint, fmt, ap);
    va_end(ap);
}

void
error_where(basin_error *err, const char *fmt, ...)
{
    va_list ap;

    if (err == NULL)
        return;
    va_start(ap, fmt);
    fill(err->where, sizeof err->where, fmt, ap);
    va_end(ap);
}

basin_status
error_mem(basin_status st, basin_error *err)
{
    return st == BASIN_NO_MEM ? error_set(err, st, "out of memory") : st;
}
