// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The state of an open database, and the calls between the files of the room.
 *
 * Locks, in order (docs/locks.md): refresh (5) < writer (10) < queue (20) < mu (30) < dead_mu (40)
 * < values_mu (50) < readers (60) < reserve (70). The commit leader is a role, not a lock: queue
 * hands it from one request to the next; only the leader appends to the log and writes to the
 * active memtable.
 */
#ifndef LSM_INTERNAL_H
#define LSM_INTERNAL_H

#include "lsm/ids.h"
#include "lsm/lane.h"
#include "lsm/lsm.h"
#include "lsm/version.h"
#include "store/store.h"

enum {
    LOCK_RANK_REFRESH = 5,
    LOCK_RANK_WRITER = 10,
    LOCK_RANK_QUEUE = 20,
    LOCK_RANK_MU = 30,
    LOCK_RANK_DEAD = 40,
    LOCK_RANK_VALUES = 50,
    LOCK_RANK_READERS = 60,
    LOCK_RANK_RESERVE = 70
};

enum {
    LOG_HEADER_SIZE = 128,
    LOG_RECORD_HEADER_SIZE = 32,
    LOG_RECORD_ALIGN = 8,
    LOG_SIZE_START = 256 * 1024,
    LOG_SIZE_LEAST = 16 * 1024, /* on a full disk */
    LOG_SEAL_ROOM = 64, /* kept free at the end of a log file for its seal */
    RESERVE_DELETES = 1024 * 1024, /* a memtable of deletes on a full disk */
    EDIT_SIZE_MAX = 256 * 1024 * 1024,
    IMMUTABLE_MAX = 2, /* memtables waiting for their flush before writers wait */
    MEMTABLE_RANGES_MAX = 8192,
    DEBT_RUNS_SLOW = 12, /* runs of level 0 from which writers are slowed down */
    DEBT_RUNS_SHORT = 32, /* ... from which they are refused when the disk has no room to merge */
    DEBT_RUNS_STOP = 100, /* ... and from which they wait (E42: never more than 128) */
    PATH_SIZE_MAX = 4000
};

/* ------------------------------------------------------------------ places and records */

/* A place in the commit sequence: byte `at` of the log of `epoch`. */
struct place {
    uint64_t epoch;
    uint64_t at;
};

static inline int
place_compare(struct place a, struct place b)
{
    if (a.epoch != b.epoch)
        return a.epoch < b.epoch ? -1 : 1;
    return (a.at > b.at) - (a.at < b.at);
}

enum record_type {
    RECORD_BATCH = 1,
    RECORD_EDIT = 2,
    RECORD_SEAL = 3
};

struct record {
    enum record_type type;
    struct place place;
    uint64_t first_seqno; /* of a batch; of an edit: the newest seqno before it */
    uint64_t synced;      /* position of this log known to be on disk when it was written */
    struct bytes body;    /* plain; valid until the next read */
    struct place after;   /* where the next record starts */
};

/* The memtable keeps a kind beside each seqno: larger ones are damage. */
#define LSM_SEQNO_MAX (((uint64_t)1 << 56) - 1)

/* One operation of a batch. */
enum op_kind {
    OP_PUT = 0,
    OP_DELETE = 1,
    OP_MERGE = 2,          /* value: u8 operator, operand */
    OP_REF = 3,            /* value: encoded struct value_place */
    OP_DELETE_RANGE = 4,   /* key = begin, value = end */
    OP_DELETE_FROM = 5     /* key = begin, to the end of all keys */
};
struct op {
    enum op_kind kind;
    struct bytes key;
    struct bytes value;
};
basin_status lsm__op_put(struct buf *to, const struct op *op);
/* END behind the last; CORRUPT for bytes that no writer makes. */
basin_status lsm__op_next(struct rd *r, struct op *op, basin_error *err);

/* Where a large value lies. */
struct value_place {
    struct object_id id;
    struct value_ref ref;
};
basin_status lsm__value_place_put(struct buf *to, const struct value_place *p);
basin_status lsm__value_place_get(struct bytes from, struct value_place *p, basin_error *err);

/* ------------------------------------------------------------------ edits and the manifest */

struct pin {
    char *name, *owner; /* NUL-terminated, owned */
    uint64_t seqno;
    uint64_t made_ms;
};

struct feed_hold {
    char *name;
    uint64_t seqno;
    uint64_t bytes_max;
};

enum edit_tag {
    EDIT_ADD_STRATUM = 1,
    EDIT_REMOVE_STRATUM = 2,
    EDIT_REPLAY_FROM = 3,  /* log before this place is not needed for data; newest seqno there */
    EDIT_PIN = 4,
    EDIT_UNPIN = 5,
    EDIT_SEQNO = 8,        /* newest seqno handed out */
    EDIT_CHECKPOINT = 9,   /* name of a checkpoint that is complete and synced */
    EDIT_HOLD = 10,
    EDIT_LOAD = 11,        /* seqno of a bulk load, for the change feed */
    EDIT_CLEAN = 12,       /* closed cleanly: everything is synced */
    EDIT_MOVE_STRATUM = 13, /* to another level, unchanged */
    EDIT_SPILL = 14 /* first and last seqno of a transaction that was spilled */
};

/* A structural change. Encoded by lsm__edit_*; applied by lsm__apply_edit. */
struct edit {
    struct buf body;
    bool failed;
    bool logged; /* may be in the log, also when publishing it failed: keep what it names */
};

/* The durable state apart from the data itself. GUARDED(db->mu) while open. */
struct manifest {
    const basin_allocator *mem;
    struct lsm_stratum **strata; /* counted references */
    size_t stratum_count, stratum_capacity;
    struct id_map index; /* a: place in strata */
    struct id_map uses;  /* of value strata: a: bytes used, b: strata that use it */
    struct pin *pins;
    size_t pin_count, pin_capacity;
    struct feed_hold *holds;
    size_t hold_count, hold_capacity;
    struct place replay_from;
    uint64_t replay_seqno; /* newest handed out before replay_from */
    uint64_t seqno; /* newest handed out, as far as edits tell */
    bool clean;
    struct place place; /* edits before it are applied */
    uint64_t edits;     /* applied so far */
};

void lsm__edit_init(struct edit *e, const basin_allocator *mem);
void lsm__edit_release(struct edit *e);
void lsm__edit_add_stratum(struct edit *e, const struct lsm_stratum *s);
void lsm__edit_remove_stratum(struct edit *e, struct object_id id);
void lsm__edit_move_stratum(struct edit *e, struct object_id id, uint32_t level, uint64_t run);
void lsm__edit_replay_from(struct edit *e, struct place p, uint64_t seqno);
void lsm__edit_pin(struct edit *e, const struct pin *p);
void lsm__edit_unpin(struct edit *e, const char *name);
void lsm__edit_seqno(struct edit *e, uint64_t seqno);
void lsm__edit_checkpoint(struct edit *e, struct place p);
void lsm__edit_hold(struct edit *e, const struct feed_hold *h);
void lsm__edit_load(struct edit *e, uint64_t seqno);
void lsm__edit_spill(struct edit *e, uint64_t first, uint64_t last);
void lsm__edit_clean(struct edit *e);
/* The whole manifest as one edit, for a checkpoint. */
void lsm__edit_all(struct edit *e, const struct manifest *m);
/* Decodes and applies. Unknown tags, bad bytes, removal of what is not there: CORRUPT. New strata
 * belong to db (they open their object lazily). */
basin_status lsm__manifest_apply(struct lsm *db, struct manifest *m, struct bytes body,
                                 struct place after, basin_error *err);
/* The same for a log of which a part is lost: what was added before, or is not there, does not
 * matter; strata that an edit removes are told. Nothing is retired. */
typedef basin_status lsm__removed_fn(void *ctx, struct object_id id, basin_error *err);
basin_status lsm__manifest_mend(struct lsm *db, struct manifest *m, struct bytes body,
                                struct place after, lsm__removed_fn *removed, void *ctx,
                                basin_error *err);
void lsm__manifest_release(struct manifest *m);
/* Takes the i-th stratum out and gives its reference to the caller. */
struct lsm_stratum *lsm__manifest_drop(struct manifest *m, size_t i);
/* The strata are shared. */
basin_status lsm__manifest_copy(const struct manifest *m, struct manifest *to, basin_error *err);
/* The seqnos of the bulk load or spilled transaction that an edit publishes; 0 when it has none. */
struct edit_commit {
    uint64_t first, last;
    bool spill;
};
basin_status lsm__edit_commit_of(struct lsm *db, struct bytes body, struct edit_commit *commit,
                                 basin_error *err);
/* Whether the key ranges of two strata do not meet. */
bool lsm__strata_apart(const struct lsm_stratum *a, const struct lsm_stratum *b);

/* ------------------------------------------------------------------ log files */

struct log_file {
    struct lsm *db;
    _Atomic uint32_t ref_count;
    uint64_t epoch;
    struct os_file *file;
    struct os_map *map; /* NULL: written with calls */
    uint64_t size;      /* of the file */
    uint64_t end;       /* where the next record goes; leader only */
    bool torn;          /* a write failed: what lies at the end is not certain; leader only */
    _Atomic uint64_t end_shared;
    _Atomic uint64_t synced;
    _Atomic bool fresh; /* its name is not synced yet (R4) */
    uint64_t seed;      /* of record checksums */
    struct codec_key key;
    struct buf scratch;
};

/* Creates log/E. EXISTS when it is there. end_before: up to where log/E-1 is on disk, for good,
 * once E has a record; 0: not known. */
basin_status lsm__log_create(struct lsm *db, uint64_t epoch, uint64_t end_before,
                             struct log_file **out, basin_error *err);
uint64_t lsm__log_sealed_end(const struct log_file *l); /* leader only */
void lsm__log_ref(struct log_file *l);
void lsm__log_unref(struct log_file *l);
/* LIMIT (no error text) when the file is full: the leader then rolls the epoch. */
basin_status lsm__log_append(struct log_file *l, enum record_type type, uint64_t first_seqno,
                             struct bytes body, struct place *at, basin_error *err);
/* Bytes of records that are not known to be on disk. Any thread. */
uint64_t lsm__log_unsynced(const struct log_file *l);
/* A failure poisons the database. Takes mu. */
basin_status lsm__log_sync(struct log_file *l, basin_error *err);
/* Makes the record at a place unreadable, in memory at least: what it says did not come true. */
void lsm__log_void(struct log_file *l, uint64_t at);
/* Puts the records of an earlier log into new blocks, on disk. */
basin_status lsm__log_rewrite(struct lsm *db, uint64_t epoch, basin_error *err);
/* Makes the name of the current log durable, once. Any thread; takes mu. */
basin_status lsm__log_settle(struct lsm *db, basin_error *err);

/* Reads records of log/E from a place on. */
struct log_reader {
    struct lsm *db;
    uint64_t epoch;
    struct os_file *file;
    uint64_t size;
    uint64_t at;
    uint64_t limit;       /* read no record at or after this position */
    uint64_t seed;
    struct codec_key key;
    struct buf buf, plain;
    uint64_t window_at;   /* position of buf's first byte */
    size_t window;        /* bytes of the last read */
    bool sealed;          /* a SEAL was read */
    bool sealed_bodies;   /* bodies are encrypted */
    bool mended;          /* the header was damaged, and could be made whole */
    uint64_t end_before;  /* the log before is on disk up to here, if this one has a record */
    bool live;            /* a writer may be appending: a bad record is always the tail */
    uint64_t synced_seen; /* largest synced position in records read */
    uint64_t hashed;      /* bytes of bodies whose checksum was looked at */
};
/* NOT_FOUND when there is no such log. CORRUPT / VERSION for its header. */
basin_status lsm__log_reader_open(struct lsm *db, struct place from, struct log_reader *r,
                                  basin_error *err);
void lsm__log_reader_close(struct log_reader *r);
/* END at the tail (or the seal: r->sealed). CORRUPT when damage lies below a synced position. */
basin_status lsm__log_reader_next(struct log_reader *r, struct record *out, basin_error *err);
/* After CORRUPT: goes to the next valid record behind the damage; END when there is none. */
basin_status lsm__log_reader_resync(struct log_reader *r, basin_error *err);
basin_status lsm__log_path(const struct lsm *db, uint64_t epoch, char *to, size_t size,
                           basin_error *err);

/* ------------------------------------------------------------------ memory */

/* Counts what passes through; refuses nothing by itself. */
struct counting_allocator {
    basin_allocator iface;
    const basin_allocator *under;
    _Atomic size_t used;
    _Atomic size_t peak;
};
void lsm__counting_init(struct counting_allocator *c, const basin_allocator *under);

/* ------------------------------------------------------------------ the database */

struct snapshot {
    uint64_t seqno;
    struct snapshot *prev, *next;
};

/* An open value stratum, and what is known of one that is stored. */
struct open_value {
    struct object_id id;
    struct value_stratum *stratum;
    uint32_t users;
    bool removed; /* its object is gone: closed by the last user */
    uint64_t tick;
};
struct value_state {
    struct object_id id;
    uint64_t size;
    struct place born;
    struct place dead;    /* from here on nothing refers to it; epoch 0 = live */
};

struct writer_wait {
    bool shared;
    struct writer_wait *next;
};

enum request_kind { REQUEST_COMMIT, REQUEST_EDIT, REQUEST_SYNC, REQUEST_ROTATE,
                    REQUEST_CALL };

/* What waits for the commit leader. Lives on the caller's stack. */
struct request {
    enum request_kind kind;
    struct lsm_txn *txn;      /* commit, and the edit of a spilled one: validated */
    struct bytes ops;         /* commit: encoded operations */
    uint64_t op_count;
    struct edit *edit;        /* edit, and published with a commit when set */
    /* runs on the leader under db->mu after the record is appended and before the edit shows */
    void (*install)(struct lsm *db, void *ctx);
    void *install_ctx;
    /* under mu; of an edit: before it is appended, may refuse it or fill it */
    basin_status (*call)(struct lsm *db, void *ctx, basin_error *err);
    void *call_ctx;
    uint64_t seqno_after;     /* edit: last of a bulk load or spilled transaction; 0 = none */
    bool durable;
    basin_status status;
    basin_error error;
    uint64_t seqno;           /* last of the commit */
    struct place place;
    bool done;
    struct request *next;
};

/* What is opened on a database. */
enum child { CHILD_TXN, CHILD_CURSOR, CHILD_STREAM, CHILD_LOAD, CHILD_FEED, CHILD_KINDS };

struct lsm {
    /* immutable after open */
    struct counting_allocator counting;
    const basin_allocator *mem;
    struct os *os;
    struct lsm_options o;
    char path[PATH_SIZE_MAX];
    struct store *store;
    uint64_t database_id[2];
    struct codec_key data_key;
    bool encrypted;
    struct lsm_operator *operators;
    size_t operator_count;
    struct mem_fold fold;
    struct os_file *lock_file;
    struct stratum_cache *cache;
    struct stratum_counters counters;
    uint64_t process_id;
    struct os_mark *mark;         /* of this process */
    uint64_t created_ms;
    uint32_t stored_codec, stored_level; /* of the head */
    bool without_key;             /* checks only: an encrypted database is opened without key */
    struct rebuild *rebuild;      /* repair and salvage: the manifest is made from what is left */
    bool head_lost;               /* ... and so was the head */

    /* atomic */
    _Atomic uint64_t visible;      /* newest seqno that readers see */
    _Atomic uint64_t durable;      /* newest seqno that is known to be on disk; only grows */
    _Atomic uint64_t interrupts;   /* so far: a long call compares with how many it began at */
    _Atomic bool closing;
    _Atomic uint64_t commits, conflicts, syncs, log_written, flushes, merges, moves;
    _Atomic uint64_t retired_bytes;
    _Atomic uint64_t merge_bytes_in, merge_bytes_out, stalls, stall_us, gets, puts;
    _Atomic uint64_t next_number;  /* of objects of this epoch */
    _Atomic uint64_t children[CHILD_KINDS]; /* handles that must be closed before this one */
    _Atomic uint64_t epoch;        /* the log's; changed by the leader, in a reader by refresh */
    _Atomic bool cover_pending;    /* covered log waits for a reader that was opening */
    _Atomic bool crowded;          /* writers must look at room: set with mu held */
    _Atomic uint64_t sync_started_ns; /* of the sync that the sync thread is in; 0 = none */
    _Atomic bool tail_unsafe_hint; /* the same as tail_unsafe, readable without mu */
    _Atomic bool failed_hint;      /* failed is set */
    _Atomic uint32_t writer_gate;  /* see txn.c */
    struct lane lanes[LANE_COUNT]; /* by itself: see lane.h */
    _Atomic uint64_t reserved_upto; /* so large the memtable may become before the reserve grows */
    _Atomic bool full;             /* the reserve is not whole: what takes room is refused */

    struct os_mutex *writer_mu;    /* locked-mode transactions: see txn.c */
    struct os_cond *writer_cond;
    struct lsm_txn *writer;        /* GUARDED(writer_mu) holder */
    bool writer_held;              /* GUARDED(writer_mu) */
    struct writer_wait *writer_line; /* GUARDED(writer_mu) first come, first served */

    struct os_mutex *queue_mu;
    struct os_cond *queue_cond;
    struct request *queue_head, *queue_tail; /* GUARDED(queue_mu) */
    bool leading;                            /* GUARDED(queue_mu) */

    /* leader only */
    struct log_file *log;         /* NULL until the first record */
    uint64_t last_seqno;          /* newest handed out */
    uint64_t published_at;
    uint64_t unsynced_ns; /* without threads: when log began to wait for its sync; 0 = none */

    struct os_mutex *mu;
    struct os_cond *work_cond;    /* background threads wait here */
    struct os_cond *sync_cond;    /* ... and the one that syncs buffered commits */
    struct os_cond *idle_cond;    /* those who wait for background work */
    struct manifest manifest;     /* GUARDED(mu) */
    struct version *current;      /* GUARDED(mu) */
    struct memtable *active;      /* GUARDED(mu) for the pointer */
    uint64_t first_epoch;         /* of this open */
    struct place active_from;     /* GUARDED(mu) first log place of the active memtable */
    uint64_t active_seqno;        /* GUARDED(mu) newest one before active_from */
    struct {
        struct memtable *table;
        struct place from;        /* its first place */
        uint64_t seqno;           /* newest one before it */
    } immutable[IMMUTABLE_MAX + 2]; /* GUARDED(mu) oldest first */
    size_t immutable_count;       /* GUARDED(mu) */
    uint64_t rotated, flushed;    /* GUARDED(mu) memtables that became immutable, that left */
    struct snapshot snapshots;    /* GUARDED(mu) ring, oldest first */
    uint64_t snapshot_count;      /* GUARDED(mu) */
    basin_status failed;          /* GUARDED(mu) background or sync failure: writes refuse */
    basin_error failure;          /* GUARDED(mu) */

    uint64_t level0_runs;         /* GUARDED(mu) of the current version */
    bool flush_running, merge_running; /* GUARDED(mu) */
    uint64_t merge_interrupts;         /* when the merge that runs began; its thread's */
    bool flush_wanted;            /* GUARDED(mu) */
    uint64_t merge_pointer[LSM_LEVEL_COUNT]; /* GUARDED(mu) round robin by object */
    struct place checkpoint;      /* GUARDED(mu) newest one */
    uint64_t checkpoint_edits;    /* GUARDED(mu) manifest.edits at that time */
    uint64_t covered_epoch;       /* GUARDED(mu) logs before it are gone or may go */
    bool checkpoint_running;      /* GUARDED(mu) */
    bool merge_blocked;           /* GUARDED(mu) merging found damage: merge_error */
    basin_error merge_error;      /* GUARDED(mu) */
    bool merge_idle;              /* GUARDED(mu) nothing left to merge */
    bool merge_short;             /* GUARDED(mu) a merge waits for room on the disk */
    basin_status stuck;           /* GUARDED(mu) why flushes fail for now: tried again */
    basin_error stuck_error;      /* GUARDED(mu) */
    uint64_t work_seen;           /* GUARDED(mu) counts changes that background work may want */
    bool tail_unsafe;             /* GUARDED(mu) replayed tail may not be on disk: durable commits
                                     wait for its flush */
    uint64_t manual_merges;       /* GUARDED(mu) compactions asked for */
    struct os_thread *threads[3];
    size_t thread_count;

    struct os_mutex *dead_mu;
    struct lsm_stratum *dead;     /* GUARDED(dead_mu) to unlink */

    struct os_mutex *values_mu;
    struct open_value open_values[32]; /* GUARDED(values_mu) */
    uint64_t open_tick;                /* GUARDED(values_mu) */
    struct value_out *outs;            /* GUARDED(values_mu) being written, not registered yet */
    struct value_state *values;        /* GUARDED(mu) */
    size_t value_count, value_capacity; /* GUARDED(mu) */
    struct id_map value_index;          /* GUARDED(mu) a: place in values */
    bool values_changed;                /* GUARDED(mu) since the last sweep went through */
    uint64_t values_edits;              /* GUARDED(mu) manifest.edits then */
    struct place values_oldest;         /* GUARDED(mu) and how far readers were */

    bool reserving;               /* set at open; the writer keeps a reserve */
    struct os_mutex *reserve_mu;
    struct os_file *reserve;      /* GUARDED(reserve_mu) NULL: none was made */
    uint64_t reserve_size;        /* GUARDED(reserve_mu) blocks that it holds */

    struct version *versions;     /* GUARDED(dead_mu) all that are alive */
    struct readers *readers;      /* reader table; NULL when none */
    struct reader_state *reader;  /* this process reads only */
};

static inline uint64_t
lsm__interrupts(const struct lsm *db)
{
    return atomic_load_explicit(&db->interrupts, memory_order_acquire);
}

static inline void
lsm__child_opened(struct lsm *db, enum child kind)
{
    atomic_fetch_add_explicit(&db->children[kind], 1, memory_order_relaxed);
}

static inline void
lsm__child_closed(struct lsm *db, enum child kind)
{
    atomic_fetch_sub_explicit(&db->children[kind], 1, memory_order_relaxed);
}

/* Poisons: the first failure stays and is returned by later writes. Takes mu. */
void lsm__poison(struct lsm *db, basin_status st, const basin_error *err);
/* The stored failure, or OK. Takes mu. */
basin_status lsm__failure(struct lsm *db, basin_error *err);

/* commit.c: hands the request to the leader (maybe this thread) and waits for its result. */
basin_status lsm__submit(struct lsm *db, struct request *r, basin_error *err);
/* Waits before a commit of `ops` while writers must: too many memtables wait for their flush, too
 * much debt. */
basin_status lsm__wait_for_room(struct lsm *db, struct bytes ops, basin_error *err);
basin_status lsm__wait_for_tail(struct lsm *db, basin_error *err);
/* The number of operations in a batch. */
basin_status lsm__ops_count(struct bytes ops, uint64_t *count, basin_error *err);
/* Puts encoded operations into a memtable with ascending seqnos. */
basin_status lsm__apply_ops(struct memtable *m, struct bytes ops, uint64_t first_seqno,
                            uint64_t *next_seqno, basin_error *err);
basin_status lsm__call(struct lsm *db, basin_status (*fn)(struct lsm *db, void *ctx,
                                                          basin_error *err),
                       void *ctx, basin_error *err);
/* Publishes an edit durably; install runs under mu together with it. */
basin_status lsm__publish(struct lsm *db, struct edit *edit,
                          void (*install)(struct lsm *db, void *ctx), void *ctx,
                          basin_error *err);

/* manifest.c / version.c */
struct lsm_stratum *lsm__stratum_new(struct lsm *db, struct object_id id); /* NULL: no memory */
void lsm__dead_release(struct lsm *db, bool unlink);
void lsm__stratum_ref(struct lsm_stratum *s);
void lsm__stratum_unref(struct lsm_stratum *s);
void lsm__version_ref(struct version *v);
void lsm__version_unref(struct version *v);
/* Builds a version from manifest and memtables and makes it current. REQUIRES(db->mu). */
basin_status lsm__version_install(struct lsm *db, basin_error *err);
/* A counted reference to the current version. Takes mu. */
struct version *lsm__version_get(struct lsm *db);

/* snapshots, GUARDED(db->mu) */
void lsm__snapshot_add(struct lsm *db, struct snapshot *s);
void lsm__snapshot_remove(struct lsm *db, struct snapshot *s);
/* Every seqno that somebody reads at or may, ascending, visible last. REQUIRES(db->mu). The array
 * is from db->mem. */
basin_status lsm__snapshot_list(struct lsm *db, uint64_t **out, size_t *count, size_t *capacity,
                                basin_error *err);

/* objects */
void lsm__object_name(char to[LSM_OBJECT_NAME_SIZE], const char *class_name, struct object_id id);
bool lsm__object_parse(const char *name, struct object_id *id);
basin_status lsm__write_options(struct lsm *db, struct object_id id,
                                struct stratum_write_options *out, basin_error *err);
void lsm__read_options(const struct lsm *db, struct object_id id,
                       struct stratum_read_options *out);
struct object_id lsm__next_object(struct lsm *db);

/* values.c: reference bytes of ENTRY_REF */
basin_status lsm__value_load(struct lsm *db, struct bytes ref, struct arena *to,
                             struct bytes *value, basin_error *err);
basin_status lsm__value_part(struct lsm *db, struct bytes ref, uint64_t offset, void *to, size_t n,
                             size_t *got, uint64_t *size, basin_error *err);
/* A handle of the caller's own; close with value_close. */
basin_status lsm__value_stratum_open(struct lsm *db, struct object_id id,
                                     struct value_stratum **out, basin_error *err);
void lsm__copy_part(struct bytes from, uint64_t offset, void *to, size_t n, size_t *got);

/* readers.c: tells reader processes how far the log is committed. Leader only. Before the manifest
 * changes by an edit, so that who comes after a scan of the slots knows of the edit. */
void lsm__readers_publish(struct lsm *db);
/* Everything up to seqno is on disk. Any thread. */
static inline void
lsm__durable_to(struct lsm *db, uint64_t seqno)
{
    uint64_t was = atomic_load_explicit(&db->durable, memory_order_acquire);

    while (was < seqno &&
           !atomic_compare_exchange_weak_explicit(&db->durable, &was, seqno, memory_order_acq_rel,
                                                  memory_order_acquire))
        ;
}

basin_status lsm__values_open(struct lsm *db, basin_error *err);
void lsm__values_close(struct lsm *db);
void lsm__values_sweep(struct lsm *db);
/* Place of the oldest version that is alive in this process. */
struct place lsm__versions_oldest(struct lsm *db);
/* Place of the oldest version of any reader process: what was retired at or before it may go. One
 * that is just opening counts as {0, 0}: nothing may go. {UINT64_MAX, 0} when there is none. */
struct place lsm__readers_oldest(struct lsm *db);
/* The writer opens the table before it recovers, and is ready before it appends anything. */
basin_status lsm__readers_open_writer(struct lsm *db, basin_error *err);
void lsm__readers_ready(struct lsm *db);
/* Logs of earlier epochs are about to go. */
void lsm__readers_keep(struct lsm *db, uint64_t epoch);
void lsm__readers_close(struct lsm *db);
void lsm__readers_let_go(struct lsm *db); /* a forked child closes the file, the slot stays */
void lsm__reader_close(struct lsm *db);
void lsm__reader_released(struct lsm *db);  /* REQUIRES(dead_mu) a version died */
void lsm__reader_snapshots(struct lsm *db); /* REQUIRES(mu) a snapshot ended */
/* The end of the log that this handle knows to be whole. Takes mu. */
struct place lsm__committed(struct lsm *db);
/* False in a reader process that has no slot, when a writer may have removed what it reads. */
bool lsm__is_pinned(struct lsm *db);
basin_status lsm__open_reader(struct lsm *db, basin_error *err);
uint64_t lsm__readers_count(struct lsm *db); /* other handles that read */
/* Value strata of which more than half is dead and no memtable refers to: fills at most `most`;
 * `bytes` of them live. REQUIRES(mu) */
size_t lsm__values_stale(struct lsm *db, struct object_id *to, size_t most, uint64_t *bytes);
bool lsm__object_among(struct object_id id, const struct object_id *list, size_t count);
basin_status lsm__values_stat(struct lsm *db, uint64_t *bytes, uint64_t *dead, basin_error *err);
/* Oldest epoch that a consumer of the change feed may hold; UINT64_MAX when none does. */
basin_status lsm__feed_keep_epoch(struct lsm *db, uint64_t *epoch, basin_error *err);
/* Removes strata that no manifest names. */
basin_status lsm__sweep_orphans(struct lsm *db, basin_error *err);

/* reserve.c: room for what must not fail on a full disk. */
void lsm__reserve_open(struct lsm *db);
void lsm__reserve_close(struct lsm *db);
/* Makes the reserve as large as it has to be, also when the memtable grows up to `upto` (0 = as it
 * was said before; others: leader only): NO_SPACE when the disk cannot give it. Takes mu. */
basin_status lsm__reserve_hold(struct lsm *db, uint64_t upto, basin_error *err);
void lsm__full_hint(basin_error *err);
/* NO_SPACE while the disk is full: for what takes room. */
basin_status lsm__reserve_allows(struct lsm *db, basin_error *err);
/* The disk is full: true when there is room now that was the reserve's. Takes mu. */
bool lsm__reserve_release(struct lsm *db);
/* Bytes that the disk has left; without what a flush may take while there is no reserve. */
uint64_t lsm__room(struct lsm *db);
uint64_t lsm__room_for_merge(struct lsm *db); /* takes mu */

/* note.c: what a stratum tells of itself, so that a manifest can be rebuilt. */
struct stratum_note {
    uint64_t level, run;
    struct object_id set; /* the first stratum that the same flush, merge or load wrote */
    uint64_t part;        /* its number in the set */
    bool last;            /* the set is complete */
    struct object_id group; /* not 0-0: of a load or spilled transaction, whose seqnos count from a
                               base that the manifest gives; its strata have the same group */
    struct value_use *uses;
    size_t use_count;
    struct object_id *consumed;
    size_t consumed_count;
};
basin_status lsm__note_put(struct buf *to, const struct stratum_note *n);
/* The arrays are from mem; free with lsm__note_release. */
basin_status lsm__note_get(struct bytes from, const basin_allocator *mem, struct stratum_note *n,
                           basin_error *err);
/* While salvaging a damaged page is told and passed over. */
void lsm__rebuild_skip(struct lsm_stratum *ls, struct stratum_cursor *c);
void lsm__note_release(const basin_allocator *mem, struct stratum_note *n);

/* head.c, recover.c, open.c */
/* For reading stored bytes only: head and store, no manifest; a seal is not looked behind. */
basin_status lsm__open_stored(const char *path, const struct lsm_options *options,
                              struct lsm **out, basin_error *err);
void lsm__kdf_defaults(struct lsm_options *o);
basin_status lsm__head_create(struct lsm *db, basin_error *err);
/* Repair: writes a head in the place of the one that is lost. */
basin_status lsm__head_replace(struct lsm *db, uint64_t generation, basin_error *err);
/* CORRUPT when there are objects; called when there is no head. */
basin_status lsm__check_headless(struct lsm *db, basin_error *err);
basin_status lsm__head_read(struct lsm *db, uint64_t *generation, basin_error *err);
basin_status lsm__checkpoint_load(struct lsm *db, struct place at, struct manifest *m,
                                  basin_error *err);
basin_status lsm__log_list(struct lsm *db, uint64_t **out, size_t *count, size_t *capacity,
                           basin_error *err);
basin_status lsm__remove_covered(struct lsm *db, basin_error *err);
void lsm__background_failed(struct lsm *db, basin_status st, const basin_error *err);
void lsm__log_remove(struct lsm *db, uint64_t epoch);
void lsm__log_retire(struct lsm *db, uint64_t epoch);

/* flush.c, merge.c, background.c */
/* What holds flushes up, or OK; REQUIRES(db->mu). */
basin_status lsm__stuck(const struct lsm *db, basin_error *err);
basin_status lsm__rotate(struct lsm *db, basin_error *err);      /* leader, takes mu */
bool lsm__any_ranges(const struct lsm *db);                        /* REQUIRES(db->mu) */
uint64_t lsm__next_run(struct lsm *db);                           /* REQUIRES(db->mu) */
basin_status lsm__flush_step(struct lsm *db, bool *did, basin_error *err);
basin_status lsm__merge_step(struct lsm *db, bool *did, basin_error *err);
basin_status lsm__checkpoint(struct lsm *db, basin_error *err);
/* At open, before anything is logged: no record tells of it. */
basin_status lsm__checkpoint_first(struct lsm *db, basin_error *err);
bool lsm__checkpoint_due(struct lsm *db); /* REQUIRES(db->mu) */
void lsm__remove_dead(struct lsm *db);    /* unlinks what nobody needs */
basin_status lsm__background_start(struct lsm *db, basin_error *err);
void lsm__background_stop(struct lsm *db);
void lsm__background_wake(struct lsm *db); /* takes mu */
/* The table of operators for memtable_new. */
const struct mem_fold *lsm__fold_table(const struct lsm *db);
/* One piece of work in the order flush, checkpoint, merge. */
basin_status lsm__background_step(struct lsm *db, bool *did, basin_error *err);

/* strata of a merge or flush being written; cut at stratum_size */
struct output;
struct output_options {
    struct lsm *db;
    uint32_t level;
    uint64_t run;              /* level 0 */
    uint64_t seqno_elide;
    uint64_t size_max;         /* of one stratum; 0 = no cut */
    struct object_id group;    /* seqnos are given when it is published: see stratum_note */
    struct lsm_stratum *const *consumed; /* what the output replaces, told in its meta */
    size_t consumed_count;
    const struct object_id *stale; /* value strata whose values are copied out of them */
    size_t stale_count;
    const struct range_tombstone *ranges; /* fragments ascending, clipped into the outputs */
    size_t range_count;
    struct lsm_stratum *const *between; /* ascending: no stratum of the output lies across one */
    size_t between_count;
};
basin_status lsm__output_open(const struct output_options *options, struct output **out,
                              basin_error *err);
basin_status lsm__output_add(struct output *o, const struct entry *e, basin_error *err);
/* The entry added last is only there for a snapshot older than what lies above it. */
void lsm__output_stacked(struct output *o);
/* Finishes and syncs; the strata are then in lsm__output_strata. */
basin_status lsm__output_finish(struct output *o, basin_error *err);
size_t lsm__output_strata(struct output *o, struct lsm_stratum ***strata);
uint64_t lsm__output_bytes(const struct output *o);
/* Removes the objects of an output that was not published (keep = false). */
void lsm__output_close(struct output *o, bool keep);

#endif
