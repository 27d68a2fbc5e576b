// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Many spaces in one database: strata that hold nothing of a cursor's space are not read, and what
 * cursors find is the same with lists of prefixes and without, whatever is deleted over the borders
 * of spaces.
 */
#include "lsm/plain.h"
#include "model/oracle.h"

enum { KEY_SIZE = 4, SPACES = 24, TAGS = 3, NUMBERS = 12 };

/* A key is the space, a tag, and a number of two bytes. */
static size_t
space_and_tag(struct bytes key, unsigned elements)
{
    return MIN_OF(key.size, (size_t)elements);
}

static struct bytes
key_of(uint8_t to[KEY_SIZE], uint64_t space, uint64_t tag, uint64_t number)
{
    to[0] = (uint8_t)space;
    to[1] = (uint8_t)tag;
    to[2] = (uint8_t)(number >> 8);
    to[3] = (uint8_t)number;
    return bytes_of(to, KEY_SIZE);
}

/* The range of all keys that begin with the first n bytes of a key; n > 0, none is 255. */
struct span {
    uint8_t low[KEY_SIZE], high[KEY_SIZE];
    struct lsm_range range;
};

static void
span_of(struct span *s, struct bytes key, size_t n)
{
    memcpy(s->low, key.data, n);
    memcpy(s->high, key.data, n);
    s->high[n - 1]++;
    s->range = (struct lsm_range){ .has_lower = true,
                                   .has_upper = true,
                                   .upper_excluded = true,
                                   .lower = bytes_of(s->low, n),
                                   .upper = bytes_of(s->high, n) };
}

/* ------------------------------------------------------------------ what is read */

enum { RUNS = 8, PAIRS = 20 };

/* Run r holds the spaces r, r + RUNS, ...; and a first and a last one, so that all of them overlap.
 */
static void
fill_run(struct ledger *l, unsigned run)
{
    struct lsm_txn *txn = plain_begin(l, LSM_WRITE);
    uint8_t key[KEY_SIZE], value[100] = { 1 };

    for (unsigned space = 0; space < SPACES; space++) {
        if (space % RUNS != run && space != 0 && space != SPACES - 1)
            continue;
        for (unsigned i = 0; i < PAIRS; i++)
            ledger_ok(l, lsm_put(txn, key_of(key, space, run, i), bytes_of(value, sizeof value),
                                 &l->err));
    }
    (void)plain_commit(l, txn);
    ledger_ok(l, lsm_flush(l->db, &l->err));
}

static uint64_t
pages_read(struct ledger *l)
{
    return atomic_load(&l->db->counters.pages_read);
}

/* Pages that a walk over a space and back reads; *found: keys. */
static uint64_t
walk_space(struct ledger *l, const struct lsm_range *range, size_t *found)
{
    struct lsm_txn *txn = plain_begin(l, LSM_READ);
    uint64_t before = pages_read(l);
    struct lsm_cursor *c;
    size_t n = 0, back = 0;
    basin_status st;

    ledger_ok(l, lsm_cursor_open(txn, range, &c, &l->err));
    for (st = lsm_cursor_first(c, &l->err); st == BASIN_OK; st = lsm_cursor_next(c, &l->err))
        n++;
    ledger_status(l, st, BASIN_END);
    for (st = lsm_cursor_last(c, &l->err); st == BASIN_OK; st = lsm_cursor_prev(c, &l->err))
        back++;
    ledger_status(l, st, BASIN_END);
    assert_int_equal(n, back);
    *found = n;
    lsm_cursor_close(c);
    lsm_abort(txn);
    return pages_read(l) - before;
}

/* Opens the database anew, with nothing in its cache. */
static void
reopen(struct ledger *l)
{
    ledger_ok(l, lsm_close(l->db, &l->err));
    ledger_ok(l, lsm_open(l->path, &l->o, &l->db, &l->err));
}

/* A database of RUNS runs. */
static void
open_filled(struct ledger *l, int filter_bits)
{
    ledger_init(l, 1);
    l->o.prefix = space_and_tag;
    l->o.filter_bits = filter_bits;
    l->o.level0_runs = 100;
    l->o.memtable_size = MIB;
    l->o.no_map = true;
    ledger_ok(l, lsm_open(l->path, &l->o, &l->db, &l->err));
    for (unsigned run = 0; run < RUNS; run++)
        fill_run(l, run);
    reopen(l);
}

static void
ec49_strata_without_the_space_are_not_read(void **state)
{
    struct ledger with, without;
    struct span s;
    uint8_t key[KEY_SIZE];
    size_t found, found_without;
    uint64_t all = 0, all_without = 0;

    (void)state;
    open_filled(&with, 10);
    open_filled(&without, -1);
    for (unsigned space = 1; space < SPACES - 1; space++) {
        reopen(&with);
        reopen(&without);
        span_of(&s, key_of(key, space, (space + 1) % RUNS, 0), 2); /* a tag that it has not */
        assert_int_equal(walk_space(&with, &s.range, &found), 0);
        assert_int_equal(found, 0);
        span_of(&s, key_of(key, space, 0, 0), 1);
        all += walk_space(&with, &s.range, &found);
        all_without += walk_space(&without, &s.range, &found_without);
        assert_int_equal(found, PAIRS);
        assert_int_equal(found_without, PAIRS);
    }
    /* A space that nobody has: not one page. */
    span_of(&s, key_of(key, SPACES + 7, 0, 0), 1);
    assert_int_equal(walk_space(&with, &s.range, &found), 0);
    assert_true(atomic_load(&with.db->counters.filter_rejects) > 0);
    assert_int_equal(atomic_load(&without.db->counters.filter_checks), 0);
    print_message("%u walks: %u pages with lists of prefixes, %u without\n", SPACES - 2,
                  (unsigned)all, (unsigned)all_without);
    assert_true(all * 2 < all_without);
    for (int i = 0; i < 2; i++) {
        struct ledger *l = i ? &without : &with;
        ledger_ok(l, lsm_close(l->db, &l->err));
        ledger_release(l);
    }
}

/* A stratum of nothing but a range delete of another space's part is asked about it. */
static void
ec49_prefixes_hide_no_range_delete(void **state)
{
    struct ledger l;
    struct lsm_txn *txn;
    struct span s;
    uint8_t key[KEY_SIZE], low[KEY_SIZE], high[KEY_SIZE];
    size_t found;

    (void)state;
    open_filled(&l, 10);
    txn = plain_begin(&l, LSM_WRITE);
    /* puts of space 1 alone, and a delete from the middle of space 2 into space 4 */
    ledger_ok(&l, lsm_put(txn, key_of(key, 1, 1, 1), text("new"), &l.err));
    ledger_ok(&l, lsm_delete_range(txn, key_of(low, 2, 2, PAIRS / 2), key_of(high, 4, 4, PAIRS / 4),
                                   false, &l.err));
    (void)plain_commit(&l, txn);
    ledger_ok(&l, lsm_flush(l.db, &l.err));
    span_of(&s, key_of(key, 2, 0, 0), 1);
    (void)walk_space(&l, &s.range, &found);
    assert_int_equal(found, PAIRS / 2);
    span_of(&s, key_of(key, 3, 0, 0), 1);
    (void)walk_space(&l, &s.range, &found);
    assert_int_equal(found, 0);
    span_of(&s, key_of(key, 4, 0, 0), 1);
    (void)walk_space(&l, &s.range, &found);
    assert_int_equal(found, PAIRS - PAIRS / 4);
    span_of(&s, key_of(key, 1, 1, 0), 2);
    (void)walk_space(&l, &s.range, &found);
    assert_int_equal(found, PAIRS);
    ledger_ok(&l, lsm_close(l.db, &l.err));
    ledger_release(&l);
}

/* ------------------------------------------------------------------ at random */

/* One history in two databases, one of which keeps no lists. */
struct pair {
    struct ledger l[2];
    struct oracle *oracle;
    struct chance c;
};

static struct bytes
some_key(struct pair *p, uint8_t to[KEY_SIZE])
{
    return key_of(to, chance_below(&p->c, SPACES), chance_below(&p->c, TAGS),
                  chance_below(&p->c, NUMBERS));
}

/* A few changes in one commit: of few spaces, so that runs hold different ones. */
static void
change(struct pair *p, uint64_t *seqno)
{
    uint64_t place = chance_below(&p->c, SPACES), seqnos[2] = { 0 };
    size_t count = 1 + chance_below(&p->c, 30);
    struct lsm_txn *txn[2] = { plain_begin(&p->l[0], LSM_WRITE), plain_begin(&p->l[1], LSM_WRITE) };

    for (size_t i = 0; i < count; i++) {
        uint8_t a[KEY_SIZE], b[KEY_SIZE], value[40];
        struct bytes key = key_of(a, (place + chance_below(&p->c, 2)) % SPACES,
                                  chance_below(&p->c, TAGS), chance_below(&p->c, NUMBERS));
        struct bytes end = some_key(p, b), v = bytes_of(value, chance_below(&p->c, 40));
        uint64_t dice = chance_below(&p->c, 100);
        struct span s;
        chance_bytes(&p->c, value, sizeof value);
        span_of(&s, key, 1 + chance_below(&p->c, 2));
        for (int j = 0; j < 2; j++) {
            struct ledger *l = &p->l[j];
            if (dice < 75)
                ledger_ok(l, lsm_put(txn[j], key, v, &l->err));
            else if (dice < 90)
                ledger_ok(l, lsm_delete(txn[j], key, &l->err));
            else if (dice < 96) /* a space, or a tag of it */
                ledger_ok(l,
                          lsm_delete_range(txn[j], s.range.lower, s.range.upper, false, &l->err));
            else if (bytes_compare(key, end) < 0) /* over spaces */
                ledger_ok(l, lsm_delete_range(txn[j], key, end, false, &l->err));
        }
        ++*seqno;
        if (dice < 75)
            oracle_put(p->oracle, key, v, *seqno);
        else if (dice < 90)
            oracle_delete(p->oracle, key, *seqno);
        else if (dice < 96)
            oracle_delete_range(p->oracle, s.range.lower, s.range.upper, false, *seqno);
        else if (bytes_compare(key, end) < 0)
            oracle_delete_range(p->oracle, key, end, false, *seqno);
    }
    for (int j = 0; j < 2; j++)
        ledger_ok(&p->l[j], lsm_commit(txn[j], false, &seqnos[j], &p->l[j].err));
    assert_int_equal(seqnos[0], seqnos[1]);
}

/* Expects what the oracle says: key NULL = END. */
static void
expect_place(struct pair *p, struct lsm_cursor *const c[2], const basin_status st[2],
             const struct bytes *key, uint64_t seqno)
{
    struct bytes got, value;

    for (int j = 0; j < 2; j++) {
        ledger_status(&p->l[j], st[j], key != NULL ? BASIN_OK : BASIN_END);
        assert_int_equal(lsm_cursor_valid(c[j]), key != NULL);
        if (key == NULL)
            continue;
        assert_true(bytes_equal(lsm_cursor_key(c[j]), *key));
        ledger_ok(&p->l[j], lsm_cursor_value(c[j], &got, &p->l[j].err));
        assert_int_equal(oracle_get(p->oracle, *key, seqno, &value), ORACLE_VALUE);
        assert_true(bytes_equal(got, value));
    }
}

/* What the oracle has next to `from` in the range. */
static bool
want(struct pair *p, const struct lsm_range *r, const struct bytes *from, bool inclusive,
     bool forward, uint64_t seqno, struct bytes *key)
{
    return oracle_step(p->oracle, from, inclusive, forward, seqno, key) &&
           bytes_compare(*key, r->lower) >= 0 && bytes_compare(*key, r->upper) < 0;
}

/* Walks a range there and back. */
static void
walk_both(struct pair *p, const struct lsm_range *range, uint64_t seqno)
{
    struct lsm_txn *txn[2];
    struct lsm_cursor *c[2];
    uint8_t at[KEY_SIZE];
    struct bytes key, here = bytes_of(at, 0);
    bool valid = false;

    for (int j = 0; j < 2; j++) {
        txn[j] = plain_begin(&p->l[j], LSM_READ);
        ledger_ok(&p->l[j], lsm_cursor_open(txn[j], range, &c[j], &p->l[j].err));
    }
    for (int step = 0; step < 25; step++) {
        uint64_t dice = chance_below(&p->c, valid ? 12 : 4);
        uint8_t target[KEY_SIZE];
        struct bytes to = some_key(p, target);
        basin_status st[2];
        to.data = memcpy(target, range->lower.data, chance_below(&p->c, range->lower.size + 1));
        for (int j = 0; j < 2; j++) {
            basin_error *err = &p->l[j].err;
            st[j] = dice == 0   ? lsm_cursor_first(c[j], err)
                    : dice == 1 ? lsm_cursor_last(c[j], err)
                    : dice == 2 ? lsm_cursor_seek(c[j], to, LSM_SEEK_GE, err)
                    : dice == 3 ? lsm_cursor_seek(c[j], to, LSM_SEEK_LE, err)
                    : dice < 8  ? lsm_cursor_next(c[j], err)
                                : lsm_cursor_prev(c[j], err);
        }
        if (dice == 0 || (dice == 2 && bytes_compare(to, range->lower) < 0))
            valid = want(p, range, &range->lower, true, true, seqno, &key);
        else if (dice == 1 || (dice == 3 && bytes_compare(to, range->upper) >= 0))
            valid = want(p, range, &range->upper, false, false, seqno, &key);
        else if (dice == 2 || dice == 3)
            valid = want(p, range, &to, true, dice == 2, seqno, &key);
        else
            valid = want(p, range, &here, false, dice < 8, seqno, &key);
        expect_place(p, c, st, valid ? &key : NULL, seqno);
        if (valid)
            here = bytes_of(memcpy(at, key.data, key.size), key.size);
    }
    for (int j = 0; j < 2; j++) {
        lsm_cursor_close(c[j]);
        lsm_abort(txn[j]);
    }
}

static void
pair_init(struct pair *p, uint64_t seed)
{
    p->c = chance_of(seed);
    p->oracle = oracle_new();
    for (int j = 0; j < 2; j++) {
        struct ledger *l = &p->l[j];
        ledger_init(l, seed);
        l->o.prefix = space_and_tag;
        l->o.filter_bits = j ? -1 : 10;
        l->o.page_size = 256;
        l->o.stratum_size = (2 * KIB) << chance_below(&p->c, 3);
        l->o.level0_runs = 3 + (uint32_t)chance_below(&p->c, 4);
        ledger_ok(l, lsm_open(l->path, &l->o, &l->db, &l->err));
    }
}

static void
one_history(uint64_t seed, uint64_t *rejects)
{
    struct pair p;
    uint64_t seqno = 0;

    pair_init(&p, seed);
    for (int round = 0; round < 60; round++) {
        change(&p, &seqno);
        for (int j = 0; j < 2 && round % 2; j++) {
            bool more = true;
            ledger_ok(&p.l[j], lsm_flush(p.l[j].db, &p.l[j].err));
            if (round % 10 == 9)
                ledger_ok(&p.l[j], lsm_pump(p.l[j].db, &more, &p.l[j].err));
        }
        for (int i = 0; i < 3; i++) {
            uint8_t key[KEY_SIZE], end[KEY_SIZE];
            struct bytes from = some_key(&p, key), to = some_key(&p, end);
            struct span s;
            span_of(&s, from, 1 + (size_t)i / 2);
            if (i == 1 && bytes_compare(from, to) < 0)
                s.range.lower = from, s.range.upper = to;
            walk_both(&p, &s.range, seqno);
        }
    }
    *rejects += atomic_load(&p.l[0].db->counters.filter_rejects);
    assert_int_equal(atomic_load(&p.l[1].db->counters.filter_rejects), 0);
    for (int j = 0; j < 2; j++) {
        ledger_ok(&p.l[j], lsm_close(p.l[j].db, &p.l[j].err));
        ledger_ok(&p.l[j], lsm_check(p.l[j].path, &p.l[j].o,
                                     &(struct lsm_check_options){ .deep = true }, &p.l[j].err));
        ledger_release(&p.l[j]);
    }
    oracle_free(p.oracle);
}

static void
ec49_filters_change_no_answer(void **state)
{
    struct chance c = chance_init("spaces", 490);
    uint64_t rejects = 0;

    (void)state;
    for (size_t i = 0; i < test_scale(6); i++)
        one_history(chance_u64(&c), &rejects);
    assert_true(rejects > 1000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ec49_strata_without_the_space_are_not_read),
        cmocka_unit_test(ec49_prefixes_hide_no_range_delete),
        cmocka_unit_test(ec49_filters_change_no_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
