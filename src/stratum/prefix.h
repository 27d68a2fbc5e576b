// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Private: the list of the prefixes that a stratum's keys have: made by the writer, asked by the
 * reader. What a prefix is, says the caller's function; a reader does not need it.
 * Format: docs/format/stratum.md, "Properties".
 */
#ifndef STRATUM_PREFIX_H
#define STRATUM_PREFIX_H

#include "stratum/format.h"

/*
 * Confined.
 * (P1) each key added begins with a prefix of the list, unless it was given up
 * (P2) the prefixes ascend, none twice; at most STRATUM_PREFIXES_MAX
 */
struct prefix_builder {
    stratum_prefix_fn *fn;
    unsigned elements; /* that fn is asked for; 0 = given up, the list is empty */
    size_t known;      /* a key that shares as many bytes with the one before has its prefix */
    struct buf ends;   /* u16 each */
    struct buf bytes;
};

/* fn NULL: no list. */
void prefix_builder_init(struct prefix_builder *b, const basin_allocator *mem,
                         stratum_prefix_fn *fn);
void prefix_builder_release(struct prefix_builder *b);
/* Keys come in order. One that shares `known` bytes with the one before need not. */
basin_status prefix_builder_add(struct prefix_builder *b, struct bytes key);
size_t prefix_builder_count(const struct prefix_builder *b);
void prefix_builder_write(const struct prefix_builder *b, struct wr *to);

/* A list as stored; borrowed. count 0: there is none, every key may be there. */
struct prefix_list {
    const uint8_t *ends;
    const uint8_t *bytes;
    size_t count;
};

/* False when it breaks (P2) or does not end where it says. */
bool prefix_list_read(struct prefix_list *l, struct rd *from);
/* Whether key may be there; *behind: how many prefixes stand before it or at it. */
bool prefix_list_has(const struct prefix_list *l, struct bytes key, size_t *behind);
struct bytes prefix_list_at(const struct prefix_list *l, size_t i);

#endif
