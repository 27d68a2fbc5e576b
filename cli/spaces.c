// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Lists of keyspaces; the verb `space`; the file of --output.
 */
#include "spaces.h"

#include <stdlib.h>
#include <string.h>

#include "session.h"
#include "value.h"
#include "verbs.h"

static int
take_space(void *ctx, const char *name, basin_space space)
{
    struct space_list *list = ctx;
    size_t size = name != NULL ? strlen(name) : 0;
    char *copy;

    if (space == BASIN_SPACE_DEFAULT || size == 0)
        return 0;
    if (list->count == list->max) {
        list->max = list->max > 0 ? list->max * 2 : 16;
        list->items = need_more(list->items, list->max * sizeof(*list->items));
    }
    copy = need_memory(size + 1);
    memcpy(copy, name, size);
    list->items[list->count++] = (struct space_item){ copy, space };
    return 0;
}

static int
compare_spaces(const void *a, const void *b)
{
    const struct space_item *one = a, *other = b;

    return strcmp(one->name, other->name);
}

basin_status
space_list_read(struct space_list *list, basin_txn *txn, basin_error *err)
{
    basin_status st;

    space_list_free(list);
    st = basin_space_list(txn, take_space, list, err);
    if (list->count > 1)
        qsort(list->items, list->count, sizeof(*list->items), compare_spaces);
    return st;
}

void
space_list_free(struct space_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i].name);
    free(list->items);
    *list = (struct space_list){ 0 };
}

const char *
space_list_name(const struct space_list *list, basin_space space)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].space == space)
            return list->items[i].name;
    }
    return NULL;
}

basin_status
space_list_is_empty(basin_db *db, bool *empty, basin_error *err)
{
    struct space_list list = { 0 };
    basin_cursor *cursor = NULL;
    basin_txn *txn = NULL;
    basin_status st;

    *empty = false;
    TRY(basin_begin_mode(db, BASIN_READ, &txn, err));
    TRY(space_list_read(&list, txn, err));
    if (list.count > 0)
        goto out;
    TRY(basin_cursor_open(txn, BASIN_SPACE_DEFAULT, NULL, &cursor, err));
    st = basin_cursor_first(cursor, err);
    *empty = st == BASIN_END;
    st = st == BASIN_END ? BASIN_OK : st;
out:
    basin_cursor_close(cursor);
    basin_abort(txn);
    space_list_free(&list);
    return st;
}

/* ------------------------------------------------------------------ --output */

basin_status
output_open(struct cli *c, struct output *o)
{
    const char *path = args_text(&c->args, OPT_OUTPUT, "-");
    bool to_stdout = strcmp(path, "-") == 0;

    *o = (struct output){ .opened = !to_stdout, .to = to_stdout ? &c->out : &o->file };
    return to_stdout ? BASIN_OK : out_open_file(&o->file, path, &c->err);
}

basin_status
output_finish(struct cli *c, struct output *o)
{
    return o->opened ? out_finish(&o->file, &c->err) : BASIN_OK;
}

void
output_close(struct output *o)
{
    if (o->opened)
        out_close(&o->file);
    *o = (struct output){ 0 };
}

/* ------------------------------------------------------------------ the verb */

static void
write_space(struct cli *c, const char *name, basin_space space)
{
    struct jout j;

    if (!c->json) {
        form_write(&c->out, FORM_ESCAPED, bytes_from(name, strlen(name)));
        out_text(&c->out, "\n");
        return;
    }
    jout_start(&j, &c->out);
    jout_open(&j, NULL, '{');
    jout_text(&j, "name", name);
    jout_number(&j, "number", space);
    jout_close(&j, '{');
    jout_line(&j);
}

static basin_status
list_spaces(struct cli *c, struct session *s)
{
    struct space_list list = { 0 };
    basin_status st;

    TRY(session_read(s));
    TRY(space_list_read(&list, s->txn, &c->err));
    for (size_t i = 0; i < list.count; i++)
        write_space(c, list.items[i].name, list.items[i].space);
out:
    space_list_free(&list);
    return st;
}

static basin_status
add_space(struct cli *c, struct session *s, const char *name)
{
    basin_space space;
    basin_status st;

    TRY(session_write(s));
    st = basin_space_open(s->txn, name, false, &space, &c->err);
    if (st == BASIN_OK)
        FAIL(&c->err, BASIN_EXISTS, "there is a keyspace '%s' already", name);
    if (st == BASIN_NOT_FOUND)
        st = basin_space_open(s->txn, name, true, &space, &c->err);
    TRY(st);
    st = session_commit(s, BASIN_DURABLE);
out:
    return st;
}

static basin_status
drop_space(struct cli *c, struct session *s, const char *name)
{
    bool sure = args_has(&c->args, OPT_YES);
    basin_space space;
    basin_status st;

    TRY(sure ? session_write(s) : session_read(s));
    st = basin_space_open(s->txn, name, false, &space, &c->err);
    if (st == BASIN_NOT_FOUND)
        FAIL(&c->err, BASIN_NOT_FOUND, "there is no keyspace '%s'", name);
    TRY(st);
    if (!sure) {
        cli_say(c, "would drop the keyspace '%s' with all its keys; nothing is done without --yes",
                name);
        c->exit_code = EXIT_NO;
        goto out;
    }
    TRY(basin_space_drop(s->txn, name, &c->err));
    st = session_commit(s, BASIN_DURABLE);
out:
    return st;
}

basin_status
verb_space(struct cli *c)
{
    const char *action = c->args.words[0];
    const char *name = c->args.word_count > 2 ? c->args.words[2] : NULL;
    bool list = strcmp(action, "ls") == 0, add = strcmp(action, "add") == 0;
    enum session_mode mode = add ? SESSION_CREATE : SESSION_WRITE;
    struct session s = { 0 };
    basin_status st;

    TRY(cli_check_action(c, list ? 2 : 3));
    if (list || (!add && !args_has(&c->args, OPT_YES)))
        mode = SESSION_READ;
    TRY(session_open(c, c->args.words[1], mode, &s));
    if (list)
        st = list_spaces(c, &s);
    else
        st = add ? add_space(c, &s, name) : drop_space(c, &s, name);
out:
    return session_close(&s, st);
}
