// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Lines of a file or of standard input; compressed files are unpacked by the system's tools.
 * A line has a limit, so that no input can take more memory than that.
 * Threads: confined.
 */
#ifndef CLI_INPUT_H
#define CLI_INPUT_H

#include <sys/types.h>

#include "grow.h"

struct input {
    const char *name;   /* for messages */
    int fd;             /* what is read: the file, or the pipe from the unpacker */
    int file_fd;        /* the compressed file, or -1; its position tells how far we are */
    pid_t unpacker;     /* 0 = none */
    const char *tool;   /* "lz4" */
    bool is_file;       /* a plain file */
    uint64_t file_size; /* 0 = unknown */
    uint64_t bytes;     /* handed out */
    uint64_t line;      /* number of the line handed out last, from 1 */
    size_t line_max;
    bool at_end;
    bool skip_rest; /* the rest of a line that was too long is passed over */
    size_t at;      /* in buffer */
    struct grow buffer;
};

/* "-" is standard input. */
basin_status input_open(struct input *in, const char *path, size_t line_max, basin_error *err);
/*
 * The next line without its newline; valid until the next call. END behind the last one.
 * LIMIT for a line that is longer than line_max; the next call goes on behind it.
 * *ended (may be NULL) = whether a newline stood behind it.
 */
basin_status input_line(struct input *in, basin_bytes *line, bool *ended, basin_error *err);
/* Whether it is a plain file that can be read a second time; input_rewind does that. */
bool input_can_rewind(const struct input *in);
basin_status input_rewind(struct input *in, basin_error *err);
/* How much of the file was read, and how much there is (0 = unknown). */
void input_place(const struct input *in, uint64_t *done, uint64_t *total);
/* Closes and waits for the unpacker. CORRUPT when it failed and everything was to be read. */
basin_status input_close(struct input *in, basin_error *err);

/* Cuts one carriage return off the end. */
static inline void
bytes_chop(basin_bytes *line)
{
    if (line->size > 0 && ((const char *)line->data)[line->size - 1] == '\r')
        line->size--;
}

#endif
