// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Transactions larger than memory. When the batch of a transaction has grown to its limit it is
 * written to strata that nobody else knows; reads of the transaction look into them between the
 * batch and the version. The commit writes the rest of the batch as well and publishes all of it by
 * one edit, as runs of level 0.
 *
 *   add ... -> spill: [batch -> run]* -> tidy: [runs -> run]* -> commit: writers wait -> flush ->
 *   validate, publish -> writers go on
 *
 * In these strata seqnos are the numbers of the operations in the transaction, from 1. The edit
 * gives them their place: stratum_open adds the difference (note 34). The flush comes first because
 * a memtable is newer than every run.
 *
 * (S1) runs are in the order of their operations, except that one whose keys lie apart from the
 *      newest run's joins it.
 * (S2) no run has operations from both sides of a savepoint: a batch is cut at its savepoints when
 *      it is spilled, and runs before one are not merged or joined with runs behind it.
 */
#include "lsm/rules.h"
#include "lsm/spill.h"
#include "lsm/values.h"

enum {
    OP_WEIGHT = 64,  /* memory that an operation takes in the index beside its bytes */
    MERGE_RUNS = 16, /* of about one size that become one */
    MERGE_RUNS_MAX = 64,
    RUNS_MAX = 128, /* from which runs of any size are merged */
    COMMIT_RUNS = 8 /* at most, in a commit */
};

/* ------------------------------------------------------------------ runs */

void
lsm__spilled_ref(struct spilled *p)
{
    p->ref_count++;
}

void
lsm__spilled_unref(struct spilled *p)
{
    const basin_allocator *mem;

    if (p == NULL || --p->ref_count > 0)
        return;
    mem = p->db->mem;
    for (size_t i = 0; i < p->stratum_count; i++)
        lsm__stratum_unref(p->strata[i]);
    mem_free(mem, p->strata, p->stratum_count * sizeof(*p->strata));
    mem_free(mem, p->runs, p->run_count * sizeof(*p->runs));
    mem_free(mem, p, sizeof(*p));
}

/* Nothing will name it any more: its object goes with the last reference, that of a cursor. */
static void
retire(struct lsm_stratum *s)
{
    s->obsolete = true;
    atomic_fetch_add_explicit(&s->db->retired_bytes, s->size, memory_order_relaxed);
}

static size_t
run_count(const struct spilled *p)
{
    return p != NULL ? p->run_count : 0;
}

static struct spilled *
spilled_new(struct lsm *db, size_t runs, size_t strata)
{
    struct spilled *p = mem_new(db->mem, sizeof(*p));

    if (p == NULL)
        return NULL;
    p->db = db;
    p->ref_count = 1;
    p->runs = runs ? mem_new(db->mem, runs * sizeof(*p->runs)) : NULL;
    p->strata = strata ? mem_new(db->mem, strata * sizeof(*p->strata)) : NULL;
    if ((runs && p->runs == NULL) || (strata && p->strata == NULL)) {
        mem_free(db->mem, p->runs, runs * sizeof(*p->runs));
        mem_free(db->mem, p->strata, strata * sizeof(*p->strata));
        mem_free(db->mem, p, sizeof(*p));
        return NULL;
    }
    p->run_count = runs;
    p->stratum_count = strata;
    return p;
}

/* What `old` (may be NULL) is without its `drop` newest runs and with a new one of n strata; n may
 * be 0. */
static basin_status
replace(struct lsm *db, const struct spilled *old, size_t drop, struct lsm_stratum *const *strata,
        size_t n, struct spilled **out, basin_error *err)
{
    size_t kept = run_count(old) - drop, total = n, at = 0;
    struct spilled *p;

    for (size_t i = 0; i < kept; i++)
        total += old->runs[drop + i].count;
    p = spilled_new(db, kept + (n > 0), total);
    if (p == NULL)
        return error_set(err, BASIN_NO_MEM, "no memory for %zu spilled strata", total);
    if (n > 0) {
        p->runs[0] = (struct lsm_run){ 0, kept, n, p->strata };
        memcpy(p->strata, strata, n * sizeof(*strata));
        at = n;
    }
    for (size_t i = 0; i < kept; i++) {
        const struct lsm_run *run = &old->runs[drop + i];
        p->runs[(n > 0) + i] = (struct lsm_run){ 0, kept - 1 - i, run->count, p->strata + at };
        memcpy(p->strata + at, run->strata, run->count * sizeof(*run->strata));
        at += run->count;
    }
    for (size_t i = 0; i < total; i++)
        lsm__stratum_ref(p->strata[i]);
    *out = p;
    return BASIN_OK;
}

static int
compare_first(const void *a, const void *b)
{
    const struct lsm_stratum *const *x = a, *const *y = b;

    return bytes_compare(buf_bytes(&(*x)->first_key), buf_bytes(&(*y)->first_key));
}

/* The strata of a run and new ones in the order of their keys; NULL when some overlap, or when
 * there is no memory to find out. */
static struct lsm_stratum **
join(struct lsm *db, const struct lsm_run *run, struct lsm_stratum *const *strata, size_t n)
{
    size_t total = run->count + n;
    struct lsm_stratum **all = mem_new(db->mem, total * sizeof(struct lsm_stratum *));

    if (all == NULL)
        return NULL;
    memcpy(all, run->strata, run->count * sizeof(struct lsm_stratum *));
    memcpy(all + run->count, strata, n * sizeof(struct lsm_stratum *));
    sort_items(all, total, sizeof(struct lsm_stratum *), compare_first);
    for (size_t i = 1; i < total; i++)
        if (!lsm__strata_apart(all[i - 1], all[i])) {
            mem_free(db->mem, all, total * sizeof(struct lsm_stratum *));
            return NULL;
        }
    return all;
}

/* A new newest run, joined with the one before when `may_join` and they do not overlap. */
static basin_status
append(struct lsm *db, const struct spilled *old, bool may_join, struct lsm_stratum *const *strata,
       size_t n, struct spilled **out, basin_error *err)
{
    basin_status st;
    struct lsm_stratum **all = NULL;
    size_t total = 0;

    if (may_join && n > 0) {
        total = old->runs[0].count + n;
        all = join(db, &old->runs[0], strata, n);
    }
    st = all != NULL ? replace(db, old, 1, all, total, out, err)
                     : replace(db, old, 0, strata, n, out, err);
    mem_free(db->mem, all, all != NULL ? total * sizeof(struct lsm_stratum *) : 0);
    return st;
}

/* ------------------------------------------------------------------ writing strata */

static bool
cancelled(void *ctx)
{
    struct lsm_txn *txn = ctx;

    return lsm__interrupts(txn->db) != txn->spill_interrupts ||
           lsm__failure(txn->db, NULL) != BASIN_OK;
}

/* All that the strata of one transaction share in their notes. */
static struct object_id
group_of(struct lsm_txn *txn)
{
    if (txn->spill_group.epoch == 0)
        txn->spill_group = lsm__next_object(txn->db);
    return txn->spill_group;
}

/* Runs sources, newest first, and their range tombstones through the drop rules. Only the newest
 * state counts: nobody reads an older one. Takes the cursor over, also when it fails. */
static basin_status
write_strata(struct lsm_txn *txn, struct icur *source, const struct range_tombstone *raw,
             size_t raw_count, struct lsm_stratum *const *consumed, size_t consumed_count,
             struct output **out, basin_error *err)
{
    static const uint64_t newest = UINT64_MAX;
    basin_status st;
    struct lsm *db = txn->db;
    struct output *output = NULL;
    struct range_tombstone *kept = NULL;
    size_t kept_count = 0;
    struct rules_options rules = { .db = db,
                                   .snapshots = &newest,
                                   .snapshot_count = 1,
                                   .cancelled = cancelled,
                                   .cancel_ctx = txn,
                                   .source = source };
    struct output_options options = { .db = db,
                                      .group = group_of(txn),
                                      .consumed = consumed,
                                      .consumed_count = consumed_count,
                                      .size_max = db->o.stratum_size };

    TRY(lsm__rules_ranges(&rules, raw, raw_count, &kept, &kept_count, err));
    options.ranges = kept;
    options.range_count = kept_count;
    TRY(lsm__reserve_allows(options.db, err));
    TRY(lsm__output_open(&options, &output, err));
    rules.output = output;
    TRY(lsm__rules_run(&rules, err));
    TRY(lsm__output_finish(output, err));
    *out = output;
    output = NULL;
out:
    source->ops->close(source);
    lsm__output_close(output, false);
    mem_free(db->mem, kept, kept_count * sizeof(*kept));
    return st;
}

static basin_status
write_table(struct lsm_txn *txn, struct memtable *table, struct output **out, basin_error *err)
{
    basin_status st;
    const basin_allocator *mem = txn->db->mem;
    struct range_tombstone *raw = NULL;
    size_t raw_count = 0;
    struct icur *source = NULL;

    TRY(memtable_ranges(table, mem, &raw, &raw_count, err));
    TRY(memtable_cursor(table, mem, &source, err));
    TRY(lsm__multi_icur(mem, &source, 1, &source, err));
    TRY(write_strata(txn, source, raw, raw_count, NULL, 0, out, err));
out:
    mem_free(mem, raw, raw_count * sizeof(*raw));
    return st;
}

/* Operations [from, to) of the batch, of which the first has number `number`. */
static basin_status
write_part(struct lsm_txn *txn, size_t from, size_t to, uint64_t *number, struct output **out,
           basin_error *err)
{
    basin_status st;
    struct memtable *table = NULL;

    if (from == 0 && to == txn->ops.size) {
        TRY(lsm__txn_index(txn, err));
        *number = txn->op_count + 1;
        st = write_table(txn, txn->index, out, err);
        goto out;
    }
    TRY(memtable_new(txn->db->mem, lsm__fold_table(txn->db), &table, err));
    TRY(lsm__apply_ops(table, bytes_of(txn->ops.data + from, to - from), *number, number, err));
    TRY(write_table(txn, table, out, err));
out:
    memtable_unref(table);
    return st;
}

/* ------------------------------------------------------------------ merging runs */

/* Fragments of all strata of the newest n runs. */
static basin_status
collect_ranges(const struct spilled *p, size_t n, struct range_tombstone **out, size_t *count,
               basin_error *err)
{
    basin_status st = BASIN_OK;
    struct stratum *s;
    size_t total = 0, k;

    *out = NULL;
    *count = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < p->runs[i].count; j++)
            total += (size_t)p->runs[i].strata[j]->range_tombstones;
    if (total == 0)
        goto out;
    *out = mem_new(p->db->mem, total * sizeof(**out));
    *count = total;
    total = 0;
    if (*out == NULL)
        FAIL(err, BASIN_NO_MEM, "no memory for %zu range tombstones", *count);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < p->runs[i].count; j++) {
            TRY(lsm__stratum_use(p->runs[i].strata[j], &s, err));
            const struct range_tombstone *t = stratum_ranges(s, &k);
            if (k > *count - total)
                FAIL(err, BASIN_CORRUPT, "a spilled stratum has %zu range tombstones", k);
            if (k)
                memcpy(*out + total, t, k * sizeof(*t));
            total += k;
        }
out:
    if (st != BASIN_OK && *out != NULL) {
        mem_free(p->db->mem, *out, *count * sizeof(**out));
        *out = NULL;
        *count = 0;
    }
    return st;
}

static basin_status
open_runs(const struct spilled *p, size_t n, struct icur **source, basin_error *err)
{
    basin_status st = BASIN_OK;
    const basin_allocator *mem = p->db->mem;
    struct icur *subs[MERGE_RUNS_MAX];
    size_t opened = 0;

    must(n <= MERGE_RUNS_MAX);
    for (; opened < n; opened++)
        TRY(lsm__run_icur(&p->runs[opened], mem, &subs[opened], err));
    st = lsm__multi_icur(mem, subs, n, source, err);
    opened = 0; /* given away */
out:
    while (opened-- > 0)
        subs[opened]->ops->close(subs[opened]);
    return st;
}

/* The newest n runs become one. */
static basin_status
merge_runs(struct lsm_txn *txn, size_t n, basin_error *err)
{
    basin_status st;
    struct lsm *db = txn->db;
    struct spilled *old = txn->spilled, *next = NULL;
    struct range_tombstone *raw = NULL;
    struct lsm_stratum **strata;
    struct output *output = NULL;
    struct icur *source = NULL;
    size_t raw_count = 0, inputs = 0, count;

    for (size_t i = 0; i < n; i++)
        inputs += old->runs[i].count;
    TRY(collect_ranges(old, n, &raw, &raw_count, err));
    TRY(open_runs(old, n, &source, err));
    TRY(write_strata(txn, source, raw, raw_count, old->strata, inputs, &output, err));
    count = lsm__output_strata(output, &strata);
    TRY(replace(db, old, n, strata, count, &next, err));
    for (size_t i = 0; i < inputs; i++)
        retire(old->strata[i]);
    txn->spilled = next;
    lsm__spilled_unref(old);
    lsm__dead_release(db, true);
out:
    lsm__output_close(output, st == BASIN_OK);
    mem_free(db->mem, raw, raw_count * sizeof(*raw));
    return st;
}

/* Runs grow by a factor of MERGE_RUNS from tier to tier. */
static unsigned
tier_of(const struct lsm_txn *txn, const struct lsm_run *run)
{
    unsigned tier = 0;
    uint64_t bytes = 0, most = txn->db->o.spill_size * (uint64_t)MERGE_RUNS / 2;

    for (size_t i = 0; i < run->count; i++)
        bytes += run->strata[i]->size;
    for (; bytes > most && tier < 8; most *= MERGE_RUNS)
        tier++;
    return tier;
}

/* How many of the newest `free` runs should become one: those up to the sixteenth of a tier, when
 * none of them belongs to a higher one; all that can when there are too many. */
static size_t
choose_merge(const struct lsm_txn *txn, size_t free)
{
    const struct spilled *p = txn->spilled;

    for (unsigned tier = 0; tier <= 8; tier++) {
        size_t n = 0, of_tier = 0;
        for (; n < MIN_OF(free, (size_t)MERGE_RUNS_MAX) && of_tier < MERGE_RUNS; n++) {
            unsigned t = tier_of(txn, &p->runs[n]);
            if (t > tier)
                break;
            of_tier += t == tier;
        }
        if (of_tier == MERGE_RUNS)
            return n;
    }
    return run_count(p) > RUNS_MAX && free > 1 ? MIN_OF(free, (size_t)MERGE_RUNS_MAX) : 0;
}

static basin_status
tidy(struct lsm_txn *txn, size_t floor, basin_error *err)
{
    basin_status st = BASIN_OK;
    size_t n;

    while (run_count(txn->spilled) > floor &&
           (n = choose_merge(txn, txn->spilled->run_count - floor)) > 1)
        TRY(merge_runs(txn, n, err));
out:
    return st;
}

/* ------------------------------------------------------------------ spilling */

/* The end of the part of the batch that begins at `from`: the next savepoint, or the whole. */
static size_t
part_end(const struct lsm_txn *txn, size_t from)
{
    size_t end = txn->ops.size;

    for (const struct savepoint *s = txn->savepoints; s; s = s->outer)
        if (s->ops_size > from)
            end = MIN_OF(end, s->ops_size);
    return end;
}

/* Savepoints at `at` of the batch will stand behind `runs` runs. */
static void
place_savepoints(struct lsm_txn *txn, size_t at, size_t runs, size_t *floor)
{
    for (struct savepoint *s = txn->savepoints; s; s = s->outer)
        if (s->ops_size == at) {
            if (at > 0)
                s->runs_after = runs;
            *floor = MAX_OF(*floor, at > 0 ? runs : s->run_count);
        }
}

/* All is written: the batch is empty, savepoints inside of it lie between runs now. */
static void
take_over(struct lsm_txn *txn, struct spilled *next)
{
    for (struct savepoint *s = txn->savepoints; s; s = s->outer)
        if (s->ops_size > 0) {
            s->run_count = s->runs_after;
            s->ops_size = 0;
        }
    lsm__spilled_unref(txn->spilled);
    txn->spilled = next;
    buf_release(&txn->ops);
    txn->ops_before = txn->op_count;
    txn->range_ops = 0;
    lsm__txn_forget_index(txn);
}

/* Writes one more part and puts it behind *next. */
static basin_status
spill_part(struct lsm_txn *txn, size_t from, size_t to, uint64_t *number, size_t floor,
           struct spilled **next, basin_error *err)
{
    basin_status st;
    struct output *output = NULL;
    struct lsm_stratum **strata;
    struct spilled *more;
    size_t n;

    TRY(write_part(txn, from, to, number, &output, err));
    n = lsm__output_strata(output, &strata);
    TRY(append(txn->db, *next, run_count(*next) > floor, strata, n, &more, err));
    lsm__spilled_unref(*next);
    *next = more;
out:
    lsm__output_close(output, st == BASIN_OK);
    return st;
}

static bool
has_stratum(const struct spilled *p, const struct lsm_stratum *s)
{
    for (size_t i = 0; p != NULL && i < p->stratum_count; i++)
        if (p->strata[i] == s)
            return true;
    return false;
}

static basin_status
spill(struct lsm_txn *txn, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct spilled *next = txn->spilled;
    uint64_t number = txn->ops_before + 1;
    size_t floor = 0, end;

    txn->spill_interrupts = lsm__interrupts(txn->db);
    if (next != NULL)
        lsm__spilled_ref(next);
    place_savepoints(txn, 0, 0, &floor);
    for (size_t at = 0; at < txn->ops.size; at = end) {
        end = part_end(txn, at);
        TRY(spill_part(txn, at, end, &number, floor, &next, err));
        place_savepoints(txn, end, run_count(next), &floor);
    }
    take_over(txn, next);
    next = NULL;
    TRY(tidy(txn, floor, err));
out:
    for (size_t i = 0; next != NULL && i < next->stratum_count; i++)
        if (!has_stratum(txn->spilled, next->strata[i]))
            retire(next->strata[i]);
    lsm__spilled_unref(next);
    lsm__dead_release(txn->db, true);
    return st;
}

basin_status
lsm__spill_room(struct lsm_txn *txn, size_t size, basin_error *err)
{
    basin_status st = BASIN_OK;
    const struct lsm *db = txn->db;
    uint64_t weight = txn->ops.size + (txn->op_count - txn->ops_before) * OP_WEIGHT;

    if (LIKELY(weight + size <= db->o.spill_size && txn->range_ops < MEMTABLE_RANGES_MAX / 2))
        return BASIN_OK;
    if (size > db->o.mem_limit / 2) {
        st = error_set(err, BASIN_LIMIT, "an operation of %zu bytes: mem_limit allows %llu", size,
                       (unsigned long long)db->o.mem_limit / 2);
        error_hint(err, "write the value as a stream, or raise mem_limit");
        goto out;
    }
    if (txn->ops.size > 0)
        TRY(spill(txn, err));
out:
    return st;
}

bool
lsm__spill_needed(const struct lsm_txn *txn)
{
    return txn->spilled != NULL || txn->ops.size > txn->db->o.spill_size;
}

basin_status
lsm__spill_cut(struct lsm_txn *txn, size_t runs, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct spilled *old = txn->spilled, *next = NULL;
    size_t drop = run_count(old) - runs;

    if (drop == 0)
        return BASIN_OK;
    if (runs > 0)
        TRY(replace(txn->db, old, drop, NULL, 0, &next, err));
    for (size_t i = 0; i < drop; i++)
        for (size_t j = 0; j < old->runs[i].count; j++)
            retire(old->runs[i].strata[j]);
    txn->spilled = next;
    lsm__spilled_unref(old);
    lsm__dead_release(txn->db, true);
out:
    return st;
}

void
lsm__spill_drop(struct lsm_txn *txn, bool keep)
{
    struct spilled *p = txn->spilled;

    if (p == NULL)
        return;
    for (size_t i = 0; i < p->stratum_count && !keep; i++)
        retire(p->strata[i]);
    txn->spilled = NULL;
    lsm__spilled_unref(p);
    lsm__dead_release(txn->db, true);
}

/* ------------------------------------------------------------------ publishing */

struct publish_work {
    struct lsm_txn *txn;
    struct request *request;
};

/* On the leader: memtables are empty, the operations get the next seqnos. */
static basin_status
name_strata(struct lsm *db, void *ctx, basin_error *err)
{
    struct publish_work *w = ctx;
    struct spilled *p = w->txn->spilled;
    uint64_t base = db->last_seqno, run = lsm__next_run(db);

    (void)err;
    for (size_t i = 0; i < p->run_count; i++)
        for (size_t j = 0; j < p->runs[i].count; j++) {
            struct lsm_stratum *s = p->runs[i].strata[j];
            s->run = run + (p->run_count - 1 - i);
            s->seqno_min += base;
            s->seqno_max += base;
            lsm__edit_add_stratum(w->request->edit, s);
        }
    w->request->seqno_after = base + w->txn->op_count;
    lsm__edit_spill(w->request->edit, base + 1, w->request->seqno_after);
    return BASIN_OK;
}

/* With the line of writers to itself. */
static basin_status
publish(struct lsm_txn *txn, uint64_t *seqno, bool *logged, basin_error *err)
{
    basin_status st;
    struct lsm *db = txn->db;
    struct edit edit;
    struct request r = { .kind = REQUEST_EDIT,
                         .edit = &edit,
                         .call = name_strata,
                         .txn = txn->check_reads ? txn : NULL };
    struct publish_work w = { txn, &r };

    r.call_ctx = &w;
    lsm__edit_init(&edit, db->mem);
    TRY(lsm_flush(db, err));
    TRY(lsm__submit(db, &r, err));
    *seqno = r.seqno_after;
    atomic_fetch_add_explicit(&db->commits, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&db->puts, txn->op_count, memory_order_relaxed);
out:
    *logged = edit.logged;
    lsm__edit_release(&edit);
    return st;
}

/* Few runs: the smallest, newest ones are merged until that is so. */
static basin_status
gather(struct lsm_txn *txn, basin_error *err)
{
    basin_status st = BASIN_OK;

    while (txn->spilled->run_count > COMMIT_RUNS)
        TRY(merge_runs(txn,
                       MIN_OF(txn->spilled->run_count - COMMIT_RUNS + 1, (size_t)MERGE_RUNS_MAX),
                       err));
out:
    return st;
}

basin_status
lsm__spill_commit(struct lsm_txn *txn, bool entered, uint64_t *seqno, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct lsm *db = txn->db;
    bool logged = false, alone = txn->holds_writer || entered;

    txn->spill_interrupts = lsm__interrupts(db);
    lsm__txn_free_savepoints(txn);
    if (txn->ops.size > 0)
        TRY(spill(txn, err));
    must(txn->spilled != NULL);
    TRY(gather(txn, err));
    TRY(lsm__txn_finish_values(txn, err));
    if (!alone)
        TRY(lsm__writer_enter(db, txn, false, UINT32_MAX, err));
    st = publish(txn, seqno, &logged, err);
    if (!alone)
        lsm__writer_leave(db, false);
out:
    lsm__spill_drop(txn, logged);
    lsm__values_born(db, txn->values, (struct place){ 0, 0 });
    return st;
}
