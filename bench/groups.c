// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Which workloads form a group, in which order, and how big a suite makes them.
 * A group starts with an empty directory and ends with the database closed.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "work.h"

#define MIB ((size_t)1 << 20)
#define ALL_GROUPS "main,seq,single,sync,bulk,crash"

static const struct suite suites[] = {
    { "std", ALL_GROUPS, 2000000, 100, 64 * MIB, 64 * MIB, 1, 12, 2 },
    { "v1k", "short", 500000, 1000, 64 * MIB, 64 * MIB, 1, 12, 2 },
    { "large", "short", 6000000, 100, 64 * MIB, 64 * MIB, 1, 15, 2 },
    { "hot", "short", 2000000, 100, 512 * MIB, 64 * MIB, 1, 12, 2 },
    { "quick", "short", 200000, 100, 64 * MIB, 64 * MIB, 0.5, 6, 1 },
    { "smoke", ALL_GROUPS, 20000, 100, 64 * MIB, 64 * MIB, 0.05, 6, 0.5 },
    { .name = NULL },
};

const struct suite *
suite_find(const char *name)
{
    for (const struct suite *s = suites; s->name; s++)
        if (strcmp(s->name, name) == 0)
            return s;
    return NULL;
}

void
suite_print(FILE *f)
{
    for (const struct suite *s = suites; s->name; s++)
        fprintf(f, "  %-6s %7llu keys, values of %4zu bytes, groups %s\n", s->name,
                (unsigned long long)s->count, s->value_size, s->groups);
}

void
run_open(struct run *r)
{
    struct engine_setup setup = {
        .dir = r->dir,
        .cache_size = r->suite->cache_size,
        .write_buffer_size = r->suite->write_buffer_size,
        .value_size = r->suite->value_size,
        .synced = r->synced,
        .lz4 = r->column->lz4,
        .mapped = r->column->mapped,
        .drops = r->column->drops,
    };

    if (mkdir(r->dir, 0755) != 0 && errno != EEXIST)
        bench_fail("%s: %s", r->dir, strerror(errno));
    r->db = r->column->engine->open(&setup);
}

void
run_close(struct run *r)
{
    r->column->engine->close(r->db);
    r->db = NULL;
}

static void
fill_random(struct run *r)
{
    struct fill f = { "fillrand_b1000", 0, r->world->count, 1000, false, r->suite->fill_seconds };

    work_fill(r, &f);
    work_settle(r, "settle_fill");
    work_size(r, "size_fill");
    if (!r->column->engine->persistent)
        return;
    work_open(r, "open_warm", false);
    work_open(r, "open_cold", true);
    work_get(r, &(struct reading){ "get_cold", PICK_HIT, 1, 0,
                                   r->world->count < 20000 ? r->world->count : 20000 });
}

static void
overwrite_and_look(struct run *r)
{
    struct overwrite o = { "overwrite_b100", r->world->count, r->world->count, 100,
                           r->suite->fill_seconds };

    work_overwrite(r, &o);
    work_settle(r, "settle_overwrite");
    work_size(r, "size_overwrite");
    work_get(r, &(struct reading){ "get_after_ow", PICK_HIT, 1, 0, 0 });
    work_scan(r, "scan_after_ow", false);
}

static void
group_short(struct run *r)
{
    run_open(r);
    fill_random(r);
    work_scan(r, "scan_first", false);
    work_get(r, &(struct reading){ "get_hit", PICK_HIT, 1, 0, 0 });
    work_get(r, &(struct reading){ "get_zipf", PICK_ZIPF, 1, 0, 0 });
    work_get(r, &(struct reading){ "get_miss", PICK_MISS, 1, 0, 0 });
    work_scan(r, "scan_full", false);
    work_scan_100(r, "scan_100");
    work_mixed(r, "mixed_zipf");
    overwrite_and_look(r);
    run_close(r);
}

static void
group_main(struct run *r)
{
    run_open(r);
    fill_random(r);
    work_scan(r, "scan_first", false);
    work_get(r, &(struct reading){ "get_hit", PICK_HIT, 1, 0, 0 });
    work_get(r, &(struct reading){ "get_miss", PICK_MISS, 1, 0, 0 });
    work_get(r, &(struct reading){ "get_zipf", PICK_ZIPF, 1, 0, 0 });
    work_get(r, &(struct reading){ "get_snap100", PICK_HIT, 1, 100, 0 });
    work_get(r, &(struct reading){ "get_hit_2thr", PICK_HIT, 2, 0, 0 });
    work_scan(r, "scan_full", false);
    work_scan(r, "scan_back", true);
    work_scan_100(r, "scan_100");
    work_mixed(r, "mixed_zipf");
    work_read_while_write(r, "read_while_write");
    overwrite_and_look(r);
    work_delete(r, "delete_b100");
    work_compact(r, "compact");
    work_size(r, "size_compact");
    work_get(r, &(struct reading){ "get_compacted", PICK_HIT, 1, 0, 0 });
    work_scan(r, "scan_compacted", false);
    run_close(r);
}

static void
group_seq(struct run *r)
{
    struct fill f = { "fillseq_b1000", 0, r->world->count, 1000, true, 120 };

    run_open(r);
    work_fill(r, &f);
    work_scan(r, "scan_fillseq", false);
    run_close(r);
}

static void
group_single(struct run *r)
{
    uint64_t half = r->world->count / 2;
    struct fill f = { "fillrand_b1", 0, half, 1, false, r->suite->single_seconds };
    struct overwrite o = { "overwrite_b1", half, half, 1, r->suite->single_seconds / 2 };

    run_open(r);
    work_fill(r, &f);
    work_overwrite(r, &o);
    work_scan(r, "single_check", false);
    run_close(r);
}

static void
group_sync(struct run *r)
{
    uint64_t n = r->world->count;
    double seconds = r->suite->single_seconds / 2;

    run_open(r);
    work_durable(r, &(struct durable){ "sync_1thr", 0, n / 8, 1, 1, seconds });
    work_durable(r, &(struct durable){ "sync_4thr", n / 8, n / 2, 1, 4, seconds });
    work_durable(r, &(struct durable){ "sync_b100", n / 2, n, 100, 1, seconds });
    work_scan(r, "sync_check", false);
    run_close(r);
}

static void
group_bulk(struct run *r)
{
    run_open(r);
    work_bulk(r, "bulk_sorted");
    work_scan(r, "scan_bulk", false);
    work_get(r, &(struct reading){ "get_bulk", PICK_HIT, 1, 0, 0 });
    run_close(r);
}

static void
group_crash(struct run *r)
{
    work_recover(r, "recover_kill9");
    run_close(r);
}

static const struct group {
    const char *name;
    void (*run)(struct run *r);
    bool synced;     /* commits durably */
    bool persistent; /* makes sense only for an engine that keeps something */
} groups[] = {
    { "main", group_main, false, false },  { "short", group_short, false, false },
    { "seq", group_seq, false, false },    { "single", group_single, false, false },
    { "sync", group_sync, true, true },    { "bulk", group_bulk, false, false },
    { "crash", group_crash, false, true }, { NULL, NULL, false, false },
};

static const struct group *
group_find(const char *name, size_t size)
{
    for (const struct group *g = groups; g->name; g++)
        if (strlen(g->name) == size && memcmp(g->name, name, size) == 0)
            return g;
    return NULL;
}

bool
group_known(const char *name, size_t size)
{
    return group_find(name, size) != NULL;
}

bool
group_synced(const char *name)
{
    return group_find(name, strlen(name))->synced;
}

bool
group_run(struct run *r)
{
    const struct group *g = group_find(r->group, strlen(r->group));

    if (!g)
        return false;
    if (!g->persistent || r->column->engine->persistent)
        g->run(r);
    return true;
}
