// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The rows of the tables of a Markdown page, so that a test can hold a page to what the code does.
 */
#ifndef TEST_MODEL_DOCUMENT_H
#define TEST_MODEL_DOCUMENT_H

#include "base/base.h"

enum { DOCUMENT_CELLS_MAX = 8 };

/* Cells without blanks around them and without the marks of code; they live until close. */
struct document_row {
    const char *head; /* first cell of the table's first row */
    char *cells[DOCUMENT_CELLS_MAX];
    size_t count;
};

struct document {
    struct buf text;
    char *next;
    const char *head;
};

/* The page below the source folder; fails the cmocka test when it cannot be read. */
void document_open(struct document *d, const char *name);
void document_close(struct document *d);
/* The next row that is not a table's head; false at the end of the page. */
bool document_next(struct document *d, struct document_row *row);

/* The bytes of the page's n-th (from 0) block of lines "0010: 0a 0b ...   comment" between "```hex"
 * and "```" are appended; fails the test when there is none. */
void document_hex(const char *name, unsigned n, struct buf *to);
/* The test fails unless they are equal; then it shows `have` as such lines. */
void document_expect(struct bytes have, struct bytes want);

#endif
