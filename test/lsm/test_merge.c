// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * What merging must keep and may drop: contents step by step, tombstones, range tombstones,
 * operands, snapshots and pins. Cases: EC21, EC34 to EC39, EC46, EC47, EC64, EC66, EC67; decisions
 * 17 and 18.
 */
#include "lsm/plain.h"

#include <dirent.h>
#include <pthread.h>

static struct ledger l;

static int
setup(void **state)
{
    (void)state;
    ledger_init(&l, 1);
    l.o.level0_runs = 1000; /* merges come when they are asked for */
    ledger_open(&l);
    return 0;
}

static int
setup_threads(void **state)
{
    (void)state;
    ledger_init(&l, 1);
    l.o.no_threads = false;
    ledger_open(&l);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    ledger_close(&l);
    ledger_release(&l);
    return 0;
}

static void
reopen(void)
{
    ledger_close(&l);
    ledger_open(&l);
}

static size_t
count_strata_files(void)
{
    char path[SCRATCH_PATH_MAX + 16];
    size_t n = 0;
    struct dirent *e;
    DIR *dir;

    (void)snprintf(path, sizeof path, "%s/strata", l.path);
    dir = opendir(path);
    if (dir == NULL)
        return 0;
    while ((e = readdir(dir)) != NULL)
        n += e->d_name[0] != '.';
    (void)closedir(dir);
    return n;
}

/* Merges the runs of level 0, as a trigger of `runs` does. */
static bool
merge_at(uint32_t runs)
{
    bool did;

    l.db->o.level0_runs = runs;
    ledger_ok(&l, lsm__merge_step(l.db, &did, &l.err));
    lsm__remove_dead(l.db);
    l.db->o.level0_runs = 1000;
    return did;
}

/* ------------------------------------------------------------------ contents */

static void
ec21_thousands_of_segments_of_one_and_of_ten(void **state)
{
    unsigned count = (unsigned)test_scale(100), expected = 0;
    struct lsm_txn *txn;
    char key[16];

    (void)state;
    for (unsigned i = 0; i < count; i++) {
        unsigned pairs = i % 2 ? 10 : 1;
        txn = plain_begin(&l, LSM_WRITE);
        for (unsigned n = 0; n < pairs; n++, expected++) {
            (void)snprintf(key, sizeof key, "%08x", expected * 2654435761u);
            ledger_ok(&l, lsm_put(txn, text(key), text("v"), &l.err));
        }
        (void)plain_commit(&l, txn);
        plain_flush(&l);
    }
    txn = plain_begin(&l, LSM_READ);
    assert_int_equal(plain_count(&l, txn, NULL, NULL), expected); /* a cursor checks the order */
    for (unsigned i = 0; i < expected; i++) {
        (void)snprintf(key, sizeof key, "%08x", i * 2654435761u);
        plain_expect(&l, txn, key, "v");
    }
    lsm_abort(txn);
}

/* Keys from to step below end, each a segment of its own. */
static void
put_segment(unsigned from, unsigned end, unsigned step)
{
    struct lsm_txn *txn = plain_begin(&l, LSM_WRITE);
    char key[16];

    for (unsigned i = from; i < end; i += step) {
        (void)snprintf(key, sizeof key, "%04u", i);
        ledger_ok(&l, lsm_put(txn, text(key), text(key), &l.err));
    }
    (void)plain_commit(&l, txn);
    plain_flush(&l);
}

static void
expect_contiguous(unsigned count)
{
    struct lsm_txn *txn = plain_begin(&l, LSM_READ);
    struct lsm_cursor *c;
    char key[16];
    basin_status st;
    unsigned n = 0;

    ledger_ok(&l, lsm_cursor_open(txn, &(struct lsm_range){ 0 }, &c, &l.err));
    for (st = lsm_cursor_first(c, &l.err); st == BASIN_OK; st = lsm_cursor_next(c, &l.err), n++) {
        (void)snprintf(key, sizeof key, "%04u", n);
        assert_int_equal(lsm_cursor_compare(c, text(key)), 0);
    }
    ledger_status(&l, st, BASIN_END);
    assert_int_equal(n, count);
    lsm_cursor_close(c);
    lsm_abort(txn);
}

static void
ec34_ten_segments_become_one(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 10; i++)
        put_segment(i, 500, 10);
    assert_int_equal(l.db->current->run_count, 10);
    plain_compact(&l);
    assert_int_equal(l.db->current->run_count, 1);
    assert_int_equal(l.db->current->stratum_count, 1);
    expect_contiguous(500);
}

static void
ec35_merged_two_by_two_and_then_all(void **state)
{
    struct lsm_txn *txn;

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        put_segment(i, 400, 4);
        if (i % 2) {
            assert_true(merge_at(2));
            assert_int_equal(count_strata_files(), l.db->manifest.stratum_count);
            txn = plain_begin(&l, LSM_READ);
            assert_int_equal(plain_count(&l, txn, NULL, NULL), (i + 1) * 100);
            lsm_abort(txn);
        }
        if (i == 0 || i == 2)
            assert_false(merge_at(3));
    }
    plain_compact(&l);
    expect_contiguous(400);
    assert_int_equal(count_strata_files(), l.db->manifest.stratum_count);
    assert_int_equal(plain_stat(&l).retired_bytes, 0);
}

static void
ec36_fewer_than_the_least_is_nothing_to_do(void **state)
{
    bool more = true;

    (void)state;
    l.db->o.level0_runs = 4;
    for (unsigned i = 0; i < 3; i++) {
        put_segment(i, 30, 3);
        while (more)
            ledger_ok(&l, lsm_pump(l.db, &more, &l.err));
        assert_int_equal(l.db->level0_runs, i + 1);
        more = true;
    }
    put_segment(30, 60, 1);
    while (more)
        ledger_ok(&l, lsm_pump(l.db, &more, &l.err));
    assert_int_equal(l.db->level0_runs, 0); /* the fourth starts a merge, one level deeper */
    assert_int_equal(l.db->current->runs[0].level, 1);
    expect_contiguous(60);
}

static void
ec37_a_cursor_keeps_its_view_and_its_files(void **state)
{
    struct lsm_txn *txn[2];
    struct lsm_cursor *c[2];
    size_t files, n[2] = { 1, 1 };

    (void)state;
    for (unsigned i = 0; i < 4; i++)
        put_segment(i, 400, 4);
    for (int i = 0; i < 2; i++) {
        txn[i] = plain_begin(&l, LSM_READ);
        ledger_ok(&l, lsm_cursor_open(txn[i], &(struct lsm_range){ 0 }, &c[i], &l.err));
        ledger_ok(&l, lsm_cursor_first(c[i], &l.err));
    }
    files = count_strata_files();
    (void)plain_put(&l, "0000", NULL);
    plain_compact(&l);
    assert_true(count_strata_files() > files); /* old ones and new ones */
    for (int i = 0; i < 2; i++) {
        while (lsm_cursor_next(c[i], &l.err) == BASIN_OK)
            n[i]++;
        assert_int_equal(n[i], 400);
        lsm_cursor_close(c[i]);
        lsm_abort(txn[i]);
        lsm__remove_dead(l.db);
        if (i == 0)
            assert_true(count_strata_files() > files); /* the other one still needs them */
    }
    assert_int_equal(count_strata_files(), l.db->manifest.stratum_count);
}

/* ------------------------------------------------------------------ many writers */

enum { WRITERS = 10 };

struct writer {
    unsigned number, keys;
    basin_status status;
};

static void *
write_keys(void *ctx)
{
    struct writer *w = ctx;
    basin_error err;
    char key[32];

    for (unsigned i = 0; i < w->keys && w->status == BASIN_OK;) {
        struct lsm_txn *txn;
        w->status = lsm_begin(l.db, &(struct lsm_begin){ .mode = LSM_WRITE }, &txn, &err);
        for (unsigned n = 0; n < 20 && i < w->keys && w->status == BASIN_OK; n++, i++) {
            (void)snprintf(key, sizeof key, "%05u-%u", i, w->number);
            w->status = lsm_put(txn, text(key), text(key), &err);
        }
        if (w->status == BASIN_OK)
            w->status = lsm_commit(txn, false, NULL, &err);
    }
    return NULL;
}

static void
ec38_ten_writers_lose_nothing(void **state)
{
    struct writer w[WRITERS];
    pthread_t threads[WRITERS];
    unsigned keys = (unsigned)test_scale(500);
    struct lsm_txn *txn;

    (void)state;
    for (unsigned i = 0; i < WRITERS; i++) {
        w[i] = (struct writer){ i, keys, BASIN_OK };
        assert_int_equal(pthread_create(&threads[i], NULL, write_keys, &w[i]), 0);
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(w[i].status, BASIN_OK);
    }
    for (int again = 0; again < 2; again++) {
        txn = plain_begin(&l, LSM_READ);
        assert_int_equal(plain_count(&l, txn, NULL, NULL), WRITERS * keys);
        lsm_abort(txn);
        plain_compact(&l);
        reopen();
    }
}

static _Atomic bool transfers_end;

/* Optimistic with retries, or locked. */
static void *
transfer_money(void *ctx)
{
    struct writer *w = ctx;
    struct chance c = chance_of(w->number + 46);
    basin_error err;
    uint8_t n[8];
    char key[2][8];

    for (unsigned done = 0; done < w->keys && w->status == BASIN_OK;) {
        size_t from = (size_t)chance_below(&c, 20), to = (from + 1) % 20;
        struct bytes k[2] = { ledger_key(key[0], from), ledger_key(key[1], to) }, v[2];
        struct lsm_txn *txn;
        w->status = lsm_begin(l.db,
                              &(struct lsm_begin){ .mode = done % 2 ? LSM_LOCKED : LSM_WRITE,
                                                   .timeout_ms = UINT32_MAX },
                              &txn, &err);
        for (int i = 0; i < 2 && w->status == BASIN_OK; i++)
            w->status = lsm_get(txn, k[i], &v[i], &err);
        for (int i = 0; i < 2 && w->status == BASIN_OK; i++) {
            store_u64(n, load_u64(v[i].data) + (i ? 1u : UINT64_MAX));
            w->status = lsm_put(txn, k[i], bytes_of(n, 8), &err);
        }
        if (w->status == BASIN_OK)
            w->status = lsm_commit(txn, done % 5 == 0, NULL, &err);
        done += w->status == BASIN_OK;
        if (w->status == BASIN_CONFLICT)
            w->status = BASIN_OK;
    }
    return NULL;
}

static void *
check_sums(void *ctx)
{
    struct writer *w = ctx;
    basin_error err;

    while (!atomic_load(&transfers_end) && w->status == BASIN_OK) {
        struct lsm_txn *txn;
        struct lsm_cursor *c = NULL;
        struct bytes v;
        uint64_t sum = 0;
        w->status = lsm_begin(l.db, &(struct lsm_begin){ .mode = LSM_READ }, &txn, &err);
        if (w->status == BASIN_OK)
            w->status = lsm_cursor_open(txn, &(struct lsm_range){ 0 }, &c, &err);
        for (w->status = lsm_cursor_first(c, &err); w->status == BASIN_OK;
             w->status = lsm_cursor_next(c, &err)) {
            w->status = lsm_cursor_value(c, &v, &err);
            sum += w->status == BASIN_OK ? load_u64(v.data) : 1;
        }
        w->status = w->status == BASIN_END && sum == 20 * 1000 ? BASIN_OK : BASIN_CORRUPT;
        w->keys++;
        lsm_cursor_close(c);
        lsm_abort(txn);
    }
    return NULL;
}

/* 2 writers, 2 readers, flushes and merges in the background. */
static void
ec46_every_snapshot_has_the_sum(void **state)
{
    struct writer w[4] = { { .number = 0, .keys = (unsigned)test_scale(1000) },
                           { .number = 1, .keys = (unsigned)test_scale(1000) } };
    pthread_t threads[4];
    struct lsm_txn *txn = plain_begin(&l, LSM_WRITE);
    uint8_t n[8];
    char key[8];

    (void)state;
    store_u64(n, 1000);
    for (size_t i = 0; i < 20; i++)
        ledger_ok(&l, lsm_put(txn, ledger_key(key, i), bytes_of(n, 8), &l.err));
    (void)plain_commit(&l, txn);
    atomic_store(&transfers_end, false);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, i < 2 ? transfer_money : check_sums,
                                        &w[i]),
                         0);
    for (int i = 0; i < 20; i++)
        plain_flush(&l); /* small memtables would take long to fill */
    for (int i = 0; i < 4; i++) {
        if (i == 2)
            atomic_store(&transfers_end, true);
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(w[i].status, BASIN_OK);
        assert_true(w[i].keys > 0);
    }
    assert_true(plain_stat(&l).flushes > 0);
}

/* ------------------------------------------------------------------ tombstones */

static void
ec39_a_tombstone_lives_as_long_as_what_it_hides(void **state)
{
    (void)state;
    (void)plain_put(&l, "k", "old");
    (void)plain_put(&l, "z", "stays");
    plain_compact(&l);
    assert_true(merge_at(1) == false);
    l.db->manifest.strata[0]->level = 3; /* deeper, as a larger database has it */
    l.db->manifest.strata[0]->run = 3;
    (void)plain_put(&l, "k", NULL);
    plain_flush(&l);
    assert_true(merge_at(1)); /* level 0 to 1 */
    assert_int_equal(plain_stat(&l).levels[1].deletes, 1);
    plain_now(&l, "k", NULL);
    plain_compact(&l); /* down to where k is */
    assert_int_equal(plain_stat(&l).levels[1].entries, 0);
    for (size_t i = 0; i < LSM_LEVEL_COUNT; i++)
        assert_int_equal(plain_stat(&l).levels[i].deletes, 0);
    assert_int_equal(plain_stat(&l).levels[3].entries, 1);
    plain_now(&l, "k", NULL);
    plain_now(&l, "z", "stays");
}

static uint64_t
delete_range(const char *from, const char *to)
{
    struct lsm_txn *txn = plain_begin(&l, LSM_WRITE);

    ledger_ok(&l,
              lsm_delete_range(txn, text(from), to ? text(to) : BYTES_NULL, to == NULL, &l.err));
    return plain_commit(&l, txn);
}

static size_t
range_tombstones(void)
{
    size_t n = 0;

    for (size_t i = 0; i < l.db->manifest.stratum_count; i++)
        n += l.db->manifest.strata[i]->range_tombstones;
    return n;
}

static void
ec47_a_range_delete_from_first_to_last(void **state)
{
    struct lsm_txn *before, *now;

    (void)state;
    for (const char *k = "abcd"; *k; k++)
        (void)plain_put(&l, (const char[]){ *k, 0 }, "1");
    plain_flush(&l);
    before = plain_begin(&l, LSM_READ);
    (void)delete_range("b", "d");
    now = plain_begin(&l, LSM_READ);
    assert_int_equal(plain_count(&l, now, NULL, NULL), 2);
    plain_expect(&l, now, "a", "1");
    plain_expect(&l, now, "d", "1");
    lsm_abort(now);
    (void)delete_range("c", "c"); /* empty: no record */
    (void)delete_range("a1", "c1");
    (void)delete_range("b1", "cz"); /* they overlap */
    (void)plain_put(&l, "c", "2");
    for (int depth = 0; depth < 3; depth++) {
        plain_now(&l, "b", NULL);
        plain_now(&l, "c", "2");
        assert_int_equal(plain_count(&l, before, NULL, NULL), 4);
        if (depth == 0)
            plain_flush(&l);
        else
            plain_compact(&l);
    }
    assert_true(range_tombstones() > 0); /* a snapshot still needs them */
    lsm_abort(before);
    plain_compact(&l);
    assert_int_equal(range_tombstones(), 0);
    assert_int_equal(plain_stat(&l).levels[l.db->current->runs[0].level].entries, 3);
    now = plain_begin(&l, LSM_READ);
    assert_int_equal(plain_count(&l, now, NULL, NULL), 3);
    lsm_abort(now);
}

/* However much lies under it: nothing is read, a few bytes are written. */
static void
ec47_a_prefix_delete_costs_one_record(void **state)
{
    struct lsm_stats before, after;

    (void)state;
    plain_fill(&l, 0, (unsigned)test_scale(10000), 1000, 20);
    plain_compact(&l);
    before = plain_stat(&l);
    (void)delete_range("k", "l");
    after = plain_stat(&l);
    assert_int_equal(after.pages_read, before.pages_read);
    assert_int_equal(after.gets, before.gets);
    assert_true(after.log_written - before.log_written <= 128);
    plain_now(&l, "k00000001", NULL);
}

/* Decision 17: what a filter, a fence or a cut between strata might hide. */
static void
d17_a_range_tombstone_is_never_hidden(void **state)
{
    (void)state;
    l.db->o.stratum_size = 4 * KIB;
    plain_fill(&l, 0, 2000, 100, 20);
    plain_compact(&l);
    assert_true(l.db->manifest.stratum_count > 5);
    (void)delete_range("k00000100", "k00001900"); /* over many strata; no key of it is stored */
    (void)plain_put(&l, "k00000500", "new");
    plain_flush(&l);
    for (int again = 0; again < 2; again++) {
        struct lsm_txn *txn = plain_begin(&l, LSM_READ);
        plain_expect(&l, txn, "k00000100", NULL);
        plain_expect(&l, txn, "k00001000", NULL);
        plain_expect(&l, txn, "k00001899", NULL);
        plain_expect(&l, txn, "k00000500", "new");
        assert_int_equal(plain_count(&l, txn, NULL, NULL), 201);
        assert_int_equal(plain_count(&l, txn, "k00000200", "k00000400"), 0);
        lsm_abort(txn);
        assert_true(merge_at(1) || again);
        for (size_t i = 0; i < l.db->manifest.stratum_count; i++) { /* clipped to its stratum */
            const struct lsm_stratum *s = l.db->manifest.strata[i];
            for (size_t k = i + 1; k < l.db->manifest.stratum_count; k++)
                assert_true(s->level == 0 || s->level != l.db->manifest.strata[k]->level ||
                            lsm__strata_apart(s, l.db->manifest.strata[k]));
        }
    }
}

/* The seqno of a point under a live range tombstone stays: else it would hide what is newer. */
static void
d17_a_point_keeps_its_seqno_under_a_range_tombstone(void **state)
{
    struct lsm_txn *old;

    (void)state;
    (void)plain_put(&l, "m", "older");
    old = plain_begin(&l, LSM_READ);
    (void)delete_range("a", "z");
    (void)plain_put(&l, "m", "newer");
    plain_flush(&l);
    (void)plain_put(&l, "q", "1");
    plain_flush(&l);
    assert_true(merge_at(2));
    plain_now(&l, "m", "newer");
    plain_expect(&l, old, "m", "older");
    lsm_abort(old);
    assert_true(range_tombstones() > 0 || plain_stat(&l).levels[1].entries == 2);
    plain_compact(&l);
    plain_now(&l, "m", "newer");
    assert_int_equal(range_tombstones(), 0);
}

/* ------------------------------------------------------------------ operands */

static int64_t
counter_now(const char *key)
{
    struct lsm_txn *txn = plain_begin(&l, LSM_READ);
    struct bytes v;
    int64_t n;

    ledger_ok(&l, lsm_get(txn, text(key), &v, &l.err));
    assert_int_equal(v.size, 9);
    n = (int64_t)load_u64(v.data + 1);
    lsm_abort(txn);
    return n;
}

static void *
add_ones(void *ctx)
{
    static const uint8_t one[9] = { 1, 1 };
    struct writer *w = ctx;
    basin_error err;

    for (unsigned i = 0; i < 250 && w->status == BASIN_OK; i++) {
        struct lsm_txn *txn;
        w->status = lsm_begin(l.db, &(struct lsm_begin){ .mode = LSM_WRITE }, &txn, &err);
        for (unsigned n = 0; n < w->keys && w->status == BASIN_OK; n++)
            w->status = lsm_merge(txn, BYTES_LIT("n"), LSM_OP_COUNTER, bytes_of(one, 9), &err);
        if (w->status == BASIN_OK)
            w->status = lsm_commit(txn, false, NULL, &err);
        if (w->status == BASIN_OK && i % 50 == 0)
            w->status = lsm_flush(l.db, &err);
    }
    return NULL;
}

/* A million at full scale, in 1000 commits. */
static void
ec64_a_counter_is_added_to_blindly(void **state)
{
    struct writer w[4];
    pthread_t threads[4];
    unsigned each = (unsigned)test_scale(50); /* a million at scale 20 */
    struct lsm_stats s;

    (void)state;
    ledger_close(&l);
    l.o.level0_runs = 99; /* merges would read; no more flushes than that: */
    l.o.mem_limit = 64 << 20;
    l.o.memtable_size = 8 << 20;
    l.o.log_size_max = 64 << 20;
    ledger_open(&l);
    for (unsigned i = 0; i < 4; i++) {
        w[i] = (struct writer){ i, each, BASIN_OK };
        assert_int_equal(pthread_create(&threads[i], NULL, add_ones, &w[i]), 0);
    }
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(w[i].status, BASIN_OK);
    }
    s = plain_stat(&l);
    assert_true(s.flushes > 0);
    assert_int_equal(s.gets, 0);
    assert_int_equal(s.pages_read, 0);
    assert_int_equal(counter_now("n"), 1000 * each);
    reopen();
    assert_int_equal(counter_now("n"), 1000 * each);
    plain_compact(&l);
    assert_int_equal(counter_now("n"), 1000 * each);
    reopen();
    assert_int_equal(counter_now("n"), 1000 * each);
}

/* Decision 18: what a snapshot sees is not folded away, and chains do not grow with their use. */
static void
d18_folding_stops_at_snapshots_and_chains_are_bounded(void **state)
{
    static const uint8_t one[9] = { 1, 1 };
    struct lsm_txn *held[3], *txn;
    struct bytes v;

    (void)state;
    for (int i = 0; i < 3; i++) {
        for (int n = 0; n < 100; n++) {
            txn = plain_begin(&l, LSM_WRITE);
            ledger_ok(&l, lsm_merge(txn, text("n"), LSM_OP_COUNTER, bytes_of(one, 9), &l.err));
            (void)plain_commit(&l, txn);
        }
        held[i] = plain_begin(&l, LSM_READ);
        if (i < 2)
            plain_flush(&l);
    }
    plain_compact(&l);
    for (int i = 0; i < 3; i++) {
        ledger_ok(&l, lsm_get(held[i], text("n"), &v, &l.err));
        assert_int_equal(load_u64(v.data + 1), 100 * (i + 1));
    }
    assert_int_equal(plain_stat(&l).levels[1].entries, 3); /* one for each snapshot */
    for (int i = 0; i < 3; i++)
        lsm_abort(held[i]);
    plain_compact(&l);
    assert_int_equal(plain_stat(&l).levels[1].entries, 1);
    assert_int_equal(counter_now("n"), 300);
}

/* ------------------------------------------------------------------ snapshots and pins */

static void
ec66_a_snapshot_stays_through_a_thousand_commits(void **state)
{
    struct lsm_txn *first, *second;

    (void)state;
    l.db->o.level0_runs = 2;
    ledger_commits(&l, 100);
    first = plain_begin(&l, LSM_READ);
    ledger_commits(&l, 10);
    second = plain_begin(&l, LSM_READ);
    assert_true(lsm_txn_seqno(second) > lsm_txn_seqno(first));
    for (int i = 0; i < 10; i++) {
        ledger_commits(&l, 100);
        plain_flush(&l);
        ledger_pump(&l);
        ledger_check_txn(&l, first);
        ledger_check_txn(&l, second);
    }
    plain_compact(&l);
    ledger_check_txn(&l, first);
    ledger_check_txn(&l, second);
    assert_true(plain_stat(&l).merges > 0);
    lsm_abort(first);
    lsm_abort(second);
    (void)ledger_check(&l, l.db);
}

static int
note_pin(void *ctx, const struct lsm_pin_info *pin)
{
    struct lsm_pin_info *to = ctx;

    assert_string_equal(pin->name, "v1");
    assert_string_equal(pin->owner, "the release");
    *to = *pin;
    return 0;
}

static void
ec67_a_pin_survives_and_gives_its_space_back(void **state)
{
    struct lsm_pin_info pin = { 0 };
    struct lsm_txn *txn;
    uint64_t seqno, pinned, live;

    (void)state;
    plain_fill(&l, 0, 3000, 100, 100);
    ledger_ok(&l, lsm_pin(l.db, "v1", "the release", &seqno, &l.err));
    (void)delete_range("k", "l");
    (void)plain_put(&l, "k00000001", "later");
    reopen();
    plain_compact(&l);
    ledger_ok(&l, lsm_pin_list(l.db, note_pin, &pin, &l.err));
    assert_int_equal(pin.seqno, seqno);
    assert_true(pin.made_ms > 0);
    assert_true(pin.held_bytes > 0);
    ledger_ok(&l, lsm_begin(l.db, &(struct lsm_begin){ .mode = LSM_READ, .at_pin = "v1" }, &txn,
                            &l.err));
    assert_int_equal(lsm_txn_seqno(txn), seqno);
    assert_int_equal(plain_count(&l, txn, NULL, NULL), 3000);
    lsm_abort(txn);
    plain_now(&l, "k00000001", "later");
    pinned = plain_stat(&l).live_bytes;
    ledger_ok(&l, lsm_unpin(l.db, "v1", &l.err));
    plain_compact(&l);
    live = plain_stat(&l).live_bytes;
    assert_true(pinned > 3000 * 100);
    assert_true(live < 4096);
    assert_int_equal(plain_stat(&l).pins, 0);
    plain_now(&l, "k00000001", "later");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ec21_thousands_of_segments_of_one_and_of_ten, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(ec34_ten_segments_become_one, setup, teardown),
        cmocka_unit_test_setup_teardown(ec35_merged_two_by_two_and_then_all, setup, teardown),
        cmocka_unit_test_setup_teardown(ec36_fewer_than_the_least_is_nothing_to_do, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(ec37_a_cursor_keeps_its_view_and_its_files, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(ec38_ten_writers_lose_nothing, setup_threads, teardown),
        cmocka_unit_test_setup_teardown(ec46_every_snapshot_has_the_sum, setup_threads, teardown),
        cmocka_unit_test_setup_teardown(ec39_a_tombstone_lives_as_long_as_what_it_hides, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(ec47_a_range_delete_from_first_to_last, setup, teardown),
        cmocka_unit_test_setup_teardown(ec47_a_prefix_delete_costs_one_record, setup, teardown),
        cmocka_unit_test_setup_teardown(d17_a_range_tombstone_is_never_hidden, setup, teardown),
        cmocka_unit_test_setup_teardown(d17_a_point_keeps_its_seqno_under_a_range_tombstone, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(ec64_a_counter_is_added_to_blindly, setup_threads,
                                        teardown),
        cmocka_unit_test_setup_teardown(d18_folding_stops_at_snapshots_and_chains_are_bounded,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(ec66_a_snapshot_stays_through_a_thousand_commits, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(ec67_a_pin_survives_and_gives_its_space_back, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
