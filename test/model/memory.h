// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * An allocator for tests: counts what is live, checks that every size handed back is exact, and
 * refuses the n-th allocation, so that a test can make each one fail in turn:
 *
 *     for (size_t n = 1, more = 1; more; n++) {
 *         test_memory_refuse(&m, n);
 *         basin_status st = build(&m.table);
 *         more = test_memory_refused(&m);
 *         assert_int_equal(st, more ? BASIN_NO_MEM : BASIN_OK);
 *         assert_int_equal(m.live, 0);
 *     }
 *
 * Threads: any, for the table; the functions below are called while no other thread allocates.
 */
#ifndef TEST_MODEL_MEMORY_H
#define TEST_MODEL_MEMORY_H

#include "base/base.h"

struct test_memory {
    basin_allocator table; /* what the code under test gets */
    atomic_size_t live;    /* bytes allocated now */
    atomic_size_t peak;    /* most bytes live at once */
    atomic_size_t calls;   /* allocations and growths since test_memory_refuse or init */
    size_t refuse_at;      /* the call that is refused, from 1; 0 = none */
    bool refuse_all_after; /* every later one too */
};

void test_memory_init(struct test_memory *m);
/* Restarts the count of calls; call n is refused, later ones are served again. 0 = none. */
void test_memory_refuse(struct test_memory *m, size_t n);
/* The same, but every call from the n-th on is refused. */
void test_memory_refuse_from(struct test_memory *m, size_t n);
/* Whether a call was refused since then. */
bool test_memory_refused(const struct test_memory *m);

#endif
