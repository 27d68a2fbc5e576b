// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The list of prefixes of a stratum: it never denies a range in which a key lies, it is exact while
 * it is kept, shorter when there are many, and gone when there are too many.
 */
#include "model/chance.h"
#include "stratum/reseal.h"
#include "stratum/shelf.h"

enum { KEYS_MAX = 300, KEY_SIZE_MAX = 6, RANGES = 400 };

struct keys {
    uint8_t bytes[KEYS_MAX][KEY_SIZE_MAX];
    size_t size[KEYS_MAX];
    size_t count;
};

static struct bytes
key_at(const struct keys *k, size_t i)
{
    return bytes_of(k->bytes[i], k->size[i]);
}

/* Short keys of few letters: many are prefixes of others. */
static struct bytes
any_key(struct chance *c, uint8_t to[KEY_SIZE_MAX])
{
    static const uint8_t letters[] = { 0, 1, 99, 100, 199, 200, 255 };
    size_t n = chance_below(c, KEY_SIZE_MAX + 1);

    for (size_t i = 0; i < n; i++)
        to[i] = letters[chance_below(c, COUNT_OF(letters))];
    return bytes_of(to, n);
}

static void
keys_random(struct keys *k, struct chance *c, size_t count)
{
    k->count = 0;
    while (k->count < count) {
        size_t at = 0, i;
        uint8_t key[KEY_SIZE_MAX];
        struct bytes b = any_key(c, key);
        while (at < k->count && bytes_compare(key_at(k, at), b) < 0)
            at++;
        if (at < k->count && bytes_equal(key_at(k, at), b)) {
            count--;
            continue;
        }
        for (i = k->count++; i > at; i--) {
            memcpy(k->bytes[i], k->bytes[i - 1], KEY_SIZE_MAX);
            k->size[i] = k->size[i - 1];
        }
        memcpy(k->bytes[at], key, KEY_SIZE_MAX);
        k->size[at] = b.size;
    }
}

/* Whether a key that begins with p could lie in the range. */
static bool
could_lie(struct bytes p, const struct bytes *lower, const struct bytes *upper, bool excluded)
{
    int c = upper != NULL ? bytes_compare(p, *upper) : -1;
    bool begins = lower != NULL && bytes_shared(p, *lower) == p.size;

    return begins ||
           ((lower == NULL || bytes_compare(p, *lower) >= 0) && (c < 0 || (c == 0 && !excluded)));
}

static bool
any_could_lie(const struct keys *k, const struct bytes *lower, const struct bytes *upper,
              bool excluded)
{
    for (size_t i = 0; i < k->count; i++) {
        struct bytes key = key_at(k, i);
        key.size = first_elements(key, 2);
        if (could_lie(key, lower, upper, excluded))
            return true;
    }
    return false;
}

static void
shelf_fill(struct shelf *s, const struct keys *k)
{
    s->to.page_size = 256;
    s->to.prefix = first_elements;
    shelf_write(s);
    for (size_t i = 0; i < k->count; i++)
        shelf_add(s, key_at(k, i), text("v"), 1, ENTRY_PUT);
    shelf_open(s, true);
}

static void
ec49_prefixes_deny_what_is_not_there_and_nothing_else(void **state)
{
    struct chance c = chance_init("prefixes", 49);
    size_t denied = 0, allowed = 0;

    (void)state;
    for (size_t round = 0; round < test_scale(40); round++) {
        struct shelf s;
        struct keys k;
        keys_random(&k, &c, 1 + chance_below(&c, chance_below(&c, 3) ? 8 : KEYS_MAX));
        shelf_init(&s);
        shelf_fill(&s, &k);
        for (int i = 0; i < RANGES; i++) {
            uint8_t a[KEY_SIZE_MAX], b[KEY_SIZE_MAX];
            struct bytes lower = any_key(&c, a), upper = any_key(&c, b);
            const struct bytes *from = chance_below(&c, 6) ? &lower : NULL;
            const struct bytes *to = chance_below(&c, 6) ? &upper : NULL;
            bool excluded = chance_below(&c, 2), may;
            if (from != NULL && to != NULL && bytes_compare(lower, upper) >= 0)
                continue;
            may = stratum_may_hold(s.stratum, from, to, excluded);
            assert_int_equal(may, any_could_lie(&k, from, to, excluded));
            denied += !may;
            allowed += may;
        }
        must_be_ok(&s, stratum_verify(s.stratum, NULL, NULL, &s.err));
        shelf_release(&s);
    }
    assert_true(denied > 100 && allowed > 100);
}

/* The empty key has the empty prefix, and that one denies nothing. */
static void
the_empty_key_alone(void **state)
{
    struct bytes empty = BYTES_NULL, a = text("a");
    struct shelf s;

    (void)state;
    shelf_init(&s);
    s.to.prefix = first_elements;
    shelf_write(&s);
    shelf_add(&s, empty, text("v"), 1, ENTRY_PUT);
    shelf_open(&s, true);
    assert_true(stratum_may_hold(s.stratum, &empty, &a, true));
    assert_true(stratum_may_hold(s.stratum, NULL, NULL, false));
    must_be_ok(&s, stratum_verify(s.stratum, NULL, NULL, &s.err));
    shelf_release(&s);
}

/* A number of four bytes and a tag of one. */
static size_t
four_bytes(struct bytes key, unsigned elements)
{
    return MIN_OF(key.size, (size_t)(elements > 1 ? 5 : 4));
}

static size_t
against_order(struct bytes key, unsigned elements)
{
    (void)elements;
    return MIN_OF(key.size, (size_t)4 - key.data[3] / 2 % 2);
}

/* `count` even numbers, each with the tags 0 and 1. */
static void
numbers(struct shelf *s, unsigned count, stratum_prefix_fn *fn)
{
    shelf_init(s);
    s->to.prefix = fn;
    shelf_write(s);
    for (unsigned i = 0; i < count; i++)
        for (uint8_t tag = 0; tag < 2; tag++) {
            uint8_t key[6] = { 0, 0, (uint8_t)(i >> 7), (uint8_t)(i << 1), tag, 7 };
            shelf_add(s, bytes_of(key, 6), text("v"), 1, ENTRY_PUT);
        }
    shelf_open(s, true);
    must_be_ok(s, stratum_verify(s->stratum, NULL, NULL, &s->err));
}

static bool
has_number(struct shelf *s, unsigned twice, uint8_t tag)
{
    uint8_t key[5] = { 0, 0, (uint8_t)(twice >> 8), (uint8_t)twice, tag };
    struct bytes k = bytes_of(key, 5);

    return stratum_may_hold(s->stratum, &k, &k, false);
}

static void
ec49_many_prefixes_become_shorter_and_then_none(void **state)
{
    struct shelf s;

    (void)state;
    numbers(&s, STRATUM_PREFIXES_MAX / 2, four_bytes);
    assert_true(has_number(&s, 2, 1));
    assert_false(has_number(&s, 2, 2)); /* another tag */
    assert_false(has_number(&s, 3, 1));
    shelf_release(&s);

    numbers(&s, STRATUM_PREFIXES_MAX, four_bytes);
    assert_true(has_number(&s, 2, 1));
    assert_true(has_number(&s, 2, 2)); /* tags are not told apart any more */
    for (unsigned i = 0; i < STRATUM_PREFIXES_MAX; i++) {
        assert_true(has_number(&s, 2 * i, 0));
        assert_false(has_number(&s, 2 * i + 1, 0));
    }
    shelf_release(&s);

    numbers(&s, STRATUM_PREFIXES_MAX + 1, four_bytes);
    assert_true(has_number(&s, 3, 1));
    assert_int_equal(atomic_load(&s.counters.filter_checks), 0); /* there is no list */
    shelf_release(&s);
}

/* A function that breaks its promise costs the list, not the keys. */
static void
a_prefix_that_is_out_of_order_ends_the_list(void **state)
{
    struct shelf s;

    (void)state;
    numbers(&s, 40, against_order);
    assert_true(has_number(&s, 2, 1));
    assert_true(has_number(&s, 3, 1));
    assert_int_equal(atomic_load(&s.counters.filter_checks), 0); /* there is no list */
    shelf_release(&s);
}

/* ------------------------------------------------------------------ damage */

static const uint64_t ids[4] = { 11, 12, 3, 41 };

/* Opens the stratum anew with one byte of its list changed, all checksums right. */
static basin_status
open_changed(struct shelf *s, size_t back, uint8_t to, struct stratum **out)
{
    s->bytes.data[s->bytes.size - FOOTER_SIZE - BLOCK_SUM_SIZE - back] = to;
    reseal(s->bytes.data, s->bytes.size, ids);
    counted_init(&s->source, buf_bytes(&s->bytes), true);
    return stratum_open(&s->source.base, &s->from, out, &s->err);
}

/* The list of a, b, c: u16 3, ends 1 2 3, then the bytes. */
static void
a_wrong_list_is_found(void **state)
{
    static const struct {
        size_t back; /* from the end of the list */
        uint8_t to;
        basin_status opens, verifies;
    } cases[] = {
        { 2, 'b', BASIN_OK, BASIN_OK },      /* as it was */
        { 2, 'a', BASIN_CORRUPT, BASIN_OK }, /* twice the same */
        { 1, 'a', BASIN_CORRUPT, BASIN_OK }, /* descending */
        { 5, 4, BASIN_CORRUPT, BASIN_OK },   /* ends descend, behind the end */
        { 7, 4, BASIN_CORRUPT, BASIN_OK },   /* the second ends behind the third */
        { 11, 4, BASIN_CORRUPT, BASIN_OK },  /* a fourth one */
        { 11, 0, BASIN_CORRUPT, BASIN_OK },  /* none */
        { 1, 'd', BASIN_OK, BASIN_CORRUPT }, /* c is not in it */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct stratum *changed = NULL;
        struct shelf s;
        shelf_init(&s);
        s.to.prefix = first_elements;
        shelf_write(&s);
        shelf_put(&s, "a", "1");
        shelf_put(&s, "b", "2");
        shelf_put(&s, "c", "3");
        shelf_open(&s, true);
        stratum_cursor_close(s.cursor);
        stratum_close(s.stratum);
        s.cursor = NULL;
        s.stratum = NULL;
        assert_int_equal(open_changed(&s, cases[i].back, cases[i].to, &changed), cases[i].opens);
        if (changed != NULL)
            assert_int_equal(stratum_verify(changed, NULL, NULL, &s.err), cases[i].verifies);
        stratum_close(changed);
        shelf_release(&s);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ec49_prefixes_deny_what_is_not_there_and_nothing_else),
        cmocka_unit_test(ec49_many_prefixes_become_shorter_and_then_none),
        cmocka_unit_test(a_prefix_that_is_out_of_order_ends_the_list),
        cmocka_unit_test(the_empty_key_alone),
        cmocka_unit_test(a_wrong_list_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
