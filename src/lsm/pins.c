// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Pins: named snapshots that survive close and reopen (E61). A pin is an edit; merges keep what
 * the newest version at its seqno shows.
 */
#include "lsm/internal.h"

static size_t
pin_index(const struct lsm *db, const char *name)
{
    size_t i = 0;

    while (i < db->manifest.pin_count && strcmp(db->manifest.pins[i].name, name) != 0)
        i++;
    return i;
}

struct pin_work {
    const char *name, *owner;
    struct edit *edit;
    uint64_t seqno;
};

/* On the leader: the name must be free. The seqno is held by a snapshot until the edit shows. */
static basin_status
pin_now(struct lsm *db, void *ctx, basin_error *err)
{
    struct pin_work *w = ctx;
    struct pin p;

    if (pin_index(db, w->name) < db->manifest.pin_count)
        return error_set(err, BASIN_EXISTS, "there is a pin named '%s' already", w->name);
    p = (struct pin){ (char *)(uintptr_t)w->name, (char *)(uintptr_t)w->owner, w->seqno,
                      db->os->ops->wall_ms(db->os) };
    lsm__edit_pin(w->edit, &p);
    return BASIN_OK;
}

static basin_status
check_names(const struct lsm *db, const char *name, const char *owner, basin_error *err)
{
    if (db->o.read_only)
        return error_set(err, BASIN_READ_ONLY, "a reader cannot pin: ask the writer");
    if (strlen(name) > LSM_NAME_MAX || strlen(owner) > LSM_NAME_MAX || name[0] == 0)
        return error_set(err, BASIN_LIMIT, "a pin's name and owner have 1 to %d bytes",
                         LSM_NAME_MAX);
    return BASIN_OK;
}

basin_status
lsm_pin(struct lsm *db, const char *name, const char *owner, uint64_t *seqno, basin_error *err)
{
    basin_status st;
    struct edit edit;
    struct snapshot held = { 0 };
    struct pin_work w = { name, owner ? owner : "", &edit, 0 };
    struct request r = { .kind = REQUEST_EDIT, .edit = &edit, .call = pin_now, .call_ctx = &w };

    *seqno = 0;
    lsm__edit_init(&edit, db->mem);
    TRY(check_names(db, w.name, w.owner, err));
    TRY(lsm__wait_for_tail(db, err));
    os_mutex_lock(db->mu);
    held.seqno = atomic_load_explicit(&db->visible, memory_order_acquire);
    lsm__snapshot_add(db, &held);
    os_mutex_unlock(db->mu);
    w.seqno = held.seqno;
    st = lsm__submit(db, &r, err);
    os_mutex_lock(db->mu);
    lsm__snapshot_remove(db, &held);
    os_mutex_unlock(db->mu);
    TRY(st);
    *seqno = w.seqno;
out:
    lsm__edit_release(&edit);
    return st;
}

static basin_status
unpin_now(struct lsm *db, void *ctx, basin_error *err)
{
    struct pin_work *w = ctx;

    if (pin_index(db, w->name) == db->manifest.pin_count)
        return error_set(err, BASIN_NOT_FOUND, "no pin named '%s'", w->name);
    lsm__edit_unpin(w->edit, w->name);
    return BASIN_OK;
}

basin_status
lsm_unpin(struct lsm *db, const char *name, basin_error *err)
{
    basin_status st;
    struct edit edit;
    struct pin_work w = { name, "", &edit, 0 };
    struct request r = { .kind = REQUEST_EDIT, .edit = &edit, .call = unpin_now, .call_ctx = &w };

    lsm__edit_init(&edit, db->mem);
    TRY(check_names(db, name, "", err));
    TRY(lsm__wait_for_tail(db, err));
    TRY(lsm__submit(db, &r, err));
out:
    lsm__edit_release(&edit);
    return st;
}

/* What only this pin may be holding: strata that carry versions from before a newer one, counted
 * by their tombstones and by what was written after the pin. An estimate from the manifest. */
static uint64_t
held_bytes(const struct lsm *db, const struct pin *pin)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < db->manifest.stratum_count; i++) {
        const struct lsm_stratum *s = db->manifest.strata[i];
        if (s->seqno_min <= pin->seqno && s->seqno_max > pin->seqno)
            bytes += s->size / 2;
    }
    return bytes;
}

basin_status
lsm_pin_list(struct lsm *db, lsm_pin_fn *fn, void *ctx, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct lsm_pin_info *list = NULL;
    struct arena arena;
    size_t n;

    arena_init(&arena, db->mem, 1024);
    os_mutex_lock(db->mu);
    n = db->manifest.pin_count;
    list = n ? arena_alloc(&arena, n * sizeof(*list)) : NULL;
    for (size_t i = 0; i < n && list != NULL; i++) {
        const struct pin *p = &db->manifest.pins[i];
        size_t name_size = strlen(p->name) + 1, owner_size = strlen(p->owner) + 1;
        char *copy = arena_alloc(&arena, name_size + owner_size);
        if (copy == NULL) {
            list = NULL;
            break;
        }
        memcpy(copy, p->name, name_size);
        memcpy(copy + name_size, p->owner, owner_size);
        list[i] = (struct lsm_pin_info){ copy, copy + name_size, p->seqno, p->made_ms,
                                         held_bytes(db, p) };
    }
    os_mutex_unlock(db->mu);
    if (n > 0 && list == NULL)
        FAIL(err, BASIN_NO_MEM, "no memory for %zu pins", n);
    for (size_t i = 0; i < n; i++)
        if (fn(ctx, &list[i]) != 0)
            break;
out:
    arena_release(&arena);
    return st;
}
