// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * E67: ids that are never handed out twice. The counter is a key like any other, so it rolls back
 * with its transaction, survives with it, and makes two takers conflict; deleting what an id names
 * does not touch it.
 * Format: docs/format/catalog.md. The third mode, leased chunks, belongs to the links model.
 */
#include "catalog/catalog_key.h"

basin_status
catalog__number_get(struct lsm_txn *txn, struct bytes key, const char *what, uint64_t *v,
                    basin_error *err)
{
    struct bytes value;
    basin_status st;

    *v = 0;
    TRY(lsm_get(txn, key, &value, err));
    if (value.size != 8)
        FAIL(err, BASIN_CORRUPT, "catalog: %s has %zu bytes, not 8", what, value.size);
    *v = load_u64(value.data);
out:
    return st;
}

basin_status
catalog__number_put(struct lsm_txn *txn, struct bytes key, uint64_t v, basin_error *err)
{
    uint8_t p[8];

    store_u64(p, v);
    return lsm_put(txn, key, bytes_of(p, sizeof p), err);
}

basin_status
catalog_id_last(struct lsm_txn *txn, struct bytes key, uint64_t *last, basin_error *err)
{
    basin_status st = catalog__number_get(txn, key, "a counter of ids", last, err);

    return st == BASIN_NOT_FOUND ? BASIN_OK : st;
}

basin_status
catalog_id_take(struct lsm_txn *txn, struct bytes key, uint64_t count, uint64_t *first,
                basin_error *err)
{
    uint64_t last;
    basin_status st;

    *first = 0;
    must(count > 0);
    TRY(catalog_id_last(txn, key, &last, err));
    if (count > UINT64_MAX - last)
        FAIL(err, BASIN_LIMIT, "catalog: %llu ids after %llu are more than there are",
             (unsigned long long)count, (unsigned long long)last);
    TRY(catalog__number_put(txn, key, last + count, err));
    *first = last + 1;
out:
    return st;
}

basin_status
catalog_id_given(struct lsm_txn *txn, struct bytes key, uint64_t id, basin_error *err)
{
    uint64_t last;
    basin_status st;

    TRY(catalog_id_last(txn, key, &last, err));
    if (id > last)
        TRY(catalog__number_put(txn, key, id, err));
out:
    return st;
}
