// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * A small database with everything in it, as the bytes of its files, and the oracle of what it
 * holds: strata of several levels, value strata, range deletes, merge operands on what older strata
 * and logs hold, pins, a checkpoint, logs of several epochs and a tail that no stratum has. It is
 * laid on a new simulated machine for each damage.
 */
#ifndef TEST_LSM_DAMAGE_H
#define TEST_LSM_DAMAGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "lsm/internal.h"
#include "model/chance.h"
#include "model/memory.h"
#include "model/oracle.h"

enum {
    SITE_KEYS = 96,
    SITE_KEY_SIZE = 8,
    SITE_FILES_MAX = 64,
    SITE_RECORDS_MAX = 256,
    SITE_PATH_MAX = 64
};

/* How the database is made and left. */
struct site_kind {
    const char *name;
    enum codec_id codec;
    bool encrypted;
    bool killed; /* not closed */
    bool maps;
};

/* A stored file. */
struct site_file {
    char path[SITE_PATH_MAX];
    uint8_t *data;
    size_t size;
};

/* A record of a log as it was written. */
struct site_record {
    uint64_t epoch, at, end, after; /* between end and after: padding */
    uint64_t first, last;           /* seqnos of a batch; last < first: an edit */
};

struct site {
    const struct site_kind *kind;
    struct test_memory memory;
    struct os_sim *sim;
    struct os *os;
    struct lsm_options o;
    uint8_t secret[CODEC_KEY_SIZE];
    struct lsm *db;
    struct oracle *oracle;
    struct chance c;
    uint64_t seqno;  /* newest */
    uint64_t pinned; /* by "old" */
    struct site_file files[SITE_FILES_MAX];
    size_t file_count;
    struct site_record records[SITE_RECORDS_MAX];
    size_t record_count;
    basin_error err;
};

#define site_ok(s, call) site_expect((s), (call), #call, __FILE__, __LINE__)

static inline void
site_expect(struct site *s, basin_status st, const char *call, const char *file, int line)
{
    if (st == BASIN_OK)
        return;
    print_error("%s:%d: %s: %s: %s\n", file, line, call, basin_status_name(st), s->err.what);
    _fail(file, line);
}

static inline struct bytes
site_key(unsigned i, uint8_t to[SITE_KEY_SIZE])
{
    return bytes_of(to, (size_t)snprintf((char *)to, SITE_KEY_SIZE, "k%03u", i));
}

/* ------------------------------------------------------------------ writing */

static inline void
site_open(struct site *s)
{
    site_ok(s, lsm_open("db", &s->o, &s->db, &s->err));
}

static inline struct bytes
site_value(struct site *s, uint8_t *to, size_t n)
{
    chance_bytes(&s->c, to, MIN_OF(n, (size_t)24));
    for (size_t i = 24; i < n; i++)
        to[i] = (uint8_t)(to[i - 24] + i / 24);
    return bytes_of(to, n);
}

static inline void
site_put(struct site *s, struct lsm_txn *txn, unsigned i, size_t size)
{
    uint8_t key[SITE_KEY_SIZE], data[2048];
    struct bytes value = site_value(s, data, size);

    site_ok(s, lsm_put(txn, site_key(i, key), value, &s->err));
    oracle_put(s->oracle, site_key(i, key), value, ++s->seqno);
}

static inline void
site_merge(struct site *s, struct lsm_txn *txn, unsigned i)
{
    uint8_t key[SITE_KEY_SIZE], operand[9] = { LSM_OP_APPEND };

    chance_bytes(&s->c, operand + 1, sizeof operand - 1);
    site_ok(s, lsm_merge(txn, site_key(i, key), LSM_OP_APPEND,
                         bytes_of(operand + 1, sizeof operand - 1), &s->err));
    oracle_merge(s->oracle, site_key(i, key), bytes_of(operand, sizeof operand), ++s->seqno);
}

static inline void
site_delete(struct site *s, struct lsm_txn *txn, unsigned i)
{
    uint8_t key[SITE_KEY_SIZE];

    site_ok(s, lsm_delete(txn, site_key(i, key), &s->err));
    oracle_delete(s->oracle, site_key(i, key), ++s->seqno);
}

static inline void
site_delete_range(struct site *s, struct lsm_txn *txn, unsigned from, unsigned to)
{
    uint8_t a[SITE_KEY_SIZE], b[SITE_KEY_SIZE];

    site_ok(s, lsm_delete_range(txn, site_key(from, a), site_key(to, b), false, &s->err));
    oracle_delete_range(s->oracle, site_key(from, a), site_key(to, b), false, ++s->seqno);
}

static inline struct lsm_txn *
site_begin(struct site *s, enum lsm_mode mode)
{
    struct lsm_txn *txn;

    site_ok(s, lsm_begin(s->db, &(struct lsm_begin){ .mode = mode }, &txn, &s->err));
    return txn;
}

static inline void
site_commit(struct site *s, struct lsm_txn *txn)
{
    uint64_t seqno;

    site_ok(s, lsm_commit(txn, true, &seqno, &s->err));
    assert_int_equal(seqno, s->seqno);
}

/* ------------------------------------------------------------------ the database */

/* A stratum below, of all keys, some with large values. */
static inline void
site_first(struct site *s)
{
    struct lsm_txn *txn = site_begin(s, LSM_WRITE);

    for (unsigned i = 0; i < SITE_KEYS; i++)
        if (i % 8 != 5)
            site_put(s, txn, i, i % 16 == 2 ? 700 : 30 + i % 40);
    site_commit(s, txn);
    site_ok(s, lsm_flush(s->db, &s->err));
    site_ok(s, lsm_compact(s->db, NULL, &s->err));
    site_ok(s, lsm_pin(s->db, "old", "site", &s->pinned, &s->err));
    assert_int_equal(s->pinned, s->seqno);
}

/* Strata above it: overwritten, deleted and covered keys, operands. */
static inline void
site_second(struct site *s, unsigned step)
{
    struct lsm_txn *txn = site_begin(s, LSM_WRITE);

    for (unsigned i = step; i < SITE_KEYS; i += 5)
        site_put(s, txn, i, i % 3 == 0 ? 500 : 25);
    for (unsigned i = step; i < SITE_KEYS; i += 7)
        site_merge(s, txn, i);
    for (unsigned i = step; i < SITE_KEYS; i += 11)
        site_delete(s, txn, i);
    site_commit(s, txn);
    txn = site_begin(s, LSM_WRITE);
    site_delete_range(s, txn, 10 * step + 30, 10 * step + 36);
    site_put(s, txn, 10 * step + 32, 20);
    site_commit(s, txn);
    site_ok(s, lsm_flush(s->db, &s->err));
}

/* What only the log holds. */
static inline void
site_tail(struct site *s, unsigned step)
{
    for (unsigned n = 0; n < 4; n++) {
        struct lsm_txn *txn = site_begin(s, LSM_WRITE);
        site_put(s, txn, 8 * step + 3 * n, n == 2 ? 400 : 22);
        site_merge(s, txn, 20 * n + step);
        if (n == 1)
            site_delete_range(s, txn, 70 + 4 * step, 73 + 4 * step);
        site_commit(s, txn);
    }
}

static inline void
site_close(struct site *s)
{
    struct lsm *db = s->db;

    s->db = NULL;
    site_ok(s, lsm_close(db, &s->err));
    assert_int_equal(s->memory.live, 0);
}

static inline void
site_write(struct site *s)
{
    site_open(s);
    site_first(s);
    site_second(s, 1);
    site_close(s);
    site_open(s);
    site_second(s, 2);
    site_tail(s, 1);
    site_ok(s, lsm_pin(s->db, "new", "site", &s->pinned, &s->err));
    site_tail(s, 2);
    site_close(s);
    site_open(s);
    site_tail(s, 3);
    if (!s->kind->killed) {
        site_close(s);
        return;
    }
    os_sim_kill(s->os);
    (void)!lsm_close(s->db, NULL);
    s->db = NULL;
}

/* ------------------------------------------------------------------ its files */

struct site_list {
    struct site *s;
    const char *dir;
};

static inline basin_status site_take_dir(struct site *s, const char *dir);

static inline basin_status
site_take(void *ctx, const char *name, basin_error *err)
{
    struct site_list *l = ctx;
    struct site *s = l->s;
    struct site_file *f = &s->files[s->file_count];
    struct bytes data;

    (void)err;
    assert_true(s->file_count < SITE_FILES_MAX);
    (void)snprintf(f->path, sizeof f->path, "%s/%s", l->dir, name);
    if (os_sim_peek(s->sim, f->path, &data) != BASIN_OK) {
        char dir[SITE_PATH_MAX];
        memcpy(dir, f->path, sizeof dir);
        return site_take_dir(s, dir);
    }
    f->size = data.size;
    f->data = malloc(data.size + 1);
    assert_non_null(f->data);
    if (data.size > 0)
        memcpy(f->data, data.data, data.size);
    s->file_count++;
    return BASIN_OK;
}

static inline basin_status
site_take_dir(struct site *s, const char *dir)
{
    return os_list(s->os, dir, site_take, &(struct site_list){ s, dir }, &s->err);
}

static inline bool
site_is(const struct site_file *f, const char *start)
{
    return strncmp(f->path, start, strlen(start)) == 0;
}

static inline uint64_t
site_epoch(const struct site_file *f)
{
    return strtoull(f->path + strlen("db/log/"), NULL, 10);
}

/* The records of all logs. A log is cut near its end: what lies there is never looked at. */
static inline void
site_read_logs(struct site *s)
{
    struct lsm_options o = s->o;
    struct lsm *db;
    struct log_reader r;
    struct record rec;

    o.read_only = o.untouched = true;
    site_ok(s, lsm_open("db", &o, &db, &s->err));
    for (size_t i = 0; i < s->file_count; i++) {
        struct site_file *f = &s->files[i];
        if (!site_is(f, "db/log/") || site_epoch(f) == 0)
            continue;
        site_ok(s, lsm__log_reader_open(db, (struct place){ site_epoch(f), 0 }, &r, &s->err));
        while (lsm__log_reader_next(&r, &rec, &s->err) == BASIN_OK) {
            uint64_t count = 0;
            if (rec.type == RECORD_BATCH)
                site_ok(s, lsm__ops_count(rec.body, &count, &s->err));
            assert_true(s->record_count < SITE_RECORDS_MAX);
            s->records[s->record_count++] =
                (struct site_record){ rec.place.epoch,
                                      rec.place.at,
                                      rec.place.at + LOG_RECORD_HEADER_SIZE + rec.body.size +
                                          (s->kind->encrypted ? CODEC_TAG_SIZE : 0),
                                      rec.after.at,
                                      rec.first_seqno,
                                      rec.first_seqno + count - 1 };
        }
        f->size = MIN_OF(f->size, (size_t)r.at + 64);
        lsm__log_reader_close(&r);
    }
    site_ok(s, lsm_close(db, &s->err));
}

static inline void
site_machine(struct site *s)
{
    struct os_sim_options so = { .seed = chance_u64(&s->c),
                                 .maps = s->kind->maps,
                                 .mem = &base_malloc };

    os_sim_free(s->sim);
    site_ok(s, os_sim_new(&so, &s->sim, &s->err));
    s->os = os_sim_os(s->sim);
    s->o.os = s->os;
}

static inline size_t
site_count(const struct site *s, const char *start)
{
    size_t n = 0;

    for (size_t i = 0; i < s->file_count; i++)
        n += site_is(&s->files[i], start);
    return n;
}

/* A machine without a database. */
static inline void
site_start(struct site *s, const struct site_kind *kind, uint64_t seed)
{
    memset(s, 0, sizeof *s);
    s->kind = kind;
    s->c = chance_of(seed);
    s->oracle = oracle_new();
    test_memory_init(&s->memory);
    chance_bytes(&s->c, s->secret, sizeof s->secret);
    s->o = (struct lsm_options){ .mem = &s->memory.table,
                                 .no_threads = true,
                                 .mem_limit = MIB,
                                 .stratum_size = 4 * KIB,
                                 .value_threshold = 300,
                                 .page_size = 256,
                                 .level_factor = 4,
                                 .level0_runs = 8,
                                 .codec = kind->codec,
                                 .filter_bits = 10 };
    if (kind->encrypted)
        s->o.key = bytes_of(s->secret, sizeof s->secret);
    site_machine(s);
}

static inline void
site_init(struct site *s, const struct site_kind *kind, uint64_t seed)
{
    site_start(s, kind, seed);
    site_write(s);
    site_ok(s, site_take_dir(s, "db"));
    site_read_logs(s);
    /* otherwise it is not what the tests are about */
    assert_true(site_count(s, "db/strata/") >= 4);
    assert_true(site_count(s, "db/values/") >= 3);
    assert_true(site_count(s, "db/ckpt/") >= 1);
    assert_true(site_count(s, "db/log/") >= 2);
}

static inline void
site_release(struct site *s)
{
    for (size_t i = 0; i < s->file_count; i++)
        free(s->files[i].data);
    oracle_free(s->oracle);
    os_sim_free(s->sim);
}

/* ------------------------------------------------------------------ damage */

enum harm { HARM_DELETE, HARM_CUT, HARM_FLIP };

struct damage {
    enum harm harm;
    size_t file; /* SIZE_MAX: none */
    size_t at;   /* new size, or byte of which a bit is turned */
    uint8_t bit;
};

static inline void
site_lay_file(struct site *s, const struct site_file *f, const struct damage *d)
{
    struct os_file *to;
    size_t size = d->harm == HARM_CUT ? d->at : f->size;

    site_ok(s, os_open(s->os, f->path, OS_WRITE | OS_CREATE, &to, &s->err));
    if (size > 0)
        site_ok(s, os_write(to, 0, f->data, size, &s->err));
    os_close(to);
    if (d->harm == HARM_FLIP) {
        uint8_t byte = f->data[d->at] ^ (uint8_t)(1u << d->bit);
        site_ok(s, os_sim_poke(s->sim, f->path, d->at, &byte, 1));
    }
}

/* The database on a new machine, damaged. */
static inline void
site_lay(struct site *s, const struct damage *d)
{
    static const char *const dirs[] = { "db",        "db/head",   "db/log", "db/ckpt",
                                        "db/strata", "db/values", "db/tmp" };
    struct damage whole = { HARM_CUT, 0, 0, 0 };

    site_machine(s);
    for (size_t i = 0; i < COUNT_OF(dirs); i++)
        site_ok(s, os_make_dir(s->os, dirs[i], &s->err));
    for (size_t i = 0; i < s->file_count; i++) {
        whole.at = s->files[i].size;
        if (i != d->file)
            site_lay_file(s, &s->files[i], &whole);
        else if (d->harm != HARM_DELETE)
            site_lay_file(s, &s->files[i], d);
    }
}

/* Whether every file is still what was laid. */
static inline void
site_check_untouched(struct site *s, const struct damage *d)
{
    struct bytes now;

    for (size_t i = 0; i < s->file_count; i++) {
        const struct site_file *f = &s->files[i];
        size_t size = i == d->file && d->harm == HARM_CUT ? d->at : f->size;
        if (i == d->file && d->harm == HARM_DELETE) {
            assert_int_equal(os_sim_peek(s->sim, f->path, &now), BASIN_NOT_FOUND);
            continue;
        }
        site_ok(s, os_sim_peek(s->sim, f->path, &now));
        assert_int_equal(now.size, size);
        for (size_t k = 0; k < size; k++)
            if (now.data[k] != f->data[k])
                assert_true(i == d->file && d->harm == HARM_FLIP && k == d->at &&
                            (now.data[k] ^ f->data[k]) == 1 << d->bit);
    }
}

#endif
