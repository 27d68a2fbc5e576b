// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Inside of the room api: handles behind include/basin/basin.h. It checks arguments, holds
 * handles and translates keys: what a user calls a key is preceded by the varint of its keyspace.
 */
#ifndef API_H
#define API_H

#include "basin/basin.h"
#include "catalog/catalog.h"
#include "lsm/lsm.h"

#define API_DEFAULT_NAME "default"

/* Threads that are inside a merge operator of a database. More than fit are not known. */
enum { API_CALLERS_MAX = 64 };
struct api_callers {
    _Atomic uint64_t count;
    _Atomic uint64_t thread[API_CALLERS_MAX]; /* 0 = free */
};

struct api_operator {
    basin_operator user;
    struct api_callers *callers; /* NULL: there is no handle to call back into */
};

enum { API_ENDED_MAX = 64 };

struct basin_merge_reply {
    struct buf *out;
    bool *deleted;
};

struct basin_db {
    struct lsm *lsm;
    const basin_allocator *mem; /* the caller's */
    struct api_operator *operators;
    size_t operator_count;
    bool read_only;
    _Atomic uint64_t default_space; /* 0 = not known to be committed */
    struct api_callers callers;
#ifdef BASIN_DEBUG
    _Atomic(struct basin_txn *) ended[API_ENDED_MAX]; /* kept to tell their use */
    _Atomic uint64_t ended_count;
#endif
};

struct basin_txn {
    basin_db *db;
    struct lsm_txn *lsm;
    basin_mode mode;
    uint64_t default_space; /* as this transaction sees it; 0 = not looked for */
    bool made_default;      /* it was made here and is not committed */
    uint64_t checked[4];    /* keyspaces that this transaction has read to be there; 0 = none */
    size_t checked_at;
    bool ended;             /* debug builds: committed or aborted, and kept for a while */
    struct buf key;         /* of the call at hand */
    struct buf end;
};

static inline struct bytes
api_bytes(basin_bytes b)
{
    return bytes_of(b.data, b.size);
}

static inline basin_bytes
api_out(struct bytes b)
{
    return (basin_bytes){ b.data, b.size };
}

/* MISUSE in a forked child, and in a merge operator of this database. Clears *err. */
basin_status api_enter(basin_db *db, basin_error *err);
/* The same for a call on a transaction; debug builds find one that has ended. */
basin_status api_enter_txn(basin_txn *txn, basin_error *err);
/* Commits a transaction that nobody else has: it ends with BUSY too. */
basin_status api_commit_one(basin_txn *txn, basin_durability durability, basin_error *err);
basin_status api_check_key(basin_bytes key, basin_error *err);
/* The number behind BASIN_SPACE_DEFAULT. create: makes it; else NOT_FOUND when there is none. Any
 * other number is taken as it is for reading; create: NOT_FOUND when there is no such keyspace, and
 * one that is dropped meanwhile is a conflict. */
basin_status api_space(basin_txn *txn, basin_space space, bool create, uint64_t *id,
                       basin_error *err);
/* txn->key = varint of the space and the user's key. */
basin_status api_key(basin_txn *txn, uint64_t id, basin_bytes key, basin_error *err);
/* Cuts the space off a raw key. */
basin_status api_split(struct bytes raw, uint64_t *space, struct bytes *key);
void api_lsm_options(const basin_options *o, struct lsm_options *out);
/* Copies and adapts operators; free with api_operators_free. */
basin_status api_operators(const basin_options *o, const basin_allocator *mem,
                           struct api_callers *callers, struct api_operator **keep,
                           struct lsm_operator **out, basin_error *err);
void api_operators_free(const basin_allocator *mem, struct api_operator *keep, size_t count,
                        struct lsm_operator *list);
basin_options api_options(const basin_options *options);

#endif
