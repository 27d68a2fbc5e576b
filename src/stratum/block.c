// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The stored form of a block: head, data, tag when sealed, bytes of a foreign hook, checksum.
 * Data is compressed, then sealed, then given to the hook; the checksum covers what is stored, so
 * that damage is found without a key. Seeds, nonces and associated data bind database, object and
 * position: a block that was moved or copied from elsewhere does not check.
 * Format: docs/format/stratum.md, "Blocks". It never looks into the data.
 */
#include "stratum/format.h"

#define POSITION_MIX UINT64_C(0x9E3779B97F4A7C15)

enum { AD_SIZE = 40 + BLOCK_HEAD_SIZE };

void
block_form_init(struct block_form *f, const basin_allocator *mem, const uint64_t database_id[2],
                const uint64_t object_id[2])
{
    uint64_t ids[4] = { database_id[0], database_id[1], object_id[0], object_id[1] };

    *f = (struct block_form){ .mem = mem, .seed = hash64(ids, sizeof(ids), 0) };
    memcpy(f->database_id, database_id, sizeof(f->database_id));
    memcpy(f->object_id, object_id, sizeof(f->object_id));
}

void
block_form_seal(struct block_form *f, const struct codec_key *data_key,
                const uint8_t salt[CODEC_SALT_SIZE], const char context[8])
{
    codec_subkey(data_key, salt, context, &f->key);
    f->sealed = true;
}

void
block_form_release(struct block_form *f)
{
    codec_wipe(&f->key, sizeof(f->key));
    f->sealed = false;
}

static uint64_t
block_sum(const struct block_form *f, const uint8_t *stored, size_t size, uint64_t at)
{
    return hash64(stored, size - BLOCK_SUM_SIZE, f->seed + at * POSITION_MIX);
}

/* What a seal vouches for beside the data: whose block this is, where, and its head. */
static void
block_ad(const struct block_form *f, uint64_t at, const uint8_t *head, uint8_t ad[AD_SIZE])
{
    store_u64(ad, f->database_id[0]);
    store_u64(ad + 8, f->database_id[1]);
    store_u64(ad + 16, f->object_id[0]);
    store_u64(ad + 24, f->object_id[1]);
    store_u64(ad + 32, at);
    memcpy(ad + 40, head, BLOCK_HEAD_SIZE);
}

/* Writes the data, compressed when that makes it smaller. Returns its stored size; *raw_size is
 * what it expands to. */
static size_t
put_data(struct codec *codec, enum codec_id *id, int level, const struct block_data *data,
         uint8_t *to, size_t *raw_size)
{
    struct bytes raw = data->raw, from = data->packed.size ? data->packed : raw;
    size_t n = 0;

    *raw_size = from.size;
    if (*id != CODEC_NONE && raw.size <= PAGE_COMPRESS_MAX)
        n = codec_compress(codec, *id, level, from, to, from.size);
    if (n != 0)
        return n;
    *id = CODEC_NONE;
    *raw_size = raw.size;
    if (raw.size)
        memcpy(to, raw.data, raw.size);
    return raw.size;
}

basin_status
block_encode(const struct block_form *f, struct codec *codec, enum codec_id id, int level,
             enum block_kind kind, uint64_t at, const struct block_data *from, struct buf *to,
             bool *compressed, basin_error *err)
{
    uint8_t ad[AD_SIZE], *head, *data;
    size_t n, stored, raw_size, size = from->raw.size;
    basin_status st = BASIN_OK;

    if (size > PAGE_RAW_MAX)
        FAIL(err, BASIN_LIMIT, "page of %zu bytes is over %zu", size, PAGE_RAW_MAX);
    if (buf_reserve(to, size + block_overhead(f)) != BASIN_OK)
        FAIL(err, BASIN_NO_MEM, "no memory for a page of %zu bytes", size);
    head = to->data + to->size;
    data = head + BLOCK_HEAD_SIZE;
    n = put_data(codec, &id, level, from, data, &raw_size);
    stored = n + block_overhead(f);
    head[0] = (uint8_t)kind;
    head[1] = (uint8_t)id;
    store_u16(head + 2, 0);
    store_u32(head + 4, (uint32_t)stored);
    store_u32(head + 8, (uint32_t)raw_size);
    if (f->sealed) {
        block_ad(f, at, head, ad);
        codec_seal(&f->key, at, bytes_of(ad, sizeof(ad)), bytes_of(data, n), data);
        n += CODEC_TAG_SIZE;
    }
    if (f->hook) {
        memset(data + n, 0, f->hook->reserved);
        st = f->hook->encrypt(f->hook->ctx, at, data, n, data + n);
        if (st != BASIN_OK)
            FAIL(err, st, "the page hook refuses a page of %zu bytes", n);
    }
    store_u64(head + stored - BLOCK_SUM_SIZE, block_sum(f, head, stored, at));
    to->size += stored;
    *compressed = id != CODEC_NONE;
out:
    return st;
}

static bool
kind_fits(uint8_t found, enum block_kind kind)
{
    if (kind == BLOCK_LEAF)
        return found == BLOCK_POINT || found == BLOCK_DENSE;
    return found == kind;
}

basin_status
block_read_head(const struct block_form *f, struct bytes stored, enum block_kind kind,
                struct block_head *head, basin_error *err)
{
    size_t data_size;

    if (stored.size < block_overhead(f))
        return error_set(err, BASIN_CORRUPT, "%zu bytes are too few", stored.size);
    head->kind = stored.data[0];
    head->codec = stored.data[1];
    head->stored = load_u32(stored.data + 4);
    head->raw = load_u32(stored.data + 8);
    data_size = stored.size - block_overhead(f);
    if (!kind_fits(head->kind, kind) || load_u16(stored.data + 2) != 0)
        return error_set(err, BASIN_CORRUPT, "kind %u where %u belongs", head->kind, kind);
    if (head->stored != stored.size)
        return error_set(err, BASIN_CORRUPT, "%u bytes, its fence says %zu", head->stored,
                         stored.size);
    if (head->codec == CODEC_NONE && head->raw == data_size)
        return BASIN_OK;
    if (head->codec == CODEC_NONE || head->codec >= CODEC_COUNT || head->raw <= data_size ||
        head->raw > PAGE_COMPRESS_MAX)
        return error_set(err, BASIN_CORRUPT, "codec %u, %zu bytes for %u", head->codec, data_size,
                         head->raw);
    return BASIN_OK;
}

basin_status
block_check(const struct block_form *f, struct bytes stored, uint64_t at, enum block_kind kind,
            struct block_head *head, basin_error *err)
{
    uint64_t sum, found;

    if (stored.size < block_overhead(f))
        return error_set(err, BASIN_CORRUPT, "%zu bytes are too few", stored.size);
    sum = block_sum(f, stored.data, stored.size, at);
    found = load_u64(stored.data + stored.size - BLOCK_SUM_SIZE);
    if (sum != found)
        return error_set(err, BASIN_CORRUPT, "checksum %016llx is not %016llx",
                         (unsigned long long)sum, (unsigned long long)found);
    return block_read_head(f, stored, kind, head, err);
}

basin_status
block_unlock(const struct block_form *f, uint8_t *stored, const struct block_head *head,
             uint64_t at, struct bytes *data, basin_error *err)
{
    uint8_t ad[AD_SIZE], *p = stored + BLOCK_HEAD_SIZE;
    size_t n = head->stored - block_overhead(f);
    size_t sealed = n + (f->sealed ? CODEC_TAG_SIZE : 0);
    basin_status st = BASIN_OK;

    *data = BYTES_NULL;
    if (f->hook) {
        st = f->hook->decrypt(f->hook->ctx, at, p, sealed, p + sealed);
        if (st != BASIN_OK)
            FAIL(err, st, "the page hook refuses it");
    }
    if (f->sealed) {
        block_ad(f, at, stored, ad);
        TRY(codec_unseal(&f->key, at, bytes_of(ad, sizeof(ad)), bytes_of(p, sealed), p, err));
    }
    *data = bytes_of(p, n);
out:
    return st;
}
