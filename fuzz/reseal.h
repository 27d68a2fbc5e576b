// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Makes the checksums of a stratum or value stratum right, whatever its bytes are, so that the fuzz
 * targets reach the decoders behind them. Follows docs/format/stratum.md: block sizes from the
 * front as far as they make sense, then the footer.
 */
#ifndef FUZZ_RESEAL_H
#define FUZZ_RESEAL_H

#include "base/base.h"

enum { RESEAL_FOOTER = 256, RESEAL_HEAD = 12, RESEAL_SUM = 8 };

/* ids: the two words of the database id, then those of the object id. */
static inline void
reseal(uint8_t *data, size_t size, const uint64_t ids[4])
{
    uint64_t seed = hash64(ids, 32, 0);
    uint8_t *footer = data + size - RESEAL_FOOTER;
    size_t end = size - RESEAL_FOOTER, at = 0;

    must(size >= RESEAL_FOOTER);
    while (end - at >= RESEAL_HEAD + RESEAL_SUM) {
        size_t n = load_u32(data + at + 4);
        if (n < RESEAL_HEAD + RESEAL_SUM || n > end - at)
            break;
        store_u64(data + at + n - RESEAL_SUM,
                  hash64(data + at, n - RESEAL_SUM, seed + at * UINT64_C(0x9E3779B97F4A7C15)));
        at += n;
    }
    for (size_t i = 0; i < 4; i++)
        store_u64(footer + 176 + i * 8, ids[i]);
    store_u64(footer + 240, hash64(data, end + 240, seed));
    store_u64(footer + 248, hash64(footer, 248, 0));
}

#endif
