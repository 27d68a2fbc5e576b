// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The calls of the door with the table spelled out, and the few that are the same for every
 * implementation (exact reads, atomic loads from a map, joined paths).
 * Nothing here calls the system: that is for the files behind a table.
 */
#include "os/os.h"

#include <inttypes.h>
#include <stdio.h>

basin_status
os_join(char to[OS_PATH_MAX], const char *dir, const char *name, basin_error *err)
{
    int n = snprintf(to, OS_PATH_MAX, "%s/%s", dir, name);
    if (n >= 0 && n < OS_PATH_MAX)
        return BASIN_OK;
    to[0] = 0;
    return error_set(err, BASIN_LIMIT, "path of %s: %d bytes, at most %d", name, n,
                     OS_PATH_MAX - 1);
}

basin_status
os_open(struct os *os, const char *path, unsigned flags, struct os_file **out, basin_error *err)
{
    *out = NULL;
    return os->ops->open(os, path, flags, out, err);
}

void
os_close(struct os_file *f)
{
    if (f)
        f->os->ops->close(f);
}

basin_status
os_read(struct os_file *f, uint64_t at, void *to, size_t n, size_t *got, basin_error *err)
{
    *got = 0;
    return f->os->ops->read(f, at, to, n, got, err);
}

basin_status
os_read_exact(struct os_file *f, uint64_t at, void *to, size_t n, basin_error *err)
{
    size_t got = 0;
    basin_status st = os_read(f, at, to, n, &got, err);

    if (st == BASIN_OK && got < n)
        st = error_set(err, BASIN_CORRUPT, "file ends at %" PRIu64 ", needed %" PRIu64, at + got,
                       at + n);
    return st;
}

basin_status
os_write(struct os_file *f, uint64_t at, const void *p, size_t n, basin_error *err)
{
    return f->os->ops->write(f, at, p, n, err);
}

basin_status
os_size(struct os_file *f, uint64_t *size, basin_error *err)
{
    *size = 0;
    return f->os->ops->size(f, size, err);
}

basin_status
os_truncate(struct os_file *f, uint64_t size, basin_error *err)
{
    return f->os->ops->truncate(f, size, err);
}

basin_status
os_allocate(struct os_file *f, uint64_t size, basin_error *err)
{
    return f->os->ops->allocate(f, size, err);
}

basin_status
os_sync(struct os_file *f, bool data_only, basin_error *err)
{
    return f->os->ops->sync(f, data_only, err);
}

void
os_write_behind(struct os_file *f, uint64_t at, uint64_t n)
{
    f->os->ops->write_behind(f, at, n);
}

basin_status
os_map(struct os_file *f, uint64_t at, size_t size, bool write, struct os_map **out,
       basin_error *err)
{
    *out = NULL;
    if (!f->os->maps)
        return error_set(err, BASIN_MISUSE, "map: this system offers no maps");
    if (size == 0)
        return error_set(err, BASIN_MISUSE, "map: 0 bytes asked for");
    return f->os->ops->map(f, at, size, write, out, err);
}

void
os_unmap(struct os_map *m)
{
    if (m)
        m->os->ops->unmap(m);
}

uint8_t *
os_map_data(struct os_map *m)
{
    return m->os->ops->map_data(m);
}

void
os_map_write(struct os_map *m, size_t at, const void *p, size_t n)
{
    m->os->ops->map_write(m, at, p, n);
}

void
os_map_store_u64(struct os_map *m, size_t at, uint64_t v)
{
    must(at % 8 == 0);
    m->os->ops->map_store_u64(m, at, v);
}

uint64_t
os_map_load_u64(struct os_map *m, size_t at)
{
    must(at % 8 == 0);
    return __atomic_load_n((const uint64_t *)(const void *)(os_map_data(m) + at), __ATOMIC_SEQ_CST);
}

basin_status
os_lock(struct os_file *f, uint64_t at, uint64_t n, enum os_lock_kind kind, basin_error *err)
{
    return f->os->ops->lock(f, at, n, kind, err);
}

basin_status
os_unlock(struct os_file *f, uint64_t at, uint64_t n, basin_error *err)
{
    return f->os->ops->unlock(f, at, n, err);
}

basin_status
os_test_lock(struct os_file *f, uint64_t at, uint64_t n, enum os_lock_kind kind, basin_error *err)
{
    return f->os->ops->test_lock(f, at, n, kind, err);
}

basin_status
os_make_dir(struct os *os, const char *path, basin_error *err)
{
    return os->ops->make_dir(os, path, err);
}

basin_status
os_list(struct os *os, const char *path, os_list_fn *fn, void *ctx, basin_error *err)
{
    return os->ops->list(os, path, fn, ctx, err);
}

basin_status
os_link(struct os *os, const char *from, const char *to, basin_error *err)
{
    return os->ops->link(os, from, to, err);
}

basin_status
os_rename(struct os *os, const char *from, const char *to, basin_error *err)
{
    return os->ops->rename(os, from, to, err);
}

basin_status
os_unlink(struct os *os, const char *path, basin_error *err)
{
    return os->ops->unlink(os, path, err);
}

basin_status
os_remove_dir(struct os *os, const char *path, basin_error *err)
{
    return os->ops->remove_dir(os, path, err);
}

basin_status
os_path_size(struct os *os, const char *path, uint64_t *size, basin_error *err)
{
    *size = 0;
    return os->ops->path_size(os, path, size, err);
}

basin_status
os_sync_dir(struct os *os, const char *path, basin_error *err)
{
    return os->ops->sync_dir(os, path, err);
}

basin_status
os_free_space(struct os *os, const char *path, uint64_t *bytes, basin_error *err)
{
    *bytes = 0;
    return os->ops->free_space(os, path, bytes, err);
}

basin_status
os_identity(struct os *os, const char *path, uint64_t id[2], basin_error *err)
{
    id[0] = id[1] = 0;
    return os->ops->identity(os, path, id, err);
}

uint64_t
os_monotonic_ns(struct os *os)
{
    return os->ops->monotonic_ns(os);
}

uint64_t
os_wall_ms(struct os *os)
{
    return os->ops->wall_ms(os);
}

basin_status
os_random(struct os *os, void *to, size_t n, basin_error *err)
{
    return os->ops->random(os, to, n, err);
}

void
os_sleep_ns(struct os *os, uint64_t ns)
{
    os->ops->sleep_ns(os, ns);
}

uint64_t
os_process_id(struct os *os)
{
    return os->ops->process_id(os);
}

uint64_t
os_handle_limit(struct os *os)
{
    return os->ops->handle_limit(os);
}

void
os_process_name(struct os *os, char *to, size_t n)
{
    os->ops->process_name(os, to, n);
}
