// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Versions and snapshots: what readers hold. A version is built whole from the manifest and the
 * memtables and then never changes; installing one replaces the pointer under mu.
 */
#include <stdio.h>
#include "lsm/internal.h"

void
lsm__version_ref(struct version *v)
{
    atomic_fetch_add_explicit(&v->ref_count, 1, memory_order_relaxed);
}

static void
version_free(struct version *v)
{
    struct lsm *db = v->db;
    const basin_allocator *mem = db->mem;

    os_mutex_lock(db->dead_mu);
    if (v->newer != NULL)
        v->newer->older = v->older;
    else
        db->versions = v->older;
    if (v->older != NULL)
        v->older->newer = v->newer;
    lsm__reader_released(db);
    os_mutex_unlock(db->dead_mu);
    for (size_t i = 0; i < v->mem_count; i++)
        memtable_unref(v->mems[i]);
    for (size_t i = 0; i < v->stratum_count; i++)
        lsm__stratum_unref(v->strata[i]);
    mem_free(mem, v->mems, v->mem_count * sizeof(*v->mems));
    mem_free(mem, v->strata, v->stratum_count * sizeof(*v->strata));
    mem_free(mem, v->runs, v->stratum_count * sizeof(*v->runs));
    mem_free(mem, v, sizeof(*v));
}

void
lsm__version_unref(struct version *v)
{
    if (v != NULL && atomic_fetch_sub_explicit(&v->ref_count, 1, memory_order_acq_rel) == 1)
        version_free(v);
}

/* Order of (V2): level ascending, of level 0 the newest run first, then by key. */
static int
compare_strata(const void *a, const void *b)
{
    const struct lsm_stratum *x = *(struct lsm_stratum *const *)a;
    const struct lsm_stratum *y = *(struct lsm_stratum *const *)b;

    if (x->level != y->level)
        return x->level < y->level ? -1 : 1;
    if (x->run != y->run)
        return x->run > y->run ? -1 : 1;
    return bytes_compare(buf_bytes(&x->first_key), buf_bytes(&y->first_key));
}

static void
cut_runs(struct version *v)
{
    for (size_t i = 0; i < v->stratum_count; i++) {
        struct lsm_stratum *s = v->strata[i];
        struct lsm_run *last = v->run_count ? &v->runs[v->run_count - 1] : NULL;
        if (last == NULL || last->level != s->level || last->run != s->run)
            v->runs[v->run_count++] = (struct lsm_run){ s->level, s->run, 1, v->strata + i };
        else
            last->count++;
    }
}

static basin_status
version_build(struct lsm *db, struct version **out, basin_error *err)
{
    basin_status st = BASIN_OK;
    const struct manifest *m = &db->manifest;
    struct version *v = mem_new(db->mem, sizeof(*v));
    size_t strata_size = m->stratum_count * sizeof(*v->strata);

    *out = NULL;
    if (v == NULL)
        FAIL(err, BASIN_NO_MEM, "no memory for a version");
    v->db = db;
    v->place_epoch = m->place.epoch;
    v->place_at = m->place.at;
    atomic_init(&v->ref_count, 1);
    v->mems = mem_new(db->mem, (1 + db->immutable_count) * sizeof(*v->mems));
    v->strata = m->stratum_count ? mem_new(db->mem, strata_size) : NULL;
    v->runs = m->stratum_count ? mem_new(db->mem, m->stratum_count * sizeof(*v->runs)) : NULL;
    if (v->mems == NULL || (m->stratum_count && (v->strata == NULL || v->runs == NULL))) {
        mem_free(db->mem, v->mems, (1 + db->immutable_count) * sizeof(*v->mems));
        mem_free(db->mem, v->strata, strata_size);
        mem_free(db->mem, v->runs, m->stratum_count * sizeof(*v->runs));
        mem_free(db->mem, v, sizeof(*v));
        FAIL(err, BASIN_NO_MEM, "no memory for a version of %zu strata", m->stratum_count);
    }
    v->mem_count = 1 + db->immutable_count;
    v->mems[0] = db->active;
    for (size_t i = 0; i < db->immutable_count; i++)
        v->mems[1 + i] = db->immutable[db->immutable_count - 1 - i].table;
    for (size_t i = 0; i < v->mem_count; i++)
        memtable_ref(v->mems[i]);
    v->stratum_count = m->stratum_count;
    if (v->stratum_count) {
        memcpy(v->strata, m->strata, strata_size);
        sort_items(v->strata, v->stratum_count, sizeof(*v->strata), compare_strata);
    }
    for (size_t i = 0; i < v->stratum_count; i++)
        lsm__stratum_ref(v->strata[i]);
    cut_runs(v);
    *out = v;
out:
    return st;
}

basin_status
lsm__version_install(struct lsm *db, basin_error *err)
{
    basin_status st;
    struct version *v, *old = db->current;

    TRY(version_build(db, &v, err));
    os_mutex_lock(db->dead_mu);
    v->older = db->versions;
    if (v->older != NULL)
        v->older->newer = v;
    db->versions = v;
    os_mutex_unlock(db->dead_mu);
    db->current = v;
    db->level0_runs = 0;
    while (db->level0_runs < v->run_count && v->runs[db->level0_runs].level == 0)
        db->level0_runs++;
    atomic_store_explicit(&db->crowded,
                          db->immutable_count >= IMMUTABLE_MAX || db->level0_runs > DEBT_RUNS_SLOW,
                          memory_order_release);
    lsm__lanes_turn(db);
    lsm__version_unref(old);
out:
    return st;
}

struct place
lsm__versions_oldest(struct lsm *db)
{
    struct place oldest = { UINT64_MAX, 0 }, p;

    os_mutex_lock(db->dead_mu);
    for (const struct version *v = db->versions; v; v = v->older) {
        p = (struct place){ v->place_epoch, v->place_at };
        if (place_compare(p, oldest) < 0)
            oldest = p;
    }
    os_mutex_unlock(db->dead_mu);
    return oldest;
}

struct version *
lsm__version_get(struct lsm *db)
{
    struct version *v;

    os_mutex_lock(db->mu);
    v = db->current;
    lsm__version_ref(v);
    os_mutex_unlock(db->mu);
    return v;
}

/* ------------------------------------------------------------------ snapshots */

/* Keeps the ring ascending: a snapshot at a pin goes further to the front. */
void
lsm__snapshot_add(struct lsm *db, struct snapshot *s)
{
    struct snapshot *after = db->snapshots.prev;

    while (after != &db->snapshots && after->seqno > s->seqno)
        after = after->prev;
    s->prev = after;
    s->next = after->next;
    after->next->prev = s;
    after->next = s;
    db->snapshot_count++;
}

void
lsm__snapshot_remove(struct lsm *db, struct snapshot *s)
{
    s->prev->next = s->next;
    s->next->prev = s->prev;
    s->prev = s->next = NULL;
    db->snapshot_count--;
}

static int
compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

basin_status
lsm__snapshot_list(struct lsm *db, uint64_t **out, size_t *count, size_t *capacity,
                   basin_error *err)
{
    uint64_t visible = atomic_load_explicit(&db->visible, memory_order_acquire);
    size_t n = 0;
    size_t most = (size_t)db->snapshot_count + db->manifest.pin_count + 1;
    uint64_t *list = mem_new(db->mem, most * sizeof(*list));

    *out = NULL;
    *count = *capacity = 0;
    if (list == NULL)
        return error_set(err, BASIN_NO_MEM, "no memory for %zu snapshots", most);
    for (const struct snapshot *s = db->snapshots.next; s != &db->snapshots; s = s->next)
        list[n++] = s->seqno;
    for (size_t i = 0; i < db->manifest.pin_count; i++)
        list[n++] = db->manifest.pins[i].seqno;
    list[n++] = visible;
    sort_items(list, n, sizeof(*list), compare_u64);
    *out = list;
    *count = n;
    *capacity = most;
    return BASIN_OK;
}

/* ------------------------------------------------------------------ objects */

void
lsm__object_name(char to[LSM_OBJECT_NAME_SIZE], const char *class_name, struct object_id id)
{
    (void)snprintf(to, LSM_OBJECT_NAME_SIZE, "%s/%llu-%llu", class_name,
                   (unsigned long long)id.epoch, (unsigned long long)id.number);
}

static const char *
parse_number(const char *p, uint64_t *v)
{
    const char *start = p;

    for (*v = 0; *p >= '0' && *p <= '9'; p++) {
        if (*v > (UINT64_MAX - 9) / 10)
            return NULL;
        *v = *v * 10 + (uint64_t)(*p - '0');
    }
    return p == start || (*start == '0' && p > start + 1) ? NULL : p;
}

/* "EPOCH-NUMBER", in the one form that lsm__object_name writes. */
bool
lsm__object_parse(const char *name, struct object_id *id)
{
    const char *p = parse_number(name, &id->epoch);

    if (p == NULL || *p != '-')
        return false;
    p = parse_number(p + 1, &id->number);
    return p != NULL && *p == 0;
}

struct object_id
lsm__next_object(struct lsm *db)
{
    return (struct object_id){ db->epoch, atomic_fetch_add_explicit(&db->next_number, 1,
                                                                    memory_order_relaxed) };
}

basin_status
lsm__write_options(struct lsm *db, struct object_id id, struct stratum_write_options *out,
                   basin_error *err)
{
    *out = (struct stratum_write_options){
        .mem = db->mem,
        .page_size = db->o.page_size,
        .codec = db->o.codec,
        .codec_level = db->o.codec_level,
        .filter_bits = db->o.filter_bits < 0 ? 0 : (uint32_t)db->o.filter_bits,
        .prefix = db->o.filter_bits < 0 ? NULL : db->o.prefix,
        .data_key = db->encrypted ? &db->data_key : NULL,
        .database_id = { db->database_id[0], db->database_id[1] },
        .object_id = { id.epoch, id.number },
        .counters = &db->counters,
    };
    basin_status st = lsm__log_settle(db, err); /* the log is there before an object of it is */
    return st == BASIN_OK ? db->os->ops->random(db->os, out->salt, sizeof(out->salt), err) : st;
}

void
lsm__read_options(const struct lsm *db, struct object_id id, struct stratum_read_options *out)
{
    *out = (struct stratum_read_options){
        .mem = db->mem,
        .cache = db->cache,
        .data_key = db->encrypted ? &db->data_key : NULL,
        .database_id = { db->database_id[0], db->database_id[1] },
        .object_id = { id.epoch, id.number },
        .counters = (struct stratum_counters *)&db->counters,
        .no_map = db->o.no_map || db->encrypted,
    };
}

/* Names and sizes may fit by chance, or the manifest tell of other bounds: then what is read from
 * it would be wrong without a word. */
static bool
is_described(const struct lsm_stratum *ls, const struct stratum_summary *is)
{
    return ls->hash == is->hash && ls->entries == is->entries &&
           ls->range_tombstones == is->range_tombstones &&
           ls->last_excluded == is->last_key_excluded && ls->last_unbounded == is->last_unbounded &&
           bytes_equal(buf_bytes(&ls->first_key), is->first_key) &&
           bytes_equal(buf_bytes(&ls->last_key), is->last_key);
}

basin_status
lsm__stratum_use(struct lsm_stratum *ls, struct stratum **out, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct lsm *db = ls->db;
    struct stratum *s = atomic_load_explicit(&ls->opened, memory_order_acquire);
    struct stratum *expected = NULL;
    struct stratum_read_options options;
    struct source *from = NULL;
    char name[LSM_OBJECT_NAME_SIZE];

    *out = s;
    if (LIKELY(s != NULL))
        return BASIN_OK;
    lsm__object_name(name, "strata", ls->id);
    st = store_open(db->store, name, &from, err);
    if (st == BASIN_NOT_FOUND && !lsm__is_pinned(db))
        FAIL(err, BASIN_TOO_OLD, "%s: removed by the writer; this reader has no slot", name);
    if (st == BASIN_NOT_FOUND)
        FAIL(err, BASIN_CORRUPT, "%s: the stratum is missing", name);
    TRY(st);
    if (from->size != ls->size) {
        uint64_t size = from->size;
        from->ops->close(from);
        FAIL(err, BASIN_CORRUPT, "%s: the stratum has %llu bytes, not %llu", name,
             (unsigned long long)size, (unsigned long long)ls->size);
    }
    lsm__read_options(db, ls->id, &options);
    options.seqno_max = ls->seqno_max; /* loads and spills are written before they have theirs */
    TRY(stratum_open(from, &options, &s, err));
    if (!is_described(ls, stratum_summary_of(s))) {
        stratum_close(s);
        FAIL(err, BASIN_CORRUPT, "%s: not the stratum that the manifest describes", name);
    }
    if (!atomic_compare_exchange_strong_explicit(&ls->opened, &expected, s, memory_order_acq_rel,
                                                 memory_order_acquire)) {
        stratum_close(s); /* another thread was first */
        s = expected;
    }
    *out = s;
out:
    return lsm__advise(st, err);
}

basin_status
lsm__advise(basin_status st, basin_error *err)
{
    if (UNLIKELY(st == BASIN_CORRUPT) && err != NULL && err->hint[0] == 0)
        error_hint(err, "run basin check, then basin repair or basin salvage");
    return st;
}

const struct mem_fold *
lsm__fold_table(const struct lsm *db)
{
    return &db->fold;
}

const struct lsm_operator *
lsm__operator(const struct lsm *db, uint8_t number)
{
    for (size_t i = 0; i < db->operator_count; i++)
        if (db->operators[i].number == number)
            return &db->operators[i];
    return NULL;
}
