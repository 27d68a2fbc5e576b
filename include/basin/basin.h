// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Basin: an embedded, ordered, transactional key/value core. C17, callable from C++.
 *
 * Conventions
 * - Every function that can fail returns a basin_status and tells the story in *err, which the
 *   caller owns and which may be NULL. Outputs are NULL or 0 on failure.
 * - Keys are 0 to BASIN_KEY_MAX bytes, any content, ordered by memcmp, a shorter key first.
 *   Values are 0 to 2^40 bytes.
 * - Lifetime: what a read in a transaction returns stays valid until the transaction ends; what a
 *   cursor returns, until its next step. Inputs are copied before the call returns.
 * - Threads: a basin_db is shared by all threads. A transaction, cursor, stream, feed or load is
 *   used by one thread at a time.
 * - Options structs start with their size: initialise them with the INIT constant.
 * - A database handle is not usable in a forked child: calls return MISUSE there, and basin_close
 *   only lets go of the locks that the child would go on holding.
 */
#ifndef BASIN_BASIN_H
#define BASIN_BASIN_H

#include <stdbool.h>

#include "basin/types.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    BASIN_KEY_MAX = 65000,      /* bytes of a user key */
    BASIN_NAME_MAX = 255,       /* bytes of a keyspace, pin, owner, savepoint or consumer name */
    BASIN_SAVEPOINT_MAX = 1000  /* savepoints in one transaction */
};

typedef struct basin_db basin_db;
typedef struct basin_txn basin_txn;
typedef struct basin_cursor basin_cursor;
typedef struct basin_stream basin_stream;
typedef struct basin_load basin_load;
typedef struct basin_feed basin_feed;

/* A keyspace's number, from basin_space_open; 0 is the default keyspace. Writing with a number that
 * is no keyspace's is NOT_FOUND, or CONFLICT at commit when the keyspace was dropped meanwhile. */
typedef uint64_t basin_space;
#define BASIN_SPACE_DEFAULT ((basin_space)0)

/* "0.1.0"; never NULL. */
BASIN_API const char *basin_version(void);
/* The newest format that this build writes, and the oldest that it reads. */
BASIN_API uint32_t basin_format_version(uint32_t *oldest);

/* ------------------------------------------------------------------ merge operators */

/* Built-in operator numbers (the id set and key set operators belong to the links model). */
enum {
    BASIN_OP_COUNTER = 2, /* value 00 + i64 LE; operand 01 + i64 LE delta; saturating */
    BASIN_OP_APPEND = 16, /* value = base + operands, concatenated */
    BASIN_OP_USER_MIN = 64 /* numbers 64..255 are the application's */
};

/*
 * Called from any thread, without locks held; calling back into the database is MISUSE. Pure: the
 * result depends on the arguments only. `reply` hands the result over and may be called once.
 */
typedef struct basin_merge_reply basin_merge_reply;
BASIN_API basin_status basin_merge_result(basin_merge_reply *reply, const void *data, size_t size);
/* The merged value does not exist: the key is deleted. */
BASIN_API basin_status basin_merge_delete(basin_merge_reply *reply);

typedef struct basin_operator {
    uint32_t number;  /* BASIN_OP_USER_MIN..255 */
    const char *name; /* for error texts; copied */
    void *ctx;
    /* base is NULL when there is none; operands are oldest first, count >= 1 */
    basin_status (*full)(void *ctx, basin_bytes key, const basin_bytes *base,
                         const basin_bytes *operands, size_t count, basin_merge_reply *reply);
    /* Folds two neighbours into one operand; may be NULL. Associative. */
    basin_status (*partial)(void *ctx, basin_bytes key, basin_bytes older, basin_bytes newer,
                            basin_merge_reply *reply);
    uint64_t reserved[4]; /* 0 */
} basin_operator;

/* ------------------------------------------------------------------ open and close */

typedef enum basin_codec {
    BASIN_CODEC_STORED = 0, /* the one that the database was created with; creating: lz4 */
    BASIN_CODEC_NONE = 1,
    BASIN_CODEC_LZ4 = 2,
    BASIN_CODEC_ZSTD = 3
} basin_codec;

typedef enum basin_durability {
    BASIN_DURABLE = 0,  /* on disk at return: survives power loss */
    BASIN_BUFFERED = 1  /* survives the death of the process; reaches the disk within
                           buffer_ms or buffer_bytes, whichever comes first */
} basin_durability;

typedef struct basin_options {
    size_t struct_size;
    bool read_only;          /* a reader: any number of processes, beside one writer */
    bool must_exist;         /* NOT_FOUND instead of creating */
    bool must_create;        /* EXISTS instead of opening */
    uint32_t lock_timeout_ms;/* how long to wait for another writer; 0 = BUSY at once */
    uint64_t mem_limit;      /* bytes for memtables, caches, compaction, loads; 0 = 64 MiB */
    uint32_t threads;        /* background threads: 0 = default (2); see no_threads */
    bool no_threads;         /* background work runs inside writing calls and basin_pump */
    uint64_t buffer_ms;      /* bound for BUFFERED commits; 0 = 1000 */
    uint64_t buffer_bytes;   /* bound for BUFFERED commits; 0 = 4 MiB */
    /* settings stored at creation; later opens use what is stored */
    uint32_t page_size;      /* 256..65536; 0 = 4096 */
    basin_codec codec;       /* of new strata; another than the stored one counts for this open */
    int32_t codec_level;     /* zstd 1..19; 0 = the stored one with BASIN_CODEC_STORED, else 3 */
    int32_t filter_bits;     /* per key; 0 = 10, -1 = no filters, nor lists of keyspaces */
    uint32_t level_factor;   /* size ratio of levels; 0 = 10, from 2 */
    uint64_t memtable_size;  /* 0 = a quarter of mem_limit, at most 64 MiB */
    uint64_t stratum_size;   /* 0 = 16 MiB, at most 64 MiB */
    uint64_t value_threshold;/* values from this size are kept out of line; 0 = 64 KiB */
    /* secrecy: at most one of the two */
    basin_bytes passphrase;  /* stretched with Argon2id */
    basin_bytes key;         /* 32 random bytes */
    uint32_t kdf_passes;     /* Argon2id at creation; 0 = 3 */
    uint32_t kdf_memory_kib; /* 0 = 65536 */
    /* hooks; NULL = the C library, the operating system */
    const basin_allocator *allocator;
    void *env;               /* a struct os of the simulator; tests only */
    const basin_operator *operators;
    size_t operator_count;
    const char *name;        /* how this reader shows in basin_stat; NULL = the process */
    uint64_t reserved[8];
} basin_options;
#define BASIN_OPTIONS_INIT { .struct_size = sizeof(basin_options) }

/*
 * Opens or creates the database in directory `path`. One writer at a time: BUSY names the holder.
 * Errors: NOT_FOUND, EXISTS, BUSY, READ_ONLY, VERSION, CORRUPT, WRONG_KEY, IO, NO_SPACE, NO_MEM,
 * LIMIT (path too long), MISUSE (options).
 */
BASIN_API BASIN_MUST_USE basin_status basin_open(const char *path, const basin_options *options,
                                                 basin_db **out, basin_error *err);
/*
 * Closes: BUFFERED commits reach the disk. BUSY when transactions, cursors, streams, loads or
 * feeds are still open: they are named, nothing is freed. Takes NULL. A failed final sync is
 * returned, the handle is freed all the same.
 */
BASIN_API basin_status basin_close(basin_db *db, basin_error *err);
/* Makes running long calls return CANCELLED. Async-signal-safe. */
BASIN_API void basin_interrupt(basin_db *db);
/* Reader: moves to the newest commit; running transactions keep their snapshot. */
BASIN_API basin_status basin_refresh(basin_db *db, uint64_t *seqno, basin_error *err);
/* Runs one piece of background work (no_threads). *more = whether there is more to do. */
BASIN_API basin_status basin_pump(basin_db *db, bool *more, basin_error *err);
/* Makes every commit so far durable. */
BASIN_API basin_status basin_sync(basin_db *db, basin_error *err);
/* Writes the memtable to strata and waits for it. */
BASIN_API basin_status basin_flush(basin_db *db, basin_error *err);
/* Replaces the passphrase or key; no data is rewritten. Nobody else may have the database open. */
BASIN_API basin_status basin_rekey(const char *path, const basin_options *old_secret,
                                   const basin_options *new_secret, basin_error *err);

/* ------------------------------------------------------------------ transactions */

typedef enum basin_mode {
    BASIN_READ = 0,         /* a snapshot; never blocks */
    BASIN_WRITE = 1,        /* optimistic: serializable, commit may return CONFLICT */
    BASIN_WRITE_LOCKED = 2  /* waits for the database's writer lock, never conflicts */
} basin_mode;

typedef struct basin_begin_options {
    size_t struct_size;
    basin_mode mode;
    uint32_t timeout_ms;  /* locked: how long to wait; 0 = BUSY at once, UINT32_MAX = for ever */
    const char *at_pin;   /* read at a named pin */
    uint64_t at_seqno;    /* read at a seqno that a pin or the present still holds; 0 = newest */
    bool no_read_check;   /* optimistic without validation of reads: snapshot isolation */
} basin_begin_options;
#define BASIN_BEGIN_INIT { .struct_size = sizeof(basin_begin_options) }

/* Errors: TIMEOUT, BUSY, NOT_FOUND (pin), TOO_OLD (seqno), READ_ONLY, NO_MEM. */
BASIN_API BASIN_MUST_USE basin_status basin_begin(basin_db *db, const basin_begin_options *options,
                                                  basin_txn **out, basin_error *err);
/* Begins with a mode and defaults otherwise; a locked one waits for ever. */
BASIN_API BASIN_MUST_USE basin_status basin_begin_mode(basin_db *db, basin_mode mode,
                                                       basin_txn **out, basin_error *err);
/*
 * Commits and ends the transaction whatever the result. *seqno (may be NULL) is the commit's
 * number. A transaction may be larger than memory: what outgrew its share of mem_limit was written
 * to strata, which the commit publishes; it is durable then, whatever was asked for.
 * Errors: CONFLICT, NO_SPACE, IO (the database then refuses further writes until it is opened
 * again), BUSY (open cursors of this transaction are named; or, without threads, a locked
 * transaction is open: only then it goes on, commit again or abort).
 */
BASIN_API basin_status basin_commit(basin_txn *txn, basin_durability durability, uint64_t *seqno,
                                    basin_error *err);
/* Ends without effect. Takes NULL. Open cursors of it become invalid and must still be closed. */
BASIN_API void basin_abort(basin_txn *txn);
/* The seqno that the transaction reads at. */
BASIN_API uint64_t basin_txn_seqno(const basin_txn *txn);

/* NOT_FOUND is an ordinary result. *value is valid until the transaction ends. */
BASIN_API basin_status basin_get(basin_txn *txn, basin_space space, basin_bytes key,
                                 basin_bytes *value, basin_error *err);
/* Copies value bytes [offset, offset + n) to `to`; *got and *size (may be NULL) tell how many and
 * how long the value is. Holds nothing in memory: for large values and many reads. */
BASIN_API basin_status basin_read(basin_txn *txn, basin_space space, basin_bytes key,
                                  uint64_t offset, void *to, size_t n, size_t *got, uint64_t *size,
                                  basin_error *err);
BASIN_API basin_status basin_put(basin_txn *txn, basin_space space, basin_bytes key,
                                 basin_bytes value, basin_error *err);
BASIN_API basin_status basin_delete(basin_txn *txn, basin_space space, basin_bytes key,
                                    basin_error *err);
/* Deletes [begin, end) as one record; end NULL = to the end of the keyspace. */
BASIN_API basin_status basin_delete_range(basin_txn *txn, basin_space space, basin_bytes begin,
                                          const basin_bytes *end, basin_error *err);
BASIN_API basin_status basin_delete_prefix(basin_txn *txn, basin_space space, basin_bytes prefix,
                                           basin_error *err);
/* Adds a merge operand without reading. */
BASIN_API basin_status basin_merge(basin_txn *txn, basin_space space, basin_bytes key,
                                   uint32_t operator_number, basin_bytes operand,
                                   basin_error *err);
/* BASIN_OP_COUNTER in plain numbers: add, and read (NOT_FOUND = 0 and no such key). */
BASIN_API basin_status basin_counter_add(basin_txn *txn, basin_space space, basin_bytes key,
                                         int64_t delta, basin_error *err);
BASIN_API basin_status basin_counter_get(basin_txn *txn, basin_space space, basin_bytes key,
                                         int64_t *value, basin_error *err);

/* Streams a value in; total length need not be known. The put happens at close. */
BASIN_API basin_status basin_stream_open(basin_txn *txn, basin_space space, basin_bytes key,
                                         basin_stream **out, basin_error *err);
BASIN_API basin_status basin_stream_write(basin_stream *s, const void *p, size_t n,
                                          basin_error *err);
BASIN_API basin_status basin_stream_close(basin_stream *s, basin_error *err); /* frees */
BASIN_API void basin_stream_abort(basin_stream *s);                           /* takes NULL */

/* Named savepoints nest; rolling back keeps the savepoint, releasing forgets it. */
BASIN_API basin_status basin_savepoint(basin_txn *txn, const char *name, basin_error *err);
BASIN_API basin_status basin_rollback_to(basin_txn *txn, const char *name, basin_error *err);
BASIN_API basin_status basin_savepoint_release(basin_txn *txn, const char *name, basin_error *err);

/* One put, get or delete in a transaction of its own. basin_db_get copies: *got bytes of at most
 * n, *size = the value's length. */
BASIN_API basin_status basin_db_put(basin_db *db, basin_space space, basin_bytes key,
                                    basin_bytes value, basin_durability durability,
                                    basin_error *err);
BASIN_API basin_status basin_db_delete(basin_db *db, basin_space space, basin_bytes key,
                                       basin_durability durability, basin_error *err);
BASIN_API basin_status basin_db_get(basin_db *db, basin_space space, basin_bytes key, void *to,
                                    size_t n, uint64_t *size, basin_error *err);

/* ------------------------------------------------------------------ cursors */

typedef enum basin_bound { BASIN_NO_BOUND = 0, BASIN_INCLUDED = 1, BASIN_EXCLUDED = 2 } basin_bound;

typedef struct basin_range {
    size_t struct_size;
    basin_bound lower_bound;
    basin_bound upper_bound;
    basin_bytes lower;
    basin_bytes upper;
    basin_bytes prefix; /* used when size > 0: only keys that start with it */
} basin_range;
#define BASIN_RANGE_INIT { .struct_size = sizeof(basin_range) }

typedef enum basin_seek { BASIN_SEEK_EQ = 0, BASIN_SEEK_LE = 1, BASIN_SEEK_GE = 2 } basin_seek_op;

typedef struct basin_pair {
    basin_bytes key;
    basin_bytes value; /* data NULL with a size when the value is out of line: basin_cursor_read */
} basin_pair;

/*
 * Opens a cursor over one keyspace; range may be NULL. It sees the transaction as of now. It is
 * positioned nowhere: call first, last or seek. OK = positioned, END = no such place (then it is
 * invalid until positioned again).
 */
BASIN_API BASIN_MUST_USE basin_status basin_cursor_open(basin_txn *txn, basin_space space,
                                                        const basin_range *range,
                                                        basin_cursor **out, basin_error *err);
BASIN_API void basin_cursor_close(basin_cursor *c); /* takes NULL */
BASIN_API basin_status basin_cursor_first(basin_cursor *c, basin_error *err);
BASIN_API basin_status basin_cursor_last(basin_cursor *c, basin_error *err);
BASIN_API basin_status basin_cursor_seek(basin_cursor *c, basin_bytes key, basin_seek_op op,
                                         basin_error *err);
BASIN_API basin_status basin_cursor_next(basin_cursor *c, basin_error *err);
BASIN_API basin_status basin_cursor_prev(basin_cursor *c, basin_error *err);
/* Steps up to `capacity` times and copies the pairs; they are valid until the next call. Starts
 * with the current pair, ends with a pair whose value is out of line and stays there, so that
 * basin_cursor_read reads it; the next call goes on behind it. END with *count = 0 behind the last
 * one. */
BASIN_API basin_status basin_cursor_next_many(basin_cursor *c, basin_pair *pairs, size_t capacity,
                                              size_t *count, basin_error *err);
BASIN_API bool basin_cursor_valid(const basin_cursor *c);
/* Only when valid; valid until the next step. */
BASIN_API basin_bytes basin_cursor_key(const basin_cursor *c);
BASIN_API basin_status basin_cursor_value(basin_cursor *c, basin_bytes *value, basin_error *err);
BASIN_API basin_status basin_cursor_value_size(basin_cursor *c, uint64_t *size, basin_error *err);
BASIN_API basin_status basin_cursor_read(basin_cursor *c, uint64_t offset, void *to, size_t n,
                                         size_t *got, basin_error *err);
/* <0, 0, >0: the current key against `key`. Only when valid. */
BASIN_API int basin_cursor_compare(const basin_cursor *c, basin_bytes key);

/* ------------------------------------------------------------------ keyspaces */

/* NOT_FOUND when absent and create is false. The number is valid as long as the keyspace. */
BASIN_API basin_status basin_space_open(basin_txn *txn, const char *name, bool create,
                                        basin_space *space, basin_error *err);
/* Drops it with all its keys, as one range delete. Its number is never used again. */
BASIN_API basin_status basin_space_drop(basin_txn *txn, const char *name, basin_error *err);
/* The named keyspaces; the default one is always there and not listed. Its name "default" is taken:
 * dropping it empties it. In feeds and salvage its number is BASIN_SPACE_DEFAULT. */
typedef int basin_space_fn(void *ctx, const char *name, basin_space space); /* non-zero stops */
BASIN_API basin_status basin_space_list(basin_txn *txn, basin_space_fn *fn, void *ctx,
                                        basin_error *err);

/* ------------------------------------------------------------------ pins */

/* Names the present: a snapshot that survives close and reopen until it is unpinned. */
BASIN_API basin_status basin_pin(basin_db *db, const char *name, const char *owner,
                                 uint64_t *seqno, basin_error *err);
BASIN_API basin_status basin_unpin(basin_db *db, const char *name, basin_error *err);
typedef struct basin_pin_info {
    const char *name;
    const char *owner;
    uint64_t seqno;
    uint64_t made_ms;    /* wall time, since 1970 */
    uint64_t held_bytes; /* what dropping this pin alone could free, estimated from strata */
} basin_pin_info;
typedef int basin_pin_fn(void *ctx, const basin_pin_info *pin);
BASIN_API basin_status basin_pin_list(basin_db *db, basin_pin_fn *fn, void *ctx,
                                      basin_error *err);

/* ------------------------------------------------------------------ change feed */

typedef enum basin_change_kind {
    BASIN_CHANGE_PUT = 0,
    BASIN_CHANGE_DELETE = 1,
    BASIN_CHANGE_DELETE_RANGE = 2,
    BASIN_CHANGE_MERGE = 3,
    BASIN_CHANGE_LOAD = 4, /* a bulk load was published; no key */
    BASIN_CHANGE_SPILL = 5 /* a transaction larger than memory was committed; no key: what it
                              changed shows from commit_seqno on */
} basin_change_kind;

typedef struct basin_change {
    basin_change_kind kind;
    basin_space space;
    uint64_t seqno;        /* of the change */
    uint64_t commit_seqno; /* of its commit: resume after it */
    basin_bytes key;       /* begin of a range */
    basin_bytes value;     /* operand of a merge, end of a range; data NULL when unbounded or
                              out of line */
    uint64_t value_size;
    bool last_in_commit;
    uint64_t reserved[4];
} basin_change;

/* Follows commits after `since` (0 = from the oldest kept). TOO_OLD when the log is gone. */
BASIN_API basin_status basin_feed_open(basin_db *db, uint64_t since, basin_feed **out,
                                       basin_error *err);
/* OK, or END when nothing newer is on disk yet. *change is valid until the next call. */
BASIN_API basin_status basin_feed_next(basin_feed *f, basin_change *change, basin_error *err);
BASIN_API void basin_feed_close(basin_feed *f);
/* A named consumer holds log from seqno on, up to bytes_max; seqno UINT64_MAX forgets it. */
BASIN_API basin_status basin_feed_hold(basin_db *db, const char *consumer, uint64_t seqno,
                                       uint64_t bytes_max, basin_error *err);

/* ------------------------------------------------------------------ bulk load */

typedef struct basin_load_options {
    size_t struct_size;
    bool unsorted;        /* sorts outside memory; the last of equal keys wins */
    basin_watch watch;
} basin_load_options;
#define BASIN_LOAD_INIT { .struct_size = sizeof(basin_load_options), .watch = BASIN_WATCH_INIT }

/* Writes sorted strata straight and publishes them at once. Keys must ascend unless unsorted. */
BASIN_API basin_status basin_load_open(basin_db *db, basin_space space,
                                       const basin_load_options *options, basin_load **out,
                                       basin_error *err);
BASIN_API basin_status basin_load_add(basin_load *l, basin_bytes key, basin_bytes value,
                                      basin_error *err);
/* Publishes durably and frees. BUSY, without threads only: a locked transaction is open; the load
 * goes on, commit again or abort. */
BASIN_API basin_status basin_load_commit(basin_load *l, uint64_t *seqno, basin_error *err);
BASIN_API void basin_load_abort(basin_load *l); /* takes NULL; nothing is left behind */

/* ------------------------------------------------------------------ care */

/* Compacts everything, or one keyspace (space and whole = false). */
BASIN_API basin_status basin_compact(basin_db *db, const basin_watch *watch, basin_error *err);

typedef struct basin_fault {
    const char *object;     /* "strata/3-17" */
    const char *what;       /* the error text */
    basin_status status;
    basin_bytes lost_from;  /* key range that cannot be read (raw keys, space id first) */
    basin_bytes lost_to;
    bool has_range;
} basin_fault;
typedef void basin_fault_fn(void *ctx, const basin_fault *fault);

typedef struct basin_check_options {
    size_t struct_size;
    bool deep;               /* every page and entry, not only the structure */
    basin_fault_fn *fault;
    void *ctx;
    basin_watch watch;
} basin_check_options;
#define BASIN_CHECK_INIT { .struct_size = sizeof(basin_check_options), .watch = BASIN_WATCH_INIT }

/* Checks the database at path; works beside a writer. OK, or CORRUPT after all faults were told.
 * Without the secret an encrypted database is checked as far as its stored bytes go. */
BASIN_API basin_status basin_check(const char *path, const basin_options *open,
                                   const basin_check_options *options, basin_error *err);
/*
 * Rebuilds the checkpoint from the strata and logs that can be read. Writes the repaired database
 * to `to`, or with to NULL in place. Faults and lost key ranges are told.
 */
BASIN_API basin_status basin_repair(const char *path, const char *to, const basin_options *open,
                                    const basin_check_options *options, basin_error *err);
/* A pair that was saved. A value of up to 256 KiB comes whole, a larger one in pieces of that size
 * in order, none of which is given before all were read. Valid during the call. */
typedef struct basin_piece {
    basin_space space;
    const char *space_name; /* "" when it is lost */
    basin_bytes key;
    uint64_t value_size; /* of the whole value, in bytes */
    uint64_t at;         /* of the piece in it */
    basin_bytes piece;
} basin_piece;
/* What it returns, if not OK, ends salvage and is returned. */
typedef basin_status basin_piece_fn(void *ctx, const basin_piece *piece);
/* Gives every pair that can still be read, newest version, in key order to fn; touches nothing. */
BASIN_API basin_status basin_salvage(const char *path, const basin_options *open,
                                     const basin_check_options *options, basin_piece_fn *fn,
                                     void *ctx, basin_error *err);

/* ------------------------------------------------------------------ figures */

enum { BASIN_LEVEL_COUNT = 9 };

typedef struct basin_level_stat {
    uint64_t runs;
    uint64_t strata;
    uint64_t bytes;
    uint64_t entries;
    uint64_t deletes;
} basin_level_stat;

typedef struct basin_stats {
    size_t struct_size;
    uint64_t seqno;            /* newest visible */
    uint64_t epoch;
    uint64_t log_bytes;        /* in log files */
    uint64_t live_bytes;       /* in live strata */
    uint64_t retired_bytes;    /* dead strata that readers still hold */
    uint64_t value_bytes;      /* in value strata */
    uint64_t value_dead_bytes; /* of those, dead */
    uint64_t memtable_bytes;
    uint64_t cache_bytes;
    uint64_t mem_used;
    uint64_t mem_limit;
    uint64_t mem_peak;
    uint64_t snapshots;        /* open transactions of this process */
    uint64_t oldest_snapshot;  /* seqno */
    uint64_t pins;
    uint64_t readers;          /* other processes */
    /* counters since open or reset */
    uint64_t commits;
    uint64_t conflicts;
    uint64_t syncs;
    uint64_t log_written;
    uint64_t pages_read;
    uint64_t pages_written;
    uint64_t bytes_read;
    uint64_t bytes_written;
    uint64_t cache_hits;
    uint64_t cache_misses;
    uint64_t filter_checks;
    uint64_t filter_rejects;
    uint64_t flushes;
    uint64_t merges;
    uint64_t moves;
    uint64_t merge_bytes_in;
    uint64_t merge_bytes_out;
    uint64_t stalls;
    uint64_t stall_us;
    uint64_t gets;
    uint64_t puts;
    uint64_t key_compares;
    basin_level_stat levels[BASIN_LEVEL_COUNT];
} basin_stats;
#define BASIN_STATS_INIT { .struct_size = sizeof(basin_stats) }

BASIN_API basin_status basin_stat(basin_db *db, basin_stats *out, basin_error *err);
BASIN_API void basin_stat_reset(basin_db *db);

typedef struct basin_reader_info {
    uint32_t slot;
    const char *name;
    uint64_t seqno;
    uint64_t held_bytes;
} basin_reader_info;
typedef int basin_reader_fn(void *ctx, const basin_reader_info *reader);
BASIN_API basin_status basin_reader_list(basin_db *db, basin_reader_fn *fn, void *ctx,
                                         basin_error *err);

typedef struct basin_stratum_info {
    const char *name;
    uint32_t level;
    uint64_t size;
    uint64_t entries;
    uint64_t deletes;
    uint64_t range_deletes;
    uint64_t seqno_min;
    uint64_t seqno_max;
    basin_bytes first; /* raw keys, space id first */
    basin_bytes last;
} basin_stratum_info;
typedef int basin_stratum_fn(void *ctx, const basin_stratum_info *stratum);
BASIN_API basin_status basin_stratum_list(basin_db *db, basin_stratum_fn *fn, void *ctx,
                                          basin_error *err);

#ifdef __cplusplus
}
#endif
#endif
