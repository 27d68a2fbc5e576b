// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Check: opens the database as a reader does and looks at every object that its manifest names;
 * deep reads every page and value. Where the manifest itself cannot be read, every stratum that is
 * there is looked at alone. It tells all faults and returns the first kind; it changes nothing.
 */
#include "lsm/rebuild.h"

struct check {
    struct lsm *db;
    const struct lsm_check_options *o;
    struct rebuild faults;
    const char *object;
};

static void
fault_in_object(void *ctx, const basin_error *fault, struct bytes from, struct bytes to)
{
    struct check *c = ctx;

    lsm__rebuild_fault(&c->faults, c->object, fault, &from, &to);
}

static void
plain_fault(struct check *c, const char *object, const basin_error *fault)
{
    lsm__rebuild_fault(&c->faults, object, fault, NULL, NULL);
}

static basin_status
tick(struct check *c, uint64_t done, uint64_t total, basin_error *err)
{
    const basin_watch *w = c->o->watch;
    basin_progress p = { .stage = "check", .unit = "strata", .done = done, .total = total,
                         .eta_ms = UINT64_MAX };

    if (w != NULL && w->progress != NULL && w->progress(w->ctx, &p) != 0)
        return error_set(err, BASIN_CANCELLED, "stopped by the progress callback");
    return BASIN_OK;
}

/* The manifest and the stratum must agree. */
static void
compare_summary(struct check *c, const struct lsm_stratum *ls, const struct stratum *s,
                const char *name)
{
    const struct stratum_summary *sum = stratum_summary_of(s);
    basin_error fault = { 0 };

    if (sum->entries == ls->entries && sum->hash == ls->hash &&
        sum->range_tombstones == ls->range_tombstones)
        return;
    (void)error_set(&fault, BASIN_CORRUPT,
                    "%s: %llu entries and hash %llx, the manifest says %llu and %llx", name,
                    (unsigned long long)sum->entries, (unsigned long long)sum->hash,
                    (unsigned long long)ls->entries, (unsigned long long)ls->hash);
    plain_fault(c, name, &fault);
}

static void
check_stratum(struct check *c, struct lsm_stratum *ls)
{
    struct stratum *s;
    basin_error fault = { 0 };
    char name[LSM_OBJECT_NAME_SIZE];

    lsm__object_name(name, "strata", ls->id);
    c->object = name;
    if (lsm__stratum_use(ls, &s, &fault) != BASIN_OK) {
        plain_fault(c, name, &fault);
        return;
    }
    compare_summary(c, ls, s, name);
    if (c->o->deep)
        (void)!stratum_verify(s, fault_in_object, c, &fault);
}

static void
check_values(struct check *c, const struct lsm_stratum *ls)
{
    char name[LSM_OBJECT_NAME_SIZE];

    for (size_t i = 0; i < ls->use_count; i++) {
        basin_error fault = { 0 };
        struct source *from;
        struct value_stratum *v = NULL;
        struct stratum_read_options options;
        basin_status st;

        lsm__object_name(name, "values", ls->uses[i].id);
        st = store_open(c->db->store, name, &from, &fault);
        if (st == BASIN_NOT_FOUND)
            st = error_set(&fault, BASIN_CORRUPT, "%s: the value stratum is missing", name);
        if (st == BASIN_OK) {
            lsm__read_options(c->db, ls->uses[i].id, &options);
            st = value_open(from, &options, &v, &fault);
        }
        if (st == BASIN_OK && c->o->deep)
            st = value_verify(v, &fault);
        value_close(v);
        if (st != BASIN_OK)
            plain_fault(c, name, &fault);
    }
}

static basin_status
check_version(struct check *c, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct version *v = lsm__version_get(c->db);

    for (size_t i = 0; i < v->stratum_count; i++) {
        TRY(tick(c, i, v->stratum_count, err));
        check_stratum(c, v->strata[i]);
        check_values(c, v->strata[i]);
    }
out:
    lsm__version_unref(v);
    return st;
}

/* Without a manifest: rebuild tells what cannot be opened, then every survivor is looked at. */
static basin_status
check_pieces(const char *path, const struct lsm_options *open, struct check *c, basin_error *err)
{
    basin_status st;
    struct lsm_options o = *open;

    o.rebuild = &c->faults;
    TRY(lsm_open(path, &o, &c->db, err));
    st = check_version(c, err);
    (void)!lsm_close(c->db, NULL);
out:
    return st;
}

basin_status
lsm_check(const char *path, const struct lsm_options *open,
          const struct lsm_check_options *options, basin_error *err)
{
    basin_status st;
    struct check c = { .o = options, .faults = { options, 0 } };
    struct lsm_options o = *open;
    basin_error fault = { 0 };

    o.read_only = true;
    st = lsm_open(path, &o, &c.db, &fault);
    if (st == BASIN_OK) {
        st = check_version(&c, err);
        (void)!lsm_close(c.db, NULL);
        TRY(st);
    } else if (st == BASIN_CORRUPT || st == BASIN_VERSION) {
        plain_fault(&c, "database", &fault);
        st = check_pieces(path, &o, &c, err);
        if (st != BASIN_OK)
            goto out;
    } else {
        if (err != NULL)
            *err = fault;
        goto out;
    }
    if (c.faults.faults > 0) {
        st = error_set(err, BASIN_CORRUPT, "%llu faults were found",
                       (unsigned long long)c.faults.faults);
        error_hint(err, "run basin repair or basin salvage");
    }
out:
    return st;
}
