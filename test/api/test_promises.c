// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Promises of the header that span several calls: keyspaces by number (E66), many pairs at once,
 * interrupts, and what an aborted transaction holds.
 */
#include "api/desk.h"

static struct desk d;

static int
setup(void **state)
{
    (void)state;
    desk_init(&d);
    d.o.no_threads = true;
    desk_open(&d);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    desk_close(&d);
    desk_release(&d);
    return 0;
}

static basin_space
make_space(const char *name)
{
    basin_txn *txn = desk_begin(&d, BASIN_WRITE);
    basin_space space;

    desk_ok(&d, basin_space_open(txn, name, true, &space, &d.err));
    desk_ok(&d, basin_put(txn, space, key_of("k"), key_of("v"), &d.err));
    desk_ok(&d, basin_commit(txn, BASIN_BUFFERED, NULL, &d.err));
    return space;
}

static void
drop_space(const char *name)
{
    basin_txn *txn = desk_begin(&d, BASIN_WRITE);

    desk_ok(&d, basin_space_drop(txn, name, &d.err));
    desk_ok(&d, basin_commit(txn, BASIN_BUFFERED, NULL, &d.err));
}

static basin_status
put_in(basin_space space, const char *key)
{
    return basin_db_put(d.db, space, key_of(key), key_of("v"), BASIN_BUFFERED, &d.err);
}

/* ------------------------------------------------------------------ numbers */

static void
e66_a_write_beside_a_drop_conflicts(void **state)
{
    basin_space space = make_space("x");
    basin_txn *txn = desk_begin(&d, BASIN_WRITE);

    (void)state;
    desk_ok(&d, basin_put(txn, space, key_of("late"), key_of("orphan"), &d.err));
    drop_space("x");
    desk_status(&d, basin_commit(txn, BASIN_BUFFERED, NULL, &d.err), BASIN_CONFLICT);
    desk_status(&d, put_in(space, "late"), BASIN_NOT_FOUND);
    desk_status(&d, basin_db_delete(d.db, space, key_of("k"), BASIN_BUFFERED, &d.err),
                BASIN_NOT_FOUND);
}

/* A number that is not given yet takes nothing that the keyspace would begin with. */
static void
e66_an_unknown_number_is_refused(void **state)
{
    basin_space space = make_space("x"), next;
    basin_txn *txn = desk_begin(&d, BASIN_WRITE);
    basin_bytes value;

    (void)state;
    desk_status(&d, put_in(space + 1, "ghost"), BASIN_NOT_FOUND);
    desk_ok(&d, basin_put(txn, space, key_of("a"), key_of("1"), &d.err));
    desk_status(&d,
                basin_merge(txn, space + 1, key_of("ghost"), BASIN_OP_APPEND, key_of("x"), &d.err),
                BASIN_NOT_FOUND);
    desk_status(&d, basin_delete_range(txn, space + 1, key_of(""), NULL, &d.err), BASIN_NOT_FOUND);
    desk_ok(&d, basin_commit(txn, BASIN_BUFFERED, NULL, &d.err));
    next = make_space("y");
    assert_int_equal(next, space + 1);
    txn = desk_begin(&d, BASIN_READ);
    desk_status(&d, basin_get(txn, next, key_of("ghost"), &value, &d.err), BASIN_NOT_FOUND);
    desk_ok(&d, basin_get(txn, space, key_of("a"), &value, &d.err));
    basin_abort(txn);
}

static void
e66_a_rollback_takes_the_keyspace_back(void **state)
{
    basin_txn *txn = desk_begin(&d, BASIN_WRITE);
    basin_space space;

    (void)state;
    desk_ok(&d, basin_savepoint(txn, "s", &d.err));
    desk_ok(&d, basin_space_open(txn, "x", true, &space, &d.err));
    desk_ok(&d, basin_put(txn, space, key_of("k"), key_of("v"), &d.err));
    desk_ok(&d, basin_rollback_to(txn, "s", &d.err));
    desk_status(&d, basin_put(txn, space, key_of("k"), key_of("v"), &d.err), BASIN_NOT_FOUND);
    desk_ok(&d, basin_space_open(txn, "x", true, &space, &d.err));
    desk_ok(&d, basin_put(txn, space, key_of("k"), key_of("v"), &d.err));
    desk_ok(&d, basin_space_drop(txn, "x", &d.err));
    desk_status(&d, basin_put(txn, space, key_of("k"), key_of("v"), &d.err), BASIN_NOT_FOUND);
    basin_abort(txn);
}

static void
e66_a_load_beside_a_drop_leaves_nothing(void **state)
{
    basin_space space = make_space("x");
    basin_load *load;

    (void)state;
    desk_status(&d, basin_load_open(d.db, space + 1, NULL, &load, &d.err), BASIN_NOT_FOUND);
    desk_ok(&d, basin_load_open(d.db, space, NULL, &load, &d.err));
    desk_ok(&d, basin_load_add(load, key_of("a"), key_of("1"), &d.err));
    drop_space("x");
    desk_status(&d, basin_load_commit(load, NULL, &d.err), BASIN_NOT_FOUND);
}

/* ------------------------------------------------------------------ many at once */

enum { LARGE = 70000 };

static void
put_small_and_large(const char *const keys[4], const char *large)
{
    basin_txn *txn = desk_begin(&d, BASIN_WRITE);

    for (size_t i = 0; i < 4; i++)
        desk_ok(&d, basin_put(txn, BASIN_SPACE_DEFAULT, key_of(keys[i]),
                              i % 2 ? (basin_bytes){ large, LARGE - i } : key_of("small"), &d.err));
    desk_ok(&d, basin_commit(txn, BASIN_BUFFERED, NULL, &d.err));
}

/* The call that gives a value out of line ends there, so that its bytes can be read. */
static void
a_large_value_among_many_can_be_read(void **state)
{
    static char large[LARGE], got[LARGE];
    static const char *const keys[] = { "a", "b", "c", "d" };
    basin_txn *txn;
    basin_cursor *c;
    basin_pair pairs[8];
    size_t count, n;

    (void)state;
    memset(large, 'x', sizeof large);
    put_small_and_large(keys, large);
    txn = desk_begin(&d, BASIN_READ);
    desk_ok(&d, basin_cursor_open(txn, BASIN_SPACE_DEFAULT, NULL, &c, &d.err));
    desk_ok(&d, basin_cursor_first(c, &d.err));
    for (size_t seen = 0; seen < 4; seen += 2) {
        desk_ok(&d, basin_cursor_next_many(c, pairs, 8, &count, &d.err));
        assert_int_equal(count, 2);
        for (size_t i = 0; i < count; i++)
            assert_memory_equal(pairs[i].key.data, keys[seen + i], 1);
        assert_non_null(pairs[0].value.data);
        assert_null(pairs[1].value.data);
        assert_int_equal(pairs[1].value.size, LARGE - seen - 1);
        desk_ok(&d, basin_cursor_read(c, 0, got, sizeof got, &n, &d.err));
        assert_int_equal(n, pairs[1].value.size);
        assert_memory_equal(got, large, n);
    }
    desk_status(&d, basin_cursor_next_many(c, pairs, 8, &count, &d.err), BASIN_END);
    desk_ok(&d, basin_cursor_first(c, &d.err));
    desk_ok(&d, basin_cursor_next_many(c, pairs, 8, &count, &d.err));
    desk_ok(&d, basin_cursor_first(c, &d.err)); /* forgets the pair that was given last */
    desk_ok(&d, basin_cursor_next_many(c, pairs, 1, &count, &d.err));
    assert_memory_equal(pairs[0].key.data, "a", 1);
    basin_cursor_close(c);
    basin_abort(txn);
}

/* ------------------------------------------------------------------ interrupts */

static int
interrupt_once(void *ctx, const basin_progress *p)
{
    unsigned *calls = ctx;

    (void)p;
    if ((*calls)++ == 0)
        basin_interrupt(d.db);
    return 0;
}

/* A call is stopped by an interrupt while it runs, not by one before it. */
static void
an_interrupt_stops_the_calls_that_run(void **state)
{
    unsigned calls = 0;
    basin_watch watch = BASIN_WATCH_INIT;
    basin_load *load;

    (void)state;
    watch.progress = interrupt_once;
    watch.ctx = &calls;
    desk_put(&d, "a", "1");
    basin_interrupt(d.db);
    desk_ok(&d, basin_compact(d.db, NULL, &d.err));
    for (int i = 0; i < 2; i++) { /* two runs to merge: a step, a look at the watch, a step */
        desk_put(&d, "b", "2");
        desk_ok(&d, basin_flush(d.db, &d.err));
    }
    desk_status(&d, basin_compact(d.db, &watch, &d.err), BASIN_CANCELLED);
    assert_int_equal(calls, 1);
    desk_ok(&d, basin_compact(d.db, &watch, &d.err));
    desk_ok(&d, basin_load_open(d.db, BASIN_SPACE_DEFAULT, NULL, &load, &d.err));
    for (unsigned i = 0; i < 10000; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "k%08u", i);
        desk_ok(&d, basin_load_add(load, key_of(key), key_of("v"), &d.err));
    }
    desk_ok(&d, basin_load_commit(load, NULL, &d.err));
}

/* ------------------------------------------------------------------ aborted */

/* An open cursor of an aborted transaction holds no lock, and no snapshot. */
static void
an_aborted_transaction_lets_the_next_one_in(void **state)
{
    basin_txn *txn = desk_begin(&d, BASIN_WRITE_LOCKED);
    basin_cursor *c;
    basin_stats stats = BASIN_STATS_INIT;

    (void)state;
    desk_ok(&d, basin_cursor_open(txn, BASIN_SPACE_DEFAULT, NULL, &c, &d.err));
    basin_abort(txn);
    txn = desk_begin(&d, BASIN_WRITE_LOCKED);
    desk_ok(&d, basin_put(txn, BASIN_SPACE_DEFAULT, key_of("a"), key_of("1"), &d.err));
    desk_ok(&d, basin_commit(txn, BASIN_BUFFERED, NULL, &d.err));
    desk_ok(&d, basin_stat(d.db, &stats, &d.err));
    assert_int_equal(stats.snapshots, 0);
    desk_status(&d, basin_cursor_first(c, &d.err), BASIN_MISUSE);
    desk_status(&d, basin_close(d.db, &d.err), BASIN_BUSY);
    basin_cursor_close(c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(e66_a_write_beside_a_drop_conflicts, setup, teardown),
        cmocka_unit_test_setup_teardown(e66_an_unknown_number_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(e66_a_rollback_takes_the_keyspace_back, setup, teardown),
        cmocka_unit_test_setup_teardown(e66_a_load_beside_a_drop_leaves_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_large_value_among_many_can_be_read, setup, teardown),
        cmocka_unit_test_setup_teardown(an_interrupt_stops_the_calls_that_run, setup, teardown),
        cmocka_unit_test_setup_teardown(an_aborted_transaction_lets_the_next_one_in, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
