// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The cursor cases EC1 to EC20 of the specification, each on a raw memtable, stratum and merge, and
 * on the living cursor over one memtable, over memtables, over strata, over both, and over a
 * database that was closed and opened again, from its log and from its strata.
 */
#include "lsm/world.h"

static struct world w;

/* ------------------------------------------------------------------ segments and probes */

struct pair {
    const char *key;
    const char *value; /* NULL: a tombstone */
};
/* A segment, the oldest first in a list of them. */
struct segment {
    const struct pair *pairs;
    size_t count;
};

enum kind { RAW_MEMTABLE, RAW_STRATUM, RAW_MULTI, VIEW_MEMTABLE, VIEW_MEMTABLES, VIEW_STRATA,
            VIEW_MIXED, REOPENED_LOG, REOPENED_STRATA, KINDS };

struct probe {
    enum kind kind;
    struct icur *raw;
    struct view *view;
    bool valid;         /* of raw */
    struct os_sim *sim; /* of a reopened database */
    struct lsm *db;
    struct version *version;
};

static uint64_t seqno;

static void
add_segment(struct memtable *m, const struct segment *s)
{
    for (size_t i = 0; i < s->count; i++) {
        const struct pair *p = &s->pairs[i];
        struct entry e = { bytes_of(p->key, strlen(p->key)), BYTES_NULL, ++seqno,
                           p->value ? ENTRY_PUT : ENTRY_DELETE };
        if (p->value)
            e.value = bytes_of(p->value, strlen(p->value));
        assert_ok(&w, memtable_add(m, &e, &w.err));
    }
}

static struct lsm_stratum *
stratum_of(struct memtable *m)
{
    struct world_cut cut = { .run = ++seqno };

    cut.no_map = cut.run % 2;
    return world_stratum(&w, m, &cut);
}

static void
open_view(struct probe *p, const struct lsm_range *range)
{
    struct view_options o = { .version = world_version(&w), .snapshot = UINT64_MAX,
                              .range = range, .mem = w.mem };
    assert_ok(&w, lsm__view_open(&o, &p->view, &w.err));
}

/* Sources of a raw merge: every other segment as a stratum. */
static void
open_multi(struct probe *p, const struct segment *segments, size_t count)
{
    struct icur *sources[WORLD_MAX];

    for (size_t i = 0; i < count; i++) {
        struct memtable *m = world_memtable(&w);
        struct icur **to = &sources[count - 1 - i];
        add_segment(m, &segments[i]);
        struct lsm_stratum *ls = i % 2 ? stratum_of(m) : NULL;
        if (ls != NULL)
            assert_ok(&w, lsm__stratum_icur(ls, w.mem, to, &w.err));
        else
            assert_ok(&w, memtable_cursor(m, w.mem, to, &w.err));
    }
    assert_ok(&w, lsm__multi_icur(w.mem, sources, count, &p->raw, &w.err));
}

/* A whole database on a simulated machine, opened again: from its log, or from its strata. */
static void
open_again(struct probe *p, const struct segment *segments, size_t count,
           const struct lsm_range *range)
{
    struct lsm_options o = { .no_threads = true, .page_size = 256, .level0_runs = 100,
                             .memtable_size = 4 * MIB };
    struct view_options vo = { .snapshot = UINT64_MAX, .range = range, .mem = w.mem };
    struct lsm_txn *txn;

    assert_ok(&w, os_sim_new(&(struct os_sim_options){ .maps = true, .mem = &base_malloc }, &p->sim,
                             &w.err));
    o.os = os_sim_os(p->sim);
    assert_ok(&w, lsm_open("db", &o, &p->db, &w.err));
    for (size_t i = 0; i < count; i++) {
        assert_ok(&w, lsm_begin(p->db, &(struct lsm_begin){ .mode = LSM_WRITE }, &txn, &w.err));
        for (size_t k = 0; k < segments[i].count; k++) {
            const struct pair *e = &segments[i].pairs[k];
            struct bytes key = bytes_of(e->key, strlen(e->key));
            if (e->value == NULL)
                assert_ok(&w, lsm_delete(txn, key, &w.err));
            else
                assert_ok(&w, lsm_put(txn, key, bytes_of(e->value, strlen(e->value)), &w.err));
        }
        assert_ok(&w, lsm_commit(txn, true, NULL, &w.err));
        if (p->kind == REOPENED_STRATA)
            assert_ok(&w, lsm_flush(p->db, &w.err));
    }
    assert_ok(&w, lsm_close(p->db, &w.err));
    assert_ok(&w, lsm_open("db", &o, &p->db, &w.err));
    vo.version = p->version = lsm__version_get(p->db);
    assert_ok(&w, lsm__view_open(&vo, &p->view, &w.err));
}

/* Puts the segments into a world and opens a cursor of this kind over them. */
static struct probe
probe_open(enum kind kind, const struct segment *segments, size_t count,
           const struct lsm_range *range)
{
    struct probe p = { .kind = kind };
    struct memtable *m = NULL;

    world_init(&w);
    seqno = 0;
    if (kind == RAW_MULTI) {
        open_multi(&p, segments, count);
        return p;
    }
    if (kind >= REOPENED_LOG) {
        open_again(&p, segments, count, range);
        return p;
    }
    for (size_t i = 0; i < count; i++) {
        if (m == NULL || kind >= VIEW_MEMTABLES)
            m = world_memtable(&w);
        add_segment(m, &segments[i]);
        if (kind == VIEW_STRATA || (kind == VIEW_MIXED && i * 2 < count)) {
            struct lsm_stratum *ls = stratum_of(m);
            if (ls != NULL)
                world_add_run(&w, &ls, 1);
            world_drop_oldest(&w);
        }
    }
    if (m == NULL)
        m = world_memtable(&w);
    if (kind == RAW_MEMTABLE)
        assert_ok(&w, memtable_cursor(m, w.mem, &p.raw, &w.err));
    else if (kind == RAW_STRATUM && stratum_of(m) != NULL)
        assert_ok(&w, lsm__stratum_icur(&w.built[0]->ls, w.mem, &p.raw, &w.err));
    else if (kind == RAW_STRATUM)
        assert_ok(&w, lsm__multi_icur(w.mem, NULL, 0, &p.raw, &w.err));
    else
        open_view(&p, range);
    return p;
}

static void
probe_close(struct probe *p)
{
    if (p->raw != NULL)
        p->raw->ops->close(p->raw);
    lsm__view_close(p->view);
    if (p->db != NULL) {
        lsm__version_unref(p->version);
        assert_ok(&w, lsm_close(p->db, &w.err));
        os_sim_free(p->sim);
    }
    world_release(&w);
}

static bool
is_living(enum kind kind)
{
    return kind >= VIEW_MEMTABLE;
}

/* A raw cursor is used by key here: it stands on the newest entry of its key. */
static bool
to_newest(struct probe *p)
{
    uint8_t copy[512];
    struct icur *c = p->raw;

    p->valid = c->valid;
    if (p->valid) {
        struct bytes key = c->entry.key;
        assert_true(key.size <= sizeof copy);
        if (key.size)
            memcpy(copy, key.data, key.size);
        assert_ok(&w, c->ops->seek_ge(c, bytes_of(copy, key.size), UINT64_MAX, &w.err));
        assert_true(c->valid);
    }
    return p->valid;
}

static bool
came(basin_status st)
{
    assert_true(st == BASIN_OK || st == BASIN_END);
    return st == BASIN_OK;
}

static bool
probe_first(struct probe *p)
{
    if (p->view != NULL)
        return came(lsm__view_first(p->view, &w.err));
    assert_ok(&w, p->raw->ops->first(p->raw, &w.err));
    return to_newest(p);
}

static bool
probe_last(struct probe *p)
{
    if (p->view != NULL)
        return came(lsm__view_last(p->view, &w.err));
    assert_ok(&w, p->raw->ops->last(p->raw, &w.err));
    return to_newest(p);
}

static bool
probe_seek(struct probe *p, struct bytes key, enum lsm_seek op)
{
    if (p->view != NULL)
        return came(lsm__view_seek(p->view, key, op, &w.err));
    if (op == LSM_SEEK_LE)
        assert_ok(&w, p->raw->ops->seek_le(p->raw, key, &w.err));
    else
        assert_ok(&w, p->raw->ops->seek_ge(p->raw, key, UINT64_MAX, &w.err));
    to_newest(p);
    if (op == LSM_SEEK_EQ)
        p->valid = p->valid && bytes_equal(p->raw->entry.key, key);
    return p->valid;
}

static bool
seek(struct probe *p, const char *key, enum lsm_seek op)
{
    return probe_seek(p, bytes_of(key, strlen(key)), op);
}

static bool
probe_valid(const struct probe *p)
{
    return p->view != NULL ? lsm__view_valid(p->view) : p->valid;
}

static struct bytes
probe_key(const struct probe *p)
{
    assert_true(probe_valid(p));
    return p->view != NULL ? lsm__view_key(p->view) : p->raw->entry.key;
}

static bool
probe_step(struct probe *p, bool forward)
{
    uint8_t copy[512];
    struct bytes key;

    if (p->view != NULL)
        return came(forward ? lsm__view_next(p->view, &w.err) : lsm__view_prev(p->view, &w.err));
    if (!p->valid)
        return false;
    key = p->raw->entry.key;
    if (key.size)
        memcpy(copy, key.data, key.size);
    key = bytes_of(copy, key.size);
    if (forward)
        assert_ok(&w, icur_next_key(p->raw, key, &w.err));
    else
        assert_ok(&w, icur_seek_lt(p->raw, key, &w.err));
    return to_newest(p);
}

static bool
next(struct probe *p)
{
    return probe_step(p, true);
}

static bool
prev(struct probe *p)
{
    return probe_step(p, false);
}

/* -1 for a tombstone, which only a raw cursor shows. */
static int64_t
probe_size(struct probe *p, struct bytes *value)
{
    enum entry_kind kind;

    if (p->view != NULL) {
        assert_ok(&w, lsm__view_value(p->view, &kind, value, &w.err));
        assert_int_equal(kind, ENTRY_PUT);
        return (int64_t)value->size;
    }
    *value = p->raw->entry.value;
    return p->raw->entry.kind == ENTRY_DELETE ? -1 : (int64_t)value->size;
}

static void
expect_key(const struct probe *p, const char *key)
{
    struct bytes got = probe_key(p);

    if (got.size != strlen(key) || memcmp(got.data, key, got.size) != 0)
        fail_msg("kind %d: key %.*s, not %s", p->kind, (int)got.size, (const char *)got.data, key);
}

static void
expect_content(struct probe *p, const char *value)
{
    struct bytes got;

    assert_int_equal(probe_size(p, &got), strlen(value));
    if (got.size)
        assert_memory_equal(got.data, value, got.size);
}

static void
expect_end(struct probe *p)
{
    assert_false(probe_valid(p));
    assert_false(next(p));
    assert_false(prev(p));
}

/* keys in a text, separated by blanks, from first to last and back. */
static void
expect_all(struct probe *p, const char *keys)
{
    char text[400], *word[100];
    size_t n = 0;
    bool there;

    (void)snprintf(text, sizeof text, "%s", keys);
    for (char *at = text; *at;) {
        word[n++] = at;
        at += strcspn(at, " ");
        if (*at)
            *at++ = 0;
    }
    there = probe_first(p);
    for (size_t i = 0; i < n; i++, there = next(p)) {
        assert_true(there);
        expect_key(p, word[i]);
    }
    expect_end(p);
    there = probe_last(p);
    for (size_t i = n; i-- > 0; there = prev(p)) {
        assert_true(there);
        expect_key(p, word[i]);
    }
    expect_end(p);
}

/* Keys by a format from a list of numbers; in static memory. */
static struct segment
numbers(const char *format, unsigned from, unsigned count, unsigned step)
{
    static struct pair pairs[4][10001];
    static char text[4][10001][16];
    static unsigned slot;

    slot = (slot + 1) % 4;
    assert_true(count <= 10001);
    for (unsigned i = 0; i < count; i++) {
        unsigned number = from + i * step;
        (void)snprintf(text[slot][i], sizeof text[slot][i], format, number);
        pairs[slot][i] = (struct pair){ text[slot][i], text[slot][i] };
    }
    return (struct segment){ pairs[slot], count };
}

#define EACH_KIND(kind) for (enum kind kind = 0; kind < KINDS; kind++)
#define PAIRS(...) ((struct segment){ (const struct pair[]){ __VA_ARGS__ }, \
                                      sizeof((const struct pair[]){ __VA_ARGS__ }) / \
                                          sizeof(struct pair) })

/* ------------------------------------------------------------------ the cases */

static void
ec1_an_empty_source(void **state)
{
    (void)state;
    EACH_KIND(kind) {
        struct probe p = probe_open(kind, NULL, 0, NULL);
        assert_false(probe_first(&p));
        expect_end(&p);
        assert_false(probe_last(&p));
        expect_end(&p);
        for (int op = 0; op < 3; op++) {
            assert_false(seek(&p, "a", (enum lsm_seek)op));
            expect_end(&p);
        }
        probe_close(&p);
    }
}

static void
ec2_before_the_first_and_behind_the_last(void **state)
{
    struct segment s = numbers("%08u", 0, 100, 1);

    (void)state;
    EACH_KIND(kind) {
        struct probe p = probe_open(kind, &s, 1, NULL);
        assert_true(probe_first(&p));
        assert_false(prev(&p));
        expect_end(&p);
        assert_true(probe_last(&p));
        assert_false(next(&p));
        expect_end(&p);
        probe_close(&p);
    }
}

static void
ec3_seeking(void **state)
{
    struct segment s = numbers("%08u", 0, 101, 1);

    (void)state;
    EACH_KIND(kind) {
        struct probe p = probe_open(kind, &s, 1, NULL);
        assert_true(seek(&p, "00000042", LSM_SEEK_EQ));
        expect_key(&p, "00000042");
        assert_false(seek(&p, "00000105", LSM_SEEK_EQ));
        assert_false(seek(&p, "00000105", LSM_SEEK_GE));
        assert_true(seek(&p, "00000105", LSM_SEEK_LE));
        expect_key(&p, "00000100");
        probe_close(&p);
    }
}

static void
ec4_order_of_bytes(void **state)
{
    struct segment s = PAIRS({ "8", "" }, { "10", "" }, { "20", "" });

    (void)state;
    EACH_KIND(kind) {
        struct probe p = probe_open(kind, &s, 1, NULL);
        expect_all(&p, "10 20 8");
        probe_close(&p);
    }
}

static void
ec5_zigzag(void **state)
{
    struct segment s[2] = { numbers("%03u", 0, 100, 1), numbers("%05u", 0, 1000, 1) };
    char key[16] = { 0 };

    (void)state;
    EACH_KIND(kind) {
        struct probe p = probe_open(kind, s, 2, NULL);
        static const enum lsm_seek ops[] = { LSM_SEEK_EQ, LSM_SEEK_EQ, LSM_SEEK_LE,
                                             LSM_SEEK_GE };
        assert_true(probe_first(&p));
        for (int i = 0; i < 100; i++)
            assert_true(next(&p));
        for (int i = 0; i < 50; i++)
            assert_true(prev(&p));
        for (int i = 0; i < 100; i++)
            assert_true(next(&p) && next(&p) && prev(&p));
        for (size_t i = 0; i < COUNT_OF(ops); i++) {
            struct bytes at = probe_key(&p);
            memcpy(key, at.data, at.size);
            key[at.size] = 0;
            assert_true(seek(&p, key, ops[i]));
            expect_key(&p, key);
            for (int n = 0; n < 50; n++)
                assert_true(i == 0 || i == 3 ? next(&p) : prev(&p));
        }
        expect_key(&p, "00148");
        probe_close(&p);
    }
}

static void
expect_ceg(struct probe *p)
{
    assert_false(seek(p, "a", LSM_SEEK_LE));
    assert_true(seek(p, "d", LSM_SEEK_LE));
    expect_key(p, "c");
    assert_true(seek(p, "f", LSM_SEEK_GE));
    expect_key(p, "g");
    assert_false(seek(p, "h", LSM_SEEK_GE));
}

static void
ec6_between_three_keys(void **state)
{
    struct segment one = PAIRS({ "c", "1" }, { "e", "2" }, { "g", "3" });
    struct segment three[] = { PAIRS({ "c", "1" }), PAIRS({ "e", "2" }), PAIRS({ "g", "3" }) };

    (void)state;
    EACH_KIND(kind) {
        struct probe p = probe_open(kind, &one, 1, NULL);
        expect_ceg(&p);
        probe_close(&p);
        p = probe_open(kind, three, 3, NULL);
        expect_ceg(&p);
        probe_close(&p);
    }
}

static void
ec7_thirteen_letters_in_any_number_of_segments(void **state)
{
    static struct pair pairs[13][13];
    static char letters[13][2];

    (void)state;
    for (size_t parts = 1; parts <= 13; parts++) {
        struct segment s[13] = { { 0 } };
        for (size_t i = 0; i < 13; i++) {
            struct segment *to = &s[i % parts];
            letters[i][0] = (char)('a' + 2 * i);
            to->pairs = pairs[i % parts];
            pairs[i % parts][to->count++] = (struct pair){ letters[i], letters[i] };
        }
        EACH_KIND(kind) {
            struct probe p = probe_open(kind, s, parts, NULL);
            assert_false(seek(&p, "n", LSM_SEEK_EQ));
            assert_true(seek(&p, "n", LSM_SEEK_LE));
            expect_key(&p, "m");
            assert_true(seek(&p, "n", LSM_SEEK_GE));
            expect_key(&p, "o");
            expect_all(&p, "a c e g i k m o q s u w y");
            probe_close(&p);
        }
    }
}

static void
ec8_even_numbers(void **state)
{
    struct segment s = numbers("%08u", 0, 10000, 2);

    (void)state;
    EACH_KIND(kind) {
        struct probe p = probe_open(kind, &s, 1, NULL);
        assert_true(seek(&p, "00008088", LSM_SEEK_EQ));
        assert_false(seek(&p, "00008087", LSM_SEEK_EQ));
        assert_true(seek(&p, "00008087", LSM_SEEK_LE));
        expect_key(&p, "00008086");
        assert_true(seek(&p, "00008087", LSM_SEEK_GE));
        expect_key(&p, "00008088");
        probe_close(&p);
    }
}

static void
ec9_multiples_of_four_and_seven(void **state)
{
    struct segment s[2] = { numbers("%010u", 0, 1000, 4), numbers("%010u", 0, 1000, 7) };
    char key[16];

    (void)state;
    EACH_KIND(kind) {
        struct probe p = probe_open(kind, s, 2, NULL);
        assert_false(seek(&p, "0000002330", LSM_SEEK_EQ));
        assert_true(seek(&p, "0000002330", LSM_SEEK_LE));
        expect_key(&p, "0000002328");
        assert_true(seek(&p, "0000002330", LSM_SEEK_GE));
        expect_key(&p, "0000002331");
        bool there = probe_first(&p);
        for (unsigned i = 0; i < 7000; i++) {
            if ((i % 4 == 0 && i < 4000) || i % 7 == 0) {
                assert_true(there);
                (void)snprintf(key, sizeof key, "%010u", i);
                expect_key(&p, key);
                there = next(&p);
            }
        }
        assert_false(there);
        probe_close(&p);
    }
}

static void
ec10_a_tombstone(void **state)
{
    struct segment s[] = { PAIRS({ "a", "1" }, { "b", "2" }, { "c", "3" }, { "d", "4" }),
                           PAIRS({ "b", NULL }) };
    struct bytes value;

    (void)state;
    EACH_KIND(kind) {
        struct probe p = probe_open(kind, s, 2, NULL);
        if (!is_living(kind)) {
            expect_all(&p, "a b c d");
            assert_true(seek(&p, "b", LSM_SEEK_EQ));
            assert_int_equal(probe_size(&p, &value), -1);
        } else {
            expect_all(&p, "a c d");
            assert_false(seek(&p, "b", LSM_SEEK_EQ));
            expect_end(&p);
            assert_true(seek(&p, "b", LSM_SEEK_LE));
            expect_key(&p, "a");
            assert_true(next(&p));
            expect_key(&p, "c");
            assert_true(seek(&p, "b", LSM_SEEK_GE));
            expect_key(&p, "c");
            expect_content(&p, "3");
            assert_true(prev(&p));
            expect_key(&p, "a");
            expect_content(&p, "1");
        }
        probe_close(&p);
    }
}

static void
ec11_each_of_four_deleted(void **state)
{
    static const char *const left[] = { "b c d", "a c d", "a b d", "a b c" };
    const struct pair gone[] = { { "a", NULL }, { "b", NULL }, { "c", NULL }, { "d", NULL } };

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct segment s[] = { PAIRS({ "a", "1" }, { "b", "2" }, { "c", "3" }, { "d", "4" }),
                               { &gone[i], 1 } };
        for (enum kind kind = VIEW_MEMTABLE; kind < KINDS; kind++) {
            struct probe p = probe_open(kind, s, 2, NULL);
            expect_all(&p, left[i]);
            probe_close(&p);
        }
    }
}

static void
ec12_the_newer_segment_wins(void **state)
{
    struct segment s[] = { PAIRS({ "b", "2" }), PAIRS({ "b", "5" }) };
    struct segment reversed[] = { s[1], s[0] };

    (void)state;
    EACH_KIND(kind) {
        struct probe p = probe_open(kind, s, 2, NULL);
        assert_true(probe_first(&p));
        expect_content(&p, "5");
        probe_close(&p);
        p = probe_open(kind, reversed, 2, NULL);
        assert_true(probe_first(&p));
        expect_content(&p, "2");
        probe_close(&p);
    }
}

static void
ec13_empty_values(void **state)
{
    struct segment s = PAIRS({ "_", "" });
    struct bytes value;

    (void)state;
    EACH_KIND(kind) {
        struct probe p = probe_open(kind, &s, 1, NULL);
        assert_true(seek(&p, "_", LSM_SEEK_EQ));
        assert_int_equal(probe_size(&p, &value), 0);
        assert_true(probe_last(&p));
        assert_int_equal(probe_size(&p, &value), 0);
        probe_close(&p);
    }
}

static void
ec14_tombstones_alone(void **state)
{
    struct segment four[] = { PAIRS({ "a", "1" }, { "b", "2" }, { "c", "3" }, { "d", "4" }),
                              PAIRS({ "e", NULL }) };
    struct segment dead = PAIRS({ "", NULL }, { "x", NULL }, { "y", NULL });

    (void)state;
    EACH_KIND(kind) {
        struct probe p = probe_open(kind, four, 2, NULL);
        expect_all(&p, is_living(kind) ? "a b c d" : "a b c d e");
        probe_close(&p);
        p = probe_open(kind, &dead, 1, NULL);
        if (is_living(kind)) {
            expect_all(&p, "");
        } else {
            assert_true(probe_first(&p));
            assert_int_equal(probe_key(&p).size, 0);
            assert_true(next(&p));
            expect_key(&p, "x");
            assert_true(next(&p));
            expect_key(&p, "y");
            assert_false(next(&p));
        }
        probe_close(&p);
    }
}

static void
ec15_a_deleted_number(void **state)
{
    struct segment s[] = { numbers("%u", 10, 90, 1), PAIRS({ "73", NULL }) };

    (void)state;
    for (enum kind kind = VIEW_MEMTABLE; kind < KINDS; kind++) {
        struct probe p = probe_open(kind, s, 2, NULL);
        assert_true(seek(&p, "42", LSM_SEEK_EQ));
        assert_true(next(&p));
        expect_key(&p, "43");
        assert_false(seek(&p, "73", LSM_SEEK_EQ));
        assert_true(seek(&p, "73", LSM_SEEK_LE));
        expect_key(&p, "72");
        assert_true(next(&p));
        expect_key(&p, "74");
        assert_true(seek(&p, "73", LSM_SEEK_GE));
        expect_key(&p, "74");
        probe_close(&p);
    }
}

static void
ec16_a_common_start_of_a_hundred_bytes(void **state)
{
    static struct pair pairs[2000];
    static char text[2000][112];
    struct segment s = { pairs, COUNT_OF(pairs) };

    (void)state;
    for (unsigned i = 0; i < COUNT_OF(pairs); i++) {
        memset(text[i], 'p', 100);
        (void)snprintf(text[i] + 100, 12, "%06u", i * 3);
        pairs[i] = (struct pair){ text[i], "" };
    }
    EACH_KIND(kind) {
        struct probe p = probe_open(kind, &s, 1, NULL);
        bool there = probe_first(&p);
        for (unsigned i = 0; i < COUNT_OF(pairs); i++, there = next(&p)) {
            assert_true(there);
            expect_key(&p, text[i]);
        }
        assert_false(there);
        char near_by[112];
        memcpy(near_by, text[500], sizeof near_by);
        near_by[105]++;
        assert_false(seek(&p, near_by, LSM_SEEK_EQ));
        assert_true(seek(&p, near_by, LSM_SEEK_LE));
        expect_key(&p, text[500]);
        assert_true(seek(&p, near_by, LSM_SEEK_GE));
        expect_key(&p, text[501]);
        near_by[50] = 'q';
        assert_false(seek(&p, near_by, LSM_SEEK_GE));
        near_by[50] = 'a';
        assert_false(seek(&p, near_by, LSM_SEEK_LE));
        probe_close(&p);
    }
}

static void
ec17_prefixes_of_all_ones(void **state)
{
    struct segment s = PAIRS({ "a\xFF", "" }, { "a\xFF\xFF", "" }, { "b", "" });
    struct lsm_range first = { .lower = BYTES_LIT("a\xFF"), .has_lower = true,
                               .upper = BYTES_LIT("b"), .has_upper = true,
                               .upper_excluded = true };
    struct lsm_range second = { .lower = BYTES_LIT("\xFF\xFF"), .has_lower = true };

    (void)state;
    for (enum kind kind = VIEW_MEMTABLE; kind < KINDS; kind++) {
        struct probe p = probe_open(kind, &s, 1, &first);
        expect_all(&p, "a\xFF a\xFF\xFF");
        probe_close(&p);
        p = probe_open(kind, &s, 1, &second);
        expect_all(&p, "");
        probe_close(&p);
        p = probe_open(kind, &s, 1, NULL);
        expect_all(&p, "a\xFF a\xFF\xFF b");
        probe_close(&p);
    }
}

static void
ec18_all_kinds_of_bounds(void **state)
{
    static const char *const inside[] = { "3 4 5 6", "4 5 6", "3 4 5", "4 5" };
    struct segment s = numbers("%u", 1, 9, 1);

    (void)state;
    for (enum kind kind = VIEW_MEMTABLE; kind < KINDS; kind++) {
        for (unsigned i = 0; i < 4; i++) {
            struct lsm_range r = { BYTES_LIT("3"), BYTES_LIT("6"), true, i & 1, true, i >> 1 };
            struct probe p = probe_open(kind, &s, 1, &r);
            expect_all(&p, inside[i]);
            assert_false(seek(&p, "2", LSM_SEEK_EQ));
            assert_false(seek(&p, "7", LSM_SEEK_EQ));
            assert_false(seek(&p, "2", LSM_SEEK_LE));
            assert_false(seek(&p, "7", LSM_SEEK_GE));
            assert_true(seek(&p, "2", LSM_SEEK_GE));
            expect_key(&p, i & 1 ? "4" : "3");
            assert_true(seek(&p, "7", LSM_SEEK_LE));
            expect_key(&p, i >> 1 ? "5" : "6");
            probe_close(&p);
            r = (struct lsm_range){ BYTES_LIT("6"), BYTES_LIT("3"), true, i & 1, true, i >> 1 };
            p = probe_open(kind, &s, 1, &r);
            expect_all(&p, "");
            assert_false(seek(&p, "4", LSM_SEEK_GE));
            assert_false(seek(&p, "4", LSM_SEEK_LE));
            probe_close(&p);
        }
    }
}

static void
ec19_segments_of_equal_content(void **state)
{
    struct segment s = PAIRS({ "a", "1" }, { "b", "2" }, { "c", "3" }), twice[] = { s, s, s };

    (void)state;
    EACH_KIND(kind) {
        struct probe p = probe_open(kind, twice, 3, NULL);
        expect_all(&p, "a b c");
        probe_close(&p);
    }
}

static void
ec20_there_and_back_at_every_place(void **state)
{
    struct segment s[] = { numbers("%03u", 0, 300, 1), numbers("%03u", 1, 100, 3),
                           { NULL, 0 } };
    static struct pair dead[200];
    char key[8];

    (void)state;
    for (size_t i = 0; i < 200; i++) /* two of three are deleted */
        dead[i] = (struct pair){ s[0].pairs[i / 2 * 3 + 1 + i % 2].key, NULL };
    s[2] = (struct segment){ dead, 200 };
    for (enum kind kind = VIEW_MEMTABLE; kind < KINDS; kind++) {
        struct probe p = probe_open(kind, s, 3, NULL);
        assert_true(probe_first(&p));
        for (unsigned i = 3; i < 300; i += 3) {
            assert_true(next(&p));
            (void)snprintf(key, sizeof key, "%03u", i);
            expect_key(&p, key);
            assert_true(prev(&p));
            assert_true(next(&p));
            expect_key(&p, key);
        }
        assert_false(next(&p));
        probe_close(&p);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ec1_an_empty_source),
        cmocka_unit_test(ec2_before_the_first_and_behind_the_last),
        cmocka_unit_test(ec3_seeking),
        cmocka_unit_test(ec4_order_of_bytes),
        cmocka_unit_test(ec5_zigzag),
        cmocka_unit_test(ec6_between_three_keys),
        cmocka_unit_test(ec7_thirteen_letters_in_any_number_of_segments),
        cmocka_unit_test(ec8_even_numbers),
        cmocka_unit_test(ec9_multiples_of_four_and_seven),
        cmocka_unit_test(ec10_a_tombstone),
        cmocka_unit_test(ec11_each_of_four_deleted),
        cmocka_unit_test(ec12_the_newer_segment_wins),
        cmocka_unit_test(ec13_empty_values),
        cmocka_unit_test(ec14_tombstones_alone),
        cmocka_unit_test(ec15_a_deleted_number),
        cmocka_unit_test(ec16_a_common_start_of_a_hundred_bytes),
        cmocka_unit_test(ec17_prefixes_of_all_ones),
        cmocka_unit_test(ec18_all_kinds_of_bounds),
        cmocka_unit_test(ec19_segments_of_equal_content),
        cmocka_unit_test(ec20_there_and_back_at_every_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
