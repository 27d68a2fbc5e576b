// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The page provider: from a block's place to its data, checked.
 *
 *   in view and plain:  first touch -> checksum, structure -> bit set -> used in place
 *   else:               cache hit, or read -> checksum -> unlock -> expand -> structure -> frame
 *
 * Structure is validated before any accessor runs; numbers are unique per place (the index block's
 * first child is checked against the root), so that a bit always speaks of the same bytes. Should
 * they change under a map all the same, places are still checked at every call and accessors clamp.
 */
#include "stratum/reader.h"

enum { LEAF_LINES = 3 };

static basin_status
fault(const struct stratum *s, const struct block_id *b, basin_status st, const basin_error *inner,
      basin_error *err)
{
    const char *word = b->kind == BLOCK_LEAF     ? "page"
                       : b->kind == BLOCK_INDEX  ? "index page"
                       : b->kind == BLOCK_FILTER ? "filter"
                                                 : "block";

    (void)error_set(err, st, "stratum %s: %s %llu at %llu: %s", s->source->name, word,
                    (unsigned long long)b->number, (unsigned long long)b->at, inner->what);
    if (err)
        err->os_errno = inner->os_errno;
    return st;
}

/* Structure of the decoded data. */
static basin_status
validate(const struct stratum *s, const struct block_id *b, uint8_t kind, struct bytes data,
         basin_error *err)
{
    struct leaf leaf;
    struct node node;

    if (b->kind == BLOCK_LEAF) {
        if (!leaf_open(&leaf, kind, data.data, data.size))
            return error_set(err, BASIN_CORRUPT, "its arrays do not fit %zu bytes", data.size);
        return leaf_validate(&leaf, err);
    }
    if (b->kind == BLOCK_FILTER)
        return filter_validate(data.data, data.size, s->footer.filter_bits, b->at + BLOCK_HEAD_SIZE,
                               err);
    if (!node_open(&node, data.data, data.size))
        return error_set(err, BASIN_CORRUPT, "its arrays do not fit %zu bytes", data.size);
    if (node.first != node_leaves(&s->root, (uint32_t)b->number) ||
        node.first + node.count != node_leaves(&s->root, (uint32_t)b->number + 1))
        return error_set(err, BASIN_CORRUPT, "%u pages from %llu, the root says otherwise",
                         node.count, (unsigned long long)node.first);
    return node_validate(&node, false, err);
}

/* The number of a block among all of the stratum. */
static size_t
slot_of(const struct stratum *s, const struct block_id *b)
{
    uint64_t n = b->number;

    if (b->kind != BLOCK_LEAF)
        n += s->footer.leaves;
    if (b->kind == BLOCK_FILTER)
        n += s->footer.groups;
    return (size_t)n;
}

static void
count_load(const struct stratum *s, size_t size, bool filter)
{
    struct stratum_counters *c = s->options.counters;

    if (!c)
        return;
    atomic_fetch_add_explicit(&c->pages_read, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&c->bytes_read, size, memory_order_relaxed);
    if (filter)
        atomic_fetch_add_explicit(&c->filter_bytes, size, memory_order_relaxed);
}

/* First touch of a block in view, or every touch with verify_always. */
static basin_status
check_in_view(struct stratum *s, const struct block_id *b, const uint8_t *p, basin_error *err)
{
    size_t slot = slot_of(s, b);
    basin_error inner = { 0 };
    struct block_head head;
    basin_status st;

    TRY(block_check(&s->form, bytes_of(p, b->size), b->at, b->kind, &head, &inner));
    if (head.codec != CODEC_NONE)
        FAIL(&inner, BASIN_CORRUPT, "its head changed");
    TRY(validate(s, b, head.kind, bytes_of(p + BLOCK_HEAD_SIZE, head.raw), &inner));
    count_load(s, b->size, b->kind == BLOCK_FILTER);
    atomic_fetch_or_explicit(&s->checked[slot / 64], UINT64_C(1) << (slot % 64),
                             memory_order_release);
out:
    return st == BASIN_OK ? st : fault(s, b, st, &inner, err);
}

static bool
is_checked(const struct stratum *s, size_t slot)
{
    return atomic_load_explicit(&s->checked[slot / 64], memory_order_acquire) >> (slot % 64) & 1;
}

/* Stored bytes in memory of the frame's allocator. */
static basin_status
read_stored(struct stratum *s, const struct block_id *b, uint8_t *to, basin_error *err)
{
    if (s->view && b->at >= s->view_at) {
        memcpy(to, s->view + (b->at - s->view_at), b->size);
        return BASIN_OK;
    }
    return s->source->ops->read(s->source, b->at, to, b->size, err);
}

static basin_status
expand(struct stratum *s, const struct block_head *head, struct bytes packed,
       const basin_allocator *mem, struct frame_content *content, basin_error *err)
{
    struct codec *codec = NULL;
    uint8_t *raw = NULL;
    basin_status st;

    if (s->options.cache)
        TRY(cache_codec_take(s->options.cache, &codec, err));
    else
        TRY(codec_new(mem, &codec, err));
    raw = mem_new(mem, head->raw);
    if (!raw)
        FAIL(err, BASIN_NO_MEM, "no memory for %u bytes", head->raw);
    TRY(codec_expand(codec, (enum codec_id)head->codec, packed, raw, head->raw, err));
    mem_free(mem, content->memory, content->memory_size);
    content->memory = raw;
    content->memory_size = head->raw;
    content->data = bytes_of(raw, head->raw);
    raw = NULL;
out:
    mem_free(mem, raw, head->raw);
    if (s->options.cache)
        cache_codec_give(s->options.cache, codec);
    else
        codec_free(codec);
    return st;
}

/* A compressed point page is stored packed. */
static basin_status
unpack(const basin_allocator *mem, struct frame_content *content, basin_error *err)
{
    uint8_t *page;
    size_t size;
    basin_status st;

    TRY(leaf_unpack(content->memory, content->data.size, mem, &page, &size, err));
    mem_free(mem, content->memory, content->memory_size);
    content->memory = page;
    content->memory_size = size;
    content->data = bytes_of(page, size);
out:
    return st;
}

/* Reads and decodes a block into fresh memory. */
static basin_status
load(struct stratum *s, const struct block_id *b, const basin_allocator *mem,
     struct frame_content *content, basin_error *err)
{
    basin_error inner = { 0 };
    struct block_head head;
    basin_status st = BASIN_OK;

    *content = (struct frame_content){ .memory = mem_new(mem, b->size), .memory_size = b->size };
    if (!content->memory)
        FAIL(&inner, BASIN_NO_MEM, "no memory for %u bytes", b->size);
    TRY(read_stored(s, b, content->memory, &inner));
    TRY(block_check(&s->form, bytes_of(content->memory, b->size), b->at, b->kind, &head, &inner));
    TRY(block_unlock(&s->form, content->memory, &head, b->at, &content->data, &inner));
    if (head.codec != CODEC_NONE)
        TRY(expand(s, &head, content->data, mem, content, &inner));
    if (head.codec != CODEC_NONE && head.kind == BLOCK_POINT)
        TRY(unpack(mem, content, &inner));
    content->kind = head.kind;
    TRY(validate(s, b, head.kind, content->data, &inner));
    count_load(s, b->size, b->kind == BLOCK_FILTER);
out:
    if (st == BASIN_OK)
        return st;
    mem_free(mem, content->memory, content->memory_size);
    *content = (struct frame_content){ 0 };
    return fault(s, b, st, &inner, err);
}

static void
show(struct page *out, struct frame *f)
{
    out->data = f->data.data;
    out->size = f->data.size;
    out->kind = f->kind;
    out->pin = f;
}

/* A block by way of a frame. */
static basin_status
pin_frame(struct stratum *s, const struct block_id *b, struct page *out, basin_error *err)
{
    struct stratum_cache *c = s->slots ? s->options.cache : NULL;
    struct frame_content content;
    struct frame *f = NULL;
    basin_status st;

    if (c) {
        f = cache_pin(c, &s->slots[slot_of(s, b)]);
        if (f) {
            COUNT(s, cache_hits);
            show(out, f);
            return BASIN_OK;
        }
        COUNT(s, cache_misses);
    }
    TRY(load(s, b, c ? cache_mem(c) : s->options.mem, &content, err));
    if (c)
        TRY(cache_insert(c, &s->slots[slot_of(s, b)], &content, &f, err));
    else
        TRY(frame_private(s->options.mem, &content, &f, err));
    show(out, f);
out:
    return st;
}

basin_status
stratum__pin(struct stratum *s, const struct block_id *b, struct page *out, basin_error *err)
{
    size_t slot = slot_of(s, b);
    const uint8_t *p;
    basin_status st;

    *out = (struct page){ 0 };
    if (UNLIKELY(b->size < block_overhead(&s->form) || b->at > s->footer.root_at ||
                 b->size > s->footer.root_at - b->at || slot >= s->blocks))
        return error_set(err, BASIN_CORRUPT, "stratum %s: page %llu at %llu: %u bytes do not fit",
                         s->source->name, (unsigned long long)b->number, (unsigned long long)b->at,
                         b->size);
    if (!s->checked || b->at < s->view_at)
        return pin_frame(s, b, out, err);
    p = s->view + (b->at - s->view_at);
    out->kind = (uint8_t)b->kind;
    if (b->kind == BLOCK_LEAF) { /* the others are never compressed: their head stays untouched */
        out->kind = p[0];
        if (p[1] != CODEC_NONE)
            return pin_frame(s, b, out, err);
    }
    if (UNLIKELY(s->options.verify_always || !is_checked(s, slot))) {
        st = check_in_view(s, b, p, err);
        if (st != BASIN_OK)
            return st;
    }
    out->data = p + BLOCK_HEAD_SIZE;
    out->size = b->size - BLOCK_HEAD_SIZE - BLOCK_SUM_SIZE;
    return BASIN_OK;
}

basin_status
stratum__pin_index(struct stratum *s, uint32_t group, struct page *page, struct node *node,
                   basin_error *err)
{
    struct block_id b = { .kind = BLOCK_INDEX, .number = group };
    basin_status st;

    node_place(&s->root, group, &b.at, &b.size);
    TRY(stratum__pin(s, &b, page, err));
    if (!node_open(node, page->data, page->size)) {
        stratum__unpin(page);
        FAIL(err, BASIN_CORRUPT, "stratum %s: index page %u changed", s->source->name, group);
    }
out:
    return st;
}

basin_status
stratum__pin_leaf(struct stratum *s, const struct node *index, uint32_t i, struct page *page,
                  struct leaf *leaf, basin_error *err)
{
    struct block_id b = { .kind = BLOCK_LEAF, .number = index->first + i };
    basin_status st;

    node_place(index, i, &b.at, &b.size);
    stratum__prefetch(s, b.at, LEAF_LINES); /* head, fingerprints and offsets of a usual page */
    TRY(stratum__pin(s, &b, page, err));
    if (!leaf_open(leaf, page->kind, page->data, page->size)) {
        stratum__unpin(page);
        FAIL(err, BASIN_CORRUPT, "stratum %s: page %llu changed", s->source->name,
             (unsigned long long)b.number);
    }
out:
    return st;
}

bool
stratum__filter_has(const struct stratum *s, uint32_t group, const struct page *filter,
                    uint64_t hash)
{
    uint64_t at;
    uint32_t size;

    node_filter_place(&s->root, group, &at, &size);
    return filter_may_have(filter->data, filter->size, s->footer.filter_bits, at + BLOCK_HEAD_SIZE,
                           hash);
}

basin_status
stratum__pin_filter(struct stratum *s, uint32_t group, struct page *page, basin_error *err)
{
    struct block_id b = { .kind = BLOCK_FILTER, .number = group };

    node_filter_place(&s->root, group, &b.at, &b.size);
    return stratum__pin(s, &b, page, err);
}
