// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * A transaction: a snapshot, the operations so far in the bytes that the log will hold, an index
 * over them that is built when the first read needs it, and what was read, for validation.
 *
 *   begin -> [put, get, ...] -> commit | abort        every arrow ends the handle
 *
 * When the operations grow over a limit they are spilled (spill.c), and ops begins anew.
 *
 * (T1) the index holds exactly the first `indexed` bytes of ops; operations are numbered from 1,
 *      and those numbers are its seqnos.
 * (T2) memory that reads returned lives in `arena` or in the version, until end.
 */
#ifndef LSM_TXN_H
#define LSM_TXN_H

#include "lsm/internal.h"

struct savepoint {
    struct savepoint *outer;
    size_t ops_size;    /* operations in the batch before it, */
    uint64_t op_count;
    size_t run_count;   /* ... and runs that were spilled before it */
    size_t runs_after;  /* while the batch is being spilled: what run_count becomes */
    char name[]; /* NUL-terminated */
};

/* Keys that were read: [lower, upper), or the one key lower when upper is lower + 00. */
struct read_item {
    struct bytes lower, upper;
    bool unbounded;
};

enum { READ_BLOCK_ITEMS = 64 };
struct read_block {
    struct read_block *next;
    size_t count;
    struct read_item items[READ_BLOCK_ITEMS];
};

struct lsm_txn {
    struct lsm *db;
    enum lsm_mode mode;
    bool check_reads;
    bool holds_writer;
    bool ended;  /* aborted while cursors were open */
    struct snapshot snapshot;
    struct version *version;
    struct buf ops;
    uint64_t op_count;      /* spilled ones too */
    uint64_t ops_before;    /* ... those alone */
    size_t range_ops;       /* range deletes in ops */
    struct memtable *index; /* NULL until a read needs it */
    size_t indexed;
    uint64_t indexed_count;
    struct spilled *spilled; /* NULL: nothing is */
    uint64_t spill_interrupts; /* when the call that spills or merges began */
    struct object_id spill_group; /* names this transaction in its strata */
    struct savepoint *savepoints;
    size_t savepoint_count;
    struct arena arena;
    struct read_block *reads; /* in read_arena */
    size_t read_count, read_bytes;
    struct arena read_arena;
    bool reads_everything; /* more than are kept apart: any change conflicts */
    size_t open_count;     /* cursors and streams */
    struct value_out *values;
};

basin_status lsm__txn_add_op(struct lsm_txn *txn, const struct op *op, basin_error *err);
basin_status lsm__put_large(struct lsm_txn *txn, struct bytes key, struct bytes value,
                            basin_error *err);
basin_status lsm__txn_finish_values(struct lsm_txn *txn, basin_error *err);
/* Builds the index up to the present. */
basin_status lsm__txn_index(struct lsm_txn *txn, basin_error *err);
void lsm__txn_forget_index(struct lsm_txn *txn);
void lsm__txn_free_savepoints(struct lsm_txn *txn);
/* Remembers that [lower, upper) was read; copies. */
basin_status lsm__txn_read_range(struct lsm_txn *txn, struct bytes lower, struct bytes upper,
                                 bool unbounded, basin_error *err);
/* CONFLICT when a later commit touched what was read. Leader only. */
basin_status lsm__txn_validate(struct lsm_txn *txn, basin_error *err);
/* A cursor or stream of it was opened, was closed. */
void lsm__txn_child_opened(struct lsm_txn *txn, enum child kind);
void lsm__txn_child_closed(struct lsm_txn *txn, enum child kind);
/* The line of writers: alone (shared false; txn names the holder, may be NULL) or beside other
 * optimistic commits. */
basin_status lsm__writer_enter(struct lsm *db, struct lsm_txn *txn, bool shared,
                               uint32_t timeout_ms, basin_error *err);
void lsm__writer_leave(struct lsm *db, bool shared);
basin_status lsm__key_check(struct bytes key, basin_error *err);

#endif
