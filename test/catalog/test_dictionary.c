// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/* E68: dictionaries (EC72), against a model, in two transactions at once, under refused memory. */
#include "world.h"

#include <stdlib.h>

static struct world world;
static struct world *const w = &world;
static struct catalog_dictionary dictionary;
static struct catalog_dictionary *const d = &dictionary;

static const struct catalog_dictionary_place strings = {
    .space = 5, .counter_tag = 0x0C, .id_tag = 0x0D, .bytes_tag = 0x0E, .count_tag = 0x11, .kind = 1
};

static int
setup(void **state)
{
    (void)state;
    world_init(w);
    catalog_dictionary_init(d, &w->memory.table, &strings);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    catalog_dictionary_release(d);
    world_release(w);
    return 0;
}

static uint64_t
intern(struct lsm_txn *txn, struct bytes bytes, uint32_t uses)
{
    uint64_t id = 0;

    expect_ok(w, catalog_dictionary_intern(d, txn, bytes, uses, &id, &w->err));
    return id;
}

static void
expect_uses(struct lsm_txn *txn, uint64_t id, uint64_t want)
{
    uint64_t uses = want + 1;

    expect_ok(w, catalog_dictionary_uses(d, txn, id, &uses, &w->err));
    assert_int_equal(uses, want);
}

static void
ec72_two_uses_two_returns_and_the_entry_is_gone(void **state)
{
    struct lsm_txn *txn = world_begin(w);
    struct bytes got;
    uint64_t id = 9;

    (void)state;
    assert_int_equal(intern(txn, BYTES_LIT("x"), 1), 1);
    assert_int_equal(intern(txn, BYTES_LIT("x"), 1), 1);
    expect_uses(txn, 1, 2);
    world_commit(w, txn);
    txn = world_begin(w);
    expect_uses(txn, 1, 2);
    expect_ok(w, catalog_dictionary_give_back(d, txn, 1, 1, &w->err));
    expect_uses(txn, 1, 1);
    expect_ok(w, catalog_dictionary_find(d, txn, BYTES_LIT("x"), &id, &w->err));
    assert_int_equal(id, 1);
    expect_ok(w, catalog_dictionary_give_back(d, txn, 1, 1, &w->err));
    expect(w, catalog_dictionary_find(d, txn, BYTES_LIT("x"), &id, &w->err), BASIN_NOT_FOUND);
    assert_int_equal(id, 0);
    expect(w, catalog_dictionary_get(d, txn, 1, &got, &w->err), BASIN_NOT_FOUND);
    expect_uses(txn, 1, 0);
    assert_int_equal(world_count(w, txn, strings.space), 1); /* the counter */
    world_commit(w, txn);
    txn = world_begin(w);
    assert_int_equal(world_count(w, txn, strings.space), 1);
    assert_int_equal(intern(txn, BYTES_LIT("x"), 1), 2); /* a new id: ids are not reused */
    world_commit(w, txn);
}

static void
ec72_lookup_creates_nothing(void **state)
{
    struct lsm_txn *txn = world_begin(w);
    struct bytes got;
    uint64_t id = 9;

    (void)state;
    expect(w, catalog_dictionary_find(d, txn, BYTES_LIT("none"), &id, &w->err), BASIN_NOT_FOUND);
    expect(w, catalog_dictionary_get(d, txn, 1, &got, &w->err), BASIN_NOT_FOUND);
    expect_uses(txn, 1, 0);
    assert_int_equal(world_count(w, txn, strings.space), 0);
    lsm_abort(txn);
}

static void
ec72_a_string_of_1_mib(void **state)
{
    struct lsm_txn *txn = world_begin(w);
    uint8_t *text = malloc(MIB + 1);
    struct bytes got;
    uint64_t first, second;

    (void)state;
    assert_non_null(text);
    memset(text, 'a', MIB + 1);
    first = intern(txn, bytes_of(text, MIB), 1);
    second = intern(txn, bytes_of(text, MIB + 1), 1); /* the same first 2048 bytes */
    assert_int_not_equal(first, second);
    assert_int_equal(intern(txn, bytes_of(text, MIB), 1), first);
    assert_int_equal(world_count(w, txn, strings.space), 7);
    world_commit(w, txn);
    world_reopen(w);
    txn = world_begin(w);
    expect_ok(w, catalog_dictionary_get(d, txn, first, &got, &w->err));
    assert_true(bytes_equal(got, bytes_of(text, MIB)));
    expect_uses(txn, first, 2);
    expect_ok(w, catalog_dictionary_give_back(d, txn, first, 2, &w->err));
    expect(w, catalog_dictionary_find(d, txn, bytes_of(text, MIB), &first, &w->err),
           BASIN_NOT_FOUND);
    expect_ok(w, catalog_dictionary_find(d, txn, bytes_of(text, MIB + 1), &first, &w->err));
    assert_int_equal(first, second);
    lsm_abort(txn);
    free(text);
}

static void
records_have_the_bytes_of_the_format(void **state)
{
    struct lsm_txn *txn = world_begin(w);

    (void)state;
    intern(txn, BYTES_LIT("a\0b"), 3);
    world_commit(w, txn);
    world_expect_raw(w, "05 0C", "01 00 00 00 00 00 00 00");
    world_expect_raw(w, "05 0D 61 00 FF 62 00 01", "01 00 00 00 00 00 00 00");
    world_expect_raw(w, "05 0E 00 00 00 00 00 00 00 01", "61 00 62");
    world_expect_raw(w, "05 11 01 00 00 00 00 00 00 00 01", "00 03 00 00 00 00 00 00 00");
}

/* Two dictionaries with one counter (strings and bytes of a dataset) never give one id twice. */
static void
a_counter_may_be_shared(void **state)
{
    struct catalog_dictionary_place place = strings;
    struct catalog_dictionary other;
    struct lsm_txn *txn = world_begin(w);
    uint64_t id = 0;

    (void)state;
    place.id_tag = 0x0F;
    place.bytes_tag = 0x10;
    place.kind = 2;
    catalog_dictionary_init(&other, &w->memory.table, &place);
    assert_int_equal(intern(txn, BYTES_LIT("x"), 1), 1);
    expect_ok(w, catalog_dictionary_intern(&other, txn, BYTES_LIT("x"), 1, &id, &w->err));
    assert_int_equal(id, 2);
    expect_ok(w, catalog_dictionary_give_back(&other, txn, 2, 1, &w->err));
    expect_uses(txn, 1, 1);
    catalog_dictionary_release(&other);
    lsm_abort(txn);
}

static void
more_than_there_is_cannot_be_given_back(void **state)
{
    struct lsm_txn *txn = world_begin(w);
    uint64_t id = intern(txn, BYTES_LIT("x"), 2);

    (void)state;
    expect(w, catalog_dictionary_give_back(d, txn, id, 3, &w->err), BASIN_MISUSE);
    expect(w, catalog_dictionary_give_back(d, txn, id + 1, 1, &w->err), BASIN_MISUSE);
    expect_ok(w, catalog_dictionary_give_back(d, txn, id, 0, &w->err));
    expect_uses(txn, id, 2);
    lsm_abort(txn);
}

/* One takes the last use away while another adds one: whoever is second tries again. */
static void
last_use_against_a_new_one(void **state)
{
    (void)state;
    for (int drop_first = 0; drop_first < 2; drop_first++) {
        struct bytes word = drop_first ? BYTES_LIT("first") : BYTES_LIT("second");
        struct lsm_txn *txn = world_begin(w), *adds, *drops;
        uint64_t id = intern(txn, word, 1), found;
        world_commit(w, txn);
        adds = world_begin(w);
        drops = world_begin(w);
        assert_int_equal(intern(adds, word, 1), id);
        expect_ok(w, catalog_dictionary_give_back(d, drops, id, 1, &w->err));
        world_commit(w, drop_first ? drops : adds);
        expect(w, lsm_commit(drop_first ? adds : drops, true, NULL, &w->err), BASIN_CONFLICT);
        txn = world_begin(w);
        expect(w, catalog_dictionary_find(d, txn, word, &found, &w->err),
               drop_first ? BASIN_NOT_FOUND : BASIN_OK);
        expect_uses(txn, id, drop_first ? 0 : 2);
        lsm_abort(txn);
    }
}

/* Uses of one entry are added by two transactions without a conflict. */
static void
new_uses_of_an_old_entry_do_not_conflict(void **state)
{
    struct lsm_txn *txn = world_begin(w), *one, *two;
    uint64_t id = intern(txn, BYTES_LIT("x"), 1);

    (void)state;
    world_commit(w, txn);
    one = world_begin(w);
    two = world_begin(w);
    intern(one, BYTES_LIT("x"), 1);
    intern(two, BYTES_LIT("x"), 5);
    world_commit(w, one);
    world_commit(w, two);
    txn = world_begin(w);
    expect_uses(txn, id, 7);
    lsm_abort(txn);
}

/* ------------------------------------------------------------------ model */

enum { WORDS = 10 };

struct dictionary_model {
    uint64_t id[WORDS]; /* 0 = not there */
    uint64_t uses[WORDS];
    uint64_t last;
};

/* Short, long and cut ones; some agree in their first 2048 bytes. */
static struct bytes
word(size_t i)
{
    static uint8_t letters[4 * KIB];

    if (letters[0] == 0)
        memset(letters, 'w', sizeof letters);
    return bytes_of(letters, i < 5 ? i : 2040 + 300 * (i - 5));
}

static void
model_check(struct lsm_txn *txn, const struct dictionary_model *m)
{
    size_t keys = m->last ? 1 : 0;

    for (size_t i = 0; i < WORDS; i++) {
        struct bytes got;
        uint64_t id;
        expect(w, catalog_dictionary_find(d, txn, word(i), &id, &w->err),
               m->id[i] ? BASIN_OK : BASIN_NOT_FOUND);
        assert_int_equal(id, m->id[i]);
        if (id == 0)
            continue;
        expect_uses(txn, id, m->uses[i]);
        expect_ok(w, catalog_dictionary_get(d, txn, id, &got, &w->err));
        assert_true(bytes_equal(got, word(i)));
        keys += 3;
    }
    assert_int_equal(world_count(w, txn, strings.space), keys);
}

static void
model_step(struct lsm_txn *txn, struct dictionary_model *m, struct chance *c)
{
    size_t i = chance_below(c, WORDS);
    uint32_t uses = 1 + (uint32_t)chance_below(c, 3);

    if (chance_below(c, 2)) {
        if (m->id[i] == 0)
            m->id[i] = ++m->last;
        m->uses[i] += uses;
        assert_int_equal(intern(txn, word(i), uses), m->id[i]);
    } else if (m->id[i] != 0) {
        expect(w, catalog_dictionary_give_back(d, txn, m->id[i], uses, &w->err),
               uses > m->uses[i] ? BASIN_MISUSE : BASIN_OK);
        if (uses <= m->uses[i])
            m->uses[i] -= uses;
        if (m->uses[i] == 0)
            m->id[i] = 0;
    }
}

static void
random_words_agree_with_a_model(void **state)
{
    struct chance c = chance_init("dictionary", 72);
    struct dictionary_model committed = { 0 };

    (void)state;
    for (size_t i = 0, n = test_scale(150); i < n; i++) {
        struct lsm_txn *txn = world_begin(w);
        struct dictionary_model m = committed;
        for (uint64_t steps = chance_below(&c, 12); steps > 0; steps--)
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

/* ------------------------------------------------------------------ faults */

static basin_status
every_call(struct lsm_txn *txn, struct bytes text)
{
    struct catalog_dictionary own;
    struct bytes got;
    uint64_t id, uses;
    basin_status st;

    catalog_dictionary_init(&own, &w->memory.table, &strings);
    TRY(catalog_dictionary_intern(&own, txn, text, 1, &id, &w->err));
    TRY(catalog_dictionary_intern(&own, txn, text, 1, &id, &w->err));
    TRY(catalog_dictionary_find(&own, txn, text, &id, &w->err));
    TRY(catalog_dictionary_get(&own, txn, id, &got, &w->err));
    TRY(catalog_dictionary_uses(&own, txn, id, &uses, &w->err));
    TRY(catalog_dictionary_give_back(&own, txn, id, 1, &w->err));
    TRY(catalog_dictionary_give_back(&own, txn, id, 1, &w->err));
out:
    catalog_dictionary_release(&own);
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
        error_clear(&w->err);
        test_memory_refuse(&w->memory, n);
        st = every_call(txn, word(9));
        more = test_memory_refused(&w->memory);
        test_memory_refuse(&w->memory, 0);
        if (st != BASIN_OK) {
            assert_true(more && st == BASIN_NO_MEM);
            assert_int_equal(w->err.status, BASIN_NO_MEM);
        }
        lsm_abort(txn);
        assert_true(n < 10000);
    }
}

static void
damaged_records_are_reported(void **state)
{
    struct lsm_txn *txn = world_begin(w);
    struct bytes count = BYTES_LIT("\x05\x11\x01\0\0\0\0\0\0\0\x01"),
                 id_of_x = BYTES_LIT("\x05\x0Dx\0\x01");
    uint64_t id;

    (void)state;
    intern(txn, BYTES_LIT("x"), 1);
    expect_ok(w, lsm_put(txn, count, BYTES_LIT("\1\0\0\0\0\0\0\0\0"), &w->err));
    expect(w, catalog_dictionary_uses(d, txn, 1, &id, &w->err), BASIN_CORRUPT);
    expect_ok(w, lsm_put(txn, count, BYTES_LIT("\0\0"), &w->err));
    expect(w, catalog_dictionary_give_back(d, txn, 1, 1, &w->err), BASIN_CORRUPT);
    expect_ok(w, lsm_put(txn, count, BYTES_LIT("\0\0\0\0\0\0\0\0\x80"), &w->err));
    expect(w, catalog_dictionary_uses(d, txn, 1, &id, &w->err), BASIN_CORRUPT);
    expect_ok(w, lsm_put(txn, id_of_x, BYTES_LIT("1"), &w->err));
    expect(w, catalog_dictionary_find(d, txn, BYTES_LIT("x"), &id, &w->err), BASIN_CORRUPT);
    expect(w, catalog_dictionary_intern(d, txn, BYTES_LIT("x"), 1, &id, &w->err), BASIN_CORRUPT);
    assert_int_equal(id, 0);
    lsm_abort(txn);
    txn = world_begin(w); /* a use without bytes */
    expect_ok(w, lsm_put(txn, count, BYTES_LIT("\0\1\0\0\0\0\0\0\0"), &w->err));
    expect(w, catalog_dictionary_give_back(d, txn, 1, 1, &w->err), BASIN_CORRUPT);
    lsm_abort(txn);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ec72_two_uses_two_returns_and_the_entry_is_gone, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(ec72_lookup_creates_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(ec72_a_string_of_1_mib, setup, teardown),
        cmocka_unit_test_setup_teardown(records_have_the_bytes_of_the_format, setup, teardown),
        cmocka_unit_test_setup_teardown(a_counter_may_be_shared, setup, teardown),
        cmocka_unit_test_setup_teardown(more_than_there_is_cannot_be_given_back, setup, teardown),
        cmocka_unit_test_setup_teardown(last_use_against_a_new_one, setup, teardown),
        cmocka_unit_test_setup_teardown(new_uses_of_an_old_entry_do_not_conflict, setup, teardown),
        cmocka_unit_test_setup_teardown(random_words_agree_with_a_model, setup, teardown),
        cmocka_unit_test_setup_teardown(every_call_survives_each_refused_allocation, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(damaged_records_are_reported, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
