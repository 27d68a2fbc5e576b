// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The manifest: which strata, value strata, pins and holds are live. Edits change it, both while
 * the database runs and when the log is replayed; the two go through the same code.
 * It never decides; it checks that an edit fits and applies it.
 */
#include "lsm/internal.h"

/* ------------------------------------------------------------------ strata by count */

void
lsm__stratum_ref(struct lsm_stratum *s)
{
    atomic_fetch_add_explicit(&s->ref_count, 1, memory_order_relaxed);
}

static void
stratum_free(struct lsm_stratum *s)
{
    const basin_allocator *mem = s->db->mem;

    stratum_close(atomic_load_explicit(&s->opened, memory_order_acquire));
    buf_release(&s->first_key);
    buf_release(&s->last_key);
    mem_free(mem, s->uses, s->use_count * sizeof(*s->uses));
    mem_free(mem, s, sizeof(*s));
}

/* The last reference frees; an obsolete one hands its object to lsm__remove_dead first. */
void
lsm__stratum_unref(struct lsm_stratum *s)
{
    struct lsm *db;

    if (s == NULL || atomic_fetch_sub_explicit(&s->ref_count, 1, memory_order_acq_rel) != 1)
        return;
    db = s->db;
    if (!s->obsolete) {
        stratum_free(s);
        return;
    }
    os_mutex_lock(db->dead_mu);
    s->next = db->dead;
    db->dead = s;
    os_mutex_unlock(db->dead_mu);
}

/*
 * Frees the strata handed over by the last reference, and removes their objects when `unlink`:
 * those that every reader process has let go; the others wait.
 */
void
lsm__dead_release(struct lsm *db, bool unlink)
{
    struct lsm_stratum *list, *next;
    char name[LSM_OBJECT_NAME_SIZE];
    struct place held;

    os_mutex_lock(db->dead_mu);
    list = db->dead;
    db->dead = NULL;
    os_mutex_unlock(db->dead_mu);
    if (list == NULL)
        return;
    held = unlink ? lsm__readers_oldest(db) : (struct place){ UINT64_MAX, 0 };
    if (PLANTED(SLOT_IGNORED) ||
        (PLANTED(CHECKPOINT_ONLY) && place_compare(held, db->checkpoint) >= 0))
        held = (struct place){ UINT64_MAX, 0 };
    for (; list; list = next) {
        struct place retired = { list->retired_epoch, list->retired_at };
        next = list->next;
        if (place_compare(held, retired) < 0) {
            os_mutex_lock(db->dead_mu);
            list->next = db->dead;
            db->dead = list;
            os_mutex_unlock(db->dead_mu);
            continue;
        }
        lsm__object_name(name, "strata", list->id);
        if (unlink)
            (void)!store_remove(db->store, name, NULL);
        atomic_fetch_sub_explicit(&db->retired_bytes, list->size, memory_order_relaxed);
        stratum_free(list);
    }
}

struct lsm_stratum *
lsm__stratum_new(struct lsm *db, struct object_id id)
{
    struct lsm_stratum *s = mem_new(db->mem, sizeof(*s));

    if (s == NULL)
        return NULL;
    s->db = db;
    s->id = id;
    atomic_init(&s->ref_count, 1);
    buf_init(&s->first_key, db->mem);
    buf_init(&s->last_key, db->mem);
    return s;
}

/* ------------------------------------------------------------------ arrays of the manifest */

/* Grows an array of `size`-byte items to hold one more. */
static basin_status
grow(const basin_allocator *mem, void **array, size_t count, size_t *capacity, size_t size)
{
    size_t more = *capacity ? *capacity * 2 : 16;
    void *p;

    if (count < *capacity)
        return BASIN_OK;
    p = mem->resize(mem->ctx, *array, *capacity * size, more * size);
    if (p == NULL)
        return BASIN_NO_MEM;
    *array = p;
    *capacity = more;
    return BASIN_OK;
}

static char *
copy_name(const basin_allocator *mem, struct bytes name)
{
    char *p = mem_new(mem, name.size + 1);

    if (p != NULL && name.size)
        memcpy(p, name.data, name.size);
    return p;
}

static void
free_name(const basin_allocator *mem, char *name)
{
    if (name != NULL)
        mem_free(mem, name, strlen(name) + 1);
}

static bool
is_name(struct bytes b)
{
    return b.size <= LSM_NAME_MAX && (b.size == 0 || memchr(b.data, 0, b.size) == NULL);
}

static bool
name_is(const char *name, struct bytes b)
{
    return strlen(name) == b.size && (b.size == 0 || memcmp(name, b.data, b.size) == 0);
}

void
lsm__manifest_release(struct manifest *m)
{
    for (size_t i = 0; i < m->stratum_count; i++)
        lsm__stratum_unref(m->strata[i]);
    for (size_t i = 0; i < m->pin_count; i++) {
        free_name(m->mem, m->pins[i].name);
        free_name(m->mem, m->pins[i].owner);
    }
    for (size_t i = 0; i < m->hold_count; i++)
        free_name(m->mem, m->holds[i].name);
    lsm__ids_release(&m->index, m->mem);
    lsm__ids_release(&m->uses, m->mem);
    mem_free(m->mem, m->strata, m->stratum_capacity * sizeof(*m->strata));
    mem_free(m->mem, m->pins, m->pin_capacity * sizeof(*m->pins));
    mem_free(m->mem, m->holds, m->hold_capacity * sizeof(*m->holds));
    *m = (struct manifest){ .mem = m->mem };
}

/* ------------------------------------------------------------------ applying: strata */

static struct object_id
get_id(struct rd *r)
{
    struct object_id id;

    id.epoch = rd_leb(r);
    id.number = rd_leb(r);
    return id;
}

static basin_status
read_uses(struct lsm_stratum *s, struct rd *r, basin_error *err)
{
    uint64_t count = rd_leb(r);

    if (!rd_ok(r) || count > rd_left(r) / 4)
        return error_set(err, BASIN_CORRUPT, "edit: %llu value uses at byte %zu of %zu",
                         (unsigned long long)count, r->at, r->size);
    if (count == 0)
        return BASIN_OK;
    s->uses = mem_new(s->db->mem, (size_t)count * sizeof(*s->uses));
    if (s->uses == NULL)
        return error_set(err, BASIN_NO_MEM, "edit: no memory for %llu value uses",
                         (unsigned long long)count);
    s->use_count = (size_t)count;
    for (size_t i = 0; i < s->use_count; i++) {
        s->uses[i].id = get_id(r);
        s->uses[i].bytes = rd_leb(r);
        s->uses[i].count = rd_leb(r);
    }
    return BASIN_OK;
}

static uint64_t
get_seqno(struct rd *r)
{
    uint64_t seqno = rd_leb(r);

    if (seqno > LSM_SEQNO_MAX)
        rd_fail(r);
    return seqno;
}

static basin_status
read_stratum(struct lsm_stratum *s, struct rd *r, basin_error *err)
{
    basin_status st;
    struct bytes first, last;
    uint64_t level;
    uint8_t flags;

    level = rd_leb(r);
    s->run = rd_leb(r);
    first = rd_leb_bytes(r);
    last = rd_leb_bytes(r);
    flags = rd_u8(r);
    s->entries = rd_leb(r);
    s->deletes = rd_leb(r);
    s->merges = rd_leb(r);
    s->range_tombstones = rd_leb(r);
    s->refs = rd_leb(r);
    s->seqno_min = get_seqno(r);
    s->seqno_max = get_seqno(r);
    s->size = rd_leb(r);
    s->raw_bytes = rd_leb(r);
    s->hash = rd_u64(r);
    if (!rd_ok(r) || level >= LSM_LEVEL_COUNT || flags > 7 || s->seqno_min > s->seqno_max ||
        first.size > STRATUM_KEY_MAX || last.size > STRATUM_KEY_MAX)
        FAIL(err, BASIN_CORRUPT, "edit: bad stratum at byte %zu of %zu", r->at, r->size);
    s->level = (uint32_t)level;
    s->last_excluded = flags & 1;
    s->last_unbounded = flags & 2;
    s->stacked = flags & 4;
    TRY(error_mem(buf_set(&s->first_key, first.data, first.size), err));
    TRY(error_mem(buf_set(&s->last_key, last.data, last.size), err));
    TRY(read_uses(s, r, err));
out:
    return st;
}

/* Its place in the array, stratum_count when it is not there. */
static size_t
find_stratum(struct manifest *m, struct object_id id)
{
    const struct id_slot *slot = lsm__ids_find(&m->index, id);

    return slot != NULL ? (size_t)slot->a : m->stratum_count;
}

/* Takes over the reference. */
static basin_status
add_stratum(struct manifest *m, struct lsm_stratum *s)
{
    if (grow(m->mem, (void **)&m->strata, m->stratum_count, &m->stratum_capacity,
             sizeof(*m->strata)) != BASIN_OK ||
        !lsm__ids_reserve(&m->index, m->mem, 1) ||
        !lsm__ids_reserve(&m->uses, m->mem, s->use_count))
        return BASIN_NO_MEM;
    lsm__ids_put(&m->index, s->id)->a = m->stratum_count;
    m->strata[m->stratum_count++] = s;
    for (size_t i = 0; i < s->use_count; i++) {
        struct id_slot *use = lsm__ids_put(&m->uses, s->uses[i].id);
        use->a += s->uses[i].bytes;
        use->b++;
    }
    return BASIN_OK;
}

static basin_status
copy_pin(struct manifest *to, const struct pin *from)
{
    struct pin p = *from;

    if (grow(to->mem, (void **)&to->pins, to->pin_count, &to->pin_capacity, sizeof(p)) != BASIN_OK)
        return BASIN_NO_MEM;
    p.name = copy_name(to->mem, bytes_of(from->name, strlen(from->name)));
    p.owner = copy_name(to->mem, bytes_of(from->owner, strlen(from->owner)));
    to->pins[to->pin_count++] = p;
    return p.name != NULL && p.owner != NULL ? BASIN_OK : BASIN_NO_MEM;
}

static basin_status
copy_hold(struct manifest *to, const struct feed_hold *from)
{
    struct feed_hold h = *from;

    if (grow(to->mem, (void **)&to->holds, to->hold_count, &to->hold_capacity, sizeof(h)) !=
        BASIN_OK)
        return BASIN_NO_MEM;
    h.name = copy_name(to->mem, bytes_of(from->name, strlen(from->name)));
    to->holds[to->hold_count++] = h;
    return h.name != NULL ? BASIN_OK : BASIN_NO_MEM;
}

basin_status
lsm__manifest_copy(const struct manifest *m, struct manifest *to, basin_error *err)
{
    basin_status st = BASIN_OK;

    *to = (struct manifest){ .mem = m->mem,
                             .replay_from = m->replay_from,
                             .replay_seqno = m->replay_seqno,
                             .seqno = m->seqno,
                             .clean = m->clean,
                             .place = m->place,
                             .edits = m->edits };
    for (size_t i = 0; i < m->stratum_count && st == BASIN_OK; i++) {
        st = add_stratum(to, m->strata[i]);
        if (st == BASIN_OK)
            lsm__stratum_ref(m->strata[i]);
    }
    for (size_t i = 0; i < m->pin_count && st == BASIN_OK; i++)
        st = copy_pin(to, &m->pins[i]);
    for (size_t i = 0; i < m->hold_count && st == BASIN_OK; i++)
        st = copy_hold(to, &m->holds[i]);
    if (st == BASIN_OK)
        return BASIN_OK;
    lsm__manifest_release(to);
    return error_set(err, st, "no memory for a manifest of %zu strata", m->stratum_count);
}

struct lsm_stratum *
lsm__manifest_drop(struct manifest *m, size_t i)
{
    struct lsm_stratum *s = m->strata[i];

    lsm__ids_drop(&m->index, s->id);
    m->strata[i] = m->strata[--m->stratum_count];
    if (i < m->stratum_count)
        lsm__ids_put(&m->index, m->strata[i]->id)->a = i;
    for (size_t k = 0; k < s->use_count; k++) {
        struct id_slot *use = lsm__ids_find(&m->uses, s->uses[k].id);
        must(use != NULL && use->b > 0);
        use->a -= s->uses[k].bytes;
        if (--use->b == 0)
            lsm__ids_drop(&m->uses, s->uses[k].id);
    }
    return s;
}

static basin_status
apply_add(struct lsm *db, struct manifest *m, struct rd *r, basin_error *err)
{
    basin_status st;
    struct object_id id = get_id(r);
    struct lsm_stratum *s = NULL;

    if (find_stratum(m, id) < m->stratum_count)
        FAIL(err, BASIN_CORRUPT, "edit: stratum %llu-%llu is added twice",
             (unsigned long long)id.epoch, (unsigned long long)id.number);
    s = lsm__stratum_new(db, id);
    if (s == NULL)
        FAIL(err, BASIN_NO_MEM, "edit: no memory for a stratum");
    TRY(read_stratum(s, r, err));
    TRY(error_mem(add_stratum(m, s), err));
    m->seqno = MAX_OF(m->seqno, s->seqno_max);
    s = NULL;
out:
    lsm__stratum_unref(s);
    return st;
}

static basin_status
not_there(const char *what, struct object_id id, basin_error *err)
{
    return error_set(err, BASIN_CORRUPT, "edit: %s %llu-%llu is not there", what,
                     (unsigned long long)id.epoch, (unsigned long long)id.number);
}

/* The object goes when the last version that shows it goes. */
static basin_status
apply_remove(struct lsm *db, struct manifest *m, struct rd *r, basin_error *err)
{
    struct object_id id = get_id(r);
    size_t i = find_stratum(m, id);
    struct lsm_stratum *s;

    if (!rd_ok(r) || i == m->stratum_count)
        return not_there("stratum", id, err);
    s = lsm__manifest_drop(m, i);
    s->obsolete = true;
    s->retired_epoch = m->place.epoch;
    s->retired_at = m->place.at;
    atomic_fetch_add_explicit(&db->retired_bytes, s->size, memory_order_relaxed);
    lsm__stratum_unref(s);
    return BASIN_OK;
}

static basin_status
apply_move(struct manifest *m, struct rd *r, basin_error *err)
{
    struct object_id id = get_id(r);
    uint64_t level = rd_leb(r), run = rd_leb(r);
    size_t i = find_stratum(m, id);

    if (!rd_ok(r) || i == m->stratum_count || level >= LSM_LEVEL_COUNT)
        return not_there("stratum", id, err);
    m->strata[i]->level = (uint32_t)level;
    m->strata[i]->run = run;
    return BASIN_OK;
}

/* ------------------------------------------------------------------ applying: the rest */

static size_t
find_pin(const struct manifest *m, struct bytes name)
{
    size_t i = 0;

    while (i < m->pin_count && !name_is(m->pins[i].name, name))
        i++;
    return i;
}

static basin_status
apply_pin(struct manifest *m, struct rd *r, basin_error *err)
{
    struct bytes name = rd_leb_bytes(r), owner = rd_leb_bytes(r);
    struct pin p = { NULL, NULL, get_seqno(r), 0 };

    p.made_ms = rd_leb(r);
    if (!rd_ok(r) || !is_name(name) || !is_name(owner) || find_pin(m, name) < m->pin_count)
        return error_set(err, BASIN_CORRUPT, "edit: bad pin at byte %zu of %zu", r->at, r->size);
    p.name = copy_name(m->mem, name);
    p.owner = copy_name(m->mem, owner);
    if (p.name == NULL || p.owner == NULL ||
        grow(m->mem, (void **)&m->pins, m->pin_count, &m->pin_capacity, sizeof(*m->pins)) !=
            BASIN_OK) {
        free_name(m->mem, p.name);
        free_name(m->mem, p.owner);
        return error_set(err, BASIN_NO_MEM, "edit: no memory for a pin");
    }
    m->pins[m->pin_count++] = p;
    return BASIN_OK;
}

static void
drop_pin(struct manifest *m, size_t i)
{
    free_name(m->mem, m->pins[i].name);
    free_name(m->mem, m->pins[i].owner);
    m->pin_count--;
    memmove(m->pins + i, m->pins + i + 1, (m->pin_count - i) * sizeof(*m->pins));
}

static basin_status
apply_unpin(struct manifest *m, struct rd *r, basin_error *err)
{
    struct bytes name = rd_leb_bytes(r);
    size_t i = find_pin(m, name);

    if (!rd_ok(r) || i == m->pin_count)
        return error_set(err, BASIN_CORRUPT, "edit: no pin to drop at byte %zu of %zu", r->at,
                         r->size);
    drop_pin(m, i);
    return BASIN_OK;
}

/* A hold with seqno UINT64_MAX forgets the consumer. */
static basin_status
apply_hold(struct manifest *m, struct rd *r, basin_error *err)
{
    struct bytes name = rd_leb_bytes(r);
    struct feed_hold h = { NULL, rd_leb(r), 0 };
    size_t i = 0;

    h.bytes_max = rd_leb(r);
    if (!rd_ok(r) || !is_name(name))
        return error_set(err, BASIN_CORRUPT, "edit: bad hold at byte %zu of %zu", r->at, r->size);
    while (i < m->hold_count && !name_is(m->holds[i].name, name))
        i++;
    if (i < m->hold_count) {
        m->holds[i].seqno = h.seqno;
        m->holds[i].bytes_max = h.bytes_max;
        if (h.seqno == UINT64_MAX) {
            free_name(m->mem, m->holds[i].name);
            m->holds[i] = m->holds[--m->hold_count];
        }
        return BASIN_OK;
    }
    if (h.seqno == UINT64_MAX)
        return BASIN_OK;
    h.name = copy_name(m->mem, name);
    if (h.name == NULL || grow(m->mem, (void **)&m->holds, m->hold_count, &m->hold_capacity,
                               sizeof(*m->holds)) != BASIN_OK) {
        free_name(m->mem, h.name);
        return error_set(err, BASIN_NO_MEM, "edit: no memory for a hold");
    }
    m->holds[m->hold_count++] = h;
    return BASIN_OK;
}

static basin_status
apply_field(struct lsm *db, struct manifest *m, enum edit_tag tag, struct rd *r, basin_error *err)
{
    uint64_t seqno;

    switch (tag) {
    case EDIT_ADD_STRATUM:
        return apply_add(db, m, r, err);
    case EDIT_REMOVE_STRATUM:
        return apply_remove(db, m, r, err);
    case EDIT_MOVE_STRATUM:
        return apply_move(m, r, err);
    case EDIT_REPLAY_FROM:
        m->replay_from.epoch = rd_leb(r);
        m->replay_from.at = rd_leb(r);
        m->replay_seqno = get_seqno(r);
        m->seqno = MAX_OF(m->seqno, m->replay_seqno);
        return BASIN_OK;
    case EDIT_PIN:
        return apply_pin(m, r, err);
    case EDIT_UNPIN:
        return apply_unpin(m, r, err);
    case EDIT_SEQNO:
    case EDIT_LOAD:
        seqno = get_seqno(r);
        m->seqno = MAX_OF(m->seqno, seqno);
        return BASIN_OK;
    case EDIT_SPILL:
        (void)get_seqno(r);
        seqno = get_seqno(r);
        if (rd_ok(r))
            m->seqno = MAX_OF(m->seqno, seqno);
        return BASIN_OK;
    case EDIT_CHECKPOINT:
        (void)rd_leb(r);
        (void)rd_leb(r);
        return BASIN_OK;
    case EDIT_HOLD:
        return apply_hold(m, r, err);
    case EDIT_CLEAN:
        m->clean = true;
        return BASIN_OK;
    }
    return error_set(err, BASIN_CORRUPT, "edit: unknown field %u at byte %zu of %zu", (unsigned)tag,
                     r->at, r->size);
}

/* ------------------------------------------------------------------ applying what is left */

struct mend {
    struct lsm *db;
    struct manifest *m;
    lsm__removed_fn *removed;
    void *ctx;
};

static basin_status
mend_add(const struct mend *d, struct rd *r, basin_error *err)
{
    struct rd ahead = *r;
    struct object_id id = get_id(&ahead);
    struct lsm_stratum *s;
    basin_status st;

    if (find_stratum(d->m, id) == d->m->stratum_count)
        return apply_add(d->db, d->m, r, err);
    s = lsm__stratum_new(d->db, get_id(r));
    if (s == NULL)
        return error_set(err, BASIN_NO_MEM, "edit: no memory for a stratum");
    st = read_stratum(s, r, err);
    lsm__stratum_unref(s);
    return st;
}

static basin_status
mend_remove(const struct mend *d, struct rd *r, basin_error *err)
{
    struct object_id id = get_id(r);
    size_t i = find_stratum(d->m, id);

    if (i < d->m->stratum_count)
        lsm__stratum_unref(lsm__manifest_drop(d->m, i));
    return d->removed(d->ctx, id, err);
}

/* The field of a log of which edits before it may be lost: what does not fit has no effect. */
static basin_status
mend_field(const struct mend *d, enum edit_tag tag, struct rd *r, basin_error *err)
{
    struct rd ahead = *r;
    size_t i;

    switch (tag) {
    case EDIT_ADD_STRATUM:
        return mend_add(d, r, err);
    case EDIT_REMOVE_STRATUM:
        return mend_remove(d, r, err);
    case EDIT_MOVE_STRATUM:
        if (find_stratum(d->m, get_id(&ahead)) < d->m->stratum_count)
            return apply_move(d->m, r, err);
        for (i = 0; i < 4; i++)
            (void)rd_leb(r);
        return BASIN_OK;
    case EDIT_PIN:
        i = find_pin(d->m, rd_leb_bytes(&ahead));
        if (i < d->m->pin_count)
            drop_pin(d->m, i);
        return apply_pin(d->m, r, err);
    case EDIT_UNPIN:
        if (find_pin(d->m, rd_leb_bytes(&ahead)) < d->m->pin_count)
            return apply_unpin(d->m, r, err);
        (void)rd_leb_bytes(r);
        return BASIN_OK;
    default:
        return apply_field(d->db, d->m, tag, r, err);
    }
}

basin_status
lsm__manifest_mend(struct lsm *db, struct manifest *m, struct bytes body, struct place after,
                   lsm__removed_fn *removed, void *ctx, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct rd r = rd_over(body.data, body.size);
    const struct mend d = { db, m, removed, ctx };

    m->place = after;
    m->edits++;
    while (rd_ok(&r) && rd_left(&r) > 0)
        TRY(mend_field(&d, (enum edit_tag)rd_u8(&r), &r, err));
    if (!rd_done(&r))
        FAIL(err, BASIN_CORRUPT, "edit: stopped at byte %zu of %zu", r.at, r.size);
out:
    return st;
}

basin_status
lsm__manifest_apply(struct lsm *db, struct manifest *m, struct bytes body, struct place after,
                    basin_error *err)
{
    basin_status st = BASIN_OK;
    struct rd r = rd_over(body.data, body.size);

    m->clean = false;
    m->place = after;
    while (rd_ok(&r) && rd_left(&r) > 0)
        TRY(apply_field(db, m, (enum edit_tag)rd_u8(&r), &r, err));
    if (!rd_done(&r))
        FAIL(err, BASIN_CORRUPT, "edit: stopped at byte %zu of %zu", r.at, r.size);
    m->edits++;
out:
    return st;
}

/* ------------------------------------------------------------------ looking without applying */

static basin_status
skip_field(struct lsm *db, enum edit_tag tag, struct rd *r, struct edit_commit *commit,
           basin_error *err)
{
    basin_status st = BASIN_OK;
    static const uint8_t numbers[] = {
        [EDIT_REMOVE_STRATUM] = 2, [EDIT_REPLAY_FROM] = 3, [EDIT_SEQNO] = 1, [EDIT_CHECKPOINT] = 2,
        [EDIT_MOVE_STRATUM] = 4,   [EDIT_PIN] = 2,         [EDIT_HOLD] = 2
    };
    struct lsm_stratum *s;

    if (tag == EDIT_LOAD || tag == EDIT_SPILL) {
        commit->first = get_seqno(r);
        commit->last = tag == EDIT_SPILL ? get_seqno(r) : commit->first;
        commit->spill = tag == EDIT_SPILL;
        if (commit->first == 0 || commit->last < commit->first)
            rd_fail(r);
        return BASIN_OK;
    }
    if (tag == EDIT_ADD_STRATUM) {
        s = lsm__stratum_new(db, get_id(r));
        st = s != NULL ? read_stratum(s, r, err)
                       : error_set(err, BASIN_NO_MEM, "edit: no memory for a stratum");
        lsm__stratum_unref(s);
        return st;
    }
    if (tag == EDIT_PIN || tag == EDIT_UNPIN || tag == EDIT_HOLD)
        (void)rd_leb_bytes(r);
    if (tag == EDIT_PIN)
        (void)rd_leb_bytes(r);
    if ((size_t)tag >= COUNT_OF(numbers) ||
        (numbers[tag] == 0 && tag != EDIT_UNPIN && tag != EDIT_CLEAN))
        rd_fail(r);
    for (uint8_t i = 0; rd_ok(r) && i < numbers[tag]; i++)
        (void)rd_leb(r);
    return BASIN_OK;
}

basin_status
lsm__edit_commit_of(struct lsm *db, struct bytes body, struct edit_commit *commit,
                    basin_error *err)
{
    basin_status st = BASIN_OK;
    struct rd r = rd_over(body.data, body.size);

    *commit = (struct edit_commit){ 0 };
    while (rd_ok(&r) && rd_left(&r) > 0)
        TRY(skip_field(db, (enum edit_tag)rd_u8(&r), &r, commit, err));
    if (!rd_done(&r))
        FAIL(err, BASIN_CORRUPT, "edit: stopped at byte %zu of %zu", r.at, r.size);
out:
    return st;
}
