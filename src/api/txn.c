// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Transactions, reads and writes by keyspace and key.
 */
#include "api/api.h"

basin_status
api_check_key(basin_bytes key, basin_error *err)
{
    if (key.size > BASIN_KEY_MAX)
        return error_set(err, BASIN_LIMIT, "a key of %zu bytes is longer than %d", key.size,
                         BASIN_KEY_MAX);
    if (key.data == NULL && key.size > 0)
        return error_set(err, BASIN_MISUSE, "a key of %zu bytes without data", key.size);
    return BASIN_OK;
}

static basin_status
check_value(basin_bytes value, basin_error *err)
{
    if (value.data == NULL && value.size > 0)
        return error_set(err, BASIN_MISUSE, "a value of %zu bytes without data", value.size);
    return BASIN_OK;
}

static basin_status
check_space(basin_txn *txn, uint64_t space, basin_error *err)
{
    basin_status st;

    for (size_t i = 0; i < COUNT_OF(txn->checked); i++)
        if (txn->checked[i] == space)
            return BASIN_OK;
    st = catalog_space_check(txn->lsm, space, err);
    if (st == BASIN_OK)
        txn->checked[txn->checked_at++ % COUNT_OF(txn->checked)] = space;
    return st;
}

/* The default keyspace is never dropped, so a committed number stays good for the handle. */
basin_status
api_space(basin_txn *txn, basin_space space, bool create, uint64_t *id, basin_error *err)
{
    basin_status st;
    static const struct catalog_name name = {
        CATALOG_KEYS, { { (const uint8_t *)API_DEFAULT_NAME, sizeof(API_DEFAULT_NAME) - 1 } }, 1
    };

    *id = space;
    if (space != BASIN_SPACE_DEFAULT)
        return create ? check_space(txn, space, err) : BASIN_OK;
    if (txn->default_space == 0)
        txn->default_space = atomic_load_explicit(&txn->db->default_space, memory_order_acquire);
    if (txn->default_space != 0) {
        *id = txn->default_space;
        return BASIN_OK;
    }
    st = catalog_space_find(txn->lsm, &name, id, err);
    if (st == BASIN_OK) {
        if (!txn->made_default)
            atomic_store_explicit(&txn->db->default_space, *id, memory_order_release);
    } else if (st == BASIN_NOT_FOUND && create) {
        st = catalog_space_create(txn->lsm, &name, id, err);
        txn->made_default = true;
    }
    if (st == BASIN_OK)
        txn->default_space = *id;
    return st;
}

basin_status
api_key(basin_txn *txn, uint64_t id, basin_bytes key, basin_error *err)
{
    size_t n;

    buf_clear(&txn->key);
    if (buf_reserve(&txn->key, TUPLE_VARINT_MAX + key.size) != BASIN_OK)
        return error_set(err, BASIN_NO_MEM, "no memory for a key of %zu bytes", key.size);
    n = tuple_varint_put(txn->key.data, id);
    if (key.size)
        memcpy(txn->key.data + n, key.data, key.size);
    txn->key.size = n + key.size;
    return BASIN_OK;
}

basin_status
api_split(struct bytes raw, uint64_t *space, struct bytes *key)
{
    struct rd r = rd_over(raw.data, raw.size);
    basin_status st = tuple_get_varint(&r, space, NULL);

    if (st == BASIN_OK)
        *key = bytes_of(raw.data + r.at, raw.size - r.at);
    return st;
}

/* Space and key of a call at once. */
static basin_status
place(basin_txn *txn, basin_space space, bool create, basin_bytes key, basin_error *err)
{
    basin_status st;
    uint64_t id;

    TRY(api_enter_txn(txn, err));
    TRY(api_check_key(key, err));
    TRY(api_space(txn, space, create, &id, err));
    TRY(api_key(txn, id, key, err));
out:
    return st;
}

/* ------------------------------------------------------------------ begin and end */

basin_status
api_enter_txn(basin_txn *txn, basin_error *err)
{
    if (txn->ended)
        return error_set(err, BASIN_MISUSE, "the transaction has ended");
    return api_enter(txn->db, err);
}

/* Debug builds keep the last handles that ended, so that their use is told. */
static void
txn_free(basin_txn *txn)
{
    basin_db *db = txn->db;

    buf_release(&txn->key);
    buf_release(&txn->end);
#ifdef BASIN_DEBUG
    txn->ended = true;
    txn = atomic_exchange(&db->ended[atomic_fetch_add(&db->ended_count, 1) % API_ENDED_MAX], txn);
#endif
    mem_free(db->mem, txn, sizeof(*txn));
}

basin_status
basin_begin(basin_db *db, const basin_begin_options *options, basin_txn **out, basin_error *err)
{
    basin_status st;
    basin_begin_options o = BASIN_BEGIN_INIT;
    struct lsm_begin how;
    basin_txn *txn = NULL;

    *out = NULL;
    TRY(api_enter(db, err));
    if (options != NULL)
        memcpy(&o, options, MIN_OF(options->struct_size, sizeof(o)));
    if (o.mode > BASIN_WRITE_LOCKED)
        FAIL(err, BASIN_MISUSE, "transaction mode %d", (int)o.mode);
    txn = mem_new(db->mem, sizeof(*txn));
    if (txn == NULL)
        FAIL(err, BASIN_NO_MEM, "no memory for a transaction");
    txn->db = db;
    txn->mode = o.mode;
    buf_init(&txn->key, db->mem);
    buf_init(&txn->end, db->mem);
    how = (struct lsm_begin){ (enum lsm_mode)o.mode, o.timeout_ms, o.at_pin, o.at_seqno,
                              o.no_read_check };
    TRY(lsm_begin(db->lsm, &how, &txn->lsm, err));
    *out = txn;
    txn = NULL;
out:
    if (txn != NULL)
        txn_free(txn);
    return st;
}

basin_status
basin_begin_mode(basin_db *db, basin_mode mode, basin_txn **out, basin_error *err)
{
    basin_begin_options o = BASIN_BEGIN_INIT;

    o.mode = mode;
    o.timeout_ms = UINT32_MAX;
    return basin_begin(db, &o, out, err);
}

basin_status
basin_commit(basin_txn *txn, basin_durability durability, uint64_t *seqno, basin_error *err)
{
    basin_status st;

    TRY(api_enter_txn(txn, err));
    st = lsm_commit(txn->lsm, durability == BASIN_DURABLE, seqno, err);
    if (st != BASIN_BUSY)
        txn_free(txn);
out:
    return st;
}

void
basin_abort(basin_txn *txn)
{
    if (txn == NULL || txn->ended)
        return;
    lsm_abort(txn->lsm);
    txn_free(txn);
}

uint64_t
basin_txn_seqno(const basin_txn *txn)
{
    return lsm_txn_seqno(txn->lsm);
}

/* ------------------------------------------------------------------ reads */

basin_status
basin_get(basin_txn *txn, basin_space space, basin_bytes key, basin_bytes *value,
          basin_error *err)
{
    basin_status st;
    struct bytes found;

    *value = (basin_bytes){ NULL, 0 };
    TRY(place(txn, space, false, key, err));
    TRY(lsm_get(txn->lsm, buf_bytes(&txn->key), &found, err));
    *value = api_out(found);
out:
    return st;
}

basin_status
basin_read(basin_txn *txn, basin_space space, basin_bytes key, uint64_t offset, void *to,
           size_t n, size_t *got, uint64_t *size, basin_error *err)
{
    basin_status st;

    if (got != NULL)
        *got = 0;
    if (size != NULL)
        *size = 0;
    TRY(place(txn, space, false, key, err));
    TRY(lsm_read(txn->lsm, buf_bytes(&txn->key), offset, to, n, got, size, err));
out:
    return st;
}

/* ------------------------------------------------------------------ writes */

basin_status
basin_put(basin_txn *txn, basin_space space, basin_bytes key, basin_bytes value,
          basin_error *err)
{
    basin_status st;

    TRY(check_value(value, err));
    TRY(place(txn, space, true, key, err));
    TRY(lsm_put(txn->lsm, buf_bytes(&txn->key), api_bytes(value), err));
out:
    return st;
}

basin_status
basin_delete(basin_txn *txn, basin_space space, basin_bytes key, basin_error *err)
{
    basin_status st;

    TRY(place(txn, space, true, key, err));
    TRY(lsm_delete(txn->lsm, buf_bytes(&txn->key), err));
out:
    return st;
}

static basin_status
delete_to_end(basin_txn *txn, uint64_t id, basin_error *err)
{
    basin_status st;
    bool unbounded;

    buf_clear(&txn->end);
    TRY(catalog_space_end(&txn->end, id, &unbounded));
    TRY(lsm_delete_range(txn->lsm, buf_bytes(&txn->key), buf_bytes(&txn->end), unbounded, err));
out:
    return st;
}

basin_status
basin_delete_range(basin_txn *txn, basin_space space, basin_bytes begin, const basin_bytes *end,
                   basin_error *err)
{
    basin_status st;
    uint64_t id;
    uint8_t head[TUPLE_VARINT_MAX];

    TRY(place(txn, space, true, begin, err));
    TRY(api_space(txn, space, true, &id, err));
    if (end == NULL)
        return delete_to_end(txn, id, err);
    TRY(api_check_key(*end, err));
    buf_clear(&txn->end);
    TRY(error_mem(buf_add(&txn->end, head, tuple_varint_put(head, id)), err));
    TRY(error_mem(buf_add(&txn->end, end->data, end->size), err));
    TRY(lsm_delete_range(txn->lsm, buf_bytes(&txn->key), buf_bytes(&txn->end), false, err));
out:
    return st;
}

basin_status
basin_delete_prefix(basin_txn *txn, basin_space space, basin_bytes prefix, basin_error *err)
{
    basin_status st;
    uint64_t id;
    bool unbounded;
    uint8_t head[TUPLE_VARINT_MAX];

    TRY(place(txn, space, true, prefix, err));
    TRY(api_space(txn, space, true, &id, err));
    buf_clear(&txn->end);
    TRY(error_mem(buf_add(&txn->end, head, tuple_varint_put(head, id)), err));
    TRY(tuple_prefix_end(api_bytes(prefix), &txn->end, &unbounded));
    if (unbounded)
        return delete_to_end(txn, id, err);
    TRY(lsm_delete_range(txn->lsm, buf_bytes(&txn->key), buf_bytes(&txn->end), false, err));
out:
    return st;
}

basin_status
basin_merge(basin_txn *txn, basin_space space, basin_bytes key, uint32_t operator_number,
            basin_bytes operand, basin_error *err)
{
    basin_status st;

    TRY(check_value(operand, err));
    if (operator_number == 0 || operator_number > 255)
        FAIL(err, BASIN_MISUSE, "merge operator %u", operator_number);
    TRY(place(txn, space, true, key, err));
    TRY(lsm_merge(txn->lsm, buf_bytes(&txn->key), (uint8_t)operator_number, api_bytes(operand),
                  err));
out:
    return st;
}

basin_status
basin_counter_add(basin_txn *txn, basin_space space, basin_bytes key, int64_t delta,
                  basin_error *err)
{
    uint8_t operand[9] = { 1 };

    store_u64(operand + 1, (uint64_t)delta);
    return basin_merge(txn, space, key, BASIN_OP_COUNTER, (basin_bytes){ operand, 9 }, err);
}

basin_status
basin_counter_get(basin_txn *txn, basin_space space, basin_bytes key, int64_t *value,
                  basin_error *err)
{
    basin_status st;
    basin_bytes found;
    const uint8_t *p;

    *value = 0;
    TRY(basin_get(txn, space, key, &found, err));
    p = found.data;
    if (found.size != 9 || p[0] != 0)
        FAIL(err, BASIN_MISUSE, "the value is not a counter: %zu bytes", found.size);
    *value = (int64_t)load_u64(p + 1);
out:
    return st;
}

/* ------------------------------------------------------------------ streams, savepoints */

basin_status
basin_stream_open(basin_txn *txn, basin_space space, basin_bytes key, basin_stream **out,
                  basin_error *err)
{
    basin_status st;
    struct lsm_stream *s = NULL;

    *out = NULL;
    TRY(place(txn, space, true, key, err));
    TRY(lsm_stream_open(txn->lsm, buf_bytes(&txn->key), &s, err));
    *out = (basin_stream *)s;
out:
    return st;
}

basin_status
basin_stream_write(basin_stream *s, const void *p, size_t n, basin_error *err)
{
    error_clear(err);
    return lsm_stream_write((struct lsm_stream *)s, bytes_of(p, n), err);
}

basin_status
basin_stream_close(basin_stream *s, basin_error *err)
{
    error_clear(err);
    return lsm_stream_close((struct lsm_stream *)s, err);
}

void
basin_stream_abort(basin_stream *s)
{
    lsm_stream_abort((struct lsm_stream *)s);
}

basin_status
basin_savepoint(basin_txn *txn, const char *name, basin_error *err)
{
    basin_status st = api_enter_txn(txn, err);

    return st != BASIN_OK ? st : lsm_savepoint(txn->lsm, name, err);
}

/* Keyspaces may have been made behind the savepoint: look again. */
basin_status
basin_rollback_to(basin_txn *txn, const char *name, basin_error *err)
{
    basin_status st = api_enter_txn(txn, err);

    if (st != BASIN_OK)
        return st;
    txn->default_space = 0;
    memset(txn->checked, 0, sizeof(txn->checked));
    return lsm_rollback_to(txn->lsm, name, err);
}

basin_status
basin_savepoint_release(basin_txn *txn, const char *name, basin_error *err)
{
    basin_status st = api_enter_txn(txn, err);

    return st != BASIN_OK ? st : lsm_savepoint_release(txn->lsm, name, err);
}

/* ------------------------------------------------------------------ one operation */

/* A raw key on the stack; END when it does not fit, or when the default keyspace is not known. */
struct raw_key {
    size_t size;
    uint8_t bytes[512];
};

static basin_status
raw_key(basin_db *db, basin_space space, basin_bytes key, struct raw_key *raw, basin_error *err)
{
    basin_status st;
    uint64_t id = space;

    TRY(api_enter(db, err));
    TRY(api_check_key(key, err));
    if (space == BASIN_SPACE_DEFAULT)
        id = atomic_load_explicit(&db->default_space, memory_order_acquire);
    if (id == 0 || key.size > sizeof(raw->bytes) - TUPLE_VARINT_MAX)
        return BASIN_END;
    raw->size = tuple_varint_put(raw->bytes, id);
    if (key.size)
        memcpy(raw->bytes + raw->size, key.data, key.size);
    raw->size += key.size;
out:
    return st;
}

/* Only the default keyspace, which is never dropped, is written without looking at the catalog. */
static basin_status
write_now(basin_db *db, basin_space space, basin_bytes key, const basin_bytes *value,
          basin_durability durability, basin_error *err)
{
    basin_status st;
    struct raw_key raw;
    bool durable = durability == BASIN_DURABLE;

    if (space != BASIN_SPACE_DEFAULT)
        return BASIN_END;
    st = raw_key(db, space, key, &raw, err);
    if (st != BASIN_OK)
        return st;
    if (value == NULL)
        return lsm_delete_now(db->lsm, bytes_of(raw.bytes, raw.size), durable, err);
    TRY(check_value(*value, err));
    st = lsm_put_now(db->lsm, bytes_of(raw.bytes, raw.size), api_bytes(*value), durable, err);
out:
    return st;
}

basin_status
api_commit_one(basin_txn *txn, basin_durability durability, basin_error *err)
{
    basin_status st = basin_commit(txn, durability, NULL, err);

    if (st == BASIN_BUSY)
        basin_abort(txn);
    return st;
}

basin_status
basin_db_put(basin_db *db, basin_space space, basin_bytes key, basin_bytes value,
             basin_durability durability, basin_error *err)
{
    basin_status st = write_now(db, space, key, &value, durability, err);
    basin_txn *txn;

    if (st != BASIN_END)
        return st;
    do {
        TRY(basin_begin_mode(db, BASIN_WRITE, &txn, err));
        st = basin_put(txn, space, key, value, err);
        if (st != BASIN_OK)
            basin_abort(txn);
        else
            st = api_commit_one(txn, durability, err);
    } while (st == BASIN_CONFLICT); /* two first puts made the default keyspace */
out:
    return st;
}

basin_status
basin_db_delete(basin_db *db, basin_space space, basin_bytes key, basin_durability durability,
                basin_error *err)
{
    basin_status st = write_now(db, space, key, NULL, durability, err);
    basin_txn *txn;

    if (st != BASIN_END)
        return st;
    do {
        TRY(basin_begin_mode(db, BASIN_WRITE, &txn, err));
        st = basin_delete(txn, space, key, err);
        if (st != BASIN_OK)
            basin_abort(txn);
        else
            st = api_commit_one(txn, durability, err);
    } while (st == BASIN_CONFLICT);
out:
    return st;
}

basin_status
basin_db_get(basin_db *db, basin_space space, basin_bytes key, void *to, size_t n,
             uint64_t *size, basin_error *err)
{
    basin_status st;
    basin_txn *txn;
    struct raw_key raw;
    uint64_t whole = 0;

    if (size != NULL)
        *size = 0;
    st = raw_key(db, space, key, &raw, err);
    if (st == BASIN_OK)
        st = lsm_read_now(db->lsm, bytes_of(raw.bytes, raw.size), to, n, &whole, err);
    if (st != BASIN_END) {
        if (size != NULL)
            *size = whole;
        return st;
    }
    TRY(basin_begin_mode(db, BASIN_READ, &txn, err));
    st = basin_read(txn, space, key, 0, to, n, NULL, size, err);
    basin_abort(txn);
out:
    return st;
}
