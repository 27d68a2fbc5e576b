// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * What a reader sees: memtables and runs of strata, newest first. A version is immutable and
 * counted; a snapshot is a version and a seqno.
 *
 * (V1) sources are ordered: for one key everything in an earlier source is newer.
 * (V2) the strata of a run ascend and do not overlap; of the level 0 runs the newest comes first;
 *      levels follow in ascending order with at most one run each.
 * (V3) range tombstones of a source act on itself and on later sources only.
 */
#ifndef LSM_VERSION_H
#define LSM_VERSION_H

#include "lsm/icur.h"
#include "lsm/lsm.h"
#include "lsm/mem.h"

enum { LSM_OBJECT_NAME_SIZE = 64 };

/* The name of an object: "CLASS/EPOCH-NUMBER". */
struct object_id {
    uint64_t epoch;
    uint64_t number;
};

/* Bytes of a value stratum that a stratum refers to. */
struct value_use {
    struct object_id id;
    uint64_t bytes;
    uint64_t count;
};

/* A live or retired stratum of this database, shared by versions. */
struct lsm_stratum {
    /* immutable */
    struct lsm *db;
    struct object_id id;
    uint32_t level;
    uint64_t run;             /* level 0: larger is newer; else the level */
    struct buf first_key, last_key;
    bool last_excluded, last_unbounded;
    bool stacked; /* of some key more than one version was kept, for a snapshot or pin */
    uint64_t entries, deletes, merges, range_tombstones, refs;
    uint64_t seqno_min, seqno_max;
    uint64_t size, raw_bytes, hash;
    struct value_use *uses;
    size_t use_count;
    /* atomic */
    _Atomic uint32_t ref_count;
    _Atomic(struct stratum *) opened; /* once set, until freed */
    _Atomic bool damaged;             /* fenced off: reads answer CORRUPT */
    _Atomic bool lossy;               /* salvage passed over pages of it */
    /* GUARDED(db->mu) */
    bool in_merge;
    uint64_t purge_seen;      /* flushes of this process, plus 1, when a purge looked at it */
    bool obsolete;            /* no edit keeps it: the object goes with the last reference */
    uint64_t retired_epoch, retired_at; /* place behind the edit that removed it */
    struct lsm_stratum *next; /* list of all / retired */
};

struct lsm_run {
    uint32_t level;
    uint64_t run;
    size_t count;
    struct lsm_stratum **strata; /* borrowed array of counted references of the version */
};

struct version {
    _Atomic uint32_t ref_count;
    struct version *older, *newer; /* GUARDED(db->dead_mu) list of all that are alive */
    struct lsm *db;
    uint64_t place_epoch, place_at; /* edits before this place are in it */
    size_t mem_count;         /* [0] is the active one */
    struct memtable **mems;
    size_t run_count;
    struct lsm_run *runs;
    size_t stratum_count;
    struct lsm_stratum **strata; /* all, grouped by run */
};

/*
 * What a transaction has spilled: runs of strata that nobody else knows, with the numbers of its
 * operations as seqnos. Immutable and counted; confined like its transaction.
 */
struct spilled {
    struct lsm *db;
    uint32_t ref_count;
    size_t run_count;
    struct lsm_run *runs; /* newest first; what a later one says hides the earlier ones (V1, V3) */
    size_t stratum_count;
    struct lsm_stratum **strata; /* counted references, grouped by run */
};
void lsm__spilled_ref(struct spilled *p);
void lsm__spilled_unref(struct spilled *p); /* takes NULL */

/* Opens on first use; then lock-free. The stratum stays open as long as ls. */
basin_status lsm__stratum_use(struct lsm_stratum *ls, struct stratum **out, basin_error *err);

/* ------------------------------------------------------------------ reading (get.c, run.c,
 * multi.c, view.c) */

/* Tells what to do about damage, unless the error does already; returns st. */
basin_status lsm__advise(basin_status st, basin_error *err);

/* Salvage goes on behind what it cannot read; everybody else ends there. */
bool lsm__passes_over(const struct lsm *db, basin_status st);

/* The operator with this number, or NULL. */
const struct lsm_operator *lsm__operator(const struct lsm *db, uint8_t number);

/*
 * Value of key at snapshot in version v, a transaction's own operations first: extra, its memtable,
 * and what it has spilled; both may be NULL, all of them is visible. Range tombstones and merges
 * are resolved.
 */
struct lsm_found {
    enum entry_kind kind;   /* ENTRY_PUT or ENTRY_REF */
    struct bytes value;     /* of a put: see `in_place`; of a ref: the reference bytes */
    uint64_t seqno;         /* of the newest part */
    bool in_place;          /* value lies in a memtable or a map of the version: lives as long; else
                               in a pinned page, the own operations or `scratch` */
    struct stratum *stratum; /* pinned page: release with lsm__found_release */
    struct stratum_hit hit;
    struct buf scratch;     /* merged result */
};
/* Zero-initialises f, except scratch.mem which it sets. NOT_FOUND is an ordinary result;
 * UNKNOWN_OPERATOR names number and key. Counts db's gets. */
basin_status lsm__get(struct version *v, struct memtable *extra, const struct spilled *spilled,
                      struct bytes key, uint64_t snapshot, struct lsm_found *f, basin_error *err);
void lsm__found_release(struct lsm_found *f);

/* Cursors over a stratum, and over a run (which opens strata as it meets them). They hold no
 * references: the caller keeps the version alive. */
basin_status lsm__stratum_icur(struct lsm_stratum *ls, const basin_allocator *mem,
                               struct icur **out, basin_error *err);
basin_status lsm__run_icur(const struct lsm_run *run, const basin_allocator *mem,
                           struct icur **out, basin_error *err);
/* A hint: the run's cursor opens no stratum that lies outside of range (borrowed); entries outside
 * may be missing then. NULL: none. */
void lsm__run_limit(struct icur *run, const struct lsm_range *range);
/*
 * Merges sources, given newest first (E7, E50: loser tree, cached prefixes; only the moved one is
 * re-ordered; re-positions all others when the direction changes). Takes ownership of the sources,
 * also when it fails; the array stays the caller's, and out may point into it. multi_source tells
 * which source the current entry is from. Its covering answers over all sources at or before (newer
 * than or equal to) `source`; a failure is returned by the next step.
 */
basin_status lsm__multi_icur(const basin_allocator *mem, struct icur **sources, size_t count,
                             struct icur **out, basin_error *err);
size_t lsm__multi_source(const struct icur *multi);
uint64_t lsm__multi_covering(struct icur *multi, size_t source, struct bytes key,
                             uint64_t snapshot, struct range_cover *cover);

/*
 * The living cursor (E8, E9): newest visible version of each key at snapshot, tombstones and range
 * tombstones applied, merges resolved when the value is asked for, bounds known to every step
 * (E72: nothing behind the bound is read; runs of covered keys are jumped over by seeking).
 */
struct view;
struct view_options {
    struct version *version;  /* borrowed; the caller keeps it */
    struct memtable *extra;   /* may be NULL; wholly visible */
    const struct spilled *spilled; /* may be NULL; older than extra, with the same numbers */
    uint64_t extra_snapshot;  /* what of both is numbered up to this is seen */
    uint64_t snapshot;
    const struct lsm_range *range; /* NULL = everything; copied */
    const basin_allocator *mem;
};
basin_status lsm__view_open(const struct view_options *options, struct view **out,
                            basin_error *err);
void lsm__view_close(struct view *w); /* takes NULL */
/* All return OK (positioned) or END (invalid); the contract of E3 to E5. */
basin_status lsm__view_first(struct view *w, basin_error *err);
basin_status lsm__view_last(struct view *w, basin_error *err);
basin_status lsm__view_seek(struct view *w, struct bytes key, enum lsm_seek op, basin_error *err);
basin_status lsm__view_next(struct view *w, basin_error *err);
basin_status lsm__view_prev(struct view *w, basin_error *err);
bool lsm__view_valid(const struct view *w);
struct bytes lsm__view_key(const struct view *w);       /* until the next step */
/* kind ENTRY_PUT with the value, or ENTRY_REF with the reference bytes; until the next step. */
basin_status lsm__view_value(struct view *w, enum entry_kind *kind, struct bytes *value,
                             basin_error *err);
/* Entries that were looked at so far, shadowed and deleted ones included (EC60). */
uint64_t lsm__view_visited(const struct view *w);

/* Resolves a merge: versions newest first in `entries` (only MERGE entries), base or NULL. A value
 * of ENTRY_MERGE is: u8 operator number, operand bytes. */
basin_status lsm__merge_full(const struct lsm *db, struct bytes key, const struct bytes *base,
                             const struct bytes *operands_newest_first, size_t count,
                             struct buf *out, bool *deleted, basin_error *err);

#endif
