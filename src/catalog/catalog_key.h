// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Private to the room catalog: stored numbers, the error texts of keys, and dropping by record.
 * Numbers in values are little-endian u64; docs/format/catalog.md.
 */
#ifndef CATALOG_KEY_H
#define CATALOG_KEY_H

#include "catalog/catalog.h"

/* Gives the NO_MEM of a key that was being built its text. */
static inline basin_status
catalog__built(basin_status st, basin_error *err)
{
    return st == BASIN_OK ? st : error_set(err, st, "catalog: no memory for a key");
}

/* A u64 at key; NOT_FOUND (*v is 0) when there is none. `what` is for the error text. */
basin_status catalog__number_get(struct lsm_txn *txn, struct bytes key, const char *what,
                                 uint64_t *v, basin_error *err);
basin_status catalog__number_put(struct lsm_txn *txn, struct bytes key, uint64_t v,
                                 basin_error *err);
/* Removes the record at key and every key of the space. scratch is overwritten. */
basin_status catalog__drop(struct lsm_txn *txn, struct bytes key, uint64_t space,
                           struct buf *scratch, basin_error *err);

#endif
