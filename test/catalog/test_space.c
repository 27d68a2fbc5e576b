// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/* E57, E66, E67: names of spaces and ids (EC71, EC73), against a model, under refused memory. */
#include "world.h"

#include <stdio.h>

static struct world world;
static struct world *const w = &world;

static int
setup(void **state)
{
    (void)state;
    world_init(w);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    world_release(w);
    return 0;
}

static struct catalog_name
name1(enum catalog_model model, struct bytes part)
{
    return (struct catalog_name){ model, { part, BYTES_NULL }, 1 };
}

static struct catalog_name
name2(enum catalog_model model, struct bytes first, struct bytes second)
{
    return (struct catalog_name){ model, { first, second }, 2 };
}

static uint64_t
create(struct lsm_txn *txn, struct catalog_name name)
{
    uint64_t space = 0;

    expect_ok(w, catalog_space_create(txn, &name, &space, &w->err));
    return space;
}

static void
ec71_catalog_bytes(void **state)
{
    struct lsm_txn *txn = world_begin(w);

    (void)state;
    assert_int_equal(create(txn, name2(CATALOG_DOCS, BYTES_LIT("db"), BYTES_LIT("c"))), 1);
    world_commit(w, txn);
    world_expect_raw(w, "00 44 64 62 00 01 63 00 01", "01");
    world_expect_raw(w, "00 00 01", "44");
    world_expect_raw(w, "00 00", "02 00 00 00 00 00 00 00");
}

/* Create three, drop the last, create another: its id is new, and nothing is left of the dropped
 * one, neither to a scan nor in the files. */
static void
ec71_dropped_space_is_empty_and_its_id_is_gone(void **state)
{
    struct catalog_name names[3] = { name1(CATALOG_GRAPH, BYTES_LIT("a")),
                                     name1(CATALOG_GRAPH, BYTES_LIT("b")),
                                     name1(CATALOG_GRAPH, BYTES_LIT("c")) };
    struct lsm_txn *txn = world_begin(w);
    struct lsm_stats stats;
    uint64_t entries = 0, space;

    (void)state;
    for (uint64_t i = 0; i < 3; i++) {
        assert_int_equal(create(txn, names[i]), i + 1);
        world_fill(w, txn, i + 1, 100);
    }
    world_commit(w, txn);
    txn = world_begin(w);
    expect_ok(w, catalog_space_drop(txn, &names[2], &w->err));
    assert_int_equal(world_count(w, txn, 3), 0);
    world_commit(w, txn);
    world_reopen(w);
    txn = world_begin(w);
    expect(w, catalog_space_find(txn, &names[2], &space, &w->err), BASIN_NOT_FOUND);
    assert_int_equal(space, 0);
    assert_int_equal(create(txn, names[2]), 4);
    world_commit(w, txn);
    expect_ok(w, lsm_compact(w->db, NULL, &w->err));
    txn = world_begin(w);
    assert_int_equal(world_count(w, txn, 1), 100);
    assert_int_equal(world_count(w, txn, 2), 100);
    assert_int_equal(world_count(w, txn, 3), 0);
    assert_int_equal(world_count(w, txn, 4), 0);
    assert_int_equal(world_count(w, txn, 0), 7); /* the next id, three names, three ids */
    lsm_abort(txn);
    expect_ok(w, lsm_stat(w->db, &stats, &w->err));
    for (size_t i = 0; i < LSM_LEVEL_COUNT; i++)
        entries += stats.levels[i].entries;
    assert_int_equal(entries, 207);
}

static void
ec73_rolled_back_ids_are_not_burnt(void **state)
{
    struct bytes counter = BYTES_LIT("\x05\x01");
    struct lsm_txn *txn = world_begin(w);
    uint64_t first = 0, last = 1;

    (void)state;
    expect_ok(w, catalog_id_last(txn, counter, &last, &w->err));
    assert_int_equal(last, 0);
    expect_ok(w, catalog_id_take(txn, counter, 2, &first, &w->err));
    assert_int_equal(first, 1);
    world_commit(w, txn);
    txn = world_begin(w);
    expect_ok(w, catalog_id_take(txn, counter, 1, &first, &w->err));
    assert_int_equal(first, 3);
    lsm_abort(txn);
    txn = world_begin(w);
    expect_ok(w, catalog_id_take(txn, counter, 1, &first, &w->err));
    assert_int_equal(first, 3);
    world_commit(w, txn);
}

/* The highest id's record is deleted, the database reopened: the id does not come back. */
static void
ec73_highest_id_is_not_reused(void **state)
{
    struct bytes counter = BYTES_LIT("\x05\x01"), record = BYTES_LIT("\x05\x02\x07");
    struct lsm_txn *txn = world_begin(w);
    uint64_t first = 0;

    (void)state;
    expect_ok(w, catalog_id_take(txn, counter, 7, &first, &w->err));
    expect_ok(w, lsm_put(txn, record, BYTES_LIT("seven"), &w->err));
    world_commit(w, txn);
    txn = world_begin(w);
    expect_ok(w, lsm_delete(txn, record, &w->err));
    world_commit(w, txn);
    world_reopen(w);
    txn = world_begin(w);
    expect_ok(w, catalog_id_take(txn, counter, 1, &first, &w->err));
    assert_int_equal(first, 8);
    world_commit(w, txn);
}

static void
given_ids_are_never_taken(void **state)
{
    struct bytes counter = BYTES_LIT("\x05\x01");
    struct lsm_txn *txn = world_begin(w);
    uint64_t first = 0;

    (void)state;
    expect_ok(w, catalog_id_given(txn, counter, 10, &w->err));
    expect_ok(w, catalog_id_given(txn, counter, 4, &w->err));
    expect_ok(w, catalog_id_take(txn, counter, 1, &first, &w->err));
    assert_int_equal(first, 11);
    expect_ok(w, catalog_id_given(txn, counter, UINT64_MAX - 1, &w->err));
    expect(w, catalog_id_take(txn, counter, 2, &first, &w->err), BASIN_LIMIT);
    assert_int_equal(first, 0);
    expect_ok(w, catalog_id_take(txn, counter, 1, &first, &w->err));
    assert_true(first == UINT64_MAX);
    expect(w, catalog_id_take(txn, counter, 1, &first, &w->err), BASIN_LIMIT);
    lsm_abort(txn);
}

static void
names_are_found_created_and_renamed(void **state)
{
    struct catalog_name one = name1(CATALOG_KEYS, BYTES_LIT("a")),
                        nul = name1(CATALOG_KEYS, BYTES_LIT("a\0")),
                        none = name1(CATALOG_KEYS, BYTES_NULL),
                        other_model = name1(CATALOG_LINKS, BYTES_LIT("a"));
    struct lsm_txn *txn = world_begin(w);
    uint64_t space = 9, again = 0;

    (void)state;
    expect(w, catalog_space_find(txn, &one, &space, &w->err), BASIN_NOT_FOUND);
    assert_int_equal(world_count(w, txn, 0), 0); /* C3: looking writes nothing */
    assert_int_equal(create(txn, one), 1);
    assert_int_equal(create(txn, nul), 2);
    assert_int_equal(create(txn, none), 3);
    assert_int_equal(create(txn, other_model), 4);
    expect(w, catalog_space_create(txn, &nul, &again, &w->err), BASIN_EXISTS);
    assert_int_equal(again, 2);
    expect_ok(w, catalog_space_ensure(txn, &none, &again, &w->err));
    assert_int_equal(again, 3);
    world_fill(w, txn, 1, 5);
    expect(w, catalog_space_rename(txn, &one, &nul, &w->err), BASIN_EXISTS);
    expect(w, catalog_space_rename(txn, &one, &one, &w->err), BASIN_EXISTS);
    expect(w, catalog_space_rename(txn, &one, &other_model, &w->err), BASIN_MISUSE);
    expect_ok(w, catalog_space_drop(txn, &nul, &w->err));
    expect(w, catalog_space_drop(txn, &nul, &w->err), BASIN_NOT_FOUND);
    expect_ok(w, catalog_space_rename(txn, &one, &nul, &w->err));
    expect(w, catalog_space_rename(txn, &one, &nul, &w->err), BASIN_NOT_FOUND);
    expect_ok(w, catalog_space_find(txn, &nul, &space, &w->err));
    assert_int_equal(space, 1);
    assert_int_equal(world_count(w, txn, 1), 5);
    expect_ok(w, catalog_space_ensure(txn, &one, &again, &w->err));
    assert_int_equal(again, 5);
    world_commit(w, txn);
}

static void
names_have_limits(void **state)
{
    static const uint8_t longest[CATALOG_NAME_MAX + 1] = { 0 };
    struct catalog_name name = name1(CATALOG_KEYS, bytes_of(longest, CATALOG_NAME_MAX));
    struct lsm_txn *txn = world_begin(w);
    uint64_t space;

    (void)state;
    assert_int_equal(create(txn, name), 1);
    name.parts[0].size++;
    expect(w, catalog_space_create(txn, &name, &space, &w->err), BASIN_LIMIT);
    name = name2(CATALOG_KEYS, bytes_of(longest, CATALOG_NAME_MAX), bytes_of(longest, 1));
    expect(w, catalog_space_find(txn, &name, &space, &w->err), BASIN_LIMIT);
    name.parts[1].size = SIZE_MAX;
    expect(w, catalog_space_find(txn, &name, &space, &w->err), BASIN_LIMIT);
    name.part_count = 0;
    expect(w, catalog_space_find(txn, &name, &space, &w->err), BASIN_MISUSE);
    name.part_count = CATALOG_PARTS_MAX + 1;
    expect(w, catalog_space_find(txn, &name, &space, &w->err), BASIN_MISUSE);
    lsm_abort(txn);
}

/* C4, decision 6: who found a space and writes to it loses against a drop, and the other way. */
static void
drop_conflicts_with_a_writer_that_found_the_space(void **state)
{
    struct catalog_name name = name1(CATALOG_KEYS, BYTES_LIT("a"));
    struct lsm_txn *txn = world_begin(w), *writer;
    uint64_t space = create(txn, name);

    (void)state;
    world_commit(w, txn);
    writer = world_begin(w);
    expect_ok(w, catalog_space_find(writer, &name, &space, &w->err));
    world_fill(w, writer, space, 3);
    txn = world_begin(w);
    expect_ok(w, catalog_space_drop(txn, &name, &w->err));
    world_commit(w, txn);
    expect(w, lsm_commit(writer, true, NULL, &w->err), BASIN_CONFLICT);
    txn = world_begin(w);
    assert_int_equal(world_count(w, txn, space), 0);
    lsm_abort(txn);
}

static void
two_creators_conflict_and_ids_stay_distinct(void **state)
{
    struct catalog_name a = name1(CATALOG_KEYS, BYTES_LIT("a")),
                        b = name1(CATALOG_KEYS, BYTES_LIT("b"));
    struct lsm_txn *first = world_begin(w), *second = world_begin(w);

    (void)state;
    assert_int_equal(create(first, a), 1);
    assert_int_equal(create(second, b), 1);
    world_commit(w, first);
    expect(w, lsm_commit(second, true, NULL, &w->err), BASIN_CONFLICT);
    second = world_begin(w);
    assert_int_equal(create(second, b), 2);
    world_commit(w, second);
}

/* ------------------------------------------------------------------ lists */

struct seen {
    char text[2048];
    size_t used;
    size_t stop_after; /* names, then END; 0 = all */
    basin_status with;
    size_t count;
};

static basin_status
see(void *ctx, const struct catalog_name *name, uint64_t space, basin_error *err)
{
    struct seen *s = ctx;

    (void)err;
    s->used +=
        (size_t)snprintf(s->text + s->used, sizeof s->text - s->used, "%c", (char)name->model);
    for (size_t i = 0; i < name->part_count; i++)
        s->used += (size_t)snprintf(s->text + s->used, sizeof s->text - s->used, "%s%.*s",
                                    i ? "/" : ":", (int)name->parts[i].size,
                                    name->parts[i].size ? (const char *)name->parts[i].data : "");
    s->used += (size_t)snprintf(s->text + s->used, sizeof s->text - s->used, "=%llu ",
                                (unsigned long long)space);
    s->count++;
    return s->stop_after != 0 && s->count == s->stop_after ? s->with : BASIN_OK;
}

static void
expect_list(struct lsm_txn *txn, struct catalog_select select, const char *want)
{
    struct seen s = { .text = "" };

    expect_ok(w, catalog_space_list(txn, &select, see, &s, &w->err));
    assert_string_equal(s.text, want);
}

static struct lsm_txn *
some_names(void)
{
    struct lsm_txn *txn = world_begin(w);

    create(txn, name2(CATALOG_DOCS, BYTES_LIT("db"), BYTES_LIT("y")));
    create(txn, name2(CATALOG_DOCS, BYTES_LIT("db"), BYTES_LIT("x")));
    create(txn, name2(CATALOG_DOCS, BYTES_LIT("dbx"), BYTES_LIT("x")));
    create(txn, name2(CATALOG_DOCS, BYTES_LIT("d"), BYTES_NULL));
    create(txn, name1(CATALOG_GRAPH, BYTES_LIT("a")));
    create(txn, name1(CATALOG_GRAPH, BYTES_LIT("b")));
    create(txn, name1(CATALOG_GRAPH, BYTES_LIT("ba")));
    create(txn, name1(CATALOG_GRAPH, BYTES_LIT("c")));
    create(txn, name1(CATALOG_GRAPH, BYTES_LIT("\xFF")));
    create(txn, name1(CATALOG_KEYS, BYTES_LIT("db")));
    return txn;
}

static void
lists_follow_the_selection(void **state)
{
    struct lsm_txn *txn = some_names();
    struct catalog_select select = { .model = CATALOG_GRAPH };

    (void)state;
    expect_list(txn, (struct catalog_select){ 0 },
                "D:d/=4 D:db/x=2 D:db/y=1 D:dbx/x=3 G:a=5 G:b=6 G:ba=7 G:c=8 G:\xFF=9 K:db=10 ");
    expect_list(txn, select, "G:a=5 G:b=6 G:ba=7 G:c=8 G:\xFF=9 ");
    select.prefix = BYTES_LIT("b");
    expect_list(txn, select, "G:b=6 G:ba=7 ");
    select.prefix = BYTES_LIT("\xFF");
    expect_list(txn, select, "G:\xFF=9 ");
    select.prefix = BYTES_NULL;
    select.has_lower = select.has_upper = true;
    select.lower = BYTES_LIT("b");
    select.upper = BYTES_LIT("c");
    expect_list(txn, select, "G:b=6 G:ba=7 ");
    select.lower = BYTES_LIT("x");
    expect_list(txn, select, "");
    select.has_upper = false;
    expect_list(txn, select, "G:\xFF=9 ");
    select.prefix = BYTES_LIT("b");
    expect_list(txn, select, "");
    select = (struct catalog_select){ .model = CATALOG_DOCS, .exact = true };
    select.lower = BYTES_LIT("db");
    expect_list(txn, select, "D:db/x=2 D:db/y=1 ");
    select.model = 0;
    expect_list(txn, select, "D:db/x=2 D:db/y=1 K:db=10 ");
    select = (struct catalog_select){ .prefix = BYTES_LIT("db") };
    expect_list(txn, select, "D:db/x=2 D:db/y=1 D:dbx/x=3 K:db=10 ");
    select.has_upper = true;
    select.upper = BYTES_LIT("dbx");
    expect_list(txn, select, "D:db/x=2 D:db/y=1 K:db=10 ");
    select.prefix = BYTES_NULL;
    select.has_lower = true;
    select.lower = BYTES_LIT("c");
    expect_list(txn, select, "D:d/=4 D:db/x=2 D:db/y=1 G:c=8 K:db=10 ");
    expect_list(txn, (struct catalog_select){ .model = CATALOG_LINKS }, "");
    lsm_abort(txn);
}

static void
lists_stop_when_they_are_told(void **state)
{
    struct lsm_txn *txn = some_names();
    struct catalog_select all = { 0 };
    struct seen s = { .text = "", .stop_after = 2, .with = BASIN_END };

    (void)state;
    expect_ok(w, catalog_space_list(txn, &all, see, &s, &w->err));
    assert_int_equal(s.count, 2);
    s = (struct seen){ .text = "", .stop_after = 3, .with = BASIN_CANCELLED };
    expect(w, catalog_space_list(txn, &all, see, &s, &w->err), BASIN_CANCELLED);
    assert_int_equal(s.count, 3);
    lsm_abort(txn);
}

/* E57: a logical database, all its spaces of all models, at once; its neighbours stay. */
static void
e57_a_logical_database_is_dropped_at_once(void **state)
{
    struct lsm_txn *txn = some_names();
    struct catalog_select select = { .exact = true, .lower = BYTES_LIT("db") };
    uint64_t dropped = 0;

    (void)state;
    for (uint64_t space = 1; space <= 10; space++)
        world_fill(w, txn, space, space);
    world_commit(w, txn);
    txn = world_begin(w);
    expect_ok(w, catalog_space_drop_all(txn, &select, &dropped, &w->err));
    assert_int_equal(dropped, 3);
    world_commit(w, txn);
    world_reopen(w);
    txn = world_begin(w);
    for (uint64_t space = 1; space <= 10; space++) {
        bool gone = space == 1 || space == 2 || space == 10;
        assert_int_equal(world_count(w, txn, space), gone ? 0 : space);
    }
    expect_list(txn, (struct catalog_select){ .model = CATALOG_DOCS }, "D:d/=4 D:dbx/x=3 ");
    expect_ok(w, catalog_space_drop_all(txn, &select, NULL, &w->err));
    lsm_abort(txn);
}

/* ------------------------------------------------------------------ model */

enum { MODEL_NAMES = 12 };

/* Spaces by name number; 0 = none. The highest id so far tells what a new one must be. */
struct space_model {
    uint64_t space[MODEL_NAMES];
    uint64_t last;
};

static struct catalog_name
model_name(size_t i)
{
    static const uint8_t letters[] = { 'a', 0x00, 0xFF };
    struct bytes first = bytes_of(&letters[i % 3], 1), second = bytes_of(&letters[i / 3 % 2], 1);

    return i < 6 ? name1(CATALOG_LINKS, i < 3 ? first : BYTES_NULL)
                 : name2(CATALOG_DOCS, first, second);
}

static void
model_check(struct lsm_txn *txn, const struct space_model *m)
{
    struct seen s = { .text = "" };
    struct catalog_select all = { 0 };
    size_t count = 0;

    for (size_t i = 0; i < MODEL_NAMES; i++) {
        struct catalog_name name = model_name(i);
        uint64_t space;
        if (i >= 4 && i < 6)
            continue; /* the same empty name as 3 */
        count += m->space[i] != 0;
        expect(w, catalog_space_find(txn, &name, &space, &w->err),
               m->space[i] ? BASIN_OK : BASIN_NOT_FOUND);
        assert_int_equal(space, m->space[i]);
        if (space != 0)
            assert_int_equal(world_count(w, txn, space), 2);
    }
    expect_ok(w, catalog_space_list(txn, &all, see, &s, &w->err));
    assert_int_equal(s.count, count);
}

static void
model_step(struct lsm_txn *txn, struct space_model *m, struct chance *c)
{
    size_t i = chance_below(c, MODEL_NAMES), j = chance_below(c, MODEL_NAMES);
    struct catalog_name from, to;
    uint64_t space;

    i = i == 4 || i == 5 ? 3 : i;
    j = j == 4 || j == 5 ? 3 : j;
    from = model_name(i);
    to = model_name(j);
    switch (chance_below(c, 3)) {
    case 0:
        expect(w, catalog_space_create(txn, &from, &space, &w->err),
               m->space[i] ? BASIN_EXISTS : BASIN_OK);
        if (m->space[i] == 0) {
            m->space[i] = ++m->last;
            world_fill(w, txn, space, 2);
        }
        assert_int_equal(space, m->space[i]);
        break;
    case 1:
        expect(w, catalog_space_drop(txn, &from, &w->err),
               m->space[i] ? BASIN_OK : BASIN_NOT_FOUND);
        m->space[i] = 0;
        break;
    default:
        if (from.model != to.model)
            break;
        expect(w, catalog_space_rename(txn, &from, &to, &w->err),
               !m->space[i]  ? BASIN_NOT_FOUND
               : m->space[j] ? BASIN_EXISTS
                             : BASIN_OK);
        if (m->space[i] && !m->space[j]) {
            m->space[j] = m->space[i];
            m->space[i] = 0;
        }
        break;
    }
}

/* Transactions of a few steps, some rolled back, the database reopened now and then. */
static void
random_names_agree_with_a_model(void **state)
{
    struct chance c = chance_init("spaces", 71);
    struct space_model committed = { 0 };

    (void)state;
    for (size_t i = 0, n = test_scale(150); i < n; i++) {
        struct lsm_txn *txn = world_begin(w);
        struct space_model m = committed;
        for (uint64_t steps = chance_below(&c, 8); steps > 0; steps--)
            model_step(txn, &m, &c);
        model_check(txn, &m);
        if (chance_below(&c, 4) == 0) {
            lsm_abort(txn);
        } else {
            world_commit(w, txn);
            committed = m;
        }
        if (chance_below(&c, 20) == 0)
            world_reopen(w);
    }
}

/* ------------------------------------------------------------------ crashes */

/* What was acknowledged before a crash. */
struct acknowledged {
    uint64_t space[64]; /* by name number; 0 = dropped, or never there */
    uint64_t highest;   /* space id */
    uint64_t last;      /* of the counter */
};

static struct catalog_name
numbered_name(uint8_t *room)
{
    return name1(CATALOG_FOREST, bytes_of(room, 1));
}

/* One transaction: a name is created, or dropped when it is there, and ids are taken. */
static basin_status
crash_step(struct acknowledged *a, struct chance *c)
{
    uint8_t i = (uint8_t)chance_below(c, COUNT_OF(a->space));
    struct catalog_name name = numbered_name(&i);
    struct lsm_txn *txn = NULL;
    struct lsm_begin how = { .mode = LSM_WRITE };
    uint64_t space = 0, first = 0;
    basin_status st;

    TRY(lsm_begin(w->db, &how, &txn, &w->err));
    st = catalog_space_create(txn, &name, &space, &w->err);
    if (st == BASIN_EXISTS) {
        space = 0;
        st = catalog_space_drop(txn, &name, &w->err);
    }
    TRY(st);
    TRY(catalog_id_take(txn, BYTES_LIT("\xF0\x01"), 3, &first, &w->err));
    st = lsm_commit(txn, true, NULL, &w->err);
    txn = NULL;
    TRY(st);
    a->space[i] = space;
    a->highest = MAX_OF(a->highest, space);
    a->last = first + 2;
out:
    lsm_abort(txn);
    return st;
}

/* All that was acknowledged is there; what comes next was never given before. The step that the
 * crash met may have happened or not; a durable commit then settles what was found, for what is
 * replayed after a kill may still be lost with the power. */
static void
check_after_crash(struct acknowledged *a)
{
    struct lsm_txn *txn = world_begin(w);
    uint8_t new_name = 0xFF;
    struct catalog_name name = numbered_name(&new_name);
    uint64_t space, first, changed = 0;

    for (uint8_t i = 0; i < COUNT_OF(a->space); i++) {
        struct catalog_name known = numbered_name(&i);
        basin_status st = catalog_space_find(txn, &known, &space, &w->err);
        assert_true(st == BASIN_OK || st == BASIN_NOT_FOUND);
        if (space != a->space[i]) {
            changed++;
            assert_true(space == 0 || (a->space[i] == 0 && space > a->highest));
        }
        a->space[i] = space;
        a->highest = MAX_OF(a->highest, space);
    }
    assert_true(changed <= 1);
    assert_true(create(txn, name) > a->highest);
    expect_ok(w, catalog_id_take(txn, BYTES_LIT("\xF0\x01"), 1, &first, &w->err));
    assert_int_equal(first, a->last + 1 + 3 * changed);
    a->last = first - 1;
    lsm_abort(txn);
    txn = world_begin(w);
    expect_ok(w, lsm_put(txn, BYTES_LIT("\xF0\x02"), BYTES_LIT("settled"), &w->err));
    world_commit(w, txn);
}

/* E67: ids are never given twice, whatever the crash takes. */
static void
ec73_ids_survive_crashes(void **state)
{
    struct chance c = chance_init("crashes", 73);
    struct acknowledged a = { { 0 }, 0, 0 };

    (void)state;
    for (size_t i = 0, n = test_scale(40); i < n; i++) {
        basin_status st;
        os_sim_crash_at(w->sim, 1 + chance_below(&c, 60));
        do
            st = crash_step(&a, &c);
        while (st == BASIN_OK && !os_sim_crashed(w->sim));
        os_sim_crash(w->sim, (enum os_crash_mode)chance_below(&c, 3));
        lsm_close(w->db, NULL);
        w->db = NULL;
        world_open_db(w);
        check_after_crash(&a);
    }
}

/* ------------------------------------------------------------------ faults */

static basin_status
every_call(struct lsm_txn *txn)
{
    struct catalog_name name = name2(CATALOG_DOCS, BYTES_LIT("db"), BYTES_LIT("new")),
                        other = name2(CATALOG_DOCS, BYTES_LIT("db"), BYTES_LIT("old"));
    struct catalog_select all = { .model = CATALOG_DOCS, .has_lower = true };
    struct seen s = { .text = "" };
    uint64_t space, id;
    basin_status st;

    TRY(catalog_space_ensure(txn, &name, &space, &w->err));
    TRY(catalog_space_find(txn, &name, &space, &w->err));
    TRY(catalog_space_rename(txn, &name, &other, &w->err));
    TRY(catalog_space_list(txn, &all, see, &s, &w->err));
    TRY(catalog_space_drop(txn, &other, &w->err));
    TRY(catalog_space_drop_all(txn, &all, NULL, &w->err));
    TRY(catalog_id_take(txn, BYTES_LIT("\x05\x01"), 1, &id, &w->err));
    TRY(catalog_id_given(txn, BYTES_LIT("\x05\x01"), 100, &w->err));
out:
    return st;
}

static void
every_call_survives_each_refused_allocation(void **state)
{
    bool more = true;

    (void)state;
    for (size_t n = 1; more; n++) {
        struct lsm_txn *txn = world_begin(w);
        basin_status st;
        test_memory_refuse(&w->memory, n);
        error_clear(&w->err);
        st = every_call(txn);
        more = test_memory_refused(&w->memory);
        test_memory_refuse(&w->memory, 0);
        if (st != BASIN_OK) {
            assert_true(more && st == BASIN_NO_MEM);
            assert_int_equal(w->err.status, BASIN_NO_MEM);
            assert_int_not_equal(w->err.what[0], 0);
        }
        lsm_abort(txn);
        assert_true(n < 10000);
    }
}

/* Damaged records are CORRUPT wherever they are met. */
static void
damaged_records_are_reported(void **state)
{
    static const struct {
        const char *key, *value;
    } bad[] = {
        { "00 44 61 00 01 62 00 01", "" },
        { "00 44 61 00 01 62 00 01", "00" },
        { "00 44 61 00 01 62 00 01", "01 01" },
        { "00 44 61 00 01 62 00 01", "F1 00" },
        { "00 44 61 00", "01" },
        { "00 44 61 00 01 62 00 01 63 00 01", "01" },
        { "00 44", "01" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct lsm_txn *txn = world_begin(w);
        struct catalog_name name = name2(CATALOG_DOCS, BYTES_LIT("a"), BYTES_LIT("b"));
        struct catalog_select all = { 0 };
        struct seen s = { .text = "" };
        struct buf key, value;
        uint64_t space;
        buf_init(&key, &base_malloc);
        buf_init(&value, &base_malloc);
        assert_true(hex_read(bad[i].key, strlen(bad[i].key), &key));
        assert_true(hex_read(bad[i].value, strlen(bad[i].value), &value));
        expect_ok(w, lsm_put(txn, buf_bytes(&key), buf_bytes(&value), &w->err));
        expect(w, catalog_space_list(txn, &all, see, &s, &w->err), BASIN_CORRUPT);
        assert_int_equal(s.count, 0);
        expect(w, catalog_space_find(txn, &name, &space, &w->err),
               i < 4 ? BASIN_CORRUPT : BASIN_NOT_FOUND);
        assert_int_equal(space, 0);
        lsm_abort(txn);
        buf_release(&key);
        buf_release(&value);
    }
}

static void
damaged_counters_are_reported(void **state)
{
    struct lsm_txn *txn = world_begin(w);
    struct catalog_name name = name1(CATALOG_KEYS, BYTES_LIT("a"));
    struct bytes counter = BYTES_LIT("\0\0");
    uint64_t n = 1;

    (void)state;
    expect_ok(w, lsm_put(txn, counter, BYTES_LIT("1234567"), &w->err));
    expect(w, catalog_space_create(txn, &name, &n, &w->err), BASIN_CORRUPT);
    assert_int_equal(n, 0);
    expect(w, catalog_id_take(txn, counter, 1, &n, &w->err), BASIN_CORRUPT);
    expect(w, catalog_id_last(txn, counter, &n, &w->err), BASIN_CORRUPT);
    expect(w, catalog_id_given(txn, counter, 1, &w->err), BASIN_CORRUPT);
    expect_ok(w, lsm_put(txn, counter, BYTES_LIT("\0\0\0\0\0\0\0\0"), &w->err));
    expect(w, catalog_space_create(txn, &name, &n, &w->err), BASIN_CORRUPT);
    expect_ok(w, lsm_put(txn, counter, BYTES_LIT("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"), &w->err));
    expect(w, catalog_space_create(txn, &name, &n, &w->err), BASIN_LIMIT);
    lsm_abort(txn);
}

static void
raw_records_are_decoded_without_a_transaction(void **state)
{
    struct catalog_name name;
    struct buf room;
    uint64_t space = 0;

    (void)state;
    buf_init(&room, &base_malloc);
    expect_ok(w, catalog_record_decode(BYTES_LIT("\0D\0\xFF\0\1x\0\1"), BYTES_LIT("\5"), &room,
                                       &name, &space, &w->err));
    assert_true(name.model == CATALOG_DOCS && name.part_count == 2 && space == 5);
    assert_true(bytes_equal(name.parts[0], BYTES_LIT("\0")));
    assert_true(bytes_equal(name.parts[1], BYTES_LIT("x")));
    expect(w,
           catalog_record_decode(BYTES_LIT("\0\0"), BYTES_LIT("x"), &room, &name, &space, &w->err),
           BASIN_NOT_FOUND);
    expect(w,
           catalog_record_decode(BYTES_LIT("\1D"), BYTES_LIT("x"), &room, &name, &space, &w->err),
           BASIN_NOT_FOUND);
    expect(w, catalog_record_decode(BYTES_NULL, BYTES_NULL, &room, &name, &space, &w->err),
           BASIN_NOT_FOUND);
    buf_release(&room);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ec71_catalog_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(ec71_dropped_space_is_empty_and_its_id_is_gone, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(ec73_rolled_back_ids_are_not_burnt, setup, teardown),
        cmocka_unit_test_setup_teardown(ec73_highest_id_is_not_reused, setup, teardown),
        cmocka_unit_test_setup_teardown(given_ids_are_never_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(names_are_found_created_and_renamed, setup, teardown),
        cmocka_unit_test_setup_teardown(names_have_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(drop_conflicts_with_a_writer_that_found_the_space, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(two_creators_conflict_and_ids_stay_distinct, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(lists_follow_the_selection, setup, teardown),
        cmocka_unit_test_setup_teardown(lists_stop_when_they_are_told, setup, teardown),
        cmocka_unit_test_setup_teardown(e57_a_logical_database_is_dropped_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(random_names_agree_with_a_model, setup, teardown),
        cmocka_unit_test_setup_teardown(ec73_ids_survive_crashes, setup, teardown),
        cmocka_unit_test_setup_teardown(every_call_survives_each_refused_allocation, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(damaged_records_are_reported, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_counters_are_reported, setup, teardown),
        cmocka_unit_test_setup_teardown(raw_records_are_decoded_without_a_transaction, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
