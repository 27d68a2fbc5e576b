// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Value strata: large values in frames of 64 KiB, each a block of its own (checksum, compression,
 * seal), so that any part of a value is read without the rest. A value of more than one frame ends
 * with tables: the stored size of each frame, 1024 to a table, tables all of one size but the
 * last, so that the table of any frame is found by arithmetic.
 * Nothing is kept in memory of an open value stratum but its footer.
 * Format: docs/format/value-stratum.md.
 */
#include "stratum/cache.h"

enum { FRAME_SIZE = 65536, TABLE_FRAMES = 1024, TABLE_HEAD_SIZE = 20 };

/* Frames of a value, and the bytes of its tables as stored. */
static uint64_t
frames_of(uint64_t size)
{
    return size / FRAME_SIZE + (size % FRAME_SIZE != 0);
}

static uint64_t
table_stored(const struct block_form *f, uint64_t frames)
{
    return block_overhead(f) + TABLE_HEAD_SIZE + frames * 4;
}

static uint64_t
tables_stored(const struct block_form *f, uint64_t frames)
{
    uint64_t full = frames / TABLE_FRAMES, rest = frames % TABLE_FRAMES;

    if (frames <= 1)
        return 0;
    return full * table_stored(f, TABLE_FRAMES) + (rest ? table_stored(f, rest) : 0);
}

/* ------------------------------------------------------------------ writing */

struct value_writer {
    struct stratum_write_options options;
    struct sink *sink;
    struct block_form form;
    struct codec *codec;
    struct hash_stream *hash;
    basin_status failed;
    bool finished;
    struct buf frame; /* bytes of the open frame */
    struct buf block;
    struct buf sizes;  /* u32 stored size of each frame of the open value */
    uint64_t value_at; /* of the open value */
    uint64_t value_size;
    uint64_t written;
    uint64_t values;
    uint64_t bytes;
    bool compressed;
};

basin_status
value_writer_new(const struct stratum_write_options *options, struct sink *to,
                 struct value_writer **out, basin_error *err)
{
    struct value_writer *w = NULL;
    basin_status st = BASIN_OK;

    *out = NULL;
    if (options->codec >= CODEC_COUNT ||
        (options->hook && options->hook->reserved > HOOK_RESERVED_MAX))
        FAIL(err, BASIN_MISUSE, "codec %d or page hook do not fit", (int)options->codec);
    w = mem_new(options->mem, sizeof(*w));
    if (!w)
        FAIL(err, BASIN_NO_MEM, "no memory for a value writer");
    w->options = *options;
    w->sink = to;
    buf_init(&w->frame, options->mem);
    buf_init(&w->block, options->mem);
    buf_init(&w->sizes, options->mem);
    block_form_init(&w->form, options->mem, options->database_id, options->object_id);
    w->form.hook = options->hook;
    if (options->data_key)
        block_form_seal(&w->form, options->data_key, options->salt, VALUE_CONTEXT);
    w->hash = hash_stream_new(w->form.seed);
    if (!w->hash || buf_reserve(&w->frame, FRAME_SIZE) != BASIN_OK)
        FAIL(err, BASIN_NO_MEM, "no memory for a value writer");
    if (options->codec != CODEC_NONE)
        TRY(codec_new(options->mem, &w->codec, err));
    *out = w;
    w = NULL;
out:
    value_writer_free(w);
    return st;
}

void
value_writer_free(struct value_writer *w)
{
    if (!w)
        return;
    codec_free(w->codec);
    hash_stream_free(w->hash);
    block_form_release(&w->form);
    buf_release(&w->frame);
    buf_release(&w->block);
    buf_release(&w->sizes);
    mem_free(w->options.mem, w, sizeof(*w));
}

static basin_status
value_emit(struct value_writer *w, const void *p, size_t n, basin_error *err)
{
    basin_status st = w->sink->ops->write(w->sink, p, n, err);

    if (st != BASIN_OK)
        return st;
    hash_stream_add(w->hash, p, n);
    w->written += n;
    if (w->options.counters) {
        atomic_fetch_add_explicit(&w->options.counters->bytes_written, n, memory_order_relaxed);
        atomic_fetch_add_explicit(&w->options.counters->pages_written, 1, memory_order_relaxed);
    }
    return BASIN_OK;
}

static basin_status
value_emit_block(struct value_writer *w, enum codec_id codec, enum block_kind kind,
                 struct bytes data, basin_error *err)
{
    struct block_data raw = { .raw = data };
    bool compressed = false;
    basin_status st;

    buf_clear(&w->block);
    TRY(block_encode(&w->form, w->codec, codec, w->options.codec_level, kind, w->written, &raw,
                     &w->block, &compressed, err));
    w->compressed = w->compressed || compressed;
    TRY(value_emit(w, w->block.data, w->block.size, err));
out:
    return st;
}

static basin_status
close_frame(struct value_writer *w, basin_error *err)
{
    uint32_t size;
    basin_status st;

    TRY(value_emit_block(w, w->options.codec, BLOCK_FRAME, buf_bytes(&w->frame), err));
    buf_clear(&w->frame);
    size = (uint32_t)w->block.size;
    if (buf_add(&w->sizes, &size, sizeof(size)) != BASIN_OK)
        FAIL(err, BASIN_NO_MEM, "no memory for the frames of a value");
out:
    return st;
}

basin_status
value_writer_add(struct value_writer *w, struct bytes piece, basin_error *err)
{
    basin_status st = BASIN_OK;

    if (w->failed != BASIN_OK || w->finished)
        FAIL(err, BASIN_MISUSE, "value bytes after a failure or after finish");
    if (w->value_size == 0)
        w->value_at = w->written;
    while (piece.size > 0) {
        size_t n = MIN_OF(piece.size, FRAME_SIZE - w->frame.size);
        memcpy(w->frame.data + w->frame.size, piece.data, n);
        w->frame.size += n;
        w->value_size += n;
        piece = bytes_of(piece.data + n, piece.size - n);
        if (w->frame.size == FRAME_SIZE)
            TRY(close_frame(w, err));
    }
out:
    if (st != BASIN_OK)
        w->failed = st;
    return st;
}

/* Tables behind a value of several frames. frame.data serves as space: no frame is open. */
static basin_status
write_tables(struct value_writer *w, basin_error *err)
{
    uint64_t frames = w->sizes.size / 4, before = 0;
    basin_status st = BASIN_OK;

    if (frames <= 1)
        return BASIN_OK;
    for (uint64_t from = 0; from < frames; from += TABLE_FRAMES) {
        size_t n = (size_t)MIN_OF(frames - from, (uint64_t)TABLE_FRAMES);
        uint8_t *p = w->frame.data;
        store_u64(p, w->value_size);
        store_u64(p + 8, before);
        store_u32(p + 16, (uint32_t)n);
        memcpy(p + TABLE_HEAD_SIZE, w->sizes.data + from * 4, n * 4);
        for (size_t i = 0; i < n; i++)
            before += load_u32(w->sizes.data + (from + i) * 4);
        TRY(value_emit_block(w, CODEC_NONE, BLOCK_TABLE, bytes_of(p, TABLE_HEAD_SIZE + n * 4),
                             err));
    }
out:
    return st;
}

basin_status
value_writer_end(struct value_writer *w, struct value_ref *ref, basin_error *err)
{
    basin_status st = BASIN_OK;

    memset(ref, 0, sizeof(*ref));
    if (w->failed != BASIN_OK || w->finished)
        FAIL(err, BASIN_MISUSE, "end of a value after a failure or after finish");
    if (w->value_size == 0)
        w->value_at = w->written;
    if (w->frame.size > 0)
        TRY(close_frame(w, err));
    TRY(write_tables(w, err));
    *ref = (struct value_ref){ w->value_at, w->value_size, w->written - w->value_at };
    w->values++;
    w->bytes += w->value_size;
    w->value_size = 0;
    buf_clear(&w->sizes);
out:
    if (st != BASIN_OK)
        w->failed = st;
    return st;
}

uint64_t
value_writer_size(const struct value_writer *w)
{
    return w->written + w->frame.size;
}

basin_status
value_writer_finish(struct value_writer *w, uint64_t *count, uint64_t *size, basin_error *err)
{
    uint8_t f[FOOTER_SIZE] = { 0 };
    basin_status st = BASIN_OK;

    *count = *size = 0;
    if (w->failed != BASIN_OK || w->finished || w->value_size != 0)
        FAIL(err, BASIN_MISUSE, "finish of values after a failure, twice, or inside a value");
    w->finished = true;
    if (w->values == 0)
        return BASIN_END;
    memcpy(f, VALUE_MAGIC, 8);
    store_u16(f + 8, STRATUM_VALUE_VERSION);
    store_u16(f + 10, FOOTER_SIZE);
    store_u32(f + 12, (w->form.sealed ? FEATURE_SEALED : 0u) | (w->form.hook ? FEATURE_HOOK : 0u) |
                          (w->compressed ? FEATURE_COMPRESSED : 0u));
    if (w->form.sealed)
        memcpy(f + 16, w->options.salt, CODEC_SALT_SIZE);
    store_u16(f + 44, (uint16_t)(w->form.hook ? w->form.hook->reserved : 0));
    store_u64(f + 48, w->values);
    store_u64(f + 56, w->bytes);
    for (size_t i = 0; i < 2; i++) {
        store_u64(f + 176 + i * 8, w->options.database_id[i]);
        store_u64(f + 192 + i * 8, w->options.object_id[i]);
    }
    hash_stream_add(w->hash, f, FOOTER_OBJECT_HASH_AT);
    store_u64(f + FOOTER_OBJECT_HASH_AT, hash_stream_value(w->hash));
    store_u64(f + FOOTER_HASH_AT, hash64(f, FOOTER_HASH_AT, 0));
    TRY(value_emit(w, f, FOOTER_SIZE, err));
    *count = w->values;
    *size = w->written;
out:
    if (st != BASIN_OK)
        w->failed = st;
    return st;
}

/* ------------------------------------------------------------------ opening */

struct value_stratum {
    struct source *source;
    struct stratum_read_options options;
    struct block_form form;
    const uint8_t *map; /* or NULL */
    uint64_t end;       /* where the footer begins */
    uint64_t values;
    uint64_t bytes;
    uint64_t hash;
};

/* Footer fields into v; salt and features are returned. */
static basin_status
value_footer(struct value_stratum *v, const uint8_t f[FOOTER_SIZE], uint8_t *salt,
             uint32_t *features, uint16_t *reserved, basin_error *err)
{
    const char *name = v->source->name;
    struct rd r = rd_over(f, FOOTER_HASH_AT);
    uint64_t ids[4];
    struct bytes magic = rd_bytes(&r, 8), salt_bytes;
    uint16_t version = rd_u16(&r), size = rd_u16(&r);
    basin_status st = BASIN_OK;

    if (memcmp(magic.data, VALUE_MAGIC, 8) != 0)
        FAIL(err, BASIN_CORRUPT, "value stratum %s: footer: no value stratum ends here", name);
    if (hash64(f, FOOTER_HASH_AT, 0) != load_u64(f + FOOTER_HASH_AT))
        FAIL(err, BASIN_CORRUPT, "value stratum %s: footer: its checksum is wrong", name);
    *features = rd_u32(&r);
    if (version != STRATUM_VALUE_VERSION ||
        (*features & ~(uint32_t)(FEATURE_SEALED | FEATURE_HOOK | FEATURE_COMPRESSED)))
        FAIL(err, BASIN_VERSION, "value stratum %s: format %u, features %08x; this build reads %d",
             name, version, *features, STRATUM_VALUE_VERSION);
    salt_bytes = rd_bytes(&r, CODEC_SALT_SIZE);
    memcpy(salt, salt_bytes.data, CODEC_SALT_SIZE);
    rd_zeros(&r, 4);
    *reserved = rd_u16(&r);
    rd_zeros(&r, 2);
    v->values = rd_u64(&r);
    v->bytes = rd_u64(&r);
    rd_zeros(&r, 176 - 64);
    for (int i = 0; i < 4; i++)
        ids[i] = rd_u64(&r);
    rd_zeros(&r, FOOTER_OBJECT_HASH_AT - 208);
    v->hash = rd_u64(&r);
    if (!rd_done(&r) || size != FOOTER_SIZE)
        FAIL(err, BASIN_CORRUPT, "value stratum %s: footer: stopped at byte %zu", name, r.at);
    if (memcmp(ids, v->options.database_id, 16) != 0 ||
        memcmp(ids + 2, v->options.object_id, 16) != 0)
        FAIL(err, BASIN_CORRUPT,
             "value stratum %s: it is object %llu.%llu of another name or "
             "database",
             name, (unsigned long long)ids[2], (unsigned long long)ids[3]);
out:
    return st;
}

static basin_status
value_owner(struct value_stratum *v, const uint8_t *salt, uint32_t features, uint16_t reserved,
            basin_error *err)
{
    const struct stratum_read_options *o = &v->options;
    bool sealed = features & FEATURE_SEALED, hook = features & FEATURE_HOOK;
    basin_status st = BASIN_OK;

    if (sealed && !o->data_key)
        FAIL(err, BASIN_WRONG_KEY, "value stratum %s: it is encrypted and no key was given",
             v->source->name);
    if (!sealed && o->data_key)
        FAIL(err, BASIN_CORRUPT, "value stratum %s: it is not encrypted, its database is",
             v->source->name);
    if (hook != !!o->hook || (hook && o->hook->reserved != reserved))
        FAIL(err, BASIN_WRONG_KEY, "value stratum %s: its pages reserve %u bytes, the hook %zu",
             v->source->name, reserved, o->hook ? o->hook->reserved : 0);
    v->form.hook = o->hook;
    if (sealed)
        block_form_seal(&v->form, o->data_key, salt, VALUE_CONTEXT);
out:
    return st;
}

basin_status
value_open(struct source *from, const struct stratum_read_options *options,
           struct value_stratum **out, basin_error *err)
{
    struct value_stratum *v = NULL;
    uint8_t footer[FOOTER_SIZE], salt[CODEC_SALT_SIZE];
    uint32_t features = 0;
    uint16_t reserved = 0;
    basin_status st = BASIN_OK;

    *out = NULL;
    v = mem_new(options->mem, sizeof(*v));
    if (!v)
        FAIL(err, BASIN_NO_MEM, "no memory to open value stratum %s", from->name);
    v->source = from;
    v->options = *options;
    block_form_init(&v->form, options->mem, options->database_id, options->object_id);
    if (from->size < FOOTER_SIZE)
        FAIL(err, BASIN_CORRUPT, "value stratum %s: %llu bytes are too few", from->name,
             (unsigned long long)from->size);
    v->end = from->size - FOOTER_SIZE;
    TRY(from->ops->read(from, v->end, footer, FOOTER_SIZE, err));
    TRY(value_footer(v, footer, salt, &features, &reserved, err));
    TRY(value_owner(v, salt, features, reserved, err));
    v->map = options->no_map || !block_plain(&v->form) ? NULL : from->ops->map(from);
    *out = v;
    v = NULL;
    from = NULL;
out:
    if (!v && from)
        from->ops->close(from);
    value_close(v);
    return st;
}

void
value_close(struct value_stratum *v)
{
    if (!v)
        return;
    block_form_release(&v->form);
    v->source->ops->close(v->source);
    mem_free(v->options.mem, v, sizeof(*v));
}

void
value_counts(const struct value_stratum *v, uint64_t *values, uint64_t *bytes)
{
    *values = v->values;
    *bytes = v->bytes;
}

/* ------------------------------------------------------------------ reading */

/* One call's buffers. */
struct value_reader {
    struct value_stratum *v;
    struct buf stored;
    struct buf table;      /* data of the table at hand */
    uint64_t table_number; /* which, or UINT64_MAX */
    struct buf expanded;
    struct codec *codec;
};

static void
value_reader_release(struct value_reader *r)
{
    buf_release(&r->stored);
    buf_release(&r->table);
    buf_release(&r->expanded);
    if (r->v->options.cache)
        cache_codec_give(r->v->options.cache, r->codec);
    else
        codec_free(r->codec);
}

static basin_status
value_fault(const struct value_stratum *v, uint64_t at, basin_status st, const basin_error *inner,
            basin_error *err)
{
    return error_set(err, st, "value stratum %s: frame at %llu: %s", v->source->name,
                     (unsigned long long)at, inner->what);
}

static basin_status
value_expand(struct value_reader *r, const struct block_head *head, struct bytes *data,
             basin_error *err)
{
    struct value_stratum *v = r->v;
    basin_status st = BASIN_OK;

    if (head->codec == CODEC_NONE)
        return BASIN_OK;
    if (head->raw > FRAME_SIZE)
        FAIL(err, BASIN_CORRUPT, "a frame of %u bytes", head->raw);
    if (!r->codec && v->options.cache)
        TRY(cache_codec_take(v->options.cache, &r->codec, err));
    else if (!r->codec)
        TRY(codec_new(v->options.mem, &r->codec, err));
    buf_clear(&r->expanded);
    if (buf_reserve(&r->expanded, FRAME_SIZE) != BASIN_OK)
        FAIL(err, BASIN_NO_MEM, "no memory for a frame");
    TRY(codec_expand(r->codec, (enum codec_id)head->codec, *data, r->expanded.data, head->raw,
                     err));
    *data = bytes_of(r->expanded.data, head->raw);
out:
    return st;
}

/* The data of one block; valid until the next call. */
static basin_status
value_block(struct value_reader *r, enum block_kind kind, uint64_t at, uint64_t size,
            struct bytes *data, basin_error *err)
{
    struct value_stratum *v = r->v;
    struct block_head head;
    basin_error inner = { 0 };
    basin_status st = BASIN_OK;

    if (at > v->end || size > v->end - at || size > 2 * FRAME_SIZE)
        FAIL(&inner, BASIN_CORRUPT, "%llu bytes are not inside it", (unsigned long long)size);
    if (v->options.counters) {
        atomic_fetch_add_explicit(&v->options.counters->pages_read, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&v->options.counters->bytes_read, size, memory_order_relaxed);
    }
    if (v->map) {
        TRY(block_check(&v->form, bytes_of(v->map + at, (size_t)size), at, kind, &head, &inner));
        *data = bytes_of(v->map + at + BLOCK_HEAD_SIZE, head.stored - block_overhead(&v->form));
    } else {
        buf_clear(&r->stored);
        if (buf_reserve(&r->stored, (size_t)size) != BASIN_OK)
            FAIL(&inner, BASIN_NO_MEM, "no memory for a frame");
        TRY(v->source->ops->read(v->source, at, r->stored.data, (size_t)size, &inner));
        TRY(block_check(&v->form, bytes_of(r->stored.data, (size_t)size), at, kind, &head, &inner));
        TRY(block_unlock(&v->form, r->stored.data, &head, at, data, &inner));
    }
    TRY(value_expand(r, &head, data, &inner));
out:
    return st == BASIN_OK ? st : value_fault(v, at, st, &inner, err);
}

/* Loads the table that speaks of `frame`. */
static basin_status
value_table(struct value_reader *r, const struct value_ref *ref, uint64_t frame, basin_error *err)
{
    const struct block_form *f = &r->v->form;
    uint64_t frames = frames_of(ref->size), number = frame / TABLE_FRAMES;
    uint64_t all = tables_stored(f, frames), n, at;
    struct bytes data;
    basin_status st = BASIN_OK;

    if (r->table_number == number)
        return BASIN_OK;
    n = MIN_OF(frames - number * TABLE_FRAMES, (uint64_t)TABLE_FRAMES);
    if (ref->stored < all || ref->at > r->v->end || ref->stored > r->v->end - ref->at)
        FAIL(err, BASIN_CORRUPT, "value stratum %s: value at %llu of %llu bytes does not fit",
             r->v->source->name, (unsigned long long)ref->at, (unsigned long long)ref->size);
    at = ref->at + ref->stored - all + number * table_stored(f, TABLE_FRAMES);
    TRY(value_block(r, BLOCK_TABLE, at, table_stored(f, n), &data, err));
    if (data.size != TABLE_HEAD_SIZE + n * 4 || load_u64(data.data) != ref->size ||
        load_u32(data.data + 16) != n)
        FAIL(err, BASIN_CORRUPT, "value stratum %s: table at %llu speaks of another value",
             r->v->source->name, (unsigned long long)at);
    if (buf_set(&r->table, data.data, data.size) != BASIN_OK)
        FAIL(err, BASIN_NO_MEM, "value stratum %s: no memory for a table", r->v->source->name);
    r->table_number = number;
out:
    return st;
}

/* Where a frame is, and its data. */
static basin_status
value_frame(struct value_reader *r, const struct value_ref *ref, uint64_t frame, struct bytes *data,
            basin_error *err)
{
    uint64_t frames = frames_of(ref->size), at = ref->at, size = ref->stored, want;
    basin_status st = BASIN_OK;

    if (frames > 1) {
        const uint8_t *sizes;
        TRY(value_table(r, ref, frame, err));
        sizes = r->table.data + TABLE_HEAD_SIZE;
        at += load_u64(r->table.data + 8);
        for (uint64_t i = 0; i < frame % TABLE_FRAMES; i++)
            at += load_u32(sizes + i * 4);
        size = load_u32(sizes + frame % TABLE_FRAMES * 4);
    }
    TRY(value_block(r, BLOCK_FRAME, at, size, data, err));
    want = frame + 1 < frames ? FRAME_SIZE : ref->size - frame * FRAME_SIZE;
    if (data->size != want)
        FAIL(err, BASIN_CORRUPT, "value stratum %s: frame at %llu has %zu bytes, not %llu",
             r->v->source->name, (unsigned long long)at, data->size, (unsigned long long)want);
out:
    return st;
}

basin_status
value_read(struct value_stratum *v, const struct value_ref *ref, uint64_t offset, void *to,
           size_t n, size_t *got, basin_error *err)
{
    struct value_reader r = { .v = v, .table_number = UINT64_MAX };
    uint8_t *out_bytes = to;
    basin_status st = BASIN_OK;

    *got = 0;
    buf_init(&r.stored, v->options.mem);
    buf_init(&r.table, v->options.mem);
    buf_init(&r.expanded, v->options.mem);
    n = offset >= ref->size ? 0 : (size_t)MIN_OF((uint64_t)n, ref->size - offset);
    while (*got < n) {
        uint64_t at = offset + *got;
        size_t skip = (size_t)(at % FRAME_SIZE), take;
        struct bytes data;
        TRY(value_frame(&r, ref, at / FRAME_SIZE, &data, err));
        take = MIN_OF(data.size - skip, n - *got);
        memcpy(out_bytes + *got, data.data + skip, take);
        *got += take;
    }
out:
    value_reader_release(&r);
    return st;
}

/* ------------------------------------------------------------------ verification */

static basin_status
value_hash(struct value_stratum *v, basin_error *err)
{
    uint64_t end = v->end + FOOTER_OBJECT_HASH_AT;
    struct hash_stream *h = hash_stream_new(v->form.seed);
    uint8_t *chunk = mem_new(v->options.mem, FRAME_SIZE);
    basin_status st = BASIN_OK;

    if (!h || !chunk)
        FAIL(err, BASIN_NO_MEM, "value stratum %s: no memory to hash it", v->source->name);
    for (uint64_t at = 0; at < end;) {
        size_t n = (size_t)MIN_OF((uint64_t)FRAME_SIZE, end - at);
        TRY(v->source->ops->read(v->source, at, chunk, n, err));
        hash_stream_add(h, chunk, n);
        at += n;
    }
    if (hash_stream_value(h) != v->hash)
        FAIL(err, BASIN_CORRUPT, "value stratum %s: hash of the object is not %016llx",
             v->source->name, (unsigned long long)v->hash);
out:
    hash_stream_free(h);
    mem_free(v->options.mem, chunk, FRAME_SIZE);
    return st;
}

basin_status
value_verify(struct value_stratum *v, basin_error *err)
{
    struct value_reader r = { .v = v, .table_number = UINT64_MAX };
    basin_status st;

    buf_init(&r.stored, v->options.mem);
    buf_init(&r.table, v->options.mem);
    buf_init(&r.expanded, v->options.mem);
    TRY(value_hash(v, err));
    for (uint64_t at = 0; at < v->end;) {
        uint8_t head[BLOCK_HEAD_SIZE];
        struct bytes data;
        uint32_t size;
        if (v->end - at < BLOCK_HEAD_SIZE)
            FAIL(err, BASIN_CORRUPT, "value stratum %s: %llu bytes behind the last frame",
                 v->source->name, (unsigned long long)(v->end - at));
        TRY(v->source->ops->read(v->source, at, head, sizeof(head), err));
        size = load_u32(head + 4);
        TRY(value_block(&r, head[0] == BLOCK_TABLE ? BLOCK_TABLE : BLOCK_FRAME, at, size, &data,
                        err));
        at += size;
    }
out:
    value_reader_release(&r);
    return st;
}
