// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Strata that no manifest names: what a crash left between writing and publishing, and what was
 * retired while a reader still needed it. Only strata of earlier epochs are looked at, so that
 * nothing that is just being written can be met. They count as retired now: a reader process that
 * opened before may still show them.
 */
#include "lsm/internal.h"

/* Whether the manifest names it, or the log told that it was retired. */
static bool
is_known(struct lsm *db, struct object_id id)
{
    if (lsm__ids_find(&db->manifest.index, id) != NULL)
        return true;
    for (const struct lsm_stratum *s = db->dead; s; s = s->next)
        if (s->id.epoch == id.epoch && s->id.number == id.number)
            return true;
    return false;
}

static basin_status
note_orphan(void *ctx, const char *name, uint64_t size, basin_error *err)
{
    struct lsm *db = ctx;
    struct object_id id;
    struct lsm_stratum *s;

    if (!lsm__object_parse(name, &id) || id.epoch >= db->first_epoch || is_known(db, id))
        return BASIN_OK;
    s = lsm__stratum_new(db, id);
    if (s == NULL)
        return error_set(err, BASIN_NO_MEM, "no memory for an orphan");
    s->size = size;
    s->obsolete = true;
    s->retired_epoch = db->manifest.place.epoch;
    s->retired_at = db->manifest.place.at;
    atomic_fetch_add_explicit(&db->retired_bytes, size, memory_order_relaxed);
    lsm__stratum_unref(s); /* to the dead ones */
    return BASIN_OK;
}

/* At open, before anything is written. */
basin_status
lsm__sweep_orphans(struct lsm *db, basin_error *err)
{
    basin_status st;

    lsm__dead_release(db, true);
    TRY(store_list(db->store, "strata", note_orphan, db, err));
    lsm__dead_release(db, true);
out:
    return st;
}
