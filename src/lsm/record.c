// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Bodies of log records: the operations of a batch and the tagged fields of an edit, as bytes.
 * It never touches a file. The law is docs/format/log.md.
 */
#include "lsm/internal.h"

/* ------------------------------------------------------------------ operations */

basin_status
lsm__op_put(struct buf *to, const struct op *op)
{
    uint8_t head[1 + 2 * LEB_MAX];
    size_t n = 1;

    head[0] = (uint8_t)op->kind;
    n += leb_put(head + n, op->key.size);
    if (op->kind != OP_DELETE && op->kind != OP_DELETE_FROM)
        n += leb_put(head + n, op->value.size);
    if (buf_reserve(to, n + op->key.size + op->value.size) != BASIN_OK)
        return BASIN_NO_MEM;
    memcpy(to->data + to->size, head, n);
    to->size += n;
    if (op->key.size)
        memcpy(to->data + to->size, op->key.data, op->key.size);
    to->size += op->key.size;
    if (op->kind != OP_DELETE && op->kind != OP_DELETE_FROM) {
        if (op->value.size)
            memcpy(to->data + to->size, op->value.data, op->value.size);
        to->size += op->value.size;
    }
    return BASIN_OK;
}

basin_status
lsm__op_next(struct rd *r, struct op *op, basin_error *err)
{
    uint64_t key_size, value_size = 0;

    *op = (struct op){ 0 };
    if (rd_left(r) == 0 && rd_ok(r))
        return BASIN_END;
    op->kind = (enum op_kind)rd_u8(r);
    key_size = rd_leb(r);
    if (op->kind != OP_DELETE && op->kind != OP_DELETE_FROM)
        value_size = rd_leb(r);
    if (!rd_ok(r) || op->kind > OP_DELETE_FROM || key_size > STRATUM_KEY_MAX ||
        key_size > rd_left(r) || value_size > rd_left(r) - key_size ||
        (op->kind == OP_MERGE && value_size == 0))
        return error_set(err, BASIN_CORRUPT, "batch: bad operation at byte %zu of %zu", r->at,
                         r->size);
    op->key = rd_bytes(r, (size_t)key_size);
    op->value = rd_bytes(r, (size_t)value_size);
    return BASIN_OK;
}

basin_status
lsm__value_place_put(struct buf *to, const struct value_place *p)
{
    struct wr w = wr_into(to);

    wr_leb(&w, p->id.epoch);
    wr_leb(&w, p->id.number);
    wr_leb(&w, p->ref.at);
    wr_leb(&w, p->ref.size);
    wr_leb(&w, p->ref.stored);
    return wr_status(&w, NULL);
}

basin_status
lsm__value_place_get(struct bytes from, struct value_place *p, basin_error *err)
{
    struct rd r = rd_over(from.data, from.size);

    p->id.epoch = rd_leb(&r);
    p->id.number = rd_leb(&r);
    p->ref.at = rd_leb(&r);
    p->ref.size = rd_leb(&r);
    p->ref.stored = rd_leb(&r);
    if (!rd_done(&r) || p->ref.size > LSM_VALUE_MAX)
        return error_set(err, BASIN_CORRUPT, "value reference: stopped at byte %zu of %zu", r.at,
                         from.size);
    return BASIN_OK;
}

/* ------------------------------------------------------------------ edits: writing */

void
lsm__edit_init(struct edit *e, const basin_allocator *mem)
{
    buf_init(&e->body, mem);
    e->failed = false;
    e->logged = false;
}

void
lsm__edit_release(struct edit *e)
{
    buf_release(&e->body);
}

static struct wr
edit_tag(struct edit *e, enum edit_tag tag)
{
    struct wr w = wr_into(&e->body);
    w.failed = e->failed;
    wr_u8(&w, (uint8_t)tag);
    return w;
}

static void
edit_done(struct edit *e, const struct wr *w)
{
    e->failed = w->failed;
}

static void
put_id(struct wr *w, struct object_id id)
{
    wr_leb(w, id.epoch);
    wr_leb(w, id.number);
}

static void
put_name(struct wr *w, const char *name)
{
    wr_leb_bytes(w, bytes_of(name, strlen(name)));
}

void
lsm__edit_add_stratum(struct edit *e, const struct lsm_stratum *s)
{
    struct wr w = edit_tag(e, EDIT_ADD_STRATUM);

    put_id(&w, s->id);
    wr_leb(&w, s->level);
    wr_leb(&w, s->run);
    wr_leb_bytes(&w, buf_bytes(&s->first_key));
    wr_leb_bytes(&w, buf_bytes(&s->last_key));
    wr_u8(&w, (uint8_t)((s->last_excluded ? 1 : 0) | (s->last_unbounded ? 2 : 0) |
                       (s->stacked ? 4 : 0)));
    wr_leb(&w, s->entries);
    wr_leb(&w, s->deletes);
    wr_leb(&w, s->merges);
    wr_leb(&w, s->range_tombstones);
    wr_leb(&w, s->refs);
    wr_leb(&w, s->seqno_min);
    wr_leb(&w, s->seqno_max);
    wr_leb(&w, s->size);
    wr_leb(&w, s->raw_bytes);
    wr_u64(&w, s->hash);
    wr_leb(&w, s->use_count);
    for (size_t i = 0; i < s->use_count; i++) {
        put_id(&w, s->uses[i].id);
        wr_leb(&w, s->uses[i].bytes);
        wr_leb(&w, s->uses[i].count);
    }
    edit_done(e, &w);
}

void
lsm__edit_remove_stratum(struct edit *e, struct object_id id)
{
    struct wr w = edit_tag(e, EDIT_REMOVE_STRATUM);
    put_id(&w, id);
    edit_done(e, &w);
}

void
lsm__edit_move_stratum(struct edit *e, struct object_id id, uint32_t level, uint64_t run)
{
    struct wr w = edit_tag(e, EDIT_MOVE_STRATUM);
    put_id(&w, id);
    wr_leb(&w, level);
    wr_leb(&w, run);
    edit_done(e, &w);
}

static void
edit_place(struct edit *e, enum edit_tag tag, struct place p)
{
    struct wr w = edit_tag(e, tag);
    wr_leb(&w, p.epoch);
    wr_leb(&w, p.at);
    edit_done(e, &w);
}

void
lsm__edit_replay_from(struct edit *e, struct place p, uint64_t seqno)
{
    struct wr w = edit_tag(e, EDIT_REPLAY_FROM);
    wr_leb(&w, p.epoch);
    wr_leb(&w, p.at);
    wr_leb(&w, seqno);
    edit_done(e, &w);
}

void
lsm__edit_checkpoint(struct edit *e, struct place p)
{
    edit_place(e, EDIT_CHECKPOINT, p);
}

void
lsm__edit_pin(struct edit *e, const struct pin *p)
{
    struct wr w = edit_tag(e, EDIT_PIN);
    put_name(&w, p->name);
    put_name(&w, p->owner);
    wr_leb(&w, p->seqno);
    wr_leb(&w, p->made_ms);
    edit_done(e, &w);
}

void
lsm__edit_unpin(struct edit *e, const char *name)
{
    struct wr w = edit_tag(e, EDIT_UNPIN);
    put_name(&w, name);
    edit_done(e, &w);
}

static void
edit_number(struct edit *e, enum edit_tag tag, uint64_t v)
{
    struct wr w = edit_tag(e, tag);
    wr_leb(&w, v);
    edit_done(e, &w);
}

void
lsm__edit_seqno(struct edit *e, uint64_t seqno)
{
    edit_number(e, EDIT_SEQNO, seqno);
}

void
lsm__edit_load(struct edit *e, uint64_t seqno)
{
    edit_number(e, EDIT_LOAD, seqno);
}

void
lsm__edit_spill(struct edit *e, uint64_t first, uint64_t last)
{
    struct wr w = edit_tag(e, EDIT_SPILL);
    wr_leb(&w, first);
    wr_leb(&w, last);
    edit_done(e, &w);
}

void
lsm__edit_hold(struct edit *e, const struct feed_hold *h)
{
    struct wr w = edit_tag(e, EDIT_HOLD);
    put_name(&w, h->name);
    wr_leb(&w, h->seqno);
    wr_leb(&w, h->bytes_max);
    edit_done(e, &w);
}

void
lsm__edit_clean(struct edit *e)
{
    struct wr w = edit_tag(e, EDIT_CLEAN);
    edit_done(e, &w);
}

void
lsm__edit_all(struct edit *e, const struct manifest *m)
{
    lsm__edit_seqno(e, m->seqno);
    lsm__edit_replay_from(e, m->replay_from, m->replay_seqno);
    for (size_t i = 0; i < m->stratum_count; i++)
        lsm__edit_add_stratum(e, m->strata[i]);
    for (size_t i = 0; i < m->pin_count; i++)
        lsm__edit_pin(e, &m->pins[i]);
    for (size_t i = 0; i < m->hold_count; i++)
        lsm__edit_hold(e, &m->holds[i]);
}
