// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * From argv to an exit code: find the verb, read the command line, run, tell what went wrong.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "help.h"
#include "stop.h"

/* A database or a script that was started with a closed descriptor must not get 0, 1 or 2. */
static bool
fill_standard_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
            open("/dev/null", fd == STDIN_FILENO ? O_RDONLY : O_WRONLY) != fd)
            return false;
    }
    return true;
}

static basin_status
unknown_verb(const char *name, basin_error *err)
{
    const char *near = table_near_verb(name);

    cli_error(err, BASIN_MISUSE, "there is no verb '%s'", name);
    if (near != NULL)
        cli_hint(err, "did you mean `basin %s`?", near);
    else
        cli_hint(err, "`basin help` lists the verbs");
    return BASIN_MISUSE;
}

/* "basin --help", "basin -h", "basin --version" and the bare program. */
static const char *
verb_name(int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return "help";
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)
        return "version";
    return argv[1];
}

static basin_status
run_verb(struct cli *c, int argc, char **argv)
{
    basin_status st;
    int skip = argc < 2 ? 1 : 2;
    enum progress_mode mode;

    c->verb = table_find_verb(verb_name(argc, argv));
    if (c->verb == NULL)
        return unknown_verb(argv[1], &c->err);
    TRY(args_read(&c->args, c->verb, argc - skip, argv + skip, &c->err));
    c->json = args_has(&c->args, OPT_JSON);
    mode = (enum progress_mode)args_number(&c->args, OPT_PROGRESS, PROGRESS_AUTO);
    if (c->json && mode == PROGRESS_AUTO)
        mode = PROGRESS_OFF;
    progress_start(&c->progress, mode);
    if (args_has(&c->args, OPT_HELP)) {
        help_verb(&c->out, c->verb);
        goto out;
    }
    TRY(args_check_words(&c->args, c->verb, &c->err));
    if (args_has(&c->args, OPT_DEADLINE))
        stop_after_ms(args_number(&c->args, OPT_DEADLINE, 0));
    st = c->verb->run(c);
out:
    return st;
}

/* Says what stopped the run and gives the exit code. */
static int
conclude(struct cli *c, basin_status st)
{
    bool reader_left = c->out.failed == EPIPE;

    if (st == BASIN_CANCELLED && stop_seen() != 0) {
        basin_error why;

        st = stop_check(&why); /* the engine only knows that somebody asked it to stop */
        memcpy(c->err.what, why.what, sizeof(c->err.what));
    }
    if (st == BASIN_OK && !reader_left)
        return c->exit_code;
    if (reader_left && (st == BASIN_OK || st == BASIN_CANCELLED))
        return 128 + SIGPIPE;
    if (!c->quiet)
        cli_show_error(c, st);
    if (stop_seen() != 0 && st == BASIN_CANCELLED)
        return 128 + stop_seen();
    return cli_exit_code(st);
}

int
cli_run(int argc, char **argv)
{
    struct cli c = { 0 };
    basin_status st, flushed;
    int code;

    out_open_stdout(&c.out);
    st = run_verb(&c, argc, argv);
    progress_end(&c.progress);
    if (st == BASIN_OK) {
        st = out_finish(&c.out, &c.err);
    } else {
        basin_error flush_err;
        flushed = out_flush(&c.out, &flush_err);
        (void)flushed; /* the first failure is the one to tell */
    }
    code = conclude(&c, st);
    out_close(&c.out);
    args_free(&c.args);
    return code;
}

int
main(int argc, char **argv)
{
    if (!fill_standard_descriptors())
        return EXIT_IO;
    stop_install();
    return cli_run(argc, argv);
}
