// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Workloads, the groups they form and the suites that say how big everything is.
 * A workload measures itself and writes its own row; the order within a group is part of its
 * definition, because each workload finds what the one before it left behind.
 */
#ifndef BENCH_WORK_H
#define BENCH_WORK_H

#include "bench.h"
#include "engine.h"

struct suite {
    const char *name;
    const char *groups; /* comma-separated */
    uint64_t count;
    size_t value_size;
    size_t cache_size;
    size_t write_buffer_size;
    double read_seconds;   /* of a read workload */
    double fill_seconds;   /* limit of a fill */
    double single_seconds; /* limit of fillrand_b1; half of it for overwrite_b1 */
};
/* NULL when there is none of this name. */
const struct suite *suite_find(const char *name);
/* The names of all suites, for the usage text. */
void suite_print(FILE *f);

/* Runs a group in this process; false when there is none of this name. */
bool group_run(struct run *r);
bool group_known(const char *name, size_t size);
/* Does this group commit durably? Its rows must never stand beside others. */
bool group_synced(const char *name);

void run_open(struct run *r);
void run_close(struct run *r);

/* Which indexes a fill writes, how many a commit. */
struct fill {
    const char *workload;
    uint64_t from; /* indexes [from, to), or ranks when sorted */
    uint64_t to;
    size_t batch;
    bool sorted;
    double seconds; /* limit */
};
void work_fill(struct run *r, const struct fill *f);
/* Up to `count` overwrites of random keys among [0, span). */
struct overwrite {
    const char *workload;
    uint64_t span;
    uint64_t count;
    size_t batch;
    double seconds;
};
void work_overwrite(struct run *r, const struct overwrite *o);
void work_delete(struct run *r, const char *workload);
void work_settle(struct run *r, const char *workload);
void work_size(struct run *r, const char *workload);
void work_compact(struct run *r, const char *workload);
void work_bulk(struct run *r, const char *workload);
/* Durable commits: each thread writes new keys of its own part of [from, to). */
struct durable {
    const char *workload;
    uint64_t from;
    uint64_t to;
    size_t batch;
    unsigned threads;
    double seconds;
};
void work_durable(struct run *r, const struct durable *d);

enum pick { PICK_HIT, PICK_MISS, PICK_ZIPF };
struct reading {
    const char *workload;
    enum pick pick;
    unsigned threads;
    unsigned snapshot; /* gets a snapshot, 0 = none */
    uint64_t count;    /* limit, 0 = by time */
};
void work_get(struct run *r, const struct reading *g);
void work_scan(struct run *r, const char *workload, bool backward);
void work_scan_100(struct run *r, const char *workload);
void work_mixed(struct run *r, const char *workload);
void work_read_while_write(struct run *r, const char *workload);
void work_open(struct run *r, const char *workload, bool cold);
void work_recover(struct run *r, const char *workload);

/* A thread's part of a workload. */
struct worker {
    struct run *run;
    void *handle;
    const void *plan;
    struct chance chance;
    struct tally tally;
    uint64_t until_ns;
    uint64_t clock_ns; /* as read after the last operation */
    uint64_t ahead;    /* index that comes next */
    uint64_t from;
    uint64_t to;
    uint64_t done_ns;
    unsigned number;
};
/* Runs fn once per worker in a thread of its own, or here when there is one; merges into t. */
void workers_run(struct run *r, unsigned count, void (*fn)(struct worker *w), const void *plan,
                 struct worker *workers, struct tally *t);
/* One checked get. */
void worker_get(struct worker *w, uint64_t index);
/* One commit in the making. */
struct batch {
    size_t capacity;
    size_t count;
    struct pair *pairs;
    uint64_t *indexes;
    uint8_t *keys;
    uint8_t *values;
};
void batch_init(struct batch *b, size_t capacity);
void batch_release(struct batch *b);
/* Does nothing when the commit has this key already. */
void batch_add(struct batch *b, struct run *r, uint64_t index, bool deletes);
void batch_commit(struct batch *b, struct worker *w, bool deletes);

#endif
