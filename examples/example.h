// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * What the examples share: text as bytes, and the way of handling errors that Basin itself uses.
 * Each example takes an empty folder, does one thing, checks what came out and exits with 0.
 */
#ifndef EXAMPLE_H
#define EXAMPLE_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "basin/basin.h"

/* Go to `out` when a call fails; `st` then says why. */
#define TRY(call)           \
    do {                    \
        st = (call);        \
        if (st != BASIN_OK) \
            goto out;       \
    } while (0)

/* What the example claims. */
#define EXPECT(condition)                                                           \
    do {                                                                            \
        if (!(condition)) {                                                         \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            exit(1);                                                                \
        }                                                                           \
    } while (0)

static inline basin_bytes
text(const char *s)
{
    return (basin_bytes){ s, strlen(s) };
}

static inline bool
is_text(basin_bytes b, const char *s)
{
    return b.size == strlen(s) && (b.size == 0 || memcmp(b.data, s, b.size) == 0);
}

/* Opens, or creates, the database `name` in the folder of the command line. */
static inline basin_status
open_database(int argc, char **argv, const char *name, const basin_options *options, basin_db **db,
              basin_error *err)
{
    char path[4096];

    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        exit(2);
    }
    snprintf(path, sizeof(path), "%s/%s", argv[1], name);
    return basin_open(path, options, db, err);
}

/* Closes and turns the result into an exit code; the error record tells the story. */
static inline int
finish(basin_db *db, basin_status st, basin_error *err)
{
    basin_error closing = { 0 };
    basin_status closed = basin_close(db, &closing);

    if (st == BASIN_OK && closed != BASIN_OK) {
        st = closed;
        *err = closing;
    }
    if (st != BASIN_OK)
        fprintf(stderr, "%s: %s\n%s\n", basin_status_name(st), err->what, err->hint);
    return st == BASIN_OK ? 0 : 1;
}

#endif
