// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * What every driver promises: the same test body over a real directory and a simulated one, each
 * with maps and without, and over memory.
 */
#include "store/store.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <sys/resource.h>

#include "model/chance.h"
#include "model/memory.h"
#include "model/scratch.h"

enum kind { POSIX_MAP, POSIX_READ, SIM_MAP, SIM_READ, MEMORY };

struct world {
    enum kind kind;
    struct test_memory memory;
    struct os *os; /* NULL for memory */
    struct os_sim *sim;
    struct store *store;
    char dir[SCRATCH_PATH_MAX];
};

static struct world w;

static bool
has_maps(void)
{
    return w.kind != POSIX_READ && w.kind != SIM_READ;
}

static int
open_store(void)
{
    if (w.kind == MEMORY)
        return store_open_memory(&w.memory.table, &w.store, NULL) != BASIN_OK;
    return store_open_dir(w.os, w.dir, false, has_maps(), &w.memory.table, &w.store, NULL) !=
           BASIN_OK;
}

static int
setup(enum kind kind)
{
    struct os_sim_options options = { .seed = 5, .maps = true, .mem = &base_malloc };

    w = (struct world){ .kind = kind };
    test_memory_init(&w.memory);
    if (kind == POSIX_MAP || kind == POSIX_READ) {
        w.os = os_posix();
        scratch_make(w.dir);
    } else if (kind != MEMORY) {
        if (os_sim_new(&options, &w.sim, NULL) != BASIN_OK)
            return 1;
        w.os = os_sim_os(w.sim);
        snprintf(w.dir, sizeof w.dir, "db");
        if (os_make_dir(w.os, w.dir, NULL) != BASIN_OK)
            return 1;
    }
    return open_store();
}

static int
setup_posix_map(void **state)
{
    (void)state;
    return setup(POSIX_MAP);
}

static int
setup_posix_read(void **state)
{
    (void)state;
    return setup(POSIX_READ);
}

static int
setup_sim_map(void **state)
{
    (void)state;
    return setup(SIM_MAP);
}

static int
setup_sim_read(void **state)
{
    (void)state;
    return setup(SIM_READ);
}

static int
setup_memory(void **state)
{
    (void)state;
    return setup(MEMORY);
}

static int
teardown(void **state)
{
    (void)state;
    store_close(w.store);
    os_sim_free(w.sim);
    if (w.os && !w.sim)
        scratch_remove(w.dir);
    return w.memory.live != 0;
}

static basin_status
put(const char *name, const char *text)
{
    return store_put(w.store, name, bytes_of(text, strlen(text)), NULL);
}

static void
assert_holds(const char *name, const char *text)
{
    struct buf to;

    buf_init(&to, &w.memory.table);
    assert_int_equal(store_get(w.store, name, 1000, &to, NULL), BASIN_OK);
    assert_int_equal(to.size, strlen(text));
    if (to.size)
        assert_memory_equal(to.data, text, to.size);
    buf_release(&to);
}

/* Counts the files in the directory of unfinished objects. */
static basin_status
count_one(void *ctx, const char *name, basin_error *err)
{
    (void)name;
    (void)err;
    ++*(size_t *)ctx;
    return BASIN_OK;
}

static size_t
unfinished(void)
{
    char path[OS_PATH_MAX];
    size_t count = 0;
    basin_status st;

    if (!w.os)
        return 0;
    assert_int_equal(os_join(path, w.dir, "tmp", NULL), BASIN_OK);
    st = os_list(w.os, path, count_one, &count, NULL);
    assert_true(st == BASIN_OK || st == BASIN_NOT_FOUND);
    return count;
}

/* ------------------------------------------------------------------ objects */

static void
objects_are_created_once(void **state)
{
    basin_error err;
    struct buf to;

    (void)state;
    assert_int_equal(put("epoch/1", "first"), BASIN_OK);
    assert_int_equal(store_put(w.store, "epoch/1", BYTES_LIT("second"), &err), BASIN_EXISTS);
    assert_int_equal(err.status, BASIN_EXISTS);
    assert_non_null(strstr(err.what, "epoch/1"));
    assert_holds("epoch/1", "first");
    assert_int_equal(put("alone", "no class"), BASIN_OK);
    assert_holds("alone", "no class");
    assert_int_equal(put("epoch/empty", ""), BASIN_OK);
    assert_holds("epoch/empty", "");
    assert_int_equal(unfinished(), 0);
    buf_init(&to, &w.memory.table);
    assert_int_equal(store_get(w.store, "epoch/2", 10, &to, NULL), BASIN_NOT_FOUND);
    assert_int_equal(store_get(w.store, "never/2", 10, &to, NULL), BASIN_NOT_FOUND);
    assert_int_equal(store_get(w.store, "epoch/1", 4, &to, &err), BASIN_LIMIT);
    assert_non_null(strstr(err.what, "5 bytes"));
    assert_int_equal(buf_add(&to, "so ", 3), BASIN_OK);
    assert_int_equal(store_get(w.store, "epoch/1", 5, &to, NULL), BASIN_OK);
    assert_memory_equal(to.data, "so first", 8);
    buf_release(&to);
}

static void
names_are_checked(void **state)
{
    static const char *const bad[] = { "",    "/",        "a/",   "/a",   "a/b/c",      "A",
                                       "a b", "a.b",      "..",   "a/..", "tmp",        "tmp/a",
                                       "a_b", "\xC3\xA4", "a//b", "a\n",  "strata/3 17" };
    static const char *const good[] = { "a", "0", "-", "a/b", "strata/3-17", "temp/a", "tmpx" };
    char name[STORE_NAME_MAX + 2];
    struct sink *sink;
    struct source *source;
    basin_error err;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_int_equal(store_create(w.store, bad[i], &sink, &err), BASIN_MISUSE);
        assert_null(sink);
        assert_int_equal(store_open(w.store, bad[i], &source, NULL), BASIN_MISUSE);
        assert_int_equal(store_remove(w.store, bad[i], NULL), BASIN_MISUSE);
    }
    assert_int_equal(store_list(w.store, "a/b", NULL, NULL, NULL), BASIN_MISUSE);
    assert_int_equal(store_list(w.store, "tmp", NULL, NULL, NULL), BASIN_MISUSE);
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        if (i == 3)
            assert_int_equal(store_remove(w.store, "a", NULL), BASIN_OK); /* now a class */
        assert_int_equal(put(good[i], good[i]), BASIN_OK);
        assert_holds(good[i], good[i]);
    }
    memset(name, 'n', sizeof name);
    name[5] = '/';
    name[STORE_NAME_MAX] = 0;
    assert_int_equal(put(name, "long"), BASIN_OK);
    assert_holds(name, "long");
    name[STORE_NAME_MAX] = 'n';
    name[STORE_NAME_MAX + 1] = 0;
    assert_int_equal(put(name, "too long"), BASIN_LIMIT);
}

/* EC54: offset and length, not offset and end; EC57: never past the end. */
static void
ec54_reads_are_ranges(void **state)
{
    uint8_t data[100], to[101];
    struct source *s;
    basin_error err;

    (void)state;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)i;
    assert_int_equal(store_put(w.store, "strata/1-1", bytes_of(data, sizeof data), NULL), BASIN_OK);
    assert_int_equal(store_open(w.store, "strata/1-1", &s, NULL), BASIN_OK);
    assert_int_equal(s->size, 100);
    assert_string_equal(s->name, "strata/1-1");
    assert_int_equal(s->ops->read(s, 60, to, 30, NULL), BASIN_OK);
    assert_memory_equal(to, data + 60, 30);
    assert_int_equal(s->ops->read(s, 0, to, 100, NULL), BASIN_OK);
    assert_memory_equal(to, data, 100);
    assert_int_equal(s->ops->read(s, 100, to, 0, NULL), BASIN_OK);
    assert_int_equal(s->ops->read(s, 0, to, 101, &err), BASIN_CORRUPT);
    assert_non_null(strstr(err.what, "strata/1-1: ends at 100, needed 101"));
    assert_int_equal(s->ops->read(s, 101, to, 0, NULL), BASIN_CORRUPT);
    assert_int_equal(s->ops->read(s, 99, to, 2, NULL), BASIN_CORRUPT);
    assert_int_equal(s->ops->read(s, UINT64_MAX, to, 2, NULL), BASIN_CORRUPT);
    if (has_maps()) {
        assert_non_null(s->ops->map(s));
        assert_memory_equal(s->ops->map(s), data, 100);
    } else {
        assert_null(s->ops->map(s));
    }
    s->ops->close(s);
}

/* Chunks of every kind of size against the buffer of the driver. */
static void
large_objects_come_in_any_chunks(void **state)
{
    struct chance c = chance_init("large_objects_come_in_any_chunks", 3);
    size_t size = test_scale(1500000), done = 0;
    uint8_t *data = malloc(size), *back = malloc(size);
    struct source *source;
    struct sink *sink;

    (void)state;
    assert_true(data && back);
    chance_bytes(&c, data, size);
    assert_int_equal(store_create(w.store, "strata/big", &sink, NULL), BASIN_OK);
    while (done < size) {
        size_t n = (size_t)chance_below(&c, chance_below(&c, 4) ? 5000 : 300000);
        n = MIN_OF(n, size - done);
        assert_int_equal(sink->ops->write(sink, data + done, n, NULL), BASIN_OK);
        done += n;
        assert_int_equal(sink->size, done);
    }
    assert_int_equal(sink->ops->commit(sink, NULL), BASIN_OK);
    assert_int_equal(sink->size, size);
    sink->ops->free(sink);
    assert_int_equal(store_open(w.store, "strata/big", &source, NULL), BASIN_OK);
    assert_int_equal(source->size, size);
    assert_int_equal(source->ops->read(source, 0, back, size, NULL), BASIN_OK);
    assert_memory_equal(back, data, size);
    source->ops->close(source);
    free(data);
    free(back);
}

static void
nothing_is_seen_before_commit(void **state)
{
    struct source *source;
    struct sink *sink;

    (void)state;
    assert_int_equal(store_create(w.store, "strata/1", &sink, NULL), BASIN_OK);
    assert_int_equal(sink->ops->write(sink, "half", 4, NULL), BASIN_OK);
    assert_int_equal(store_open(w.store, "strata/1", &source, NULL), BASIN_NOT_FOUND);
    sink->ops->free(sink);
    assert_int_equal(store_open(w.store, "strata/1", &source, NULL), BASIN_NOT_FOUND);
    assert_int_equal(unfinished(), 0);
    assert_int_equal(put("strata/1", "whole"), BASIN_OK);
}

static void
the_first_commit_wins(void **state)
{
    struct sink *a, *b;

    (void)state;
    assert_int_equal(store_create(w.store, "ckpt/1", &a, NULL), BASIN_OK);
    assert_int_equal(store_create(w.store, "ckpt/1", &b, NULL), BASIN_OK);
    assert_int_equal(a->ops->write(a, "from a", 6, NULL), BASIN_OK);
    assert_int_equal(b->ops->write(b, "from b", 6, NULL), BASIN_OK);
    assert_int_equal(b->ops->commit(b, NULL), BASIN_OK);
    assert_int_equal(a->ops->commit(a, NULL), BASIN_EXISTS);
    assert_int_equal(a->ops->commit(a, NULL), BASIN_MISUSE); /* it is over */
    assert_int_equal(b->ops->commit(b, NULL), BASIN_MISUSE);
    assert_int_equal(b->ops->write(b, "x", 1, NULL), BASIN_MISUSE);
    a->ops->free(a);
    b->ops->free(b);
    assert_holds("ckpt/1", "from b");
    assert_int_equal(unfinished(), 0);
}

static void
removal_does_not_disturb_readers(void **state)
{
    struct source *s;
    char to[5];

    (void)state;
    assert_int_equal(put("strata/1", "hello"), BASIN_OK);
    assert_int_equal(store_open(w.store, "strata/1", &s, NULL), BASIN_OK);
    assert_int_equal(store_remove(w.store, "strata/1", NULL), BASIN_OK);
    assert_int_equal(store_remove(w.store, "strata/1", NULL), BASIN_NOT_FOUND);
    assert_int_equal(put("strata/1", "other"), BASIN_OK);
    assert_int_equal(s->ops->read(s, 0, to, 5, NULL), BASIN_OK);
    assert_memory_equal(to, "hello", 5);
    s->ops->close(s);
    assert_holds("strata/1", "other");
}

/* ------------------------------------------------------------------ lists */

struct listed {
    size_t count;
    char names[64][STORE_NAME_MAX + 1];
    uint64_t sizes[64];
    bool remove;
};

static basin_status
note(void *ctx, const char *name, uint64_t size, basin_error *err)
{
    struct listed *l = ctx;
    char full[STORE_NAME_MAX + 8];

    must(l->count < COUNT_OF(l->names));
    snprintf(l->names[l->count], sizeof l->names[0], "%s", name);
    l->sizes[l->count++] = size;
    if (!l->remove)
        return BASIN_OK;
    snprintf(full, sizeof full, "strata/%s", name); /* the store may be used meanwhile */
    return store_remove(w.store, full, err);
}

static basin_status
refuse(void *ctx, const char *name, uint64_t size, basin_error *err)
{
    (void)name;
    (void)size;
    ++*(size_t *)ctx;
    return error_set(err, BASIN_CANCELLED, "enough");
}

static void
lists_are_sorted_and_by_class(void **state)
{
    static const char *const sorted[] = {
        "-", "0", "1-1", "1-10", "1-2", "10", "2", "a", "a-", "b"
    };
    static const size_t order[] = { 3, 9, 0, 7, 5, 1, 8, 2, 6, 4 };
    struct listed l = { 0 };
    char name[STORE_NAME_MAX + 1];
    size_t calls = 0;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(order); i++) {
        snprintf(name, sizeof name, "strata/%s", sorted[order[i]]);
        assert_int_equal(put(name, sorted[order[i]]), BASIN_OK);
    }
    assert_int_equal(put("strat", "no"), BASIN_OK);
    assert_int_equal(put("strata2/x", "no"), BASIN_OK);
    assert_int_equal(store_list(w.store, "strata", note, &l, NULL), BASIN_OK);
    assert_int_equal(l.count, COUNT_OF(sorted));
    for (size_t i = 0; i < l.count; i++) {
        assert_string_equal(l.names[i], sorted[i]);
        assert_int_equal(l.sizes[i], strlen(sorted[i]));
    }
    l.count = 0;
    assert_int_equal(store_list(w.store, "", note, &l, NULL), BASIN_OK);
    assert_int_equal(l.count, 1);
    assert_string_equal(l.names[0], "strat");
    assert_int_equal(store_list(w.store, "strata", refuse, &calls, NULL), BASIN_CANCELLED);
    assert_int_equal(calls, 1);
    l = (struct listed){ .remove = true };
    assert_int_equal(store_list(w.store, "strata", note, &l, NULL), BASIN_OK);
    assert_int_equal(l.count, COUNT_OF(sorted));
    l = (struct listed){ 0 };
    assert_int_equal(store_list(w.store, "strata", note, &l, NULL), BASIN_OK);
    assert_int_equal(store_list(w.store, "never", note, &l, NULL), BASIN_OK);
    assert_int_equal(l.count, 0);
}

static void
many_names_are_sorted(void **state)
{
    struct chance c = chance_init("many_names_are_sorted", 9);
    struct listed l = { 0 };
    size_t made = 0;

    (void)state;
    while (made < COUNT_OF(l.names)) {
        char name[STORE_NAME_MAX + 1];
        snprintf(name, sizeof name, "s/%llx", (unsigned long long)(chance_u64(&c) >> 40));
        made += put(name, "") == BASIN_OK;
    }
    assert_int_equal(store_list(w.store, "s", note, &l, NULL), BASIN_OK);
    assert_int_equal(l.count, made);
    for (size_t i = 1; i < l.count; i++)
        assert_true(strcmp(l.names[i - 1], l.names[i]) < 0);
}

/* ------------------------------------------------------------------ directory driver */

static void
a_sweep_removes_what_others_left(void **state)
{
    struct sink *sink;
    struct store *other;
    struct sink *left;

    (void)state;
    assert_int_equal(store_sweep(w.store, NULL), BASIN_OK);
    if (!w.os)
        return;
    assert_int_equal(store_open_dir(w.os, w.dir, false, true, &w.memory.table, &other, NULL),
                     BASIN_OK);
    assert_int_equal(store_create(other, "strata/1", &left, NULL), BASIN_OK);
    assert_int_equal(store_create(w.store, "strata/2", &sink, NULL), BASIN_OK);
    assert_int_equal(unfinished(), 2);
    assert_int_equal(store_sweep(w.store, NULL), BASIN_OK);
    assert_int_equal(unfinished(), 1); /* its own work stays */
    assert_int_equal(sink->ops->write(sink, "fine", 4, NULL), BASIN_OK);
    assert_int_equal(sink->ops->commit(sink, NULL), BASIN_OK);
    sink->ops->free(sink);
    assert_int_equal(left->ops->commit(left, NULL), BASIN_NOT_FOUND);
    left->ops->free(left);
    store_close(other);
    assert_holds("strata/2", "fine");
    assert_int_equal(unfinished(), 0);
}

static void
a_store_for_reading_only_reads(void **state)
{
    struct store *reader;
    struct source *source;
    struct sink *sink;

    (void)state;
    if (!w.os)
        return;
    assert_int_equal(put("strata/1", "hello"), BASIN_OK);
    assert_int_equal(store_open_dir(w.os, w.dir, true, true, &w.memory.table, &reader, NULL),
                     BASIN_OK);
    assert_int_equal(store_create(reader, "strata/2", &sink, NULL), BASIN_READ_ONLY);
    assert_int_equal(store_remove(reader, "strata/1", NULL), BASIN_READ_ONLY);
    assert_int_equal(store_sweep(reader, NULL), BASIN_READ_ONLY);
    assert_int_equal(store_open(reader, "strata/1", &source, NULL), BASIN_OK);
    source->ops->close(source);
    store_close(reader);
}

static void
foreign_files_are_no_objects(void **state)
{
    static const char *const foreign[] = { "strata/Not-Ours", "strata/a.tmp", "strata/x y" };
    char path[OS_PATH_MAX];
    struct listed l = { 0 };
    struct source *source;
    struct os_file *f;

    (void)state;
    if (!w.os)
        return;
    assert_int_equal(put("strata/1", "hello"), BASIN_OK);
    for (size_t i = 0; i < COUNT_OF(foreign); i++) {
        assert_int_equal(os_join(path, w.dir, foreign[i], NULL), BASIN_OK);
        assert_int_equal(os_open(w.os, path, OS_WRITE | OS_CREATE, &f, NULL), BASIN_OK);
        os_close(f);
    }
    assert_int_equal(os_join(path, w.dir, "strata/dir", NULL), BASIN_OK);
    assert_int_equal(os_make_dir(w.os, path, NULL), BASIN_OK);
    assert_int_equal(store_list(w.store, "strata", note, &l, NULL), BASIN_OK);
    assert_int_equal(l.count, 1);
    assert_int_equal(store_open(w.store, "strata/dir", &source, NULL), BASIN_IO);
    assert_int_equal(store_sweep(w.store, NULL), BASIN_OK);
    assert_holds("strata/1", "hello");
}

static void
everything_is_there_after_reopening(void **state)
{
    char deep[OS_PATH_MAX - STORE_NAME_MAX];
    struct store *none;

    (void)state;
    if (!w.os)
        return;
    memset(deep, 'd', sizeof deep);
    deep[sizeof deep - 1] = 0;
    assert_int_equal(store_open_dir(w.os, deep, false, true, &w.memory.table, &none, NULL),
                     BASIN_LIMIT);
    assert_null(none);
    assert_int_equal(put("strata/1", "hello"), BASIN_OK);
    store_close(w.store);
    assert_int_equal(open_store(), 0);
    assert_holds("strata/1", "hello");
    assert_int_equal(put("strata/1", "again"), BASIN_EXISTS);
}

/* ------------------------------------------------------------------ memory */

static basin_status
fill_and_list(struct store *s, struct buf *to)
{
    char name[STORE_NAME_MAX + 1];
    struct source *source = NULL;
    struct listed l = { 0 };
    basin_status st;

    for (size_t i = 0; i < 20; i++) { /* more than the table has at first */
        snprintf(name, sizeof name, "s/%zu", i);
        TRY(store_put(s, name, BYTES_LIT("some bytes"), NULL));
    }
    TRY(store_list(s, "s", note, &l, NULL));
    TRY(store_open(s, "s/7", &source, NULL));
    TRY(store_get(s, "s/8", 100, to, NULL));
    TRY(store_remove(s, "s/7", NULL));
out:
    if (source)
        source->ops->close(source);
    return st;
}

static void
each_allocation_of_the_memory_driver_fails(void **state)
{
    struct test_memory m;
    size_t n = 1;

    (void)state;
    test_memory_init(&m);
    for (bool more = true; more; n++) {
        struct store *s = NULL;
        struct buf to;
        basin_status st;
        buf_init(&to, &m.table);
        test_memory_refuse(&m, n);
        st = store_open_memory(&m.table, &s, NULL);
        if (st == BASIN_OK)
            st = fill_and_list(s, &to);
        more = test_memory_refused(&m);
        assert_int_equal(st, more ? BASIN_NO_MEM : BASIN_OK);
        buf_release(&to);
        store_close(s);
        assert_int_equal(m.live, 0);
    }
    assert_true(n > 60);
}

/* ------------------------------------------------------------------ handles */

enum { MANY = 60 };

static void
name_of(char name[STORE_NAME_MAX + 1], size_t i)
{
    snprintf(name, STORE_NAME_MAX + 1, "strata/%zu", i);
}

static void
open_many(struct source **sources)
{
    char name[STORE_NAME_MAX + 1];

    for (size_t i = 0; i < MANY; i++) {
        name_of(name, i);
        assert_int_equal(store_put(w.store, name, bytes_of(&i, sizeof i), NULL), BASIN_OK);
        assert_int_equal(store_open(w.store, name, &sources[i], NULL), BASIN_OK);
    }
}

static size_t
read_one(struct source *source)
{
    size_t found = SIZE_MAX;

    assert_int_equal(source->ops->read(source, 0, &found, sizeof found, NULL), BASIN_OK);
    return found;
}

/* Decision 25: more open objects than handles; the simulator refuses the 21st. */
static void
more_objects_than_handles(void **state)
{
    struct chance c = chance_init("more_objects_than_handles", 4);
    struct source *sources[MANY];
    char name[STORE_NAME_MAX + 1];

    (void)state;
    if (!w.sim)
        return;
    store_close(w.store);
    os_sim_set_handle_limit(w.sim, 20);
    assert_int_equal(open_store(), 0);
    open_many(sources);
    for (size_t round = 0; round < 500; round++) {
        size_t i = (size_t)chance_below(&c, MANY);
        if (chance_below(&c, 10) == 0 && round > 100) {
            name_of(name, i);
            basin_status st = store_remove(w.store, name, NULL);
            assert_true(st == BASIN_OK || st == BASIN_NOT_FOUND);
        }
        if (round > 150)
            os_sim_set_handle_limit(w.sim, 0); /* removed ones keep theirs */
        assert_int_equal(read_one(sources[i]), i);
    }
    for (size_t i = 0; i < MANY; i++)
        sources[i]->ops->close(sources[i]);
    assert_int_equal(os_sim_handles(w.sim), 0);
}

/* Whoever takes an object away or cuts it behind the store's back is told on. */
static void
a_source_without_handle_checks_what_it_finds(void **state)
{
    struct source *sources[MANY];
    uint8_t byte;
    basin_error err;

    (void)state;
    if (w.kind != SIM_READ)
        return;
    store_close(w.store);
    os_sim_set_handle_limit(w.sim, 20);
    assert_int_equal(open_store(), 0);
    open_many(sources);
    assert_int_equal(os_unlink(w.os, "db/strata/0", NULL), BASIN_OK);
    assert_int_equal(sources[0]->ops->read(sources[0], 0, &byte, 1, &err), BASIN_IO);
    assert_non_null(strstr(err.what, "strata/0: removed"));
    assert_int_equal(os_sim_cut(w.sim, "db/strata/1", 3), BASIN_OK);
    assert_int_equal(sources[1]->ops->read(sources[1], 0, &byte, 1, &err), BASIN_CORRUPT);
    assert_non_null(strstr(err.what, "strata/1: ends at 3"));
    for (size_t i = 0; i < MANY; i++)
        sources[i]->ops->close(sources[i]);
}

/* ------------------------------------------------------------------ threads */

enum { THREADS = 4, SHARED_NAMES = 25 };

struct worker {
    unsigned number;
    unsigned won;
    bool failed;
};

static void
work(void *ctx)
{
    struct worker *k = ctx;
    char name[STORE_NAME_MAX + 1], text[16];

    snprintf(text, sizeof text, "%u", k->number);
    for (unsigned i = 0; i < SHARED_NAMES; i++) {
        struct source *source;
        basin_status st;
        snprintf(name, sizeof name, "shared/%u", i);
        st = put(name, text);
        k->won += st == BASIN_OK;
        k->failed |= st != BASIN_OK && st != BASIN_EXISTS;
        st = store_open(w.store, name, &source, NULL);
        k->failed |= st != BASIN_OK || source->size != 1;
        if (st == BASIN_OK)
            source->ops->close(source);
        snprintf(name, sizeof name, "own-%u/%u", k->number, i);
        k->failed |= put(name, text) != BASIN_OK || store_remove(w.store, name, NULL) != BASIN_OK;
    }
}

static void
of_many_threads_one_wins_each_name(void **state)
{
    struct worker workers[THREADS] = { { 0 } };
    struct os_thread *t[THREADS];
    unsigned won = 0;

    (void)state;
    if (w.os && !w.os->threads)
        return;
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i].number = i;
        assert_int_equal(os_thread_start(&w.memory.table, work, &workers[i], "worker", &t[i], NULL),
                         BASIN_OK);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        os_thread_join(t[i]);
        assert_false(workers[i].failed);
        won += workers[i].won;
    }
    assert_int_equal(won, SHARED_NAMES);
}

/* Readers of the same sources take handles from one another all the time. */
static struct source *shared_sources[MANY];

static void
read_shared(void *ctx)
{
    struct worker *k = ctx;
    struct chance c = chance_of(k->number);

    for (size_t i = 0; i < 3000; i++) {
        size_t at = (size_t)chance_below(&c, MANY), found = SIZE_MAX;
        struct source *source = shared_sources[at];
        k->failed |= source->ops->read(source, 0, &found, sizeof found, NULL) != BASIN_OK;
        k->failed |= found != at;
    }
}

static void
threads_share_few_handles(void **state)
{
    struct worker workers[THREADS] = { { 0 } };
    struct os_thread *t[THREADS];
    struct rlimit before, few = { 24, 0 };

    (void)state;
    if (w.kind != POSIX_READ)
        return;
    store_close(w.store);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few.rlim_max = before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    assert_int_equal(open_store(), 0);
    open_many(shared_sources);
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i].number = i;
        assert_int_equal(os_thread_start(&w.memory.table, read_shared, &workers[i], "reader", &t[i],
                                         NULL),
                         BASIN_OK);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        os_thread_join(t[i]);
        assert_false(workers[i].failed);
    }
    for (size_t i = 0; i < MANY; i++)
        shared_sources[i]->ops->close(shared_sources[i]);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

#define ALL(test)                                                         \
    { "posix map: " #test, test, setup_posix_map, teardown, NULL },       \
        { "posix read: " #test, test, setup_posix_read, teardown, NULL }, \
        { "sim map: " #test, test, setup_sim_map, teardown, NULL },       \
        { "sim read: " #test, test, setup_sim_read, teardown, NULL },     \
    {                                                                     \
        "memory: " #test, test, setup_memory, teardown, NULL              \
    }

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ALL(objects_are_created_once),
        ALL(names_are_checked),
        ALL(ec54_reads_are_ranges),
        ALL(large_objects_come_in_any_chunks),
        ALL(nothing_is_seen_before_commit),
        ALL(the_first_commit_wins),
        ALL(removal_does_not_disturb_readers),
        ALL(lists_are_sorted_and_by_class),
        ALL(many_names_are_sorted),
        ALL(a_sweep_removes_what_others_left),
        ALL(a_store_for_reading_only_reads),
        ALL(foreign_files_are_no_objects),
        ALL(everything_is_there_after_reopening),
        cmocka_unit_test(each_allocation_of_the_memory_driver_fails),
        ALL(more_objects_than_handles),
        ALL(a_source_without_handle_checks_what_it_finds),
        ALL(of_many_threads_one_wins_each_name),
        ALL(threads_share_few_handles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
