// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Objects by their ids, and what is done for each of them under the database's lock: in proportion
 * to their number, which is counted in slots of the maps that were looked at.
 */
#include "lsm/ids.h"
#include "lsm/rig.h"

enum { MODEL = 300, OBJECTS = 3000 };

static void
a_map_does_what_an_array_does(void **state)
{
    struct chance c = chance_init("ids", 3);
    struct test_memory memory;
    struct id_map m = { 0 };
    uint64_t want[MODEL] = { 0 };
    size_t count = 0;

    (void)state;
    test_memory_init(&memory);
    for (int step = 0; step < 40000; step++) {
        size_t i = chance_below(&c, step / 10000 % 2 ? MODEL : 20);
        struct object_id id = { i / 7, i % 7 };
        struct id_slot *slot = lsm__ids_find(&m, id);
        assert_int_equal(slot != NULL, want[i] != 0);
        if (slot != NULL)
            assert_int_equal(slot->a, want[i]);
        if (chance_below(&c, 2)) {
            count += want[i] == 0;
            want[i] = 1 + chance_u64(&c) / 2;
            assert_true(lsm__ids_reserve(&m, &memory.table, 1));
            lsm__ids_put(&m, id)->a = want[i];
        } else {
            count -= want[i] != 0;
            want[i] = 0;
            lsm__ids_drop(&m, id);
        }
        assert_int_equal(m.count, count);
    }
    lsm__ids_release(&m, &memory.table);
    assert_int_equal(memory.live, 0);
}

static struct rig *
begin(void)
{
    struct rig *r = malloc(sizeof *r);

    assert_non_null(r);
    rig_init(r, 9, true);
    r->o = (struct lsm_options){ .mem = &r->memory.table,
                                 .os = r->os,
                                 .no_threads = true,
                                 .mem_limit = 64 * MIB,
                                 .value_threshold = 100 };
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
put(struct rig *r, unsigned i, size_t size)
{
    struct lsm_txn *txn;
    char key[16];
    int n = snprintf(key, sizeof key, "%08u", i);

    memset(r->value, 'v', size);
    rig_begin(r, LSM_WRITE, &txn);
    rig_ok(r, lsm_put(txn, bytes_of(key, (size_t)n), bytes_of(r->value, size), &r->err));
    rig_ok(r, lsm_commit(txn, false, &r->seqno, &r->err));
}

static uint64_t
steps(const struct rig *r)
{
    return r->db->manifest.index.steps + r->db->manifest.uses.steps + r->db->value_index.steps;
}

static void
value_strata_are_counted_once_each(void **state)
{
    struct rig *r = begin();
    struct lsm_stats s;
    uint64_t before;
    bool more;

    (void)state;
    rig_open(r);
    for (unsigned i = 0; i < OBJECTS; i++)
        put(r, i, 200);
    rig_ok(r, lsm_flush(r->db, &r->err));
    assert_int_equal(r->db->value_count, OBJECTS);
    assert_in_range(steps(r), OBJECTS, 20 * OBJECTS);
    before = steps(r);
    rig_ok(r, lsm_stat(r->db, &s, &r->err));
    assert_in_range(steps(r) - before, 1, 4 * OBJECTS);
    rig_settle(r);
    before = steps(r);
    for (unsigned i = 0; i < 10; i++) /* nothing has changed */
        rig_ok(r, lsm_pump(r->db, &more, &r->err));
    assert_in_range(steps(r) - before, 0, 10 * 4 * OBJECTS);
    end(r);
}

static void
strata_are_found_without_a_look_at_the_others(void **state)
{
    struct rig *r = begin();
    struct lsm_load_options how = { 0 };
    struct lsm_load *l;
    char key[16];

    (void)state;
    r->o.stratum_size = 1;
    r->o.page_size = 256;
    r->o.filter_bits = -1;
    rig_open(r);
    rig_ok(r, lsm_load_open(r->db, &how, &l, &r->err));
    for (unsigned i = 0; i < OBJECTS; i++) {
        int n = snprintf(key, sizeof key, "%08u", i);
        rig_ok(r, lsm_load_add(l, bytes_of(key, (size_t)n), BYTES_LIT("v"), &r->err));
    }
    rig_ok(r, lsm_load_commit(l, &r->seqno, &r->err));
    assert_in_range(r->db->manifest.stratum_count, 100, OBJECTS);
    assert_in_range(steps(r), 1, 20 * r->db->manifest.stratum_count);
    rig_close(r);
    rig_open(r);
    assert_in_range(steps(r), 1, 20 * r->db->manifest.stratum_count);
    end(r);
}

/* Deleted, and merged away: its space is free although it was read before. */
static void
a_value_that_is_gone_takes_no_space(void **state)
{
    struct rig *r = begin();
    struct lsm_txn *txn, *reader;
    struct bytes value;
    uint64_t before;

    (void)state;
    rig_open(r);
    put(r, 1, 10);
    rig_ok(r, lsm_flush(r->db, &r->err));
    rig_settle(r);
    before = os_sim_space_used(r->sim);
    put(r, 2, RIG_VALUE_MAX);
    rig_begin(r, LSM_READ, &reader);
    rig_ok(r, lsm_get(reader, BYTES_LIT("00000002"), &value, &r->err));
    assert_int_equal(value.size, RIG_VALUE_MAX);
    rig_begin(r, LSM_WRITE, &txn);
    rig_ok(r, lsm_delete(txn, BYTES_LIT("00000002"), &r->err));
    rig_ok(r, lsm_commit(txn, false, &r->seqno, &r->err));
    rig_ok(r, lsm_compact(r->db, NULL, &r->err));
    rig_settle(r);
    assert_in_range(os_sim_space_used(r->sim), before + RIG_VALUE_MAX, UINT64_MAX);
    lsm_abort(reader);
    rig_ok(r, lsm_compact(r->db, NULL, &r->err));
    rig_settle(r);
    assert_int_equal(r->db->value_count, 0);
    assert_in_range(os_sim_space_used(r->sim), 0, before + RIG_VALUE_MAX - 1);
    end(r);
}

/* Its footer is larger than what it holds; nothing of it is dead all the same. */
static void
a_small_value_stratum_is_not_copied_again(void **state)
{
    static const enum codec_id codecs[] = { CODEC_NONE, CODEC_LZ4, CODEC_ZSTD };
    struct lsm_stats s;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(codecs); i++) {
        struct rig *r = begin();
        r->o.codec = codecs[i];
        rig_open(r);
        put(r, 1, 101);
        put(r, 2, RIG_VALUE_MAX);
        rig_ok(r, lsm_flush(r->db, &r->err));
        rig_settle(r);
        rig_ok(r, lsm_compact(r->db, NULL, &r->err));
        rig_ok(r, lsm_stat(r->db, &s, &r->err));
        assert_in_range(s.merges, 0, 1);
        assert_int_equal(s.value_dead_bytes, 0);
        end(r);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_map_does_what_an_array_does),
        cmocka_unit_test(value_strata_are_counted_once_each),
        cmocka_unit_test(strata_are_found_without_a_look_at_the_others),
        cmocka_unit_test(a_value_that_is_gone_takes_no_space),
        cmocka_unit_test(a_small_value_stratum_is_not_copied_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
