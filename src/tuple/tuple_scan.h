// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Private to the room tuple: finding the end of an element while checking that it is one that a
 * writer would have written (C12, C13), on ascending and inverted bytes alike. Nothing is copied or
 * allocated; the readers of the door decode what a scan has found sound.
 */
#ifndef TUPLE_SCAN_H
#define TUPLE_SCAN_H

#include "tuple/tuple.h"

/* Why a scan stopped. SHORT: the input ended inside the element (it may be a cut one). */
enum scan_result { SCAN_OK, SCAN_SHORT, SCAN_BAD };

struct scan {
    const uint8_t *data;
    size_t size;
    size_t at;        /* after SHORT or BAD: the offending byte */
    uint8_t mask;     /* 0x00 ascending, 0xFF inverted */
    const char *what; /* after SHORT or BAD: what is wrong, static */
};

static inline enum scan_result
tuple__scan_stop(struct scan *s, enum scan_result result, const char *what)
{
    s->what = what;
    return result;
}

/* The byte at `at`, which the caller has checked to exist. */
static inline uint8_t
tuple__scan_byte(const struct scan *s)
{
    return (uint8_t)(s->data[s->at] ^ s->mask);
}

enum scan_result tuple__scan_str(struct scan *s);
enum scan_result tuple__scan_bnum(struct scan *s);
/* Moves over n bytes of any content. */
enum scan_result tuple__scan_raw(struct scan *s, size_t n, const char *what);

/* Opens a scan over what r has left, ascending. */
struct scan tuple__scan_of(const struct rd *r);
/* Moves r to where the scan stands; CORRUPT with its position unless result is OK. */
basin_status
tuple__scan_done(struct rd *r, const struct scan *s, enum scan_result result, basin_error *err);
/* Marks r as failed at its place. */
basin_status tuple__corrupt(struct rd *r, basin_error *err, const char *what);

#endif
