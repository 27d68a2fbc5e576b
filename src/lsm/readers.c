// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The reader table: how processes that share a database tell one another what is committed and
 * what is still needed. docs/format/readers.md is the law; reader.c is the reading process.
 *
 * Nothing here is ever synced: the table means something only while processes live. A slot belongs
 * to whoever holds the lock on its byte, and the system drops that lock at death, so that nobody
 * has to be found dead by its number.
 *
 * Deleting: the writer publishes the edit that retires an object, then scans the slots; a reader
 * marks its slot, then reads what is published. All of it is sequentially consistent: either the
 * writer sees the slot, or the reader sees the edit.
 */
#include <stdio.h>

#include "lsm/formats.h"
#include "lsm/readers.h"

enum {
    AT_VERSION = 8,
    AT_DATABASE = 16,
    AT_HASH = 56,
    AT_SEQUENCE = 64,
    AT_GENERATION = 72,
    AT_KEPT = 80,
    AT_SLOT_COUNT = 88,
    AT_COPIES = 128, /* two, of 64 bytes */
    COPY_SIZE = 64,
    SLOT_USED = 0,
    SLOT_EPOCH = 8,
    SLOT_PLACE = 16,
    SLOT_SEQNO = 24,
    SLOT_PROCESS = 32,
    SLOT_OPENED = 40,
    SLOT_NAME = 64,
    INIT_WAIT_MS = 5000
};

static uint64_t
load_at(struct os_map *m, uint64_t at)
{
    return os_map_load_u64(m, (size_t)at);
}

static void
store_at(struct os_map *m, uint64_t at, uint64_t v)
{
    os_map_store_u64(m, (size_t)at, v);
}

/* ------------------------------------------------------------------ the file */

static uint64_t
size_for(uint64_t slots)
{
    return READERS_HEADER_SIZE + slots * READERS_SLOT_SIZE;
}

static void
make_static(const struct lsm *db, uint8_t h[AT_SEQUENCE])
{
    memset(h, 0, AT_SEQUENCE);
    memcpy(h, READERS_MAGIC, 8);
    store_u32(h + AT_VERSION, READERS_VERSION);
    store_u64(h + AT_DATABASE, db->database_id[0]);
    store_u64(h + AT_DATABASE + 8, db->database_id[1]);
    store_u64(h + AT_HASH, hash64(h, AT_HASH, 0));
}

static bool
is_ours(const struct readers *t)
{
    uint8_t want[AT_SEQUENCE], have[AT_SEQUENCE];

    make_static(t->db, want);
    for (size_t i = 0; i < AT_SEQUENCE; i += 8)
        store_u64(have + i, load_at(t->header, i));
    return memcmp(want, have, AT_SEQUENCE) == 0;
}

/* Only one process at a time makes or grows the table. */
static basin_status
lock_init(struct readers *t, basin_error *err)
{
    basin_status st;
    struct os *os = t->db->os;

    for (unsigned waited = 0;; waited++) {
        st = os_lock(t->file, READERS_INIT_LOCK_AT, 1, OS_LOCK_EXCLUSIVE, err);
        if (st != BASIN_BUSY || waited == INIT_WAIT_MS)
            return st;
        os->ops->sleep_ns(os, 1000000);
    }
}

static void
unlock_init(struct readers *t)
{
    (void)!os_unlock(t->file, READERS_INIT_LOCK_AT, 1, NULL);
}

/* A foreign or damaged header is made anew; slots need no cleaning (R1). */
static void
make_header(struct readers *t, uint64_t slots)
{
    uint8_t h[READERS_HEADER_SIZE] = { 0 };

    make_static(t->db, h);
    store_u64(h + AT_SLOT_COUNT, slots);
    os_map_write(t->header, 0, h, sizeof(h));
}

/* Slots that the file has, whatever its header says. */
static uint64_t
slots_in(uint64_t size)
{
    uint64_t slots =
        size < READERS_HEADER_SIZE ? 0 : (size - READERS_HEADER_SIZE) / READERS_SLOT_SIZE;

    return MIN_OF(slots, (uint64_t)READERS_SLOTS_MAX);
}

static basin_status
table_init(struct readers *t, basin_error *err)
{
    basin_status st;
    uint64_t size, slots;

    TRY(lock_init(t, err));
    st = os_size(t->file, &size, err);
    slots = MAX_OF(slots_in(size), (uint64_t)READERS_SLOTS_START);
    if (st == BASIN_OK)
        st = os_allocate(t->file, size_for(slots), err);
    if (st == BASIN_OK)
        st = os_map(t->file, 0, READERS_HEADER_SIZE, true, &t->header, err);
    if (st == BASIN_OK && !is_ours(t))
        make_header(t, slots);
    else if (st == BASIN_OK && load_at(t->header, AT_SLOT_COUNT) != slots)
        store_at(t->header, AT_SLOT_COUNT, slots);
    unlock_init(t);
    TRY(st);
    TRY(os_map(t->file, READERS_HEADER_SIZE, (size_t)(slots * READERS_SLOT_SIZE), t->writable,
               &t->slots, err));
    t->slot_count = slots;
out:
    return st;
}

/* Without the right to write. *ours is false when the table is not usable: too short, not ours. */
static basin_status
table_look(struct readers *t, bool *ours, basin_error *err)
{
    basin_status st;
    uint64_t size;

    *ours = false;
    TRY(os_size(t->file, &size, err));
    if (size < size_for(1))
        goto out;
    TRY(os_map(t->file, 0, READERS_HEADER_SIZE, false, &t->header, err));
    *ours = is_ours(t);
    t->slot_count = slots_in(size);
    TRY(os_map(t->file, READERS_HEADER_SIZE, (size_t)(t->slot_count * READERS_SLOT_SIZE), false,
               &t->slots, err));
out:
    return st;
}

basin_status
lsm__table_open(struct lsm *db, struct readers **out, basin_error *err)
{
    basin_status st;
    char path[PATH_SIZE_MAX + 16];
    struct readers *t = mem_new(db->mem, sizeof(*t));
    bool ours = true;

    *out = NULL;
    if (t == NULL)
        FAIL(err, BASIN_NO_MEM, "no memory for the reader table");
    t->db = db;
    TRY(os_mutex_new(db->mem, LOCK_RANK_READERS, "readers", &t->mu, err));
    (void)snprintf(path, sizeof(path), "%s/readers", db->path);
    st = os_open(db->os, path, OS_WRITE | OS_CREATE, &t->file, err);
    t->writable = st == BASIN_OK;
    if (t->writable)
        TRY(table_init(t, err));
    if (st == BASIN_READ_ONLY && db->o.read_only) {
        st = os_open(db->os, path, OS_READ, &t->file, err);
        if (st == BASIN_OK)
            TRY(table_look(t, &ours, err));
        if (st == BASIN_NOT_FOUND || st == BASIN_READ_ONLY || !ours) {
            st = BASIN_OK; /* no table: the caller sees */
            goto out;
        }
    }
    TRY(st);
    *out = t;
    t = NULL;
out:
    lsm__table_close(t);
    return st;
}

void
lsm__table_close(struct readers *t)
{
    if (t == NULL)
        return;
    os_unmap(t->own);
    os_unmap(t->slots);
    os_unmap(t->header);
    os_close(t->file); /* drops the slot's lock */
    os_mutex_free(t->mu);
    mem_free(t->db->mem, t, sizeof(*t));
}

void
lsm__readers_close(struct lsm *db)
{
    lsm__table_close(db->readers);
    db->readers = NULL;
}

void
lsm__readers_let_go(struct lsm *db)
{
    if (db->readers == NULL)
        return;
    os_close(db->readers->file);
    db->readers->file = NULL;
}

/* ------------------------------------------------------------------ the header */

bool
lsm__table_header(const struct readers *t, struct readers_header *h)
{
    for (unsigned tries = 0; tries < 1000; tries++) {
        *h = (struct readers_header){ .sequence = load_at(t->header, AT_SEQUENCE),
                                      .generation = load_at(t->header, AT_GENERATION) };
        uint64_t copy = AT_COPIES + (h->sequence & 1) * COPY_SIZE;
        h->end.epoch = load_at(t->header, copy);
        h->end.at = load_at(t->header, copy + 8);
        h->seqno = load_at(t->header, copy + 16);
        h->durable = load_at(t->header, copy + 24);
        h->ready = h->generation % 2 == 0 && h->end.epoch != 0;
        if (load_at(t->header, AT_SEQUENCE) == h->sequence &&
            load_at(t->header, AT_GENERATION) == h->generation)
            return true;
    }
    return false;
}

uint64_t
lsm__table_sequence(const struct readers *t)
{
    return load_at(t->header, AT_SEQUENCE);
}

uint64_t
lsm__table_kept(const struct readers *t)
{
    return load_at(t->header, AT_KEPT);
}

/* Two copies in turn: a writer that dies in the middle leaves the last one whole. */
static void
publish(struct readers *t, struct place end, uint64_t seqno, uint64_t durable)
{
    uint64_t copy = AT_COPIES + ((t->sequence + 1) & 1) * COPY_SIZE;

    store_at(t->header, copy, end.epoch);
    store_at(t->header, copy + 8, end.at);
    store_at(t->header, copy + 16, seqno);
    store_at(t->header, copy + 24, durable);
    store_at(t->header, AT_SEQUENCE, ++t->sequence);
    t->end = end;
    t->seqno = seqno;
    t->durable = durable;
}

void
lsm__readers_publish(struct lsm *db)
{
    struct readers *t = db->readers;
    struct place end = { db->log->epoch, db->log->end };
    uint64_t durable = atomic_load_explicit(&db->durable, memory_order_acquire);

    if (t != NULL &&
        (place_compare(end, t->end) != 0 || t->seqno != db->last_seqno || t->durable != durable))
        publish(t, end, db->last_seqno, durable);
}

/* Readers that look from now on know that a writer is recovering. */
basin_status
lsm__readers_open_writer(struct lsm *db, basin_error *err)
{
    basin_status st = BASIN_OK;
    uint64_t generation;

    if (!db->os->maps)
        goto out;
    TRY(lsm__table_open(db, &db->readers, err));
    generation = load_at(db->readers->header, AT_GENERATION);
    store_at(db->readers->header, AT_GENERATION, (generation | 1) + (generation & 1) * 2);
    db->readers->sequence = load_at(db->readers->header, AT_SEQUENCE);
out:
    return st;
}

void
lsm__readers_ready(struct lsm *db)
{
    struct readers *t = db->readers;

    if (t == NULL)
        return;
    store_at(t->header, AT_KEPT, MIN_OF(db->manifest.replay_from.epoch, db->checkpoint.epoch));
    publish(t, (struct place){ db->log->epoch, db->log->end }, db->last_seqno,
            atomic_load_explicit(&db->durable, memory_order_acquire));
    store_at(t->header, AT_GENERATION, load_at(t->header, AT_GENERATION) + 1);
}

void
lsm__readers_keep(struct lsm *db, uint64_t epoch)
{
    struct readers *t = db->readers;

    if (t != NULL && load_at(t->header, AT_KEPT) < epoch)
        store_at(t->header, AT_KEPT, epoch);
}

/* ------------------------------------------------------------------ scanning the slots */

/* Maps what another process added. REQUIRES(t->mu) */
static basin_status
map_more(struct readers *t, basin_error *err)
{
    basin_status st = BASIN_OK;
    uint64_t size, slots = load_at(t->header, AT_SLOT_COUNT);
    struct os_map *more;

    if (slots <= t->slot_count || slots > READERS_SLOTS_MAX)
        goto out;
    TRY(os_size(t->file, &size, err));
    slots = MIN_OF(slots, slots_in(size));
    if (slots <= t->slot_count)
        goto out;
    TRY(os_map(t->file, READERS_HEADER_SIZE, (size_t)(slots * READERS_SLOT_SIZE), t->writable,
               &more, err));
    os_unmap(t->slots);
    t->slots = more;
    t->slot_count = slots;
out:
    return st;
}

static bool
is_held(struct readers *t, uint64_t from, uint64_t count)
{
    if (t->has_slot && from <= t->slot && t->slot < from + count)
        return true;
    return os_test_lock(t->file, READERS_SLOT_LOCK_AT + from, count, OS_LOCK_EXCLUSIVE, NULL) !=
           BASIN_OK; /* one that cannot be tested counts as held */
}

/* What a slot says. */
struct slot {
    uint64_t index;
    struct place place;
    uint64_t seqno, process, opened_ms;
    char name[READERS_NAME_SIZE];
};

static void
read_slot(struct readers *t, uint64_t i, struct slot *s)
{
    uint64_t at = i * READERS_SLOT_SIZE;

    s->index = i;
    s->place.epoch = load_at(t->slots, at + SLOT_EPOCH); /* before `at`: see lsm__slot_place */
    s->place.at = load_at(t->slots, at + SLOT_PLACE);
    s->seqno = load_at(t->slots, at + SLOT_SEQNO);
    s->process = load_at(t->slots, at + SLOT_PROCESS);
    s->opened_ms = load_at(t->slots, at + SLOT_OPENED);
    for (size_t k = 0; k < READERS_NAME_SIZE; k += 8)
        store_u64((uint8_t *)s->name + k, load_at(t->slots, at + SLOT_NAME + k));
    s->name[READERS_NAME_SIZE - 1] = 0;
}

/* Calls fn for each held slot, until it returns false. False when not all could be seen. */
typedef bool slot_fn(void *ctx, const struct slot *s);
static bool
scan(struct readers *t, slot_fn *fn, void *ctx)
{
    struct slot s;
    bool all = true;

    os_mutex_lock(t->mu);
    for (uint64_t i = 0;; i++) {
        if (i == t->slot_count && (map_more(t, NULL) != BASIN_OK || i == t->slot_count)) {
            all = i >= load_at(t->header, AT_SLOT_COUNT);
            break;
        }
        if (load_at(t->slots, i * READERS_SLOT_SIZE + SLOT_USED) == 0)
            break;
        if (i == 0 && !is_held(t, 0, READERS_SLOTS_MAX))
            break;
        if (!is_held(t, i, 1))
            continue;
        read_slot(t, i, &s);
        if (!fn(ctx, &s))
            break;
    }
    os_mutex_unlock(t->mu);
    return all;
}

static bool
take_oldest(void *ctx, const struct slot *s)
{
    struct place *oldest = ctx;

    if (place_compare(s->place, *oldest) < 0)
        *oldest = s->place;
    return true;
}

struct place
lsm__readers_oldest(struct lsm *db)
{
    struct place oldest = { UINT64_MAX, 0 };

    if (db->readers != NULL && !scan(db->readers, take_oldest, &oldest))
        oldest = (struct place){ 0, 0 };
    return oldest;
}

static bool
count_slot(void *ctx, const struct slot *s)
{
    (void)s;
    (*(uint64_t *)ctx)++;
    return true;
}

uint64_t
lsm__readers_count(struct lsm *db)
{
    uint64_t count = 0;

    if (db->readers != NULL) {
        (void)scan(db->readers, count_slot, &count);
        count -= db->readers->has_slot;
    }
    return count;
}

/* ------------------------------------------------------------------ the own slot */

/*
 * The place of the oldest version that is alive here. Two words that are read apart, epoch first:
 * at every moment what can be read of them is not newer than what is meant (R3).
 */
void
lsm__slot_place(struct readers *t, struct place p)
{
    if (load_at(t->own, SLOT_EPOCH) != p.epoch) {
        store_at(t->own, SLOT_PLACE, 0);
        store_at(t->own, SLOT_EPOCH, p.epoch);
    }
    store_at(t->own, SLOT_PLACE, p.at);
}

void
lsm__slot_opening(struct readers *t)
{
    store_at(t->own, SLOT_EPOCH, 0);
    store_at(t->own, SLOT_PLACE, 0);
}

void
lsm__slot_seqno(struct readers *t, uint64_t seqno)
{
    store_at(t->own, SLOT_SEQNO, seqno);
}

static void
fill_slot(struct readers *t, const char *name)
{
    struct os *os = t->db->os;
    char text[256] = { 0 };
    size_t n;

    lsm__slot_opening(t);
    if (name != NULL)
        (void)snprintf(text, sizeof(text), "%s", name);
    else
        os->ops->process_name(os, text, sizeof(text));
    n = strlen(text);
    memset(text + n, 0, sizeof(text) - n);
    store_at(t->own, SLOT_SEQNO, 0);
    store_at(t->own, SLOT_PROCESS, os->ops->process_id(os));
    store_at(t->own, SLOT_OPENED, os->ops->wall_ms(os));
    text[READERS_NAME_SIZE - 1] = 0;
    for (size_t k = 0; k < READERS_NAME_SIZE; k += 8)
        store_at(t->own, SLOT_NAME + k, load_u64((const uint8_t *)text + k));
}

/* Slot i is locked by this handle now. */
static basin_status
adopt_slot(struct readers *t, uint64_t i, const char *name, basin_error *err)
{
    basin_status st;

    TRY(os_map(t->file, size_for(i), READERS_SLOT_SIZE, true, &t->own, err));
    fill_slot(t, name);
    for (uint64_t k = 0; k <= i; k++) /* (R2) */
        if (load_at(t->slots, k * READERS_SLOT_SIZE + SLOT_USED) == 0)
            store_at(t->slots, k * READERS_SLOT_SIZE + SLOT_USED, 1);
    t->slot = i;
    t->has_slot = true;
out:
    return st;
}

/* Doubles the table, unless somebody else just did. */
static basin_status
table_grow(struct readers *t, basin_error *err)
{
    basin_status st;
    uint64_t slots;

    TRY(lock_init(t, err));
    slots = t->slot_count;
    if (load_at(t->header, AT_SLOT_COUNT) == slots) {
        st = os_allocate(t->file, size_for(slots * 2), err);
        if (st == BASIN_OK)
            store_at(t->header, AT_SLOT_COUNT, slots * 2);
    }
    unlock_init(t);
    TRY(st);
    TRY(map_more(t, err));
    if (t->slot_count == slots)
        FAIL(err, BASIN_CORRUPT, "readers: the table does not grow beyond %llu slots",
             (unsigned long long)slots);
out:
    return st;
}

static bool
name_holder(void *ctx, const struct slot *s)
{
    struct buf *names = ctx;

    return names->size < 160 &&
           buf_add(names, names->size ? ", " : "", names->size ? 2 : 0) == BASIN_OK &&
           buf_add(names, s->name, strlen(s->name)) == BASIN_OK;
}

static basin_status
table_full(struct readers *t, basin_error *err)
{
    struct buf names;
    basin_status st;

    buf_init(&names, t->db->mem);
    (void)scan(t, name_holder, &names);
    st = error_set(err, BASIN_LIMIT, "%d readers have the database open, among them %.*s",
                   READERS_SLOTS_MAX, (int)names.size, names.data ? (const char *)names.data : "");
    error_hint(err, "close some of them");
    buf_release(&names);
    return st;
}

basin_status
lsm__table_take_slot(struct readers *t, const char *name, basin_error *err)
{
    basin_status st;

    for (uint64_t i = 0; i < READERS_SLOTS_MAX; i++) {
        if (i == t->slot_count) {
            os_mutex_lock(t->mu);
            st = table_grow(t, err);
            os_mutex_unlock(t->mu);
            TRY(st);
        }
        st = os_lock(t->file, READERS_SLOT_LOCK_AT + i, 1, OS_LOCK_EXCLUSIVE, err);
        if (st == BASIN_OK)
            TRY(adopt_slot(t, i, name, err));
        if (st != BASIN_BUSY)
            goto out;
    }
    st = table_full(t, err);
out:
    return st;
}

/* ------------------------------------------------------------------ who reads */

/* Bytes that nobody but readers at `place` or before still needs. */
static uint64_t
held_bytes(struct lsm *db, struct place place)
{
    uint64_t bytes = 0;

    os_mutex_lock(db->mu);
    for (size_t i = 0; i < db->value_count; i++)
        if (db->values[i].dead.epoch != 0 && place_compare(place, db->values[i].dead) < 0)
            bytes += db->values[i].size;
    os_mutex_lock(db->dead_mu);
    for (const struct lsm_stratum *s = db->dead; s; s = s->next) {
        struct place retired = { s->retired_epoch, s->retired_at };
        if (place_compare(place, retired) < 0)
            bytes += s->size;
    }
    os_mutex_unlock(db->dead_mu);
    os_mutex_unlock(db->mu);
    return bytes;
}

struct slot_list {
    const basin_allocator *mem;
    struct slot *slots;
    size_t count, capacity;
    bool failed;
};

static bool
add_slot(void *ctx, const struct slot *s)
{
    struct slot_list *l = ctx;
    struct slot *more;

    if (l->count == l->capacity) {
        more = l->mem->resize(l->mem->ctx, l->slots, l->capacity * sizeof(*more),
                              (l->capacity + 64) * sizeof(*more));
        l->failed = more == NULL;
        if (l->failed)
            return false;
        l->slots = more;
        l->capacity += 64;
    }
    l->slots[l->count++] = *s;
    return true;
}

basin_status
lsm_reader_list(struct lsm *db, lsm_reader_fn *fn, void *ctx, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct slot_list l = { .mem = db->mem };

    if (db->readers == NULL)
        goto out;
    (void)scan(db->readers, add_slot, &l);
    if (l.failed)
        FAIL(err, BASIN_NO_MEM, "no memory for a list of %zu readers", l.count + 1);
    for (size_t i = 0; i < l.count; i++) {
        struct lsm_reader_info info = { (uint32_t)l.slots[i].index, l.slots[i].name,
                                        l.slots[i].seqno, held_bytes(db, l.slots[i].place) };
        if (fn(ctx, &info) != 0)
            break;
    }
out:
    mem_free(db->mem, l.slots, l.capacity * sizeof(*l.slots));
    return st;
}
