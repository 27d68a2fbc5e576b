// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The internal cursor: one interface over memtables, strata, runs and merges of them. It is raw:
 * it shows every version, tombstones included, in the order key ascending, then newest first.
 * The current entry lies open in the struct, so that a merge compares without a call.
 */
#ifndef LSM_ICUR_H
#define LSM_ICUR_H

#include "stratum/stratum.h"

/* Where a range tombstone holds: [begin, end), or to the end of all keys. */
struct range_cover {
    struct bytes begin;
    struct bytes end;
    bool unbounded;
    uint64_t seqno;
};

struct icur;
struct icur_ops {
    basin_status (*first)(struct icur *c, basin_error *err);
    basin_status (*last)(struct icur *c, basin_error *err);
    /* first entry at or after (key, snapshot): as stratum_cursor_seek_ge */
    basin_status (*seek_ge)(struct icur *c, struct bytes key, uint64_t snapshot,
                            basin_error *err);
    /* last entry with key <= key: as stratum_cursor_seek_le */
    basin_status (*seek_le)(struct icur *c, struct bytes key, basin_error *err);
    basin_status (*next)(struct icur *c, basin_error *err);
    basin_status (*prev)(struct icur *c, basin_error *err);
    /* Largest seqno <= snapshot of a range tombstone of this source that covers key, or 0. */
    uint64_t (*covering)(struct icur *c, struct bytes key, uint64_t snapshot,
                         struct range_cover *cover);
    void (*close)(struct icur *c);
};

/* Calls return OK also when they end nowhere: then valid is false. Confined. */
struct icur {
    const struct icur_ops *ops;
    struct entry entry; /* when valid; until the next call */
    uint64_t prefix;    /* key_prefix(entry.key) */
    bool valid;
    bool has_ranges;    /* false: covering always answers 0 */
};

#endif
