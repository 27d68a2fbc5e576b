// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Large amounts: a bulk load of pairs in any order into a keyspace of its own, a counter that many
 * writers add to without reading, a range delete that is one record, and the figures of it all.
 *
 *     cc load.c $(pkg-config --cflags --libs basin) && ./a.out FOLDER
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <basin/basin.h>

enum { PAIRS = 20000 };

static basin_bytes
text(const char *s)
{
    return (basin_bytes){ s, strlen(s) };
}

/* Makes the keyspace and counts the load, in one commit. */
static basin_status
prepare(basin_db *db, basin_space *space, basin_error *err)
{
    int64_t loads = 0;
    basin_txn *txn;
    basin_status st = basin_begin_mode(db, BASIN_WRITE, &txn, err);

    if (st != BASIN_OK)
        return st;
    st = basin_space_open(txn, "numbers", true, space, err);
    if (st == BASIN_OK)
        st = basin_counter_add(txn, BASIN_SPACE_DEFAULT, text("loads"), 1, err);
    if (st == BASIN_OK)
        st = basin_counter_get(txn, BASIN_SPACE_DEFAULT, text("loads"), &loads, err);
    if (st == BASIN_OK) {
        printf("load number %" PRId64 "\n", loads);
        return basin_commit(txn, BASIN_DURABLE, NULL, err);
    }
    basin_abort(txn);
    return st;
}

static basin_status
load(basin_db *db, basin_space space, basin_error *err)
{
    basin_load_options options = BASIN_LOAD_INIT;
    basin_load *l;
    char key[16], value[32];
    basin_status st;

    options.unsorted = true;
    st = basin_load_open(db, space, &options, &l, err);
    if (st != BASIN_OK)
        return st;
    for (unsigned i = 0; i < PAIRS && st == BASIN_OK; i++) {
        unsigned n = (i * 7919u) % PAIRS;
        snprintf(key, sizeof key, "%08u", n);
        snprintf(value, sizeof value, "number %u", n);
        st = basin_load_add(l, text(key), text(value), err);
    }
    if (st == BASIN_OK)
        return basin_load_commit(l, NULL, err); /* all of it is there, at once, on disk */
    basin_load_abort(l);
    return st;
}

static basin_status
delete_and_count(basin_db *db, basin_space space, uint64_t *count, basin_error *err)
{
    basin_bytes end = text("00015000");
    basin_pair pairs[256];
    basin_cursor *c = NULL;
    basin_txn *txn;
    size_t n;
    basin_status st = basin_begin_mode(db, BASIN_WRITE, &txn, err);

    *count = 0;
    if (st != BASIN_OK)
        return st;
    st = basin_delete_range(txn, space, text("00005000"), &end, err);
    if (st == BASIN_OK)
        st = basin_cursor_open(txn, space, NULL, &c, err);
    if (st == BASIN_OK)
        st = basin_cursor_first(c, err);
    while (st == BASIN_OK) {
        st = basin_cursor_next_many(c, pairs, 256, &n, err);
        *count += n;
    }
    basin_cursor_close(c);
    if (st == BASIN_END)
        return basin_commit(txn, BASIN_DURABLE, NULL, err);
    basin_abort(txn);
    return st;
}

static basin_status
run(basin_db *db, uint64_t *count, basin_error *err)
{
    basin_stats stats = BASIN_STATS_INIT;
    basin_space space;
    basin_status st = prepare(db, &space, err);

    if (st == BASIN_OK)
        st = load(db, space, err);
    if (st == BASIN_OK)
        st = delete_and_count(db, space, count, err);
    if (st == BASIN_OK)
        st = basin_stat(db, &stats, err);
    if (st == BASIN_OK)
        printf("%" PRIu64 " pairs are left; %" PRIu64 " bytes in strata, %" PRIu64
               " bytes of memory\n",
               *count, stats.live_bytes, stats.mem_used);
    return st;
}

int
main(int argc, char **argv)
{
    basin_options options = BASIN_OPTIONS_INIT;
    basin_error err = { 0 };
    basin_db *db;
    uint64_t count = 0;
    basin_status st;

    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    options.mem_limit = 16 * 1024 * 1024;
    options.codec = BASIN_CODEC_LZ4;
    st = basin_open(argv[1], &options, &db, &err);
    if (st == BASIN_OK)
        st = run(db, &count, &err);
    if (st != BASIN_OK)
        fprintf(stderr, "%s: %s\n", basin_status_name(st), err.what);
    if (basin_close(db, &err) != BASIN_OK) {
        fprintf(stderr, "close: %s\n", err.what);
        return 1;
    }
    return st != BASIN_OK || count != PAIRS / 2;
}
