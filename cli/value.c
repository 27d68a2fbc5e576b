// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Values in pieces.
 *
 * Text forms must not cut a UTF-8 sequence, or a value would look different depending on where its
 * pieces end: what is left of a sequence at the end of a piece is read again with the next one.
 */
#include "value.h"

#include "stop.h"

basin_status
value_at_cursor(struct value *v, basin_cursor *cursor, basin_error *err)
{
    struct grow piece = v->piece;
    basin_bytes whole;
    basin_status st;

    *v = (struct value){ .cursor = cursor, .piece = piece };
    TRY(basin_cursor_value_size(cursor, &v->size, err));
    if (v->size > VALUE_PIECE_SIZE)
        goto out;
    TRY(basin_cursor_value(cursor, &whole, err));
    v->data = whole.data != NULL ? whole.data : (const uint8_t *)"";
    v->size = whole.size;
out:
    return st;
}

basin_status
value_of_key(struct value *v, basin_txn *txn, basin_space space, basin_bytes key, basin_error *err)
{
    struct grow piece = v->piece;
    size_t got;

    *v = (struct value){ .txn = txn, .space = space, .key = key, .piece = piece };
    return basin_read(txn, space, key, 0, NULL, 0, &got, &v->size, err);
}

void
value_free(struct value *v)
{
    grow_free(&v->piece);
}

basin_status
value_piece(struct value *v, uint64_t offset, size_t max, basin_bytes *piece, basin_error *err)
{
    uint64_t left = offset < v->size ? v->size - offset : 0;
    size_t want = left < max ? (size_t)left : max;
    basin_status st = BASIN_OK;
    size_t got = 0;
    uint8_t *room;

    *piece = (basin_bytes){ 0 };
    if (want == 0)
        return BASIN_OK;
    if (v->data != NULL) {
        *piece = bytes_from(v->data + offset, want);
        return BASIN_OK;
    }
    grow_clear(&v->piece);
    room = grow_room(&v->piece, want);
    if (v->cursor != NULL)
        st = basin_cursor_read(v->cursor, offset, room, want, &got, err);
    else
        st = basin_read(v->txn, v->space, v->key, offset, room, want, &got, NULL, err);
    if (st == BASIN_OK && got == 0)
        st = cli_error(err, BASIN_CORRUPT, "the value ends at byte %llu of %llu",
                       (unsigned long long)offset, (unsigned long long)v->size);
    *piece = bytes_from(room, got);
    return st;
}

/* A piece that cuts no UTF-8 sequence, unless it is the last one. */
static basin_status
text_piece(struct value *v, uint64_t from, uint64_t to, basin_bytes *piece, basin_error *err)
{
    size_t max = to - from < VALUE_PIECE_SIZE ? (size_t)(to - from) : VALUE_PIECE_SIZE;
    basin_status st = value_piece(v, from, max, piece, err);

    if (st == BASIN_OK && piece->size < to - from && piece->size > 4)
        piece->size -= text_utf8_tail(piece->data, piece->size);
    return st;
}

void
form_write(struct out *out, enum form form, basin_bytes bytes)
{
    struct grow *s = &out->scratch;

    if (form == FORM_RAW) {
        out_bytes(out, bytes.data, bytes.size);
        return;
    }
    grow_clear(s);
    if (form == FORM_HEX)
        text_to_hex(s, bytes.data, bytes.size);
    else
        text_escape(s, bytes.data, bytes.size);
    out_bytes(out, s->data, s->size);
}

basin_status
value_write(struct value *v, uint64_t from, uint64_t to, enum form form, struct out *out,
            basin_error *err)
{
    basin_status st = BASIN_OK;
    basin_bytes piece;

    to = to < v->size ? to : v->size;
    while (from < to) {
        TRY(text_piece(v, from, to, &piece, err));
        form_write(out, form, piece);
        from += piece.size;
        TRY(out_status(out, err));
        TRY(stop_check(err));
    }
out:
    return st;
}

basin_status
value_write_json(struct value *v, struct jout *j, const char *name, uint64_t from, uint64_t to,
                 bool as_hex, basin_error *err)
{
    basin_status st = BASIN_OK;
    basin_bytes piece;

    to = to < v->size ? to : v->size;
    for (uint64_t at = from; !as_hex && at < to; at += piece.size) {
        TRY(text_piece(v, at, to, &piece, err));
        as_hex = !text_is_utf8(piece.data, piece.size);
        TRY(stop_check(err));
    }
    jout_begin_bytes(j, name, as_hex);
    for (uint64_t at = from; at < to; at += piece.size) {
        TRY(text_piece(v, at, to, &piece, err));
        jout_piece(j, piece, as_hex);
        TRY(out_status(j->out, err));
        TRY(stop_check(err));
    }
    jout_end_bytes(j);
out:
    return st;
}
