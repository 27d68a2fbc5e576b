// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * E66, E57: names of spaces. A space is the keys that begin with its id; space 0 holds the names.
 *
 *     00 00               -> the next id, u64
 *     00 00 id            -> the model: there is such a space
 *     00 model name...    -> the id, varint
 *
 * The next id only grows, so a dropped id never comes back. Two transactions that create conflict
 * on it, and one of them is tried again. Format: docs/format/catalog.md.
 */
#include "catalog/catalog_key.h"

static const uint8_t next_id_key[] = { 0x00, 0x00 };

static const basin_allocator *
mem_of(struct lsm_txn *txn)
{
    return lsm_allocator(lsm_txn_db(txn));
}

basin_status
catalog_key(struct buf *to, uint64_t space, int tag)
{
    size_t from = to->size;
    basin_status st;

    TRY(tuple_put_varint(to, space));
    if (tag >= 0)
        TRY(tuple_put_u8(to, (uint8_t)tag));
out:
    if (st != BASIN_OK)
        to->size = from;
    return st;
}

basin_status
catalog_space_end(struct buf *to, uint64_t space, bool *unbounded)
{
    uint8_t p[TUPLE_VARINT_MAX];

    return tuple_prefix_end(bytes_of(p, tuple_varint_put(p, space)), to, unbounded);
}

/* Whether the name may be looked up at all. */
static basin_status
check_name(const struct catalog_name *name, basin_error *err)
{
    size_t size = 0;

    if (name->part_count == 0 || name->part_count > CATALOG_PARTS_MAX || name->model == 0)
        return error_set(err, BASIN_MISUSE, "catalog: a name of model %u with %zu parts",
                         (unsigned)name->model, name->part_count);
    for (size_t i = 0; i < name->part_count; i++) {
        if (name->parts[i].size > CATALOG_NAME_MAX - size)
            return error_set(err, BASIN_LIMIT, "catalog: a name is longer than %d bytes",
                             CATALOG_NAME_MAX);
        size += name->parts[i].size;
    }
    return BASIN_OK;
}

/* key is an empty buffer. */
static basin_status
name_key(struct buf *key, const struct catalog_name *name, basin_error *err)
{
    basin_status st = check_name(name, err);

    if (st != BASIN_OK)
        return st;
    TRY(catalog_key(key, 0, (int)name->model));
    for (size_t i = 0; i < name->part_count; i++)
        TRY(tuple_put_str(key, name->parts[i]));
out:
    return catalog__built(st, err);
}

static basin_status
decode_space(struct bytes value, uint64_t *space, basin_error *err)
{
    struct rd r = rd_over(value.data, value.size);
    basin_status st = tuple_get_varint(&r, space, err);

    if (st == BASIN_OK && (!rd_done(&r) || *space == 0)) {
        *space = 0;
        st = error_set(err, BASIN_CORRUPT, "catalog: a record of %zu bytes holds no space id",
                       value.size);
    }
    return st;
}

static basin_status
find_at(struct lsm_txn *txn, struct bytes key, uint64_t *space, basin_error *err)
{
    struct bytes value;
    basin_status st;

    *space = 0;
    TRY(lsm_get(txn, key, &value, err));
    TRY(decode_space(value, space, err));
out:
    return st;
}

static basin_status
put_at(struct lsm_txn *txn, struct bytes key, uint64_t space, basin_error *err)
{
    uint8_t p[TUPLE_VARINT_MAX];

    return lsm_put(txn, key, bytes_of(p, tuple_varint_put(p, space)), err);
}

/* From 1; the counter holds the next one. */
static basin_status
take_space(struct lsm_txn *txn, uint64_t *space, basin_error *err)
{
    struct bytes key = bytes_of(next_id_key, sizeof next_id_key);
    uint64_t next;
    basin_status st = catalog__number_get(txn, key, "the next space id", &next, err);

    if (st == BASIN_NOT_FOUND)
        next = 1;
    else
        TRY(st);
    if (next == 0)
        FAIL(err, BASIN_CORRUPT, "catalog: the next space id is 0");
    if (next == UINT64_MAX)
        FAIL(err, BASIN_LIMIT, "catalog: space ids are used up");
    TRY(catalog__number_put(txn, key, next + 1, err));
    *space = next;
out:
    return st;
}

static struct bytes
id_key(uint8_t to[sizeof next_id_key + TUPLE_VARINT_MAX], uint64_t space)
{
    memcpy(to, next_id_key, sizeof next_id_key);
    return bytes_of(to, sizeof next_id_key + tuple_varint_put(to + sizeof next_id_key, space));
}

basin_status
catalog_space_check(struct lsm_txn *txn, uint64_t space, basin_error *err)
{
    uint8_t key[sizeof next_id_key + TUPLE_VARINT_MAX];
    struct bytes value;
    basin_status st = lsm_get(txn, id_key(key, space), &value, err);

    return st == BASIN_NOT_FOUND
               ? error_set(err, st, "catalog: there is no space %llu", (unsigned long long)space)
               : st;
}

basin_status
catalog_space_find(struct lsm_txn *txn, const struct catalog_name *name, uint64_t *space,
                   basin_error *err)
{
    struct buf key;
    basin_status st;

    *space = 0;
    buf_init(&key, mem_of(txn));
    TRY(name_key(&key, name, err));
    TRY(find_at(txn, buf_bytes(&key), space, err));
out:
    buf_release(&key);
    return st;
}

basin_status
catalog_space_create(struct lsm_txn *txn, const struct catalog_name *name, uint64_t *space,
                     basin_error *err)
{
    uint8_t id[sizeof next_id_key + TUPLE_VARINT_MAX], model = (uint8_t)name->model;
    struct buf key;
    basin_status st;

    *space = 0;
    buf_init(&key, mem_of(txn));
    TRY(name_key(&key, name, err));
    st = find_at(txn, buf_bytes(&key), space, err);
    if (st == BASIN_OK)
        FAIL(err, BASIN_EXISTS, "catalog: the name is that of space %llu",
             (unsigned long long)*space);
    if (st != BASIN_NOT_FOUND)
        goto out;
    TRY(take_space(txn, space, err));
    TRY(put_at(txn, buf_bytes(&key), *space, err));
    TRY(lsm_put(txn, id_key(id, *space), bytes_of(&model, 1), err));
out:
    if (st != BASIN_OK && st != BASIN_EXISTS)
        *space = 0;
    buf_release(&key);
    return st;
}

basin_status
catalog_space_ensure(struct lsm_txn *txn, const struct catalog_name *name, uint64_t *space,
                     basin_error *err)
{
    basin_status st = catalog_space_find(txn, name, space, err);

    return st == BASIN_NOT_FOUND ? catalog_space_create(txn, name, space, err) : st;
}

basin_status
catalog__drop(struct lsm_txn *txn, struct bytes key, uint64_t space, struct buf *scratch,
              basin_error *err)
{
    uint8_t begin[TUPLE_VARINT_MAX], id[sizeof next_id_key + TUPLE_VARINT_MAX];
    size_t size = tuple_varint_put(begin, space);
    bool unbounded = false;
    basin_status st;

    must(space != 0);
    buf_clear(scratch);
    TRY(catalog__built(catalog_space_end(scratch, space, &unbounded), err));
    TRY(lsm_delete(txn, key, err));
    TRY(lsm_delete(txn, id_key(id, space), err));
    TRY(lsm_delete_range(txn, bytes_of(begin, size), buf_bytes(scratch), unbounded, err));
out:
    return st;
}

basin_status
catalog_space_drop(struct lsm_txn *txn, const struct catalog_name *name, basin_error *err)
{
    struct buf key, scratch;
    uint64_t space;
    basin_status st;

    buf_init(&key, mem_of(txn));
    buf_init(&scratch, mem_of(txn));
    TRY(name_key(&key, name, err));
    TRY(find_at(txn, buf_bytes(&key), &space, err));
    TRY(catalog__drop(txn, buf_bytes(&key), space, &scratch, err));
out:
    buf_release(&key);
    buf_release(&scratch);
    return st;
}

basin_status
catalog_space_rename(struct lsm_txn *txn, const struct catalog_name *from,
                     const struct catalog_name *to, basin_error *err)
{
    struct buf old, key;
    uint64_t space, other;
    basin_status st;

    buf_init(&old, mem_of(txn));
    buf_init(&key, mem_of(txn));
    if (from->model != to->model)
        FAIL(err, BASIN_MISUSE, "catalog: a space of model %u cannot become one of model %u",
             (unsigned)from->model, (unsigned)to->model);
    TRY(name_key(&old, from, err));
    TRY(name_key(&key, to, err));
    TRY(find_at(txn, buf_bytes(&old), &space, err));
    st = find_at(txn, buf_bytes(&key), &other, err);
    if (st == BASIN_OK)
        FAIL(err, BASIN_EXISTS, "catalog: the new name is that of space %llu",
             (unsigned long long)other);
    if (st != BASIN_NOT_FOUND)
        goto out;
    TRY(lsm_delete(txn, buf_bytes(&old), err));
    TRY(put_at(txn, buf_bytes(&key), space, err));
out:
    buf_release(&old);
    buf_release(&key);
    return st;
}

basin_status
catalog_record_decode(struct bytes key, struct bytes value, struct buf *room,
                      struct catalog_name *name, uint64_t *space, basin_error *err)
{
    struct rd r = rd_over(key.data, key.size);
    size_t sizes[CATALOG_PARTS_MAX] = { 0 }, at = 0;
    uint8_t model;
    basin_status st;

    *name = (struct catalog_name){ 0 };
    *space = 0;
    buf_clear(room);
    if (key.size < 2 || key.data[0] != 0 || key.data[1] == 0)
        return BASIN_NOT_FOUND;
    rd_u8(&r);
    model = rd_u8(&r);
    while (!rd_done(&r) || name->part_count == 0) {
        if (name->part_count == CATALOG_PARTS_MAX)
            FAIL(err, BASIN_CORRUPT, "catalog: a name of model %u has too many parts", model);
        TRY(tuple_get_str(&r, room, err));
        sizes[name->part_count++] = room->size - at;
        at = room->size;
    }
    TRY(decode_space(value, space, err));
    at = 0;
    for (size_t i = 0; i < name->part_count; i++) {
        name->parts[i] = sizes[i] ? bytes_of(room->data + at, sizes[i]) : BYTES_NULL;
        at += sizes[i];
    }
    name->model = (enum catalog_model)model;
out:
    if (st != BASIN_OK)
        name->part_count = 0;
    return st;
}
