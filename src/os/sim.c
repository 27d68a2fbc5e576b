// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The simulator's door: making and freeing a machine, counting calls, faults armed for a call, the
 * virtual clocks, chance, and the tests' direct hand on stored files.
 * Two sequences of random numbers come from the seed: one for what the engine asks, one for what
 * crashes leave, so that runs which differ in the crash only are the same up to it.
 */
#include "os/sim.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

enum { SIM_PROCESS_ID = 1000 };

/* ------------------------------------------------------------------ chance */

/* splitmix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014). */
uint64_t
sim__chance(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

uint64_t
sim__chance_below(uint64_t *state, uint64_t n)
{
    must(n > 0);
    return sim__chance(state) % n;
}

/* ------------------------------------------------------------------ counting and faults */

basin_status
sim__no_mem(basin_error *err, const char *verb, const char *path)
{
    return error_set(err, BASIN_NO_MEM, "%s %s: out of memory", verb, path);
}

static bool
is_failing(const struct os_sim *sim)
{
    if (sim->fail_at == 0)
        return false;
    return sim->fail_all ? sim->calls >= sim->fail_at : sim->calls == sim->fail_at;
}

bool
sim__change(struct os_sim *sim, const char *verb, const char *path)
{
    if (sim->crashed)
        return false;
    sim->changes++;
    sim->crashed = sim->changes == sim->crash_at;
    if (sim->watch)
        sim->watch(sim->watch_ctx, verb, path, sim->crashed);
    return !sim->crashed;
}

basin_status
sim__call(struct os_sim *sim, bool change, const char *verb, const char *path, basin_error *err)
{
    sim->injected = false;
    sim->calls++;
    if (change ? !sim__change(sim, verb, path) : sim->crashed)
        return error_set_os(err, EIO, "%s %s: the machine is down", verb, path);
    if (!is_failing(sim))
        return BASIN_OK;
    sim->injected = true;
    return error_set_os(err, sim->fail_with == BASIN_NO_SPACE ? ENOSPC : EIO,
                        "%s %s: call %" PRIu64 " fails as armed", verb, path, sim->calls);
}

void
os_sim_crash_at(struct os_sim *sim, uint64_t n)
{
    sim->crash_at = n ? sim->changes + n : 0;
}

void
os_sim_watch(struct os_sim *sim, os_sim_watch_fn *fn, void *ctx)
{
    sim->watch = fn;
    sim->watch_ctx = ctx;
}

static void
arm(struct os_sim *sim, uint64_t n, basin_status with, bool all)
{
    must(n == 0 || with == BASIN_IO || with == BASIN_NO_SPACE);
    sim->fail_at = n ? sim->calls + n : 0;
    sim->fail_with = with;
    sim->fail_all = all;
}

void
os_sim_fail_at(struct os_sim *sim, uint64_t n, basin_status with)
{
    arm(sim, n, with, false);
}

void
os_sim_fail_from(struct os_sim *sim, uint64_t n, basin_status with)
{
    arm(sim, n, with, true);
}

uint64_t
os_sim_calls(const struct os_sim *sim)
{
    return sim->calls;
}

uint64_t
os_sim_changes(const struct os_sim *sim)
{
    return sim->changes;
}

bool
os_sim_crashed(const struct os_sim *sim)
{
    return sim->crashed;
}

size_t
os_sim_handles(const struct os_sim *sim)
{
    return sim->handles;
}

/* ------------------------------------------------------------------ space, time, chance */

void
os_sim_set_space(struct os_sim *sim, uint64_t bytes)
{
    sim->pages_max = (bytes + SIM_PAGE_SIZE - 1) / SIM_PAGE_SIZE;
}

uint64_t
os_sim_space_used(const struct os_sim *sim)
{
    return sim->pages_used * SIM_PAGE_SIZE;
}

static basin_status
sim_free_space(struct os *os, const char *path, uint64_t *bytes, basin_error *err)
{
    struct os_sim *sim = sim_of(os);
    basin_status st = sim__call(sim, false, "statvfs", path, err);

    *bytes = 0;
    if (st != BASIN_OK)
        return st;
    if (sim->pages_max == 0)
        *bytes = UINT64_C(1) << 50;
    else if (sim->pages_used < sim->pages_max)
        *bytes = (sim->pages_max - sim->pages_used) * SIM_PAGE_SIZE;
    return BASIN_OK;
}

/* Each look takes a tenth of a microsecond, so that who polls the clock gets somewhere. */
static uint64_t
sim_monotonic_ns(struct os *os)
{
    return sim_of(os)->monotonic_ns += 100;
}

static uint64_t
sim_wall_ms(struct os *os)
{
    struct os_sim *sim = sim_of(os);

    sim->monotonic_ns += 100;
    return (uint64_t)((int64_t)(sim->monotonic_ns / 1000000) + sim->wall_shift_ms);
}

void
os_sim_advance(struct os_sim *sim, uint64_t ns)
{
    sim->monotonic_ns += ns;
}

void
os_sim_shift_wall(struct os_sim *sim, int64_t ms)
{
    sim->wall_shift_ms += ms;
}

static void
sim_sleep_ns(struct os *os, uint64_t ns)
{
    sim_of(os)->monotonic_ns += ns;
}

static basin_status
sim_random(struct os *os, void *to, size_t n, basin_error *err)
{
    struct os_sim *sim = sim_of(os);
    basin_status st = sim__call(sim, false, "random", "", err);
    uint8_t *p = to;

    for (size_t i = 0; st == BASIN_OK && i < n; i++)
        p[i] = (uint8_t)(sim__chance(&sim->chance) >> 32);
    return st;
}

static uint64_t
sim_process_id(struct os *os)
{
    return ((struct sim_process *)os)->id;
}

static uint64_t
sim_handle_limit(struct os *os)
{
    const struct os_sim *sim = sim_of(os);

    return sim->handle_limit ? sim->handle_limit : UINT64_MAX;
}

void
os_sim_set_handle_limit(struct os_sim *sim, uint64_t handles)
{
    sim->handle_limit = handles;
}

static void
sim_process_name(struct os *os, char *to, size_t n)
{
    if (n)
        snprintf(to, n, "sim %" PRIu64 " basin", sim_process_id(os));
}

/* ------------------------------------------------------------------ the tests' hand */

static struct sim_inode *
stored_file(struct os_sim *sim, const char *path)
{
    struct sim_place place;

    if (sim__walk(sim, path, &place, NULL) != BASIN_OK || !place.inode || place.inode->is_dir)
        return NULL;
    return place.inode;
}

basin_status
os_sim_peek(struct os_sim *sim, const char *path, struct bytes *out)
{
    const struct sim_inode *inode = stored_file(sim, path);

    *out = BYTES_NULL;
    if (!inode)
        return BASIN_NOT_FOUND;
    if (inode->size)
        *out = bytes_of(inode->buffer->data, (size_t)inode->size);
    return BASIN_OK;
}

/* Puts the bytes also into what un-synced changes would restore: the disk has them now. */
static void
poke_history(struct sim_inode *inode, uint64_t at, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct sim_page *page = &inode->pages[(at + i) / SIM_PAGE_SIZE];
        size_t in_page = (size_t)((at + i) % SIM_PAGE_SIZE);
        page->written = true;
        for (struct sim_change *c = page->newest; c; c = c->older) {
            if (!c->zeros && in_page >= c->at && in_page < (size_t)c->at + c->size)
                c->before[in_page - c->at] = p[i];
        }
    }
}

basin_status
os_sim_poke(struct os_sim *sim, const char *path, uint64_t at, const void *p, size_t n)
{
    struct sim_inode *inode = stored_file(sim, path);

    if (!inode)
        return BASIN_NOT_FOUND;
    if (at > inode->size || n > inode->size - at)
        return BASIN_MISUSE;
    if (n == 0)
        return BASIN_OK;
    poke_history(inode, at, p, n);
    sim__inode_put(inode, at, p, n);
    return BASIN_OK;
}

basin_status
os_sim_cut(struct os_sim *sim, const char *path, uint64_t size)
{
    struct sim_inode *inode = stored_file(sim, path);

    if (!inode)
        return BASIN_NOT_FOUND;
    if (size > SIM_FILE_SIZE_MAX)
        return BASIN_LIMIT;
    if (!sim__inode_set_size(sim, inode, size))
        return BASIN_NO_MEM;
    sim__inode_forget(sim, inode);
    return BASIN_OK;
}

/* ------------------------------------------------------------------ life */

static const struct os_ops sim_ops = {
    .open = sim__open,
    .close = sim__close,
    .read = sim__read,
    .write = sim__write,
    .size = sim__size,
    .truncate = sim__truncate,
    .allocate = sim__allocate,
    .sync = sim__sync,
    .write_behind = sim__write_behind,
    .map = sim__map,
    .unmap = sim__unmap,
    .map_data = sim__map_data,
    .map_write = sim__map_write,
    .map_store_u64 = sim__map_store_u64,
    .lock = sim__lock,
    .unlock = sim__unlock,
    .test_lock = sim__test_lock,
    .make_dir = sim__make_dir,
    .list = sim__list,
    .link = sim__link,
    .rename = sim__rename,
    .unlink = sim__unlink,
    .remove_dir = sim__remove_dir,
    .path_size = sim__path_size,
    .sync_dir = sim__sync_dir,
    .free_space = sim_free_space,
    .identity = sim__identity,
    .monotonic_ns = sim_monotonic_ns,
    .wall_ms = sim_wall_ms,
    .random = sim_random,
    .sleep_ns = sim_sleep_ns,
    .process_id = sim_process_id,
    .handle_limit = sim_handle_limit,
    .process_name = sim_process_name,
};

static void
process_init(struct sim_process *p, struct os_sim *sim, bool maps)
{
    p->base.ops = &sim_ops;
    p->base.maps = maps;
    p->sim = sim;
    p->id = ++sim->process_id;
}

basin_status
os_sim_process(struct os_sim *sim, struct os **out, basin_error *err)
{
    struct sim_process *p = mem_new(sim->mem, sizeof *p);

    *out = NULL;
    if (!p)
        return sim__no_mem(err, "process", "");
    process_init(p, sim, sim->first.base.maps);
    p->next = sim->others;
    sim->others = p;
    *out = &p->base;
    return BASIN_OK;
}

void
os_sim_kill(struct os *os)
{
    struct os_sim *sim = sim_of(os);

    sim->burying = true;
    sim__kill((struct sim_process *)os);
    sim__bury_all(sim);
}

basin_status
os_sim_new(const struct os_sim_options *options, struct os_sim **out, basin_error *err)
{
    struct os_sim *sim = mem_new(options->mem, sizeof *sim);

    *out = NULL;
    if (!sim)
        return sim__no_mem(err, "simulator", "");
    sim->mem = options->mem;
    sim->process_id = SIM_PROCESS_ID;
    process_init(&sim->first, sim, options->maps);
    sim->chance = options->seed;
    sim->fault_chance = options->seed ^ 0xD1B54A32D192ED03u;
    sim->monotonic_ns = 1000000000u;
    sim->wall_shift_ms = INT64_C(1700000000000);
    os_sim_set_space(sim, options->space_max);
    sim->root = sim__inode_new(sim, true);
    if (!sim->root) {
        mem_free(sim->mem, sim, sizeof *sim);
        return sim__no_mem(err, "simulator", "");
    }
    sim->root->links = 1;
    *out = sim;
    return BASIN_OK;
}

void
os_sim_free(struct os_sim *sim)
{
    if (!sim)
        return;
    must(sim->handles == 0); /* a handle or map was never closed */
    while (sim->names_newest)
        sim__name_change_free(sim, sim->names_newest);
    sim->root->links = 0;
    sim__inode_unref(sim, sim->root);
    must(!sim->inodes && sim->pages_used == 0);
    while (sim->others) {
        struct sim_process *p = sim->others;
        sim->others = p->next;
        mem_free(sim->mem, p, sizeof *p);
    }
    sim__buffer_unref(sim, sim->rubbish);
    mem_free(sim->mem, sim, sizeof *sim);
}

struct os *
os_sim_os(struct os_sim *sim)
{
    return &sim->first.base;
}
