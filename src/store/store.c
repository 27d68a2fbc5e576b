// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The door of the room: checks names, hands on to the driver, and puts and gets whole small
 * objects through its sinks and sources. A driver never sees a name that is not valid.
 */
#include <inttypes.h>
#include <stdio.h>

#include "store/store_driver.h"

/* ------------------------------------------------------------------ names */

bool
store__part_valid(const char *part, size_t n)
{
    if (n == 0 || n > STORE_NAME_MAX)
        return false;
    for (size_t i = 0; i < n; i++) {
        char c = part[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
            return false;
    }
    return true;
}

static bool
is_reserved(const char *part, size_t n)
{
    return n == 3 && memcmp(part, "tmp", 3) == 0;
}

static basin_status
check_name(const char *name, basin_error *err)
{
    size_t n = strnlen(name, STORE_NAME_MAX + 1);
    const char *slash = memchr(name, '/', n);
    size_t first = slash ? (size_t)(slash - name) : n;

    if (n > STORE_NAME_MAX)
        return error_set(err, BASIN_LIMIT, "store: name %.40s...: over %d bytes", name,
                         STORE_NAME_MAX);
    if (!store__part_valid(name, first) || is_reserved(name, first) ||
        (slash && !store__part_valid(slash + 1, n - first - 1)))
        return error_set(err, BASIN_MISUSE, "store: name \"%s\" is not valid", name);
    return BASIN_OK;
}

static basin_status
check_class(const char *class_name, basin_error *err)
{
    size_t n = strnlen(class_name, STORE_NAME_MAX + 1);

    if (n == 0 || (store__part_valid(class_name, n) && !is_reserved(class_name, n)))
        return BASIN_OK;
    return error_set(err, BASIN_MISUSE, "store: class \"%.63s\" is not valid", class_name);
}

void
store__name_cut(struct store_name *to, const char *name)
{
    const char *slash = strchr(name, '/');
    size_t n = slash ? (size_t)(slash - name) : 0;

    must(strlen(name) <= STORE_NAME_MAX);
    memcpy(to->full, name, strlen(name) + 1);
    memcpy(to->class_name, name, n);
    to->class_name[n] = 0;
}

/* ------------------------------------------------------------------ lists of names */

enum { STORE_NAME_SIZE = STORE_NAME_MAX + 1 };

basin_status
store__names_add(struct buf *names, const char *name, basin_error *err)
{
    char record[STORE_NAME_SIZE] = { 0 };

    must(strlen(name) < sizeof record);
    memcpy(record, name, strlen(name));
    if (buf_add(names, record, sizeof record) != BASIN_OK)
        return error_set(err, BASIN_NO_MEM, "store: list of %zu names: out of memory",
                         store__names_count(names));
    return BASIN_OK;
}

static void
swap_names(struct buf *names, size_t a, size_t b)
{
    char keep[STORE_NAME_SIZE];
    uint8_t *x = names->data + a * STORE_NAME_SIZE, *y = names->data + b * STORE_NAME_SIZE;

    memcpy(keep, x, sizeof keep);
    memcpy(x, y, sizeof keep);
    memcpy(y, keep, sizeof keep);
}

/* Lets the name at `at` sink in the heap of the first n, largest on top. */
static void
sink_name(struct buf *names, size_t at, size_t n)
{
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= n)
            return;
        if (child + 1 < n &&
            strcmp(store__names_at(names, child), store__names_at(names, child + 1)) < 0)
            child++;
        if (strcmp(store__names_at(names, at), store__names_at(names, child)) >= 0)
            return;
        swap_names(names, at, child);
        at = child;
    }
}

/* Heap sort: in place, and not the C library's qsort, which may allocate. */
void
store__names_sort(struct buf *names)
{
    size_t n = store__names_count(names);

    for (size_t i = n / 2; i > 0; i--)
        sink_name(names, i - 1, n);
    for (; n > 1; n--) {
        swap_names(names, 0, n - 1);
        sink_name(names, 0, n - 1);
    }
}

size_t
store__names_count(const struct buf *names)
{
    return names->size / STORE_NAME_SIZE;
}

const char *
store__names_at(const struct buf *names, size_t i)
{
    must(i < store__names_count(names));
    return (const char *)names->data + i * STORE_NAME_SIZE;
}

basin_status
store__check_read(const struct source *s, uint64_t at, size_t n, basin_error *err)
{
    uint64_t end = n > UINT64_MAX - at ? UINT64_MAX : at + n;

    if (at <= s->size && n <= s->size - at)
        return BASIN_OK;
    return error_set(err, BASIN_CORRUPT,
                     "%s: ends at %" PRIu64 ", needed %" PRIu64 " (%zu bytes at %" PRIu64 ")",
                     s->name, s->size, end, n, at);
}

/* ------------------------------------------------------------------ the door */

basin_status
store_create(struct store *s, const char *name, struct sink **out, basin_error *err)
{
    basin_status st;

    *out = NULL;
    st = check_name(name, err);
    return st == BASIN_OK ? s->ops->create(s, name, out, err) : st;
}

basin_status
store_open(struct store *s, const char *name, struct source **out, basin_error *err)
{
    basin_status st;

    *out = NULL;
    st = check_name(name, err);
    return st == BASIN_OK ? s->ops->open(s, name, out, err) : st;
}

basin_status
store_list(struct store *s, const char *class_name, store_list_fn *fn, void *ctx, basin_error *err)
{
    basin_status st = check_class(class_name, err);

    return st == BASIN_OK ? s->ops->list(s, class_name, fn, ctx, err) : st;
}

basin_status
store_remove(struct store *s, const char *name, basin_error *err)
{
    basin_status st = check_name(name, err);

    return st == BASIN_OK ? s->ops->remove(s, name, err) : st;
}

void
store_close(struct store *s)
{
    if (s)
        s->ops->close(s);
}

basin_status
store_sweep(struct store *s, basin_error *err)
{
    return s->ops->sweep ? s->ops->sweep(s, err) : BASIN_OK;
}

basin_status
store_failure(struct store *s, basin_error *err)
{
    return s->ops->failure ? s->ops->failure(s, err) : BASIN_OK;
}

void
store_no_maps(struct store *s)
{
    if (s->ops->no_maps != NULL)
        s->ops->no_maps(s);
}

basin_status
store_put(struct store *s, const char *name, struct bytes data, basin_error *err)
{
    struct sink *sink = NULL;
    basin_status st;

    TRY(store_create(s, name, &sink, err));
    TRY(sink->ops->write(sink, data.data, data.size, err));
    TRY(sink->ops->commit(sink, err));
out:
    if (sink)
        sink->ops->free(sink);
    return st;
}

basin_status
store_get(struct store *s, const char *name, size_t size_max, struct buf *to, basin_error *err)
{
    struct source *source = NULL;
    basin_status st;
    size_t n;

    TRY(store_open(s, name, &source, err));
    if (source->size > size_max)
        FAIL(err, BASIN_LIMIT, "%s: %" PRIu64 " bytes, at most %zu", source->name, source->size,
             size_max);
    n = (size_t)source->size;
    if (n == 0)
        goto out;
    if (buf_reserve(to, n) != BASIN_OK)
        FAIL(err, BASIN_NO_MEM, "%s: %zu bytes: out of memory", source->name, n);
    TRY(source->ops->read(source, 0, to->data + to->size, n, err));
    to->size += n;
out:
    if (source)
        source->ops->close(source);
    return st;
}
