// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * What a merge may touch: strata of its destination that lie between its inputs stay where they
 * are, and nothing that it writes lies across them.
 */
#include "lsm/rig.h"

static void
put(struct rig *r, const char *key, size_t size)
{
    struct bytes k = bytes_of(key, strlen(key));
    struct lsm_txn *txn;

    memset(r->value, key[0], size);
    rig_begin(r, LSM_WRITE, &txn);
    rig_ok(r, lsm_put(txn, k, bytes_of(r->value, size), &r->err));
    rig_ok(r, lsm_commit(txn, false, &r->seqno, &r->err));
    oracle_put(r->oracle, k, bytes_of(r->value, size), r->seqno);
}

static void
delete_range(struct rig *r, const char *begin, const char *end)
{
    struct bytes b = bytes_of(begin, strlen(begin)), e = bytes_of(end, strlen(end));
    struct lsm_txn *txn;

    rig_begin(r, LSM_WRITE, &txn);
    rig_ok(r, lsm_delete_range(txn, b, e, false, &r->err));
    rig_ok(r, lsm_commit(txn, false, &r->seqno, &r->err));
    oracle_delete_range(r->oracle, b, e, false, r->seqno);
}

static void
begin(struct rig *r)
{
    rig_init(r, 7, true);
    r->o = (struct lsm_options){
        .mem = &r->memory.table, .os = r->os, .no_threads = true, .level0_runs = 8, .page_size = 256
    };
    rig_open(r);
}

static void
end(struct rig *r)
{
    rig_check_version(r);
    rig_check(r, true);
    rig_reopen(r);
    rig_check_version(r);
    rig_check(r, true);
    rig_close(r);
    rig_release(r);
    free(r);
}

static void
flush(struct rig *r)
{
    rig_ok(r, lsm_flush(r->db, &r->err));
}

/* Something between what will come, at level 1. */
static void
put_middle(struct rig *r)
{
    for (char key[] = "k"; key[0] <= 'm'; key[0]++)
        put(r, key, 100);
    rig_ok(r, lsm_compact(r->db, NULL, &r->err));
    assert_int_equal(r->db->manifest.stratum_count, 1);
    assert_int_equal(r->db->manifest.strata[0]->level, 1);
}

static void
nothing_is_written_across_what_lies_between(void **state)
{
    struct rig *r = malloc(sizeof *r);

    (void)state;
    assert_non_null(r);
    begin(r);
    put_middle(r);
    put(r, "a", 10);
    put(r, "b", 10);
    flush(r);
    put(r, "z", 10);
    flush(r);
    put(r, "a", 20);
    flush(r);
    rig_ok(r, lsm_compact(r->db, NULL, &r->err));
    assert_int_equal(r->db->manifest.stratum_count, 3);
    end(r);
}

/* Ranges on both sides, which a pin keeps, with an entry or alone. */
static void
merge_ranges(bool entry)
{
    struct rig *r = malloc(sizeof *r);
    uint64_t seqno;

    assert_non_null(r);
    begin(r);
    put_middle(r);
    rig_ok(r, lsm_pin(r->db, "before", "", &seqno, &r->err));
    delete_range(r, "a", "c");
    flush(r);
    delete_range(r, "n", "o");
    delete_range(r, "y", "zz");
    flush(r);
    delete_range(r, "a", "b");
    if (entry)
        put(r, "b", 10);
    flush(r);
    rig_ok(r, lsm_compact(r->db, NULL, &r->err));
    assert_int_equal(r->db->manifest.stratum_count, 3);
    rig_check_version(r);
    rig_check(r, true);
    rig_ok(r, lsm_unpin(r->db, "before", &r->err));
    rig_ok(r, lsm_compact(r->db, NULL, &r->err));
    assert_int_equal(r->db->manifest.stratum_count, entry ? 2 : 1);
    end(r);
}

static void
no_range_lies_across_what_lies_between(void **state)
{
    (void)state;
    merge_ranges(true);
    merge_ranges(false);
}

/* ------------------------------------------------------------------ listing */

struct listing {
    struct rig *r;
    size_t count;
};

static int
compact_and_compare(void *ctx, const struct lsm_stratum_info *info)
{
    struct listing *l = ctx;

    if (l->count++ == 0)
        rig_ok(l->r, lsm_compact(l->r->db, NULL, &l->r->err));
    assert_int_equal(info->level, 0);
    return 0;
}

/* A list is of one version, also of strata that go to another level meanwhile. */
static void
a_list_shows_the_levels_of_its_version(void **state)
{
    struct rig *r = malloc(sizeof *r);
    struct listing l = { .r = r };

    (void)state;
    assert_non_null(r);
    begin(r);
    put(r, "a", 10);
    flush(r);
    put(r, "k", 10);
    flush(r);
    rig_ok(r, lsm_stratum_list(r->db, compact_and_compare, &l, &r->err));
    assert_int_equal(l.count, 2);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(r->db->manifest.strata[i]->level, 1);
    end(r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_shows_the_levels_of_its_version),
        cmocka_unit_test(nothing_is_written_across_what_lies_between),
        cmocka_unit_test(no_range_lies_across_what_lies_between),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
