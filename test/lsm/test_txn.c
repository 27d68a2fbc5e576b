// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Transactions beside one another: conflicts, the locked mode and its line, what pointers and
 * cursors hold on to, and closing with something open. Cases: EC40, EC45, EC69; decisions 6, 7, 8,
 * 10, 26.
 */
#include "lsm/plain.h"

#include <pthread.h>

#include "lsm/txn.h"

static struct ledger l;

static int
setup(void **state)
{
    (void)state;
    ledger_init(&l, 1);
    ledger_open(&l);
    return 0;
}

/* With background threads: waiting needs them. */
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

/* ------------------------------------------------------------------ the writer lock */

static basin_status
try_lock(uint32_t timeout_ms, struct lsm_txn **txn)
{
    return lsm_begin(l.db, &(struct lsm_begin){ .mode = LSM_LOCKED, .timeout_ms = timeout_ms }, txn,
                     &l.err);
}

static void
ec40_a_second_lock_request_times_out(void **state)
{
    struct lsm_txn *first = plain_begin(&l, LSM_LOCKED), *second;

    (void)state;
    ledger_status(&l, try_lock(20, &second), BASIN_TIMEOUT);
    assert_null(second);
    ledger_status(&l, try_lock(0, &second), BASIN_BUSY);
    assert_null(l.db->writer_line);
    ledger_ok(&l, lsm_put(first, text("a"), text("1"), &l.err));
    (void)plain_commit(&l, first);
    ledger_ok(&l, try_lock(20, &second));
    plain_expect(&l, second, "a", "1");
    lsm_abort(second);
    ledger_ok(&l, try_lock(0, &second)); /* an abort releases too */
    lsm_abort(second);
}

/* Until n requests stand in the line. */
static void
await_line(size_t n)
{
    size_t count = 0;

    while (count != n) {
        count = 0;
        os_mutex_lock(l.db->writer_mu);
        for (const struct writer_wait *w = l.db->writer_line; w; w = w->next)
            count++;
        os_mutex_unlock(l.db->writer_mu);
        l.db->os->ops->sleep_ns(l.db->os, 100000);
    }
}

struct waiter {
    pthread_t thread;
    bool locked;
    struct lsm_txn *txn; /* optimistic, begun before */
    basin_status status;
    size_t place;
};
static _Atomic size_t served;

static void *
wait_in_line(void *ctx)
{
    struct waiter *w = ctx;
    basin_error err;

    if (w->locked) {
        w->status =
            lsm_begin(l.db, &(struct lsm_begin){ .mode = LSM_LOCKED, .timeout_ms = UINT32_MAX },
                      &w->txn, &err);
        w->place = atomic_fetch_add(&served, 1);
        if (w->status == BASIN_OK)
            w->status = lsm_commit(w->txn, false, NULL, &err);
    } else {
        w->status = lsm_commit(w->txn, false, NULL, &err);
        w->place = atomic_fetch_add(&served, 1);
    }
    return NULL;
}

static void
start_waiter(struct waiter *w)
{
    assert_int_equal(pthread_create(&w->thread, NULL, wait_in_line, w), 0);
}

static void
d6_the_lock_is_first_come_first_served(void **state)
{
    struct waiter w[12] = { 0 };
    struct lsm_txn *holder = plain_begin(&l, LSM_LOCKED);

    (void)state;
    atomic_store(&served, 0);
    for (size_t i = 0; i < COUNT_OF(w); i++) {
        w[i].locked = true;
        start_waiter(&w[i]);
        await_line(i + 1);
    }
    lsm_abort(holder);
    for (size_t i = 0; i < COUNT_OF(w); i++)
        assert_int_equal(pthread_join(w[i].thread, NULL), 0);
    for (size_t i = 0; i < COUNT_OF(w); i++) {
        assert_int_equal(w[i].status, BASIN_OK);
        assert_int_equal(w[i].place, i);
    }
}

/* One that read what the lock's holder writes conflicts then, a blind one does not. */
static void
d6_optimistic_commits_wait_behind_the_lock(void **state)
{
    struct waiter w[2] = { 0 };
    struct lsm_txn *holder;

    (void)state;
    (void)plain_put(&l, "k", "0");
    for (size_t i = 0; i < 2; i++) {
        w[i].txn = plain_begin(&l, LSM_WRITE);
        if (i == 0)
            plain_expect(&l, w[i].txn, "k", "0");
        ledger_ok(&l, lsm_put(w[i].txn, text(i ? "blind" : "seen"), text("w"), &l.err));
    }
    holder = plain_begin(&l, LSM_LOCKED);
    plain_expect(&l, holder, "k", "0");
    atomic_store(&served, 0);
    for (size_t i = 0; i < 2; i++) {
        start_waiter(&w[i]);
        await_line(i + 1);
    }
    assert_int_equal(atomic_load(&served), 0);
    plain_now(&l, "blind", NULL);
    ledger_ok(&l, lsm_put(holder, text("k"), text("1"), &l.err));
    (void)plain_commit(&l, holder); /* a locked one never conflicts */
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_join(w[i].thread, NULL), 0);
    assert_int_equal(w[0].status, BASIN_CONFLICT);
    assert_int_equal(w[1].status, BASIN_OK);
    plain_now(&l, "k", "1");
    plain_now(&l, "seen", NULL);
    plain_now(&l, "blind", "w");
}

/* ------------------------------------------------------------------ conflicts */

/* What another transaction commits lies in the memtable, in a stratum, or deeper. */
enum depth { IN_MEMTABLE, FLUSHED, COMPACTED, DEPTHS };

static void
sink(enum depth depth)
{
    if (depth == FLUSHED)
        plain_flush(&l);
    if (depth == COMPACTED)
        plain_compact(&l);
}

typedef void act_fn(struct lsm_txn *txn);

/* `reader` reads and writes; `other` commits in between. */
static void
expect_race(act_fn *reader, act_fn *other, basin_status want)
{
    for (enum depth depth = 0; depth < DEPTHS; depth++) {
        struct lsm_txn *txn, *second;
        for (const char *k = "acfkmz"; *k; k++)
            (void)plain_put(&l, (const char[]){ *k, 0 }, "0");
        sink(depth);
        txn = plain_begin(&l, LSM_WRITE);
        reader(txn);
        second = plain_begin(&l, LSM_WRITE);
        other(second);
        (void)plain_commit(&l, second);
        sink(depth);
        ledger_status(&l, lsm_commit(txn, false, NULL, &l.err), want);
        second = plain_begin(&l, LSM_WRITE);
        ledger_ok(&l, lsm_delete_range(second, BYTES_NULL, BYTES_NULL, true, &l.err));
        (void)plain_commit(&l, second);
    }
}

static void
put_in(struct lsm_txn *txn, const char *key)
{
    ledger_ok(&l, lsm_put(txn, text(key), text("new"), &l.err));
}

static void
reads_and_writes_k(struct lsm_txn *txn)
{
    plain_expect(&l, txn, "k", "0");
    put_in(txn, "k");
}

static void
reads_and_writes_m(struct lsm_txn *txn)
{
    plain_expect(&l, txn, "m", "0");
    put_in(txn, "m");
}

static void
scans_a_to_c(struct lsm_txn *txn)
{
    assert_int_equal(plain_count(&l, txn, "a", "c"), 1);
    put_in(txn, "z");
}

/* From c back to a. */
static void
steps_back(struct lsm_txn *txn)
{
    struct lsm_cursor *c;

    ledger_ok(&l, lsm_cursor_open(txn, &(struct lsm_range){ 0 }, &c, &l.err));
    ledger_ok(&l, lsm_cursor_seek(c, text("c"), LSM_SEEK_EQ, &l.err));
    ledger_ok(&l, lsm_cursor_prev(c, &l.err));
    lsm_cursor_close(c);
    put_in(txn, "z");
}

/* Nothing is between d and e; f answers. */
static void
seeks_from_d(struct lsm_txn *txn)
{
    struct lsm_cursor *c;

    ledger_ok(&l, lsm_cursor_open(txn, &(struct lsm_range){ 0 }, &c, &l.err));
    ledger_ok(&l, lsm_cursor_seek(c, text("d"), LSM_SEEK_GE, &l.err));
    lsm_cursor_close(c);
    put_in(txn, "z");
}

static void
finds_no_b(struct lsm_txn *txn)
{
    plain_expect(&l, txn, "b", NULL);
    put_in(txn, "z");
}

static void
writes_blindly(struct lsm_txn *txn)
{
    static const uint8_t one[9] = { 1, 1 };

    put_in(txn, "k");
    put_in(txn, "b");
    ledger_ok(&l, lsm_merge(txn, text("n"), LSM_OP_COUNTER, bytes_of(one, 9), &l.err));
    ledger_ok(&l, lsm_delete(txn, text("f"), &l.err));
}

static void
inserts_b(struct lsm_txn *txn)
{
    put_in(txn, "b");
}

static void
inserts_e(struct lsm_txn *txn)
{
    put_in(txn, "e");
}

static void
writes_c(struct lsm_txn *txn)
{
    put_in(txn, "c");
}

static void
deletes_b_to_l(struct lsm_txn *txn)
{
    ledger_ok(&l, lsm_delete_range(txn, text("b"), text("l"), false, &l.err));
}

static void
deletes_from_n(struct lsm_txn *txn)
{
    ledger_ok(&l, lsm_delete_range(txn, text("n"), BYTES_NULL, true, &l.err));
}

static void
ec69_reads_and_writes_of_two_transactions(void **state)
{
    (void)state;
    expect_race(reads_and_writes_k, reads_and_writes_k, BASIN_CONFLICT);
    expect_race(reads_and_writes_k, reads_and_writes_m, BASIN_OK);
    expect_race(scans_a_to_c, inserts_b, BASIN_CONFLICT);
    expect_race(scans_a_to_c, writes_c, BASIN_OK); /* the bound is outside */
    expect_race(steps_back, inserts_b, BASIN_CONFLICT);
    expect_race(seeks_from_d, inserts_e, BASIN_CONFLICT); /* what was not there was read too */
    expect_race(seeks_from_d, inserts_b, BASIN_OK);
    expect_race(finds_no_b, inserts_b, BASIN_CONFLICT);
}

static void
d6_blind_writes_never_conflict_and_range_deletes_do(void **state)
{
    (void)state;
    expect_race(writes_blindly, writes_blindly, BASIN_OK);
    expect_race(writes_blindly, deletes_b_to_l, BASIN_OK);
    expect_race(deletes_b_to_l, writes_blindly, BASIN_OK);
    expect_race(reads_and_writes_k, deletes_b_to_l, BASIN_CONFLICT);
    expect_race(scans_a_to_c, deletes_b_to_l, BASIN_CONFLICT);
    expect_race(reads_and_writes_m, deletes_b_to_l, BASIN_OK);
    expect_race(reads_and_writes_m, deletes_from_n, BASIN_OK);
}

/* ------------------------------------------------------------------ decision 10 */

static void
load_c_to_f(void)
{
    struct lsm_load *load;
    uint64_t seqno, before = atomic_load(&l.db->visible);

    ledger_ok(&l, lsm_load_open(l.db, &(struct lsm_load_options){ 0 }, &load, &l.err));
    for (const char *k = "cef"; *k; k++)
        ledger_ok(&l, lsm_load_add(load, bytes_of(k, 1), text("loaded"), &l.err));
    ledger_ok(&l, lsm_load_commit(load, &seqno, &l.err));
    assert_int_equal(seqno, before + 1);
}

static void
d10_a_load_is_one_seqno_one_event_and_a_range_write(void **state)
{
    struct lsm_txn *inside, *outside, *before;
    struct lsm_feed *feed;
    struct lsm_change change;
    uint64_t since = plain_put(&l, "a", "0");

    (void)state;
    inside = plain_begin(&l, LSM_WRITE);
    plain_expect(&l, inside, "e", NULL);
    put_in(inside, "x");
    outside = plain_begin(&l, LSM_WRITE);
    plain_expect(&l, outside, "a", "0");
    put_in(outside, "y");
    before = plain_begin(&l, LSM_READ);
    load_c_to_f();
    plain_expect(&l, before, "c", NULL);
    lsm_abort(before);
    ledger_status(&l, lsm_commit(inside, false, NULL, &l.err), BASIN_CONFLICT);
    ledger_ok(&l, lsm_commit(outside, false, NULL, &l.err));
    plain_now(&l, "e", "loaded");
    ledger_ok(&l, lsm_sync(l.db, &l.err)); /* what is on disk is told */
    ledger_ok(&l, lsm_feed_open(l.db, since, &feed, &l.err));
    ledger_ok(&l, lsm_feed_next(feed, &change, &l.err));
    assert_int_equal(change.kind, LSM_CHANGE_LOAD);
    assert_int_equal(change.seqno, since + 1);
    assert_true(change.last_in_commit);
    ledger_ok(&l, lsm_feed_next(feed, &change, &l.err));
    assert_int_equal(change.kind, LSM_CHANGE_PUT);
    assert_int_equal(change.seqno, since + 2);
    ledger_status(&l, lsm_feed_next(feed, &change, &l.err), BASIN_END);
    lsm_feed_close(feed);
}

/* ------------------------------------------------------------------ EC45 */

static void
ec45_a_snapshot_tells_what_it_saw(void **state)
{
    struct lsm_txn *before, *after;
    uint64_t edits;

    (void)state;
    (void)plain_put(&l, "a", "1");
    before = plain_begin(&l, LSM_READ);
    edits = l.db->manifest.edits;
    assert_int_equal(before->version->stratum_count, 0);
    (void)plain_put(&l, "unrelated", "1");
    plain_flush(&l);
    after = plain_begin(&l, LSM_READ);
    assert_true(lsm_txn_seqno(after) > lsm_txn_seqno(before));
    assert_true(l.db->manifest.edits > edits);
    assert_int_equal(after->version->stratum_count, 1);
    assert_int_equal(before->version->stratum_count, 0);
    assert_int_equal(
        place_compare((struct place){ before->version->place_epoch, before->version->place_at },
                      (struct place){ after->version->place_epoch, after->version->place_at }),
        -1);
    lsm_abort(before);
    lsm_abort(after);
}

enum { RETRIERS = 4, RETRIES = 100 };

static void *
add_with_retries(void *ctx)
{
    basin_status *st = ctx;
    struct lsm_txn *txn;
    struct bytes got;
    uint8_t n[8];
    basin_error err;

    for (size_t done = 0; done < RETRIES;) {
        *st = lsm_begin(l.db, &(struct lsm_begin){ .mode = LSM_WRITE }, &txn, &err);
        if (*st == BASIN_OK)
            *st = lsm_get(txn, BYTES_LIT("n"), &got, &err);
        if (*st == BASIN_OK) {
            store_u64(n, load_u64(got.data) + 1);
            *st = lsm_put(txn, BYTES_LIT("n"), bytes_of(n, 8), &err);
        }
        if (*st == BASIN_OK)
            *st = lsm_commit(txn, false, NULL, &err);
        if (*st == BASIN_OK)
            done++;
        else if (*st != BASIN_CONFLICT)
            break;
    }
    return NULL;
}

static void
ec45_a_loop_of_retries_commits_exactly_once(void **state)
{
    static const uint8_t zero[8];
    pthread_t threads[RETRIERS];
    basin_status st[RETRIERS];
    struct lsm_txn *txn = plain_begin(&l, LSM_WRITE);
    struct bytes got;
    uint64_t commits;

    (void)state;
    ledger_ok(&l, lsm_put(txn, BYTES_LIT("n"), bytes_of(zero, 8), &l.err));
    (void)plain_commit(&l, txn);
    commits = plain_stat(&l).commits;
    for (size_t i = 0; i < RETRIERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, add_with_retries, &st[i]), 0);
    for (size_t i = 0; i < RETRIERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(st[i], BASIN_OK);
    }
    txn = plain_begin(&l, LSM_READ);
    ledger_ok(&l, lsm_get(txn, BYTES_LIT("n"), &got, &l.err));
    assert_int_equal(load_u64(got.data), RETRIERS * RETRIES);
    lsm_abort(txn);
    assert_int_equal(plain_stat(&l).commits - commits, RETRIERS * RETRIES);
}

/* ------------------------------------------------------------------ decision 8 */

static void
d8_a_cursor_sees_the_transaction_as_of_its_opening(void **state)
{
    struct lsm_txn *txn = plain_begin(&l, LSM_WRITE);
    struct lsm_cursor *c;

    (void)state;
    put_in(txn, "a");
    put_in(txn, "c");
    ledger_ok(&l, lsm_cursor_open(txn, &(struct lsm_range){ 0 }, &c, &l.err));
    ledger_ok(&l, lsm_cursor_first(c, &l.err));
    put_in(txn, "b");
    ledger_ok(&l, lsm_delete(txn, text("c"), &l.err));
    ledger_ok(&l, lsm_delete_range(txn, text("a"), text("b"), false, &l.err));
    ledger_ok(&l, lsm_cursor_next(c, &l.err));
    assert_int_equal(lsm_cursor_compare(c, text("c")), 0);
    ledger_status(&l, lsm_cursor_next(c, &l.err), BASIN_END);
    lsm_cursor_close(c);
    assert_int_equal(plain_count(&l, txn, NULL, NULL), 1);
    (void)plain_commit(&l, txn);
    plain_now(&l, "b", "new");
}

/* Own writes, stored values, folded operands; over flush, merge, rollback. */
static void
d8_pointers_live_until_the_transaction_ends(void **state)
{
    static const uint8_t one[9] = { 1, 1 };
    struct lsm_txn *txn;
    struct bytes own, stored, folded;

    (void)state;
    (void)plain_put(&l, "stored", "in a memtable, then in a stratum");
    txn = plain_begin(&l, LSM_WRITE);
    ledger_ok(&l, lsm_savepoint(txn, "s", &l.err));
    ledger_ok(&l, lsm_put(txn, text("own"), text("mine"), &l.err));
    ledger_ok(&l, lsm_merge(txn, text("n"), LSM_OP_COUNTER, bytes_of(one, 9), &l.err));
    ledger_ok(&l, lsm_get(txn, text("own"), &own, &l.err));
    ledger_ok(&l, lsm_get(txn, text("stored"), &stored, &l.err));
    ledger_ok(&l, lsm_get(txn, text("n"), &folded, &l.err));
    ledger_ok(&l, lsm_rollback_to(txn, "s", &l.err));
    (void)plain_put(&l, "stored", "newer");
    plain_fill(&l, 0, 3000, 100, 100);
    plain_compact(&l);
    for (unsigned i = 0; i < 200; i++) {
        struct bytes other;
        put_in(txn, "own");
        ledger_ok(&l, lsm_get(txn, text("own"), &other, &l.err));
    }
    assert_memory_equal(own.data, "mine", 4);
    assert_memory_equal(stored.data, "in a memtable, then in a stratum", stored.size);
    assert_int_equal(load_u64(folded.data + 1), 1);
    lsm_abort(txn);
}

static void
expect_named(const char *want)
{
    ledger_status(&l, lsm_close(l.db, &l.err), BASIN_BUSY);
    if (strstr(l.err.what, want) == NULL)
        fail_msg("'%s' does not name '%s'", l.err.what, want);
}

static void
d8_closing_names_what_is_open_and_frees_nothing(void **state)
{
    struct lsm_txn *reader, *writer, *husk;
    struct lsm_cursor *c, *left;
    struct lsm_stream *s;
    struct lsm_load *load;
    struct lsm_feed *feed;
    char want[64];

    (void)state;
    (void)snprintf(want, sizeof want, "1 transaction (reading at %llu)",
                   (unsigned long long)plain_put(&l, "a", "1"));
    reader = plain_begin(&l, LSM_READ);
    expect_named(want);
    writer = plain_begin(&l, LSM_WRITE);
    expect_named("2 transactions (reading at ");
    ledger_ok(&l, lsm_cursor_open(reader, &(struct lsm_range){ 0 }, &c, &l.err));
    expect_named("1 cursor");
    ledger_ok(&l, lsm_stream_open(writer, text("s"), &s, &l.err));
    expect_named("1 stream");
    ledger_ok(&l, lsm_load_open(l.db, &(struct lsm_load_options){ 0 }, &load, &l.err));
    expect_named("1 bulk load");
    ledger_ok(&l, lsm_feed_open(l.db, 0, &feed, &l.err));
    expect_named("1 change feed");
    husk = plain_begin(&l, LSM_READ);
    ledger_ok(&l, lsm_cursor_open(husk, &(struct lsm_range){ 0 }, &left, &l.err));
    lsm_abort(husk);
    ledger_ok(&l, lsm_cursor_first(c, &l.err)); /* all of them still work */
    ledger_ok(&l, lsm_stream_write(s, text("more"), &l.err));
    ledger_ok(&l, lsm_load_add(load, text("l"), text("1"), &l.err));
    lsm_cursor_close(c);
    lsm_abort(reader);
    lsm_feed_close(feed);
    lsm_load_abort(load);
    ledger_ok(&l, lsm_stream_close(s, &l.err));
    (void)plain_commit(&l, writer);
    expect_named("1 cursor"); /* of a transaction that has ended */
    lsm_cursor_close(left);
    plain_now(&l, "s", "more");
}

/* ------------------------------------------------------------------ decisions 7 and 26 */

static void
d7_what_a_failed_sync_takes_back_was_never_seen(void **state)
{
    (void)state;
    for (uint64_t n = 1, failed = 1; failed; n++) {
        struct os_sim *sim;
        struct lsm *db;
        struct lsm_options o = l.o;
        struct lsm_txn *txn;
        struct bytes got;
        basin_status st;

        ledger_ok(&l, os_sim_new(&(struct os_sim_options){ .seed = n, .mem = &base_malloc }, &sim,
                                 &l.err));
        o.os = os_sim_os(sim);
        ledger_ok(&l, lsm_open("db", &o, &db, &l.err));
        ledger_ok(&l, lsm_begin(db, &(struct lsm_begin){ .mode = LSM_WRITE }, &txn, &l.err));
        ledger_ok(&l, lsm_put(txn, text("z"), text("1"), &l.err));
        ledger_ok(&l, lsm_commit(txn, true, NULL, &l.err)); /* the reserve is there now */
        ledger_ok(&l, lsm_begin(db, &(struct lsm_begin){ .mode = LSM_WRITE }, &txn, &l.err));
        ledger_ok(&l, lsm_put(txn, text("a"), text("1"), &l.err));
        os_sim_fail_at(sim, n, BASIN_IO);
        st = lsm_commit(txn, true, NULL, &l.err);
        failed = st != BASIN_OK;
        os_sim_fail_at(sim, 0, BASIN_IO);
        ledger_ok(&l, lsm_begin(db, &(struct lsm_begin){ .mode = LSM_READ }, &txn, &l.err));
        ledger_status(&l, lsm_get(txn, text("a"), &got, &l.err),
                      failed ? BASIN_NOT_FOUND : BASIN_OK);
        lsm_abort(txn);
        (void)!lsm_close(db, NULL);
        os_sim_free(sim);
        assert_true(n > 2 || failed); /* the write and the sync at least */
    }
}

static uint64_t
put_in_sim(struct lsm *db, const char *key)
{
    struct lsm_txn *txn;
    struct lsm_stats s;

    ledger_ok(&l, lsm_begin(db, &(struct lsm_begin){ .mode = LSM_WRITE }, &txn, &l.err));
    ledger_ok(&l, lsm_put(txn, text(key), text("1"), &l.err));
    ledger_ok(&l, lsm_commit(txn, false, NULL, &l.err));
    ledger_ok(&l, lsm_stat(db, &s, &l.err));
    return s.syncs;
}

static void
d26_durability_bounds_use_the_monotonic_clock(void **state)
{
    struct os_sim *sim;
    struct lsm *db;
    struct lsm_options o = l.o;
    struct lsm_txn *txn;
    struct bytes got;
    uint64_t syncs;

    (void)state;
    ledger_ok(&l,
              os_sim_new(&(struct os_sim_options){ .seed = 1, .mem = &base_malloc }, &sim, &l.err));
    o.os = os_sim_os(sim);
    o.buffer_ms = 1000;
    ledger_ok(&l, lsm_open("db", &o, &db, &l.err));
    os_sim_advance(sim, UINT64_C(1001000000));
    (void)put_in_sim(db, "a"); /* the first may be due */
    syncs = put_in_sim(db, "b");
    os_sim_shift_wall(sim, INT64_C(86400000) * 365);
    assert_int_equal(put_in_sim(db, "c"), syncs); /* a year by the wall, nothing in truth */
    os_sim_shift_wall(sim, -INT64_C(86400000) * 3650);
    assert_int_equal(put_in_sim(db, "d"), syncs);
    os_sim_advance(sim, UINT64_C(1001000000));
    assert_int_equal(put_in_sim(db, "e"), syncs + 1);
    os_sim_crash(sim, OS_CRASH_LOSE_ALL);
    (void)!lsm_close(db, NULL);
    ledger_ok(&l, lsm_open("db", &o, &db, &l.err));
    ledger_ok(&l, lsm_begin(db, &(struct lsm_begin){ .mode = LSM_READ }, &txn, &l.err));
    ledger_ok(&l, lsm_get(txn, text("e"), &got, &l.err));
    lsm_abort(txn);
    ledger_ok(&l, lsm_close(db, &l.err));
    os_sim_free(sim);
}

/* ------------------------------------------------------------------ without memory */

/* A read that finds no memory for the index takes nothing away from what reads gave before. */
static void
what_was_read_outlives_a_read_without_memory(void **state)
{
    struct test_memory memory;
    struct lsm_txn *txn;
    struct bytes first, got;
    uint8_t value[1000] = { 0 };

    (void)state;
    ledger_close(&l);
    test_memory_init(&memory);
    l.o.mem = &memory.table;
    ledger_open(&l);
    txn = plain_begin(&l, LSM_WRITE);
    ledger_ok(&l, lsm_put(txn, text("first"), text("value"), &l.err));
    ledger_ok(&l, lsm_get(txn, text("first"), &first, &l.err));
    for (unsigned i = 0; i < 200; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "k%u", i);
        ledger_ok(&l, lsm_put(txn, text(key), bytes_of(value, sizeof value), &l.err));
    }
    for (int i = 0; i < 2; i++) {
        test_memory_refuse_from(&memory, 1);
        ledger_status(&l, lsm_get(txn, text("k1"), &got, &l.err), BASIN_NO_MEM);
        test_memory_refuse(&memory, 0);
        assert_true(bytes_equal(first, text("value")));
    }
    ledger_ok(&l, lsm_get(txn, text("k1"), &got, &l.err));
    assert_int_equal(got.size, sizeof value);
    assert_true(bytes_equal(first, text("value")));
    lsm_abort(txn);
    ledger_close(&l);
    assert_int_equal(memory.live, 0);
    l.o.mem = NULL;
    ledger_open(&l);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ec40_a_second_lock_request_times_out, setup_threads,
                                        teardown),
        cmocka_unit_test_setup_teardown(d6_the_lock_is_first_come_first_served, setup_threads,
                                        teardown),
        cmocka_unit_test_setup_teardown(d6_optimistic_commits_wait_behind_the_lock, setup_threads,
                                        teardown),
        cmocka_unit_test_setup_teardown(ec69_reads_and_writes_of_two_transactions, setup, teardown),
        cmocka_unit_test_setup_teardown(d6_blind_writes_never_conflict_and_range_deletes_do, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(d10_a_load_is_one_seqno_one_event_and_a_range_write, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(ec45_a_snapshot_tells_what_it_saw, setup, teardown),
        cmocka_unit_test_setup_teardown(ec45_a_loop_of_retries_commits_exactly_once, setup_threads,
                                        teardown),
        cmocka_unit_test_setup_teardown(d8_a_cursor_sees_the_transaction_as_of_its_opening, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(d8_pointers_live_until_the_transaction_ends, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(d8_closing_names_what_is_open_and_frees_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(d7_what_a_failed_sync_takes_back_was_never_seen, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(d26_durability_bounds_use_the_monotonic_clock, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_was_read_outlives_a_read_without_memory, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
