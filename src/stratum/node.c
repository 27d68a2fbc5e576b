// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Nodes: the index blocks (one fence per leaf page) and the root (one fence per index block). They
 * are stored in the form in which they are searched: the first 8 bytes of every separator behind
 * the node's common prefix stand in an array of numbers, the rest of each separator apart.
 *
 * A fence: separator, place, size, entries and deletes before it (cumulative), largest seqno. When
 * the versions of one key go on in the next page, the separator of that page is the key itself and
 * carries the seqno of the page's first entry.
 * Format: docs/format/stratum.md, "Nodes". It never allocates while reading.
 */
#include "stratum/format.h"

/* ------------------------------------------------------------------ reading */

static uint64_t
load_wide(const uint8_t *array, uint32_t i, bool wide)
{
    return wide ? load_u64(array + (size_t)i * 8) : load_u32(array + (size_t)i * 4);
}

bool
node_open(struct node *n, const uint8_t *data, size_t size)
{
    size_t at = NODE_HEAD_SIZE, count, wide_count;

    if (size < NODE_HEAD_SIZE || size > PAGE_RAW_MAX)
        return false;
    n->data = data;
    n->size = (uint32_t)size;
    n->flags = data[0];
    n->prefix_size = load_u16(data + 2);
    n->count = load_u32(data + 4);
    n->first = load_u64(data + 8);
    n->at_base = load_u64(data + 16);
    n->entries_base = load_u64(data + 24);
    n->deletes_base = load_u64(data + 32);
    n->seqno_base = load_u64(data + 40);
    count = n->count;
    if (count == 0 || count > size / 8)
        return false;
    wide_count = n->flags & NODE_WIDE_COUNT ? 8 : 4;
    n->prefix_at = (uint32_t)at;
    at += n->prefix_size;
    n->prefixes_at = (uint32_t)at;
    at += count * 8;
    n->places_at = (uint32_t)at;
    at += count * (n->flags & NODE_WIDE_AT ? 12 : 8);
    n->entries_at = (uint32_t)at;
    at += (count + 1) * wide_count;
    n->deletes_at = (uint32_t)at;
    at += n->flags & NODE_DELETES ? (count + 1) * wide_count : 0;
    n->seqnos_at = (uint32_t)at;
    at += count * (n->flags & NODE_WIDE_SEQNO ? 8 : 4);
    n->leaves_at = (uint32_t)at;
    at += n->flags & NODE_ROOT ? (count + 1) * 8 : 0;
    n->filters_at = (uint32_t)at;
    at += n->flags & NODE_FILTERS ? count * 12 : 0;
    n->tails_at = (uint32_t)at;
    at += count * 4;
    n->lengths_at = (uint32_t)at;
    at += count * 2;
    n->tail_bytes_at = (uint32_t)at;
    return at <= size;
}

/* The bytes of separator i behind its first 8, and its length behind the common prefix. */
static struct bytes
node_tail(const struct node *n, uint32_t i, uint32_t *length)
{
    uint32_t max = n->size - n->tail_bytes_at;
    uint32_t from = i ? load_u32(n->data + n->tails_at + (size_t)(i - 1) * 4) : 0;
    uint32_t to = load_u32(n->data + n->tails_at + (size_t)i * 4);

    *length = load_u16(n->data + n->lengths_at + (size_t)i * 2);
    to = MIN_OF(to, max);
    from = MIN_OF(from, to);
    return bytes_of(n->data + n->tail_bytes_at + from, to - from);
}

static basin_status
validate_child(const struct node *n, uint32_t i, uint32_t *tail_from, basin_error *err)
{
    uint32_t length = load_u16(n->data + n->lengths_at + (size_t)i * 2);
    uint32_t to = load_u32(n->data + n->tails_at + (size_t)i * 4);
    uint32_t tail = length > 8 ? length - 8 : 0;

    if (to < *tail_from || to > n->size - n->tail_bytes_at ||
        (to - *tail_from != tail && to - *tail_from != tail + 8) ||
        length + n->prefix_size > STRATUM_KEY_MAX)
        return error_set(err, BASIN_CORRUPT, "separator %u of %u is not inside the page", i,
                         n->count);
    *tail_from = to;
    if (node_entries(n, i + 1) < node_entries(n, i) ||
        node_deletes(n, i + 1) < node_deletes(n, i) || node_leaves(n, i + 1) < node_leaves(n, i))
        return error_set(err, BASIN_CORRUPT, "fence %u of %u counts backwards", i, n->count);
    return BASIN_OK;
}

basin_status
node_validate(const struct node *n, bool root, basin_error *err)
{
    uint32_t tail_from = 0;
    basin_status st = BASIN_OK;

    if ((n->flags & ~NODE_FLAGS) != 0 || n->data[1] != 0 || !(n->flags & NODE_ROOT) != !root ||
        (!root && (n->flags & NODE_FILTERS)))
        FAIL(err, BASIN_CORRUPT, "flags %02x do not fit", n->flags);
    for (uint32_t i = 0; i < n->count; i++)
        TRY(validate_child(n, i, &tail_from, err));
    if (tail_from != n->size - n->tail_bytes_at)
        FAIL(err, BASIN_CORRUPT, "%u bytes behind the last separator",
             n->size - n->tail_bytes_at - tail_from);
out:
    return st;
}

uint64_t
node_entries(const struct node *n, uint32_t i)
{
    return n->entries_base + load_wide(n->data + n->entries_at, i, n->flags & NODE_WIDE_COUNT);
}

uint64_t
node_deletes(const struct node *n, uint32_t i)
{
    if (!(n->flags & NODE_DELETES))
        return n->deletes_base;
    return n->deletes_base + load_wide(n->data + n->deletes_at, i, n->flags & NODE_WIDE_COUNT);
}

uint64_t
node_leaves(const struct node *n, uint32_t i)
{
    return n->flags & NODE_ROOT ? load_u64(n->data + n->leaves_at + (size_t)i * 8) : 0;
}

uint64_t
node_seqno(const struct node *n, uint32_t i)
{
    return n->seqno_base + load_wide(n->data + n->seqnos_at, i, n->flags & NODE_WIDE_SEQNO);
}

void
node_fence(const struct node *n, uint32_t i, struct fence *f)
{
    uint32_t length;
    struct bytes tail = node_tail(n, i, &length);
    uint32_t plain = length > 8 ? length - 8 : 0;

    node_place(n, i, &f->at, &f->size);
    f->entries = node_entries(n, i);
    f->deletes = node_deletes(n, i);
    f->leaves = node_leaves(n, i);
    f->seqno_max = node_seqno(n, i);
    f->filter_at = 0;
    f->filter_size = 0;
    if (n->flags & NODE_FILTERS)
        node_filter_place(n, i, &f->filter_at, &f->filter_size);
    f->continues = tail.size == (size_t)plain + 8;
    f->first_seqno = f->continues ? ~__builtin_bswap64(load_u64(tail.data + plain)) : 0;
}

size_t
node_separator_size(const struct node *n, uint32_t i)
{
    return n->prefix_size + (size_t)load_u16(n->data + n->lengths_at + (size_t)i * 2);
}

size_t
node_separator(const struct node *n, uint32_t i, uint8_t *key)
{
    uint32_t length;
    struct bytes tail = node_tail(n, i, &length);
    size_t room = (size_t)STRATUM_KEY_MAX - n->prefix_size, head, rest;
    uint64_t prefix = __builtin_bswap64(load_u64(n->data + n->prefixes_at + (size_t)i * 8));

    length = MIN_OF(length, (uint32_t)room);
    head = MIN_OF(length, 8u);
    rest = MIN_OF((size_t)length - head, tail.size);
    memcpy(key, n->data + n->prefix_at, n->prefix_size);
    memcpy(key + n->prefix_size, &prefix, head);
    memcpy(key + n->prefix_size + head, tail.data, rest);
    return n->prefix_size + head + rest;
}

/* Whether child i, whose first 8 separator bytes equal those of rest, begins before the target. */
static bool
begins_before(const struct node *n, uint32_t i, struct bytes rest, const struct place *to)
{
    uint32_t length;
    struct bytes tail = node_tail(n, i, &length);
    size_t plain = MIN_OF((size_t)(length > 8 ? length - 8 : 0), tail.size);

    if (length > 8 && rest.size > 8) {
        int c = bytes_compare(bytes_of(tail.data, plain), bytes_of(rest.data + 8, rest.size - 8));
        if (c != 0)
            return c < 0;
    } else if (length != rest.size) {
        return length < rest.size;
    }
    if (tail.size < plain + 8 || to->after)
        return true;
    return ~__builtin_bswap64(load_u64(tail.data + plain)) > to->snapshot;
}

/* First of [lo, hi) whose number is not below `prefix`, without branches that miss. */
static uint32_t
prefix_lower_bound(const uint8_t *prefixes, uint32_t lo, uint32_t hi, uint64_t prefix)
{
    uint32_t left = hi - lo;

    if (left == 0)
        return lo;
    while (left > 1) {
        uint32_t half = left / 2;
        lo += load_u64(prefixes + (size_t)(lo + half - 1) * 8) < prefix ? half : 0;
        left -= half;
    }
    return lo + (load_u64(prefixes + (size_t)lo * 8) < prefix);
}

/* Number of children in [0, count) that begin before the target, all below lo known to. */
static uint32_t
count_before(const struct node *n, struct bytes rest, const struct place *to, uint32_t lo,
             uint32_t hi, uint64_t *compares)
{
    const uint8_t *prefixes = n->data + n->prefixes_at;
    uint64_t prefix = key_prefix(rest);

    lo = prefix_lower_bound(prefixes, lo, hi, prefix);
#ifdef BASIN_DEBUG
    *compares += 32u - (unsigned)__builtin_clz(hi - lo + 1);
#endif
    while (lo < hi && load_u64(prefixes + (size_t)lo * 8) == prefix) {
        /* The run of equal numbers is searched by whole separators. */
        uint32_t mid = lo + (hi - lo) / 2;
        ++*compares;
        if (load_u64(prefixes + (size_t)mid * 8) == prefix && begins_before(n, mid, rest, to))
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

uint32_t
node_search(const struct node *n, const struct place *to, uint32_t from, uint64_t *compares)
{
    struct bytes key = to->key;
    struct bytes prefix = bytes_of(n->data + n->prefix_at, n->prefix_size);
    size_t shared = MIN_OF(prefix.size, key.size);
    int c = shared ? memcmp(key.data, prefix.data, shared) : 0;
    uint32_t before, step = 1, hi = n->count;
    struct bytes rest;

    ++*compares;
    if (c < 0 || (c == 0 && key.size < prefix.size))
        return 0;
    if (c > 0)
        return n->count - 1;
    rest = bytes_behind(key, shared);
    if (from > 0) { /* gallop: the target is often near */
        uint64_t number = key_prefix(rest);
        uint32_t lo = from;
        while (lo + step < n->count &&
               load_u64(n->data + n->prefixes_at + (size_t)(lo + step) * 8) < number) {
            lo += step;
            step *= 2;
        }
        hi = lo + step < n->count ? lo + step + 1 : n->count;
        before = count_before(n, rest, to, lo, hi, compares);
        if (before < hi || hi == n->count)
            return before ? before - 1 : 0;
        from = before;
    }
    before = count_before(n, rest, to, from, n->count, compares);
    return before ? before - 1 : 0;
}

bool
node_continues(const struct node *n, uint32_t i, struct bytes key)
{
    uint32_t length;
    struct bytes tail = node_tail(n, i, &length);
    size_t plain = length > 8 ? length - 8 : 0;
    uint64_t head;
    struct bytes rest;

    if (tail.size != plain + 8 || n->prefix_size + (size_t)length != key.size)
        return false;
    if (n->prefix_size && memcmp(key.data, n->data + n->prefix_at, n->prefix_size) != 0)
        return false;
    rest = bytes_behind(key, n->prefix_size);
    head = load_u64(n->data + n->prefixes_at + (size_t)i * 8);
    return key_prefix(rest) == head && (plain == 0 || memcmp(tail.data, rest.data + 8, plain) == 0);
}

/* ------------------------------------------------------------------ building */

void
node_builder_init(struct node_builder *b, const basin_allocator *mem)
{
    *b = (struct node_builder){ .mem = mem };
    buf_init(&b->keys, mem);
}

void
node_builder_release(struct node_builder *b)
{
    if (!b->mem)
        return;
    buf_release(&b->keys);
    mem_free(b->mem, b->fences, b->capacity * sizeof(*b->fences));
    mem_free(b->mem, b->key_ends, b->capacity * sizeof(*b->key_ends));
    *b = (struct node_builder){ .mem = b->mem };
}

void
node_builder_clear(struct node_builder *b, uint64_t first)
{
    buf_clear(&b->keys);
    b->count = 0;
    b->prefix_size = 0;
    b->first = first;
}

static bool
node_builder_grow(struct node_builder *b)
{
    size_t capacity = b->capacity ? b->capacity * 2 : 64;
    struct fence *fences = mem_new(b->mem, capacity * sizeof(*fences));
    uint32_t *ends = mem_new(b->mem, capacity * sizeof(*ends));

    if (!fences || !ends) {
        mem_free(b->mem, fences, capacity * sizeof(*fences));
        mem_free(b->mem, ends, capacity * sizeof(*ends));
        return false;
    }
    if (b->count) {
        memcpy(fences, b->fences, b->count * sizeof(*fences));
        memcpy(ends, b->key_ends, b->count * sizeof(*ends));
    }
    mem_free(b->mem, b->fences, b->capacity * sizeof(*fences));
    mem_free(b->mem, b->key_ends, b->capacity * sizeof(*ends));
    b->fences = fences;
    b->key_ends = ends;
    b->capacity = capacity;
    return true;
}

struct bytes
node_builder_key(const struct node_builder *b, size_t i)
{
    size_t from = i ? b->key_ends[i - 1] : 0;

    return buf_part(&b->keys, from, b->key_ends[i] - from);
}

basin_status
node_builder_add(struct node_builder *b, struct bytes separator, const struct fence *f,
                 basin_error *err)
{
    if (b->count == b->capacity && !node_builder_grow(b))
        return error_set(err, BASIN_NO_MEM, "no memory for %zu fences", b->count);
    if (b->keys.size + separator.size > PAGE_RAW_MAX / 2)
        return error_set(err, BASIN_LIMIT, "index: %zu bytes of separators", b->keys.size);
    if (buf_add(&b->keys, separator.data, separator.size) != BASIN_OK)
        return error_set(err, BASIN_NO_MEM, "no memory for %zu bytes of fences", b->keys.size);
    if (b->count == 0)
        b->prefix_size = separator.size;
    else
        b->prefix_size = MIN_OF(b->prefix_size, bytes_shared(node_builder_key(b, 0), separator));
    b->fences[b->count] = *f;
    b->key_ends[b->count++] = (uint32_t)b->keys.size;
    return BASIN_OK;
}

size_t
node_builder_size(const struct node_builder *b)
{
    return NODE_HEAD_SIZE + b->count * 30 + b->keys.size - b->count * b->prefix_size +
           b->prefix_size;
}

static void
wr_wide(struct wr *w, uint64_t v, bool wide)
{
    if (wide)
        wr_u64(w, v);
    else
        wr_u32(w, (uint32_t)v);
}

static uint8_t
node_flags(const struct node_builder *b, bool root, bool filters, const struct fence *end,
           uint64_t *seqno_min)
{
    const struct fence *first = &b->fences[0], *last = &b->fences[b->count - 1];
    uint64_t seqno_max = 0, at_span = last->at - first->at;
    unsigned flags = (root ? (unsigned)NODE_ROOT : 0) | (filters ? (unsigned)NODE_FILTERS : 0);

    *seqno_min = UINT64_MAX;
    for (size_t i = 0; i < b->count; i++) {
        seqno_max = MAX_OF(seqno_max, b->fences[i].seqno_max);
        *seqno_min = MIN_OF(*seqno_min, b->fences[i].seqno_max);
    }
    if (at_span > UINT32_MAX)
        flags |= NODE_WIDE_AT;
    if (end->entries - first->entries > UINT32_MAX)
        flags |= NODE_WIDE_COUNT;
    if (seqno_max - *seqno_min > UINT32_MAX)
        flags |= NODE_WIDE_SEQNO;
    if (end->deletes > first->deletes)
        flags |= NODE_DELETES;
    return (uint8_t)flags;
}

static void
wr_separators(struct wr *w, const struct node_builder *b)
{
    uint32_t end = 0;

    for (size_t i = 0; i < b->count; i++) {
        size_t length = node_builder_key(b, i).size - b->prefix_size;
        end += (uint32_t)(length > 8 ? length - 8 : 0) + (b->fences[i].continues ? 8 : 0);
        wr_u32(w, end);
    }
    for (size_t i = 0; i < b->count; i++)
        wr_u16(w, (uint16_t)(node_builder_key(b, i).size - b->prefix_size));
    for (size_t i = 0; i < b->count; i++) {
        struct bytes key = node_builder_key(b, i);
        if (key.size > b->prefix_size + 8)
            wr_bytes(w, bytes_of(key.data + b->prefix_size + 8, key.size - b->prefix_size - 8));
        if (b->fences[i].continues)
            wr_u64(w, __builtin_bswap64(~b->fences[i].first_seqno));
    }
}

static void
wr_fences(struct wr *w, const struct node_builder *b, uint8_t flags, uint64_t seqno_min,
          const struct fence *end)
{
    const struct fence *f = b->fences;
    size_t n = b->count;

    wr_bytes(w, bytes_of(b->keys.data, b->prefix_size));
    for (size_t i = 0; i < n; i++) {
        struct bytes key = node_builder_key(b, i);
        wr_u64(w, key_prefix(bytes_behind(key, b->prefix_size)));
    }
    for (size_t i = 0; i < n; i++) {
        wr_wide(w, f[i].at - f[0].at, flags & NODE_WIDE_AT);
        wr_u32(w, f[i].size);
    }
    for (size_t i = 0; i <= n; i++)
        wr_wide(w, (i < n ? f[i].entries : end->entries) - f[0].entries, flags & NODE_WIDE_COUNT);
    for (size_t i = 0; i <= n && (flags & NODE_DELETES); i++)
        wr_wide(w, (i < n ? f[i].deletes : end->deletes) - f[0].deletes, flags & NODE_WIDE_COUNT);
    for (size_t i = 0; i < n; i++)
        wr_wide(w, f[i].seqno_max - seqno_min, flags & NODE_WIDE_SEQNO);
    for (size_t i = 0; i <= n && (flags & NODE_ROOT); i++)
        wr_u64(w, i < n ? f[i].leaves : end->leaves);
    for (size_t i = 0; i < n && (flags & NODE_FILTERS); i++) {
        wr_u64(w, f[i].filter_at);
        wr_u32(w, f[i].filter_size);
    }
}

basin_status
node_builder_finish(const struct node_builder *b, bool root, bool filters, const struct fence *end,
                    struct buf *to, basin_error *err)
{
    struct wr w = wr_into(to);
    uint64_t seqno_min;
    uint8_t flags;

    must(b->count > 0);
    flags = node_flags(b, root, filters, end, &seqno_min);
    wr_u8(&w, flags);
    wr_u8(&w, 0);
    wr_u16(&w, (uint16_t)b->prefix_size);
    wr_u32(&w, (uint32_t)b->count);
    wr_u64(&w, b->first);
    wr_u64(&w, b->fences[0].at);
    wr_u64(&w, b->fences[0].entries);
    wr_u64(&w, b->fences[0].deletes);
    wr_u64(&w, seqno_min);
    wr_fences(&w, b, flags, seqno_min, end);
    wr_separators(&w, b);
    return wr_status(&w, err);
}
