// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The shortest way: one put, one get, one delete, each in a transaction of its own.
 */
#include "example.h"

int
main(int argc, char **argv)
{
    basin_error err = { 0 };
    basin_db *db = NULL;
    char value[64];
    uint64_t size;
    basin_status st;

    TRY(open_database(argc, argv, "shop.db", NULL, &db, &err));

    /* on disk when it returns */
    TRY(basin_db_put(db, BASIN_SPACE_DEFAULT, text("apple"), text("red"), BASIN_DURABLE, &err));

    /* copies at most 64 bytes; size is how long the value is */
    TRY(basin_db_get(db, BASIN_SPACE_DEFAULT, text("apple"), value, sizeof(value), &size, &err));
    EXPECT(size == 3 && memcmp(value, "red", 3) == 0);
    printf("an apple is %.*s\n", (int)size, value);

    /* reaches the disk within a second; survives the death of the process at once */
    TRY(basin_db_delete(db, BASIN_SPACE_DEFAULT, text("apple"), BASIN_BUFFERED, &err));

    /* NOT_FOUND is an ordinary result */
    st = basin_db_get(db, BASIN_SPACE_DEFAULT, text("apple"), value, sizeof(value), &size, &err);
    EXPECT(st == BASIN_NOT_FOUND);
    st = BASIN_OK;
out:
    return finish(db, st, &err);
}
