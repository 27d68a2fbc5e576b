// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The bounds of buffered commits (E70): how much log may wait for its sync, and how long, whatever
 * else the database is busy with.
 */
#include "lsm/rig.h"

enum { BUFFER_BYTES = 64 * 1024, VALUE_SIZE = 1000, OPERATOR = 100 };

/* An operator that stops a flush while it is held. */
struct gate {
    atomic_bool held, reached;
    struct lsm_operator op;
    struct rig *r;
    struct os_thread *flushing;
    basin_status flushed;
};

static basin_status
gate_full(void *ctx, struct bytes key, const struct bytes *base, const struct bytes *operands,
          size_t count, struct buf *out, bool *deleted, basin_error *err)
{
    struct gate *g = ctx;

    (void)key;
    (void)base;
    (void)err;
    *deleted = false;
    while (atomic_load(&g->held)) {
        atomic_store(&g->reached, true);
        os_posix()->ops->sleep_ns(os_posix(), 1000000);
    }
    return buf_set(out, operands[count - 1].data, operands[count - 1].size);
}

static struct rig *
begin(bool sim)
{
    struct rig *r = malloc(sizeof *r);

    assert_non_null(r);
    rig_init(r, 1, sim);
    r->o = (struct lsm_options){ .mem = &r->memory.table,
                                 .os = r->os,
                                 .no_threads = sim,
                                 .buffer_ms = 3600000,
                                 .buffer_bytes = BUFFER_BYTES };
    return r;
}

static void
end(struct rig *r)
{
    rig_close(r);
    rig_release(r);
    free(r);
}

static void
commit(struct rig *r, const char *key, size_t size)
{
    struct lsm_txn *txn;

    memset(r->value, 'v', size);
    rig_begin(r, LSM_WRITE, &txn);
    rig_ok(r, lsm_put(txn, bytes_of(key, strlen(key)), bytes_of(r->value, size), &r->err));
    rig_ok(r, lsm_commit(txn, false, &r->seqno, &r->err));
}

static void
flush_thread(void *ctx)
{
    struct gate *g = ctx;
    basin_error err;

    g->flushed = lsm_flush(g->r->db, &err);
}

/* Opens with a gate, and holds a flush in it. */
static void
hold_a_flush(struct rig *r, struct gate *g)
{
    struct lsm_txn *txn;

    *g = (struct gate){ .r = r };
    g->op =
        (struct lsm_operator){ .number = OPERATOR, .name = "gate", .ctx = g, .full = gate_full };
    r->o.operators = &g->op;
    r->o.operator_count = 1;
    rig_open(r);
    rig_begin(r, LSM_WRITE, &txn);
    rig_ok(r, lsm_put(txn, BYTES_LIT("k"), BYTES_LIT("0"), &r->err));
    rig_ok(r, lsm_merge(txn, BYTES_LIT("k"), OPERATOR, BYTES_LIT("1"), &r->err));
    rig_ok(r, lsm_commit(txn, false, &r->seqno, &r->err));
    atomic_store(&g->held, true);
    rig_ok(r, os_thread_start(&base_malloc, flush_thread, g, "flushing", &g->flushing, &r->err));
    while (!atomic_load(&g->reached))
        os_posix()->ops->sleep_ns(os_posix(), 1000000);
}

static void
let_go(struct gate *g)
{
    atomic_store(&g->held, false);
    os_thread_join(g->flushing);
    assert_int_equal(g->flushed, BASIN_OK);
}

static void
no_commit_returns_over_the_bound_in_bytes(void **state)
{
    struct rig *r = begin(false);
    struct gate g;

    (void)state;
    hold_a_flush(r, &g);
    for (unsigned i = 0; i < 300; i++) {
        commit(r, "b", VALUE_SIZE);
        assert_in_range(lsm__log_unsynced(r->db->log), 0, BUFFER_BYTES - 1);
    }
    let_go(&g);
    end(r);
}

static void
a_commit_reaches_the_disk_in_its_time_beside_a_flush(void **state)
{
    struct rig *r = begin(false);
    struct gate g;
    uint64_t left = 1;

    (void)state;
    r->o.buffer_ms = 20;
    hold_a_flush(r, &g);
    commit(r, "b", VALUE_SIZE);
    for (unsigned i = 0; i < 1000 && left > 0; i++) { /* 500 times its bound */
        os_posix()->ops->sleep_ns(os_posix(), 10000000);
        left = lsm__log_unsynced(r->db->log);
    }
    assert_int_equal(left, 0);
    assert_true(atomic_load(&g.held));
    let_go(&g);
    end(r);
}

static void
without_threads_commits_and_pumping_keep_the_bounds(void **state)
{
    struct rig *r = begin(true);
    bool more;

    (void)state;
    r->o.buffer_ms = 20;
    rig_open(r);
    commit(r, "first", VALUE_SIZE);
    rig_ok(r, lsm_sync(r->db, &r->err));
    rig_settle(r); /* a checkpoint syncs too */
    os_sim_advance(r->sim, UINT64_C(1000000000));
    commit(r, "a", VALUE_SIZE); /* however long nothing was written before */
    assert_int_not_equal(lsm__log_unsynced(r->db->log), 0);
    os_sim_advance(r->sim, UINT64_C(10000000));
    rig_ok(r, lsm_pump(r->db, &more, &r->err));
    commit(r, "b", VALUE_SIZE);
    assert_int_not_equal(lsm__log_unsynced(r->db->log), 0);
    os_sim_advance(r->sim, UINT64_C(10000000));
    commit(r, "c", VALUE_SIZE);
    assert_int_equal(lsm__log_unsynced(r->db->log), 0);
    commit(r, "d", VALUE_SIZE);
    os_sim_advance(r->sim, UINT64_C(20000000));
    assert_int_not_equal(lsm__log_unsynced(r->db->log), 0);
    rig_ok(r, lsm_pump(r->db, &more, &r->err));
    assert_int_equal(lsm__log_unsynced(r->db->log), 0);
    for (unsigned i = 0; i < 300; i++) {
        commit(r, "e", VALUE_SIZE);
        assert_in_range(lsm__log_unsynced(r->db->log), 0, BUFFER_BYTES - 1);
    }
    end(r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_commit_returns_over_the_bound_in_bytes),
        cmocka_unit_test(a_commit_reaches_the_disk_in_its_time_beside_a_flush),
        cmocka_unit_test(without_threads_commits_and_pumping_keep_the_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
