// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Buffered output to a descriptor: standard output, or a file that appears whole or not at all.
 * A failure sticks: later bytes are dropped, out_finish tells it. EPIPE is remembered apart, since
 * a reader that went away is no failure.
 * Threads: confined.
 */
#ifndef CLI_OUT_H
#define CLI_OUT_H

#include "grow.h"

struct out {
    int fd;
    int failed; /* errno of the first failed write, or 0 */
    bool is_tty;
    uint64_t bytes; /* given to it so far */
    const char *name;
    char *partial; /* the name that a file has until it is finished; NULL for standard output */
    struct grow buffer;
    struct grow scratch; /* for the encoders of one value */
};

void out_open_stdout(struct out *o);
/* Writes to `path`.partial; "-" is standard output. */
basin_status out_open_file(struct out *o, const char *path, basin_error *err);
/* Flushes; a file is synced and gets its name. */
basin_status out_finish(struct out *o, basin_error *err);
/* Gives up: an unfinished file is removed. Frees. After out_finish it only frees. */
void out_close(struct out *o);
basin_status out_flush(struct out *o, basin_error *err);
/* Fails once a write has failed: for loops over much data. */
basin_status out_status(const struct out *o, basin_error *err);

void out_bytes(struct out *o, const void *p, size_t n);
void out_text(struct out *o, const char *s);
void out_format(struct out *o, const char *fmt, ...) BASIN_PRINTF(2, 3);

#endif
