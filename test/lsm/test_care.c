// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Check, repair and salvage in cases of their own: a format of the future, a gap in logs that a
 * consumer of the change feed holds, values that are larger than the memory.
 */
#include "lsm/damage.h"

static const struct site_kind plain = { .name = "care" };

enum { VALUE_SIZE = 6 * 1024 * 1024, PART_SIZE = 64 * 1024, MEMORY_MAX = 3 * 1024 * 1024 };

static struct site *
begin(void)
{
    struct site *s = malloc(sizeof *s);

    assert_non_null(s);
    site_start(s, &plain, 1);
    return s;
}

static void
end(struct site *s)
{
    site_release(s);
    free(s);
}

static void
put(struct site *s, unsigned i)
{
    struct lsm_txn *txn = site_begin(s, LSM_WRITE);

    site_put(s, txn, i, 30);
    site_commit(s, txn);
}

static size_t faults;

static void
count_fault(void *ctx, const struct lsm_fault *f)
{
    (void)ctx;
    (void)f;
    faults++;
}

static const struct lsm_check_options listening = { .deep = true, .fault = count_fault };

/* ------------------------------------------------------------------ the future */

/* EC41: a head of another version with a right checksum is one that somebody wrote. */
static void
a_future_version_is_told_with_both_numbers(void **state)
{
    struct site *s = begin();
    struct bytes head;
    uint8_t changed[256];
    char numbers[80];
    basin_status st;

    (void)state;
    site_open(s);
    put(s, 1);
    site_close(s);
    site_ok(s, os_sim_peek(s->sim, "db/head/0-1", &head));
    assert_int_equal(head.size, sizeof changed);
    memcpy(changed, head.data, sizeof changed);
    store_u32(changed + 8, LSM_FORMAT_VERSION + 7);
    store_u64(changed + sizeof changed - 8, hash64(changed, sizeof changed - 8, 0));
    site_ok(s, os_sim_poke(s->sim, "db/head/0-1", 0, changed, sizeof changed));
    (void)snprintf(numbers, sizeof numbers, "format %d, this build reads %d",
                   LSM_FORMAT_VERSION + 7, LSM_FORMAT_VERSION);
    for (int i = 0; i < 3; i++) {
        s->o.read_only = i == 1;
        st = i < 2 ? lsm_open("db", &s->o, &s->db, &s->err)
                   : lsm_check("db", &s->o, &listening, &s->err);
        assert_int_equal(st, BASIN_VERSION);
        assert_non_null(strstr(s->err.what, numbers));
        assert_true(s->err.hint[0] != 0);
    }
    end(s);
}

/* ------------------------------------------------------------------ logs that are held */

static basin_status
feed_all(struct site *s, uint64_t since, uint64_t *last)
{
    struct lsm_feed *f;
    struct lsm_change c;
    basin_status st;

    *last = since;
    site_open(s);
    st = lsm_feed_open(s->db, since, &f, &s->err);
    if (st == BASIN_OK) {
        while ((st = lsm_feed_next(f, &c, &s->err)) == BASIN_OK)
            *last = c.seqno;
        lsm_feed_close(f);
    }
    site_close(s);
    return st;
}

/* A consumer that is behind is told, and goes on with what comes after the repair. */
static void
repair_leaves_no_gap_in_held_logs(void **state)
{
    struct site *s = begin();
    uint64_t last, here;

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        site_open(s);
        put(s, i);
        if (i == 0)
            site_ok(s, lsm_feed_hold(s->db, "consumer", 1, 64 * MIB, &s->err));
        site_close(s);
    }
    assert_int_equal(feed_all(s, 1, &last), BASIN_END);
    assert_int_equal(last, s->seqno);
    site_ok(s, os_unlink(s->os, "db/log/3", &s->err));
    faults = 0;
    assert_int_equal(lsm_check("db", &s->o, &listening, &s->err), BASIN_CORRUPT);
    assert_int_equal(faults, 1);
    faults = 0;
    site_ok(s, lsm_repair("db", NULL, &s->o, &listening, &s->err));
    assert_int_equal(faults, 1);
    site_ok(s, lsm_check("db", &s->o, &listening, &s->err));
    assert_int_equal(feed_all(s, 1, &last), BASIN_TOO_OLD);
    site_open(s);
    here = s->db->last_seqno;
    s->seqno = here;
    put(s, 9);
    site_close(s);
    assert_int_equal(feed_all(s, here, &last), BASIN_END);
    assert_int_equal(last, here + 1);
    end(s);
}

/* ------------------------------------------------------------------ large values */

static uint8_t
byte_of(uint64_t at)
{
    return (uint8_t)(at * 7 + at / 65521);
}

static void
write_large(struct site *s)
{
    static uint8_t part[PART_SIZE];
    struct lsm_stream *stream;
    struct lsm_txn *txn = site_begin(s, LSM_WRITE);
    uint64_t seqno;

    site_ok(s, lsm_stream_open(txn, bytes_of("large", 5), &stream, &s->err));
    for (uint64_t at = 0; at < VALUE_SIZE; at += PART_SIZE) {
        for (size_t i = 0; i < PART_SIZE; i++)
            part[i] = byte_of(at + i);
        site_ok(s, lsm_stream_write(stream, bytes_of(part, PART_SIZE), &s->err));
    }
    site_ok(s, lsm_stream_close(stream, &s->err));
    site_ok(s, lsm_commit(txn, true, &seqno, &s->err));
}

static basin_status
take_piece(void *ctx, const struct lsm_piece *p, basin_error *err)
{
    uint64_t *next = ctx;

    (void)err;
    assert_int_equal(p->value_size, VALUE_SIZE);
    assert_int_equal(p->at, *next);
    assert_true(p->piece.size > 0 && p->piece.size <= LSM_PIECE_SIZE);
    for (size_t i = 0; i < p->piece.size; i += 997)
        assert_int_equal(p->piece.data[i], byte_of(p->at + i));
    *next += p->piece.size;
    return BASIN_OK;
}

static void
large_values_are_saved_in_pieces(void **state)
{
    struct site *s = begin();
    uint64_t next = 0;
    struct site_file *values;
    uint8_t flipped;

    (void)state;
    site_open(s);
    write_large(s);
    site_close(s);
    s->memory.peak = 0;
    site_ok(s, lsm_salvage("db", &s->o, &listening, take_piece, &next, &s->err));
    assert_int_equal(next, VALUE_SIZE);
    site_ok(s, lsm_repair("db", "new", &s->o, &listening, &s->err));
    next = 0;
    site_ok(s, lsm_salvage("new", &s->o, &listening, take_piece, &next, &s->err));
    assert_int_equal(next, VALUE_SIZE);
    assert_true(s->memory.peak < MEMORY_MAX);
    /* of a value whose end is damaged nothing is given */
    site_ok(s, site_take_dir(s, "db/values"));
    assert_int_equal(s->file_count, 1);
    values = &s->files[0];
    flipped = values->data[VALUE_SIZE - 100] ^ 4;
    site_ok(s, os_sim_poke(s->sim, values->path, VALUE_SIZE - 100, &flipped, 1));
    faults = next = 0;
    site_ok(s, lsm_salvage("db", &s->o, &listening, take_piece, &next, &s->err));
    assert_int_equal(next, 0);
    assert_int_equal(faults, 1);
    end(s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_future_version_is_told_with_both_numbers),
        cmocka_unit_test(repair_leaves_no_gap_in_held_logs),
        cmocka_unit_test(large_values_are_saved_in_pieces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
