// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * A stratum against a sorted array, under random options: page size, codec, filter, encryption,
 * page hook, map or cache, elided seqnos; with several versions of a key, which span pages.
 * Every entry is visited in both directions, sought from random places, looked up and ranked.
 */
#include "stratum/shelf.h"

enum { ENTRIES_MAX = 4000 };

struct row {
    uint8_t *key;
    size_t key_size;
    uint8_t *value;
    size_t value_size;
    uint64_t seqno;
    enum entry_kind kind;
};

struct model {
    struct row rows[ENTRIES_MAX];
    size_t count;
    bool elided; /* seqnos may be reported as 0 */
    uint64_t elide;
};

static struct bytes
row_key(const struct row *r)
{
    return bytes_of(r->key, r->key_size);
}

static struct bytes
row_value(const struct row *r)
{
    return bytes_of(r->value, r->value_size);
}

static int
row_compare(const void *pa, const void *pb)
{
    const struct row *a = pa, *b = pb;
    int c = bytes_compare(row_key(a), row_key(b));

    return c ? c : (a->seqno < b->seqno) - (a->seqno > b->seqno);
}

static uint8_t *
copy(const void *p, size_t n)
{
    uint8_t *q = malloc(n + 1);

    assert_non_null(q);
    if (n)
        memcpy(q, p, n);
    return q;
}

/* One random key in a style: short binary, numbered, long shared prefix, huge. */
static size_t
random_key(struct chance *c, unsigned style, uint8_t *key)
{
    size_t n = 0;

    switch (style) {
    case 0:
        n = chance_below(c, 6);
        for (size_t i = 0; i < n; i++)
            key[i] = (uint8_t)chance_below(c, 4);
        return n;
    case 1:
        return (size_t)snprintf((char *)key, 64, "%08u", (unsigned)chance_below(c, 100000));
    case 2:
        memset(key, 's', 300);
        n = 300 - chance_below(c, 3);
        chance_bytes(c, key + n, 4);
        return n + chance_below(c, 5);
    default:
        n = chance_below(c, 20) == 0 ? chance_below(c, 3000) : 12;
        memset(key, 'k', n);
        chance_bytes(c, key + n, 4);
        return n + 4;
    }
}

static void
model_fill(struct model *m, struct chance *c, size_t count, uint8_t *space)
{
    unsigned style = (unsigned)chance_below(c, 4), emptiness = (unsigned)chance_below(c, 3);
    size_t n = 0;

    while (n < count) {
        size_t key_size = random_key(c, style, space);
        size_t versions = chance_below(c, 8) ? 1 : 1 + chance_below(c, 40);
        uint64_t seqno = 1 + chance_below(c, 1000);
        for (size_t v = 0; v < versions && n < count; v++) {
            struct row *r = &m->rows[n++];
            size_t value_size = chance_below(c, 3) >= emptiness ? chance_below(c, 90) : 0;
            r->kind = (enum entry_kind)(chance_below(c, 4) ? 0 : chance_below(c, 4));
            if (r->kind == ENTRY_DELETE)
                value_size = 0;
            if (value_size > 85)
                value_size = chance_below(c, 9000);
            r->key = copy(space, key_size);
            r->key_size = key_size;
            r->value = malloc(value_size + 1);
            chance_bytes(c, r->value, value_size);
            if (value_size > 200)
                memset(r->value, 'v', value_size - 100);
            r->value_size = value_size;
            r->seqno = seqno;
            seqno += 1 + chance_below(c, 50);
        }
    }
    qsort(m->rows, n, sizeof(m->rows[0]), row_compare);
    m->count = 0;
    for (size_t i = 0; i < n; i++) { /* (key, seqno) must be unique */
        if (m->count && row_compare(&m->rows[m->count - 1], &m->rows[i]) == 0) {
            free(m->rows[i].key);
            free(m->rows[i].value);
        } else {
            m->rows[m->count++] = m->rows[i];
        }
    }
}

static void
model_release(struct model *m)
{
    for (size_t i = 0; i < m->count; i++) {
        free(m->rows[i].key);
        free(m->rows[i].value);
    }
}

/* First row at or after (key, snapshot). */
static size_t
model_ge(const struct model *m, struct bytes key, uint64_t snapshot)
{
    size_t i = 0;

    while (i < m->count) {
        int c = bytes_compare(row_key(&m->rows[i]), key);
        if (c > 0 || (c == 0 && m->rows[i].seqno <= snapshot))
            break;
        i++;
    }
    return i;
}

static void
expect_row(const struct model *m, const struct entry *e, size_t i)
{
    const struct row *r = &m->rows[i];

    assert_true(i < m->count);
    assert_true(bytes_equal(e->key, row_key(r)));
    assert_true(bytes_equal(e->value, row_value(r)));
    assert_int_equal(e->kind, r->kind);
    if (e->seqno != r->seqno) {
        assert_true(m->elided && r->seqno <= m->elide);
        assert_int_equal(e->seqno, 0);
    }
}

static void
expect_at(const struct model *m, const struct stratum_cursor *c, size_t i)
{
    if (i >= m->count) {
        assert_false(stratum_cursor_valid(c));
        return;
    }
    assert_true(stratum_cursor_valid(c));
    expect_row(m, stratum_cursor_entry(c), i);
    assert_int_equal(stratum_cursor_compare(c, row_key(&m->rows[i])), 0);
}

static void
walk_all(const struct model *m, struct shelf *s)
{
    must_be_ok(s, stratum_cursor_first(s->cursor, &s->err));
    for (size_t i = 0; i < m->count; i++) {
        expect_at(m, s->cursor, i);
        must_be_ok(s, stratum_cursor_next(s->cursor, &s->err));
    }
    assert_false(stratum_cursor_valid(s->cursor));
    must_be_ok(s, stratum_cursor_next(s->cursor, &s->err));
    assert_false(stratum_cursor_valid(s->cursor));
    must_be_ok(s, stratum_cursor_last(s->cursor, &s->err));
    for (size_t i = m->count; i-- > 0;) {
        expect_at(m, s->cursor, i);
        must_be_ok(s, stratum_cursor_prev(s->cursor, &s->err));
    }
    assert_false(stratum_cursor_valid(s->cursor));
    must_be_ok(s, stratum_cursor_prev(s->cursor, &s->err));
    assert_false(stratum_cursor_valid(s->cursor));
}

/* A key of the model, a changed one, or a random one. */
static struct bytes
some_key(const struct model *m, struct chance *c, uint8_t *space)
{
    const struct row *r = &m->rows[chance_below(c, m->count)];
    size_t n = r->key_size;

    memcpy(space, r->key, n);
    switch (chance_below(c, 5)) {
    case 0:
        if (n)
            space[n - 1] = (uint8_t)(space[n - 1] + chance_between(c, -1, 1));
        break;
    case 1:
        n = n ? chance_below(c, n) : 0;
        break;
    case 2:
        space[n++] = (uint8_t)chance_below(c, 3);
        break;
    default:
        break;
    }
    return bytes_of(space, n);
}

static void
step_around(const struct model *m, struct shelf *s, struct chance *c, size_t at)
{
    for (int k = 0; k < 6 && at < m->count; k++) {
        if (chance_below(c, 2)) {
            must_be_ok(s, stratum_cursor_next(s->cursor, &s->err));
            at++;
        } else {
            must_be_ok(s, stratum_cursor_prev(s->cursor, &s->err));
            at = at ? at - 1 : m->count;
        }
        expect_at(m, s->cursor, at);
    }
}

static uint64_t
some_snapshot(const struct model *m, struct chance *c)
{
    /* Snapshots below the elision bound do not exist when seqnos were elided. */
    if (m->elided)
        return m->elide + chance_below(c, 2000);
    return chance_below(c, 3) ? chance_below(c, 3000) : UINT64_MAX;
}

static void
seek_some(const struct model *m, struct shelf *s, struct chance *c, uint8_t *space)
{
    for (size_t k = 0; k < 300; k++) {
        struct bytes key = some_key(m, c, space);
        uint64_t snapshot = some_snapshot(m, c), before = 0;
        size_t at = model_ge(m, key, snapshot), from = model_ge(m, key, UINT64_MAX), le;
        struct stratum_hit hit;
        basin_status st;

        must_be_ok(s, stratum_cursor_seek_ge(s->cursor, key, snapshot, &s->err));
        expect_at(m, s->cursor, at);
        step_around(m, s, c, at);

        le = from;
        while (le < m->count && bytes_equal(row_key(&m->rows[le]), key))
            le++;
        must_be_ok(s, stratum_cursor_seek_le(s->cursor, key, &s->err));
        expect_at(m, s->cursor, le ? le - 1 : m->count);

        st = stratum_get(s->stratum, key, snapshot, &hit, &s->err);
        if (at < m->count && bytes_equal(row_key(&m->rows[at]), key)) {
            must_be_ok(s, st);
            expect_row(m, &hit.entry, at);
            stratum_unpin(s->stratum, &hit);
        } else {
            assert_int_equal(st, BASIN_NOT_FOUND);
        }
        must_be_ok(s, stratum_rank(s->stratum, key, &before, &s->err));
        assert_int_equal(before, from);
    }
}

/* Seeks in ascending order, which gallop. */
static void
gallop(const struct model *m, struct shelf *s, struct chance *c)
{
    for (int round = 0; round < 20; round++) {
        size_t at = chance_below(c, m->count);
        must_be_ok(s, stratum_cursor_first(s->cursor, &s->err));
        while (at < m->count) {
            const struct row *r = &m->rows[at];
            uint64_t snapshot = m->elided ? UINT64_MAX : r->seqno;
            size_t want = model_ge(m, row_key(r), snapshot);
            must_be_ok(s, stratum_cursor_seek_ge(s->cursor, row_key(r), snapshot, &s->err));
            expect_at(m, s->cursor, want);
            at += 1 + chance_below(c, 1 + chance_below(c, 200));
        }
    }
}

static void
random_options(struct shelf *s, struct chance *c, struct model *m, struct codec_key *key,
               struct codec_hook *hook)
{
    static const size_t page_sizes[] = { 256, 512, 1024, 4096, 16384, 65536 };

    s->to.page_size = page_sizes[chance_below(c, 6)];
    s->to.codec = (enum codec_id)chance_below(c, CODEC_COUNT);
    s->to.codec_level = 3;
    s->to.filter_bits = chance_below(c, 3) ? 10 : 0;
    s->to.prefix = chance_below(c, 3) ? first_elements : NULL;
    chance_bytes(c, s->to.salt, sizeof(s->to.salt));
    if (chance_below(c, 3) == 0)
        s->to.data_key = s->from.data_key = key;
    if (chance_below(c, 4) == 0)
        s->to.hook = s->from.hook = hook;
    if (chance_below(c, 3) == 0) {
        m->elided = true;
        m->elide = s->to.seqno_elide = chance_below(c, 4000);
    }
    s->from.no_map = chance_below(c, 2);
    s->from.verify_always = chance_below(c, 4) == 0;
}

static void
one_round(struct chance *c, struct model *m, uint8_t *space)
{
    struct codec_key key;
    uint8_t mask = 0x5A;
    struct codec_hook hook = { &mask, 32, xor_page, unxor_page };
    struct stratum_cache *cache = NULL;
    struct shelf s;

    shelf_init(&s);
    memset(m, 0, sizeof(*m));
    chance_bytes(c, key.bytes, sizeof(key.bytes));
    random_options(&s, c, m, &key, &hook);
    model_fill(m, c, 1 + chance_below(c, chance_below(c, 4) ? 400 : ENTRIES_MAX), space);
    if (chance_below(c, 4))
        must_be_ok(&s,
                   stratum_cache_new(&base_malloc, 1 + chance_below(c, 300000), &cache, &s.err));
    s.from.cache = cache;
    shelf_write(&s);
    for (size_t i = 0; i < m->count; i++)
        shelf_add(&s, row_key(&m->rows[i]), row_value(&m->rows[i]), m->rows[i].seqno,
                  m->rows[i].kind);
    shelf_open(&s, chance_below(c, 2));
    assert_int_equal(s.summary.entries, m->count);
    walk_all(m, &s);
    seek_some(m, &s, c, space);
    gallop(m, &s, c);
    must_be_ok(&s, stratum_verify(s.stratum, NULL, NULL, &s.err));
    shelf_release(&s);
    stratum_cache_free(cache);
    model_release(m);
}

static void
agrees_with_a_sorted_array(void **state)
{
    struct chance c = chance_init("stratum random", 0x5374726174);
    struct model *m = malloc(sizeof(*m));
    uint8_t *space = malloc(STRATUM_KEY_MAX + 64);

    (void)state;
    assert_non_null(m);
    assert_non_null(space);
    for (size_t k = 0; k < test_scale(60); k++)
        one_round(&c, m, space);
    free(space);
    free(m);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_a_sorted_array),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
