// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/* sort_items against its definition: ascending, and the same items as before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base.h"

struct item {
    uint32_t key;
    uint32_t check;
};

static int
compare(const void *a, const void *b)
{
    uint32_t x = ((const struct item *)a)->key, y = ((const struct item *)b)->key;
    return (x > y) - (x < y);
}

static void
sorts_any_count(void **state)
{
    static struct item items[600];
    uint64_t sum = 0, after, x = 88172645463325252u;

    (void)state;
    for (size_t n = 0; n <= COUNT_OF(items); n += n < 20 ? 1 : 29) {
        for (size_t i = 0; i < n; i++) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            items[i].key = (uint32_t)(x % (n + 3));
            items[i].check = items[i].key * 7u;
        }
        sum = after = 0;
        for (size_t i = 0; i < n; i++)
            sum += items[i].key;
        sort_items(items, n, sizeof(items[0]), compare);
        for (size_t i = 0; i < n; i++) {
            after += items[i].key;
            assert_int_equal(items[i].check, items[i].key * 7u);
            if (i > 0)
                assert_true(items[i - 1].key <= items[i].key);
        }
        assert_int_equal(sum, after);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(sorts_any_count) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
