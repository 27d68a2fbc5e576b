// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Reads the records of a log file, from recovery, reader processes and the change feed. Every
 * record is checked on a copy, never on mapped bytes. A bad record is the tail, unless a later one
 * proves that the place had been synced: then it is damage.
 */
#include "lsm/log_format.h"

enum { LOG_WINDOW_START = 16 * 1024, LOG_WINDOW = 1 << 20 };

/* Bytes [at, at + n) into the window; false when the file ends before. */
static basin_status
load(struct log_reader *r, uint64_t at, size_t n, const uint8_t **p, basin_error *err)
{
    basin_status st = BASIN_OK;
    size_t got = 0, want;

    *p = NULL;
    if (at + n > r->size)
        return BASIN_OK;
    if (at < r->window_at || at + n > r->window_at + r->buf.size) {
        r->window = MIN_OF(MAX_OF(r->window * 2, (size_t)LOG_WINDOW_START), (size_t)LOG_WINDOW);
        want = MAX_OF(n, (size_t)MIN_OF((uint64_t)r->window,
                                        MIN_OF(r->size, MAX_OF(r->limit, at + n)) - at));
        buf_clear(&r->buf);
        if (buf_reserve(&r->buf, want) != BASIN_OK)
            FAIL(err, BASIN_NO_MEM, "log/%llu: no memory for %zu bytes",
                 (unsigned long long)r->epoch, want);
        TRY(os_read(r->file, at, r->buf.data, want, &got, err));
        r->window_at = at;
        r->buf.size = got;
        if (got < n)
            return BASIN_OK;
    }
    *p = r->buf.data + (at - r->window_at);
out:
    return st;
}

/* A damaged header as it must have been: with salt and process as they stand at `at`. Where the log
 * before ends is believed with the checksum over all only. */
static bool
mend_header(const struct log_reader *r, const uint8_t *p, size_t at, uint8_t h[LOG_HEADER_SIZE])
{
    static const uint8_t no_salt[CODEC_SALT_SIZE];

    lsm__log_header_make(r->db, r->epoch, no_salt, load_u64(p + LOG_END_BEFORE_AT), h);
    memcpy(h + LOG_COPIED_AT, p + at, LOG_COPY_SIZE);
    lsm__log_header_seal(h);
    if (load_u64(h + 120) == load_u64(p + 120))
        return true;
    store_u64(h + LOG_END_BEFORE_AT, 0);
    lsm__log_header_seal(h);
    return load_u64(h + 112) == load_u64(p + 112);
}

static basin_status
check_header(struct log_reader *r, const uint8_t *p, basin_error *err)
{
    const struct lsm *db = r->db;
    unsigned long long epoch = r->epoch;

    if (load_u32(p + 8) != LOG_VERSION)
        return error_set(err, BASIN_VERSION, "log/%llu: format %u, this build reads %u", epoch,
                         load_u32(p + 8), LOG_VERSION);
    if (load_u32(p + 12) > LOG_FLAG_SEALED ||
        memcmp(p + LOG_COPIED_AT, p + LOG_COPY_AT, LOG_COPY_SIZE) != 0)
        return error_set(err, BASIN_CORRUPT, "log/%llu: flags %u, or reserved bytes are used",
                         epoch, load_u32(p + 12));
    if ((load_u32(p + 12) == LOG_FLAG_SEALED) != db->encrypted)
        return error_set(err, BASIN_CORRUPT, "log/%llu: sealed %u, the database %d", epoch,
                         load_u32(p + 12), db->encrypted);
    return BASIN_OK;
}

/* Blocks that were never written may hold what was there before: a file of another kind, which may
 * end with the same checksum, or another database's log. */
static bool
is_rubbish(const struct log_reader *r, const uint8_t *p)
{
    return memcmp(p, LOG_MAGIC, 8) != 0 || load_u64(p + 16) != r->db->database_id[0] ||
           load_u64(p + 24) != r->db->database_id[1];
}

/* Without a header that counts the log is empty: it was never synced. */
static basin_status
read_header(struct log_reader *r, basin_error *err)
{
    basin_status st;
    const uint8_t *p;
    uint8_t mended[LOG_HEADER_SIZE];

    TRY(load(r, 0, LOG_HEADER_SIZE, &p, err));
    if (p != NULL && hash64(p, 120, 0) != load_u64(p + 120)) {
        r->mended = mend_header(r, p, LOG_COPY_AT, mended) ||
                    mend_header(r, p, LOG_COPIED_AT, mended);
        p = r->mended ? mended : NULL;
    }
    if (p != NULL && is_rubbish(r, p))
        p = NULL;
    if (p != NULL)
        TRY(check_header(r, p, err));
    if (p == NULL || load_u64(p + 32) != r->epoch) { /* a recycled file shows an older epoch */
        r->size = 0;
        goto out;
    }
    r->sealed_bodies = r->db->encrypted;
    if (r->sealed_bodies)
        codec_subkey(&r->db->data_key, p + LOG_COPIED_AT, "basinlog", &r->key);
    r->seed = lsm__log_seed(p);
    r->end_before = load_u64(p + LOG_END_BEFORE_AT);
out:
    return st;
}

basin_status
lsm__log_reader_open(struct lsm *db, struct place from, struct log_reader *r, basin_error *err)
{
    basin_status st;
    char path[PATH_SIZE_MAX + 64];

    *r = (struct log_reader){ .db = db, .epoch = from.epoch, .limit = UINT64_MAX };
    buf_init(&r->buf, db->mem);
    buf_init(&r->plain, db->mem);
    TRY(lsm__log_path(db, from.epoch, path, sizeof(path), err));
    TRY(os_open(db->os, path, OS_READ, &r->file, err));
    TRY(os_size(r->file, &r->size, err));
    TRY(read_header(r, err));
    r->at = MAX_OF(from.at, (uint64_t)LOG_HEADER_SIZE);
out:
    if (st != BASIN_OK)
        lsm__log_reader_close(r);
    return st;
}

void
lsm__log_reader_close(struct log_reader *r)
{
    os_close(r->file);
    r->file = NULL;
    codec_wipe(&r->key, sizeof(r->key));
    buf_release(&r->buf);
    buf_release(&r->plain);
}

/* The record at `at`, its stored body in the window; *p NULL when there is no valid one. A body is
 * hashed only when its head is right: behind the tail of a log lie values of older ones, which may
 * look like one head after the other, each with a long body. */
static basin_status
check_record(struct log_reader *r, uint64_t at, const uint8_t **p, basin_error *err)
{
    basin_status st;
    uint64_t seed = lsm__record_seed(r->seed, at);
    size_t stored;

    TRY(load(r, at, LOG_RECORD_HEADER_SIZE, p, err));
    if (*p == NULL)
        goto out;
    stored = load_u32(*p + 8);
    if ((*p)[12] < RECORD_BATCH || (*p)[12] > RECORD_SEAL ||
        stored > r->size - at - LOG_RECORD_HEADER_SIZE ||
        lsm__record_check(*p, seed) != load_u32(*p + 12) >> 8) {
        *p = NULL;
        goto out;
    }
    TRY(load(r, at, LOG_RECORD_HEADER_SIZE + stored, p, err));
    if (*p == NULL)
        goto out;
    r->hashed += stored;
    if (hash64(*p + 8, LOG_RECORD_HEADER_SIZE - 8 + stored, seed) != load_u64(*p))
        *p = NULL;
out:
    return st;
}

/* The next place from *at on that has the type of a record where one would have it, or a place
 * behind the end. Most of a log that was prepared is zeros: they are passed over fast. */
static basin_status
next_candidate(struct log_reader *r, uint64_t *at, basin_error *err)
{
    basin_status st = BASIN_OK;
    const uint8_t *p;

    while (*at + LOG_RECORD_HEADER_SIZE <= r->size) {
        TRY(load(r, *at, LOG_RECORD_HEADER_SIZE, &p, err));
        if (p == NULL)
            break;
        uint64_t end = r->window_at + r->buf.size;
        for (; *at + LOG_RECORD_HEADER_SIZE <= end; *at += LOG_RECORD_ALIGN, p += LOG_RECORD_ALIGN)
            if (p[12] >= RECORD_BATCH && p[12] <= RECORD_SEAL)
                goto out;
    }
    *at = r->size;
out:
    return st;
}

/* Looks behind a bad record for one that knows the place as synced. */
static basin_status
prove_tail(struct log_reader *r, basin_error *err)
{
    basin_status st = BASIN_OK;
    const uint8_t *p;

    if (r->synced_seen > r->at)
        goto damaged;
    for (uint64_t at = r->at + LOG_RECORD_ALIGN; at + LOG_RECORD_HEADER_SIZE <= r->size;
         at += LOG_RECORD_ALIGN) {
        TRY(next_candidate(r, &at, err));
        TRY(check_record(r, at, &p, err));
        if (p != NULL && load_u64(p + 24) > r->at)
            goto damaged;
    }
out:
    return st;
damaged:
    st = error_set(err, BASIN_CORRUPT, "log/%llu: damaged record at byte %llu, below synced ones",
                   (unsigned long long)r->epoch, (unsigned long long)r->at);
    error_hint(err, "run basin repair or basin salvage");
    goto out;
}

basin_status
lsm__log_reader_resync(struct log_reader *r, basin_error *err)
{
    basin_status st = BASIN_OK;
    const uint8_t *p;

    for (uint64_t at = r->at + LOG_RECORD_ALIGN; at + LOG_RECORD_HEADER_SIZE <= r->size;
         at += LOG_RECORD_ALIGN) {
        TRY(next_candidate(r, &at, err));
        TRY(check_record(r, at, &p, err));
        if (p != NULL) {
            r->at = at;
            goto out;
        }
    }
    st = BASIN_END;
out:
    return st;
}

static basin_status
open_body(struct log_reader *r, const uint8_t *p, struct record *out, basin_error *err)
{
    basin_status st = BASIN_OK;
    size_t stored = load_u32(p + 8);
    struct bytes body = bytes_of(p + LOG_RECORD_HEADER_SIZE, stored);

    out->body = body;
    if (r->sealed_bodies && r->db->without_key)
        out->body = BYTES_NULL;
    if (!r->sealed_bodies || r->db->without_key)
        goto out;
    if (stored < CODEC_TAG_SIZE)
        FAIL(err, BASIN_CORRUPT, "log/%llu: sealed record of %zu bytes at byte %llu",
             (unsigned long long)r->epoch, stored, (unsigned long long)r->at);
    buf_clear(&r->plain);
    if (buf_reserve(&r->plain, stored) != BASIN_OK)
        FAIL(err, BASIN_NO_MEM, "no memory for a record of %zu bytes", stored);
    st = codec_unseal(&r->key, r->at, bytes_of(p + 8, LOG_RECORD_HEADER_SIZE - 8), body,
                      r->plain.data, err);
    r->plain.size = stored - CODEC_TAG_SIZE;
    out->body = buf_bytes(&r->plain);
out:
    return st;
}

basin_status
lsm__log_reader_next(struct log_reader *r, struct record *out, basin_error *err)
{
    basin_status st = BASIN_OK;
    const uint8_t *p = NULL;
    size_t padded;

    *out = (struct record){ 0 };
    if (r->sealed || r->at >= r->limit)
        return BASIN_END;
    if (r->at < r->size)
        TRY(check_record(r, r->at, &p, err));
    if (p == NULL && PLANTED(GAP) && lsm__log_reader_resync(r, err) == BASIN_OK)
        return lsm__log_reader_next(r, out, err);
    if (p == NULL) {
        if (!r->live)
            TRY(prove_tail(r, err));
        return BASIN_END;
    }
    padded = (LOG_RECORD_HEADER_SIZE + load_u32(p + 8) + LOG_RECORD_ALIGN - 1) &
             ~(size_t)(LOG_RECORD_ALIGN - 1);
    out->type = (enum record_type)p[12];
    out->place = (struct place){ r->epoch, r->at };
    out->first_seqno = load_u64(p + 16);
    out->synced = load_u64(p + 24);
    out->after = (struct place){ r->epoch, r->at + padded };
    if (out->first_seqno > LSM_SEQNO_MAX)
        FAIL(err, BASIN_CORRUPT, "log/%llu: seqno %llu at byte %llu", (unsigned long long)r->epoch,
             (unsigned long long)out->first_seqno, (unsigned long long)r->at);
    r->synced_seen = MAX_OF(r->synced_seen, out->synced);
    TRY(open_body(r, p, out, err));
    r->at += padded;
    if (out->type == RECORD_SEAL) {
        r->sealed = true;
        return BASIN_END;
    }
out:
    return st;
}
