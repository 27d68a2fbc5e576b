// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The options of all verbs, and how they are found. Two options may share a name (--to is the end
 * of a range and the place of a repaired database) as long as no verb has both.
 */
#include <string.h>

#include "table.h"
#include "text.h"

const uint8_t table_common[] = { OPT_JSON, OPT_PROGRESS, OPT_HELP, OPT_NONE };

const struct option table_options[OPTION_COUNT] = {
    [OPT_HELP] = { "help", 'h', VALUE_NONE, NULL, "show the help of this verb" },
    [OPT_JSON] = { "json", 0, VALUE_NONE, NULL,
                   "data as JSON, one object per line; a failure as JSON on standard error" },
    [OPT_PROGRESS] = { "progress", 0, VALUE_CHOICE, "auto|bar|json|off",
                       "how far a long verb has come, on standard error (auto: a bar on a "
                       "terminal)" },
    [OPT_MEM] = { "mem", 0, VALUE_SIZE, "SIZE", "memory for everything the database does (64M)" },
    [OPT_TIMEOUT] = { "timeout", 0, VALUE_DURATION, "TIME",
                      "how long to wait for another writer (1s)" },
    [OPT_DEADLINE] = { "timeout", 0, VALUE_DURATION, "TIME", "give up after this time" },
    [OPT_RO] = { "ro", 0, VALUE_NONE, NULL,
                 "open for reading only, as verbs that only read do anyway" },
    [OPT_PASSPHRASE_FILE] = { "passphrase-file", 0, VALUE_FILE, "FILE",
                              "the passphrase is the first line of FILE; without it, the "
                              "environment variable BASIN_PASSPHRASE" },
    [OPT_KEY_FILE] = { "key-file", 0, VALUE_FILE, "FILE",
                       "the key: 32 bytes, or 64 hexadecimal digits" },
    [OPT_SPACE] = { "space", 0, VALUE_TEXT, "NAME", "the keyspace (the default one)" },
    [OPT_AT] = { "at", 0, VALUE_TEXT, "PIN", "read what the pin holds instead of the present" },
    [OPT_HEX] = { "hex", 0, VALUE_NONE, NULL, "keys and values are hexadecimal" },
    [OPT_ESCAPE] = { "escape", 0, VALUE_NONE, NULL,
                     "keys and values have \\t \\n \\r \\\\ and \\xNN escapes" },
    [OPT_RAW] = { "raw", 0, VALUE_NONE, NULL, "bytes as they are, without escapes" },
    [OPT_DURABLE] = { "durable", 0, VALUE_NONE, NULL,
                      "return when the disk has it: survives power loss" },
    [OPT_BUFFERED] = { "buffered", 0, VALUE_NONE, NULL,
                       "do not wait for the disk at each commit; the database is synced when it "
                       "closes" },
    [OPT_YES] = { "yes", 'y', VALUE_NONE, NULL,
                  "do it; without this the verb only says what it would do" },
    [OPT_LOAD_YES] = { "yes", 'y', VALUE_NONE, NULL,
                       "load into a database that is not empty, and overwrite keys that are in "
                       "both" },
    [OPT_PREFIX] = { "prefix", 0, VALUE_TEXT, "P", "only keys that start with P" },
    [OPT_FROM] = { "from", 0, VALUE_TEXT, "A", "only keys from A on" },
    [OPT_TO] = { "to", 0, VALUE_TEXT, "B", "only keys before B" },
    [OPT_RANGE] = { "range", 0, VALUE_TWO, "A B", "the keys from A on and before B" },
    [OPT_REVERSE] = { "reverse", 'r', VALUE_NONE, NULL, "the last key first" },
    [OPT_LIMIT] = { "limit", 'n', VALUE_NUMBER, "N", "at most N pairs" },
    [OPT_KEYS] = { "keys", 'k', VALUE_NONE, NULL, "only the keys" },
    [OPT_COUNT] = { "count", 'c', VALUE_NONE, NULL, "only how many there are" },
    [OPT_OFFSET] = { "offset", 0, VALUE_SIZE, "N", "start at byte N of the value" },
    [OPT_LENGTH] = { "length", 0, VALUE_SIZE, "N", "at most N bytes" },
    [OPT_FORMAT] = { "format", 'f', VALUE_CHOICE, "tsv|csv|jsonl|lines|packages",
                     "the format, when the name of the file does not tell it" },
    [OPT_EXPORT_FORMAT] = { "format", 'f', VALUE_CHOICE, "tsv|jsonl",
                            "the format, when the name of the file does not tell it (tsv)" },
    [OPT_OUTPUT] = { "output", 'o', VALUE_FILE, "FILE",
                     "write to FILE, which appears when it is complete; - is standard output" },
    [OPT_ON_ERROR] = { "on-error", 0, VALUE_TEXT, "stop|skip:FILE",
                       "at a record that cannot be read: stop (default), or write it to FILE and "
                       "go on" },
    [OPT_BULK] = { "bulk", 0, VALUE_NONE, NULL,
                   "sort outside memory, write strata straight, publish everything at once" },
    [OPT_BATCH] = { "batch", 0, VALUE_NUMBER, "N", "pairs per commit (1000)" },
    [OPT_HEADER] = { "header", 0, VALUE_NONE, NULL, "csv: the first record names the columns" },
    [OPT_KEY] = { "key", 0, VALUE_TEXT, "COLUMN",
                  "csv: the column of the key, name or number (1)" },
    [OPT_VALUE] = { "value", 0, VALUE_TEXT, "COLUMN",
                    "csv: the column of the value, name or number (2; with --header all columns "
                    "as a JSON object)" },
    [OPT_DEEP] = { "deep", 0, VALUE_NONE, NULL, "every page and entry, not only the structure" },
    [OPT_REPAIR_TO] = { "to", 0, VALUE_FILE, "DIR", "write the repaired database to DIR" },
    [OPT_IN_PLACE] = { "in-place", 0, VALUE_NONE, NULL, "repair the database where it is" },
    [OPT_STRATA] = { "strata", 0, VALUE_NONE, NULL, "list the strata" },
    [OPT_READERS] = { "readers", 0, VALUE_NONE, NULL, "list the other processes that read" },
    [OPT_OWNER] = { "owner", 0, VALUE_TEXT, "TEXT", "who wants the pin, shown by pin ls" },
    [OPT_SINCE] = { "since", 0, VALUE_NUMBER, "SEQNO",
                    "start behind this commit; 0 = the oldest that is kept (default: from now "
                    "on)" },
    [OPT_ONCE] = { "once", 0, VALUE_NONE, NULL, "end when there is nothing newer" },
    [OPT_HOLD_SINCE] = { "since", 0, VALUE_NUMBER, "SEQNO",
                         "the last commit that the follower has seen (default: the newest)" },
    [OPT_HOLD_BYTES] = { "bytes", 0, VALUE_SIZE, "SIZE", "keep at most this much log (64M)" },
    [OPT_EVENTS] = { "count", 'n', VALUE_NUMBER, "N", "end after N changes" },
    [OPT_CODEC] = { "codec", 0, VALUE_CHOICE, "none|lz4|zstd",
                    "how new strata are compressed (as the database was created; a new one: lz4)" },
    [OPT_PAGE_SIZE] = { "page-size", 0, VALUE_SIZE, "SIZE", "256 to 65536 bytes (4096)" },
    [OPT_NEW_PASSPHRASE_FILE] = { "new-passphrase-file", 0, VALUE_FILE, "FILE",
                                  "the new passphrase is the first line of FILE" },
    [OPT_NEW_KEY_FILE] = { "new-key-file", 0, VALUE_FILE, "FILE", "the new key" },
    [OPT_PAIRS] = { "pairs", 'n', VALUE_NUMBER, "N", "how many pairs (100000)" },
    [OPT_VALUE_SIZE] = { "value-size", 0, VALUE_SIZE, "N", "bytes per value (100)" },
    [OPT_SEED] = { "seed", 0, VALUE_NUMBER, "N", "the seed of the random numbers (1)" },
    [OPT_PACKAGES] = { "packages", 0, VALUE_FILE, "FILE",
                       "a Debian package index instead of the machine's own; may be repeated" },
    [OPT_MAN] = { "man", 0, VALUE_NONE, NULL, "the manual page, as roff" },
    [OPT_EXAMPLES] = { "examples", 0, VALUE_NONE, NULL,
                       "every example, one per line: VERB, TAB, command" },
};

bool
table_verb_has(const struct verb *v, enum option_id id)
{
    for (const uint8_t *at = v->options; *at != OPT_NONE; at++) {
        if (*at == (uint8_t)id)
            return true;
    }
    for (const uint8_t *at = table_common; *at != OPT_NONE; at++) {
        if (*at == (uint8_t)id)
            return true;
    }
    return false;
}

enum option_id
table_find_option(const struct verb *v, const char *name, size_t size)
{
    for (int id = OPT_NONE + 1; id < OPTION_COUNT; id++) {
        const struct option *o = &table_options[id];
        bool same = size == 1 ? o->letter == name[0]
                              : strlen(o->name) == size && memcmp(o->name, name, size) == 0;

        if (same && table_verb_has(v, (enum option_id)id))
            return (enum option_id)id;
    }
    return OPT_NONE;
}

bool
table_choice(const char *choices, size_t index, const char **text, size_t *size)
{
    const char *at = choices;

    for (size_t i = 0; i < index; i++) {
        at = strchr(at, '|');
        if (at == NULL)
            return false;
        at++;
    }
    *text = at;
    *size = strcspn(at, "|");
    return true;
}

int
table_choice_index(const char *choices, const char *text)
{
    const char *choice;
    size_t size;

    for (size_t i = 0; table_choice(choices, i, &choice, &size); i++) {
        if (strlen(text) == size && memcmp(choice, text, size) == 0)
            return (int)i;
    }
    return -1;
}

/* Near means: one slip in a short word, two in a longer one. */
static size_t
slips_allowed(const char *name)
{
    return strlen(name) <= 3 ? 1 : 2;
}

const char *
table_near_option(const struct verb *v, const char *name)
{
    size_t best = slips_allowed(name);
    const char *near = NULL;

    for (int id = OPT_NONE + 1; id < OPTION_COUNT; id++) {
        size_t distance;

        if (!table_verb_has(v, (enum option_id)id))
            continue;
        distance = text_distance(name, table_options[id].name);
        if (distance < best || (distance == best && near == NULL)) {
            best = distance;
            near = table_options[id].name;
        }
    }
    return near;
}

const struct verb *
table_find_verb(const char *name)
{
    for (const struct verb *v = table_verbs; v->name != NULL; v++) {
        if (strcmp(v->name, name) == 0)
            return v;
    }
    return NULL;
}

const struct topic *
table_find_topic(const char *name)
{
    for (const struct topic *t = table_topics; t->name != NULL; t++) {
        if (strcmp(t->name, name) == 0)
            return t;
    }
    return NULL;
}

const char *
table_near_verb(const char *name)
{
    size_t best = slips_allowed(name);
    const char *near = NULL;

    for (const struct verb *v = table_verbs; v->name != NULL; v++) {
        size_t distance = text_distance(name, v->name);

        if (distance < best || (distance == best && near == NULL)) {
            best = distance;
            near = v->name;
        }
    }
    return near;
}
