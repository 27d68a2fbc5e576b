// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Damaged bytes. With checksums as they are: every truncation and every flipped bit gives CORRUPT
 * or right data, through every call. With checksums made right again: any result, but memory stays
 * safe and every walk ends. Also wrong keys, other formats, and salvage around lost pages.
 */
#include "stratum/reseal.h"
#include "stratum/shelf.h"

enum { ROWS = 60 };

/* A small stratum with several pages of both kinds, versions over pages, ranges and meta. */
static void
fill(struct shelf *s)
{
    struct range_tombstone t = { text("a"), text("b"), false, 30 };
    char key[32];

    s->to.page_size = 256;
    s->to.prefix = first_elements;
    shelf_write(s);
    must_be_ok(s, stratum_writer_add_range(s->writer, &t, &s->err));
    must_be_ok(s, stratum_writer_set_meta(s->writer, text("meta"), &s->err));
    for (unsigned i = 0; i < ROWS / 3; i++) {
        snprintf(key, sizeof(key), "dense%06u", i * 7);
        shelf_add(s, text(key), BYTES_NULL, 5, ENTRY_PUT);
    }
    for (unsigned i = 0; i < ROWS / 3; i++)
        shelf_add(s, text("many"), text("0123456789abcdef"), 100 - i, ENTRY_PUT);
    for (unsigned i = 0; i < ROWS / 3; i++) {
        snprintf(key, sizeof(key), "point%06u", i * 13);
        shelf_add(s, text(key), text("some value or other"), 1 + i, ENTRY_PUT);
    }
    must_be_ok(s, stratum_writer_finish(s->writer, &s->summary, &s->err));
    assert_int_equal(s->sink.base.ops->commit(&s->sink.base, NULL), BASIN_OK);
}

/* ------------------------------------------------------------------ exercising */

struct seen {
    uint64_t digest; /* of all entries in order */
    size_t count;
};

/* What a walk over undamaged bytes sees. */
static void
mix(struct seen *seen, const struct entry *e)
{
    seen->digest = hash64(e->key.data, e->key.size, seen->digest + e->seqno);
    seen->digest = hash64(e->value.data, e->value.size, seen->digest + (uint64_t)e->kind);
    seen->count++;
}

static basin_status
walk(struct stratum *s, bool forward, struct seen *seen)
{
    struct stratum_cursor *c;
    basin_status st = stratum_cursor_open(s, &c, NULL);

    memset(seen, 0, sizeof(*seen));
    if (st != BASIN_OK)
        return st;
    st = forward ? stratum_cursor_first(c, NULL) : stratum_cursor_last(c, NULL);
    while (st == BASIN_OK && stratum_cursor_valid(c)) {
        mix(seen, stratum_cursor_entry(c));
        st = forward ? stratum_cursor_next(c, NULL) : stratum_cursor_prev(c, NULL);
    }
    if (st != BASIN_OK)
        assert_false(stratum_cursor_valid(c));
    stratum_cursor_close(c);
    return st;
}

static const char *const probes[] = {
    "", "dense000021", "dense000022", "many", "point000130", "zz"
};

/* Every call; statuses are of interest to the caller only by `bad`. */
static void
exercise(struct stratum *s, bool *bad)
{
    struct stratum_cursor *c;

    *bad = false;
    if (stratum_cursor_open(s, &c, NULL) != BASIN_OK)
        return;
    for (size_t i = 0; i < COUNT_OF(probes); i++) {
        struct stratum_hit hit;
        uint64_t before;
        bool changed;
        struct bytes key = text(probes[i]);
        basin_status st = stratum_get(s, key, 90, &hit, NULL);
        *bad |= st != BASIN_OK && st != BASIN_NOT_FOUND;
        stratum_unpin(s, &hit);
        *bad |= stratum_cursor_seek_ge(c, key, 90, NULL) != BASIN_OK;
        *bad |= stratum_cursor_prev(c, NULL) != BASIN_OK;
        *bad |= stratum_cursor_seek_le(c, key, NULL) != BASIN_OK;
        *bad |= stratum_cursor_next(c, NULL) != BASIN_OK;
        *bad |= stratum_rank(s, key, &before, NULL) != BASIN_OK;
        *bad |= stratum_changed_since(s, key, BYTES_NULL, true, 3, &changed, NULL) != BASIN_OK;
        (void)stratum_range_covering(s, key, 40);
    }
    stratum_cursor_close(c);
}

/* Opens damaged bytes; everything seen must be right or refused. */
static void
expect_right_or_corrupt(struct shelf *s, struct bytes data, bool mapped, const struct seen *want)
{
    struct stratum *stratum;
    struct seen seen;
    bool bad;
    basin_status st, verified;

    counted_init(&s->source, data, mapped);
    st = stratum_open(&s->source.base, &s->from, &stratum, &s->err);
    if (st != BASIN_OK) {
        assert_true(st == BASIN_CORRUPT || st == BASIN_WRONG_KEY);
        assert_true(s->err.what[0] != 0);
        assert_int_equal(s->source.closed, 1);
        return;
    }
    verified = stratum_verify(stratum, NULL, NULL, &s->err);
    assert_int_equal(verified, BASIN_CORRUPT);
    st = walk(stratum, true, &seen);
    assert_true(st == BASIN_CORRUPT || (st == BASIN_OK && seen.digest == want->digest));
    st = walk(stratum, false, &seen);
    assert_true(st == BASIN_CORRUPT || (st == BASIN_OK && seen.count == want->count));
    exercise(stratum, &bad);
    stratum_close(stratum);
}

static struct stratum_cache *cache;
static struct codec_key secret = { { 1, 2, 3 } };

static void
prepare(struct shelf *s, unsigned variant)
{
    shelf_init(s);
    if (variant == 1)
        s->to.codec = CODEC_LZ4;
    if (variant == 2) {
        s->to.codec = CODEC_ZSTD;
        s->to.data_key = s->from.data_key = &secret;
    }
    s->from.cache = cache;
    fill(s);
}

static void
see(struct shelf *s, struct seen *seen)
{
    struct stratum *stratum;

    counted_init(&s->source, buf_bytes(&s->bytes), true);
    must_be_ok(s, stratum_open(&s->source.base, &s->from, &stratum, &s->err));
    must_be_ok(s, stratum_verify(stratum, NULL, NULL, &s->err));
    must_be_ok(s, walk(stratum, true, seen));
    assert_int_equal(seen->count, ROWS);
    stratum_close(stratum);
}

/* Plain: each bit; compressed and sealed: one bit of each byte. */
static void
ec57_every_bit_flipped(void **state)
{
    (void)state;
    for (unsigned variant = 0; variant < 3; variant++) {
        struct seen want;
        struct shelf s;
        prepare(&s, variant);
        see(&s, &want);
        for (size_t i = 0; i < s.bytes.size; i++) {
            for (unsigned bit = variant ? i % 8 : 0; bit < 8; bit += variant ? 8 : 1) {
                s.bytes.data[i] ^= (uint8_t)(1u << bit);
                expect_right_or_corrupt(&s, buf_bytes(&s.bytes), (i + bit) % 2, &want);
                s.bytes.data[i] ^= (uint8_t)(1u << bit);
            }
        }
        see(&s, &want);
        shelf_release(&s);
    }
}

static void
ec57_cut_at_every_byte(void **state)
{
    (void)state;
    for (unsigned variant = 0; variant < 3; variant++) {
        struct seen want;
        struct shelf s;
        prepare(&s, variant);
        see(&s, &want);
        for (size_t n = 0; n < s.bytes.size; n++) {
            uint8_t *copy = malloc(n + 1); /* so that the sanitizer knows its end */
            assert_non_null(copy);
            memcpy(copy, s.bytes.data, n);
            expect_right_or_corrupt(&s, bytes_of(copy, n), n % 2, &want);
            free(copy);
        }
        shelf_release(&s);
    }
}

/* EC41: the error names stratum and page. */
static void
ec41_the_error_names_the_page(void **state)
{
    struct stratum_hit hit;
    struct shelf s;

    (void)state;
    prepare(&s, 0);
    s.bytes.data[30] ^= 1; /* in the first leaf */
    counted_init(&s.source, buf_bytes(&s.bytes), true);
    must_be_ok(&s, stratum_open(&s.source.base, &s.from, &s.stratum, &s.err));
    assert_int_equal(stratum_get(s.stratum, text("dense000021"), 9, &hit, &s.err), BASIN_CORRUPT);
    assert_non_null(strstr(s.err.what, "stratum test: page 0 at 0: checksum"));
    shelf_release(&s);
}

static void
ec41_another_format_is_refused_by_name(void **state)
{
    const uint64_t ids[] = { 11, 12, 3, 41 };
    struct shelf s;
    uint8_t *footer;

    (void)state;
    prepare(&s, 0);
    footer = s.bytes.data + s.bytes.size - FOOTER_SIZE;
    store_u16(footer + 8, 77);
    reseal(s.bytes.data, s.bytes.size, ids);
    counted_init(&s.source, buf_bytes(&s.bytes), true);
    assert_int_equal(stratum_open(&s.source.base, &s.from, &s.stratum, &s.err), BASIN_VERSION);
    assert_non_null(strstr(s.err.what, "format 77, this build reads 0"));
    store_u16(footer + 8, 0);
    footer[15] = 0x80; /* a feature of the future */
    reseal(s.bytes.data, s.bytes.size, ids);
    counted_init(&s.source, buf_bytes(&s.bytes), true);
    assert_int_equal(stratum_open(&s.source.base, &s.from, &s.stratum, &s.err), BASIN_VERSION);
    shelf_release(&s);
}

static void
a_stratum_of_another_object_is_refused(void **state)
{
    struct shelf s;

    (void)state;
    prepare(&s, 0);
    s.from.object_id[1]++;
    counted_init(&s.source, buf_bytes(&s.bytes), true);
    assert_int_equal(stratum_open(&s.source.base, &s.from, &s.stratum, &s.err), BASIN_CORRUPT);
    assert_non_null(strstr(s.err.what, "object 3.41"));
    shelf_release(&s);
}

static void
expect_open(struct shelf *s, basin_status want)
{
    struct stratum *stratum;

    counted_init(&s->source, buf_bytes(&s->bytes), true);
    assert_int_equal(stratum_open(&s->source.base, &s->from, &stratum, &s->err), want);
    stratum_close(stratum);
}

/* ------------------------------------------------------------------ resealed */

static void
open_and_exercise(struct shelf *s, struct bytes data, bool mapped)
{
    struct stratum *stratum;
    struct seen seen;
    bool bad;

    counted_init(&s->source, data, mapped);
    if (stratum_open(&s->source.base, &s->from, &stratum, NULL) != BASIN_OK)
        return;
    (void)walk(stratum, true, &seen);
    (void)walk(stratum, false, &seen);
    exercise(stratum, &bad);
    (void)stratum_verify(stratum, NULL, NULL, NULL);
    stratum_close(stratum);
}

/* Decoders on their own: bytes changed in up to four places, checksums right. */
static void
resealed_damage_is_survived(void **state)
{
    const uint64_t ids[] = { 11, 12, 3, 41 };
    struct chance c = chance_init("resealed damage", 0xDA4A6E);

    (void)state;
    for (unsigned variant = 0; variant < 2; variant++) {
        struct shelf s;
        uint8_t *copy;
        prepare(&s, variant);
        copy = malloc(s.bytes.size);
        assert_non_null(copy);
        for (size_t i = 0; i < test_scale(5000); i++) {
            memcpy(copy, s.bytes.data, s.bytes.size);
            for (uint64_t k = 1 + chance_below(&c, 4); k > 0; k--) {
                size_t at = chance_below(&c, s.bytes.size);
                static const uint8_t odd[] = { 0, 1, 0x7F, 0x80, 0xFF, 15, 16, 0xF0 };
                copy[at] = chance_below(&c, 2) ? odd[chance_below(&c, COUNT_OF(odd))]
                                               : (uint8_t)(copy[at] + chance_between(&c, -2, 2));
            }
            reseal(copy, s.bytes.size, ids);
            open_and_exercise(&s, bytes_of(copy, s.bytes.size), i % 2);
        }
        free(copy);
        shelf_release(&s);
    }
}

/* A mapped page that changes after it was checked: wrong answers are allowed, nothing else. */
static void
bytes_that_change_under_a_map_are_survived(void **state)
{
    struct chance c = chance_init("changing map", 0x3AB);
    struct shelf s;
    struct seen seen;
    uint8_t *copy;
    bool bad;

    (void)state;
    prepare(&s, 0);
    copy = malloc(s.bytes.size);
    assert_non_null(copy);
    memcpy(copy, s.bytes.data, s.bytes.size);
    counted_init(&s.source, bytes_of(copy, s.bytes.size), true);
    must_be_ok(&s, stratum_open(&s.source.base, &s.from, &s.stratum, &s.err));
    must_be_ok(&s, walk(s.stratum, true, &seen)); /* every page is checked now */
    for (size_t i = 0; i < test_scale(5000); i++) {
        memcpy(copy, s.bytes.data, s.bytes.size);
        for (uint64_t k = 1 + chance_below(&c, 8); k > 0; k--)
            copy[chance_below(&c, s.bytes.size)] = (uint8_t)chance_u64(&c);
        (void)walk(s.stratum, i % 2, &seen);
        exercise(s.stratum, &bad);
    }
    stratum_close(s.stratum);
    s.stratum = NULL;
    free(copy);
    shelf_release(&s);
}

/* ------------------------------------------------------------------ verify */

struct faults {
    size_t count;
    struct buf from;
    struct buf to;
};

static void
note_fault(void *ctx, const basin_error *fault, struct bytes from, struct bytes to)
{
    struct faults *f = ctx;

    assert_int_equal(fault->status, BASIN_CORRUPT);
    assert_int_equal(buf_set(&f->from, from.data, from.size), BASIN_OK);
    assert_int_equal(buf_set(&f->to, to.data, to.size), BASIN_OK);
    f->count++;
}

static void
faults_init(struct faults *f)
{
    f->count = 0;
    buf_init(&f->from, &base_malloc);
    buf_init(&f->to, &base_malloc);
}

static void
faults_release(struct faults *f)
{
    buf_release(&f->from);
    buf_release(&f->to);
}

/* Lies with right checksums: each must be found by verify. */
static void
verify_finds_resealed_lies(void **state)
{
    const uint64_t ids[] = { 11, 12, 3, 41 };
    struct shelf s;
    size_t found = 0, opened = 0;
    uint8_t *copy;

    (void)state;
    prepare(&s, 0);
    copy = malloc(s.bytes.size);
    assert_non_null(copy);
    for (size_t i = 0; i < s.bytes.size - FOOTER_SIZE; i++) {
        struct stratum *stratum;
        struct faults f;
        struct seen seen, want;
        memcpy(copy, s.bytes.data, s.bytes.size);
        copy[i] ^= 1;
        reseal(copy, s.bytes.size, ids);
        counted_init(&s.source, bytes_of(copy, s.bytes.size), true);
        if (stratum_open(&s.source.base, &s.from, &stratum, NULL) != BASIN_OK)
            continue;
        opened++;
        faults_init(&f);
        if (stratum_verify(stratum, note_fault, &f, NULL) == BASIN_CORRUPT) {
            assert_true(f.count > 0);
            found++;
        } else { /* only values, seqnos, unused filter bits and meta may change unseen */
            assert_int_equal(walk(stratum, true, &seen), BASIN_OK);
            see(&s, &want);
            assert_int_equal(seen.count, want.count);
        }
        faults_release(&f);
        stratum_close(stratum);
    }
    assert_true(opened > 1000 && found > opened / 4);
    free(copy);
    shelf_release(&s);
}

/* Range tombstones that overlap, with right checksums. */
static void
range_tombstones_out_of_order_are_refused(void **state)
{
    const uint64_t ids[] = { 11, 12, 3, 41 };
    struct range_tombstone t = { text("b"), text("d"), false, 30 };
    struct range_tombstone u = { text("e"), text("g"), false, 30 };
    struct shelf s;
    size_t at = 0;

    (void)state;
    shelf_init(&s);
    shelf_write(&s);
    must_be_ok(&s, stratum_writer_add_range(s.writer, &t, &s.err));
    must_be_ok(&s, stratum_writer_add_range(s.writer, &u, &s.err));
    must_be_ok(&s, stratum_writer_finish(s.writer, &s.summary, &s.err));
    assert_int_equal(s.sink.base.ops->commit(&s.sink.base, NULL), BASIN_OK);
    expect_open(&s, BASIN_OK);
    while (s.bytes.data[at] != 'e')
        at++;
    s.bytes.data[at] = 'c';
    reseal(s.bytes.data, s.bytes.size, ids);
    expect_open(&s, BASIN_CORRUPT);
    assert_non_null(strstr(s.err.what, "range tombstone 1"));
    shelf_release(&s);
}

/* A block that belongs to nothing, put between the pages and the root. */
static void
verify_finds_bytes_that_belong_to_nothing(void **state)
{
    static const size_t places[] = { 64, 80, 88, 104 }; /* root, ranges, properties, tail */
    const uint64_t ids[] = { 11, 12, 3, 41 };
    struct stratum *stratum;
    struct shelf s;
    uint64_t root_at, extra;
    uint8_t *copy, *footer;

    (void)state;
    prepare(&s, 0);
    footer = s.bytes.data + s.bytes.size - FOOTER_SIZE;
    root_at = load_u64(footer + 64);
    extra = load_u32(s.bytes.data + 4); /* the first page once more */
    copy = malloc(s.bytes.size + extra);
    assert_non_null(copy);
    memcpy(copy, s.bytes.data, root_at);
    memcpy(copy + root_at, s.bytes.data, extra);
    memcpy(copy + root_at + extra, s.bytes.data + root_at, s.bytes.size - root_at);
    footer = copy + s.bytes.size + extra - FOOTER_SIZE;
    for (size_t i = 0; i < COUNT_OF(places); i++)
        if (load_u64(footer + places[i]) >= root_at)
            store_u64(footer + places[i], load_u64(footer + places[i]) + extra);
    reseal(copy, s.bytes.size + extra, ids);
    counted_init(&s.source, bytes_of(copy, s.bytes.size + extra), true);
    must_be_ok(&s, stratum_open(&s.source.base, &s.from, &stratum, &s.err));
    assert_int_equal(stratum_verify(stratum, NULL, NULL, &s.err), BASIN_CORRUPT);
    assert_non_null(strstr(s.err.what, "bytes between the pages"));
    stratum_close(stratum);
    free(copy);
    shelf_release(&s);
}

static void
stored_bytes_are_checked_without_the_key(void **state)
{
    struct shelf s;

    (void)state;
    prepare(&s, 2);
    counted_init(&s.source, buf_bytes(&s.bytes), true);
    must_be_ok(&s, stratum_check_stored(&s.source.base, &base_malloc, &s.err));
    s.bytes.data[77] ^= 4;
    assert_int_equal(stratum_check_stored(&s.source.base, &base_malloc, &s.err), BASIN_CORRUPT);
    shelf_release(&s);
}

/* ------------------------------------------------------------------ salvage */

static void
salvage_goes_around_lost_pages(void **state)
{
    (void)state;
    for (int backward = 0; backward < 2; backward++) {
        struct shelf s;
        struct faults f;
        char key[32];
        size_t n = 0, lost = 0;
        shelf_init(&s);
        s.to.page_size = 256;
        shelf_write(&s);
        for (unsigned i = 0; i < 2000; i++) {
            snprintf(key, sizeof(key), "k%06u", i);
            shelf_put(&s, key, "0123456789");
        }
        must_be_ok(&s, stratum_writer_finish(s.writer, &s.summary, &s.err));
        assert_int_equal(s.sink.base.ops->commit(&s.sink.base, NULL), BASIN_OK);
        for (size_t at = 0; s.bytes.data[at] == BLOCK_POINT && lost < 3; lost++) {
            for (int skip = 0; skip < 20; skip++) /* every 20th leaf; the first one too */
                at += skip ? load_u32(s.bytes.data + at + 4) : 0;
            s.bytes.data[at + 40] ^= 0x10;
            at += load_u32(s.bytes.data + at + 4);
        }
        counted_init(&s.source, buf_bytes(&s.bytes), true);
        must_be_ok(&s, stratum_open(&s.source.base, &s.from, &s.stratum, &s.err));
        must_be_ok(&s, stratum_cursor_open(s.stratum, &s.cursor, &s.err));
        faults_init(&f);
        stratum_cursor_skip_damage(s.cursor, note_fault, &f);
        must_be_ok(&s, backward ? stratum_cursor_last(s.cursor, &s.err)
                                : stratum_cursor_first(s.cursor, &s.err));
        for (; stratum_cursor_valid(s.cursor); n++)
            must_be_ok(&s, backward ? stratum_cursor_prev(s.cursor, &s.err)
                                    : stratum_cursor_next(s.cursor, &s.err));
        assert_int_equal(f.count, 3);
        assert_true(n < 2000 && n > 2000 - 3 * 16);
        assert_true(bytes_compare(buf_bytes(&f.from), buf_bytes(&f.to)) < 0);
        must_be_ok(&s, stratum_cursor_seek_ge(s.cursor, buf_bytes(&f.from), 9, &s.err));
        assert_true(stratum_cursor_compare(s.cursor, buf_bytes(&f.to)) >= 0);
        must_be_ok(&s, stratum_cursor_seek_le(s.cursor, buf_bytes(&f.from), &s.err));
        if (stratum_cursor_valid(s.cursor))
            assert_true(stratum_cursor_compare(s.cursor, buf_bytes(&f.from)) < 0);
        faults_release(&f);
        shelf_release(&s);
    }
}

static void
salvage_goes_around_lost_index_blocks(void **state)
{
    struct shelf s;
    struct faults f;
    char key[32];
    size_t n = 0, at = 0;

    (void)state;
    shelf_init(&s);
    s.to.page_size = 256;
    shelf_write(&s);
    for (unsigned i = 0; i < 3000; i++) {
        snprintf(key, sizeof(key), "k%06u", i);
        shelf_put(&s, key, "0123456789");
    }
    must_be_ok(&s, stratum_writer_finish(s.writer, &s.summary, &s.err));
    assert_int_equal(s.sink.base.ops->commit(&s.sink.base, NULL), BASIN_OK);
    while (s.bytes.data[at] != BLOCK_INDEX)
        at += load_u32(s.bytes.data + at + 4);
    s.bytes.data[at + 20] ^= 1; /* the first index block is lost */
    counted_init(&s.source, buf_bytes(&s.bytes), true);
    must_be_ok(&s, stratum_open(&s.source.base, &s.from, &s.stratum, &s.err));
    must_be_ok(&s, stratum_cursor_open(s.stratum, &s.cursor, &s.err));
    faults_init(&f);
    assert_int_equal(stratum_cursor_first(s.cursor, &s.err), BASIN_CORRUPT);
    assert_false(stratum_cursor_valid(s.cursor));
    stratum_cursor_skip_damage(s.cursor, note_fault, &f);
    must_be_ok(&s, stratum_cursor_seek_ge(s.cursor, text("k000001"), 9, &s.err));
    assert_true(stratum_cursor_valid(s.cursor));
    assert_true(stratum_cursor_compare(s.cursor, buf_bytes(&f.to)) >= 0);
    for (; stratum_cursor_valid(s.cursor); n++)
        must_be_ok(&s, stratum_cursor_next(s.cursor, &s.err));
    assert_true(n > 100 && n < 3000);
    must_be_ok(&s, stratum_cursor_seek_le(s.cursor, text("k000001"), &s.err));
    assert_false(stratum_cursor_valid(s.cursor));
    faults_release(&f);
    shelf_release(&s);
}

/* ------------------------------------------------------------------ keys */

static bool
contains(struct bytes all, const char *word)
{
    return memmem(all.data, all.size, word, strlen(word)) != NULL;
}

static void
sealed_strata_show_nothing_and_want_their_key(void **state)
{
    struct codec_key other = { { 9, 9, 9 } };
    struct shelf s;

    (void)state;
    prepare(&s, 2);
    assert_false(contains(buf_bytes(&s.bytes), "dense"));
    assert_false(contains(buf_bytes(&s.bytes), "some value"));
    assert_false(contains(buf_bytes(&s.bytes), "meta"));
    expect_open(&s, BASIN_OK);
    s.from.data_key = &other;
    expect_open(&s, BASIN_WRONG_KEY);
    s.from.data_key = NULL;
    expect_open(&s, BASIN_WRONG_KEY);
    shelf_release(&s);
    prepare(&s, 0); /* a plain one put in place of a sealed one */
    assert_true(contains(buf_bytes(&s.bytes), "dense"));
    s.from.data_key = &other;
    expect_open(&s, BASIN_CORRUPT);
    shelf_release(&s);
}

static void
ec50_page_hook_with_xor(void **state)
{
    uint8_t mask = 0x5A, wrong = 0x5B;
    struct codec_hook hook = { &mask, 32, xor_page, unxor_page };
    struct codec_hook other = { &wrong, 32, xor_page, unxor_page };
    struct codec_hook shorter = { &mask, 31, xor_page, unxor_page };
    struct stratum_hit hit;
    struct shelf s;

    (void)state;
    shelf_init(&s);
    s.to.hook = s.from.hook = &hook;
    fill(&s);
    assert_false(contains(buf_bytes(&s.bytes), "dense"));
    assert_false(contains(buf_bytes(&s.bytes), "some value"));
    expect_open(&s, BASIN_OK);
    s.from.hook = &other;
    expect_open(&s, BASIN_WRONG_KEY);
    s.from.hook = &shorter;
    expect_open(&s, BASIN_WRONG_KEY);
    s.from.hook = NULL;
    expect_open(&s, BASIN_WRONG_KEY);
    s.from.hook = &hook;
    counted_init(&s.source, buf_bytes(&s.bytes), true);
    must_be_ok(&s, stratum_open(&s.source.base, &s.from, &s.stratum, &s.err));
    must_be_ok(&s, stratum_get(s.stratum, text("dense000021"), 9, &hit, &s.err));
    stratum_unpin(s.stratum, &hit);
    must_be_ok(&s, stratum_verify(s.stratum, NULL, NULL, &s.err));
    shelf_release(&s);
}

static int
setup(void **state)
{
    (void)state;
    return stratum_cache_new(&base_malloc, 64 * KIB, &cache, NULL) != BASIN_OK;
}

static int
teardown(void **state)
{
    (void)state;
    stratum_cache_free(cache);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ec57_every_bit_flipped),
        cmocka_unit_test(ec57_cut_at_every_byte),
        cmocka_unit_test(ec41_the_error_names_the_page),
        cmocka_unit_test(ec41_another_format_is_refused_by_name),
        cmocka_unit_test(a_stratum_of_another_object_is_refused),
        cmocka_unit_test(resealed_damage_is_survived),
        cmocka_unit_test(bytes_that_change_under_a_map_are_survived),
        cmocka_unit_test(verify_finds_resealed_lies),
        cmocka_unit_test(range_tombstones_out_of_order_are_refused),
        cmocka_unit_test(verify_finds_bytes_that_belong_to_nothing),
        cmocka_unit_test(stored_bytes_are_checked_without_the_key),
        cmocka_unit_test(salvage_goes_around_lost_pages),
        cmocka_unit_test(salvage_goes_around_lost_index_blocks),
        cmocka_unit_test(sealed_strata_show_nothing_and_want_their_key),
        cmocka_unit_test(ec50_page_hook_with_xor),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
