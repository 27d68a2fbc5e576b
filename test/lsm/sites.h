// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Where crash tests hit: each change that the engine makes on the simulated machine is counted by
 * what the engine was about, the call, and the kind of file, and so is each crash. Beside it the
 * events that histories have to contain. Plain memory: processes may share one.
 */
#ifndef TEST_LSM_SITES_H
#define TEST_LSM_SITES_H

#include "lsm/internal.h"

enum { SITES_MAX = 160 };

struct site {
    char name[48];
    uint64_t calls, crashes;
};

struct sites {
    struct site all[SITES_MAX];
    size_t count;
    uint64_t histories, calls, crashes;
    uint64_t flushes, merges, checkpoints, rolls, rewrites;
    struct lsm *const *db; /* the engine that is watched */
    /* as last seen */
    const struct lsm *seen;
    uint64_t seen_flushes, seen_merges, seen_epoch;
};

/* "log", "log/spare", "strata", ... of a path below the database's directory. */
static inline void
site_class(const char *path, char *to, size_t size)
{
    const char *name = strchr(path, '/');
    size_t n;

    name = name ? name + 1 : "";
    n = strcspn(name, "/");
    if (strcmp(name, "log/spare") == 0)
        n = strlen(name);
    (void)snprintf(to, size, "%.*s", (int)n, n ? name : "directory");
    if (n == 0)
        (void)snprintf(to, size, "directory");
}

static inline const char *
site_activity(const struct lsm *db)
{
    if (db == NULL)
        return "open, close";
    if (db->flush_running)
        return "flush";
    if (db->checkpoint_running)
        return "checkpoint";
    return db->merge_running ? "merge" : "foreground";
}

static inline void
sites_note(void *ctx, const char *verb, const char *path, bool crashes)
{
    struct sites *s = ctx;
    const struct lsm *db = *s->db;
    char class_name[24], name[sizeof s->all[0].name];
    size_t i = 0;

    site_class(path, class_name, sizeof class_name);
    (void)snprintf(name, sizeof name, "%s: %s %s", site_activity(db), verb, class_name);
    while (i < s->count && strcmp(s->all[i].name, name) != 0)
        i++;
    if (i == s->count) {
        must(s->count < SITES_MAX);
        memcpy(s->all[s->count++].name, name, sizeof name);
    }
    s->all[i].calls++;
    s->all[i].crashes += crashes;
    s->calls++;
    s->crashes += crashes;
    if (strcmp(verb, "link") == 0 && !crashes) {
        s->checkpoints += strcmp(class_name, "ckpt") == 0;
        s->rewrites += strcmp(class_name, "values") == 0 && db != NULL && db->merge_running;
    }
}

/* Takes what the engine has counted since the last look. */
static inline void
sites_look(struct sites *s, const struct lsm *db)
{
    uint64_t flushes, merges;

    if (s == NULL)
        return;
    flushes = atomic_load(&db->flushes);
    merges = atomic_load(&db->merges);
    if (db != s->seen || flushes < s->seen_flushes || db->epoch < s->seen_epoch) {
        s->seen_flushes = s->seen_merges = 0;
        s->seen_epoch = db->first_epoch;
    }
    s->flushes += flushes - s->seen_flushes;
    s->merges += merges - s->seen_merges;
    s->rolls += db->epoch - MAX_OF(s->seen_epoch, db->first_epoch);
    s->seen = db;
    s->seen_flushes = flushes;
    s->seen_merges = merges;
    s->seen_epoch = db->epoch;
}

static inline void
sites_watch(struct sites *s, struct os_sim *sim, struct lsm *const *db)
{
    if (s == NULL)
        return;
    s->db = db;
    s->seen = NULL;
    os_sim_watch(sim, sites_note, s);
}

static inline int
site_compare(const void *a, const void *b)
{
    return strcmp(((const struct site *)a)->name, ((const struct site *)b)->name);
}

static inline void
sites_print(struct sites *s, FILE *to)
{
    double n = (double)MAX_OF(s->histories, (uint64_t)1);

    qsort(s->all, s->count, sizeof *s->all, site_compare);
    fprintf(to, "%-48s %12s %10s\n", "change", "calls", "crashes");
    for (size_t i = 0; i < s->count; i++)
        fprintf(to, "%-48s %12llu %10llu\n", s->all[i].name, (unsigned long long)s->all[i].calls,
                (unsigned long long)s->all[i].crashes);
    fprintf(to,
            "%llu histories, of each on average: %.0f changes, %.1f crashes, %.1f flushes, "
            "%.1f merges, %.1f checkpoints, %.2f rolls, %.2f values rewritten\n",
            (unsigned long long)s->histories, (double)s->calls / n, (double)s->crashes / n,
            (double)s->flushes / n, (double)s->merges / n, (double)s->checkpoints / n,
            (double)s->rolls / n, (double)s->rewrites / n);
}

#endif
