// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/* Random work on a world and its oracle, and random walks of a view that are checked against it. */
#ifndef TEST_LSM_WALK_H
#define TEST_LSM_WALK_H

#include "lsm/world.h"
#include "model/oracle.h"

enum { WALK_KEYS = 480, WALK_KEY_SIZE = 64 };

/* Key number i, in four families: short, with a long common start, zero bytes of many lengths,
 * and 0xFF bytes. */
static inline struct bytes
walk_key(unsigned i, uint8_t to[WALK_KEY_SIZE])
{
    static const char common[] = "a common start that is longer than a node keeps/";
    size_t n = 0;

    switch (i % 4) {
    case 0:
        n = (size_t)snprintf((char *)to, WALK_KEY_SIZE, "k%03u", i);
        break;
    case 1:
        memcpy(to, common, sizeof common - 1);
        n = sizeof common - 1;
        n += (size_t)snprintf((char *)to + n, WALK_KEY_SIZE - n, "%u", i);
        break;
    case 2:
        n = i / 4 % 40;
        memset(to, 0, n);
        if (i >= WALK_KEYS / 2 && n > 0)
            to[n - 1] = (uint8_t)i;
        break;
    default:
        n = 1 + i / 4 % 12;
        memset(to, 0xFF, n);
        to[n - 1] = (uint8_t)(0xFF - i / 64);
    }
    return bytes_of(to, n);
}

struct walk {
    struct world *w;
    struct oracle *o;
    struct chance c;
    uint64_t seqno;    /* newest */
    uint64_t readable; /* oldest snapshot that may be read */
    uint64_t next_run;
    unsigned keys;     /* of walk_key that are used */
};

/* One random change to a memtable, and with a seqno of its own to the oracle. */
static inline void
walk_change(struct walk *k, struct memtable *m, uint64_t seqno, struct oracle *o,
            uint64_t oracle_seqno, bool merges)
{
    uint8_t a[WALK_KEY_SIZE], b[WALK_KEY_SIZE], value[300];
    struct bytes key = walk_key((unsigned)chance_below(&k->c, k->keys), a);
    struct bytes other = walk_key((unsigned)chance_below(&k->c, k->keys), b);
    size_t n = chance_below(&k->c, chance_below(&k->c, 8) ? 20 : sizeof value);
    uint64_t dice = chance_below(&k->c, 100);
    struct entry e = { key, BYTES_NULL, seqno, ENTRY_PUT };
    struct range_tombstone t = { key, other, false, seqno };

    chance_bytes(&k->c, value, sizeof value);
    if (dice < 50) {
        e.value = bytes_of(value, n);
        oracle_put(o, key, e.value, oracle_seqno);
    } else if (dice < 65 || (dice < 92 && !merges)) {
        e.kind = ENTRY_DELETE;
        oracle_delete(o, key, oracle_seqno);
    } else if (dice < 92) {
        e.kind = ENTRY_MERGE;
        value[0] = chance_below(&k->c, 12) ? LSM_OP_APPEND : (uint8_t)chance_below(&k->c, 4);
        e.value = bytes_of(value, 1 + n / 4);
        oracle_merge(o, key, e.value, oracle_seqno);
    } else {
        t.unbounded = dice == 92;
        if (t.unbounded)
            t.end = BYTES_NULL;
        oracle_delete_range(o, t.begin, t.end, t.unbounded, oracle_seqno);
        assert_ok(k->w, memtable_add_range(m, &t, &k->w->err));
        return;
    }
    assert_ok(k->w, memtable_add(m, &e, &k->w->err));
}

/* The oldest memtable becomes a run of level 0, in up to three strata. */
static inline void
walk_flush(struct walk *k)
{
    struct world *w = k->w;
    uint8_t a[WALK_KEY_SIZE], b[WALK_KEY_SIZE];
    struct bytes x = walk_key((unsigned)chance_below(&k->c, k->keys), a);
    struct bytes y = walk_key((unsigned)chance_below(&k->c, k->keys), b), swap;
    struct world_cut cut = { .run = ++k->next_run, .no_map = chance_below(&k->c, 2) };
    struct lsm_stratum *strata[3];
    size_t n = 0;

    if (bytes_compare(y, x) < 0) {
        swap = x;
        x = y;
        y = swap;
    }
    if (chance_below(&k->c, 3) == 0) {
        cut.elide = memtable_seqno_max(w->mems[0]);
        k->readable = MAX_OF(k->readable, cut.elide);
    }
    for (int part = 0; part < 3; part++) {
        cut.from = part == 0 ? NULL : part == 1 ? &x : &y;
        cut.to = part == 0 ? &x : part == 1 ? &y : NULL;
        strata[n] = world_stratum(w, w->mems[0], &cut);
        n += strata[n] != NULL;
    }
    if (n > 0)
        world_add_run(w, strata, n);
    world_drop_oldest(w);
}

/* The oldest run of level 0 moves to the deepest free level above all others. */
static inline void
walk_sink(struct walk *k)
{
    struct world *w = k->w;
    size_t oldest = w->run_count;
    uint32_t level = LSM_LEVEL_COUNT - 1;

    for (size_t i = 0; i < w->run_count; i++) {
        if (w->runs[i].level == 0)
            oldest = i;
        else
            level = MIN_OF(level, w->runs[i].level - 1);
    }
    if (oldest == w->run_count || level == 0)
        return;
    w->runs[oldest].level = w->runs[oldest].count ? level : 0;
    w->runs[oldest].run = level;
}

/* Whether the world has room for another flush. */
static inline bool
walk_may_flush(const struct walk *k)
{
    return k->w->mem_count > 1 && k->w->run_count < 24 && k->w->built_count + 3 < WORLD_MAX;
}

static inline void
walk_work(struct walk *k, size_t changes, bool merges)
{
    for (size_t i = 0; i < changes; i++) {
        if (k->w->mem_count == 0 || (k->w->mem_count < 6 && chance_below(&k->c, 60) == 0))
            (void)world_memtable(k->w);
        k->seqno++;
        walk_change(k, k->w->mems[k->w->mem_count - 1], k->seqno, k->o, k->seqno, merges);
        if (walk_may_flush(k) && chance_below(&k->c, 60) == 0)
            walk_flush(k);
        if (chance_below(&k->c, 200) == 0)
            walk_sink(k);
    }
}

/* ------------------------------------------------------------------ checks */

static inline void
walk_check_get(struct walk *k, struct oracle *o, struct memtable *extra, uint64_t snapshot,
               uint64_t oracle_snapshot, struct bytes key)
{
    struct lsm_found f;
    struct bytes value;
    enum oracle_answer want = oracle_get(o, key, oracle_snapshot, &value);
    basin_status st = lsm__get(world_version(k->w), extra, NULL, key, snapshot, &f, &k->w->err);

    if (want == ORACLE_UNRESOLVED) {
        assert_true(st == BASIN_UNKNOWN_OPERATOR || st == BASIN_CORRUPT);
    } else {
        world_expect(k->w, st, want == ORACLE_VALUE ? BASIN_OK : BASIN_NOT_FOUND, __FILE__,
                     __LINE__);
    }
    if (st == BASIN_OK) {
        assert_int_equal(f.kind, ENTRY_PUT);
        assert_int_equal(f.value.size, value.size);
        if (value.size)
            assert_memory_equal(f.value.data, value.data, value.size);
    }
    lsm__found_release(&f);
}

/* Whether key lies inside of range. */
static inline bool
walk_in_range(const struct lsm_range *r, struct bytes key)
{
    int c;

    if (r->has_lower) {
        c = bytes_compare(key, r->lower);
        if (c < 0 || (c == 0 && r->lower_excluded))
            return false;
    }
    if (r->has_upper) {
        c = bytes_compare(key, r->upper);
        if (c > 0 || (c == 0 && r->upper_excluded))
            return false;
    }
    return true;
}

/* What the oracle has next to `from` inside of range. */
static inline bool
walk_expect(struct oracle *o, const struct lsm_range *r, const struct bytes *from, bool inclusive,
            bool forward, uint64_t snapshot, struct bytes *key)
{
    bool there;

    if (forward && r->has_lower && (from == NULL || bytes_compare(*from, r->lower) < 0)) {
        from = &r->lower;
        inclusive = true;
    }
    if (!forward && r->has_upper && (from == NULL || bytes_compare(*from, r->upper) > 0)) {
        from = &r->upper;
        inclusive = true;
    }
    there = oracle_step(o, from, inclusive, forward, snapshot, key);
    while (there && !walk_in_range(r, *key)) {
        if (forward ? r->has_upper && bytes_compare(*key, r->upper) >= 0
                    : r->has_lower && bytes_compare(*key, r->lower) <= 0)
            return false;
        there = oracle_step(o, key, false, forward, snapshot, key);
    }
    return there;
}

static inline void
walk_check_value(struct walk *k, struct oracle *o, struct view *v, uint64_t snapshot,
                 struct bytes key)
{
    struct bytes want, got;
    enum entry_kind kind;
    enum oracle_answer answer = oracle_get(o, key, snapshot, &want);
    basin_status st = lsm__view_value(v, &kind, &got, &k->w->err);

    if (answer == ORACLE_UNRESOLVED) {
        assert_true(st == BASIN_UNKNOWN_OPERATOR || st == BASIN_CORRUPT);
        return;
    }
    assert_ok(k->w, st);
    assert_int_equal(answer, ORACLE_VALUE);
    assert_int_equal(kind, ENTRY_PUT);
    assert_int_equal(got.size, want.size);
    if (want.size)
        assert_memory_equal(got.data, want.data, want.size);
}

/* Random steps of a view, each compared with the oracle. */
static inline void
walk_view(struct walk *k, struct oracle *o, struct view *v, const struct lsm_range *r,
          uint64_t snapshot, size_t steps)
{
    uint8_t place[WALK_KEY_SIZE];
    struct bytes key = BYTES_NULL, want, target;
    bool there = false, forward = true;
    basin_status st;

    while (steps-- > 0) {
        uint64_t dice = chance_below(&k->c, 24);
        struct bytes from = key;
        if (dice < 6)
            forward = !forward;
        if (dice == 0) {
            st = lsm__view_first(v, &k->w->err);
            there = walk_expect(o, r, NULL, true, true, snapshot, &want);
        } else if (dice == 1) {
            st = lsm__view_last(v, &k->w->err);
            there = walk_expect(o, r, NULL, true, false, snapshot, &want);
        } else if (dice < 8) {
            enum lsm_seek op = (enum lsm_seek)chance_below(&k->c, 3);
            target = walk_key((unsigned)chance_below(&k->c, k->keys), place);
            if (there && chance_below(&k->c, 4) == 0) {
                target = lsm__view_key(v); /* its own memory */
                from = key;
            } else {
                from = target;
            }
            st = lsm__view_seek(v, target, op, &k->w->err);
            there = walk_expect(o, r, &from, true, op != LSM_SEEK_LE, snapshot, &want);
            if (op == LSM_SEEK_EQ)
                there = there && bytes_equal(want, from);
        } else if (forward) {
            st = lsm__view_next(v, &k->w->err);
            there = there && walk_expect(o, r, &from, false, true, snapshot, &want);
        } else {
            st = lsm__view_prev(v, &k->w->err);
            there = there && walk_expect(o, r, &from, false, false, snapshot, &want);
        }
        world_expect(k->w, st, there ? BASIN_OK : BASIN_END, __FILE__, __LINE__);
        assert_int_equal(lsm__view_valid(v), there);
        if (!there)
            continue;
        key = want;
        assert_int_equal(lsm__view_key(v).size, key.size);
        if (key.size)
            assert_memory_equal(lsm__view_key(v).data, key.data, key.size);
        if (chance_below(&k->c, 2))
            walk_check_value(k, o, v, snapshot, key);
    }
}

static inline struct lsm_range
walk_range(struct walk *k, uint8_t low[WALK_KEY_SIZE], uint8_t high[WALK_KEY_SIZE])
{
    struct lsm_range r = { 0 };

    r.has_lower = chance_below(&k->c, 2);
    r.has_upper = chance_below(&k->c, 2);
    r.lower_excluded = chance_below(&k->c, 2);
    r.upper_excluded = chance_below(&k->c, 2);
    if (r.has_lower)
        r.lower = walk_key((unsigned)chance_below(&k->c, k->keys), low);
    if (r.has_upper)
        r.upper = walk_key((unsigned)chance_below(&k->c, k->keys), high);
    return r;
}

#endif
