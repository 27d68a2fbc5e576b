// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The directory driver: one file per object, one directory per class.
 *
 *   create   DIR/tmp/SALT-N is made, data is appended to it
 *   commit   its data is synced, then link(2) gives it its name: that is the create-if-absent,
 *            since link fails when the name is taken; then the directory is synced and the
 *            temporary name goes away
 *
 * So a name never shows a part of an object, and an object that commit acknowledged is there after
 * a power loss. The directory of a class is itself made durable before the first object in it.
 * A file is never written after it has its name. SALT is random per store, so that a sweep by the
 * holder of the lock cannot take its own work for a leftover. More reasons:
 * docs/notes/0012-how-objects-become-durable.md.
 */
#include <inttypes.h>
#include <stdio.h>

#include "store/store_dir.h"

/* An object that is being written. Confined. */
struct dir_sink {
    struct sink base;
    struct dir_store *store;
    struct store_name name;
    struct os_file *file;
    uint64_t written; /* bytes in the file; the rest of base.size is in the buffer */
    uint64_t hinted;  /* of them, those that the system was told to write */
    size_t buffered;
    bool failed;     /* by a write or commit: what is in the file is not certain */
    bool committed;  /* the temporary name is gone, or left for the sweep */
    char tmp[64];    /* name below the directory */
    uint8_t *buffer; /* DIR_BUFFER_SIZE, from the first write */
};

/* ------------------------------------------------------------------ directories */

static basin_status
dir_failure(struct store *store, basin_error *err)
{
    struct dir_store *s = (struct dir_store *)store;
    basin_status st = BASIN_OK;

    if (atomic_load(&s->poisoned)) {
        st = error_set(err, BASIN_IO, "%s: an earlier sync of a directory failed", s->dir);
        error_hint(err, "reopen the database");
    }
    return st;
}

/* A failed sync may leave a directory that looks clean and is not on disk, so that the next sync of
 * it succeeds: nothing is acknowledged any more. */
static basin_status
sync_dir(struct dir_store *s, const char *path, basin_error *err)
{
    basin_status st;

    TRY(dir_failure(&s->base, err));
    st = os_sync_dir(s->os, path, err);
    if (st != BASIN_OK && st != BASIN_NOT_FOUND)
        atomic_store(&s->poisoned, true);
out:
    return st;
}

static bool
class_is_known(const struct dir_store *s, const char *class_name) REQUIRES(s->mu)
{
    for (size_t i = 0; i < s->class_count; i++) {
        if (strcmp(s->classes[i], class_name) == 0)
            return true;
    }
    return false;
}

static basin_status
make_dir_if_absent(const struct dir_store *s, const char *path, basin_error *err)
{
    basin_status st = os_make_dir(s->os, path, err);

    if (st == BASIN_EXISTS) {
        error_clear(err);
        st = BASIN_OK;
    }
    return st;
}

/* Makes the directory and its entry durable. That it exists proves nothing: the process that made
 * it may have been killed before its sync. After a failed sync it is taken back, so that it is made
 * anew: otherwise the next process would find it, and its sync would have nothing to write. */
static basin_status
make_class(struct dir_store *s, const char *class_name, basin_error *err) REQUIRES(s->mu)
{
    char path[OS_PATH_MAX];
    basin_status st;

    TRY(dir_path(s, class_name, path, err));
    TRY(make_dir_if_absent(s, path, err));
    st = sync_dir(s, s->dir, err);
    if (st != BASIN_OK)
        (void)!os_remove_dir(s->os, path, NULL); /* unless something is in it */
    TRY(st);
    if (s->class_count < DIR_CLASSES_MAX)
        snprintf(s->classes[s->class_count++], sizeof s->classes[0], "%s", class_name);
out:
    return st;
}

static basin_status
make_salt(struct dir_store *s, basin_error *err) REQUIRES(s->mu)
{
    uint8_t raw[DIR_SALT_SIZE / 2];
    char path[OS_PATH_MAX];
    basin_status st;

    TRY(dir_path(s, "tmp", path, err));
    TRY(make_dir_if_absent(s, path, err)); /* no sync: what is in it is never needed */
    TRY(os_random(s->os, raw, sizeof raw, err));
    for (size_t i = 0; i < sizeof raw; i++)
        snprintf(s->salt + 2 * i, 3, "%02x", raw[i]);
out:
    return st;
}

/* What a create needs before its file: salt and directories. Gives the temporary name. */
static basin_status
prepare(struct dir_store *s, const char *class_name, char *tmp, size_t tmp_size, basin_error *err)
{
    basin_status st = BASIN_OK;

    os_mutex_lock(s->mu);
    if (!s->salt[0])
        TRY(make_salt(s, err));
    if (class_name[0] && !class_is_known(s, class_name))
        TRY(make_class(s, class_name, err));
    snprintf(tmp, tmp_size, "tmp/%s-%" PRIu64, s->salt, s->next_tmp++);
out:
    os_mutex_unlock(s->mu);
    return st;
}

/* ------------------------------------------------------------------ sink */

/* Appends to the file. Large objects are written back on the way, so that the sync at the end is
 * short and those of the log do not queue behind it. */
static basin_status
sink_write_file(struct dir_sink *k, const uint8_t *p, size_t n, basin_error *err)
{
    basin_status st = os_write(k->file, k->written, p, n, err);

    if (st != BASIN_OK)
        return st;
    k->written += n;
    if (k->written - k->hinted >= DIR_WRITE_BEHIND) {
        os_write_behind(k->file, k->hinted, k->written - k->hinted);
        k->hinted = k->written;
    }
    return BASIN_OK;
}

static basin_status
sink_flush(struct dir_sink *k, basin_error *err)
{
    basin_status st = BASIN_OK;

    if (k->buffered) {
        st = sink_write_file(k, k->buffer, k->buffered, err);
        k->buffered = 0;
    }
    return st;
}

static basin_status
sink_append(struct dir_sink *k, const uint8_t *p, size_t n, basin_error *err)
{
    size_t room = DIR_BUFFER_SIZE - k->buffered;
    basin_status st = BASIN_OK;

    if (!k->buffer) {
        k->buffer = k->store->mem->resize(k->store->mem->ctx, NULL, 0, DIR_BUFFER_SIZE);
        if (!k->buffer)
            FAIL(err, BASIN_NO_MEM, "%s: buffer of %d bytes: out of memory", k->name.full,
                 DIR_BUFFER_SIZE);
    }
    if (n > room) {
        TRY(sink_flush(k, err));
        room = DIR_BUFFER_SIZE;
    }
    if (n > room) { /* larger than the buffer: not copied */
        TRY(sink_write_file(k, p, n, err));
        goto out;
    }
    memcpy(k->buffer + k->buffered, p, n);
    k->buffered += n;
out:
    return st;
}

static basin_status
dir_sink_write(struct sink *sink, const void *p, size_t n, basin_error *err)
{
    struct dir_sink *k = (struct dir_sink *)sink;
    basin_status st = BASIN_OK;

    if (k->failed || k->committed)
        return error_set(err, BASIN_MISUSE, "%s: write after the end of a sink", k->name.full);
    if (n == 0)
        return BASIN_OK;
    st = sink_append(k, p, n, err);
    if (st == BASIN_OK)
        sink->size += n;
    else
        k->failed = true;
    return st;
}

/* Gives the synced file its name. When that cannot be made durable the name is taken back, so
 * that nobody builds on it. */
static basin_status
sink_publish(struct dir_sink *k, basin_error *err)
{
    struct dir_store *s = k->store;
    char tmp[OS_PATH_MAX], final[OS_PATH_MAX], dir[OS_PATH_MAX];
    basin_status st;

    TRY(dir_path(s, k->tmp, tmp, err));
    TRY(dir_path(s, k->name.full, final, err));
    if (k->name.class_name[0])
        TRY(dir_path(s, k->name.class_name, dir, err));
    st = os_link(s->os, tmp, final, err);
    if (st == BASIN_EXISTS)
        error_set(err, BASIN_EXISTS, "%s: exists", k->name.full);
    TRY(st);
    if (!PLANTED(OBJECT_NAME))
        st = sync_dir(s, k->name.class_name[0] ? dir : s->dir, err);
    if (st != BASIN_OK)
        (void)!os_unlink(s->os, final, NULL);
out:
    return st;
}

static bool
syncs_bytes(const struct dir_sink *k)
{
    return !(PLANTED(CHECKPOINT_DATA) && strcmp(k->name.class_name, "ckpt") == 0) &&
           !(PLANTED(STRATUM_DATA) && strcmp(k->name.class_name, "strata") == 0);
}

static basin_status
dir_sink_commit(struct sink *sink, basin_error *err)
{
    struct dir_sink *k = (struct dir_sink *)sink;
    char tmp[OS_PATH_MAX];
    basin_status st;

    if (k->failed || k->committed)
        return error_set(err, BASIN_MISUSE, "%s: commit after the end of a sink", k->name.full);
    k->failed = true;
    TRY(sink_flush(k, err));
    if (syncs_bytes(k))
        TRY(os_sync(k->file, true, err));
    TRY(sink_publish(k, err));
    k->failed = false;
    k->committed = true;
    /* the object is there; a temporary name that stays is the sweep's */
    if (dir_path(k->store, k->tmp, tmp, NULL) == BASIN_OK)
        (void)!os_unlink(k->store->os, tmp, NULL);
out:
    return st;
}

static void
dir_sink_free(struct sink *sink)
{
    struct dir_sink *k = (struct dir_sink *)sink;
    const basin_allocator *mem;
    char tmp[OS_PATH_MAX];

    if (!k)
        return;
    mem = k->store->mem;
    if (k->file && !k->committed && dir_path(k->store, k->tmp, tmp, NULL) == BASIN_OK)
        (void)!os_unlink(k->store->os, tmp, NULL);
    os_close(k->file);
    mem_free(mem, k->buffer, DIR_BUFFER_SIZE);
    mem_free(mem, k, sizeof *k);
}

static basin_status
dir_create(struct store *store, const char *name, struct sink **out, basin_error *err)
{
    static const struct sink_ops ops = { dir_sink_write, dir_sink_commit, dir_sink_free };
    struct dir_store *s = (struct dir_store *)store;
    struct dir_sink *k = NULL;
    char path[OS_PATH_MAX];
    basin_status st;

    if (s->read_only)
        FAIL(err, BASIN_READ_ONLY, "%s: the store is open for reading", name);
    k = mem_new(s->mem, sizeof *k);
    if (!k)
        FAIL(err, BASIN_NO_MEM, "%s: out of memory", name);
    k->base.ops = &ops;
    k->store = s;
    store__name_cut(&k->name, name);
    TRY(prepare(s, k->name.class_name, k->tmp, sizeof k->tmp, err));
    TRY(dir_path(s, k->tmp, path, err));
    TRY(os_open(s->os, path, OS_WRITE | OS_CREATE | OS_EXCLUSIVE, &k->file, err));
    *out = &k->base;
    k = NULL; /* given away */
out:
    if (k)
        dir_sink_free(&k->base);
    return st;
}

/* ------------------------------------------------------------------ names */

struct collect {
    struct buf *names;
    const char *skip; /* names that start so are left out; NULL = none */
    bool only_valid;  /* leave out what cannot be part of a name */
};

static basin_status
collect_name(void *ctx, const char *name, basin_error *err)
{
    struct collect *c = ctx;

    if (strlen(name) > STORE_NAME_MAX)
        return BASIN_OK; /* not ours */
    if (c->only_valid && !store__part_valid(name, strlen(name)))
        return BASIN_OK;
    if (c->skip && strncmp(name, c->skip, strlen(c->skip)) == 0)
        return BASIN_OK;
    return store__names_add(c->names, name, err);
}

/* A directory that does not exist has no names. */
static basin_status
collect_dir(struct dir_store *s, const char *path, struct collect *c, basin_error *err)
{
    basin_status st = os_list(s->os, path, collect_name, c, err);

    if (st == BASIN_NOT_FOUND) {
        error_clear(err);
        st = BASIN_OK;
    }
    return st;
}

static basin_status
list_one(struct dir_store *s, const char *dir, const char *name, store_list_fn *fn, void *ctx,
         basin_error *err)
{
    char path[OS_PATH_MAX];
    uint64_t size;
    basin_status st;

    TRY(os_join(path, dir, name, err));
    st = os_path_size(s->os, path, &size, err);
    if (st == BASIN_NOT_FOUND) { /* removed meanwhile, or a directory */
        error_clear(err);
        return BASIN_OK;
    }
    TRY(st);
    st = fn(ctx, name, size, err);
out:
    return st;
}

static basin_status
dir_list(struct store *store, const char *class_name, store_list_fn *fn, void *ctx,
         basin_error *err)
{
    struct dir_store *s = (struct dir_store *)store;
    struct buf names;
    struct collect c = { .names = &names, .only_valid = true };
    char path[OS_PATH_MAX];
    const char *dir = s->dir;
    basin_status st;

    buf_init(&names, s->mem);
    if (class_name[0]) {
        TRY(dir_path(s, class_name, path, err));
        dir = path;
    }
    TRY(collect_dir(s, dir, &c, err));
    store__names_sort(&names);
    for (size_t i = 0; i < store__names_count(&names); i++)
        TRY(list_one(s, dir, store__names_at(&names, i), fn, ctx, err));
out:
    buf_release(&names);
    return st;
}

static basin_status
dir_remove(struct store *store, const char *name, basin_error *err)
{
    struct dir_store *s = (struct dir_store *)store;
    char path[OS_PATH_MAX];
    basin_status st;

    if (s->read_only)
        FAIL(err, BASIN_READ_ONLY, "%s: the store is open for reading", name);
    TRY(dir_path(s, name, path, err));
    TRY(dir__keep_handles(s, name, err));
    TRY(os_unlink(s->os, path, err));
out:
    return st;
}

/* ------------------------------------------------------------------ sweep */

static basin_status
sweep_tmp(struct dir_store *s, struct buf *names, basin_error *err)
{
    char dir[OS_PATH_MAX], path[OS_PATH_MAX], own[DIR_SALT_SIZE + 1];
    struct collect c = { .names = names };
    basin_status st;

    os_mutex_lock(s->mu);
    memcpy(own, s->salt, sizeof own);
    os_mutex_unlock(s->mu);
    c.skip = own[0] ? own : NULL;
    TRY(dir_path(s, "tmp", dir, err));
    TRY(collect_dir(s, dir, &c, err));
    for (size_t i = 0; i < store__names_count(names); i++) {
        TRY(os_join(path, dir, store__names_at(names, i), err));
        st = os_unlink(s->os, path, err);
        if (st != BASIN_NOT_FOUND)
            TRY(st);
        error_clear(err);
    }
    st = BASIN_OK;
out:
    return st;
}

/* Every directory of a class, then the one that names them. */
static basin_status
sync_names(struct dir_store *s, struct buf *names, basin_error *err)
{
    struct collect c = { .names = names, .only_valid = true };
    char path[OS_PATH_MAX];
    basin_status st;

    TRY(collect_dir(s, s->dir, &c, err));
    for (size_t i = 0; i < store__names_count(names); i++) {
        TRY(dir_path(s, store__names_at(names, i), path, err));
        st = sync_dir(s, path, err);
        if (st != BASIN_NOT_FOUND) /* not a directory */
            TRY(st);
        error_clear(err);
    }
    TRY(sync_dir(s, s->dir, err));
out:
    return st;
}

static basin_status
dir_sweep(struct store *store, basin_error *err)
{
    struct dir_store *s = (struct dir_store *)store;
    struct buf names;
    basin_status st;

    buf_init(&names, s->mem);
    if (s->read_only)
        FAIL(err, BASIN_READ_ONLY, "store %s: open for reading", s->dir);
    TRY(sweep_tmp(s, &names, err));
    buf_clear(&names);
    if (!PLANTED(SWEEP_NAME))
        TRY(sync_names(s, &names, err));
out:
    buf_release(&names);
    return st;
}

/* ------------------------------------------------------------------ open, close */

static void
dir_close(struct store *store)
{
    struct dir_store *s = (struct dir_store *)store;

    must(!s->sources); /* every source is closed before */
    os_mutex_free(s->mu);
    mem_free(s->mem, s, sizeof *s + s->dir_size);
}

/* A quarter of what the process may have: the rest is the host's, other databases' and ours for
 * the files that are written. */
static size_t
handles_for_sources(struct os *os)
{
    uint64_t n = os_handle_limit(os) / 4;

    return (size_t)MAX_OF((uint64_t)DIR_HANDLES_MIN, MIN_OF(n, (uint64_t)DIR_HANDLES_MAX));
}

static void
dir_no_maps(struct store *store)
{
    ((struct dir_store *)store)->maps = false;
}

basin_status
store_open_dir(struct os *os, const char *dir, bool read_only, bool maps,
               const basin_allocator *mem, struct store **out, basin_error *err)
{
    static const struct store_ops ops = {
        .create = dir_create,
        .open = dir__open,
        .list = dir_list,
        .remove = dir_remove,
        .close = dir_close,
        .sweep = dir_sweep,
        .failure = dir_failure,
        .no_maps = dir_no_maps,
    };
    size_t dir_size = strlen(dir) + 1;
    struct dir_store *s = NULL;
    basin_status st;

    *out = NULL;
    if (dir_size + STORE_NAME_MAX + 1 > OS_PATH_MAX)
        FAIL(err, BASIN_LIMIT, "store: path of %zu bytes, at most %d", dir_size - 1,
             OS_PATH_MAX - STORE_NAME_MAX - 2);
    s = mem_new(mem, sizeof *s + dir_size);
    if (!s)
        FAIL(err, BASIN_NO_MEM, "store %s: out of memory", dir);
    s->base.ops = &ops;
    s->os = os;
    s->mem = mem;
    s->read_only = read_only;
    s->maps = maps && os->maps;
    s->handles_max = handles_for_sources(os);
    s->dir_size = dir_size;
    memcpy(s->dir, dir, dir_size);
    TRY(os_mutex_new(mem, STORE_LOCK_RANK, "directory store", &s->mu, err));
    *out = &s->base;
    s = NULL; /* given away */
out:
    if (s)
        dir_close(&s->base);
    return st;
}
