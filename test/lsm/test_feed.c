// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The change feed (decisions 10 and 11): every change of every commit, in order, from any handle,
 * after restarts, from any seqno that log is kept for; TOO_OLD past it, and holds that keep it.
 */
#include "lsm/ledger.h"

#include <dirent.h>

#include "lsm/log_format.h"

enum { FEED_KEY_MAX = 12, FEED_VALUE_MAX = 4000 };

/* What the feed must tell. */
struct expected {
    enum lsm_change_kind kind;
    uint64_t seqno, commit_seqno;
    char key[FEED_KEY_MAX], end[FEED_KEY_MAX];
    uint64_t value_size, value_hash;
    bool unbounded, out_of_line, last;
};

/* A writer that keeps a book of what it did. */
struct source_db {
    char path[SCRATCH_PATH_MAX];
    struct lsm_options o;
    struct lsm *db;
    struct chance c;
    struct os_sim *sim; /* NULL: a real directory */
    struct test_memory memory;
    struct expected *book;
    size_t count, capacity;
    uint64_t seqno;
    basin_error err;
};

#define feed_ok(s, call) feed_expect((s), (call), BASIN_OK, #call, __LINE__)
#define feed_status(s, call, want) feed_expect((s), (call), (want), #call, __LINE__)

static void
feed_expect(struct source_db *s, basin_status st, basin_status want, const char *call, int line)
{
    if (st == want)
        return;
    print_error("line %d: %s: %s, not %s: %s\n", line, call, basin_status_name(st),
                basin_status_name(want), st == BASIN_OK ? "" : s->err.what);
    _fail(__FILE__, line);
}

static void
source_open(struct source_db *s)
{
    feed_ok(s, lsm_open(s->path, &s->o, &s->db, &s->err));
}

static void
source_close(struct source_db *s)
{
    feed_ok(s, lsm_close(s->db, &s->err));
    s->db = NULL;
}

static void
source_init(struct source_db *s, uint64_t seed, bool sim)
{
    struct os_sim_options so = { .seed = seed, .maps = seed % 2 == 0, .mem = &base_malloc };

    memset(s, 0, sizeof *s);
    test_memory_init(&s->memory);
    s->c = chance_of(seed);
    s->o = ledger_options();
    s->o.mem = &s->memory.table;
    if (sim) {
        feed_ok(s, os_sim_new(&so, &s->sim, &s->err));
        s->o.os = os_sim_os(s->sim);
        memcpy(s->path, "db", 3);
    } else {
        scratch_make(s->path);
    }
    source_open(s);
}

static void
source_release(struct source_db *s)
{
    if (s->db != NULL)
        source_close(s);
    assert_int_equal(s->memory.live, 0);
    free(s->book);
    if (s->sim != NULL)
        os_sim_free(s->sim);
    else
        scratch_remove(s->path);
}

/* ------------------------------------------------------------------ writing */

static struct expected *
note(struct source_db *s, enum lsm_change_kind kind, const char *key)
{
    struct expected *e;

    if (s->count == s->capacity) {
        s->capacity = s->capacity ? s->capacity * 2 : 1024;
        s->book = realloc(s->book, s->capacity * sizeof *s->book);
        assert_non_null(s->book);
    }
    e = &s->book[s->count++];
    *e = (struct expected){ .kind = kind, .seqno = ++s->seqno };
    (void)snprintf(e->key, sizeof e->key, "%s", key);
    return e;
}

static struct bytes
text(const char *p)
{
    return bytes_of(p, strlen(p));
}

static void
one_put(struct source_db *s, struct lsm_txn *txn, const char *key)
{
    uint8_t value[FEED_VALUE_MAX];
    size_t n = (size_t)chance_below(&s->c, chance_below(&s->c, 10) == 0 ? FEED_VALUE_MAX : 300);
    struct expected *e = note(s, LSM_CHANGE_PUT, key);

    chance_bytes(&s->c, value, n);
    feed_ok(s, lsm_put(txn, text(key), bytes_of(value, n), &s->err));
    e->value_size = n;
    e->out_of_line = n >= s->o.value_threshold;
    e->value_hash = e->out_of_line ? 0 : hash64(value, n, 0);
}

static void
one_merge(struct source_db *s, struct lsm_txn *txn, const char *key)
{
    uint8_t v[10] = { LSM_OP_COUNTER, 1, (uint8_t)chance_below(&s->c, 100) };
    struct expected *e = note(s, LSM_CHANGE_MERGE, key);

    feed_ok(s, lsm_merge(txn, text(key), LSM_OP_COUNTER, bytes_of(v + 1, 9), &s->err));
    e->value_size = sizeof v;
    e->value_hash = hash64(v, sizeof v, 0);
}

static void
one_range(struct source_db *s, struct lsm_txn *txn, const char *key)
{
    struct expected *e = note(s, LSM_CHANGE_DELETE_RANGE, key);

    e->unbounded = chance_below(&s->c, 3) == 0;
    if (!e->unbounded) {
        assert_true(snprintf(e->end, sizeof e->end, "%sz", key) < (int)sizeof e->end);
        e->value_size = strlen(e->end);
        e->value_hash = hash64(e->end, strlen(e->end), 0);
    } else {
        e->value_hash = hash64("", 0, 0);
    }
    feed_ok(s, lsm_delete_range(txn, text(key), text(e->end), e->unbounded, &s->err));
}

static void
one_op(struct source_db *s, struct lsm_txn *txn)
{
    char key[FEED_KEY_MAX];

    (void)snprintf(key, sizeof key, "k%03u", (unsigned)chance_below(&s->c, 200));
    switch (chance_below(&s->c, 10)) {
    case 0:
        note(s, LSM_CHANGE_DELETE, key)->value_hash = hash64("", 0, 0);
        feed_ok(s, lsm_delete(txn, text(key), &s->err));
        break;
    case 1:
        one_range(s, txn, key);
        break;
    case 2:
        (void)snprintf(key, sizeof key, "m%u", (unsigned)chance_below(&s->c, 5));
        one_merge(s, txn, key);
        break;
    default:
        one_put(s, txn, key);
        break;
    }
}

static void
end_commit(struct source_db *s, size_t from, uint64_t seqno)
{
    assert_int_equal(seqno, s->seqno);
    for (size_t i = from; i < s->count; i++)
        s->book[i].commit_seqno = seqno;
    s->book[s->count - 1].last = true;
}

static void
commit(struct source_db *s)
{
    struct lsm_txn *txn;
    size_t from = s->count;
    uint64_t seqno;

    feed_ok(s, lsm_begin(s->db, &(struct lsm_begin){ .mode = LSM_WRITE }, &txn, &s->err));
    for (uint64_t n = 1 + chance_below(&s->c, 6); n > 0; n--)
        one_op(s, txn);
    feed_ok(s, lsm_commit(txn, chance_below(&s->c, 4) == 0, &seqno, &s->err));
    end_commit(s, from, seqno);
}

static void
load(struct source_db *s)
{
    struct lsm_load *l;
    size_t from = s->count;
    uint64_t seqno;
    char key[FEED_KEY_MAX];

    feed_ok(s, lsm_load_open(s->db, &(struct lsm_load_options){ 0 }, &l, &s->err));
    for (unsigned i = 0; i < 20; i++) {
        (void)snprintf(key, sizeof key, "l%03u", i);
        feed_ok(s, lsm_load_add(l, text(key), text("loaded"), &s->err));
    }
    feed_ok(s, lsm_load_commit(l, &seqno, &s->err));
    note(s, LSM_CHANGE_LOAD, "");
    end_commit(s, from, seqno);
}

static void
source_step(struct source_db *s)
{
    bool more;

    switch (chance_below(&s->c, 16)) {
    case 0:
        feed_ok(s, lsm_flush(s->db, &s->err));
        break;
    case 1:
        feed_ok(s, lsm_compact(s->db, NULL, &s->err));
        break;
    case 2:
        feed_ok(s, lsm__checkpoint(s->db, &s->err));
        break;
    case 3:
        feed_ok(s, lsm_pump(s->db, &more, &s->err));
        break;
    case 4:
        load(s);
        break;
    case 5:
        for (int i = 0; i < 150; i++)
            commit(s);
        break;
    default:
        commit(s);
        break;
    }
}

/* ------------------------------------------------------------------ comparing */

static void
same(const struct lsm_change *c, const struct expected *e)
{
    assert_int_equal(c->kind, e->kind);
    assert_int_equal(c->seqno, e->seqno);
    assert_int_equal(c->commit_seqno, e->commit_seqno);
    assert_int_equal(c->last_in_commit, e->last);
    assert_true(bytes_equal(c->key, text(e->key)));
    assert_int_equal(c->value_size, e->value_size);
    assert_int_equal(c->out_of_line, e->out_of_line);
    assert_int_equal(c->unbounded, e->unbounded);
    if (!e->out_of_line && e->kind != LSM_CHANGE_LOAD)
        assert_int_equal(hash64(c->value.data, c->value.size, 0), e->value_hash);
}

/* Takes changes until END; *at is the place in the book. */
static void
take(struct source_db *s, struct lsm_feed *f, size_t *at, size_t until)
{
    struct lsm_change c;

    while (*at < until) {
        feed_ok(s, lsm_feed_next(f, &c, &s->err));
        same(&c, &s->book[(*at)++]);
    }
    feed_status(s, lsm_feed_next(f, &c, &s->err), BASIN_END);
    assert_int_equal(c.seqno, 0);
}

static size_t
place_after(const struct source_db *s, uint64_t seqno)
{
    size_t i = 0;

    while (i < s->count && s->book[i].seqno <= seqno)
        i++;
    return i;
}

/* A feed tells what is on disk. */
static void
sync_all(struct source_db *s)
{
    feed_ok(s, lsm_sync(s->db, &s->err));
}

static void
check_from(struct source_db *s, struct lsm *handle, uint64_t since)
{
    struct lsm_feed *f;
    size_t at = place_after(s, since);
    uint64_t seqno;

    sync_all(s);
    feed_ok(s, lsm_refresh(handle, &seqno, &s->err));
    feed_ok(s, lsm_feed_open(handle, since, &f, &s->err));
    take(s, f, &at, s->count);
    lsm_feed_close(f);
}

static struct lsm *
reader_of(struct source_db *s)
{
    struct lsm_options o = s->o;
    struct lsm *reader;

    o.read_only = true;
    feed_ok(s, lsm_open(s->path, &o, &reader, &s->err));
    return reader;
}

static size_t
count_logs(struct source_db *s)
{
    uint64_t *logs;
    size_t count, capacity;

    feed_ok(s, lsm__log_list(s->db, &logs, &count, &capacity, &s->err));
    mem_free(s->db->mem, logs, capacity * sizeof *logs);
    return count;
}

/* ------------------------------------------------------------------ cases */

static void
every_change_in_order_from_any_seqno(void **state)
{
    struct chance seeds = chance_init("feed", 1);

    (void)state;
    for (size_t round = 0; round < test_scale(6); round++) {
        struct source_db s;
        struct lsm *reader;
        source_init(&s, chance_u64(&seeds), false);
        feed_ok(&s, lsm_feed_hold(s.db, "all", 0, UINT64_MAX, &s.err));
        for (int i = 0; i < 60; i++) {
            source_step(&s);
            if (chance_below(&s.c, 10) == 0) {
                source_close(&s);
                source_open(&s);
            }
        }
        reader = reader_of(&s);
        check_from(&s, s.db, 0);
        check_from(&s, reader, 0);
        check_from(&s, s.db, s.seqno);
        for (int i = 0; i < 20; i++)
            check_from(&s, i % 2 ? s.db : reader, chance_below(&s.c, s.seqno + 1));
        feed_ok(&s, lsm_close(reader, &s.err));
        source_release(&s);
    }
}

/* Feeds that follow while the writer works, is closed and opened. */
static void
feeds_follow_the_writer(void **state)
{
    struct chance seeds = chance_init("following", 2);

    (void)state;
    for (size_t round = 0; round < test_scale(6); round++) {
        struct source_db s;
        struct lsm *reader;
        struct lsm_feed *mine = NULL, *theirs;
        size_t at = 0, there = 0;
        uint64_t seqno;
        source_init(&s, chance_u64(&seeds), false);
        feed_ok(&s, lsm_feed_hold(s.db, "all", 0, UINT64_MAX, &s.err));
        reader = reader_of(&s);
        feed_ok(&s, lsm_feed_open(reader, 0, &theirs, &s.err));
        for (int i = 0; i < 80; i++) {
            if (mine == NULL)
                feed_ok(&s, lsm_feed_open(s.db, at ? s.book[at - 1].seqno : 0, &mine, &s.err));
            source_step(&s);
            sync_all(&s);
            if (chance_below(&s.c, 2) == 0)
                take(&s, mine, &at, s.count);
            if (chance_below(&s.c, 2) == 0) { /* a reader's feed sees what its handle sees */
                take(&s, theirs, &there, there);
                feed_ok(&s, lsm_refresh(reader, &seqno, &s.err));
                take(&s, theirs, &there, s.count);
            }
            if (chance_below(&s.c, 15) == 0) {
                feed_status(&s, lsm_close(s.db, &s.err), BASIN_BUSY);
                lsm_feed_close(mine);
                mine = NULL;
                source_close(&s);
                source_open(&s);
            }
        }
        lsm_feed_close(mine);
        lsm_feed_close(theirs);
        feed_ok(&s, lsm_close(reader, &s.err));
        source_release(&s);
    }
}

/* Puts one key, buffered. */
static void
put_buffered(struct source_db *s, const char *key)
{
    struct lsm_txn *txn;
    uint64_t seqno;
    size_t from = s->count;

    feed_ok(s, lsm_begin(s->db, &(struct lsm_begin){ .mode = LSM_WRITE }, &txn, &s->err));
    one_put(s, txn, key);
    feed_ok(s, lsm_commit(txn, false, &seqno, &s->err));
    end_commit(s, from, seqno);
}

/* What a power loss may take back is not told: its seqnos are given out again, and who resumes by
 * seqno would miss what gets them. */
static void
no_commit_is_told_before_it_is_on_disk(void **state)
{
    struct source_db s;
    struct lsm *reader;
    struct lsm_feed *mine, *theirs;
    struct lsm_change c;
    size_t at = 0, there = 0, kept;
    uint64_t seqno;

    (void)state;
    source_init(&s, 4, true);
    put_buffered(&s, "first");
    sync_all(&s);
    reader = reader_of(&s);
    feed_ok(&s, lsm_feed_open(s.db, 0, &mine, &s.err));
    feed_ok(&s, lsm_feed_open(reader, 0, &theirs, &s.err));
    take(&s, mine, &at, 1);
    take(&s, theirs, &there, 1);
    put_buffered(&s, "second");
    feed_ok(&s, lsm_refresh(reader, &seqno, &s.err));
    assert_int_equal(seqno, s.seqno);                            /* it is seen ... */
    feed_status(&s, lsm_feed_next(mine, &c, &s.err), BASIN_END); /* ... but not told */
    feed_status(&s, lsm_feed_next(theirs, &c, &s.err), BASIN_END);
    sync_all(&s);
    take(&s, mine, &at, 2);
    feed_status(&s, lsm_feed_next(theirs, &c, &s.err), BASIN_END);
    feed_ok(&s, lsm_refresh(reader, &seqno, &s.err));
    take(&s, theirs, &there, 2);
    put_buffered(&s, "lost");
    feed_status(&s, lsm_feed_next(mine, &c, &s.err), BASIN_END);
    kept = s.count - 1;
    os_sim_crash_at(s.sim, 1);
    lsm_feed_close(mine);
    lsm_feed_close(theirs);
    (void)!lsm_close(reader, &s.err);
    (void)!lsm_close(s.db, &s.err);
    os_sim_crash(s.sim, OS_CRASH_LOSE_ALL);
    source_open(&s);
    s.count = kept;
    s.seqno = s.book[kept - 1].seqno;
    put_buffered(&s, "next"); /* has the seqno of what was lost */
    sync_all(&s);
    feed_ok(&s, lsm_feed_open(s.db, s.book[at - 1].seqno, &mine, &s.err));
    take(&s, mine, &at, s.count);
    lsm_feed_close(mine);
    source_release(&s);
}

/* The writer was killed: who reads without one is told what the log proves. */
static void
a_tail_without_a_writer_is_told_when_the_next_one_has_it_on_disk(void **state)
{
    struct source_db s;
    struct lsm *reader;
    struct lsm_feed *f;
    size_t at = 0;

    (void)state;
    source_init(&s, 6, true);
    feed_ok(&s, lsm_feed_hold(s.db, "all", 0, UINT64_MAX, &s.err));
    put_buffered(&s, "first");
    sync_all(&s);
    put_buffered(&s, "second"); /* its record says that the first is on disk */
    put_buffered(&s, "third");
    os_sim_crash_at(s.sim, 1);
    (void)!lsm_close(s.db, &s.err);
    s.db = NULL;
    os_sim_crash(s.sim, OS_CRASH_KILL);
    reader = reader_of(&s);
    feed_ok(&s, lsm_feed_open(reader, 0, &f, &s.err));
    take(&s, f, &at, 1);
    lsm_feed_close(f);
    feed_ok(&s, lsm_close(reader, &s.err));
    source_open(&s);
    feed_ok(&s, lsm_feed_open(s.db, s.book[0].seqno, &f, &s.err));
    take(&s, f, &at, 3);
    lsm_feed_close(f);
    source_release(&s);
}

static void
covered_log_is_too_old(void **state)
{
    struct source_db s;
    struct lsm_feed *f;
    struct lsm_change c;
    uint64_t middle;
    size_t at;

    (void)state;
    source_init(&s, 3, false);
    for (int i = 0; i < 20; i++)
        commit(&s);
    feed_ok(&s, lsm_feed_open(s.db, 1, &f, &s.err)); /* it stands on log that goes */
    feed_ok(&s, lsm_feed_next(f, &c, &s.err));
    for (int i = 0; i < 2000; i++)
        commit(&s);
    feed_ok(&s, lsm_flush(s.db, &s.err));
    middle = s.seqno;
    for (int i = 0; i < 100; i++)
        commit(&s);
    feed_ok(&s, lsm__checkpoint(s.db, &s.err));
    for (at = place_after(&s, 2); at < s.count; at++) { /* what it has read already may come */
        basin_status st = lsm_feed_next(f, &c, &s.err);
        if (st == BASIN_TOO_OLD)
            break;
        feed_expect(&s, st, BASIN_OK, "next", __LINE__);
        same(&c, &s.book[at]);
    }
    lsm_feed_close(f);
    feed_status(&s, lsm_feed_open(s.db, 1, &f, &s.err), BASIN_TOO_OLD);
    check_from(&s, s.db, middle);
    feed_ok(&s, lsm_feed_open(s.db, 0, &f, &s.err)); /* the oldest that is kept */
    feed_ok(&s, lsm_feed_next(f, &c, &s.err));
    at = place_after(&s, c.seqno);
    assert_true(c.seqno > 1 && c.seqno <= middle + 1);
    take(&s, f, &at, s.count);
    lsm_feed_close(f);
    source_release(&s);
}

static void
a_hold_keeps_log_up_to_its_bound(void **state)
{
    struct source_db s;
    struct lsm_feed *f;
    uint64_t held;
    size_t with, without;

    (void)state;
    source_init(&s, 4, false);
    feed_status(&s, lsm_feed_hold(s.db, "", 0, 1, &s.err), BASIN_LIMIT);
    feed_status(&s, lsm_feed_hold(s.db, "c", 1, 1, &s.err), BASIN_MISUSE);
    commit(&s);
    held = s.seqno;
    feed_ok(&s, lsm_feed_hold(s.db, "small", held, 600 * KIB, &s.err));
    feed_ok(&s, lsm_feed_hold(s.db, "large", held, 64 * MIB, &s.err));
    for (int i = 0; i < 3000; i++)
        commit(&s);
    feed_ok(&s, lsm_flush(s.db, &s.err));
    feed_ok(&s, lsm__checkpoint(s.db, &s.err));
    with = count_logs(&s);
    assert_true(with > 4);
    check_from(&s, s.db, held); /* the large bound is far */
    source_close(&s);
    source_open(&s); /* holds survive */
    check_from(&s, s.db, held);
    feed_ok(&s, lsm_feed_hold(s.db, "large", UINT64_MAX, 0, &s.err)); /* forgets it */
    without = count_logs(&s);
    assert_true(without < with); /* the small one is over its bound */
    feed_status(&s, lsm_feed_open(s.db, held, &f, &s.err), BASIN_TOO_OLD);
    feed_status(&s, lsm_feed_hold(s.db, "late", held, 64 * MIB, &s.err), BASIN_TOO_OLD);
    source_release(&s);
}

/* A consumer that moves on lets log go behind it. */
static void
a_hold_moves_with_its_consumer(void **state)
{
    struct source_db s;
    size_t most = 0;

    (void)state;
    source_init(&s, 5, false);
    for (int i = 0; i < 40; i++) {
        feed_ok(&s, lsm_feed_hold(s.db, "c", s.seqno, 64 * MIB, &s.err));
        for (int k = 0; k < 100; k++)
            commit(&s);
        feed_ok(&s, lsm_flush(s.db, &s.err));
        feed_ok(&s, lsm__checkpoint(s.db, &s.err));
        most = MAX_OF(most, count_logs(&s));
    }
    assert_in_range(most, 1, 5);
    source_release(&s);
}

static void
feeds_read_sealed_logs(void **state)
{
    struct source_db s;
    uint8_t key[CODEC_KEY_SIZE] = { 7 };

    (void)state;
    source_init(&s, 6, false);
    source_close(&s);
    scratch_remove(s.path);
    scratch_make(s.path);
    s.o.key = bytes_of(key, sizeof key);
    source_open(&s);
    for (int i = 0; i < 50; i++)
        commit(&s);
    load(&s);
    check_from(&s, s.db, 0);
    source_release(&s);
}

static void
bad_calls_are_refused(void **state)
{
    struct source_db s;
    struct lsm_feed *f;

    (void)state;
    source_init(&s, 7, false);
    feed_status(&s, lsm_feed_open(s.db, UINT64_MAX, &f, &s.err), BASIN_MISUSE);
    assert_null(f);
    feed_ok(&s, lsm_feed_open(s.db, 0, &f, &s.err)); /* an empty database */
    {
        size_t at = 0;
        take(&s, f, &at, 0);
        commit(&s);
        sync_all(&s);
        take(&s, f, &at, s.count);
    }
    lsm_feed_close(f);
    lsm_feed_close(NULL);
    feed_ok(&s, lsm_feed_open(s.db, s.seqno + 2, &f, &s.err)); /* ahead: later ones only */
    {
        size_t at;
        for (int i = 0; i < 5; i++)
            commit(&s);
        at = place_after(&s, f == NULL ? 0 : s.book[0].commit_seqno + 2);
        sync_all(&s);
        take(&s, f, &at, s.count);
    }
    lsm_feed_close(f);
    source_release(&s);
}

/* ------------------------------------------------------------------ sweeps */

/* Reads the whole feed; OK, or the failure. What it gives out is always right. */
static basin_status
read_all(struct source_db *s, size_t *at)
{
    struct lsm_feed *f = NULL;
    struct lsm_change c;
    basin_status st;

    *at = 0;
    st = lsm_feed_open(s->db, 0, &f, &s->err);
    while (st == BASIN_OK) {
        st = lsm_feed_next(f, &c, &s->err);
        if (st == BASIN_OK)
            same(&c, &s->book[(*at)++]);
    }
    lsm_feed_close(f);
    return st == BASIN_END ? BASIN_OK : st;
}

static void
source_for_sweep(struct source_db *s, uint64_t seed)
{
    source_init(s, seed, true);
    feed_ok(s, lsm_feed_hold(s->db, "all", 0, UINT64_MAX, &s->err));
    for (int i = 0; i < 30; i++)
        commit(s);
    feed_ok(s, lsm_flush(s->db, &s->err));
    load(s);
    source_close(s);
    source_open(s);
    for (int i = 0; i < 10; i++)
        commit(s);
    sync_all(s);
}

static void
survives_each_allocation_failure(void **state)
{
    struct source_db s;
    size_t at;
    bool more = true;

    (void)state;
    source_for_sweep(&s, 8);
    for (size_t n = 1; more; n++) {
        test_memory_refuse(&s.memory, n);
        basin_status st = read_all(&s, &at);
        more = test_memory_refused(&s.memory);
        assert_int_equal(st, more ? BASIN_NO_MEM : BASIN_OK);
    }
    test_memory_refuse(&s.memory, 0);
    assert_int_equal(at, s.count);
    source_release(&s);
}

static void
survives_each_failure_of_the_disk(void **state)
{
    struct source_db s;
    size_t at;
    basin_status st = BASIN_IO;
    uint64_t before, calls;

    (void)state;
    source_for_sweep(&s, 9);
    before = os_sim_calls(s.sim);
    feed_ok(&s, read_all(&s, &at));
    calls = os_sim_calls(s.sim) - before;
    for (uint64_t n = 1; n <= calls; n++) {
        os_sim_fail_at(s.sim, n, BASIN_IO);
        st = read_all(&s, &at);
        assert_int_equal(st, BASIN_IO);
    }
    os_sim_fail_at(s.sim, 0, BASIN_IO);
    feed_ok(&s, read_all(&s, &at));
    assert_int_equal(at, s.count);
    source_release(&s);
}

/* Damage of a log below what is visible is told, not taken for the end (each byte of a small log
 * in turn; bytes that no record uses may change unseen). */
static void
damage_is_told(void **state)
{
    struct source_db s;
    struct bytes file;
    char path[64];
    size_t at;
    uint8_t *copy, byte;
    uint64_t end, told = 0;

    (void)state;
    source_init(&s, 10, true);
    for (int i = 0; i < 6; i++)
        commit(&s);
    sync_all(&s);
    (void)snprintf(path, sizeof path, "db/log/%llu", (unsigned long long)s.db->epoch);
    feed_expect(&s, os_sim_peek(s.sim, path, &file), BASIN_OK, "peek", __LINE__);
    end = s.db->log->end;
    copy = malloc(end);
    assert_non_null(copy);
    memcpy(copy, file.data, end);
    for (uint64_t i = LOG_HEADER_SIZE; i < end; i++) {
        byte = copy[i] ^ (uint8_t)(1u << chance_below(&s.c, 8));
        assert_int_equal(os_sim_poke(s.sim, path, i, &byte, 1), BASIN_OK);
        basin_status st = read_all(&s, &at);
        if (st != BASIN_CORRUPT && (st != BASIN_OK || at != s.count))
            print_error("byte %llu: %s, %zu of %zu: %s\n", (unsigned long long)i,
                        basin_status_name(st), at, s.count, s.err.what);
        assert_true(st == BASIN_CORRUPT || (st == BASIN_OK && at == s.count));
        told += st == BASIN_CORRUPT;
        assert_int_equal(os_sim_poke(s.sim, path, i, copy + i, 1), BASIN_OK);
    }
    assert_true(told > (end - LOG_HEADER_SIZE) * 9 / 10);
    free(copy);
    source_release(&s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_change_in_order_from_any_seqno),
        cmocka_unit_test(feeds_follow_the_writer),
        cmocka_unit_test(no_commit_is_told_before_it_is_on_disk),
        cmocka_unit_test(a_tail_without_a_writer_is_told_when_the_next_one_has_it_on_disk),
        cmocka_unit_test(covered_log_is_too_old),
        cmocka_unit_test(a_hold_keeps_log_up_to_its_bound),
        cmocka_unit_test(a_hold_moves_with_its_consumer),
        cmocka_unit_test(feeds_read_sealed_logs),
        cmocka_unit_test(bad_calls_are_refused),
        cmocka_unit_test(survives_each_allocation_failure),
        cmocka_unit_test(survives_each_failure_of_the_disk),
        cmocka_unit_test(damage_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
