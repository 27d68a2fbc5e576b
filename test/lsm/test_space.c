// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * What is kept and what comes back: space on disk, files, memory, and the work that openings and
 * merges cost, all by counts. Cases: EC44, EC58, EC61, EC62, EC63; decisions 13, 19, 20, 22.
 */
#include "lsm/plain.h"

#include <dirent.h>
#include <pthread.h>
#include <sys/stat.h>

#include "lsm/merge.h"

static struct ledger l;

static int
setup(void **state)
{
    (void)state;
    ledger_init(&l, 1);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    ledger_close(&l);
    ledger_release(&l);
    return 0;
}

/* ------------------------------------------------------------------ the directory */

struct usage {
    size_t files;
    uint64_t bytes, blocks; /* sizes; bytes of disk */
    uint64_t largest_log, smallest_log;
};

static void
add_folder(struct usage *u, const char *folder)
{
    char path[SCRATCH_PATH_MAX + 300];
    struct dirent *e;
    struct stat s;
    DIR *dir;
    bool logs = strcmp(folder, "/log") == 0;

    (void)snprintf(path, sizeof path, "%s%s", l.path, folder);
    dir = opendir(path);
    if (dir == NULL)
        return;
    while ((e = readdir(dir)) != NULL) {
        (void)snprintf(path, sizeof path, "%s%s/%s", l.path, folder, e->d_name);
        if (stat(path, &s) != 0 || !S_ISREG(s.st_mode))
            continue;
        u->files++;
        u->bytes += (uint64_t)s.st_size;
        u->blocks += (uint64_t)s.st_blocks * 512;
        if (logs) {
            u->largest_log = MAX_OF(u->largest_log, (uint64_t)s.st_size);
            u->smallest_log = MIN_OF(u->smallest_log, (uint64_t)s.st_size);
        }
    }
    (void)closedir(dir);
}

static struct usage
usage(void)
{
    static const char *const folders[] = { "",      "/strata", "/values", "/log",
                                           "/ckpt", "/head",   "/tmp" };
    struct usage u = { .smallest_log = UINT64_MAX };

    for (size_t i = 0; i < COUNT_OF(folders); i++)
        add_folder(&u, folders[i]);
    return u;
}

static void
d13_an_empty_database_is_small(void **state)
{
    (void)state;
    l.o = (struct lsm_options){ 0 }; /* as users have it */
    ledger_open(&l);
    assert_true(usage().bytes <= MIB && usage().blocks <= MIB);
    (void)plain_put(&l, "a", "1");
    assert_true(usage().bytes <= MIB && usage().blocks <= MIB);
    ledger_close(&l);
    assert_true(usage().bytes <= MIB && usage().blocks <= MIB);
    ledger_open(&l);
    assert_true(usage().bytes <= MIB && usage().blocks <= MIB);
}

static void
d13_runs_of_put_leave_few_files(void **state)
{
    size_t runs = test_scale(50), most = 0;
    char key[32];

    (void)state;
    l.o = (struct lsm_options){ 0 };
    for (size_t i = 0; i < runs; i++) {
        ledger_open(&l);
        (void)snprintf(key, sizeof key, "k%06zu", i);
        (void)plain_put(&l, key, "value");
        ledger_close(&l);
        most = MAX_OF(most, usage().files);
    }
    assert_true(most <= 24);
    assert_true(usage().bytes <= 2 * MIB);
    ledger_open(&l);
    for (size_t i = 0; i < runs; i++) {
        (void)snprintf(key, sizeof key, "k%06zu", i);
        plain_now(&l, key, "value");
    }
}

static void
d13_logs_start_small_and_double(void **state)
{
    uint64_t largest = 0;

    (void)state;
    l.o.log_size_max = MIB;
    ledger_open(&l);
    assert_int_equal(usage().largest_log, 256 * KIB);
    for (unsigned i = 0; i < 60; i++) {
        uint64_t now;
        plain_fill(&l, i * 20, i * 20 + 20, 1, 1900);
        now = usage().largest_log;
        if (now > largest) {
            assert_true(largest == 0 ? now == 256 * KIB : now == 2 * largest);
            largest = now;
        }
    }
    assert_int_equal(largest, MIB);
}

/* ------------------------------------------------------------------ EC44, EC58 */

/* Counts what is read of files; the rest is the real system. */
static struct {
    struct os os;
    struct os_ops ops;
    uint64_t reads, bytes, maps;
} watch;

static basin_status
watch_open(struct os *os, const char *path, unsigned flags, struct os_file **out, basin_error *err)
{
    basin_status st = os_open(os_posix(), path, flags, out, err);

    if (st == BASIN_OK)
        (*out)->os = os;
    return st;
}

static basin_status
watch_read(struct os_file *f, uint64_t at, void *to, size_t n, size_t *got, basin_error *err)
{
    watch.reads++;
    watch.bytes += n;
    return os_posix()->ops->read(f, at, to, n, got, err);
}

static basin_status
watch_map(struct os_file *f, uint64_t at, size_t size, bool write, struct os_map **out,
          basin_error *err)
{
    watch.maps++;
    return os_posix()->ops->map(f, at, size, write, out, err);
}

/* Reads and maps of an opening after a fill of this many megabytes. */
static void
open_watched(uint64_t megabytes, uint64_t *reads, uint64_t *pages)
{
    unsigned keys = (unsigned)(megabytes * MIB / 1000);

    ledger_init(&l, 44);
    l.o.memtable_size = 256 * KIB;
    l.o.stratum_size = MIB;
    l.o.no_map = true;
    ledger_open(&l);
    plain_fill(&l, 0, keys, 100, 980);
    plain_compact(&l);
    ledger_close(&l);
    watch.ops = *os_posix()->ops;
    watch.ops.open = watch_open;
    watch.ops.read = watch_read;
    watch.ops.map = watch_map;
    watch.os = (struct os){ .ops = &watch.ops, .maps = true };
    watch.reads = watch.bytes = watch.maps = 0;
    l.o.os = &watch.os;
    ledger_open(&l);
    *reads = watch.reads + watch.maps;
    *pages = plain_stat(&l).pages_read;
    ledger_close(&l);
    ledger_release(&l);
}

static void
ec44_ec58_reads_at_open_do_not_grow(void **state)
{
    uint64_t small_reads, small_pages, large_reads, large_pages;

    (void)state;
    open_watched(1, &small_reads, &small_pages);
    open_watched(4 + test_scale(12), &large_reads, &large_pages);
    assert_int_equal(small_pages, 0);
    assert_int_equal(large_pages, 0);
    assert_true(large_reads <= small_reads + 10);
}

static void
ec44_deleted_keys_give_their_space_back(void **state)
{
    unsigned keys = (unsigned)test_scale(50000);
    struct usage full, after;
    char key[16];

    (void)state;
    l.o.memtable_size = MIB;
    l.o.stratum_size = MIB;
    ledger_open(&l);
    plain_fill(&l, 0, keys, 1000, 100);
    plain_compact(&l);
    full = usage();
    for (unsigned i = 0; i < keys;) {
        struct lsm_txn *txn = plain_begin(&l, LSM_WRITE);
        for (unsigned n = 0; n < 1000 && i < keys; n++, i++) {
            (void)snprintf(key, sizeof key, "k%08u", i);
            ledger_ok(&l, lsm_delete(txn, text(key), &l.err));
        }
        (void)plain_commit(&l, txn);
    }
    plain_compact(&l);
    ledger_pump(&l);
    after = usage();
    assert_true(full.bytes > (uint64_t)keys * 100);
    assert_int_equal(l.db->manifest.stratum_count, 0);
    assert_true(after.bytes < full.bytes / 4 || after.bytes < 2 * MIB);
    plain_fill(&l, 0, keys, 1000, 100); /* the space is used again */
    plain_compact(&l);
    assert_true(usage().bytes < full.bytes + full.bytes / 2 + 2 * MIB);
}

/* ------------------------------------------------------------------ EC61 */

static void *
write_many(void *ctx)
{
    basin_status *st = ctx;
    uint8_t value[200] = { 0 };
    basin_error err;
    char key[16];

    for (unsigned i = 0; i < 14000 && *st == BASIN_OK;) {
        struct lsm_txn *txn;
        *st = lsm_begin(l.db, &(struct lsm_begin){ .mode = LSM_WRITE }, &txn, &err);
        for (unsigned n = 0; n < 20 && *st == BASIN_OK; n++, i++) {
            (void)snprintf(key, sizeof key, "%08x", i * 2654435761u);
            *st = lsm_put(txn, text(key), bytes_of(value, sizeof value), &err);
        }
        if (*st == BASIN_OK)
            *st = lsm_commit(txn, false, NULL, &err);
    }
    return NULL;
}

/* Nothing merges until the writer waits: it must be slowed, then wait, and never fail. */
static void
ec61_writers_wait_at_a_bounded_debt(void **state)
{
    pthread_t writer;
    basin_status st = BASIN_OK;
    uint64_t most = 0;
    bool merging = false;
    struct lsm_stats s;

    (void)state;
    l.o.no_threads = false;
    l.o.memtable_size = 16 * KIB;
    l.o.mem_limit = 4 * MIB;
    ledger_open(&l);
    os_mutex_lock(l.db->mu);
    l.db->merge_running = true; /* as if a long merge went on */
    os_mutex_unlock(l.db->mu);
    assert_int_equal(pthread_create(&writer, NULL, write_many, &st), 0);
    while (pthread_tryjoin_np(writer, NULL) != 0) {
        os_mutex_lock(l.db->mu);
        most = MAX_OF(most, l.db->level0_runs + l.db->immutable_count);
        if (!merging && l.db->level0_runs >= DEBT_RUNS_STOP) {
            merging = true;
            l.db->merge_running = false;
            lsm__background_wake(l.db);
        }
        os_mutex_unlock(l.db->mu);
        l.db->os->ops->sleep_ns(l.db->os, 200000);
    }
    assert_int_equal(st, BASIN_OK);
    assert_true(merging); /* the debt was reached */
    assert_true(most >= DEBT_RUNS_STOP && most <= 128);
    s = plain_stat(&l);
    assert_true(s.stalls > 0 && s.stall_us > 0);
    assert_true(s.mem_peak <= l.o.mem_limit + l.o.mem_limit / 10);
}

static void
ec61_full_speed_keeps_the_bounds(void **state)
{
    uint64_t runs_max = 0;
    unsigned keys = (unsigned)test_scale(50000), i = 0;

    (void)state;
    l.o.no_threads = false;
    l.o.memtable_size = 256 * KIB;
    l.o.mem_limit = 8 * MIB;
    ledger_open(&l);
    for (; i < keys; i += 500) {
        plain_fill(&l, i * 7 % keys, i * 7 % keys + 500, 500, 100);
        os_mutex_lock(l.db->mu);
        runs_max = MAX_OF(runs_max, l.db->level0_runs + l.db->immutable_count);
        os_mutex_unlock(l.db->mu);
    }
    assert_true(runs_max <= 128);
    assert_true(plain_stat(&l).mem_peak <= l.o.mem_limit + l.o.mem_limit / 10);
}

/* ------------------------------------------------------------------ EC62 */

enum { REGIONS = 10, REGION_KEYS = 1000, DENSE = 4 };

static bool
in_dense(const struct lsm_stratum *s)
{
    char from[16], to[16];

    (void)snprintf(from, sizeof from, "k%08u", DENSE * REGION_KEYS);
    (void)snprintf(to, sizeof to, "k%08u", (DENSE + 1) * REGION_KEYS);
    return bytes_compare(buf_bytes(&s->last_key), text(from)) >= 0 &&
           bytes_compare(buf_bytes(&s->first_key), text(to)) < 0;
}

/* Every other key of the region. */
static void
delete_half(void)
{
    struct lsm_txn *txn = plain_begin(&l, LSM_WRITE);
    char key[16];

    for (unsigned i = 0; i < REGION_KEYS; i += 2) {
        (void)snprintf(key, sizeof key, "k%08u", DENSE * REGION_KEYS + i);
        ledger_ok(&l, lsm_delete(txn, text(key), &l.err));
    }
    (void)plain_commit(&l, txn);
}

/* Level 1 has a stratum of which a quarter is tombstones. */
static bool
any_dense(void)
{
    for (size_t i = 0; i < l.db->manifest.stratum_count; i++) {
        const struct lsm_stratum *s = l.db->manifest.strata[i];
        if (s->level == 1 && s->deletes * 4 >= s->entries)
            return true;
    }
    return false;
}

static void
ec62_the_region_of_tombstones_goes_first(void **state)
{
    uint64_t before;
    uint32_t from_level;
    size_t steps = 0;
    bool did = true, dense;

    (void)state;
    l.o.stratum_size = 16 * KIB;
    ledger_open(&l);
    plain_fill(&l, 0, REGIONS * REGION_KEYS, 100, 60);
    plain_compact(&l);
    assert_int_equal(l.db->current->runs[0].level, 2);
    ledger_close(&l);
    l.o.memtable_size = 4 * MIB; /* the second layer stays in level 1 */
    ledger_open(&l);
    plain_fill(&l, 0, REGIONS * REGION_KEYS, 100, 60);
    delete_half();
    plain_flush(&l);
    plain_fill(&l, 0, 1, 1, 60);
    plain_flush(&l);
    ledger_ok(&l, lsm__merge_step(l.db, &did, &l.err)); /* level 0 to level 1 */
    assert_int_equal(plain_stat(&l).levels[1].deletes, REGION_KEYS / 2);
    l.db->o.memtable_size = 4 * KIB; /* and now the level is over its size */
    while (any_dense()) {
        struct merge_plan plan;
        uint64_t in = plain_stat(&l).merge_bytes_in, out = plain_stat(&l).merge_bytes_out;
        os_mutex_lock(l.db->mu);
        ledger_ok(&l, lsm__merge_plan(l.db, &plan, &l.err));
        from_level = plan.inputs[0]->level;
        dense = in_dense(plan.inputs[0]);
        before = plan.bytes;
        lsm__merge_plan_release(&plan);
        os_mutex_unlock(l.db->mu);
        assert_int_equal(from_level, 1);
        assert_true(dense);
        ledger_ok(&l, lsm__merge_step(l.db, &did, &l.err));
        assert_true(did);
        assert_int_equal(plain_stat(&l).merge_bytes_in - in, before);
        assert_true((plain_stat(&l).merge_bytes_out - out) * 10 <= before * 12);
        steps++;
    }
    assert_true(steps > 0 && steps <= 20);
    assert_true(plain_stat(&l).levels[1].deletes < REGION_KEYS / 10);
}

/* ------------------------------------------------------------------ EC63, decision 19 */

static void
put_large(const char *format, unsigned i, size_t size)
{
    uint8_t *value = malloc(size);
    struct lsm_txn *txn = plain_begin(&l, LSM_WRITE);
    char key[16];

    assert_non_null(value);
    chance_bytes(&l.c, value, size);
    (void)snprintf(key, sizeof key, format, i);
    ledger_ok(&l, lsm_put(txn, text(key), bytes_of(value, size), &l.err));
    (void)plain_commit(&l, txn);
    free(value);
}

static void
ec63_large_values_move_by_reference(void **state)
{
    unsigned count = (unsigned)test_scale(5);
    struct lsm_stats before, after;

    (void)state;
    l.o.value_threshold = 64 * KIB;
    l.o.mem_limit = 32 * MIB;
    ledger_open(&l);
    for (unsigned i = 0; i < count; i++)
        put_large("v%04u", i * 2, MIB);
    plain_flush(&l);
    for (unsigned i = 0; i < count; i++) /* a second run: nothing is only moved */
        put_large("v%04u", i * 2 + 1, 100);
    plain_flush(&l);
    before = plain_stat(&l);
    assert_true(before.value_bytes >= count * MIB);
    plain_compact(&l);
    after = plain_stat(&l);
    assert_true(after.merges > before.merges);
    assert_true(after.bytes_written - before.bytes_written < count * MIB / 20);
    assert_true(after.merge_bytes_out - before.merge_bytes_out < count * MIB / 20);
    assert_true(after.bytes_read - before.bytes_read < count * MIB / 20);
}

static void
d19_dead_large_values_give_their_space_back(void **state)
{
    enum { LIVE = 6 };

    (void)state;
    l.o.value_threshold = 64 * KIB;
    l.o.mem_limit = 32 * MIB;
    ledger_open(&l);
    for (unsigned i = 0; i < test_scale(30); i++)
        put_large("v%04u", i % LIVE, MIB);
    plain_compact(&l);
    ledger_pump(&l);
    assert_true(plain_stat(&l).value_bytes <= 2 * LIVE * MIB + MIB);
    assert_true(usage().bytes <= 2 * LIVE * MIB + 4 * MIB);
}

static void
d19_an_aborted_stream_leaves_nothing(void **state)
{
    struct lsm_txn *txn;
    struct lsm_stream *s;
    uint8_t piece[4096] = { 1 };
    struct usage before;

    (void)state;
    ledger_open(&l);
    (void)plain_put(&l, "a", "1");
    before = usage();
    for (int ended = 0; ended < 2; ended++) { /* the stream, or all of the transaction */
        txn = plain_begin(&l, LSM_WRITE);
        ledger_ok(&l, lsm_stream_open(txn, text("s"), &s, &l.err));
        for (unsigned i = 0; i < 100; i++)
            ledger_ok(&l, lsm_stream_write(s, bytes_of(piece, sizeof piece), &l.err));
        if (ended)
            ledger_ok(&l, lsm_stream_close(s, &l.err));
        else
            lsm_stream_abort(s);
        lsm_abort(txn);
        ledger_pump(&l);
        assert_int_equal(usage().files, before.files);
        assert_int_equal(plain_stat(&l).value_bytes, 0);
        plain_now(&l, "s", NULL);
    }
}

/* ------------------------------------------------------------------ decisions 20 and 22 */

static struct lsm_stats
look_for_absent(void)
{
    struct lsm_txn *txn;
    char key[16];

    plain_fill(&l, 0, 2000, 100, 100);
    plain_flush(&l);
    plain_compact(&l);
    plain_fill(&l, 0, 100, 100, 100);
    plain_flush(&l);
    assert_true(l.db->current->run_count >= 2);
    lsm_stat_reset(l.db);
    txn = plain_begin(&l, LSM_READ);
    for (unsigned i = 0; i < 99; i++) {
        (void)snprintf(key, sizeof key, "k%08u+", i);
        plain_expect(&l, txn, key, NULL);
    }
    lsm_abort(txn);
    return plain_stat(&l);
}

static void
d20_filters_are_on_at_all_levels_unless_set_off(void **state)
{
    struct lsm_stats s;

    (void)state;
    l.o.filter_bits = 0;
    ledger_open(&l);
    s = look_for_absent();
    assert_true(s.filter_checks >= 2 * 99);
    assert_true(s.filter_rejects >= s.filter_checks * 98 / 100);
    ledger_close(&l);
    ledger_release(&l);
    ledger_init(&l, 2);
    l.o.filter_bits = -1;
    ledger_open(&l);
    assert_int_equal(look_for_absent().filter_checks, 0);
}

/* An idle snapshot and its cursor keep the memtables that they saw and no later ones. */
static void
d22_an_idle_cursor_keeps_only_what_it_sees(void **state)
{
    struct lsm_txn *txn;
    struct lsm_cursor *c;
    uint64_t with, without;

    (void)state;
    ledger_open(&l);
    plain_fill(&l, 0, 100, 10, 100);
    txn = plain_begin(&l, LSM_READ);
    ledger_ok(&l, lsm_cursor_open(txn, &(struct lsm_range){ 0 }, &c, &l.err));
    ledger_ok(&l, lsm_cursor_first(c, &l.err));
    plain_fill(&l, 100, 100 + (unsigned)test_scale(10000), 10, 100);
    plain_flush(&l);
    with = plain_stat(&l).mem_used;
    lsm_cursor_close(c);
    lsm_abort(txn);
    without = plain_stat(&l).mem_used;
    assert_true(with - without <= 3 * l.o.memtable_size); /* the active one, two that wait */
    assert_true(plain_stat(&l).mem_peak <= l.o.mem_limit);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(d13_an_empty_database_is_small, setup, teardown),
        cmocka_unit_test_setup_teardown(d13_runs_of_put_leave_few_files, setup, teardown),
        cmocka_unit_test_setup_teardown(d13_logs_start_small_and_double, setup, teardown),
        cmocka_unit_test(ec44_ec58_reads_at_open_do_not_grow),
        cmocka_unit_test_setup_teardown(ec44_deleted_keys_give_their_space_back, setup, teardown),
        cmocka_unit_test_setup_teardown(ec61_writers_wait_at_a_bounded_debt, setup, teardown),
        cmocka_unit_test_setup_teardown(ec61_full_speed_keeps_the_bounds, setup, teardown),
        cmocka_unit_test_setup_teardown(ec62_the_region_of_tombstones_goes_first, setup, teardown),
        cmocka_unit_test_setup_teardown(ec63_large_values_move_by_reference, setup, teardown),
        cmocka_unit_test_setup_teardown(d19_dead_large_values_give_their_space_back, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(d19_an_aborted_stream_leaves_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(d20_filters_are_on_at_all_levels_unless_set_off, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(d22_an_idle_cursor_keeps_only_what_it_sees, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
