// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/* The memtable: order, versions, folded operands, range tombstones, threads, refused memory. */
#include "lsm/mem_tree.h"
#include "lsm/raw.h"
#include "model/oracle.h"
#include "os/os.h"

static struct world w;

static void
add(struct memtable *m, struct bytes key, uint64_t seqno)
{
    uint8_t value[8];

    store_u64(value, seqno * 3);
    assert_ok(&w, memtable_add(m, &(struct entry){ key, bytes_of(value, 8), seqno, ENTRY_PUT },
                               &w.err));
}

/* ------------------------------------------------------------------ the tree */

enum order { RANDOM, ASCENDING, DESCENDING, STREAMS, ZIGZAG, ORDERS };

/* The i-th of n keys in an order of insertion. */
static struct bytes
key_in_order(enum order order, size_t i, size_t n, struct chance *c, uint8_t to[128])
{
    uint64_t number = i;
    int size;

    if (order == DESCENDING)
        number = n - i;
    else if (order == STREAMS)
        number = i % 5 * 1000000 + i / 5;
    else if (order == ZIGZAG)
        number = i % 2 ? n + i : n - i;
    else if (order == RANDOM)
        number = chance_below(c, 2 * n);
    switch (n % 3) {
    case 0:
        size = snprintf((char *)to, 128, "%08llu", (unsigned long long)number);
        break;
    case 1: /* short keys of all lengths, zero bytes included */
        memset(to, 0, 8);
        for (size = 0; number > 0; number /= 7)
            to[size++] = (uint8_t)(number % 7);
        break;
    default:
        size = snprintf((char *)to, 128, "%.*s/%llu", (int)(number % 3 * 30),
                        "a long common start, which is longer than what a node keeps of it",
                        (unsigned long long)number);
    }
    return bytes_of(to, (size_t)size);
}

static void
keys_come_out_in_order(void **state)
{
    struct chance c = chance_init("keys in order", 3);

    (void)state;
    for (size_t round = 0; round < ORDERS * 6; round++) {
        size_t n = round % 6 == 5 ? 6000 + round % 3 : 1 + chance_below(&c, 400);
        struct memtable *m;
        struct raw r = { 0 };
        struct icur *cursor;
        uint8_t key[128];
        world_init(&w);
        size_t before = w.memory.live;
        m = world_memtable(&w);
        for (size_t i = 0; i < n; i++) {
            struct bytes k = key_in_order((enum order)(round / 6), i, n, &c, key);
            uint8_t value[8];
            store_u64(value, (i + 1) * 3);
            add(m, k, i + 1);
            raw_add(&r, 0, &(struct entry){ k, bytes_of(value, 8), i + 1, ENTRY_PUT });
        }
        raw_sort(&r);
        assert_int_equal(memtable_entries(m), n);
        assert_int_equal(memtable_seqno_max(m), n);
        assert_int_equal(memtable_seqno_min(m), 1);
        assert_int_equal(memtable_used(m), w.memory.live - before);
        assert_ok(&w, memtable_cursor(m, w.mem, &cursor, &w.err));
        raw_walk(&w, &r, cursor, &c, 3000);
        raw_seeks(&w, &r, cursor, &c, 1000);
        for (size_t i = 0; i < r.count; i++) {
            const struct mem_version *v = memtable_find(m, raw_key(&r.e[i]), r.e[i].seqno);
            assert_non_null(v);
            assert_int_equal(version_seqno(v), r.e[i].seqno);
            assert_null(memtable_find(m, raw_key(&r.e[i]), 0));
        }
        cursor->ops->close(cursor);
        raw_free(&r);
        world_release(&w);
    }
}

/* Ascending keys fill their nodes; descending and random ones at least half of them. */
static void
nodes_are_filled(void **state)
{
    size_t used[2] = { 0 };
    uint8_t key[128];

    (void)state;
    for (int round = 0; round < 2; round++) {
        struct chance c = chance_of(5);
        world_init(&w);
        struct memtable *m = world_memtable(&w);
        for (size_t i = 0; i < 30000; i++)
            add(m, key_in_order(round ? STREAMS : RANDOM, i, 30000, &c, key), i + 1);
        size_t leaves = 0, slots = 0;
        for (struct mem_node *n = mem__leaf_of(m, BYTES_NULL); n != NULL; n = node_next(n)) {
            leaves++;
            slots += order_count(node_order(n));
        }
        used[round] = slots * 100 / leaves;
        world_release(&w);
    }
    assert_true(used[0] >= 900);  /* of 1500 */
    assert_true(used[1] >= 1400);
}

static void
keys_of_the_largest_size(void **state)
{
    static uint8_t big[STRATUM_KEY_MAX + 1];
    struct memtable *m;
    struct icur *c;

    (void)state;
    world_init(&w);
    m = world_memtable(&w);
    memset(big, 's', sizeof big);
    for (uint64_t i = 0; i < 40; i++) /* all share 65 495 bytes */
        add(m, bytes_of(big, STRATUM_KEY_MAX - 39 + i), i + 1);
    add(m, BYTES_NULL, 41);
    struct entry over = { bytes_of(big, sizeof big), BYTES_NULL, 42, ENTRY_PUT };
    assert_status(&w, memtable_add(m, &over, &w.err), BASIN_LIMIT);
    assert_int_equal(memtable_entries(m), 41);
    assert_ok(&w, memtable_cursor(m, w.mem, &c, &w.err));
    assert_ok(&w, c->ops->first(c, &w.err));
    assert_int_equal(c->entry.key.size, 0);
    for (size_t i = 0; i < 40; i++) {
        assert_ok(&w, c->ops->next(c, &w.err));
        assert_true(c->valid);
        assert_int_equal(c->entry.key.size, STRATUM_KEY_MAX - 39 + i);
    }
    assert_non_null(memtable_find(m, bytes_of(big, STRATUM_KEY_MAX), UINT64_MAX));
    assert_null(memtable_find(m, bytes_of(big, STRATUM_KEY_MAX - 40), UINT64_MAX));
    c->ops->close(c);
    world_release(&w);
}

/* ------------------------------------------------------------------ versions */

/* A hundred thousand overwrites: every one is found from its snapshot, and walked in both
 * directions; linear searches would take minutes. */
static void
a_key_with_many_versions(void **state)
{
    enum { VERSIONS = 100000 };
    struct memtable *m;
    struct bytes key = BYTES_LIT("hot");
    struct icur *c;

    (void)state;
    world_init(&w);
    m = world_memtable(&w);
    add(m, BYTES_LIT("a"), 1);
    add(m, BYTES_LIT("z"), 2);
    for (uint64_t s = 10; s < VERSIONS; s++)
        add(m, key, s);
    assert_null(memtable_find(m, key, 9));
    for (uint64_t s = 10; s < VERSIONS; s++) {
        const struct mem_version *v = memtable_find(m, key, s);
        struct entry e;
        mem_version_entry(v, &e);
        assert_int_equal(e.seqno, s);
        assert_int_equal(load_u64(e.value.data), s * 3);
    }
    assert_ok(&w, memtable_cursor(m, w.mem, &c, &w.err));
    assert_ok(&w, c->ops->seek_le(c, key, &w.err));
    for (uint64_t s = 10; s < VERSIONS; s++) {
        assert_int_equal(c->entry.seqno, s);
        assert_ok(&w, c->ops->prev(c, &w.err));
    }
    assert_int_equal(c->entry.key.data[0], 'a');
    for (uint64_t s = VERSIONS; s-- > 10;) {
        assert_ok(&w, c->ops->next(c, &w.err));
        assert_int_equal(c->entry.seqno, s);
    }
    assert_ok(&w, c->ops->next(c, &w.err));
    assert_int_equal(c->entry.key.data[0], 'z');
    c->ops->close(c);
    world_release(&w);
}

/* ------------------------------------------------------------------ folded operands (E64) */

static void
merge(struct memtable *m, struct bytes key, uint8_t op, const void *operand, size_t n,
      uint64_t seqno)
{
    uint8_t value[1024] = { op };

    memcpy(value + 1, operand, n);
    assert_ok(&w, memtable_add(m, &(struct entry){ key, bytes_of(value, n + 1), seqno,
                                                   ENTRY_MERGE }, &w.err));
}

static void
count(struct memtable *m, struct bytes key, int64_t delta, uint64_t seqno)
{
    uint8_t operand[9] = { 1 };

    store_u64(operand + 1, (uint64_t)delta);
    merge(m, key, LSM_OP_COUNTER, operand, sizeof operand, seqno);
}

static int64_t
sum_at(struct memtable *m, struct bytes key, uint64_t snapshot, size_t *steps)
{
    const struct mem_version *v = memtable_find(m, key, snapshot);
    int64_t sum = 0;

    for (*steps = 0; v != NULL; ++*steps) {
        struct entry e;
        v = mem_version_sum(v, &e);
        if (e.kind != ENTRY_MERGE)
            break;
        assert_int_equal(e.value.size, 10);
        sum += (int64_t)load_u64(e.value.data + 2);
    }
    return sum;
}

static void
operands_are_folded_for_every_snapshot(void **state)
{
    struct bytes key = BYTES_LIT("n");
    struct memtable *m;
    struct icur *c;
    size_t steps;

    (void)state;
    world_init(&w);
    m = world_memtable(&w);
    for (uint64_t s = 1; s <= 20000; s++)
        count(m, key, (int64_t)s, s);
    for (uint64_t s = 1; s <= 20000; s += 7) {
        assert_int_equal(sum_at(m, key, s, &steps), s * (s + 1) / 2);
        assert_int_equal(steps, 1);
    }
    /* the raw cursor shows what came in */
    assert_ok(&w, memtable_cursor(m, w.mem, &c, &w.err));
    assert_ok(&w, c->ops->first(c, &w.err));
    for (uint64_t s = 20000; s >= 1; s--) {
        assert_int_equal(c->entry.seqno, s);
        assert_int_equal(load_u64(c->entry.value.data + 2), s);
        assert_ok(&w, c->ops->next(c, &w.err));
    }
    assert_false(c->valid);
    c->ops->close(c);
    world_release(&w);
}

static void
folding_stops_at_what_hides(void **state)
{
    struct bytes key = BYTES_LIT("n");
    struct memtable *m;
    size_t steps;

    (void)state;
    world_init(&w);
    m = world_memtable(&w);
    count(m, key, 1, 1);
    count(m, key, 2, 2);
    assert_ok(&w, memtable_add(m, &(struct entry){ key, BYTES_NULL, 3, ENTRY_DELETE }, &w.err));
    count(m, key, 4, 4);
    count(m, key, 8, 5);
    assert_int_equal(sum_at(m, key, 5, &steps), 12);
    assert_int_equal(sum_at(m, key, 2, &steps), 3);
    assert_ok(&w, memtable_add_range(m, &(struct range_tombstone){ BYTES_LIT("a"),
                                                                   BYTES_LIT("z"), false, 6 },
                                     &w.err));
    count(m, key, 16, 7);
    count(m, key, 32, 8);
    struct entry e;
    const struct mem_version *below = mem_version_sum(memtable_find(m, key, 8), &e);
    assert_int_equal(load_u64(e.value.data + 2), 48);
    assert_int_equal(version_seqno(below), 5);
    /* the sum of a counter that does not fit is not made */
    count(m, BYTES_LIT("x"), INT64_MAX, 9);
    count(m, BYTES_LIT("x"), 1, 10);
    below = mem_version_sum(memtable_find(m, BYTES_LIT("x"), 10), &e);
    assert_int_equal(load_u64(e.value.data + 2), 1);
    assert_int_equal(version_seqno(below), 9);
    /* another operator, or one that is not there */
    merge(m, BYTES_LIT("x"), LSM_OP_APPEND, "abc", 3, 11);
    merge(m, BYTES_LIT("x"), 77, "abc", 3, 12);
    merge(m, BYTES_LIT("x"), 77, "abc", 3, 13);
    below = mem_version_sum(memtable_find(m, BYTES_LIT("x"), 13), &e);
    assert_int_equal(version_seqno(below), 12);
    assert_int_equal(e.value.size, 4);
    world_release(&w);
}

/* Appending piece by piece: the chain is walked in sums of some hundred bytes. */
static void
large_operands_stay_apart(void **state)
{
    struct bytes key = BYTES_LIT("n");
    char text[2001] = "";
    struct memtable *m;
    size_t steps = 0, total = 0;
    struct entry e;

    (void)state;
    world_init(&w);
    m = world_memtable(&w);
    memset(text, 'x', 2000);
    for (uint64_t s = 1; s <= 1000; s++)
        merge(m, key, LSM_OP_APPEND, text, 10, s);
    merge(m, key, LSM_OP_APPEND, text, 1000, 1001);
    merge(m, key, LSM_OP_APPEND, text, 1000, 1002);
    for (const struct mem_version *v = memtable_find(m, key, 1002); v != NULL; steps++) {
        v = mem_version_sum(v, &e);
        total += e.value.size - 1;
    }
    assert_int_equal(total, 12000);
    assert_in_range(steps, 3, 60);
    world_release(&w);
}

/* ------------------------------------------------------------------ range tombstones */

struct range_model {
    uint8_t begin[2], end[2];
    size_t begin_size, end_size;
    bool unbounded;
    uint64_t seqno;
};

static uint64_t
model_covering(const struct range_model *r, size_t n, struct bytes key, uint64_t snapshot)
{
    uint64_t best = 0;

    for (size_t i = 0; i < n; i++)
        if (r[i].seqno <= snapshot && r[i].seqno > best &&
            bytes_compare(bytes_of(r[i].begin, r[i].begin_size), key) <= 0 &&
            (r[i].unbounded || bytes_compare(key, bytes_of(r[i].end, r[i].end_size)) < 0))
            best = r[i].seqno;
    return best;
}

static struct bytes
short_key(struct chance *c, uint8_t to[2], unsigned letters)
{
    to[0] = (uint8_t)chance_below(c, letters);
    to[1] = (uint8_t)chance_below(c, letters);
    return bytes_of(to, chance_below(c, 3));
}

static void
check_cover(const struct range_model *r, size_t n, struct memtable *m, struct chance *c,
            unsigned letters)
{
    uint8_t a[2], b[2];
    struct bytes key = short_key(c, a, letters), other = short_key(c, b, letters);
    uint64_t snapshot = chance_below(c, 3) ? UINT64_MAX : chance_below(c, n + 2);
    struct range_cover cover;
    uint64_t want = model_covering(r, n, key, snapshot);

    assert_int_equal(memtable_covering(m, key, snapshot, NULL), want);
    assert_int_equal(memtable_covering(m, key, snapshot, &cover), want);
    assert_int_equal(cover.seqno, want);
    assert_true(bytes_compare(cover.begin, key) <= 0);
    assert_true(cover.unbounded || bytes_compare(key, cover.end) < 0);
    if (bytes_compare(cover.begin, other) <= 0 &&
        (cover.unbounded || bytes_compare(other, cover.end) < 0))
        assert_int_equal(model_covering(r, n, other, snapshot), want);
    assert_int_equal(model_covering(r, n, cover.begin, snapshot), want);
}

static void
check_fragments(const struct range_model *r, size_t n, struct memtable *m, struct chance *c,
                unsigned letters)
{
    struct range_tombstone *f;
    size_t count;

    world_fragments(&w, m, &f, &count);
    for (size_t i = 1; i < count; i++) {
        if (bytes_equal(f[i].begin, f[i - 1].begin)) {
            assert_true(f[i].seqno < f[i - 1].seqno);
            assert_int_equal(f[i].unbounded, f[i - 1].unbounded);
            assert_true(bytes_equal(f[i].end, f[i - 1].end));
        } else {
            assert_false(f[i - 1].unbounded);
            assert_true(bytes_compare(f[i - 1].end, f[i].begin) <= 0);
        }
    }
    for (int round = 0; round < 50; round++) {
        uint8_t a[2];
        struct bytes key = short_key(c, a, letters);
        uint64_t snapshot = chance_below(c, n + 2), best = 0;
        for (size_t i = 0; i < count; i++)
            if (f[i].seqno <= snapshot && f[i].seqno > best &&
                bytes_compare(f[i].begin, key) <= 0 &&
                (f[i].unbounded || bytes_compare(key, f[i].end) < 0))
                best = f[i].seqno;
        assert_int_equal(best, model_covering(r, n, key, snapshot));
    }
    mem_free(w.mem, f, count * sizeof *f);
}

/* EC47: overlapping, nested, empty and endless range deletes, with several seqnos. */
static void
ranges_agree_with_a_list(void **state)
{
    struct chance c = chance_init("ranges", 7);
    static struct range_model r[700];

    (void)state;
    for (int round = 0; round < 30; round++) {
        unsigned letters = round % 2 ? 4 : 200;
        size_t n = 0, most = round % 5 == 0 ? 700 : chance_below(&c, 100);
        world_init(&w);
        struct memtable *m = world_memtable(&w);
        while (n < most) {
            struct bytes begin = short_key(&c, r[n].begin, letters);
            struct bytes end = short_key(&c, r[n].end, letters);
            r[n].begin_size = begin.size;
            r[n].end_size = end.size;
            r[n].unbounded = chance_below(&c, 40) == 0;
            r[n].seqno = n + 1;
            struct range_tombstone t = { begin, r[n].unbounded ? BYTES_NULL : end,
                                         r[n].unbounded, n + 1 };
            assert_ok(&w, memtable_add_range(m, &t, &w.err));
            n++;
            check_cover(r, n, m, &c, letters);
        }
        for (int i = 0; i < 500; i++)
            check_cover(r, n, m, &c, letters);
        check_fragments(r, n, m, &c, letters);
        assert_int_equal(memtable_seqno_max(m), n);
        world_release(&w);
    }
}

/* Nested ranges must not need memory or time in the square of their number. */
static void
nested_ranges_stay_small(void **state)
{
    enum { COUNT = 4096 };
    uint8_t a[4], b[4];

    (void)state;
    world_init(&w);
    struct memtable *m = world_memtable(&w);
    for (uint32_t i = 0; i < COUNT; i++) {
        store_u32(a, __builtin_bswap32(i));
        store_u32(b, __builtin_bswap32(2 * COUNT - i));
        struct range_tombstone t = { bytes_of(a, 4), bytes_of(b, 4), false, i + 1 };
        assert_ok(&w, memtable_add_range(m, &t, &w.err));
    }
    for (uint32_t i = 0; i < COUNT; i++) {
        store_u32(a, __builtin_bswap32(i));
        assert_int_equal(memtable_covering(m, bytes_of(a, 4), UINT64_MAX, NULL), i + 1);
        assert_int_equal(memtable_covering(m, bytes_of(a, 4), i / 2, NULL), i / 2);
    }
    assert_true(memtable_used(m) < COUNT * 4000);
    world_release(&w);
}

static void
changes_since_agree_with_the_oracle(void **state)
{
    struct chance c = chance_init("changes", 11);

    (void)state;
    for (int round = 0; round < 20; round++) {
        struct oracle *o = oracle_new();
        uint64_t n = 1 + chance_below(&c, 300);
        uint8_t a[2], b[2];
        world_init(&w);
        struct memtable *m = world_memtable(&w);
        for (uint64_t s = 1; s <= n; s++) {
            struct bytes key = short_key(&c, a, 30), end = short_key(&c, b, 30);
            if (chance_below(&c, 20) == 0) {
                struct range_tombstone t = { key, end, false, s };
                assert_ok(&w, memtable_add_range(m, &t, &w.err));
                oracle_delete_range(o, key, end, false, s);
            } else {
                add(m, key, s);
                oracle_put(o, key, BYTES_NULL, s);
            }
        }
        for (int i = 0; i < 300; i++) {
            struct bytes begin = short_key(&c, a, 30), end = short_key(&c, b, 30);
            uint64_t since = chance_below(&c, n + 1);
            bool unbounded = chance_below(&c, 10) == 0;
            assert_int_equal(memtable_changed_since(m, begin, end, unbounded, since),
                             oracle_changed(o, begin, end, unbounded, since, n));
        }
        oracle_free(o);
        world_release(&w);
    }
}

/* ------------------------------------------------------------------ refused memory */

/* Whatever is refused leaves the memtable as it was; trying again goes on. */
static void
survives_each_allocation_failure(void **state)
{
    (void)state;
    for (size_t refused = 1, more = 1; more; refused++) {
        struct memtable *m;
        struct raw r = { 0 };
        struct chance c = chance_of(refused);
        uint8_t key[8], value[600] = { 0 };
        world_init(&w);
        m = world_memtable(&w);
        test_memory_refuse(&w.memory, refused);
        for (uint64_t s = 1; s <= 3000; s++) {
            uint64_t before = memtable_entries(m);
            store_u64(key, __builtin_bswap64(chance_below(&c, 5000)));
            struct entry e = { bytes_of(key, 8), bytes_of(value, chance_below(&c, 600)), s,
                               s % 50 ? ENTRY_PUT : ENTRY_DELETE };
            if (memtable_add(m, &e, &w.err) == BASIN_NO_MEM) {
                assert_int_equal(memtable_entries(m), before);
                assert_ok(&w, memtable_add(m, &e, &w.err));
            }
            e.value = BYTES_NULL;
            raw_add(&r, 0, &e);
        }
        for (uint64_t s = 3001; s <= 3100; s++) {
            struct range_tombstone t = { bytes_of(key, s % 8), BYTES_NULL, true, s };
            if (memtable_add_range(m, &t, &w.err) == BASIN_NO_MEM)
                assert_ok(&w, memtable_add_range(m, &t, &w.err));
            assert_int_equal(memtable_covering(m, t.begin, UINT64_MAX, NULL), s);
        }
        assert_int_equal(memtable_range_count(m), 100);
        more = test_memory_refused(&w.memory);
        test_memory_refuse(&w.memory, 0);
        raw_sort(&r);
        struct icur *cursor;
        assert_ok(&w, memtable_cursor(m, w.mem, &cursor, &w.err));
        assert_ok(&w, cursor->ops->first(cursor, &w.err));
        for (size_t i = 0; i < r.count; i++) {
            raw_expect(&r, cursor, i);
            assert_ok(&w, cursor->ops->next(cursor, &w.err));
        }
        assert_false(cursor->valid);
        cursor->ops->close(cursor);
        raw_free(&r);
        world_release(&w);
    }
}

static void
new_survives_each_allocation_failure(void **state)
{
    struct test_memory memory;
    basin_status st = BASIN_NO_MEM;

    (void)state;
    test_memory_init(&memory);
    for (size_t n = 1; st != BASIN_OK; n++) {
        struct memtable *m;
        test_memory_refuse(&memory, n);
        st = memtable_new(&memory.table, NULL, &m, NULL);
        assert_true(st == BASIN_OK || (st == BASIN_NO_MEM && m == NULL));
        memtable_unref(m);
        assert_int_equal(memory.live, 0);
    }
}

/* ------------------------------------------------------------------ threads (E60, EC66) */

enum { ACCOUNTS = 300, ACCOUNT_SUM = ACCOUNTS * 1000 };

struct shared {
    struct memtable *m;
    _Atomic uint64_t visible;
    atomic_bool stop;
};

struct reader {
    struct shared *shared;
    uint64_t scans;
    struct os_thread *thread;
};

static struct bytes
account_key(uint64_t i, uint8_t to[24])
{
    int n = snprintf((char *)to, 24, "account %llu", (unsigned long long)(i * 7919 % 1000003));
    return bytes_of(to, (size_t)n);
}

static int64_t
value_at(const struct entry *e)
{
    return (int64_t)load_u64(e->value.data);
}

/* At every snapshot the accounts add up, in both directions, and no key is out of order. */
static void
read_accounts(struct shared *s, struct icur *c, bool forward)
{
    uint64_t snapshot = atomic_load_explicit(&s->visible, memory_order_acquire);
    int64_t sum = 0;
    uint8_t last[24] = { 0 };
    size_t last_size = 0, seen = 0;
    struct entry e;
    bool has;

    must((forward ? c->ops->first(c, NULL) : c->ops->last(c, NULL)) == BASIN_OK);
    while (c->valid) {
        struct bytes key = c->entry.key;
        int order = bytes_compare(bytes_of(last, last_size), key);
        must(seen == 0 || (forward ? order < 0 : order > 0));
        memcpy(last, key.data, key.size);
        last_size = key.size;
        seen++;
        const struct mem_version *v = memtable_find(s->m, key, snapshot);
        if (forward) {
            has = v != NULL;
            if (has)
                mem_version_entry(v, &e);
            must(icur_next_key(c, key, NULL) == BASIN_OK);
        } else {
            bool whole;
            must(icur_take_back(c, key, snapshot, &e, &has, NULL, &whole, NULL) == BASIN_OK);
            must(has == (v != NULL));
        }
        if (has && key.data[0] == 'a')
            sum += value_at(&e);
    }
    must(snapshot < ACCOUNTS || sum == ACCOUNT_SUM);
    must(memtable_covering(s->m, BYTES_LIT("r"), snapshot, NULL) <= snapshot);
}

static void
run_reader(void *ctx)
{
    struct reader *r = ctx;
    struct icur *c;

    must(memtable_cursor(r->shared->m, &base_malloc, &c, NULL) == BASIN_OK);
    do {
        read_accounts(r->shared, c, r->scans % 2);
        r->scans++;
    } while (!atomic_load_explicit(&r->shared->stop, memory_order_relaxed));
    c->ops->close(c);
}

static uint64_t
write_accounts(struct shared *s, uint64_t seed, size_t commits)
{
    int64_t balance[ACCOUNTS];
    uint64_t seqno = 0;
    struct chance c = chance_of(seed);
    uint8_t key[24], value[8];

    for (uint64_t i = 0; i < ACCOUNTS; i++) {
        balance[i] = 1000;
        store_u64(value, 1000);
        must(memtable_add(s->m, &(struct entry){ account_key(i, key), bytes_of(value, 8),
                                                 ++seqno, ENTRY_PUT }, NULL) == BASIN_OK);
    }
    atomic_store_explicit(&s->visible, seqno, memory_order_release);
    for (size_t n = 0; n < commits; n++) {
        size_t from = chance_below(&c, ACCOUNTS), to = chance_below(&c, ACCOUNTS);
        balance[from] -= (int64_t)(n % 50);
        balance[to] += (int64_t)(n % 50);
        for (int side = 0; side < 2; side++) {
            size_t i = side ? to : from;
            store_u64(value, (uint64_t)balance[i]);
            must(memtable_add(s->m, &(struct entry){ account_key(i, key), bytes_of(value, 8),
                                                     ++seqno, ENTRY_PUT }, NULL) == BASIN_OK);
        }
        /* other keys split the nodes meanwhile; range tombstones build their indexes */
        int size = snprintf((char *)key, sizeof key, "%c%llu", n % 3 ? 'b' : 'a' - 1,
                            (unsigned long long)chance_below(&c, 1000000));
        must(memtable_add(s->m, &(struct entry){ bytes_of(key, (size_t)size), BYTES_NULL,
                                                 ++seqno, ENTRY_DELETE }, NULL) == BASIN_OK);
        if (n % 10 == 0)
            must(memtable_add_range(s->m, &(struct range_tombstone){
                                              BYTES_LIT("q"), bytes_of("rz", 1 + n % 2), false,
                                              ++seqno }, NULL) == BASIN_OK);
        atomic_store_explicit(&s->visible, seqno, memory_order_release);
    }
    return seqno;
}

static void
readers_see_snapshots_while_one_writes(void **state)
{
    struct chance c = chance_init("threads", 13);

    (void)state;
    for (uint64_t round = 0; round < 4; round++) {
        struct shared s = { 0 };
        struct reader readers[2] = { { .shared = &s }, { .shared = &s } };
        assert_ok(&w, memtable_new(&base_malloc, NULL, &s.m, &w.err));
        for (size_t i = 0; i < COUNT_OF(readers); i++)
            assert_ok(&w, os_thread_start(&base_malloc, run_reader, &readers[i], "reader",
                                          &readers[i].thread, &w.err));
        uint64_t seqno = write_accounts(&s, chance_u64(&c), test_scale(4000));
        atomic_store_explicit(&s.stop, true, memory_order_relaxed);
        for (size_t i = 0; i < COUNT_OF(readers); i++) {
            os_thread_join(readers[i].thread);
            assert_true(readers[i].scans > 0);
        }
        assert_int_equal(memtable_seqno_max(s.m), seqno);
        memtable_unref(s.m);
    }
}

/* The key that gets seqno i: every order of places in the tree, none twice. */
static struct bytes
spread_key(uint64_t i, uint8_t to[24])
{
    uint64_t x = i % 3 ? i * 0x9E3779B97F4A7C15u : i;
    int n = snprintf((char *)to, 24, "%d/%016llx", (int)(i % 3), (unsigned long long)x);
    return bytes_of(to, (size_t)n);
}

/* Keys up to a snapshot, through a cursor that was opened after it. */
static void
look_through_cursor(struct shared *s, struct chance *c)
{
    uint64_t snapshot = atomic_load_explicit(&s->visible, memory_order_acquire);
    struct icur *cursor;
    uint8_t key[24];

    must(memtable_cursor(s->m, &base_malloc, &cursor, NULL) == BASIN_OK);
    for (int n = 0; n < 20; n++) {
        struct bytes k = spread_key(snapshot - chance_below(c, snapshot), key);
        if (chance_below(c, 2))
            must(cursor->ops->seek_ge(cursor, k, snapshot, NULL) == BASIN_OK);
        else
            must(cursor->ops->seek_le(cursor, k, NULL) == BASIN_OK);
        must(cursor->valid && bytes_equal(cursor->entry.key, k));
    }
    cursor->ops->close(cursor);
}

static void
look_up(void *ctx)
{
    struct reader *r = ctx;
    struct shared *s = r->shared;
    struct chance c = chance_of((uintptr_t)r);
    uint8_t key[24];

    while (!atomic_load_explicit(&s->stop, memory_order_relaxed)) {
        uint64_t snapshot = atomic_load_explicit(&s->visible, memory_order_acquire);
        uint64_t back = chance_below(&c, chance_below(&c, 2) ? 50 : snapshot);
        uint64_t i = snapshot - MIN_OF(back, snapshot - 1);
        const struct mem_version *v = memtable_find(s->m, spread_key(i, key), snapshot);
        must(v != NULL && version_seqno(v) == i);
        if (++r->scans % 50 == 0)
            look_through_cursor(s, &c);
    }
}

static void
what_is_published_is_found(void **state)
{
    struct shared s = { .visible = 1 };
    struct reader readers[2] = { { .shared = &s }, { .shared = &s } };
    uint8_t key[24];

    (void)state;
    assert_ok(&w, memtable_new(&base_malloc, NULL, &s.m, &w.err));
    add(s.m, spread_key(1, key), 1);
    for (size_t i = 0; i < COUNT_OF(readers); i++)
        assert_ok(&w, os_thread_start(&base_malloc, look_up, &readers[i], "reader",
                                      &readers[i].thread, &w.err));
    for (uint64_t i = 2; i < test_scale(100000); i++) {
        add(s.m, spread_key(i, key), i);
        atomic_store_explicit(&s.visible, i, memory_order_release);
    }
    atomic_store_explicit(&s.stop, true, memory_order_relaxed);
    for (size_t i = 0; i < COUNT_OF(readers); i++) {
        os_thread_join(readers[i].thread);
        assert_true(readers[i].scans > 0);
    }
    memtable_unref(s.m);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_come_out_in_order),
        cmocka_unit_test(nodes_are_filled),
        cmocka_unit_test(keys_of_the_largest_size),
        cmocka_unit_test(a_key_with_many_versions),
        cmocka_unit_test(operands_are_folded_for_every_snapshot),
        cmocka_unit_test(folding_stops_at_what_hides),
        cmocka_unit_test(large_operands_stay_apart),
        cmocka_unit_test(ranges_agree_with_a_list),
        cmocka_unit_test(nested_ranges_stay_small),
        cmocka_unit_test(changes_since_agree_with_the_oracle),
        cmocka_unit_test(survives_each_allocation_failure),
        cmocka_unit_test(new_survives_each_allocation_failure),
        cmocka_unit_test(readers_see_snapshots_while_one_writes),
        cmocka_unit_test(what_is_published_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
