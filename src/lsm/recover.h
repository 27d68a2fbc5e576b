// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/* What recovery finds; see recover.c. */
#ifndef LSM_RECOVER_H
#define LSM_RECOVER_H

#include "lsm/internal.h"

/* Logs one behind the other, of which each may say how far the one before it was on disk. */
struct log_chain {
    struct place end; /* of the log read last; epoch 0: none */
    uint64_t epoch;   /* of the log that was compared with it */
    bool loose;       /* a log says nothing of the one before, which may have lost its tail */
};
/* With each record of a log. CORRUPT, naming the log before, when that is not what it was. */
basin_status lsm__chain_check(struct log_chain *c, const struct log_reader *log,
                              basin_error *err);
void lsm__chain_end(struct log_chain *c, const struct log_reader *log);

struct recovery {
    struct manifest *manifest;  /* filled */
    struct log_chain chain;
    uint64_t closed_at;         /* the record that closed the newest log; 0: it is not closed */
    bool bounded;               /* a writer may be at work: only log before `limit` counts */
    struct place limit;
    bool has_checkpoint;
    struct place checkpoint;    /* the newest */
    size_t checkpoint_count;
    uint64_t *logs;             /* epochs, ascending */
    size_t log_count, log_capacity;
    struct memtable *table;     /* what the log holds and no stratum */
    uint64_t batches;           /* replayed into it */
    uint64_t seqno;             /* newest */
    uint64_t replayed_seqno;
    uint64_t durable;           /* newest seqno that the log proves to be on disk */
    struct place end;           /* behind the last valid record */
    bool stopped;               /* at a hole: what follows is only looked at */
};

basin_status lsm__recover(struct lsm *db, struct recovery *r, basin_error *err);
/* Lists the logs and puts what they hold from manifest->replay_from on into r->table. */
basin_status lsm__replay(struct lsm *db, struct recovery *r, basin_error *err);
/* LIMIT for a reader whose memtable would outgrow its memory. */
basin_status lsm__replay_fits(const struct lsm *db, const struct memtable *m, basin_error *err);
/* Calls fn for each record of r->logs from a place on; r->end moves behind it. CORRUPT when log is
 * bounded and ends before. */
typedef basin_status record_fn(struct lsm *db, struct recovery *r, const struct record *rec,
                               basin_error *err);
basin_status lsm__walk(struct lsm *db, struct recovery *r, struct place from, record_fn *fn,
                       basin_error *err);
/* CORRUPT when the objects that are there tell of a log that is not. */
basin_status lsm__recover_check_objects(struct lsm *db, const struct recovery *r,
                                        basin_error *err);
/* For store_list over "ckpt": keeps the newest name in the recovery. */
basin_status lsm__recover_newest(void *ctx, const char *name, uint64_t size, basin_error *err);
void lsm__recovery_release(struct lsm *db, struct recovery *r);

#endif
