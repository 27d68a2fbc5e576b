// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Makes the checksums of a damaged stratum right again, so that damage gets past them and reaches
 * the decoders. Follows the stored sizes from the front as far as they make sense; used by the
 * tests of damage and by the fuzz targets.
 */
#ifndef TEST_STRATUM_RESEAL_H
#define TEST_STRATUM_RESEAL_H

#include "stratum/format.h"

/* ids: database and object, as the reader will be told. */
static inline void
reseal(uint8_t *data, size_t size, const uint64_t ids[4])
{
    struct block_form form;
    uint8_t *footer;
    size_t at = 0;

    if (size < FOOTER_SIZE)
        return;
    block_form_init(&form, &base_malloc, ids, ids + 2);
    while (size - FOOTER_SIZE - at >= BLOCK_HEAD_SIZE + BLOCK_SUM_SIZE) {
        size_t n = load_u32(data + at + 4);
        if (n < BLOCK_HEAD_SIZE + BLOCK_SUM_SIZE || n > size - FOOTER_SIZE - at)
            break;
        store_u64(data + at + n - BLOCK_SUM_SIZE,
                  hash64(data + at, n - BLOCK_SUM_SIZE,
                         form.seed + at * UINT64_C(0x9E3779B97F4A7C15)));
        at += n;
    }
    footer = data + size - FOOTER_SIZE;
    for (size_t i = 0; i < 4; i++)
        store_u64(footer + 176 + i * 8, ids[i]);
    store_u64(footer + FOOTER_OBJECT_HASH_AT,
              hash64(data, size - FOOTER_SIZE + FOOTER_OBJECT_HASH_AT, form.seed));
    store_u64(footer + FOOTER_HASH_AT, hash64(footer, FOOTER_HASH_AT, 0));
}

#endif
