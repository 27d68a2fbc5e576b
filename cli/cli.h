// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The program `basin`: one run of one verb.
 *
 * main.c finds the verb in the table (table.c), args.c reads the command line by that table, the
 * verb runs on a struct cli and returns a status, and main.c turns it into a message on standard
 * error and an exit code. Data goes to standard output through struct out only; talk goes to
 * standard error.
 * The program is a client of include/basin and knows no other door.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "args.h"
#include "grow.h"
#include "json_out.h"
#include "out.h"
#include "progress.h"
#include "table.h"
#include "text.h"

/* What the program exits with; `basin help exit-codes` explains them. */
enum {
    EXIT_DONE = 0,
    EXIT_NO = 1,       /* not found, or the answer is no */
    EXIT_USAGE = 2,    /* the command line is wrong */
    EXIT_BUSY = 3,     /* somebody else has it; trying again may help */
    EXIT_CORRUPT = 4,  /* stored bytes, or an input file, are damaged */
    EXIT_IO = 5,       /* the system reported an error, or the disk is full */
    EXIT_REFUSED = 6,  /* exists already, read only, over a limit */
    EXIT_SECRET = 7,   /* wrong passphrase or key */
    EXIT_VERSION = 8,  /* a format that this build does not read */
    EXIT_MEMORY = 9,   /* memory was refused */
    EXIT_TOO_OLD = 10, /* the snapshot or feed position is no longer kept */
    EXIT_OPERATOR = 11 /* a value needs a merge operator that the program does not have */
    /* 128 + n: ended by signal n; 130 is Ctrl-C, 141 a reader of standard output that went away */
};

/* How --hex, --escape and --raw ask for bytes to be read and shown. */
enum notation { NOTATION_RAW, NOTATION_ESCAPED, NOTATION_HEX };

struct cli {
    const struct verb *verb;
    struct args args;
    struct out out; /* standard output */
    struct progress progress;
    basin_error err;
    bool json;
    int exit_code; /* what the verb wants to exit with when its status is OK */
    bool quiet;    /* the failure was told already, or needs no words */
};

/* Jump to `out` with a status, as everywhere in Basin. */
#define TRY(call)           \
    do {                    \
        st = (call);        \
        if (st != BASIN_OK) \
            goto out;       \
    } while (0)
#define FAIL(err, code, ...)                        \
    do {                                            \
        st = cli_error((err), (code), __VA_ARGS__); \
        goto out;                                   \
    } while (0)

/* Fills err (may be NULL) and returns code. */
basin_status cli_error(basin_error *err, basin_status code, const char *fmt, ...)
    BASIN_PRINTF(3, 4);
/* The same for a failed system call; ENOSPC becomes NO_SPACE. */
basin_status cli_system_error(basin_error *err, int os_errno, const char *fmt, ...)
    BASIN_PRINTF(3, 4);
/* Adds what to do to an error that is filled already. */
void cli_hint(basin_error *err, const char *fmt, ...) BASIN_PRINTF(2, 3);

/* A line of talk on standard error, "basin: VERB: ..."; nothing with --json or --progress=off. */
void cli_say(const struct cli *c, const char *fmt, ...) BASIN_PRINTF(2, 3);
/* The failure as text or, with --json, as one JSON object. */
void cli_show_error(const struct cli *c, basin_status st);
int cli_exit_code(basin_status st);

/* Runs one command line; returns the exit code. */
int cli_run(int argc, char **argv);

/* Monotonic milliseconds and seconds. */
uint64_t cli_now_ms(void);
double cli_now(void);

#endif
