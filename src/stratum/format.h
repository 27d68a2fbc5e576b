// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Private: the constants of docs/format/stratum.md and the types that the files of this room share.
 *
 * A stratum is a run of blocks and a footer. A block is a head of 12 bytes, its data (maybe
 * compressed, sealed, passed through a hook) and a checksum. Leaf blocks hold entries (point or
 * dense page); an index block has one fence per leaf; the root has one fence per index block.
 */
#ifndef STRATUM_FORMAT_H
#define STRATUM_FORMAT_H

#include "stratum/stratum.h"

enum {
    BLOCK_HEAD_SIZE = 12,
    BLOCK_SUM_SIZE = 8,
    FOOTER_SIZE = STRATUM_FOOTER_SIZE,
    FOOTER_IDS_AT = 176,
    FOOTER_HASH_AT = 248,
    FOOTER_OBJECT_HASH_AT = 240,
    HOOK_RESERVED_MAX = 256,
    INDEX_FAN_MIN = 8,       /* children of an index block, however long its separators */
    TAIL_READ_SIZE = 65536,  /* first read at open */
    TAIL_INDEX_MAX = 262144, /* index blocks up to this belong to the tail */
    GROUP_KEYS_MAX = 32768,  /* keys of one filter partition, about */
    GROUPS_SMALL_MAX = 1024, /* above it, index blocks become four times larger */
    RESTART_EVERY = 16
};
#define PAGE_COMPRESS_MAX ((size_t)16 << 20) /* larger pages are stored raw */
#define PAGE_RAW_MAX ((size_t)1 << 30)

#define FOOTER_MAGIC STRATUM_MAGIC
#define PROPS_MAGIC "BSNPROPS"
#define STRATUM_CONTEXT "BSNSTRAT" /* of the subkey */
#define VALUE_MAGIC STRATUM_VALUE_MAGIC
#define VALUE_CONTEXT "BSNVALUE"

/* Feature bits of the footer; an unknown one means another version. */
enum {
    FEATURE_SEALED = 1,
    FEATURE_HOOK = 2,
    FEATURE_FILTER = 4,
    FEATURE_RANGES = 8,
    FEATURE_COMPRESSED = 16,
    FEATURE_PREFIXES = 32,
    FEATURE_ALL = 63
};

enum block_kind {
    BLOCK_POINT = 1,
    BLOCK_DENSE = 2,
    BLOCK_INDEX = 3,
    BLOCK_ROOT = 4,
    BLOCK_FILTER = 5,
    BLOCK_RANGES = 6,
    BLOCK_PROPS = 7,
    BLOCK_FRAME = 8, /* of a value stratum */
    BLOCK_TABLE = 9, /* likewise */
    BLOCK_LEAF = 255 /* not stored: point or dense */
};

/* Flags of leaf pages; each is its own bit. */
enum {
    LEAF_WIDE = 1,      /* offsets are u32, not u16 */
    LEAF_MIXED = 2,     /* dense: a kind for each entry */
    LEAF_ALL_EMPTY = 4, /* every value is empty */
    LEAF_FLAGS = 7
};

/* Flags of nodes (index and root blocks); each is its own bit. */
enum {
    NODE_WIDE_AT = 1,
    NODE_WIDE_COUNT = 2,
    NODE_WIDE_SEQNO = 4,
    NODE_DELETES = 8,
    NODE_ROOT = 16,
    NODE_FILTERS = 32,
    NODE_FLAGS = 63
};

/* Parts of bytes and buffers that may be empty and without memory. */
static inline struct bytes
bytes_behind(struct bytes b, size_t n)
{
    return n ? bytes_of(b.data + n, b.size - n) : b;
}
static inline struct bytes
buf_part(const struct buf *b, size_t at, size_t n)
{
    return n ? bytes_of(b->data + at, n) : BYTES_NULL;
}

/* ------------------------------------------------------------------ blocks (block.c) */

/* How the blocks of one object are stored; made once per writer and reader. */
struct block_form {
    const basin_allocator *mem;
    uint64_t seed; /* of checksums: binds database and object */
    uint64_t database_id[2];
    uint64_t object_id[2];
    bool sealed;
    struct codec_key key; /* the object's subkey; wiped at release */
    const struct codec_hook *hook;
};

void block_form_init(struct block_form *f, const basin_allocator *mem,
                     const uint64_t database_id[2], const uint64_t object_id[2]);
void block_form_seal(struct block_form *f, const struct codec_key *data_key,
                     const uint8_t salt[CODEC_SALT_SIZE], const char context[8]);
void block_form_release(struct block_form *f);
/* Bytes around the data of every block. */
static inline size_t
block_overhead(const struct block_form *f)
{
    return (size_t)BLOCK_HEAD_SIZE + BLOCK_SUM_SIZE + (f->sealed ? CODEC_TAG_SIZE : 0) +
           (f->hook ? f->hook->reserved : 0);
}
/* True when the data of an uncompressed block stands in the object as it is. */
static inline bool
block_plain(const struct block_form *f)
{
    return !f->sealed && !f->hook;
}

struct block_head {
    uint8_t kind;
    uint8_t codec;
    uint32_t stored;
    uint32_t raw;
};

/* What goes into a block: its data, and the form of it that is compressed in its place, or an
 * empty one: then the data itself is. */
struct block_data {
    struct bytes raw;
    struct bytes packed;
};
/* Appends the stored form of `data` to `to`, for position `at`. codec may be CODEC_NONE. */
basin_status block_encode(const struct block_form *f, struct codec *codec, enum codec_id id,
                          int level, enum block_kind kind, uint64_t at,
                          const struct block_data *data, struct buf *to, bool *compressed,
                          basin_error *err);
/* Checks head and checksum of a whole stored block that stands at `at`. */
basin_status block_check(const struct block_form *f, struct bytes stored, uint64_t at,
                         enum block_kind kind, struct block_head *head, basin_error *err);
/* The same without the checksum, for blocks that were checked before. */
basin_status block_read_head(const struct block_form *f, struct bytes stored, enum block_kind kind,
                             struct block_head *head, basin_error *err);
/* Takes hook and seal off a checked stored block, in place, and gives its data (still compressed
 * when head->codec says so), which stays inside `stored`. */
basin_status block_unlock(const struct block_form *f, uint8_t *stored,
                          const struct block_head *head, uint64_t at, struct bytes *data,
                          basin_error *err);

/* ------------------------------------------------------------------ leaf pages (leaf.c) */

/* A leaf page as it lies in memory; offsets stay inside [0, size) also when the bytes change. */
struct leaf {
    const uint8_t *data;
    uint32_t size;
    uint32_t count;
    uint8_t kind; /* BLOCK_POINT or BLOCK_DENSE */
    uint8_t flags;
    uint8_t seqno_width;
    uint8_t entry_kind; /* dense, when not mixed */
    uint16_t prefix_size;
    uint16_t key_max;
    uint64_t seqno_base;
    uint32_t prints_at;  /* point: fingerprints */
    uint32_t offsets_at; /* point: count; dense: one per 16 */
    uint32_t kinds_at;   /* dense and mixed */
    uint32_t seqnos_at;
    uint32_t prefix_at;
    uint32_t entries_at;
};

enum { LEAF_HEAD_SIZE = 24 };

/* Fills the view. False when the arrays do not fit the page. Cheap: reads the head only. */
bool leaf_open(struct leaf *l, uint8_t kind, const uint8_t *data, size_t size);
/* Walks every entry: offsets, lengths, restarts. Done once per page, before any access below. */
basin_status leaf_validate(const struct leaf *l, basin_error *err);

static inline struct bytes
leaf_prefix(const struct leaf *l)
{
    return bytes_of(l->data + l->prefix_at, l->prefix_size);
}
uint64_t leaf_seqno(const struct leaf *l, uint32_t i);
enum entry_kind leaf_kind(const struct leaf *l, uint32_t i);

/* One entry of a point page: what follows the common prefix, and the value. */
struct slot {
    struct bytes rest;
    struct bytes value;
    enum entry_kind kind;
};

static inline uint32_t
leaf_offset(const struct leaf *l, uint32_t i)
{
    const uint8_t *p = l->data + l->offsets_at;
    uint32_t v = l->flags & LEAF_WIDE ? load_u32(p + (size_t)i * 4) : load_u16(p + (size_t)i * 2);
    uint32_t max = l->size - l->entries_at;

    return l->entries_at + MIN_OF(v, max);
}

/* Reads a LEB number of at most 32 bits inside [p, end); 0 past the end. */
static inline uint32_t
leaf_leb(const uint8_t **p, const uint8_t *end)
{
    uint32_t v = 0;

    for (unsigned shift = 0; *p < end && shift < 35; shift += 7) {
        uint8_t b = *(*p)++;
        v |= (uint32_t)(b & 0x7F) << (shift & 31);
        if (b < 0x80)
            break;
    }
    return v;
}

static inline struct slot
leaf_slot(const struct leaf *l, uint32_t i)
{
    uint32_t from = leaf_offset(l, i);
    uint32_t to = i + 1 < l->count ? leaf_offset(l, i + 1) : l->size;
    const uint8_t *p = l->data + from, *end = l->data + MAX_OF(from, to);
    uint32_t head = leaf_leb(&p, end);
    size_t rest = MIN_OF((size_t)(head >> 2), (size_t)(end - p));

    return (struct slot){ { p, rest },
                          { p + rest, (size_t)(end - p) - rest },
                          (enum entry_kind)(head & 3) };
}

/*
 * Place in a dense page: parsed entries of one group of 16, and the bytes of the current key. Key
 * bytes are built only when asked for.
 */
struct dense_at {
    uint32_t index;                 /* of the current entry */
    uint32_t parsed;                /* entries of the group that stand in the arrays */
    uint32_t next_at;               /* behind the last parsed entry */
    uint32_t own_at[RESTART_EVERY]; /* own bytes of each */
    uint16_t shared[RESTART_EVERY];
    uint16_t own[RESTART_EVERY];
};

/* Parses from the restart of entry `index` up to it. */
void dense_goto(const struct leaf *l, struct dense_at *d, uint32_t index);
/* Builds the current key behind prefix in key[], which holds a valid key that agrees with it on
 * `agree` bytes after the prefix. Returns its size after the prefix. */
size_t dense_build(const struct leaf *l, const struct dense_at *d, uint8_t *key, size_t agree);
/* Parses the entry behind the last parsed one. index moves there. False at the page's end. */
bool dense_step(const struct leaf *l, struct dense_at *d);

/* Where a search may begin: an entry known to come before the target, and its key. */
struct leaf_from {
    uint32_t index; /* LEAF_FROM_NONE: nothing is known. Dense: `d` stands at this entry */
    struct bytes key;
};
#define LEAF_FROM_NONE UINT32_MAX
/* First index whose (key, seqno) is at or after (key, snapshot); count when none. For a dense page
 * `d` is left at that entry (any place when none). Gallops from `from`. */
uint32_t leaf_seek(const struct leaf *l, struct dense_at *d, struct bytes key, uint64_t snapshot,
                   const struct leaf_from *from, uint64_t *compares);
/* First index whose key is greater than `key`; count when none. */
uint32_t leaf_seek_after(const struct leaf *l, struct dense_at *d, struct bytes key,
                         uint64_t *compares);
/* Exact lookup by fingerprint (point) or restarts (dense): index or UINT32_MAX. */
uint32_t leaf_find(const struct leaf *l, struct bytes key, uint64_t hash, uint64_t snapshot,
                   uint64_t *compares);

/* ------------------------------------------------------------------ packing leaves (pack.c) */

/* The packed form of a point page into `to` (cleared first). */
basin_status leaf_pack(struct bytes page, struct buf *to, basin_error *err);
/* The page of a packed form, in memory of `mem` that the caller frees; `data` is spoilt. Its
 * structure is still to be validated. */
basin_status leaf_unpack(uint8_t *data, size_t size, const basin_allocator *mem, uint8_t **page,
                         size_t *page_size, basin_error *err);

/* ------------------------------------------------------------------ building leaves (build.c) */

struct pending {
    size_t key_at;
    size_t value_at;
    uint32_t key_size;
    uint32_t value_size;
    uint32_t shared; /* with the previous key */
    uint64_t seqno;
    uint64_t hash;
    enum entry_kind kind;
};

/* The open page of a writer. */
struct leaf_builder {
    const basin_allocator *mem;
    struct buf keys;
    struct buf values;
    struct pending *entries;
    size_t entries_capacity;
    size_t count;
    bool all_empty;
    bool mixed;
    size_t prefix_size; /* shared by all keys so far */
    size_t key_bytes;   /* sums over the entries */
    size_t leb_bytes;
    size_t value_bytes;
    size_t dense_bytes; /* own bytes and lengths, with keys at restarts whole */
    size_t key_max;
    uint64_t seqno_min;
    uint64_t seqno_max;
    uint64_t seqno_elide; /* of the writer's options: for the size of the page */
    uint64_t deletes;
};

void leaf_builder_init(struct leaf_builder *b, const basin_allocator *mem);
void leaf_builder_release(struct leaf_builder *b);
void leaf_builder_clear(struct leaf_builder *b);
/* Page size at most, if the entry were added. */
size_t leaf_builder_size_with(const struct leaf_builder *b, const struct entry *e, size_t shared);
basin_status leaf_builder_add(struct leaf_builder *b, const struct entry *e, size_t shared,
                              uint64_t hash, basin_error *err);
struct bytes leaf_builder_key(const struct leaf_builder *b, size_t i);
/* Lays out the page into `to` (cleared first). elide: no sequence numbers. */
basin_status leaf_builder_finish(const struct leaf_builder *b, bool elide, struct buf *to,
                                 enum block_kind *kind, basin_error *err);

/* ------------------------------------------------------------------ nodes (node.c) */

/* What a fence says of its child. */
struct fence {
    uint64_t at;
    uint64_t entries; /* before the child, in the whole stratum */
    uint64_t deletes;
    uint64_t leaves; /* root only: leaf pages before the child */
    uint64_t seqno_max;
    uint64_t filter_at;
    uint32_t size;
    uint32_t filter_size;
    bool continues;       /* the child's first key is the last key of the child before it */
    uint64_t first_seqno; /* of the child's first entry, when it continues */
};

struct node {
    const uint8_t *data;
    uint32_t size;
    uint32_t count;
    uint8_t flags;
    uint16_t prefix_size;
    uint64_t first; /* ordinal of the first child */
    uint64_t at_base;
    uint64_t entries_base;
    uint64_t deletes_base;
    uint64_t seqno_base;
    uint32_t prefix_at;
    uint32_t prefixes_at; /* u64 per child */
    uint32_t places_at;   /* position and size of each child, side by side */
    uint32_t entries_at;
    uint32_t deletes_at;
    uint32_t seqnos_at;
    uint32_t leaves_at;
    uint32_t filters_at;
    uint32_t tails_at;   /* u32 end of each tail */
    uint32_t lengths_at; /* u16 separator length after the common prefix */
    uint32_t tail_bytes_at;
};

enum { NODE_HEAD_SIZE = 48 };

bool node_open(struct node *n, const uint8_t *data, size_t size);
basin_status node_validate(const struct node *n, bool root, basin_error *err);
void node_fence(const struct node *n, uint32_t i, struct fence *f);
/* Its place alone, from one cache line. */
static inline void
node_place(const struct node *n, uint32_t i, uint64_t *at, uint32_t *size)
{
    size_t wide = n->flags & NODE_WIDE_AT ? 8 : 4;
    const uint8_t *p = n->data + n->places_at + (size_t)i * (wide + 4);

    *at = n->at_base + (wide == 8 ? load_u64(p) : load_u32(p));
    *size = load_u32(p + wide);
}
/* The place of a group's filter; only when the node has filters. */
static inline void
node_filter_place(const struct node *n, uint32_t i, uint64_t *at, uint32_t *size)
{
    const uint8_t *p = n->data + n->filters_at + (size_t)i * 12;

    *at = load_u64(p);
    *size = load_u32(p + 8);
}
/* Entries, deletes, leaves before child i; i may be count. */
uint64_t node_entries(const struct node *n, uint32_t i);
uint64_t node_deletes(const struct node *n, uint32_t i);
uint64_t node_leaves(const struct node *n, uint32_t i);
uint64_t node_seqno(const struct node *n, uint32_t i);
/* The separator of child i into key[] (at most STRATUM_KEY_MAX bytes); returns its size. */
size_t node_separator(const struct node *n, uint32_t i, uint8_t *key);
size_t node_separator_size(const struct node *n, uint32_t i);
/*
 * The last child that begins before the place, or child 0: what is looked for is in it or is the
 * first entry behind it. `from` is a child known to begin before it.
 */
struct place {
    struct bytes key;
    uint64_t snapshot;
    bool after; /* behind every version of the key; snapshot is ignored */
};
uint32_t node_search(const struct node *n, const struct place *to, uint32_t from,
                     uint64_t *compares);
/* Whether child i goes on with versions of `key`. */
bool node_continues(const struct node *n, uint32_t i, struct bytes key);

struct node_builder {
    const basin_allocator *mem;
    struct buf keys; /* separators, one after the other */
    struct fence *fences;
    uint32_t *key_ends;
    size_t count;
    size_t capacity;
    size_t prefix_size;
    uint64_t first;
};

void node_builder_init(struct node_builder *b, const basin_allocator *mem);
void node_builder_release(struct node_builder *b);
void node_builder_clear(struct node_builder *b, uint64_t first);
basin_status node_builder_add(struct node_builder *b, struct bytes separator, const struct fence *f,
                              basin_error *err);
struct bytes node_builder_key(const struct node_builder *b, size_t i);
size_t node_builder_size(const struct node_builder *b);
/* end: entries, deletes and leaves behind the last child. */
basin_status node_builder_finish(const struct node_builder *b, bool root, bool filters,
                                 const struct fence *end, struct buf *to, basin_error *err);

/* ------------------------------------------------------------------ filters (filter.c) */

#define FILTER_SEED UINT64_C(0x426173696e463031)

static inline uint64_t
filter_hash(struct bytes key)
{
    return hash64(key.data, key.size, FILTER_SEED);
}
static inline uint8_t
filter_print(uint64_t hash)
{
    return (uint8_t)(hash >> 8);
}

/* Appends the bare lines of a partition over n hashes. */
basin_status filter_lines(const uint64_t *hashes, size_t n, uint32_t bits, struct buf *to,
                          basin_error *err);
/* Lays out a partition from its lines. data_at: position of the block's data in the object, so
 * that the lines come to lie on multiples of 64. */
basin_status filter_build(struct bytes lines, uint32_t bits, uint64_t data_at, struct buf *to,
                          basin_error *err);
basin_status filter_validate(const uint8_t *data, size_t size, uint32_t bits, uint64_t data_at,
                             basin_error *err);
/* Where the line of a hash lies in a stored filter of `stored` bytes, from the block's start. */
size_t filter_line_at(size_t stored, uint64_t data_at, uint64_t hash);
/* bits and data_at as when it was built: what follows from them is not read, to save a cache line.
 */
bool filter_may_have(const uint8_t *data, size_t size, uint32_t bits, uint64_t data_at,
                     uint64_t hash);

#endif
