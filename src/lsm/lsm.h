// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Door of the room lsm: the ordered, transactional key/value core. Raw keys (the caller's first
 * element is a space id), one commit sequence, immutable strata under a log per epoch.
 * docs/format/log.md, docs/format/checkpoint.md, docs/locks.md.
 *
 * Threads:  struct lsm is shared; a transaction, cursor, stream, load or feed is confined.
 * Lifetime: what lsm_get returns lives until its transaction ends; what a cursor returns, until
 *           its next step.
 */
#ifndef LSM_H
#define LSM_H

#include "base/base.h"
#include "codec/codec.h"
#include "os/os.h"
#include "stratum/stratum.h"

struct lsm;
struct lsm_txn;
struct lsm_cursor;
struct lsm_stream;
struct lsm_load;
struct lsm_feed;

enum {
    LSM_FORMAT_VERSION = 1,   /* of the head, and so of the database; draft */
    LSM_OPERANDS_VERSION = 0, /* of the built-in operators; draft */
    LSM_LEVEL_COUNT = 9,      /* level 0 holds many runs, each later one a single run */
    LSM_NAME_MAX = 255,
    LSM_SAVEPOINT_MAX = 1000
};
#define LSM_VALUE_MAX ((uint64_t)1 << 40)

/* ------------------------------------------------------------------ operators (E64) */

/* A merge operator. The result goes into `out`; *deleted says that there is none. Pure; called
 * without locks. base is NULL when there is none; operands are oldest first. */
struct lsm_operator {
    uint8_t number;
    const char *name;
    void *ctx;
    basin_status (*full)(void *ctx, struct bytes key, const struct bytes *base,
                         const struct bytes *operands, size_t count, struct buf *out, bool *deleted,
                         basin_error *err);
    /* may be NULL: then operands are kept apart */
    basin_status (*partial)(void *ctx, struct bytes key, struct bytes older, struct bytes newer,
                            struct buf *out, basin_error *err);
};
enum { LSM_OP_ID_SET = 1, LSM_OP_COUNTER = 2, LSM_OP_KEY_SET = 3, LSM_OP_APPEND = 16 };
extern const struct lsm_operator lsm_operator_counter;
extern const struct lsm_operator lsm_operator_append;

/* ------------------------------------------------------------------ open */

struct lsm_options {
    const basin_allocator *mem;
    struct os *os;
    bool read_only;
    bool must_exist;
    bool must_create;
    bool no_threads;
    uint32_t lock_timeout_ms;
    uint64_t mem_limit;
    uint64_t memtable_size;
    uint64_t stratum_size;
    uint64_t value_threshold;
    uint64_t buffer_ms;
    uint64_t buffer_bytes;
    uint64_t log_size_max; /* of one log file; 0 = 64 MiB */
    uint64_t spill_size;   /* operations of a transaction that stay in memory; 0 = by limits */
    uint32_t page_size;
    uint32_t level_factor;
    uint32_t level0_runs; /* runs of level 0 that start a merge; 0 = 4 */
    enum codec_id codec;
    int codec_level;           /* 0 = 3 */
    bool stored_codec;         /* the stored codec, and level unless given; codec: of a new one */
    int filter_bits;           /* -1 = none */
    stratum_prefix_fn *prefix; /* of keys, for a filter on it; NULL = none */
    bool no_map;
    struct bytes passphrase;
    struct bytes key;
    struct codec_cost kdf;
    const struct lsm_operator *operators; /* copied; the built-in ones are always there */
    size_t operator_count;
    const char *name;        /* of this reader */
    struct rebuild *rebuild; /* private to repair and salvage */
    bool untouched;          /* private to check and salvage: not a byte is written */
};

basin_status lsm_open(const char *path, const struct lsm_options *options, struct lsm **out,
                      basin_error *err);
/* BUSY with live children named, and nothing freed. */
basin_status lsm_close(struct lsm *db, basin_error *err);
/* MISUSE in a child that was forked after the opening. */
basin_status lsm_check_process(const struct lsm *db, basin_error *err);
void lsm_interrupt(struct lsm *db); /* async-signal-safe */
basin_status lsm_refresh(struct lsm *db, uint64_t *seqno, basin_error *err);
basin_status lsm_pump(struct lsm *db, bool *more, basin_error *err);
basin_status lsm_sync(struct lsm *db, basin_error *err);
basin_status lsm_flush(struct lsm *db, basin_error *err);
basin_status lsm_compact(struct lsm *db, const basin_watch *watch, basin_error *err);
const basin_allocator *lsm_allocator(struct lsm *db);

/* ------------------------------------------------------------------ transactions */

enum lsm_mode { LSM_READ, LSM_WRITE, LSM_LOCKED };

struct lsm_begin {
    enum lsm_mode mode;
    uint32_t timeout_ms; /* locked: UINT32_MAX = for ever */
    const char *at_pin;
    uint64_t at_seqno; /* 0 = newest */
    bool no_read_check;
};

basin_status lsm_begin(struct lsm *db, const struct lsm_begin *how, struct lsm_txn **out,
                       basin_error *err);
/* Ends the transaction whatever the result, except BUSY: open cursors or streams, or without
 * threads a locked transaction beside it. */
basin_status lsm_commit(struct lsm_txn *txn, bool durable, uint64_t *seqno, basin_error *err);
void lsm_abort(struct lsm_txn *txn);
uint64_t lsm_txn_seqno(const struct lsm_txn *txn);
struct lsm *lsm_txn_db(const struct lsm_txn *txn);

/*
 * Single operations at the present, without a transaction. END: this one needs a transaction (a
 * large value, a reading process). read: *size is the value's, at most n bytes of it are copied.
 */
basin_status lsm_read_now(struct lsm *db, struct bytes key, void *to, size_t n, uint64_t *size,
                          basin_error *err);
basin_status lsm_put_now(struct lsm *db, struct bytes key, struct bytes value, bool durable,
                         basin_error *err);
basin_status lsm_delete_now(struct lsm *db, struct bytes key, bool durable, basin_error *err);

basin_status lsm_get(struct lsm_txn *txn, struct bytes key, struct bytes *value, basin_error *err);
/* Copies [offset, offset + n); *got, *size may be NULL. NOT_FOUND is an ordinary result. */
basin_status lsm_read(struct lsm_txn *txn, struct bytes key, uint64_t offset, void *to, size_t n,
                      size_t *got, uint64_t *size, basin_error *err);
basin_status lsm_put(struct lsm_txn *txn, struct bytes key, struct bytes value, basin_error *err);
basin_status lsm_delete(struct lsm_txn *txn, struct bytes key, basin_error *err);
/* unbounded: everything from begin on. */
basin_status lsm_delete_range(struct lsm_txn *txn, struct bytes begin, struct bytes end,
                              bool unbounded, basin_error *err);
basin_status lsm_merge(struct lsm_txn *txn, struct bytes key, uint8_t op, struct bytes operand,
                       basin_error *err);
basin_status lsm_savepoint(struct lsm_txn *txn, const char *name, basin_error *err);
basin_status lsm_rollback_to(struct lsm_txn *txn, const char *name, basin_error *err);
basin_status lsm_savepoint_release(struct lsm_txn *txn, const char *name, basin_error *err);

basin_status lsm_stream_open(struct lsm_txn *txn, struct bytes key, struct lsm_stream **out,
                             basin_error *err);
basin_status lsm_stream_write(struct lsm_stream *s, struct bytes piece, basin_error *err);
basin_status lsm_stream_close(struct lsm_stream *s, basin_error *err);
void lsm_stream_abort(struct lsm_stream *s);

/* ------------------------------------------------------------------ cursors */

struct lsm_range {
    struct bytes lower;
    struct bytes upper;
    bool has_lower, lower_excluded;
    bool has_upper, upper_excluded;
};
enum lsm_seek { LSM_SEEK_EQ, LSM_SEEK_LE, LSM_SEEK_GE };

/* OK = positioned, END = no such place. The range's bytes are copied. */
basin_status lsm_cursor_open(struct lsm_txn *txn, const struct lsm_range *range,
                             struct lsm_cursor **out, basin_error *err);
void lsm_cursor_close(struct lsm_cursor *c);
basin_status lsm_cursor_first(struct lsm_cursor *c, basin_error *err);
basin_status lsm_cursor_last(struct lsm_cursor *c, basin_error *err);
basin_status lsm_cursor_seek(struct lsm_cursor *c, struct bytes key, enum lsm_seek op,
                             basin_error *err);
basin_status lsm_cursor_next(struct lsm_cursor *c, basin_error *err);
basin_status lsm_cursor_prev(struct lsm_cursor *c, basin_error *err);
bool lsm_cursor_valid(const struct lsm_cursor *c);
struct bytes lsm_cursor_key(const struct lsm_cursor *c);
/* The whole value in memory; valid until the next step. */
basin_status lsm_cursor_value(struct lsm_cursor *c, struct bytes *value, basin_error *err);
basin_status lsm_cursor_value_size(struct lsm_cursor *c, uint64_t *size, basin_error *err);
basin_status lsm_cursor_read(struct lsm_cursor *c, uint64_t offset, void *to, size_t n, size_t *got,
                             basin_error *err);
int lsm_cursor_compare(const struct lsm_cursor *c, struct bytes key);

/* ------------------------------------------------------------------ pins, feed, load */

struct lsm_pin_info {
    const char *name, *owner;
    uint64_t seqno, made_ms, held_bytes;
};
typedef int lsm_pin_fn(void *ctx, const struct lsm_pin_info *pin);
basin_status lsm_pin(struct lsm *db, const char *name, const char *owner, uint64_t *seqno,
                     basin_error *err);
basin_status lsm_unpin(struct lsm *db, const char *name, basin_error *err);
basin_status lsm_pin_list(struct lsm *db, lsm_pin_fn *fn, void *ctx, basin_error *err);

enum lsm_change_kind {
    LSM_CHANGE_PUT,
    LSM_CHANGE_DELETE,
    LSM_CHANGE_DELETE_RANGE,
    LSM_CHANGE_MERGE,
    LSM_CHANGE_LOAD,
    LSM_CHANGE_SPILL
};
struct lsm_change {
    enum lsm_change_kind kind;
    uint64_t seqno, commit_seqno;
    struct bytes key, value;
    uint64_t value_size;
    bool unbounded, out_of_line, last_in_commit;
};
basin_status lsm_feed_open(struct lsm *db, uint64_t since, struct lsm_feed **out, basin_error *err);
basin_status lsm_feed_next(struct lsm_feed *f, struct lsm_change *change, basin_error *err);
void lsm_feed_close(struct lsm_feed *f);
basin_status lsm_feed_hold(struct lsm *db, const char *consumer, uint64_t seqno, uint64_t bytes_max,
                           basin_error *err);

/* A pair, or a piece of one: values over LSM_PIECE_SIZE come in pieces of that size, in order. */
enum { LSM_PIECE_SIZE = 256 * 1024 };
struct lsm_piece {
    struct bytes key;
    uint64_t value_size;
    uint64_t at; /* of the piece in the value */
    struct bytes piece;
};

struct lsm_load_options {
    bool unsorted;
    const basin_watch *watch; /* may be NULL */
};
basin_status lsm_load_open(struct lsm *db, const struct lsm_load_options *options,
                           struct lsm_load **out, basin_error *err);
basin_status lsm_load_add(struct lsm_load *l, struct bytes key, struct bytes value,
                          basin_error *err);
/* The same in pieces, in order; a large value is never in memory as a whole. */
basin_status lsm_load_piece(struct lsm_load *l, const struct lsm_piece *p, basin_error *err);
/* Ends the load whatever the result, except BUSY: without threads, other writers are at work. */
basin_status lsm_load_commit(struct lsm_load *l, uint64_t *seqno, basin_error *err);
void lsm_load_abort(struct lsm_load *l);

/* ------------------------------------------------------------------ care and figures */

struct lsm_fault {
    const char *object;
    const char *what;
    basin_status status;
    struct bytes lost_from, lost_to; /* lost_to without data: to the end of all keys */
    bool has_range;
};
typedef void lsm_fault_fn(void *ctx, const struct lsm_fault *fault);
struct lsm_check_options {
    bool deep;
    lsm_fault_fn *fault;
    void *ctx;
    const basin_watch *watch;
};
basin_status lsm_check(const char *path, const struct lsm_options *open,
                       const struct lsm_check_options *options, basin_error *err);
basin_status lsm_repair(const char *path, const char *to, const struct lsm_options *open,
                        const struct lsm_check_options *options, basin_error *err);
typedef basin_status lsm_piece_fn(void *ctx, const struct lsm_piece *p, basin_error *err);
basin_status lsm_salvage(const char *path, const struct lsm_options *open,
                         const struct lsm_check_options *options, lsm_piece_fn *fn, void *ctx,
                         basin_error *err);
basin_status lsm_rekey(const char *path, const struct lsm_options *from,
                       const struct lsm_options *to, basin_error *err);

struct lsm_level_stat {
    uint64_t runs, strata, bytes, entries, deletes;
};
struct lsm_stats {
    uint64_t seqno, epoch, log_bytes, live_bytes, retired_bytes, value_bytes, value_dead_bytes;
    uint64_t memtable_bytes, cache_bytes, mem_used, mem_limit, mem_peak;
    uint64_t snapshots, oldest_snapshot, pins, readers;
    uint64_t commits, conflicts, syncs, log_written;
    uint64_t pages_read, pages_written, bytes_read, bytes_written, cache_hits, cache_misses;
    uint64_t filter_checks, filter_rejects;
    uint64_t flushes, merges, moves, merge_bytes_in, merge_bytes_out, stalls, stall_us;
    uint64_t gets, puts, key_compares;
    struct lsm_level_stat levels[LSM_LEVEL_COUNT];
};
basin_status lsm_stat(struct lsm *db, struct lsm_stats *out, basin_error *err);
void lsm_stat_reset(struct lsm *db);

struct lsm_reader_info {
    uint32_t slot;
    const char *name;
    uint64_t seqno, held_bytes;
};
typedef int lsm_reader_fn(void *ctx, const struct lsm_reader_info *reader);
basin_status lsm_reader_list(struct lsm *db, lsm_reader_fn *fn, void *ctx, basin_error *err);
struct lsm_stratum_info {
    const char *name;
    uint32_t level;
    uint64_t size, entries, deletes, range_deletes, seqno_min, seqno_max;
    struct bytes first, last;
};
typedef int lsm_stratum_fn(void *ctx, const struct lsm_stratum_info *stratum);
basin_status lsm_stratum_list(struct lsm *db, lsm_stratum_fn *fn, void *ctx, basin_error *err);

#endif
