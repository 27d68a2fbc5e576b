// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The benchmark program: reads the options, builds the data once, then lets the engines take turns
 * group by group, each in a process of its own, and watches the memory of that process from
 * outside. The order of engines is reversed in every second round.
 *
 * Leaves 0 when every engine that should be right was right and every negative control was caught.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "work.h"

enum { COLUMNS_MAX = 32, PATH_SIZE = 512, SYNC_REAL_NS = 20000 };
enum child_end { END_RIGHT = 0, END_ERRORS = 1, END_FAILED = 2 };

struct plan {
    struct suite suite;
    const char *engines; /* names, or NULL = all */
    const char *groups;  /* or NULL = those of the suite */
    const char *out_path;
    const char *dir;
    const char *profile;
    unsigned rounds;
    uint64_t seed;
    bool binary_keys;
    const struct column *columns[COLUMNS_MAX];
    size_t column_count;
    struct world world;
    struct watch *watch;
    uint64_t sync_ns;
    const char *io_label;
    int out;
    bool failed;
};

static void
usage(FILE *f)
{
    fputs("usage: basin_bench [options]\n"
          "  --suite NAME       which sizes and groups (quick)\n"
          "  --engines A,B      columns to run (all that were built, without the control)\n"
          "  --groups A,B       instead of the groups of the suite\n"
          "  --rounds N         turns of each engine (1)\n"
          "  --out FILE         rows as JSON lines (bench.jsonl)\n"
          "  --dir DIR          where databases are made and removed (bench-data)\n"
          "  --count N          keys, instead of the suite's\n"
          "  --value-size N     bytes, instead of the suite's\n"
          "  --seconds S        of a read workload, instead of the suite's\n"
          "  --seed N           start value of the generator (1)\n"
          "  --keys KIND        hex or binary (hex)\n"
          "  --profile DIR      perf data per engine and workload; rows count as disturbed\n"
          "  --list             what was built\n"
          "suites:\n",
          f);
    suite_print(f);
}

static void
list_columns(void)
{
    for (const struct column *c = column_list(); c->name; c++)
        printf("%-16s %s\n", c->name, c->engine->version());
}

static uint64_t
number_of(const char *text, const char *option)
{
    char *end;
    unsigned long long n = strtoull(text, &end, 10);

    if (end == text || *end)
        bench_fail("--%s: %s is not a number", option, text);
    return n;
}

static double
seconds_of(const char *text)
{
    char *end;
    double s = strtod(text, &end);

    if (end == text || *end || s <= 0)
        bench_fail("--seconds: %s is not a time", text);
    return s;
}

static void
take_suite(struct plan *p, const char *name)
{
    const struct suite *s = suite_find(name);

    if (!s) {
        usage(stderr);
        bench_fail("no suite %s", name);
    }
    p->suite = *s;
}

static void
take_keys(struct plan *p, const char *kind)
{
    p->binary_keys = strcmp(kind, "binary") == 0;
    if (!p->binary_keys && strcmp(kind, "hex") != 0)
        bench_fail("--keys: hex or binary, not %s", kind);
}

enum option_code {
    OPT_SUITE = 1,
    OPT_COUNT,
    OPT_VALUE_SIZE,
    OPT_SECONDS,
    OPT_SEED,
    OPT_KEYS,
    OPT_ENGINES,
    OPT_GROUPS,
    OPT_ROUNDS,
    OPT_OUT,
    OPT_DIR,
    OPT_PROFILE,
    OPT_LIST,
    OPT_HELP
};

/* Options about the data; false when it is none. */
static bool
take_data_option(struct plan *p, int option, const char *text)
{
    if (option == OPT_SUITE)
        take_suite(p, text);
    else if (option == OPT_COUNT)
        p->suite.count = number_of(text, "count");
    else if (option == OPT_VALUE_SIZE)
        p->suite.value_size = number_of(text, "value-size");
    else if (option == OPT_SECONDS)
        p->suite.read_seconds = seconds_of(text);
    else if (option == OPT_SEED)
        p->seed = number_of(text, "seed");
    else if (option == OPT_KEYS)
        take_keys(p, text);
    else
        return false;
    return true;
}

/* Options about the run; false when it is none. */
static bool
take_run_option(struct plan *p, int option, const char *text)
{
    if (option == OPT_ENGINES)
        p->engines = text;
    else if (option == OPT_GROUPS)
        p->groups = text;
    else if (option == OPT_ROUNDS)
        p->rounds = (unsigned)number_of(text, "rounds");
    else if (option == OPT_OUT)
        p->out_path = text;
    else if (option == OPT_DIR)
        p->dir = text;
    else if (option == OPT_PROFILE)
        p->profile = text;
    else
        return false;
    return true;
}

static void
read_options(struct plan *p, int argc, char **argv)
{
    static const struct option options[] = {
        { "suite", 1, NULL, OPT_SUITE },
        { "count", 1, NULL, OPT_COUNT },
        { "value-size", 1, NULL, OPT_VALUE_SIZE },
        { "seconds", 1, NULL, OPT_SECONDS },
        { "seed", 1, NULL, OPT_SEED },
        { "keys", 1, NULL, OPT_KEYS },
        { "engines", 1, NULL, OPT_ENGINES },
        { "groups", 1, NULL, OPT_GROUPS },
        { "rounds", 1, NULL, OPT_ROUNDS },
        { "out", 1, NULL, OPT_OUT },
        { "dir", 1, NULL, OPT_DIR },
        { "profile", 1, NULL, OPT_PROFILE },
        { "list", 0, NULL, OPT_LIST },
        { "help", 0, NULL, OPT_HELP },
        { NULL, 0, NULL, 0 },
    };
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (take_data_option(p, option, optarg) || take_run_option(p, option, optarg))
            continue;
        if (option == OPT_LIST)
            list_columns();
        else
            usage(option == OPT_HELP ? stdout : stderr);
        exit(option == OPT_LIST || option == OPT_HELP ? 0 : 2);
    }
    if (optind < argc)
        bench_fail("what is %s?", argv[optind]);
}

/* Calls fn for each name of a comma-separated list. */
static void
each_name(const char *list, void (*fn)(struct plan *p, const char *name, size_t size),
          struct plan *p)
{
    while (*list) {
        size_t n = strcspn(list, ",");

        if (n)
            fn(p, list, n);
        list += n + (list[n] == ',');
    }
}

static void
add_column(struct plan *p, const char *name, size_t size)
{
    const struct column *c = column_find(name, size);

    if (!c)
        fprintf(stderr, "bench: SKIPPED %.*s: this build does not have it\n", (int)size, name);
    else if (p->column_count < COLUMNS_MAX)
        p->columns[p->column_count++] = c;
}

static void
choose_columns(struct plan *p)
{
    if (p->engines)
        each_name(p->engines, add_column, p);
    else
        for (const struct column *c = column_list(); c->name; c++)
            if (!c->drops && !c->mapped)
                add_column(p, c->name, strlen(c->name));
    if (p->column_count == 0)
        bench_fail("no engine to run");
}

/* The value behind "model name" of the processor. */
static void
processor_name(char *to, size_t n)
{
    char line[256];
    FILE *f = fopen("/proc/cpuinfo", "r");

    snprintf(to, n, "unknown");
    while (f && fgets(line, sizeof line, f)) {
        char *at = strchr(line, ':');

        if (strncmp(line, "model name", 10) != 0 || !at)
            continue;
        line[strcspn(line, "\n")] = 0;
        snprintf(to, n, "%s", at + 2);
        break;
    }
    if (f)
        fclose(f);
}

static void
write_meta(struct plan *p)
{
    char cpu[128], line[4096], when[32];
    struct utsname name;
    struct statfs fs;
    time_t now = time(NULL);
    struct tm tm;
    int n;

    processor_name(cpu, sizeof cpu);
    uname(&name);
    if (statfs(p->dir, &fs) != 0)
        bench_fail("%s: %s", p->dir, strerror(errno));
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
    n = snprintf(line, sizeof line,
                 "{\"meta\":{\"suite\":\"%s\",\"count\":%llu,\"key_size\":%d,\"value_size\":%zu,"
                 "\"cache_size\":%zu,\"write_buffer_size\":%zu,\"keys\":\"%s\",\"seed\":%llu,"
                 "\"rounds\":%u,\"when\":\"%s\",\"processor\":\"%s\",\"processors\":%ld,"
                 "\"memory\":%llu,\"kernel\":\"%s\",\"file_system\":\"%lx\",\"sync_us\":%.1f,"
                 "\"sync_real\":%s,\"written\":\"%s\",\"versions\":{",
                 p->suite.name, (unsigned long long)p->suite.count, KEY_SIZE, p->suite.value_size,
                 p->suite.cache_size, p->suite.write_buffer_size, p->binary_keys ? "binary" : "hex",
                 (unsigned long long)p->seed, p->rounds, when, cpu, sysconf(_SC_NPROCESSORS_ONLN),
                 (unsigned long long)sysconf(_SC_PHYS_PAGES) * 4096, name.release,
                 (unsigned long)fs.f_type, (double)p->sync_ns * 1e-3,
                 p->sync_ns >= SYNC_REAL_NS ? "true" : "false",
                 strstr(p->io_label, "write_bytes") ? "write_bytes" : "wchar");
    for (size_t i = 0; i < p->column_count && n < (int)sizeof line; i++)
        n += snprintf(line + n, sizeof line - (size_t)n, "%s\"%s\":\"%s\"", i ? "," : "",
                      p->columns[i]->name, p->columns[i]->engine->version());
    if (n + 4 >= (int)sizeof line)
        bench_fail("too many engines for one line");
    n += snprintf(line + n, sizeof line - (size_t)n, "}}}\n");
    if (write(p->out, line, (size_t)n) != n)
        bench_fail("%s: %s", p->out_path, strerror(errno));
}

_Noreturn static void
child_main(struct plan *p, const char *group, const struct column *c, unsigned round)
{
    char dir[PATH_SIZE];
    struct run r = {
        .world = &p->world,
        .suite = &p->suite,
        .column = c,
        .watch = p->watch,
        .group = group,
        .dir = dir,
        .profile = p->profile,
        .out = p->out,
        .round = round,
        .synced = group_synced(group),
        .sync_real = p->sync_ns >= SYNC_REAL_NS,
        .io_label = p->io_label,
    };

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    snprintf(dir, sizeof dir, "%s/%s", p->dir, c->name);
    remove_tree(dir);
    state_init(&r.state, &p->world);
    meter_base(&r);
    group_run(&r);
    state_release(&r.state);
    remove_tree(dir);
    _exit(r.errors ? END_ERRORS : END_RIGHT);
}

/* Waits for the child and notes the highest anonymous memory that it had. */
static int
watch_child(struct plan *p, int pid)
{
    int status;

    while (waitpid(pid, &status, WNOHANG) == 0) {
        uint64_t anon = anon_bytes(pid);

        if (anon > atomic_load(&p->watch->anon_peak))
            atomic_store(&p->watch->anon_peak, anon);
        nanosleep(&(struct timespec){ 0, 20000000 }, NULL);
    }
    return WIFEXITED(status) && WEXITSTATUS(status) <= END_ERRORS ? WEXITSTATUS(status)
                                                                  : END_FAILED;
}

static void
write_failure(struct plan *p, const char *group, const struct column *c, unsigned round)
{
    char line[256];
    int n = snprintf(line, sizeof line,
                     "{\"suite\":\"%s\",\"round\":%u,\"engine\":\"%s\",\"group\":\"%s\","
                     "\"failed\":true}\n",
                     p->suite.name, round, c->name, group);

    if (write(p->out, line, (size_t)n) != n)
        bench_fail("%s: %s", p->out_path, strerror(errno));
}

/* A control that was not caught is as bad as an engine that was wrong. */
static void
judge(struct plan *p, const char *group, const struct column *c, unsigned round, int end)
{
    if (end == END_FAILED) {
        fprintf(stderr, "bench: %s: group %s FAILED\n", c->name, group);
        write_failure(p, group, c, round);
        p->failed = true;
    } else if (c->drops && end == END_RIGHT) {
        fprintf(stderr, "bench: %s: group %s: what it dropped was NOT NOTICED\n", c->name, group);
        p->failed = true;
    } else if (c->drops) {
        fprintf(stderr, "bench: %s: group %s: caught, as it must be\n", c->name, group);
    } else if (end == END_ERRORS) {
        fprintf(stderr, "bench: %s: group %s: WRONG answers\n", c->name, group);
        p->failed = true;
    }
}

static void
run_one(struct plan *p, const char *group, const struct column *c, unsigned round)
{
    bool keeps = c->engine->persistent || !(group_synced(group) || strcmp(group, "crash") == 0);
    int pid;

    if (!keeps)
        return;
    fprintf(stderr, "round %u, group %s, %s\n", round, group, c->name);
    atomic_store(&p->watch->anon_peak, 0);
    pid = fork();
    if (pid < 0)
        bench_fail("fork: %s", strerror(errno));
    if (pid == 0)
        child_main(p, group, c, round);
    judge(p, group, c, round, watch_child(p, pid));
}

static void
run_group(struct plan *p, const char *name, size_t size)
{
    char group[32];

    if (!group_known(name, size) || size >= sizeof group)
        bench_fail("no group %.*s", (int)size, name);
    memcpy(group, name, size);
    group[size] = 0;
    for (size_t i = 0; i < p->column_count; i++) {
        size_t at = p->rounds % 2 ? p->column_count - 1 - i : i;

        run_one(p, group, p->columns[at], p->rounds);
    }
}

static void
prepare(struct plan *p)
{
    choose_columns(p);
    if (mkdir(p->dir, 0755) != 0 && errno != EEXIST)
        bench_fail("%s: %s", p->dir, strerror(errno));
    if (p->profile && mkdir(p->profile, 0755) != 0 && errno != EEXIST)
        bench_fail("%s: %s", p->profile, strerror(errno));
    p->out = open(p->out_path, O_CREAT | O_TRUNC | O_WRONLY | O_APPEND | O_CLOEXEC, 0644);
    if (p->out < 0)
        bench_fail("%s: %s", p->out_path, strerror(errno));
    p->watch =
        mmap(NULL, sizeof *p->watch, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p->watch == MAP_FAILED)
        bench_fail("map: %s", strerror(errno));
    p->world = (struct world){ .count = p->suite.count,
                               .value_size = p->suite.value_size,
                               .binary_keys = p->binary_keys,
                               .seed = p->seed };
    world_init(&p->world);
    p->sync_ns = sync_probe(p->dir);
    p->io_label = io_label_of(p->dir);
    if (p->sync_ns < SYNC_REAL_NS)
        fprintf(stderr,
                "bench: a durable append takes %.1f us: not a real sync, rows of synced "
                "commits are marked as refused\n",
                (double)p->sync_ns * 1e-3);
}

int
main(int argc, char **argv)
{
    struct plan p = { .out_path = "bench.jsonl", .dir = "bench-data", .rounds = 1, .seed = 1 };
    unsigned rounds;

    take_suite(&p, "quick");
    read_options(&p, argc, argv);
    prepare(&p);
    write_meta(&p);
    rounds = p.rounds;
    for (p.rounds = 0; p.rounds < rounds; p.rounds++)
        each_name(p.groups ? p.groups : p.suite.groups, run_group, &p);
    world_release(&p.world);
    munmap(p.watch, sizeof *p.watch);
    close(p.out);
    rmdir(p.dir);
    return p.failed ? 1 : 0;
}
