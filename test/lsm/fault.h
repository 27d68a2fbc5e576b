// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Faults in every operation of the engine. A case makes a database and does one thing to it; the
 * sweep does that again and again, each time with another fault: allocation n refused, call n
 * failing, k pages of disk left. What the case was told is held against what is there afterwards:
 *   - the status is the fault's (or OK, when the engine can do without), with a text;
 *   - the open database shows what was committed, no more and no less; unless it refuses writes
 *     since, it takes further ones;
 *   - it closes and opens again, with or without a power loss, and shows a state that the answers
 *     allow: what was acknowledged is there, what was not is there as a whole or not at all;
 *   - after that nothing lies about that nobody refers to, and nothing has leaked.
 */
#ifndef TEST_LSM_FAULT_H
#define TEST_LSM_FAULT_H

#include "lsm/crash.h"

enum fault_kind {
    FAULT_ALLOCATION,    /* allocation n is refused */
    FAULT_MEMORY,        /* ... and all after it */
    FAULT_CALL,          /* call n fails with an error of the disk */
    FAULT_DISK,          /* ... and all after it */
    FAULT_CALL_NO_SPACE, /* call n fails because the disk is full */
    FAULT_SPACE,         /* n - 1 pages are left */
    FAULT_KINDS
};

struct fault_case {
    const char *name;
    void (*prepare)(struct rig *r);      /* without faults; may leave r->db NULL */
    basin_status (*work)(struct rig *r); /* the first failure; goes on where it can */
    bool maps;
    bool folders; /* it makes some */
};

/* ------------------------------------------------------------------ pieces of cases */

static inline struct bytes
fault_key(unsigned i, uint8_t to[WALK_KEY_SIZE])
{
    return bytes_of(to, (size_t)snprintf((char *)to, WALK_KEY_SIZE, "%c/key %u", 'a' + (int)(i % 3),
                                         i));
}

static inline struct bytes
fault_value(struct rig *r, uint64_t tag, size_t n)
{
    must(n <= sizeof r->value);
    for (size_t i = 0; i < n; i++)
        r->value[i] = (uint8_t)(tag * 31 + i * 7 + i / 200);
    return bytes_of(r->value, n);
}

struct fault_change {
    unsigned from, count; /* keys */
    size_t size;          /* of each value */
    bool remove;
    bool range; /* remove: as one range */
    bool stream;
    bool durable;
    bool locked;
};

static inline basin_status
fault_stream(struct rig *r, struct bytes key, struct bytes value)
{
    basin_status st;
    struct lsm_stream *s;
    size_t half = value.size / 2;

    TRY(lsm_stream_open(r->txn, key, &r->stream, &r->err));
    TRY(lsm_stream_write(r->stream, bytes_of(value.data, half), &r->err));
    TRY(lsm_stream_write(r->stream, bytes_of(value.data + half, value.size - half), &r->err));
    s = r->stream;
    r->stream = NULL;
    TRY(lsm_stream_close(s, &r->err));
out:
    lsm_stream_abort(r->stream);
    r->stream = NULL;
    return st;
}

static inline basin_status
fault_changes(struct rig *r, const struct fault_change *c, uint64_t *next)
{
    basin_status st = BASIN_OK;
    uint8_t a[WALK_KEY_SIZE], b[WALK_KEY_SIZE];

    if (c->range) {
        struct bytes from = bytes_of("a/", 2), to = fault_key(c->from, b);
        TRY(lsm_delete_range(r->txn, from, to, false, &r->err));
        oracle_delete_range(r->oracle, from, to, false, ++*next);
        return st;
    }
    for (unsigned i = c->from; i < c->from + c->count; i++) {
        struct bytes key = fault_key(i, a), value = fault_value(r, *next, c->size);
        if (c->remove) {
            TRY(lsm_delete(r->txn, key, &r->err));
            oracle_delete(r->oracle, key, ++*next);
            continue;
        }
        TRY(c->stream ? fault_stream(r, key, value) : lsm_put(r->txn, key, value, &r->err));
        oracle_put(r->oracle, key, value, ++*next);
    }
out:
    return st;
}

/* It did not happen, and cannot come back: nothing is left open about it. */
static inline bool
fault_is_certain(struct rig *r)
{
    return lsm__failure(r->db, NULL) == BASIN_OK;
}

/* One transaction. */
static inline basin_status
fault_commit(struct rig *r, const struct fault_change *c)
{
    basin_status st;
    struct lsm_txn *txn;
    uint64_t next = r->seqno, seqno;

    TRY(lsm_begin(r->db,
                  &(struct lsm_begin){ .mode = c->locked ? LSM_LOCKED : LSM_WRITE,
                                       .timeout_ms = 1000 },
                  &r->txn, &r->err));
    TRY(fault_changes(r, c, &next));
    txn = r->txn;
    r->txn = NULL;
    rig_mark(r, next);
    st = lsm_commit(txn, c->durable, &seqno, &r->err);
    if (st == BASIN_OK) {
        assert_int_equal(seqno, next);
        r->seqno = seqno;
        if (c->durable)
            rig_durable(r, seqno);
    } else if (fault_is_certain(r)) {
        r->mark_count--;
        oracle_cut(r->oracle, r->seqno);
    }
    return st;
out:
    lsm_abort(r->txn);
    r->txn = NULL;
    oracle_cut(r->oracle, r->seqno);
    return st;
}

static inline basin_status
fault_load(struct rig *r, bool unsorted, unsigned count, size_t size)
{
    basin_status st;
    uint8_t a[WALK_KEY_SIZE];
    struct lsm_load *l;
    uint64_t seqno;

    TRY(lsm_load_open(r->db, &(struct lsm_load_options){ .unsorted = unsorted }, &r->load,
                      &r->err));
    for (unsigned i = 0; i < count; i++) {
        unsigned k = unsorted ? (i * 7) % count : i;
        struct bytes key = bytes_of(a, (size_t)snprintf((char *)a, sizeof a, "load %04u", k));
        struct bytes value = fault_value(r, k, size);
        TRY(lsm_load_add(r->load, key, value, &r->err));
        oracle_put(r->oracle, key, value, r->seqno + 1);
    }
    l = r->load;
    r->load = NULL;
    rig_mark(r, r->seqno + 1);
    st = lsm_load_commit(l, &seqno, &r->err);
    if (st == BASIN_OK) {
        assert_int_equal(seqno, r->seqno + 1);
        r->seqno = seqno;
        rig_durable(r, seqno);
    } else if (fault_is_certain(r)) {
        r->mark_count--;
        oracle_cut(r->oracle, r->seqno);
    }
    return st;
out:
    lsm_load_abort(r->load);
    r->load = NULL;
    oracle_cut(r->oracle, r->seqno);
    return st;
}

/* Makes pin i, or drops it. */
static inline basin_status
fault_pin(struct rig *r, size_t i, bool make)
{
    basin_status st;
    char name[16];
    uint64_t seqno;

    rig_pin_name(name, i);
    r->pins[i].unsure = true;
    r->pins[i].seqno = make ? r->seqno : r->pins[i].seqno;
    st = make ? lsm_pin(r->db, name, "fault", &seqno, &r->err) : lsm_unpin(r->db, name, &r->err);
    if (st == BASIN_OK)
        r->pins[i].used = make;
    if (st == BASIN_OK || fault_is_certain(r))
        r->pins[i].unsure = false;
    if (st == BASIN_OK)
        rig_durable(r, r->seqno);
    return st;
}

static inline basin_status
fault_flush(struct rig *r)
{
    basin_status st = lsm_flush(r->db, &r->err);

    if (st == BASIN_OK)
        rig_durable(r, r->seqno);
    return st;
}

static inline basin_status
fault_close(struct rig *r)
{
    struct lsm *db = r->db;
    basin_status st;

    r->db = NULL;
    st = lsm_close(db, &r->err);
    if (st == BASIN_OK)
        rig_durable(r, r->seqno);
    assert_int_equal(r->memory.live, 0);
    assert_int_equal(os_sim_handles(r->sim), 0);
    return st;
}

static inline basin_status
fault_open(struct rig *r)
{
    return lsm_open(r->path, &r->o, &r->db, &r->err);
}

/* Some runs on two levels, a pin, values out of line, a tail in the log. */
static inline void
fault_fill(struct rig *r)
{
    rig_ok(r, fault_open(r));
    for (unsigned i = 0; i < 6; i++) {
        rig_ok(r, fault_commit(r, &(struct fault_change){
                                      .from = i * 5, .count = 12, .size = 150, .durable = true }));
        if (i == 3)
            rig_ok(r,
                   fault_commit(r, &(struct fault_change){ .from = 3, .count = 2, .size = 2000 }));
        if (i == 4)
            rig_ok(r, fault_pin(r, 0, true));
        if (i % 2 == 0)
            rig_ok(r, fault_flush(r));
    }
    rig_settle(r);
    rig_ok(r, fault_commit(r, &(struct fault_change){ .from = 7, .count = 9, .size = 90 }));
    rig_ok(r, fault_commit(r, &(struct fault_change){ .from = 8, .range = true }));
}

/* ------------------------------------------------------------------ one run */

static inline void
fault_rig_init(struct rig *r, uint64_t seed, bool maps)
{
    struct os_sim_options so = { .seed = seed, .maps = maps, .mem = &base_malloc };

    memset(r, 0, sizeof *r);
    test_memory_init(&r->memory);
    r->c = chance_of(seed);
    r->keys = 40;
    r->plain = true;
    r->oracle = oracle_new();
    rig_ok(r, os_sim_new(&so, &r->sim, &r->err));
    r->os = os_sim_os(r->sim);
    memcpy(r->path, "db", 3);
    r->o = (struct lsm_options){ .mem = &r->memory.table,
                                 .os = r->os,
                                 .no_threads = true,
                                 .mem_limit = MIB,
                                 .memtable_size = 8 * KIB,
                                 .stratum_size = 8 * KIB,
                                 .value_threshold = 1000,
                                 .log_size_max = LOG_SIZE_START,
                                 .page_size = 512,
                                 .level_factor = 2,
                                 .level0_runs = 2,
                                 .codec = CODEC_NONE,
                                 .no_map = !maps };
}

static inline void
fault_arm(struct rig *r, enum fault_kind kind, uint64_t n)
{
    uint64_t used = os_sim_space_used(r->sim);

    switch (kind) {
    case FAULT_ALLOCATION:
        test_memory_refuse(&r->memory, (size_t)n);
        break;
    case FAULT_MEMORY:
        test_memory_refuse_from(&r->memory, (size_t)n);
        break;
    case FAULT_CALL:
    case FAULT_CALL_NO_SPACE:
        os_sim_fail_at(r->sim, n, kind == FAULT_CALL ? BASIN_IO : BASIN_NO_SPACE);
        break;
    case FAULT_DISK:
        os_sim_fail_from(r->sim, n, BASIN_IO);
        break;
    default:
        os_sim_set_space(r->sim, used + n * 4096);
    }
}

static inline void
fault_disarm(struct rig *r)
{
    test_memory_refuse(&r->memory, 0);
    os_sim_fail_at(r->sim, 0, BASIN_IO);
    os_sim_set_space(r->sim, 0);
}

static inline basin_status
fault_status(enum fault_kind kind)
{
    if (kind == FAULT_ALLOCATION || kind == FAULT_MEMORY)
        return BASIN_NO_MEM;
    return kind == FAULT_CALL || kind == FAULT_DISK ? BASIN_IO : BASIN_NO_SPACE;
}

static inline void
fault_check_error(struct rig *r, basin_status st, enum fault_kind kind)
{
    basin_status want = fault_status(kind);

    if (st == BASIN_OK)
        return;
    if (kind == FAULT_CALL_NO_SPACE && st == BASIN_IO)
        want = st; /* of a directory's sync: what comes after it cannot know why */
    if (st != want || r->err.status != st || r->err.what[0] == 0)
        fail_msg("%s '%s' (text says %s), not %s", basin_status_name(st), r->err.what,
                 basin_status_name(r->err.status), basin_status_name(want));
}

/* The handle that met the fault goes on: what it shows, and what it still takes. */
static inline void
fault_check_open(struct rig *r, bool poisons)
{
    if (r->db == NULL)
        return;
    rig_check_at(r, &(struct lsm_begin){ .mode = LSM_READ }, r->seqno, true);
    if (fault_is_certain(r)) {
        rig_ok(r, fault_commit(r, &(struct fault_change){
                                      .from = 30, .count = 3, .size = 60, .durable = true }));
        rig_ok(r, fault_flush(r));
        rig_ok(r, lsm_compact(r->db, NULL, &r->err));
        rig_ok(r, fault_close(r));
    } else {
        if (!poisons)
            fail_msg("the database refuses writes: %s", r->db->failure.what);
        (void)!fault_close(r);
    }
}

/* The next process, and one after a power loss. */
static inline void
fault_check_reopened(struct rig *r, bool lossy)
{
    rig_recover(r, lossy);
    rig_check(r, true);
    rig_ok(r, lsm_feed_hold(r->db, "fault", UINT64_MAX, 0, &r->err)); /* holds log */
    rig_ok(r, fault_commit(r, &(struct fault_change){
                                  .from = 1, .count = 2, .size = 1500, .durable = true }));
    rig_ok(r, fault_flush(r));
    rig_settle(r);
    rig_check(r, true);
    rig_check_files(r);
    rig_ok(r, fault_close(r));
    os_sim_crash(r->sim, OS_CRASH_LOSE_ALL);
    rig_recover(r, true);
    rig_check(r, true);
    rig_close(r);
}

/* Returns whether the fault struck. */
static inline bool
fault_run(const struct fault_case *c, enum fault_kind kind, uint64_t n, bool power)
{
    struct rig *r = calloc(1, sizeof *r);
    basin_status st;
    bool struck;
    uint64_t before;

    assert_non_null(r);
    fault_rig_init(r, n, c->maps);
    if (c->prepare != NULL)
        c->prepare(r);
    before = os_sim_calls(r->sim);
    fault_arm(r, kind, n);
    st = c->work(r);
    struck = kind <= FAULT_MEMORY  ? test_memory_refused(&r->memory)
             : kind == FAULT_SPACE ? st != BASIN_OK
                                   : os_sim_calls(r->sim) - before >= n;
    fault_check_error(r, st, kind);
    /* a folder whose sync failed, and which could not be taken back, is not made anew by anybody:
     * then only a restart of the machine tells whether it is there */
    if (c->folders && st != BASIN_OK && kind > FAULT_MEMORY)
        power = power || c->prepare == NULL || kind == FAULT_DISK;
    if (power) {
        os_sim_crash(r->sim, OS_CRASH_LOSE_ALL);
        fault_disarm(r);
        rig_drop(r);
        os_sim_crash(r->sim, OS_CRASH_LOSE_ALL);
    } else {
        fault_disarm(r);
        fault_check_open(r, kind != FAULT_SPACE);
    }
    fault_check_reopened(r, power);
    rig_release(r);
    free(r);
    return struck;
}

/* ------------------------------------------------------------------ sweeps */

/* Every fault in turn; of large cases every `stride`-th one, beginning at another place in each. */
struct fault_sweep {
    const struct fault_case *of;
    enum fault_kind kind;
    uint64_t begin, stride;
    char name[80];
    uint64_t n; /* now */
    unsigned power;
    bool running;
};

static const char *const fault_names[FAULT_KINDS] = { "allocation", "memory",        "call",
                                                      "disk",       "call_no_space", "space" };

static inline void
fault_sweep(void **state)
{
    struct fault_sweep *s = *state;
    bool more = true;

    s->running = true;
    for (s->n = s->begin; more; s->n += s->stride) {
        more = false;
        for (s->power = 0; s->power < 2; s->power++)
            more = fault_run(s->of, s->kind, s->n, s->power) || more;
    }
    s->running = false;
}

static inline int
fault_sweep_end(void **state)
{
    struct fault_sweep *s = *state;

    if (s->running)
        print_error("again: \"%s\" %s %llu %u\n", s->of->name, fault_names[s->kind],
                    (unsigned long long)s->n, s->power);
    return 0;
}

/* 1 at full size; a prime otherwise, so that it misses nothing that comes with a period. */
static inline uint64_t
fault_stride(uint64_t prime)
{
    return test_scale(1) >= 20 ? 1 : prime;
}

/* With arguments: one run, "CASE KIND n power". Without: kinds[] over all cases. */
static inline int
fault_main(int argc, char **argv, const struct fault_case *cases, size_t case_count,
           const enum fault_kind *kinds, size_t kind_count, uint64_t stride)
{
    struct CMUnitTest *tests = calloc(case_count * kind_count, sizeof *tests);
    struct fault_sweep *sweeps = calloc(case_count * kind_count, sizeof *sweeps);
    size_t n = 0;
    int failed;

    must(tests != NULL && sweeps != NULL);
    for (size_t i = 0; i < case_count; i++) {
        for (size_t k = 0; k < kind_count; k++) {
            struct fault_sweep *s = &sweeps[n];
            *s = (struct fault_sweep){ .of = &cases[i], .kind = kinds[k], .stride = stride };
            s->begin = 1 + n % stride;
            (void)snprintf(s->name, sizeof s->name, "%s: %s", cases[i].name, fault_names[kinds[k]]);
            tests[n++] = (struct CMUnitTest){ s->name, fault_sweep, NULL, fault_sweep_end, s };
            if (argc == 5 && strcmp(argv[1], cases[i].name) == 0 &&
                strcmp(argv[2], fault_names[kinds[k]]) == 0)
                return !fault_run(&cases[i], kinds[k], strtoull(argv[3], NULL, 10),
                                  argv[4][0] != '0');
        }
    }
    failed = argc == 5 ? 1 : _cmocka_run_group_tests("faults", tests, n, NULL, NULL);
    free(tests);
    free(sweeps);
    return failed;
}

#endif
