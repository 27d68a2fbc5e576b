// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * JSON that is written as it comes: one object per line.
 *
 * Bytes that are valid UTF-8 are a string under their name; others are hexadecimal under
 * NAME_hex. So nothing is lost and nothing is ambiguous.
 */
#ifndef CLI_JSON_OUT_H
#define CLI_JSON_OUT_H

#include "out.h"

struct jout {
    struct out *out;
    unsigned depth;
    uint32_t filled; /* bit d: the container at depth d has a member already */
};

void jout_start(struct jout *j, struct out *out);
/* name is NULL inside arrays and at the top. kind is '{' or '['. */
void jout_open(struct jout *j, const char *name, char kind);
void jout_close(struct jout *j, char kind);
/* A newline behind the outermost object. */
void jout_line(struct jout *j);
void jout_text(struct jout *j, const char *name, const char *s); /* null when s is NULL */
void jout_number(struct jout *j, const char *name, uint64_t v);
void jout_real(struct jout *j, const char *name, double v);
void jout_bool(struct jout *j, const char *name, bool v);
/* as_hex: hexadecimal even if it is UTF-8. */
void jout_bytes(struct jout *j, const char *name, basin_bytes v, bool as_hex);

/* In pieces: name and opening quote, any number of pieces, closing quote. Pieces of text must not
 * cut a UTF-8 sequence. */
void jout_begin_bytes(struct jout *j, const char *name, bool as_hex);
void jout_piece(struct jout *j, basin_bytes v, bool as_hex);
void jout_end_bytes(struct jout *j);

/* Appends s as a JSON string, quotes included; bytes that are no UTF-8 become U+FFFD. */
void jout_quote(struct grow *to, const char *s);

#endif
