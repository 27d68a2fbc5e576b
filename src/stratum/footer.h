// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Private: the footer of a stratum as a struct, with its encoder and its bounded decoder.
 * Format: docs/format/stratum.md, "Footer".
 */
#ifndef STRATUM_FOOTER_H
#define STRATUM_FOOTER_H

#include "stratum/format.h"

struct footer {
    uint32_t features;
    uint8_t salt[CODEC_SALT_SIZE];
    uint32_t page_size;
    uint16_t reserved; /* hook bytes per block */
    uint64_t leaves;
    uint64_t groups; /* index blocks */
    uint64_t root_at;
    uint32_t root_size;
    uint32_t ranges_size;
    uint64_t ranges_at;
    uint64_t props_at;
    uint32_t props_size;
    uint32_t filter_bits;
    uint64_t tail_at; /* from here on a reader keeps everything */
    uint64_t entries;
    uint64_t deletes;
    uint64_t merges;
    uint64_t refs;
    uint64_t range_tombstones;
    uint64_t seqno_min;
    uint64_t seqno_max;
    uint64_t raw_bytes;
    uint64_t database_id[2];
    uint64_t object_id[2];
    uint64_t object_hash; /* of all bytes before this field */
};

/* Writes the 240 bytes before the object hash. */
void footer_encode(const struct footer *f, uint8_t to[FOOTER_SIZE]);
/* Adds the object hash and the footer's own. */
void footer_finish(uint8_t to[FOOTER_SIZE], uint64_t object_hash);
/* size: of the whole object, against which every place is checked. */
basin_status footer_decode(const uint8_t from[FOOTER_SIZE], uint64_t size, struct footer *f,
                           basin_error *err);

#endif
