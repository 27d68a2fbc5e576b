// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Looking for the end of a log: what lies behind it are bytes of older logs, and whoever stored
 * them may have made them look like anything. How much is hashed is counted, not timed.
 */
#include "lsm/crash.h"
#include "lsm/log_format.h"

enum { HEAD_FROM = 4096, FORGED_BODY = 60000 };

/* A killed writer leaves a log of some commits; its file is LOG_SIZE_START bytes long. */
static struct rig *
begin(uint64_t seed)
{
    struct rig *r = malloc(sizeof *r);
    struct lsm_txn *txn;

    assert_non_null(r);
    rig_init(r, seed, true);
    r->o = (struct lsm_options){ .mem = &r->memory.table, .os = r->os, .no_threads = true };
    rig_open(r);
    for (unsigned i = 0; i < 10; i++) {
        rig_begin(r, LSM_WRITE, &txn);
        rig_ok(r, lsm_put(txn, BYTES_LIT("key"), BYTES_LIT("value"), &r->err));
        rig_ok(r, lsm_commit(txn, false, &r->seqno, &r->err));
    }
    os_sim_crash_at(r->sim, 1);
    rig_drop(r);
    os_sim_crash(r->sim, OS_CRASH_KILL);
    return r;
}

static void
end(struct rig *r)
{
    rig_ok(r, lsm_close(r->db, &r->err));
    r->db = NULL;
    rig_release(r);
    free(r);
}

/* Everything behind HEAD_FROM looks like heads of batches with long bodies. */
static void
forge_heads(struct rig *r)
{
    static uint8_t piece[LOG_SIZE_START - HEAD_FROM];
    struct os_file *f;

    for (size_t at = 0; at < sizeof piece; at += LOG_RECORD_HEADER_SIZE) {
        memset(piece + at, 0, LOG_RECORD_HEADER_SIZE);
        store_u32(piece + at + 8, FORGED_BODY);
        piece[at + 12] = RECORD_BATCH;
        store_u64(piece + at + 16, 11);
        store_u64(piece + at + 24, 2048); /* as if the tail had been synced */
    }
    rig_ok(r, os_open(r->os, "db/log/1", OS_WRITE, &f, &r->err));
    rig_ok(r, os_write(f, HEAD_FROM, piece, sizeof piece, &r->err));
    os_close(f);
}

static void
expect_linear(struct rig *r, const struct log_reader *log)
{
    (void)r;
    assert_int_equal(log->size, LOG_SIZE_START);
    assert_in_range(log->hashed, 0, log->size);
}

static void
forged_heads_behind_the_tail_cost_no_more_than_their_bytes(void **state)
{
    struct rig *r = begin(1);
    struct lsm_options stored = r->o;
    struct log_reader log;
    struct record rec;
    size_t records = 0;
    basin_status st;

    (void)state;
    forge_heads(r);
    stored.read_only = true;
    rig_ok(r, lsm__open_stored("db", &stored, &r->db, &r->err));
    rig_ok(r, lsm__log_reader_open(r->db, (struct place){ 1, 0 }, &log, &r->err));
    while ((st = lsm__log_reader_next(&log, &rec, &r->err)) == BASIN_OK)
        records++;
    rig_status(r, st, BASIN_END);
    assert_int_equal(records, 10);
    expect_linear(r, &log);
    rig_status(r, lsm__log_reader_resync(&log, &r->err), BASIN_END);
    expect_linear(r, &log);
    lsm__log_reader_close(&log);
    rig_ok(r, lsm_close(r->db, &r->err));
    rig_open(r);
    end(r);
}

static void
no_bit_of_a_head_changes_unseen(void **state)
{
    struct rig *r = begin(2);
    struct lsm_options stored = r->o;

    (void)state;
    stored.read_only = true;
    for (size_t bit = 0; bit < 8 * (size_t)LOG_RECORD_HEADER_SIZE; bit++) {
        struct os_file *f;
        struct log_reader log;
        struct record rec;
        basin_status st;
        uint8_t byte;
        size_t got;
        rig_ok(r, os_open(r->os, "db/log/1", OS_WRITE, &f, &r->err));
        rig_ok(r, os_read(f, LOG_HEADER_SIZE + bit / 8, &byte, 1, &got, &r->err));
        byte ^= (uint8_t)(1u << bit % 8);
        rig_ok(r, os_write(f, LOG_HEADER_SIZE + bit / 8, &byte, 1, &r->err));
        rig_ok(r, lsm__open_stored("db", &stored, &r->db, &r->err));
        rig_ok(r, lsm__log_reader_open(r->db, (struct place){ 1, 0 }, &log, &r->err));
        st = lsm__log_reader_next(&log, &rec, &r->err); /* a later one may prove the damage */
        assert_true(st == BASIN_END || st == BASIN_CORRUPT);
        lsm__log_reader_close(&log);
        rig_ok(r, lsm_close(r->db, &r->err));
        byte ^= (uint8_t)(1u << bit % 8);
        rig_ok(r, os_write(f, LOG_HEADER_SIZE + bit / 8, &byte, 1, &r->err));
        os_close(f);
    }
    rig_open(r);
    end(r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forged_heads_behind_the_tail_cost_no_more_than_their_bytes),
        cmocka_unit_test(no_bit_of_a_head_changes_unseen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
