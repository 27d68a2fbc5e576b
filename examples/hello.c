// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The smallest program: opens a database, stores three pairs in one commit, reads one back and
 * lists all of them in order.
 *
 *     cc hello.c $(pkg-config --cflags --libs basin) && ./a.out FOLDER
 */
#include <stdio.h>
#include <string.h>

#include <basin/basin.h>

static basin_bytes
text(const char *s)
{
    return (basin_bytes){ s, strlen(s) };
}

static basin_status
store(basin_db *db, basin_error *err)
{
    basin_txn *txn;
    basin_status st = basin_begin_mode(db, BASIN_WRITE, &txn, err);

    if (st != BASIN_OK)
        return st;
    st = basin_put(txn, BASIN_SPACE_DEFAULT, text("plum"), text("blue"), err);
    if (st == BASIN_OK)
        st = basin_put(txn, BASIN_SPACE_DEFAULT, text("apple"), text("red"), err);
    if (st == BASIN_OK)
        st = basin_put(txn, BASIN_SPACE_DEFAULT, text("pear"), text("green"), err);
    if (st == BASIN_OK)
        return basin_commit(txn, BASIN_DURABLE, NULL, err);
    basin_abort(txn);
    return st;
}

static basin_status
list(basin_txn *txn, basin_error *err)
{
    basin_cursor *c;
    basin_bytes key, value;
    basin_status st = basin_cursor_open(txn, BASIN_SPACE_DEFAULT, NULL, &c, err);

    if (st != BASIN_OK)
        return st;
    for (st = basin_cursor_first(c, err); st == BASIN_OK; st = basin_cursor_next(c, err)) {
        key = basin_cursor_key(c);
        st = basin_cursor_value(c, &value, err);
        if (st != BASIN_OK)
            break;
        printf("%.*s is %.*s\n", (int)key.size, (const char *)key.data, (int)value.size,
               (const char *)value.data);
    }
    basin_cursor_close(c);
    return st == BASIN_END ? BASIN_OK : st; /* END is how a cursor says that it is done */
}

static basin_status
read_back(basin_db *db, basin_error *err)
{
    basin_txn *txn;
    basin_bytes value;
    basin_status st = basin_begin_mode(db, BASIN_READ, &txn, err);

    if (st != BASIN_OK)
        return st;
    st = basin_get(txn, BASIN_SPACE_DEFAULT, text("apple"), &value, err);
    if (st == BASIN_OK) {
        /* The bytes stay valid until the transaction ends. */
        printf("apple: %.*s\n", (int)value.size, (const char *)value.data);
        st = list(txn, err);
    }
    basin_abort(txn); /* a snapshot has nothing to commit */
    return st;
}

int
main(int argc, char **argv)
{
    basin_options options = BASIN_OPTIONS_INIT;
    basin_error err = { 0 };
    basin_db *db;
    basin_status st, closed;

    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    st = basin_open(argv[1], &options, &db, &err);
    if (st == BASIN_OK)
        st = store(db, &err);
    if (st == BASIN_OK)
        st = read_back(db, &err);
    if (st != BASIN_OK)
        fprintf(stderr, "%s: %s\n", basin_status_name(st), err.what);
    closed = basin_close(db, &err); /* takes NULL */
    if (closed != BASIN_OK)
        fprintf(stderr, "%s: %s\n", basin_status_name(closed), err.what);
    return st != BASIN_OK || closed != BASIN_OK;
}
