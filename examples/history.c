// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Looks at the past in two ways: a pin keeps the database readable as it was, and the change feed
 * tells every change since a commit.
 *
 *     cc history.c $(pkg-config --cflags --libs basin) && ./a.out FOLDER
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <basin/basin.h>

static basin_bytes
text(const char *s)
{
    return (basin_bytes){ s, strlen(s) };
}

static basin_status
put(basin_db *db, const char *key, const char *value, basin_error *err)
{
    return basin_db_put(db, BASIN_SPACE_DEFAULT, text(key), text(value), BASIN_BUFFERED, err);
}

/* Prints the value of a key at a pin; NULL = now. */
static basin_status
show(basin_db *db, const char *pin, const char *key, basin_error *err)
{
    basin_begin_options how = BASIN_BEGIN_INIT;
    basin_bytes value;
    basin_txn *txn;
    basin_status st;

    how.at_pin = pin;
    st = basin_begin(db, &how, &txn, err);
    if (st != BASIN_OK)
        return st;
    st = basin_get(txn, BASIN_SPACE_DEFAULT, text(key), &value, err);
    if (st == BASIN_OK)
        printf("%s: %s is %.*s\n", pin ? pin : "now", key, (int)value.size,
               (const char *)value.data);
    else if (st == BASIN_NOT_FOUND)
        printf("%s: there is no %s\n", pin ? pin : "now", key);
    basin_abort(txn);
    return st == BASIN_NOT_FOUND ? BASIN_OK : st;
}

static basin_status
follow(basin_db *db, uint64_t since, basin_error *err)
{
    static const char *const kinds[] = { "put", "delete", "delete range", "merge", "load" };
    basin_change change;
    basin_feed *feed;
    basin_status st = basin_feed_open(db, since, &feed, err);

    if (st != BASIN_OK)
        return st;
    while ((st = basin_feed_next(feed, &change, err)) == BASIN_OK)
        printf("commit %" PRIu64 ": %s %.*s\n", change.commit_seqno, kinds[change.kind],
               (int)change.key.size, (const char *)change.key.data);
    basin_feed_close(feed);
    return st == BASIN_END ? BASIN_OK : st; /* END: nothing newer yet */
}

static basin_status
run(basin_db *db, basin_error *err)
{
    uint64_t pinned;
    basin_status st = put(db, "apple", "red", err);

    if (st == BASIN_OK)
        st = basin_pin(db, "monday", "the example", &pinned, err);
    if (st == BASIN_OK)
        st = put(db, "apple", "golden", err);
    if (st == BASIN_OK)
        st = put(db, "plum", "blue", err);
    if (st == BASIN_OK)
        st = basin_compact(db, NULL, err); /* the pin holds what it needs */
    for (int i = 0; i < 4 && st == BASIN_OK; i++)
        st = show(db, i % 2 ? NULL : "monday", i < 2 ? "apple" : "plum", err);
    if (st == BASIN_OK)
        st = follow(db, pinned, err);
    if (st == BASIN_OK)
        st = basin_unpin(db, "monday", err);
    return st;
}

int
main(int argc, char **argv)
{
    basin_options options = BASIN_OPTIONS_INIT;
    basin_error err = { 0 };
    basin_db *db;
    basin_status st;

    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    st = basin_open(argv[1], &options, &db, &err);
    if (st == BASIN_OK)
        st = run(db, &err);
    if (st != BASIN_OK)
        fprintf(stderr, "%s: %s\n", basin_status_name(st), err.what);
    if (basin_close(db, &err) != BASIN_OK) {
        fprintf(stderr, "close: %s\n", err.what);
        return 1;
    }
    return st != BASIN_OK;
}
