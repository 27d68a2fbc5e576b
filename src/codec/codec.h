// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Door of the room codec: turns a block into a smaller or a secret block and back, without knowing
 * what a block means. Compression: zstd, lz4. Secrecy: XChaCha20-Poly1305 and Argon2id (libsodium).
 * Threads: a codec is confined; keys are immutable.
 */
#ifndef CODEC_H
#define CODEC_H

#include "base/base.h"

enum codec_id { CODEC_NONE = 0, CODEC_LZ4 = 1, CODEC_ZSTD = 2, CODEC_COUNT };
enum { CODEC_LEVEL_DEFAULT = 3, CODEC_LEVEL_MAX = 19 };

/* Reusable compression state; grows lazily. */
struct codec;
basin_status codec_new(const basin_allocator *mem, struct codec **out, basin_error *err);
void codec_free(struct codec *c);

size_t codec_bound(enum codec_id id, size_t size); /* most bytes that compress may write */
/* Writes at most `capacity` bytes and returns the size, or 0 when it would not be smaller than
 * `size` or did not fit: then store the block as it is. level: zstd 1..19, ignored by lz4. */
size_t codec_compress(struct codec *c, enum codec_id id, int level, struct bytes in, uint8_t *out,
                      size_t capacity);
/* Fills exactly raw_size bytes, or returns CORRUPT. Never reads past `in`. */
basin_status codec_expand(struct codec *c, enum codec_id id, struct bytes in, uint8_t *out,
                          size_t raw_size, basin_error *err);

/* ------------------------------------------------------------------ secrecy */

enum { CODEC_KEY_SIZE = 32, CODEC_SALT_SIZE = 24, CODEC_TAG_SIZE = 16 };

struct codec_key {
    uint8_t bytes[CODEC_KEY_SIZE];
};

/* A subkey for one object: keyed BLAKE2b of (salt, context) under the data key. */
void codec_subkey(const struct codec_key *data_key, const uint8_t salt[CODEC_SALT_SIZE],
                  const char context[8], struct codec_key *out);
/* In place or not: out has in.size + CODEC_TAG_SIZE bytes. nonce is unique under the subkey. */
void codec_seal(const struct codec_key *key, uint64_t nonce, struct bytes ad, struct bytes in,
                uint8_t *out);
/* in includes the tag; out has in.size - CODEC_TAG_SIZE bytes. CORRUPT when it was changed. */
basin_status codec_unseal(const struct codec_key *key, uint64_t nonce, struct bytes ad,
                          struct bytes in, uint8_t *out, basin_error *err);

/* Argon2id cost of a stored key; capped by CODEC_*_MAX when read from disk. */
struct codec_cost {
    uint32_t passes;
    uint32_t memory_kib;
};
enum { CODEC_PASSES_MAX = 32, CODEC_MEMORY_KIB_MAX = 1048576 };
basin_status codec_stretch(struct bytes passphrase, const uint8_t salt[CODEC_SALT_SIZE],
                           struct codec_cost cost, struct codec_key *out, basin_error *err);
void codec_wipe(void *p, size_t n);

/* A foreign page codec (E52): reserves bytes at the end of each page. */
struct codec_hook {
    void *ctx;
    size_t reserved; /* bytes added to each stored page, at most 256 */
    /* page = number unique in the object; data[0..size) in place, reserved bytes follow it */
    basin_status (*encrypt)(void *ctx, uint64_t page, uint8_t *data, size_t size,
                            uint8_t *reserved);
    basin_status (*decrypt)(void *ctx, uint64_t page, uint8_t *data, size_t size,
                            const uint8_t *reserved);
};

#endif
