// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Door of the room base: pure work on memory. Status and error, bytes and buffers, the bounded
 * reader and writer over bytes, integers, checksums, arenas, and the tables (allocator, source,
 * sink) that lower rooms declare and higher ones fill.
 * It never makes a system call and never keeps global state.
 */
#ifndef BASE_H
#define BASE_H

#include <assert.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/planted.h"
#include "basin/types.h"

#define KIB ((size_t)1024)
#define MIB (KIB * 1024)
#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define MIN_OF(a, b) ((a) < (b) ? (a) : (b))
#define MAX_OF(a, b) ((a) > (b) ? (a) : (b))

/* Fields that a mutex guards, and functions that need it held (clang checks REQUIRES). */
#define GUARDED(mu)
#define REQUIRES(mu)

/* Hot and cold paths. */
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

/* must(x): cheap, stays in release, guards data. check(x): dear, debug builds only. */
_Noreturn void base_panic(const char *what, const char *file, int line);
#define must(x) (LIKELY(x) ? (void)0 : base_panic(#x, __FILE__, __LINE__))
#ifdef BASIN_DEBUG
#define check(x) must(x)
#else
#define check(x) ((void)sizeof(!(x)))
#endif

/* ------------------------------------------------------------------ status and error */

/* Fills err (may be NULL) and returns code. The text is printf-style, one line. */
basin_status error_set(basin_error *err, basin_status code, const char *fmt, ...)
    BASIN_PRINTF(3, 4);
/* The same with an errno; its text is appended. ENOSPC and EDQUOT become BASIN_NO_SPACE. */
basin_status error_set_os(basin_error *err, int os_errno, const char *fmt, ...) BASIN_PRINTF(3, 4);
/* Adds what to do, or where, to an error that is filled already; err may be NULL. */
void error_hint(basin_error *err, const char *fmt, ...) BASIN_PRINTF(2, 3);
void error_where(basin_error *err, const char *fmt, ...) BASIN_PRINTF(2, 3);
void error_clear(basin_error *err);
/* For calls on memory that carry no error: fills err when st is NO_MEM, and returns st. */
basin_status error_mem(basin_status st, basin_error *err);

/* The two macros of HOUSE 3: both use the local `st` and the label `out`. */
#define TRY(call)                  \
    do {                           \
        st = (call);               \
        if (UNLIKELY(st != BASIN_OK)) \
            goto out;              \
    } while (0)
#define FAIL(err, code, ...)                      \
    do {                                          \
        st = error_set((err), (code), __VA_ARGS__); \
        goto out;                                 \
    } while (0)

/* ------------------------------------------------------------------ memory */

/* The C library's realloc and free behind the allocator table. Threads: any. */
extern const basin_allocator base_malloc;

/* Zeroed memory or NULL. Free with mem_free and the same size. */
void *mem_new(const basin_allocator *mem, size_t size) BASIN_MUST_USE;
/* Takes NULL. */
void mem_free(const basin_allocator *mem, void *p, size_t size);

/* ------------------------------------------------------------------ bytes */

/* Borrowed bytes. */
struct bytes {
    const uint8_t *data;
    size_t size;
};

static inline struct bytes
bytes_of(const void *p, size_t n)
{
    return (struct bytes){ (const uint8_t *)p, n };
}

#define BYTES_NULL ((struct bytes){ NULL, 0 })
#define BYTES_LIT(s) ((struct bytes){ (const uint8_t *)(s), sizeof(s) - 1 })

static inline int
bytes_compare(struct bytes a, struct bytes b)
{
    size_t n = MIN_OF(a.size, b.size);
    int c = n ? memcmp(a.data, b.data, n) : 0;
    return c ? c : (a.size > b.size) - (a.size < b.size);
}

static inline bool
bytes_equal(struct bytes a, struct bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline size_t
bytes_shared(struct bytes a, struct bytes b)
{
    size_t n = MIN_OF(a.size, b.size), i = 0;
    while (i < n && a.data[i] == b.data[i])
        i++;
    return i;
}

/* Owned, growing bytes. Zero-initialise except mem. What is added may not lie inside the buffer. */
struct buf {
    uint8_t *data;
    size_t size;
    size_t capacity;
    const basin_allocator *mem;
};

void buf_init(struct buf *b, const basin_allocator *mem);
void buf_release(struct buf *b); /* keeps mem, so the buffer may be used again */
basin_status buf_reserve(struct buf *b, size_t more) BASIN_MUST_USE; /* capacity for more bytes */
basin_status buf_add(struct buf *b, const void *p, size_t n) BASIN_MUST_USE;
basin_status buf_set(struct buf *b, const void *p, size_t n) BASIN_MUST_USE;
static inline void
buf_clear(struct buf *b)
{
    b->size = 0;
}
static inline struct bytes
buf_bytes(const struct buf *b)
{
    return bytes_of(b->data, b->size);
}

/* Sorts in place, without recursion or memory of its own; equal items may change places. Items have
 * at most 256 bytes. */
typedef int sort_compare_fn(const void *a, const void *b);
void sort_items(void *items, size_t count, size_t item_size, sort_compare_fn *compare);

/* ------------------------------------------------------------------ integers */

static inline uint16_t load_u16(const uint8_t *p) { uint16_t v; memcpy(&v, p, 2); return v; }
static inline uint32_t load_u32(const uint8_t *p) { uint32_t v; memcpy(&v, p, 4); return v; }
static inline uint64_t load_u64(const uint8_t *p) { uint64_t v; memcpy(&v, p, 8); return v; }
static inline void store_u16(uint8_t *p, uint16_t v) { memcpy(p, &v, 2); }
static inline void store_u32(uint8_t *p, uint32_t v) { memcpy(p, &v, 4); }
static inline void store_u64(uint8_t *p, uint64_t v) { memcpy(p, &v, 8); }
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "Basin's load and store helpers need a little-endian machine"
#endif

/* First 8 bytes of a key as a number whose order is memcmp order; short keys are zero-filled. */
static inline uint64_t
key_prefix(struct bytes k)
{
    uint64_t v = 0;
    if (k.size >= 8)
        memcpy(&v, k.data, 8);
    else if (k.size)
        memcpy(&v, k.data, k.size);
    return __builtin_bswap64(v);
}

/* LEB128 lengths inside pages and records (not in keys: those use tuple's varint). */
enum { LEB_MAX = 10 };
size_t leb_size(uint64_t v);
size_t leb_put(uint8_t *p, uint64_t v); /* p has room for LEB_MAX; returns bytes written */
/* Reads at most n bytes; returns bytes used, or 0 when truncated, padded (not the shortest form) or
 * of more than 64 bits. */
size_t leb_get(const uint8_t *p, size_t n, uint64_t *v);

/* ------------------------------------------------------------------ bounded reader, writer */

/*
 * Sticky reader over borrowed bytes. After the first overrun every read returns 0 and rd_ok is
 * false; `at` stays at the place of the failure.
 */
struct rd {
    const uint8_t *data;
    size_t size;
    size_t at;
    bool failed;
};

struct rd rd_over(const void *p, size_t n);
uint8_t rd_u8(struct rd *r);
uint16_t rd_u16(struct rd *r);
uint32_t rd_u32(struct rd *r);
uint64_t rd_u64(struct rd *r);
uint64_t rd_leb(struct rd *r);
struct bytes rd_bytes(struct rd *r, size_t n);     /* borrows from the input */
struct bytes rd_leb_bytes(struct rd *r);           /* LEB length, then bytes */
void rd_zeros(struct rd *r, size_t n);             /* reserved bytes must be zero */
void rd_fail(struct rd *r);
static inline bool rd_ok(const struct rd *r) { return !r->failed; }
static inline size_t rd_left(const struct rd *r) { return r->size - r->at; }
static inline bool rd_done(const struct rd *r) { return !r->failed && r->at == r->size; }

/* Sticky writer into a buf: a failed allocation is remembered and reported by wr_status. */
struct wr {
    struct buf *to;
    bool failed;
};

struct wr wr_into(struct buf *to);
void wr_u8(struct wr *w, uint8_t v);
void wr_u16(struct wr *w, uint16_t v);
void wr_u32(struct wr *w, uint32_t v);
void wr_u64(struct wr *w, uint64_t v);
void wr_leb(struct wr *w, uint64_t v);
void wr_bytes(struct wr *w, struct bytes b);
void wr_leb_bytes(struct wr *w, struct bytes b);
void wr_zeros(struct wr *w, size_t n);
basin_status wr_status(const struct wr *w, basin_error *err);

/* ------------------------------------------------------------------ checksums */

/* XXH3-64 with a seed (https://xxhash.com); the one checksum family of every format. */
uint64_t hash64(const void *p, size_t n, uint64_t seed);

/* The same over a stream. Confined. */
struct hash_stream;
struct hash_stream *hash_stream_new(uint64_t seed); /* NULL when out of memory */
void hash_stream_add(struct hash_stream *h, const void *p, size_t n);
uint64_t hash_stream_value(const struct hash_stream *h);
void hash_stream_free(struct hash_stream *h);

/* ------------------------------------------------------------------ arena */

/*
 * Memory that is given back all at once. Confined for allocation; what it returned may be read
 * by any thread until release. Blocks double from block_size_min to 1 MiB.
 */
struct arena_block;
struct arena {
    const basin_allocator *mem;
    struct arena_block *blocks;
    uint8_t *next;
    size_t left;
    size_t used;       /* bytes taken from the allocator */
    size_t block_size; /* of the next block */
};

void arena_init(struct arena *a, const basin_allocator *mem, size_t block_size_min);
void arena_release(struct arena *a);
void *arena_alloc(struct arena *a, size_t size) BASIN_MUST_USE; /* 8-aligned, not zeroed, or NULL */

/* ------------------------------------------------------------------ source and sink */

/*
 * Ranged reads of an immutable byte string. Threads: any, concurrently. read fails with CORRUPT
 * when the range goes past size. map returns the whole string in memory, valid until close, or
 * NULL when this source cannot be mapped.
 */
struct source;
struct source_ops {
    basin_status (*read)(struct source *s, uint64_t at, void *to, size_t n, basin_error *err);
    const uint8_t *(*map)(struct source *s);
    void (*close)(struct source *s);
};
struct source {
    const struct source_ops *ops;
    uint64_t size;
    char name[64]; /* for error texts: the object's name */
};

/* Append-only output. commit makes the bytes durable under the object's name; free without
 * commit leaves nothing. Confined. */
struct sink;
struct sink_ops {
    basin_status (*write)(struct sink *s, const void *p, size_t n, basin_error *err);
    basin_status (*commit)(struct sink *s, basin_error *err);
    void (*free)(struct sink *s);
};
struct sink {
    const struct sink_ops *ops;
    uint64_t size; /* bytes written so far; kept by the implementation */
};

/* A source over borrowed memory (mappable), and a sink into a buf; both embedded. */
struct memory_source {
    struct source base;
    struct bytes data;
    bool mappable;
};
void memory_source_init(struct memory_source *s, struct bytes data, const char *name);
struct memory_sink {
    struct sink base;
    struct buf *to;
    bool committed; /* free takes back what was written otherwise */
};
void memory_sink_init(struct memory_sink *s, struct buf *to);

#endif
