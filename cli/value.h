// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * A stored value on its way to the output: small ones whole, large ones in pieces, so that no
 * verb needs memory in proportion to a value.
 */
#ifndef CLI_VALUE_H
#define CLI_VALUE_H

#include "cli.h"

enum { VALUE_PIECE_SIZE = 256 * 1024 };

/* How keys and values are written. */
enum form { FORM_RAW, FORM_ESCAPED, FORM_HEX, FORM_JSON };

struct value {
    uint64_t size;
    const uint8_t *data;  /* all of it, or NULL when it has to be read */
    basin_cursor *cursor; /* read through the cursor, */
    basin_txn *txn;       /* or by key */
    basin_space space;
    basin_bytes key;
    struct grow piece; /* owned: what was read last */
};

/* The value that the cursor stands on; valid until it moves. Keeps v->piece. */
basin_status value_at_cursor(struct value *v, basin_cursor *cursor, basin_error *err);
/* The value of a key; NOT_FOUND when there is none. */
basin_status value_of_key(struct value *v, basin_txn *txn, basin_space space, basin_bytes key,
                          basin_error *err);
void value_free(struct value *v);

/* At most `max` bytes at `offset`; none only at the end. Valid until the next call. */
basin_status value_piece(struct value *v, uint64_t offset, size_t max, basin_bytes *piece,
                         basin_error *err);

/* Writes bytes [from, to) of the value. */
basin_status value_write(struct value *v, uint64_t from, uint64_t to, enum form form,
                         struct out *out, basin_error *err);
/* Writes it as the JSON member `name` or name_hex. */
basin_status value_write_json(struct value *v, struct jout *j, const char *name, uint64_t from,
                              uint64_t to, bool as_hex, basin_error *err);
/* Bytes in memory, in a form that is not JSON. */
void form_write(struct out *out, enum form form, basin_bytes bytes);

#endif
