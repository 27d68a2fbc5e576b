// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * CC12, C12, C13: every decoder on every vector cut at every byte, on forms that no writer makes,
 * and on random bytes. What a decoder accepts must be what a writer writes: the value is written
 * again and compared. Inputs end where their memory ends, so that a sanitizer sees a read too far.
 */
#include "vectors.h"

#include <stdlib.h>

#include <setjmp.h>

#include <cmocka.h>

enum { INPUT_MAX = 96 };

static struct buf text, out;
static uint8_t *room; /* INPUT_MAX bytes */

static int
setup(void **state)
{
    (void)state;
    buf_init(&text, &base_malloc);
    buf_init(&out, &base_malloc);
    room = malloc(INPUT_MAX);
    return room ? 0 : -1;
}

static int
teardown(void **state)
{
    (void)state;
    buf_release(&text);
    buf_release(&out);
    free(room);
    return 0;
}

/* Each reads one element and writes it into out again. */
static basin_status
again_str(struct rd *r, basin_error *err)
{
    basin_status st = tuple_get_str(r, &text, err);

    return st == BASIN_OK ? tuple_put_str(&out, buf_bytes(&text)) : st;
}

static basin_status
again_varint(struct rd *r, basin_error *err)
{
    uint64_t v;
    basin_status st = tuple_get_varint(r, &v, err);

    return st == BASIN_OK ? tuple_put_varint(&out, v) : st;
}

static basin_status
again_i64(struct rd *r, basin_error *err)
{
    int64_t v;
    basin_status st = tuple_get_i64(r, &v, err);

    return st == BASIN_OK ? tuple_put_i64(&out, v) : st;
}

static basin_status
again_u128(struct rd *r, basin_error *err)
{
    uint64_t high, low;
    basin_status st = tuple_get_u128(r, &high, &low, err);

    return st == BASIN_OK ? tuple_put_u128(&out, high, low) : st;
}

static basin_status
again_f64(struct rd *r, basin_error *err)
{
    double v;
    basin_status st = tuple_get_f64(r, &v, err);

    return st == BASIN_OK ? tuple_put_f64(&out, v) : st;
}

static basin_status
again_bnum(struct rd *r, basin_error *err)
{
    struct tuple_number v;
    basin_status st = tuple_get_bnum(r, &v, err);

    return st == BASIN_OK ? tuple_put_bnum(&out, v) : st;
}

static basin_status
again_number_of_time(struct rd *r, enum tuple_tag tag)
{
    uint64_t v;

    if (tag == TUPLE_DATETIME)
        return again_i64(r, NULL);
    assert_int_equal(tuple_get_u64(r, &v, NULL), BASIN_OK);
    return tuple_put_u64(&out, v);
}

static basin_status
again_binary(struct rd *r)
{
    struct bytes data;
    uint8_t subtype;

    assert_int_equal(tuple_get_binary(r, &subtype, &data, NULL), BASIN_OK);
    return tuple_put_binary(&out, subtype, data);
}

/* The payload of a scalar: the get of its type cannot fail on it. */
static void
again_payload(const struct tuple_step *step)
{
    struct rd r = rd_over(step->payload.data, step->payload.size);
    basin_status st = BASIN_OK;
    bool yes;

    text.size = 0;
    switch (step->tag) {
    case TUPLE_NUMBER:
        st = again_bnum(&r, NULL);
        break;
    case TUPLE_REGEX:
        assert_int_equal(again_str(&r, NULL), BASIN_OK);
        text.size = 0;
        st = again_str(&r, NULL);
        break;
    case TUPLE_STRING:
    case TUPLE_CODE:
    case TUPLE_CODE_SCOPE:
        st = again_str(&r, NULL);
        break;
    case TUPLE_BINARY:
        st = again_binary(&r);
        break;
    case TUPLE_BOOL:
        assert_int_equal(tuple_get_bool(&r, &yes, NULL), BASIN_OK);
        st = tuple_put_bool(&out, yes);
        break;
    case TUPLE_DATETIME:
    case TUPLE_TIMESTAMP:
        st = again_number_of_time(&r, step->tag);
        break;
    default:
        st = buf_add(&out, r.data, r.size);
        r.at = r.size;
        break;
    }
    assert_int_equal(st, BASIN_OK);
    assert_true(rd_done(&r));
}

static basin_status
again_bool(struct rd *r, basin_error *err)
{
    bool yes;
    basin_status st = tuple_get_bool(r, &yes, err);

    return st == BASIN_OK ? tuple_put_bool(&out, yes) : st;
}

static basin_status
again_data(struct rd *r, basin_error *err)
{
    struct bytes data;
    uint8_t subtype;
    basin_status st = tuple_get_binary(r, &subtype, &data, err);

    return st == BASIN_OK ? tuple_put_binary(&out, subtype, data) : st;
}

static basin_status
again_value(struct rd *r, basin_error *err)
{
    struct rd copy = *r;
    struct tuple_walk w;
    struct tuple_step step;
    basin_status st, skipped = tuple_skip_value(r, err);

    tuple_walk_init(&w, bytes_of(copy.data, copy.size), copy.at, false);
    while ((st = tuple_walk_next(&w, &step, NULL)) == BASIN_OK) {
        bool key = step.kind == TUPLE_STEP_KEY, close = step.kind == TUPLE_STEP_CLOSE;
        uint8_t tag = (uint8_t)(key ? TUPLE_PAIR : close ? TUPLE_END : step.tag);
        assert_int_equal(tuple_put_u8(&out, tag), BASIN_OK);
        if (step.kind != TUPLE_STEP_OPEN && !close)
            again_payload(&step);
    }
    assert_int_equal(st, skipped == BASIN_OK ? BASIN_END : BASIN_CORRUPT);
    assert_int_equal(w.at, r->at);
    return skipped;
}

static basin_status
again_column(struct rd *r, basin_error *err)
{
    size_t from = r->at;
    bool cut;
    basin_status st = tuple_skip_column(r, true, &cut, err);

    if (st != BASIN_OK)
        return st;
    assert_false(cut);
    return buf_add(&out, r->data + from, r->at - from);
}

typedef basin_status again_fn(struct rd *r, basin_error *err);
static again_fn *const decoders[] = { again_str,   again_varint, again_i64,  again_u128,
                                      again_f64,   again_bnum,   again_bool, again_data,
                                      again_value, again_column };

/* The bytes at the end of the room. True when the decoder takes them; then they are canonical. */
static bool
decode(again_fn *fn, struct bytes in)
{
    uint8_t *p = room + INPUT_MAX - in.size;
    struct rd r = rd_over(p, in.size);
    basin_error err = { 0 };
    basin_status st;

    must(in.size <= INPUT_MAX);
    if (in.size > 0)
        memcpy(p, in.data, in.size);
    text.size = out.size = 0;
    st = fn(&r, &err);
    assert_true(r.at <= in.size);
    if (st == BASIN_OK) {
        assert_true(rd_ok(&r) && bytes_equal(buf_bytes(&out), bytes_of(p, r.at)));
        return true;
    }
    assert_int_equal(st, BASIN_CORRUPT);
    assert_int_equal(err.status, BASIN_CORRUPT);
    assert_non_null(strstr(err.what, "byte "));
    assert_true(!rd_ok(&r) && (text.size == 0 || fn == again_value));
    return false;
}

/* Whole it is taken, cut anywhere it is refused, at the cut or before. */
static void
cut_everywhere(again_fn *fn, const char *hex)
{
    struct buf in;

    buf_init(&in, &base_malloc);
    assert_true(hex_read(hex, strlen(hex), &in));
    assert_true(decode(fn, buf_bytes(&in)));
    for (size_t n = 0; n < in.size; n++)
        assert_false(decode(fn, bytes_of(in.data, n)));
    buf_release(&in);
}

static void
cc12_vectors_cut_at_every_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(varint_vectors); i++)
        cut_everywhere(again_varint, varint_vectors[i].hex);
    for (size_t i = 0; i < COUNT_OF(text_vectors); i++)
        cut_everywhere(again_str, text_vectors[i].hex);
    for (size_t i = 0; i < COUNT_OF(i64_vectors); i++)
        cut_everywhere(again_i64, i64_vectors[i].hex);
    for (size_t i = 0; i < COUNT_OF(f64_vectors); i++)
        cut_everywhere(again_f64, f64_vectors[i].hex);
    for (size_t i = 0; i < COUNT_OF(bnum_vectors); i++)
        cut_everywhere(again_bnum, bnum_vectors[i].hex);
    for (size_t i = 0; i < COUNT_OF(value_vectors); i++)
        cut_everywhere(again_value, value_vectors[i].hex);
    cut_everywhere(again_data, "05 00 00 00 02 01 02");
}

static void
cc12_c13_forms_that_are_never_written(void **state)
{
    static const struct {
        again_fn *fn;
        const char *hex;
        size_t at; /* of the byte that the error names */
    } bad[] = {
        { again_varint, "F1 00", 0 }, /* 240 in two bytes */
        { again_varint, "FA 00 00 10", 0 },
        { again_varint, "FA 01 08 EF", 0 }, /* 67823 in four */
        { again_varint, "FB 00 FF FF FF", 0 },
        { again_varint, "FF 00 FF FF FF FF FF FF FF", 0 },
        { again_str, "61 00 02", 2 },
        { again_str, "61 00 00", 2 },
        { again_bnum, "00", 0 },
        { again_bnum, "07", 0 },
        { again_bnum, "05 40 00 01 00", 4 }, /* a zero group too many */
        { again_bnum, "03 BF FF FE FF", 4 },
        { again_bnum, "05 40 3E 01 01 01 01 01 01 01 01 01 02", 11 }, /* ten groups */
        { again_bnum, "05 44 00 00", 0 },                             /* 2^1024 */
        { again_bnum, "05 3B CD 00", 0 },                             /* 2^-1075 */
        { again_bnum, "05 3B CE 80", 0 },                             /* 1.5 * 2^-1074 */
        { again_bnum, "05 40 40 01 01 01 01 01 01 01 10", 0 },        /* 2^64 + 2^11 */
        { again_bnum, "05 3F FF 01 01 01 01 01 01 01 01 02", 0 },     /* 0.5 + 2^-64 */
        { again_bnum, "03 BF C0 FE FE FE FE FE FE FE FE FD", 0 },     /* -2^63 - 1 */
        { again_bool, "02", 0 },
        { again_bool, "", 0 },
        { again_data, "00 00 00 00 03 01 02", 5 },
        { again_data, "00 FF FF FF FF 01 02", 5 },
        { again_data, "00 00 00 00", 1 },
        { again_value, "00", 0 },
        { again_value, "03", 0 },
        { again_value, "80", 0 },
        { again_value, "28 02", 1 },
        { again_value, "14 02", 1 },             /* no pair mark */
        { again_value, "14 01 61 00 01 00", 5 }, /* a key without a value */
        { again_value, "14 01 61 00 03", 4 },
        { again_value, "19 03", 1 },
        { again_value, "41 61 00 01 19 00", 4 },       /* a scope that is an array */
        { again_value, "1E 00 00 00 00 03 01 02", 6 }, /* a binary past the end */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct buf in;
        struct rd r;
        basin_error err;
        buf_init(&in, &base_malloc);
        assert_true(hex_read(bad[i].hex, strlen(bad[i].hex), &in));
        assert_false(decode(bad[i].fn, buf_bytes(&in)));
        r = rd_over(in.data, in.size);
        assert_int_equal(bad[i].fn(&r, &err), BASIN_CORRUPT);
        if (r.at != bad[i].at)
            print_error("%s: stopped at %zu: %s\n", bad[i].hex, r.at, err.what);
        assert_int_equal(r.at, bad[i].at);
        buf_release(&in);
    }
}

/* A vector of any kind, some bytes of it changed; or bytes of the kind that matter; or any. */
static size_t
random_input(struct chance *c, uint8_t *to)
{
    static const uint8_t special[] = { 0x00, 0x01, 0xFF, 0x02, 0x05, 0x0A, 0x0F, 0x14,
                                       0x19, 0x1E, 0x28, 0x32, 0x41, 0x40, 0x3F, 0x80 };
    size_t n = chance_below(c, 24);

    if (chance_below(c, 2)) {
        struct buf in;
        size_t which = chance_below(c, COUNT_OF(value_vectors) + COUNT_OF(bnum_vectors));
        const char *hex = which < COUNT_OF(value_vectors)
                              ? value_vectors[which].hex
                              : bnum_vectors[which - COUNT_OF(value_vectors)].hex;
        in = (struct buf){ .data = to, .capacity = INPUT_MAX, .mem = &base_malloc };
        assert_true(hex_read(hex, strlen(hex), &in));
        n = in.size;
    } else {
        for (size_t i = 0; i < n; i++)
            to[i] = special[chance_below(c, sizeof special)];
    }
    for (size_t i = chance_below(c, 3); n > 0 && i > 0; i--)
        to[chance_below(c, n)] = (uint8_t)chance_u64(c);
    return n;
}

static void
cc12_random_inputs(void **state)
{
    struct chance c = chance_init("cc12", 12);
    uint8_t in[INPUT_MAX];
    size_t taken[COUNT_OF(decoders)] = { 0 };

    (void)state;
    for (size_t i = 0, n = test_scale(1000000 / TEST_SLOWNESS); i < n; i++) {
        size_t size = random_input(&c, in);
        for (size_t k = 0; k < COUNT_OF(decoders); k++) {
            if (decoders[k] == again_column)
                for (size_t j = 0; j < size; j++)
                    in[j] = (uint8_t)~in[j];
            taken[k] += decode(decoders[k], bytes_of(in, size));
        }
    }
    for (size_t k = 0; k < COUNT_OF(decoders); k++)
        assert_true(taken[k] > 1000);
}

static void
nothing_is_read_after_a_failure(void **state)
{
    static const uint8_t in[] = { 0x05, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00 };

    (void)state;
    for (size_t k = 0; k < COUNT_OF(decoders); k++) {
        struct rd r = rd_over(in, sizeof in);
        rd_fail(&r);
        out.size = text.size = 0;
        if (decoders[k] == again_value)
            continue; /* walks a copy on its own */
        assert_int_equal(decoders[k](&r, NULL), BASIN_CORRUPT);
        assert_int_equal(r.at, 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cc12_vectors_cut_at_every_byte),
        cmocka_unit_test(cc12_c13_forms_that_are_never_written),
        cmocka_unit_test(cc12_random_inputs),
        cmocka_unit_test(nothing_is_read_after_a_failure),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
