// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * An encrypted database: nothing of keys and values can be read in its files at any time, the
 * stored bytes are checked without the key, a changed passphrase rewrites no data, and no salt
 * comes twice. Cases: EC50; decisions 27 and 28.
 */
#include "lsm/plain.h"

#include <dirent.h>
#include <sys/stat.h>

static const char *const folders[] = { "", "/strata", "/values", "/log", "/ckpt", "/head", "/tmp" };
static const char key_mark[] = "PLAINTEXTKEY", value_mark[] = "PLAINTEXTVALUE";
static const uint8_t secret[CODEC_KEY_SIZE] = "thirty-two bytes, not so secret";

static struct ledger l;

static int
setup(void **state)
{
    (void)state;
    ledger_init(&l, 1);
    l.o.key = bytes_of(secret, sizeof secret);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    if (l.db != NULL)
        ledger_close(&l);
    ledger_release(&l);
    return 0;
}

/* ------------------------------------------------------------------ files */

typedef void file_fn(void *ctx, const char *folder, const char *path, struct bytes content);

static struct bytes
read_all(const char *path)
{
    struct stat s;
    FILE *f = fopen(path, "rb");
    uint8_t *p;

    if (f == NULL)
        return BYTES_NULL;
    assert_int_equal(fstat(fileno(f), &s), 0);
    p = malloc((size_t)s.st_size + 1);
    assert_non_null(p);
    assert_int_equal(fread(p, 1, (size_t)s.st_size, f), s.st_size);
    (void)fclose(f);
    return bytes_of(p, (size_t)s.st_size);
}

static void
each_file(const char *at, file_fn *fn, void *ctx)
{
    char path[SCRATCH_PATH_MAX + 300];
    struct dirent *e;
    struct stat s;

    for (size_t i = 0; i < COUNT_OF(folders); i++) {
        (void)snprintf(path, sizeof path, "%s%s", at, folders[i]);
        DIR *dir = opendir(path);
        while (dir != NULL && (e = readdir(dir)) != NULL) {
            (void)snprintf(path, sizeof path, "%s%s/%s", at, folders[i], e->d_name);
            if (stat(path, &s) != 0 || !S_ISREG(s.st_mode))
                continue;
            struct bytes content = read_all(path);
            fn(ctx, folders[i], path, content);
            free((void *)(uintptr_t)content.data);
        }
        if (dir != NULL)
            (void)closedir(dir);
    }
}

struct search {
    size_t files, found;
    uint64_t bytes;
};

static void
look_for_marks(void *ctx, const char *folder, const char *path, struct bytes content)
{
    struct search *s = ctx;

    (void)folder;
    (void)path;
    s->files++;
    s->bytes += content.size;
    if (content.size == 0)
        return;
    if (memmem(content.data, content.size, key_mark, sizeof key_mark - 1) != NULL ||
        memmem(content.data, content.size, value_mark, sizeof value_mark - 1) != NULL)
        s->found++;
}

static size_t
marks(void)
{
    struct search s = { 0 };

    each_file(l.path, look_for_marks, &s);
    assert_true(s.files > 2 && s.bytes > 0);
    return s.found;
}

/* ------------------------------------------------------------------ writing marks */

static void
mark_pair(unsigned i, char key[40], char value[120])
{
    (void)snprintf(key, 40, "%s%08u", key_mark, i);
    (void)snprintf(value, 120, "%s%u, %s", value_mark, i, value_mark);
}

static void
put_marks(unsigned from, unsigned count)
{
    struct lsm_txn *txn = plain_begin(&l, LSM_WRITE);
    char key[40], value[120];
    struct bytes got;

    for (unsigned i = from; i < from + count; i++) {
        mark_pair(i, key, value);
        ledger_ok(&l, lsm_put(txn, text(key), text(value), &l.err));
    }
    ledger_ok(&l, lsm_get(txn, text(key), &got, &l.err)); /* builds its index, too */
    ledger_ok(&l, lsm_merge(txn, text(key_mark), LSM_OP_APPEND, text(value_mark), &l.err));
    ledger_ok(&l,
              lsm_delete_range(txn, text("PLAINTEXTKEYx"), text("PLAINTEXTKEYy"), false, &l.err));
    (void)plain_commit(&l, txn);
}

/* Out of line, in pieces; the files are looked at while the stream is open, too. */
static size_t
stream_marks(void)
{
    struct lsm_txn *txn = plain_begin(&l, LSM_WRITE);
    struct lsm_stream *s;
    size_t found;

    ledger_ok(&l, lsm_stream_open(txn, text("PLAINTEXTKEY-large"), &s, &l.err));
    for (unsigned i = 0; i < 20000; i++)
        ledger_ok(&l, lsm_stream_write(s, text(value_mark), &l.err));
    found = marks();
    ledger_ok(&l, lsm_stream_close(s, &l.err));
    (void)plain_commit(&l, txn);
    return found + marks();
}

/* Sorted pieces of a load lie in files until it ends. */
static size_t
load_marks(void)
{
    struct lsm_load *load;
    char key[40], value[120];
    uint64_t seqno;
    size_t found;

    ledger_ok(&l,
              lsm_load_open(l.db, &(struct lsm_load_options){ .unsorted = true }, &load, &l.err));
    for (unsigned i = 0; i < 5000; i++) {
        mark_pair(100000 + i * 7919 % 5000, key, value);
        ledger_ok(&l, lsm_load_add(load, text(key), text(value), &l.err));
    }
    found = marks();
    ledger_ok(&l, lsm_load_commit(load, &seqno, &l.err));
    return found + marks();
}

/* A transaction that is larger than its share of memory, where it may be. */
static size_t
large_transaction(void)
{
    struct lsm_txn *txn = plain_begin(&l, LSM_WRITE);
    char key[40], value[120];
    size_t found;

    for (unsigned i = 0; i < 12000; i++) {
        mark_pair(200000 + i, key, value);
        ledger_ok(&l, lsm_put(txn, text(key), text(value), &l.err));
    }
    found = marks();
    (void)plain_commit(&l, txn);
    return found + marks();
}

static size_t
fill_with_marks(void)
{
    uint64_t seqno;
    size_t found = 0;

    for (unsigned i = 0; i < 10; i++) {
        put_marks(i * 200, 300);
        found += marks();
    }
    ledger_ok(&l, lsm_pin(l.db, "p", "me", &seqno, &l.err));
    found += stream_marks() + load_marks() + large_transaction();
    plain_flush(&l);
    ledger_ok(&l, lsm__checkpoint(l.db, &l.err));
    found += marks();
    plain_compact(&l);
    found += marks();
    ledger_close(&l);
    found += marks();
    return found;
}

static void
ec50_d28_no_file_shows_a_key_or_a_value(void **state)
{
    (void)state;
    ledger_open(&l);
    assert_int_equal(fill_with_marks(), 0);
    ledger_open(&l);
    assert_int_equal(marks(), 0);
    plain_now(&l, "PLAINTEXTKEY00000001", "PLAINTEXTVALUE1, PLAINTEXTVALUE");
}

/* The same search finds them where nothing is sealed. */
static void
d28_the_search_finds_what_is_not_sealed(void **state)
{
    (void)state;
    l.o.key = BYTES_NULL;
    ledger_open(&l);
    assert_true(fill_with_marks() > 10);
}

/* ------------------------------------------------------------------ secrets */

static void
ec50_d28_the_wrong_key_is_told_and_bytes_are_checked_without_one(void **state)
{
    struct lsm_check_options deep = { .deep = true };
    uint8_t wrong[CODEC_KEY_SIZE] = { 0 };
    struct lsm_options none = l.o;
    struct lsm *db;

    (void)state;
    ledger_open(&l);
    put_marks(0, 2000);
    plain_compact(&l);
    ledger_close(&l);
    none.key = BYTES_NULL;
    ledger_status(&l, lsm_open(l.path, &none, &db, &l.err), BASIN_WRONG_KEY);
    ledger_ok(&l, lsm_check(l.path, &none, &deep, &l.err));
    none.key = bytes_of(wrong, sizeof wrong);
    ledger_status(&l, lsm_open(l.path, &none, &db, &l.err), BASIN_WRONG_KEY);
    none.key = BYTES_NULL;
    none.passphrase = text("guess");
    ledger_status(&l, lsm_open(l.path, &none, &db, &l.err), BASIN_WRONG_KEY);
    none.read_only = true;
    ledger_status(&l, lsm_open(l.path, &none, &db, &l.err), BASIN_WRONG_KEY);
}

struct sums {
    uint64_t sum, files;
};

static void
add_sum(void *ctx, const char *folder, const char *path, struct bytes content)
{
    struct sums *s = ctx;

    if (strcmp(folder, "/strata") != 0 && strcmp(folder, "/values") != 0 &&
        strcmp(folder, "/log") != 0 && strcmp(folder, "/ckpt") != 0)
        return;
    s->sum += hash64(path, strlen(path), hash64(content.data, content.size, 0));
    s->files++;
}

static void
d28_another_passphrase_rewrites_no_data(void **state)
{
    struct lsm_options from = l.o;
    struct sums before = { 0 }, after = { 0 };
    struct lsm *db;

    (void)state;
    ledger_open(&l);
    put_marks(0, 2000);
    plain_flush(&l);
    put_marks(2000, 10);
    ledger_close(&l);
    each_file(l.path, add_sum, &before);
    l.o.key = BYTES_NULL;
    l.o.passphrase = text("correct horse");
    l.o.kdf = (struct codec_cost){ 1, 64 };
    ledger_ok(&l, lsm_rekey(l.path, &from, &l.o, &l.err));
    each_file(l.path, add_sum, &after);
    assert_true(before.files >= 2);
    assert_int_equal(before.files, after.files);
    assert_int_equal(before.sum, after.sum);
    ledger_status(&l, lsm_open(l.path, &from, &db, &l.err), BASIN_WRONG_KEY);
    ledger_open(&l);
    plain_now(&l, "PLAINTEXTKEY00000001", "PLAINTEXTVALUE1, PLAINTEXTVALUE");
}

/* ------------------------------------------------------------------ decision 27 */

enum { SALTS_MAX = 4000 };
struct salts {
    uint8_t salt[SALTS_MAX][CODEC_SALT_SIZE];
    uint64_t content[SALTS_MAX]; /* of the file: copies of one object count once */
    size_t count;
};

/* Where docs/format says that an object keeps its salt. */
static void
add_salt(void *ctx, const char *folder, const char *path, struct bytes content)
{
    struct salts *s = ctx;
    size_t at;

    (void)path;
    if (strcmp(folder, "/strata") == 0 || strcmp(folder, "/values") == 0)
        at = content.size - STRATUM_FOOTER_SIZE + 16;
    else if (strcmp(folder, "/log") == 0)
        at = 40;
    else if (strcmp(folder, "/ckpt") == 0)
        at = 48;
    else
        return;
    assert_true(s->count < SALTS_MAX && at + CODEC_SALT_SIZE <= content.size);
    memcpy(s->salt[s->count], content.data + at, CODEC_SALT_SIZE);
    s->content[s->count++] = hash64(content.data, at + CODEC_SALT_SIZE, 0);
}

static void
work_once(const char *path)
{
    char own[SCRATCH_PATH_MAX];

    memcpy(own, l.path, sizeof own);
    if (path != l.path)
        (void)snprintf(l.path, sizeof l.path, "%s", path);
    ledger_open(&l);
    put_marks(0, 300);
    plain_flush(&l);
    put_marks(100, 300);
    (void)stream_marks();
    plain_compact(&l);
    put_marks(50, 10);
    ledger_close(&l);
    memcpy(l.path, own, sizeof own);
}

static void
d27_no_salt_comes_twice(void **state)
{
    struct salts *s = calloc(1, sizeof *s);
    char copy[SCRATCH_PATH_MAX], command[2 * SCRATCH_PATH_MAX + 32];
    static const uint8_t none[CODEC_SALT_SIZE];

    (void)state;
    assert_non_null(s);
    l.o.value_threshold = 2000;
    for (int run = 0; run < 4; run++) /* each opening is a new epoch */
        work_once(l.path);
    scratch_make(copy);
    (void)snprintf(command, sizeof command, "cp -a '%s/.' '%s'", l.path, copy);
    assert_int_equal(system(command), 0);
    for (int run = 0; run < 2; run++) { /* the same work goes on in both */
        work_once(l.path);
        work_once(copy);
    }
    each_file(l.path, add_salt, s);
    each_file(copy, add_salt, s);
    assert_true(s->count >= 8);
    for (size_t i = 0; i < s->count; i++) {
        assert_memory_not_equal(s->salt[i], none, CODEC_SALT_SIZE);
        for (size_t k = i + 1; k < s->count; k++)
            if (memcmp(s->salt[i], s->salt[k], CODEC_SALT_SIZE) == 0)
                assert_int_equal(s->content[i], s->content[k]); /* one object and its copy */
    }
    scratch_remove(copy);
    free(s);
}

/* ------------------------------------------------------------------ maps */

static size_t
mapped_objects(void)
{
    char line[SCRATCH_PATH_MAX + 256];
    FILE *f = fopen("/proc/self/maps", "r");
    size_t n = 0;

    assert_non_null(f);
    while (fgets(line, sizeof line, f) != NULL)
        n += strstr(line, l.path) != NULL &&
             (strstr(line, "/strata/") != NULL || strstr(line, "/values/") != NULL);
    (void)fclose(f);
    return n;
}

static size_t
mapped_after_reads(bool read_only)
{
    struct bytes got;
    struct lsm_txn *txn;
    size_t n;

    l.o.read_only = read_only;
    ledger_open(&l);
    txn = plain_begin(&l, LSM_READ);
    ledger_ok(&l, lsm_get(txn, text("PLAINTEXTKEY-large"), &got, &l.err));
    ledger_ok(&l, lsm_get(txn, text("PLAINTEXTKEY00000001"), &got, &l.err));
    n = mapped_objects();
    lsm_abort(txn);
    ledger_close(&l);
    l.db = NULL;
    l.o.read_only = false;
    return n;
}

/* What is plain is mapped, unless that is not wanted. */
static void
d28_what_is_encrypted_is_never_mapped(void **state)
{
    (void)state;
    for (int encrypted = 1; encrypted >= 0; encrypted--) {
        if (!encrypted) {
            ledger_release(&l);
            ledger_init(&l, 1);
        }
        ledger_open(&l);
        put_marks(0, 100);
        (void)stream_marks();
        plain_flush(&l);
        ledger_close(&l);
        assert_int_equal(mapped_after_reads(false) > 0, !encrypted);
        assert_int_equal(mapped_after_reads(true) > 0, !encrypted);
    }
    l.o.no_map = true;
    assert_int_equal(mapped_after_reads(false), 0);
    assert_int_equal(mapped_after_reads(true), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ec50_d28_no_file_shows_a_key_or_a_value, setup, teardown),
        cmocka_unit_test_setup_teardown(d28_the_search_finds_what_is_not_sealed, setup, teardown),
        cmocka_unit_test_setup_teardown(
            ec50_d28_the_wrong_key_is_told_and_bytes_are_checked_without_one, setup, teardown),
        cmocka_unit_test_setup_teardown(d28_another_passphrase_rewrites_no_data, setup, teardown),
        cmocka_unit_test_setup_teardown(d27_no_salt_comes_twice, setup, teardown),
        cmocka_unit_test_setup_teardown(d28_what_is_encrypted_is_never_mapped, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
