// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Keyspaces: several maps in one database, changed by one commit, dropped as one record.
 */
#include "example.h"

static int
count_space(void *ctx, const char *name, basin_space space)
{
    int *count = ctx;

    printf("keyspace %s has number %" PRIu64 "\n", name, space);
    *count += strcmp(name, "people") == 0 || strcmp(name, "by mail") == 0;
    return 0;
}

/* A person and the index entry for the mail address: both or none. */
static basin_status
add_person(basin_db *db, const char *id, const char *mail, basin_error *err)
{
    basin_space people, by_mail;
    basin_txn *txn = NULL;
    basin_status st;

    TRY(basin_begin_mode(db, BASIN_WRITE, &txn, err));
    TRY(basin_space_open(txn, "people", true, &people, err));
    TRY(basin_space_open(txn, "by mail", true, &by_mail, err));
    TRY(basin_put(txn, people, text(id), text(mail), err));
    TRY(basin_put(txn, by_mail, text(mail), text(id), err));
    st = basin_commit(txn, BASIN_DURABLE, NULL, err);
    txn = NULL;
out:
    basin_abort(txn);
    return st;
}

static basin_status
drop_index(basin_db *db, basin_error *err)
{
    basin_txn *txn = NULL;
    basin_space space;
    basin_status st;

    TRY(basin_begin_mode(db, BASIN_WRITE, &txn, err));
    TRY(basin_space_drop(txn, "by mail", err));
    st = basin_commit(txn, BASIN_DURABLE, NULL, err);
    txn = NULL;
    TRY(st);
    TRY(basin_begin_mode(db, BASIN_READ, &txn, err));
    EXPECT(basin_space_open(txn, "by mail", false, &space, err) == BASIN_NOT_FOUND);
out:
    basin_abort(txn);
    return st;
}

int
main(int argc, char **argv)
{
    basin_error err = { 0 };
    basin_db *db = NULL;
    basin_txn *txn = NULL;
    basin_space by_mail, people;
    basin_bytes value;
    int known = 0;
    basin_status st;

    TRY(open_database(argc, argv, "people.db", NULL, &db, &err));
    TRY(add_person(db, "7", "alice@example.org", &err));
    TRY(add_person(db, "8", "bob@example.org", &err));

    TRY(basin_begin_mode(db, BASIN_READ, &txn, &err));
    TRY(basin_space_list(txn, count_space, &known, &err));
    EXPECT(known == 2);
    TRY(basin_space_open(txn, "by mail", false, &by_mail, &err));
    TRY(basin_get(txn, by_mail, text("bob@example.org"), &value, &err));
    EXPECT(is_text(value, "8"));
    /* the same key in another keyspace is another key */
    EXPECT(basin_get(txn, BASIN_SPACE_DEFAULT, text("8"), &value, &err) == BASIN_NOT_FOUND);
    basin_abort(txn);
    txn = NULL;

    TRY(drop_index(db, &err));
    TRY(basin_begin_mode(db, BASIN_READ, &txn, &err));
    TRY(basin_space_open(txn, "people", false, &people, &err));
    TRY(basin_get(txn, people, text("7"), &value, &err));
    EXPECT(is_text(value, "alice@example.org"));
out:
    basin_abort(txn);
    return finish(db, st, &err);
}
