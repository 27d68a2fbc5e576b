// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/* Rows of tables in Markdown; a table ends with the first line that is no row. */
#include "document.h"

#include <setjmp.h>
#include <stdio.h>

#include <cmocka.h>

#include "data.h"

void
document_open(struct document *d, const char *name)
{
    char path[1024];

    *d = (struct document){ .head = NULL };
    buf_init(&d->text, &base_malloc);
    test_source_path(name, path, sizeof path);
    if (!test_read_file(path, &d->text) || buf_add(&d->text, "", 1) != BASIN_OK)
        fail_msg("%s cannot be read", path);
    d->next = (char *)d->text.data;
}

void
document_close(struct document *d)
{
    buf_release(&d->text);
}

static char *
trim(char *cell)
{
    size_t n;

    while (*cell == ' ' || *cell == '`')
        cell++;
    n = strlen(cell);
    while (n > 0 && (cell[n - 1] == ' ' || cell[n - 1] == '`'))
        cell[--n] = '\0';
    return cell;
}

/* Cuts the line apart; false when it is no row. */
static bool
cut_row(char *line, struct document_row *row)
{
    char *end;

    row->count = 0;
    if (*line++ != '|')
        return false;
    while (row->count < DOCUMENT_CELLS_MAX && (end = strchr(line, '|')) != NULL) {
        *end = '\0';
        row->cells[row->count++] = trim(line);
        line = end + 1;
    }
    return row->count > 1;
}

bool
document_next(struct document *d, struct document_row *row)
{
    char *line;

    while ((line = strsep(&d->next, "\n")) != NULL) {
        if (!cut_row(line, row)) {
            d->head = NULL;
        } else if (d->head == NULL) {
            d->head = row->cells[0];
        } else if (strncmp(row->cells[0], "---", 3) != 0) {
            row->head = d->head;
            return true;
        }
    }
    return false;
}

/* ------------------------------------------------------------------ bytes */

void
document_hex(const char *name, unsigned n, struct buf *to)
{
    struct document d;
    char *at, *end = NULL;

    document_open(&d, name);
    at = (char *)d.text.data;
    for (unsigned i = 0; at != NULL && i <= n; i++) {
        at = strstr(at, "```hex\n");
        at = at != NULL ? at + 7 : NULL;
    }
    end = at != NULL ? strstr(at, "```") : NULL;
    if (end == NULL)
        fail_msg("%s: there is no block %u of bytes", name, n);
    *end = '\0';
    for (char *line = at; *line != '\0'; line = strchr(line, '\n') + 1) {
        char *p = strchr(line, ':');
        unsigned byte;
        assert_non_null(p);
        while (p[1] == ' ' && p[2] != ' ' && sscanf(p + 2, "%2x", &byte) == 1) {
            uint8_t b = (uint8_t)byte;
            assert_int_equal(buf_add(to, &b, 1), BASIN_OK);
            p += 3; /* at the last digit */
        }
    }
    document_close(&d);
}

void
document_expect(struct bytes have, struct bytes want)
{
    for (size_t i = 0; !bytes_equal(have, want) && i < have.size; i++) {
        if (i % 16 == 0)
            print_error("\n%04zx:", i);
        print_error(" %02x", have.data[i]);
    }
    assert_int_equal(have.size, want.size);
    assert_memory_equal(have.data, want.data, want.size);
}
