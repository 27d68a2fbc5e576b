// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * What the manual forbids is answered, not suffered: handles that have ended, handles in a forked
 * child, operators that call back, and operators that fail. Cases: EC40; decisions 8, 18, 25.
 */
#include "api/desk.h"

#include <sys/wait.h>
#include <unistd.h>

static struct desk d;

static int
setup(void **state)
{
    (void)state;
    desk_init(&d);
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

/* ------------------------------------------------------------------ ended */

#ifdef BASIN_DEBUG
static void
expect_ended(basin_txn *txn)
{
    basin_bytes value;
    basin_cursor *c;
    basin_space space;

    desk_status(&d, basin_commit(txn, BASIN_DURABLE, NULL, &d.err), BASIN_MISUSE);
    assert_non_null(strstr(d.err.what, "has ended"));
    desk_status(&d, basin_get(txn, BASIN_SPACE_DEFAULT, key_of("a"), &value, &d.err), BASIN_MISUSE);
    desk_status(&d, basin_put(txn, BASIN_SPACE_DEFAULT, key_of("a"), key_of("1"), &d.err),
                BASIN_MISUSE);
    desk_status(&d, basin_cursor_open(txn, BASIN_SPACE_DEFAULT, NULL, &c, &d.err), BASIN_MISUSE);
    desk_status(&d, basin_space_open(txn, "s", true, &space, &d.err), BASIN_MISUSE);
    desk_status(&d, basin_savepoint(txn, "s", &d.err), BASIN_MISUSE);
    desk_status(&d, basin_rollback_to(txn, "s", &d.err), BASIN_MISUSE);
    basin_abort(txn); /* no status, no harm */
}

/* The writer lock is released once; what comes after its release is told. */
static void
ec40_releasing_twice_and_committing_after_it(void **state)
{
    basin_txn *first, *second;

    (void)state;
    desk_open(&d);
    first = desk_begin(&d, BASIN_WRITE_LOCKED);
    desk_ok(&d, basin_put(first, BASIN_SPACE_DEFAULT, key_of("a"), key_of("1"), &d.err));
    desk_ok(&d, basin_commit(first, BASIN_BUFFERED, NULL, &d.err));
    second = desk_begin(&d, BASIN_WRITE_LOCKED);
    expect_ended(first);
    basin_abort(second);
    expect_ended(second);
    for (int i = 0; i < 200; i++) /* more than are kept */
        desk_put(&d, "a", "2");
    desk_now(&d, "a", "2");
}
#endif

/* ------------------------------------------------------------------ forked */

static int
count_wrong_in_child(basin_txn *txn, basin_cursor *c)
{
    basin_stats stats = BASIN_STATS_INIT;
    basin_txn *other;
    basin_load *load;
    basin_bytes value;
    int wrong = 0;

    wrong += basin_begin_mode(d.db, BASIN_READ, &other, NULL) != BASIN_MISUSE;
    wrong += basin_get(txn, BASIN_SPACE_DEFAULT, key_of("a"), &value, NULL) != BASIN_MISUSE;
    wrong += basin_cursor_first(c, NULL) != BASIN_MISUSE;
    wrong += basin_commit(txn, BASIN_DURABLE, NULL, NULL) != BASIN_MISUSE;
    wrong += basin_db_put(d.db, BASIN_SPACE_DEFAULT, key_of("a"), key_of("child"), BASIN_DURABLE,
                          NULL) != BASIN_MISUSE;
    wrong += basin_refresh(d.db, NULL, NULL) != BASIN_MISUSE;
    wrong += basin_sync(d.db, NULL) != BASIN_MISUSE;
    wrong += basin_flush(d.db, NULL) != BASIN_MISUSE;
    wrong += basin_compact(d.db, NULL, NULL) != BASIN_MISUSE;
    wrong += basin_pin(d.db, "p", "child", NULL, NULL) != BASIN_MISUSE;
    wrong += basin_stat(d.db, &stats, NULL) != BASIN_MISUSE;
    wrong += basin_load_open(d.db, BASIN_SPACE_DEFAULT, NULL, &load, NULL) != BASIN_MISUSE;
    wrong += basin_close(d.db, NULL) != BASIN_OK;
    return wrong;
}

static void
expect_child_refused(void)
{
    basin_txn *txn = desk_begin(&d, d.o.read_only ? BASIN_READ : BASIN_WRITE);
    basin_cursor *c;
    int wait_status;

    desk_ok(&d, basin_cursor_open(txn, BASIN_SPACE_DEFAULT, NULL, &c, &d.err));
    pid_t child = fork();
    if (child == 0)
        _exit(count_wrong_in_child(txn, c));
    assert_int_equal(waitpid(child, &wait_status, 0), child);
    assert_int_equal(wait_status, 0);
    desk_ok(&d, basin_cursor_first(c, &d.err));
    basin_cursor_close(c);
    basin_abort(txn);
    desk_now(&d, "a", "1");
}

static void
d25_nothing_works_in_a_forked_child(void **state)
{
    (void)state;
    desk_open(&d);
    desk_put(&d, "a", "1");
    expect_child_refused();
    desk_close(&d);
    d.o.read_only = true;
    desk_open(&d);
    expect_child_refused();
}

/* ------------------------------------------------------------------ operators */

static struct {
    basin_txn *txn;
    basin_cursor *cursor;
    size_t calls, refused, tried;
    basin_status fail; /* what the operator returns itself */
} back;

static void
try_back(basin_status st)
{
    back.tried++;
    back.refused += st == BASIN_MISUSE;
}

/* The newest operand wins; it calls back into everything on the way. */
static basin_status
take_newest(void *ctx, basin_bytes key, const basin_bytes *base, const basin_bytes *operands,
            size_t count, basin_merge_reply *reply)
{
    basin_bytes value;
    basin_txn *txn;

    (void)ctx;
    (void)key;
    (void)base;
    back.calls++;
    if (back.txn != NULL) {
        try_back(basin_get(back.txn, BASIN_SPACE_DEFAULT, key_of("a"), &value, NULL));
        try_back(basin_begin_mode(d.db, BASIN_WRITE, &txn, NULL));
        try_back(basin_cursor_first(back.cursor, NULL));
        try_back(basin_commit(back.txn, BASIN_DURABLE, NULL, NULL));
        try_back(basin_flush(d.db, NULL));
        try_back(basin_close(d.db, NULL));
    }
    if (back.fail != BASIN_OK)
        return back.fail;
    return basin_merge_result(reply, operands[count - 1].data, operands[count - 1].size);
}

static const basin_operator newest = { .number = 70, .name = "newest", .full = take_newest };

static void
open_with_operator(void)
{
    memset(&back, 0, sizeof back);
    d.o.operators = &newest;
    d.o.operator_count = 1;
    desk_open(&d);
}

static void
merge_in(const char *key, const char *operand)
{
    basin_txn *txn = desk_begin(&d, BASIN_WRITE);

    desk_ok(&d, basin_merge(txn, BASIN_SPACE_DEFAULT, key_of(key), 70, key_of(operand), &d.err));
    desk_ok(&d, basin_commit(txn, BASIN_BUFFERED, NULL, &d.err));
}

static void
d18_an_operator_may_not_call_back(void **state)
{
    (void)state;
    open_with_operator();
    merge_in("a", "1");
    merge_in("a", "2");
    back.txn = desk_begin(&d, BASIN_READ);
    desk_ok(&d, basin_cursor_open(back.txn, BASIN_SPACE_DEFAULT, NULL, &back.cursor, &d.err));
    desk_now(&d, "a", "2");
    assert_true(back.calls > 0 && back.tried >= 6);
    assert_int_equal(back.refused, back.tried);
    basin_cursor_close(back.cursor);
    basin_abort(back.txn); /* it was not ended by the call inside */
    back.txn = NULL;
    desk_now(&d, "a", "2"); /* outside again */
    assert_int_equal(back.refused, back.tried);
}

static uint64_t
entries_stored(void)
{
    basin_stats s = BASIN_STATS_INIT;
    uint64_t n = 0;

    desk_ok(&d, basin_stat(d.db, &s, &d.err));
    for (size_t i = 0; i < BASIN_LEVEL_COUNT; i++)
        n += s.levels[i].entries;
    return n;
}

static void
d18_an_operator_that_fails_loses_nothing(void **state)
{
    char got[8];

    (void)state;
    open_with_operator();
    desk_put(&d, "b", "plain");
    merge_in("a", "1");
    desk_ok(&d, basin_flush(d.db, &d.err));
    merge_in("a", "2");
    back.fail = BASIN_IO;
    desk_status(&d,
                basin_db_get(d.db, BASIN_SPACE_DEFAULT, key_of("a"), got, sizeof got, NULL, &d.err),
                BASIN_IO);
    assert_non_null(strstr(d.err.what, "newest"));
    desk_now(&d, "b", "plain");
    (void)!basin_compact(d.db, NULL, &d.err); /* carries the operands along */
    desk_now(&d, "b", "plain");
    desk_put(&d, "c", "goes on");
    back.fail = BASIN_OK;
    desk_now(&d, "a", "2");
    desk_ok(&d, basin_compact(d.db, NULL, &d.err));
    desk_now(&d, "a", "2");
    desk_now(&d, "c", "goes on");
}

static void
d18_without_the_operator_operands_are_carried(void **state)
{
    basin_txn *txn;
    char got[8];
    uint64_t with;

    (void)state;
    open_with_operator();
    desk_put(&d, "b", "plain");
    merge_in("a", "1");
    desk_ok(&d, basin_flush(d.db, &d.err));
    merge_in("a", "2");
    desk_ok(&d, basin_flush(d.db, &d.err));
    with = entries_stored();
    desk_close(&d);
    d.o.operator_count = 0;
    desk_open(&d);
    desk_status(&d,
                basin_db_get(d.db, BASIN_SPACE_DEFAULT, key_of("a"), got, sizeof got, NULL, &d.err),
                BASIN_UNKNOWN_OPERATOR);
    desk_now(&d, "b", "plain");
    txn = desk_begin(&d, BASIN_WRITE);
    desk_status(&d, basin_merge(txn, BASIN_SPACE_DEFAULT, key_of("a"), 70, key_of("3"), &d.err),
                BASIN_UNKNOWN_OPERATOR);
    basin_abort(txn);
    desk_ok(&d, basin_compact(d.db, NULL, &d.err));
    assert_int_equal(entries_stored(), with);
    desk_close(&d);
    open_with_operator();
    desk_now(&d, "a", "2");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#ifdef BASIN_DEBUG
        cmocka_unit_test_setup_teardown(ec40_releasing_twice_and_committing_after_it, setup,
                                        teardown),
#endif
        cmocka_unit_test_setup_teardown(d25_nothing_works_in_a_forked_child, setup, teardown),
        cmocka_unit_test_setup_teardown(d18_an_operator_may_not_call_back, setup, teardown),
        cmocka_unit_test_setup_teardown(d18_an_operator_that_fails_loses_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(d18_without_the_operator_operands_are_carried, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
