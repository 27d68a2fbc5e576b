// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The directory driver under every fault: each allocation refused, each call failing, the disk full
 * at each page, a crash at each change, in each of its modes. One script is run again and again;
 * what it was told is held against what is there afterwards.
 *   - an object whose commit said OK is there and whole, after any crash;
 *   - every other object is there and whole, or absent;
 *   - nothing else is left after a sweep, and nothing leaks.
 * The last tests plant bugs and want them found: a sweep that cannot is no test.
 */
#include "store/store.h"

#include <setjmp.h>
#include <stdio.h>

#include <cmocka.h>

#include "model/chance.h"
#include "model/memory.h"

enum { OBJECTS = 4, BIG = 150000 };

static const struct {
    const char *name;
    size_t size;
} objects[OBJECTS] = {
    { "epoch/1", 60 },
    { "strata/1-1", BIG }, /* over the buffer */
    { "strata/1-2", 0 },
    { "ckpt/1-7", 5000 },
};

struct run {
    struct os_sim *sim;
    struct test_memory memory;
    bool acknowledged[OBJECTS];
    bool refused; /* some call of the script failed */
};

/* Byte k of object i. */
static uint8_t
content(size_t i, size_t k)
{
    return (uint8_t)(i * 37 + k * 11 + k / 251 + 1);
}

static void
run_start(struct run *r, uint64_t seed, bool maps)
{
    struct os_sim_options options = { .seed = seed, .maps = maps, .mem = &base_malloc };
    struct os *os;

    memset(r, 0, sizeof *r);
    test_memory_init(&r->memory);
    assert_int_equal(os_sim_new(&options, &r->sim, NULL), BASIN_OK);
    os = os_sim_os(r->sim);
    assert_int_equal(os_make_dir(os, "db", NULL), BASIN_OK);
    assert_int_equal(os_sync_dir(os, "", NULL), BASIN_OK);
}

static void
run_end(struct run *r)
{
    assert_int_equal(r->memory.live, 0);
    assert_int_equal(os_sim_handles(r->sim), 0);
    os_sim_free(r->sim);
}

/* ------------------------------------------------------------------ the script */

static basin_status
write_object(struct store *s, size_t i, basin_error *err)
{
    static uint8_t data[BIG];
    struct sink *sink = NULL;
    basin_status st;
    size_t half = objects[i].size / 3;

    for (size_t k = 0; k < objects[i].size; k++)
        data[k] = content(i, k);
    TRY(store_create(s, objects[i].name, &sink, err));
    TRY(sink->ops->write(sink, data, half, err));
    TRY(sink->ops->write(sink, data + half, objects[i].size - half, err));
    TRY(sink->ops->commit(sink, err));
out:
    if (sink)
        sink->ops->free(sink);
    return st;
}

/* OK and *present, or NOT_FOUND, or whatever a fault made of it; a wrong byte fails the test. */
static basin_status
look_at(struct store *s, size_t i, const basin_allocator *mem)
{
    struct buf to;
    basin_status st;

    buf_init(&to, mem);
    st = store_get(s, objects[i].name, BIG, &to, NULL);
    if (st == BASIN_OK) {
        assert_int_equal(to.size, objects[i].size);
        for (size_t k = 0; k < to.size; k++)
            assert_int_equal(to.data[k], content(i, k));
    }
    buf_release(&to);
    return st;
}

static basin_status
count_object(void *ctx, const char *name, uint64_t size, basin_error *err)
{
    (void)name;
    (void)size;
    (void)err;
    ++*(size_t *)ctx;
    return BASIN_OK;
}

static void
note(struct run *r, basin_status st, const basin_error *err)
{
    if (st == BASIN_OK)
        return;
    r->refused = true;
    assert_int_equal(err->status, st);
    assert_int_not_equal(err->what[0], 0);
}

static void
script(struct run *r, bool maps)
{
    struct store *s = NULL;
    basin_error err = { 0 };
    basin_status st =
        store_open_dir(os_sim_os(r->sim), "db", false, maps, &r->memory.table, &s, &err);
    size_t count = 0;

    note(r, st, &err);
    if (st != BASIN_OK)
        return;
    note(r, store_sweep(s, &err), &err);
    for (size_t i = 0; i < OBJECTS; i++) {
        st = write_object(s, i, &err);
        note(r, st, &err);
        if (st == BASIN_OK)
            r->acknowledged[i] = true;
        st = look_at(s, i, &r->memory.table);
        if (st == BASIN_NOT_FOUND)
            assert_false(r->acknowledged[i]);
    }
    note(r, store_list(s, "strata", count_object, &count, &err), &err);
    store_close(s);
}

/* ------------------------------------------------------------------ what must hold */

static basin_status
fail_on_name(void *ctx, const char *name, basin_error *err)
{
    (void)ctx;
    return error_set(err, BASIN_CORRUPT, "left over: %s", name);
}

/* Opens as the next process would. Returns whether all holds; wrong bytes fail the test. */
static bool
holds(struct run *r, bool maps)
{
    struct os *os = os_sim_os(r->sim);
    struct store *s;
    bool ok = true;
    basin_status st;

    assert_int_equal(store_open_dir(os, "db", false, maps, &r->memory.table, &s, NULL), BASIN_OK);
    assert_int_equal(store_sweep(s, NULL), BASIN_OK);
    st = os_list(os, "db/tmp", fail_on_name, NULL, NULL);
    ok = ok && (st == BASIN_OK || st == BASIN_NOT_FOUND);
    for (size_t i = 0; i < OBJECTS; i++) {
        st = look_at(s, i, &r->memory.table);
        ok = ok && (st == BASIN_OK || (st == BASIN_NOT_FOUND && !r->acknowledged[i]));
        if (st != BASIN_OK) /* and it can be made now */
            ok = ok && write_object(s, i, NULL) == BASIN_OK;
    }
    store_close(s);
    return ok;
}

/* ------------------------------------------------------------------ sweeps */

static void
each_call_fails_once(void **state)
{
    static const basin_status with[] = { BASIN_IO, BASIN_NO_SPACE };
    uint64_t n = 1;

    (void)state;
    for (bool more = true; more; n++) {
        for (size_t k = 0; k < 4; k++) {
            struct run r;
            uint64_t before;
            run_start(&r, n, k & 1);
            before = os_sim_calls(r.sim);
            os_sim_fail_at(r.sim, n, with[k / 2]);
            script(&r, k & 1);
            more = os_sim_calls(r.sim) - before >= n;
            os_sim_fail_at(r.sim, 0, BASIN_IO);
            assert_true(holds(&r, k & 1));
            run_end(&r);
        }
    }
    assert_true(n > 40);
}

static void
each_call_fails_and_all_after_it(void **state)
{
    uint64_t n = 1;

    (void)state;
    for (bool more = true; more; n++) {
        struct run r;
        run_start(&r, n, true);
        os_sim_fail_from(r.sim, n, BASIN_IO);
        script(&r, true);
        more = r.refused;
        os_sim_fail_from(r.sim, 0, BASIN_IO);
        assert_true(holds(&r, true));
        run_end(&r);
    }
    assert_true(n > 40);
}

/* A failed sync is followed by a power loss: what was acknowledged later must be there. */
static void
each_call_fails_and_then_the_power(void **state)
{
    uint64_t n = 1;

    (void)state;
    for (bool more = true; more; n++) {
        for (uint64_t mode = OS_CRASH_LOSE_ALL; mode <= OS_CRASH_RANDOM; mode++) {
            struct run r;
            uint64_t before;
            run_start(&r, n, false);
            before = os_sim_calls(r.sim);
            os_sim_fail_at(r.sim, n, BASIN_IO);
            script(&r, false);
            more = os_sim_calls(r.sim) - before >= n;
            os_sim_crash(r.sim, (enum os_crash_mode)mode);
            assert_true(holds(&r, false));
            run_end(&r);
        }
    }
}

static void
each_allocation_is_refused(void **state)
{
    size_t n = 1;

    (void)state;
    for (bool more = true; more; n++) {
        struct run r;
        run_start(&r, n, n % 2);
        test_memory_refuse(&r.memory, n);
        script(&r, n % 2);
        more = test_memory_refused(&r.memory);
        test_memory_refuse(&r.memory, 0);
        assert_true(holds(&r, n % 2));
        run_end(&r);
    }
    assert_true(n > 10);
}

static void
the_disk_is_full_at_each_page(void **state)
{
    (void)state;
    for (uint64_t pages = 1, more = 1; more; pages++) {
        struct run r;
        run_start(&r, pages, false);
        os_sim_set_space(r.sim, pages * 4096);
        script(&r, false);
        more = r.refused;
        os_sim_set_space(r.sim, 0);
        assert_true(holds(&r, false));
        run_end(&r);
    }
}

/* Crashes at each change; returns how many of the runs broke a promise. `break_os` may plant a bug
 * into the calls of the machine. */
static size_t
crash_sweep(void (*break_os)(struct os *os), uint64_t seeds)
{
    size_t broken = 0;
    uint64_t n = 1;

    for (bool more = true; more; n++) {
        for (uint64_t k = 0; k < 2 + seeds; k++) {
            struct run r;
            const struct os_ops *ops;
            run_start(&r, n * 1000 + k, k & 1);
            ops = os_sim_os(r.sim)->ops;
            if (break_os)
                break_os(os_sim_os(r.sim));
            os_sim_crash_at(r.sim, n);
            script(&r, k & 1);
            more = os_sim_crashed(r.sim);
            os_sim_os(r.sim)->ops = ops;
            os_sim_crash(r.sim, k < 2 ? (enum os_crash_mode)k : OS_CRASH_RANDOM);
            broken += !holds(&r, k & 1);
            /* what the second process acknowledged survives as well */
            memset(r.acknowledged, true, sizeof r.acknowledged);
            os_sim_crash(r.sim, OS_CRASH_LOSE_ALL);
            broken += !holds(&r, k & 1);
            run_end(&r);
        }
    }
    assert_true(n > 20);
    return broken;
}

static void
a_crash_at_each_change(void **state)
{
    (void)state;
    assert_int_equal(crash_sweep(NULL, test_scale(6)), 0);
}

/* A process is killed between the link and the directory sync; the next one takes the object for
 * granted after its sweep; the power fails. */
static void
a_sweep_makes_found_names_durable(void **state)
{
    uint64_t n = 1;

    (void)state;
    for (bool more = true; more; n++) {
        bool found[OBJECTS];
        struct store *s;
        struct run r;
        run_start(&r, n, false);
        os_sim_crash_at(r.sim, n);
        script(&r, false);
        more = os_sim_crashed(r.sim);
        os_sim_crash(r.sim, OS_CRASH_KILL);
        assert_int_equal(store_open_dir(os_sim_os(r.sim), "db", false, false, &r.memory.table, &s,
                                        NULL),
                         BASIN_OK);
        assert_int_equal(store_sweep(s, NULL), BASIN_OK);
        for (size_t i = 0; i < OBJECTS; i++)
            found[i] = look_at(s, i, &r.memory.table) == BASIN_OK;
        store_close(s);
        os_sim_crash(r.sim, OS_CRASH_LOSE_ALL);
        memcpy(r.acknowledged, found, sizeof found);
        assert_true(holds(&r, false));
        run_end(&r);
    }
}

/* ------------------------------------------------------------------ planted bugs */

static struct os_ops broken_ops;

static basin_status
lying_sync(struct os_file *f, bool data_only, basin_error *err)
{
    (void)f;
    (void)data_only;
    (void)err;
    return BASIN_OK;
}

static basin_status
lying_sync_dir(struct os *os, const char *path, basin_error *err)
{
    (void)os;
    (void)path;
    (void)err;
    return BASIN_OK;
}

/* The directories of classes are synced, the one above them is forgotten. */
static basin_status (*real_sync_dir)(struct os *os, const char *path, basin_error *err);

static basin_status
shallow_sync_dir(struct os *os, const char *path, basin_error *err)
{
    return strcmp(path, "db") == 0 ? BASIN_OK : real_sync_dir(os, path, err);
}

static void
break_sync(struct os *os)
{
    broken_ops = *os->ops;
    broken_ops.sync = lying_sync;
    os->ops = &broken_ops;
}

static void
break_sync_dir(struct os *os)
{
    broken_ops = *os->ops;
    broken_ops.sync_dir = lying_sync_dir;
    os->ops = &broken_ops;
}

static void
break_parent_sync(struct os *os)
{
    broken_ops = *os->ops;
    real_sync_dir = os->ops->sync_dir;
    broken_ops.sync_dir = shallow_sync_dir;
    os->ops = &broken_ops;
}

/* What look_at calls a wrong byte is a torn object, here wanted: the sweep is run in a form that
 * counts instead of failing. */
static size_t
torn_objects(void (*break_os)(struct os *os))
{
    size_t torn = 0;

    for (uint64_t n = 1, more = 1; more; n++) {
        struct run r;
        const struct os_ops *ops;
        run_start(&r, n, false);
        ops = os_sim_os(r.sim)->ops;
        break_os(os_sim_os(r.sim));
        os_sim_crash_at(r.sim, n);
        script(&r, false);
        more = os_sim_crashed(r.sim);
        os_sim_os(r.sim)->ops = ops;
        os_sim_crash(r.sim, OS_CRASH_RANDOM);
        for (size_t i = 0; i < OBJECTS; i++) {
            char path[64];
            struct bytes b;
            snprintf(path, sizeof path, "db/%s", objects[i].name);
            if (os_sim_peek(r.sim, path, &b) != BASIN_OK)
                continue;
            torn += b.size != objects[i].size;
            for (size_t k = 0; k < b.size && b.size == objects[i].size; k += 100) {
                if (b.data[k] != content(i, k)) {
                    torn++;
                    break;
                }
            }
        }
        run_end(&r);
    }
    return torn;
}

static void
a_forgotten_sync_is_found(void **state)
{
    (void)state;
    assert_true(torn_objects(break_sync) > 0);
}

static void
a_forgotten_directory_sync_is_found(void **state)
{
    (void)state;
    assert_true(crash_sweep(break_sync_dir, 1) > 0);
}

static void
a_forgotten_parent_sync_is_found(void **state)
{
    (void)state;
    assert_true(crash_sweep(break_parent_sync, 1) > 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_call_fails_once),
        cmocka_unit_test(each_call_fails_and_all_after_it),
        cmocka_unit_test(each_call_fails_and_then_the_power),
        cmocka_unit_test(each_allocation_is_refused),
        cmocka_unit_test(the_disk_is_full_at_each_page),
        cmocka_unit_test(a_crash_at_each_change),
        cmocka_unit_test(a_sweep_makes_found_names_durable),
        cmocka_unit_test(a_forgotten_sync_is_found),
        cmocka_unit_test(a_forgotten_directory_sync_is_found),
        cmocka_unit_test(a_forgotten_parent_sync_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
