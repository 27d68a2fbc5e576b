// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * A database on a simulated machine or a real directory, with the oracle beside it: random
 * operations go to both, and everything that the database answers is compared.
 *
 * The oracle gets the operations of a transaction with the seqnos that they will have when it
 * commits, so one transaction writes at a time; an abort cuts them off again.
 */
#ifndef TEST_LSM_RIG_H
#define TEST_LSM_RIG_H

#include "lsm/walk.h"
#include "model/scratch.h"

enum {
    RIG_HELD_MAX = 6,
    RIG_PIN_MAX = 4,
    RIG_VALUE_MAX = 9000,
    RIG_LIVE_MAX = 512,
    RIG_MARKS_MAX = 4096
};

/* A reader that stays open while the database changes. */
struct rig_held {
    struct lsm_txn *txn; /* NULL: free */
    uint64_t seqno;
    struct lsm_cursor *cursor;
    struct lsm_range range;
    uint8_t lower[WALK_KEY_SIZE], upper[WALK_KEY_SIZE], key_data[WALK_KEY_SIZE];
    struct bytes key; /* where the cursor stands */
    bool there;
};

struct rig_pin {
    bool used;
    bool unsure; /* the call that makes or drops it did not return */
    uint64_t seqno;
};

struct rig {
    struct test_memory memory;
    struct os_sim *sim; /* NULL: a real directory */
    struct os *os;
    char path[SCRATCH_PATH_MAX];
    struct lsm_options o;
    uint8_t secret[CODEC_KEY_SIZE];
    struct lsm *db;
    struct oracle *oracle;
    struct chance c;
    unsigned keys;
    unsigned place, corner;
    bool wide;
    uint64_t seqno; /* newest committed */
    bool plain;     /* no merges that cannot be resolved */
    bool shared;    /* another process of the machine has handles */
    struct rig_held held[RIG_HELD_MAX];
    struct rig_pin pins[RIG_PIN_MAX];
    uint8_t value[RIG_VALUE_MAX];
    basin_error err;
    /* what is open in the middle of an operation; freed when the machine has crashed */
    struct lsm_txn *txn;
    struct lsm_stream *stream;
    struct lsm_load *load;
    struct lsm_cursor *cursor;
    /* what may be there after a crash: an end of a commit in [durable, last of marks] */
    uint64_t marks[RIG_MARKS_MAX];
    size_t mark_count;
    uint64_t durable;
    jmp_buf *crashed; /* where to go when a call fails because the machine has crashed */
};

#define rig_ok(r, call) rig_expect((r), (call), BASIN_OK, #call, __FILE__, __LINE__)
#define rig_status(r, call, want) rig_expect((r), (call), (want), #call, __FILE__, __LINE__)

static inline void
rig_expect(struct rig *r, basin_status st, basin_status want, const char *call, const char *file,
           int line)
{
    if (r->crashed != NULL && os_sim_crashed(r->sim))
        longjmp(*r->crashed, 1); /* what a dead process returned counts for nothing */
    if (st == want)
        return;
    print_error("%s:%d: %s: %s, not %s: %s (%s); history %llu\n", file, line, call,
                basin_status_name(st), basin_status_name(want),
                st == BASIN_OK ? "" : r->err.what, r->err.where,
                (unsigned long long)r->c.seed);
    _fail(file, line);
}

static inline bool
rig_chance(struct rig *r, uint64_t of)
{
    return chance_below(&r->c, of) == 0;
}

static inline struct bytes
rig_key(struct rig *r, uint8_t to[WALK_KEY_SIZE])
{
    /* work has a place, and the place moves: strata with narrow ranges */
    if (r->keys <= 12 || r->wide)
        return walk_key((unsigned)chance_below(&r->c, r->keys), to);
    if (rig_chance(r, 60))
        r->place = (unsigned)chance_below(&r->c, r->keys / 4);
    return walk_key(4 * ((r->place + (unsigned)chance_below(&r->c, 4)) % (r->keys / 4)) +
                        (unsigned)(rig_chance(r, 12) ? chance_below(&r->c, 4) : r->corner),
                    to);
}

/* ------------------------------------------------------------------ options */

/* A prefix as good as any: of the walk's keys, some share it and some do not. */
static inline size_t
rig_prefix(struct bytes key, unsigned elements)
{
    return MIN_OF(key.size, (size_t)(elements > 1 ? 6 : 4));
}

static inline void
rig_random_options(struct rig *r)
{
    static const uint32_t pages[] = { 256, 512, 1024, 4096 };
    bool encrypted = r->o.key.size > 0;
    bool no_threads = r->o.no_threads;

    r->o = (struct lsm_options){
        .mem = &r->memory.table,
        .os = r->os,
        .no_threads = no_threads,
        .mem_limit = MIB << chance_below(&r->c, 3),
        .memtable_size = (4 * KIB) << chance_below(&r->c, 5),
        .stratum_size = (4 * KIB) << chance_below(&r->c, 5),
        .value_threshold = rig_chance(r, 2) ? 300 : 3000,
        .log_size_max = LOG_SIZE_START,
        .spill_size = rig_chance(r, 2) ? 0 : UINT64_C(100) << chance_below(&r->c, 8),
        .page_size = pages[chance_below(&r->c, COUNT_OF(pages))],
        .level_factor = 2 + (uint32_t)chance_below(&r->c, 2),
        .level0_runs = 2 + (uint32_t)chance_below(&r->c, 4),
        .codec = (enum codec_id)chance_below(&r->c, CODEC_COUNT),
        .codec_level = 1,
        .filter_bits = rig_chance(r, 3) ? -1 : 10,
        .prefix = rig_prefix,
        .no_map = rig_chance(r, 2),
        .buffer_ms = 5,
    };
    if (encrypted)
        r->o.key = bytes_of(r->secret, sizeof r->secret);
}

static inline void
rig_open(struct rig *r)
{
    rig_ok(r, lsm_open(r->path, &r->o, &r->db, &r->err));
}

/* A commit may have happened from now on. */
static inline void
rig_mark(struct rig *r, uint64_t seqno)
{
    assert_true(r->mark_count < RIG_MARKS_MAX);
    r->marks[r->mark_count++] = seqno;
}

/* Everything up to seqno is on disk. */
static inline void
rig_durable(struct rig *r, uint64_t seqno)
{
    size_t kept = 0;

    r->durable = MAX_OF(r->durable, seqno);
    for (size_t i = 0; i < r->mark_count; i++)
        if (r->marks[i] > r->durable)
            r->marks[kept++] = r->marks[i];
    r->mark_count = kept;
}

static inline void
rig_begin(struct rig *r, enum lsm_mode mode, struct lsm_txn **txn)
{
    rig_ok(r, lsm_begin(r->db, &(struct lsm_begin){ .mode = mode, .timeout_ms = 1000 }, txn,
                        &r->err));
}

/* maps: the simulator offers them. sim NULL: a real directory, with threads. */
static inline void
rig_init(struct rig *r, uint64_t seed, bool sim)
{
    memset(r, 0, sizeof *r);
    test_memory_init(&r->memory);
    r->c = chance_of(seed);
    r->keys = rig_chance(r, 3) ? 12 : WALK_KEYS;
    r->wide = rig_chance(r, 3);
    r->place = 0;
    r->corner = (unsigned)chance_below(&r->c, 4);
    r->oracle = oracle_new();
    r->os = os_posix();
    if (sim) {
        struct os_sim_options so = { .seed = chance_u64(&r->c), .maps = rig_chance(r, 2),
                                     .mem = &base_malloc };
        rig_ok(r, os_sim_new(&so, &r->sim, &r->err));
        r->os = os_sim_os(r->sim);
        memcpy(r->path, "db", 3);
    } else {
        scratch_make(r->path);
    }
    r->o.no_threads = sim;
    chance_bytes(&r->c, r->secret, sizeof r->secret);
    if (rig_chance(r, 4))
        r->o.key = bytes_of(r->secret, sizeof r->secret);
    rig_random_options(r);
}

static inline void
rig_release(struct rig *r)
{
    oracle_free(r->oracle);
    assert_int_equal(r->memory.live, 0);
    if (r->sim != NULL) {
        assert_int_equal(os_sim_handles(r->sim), 0);
        os_sim_free(r->sim);
    } else {
        scratch_remove(r->path);
    }
}

/* ------------------------------------------------------------------ comparing */

static inline void
rig_equal(struct rig *r, const char *what, struct bytes got, struct bytes want)
{
    if (bytes_equal(got, want))
        return;
    print_error("%s: %zu bytes, not %zu; history %llu\n", what, got.size, want.size,
                (unsigned long long)r->c.seed);
    assert_int_equal(got.size, want.size);
    assert_memory_equal(got.data, want.data, want.size);
}

/* A value read in pieces of random size. */
static inline void
rig_check_parts(struct rig *r, struct lsm_txn *txn, struct bytes key, struct bytes want)
{
    uint8_t part[700];
    uint64_t at = chance_below(&r->c, want.size + 10), size;
    size_t n = chance_below(&r->c, sizeof part), got, left;

    rig_ok(r, lsm_read(txn, key, at, part, n, &got, &size, &r->err));
    assert_int_equal(size, want.size);
    left = at < want.size ? want.size - (size_t)at : 0;
    assert_int_equal(got, MIN_OF(n, left));
    if (got)
        assert_memory_equal(part, want.data + at, got);
}

static inline void
rig_check_get(struct rig *r, struct lsm_txn *txn, struct bytes key, uint64_t snapshot)
{
    struct bytes want, got;
    enum oracle_answer answer = oracle_get(r->oracle, key, snapshot, &want);
    basin_status st = lsm_get(txn, key, &got, &r->err);

    if (answer == ORACLE_UNRESOLVED) {
        assert_true(st == BASIN_UNKNOWN_OPERATOR || st == BASIN_CORRUPT);
        return;
    }
    rig_status(r, st, answer == ORACLE_VALUE ? BASIN_OK : BASIN_NOT_FOUND);
    if (st != BASIN_OK)
        return;
    rig_equal(r, "get", got, want);
    if (rig_chance(r, 4))
        rig_check_parts(r, txn, key, want);
}

static inline void
rig_check_value(struct rig *r, struct lsm_cursor *c, struct bytes key, uint64_t snapshot)
{
    struct bytes want, got;
    uint64_t size;
    enum oracle_answer answer = oracle_get(r->oracle, key, snapshot, &want);
    basin_status st = lsm_cursor_value(c, &got, &r->err);

    if (answer == ORACLE_UNRESOLVED) {
        assert_true(st == BASIN_UNKNOWN_OPERATOR || st == BASIN_CORRUPT);
        return;
    }
    rig_ok(r, st);
    assert_int_equal(answer, ORACLE_VALUE);
    rig_equal(r, "cursor value", got, want);
    rig_ok(r, lsm_cursor_value_size(c, &size, &r->err));
    assert_int_equal(size, want.size);
}

/* All of range in one direction. */
static inline void
rig_check_scan(struct rig *r, struct lsm_txn *txn, const struct lsm_range *range, bool forward,
               uint64_t snapshot)
{
    struct lsm_cursor *c;
    struct lsm_range all = { 0 };
    struct bytes want = BYTES_NULL, from;
    bool there;
    basin_status st;

    rig_ok(r, lsm_cursor_open(txn, range, &r->cursor, &r->err));
    c = r->cursor;
    st = forward ? lsm_cursor_first(c, &r->err) : lsm_cursor_last(c, &r->err);
    there = walk_expect(r->oracle, range ? range : &all, NULL, true, forward, snapshot, &want);
    while (there) {
        rig_ok(r, st);
        rig_equal(r, "scan", lsm_cursor_key(c), want);
        rig_check_value(r, c, want, snapshot);
        from = want;
        there = walk_expect(r->oracle, range ? range : &all, &from, false, forward, snapshot,
                            &want);
        st = forward ? lsm_cursor_next(c, &r->err) : lsm_cursor_prev(c, &r->err);
    }
    rig_status(r, st, BASIN_END);
    assert_false(lsm_cursor_valid(c));
    lsm_cursor_close(c);
    r->cursor = NULL;
}

/* Random steps of a cursor that stands at h->key. */
static inline void
rig_walk(struct rig *r, struct rig_held *h, uint64_t snapshot, size_t steps)
{
    uint8_t place[WALK_KEY_SIZE];
    struct bytes want = BYTES_NULL, from;
    bool forward = rig_chance(r, 2);
    basin_status st;

    while (steps-- > 0) {
        uint64_t dice = chance_below(&r->c, 20);
        if (rig_chance(r, 4))
            forward = !forward;
        from = h->key;
        if (dice == 0) {
            st = lsm_cursor_first(h->cursor, &r->err);
            h->there = walk_expect(r->oracle, &h->range, NULL, true, true, snapshot, &want);
        } else if (dice == 1) {
            st = lsm_cursor_last(h->cursor, &r->err);
            h->there = walk_expect(r->oracle, &h->range, NULL, true, false, snapshot, &want);
        } else if (dice < 7) {
            enum lsm_seek op = (enum lsm_seek)chance_below(&r->c, 3);
            from = rig_key(r, place);
            st = lsm_cursor_seek(h->cursor, from, op, &r->err);
            h->there = walk_expect(r->oracle, &h->range, &from, true, op != LSM_SEEK_LE, snapshot,
                                   &want);
            if (op == LSM_SEEK_EQ)
                h->there = h->there && bytes_equal(want, from);
        } else {
            st = forward ? lsm_cursor_next(h->cursor, &r->err)
                         : lsm_cursor_prev(h->cursor, &r->err);
            h->there = h->there && walk_expect(r->oracle, &h->range, &from, false, forward,
                                               snapshot, &want);
        }
        rig_status(r, st, h->there ? BASIN_OK : BASIN_END);
        assert_int_equal(lsm_cursor_valid(h->cursor), h->there);
        if (!h->there)
            continue;
        if (want.size)
            memmove(h->key_data, want.data, want.size);
        h->key = bytes_of(h->key_data, want.size);
        rig_equal(r, "walk", lsm_cursor_key(h->cursor), h->key);
        if (rig_chance(r, 2))
            rig_check_value(r, h->cursor, h->key, snapshot);
    }
}

static inline struct lsm_range
rig_range(struct rig *r, uint8_t low[WALK_KEY_SIZE], uint8_t high[WALK_KEY_SIZE])
{
    struct lsm_range range = { 0 };

    range.has_lower = rig_chance(r, 2);
    range.has_upper = rig_chance(r, 2);
    range.lower_excluded = rig_chance(r, 2);
    range.upper_excluded = rig_chance(r, 2);
    if (range.has_lower)
        range.lower = rig_key(r, low);
    if (range.has_upper)
        range.upper = rig_key(r, high);
    return range;
}

static inline void
rig_walk_new(struct rig *r, struct lsm_txn *txn, uint64_t snapshot, size_t steps)
{
    struct rig_held h = { .txn = txn };

    h.range = rig_range(r, h.lower, h.upper);
    rig_ok(r, lsm_cursor_open(txn, &h.range, &r->cursor, &r->err));
    h.cursor = r->cursor;
    rig_walk(r, &h, snapshot, steps);
    lsm_cursor_close(h.cursor);
    r->cursor = NULL;
}

/* What a transaction sees against the oracle at `snapshot`. */
static inline void
rig_check_txn(struct rig *r, struct lsm_txn *txn, uint64_t snapshot, bool all)
{
    uint8_t key[WALK_KEY_SIZE];

    for (unsigned i = 0; all && i < r->keys; i++)
        rig_check_get(r, txn, walk_key(i, key), snapshot);
    for (unsigned i = 0; !all && i < 4; i++)
        rig_check_get(r, txn, rig_key(r, key), snapshot);
    rig_walk_new(r, txn, snapshot, all ? 60 : 12);
    if (all) {
        rig_check_scan(r, txn, NULL, true, snapshot);
        rig_check_scan(r, txn, NULL, false, snapshot);
    }
}

static inline void
rig_check_at(struct rig *r, const struct lsm_begin *how, uint64_t seqno, bool all)
{
    rig_ok(r, lsm_begin(r->db, how, &r->txn, &r->err));
    assert_int_equal(lsm_txn_seqno(r->txn), seqno);
    rig_check_txn(r, r->txn, seqno, all);
    lsm_abort(r->txn);
    r->txn = NULL;
}

static inline void
rig_pin_name(char name[16], size_t i)
{
    (void)snprintf(name, 16, "pin-%zu", i);
}

/* The present, every snapshot that is held, and every pin. */
static inline void
rig_check(struct rig *r, bool all)
{
    char name[16];

    rig_check_at(r, &(struct lsm_begin){ .mode = LSM_READ }, r->seqno, all);
    for (size_t i = 0; i < RIG_HELD_MAX; i++) {
        struct rig_held *h = &r->held[i];
        if (h->txn == NULL || (!all && !rig_chance(r, 3)))
            continue;
        rig_check_txn(r, h->txn, h->seqno, all);
        if (h->cursor != NULL)
            rig_walk(r, h, h->seqno, 8);
    }
    for (size_t i = 0; i < RIG_PIN_MAX; i++) {
        if (!r->pins[i].used || (!all && !rig_chance(r, 6)))
            continue;
        rig_pin_name(name, i);
        rig_check_at(r, &(struct lsm_begin){ .mode = LSM_READ, .at_pin = name },
                     r->pins[i].seqno, all);
    }
}

/* The invariants of a version (V2) and of the manifest. */
static inline void
rig_check_version(struct rig *r)
{
    const struct version *v = r->db->current;

    for (size_t i = 0; i < v->run_count; i++) {
        const struct lsm_run *run = &v->runs[i];
        if (i > 0) {
            assert_true(run[-1].level <= run->level);
            assert_true(run->level == 0 ? run[-1].run > run->run : run[-1].level < run->level);
        }
        for (size_t k = 1; k < run->count; k++) {
            const struct lsm_stratum *a = run->strata[k - 1], *b = run->strata[k];
            int c = bytes_compare(buf_bytes(&a->last_key), buf_bytes(&b->first_key));
            assert_false(a->last_unbounded);
            assert_true(c < 0 || (c == 0 && a->last_excluded));
        }
    }
    assert_int_equal(v->stratum_count, r->db->manifest.stratum_count);
}

/* ------------------------------------------------------------------ changing */

/* Whether operands of this key are a counter's. */
static inline bool
rig_counts(struct bytes key)
{
    return key.size % 4 == 3;
}

static inline struct bytes
rig_value(struct rig *r, struct bytes key)
{
    size_t most = rig_chance(r, 12) ? RIG_VALUE_MAX : rig_chance(r, 4) ? 700 : 40;
    size_t n = chance_below(&r->c, most);

    if (r->plain && rig_counts(key)) {
        r->value[0] = 0;
        store_u64(r->value + 1, chance_below(&r->c, 1000));
        return bytes_of(r->value, 9);
    }
    chance_bytes(&r->c, r->value, MIN_OF(n, (size_t)64));
    for (size_t i = 64; i < n; i++)
        r->value[i] = (uint8_t)(r->value[i - 64] + i / 64);
    return bytes_of(r->value, n);
}

static inline void
rig_stream(struct rig *r, struct lsm_txn *txn, struct bytes key, uint64_t *next)
{
    struct bytes value = rig_value(r, key);
    struct lsm_stream *s;
    size_t at = 0;

    rig_ok(r, lsm_stream_open(txn, key, &r->stream, &r->err));
    while (at < value.size) {
        size_t n = 1 + chance_below(&r->c, 2000);
        n = MIN_OF(n, value.size - at);
        rig_ok(r, lsm_stream_write(r->stream, bytes_of(value.data + at, n), &r->err));
        at += n;
    }
    s = r->stream;
    r->stream = NULL;
    if (rig_chance(r, 4)) {
        lsm_stream_abort(s);
        return;
    }
    rig_ok(r, lsm_stream_close(s, &r->err));
    oracle_put(r->oracle, key, value, (*next)++);
}

static inline void
rig_merge(struct rig *r, struct lsm_txn *txn, struct bytes key, uint64_t *next)
{
    uint8_t operand[64] = { LSM_OP_APPEND };
    size_t n = 1 + chance_below(&r->c, 20);

    chance_bytes(&r->c, operand + 1, sizeof operand - 1);
    if (rig_counts(key) || (!r->plain && rig_chance(r, 30))) { /* a key that counts */
        operand[0] = LSM_OP_COUNTER;
        operand[1] = 1;
        n = 10;
        store_u64(operand + 2, chance_below(&r->c, 1000));
    }
    rig_ok(r, lsm_merge(txn, key, operand[0], bytes_of(operand + 1, n - 1), &r->err));
    oracle_merge(r->oracle, key, bytes_of(operand, n), (*next)++);
}

static inline void
rig_delete_range(struct rig *r, struct lsm_txn *txn, uint64_t *next)
{
    uint8_t a[WALK_KEY_SIZE], b[WALK_KEY_SIZE];
    struct bytes begin = rig_key(r, a), end = rig_key(r, b);
    bool unbounded = rig_chance(r, 6);

    if (unbounded)
        end = BYTES_NULL;
    rig_ok(r, lsm_delete_range(txn, begin, end, unbounded, &r->err));
    if (unbounded || bytes_compare(begin, end) < 0) /* an empty one is no operation */
        oracle_delete_range(r->oracle, begin, end, unbounded, (*next)++);
}

/* One operation; *next is its seqno and moves on with each that counts. */
static inline void
rig_change(struct rig *r, struct lsm_txn *txn, uint64_t *next)
{
    uint8_t data[WALK_KEY_SIZE];
    struct bytes key = rig_key(r, data), value;
    uint64_t dice = chance_below(&r->c, 100);

    if (dice < 50) {
        value = rig_value(r, key);
        rig_ok(r, lsm_put(txn, key, value, &r->err));
        oracle_put(r->oracle, key, value, (*next)++);
    } else if (dice < 68) {
        rig_ok(r, lsm_delete(txn, key, &r->err));
        oracle_delete(r->oracle, key, (*next)++);
    } else if (dice < 75) {
        rig_delete_range(r, txn, next);
    } else if (dice < 95) {
        rig_merge(r, txn, key, next);
    } else {
        rig_stream(r, txn, key, next);
    }
}

/* A savepoint around some changes, which are rolled back, released or left. */
static inline void
rig_nest(struct rig *r, struct lsm_txn *txn, uint64_t *next)
{
    uint64_t before = *next;
    uint64_t dice = chance_below(&r->c, 3);

    rig_ok(r, lsm_savepoint(txn, "here", &r->err));
    for (uint64_t n = chance_below(&r->c, 6); n > 0; n--)
        rig_change(r, txn, next);
    if (rig_chance(r, 2))
        rig_check_txn(r, txn, *next - 1, false);
    if (dice == 0) {
        rig_ok(r, lsm_rollback_to(txn, "here", &r->err));
        oracle_cut(r->oracle, before - 1);
        *next = before;
    }
    if (dice < 2)
        rig_ok(r, lsm_savepoint_release(txn, "here", &r->err));
}

/* A transaction of random changes, committed or not. */
static inline void
rig_transact(struct rig *r, size_t changes)
{
    struct lsm_txn *txn;
    uint64_t next = r->seqno + 1, seqno;
    bool abort = rig_chance(r, 10), durable = rig_chance(r, 3);

    rig_begin(r, rig_chance(r, 4) ? LSM_LOCKED : LSM_WRITE, &r->txn);
    txn = r->txn;
    for (size_t i = 0; i < changes; i++) {
        rig_change(r, txn, &next);
        if (rig_chance(r, 12))
            rig_nest(r, txn, &next);
        if (rig_chance(r, 12))
            rig_check_txn(r, txn, next - 1, rig_chance(r, 8));
    }
    r->txn = NULL;
    if (abort) {
        lsm_abort(txn);
        oracle_cut(r->oracle, r->seqno);
        return;
    }
    rig_mark(r, next - 1);
    rig_ok(r, lsm_commit(txn, durable, &seqno, &r->err));
    assert_int_equal(seqno, next - 1);
    if (durable && seqno > r->seqno) /* an empty one does nothing */
        rig_durable(r, seqno);
    r->seqno = seqno;
}

/* ------------------------------------------------------------------ loads */

static inline int
rig_compare(const void *a, const void *b)
{
    return bytes_compare(*(const struct bytes *)a, *(const struct bytes *)b);
}

static inline void
rig_load(struct rig *r)
{
    static uint8_t data[RIG_LIVE_MAX][WALK_KEY_SIZE];
    struct bytes keys[RIG_LIVE_MAX];
    size_t n = 1 + chance_below(&r->c, r->keys), kept = 0;
    struct lsm_load_options how = { .unsorted = rig_chance(r, 2) };
    struct lsm_load *l;
    uint64_t seqno;

    for (size_t i = 0; i < n; i++)
        keys[i] = rig_key(r, data[i]);
    rig_ok(r, lsm_load_open(r->db, &how, &r->load, &r->err));
    l = r->load;
    if (!how.unsorted)
        qsort(keys, n, sizeof *keys, rig_compare);
    for (size_t i = 0; i < n; i++) {
        if (!how.unsorted && kept > 0 && bytes_equal(keys[i], keys[kept - 1]))
            continue;
        keys[kept++] = keys[i];
    }
    for (size_t i = 0; i < kept; i++) {
        struct bytes value = rig_value(r, keys[i]);
        bool last = true;
        rig_ok(r, lsm_load_add(l, keys[i], value, &r->err));
        for (size_t k = i + 1; k < kept && last; k++)
            last = !bytes_equal(keys[i], keys[k]);
        if (last) /* of equal keys the last one wins */
            oracle_put(r->oracle, keys[i], value, r->seqno + 1);
    }
    r->load = NULL;
    if (rig_chance(r, 6)) {
        lsm_load_abort(l);
        oracle_cut(r->oracle, r->seqno);
        return;
    }
    rig_mark(r, r->seqno + 1);
    rig_ok(r, lsm_load_commit(l, &seqno, &r->err));
    assert_int_equal(seqno, r->seqno + 1);
    r->seqno = seqno;
    rig_durable(r, seqno);
}

/* ------------------------------------------------------------------ readers, pins, reopening */

static inline void
rig_release_held(struct rig *r, struct rig_held *h)
{
    (void)r;
    lsm_cursor_close(h->cursor);
    lsm_abort(h->txn);
    *h = (struct rig_held){ 0 };
}

/* Opens a reader in a free place, or closes the one that is there. */
static inline void
rig_hold(struct rig *r)
{
    struct rig_held *h = &r->held[chance_below(&r->c, RIG_HELD_MAX)];

    if (h->txn != NULL) {
        rig_release_held(r, h);
        return;
    }
    rig_begin(r, LSM_READ, &h->txn);
    h->seqno = lsm_txn_seqno(h->txn);
    assert_int_equal(h->seqno, r->seqno);
    if (rig_chance(r, 2)) {
        h->range = rig_range(r, h->lower, h->upper);
        rig_ok(r, lsm_cursor_open(h->txn, &h->range, &h->cursor, &r->err));
    }
}

static inline void
rig_toggle_pin(struct rig *r)
{
    size_t i = chance_below(&r->c, RIG_PIN_MAX);
    char name[16];

    rig_pin_name(name, i);
    r->pins[i].unsure = true;
    if (r->pins[i].used) {
        rig_ok(r, lsm_unpin(r->db, name, &r->err));
    } else {
        uint64_t seqno;
        r->pins[i].seqno = r->seqno;
        rig_ok(r, lsm_pin(r->db, name, "rig", &seqno, &r->err));
        assert_int_equal(seqno, r->seqno);
    }
    r->pins[i].used = !r->pins[i].used;
    r->pins[i].unsure = false;
    rig_durable(r, r->seqno);
}

static inline void
rig_close(struct rig *r)
{
    for (size_t i = 0; i < RIG_HELD_MAX; i++)
        if (r->held[i].txn != NULL)
            rig_release_held(r, &r->held[i]);
    struct lsm *db = r->db;
    r->db = NULL;
    rig_ok(r, lsm_close(db, &r->err));
    rig_durable(r, r->seqno);
    assert_int_equal(r->memory.live, 0);
    if (r->sim != NULL && !r->shared)
        assert_int_equal(os_sim_handles(r->sim), 0);
}

static inline void
rig_reopen(struct rig *r)
{
    rig_close(r);
    rig_random_options(r);
    rig_open(r);
}

/* Background work until there is none, as far as the caller does it. */
static inline void
rig_settle(struct rig *r)
{
    bool more = true;

    for (size_t i = 0; more; i++) {
        assert_true(i < 10000); /* work must come to an end */
        rig_ok(r, lsm_pump(r->db, &more, &r->err));
    }
}

/* One random thing out of all. */
static inline void
rig_step(struct rig *r)
{
    uint64_t dice = chance_below(&r->c, 100);
    bool more;

    if (dice < 55) {
        rig_transact(r, 1 + chance_below(&r->c, rig_chance(r, 6) ? 40 : 4));
    } else if (dice < 60) {
        rig_hold(r);
    } else if (dice < 63) {
        rig_toggle_pin(r);
    } else if (dice < 68) {
        rig_ok(r, lsm_flush(r->db, &r->err));
        rig_durable(r, r->seqno);
    } else if (dice < 71) {
        rig_ok(r, lsm_compact(r->db, NULL, &r->err));
    } else if (dice < 82) {
        for (uint64_t n = chance_below(&r->c, 4); n > 0; n--)
            rig_ok(r, lsm_pump(r->db, &more, &r->err));
    } else if (dice < 86) {
        rig_load(r);
    } else if (dice < 88) {
        rig_ok(r, lsm_sync(r->db, &r->err));
        rig_durable(r, r->seqno);
    } else if (dice < 91) {
        rig_reopen(r);
    } else if (dice < 93) {
        rig_settle(r);
    } else {
        rig_check(r, rig_chance(r, 4));
    }
    if (r->sim != NULL) {
        os_sim_advance(r->sim, chance_below(&r->c, 3000000));
        rig_check_version(r);
    }
}

#endif
