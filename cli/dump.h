// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The dump: a whole database as text that can be compared, kept and read back to the same bytes.
 *
 *   basin dump 1                                     the version of this format
 *   space                                            the default keyspace, always first
 *   =KEY TAB VALUE                                   a pair, in key order
 *   =KEY TAB VALUE                                   of a longer value the first 16384 bytes,
 *   +VALUE                                           and the next ones
 *   space NAME                                       further keyspaces, in the order of names
 *   end pairs=3 spaces=2 bytes=51 crc64=99eb96dd94c88e97
 *
 * Keys, values and names are escaped (text.h). `bytes` counts keys and values; the checksum is
 * CRC-64/XZ over every byte before the line `end`.
 */
#ifndef CLI_DUMP_H
#define CLI_DUMP_H

#include "input.h"
#include "out.h"
#include "value.h"

enum { DUMP_VERSION = 1, DUMP_PIECE_SIZE = 16384 };
/* A line is at most a key and a piece of which every byte is an escape of four. */
#define DUMP_LINE_MAX ((size_t)4 * (BASIN_KEY_MAX + DUMP_PIECE_SIZE) + 64)

struct crc64 {
    uint64_t value;
    uint64_t table[8][256]; /* of bytes that are followed by 0 to 7 others */
};

void crc64_begin(struct crc64 *c);
void crc64_add(struct crc64 *c, const void *p, size_t n);
uint64_t crc64_end(const struct crc64 *c);

struct dump_counts {
    uint64_t pairs;
    uint64_t spaces;
    uint64_t bytes;
};

/* ------------------------------------------------------------------ writing */

struct dump_writer {
    struct out *out;
    struct crc64 crc;
    struct dump_counts counts;
    struct grow line;
};

void dump_begin(struct dump_writer *w, struct out *out);
/* name NULL or empty = the default keyspace. */
void dump_space(struct dump_writer *w, const char *name);
basin_status dump_pair(struct dump_writer *w, basin_bytes key, struct value *value,
                       basin_error *err);
/* A piece of a pair, from byte `at` of the value on; all but the last are multiples of
 * DUMP_PIECE_SIZE. */
basin_status dump_part(struct dump_writer *w, basin_bytes key, uint64_t size, uint64_t at,
                       basin_bytes piece, basin_error *err);
void dump_end(struct dump_writer *w);
void dump_free(struct dump_writer *w);

/* ------------------------------------------------------------------ reading */

enum dump_event { DUMP_SPACE, DUMP_PAIR, DUMP_MORE, DUMP_END };

struct dump_reader {
    struct input *in;
    struct crc64 crc;
    struct dump_counts counts;
    struct grow name;  /* of DUMP_SPACE; empty = the default keyspace */
    struct grow key;   /* of DUMP_PAIR */
    struct grow piece; /* of DUMP_PAIR and DUMP_MORE */
    bool begun;
    bool in_space;
    bool in_pair;
};

void dump_reader_open(struct dump_reader *r, struct input *in);
/*
 * The next event; what it brings is valid until the next call. DUMP_END comes only after counts
 * and checksum were found right. CORRUPT for everything that dump did not write, a missing end
 * included; VERSION for a newer dump.
 */
basin_status dump_next(struct dump_reader *r, enum dump_event *event, basin_error *err);
void dump_reader_close(struct dump_reader *r);

#endif
