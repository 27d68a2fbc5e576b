// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Pairs out of a text file: tsv, csv, jsonl, lines, and the package index of Debian.
 *
 * A record that cannot be read is told as CORRUPT or LIMIT and leaves the reader behind it, so that
 * import may skip it. Every other failure is final.
 */
#ifndef CLI_RECORD_H
#define CLI_RECORD_H

#include "input.h"
#include "json_in.h"

/* The order of --format. */
enum format { FORMAT_TSV, FORMAT_CSV, FORMAT_JSONL, FORMAT_LINES, FORMAT_PACKAGES };

struct record_options {
    enum format format;
    bool raw;          /* tsv: no escapes */
    bool header;       /* csv */
    const char *key;   /* csv: a column, or NULL */
    const char *value; /* csv: a column, or NULL */
};

struct record_reader {
    struct record_options options;
    struct input *in;
    uint64_t line;    /* where the record starts */
    struct grow raw;  /* the record as it stands in the file, when it has several lines */
    basin_bytes text; /* the record as it stands in the file; valid until the next one */
    struct grow key;
    struct grow value;
    struct json_member member;
    struct grow fields; /* csv: the contents of the fields, one after the other */
    size_t *ends;       /* csv: where each of them ends */
    size_t field_count;
    size_t field_max;
    char **names; /* csv: the columns */
    size_t name_count;
    bool started;
    bool done;
};

/* The format that the name of a file tells; false when it tells none. */
bool record_format_of(const char *path, enum format *format);
void record_open(struct record_reader *r, const struct record_options *options, struct input *in);
/* The next pair is in r->key and r->value; END behind the last. */
basin_status record_next(struct record_reader *r, basin_error *err);
void record_close(struct record_reader *r);

/* record_csv.c */
basin_status record__next_csv(struct record_reader *r, basin_error *err);

#endif
