// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Codecs: what was compressed expands to itself, damaged blocks are refused within bounds, memory
 * comes from the allocator; sealed blocks open only as they were sealed; stretched keys repeat.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <sodium.h>

#include "codec/codec.h"
#include "model/chance.h"
#include "model/memory.h"

/* ------------------------------------------------------------------ compression */

static void
fill(struct chance *c, uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] =
            i > 20 && chance_below(c, 8) ? p[i - 7 - chance_below(c, 12)] : (uint8_t)chance_u64(c);
}

static void
round_trips(void **state)
{
    static const size_t sizes[] = { 1, 2, 10, 100, 4096, 65536, 1 << 20 };
    struct chance c = chance_init("codec round trips", 0xC0DEC);
    struct codec *codec;
    size_t shrunk = 0;

    (void)state;
    assert_int_equal(codec_new(&base_malloc, &codec, NULL), BASIN_OK);
    for (int id = CODEC_LZ4; id < CODEC_COUNT; id++) {
        for (size_t i = 0; i < COUNT_OF(sizes); i++) {
            size_t n = sizes[i], bound = codec_bound((enum codec_id)id, n), packed;
            uint8_t *in = malloc(n), *out = malloc(bound), *back = malloc(n);
            assert_true(in && out && back && bound >= n);
            fill(&c, in, n);
            packed = codec_compress(codec, (enum codec_id)id, 3, bytes_of(in, n), out, bound);
            assert_true(packed < n);
            if (packed) {
                uint8_t *exact = malloc(packed);
                assert_non_null(exact);
                memcpy(exact, out, packed);
                shrunk++;
                assert_int_equal(codec_expand(codec, (enum codec_id)id, bytes_of(exact, packed),
                                              back, n, NULL),
                                 BASIN_OK);
                assert_memory_equal(in, back, n);
                free(exact);
            }
            free(in);
            free(out);
            free(back);
        }
    }
    assert_true(shrunk >= 6);
    codec_free(codec);
}

static void
what_does_not_shrink_is_left_alone(void **state)
{
    struct chance c = chance_of(5);
    uint8_t in[1000], out[2000];
    struct codec *codec;

    (void)state;
    chance_bytes(&c, in, sizeof(in));
    assert_int_equal(codec_new(&base_malloc, &codec, NULL), BASIN_OK);
    for (int id = CODEC_NONE; id < CODEC_COUNT; id++) {
        assert_int_equal(codec_compress(codec, (enum codec_id)id, 3, bytes_of(in, sizeof(in)), out,
                                        sizeof(out)),
                         0);
        assert_int_equal(codec_compress(codec, (enum codec_id)id, 3, BYTES_NULL, out, sizeof(out)),
                         0);
    }
    memset(in, 'a', sizeof(in));
    for (int id = CODEC_LZ4; id < CODEC_COUNT; id++) /* no room */
        assert_int_equal(codec_compress(codec, (enum codec_id)id, 3, bytes_of(in, sizeof(in)), out,
                                        4),
                         0);
    codec_free(codec);
}

/* Every cut and every flipped bit: the size asked for and right, or CORRUPT; never past a bound. */
static void
damaged_blocks_stay_in_bounds(void **state)
{
    struct chance c = chance_of(6);
    uint8_t in[600], out[2000];
    struct codec *codec;

    (void)state;
    fill(&c, in, sizeof(in));
    memset(in, 'x', 200);
    assert_int_equal(codec_new(&base_malloc, &codec, NULL), BASIN_OK);
    for (int id = CODEC_NONE; id < CODEC_COUNT; id++) {
        size_t n =
            codec_compress(codec, (enum codec_id)id, 3, bytes_of(in, sizeof(in)), out, sizeof(out));
        if (id == CODEC_NONE) {
            memcpy(out, in, sizeof(in));
            n = sizeof(in);
        }
        assert_true(n > 0);
        for (size_t i = 0; i < n * 8; i++) {
            uint8_t *damaged = malloc(n), *back = malloc(sizeof(in));
            size_t cut = i % 8 ? n : i / 8;
            basin_error err = { 0 };
            basin_status st;
            assert_true(damaged && back);
            memcpy(damaged, out, n);
            if (i % 8)
                damaged[i / 8] ^= (uint8_t)(1u << i % 8);
            st = codec_expand(codec, (enum codec_id)id, bytes_of(damaged, cut), back, sizeof(in),
                              &err);
            assert_true(st == BASIN_CORRUPT || (st == BASIN_OK && cut == n));
            assert_true(st == BASIN_OK || err.what[0]);
            free(damaged);
            free(back);
        }
        assert_int_equal(codec_expand(codec, (enum codec_id)id, bytes_of(out, n), in,
                                      sizeof(in) - 1, NULL),
                         BASIN_CORRUPT);
    }
    assert_int_equal(codec_expand(codec, CODEC_COUNT, bytes_of(out, 5), in, 5, NULL),
                     BASIN_CORRUPT);
    codec_free(codec);
}

static void
memory_comes_from_the_allocator(void **state)
{
    static uint8_t in[5000], out[6000], back[5000];
    struct test_memory m;

    (void)state;
    test_memory_init(&m);
    for (size_t n = 1, more = 1; more; n++) {
        struct codec *codec;
        basin_status st;
        test_memory_refuse(&m, n);
        st = codec_new(&m.table, &codec, NULL);
        for (int id = CODEC_LZ4; id < CODEC_COUNT && st == BASIN_OK; id++) {
            size_t k = codec_compress(codec, (enum codec_id)id, 3, bytes_of(in, sizeof(in)), out,
                                      sizeof(out));
            if (k)
                st = codec_expand(codec, (enum codec_id)id, bytes_of(out, k), back, sizeof(back),
                                  NULL);
        }
        more = test_memory_refused(&m);
        assert_true(st == BASIN_OK || (more && st == BASIN_NO_MEM));
        if (!more)
            assert_true(m.live > 16 * KIB); /* the states of lz4 and zstd were counted */
        codec_free(codec);
        assert_int_equal(m.live, 0);
    }
    codec_free(NULL);
}

/* ------------------------------------------------------------------ secrecy */

static const uint8_t salt[CODEC_SALT_SIZE] = { 9, 8, 7 };
static const struct codec_key data_key = { { 1, 2, 3, 4 } };

static void
subkeys_differ_by_key_salt_and_context(void **state)
{
    struct codec_key a, b, other = { { 1, 2, 3, 5 } };
    uint8_t salt_b[CODEC_SALT_SIZE] = { 9, 8, 6 };

    (void)state;
    codec_subkey(&data_key, salt, "BSNSTRAT", &a);
    codec_subkey(&data_key, salt, "BSNSTRAT", &b);
    assert_memory_equal(a.bytes, b.bytes, sizeof(a.bytes));
    codec_subkey(&data_key, salt, "BSNVALUE", &b);
    assert_memory_not_equal(a.bytes, b.bytes, sizeof(a.bytes));
    codec_subkey(&data_key, salt_b, "BSNSTRAT", &b);
    assert_memory_not_equal(a.bytes, b.bytes, sizeof(a.bytes));
    codec_subkey(&other, salt, "BSNSTRAT", &b);
    assert_memory_not_equal(a.bytes, b.bytes, sizeof(a.bytes));
}

/* What docs/format/stratum.md says: XChaCha20-Poly1305, the number in the nonce's first 8 bytes. */
static void
seals_are_what_the_format_says(void **state)
{
    uint8_t nonce[24] = { 0xF0, 0xDE, 0xBC, 0x9A, 0x78, 0x56, 0x34, 0x12 };
    uint8_t ours[5 + CODEC_TAG_SIZE], theirs[5 + CODEC_TAG_SIZE], keyed[32], in[32];
    struct codec_key key;
    unsigned long long n;

    (void)state;
    codec_subkey(&data_key, salt, "BSNSTRAT", &key);
    memcpy(in, salt, 24);
    memcpy(in + 24, "BSNSTRAT", 8);
    crypto_generichash(keyed, 32, in, 32, data_key.bytes, 32);
    assert_memory_equal(keyed, key.bytes, 32);
    codec_seal(&key, UINT64_C(0x123456789ABCDEF0), BYTES_LIT("where"), BYTES_LIT("hello"), ours);
    crypto_aead_xchacha20poly1305_ietf_encrypt(theirs, &n, (const uint8_t *)"hello", 5,
                                               (const uint8_t *)"where", 5, NULL, nonce, key.bytes);
    assert_memory_equal(ours, theirs, sizeof(ours));
}

static void
seals_open_only_as_they_were_made(void **state)
{
    uint8_t block[100 + CODEC_TAG_SIZE], back[100], in[100];
    struct bytes ad = BYTES_LIT("where");
    struct codec_key other = { { 3 } };

    (void)state;
    memset(in, 'i', sizeof(in));
    codec_seal(&data_key, 7, ad, bytes_of(in, sizeof(in)), block);
    assert_int_equal(codec_unseal(&data_key, 7, ad, bytes_of(block, sizeof(block)), back, NULL),
                     BASIN_OK);
    assert_memory_equal(back, in, sizeof(in));
    for (size_t i = 0; i < sizeof(block) * 8; i++) {
        block[i / 8] ^= (uint8_t)(1u << i % 8);
        assert_int_equal(codec_unseal(&data_key, 7, ad, bytes_of(block, sizeof(block)), back, NULL),
                         BASIN_CORRUPT);
        block[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    assert_int_equal(codec_unseal(&data_key, 8, ad, bytes_of(block, sizeof(block)), back, NULL),
                     BASIN_CORRUPT);
    assert_int_equal(codec_unseal(&data_key, 7, BYTES_LIT("there"), bytes_of(block, sizeof(block)),
                                  back, NULL),
                     BASIN_CORRUPT);
    assert_int_equal(codec_unseal(&other, 7, ad, bytes_of(block, sizeof(block)), back, NULL),
                     BASIN_CORRUPT);
    for (size_t n = 0; n < sizeof(block); n++)
        assert_int_equal(codec_unseal(&data_key, 7, ad, bytes_of(block, n), back, NULL),
                         BASIN_CORRUPT);
    memcpy(block, in, sizeof(in)); /* in place, both ways */
    codec_seal(&data_key, 7, ad, bytes_of(block, sizeof(in)), block);
    assert_int_equal(codec_unseal(&data_key, 7, ad, bytes_of(block, sizeof(block)), block, NULL),
                     BASIN_OK);
    assert_memory_equal(block, in, sizeof(in));
}

static void
stretching_is_bounded_and_repeats(void **state)
{
    static const struct codec_cost bad[] = {
        { 0, 64 }, { CODEC_PASSES_MAX + 1, 64 }, { 1, 7 }, { 1, CODEC_MEMORY_KIB_MAX + 1 }
    };
    struct codec_cost cost = { 2, 64 };
    struct codec_key a, b;
    uint8_t zeros[CODEC_KEY_SIZE] = { 0 };
    basin_error err = { 0 };

    (void)state;
    assert_int_equal(codec_stretch(BYTES_LIT("secret"), salt, cost, &a, &err), BASIN_OK);
    assert_int_equal(codec_stretch(BYTES_LIT("secret"), salt, cost, &b, &err), BASIN_OK);
    assert_memory_equal(a.bytes, b.bytes, sizeof(a.bytes));
    assert_int_equal(codec_stretch(BYTES_LIT("secreT"), salt, cost, &b, &err), BASIN_OK);
    assert_memory_not_equal(a.bytes, b.bytes, sizeof(a.bytes));
    cost.passes = 3;
    assert_int_equal(codec_stretch(BYTES_LIT("secret"), salt, cost, &b, &err), BASIN_OK);
    assert_memory_not_equal(a.bytes, b.bytes, sizeof(a.bytes));
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_int_equal(codec_stretch(BYTES_LIT("x"), salt, bad[i], &b, &err), BASIN_LIMIT);
        assert_memory_equal(b.bytes, zeros, sizeof(zeros));
    }
    codec_wipe(&a, sizeof(a));
    assert_memory_equal(a.bytes, zeros, sizeof(zeros));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips),
        cmocka_unit_test(what_does_not_shrink_is_left_alone),
        cmocka_unit_test(damaged_blocks_stay_in_bounds),
        cmocka_unit_test(memory_comes_from_the_allocator),
        cmocka_unit_test(subkeys_differ_by_key_salt_and_context),
        cmocka_unit_test(seals_are_what_the_format_says),
        cmocka_unit_test(seals_open_only_as_they_were_made),
        cmocka_unit_test(stretching_is_bounded_and_repeats),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
