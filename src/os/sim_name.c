// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Directories of the simulator. Every change of a name is recorded with what was there before, in
 * one chain for the machine, until its directory is synced. A rename within a directory is one
 * change of two names, so that a crash shows the old or the new state; a rename between
 * directories is two, of which the removal cannot survive without the addition.
 * Lists come in an order that changes from call to call: nobody may rely on one.
 */
#include "os/sim.h"

/* ------------------------------------------------------------------ lookup */

static size_t
find_entry(const struct sim_inode *dir, const char *name)
{
    for (size_t i = 0; i < dir->entry_count; i++) {
        if (strcmp(dir->entries[i].name, name) == 0)
            return i;
    }
    return SIZE_MAX;
}

static struct sim_inode *
lookup(const struct sim_inode *dir, const char *name)
{
    size_t i = find_entry(dir, name);

    return i == SIZE_MAX ? NULL : dir->entries[i].inode;
}

basin_status
sim__walk(struct os_sim *sim, const char *path, struct sim_place *to, basin_error *err)
{
    const char *p = path;

    to->dir = NULL;
    to->inode = sim->root;
    to->name[0] = 0;
    while (*p) {
        size_t n = strcspn(p, "/");
        if (n > SIM_NAME_MAX) {
            basin_status st = error_set(err, BASIN_LIMIT, "%s: a name of %zu bytes, at most %d",
                                        path, n, SIM_NAME_MAX);
            error_hint(err, "use a shorter name");
            return st;
        }
        if (n > 0 && !(n == 1 && *p == '.')) {
            if (!to->inode || !to->inode->is_dir)
                return error_set(err, BASIN_NOT_FOUND, "%s: no such directory", path);
            to->dir = to->inode;
            memcpy(to->name, p, n);
            to->name[n] = 0;
            to->inode = lookup(to->dir, to->name);
        }
        p += n;
        p += *p == '/';
    }
    return BASIN_OK;
}

/* The inode of a path that must exist. */
static basin_status
walk_to(struct os_sim *sim, const char *path, bool is_dir, struct sim_place *to, basin_error *err)
{
    basin_status st = sim__walk(sim, path, to, err);

    if (st != BASIN_OK)
        return st;
    if (!to->inode || to->inode->is_dir != is_dir)
        return error_set(err, BASIN_NOT_FOUND, "%s: no such %s", path,
                         is_dir ? "directory" : "file");
    return BASIN_OK;
}

/* A place where nothing is. */
static basin_status
walk_to_free(struct os_sim *sim, const char *path, struct sim_place *to, basin_error *err)
{
    basin_status st = sim__walk(sim, path, to, err);

    if (st == BASIN_OK && to->inode)
        st = error_set(err, BASIN_EXISTS, "%s: exists", path);
    return st;
}

/* ------------------------------------------------------------------ changes */

static bool
dir_reserve(struct os_sim *sim, struct sim_inode *dir)
{
    size_t capacity = dir->entry_capacity ? dir->entry_capacity * 2 : 8;
    struct sim_entry *entries;

    if (dir->entry_count < dir->entry_capacity)
        return true;
    entries = sim->mem->resize(sim->mem->ctx, dir->entries, dir->entry_capacity * sizeof *entries,
                               capacity * sizeof *entries);
    if (!entries)
        return false;
    dir->entries = entries;
    dir->entry_capacity = capacity;
    return true;
}

void
sim__dir_set(struct os_sim *sim, struct sim_inode *dir, const char *name, struct sim_inode *inode)
{
    size_t i = find_entry(dir, name);
    struct sim_inode *old = i == SIZE_MAX ? NULL : dir->entries[i].inode;

    if (old == inode)
        return;
    if (inode) {
        sim__inode_ref(inode);
        sim__inode_use(sim, inode, &inode->links);
    }
    if (!old) {
        must(dir_reserve(sim, dir)); /* callers that can fail have reserved */
        memcpy(dir->entries[dir->entry_count].name, name, strlen(name) + 1);
        dir->entries[dir->entry_count++].inode = inode;
    } else if (inode) {
        dir->entries[i].inode = inode;
    } else {
        dir->entries[i] = dir->entries[--dir->entry_count];
    }
    if (old) {
        sim__inode_unuse(sim, old, &old->links);
        sim__inode_unref(sim, old);
    }
}

static struct sim_name_change *
change_new(struct os_sim *sim, struct sim_inode *dir)
{
    struct sim_name_change *c = mem_new(sim->mem, sizeof *c);

    if (!c || !dir_reserve(sim, dir)) {
        mem_free(sim->mem, c, sizeof *c);
        return NULL;
    }
    c->id = ++sim->name_change_id;
    c->dir = dir;
    return c;
}

static void
change_part(struct sim_name_change *c, const char *name, struct sim_inode *after)
{
    struct sim_name_part *part = &c->parts[c->part_count++];

    memcpy(part->name, name, strlen(name) + 1);
    part->before = lookup(c->dir, name);
    part->after = after;
}

/* Records the change and makes it. */
static void
change_make(struct os_sim *sim, struct sim_name_change *c)
{
    sim__inode_ref(c->dir);
    c->older = sim->names_newest;
    if (c->older)
        c->older->newer = c;
    else
        sim->names_oldest = c;
    sim->names_newest = c;
    for (unsigned i = 0; i < c->part_count; i++) {
        if (c->parts[i].before)
            sim__inode_ref(c->parts[i].before);
        if (c->parts[i].after)
            sim__inode_ref(c->parts[i].after);
    }
    for (unsigned i = 0; i < c->part_count; i++)
        sim__dir_set(sim, c->dir, c->parts[i].name, c->parts[i].after);
}

void
sim__name_change_free(struct os_sim *sim, struct sim_name_change *c)
{
    if (c->newer)
        c->newer->older = c->older;
    else
        sim->names_newest = c->older;
    if (c->older)
        c->older->newer = c->newer;
    else
        sim->names_oldest = c->newer;
    for (unsigned i = 0; i < c->part_count; i++) {
        sim__inode_unref(sim, c->parts[i].before);
        sim__inode_unref(sim, c->parts[i].after);
    }
    sim__inode_unref(sim, c->dir);
    mem_free(sim->mem, c, sizeof *c);
}

/* One name of one directory becomes `after`. */
static basin_status
set_name(struct os_sim *sim, const struct sim_place *place, struct sim_inode *after,
         const char *verb, const char *path, basin_error *err)
{
    struct sim_name_change *c = change_new(sim, place->dir);

    if (!c)
        return sim__no_mem(err, verb, path);
    change_part(c, place->name, after);
    change_make(sim, c);
    return BASIN_OK;
}

static basin_status
add_inode(struct os_sim *sim, const struct sim_place *place, bool is_dir, const char *verb,
          const char *path, struct sim_inode **out, basin_error *err)
{
    struct sim_inode *inode = sim__inode_new(sim, is_dir);
    basin_status st;

    *out = NULL;
    if (!inode)
        return sim__no_mem(err, verb, path);
    st = set_name(sim, place, inode, verb, path, err);
    if (st == BASIN_OK)
        *out = inode;
    sim__inode_unref(sim, inode); /* its name holds it */
    return st;
}

basin_status
sim__add_file(struct os_sim *sim, const struct sim_place *place, const char *path,
              struct sim_inode **out, basin_error *err)
{
    return add_inode(sim, place, false, "open", path, out, err);
}

/* ------------------------------------------------------------------ calls */

basin_status
sim__make_dir(struct os *os, const char *path, basin_error *err)
{
    struct os_sim *sim = sim_of(os);
    struct sim_inode *made;
    struct sim_place place;
    basin_status st;

    TRY(sim__call(sim, true, "mkdir", path, err));
    TRY(walk_to_free(sim, path, &place, err));
    TRY(add_inode(sim, &place, true, "mkdir", path, &made, err));
out:
    return st;
}

basin_status
sim__list(struct os *os, const char *path, os_list_fn *fn, void *ctx, basin_error *err)
{
    struct os_sim *sim = sim_of(os);
    struct sim_entry *copy = NULL;
    struct sim_place place;
    size_t count = 0, start;
    basin_status st;

    TRY(sim__call(sim, false, "list", path, err));
    TRY(walk_to(sim, path, true, &place, err));
    count = place.inode->entry_count;
    if (count == 0)
        goto out;
    copy = sim->mem->resize(sim->mem->ctx, NULL, 0, count * sizeof *copy); /* fn may change it */
    if (!copy) {
        st = sim__no_mem(err, "list", path);
        goto out;
    }
    memcpy(copy, place.inode->entries, count * sizeof *copy);
    start = (size_t)(sim->calls % count);
    for (size_t i = 0; i < count; i++)
        TRY(fn(ctx, copy[(start + i) % count].name, err));
out:
    if (copy)
        mem_free(sim->mem, copy, count * sizeof *copy);
    return st;
}

basin_status
sim__link(struct os *os, const char *from, const char *to, basin_error *err)
{
    struct os_sim *sim = sim_of(os);
    struct sim_place source, target;
    basin_status st;

    TRY(sim__call(sim, true, "link", to, err));
    TRY(walk_to(sim, from, false, &source, err));
    TRY(walk_to_free(sim, to, &target, err));
    TRY(set_name(sim, &target, source.inode, "link", to, err));
out:
    return st;
}

static basin_status
rename_within(struct os_sim *sim, const struct sim_place *source, const struct sim_place *target,
              const char *path, basin_error *err)
{
    struct sim_name_change *c = change_new(sim, source->dir);

    if (!c)
        return sim__no_mem(err, "rename", path);
    change_part(c, target->name, source->inode);
    change_part(c, source->name, NULL);
    change_make(sim, c);
    return BASIN_OK;
}

static basin_status
rename_between(struct os_sim *sim, const struct sim_place *source, const struct sim_place *target,
               const char *path, basin_error *err)
{
    struct sim_name_change *add = change_new(sim, target->dir);
    struct sim_name_change *take = change_new(sim, source->dir);

    if (!add || !take) {
        mem_free(sim->mem, add, sizeof *add);
        mem_free(sim->mem, take, sizeof *take);
        return sim__no_mem(err, "rename", path);
    }
    take->needs = add->id;
    change_part(add, target->name, source->inode);
    change_part(take, source->name, NULL);
    change_make(sim, add);
    change_make(sim, take);
    return BASIN_OK;
}

basin_status
sim__rename(struct os *os, const char *from, const char *to, basin_error *err)
{
    struct os_sim *sim = sim_of(os);
    struct sim_place source, target;
    basin_status st;

    TRY(sim__call(sim, true, "rename", from, err));
    TRY(sim__walk(sim, from, &source, err));
    TRY(sim__walk(sim, to, &target, err));
    if (!source.inode || !source.dir)
        FAIL(err, BASIN_NOT_FOUND, "rename %s: no such file", from);
    if (source.inode == target.inode)
        goto out;
    if (!target.dir || (target.inode && (target.inode->is_dir || source.inode->is_dir)))
        FAIL(err, BASIN_EXISTS, "rename %s: %s is there", from, to);
    if (source.dir == target.dir)
        st = rename_within(sim, &source, &target, from, err);
    else if (source.inode->is_dir)
        FAIL(err, BASIN_MISUSE, "rename %s: a directory moves within its own one only", from);
    else
        st = rename_between(sim, &source, &target, from, err);
out:
    return st;
}

basin_status
sim__unlink(struct os *os, const char *path, basin_error *err)
{
    struct os_sim *sim = sim_of(os);
    struct sim_place place;
    basin_status st;

    TRY(sim__call(sim, true, "unlink", path, err));
    TRY(walk_to(sim, path, false, &place, err));
    TRY(set_name(sim, &place, NULL, "unlink", path, err));
out:
    return st;
}

basin_status
sim__remove_dir(struct os *os, const char *path, basin_error *err)
{
    struct os_sim *sim = sim_of(os);
    struct sim_place place;
    basin_status st;

    TRY(sim__call(sim, true, "rmdir", path, err));
    TRY(walk_to(sim, path, true, &place, err));
    if (place.inode->entry_count || !place.dir)
        FAIL(err, BASIN_EXISTS, "rmdir %s: not empty", path);
    TRY(set_name(sim, &place, NULL, "rmdir", path, err));
out:
    return st;
}

basin_status
sim__path_size(struct os *os, const char *path, uint64_t *size, basin_error *err)
{
    struct os_sim *sim = sim_of(os);
    struct sim_place place;
    basin_status st;

    *size = 0;
    TRY(sim__call(sim, false, "stat", path, err));
    TRY(walk_to(sim, path, false, &place, err));
    *size = place.inode->size;
out:
    return st;
}

basin_status
sim__identity(struct os *os, const char *path, uint64_t id[2], basin_error *err)
{
    struct os_sim *sim = sim_of(os);
    struct sim_place place;
    basin_status st;

    id[0] = id[1] = 0;
    TRY(sim__call(sim, false, "stat", path, err));
    TRY(sim__walk(sim, path, &place, err));
    if (!place.inode)
        FAIL(err, BASIN_NOT_FOUND, "%s: no such file or directory", path);
    id[0] = 1;
    id[1] = place.inode->id;
out:
    return st;
}

/* ------------------------------------------------------------------ sync */

static bool
shares_name(const struct sim_name_change *a, const struct sim_name_change *b)
{
    for (unsigned i = 0; i < a->part_count; i++) {
        for (unsigned k = 0; k < b->part_count; k++) {
            if (strcmp(a->parts[i].name, b->parts[k].name) == 0)
                return true;
        }
    }
    return false;
}

/* A dropped change goes to disk only with a later one of the same name. */
static bool
is_written(const struct sim_name_change *c)
{
    if (!c->dropped)
        return true;
    for (const struct sim_name_change *n = c->newer; n; n = n->newer) {
        if (n->dir == c->dir && !n->dropped && shares_name(n, c))
            return true;
    }
    return false;
}

static void
sync_names(struct os_sim *sim, const struct sim_inode *dir)
{
    struct sim_name_change *next;

    /* oldest first: whether one is written depends on later ones, which are still there */
    for (struct sim_name_change *c = sim->names_oldest; c; c = next) {
        next = c->newer;
        if (c->dir == dir && is_written(c))
            sim__name_change_free(sim, c);
    }
}

static void
sync_names_failed(struct os_sim *sim, const struct sim_inode *dir)
{
    for (struct sim_name_change *c = sim->names_newest; c; c = c->older) {
        if (c->dir == dir)
            c->dropped = true;
    }
}

basin_status
sim__sync_dir(struct os *os, const char *path, basin_error *err)
{
    struct os_sim *sim = sim_of(os);
    struct sim_place place;
    bool found = sim__walk(sim, path, &place, NULL) == BASIN_OK && place.inode;
    basin_status st = sim__call(sim, true, "sync dir", path, err);

    if (st != BASIN_OK && sim->injected && found)
        sync_names_failed(sim, place.inode);
    TRY(st);
    TRY(walk_to(sim, path, true, &place, err));
    sync_names(sim, place.inode);
out:
    return st;
}
