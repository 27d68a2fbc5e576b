// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/* What recovery finds; see recover.c. */
#ifndef LSM_RECOVER_H
#define LSM_RECOVER_H

#include "lsm/internal.h"

struct recovery {
    struct manifest *manifest;  /* filled */
    bool live;                  /* a writer may be at work: a bad record is the tail */
    bool has_checkpoint;
    struct place checkpoint;
    uint64_t *logs;             /* epochs, ascending */
    size_t log_count, log_capacity;
    struct memtable *table;     /* what the log holds and no stratum */
    uint64_t batches;           /* replayed into it */
    uint64_t seqno;             /* newest */
    uint64_t replayed_seqno;
    struct place end;           /* behind the last valid record */
    bool stopped;               /* at a hole */
};

basin_status lsm__recover(struct lsm *db, struct recovery *r, basin_error *err);
/* For store_list over "ckpt": keeps the newest name in the recovery. */
basin_status lsm__recover_newest(void *ctx, const char *name, uint64_t size, basin_error *err);
void lsm__recovery_release(struct lsm *db, struct recovery *r);

#endif
