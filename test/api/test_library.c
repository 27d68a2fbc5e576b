// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The library as a guest in its process: what it opens, starts, prints and changes, and how many
 * files it needs; the default keyspace. Cases: decisions 4 and 25.
 */
#include "api/desk.h"

#include <dirent.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct desk d;

static int
setup(void **state)
{
    (void)state;
    desk_init(&d);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    desk_release(&d);
    return 0;
}

/* Each runs in a process of its own, so that what it changes there stays there. */
static void
expect_child(int (*fn)(void))
{
    int wait_status;
    pid_t child = fork();

    if (child == 0)
        _exit(fn());
    assert_int_equal(waitpid(child, &wait_status, 0), child);
    assert_true(WIFEXITED(wait_status));
    assert_int_equal(WEXITSTATUS(wait_status), 0);
}

/* Successes, failures and background work. */
static void
work(void)
{
    basin_options none = BASIN_OPTIONS_INIT;
    basin_db *other;
    char value[4000] = { 'v' }, key[16];

    d.o.memtable_size = 64 * 1024;
    desk_open(&d);
    for (int i = 0; i < 300; i++) {
        (void)snprintf(key, sizeof key, "k%06d", i % 100);
        desk_ok(&d, basin_db_put(d.db, BASIN_SPACE_DEFAULT, key_of(key),
                                 (basin_bytes){ value, sizeof value }, BASIN_BUFFERED, &d.err));
    }
    desk_ok(&d, basin_compact(d.db, NULL, &d.err));
    desk_status(&d, basin_open(d.path, NULL, &other, &d.err), BASIN_BUSY);
    none.must_exist = true;
    desk_status(&d, basin_open("/nowhere/at/all", &none, &other, &d.err), BASIN_NOT_FOUND);
    desk_status(&d, basin_unpin(d.db, "none", &d.err), BASIN_NOT_FOUND);
}

/* ------------------------------------------------------------------ descriptors and threads */

static int
count_bad_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    struct dirent *e;
    int bad = 0, seen = 0;

    while ((e = readdir(dir)) != NULL) {
        int fd = (int)strtol(e->d_name, NULL, 10);
        if (fd <= 2 || fd == dirfd(dir) || e->d_name[0] == '.')
            continue;
        seen++;
        bad += (fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0;
    }
    (void)closedir(dir);
    return seen > 0 ? bad : 100; /* the lock at least */
}

/* Threads other than this one that leave a signal open; 32 and 33 are the C library's. */
static int
count_open_threads(void)
{
    static const uint64_t never = 1u << (SIGKILL - 1) | 1u << (SIGSTOP - 1) | UINT64_C(3) << 31;
    DIR *dir = opendir("/proc/self/task");
    char path[300], line[256];
    struct dirent *e;
    int bad = 0, seen = 0;

    while ((e = readdir(dir)) != NULL) {
        unsigned long long blocked = 0;
        if (e->d_name[0] == '.' || strtol(e->d_name, NULL, 10) == getpid())
            continue;
        (void)snprintf(path, sizeof path, "/proc/self/task/%s/status", e->d_name);
        FILE *f = fopen(path, "r");
        while (f != NULL && fgets(line, sizeof line, f) != NULL)
            if (strncmp(line, "SigBlk:", 7) == 0)
                blocked = strtoull(line + 7, NULL, 16);
        if (f != NULL)
            (void)fclose(f);
        seen++;
        bad += (~blocked & ~never) != 0;
    }
    (void)closedir(dir);
    return seen >= 2 ? bad : 100;
}

static int
descriptors_and_threads(void)
{
    int bad;

    for (int fd = 3; fd < 256; fd++)
        (void)close(fd); /* what the test's parents left open */
    work();
    bad = count_bad_descriptors() + count_open_threads();
    desk_close(&d);
    d.o.read_only = true;
    desk_open(&d);
    desk_now(&d, "none", NULL);
    bad += count_bad_descriptors();
    desk_close(&d);
    return bad;
}

static void
d25_threads_block_signals_and_descriptors_close_on_exec(void **state)
{
    (void)state;
    expect_child(descriptors_and_threads);
}

/* ------------------------------------------------------------------ manners */

static int
manners(void)
{
    struct sigaction before[65], now;
    sigset_t mask, mask_now;
    char where[4096], there[4096], out[64];
    int bad = 0, pipes[2];
    ssize_t printed;

    if (pipe2(pipes, O_NONBLOCK) != 0 || dup2(pipes[1], 1) != 1 || dup2(pipes[1], 2) != 2)
        return 100;
    (void)umask(0137);
    (void)setlocale(LC_ALL, "C");
    bad += getcwd(where, sizeof where) == NULL;
    for (int s = 1; s <= 64; s++)
        (void)sigaction(s, NULL, &before[s]);
    memset(&mask, 0, sizeof mask); /* the system fills a part of them */
    memset(&mask_now, 0, sizeof mask_now);
    (void)pthread_sigmask(SIG_SETMASK, NULL, &mask);
    work();
    desk_close(&d);
    bad += umask(0) != 0137;
    bad += getcwd(there, sizeof there) == NULL || strcmp(where, there) != 0;
    bad += strcmp(setlocale(LC_ALL, NULL), "C") != 0;
    for (int s = 1; s <= 64; s++)
        if (sigaction(s, NULL, &now) == 0)
            bad += now.sa_handler != before[s].sa_handler;
    (void)pthread_sigmask(SIG_SETMASK, NULL, &mask_now);
    bad += memcmp(&mask, &mask_now, sizeof mask) != 0;
    (void)fflush(NULL);
    printed = read(pipes[0], out, sizeof out);
    return bad + (printed > 0 ? 10 : 0);
}

static void
d25_nothing_is_printed_or_changed(void **state)
{
    (void)state;
    expect_child(manners);
}

/* ------------------------------------------------------------------ few descriptors */

static int
count_stratum(void *ctx, const basin_stratum_info *s)
{
    (void)s;
    (*(size_t *)ctx)++;
    return 0;
}

/* 10,000 strata at full scale. */
static int
few_descriptors(void)
{
    size_t want = test_scale(500), strata = 0, n = 0;
    struct rlimit limit = { 256, 256 };
    basin_load *load;
    basin_txn *txn;
    basin_cursor *c;
    basin_status st;
    char key[16], value[400];
    struct chance random = chance_of(25);

    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 100;
    d.o.page_size = 256;
    d.o.stratum_size = 4096;
    desk_open(&d);
    desk_ok(&d, basin_load_open(d.db, BASIN_SPACE_DEFAULT, NULL, &load, &d.err));
    for (size_t i = 0; i < want * 16; i++) {
        (void)snprintf(key, sizeof key, "k%08u", (unsigned)i);
        chance_bytes(&random, value, sizeof value);
        desk_ok(&d,
                basin_load_add(load, key_of(key), (basin_bytes){ value, sizeof value }, &d.err));
        if ((i + 1) % 32000 == 0) { /* a load makes so many strata at most */
            desk_ok(&d, basin_load_commit(load, NULL, &d.err));
            desk_ok(&d, basin_load_open(d.db, BASIN_SPACE_DEFAULT, NULL, &load, &d.err));
        }
    }
    desk_ok(&d, basin_load_commit(load, NULL, &d.err));
    desk_ok(&d, basin_stratum_list(d.db, count_stratum, &strata, &d.err));
    if (strata < want)
        return 50;
    for (int again = 0; again < 2; again++) {
        txn = desk_begin(&d, BASIN_READ);
        desk_ok(&d, basin_cursor_open(txn, BASIN_SPACE_DEFAULT, NULL, &c, &d.err));
        for (n = 0, st = basin_cursor_first(c, &d.err); st == BASIN_OK; n++)
            st = basin_cursor_next(c, &d.err);
        desk_status(&d, st, BASIN_END);
        basin_cursor_close(c);
        basin_abort(txn);
        for (size_t i = 0; i < want * 16; i += 97) {
            char got[400];
            (void)snprintf(key, sizeof key, "k%08u", (unsigned)i);
            desk_ok(&d, basin_db_get(d.db, BASIN_SPACE_DEFAULT, key_of(key), got, sizeof got, NULL,
                                     &d.err));
        }
        desk_close(&d);
        desk_open(&d);
    }
    desk_close(&d);
    return n == want * 16 ? 0 : 51;
}

static void
d25_many_strata_need_few_descriptors(void **state)
{
    (void)state;
    expect_child(few_descriptors);
}

/* ------------------------------------------------------------------ decision 4 */

static int
note_last(void *ctx, const basin_stratum_info *s)
{
    memcpy(ctx, s->last.data, s->last.size < 8 ? s->last.size : 8);
    return 0;
}

static void
d4_the_first_put_makes_the_default_keyspace(void **state)
{
    basin_txn *txn;
    basin_bytes value;
    basin_space space;
    uint8_t last[8] = { 0 }, *large = calloc(1, BASIN_KEY_MAX + 1);

    (void)state;
    assert_non_null(large);
    desk_open(&d);
    txn = desk_begin(&d, BASIN_WRITE);
    desk_status(&d, basin_get(txn, BASIN_SPACE_DEFAULT, key_of("a"), &value, &d.err),
                BASIN_NOT_FOUND);
    desk_status(&d, basin_space_open(txn, "default", false, &space, &d.err), BASIN_NOT_FOUND);
    desk_ok(&d, basin_put(txn, BASIN_SPACE_DEFAULT, key_of("a"), key_of("1"), &d.err));
    desk_ok(&d, basin_space_open(txn, "default", false, &space, &d.err));
    assert_int_equal(space, 1);
    desk_ok(&d, basin_commit(txn, BASIN_DURABLE, NULL, &d.err));
    desk_ok(&d, basin_flush(d.db, &d.err));
    desk_ok(&d, basin_stratum_list(d.db, note_last, last, &d.err));
    assert_memory_equal(last,
                        "\x01"
                        "a",
                        3); /* varint space id, then the user's key */
    txn = desk_begin(&d, BASIN_WRITE);
    desk_ok(&d, basin_put(txn, BASIN_SPACE_DEFAULT, (basin_bytes){ large, BASIN_KEY_MAX },
                          key_of("1"), &d.err));
    desk_status(&d,
                basin_put(txn, BASIN_SPACE_DEFAULT, (basin_bytes){ large, BASIN_KEY_MAX + 1 },
                          key_of("1"), &d.err),
                BASIN_LIMIT);
    assert_non_null(strstr(d.err.what, "65001"));
    assert_non_null(strstr(d.err.what, "65000"));
    desk_ok(&d, basin_commit(txn, BASIN_DURABLE, NULL, &d.err));
    desk_close(&d);
    free(large);
}

/* ------------------------------------------------------------------ keyspaces apart */

/* Two strata hold keyspaces one and three, so that their bounds span two, and a third holds two. */
static void
ec49_a_cursor_reads_no_stratum_of_other_keyspaces(void **state)
{
    static const char *const names[] = { "one", "two", "three" };
    basin_stats before = BASIN_STATS_INIT, after = BASIN_STATS_INIT;
    basin_space spaces[3];
    basin_cursor *c;
    basin_txn *txn;

    (void)state;
    d.o.no_threads = true;
    desk_open(&d);
    txn = desk_begin(&d, BASIN_WRITE);
    for (int i = 0; i < 3; i++)
        desk_ok(&d, basin_space_open(txn, names[i], true, &spaces[i], &d.err));
    desk_ok(&d, basin_commit(txn, BASIN_DURABLE, NULL, &d.err));
    for (int run = 0; run < 3; run++) {
        txn = desk_begin(&d, BASIN_WRITE);
        for (int i = run == 2; i < 3; i += 2)
            desk_ok(&d, basin_put(txn, spaces[i], key_of("key"), key_of(names[run]), &d.err));
        desk_ok(&d, basin_commit(txn, BASIN_DURABLE, NULL, &d.err));
        desk_ok(&d, basin_flush(d.db, &d.err));
    }
    desk_ok(&d, basin_stat(d.db, &before, &d.err));
    txn = desk_begin(&d, BASIN_READ);
    desk_ok(&d, basin_cursor_open(txn, spaces[1], NULL, &c, &d.err));
    desk_ok(&d, basin_cursor_first(c, &d.err));
    desk_status(&d, basin_cursor_next(c, &d.err), BASIN_END);
    basin_cursor_close(c);
    basin_abort(txn);
    desk_ok(&d, basin_stat(d.db, &after, &d.err));
    assert_int_equal(after.filter_checks - before.filter_checks, 3);
    assert_int_equal(after.filter_rejects - before.filter_rejects, 2);
    desk_close(&d);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ec49_a_cursor_reads_no_stratum_of_other_keyspaces, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(d25_threads_block_signals_and_descriptors_close_on_exec,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(d25_nothing_is_printed_or_changed, setup, teardown),
        cmocka_unit_test_setup_teardown(d25_many_strata_need_few_descriptors, setup, teardown),
        cmocka_unit_test_setup_teardown(d4_the_first_put_makes_the_default_keyspace, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
