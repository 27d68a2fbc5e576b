// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The one table of verbs, options, topics and examples. The command line is read by it, and
 * --help, the man page and the completion of the shells are printed from it.
 */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "basin/basin.h"

struct cli;

enum option_id {
    OPT_NONE, /* ends a list */
    /* any verb */
    OPT_HELP,
    OPT_JSON,
    OPT_PROGRESS,
    /* opening */
    OPT_MEM,
    OPT_TIMEOUT,
    OPT_DEADLINE,
    OPT_RO,
    OPT_PASSPHRASE_FILE,
    OPT_KEY_FILE,
    /* what is read or written */
    OPT_SPACE,
    OPT_AT,
    OPT_HEX,
    OPT_ESCAPE,
    OPT_RAW,
    OPT_DURABLE,
    OPT_BUFFERED,
    OPT_YES,
    OPT_LOAD_YES,
    /* ranges */
    OPT_PREFIX,
    OPT_FROM,
    OPT_TO,
    OPT_RANGE,
    OPT_REVERSE,
    OPT_LIMIT,
    OPT_KEYS,
    OPT_COUNT,
    OPT_OFFSET,
    OPT_LENGTH,
    /* files */
    OPT_FORMAT,
    OPT_EXPORT_FORMAT,
    OPT_OUTPUT,
    OPT_ON_ERROR,
    OPT_BULK,
    OPT_BATCH,
    OPT_HEADER,
    OPT_KEY,
    OPT_VALUE,
    /* care and figures */
    OPT_DEEP,
    OPT_REPAIR_TO,
    OPT_IN_PLACE,
    OPT_STRATA,
    OPT_READERS,
    OPT_OWNER,
    OPT_SINCE,
    OPT_ONCE,
    OPT_HOLD_SINCE,
    OPT_HOLD_BYTES,
    OPT_EVENTS,
    /* creation */
    OPT_CODEC,
    OPT_PAGE_SIZE,
    OPT_NEW_PASSPHRASE_FILE,
    OPT_NEW_KEY_FILE,
    /* bench, demo, help */
    OPT_PAIRS,
    OPT_VALUE_SIZE,
    OPT_SEED,
    OPT_PACKAGES,
    OPT_MAN,
    OPT_EXAMPLES,
    OPTION_COUNT
};

enum value_kind {
    VALUE_NONE, /* a flag */
    VALUE_TEXT,
    VALUE_FILE,
    VALUE_NUMBER,
    VALUE_SIZE,
    VALUE_DURATION,
    VALUE_CHOICE,
    VALUE_TWO /* two texts */
};

struct option {
    const char *name; /* without the dashes */
    char letter;      /* of the short form, or 0 */
    enum value_kind kind;
    const char *value; /* how help calls the value; of a choice "a|b|c" */
    const char *help;
};

typedef basin_status verb_fn(struct cli *c);

enum { VERB_OPTION_MAX = 24, VERB_USAGE_MAX = 3, VERB_EXAMPLE_COUNT = 2, WORDS_ANY = 1000000 };

struct verb {
    const char *name;
    const char *group;
    const char *summary;               /* one line */
    const char *usage[VERB_USAGE_MAX]; /* what follows "basin " */
    const char *about;                 /* paragraphs, separated by newlines */
    const char *actions;               /* "add|rm|ls": what the first word may be; or NULL */
    size_t word_min;
    size_t word_max;
    uint8_t options[VERB_OPTION_MAX];        /* beside those of every verb */
    const char *example[VERB_EXAMPLE_COUNT]; /* each runs in an empty folder and exits 0 */
    verb_fn *run;
};

struct topic {
    const char *name;
    const char *summary;
    const char *about; /* paragraphs; one that starts with a space is kept as it is */
};

/* Indexed by option_id. */
extern const struct option table_options[OPTION_COUNT];
/* Each ends with a NULL name. */
extern const struct verb table_verbs[];
extern const struct topic table_topics[];

/* NULL when there is none. */
const struct verb *table_find_verb(const char *name);
const struct topic *table_find_topic(const char *name);
bool table_verb_has(const struct verb *v, enum option_id id);
/* The option of this verb, OPT_NONE when there is none. */
enum option_id table_find_option(const struct verb *v, const char *name, size_t size);
/* The n-th of "a|b|c" as a slice; false behind the last. */
bool table_choice(const char *choices, size_t index, const char **text, size_t *size);
/* The index of text in "a|b|c", or -1. */
int table_choice_index(const char *choices, const char *text);

/* The nearest verb or topic, or option of a verb; NULL when nothing is near. */
const char *table_near_verb(const char *name);
const char *table_near_option(const struct verb *v, const char *name);
/* The options that every verb takes; ends with OPT_NONE. */
extern const uint8_t table_common[];

#endif
