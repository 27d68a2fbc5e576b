// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Just enough JSON for import: one object per line, of which some members are wanted. Strict
 * (RFC 8259), without recursion, over bytes from outside.
 */
#ifndef CLI_JSON_IN_H
#define CLI_JSON_IN_H

#include "grow.h"

enum { JSON_DEPTH_MAX = 512 };

struct json_member {
    struct grow name; /* unescaped */
    bool is_string;
    struct grow string; /* unescaped, when it is a string */
    basin_bytes text;   /* the value as it stands, without space around it */
};

struct json_reader {
    const uint8_t *at;
    const uint8_t *end;
    const uint8_t *start;
    const char *problem; /* what is wrong, when something is */
};

/* Begins to read the object in p. False when it is none. */
bool json_object_begin(struct json_reader *r, const void *p, size_t n);
/*
 * The next member; false behind the last one and at a mistake (r->problem is set then). Behind the
 * last one nothing but space may follow.
 */
bool json_object_next(struct json_reader *r, struct json_member *m);
void json_member_free(struct json_member *m);
/* Where the reader stands, in bytes from the start. */
size_t json_place(const struct json_reader *r);

#endif
