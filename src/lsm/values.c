// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Large values out of line. A transaction writes them into value strata of its own, which are
 * complete and synced before its batch is logged; the batch, and later the strata, hold references
 * that merges carry along.
 *
 * A value stratum is live while a stratum of the manifest uses it, or while log from before its
 * birth may still be replayed. After that it goes with the last version that could show it. What a
 * crash leaves without a reference is found by listing at open and goes the same way.
 */
#include "lsm/values.h"

enum { OPEN_MAX = 32 };

/* ------------------------------------------------------------------ reading */

static struct open_value *
find_open(struct lsm *db, struct object_id id)
{
    for (size_t i = 0; i < OPEN_MAX; i++)
        if (db->open_values[i].stratum != NULL && db->open_values[i].id.epoch == id.epoch &&
            db->open_values[i].id.number == id.number)
            return &db->open_values[i];
    return NULL;
}

/* A free place in the table, closing the one that was used longest ago if need be. */
static struct open_value *
free_place(struct lsm *db)
{
    struct open_value *best = NULL;

    for (size_t i = 0; i < OPEN_MAX; i++) {
        struct open_value *v = &db->open_values[i];
        if (v->users == 0 && (best == NULL || v->stratum == NULL || v->tick < best->tick))
            best = v;
        if (best != NULL && best->stratum == NULL)
            break;
    }
    if (best != NULL) {
        value_close(best->stratum);
        *best = (struct open_value){ 0 };
    }
    return best;
}

basin_status
lsm__value_stratum_open(struct lsm *db, struct object_id id, struct value_stratum **out,
                        basin_error *err)
{
    basin_status st;
    char name[LSM_OBJECT_NAME_SIZE];
    struct source *from;
    struct stratum_read_options options;

    *out = NULL;
    lsm__object_name(name, "values", id);
    st = store_open(db->store, name, &from, err);
    if (st == BASIN_NOT_FOUND && !lsm__is_pinned(db))
        FAIL(err, BASIN_TOO_OLD, "%s: removed by the writer; this reader has no slot", name);
    if (st == BASIN_NOT_FOUND)
        FAIL(err, BASIN_CORRUPT, "%s: the value stratum is missing", name);
    TRY(st);
    lsm__read_options(db, id, &options);
    TRY(value_open(from, &options, out, err));
out:
    return st;
}

/*
 * A transaction reads what it wrote itself: its value stratum is finished for that. One that is not
 * finished is known to its own transaction alone, so that it is the caller's; a finished one may go
 * at any moment, with the transaction of another thread.
 */
static basin_status
finish_own(struct lsm *db, struct object_id id, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct value_out *v;
    bool finished;

    os_mutex_lock(db->values_mu);
    for (v = db->outs; v != NULL; v = v->next_out)
        if (v->id.epoch == id.epoch && v->id.number == id.number)
            break;
    finished = v == NULL || v->finished;
    os_mutex_unlock(db->values_mu);
    if (finished)
        return BASIN_OK;
    if (v->stream != NULL)
        TRY(lsm__stream_move(v->stream, err));
    TRY(lsm__value_out_finish(v, err));
out:
    return st;
}

/* *shared NULL: the table is full of busy ones, the caller closes *out itself. */
static basin_status
acquire(struct lsm *db, struct object_id id, struct value_stratum **out, struct open_value **shared,
        basin_error *err)
{
    basin_status st = BASIN_OK;
    struct open_value *v;

    os_mutex_lock(db->values_mu);
    v = find_open(db, id);
    if (v == NULL && db->outs != NULL) {
        os_mutex_unlock(db->values_mu);
        st = finish_own(db, id, err);
        if (st != BASIN_OK)
            return st;
        os_mutex_lock(db->values_mu);
        v = find_open(db, id);
    }
    if (v == NULL) {
        st = lsm__value_stratum_open(db, id, out, err);
        v = st == BASIN_OK ? free_place(db) : NULL;
        if (v != NULL)
            *v = (struct open_value){ .id = id, .stratum = *out };
    } else {
        *out = v->stratum;
    }
    if (v != NULL) {
        v->users++;
        v->tick = ++db->open_tick;
    }
    os_mutex_unlock(db->values_mu);
    *shared = v;
    return st;
}

static void
release(struct lsm *db, struct value_stratum *s, struct open_value *shared)
{
    if (shared == NULL) {
        value_close(s);
        return;
    }
    os_mutex_lock(db->values_mu);
    if (--shared->users == 0 && shared->removed) {
        value_close(s);
        *shared = (struct open_value){ 0 };
    }
    os_mutex_unlock(db->values_mu);
}

/* Its object is about to be removed: as long as it is open or mapped its space stays taken. */
static void
forget_open(struct lsm *db, struct object_id id)
{
    struct open_value *v;

    os_mutex_lock(db->values_mu);
    v = find_open(db, id);
    if (v != NULL && v->users > 0) {
        v->removed = true;
    } else if (v != NULL) {
        value_close(v->stratum);
        *v = (struct open_value){ 0 };
    }
    os_mutex_unlock(db->values_mu);
}

basin_status
lsm__value_part(struct lsm *db, struct bytes ref, uint64_t offset, void *to, size_t n, size_t *got,
                uint64_t *size, basin_error *err)
{
    basin_status st;
    struct value_place p;
    struct value_stratum *s = NULL;
    struct open_value *shared;

    *got = 0;
    *size = 0;
    TRY(lsm__value_place_get(ref, &p, err));
    *size = p.ref.size;
    if (n == 0 || offset >= p.ref.size)
        goto out;
    TRY(acquire(db, p.id, &s, &shared, err));
    st = value_read(s, &p.ref, offset, to, n, got, err);
    release(db, s, shared);
out:
    return lsm__advise(st, err);
}

basin_status
lsm__value_load(struct lsm *db, struct bytes ref, struct arena *to, struct bytes *value,
                basin_error *err)
{
    basin_status st;
    uint64_t size;
    size_t got;
    uint8_t *p;

    TRY(lsm__value_part(db, ref, 0, NULL, 0, &got, &size, err));
    p = size < SIZE_MAX / 2 ? arena_alloc(to, MAX_OF((size_t)size, (size_t)1)) : NULL;
    if (p == NULL)
        FAIL(err, BASIN_NO_MEM, "no memory for a value of %llu bytes: read it in parts",
             (unsigned long long)size);
    TRY(lsm__value_part(db, ref, 0, p, (size_t)size, &got, &size, err));
    *value = bytes_of(p, got);
out:
    return st;
}

/* ------------------------------------------------------------------ writing */

basin_status
lsm__value_out_open(struct lsm *db, struct value_out **out, basin_error *err)
{
    basin_status st;
    struct stratum_write_options options;
    char name[LSM_OBJECT_NAME_SIZE];
    struct value_out *v = mem_new(db->mem, sizeof(*v));

    *out = NULL;
    if (v == NULL)
        FAIL(err, BASIN_NO_MEM, "no memory for a value stratum");
    v->db = db;
    v->id = lsm__next_object(db);
    lsm__object_name(name, "values", v->id);
    TRY(lsm__write_options(db, v->id, &options, err));
    TRY(store_create(db->store, name, &v->sink, err));
    TRY(value_writer_new(&options, v->sink, &v->writer, err));
    os_mutex_lock(db->values_mu);
    v->next_out = db->outs;
    db->outs = v;
    os_mutex_unlock(db->values_mu);
    *out = v;
    v = NULL;
out:
    lsm__value_out_close(v);
    return st;
}

void
lsm__value_out_close(struct value_out *v)
{
    char name[LSM_OBJECT_NAME_SIZE];
    struct value_out **at;

    if (v == NULL)
        return;
    os_mutex_lock(v->db->values_mu);
    for (at = &v->db->outs; *at != NULL && *at != v; at = &(*at)->next_out)
        ;
    if (*at != NULL)
        *at = v->next_out;
    os_mutex_unlock(v->db->values_mu);
    value_writer_free(v->writer);
    if (v->sink != NULL)
        v->sink->ops->free(v->sink);
    if (v->finished && !v->registered) {
        lsm__object_name(name, "values", v->id);
        (void)!store_remove(v->db->store, name, NULL);
    }
    mem_free(v->db->mem, v, sizeof(*v));
}

/* Complete and synced (R1); a stratum without values leaves nothing. */
basin_status
lsm__value_out_finish(struct value_out *v, basin_error *err)
{
    basin_status st;

    if (v->finished)
        return BASIN_OK;
    st = value_writer_finish(v->writer, &v->count, &v->size, err);
    if (st == BASIN_END)
        return BASIN_OK;
    TRY(st);
    TRY(v->sink->ops->commit(v->sink, err));
    os_mutex_lock(v->db->values_mu);
    v->finished = true;
    os_mutex_unlock(v->db->values_mu);
out:
    return st;
}

/* ------------------------------------------------------------------ who is alive */

/* Takes mu. */
static basin_status
note_value(struct lsm *db, struct object_id id, uint64_t size, struct place born, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct value_state *more;

    os_mutex_lock(db->mu);
    if (db->value_count == db->value_capacity) {
        size_t n = db->value_capacity + 64;
        more = db->mem->resize(db->mem->ctx, db->values, db->value_capacity * sizeof(*more),
                               n * sizeof(*more));
        if (more == NULL) {
            st = error_set(err, BASIN_NO_MEM, "no memory for %zu value strata", n);
            goto out;
        }
        db->values = more;
        db->value_capacity = n;
    }
    if (!lsm__ids_reserve(&db->value_index, db->mem, 1))
        FAIL(err, BASIN_NO_MEM, "no memory for %zu value strata", db->value_count + 1);
    lsm__ids_put(&db->value_index, id)->a = db->value_count;
    db->values[db->value_count++] = (struct value_state){ .id = id, .size = size, .born = born };
    db->values_changed = true;
out:
    os_mutex_unlock(db->mu);
    return st;
}

basin_status
lsm__value_out_register(struct value_out *v, basin_error *err)
{
    basin_status st = BASIN_OK;

    if (v->registered || !v->finished)
        return BASIN_OK;
    TRY(note_value(v->db, v->id, v->size, (struct place){ UINT64_MAX, 0 }, err));
    v->registered = true;
out:
    return st;
}

void
lsm__values_born(struct lsm *db, const struct value_out *list, struct place born)
{
    const struct id_slot *slot;

    if (list == NULL)
        return;
    os_mutex_lock(db->mu);
    for (; list; list = list->next) {
        slot = list->registered ? lsm__ids_find(&db->value_index, list->id) : NULL;
        if (slot != NULL)
            db->values[slot->a].born = born;
    }
    db->values_changed = true;
    os_mutex_unlock(db->mu);
}

/* Takes the i-th out of the list. REQUIRES(mu) */
static void
forget_value(struct lsm *db, size_t i)
{
    lsm__ids_drop(&db->value_index, db->values[i].id);
    db->values[i] = db->values[--db->value_count];
    if (i < db->value_count)
        lsm__ids_put(&db->value_index, db->values[i].id)->a = i;
}

/* Whether nothing refers to it any more since before `oldest`. REQUIRES(mu) */
static bool
is_gone(struct lsm *db, struct value_state *v, struct place oldest)
{
    bool live = lsm__ids_find(&db->manifest.uses, v->id) != NULL ||
                (v->born.epoch != 0 && place_compare(v->born, db->manifest.replay_from) >= 0);

    if (live)
        v->dead.epoch = 0;
    else if (v->dead.epoch == 0)
        v->dead = db->manifest.place;
    return !live && place_compare(v->dead, oldest) <= 0;
}

/* Fills `gone` with what may be removed. REQUIRES(mu) */
static size_t
take_gone(struct lsm *db, struct place oldest, struct object_id *gone, size_t most)
{
    size_t n = 0;

    if (db->failed != BASIN_OK || (!db->values_changed && db->values_edits == db->manifest.edits &&
                                   place_compare(db->values_oldest, oldest) == 0))
        return 0;
    for (size_t i = 0; i < db->value_count && n < most;) {
        if (is_gone(db, &db->values[i], oldest)) {
            gone[n++] = db->values[i].id;
            forget_value(db, i);
        } else {
            i++;
        }
    }
    if (n < most) {
        db->values_changed = false;
        db->values_edits = db->manifest.edits;
        db->values_oldest = oldest;
    }
    return n;
}

/* Marks what nothing refers to any more, and removes what no version shows: true when there may
 * be more. */
static bool
sweep_some(struct lsm *db)
{
    struct object_id gone[16];
    char name[LSM_OBJECT_NAME_SIZE];
    size_t n;
    struct place oldest, readers;

    /* The own versions first: who opens after the scan of the slots knows of every edit that these
     * have seen. */
    oldest = lsm__versions_oldest(db);
    readers = lsm__readers_oldest(db);
    if (place_compare(readers, oldest) < 0)
        oldest = readers;
    os_mutex_lock(db->mu);
    n = take_gone(db, oldest, gone, COUNT_OF(gone));
    os_mutex_unlock(db->mu);
    for (size_t i = 0; i < n; i++) {
        forget_open(db, gone[i]);
        lsm__object_name(name, "values", gone[i]);
        (void)!store_remove(db->store, name, NULL);
    }
    return n == COUNT_OF(gone);
}

void
lsm__values_sweep(struct lsm *db)
{
    while (sweep_some(db))
        ;
}

/* When no memtable waits, only strata can refer to what is stored. */
static basin_status
note_stored(void *ctx, const char *name, uint64_t size, basin_error *err)
{
    struct lsm *db = ctx;
    struct object_id id;
    bool waits = db->immutable_count > 0 ||
                 memtable_entries(db->active) + memtable_range_count(db->active) > 0;

    if (!lsm__object_parse(name, &id))
        return BASIN_OK;
    return note_value(db, id, size, (struct place){ waits ? db->first_epoch : 0, 0 }, err);
}

basin_status
lsm__values_open(struct lsm *db, basin_error *err)
{
    return store_list(db->store, "values", note_stored, db, err);
}

void
lsm__values_close(struct lsm *db)
{
    for (size_t i = 0; i < OPEN_MAX; i++)
        value_close(db->open_values[i].stratum);
    mem_free(db->mem, db->values, db->value_capacity * sizeof(*db->values));
    lsm__ids_release(&db->value_index, db->mem);
    os_mutex_free(db->values_mu);
}

/* Bytes of stored values that no stratum uses although none waits for its flush. */
static uint64_t
dead_bytes(const struct lsm *db, const struct value_state *v, uint64_t used)
{
    uint64_t held = used + STRATUM_FOOTER_SIZE;

    return v->size > held && place_compare(v->born, db->manifest.replay_from) < 0 ? v->size - held
                                                                                  : 0;
}

struct value_sums {
    struct lsm *db;
    uint64_t bytes, dead;
};

/* REQUIRES(mu) */
static void
add_value(struct value_sums *to, const struct value_state *v)
{
    const struct id_slot *use = lsm__ids_find(&to->db->manifest.uses, v->id);

    to->bytes += v->size;
    to->dead += dead_bytes(to->db, v, use ? use->a : 0);
}

/* What lies in the directory; the log may still refer to what is younger than the manifest. */
static basin_status
add_listed(void *ctx, const char *name, uint64_t size, basin_error *err)
{
    struct value_sums *to = ctx;
    struct value_state v = { .size = size };

    (void)err;
    if (!lsm__object_parse(name, &v.id))
        return BASIN_OK;
    v.born = (struct place){ v.id.epoch + 1, 0 };
    os_mutex_lock(to->db->mu);
    add_value(to, &v);
    os_mutex_unlock(to->db->mu);
    return BASIN_OK;
}

/* Only the writer keeps a table of the stored values. */
basin_status
lsm__values_stat(struct lsm *db, uint64_t *bytes, uint64_t *dead, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct value_sums sums = { .db = db };

    if (db->reader != NULL) {
        TRY(store_list(db->store, "values", add_listed, &sums, err));
    } else {
        os_mutex_lock(db->mu);
        for (size_t i = 0; i < db->value_count; i++)
            add_value(&sums, &db->values[i]);
        os_mutex_unlock(db->mu);
    }
    *bytes = sums.bytes;
    *dead = sums.dead;
out:
    return st;
}

size_t
lsm__values_stale(struct lsm *db, struct object_id *to, size_t most, uint64_t *bytes)
{
    size_t n = 0;

    *bytes = 0;
    for (size_t i = 0; i < db->value_count && n < most; i++) {
        const struct value_state *v = &db->values[i];
        const struct id_slot *use = lsm__ids_find(&db->manifest.uses, v->id);
        if (use != NULL && dead_bytes(db, v, use->a) > use->a) {
            to[n++] = v->id;
            *bytes += use->a;
        }
    }
    return n;
}

bool
lsm__object_among(struct object_id id, const struct object_id *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (list[i].epoch == id.epoch && list[i].number == id.number)
            return true;
    return false;
}

enum { COPY_PIECE = 64 * 1024 };

basin_status
lsm__value_append(struct value_out *v, struct bytes ref, basin_error *err)
{
    basin_status st = BASIN_OK;
    uint8_t *piece = mem_new(v->db->mem, COPY_PIECE);
    uint64_t size = 0, at = 0;
    size_t got = 0;

    if (piece == NULL)
        FAIL(err, BASIN_NO_MEM, "no memory to copy a value");
    do {
        TRY(lsm__value_part(v->db, ref, at, piece, COPY_PIECE, &got, &size, err));
        TRY(value_writer_add(v->writer, bytes_of(piece, got), err));
        at += got;
    } while (at < size && got > 0);
out:
    mem_free(v->db->mem, piece, COPY_PIECE);
    return st;
}

basin_status
lsm__value_copy(struct value_out *v, struct bytes ref, struct value_place *to, basin_error *err)
{
    basin_status st;

    TRY(lsm__value_append(v, ref, err));
    to->id = v->id;
    TRY(value_writer_end(v->writer, &to->ref, err));
out:
    return st;
}
