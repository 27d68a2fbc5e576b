// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Streams: a value that comes in pieces. The first bytes are held back until the value passes the
 * threshold; then it goes to a value stratum of the transaction, 64 KiB at a time. A shorter one
 * becomes an ordinary put. Large puts take the same way.
 * A value stratum is read only once it is finished: when its transaction reads a value that lies
 * before an open stream's, the stream moves on, with what it has written, to another one.
 */
#include "lsm/txn.h"
#include "lsm/values.h"

struct lsm_stream {
    struct lsm_txn *txn;
    struct buf key;
    struct buf head;       /* until the threshold is passed */
    struct value_out *out; /* then */
    uint64_t size;
    basin_status failed; /* what was written before is lost */
};

/* A value stratum of the transaction that no stream is writing to. */
static basin_status
take_out(struct lsm_txn *txn, struct value_out **out, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct value_out *v = txn->values;

    while (v != NULL && (v->busy || v->finished))
        v = v->next;
    if (v == NULL) {
        TRY(lsm__reserve_allows(txn->db, err));
        TRY(lsm__value_out_open(txn->db, &v, err));
        v->next = txn->values;
        txn->values = v;
    }
    v->busy = true;
    *out = v;
out:
    return st;
}

static void
let_go(struct value_out *out)
{
    if (out == NULL)
        return;
    out->busy = false;
    out->stream = NULL;
}

static basin_status
put_ref(struct lsm_txn *txn, struct bytes key, struct value_out *out, basin_error *err)
{
    basin_status st;
    struct value_place p = { .id = out->id };
    struct buf ref;

    buf_init(&ref, txn->db->mem);
    TRY(value_writer_end(out->writer, &p.ref, err));
    if (lsm__value_place_put(&ref, &p) != BASIN_OK)
        FAIL(err, BASIN_NO_MEM, "no memory for a value reference");
    TRY(lsm__txn_add_op(txn, &(struct op){ OP_REF, key, buf_bytes(&ref) }, err));
out:
    buf_release(&ref);
    return st;
}

basin_status
lsm__put_large(struct lsm_txn *txn, struct bytes key, struct bytes value, basin_error *err)
{
    basin_status st;
    struct value_out *out = NULL;

    TRY(take_out(txn, &out, err));
    TRY(value_writer_add(out->writer, value, err));
    TRY(put_ref(txn, key, out, err));
out:
    let_go(out);
    return st;
}

basin_status
lsm_stream_open(struct lsm_txn *txn, struct bytes key, struct lsm_stream **out, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct lsm_stream *s = NULL;

    *out = NULL;
    if (txn->mode == LSM_READ)
        FAIL(err, BASIN_MISUSE, "a write in a reading transaction");
    TRY(lsm__key_check(key, err));
    s = mem_new(txn->db->mem, sizeof(*s));
    if (s == NULL)
        FAIL(err, BASIN_NO_MEM, "no memory for a stream");
    s->txn = txn;
    buf_init(&s->key, txn->db->mem);
    buf_init(&s->head, txn->db->mem);
    if (buf_set(&s->key, key.data, key.size) != BASIN_OK) {
        mem_free(txn->db->mem, s, sizeof(*s));
        FAIL(err, BASIN_NO_MEM, "no memory for a key of %zu bytes", key.size);
    }
    lsm__txn_child_opened(txn, CHILD_STREAM);
    *out = s;
out:
    return st;
}

static void
stream_free(struct lsm_stream *s)
{
    struct lsm_txn *txn = s->txn;
    const basin_allocator *mem = txn->db->mem;

    let_go(s->out);
    buf_release(&s->key);
    buf_release(&s->head);
    mem_free(mem, s, sizeof(*s));
    lsm__txn_child_closed(txn, CHILD_STREAM);
}

basin_status
lsm_stream_write(struct lsm_stream *s, struct bytes piece, basin_error *err)
{
    basin_status st = BASIN_OK;

    if (s->txn->ended)
        FAIL(err, BASIN_MISUSE, "the stream's transaction has ended");
    if (s->failed != BASIN_OK)
        FAIL(err, s->failed, "the stream has failed before");
    if (piece.size > LSM_VALUE_MAX - s->size)
        FAIL(err, BASIN_LIMIT, "a value longer than %llu bytes",
             (unsigned long long)LSM_VALUE_MAX);
    if (s->out == NULL && s->head.size + piece.size < s->txn->db->o.value_threshold) {
        if (buf_add(&s->head, piece.data, piece.size) != BASIN_OK)
            FAIL(err, BASIN_NO_MEM, "no memory for %zu bytes", piece.size);
    } else {
        if (s->out == NULL) {
            TRY(take_out(s->txn, &s->out, err));
            s->out->stream = s;
            TRY(value_writer_add(s->out->writer, buf_bytes(&s->head), err));
            buf_release(&s->head);
        }
        TRY(value_writer_add(s->out->writer, piece, err));
    }
    s->size += piece.size;
out:
    return st;
}

basin_status
lsm_stream_close(struct lsm_stream *s, basin_error *err)
{
    basin_status st;

    if (s->txn->ended)
        FAIL(err, BASIN_MISUSE, "the stream's transaction has ended");
    if (s->failed != BASIN_OK)
        FAIL(err, s->failed, "the stream has failed before");
    if (s->out != NULL)
        TRY(put_ref(s->txn, buf_bytes(&s->key), s->out, err));
    else
        TRY(lsm__txn_add_op(s->txn, &(struct op){ OP_PUT, buf_bytes(&s->key),
                                                  buf_bytes(&s->head) }, err));
out:
    stream_free(s);
    return st;
}

/* The half-written value is closed off; its bytes are dead from birth. */
void
lsm_stream_abort(struct lsm_stream *s)
{
    struct value_ref ref;

    if (s == NULL)
        return;
    if (s->out != NULL)
        (void)!value_writer_end(s->out->writer, &ref, NULL);
    stream_free(s);
}

basin_status
lsm__stream_move(struct lsm_stream *s, basin_error *err)
{
    basin_status st;
    struct value_place p = { .id = s->out->id };
    struct value_out *to = NULL;
    struct buf ref;

    buf_init(&ref, s->txn->db->mem);
    TRY(value_writer_end(s->out->writer, &p.ref, err));
    TRY(error_mem(lsm__value_place_put(&ref, &p), err));
    s->out->stream = NULL; /* still busy, but read below */
    TRY(lsm__value_out_finish(s->out, err));
    TRY(take_out(s->txn, &to, err));
    TRY(lsm__value_append(to, buf_bytes(&ref), err));
    let_go(s->out);
    s->out = to;
    to->stream = s;
    to = NULL;
out:
    if (to != NULL) /* what it holds of the value is dead */
        (void)!value_writer_end(to->writer, &p.ref, NULL);
    let_go(to);
    s->failed = st;
    buf_release(&ref);
    return st;
}

/* Before the batch is logged: every value stratum of the transaction is complete, synced and
 * known. */
basin_status
lsm__txn_finish_values(struct lsm_txn *txn, basin_error *err)
{
    basin_status st = BASIN_OK;

    for (struct value_out *v = txn->values; v; v = v->next) {
        TRY(lsm__value_out_finish(v, err));
        TRY(lsm__value_out_register(v, err));
    }
out:
    return st;
}
