// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Cursors over one keyspace. The bounds that the engine gets always end at the keyspace.
 */
#include "api/api.h"

struct basin_cursor {
    basin_db *db;
    const basin_allocator *mem;
    struct lsm_cursor *lsm;
    size_t head;          /* bytes of the space's varint */
    struct buf key;       /* space and key of a seek */
    struct arena batch;   /* of next_many */
    bool behind;          /* next_many stands at the pair that it gave last */
};

struct bounds {
    struct buf lower, upper;
    struct lsm_range range;
};

static basin_status
add_bound(struct buf *to, uint64_t id, basin_bytes key, basin_error *err)
{
    basin_status st;
    uint8_t head[TUPLE_VARINT_MAX];

    TRY(api_check_key(key, err));
    buf_clear(to);
    TRY(error_mem(buf_add(to, head, tuple_varint_put(head, id)), err));
    TRY(error_mem(buf_add(to, key.data, key.size), err));
out:
    return st;
}

static basin_status
prefix_upper(struct bounds *b, uint64_t id, basin_bytes prefix, basin_error *err)
{
    basin_status st;
    bool unbounded = false;
    uint8_t head[TUPLE_VARINT_MAX];

    TRY(api_check_key(prefix, err));
    buf_clear(&b->upper);
    TRY(error_mem(buf_add(&b->upper, head, tuple_varint_put(head, id)), err));
    TRY(tuple_prefix_end(api_bytes(prefix), &b->upper, &unbounded));
    if (unbounded) {
        buf_clear(&b->upper);
        TRY(catalog_space_end(&b->upper, id, &unbounded));
    }
    b->range.has_upper = !unbounded;
    b->range.upper_excluded = true;
out:
    return st;
}

/* The narrower of the prefix's bounds and the given ones. */
static basin_status
apply_range(struct bounds *b, uint64_t id, const basin_range *r, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct buf given;

    buf_init(&given, b->lower.mem);
    if (r->lower_bound != BASIN_NO_BOUND) {
        TRY(add_bound(&given, id, r->lower, err));
        int c = bytes_compare(buf_bytes(&given), buf_bytes(&b->lower));
        if (c > 0)
            TRY(error_mem(buf_set(&b->lower, given.data, given.size), err));
        if (c >= 0)
            b->range.lower_excluded = r->lower_bound == BASIN_EXCLUDED;
    }
    if (r->upper_bound != BASIN_NO_BOUND) {
        TRY(add_bound(&given, id, r->upper, err));
        if (!b->range.has_upper || bytes_compare(buf_bytes(&given), buf_bytes(&b->upper)) < 0) {
            TRY(error_mem(buf_set(&b->upper, given.data, given.size), err));
            b->range.upper_excluded = r->upper_bound == BASIN_EXCLUDED;
            b->range.has_upper = true;
        }
    }
out:
    buf_release(&given);
    return st;
}

static basin_status
make_bounds(struct bounds *b, uint64_t id, const basin_range *range, basin_error *err)
{
    basin_status st;
    basin_range r = BASIN_RANGE_INIT;

    if (range != NULL)
        memcpy(&r, range, MIN_OF(range->struct_size, sizeof(r)));
    if (r.lower_bound > BASIN_EXCLUDED || r.upper_bound > BASIN_EXCLUDED)
        FAIL(err, BASIN_MISUSE, "bounds %d and %d", (int)r.lower_bound, (int)r.upper_bound);
    TRY(add_bound(&b->lower, id, r.prefix, err));
    b->range.has_lower = true;
    TRY(prefix_upper(b, id, r.prefix, err));
    TRY(apply_range(b, id, &r, err));
    b->range.lower = buf_bytes(&b->lower);
    b->range.upper = buf_bytes(&b->upper);
out:
    return st;
}

basin_status
basin_cursor_open(basin_txn *txn, basin_space space, const basin_range *range,
                  basin_cursor **out, basin_error *err)
{
    basin_status st;
    const basin_allocator *mem = txn->db->mem;
    struct bounds b;
    uint64_t id;
    basin_cursor *c = NULL;

    *out = NULL;
    buf_init(&b.lower, mem);
    buf_init(&b.upper, mem);
    memset(&b.range, 0, sizeof(b.range));
    TRY(api_enter_txn(txn, err));
    st = api_space(txn, space, false, &id, err);
    if (st == BASIN_NOT_FOUND)
        id = UINT64_MAX; /* no such keyspace: nothing is in it */
    else
        TRY(st);
    TRY(make_bounds(&b, id, range, err));
    c = mem_new(mem, sizeof(*c));
    if (c == NULL)
        FAIL(err, BASIN_NO_MEM, "no memory for a cursor");
    c->db = txn->db;
    c->mem = mem;
    c->head = tuple_varint_size(id);
    buf_init(&c->key, mem);
    arena_init(&c->batch, mem, 4096);
    if (buf_reserve(&c->key, c->head) != BASIN_OK)
        FAIL(err, BASIN_NO_MEM, "no memory for a cursor");
    c->key.size = tuple_varint_put(c->key.data, id);
    TRY(lsm_cursor_open(txn->lsm, &b.range, &c->lsm, err));
    *out = c;
    c = NULL;
out:
    buf_release(&b.lower);
    buf_release(&b.upper);
    basin_cursor_close(c);
    return st;
}

void
basin_cursor_close(basin_cursor *c)
{
    if (c == NULL)
        return;
    lsm_cursor_close(c->lsm);
    buf_release(&c->key);
    arena_release(&c->batch);
    mem_free(c->mem, c, sizeof(*c));
}

basin_status
basin_cursor_first(basin_cursor *c, basin_error *err)
{
    basin_status st = api_enter(c->db, err);

    c->behind = false;
    return st != BASIN_OK ? st : lsm_cursor_first(c->lsm, err);
}

basin_status
basin_cursor_last(basin_cursor *c, basin_error *err)
{
    basin_status st = api_enter(c->db, err);

    c->behind = false;
    return st != BASIN_OK ? st : lsm_cursor_last(c->lsm, err);
}

basin_status
basin_cursor_seek(basin_cursor *c, basin_bytes key, basin_seek_op op, basin_error *err)
{
    basin_status st;

    TRY(api_enter(c->db, err));
    TRY(api_check_key(key, err));
    if (op > BASIN_SEEK_GE)
        FAIL(err, BASIN_MISUSE, "seek operation %d", (int)op);
    c->key.size = c->head;
    TRY(error_mem(buf_add(&c->key, key.data, key.size), err));
    c->behind = false;
    TRY(lsm_cursor_seek(c->lsm, buf_bytes(&c->key), (enum lsm_seek)op, err));
out:
    return st;
}

basin_status
basin_cursor_next(basin_cursor *c, basin_error *err)
{
    c->behind = false;
    return lsm_cursor_next(c->lsm, err);
}

basin_status
basin_cursor_prev(basin_cursor *c, basin_error *err)
{
    c->behind = false;
    return lsm_cursor_prev(c->lsm, err);
}

bool
basin_cursor_valid(const basin_cursor *c)
{
    return lsm_cursor_valid(c->lsm);
}

basin_bytes
basin_cursor_key(const basin_cursor *c)
{
    struct bytes raw = lsm_cursor_key(c->lsm);
    return (basin_bytes){ raw.data + c->head, raw.size - c->head };
}

basin_status
basin_cursor_value(basin_cursor *c, basin_bytes *value, basin_error *err)
{
    struct bytes found = BYTES_NULL;
    basin_status st = lsm_cursor_value(c->lsm, &found, err);

    *value = api_out(found);
    return st;
}

basin_status
basin_cursor_value_size(basin_cursor *c, uint64_t *size, basin_error *err)
{
    return lsm_cursor_value_size(c->lsm, size, err);
}

basin_status
basin_cursor_read(basin_cursor *c, uint64_t offset, void *to, size_t n, size_t *got,
                  basin_error *err)
{
    return lsm_cursor_read(c->lsm, offset, to, n, got, err);
}

int
basin_cursor_compare(const basin_cursor *c, basin_bytes key)
{
    struct bytes raw = lsm_cursor_key(c->lsm);
    return bytes_compare(bytes_of(raw.data + c->head, raw.size - c->head), api_bytes(key));
}

/* ------------------------------------------------------------------ many at once */

enum { BATCH_VALUE_MAX = 64 * 1024 };

static basin_status
copy_pair(basin_cursor *c, basin_pair *pair, basin_error *err)
{
    basin_status st;
    basin_bytes key = basin_cursor_key(c);
    struct bytes value = BYTES_NULL;
    uint64_t size;
    uint8_t *p;

    TRY(lsm_cursor_value_size(c->lsm, &size, err));
    if (size <= BATCH_VALUE_MAX)
        TRY(lsm_cursor_value(c->lsm, &value, err));
    p = arena_alloc(&c->batch, key.size + value.size + 1);
    if (p == NULL)
        FAIL(err, BASIN_NO_MEM, "no memory for a batch of pairs");
    if (key.size)
        memcpy(p, key.data, key.size);
    if (value.size)
        memcpy(p + key.size, value.data, value.size);
    pair->key = (basin_bytes){ p, key.size };
    pair->value = (basin_bytes){ size <= BATCH_VALUE_MAX ? p + key.size : NULL, (size_t)size };
out:
    return st;
}

basin_status
basin_cursor_next_many(basin_cursor *c, basin_pair *pairs, size_t capacity, size_t *count,
                       basin_error *err)
{
    basin_status st = BASIN_OK;

    *count = 0;
    TRY(api_enter(c->db, err));
    arena_release(&c->batch);
    if (c->behind) { /* the last pair of the call before */
        c->behind = false;
        st = lsm_cursor_next(c->lsm, err);
        if (st != BASIN_END)
            TRY(st);
    }
    while (*count < capacity && !c->behind && lsm_cursor_valid(c->lsm)) {
        TRY(copy_pair(c, &pairs[*count], err));
        c->behind = pairs[*count].value.data == NULL;
        (*count)++;
        st = c->behind ? BASIN_OK : lsm_cursor_next(c->lsm, err);
        if (st != BASIN_END)
            TRY(st);
    }
    st = *count ? BASIN_OK : BASIN_END;
out:
    return st;
}
