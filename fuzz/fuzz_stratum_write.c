// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Any sequence of entries, written and read back. The input is a head of options and then entries:
 * how many bytes to keep of the key before, bytes to add, a value size, a kind, a seqno. What the
 * writer refuses ends the run; what it accepts must come back in order, both ways, by seek and by
 * get, and must verify.
 */
#include "stratum/stratum.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ENTRIES_MAX = 3000 };

static size_t
first_bytes(struct bytes key, unsigned elements)
{
    return MIN_OF(key.size, (size_t)elements);
}

static struct stratum_write_options
options_of(struct rd *r, const struct codec_key *key)
{
    static const uint16_t pages[] = { 256, 300, 512, 1024, 4096, 16384, 60000, 256 };
    uint8_t a = rd_u8(r), b = rd_u8(r);
    struct stratum_write_options o = { .mem = &base_malloc, .page_size = pages[a % 8] };

    o.codec = (enum codec_id)(a / 8 % CODEC_COUNT);
    o.codec_level = 1;
    o.filter_bits = b % 16;
    o.seqno_elide = b & 16 ? 100 : 0;
    o.data_key = b & 32 ? key : NULL;
    o.prefix = b & 64 ? first_bytes : NULL;
    return o;
}

/* The next entry; key is changed in place. */
static struct entry
entry_of(struct rd *r, struct buf *key, const uint8_t *value)
{
    uint8_t keep = rd_u8(r), more = rd_u8(r), shape = rd_u8(r);
    struct bytes tail = rd_bytes(r, MIN_OF((size_t)(more % 40), rd_left(r)));
    struct entry e = { .seqno = rd_u8(r), .kind = (enum entry_kind)(shape & 3) };
    size_t repeat = more >= 250 ? (size_t)shape * 20 : 0;

    key->size = keep == 255 ? key->size : MIN_OF(key->size, (size_t)keep);
    must(buf_add(key, tail.data, tail.size) == BASIN_OK);
    must(buf_reserve(key, repeat + 1) == BASIN_OK);
    memset(key->data + key->size, 0xFF, repeat);
    key->size = MIN_OF(key->size + repeat, (size_t)STRATUM_KEY_MAX);
    e.key = buf_bytes(key);
    e.value = bytes_of(value, e.kind == ENTRY_DELETE ? 0 : (size_t)(shape >> 2) * (shape >> 5));
    return e;
}

static void
read_back(struct stratum *s, uint64_t count)
{
    struct stratum_cursor *c, *d;
    uint64_t n = 0, before;

    must(stratum_cursor_open(s, &c, NULL) == BASIN_OK);
    must(stratum_cursor_open(s, &d, NULL) == BASIN_OK);
    must(stratum_cursor_first(c, NULL) == BASIN_OK);
    for (; stratum_cursor_valid(c); n++) {
        const struct entry *e = stratum_cursor_entry(c);
        struct stratum_hit hit;
        must(stratum_cursor_seek_ge(d, e->key, UINT64_MAX, NULL) == BASIN_OK);
        must(stratum_cursor_compare(d, e->key) == 0);
        must(stratum_get(s, e->key, UINT64_MAX, &hit, NULL) == BASIN_OK);
        must(bytes_equal(hit.entry.value, stratum_cursor_entry(d)->value));
        must(stratum_may_hold(s, &e->key, &e->key, false));
        must(stratum_may_hold(s, NULL, &e->key, false) && stratum_may_hold(s, &e->key, NULL, true));
        stratum_unpin(s, &hit);
        must(stratum_rank(s, e->key, &before, NULL) == BASIN_OK && before <= n);
        must(stratum_cursor_seek_le(d, e->key, NULL) == BASIN_OK);
        must(stratum_cursor_compare(d, e->key) == 0);
        must(stratum_cursor_next(c, NULL) == BASIN_OK);
    }
    must(n == count);
    must(stratum_cursor_last(c, NULL) == BASIN_OK);
    for (; stratum_cursor_valid(c); n--)
        must(stratum_cursor_prev(c, NULL) == BASIN_OK);
    must(n == 0);
    stratum_cursor_close(c);
    stratum_cursor_close(d);
}

static void
open_and_read(struct buf *bytes, const struct codec_key *key, bool mapped, uint64_t count)
{
    struct stratum_read_options o = { .mem = &base_malloc, .data_key = key };
    struct memory_source source;
    struct stratum *s;

    memory_source_init(&source, buf_bytes(bytes), "fuzz");
    source.mappable = mapped;
    must(stratum_open(&source.base, &o, &s, NULL) == BASIN_OK);
    must(stratum_summary_of(s)->entries == count);
    read_back(s, count);
    must(stratum_verify(s, NULL, NULL, NULL) == BASIN_OK);
    stratum_close(s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t value[448];
    struct codec_key secret = { { 1 } };
    struct rd r = rd_over(data, size);
    struct stratum_write_options o = options_of(&r, &secret);
    struct stratum_writer *w;
    struct stratum_summary sum;
    struct memory_sink sink;
    struct buf bytes, key;
    uint64_t count = 0;
    basin_status st;

    buf_init(&bytes, &base_malloc);
    buf_init(&key, &base_malloc);
    memory_sink_init(&sink, &bytes);
    TRY(stratum_writer_new(&o, &sink.base, &w, NULL));
    while (st == BASIN_OK && rd_left(&r) > 0 && count < ENTRIES_MAX) {
        struct entry e = entry_of(&r, &key, value);
        st = stratum_writer_add(w, &e, NULL);
        count += st == BASIN_OK;
    }
    must(st == BASIN_OK || st == BASIN_MISUSE);
    st = stratum_writer_finish(w, &sum, NULL);
    stratum_writer_free(w);
    must(st == BASIN_OK || st == BASIN_MISUSE || (st == BASIN_END && bytes.size == 0));
    if (st == BASIN_OK) {
        must(sum.entries == count && sum.size == bytes.size);
        open_and_read(&bytes, o.data_key, size % 2, count);
    }
out:
    buf_release(&bytes);
    buf_release(&key);
    return 0;
}
