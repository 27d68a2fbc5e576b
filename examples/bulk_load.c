// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Bulk load: many pairs go straight into strata and become visible at once, with progress told on
 * the way. Pairs that come in any order are sorted outside memory.
 */
#include "example.h"

enum { PAIRS = 50000 };

static int
show_progress(void *ctx, const basin_progress *p)
{
    int *calls = ctx;

    (*calls)++;
    printf("%s: %" PRIu64 " %s\n", p->stage, p->done, p->unit);
    return 0; /* anything else cancels */
}

static basin_status
load(basin_db *db, int *calls, basin_error *err)
{
    basin_load_options options = BASIN_LOAD_INIT;
    basin_load *l = NULL;
    char key[32], value[64];
    basin_status st;

    options.unsorted = true;
    options.watch.progress = show_progress;
    options.watch.ctx = calls;
    TRY(basin_load_open(db, BASIN_SPACE_DEFAULT, &options, &l, err));
    for (unsigned i = 0; i < PAIRS; i++) {
        snprintf(key, sizeof(key), "%08x", i * 2654435761u); /* in no order */
        snprintf(value, sizeof(value), "pair number %u", i);
        TRY(basin_load_add(l, text(key), text(value), err));
    }
    st = basin_load_commit(l, NULL, err);
    l = NULL;
out:
    basin_load_abort(l); /* takes NULL; nothing is left behind */
    return st;
}

int
main(int argc, char **argv)
{
    basin_error err = { 0 };
    basin_db *db = NULL;
    basin_txn *txn = NULL;
    basin_cursor *cursor = NULL;
    int calls = 0;
    size_t count = 0;
    basin_status st;

    TRY(open_database(argc, argv, "big.db", NULL, &db, &err));
    TRY(load(db, &calls, &err));
    TRY(basin_begin_mode(db, BASIN_READ, &txn, &err));
    TRY(basin_cursor_open(txn, BASIN_SPACE_DEFAULT, NULL, &cursor, &err));
    for (st = basin_cursor_first(cursor, &err); st == BASIN_OK;
         st = basin_cursor_next(cursor, &err))
        count++;
    EXPECT(st == BASIN_END && count == PAIRS);
    st = BASIN_OK;
    printf("%zu pairs\n", count);
out:
    basin_cursor_close(cursor);
    basin_abort(txn);
    return finish(db, st, &err);
}
