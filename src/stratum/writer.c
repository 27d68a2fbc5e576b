// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The stratum writer: one pass from entries in order to an append-only sink.
 *
 *     add -> [leaf page] -> close_leaf -> fence into [index block] -> close_group -> held
 *     held (filter partitions and index blocks, at most HOLD_MAX) -> flush_held -> fence into root
 *     finish: flush, root, range tombstones, properties, footer
 *
 * Memory: the open leaf, the open index block with its filter's hashes, what is held, the root.
 * It never seeks, never reads back, and writes nothing when nothing was added.
 * Format: docs/format/stratum.md.
 */
#include "stratum/footer.h"
#include "stratum/prefix.h"

#define HOLD_MAX (4 * MIB)

/* A finished group: filter partition, index block and separator, one after the other in `held`. */
struct held_group {
    size_t filter_size;
    size_t index_size;
    size_t separator_size;
    struct fence fence;
};

struct held_range {
    size_t begin_at;
    size_t begin_size;
    size_t end_at;
    size_t end_size;
    bool unbounded;
    uint64_t seqno;
};

struct stratum_writer {
    struct stratum_write_options options;
    struct sink *sink;
    struct block_form form;
    struct codec *codec;
    struct hash_stream *hash;
    basin_status failed; /* the first failure; sticky */
    bool finished;

    size_t room; /* for the data of a leaf page */
    struct leaf_builder leaf;
    struct buf page;   /* a page's data */
    struct buf packed; /* the form of it that is compressed, see pack.c */
    struct buf block;  /* its stored form */
    struct node_builder index;
    size_t index_size; /* target */
    struct buf hashes; /* u64 of each distinct key of the group */
    uint64_t last_hash;
    struct fence group; /* of the open group: its first leaf */
    struct prefix_builder prefixes;

    struct buf held;
    struct held_group *groups;
    size_t groups_count;
    size_t groups_capacity;
    unsigned flushes;
    struct node_builder root;

    struct buf ranges; /* keys of the range tombstones */
    struct held_range *range;
    size_t range_count;
    size_t range_capacity;

    struct buf first_key;
    struct buf last_key; /* of the last closed leaf; after finish: of the stratum */
    struct buf meta;
    uint64_t written;
    struct footer sum;
    bool last_key_excluded;
    bool last_unbounded;
};

/* ------------------------------------------------------------------ life */

basin_status
stratum_writer_new(const struct stratum_write_options *options, struct sink *to,
                   struct stratum_writer **out, basin_error *err)
{
    struct stratum_writer *w = NULL;
    basin_status st = BASIN_OK;

    *out = NULL;
    if (options->page_size < STRATUM_PAGE_SIZE_MIN || options->page_size > STRATUM_PAGE_SIZE_MAX)
        FAIL(err, BASIN_MISUSE, "page size %zu is outside %d..%d", options->page_size,
             STRATUM_PAGE_SIZE_MIN, STRATUM_PAGE_SIZE_MAX);
    if (options->hook && options->hook->reserved > HOOK_RESERVED_MAX)
        FAIL(err, BASIN_MISUSE, "page hook reserves %zu bytes, at most %d", options->hook->reserved,
             HOOK_RESERVED_MAX);
    if (options->codec >= CODEC_COUNT || options->filter_bits > 64)
        FAIL(err, BASIN_MISUSE, "codec %d or %u filter bits are unknown", (int)options->codec,
             options->filter_bits);
    w = mem_new(options->mem, sizeof(*w));
    if (!w)
        FAIL(err, BASIN_NO_MEM, "no memory for a stratum writer");
    w->options = *options;
    w->sink = to;
    block_form_init(&w->form, options->mem, options->database_id, options->object_id);
    w->form.hook = options->hook;
    if (options->data_key)
        block_form_seal(&w->form, options->data_key, options->salt, STRATUM_CONTEXT);
    leaf_builder_init(&w->leaf, options->mem);
    w->leaf.seqno_elide = options->seqno_elide;
    node_builder_init(&w->index, options->mem);
    node_builder_init(&w->root, options->mem);
    buf_init(&w->page, options->mem);
    buf_init(&w->packed, options->mem);
    buf_init(&w->block, options->mem);
    buf_init(&w->hashes, options->mem);
    buf_init(&w->held, options->mem);
    buf_init(&w->ranges, options->mem);
    buf_init(&w->first_key, options->mem);
    buf_init(&w->last_key, options->mem);
    buf_init(&w->meta, options->mem);
    prefix_builder_init(&w->prefixes, options->mem, options->prefix);
    w->room = MAX_OF(options->page_size, block_overhead(&w->form) + 64) - block_overhead(&w->form);
    w->index_size = options->page_size * 4;
    w->hash = hash_stream_new(w->form.seed);
    if (!w->hash)
        FAIL(err, BASIN_NO_MEM, "no memory for a hash");
    if (options->codec != CODEC_NONE)
        TRY(codec_new(options->mem, &w->codec, err));
    *out = w;
    w = NULL;
out:
    stratum_writer_free(w);
    return st;
}

void
stratum_writer_free(struct stratum_writer *w)
{
    if (!w)
        return;
    codec_free(w->codec);
    hash_stream_free(w->hash);
    block_form_release(&w->form);
    leaf_builder_release(&w->leaf);
    node_builder_release(&w->index);
    node_builder_release(&w->root);
    buf_release(&w->page);
    buf_release(&w->packed);
    buf_release(&w->block);
    buf_release(&w->hashes);
    buf_release(&w->held);
    buf_release(&w->ranges);
    buf_release(&w->first_key);
    buf_release(&w->last_key);
    buf_release(&w->meta);
    prefix_builder_release(&w->prefixes);
    mem_free(w->options.mem, w->groups, w->groups_capacity * sizeof(*w->groups));
    mem_free(w->options.mem, w->range, w->range_capacity * sizeof(*w->range));
    mem_free(w->options.mem, w, sizeof(*w));
}

static basin_status
no_mem(basin_error *err)
{
    return error_set(err, BASIN_NO_MEM, "no memory for a stratum writer");
}

/* Doubles an array of items of a size. */
static bool
grow(const basin_allocator *mem, void **array, size_t *capacity, size_t item)
{
    size_t more = *capacity ? *capacity * 2 : 16;
    void *p = mem->resize(mem->ctx, *array, *capacity * item, more * item);

    if (!p)
        return false;
    *array = p;
    *capacity = more;
    return true;
}

static basin_status
emit(struct stratum_writer *w, const void *p, size_t n, basin_error *err)
{
    basin_status st = w->sink->ops->write(w->sink, p, n, err);

    if (st != BASIN_OK)
        return st;
    hash_stream_add(w->hash, p, n);
    w->written += n;
    if (w->options.counters)
        atomic_fetch_add_explicit(&w->options.counters->bytes_written, n, memory_order_relaxed);
    return BASIN_OK;
}

/* Writes one block and tells where it went. */
static basin_status
emit_block(struct stratum_writer *w, enum codec_id codec, enum block_kind kind, struct bytes data,
           uint64_t *at, uint32_t *size, basin_error *err)
{
    struct block_data forms = { .raw = data };
    bool compressed = false;
    basin_status st;

    *at = w->written;
    buf_clear(&w->block);
    if (kind == BLOCK_POINT && codec != CODEC_NONE && data.size <= PAGE_COMPRESS_MAX) {
        TRY(leaf_pack(data, &w->packed, err));
        forms.packed = buf_bytes(&w->packed);
    }
    TRY(block_encode(&w->form, w->codec, codec, w->options.codec_level, kind, w->written, &forms,
                     &w->block, &compressed, err));
    if (compressed)
        w->sum.features |= FEATURE_COMPRESSED;
    TRY(emit(w, w->block.data, w->block.size, err));
    *size = (uint32_t)w->block.size;
    if (w->options.counters)
        atomic_fetch_add_explicit(&w->options.counters->pages_written, 1, memory_order_relaxed);
    if (w->block.capacity > 4 * MIB) {
        buf_release(&w->block);
        buf_release(&w->packed);
    }
out:
    return st;
}

/* ------------------------------------------------------------------ range tombstones */

static struct bytes
range_begin(const struct stratum_writer *w, const struct held_range *r)
{
    return buf_part(&w->ranges, r->begin_at, r->begin_size);
}

static struct bytes
range_end(const struct stratum_writer *w, const struct held_range *r)
{
    return buf_part(&w->ranges, r->end_at, r->end_size);
}

/* Whether t may stand behind the last range: the same fragment and older, or behind its end. */
static bool
range_in_order(const struct stratum_writer *w, const struct range_tombstone *t)
{
    const struct held_range *last;

    if (!t->unbounded && bytes_compare(t->begin, t->end) >= 0)
        return false;
    if (w->range_count == 0)
        return true;
    last = &w->range[w->range_count - 1];
    if (bytes_equal(range_begin(w, last), t->begin) && last->unbounded == t->unbounded &&
        bytes_equal(range_end(w, last), t->unbounded ? BYTES_NULL : t->end))
        return t->seqno < last->seqno;
    return !last->unbounded && bytes_compare(range_end(w, last), t->begin) <= 0;
}

static basin_status
range_keep(struct stratum_writer *w, const struct range_tombstone *t)
{
    struct bytes end = t->unbounded ? BYTES_NULL : t->end;
    struct held_range *r;

    if (w->range_count == w->range_capacity &&
        !grow(w->options.mem, (void **)&w->range, &w->range_capacity, sizeof(*w->range)))
        return BASIN_NO_MEM;
    if (buf_reserve(&w->ranges, t->begin.size + end.size) != BASIN_OK)
        return BASIN_NO_MEM;
    r = &w->range[w->range_count++];
    *r = (struct held_range){ .begin_at = w->ranges.size,
                              .begin_size = t->begin.size,
                              .end_at = w->ranges.size + t->begin.size,
                              .end_size = end.size,
                              .unbounded = t->unbounded,
                              .seqno = t->seqno };
    if (t->begin.size)
        memcpy(w->ranges.data + r->begin_at, t->begin.data, t->begin.size);
    if (end.size)
        memcpy(w->ranges.data + r->end_at, end.data, end.size);
    w->ranges.size += t->begin.size + end.size;
    return BASIN_OK;
}

static void
note_seqno(struct stratum_writer *w, uint64_t seqno)
{
    bool first = w->sum.entries == 0 && w->sum.range_tombstones == 0;

    w->sum.seqno_min = first ? seqno : MIN_OF(w->sum.seqno_min, seqno);
    w->sum.seqno_max = MAX_OF(w->sum.seqno_max, seqno);
}

basin_status
stratum_writer_add_range(struct stratum_writer *w, const struct range_tombstone *t,
                         basin_error *err)
{
    basin_status st = BASIN_OK;

    if (w->failed != BASIN_OK || w->finished)
        FAIL(err, BASIN_MISUSE, "range tombstone after the end or after a failure");
    if (w->sum.entries != 0 && w->options.seqno_elide != 0)
        FAIL(err, BASIN_MISUSE, "range tombstone after the first entry, and seqnos may be gone");
    if (t->begin.size > STRATUM_KEY_MAX || (!t->unbounded && t->end.size > STRATUM_KEY_MAX))
        FAIL(err, BASIN_LIMIT, "range tombstone with a bound over %d bytes", STRATUM_KEY_MAX);
    if (!range_in_order(w, t))
        FAIL(err, BASIN_MISUSE, "range tombstone %zu is empty, overlaps or is out of order",
             w->range_count);
    if (range_keep(w, t) != BASIN_OK) {
        st = no_mem(err);
        goto out;
    }
    note_seqno(w, t->seqno);
    w->sum.range_tombstones++;
    w->sum.raw_bytes += t->begin.size + (t->unbounded ? 0 : t->end.size);
out:
    if (st != BASIN_OK)
        w->failed = st;
    return st;
}

/* Whether a range tombstone touches [first, last]. */
static bool
range_overlaps(const struct stratum_writer *w, struct bytes first, struct bytes last)
{
    size_t lo = 0, hi = w->range_count;

    while (lo < hi) { /* the first range that ends behind `first` */
        size_t mid = lo + (hi - lo) / 2;
        const struct held_range *r = &w->range[mid];
        if (!r->unbounded && bytes_compare(range_end(w, r), first) <= 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < w->range_count && bytes_compare(range_begin(w, &w->range[lo]), last) <= 0;
}

/* ------------------------------------------------------------------ leaves and groups */

/* The place behind everything closed so far, as the end of a node. */
static struct fence
end_fence(const struct stratum_writer *w)
{
    return (struct fence){ .entries = w->sum.entries - w->leaf.count,
                           .deletes = w->sum.deletes - w->leaf.deletes,
                           .leaves = w->sum.leaves };
}

static basin_status
flush_filters(struct stratum_writer *w, basin_error *err)
{
    size_t at = 0;
    basin_status st = BASIN_OK;

    for (size_t i = 0; i < w->groups_count; i++) {
        struct held_group *g = &w->groups[i];
        if (g->filter_size) {
            buf_clear(&w->page);
            TRY(filter_build(bytes_of(w->held.data + at, g->filter_size), w->options.filter_bits,
                             w->written + BLOCK_HEAD_SIZE, &w->page, err));
            TRY(emit_block(w, CODEC_NONE, BLOCK_FILTER, buf_bytes(&w->page), &g->fence.filter_at,
                           &g->fence.filter_size, err));
        }
        at += g->filter_size + g->index_size + g->separator_size;
    }
out:
    return st;
}

static basin_status
flush_held(struct stratum_writer *w, basin_error *err)
{
    size_t at = 0;
    basin_status st;

    TRY(flush_filters(w, err));
    w->sum.tail_at = w->written;
    for (size_t i = 0; i < w->groups_count; i++) {
        struct held_group *g = &w->groups[i];
        const uint8_t *index = w->held.data + at + g->filter_size;
        TRY(emit_block(w, CODEC_NONE, BLOCK_INDEX, bytes_of(index, g->index_size), &g->fence.at,
                       &g->fence.size, err));
        TRY(node_builder_add(&w->root, bytes_of(index + g->index_size, g->separator_size),
                             &g->fence, err));
        at += g->filter_size + g->index_size + g->separator_size;
    }
    w->groups_count = 0;
    buf_clear(&w->held);
    w->flushes++;
out:
    return st;
}

static basin_status
close_group(struct stratum_writer *w, basin_error *err)
{
    size_t from = w->held.size;
    struct fence end = end_fence(w);
    struct bytes separator = node_builder_key(&w->index, 0);
    struct held_group *g;
    basin_status st;

    if (w->groups_count == w->groups_capacity &&
        !grow(w->options.mem, (void **)&w->groups, &w->groups_capacity, sizeof(*w->groups)))
        return no_mem(err);
    g = &w->groups[w->groups_count];
    *g = (struct held_group){ .fence = w->group, .separator_size = separator.size };
    if (w->options.filter_bits)
        TRY(filter_lines((const uint64_t *)(const void *)w->hashes.data,
                         w->hashes.size / sizeof(uint64_t), w->options.filter_bits, &w->held, err));
    g->filter_size = w->held.size - from;
    TRY(node_builder_finish(&w->index, false, false, &end, &w->held, err));
    g->index_size = w->held.size - from - g->filter_size;
    if (buf_add(&w->held, separator.data, separator.size) != BASIN_OK) {
        st = no_mem(err);
        goto out;
    }
    w->groups_count++;
    w->sum.groups++;
    node_builder_clear(&w->index, w->sum.leaves);
    buf_clear(&w->hashes);
    if (w->sum.groups == GROUPS_SMALL_MAX)
        w->index_size *= 4;
    if (w->held.size >= HOLD_MAX)
        TRY(flush_held(w, err));
out:
    return st;
}

static bool
group_is_full(const struct stratum_writer *w)
{
    return w->index.count >= INDEX_FAN_MIN &&
           (node_builder_size(&w->index) >= w->index_size ||
            w->hashes.size >= (size_t)GROUP_KEYS_MAX * sizeof(uint64_t));
}

/* The shortest s with last < s <= first; the whole first key for the first page of all. */
static struct bytes
separator_of(const struct stratum_writer *w, struct bytes first)
{
    if (w->sum.leaves == 0)
        return first;
    return bytes_of(first.data,
                    MIN_OF(first.size, bytes_shared(buf_bytes(&w->last_key), first) + 1));
}

/* Closes the open leaf. next: the entry that comes behind it, or NULL. */
static basin_status
close_leaf(struct stratum_writer *w, const struct entry *next, basin_error *err)
{
    struct leaf_builder *b = &w->leaf;
    struct bytes first = leaf_builder_key(b, 0), last = leaf_builder_key(b, b->count - 1);
    bool elide = b->seqno_max <= w->options.seqno_elide &&
                 !(next && bytes_equal(next->key, last)) && !range_overlaps(w, first, last);
    struct fence f = end_fence(w);
    enum block_kind kind;
    basin_status st;

    TRY(leaf_builder_finish(b, elide, &w->page, &kind, err));
    TRY(emit_block(w, w->options.codec, kind, buf_bytes(&w->page), &f.at, &f.size, err));
    if (w->page.capacity > 4 * MIB)
        buf_release(&w->page);
    f.seqno_max = b->seqno_max;
    f.continues = w->sum.leaves > 0 && bytes_equal(buf_bytes(&w->last_key), first);
    f.first_seqno = elide ? 0 : b->entries[0].seqno;
    TRY(node_builder_add(&w->index, separator_of(w, first), &f, err));
    if (w->index.count == 1)
        w->group = f;
    w->group.seqno_max = MAX_OF(w->group.seqno_max, f.seqno_max);
    if (buf_set(&w->last_key, last.data, last.size) != BASIN_OK) {
        st = no_mem(err);
        goto out;
    }
    w->sum.leaves++;
    leaf_builder_clear(b);
    if (group_is_full(w))
        TRY(close_group(w, err));
out:
    return st;
}

/* ------------------------------------------------------------------ entries */

static struct bytes
writer_last_key(const struct stratum_writer *w)
{
    return w->leaf.count ? leaf_builder_key(&w->leaf, w->leaf.count - 1) : buf_bytes(&w->last_key);
}

static size_t
shared_fast(struct bytes a, struct bytes b)
{
    size_t n = MIN_OF(a.size, b.size), i = 0;

    for (; i + 8 <= n; i += 8) {
        uint64_t x = load_u64(a.data + i) ^ load_u64(b.data + i);
        if (x)
            return i + (size_t)__builtin_ctzll(x) / 8;
    }
    while (i < n && a.data[i] == b.data[i])
        i++;
    return i;
}

static basin_status
check_entry(const struct stratum_writer *w, const struct entry *e, size_t *shared, bool *same,
            basin_error *err)
{
    struct bytes last = writer_last_key(w);
    size_t n = 0;

    if (w->failed != BASIN_OK || w->finished)
        return error_set(err, BASIN_MISUSE, "entry after a failure or after finish");
    if (e->key.size > STRATUM_KEY_MAX || e->value.size > STRATUM_VALUE_MAX)
        return error_set(err, BASIN_LIMIT, "key of %zu bytes (at most %d), value of %zu (%d)",
                         e->key.size, STRATUM_KEY_MAX, e->value.size, STRATUM_VALUE_MAX);
    if ((unsigned)e->kind > ENTRY_REF || (e->kind == ENTRY_DELETE && e->value.size != 0))
        return error_set(err, BASIN_MISUSE, "entry of kind %d with %zu bytes of value",
                         (int)e->kind, e->value.size);
    *same = false;
    if (w->sum.entries != 0) {
        n = shared_fast(last, e->key);
        *same = n == last.size && n == e->key.size;
        if (!*same && (n == e->key.size || (n < last.size && last.data[n] > e->key.data[n])))
            return error_set(err, BASIN_MISUSE, "entry %llu: its key is before the last one",
                             (unsigned long long)w->sum.entries);
    }
    *shared = n;
    return BASIN_OK;
}

/* The seqno that the last entry was given. */
static uint64_t
last_seqno(const struct stratum_writer *w)
{
    return w->leaf.entries[w->leaf.count - 1].seqno;
}

static basin_status
note_key(struct stratum_writer *w, struct bytes key, size_t shared, bool same, basin_error *err)
{
    if (!same) {
        w->last_hash = filter_hash(key);
        if (shared < w->prefixes.known && prefix_builder_add(&w->prefixes, key) != BASIN_OK)
            return no_mem(err);
    }
    if (!same || w->hashes.size == 0)
        if (buf_add(&w->hashes, &w->last_hash, sizeof(w->last_hash)) != BASIN_OK)
            return no_mem(err);
    if (w->sum.entries == 0 && buf_set(&w->first_key, key.data, key.size) != BASIN_OK)
        return no_mem(err);
    return BASIN_OK;
}

basin_status
stratum_writer_add(struct stratum_writer *w, const struct entry *e, basin_error *err)
{
    size_t shared = 0;
    bool same = false;
    basin_status st;

    TRY(check_entry(w, e, &shared, &same, err));
    if (same && last_seqno(w) <= e->seqno && (last_seqno(w) | e->seqno) != 0)
        FAIL(err, BASIN_MISUSE, "entry %llu: seqno %llu of a key after its %llu",
             (unsigned long long)w->sum.entries, (unsigned long long)e->seqno,
             (unsigned long long)last_seqno(w));
    if (w->leaf.count > 0 && leaf_builder_size_with(&w->leaf, e, shared) > w->room)
        TRY(close_leaf(w, e, err));
    TRY(note_key(w, e->key, shared, same, err));
    TRY(leaf_builder_add(&w->leaf, e, shared, w->last_hash, err));
    note_seqno(w, e->seqno);
    w->sum.entries++;
    w->sum.deletes += e->kind == ENTRY_DELETE;
    w->sum.merges += e->kind == ENTRY_MERGE;
    w->sum.refs += e->kind == ENTRY_REF;
    w->sum.raw_bytes += e->key.size + e->value.size;
out:
    if (st != BASIN_OK)
        w->failed = st;
    return st;
}

uint64_t
stratum_writer_size(const struct stratum_writer *w)
{
    return w->written + w->held.size + w->hashes.size / 6 + w->index.keys.size +
           w->index.count * 30 + w->leaf.key_bytes + w->leaf.value_bytes + w->ranges.size;
}

basin_status
stratum_writer_set_meta(struct stratum_writer *w, struct bytes meta, basin_error *err)
{
    if (w->finished)
        return error_set(err, BASIN_MISUSE, "stratum meta after finish");
    if (meta.size > STRATUM_META_MAX)
        return error_set(err, BASIN_LIMIT, "stratum meta of %zu bytes, at most %d", meta.size,
                         STRATUM_META_MAX);
    if (buf_set(&w->meta, meta.data, meta.size) != BASIN_OK)
        return no_mem(err);
    return BASIN_OK;
}

/* ------------------------------------------------------------------ finish */

static basin_status
write_root(struct stratum_writer *w, basin_error *err)
{
    uint64_t index_at = w->written, index_bytes;
    struct fence end;
    basin_status st = BASIN_OK;

    w->sum.root_at = w->sum.tail_at = w->written;
    if (w->sum.entries == 0)
        return BASIN_OK;
    TRY(close_leaf(w, NULL, err));
    if (w->index.count)
        TRY(close_group(w, err));
    if (w->groups_count)
        TRY(flush_held(w, err));
    index_at = w->sum.tail_at;
    index_bytes = w->written - index_at;
    end = end_fence(w);
    buf_clear(&w->page);
    TRY(node_builder_finish(&w->root, true, w->options.filter_bits != 0, &end, &w->page, err));
    TRY(emit_block(w, CODEC_NONE, BLOCK_ROOT, buf_bytes(&w->page), &w->sum.root_at,
                   &w->sum.root_size, err));
    if (w->flushes != 1 || index_bytes > TAIL_INDEX_MAX)
        w->sum.tail_at = w->sum.root_at;
out:
    return st;
}

static basin_status
write_ranges(struct stratum_writer *w, basin_error *err)
{
    struct wr wr = wr_into(&w->page);
    basin_status st;

    w->sum.ranges_at = w->written;
    if (w->range_count == 0)
        return BASIN_OK;
    buf_clear(&w->page);
    wr_u64(&wr, w->range_count);
    for (size_t i = 0; i < w->range_count; i++) {
        const struct held_range *r = &w->range[i];
        wr_u8(&wr, r->unbounded);
        wr_u64(&wr, r->seqno);
        wr_leb_bytes(&wr, range_begin(w, r));
        if (!r->unbounded)
            wr_leb_bytes(&wr, range_end(w, r));
    }
    TRY(wr_status(&wr, err));
    TRY(emit_block(w, CODEC_NONE, BLOCK_RANGES, buf_bytes(&w->page), &w->sum.ranges_at,
                   &w->sum.ranges_size, err));
out:
    return st;
}

/* Widens first and last key over the range tombstones. */
static basin_status
widen_bounds(struct stratum_writer *w, basin_error *err)
{
    const struct held_range *last;
    struct bytes begin, end;
    bool entries = w->sum.entries != 0;

    if (w->range_count == 0)
        return BASIN_OK;
    last = &w->range[w->range_count - 1];
    begin = range_begin(w, &w->range[0]);
    end = last->unbounded ? range_begin(w, last) : range_end(w, last);
    if ((!entries || bytes_compare(begin, buf_bytes(&w->first_key)) < 0) &&
        buf_set(&w->first_key, begin.data, begin.size) != BASIN_OK)
        return no_mem(err);
    w->last_unbounded = last->unbounded;
    if (!entries || bytes_compare(end, buf_bytes(&w->last_key)) > 0) {
        if (buf_set(&w->last_key, end.data, end.size) != BASIN_OK)
            return no_mem(err);
        w->last_key_excluded = !last->unbounded;
    }
    return BASIN_OK;
}

static basin_status
write_props(struct stratum_writer *w, basin_error *err)
{
    struct wr wr = wr_into(&w->page);
    basin_status st;

    TRY(widen_bounds(w, err));
    buf_clear(&w->page);
    wr_bytes(&wr, BYTES_LIT(PROPS_MAGIC));
    wr_u8(&wr, (uint8_t)(w->last_key_excluded | w->last_unbounded << 1));
    wr_leb_bytes(&wr, buf_bytes(&w->first_key));
    wr_leb_bytes(&wr, buf_bytes(&w->last_key));
    wr_leb_bytes(&wr, buf_bytes(&w->meta));
    if (prefix_builder_count(&w->prefixes) > 0)
        prefix_builder_write(&w->prefixes, &wr);
    TRY(wr_status(&wr, err));
    TRY(emit_block(w, CODEC_NONE, BLOCK_PROPS, buf_bytes(&w->page), &w->sum.props_at,
                   &w->sum.props_size, err));
out:
    return st;
}

static basin_status
write_footer(struct stratum_writer *w, basin_error *err)
{
    uint8_t bytes[FOOTER_SIZE];
    struct footer *f = &w->sum;

    f->features |= (w->form.sealed ? FEATURE_SEALED : 0u) | (w->form.hook ? FEATURE_HOOK : 0u) |
                   (w->options.filter_bits ? FEATURE_FILTER : 0u) |
                   (w->range_count ? FEATURE_RANGES : 0u) |
                   (prefix_builder_count(&w->prefixes) > 0 ? FEATURE_PREFIXES : 0u);
    if (w->form.sealed)
        memcpy(f->salt, w->options.salt, sizeof(f->salt));
    f->page_size = (uint32_t)w->options.page_size;
    f->reserved = (uint16_t)(w->form.hook ? w->form.hook->reserved : 0);
    f->filter_bits = w->options.filter_bits;
    memcpy(f->database_id, w->options.database_id, sizeof(f->database_id));
    memcpy(f->object_id, w->options.object_id, sizeof(f->object_id));
    footer_encode(f, bytes);
    hash_stream_add(w->hash, bytes, FOOTER_OBJECT_HASH_AT);
    f->object_hash = hash_stream_value(w->hash);
    footer_finish(bytes, f->object_hash);
    return emit(w, bytes, sizeof(bytes), err);
}

static void
fill_summary(const struct stratum_writer *w, struct stratum_summary *s)
{
    const struct footer *f = &w->sum;

    *s = (struct stratum_summary){ .first_key = buf_bytes(&w->first_key),
                                   .last_key = buf_bytes(&w->last_key),
                                   .last_key_excluded = w->last_key_excluded,
                                   .last_unbounded = w->last_unbounded,
                                   .entries = f->entries,
                                   .deletes = f->deletes,
                                   .merges = f->merges,
                                   .range_tombstones = f->range_tombstones,
                                   .refs = f->refs,
                                   .seqno_max = f->seqno_max,
                                   .seqno_min = f->seqno_min,
                                   .raw_bytes = f->raw_bytes,
                                   .size = w->written,
                                   .pages = f->leaves,
                                   .hash = f->object_hash };
}

basin_status
stratum_writer_finish(struct stratum_writer *w, struct stratum_summary *summary, basin_error *err)
{
    basin_status st = BASIN_OK;

    memset(summary, 0, sizeof(*summary));
    if (w->failed != BASIN_OK || w->finished)
        FAIL(err, BASIN_MISUSE, "finish after a failure or twice");
    w->finished = true;
    if (w->sum.entries == 0 && w->range_count == 0)
        return BASIN_END;
    TRY(write_root(w, err));
    TRY(write_ranges(w, err));
    TRY(write_props(w, err));
    TRY(write_footer(w, err));
    fill_summary(w, summary);
out:
    if (st != BASIN_OK)
        w->failed = st;
    return st;
}
