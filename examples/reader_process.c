// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Reading from another process while this one writes, without a server: every snapshot that the
 * reader takes is a true one.
 *
 * The writer keeps two accounts whose sum is always 100. The reader, a process of its own, never
 * finds another sum. A database handle is not usable in a forked child, so the child opens the
 * database itself, for reading.
 */
#include "example.h"

#include <sys/wait.h>
#include <unistd.h>

enum { COMMITS = 2000, SUM = 100 };

static int
number_of(basin_bytes value)
{
    int number = 0;

    for (size_t i = 0; i < value.size; i++)
        number = number * 10 + ((const char *)value.data)[i] - '0';
    return number;
}

static basin_status
write_pair(basin_db *db, int left, basin_error *err)
{
    char digits[16];
    basin_txn *txn = NULL;
    basin_status st;

    TRY(basin_begin_mode(db, BASIN_WRITE_LOCKED, &txn, err));
    snprintf(digits, sizeof(digits), "%d", left);
    TRY(basin_put(txn, BASIN_SPACE_DEFAULT, text("left"), text(digits), err));
    snprintf(digits, sizeof(digits), "%d", SUM - left);
    TRY(basin_put(txn, BASIN_SPACE_DEFAULT, text("right"), text(digits), err));
    st = basin_commit(txn, BASIN_BUFFERED, NULL, err);
    txn = NULL;
out:
    basin_abort(txn);
    return st;
}

/* One snapshot; *left is -1 when the writer has not begun. */
static basin_status
read_pair(basin_db *db, int *left, basin_error *err)
{
    basin_txn *txn = NULL;
    basin_bytes value;
    basin_status st;

    *left = -1;
    TRY(basin_refresh(db, NULL, err)); /* to the newest commit */
    TRY(basin_begin_mode(db, BASIN_READ, &txn, err));
    st = basin_get(txn, BASIN_SPACE_DEFAULT, text("left"), &value, err);
    if (st == BASIN_NOT_FOUND) {
        st = BASIN_OK;
        goto out;
    }
    TRY(st);
    *left = number_of(value);
    TRY(basin_get(txn, BASIN_SPACE_DEFAULT, text("right"), &value, err));
    EXPECT(*left + number_of(value) == SUM);
out:
    basin_abort(txn);
    return st;
}

/* Reads until the writer's last commit is there. */
static int
reader(int argc, char **argv)
{
    basin_options options = BASIN_OPTIONS_INIT;
    basin_error err = { 0 };
    basin_db *db = NULL;
    int left = -1, changes = 0;
    basin_status st;

    options.read_only = true;
    options.name = "the reader of the example";
    TRY(open_database(argc, argv, "shared.db", &options, &db, &err));
    while (left != SUM) {
        int before = left;

        TRY(read_pair(db, &left, &err));
        changes += left != before;
    }
    printf("the reader saw %d states, each of them whole\n", changes);
out:
    return finish(db, st, &err);
}

int
main(int argc, char **argv)
{
    basin_error err = { 0 };
    basin_db *db = NULL;
    int result = 0;
    pid_t child;
    basin_status st;

    /* the database has to be there before somebody reads it */
    TRY(open_database(argc, argv, "shared.db", NULL, &db, &err));
    TRY(basin_close(db, &err));
    db = NULL;

    child = fork();
    EXPECT(child >= 0);
    if (child == 0)
        exit(reader(argc, argv));

    TRY(open_database(argc, argv, "shared.db", NULL, &db, &err));
    for (int i = 0; i < COMMITS; i++)
        TRY(write_pair(db, i % SUM, &err));
    TRY(write_pair(db, SUM, &err)); /* the sign to end */
out:
    if (st == BASIN_OK) {
        EXPECT(waitpid(child, &result, 0) == child);
        EXPECT(WIFEXITED(result) && WEXITSTATUS(result) == 0);
    }
    return finish(db, st, &err);
}
