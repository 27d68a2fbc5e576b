// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * demo: a tour through the program with the package index of the machine.
 *
 * Every step is a command line that is printed as the user would type it and then run by the shell
 * in the folder of the demo, with `basin` standing for this very program. The demo checks its own
 * claims: a count that is not what it must be ends it with an error.
 */
#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "session.h"
#include "stop.h"
#include "verbs.h"

enum { DEMO_LINES = 14, DEMO_COLUMNS = 100, DEMO_OUTPUT_MAX = 1024 * 1024 };

struct demo {
    struct cli *c;
    const char *dir;
    char self[PATH_MAX];
    struct grow files;  /* the indexes, quoted for the shell */
    struct grow output; /* of the last command */
    int exit_code;      /* of the last command */
    double seconds;
};

/* ------------------------------------------------------------------ the data */

static void
add_quoted(struct grow *to, const char *s)
{
    grow_text(to, " ");
    if (s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./+-:=@%")] ==
        '\0') {
        grow_text(to, s);
        return;
    }
    grow_byte(to, '\'');
    for (; *s != '\0'; s++) {
        if (*s == '\'')
            grow_text(to, "'\\''");
        else
            grow_byte(to, (uint8_t)*s);
    }
    grow_byte(to, '\'');
}

/* apt's lists, or what dpkg knows of the packages that are installed. */
static basin_status
find_machine_index(struct demo *d)
{
    static const char *const patterns[] = {
        "/var/lib/apt/lists/*_Packages",
        "/var/lib/apt/lists/*_Packages.lz4",
        "/var/lib/apt/lists/*_Packages.xz",
        "/var/lib/apt/lists/*_Packages.gz",
        "/var/lib/dpkg/status",
    };
    glob_t found = { 0 };

    for (size_t i = 0; i < LENGTH_OF(patterns); i++) {
        if (i + 1 == LENGTH_OF(patterns) && d->files.size > 0)
            break;
        if (glob(patterns[i], 0, NULL, &found) == 0) {
            for (size_t f = 0; f < found.gl_pathc; f++)
                add_quoted(&d->files, found.gl_pathv[f]);
        }
        globfree(&found);
        found = (glob_t){ 0 };
    }
    if (d->files.size > 0)
        return BASIN_OK;
    cli_error(&d->c->err, BASIN_NOT_FOUND, "this machine has no Debian package index");
    cli_hint(&d->c->err, "give one with --packages FILE");
    return BASIN_NOT_FOUND;
}

static basin_status
find_index(struct demo *d)
{
    const struct args *a = &d->c->args;
    char path[PATH_MAX];

    for (size_t i = 0; i < a->given_count; i++) {
        if (a->given[i].id != OPT_PACKAGES)
            continue;
        if (realpath(a->given[i].text, path) == NULL)
            return cli_system_error(&d->c->err, errno, "cannot open %s", a->given[i].text);
        add_quoted(&d->files, path);
    }
    return d->files.size > 0 ? BASIN_OK : find_machine_index(d);
}

/* ------------------------------------------------------------------ running a command */

/* In the child: the shell, in the folder of the demo, both outputs into the pipe. */
static _Noreturn void
become_shell(const struct demo *d, int pipe_end, const char *script)
{
    char *const argv[] = { (char *)"sh", (char *)"-c", (char *)script, NULL };

    if (chdir(d->dir) == 0 && dup2(pipe_end, STDOUT_FILENO) >= 0 &&
        dup2(pipe_end, STDERR_FILENO) >= 0)
        execvp("sh", argv);
    _exit(127);
}

static basin_status
collect_output(struct demo *d, int fd)
{
    ssize_t n = 1;

    grow_clear(&d->output);
    while (n > 0 || (n < 0 && errno == EINTR)) {
        uint8_t *room = grow_room(&d->output, 4096);
        n = read(fd, room, 4096);
        if (n > 0 && d->output.size < DEMO_OUTPUT_MAX)
            d->output.size += (size_t)n;
    }
    return n < 0 ? cli_system_error(&d->c->err, errno, "cannot read from the shell") : BASIN_OK;
}

static basin_status
run_shell(struct demo *d, const char *command)
{
    struct grow script = { 0 };
    double started = cli_now();
    int ends[2], status = 0;
    basin_status st;
    pid_t pid;

    grow_text(&script, "basin() {");
    add_quoted(&script, d->self);
    grow_format(&script, " \"$@\"; }\n%s\n", command);
    if (pipe(ends) != 0)
        FAIL(&d->c->err, BASIN_IO, "cannot make a pipe: %s", strerror(errno));
    pid = fork();
    if (pid == 0) {
        close(ends[0]);
        become_shell(d, ends[1], grow_string(&script));
    }
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        FAIL(&d->c->err, BASIN_IO, "cannot start a shell: %s", strerror(errno));
    }
    st = collect_output(d, ends[0]);
    close(ends[0]);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    d->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    d->seconds = cli_now() - started;
    if (st == BASIN_OK)
        st = stop_check(&d->c->err);
out:
    grow_free(&script);
    return st;
}

/* The first lines of the output, each cut to the width. */
static void
show_output(struct demo *d)
{
    struct out *out = &d->c->out;
    const char *p = (const char *)d->output.data, *end = p + d->output.size;
    size_t lines = 0, more = 0;

    while (p < end) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        size_t size = (size_t)((newline != NULL ? newline : end) - p);
        size_t shown = size;

        if (size > DEMO_COLUMNS) {
            shown = DEMO_COLUMNS - 4;
            shown -= text_utf8_tail((const uint8_t *)p, shown);
        }
        if (lines++ < DEMO_LINES) {
            out_bytes(out, p, shown);
            out_text(out, shown < size ? " ...\n" : "\n");
        } else {
            more++;
        }
        p += size + 1;
    }
    if (more > 0)
        out_format(out, "... and %zu more lines\n", more);
}

/* Prints and runs a command; any exit code but `expected` ends the demo. */
static basin_status step(struct demo *d, int expected, const char *fmt, ...) BASIN_PRINTF(3, 4);

static basin_status
step(struct demo *d, int expected, const char *fmt, ...)
{
    struct cli *c = d->c;
    struct grow command = { 0 };
    struct jout j;
    va_list ap;
    basin_status st;

    va_start(ap, fmt);
    grow_vformat(&command, fmt, ap);
    va_end(ap);
    if (!c->json)
        out_format(&c->out, "$ %s\n", grow_string(&command));
    TRY(out_flush(&c->out, &c->err));
    TRY(run_shell(d, grow_string(&command)));
    if (c->json) {
        jout_start(&j, &c->out);
        jout_open(&j, NULL, '{');
        jout_text(&j, "command", grow_string(&command));
        jout_number(&j, "exit", (uint64_t)d->exit_code);
        jout_real(&j, "seconds", d->seconds);
        jout_text(&j, "output", grow_string(&d->output));
        jout_close(&j, '{');
        jout_line(&j);
    } else {
        show_output(d);
    }
    if (d->exit_code != expected)
        st = cli_error(&c->err, BASIN_IO, "the command ended with %d: %.200s", d->exit_code,
                       grow_string(&command));
out:
    grow_free(&command);
    return st;
}

static void
title(struct demo *d, const char *text)
{
    if (!d->c->json)
        out_format(&d->c->out, "\n# %s\n", text);
}

/* The number that the last command printed in its last line. */
static uint64_t
last_number(struct demo *d)
{
    const char *text = grow_string(&d->output), *at = text;
    uint64_t value = 0;

    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '\n' && p[1] != '\0')
            at = p + 1;
    }
    for (; *at == ' '; at++)
        continue;
    for (; *at >= '0' && *at <= '9'; at++)
        value = value * 10 + (uint64_t)(*at - '0');
    return value;
}

static basin_status
claim(struct demo *d, const char *what, uint64_t expected)
{
    uint64_t found = last_number(d);

    if (found == expected)
        return BASIN_OK;
    return cli_error(&d->c->err, BASIN_CORRUPT, "%s: %llu, but it must be %llu", what,
                     (unsigned long long)found, (unsigned long long)expected);
}

/* ------------------------------------------------------------------ the tour */

static basin_status
tour_load(struct demo *d)
{
    basin_status st;

    title(d, "Load the package index of this machine: every stanza is a pair");
    TRY(step(d, 0, "basin import packages.db%s --format packages --bulk", grow_string(&d->files)));
    TRY(step(d, 0, "basin stat packages.db"));
out:
    return st;
}

/* A key to show: of bash if it is there, else the first. */
static basin_status
choose_key(struct demo *d, struct grow *key)
{
    basin_status st;

    TRY(run_shell(d, "basin scan packages.db --prefix bash_ --keys --limit 1"));
    if (d->output.size == 0)
        TRY(run_shell(d, "basin scan packages.db --keys --limit 1"));
    if (d->output.size > 0 && d->output.data[d->output.size - 1] == '\n')
        d->output.size--;
    add_quoted(key, grow_string(&d->output));
out:
    return st;
}

static basin_status
tour_read(struct demo *d)
{
    struct grow key = { 0 };
    basin_status st;

    title(d, "Read: one key, a part of its value, a prefix, a range backwards, as JSON");
    TRY(choose_key(d, &key));
    TRY(step(d, 0, "basin get packages.db%s", grow_string(&key)));
    TRY(step(d, 0, "basin get packages.db%s --offset 9 --length 20", grow_string(&key)));
    TRY(step(d, 0, "basin scan packages.db --prefix lib --keys --limit 4"));
    TRY(step(d, 0, "basin scan packages.db --from m --to n --reverse --keys --limit 3"));
    TRY(step(d, 0, "basin scan packages.db --json --limit 1"));
    TRY(step(d, 1, "basin get packages.db no-such-package"));
out:
    grow_free(&key);
    return st;
}

static basin_status
tour_snapshot(struct demo *d)
{
    uint64_t before;
    basin_status st;

    title(d, "A snapshot: the scan reads slowly, a writer goes on, the scan does not see it");
    TRY(step(d, 0, "basin scan packages.db --count"));
    before = last_number(d);
    TRY(step(d, 0,
             "(basin scan packages.db | (sleep 2; wc -l)) & sleep 1; "
             "basin put packages.db zz-new 'written meanwhile'; wait"));
    TRY(claim(d, "pairs in the snapshot", before));
    TRY(step(d, 0, "basin scan packages.db --count"));
    TRY(claim(d, "pairs after the writer", before + 1));
out:
    return st;
}

static basin_status
tour_pin(struct demo *d)
{
    uint64_t libraries;
    basin_status st;

    title(d, "A range delete, one record for any number of keys, undone by a pin");
    TRY(step(d, 0, "basin scan packages.db --prefix lib --count"));
    libraries = last_number(d);
    TRY(step(d, 0, "basin pin add packages.db before --owner demo"));
    TRY(step(d, 1, "basin del packages.db --prefix lib"));
    TRY(step(d, 0, "basin del packages.db --prefix lib --yes"));
    TRY(step(d, 0, "basin scan packages.db --prefix lib --count"));
    TRY(claim(d, "libraries after the delete", 0));
    TRY(step(d, 0, "basin scan packages.db --prefix lib --count --at before"));
    TRY(claim(d, "libraries at the pin", libraries));
    TRY(step(d, 0,
             "basin export packages.db --prefix lib --at before | basin import packages.db - "
             "--format tsv --bulk"));
    TRY(step(d, 0, "basin scan packages.db --prefix lib --count"));
    TRY(claim(d, "libraries after the undo", libraries));
    TRY(step(d, 0, "basin pin ls packages.db"));
    TRY(step(d, 0, "basin pin rm packages.db before"));
out:
    return st;
}

static basin_status
tour_processes(struct demo *d)
{
    basin_status st;

    title(d, "One process writes batches of 1000, another reads: it sees whole batches only");
    TRY(step(d, 0, "basin space add packages.db copy"));
    TRY(step(d, 0,
             "basin import packages.db%s --format packages --space copy & for i in 1 2 3; "
             "do sleep 0.2; basin scan packages.db --space copy --count; done; wait",
             grow_string(&d->files)));
    TRY(step(d, 0, "basin space ls packages.db"));
    TRY(step(d, 0, "basin space drop packages.db copy --yes"));
out:
    return st;
}

static basin_status
tour_care(struct demo *d)
{
    basin_status st;

    title(d, "Give room back, look for damage, write it all as text");
    TRY(step(d, 0, "basin compact packages.db"));
    TRY(step(d, 0, "basin stat packages.db"));
    TRY(step(d, 0, "basin check packages.db --deep"));
    TRY(step(d, 0, "basin dump packages.db | tail -n 1"));
out:
    return st;
}

static basin_status
make_folder(struct demo *d)
{
    struct grow path = { 0 };
    struct stat info;
    basin_status st = BASIN_OK;

    if (mkdir(d->dir, 0777) != 0 && errno != EEXIST)
        FAIL(&d->c->err, BASIN_IO, "cannot make the folder %s: %s", d->dir, strerror(errno));
    grow_format(&path, "%s/packages.db", d->dir);
    if (stat(grow_string(&path), &info) == 0) {
        cli_error(&d->c->err, BASIN_EXISTS, "%s is there already", grow_string(&path));
        cli_hint(&d->c->err, "name another folder: basin demo DIR");
        st = BASIN_EXISTS;
    }
out:
    grow_free(&path);
    return st;
}

basin_status
verb_demo(struct cli *c)
{
    struct demo d = { .c = c, .dir = "basin-demo" };
    double started = cli_now();
    char seconds[HUMAN_SIZE];
    ssize_t n = readlink("/proc/self/exe", d.self, sizeof(d.self) - 1);
    basin_status st = BASIN_OK;

    if (n < 0)
        FAIL(&c->err, BASIN_IO, "cannot find this program: %s", strerror(errno));
    if (c->args.word_count > 0)
        d.dir = c->args.words[0];
    TRY(find_index(&d));
    TRY(make_folder(&d));
    if (!c->json)
        out_format(&c->out, "basin %s, a tour in %s\n", basin_version(), d.dir);
    TRY(tour_load(&d));
    TRY(tour_read(&d));
    TRY(tour_snapshot(&d));
    TRY(tour_pin(&d));
    TRY(tour_processes(&d));
    TRY(tour_care(&d));
    if (!c->json)
        out_format(&c->out,
                   "\nThat took %s. The database is %s/packages.db; `basin help` tells "
                   "more.\n",
                   human_seconds(seconds, cli_now() - started), d.dir);
out:
    grow_free(&d.files);
    grow_free(&d.output);
    return st;
}
