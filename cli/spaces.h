// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The keyspaces of a database, and the file that -o names.
 */
#ifndef CLI_SPACES_H
#define CLI_SPACES_H

#include "cli.h"

struct space_item {
    char *name;
    basin_space space;
};

/* The named keyspaces, in the order of their names. */
struct space_list {
    struct space_item *items;
    size_t count;
    size_t max;
};

basin_status space_list_read(struct space_list *list, basin_txn *txn, basin_error *err);
void space_list_free(struct space_list *list);
/* NULL when there is none of that number. */
const char *space_list_name(const struct space_list *list, basin_space space);
/* Whether there is no named keyspace and no pair in the default one. */
basin_status space_list_is_empty(basin_db *db, bool *empty, basin_error *err);

/* Standard output, or the file of --output. */
struct output {
    struct out file;
    struct out *to;
    bool opened;
};

basin_status output_open(struct cli *c, struct output *o);
basin_status output_finish(struct cli *c, struct output *o);
void output_close(struct output *o);

#endif
