// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Random writes, map writes, cuts, growth, syncs and crashes on one file, against a model that
 * keeps every state of the file since its last sync. After a crash the file must be made of these
 * states: its size is one of theirs, each sector is a sector of one of them (each byte, where maps
 * were written), and nothing else may be there but in growth that was not synced.
 */
#include "os/os.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "model/chance.h"

enum { SIZE_MAX_BYTES = 24 * 1024, STATES_MAX = 64, SECTOR = 512 };

struct file_state {
    size_t size;
    uint8_t bytes[SIZE_MAX_BYTES]; /* zeros past the size */
};

struct model {
    struct file_state *states; /* the first is on disk, the last is now */
    size_t count;
    bool mapped;  /* a map was written since the first */
    bool dropped; /* a sync failed since the last crash: the first may be older than the disk */
};

static struct os_sim *sim;
static struct os *os;

static struct file_state *
now(struct model *m)
{
    return &m->states[m->count - 1];
}

static struct file_state *
next_state(struct model *m)
{
    assert_true(m->count < STATES_MAX);
    m->states[m->count] = m->states[m->count - 1];
    return &m->states[m->count++];
}

static void
start_from(struct model *m, struct bytes b)
{
    assert_true(b.size <= SIZE_MAX_BYTES);
    memset(&m->states[0], 0, sizeof m->states[0]);
    if (b.size)
        memcpy(m->states[0].bytes, b.data, b.size);
    m->states[0].size = b.size;
    m->count = 1;
    m->mapped = m->dropped = false;
}

/* ------------------------------------------------------------------ steps */

static void
step_write(struct model *m, struct os_file *f, struct chance *c)
{
    size_t at = (size_t)chance_below(c, SIZE_MAX_BYTES - 1), i;
    size_t n = (size_t)chance_below(c, chance_below(c, 3) ? 700 : 9000) + 1;
    uint8_t data[9001];
    struct file_state *s = next_state(m);

    n = MIN_OF(n, SIZE_MAX_BYTES - at);
    for (i = 0; i < n; i++)
        data[i] = (uint8_t)(chance_u64(c) | 1);
    memcpy(s->bytes + at, data, n);
    s->size = MAX_OF(s->size, at + n);
    assert_int_equal(os_write(f, at, data, n, NULL), BASIN_OK);
}

static void
step_map_write(struct model *m, struct os_file *f, struct chance *c)
{
    struct os_map *map;
    uint8_t data[600];
    size_t at, n;

    if (now(m)->size == 0 || os_allocate(f, now(m)->size, NULL) != BASIN_OK)
        return;
    at = (size_t)chance_below(c, now(m)->size);
    n = (size_t)chance_below(c, sizeof data) + 1;
    n = MIN_OF(n, now(m)->size - at);
    chance_bytes(c, data, n);
    memcpy(next_state(m)->bytes + at, data, n);
    m->mapped = true;
    assert_int_equal(os_map(f, 0, now(m)->size, true, &map, NULL), BASIN_OK);
    os_map_write(map, at, data, n);
    os_unmap(map);
}

static void
step_resize(struct model *m, struct os_file *f, struct chance *c)
{
    size_t size = (size_t)chance_below(c, SIZE_MAX_BYTES);
    struct file_state *s = next_state(m);

    if (size < s->size)
        memset(s->bytes + size, 0, s->size - size);
    s->size = size;
    assert_int_equal(os_truncate(f, size, NULL), BASIN_OK);
}

static void
step_allocate(struct model *m, struct os_file *f, struct chance *c)
{
    size_t size = (size_t)chance_below(c, SIZE_MAX_BYTES);
    struct file_state *s = next_state(m);

    s->size = MAX_OF(s->size, size);
    assert_int_equal(os_allocate(f, size, NULL), BASIN_OK);
}

static void
step_sync(struct model *m, struct os_file *f)
{
    assert_int_equal(os_sync(f, true, NULL), BASIN_OK);
    if (m->dropped)
        return; /* what was dropped is still not on disk */
    m->states[0] = *now(m);
    m->count = 1;
    m->mapped = false;
}

static void
step_failed_sync(struct model *m)
{
    struct os_file *f;

    assert_int_equal(os_open(os, "f", OS_WRITE, &f, NULL), BASIN_OK);
    os_sim_fail_at(sim, 1, BASIN_IO);
    assert_int_equal(os_sync(f, true, NULL), BASIN_IO);
    os_close(f);
    m->dropped = true;
}

static void
step(struct model *m, struct os_file *f, struct chance *c)
{
    switch (chance_below(c, 12)) {
    case 0:
        step_resize(m, f, c);
        break;
    case 1:
        step_allocate(m, f, c);
        break;
    case 2:
        step_sync(m, f);
        break;
    case 3:
        if (chance_below(c, 6) == 0)
            step_failed_sync(m);
        break;
    case 4:
    case 5:
        step_map_write(m, f, c);
        break;
    default:
        step_write(m, f, c);
    }
}

/* ------------------------------------------------------------------ what a crash left */

static bool
is_known_size(const struct model *m, size_t size)
{
    for (size_t i = 0; i < m->count; i++) {
        if (m->states[i].size == size)
            return true;
    }
    return false;
}

static bool
is_known_sector(const struct model *m, const uint8_t *p, size_t at, size_t n)
{
    for (size_t i = 0; i < m->count; i++) {
        if (memcmp(m->states[i].bytes + at, p, n) == 0)
            return true;
    }
    return false;
}

static bool
are_known_bytes(const struct model *m, const uint8_t *p, size_t at, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        if (!is_known_sector(m, p + k, at + k, 1))
            return false;
    }
    return true;
}

static void
assert_made_of_states(const struct model *m, struct bytes b)
{
    size_t synced = m->states[0].size;

    assert_true(is_known_size(m, b.size));
    for (size_t i = 0; m->dropped && i < m->count; i++)
        synced = MIN_OF(synced, m->states[i].size); /* any of them may be the synced one */
    for (size_t at = 0; at < b.size; at += SECTOR) {
        size_t n = MIN_OF((size_t)SECTOR, b.size - at);
        if (at >= synced)
            continue;
        assert_true(m->mapped ? are_known_bytes(m, b.data + at, at, n)
                              : is_known_sector(m, b.data + at, at, n));
    }
}

static void
assert_is(const struct file_state *s, struct bytes b)
{
    assert_int_equal(b.size, s->size);
    if (b.size)
        assert_memory_equal(b.data, s->bytes, b.size);
}

/* One life: steps, then a crash, then a look. */
static void
live_and_crash(struct model *m, struct chance *c)
{
    enum os_crash_mode mode = (enum os_crash_mode)chance_below(c, 3);
    size_t steps = (size_t)chance_below(c, 20);
    struct os_file *f;
    struct bytes b;

    assert_int_equal(os_open(os, "f", OS_WRITE, &f, NULL), BASIN_OK);
    for (size_t i = 0; i < steps && m->count < STATES_MAX - 1; i++)
        step(m, f, c);
    assert_int_equal(os_sim_peek(sim, "f", &b), BASIN_OK);
    assert_is(now(m), b);
    os_sim_crash(sim, mode);
    os_close(f);
    assert_int_equal(os_sim_peek(sim, "f", &b), BASIN_OK);
    if (mode == OS_CRASH_KILL) {
        assert_is(now(m), b);
        if (m->count < STATES_MAX / 2)
            return; /* the next life starts with what this one left un-synced */
        os_sim_crash(sim, OS_CRASH_RANDOM);
        assert_int_equal(os_sim_peek(sim, "f", &b), BASIN_OK);
        assert_made_of_states(m, b);
    } else if (mode == OS_CRASH_LOSE_ALL && !m->dropped) {
        assert_is(&m->states[0], b);
    } else {
        assert_made_of_states(m, b);
    }
    start_from(m, b);
}

static void
what_is_left_was_there(void **state)
{
    struct chance c = chance_init("what_is_left_was_there", 20);
    size_t machines = test_scale(60);
    struct model m = { .states = calloc(STATES_MAX, sizeof *m.states) };

    (void)state;
    assert_non_null(m.states);
    for (size_t i = 0; i < machines; i++) {
        struct os_sim_options options = { chance_u64(&c), true, 0, &base_malloc };
        struct os_file *f;
        assert_int_equal(os_sim_new(&options, &sim, NULL), BASIN_OK);
        os = os_sim_os(sim);
        assert_int_equal(os_open(os, "f", OS_WRITE | OS_CREATE, &f, NULL), BASIN_OK);
        assert_int_equal(os_sync(f, true, NULL), BASIN_OK);
        assert_int_equal(os_sync_dir(os, "", NULL), BASIN_OK);
        os_close(f);
        start_from(&m, BYTES_NULL);
        for (size_t life = 0; life < 20; life++)
            live_and_crash(&m, &c);
        os_sim_free(sim);
    }
    free(m.states);
}

int
main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(what_is_left_was_there) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
