// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Door of the room tuple: the order-preserving encoding of typed values; memcmp order of the bytes
 * is the logical order of the values. Nothing else in Basin invents a key encoding.
 * The law is docs/format/tuple.md (codec C1 to C13).
 *
 * Writers append to a struct buf; the one way they fail is NO_MEM, and then the buffer holds what
 * it held before. Readers take a bounded struct rd; bad or non-canonical bytes are CORRUPT with the
 * byte position (r->at stays there), never a read past the end.
 * Threads: confined; nothing here keeps state of its own.
 */
#ifndef TUPLE_H
#define TUPLE_H

#include "base/base.h"

enum {
    TUPLE_VERSION = 0, /* draft */
    TUPLE_VARINT_MAX = 9,
    TUPLE_BNUM_MAX = 12,
    TUPLE_CUT_AT = 2048,
    TUPLE_CUT_SIZE = 2080,
    TUPLE_DEPTH_MAX = 1024 /* open containers of a value; deeper is refused by readers */
};

/* C1: bytes and str. */
basin_status tuple_put_str(struct buf *to, struct bytes s);
/* Escaped, without the end mark: where the strings that begin with s begin (C10). */
basin_status tuple_put_str_prefix(struct buf *to, struct bytes s);
/* Unescaped content is appended to `out`; nothing is when it fails. `out` may be NULL. */
basin_status tuple_get_str(struct rd *r, struct buf *out, basin_error *err);
basin_status tuple_skip_str(struct rd *r, basin_error *err);

/* C2 */
basin_status tuple_put_u8(struct buf *to, uint8_t v);
basin_status tuple_put_u16(struct buf *to, uint16_t v);
basin_status tuple_put_u32(struct buf *to, uint32_t v);
basin_status tuple_put_u64(struct buf *to, uint64_t v);
basin_status tuple_put_u128(struct buf *to, uint64_t high, uint64_t low);
basin_status tuple_get_u8(struct rd *r, uint8_t *v, basin_error *err);
basin_status tuple_get_u16(struct rd *r, uint16_t *v, basin_error *err);
basin_status tuple_get_u32(struct rd *r, uint32_t *v, basin_error *err);
basin_status tuple_get_u64(struct rd *r, uint64_t *v, basin_error *err);
basin_status tuple_get_u128(struct rd *r, uint64_t *high, uint64_t *low, basin_error *err);

/* C3: the SQLite4 varint. varint_put needs TUPLE_VARINT_MAX bytes of room. */
size_t tuple_varint_put(uint8_t *p, uint64_t v);
size_t tuple_varint_size(uint64_t v);
basin_status tuple_put_varint(struct buf *to, uint64_t v);
basin_status tuple_get_varint(struct rd *r, uint64_t *v, basin_error *err);

/* C4, C5 */
basin_status tuple_put_i64(struct buf *to, int64_t v);
basin_status tuple_get_i64(struct rd *r, int64_t *v, basin_error *err);
basin_status tuple_put_f64(struct buf *to, double v);
basin_status tuple_get_f64(struct rd *r, double *v, basin_error *err);

/* C6: bnum. A number decodes to the exact integer when it is one in int64 or uint64 range. */
enum tuple_number_kind { TUPLE_INT, TUPLE_UINT, TUPLE_DOUBLE };
struct tuple_number {
    enum tuple_number_kind kind; /* UINT only above INT64_MAX */
    union {
        int64_t i;
        uint64_t u;
        double d;
    } as;
};
basin_status tuple_put_bnum(struct buf *to, struct tuple_number v);
basin_status tuple_get_bnum(struct rd *r, struct tuple_number *v, basin_error *err);
/* Exact order across the kinds; NaN below all and equal to itself. */
int tuple_number_compare(struct tuple_number a, struct tuple_number b);

/* C7: tags of values, and a streaming writer and reader for them (see codec.md section 3). */
enum tuple_tag {
    TUPLE_END = 0x00,
    TUPLE_MIN_KEY = 0x01,
    TUPLE_ABSENT = 0x02,
    TUPLE_NULL = 0x05,
    TUPLE_NUMBER = 0x0A,
    TUPLE_STRING = 0x0F,
    TUPLE_DOCUMENT = 0x14,
    TUPLE_ARRAY = 0x19,
    TUPLE_BINARY = 0x1E,
    TUPLE_OBJECT_ID = 0x23,
    TUPLE_UUID = 0x24,
    TUPLE_BOOL = 0x28,
    TUPLE_DATETIME = 0x2D,
    TUPLE_TIMESTAMP = 0x2F,
    TUPLE_REGEX = 0x32,
    TUPLE_CODE = 0x3C,
    TUPLE_CODE_SCOPE = 0x41,
    TUPLE_MAX_KEY = 0x7F
};
/* A value is its tag, then its payload through the put of its type; a document is a tag, for each
 * pair TUPLE_PAIR, key and value, then TUPLE_END. */
enum { TUPLE_PAIR = 0x01, TUPLE_OBJECT_ID_SIZE = 12, TUPLE_UUID_SIZE = 16 };
basin_status tuple_put_tag(struct buf *to, enum tuple_tag tag);
basin_status tuple_get_tag(struct rd *r, enum tuple_tag *tag, basin_error *err);
basin_status tuple_put_bool(struct buf *to, bool v);
basin_status tuple_get_bool(struct rd *r, bool *v, basin_error *err);
/* Payload of TUPLE_BINARY: at most UINT32_MAX bytes, else LIMIT. get borrows from the input. */
basin_status tuple_put_binary(struct buf *to, uint8_t subtype, struct bytes data);
basin_status tuple_get_binary(struct rd *r, uint8_t *subtype, struct bytes *data,
                              basin_error *err);
/* Checks one whole value, nested ones included, without recursion: leaves r behind it. */
basin_status tuple_skip_value(struct rd *r, basin_error *err);

/*
 * Walks one encoded value step by step, ascending or inverted, checking every byte. Payloads are
 * borrowed from the input as they stand there (invert a copy of a descending one), and may be given
 * to the get of their type, which then cannot fail.
 */
enum tuple_step_kind {
    TUPLE_STEP_SCALAR, /* tag and payload (regex: two strings; code: one) */
    TUPLE_STEP_SCOPE,  /* code with scope: payload is the code; the document follows */
    TUPLE_STEP_OPEN,   /* of a document or an array, see tag */
    TUPLE_STEP_KEY,    /* payload: a string; a value follows */
    TUPLE_STEP_CLOSE   /* tag: what is closed */
};
struct tuple_step {
    enum tuple_step_kind kind;
    enum tuple_tag tag;
    struct bytes payload;
};
struct tuple_walk {
    struct bytes in;
    size_t at;
    uint8_t mask; /* 0xFF for a descending value */
    uint8_t expect;
    uint16_t depth;
    uint64_t documents[TUPLE_DEPTH_MAX / 64]; /* bit of a level: document, not array */
};
void tuple_walk_init(struct tuple_walk *w, struct bytes in, size_t at, bool descending);
/* END after the last step of the value; w->at is then behind it. */
basin_status tuple_walk_next(struct tuple_walk *w, struct tuple_step *step, basin_error *err);

/* C8: to read a descending element, invert a copy of the rest of the key; r->at tells its size. */
/* Inverts [from, to->size) in place. */
void tuple_invert(struct buf *to, size_t from);
/* C10: the exclusive upper bound of keys that start with prefix; *unbounded when there is none. */
basin_status tuple_prefix_end(struct bytes prefix, struct buf *to, bool *unbounded);
enum { TUPLE_HASH_SIZE = 32 };
/* BLAKE3-256 (https://github.com/BLAKE3-team/BLAKE3), the hash of C11. */
void tuple_hash(struct bytes in, uint8_t out[TUPLE_HASH_SIZE]);
/* C11: cuts the element at [from, to->size) when it is longer than TUPLE_CUT_AT (BLAKE3). */
basin_status tuple_cut(struct buf *to, size_t from);
/* Leaves r behind an index column or a string that may be cut and may be inverted; *cut tells that
 * it was, so that its value is not here. */
basin_status tuple_skip_column(struct rd *r, bool descending, bool *cut, basin_error *err);
basin_status tuple_skip_cut_str(struct rd *r, bool descending, bool *cut, basin_error *err);

#endif
