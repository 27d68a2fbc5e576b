// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/* Hex text to bytes and back; see hex.h. */
#include "hex.h"

#include <setjmp.h>
#include <stdio.h>

#include <cmocka.h>

static int
digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool
hex_read(const char *text, size_t n, struct buf *to)
{
    size_t from = to->size;

    for (size_t i = 0; i < n; i++) {
        uint8_t byte;
        if (text[i] == ' ' || text[i] == '|' || text[i] == '\n')
            continue;
        if (i + 1 >= n || digit(text[i]) < 0 || digit(text[i + 1]) < 0) {
            to->size = from;
            return false;
        }
        byte = (uint8_t)(digit(text[i]) * 16 + digit(text[i + 1]));
        must(buf_add(to, &byte, 1) == BASIN_OK);
        i++;
    }
    return true;
}

void
hex_write(struct bytes b, char *to, size_t size)
{
    size_t used = 0;

    to[0] = '\0';
    for (size_t i = 0; i < b.size; i++) {
        if (used + 8 > size) {
            snprintf(to + used, size - used, "...");
            return;
        }
        used += (size_t)snprintf(to + used, size - used, i ? " %02X" : "%02X", b.data[i]);
    }
}

void
hex_expect(struct bytes got, const char *text, const char *file, int line)
{
    struct buf want;
    char shown[512];
    bool same;

    buf_init(&want, &base_malloc);
    must(hex_read(text, strlen(text), &want));
    same = bytes_equal(got, buf_bytes(&want));
    buf_release(&want);
    if (same)
        return;
    hex_write(got, shown, sizeof shown);
    print_error("got  %s\nwant %s\n", shown, text);
    _fail(file, line);
}
