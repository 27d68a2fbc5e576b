// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Reading a command line by the table.
 *
 * `--name value`, `--name=value`, `-o value`, `-ovalue`; `--` ends the options; a lone `-` is a
 * word (standard input or output). Options may stand before, between and after words. There are no
 * abbreviations: what a script wrote keeps its meaning when options are added.
 */
#include "args.h"

#include <stdlib.h>
#include <string.h>

#include "cli.h"

static basin_status
read_number(struct given *g, const struct option *o, basin_error *err)
{
    int index;
    bool ok = true;
    const char *example = "";

    switch (o->kind) {
    case VALUE_NUMBER:
        ok = text_number(g->text, &g->number);
        example = "a number such as 100";
        break;
    case VALUE_SIZE:
        ok = text_size(g->text, &g->number);
        example = "a size such as 4096, 64K, 64M or 2G";
        break;
    case VALUE_DURATION:
        ok = text_duration(g->text, &g->number);
        example = "a time such as 500ms, 5s or 2m";
        break;
    case VALUE_CHOICE:
        index = table_choice_index(o->value, g->text);
        ok = index >= 0;
        g->number = (uint64_t)index;
        example = o->value;
        break;
    case VALUE_NONE:
    case VALUE_TEXT:
    case VALUE_FILE:
    case VALUE_TWO:
        break;
    }
    if (ok)
        return BASIN_OK;
    cli_error(err, BASIN_MISUSE, "--%s is '%s', which is not %s", o->name, g->text,
              o->kind == VALUE_CHOICE ? "one of its choices" : example);
    if (o->kind == VALUE_CHOICE)
        cli_hint(err, "it is one of %s", example);
    return BASIN_MISUSE;
}

/* What is left to read. */
struct reader {
    int argc;
    char **argv;
    int at;
};

static basin_status
take_value(struct reader *r, const struct option *o, const char **value, basin_error *err)
{
    if (r->at >= r->argc) {
        cli_error(err, BASIN_MISUSE, "--%s needs a value: --%s %s", o->name, o->name, o->value);
        return BASIN_MISUSE;
    }
    *value = r->argv[r->at++];
    return BASIN_OK;
}

static basin_status
unknown_option(const struct verb *v, const char *word, size_t size, basin_error *err)
{
    const char *near;
    char name[64];

    cli_error(err, BASIN_MISUSE, "no option %.*s", (int)(size < 200 ? size : 200), word);
    if (size - 2 < sizeof(name) && size > 3 && word[1] == '-') {
        memcpy(name, word + 2, size - 2);
        name[size - 2] = '\0';
        near = table_near_option(v, name);
        if (near != NULL) {
            cli_hint(err, "did you mean --%s?", near);
            return BASIN_MISUSE;
        }
    }
    cli_hint(err, "`basin help %s` lists the options; write -- before a word that starts with -",
             v->name);
    return BASIN_MISUSE;
}

/* Reads the option at r->at - 1. */
static basin_status
read_option(struct args *a, const struct verb *v, struct reader *r, basin_error *err)
{
    const char *word = r->argv[r->at - 1];
    bool is_long = word[1] == '-';
    const char *equals = is_long ? strchr(word, '=') : NULL;
    size_t size = equals != NULL ? (size_t)(equals - word) : is_long ? strlen(word) : 2;
    struct given *g = &a->given[a->given_count];
    const struct option *o;
    basin_status st = BASIN_OK;

    *g = (struct given){ .id = OPT_NONE };
    if (!is_long)
        g->id = table_find_option(v, word + 1, 1);
    else if (size > 3)
        g->id = table_find_option(v, word + 2, size - 2);
    if (g->id == OPT_NONE)
        return unknown_option(v, word, size, err);
    o = &table_options[g->id];
    if (o->kind == VALUE_NONE) {
        if (word[size] != '\0')
            return cli_error(err, BASIN_MISUSE, "--%s takes no value", o->name);
    } else if (equals != NULL) {
        g->text = equals + 1;
    } else if (!is_long && word[2] != '\0') {
        g->text = word + 2;
    } else {
        TRY(take_value(r, o, &g->text, err));
    }
    if (o->kind == VALUE_TWO)
        TRY(take_value(r, o, &g->second, err));
    TRY(read_number(g, o, err));
    a->given_count++;
out:
    return st;
}

basin_status
args_read(struct args *a, const struct verb *v, int argc, char **argv, basin_error *err)
{
    struct reader r = { .argc = argc, .argv = argv };
    bool only_words = false;
    basin_status st = BASIN_OK;

    *a = (struct args){ 0 };
    a->words = need_memory(((size_t)argc + 1) * sizeof(*a->words));
    a->given = need_memory(((size_t)argc + 1) * sizeof(*a->given));
    while (r.at < argc) {
        const char *word = argv[r.at++];

        if (only_words || word[0] != '-' || word[1] == '\0')
            a->words[a->word_count++] = word;
        else if (strcmp(word, "--") == 0)
            only_words = true;
        else
            TRY(read_option(a, v, &r, err));
    }
out:
    return st;
}

/* The line of usage for the action that was given, or the first. */
static const char *
usage_for(const struct args *a, const struct verb *v)
{
    size_t verb = strlen(v->name) + 1;

    for (size_t i = 0; a->word_count > 0 && i < VERB_USAGE_MAX && v->usage[i] != NULL; i++) {
        size_t action = strlen(a->words[0]);

        if (v->actions != NULL && strncmp(v->usage[i] + verb, a->words[0], action) == 0 &&
            v->usage[i][verb + action] == ' ')
            return v->usage[i];
    }
    return v->usage[0];
}

static basin_status
check_action(const struct args *a, const struct verb *v, basin_error *err)
{
    if (v->actions == NULL || a->word_count == 0 ||
        table_choice_index(v->actions, a->words[0]) >= 0)
        return BASIN_OK;
    cli_error(err, BASIN_MISUSE, "there is no `%s %s`", v->name, a->words[0]);
    cli_hint(err, "it is one of %s", v->actions);
    return BASIN_MISUSE;
}

basin_status
args_check_words(const struct args *a, const struct verb *v, basin_error *err)
{
    basin_status st = check_action(a, v, err);

    if (st != BASIN_OK)
        return st;
    if (a->word_count < v->word_min || a->word_count > v->word_max) {
        cli_error(err, BASIN_MISUSE,
                  a->word_count < v->word_min ? "something is missing"
                                              : "there is a word too many: '%s'",
                  a->word_count > v->word_max ? a->words[v->word_max] : "");
        cli_hint(err, "usage: basin %s", usage_for(a, v));
        return BASIN_MISUSE;
    }
    return BASIN_OK;
}

void
args_free(struct args *a)
{
    free(a->words);
    free(a->given);
    *a = (struct args){ 0 };
}

const struct given *
args_find(const struct args *a, enum option_id id)
{
    for (size_t i = a->given_count; i > 0; i--) {
        if (a->given[i - 1].id == id)
            return &a->given[i - 1];
    }
    return NULL;
}

bool
args_has(const struct args *a, enum option_id id)
{
    return args_find(a, id) != NULL;
}

const char *
args_text(const struct args *a, enum option_id id, const char *otherwise)
{
    const struct given *g = args_find(a, id);

    return g != NULL ? g->text : otherwise;
}

uint64_t
args_number(const struct args *a, enum option_id id, uint64_t otherwise)
{
    const struct given *g = args_find(a, id);

    return g != NULL ? g->number : otherwise;
}

basin_status
args_exclude(const struct args *a, enum option_id one, enum option_id other, basin_error *err)
{
    if (!args_has(a, one) || !args_has(a, other))
        return BASIN_OK;
    return cli_error(err, BASIN_MISUSE, "--%s and --%s exclude each other", table_options[one].name,
                     table_options[other].name);
}
