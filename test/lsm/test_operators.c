// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/* The built-in operators, the resolving of operands (E64), the page docs/format/operators.md. */
#include "lsm/world.h"
#include "model/data.h"
#include "model/hex.h"

static struct world w;

static void
store_counter(uint8_t to[9], uint8_t form, int64_t n)
{
    to[0] = form;
    store_u64(to + 1, (uint64_t)n);
}

static int64_t
sum_of(const int64_t *base, const int64_t *deltas, size_t count)
{
    uint8_t full[9] = { 0 }, operand[64][9];
    struct bytes value = bytes_of(full, 9), operands[64];
    struct buf out;
    bool deleted;
    int64_t n;

    assert_true(count <= COUNT_OF(operand));
    buf_init(&out, w.mem);
    if (base != NULL)
        store_counter(full, 0, *base);
    for (size_t i = 0; i < count; i++) {
        store_counter(operand[i], 1, deltas[i]);
        operands[i] = bytes_of(operand[i], 9);
    }
    assert_ok(&w, lsm_operator_counter.full(NULL, BYTES_LIT("k"), base ? &value : NULL, operands,
                                            count, &out, &deleted, &w.err));
    assert_false(deleted);
    assert_int_equal(out.size, 9);
    assert_int_equal(out.data[0], 0);
    n = (int64_t)load_u64(out.data + 1);
    buf_release(&out);
    return n;
}

static void
a_counter_adds_and_saturates_once(void **state)
{
    const int64_t five = 5, most = INT64_MAX, least = INT64_MIN;

    (void)state;
    world_init(&w);
    assert_int_equal(sum_of(NULL, &five, 1), 5);
    assert_int_equal(sum_of(&five, NULL, 0), 5);
    assert_int_equal(sum_of(&five, (const int64_t[]){ 1, -20, 3 }, 3), -11);
    assert_int_equal(sum_of(&most, (const int64_t[]){ 1 }, 1), INT64_MAX);
    assert_int_equal(sum_of(&most, (const int64_t[]){ 7, -7 }, 2), INT64_MAX);
    assert_int_equal(sum_of(&least, (const int64_t[]){ -1 }, 1), INT64_MIN);
    assert_int_equal(sum_of(&least, (const int64_t[]){ INT64_MIN, INT64_MAX, INT64_MAX }, 3),
                     -2);
    assert_int_equal(sum_of(NULL, (const int64_t[]){ INT64_MAX, INT64_MAX, INT64_MIN }, 3),
                     INT64_MAX - 1);
    world_release(&w);
}

/* Folding may happen anywhere: the result is the same, or the operator declines. */
static void
folding_changes_no_sum(void **state)
{
    struct chance c = chance_init("folding", 41);

    (void)state;
    world_init(&w);
    for (size_t round = 0; round < test_scale(20000); round++) {
        int64_t base = (int64_t)chance_u64(&c), deltas[6], folded[6];
        size_t count = 2 + chance_below(&c, 5), at;
        uint8_t a[9], b[9];
        struct buf out;
        buf_init(&out, w.mem);
        for (size_t i = 0; i < count; i++)
            deltas[i] = (int64_t)(chance_u64(&c) >> chance_below(&c, 64)) *
                        (chance_below(&c, 2) ? 1 : -1);
        at = chance_below(&c, count - 1);
        store_counter(a, 1, deltas[at]);
        store_counter(b, 1, deltas[at + 1]);
        basin_status st = lsm_operator_counter.partial(NULL, BYTES_LIT("k"), bytes_of(a, 9),
                                                       bytes_of(b, 9), &out, &w.err);
        if (st == BASIN_OK) {
            assert_int_equal(out.data[0], 1);
            memcpy(folded, deltas, sizeof folded);
            folded[at] = (int64_t)load_u64(out.data + 1);
            for (size_t i = at + 1; i + 1 < count; i++)
                folded[i] = deltas[i + 1];
            assert_int_equal(sum_of(&base, folded, count - 1), sum_of(&base, deltas, count));
        } else {
            assert_int_equal(st, BASIN_LIMIT);
            assert_int_equal(out.size, 0);
        }
        buf_release(&out);
    }
    world_release(&w);
}

static void
what_is_no_counter_is_corrupt(void **state)
{
    uint8_t bytes[10] = { 0 };
    struct buf out;
    bool deleted;

    (void)state;
    world_init(&w);
    buf_init(&out, w.mem);
    for (size_t size = 0; size <= 10; size++)
        for (uint8_t form = 0; form < 3; form++) {
            bytes[0] = form;
            struct bytes b = bytes_of(bytes, size), good;
            uint8_t delta[9] = { 1 };
            good = bytes_of(delta, 9);
            basin_status st = lsm_operator_counter.full(NULL, BYTES_LIT("k"), &b, &good, 1, &out,
                                                        &deleted, &w.err);
            assert_status(&w, st, size == 9 && form == 0 ? BASIN_OK : BASIN_CORRUPT);
            st = lsm_operator_counter.full(NULL, BYTES_LIT("k"), NULL, &b, 1, &out, &deleted,
                                           &w.err);
            assert_status(&w, st, size == 9 && form == 1 ? BASIN_OK : BASIN_CORRUPT);
            st = lsm_operator_counter.partial(NULL, BYTES_LIT("k"), b, good, &out, &w.err);
            assert_status(&w, st, size == 9 && form == 1 ? BASIN_OK : BASIN_CORRUPT);
            st = lsm_operator_counter.partial(NULL, BYTES_LIT("k"), good, b, &out, &w.err);
            assert_status(&w, st, size == 9 && form == 1 ? BASIN_OK : BASIN_CORRUPT);
        }
    buf_release(&out);
    world_release(&w);
}

/* ------------------------------------------------------------------ resolving */

static basin_status
resolve(const struct bytes *base, const struct bytes *newest_first, size_t count, struct buf *out)
{
    bool deleted;
    basin_status st = lsm__merge_full(&w.db, BYTES_LIT("key"), base, newest_first, count, out,
                                      &deleted, &w.err);
    assert_false(deleted);
    return st;
}

static void
operators_on_one_key_are_resolved_in_groups(void **state)
{
    struct bytes base = BYTES_LIT("a"), none = BYTES_NULL;
    struct bytes list[] = { BYTES_LIT("\x10" "d"), BYTES_LIT("\x10" "c"), BYTES_LIT("\x10" "b") };
    struct bytes mixed[] = { BYTES_LIT("\x10!"),
                             BYTES_LIT("\x02\x01\x05\0\0\0\0\0\0\0"),
                             BYTES_LIT("\x02\x01\x02\0\0\0\0\0\0\0") };
    struct bytes unknown[] = { list[0], BYTES_LIT("\x63") };
    struct buf out;

    (void)state;
    world_init(&w);
    buf_init(&out, w.mem);
    assert_ok(&w, resolve(&base, list, 3, &out));
    assert_hex(buf_bytes(&out), "61 62 63 64");
    assert_ok(&w, resolve(NULL, list, 3, &out));
    assert_hex(buf_bytes(&out), "62 63 64");
    assert_ok(&w, resolve(NULL, mixed, 3, &out));
    assert_hex(buf_bytes(&out), "00 07 00 00 00 00 00 00 00 21");
    assert_status(&w, resolve(NULL, &none, 1, &out), BASIN_CORRUPT);
    assert_status(&w, resolve(NULL, unknown, 2, &out), BASIN_UNKNOWN_OPERATOR);
    assert_non_null(strstr(w.err.what, "99"));
    buf_release(&out);
    world_release(&w);
}

static void
resolving_survives_each_allocation_failure(void **state)
{
    static struct bytes list[100];
    basin_status st = BASIN_NO_MEM;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(list); i++)
        list[i] = BYTES_LIT("\x10" "abcdefghijklmnopqrstuvwxyz");
    world_init(&w);
    for (size_t refused = 1; st != BASIN_OK; refused++) {
        struct buf out;
        buf_init(&out, w.mem);
        test_memory_refuse(&w.memory, refused);
        st = resolve(NULL, list, COUNT_OF(list), &out);
        assert_true(st == BASIN_OK || st == BASIN_NO_MEM);
        test_memory_refuse(&w.memory, 0);
        buf_release(&out);
    }
    world_release(&w);
}

/* ------------------------------------------------------------------ the page */

/* The next text between backquotes of a cell, as bytes; false at the cell's end. */
static bool
next_hex(const char **at, struct buf *to)
{
    size_t before = strcspn(*at, "`|"), n;

    if ((*at)[before] != '`')
        return false;
    *at += before + 1;
    n = strcspn(*at, "`");
    assert_true(hex_read(*at, n, to));
    *at += n + 1;
    return true;
}

static void
check_row(const char *row)
{
    const char *at = row + 1;
    uint8_t number = (uint8_t)strtoul(at, NULL, 10);
    struct buf text, out, want;
    struct bytes base = BYTES_NULL, list[8];
    size_t count = 0;
    bool has_base;

    buf_init(&text, w.mem);
    buf_init(&out, w.mem);
    buf_init(&want, w.mem);
    assert_ok(&w, buf_reserve(&text, 1000)); /* does not move any more */
    at = strchr(at, '|') + 1;
    has_base = next_hex(&at, &text);
    base = buf_bytes(&text);
    at = strchr(at, '|') + 1;
    for (size_t start = text.size;; count++) {
        assert_ok(&w, buf_add(&text, &number, 1));
        if (!next_hex(&at, &text))
            break;
        list[count] = bytes_of(text.data + start, text.size - start);
        start = text.size;
    }
    at = strchr(at, '|') + 1;
    assert_true(next_hex(&at, &want));
    for (size_t i = 0; i < count / 2; i++) {
        struct bytes swap = list[i];
        list[i] = list[count - 1 - i];
        list[count - 1 - i] = swap;
    }
    assert_true(count > 0);
    assert_ok(&w, resolve(has_base ? &base : NULL, list, count, &out));
    assert_int_equal(out.size, want.size);
    assert_memory_equal(out.data, want.data, want.size);
    buf_release(&text);
    buf_release(&out);
    buf_release(&want);
}

static void
the_page_is_right(void **state)
{
    char path[1024];
    struct buf page;
    size_t rows = 0;
    const char *at;

    (void)state;
    world_init(&w);
    buf_init(&page, &base_malloc);
    test_source_path("docs/format/operators.md", path, sizeof path);
    assert_true(test_read_file(path, &page));
    assert_ok(&w, buf_add(&page, "", 1));
    at = strstr((const char *)page.data, "| operator | value |");
    assert_non_null(at);
    for (at = strchr(at, '\n'); at != NULL && at[1] == '|'; at = strchr(at + 1, '\n'))
        if (at[2] != '-') {
            check_row(at + 1);
            rows++;
        }
    assert_int_equal(rows, 6);
    buf_release(&page);
    world_release(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_counter_adds_and_saturates_once),
        cmocka_unit_test(folding_changes_no_sum),
        cmocka_unit_test(what_is_no_counter_is_corrupt),
        cmocka_unit_test(operators_on_one_key_are_resolved_in_groups),
        cmocka_unit_test(resolving_survives_each_allocation_failure),
        cmocka_unit_test(the_page_is_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
