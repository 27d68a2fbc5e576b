// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The text codecs of the program; text.h states the escape form.
 *
 * Code points that move the terminal's cursor or its reading direction (C1 controls, line and
 * paragraph separators, bidirectional overrides) are escaped byte by byte like control bytes, so
 * that what a database holds can never play tricks on the terminal that shows it.
 */
#include "text.h"

#include <stdio.h>
#include <string.h>

enum { ESCAPE_SIZE_MAX = 4 }; /* bytes of text for one byte */

static const char hex_digits[] = "0123456789abcdef";

static int
hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

size_t
text_utf8(const uint8_t *p, size_t n, uint32_t *code)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    uint32_t c;
    size_t size;

    *code = 0;
    if (n == 0)
        return 0;
    if (p[0] < 0x80) {
        *code = p[0];
        return 1;
    }
    size = p[0] >= 0xF0 && p[0] < 0xF8 ? 4 : p[0] >= 0xE0 ? 3 : 2;
    if (p[0] < 0xC2 || p[0] >= 0xF8 || n < size)
        return 0;
    c = p[0] & (0xFFu >> (size + 1));
    for (size_t i = 1; i < size; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3Fu);
    }
    if (c < least[size] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
        return 0;
    *code = c;
    return size;
}

void
text_add_utf8(struct grow *to, uint32_t c)
{
    if (c < 0x80) {
        grow_byte(to, (uint8_t)c);
        return;
    }
    if (c < 0x800) {
        grow_byte(to, (uint8_t)(0xC0 | c >> 6));
    } else if (c < 0x10000) {
        grow_byte(to, (uint8_t)(0xE0 | c >> 12));
        grow_byte(to, (uint8_t)(0x80 | (c >> 6 & 0x3F)));
    } else {
        grow_byte(to, (uint8_t)(0xF0 | c >> 18));
        grow_byte(to, (uint8_t)(0x80 | (c >> 12 & 0x3F)));
        grow_byte(to, (uint8_t)(0x80 | (c >> 6 & 0x3F)));
    }
    grow_byte(to, (uint8_t)(0x80 | (c & 0x3F)));
}

bool
text_is_utf8(const void *p, size_t n)
{
    const uint8_t *at = p;
    uint32_t code;

    for (size_t i = 0; i < n;) {
        size_t size = text_utf8(at + i, n - i, &code);
        if (size == 0)
            return false;
        i += size;
    }
    return true;
}

size_t
text_utf8_tail(const uint8_t *p, size_t n)
{
    for (size_t back = 1; back <= 3 && back <= n; back++) {
        uint8_t c = p[n - back];
        size_t size = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : c >= 0xC2 ? 2 : 1;

        if ((c & 0xC0) == 0x80)
            continue;
        return c < 0xF8 && size > back ? back : 0;
    }
    return 0;
}

static bool
code_is_printable(uint32_t c)
{
    if (c < 0x20 || (c >= 0x7F && c < 0xA0))
        return false;
    if (c == 0x061C || (c >= 0x200B && c <= 0x200F) || (c >= 0x2028 && c <= 0x202E))
        return false;
    return !(c >= 0x2060 && c <= 0x206F) && c != 0xFEFF && (c & 0xFFFE) != 0xFFFE;
}

/* Writes the escape of a byte; returns where the next one goes. */
static uint8_t *
escape_byte(uint8_t *to, uint8_t c)
{
    *to++ = '\\';
    if (c == '\\' || c == '\t' || c == '\n' || c == '\r') {
        *to++ = c == '\\' ? '\\' : c == '\t' ? 't' : c == '\n' ? 'n' : 'r';
        return to;
    }
    *to++ = 'x';
    *to++ = (uint8_t)hex_digits[c >> 4];
    *to++ = (uint8_t)hex_digits[c & 15];
    return to;
}

/* How many bytes from p on need no escape and are plain ASCII. */
static size_t
plain_run(const uint8_t *p, size_t n)
{
    size_t i = 0;

    while (i < n && p[i] >= 0x20 && p[i] < 0x7F && p[i] != '\\')
        i++;
    return i;
}

void
text_escape(struct grow *to, const void *p, size_t n)
{
    const uint8_t *at = p;
    uint8_t *out = grow_room(to, n * ESCAPE_SIZE_MAX);
    uint32_t code;

    for (size_t i = 0; i < n;) {
        size_t size = plain_run(at + i, n - i);

        if (size == 0 && at[i] >= 0x80) {
            size = text_utf8(at + i, n - i, &code);
            if (!code_is_printable(code))
                size = 0;
        }
        if (size > 0) {
            memcpy(out, at + i, size);
            out += size;
            i += size;
        } else {
            out = escape_byte(out, at[i++]);
        }
    }
    to->size = (size_t)(out - to->data);
}

void
text_show(struct grow *to, const char *text)
{
    size_t size;

    for (; text[0] != '\0'; text += size) {
        size = strcspn(text, "\\");
        text_escape(to, text, size);
        if (text[size] == '\\') {
            grow_byte(to, '\\');
            size++;
        }
    }
}

/* Reads the escape at p, which starts with a backslash; returns its size, 0 when there is none. */
static size_t
unescape_one(const uint8_t *p, size_t n, uint8_t *byte)
{
    static const char names[] = "tnr\\";
    static const char bytes[] = "\t\n\r\\";
    const char *name;

    if (n >= 4 && p[1] == 'x') {
        int high = hex_value(p[2]), low = hex_value(p[3]);

        if (high < 0 || low < 0)
            return 0;
        *byte = (uint8_t)(high << 4 | low);
        return 4;
    }
    if (n < 2 || p[1] == '\0' || (name = strchr(names, p[1])) == NULL)
        return 0;
    *byte = (uint8_t)bytes[name - names];
    return 2;
}

bool
text_unescape(struct grow *to, const void *p, size_t n, size_t *bad_at)
{
    const uint8_t *at = p;
    uint8_t *out = grow_room(to, n);

    for (size_t i = 0; i < n;) {
        const uint8_t *slash = at[i] == '\\' ? at + i : memchr(at + i, '\\', n - i);
        size_t run = slash == NULL ? n - i : (size_t)(slash - at) - i;
        size_t size;

        if (run > 0) {
            memcpy(out, at + i, run);
            out += run;
            i += run;
            continue;
        }
        size = unescape_one(at + i, n - i, out);
        if (size == 0) {
            *bad_at = i;
            return false;
        }
        out++;
        i += size;
    }
    to->size = (size_t)(out - to->data);
    return true;
}

void
text_to_hex(struct grow *to, const void *p, size_t n)
{
    const uint8_t *at = p;

    for (size_t i = 0; i < n; i++) {
        char out[2] = { hex_digits[at[i] >> 4], hex_digits[at[i] & 15] };
        grow_add(to, out, 2);
    }
}

bool
text_from_hex(struct grow *to, const void *p, size_t n)
{
    const uint8_t *at = p;

    if (n % 2 != 0)
        return false;
    for (size_t i = 0; i < n; i += 2) {
        int high = hex_value(at[i]), low = hex_value(at[i + 1]);
        if (high < 0 || low < 0)
            return false;
        grow_byte(to, (uint8_t)(high << 4 | low));
    }
    return true;
}

/* Reads digits; false when there is none or the number is above 2^64 - 1. */
static bool
read_digits(const char **s, uint64_t *value)
{
    const char *at = *s;
    uint64_t v = 0;

    for (; *at >= '0' && *at <= '9'; at++) {
        uint64_t digit = (uint64_t)(*at - '0');
        if (v > (UINT64_MAX - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    if (at == *s)
        return false;
    *s = at;
    *value = v;
    return true;
}

bool
text_number(const char *s, uint64_t *value)
{
    return read_digits(&s, value) && *s == '\0';
}

bool
text_size(const char *s, uint64_t *value)
{
    static const char units[] = "KMGTPkmgtp";
    const char *unit;
    uint64_t shift = 0;

    if (!read_digits(&s, value))
        return false;
    if (*s != '\0' && (unit = strchr(units, *s)) != NULL) {
        shift = (uint64_t)((unit - units) % 5 + 1) * 10;
        s++;
    }
    if (strcmp(s, "") != 0 && strcmp(s, "B") != 0 && (shift == 0 || strcmp(s, "iB") != 0))
        return false;
    if (*value > UINT64_MAX >> shift)
        return false;
    *value <<= shift;
    return true;
}

bool
text_duration(const char *s, uint64_t *ms)
{
    static const struct {
        const char *name;
        uint64_t ms;
    } units[] = { { "", 1000 }, { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 } };

    if (!read_digits(&s, ms))
        return false;
    for (size_t i = 0; i < LENGTH_OF(units); i++) {
        if (strcmp(s, units[i].name) != 0)
            continue;
        if (*ms > UINT64_MAX / units[i].ms)
            return false;
        *ms *= units[i].ms;
        return true;
    }
    return false;
}

const char *
human_bytes(char to[HUMAN_SIZE], uint64_t n)
{
    static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
    double v = (double)n / 1024;
    size_t i = 0;

    if (n < 1024) {
        snprintf(to, HUMAN_SIZE, "%u B", (unsigned)n);
        return to;
    }
    while (v >= 1023.95 && i + 1 < LENGTH_OF(units)) {
        v /= 1024;
        i++;
    }
    snprintf(to, HUMAN_SIZE, "%.1f %s", v, units[i]);
    return to;
}

const char *
human_count(char to[HUMAN_SIZE], uint64_t n)
{
    char digits[HUMAN_SIZE];
    int size = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n);
    int at = 0;

    for (int i = 0; i < size; i++) {
        if (i > 0 && (size - i) % 3 == 0)
            to[at++] = ' ';
        to[at++] = digits[i];
    }
    to[at] = '\0';
    return to;
}

const char *
human_things(char to[2 * HUMAN_SIZE], uint64_t n, const char *thing)
{
    char count[HUMAN_SIZE];

    snprintf(to, 2 * HUMAN_SIZE, "%s %.24s%s", human_count(count, n), thing, n == 1 ? "" : "s");
    return to;
}

const char *
human_rate(char to[HUMAN_SIZE], double v)
{
    static const char *const units[] = { "", " k", " M", " G", " T" };
    size_t i = 0;

    while (v >= 999.5 && i + 1 < LENGTH_OF(units)) {
        v /= 1000;
        i++;
    }
    snprintf(to, HUMAN_SIZE, i == 0 && v >= 10 ? "%.0f%s" : "%.1f%s", v, units[i]);
    return to;
}

const char *
human_seconds(char to[HUMAN_SIZE], double s)
{
    if (s < 1e-3)
        snprintf(to, HUMAN_SIZE, "%.1f us", s * 1e6);
    else if (s < 1)
        snprintf(to, HUMAN_SIZE, "%.1f ms", s * 1e3);
    else
        snprintf(to, HUMAN_SIZE, "%.2f s", s);
    return to;
}

const char *
human_clock(char to[HUMAN_SIZE], uint64_t ms)
{
    unsigned long long s = (ms + 500) / 1000;

    if (s < 3600)
        snprintf(to, HUMAN_SIZE, "%02llu:%02llu", s / 60, s % 60);
    else
        snprintf(to, HUMAN_SIZE, "%llu:%02llu:%02llu", s / 3600, s / 60 % 60, s % 60);
    return to;
}

size_t
text_distance(const char *a, const char *b)
{
    enum { WORD_MAX = 32 };
    size_t rows[3][WORD_MAX + 1];
    size_t n = strlen(a), m = strlen(b);

    if (n > WORD_MAX || m > WORD_MAX)
        return SIZE_MAX;
    for (size_t j = 0; j <= m; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = above[j - 1] + (a[i - 1] != b[j - 1]);
            best = above[j] + 1 < best ? above[j] + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                two_above[j - 2] + 1 < best)
                best = two_above[j - 2] + 1;
            row[j] = best;
        }
    }
    return rows[n % 3][m];
}
