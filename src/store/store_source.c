// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Reading objects of a directory: mapped as a whole, or by pread through a handle out of a bounded
 * number (store_dir.h). Reads of different sources, and of one source, go on side by side; the
 * store's mutex is held only to take and give back a handle.
 */
#include <inttypes.h>
#include <stdio.h>

#include "store/store_dir.h"

/* ------------------------------------------------------------------ the idle list */

static void
idle_add(struct dir_store *s, struct dir_source *r) REQUIRES(s->mu)
{
    must(!r->idle && r->file && r->pins == 0);
    r->idle = true;
    r->idle_next = NULL;
    r->idle_prev = s->idle_newest;
    if (s->idle_newest)
        s->idle_newest->idle_next = r;
    else
        s->idle_oldest = r;
    s->idle_newest = r;
}

static void
idle_remove(struct dir_store *s, struct dir_source *r) REQUIRES(s->mu)
{
    if (!r->idle)
        return;
    if (r->idle_prev)
        r->idle_prev->idle_next = r->idle_next;
    else
        s->idle_oldest = r->idle_next;
    if (r->idle_next)
        r->idle_next->idle_prev = r->idle_prev;
    else
        s->idle_newest = r->idle_prev;
    r->idle = false;
}

/* Closes handles that nobody reads through until there is room for one more. When all are in use
 * the bound is passed: readers do not wait for one another. */
static void
make_room(struct dir_store *s) REQUIRES(s->mu)
{
    while (s->handles >= s->handles_max && s->idle_oldest) {
        struct dir_source *r = s->idle_oldest;
        idle_remove(s, r);
        os_close(r->file);
        r->file = NULL;
        s->handles--;
    }
}

/* ------------------------------------------------------------------ handles */

/* Opens the object and checks that it is the one that it was. */
static basin_status
reopen(struct dir_store *s, struct dir_source *r, basin_error *err) REQUIRES(s->mu)
{
    char path[OS_PATH_MAX];
    struct os_file *f = NULL;
    uint64_t size;
    basin_status st;

    make_room(s);
    TRY(dir_path(s, r->base.name, path, err));
    st = os_open(s->os, path, OS_READ, &f, err);
    if (st == BASIN_NOT_FOUND)
        FAIL(err, BASIN_IO, "%s: removed by another process while it was open", r->base.name);
    TRY(st);
    TRY(os_size(f, &size, err));
    if (size != r->base.size)
        FAIL(err, BASIN_CORRUPT, "%s: ends at %" PRIu64 ", at its opening at %" PRIu64,
             r->base.name, size, r->base.size);
    r->file = f;
    f = NULL; /* given away */
    s->handles++;
out:
    os_close(f);
    return st;
}

static basin_status
pin(struct dir_source *r, basin_error *err)
{
    struct dir_store *s = r->store;
    basin_status st = BASIN_OK;

    os_mutex_lock(s->mu);
    if (!r->file)
        TRY(reopen(s, r, err));
    idle_remove(s, r);
    r->pins++;
out:
    os_mutex_unlock(s->mu);
    return st;
}

static void
unpin(struct dir_source *r)
{
    struct dir_store *s = r->store;

    os_mutex_lock(s->mu);
    must(r->pins > 0);
    if (--r->pins == 0 && !r->removed)
        idle_add(s, r);
    os_mutex_unlock(s->mu);
}

basin_status
dir__keep_handles(struct dir_store *s, const char *name, basin_error *err)
{
    basin_status st = BASIN_OK;

    os_mutex_lock(s->mu);
    for (struct dir_source *r = s->sources; r; r = r->next) {
        if (strcmp(r->base.name, name) != 0 || r->removed)
            continue;
        if (!r->file)
            TRY(reopen(s, r, err));
        idle_remove(s, r);
        r->removed = true;
    }
out:
    os_mutex_unlock(s->mu);
    return st;
}

/* ------------------------------------------------------------------ source */

static basin_status
dir_source_read(struct source *source, uint64_t at, void *to, size_t n, basin_error *err)
{
    struct dir_source *r = (struct dir_source *)source;
    basin_status st;

    TRY(store__check_read(source, at, n, err));
    if (n == 0)
        goto out;
    if (r->map) {
        memcpy(to, os_map_data(r->map) + at, n);
        goto out;
    }
    TRY(pin(r, err));
    st = os_read_exact(r->file, at, to, n, err);
    if (st != BASIN_OK)
        error_where(err, "%s", source->name);
    unpin(r);
out:
    return st;
}

static const uint8_t *
dir_source_map(struct source *source)
{
    struct dir_source *r = (struct dir_source *)source;

    return r->map ? os_map_data(r->map) : NULL;
}

static void
dir_source_close(struct source *source)
{
    struct dir_source *r = (struct dir_source *)source;
    struct dir_store *s;

    if (!r)
        return;
    s = r->store;
    if (!r->map) {
        os_mutex_lock(s->mu);
        must(r->pins == 0);
        idle_remove(s, r);
        s->handles -= r->file != NULL;
        if (r->prev)
            r->prev->next = r->next;
        else
            s->sources = r->next;
        if (r->next)
            r->next->prev = r->prev;
        os_mutex_unlock(s->mu);
    }
    os_unmap(r->map);
    os_close(r->file);
    mem_free(s->mem, r, sizeof *r);
}

/* ------------------------------------------------------------------ open */

/* Maps the whole file and then closes it: a map needs no handle. One that the system refuses (too
 * many, no address space) is no failure: pread works. */
static void
try_map(struct dir_source *r)
{
    uint64_t size = r->base.size;

    if (size == 0 || size > SIZE_MAX / 2)
        return;
    if (os_map(r->file, 0, (size_t)size, false, &r->map, NULL) != BASIN_OK)
        return;
    os_close(r->file);
    r->file = NULL;
}

static void
add_source(struct dir_store *s, struct dir_source *r)
{
    os_mutex_lock(s->mu);
    r->next = s->sources;
    if (r->next)
        r->next->prev = r;
    s->sources = r;
    make_room(s);
    s->handles++;
    idle_add(s, r);
    os_mutex_unlock(s->mu);
}

basin_status
dir__open(struct store *store, const char *name, struct source **out, basin_error *err)
{
    static const struct source_ops ops = { dir_source_read, dir_source_map, dir_source_close };
    struct dir_store *s = (struct dir_store *)store;
    struct dir_source *r = mem_new(s->mem, sizeof *r);
    char path[OS_PATH_MAX];
    basin_status st;

    if (!r)
        FAIL(err, BASIN_NO_MEM, "%s: out of memory", name);
    r->base.ops = &ops;
    r->store = s;
    snprintf(r->base.name, sizeof r->base.name, "%s", name);
    TRY(dir_path(s, name, path, err));
    TRY(os_open(s->os, path, OS_READ, &r->file, err));
    TRY(os_size(r->file, &r->base.size, err));
    if (s->maps)
        try_map(r);
    if (!r->map)
        add_source(s, r);
    *out = &r->base;
    r = NULL; /* given away */
out:
    if (r) {
        os_close(r->file);
        mem_free(s->mem, r, sizeof *r);
    }
    return st;
}
