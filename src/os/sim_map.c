// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Maps of the simulator: a pointer into the inode's buffer, which does not move while it is mapped.
 * Writes go through map_write and are recorded by page like others, but marked, since a mapped page
 * can be written back in the middle of a copy.
 */
#include <inttypes.h>

#include "os/sim.h"

static bool
all_allocated(const struct sim_inode *inode, uint64_t at, uint64_t end)
{
    for (uint64_t i = at / SIM_PAGE_SIZE; i * SIM_PAGE_SIZE < end; i++) {
        if (!inode->pages[i].allocated)
            return false;
    }
    return true;
}

static basin_status
check_map(const struct sim_file *f, uint64_t at, size_t size, bool write, basin_error *err)
{
    const struct sim_inode *inode = f->inode;

    if (write && !f->writable)
        return error_set(err, BASIN_READ_ONLY, "map %s: opened for reading", f->path);
    if (at > inode->size || size > inode->size - at)
        return error_set(err, BASIN_CORRUPT,
                         "map %s: file ends at %" PRIu64 ", needed %zu bytes at %" PRIu64, f->path,
                         inode->size, size, at);
    if (write && !all_allocated(inode, at, at + size))
        return error_set(err, BASIN_MISUSE,
                         "map %s: %zu bytes at %" PRIu64 " for writing, not all allocated", f->path,
                         size, at);
    return BASIN_OK;
}

basin_status
sim__map(struct os_file *file, uint64_t at, size_t size, bool write, struct os_map **out,
         basin_error *err)
{
    struct sim_file *f = (struct sim_file *)file;
    struct os_sim *sim = sim_of(f->base.os);
    struct sim_inode *inode = f->inode;
    struct sim_map *m;
    basin_status st;

    *out = NULL;
    TRY(sim__file_call(f, false, "map", err));
    TRY(check_map(f, at, size, write, err));
    m = mem_new(sim->mem, sizeof *m + strlen(f->path) + 1);
    if (!m) {
        st = sim__no_mem(err, "map", f->path);
        goto out;
    }
    m->base.os = f->base.os;
    m->inode = inode;
    m->buffer = inode->buffer;
    m->buffer->refs++;
    m->next = inode->maps;
    inode->maps = m;
    m->at = (size_t)at;
    m->size = size;
    m->writable = write;
    memcpy(m->path, f->path, strlen(f->path) + 1);
    sim__inode_ref(inode);
    sim__inode_use(sim, inode, &inode->opens);
    sim->handles++;
    *out = &m->base;
out:
    return st;
}

void
sim__unmap(struct os_map *map)
{
    struct sim_map *m = (struct sim_map *)map;
    struct os_sim *sim;

    if (!m)
        return;
    sim = sim_of(m->base.os);
    if (m->inode) {
        struct sim_map **at = &m->inode->maps;
        while (*at != m)
            at = &(*at)->next;
        *at = m->next;
        sim__buffer_unref(sim, m->buffer);
        sim__inode_unuse(sim, m->inode, &m->inode->opens);
        sim__inode_unref(sim, m->inode);
    } else {
        sim__buffer_unref(sim, m->buffer);
    }
    must(sim->handles > 0);
    sim->handles--;
    mem_free(sim->mem, m, sizeof *m + strlen(m->path) + 1);
}

uint8_t *
sim__map_data(struct os_map *map)
{
    struct sim_map *m = (struct sim_map *)map;

    return m->buffer->data + m->at;
}

void
sim__map_write(struct os_map *map, size_t at, const void *p, size_t n)
{
    struct sim_map *m = (struct sim_map *)map;
    size_t done = 0;

    must(m->writable && at <= m->size && n <= m->size - at);
    if (n == 0 || !m->inode || !sim__change(sim_of(m->base.os), "map write", m->path))
        return;
    while (done < n) {
        uint64_t here = m->at + at + done;
        size_t room = SIM_PAGE_SIZE - (size_t)(here % SIM_PAGE_SIZE);
        size_t chunk = MIN_OF(room, n - done);
        const uint8_t *from = (const uint8_t *)p + done;
        /* out of memory the change cannot be taken back by a crash: less nasty, still right */
        if (!sim__inode_change(sim_of(m->base.os), m->inode, SIM_MAP_WRITE, here, from, chunk)) {
            m->inode->pages[here / SIM_PAGE_SIZE].written = true;
            sim__inode_put(m->inode, here, from, chunk);
        }
        done += chunk;
    }
}

void
sim__map_store_u64(struct os_map *map, size_t at, uint64_t v)
{
    must((((const struct sim_map *)map)->at + at) % 8 == 0);
    sim__map_write(map, at, &v, sizeof v);
}
