// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The rules of the simulator, one by one: what each kind of crash takes and leaves, and what an
 * armed fault does. "Sometimes" rules run over many seeds and want to see every outcome.
 */
#include "os/os.h"

#include <setjmp.h>
#include <stdio.h>

#include <cmocka.h>

#include "model/chance.h"
#include "model/memory.h"

enum { SEEDS = 200 };

static struct os_sim *sim;
static struct os *os;

static void
start(uint64_t seed)
{
    struct os_sim_options options = { .seed = seed, .maps = true, .mem = &base_malloc };

    assert_int_equal(os_sim_new(&options, &sim, NULL), BASIN_OK);
    os = os_sim_os(sim);
}

static void
stop(void)
{
    os_sim_free(sim);
    sim = NULL;
}

static struct os_file *
opened(const char *name, unsigned flags)
{
    struct os_file *f;

    assert_int_equal(os_open(os, name, flags, &f, NULL), BASIN_OK);
    return f;
}

/* A file with one letter n times, synced with its name. */
static void
put_durable(const char *name, char letter, size_t n)
{
    struct os_file *f = opened(name, OS_WRITE | OS_CREATE | OS_TRUNCATE);
    static uint8_t data[65536];

    memset(data, letter, sizeof data);
    assert_int_equal(os_write(f, 0, data, n, NULL), BASIN_OK);
    assert_int_equal(os_sync(f, false, NULL), BASIN_OK);
    assert_int_equal(os_sync_dir(os, "", NULL), BASIN_OK);
    os_close(f);
}

static void
write_letters(const char *name, uint64_t at, char letter, size_t n)
{
    struct os_file *f = opened(name, OS_WRITE);
    static uint8_t data[65536];

    memset(data, letter, sizeof data);
    assert_int_equal(os_write(f, at, data, n, NULL), BASIN_OK);
    os_close(f);
}

static bool
exists(const char *name)
{
    struct bytes b;

    return os_sim_peek(sim, name, &b) == BASIN_OK;
}

static struct bytes
stored(const char *name)
{
    struct bytes b;

    assert_int_equal(os_sim_peek(sim, name, &b), BASIN_OK);
    return b;
}

static bool
all_are(struct bytes b, size_t from, size_t to, char letter)
{
    for (size_t i = from; i < to; i++) {
        if (b.data[i] != (uint8_t)letter)
            return false;
    }
    return true;
}

/* ------------------------------------------------------------------ data and names */

static void
killed_processes_lose_nothing(void **state)
{
    struct os_file *f;

    (void)state;
    start(1);
    f = opened("a", OS_WRITE | OS_CREATE);
    assert_int_equal(os_write(f, 0, "hello", 5, NULL), BASIN_OK);
    os_sim_crash(sim, OS_CRASH_KILL);
    assert_int_equal(stored("a").size, 5);
    os_sim_crash(sim, OS_CRASH_LOSE_ALL); /* it never was on disk */
    assert_false(exists("a"));
    os_close(f);
    stop();
}

static void
data_without_a_name_is_lost(void **state)
{
    struct os_file *f;

    (void)state;
    start(1);
    f = opened("a", OS_WRITE | OS_CREATE);
    assert_int_equal(os_write(f, 0, "hello", 5, NULL), BASIN_OK);
    assert_int_equal(os_sync(f, false, NULL), BASIN_OK);
    os_close(f);
    os_sim_crash(sim, OS_CRASH_LOSE_ALL);
    assert_false(exists("a"));
    stop();
}

static void
a_name_without_data_is_empty(void **state)
{
    struct os_file *f;

    (void)state;
    start(1);
    f = opened("a", OS_WRITE | OS_CREATE);
    assert_int_equal(os_write(f, 0, "hello", 5, NULL), BASIN_OK);
    assert_int_equal(os_sync_dir(os, "/", NULL), BASIN_OK);
    os_close(f);
    os_sim_crash(sim, OS_CRASH_LOSE_ALL);
    assert_int_equal(stored("a").size, 0);
    stop();
}

static void
both_synced_survive_every_crash(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        start(seed);
        put_durable("a", 'a', 9000);
        os_sim_crash(sim, seed % 2 ? OS_CRASH_RANDOM : OS_CRASH_LOSE_ALL);
        assert_int_equal(stored("a").size, 9000);
        assert_true(all_are(stored("a"), 0, 9000, 'a'));
        stop();
    }
}

static void
the_directory_above_counts_too(void **state)
{
    struct os_file *f;

    (void)state;
    start(1);
    assert_int_equal(os_make_dir(os, "d", NULL), BASIN_OK);
    f = opened("d/a", OS_WRITE | OS_CREATE);
    assert_int_equal(os_sync(f, false, NULL), BASIN_OK);
    assert_int_equal(os_sync_dir(os, "d", NULL), BASIN_OK);
    os_close(f);
    os_sim_crash(sim, OS_CRASH_LOSE_ALL);
    assert_int_equal(os_sync_dir(os, "d", NULL), BASIN_NOT_FOUND);
    stop();
}

static void
unlink_comes_back(void **state)
{
    (void)state;
    start(1);
    put_durable("a", 'a', 10);
    assert_int_equal(os_unlink(os, "a", NULL), BASIN_OK);
    assert_false(exists("a"));
    os_sim_crash(sim, OS_CRASH_LOSE_ALL);
    assert_true(all_are(stored("a"), 0, 10, 'a'));
    assert_int_equal(os_unlink(os, "a", NULL), BASIN_OK);
    assert_int_equal(os_sync_dir(os, "", NULL), BASIN_OK);
    os_sim_crash(sim, OS_CRASH_LOSE_ALL);
    assert_false(exists("a"));
    stop();
}

static void
rename_is_the_old_or_the_new_state(void **state)
{
    size_t old_states = 0, new_states = 0;

    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        start(seed);
        put_durable("a", 'a', 10);
        put_durable("b", 'b', 10);
        assert_int_equal(os_rename(os, "a", "b", NULL), BASIN_OK);
        os_sim_crash(sim, OS_CRASH_RANDOM);
        if (exists("a")) {
            old_states++;
            assert_true(all_are(stored("a"), 0, 10, 'a') && all_are(stored("b"), 0, 10, 'b'));
        } else {
            new_states++;
            assert_true(all_are(stored("b"), 0, 10, 'a'));
        }
        stop();
    }
    assert_true(old_states > 0 && new_states > 0);
}

static void
rename_between_directories_never_loses_the_file(void **state)
{
    bool seen[2][2] = { { false } };

    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        start(seed);
        assert_int_equal(os_make_dir(os, "d", NULL), BASIN_OK);
        put_durable("a", 'a', 10);
        assert_int_equal(os_rename(os, "a", "d/a", NULL), BASIN_OK);
        os_sim_crash(sim, OS_CRASH_RANDOM);
        seen[exists("a")][exists("d/a")] = true;
        stop();
    }
    assert_true(seen[1][0] && seen[0][1] && seen[1][1]);
    assert_false(seen[0][0]);
}

static void
entries_are_lost_one_by_one(void **state)
{
    bool seen[2][2] = { { false } };

    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        start(seed);
        os_close(opened("a", OS_WRITE | OS_CREATE));
        os_close(opened("b", OS_WRITE | OS_CREATE));
        os_sim_crash(sim, OS_CRASH_RANDOM);
        seen[exists("a")][exists("b")] = true;
        stop();
    }
    assert_true(seen[0][0] && seen[0][1] && seen[1][0] && seen[1][1]);
}

static void
a_recycled_file_keeps_its_old_bytes(void **state)
{
    (void)state;
    start(1);
    put_durable("log-1", 'o', 8192);
    assert_int_equal(os_rename(os, "log-1", "log-2", NULL), BASIN_OK);
    assert_int_equal(os_sync_dir(os, "", NULL), BASIN_OK);
    write_letters("log-2", 0, 'n', 100);
    os_sim_crash(sim, OS_CRASH_LOSE_ALL);
    assert_int_equal(stored("log-2").size, 8192);
    assert_true(all_are(stored("log-2"), 0, 8192, 'o'));
    stop();
}

/* ------------------------------------------------------------------ un-synced bytes */

static void
overwrites_are_torn_at_sectors(void **state)
{
    size_t none = 0, all = 0, torn = 0;

    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct bytes b;
        size_t fresh = 0;
        start(seed);
        put_durable("a", 'o', 16384);
        write_letters("a", 0, 'n', 16384);
        os_sim_crash(sim, OS_CRASH_RANDOM);
        b = stored("a");
        assert_int_equal(b.size, 16384);
        for (size_t at = 0; at < 16384; at += 512) {
            bool is_new = b.data[at] == 'n';
            assert_true(all_are(b, at, at + 512, is_new ? 'n' : 'o'));
            fresh += is_new;
        }
        none += fresh == 0;
        all += fresh == 32;
        torn += fresh % 8 != 0;
        stop();
    }
    assert_true(none > 0 && all > 0 && torn > SEEDS / 4);
}

static void
a_later_write_survives_an_earlier_one(void **state)
{
    bool seen[2][2] = { { false } };

    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        start(seed);
        put_durable("a", 'o', 8192);
        write_letters("a", 0, 'n', 512);
        write_letters("a", 4096, 'n', 512);
        os_sim_crash(sim, OS_CRASH_RANDOM);
        seen[stored("a").data[0] == 'n'][stored("a").data[4096] == 'n'] = true;
        stop();
    }
    assert_true(seen[0][0] && seen[0][1] && seen[1][0] && seen[1][1]);
}

/* Growth may be lost with data that were written into it, or stay with zeros or rubbish. */
static void
growth_is_lost_or_filled_with_anything(void **state)
{
    size_t lost = 0, kept = 0, zeros = 0, rubbish = 0, data = 0;

    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct bytes b;
        start(seed);
        put_durable("old", 'x', 8192); /* dies and leaves rubbish */
        assert_int_equal(os_unlink(os, "old", NULL), BASIN_OK);
        assert_int_equal(os_sync_dir(os, "", NULL), BASIN_OK);
        put_durable("a", 'o', 4096);
        write_letters("a", 4096, 'n', 4096);
        os_sim_crash(sim, OS_CRASH_RANDOM);
        b = stored("a");
        assert_true(all_are(b, 0, 4096, 'o'));
        assert_true(b.size == 4096 || b.size == 8192);
        lost += b.size == 4096;
        kept += b.size == 8192;
        for (size_t at = 4096; at < b.size; at += 512) {
            if (all_are(b, at, at + 512, 'n'))
                data++;
            else if (all_are(b, at, at + 512, 0))
                zeros++;
            else
                rubbish++;
        }
        stop();
    }
    assert_true(lost > 0 && kept > 0 && zeros > 0 && rubbish > 0 && data > 0);
}

static void
synced_allocation_reads_as_zeros(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct os_file *f;
        start(seed);
        f = opened("a", OS_WRITE | OS_CREATE);
        assert_int_equal(os_allocate(f, 16384, NULL), BASIN_OK);
        assert_int_equal(os_sync(f, true, NULL), BASIN_OK);
        assert_int_equal(os_sync_dir(os, "", NULL), BASIN_OK);
        os_close(f);
        os_sim_crash(sim, OS_CRASH_RANDOM);
        assert_int_equal(stored("a").size, 16384);
        assert_true(all_are(stored("a"), 0, 16384, 0));
        stop();
    }
}

/* A cut and the bytes that it cleared survive together or not at all. */
static void
a_cut_is_whole(void **state)
{
    size_t cut = 0, uncut = 0;

    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct os_file *f;
        struct bytes b;
        start(seed);
        put_durable("a", 'o', 12288);
        f = opened("a", OS_WRITE);
        assert_int_equal(os_truncate(f, 1000, NULL), BASIN_OK);
        assert_int_equal(os_truncate(f, 12288, NULL), BASIN_OK);
        os_close(f);
        os_sim_crash(sim, OS_CRASH_RANDOM);
        b = stored("a");
        assert_true(b.size == 1000 || b.size == 12288);
        assert_true(all_are(b, 0, 1000, 'o'));
        if (b.size == 1000)
            cut++;
        else if (all_are(b, 1000, 12288, 'o'))
            uncut++;
        else
            assert_true(all_are(b, 1000, 12288, 0)); /* cut and grown again */
        stop();
    }
    assert_true(cut > 0 && uncut > 0);
}

/* ------------------------------------------------------------------ maps */

static void
a_mapped_page_holds_any_moment(void **state)
{
    size_t synced = 0, first = 0, second = 0, halfway = 0;

    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct os_file *f;
        struct os_map *m;
        uint8_t one[300], two[300];
        struct bytes b;
        start(seed);
        put_durable("a", 'o', 8192);
        memset(one, '1', sizeof one);
        memset(two, '2', sizeof two);
        f = opened("a", OS_WRITE);
        assert_int_equal(os_map(f, 0, 8192, true, &m, NULL), BASIN_OK);
        os_map_write(m, 100, one, sizeof one);
        os_map_write(m, 100, two, sizeof two);
        os_sim_crash(sim, OS_CRASH_RANDOM);
        b = stored("a");
        assert_true(all_are(b, 0, 100, 'o') && all_are(b, 400, 8192, 'o'));
        if (all_are(b, 100, 400, 'o'))
            synced++;
        else if (all_are(b, 100, 400, '1'))
            first++;
        else if (all_are(b, 100, 400, '2'))
            second++;
        else
            halfway++;
        os_unmap(m);
        os_close(f);
        stop();
    }
    assert_true(synced > 0 && first > 0 && second > 0 && halfway > 0);
}

static void
sync_covers_map_writes(void **state)
{
    struct os_file *f;
    struct os_map *m;

    (void)state;
    start(1);
    put_durable("a", 'o', 8192);
    f = opened("a", OS_WRITE);
    assert_int_equal(os_map(f, 0, 8192, true, &m, NULL), BASIN_OK);
    os_map_write(m, 4090, "across pages", 12);
    assert_int_equal(os_sync(f, true, NULL), BASIN_OK);
    os_map_store_u64(m, 0, 1); /* not synced */
    os_sim_crash(sim, OS_CRASH_LOSE_ALL);
    assert_memory_equal(stored("a").data + 4090, "across pages", 12);
    assert_true(all_are(stored("a"), 0, 8, 'o'));
    os_map_write(m, 0, "late", 4); /* the process is dead */
    assert_true(all_are(stored("a"), 0, 8, 'o'));
    assert_true(os_map_load_u64(m, 0) == 1); /* its memory is as it was */
    os_unmap(m);
    os_close(f);
    stop();
}

static void
maps_want_allocated_blocks(void **state)
{
    struct os_file *f;
    struct os_map *m;

    (void)state;
    start(1);
    f = opened("a", OS_WRITE | OS_CREATE);
    assert_int_equal(os_truncate(f, 8192, NULL), BASIN_OK); /* a hole */
    assert_int_equal(os_map(f, 0, 8192, true, &m, NULL), BASIN_MISUSE);
    assert_int_equal(os_map(f, 0, 8192, false, &m, NULL), BASIN_OK);
    os_unmap(m);
    assert_int_equal(os_allocate(f, 4096, NULL), BASIN_OK);
    assert_int_equal(os_map(f, 0, 4096, true, &m, NULL), BASIN_OK);
    os_unmap(m);
    assert_int_equal(os_map(f, 0, 8192, true, &m, NULL), BASIN_MISUSE);
    os_close(f);
    stop();
}

static void
a_machine_without_maps(void **state)
{
    struct os_sim_options options = { .seed = 1, .mem = &base_malloc };
    struct os_file *f;
    struct os_map *m;

    (void)state;
    assert_int_equal(os_sim_new(&options, &sim, NULL), BASIN_OK);
    os = os_sim_os(sim);
    assert_false(os->maps || os->threads);
    put_durable("a", 'a', 10);
    f = opened("a", OS_READ);
    assert_int_equal(os_map(f, 0, 10, false, &m, NULL), BASIN_MISUSE);
    os_close(f);
    stop();
}

/* ------------------------------------------------------------------ stale handles, locks */

static void
a_crash_makes_handles_stale_and_drops_locks(void **state)
{
    struct os_file *f, *g;
    char to[4];
    size_t got;
    uint64_t before;

    (void)state;
    start(1);
    put_durable("a", 'a', 10);
    f = opened("a", OS_WRITE);
    before = os_process_id(os);
    assert_int_equal(os_lock(f, 0, 1, OS_LOCK_EXCLUSIVE, NULL), BASIN_OK);
    os_sim_crash(sim, OS_CRASH_KILL);
    assert_int_not_equal(os_process_id(os), before);
    assert_int_equal(os_read(f, 0, to, 4, &got, NULL), BASIN_IO);
    assert_int_equal(os_write(f, 0, "x", 1, NULL), BASIN_IO);
    assert_int_equal(os_sync(f, true, NULL), BASIN_IO);
    assert_int_equal(os_unlock(f, 0, 1, NULL), BASIN_IO);
    g = opened("a", OS_WRITE);
    assert_int_equal(os_lock(g, 0, 1, OS_LOCK_EXCLUSIVE, NULL), BASIN_OK);
    os_close(f); /* takes no lock of another with it */
    f = opened("a", OS_WRITE);
    assert_int_equal(os_lock(f, 0, 1, OS_LOCK_EXCLUSIVE, NULL), BASIN_BUSY);
    assert_true(all_are(stored("a"), 0, 10, 'a'));
    assert_int_equal(os_sim_handles(sim), 2);
    os_close(f);
    os_close(g);
    stop();
}

/* A reader dies, the writer stays: its lock is free, its map keeps its bytes, nothing is lost. */
static void
one_process_is_killed(void **state)
{
    struct os *other;
    struct os_file *f, *g;
    struct os_map *mine, *theirs;
    uint64_t before;
    char to[4];
    size_t got;

    (void)state;
    start(1);
    put_durable("a", 'a', 4096);
    assert_int_equal(os_sim_process(sim, &other, NULL), BASIN_OK);
    before = os_process_id(other);
    assert_int_not_equal(before, os_process_id(os));
    f = opened("a", OS_WRITE);
    assert_int_equal(os_open(other, "a", OS_WRITE, &g, NULL), BASIN_OK);
    assert_int_equal(os_map(f, 0, 4096, true, &mine, NULL), BASIN_OK);
    assert_int_equal(os_map(g, 0, 4096, true, &theirs, NULL), BASIN_OK);
    assert_int_equal(os_lock(g, 0, 1, OS_LOCK_EXCLUSIVE, NULL), BASIN_OK);
    assert_int_equal(os_lock(f, 1, 1, OS_LOCK_EXCLUSIVE, NULL), BASIN_OK);
    assert_int_equal(os_lock(f, 0, 1, OS_LOCK_EXCLUSIVE, NULL), BASIN_BUSY);
    os_map_write(theirs, 0, "theirs", 6);
    assert_memory_equal(os_map_data(mine), "theirs", 6);
    os_sim_kill(other);
    assert_int_not_equal(os_process_id(other), before);
    assert_int_equal(os_read(g, 0, to, 4, &got, NULL), BASIN_IO);
    os_map_write(theirs, 0, "ghosts", 6);
    assert_memory_equal(stored("a").data, "theirs", 6);
    assert_int_equal(os_lock(f, 0, 1, OS_LOCK_EXCLUSIVE, NULL), BASIN_OK);
    os_map_write(mine, 0, "mine", 4);
    assert_memory_equal(stored("a").data, "miners", 6);
    assert_int_equal(os_sync(f, true, NULL), BASIN_OK);
    os_unmap(theirs);
    os_close(g);
    assert_int_equal(os_open(other, "a", OS_WRITE, &g, NULL), BASIN_OK);
    assert_int_equal(os_lock(g, 1, 1, OS_LOCK_EXCLUSIVE, NULL), BASIN_BUSY);
    os_sim_crash(sim, OS_CRASH_LOSE_ALL); /* of both */
    assert_int_equal(os_read(g, 0, to, 4, &got, NULL), BASIN_IO);
    assert_int_equal(os_read(f, 0, to, 4, &got, NULL), BASIN_IO);
    assert_memory_equal(stored("a").data, "minersa", 7);
    os_close(g);
    os_unmap(mine);
    os_close(f);
    stop();
}

/* ------------------------------------------------------------------ faults */

static void
crash_at_stops_the_machine(void **state)
{
    struct os_file *f;
    uint64_t size;
    struct os_map *m;

    (void)state;
    start(1);
    put_durable("a", 'a', 4096);
    f = opened("a", OS_WRITE);
    assert_int_equal(os_map(f, 0, 4096, true, &m, NULL), BASIN_OK);
    os_sim_crash_at(sim, 3);
    assert_int_equal(os_write(f, 0, "1", 1, NULL), BASIN_OK);
    assert_int_equal(os_size(f, &size, NULL), BASIN_OK); /* changes nothing */
    os_map_write(m, 1, "2", 1);
    assert_false(os_sim_crashed(sim));
    assert_int_equal(os_write(f, 2, "3", 1, NULL), BASIN_IO);
    assert_true(os_sim_crashed(sim));
    assert_int_equal(os_size(f, &size, NULL), BASIN_IO);
    assert_int_equal(os_sync(f, true, NULL), BASIN_IO);
    os_map_write(m, 3, "4", 1);
    os_sim_crash(sim, OS_CRASH_KILL);
    assert_false(os_sim_crashed(sim));
    assert_memory_equal(stored("a").data, "12aa", 4);
    os_unmap(m);
    os_close(f);
    stop();
}

static void
crash_at_can_hit_a_map_write(void **state)
{
    struct os_file *f;
    struct os_map *m;
    uint64_t size;

    (void)state;
    start(1);
    put_durable("a", 'a', 4096);
    f = opened("a", OS_WRITE);
    assert_int_equal(os_map(f, 0, 4096, true, &m, NULL), BASIN_OK);
    os_sim_crash_at(sim, 1);
    os_map_write(m, 0, "1", 1);
    assert_true(os_sim_crashed(sim));
    assert_int_equal(os_size(f, &size, NULL), BASIN_IO);
    os_sim_crash(sim, OS_CRASH_KILL);
    assert_int_equal(stored("a").data[0], 'a');
    os_unmap(m);
    os_close(f);
    stop();
}

static void
fail_at_fails_once_and_fail_from_for_ever(void **state)
{
    struct os_file *f;
    basin_error err;
    uint64_t size;

    (void)state;
    start(1);
    put_durable("a", 'a', 10);
    f = opened("a", OS_WRITE);
    os_sim_fail_at(sim, 2, BASIN_IO);
    assert_int_equal(os_size(f, &size, NULL), BASIN_OK);
    assert_int_equal(os_size(f, &size, &err), BASIN_IO);
    assert_int_equal(err.status, BASIN_IO);
    assert_int_equal(os_size(f, &size, NULL), BASIN_OK);
    os_sim_fail_from(sim, 2, BASIN_NO_SPACE);
    assert_int_equal(os_size(f, &size, NULL), BASIN_OK);
    assert_int_equal(os_size(f, &size, &err), BASIN_NO_SPACE);
    assert_int_equal(err.status, BASIN_NO_SPACE);
    assert_int_equal(os_make_dir(os, "d", NULL), BASIN_NO_SPACE);
    os_sim_fail_from(sim, 0, BASIN_IO);
    assert_int_equal(os_make_dir(os, "d", NULL), BASIN_OK);
    os_close(f);
    stop();
}

static void
a_failed_write_may_leave_a_part(void **state)
{
    size_t parts = 0;

    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct os_file *f;
        struct bytes b;
        size_t n = 0;
        start(seed);
        put_durable("a", 'o', 2000);
        f = opened("a", OS_WRITE);
        os_sim_fail_at(sim, 1, BASIN_IO);
        assert_int_equal(os_write(f, 1000, "nnnnnnnn", 8, NULL), BASIN_IO);
        b = stored("a");
        while (b.data[1000 + n] == 'n')
            n++;
        assert_true(n < 8 && all_are(b, 1000 + n, 2000, 'o') && all_are(b, 0, 1000, 'o'));
        parts += n > 0;
        os_close(f);
        stop();
    }
    assert_true(parts > SEEDS / 2);
}

/* ATC'20: the failed sync cleans the pages; a second one succeeds and means nothing. */
static void
a_failed_sync_loses_what_a_later_one_acknowledges(void **state)
{
    struct os_file *f, *g;

    (void)state;
    start(1);
    put_durable("a", 'o', 12288);
    f = opened("a", OS_WRITE);
    assert_int_equal(os_write(f, 0, "lost", 4, NULL), BASIN_OK);
    assert_int_equal(os_write(f, 4096, "again", 5, NULL), BASIN_OK);
    os_sim_fail_at(sim, 1, BASIN_IO);
    assert_int_equal(os_sync(f, true, NULL), BASIN_IO);
    assert_int_equal(os_sync(f, true, NULL), BASIN_IO); /* this handle is poisoned */
    g = opened("a", OS_WRITE);
    assert_int_equal(os_write(g, 4101, "dirty", 5, NULL), BASIN_OK); /* its page is written */
    assert_int_equal(os_write(g, 8192, "fine", 4, NULL), BASIN_OK);
    assert_int_equal(os_sync(g, true, NULL), BASIN_OK); /* another is not */
    assert_memory_equal(stored("a").data, "lost", 4);
    os_sim_crash(sim, OS_CRASH_LOSE_ALL);
    assert_memory_equal(stored("a").data, "oooo", 4);
    assert_memory_equal(stored("a").data + 4096, "againdirty", 10);
    assert_memory_equal(stored("a").data + 8192, "fine", 4);
    os_close(f);
    os_close(g);
    stop();
}

static void
a_failed_directory_sync_loses_names(void **state)
{
    (void)state;
    start(1);
    os_close(opened("a", OS_WRITE | OS_CREATE));
    os_close(opened("b", OS_WRITE | OS_CREATE));
    os_sim_fail_at(sim, 1, BASIN_IO);
    assert_int_equal(os_sync_dir(os, "", NULL), BASIN_IO);
    assert_int_equal(os_unlink(os, "b", NULL), BASIN_OK);
    os_close(opened("b", OS_WRITE | OS_CREATE));
    os_close(opened("c", OS_WRITE | OS_CREATE));
    assert_int_equal(os_sync_dir(os, "", NULL), BASIN_OK);
    assert_true(exists("a"));
    os_sim_crash(sim, OS_CRASH_LOSE_ALL);
    assert_false(exists("a"));
    assert_true(exists("b") && exists("c"));
    stop();
}

/* ------------------------------------------------------------------ space */

static void
a_full_disk_refuses(void **state)
{
    struct os_sim_options options = { .seed = 1, .space_max = 8 * 4096, .mem = &base_malloc };
    struct os_file *f, *g;
    uint8_t data[3 * 4096] = { 1 };
    uint64_t free_space, size;

    (void)state;
    assert_int_equal(os_sim_new(&options, &sim, NULL), BASIN_OK);
    os = os_sim_os(sim);
    f = opened("a", OS_WRITE | OS_CREATE);
    g = opened("b", OS_WRITE | OS_CREATE);
    assert_int_equal(os_allocate(f, 9 * 4096, NULL), BASIN_NO_SPACE);
    assert_int_equal(os_sim_space_used(sim), 0);
    assert_int_equal(os_allocate(f, 6 * 4096, NULL), BASIN_OK);
    assert_int_equal(os_free_space(os, "", &free_space, NULL), BASIN_OK);
    assert_int_equal(free_space, 2 * 4096);
    assert_int_equal(os_write(g, 0, data, sizeof data, NULL), BASIN_NO_SPACE); /* a part of it */
    assert_int_equal(os_size(g, &size, NULL), BASIN_OK);
    assert_int_equal(size, 2 * 4096);
    assert_int_equal(os_write(f, 4096, data, sizeof data, NULL), BASIN_OK); /* its own blocks */
    assert_int_equal(os_truncate(g, 100, NULL), BASIN_OK);
    assert_int_equal(os_sim_space_used(sim), 7 * 4096);
    assert_int_equal(os_unlink(os, "a", NULL), BASIN_OK);
    assert_int_equal(os_sim_space_used(sim), 7 * 4096); /* still open */
    os_close(f);
    assert_int_equal(os_sim_space_used(sim), 4096);
    os_sim_set_space(sim, 4096);
    assert_int_equal(os_write(g, 4096, data, 1, NULL), BASIN_NO_SPACE);
    os_sim_set_space(sim, 0);
    assert_int_equal(os_write(g, 4096, data, 1, NULL), BASIN_OK);
    os_close(g);
    stop();
}

static void
a_process_has_a_limit_of_handles(void **state)
{
    struct os_file *f, *g, *h;
    struct os *other;

    (void)state;
    start(1);
    assert_true(os_handle_limit(os) == UINT64_MAX);
    os_sim_set_handle_limit(sim, 2);
    assert_int_equal(os_handle_limit(os), 2);
    assert_int_equal(os_sim_process(sim, &other, NULL), BASIN_OK);
    f = opened("a", OS_WRITE | OS_CREATE);
    g = opened("b", OS_WRITE | OS_CREATE);
    assert_int_equal(os_open(os, "c", OS_WRITE | OS_CREATE, &h, NULL), BASIN_LIMIT);
    assert_false(exists("c"));
    assert_int_equal(os_open(other, "a", OS_READ, &h, NULL), BASIN_OK);
    os_close(g);
    g = opened("b", OS_READ);
    os_sim_kill(os);
    os_close(f);
    f = opened("a", OS_READ); /* the dead process holds none of the new one's */
    os_close(f);
    os_close(g);
    os_close(h);
    stop();
}

/* ------------------------------------------------------------------ the rest */

static void
the_tests_hand(void **state)
{
    struct bytes b;

    (void)state;
    start(1);
    put_durable("a", 'a', 5000);
    write_letters("a", 0, 'b', 5000);
    assert_int_equal(os_sim_peek(sim, "no", &b), BASIN_NOT_FOUND);
    assert_int_equal(os_sim_poke(sim, "no", 0, "x", 1), BASIN_NOT_FOUND);
    assert_int_equal(os_sim_poke(sim, "a", 5000, "x", 1), BASIN_MISUSE);
    assert_int_equal(os_sim_poke(sim, "a", 4095, "xy", 2), BASIN_OK);
    assert_memory_equal(stored("a").data + 4094, "bxyb", 4);
    os_sim_crash(sim, OS_CRASH_LOSE_ALL);
    assert_memory_equal(stored("a").data + 4094, "axya", 4); /* rot is on the disk */
    write_letters("a", 0, 'c', 10);
    assert_int_equal(os_sim_cut(sim, "a", 20), BASIN_OK);
    os_sim_crash(sim, OS_CRASH_LOSE_ALL);
    assert_int_equal(stored("a").size, 20);
    assert_true(all_are(stored("a"), 0, 10, 'c'));
    assert_int_equal(os_sim_cut(sim, "a", 0), BASIN_OK);
    assert_int_equal(stored("a").size, 0);
    assert_int_equal(os_sim_cut(sim, "no", 0), BASIN_NOT_FOUND);
    stop();
}

static void
clocks_are_virtual(void **state)
{
    uint64_t before, wall;

    (void)state;
    start(1);
    assert_int_equal(os_sim_changes(sim), 0);
    before = os_monotonic_ns(os);
    wall = os_wall_ms(os);
    os_sim_advance(sim, UINT64_C(3600000000000));
    assert_true(os_monotonic_ns(os) - before >= UINT64_C(3600000000000));
    assert_true(os_wall_ms(os) - wall >= 3600000);
    os_sim_shift_wall(sim, -7200000);
    assert_true(os_wall_ms(os) < wall);
    assert_true(os_monotonic_ns(os) > before);
    stop();
}

static void
directories_move_within_their_own(void **state)
{
    (void)state;
    start(1);
    assert_int_equal(os_make_dir(os, "d", NULL), BASIN_OK);
    assert_int_equal(os_make_dir(os, "e", NULL), BASIN_OK);
    put_durable("d/a", 'a', 10);
    assert_int_equal(os_rename(os, "d", "e", NULL), BASIN_EXISTS);
    assert_int_equal(os_rename(os, "d/a", "e", NULL), BASIN_EXISTS);
    assert_int_equal(os_rename(os, "d", "e/d", NULL), BASIN_MISUSE);
    assert_int_equal(os_rename(os, "d", "f", NULL), BASIN_OK);
    assert_true(exists("f/a") && !exists("d/a"));
    assert_int_equal(os_rename(os, "d", "g", NULL), BASIN_NOT_FOUND);
    os_sim_crash(sim, OS_CRASH_LOSE_ALL);
    assert_false(exists("f/a") || exists("d/a"));
    stop();
}

/* The same seed and the same calls give the same machine, crash included. */
static void
runs_repeat(void **state)
{
    uint64_t sums[2][2];

    (void)state;
    for (size_t run = 0; run < 2; run++) {
        uint8_t chance[16];
        start(77);
        put_durable("a", 'o', 16384);
        assert_int_equal(os_random(os, chance, sizeof chance, NULL), BASIN_OK);
        for (uint64_t at = 0; at < 16384; at += 700)
            write_letters("a", at, 'n', 900);
        os_sim_crash(sim, OS_CRASH_RANDOM);
        sums[run][0] = hash64(stored("a").data, stored("a").size, 0);
        sums[run][1] = load_u64(chance);
        stop();
    }
    assert_memory_equal(sums[0], sums[1], sizeof sums[0]);
}

static basin_status
list_nothing(void *ctx, const char *name, basin_error *err)
{
    (void)ctx;
    (void)name;
    (void)err;
    return BASIN_OK;
}

/* Every allocation of the simulator itself may fail; it says so and leaks nothing. */
static basin_status
use_everything(struct test_memory *memory)
{
    struct os_sim_options options = { .seed = 1, .maps = true, .mem = &memory->table };
    struct os_file *f = NULL;
    struct os_map *m = NULL;
    struct os *o, *other;
    struct os_sim *s = NULL;
    basin_status st;

    TRY(os_sim_new(&options, &s, NULL));
    o = os_sim_os(s);
    TRY(os_make_dir(o, "d", NULL));
    TRY(os_open(o, "d/a", OS_WRITE | OS_CREATE, &f, NULL));
    TRY(os_write(f, 0, "hello", 5, NULL));
    TRY(os_allocate(f, 9000, NULL));
    TRY(os_map(f, 0, 9000, true, &m, NULL));
    os_map_write(m, 4000, "some more text", 14);
    TRY(os_write(f, 20000, "hello", 5, NULL));
    TRY(os_truncate(f, 100, NULL));
    TRY(os_lock(f, 0, 10, OS_LOCK_EXCLUSIVE, NULL));
    TRY(os_unlock(f, 5, 1, NULL));
    TRY(os_link(o, "d/a", "b", NULL));
    TRY(os_rename(o, "b", "d/b", NULL));
    TRY(os_rename(o, "d/b", "d/c", NULL));
    TRY(os_sync(f, true, NULL));
    TRY(os_list(o, "", list_nothing, NULL, NULL));
    TRY(os_sim_process(s, &other, NULL));
    TRY(os_unlink(o, "d/a", NULL));
    TRY(os_sim_cut(s, "d/c", 10));
out:
    os_unmap(m);
    os_close(f);
    os_sim_free(s);
    return st;
}

static void
each_allocation_fails_in_turn(void **state)
{
    struct test_memory memory;

    (void)state;
    test_memory_init(&memory);
    for (size_t n = 1, more = 1; more; n++) {
        basin_status st;
        test_memory_refuse(&memory, n);
        st = use_everything(&memory);
        more = test_memory_refused(&memory);
        assert_true(st == BASIN_OK || (more && st == BASIN_NO_MEM));
        assert_int_equal(memory.live, 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_processes_lose_nothing),
        cmocka_unit_test(data_without_a_name_is_lost),
        cmocka_unit_test(a_name_without_data_is_empty),
        cmocka_unit_test(both_synced_survive_every_crash),
        cmocka_unit_test(the_directory_above_counts_too),
        cmocka_unit_test(unlink_comes_back),
        cmocka_unit_test(rename_is_the_old_or_the_new_state),
        cmocka_unit_test(rename_between_directories_never_loses_the_file),
        cmocka_unit_test(entries_are_lost_one_by_one),
        cmocka_unit_test(a_recycled_file_keeps_its_old_bytes),
        cmocka_unit_test(overwrites_are_torn_at_sectors),
        cmocka_unit_test(a_later_write_survives_an_earlier_one),
        cmocka_unit_test(growth_is_lost_or_filled_with_anything),
        cmocka_unit_test(synced_allocation_reads_as_zeros),
        cmocka_unit_test(a_cut_is_whole),
        cmocka_unit_test(a_mapped_page_holds_any_moment),
        cmocka_unit_test(sync_covers_map_writes),
        cmocka_unit_test(maps_want_allocated_blocks),
        cmocka_unit_test(a_machine_without_maps),
        cmocka_unit_test(a_crash_makes_handles_stale_and_drops_locks),
        cmocka_unit_test(one_process_is_killed),
        cmocka_unit_test(crash_at_stops_the_machine),
        cmocka_unit_test(crash_at_can_hit_a_map_write),
        cmocka_unit_test(fail_at_fails_once_and_fail_from_for_ever),
        cmocka_unit_test(a_failed_write_may_leave_a_part),
        cmocka_unit_test(a_failed_sync_loses_what_a_later_one_acknowledges),
        cmocka_unit_test(a_failed_directory_sync_loses_names),
        cmocka_unit_test(a_full_disk_refuses),
        cmocka_unit_test(a_process_has_a_limit_of_handles),
        cmocka_unit_test(the_tests_hand),
        cmocka_unit_test(clocks_are_virtual),
        cmocka_unit_test(directories_move_within_their_own),
        cmocka_unit_test(runs_repeat),
        cmocka_unit_test(each_allocation_fails_in_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
