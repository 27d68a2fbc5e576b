// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The worked examples of the pages database, log, checkpoint and meta: a small history on a
 * simulated machine writes exactly the bytes of the pages, and from the bytes of the pages alone
 * comes back what the pages say. And the table of all versions.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "catalog/catalog.h"
#include "lsm/log_format.h"
#include "lsm/readers.h"
#include "lsm/version.h"
#include "model/document.h"
#include "stratum/stratum.h"
#include "tuple/tuple.h"

#define DATABASE_PAGE "docs/format/database.md"
#define LOG_PAGE "docs/format/log.md"
#define CHECKPOINT_PAGE "docs/format/checkpoint.md"
#define META_PAGE "docs/format/meta.md"

struct machine {
    struct os_sim *sim;
    struct os *os;
    struct lsm_options o;
    struct lsm *db;
    basin_error err;
};

static uint8_t secret[CODEC_KEY_SIZE];

#define works(m, call) works_at((m), (call), #call, __LINE__)

static void
works_at(struct machine *m, basin_status st, const char *call, int line)
{
    if (st != BASIN_OK)
        fail_msg("line %d: %s: %s: %s", line, call, basin_status_name(st), m->err.what);
}

static void
machine_init(struct machine *m, bool sealed)
{
    struct os_sim_options so = { .seed = 1, .mem = &base_malloc };

    *m = (struct machine){ 0 };
    works(m, os_sim_new(&so, &m->sim, &m->err));
    m->os = os_sim_os(m->sim);
    m->o = (struct lsm_options){ .os = m->os,
                                 .no_threads = true,
                                 .value_threshold = 64,
                                 .page_size = 1024,
                                 .codec = CODEC_ZSTD,
                                 .codec_level = 5 };
    for (size_t i = 0; i < sizeof secret; i++)
        secret[i] = (uint8_t)i;
    if (sealed)
        m->o.key = bytes_of(secret, sizeof secret);
}

static void
machine_release(struct machine *m)
{
    works(m, lsm_close(m->db, &m->err));
    assert_int_equal(os_sim_handles(m->sim), 0);
    os_sim_free(m->sim);
}

static void
machine_open(struct machine *m)
{
    works(m, lsm_open("db", &m->o, &m->db, &m->err));
}

static void
machine_close(struct machine *m)
{
    works(m, lsm_close(m->db, &m->err));
    m->db = NULL;
}

/* Head and store only. */
static struct lsm *
machine_open_stored(struct machine *m)
{
    struct lsm_options o = m->o;
    struct lsm *db;

    o.read_only = true;
    works(m, lsm__open_stored("db", &o, &db, &m->err));
    return db;
}

static struct bytes
machine_file(struct machine *m, const char *path)
{
    struct bytes b;

    works(m, os_sim_peek(m->sim, path, &b));
    return b;
}

/* A file of the bytes of a page. */
static void
machine_put(struct machine *m, const char *folder, const char *path, const char *page, unsigned n)
{
    struct os_file *f;
    struct buf b;
    basin_status st;

    buf_init(&b, &base_malloc);
    document_hex(page, n, &b);
    (void)!os_make_dir(m->os, "db", NULL);
    st = os_make_dir(m->os, folder, &m->err);
    assert_true(st == BASIN_OK || st == BASIN_EXISTS);
    works(m, os_open(m->os, path, OS_WRITE | OS_CREATE, &f, &m->err));
    works(m, os_write(f, 0, b.data, b.size, &m->err));
    os_close(f);
    buf_release(&b);
}

static void
expect_page(struct bytes have, const char *page, unsigned n)
{
    struct buf want;

    buf_init(&want, &base_malloc);
    document_hex(page, n, &want);
    document_expect(have, buf_bytes(&want));
    buf_release(&want);
}

/* ------------------------------------------------------------------ the history */

static void
put(struct machine *m, struct lsm_txn *txn, struct bytes key, struct bytes value)
{
    works(m, lsm_put(txn, key, value, &m->err));
}

/* Epoch 1: a commit of every kind of operation, and a pin. */
static void
first_epoch(struct machine *m)
{
    static const uint8_t five[] = { 1, 5, 0, 0, 0, 0, 0, 0, 0 };
    const struct lsm_begin how = { .mode = LSM_WRITE };
    struct lsm_txn *txn;
    uint64_t seqno;

    machine_open(m);
    works(m, lsm_begin(m->db, &how, &txn, &m->err));
    put(m, txn, BYTES_LIT("apple"), BYTES_LIT("red"));
    put(m, txn, BYTES_LIT("pear"), BYTES_NULL);
    works(m, lsm_delete(txn, BYTES_LIT("fig"), &m->err));
    works(m, lsm_merge(txn, BYTES_LIT("n"), LSM_OP_COUNTER, bytes_of(five, 9), &m->err));
    works(m, lsm_delete_range(txn, BYTES_LIT("b"), BYTES_LIT("c"), false, &m->err));
    works(m, lsm_delete_range(txn, BYTES_LIT("x"), BYTES_NULL, true, &m->err));
    works(m, lsm_commit(txn, true, &seqno, &m->err));
    assert_int_equal(seqno, 6);
    works(m, lsm_pin(m->db, "monday", "ann", &seqno, &m->err));
    machine_close(m);
}

static void
commit_one(struct machine *m, struct bytes key, struct bytes value)
{
    const struct lsm_begin how = { .mode = LSM_WRITE };
    struct lsm_txn *txn;
    uint64_t seqno;

    works(m, lsm_begin(m->db, &how, &txn, &m->err));
    put(m, txn, key, value);
    works(m, lsm_commit(txn, true, &seqno, &m->err));
    works(m, lsm_flush(m->db, &m->err));
}

/* Epoch 2: two flushes, of which one has a large value, a merge of both, a checkpoint. */
static void
second_epoch(struct machine *m)
{
    uint8_t large[100];

    memset(large, 'p', sizeof large);
    m->o.codec = CODEC_NONE; /* the bytes of the example depend on no library */
    machine_open(m);
    commit_one(m, BYTES_LIT("plum"), bytes_of(large, sizeof large));
    commit_one(m, BYTES_LIT("apple"), BYTES_LIT("green"));
    works(m, lsm_compact(m->db, NULL, &m->err));
    works(m, lsm__checkpoint(m->db, &m->err));
}

/* Bytes of log/1 up to its end. */
static struct bytes
log_of_first_epoch(struct machine *m)
{
    struct lsm *db = machine_open_stored(m);
    struct log_reader r;
    struct record record;
    struct bytes file;
    basin_status st;

    works(m, lsm__log_reader_open(db, (struct place){ 1, 0 }, &r, &m->err));
    while ((st = lsm__log_reader_next(&r, &record, &m->err)) == BASIN_OK)
        ;
    assert_int_equal(st, BASIN_END);
    file = machine_file(m, "db/log/1");
    assert_true(r.at <= file.size);
    for (uint64_t i = r.at; i < file.size; i++)
        assert_int_equal(file.data[i], 0);
    file.size = (size_t)r.at;
    lsm__log_reader_close(&r);
    works(m, lsm_close(db, &m->err));
    return file;
}

/* ------------------------------------------------------------------ written as shown */

static void
a_history_writes_the_bytes_of_the_pages(void **state)
{
    struct machine m;
    struct version *v;
    struct stratum *s;
    char name[64];

    (void)state;
    machine_init(&m, false);
    first_epoch(&m);
    expect_page(machine_file(&m, "db/head/0-1"), DATABASE_PAGE, 0);
    expect_page(log_of_first_epoch(&m), LOG_PAGE, 0);
    second_epoch(&m);
    (void)snprintf(name, sizeof name, "db/ckpt/%llu-%llu",
                   (unsigned long long)m.db->checkpoint.epoch,
                   (unsigned long long)m.db->checkpoint.at);
    v = lsm__version_get(m.db);
    assert_int_equal(v->stratum_count, 1);
    works(&m, lsm__stratum_use(v->strata[0], &s, &m.err));
    expect_page(stratum_meta(s), META_PAGE, 0);
    lsm__version_unref(v);
    expect_page(machine_file(&m, name), CHECKPOINT_PAGE, 0);
    machine_release(&m);
}

static void
a_sealed_head_is_written_as_shown(void **state)
{
    struct machine m;

    (void)state;
    machine_init(&m, true);
    machine_open(&m);
    expect_page(machine_file(&m, "db/head/0-1"), DATABASE_PAGE, 1);
    machine_release(&m);
}

/* ------------------------------------------------------------------ read as shown */

static void
gets_value(struct machine *m, struct lsm_txn *txn, struct bytes key, struct bytes want)
{
    struct bytes got;

    works(m, lsm_get(txn, key, &got, &m->err));
    assert_true(bytes_equal(got, want));
}

static void
head_and_log_of_the_pages_are_a_database(void **state)
{
    static const uint8_t five[] = { 0, 5, 0, 0, 0, 0, 0, 0, 0 };
    const struct lsm_begin how = { .mode = LSM_READ, .at_pin = "monday" };
    struct machine m;
    struct lsm_txn *txn;
    struct bytes got;

    (void)state;
    machine_init(&m, false);
    machine_put(&m, "db/head", "db/head/0-1", DATABASE_PAGE, 0);
    machine_put(&m, "db/log", "db/log/1", LOG_PAGE, 0);
    m.o.stored_codec = true;
    m.o.codec_level = 0;
    machine_open(&m);
    assert_int_equal(m.db->o.page_size, 1024);
    assert_int_equal(m.db->o.level_factor, 10);
    assert_int_equal(m.db->o.codec, CODEC_ZSTD);
    assert_int_equal(m.db->o.codec_level, 5);
    works(&m, lsm_begin(m.db, &how, &txn, &m.err));
    assert_int_equal(lsm_txn_seqno(txn), 6);
    gets_value(&m, txn, BYTES_LIT("apple"), BYTES_LIT("red"));
    gets_value(&m, txn, BYTES_LIT("pear"), BYTES_NULL);
    gets_value(&m, txn, BYTES_LIT("n"), bytes_of(five, 9));
    assert_int_equal(lsm_get(txn, BYTES_LIT("fig"), &got, &m.err), BASIN_NOT_FOUND);
    lsm_abort(txn);
    machine_release(&m);
}

static void
the_sealed_head_opens_with_its_key(void **state)
{
    struct machine m;
    struct lsm *db;

    (void)state;
    machine_init(&m, true);
    machine_put(&m, "db/head", "db/head/0-1", DATABASE_PAGE, 1);
    machine_open(&m);
    assert_true(m.db->encrypted);
    machine_close(&m);
    secret[0] ^= 1;
    assert_int_equal(lsm_open("db", &m.o, &db, &m.err), BASIN_WRONG_KEY);
    machine_release(&m);
}

static void
the_checkpoint_of_the_page_is_read(void **state)
{
    struct machine m;
    struct lsm *db;
    struct manifest manifest = { .mem = &base_malloc };
    const struct lsm_stratum *s;
    struct place at;
    struct buf page;

    (void)state;
    machine_init(&m, false);
    buf_init(&page, &base_malloc);
    document_hex(CHECKPOINT_PAGE, 0, &page);
    at = (struct place){ load_u64(page.data + 32), load_u64(page.data + 40) };
    char name[64];
    (void)snprintf(name, sizeof name, "db/ckpt/%llu-%llu", (unsigned long long)at.epoch,
                   (unsigned long long)at.at);
    machine_put(&m, "db/head", "db/head/0-1", DATABASE_PAGE, 0);
    machine_put(&m, "db/ckpt", name, CHECKPOINT_PAGE, 0);
    db = machine_open_stored(&m);
    db->without_key = false;
    works(&m, lsm__checkpoint_load(db, at, &manifest, &m.err));
    assert_int_equal(manifest.seqno, 8);
    assert_int_equal(manifest.stratum_count, 1);
    s = manifest.strata[0];
    assert_true(bytes_equal(buf_bytes(&s->first_key), BYTES_LIT("apple")));
    assert_int_equal(s->seqno_max, 8);
    assert_int_equal(s->use_count, 1);
    assert_int_equal(s->uses[0].count, 1);
    assert_true(s->stacked);
    assert_int_equal(manifest.pin_count, 1);
    assert_string_equal(manifest.pins[0].name, "monday");
    assert_string_equal(manifest.pins[0].owner, "ann");
    assert_int_equal(manifest.pins[0].seqno, 6);
    lsm__manifest_release(&manifest);
    works(&m, lsm_close(db, &m.err));
    buf_release(&page);
    machine_release(&m);
}

static void
the_note_of_the_page_is_read_and_written(void **state)
{
    struct stratum_note n;
    struct buf page, again;

    (void)state;
    buf_init(&page, &base_malloc);
    buf_init(&again, &base_malloc);
    document_hex(META_PAGE, 0, &page);
    assert_int_equal(lsm__note_get(buf_bytes(&page), &base_malloc, &n, NULL), BASIN_OK);
    assert_int_equal(n.part, 0);
    assert_true(n.last);
    assert_int_equal(n.use_count, 1);
    assert_int_equal(n.uses[0].count, 1);
    assert_int_equal(n.consumed_count, 2);
    assert_int_equal(lsm__note_put(&again, &n), BASIN_OK);
    document_expect(buf_bytes(&again), buf_bytes(&page));
    lsm__note_release(&base_malloc, &n);
    buf_release(&page);
    buf_release(&again);
}

/* ------------------------------------------------------------------ versions */

/* Every row of the table has its entry and every entry its row. */
static void
the_table_of_versions_is_what_the_code_writes(void **state)
{
    static const struct {
        const char *format, *magic;
        int version;
    } want[] = {
        { "database head", HEAD_MAGIC, LSM_FORMAT_VERSION },
        { "log", LOG_MAGIC, LOG_VERSION },
        { "checkpoint", CKPT_MAGIC, CKPT_VERSION },
        { "reader table", READERS_MAGIC, READERS_VERSION },
        { "stratum", STRATUM_MAGIC, STRATUM_VERSION },
        { "note in a stratum", "", NOTE_VERSION },
        { "value stratum", STRATUM_VALUE_MAGIC, STRATUM_VALUE_VERSION },
        { "merge operands", "", LSM_OPERANDS_VERSION },
        { "keys", "", TUPLE_VERSION },
        { "catalog", "", CATALOG_VERSION },
    };
    struct document d;
    struct document_row row;
    size_t seen = 0;
    char version[16];

    (void)state;
    document_open(&d, "docs/format/README.md");
    while (document_next(&d, &row)) {
        assert_true(seen < COUNT_OF(want));
        assert_int_equal(row.count, 4);
        assert_string_equal(row.cells[0], want[seen].format);
        assert_string_equal(row.cells[1], want[seen].magic);
        (void)snprintf(version, sizeof version, "%d", want[seen].version);
        assert_string_equal(row.cells[2], version);
        seen++;
    }
    assert_int_equal(seen, COUNT_OF(want));
    document_close(&d);
}

/* The newest row of each page's table of versions is the version that is written. */
static void
each_page_ends_its_history_with_the_version(void **state)
{
    static const struct {
        const char *page;
        int version;
    } want[] = {
        { DATABASE_PAGE, LSM_FORMAT_VERSION },
        { LOG_PAGE, LOG_VERSION },
        { CHECKPOINT_PAGE, CKPT_VERSION },
        { META_PAGE, NOTE_VERSION },
        { "docs/format/readers.md", READERS_VERSION },
        { "docs/format/stratum.md", STRATUM_VERSION },
        { "docs/format/value-stratum.md", STRATUM_VALUE_VERSION },
        { "docs/format/operators.md", LSM_OPERANDS_VERSION },
        { "docs/format/tuple.md", TUPLE_VERSION },
        { "docs/format/catalog.md", CATALOG_VERSION },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(want); i++) {
        struct document d;
        struct document_row row;
        int newest = -1;
        document_open(&d, want[i].page);
        while (document_next(&d, &row) && strcmp(row.head, "version") == 0)
            assert_int_equal(sscanf(row.cells[0], "%d", &newest), 1);
        if (newest != want[i].version)
            fail_msg("%s: version %d, the code writes %d", want[i].page, newest, want[i].version);
        document_close(&d);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_history_writes_the_bytes_of_the_pages),
        cmocka_unit_test(a_sealed_head_is_written_as_shown),
        cmocka_unit_test(head_and_log_of_the_pages_are_a_database),
        cmocka_unit_test(the_sealed_head_opens_with_its_key),
        cmocka_unit_test(the_checkpoint_of_the_page_is_read),
        cmocka_unit_test(the_note_of_the_page_is_read_and_written),
        cmocka_unit_test(the_table_of_versions_is_what_the_code_writes),
        cmocka_unit_test(each_page_ends_its_history_with_the_version),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
