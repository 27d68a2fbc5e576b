// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Byte locks of the simulator, owned by handles as open-file-description locks are: another handle
 * conflicts, also of the same process; the own ones are replaced where they overlap, so that a
 * shared lock becomes an exclusive one; closing the handle drops them.
 */
#include <inttypes.h>

#include "os/sim.h"

static bool
overlaps(const struct sim_lock *l, uint64_t from, uint64_t to)
{
    return l->from <= to && from <= l->to;
}

static bool
is_held_elsewhere(const struct sim_file *f, uint64_t from, uint64_t to, enum os_lock_kind kind)
{
    for (const struct sim_lock *l = f->inode->locks; l; l = l->next) {
        if (l->owner == f || !overlaps(l, from, to))
            continue;
        if (kind == OS_LOCK_EXCLUSIVE || l->kind == OS_LOCK_EXCLUSIVE)
            return true;
    }
    return false;
}

static void
add_lock(struct sim_inode *inode, struct sim_lock *l, const struct sim_file *owner, uint64_t from,
         uint64_t to, enum os_lock_kind kind)
{
    *l = (struct sim_lock){ inode->locks, owner, from, to, kind };
    inode->locks = l;
}

/* Takes [from, to] out of the handle's locks. At most one of them is cut in two: it takes *spare,
 * which is then NULL. */
static void
remove_range(struct os_sim *sim, struct sim_file *f, uint64_t from, uint64_t to,
             struct sim_lock **spare)
{
    struct sim_lock **at = &f->inode->locks;

    while (*at) {
        struct sim_lock *l = *at;
        if (l->owner != f || !overlaps(l, from, to)) {
            at = &l->next;
        } else if (l->from < from && l->to > to) {
            add_lock(f->inode, *spare, f, to + 1, l->to, l->kind);
            *spare = NULL;
            l->to = from - 1;
            return;
        } else if (l->from < from) {
            l->to = from - 1;
        } else if (l->to > to) {
            l->from = to + 1;
        } else {
            *at = l->next;
            mem_free(sim->mem, l, sizeof *l);
        }
    }
}

static basin_status
check_lock(struct sim_file *f, const char *verb, uint64_t at, uint64_t n, basin_error *err)
{
    basin_status st = sim__file_call(f, false, verb, err);

    if (st != BASIN_OK)
        return st;
    if (n == 0)
        return error_set(err, BASIN_MISUSE, "%s %s: 0 bytes", verb, f->path);
    if (at > INT64_MAX || n > INT64_MAX - at)
        return error_set(err, BASIN_LIMIT, "%s %s: %" PRIu64 " bytes at %" PRIu64 ": over 2^63",
                         verb, f->path, n, at);
    return BASIN_OK;
}

static basin_status
busy(const struct sim_file *f, uint64_t at, uint64_t n, basin_error *err)
{
    return error_set(err, BASIN_BUSY, "lock %s: another handle holds bytes %" PRIu64 " to %" PRIu64,
                     f->path, at, at + n - 1);
}

basin_status
sim__lock(struct os_file *file, uint64_t at, uint64_t n, enum os_lock_kind kind, basin_error *err)
{
    struct sim_file *f = (struct sim_file *)file;
    struct os_sim *sim = sim_of(f->base.os);
    struct sim_lock *added = NULL, *spare = NULL;
    basin_status st;

    TRY(check_lock(f, "lock", at, n, err));
    if (kind == OS_LOCK_EXCLUSIVE && !f->writable)
        FAIL(err, BASIN_READ_ONLY, "lock %s: opened for reading", f->path);
    if (is_held_elsewhere(f, at, at + n - 1, kind)) {
        st = busy(f, at, n, err);
        goto out;
    }
    added = mem_new(sim->mem, sizeof *added);
    spare = mem_new(sim->mem, sizeof *spare);
    if (!added || !spare) {
        st = sim__no_mem(err, "lock", f->path);
        goto out;
    }
    remove_range(sim, f, at, at + n - 1, &spare);
    add_lock(f->inode, added, f, at, at + n - 1, kind);
    added = NULL; /* given away */
out:
    mem_free(sim->mem, added, sizeof *added);
    mem_free(sim->mem, spare, sizeof *spare);
    return st;
}

basin_status
sim__unlock(struct os_file *file, uint64_t at, uint64_t n, basin_error *err)
{
    struct sim_file *f = (struct sim_file *)file;
    struct os_sim *sim = sim_of(f->base.os);
    struct sim_lock *spare = NULL;
    basin_status st;

    TRY(check_lock(f, "unlock", at, n, err));
    spare = mem_new(sim->mem, sizeof *spare);
    if (!spare) {
        st = sim__no_mem(err, "unlock", f->path);
        goto out;
    }
    remove_range(sim, f, at, at + n - 1, &spare);
out:
    mem_free(sim->mem, spare, sizeof *spare);
    return st;
}

basin_status
sim__test_lock(struct os_file *file, uint64_t at, uint64_t n, enum os_lock_kind kind,
               basin_error *err)
{
    struct sim_file *f = (struct sim_file *)file;
    basin_status st = check_lock(f, "test lock", at, n, err);

    if (st == BASIN_OK && is_held_elsewhere(f, at, at + n - 1, kind))
        st = busy(f, at, n, err);
    return st;
}

void
sim__locks_drop(struct os_sim *sim, struct sim_inode *inode, const struct sim_file *owner)
{
    struct sim_lock **at = &inode->locks;

    while (*at) {
        struct sim_lock *l = *at;
        if (l->owner != owner) {
            at = &l->next;
            continue;
        }
        *at = l->next;
        mem_free(sim->mem, l, sizeof *l);
    }
}
