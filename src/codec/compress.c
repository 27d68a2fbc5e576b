// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Compression of one block: zstd and lz4 behind one call each. The states of both libraries come
 * from the caller's allocator and are made at first use, so that a codec which only ever expands
 * lz4 costs nothing.
 * It never trusts a compressed block: expanding fills exactly the stated size or fails.
 */
#define ZSTD_STATIC_LINKING_ONLY /* for ZSTD_customMem */
#include <lz4.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "codec/codec.h"

struct codec {
    const basin_allocator *mem;
    ZSTD_CCtx *zstd_out;
    ZSTD_DCtx *zstd_in;
    void *lz4_state;
};

/* zstd frees without a size, our allocators want it: it stands in front of each piece. */
enum { ZSTD_HEAD = 16 };

static void *
zstd_take(void *ctx, size_t size)
{
    uint8_t *p;

    if (size > SIZE_MAX - ZSTD_HEAD)
        return NULL;
    p = mem_new(ctx, size + ZSTD_HEAD);
    if (!p)
        return NULL;
    store_u64(p, size + ZSTD_HEAD);
    return p + ZSTD_HEAD;
}

static void
zstd_give(void *ctx, void *p)
{
    uint8_t *head = p;

    if (!p)
        return;
    head -= ZSTD_HEAD;
    mem_free(ctx, head, (size_t)load_u64(head));
}

static ZSTD_customMem
zstd_memory(const struct codec *c)
{
    return (ZSTD_customMem){ zstd_take, zstd_give, (void *)(uintptr_t)c->mem };
}

basin_status
codec_new(const basin_allocator *mem, struct codec **out, basin_error *err)
{
    struct codec *c = mem_new(mem, sizeof(*c));

    *out = c;
    if (!c)
        return error_set(err, BASIN_NO_MEM, "codec: no memory");
    c->mem = mem;
    return BASIN_OK;
}

void
codec_free(struct codec *c)
{
    if (!c)
        return;
    (void)ZSTD_freeCCtx(c->zstd_out);
    (void)ZSTD_freeDCtx(c->zstd_in);
    mem_free(c->mem, c->lz4_state, (size_t)LZ4_sizeofState());
    mem_free(c->mem, c, sizeof(*c));
}

size_t
codec_bound(enum codec_id id, size_t size)
{
    switch (id) {
    case CODEC_LZ4:
        return size > LZ4_MAX_INPUT_SIZE ? 0 : (size_t)LZ4_compressBound((int)size);
    case CODEC_ZSTD:
        return ZSTD_compressBound(size);
    case CODEC_NONE:
    case CODEC_COUNT:
        break;
    }
    return size;
}

static size_t
compress_lz4(struct codec *c, struct bytes in, uint8_t *out, size_t capacity)
{
    int n;

    if (in.size > LZ4_MAX_INPUT_SIZE)
        return 0;
    if (!c->lz4_state)
        c->lz4_state = mem_new(c->mem, (size_t)LZ4_sizeofState());
    if (!c->lz4_state)
        return 0;
    n = LZ4_compress_fast_extState(c->lz4_state, (const char *)in.data, (char *)out, (int)in.size,
                                   (int)MIN_OF(capacity, (size_t)INT32_MAX), 1);
    return n > 0 ? (size_t)n : 0;
}

static size_t
compress_zstd(struct codec *c, int level, struct bytes in, uint8_t *out, size_t capacity)
{
    size_t n;

    if (!c->zstd_out)
        c->zstd_out = ZSTD_createCCtx_advanced(zstd_memory(c));
    if (!c->zstd_out)
        return 0;
    level = level < 1 ? 1 : level > 19 ? 19 : level;
    n = ZSTD_compressCCtx(c->zstd_out, out, capacity, in.data, in.size, level);
    return ZSTD_isError(n) ? 0 : n;
}

size_t
codec_compress(struct codec *c, enum codec_id id, int level, struct bytes in, uint8_t *out,
               size_t capacity)
{
    size_t n = 0;

    if (in.size == 0 || capacity == 0)
        return 0;
    if (id == CODEC_LZ4)
        n = compress_lz4(c, in, out, capacity);
    else if (id == CODEC_ZSTD)
        n = compress_zstd(c, level, in, out, capacity);
    return n < in.size ? n : 0;
}

static basin_status
expand_zstd(struct codec *c, struct bytes in, uint8_t *out, size_t raw_size, basin_error *err)
{
    basin_status st = BASIN_OK;
    size_t n;

    if (!c->zstd_in)
        c->zstd_in = ZSTD_createDCtx_advanced(zstd_memory(c));
    if (!c->zstd_in)
        FAIL(err, BASIN_NO_MEM, "zstd: no memory for its state");
    n = ZSTD_decompressDCtx(c->zstd_in, out, raw_size, in.data, in.size);
    if (ZSTD_isError(n) && ZSTD_getErrorCode(n) == ZSTD_error_memory_allocation)
        FAIL(err, BASIN_NO_MEM, "zstd: no memory to expand %zu bytes", in.size);
    if (ZSTD_isError(n))
        FAIL(err, BASIN_CORRUPT, "zstd block of %zu bytes: %s", in.size, ZSTD_getErrorName(n));
    if (n != raw_size)
        FAIL(err, BASIN_CORRUPT, "zstd block of %zu bytes gives %zu bytes, not %zu", in.size, n,
             raw_size);
out:
    return st;
}

static basin_status
expand_lz4(struct bytes in, uint8_t *out, size_t raw_size, basin_error *err)
{
    int n;

    if (in.size > INT32_MAX || raw_size > LZ4_MAX_INPUT_SIZE)
        return error_set(err, BASIN_CORRUPT, "lz4 block of %zu bytes is too large", in.size);
    n = LZ4_decompress_safe((const char *)in.data, (char *)out, (int)in.size, (int)raw_size);
    if (n < 0 || (size_t)n != raw_size)
        return error_set(err, BASIN_CORRUPT, "lz4 block of %zu bytes does not give %zu bytes",
                         in.size, raw_size);
    return BASIN_OK;
}

basin_status
codec_expand(struct codec *c, enum codec_id id, struct bytes in, uint8_t *out, size_t raw_size,
             basin_error *err)
{
    switch (id) {
    case CODEC_NONE:
        if (in.size != raw_size)
            return error_set(err, BASIN_CORRUPT, "plain block of %zu bytes, not %zu", in.size,
                             raw_size);
        if (raw_size)
            memcpy(out, in.data, raw_size);
        return BASIN_OK;
    case CODEC_LZ4:
        return expand_lz4(in, out, raw_size, err);
    case CODEC_ZSTD:
        return expand_zstd(c, in, out, raw_size, err);
    case CODEC_COUNT:
        break;
    }
    return error_set(err, BASIN_CORRUPT, "block codec %d is unknown", (int)id);
}
