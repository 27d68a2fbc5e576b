// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The change feed: every change since a commit, in order; resumed by the number of the last commit
 * that was seen completely. Here it keeps a copy of a database up to date.
 */
#include "example.h"

static basin_status
apply(basin_txn *to, const basin_change *change, basin_error *err)
{
    switch (change->kind) {
    case BASIN_CHANGE_PUT:
        return basin_put(to, BASIN_SPACE_DEFAULT, change->key, change->value, err);
    case BASIN_CHANGE_DELETE:
        return basin_delete(to, BASIN_SPACE_DEFAULT, change->key, err);
    case BASIN_CHANGE_DELETE_RANGE:
        return basin_delete_range(to, BASIN_SPACE_DEFAULT, change->key,
                                  change->value.data != NULL ? &change->value : NULL, err);
    case BASIN_CHANGE_MERGE:
    case BASIN_CHANGE_LOAD:
    case BASIN_CHANGE_SPILL:
        break;
    }
    return BASIN_OK; /* this example writes none of them */
}

/* Brings the copy up to date; *since is where to go on the next time. */
static basin_status
follow(basin_db *from, basin_db *to, uint64_t *since, basin_error *err)
{
    basin_feed *feed = NULL;
    basin_txn *txn = NULL;
    basin_change change;
    basin_status st;

    TRY(basin_feed_open(from, *since, &feed, err));
    while ((st = basin_feed_next(feed, &change, err)) == BASIN_OK) {
        if (txn == NULL)
            TRY(basin_begin_mode(to, BASIN_WRITE_LOCKED, &txn, err));
        TRY(apply(txn, &change, err));
        if (!change.last_in_commit)
            continue;
        *since = change.commit_seqno;
        st = basin_commit(txn, BASIN_BUFFERED, NULL, err);
        txn = NULL;
        TRY(st);
    }
    if (st == BASIN_END)
        st = BASIN_OK; /* nothing newer yet */
out:
    basin_abort(txn);
    basin_feed_close(feed);
    return st;
}

static basin_status
expect(basin_db *db, const char *key, const char *expected, basin_error *err)
{
    char value[64];
    uint64_t size = 0;
    basin_status st =
        basin_db_get(db, BASIN_SPACE_DEFAULT, text(key), value, sizeof(value), &size, err);

    if (expected == NULL) {
        EXPECT(st == BASIN_NOT_FOUND);
        return BASIN_OK;
    }
    EXPECT(st == BASIN_OK && is_text((basin_bytes){ value, (size_t)size }, expected));
    return st;
}

int
main(int argc, char **argv)
{
    basin_error err = { 0 };
    basin_db *db = NULL, *copy = NULL;
    uint64_t since = 0;
    basin_status st;

    TRY(open_database(argc, argv, "original.db", NULL, &db, &err));
    TRY(open_database(argc, argv, "copy.db", NULL, &copy, &err));
    TRY(basin_db_put(db, BASIN_SPACE_DEFAULT, text("a"), text("1"), BASIN_DURABLE, &err));
    TRY(basin_db_put(db, BASIN_SPACE_DEFAULT, text("b"), text("2"), BASIN_DURABLE, &err));
    TRY(follow(db, copy, &since, &err));
    TRY(expect(copy, "a", "1", &err));
    TRY(expect(copy, "b", "2", &err));

    TRY(basin_db_delete(db, BASIN_SPACE_DEFAULT, text("a"), BASIN_DURABLE, &err));
    TRY(basin_db_put(db, BASIN_SPACE_DEFAULT, text("b"), text("3"), BASIN_DURABLE, &err));
    TRY(follow(db, copy, &since, &err));
    TRY(expect(copy, "a", NULL, &err));
    TRY(expect(copy, "b", "3", &err));
    printf("the copy is up to date at commit %" PRIu64 "\n", since);
out:
    if (basin_close(copy, NULL) != BASIN_OK && st == BASIN_OK)
        st = BASIN_IO;
    return finish(db, st, &err);
}
