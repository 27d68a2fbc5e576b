// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Readers beside a writer: true snapshots while it flushes, merges, checkpoints and rolls, nothing
 * kept for a reader that died, nothing taken from one that lives. Handles of one process count as
 * processes: locks belong to handles. test_processes.c does it with real ones.
 */
#include "lsm/ledger.h"

#include <dirent.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lsm/readers.h"
#include "model/data.h"
#include "model/hex.h"

/* ------------------------------------------------------------------ helpers */

static size_t
count_files(const struct ledger *l, const char *class_name)
{
    char path[SCRATCH_PATH_MAX + 32];
    size_t n = 0;
    DIR *dir;
    struct dirent *e;

    (void)snprintf(path, sizeof path, "%s/%s", l->path, class_name);
    dir = opendir(path);
    if (dir == NULL)
        return 0;
    while ((e = readdir(dir)) != NULL)
        n += e->d_name[0] != '.';
    (void)closedir(dir);
    return n;
}

static size_t
live_strata(const struct ledger *l)
{
    return l->db->manifest.stratum_count;
}

/* Everything that the writer can do to what a reader sees. */
static void
churn(struct ledger *l)
{
    ledger_commits(l, 60);
    ledger_ok(l, lsm_flush(l->db, &l->err));
    ledger_commits(l, 60);
    ledger_ok(l, lsm_compact(l->db, NULL, &l->err));
    ledger_ok(l, lsm__checkpoint(l->db, &l->err));
    ledger_pump(l);
}

static struct lsm_txn *
begin(struct ledger *l, struct lsm *handle)
{
    struct lsm_txn *txn;

    ledger_ok(l, lsm_begin(handle, &(struct lsm_begin){ .mode = LSM_READ }, &txn, &l->err));
    return txn;
}

static void
close_reader(struct ledger *l, struct lsm *reader)
{
    ledger_ok(l, lsm_close(reader, &l->err));
}

/* ------------------------------------------------------------------ opening */

static void
a_reader_may_be_the_first(void **state)
{
    struct ledger l;
    struct lsm *reader;

    (void)state;
    ledger_init(&l, 1);
    l.o.read_only = true;
    ledger_status(&l, lsm_open(l.path, &l.o, &reader, &l.err), BASIN_NOT_FOUND);
    l.o.read_only = false;
    ledger_open(&l);
    ledger_commits(&l, 200);
    ledger_close(&l);
    for (int again = 0; again < 2; again++) { /* a file of the table is made, then found */
        char path[SCRATCH_PATH_MAX + 16];
        (void)snprintf(path, sizeof path, "%s/readers", l.path);
        if (again == 0)
            assert_int_equal(unlink(path), 0);
        reader = ledger_reader(&l, "first");
        assert_int_equal(ledger_check(&l, reader), l.now.seqno);
        close_reader(&l, reader);
    }
    ledger_release(&l);
}

/* A writer that died leaves all that it committed, buffered or not, to a reader without it. */
static void
a_reader_sees_what_a_killed_writer_left(void **state)
{
    struct ledger l;
    struct lsm *reader;
    int wait_status;
    uint64_t seqno;

    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        ledger_init(&l, seed);
        pid_t child = fork();
        if (child == 0) {
            ledger_open(&l);
            ledger_commits(&l, 150 * seed);
            (void)kill(getpid(), SIGKILL);
        }
        assert_int_equal(waitpid(child, &wait_status, 0), child);
        assert_true(WIFSIGNALED(wait_status));
        reader = ledger_reader(&l, "heir");
        {
            struct lsm_txn *txn = begin(&l, reader);
            struct ledger_state seen;
            ledger_ok(&l, ledger_look(txn, &seen, &l.err));
            assert_int_equal(seen.commits, 150 * seed);
            seqno = seen.seqno;
            l.now = seen;
            ledger_remember(&l);
            lsm_abort(txn);
        }
        ledger_open(&l); /* the next writer sees the same, and the reader goes on with it */
        assert_int_equal(ledger_check(&l, l.db), seqno);
        ledger_refresh(&l, reader);
        churn(&l);
        ledger_refresh(&l, reader);
        close_reader(&l, reader);
        ledger_close(&l);
        ledger_release(&l);
    }
}

static void
a_second_writer_is_refused_and_told_by_whom(void **state)
{
    struct ledger l;
    struct lsm *other;
    char me[32];

    (void)state;
    ledger_init(&l, 2);
    ledger_open(&l);
    ledger_status(&l, lsm_open(l.path, &l.o, &other, &l.err), BASIN_BUSY);
    (void)snprintf(me, sizeof me, " %ld ", (long)getpid());
    assert_non_null(strstr(l.err.what, me));
    ledger_close(&l);
    ledger_release(&l);
}

static void
a_reader_writes_and_pins_nothing(void **state)
{
    struct ledger l;
    struct lsm *reader;
    struct lsm_txn *txn;
    uint64_t seqno;

    (void)state;
    ledger_init(&l, 3);
    ledger_open(&l);
    ledger_commits(&l, 3);
    reader = ledger_reader(&l, "reader");
    ledger_status(&l, lsm_begin(reader, &(struct lsm_begin){ .mode = LSM_WRITE }, &txn, &l.err),
                  BASIN_READ_ONLY);
    ledger_status(&l, lsm_begin(reader, &(struct lsm_begin){ .mode = LSM_LOCKED }, &txn, &l.err),
                  BASIN_READ_ONLY);
    ledger_status(&l, lsm_pin(reader, "p", "me", &seqno, &l.err), BASIN_READ_ONLY);
    ledger_status(&l, lsm_unpin(reader, "p", &l.err), BASIN_READ_ONLY);
    ledger_status(&l, lsm_flush(reader, &l.err), BASIN_READ_ONLY);
    ledger_status(&l, lsm_feed_hold(reader, "c", 1, 1000, &l.err), BASIN_READ_ONLY);
    close_reader(&l, reader);
    ledger_close(&l);
    ledger_release(&l);
}

static void
a_pin_is_readable_in_a_reader(void **state)
{
    struct ledger l;
    struct lsm *reader;
    struct lsm_txn *txn;
    uint64_t seqno;

    (void)state;
    ledger_init(&l, 4);
    ledger_open(&l);
    ledger_commits(&l, 40);
    ledger_ok(&l, lsm_pin(l.db, "p", "me", &seqno, &l.err));
    churn(&l);
    reader = ledger_reader(&l, "reader");
    churn(&l);
    ledger_refresh(&l, reader);
    ledger_ok(&l, lsm_begin(reader, &(struct lsm_begin){ .mode = LSM_READ, .at_pin = "p" }, &txn,
                            &l.err));
    assert_int_equal(lsm_txn_seqno(txn), seqno);
    ledger_check_txn(&l, txn);
    lsm_abort(txn);
    close_reader(&l, reader);
    ledger_close(&l);
    ledger_release(&l);
}

/* What a forked child can do with handles and transactions of its parent: nothing. */
static int
count_wrong_in_child(struct ledger *l, struct lsm *reader, struct lsm_txn *open)
{
    struct lsm *both[2] = { reader, l->db };
    struct lsm_feed *feed;
    struct lsm_txn *txn;
    uint64_t seqno;
    int wrong = 0;

    for (int i = 0; i < 2; i++) {
        wrong += lsm_refresh(both[i], &seqno, NULL) != BASIN_MISUSE;
        wrong += lsm_feed_open(both[i], 0, &feed, NULL) != BASIN_MISUSE;
        wrong +=
            lsm_begin(both[i], &(struct lsm_begin){ .mode = LSM_READ }, &txn, NULL) != BASIN_MISUSE;
        wrong += lsm_check_process(both[i], NULL) != BASIN_MISUSE;
    }
    wrong += lsm_commit(open, true, NULL, NULL) != BASIN_MISUSE;
    lsm_abort(open);
    wrong += lsm_close(reader, NULL) != BASIN_OK; /* leaves the parent's slot and lock alone */
    wrong += lsm_close(l->db, NULL) != BASIN_OK;
    return wrong;
}

static void
d25_a_handle_is_no_use_in_a_forked_child(void **state)
{
    struct ledger l;
    struct lsm *reader, *second;
    struct lsm_txn *open;
    int wait_status;

    (void)state;
    ledger_init(&l, 5);
    l.o.no_threads = false;
    ledger_open(&l);
    ledger_commits(&l, 3);
    reader = ledger_reader(&l, "parent");
    ledger_ok(&l, lsm_begin(l.db, &(struct lsm_begin){ .mode = LSM_WRITE }, &open, &l.err));
    ledger_ok(&l, lsm_put(open, BYTES_LIT("unasked"), BYTES_LIT("1"), &l.err));
    pid_t child = fork();
    if (child == 0)
        _exit(count_wrong_in_child(&l, reader, open));
    assert_int_equal(waitpid(child, &wait_status, 0), child);
    assert_int_equal(wait_status, 0);
    lsm_abort(open);
    assert_int_equal(lsm__readers_count(l.db), 1);
    ledger_status(&l, lsm_open(l.path, &l.o, &second, &l.err), BASIN_BUSY);
    {
        struct lsm_txn *txn = begin(&l, reader);
        churn(&l);
        ledger_check_txn(&l, txn);
        lsm_abort(txn);
    }
    close_reader(&l, reader);
    ledger_close(&l);
    ledger_release(&l);
}

/* A child that lives on must not keep the lock of a parent that is gone: it closes. */
static void
d25_a_forked_child_lets_go_of_the_lock(void **state)
{
    struct ledger l;
    int ready[2], end[2], wait_status;
    char byte = 0;

    (void)state;
    ledger_init(&l, 6);
    assert_int_equal(pipe(ready) | pipe(end), 0);
    pid_t parent = fork();
    if (parent == 0) {
        ledger_open(&l);
        if (fork() == 0) {
            (void)!lsm_close(l.db, NULL);
            (void)!write(ready[1], "r", 1);
            (void)close(end[1]);
            (void)!read(end[0], &byte, 1); /* until the test ends */
            _exit(0);
        }
        (void)!read(ready[0], &byte, 1);
        (void)!write(ready[1], "r", 1);
        (void)kill(getpid(), SIGKILL);
    }
    assert_int_equal(waitpid(parent, &wait_status, 0), parent);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    ledger_open(&l);
    ledger_close(&l);
    for (int i = 0; i < 2; i++) {
        (void)close(ready[i]);
        (void)close(end[i]);
    }
    ledger_release(&l);
}

/* What basin_stat says of a reader: the epoch it reads, the others beside it. */
static void
a_reader_counts_others_and_knows_its_epoch(void **state)
{
    struct ledger l;
    struct lsm *first, *second;
    struct lsm_stats s;
    uint64_t epoch;

    (void)state;
    ledger_init(&l, 7);
    ledger_open(&l);
    ledger_commits(&l, 3);
    first = ledger_reader(&l, "first");
    ledger_ok(&l, lsm_stat(first, &s, &l.err));
    assert_int_equal(s.readers, 0);
    assert_int_equal(s.epoch, l.db->log->epoch);
    assert_int_equal(s.seqno, l.now.seqno);
    second = ledger_reader(&l, "second");
    ledger_ok(&l, lsm_stat(first, &s, &l.err));
    assert_int_equal(s.readers, 1);
    ledger_ok(&l, lsm_stat(l.db, &s, &l.err));
    assert_int_equal(s.readers, 2);
    epoch = s.epoch;
    ledger_commits(&l, 600); /* rolls */
    ledger_refresh(&l, first);
    ledger_ok(&l, lsm_stat(first, &s, &l.err));
    assert_int_equal(s.epoch, l.db->log->epoch);
    assert_true(s.epoch > epoch);
    close_reader(&l, first);
    close_reader(&l, second);
    ledger_close(&l);
    ledger_release(&l);
}

static void
a_reader_keeps_within_its_memory(void **state)
{
    struct ledger l;
    struct lsm_options o;
    struct lsm *reader;
    uint64_t seqno;

    (void)state;
    ledger_init(&l, 6);
    l.o.memtable_size = 4 * MIB;
    l.o.mem_limit = 16 * MIB;
    ledger_open(&l);
    ledger_commits(&l, 1500);
    o = l.o;
    o.read_only = true;
    o.mem_limit = 256 * KIB;
    ledger_status(&l, lsm_open(l.path, &o, &reader, &l.err), BASIN_LIMIT);
    o.mem_limit = 16 * MIB;
    ledger_ok(&l, lsm_open(l.path, &o, &reader, &l.err));
    assert_int_equal(ledger_check(&l, reader), l.now.seqno);
    close_reader(&l, reader);
    ledger_ok(&l, lsm_flush(l.db, &l.err));
    o.mem_limit = 256 * KIB; /* the writer has shed it */
    ledger_ok(&l, lsm_open(l.path, &o, &reader, &l.err));
    assert_int_equal(ledger_check(&l, reader), l.now.seqno);
    ledger_commits(&l, 1500);
    ledger_status(&l, lsm_refresh(reader, &seqno, &l.err), BASIN_LIMIT);
    ledger_ok(&l, lsm_flush(l.db, &l.err));
    ledger_ok(&l, lsm_refresh(reader, &seqno, &l.err));
    assert_int_equal(ledger_check(&l, reader), l.now.seqno);
    close_reader(&l, reader);
    ledger_close(&l);
    ledger_release(&l);
}

/* ------------------------------------------------------------------ refreshing */

static void
random_writer_step(struct ledger *l, bool threads)
{
    uint64_t seqno;

    switch (chance_below(&l->c, 14)) {
    case 0:
        ledger_ok(l, lsm_flush(l->db, &l->err));
        break;
    case 1:
        ledger_ok(l, lsm_compact(l->db, NULL, &l->err));
        break;
    case 2:
        ledger_ok(l, lsm__checkpoint(l->db, &l->err));
        break;
    case 3:
        ledger_close(l);
        ledger_open(l);
        break;
    case 4: /* opened and closed with nothing done */
        ledger_close(l);
        ledger_open(l);
        ledger_close(l);
        ledger_open(l);
        break;
    case 5:
        ledger_ok(l, lsm_pin(l->db, "p", "me", &seqno, &l->err));
        ledger_commits(l, 3);
        ledger_ok(l, lsm_unpin(l->db, "p", &l->err));
        break;
    case 6:
        if (!threads)
            ledger_pump(l);
        break;
    case 7:
        ledger_commits(l, 300); /* rolls */
        break;
    default:
        ledger_commits(l, 1 + (size_t)chance_below(&l->c, 20));
        break;
    }
}

struct follower {
    struct lsm *reader;
    struct lsm_txn *held;
};

/* A reader at its own pace; its old snapshot is looked at again before it lets go. */
static void
random_reader_step(struct ledger *l, struct follower *f)
{
    if (f->reader == NULL) {
        f->reader = ledger_reader(l, "follower");
        assert_int_equal(ledger_check(l, f->reader), l->now.seqno);
    } else if (f->held == NULL && chance_below(&l->c, 3) == 0) {
        f->held = begin(l, f->reader);
    } else if (f->held != NULL && chance_below(&l->c, 4) == 0) {
        ledger_check_txn(l, f->held);
        lsm_abort(f->held);
        f->held = NULL;
    } else if (f->held == NULL && chance_below(&l->c, 10) == 0) {
        close_reader(l, f->reader);
        f->reader = NULL;
    } else if (chance_below(&l->c, 2) == 0) {
        ledger_refresh(l, f->reader);
    } else {
        (void)ledger_check(l, f->reader);
    }
}

static void
follow_random_writer(uint64_t seed, bool threads, size_t steps)
{
    struct ledger l;
    struct follower followers[3] = { 0 };

    ledger_init(&l, seed);
    l.o.no_threads = !threads;
    ledger_open(&l);
    for (size_t i = 0; i < steps; i++) {
        random_writer_step(&l, threads);
        for (size_t k = 0; k < COUNT_OF(followers); k++)
            if (chance_below(&l.c, k + 1) == 0)
                random_reader_step(&l, &followers[k]);
    }
    for (size_t k = 0; k < COUNT_OF(followers); k++) {
        if (followers[k].held != NULL)
            ledger_check_txn(&l, followers[k].held);
        lsm_abort(followers[k].held);
        if (followers[k].reader != NULL) {
            ledger_refresh(&l, followers[k].reader);
            close_reader(&l, followers[k].reader);
        }
    }
    ledger_close(&l);
    ledger_release(&l);
}

static void
refresh_follows_flush_merge_checkpoint_roll_and_restart(void **state)
{
    struct chance c = chance_init("followers", 7);

    (void)state;
    for (size_t i = 0; i < test_scale(10); i++)
        follow_random_writer(chance_u64(&c), i % 3 == 2, 60);
}

/* In proportion to what is new: the same commits in one step or in many leave the same state, and
 * the state is loaded whole only at open. */
static void
refresh_reads_only_what_is_new(void **state)
{
    struct ledger l;
    struct lsm *reader;
    struct lsm_stats before, after;
    uint64_t seqno;

    (void)state;
    ledger_init(&l, 8);
    ledger_open(&l);
    ledger_commits(&l, 20);
    reader = ledger_reader(&l, "reader");
    for (int i = 0; i < 400; i++) {
        ledger_commits(&l, 1);
        if (i % 50 == 0)
            ledger_ok(&l, lsm_flush(l.db, &l.err));
        ledger_refresh(&l, reader);
    }
    assert_int_equal(lsm__reader_loads(reader), 1);
    ledger_ok(&l, lsm_stat(reader, &before, &l.err));
    for (int i = 0; i < 1000; i++)
        ledger_ok(&l, lsm_refresh(reader, &seqno, &l.err));
    ledger_ok(&l, lsm_stat(reader, &after, &l.err));
    assert_int_equal(before.mem_used, after.mem_used);
    close_reader(&l, reader);
    ledger_close(&l);
    ledger_release(&l);
}

/* Counted on the simulator, where every call is seen. */
static void
refresh_with_nothing_new_makes_no_calls(void **state)
{
    struct os_sim *sim;
    struct os_sim_options so = { .seed = 1, .maps = true, .mem = &base_malloc };
    struct ledger l = { .path = "db", .o = ledger_options(), .c = chance_of(9) };
    struct lsm *reader;
    uint64_t seqno, calls;

    (void)state;
    ledger_ok(&l, os_sim_new(&so, &sim, &l.err));
    l.o.os = os_sim_os(sim);
    ledger_open(&l);
    ledger_commits(&l, 50);
    reader = ledger_reader(&l, "reader");
    calls = os_sim_calls(sim);
    for (int i = 0; i < 1000; i++) {
        ledger_ok(&l, lsm_refresh(reader, &seqno, &l.err));
        assert_int_equal(seqno, l.now.seqno);
    }
    assert_int_equal(os_sim_calls(sim), calls);
    ledger_commits(&l, 1);
    calls = os_sim_calls(sim);
    ledger_ok(&l, lsm_refresh(reader, &seqno, &l.err));
    assert_in_range(os_sim_calls(sim) - calls, 1, 8);
    ledger_refresh(&l, reader);
    close_reader(&l, reader);
    ledger_close(&l);
    free(l.states);
    os_sim_free(sim);
}

/* ------------------------------------------------------------------ holding */

/* E31, E46: an old snapshot stays readable, also in strata that are opened for the first time
 * after the writer has retired them; then its space comes back. */
static void
an_old_snapshot_outlives_what_it_reads(void **state)
{
    struct ledger l;
    struct lsm *reader, *other;
    struct lsm_txn *txn;

    (void)state;
    ledger_init(&l, 10);
    ledger_open(&l);
    churn(&l);
    ledger_ok(&l, lsm_flush(l.db, &l.err));
    reader = ledger_reader(&l, "holder");
    txn = begin(&l, reader); /* nothing was read: no stratum is open */
    for (int i = 0; i < 4; i++)
        churn(&l);
    assert_true(count_files(&l, "strata") > live_strata(&l));
    ledger_check_txn(&l, txn);
    other = ledger_reader(&l, "other"); /* a newer one holds nothing of it */
    ledger_check(&l, other);
    ledger_refresh(&l, reader);
    churn(&l);
    assert_true(count_files(&l, "strata") > live_strata(&l));
    ledger_check_txn(&l, txn);
    lsm_abort(txn);
    ledger_refresh(&l, reader);
    ledger_refresh(&l, other);
    ledger_pump(&l);
    assert_int_equal(count_files(&l, "strata"), live_strata(&l));
    close_reader(&l, reader);
    close_reader(&l, other);
    ledger_close(&l);
    ledger_release(&l);
}

/* When a snapshot ends, its reader lets go of the files of it: a map would keep their blocks. */
static void
the_end_of_a_snapshot_gives_its_files_back(void **state)
{
    struct ledger l;
    struct lsm *reader;
    struct lsm_txn *txn;

    (void)state;
    ledger_init(&l, 21);
    ledger_open(&l);
    churn(&l);
    reader = ledger_reader(&l, "reader");
    txn = begin(&l, reader);
    ledger_check_txn(&l, txn);
    ledger_commits(&l, 50);
    ledger_ok(&l, lsm_compact(l.db, NULL, &l.err));
    ledger_refresh(&l, reader);
    assert_int_equal(lsm__reader_loads(reader), 1);
    assert_true(count_files(&l, "strata") > live_strata(&l));
    lsm_abort(txn);
    assert_null(reader->dead);
    ledger_pump(&l);
    assert_int_equal(count_files(&l, "strata"), live_strata(&l));
    close_reader(&l, reader);
    ledger_close(&l);
    ledger_release(&l);
}

/* In a reader, an open snapshot is found again by its seqno, with its own version. */
static void
a_snapshot_is_found_again_by_its_seqno(void **state)
{
    struct ledger l;
    struct lsm *reader;
    struct lsm_txn *txn, *again;
    struct lsm_begin how = { .mode = LSM_READ };

    (void)state;
    ledger_init(&l, 11);
    ledger_open(&l);
    churn(&l);
    reader = ledger_reader(&l, "reader");
    txn = begin(&l, reader);
    how.at_seqno = lsm_txn_seqno(txn);
    churn(&l);
    ledger_refresh(&l, reader);
    ledger_ok(&l, lsm_begin(reader, &how, &again, &l.err));
    lsm_abort(txn);
    ledger_check_txn(&l, again);
    lsm_abort(again);
    ledger_status(&l, lsm_begin(reader, &how, &again, &l.err), BASIN_TOO_OLD);
    close_reader(&l, reader);
    ledger_close(&l);
    ledger_release(&l);
}

/* A child that opens a reader, takes a snapshot, says so, and sleeps until it is killed. */
static pid_t
spawn_holder(struct ledger *l, const char *name)
{
    int ready[2];
    char byte = 0;
    pid_t child;

    assert_int_equal(pipe(ready), 0);
    child = fork();
    if (child == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* goes with a test that fails */
        struct lsm *reader = ledger_reader(l, name);
        struct lsm_txn *txn = begin(l, reader);
        byte = txn != NULL;
        if (write(ready[1], &byte, 1) != 1)
            _exit(1);
        for (;;)
            (void)pause();
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    (void)close(ready[0]);
    (void)close(ready[1]);
    return child;
}

static void
kill_and_wait(pid_t child)
{
    int wait_status;

    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &wait_status, 0), child);
}

struct listed {
    size_t count;
    uint64_t seqno, held_bytes;
    char name[READERS_NAME_SIZE];
};

static int
note_listed(void *ctx, const struct lsm_reader_info *r)
{
    struct listed *l = ctx;

    l->count++;
    l->seqno = r->seqno;
    l->held_bytes = r->held_bytes;
    (void)snprintf(l->name, sizeof l->name, "%s", r->name);
    return 0;
}

/* A stopped reader is named with what it holds; a killed one keeps nothing. */
static void
a_killed_reader_keeps_nothing(void **state)
{
    struct ledger l;
    struct listed listed = { 0 };
    pid_t child;
    uint64_t seqno;
    struct lsm_stats s;

    (void)state;
    ledger_init(&l, 12);
    ledger_open(&l);
    churn(&l);
    seqno = l.now.seqno;
    child = spawn_holder(&l, "sleeper");
    for (int i = 0; i < 3; i++)
        churn(&l);
    ledger_ok(&l, lsm_reader_list(l.db, note_listed, &listed, &l.err));
    assert_int_equal(listed.count, 1);
    assert_string_equal(listed.name, "sleeper");
    assert_int_equal(listed.seqno, seqno);
    assert_true(listed.held_bytes > 0);
    assert_true(count_files(&l, "strata") > live_strata(&l));
    ledger_ok(&l, lsm_stat(l.db, &s, &l.err));
    assert_int_equal(s.readers, 1);
    assert_true(s.retired_bytes > 0);
    kill_and_wait(child);
    ledger_pump(&l);
    assert_int_equal(count_files(&l, "strata"), live_strata(&l));
    assert_int_equal(lsm__readers_count(l.db), 0);
    ledger_ok(&l, lsm_stat(l.db, &s, &l.err));
    assert_int_equal(s.retired_bytes, 0);
    ledger_close(&l);
    ledger_release(&l);
}

/* What a reader holds across a restart of the writer goes when the reader goes. */
static void
what_a_reader_holds_survives_the_writer(void **state)
{
    struct ledger l;
    struct lsm *reader;
    struct lsm_txn *txn;

    (void)state;
    ledger_init(&l, 13);
    ledger_open(&l);
    churn(&l);
    reader = ledger_reader(&l, "reader");
    txn = begin(&l, reader);
    churn(&l);
    ledger_close(&l);
    ledger_open(&l);
    churn(&l);
    ledger_pump(&l);
    assert_true(count_files(&l, "strata") > live_strata(&l));
    ledger_check_txn(&l, txn);
    lsm_abort(txn);
    ledger_refresh(&l, reader);
    ledger_pump(&l);
    assert_int_equal(count_files(&l, "strata"), live_strata(&l));
    close_reader(&l, reader);
    ledger_close(&l);
    ledger_release(&l);
}

/* ------------------------------------------------------------------ the table */

static void
the_table_is_small_and_grows(void **state)
{
    struct ledger l;
    struct lsm *reader, *other;
    struct os_file *f;
    char path[SCRATCH_PATH_MAX + 16];
    uint64_t size;

    (void)state;
    ledger_init(&l, 14);
    ledger_open(&l);
    ledger_commits(&l, 5);
    (void)snprintf(path, sizeof path, "%s/readers", l.path);
    ledger_ok(&l, os_open(os_posix(), path, OS_WRITE, &f, &l.err));
    ledger_ok(&l, os_size(f, &size, &l.err));
    assert_int_equal(size, READERS_HEADER_SIZE + READERS_SLOTS_START * READERS_SLOT_SIZE);
    ledger_ok(&l, os_lock(f, READERS_SLOT_LOCK_AT, READERS_SLOTS_START, OS_LOCK_EXCLUSIVE, &l.err));
    reader = ledger_reader(&l, "late");
    other = ledger_reader(&l, "later");
    ledger_ok(&l, os_unlock(f, READERS_SLOT_LOCK_AT, READERS_SLOTS_START, &l.err));
    assert_int_equal(reader->readers->slot, READERS_SLOTS_START);
    assert_int_equal(other->readers->slot, READERS_SLOTS_START + 1);
    assert_int_equal(lsm__readers_count(l.db), 2);
    {
        struct lsm_txn *txn = begin(&l, reader);
        churn(&l);
        ledger_check_txn(&l, txn);
        lsm_abort(txn);
    }
    close_reader(&l, reader);
    assert_int_equal(lsm__readers_count(l.db), 1);
    close_reader(&l, other);
    os_close(f);
    ledger_close(&l);
    ledger_release(&l);
}

static void
a_full_table_names_its_holders(void **state)
{
    struct ledger l;
    struct lsm *reader, *none;
    struct lsm_options o;
    struct os_file *f;
    char path[SCRATCH_PATH_MAX + 16];

    (void)state;
    ledger_init(&l, 15);
    ledger_open(&l);
    reader = ledger_reader(&l, "the holder");
    (void)snprintf(path, sizeof path, "%s/readers", l.path);
    ledger_ok(&l, os_open(os_posix(), path, OS_WRITE, &f, &l.err));
    ledger_ok(&l,
              os_lock(f, READERS_SLOT_LOCK_AT + 1, READERS_SLOTS_MAX, OS_LOCK_EXCLUSIVE, &l.err));
    o = l.o;
    o.read_only = true;
    ledger_status(&l, lsm_open(l.path, &o, &none, &l.err), BASIN_LIMIT);
    assert_non_null(strstr(l.err.what, "the holder"));
    os_close(f);
    close_reader(&l, reader);
    ledger_close(&l);
    ledger_release(&l);
}

/* A table of another database, or of rubbish, is made anew. */
static void
a_damaged_table_is_made_anew(void **state)
{
    struct ledger l;
    struct lsm *reader;
    struct os_file *f;
    char path[SCRATCH_PATH_MAX + 16];
    uint8_t rubbish[READERS_HEADER_SIZE + 4096];

    (void)state;
    ledger_init(&l, 16);
    (void)snprintf(path, sizeof path, "%s/readers", l.path);
    for (int round = 0; round < 12; round++) {
        ledger_open(&l);
        ledger_commits(&l, 20);
        ledger_close(&l);
        ledger_ok(&l, os_open(os_posix(), path, OS_WRITE, &f, &l.err));
        chance_bytes(&l.c, rubbish, sizeof rubbish);
        if (round % 3 == 0)
            ledger_ok(&l, os_truncate(f, chance_below(&l.c, 8000), &l.err));
        else if (round % 3 == 1)
            ledger_ok(&l, os_write(f, 0, rubbish, sizeof rubbish, &l.err));
        else /* the sealed part of the header stays */
            ledger_ok(&l, os_write(f, 64, rubbish, sizeof rubbish, &l.err));
        os_close(f);
        if (round % 2 == 0) {
            reader = ledger_reader(&l, "reader");
            assert_int_equal(ledger_check(&l, reader), l.now.seqno);
            ledger_open(&l);
        } else {
            ledger_open(&l);
            reader = ledger_reader(&l, "reader");
        }
        ledger_commits(&l, 20);
        ledger_refresh(&l, reader);
        churn(&l);
        ledger_refresh(&l, reader);
        ledger_pump(&l);
        assert_int_equal(count_files(&l, "strata"), live_strata(&l));
        close_reader(&l, reader);
        ledger_close(&l);
    }
    ledger_release(&l);
}

/* ------------------------------------------------------------------ no right to the table */

static basin_status
refuse_writing(struct os *os, const char *path, unsigned flags, struct os_file **out,
               basin_error *err)
{
    (void)os;
    if ((flags & OS_WRITE) != 0 && strstr(path, "/readers") != NULL) {
        *out = NULL;
        return error_set(err, BASIN_READ_ONLY, "%s: no right to write", path);
    }
    return os_open(os_posix(), path, flags, out, err);
}

static void
without_the_right_to_the_table_a_snapshot_may_end(void **state)
{
    struct ledger l;
    struct lsm *reader;
    struct lsm_txn *txn;
    struct lsm_options o;
    struct ledger_state seen;
    struct os_ops ops = *os_posix()->ops;
    struct os restricted = { .ops = &ops, .threads = true, .maps = true };

    (void)state;
    ops.open = refuse_writing;
    ledger_init(&l, 17);
    ledger_open(&l);
    churn(&l);
    o = l.o;
    o.read_only = true;
    o.os = &restricted;
    ledger_ok(&l, lsm_open(l.path, &o, &reader, &l.err));
    assert_int_equal(ledger_check(&l, reader), l.now.seqno);
    ledger_commits(&l, 5);
    ledger_refresh(&l, reader);
    assert_int_equal(lsm__readers_count(l.db), 0);
    close_reader(&l, reader);
    ledger_ok(&l, lsm_flush(l.db, &l.err));
    ledger_ok(&l, lsm_open(l.path, &o, &reader, &l.err));
    txn = begin(&l, reader); /* it has not opened any stratum yet */
    churn(&l);
    ledger_status(&l, ledger_look(txn, &seen, &l.err), BASIN_TOO_OLD);
    lsm_abort(txn);
    ledger_refresh(&l, reader);
    close_reader(&l, reader);
    ledger_close(&l);
    o.os = NULL;
    {
        char path[SCRATCH_PATH_MAX + 16];
        (void)snprintf(path, sizeof path, "%s/readers", l.path);
        assert_int_equal(unlink(path), 0);
    }
    o.os = &restricted; /* no table at all, and nobody writes */
    ledger_ok(&l, lsm_open(l.path, &o, &reader, &l.err));
    assert_int_equal(ledger_check(&l, reader), l.now.seqno);
    close_reader(&l, reader);
    ledger_release(&l);
}

/* ------------------------------------------------------------------ the race with deletion */

/*
 * The calls of one side are intercepted, and the other side acts inside them. First the writer's:
 * at each of them a reader opens, and everything that it may read is read only after the call.
 * Whatever the writer decided before, and removes after, must not be missing (decision 15). Then
 * the reader's: the writer works while the reader opens or refreshes.
 */
struct ambush {
    struct os os; /* first: ops get it */
    struct os_ops ops;
    struct ledger *l;
    void (*spring)(struct ambush *a);
    bool armed, inside, in_sync;
    uint64_t sprung;
    struct lsm *readers[24];
    struct lsm_txn *txns[24];
    size_t count;
};

static void
ambush_call(struct os *os, bool sync)
{
    struct ambush *a = (struct ambush *)os;

    if (!a->armed || a->inside)
        return;
    a->inside = true;
    a->in_sync = sync;
    a->spring(a);
    a->inside = false;
}

static void
reader_opens(struct ambush *a)
{
    struct lsm_options o = a->l->o;
    struct ledger_state seen;

    if (a->count == COUNT_OF(a->readers) || chance_below(&a->l->c, 3) != 0)
        return;
    o.os = os_posix();
    o.read_only = true;
    ledger_ok(a->l, lsm_open(a->l->path, &o, &a->readers[a->count], &a->l->err));
    a->txns[a->count] = begin(a->l, a->readers[a->count]);
    if (a->in_sync) { /* what is not durable yet is not seen */
        ledger_ok(a->l, ledger_look(a->txns[a->count], &seen, &a->l->err));
        assert_true(seen.seqno <= a->l->now.seqno);
    }
    a->count++;
    a->sprung++;
}

static void
ambush_clear(struct ambush *a)
{
    while (a->count > 0) {
        a->count--;
        ledger_check_txn(a->l, a->txns[a->count]);
        lsm_abort(a->txns[a->count]);
        close_reader(a->l, a->readers[a->count]);
    }
}

static basin_status
ambush_open(struct os *os, const char *path, unsigned flags, struct os_file **out, basin_error *err)
{
    basin_status st;

    if (strstr(path, "/values/") == NULL) /* opened with a mutex held */
        ambush_call(os, false);
    st = os_open(os_posix(), path, flags, out, err);
    if (st == BASIN_OK)
        (*out)->os = os; /* its calls come here, too */
    return st;
}

static basin_status
ambush_sync(struct os_file *f, bool data_only, basin_error *err)
{
    ambush_call(f->os, true);
    return os_posix()->ops->sync(f, data_only, err);
}

static basin_status
ambush_unlink(struct os *os, const char *path, basin_error *err)
{
    ambush_call(os, false);
    return os_unlink(os_posix(), path, err);
}

static basin_status
ambush_rename(struct os *os, const char *from, const char *to, basin_error *err)
{
    ambush_call(os, false);
    return os_rename(os_posix(), from, to, err);
}

static basin_status
ambush_list(struct os *os, const char *path, os_list_fn *fn, void *ctx, basin_error *err)
{
    ambush_call(os, false);
    return os_list(os_posix(), path, fn, ctx, err);
}

static basin_status
ambush_link(struct os *os, const char *from, const char *to, basin_error *err)
{
    ambush_call(os, false);
    return os_link(os_posix(), from, to, err);
}

static void
ambush_init(struct ambush *a, struct ledger *l, void (*spring)(struct ambush *))
{
    *a = (struct ambush){ .ops = *os_posix()->ops, .l = l, .spring = spring };
    a->os = (struct os){ .ops = &a->ops, .threads = true, .maps = true };
    a->ops.open = ambush_open;
    a->ops.sync = ambush_sync;
    a->ops.unlink = ambush_unlink;
    a->ops.rename = ambush_rename;
    a->ops.list = ambush_list;
    a->ops.link = ambush_link;
}

static void
a_reader_may_open_at_any_call_of_the_writer(void **state)
{
    struct chance c = chance_init("ambush", 18);

    (void)state;
    for (size_t round = 0; round < test_scale(6); round++) {
        struct ledger l;
        struct ambush a;
        ledger_init(&l, chance_u64(&c));
        ambush_init(&a, &l, reader_opens);
        l.o.os = &a.os;
        ledger_open(&l);
        ledger_commits(&l, 10);
        for (int i = 0; i < 12; i++) {
            a.armed = true;
            random_writer_step(&l, false);
            a.armed = false;
            ambush_clear(&a);
        }
        assert_true(a.sprung > 0);
        ledger_close(&l);
        ledger_release(&l);
    }
}

static void
writer_works(struct ambush *a)
{
    if (a->sprung >= 16 || chance_below(&a->l->c, 3) != 0)
        return;
    a->sprung++;
    if (chance_below(&a->l->c, 2) == 0) {
        random_writer_step(a->l, false);
        return;
    }
    ledger_commits(a->l, 30); /* retires, covers and removes all that was there */
    ledger_ok(a->l, lsm_compact(a->l->db, NULL, &a->l->err));
    ledger_ok(a->l, lsm__checkpoint(a->l->db, &a->l->err));
    ledger_pump(a->l);
}

static struct lsm *refreshing;

static void
begins_at_pin(struct ambush *a)
{
    struct lsm_txn *txn;

    a->sprung++;
    ledger_status(a->l,
                  lsm_begin(refreshing, &(struct lsm_begin){ .at_pin = "p" }, &txn, &a->l->err),
                  BASIN_NOT_FOUND);
}

/* Another thread that begins in the middle of a refresh meets the old state or the new one. */
static void
a_pin_shows_with_what_it_names(void **state)
{
    struct ledger l;
    struct ambush a;
    struct lsm_options o;
    struct lsm_txn *txn;
    uint64_t seqno;

    (void)state;
    ledger_init(&l, 23);
    ambush_init(&a, &l, begins_at_pin);
    ledger_open(&l);
    ledger_commits(&l, 10);
    o = l.o;
    o.read_only = true;
    o.os = &a.os;
    ledger_ok(&l, lsm_open(l.path, &o, &refreshing, &l.err));
    ledger_commits(&l, 10);
    ledger_ok(&l, lsm_pin(l.db, "p", "", &seqno, &l.err));
    ledger_commits(&l, 10);
    ledger_ok(&l, lsm_flush(l.db, &l.err)); /* log is read anew after its edit */
    a.armed = true;
    ledger_ok(&l, lsm_refresh(refreshing, &seqno, &l.err));
    a.armed = false;
    assert_true(a.sprung > 1);
    ledger_ok(&l, lsm_begin(refreshing, &(struct lsm_begin){ .at_pin = "p" }, &txn, &l.err));
    ledger_check_txn(&l, txn);
    lsm_abort(txn);
    close_reader(&l, refreshing);
    ledger_close(&l);
    ledger_release(&l);
}

static void
the_writer_may_work_at_any_call_of_a_reader(void **state)
{
    struct chance c = chance_init("counter-ambush", 20);

    (void)state;
    for (size_t round = 0; round < test_scale(25); round++) {
        struct ledger l;
        struct ambush a;
        struct lsm_options o;
        struct lsm *reader;
        struct lsm_txn *txn;
        uint64_t seqno;
        ledger_init(&l, chance_u64(&c));
        ambush_init(&a, &l, writer_works);
        ledger_open(&l);
        ledger_commits(&l, 10);
        random_writer_step(&l, false);
        o = l.o;
        o.read_only = true;
        o.os = &a.os;
        a.armed = true;
        ledger_ok(&l, lsm_open(l.path, &o, &reader, &l.err));
        a.armed = false;
        txn = begin(&l, reader);
        random_writer_step(&l, false);
        a.sprung = 0;
        a.armed = true;
        ledger_ok(&l, lsm_refresh(reader, &seqno, &l.err));
        a.armed = false;
        (void)ledger_check(&l, reader);
        ledger_check_txn(&l, txn);
        lsm_abort(txn);
        ledger_refresh(&l, reader);
        ledger_ok(&l, lsm_flush(l.db, &l.err));
        ledger_ok(&l, lsm__checkpoint(l.db, &l.err));
        ledger_pump(&l);
        ledger_refresh(&l, reader);
        ledger_pump(&l);
        assert_int_equal(count_files(&l, "strata"), live_strata(&l));
        close_reader(&l, reader);
        ledger_close(&l);
        ledger_release(&l);
    }
}

/* Decision 15: what an edit retires can be removed by another thread as soon as the edit shows; a
 * reader that opens then must know of it already. */
static void
look_at_header(struct lsm *db, void *ctx)
{
    struct readers_header h;
    bool *seen = ctx;

    assert_true(lsm__table_header(db->readers, &h));
    *seen = h.ready && h.end.epoch == db->log->epoch && h.end.at == db->log->end &&
            h.seqno == db->last_seqno;
}

static void
an_edit_is_published_before_it_shows(void **state)
{
    struct ledger l;
    struct edit edit;
    bool seen = false;

    (void)state;
    ledger_init(&l, 19);
    ledger_open(&l);
    ledger_commits(&l, 3);
    lsm__edit_init(&edit, l.db->mem);
    lsm__edit_seqno(&edit, l.now.seqno);
    ledger_ok(&l, lsm__publish(l.db, &edit, look_at_header, &seen, &l.err));
    lsm__edit_release(&edit);
    assert_true(seen);
    ledger_close(&l);
    ledger_release(&l);
}

/* ------------------------------------------------------------------ docs/format/readers.md */

/* The rows of the example, each at its offset in a table that is zero otherwise. */
static void
write_example(struct os_file *f)
{
    char path[1024], *at;
    struct buf page, row;

    buf_init(&page, &base_malloc);
    buf_init(&row, &base_malloc);
    test_source_path("docs/format/readers.md", path, sizeof path);
    assert_true(test_read_file(path, &page));
    assert_int_equal(buf_add(&page, "", 1), BASIN_OK);
    at = strstr((char *)page.data, "## Example");
    assert_non_null(at);
    at = strstr(at, "|---|---|");
    for (at = strchr(at, '\n'); at != NULL && at[1] == '|'; at = strchr(at + 1, '\n')) {
        char *hex = strchr(at + 2, '|') + 1, *end = strchr(hex, '|');
        buf_clear(&row);
        assert_true(hex_read(hex, (size_t)(end - hex), &row));
        assert_int_equal(os_write(f, strtoull(at + 2, NULL, 10), row.data, row.size, NULL),
                         BASIN_OK);
    }
    buf_release(&page);
    buf_release(&row);
}

static void
the_page_is_right(void **state)
{
    struct ledger l;
    struct lsm db = { .mem = &base_malloc,
                      .os = os_posix(),
                      .database_id = { 0x1716151413121110u, 0x1f1e1d1c1b1a1918u } };
    struct readers_header h;
    struct listed listed = { 0 };
    struct place oldest;
    struct os_file *f;
    char path[SCRATCH_PATH_MAX + 16];

    (void)state;
    ledger_init(&l, 22);
    (void)snprintf(db.path, sizeof db.path, "%s", l.path);
    (void)snprintf(path, sizeof path, "%s/readers", l.path);
    ledger_ok(&l, os_open(os_posix(), path, OS_WRITE | OS_CREATE, &f, &l.err));
    ledger_ok(&l, os_allocate(f, READERS_HEADER_SIZE + READERS_SLOTS_START * READERS_SLOT_SIZE,
                              &l.err));
    write_example(f);
    ledger_ok(&l, os_lock(f, READERS_SLOT_LOCK_AT, 1, OS_LOCK_EXCLUSIVE, &l.err));
    ledger_ok(&l, os_mutex_new(db.mem, LOCK_RANK_MU, "mu", &db.mu, &l.err));
    ledger_ok(&l, os_mutex_new(db.mem, LOCK_RANK_DEAD, "dead", &db.dead_mu, &l.err));
    ledger_ok(&l, lsm__table_open(&db, &db.readers, &l.err));
    assert_true(lsm__table_header(db.readers, &h));
    assert_true(h.ready && h.sequence == 5 && h.generation == 2);
    assert_true(h.end.epoch == 3 && h.end.at == 4096 && h.seqno == 77 && h.durable == 76);
    assert_int_equal(lsm__table_kept(db.readers), 2);
    oldest = lsm__readers_oldest(&db);
    assert_true(oldest.epoch == 2 && oldest.at == 1024);
    ledger_ok(&l, lsm_reader_list(&db, note_listed, &listed, &l.err));
    assert_int_equal(listed.count, 1);
    assert_int_equal(listed.seqno, 40);
    assert_string_equal(listed.name, "report");
    lsm__table_close(db.readers);
    os_mutex_free(db.mu);
    os_mutex_free(db.dead_mu);
    os_close(f);
    ledger_release(&l);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reader_may_be_the_first),
        cmocka_unit_test(a_reader_sees_what_a_killed_writer_left),
        cmocka_unit_test(a_second_writer_is_refused_and_told_by_whom),
        cmocka_unit_test(a_reader_writes_and_pins_nothing),
        cmocka_unit_test(a_pin_is_readable_in_a_reader),
        cmocka_unit_test(d25_a_handle_is_no_use_in_a_forked_child),
        cmocka_unit_test(d25_a_forked_child_lets_go_of_the_lock),
        cmocka_unit_test(a_reader_counts_others_and_knows_its_epoch),
        cmocka_unit_test(a_reader_keeps_within_its_memory),
        cmocka_unit_test(refresh_follows_flush_merge_checkpoint_roll_and_restart),
        cmocka_unit_test(refresh_reads_only_what_is_new),
        cmocka_unit_test(refresh_with_nothing_new_makes_no_calls),
        cmocka_unit_test(an_old_snapshot_outlives_what_it_reads),
        cmocka_unit_test(the_end_of_a_snapshot_gives_its_files_back),
        cmocka_unit_test(a_snapshot_is_found_again_by_its_seqno),
        cmocka_unit_test(a_killed_reader_keeps_nothing),
        cmocka_unit_test(what_a_reader_holds_survives_the_writer),
        cmocka_unit_test(the_table_is_small_and_grows),
        cmocka_unit_test(a_full_table_names_its_holders),
        cmocka_unit_test(a_damaged_table_is_made_anew),
        cmocka_unit_test(without_the_right_to_the_table_a_snapshot_may_end),
        cmocka_unit_test(a_reader_may_open_at_any_call_of_the_writer),
        cmocka_unit_test(a_pin_shows_with_what_it_names),
        cmocka_unit_test(the_writer_may_work_at_any_call_of_a_reader),
        cmocka_unit_test(an_edit_is_published_before_it_shows),
        cmocka_unit_test(the_page_is_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
