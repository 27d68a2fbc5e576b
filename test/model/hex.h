// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Bytes as text in tests and documents: "05 40 00 | 00", blanks and bars are only for the eye.
 */
#ifndef TEST_MODEL_HEX_H
#define TEST_MODEL_HEX_H

#include "base/base.h"

/* Appends the bytes of text; false (and nothing appended) when it is not pairs of hex digits. */
bool hex_read(const char *text, size_t n, struct buf *to);
/* Fails the cmocka test unless got is the bytes of text; shows both. */
void hex_expect(struct bytes got, const char *text, const char *file, int line);
#define assert_hex(got, text) hex_expect((got), (text), __FILE__, __LINE__)
/* "05 40 00" into to, cut with "..." when it is longer than size. */
void hex_write(struct bytes b, char *to, size_t size);

#endif
