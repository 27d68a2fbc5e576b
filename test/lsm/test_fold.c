// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Folding the operands of one key in a flush: what it costs is counted in bytes that pass through
 * the operator, and operands that no writer makes are carried on.
 */
#include "lsm/rig.h"

enum { OPERATOR = 100, PIECE_SIZE = 20, PIECES = 5000 };

/* An appending operator that counts what it is given. */
struct counted {
    struct lsm_operator op;
    uint64_t partial_bytes, partials;
};

static basin_status
counted_full(void *ctx, struct bytes key, const struct bytes *base, const struct bytes *operands,
             size_t count, struct buf *out, bool *deleted, basin_error *err)
{
    (void)ctx;
    return lsm_operator_append.full(NULL, key, base, operands, count, out, deleted, err);
}

static basin_status
counted_partial(void *ctx, struct bytes key, struct bytes older, struct bytes newer,
                struct buf *out, basin_error *err)
{
    struct counted *c = ctx;

    c->partials++;
    c->partial_bytes += older.size + newer.size;
    return lsm_operator_append.partial(NULL, key, older, newer, out, err);
}

static struct rig *
begin(struct counted *c)
{
    struct rig *r = malloc(sizeof *r);

    assert_non_null(r);
    rig_init(r, 3, true);
    *c = (struct counted){ .op = { .number = OPERATOR,
                                   .name = "counted",
                                   .ctx = c,
                                   .full = counted_full,
                                   .partial = counted_partial } };
    r->o = (struct lsm_options){ .mem = &r->memory.table,
                                 .os = r->os,
                                 .no_threads = true,
                                 .operators = &c->op,
                                 .operator_count = 1 };
    rig_open(r);
    return r;
}

static void
end(struct rig *r)
{
    rig_close(r);
    rig_release(r);
    free(r);
}

/* Piece i of the value: its number, in PIECE_SIZE bytes. */
static struct bytes
piece(char to[PIECE_SIZE + 1], unsigned i)
{
    (void)snprintf(to, PIECE_SIZE + 1, "%020u", i);
    return bytes_of(to, PIECE_SIZE);
}

static void
each_piece_of_many_is_copied_a_few_times(void **state)
{
    struct counted c;
    struct rig *r = begin(&c);
    struct lsm_txn *txn;
    struct bytes value;
    char text[PIECE_SIZE + 1];

    (void)state;
    rig_begin(r, LSM_WRITE, &txn);
    for (unsigned i = 0; i < PIECES; i++)
        rig_ok(r, lsm_merge(txn, BYTES_LIT("k"), OPERATOR, piece(text, i), &r->err));
    rig_ok(r, lsm_commit(txn, false, &r->seqno, &r->err));
    c.partials = c.partial_bytes = 0;
    rig_ok(r, lsm_flush(r->db, &r->err));
    assert_int_equal(r->db->manifest.strata[0]->entries, 1);
    assert_int_equal(c.partials, PIECES - 1);
    assert_in_range(c.partial_bytes, 0, 14 * PIECES * PIECE_SIZE); /* 2^13 pieces and the rest */
    rig_begin(r, LSM_READ, &txn);
    rig_ok(r, lsm_get(txn, BYTES_LIT("k"), &value, &r->err));
    assert_int_equal(value.size, PIECES * PIECE_SIZE);
    for (unsigned i = 0; i < PIECES; i++)
        assert_memory_equal(value.data + i * PIECE_SIZE, piece(text, i).data, PIECE_SIZE);
    lsm_abort(txn);
    end(r);
}

static void
operands_without_an_operator_are_carried_on(void **state)
{
    struct counted c;
    struct rig *r = begin(&c);
    struct lsm_txn *txn;
    struct bytes value;

    (void)state;
    rig_begin(r, LSM_WRITE, &txn);
    rig_ok(r, lsm_put(txn, BYTES_LIT("a"), BYTES_LIT("value"), &r->err));
    rig_ok(r, lsm_commit(txn, false, &r->seqno, &r->err));
    for (unsigned i = 0; i < 3; i++) { /* as a damaged log or stratum may bring them */
        struct entry e = { BYTES_LIT("b"), BYTES_NULL, ++r->seqno, ENTRY_MERGE };
        rig_ok(r, memtable_add(r->db->active, &e, &r->err));
    }
    r->db->last_seqno = r->seqno;
    atomic_store(&r->db->visible, r->seqno);
    rig_ok(r, lsm_flush(r->db, &r->err));
    assert_int_equal(r->db->manifest.strata[0]->entries, 4);
    assert_int_equal(c.partials, 0);
    rig_begin(r, LSM_READ, &txn);
    rig_ok(r, lsm_get(txn, BYTES_LIT("a"), &value, &r->err));
    rig_status(r, lsm_get(txn, BYTES_LIT("b"), &value, &r->err), BASIN_CORRUPT);
    lsm_abort(txn);
    end(r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_piece_of_many_is_copied_a_few_times),
        cmocka_unit_test(operands_without_an_operator_are_carried_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
