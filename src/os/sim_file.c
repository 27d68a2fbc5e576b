// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Calls on an open file of the simulator. Each counts itself first (sim__file_call), which is where
 * faults and crashes come in, and then works on the inode.
 * What a fault leaves behind is the worst that the real one may leave: a failed write has written a
 * part, a failed sync has marked the pages clean.
 */
#include <inttypes.h>
#include <stdio.h>

#include "os/sim.h"

basin_status
sim__file_call(struct sim_file *f, bool change, const char *verb, basin_error *err)
{
    struct os_sim *sim = sim_of(f->base.os);
    basin_status st = sim__call(sim, change && !f->stale, verb, f->path, err);

    if (st == BASIN_OK && f->stale)
        st = error_set(err, BASIN_IO, "%s %s: the handle is of a dead process", verb, f->path);
    return st;
}

static basin_status
check_writable(const struct sim_file *f, const char *verb, uint64_t end, basin_error *err)
{
    if (!f->writable)
        return error_set(err, BASIN_READ_ONLY, "%s %s: opened for reading", verb, f->path);
    if (end > SIM_FILE_SIZE_MAX)
        return error_set(err, BASIN_LIMIT, "%s %s: size %" PRIu64 ", at most %d", verb, f->path,
                         end, SIM_FILE_SIZE_MAX);
    return BASIN_OK;
}

static uint64_t
end_of(uint64_t at, uint64_t n)
{
    return n > UINT64_MAX - at ? UINT64_MAX : at + n;
}

/* ------------------------------------------------------------------ open, close */

static basin_status
new_file(struct os *os, struct sim_inode *inode, const char *path, unsigned flags,
         struct os_file **out, basin_error *err)
{
    struct os_sim *sim = sim_of(os);
    struct sim_process *process = (struct sim_process *)os;
    size_t path_size = strlen(path) + 1;
    struct sim_file *f = mem_new(sim->mem, sizeof *f + path_size);

    if (!f)
        return sim__no_mem(err, "open", path);
    process->opened++;
    f->base.os = os;
    f->inode = inode;
    f->next = sim->files;
    if (f->next)
        f->next->prev = f;
    sim->files = f;
    f->writable = (flags & OS_WRITE) != 0;
    memcpy(f->path, path, path_size);
    sim__inode_ref(inode);
    sim__inode_use(sim, inode, &inode->opens);
    sim->handles++;
    *out = &f->base;
    return BASIN_OK;
}

static basin_status
open_present(struct os_sim *sim, struct sim_inode *inode, const char *path, unsigned flags,
             basin_error *err)
{
    if (inode->is_dir)
        return error_set(err, BASIN_IO, "open %s: is a directory", path);
    if ((flags & OS_CREATE) && (flags & OS_EXCLUSIVE))
        return error_set(err, BASIN_EXISTS, "open %s: exists", path);
    if ((flags & OS_TRUNCATE) && !sim__inode_set_size(sim, inode, 0))
        return sim__no_mem(err, "open", path);
    return BASIN_OK;
}

basin_status
sim__open(struct os *os, const char *path, unsigned flags, struct os_file **out, basin_error *err)
{
    struct os_sim *sim = sim_of(os);
    struct sim_place place;
    basin_status st, walked = sim__walk(sim, path, &place, NULL);
    bool present = walked == BASIN_OK && place.inode;
    bool changes = present ? (flags & OS_TRUNCATE) && place.inode->size > 0
                           : walked == BASIN_OK && (flags & OS_CREATE);

    *out = NULL;
    TRY(sim__call(sim, changes, "open", path, err));
    if (sim->handle_limit && ((struct sim_process *)os)->opened >= sim->handle_limit)
        FAIL(err, BASIN_LIMIT, "open %s: too many open files", path);
    TRY(sim__walk(sim, path, &place, err));
    if (place.inode)
        TRY(open_present(sim, place.inode, path, flags, err));
    else if (flags & OS_CREATE)
        TRY(sim__add_file(sim, &place, path, &place.inode, err));
    else
        FAIL(err, BASIN_NOT_FOUND, "open %s: no such file", path);
    TRY(new_file(os, place.inode, path, flags, out, err));
out:
    return st;
}

static void
file_detach(struct os_sim *sim, struct sim_file *f)
{
    if (f->stale)
        return;
    sim__locks_drop(sim, f->inode, f);
    sim__inode_unuse(sim, f->inode, &f->inode->opens);
    ((struct sim_process *)f->base.os)->opened--;
    f->stale = true;
}

void
sim__close(struct os_file *file)
{
    struct sim_file *f = (struct sim_file *)file;
    struct os_sim *sim;

    if (!f)
        return;
    sim = sim_of(f->base.os);
    file_detach(sim, f);
    if (f->prev)
        f->prev->next = f->next;
    else
        sim->files = f->next;
    if (f->next)
        f->next->prev = f->prev;
    sim__inode_unref(sim, f->inode);
    must(sim->handles > 0);
    sim->handles--;
    mem_free(sim->mem, f, sizeof *f + strlen(f->path) + 1);
}

/* Maps keep the bytes they have; the inode forgets them. */
static void
maps_detach(struct os_sim *sim, struct sim_inode *inode, const struct os *os)
{
    struct sim_map **at = &inode->maps;

    while (*at) {
        struct sim_map *m = *at;
        if (m->base.os != os) {
            at = &m->next;
            continue;
        }
        *at = m->next;
        m->inode = NULL;
        sim__inode_unuse(sim, inode, &inode->opens);
        sim__inode_unref(sim, inode);
    }
}

void
sim__kill(struct sim_process *process)
{
    struct os_sim *sim = process->sim;

    must(sim->burying); /* nobody may leave the list of inodes meanwhile */
    for (struct sim_file *f = sim->files; f; f = f->next) {
        if (f->base.os == &process->base)
            file_detach(sim, f);
    }
    for (struct sim_inode *i = sim->inodes; i; i = i->next)
        maps_detach(sim, i, &process->base);
    process->id = ++sim->process_id;
}

/* ------------------------------------------------------------------ read, write */

basin_status
sim__read(struct os_file *file, uint64_t at, void *to, size_t n, size_t *got, basin_error *err)
{
    struct sim_file *f = (struct sim_file *)file;
    struct sim_inode *inode = f->inode;
    basin_status st = sim__file_call(f, false, "read", err);

    *got = 0;
    if (st != BASIN_OK)
        return st;
    if (at >= inode->size || n == 0)
        return BASIN_OK;
    *got = (size_t)MIN_OF((uint64_t)n, inode->size - at);
    memcpy(to, inode->buffer->data + at, *got);
    return BASIN_OK;
}

/* Gives the page blocks, if it has none and the disk has some. */
static bool
page_allocate(struct os_sim *sim, struct sim_inode *inode, size_t page)
{
    if (inode->pages[page].allocated)
        return true;
    if (sim->pages_max && sim->pages_used >= sim->pages_max)
        return false;
    sim__inode_set_allocated(sim, inode, page, true);
    return true;
}

/* Writes page by page until done or something is used up; *done tells how far it came. */
static basin_status
write_pages(struct sim_file *f, uint64_t at, const uint8_t *p, size_t n, size_t *done,
            basin_error *err)
{
    struct os_sim *sim = sim_of(f->base.os);

    for (*done = 0; *done < n;) {
        uint64_t here = at + *done;
        size_t room = SIM_PAGE_SIZE - (size_t)(here % SIM_PAGE_SIZE);
        size_t chunk = MIN_OF(room, n - *done);
        if (!page_allocate(sim, f->inode, (size_t)(here / SIM_PAGE_SIZE)))
            return error_set(err, BASIN_NO_SPACE, "write %s: the disk is full at %" PRIu64, f->path,
                             here);
        if (!sim__inode_change(sim, f->inode, SIM_WRITE, here, p + *done, chunk))
            return sim__no_mem(err, "write", f->path);
        *done += chunk;
    }
    return BASIN_OK;
}

static basin_status
write_bytes(struct sim_file *f, uint64_t at, const uint8_t *p, size_t n, basin_error *err)
{
    struct os_sim *sim = sim_of(f->base.os);
    struct sim_inode *inode = f->inode;
    uint64_t old_size = inode->size;
    basin_status st = BASIN_OK;
    size_t done = 0;

    if (n == 0)
        return BASIN_OK;
    if (!sim__inode_reserve(sim, inode, MAX_OF(at + n, old_size)) ||
        (at + n > old_size && !sim__inode_resize(sim, inode, at + n)))
        return sim__no_mem(err, "write", f->path);
    st = write_pages(f, at, p, n, &done, err);
    if (st != BASIN_OK && at + n > old_size)
        inode->size = done ? MAX_OF(at + done, old_size) : old_size;
    return st;
}

basin_status
sim__write(struct os_file *file, uint64_t at, const void *p, size_t n, basin_error *err)
{
    struct sim_file *f = (struct sim_file *)file;
    struct os_sim *sim = sim_of(f->base.os);
    basin_status st = sim__file_call(f, n > 0, "write", err);

    if (st != BASIN_OK && sim->injected && !f->stale && f->writable &&
        end_of(at, n) <= SIM_FILE_SIZE_MAX && n > 0) {
        size_t part = (size_t)sim__chance_below(&sim->fault_chance, n);
        (void)!write_bytes(f, at, p, part, NULL);
        return st;
    }
    TRY(st);
    TRY(check_writable(f, "write", end_of(at, n), err));
    TRY(write_bytes(f, at, p, n, err));
out:
    return st;
}

/* ------------------------------------------------------------------ size */

basin_status
sim__size(struct os_file *file, uint64_t *size, basin_error *err)
{
    struct sim_file *f = (struct sim_file *)file;
    basin_status st = sim__file_call(f, false, "stat", err);

    *size = st == BASIN_OK ? f->inode->size : 0;
    return st;
}

static bool
clear_tail(struct os_sim *sim, struct sim_inode *inode, uint64_t size)
{
    uint64_t at = size;

    while (at < inode->size) {
        size_t page = (size_t)(at / SIM_PAGE_SIZE);
        uint64_t end = MIN_OF(((uint64_t)page + 1) * SIM_PAGE_SIZE, inode->size);
        if (inode->pages[page].written &&
            !sim__inode_change(sim, inode, SIM_CUT, at, NULL, (size_t)(end - at)))
            return false;
        at = end;
    }
    for (size_t i = (size_t)((size + SIM_PAGE_SIZE - 1) / SIM_PAGE_SIZE); i < inode->page_count;
         i++)
        sim__inode_set_allocated(sim, inode, i, false);
    return true;
}

bool
sim__inode_set_size(struct os_sim *sim, struct sim_inode *inode, uint64_t size)
{
    if (size == inode->size)
        return true;
    if (size > inode->size && !sim__inode_reserve(sim, inode, size))
        return false;
    if (size < inode->size && !clear_tail(sim, inode, size))
        return false;
    return sim__inode_resize(sim, inode, size);
}

basin_status
sim__truncate(struct os_file *file, uint64_t size, basin_error *err)
{
    struct sim_file *f = (struct sim_file *)file;
    basin_status st;

    TRY(sim__file_call(f, true, "truncate", err));
    TRY(check_writable(f, "truncate", size, err));
    if (!sim__inode_set_size(sim_of(f->base.os), f->inode, size))
        st = sim__no_mem(err, "truncate", f->path);
out:
    return st;
}

/* The pages below `size` that have no blocks yet. */
static uint64_t
pages_missing(const struct sim_inode *inode, size_t pages)
{
    uint64_t missing = 0;

    for (size_t i = 0; i < pages; i++)
        missing += i >= inode->page_count || !inode->pages[i].allocated;
    return missing;
}

basin_status
sim__allocate(struct os_file *file, uint64_t size, basin_error *err)
{
    struct sim_file *f = (struct sim_file *)file;
    struct os_sim *sim = sim_of(f->base.os);
    size_t pages;
    uint64_t missing;
    basin_status st;

    TRY(sim__file_call(f, true, "allocate", err));
    TRY(check_writable(f, "allocate", size, err));
    pages = (size_t)((size + SIM_PAGE_SIZE - 1) / SIM_PAGE_SIZE);
    missing = pages_missing(f->inode, pages);
    if (sim->pages_max && missing > 0 &&
        (sim->pages_used > sim->pages_max || missing > sim->pages_max - sim->pages_used))
        FAIL(err, BASIN_NO_SPACE,
             "allocate %s: %" PRIu64 " pages, the disk has %" PRIu64 " of %" PRIu64, f->path,
             missing, sim->pages_used, sim->pages_max);
    if (!sim__inode_reserve(sim, f->inode, MAX_OF(size, f->inode->size)) ||
        (size > f->inode->size && !sim__inode_resize(sim, f->inode, size))) {
        st = sim__no_mem(err, "allocate", f->path);
        goto out;
    }
    for (size_t i = 0; i < pages; i++)
        sim__inode_set_allocated(sim, f->inode, i, true);
out:
    return st;
}

/* ------------------------------------------------------------------ sync */

/* Nothing to do: in the random mode of a crash anything may have come to the disk. */
void
sim__write_behind(struct os_file *file, uint64_t at, uint64_t n)
{
    (void)file;
    (void)at;
    (void)n;
}

basin_status
sim__sync(struct os_file *file, bool data_only, basin_error *err)
{
    struct sim_file *f = (struct sim_file *)file;
    struct os_sim *sim = sim_of(f->base.os);
    basin_status st = sim__file_call(f, true, data_only ? "fdatasync" : "fsync", err);

    if (st != BASIN_OK && sim->injected && !f->stale) {
        sim__inode_sync_failed(f->inode);
        f->poisoned = true;
        return st;
    }
    TRY(st);
    if (f->poisoned)
        FAIL(err, BASIN_IO, "sync %s: an earlier sync of this handle failed", f->path);
    sim__inode_sync(sim, f->inode);
out:
    return st;
}
