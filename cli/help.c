// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Help as text: 80 columns at most, whatever the terminal, so that it reads the same everywhere.
 */
#include "help.h"

#include <string.h>

#include "cli.h"
#include "verbs.h"

enum { HELP_COLUMNS = 80, OPTION_COLUMN = 28, VERB_COLUMN = 14 };

/* Wraps text; the first line starts at column `at`, the next ones are indented. */
static void
add_wrapped(struct grow *to, const char *text, size_t size, size_t at, size_t indent)
{
    size_t column = at;
    bool first = true;

    while (size > 0) {
        const char *space = memchr(text, ' ', size);
        size_t word = space != NULL ? (size_t)(space - text) : size;

        if (!first && column + 1 + word > HELP_COLUMNS) {
            grow_format(to, "\n%*s", (int)indent, "");
            column = indent;
        } else if (!first) {
            grow_byte(to, ' ');
            column++;
        }
        grow_add(to, text, word);
        column += word;
        first = false;
        word += word < size;
        text += word;
        size -= word;
    }
    grow_byte(to, '\n');
}

/* Paragraphs; those that start with a space, and the ones that follow them, are kept as lines. */
static void
add_paragraphs(struct grow *to, const char *text)
{
    bool kept_before = true;

    while (*text != '\0') {
        size_t size = strcspn(text, "\n");
        bool kept = text[0] == ' ';

        if (!kept || !kept_before)
            grow_byte(to, '\n');
        if (kept) {
            grow_add(to, text, size);
            grow_byte(to, '\n');
        } else {
            add_wrapped(to, text, size, 0, 0);
        }
        kept_before = kept;
        text += size + (text[size] == '\n');
    }
}

void
help_option_name(struct grow *to, const struct option *o)
{
    if (o->letter != 0)
        grow_format(to, "-%c, ", o->letter);
    grow_format(to, "--%s", o->name);
    if (o->kind != VALUE_NONE)
        grow_format(to, " %s", o->value);
}

static void
add_option(struct grow *to, enum option_id id)
{
    const struct option *o = &table_options[id];
    size_t start = to->size, width;

    grow_text(to, o->letter != 0 ? "  " : "      ");
    help_option_name(to, o);
    width = to->size - start;
    if (width + 2 > OPTION_COLUMN) {
        grow_byte(to, '\n');
        width = 0;
    }
    grow_format(to, "%*s", (int)(OPTION_COLUMN - width), "");
    add_wrapped(to, o->help, strlen(o->help), OPTION_COLUMN, OPTION_COLUMN);
}

static void
flush_grow(struct out *o, struct grow *g)
{
    out_bytes(o, g->data, g->size);
    grow_free(g);
}

void
help_verb(struct out *o, const struct verb *v)
{
    struct grow g = { 0 };

    grow_format(&g, "basin %s - %s\n\n", v->name, v->summary);
    for (size_t i = 0; i < VERB_USAGE_MAX && v->usage[i] != NULL; i++)
        grow_format(&g, "%s basin %s [options]\n", i == 0 ? "usage:" : "      ", v->usage[i]);
    add_paragraphs(&g, v->about);
    grow_text(&g, "\nOptions:\n");
    for (const uint8_t *at = v->options; *at != OPT_NONE; at++)
        add_option(&g, (enum option_id) * at);
    for (const uint8_t *at = table_common; *at != OPT_NONE; at++)
        add_option(&g, (enum option_id) * at);
    grow_text(&g, "\nExamples:\n");
    for (size_t i = 0; i < VERB_EXAMPLE_COUNT; i++)
        grow_format(&g, "  %s\n", v->example[i]);
    flush_grow(o, &g);
}

void
help_topic(struct out *o, const struct topic *t)
{
    struct grow g = { 0 };

    grow_format(&g, "basin: %s - %s\n", t->name, t->summary);
    add_paragraphs(&g, t->about);
    flush_grow(o, &g);
}

void
help_overview(struct out *o)
{
    const char *group = "";
    struct grow g = { 0 };

    grow_text(&g, "basin - an embedded database: ordered, transactional, in one folder\n\n"
                  "usage: basin VERB DB [words] [options]\n");
    for (const struct verb *v = table_verbs; v->name != NULL; v++) {
        if (strcmp(group, v->group) != 0)
            grow_format(&g, "\n%s:\n", v->group);
        group = v->group;
        grow_format(&g, "  %-*s%s\n", VERB_COLUMN - 2, v->name, v->summary);
    }
    grow_text(&g, "\nTopics (basin help TOPIC):\n");
    for (const struct topic *t = table_topics; t->name != NULL; t++)
        grow_format(&g, "  %-*s%s\n", VERB_COLUMN - 2, t->name, t->summary);
    grow_text(&g, "\n`basin help VERB` has the options and two examples of a verb. Data goes to\n"
                  "standard output, talk to standard error; - is standard input or output.\n"
                  "SIZE is a number of bytes or 64K, 64M, 2G; TIME is 500ms, 5s or 2m, and a\n"
                  "number alone is seconds.\n\n"
                  "Examples:\n");
    grow_format(&g, "  %s\n  %s\n", table_verbs[0].example[0], table_verbs[1].example[0]);
    flush_grow(o, &g);
}

void
help_examples(struct out *o)
{
    for (const struct verb *v = table_verbs; v->name != NULL; v++) {
        for (size_t i = 0; i < VERB_EXAMPLE_COUNT; i++)
            out_format(o, "%s\t%s\n", v->name, v->example[i]);
    }
}

static basin_status
unknown_subject(struct cli *c, const char *name)
{
    const char *near = table_near_verb(name);

    for (const struct topic *t = table_topics; near == NULL && t->name != NULL; t++) {
        if (text_distance(name, t->name) <= 2)
            near = t->name;
    }
    cli_error(&c->err, BASIN_MISUSE, "there is no verb or topic '%s'", name);
    if (near != NULL)
        cli_hint(&c->err, "did you mean `basin help %s`?", near);
    else
        cli_hint(&c->err, "`basin help` lists the verbs and topics");
    return BASIN_MISUSE;
}

static void
list_as_json(struct cli *c)
{
    struct jout j;

    jout_start(&j, &c->out);
    for (const struct verb *v = table_verbs; v->name != NULL; v++) {
        jout_open(&j, NULL, '{');
        jout_text(&j, "verb", v->name);
        jout_text(&j, "group", v->group);
        jout_text(&j, "summary", v->summary);
        jout_open(&j, "usage", '[');
        for (size_t i = 0; i < VERB_USAGE_MAX && v->usage[i] != NULL; i++)
            jout_text(&j, NULL, v->usage[i]);
        jout_close(&j, '[');
        jout_open(&j, "examples", '[');
        for (size_t i = 0; i < VERB_EXAMPLE_COUNT; i++)
            jout_text(&j, NULL, v->example[i]);
        jout_close(&j, '[');
        jout_close(&j, '{');
        jout_line(&j);
    }
}

basin_status
verb_help(struct cli *c)
{
    const char *name = c->args.word_count > 0 ? c->args.words[0] : NULL;
    const struct verb *v = name != NULL ? table_find_verb(name) : NULL;
    const struct topic *t = name != NULL ? table_find_topic(name) : NULL;

    if (args_has(&c->args, OPT_MAN))
        help_man(&c->out);
    else if (args_has(&c->args, OPT_EXAMPLES))
        help_examples(&c->out);
    else if (v != NULL)
        help_verb(&c->out, v);
    else if (t != NULL)
        help_topic(&c->out, t);
    else if (name != NULL)
        return unknown_subject(c, name);
    else if (c->json)
        list_as_json(c);
    else
        help_overview(&c->out);
    return BASIN_OK;
}
