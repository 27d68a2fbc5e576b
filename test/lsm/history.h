// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Random histories with crashes: lives of a process, each a list of steps that ends in a crash of
 * the machine or of the process, at any change. Every item has chance of its own, so that one can
 * be left out and the others stay what they are: a failing history is shrunk like that (shrink.h).
 *
 * Beside what a rig does by itself a step fills a log until it rolls, takes a checkpoint, commits
 * in a group, follows the change feed with a hold, or reads from another process.
 * Why and how long: docs/notes/0033-how-crashes-are-tested.md.
 */
#ifndef TEST_LSM_HISTORY_H
#define TEST_LSM_HISTORY_H

#include "lsm/crash.h"
#include "lsm/sites.h"
#include "lsm/txn.h"

enum { HISTORY_LIVES = 12, HISTORY_STEPS = 20, HISTORY_MAX = HISTORY_LIVES * (HISTORY_STEPS + 1) };

struct history_item {
    bool life; /* begins a life; else it is a step */
    uint64_t seed;
};

struct history {
    uint64_t seed;
    bool talks; /* tells each step on stderr */
    size_t count;
    struct history_item items[HISTORY_MAX];
};

/* One history at work. */
struct player {
    struct rig r;
    struct sites *sites; /* NULL = nobody counts */
    bool lossy;          /* the last crash was a power loss */
    /* a consumer of the change feed that holds log from behind `held` */
    bool holds;
    uint64_t held;
    struct lsm_feed *feed;
    /* a commit that waits in the queue until a leader comes */
    struct lsm_txn *follower;
    struct request queued;
    /* a reader process */
    struct os *reader_os;
    struct test_memory reader_memory;
    struct lsm *reader;
    struct lsm_txn *reader_txn;
    uint64_t reader_seqno;
};

static inline void
history_make(struct history *h, uint64_t seed, size_t lives)
{
    struct chance c = chance_of(seed);

    h->seed = seed;
    h->talks = false;
    h->count = 0;
    for (size_t i = 0; i < lives * (HISTORY_STEPS + 1) && i < HISTORY_MAX; i++)
        h->items[h->count++] =
            (struct history_item){ i % (HISTORY_STEPS + 1) == 0, chance_u64(&c) };
}

/* From here on chance is that of one item; messages still name the history. */
static inline void
player_chance(struct player *p, uint64_t seed)
{
    p->r.c.state = chance_of(seed).state;
}

/* ------------------------------------------------------------------ the reader process */

static inline void
player_reader_close(struct player *p)
{
    lsm_abort(p->reader_txn);
    p->reader_txn = NULL;
    if (p->reader != NULL)
        assert_int_not_equal(lsm_close(p->reader, NULL), BASIN_BUSY);
    p->reader = NULL;
    p->r.shared = false;
    assert_int_equal(p->reader_memory.live, 0);
}

static inline void
player_reader_begin(struct player *p)
{
    struct rig *r = &p->r;

    lsm_abort(p->reader_txn);
    p->reader_txn = NULL;
    rig_ok(r,
           lsm_begin(p->reader, &(struct lsm_begin){ .mode = LSM_READ }, &p->reader_txn, &r->err));
    p->reader_seqno = lsm_txn_seqno(p->reader_txn);
    assert_int_equal(p->reader_seqno, r->seqno);
}

/* Opens a reader, or lets it look at its snapshot, refresh or end. */
static inline void
player_read(struct player *p)
{
    struct rig *r = &p->r;
    struct lsm_options o = r->o;
    uint64_t seqno;

    if (!r->os->maps)
        return;
    if (p->reader == NULL) {
        o.os = p->reader_os;
        o.mem = &p->reader_memory.table;
        o.read_only = true;
        r->shared = true;
        rig_ok(r, lsm_open(r->path, &o, &p->reader, &r->err));
        player_reader_begin(p);
        return;
    }
    rig_check_txn(r, p->reader_txn, p->reader_seqno, rig_chance(r, 2));
    if (rig_chance(r, 3)) {
        player_reader_close(p);
    } else if (rig_chance(r, 2)) {
        rig_ok(r, lsm_refresh(p->reader, &seqno, &r->err));
        assert_int_equal(seqno, r->seqno);
        player_reader_begin(p);
    }
}

/* ------------------------------------------------------------------ the change feed */

/* Everything since `held` comes that is on disk, without a gap; and no crash takes back what came.
 */
static inline void
player_follow(struct player *p)
{
    struct rig *r = &p->r;
    struct lsm_change change;
    uint64_t seqno = p->held;
    basin_status st;

    rig_ok(r, lsm_feed_open(r->db, p->held, &p->feed, &r->err));
    while ((st = lsm_feed_next(p->feed, &change, &r->err)) == BASIN_OK) {
        if (change.kind != LSM_CHANGE_LOAD)
            assert_int_equal(change.seqno, seqno + 1);
        seqno = change.kind == LSM_CHANGE_SPILL ? change.commit_seqno : change.seqno;
    }
    rig_status(r, st, BASIN_END);
    assert_in_range(seqno, MAX_OF(p->held, r->durable), r->seqno);
    if (seqno > p->held)
        rig_durable(r, seqno);
    lsm_feed_close(p->feed);
    p->feed = NULL;
}

static inline void
player_hold(struct player *p, uint64_t seqno)
{
    struct rig *r = &p->r;

    p->holds = false; /* unless the call returns */
    rig_ok(r, lsm_feed_hold(r->db, "player", seqno, UINT64_MAX / 2, &r->err));
    rig_durable(r, r->seqno);
    p->holds = seqno != UINT64_MAX;
    p->held = seqno;
}

static inline void
player_feed(struct player *p)
{
    struct rig *r = &p->r;

    if (p->holds)
        player_follow(p);
    player_hold(p, rig_chance(r, 4) ? UINT64_MAX : r->seqno);
}

/* ------------------------------------------------------------------ special commits */

/* A commit that fills a log, so that the epoch rolls, or, by itself, would be spilled. */
static inline void
player_fill(struct player *p)
{
    struct rig *r = &p->r;
    uint8_t data[WALK_KEY_SIZE];
    struct lsm_txn *txn;
    uint64_t next = r->seqno + 1, seqno, spill_size = r->db->o.spill_size;
    size_t n = (size_t)MIN_OF(r->o.value_threshold - 1, (uint64_t)2900);

    if (n < 2000)
        return; /* would take too many */
    if (!rig_chance(r, 5))
        r->db->o.spill_size = UINT64_MAX;
    rig_begin(r, LSM_WRITE, &r->txn);
    txn = r->txn;
    for (size_t i = 0; i < LOG_SIZE_START / n; i++) {
        struct bytes key = rig_key(r, data);
        if (r->plain && rig_counts(key))
            continue;
        memset(r->value, (int)chance_below(&r->c, 256), n);
        rig_ok(r, lsm_put(txn, key, bytes_of(r->value, n), &r->err));
        oracle_put(r->oracle, key, bytes_of(r->value, n), next++);
    }
    r->txn = NULL;
    rig_mark(r, next - 1);
    rig_ok(r, lsm_commit(txn, false, &seqno, &r->err));
    assert_int_equal(seqno, next - 1);
    r->seqno = seqno;
    r->db->o.spill_size = spill_size;
}

/* Small puts and deletes, which need nothing done before they are submitted. */
static inline void
player_small_changes(struct player *p, struct lsm_txn *txn, uint64_t *next)
{
    struct rig *r = &p->r;
    uint8_t data[WALK_KEY_SIZE];

    for (uint64_t n = 1 + chance_below(&r->c, 3); n > 0; n--) {
        struct bytes key = rig_key(r, data);
        rig_ok(r, lsm_delete(txn, key, &r->err));
        oracle_delete(r->oracle, key, (*next)++);
        if (rig_counts(key))
            continue;
        chance_bytes(&r->c, r->value, 24);
        rig_ok(r, lsm_put(txn, key, bytes_of(r->value, 24), &r->err));
        oracle_put(r->oracle, key, bytes_of(r->value, 24), (*next)++);
    }
    rig_mark(r, *next - 1);
}

/* Another thread's commit is in the queue when a leader comes: both are one group. */
static inline void
player_group(struct player *p)
{
    struct rig *r = &p->r;
    struct lsm *db = r->db;
    struct lsm_txn *leader;
    uint64_t next = r->seqno + 1, seqno;
    bool durable = rig_chance(r, 3);

    if (db->tail_unsafe || db->o.spill_size < 2000)
        return;
    rig_begin(r, LSM_WRITE, &p->follower);
    player_small_changes(p, p->follower, &next);
    rig_begin(r, LSM_WRITE, &r->txn);
    leader = r->txn;
    player_small_changes(p, leader, &next);
    p->queued = (struct request){ .kind = REQUEST_COMMIT,
                                  .ops = buf_bytes(&p->follower->ops),
                                  .op_count = p->follower->op_count,
                                  .durable = rig_chance(r, 2) };
    os_mutex_lock(db->queue_mu);
    assert_null(db->queue_head);
    db->queue_head = db->queue_tail = &p->queued;
    os_mutex_unlock(db->queue_mu);
    r->txn = NULL;
    rig_ok(r, lsm_commit(leader, durable, &seqno, &r->err));
    assert_true(p->queued.done);
    rig_ok(r, p->queued.status);
    assert_int_equal(seqno, next - 1);
    r->seqno = seqno;
    if (p->queued.durable)
        rig_durable(r, p->queued.seqno);
    if (durable)
        rig_durable(r, r->seqno);
    lsm_abort(p->follower);
    p->follower = NULL;
}

/* ------------------------------------------------------------------ playing */

static inline void
player_step(struct player *p)
{
    struct rig *r = &p->r;
    uint64_t dice = chance_below(&r->c, 100);

    if (dice < 73) {
        rig_step(r);
    } else if (dice < 78) {
        player_fill(p);
    } else if (dice < 82) {
        rig_ok(r, lsm__checkpoint(r->db, &r->err));
        rig_durable(r, r->seqno);
    } else if (dice < 87) {
        player_group(p);
    } else if (dice < 90) {
        player_feed(p);
    } else {
        player_read(p);
    }
}

/* Frees what the crash found open. */
static inline void
player_drop(struct player *p)
{
    lsm_feed_close(p->feed);
    p->feed = NULL;
    lsm_abort(p->follower);
    p->follower = NULL;
    player_reader_close(p);
    rig_drop(&p->r);
}

/* The crash that ends a life: at change n of it, or, when there are less, of its close; 0: later.
 */
struct crash {
    uint64_t n, in_close;
    enum os_crash_mode mode;
};

/* Items [from, to) are one life: it opens, works, and crashes. */
static inline void
player_live(struct player *p, const struct history *h, size_t from, size_t to, struct crash crash)
{
    struct rig *r = &p->r;
    jmp_buf jump;

    r->crashed = &jump;
    os_sim_crash_at(r->sim, crash.n);
    if (setjmp(jump) == 0) {
        rig_recover(r, p->lossy);
        p->lossy = false;
        for (size_t i = from; i < to; i++) {
            player_chance(p, h->items[i].seed);
            if (h->talks)
                print_error("%4zu: seqno %llu, log %llu at %llu, replay from %llu\n", i,
                            (unsigned long long)r->seqno, (unsigned long long)r->db->log->epoch,
                            (unsigned long long)r->db->log->end,
                            (unsigned long long)r->db->manifest.replay_from.epoch);
            player_step(p);
            sites_look(p->sites, r->db);
        }
        os_sim_crash_at(r->sim, crash.in_close); /* of the drop, which closes */
    }
    r->crashed = NULL;
    if (h->talks)
        print_error("      crash, mode %d, at change %llu of the life\n", (int)crash.mode,
                    (unsigned long long)crash.n);
    player_drop(p);
    os_sim_crash(r->sim, crash.mode);
    p->lossy = p->lossy || crash.mode != OS_CRASH_KILL;
}

/* The last look: what survived, that more can be done with it, and that nothing is left over. */
static inline void
player_end(struct player *p, uint64_t seed)
{
    struct rig *r = &p->r;

    player_chance(p, seed);
    rig_recover(r, p->lossy);
    rig_check(r, true);
    if (p->holds)
        player_follow(p);
    player_hold(p, UINT64_MAX);
    rig_ok(r, lsm_flush(r->db, &r->err));
    rig_settle(r);
    rig_check_files(r);
    rig_check(r, true);
    rig_close(r);
    rig_release(r);
}

static inline void
player_tell(void *ctx, const char *verb, const char *path, bool crashes)
{
    (void)ctx;
    print_error("        %s %s%s\n", verb, path, crashes ? ": crash" : "");
}

/* Fails the test, or ends the process by CMOCKA_TEST_ABORT, when the engine does wrong. */
static inline void
history_play(const struct history *h, struct sites *sites)
{
    struct player *p = calloc(1, sizeof *p);
    struct crash crash = { 0, 0, OS_CRASH_KILL };
    size_t from = 0;

    assert_non_null(p);
    p->sites = sites;
    rig_init(&p->r, h->seed, true);
    test_memory_init(&p->reader_memory);
    rig_ok(&p->r, os_sim_process(p->r.sim, &p->reader_os, &p->r.err));
    p->r.plain = true;
    p->r.o.memtable_size = 4 * KIB;
    sites_watch(sites, p->r.sim, &p->r.db);
    if (h->talks)
        os_sim_watch(p->r.sim, player_tell, NULL);
    for (size_t i = 0; i <= h->count; i++) {
        if (i < h->count && !h->items[i].life)
            continue;
        if (i > from)
            player_live(p, h, from, i, crash);
        if (i == h->count)
            break;
        player_chance(p, h->items[i].seed);
        if (i > 0)
            rig_random_options(&p->r);
        crash.n = 1 + chance_below(&p->r.c, rig_chance(&p->r, 3) ? 20 : 300);
        crash.in_close = 1 + chance_below(&p->r.c, 12);
        crash.mode = (enum os_crash_mode)chance_below(&p->r.c, 3);
        from = i + 1;
    }
    player_end(p, h->seed);
    if (sites != NULL)
        sites->histories++;
    free(p);
}

#endif
