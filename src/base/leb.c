// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * LEB128: seven bits a byte from the low end, the top bit says that another byte follows. Lengths
 * inside pages and records use it; keys do not, for its bytes do not sort like its numbers.
 *
 * One number has one form: a padded encoding and one of more than 64 bits are refused.
 */
#include "base/base.h"

size_t
leb_size(uint64_t v)
{
    unsigned bits = 64u - (unsigned)__builtin_clzll(v | 1);

    return (bits + 6) / 7;
}

size_t
leb_put(uint8_t *p, uint64_t v)
{
    size_t n = 0;

    while (v >= 0x80) {
        p[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    p[n++] = (uint8_t)v;
    return n;
}

size_t
leb_get(const uint8_t *p, size_t n, uint64_t *v)
{
    size_t max = MIN_OF(n, (size_t)LEB_MAX);
    uint64_t sum = 0;

    *v = 0;
    for (size_t i = 0; i < max; i++) {
        uint64_t low = p[i] & 0x7F;
        if (i == LEB_MAX - 1 && p[i] > 1)
            return 0; /* the tenth byte has room for one bit */
        sum |= low << (7 * i);
        if (p[i] < 0x80) {
            if (p[i] == 0 && i > 0)
                return 0; /* padded */
            *v = sum;
            return i + 1;
        }
    }
    return 0;
}
