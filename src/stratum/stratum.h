// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Door of the room stratum: writes and reads one immutable sorted container through a sink and a
 * source, never knowing whether that is a file, a bucket or a test's buffer. Also value strata,
 * which hold large values out of line.
 *
 * A stratum is an ordered run of entries plus range tombstones, written in one pass without a seek
 * (docs/format/stratum.md is the law). Order of entries: key ascending (memcmp, then shorter
 * first), then seqno descending (newest first).
 *
 * Threads:  a stratum is immutable and shared after open; a cursor, a hit and a writer are
 *           confined. The page cache is shared and locks by itself; its hit path takes no lock.
 * Errors:   bytes that fail a check are CORRUPT with "stratum NAME: page N at P: ..."; never an
 *           assertion, never an allocation of an unchecked size.
 */
#ifndef STRATUM_H
#define STRATUM_H

#include "base/base.h"
#include "codec/codec.h"

#define STRATUM_MAGIC "BSNSTRAT"
#define STRATUM_VALUE_MAGIC "BSNVALUE"
enum {
    STRATUM_VERSION = 0,       /* draft */
    STRATUM_VALUE_VERSION = 0, /* draft */
    STRATUM_FOOTER_SIZE = 256, /* of a value stratum too: all that it holds beside values */
    STRATUM_KEY_MAX = 65535,
    STRATUM_PAGE_SIZE_MIN = 256,
    STRATUM_PAGE_SIZE_MAX = 65536,
    STRATUM_PAGE_SIZE_DEFAULT = 4096,
    STRATUM_VALUE_MAX = 1 << 28, /* inline; larger ones belong into a value stratum */
    STRATUM_META_MAX = 1 << 20,
    STRATUM_PREFIXES_MAX = 1024, /* in the list of a stratum */
    STRATUM_PREFIX_SIZE_MAX = 16 /* a longer one is cut */
};

enum entry_kind {
    ENTRY_PUT = 0,    /* value inline */
    ENTRY_DELETE = 1, /* tombstone, value empty */
    ENTRY_MERGE = 2,  /* operand, resolved above this room */
    ENTRY_REF = 3     /* a put whose value bytes are a reference, opaque here */
};

struct entry {
    struct bytes key;
    struct bytes value;
    uint64_t seqno; /* 0 in a sealed page that carries none: visible to every snapshot */
    enum entry_kind kind;
};

/* Deletes every entry in [begin, end) whose seqno is smaller, in this stratum and in older ones. */
struct range_tombstone {
    struct bytes begin;
    struct bytes end;
    bool unbounded; /* end is the end of all keys; then end is empty */
    uint64_t seqno;
};

/* Counters, shared by all strata of a database (E65). */
/* cache_hits, filter_checks and filter_rejects may lose updates when threads collide. */
struct stratum_counters {
    _Atomic uint64_t pages_read; /* pages fetched from a source, or first touched in a map */
    _Atomic uint64_t bytes_read;
    _Atomic uint64_t pages_written;
    _Atomic uint64_t bytes_written;
    _Atomic uint64_t cache_hits;
    _Atomic uint64_t cache_misses;
    _Atomic uint64_t filter_checks;
    _Atomic uint64_t filter_rejects;
    _Atomic uint64_t filter_bytes; /* bytes of filter partitions read */
    _Atomic uint64_t key_compares; /* counted only with BASIN_DEBUG */
};

/* ------------------------------------------------------------------ page cache */
/*
 * Decoded pages of strata that cannot be mapped (compressed, encrypted, remote). Per stratum an
 * array page -> frame, CLOCK eviction, pins by a counter in the frame.
 */
struct stratum_cache;
basin_status stratum_cache_new(const basin_allocator *mem, size_t size_max,
                               struct stratum_cache **out, basin_error *err);
void stratum_cache_free(struct stratum_cache *c); /* after all strata that use it are closed */
void stratum_cache_resize(struct stratum_cache *c, size_t size_max);
size_t stratum_cache_used(const struct stratum_cache *c);

/* ------------------------------------------------------------------ writing */

/*
 * How many bytes the first elements of a key take, 1 or 2 of them; what is there of them when the
 * key ends before. Elements tell where they end: keys that go on behind the same prefix have it
 * both, and keys in order have prefixes in order. Pure.
 */
typedef size_t stratum_prefix_fn(struct bytes key, unsigned elements);

struct stratum_write_options {
    const basin_allocator *mem;
    size_t page_size; /* raw target; a longer entry makes a larger page */
    enum codec_id codec;
    int codec_level;
    uint32_t filter_bits;             /* per key; 0 = no filter */
    stratum_prefix_fn *prefix;        /* a list of these is kept while short; NULL = none */
    const struct codec_key *data_key; /* NULL = not encrypted; a subkey is derived from it */
    const struct codec_hook *hook;    /* NULL = none */
    uint64_t database_id[2];          /* bound into checksums and associated data */
    uint64_t object_id[2];            /* epoch and number of the object's name, bound likewise */
    uint8_t salt[CODEC_SALT_SIZE];    /* random, drawn by the caller for this object */
    uint64_t seqno_elide; /* a page whose seqnos are all <= this, and that no range tombstone
                             of this stratum overlaps, carries none */
    struct stratum_counters *counters; /* may be NULL */
};

/* What is known of a finished or opened stratum. Keys are borrowed from the writer or reader. */
struct stratum_summary {
    struct bytes first_key; /* smallest key or range begin */
    struct bytes last_key;  /* largest key or range end (then last_key_excluded) */
    bool last_key_excluded;
    bool last_unbounded; /* a range tombstone without end */
    uint64_t entries;
    uint64_t deletes; /* point tombstones */
    uint64_t merges;
    uint64_t range_tombstones;
    uint64_t refs;
    uint64_t seqno_max;
    uint64_t seqno_min;
    uint64_t raw_bytes; /* key and value bytes before any encoding */
    uint64_t size;      /* of the object */
    uint64_t pages;     /* leaf pages */
    uint64_t hash;      /* XXH3-64 of the whole object before its footer's own hash field */
};

struct stratum_writer;
/* The sink is borrowed and must outlive the writer; finish does not commit it. */
basin_status stratum_writer_new(const struct stratum_write_options *options, struct sink *to,
                                struct stratum_writer **out, basin_error *err);
/* Range tombstones come before the first entry, or with seqno_elide 0 at any time before finish (a
 * merge knows the bounds of a stratum only when it cuts): non-overlapping fragments ascending by
 * begin; for one fragment, several seqnos descending. */
basin_status stratum_writer_add_range(struct stratum_writer *w, const struct range_tombstone *t,
                                      basin_error *err);
/* MISUSE when not in order (a duplicate (key, seqno) is out of order, unless both are 0). */
basin_status stratum_writer_add(struct stratum_writer *w, const struct entry *e, basin_error *err);
/* Bytes the object has so far, for cutting at a size. */
uint64_t stratum_writer_size(const struct stratum_writer *w);
/* An opaque blob of at most 1 MiB kept with the stratum (the engine's list of referenced value
 * strata). Before finish. */
basin_status stratum_writer_set_meta(struct stratum_writer *w, struct bytes meta, basin_error *err);
/* Writes index, filters and footer. END when nothing was added: then nothing was written.
 * The summary's keys are valid until the writer is freed. */
basin_status stratum_writer_finish(struct stratum_writer *w, struct stratum_summary *summary,
                                   basin_error *err);
void stratum_writer_free(struct stratum_writer *w);

/* ------------------------------------------------------------------ reading */

struct stratum_read_options {
    const basin_allocator *mem;
    struct stratum_cache *cache;      /* needed unless the source maps */
    const struct codec_key *data_key; /* NULL: an encrypted stratum gives WRONG_KEY */
    const struct codec_hook *hook;
    uint64_t database_id[2];
    uint64_t object_id[2];
    struct stratum_counters *counters; /* may be NULL */
    bool no_map;                       /* read through the cache although the source maps */
    bool verify_always;                /* check a mapped page's checksum at every touch */
    uint64_t seqno_max; /* 0: as stored. Else what the largest stored seqno counts as: every other
                           one is shown larger by the same difference */
};

struct stratum;
/* Takes ownership of the source, also when it fails. Reads the tail only (footer, upper index,
 * properties, range tombstones): one ranged read when the tail is below 64 KiB. */
basin_status stratum_open(struct source *from, const struct stratum_read_options *options,
                          struct stratum **out, basin_error *err);
void stratum_close(struct stratum *s);
/* Valid as long as the stratum. */
const struct stratum_summary *stratum_summary_of(const struct stratum *s);
struct bytes stratum_meta(const struct stratum *s);
/* The range tombstones, as fragments in order; valid as long as the stratum. */
const struct range_tombstone *stratum_ranges(const struct stratum *s, size_t *count);
/* Largest seqno <= snapshot of a range tombstone that covers key, or 0. O(log n). */
uint64_t stratum_range_covering(const struct stratum *s, struct bytes key, uint64_t snapshot);

/* The newest version of key with seqno <= snapshot. NOT_FOUND is an ordinary result, mostly from
 * the filter alone. Range tombstones are not applied. hit->entry is valid until stratum_unpin,
 * and without a pin as long as the stratum; its key is the caller's. */
struct stratum_hit {
    struct entry entry;
    void *pin; /* private; NULL when the entry lies in a map */
};
basin_status stratum_get(struct stratum *s, struct bytes key, uint64_t snapshot,
                         struct stratum_hit *hit, basin_error *err);
void stratum_unpin(struct stratum *s, struct stratum_hit *hit);
/*
 * The same in two steps, for a key that several strata are asked for: aiming at each first lets the
 * waits for their memory overlap. The stratum must have entries.
 */
struct stratum_aim {
    struct stratum *s;
    uint64_t hash; /* of the key, from stratum_hash */
    uint32_t group;
};
uint64_t stratum_hash(struct bytes key);
struct stratum_aim stratum_aim_at(struct stratum *s, struct bytes key, uint64_t snapshot,
                                  uint64_t hash);
basin_status stratum_get_aimed(const struct stratum_aim *aim, struct bytes key, uint64_t snapshot,
                               struct stratum_hit *hit, basin_error *err);

/*
 * Cursor over one stratum: raw (every version, tombstones included; range tombstones not applied).
 * Moving past an end, and seeking what is not there, is OK and leaves the cursor invalid.
 * After a failed call it is invalid. entry (key, value) stays valid until the next call on the
 * cursor. Stepping from an invalid cursor keeps it invalid. No allocation per step; the key buffer
 * grows to the longest key seen.
 */
struct stratum_cursor;
basin_status stratum_cursor_open(struct stratum *s, struct stratum_cursor **out, basin_error *err);
void stratum_cursor_close(struct stratum_cursor *c);
basin_status stratum_cursor_first(struct stratum_cursor *c, basin_error *err);
basin_status stratum_cursor_last(struct stratum_cursor *c, basin_error *err);
/* First entry with (key, seqno) at or after (key, snapshot) in stratum order: the newest version
 * of key with seqno <= snapshot, or the first entry of the next key. Gallops forward from the
 * current position when the target is ahead. */
basin_status stratum_cursor_seek_ge(struct stratum_cursor *c, struct bytes key, uint64_t snapshot,
                                    basin_error *err);
/* Last entry whose key is <= key, i.e. the oldest version of the largest key <= key. */
basin_status stratum_cursor_seek_le(struct stratum_cursor *c, struct bytes key, basin_error *err);
basin_status stratum_cursor_next(struct stratum_cursor *c, basin_error *err);
basin_status stratum_cursor_prev(struct stratum_cursor *c, basin_error *err);
bool stratum_cursor_valid(const struct stratum_cursor *c);
/* Only when valid. */
const struct entry *stratum_cursor_entry(const struct stratum_cursor *c);
/* Compares the current key with `key` in place: <0, 0, >0. */
int stratum_cursor_compare(const struct stratum_cursor *c, struct bytes key);

/* False when the list of prefixes proves that no entry has a key from lower to upper (NULL: no such
 * bound). Range tombstones are not asked about. Reads nothing. */
bool stratum_may_hold(const struct stratum *s, const struct bytes *lower, const struct bytes *upper,
                      bool upper_excluded);

/* Entries with keys before `key`, from fences and one page: exact within this stratum. */
basin_status stratum_rank(struct stratum *s, struct bytes key, uint64_t *entries_before,
                          basin_error *err);
/* False when the fences (and range tombstones) prove that no entry in [begin, end) has a
 * seqno > since. unbounded: end is ignored. */
basin_status stratum_changed_since(struct stratum *s, struct bytes begin, struct bytes end,
                                   bool unbounded, uint64_t since, bool *changed, basin_error *err);
/* The same of the range tombstones alone, and exact. */
bool stratum_ranges_changed_since(const struct stratum *s, struct bytes begin, struct bytes end,
                                  bool unbounded, uint64_t since);

/* One row per leaf page, for partial merges (E43): bounds and counts. The separator is valid during
 * the call; that of the first page is the first key. What fn returns, if not OK, ends the walk and
 * is returned. */
struct stratum_fence {
    struct bytes separator; /* shortest s with last(previous) < s <= first(this) */
    uint64_t entries_before;
    uint64_t deletes_before;
    uint64_t seqno_max;
    uint64_t at;
    uint32_t stored_size;
};
typedef basin_status stratum_fence_fn(void *ctx, const struct stratum_fence *f);
basin_status stratum_each_fence(struct stratum *s, stratum_fence_fn *fn, void *ctx,
                                basin_error *err);

/*
 * Verifies everything: whole-object hash, each page's checksum, order of keys, fences, counts,
 * filter against keys. Every fault found is reported through fn (may be NULL) and the first one is
 * returned. Without the key an encrypted stratum is checked as far as its stored bytes go.
 */
typedef void stratum_fault_fn(void *ctx, const basin_error *fault, struct bytes key_from,
                              struct bytes key_to);
basin_status stratum_verify(struct stratum *s, stratum_fault_fn *fn, void *ctx, basin_error *err);
/* What the footer of a stratum or value stratum says, without a key. The source is borrowed. */
struct stratum_identity {
    bool values; /* a value stratum */
    bool sealed;
    uint64_t database_id[2], object_id[2];
    uint64_t hash; /* of the object */
};
basin_status stratum_identify(struct source *from, struct stratum_identity *out, basin_error *err);
/* The part of verifying that needs no key and opens nothing, of a stratum or value stratum: footer
 * and whole-object hash. The source is borrowed. */
basin_status stratum_check_stored(struct source *from, const basin_allocator *mem,
                                  basin_error *err);
/*
 * Salvage cursor behaviour: with skip_damage set, a cursor that meets a damaged leaf page reports
 * it through fn (bounds = the lost key range) and goes on behind it.
 */
void stratum_cursor_skip_damage(struct stratum_cursor *c, stratum_fault_fn *fn, void *ctx);

/* ------------------------------------------------------------------ value strata */
/*
 * Large values in independent frames of 64 KiB, each checksummed, optionally compressed and
 * sealed, so that any part can be read. docs/format/value-stratum.md.
 */
struct value_ref {
    uint64_t at;     /* of the first frame */
    uint64_t size;   /* of the value */
    uint64_t stored; /* bytes that the value takes in the object, frame table included */
};

struct value_writer;
basin_status value_writer_new(const struct stratum_write_options *options, struct sink *to,
                              struct value_writer **out, basin_error *err);
/* One value after the other: add any number of pieces, then end. */
basin_status value_writer_add(struct value_writer *w, struct bytes piece, basin_error *err);
basin_status value_writer_end(struct value_writer *w, struct value_ref *ref, basin_error *err);
uint64_t value_writer_size(const struct value_writer *w);
/* Footer with counts and hash. END when no value was ended: nothing usable was written. */
basin_status value_writer_finish(struct value_writer *w, uint64_t *count, uint64_t *size,
                                 basin_error *err);
void value_writer_free(struct value_writer *w);

struct value_stratum;
/* Takes ownership of the source. Reads header and footer only. */
basin_status value_open(struct source *from, const struct stratum_read_options *options,
                        struct value_stratum **out, basin_error *err);
void value_close(struct value_stratum *v);
/* Reads value bytes [offset, offset + n) into `to`; *got < n only at the value's end. */
basin_status value_read(struct value_stratum *v, const struct value_ref *ref, uint64_t offset,
                        void *to, size_t n, size_t *got, basin_error *err);
basin_status value_verify(struct value_stratum *v, basin_error *err);
/* What the footer counts: values, and their bytes before compression. */
void value_counts(const struct value_stratum *v, uint64_t *values, uint64_t *bytes);

#endif
