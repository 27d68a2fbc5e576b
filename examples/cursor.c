// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Cursors: ranges, prefixes, seeks in both directions, and many pairs at a time.
 */
#include "example.h"

enum { YEARS = 50 };

static basin_status
fill(basin_db *db, basin_error *err)
{
    basin_txn *txn = NULL;
    char key[32], value[32];
    basin_status st;

    TRY(basin_begin_mode(db, BASIN_WRITE_LOCKED, &txn, err));
    for (int i = 0; i < YEARS; i++) {
        snprintf(key, sizeof(key), "wine/%d", 1970 + i);
        snprintf(value, sizeof(value), "%d bottles", i * 3);
        TRY(basin_put(txn, BASIN_SPACE_DEFAULT, text(key), text(value), err));
    }
    TRY(basin_put(txn, BASIN_SPACE_DEFAULT, text("beer"), text("6 crates"), err));
    TRY(basin_put(txn, BASIN_SPACE_DEFAULT, text("wood"), text("1 stack"), err));
    st = basin_commit(txn, BASIN_DURABLE, NULL, err);
    txn = NULL;
out:
    basin_abort(txn);
    return st;
}

/* From 1990 on and before 1995, in order. */
static basin_status
show_range(basin_txn *txn, basin_error *err)
{
    basin_range range = BASIN_RANGE_INIT;
    basin_cursor *cursor = NULL;
    basin_bytes value;
    int count = 0;
    basin_status st;

    range.lower_bound = BASIN_INCLUDED;
    range.lower = text("wine/1990");
    range.upper_bound = BASIN_EXCLUDED;
    range.upper = text("wine/1995");
    TRY(basin_cursor_open(txn, BASIN_SPACE_DEFAULT, &range, &cursor, err));
    st = basin_cursor_first(cursor, err);
    while (st == BASIN_OK) {
        basin_bytes key = basin_cursor_key(cursor);

        TRY(basin_cursor_value(cursor, &value, err));
        printf("%.*s: %.*s\n", (int)key.size, (const char *)key.data, (int)value.size,
               (const char *)value.data);
        count++;
        st = basin_cursor_next(cursor, err);
    }
    EXPECT(st == BASIN_END && count == 5);
    st = BASIN_OK;
out:
    basin_cursor_close(cursor);
    return st;
}

/* The last wine before a key that is not there, and its neighbours. */
static basin_status
show_seek(basin_txn *txn, basin_error *err)
{
    basin_cursor *cursor = NULL;
    basin_status st;

    TRY(basin_cursor_open(txn, BASIN_SPACE_DEFAULT, NULL, &cursor, err));
    TRY(basin_cursor_seek(cursor, text("wine/1999x"), BASIN_SEEK_LE, err));
    EXPECT(is_text(basin_cursor_key(cursor), "wine/1999"));
    TRY(basin_cursor_next(cursor, err));
    EXPECT(is_text(basin_cursor_key(cursor), "wine/2000"));
    TRY(basin_cursor_prev(cursor, err));
    EXPECT(is_text(basin_cursor_key(cursor), "wine/1999"));
    TRY(basin_cursor_seek(cursor, text("wine/2"), BASIN_SEEK_GE, err));
    EXPECT(is_text(basin_cursor_key(cursor), "wine/2000"));
    st = basin_cursor_seek(cursor, text("whisky"), BASIN_SEEK_EQ, err);
    EXPECT(st == BASIN_END && !basin_cursor_valid(cursor));
    TRY(basin_cursor_last(cursor, err));
    EXPECT(is_text(basin_cursor_key(cursor), "wood"));
out:
    basin_cursor_close(cursor);
    return st;
}

/* A prefix, sixteen pairs per call. */
static basin_status
show_many(basin_txn *txn, basin_error *err)
{
    basin_range range = BASIN_RANGE_INIT;
    basin_cursor *cursor = NULL;
    basin_pair pairs[16];
    size_t n, count = 0;
    basin_status st;

    range.prefix = text("wine/");
    TRY(basin_cursor_open(txn, BASIN_SPACE_DEFAULT, &range, &cursor, err));
    TRY(basin_cursor_first(cursor, err));
    while ((st = basin_cursor_next_many(cursor, pairs, 16, &n, err)) == BASIN_OK)
        count += n;
    EXPECT(st == BASIN_END && count == YEARS);
    st = BASIN_OK;
out:
    basin_cursor_close(cursor);
    return st;
}

int
main(int argc, char **argv)
{
    basin_error err = { 0 };
    basin_db *db = NULL;
    basin_txn *txn = NULL;
    basin_status st;

    TRY(open_database(argc, argv, "cellar.db", NULL, &db, &err));
    TRY(fill(db, &err));
    TRY(basin_begin_mode(db, BASIN_READ, &txn, &err));
    TRY(show_range(txn, &err));
    TRY(show_seek(txn, &err));
    TRY(show_many(txn, &err));
out:
    basin_abort(txn);
    return finish(db, st, &err);
}
