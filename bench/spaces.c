// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * How many pages a seek into one space reads when every run of level 0 spans all spaces, but holds
 * only some of them, with lists of prefixes and without. Counts, not time.
 *     cc -std=c17 -O2 -Isrc -Iinclude bench/spaces.c build/libbasin_rooms.a -lzstd -llz4 -lxxhash \
 *        -lsodium -lpthread -lm -o build/spaces && build/spaces
 */
#include <stdio.h>

#include "lsm/lsm.h"

enum { RUNS = 8, SPACES = 400, PAIRS = 200, READ = 10 };

static size_t
space_of(struct bytes key, unsigned elements)
{
    (void)elements;
    return MIN_OF(key.size, (size_t)3);
}

static struct bytes
key_of(uint8_t to[5], unsigned space, unsigned i)
{
    to[0] = 0xF9; /* a varint of two bytes more */
    to[1] = (uint8_t)(space >> 8);
    to[2] = (uint8_t)space;
    to[3] = (uint8_t)(i >> 8);
    to[4] = (uint8_t)i;
    return bytes_of(to, 5);
}

static void
fill_run(struct lsm *db, unsigned run)
{
    const struct lsm_begin how = { .mode = LSM_WRITE };
    uint8_t key[5], value[100] = { 1 };
    struct lsm_txn *txn;
    uint64_t seqno;

    must(lsm_begin(db, &how, &txn, NULL) == BASIN_OK);
    for (unsigned space = run; space < SPACES; space += RUNS)
        for (unsigned i = 0; i < PAIRS; i++)
            must(lsm_put(txn, key_of(key, space, i), bytes_of(value, sizeof value), NULL) ==
                 BASIN_OK);
    must(lsm_commit(txn, false, &seqno, NULL) == BASIN_OK);
    must(lsm_flush(db, NULL) == BASIN_OK);
}

static void
seek(struct lsm_txn *txn, unsigned space)
{
    uint8_t low[5], high[5];
    struct lsm_range r = { .has_lower = true, .has_upper = true, .upper_excluded = true };
    struct lsm_cursor *c;
    basin_status st;

    r.lower = bytes_of(key_of(low, space, 0).data, 3);
    r.upper = bytes_of(key_of(high, space + 1, 0).data, 3);
    must(lsm_cursor_open(txn, &r, &c, NULL) == BASIN_OK);
    st = lsm_cursor_first(c, NULL);
    for (int i = 0; i < READ && st == BASIN_OK; i++)
        st = lsm_cursor_next(c, NULL);
    must(st == BASIN_OK);
    lsm_cursor_close(c);
}

static void
measure(bool lists)
{
    const struct os_sim_options machine = { .seed = 1, .mem = &base_malloc };
    const struct lsm_begin how = { .mode = LSM_READ };
    struct os_sim *sim;
    struct lsm_options o = { .no_threads = true,
                             .mem_limit = 256 * MIB,
                             .level0_runs = 100,
                             .no_map = true,
                             .prefix = lists ? space_of : NULL };
    struct lsm *db;
    struct lsm_txn *txn;
    struct lsm_stats stats;

    must(os_sim_new(&machine, &sim, NULL) == BASIN_OK);
    o.os = os_sim_os(sim);
    must(lsm_open("db", &o, &db, NULL) == BASIN_OK);
    for (unsigned run = 0; run < RUNS; run++)
        fill_run(db, run);
    must(lsm_close(db, NULL) == BASIN_OK);
    o.mem_limit = MIB; /* a small cache */
    must(lsm_open("db", &o, &db, NULL) == BASIN_OK);
    must(lsm_begin(db, &how, &txn, NULL) == BASIN_OK);
    for (unsigned i = 0; i < SPACES; i++)
        seek(txn, i * 173 % SPACES);
    lsm_abort(txn);
    must(lsm_stat(db, &stats, NULL) == BASIN_OK);
    printf("%d runs, %s: %.2f pages, %.0f bytes read a seek\n", RUNS,
           lists ? "with lists of prefixes" : "without", (double)stats.pages_read / SPACES,
           (double)stats.bytes_read / SPACES);
    must(lsm_close(db, NULL) == BASIN_OK);
    os_sim_free(sim);
}

int
main(void)
{
    measure(false);
    measure(true);
    return 0;
}
