// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/* Allocator table, buffers and arenas; each allocation refused in turn. */
#include "base/base.h"

#include <setjmp.h>

#include <cmocka.h>

#include "model/chance.h"
#include "model/memory.h"

static void
base_malloc_follows_the_table(void **state)
{
    uint8_t *p = mem_new(&base_malloc, 40);

    (void)state;
    assert_non_null(p);
    for (int i = 0; i < 40; i++)
        assert_int_equal(p[i], 0);
    memset(p, 7, 40);
    p = base_malloc.resize(base_malloc.ctx, p, 40, 4000);
    assert_non_null(p);
    assert_int_equal(p[39], 7);
    assert_null(base_malloc.resize(base_malloc.ctx, p, 4000, 0));
    mem_free(&base_malloc, NULL, 0);
}

static void
bytes_compare_as_memcmp_then_length(void **state)
{
    (void)state;
    assert_int_equal(bytes_compare(BYTES_NULL, BYTES_NULL), 0);
    assert_true(bytes_compare(BYTES_NULL, BYTES_LIT("a")) < 0);
    assert_true(bytes_compare(BYTES_LIT("ab"), BYTES_LIT("a")) > 0);
    assert_true(bytes_compare(BYTES_LIT("\x7F"), BYTES_LIT("\x80")) < 0);
    assert_true(bytes_equal(BYTES_LIT("ab"), BYTES_LIT("ab")));
    assert_false(bytes_equal(BYTES_LIT("ab"), BYTES_LIT("a")));
    assert_int_equal(bytes_shared(BYTES_LIT("abc"), BYTES_LIT("abd")), 2);
    assert_int_equal(bytes_shared(BYTES_LIT("ab"), BYTES_LIT("abd")), 2);
    assert_int_equal(bytes_shared(BYTES_NULL, BYTES_LIT("a")), 0);
}

/* Order of prefixes never disagrees with the order of keys. */
static void
key_prefix_orders_like_keys(void **state)
{
    struct chance c = chance_init("key_prefix", 20);

    (void)state;
    for (size_t i = 0, n = test_scale(20000); i < n; i++) {
        uint8_t room[2][12];
        struct bytes k[2];
        uint64_t p[2];
        for (int j = 0; j < 2; j++) {
            size_t size = chance_below(&c, sizeof room[j] + 1);
            for (size_t b = 0; b < size; b++)
                room[j][b] = (uint8_t)(chance_below(&c, 3) * 0x7F);
            k[j] = bytes_of(room[j], size);
            p[j] = key_prefix(k[j]);
        }
        if (p[0] < p[1])
            assert_true(bytes_compare(k[0], k[1]) < 0);
        if (p[0] > p[1])
            assert_true(bytes_compare(k[0], k[1]) > 0);
    }
}

static void
buf_grows_and_keeps_content_when_refused(void **state)
{
    struct test_memory m;
    bool more = true;

    (void)state;
    test_memory_init(&m);
    for (size_t n = 1; more; n++) {
        struct buf b;
        basin_status st = BASIN_OK;
        size_t added = 0;
        test_memory_refuse(&m, n);
        buf_init(&b, &m.table);
        while (st == BASIN_OK && added < 3000) {
            uint8_t byte = (uint8_t)(added * 7);
            st = buf_add(&b, &byte, 1);
            added += st == BASIN_OK;
        }
        more = test_memory_refused(&m);
        assert_int_equal(st, more ? BASIN_NO_MEM : BASIN_OK);
        assert_int_equal(b.size, added);
        for (size_t i = 0; i < added; i++)
            assert_int_equal(b.data[i], (uint8_t)(i * 7));
        buf_release(&b);
        assert_int_equal(atomic_load(&m.live), 0);
        assert_true(n < 20); /* it doubles */
    }
}

static void
buf_set_and_reuse(void **state)
{
    struct test_memory m;
    struct buf b;
    const uint8_t *data;

    (void)state;
    test_memory_init(&m);
    buf_init(&b, &m.table);
    assert_int_equal(buf_add(&b, NULL, 0), BASIN_OK);
    assert_null(b.data);
    assert_int_equal(buf_set(&b, "hello", 5), BASIN_OK);
    data = b.data;
    assert_int_equal(buf_set(&b, "bye", 3), BASIN_OK);
    assert_ptr_equal(b.data, data);
    assert_true(bytes_equal(buf_bytes(&b), BYTES_LIT("bye")));
    test_memory_refuse(&m, 1);
    assert_int_equal(buf_reserve(&b, 1000), BASIN_NO_MEM);
    assert_int_equal(buf_reserve(&b, SIZE_MAX), BASIN_NO_MEM);
    assert_int_equal(buf_reserve(&b, SIZE_MAX / 2), BASIN_NO_MEM);
    assert_true(bytes_equal(buf_bytes(&b), BYTES_LIT("bye")));
    buf_release(&b);
    assert_ptr_equal(b.mem, &m.table);
    assert_int_equal(buf_add(&b, "x", 1), BASIN_OK);
    buf_clear(&b);
    assert_int_equal(b.size, 0);
    buf_release(&b);
    buf_release(&b);
    assert_int_equal(atomic_load(&m.live), 0);
}

/* Fills each piece with its number and finds it whole at the end; small and large mixed. */
static size_t
fill_arena(struct arena *a, struct chance *c, uint8_t **pieces, size_t *sizes, size_t count)
{
    size_t got = 0;

    for (; got < count; got++) {
        sizes[got] = chance_below(c, 50) == 0 ? chance_below(c, 9000) : chance_below(c, 60);
        pieces[got] = arena_alloc(a, sizes[got]);
        if (pieces[got] == NULL)
            break;
        assert_int_equal((uintptr_t)pieces[got] % 8, 0);
        memset(pieces[got], (int)(got & 0xFF), sizes[got]);
    }
    for (size_t i = 0; i < got; i++) {
        for (size_t b = 0; b < sizes[i]; b++)
            assert_int_equal(pieces[i][b], i & 0xFF);
    }
    return got;
}

static void
arena_gives_distinct_memory_and_counts_it(void **state)
{
    struct chance c = chance_init("arena", 21);
    static uint8_t *pieces[3000];
    static size_t sizes[3000];
    struct test_memory m;
    struct arena a;

    (void)state;
    test_memory_init(&m);
    arena_init(&a, &m.table, 512);
    for (int round = 0; round < 3; round++) {
        assert_int_equal(fill_arena(&a, &c, pieces, sizes, 3000), 3000);
        assert_int_equal(a.used, atomic_load(&m.live));
        arena_release(&a);
        assert_int_equal(a.used, 0);
        assert_int_equal(atomic_load(&m.live), 0);
    }
    assert_null(arena_alloc(&a, SIZE_MAX - 3));
    arena_release(&a);
}

static void
arena_survives_each_refusal(void **state)
{
    static uint8_t *pieces[2000];
    static size_t sizes[2000];
    struct test_memory m;
    bool more = true;

    (void)state;
    test_memory_init(&m);
    for (size_t n = 1; more; n++) {
        struct chance c = chance_of(22);
        struct arena a;
        size_t got;
        test_memory_refuse(&m, n);
        arena_init(&a, &m.table, 256);
        got = fill_arena(&a, &c, pieces, sizes, 2000);
        more = test_memory_refused(&m);
        assert_true(more ? got < 2000 : got == 2000);
        assert_non_null(arena_alloc(&a, 24)); /* goes on after a refusal */
        arena_release(&a);
        assert_int_equal(atomic_load(&m.live), 0);
    }
}

/* Blocks double up to 1 MiB; a large piece does not waste what the current block has left. */
static void
arena_blocks_double_and_large_pieces_stand_alone(void **state)
{
    struct test_memory m;
    struct arena a;
    uint8_t *p, *q;

    (void)state;
    test_memory_init(&m);
    arena_init(&a, &m.table, 1024);
    p = arena_alloc(&a, 8);
    assert_non_null(arena_alloc(&a, 100000));
    q = arena_alloc(&a, 8);
    assert_ptr_equal(q, p + 8);
    for (int i = 0; i < 4 << 20; i += 64)
        assert_non_null(arena_alloc(&a, 64));
    assert_int_equal(a.block_size, MIB);
    assert_in_range(atomic_load(&m.calls), 10, 20);
    arena_release(&a);
    assert_int_equal(atomic_load(&m.live), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base_malloc_follows_the_table),
        cmocka_unit_test(bytes_compare_as_memcmp_then_length),
        cmocka_unit_test(key_prefix_orders_like_keys),
        cmocka_unit_test(buf_grows_and_keeps_content_when_refused),
        cmocka_unit_test(buf_set_and_reuse),
        cmocka_unit_test(arena_gives_distinct_memory_and_counts_it),
        cmocka_unit_test(arena_survives_each_refusal),
        cmocka_unit_test(arena_blocks_double_and_large_pieces_stand_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
