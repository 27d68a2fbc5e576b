// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Verification: the hash of the whole object; that blocks lie behind one another without overlap;
 * every checksum, structure, order of keys, fences, counts and kinds; every key against its filter
 * and the list of prefixes; seqnos against fences. Every fault is reported and the walk goes on
 * behind it; the first one is the result. It reads each block once and holds one leaf, one index
 * block and one filter.
 */
#include "stratum/reader.h"

enum { HASH_CHUNK = 131072 };

struct walk {
    struct stratum *s;
    stratum_fault_fn *fn;
    void *ctx;
    basin_status first; /* status of the first fault */
    basin_error *err;   /* gets the first fault */

    struct buf last_key; /* of the entry before */
    struct buf key;      /* of this entry */
    struct buf from;     /* separator of the page being read */
    uint64_t last_seqno;
    bool last_known; /* false behind a damaged page */
    bool have_last;
    struct footer sum; /* counted here */
    uint64_t bytes;    /* of all blocks before the root */
    uint32_t group;
    uint64_t seqno_max; /* of the current leaf */
};

/* Reports one fault. Only an allocation failure or I/O error ends the walk. */
static void
fault(struct walk *w, const basin_error *e, struct bytes from, struct bytes to)
{
    if (w->first == BASIN_OK) {
        w->first = e->status;
        if (w->err)
            *w->err = *e;
    }
    if (w->fn)
        w->fn(w->ctx, e, from, to);
}

static void
fault_here(struct walk *w, struct bytes from, const char *what, uint64_t number)
{
    basin_error e = { 0 };

    (void)error_set(&e, BASIN_CORRUPT, "stratum %s: page %llu: %s", w->s->source->name,
                    (unsigned long long)number, what);
    fault(w, &e, from, from);
}

/* ------------------------------------------------------------------ whole object */

static basin_status
hash_object(struct source *src, uint64_t seed, const basin_allocator *mem, uint64_t *value,
            basin_error *err)
{
    uint64_t end = src->size - FOOTER_SIZE + FOOTER_OBJECT_HASH_AT;
    struct hash_stream *h = hash_stream_new(seed);
    size_t chunk_size = (size_t)MIN_OF((uint64_t)HASH_CHUNK, end);
    uint8_t *chunk = mem_new(mem, chunk_size);
    basin_status st = BASIN_OK;

    *value = 0;
    if (!h || !chunk)
        FAIL(err, BASIN_NO_MEM, "stratum %s: no memory to hash it", src->name);
    for (uint64_t at = 0; at < end;) {
        size_t n = (size_t)MIN_OF((uint64_t)chunk_size, end - at);
        TRY(src->ops->read(src, at, chunk, n, err));
        hash_stream_add(h, chunk, n);
        at += n;
    }
    *value = hash_stream_value(h);
out:
    hash_stream_free(h);
    mem_free(mem, chunk, chunk_size);
    return st;
}

static basin_status
check_hash(struct walk *w, basin_error *err)
{
    struct stratum *s = w->s;
    uint64_t value;
    basin_error e = { 0 };
    basin_status st;

    TRY(hash_object(s->source, s->form.seed, s->options.mem, &value, err));
    if (value != s->footer.object_hash) {
        (void)error_set(&e, BASIN_CORRUPT, "stratum %s: hash of the object %016llx is not %016llx",
                        s->source->name, (unsigned long long)value,
                        (unsigned long long)s->footer.object_hash);
        fault(w, &e, s->summary.first_key, s->summary.last_key);
    }
out:
    return st;
}

/* ------------------------------------------------------------------ entries */

static bool
counts_fit(const struct footer *a, const struct footer *b)
{
    return a->entries == b->entries && a->deletes == b->deletes && a->merges == b->merges &&
           a->refs == b->refs;
}

/* The key of entry i into w->key; dense pages are walked in order. */
static basin_status
entry_key(struct walk *w, const struct leaf *l, struct dense_at *d, uint32_t i)
{
    struct bytes prefix = leaf_prefix(l);
    size_t n;

    buf_clear(&w->key);
    if (buf_reserve(&w->key, (size_t)l->key_max + 1) != BASIN_OK ||
        buf_add(&w->key, prefix.data, prefix.size) != BASIN_OK)
        return BASIN_NO_MEM;
    if (l->kind == BLOCK_POINT) {
        struct slot slot = leaf_slot(l, i);
        return buf_add(&w->key, slot.rest.data, slot.rest.size);
    }
    dense_goto(l, d, i);
    n = dense_build(l, d, w->key.data, 0);
    w->key.size = prefix.size + n;
    return BASIN_OK;
}

static const char *
entry_order(const struct walk *w, uint64_t seqno)
{
    int c;

    if (!w->have_last || !w->last_known)
        return NULL;
    c = bytes_compare(buf_bytes(&w->last_key), buf_bytes(&w->key));
    if (c > 0)
        return "a key is before the one in front of it";
    if (c == 0 && seqno >= w->last_seqno && (seqno | w->last_seqno) != 0)
        return "versions of a key are out of order";
    return NULL;
}

static const char *
check_entry(struct walk *w, const struct leaf *l, uint32_t i, const struct page *filter)
{
    struct bytes key = buf_bytes(&w->key);
    uint64_t hash = filter_hash(key), seqno = leaf_seqno(l, i);
    enum entry_kind kind = leaf_kind(l, i);
    const char *what = entry_order(w, seqno);
    size_t behind;

    w->sum.entries++;
    w->sum.deletes += kind == ENTRY_DELETE;
    w->sum.merges += kind == ENTRY_MERGE;
    w->sum.refs += kind == ENTRY_REF;
    w->seqno_max = MAX_OF(w->seqno_max, seqno);
    w->last_seqno = seqno;
    if (what)
        return what;
    if (l->kind == BLOCK_POINT) {
        struct slot slot = leaf_slot(l, i);
        if (l->data[l->prints_at + i] != filter_print(hash))
            return "a fingerprint is not that of its key";
        if (slot.value.size && ((l->flags & LEAF_ALL_EMPTY) || kind == ENTRY_DELETE))
            return "a value where none may be";
    }
    if (filter->data && !stratum__filter_has(w->s, w->group, filter, hash))
        return "the filter does not know a key";
    if (!prefix_list_has(&w->s->prefixes, key, &behind))
        return "the list of prefixes does not know a key";
    return NULL;
}

static basin_status
check_leaf(struct walk *w, const struct leaf *l, uint64_t number, const struct page *filter)
{
    struct dense_at d = { 0 };
    size_t key_max = 0;
    basin_status st = BASIN_OK;

    w->seqno_max = 0;
    for (uint32_t i = 0; i < l->count; i++) {
        const char *what;
        TRY(entry_key(w, l, &d, i));
        what = check_entry(w, l, i, filter);
        if (what)
            fault_here(w, buf_bytes(&w->key), what, number);
        if (i == 0 && bytes_compare(buf_bytes(&w->key), buf_bytes(&w->from)) < 0)
            fault_here(w, buf_bytes(&w->key), "its first key is before its separator", number);
        key_max = MAX_OF(key_max, w->key.size);
        TRY(buf_set(&w->last_key, w->key.data, w->key.size));
        w->have_last = true;
        w->last_known = true;
    }
    if (key_max != l->key_max)
        fault_here(w, buf_bytes(&w->from), "its longest key has another length", number);
out:
    return st;
}

/* ------------------------------------------------------------------ fences */

/* The separator must lie behind the last key; equal only when versions go on. */
static void
check_separator(struct walk *w, const struct fence *f, uint64_t number)
{
    int c;

    if (!w->have_last || !w->last_known)
        return;
    c = bytes_compare(buf_bytes(&w->last_key), buf_bytes(&w->from));
    if (c > 0 || (c == 0) != f->continues)
        fault_here(w, buf_bytes(&w->from), "its separator is not behind the page before it",
                   number);
}

static void
check_fence(struct walk *w, const struct node *index, uint32_t i, const struct leaf *l,
            const struct fence *f)
{
    uint64_t number = index->first + i;
    struct bytes from = buf_bytes(&w->from);

    if (node_entries(index, i + 1) - f->entries != l->count)
        fault_here(w, from, "its fence counts other entries", number);
    if (w->seqno_max > f->seqno_max)
        fault_here(w, from, "its fence has a smaller seqno", number);
    if (f->continues && f->first_seqno != leaf_seqno(l, 0))
        fault_here(w, from, "its fence names another first seqno", number);
}

/* Reads and checks leaf i of an index block. Damage is reported; other failures end the walk. */
static basin_status
walk_leaf(struct walk *w, const struct node *index, uint32_t i, const struct page *filter,
          uint64_t *next_at, basin_error *err)
{
    struct page page = { 0 };
    struct leaf leaf;
    struct fence f;
    basin_error e = { 0 };
    uint64_t deletes = w->sum.deletes;
    basin_status st;

    node_fence(index, i, &f);
    w->from.size = node_separator(index, i, w->from.data);
    if (f.at != *next_at && i > 0)
        fault_here(w, buf_bytes(&w->from), "it does not follow the page before it",
                   index->first + i);
    *next_at = f.at + f.size;
    w->bytes += f.size;
    check_separator(w, &f, index->first + i);
    st = stratum__pin_leaf(w->s, index, i, &page, &leaf, &e);
    if (st == BASIN_CORRUPT) {
        fault(w, &e, buf_bytes(&w->from), buf_bytes(&w->from));
        w->last_known = false;
        w->sum.entries += node_entries(index, i + 1) - f.entries;
        w->sum.deletes += node_deletes(index, i + 1) - f.deletes;
        return BASIN_OK;
    }
    if (st != BASIN_OK) {
        if (err)
            *err = e;
        return st;
    }
    st = check_leaf(w, &leaf, index->first + i, filter);
    check_fence(w, index, i, &leaf, &f);
    if (w->sum.deletes - deletes != node_deletes(index, i + 1) - f.deletes)
        fault_here(w, buf_bytes(&w->from), "its fence counts other deletes", index->first + i);
    stratum__unpin(&page);
    return st;
}

/* The index block against what the root says of it. */
static void
check_index(struct walk *w, uint32_t group, const struct node *index)
{
    const struct node *root = &w->s->root;
    struct fence f, first;
    uint64_t seqno_max = 0;
    size_t n;

    node_fence(root, group, &f);
    node_fence(index, 0, &first);
    w->bytes += (uint64_t)f.size + f.filter_size;
    n = node_separator(root, group, w->key.data);
    w->from.size = node_separator(index, 0, w->from.data);
    for (uint32_t i = 0; i < index->count; i++)
        seqno_max = MAX_OF(seqno_max, node_seqno(index, i));
    if (!bytes_equal(bytes_of(w->key.data, n), buf_bytes(&w->from)))
        fault_here(w, buf_bytes(&w->from), "root and index have other separators", index->first);
    if (f.entries != first.entries || f.deletes != first.deletes || f.seqno_max != seqno_max ||
        f.continues != first.continues || f.first_seqno != first.first_seqno ||
        node_entries(root, group + 1) != node_entries(index, index->count) ||
        node_deletes(root, group + 1) != node_deletes(index, index->count))
        fault_here(w, buf_bytes(&w->from), "root and index count differently", index->first);
}

/* A block of this kind, or an empty page after its damage was reported. */
static basin_status
pin_or_report(struct walk *w, uint32_t group, struct page *filter, struct page *index,
              struct node *node, basin_error *err)
{
    struct bytes key;
    basin_error e = { 0 };
    basin_status st = BASIN_OK;

    w->key.size = node_separator(&w->s->root, group, w->key.data);
    key = buf_bytes(&w->key);
    if (w->s->root.flags & NODE_FILTERS)
        st = stratum__pin_filter(w->s, group, filter, &e);
    if (st == BASIN_CORRUPT) {
        fault(w, &e, key, key);
        st = BASIN_OK;
    }
    if (st == BASIN_OK)
        st = stratum__pin_index(w->s, group, index, node, &e);
    if (st == BASIN_CORRUPT) {
        fault(w, &e, key, key);
        *index = (struct page){ 0 };
        return BASIN_OK;
    }
    if (st != BASIN_OK && err)
        *err = e;
    return st;
}

static basin_status
walk_group(struct walk *w, uint32_t group, basin_error *err)
{
    struct page index_page = { 0 }, filter = { 0 };
    struct node index;
    uint64_t next_at = 0;
    basin_status st;

    w->group = group;
    TRY(pin_or_report(w, group, &filter, &index_page, &index, err));
    if (!index_page.data) { /* count its entries by the root, go on behind it */
        w->sum.entries += node_entries(&w->s->root, group + 1) - node_entries(&w->s->root, group);
        w->sum.deletes += node_deletes(&w->s->root, group + 1) - node_deletes(&w->s->root, group);
        w->last_known = false;
        goto out;
    }
    check_index(w, group, &index);
    for (uint32_t i = 0; i < index.count; i++)
        TRY(walk_leaf(w, &index, i, &filter, &next_at, err));
out:
    stratum__unpin(&filter);
    stratum__unpin(&index_page);
    return st;
}

/* ------------------------------------------------------------------ all of it */

/* What the properties say of the smallest and largest key; range tombstones may widen them. */
static const char *
bounds_fault(const struct walk *w)
{
    const struct stratum_summary *sum = &w->s->summary;
    int first = bytes_compare(buf_bytes(&w->from), sum->first_key);
    int last = bytes_compare(buf_bytes(&w->last_key), sum->last_key);

    if (w->s->ranges_count == 0 && (first != 0 || last != 0 || sum->last_key_excluded))
        return "first or last key are not those of the properties";
    if (first < 0)
        return "a key is before the first key of the properties";
    if (!sum->last_unbounded && (sum->last_key_excluded ? last >= 0 : last > 0))
        return "a key is behind the last key of the properties";
    return NULL;
}

static void
check_whole(struct walk *w)
{
    const struct footer *f = &w->s->footer;
    const char *what = NULL;

    if (w->first != BASIN_OK || f->leaves == 0)
        return;
    w->from.size = node_separator(&w->s->root, 0, w->from.data);
    if (!counts_fit(&w->sum, f))
        what = "the footer counts other entries";
    else if (w->bytes != f->root_at)
        what = "there are bytes between the pages";
    else
        what = bounds_fault(w);
    if (what)
        fault_here(w, w->s->summary.last_key, what, f->leaves);
}

static basin_status
walk_groups(struct walk *w, basin_error *err)
{
    struct stratum *s = w->s;
    basin_status st = BASIN_OK;

    for (uint32_t g = 0; s->footer.leaves != 0 && g < s->root.count; g++)
        TRY(walk_group(w, g, err));
    check_whole(w);
out:
    return st;
}

basin_status
stratum_verify(struct stratum *s, stratum_fault_fn *fn, void *ctx, basin_error *err)
{
    struct stratum own = *s; /* the same blocks, but each is read and checked anew */
    struct walk w = { .s = &own, .fn = fn, .ctx = ctx, .err = err };
    basin_status st;

    own.options.verify_always = true;
    own.slots = NULL;
    buf_init(&w.last_key, s->options.mem);
    buf_init(&w.key, s->options.mem);
    buf_init(&w.from, s->options.mem);
    if (buf_reserve(&w.key, STRATUM_KEY_MAX + 1) != BASIN_OK ||
        buf_reserve(&w.from, STRATUM_KEY_MAX + 1) != BASIN_OK)
        FAIL(err, BASIN_NO_MEM, "stratum %s: no memory to verify it", s->source->name);
    TRY(check_hash(&w, err));
    st = walk_groups(&w, err);
    if (st == BASIN_NO_MEM && err && err->status != BASIN_NO_MEM)
        (void)error_set(err, st, "stratum %s: no memory to verify it", s->source->name);
out:
    buf_release(&w.last_key);
    buf_release(&w.key);
    buf_release(&w.from);
    return st == BASIN_OK ? w.first : st;
}

basin_status
stratum_identify(struct source *from, struct stratum_identity *out, basin_error *err)
{
    uint8_t bytes[FOOTER_SIZE] = { 0 };
    struct rd r = rd_over(bytes, sizeof(bytes));
    struct footer f;
    basin_error inner = { 0 };
    uint16_t version;
    basin_status st = BASIN_OK;

    *out = (struct stratum_identity){ 0 };
    if (from->size < FOOTER_SIZE)
        FAIL(err, BASIN_CORRUPT, "stratum %s: %llu bytes are too few", from->name,
             (unsigned long long)from->size);
    TRY(from->ops->read(from, from->size - FOOTER_SIZE, bytes, FOOTER_SIZE, err));
    out->values = memcmp(bytes, VALUE_MAGIC, 8) == 0;
    if (!out->values) {
        st = footer_decode(bytes, from->size, &f, &inner);
        if (st != BASIN_OK)
            FAIL(err, st, "stratum %s: %s", from->name, inner.what);
    } else if (hash64(bytes, FOOTER_HASH_AT, 0) != load_u64(bytes + FOOTER_HASH_AT)) {
        FAIL(err, BASIN_CORRUPT, "stratum %s: footer: its checksum is wrong", from->name);
    }
    (void)rd_u64(&r);
    version = rd_u16(&r);
    if (version != (out->values ? STRATUM_VALUE_VERSION : STRATUM_VERSION))
        FAIL(err, BASIN_VERSION, "stratum %s: format %u, this build reads %d", from->name, version,
             out->values ? STRATUM_VALUE_VERSION : STRATUM_VERSION);
    (void)rd_u16(&r);
    out->sealed = rd_u32(&r) & FEATURE_SEALED;
    (void)rd_bytes(&r, FOOTER_IDS_AT - 16);
    for (int i = 0; i < 2; i++)
        out->database_id[i] = rd_u64(&r);
    for (int i = 0; i < 2; i++)
        out->object_id[i] = rd_u64(&r);
    out->hash = load_u64(bytes + FOOTER_OBJECT_HASH_AT);
out:
    return st;
}

basin_status
stratum_check_stored(struct source *from, const basin_allocator *mem, basin_error *err)
{
    struct stratum_identity id;
    struct block_form form;
    uint64_t value;
    basin_status st;

    TRY(stratum_identify(from, &id, err));
    block_form_init(&form, mem, id.database_id, id.object_id);
    TRY(hash_object(from, form.seed, mem, &value, err));
    if (value != id.hash)
        FAIL(err, BASIN_CORRUPT, "stratum %s: hash of the object %016llx is not %016llx",
             from->name, (unsigned long long)value, (unsigned long long)id.hash);
out:
    return st;
}
