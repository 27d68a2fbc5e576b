// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/* What a database keeps of how it was made, and that small value strata come to rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "lsm/internal.h"
#include "lsm/version.h"
#include "model/scratch.h"

struct home {
    char path[SCRATCH_PATH_MAX];
    struct lsm_options o;
    struct lsm *db;
    basin_error err;
};

#define works(h, call) works_at((h), (call), #call, __LINE__)

static void
works_at(struct home *h, basin_status st, const char *call, int line)
{
    if (st != BASIN_OK)
        fail_msg("line %d: %s: %s: %s", line, call, basin_status_name(st), h->err.what);
}

static void
home_init(struct home *h)
{
    *h = (struct home){ 0 };
    scratch_make(h->path);
    h->o.no_threads = true;
}

static void
home_open(struct home *h)
{
    works(h, lsm_open(h->path, &h->o, &h->db, &h->err));
}

static void
home_close(struct home *h)
{
    works(h, lsm_close(h->db, &h->err));
    h->db = NULL;
}

static void
put(struct home *h, const char *key, uint8_t fill, size_t n)
{
    const struct lsm_begin how = { .mode = LSM_WRITE };
    struct lsm_txn *txn;
    uint8_t *value = malloc(n);
    uint64_t seqno;

    assert_non_null(value);
    memset(value, fill, n);
    works(h, lsm_begin(h->db, &how, &txn, &h->err));
    works(h, lsm_put(txn, bytes_of(key, strlen(key)), bytes_of(value, n), &h->err));
    works(h, lsm_commit(txn, true, &seqno, &h->err));
    works(h, lsm_flush(h->db, &h->err));
    free(value);
}

/* Size of the newest stratum, which holds 20000 like bytes: compressed it is small. */
static uint64_t
size_of_newest(struct home *h)
{
    struct version *v = lsm__version_get(h->db);
    uint64_t size = 0, newest = 0;

    for (size_t i = 0; i < v->stratum_count; i++) {
        if (v->strata[i]->seqno_max >= newest) {
            newest = v->strata[i]->seqno_max;
            size = v->strata[i]->size;
        }
    }
    lsm__version_unref(v);
    return size;
}

/* Puts with these options; whether the stratum that came of it is compressed. */
static bool
writes_compressed(struct home *h, bool stored, enum codec_id codec)
{
    uint64_t size;

    h->o.stored_codec = stored;
    h->o.codec = codec;
    home_open(h);
    put(h, "k", 7, 20000);
    size = size_of_newest(h);
    home_close(h);
    assert_true(size < 3000 || size > 20000);
    return size < 3000;
}

static void
the_codec_of_the_creation_counts_when_none_is_named(void **state)
{
    struct home h;

    (void)state;
    home_init(&h);
    assert_true(writes_compressed(&h, false, CODEC_LZ4));
    assert_true(writes_compressed(&h, true, CODEC_NONE));
    assert_false(writes_compressed(&h, false, CODEC_NONE)); /* for this opening only */
    assert_true(writes_compressed(&h, true, CODEC_NONE));
    scratch_remove(h.path);
}

static void
level_and_codec_survive_a_change_of_the_secret(void **state)
{
    static const uint8_t one[CODEC_KEY_SIZE] = { 1 }, two[CODEC_KEY_SIZE] = { 2 };
    struct home h;
    struct lsm_options to = { 0 };

    (void)state;
    home_init(&h);
    h.o.key = bytes_of(one, sizeof one);
    h.o.codec = CODEC_ZSTD;
    h.o.codec_level = 9;
    home_open(&h);
    home_close(&h);
    h.o.codec = CODEC_NONE; /* what this opening writes with is not what is stored */
    to.key = bytes_of(two, sizeof two);
    works(&h, lsm_rekey(h.path, &h.o, &to, &h.err));
    h.o.key = to.key;
    h.o.stored_codec = true;
    h.o.codec_level = 0;
    home_open(&h);
    assert_int_equal(h.db->o.codec, CODEC_ZSTD);
    assert_int_equal(h.db->o.codec_level, 9);
    home_close(&h);
    scratch_remove(h.path);
}

static void
a_repaired_copy_has_the_settings_of_the_damaged(void **state)
{
    struct home h;
    struct lsm_check_options how = { 0 };
    char to[SCRATCH_PATH_MAX + 8];

    (void)state;
    home_init(&h);
    h.o.page_size = 1024;
    h.o.codec = CODEC_LZ4;
    home_open(&h);
    put(&h, "k", 7, 100);
    home_close(&h);
    h.o = (struct lsm_options){ .no_threads = true, .stored_codec = true };
    (void)snprintf(to, sizeof to, "%s/copy", h.path);
    works(&h, lsm_repair(h.path, to, &h.o, &how, &h.err));
    works(&h, lsm_open(to, &h.o, &h.db, &h.err));
    assert_int_equal(h.db->o.codec, CODEC_LZ4);
    assert_int_equal(h.db->o.page_size, 1024);
    home_close(&h);
    scratch_remove(h.path);
}

/* A value stratum smaller than its footer is not half dead: merging comes to an end. */
static void
a_small_value_stratum_is_not_rewritten_for_ever(void **state)
{
    struct home h;
    bool more = true;
    struct lsm_stats stats;

    (void)state;
    home_init(&h);
    h.o.value_threshold = 1000;
    h.o.codec = CODEC_LZ4; /* 1000 like bytes are a few stored ones */
    home_open(&h);
    put(&h, "a", 7, 1000);
    put(&h, "b", 7, 10);
    for (int i = 0; i < 100 && more; i++)
        works(&h, lsm_pump(h.db, &more, &h.err));
    assert_false(more);
    works(&h, lsm_stat(h.db, &stats, &h.err));
    assert_int_equal(stats.value_dead_bytes, 0);
    assert_int_equal(stats.merges, 0);
    home_close(&h);
    scratch_remove(h.path);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_codec_of_the_creation_counts_when_none_is_named),
        cmocka_unit_test(level_and_codec_survive_a_change_of_the_secret),
        cmocka_unit_test(a_repaired_copy_has_the_settings_of_the_damaged),
        cmocka_unit_test(a_small_value_stratum_is_not_rewritten_for_ever),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
