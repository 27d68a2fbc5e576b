// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Errors and their exit codes, talk and time of the program.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

basin_status
cli_error(basin_error *err, basin_status code, const char *fmt, ...)
{
    va_list ap;

    if (err == NULL)
        return code;
    *err = (basin_error){ .status = code };
    va_start(ap, fmt);
    vsnprintf(err->what, sizeof(err->what), fmt, ap);
    va_end(ap);
    return code;
}

basin_status
cli_system_error(basin_error *err, int os_errno, const char *fmt, ...)
{
    bool full = os_errno == ENOSPC || os_errno == EDQUOT;
    basin_status code = full ? BASIN_NO_SPACE : BASIN_IO;
    char text[BASIN_WHAT_SIZE / 2];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    cli_error(err, code, "%s: %s", text, strerror(os_errno));
    if (err != NULL)
        err->os_errno = os_errno;
    return code;
}

void
cli_hint(basin_error *err, const char *fmt, ...)
{
    va_list ap;

    if (err == NULL)
        return;
    va_start(ap, fmt);
    vsnprintf(err->hint, sizeof(err->hint), fmt, ap);
    va_end(ap);
}

static void
write_line(struct grow *line)
{
    if (write(STDERR_FILENO, line->data, line->size) < 0)
        return; /* talk that cannot be heard is no failure */
}

void
cli_say(const struct cli *c, const char *fmt, ...)
{
    struct grow line = { 0 };
    va_list ap;

    if (c->json || c->progress.mode == PROGRESS_JSON)
        return;
    grow_format(&line, "basin: %s: ", c->verb->name);
    va_start(ap, fmt);
    grow_vformat(&line, fmt, ap);
    va_end(ap);
    grow_byte(&line, '\n');
    write_line(&line);
    grow_free(&line);
}

int
cli_exit_code(basin_status st)
{
    switch (st) {
    case BASIN_OK:
        return EXIT_DONE;
    case BASIN_END:
    case BASIN_NOT_FOUND:
        return EXIT_NO;
    case BASIN_MISUSE:
        return EXIT_USAGE;
    case BASIN_BUSY:
    case BASIN_TIMEOUT:
    case BASIN_CONFLICT:
        return EXIT_BUSY;
    case BASIN_CORRUPT:
        return EXIT_CORRUPT;
    case BASIN_NO_SPACE:
    case BASIN_IO:
    case BASIN_CANCELLED:
        return EXIT_IO;
    case BASIN_EXISTS:
    case BASIN_LIMIT:
    case BASIN_READ_ONLY:
        return EXIT_REFUSED;
    case BASIN_WRONG_KEY:
        return EXIT_SECRET;
    case BASIN_VERSION:
        return EXIT_VERSION;
    case BASIN_NO_MEM:
        return EXIT_MEMORY;
    case BASIN_TOO_OLD:
        return EXIT_TOO_OLD;
    case BASIN_UNKNOWN_OPERATOR:
        return EXIT_OPERATOR;
    }
    return EXIT_IO;
}

/* Colour is for terminals, and not where NO_COLOR is set. */
static bool
may_colour(void)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

    return (no == NULL || no[0] == '\0') && isatty(STDERR_FILENO) == 1 && term != NULL &&
           strcmp(term, "dumb") != 0;
}

static void
error_as_json(struct grow *line, const basin_error *err, basin_status st)
{
    grow_text(line, "{\"error\":{\"status\":");
    jout_quote(line, basin_status_name(st));
    grow_text(line, ",\"what\":");
    jout_quote(line, err->what);
    grow_text(line, ",\"hint\":");
    jout_quote(line, err->hint);
    grow_text(line, ",\"where\":");
    jout_quote(line, err->where);
    grow_format(line, ",\"errno\":%d,\"exit\":%d}}\n", err->os_errno, cli_exit_code(st));
}

static void
error_as_text(struct grow *line, const char *verb, const basin_error *err)
{
    bool colour = may_colour();

    grow_text(line, colour ? "\033[1;31mbasin:\033[0m " : "basin: ");
    if (verb != NULL)
        grow_format(line, "%s: ", verb);
    text_show(line, err->what);
    if (err->where[0] != '\0' && strstr(err->what, err->where) == NULL) {
        grow_text(line, " (");
        text_show(line, err->where);
        grow_text(line, ")");
    }
    grow_byte(line, '\n');
    if (err->hint[0] == '\0')
        return;
    grow_text(line, colour ? "  \033[36mhint:\033[0m " : "  hint: ");
    text_show(line, err->hint);
    grow_byte(line, '\n');
}

void
cli_show_error(const struct cli *c, basin_status st)
{
    struct grow line = { 0 };
    basin_error err = c->err;

    if (err.what[0] == '\0')
        snprintf(err.what, sizeof(err.what), "%s", basin_status_name(st));
    if (c->json)
        error_as_json(&line, &err, st);
    else
        error_as_text(&line, c->verb != NULL ? c->verb->name : NULL, &err);
    write_line(&line);
    grow_free(&line);
}

double
cli_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

uint64_t
cli_now_ms(void)
{
    return (uint64_t)(cli_now() * 1000);
}
