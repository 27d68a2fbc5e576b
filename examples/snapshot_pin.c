// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Snapshots and pins: a read transaction sees the moment of its beginning, however long it lasts;
 * a pin gives that moment a name that survives closing.
 */
#include "example.h"

static basin_status
read_at(basin_db *db, const char *pin, const char *expected, basin_error *err)
{
    basin_begin_options options = BASIN_BEGIN_INIT;
    basin_txn *txn = NULL;
    basin_bytes value;
    basin_status st;

    options.mode = BASIN_READ;
    options.at_pin = pin; /* NULL = the present */
    TRY(basin_begin(db, &options, &txn, err));
    TRY(basin_get(txn, BASIN_SPACE_DEFAULT, text("price"), &value, err));
    EXPECT(is_text(value, expected));
out:
    basin_abort(txn);
    return st;
}

static int
show_pin(void *ctx, const basin_pin_info *pin)
{
    int *count = ctx;

    printf("pin %s of %s at commit %" PRIu64 "\n", pin->name, pin->owner, pin->seqno);
    (*count)++;
    return 0;
}

int
main(int argc, char **argv)
{
    basin_error err = { 0 };
    basin_db *db = NULL;
    basin_txn *old = NULL;
    basin_bytes value;
    int pins = 0;
    basin_status st;

    TRY(open_database(argc, argv, "shop.db", NULL, &db, &err));
    TRY(basin_db_put(db, BASIN_SPACE_DEFAULT, text("price"), text("10"), BASIN_DURABLE, &err));

    /* a snapshot in memory */
    TRY(basin_begin_mode(db, BASIN_READ, &old, &err));
    TRY(basin_pin(db, "before the sale", "the example", NULL, &err));
    TRY(basin_db_put(db, BASIN_SPACE_DEFAULT, text("price"), text("7"), BASIN_DURABLE, &err));
    TRY(basin_get(old, BASIN_SPACE_DEFAULT, text("price"), &value, &err));
    EXPECT(is_text(value, "10"));
    basin_abort(old);
    old = NULL;

    /* the pin outlives the handle, and compaction */
    TRY(basin_compact(db, NULL, &err));
    TRY(basin_close(db, &err));
    db = NULL;
    TRY(open_database(argc, argv, "shop.db", NULL, &db, &err));
    TRY(read_at(db, "before the sale", "10", &err));
    TRY(read_at(db, NULL, "7", &err));
    TRY(basin_pin_list(db, show_pin, &pins, &err));
    EXPECT(pins == 1);
    TRY(basin_unpin(db, "before the sale", &err));
    EXPECT(read_at(db, "before the sale", "10", &err) == BASIN_NOT_FOUND);
out:
    basin_abort(old);
    return finish(db, st, &err);
}
