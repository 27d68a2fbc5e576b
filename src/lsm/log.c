// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The log of an epoch: one appended file, mapped where blocks can be allocated, else written with
 * calls. This file writes; log_read.c reads. The law is docs/format/log.md.
 *
 * A file starts small and doubles in place up to log_size_max; then the epoch is rolled. Records
 * carry a checksum seeded by the log's random salt and their position, so that bytes of a recycled
 * file never parse. A covered log is kept as "log/spare" and renamed to be the next one: its blocks
 * exist and were written before, so a sync has no metadata to write.
 * Only the commit leader appends; sync may run beside it.
 */
#include <stdio.h>

#include "lsm/log_format.h"

enum { LOG_COPY_PIECE = 128 * 1024 };

basin_status
lsm__log_path(const struct lsm *db, uint64_t epoch, char *to, size_t size, basin_error *err)
{
    int n = snprintf(to, size, "%s/log/%llu", db->path, (unsigned long long)epoch);

    if (n < 0 || (size_t)n >= size)
        return error_set(err, BASIN_LIMIT, "path is too long: %zu bytes at most", size);
    return BASIN_OK;
}

void
lsm__log_ref(struct log_file *l)
{
    atomic_fetch_add_explicit(&l->ref_count, 1, memory_order_relaxed);
}

void
lsm__log_unref(struct log_file *l)
{
    const basin_allocator *mem;

    if (l == NULL || atomic_fetch_sub_explicit(&l->ref_count, 1, memory_order_acq_rel) != 1)
        return;
    mem = l->db->mem;
    os_unmap(l->map);
    os_close(l->file);
    codec_wipe(&l->key, sizeof(l->key));
    buf_release(&l->scratch);
    mem_free(mem, l, sizeof(*l));
}

/* ------------------------------------------------------------------ header */

uint64_t
lsm__log_seed(const uint8_t header[LOG_HEADER_SIZE])
{
    return hash64(header + 16, PLANTED(LOG_SEED) ? 16 : 56, 0x6261736e6c6f6721u);
}

void
lsm__log_header_make(const struct lsm *db, uint64_t epoch, const uint8_t salt[CODEC_SALT_SIZE],
                     uint64_t end_before, uint8_t header[LOG_HEADER_SIZE])
{
    memset(header, 0, LOG_HEADER_SIZE);
    memcpy(header, LOG_MAGIC, 8);
    store_u32(header + 8, LOG_VERSION);
    store_u32(header + 12, db->encrypted ? LOG_FLAG_SEALED : 0);
    store_u64(header + 16, db->database_id[0]);
    store_u64(header + 24, db->database_id[1]);
    store_u64(header + 32, epoch);
    memcpy(header + 40, salt, CODEC_SALT_SIZE);
    store_u64(header + 64, db->process_id);
    store_u64(header + LOG_END_BEFORE_AT, end_before);
    lsm__log_header_seal(header);
}

/* What cannot be known otherwise stands there twice. */
void
lsm__log_header_seal(uint8_t header[LOG_HEADER_SIZE])
{
    memcpy(header + LOG_COPY_AT, header + LOG_COPIED_AT, LOG_COPY_SIZE);
    store_u64(header + 112, hash64(header, 72, 0));
    store_u64(header + 120, hash64(header, 120, 0));
}

/* Makes [0, size) of the file real and maps it; without blocks to allocate it stays unmapped. */
static basin_status
make_room(struct log_file *l, uint64_t size, basin_error *err)
{
    basin_status st;
    struct os_map *map = NULL;

    TRY(os_allocate(l->file, size, err));
    if (l->db->os->maps) {
        TRY(os_map(l->file, 0, (size_t)size, true, &map, err));
        os_unmap(l->map);
        l->map = map;
    }
    l->size = size;
out:
    return st;
}

static basin_status
write_bytes(struct log_file *l, uint64_t at, const void *p, size_t n, basin_error *err)
{
    if (l->map != NULL) {
        os_map_write(l->map, (size_t)at, p, n);
        return BASIN_OK;
    }
    return os_write(l->file, at, p, n, err);
}

static basin_status
log_begin(struct log_file *l, uint64_t end_before, basin_error *err)
{
    basin_status st;
    uint8_t header[LOG_HEADER_SIZE];
    uint8_t salt[CODEC_SALT_SIZE];
    uint64_t size = 0;

    TRY(os_size(l->file, &size, err));
    TRY(l->db->os->ops->random(l->db->os, salt, sizeof(salt), err));
    lsm__log_header_make(l->db, l->epoch, salt, end_before, header);
    l->seed = lsm__log_seed(header);
    if (l->db->encrypted)
        codec_subkey(&l->db->data_key, salt, "basinlog", &l->key);
    st = make_room(l, MAX_OF(size, LOG_SIZE_START), err);
    if (st == BASIN_NO_SPACE)
        st = make_room(l, MAX_OF(size, LOG_SIZE_LEAST), err);
    TRY(st);
    TRY(write_bytes(l, 0, header, sizeof(header), err));
    l->end = LOG_HEADER_SIZE;
    atomic_store_explicit(&l->end_shared, l->end, memory_order_release);
out:
    return st;
}

static void
spare_path(const struct lsm *db, char *to, size_t size)
{
    (void)snprintf(to, size, "%s/log/spare", db->path);
}

/* Keeps a covered log for reuse when there is no spare yet; else removes it. */
void
lsm__log_retire(struct lsm *db, uint64_t epoch)
{
    char path[PATH_SIZE_MAX + 64], spare[PATH_SIZE_MAX + 64];
    struct os_file *f = NULL;

    spare_path(db, spare, sizeof(spare));
    if (lsm__log_path(db, epoch, path, sizeof(path), NULL) != BASIN_OK)
        return;
    if (os_open(db->os, spare, OS_READ, &f, NULL) == BASIN_OK) {
        os_close(f);
        (void)!db->os->ops->unlink(db->os, path, NULL);
    } else {
        (void)!db->os->ops->rename(db->os, path, spare, NULL);
    }
}

/* The spare becomes `path`, which is not there yet; else a new file is made. */
static basin_status
make_file(struct log_file *l, const char *path, basin_error *err)
{
    basin_status st;
    char spare[PATH_SIZE_MAX + 64];

    spare_path(l->db, spare, sizeof(spare));
    st = os_open(l->db->os, path, OS_READ, &l->file, NULL);
    if (st == BASIN_OK)
        return error_set(err, BASIN_EXISTS, "log/%llu is there already",
                         (unsigned long long)l->epoch);
    if (l->db->os->ops->rename(l->db->os, spare, path, NULL) == BASIN_OK) {
        st = os_open(l->db->os, path, OS_WRITE, &l->file, err);
        if (st != BASIN_OK) /* else the next log would find the name taken by an empty one */
            (void)!l->db->os->ops->unlink(l->db->os, path, NULL);
        return st;
    }
    return os_open(l->db->os, path, OS_WRITE | OS_CREATE | OS_EXCLUSIVE, &l->file, err);
}

/*
 * Until the header is written the file shows none, or that of the epoch it was recycled from: it
 * then counts as empty, which it is: nothing durable is acknowledged before lsm__log_sync.
 */
basin_status
lsm__log_create(struct lsm *db, uint64_t epoch, uint64_t end_before, struct log_file **out,
                basin_error *err)
{
    basin_status st = BASIN_OK;
    char path[PATH_SIZE_MAX + 64];
    struct log_file *l = mem_new(db->mem, sizeof(*l));

    *out = NULL;
    if (l == NULL)
        FAIL(err, BASIN_NO_MEM, "no memory for a log");
    l->db = db;
    l->epoch = epoch;
    l->fresh = true;
    atomic_init(&l->ref_count, 1);
    buf_init(&l->scratch, db->mem);
    TRY(lsm__log_path(db, epoch, path, sizeof(path), err));
    TRY(make_file(l, path, err));
    st = log_begin(l, end_before, err);
    if (st != BASIN_OK) {
        (void)!db->os->ops->unlink(db->os, path, NULL);
        goto out;
    }
    *out = l;
    l = NULL;
out:
    lsm__log_unref(l);
    return st;
}

/* ------------------------------------------------------------------ after a crash */

/* Where the records of a log end. */
static basin_status
find_end(struct lsm *db, uint64_t epoch, uint64_t *end, basin_error *err)
{
    basin_status st;
    struct log_reader r;
    struct record rec;

    TRY(lsm__log_reader_open(db, (struct place){ epoch, 0 }, &r, err));
    while ((st = lsm__log_reader_next(&r, &rec, err)) == BASIN_OK)
        ;
    *end = r.size ? r.at : 0;
    lsm__log_reader_close(&r);
    if (st == BASIN_END)
        st = BASIN_OK;
out:
    return st;
}

static basin_status
copy_bytes(struct lsm *db, const char *from, const char *to, uint64_t n, basin_error *err)
{
    basin_status st;
    struct os_file *in = NULL, *out = NULL;
    struct buf piece;
    size_t got;

    buf_init(&piece, db->mem);
    TRY(error_mem(buf_reserve(&piece, LOG_COPY_PIECE), err));
    TRY(os_open(db->os, from, OS_READ, &in, err));
    TRY(os_open(db->os, to, OS_WRITE | OS_CREATE, &out, err));
    for (uint64_t at = 0; at < n; at += got) {
        TRY(os_read(in, at, piece.data, (size_t)MIN_OF(n - at, (uint64_t)LOG_COPY_PIECE), &got,
                    err));
        if (got == 0)
            FAIL(err, BASIN_CORRUPT, "%s: ends at byte %llu of %llu", from,
                 (unsigned long long)at, (unsigned long long)n);
        TRY(os_write(out, at, piece.data, got, err));
    }
    TRY(os_sync(out, false, err));
out:
    os_close(in);
    os_close(out);
    buf_release(&piece);
    return st;
}

/*
 * Puts the records of an earlier log into new blocks, on disk: its own may be clean in the page
 * cache and yet not there (decision 12). The spare takes them and then the name.
 */
basin_status
lsm__log_rewrite(struct lsm *db, uint64_t epoch, basin_error *err)
{
    basin_status st;
    char path[PATH_SIZE_MAX + 64], spare[PATH_SIZE_MAX + 64];
    uint64_t end = 0;

    TRY(lsm__log_path(db, epoch, path, sizeof(path), err));
    TRY(find_end(db, epoch, &end, err));
    if (end <= LOG_HEADER_SIZE)
        goto out;
    spare_path(db, spare, sizeof(spare));
    TRY(copy_bytes(db, path, spare, end, err));
    TRY(db->os->ops->rename(db->os, spare, path, err));
    (void)snprintf(path, sizeof(path), "%s/log", db->path);
    TRY(db->os->ops->sync_dir(db->os, path, err));
out:
    return st;
}

/* ------------------------------------------------------------------ appending */

uint64_t
lsm__record_seed(uint64_t log_seed, uint64_t at)
{
    return log_seed ^ (at * 0x9E3779B97F4A7C15u);
}

/* The 24 bits that tell the head of a record from bytes that look like one. */
uint32_t
lsm__record_check(const uint8_t head[LOG_RECORD_HEADER_SIZE], uint64_t seed)
{
    uint8_t told[LOG_RECORD_HEADER_SIZE];

    memcpy(told, head, sizeof(told));
    memset(told + 13, 0, 3);
    return (uint32_t)(hash64(told + 8, sizeof(told) - 8, seed) >> 40);
}

static basin_status
grow_for(struct log_file *l, uint64_t need, basin_error *err)
{
    uint64_t max = l->db->o.log_size_max, size = l->size;

    if (l->end + need <= size)
        return BASIN_OK;
    if (l->end + need > max && l->end > LOG_HEADER_SIZE)
        return BASIN_LIMIT; /* the caller rolls the epoch */
    while (size < l->end + need)
        size *= 2;
    return make_room(l, size, err);
}

/* Assembles header, body and padding in scratch; the body is sealed when the database is. */
static basin_status
assemble(struct log_file *l, const uint8_t head[LOG_RECORD_HEADER_SIZE], struct bytes body,
         size_t padded, basin_error *err)
{
    size_t stored = load_u32(head + 8);

    buf_clear(&l->scratch);
    if (buf_reserve(&l->scratch, padded) != BASIN_OK)
        return error_set(err, BASIN_NO_MEM, "no memory for a record of %zu bytes", padded);
    memset(l->scratch.data, 0, padded);
    memcpy(l->scratch.data, head, LOG_RECORD_HEADER_SIZE);
    if (l->db->encrypted)
        codec_seal(&l->key, l->end, bytes_of(head + 8, LOG_RECORD_HEADER_SIZE - 8), body,
                   l->scratch.data + LOG_RECORD_HEADER_SIZE);
    else if (body.size)
        memcpy(l->scratch.data + LOG_RECORD_HEADER_SIZE, body.data, body.size);
    store_u64(l->scratch.data, hash64(l->scratch.data + 8, LOG_RECORD_HEADER_SIZE - 8 + stored,
                                      lsm__record_seed(l->seed, l->end)));
    l->scratch.size = padded;
    return BASIN_OK;
}

basin_status
lsm__log_append(struct log_file *l, enum record_type type, uint64_t first_seqno,
                struct bytes body, struct place *at, basin_error *err)
{
    basin_status st;
    uint8_t head[LOG_RECORD_HEADER_SIZE] = { 0 };
    size_t stored = body.size + (l->db->encrypted ? CODEC_TAG_SIZE : 0);
    size_t padded = (LOG_RECORD_HEADER_SIZE + stored + LOG_RECORD_ALIGN - 1) &
                    ~(size_t)(LOG_RECORD_ALIGN - 1);

    if (stored > UINT32_MAX / 2)
        FAIL(err, BASIN_LIMIT, "a record of %zu bytes is larger than %u", stored, UINT32_MAX / 2);
    TRY(grow_for(l, padded + (type == RECORD_SEAL ? 0 : LOG_SEAL_ROOM), err));
    store_u32(head + 8, (uint32_t)stored);
    head[12] = (uint8_t)type;
    store_u64(head + 16, first_seqno);
    store_u64(head + 24, atomic_load_explicit(&l->synced, memory_order_relaxed));
    store_u32(head + 12, (uint32_t)type | lsm__record_check(head, lsm__record_seed(l->seed, l->end))
                                              << 8);
    TRY(assemble(l, head, body, padded, err));
    st = write_bytes(l, l->end, l->scratch.data, padded, err);
    l->torn = l->torn || st != BASIN_OK;
    TRY(st);
    *at = (struct place){ l->epoch, l->end };
    l->end += padded;
    atomic_store_explicit(&l->end_shared, l->end, memory_order_release);
    atomic_fetch_add_explicit(&l->db->log_written, padded, memory_order_relaxed);
out:
    return st;
}

/* Where it will end when its next record is the seal. */
uint64_t
lsm__log_sealed_end(const struct log_file *l)
{
    return l->end + LOG_RECORD_HEADER_SIZE + (l->db->encrypted ? CODEC_TAG_SIZE : 0);
}

void
lsm__log_void(struct log_file *l, uint64_t at)
{
    static const uint8_t zeros[LOG_RECORD_HEADER_SIZE];

    (void)!write_bytes(l, at, zeros, sizeof(zeros), NULL);
}

/* R4: the name of the log is synced with its first bytes. A failed sync poisons the database: what
 * was not on disk then may look clean, and the next sync would succeed without writing it. */
static basin_status
sync_file(struct log_file *l, basin_error *err)
{
    basin_status st;
    char path[PATH_SIZE_MAX + 64];

    TRY(os_sync(l->file, true, err));
    if (atomic_load_explicit(&l->fresh, memory_order_acquire) && !PLANTED(LOG_NAME)) {
        (void)snprintf(path, sizeof(path), "%s/log", l->db->path);
        TRY(l->db->os->ops->sync_dir(l->db->os, path, err));
        atomic_store_explicit(&l->fresh, false, memory_order_release);
    }
    atomic_fetch_add_explicit(&l->db->syncs, 1, memory_order_relaxed);
out:
    if (st != BASIN_OK)
        lsm__poison(l->db, st, err);
    return st;
}

uint64_t
lsm__log_unsynced(const struct log_file *l)
{
    uint64_t synced = atomic_load_explicit(&l->synced, memory_order_acquire);

    return atomic_load_explicit(&l->end_shared, memory_order_acquire) -
           MAX_OF(synced, (uint64_t)LOG_HEADER_SIZE);
}

basin_status
lsm__log_sync(struct log_file *l, basin_error *err)
{
    basin_status st = BASIN_OK;
    uint64_t end = atomic_load_explicit(&l->end_shared, memory_order_acquire);
    uint64_t synced = atomic_load_explicit(&l->synced, memory_order_acquire);

    if (end <= synced)
        return BASIN_OK;
    TRY(sync_file(l, err));
    while (synced < end && !atomic_compare_exchange_weak_explicit(
                               &l->synced, &synced, end, memory_order_acq_rel,
                               memory_order_acquire))
        ;
out:
    return st;
}

/*
 * The log is there for good, so that objects of its epoch may be made. The synced position is not
 * raised: records that carry it prove that the logs before are whole, which is not known here.
 */
basin_status
lsm__log_settle(struct lsm *db, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct log_file *l;

    os_mutex_lock(db->mu);
    l = db->log;
    if (l != NULL)
        lsm__log_ref(l);
    os_mutex_unlock(db->mu);
    if (l != NULL && atomic_load_explicit(&l->fresh, memory_order_acquire))
        st = sync_file(l, err);
    lsm__log_unref(l);
    return st;
}
