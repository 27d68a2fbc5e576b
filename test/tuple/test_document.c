// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * docs/format/tuple.md is checked against the code: every row of its tables of examples is decoded
 * to text and compared, every refused form is refused at its byte, the table of tags is the set of
 * tags, and the sizes of varints are those of the table.
 */
#include "vectors.h"

#include <stdio.h>
#include <stdlib.h>

#include <setjmp.h>

#include <cmocka.h>

#include "model/document.h"

static struct buf bytes, text, scratch;

static int
setup(void **state)
{
    (void)state;
    buf_init(&bytes, &base_malloc);
    buf_init(&text, &base_malloc);
    buf_init(&scratch, &base_malloc);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    buf_release(&bytes);
    buf_release(&text);
    buf_release(&scratch);
    return 0;
}

static void say(const char *fmt, ...) BASIN_PRINTF(1, 2);

static void
say(const char *fmt, ...)
{
    char piece[128];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(piece, sizeof piece, fmt, ap);
    va_end(ap);
    assert_int_equal(buf_add(&text, piece, strlen(piece)), BASIN_OK);
}

static void
say_string(struct bytes s, const char *quote)
{
    say("%s", quote);
    for (size_t i = 0; i < s.size; i++) {
        if (s.data[i] == 0)
            say("\\0");
        else if (s.data[i] < 0x20 || s.data[i] >= 0x7F)
            say("\\x%02X", s.data[i]);
        else
            say("%c", s.data[i]);
    }
    say("%s", quote);
}

/* The shortest text that reads back as v. */
static void
say_double(double v)
{
    char piece[32];

    for (int digits = 1; digits <= 17; digits++) {
        snprintf(piece, sizeof piece, "%.*g", digits, v);
        if (strtod(piece, NULL) == v)
            break;
    }
    say("%s", isnan(v) ? "nan" : piece);
}

static basin_status
say_str(struct rd *r, basin_error *err)
{
    basin_status st;

    scratch.size = 0;
    st = tuple_get_str(r, &scratch, err);
    if (st == BASIN_OK)
        say_string(buf_bytes(&scratch), "\"");
    return st;
}

static basin_status
say_f64(struct rd *r, basin_error *err)
{
    double v;
    basin_status st = tuple_get_f64(r, &v, err);

    if (st == BASIN_OK)
        say_double(v);
    return st;
}

static basin_status
say_bnum(struct rd *r, basin_error *err)
{
    struct tuple_number v;
    basin_status st = tuple_get_bnum(r, &v, err);

    if (st != BASIN_OK)
        return st;
    if (v.kind == TUPLE_DOUBLE)
        say_double(v.as.d);
    else if (v.kind == TUPLE_UINT)
        say("%llu", (unsigned long long)v.as.u);
    else
        say("%lld", (long long)v.as.i);
    return st;
}

static basin_status
say_i64(struct rd *r, basin_error *err)
{
    int64_t v;
    basin_status st = tuple_get_i64(r, &v, err);

    if (st == BASIN_OK)
        say("%lld", (long long)v);
    return st;
}

static basin_status
say_varint(struct rd *r, basin_error *err)
{
    uint64_t v;
    basin_status st = tuple_get_varint(r, &v, err);

    if (st == BASIN_OK)
        say("%llu", (unsigned long long)v);
    return st;
}

static basin_status
say_u8(struct rd *r, basin_error *err)
{
    uint8_t v;
    basin_status st = tuple_get_u8(r, &v, err);

    if (st == BASIN_OK)
        say("%u", v);
    return st;
}

static basin_status
say_u16(struct rd *r, basin_error *err)
{
    uint16_t v;
    basin_status st = tuple_get_u16(r, &v, err);

    if (st == BASIN_OK)
        say("%u", v);
    return st;
}

static basin_status
say_u32(struct rd *r, basin_error *err)
{
    uint32_t v;
    basin_status st = tuple_get_u32(r, &v, err);

    if (st == BASIN_OK)
        say("%u", v);
    return st;
}

static basin_status
say_u64(struct rd *r, basin_error *err)
{
    uint64_t v;
    basin_status st = tuple_get_u64(r, &v, err);

    if (st == BASIN_OK)
        say("%llu", (unsigned long long)v);
    return st;
}

static basin_status
say_u128(struct rd *r, basin_error *err)
{
    uint64_t high, low;
    basin_status st = tuple_get_u128(r, &high, &low, err);

    if (st == BASIN_OK && high == 0)
        say("%llu", (unsigned long long)low);
    return st;
}

static void
say_raw(const char *name, struct rd *r)
{
    say("%s ", name);
    for (; r->at < r->size; r->at++)
        say("%02X", r->data[r->at]);
}

static void
say_binary(struct rd *r)
{
    struct bytes data;
    uint8_t subtype;

    assert_int_equal(tuple_get_binary(r, &subtype, &data, NULL), BASIN_OK);
    say("bin %u ", subtype);
    for (size_t i = 0; i < data.size; i++)
        say("%02X", data.data[i]);
}

static void
say_regex(struct rd *r)
{
    for (int i = 0; i < 2; i++) {
        scratch.size = 0;
        assert_int_equal(tuple_get_str(r, &scratch, NULL), BASIN_OK);
        say_string(buf_bytes(&scratch), i == 0 ? "/" : "");
    }
}

static void
say_scalar(const struct tuple_step *step)
{
    struct rd r = rd_over(step->payload.data, step->payload.size);

    switch (step->tag) {
    case TUPLE_MIN_KEY:
        say("MinKey");
        break;
    case TUPLE_ABSENT:
        say("absent");
        break;
    case TUPLE_NULL:
        say("null");
        break;
    case TUPLE_NUMBER:
        assert_int_equal(say_bnum(&r, NULL), BASIN_OK);
        break;
    case TUPLE_STRING:
    case TUPLE_CODE:
    case TUPLE_CODE_SCOPE:
        say("%s", step->tag == TUPLE_CODE ? "code " : step->tag == TUPLE_STRING ? "" : "scope ");
        assert_int_equal(say_str(&r, NULL), BASIN_OK);
        say("%s", step->tag == TUPLE_CODE_SCOPE ? " " : "");
        break;
    case TUPLE_BINARY:
        say_binary(&r);
        break;
    case TUPLE_OBJECT_ID:
        say_raw("oid", &r);
        break;
    case TUPLE_UUID:
        say_raw("uuid", &r);
        break;
    case TUPLE_BOOL:
        say("%s", rd_u8(&r) ? "true" : "false");
        break;
    case TUPLE_DATETIME:
        say("datetime ");
        assert_int_equal(say_i64(&r, NULL), BASIN_OK);
        break;
    case TUPLE_TIMESTAMP:
        say("timestamp ");
        assert_int_equal(say_u64(&r, NULL), BASIN_OK);
        break;
    case TUPLE_REGEX:
        say_regex(&r);
        break;
    default:
        say("MaxKey");
        break;
    }
    assert_true(rd_done(&r));
}

/* Whether a comma stands between what was said last and a next part. */
static bool
needs_comma(void)
{
    uint8_t last = text.size ? text.data[text.size - 1] : '[';

    return last != '[' && last != '{' && last != ':' && last != ' ';
}

static basin_status
say_value(struct rd *r, basin_error *err)
{
    struct tuple_walk w;
    struct tuple_step step;
    basin_status st = tuple_skip_value(r, err);

    if (st != BASIN_OK)
        return st;
    tuple_walk_init(&w, bytes_of(r->data, r->at), 0, false);
    while (tuple_walk_next(&w, &step, NULL) == BASIN_OK) {
        bool document = step.tag == TUPLE_DOCUMENT;
        if (step.kind != TUPLE_STEP_CLOSE && needs_comma())
            say(",");
        if (step.kind == TUPLE_STEP_OPEN)
            say("%s", document ? "{" : "[");
        else if (step.kind == TUPLE_STEP_CLOSE)
            say("%s", document ? "}" : "]");
        else
            say_scalar(&step);
        if (step.kind == TUPLE_STEP_KEY)
            say(":");
    }
    return BASIN_OK;
}

typedef basin_status say_fn(struct rd *r, basin_error *err);
static const struct element {
    const char *name;
    say_fn *fn;
} elements[] = {
    { "str", say_str },   { "u8", say_u8 },         { "u16", say_u16 },     { "u32", say_u32 },
    { "u64", say_u64 },   { "u128", say_u128 },     { "i64", say_i64 },     { "f64", say_f64 },
    { "bnum", say_bnum }, { "varint", say_varint }, { "value", say_value },
};

static say_fn *
element_of(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(elements); i++) {
        if (strcmp(elements[i].name, name) == 0)
            return elements[i].fn;
    }
    return NULL;
}

static void
read_hex(const char *cell)
{
    bytes.size = 0;
    if (!hex_read(cell, strlen(cell), &bytes))
        fail_msg("no bytes: %s", cell);
}

static void
expect_text(const char *want)
{
    assert_int_equal(buf_add(&text, "", 1), BASIN_OK);
    assert_string_equal((const char *)text.data, want);
}

static void
check_element(say_fn *fn, const struct document_row *row)
{
    const char *want = row->cells[1];
    struct rd r;

    read_hex(row->cells[2]);
    if (strncmp(want, "desc ", 5) == 0) {
        tuple_invert(&bytes, 0);
        want += 5;
    }
    text.size = 0;
    r = rd_over(bytes.data, bytes.size);
    assert_int_equal(fn(&r, NULL), BASIN_OK);
    assert_true(rd_done(&r));
    expect_text(want);
}

static void
check_refused(const struct document_row *row)
{
    say_fn *fn = element_of(row->cells[0] + strlen("refused "));
    struct rd r;

    assert_non_null(fn);
    read_hex(row->cells[1]);
    text.size = 0;
    r = rd_over(bytes.data, bytes.size);
    assert_int_equal(fn(&r, NULL), BASIN_CORRUPT);
    assert_int_equal(r.at, strtoull(row->cells[2], NULL, 10));
}

/* "a\0b" in the document's writing, into scratch. */
static void
read_string(const char *cell)
{
    scratch.size = 0;
    assert_int_equal(*cell++, '"');
    while (*cell != '"') {
        uint8_t byte = (uint8_t)*cell++;
        assert_int_not_equal(byte, 0);
        if (byte == '\\' && *cell++ == '0') {
            byte = 0;
        } else if (byte == '\\') {
            byte = (uint8_t)strtoul((char[]){ cell[0], cell[1], '\0' }, NULL, 16);
            cell += 2;
        }
        assert_int_equal(buf_add(&scratch, &byte, 1), BASIN_OK);
    }
}

static void
check_prefix(const struct document_row *row)
{
    bool unbounded = false, end = strcmp(row->cells[0], "prefix end") == 0;

    read_string(row->cells[1]);
    bytes.size = text.size = 0;
    assert_int_equal(tuple_put_str_prefix(&bytes, buf_bytes(&scratch)), BASIN_OK);
    if (!end) {
        assert_hex(buf_bytes(&bytes), row->cells[2]);
        return;
    }
    assert_int_equal(tuple_prefix_end(buf_bytes(&bytes), &text, &unbounded), BASIN_OK);
    assert_int_equal(unbounded, strcmp(row->cells[2], "none") == 0);
    if (!unbounded)
        assert_hex(buf_bytes(&text), row->cells[2]);
}

static void
check_cut(const struct document_row *row)
{
    size_t n = (size_t)strtoull(row->cells[1], NULL, 10);

    bytes.size = scratch.size = 0;
    assert_int_equal(buf_reserve(&scratch, n), BASIN_OK);
    memset(scratch.data, 'a', n);
    assert_int_equal(tuple_put_tag(&bytes, TUPLE_STRING), BASIN_OK);
    assert_int_equal(tuple_put_str(&bytes, bytes_of(scratch.data, n)), BASIN_OK);
    assert_int_equal(tuple_cut(&bytes, 0), BASIN_OK);
    if (strstr(row->cells[2], "not cut") != NULL) {
        assert_int_equal(bytes.size, strtoull(row->cells[2], NULL, 10));
        return;
    }
    assert_int_equal(bytes.size, TUPLE_CUT_SIZE);
    assert_hex(bytes_of(bytes.data + TUPLE_CUT_AT, TUPLE_HASH_SIZE), row->cells[2]);
}

static void
check_example(const struct document_row *row)
{
    const char *name = row->cells[0];

    if (strncmp(name, "prefix", 6) == 0)
        check_prefix(row);
    else if (strncmp(name, "cut", 3) == 0)
        check_cut(row);
    else if (strncmp(name, "refused ", 8) == 0)
        check_refused(row);
    else if (element_of(name) != NULL)
        check_element(element_of(name), row);
    else
        fail_msg("an element that is not known: %s", name);
}

static void
check_varint_sizes(const struct document_row *row)
{
    size_t size = (size_t)strtoull(row->cells[1], NULL, 10);
    uint64_t bounds[2] = { strtoull(row->cells[2], NULL, 10), strtoull(row->cells[3], NULL, 10) };
    const char *first = row->cells[0];

    for (int i = 0; i < 2; i++) {
        uint8_t p[TUPLE_VARINT_MAX];
        assert_int_equal(tuple_varint_put(p, bounds[i]), size);
        assert_int_equal(p[0], strtoul(first, NULL, 16));
        if (strstr(first, " to ") != NULL)
            first = strstr(first, " to ") + 4;
    }
    assert_int_equal(tuple_varint_size(bounds[1] + 1), bounds[1] == UINT64_MAX ? 1 : size + 1);
}

static void
check_tags(const bool *listed)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        uint8_t p = (uint8_t)byte;
        struct rd r = rd_over(&p, 1);
        enum tuple_tag tag;
        assert_int_equal(tuple_get_tag(&r, &tag, NULL) == BASIN_OK, listed[byte]);
    }
}

static void
every_row_of_the_document_holds(void **state)
{
    bool listed[256] = { false };
    struct document document;
    struct document_row row;
    size_t checked = 0;

    (void)state;
    document_open(&document, "docs/format/tuple.md");
    while (document_next(&document, &row)) {
        if (strcmp(row.head, "element") == 0)
            check_example(&row);
        else if (strcmp(row.head, "first byte B") == 0)
            check_varint_sizes(&row);
        else if (strcmp(row.head, "tag") == 0)
            listed[strtoul(row.cells[0], NULL, 16)] = true;
        checked++;
    }
    document_close(&document);
    check_tags(listed);
    assert_true(checked >= 150);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_of_the_document_holds),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
