// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Database handles: options, operators, open and close, and what concerns the whole database.
 */
#include "api/api.h"

const char *
basin_version(void)
{
    return "0.1.0";
}

uint32_t
basin_format_version(uint32_t *oldest)
{
    if (oldest != NULL)
        *oldest = LSM_FORMAT_VERSION;
    return LSM_FORMAT_VERSION;
}

/* ------------------------------------------------------------------ options */

/* An older caller's struct is shorter: what it does not know is zero. */
basin_options
api_options(const basin_options *options)
{
    basin_options o = BASIN_OPTIONS_INIT;

    if (options != NULL)
        memcpy(&o, options, MIN_OF(options->struct_size, sizeof(o)));
    o.struct_size = sizeof(o);
    return o;
}

static basin_status
check_options(const basin_options *o, basin_error *err)
{
    for (size_t i = 0; i < COUNT_OF(o->reserved); i++)
        if (o->reserved[i] != 0)
            return error_set(err, BASIN_MISUSE, "options: reserved field %zu is not zero", i);
    if (o->must_exist && o->must_create)
        return error_set(err, BASIN_MISUSE, "options: must_exist and must_create");
    if (o->filter_bits < -1 || (unsigned)o->codec > BASIN_CODEC_ZSTD || o->codec_level < 0 ||
        o->codec_level > 19)
        return error_set(err, BASIN_MISUSE, "options: codec %d, level %d, filter bits %d",
                         (int)o->codec, o->codec_level, o->filter_bits);
    return BASIN_OK;
}

/* The space of a key, and the byte behind it: a model's tag. */
static size_t
space_and_tag(struct bytes key, unsigned elements)
{
    struct rd r = rd_over(key.data, key.size);
    uint64_t space;

    if (tuple_get_varint(&r, &space, NULL) != BASIN_OK)
        return key.size;
    return r.at + (elements > 1);
}

void
api_lsm_options(const basin_options *o, struct lsm_options *out)
{
    *out = (struct lsm_options){
        .mem = o->allocator,
        .os = o->env,
        .read_only = o->read_only,
        .must_exist = o->must_exist,
        .must_create = o->must_create,
        .no_threads = o->no_threads,
        .lock_timeout_ms = o->lock_timeout_ms,
        .mem_limit = o->mem_limit,
        .memtable_size = o->memtable_size,
        .stratum_size = o->stratum_size,
        .value_threshold = o->value_threshold,
        .buffer_ms = o->buffer_ms,
        .buffer_bytes = o->buffer_bytes,
        .page_size = o->page_size,
        .level_factor = o->level_factor,
        .codec = o->codec == BASIN_CODEC_STORED ? CODEC_LZ4 : (enum codec_id)(o->codec - 1),
        .codec_level = o->codec_level,
        .stored_codec = o->codec == BASIN_CODEC_STORED,
        .filter_bits = o->filter_bits,
        .prefix = space_and_tag,
        .passphrase = api_bytes(o->passphrase),
        .key = api_bytes(o->key),
        .kdf = { o->kdf_passes, o->kdf_memory_kib },
        .name = o->name,
    };
}

/* ------------------------------------------------------------------ operators */

basin_status
basin_merge_result(basin_merge_reply *reply, const void *data, size_t size)
{
    return buf_add(reply->out, data, size);
}

basin_status
basin_merge_delete(basin_merge_reply *reply)
{
    if (reply->deleted == NULL)
        return BASIN_MISUSE;
    *reply->deleted = true;
    return BASIN_OK;
}

/* Notes that this thread runs code of the caller; gives the place of the note. */
static size_t
callback_begin(const struct api_operator *op)
{
    struct api_callers *c = op->callers;
    uint64_t free_mark, self = os_thread_self();
    size_t i = 0;

    if (c == NULL)
        return 0;
    for (; i < API_CALLERS_MAX; i++) {
        free_mark = 0;
        if (atomic_compare_exchange_strong(&c->thread[i], &free_mark, self))
            break;
    }
    atomic_fetch_add(&c->count, 1);
    return i;
}

static void
callback_end(const struct api_operator *op, size_t i)
{
    struct api_callers *c = op->callers;

    if (c == NULL)
        return;
    atomic_fetch_sub(&c->count, 1);
    if (i < API_CALLERS_MAX)
        atomic_store(&c->thread[i], 0);
}

static bool
is_calling_back(struct api_callers *c)
{
    uint64_t self = os_thread_self();

    for (size_t i = 0; i < API_CALLERS_MAX; i++)
        if (atomic_load_explicit(&c->thread[i], memory_order_relaxed) == self)
            return true;
    return false;
}

basin_status
api_enter(basin_db *db, basin_error *err)
{
    error_clear(err);
    if (UNLIKELY(atomic_load_explicit(&db->callers.count, memory_order_relaxed) > 0) &&
        is_calling_back(&db->callers))
        return error_set(err, BASIN_MISUSE, "a merge operator calls back into its database");
    return lsm_check_process(db->lsm, err);
}

enum { FEW_OPERANDS = 32 };

static basin_status
call_full(void *ctx, struct bytes key, const struct bytes *base, const struct bytes *operands,
          size_t count, struct buf *out, bool *deleted, basin_error *err)
{
    const struct api_operator *op = ctx;
    basin_merge_reply reply = { out, deleted };
    basin_bytes few[FEW_OPERANDS], *list = few, below = { NULL, 0 };
    basin_status st;
    size_t note;

    *deleted = false;
    if (count > FEW_OPERANDS) {
        list = mem_new(out->mem, count * sizeof(*list));
        if (list == NULL)
            return error_set(err, BASIN_NO_MEM, "no memory for %zu operands", count);
    }
    for (size_t i = 0; i < count; i++)
        list[i] = api_out(operands[i]);
    if (base != NULL)
        below = api_out(*base);
    note = callback_begin(op);
    st = op->user.full(op->user.ctx, api_out(key), base ? &below : NULL, list, count, &reply);
    callback_end(op, note);
    if (list != few)
        mem_free(out->mem, list, count * sizeof(*list));
    if (st != BASIN_OK)
        return error_set(err, st, "merge operator %u (%s) failed", op->user.number,
                         op->user.name ? op->user.name : "unnamed");
    return BASIN_OK;
}

static basin_status
call_partial(void *ctx, struct bytes key, struct bytes older, struct bytes newer, struct buf *out,
             basin_error *err)
{
    const struct api_operator *op = ctx;
    basin_merge_reply reply = { out, NULL };

    basin_status st;
    size_t note = callback_begin(op);

    (void)err;
    st = op->user.partial(op->user.ctx, api_out(key), api_out(older), api_out(newer), &reply);
    callback_end(op, note);
    return st;
}

void
api_operators_free(const basin_allocator *mem, struct api_operator *keep, size_t count,
                   struct lsm_operator *list)
{
    mem_free(mem, keep, count * sizeof(*keep));
    mem_free(mem, list, count * sizeof(*list));
}

basin_status
api_operators(const basin_options *o, const basin_allocator *mem, struct api_callers *callers,
              struct api_operator **keep, struct lsm_operator **out, basin_error *err)
{
    size_t n = o->operator_count;

    *keep = NULL;
    *out = NULL;
    if (n == 0)
        return BASIN_OK;
    for (size_t i = 0; i < n; i++)
        if (o->operators[i].number < BASIN_OP_USER_MIN || o->operators[i].number > 255 ||
            o->operators[i].full == NULL)
            return error_set(err, BASIN_MISUSE, "operator %u: numbers are %d to 255, with a full",
                             o->operators[i].number, BASIN_OP_USER_MIN);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < COUNT_OF(o->operators[i].reserved); k++)
            if (o->operators[i].reserved[k] != 0)
                return error_set(err, BASIN_MISUSE, "operator %u: reserved field %zu is not zero",
                                 o->operators[i].number, k);
    *keep = mem_new(mem, n * sizeof(**keep));
    *out = mem_new(mem, n * sizeof(**out));
    if (*keep == NULL || *out == NULL) {
        api_operators_free(mem, *keep, n, *out);
        *keep = NULL;
        *out = NULL;
        return error_set(err, BASIN_NO_MEM, "no memory for %zu operators", n);
    }
    for (size_t i = 0; i < n; i++) {
        (*keep)[i] = (struct api_operator){ o->operators[i], callers };
        (*out)[i] = (struct lsm_operator){ (uint8_t)o->operators[i].number, o->operators[i].name,
                                           &(*keep)[i], call_full,
                                           o->operators[i].partial ? call_partial : NULL };
    }
    return BASIN_OK;
}

/* ------------------------------------------------------------------ open and close */

static void
db_free(basin_db *db)
{
#ifdef BASIN_DEBUG
    for (size_t i = 0; i < API_ENDED_MAX; i++)
        mem_free(db->mem, atomic_load(&db->ended[i]), sizeof(struct basin_txn));
#endif
    mem_free(db->mem, db->operators, db->operator_count * sizeof(*db->operators));
    mem_free(db->mem, db, sizeof(*db));
}

basin_status
basin_open(const char *path, const basin_options *options, basin_db **out, basin_error *err)
{
    basin_status st;
    basin_options o = api_options(options);
    const basin_allocator *mem = o.allocator ? o.allocator : &base_malloc;
    struct lsm_options lsm;
    struct lsm_operator *list = NULL;
    basin_db *db = NULL;

    error_clear(err);
    *out = NULL;
    if (path == NULL || path[0] == 0)
        FAIL(err, BASIN_MISUSE, "no path was given");
    TRY(check_options(&o, err));
    db = mem_new(mem, sizeof(*db));
    if (db == NULL)
        FAIL(err, BASIN_NO_MEM, "no memory for a database handle");
    db->mem = mem;
    db->read_only = o.read_only;
    TRY(api_operators(&o, mem, &db->callers, &db->operators, &list, err));
    db->operator_count = o.operator_count;
    api_lsm_options(&o, &lsm);
    lsm.operators = list;
    lsm.operator_count = o.operator_count;
    TRY(lsm_open(path, &lsm, &db->lsm, err));
    *out = db;
    db = NULL;
out:
    mem_free(mem, list, o.operator_count * sizeof(*list));
    if (db != NULL)
        db_free(db);
    return st;
}

basin_status
basin_close(basin_db *db, basin_error *err)
{
    basin_status st;

    error_clear(err);
    if (db == NULL)
        return BASIN_OK;
    if (is_calling_back(&db->callers))
        return error_set(err, BASIN_MISUSE, "a merge operator calls back into its database");
    st = lsm_close(db->lsm, err);
    if (st != BASIN_BUSY)
        db_free(db);
    return st;
}

void
basin_interrupt(basin_db *db)
{
    lsm_interrupt(db->lsm);
}

basin_status
basin_refresh(basin_db *db, uint64_t *seqno, basin_error *err)
{
    uint64_t ignored;
    basin_status st = api_enter(db, err);

    return st != BASIN_OK ? st : lsm_refresh(db->lsm, seqno ? seqno : &ignored, err);
}

basin_status
basin_pump(basin_db *db, bool *more, basin_error *err)
{
    basin_status st = api_enter(db, err);

    return st != BASIN_OK ? st : lsm_pump(db->lsm, more, err);
}

basin_status
basin_sync(basin_db *db, basin_error *err)
{
    basin_status st = api_enter(db, err);

    return st != BASIN_OK ? st : lsm_sync(db->lsm, err);
}

basin_status
basin_flush(basin_db *db, basin_error *err)
{
    basin_status st = api_enter(db, err);

    return st != BASIN_OK ? st : lsm_flush(db->lsm, err);
}

basin_status
basin_rekey(const char *path, const basin_options *old_secret, const basin_options *new_secret,
            basin_error *err)
{
    struct lsm_options from, to;
    basin_options a = api_options(old_secret), b = api_options(new_secret);

    error_clear(err);
    api_lsm_options(&a, &from);
    api_lsm_options(&b, &to);
    from.must_exist = true;
    return lsm_rekey(path, &from, &to, err);
}
