// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Completion code for bash, zsh and fish, written from the table: verbs, their options, choices
 * and actions; files everywhere else.
 */
#include <string.h>

#include "cli.h"
#include "verbs.h"

static void
add_choices(struct grow *to, const char *choices)
{
    const char *text;
    size_t size;

    for (size_t i = 0; table_choice(choices, i, &text, &size); i++) {
        if (i > 0)
            grow_byte(to, ' ');
        grow_add(to, text, size);
    }
}

/* Calls fn for every option of the verb, its own and the common ones. */
static void
each_option(struct grow *to, const struct verb *v,
            void (*fn)(struct grow *to, const struct verb *v, const struct option *o))
{
    for (const uint8_t *at = v->options; *at != OPT_NONE; at++)
        fn(to, v, &table_options[*at]);
    for (const uint8_t *at = table_common; *at != OPT_NONE; at++)
        fn(to, v, &table_options[*at]);
}

static void
add_verb_names(struct grow *to)
{
    for (const struct verb *v = table_verbs; v->name != NULL; v++)
        grow_format(to, v == table_verbs ? "%s" : " %s", v->name);
}

/* ------------------------------------------------------------------ bash */

static void
bash_option(struct grow *to, const struct verb *v, const struct option *o)
{
    (void)v;
    grow_format(to, " --%s", o->name);
}

static void
bash_verb(struct grow *to, const struct verb *v)
{
    grow_format(to, "    %s)\n        options='", v->name);
    each_option(to, v, bash_option);
    grow_text(to, "'\n");
    if (v->actions != NULL) {
        grow_text(to, "        words='");
        add_choices(to, v->actions);
        grow_text(to, "'\n");
    }
    grow_text(to, "        ;;\n");
}

static void
bash_choices(struct grow *to)
{
    for (int id = OPT_NONE + 1; id < OPTION_COUNT; id++) {
        const struct option *o = &table_options[id];

        if (o->kind != VALUE_CHOICE)
            continue;
        grow_format(to, "    --%s)\n        COMPREPLY=($(compgen -W '", o->name);
        add_choices(to, o->value);
        grow_text(to, "' -- \"$word\"))\n        return\n        ;;\n");
    }
}

static void
add_bash(struct grow *to)
{
    grow_text(to, "# bash completion of basin; written by: basin completion bash\n"
                  "_basin()\n{\n"
                  "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
                  "    local verb=${COMP_WORDS[1]} options='' words=''\n"
                  "    COMPREPLY=()\n"
                  "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
                  "        COMPREPLY=($(compgen -W '");
    add_verb_names(to);
    grow_text(to, "' -- \"$word\"))\n        return\n    fi\n    case $before in\n");
    bash_choices(to);
    grow_text(to, "    esac\n    case $verb in\n");
    for (const struct verb *v = table_verbs; v->name != NULL; v++)
        bash_verb(to, v);
    grow_text(to, "    esac\n    if [ \"$verb\" = help ]; then\n        words='");
    add_verb_names(to);
    for (const struct topic *t = table_topics; t->name != NULL; t++)
        grow_format(to, " %s", t->name);
    grow_text(to, "'\n    fi\n"
                  "    case $word in\n"
                  "    -*)\n        COMPREPLY=($(compgen -W \"$options\" -- \"$word\"))\n"
                  "        return\n        ;;\n"
                  "    esac\n"
                  "    if [ -n \"$words\" ] && [ \"$COMP_CWORD\" -eq 2 ]; then\n"
                  "        COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n        return\n"
                  "    fi\n"
                  "    COMPREPLY=($(compgen -f -- \"$word\"))\n"
                  "}\n"
                  "complete -o filenames -F _basin basin\n");
}

/* ------------------------------------------------------------------ zsh */

/* Inside single quotes, for _arguments and _describe: quotes, colons and brackets. */
static void
zsh_text(struct grow *to, const char *s)
{
    for (; *s != '\0'; s++) {
        if (*s == '\'')
            grow_text(to, "'\\''");
        else if (strchr(":[]\\", *s) != NULL)
            grow_format(to, "\\%c", *s);
        else
            grow_byte(to, (uint8_t)*s);
    }
}

static void
zsh_value(struct grow *to, const struct option *o)
{
    if (o->kind == VALUE_NONE)
        return;
    grow_text(to, ":");
    zsh_text(to, o->kind == VALUE_CHOICE ? o->name : o->value);
    grow_text(to, ":");
    if (o->kind == VALUE_CHOICE) {
        grow_text(to, "(");
        add_choices(to, o->value);
        grow_text(to, ")");
    } else if (o->kind == VALUE_FILE) {
        grow_text(to, "_files");
    }
    if (o->kind == VALUE_TWO)
        grow_text(to, ":end:");
}

static void
zsh_option(struct grow *to, const struct verb *v, const struct option *o)
{
    (void)v;
    grow_format(to, " \\\n            '--%s[", o->name);
    zsh_text(to, o->help);
    grow_text(to, "]");
    zsh_value(to, o);
    grow_text(to, "'");
}

static void
add_zsh(struct grow *to)
{
    grow_text(to, "#compdef basin\n# zsh completion of basin; written by: basin completion zsh\n"
                  "_basin()\n{\n    local -a verbs topics\n    verbs=(\n");
    for (const struct verb *v = table_verbs; v->name != NULL; v++) {
        grow_format(to, "        '%s:", v->name);
        zsh_text(to, v->summary);
        grow_text(to, "'\n");
    }
    grow_text(to, "    )\n    topics=(\n");
    for (const struct topic *t = table_topics; t->name != NULL; t++) {
        grow_format(to, "        '%s:", t->name);
        zsh_text(to, t->summary);
        grow_text(to, "'\n");
    }
    grow_text(to, "    )\n    if (( CURRENT == 2 )); then\n        _describe verb verbs\n"
                  "        return\n    fi\n    local verb=$words[2]\n    shift words\n"
                  "    (( CURRENT-- ))\n    case $verb in\n");
    for (const struct verb *v = table_verbs; v->name != NULL; v++) {
        grow_format(to, "    %s)\n        _arguments", v->name);
        each_option(to, v, zsh_option);
        if (v->actions != NULL) {
            grow_text(to, " \\\n            '1:action:(");
            add_choices(to, v->actions);
            grow_text(to, ")'");
        } else if (strcmp(v->name, "help") == 0) {
            grow_text(to, " \\\n            '1:subject:{_describe verb verbs; _describe topic "
                          "topics}'");
        }
        grow_text(to, " \\\n            '*:file:_files'\n        ;;\n");
    }
    grow_text(to, "    esac\n}\n_basin \"$@\"\n");
}

/* ------------------------------------------------------------------ fish */

static void
fish_text(struct grow *to, const char *s)
{
    grow_byte(to, '\'');
    for (; *s != '\0'; s++) {
        if (*s == '\'' || *s == '\\')
            grow_byte(to, '\\');
        grow_byte(to, (uint8_t)*s);
    }
    grow_byte(to, '\'');
}

static void
fish_option(struct grow *to, const struct verb *v, const struct option *o)
{
    grow_format(to, "complete -c basin -n '__fish_seen_subcommand_from %s' -l %s", v->name,
                o->name);
    if (o->letter != 0)
        grow_format(to, " -s %c", o->letter);
    if (o->kind == VALUE_CHOICE) {
        grow_text(to, " -x -a '");
        add_choices(to, o->value);
        grow_text(to, "'");
    } else if (o->kind != VALUE_NONE) {
        grow_text(to, o->kind == VALUE_FILE ? " -r" : " -x");
    }
    grow_text(to, " -d ");
    fish_text(to, o->help);
    grow_byte(to, '\n');
}

static void
add_fish(struct grow *to)
{
    grow_text(to, "# fish completion of basin; written by: basin completion fish\n");
    for (const struct verb *v = table_verbs; v->name != NULL; v++) {
        grow_format(to, "complete -c basin -f -n __fish_use_subcommand -a %s -d ", v->name);
        fish_text(to, v->summary);
        grow_byte(to, '\n');
        each_option(to, v, fish_option);
        if (v->actions == NULL)
            continue;
        grow_format(to, "complete -c basin -n '__fish_seen_subcommand_from %s' -a '", v->name);
        add_choices(to, v->actions);
        grow_text(to, "'\n");
    }
    for (const struct topic *t = table_topics; t->name != NULL; t++) {
        grow_format(to, "complete -c basin -f -n '__fish_seen_subcommand_from help' -a %s -d ",
                    t->name);
        fish_text(to, t->summary);
        grow_byte(to, '\n');
    }
}

basin_status
verb_completion(struct cli *c)
{
    const char *shell = c->args.words[0];
    struct grow g = { 0 };

    if (strcmp(shell, "bash") == 0)
        add_bash(&g);
    else if (strcmp(shell, "zsh") == 0)
        add_zsh(&g);
    else
        add_fish(&g);
    out_bytes(&c->out, g.data, g.size);
    grow_free(&g);
    return BASIN_OK;
}

basin_status
verb_version(struct cli *c)
{
    uint32_t oldest = 0, newest = basin_format_version(&oldest);
    struct jout j;

    if (!c->json) {
        out_format(&c->out, "basin %s\nformat %u, reads %u to %u\n", basin_version(),
                   (unsigned)newest, (unsigned)oldest, (unsigned)newest);
        return BASIN_OK;
    }
    jout_start(&j, &c->out);
    jout_open(&j, NULL, '{');
    jout_text(&j, "version", basin_version());
    jout_number(&j, "format", newest);
    jout_number(&j, "format_oldest", oldest);
    jout_close(&j, '{');
    jout_line(&j);
    return BASIN_OK;
}
