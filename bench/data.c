// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The data that every engine is given: keys are indexes through a 64-bit bijection, so index order
 * is random key order; values carry index and version and are half compressible; zipf draws are
 * spread over the key space by a multiplication modulo the number of keys.
 *
 * Nothing depends on the engine or on time: the same seed gives the same bytes and the same order.
 * The zipf generator follows Gray et al., "Quickly generating billion-record synthetic databases";
 * the draws are made beforehand so that pow() is not part of what is measured.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define GOLDEN UINT64_C(0x9e3779b97f4a7c15)
#define SPREAD UINT64_C(2654435761)
#define ZIPF_EXPONENT 0.99

static uint64_t
mix64(uint64_t x)
{
    x ^= x >> 30;
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    x ^= x >> 27;
    x *= UINT64_C(0x94d049bb133111eb);
    x ^= x >> 31;
    return x;
}

uint64_t
chance_next(struct chance *c)
{
    c->state += GOLDEN;
    return mix64(c->state);
}

uint64_t
chance_below(struct chance *c, uint64_t n)
{
    __extension__ typedef unsigned __int128 wide;
    return (uint64_t)(((wide)chance_next(c) * n) >> 64);
}

static uint64_t
key_number(const struct world *w, uint64_t index)
{
    return mix64(index + w->seed * GOLDEN);
}

static void
put_big_endian(uint64_t x, uint8_t *to)
{
    x = __builtin_bswap64(x);
    memcpy(to, &x, sizeof x);
}

/* The 8 hex digits of a number, the highest first in memory: nibbles spread to bytes at once. */
static void
put_hex(uint32_t x, uint8_t *to)
{
    uint64_t n = x, letters;

    n = (n | n << 16) & UINT64_C(0x0000ffff0000ffff);
    n = (n | n << 8) & UINT64_C(0x00ff00ff00ff00ff);
    n = (n | n << 4) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    letters = ((n + UINT64_C(0x0606060606060606)) >> 4) & UINT64_C(0x0101010101010101);
    put_big_endian(n + UINT64_C(0x3030303030303030) + letters * ('a' - '0' - 10), to);
}

void
key_make(const struct world *w, uint64_t index, uint8_t to[KEY_SIZE])
{
    uint64_t x = key_number(w, index);

    if (w->binary_keys) {
        put_big_endian(x, to);
        put_big_endian(mix64(x), to + 8);
    } else {
        put_hex((uint32_t)(x >> 32), to);
        put_hex((uint32_t)x, to + 8);
    }
}

void
value_make(const struct world *w, uint64_t index, uint32_t version, uint8_t *to)
{
    uint64_t x = mix64(index * SPREAD + version);
    size_t half = w->value_size / 2;

    memcpy(to, &index, sizeof index);
    memcpy(to + 8, &version, sizeof version);
    for (size_t at = 12; at < half; at += 8) {
        uint64_t y;
        x += GOLDEN;
        y = x * UINT64_C(0xd6e8feb86659fd93);
        y ^= y >> 32;
        memcpy(to + at, &y, sizeof y);
    }
    if (half < 12)
        half = 12;
    memset(to + half, 'a' + (int)(index % 26), w->value_size - half);
}

struct numbered {
    uint64_t number;
    uint32_t index;
};

static int
by_number(const void *a, const void *b)
{
    uint64_t x = ((const struct numbered *)a)->number;
    uint64_t y = ((const struct numbered *)b)->number;

    return x < y ? -1 : x > y;
}

static void
order_keys(struct world *w)
{
    struct numbered *list = bench_alloc(w->count * sizeof *list);

    for (uint64_t i = 0; i < w->count; i++)
        list[i] = (struct numbered){ key_number(w, i), (uint32_t)i };
    qsort(list, w->count, sizeof *list, by_number);
    for (uint64_t i = 0; i < w->count; i++) {
        w->sorted[i] = list[i].index;
        w->rank[list[i].index] = (uint32_t)i;
    }
    free(list);
}

static void
draw_zipf(struct world *w)
{
    struct chance c = { w->seed ^ UINT64_C(0x21bf) };
    double n = (double)w->count, theta = ZIPF_EXPONENT, zeta = 0;
    double alpha = 1 / (1 - theta), eta;

    for (uint64_t i = 1; i <= w->count; i++)
        zeta += pow((double)i, -theta);
    eta = (1 - pow(2 / n, 1 - theta)) / (1 - (1 + pow(0.5, theta)) / zeta);
    for (size_t i = 0; i < ZIPF_DRAWS; i++) {
        double u = (double)(chance_next(&c) >> 11) * 0x1p-53, uz = u * zeta;
        uint64_t rank = 0;

        if (uz >= 1)
            rank = uz < 1 + pow(0.5, theta) ? 1 : (uint64_t)(n * pow(eta * u - eta + 1, alpha));
        if (rank >= w->count)
            rank = w->count - 1;
        w->zipf[i] = (uint32_t)(rank * SPREAD % w->count);
    }
}

void
world_init(struct world *w)
{
    if (w->count == 0 || w->count > UINT32_MAX / 2 || w->value_size > VALUE_SIZE_MAX ||
        w->value_size < 12)
        bench_fail("no world of %llu keys and values of %zu bytes", (unsigned long long)w->count,
                   w->value_size);
    w->sorted = bench_alloc_huge(w->count * sizeof *w->sorted);
    w->rank = bench_alloc_huge(w->count * sizeof *w->rank);
    w->zipf = bench_alloc_huge(ZIPF_DRAWS * sizeof *w->zipf);
    order_keys(w);
    draw_zipf(w);
}

void
world_release(struct world *w)
{
    free(w->sorted);
    free(w->rank);
    free(w->zipf);
    w->sorted = w->rank = w->zipf = NULL;
}
