// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The note that every stratum carries for the day when the checkpoint is lost: bytes and back. Who
 * reads it is rebuild.c. The law is docs/format/meta.md.
 */
#include "lsm/formats.h"
#include "lsm/internal.h"

static void
put_id(struct wr *w, struct object_id id)
{
    wr_leb(w, id.epoch);
    wr_leb(w, id.number);
}

static struct object_id
get_id(struct rd *r)
{
    struct object_id id;

    id.epoch = rd_leb(r);
    id.number = rd_leb(r);
    return id;
}

basin_status
lsm__note_put(struct buf *to, const struct stratum_note *n)
{
    struct wr w = wr_into(to);

    wr_u8(&w, NOTE_VERSION);
    wr_leb(&w, n->level);
    wr_leb(&w, n->run);
    put_id(&w, n->set);
    wr_leb(&w, n->part);
    wr_leb(&w, n->last);
    put_id(&w, n->group);
    wr_leb(&w, n->use_count);
    for (size_t i = 0; i < n->use_count; i++) {
        put_id(&w, n->uses[i].id);
        wr_leb(&w, n->uses[i].bytes);
        wr_leb(&w, n->uses[i].count);
    }
    wr_leb(&w, n->consumed_count);
    for (size_t i = 0; i < n->consumed_count; i++)
        put_id(&w, n->consumed[i]);
    return wr_status(&w, NULL);
}

void
lsm__note_release(const basin_allocator *mem, struct stratum_note *n)
{
    mem_free(mem, n->uses, n->use_count * sizeof(*n->uses));
    mem_free(mem, n->consumed, n->consumed_count * sizeof(*n->consumed));
    *n = (struct stratum_note){ 0 };
}

/* Room for a counted list of which each item takes at least `least` bytes of what is left. */
static basin_status
make_list(struct rd *r, const basin_allocator *mem, size_t least, size_t size, void **list,
          size_t *count)
{
    uint64_t n = rd_leb(r);

    *list = NULL;
    *count = 0;
    if (!rd_ok(r) || n > rd_left(r) / least)
        rd_fail(r);
    if (!rd_ok(r) || n == 0)
        return BASIN_OK;
    *list = mem_new(mem, (size_t)n * size);
    if (*list == NULL)
        return BASIN_NO_MEM;
    *count = (size_t)n;
    return BASIN_OK;
}

basin_status
lsm__note_get(struct bytes from, const basin_allocator *mem, struct stratum_note *n,
              basin_error *err)
{
    struct rd r = rd_over(from.data, from.size);
    basin_status st;
    void *list;
    uint64_t last;
    uint8_t version = rd_u8(&r);

    *n = (struct stratum_note){ 0 };
    if (rd_ok(&r) && version != NOTE_VERSION)
        FAIL(err, BASIN_VERSION, "note: format %u, this build reads %d", version, NOTE_VERSION);
    n->level = rd_leb(&r);
    n->run = rd_leb(&r);
    n->set = get_id(&r);
    n->part = rd_leb(&r);
    last = rd_leb(&r);
    n->last = last == 1;
    n->group = get_id(&r);
    TRY(error_mem(make_list(&r, mem, 4, sizeof(*n->uses), &list, &n->use_count), err));
    n->uses = list;
    for (size_t i = 0; i < n->use_count; i++) {
        n->uses[i].id = get_id(&r);
        n->uses[i].bytes = rd_leb(&r);
        n->uses[i].count = rd_leb(&r);
    }
    TRY(error_mem(make_list(&r, mem, 2, sizeof(*n->consumed), &list, &n->consumed_count), err));
    n->consumed = list;
    for (size_t i = 0; i < n->consumed_count; i++)
        n->consumed[i] = get_id(&r);
    if (!rd_done(&r) || n->level >= LSM_LEVEL_COUNT || last > 1)
        FAIL(err, BASIN_CORRUPT, "note: stopped at byte %zu of %zu", r.at, r.size);
out:
    if (st != BASIN_OK)
        lsm__note_release(mem, n);
    return st;
}
