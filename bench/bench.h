// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * What the parts of the benchmark share: the data that every engine is given, the check of what
 * comes back, the meter around a workload and the row that it yields.
 *
 * One process runs one group of workloads for one engine. A failure of an engine ends that process
 * (bench_fail), so nothing here returns an error. The world is built before the fork and never
 * changes; the state (which version of which key must be there) belongs to the process.
 *
 * Threads: the slots are atomic, so that a reader may check what it got beside a writer; a key is
 * written by one thread at a time. Everything else is used by one thread.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
    KEY_SIZE = 16,
    VALUE_SIZE_MAX = 4096,
    HIST_STEPS = 32, /* per power of two */
    HIST_BUCKETS = HIST_STEPS * 40,
    ZIPF_DRAWS = 1 << 22
};

/* Prints the story and ends the process: a benchmark has nothing to rescue. */
_Noreturn void bench_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Memory or bench_fail. */
void *bench_alloc(size_t n);
/* The same for large tables, in huge pages where the system gives them: the driver should cost
 * few misses. Freed by free. */
void *bench_alloc_huge(size_t n);
uint64_t now_ns(void);

/* ------------------------------------------------------------------ data */

/* A stream of numbers; the same for the same start value. */
struct chance {
    uint64_t state;
};
uint64_t chance_next(struct chance *c);
/* Below n, n > 0. */
uint64_t chance_below(struct chance *c, uint64_t n);

/* The data of a suite. Immutable after world_init. */
struct world {
    uint64_t count; /* keys */
    size_t value_size;
    bool binary_keys; /* 8 big-endian bytes and 8 derived ones instead of 16 hex digits */
    uint64_t seed;
    uint32_t *sorted; /* rank -> index */
    uint32_t *rank;   /* index -> rank */
    uint32_t *zipf;   /* ZIPF_DRAWS indexes, exponent 0.99 */
};
/* Builds the order and the draws; count below 2^32. */
void world_init(struct world *w);
void world_release(struct world *w);
/* Indexes from count on give keys that are never stored. */
void key_make(const struct world *w, uint64_t index, uint8_t to[KEY_SIZE]);
/* `to` has VALUE_SIZE_MAX + 8 bytes. */
void value_make(const struct world *w, uint64_t index, uint32_t version, uint8_t *to);

/* ------------------------------------------------------------------ what must be there */

/* A slot is version << 2 | SLOT_DELETED | SLOT_WRITING; version 0 = never written. */
enum { SLOT_WRITING = 1, SLOT_DELETED = 2, SLOT_SHIFT = 2 };
struct state {
    const struct world *w;
    _Atomic uint32_t *slots;
};
void state_init(struct state *s, const struct world *w);
void state_release(struct state *s);
/* The version that the next write of this key has; marks it as being written. 0 = it is already. */
uint32_t state_claim(struct state *s, uint64_t index);
/* The write was acknowledged. */
void state_settle(struct state *s, uint64_t index, bool deleted);
bool state_live(const struct state *s, uint64_t index);
uint64_t state_live_count(const struct state *s);
/* Are these the bytes of a version between the two states of the slot? */
bool state_accepts(const struct state *s, uint64_t index, uint32_t before, const void *value,
                   size_t size);

/* Follows a scan and counts what is missing, too much, out of order or wrong. */
struct scan_check {
    const struct state *state;
    uint64_t at; /* rank that is expected next */
    bool backward;
    bool ended; /* no rank is left */
    uint64_t seen;
    uint64_t errors;
    uint64_t bytes;
};
void scan_check_init(struct scan_check *c, const struct state *s, uint64_t rank, bool backward);
/* Takes the next pair; ctx is the scan_check (a visit_fn of engine.h). */
bool scan_check_visit(void *ctx, const void *key, size_t key_size, const void *value,
                      size_t value_size);
/* The scan has reached its end: what was still expected is missing. */
void scan_check_end(struct scan_check *c);

/* ------------------------------------------------------------------ figures */

struct hist {
    uint64_t count;
    uint64_t max;
    uint64_t buckets[HIST_BUCKETS];
};
void hist_add(struct hist *h, uint64_t ns);
void hist_merge(struct hist *to, const struct hist *from);
/* Upper end of the bucket that holds this part of all values, in ns. */
uint64_t hist_quantile(const struct hist *h, double part);

/* What a thread did. */
struct tally {
    uint64_t ops;
    uint64_t user_bytes;
    uint64_t verified;
    uint64_t errors;
    bool cut; /* a time limit ended it */
    struct hist hist;
};
void tally_merge(struct tally *to, const struct tally *from);

/* Highest memory seen by the parent, which looks from outside; shared between the two. */
struct watch {
    _Atomic uint64_t anon_peak;
    _Atomic uint64_t acked; /* crash group: batches acknowledged */
};
/* RssAnon + RssShmem of a process in bytes; 0 when it is gone. pid 0 = this one. */
uint64_t anon_bytes(int pid);

struct usage {
    uint64_t at_ns;
    uint64_t cpu_us;        /* this process, user + system */
    uint64_t io_bytes;      /* dirtied (write_bytes), or handed to write calls (wchar) */
    uint64_t machine_ticks; /* busy and stolen, all processors */
};

struct meter {
    struct usage from;
    struct usage to;
    uint64_t rss_peak;
    uint64_t anon_peak;
    int profiler; /* process of perf, or 0 */
};

struct engine;
struct column;
struct suite;

/* One group of one engine in one process. */
struct run {
    const struct world *world;
    const struct suite *suite;
    const struct column *column;
    struct state state;
    struct watch *watch;
    const char *group;
    const char *dir;     /* the engine's own directory */
    const char *profile; /* directory for perf data, or NULL */
    int out;             /* rows go here */
    unsigned round;
    bool synced;
    const char *io_label; /* what counts bytes written */
    bool sync_real;       /* a durable append costs what a real one must cost */
    void *db;
    uint64_t rss_base;
    uint64_t anon_base;
    uint64_t errors; /* of all workloads so far */
};

void meter_base(struct run *r);
void meter_begin(struct run *r, struct meter *m, const char *workload);
void meter_end(struct run *r, struct meter *m);
/* Adds the row of a workload to the results. extra: further JSON members that start with a comma,
 * or NULL. */
void row_write(struct run *r, const char *workload, const struct meter *m, const struct tally *t,
               const char *extra);

/* Waits until the process is idle; returns the ns until its last activity. */
uint64_t settle(const struct run *r);
/* Bytes of allocated blocks under a directory. */
uint64_t disk_bytes(const char *dir);
/* Removes a directory with all that is in it. */
void remove_tree(const char *dir);
/* Puts the files out of the page cache; returns the part of pages still resident, 0 to 1. */
double evict(const char *dir);
/* Median ns of a 4 KiB append with fdatasync in this directory. */
uint64_t sync_probe(const char *dir);
/* What counts bytes written on the file system of this directory: a label of /proc/self/io. */
const char *io_label_of(const char *dir);

#endif
