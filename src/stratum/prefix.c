// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The prefixes of a stratum's keys, as an exact list: a cursor over a range in which no prefix of
 * the list can lie need not read the stratum. When there are too many, the list is made anew of
 * shorter prefixes, and at last given up. It is searched as it is stored and takes no memory.
 * Range tombstones are no business of the list.
 * Format: docs/format/stratum.md, "Properties".
 */
#include "stratum/reader.h"

enum { ELEMENTS = 2 }; /* that a list begins with */

/* ------------------------------------------------------------------ writing */

void
prefix_builder_init(struct prefix_builder *b, const basin_allocator *mem, stratum_prefix_fn *fn)
{
    *b = (struct prefix_builder){ .fn = fn,
                                  .elements = fn != NULL ? ELEMENTS : 0,
                                  .known = fn != NULL ? SIZE_MAX : 0 };
    buf_init(&b->ends, mem);
    buf_init(&b->bytes, mem);
}

void
prefix_builder_release(struct prefix_builder *b)
{
    buf_release(&b->ends);
    buf_release(&b->bytes);
}

size_t
prefix_builder_count(const struct prefix_builder *b)
{
    return b->ends.size / 2;
}

static struct bytes
part(const uint8_t *ends, const uint8_t *bytes, size_t i)
{
    size_t from = i > 0 ? load_u16(ends + 2 * (i - 1)) : 0;
    return bytes_of(bytes + from, load_u16(ends + 2 * i) - from);
}

static struct bytes
cut(const struct prefix_builder *b, struct bytes key)
{
    size_t n = b->fn(key, b->elements);
    return bytes_of(key.data, MIN_OF(MIN_OF(n, key.size), (size_t)STRATUM_PREFIX_SIZE_MAX));
}

static void
give_up(struct prefix_builder *b)
{
    b->elements = 0;
    b->known = 0;
    buf_clear(&b->ends);
    buf_clear(&b->bytes);
}

/* Behind the last prefix, unless it is the same one. The buffers have room. */
static void
append(struct prefix_builder *b, struct bytes p)
{
    size_t count = prefix_builder_count(b);
    int c = -1;

    if (count > 0)
        c = bytes_compare(part(b->ends.data, b->bytes.data, count - 1), p);
    if (c > 0)
        give_up(b); /* a function that does not keep the order of keys */
    if (c >= 0)
        return;
    if (p.size > 0) /* may be its own, further behind */
        memmove(b->bytes.data + b->bytes.size, p.data, p.size);
    b->bytes.size += p.size;
    store_u16(b->ends.data + b->ends.size, (uint16_t)b->bytes.size);
    b->ends.size += 2;
}

/* Makes the list anew, in place, with one element less. */
static void
shorten(struct prefix_builder *b)
{
    size_t count = prefix_builder_count(b), from = 0, to;

    b->elements--;
    b->ends.size = b->bytes.size = 0;
    for (size_t i = 0; i < count && b->elements > 0; i++, from = to) {
        to = load_u16(b->ends.data + 2 * i);
        append(b, cut(b, bytes_of(b->bytes.data + from, to - from)));
    }
    if (b->elements == 0)
        give_up(b);
}

basin_status
prefix_builder_add(struct prefix_builder *b, struct bytes key)
{
    size_t count = prefix_builder_count(b);
    struct bytes p;

    if (b->elements == 0)
        return BASIN_OK;
    p = cut(b, key);
    b->known = p.size < key.size ? p.size : SIZE_MAX;
    if (count > 0 && bytes_equal(part(b->ends.data, b->bytes.data, count - 1), p))
        return BASIN_OK;
    while (prefix_builder_count(b) == STRATUM_PREFIXES_MAX)
        shorten(b);
    if (b->elements == 0)
        return BASIN_OK;
    if (buf_reserve(&b->ends, 2) != BASIN_OK ||
        buf_reserve(&b->bytes, STRATUM_PREFIX_SIZE_MAX) != BASIN_OK)
        return BASIN_NO_MEM;
    p = cut(b, key);
    b->known = p.size < key.size ? p.size : SIZE_MAX;
    append(b, p);
    return BASIN_OK;
}

void
prefix_builder_write(const struct prefix_builder *b, struct wr *to)
{
    wr_u16(to, (uint16_t)prefix_builder_count(b));
    wr_bytes(to, buf_bytes(&b->ends));
    wr_bytes(to, buf_bytes(&b->bytes));
}

/* ------------------------------------------------------------------ reading */

struct bytes
prefix_list_at(const struct prefix_list *l, size_t i)
{
    return part(l->ends, l->bytes, i);
}

bool
prefix_list_read(struct prefix_list *l, struct rd *from)
{
    size_t count = rd_u16(from), end = 0;
    struct bytes ends = rd_bytes(from, 2 * count);

    if (!rd_ok(from) || count == 0 || count > STRATUM_PREFIXES_MAX)
        return false;
    for (size_t i = 0; i < count; i++) {
        size_t next = load_u16(ends.data + 2 * i);
        if (next < end || next - end > STRATUM_PREFIX_SIZE_MAX)
            return false;
        end = next;
    }
    (void)rd_bytes(from, end);
    if (!rd_ok(from))
        return false;
    *l = (struct prefix_list){ ends.data, ends.data + ends.size, count };
    for (size_t i = 1; i < count; i++)
        if (bytes_compare(prefix_list_at(l, i - 1), prefix_list_at(l, i)) >= 0)
            return false;
    return true;
}

/* How many of the list stand before key or at it. */
static size_t
count_upto(const struct prefix_list *l, struct bytes key)
{
    size_t low = 0, high = l->count;

    while (low < high) {
        size_t mid = (low + high) / 2;
        if (bytes_compare(prefix_list_at(l, mid), key) <= 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

bool
prefix_list_has(const struct prefix_list *l, struct bytes key, size_t *behind)
{
    size_t n = *behind = count_upto(l, key), shared;

    /* One that begins the key and is not the last before it begins that one as well. */
    for (; n > 0; n = count_upto(l, key)) {
        struct bytes p = prefix_list_at(l, n - 1);
        shared = bytes_shared(p, key);
        if (shared == p.size)
            return true;
        key.size = shared;
    }
    return l->count == 0;
}

bool
stratum_may_hold(const struct stratum *s, const struct bytes *lower, const struct bytes *upper,
                 bool upper_excluded)
{
    const struct prefix_list *l = &s->prefixes;
    size_t i = 0;
    bool may;
    int c;

    if (l->count == 0)
        return s->footer.entries > 0;
    COUNT(s, filter_checks);
    may = lower != NULL && prefix_list_has(l, *lower, &i);
    if (!may && i < l->count) { /* what stands behind lower is in the range, unless behind upper */
        c = upper != NULL ? bytes_compare(prefix_list_at(l, i), *upper) : -1;
        may = c < 0 || (c == 0 && !upper_excluded);
    }
    if (!may)
        COUNT(s, filter_rejects);
    return may;
}
