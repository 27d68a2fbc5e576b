// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Transactions: several changes at once, a conflict and its retry, savepoints.
 *
 * An optimistic transaction never waits. When another commit changed what it read, its own commit
 * returns CONFLICT and nothing of it is stored: do it again.
 */
#include "example.h"

static basin_status
put_number(basin_txn *txn, const char *key, long number, basin_error *err)
{
    char digits[32];

    snprintf(digits, sizeof(digits), "%ld", number);
    return basin_put(txn, BASIN_SPACE_DEFAULT, text(key), text(digits), err);
}

static basin_status
get_number(basin_txn *txn, const char *key, long *number, basin_error *err)
{
    basin_bytes value;
    char digits[32] = { 0 };
    basin_status st = basin_get(txn, BASIN_SPACE_DEFAULT, text(key), &value, err);

    if (st == BASIN_OK && value.size < sizeof(digits)) {
        memcpy(digits, value.data, value.size);
        *number = strtol(digits, NULL, 10);
    }
    return st;
}

/* Moves money; both accounts change or none. */
static basin_status
transfer(basin_db *db, const char *from, const char *to, long amount, basin_error *err)
{
    basin_txn *txn = NULL;
    long have, there;
    basin_status st;

    do {
        TRY(basin_begin_mode(db, BASIN_WRITE, &txn, err));
        TRY(get_number(txn, from, &have, err));
        TRY(get_number(txn, to, &there, err));
        TRY(put_number(txn, from, have - amount, err));
        TRY(put_number(txn, to, there + amount, err));
        st = basin_commit(txn, BASIN_DURABLE, NULL, err);
        txn = NULL; /* ended, whatever the result */
    } while (st == BASIN_CONFLICT);
out:
    basin_abort(txn); /* takes NULL */
    return st;
}

/* Two transactions read the same account and change it: the second one to commit has lost. */
static basin_status
show_conflict(basin_db *db, basin_error *err)
{
    basin_txn *one = NULL, *other = NULL;
    long have;
    basin_status st;

    TRY(basin_begin_mode(db, BASIN_WRITE, &one, err));
    TRY(basin_begin_mode(db, BASIN_WRITE, &other, err));
    TRY(get_number(one, "alice", &have, err));
    TRY(put_number(one, "alice", have + 1, err));
    TRY(get_number(other, "alice", &have, err));
    TRY(put_number(other, "alice", have + 1, err));
    st = basin_commit(one, BASIN_BUFFERED, NULL, err);
    one = NULL;
    TRY(st);
    st = basin_commit(other, BASIN_BUFFERED, NULL, err);
    other = NULL;
    EXPECT(st == BASIN_CONFLICT);
    st = BASIN_OK;
out:
    basin_abort(one);
    basin_abort(other);
    return st;
}

/* A savepoint undoes a part of a transaction. */
static basin_status
show_savepoint(basin_db *db, basin_error *err)
{
    basin_txn *txn = NULL;
    long have;
    basin_status st;

    TRY(basin_begin_mode(db, BASIN_WRITE_LOCKED, &txn, err)); /* waits, never conflicts */
    TRY(put_number(txn, "carol", 1, err));
    TRY(basin_savepoint(txn, "before the mistake", err));
    TRY(put_number(txn, "carol", 1000000, err));
    TRY(basin_rollback_to(txn, "before the mistake", err));
    TRY(get_number(txn, "carol", &have, err));
    EXPECT(have == 1);
    st = basin_commit(txn, BASIN_DURABLE, NULL, err);
    txn = NULL;
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
    long alice, bob;
    basin_status st;

    TRY(open_database(argc, argv, "bank.db", NULL, &db, &err));
    TRY(basin_begin_mode(db, BASIN_WRITE, &txn, &err));
    TRY(put_number(txn, "alice", 100, &err));
    TRY(put_number(txn, "bob", 0, &err));
    st = basin_commit(txn, BASIN_DURABLE, NULL, &err);
    txn = NULL;
    TRY(st);

    TRY(transfer(db, "alice", "bob", 30, &err));
    TRY(show_conflict(db, &err));
    TRY(show_savepoint(db, &err));

    TRY(basin_begin_mode(db, BASIN_READ, &txn, &err));
    TRY(get_number(txn, "alice", &alice, &err));
    TRY(get_number(txn, "bob", &bob, &err));
    EXPECT(alice == 71 && bob == 30);
    printf("alice has %ld, bob has %ld\n", alice, bob);
out:
    basin_abort(txn);
    return finish(db, st, &err);
}
