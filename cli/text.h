// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Bytes as text and back: the escape codec of scan, tsv and dump, hexadecimal, UTF-8, and the
 * numbers, sizes and durations of the command line.
 *
 * Escaped text: \t \n \r \\ and \xNN; printable ASCII and printable, valid UTF-8 stand for
 * themselves. Everything else is \xNN, so an escaped text holds no control byte, no TAB and no
 * newline, whatever the bytes were.
 */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include "grow.h"

/* Appends the escaped form of all of p. The same bytes always give the same text. */
void text_escape(struct grow *to, const void *p, size_t n);
/* The same for a message, which is read and never read back: backslashes stay as they are. */
void text_show(struct grow *to, const char *text);
/*
 * Appends the bytes of an escaped text. False on an escape that does not exist; *bad_at is then
 * its place and nothing is appended.
 */
bool text_unescape(struct grow *to, const void *p, size_t n, size_t *bad_at);

void text_to_hex(struct grow *to, const void *p, size_t n);
/* False when it is not an even number of hexadecimal digits. */
bool text_from_hex(struct grow *to, const void *p, size_t n);

/* The length of the valid UTF-8 sequence at p (1..4) and its code point; 0 when there is none. */
size_t text_utf8(const uint8_t *p, size_t n, uint32_t *code);
void text_add_utf8(struct grow *to, uint32_t code);
/* Whether all of it is valid UTF-8. */
bool text_is_utf8(const void *p, size_t n);
/* How many of the n bytes at p may be cut off so that no UTF-8 sequence is split; 0..3. */
size_t text_utf8_tail(const uint8_t *p, size_t n);

bool text_number(const char *s, uint64_t *value);
/* "4096", "64K", "64M", "2G", "1T": powers of 1024; a B or iB may follow. */
bool text_size(const char *s, uint64_t *value);
/* "500ms", "5s", "2m", "1h"; a plain number means seconds. Result in milliseconds. */
bool text_duration(const char *s, uint64_t *ms);

/* "12.3 MiB", "1 234 567", "45.2 k", "1.25 s", "03:12". */
enum { HUMAN_SIZE = 32 };
const char *human_bytes(char to[HUMAN_SIZE], uint64_t n);
const char *human_count(char to[HUMAN_SIZE], uint64_t n);
const char *human_rate(char to[HUMAN_SIZE], double per_second);
/* "1 pair", "1 234 pairs" */
const char *human_things(char to[2 * HUMAN_SIZE], uint64_t n, const char *thing);
const char *human_seconds(char to[HUMAN_SIZE], double seconds);
const char *human_clock(char to[HUMAN_SIZE], uint64_t ms);

/* Insertions, deletions, replacements and swaps of neighbours between two short words. */
size_t text_distance(const char *a, const char *b);

#endif
