// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The folder of conformance data: BASIN_TEST_DATA, or ../shared/data beside the source folder.
 * Third-party data is not part of the source; a test that finds it missing skips loudly, and fails
 * when BASIN_REQUIRE_DATA=1.
 */
#ifndef TEST_MODEL_DATA_H
#define TEST_MODEL_DATA_H

#include "base/base.h"

/*
 * "<folder>/<name>" into path[size]. False after a printed, counted skip when it does not exist;
 * does not return (fails the cmocka test) when data is required. A test that gets false calls
 * skip() and returns.
 */
bool test_data_path(const char *name, char *path, size_t size);
/* A whole file of any folder into a buffer. False when it cannot be read. */
bool test_read_file(const char *path, struct buf *to);
/* "<source folder>/<name>" into path[size]: documents, golden files. */
void test_source_path(const char *name, char *path, size_t size);
/* Skips so far in this process. */
unsigned test_data_skips(void);

#endif
