// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The manual page basin(1), in the man macros of roff (man(7)).
 */
#include <string.h>

#include "cli.h"
#include "help.h"

/* Text of a line: backslashes, hyphens and a dot or quote at the start mean something to roff. */
static void
add_roff(struct grow *to, const char *text, size_t size)
{
    if (size > 0 && (text[0] == '.' || text[0] == '\''))
        grow_text(to, "\\&");
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '\\')
            grow_text(to, "\\e");
        else if (text[i] == '-')
            grow_text(to, "\\-");
        else if (text[i] == '\'')
            grow_text(to, "\\(aq");
        else if (text[i] == '`')
            grow_text(to, "\\(ga");
        else if (text[i] == '~')
            grow_text(to, "\\(ti");
        else if (text[i] == '^')
            grow_text(to, "\\(ha");
        else
            grow_byte(to, (uint8_t)text[i]);
    }
    grow_byte(to, '\n');
}

static void
add_roff_text(struct grow *to, const char *text)
{
    add_roff(to, text, strlen(text));
}

static void
add_roff_paragraphs(struct grow *to, const char *text)
{
    bool kept_before = false;

    while (*text != '\0') {
        size_t size = strcspn(text, "\n");
        bool kept = text[0] == ' ';

        if (kept && !kept_before)
            grow_text(to, ".PP\n.nf\n");
        if (!kept && kept_before)
            grow_text(to, ".fi\n");
        if (!kept)
            grow_text(to, ".PP\n");
        add_roff(to, text, size);
        kept_before = kept;
        text += size + (text[size] == '\n');
    }
    if (kept_before)
        grow_text(to, ".fi\n");
}

static void
add_roff_option(struct grow *to, enum option_id id)
{
    struct grow name = { 0 };

    help_option_name(&name, &table_options[id]);
    grow_text(to, ".TP\n.B ");
    add_roff(to, (const char *)name.data, name.size);
    add_roff_text(to, table_options[id].help);
    grow_free(&name);
}

static void
add_roff_verb(struct grow *to, const struct verb *v)
{
    struct grow line = { 0 };

    grow_format(&line, "basin %s: %s", v->name, v->summary);
    grow_text(to, ".SS ");
    add_roff_text(to, grow_string(&line));
    for (size_t i = 0; i < VERB_USAGE_MAX && v->usage[i] != NULL; i++) {
        grow_clear(&line);
        grow_format(&line, "basin %s", v->usage[i]);
        grow_text(to, i == 0 ? ".PP\n.B " : ".br\n.B ");
        add_roff_text(to, grow_string(&line));
    }
    add_roff_paragraphs(to, v->about);
    for (const uint8_t *at = v->options; *at != OPT_NONE; at++)
        add_roff_option(to, (enum option_id) * at);
    grow_text(to, ".PP\nExamples:\n.PP\n.nf\n");
    for (size_t i = 0; i < VERB_EXAMPLE_COUNT; i++) {
        grow_text(to, "    ");
        add_roff_text(to, v->example[i]);
    }
    grow_text(to, ".fi\n");
    grow_free(&line);
}

void
help_man(struct out *o)
{
    struct grow g = { 0 };

    grow_format(&g, ".TH BASIN 1 \"\" \"basin %s\" \"User Commands\"\n", basin_version());
    grow_text(&g, ".SH NAME\nbasin \\- an embedded database: ordered, transactional, in one "
                  "folder\n.SH SYNOPSIS\n.B basin\n.I VERB DB\n[words] [options]\n"
                  ".SH DESCRIPTION\n");
    grow_text(&g, "Data goes to standard output, talk to standard error; \\- is standard input "
                  "or output.\nA word that starts with \\- stands behind \\-\\-.\n"
                  ".SH VERBS\n");
    for (const struct verb *v = table_verbs; v->name != NULL; v++)
        add_roff_verb(&g, v);
    grow_text(&g, ".SH OPTIONS OF EVERY VERB\n");
    for (const uint8_t *at = table_common; *at != OPT_NONE; at++)
        add_roff_option(&g, (enum option_id) * at);
    for (const struct topic *t = table_topics; t->name != NULL; t++) {
        grow_text(&g, ".SH ");
        for (const char *at = t->name; *at != '\0'; at++)
            grow_byte(&g, *at == '-' ? ' ' : (uint8_t)(*at - ('a' <= *at && *at <= 'z' ? 32 : 0)));
        grow_byte(&g, '\n');
        add_roff_paragraphs(&g, t->about);
    }
    grow_text(&g, ".SH ENVIRONMENT\n.TP\n.B BASIN_PASSPHRASE\nthe passphrase, when "
                  "\\-\\-passphrase\\-file and \\-\\-key\\-file are not given\n"
                  ".TP\n.B NO_COLOR\nno colour in messages\n");
    out_bytes(o, g.data, g.size);
    grow_free(&g);
}
