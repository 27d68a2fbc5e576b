// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Secrecy of one block: XChaCha20-Poly1305 with a counted nonce under a subkey of its own, and
 * Argon2id for passphrases, all from libsodium. Nonce: the 64-bit number, little-endian, in the
 * first 8 of 24 bytes, the rest zero; it is unique because every object has its own subkey.
 * It never draws random bytes: salts come from the caller.
 */
#include <sodium.h>

#include "codec/codec.h"

static_assert(CODEC_KEY_SIZE == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "key size");
static_assert(CODEC_TAG_SIZE == crypto_aead_xchacha20poly1305_ietf_ABYTES, "tag size");

enum { CONTEXT_SIZE = 8, NONCE_SIZE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES };

void
codec_subkey(const struct codec_key *data_key, const uint8_t salt[CODEC_SALT_SIZE],
             const char context[CONTEXT_SIZE], struct codec_key *out)
{
    uint8_t in[CODEC_SALT_SIZE + CONTEXT_SIZE];

    must(sodium_init() >= 0);
    memcpy(in, salt, CODEC_SALT_SIZE);
    memcpy(in + CODEC_SALT_SIZE, context, CONTEXT_SIZE);
    must(crypto_generichash(out->bytes, sizeof(out->bytes), in, sizeof(in), data_key->bytes,
                            sizeof(data_key->bytes)) == 0);
}

void
codec_seal(const struct codec_key *key, uint64_t nonce, struct bytes ad, struct bytes in,
           uint8_t *out)
{
    uint8_t number[NONCE_SIZE] = { 0 };
    unsigned long long size;

    store_u64(number, nonce);
    must(crypto_aead_xchacha20poly1305_ietf_encrypt(out, &size, in.data, in.size, ad.data, ad.size,
                                                    NULL, number, key->bytes) == 0);
}

basin_status
codec_unseal(const struct codec_key *key, uint64_t nonce, struct bytes ad, struct bytes in,
             uint8_t *out, basin_error *err)
{
    uint8_t number[NONCE_SIZE] = { 0 };
    unsigned long long size;

    store_u64(number, nonce);
    if (in.size < CODEC_TAG_SIZE)
        return error_set(err, BASIN_CORRUPT, "sealed block of %zu bytes is shorter than its tag",
                         in.size);
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(out, &size, NULL, in.data, in.size, ad.data,
                                                   ad.size, number, key->bytes) != 0)
        return error_set(err, BASIN_CORRUPT, "sealed block %llu of %zu bytes was changed",
                         (unsigned long long)nonce, in.size);
    return BASIN_OK;
}

basin_status
codec_stretch(struct bytes passphrase, const uint8_t salt[CODEC_SALT_SIZE], struct codec_cost cost,
              struct codec_key *out, basin_error *err)
{
    uint8_t short_salt[crypto_pwhash_SALTBYTES];

    memset(out, 0, sizeof(*out));
    if (cost.passes < 1 || cost.passes > CODEC_PASSES_MAX || cost.memory_kib < 8 ||
        cost.memory_kib > CODEC_MEMORY_KIB_MAX)
        return error_set(err, BASIN_LIMIT,
                         "key cost: %u passes over %u KiB is outside 1..%d over 8..%d", cost.passes,
                         cost.memory_kib, CODEC_PASSES_MAX, CODEC_MEMORY_KIB_MAX);
    must(sodium_init() >= 0);
    must(crypto_generichash(short_salt, sizeof(short_salt), salt, CODEC_SALT_SIZE, NULL, 0) == 0);
    if (crypto_pwhash(out->bytes, sizeof(out->bytes), (const char *)passphrase.data,
                      passphrase.size, short_salt, cost.passes, (size_t)cost.memory_kib * KIB,
                      crypto_pwhash_ALG_ARGON2ID13) != 0)
        return error_set(err, BASIN_NO_MEM, "key cost: no memory for %u KiB", cost.memory_kib);
    return BASIN_OK;
}

void
codec_wipe(void *p, size_t n)
{
    sodium_memzero(p, n);
}
