// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * A full disk (decision 16): writers are told, and everything that makes room goes on. The same
 * stories on a simulated machine with a small disk, and with threads on a real file system of a few
 * MiB, which is mounted in a name space of the test's own.
 */
#include <stdlib.h>

#include "lsm/crash.h"

enum { KEYS = 60000, NEVER = 0xFFFF, FILL_PIECE = 64 * 1024 };

/* What every key is: the number of its write, or NEVER. */
struct disk {
    struct test_memory memory;
    struct os_sim *sim; /* NULL: a mounted one */
    struct os *os;
    char path[SCRATCH_PATH_MAX + 8];
    char filler[SCRATCH_PATH_MAX + 8];
    struct lsm_options o;
    struct lsm *db;
    uint16_t writes[KEYS];
    uint16_t round;
    unsigned keys; /* written ones are below */
    size_t value_size;
    uint8_t *value;
    basin_error err;
};

static const char *mounted; /* where the real small disk is */

#define ok(d, call) expect((d), (call), BASIN_OK, #call, __LINE__)
#define is(d, call, want) expect((d), (call), (want), #call, __LINE__)

static void
expect(struct disk *d, basin_status st, basin_status want, const char *call, int line)
{
    if (st == want)
        return;
    print_error("%s: %s, not %s: %s\n", call, basin_status_name(st), basin_status_name(want),
                st == BASIN_OK ? "" : d->err.what);
    _fail(__FILE__, line);
}

static struct bytes
key_of(unsigned i, char to[16])
{
    return bytes_of(to, (size_t)snprintf(to, 16, "key %06u", (i * 7919u) % KEYS));
}

static struct bytes
value_of(struct disk *d, unsigned i, uint16_t round)
{
    uint64_t x = i * UINT64_C(0x9E3779B97F4A7C15) + round;

    for (size_t k = 0; k < d->value_size; k += 8) {
        x = x * UINT64_C(6364136223846793005) + 1442695040888963407u;
        store_u64(d->value + k, x);
    }
    return bytes_of(d->value, d->value_size);
}

/* ------------------------------------------------------------------ the machine */

static void
disk_open(struct disk *d)
{
    ok(d, lsm_open(d->path, &d->o, &d->db, &d->err));
}

static void
disk_close(struct disk *d)
{
    struct lsm *db = d->db;

    d->db = NULL;
    ok(d, lsm_close(db, &d->err));
    assert_int_equal(d->memory.live, 0);
}

static struct disk *
disk_new(bool real, uint64_t bytes, size_t value_size, bool maps)
{
    struct disk *d = calloc(1, sizeof *d);
    struct os_sim_options so = { .seed = 7, .maps = maps, .space_max = bytes, .mem = &base_malloc };

    assert_non_null(d);
    test_memory_init(&d->memory);
    memset(d->writes, 0xFF, sizeof d->writes);
    d->value_size = value_size;
    d->value = malloc(value_size + 8);
    assert_non_null(d->value);
    d->os = os_posix();
    if (!real) {
        ok(d, os_sim_new(&so, &d->sim, &d->err));
        d->os = os_sim_os(d->sim);
    }
    (void)snprintf(d->path, sizeof d->path, "%s%sdb", real ? mounted : "", real ? "/" : "");
    (void)snprintf(d->filler, sizeof d->filler, "%s%sfill", real ? mounted : "", real ? "/" : "");
    d->o = (struct lsm_options){ .mem = &d->memory.table,
                                 .os = d->os,
                                 .no_threads = !real,
                                 .mem_limit = 8 * MIB,
                                 .memtable_size = 256 * KIB,
                                 .stratum_size = 512 * KIB,
                                 .value_threshold = 64 * KIB,
                                 .level_factor = 4,
                                 .codec = CODEC_NONE };
    disk_open(d);
    return d;
}

static basin_status
remove_name(void *ctx, const char *name, basin_error *err)
{
    struct disk *d = ctx;
    char path[OS_PATH_MAX];

    (void)!os_join(path, d->path, name, err);
    if (os_unlink(d->os, path, NULL) != BASIN_OK)
        scratch_remove(path);
    return BASIN_OK;
}

static void
disk_free(struct disk *d)
{
    if (d->db != NULL)
        disk_close(d);
    if (d->sim != NULL)
        os_sim_free(d->sim);
    else
        ok(d, os_list(d->os, d->path, remove_name, d, &d->err));
    free(d->value);
    free(d);
}

/* Somebody else takes all the room that there is. */
static void
fill_up(struct disk *d)
{
    struct os_file *f;
    uint64_t size = 0;
    static const uint8_t piece[FILL_PIECE];

    ok(d, os_open(d->os, d->filler, OS_WRITE | OS_CREATE, &f, &d->err));
    for (size_t n = sizeof piece; n >= 4096; n = n > 4096 ? 4096 : 0)
        for (; os_write(f, size, piece, n, NULL) == BASIN_OK; size += n)
            ;
    os_close(f);
}

static void
make_room(struct disk *d)
{
    ok(d, os_unlink(d->os, d->filler, &d->err));
}

/* ------------------------------------------------------------------ the stories */

static basin_status
put_some(struct disk *d, unsigned from, unsigned count, bool durable)
{
    basin_status st;
    struct lsm_txn *txn = NULL;
    char key[16];

    TRY(lsm_begin(d->db, &(struct lsm_begin){ .mode = LSM_WRITE }, &txn, &d->err));
    for (unsigned i = from; i < from + count; i++)
        TRY(lsm_put(txn, key_of(i, key), value_of(d, i, d->round), &d->err));
    st = lsm_commit(txn, durable, NULL, &d->err);
    txn = NULL;
    TRY(st);
    for (unsigned i = from; i < from + count; i++)
        d->writes[i] = d->round;
    d->keys = MAX_OF(d->keys, from + count);
out:
    lsm_abort(txn);
    return st;
}

/* Puts until the disk is full; returns how many commits went in. */
static unsigned
put_until_full(struct disk *d, unsigned count)
{
    basin_status st;
    unsigned n = 0;

    for (unsigned at = d->keys;; at += count, n++) {
        assert_true(at + count <= KEYS);
        st = put_some(d, at, count, n % 16 == 0);
        if (st != BASIN_OK)
            break;
    }
    is(d, st, BASIN_NO_SPACE);
    assert_int_equal(d->err.status, BASIN_NO_SPACE);
    if (strstr(d->err.what, "full") == NULL && d->err.hint[0] == 0)
        fail_msg("'%s' (%s) does not tell what to do", d->err.what, d->err.hint);
    return n;
}

/* Every key with i % of == at, `batch` in a commit. */
static void
delete_some(struct disk *d, unsigned of, unsigned at, unsigned batch)
{
    char key[16];

    for (unsigned i = at; i < d->keys;) {
        struct lsm_txn *txn;
        ok(d, lsm_begin(d->db, &(struct lsm_begin){ .mode = LSM_WRITE }, &txn, &d->err));
        for (unsigned n = 0; n < batch && i < d->keys; n++, i += of) {
            ok(d, lsm_delete(txn, key_of(i, key), &d->err));
            d->writes[i] = NEVER;
        }
        ok(d, lsm_commit(txn, true, NULL, &d->err));
    }
}

static void
delete_all(struct disk *d)
{
    struct lsm_txn *txn;

    ok(d, lsm_begin(d->db, &(struct lsm_begin){ .mode = LSM_WRITE }, &txn, &d->err));
    ok(d, lsm_delete_range(txn, bytes_of("key", 3), BYTES_NULL, true, &d->err));
    ok(d, lsm_commit(txn, true, NULL, &d->err));
    memset(d->writes, 0xFF, sizeof d->writes);
}

static void
verify(struct disk *d)
{
    struct lsm_txn *txn;
    struct bytes got;
    char key[16];

    ok(d, lsm_begin(d->db, &(struct lsm_begin){ .mode = LSM_READ }, &txn, &d->err));
    for (unsigned i = 0; i < d->keys; i++) {
        basin_status st = lsm_get(txn, key_of(i, key), &got, &d->err);
        is(d, st, d->writes[i] == NEVER ? BASIN_NOT_FOUND : BASIN_OK);
        if (st == BASIN_OK)
            assert_true(bytes_equal(got, value_of(d, i, d->writes[i])));
    }
    lsm_abort(txn);
}

static void
reopen(struct disk *d)
{
    disk_close(d);
    disk_open(d);
    verify(d);
}

/* The disk is full, the half goes, and there is room again; twice. */
static void
half_goes(struct disk *d, unsigned count)
{
    unsigned filled = put_until_full(d, count), again;

    assert_true(filled > 20);
    for (unsigned n = 0; n < 2; n++) {
        (void)!put_some(d, d->keys, count, true);
        verify(d);
        delete_some(d, 2, n % 2, 50);
        ok(d, lsm_compact(d->db, NULL, &d->err));
        reopen(d);
        d->round++;
        again = put_until_full(d, count);
        if (again <= filled / 5)
            fail_msg("%u commits fit, then %u after half was deleted", filled, again);
    }
    delete_all(d);
    ok(d, lsm_compact(d->db, NULL, &d->err));
    reopen(d);
    again = put_until_full(d, count);
    if (again <= filled / 5)
        fail_msg("%u commits fit, then %u after all was deleted", filled, again);
    verify(d);
}

static void
half_goes_sim(void **state)
{
    struct disk *d;

    (void)state;
    for (unsigned maps = 0; maps < 2; maps++) {
        d = disk_new(false, 8 * MIB, 480, maps);
        half_goes(d, 20);
        disk_free(d);
    }
}

static void
half_goes_real(void **state)
{
    struct disk *d;

    (void)state;
    d = disk_new(true, 0, 1200, true);
    half_goes(d, 20);
    disk_free(d);
}

static void
large_values(bool real)
{
    struct disk *d = disk_new(real, 40 * MIB, MIB, true);
    unsigned filled = put_until_full(d, 1), again;

    assert_true(filled > 8);
    verify(d);
    for (unsigned n = 0; n < 2; n++) {
        delete_some(d, 2, n % 2, 1);
        ok(d, lsm_compact(d->db, NULL, &d->err));
        reopen(d);
        again = put_until_full(d, 1);
        if (again < filled / 3)
            fail_msg("%u values fit, then %u after half was deleted", filled, again);
    }
    verify(d);
    disk_free(d);
}

static void
large_values_sim(void **state)
{
    (void)state;
    large_values(false);
}

static void
large_values_real(void **state)
{
    (void)state;
    large_values(true);
}

/* At any moment somebody else takes all the room: deletes, compaction and close find theirs, and
 * when there is room again puts go on without reopening. */
static void
taken(struct disk *d, unsigned puts)
{
    for (unsigned i = 0; i < puts; i += 10)
        ok(d, put_some(d, i, 10, i % 100 == 0));
    fill_up(d);
    delete_some(d, 2, 0, 20);
    ok(d, lsm_compact(d->db, NULL, &d->err));
    verify(d);
    if (puts % 3 == 0)
        reopen(d);
    delete_some(d, 3, 1, 20);
    ok(d, lsm_compact(d->db, NULL, &d->err));
    (void)!put_until_full(d, 10);
    verify(d);
    delete_some(d, 7, 2, 20);
    make_room(d);
    ok(d, lsm_compact(d->db, NULL, &d->err));
    ok(d, put_some(d, 0, 30, true));
    verify(d);
    reopen(d);
}

static void
taken_by_others(void **state)
{
    size_t step = TEST_SLOWNESS > 1 ? 997 : 131;

    (void)state;
    for (unsigned puts = 10, n = 0; puts < 9000; puts += (unsigned)step, n++) {
        struct disk *d = disk_new(false, 64 * MIB, 300, n % 2);
        if (n % 3 == 2)
            d->o.stratum_size = 64 * KIB;
        disk_close(d);
        disk_open(d);
        taken(d, puts / 10 * 10);
        disk_free(d);
    }
}

static void
taken_by_others_real(void **state)
{
    (void)state;
    for (unsigned puts = 500; puts < 9000; puts += 2100) {
        struct disk *d = disk_new(true, 0, 300, true);
        taken(d, puts / 10 * 10);
        disk_free(d);
    }
}

/* Decision 13: what is empty, or small, keeps nothing in reserve; what was large gives it back. */
static void
an_empty_database_is_small(void **state)
{
    struct disk *d = disk_new(false, 0, 480, true);
    struct bytes none;

    (void)state;
    disk_close(d);
    assert_true(os_sim_space_used(d->sim) <= MIB);
    assert_int_equal(os_sim_peek(d->sim, "db/reserve", &none), BASIN_NOT_FOUND);
    disk_open(d);
    for (unsigned i = 0; i < 8000; i += 10)
        ok(d, put_some(d, i, 10, false));
    ok(d, lsm_flush(d->db, &d->err));
    disk_close(d);
    assert_int_equal(os_sim_peek(d->sim, "db/reserve", &none), BASIN_OK);
    assert_true(none.size >= 512 * KIB && none.size <= 2 * MIB);
    disk_open(d);
    delete_all(d);
    ok(d, lsm_compact(d->db, NULL, &d->err));
    disk_close(d);
    assert_int_equal(os_sim_peek(d->sim, "db/reserve", &none), BASIN_NOT_FOUND);
    disk_free(d);
}

/* ------------------------------------------------------------------ a real small disk */

static int
on_real_disk(const char *program)
{
    char command[2 * SCRATCH_PATH_MAX + 64];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(half_goes_real),
        cmocka_unit_test(large_values_real),
        cmocka_unit_test(taken_by_others_real),
    };

    (void)snprintf(command, sizeof command, "mount -t tmpfs -o size=40m basin-test '%s'", program);
    if (system(command) != 0)
        return 77;
    mounted = program;
    return cmocka_run_group_tests_name("a mounted disk", tests, NULL, NULL) != 0;
}

static const char *self;

static void
on_a_mounted_disk(void **state)
{
    char command[2 * SCRATCH_PATH_MAX + 64], place[SCRATCH_PATH_MAX];
    int rc;

    (void)state;
    scratch_make(place);
    (void)snprintf(command, sizeof command, "unshare -r -m '%s' --mount '%s'", self, place);
    rc = system(command);
    scratch_remove(place);
    if (rc == 0)
        return;
    if (rc == 77 << 8 || rc == 1 << 8 || rc == 127 << 8) {
        if (rc == 1 << 8 && system("unshare -r -m true") == 0)
            fail_msg("the tests on the mounted disk failed");
        print_error("SKIPPED: nothing can be mounted here (unshare -r -m, mount -t tmpfs)\n");
        skip();
    }
    fail_msg("the tests on the mounted disk ended with %d", rc);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(half_goes_sim),     cmocka_unit_test(large_values_sim),
        cmocka_unit_test(taken_by_others),   cmocka_unit_test(an_empty_database_is_small),
        cmocka_unit_test(on_a_mounted_disk),
    };

    self = argv[0];
    if (argc == 3 && strcmp(argv[1], "--mount") == 0)
        return on_real_disk(argv[2]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
