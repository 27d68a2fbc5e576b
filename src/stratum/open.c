// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Opening a stratum: the footer, then the tail behind the leaves (root, range tombstones,
 * properties) in one read when it is below 64 KiB. What it keeps in memory: the tail when the
 * source is not mapped, one bit per block in view, one word per block for the cache.
 * It never reads a leaf, and its cost does not grow with the stratum but with its root.
 */
#include "stratum/reader.h"

/* ------------------------------------------------------------------ tail */

static basin_status
read_tail(struct stratum *s, uint8_t footer[FOOTER_SIZE], basin_error *err)
{
    uint64_t size = s->source->size;
    size_t first = (size_t)MIN_OF(size, (uint64_t)TAIL_READ_SIZE);
    basin_status st = BASIN_OK;

    if (size < FOOTER_SIZE)
        FAIL(err, BASIN_CORRUPT, "stratum %s: %llu bytes are too few", s->source->name,
             (unsigned long long)size);
    s->view = s->options.no_map ? NULL : s->source->ops->map(s->source);
    if (s->view) {
        memcpy(footer, s->view + size - FOOTER_SIZE, FOOTER_SIZE);
        return BASIN_OK;
    }
    s->tail = mem_new(s->options.mem, first);
    if (!s->tail)
        FAIL(err, BASIN_NO_MEM, "stratum %s: no memory for its tail", s->source->name);
    s->tail_size = first;
    TRY(s->source->ops->read(s->source, size - first, s->tail, first, err));
    memcpy(footer, s->tail + first - FOOTER_SIZE, FOOTER_SIZE);
    s->view_at = size - first;
    s->view = s->tail;
out:
    return st;
}

/* Makes the owned view reach from tail_at to the end, no less and no more. */
static basin_status
fit_tail(struct stratum *s, basin_error *err)
{
    uint64_t need = s->source->size - s->footer.tail_at;
    size_t have = s->tail_size, kept;
    uint8_t *p;
    basin_status st = BASIN_OK;

    if (!s->tail || need == have)
        return BASIN_OK;
    if (need > SIZE_MAX / 2)
        FAIL(err, BASIN_CORRUPT, "stratum %s: its tail has %llu bytes", s->source->name,
             (unsigned long long)need);
    p = mem_new(s->options.mem, (size_t)need);
    if (!p)
        FAIL(err, BASIN_NO_MEM, "stratum %s: no memory for a tail of %llu bytes", s->source->name,
             (unsigned long long)need);
    kept = MIN_OF(have, (size_t)need);
    memcpy(p + (size_t)need - kept, s->tail + have - kept, kept);
    mem_free(s->options.mem, s->tail, have);
    s->tail = p;
    s->tail_size = (size_t)need;
    s->view = p;
    s->view_at = s->footer.tail_at;
    if ((size_t)need > kept)
        TRY(s->source->ops->read(s->source, s->view_at, p, (size_t)need - kept, err));
out:
    return st;
}

/* ------------------------------------------------------------------ who it belongs to */

static basin_status
check_owner(struct stratum *s, basin_error *err)
{
    const struct stratum_read_options *o = &s->options;
    const struct footer *f = &s->footer;
    bool sealed = f->features & FEATURE_SEALED, hook = f->features & FEATURE_HOOK;
    basin_status st = BASIN_OK;

    if (memcmp(f->database_id, o->database_id, sizeof(f->database_id)) != 0 ||
        memcmp(f->object_id, o->object_id, sizeof(f->object_id)) != 0)
        FAIL(err, BASIN_CORRUPT, "stratum %s: it is object %llu.%llu of another name or database",
             s->source->name, (unsigned long long)f->object_id[0],
             (unsigned long long)f->object_id[1]);
    if (sealed && !o->data_key)
        FAIL(err, BASIN_WRONG_KEY, "stratum %s: it is encrypted and no key was given",
             s->source->name);
    if (!sealed && o->data_key)
        FAIL(err, BASIN_CORRUPT, "stratum %s: it is not encrypted, its database is",
             s->source->name);
    if (hook != !!o->hook || (hook && o->hook->reserved != f->reserved))
        FAIL(err, BASIN_WRONG_KEY, "stratum %s: its pages reserve %u bytes, the page hook %zu",
             s->source->name, f->reserved, o->hook ? o->hook->reserved : 0);
    s->form.hook = o->hook;
    if (sealed)
        block_form_seal(&s->form, o->data_key, f->salt, STRATUM_CONTEXT);
out:
    return st;
}

/* ------------------------------------------------------------------ fixed blocks */

/* Root, ranges or properties: in place when plain, else into a private frame. */
static basin_status
load_fixed(struct stratum *s, enum block_kind kind, uint64_t at, uint32_t size, struct frame **pin,
           struct bytes *data, basin_error *err)
{
    struct frame_content content = { 0 };
    const uint8_t *stored = s->view + (at - s->view_at);
    struct block_head head;
    basin_error inner = { 0 };
    basin_status st;

    TRY(block_check(&s->form, bytes_of(stored, size), at, kind, &head, &inner));
    if (head.codec != CODEC_NONE)
        FAIL(&inner, BASIN_CORRUPT, "it is compressed");
    *data = bytes_of(stored + BLOCK_HEAD_SIZE, head.raw);
    if (block_plain(&s->form))
        return BASIN_OK;
    content.memory = mem_new(s->options.mem, size);
    if (!content.memory)
        FAIL(&inner, BASIN_NO_MEM, "no memory for %u bytes", size);
    content.memory_size = size;
    memcpy(content.memory, stored, size);
    st = block_unlock(&s->form, content.memory, &head, at, &content.data, &inner);
    if (st == BASIN_CORRUPT) /* the stored bytes are right, so the key is not */
        st = BASIN_WRONG_KEY;
    if (st != BASIN_OK) {
        mem_free(s->options.mem, content.memory, content.memory_size);
        goto out;
    }
    TRY(frame_private(s->options.mem, &content, pin, &inner));
    *data = content.data;
out:
    if (st == BASIN_OK)
        return st;
    return error_set(err, st, "stratum %s: block of kind %d at %llu: %s", s->source->name, kind,
                     (unsigned long long)at, inner.what);
}

static basin_status
load_props(struct stratum *s, basin_error *err)
{
    struct stratum_summary *sum = &s->summary;
    struct bytes data, magic;
    struct rd r;
    uint8_t flags;
    basin_status st;

    TRY(load_fixed(s, BLOCK_PROPS, s->footer.props_at, s->footer.props_size, &s->props_pin, &data,
                   err));
    r = rd_over(data.data, data.size);
    magic = rd_bytes(&r, 8);
    if (!rd_ok(&r) || memcmp(magic.data, PROPS_MAGIC, 8) != 0)
        FAIL(err, s->form.hook ? BASIN_WRONG_KEY : BASIN_CORRUPT,
             "stratum %s: its properties are not readable", s->source->name);
    flags = rd_u8(&r);
    sum->last_key_excluded = flags & 1;
    sum->last_unbounded = flags & 2;
    sum->first_key = rd_leb_bytes(&r);
    sum->last_key = rd_leb_bytes(&r);
    s->meta = rd_leb_bytes(&r);
    if ((s->footer.features & FEATURE_PREFIXES) && !prefix_list_read(&s->prefixes, &r))
        FAIL(err, BASIN_CORRUPT, "stratum %s: its list of prefixes is not in order",
             s->source->name);
    if (!rd_done(&r) || flags > 3 || sum->first_key.size > STRATUM_KEY_MAX ||
        sum->last_key.size > STRATUM_KEY_MAX)
        FAIL(err, BASIN_CORRUPT, "stratum %s: properties: stopped at byte %zu of %zu",
             s->source->name, r.at, r.size);
out:
    return st;
}

static basin_status
load_root(struct stratum *s, basin_error *err)
{
    const struct footer *f = &s->footer;
    struct node *n = &s->root;
    basin_error inner = { 0 };
    struct bytes data;
    basin_status st = BASIN_OK;

    if (f->leaves == 0)
        return BASIN_OK;
    TRY(load_fixed(s, BLOCK_ROOT, f->root_at, f->root_size, &s->root_pin, &data, err));
    if (!node_open(n, data.data, data.size))
        FAIL(err, BASIN_CORRUPT, "stratum %s: root: its arrays do not fit %zu bytes",
             s->source->name, data.size);
    st = node_validate(n, true, &inner);
    if (st != BASIN_OK)
        FAIL(err, st, "stratum %s: root: %s", s->source->name, inner.what);
    if (n->first != 0 || n->count != f->groups || node_leaves(n, 0) != 0 ||
        node_leaves(n, n->count) != f->leaves || node_entries(n, 0) != 0 ||
        node_entries(n, n->count) != f->entries || node_deletes(n, n->count) != f->deletes ||
        !(n->flags & NODE_FILTERS) != !(f->features & FEATURE_FILTER))
        FAIL(err, BASIN_CORRUPT, "stratum %s: root and footer count differently", s->source->name);
out:
    return st;
}

/* ------------------------------------------------------------------ range tombstones */

static bool
range_follows(const struct range_tombstone *last, const struct range_tombstone *t)
{
    if (!t->unbounded && bytes_compare(t->begin, t->end) >= 0)
        return false;
    if (!last)
        return true;
    if (bytes_equal(last->begin, t->begin) && last->unbounded == t->unbounded &&
        bytes_equal(last->end, t->end))
        return t->seqno < last->seqno;
    return !last->unbounded && bytes_compare(last->end, t->begin) <= 0;
}

static basin_status
load_ranges(struct stratum *s, basin_error *err)
{
    struct bytes data;
    struct rd r;
    uint64_t count;
    basin_status st = BASIN_OK;

    if (s->footer.ranges_size == 0)
        return BASIN_OK;
    TRY(load_fixed(s, BLOCK_RANGES, s->footer.ranges_at, s->footer.ranges_size, &s->ranges_pin,
                   &data, err));
    r = rd_over(data.data, data.size);
    count = rd_u64(&r);
    if (count == 0 || count != s->footer.range_tombstones || count > data.size / 10)
        FAIL(err, BASIN_CORRUPT, "stratum %s: %llu range tombstones in %zu bytes", s->source->name,
             (unsigned long long)count, data.size);
    s->ranges = mem_new(s->options.mem, (size_t)count * sizeof(*s->ranges));
    if (!s->ranges)
        FAIL(err, BASIN_NO_MEM, "stratum %s: no memory for %llu range tombstones", s->source->name,
             (unsigned long long)count);
    s->ranges_count = (size_t)count;
    for (size_t i = 0; i < s->ranges_count; i++) {
        struct range_tombstone *t = &s->ranges[i];
        uint8_t flag = rd_u8(&r);
        t->unbounded = flag == 1;
        t->seqno = rd_u64(&r) + s->seqno_base;
        t->begin = rd_leb_bytes(&r);
        t->end = t->unbounded ? BYTES_NULL : rd_leb_bytes(&r);
        if (!rd_ok(&r) || flag > 1 || !range_follows(i ? t - 1 : NULL, t))
            FAIL(err, BASIN_CORRUPT, "stratum %s: range tombstone %zu is not in order",
                 s->source->name, i);
    }
    if (!rd_done(&r))
        FAIL(err, BASIN_CORRUPT, "stratum %s: %zu bytes behind the range tombstones",
             s->source->name, rd_left(&r));
out:
    return st;
}

const struct range_tombstone *
stratum_ranges(const struct stratum *s, size_t *count)
{
    *count = s->ranges_count;
    return s->ranges;
}

/* First range that begins behind key (or, with at, at key or behind it). */
static size_t
ranges_bound(const struct stratum *s, struct bytes key, bool at)
{
    size_t lo = 0, hi = s->ranges_count;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int c = bytes_compare(s->ranges[mid].begin, key);
        if (c < 0 || (c == 0 && !at))
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

uint64_t
stratum_range_covering(const struct stratum *s, struct bytes key, uint64_t snapshot)
{
    size_t end = ranges_bound(s, key, false), lo;
    const struct range_tombstone *t;

    if (end == 0)
        return 0;
    t = &s->ranges[end - 1];
    if (!t->unbounded && bytes_compare(key, t->end) >= 0)
        return 0;
    for (lo = ranges_bound(s, t->begin, true); lo < end;) { /* newest first */
        size_t mid = lo + (end - 1 - lo) / 2;
        if (s->ranges[mid].seqno > snapshot)
            lo = mid + 1;
        else if (mid == lo)
            return s->ranges[mid].seqno;
        else
            end = mid + 1;
    }
    return 0;
}

/* ------------------------------------------------------------------ open and close */

static basin_status
make_tables(struct stratum *s, basin_error *err)
{
    size_t blocks = (size_t)(s->footer.leaves + 2 * s->footer.groups);
    bool in_view = s->view && block_plain(&s->form);
    bool cached = !in_view || s->tail || (s->footer.features & FEATURE_COMPRESSED);

    s->blocks = blocks;
    if (blocks == 0)
        return BASIN_OK;
    if (in_view) {
        s->checked_words = blocks / 64 + 1;
        s->checked = mem_new(s->options.mem, s->checked_words * sizeof(*s->checked));
        if (!s->checked)
            return error_set(err, BASIN_NO_MEM, "stratum %s: no memory for %zu pages",
                             s->source->name, blocks);
    }
    if (cached && s->options.cache) {
        s->slots_count = blocks;
        s->slots = mem_new(s->options.mem, blocks * sizeof(*s->slots));
        if (!s->slots)
            return error_set(err, BASIN_NO_MEM, "stratum %s: no memory for %zu pages",
                             s->source->name, blocks);
    }
    return BASIN_OK;
}

static void
fill_summary(struct stratum *s)
{
    struct stratum_summary *sum = &s->summary;
    const struct footer *f = &s->footer;

    sum->entries = f->entries;
    sum->deletes = f->deletes;
    sum->merges = f->merges;
    sum->range_tombstones = f->range_tombstones;
    sum->refs = f->refs;
    sum->seqno_min = f->seqno_min + s->seqno_base;
    sum->seqno_max = f->seqno_max + s->seqno_base;
    sum->raw_bytes = f->raw_bytes;
    sum->size = s->source->size;
    sum->pages = f->leaves;
    sum->hash = f->object_hash;
}

basin_status
stratum_open(struct source *from, const struct stratum_read_options *options, struct stratum **out,
             basin_error *err)
{
    struct stratum *s = NULL;
    uint8_t footer[FOOTER_SIZE];
    basin_error inner = { 0 };
    basin_status st = BASIN_OK;

    *out = NULL;
    s = mem_new(options->mem, sizeof(*s));
    if (!s)
        FAIL(err, BASIN_NO_MEM, "no memory to open stratum %s", from->name);
    s->source = from;
    s->options = *options;
    block_form_init(&s->form, options->mem, options->database_id, options->object_id);
    TRY(read_tail(s, footer, err));
    st = footer_decode(footer, from->size, &s->footer, &inner);
    if (st != BASIN_OK)
        FAIL(err, st, "stratum %s: %s", from->name, inner.what);
    TRY(check_owner(s, err));
    if (options->seqno_max && options->seqno_max < s->footer.seqno_max)
        FAIL(err, BASIN_CORRUPT, "stratum %s: seqno %llu lies above %llu", from->name,
             (unsigned long long)s->footer.seqno_max, (unsigned long long)options->seqno_max);
    s->seqno_base = options->seqno_max ? options->seqno_max - s->footer.seqno_max : 0;
    TRY(fit_tail(s, err));
    TRY(load_props(s, err));
    TRY(load_root(s, err));
    TRY(load_ranges(s, err));
    TRY(make_tables(s, err));
    fill_summary(s);
    *out = s;
    s = NULL;
    from = NULL;
out:
    if (!s && from)
        from->ops->close(from);
    stratum_close(s);
    return st;
}

void
stratum_close(struct stratum *s)
{
    const basin_allocator *mem;

    if (!s)
        return;
    mem = s->options.mem;
    if (s->slots)
        cache_drop(s->options.cache, s->slots, s->slots_count);
    frame_unpin(s->root_pin);
    frame_unpin(s->props_pin);
    frame_unpin(s->ranges_pin);
    mem_free(mem, s->ranges, s->ranges_count * sizeof(*s->ranges));
    mem_free(mem, s->slots, s->slots_count * sizeof(*s->slots));
    mem_free(mem, s->checked, s->checked_words * sizeof(*s->checked));
    mem_free(mem, s->tail, s->tail_size);
    block_form_release(&s->form);
    s->source->ops->close(s->source);
    mem_free(mem, s, sizeof(*s));
}

const struct stratum_summary *
stratum_summary_of(const struct stratum *s)
{
    return &s->summary;
}

struct bytes
stratum_meta(const struct stratum *s)
{
    return s->meta;
}
