// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Writing the dump format of dump.h, and its checksum.
 *
 * Values are cut at fixed places, so the same content gives the same lines however it was read.
 */
#include "dump.h"

#include <string.h>

#include "cli.h"
#include "stop.h"

/* The reflected polynomial of ECMA-182, as xz uses it. */
static const uint64_t crc64_polynomial = 0xC96C5795D7870F42u;

void
crc64_begin(struct crc64 *c)
{
    c->value = ~(uint64_t)0;
    for (unsigned i = 0; i < 256; i++) {
        uint64_t v = i;
        for (int bit = 0; bit < 8; bit++)
            v = v >> 1 ^ (v & 1 ? crc64_polynomial : 0);
        c->table[0][i] = v;
    }
    for (unsigned k = 1; k < 8; k++) {
        for (unsigned i = 0; i < 256; i++)
            c->table[k][i] = c->table[k - 1][i] >> 8 ^ c->table[0][(uint8_t)c->table[k - 1][i]];
    }
}

/* Eight bytes at a time: each goes through the table of its distance from the end. */
void
crc64_add(struct crc64 *c, const void *p, size_t n)
{
    const uint8_t *at = p;
    uint64_t v = c->value;

    for (; n >= 8; n -= 8, at += 8) {
        uint64_t next = 0;
        for (unsigned k = 0; k < 8; k++)
            next ^= c->table[7 - k][(uint8_t)(v >> 8 * k) ^ at[k]];
        v = next;
    }
    for (; n > 0; n--, at++)
        v = c->table[0][(uint8_t)v ^ *at] ^ v >> 8;
    c->value = v;
}

uint64_t
crc64_end(const struct crc64 *c)
{
    return ~c->value;
}

static void
end_line(struct dump_writer *w)
{
    grow_byte(&w->line, '\n');
    crc64_add(&w->crc, w->line.data, w->line.size);
    out_bytes(w->out, w->line.data, w->line.size);
    grow_clear(&w->line);
}

void
dump_begin(struct dump_writer *w, struct out *out)
{
    *w = (struct dump_writer){ .out = out };
    crc64_begin(&w->crc);
    grow_format(&w->line, "basin dump %d", DUMP_VERSION);
    end_line(w);
}

void
dump_space(struct dump_writer *w, const char *name)
{
    grow_text(&w->line, "space");
    if (name != NULL && name[0] != '\0') {
        grow_byte(&w->line, ' ');
        text_escape(&w->line, name, strlen(name));
    }
    end_line(w);
    w->counts.spaces++;
}

basin_status
dump_part(struct dump_writer *w, basin_bytes key, uint64_t size, uint64_t at, basin_bytes piece,
          basin_error *err)
{
    size_t done = 0, n;
    basin_status st;

    do {
        n = piece.size - done < DUMP_PIECE_SIZE ? piece.size - done : DUMP_PIECE_SIZE;
        grow_byte(&w->line, at + done > 0 ? '+' : '=');
        if (at + done == 0) {
            text_escape(&w->line, key.data, key.size);
            grow_byte(&w->line, '\t');
        }
        if (n > 0)
            text_escape(&w->line, (const uint8_t *)piece.data + done, n);
        end_line(w);
        done += n;
        TRY(out_status(w->out, err));
        TRY(stop_check(err));
    } while (done < piece.size);
    if (at + done == size) {
        w->counts.pairs++;
        w->counts.bytes += key.size + size;
    }
out:
    return st;
}

basin_status
dump_pair(struct dump_writer *w, basin_bytes key, struct value *value, basin_error *err)
{
    struct grow *filled = &w->out->scratch;
    uint64_t at = 0;
    basin_bytes piece;
    basin_status st;

    do {
        grow_clear(filled);
        while (filled->size < DUMP_PIECE_SIZE && at + filled->size < value->size) {
            TRY(value_piece(value, at + filled->size, DUMP_PIECE_SIZE - filled->size, &piece,
                            err));
            grow_add(filled, piece.data, piece.size);
        }
        piece = bytes_from(filled->data, filled->size);
        TRY(dump_part(w, key, value->size, at, piece, err));
        at += piece.size;
    } while (at < value->size);
out:
    grow_clear(&w->line);
    return st;
}

void
dump_end(struct dump_writer *w)
{
    out_format(w->out, "end pairs=%llu spaces=%llu bytes=%llu crc64=%016llx\n",
               (unsigned long long)w->counts.pairs, (unsigned long long)w->counts.spaces,
               (unsigned long long)w->counts.bytes, (unsigned long long)crc64_end(&w->crc));
}

void
dump_free(struct dump_writer *w)
{
    grow_free(&w->line);
}
