// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Every short history (EC41, EC43, EC70, EC76): all sequences of a few operations on three keys,
 * crashed at every change that the last of them makes (the changes of earlier ones are those of
 * shorter histories), in each mode. Then it recovers, which may be crashed too, goes on with a
 * durable commit, loses its power, and must have all of it, and nothing else on its disk.
 *
 * A key that was not used yet is as good as another: the lowest is taken. An operation that changes
 * nothing on the machine makes no new history.
 */
#include "lsm/shrink.h"

enum small_kind {
    /* on a key */
    DO_PUT,
    DO_PUT_DURABLE,
    DO_DELETE,
    DO_MERGE,
    DO_LARGE,
    DO_DELETE_FROM,
    DO_KEYED, /* their number */
    DO_FLUSH = DO_KEYED,
    DO_COMPACT,
    DO_CHECKPOINT,
    DO_PIN,
    DO_UNPIN,
    DO_REOPEN,
    DO_COUNT
};

enum { SMALL_KEYS = 3, SMALL_MAX = 4, SMALL_CHANGES_MAX = 200, SMALL_LARGE = 400 };

struct small_op {
    enum small_kind kind;
    unsigned key;
};

struct small {
    struct small_op ops[SMALL_MAX];
    size_t count;
    /* what the last operation changes: whether change i follows a sync */
    bool after_sync[SMALL_CHANGES_MAX];
    uint64_t changes;
    bool last_was_sync;
    uint64_t nested; /* the change of a recovery that is crashed next */
};

/* Totals over all histories. */
struct small_sum {
    uint64_t histories, crashes;
    size_t longest;
    uint64_t stride; /* of the longest ones one in so many */
    bool all_modes;  /* else kills and torn writes take turns */
};

/* ------------------------------------------------------------------ operations */

static void
change_key(struct rig *r, const struct small_op *op, struct lsm_txn *txn)
{
    uint8_t data[WALK_KEY_SIZE], operand[3] = { LSM_OP_APPEND, 'm', (uint8_t)r->seqno };
    struct bytes key = walk_key(op->key * 4, data); /* none that counts */
    size_t size = op->kind == DO_LARGE ? SMALL_LARGE : 9;

    memset(r->value, 'a' + (int)(r->seqno % 26), size);
    switch (op->kind) {
    case DO_DELETE:
        rig_ok(r, lsm_delete(txn, key, &r->err));
        oracle_delete(r->oracle, key, r->seqno + 1);
        break;
    case DO_MERGE:
        rig_ok(r, lsm_merge(txn, key, operand[0], bytes_of(operand + 1, 2), &r->err));
        oracle_merge(r->oracle, key, bytes_of(operand, 3), r->seqno + 1);
        break;
    case DO_DELETE_FROM:
        rig_ok(r, lsm_delete_range(txn, key, BYTES_NULL, true, &r->err));
        oracle_delete_range(r->oracle, key, BYTES_NULL, true, r->seqno + 1);
        break;
    default:
        rig_ok(r, lsm_put(txn, key, bytes_of(r->value, size), &r->err));
        oracle_put(r->oracle, key, bytes_of(r->value, size), r->seqno + 1);
        break;
    }
}

static void
commit_change(struct rig *r, const struct small_op *op)
{
    bool durable = op->kind == DO_PUT_DURABLE;
    struct lsm_txn *txn;
    uint64_t seqno;

    rig_begin(r, LSM_WRITE, &r->txn);
    txn = r->txn;
    change_key(r, op, txn);
    r->txn = NULL;
    rig_mark(r, r->seqno + 1);
    rig_ok(r, lsm_commit(txn, durable, &seqno, &r->err));
    assert_int_equal(seqno, r->seqno + 1);
    r->seqno = seqno;
    if (durable)
        rig_durable(r, seqno);
}

static void
pin(struct rig *r, bool make)
{
    uint64_t seqno;

    r->pins[0].unsure = true;
    if (make) {
        r->pins[0].seqno = r->seqno;
        rig_ok(r, lsm_pin(r->db, "pin-0", "", &seqno, &r->err));
    } else {
        rig_ok(r, lsm_unpin(r->db, "pin-0", &r->err));
    }
    r->pins[0].used = make;
    r->pins[0].unsure = false;
    rig_durable(r, r->seqno);
}

static void
perform(struct rig *r, const struct small_op *op)
{
    switch (op->kind) {
    case DO_FLUSH:
        rig_ok(r, lsm_flush(r->db, &r->err));
        rig_durable(r, r->seqno);
        break;
    case DO_COMPACT:
        rig_ok(r, lsm_compact(r->db, NULL, &r->err));
        rig_durable(r, r->seqno);
        break;
    case DO_CHECKPOINT:
        rig_ok(r, lsm__checkpoint(r->db, &r->err));
        rig_durable(r, r->seqno);
        break;
    case DO_PIN:
    case DO_UNPIN:
        pin(r, op->kind == DO_PIN);
        break;
    case DO_REOPEN:
        rig_close(r);
        rig_open(r);
        break;
    default:
        commit_change(r, op);
        break;
    }
}

/* ------------------------------------------------------------------ one crash */

static void
note_change(void *ctx, const char *verb, const char *path, bool crashes)
{
    struct small *s = ctx;

    (void)path;
    (void)crashes;
    must(s->changes < SMALL_CHANGES_MAX);
    s->after_sync[s->changes++] = s->last_was_sync;
    s->last_was_sync = strstr(verb, "sync") != NULL;
}

static struct rig *
small_begin(const struct small *s, uint64_t seed)
{
    struct rig *r = calloc(1, sizeof *r);

    (void)s;
    assert_non_null(r);
    rig_init(r, seed, true);
    r->plain = true;
    r->keys = SMALL_KEYS * 4;
    r->o = (struct lsm_options){ .mem = &r->memory.table,
                                 .os = r->os,
                                 .no_threads = true,
                                 .mem_limit = 256 * KIB,
                                 .page_size = 512,
                                 .value_threshold = 300,
                                 .level0_runs = 2,
                                 .filter_bits = 10 };
    return r;
}

/* All operations but the last; of none, nothing is open yet. */
static void
before_last(struct rig *r, const struct small *s)
{
    if (s->count == 0)
        return;
    rig_open(r);
    for (size_t i = 0; i + 1 < s->count; i++)
        perform(r, &s->ops[i]);
}

static void
last(struct rig *r, const struct small *s)
{
    if (s->count == 0)
        rig_open(r);
    else
        perform(r, &s->ops[s->count - 1]);
}

/* Recovers and commits one more, durable; false when that was crashed at change n. */
static bool
go_on(struct rig *r, bool lossy, uint64_t n)
{
    static const struct small_op more = { DO_PUT_DURABLE, 1 };
    volatile bool done = false;
    jmp_buf jump;

    r->crashed = &jump;
    os_sim_crash_at(r->sim, n);
    if (setjmp(jump) == 0) {
        rig_recover(r, lossy);
        commit_change(r, &more);
        done = true;
        os_sim_crash_at(r->sim, 1);
    }
    r->crashed = NULL;
    rig_drop(r);
    return done;
}

static void
small_end(struct rig *r)
{
    rig_check(r, true);
    rig_ok(r, lsm_flush(r->db, &r->err));
    rig_settle(r);
    rig_check_files(r);
    rig_close(r);
    rig_release(r);
    free(r);
}

static void
crash_at(struct small *s, uint64_t n, enum os_crash_mode mode, uint64_t seed)
{
    static const enum os_crash_mode modes[] = { OS_CRASH_KILL, OS_CRASH_RANDOM, OS_CRASH_LOSE_ALL };
    struct rig *r = small_begin(s, seed);
    bool lossy = mode != OS_CRASH_KILL;
    enum os_crash_mode then = modes[s->nested % 3];
    jmp_buf jump;

    before_last(r, s);
    r->crashed = &jump;
    os_sim_crash_at(r->sim, n);
    if (setjmp(jump) == 0) {
        last(r, s);
        fail_msg("change %llu is not reached", (unsigned long long)n);
    }
    r->crashed = NULL;
    rig_drop(r);
    os_sim_crash(r->sim, mode);
    if (!go_on(r, lossy, 1 + s->nested++ % 50)) {
        os_sim_crash(r->sim, then);
        lossy = lossy || then != OS_CRASH_KILL;
        assert_true(go_on(r, lossy, 0));
    }
    os_sim_crash(r->sim, OS_CRASH_LOSE_ALL);
    rig_recover(r, true);
    small_end(r);
}

/* ------------------------------------------------------------------ all of them */

/* Plays the history once without a crash; the changes of its last operation are then noted. */
static void
play_whole(struct small *s, uint64_t seed)
{
    struct rig *r = small_begin(s, seed);

    s->changes = 0;
    s->last_was_sync = true;
    before_last(r, s);
    os_sim_watch(r->sim, note_change, s);
    last(r, s);
    os_sim_watch(r->sim, NULL, NULL);
    small_end(r);
}

static void
play_crashed(struct small *s, struct small_sum *sum, uint64_t seed)
{
    for (uint64_t n = 1; n <= s->changes; n++) {
        bool turn = (n + sum->histories) % 2 == 0;
        if (sum->all_modes || turn)
            crash_at(s, n, OS_CRASH_KILL, seed);
        if (sum->all_modes || !turn)
            crash_at(s, n, OS_CRASH_RANDOM, seed);
        sum->crashes += sum->all_modes ? 2 : 1;
        if (s->after_sync[n - 1]) { /* else the same is lost as one change earlier */
            crash_at(s, n, OS_CRASH_LOSE_ALL, seed);
            sum->crashes++;
        }
    }
}

static bool
is_pinned(const struct small *s)
{
    bool pinned = false;

    for (size_t i = 0; i < s->count; i++)
        if (s->ops[i].kind == DO_PIN || s->ops[i].kind == DO_UNPIN)
            pinned = s->ops[i].kind == DO_PIN;
    return pinned;
}

static unsigned
keys_used(const struct small *s)
{
    unsigned used = 0;

    for (size_t i = 0; i < s->count; i++)
        if (s->ops[i].kind < DO_KEYED)
            used = MAX_OF(used, s->ops[i].key + 1);
    return used;
}

static void extend(const struct small *s, struct small_sum *sum);

static void
try_history(struct small *s, struct small_sum *sum)
{
    bool longest = s->count == sum->longest;

    if (longest && sum->histories % sum->stride != 0) {
        sum->histories++;
        return;
    }
    play_whole(s, sum->histories + 1);
    if (s->count > 0 && s->changes == 0)
        return;
    play_crashed(s, sum, sum->histories + 1);
    sum->histories++;
    if (!longest)
        extend(s, sum);
}

static void
extend(const struct small *s, struct small_sum *sum)
{
    struct small next = *s;
    unsigned used = keys_used(s);

    next.count++;
    for (unsigned kind = 0; kind < DO_COUNT; kind++) {
        unsigned keys = kind < DO_KEYED ? MIN_OF(used + 1, (unsigned)SMALL_KEYS) : 1;
        if ((kind == DO_PIN && is_pinned(s)) || (kind == DO_UNPIN && !is_pinned(s)))
            continue;
        for (unsigned key = 0; key < keys; key++) {
            next.ops[s->count] = (struct small_op){ (enum small_kind)kind, key };
            try_history(&next, sum);
            next.nested += 7;
        }
    }
}

static void
survives_every_short_history(void **state)
{
    struct small s = { .count = 0 };
    size_t scale = test_scale(1);
    struct small_sum sum = { .longest = scale < 20 ? 3 : 4, .all_modes = scale >= 20 };

    (void)state;
    /* all of the lengths before; of the longest one in 97 at scale 1 and 20, all at 2000 */
    sum.stride = scale < 20 ? 97 : MAX_OF((uint64_t)1, 1940 / scale);
    try_history(&s, &sum);
    print_message("%llu histories, %llu crashes\n", (unsigned long long)sum.histories,
                  (unsigned long long)sum.crashes);
    assert_true(sum.crashes > 1000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(survives_every_short_history),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
