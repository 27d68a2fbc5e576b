// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The memory driver: objects in one array sorted by name. It lives as long as its store and never
 * touches a file; strata opened from bytes and tests use it.
 * An object is immutable once published and counted by its readers, so that remove disturbs none.
 */
#include <stdio.h>

#include "store/store_driver.h"

struct memory_object {
    char name[STORE_NAME_MAX + 1];
    size_t refs; /* the table and the open sources; guarded by the store's mutex */
    struct buf data;
};

struct memory_store {
    struct store base;
    const basin_allocator *mem;
    struct os_mutex *mu;
    struct memory_object **objects; /* GUARDED(mu), by name */
    size_t count;                   /* GUARDED(mu) */
    size_t capacity;                /* GUARDED(mu) */
};

struct object_sink {
    struct sink base;
    struct memory_store *store;
    struct memory_object *object; /* NULL once published */
    bool failed;
};

struct object_source {
    struct source base;
    struct memory_store *store;
    struct memory_object *object;
};

/* First place whose name is not below `name`. */
static size_t
find_place(const struct memory_store *s, const char *name) REQUIRES(s->mu)
{
    size_t low = 0, high = s->count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (strcmp(s->objects[mid]->name, name) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static bool
is_at(const struct memory_store *s, size_t place, const char *name) REQUIRES(s->mu)
{
    return place < s->count && strcmp(s->objects[place]->name, name) == 0;
}

static void
object_unref(struct memory_store *s, struct memory_object *o) REQUIRES(s->mu)
{
    must(o->refs > 0);
    if (--o->refs > 0)
        return;
    buf_release(&o->data);
    mem_free(s->mem, o, sizeof *o);
}

/* ------------------------------------------------------------------ sink */

static basin_status
object_sink_write(struct sink *sink, const void *p, size_t n, basin_error *err)
{
    struct object_sink *k = (struct object_sink *)sink;

    if (k->failed || !k->object)
        return error_set(err, BASIN_MISUSE, "store: write after the end of a sink");
    if (n && buf_add(&k->object->data, p, n) != BASIN_OK) {
        k->failed = true;
        return error_set(err, BASIN_NO_MEM, "%s: %zu more bytes: out of memory", k->object->name,
                         n);
    }
    sink->size += n;
    return BASIN_OK;
}

static basin_status
grow_table(struct memory_store *s, basin_error *err) REQUIRES(s->mu)
{
    size_t capacity = s->capacity ? s->capacity * 2 : 16;
    void *p;

    if (s->count < s->capacity)
        return BASIN_OK;
    p = s->mem->resize(s->mem->ctx, s->objects, s->capacity * sizeof *s->objects,
                       capacity * sizeof *s->objects);
    if (!p)
        return error_set(err, BASIN_NO_MEM, "store: %zu objects: out of memory", capacity);
    s->objects = p;
    s->capacity = capacity;
    return BASIN_OK;
}

static basin_status
publish(struct memory_store *s, struct memory_object *o, basin_error *err) REQUIRES(s->mu)
{
    size_t place = find_place(s, o->name);
    basin_status st;

    if (is_at(s, place, o->name))
        FAIL(err, BASIN_EXISTS, "%s: exists", o->name);
    TRY(grow_table(s, err));
    memmove(s->objects + place + 1, s->objects + place, (s->count - place) * sizeof *s->objects);
    s->objects[place] = o;
    s->count++;
out:
    return st;
}

static basin_status
object_sink_commit(struct sink *sink, basin_error *err)
{
    struct object_sink *k = (struct object_sink *)sink;
    basin_status st;

    if (k->failed || !k->object)
        return error_set(err, BASIN_MISUSE, "store: commit after the end of a sink");
    os_mutex_lock(k->store->mu);
    st = publish(k->store, k->object, err);
    os_mutex_unlock(k->store->mu);
    if (st == BASIN_OK)
        k->object = NULL; /* given away */
    else
        k->failed = true;
    return st;
}

static void
object_sink_free(struct sink *sink)
{
    struct object_sink *k = (struct object_sink *)sink;
    const basin_allocator *mem;

    if (!k)
        return;
    mem = k->store->mem;
    if (k->object) {
        buf_release(&k->object->data);
        mem_free(mem, k->object, sizeof *k->object);
    }
    mem_free(mem, k, sizeof *k);
}

static basin_status
memory_create(struct store *store, const char *name, struct sink **out, basin_error *err)
{
    static const struct sink_ops ops = { object_sink_write, object_sink_commit, object_sink_free };
    struct memory_store *s = (struct memory_store *)store;
    struct object_sink *k = mem_new(s->mem, sizeof *k);
    struct memory_object *o = mem_new(s->mem, sizeof *o);

    if (!k || !o) {
        mem_free(s->mem, k, sizeof *k);
        mem_free(s->mem, o, sizeof *o);
        return error_set(err, BASIN_NO_MEM, "%s: out of memory", name);
    }
    snprintf(o->name, sizeof o->name, "%s", name);
    o->refs = 1;
    buf_init(&o->data, s->mem);
    k->base.ops = &ops;
    k->store = s;
    k->object = o;
    *out = &k->base;
    return BASIN_OK;
}

/* ------------------------------------------------------------------ source */

static basin_status
object_source_read(struct source *source, uint64_t at, void *to, size_t n, basin_error *err)
{
    struct object_source *r = (struct object_source *)source;
    basin_status st = store__check_read(source, at, n, err);

    if (st == BASIN_OK && n)
        memcpy(to, r->object->data.data + at, n);
    return st;
}

static const uint8_t *
object_source_map(struct source *source)
{
    return ((struct object_source *)source)->object->data.data;
}

static void
object_source_close(struct source *source)
{
    struct object_source *r = (struct object_source *)source;

    if (!r)
        return;
    os_mutex_lock(r->store->mu);
    object_unref(r->store, r->object);
    os_mutex_unlock(r->store->mu);
    mem_free(r->store->mem, r, sizeof *r);
}

static basin_status
memory_open(struct store *store, const char *name, struct source **out, basin_error *err)
{
    static const struct source_ops ops = { object_source_read, object_source_map,
                                           object_source_close };
    struct memory_store *s = (struct memory_store *)store;
    struct object_source *r = mem_new(s->mem, sizeof *r);
    struct memory_object *o = NULL;
    size_t place;

    if (!r)
        return error_set(err, BASIN_NO_MEM, "%s: out of memory", name);
    os_mutex_lock(s->mu);
    place = find_place(s, name);
    if (is_at(s, place, name)) {
        o = s->objects[place];
        o->refs++;
    }
    os_mutex_unlock(s->mu);
    if (!o) {
        mem_free(s->mem, r, sizeof *r);
        return error_set(err, BASIN_NOT_FOUND, "%s: no such object", name);
    }
    r->base.ops = &ops;
    r->base.size = o->data.size;
    snprintf(r->base.name, sizeof r->base.name, "%s", name);
    r->store = s;
    r->object = o;
    *out = &r->base;
    return BASIN_OK;
}

/* ------------------------------------------------------------------ names */

static bool
in_class(const char *name, const char *class_name, size_t n)
{
    if (n == 0)
        return !strchr(name, '/');
    return strncmp(name, class_name, n) == 0 && name[n] == '/';
}

/* The names of a class and their sizes, taken together, so that fn may call the store again. */
static basin_status
collect(struct memory_store *s, const char *class_name, struct buf *names, struct buf *sizes,
        basin_error *err) REQUIRES(s->mu)
{
    size_t n = strlen(class_name);
    basin_status st = BASIN_OK;

    for (size_t i = 0; i < s->count && st == BASIN_OK; i++) {
        const struct memory_object *o = s->objects[i];
        uint64_t size = o->data.size;
        if (!in_class(o->name, class_name, n))
            continue;
        st = store__names_add(names, o->name + (n ? n + 1 : 0), err);
        if (st == BASIN_OK && buf_add(sizes, &size, sizeof size) != BASIN_OK)
            st = error_set(err, BASIN_NO_MEM, "store: list: out of memory");
    }
    return st;
}

static basin_status
memory_list(struct store *store, const char *class_name, store_list_fn *fn, void *ctx,
            basin_error *err)
{
    struct memory_store *s = (struct memory_store *)store;
    struct buf names, sizes;
    basin_status st;

    buf_init(&names, s->mem);
    buf_init(&sizes, s->mem);
    os_mutex_lock(s->mu);
    st = collect(s, class_name, &names, &sizes, err);
    os_mutex_unlock(s->mu);
    for (size_t i = 0; i < store__names_count(&names) && st == BASIN_OK; i++)
        st = fn(ctx, store__names_at(&names, i), load_u64(sizes.data + i * sizeof(uint64_t)), err);
    buf_release(&names);
    buf_release(&sizes);
    return st;
}

static basin_status
memory_remove(struct store *store, const char *name, basin_error *err)
{
    struct memory_store *s = (struct memory_store *)store;
    basin_status st = BASIN_OK;
    size_t place;

    os_mutex_lock(s->mu);
    place = find_place(s, name);
    if (is_at(s, place, name)) {
        object_unref(s, s->objects[place]);
        s->count--;
        memmove(s->objects + place, s->objects + place + 1,
                (s->count - place) * sizeof *s->objects);
    } else {
        st = error_set(err, BASIN_NOT_FOUND, "%s: no such object", name);
    }
    os_mutex_unlock(s->mu);
    return st;
}

static void
memory_close(struct store *store)
{
    struct memory_store *s = (struct memory_store *)store;

    for (size_t i = 0; i < s->count; i++) {
        must(s->objects[i]->refs == 1); /* no source is open */
        object_unref(s, s->objects[i]);
    }
    mem_free(s->mem, s->objects, s->capacity * sizeof *s->objects);
    os_mutex_free(s->mu);
    mem_free(s->mem, s, sizeof *s);
}

basin_status
store_open_memory(const basin_allocator *mem, struct store **out, basin_error *err)
{
    static const struct store_ops ops = {
        .create = memory_create,
        .open = memory_open,
        .list = memory_list,
        .remove = memory_remove,
        .close = memory_close,
    };
    struct memory_store *s = mem_new(mem, sizeof *s);
    basin_status st;

    *out = NULL;
    if (!s)
        return error_set(err, BASIN_NO_MEM, "store: out of memory");
    s->base.ops = &ops;
    s->mem = mem;
    st = os_mutex_new(mem, STORE_LOCK_RANK, "memory store", &s->mu, err);
    if (st != BASIN_OK) {
        mem_free(mem, s, sizeof *s);
        return st;
    }
    *out = &s->base;
    return BASIN_OK;
}
