// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The strata that a flush or a merge writes: one after the other, cut at a size between two keys,
 * with the range tombstones clipped to the bounds of each. Nothing is published here; what is not
 * kept is removed again.
 */
#include "lsm/values.h"

enum { OUTPUT_MAX = 4096 };

struct output {
    struct output_options o;
    struct object_id id;
    struct sink *sink;
    struct stratum_writer *writer;
    struct buf last_key;    /* of the newest entry */
    struct buf from;        /* where the current stratum's bounds begin */
    bool from_start;        /* ... at the start of all keys */
    bool has_entries;       /* the current stratum has one */
    bool stacked;           /* ... and one that only old snapshots see */
    struct value_use *uses; /* of the current stratum */
    size_t use_count, use_capacity;
    struct id_map use_index; /* a: place in uses */
    struct lsm_stratum **strata;
    size_t count, capacity;
    size_t passed; /* of what lies between, behind the output so far */
    uint64_t bytes;
    struct value_out *values; /* values copied out of stale value strata */
    struct buf ref;
};

basin_status
lsm__output_open(const struct output_options *options, struct output **out, basin_error *err)
{
    struct output *o = mem_new(options->db->mem, sizeof(*o));

    *out = NULL;
    if (o == NULL)
        return error_set(err, BASIN_NO_MEM, "no memory for an output");
    o->o = *options;
    o->from_start = true;
    buf_init(&o->last_key, options->db->mem);
    buf_init(&o->from, options->db->mem);
    buf_init(&o->ref, options->db->mem);
    *out = o;
    return BASIN_OK;
}

/* A name that a lost epoch left behind is passed over. */
static basin_status
begin_stratum(struct output *o, basin_error *err)
{
    basin_status st;
    struct lsm *db = o->o.db;
    struct stratum_write_options options;
    char name[LSM_OBJECT_NAME_SIZE];

    o->id = lsm__next_object(db);
    lsm__object_name(name, "strata", o->id);
    TRY(lsm__write_options(db, o->id, &options, err));
    /* Seqnos are needed to compare with range tombstones of the same output. */
    options.seqno_elide = o->o.range_count ? 0 : o->o.seqno_elide;
    TRY(store_create(db->store, name, &o->sink, err));
    TRY(stratum_writer_new(&options, o->sink, &o->writer, err));
    o->has_entries = false;
    o->stacked = false;
    o->use_count = 0;
    lsm__ids_release(&o->use_index, o->o.db->mem);
out:
    return st;
}

/* The parts of the fragments that lie in [from, to); to NULL = the end of all keys. */
static basin_status
add_ranges(struct output *o, const struct bytes *to, bool write, size_t *count, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct bytes from = buf_bytes(&o->from);

    *count = 0;
    for (size_t i = 0; i < o->o.range_count; i++) {
        struct range_tombstone t = o->o.ranges[i];
        if (!o->from_start && bytes_compare(t.begin, from) < 0)
            t.begin = from;
        if (to != NULL && (t.unbounded || bytes_compare(*to, t.end) < 0)) {
            t.end = *to;
            t.unbounded = false;
        }
        if (!t.unbounded && bytes_compare(t.begin, t.end) >= 0)
            continue;
        (*count)++;
        if (write)
            TRY(stratum_writer_add_range(o->writer, &t, err));
    }
out:
    return st;
}

static basin_status
take_summary(struct output *o, const struct stratum_summary *sum, basin_error *err)
{
    basin_status st = BASIN_OK;
    const basin_allocator *mem = o->o.db->mem;
    struct lsm_stratum *s = lsm__stratum_new(o->o.db, o->id);

    if (s == NULL)
        FAIL(err, BASIN_NO_MEM, "no memory for a stratum");
    s->level = o->o.level;
    s->run = o->o.run;
    TRY(error_mem(buf_set(&s->first_key, sum->first_key.data, sum->first_key.size), err));
    TRY(error_mem(buf_set(&s->last_key, sum->last_key.data, sum->last_key.size), err));
    s->last_excluded = sum->last_key_excluded;
    s->last_unbounded = sum->last_unbounded;
    s->stacked = o->stacked;
    s->entries = sum->entries;
    s->deletes = sum->deletes;
    s->merges = sum->merges;
    s->range_tombstones = sum->range_tombstones;
    s->refs = sum->refs;
    s->seqno_min = sum->seqno_min;
    s->seqno_max = sum->seqno_max;
    s->size = sum->size;
    s->raw_bytes = sum->raw_bytes;
    s->hash = sum->hash;
    if (o->use_count > 0) {
        s->uses = mem_new(mem, o->use_count * sizeof(*s->uses));
        if (s->uses == NULL)
            FAIL(err, BASIN_NO_MEM, "no memory for %zu value uses", o->use_count);
        memcpy(s->uses, o->uses, o->use_count * sizeof(*s->uses));
        s->use_count = o->use_count;
    }
    o->strata[o->count++] = s;
    o->bytes += s->size;
    s = NULL;
out:
    lsm__stratum_unref(s);
    return st;
}

static basin_status
set_note(struct output *o, bool last, basin_error *err)
{
    basin_status st;
    const basin_allocator *mem = o->o.db->mem;
    struct buf meta;
    struct stratum_note n = { .level = o->o.level, .run = o->o.run,
                              .set = o->count ? o->strata[0]->id : o->id,
                              .part = o->count, .last = last,
                              .uses = o->uses, .use_count = o->use_count };

    buf_init(&meta, mem);
    if (o->o.consumed_count > 0) {
        n.consumed = mem_new(mem, o->o.consumed_count * sizeof(*n.consumed));
        if (n.consumed == NULL)
            FAIL(err, BASIN_NO_MEM, "no memory for %zu names", o->o.consumed_count);
        n.consumed_count = o->o.consumed_count;
        for (size_t i = 0; i < n.consumed_count; i++)
            n.consumed[i] = o->o.consumed[i]->id;
    }
    if (lsm__note_put(&meta, &n) != BASIN_OK)
        FAIL(err, BASIN_NO_MEM, "no memory for a stratum's note");
    TRY(stratum_writer_set_meta(o->writer, buf_bytes(&meta), err));
out:
    mem_free(mem, n.consumed, n.consumed_count * sizeof(*n.consumed));
    buf_release(&meta);
    return st;
}

/* Finishes the current stratum; its bounds end at `to`. */
static basin_status
end_stratum(struct output *o, const struct bytes *to, basin_error *err)
{
    basin_status st;
    struct stratum_summary sum;
    struct lsm_stratum **more;
    size_t ranges;

    if (o->count == o->capacity) {
        more = o->o.db->mem->resize(o->o.db->mem->ctx, o->strata,
                                    o->capacity * sizeof(*o->strata),
                                    (o->capacity + 64) * sizeof(*o->strata));
        if (more == NULL)
            FAIL(err, BASIN_NO_MEM, "no memory for %zu strata", o->capacity + 64);
        o->strata = more;
        o->capacity += 64;
    }
    TRY(add_ranges(o, to, true, &ranges, err));
    TRY(set_note(o, to == NULL, err));
    st = stratum_writer_finish(o->writer, &sum, err);
    if (st == BASIN_OK) {
        TRY(o->sink->ops->commit(o->sink, err));
        TRY(take_summary(o, &sum, err));
    } else if (st != BASIN_END) {
        goto out;
    }
    st = BASIN_OK;
    stratum_writer_free(o->writer);
    o->writer = NULL;
    o->sink->ops->free(o->sink);
    o->sink = NULL;
    if (to != NULL) {
        TRY(error_mem(buf_set(&o->from, to->data, to->size), err));
        o->from_start = false;
    }
out:
    return st;
}

static basin_status
note_use(struct output *o, struct bytes ref, basin_error *err)
{
    basin_status st;
    struct value_place p;
    struct value_use *more;
    struct id_slot *slot;

    TRY(lsm__value_place_get(ref, &p, err));
    slot = lsm__ids_find(&o->use_index, p.id);
    if (slot == NULL) {
        if (o->use_count == o->use_capacity) {
            size_t n = o->use_capacity + 32;
            more = o->o.db->mem->resize(o->o.db->mem->ctx, o->uses,
                                        o->use_capacity * sizeof(*more), n * sizeof(*more));
            if (more == NULL)
                FAIL(err, BASIN_NO_MEM, "no memory for %zu value uses", n);
            o->uses = more;
            o->use_capacity = n;
        }
        if (!lsm__ids_reserve(&o->use_index, o->o.db->mem, 1))
            FAIL(err, BASIN_NO_MEM, "no memory for %zu value uses", o->use_count + 1);
        slot = lsm__ids_put(&o->use_index, p.id);
        slot->a = o->use_count;
        o->uses[o->use_count++] = (struct value_use){ p.id, 0, 0 };
    }
    o->uses[slot->a].bytes += p.ref.stored;
    o->uses[slot->a].count++;
out:
    return st;
}

/* Moves a value out of a stale value stratum; *e then has the new reference. */
static basin_status
move_value(struct output *o, struct entry *e, basin_error *err)
{
    basin_status st;
    struct value_place p;

    TRY(lsm__value_place_get(e->value, &p, err));
    if (!lsm__object_among(p.id, o->o.stale, o->o.stale_count))
        goto out;
    if (o->values == NULL)
        TRY(lsm__value_out_open(o->o.db, &o->values, err));
    TRY(lsm__value_copy(o->values, e->value, &p, err));
    buf_clear(&o->ref);
    TRY(error_mem(lsm__value_place_put(&o->ref, &p), err));
    e->value = buf_bytes(&o->ref);
out:
    return st;
}

/* Ends the output so far before the next stratum that lies between. */
static basin_status
pass_between(struct output *o, basin_error *err)
{
    basin_status st;
    struct bytes to = buf_bytes(&o->o.between[o->passed]->first_key);
    size_t ranges;

    if (o->writer == NULL) {
        TRY(add_ranges(o, &to, false, &ranges, err));
        if (ranges > 0)
            TRY(begin_stratum(o, err));
    }
    if (o->writer != NULL)
        TRY(end_stratum(o, &to, err));
    o->passed++;
out:
    return st;
}

/* Whether a range lies behind the next stratum between. */
static bool
ranges_go_on(const struct output *o)
{
    struct bytes to = buf_bytes(&o->o.between[o->passed]->first_key);
    const struct range_tombstone *last;

    if (o->o.range_count == 0)
        return false;
    last = &o->o.ranges[o->o.range_count - 1]; /* ranges do not meet what lies between */
    return bytes_compare(last->begin, to) >= 0;
}

basin_status
lsm__output_add(struct output *o, const struct entry *entry, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct entry moved = *entry, *e = &moved;

    if (UNLIKELY(e->kind == ENTRY_REF && o->o.stale_count > 0))
        TRY(move_value(o, e, err));
    while (UNLIKELY(o->passed < o->o.between_count) && !PLANTED(BETWEEN) &&
           bytes_compare(buf_bytes(&o->o.between[o->passed]->first_key), e->key) <= 0)
        TRY(pass_between(o, err));
    if (o->writer != NULL && o->o.size_max && o->has_entries &&
        stratum_writer_size(o->writer) >= o->o.size_max &&
        !bytes_equal(buf_bytes(&o->last_key), e->key))
        TRY(end_stratum(o, &e->key, err));
    if (o->writer == NULL)
        TRY(begin_stratum(o, err));
    TRY(stratum_writer_add(o->writer, e, err));
    if (e->kind == ENTRY_REF)
        TRY(note_use(o, e->value, err));
    if (buf_set(&o->last_key, e->key.data, e->key.size) != BASIN_OK)
        FAIL(err, BASIN_NO_MEM, "no memory for a key");
    o->has_entries = true;
out:
    return st;
}

void
lsm__output_stacked(struct output *o)
{
    o->stacked = true;
}

basin_status
lsm__output_finish(struct output *o, basin_error *err)
{
    basin_status st = BASIN_OK;
    size_t ranges = 0;

    while (o->passed < o->o.between_count && ranges_go_on(o))
        TRY(pass_between(o, err));
    if (o->writer == NULL && o->o.range_count > 0) {
        TRY(add_ranges(o, NULL, false, &ranges, err));
        if (ranges > 0)
            TRY(begin_stratum(o, err));
    }
    if (o->writer != NULL)
        TRY(end_stratum(o, NULL, err));
    if (o->values != NULL) {
        TRY(lsm__value_out_finish(o->values, err));
        TRY(lsm__value_out_register(o->values, err));
    }
out:
    return st;
}

size_t
lsm__output_strata(struct output *o, struct lsm_stratum ***strata)
{
    *strata = o->strata;
    return o->count;
}

uint64_t
lsm__output_bytes(const struct output *o)
{
    return o->bytes;
}

void
lsm__output_close(struct output *o, bool keep)
{
    const basin_allocator *mem;
    char name[LSM_OBJECT_NAME_SIZE];

    if (o == NULL)
        return;
    mem = o->o.db->mem;
    stratum_writer_free(o->writer);
    if (o->sink != NULL)
        o->sink->ops->free(o->sink);
    for (size_t i = 0; i < o->count; i++) {
        lsm__object_name(name, "strata", o->strata[i]->id);
        if (!keep)
            (void)!store_remove(o->o.db->store, name, NULL);
        lsm__stratum_unref(o->strata[i]);
    }
    if (o->values != NULL) /* not kept: nothing will refer to it, and a sweep removes it */
        lsm__values_born(o->o.db, o->values, (struct place){ 0, 0 });
    lsm__value_out_close(o->values);
    buf_release(&o->ref);
    mem_free(mem, o->strata, o->capacity * sizeof(*o->strata));
    mem_free(mem, o->uses, o->use_capacity * sizeof(*o->uses));
    lsm__ids_release(&o->use_index, mem);
    buf_release(&o->last_key);
    buf_release(&o->from);
    mem_free(mem, o, sizeof(*o));
}
