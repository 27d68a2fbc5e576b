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

/*
 * What range tombstones say about a key: `seqno` is the largest seqno <= the snapshot asked for of
 * one that covers it, or 0, and that is so in all of [begin, end), or from begin on. The key lies
 * inside. The bytes are valid as long as the cursor, except `begin`, which may be the key itself.
 */
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
    basin_status (*covering)(struct icur *c, struct bytes key, uint64_t snapshot,
                             struct range_cover *cover, basin_error *err);
    void (*close)(struct icur *c);
    /*
     * All three or none, by a cursor that is stable: to the newest entry of the next key; to the
     * oldest one of the key before; the newest version with seqno <= snapshot of the current key
     * (false: there is none), without a move. The cursor is valid.
     */
    void (*next_key)(struct icur *c);
    void (*prev_key)(struct icur *c);
    bool (*newest)(const struct icur *c, uint64_t snapshot, struct entry *found);
};

/* Calls return OK also when they end nowhere: then valid is false. Confined. */
struct icur {
    const struct icur_ops *ops;
    struct entry entry; /* when valid; until the next call */
    uint64_t prefix;    /* key_prefix(entry.key) */
    bool valid;
    bool has_ranges;    /* false: covering always answers 0 */
    bool stable;        /* key and value stay valid as long as the cursor */
};

/*
 * Steps by key (multi.c). `key` is the current one and does not lie in the cursor's own memory
 * unless that is stable.
 */
/* To the newest entry of the next key. */
basin_status icur_next_key(struct icur *c, struct bytes key, basin_error *err);
/* To the oldest entry of the largest key below `key`, wherever the cursor stands. */
basin_status icur_seek_lt(struct icur *c, struct bytes key, basin_error *err);
/* To the newest entry of the smallest key above `key`, wherever the cursor stands. */
basin_status icur_seek_gt(struct icur *c, struct bytes key, basin_error *err);
/*
 * From the oldest entry of `key` to the oldest one of the key before. `found` gets the newest entry
 * of `key` with a seqno <= snapshot, *has tells whether there is one. Its value is copied into
 * `store` (may be NULL) unless stable. When that was not done, since it has more than ICUR_COPY_MAX
 * bytes, *whole is false and found->value tells its size only.
 */
enum { ICUR_COPY_MAX = 1024 };
basin_status icur_take_back(struct icur *c, struct bytes key, uint64_t snapshot,
                            struct entry *found, bool *has, struct buf *store, bool *whole,
                            basin_error *err);

#endif
