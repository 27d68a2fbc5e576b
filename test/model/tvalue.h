// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The oracle of tuple values: a tree in memory, an order that knows nothing of bytes, exact
 * comparison of numbers by wide integers, random trees, and the writer that goes through the door
 * of the room tuple. Trees are a few levels deep, so these functions may call themselves.
 */
#ifndef TEST_MODEL_TVALUE_H
#define TEST_MODEL_TVALUE_H

#include "chance.h"
#include "tuple/tuple.h"

struct tvalue {
    enum tuple_tag tag;
    struct tuple_number number;
    bool yes;
    int64_t time;
    uint8_t subtype;
    struct bytes text;          /* string, binary, ids, code, pattern */
    struct bytes text2;         /* regex: options */
    const struct bytes *keys;   /* document; scope of code */
    const struct tvalue *items; /* document, array, scope */
    size_t count;
};

#define NUMBER_INT(n) ((struct tuple_number){ .kind = TUPLE_INT, .as.i = (n) })
#define NUMBER_UINT(n) ((struct tuple_number){ .kind = TUPLE_UINT, .as.u = (n) })
#define NUMBER_DOUBLE(n) ((struct tuple_number){ .kind = TUPLE_DOUBLE, .as.d = (n) })

/* As exact rationals; NaN below everything and equal to itself. */
int number_oracle(struct tuple_number a, struct tuple_number b);
/* codec.md section 3. */
int tvalue_oracle(const struct tvalue *a, const struct tvalue *b);
/* Tag and payload. */
basin_status tvalue_put(struct buf *to, const struct tvalue *v);
/* A number of any kind and exponent; often near another one. */
struct tuple_number number_random(struct chance *c);
/* A tree of at most depth levels; memory comes from the arena. */
struct tvalue tvalue_random(struct chance *c, struct arena *a, unsigned depth);

#endif
