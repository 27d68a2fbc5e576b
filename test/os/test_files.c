// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * What every implementation of `struct os` promises, on the real system and on the simulator: the
 * same test body runs over both, so that what the engine learns from one holds for the other.
 */
#include "os/os.h"

#include <setjmp.h>
#include <stdio.h>

#include <cmocka.h>

#include "model/scratch.h"

struct world {
    struct os *os;
    struct os_sim *sim; /* NULL on the real system */
    char dir[SCRATCH_PATH_MAX];
};

static int
setup_posix(void **state)
{
    static struct world w;

    w = (struct world){ .os = os_posix() };
    scratch_make(w.dir);
    *state = &w;
    return 0;
}

static int
setup_sim(void **state)
{
    static struct world w;
    struct os_sim_options options = { .seed = 1, .maps = true, .mem = &base_malloc };

    w = (struct world){ .dir = "base" };
    if (os_sim_new(&options, &w.sim, NULL) != BASIN_OK)
        return 1;
    w.os = os_sim_os(w.sim);
    *state = &w;
    return os_make_dir(w.os, w.dir, NULL) != BASIN_OK;
}

static int
teardown(void **state)
{
    struct world *w = *state;

    if (!w->sim)
        scratch_remove(w->dir);
    os_sim_free(w->sim);
    return 0;
}

/* Valid until the second next call. */
static const char *
path(const struct world *w, const char *name)
{
    static char text[2][OS_PATH_MAX];
    static unsigned turn;

    turn = !turn;
    assert_int_equal(os_join(text[turn], w->dir, name, NULL), BASIN_OK);
    return text[turn];
}

static struct os_file *
opened(const struct world *w, const char *name, unsigned flags)
{
    struct os_file *f;

    assert_int_equal(os_open(w->os, path(w, name), flags, &f, NULL), BASIN_OK);
    return f;
}

static void
put(const struct world *w, const char *name, const char *text)
{
    struct os_file *f = opened(w, name, OS_WRITE | OS_CREATE | OS_TRUNCATE);

    assert_int_equal(os_write(f, 0, text, strlen(text), NULL), BASIN_OK);
    os_close(f);
}

static void
assert_holds(const struct world *w, const char *name, const char *text)
{
    struct os_file *f = opened(w, name, OS_READ);
    char found[256];
    size_t got;

    assert_int_equal(os_read(f, 0, found, sizeof found, &got, NULL), BASIN_OK);
    assert_int_equal(got, strlen(text));
    assert_memory_equal(found, text, got);
    os_close(f);
}

/* ------------------------------------------------------------------ files */

static void
open_flags(void **state)
{
    struct world *w = *state;
    struct os_file *f;
    basin_error err;

    assert_int_equal(os_open(w->os, path(w, "a"), OS_READ, &f, &err), BASIN_NOT_FOUND);
    assert_null(f);
    assert_int_equal(err.status, BASIN_NOT_FOUND);
    assert_non_null(strstr(err.what, "a"));
    os_close(opened(w, "a", OS_WRITE | OS_CREATE | OS_EXCLUSIVE));
    assert_int_equal(os_open(w->os, path(w, "a"), OS_WRITE | OS_CREATE | OS_EXCLUSIVE, &f, &err),
                     BASIN_EXISTS);
    put(w, "a", "hello");
    os_close(opened(w, "a", OS_WRITE | OS_CREATE));
    assert_holds(w, "a", "hello");
    os_close(opened(w, "a", OS_WRITE | OS_TRUNCATE));
    assert_holds(w, "a", "");
    assert_int_equal(os_open(w->os, path(w, "no/a"), OS_WRITE | OS_CREATE, &f, &err),
                     BASIN_NOT_FOUND);
    assert_int_equal(os_open(w->os, path(w, "a/b"), OS_READ, &f, &err), BASIN_NOT_FOUND);
    assert_int_equal(os_open(w->os, w->dir, OS_READ, &f, &err), BASIN_IO);
    os_close(NULL);
}

static void
reads_are_short_at_the_end_only(void **state)
{
    struct world *w = *state;
    struct os_file *f = opened(w, "a", OS_WRITE | OS_CREATE);
    char to[16];
    size_t got;
    uint64_t size;
    basin_error err;

    assert_int_equal(os_write(f, 0, "0123456789", 10, NULL), BASIN_OK);
    os_write_behind(f, 0, 10);
    os_write_behind(f, UINT64_MAX, 10);
    assert_int_equal(os_read(f, 4, to, 16, &got, NULL), BASIN_OK);
    assert_int_equal(got, 6);
    assert_memory_equal(to, "456789", 6);
    assert_int_equal(os_read(f, 10, to, 1, &got, NULL), BASIN_OK);
    assert_int_equal(got, 0);
    assert_int_equal(os_read(f, UINT64_C(1) << 40, to, 1, &got, NULL), BASIN_OK);
    assert_int_equal(got, 0);
    assert_int_equal(os_read_exact(f, 0, to, 10, NULL), BASIN_OK);
    assert_int_equal(os_read_exact(f, 0, to, 11, &err), BASIN_CORRUPT);
    assert_non_null(strstr(err.what, "ends at 10, needed 11"));
    assert_int_equal(os_write(f, 3, NULL, 0, NULL), BASIN_OK);
    assert_int_equal(os_size(f, &size, NULL), BASIN_OK);
    assert_int_equal(size, 10);
    os_close(f);
}

static void
a_gap_reads_as_zeros(void **state)
{
    struct world *w = *state;
    struct os_file *f = opened(w, "a", OS_WRITE | OS_CREATE);
    uint8_t to[10000], zeros[10000] = { 0 };

    assert_int_equal(os_write(f, 0, "x", 1, NULL), BASIN_OK);
    assert_int_equal(os_write(f, 9999, "y", 1, NULL), BASIN_OK);
    assert_int_equal(os_read_exact(f, 0, to, 10000, NULL), BASIN_OK);
    assert_memory_equal(to + 1, zeros, 9998);
    assert_int_equal(to[9999], 'y');
    os_close(f);
}

static void
truncate_cuts_and_grows(void **state)
{
    struct world *w = *state;
    struct os_file *f = opened(w, "a", OS_WRITE | OS_CREATE);
    uint8_t to[6000], zeros[6000] = { 0 };
    uint64_t size;

    memset(to, 'x', sizeof to);
    assert_int_equal(os_write(f, 0, to, sizeof to, NULL), BASIN_OK);
    assert_int_equal(os_truncate(f, 100, NULL), BASIN_OK);
    assert_int_equal(os_size(f, &size, NULL), BASIN_OK);
    assert_int_equal(size, 100);
    assert_int_equal(os_truncate(f, sizeof to, NULL), BASIN_OK);
    assert_int_equal(os_read_exact(f, 0, to, sizeof to, NULL), BASIN_OK);
    assert_int_equal(to[99], 'x');
    assert_memory_equal(to + 100, zeros, sizeof to - 100); /* not what was there before */
    os_close(f);
}

static void
allocate_grows_and_keeps(void **state)
{
    struct world *w = *state;
    struct os_file *f = opened(w, "a", OS_WRITE | OS_CREATE);
    uint8_t to[20000], zeros[20000] = { 0 };
    uint64_t size;

    assert_int_equal(os_write(f, 0, "hello", 5, NULL), BASIN_OK);
    assert_int_equal(os_allocate(f, 20000, NULL), BASIN_OK);
    assert_int_equal(os_size(f, &size, NULL), BASIN_OK);
    assert_int_equal(size, 20000);
    assert_int_equal(os_read_exact(f, 0, to, 20000, NULL), BASIN_OK);
    assert_memory_equal(to, "hello", 5);
    assert_memory_equal(to + 5, zeros, 19995);
    assert_int_equal(os_allocate(f, 10, NULL), BASIN_OK);
    assert_int_equal(os_allocate(f, 0, NULL), BASIN_OK);
    assert_int_equal(os_size(f, &size, NULL), BASIN_OK);
    assert_int_equal(size, 20000);
    os_close(f);
}

static void
a_handle_for_reading_writes_nothing(void **state)
{
    struct world *w = *state;
    struct os_file *f;
    struct os_map *m;

    put(w, "a", "hello");
    f = opened(w, "a", OS_READ);
    assert_int_equal(os_write(f, 0, "x", 1, NULL), BASIN_READ_ONLY);
    assert_int_equal(os_truncate(f, 0, NULL), BASIN_READ_ONLY);
    assert_int_equal(os_allocate(f, 10, NULL), BASIN_READ_ONLY);
    assert_int_equal(os_lock(f, 0, 1, OS_LOCK_EXCLUSIVE, NULL), BASIN_READ_ONLY);
    assert_int_equal(os_lock(f, 0, 1, OS_LOCK_SHARED, NULL), BASIN_OK);
    assert_int_equal(os_map(f, 0, 5, true, &m, NULL), BASIN_READ_ONLY);
    assert_null(m);
    assert_int_equal(os_sync(f, false, NULL), BASIN_OK);
    os_close(f);
    assert_holds(w, "a", "hello");
}

static void
a_removed_file_lives_for_its_handles(void **state)
{
    struct world *w = *state;
    struct os_file *f, *g;
    char to[5];

    put(w, "a", "hello");
    f = opened(w, "a", OS_WRITE);
    assert_int_equal(os_unlink(w->os, path(w, "a"), NULL), BASIN_OK);
    assert_int_equal(os_open(w->os, path(w, "a"), OS_READ, &g, NULL), BASIN_NOT_FOUND);
    assert_int_equal(os_read_exact(f, 0, to, 5, NULL), BASIN_OK);
    assert_memory_equal(to, "hello", 5);
    put(w, "a", "other");
    assert_int_equal(os_write(f, 0, "x", 1, NULL), BASIN_OK);
    assert_holds(w, "a", "other");
    os_close(f);
}

static void
far_positions_are_refused(void **state)
{
    struct world *w = *state;
    struct os_file *f = opened(w, "a", OS_WRITE | OS_CREATE);
    uint64_t size;

    assert_int_equal(os_write(f, UINT64_MAX - 1, "xyz", 3, NULL), BASIN_LIMIT);
    assert_int_equal(os_truncate(f, UINT64_MAX, NULL), BASIN_LIMIT);
    assert_int_equal(os_allocate(f, UINT64_MAX, NULL), BASIN_LIMIT);
    assert_int_equal(os_lock(f, UINT64_MAX, 2, OS_LOCK_SHARED, NULL), BASIN_LIMIT);
    assert_int_equal(os_lock(f, 0, 0, OS_LOCK_SHARED, NULL), BASIN_MISUSE);
    assert_int_equal(os_size(f, &size, NULL), BASIN_OK);
    assert_int_equal(size, 0);
    os_close(f);
}

/* ------------------------------------------------------------------ maps */

static void
map_write_is_seen_by_read(void **state)
{
    struct world *w = *state;
    struct os_file *f = opened(w, "a", OS_WRITE | OS_CREATE);
    struct os_map *m, *other;
    char to[6];

    assert_int_equal(os_allocate(f, 8192, NULL), BASIN_OK);
    assert_int_equal(os_map(f, 0, 8192, true, &m, NULL), BASIN_OK);
    assert_int_equal(os_map(f, 4000, 200, false, &other, NULL), BASIN_OK);
    os_map_write(m, 4093, "across", 6); /* two pages */
    assert_int_equal(os_read_exact(f, 4093, to, 6, NULL), BASIN_OK);
    assert_memory_equal(to, "across", 6);
    assert_memory_equal(os_map_data(other) + 93, "across", 6);
    assert_int_equal(os_write(f, 10, "pwrite", 6, NULL), BASIN_OK);
    assert_memory_equal(os_map_data(m) + 10, "pwrite", 6);
    os_map_write(m, 8192, NULL, 0);
    assert_int_equal(os_sync(f, true, NULL), BASIN_OK);
    os_unmap(other);
    os_unmap(m);
    os_unmap(NULL);
    os_close(f);
}

static void
a_map_outlives_its_handle_and_its_name(void **state)
{
    struct world *w = *state;
    struct os_file *f;
    struct os_map *m;

    put(w, "a", "hello");
    f = opened(w, "a", OS_READ);
    assert_int_equal(os_map(f, 0, 5, false, &m, NULL), BASIN_OK);
    os_close(f);
    assert_int_equal(os_unlink(w->os, path(w, "a"), NULL), BASIN_OK);
    assert_memory_equal(os_map_data(m), "hello", 5);
    os_unmap(m);
}

static void
a_map_stays_in_place_while_the_file_grows(void **state)
{
    struct world *w = *state;
    struct os_file *f = opened(w, "a", OS_WRITE | OS_CREATE);
    struct os_map *m;
    const uint8_t *data;
    char to[5];

    assert_int_equal(os_allocate(f, 4096, NULL), BASIN_OK);
    assert_int_equal(os_map(f, 0, 4096, true, &m, NULL), BASIN_OK);
    data = os_map_data(m);
    for (uint64_t at = 4096; at < 4096 * 64; at += 4096)
        assert_int_equal(os_write(f, at, "more", 4, NULL), BASIN_OK);
    assert_ptr_equal(os_map_data(m), data);
    os_map_write(m, 7, "mapped", 5);
    assert_int_equal(os_read_exact(f, 7, to, 5, NULL), BASIN_OK);
    assert_memory_equal(to, "mapped", 5);
    assert_int_equal(os_write(f, 20, "plain", 5, NULL), BASIN_OK);
    assert_memory_equal(data + 20, "plain", 5);
    os_unmap(m);
    os_close(f);
}

static void
maps_past_the_end_are_refused(void **state)
{
    struct world *w = *state;
    struct os_file *f;
    struct os_map *m;
    basin_error err;

    put(w, "a", "hello");
    f = opened(w, "a", OS_WRITE);
    assert_int_equal(os_map(f, 0, 6, false, &m, &err), BASIN_CORRUPT);
    assert_non_null(strstr(err.what, "ends at 5"));
    assert_int_equal(os_map(f, UINT64_MAX, 1, false, &m, NULL), BASIN_CORRUPT);
    assert_int_equal(os_map(f, 0, 0, false, &m, NULL), BASIN_MISUSE);
    assert_int_equal(os_map(f, 0, 5, true, &m, NULL), BASIN_OK);
    os_unmap(m);
    os_close(f);
}

static void
words_go_whole_through_a_map(void **state)
{
    struct world *w = *state;
    struct os_file *f = opened(w, "a", OS_WRITE | OS_CREATE);
    struct os_map *m;
    uint8_t to[8];

    assert_int_equal(os_allocate(f, 4096, NULL), BASIN_OK);
    assert_int_equal(os_map(f, 0, 4096, true, &m, NULL), BASIN_OK);
    assert_int_equal(os_map_load_u64(m, 16), 0);
    os_map_store_u64(m, 16, UINT64_C(0x0123456789ABCDEF));
    assert_true(os_map_load_u64(m, 16) == UINT64_C(0x0123456789ABCDEF));
    assert_int_equal(os_read_exact(f, 16, to, 8, NULL), BASIN_OK);
    assert_true(load_u64(to) == UINT64_C(0x0123456789ABCDEF));
    os_unmap(m);
    os_close(f);
}

/* ------------------------------------------------------------------ locks */

static void
handles_lock_against_each_other(void **state)
{
    struct world *w = *state;
    struct os_file *f = opened(w, "lock", OS_WRITE | OS_CREATE);
    struct os_file *g = opened(w, "lock", OS_WRITE);
    basin_error err;

    assert_int_equal(os_lock(f, 0, 1, OS_LOCK_EXCLUSIVE, NULL), BASIN_OK);
    assert_int_equal(os_lock(g, 0, 1, OS_LOCK_EXCLUSIVE, &err), BASIN_BUSY);
    assert_int_equal(err.status, BASIN_BUSY);
    assert_int_equal(os_lock(g, 0, 1, OS_LOCK_SHARED, NULL), BASIN_BUSY);
    assert_int_equal(os_test_lock(g, 0, 1, OS_LOCK_SHARED, NULL), BASIN_BUSY);
    assert_int_equal(os_test_lock(f, 0, 1, OS_LOCK_EXCLUSIVE, NULL), BASIN_OK); /* its own */
    assert_int_equal(os_lock(g, 1, 1, OS_LOCK_EXCLUSIVE, NULL), BASIN_OK);
    assert_int_equal(os_lock(f, 0, 1, OS_LOCK_SHARED, NULL), BASIN_OK); /* downgrade */
    assert_int_equal(os_lock(g, 0, 1, OS_LOCK_SHARED, NULL), BASIN_OK);
    assert_int_equal(os_lock(f, 0, 1, OS_LOCK_EXCLUSIVE, NULL), BASIN_BUSY);
    assert_int_equal(os_test_lock(f, 0, 1, OS_LOCK_SHARED, NULL), BASIN_OK);
    assert_int_equal(os_test_lock(f, 0, 1, OS_LOCK_EXCLUSIVE, NULL), BASIN_BUSY);
    assert_int_equal(os_unlock(g, 0, 1, NULL), BASIN_OK);
    assert_int_equal(os_lock(f, 0, 1, OS_LOCK_EXCLUSIVE, NULL), BASIN_OK);
    os_close(f); /* drops them */
    assert_int_equal(os_lock(g, 0, 1, OS_LOCK_EXCLUSIVE, NULL), BASIN_OK);
    os_close(g);
}

static void
a_range_is_unlocked_in_the_middle(void **state)
{
    struct world *w = *state;
    struct os_file *f = opened(w, "lock", OS_WRITE | OS_CREATE);
    struct os_file *g = opened(w, "lock", OS_WRITE);

    assert_int_equal(os_lock(f, 10, 30, OS_LOCK_EXCLUSIVE, NULL), BASIN_OK); /* 10 to 39 */
    assert_int_equal(os_unlock(f, 20, 10, NULL), BASIN_OK);                  /* 20 to 29 free */
    assert_int_equal(os_test_lock(g, 0, 10, OS_LOCK_SHARED, NULL), BASIN_OK);
    assert_int_equal(os_test_lock(g, 19, 1, OS_LOCK_SHARED, NULL), BASIN_BUSY);
    assert_int_equal(os_lock(g, 20, 10, OS_LOCK_EXCLUSIVE, NULL), BASIN_OK);
    assert_int_equal(os_test_lock(g, 30, 1, OS_LOCK_SHARED, NULL), BASIN_BUSY);
    assert_int_equal(os_test_lock(g, 39, 100, OS_LOCK_SHARED, NULL), BASIN_BUSY);
    assert_int_equal(os_test_lock(g, 40, 100, OS_LOCK_SHARED, NULL), BASIN_OK);
    assert_int_equal(os_lock(f, 5, 10, OS_LOCK_SHARED, NULL), BASIN_OK); /* over its own */
    assert_int_equal(os_test_lock(g, 10, 5, OS_LOCK_SHARED, NULL), BASIN_OK);
    assert_int_equal(os_test_lock(g, 15, 5, OS_LOCK_SHARED, NULL), BASIN_BUSY);
    assert_int_equal(os_unlock(f, 0, 1000, NULL), BASIN_OK);
    assert_int_equal(os_lock(g, 0, 1000, OS_LOCK_EXCLUSIVE, NULL), BASIN_OK);
    os_close(f);
    os_close(g);
}

/* ------------------------------------------------------------------ names */

struct names {
    size_t count;
    bool seen[26];
    size_t stop_at;
};

static basin_status
see(void *ctx, const char *name, basin_error *err)
{
    struct names *n = ctx;

    assert_int_equal(strlen(name), 1);
    assert_false(n->seen[name[0] - 'a']);
    n->seen[name[0] - 'a'] = true;
    if (++n->count == n->stop_at)
        return error_set(err, BASIN_CANCELLED, "enough");
    return BASIN_OK;
}

static void
lists_name_each_once(void **state)
{
    struct world *w = *state;
    struct names n = { 0 }, some = { .stop_at = 2 };

    put(w, "a", "");
    put(w, "c", "");
    assert_int_equal(os_make_dir(w->os, path(w, "b"), NULL), BASIN_OK);
    assert_int_equal(os_list(w->os, w->dir, see, &n, NULL), BASIN_OK);
    assert_int_equal(n.count, 3);
    assert_true(n.seen[0] && n.seen[1] && n.seen[2]);
    assert_int_equal(os_list(w->os, w->dir, see, &some, NULL), BASIN_CANCELLED);
    assert_int_equal(some.count, 2);
    assert_int_equal(os_list(w->os, path(w, "no"), see, &n, NULL), BASIN_NOT_FOUND);
    assert_int_equal(os_list(w->os, path(w, "a"), see, &n, NULL), BASIN_NOT_FOUND);
}

static void
directories(void **state)
{
    struct world *w = *state;
    uint64_t a[2], b[2], again[2];

    assert_int_equal(os_make_dir(w->os, path(w, "d"), NULL), BASIN_OK);
    assert_int_equal(os_make_dir(w->os, path(w, "d"), NULL), BASIN_EXISTS);
    assert_int_equal(os_make_dir(w->os, path(w, "no/d"), NULL), BASIN_NOT_FOUND);
    put(w, "d/f", "x");
    assert_int_equal(os_sync_dir(w->os, path(w, "d"), NULL), BASIN_OK);
    assert_int_equal(os_sync_dir(w->os, path(w, "no"), NULL), BASIN_NOT_FOUND);
    assert_int_equal(os_sync_dir(w->os, path(w, "d/f"), NULL), BASIN_NOT_FOUND);
    assert_int_equal(os_remove_dir(w->os, path(w, "d"), NULL), BASIN_EXISTS);
    assert_int_equal(os_identity(w->os, path(w, "d"), a, NULL), BASIN_OK);
    assert_int_equal(os_identity(w->os, w->dir, b, NULL), BASIN_OK);
    assert_int_equal(os_identity(w->os, path(w, "./d"), again, NULL), BASIN_OK);
    assert_memory_equal(a, again, sizeof a);
    assert_memory_not_equal(a, b, sizeof a);
    assert_int_equal(os_identity(w->os, path(w, "no"), b, NULL), BASIN_NOT_FOUND);
    assert_int_equal(os_unlink(w->os, path(w, "d/f"), NULL), BASIN_OK);
    assert_int_equal(os_remove_dir(w->os, path(w, "d"), NULL), BASIN_OK);
    assert_int_equal(os_remove_dir(w->os, path(w, "d"), NULL), BASIN_NOT_FOUND);
}

static void
link_never_replaces(void **state)
{
    struct world *w = *state;
    uint64_t size;

    put(w, "a", "one");
    put(w, "b", "other");
    assert_int_equal(os_link(w->os, path(w, "a"), path(w, "b"), NULL), BASIN_EXISTS);
    assert_holds(w, "b", "other");
    assert_int_equal(os_link(w->os, path(w, "no"), path(w, "c"), NULL), BASIN_NOT_FOUND);
    assert_int_equal(os_link(w->os, path(w, "a"), path(w, "c"), NULL), BASIN_OK);
    assert_int_equal(os_unlink(w->os, path(w, "a"), NULL), BASIN_OK);
    assert_holds(w, "c", "one");
    assert_int_equal(os_path_size(w->os, path(w, "c"), &size, NULL), BASIN_OK);
    assert_int_equal(size, 3);
    assert_int_equal(os_path_size(w->os, path(w, "a"), &size, NULL), BASIN_NOT_FOUND);
    assert_int_equal(os_path_size(w->os, w->dir, &size, NULL), BASIN_NOT_FOUND);
    assert_int_equal(os_unlink(w->os, path(w, "a"), NULL), BASIN_NOT_FOUND);
}

static void
rename_replaces(void **state)
{
    struct world *w = *state;

    put(w, "a", "one");
    put(w, "b", "other");
    assert_int_equal(os_rename(w->os, path(w, "a"), path(w, "b"), NULL), BASIN_OK);
    assert_holds(w, "b", "one");
    assert_int_equal(os_rename(w->os, path(w, "a"), path(w, "b"), NULL), BASIN_NOT_FOUND);
    assert_int_equal(os_make_dir(w->os, path(w, "d"), NULL), BASIN_OK);
    assert_int_equal(os_rename(w->os, path(w, "b"), path(w, "d/b"), NULL), BASIN_OK);
    assert_holds(w, "d/b", "one");
    assert_int_equal(os_rename(w->os, path(w, "d/b"), path(w, "d/b"), NULL), BASIN_OK);
    assert_holds(w, "d/b", "one");
}

static void
long_names_are_refused(void **state)
{
    struct world *w = *state;
    char name[300], whole[OS_PATH_MAX], joined[OS_PATH_MAX];
    struct os_file *f;
    basin_error err;

    memset(name, 'n', sizeof name);
    name[255] = 0;
    os_close(opened(w, name, OS_WRITE | OS_CREATE));
    name[255] = 'n';
    name[256] = 0;
    assert_int_equal(os_open(w->os, path(w, name), OS_WRITE | OS_CREATE, &f, &err), BASIN_LIMIT);
    assert_int_equal(err.status, BASIN_LIMIT);
    assert_int_not_equal(err.hint[0], 0);
    memset(whole, 'p', sizeof whole);
    whole[OS_PATH_MAX - 2] = 0;
    assert_int_equal(os_join(joined, whole, "x", &err), BASIN_LIMIT);
    whole[OS_PATH_MAX - 3] = 0;
    assert_int_equal(os_join(joined, whole, "x", &err), BASIN_OK);
    assert_int_equal(strlen(joined), OS_PATH_MAX - 1);
}

/* ------------------------------------------------------------------ the rest */

static void
clocks_chance_and_names(void **state)
{
    struct world *w = *state;
    uint64_t before = os_monotonic_ns(w->os), space;
    uint8_t a[32], b[32];
    char name[128], tiny[4];

    os_sleep_ns(w->os, 3000000);
    assert_true(os_monotonic_ns(w->os) >= before + 3000000);
    assert_true(os_wall_ms(w->os) > UINT64_C(1600000000000));
    assert_int_equal(os_random(w->os, a, sizeof a, NULL), BASIN_OK);
    assert_int_equal(os_random(w->os, b, sizeof b, NULL), BASIN_OK);
    assert_memory_not_equal(a, b, sizeof a);
    assert_int_equal(os_free_space(w->os, w->dir, &space, NULL), BASIN_OK);
    assert_true(space > 0);
    assert_true(os_process_id(w->os) > 0);
    assert_true(os_handle_limit(w->os) > 3);
    os_process_name(w->os, name, sizeof name);
    snprintf((char *)a, sizeof a, " %llu ", (unsigned long long)os_process_id(w->os));
    assert_non_null(strstr(name, (const char *)a));
    os_process_name(w->os, tiny, sizeof tiny);
    assert_true(strlen(tiny) < sizeof tiny);
}

#define BOTH(test)                                          \
    { "posix: " #test, test, setup_posix, teardown, NULL }, \
    {                                                       \
        "sim: " #test, test, setup_sim, teardown, NULL      \
    }

int
main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(open_flags),
        BOTH(reads_are_short_at_the_end_only),
        BOTH(a_gap_reads_as_zeros),
        BOTH(truncate_cuts_and_grows),
        BOTH(allocate_grows_and_keeps),
        BOTH(a_handle_for_reading_writes_nothing),
        BOTH(a_removed_file_lives_for_its_handles),
        BOTH(far_positions_are_refused),
        BOTH(map_write_is_seen_by_read),
        BOTH(a_map_outlives_its_handle_and_its_name),
        BOTH(a_map_stays_in_place_while_the_file_grows),
        BOTH(maps_past_the_end_are_refused),
        BOTH(words_go_whole_through_a_map),
        BOTH(handles_lock_against_each_other),
        BOTH(a_range_is_unlocked_in_the_middle),
        BOTH(lists_name_each_once),
        BOTH(directories),
        BOTH(link_never_replaces),
        BOTH(rename_replaces),
        BOTH(long_names_are_refused),
        BOTH(clocks_chance_and_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
