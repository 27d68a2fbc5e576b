// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Strata that no manifest names: what a crash left between writing and publishing, and what was
 * retired while a reader still needed it. Only strata of earlier epochs are looked at, so that
 * nothing that is just being written can be met.
 */
#include "lsm/internal.h"

struct sweep {
    struct lsm *db;
    struct object_id *found;
    size_t count, capacity;
};

static bool
is_live(const struct lsm *db, struct object_id id)
{
    for (size_t i = 0; i < db->manifest.stratum_count; i++)
        if (db->manifest.strata[i]->id.epoch == id.epoch &&
            db->manifest.strata[i]->id.number == id.number)
            return true;
    return false;
}

static basin_status
note_orphan(void *ctx, const char *name, uint64_t size, basin_error *err)
{
    struct sweep *s = ctx;
    struct object_id id, *more;
    const basin_allocator *mem = s->db->mem;

    (void)size;
    if (!lsm__object_parse(name, &id) || id.epoch >= s->db->first_epoch || is_live(s->db, id))
        return BASIN_OK;
    if (s->count == s->capacity) {
        more = mem->resize(mem->ctx, s->found, s->capacity * sizeof(*more),
                           (s->capacity + 64) * sizeof(*more));
        if (more == NULL)
            return error_set(err, BASIN_NO_MEM, "no memory for %zu orphans", s->capacity + 64);
        s->found = more;
        s->capacity += 64;
    }
    s->found[s->count++] = id;
    return BASIN_OK;
}

/* At open, before anything is written; a live reader of an earlier epoch puts it off. */
basin_status
lsm__sweep_orphans(struct lsm *db, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct sweep s = { .db = db };
    char name[LSM_OBJECT_NAME_SIZE];

    if (lsm__readers_count(db) > 0)
        return BASIN_OK;
    TRY(store_list(db->store, "strata", note_orphan, &s, err));
    for (size_t i = 0; i < s.count; i++) {
        lsm__object_name(name, "strata", s.found[i]);
        (void)!store_remove(db->store, name, NULL);
    }
out:
    mem_free(db->mem, s.found, s.capacity * sizeof(*s.found));
    return st;
}
