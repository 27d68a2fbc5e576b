// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * A database on a simulated machine, of which a fuzz target replaces one file. The template is made
 * once by the engine itself: two strata, a value stratum, a pin. Each input gets a machine with
 * copies of its files; then everything that reads the database is run over it.
 */
#ifndef FUZZ_MACHINE_H
#define FUZZ_MACHINE_H

#include <stdio.h>

#include "lsm/lsm.h"

enum { MACHINE_FILES_MAX = 16, MACHINE_STEPS_MAX = 100000, MACHINE_LOG_HEADER = 128 };

struct machine_file {
    char path[64];
    struct buf bytes;
};

struct machine {
    struct os_sim *sim;
    struct os *os;
};

static struct machine_file machine_template[MACHINE_FILES_MAX];
static size_t machine_file_count;

static inline struct lsm_options
machine_options(struct machine *m)
{
    return (struct lsm_options){ .os = m->os,
                                 .no_threads = true,
                                 .mem_limit = MIB,
                                 .memtable_size = 16 * KIB,
                                 .page_size = 256,
                                 .value_threshold = 200,
                                 .log_size_max = 256 * KIB,
                                 .stratum_size = 16 * KIB,
                                 .level0_runs = 2,
                                 .must_exist = true };
}

static inline void
machine_init(struct machine *m)
{
    struct os_sim_options so = { .seed = 1, .mem = &base_malloc };

    must(os_sim_new(&so, &m->sim, NULL) == BASIN_OK);
    m->os = os_sim_os(m->sim);
}

static inline void
machine_release(struct machine *m)
{
    must(os_sim_handles(m->sim) == 0);
    os_sim_free(m->sim);
}

/* Makes or replaces a file; its folders too. */
static inline void
machine_put(struct machine *m, const char *path, struct bytes b)
{
    struct os_file *f;
    char folder[64];

    for (const char *at = strchr(path, '/'); at != NULL; at = strchr(at + 1, '/')) {
        (void)snprintf(folder, sizeof folder, "%.*s", (int)(at - path), path);
        (void)!os_make_dir(m->os, folder, NULL);
    }
    must(os_open(m->os, path, OS_WRITE | OS_CREATE, &f, NULL) == BASIN_OK);
    must(os_truncate(f, 0, NULL) == BASIN_OK);
    if (b.size)
        must(os_write(f, 0, b.data, b.size, NULL) == BASIN_OK);
    os_close(f);
}

/* ------------------------------------------------------------------ the template */

static inline void
machine_write(struct lsm *db, const char *key, const uint8_t *value, size_t n)
{
    const struct lsm_begin how = { .mode = LSM_WRITE };
    struct lsm_txn *txn;
    uint64_t seqno;

    must(lsm_begin(db, &how, &txn, NULL) == BASIN_OK);
    must(lsm_put(txn, bytes_of(key, strlen(key)), bytes_of(value, n), NULL) == BASIN_OK);
    must(lsm_commit(txn, true, &seqno, NULL) == BASIN_OK);
}

struct machine_listing {
    struct machine *m;
    const char *folder;
};

static inline basin_status
machine_keep(void *ctx, const char *name, basin_error *err)
{
    struct machine_listing *l = ctx;
    struct machine_file *f = &machine_template[machine_file_count++];
    struct bytes b;

    (void)err;
    must(machine_file_count <= MACHINE_FILES_MAX);
    (void)snprintf(f->path, sizeof f->path, "%s/%s", l->folder, name);
    must(os_sim_peek(l->m->sim, f->path, &b) == BASIN_OK);
    buf_init(&f->bytes, &base_malloc);
    must(buf_add(&f->bytes, b.data, b.size) == BASIN_OK);
    return BASIN_OK;
}

static inline void
machine_make_template(void)
{
    static const char *const folders[] = { "db/head", "db/log", "db/ckpt", "db/strata",
                                           "db/values" };
    struct machine m;
    struct lsm_options o;
    struct lsm *db;
    uint8_t value[300];
    uint64_t seqno;

    machine_init(&m);
    memset(value, 'v', sizeof value);
    o = machine_options(&m);
    o.must_exist = false;
    o.level0_runs = 8; /* two strata stay */
    must(lsm_open("db", &o, &db, NULL) == BASIN_OK);
    for (int i = 0; i < 2; i++) {
        machine_write(db, i ? "b" : "a", value, 20);
        machine_write(db, i ? "d" : "c", value, i ? sizeof value : 30);
        must(lsm_flush(db, NULL) == BASIN_OK);
        must(i > 0 || lsm_pin(db, "pin", "owner", &seqno, NULL) == BASIN_OK);
    }
    machine_write(db, "e", value, 10);
    must(lsm_close(db, NULL) == BASIN_OK);
    for (size_t i = 0; i < COUNT_OF(folders); i++) {
        struct machine_listing l = { &m, folders[i] };
        basin_status st = m.os->ops->list(m.os, folders[i], machine_keep, &l, NULL);
        must(st == BASIN_OK || st == BASIN_NOT_FOUND);
    }
    machine_release(&m);
}

/* The template's file whose path begins so; NULL when there is none. */
static inline struct machine_file *
machine_find(const char *path)
{
    if (machine_file_count == 0)
        machine_make_template();
    for (size_t i = 0; i < machine_file_count; i++)
        if (strncmp(machine_template[i].path, path, strlen(path)) == 0)
            return &machine_template[i];
    return NULL;
}

static inline const uint8_t *
machine_database_id(void)
{
    return machine_find("db/head/")->bytes.data + 16;
}

/* A machine with the template's files, but for those whose path begins with `without`. */
static inline void
machine_copy(struct machine *m, const char *without, const char *and_without)
{
    (void)machine_find("db/");
    machine_init(m);
    for (size_t i = 0; i < machine_file_count; i++) {
        const char *path = machine_template[i].path;
        if (strncmp(path, without, strlen(without)) != 0 &&
            strncmp(path, and_without, strlen(and_without)) != 0)
            machine_put(m, path, buf_bytes(&machine_template[i].bytes));
    }
}

/* ------------------------------------------------------------------ sealing */

/* Header of log/epoch: docs/format/log.md. Without a version it gets the newest. */
static inline void
machine_seal_log_header(uint8_t *h, uint64_t epoch)
{
    memcpy(h, "BASINLOG", 8);
    if (load_u32(h + 8) == 0)
        store_u32(h + 8, 3);
    memcpy(h + 16, machine_database_id(), 16);
    store_u64(h + 32, epoch);
    memcpy(h + 72, h + 40, 32);
    store_u64(h + 112, hash64(h, 72, 0));
    store_u64(h + 120, hash64(h, 120, 0));
}

/* Makes checks and checksums of the records right as far as their sizes make sense. */
static inline void
machine_seal_records(uint8_t *log, size_t size)
{
    uint64_t seed = hash64(log + 16, 56, 0x6261736E6C6F6721u);
    size_t at = MACHINE_LOG_HEADER;

    while (size - at >= 32) {
        uint64_t own = seed ^ (at * UINT64_C(0x9E3779B97F4A7C15));
        size_t n = load_u32(log + at + 8);
        if (n > size - at - 32)
            break;
        store_u32(log + at + 12, log[at + 12]);
        store_u32(log + at + 12, log[at + 12] | (uint32_t)(hash64(log + at + 8, 24, own) >> 40)
                                                    << 8);
        store_u64(log + at, hash64(log + at + 8, 24 + n, own));
        if (size - at - 32 - n < 8)
            break;
        at += (32 + n + 7) & ~(size_t)7;
    }
}

/* ------------------------------------------------------------------ reading everything */

/* What a reader sees: every pair, or the status that it gets instead; without the values when an
 * edit may lie about which value strata are used. */
static inline uint64_t
machine_digest(struct lsm *db, bool values)
{
    const struct lsm_begin how = { .mode = LSM_READ };
    const struct lsm_range all = { 0 };
    struct lsm_txn *txn;
    struct lsm_cursor *c;
    struct bytes value;
    uint64_t sum = 0;
    size_t steps = 0;
    basin_status st;

    must(lsm_begin(db, &how, &txn, NULL) == BASIN_OK);
    sum = lsm_txn_seqno(txn);
    must(lsm_cursor_open(txn, &all, &c, NULL) == BASIN_OK);
    for (st = lsm_cursor_first(c, NULL); st == BASIN_OK; st = lsm_cursor_next(c, NULL)) {
        struct bytes key = lsm_cursor_key(c);
        sum = hash64(key.data, key.size, sum);
        st = lsm_cursor_value(c, &value, NULL);
        if (!values)
            continue;
        sum = st == BASIN_OK ? hash64(value.data, value.size, sum) : sum + (uint64_t)st;
        must(++steps < MACHINE_STEPS_MAX);
    }
    sum += (uint64_t)st;
    lsm_cursor_close(c);
    lsm_abort(txn);
    return sum;
}

static inline void
machine_follow(struct lsm *db)
{
    struct lsm_feed *f;
    struct lsm_change change;
    size_t steps = 0;

    if (lsm_feed_open(db, 0, &f, NULL) != BASIN_OK)
        return;
    while (lsm_feed_next(f, &change, NULL) == BASIN_OK)
        must(++steps < MACHINE_STEPS_MAX);
    lsm_feed_close(f);
}

static inline void
machine_ignore_fault(void *ctx, const struct lsm_fault *fault)
{
    *(size_t *)ctx += strlen(fault->what);
}

static inline basin_status
machine_ignore_pair(void *ctx, const struct lsm_piece *p, basin_error *err)
{
    (void)err;
    *(size_t *)ctx += p->key.size + p->piece.size;
    return BASIN_OK;
}

/* Check and salvage end with a status, whatever the files are. */
static inline void
machine_care(struct machine *m, const struct lsm_options *options)
{
    size_t seen = 0;
    struct lsm_options o = *options;
    struct lsm_check_options how = { .deep = true, .fault = machine_ignore_fault, .ctx = &seen };

    o.must_exist = false;
    (void)!lsm_check("db", &o, &how, NULL);
    (void)!lsm_salvage("db", &o, &how, machine_ignore_pair, &seen, NULL);
    must(os_sim_handles(m->sim) == 0);
}

/* Opens and reads. What opened and closed well opens again and shows the same. */
static inline basin_status
machine_read(struct machine *m, const struct lsm_options *o, bool values)
{
    struct lsm *db;
    uint64_t first, again;
    basin_status st = lsm_open("db", o, &db, NULL);

    if (st != BASIN_OK)
        return st;
    first = machine_digest(db, values);
    machine_follow(db);
    st = lsm_close(db, NULL);
    if (st != BASIN_OK)
        return st;
    must(lsm_open("db", o, &db, NULL) == BASIN_OK);
    again = machine_digest(db, values);
    must(first == again);
    (void)!lsm_close(db, NULL);
    must(os_sim_handles(m->sim) == 0);
    return BASIN_OK;
}

#endif
