// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The command line of one verb, read by the table: words and options, with numbers checked.
 * Everything points into argv and lives as long as it.
 */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include "table.h"

struct given {
    enum option_id id;
    const char *text;   /* the value as typed; NULL for a flag */
    const char *second; /* of an option with two values */
    uint64_t number;    /* of sizes, numbers, durations (ms) and choices (index) */
};

struct args {
    const char **words; /* what is no option, in order, without the verb */
    size_t word_count;
    struct given *given; /* in order of the command line */
    size_t given_count;
};

/* MISUSE when the verb has no such option, a value is missing or is no number. */
basin_status args_read(struct args *a, const struct verb *v, int argc, char **argv,
                       basin_error *err);
/* MISUSE when there are too few or too many words, or the first is no action of the verb. */
basin_status args_check_words(const struct args *a, const struct verb *v, basin_error *err);
void args_free(struct args *a);

/* The last occurrence, or NULL. */
const struct given *args_find(const struct args *a, enum option_id id);
bool args_has(const struct args *a, enum option_id id);
const char *args_text(const struct args *a, enum option_id id, const char *otherwise);
uint64_t args_number(const struct args *a, enum option_id id, uint64_t otherwise);
/* At most one of the two may be given. */
basin_status args_exclude(const struct args *a, enum option_id one, enum option_id other,
                          basin_error *err);

#endif
