// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The footer: the last 256 bytes of a stratum, always plain, from which everything else is found.
 * Its magic, version, size and hash stand where every later version will keep them, so that a
 * newer stratum is told from a damaged one.
 * Format: docs/format/stratum.md, "Footer".
 */
#include "stratum/footer.h"

void
footer_encode(const struct footer *f, uint8_t to[FOOTER_SIZE])
{
    memset(to, 0, FOOTER_SIZE);
    memcpy(to, FOOTER_MAGIC, 8);
    store_u16(to + 8, STRATUM_VERSION);
    store_u16(to + 10, FOOTER_SIZE);
    store_u32(to + 12, f->features);
    memcpy(to + 16, f->salt, CODEC_SALT_SIZE);
    store_u32(to + 40, f->page_size);
    store_u16(to + 44, f->reserved);
    store_u64(to + 48, f->leaves);
    store_u64(to + 56, f->groups);
    store_u64(to + 64, f->root_at);
    store_u32(to + 72, f->root_size);
    store_u32(to + 76, f->ranges_size);
    store_u64(to + 80, f->ranges_at);
    store_u64(to + 88, f->props_at);
    store_u32(to + 96, f->props_size);
    store_u32(to + 100, f->filter_bits);
    store_u64(to + 104, f->tail_at);
    store_u64(to + 112, f->entries);
    store_u64(to + 120, f->deletes);
    store_u64(to + 128, f->merges);
    store_u64(to + 136, f->refs);
    store_u64(to + 144, f->range_tombstones);
    store_u64(to + 152, f->seqno_min);
    store_u64(to + 160, f->seqno_max);
    store_u64(to + 168, f->raw_bytes);
    store_u64(to + 176, f->database_id[0]);
    store_u64(to + 184, f->database_id[1]);
    store_u64(to + 192, f->object_id[0]);
    store_u64(to + 200, f->object_id[1]);
}

void
footer_finish(uint8_t to[FOOTER_SIZE], uint64_t object_hash)
{
    store_u64(to + FOOTER_OBJECT_HASH_AT, object_hash);
    store_u64(to + FOOTER_HASH_AT, hash64(to, FOOTER_HASH_AT, 0));
}

static void
footer_fields(struct rd *r, struct footer *f)
{
    struct bytes salt;

    f->features = rd_u32(r);
    salt = rd_bytes(r, CODEC_SALT_SIZE);
    if (salt.size == CODEC_SALT_SIZE)
        memcpy(f->salt, salt.data, CODEC_SALT_SIZE);
    f->page_size = rd_u32(r);
    f->reserved = rd_u16(r);
    rd_zeros(r, 2);
    f->leaves = rd_u64(r);
    f->groups = rd_u64(r);
    f->root_at = rd_u64(r);
    f->root_size = rd_u32(r);
    f->ranges_size = rd_u32(r);
    f->ranges_at = rd_u64(r);
    f->props_at = rd_u64(r);
    f->props_size = rd_u32(r);
    f->filter_bits = rd_u32(r);
    f->tail_at = rd_u64(r);
    f->entries = rd_u64(r);
    f->deletes = rd_u64(r);
    f->merges = rd_u64(r);
    f->refs = rd_u64(r);
    f->range_tombstones = rd_u64(r);
    f->seqno_min = rd_u64(r);
    f->seqno_max = rd_u64(r);
    f->raw_bytes = rd_u64(r);
    for (int i = 0; i < 2; i++)
        f->database_id[i] = rd_u64(r);
    for (int i = 0; i < 2; i++)
        f->object_id[i] = rd_u64(r);
    rd_zeros(r, FOOTER_OBJECT_HASH_AT - 208);
    f->object_hash = rd_u64(r);
}

/* The blocks behind the leaves stand in order and end where the footer begins. */
static bool
places_fit(const struct footer *f, uint64_t end)
{
    if (f->root_at > end || f->ranges_at > end || f->props_at > end)
        return false;
    if (f->root_at + f->root_size != f->ranges_at || f->ranges_at + f->ranges_size != f->props_at ||
        f->props_at + f->props_size != end || f->tail_at > f->root_at)
        return false;
    if ((f->leaves == 0) != (f->groups == 0) || (f->leaves == 0) != (f->root_size == 0) ||
        (f->leaves == 0) != (f->entries == 0))
        return false;
    if ((f->ranges_size != 0) != !!(f->features & FEATURE_RANGES))
        return false;
    return f->leaves <= end / BLOCK_HEAD_SIZE && f->groups <= f->leaves &&
           f->reserved <= HOOK_RESERVED_MAX;
}

basin_status
footer_decode(const uint8_t from[FOOTER_SIZE], uint64_t size, struct footer *f, basin_error *err)
{
    struct rd r = rd_over(from, FOOTER_HASH_AT);
    uint64_t hash = hash64(from, FOOTER_HASH_AT, 0);
    uint16_t version, footer_size;
    basin_status st = BASIN_OK;

    memset(f, 0, sizeof(*f));
    must(size >= FOOTER_SIZE);
    if (memcmp(from, FOOTER_MAGIC, 8) != 0)
        FAIL(err, BASIN_CORRUPT, "footer: no stratum ends here");
    if (hash != load_u64(from + FOOTER_HASH_AT))
        FAIL(err, BASIN_CORRUPT, "footer: checksum %016llx is not %016llx",
             (unsigned long long)hash, (unsigned long long)load_u64(from + FOOTER_HASH_AT));
    (void)rd_u64(&r);
    version = rd_u16(&r);
    footer_size = rd_u16(&r);
    if (version != STRATUM_VERSION)
        FAIL(err, BASIN_VERSION, "footer: format %u, this build reads %d", version,
             STRATUM_VERSION);
    footer_fields(&r, f);
    if (f->features & ~(uint32_t)FEATURE_ALL)
        FAIL(err, BASIN_VERSION, "footer: features %08x, this build knows %08x", f->features,
             FEATURE_ALL);
    if (!rd_done(&r) || footer_size != FOOTER_SIZE || !places_fit(f, size - FOOTER_SIZE))
        FAIL(err, BASIN_CORRUPT, "footer: the places of its blocks do not fit %llu bytes",
             (unsigned long long)size);
out:
    return st;
}
