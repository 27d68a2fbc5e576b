// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The memtable: an insert-only ordered map of versions, and a set of range tombstones.
 * A B+tree whose leaves have 15 slots and a 64-bit permutation (as in Masstree, Mao et al. 2012):
 * an insert fills a free slot and publishes a new permutation; a split makes new leaves and leaves
 * the old one whole for readers that stand on it. Versions of a key are chained newest first.
 *
 * Threads:  one writer at a time (the commit leader); any number of readers without locks.
 *           A reader whose snapshot was taken before a commit may meet nodes from before or after
 *           it: both hold everything up to the snapshot.
 * (M1) a key occurs once; its versions descend in seqno.
 * (M2) nothing is freed before the memtable.
 */
#ifndef LSM_MEM_H
#define LSM_MEM_H

#include "lsm/icur.h"
#include "lsm/lsm.h"

/* Operators by which operands are folded as they arrive, so that reading a long chain of them
 * stays short. Borrowed: outlives the memtable. */
struct mem_fold {
    const struct lsm_operator *operators;
    size_t count;
};

struct memtable;
/* fold may be NULL: then operands are only kept apart. */
basin_status memtable_new(const basin_allocator *mem, const struct mem_fold *fold,
                          struct memtable **out, basin_error *err);
void memtable_ref(struct memtable *m);   /* atomic count, starts at 1 */
void memtable_unref(struct memtable *m); /* takes NULL */
/* Bytes taken from the allocator; entries; range tombstones. Readable while written. */
size_t memtable_used(const struct memtable *m);
uint64_t memtable_entries(const struct memtable *m);
uint64_t memtable_range_count(const struct memtable *m);
/* seqno of the first thing added and of the newest (0 when empty). */
uint64_t memtable_seqno_min(const struct memtable *m);
uint64_t memtable_seqno_max(const struct memtable *m);

/* Copies key and value. seqno is larger than every one before. NO_MEM leaves it unchanged; LIMIT
 * for a key over STRATUM_KEY_MAX or a value of 4 GiB. */
basin_status memtable_add(struct memtable *m, const struct entry *e, basin_error *err);
/* An empty range is accepted and not kept. */
basin_status memtable_add_range(struct memtable *m, const struct range_tombstone *t,
                                basin_error *err);

/* The newest version with seqno <= snapshot; NULL when none. next: the next older one. Range
 * tombstones are not applied. */
struct mem_version;
const struct mem_version *memtable_find(const struct memtable *m, struct bytes key,
                                        uint64_t snapshot);
const struct mem_version *mem_version_older(const struct mem_version *v);
/* value and kind and seqno; the key is not filled. What it points to lives as long as m. */
void mem_version_entry(const struct mem_version *v, struct entry *out);
/* The same with the operands directly below folded in, as far as they were on arrival (never across
 * a range tombstone of m, a put or a delete); returns the version to go on with, or NULL. */
const struct mem_version *mem_version_sum(const struct mem_version *v, struct entry *out);

/* Largest seqno <= snapshot of a range tombstone that covers key, or 0; cover may be NULL, else it
 * gets an interval around key in which the answer is this one. */
uint64_t memtable_covering(const struct memtable *m, struct bytes key, uint64_t snapshot,
                           struct range_cover *cover);
/* Whether anything with seqno > since lies in [begin, end) (range tombstones count). For the
 * writer, or when nobody writes. */
bool memtable_changed_since(const struct memtable *m, struct bytes begin, struct bytes end,
                            bool unbounded, uint64_t since);
/* All range tombstones, the oldest first; the array is allocated from mem (free: mem_free(mem,
 * *out, count * sizeof **out)); its keys borrow from the memtable. */
basin_status memtable_ranges(const struct memtable *m, const basin_allocator *mem,
                             struct range_tombstone **out, size_t *count, basin_error *err);

/* A raw cursor over every version; holds no reference: the caller keeps the memtable alive. What is
 * added after a cursor was positioned may be missing from what it shows, so a cursor serves one
 * snapshot, taken before it was opened. */
basin_status memtable_cursor(struct memtable *m, const basin_allocator *mem, struct icur **out,
                             basin_error *err);

#endif
