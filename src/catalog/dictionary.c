// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * E68: bytes <-> id. Three records for an entry: bytes to id (cut by C11, so bytes may be longer
 * than a key), id to bytes, and the count of uses, a merge counter.
 *
 * Another use is a blind merge, so transactions that use one entry do not conflict. Giving uses
 * back reads the count, for the entry goes with its last use in the same transaction; a use that is
 * added meanwhile changes what was read, and one of the two is tried again. Format:
 * docs/format/catalog.md.
 */
#include "catalog/catalog_key.h"

enum {
    COUNTER_SIZE = 9,       /* a kind byte, then i64 */
    COUNTER_VALUE = 0x00,   /* kind of a whole value */
    COUNTER_OPERAND = 0x01, /* kind of a delta */
    ID_SIZE = 8
};

void
catalog_dictionary_init(struct catalog_dictionary *d, const basin_allocator *mem,
                        const struct catalog_dictionary_place *place)
{
    d->place = *place;
    buf_init(&d->key, mem);
}

void
catalog_dictionary_release(struct catalog_dictionary *d)
{
    if (d != NULL)
        buf_release(&d->key);
}

/* Each makes d->key the key of a record. */
static basin_status
key_of_counter(struct catalog_dictionary *d, basin_error *err)
{
    buf_clear(&d->key);
    return catalog__built(catalog_key(&d->key, d->place.space, d->place.counter_tag), err);
}

static basin_status
key_of_bytes(struct catalog_dictionary *d, struct bytes bytes, basin_error *err)
{
    size_t from;
    basin_status st;

    buf_clear(&d->key);
    TRY(catalog_key(&d->key, d->place.space, d->place.id_tag));
    from = d->key.size;
    TRY(tuple_put_str(&d->key, bytes));
    TRY(tuple_cut(&d->key, from));
out:
    return catalog__built(st, err);
}

static basin_status
key_of_id(struct catalog_dictionary *d, uint64_t id, basin_error *err)
{
    basin_status st;

    buf_clear(&d->key);
    TRY(catalog_key(&d->key, d->place.space, d->place.bytes_tag));
    TRY(tuple_put_u64(&d->key, id));
out:
    return catalog__built(st, err);
}

static basin_status
key_of_count(struct catalog_dictionary *d, uint64_t id, basin_error *err)
{
    basin_status st;

    buf_clear(&d->key);
    TRY(catalog_key(&d->key, d->place.space, d->place.count_tag));
    TRY(tuple_put_u8(&d->key, d->place.kind));
    TRY(tuple_put_u64(&d->key, id));
out:
    return catalog__built(st, err);
}

basin_status
catalog_dictionary_find(struct catalog_dictionary *d, struct lsm_txn *txn, struct bytes bytes,
                        uint64_t *id, basin_error *err)
{
    basin_status st;

    *id = 0;
    TRY(key_of_bytes(d, bytes, err));
    TRY(catalog__number_get(txn, buf_bytes(&d->key), "an id of a dictionary", id, err));
out:
    return st;
}

basin_status
catalog_dictionary_get(struct catalog_dictionary *d, struct lsm_txn *txn, uint64_t id,
                       struct bytes *bytes, basin_error *err)
{
    basin_status st;

    *bytes = BYTES_NULL;
    TRY(key_of_id(d, id, err));
    TRY(lsm_get(txn, buf_bytes(&d->key), bytes, err));
out:
    return st;
}

basin_status
catalog_dictionary_uses(struct catalog_dictionary *d, struct lsm_txn *txn, uint64_t id,
                        uint64_t *uses, basin_error *err)
{
    struct bytes value;
    int64_t count;
    basin_status st;

    *uses = 0;
    TRY(key_of_count(d, id, err));
    st = lsm_get(txn, buf_bytes(&d->key), &value, err);
    if (st == BASIN_NOT_FOUND)
        return BASIN_OK;
    TRY(st);
    if (value.size != COUNTER_SIZE || value.data[0] != COUNTER_VALUE)
        FAIL(err, BASIN_CORRUPT, "catalog: the uses of id %llu are no counter",
             (unsigned long long)id);
    count = (int64_t)load_u64(value.data + 1);
    if (count < 0)
        FAIL(err, BASIN_CORRUPT, "catalog: id %llu has %lld uses", (unsigned long long)id,
             (long long)count);
    *uses = (uint64_t)count;
out:
    return st;
}

static basin_status
add_uses(struct catalog_dictionary *d, struct lsm_txn *txn, uint64_t id, int64_t delta,
         basin_error *err)
{
    uint8_t operand[COUNTER_SIZE] = { COUNTER_OPERAND };
    basin_status st;

    store_u64(operand + 1, (uint64_t)delta);
    TRY(key_of_count(d, id, err));
    TRY(lsm_merge(txn, buf_bytes(&d->key), LSM_OP_COUNTER, bytes_of(operand, sizeof operand), err));
out:
    return st;
}

/* A new id with its two records. */
static basin_status
add_entry(struct catalog_dictionary *d, struct lsm_txn *txn, struct bytes bytes, uint64_t *id,
          basin_error *err)
{
    basin_status st;

    TRY(key_of_counter(d, err));
    TRY(catalog_id_take(txn, buf_bytes(&d->key), 1, id, err));
    TRY(key_of_bytes(d, bytes, err));
    TRY(catalog__number_put(txn, buf_bytes(&d->key), *id, err));
    TRY(key_of_id(d, *id, err));
    TRY(lsm_put(txn, buf_bytes(&d->key), bytes, err));
out:
    return st;
}

basin_status
catalog_dictionary_intern(struct catalog_dictionary *d, struct lsm_txn *txn, struct bytes bytes,
                          uint32_t uses, uint64_t *id, basin_error *err)
{
    basin_status st;

    must(uses > 0);
    st = catalog_dictionary_find(d, txn, bytes, id, err);
    if (st == BASIN_NOT_FOUND)
        st = add_entry(d, txn, bytes, id, err);
    TRY(st);
    TRY(add_uses(d, txn, *id, (int64_t)uses, err));
out:
    if (st != BASIN_OK)
        *id = 0;
    return st;
}

static basin_status
remove_entry(struct catalog_dictionary *d, struct lsm_txn *txn, uint64_t id, basin_error *err)
{
    struct bytes bytes;
    basin_status st = catalog_dictionary_get(d, txn, id, &bytes, err);

    if (st == BASIN_NOT_FOUND)
        FAIL(err, BASIN_CORRUPT, "catalog: id %llu is used, but has no bytes",
             (unsigned long long)id);
    TRY(st);
    TRY(key_of_bytes(d, bytes, err));
    TRY(lsm_delete(txn, buf_bytes(&d->key), err));
    TRY(key_of_id(d, id, err));
    TRY(lsm_delete(txn, buf_bytes(&d->key), err));
    TRY(key_of_count(d, id, err));
    TRY(lsm_delete(txn, buf_bytes(&d->key), err));
out:
    return st;
}

basin_status
catalog_dictionary_give_back(struct catalog_dictionary *d, struct lsm_txn *txn, uint64_t id,
                             uint32_t uses, basin_error *err)
{
    uint64_t held;
    basin_status st;

    TRY(catalog_dictionary_uses(d, txn, id, &held, err));
    if (held < uses)
        FAIL(err, BASIN_MISUSE, "catalog: id %llu has %llu uses, %u cannot be given back",
             (unsigned long long)id, (unsigned long long)held, uses);
    if (uses == 0)
        goto out;
    if (held == uses)
        TRY(remove_entry(d, txn, id, err));
    else
        TRY(add_uses(d, txn, id, -(int64_t)uses, err));
out:
    return st;
}
