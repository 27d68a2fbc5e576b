// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * One writer process and several reader processes on one database, each of them killed, stopped and
 * started again at random (EC46 across processes). Every snapshot satisfies the invariants of the
 * ledger; a commit that the writer was told of is seen by everybody who looks after; in the end
 * nothing is left that keeps space.
 */
#include "lsm/ledger.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { READERS = 4 };

/* What the processes share, apart from the database. */
struct board {
    _Atomic uint64_t acked;     /* seqno of the newest commit that the writer was told of */
    _Atomic uint64_t snapshots; /* looked at */
    _Atomic uint64_t refreshes;
    _Atomic uint64_t commits;
    _Atomic uint64_t opened;
};

struct party {
    struct ledger l;
    struct board *board;
    pid_t writer, readers[READERS];
    bool stopped[READERS];
};

static uint64_t
now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ------------------------------------------------------------------ the children */

/* A child cannot use assertions of the framework: it tells and exits. */
static void
child_check(const struct ledger *l, basin_status st, const char *what)
{
    if (st == BASIN_OK)
        return;
    (void)fprintf(stderr, "process %ld: %s: %s: %s\n", (long)getpid(), what,
                  basin_status_name(st), l->err.what);
    _exit(1);
}

static void
child_must(bool truth, const char *what, uint64_t a, uint64_t b)
{
    if (truth)
        return;
    (void)fprintf(stderr, "process %ld: %s: %llu, %llu\n", (long)getpid(), what,
                  (unsigned long long)a, (unsigned long long)b);
    _exit(1);
}

static uint64_t
look(struct ledger *l, struct lsm_txn *txn, struct ledger_state *s)
{
    child_check(l, ledger_look(txn, s, &l->err), "look");
    return s->seqno;
}

static void
write_for_ever(struct party *p)
{
    struct ledger *l = &p->l;
    struct lsm_txn *txn;

    l->o.no_threads = false;
    l->o.lock_timeout_ms = 5000;
    child_check(l, lsm_open(l->path, &l->o, &l->db, &l->err), "open for writing");
    child_check(l, lsm_begin(l->db, &(struct lsm_begin){ .mode = LSM_READ }, &txn, &l->err),
                "begin");
    (void)look(l, txn, &l->now);
    lsm_abort(txn);
    child_must(l->now.seqno >= atomic_load(&p->board->acked), "the writer lost commits",
               l->now.seqno, atomic_load(&p->board->acked));
    for (;;) {
        child_check(l, ledger_commit(l, chance_below(&l->c, 20) == 0, &l->err), "commit");
        atomic_store(&p->board->acked, l->now.seqno);
        atomic_fetch_add(&p->board->commits, 1);
        l->count = 0; /* nobody asks for old states */
        if (chance_below(&l->c, 400) == 0)
            child_check(l, lsm_flush(l->db, &l->err), "flush");
        if (chance_below(&l->c, 1500) == 0)
            child_check(l, lsm_compact(l->db, NULL, &l->err), "compact");
        if (chance_below(&l->c, 3000) == 0) {
            child_check(l, lsm_close(l->db, &l->err), "close");
            child_check(l, lsm_open(l->path, &l->o, &l->db, &l->err), "open again");
        }
    }
}

/* Takes a snapshot, lets time and refreshes pass, and looks whether it is still the same. */
static void
read_some(struct party *p, struct lsm *reader, uint64_t *least)
{
    struct ledger *l = &p->l;
    struct ledger_state first, again;
    struct lsm_txn *txn;
    uint64_t acked, seqno = 0;

    child_check(l, lsm_begin(reader, &(struct lsm_begin){ .mode = LSM_READ }, &txn, &l->err),
                "begin");
    if (chance_below(&l->c, 2) == 0)
        (void)look(l, txn, &first);
    else
        first.seqno = 0;
    for (uint64_t n = chance_below(&l->c, 4); n > 0; n--) {
        acked = atomic_load(&p->board->acked);
        child_check(l, lsm_refresh(reader, &seqno, &l->err), "refresh");
        child_must(seqno >= *least, "a refresh went back", seqno, *least);
        child_must(seqno >= acked, "a refresh missed a commit", seqno, acked);
        *least = seqno;
        atomic_fetch_add(&p->board->refreshes, 1);
        if (chance_below(&l->c, 3) == 0)
            (void)usleep((useconds_t)chance_below(&l->c, 20000));
    }
    (void)look(l, txn, &again);
    if (first.seqno != 0)
        child_must(memcmp(&first, &again, sizeof first) == 0, "a snapshot changed", first.commits,
                   again.commits);
    lsm_abort(txn);
    atomic_fetch_add(&p->board->snapshots, 1);
}

static void
read_for_ever(struct party *p)
{
    struct ledger *l = &p->l;
    struct lsm *reader;
    uint64_t least, acked;

    l->o.read_only = true;
    l->o.name = "a reader of the test";
    for (;;) {
        acked = atomic_load(&p->board->acked);
        child_check(l, lsm_open(l->path, &l->o, &reader, &l->err), "open for reading");
        child_check(l, lsm_refresh(reader, &least, &l->err), "first refresh");
        child_must(least >= acked, "an open missed a commit", least, acked);
        atomic_fetch_add(&p->board->opened, 1);
        for (uint64_t n = chance_below(&l->c, 200); n > 0; n--)
            read_some(p, reader, &least);
        child_check(l, lsm_close(reader, &l->err), "close");
    }
}

/* ------------------------------------------------------------------ the parent */

static pid_t
spawn(struct party *p, void (*run)(struct party *p))
{
    uint64_t seed = chance_u64(&p->l.c);
    pid_t child = fork();

    if (child == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        p->l.c = chance_of(seed);
        run(p);
        _exit(0);
    }
    assert_true(child > 0);
    return child;
}

/* Waits for a child that was killed; one that found something wrong has exited. */
static void
reap(pid_t child)
{
    int wait_status = 0;

    (void)kill(child, SIGKILL);
    while (waitpid(child, &wait_status, 0) < 0)
        assert_int_equal(errno, EINTR);
    if (!WIFSIGNALED(wait_status) || WTERMSIG(wait_status) != SIGKILL)
        print_error("a child ended by itself: %x\n", (unsigned)wait_status);
    assert_true(WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGKILL);
}

static void
trouble(struct party *p)
{
    size_t i = (size_t)chance_below(&p->l.c, READERS);

    switch (chance_below(&p->l.c, 8)) {
    case 0:
    case 1:
        reap(p->writer);
        p->writer = spawn(p, write_for_ever);
        break;
    case 2:
    case 3: /* a reader sleeps, and is woken later */
        (void)kill(p->readers[i], p->stopped[i] ? SIGCONT : SIGSTOP);
        p->stopped[i] = !p->stopped[i];
        break;
    default:
        reap(p->readers[i]);
        p->readers[i] = spawn(p, read_for_ever);
        p->stopped[i] = false;
        break;
    }
}

static size_t
count_strata(const char *path)
{
    char name[SCRATCH_PATH_MAX + 16];
    struct dirent *e;
    size_t n = 0;
    DIR *dir;

    (void)snprintf(name, sizeof name, "%s/strata", path);
    dir = opendir(name);
    while (dir != NULL && (e = readdir(dir)) != NULL)
        n += e->d_name[0] != '.';
    if (dir != NULL)
        (void)closedir(dir);
    return n;
}

static void
readers_and_the_writer_may_die_at_any_time(void **state)
{
    struct chance c = chance_init("processes", 1);
    struct party p = { 0 };
    uint64_t end;
    struct board *b;

    (void)state;
    ledger_init(&p.l, chance_u64(&c));
    b = mmap(NULL, sizeof *b, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(b != MAP_FAILED);
    p.board = b;
    ledger_open(&p.l);
    ledger_commits(&p.l, 1);
    atomic_store(&b->acked, p.l.now.seqno);
    ledger_close(&p.l);
    p.writer = spawn(&p, write_for_ever);
    for (size_t i = 0; i < READERS; i++)
        p.readers[i] = spawn(&p, read_for_ever);
    for (end = now_ms() + test_scale(3000); now_ms() < end;) {
        (void)usleep((useconds_t)chance_below(&p.l.c, 60000));
        trouble(&p);
    }
    reap(p.writer);
    for (size_t i = 0; i < READERS; i++)
        reap(p.readers[i]);
    p.l.count = 0;
    ledger_open(&p.l);
    ledger_pump(&p.l);
    assert_int_equal(count_strata(p.l.path), p.l.db->manifest.stratum_count);
    assert_int_equal(lsm__readers_count(p.l.db), 0);
    ledger_close(&p.l);
    print_message("%llu commits, %llu readers opened, %llu refreshes, %llu snapshots\n",
                  (unsigned long long)atomic_load(&b->commits),
                  (unsigned long long)atomic_load(&b->opened),
                  (unsigned long long)atomic_load(&b->refreshes),
                  (unsigned long long)atomic_load(&b->snapshots));
    assert_true(atomic_load(&b->snapshots) > 0 && atomic_load(&b->commits) > 0);
    (void)munmap(b, sizeof *b);
    ledger_release(&p.l);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_and_the_writer_may_die_at_any_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
