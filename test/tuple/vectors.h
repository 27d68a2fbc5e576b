// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Every vector of the format: what the value is, and its bytes. The tests of elements encode and
 * decode them; the tests of decoders cut and damage them.
 */
#ifndef TEST_TUPLE_VECTORS_H
#define TEST_TUPLE_VECTORS_H

#include <math.h>

#include "model/hex.h"
#include "model/tvalue.h"

#define V_TEXT(s)                           \
    {                                       \
        (const uint8_t *)(s), sizeof(s) - 1 \
    }

static const struct varint_vector {
    uint64_t v;
    const char *hex;
} varint_vectors[] = {
    { 0, "00" },
    { 1, "01" },
    { 240, "F0" },
    { 241, "F1 01" },
    { 495, "F1 FF" },
    { 496, "F2 00" },
    { 2287, "F8 FF" },
    { 2288, "F9 00 00" },
    { 67823, "F9 FF FF" },
    { 67824, "FA 01 08 F0" },
    { 16777215, "FA FF FF FF" },
    { 16777216, "FB 01 00 00 00" },
    { UINT32_MAX, "FB FF FF FF FF" },
    { (uint64_t)1 << 32, "FC 01 00 00 00 00" },
    { ((uint64_t)1 << 40) - 1, "FC FF FF FF FF FF" },
    { (uint64_t)1 << 40, "FD 01 00 00 00 00 00" },
    { (uint64_t)1 << 48, "FE 01 00 00 00 00 00 00" },
    { (uint64_t)1 << 56, "FF 01 00 00 00 00 00 00 00" },
    { UINT64_MAX, "FF FF FF FF FF FF FF FF FF" },
};

static const struct text_vector {
    struct bytes text;
    const char *hex;
} text_vectors[] = {
    { { NULL, 0 }, "00 01" },
    { V_TEXT("\0"), "00 FF 00 01" },
    { V_TEXT("a"), "61 00 01" },
    { V_TEXT("a\0"), "61 00 FF 00 01" },
    { V_TEXT("a\0b"), "61 00 FF 62 00 01" },
    { V_TEXT("ab"), "61 62 00 01" },
    { V_TEXT("\xFF"), "FF 00 01" },
};

static const struct i64_vector {
    int64_t v;
    const char *hex;
} i64_vectors[] = {
    { INT64_MIN, "00 00 00 00 00 00 00 00" }, { -5, "7F FF FF FF FF FF FF FB" },
    { -1, "7F FF FF FF FF FF FF FF" },        { 0, "80 00 00 00 00 00 00 00" },
    { 4200, "80 00 00 00 00 00 10 68" },      { INT64_MAX, "FF FF FF FF FF FF FF FF" },
};

static const struct f64_vector {
    double v;
    const char *hex;
} f64_vectors[] = {
    { (double)NAN, "00 07 FF FF FF FF FF FF" },
    { (double)-INFINITY, "00 0F FF FF FF FF FF FF" },
    { -1.5, "40 07 FF FF FF FF FF FF" },
    { 0.0, "80 00 00 00 00 00 00 00" },
    { 5e-324, "80 00 00 00 00 00 00 01" },
    { 1e-300, "81 A5 6E 1F C2 F8 F3 59" },
    { 1.0, "BF F0 00 00 00 00 00 00" },
    { 42.2, "C0 45 19 99 99 99 99 9A" },
    { (double)INFINITY, "FF F0 00 00 00 00 00 00" },
};

/* In ascending order. The number in each type that has it. */
static const struct bnum_vector {
    bool has_i, has_u, has_d;
    int64_t i;
    uint64_t u;
    double d;
    const char *hex;
} bnum_vectors[] = {
    { false, false, true, 0, 0, (double)NAN, "01" },
    { false, false, true, 0, 0, (double)-INFINITY, "02" },
    { true, false, true, INT64_MIN, 0, -9223372036854775808.0, "03 BF C0 FF" },
    { true, false, false, -9007199254740993, 0, 0, "03 BF CA FE FE FE FE FE FE FE EF" },
    { true, false, true, -25, 0, -25.0, "03 BF FB 6F" },
    { false, false, true, 0, 0, -1.5, "03 BF FF 7F" },
    { true, false, true, -1, 0, -1.0, "03 BF FF FF" },
    { false, false, true, 0, 0, -0.5, "03 C0 00 FF" },
    { false, false, true, 0, 0, -5e-324, "03 C4 31 FF" },
    { true, true, true, 0, 0, -0.0, "04" },
    { true, true, true, 0, 0, 0.0, "04" },
    { false, false, true, 0, 0, 5e-324, "05 3B CE 00" },
    { false, false, true, 0, 0, 0.1, "05 3F FC 99 CD 67 33 99 CD 67 40" },
    { false, false, true, 0, 0, 0.5, "05 3F FF 00" },
    { true, true, true, 1, 1, 1.0, "05 40 00 00" },
    { false, false, true, 0, 0, 1.5, "05 40 00 80" },
    { true, true, true, 2, 2, 2.0, "05 40 01 00" },
    { true, true, true, 3, 3, 3.0, "05 40 01 80" },
    { true, true, true, 10, 10, 10.0, "05 40 03 40" },
    { true, true, true, 25, 25, 25.0, "05 40 04 90" },
    { false, false, true, 0, 0, 42.2, "05 40 05 51 CD 67 33 99 CD 67 40" },
    { true, true, true, 255, 255, 255.0, "05 40 07 FE" },
    { true, true, true, 256, 256, 256.0, "05 40 08 00" },
    { true, true, true, 4200, 4200, 4200.0, "05 40 0C 07 40" },
    { true, true, true, (int64_t)1 << 53, (uint64_t)1 << 53, 9007199254740992.0, "05 40 35 00" },
    { true, true, false, 9007199254740993, 9007199254740993, 0,
      "05 40 35 01 01 01 01 01 01 01 10" },
    { true, true, false, INT64_MAX, INT64_MAX, 0, "05 40 3E FF FF FF FF FF FF FF FF FC" },
    { false, true, false, 0, UINT64_MAX, 0, "05 40 3F FF FF FF FF FF FF FF FF FE" },
    { false, false, true, 0, 0, 1.7976931348623157e308, "05 43 FF FF FF FF FF FF FF FF E0" },
    { false, false, true, 0, 0, (double)INFINITY, "06" },
};

#define V_INT(n)                                                         \
    {                                                                    \
        .tag = TUPLE_NUMBER, .number = {.kind = TUPLE_INT, .as.i = (n) } \
    }
#define V_DOUBLE(n)                                                         \
    {                                                                       \
        .tag = TUPLE_NUMBER, .number = {.kind = TUPLE_DOUBLE, .as.d = (n) } \
    }
#define V_STRING(s)                            \
    {                                          \
        .tag = TUPLE_STRING, .text = V_TEXT(s) \
    }
#define V_ITEMS(...)                                 \
    .items = (const struct tvalue[]){ __VA_ARGS__ }, \
    .count = COUNT_OF(((const struct tvalue[]){ __VA_ARGS__ }))
#define V_ARRAY(...)                             \
    {                                            \
        .tag = TUPLE_ARRAY, V_ITEMS(__VA_ARGS__) \
    }
#define V_KEYS(...)                \
    .keys = (const struct bytes[]) \
    {                              \
        __VA_ARGS__                \
    }
#define V_A V_TEXT("a")
#define V_B V_TEXT("b")

static const struct value_vector {
    struct tvalue v;
    const char *hex;
} value_vectors[] = {
    { { .tag = TUPLE_NULL }, "05" },
    { { .tag = TUPLE_BOOL, .yes = false }, "28 00" },
    { { .tag = TUPLE_BOOL, .yes = true }, "28 01" },
    { V_INT(0), "0A 04" },
    { V_INT(25), "0A 05 40 04 90" },
    { V_DOUBLE(25.0), "0A 05 40 04 90" },
    { V_INT(-1), "0A 03 BF FF FF" },
    { V_STRING(""), "0F 00 01" },
    { V_STRING("a"), "0F 61 00 01" },
    { V_STRING("a\0"), "0F 61 00 FF 00 01" },
    { { .tag = TUPLE_DOCUMENT }, "14 00" },
    { { .tag = TUPLE_DOCUMENT, V_KEYS(V_A), V_ITEMS(V_INT(1)) },
      "14 01 61 00 01 0A 05 40 00 00 00" },
    { { .tag = TUPLE_DOCUMENT, V_KEYS(V_A, V_B), V_ITEMS(V_INT(1), V_INT(1)) },
      "14 01 61 00 01 0A 05 40 00 00 01 62 00 01 0A 05 40 00 00 00" },
    { { .tag = TUPLE_DOCUMENT, V_KEYS(V_A), V_ITEMS(V_INT(2)) },
      "14 01 61 00 01 0A 05 40 01 00 00" },
    { { .tag = TUPLE_ARRAY }, "19 00" },
    { V_ARRAY(V_INT(1), V_INT(2)), "19 0A 05 40 00 00 0A 05 40 01 00 00" },
    { V_ARRAY(V_INT(1), V_INT(2), V_INT(0)), "19 0A 05 40 00 00 0A 05 40 01 00 0A 04 00" },
    { V_ARRAY(V_INT(1), V_INT(3)), "19 0A 05 40 00 00 0A 05 40 01 80 00" },
    { { .tag = TUPLE_BINARY, .text = V_TEXT("\x01\x02") }, "1E 00 00 00 00 02 01 02" },
    { { .tag = TUPLE_DATETIME, .time = 0 }, "2D 80 00 00 00 00 00 00 00" },
    { { .tag = TUPLE_DATETIME, .time = -1 }, "2D 7F FF FF FF FF FF FF FF" },
    { { .tag = TUPLE_REGEX, .text = V_TEXT("ab"), .text2 = V_TEXT("i") },
      "32 61 62 00 01 69 00 01" },
    /* the rest of the table of tags, and a value inside a value */
    { { .tag = TUPLE_MIN_KEY }, "01" },
    { { .tag = TUPLE_ABSENT }, "02" },
    { { .tag = TUPLE_OBJECT_ID, .text = V_TEXT("abcdefghijkl") },
      "23 61 62 63 64 65 66 67 68 69 6A 6B 6C" },
    { { .tag = TUPLE_UUID, .text = V_TEXT("abcdefghijklmnop") },
      "24 61 62 63 64 65 66 67 68 69 6A 6B 6C 6D 6E 6F 70" },
    { { .tag = TUPLE_TIMESTAMP, .time = 258 }, "2F 00 00 00 00 00 00 01 02" },
    { { .tag = TUPLE_CODE, .text = V_A }, "3C 61 00 01" },
    { { .tag = TUPLE_CODE_SCOPE, .text = V_A, V_KEYS(V_B), V_ITEMS(V_INT(0)) },
      "41 61 00 01 14 01 62 00 01 0A 04 00" },
    { V_ARRAY({ .tag = TUPLE_MIN_KEY }, V_ARRAY(V_STRING("a")), { .tag = TUPLE_DOCUMENT }),
      "19 01 19 0F 61 00 01 00 14 00 00" },
    { { .tag = TUPLE_MAX_KEY }, "7F" },
};

#endif
