// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/* What a transaction spills; see spill.c. */
#ifndef LSM_SPILL_H
#define LSM_SPILL_H

#include "lsm/txn.h"

/* Before an operation of `size` bytes joins the batch: spills what is there when it would grow over
 * its limit. On failure the transaction is as it was. */
basin_status lsm__spill_room(struct lsm_txn *txn, size_t size, basin_error *err);
/* Whether the transaction must go by strata: it has some, or its batch does not fit into memory. */
bool lsm__spill_needed(const struct lsm_txn *txn);
/* Commits it so, durably. entered: the caller has the line of writers to itself already. */
basin_status lsm__spill_commit(struct lsm_txn *txn, bool entered, uint64_t *seqno,
                               basin_error *err);
/* Back to the oldest `run_count` runs; the newer ones go. */
basin_status lsm__spill_cut(struct lsm_txn *txn, size_t run_count, basin_error *err);
/* Lets go of all runs, and of their objects unless `keep`. */
void lsm__spill_drop(struct lsm_txn *txn, bool keep);

#endif
