// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Large amounts. Bulk load: many pairs go straight into strata and become visible at once, with
 * progress told on the way; pairs that come in any order are sorted outside memory. A range delete
 * is one record, however much it covers. Many pairs are read by one call. The figures tell what it
 * all takes.
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

/* From 80000000 to the end of the keyspace, which is about half. */
static basin_status
delete_upper_half(basin_db *db, basin_error *err)
{
    basin_txn *txn = NULL;
    basin_status st;

    TRY(basin_begin_mode(db, BASIN_WRITE, &txn, err));
    TRY(basin_delete_range(txn, BASIN_SPACE_DEFAULT, text("80000000"), NULL, err));
    st = basin_commit(txn, BASIN_DURABLE, NULL, err);
    txn = NULL;
out:
    basin_abort(txn);
    return st;
}

static basin_status
count_pairs(basin_db *db, size_t *count, basin_error *err)
{
    basin_txn *txn = NULL;
    basin_cursor *cursor = NULL;
    basin_pair pairs[256];
    size_t n;
    basin_status st;

    *count = 0;
    TRY(basin_begin_mode(db, BASIN_READ, &txn, err));
    TRY(basin_cursor_open(txn, BASIN_SPACE_DEFAULT, NULL, &cursor, err));
    for (st = basin_cursor_first(cursor, err); st == BASIN_OK; *count += n)
        st = basin_cursor_next_many(cursor, pairs, 256, &n, err);
    st = st == BASIN_END ? BASIN_OK : st;
out:
    basin_cursor_close(cursor);
    basin_abort(txn);
    return st;
}

int
main(int argc, char **argv)
{
    basin_options options = BASIN_OPTIONS_INIT;
    basin_stats stats = BASIN_STATS_INIT;
    basin_error err = { 0 };
    basin_db *db = NULL;
    int calls = 0;
    size_t all, left;
    basin_status st;

    options.mem_limit = 16 * 1024 * 1024;
    options.codec = BASIN_CODEC_LZ4;
    TRY(open_database(argc, argv, "big.db", &options, &db, &err));
    TRY(load(db, &calls, &err));
    TRY(count_pairs(db, &all, &err));
    EXPECT(all == PAIRS);
    TRY(delete_upper_half(db, &err));
    TRY(count_pairs(db, &left, &err));
    EXPECT(left > 0 && left < PAIRS);
    TRY(basin_stat(db, &stats, &err));
    EXPECT(stats.mem_peak <= options.mem_limit);
    printf("%zu pairs, then %zu; %" PRIu64 " bytes in strata, %" PRIu64 " bytes of memory\n", all,
           left, stats.live_bytes, stats.mem_used);
out:
    return finish(db, st, &err);
}
