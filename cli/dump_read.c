// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Reading the dump format of dump.h: one event per line, counts and checksum on the way.
 */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "dump.h"

void
dump_reader_open(struct dump_reader *r, struct input *in)
{
    *r = (struct dump_reader){ .in = in };
    crc64_begin(&r->crc);
}

void
dump_reader_close(struct dump_reader *r)
{
    grow_free(&r->name);
    grow_free(&r->key);
    grow_free(&r->piece);
}

static basin_status
bad_line(struct dump_reader *r, basin_error *err, const char *what)
{
    return cli_error(err, BASIN_CORRUPT, "%s: line %llu: %s", r->in->name,
                     (unsigned long long)r->in->line, what);
}

static basin_status
cut_off(struct dump_reader *r, basin_error *err)
{
    cli_error(err, BASIN_CORRUPT, "%s: the dump is cut off behind line %llu", r->in->name,
              (unsigned long long)r->in->line);
    cli_hint(err, "a whole dump ends with a line `end ...`");
    return BASIN_CORRUPT;
}

/* Reads a line with its newline and counts it into the checksum, unless it is the end. */
static basin_status
read_line(struct dump_reader *r, basin_bytes *line, basin_error *err)
{
    bool ended = false;
    basin_status st = input_line(r->in, line, &ended, err);

    if (st == BASIN_END || (st == BASIN_OK && !ended))
        return cut_off(r, err);
    if (st == BASIN_LIMIT)
        return bad_line(r, err, "longer than any line of a dump");
    if (st == BASIN_OK && (line->size < 4 || memcmp(line->data, "end ", 4) != 0)) {
        crc64_add(&r->crc, line->data, line->size);
        crc64_add(&r->crc, "\n", 1);
    }
    return st;
}

static basin_status
read_first_line(struct dump_reader *r, basin_error *err)
{
    static const char title[] = "basin dump ";
    char number[16] = { 0 };
    size_t digits;
    uint64_t version;
    basin_bytes line;
    basin_status st;

    TRY(read_line(r, &line, err));
    r->begun = true;
    if (line.size < sizeof(title) || memcmp(line.data, title, sizeof(title) - 1) != 0)
        FAIL(err, BASIN_CORRUPT, "%s is no dump: it does not start with `%s%d`", r->in->name, title,
             DUMP_VERSION);
    digits = line.size - (sizeof(title) - 1);
    if (digits >= sizeof(number))
        return bad_line(r, err, "that is no version");
    memcpy(number, (const char *)line.data + sizeof(title) - 1, digits);
    if (!text_number(number, &version))
        return bad_line(r, err, "that is no version");
    if (version != DUMP_VERSION)
        FAIL(err, BASIN_VERSION, "%s has version %s of the dump format, this program reads %d",
             r->in->name, number, DUMP_VERSION);
out:
    return st;
}

static basin_status
read_space(struct dump_reader *r, basin_bytes line, basin_error *err)
{
    const char *p = line.data;
    size_t bad_at = 0;

    grow_clear(&r->name);
    r->in_space = true;
    r->in_pair = false;
    r->counts.spaces++;
    if (line.size == 5)
        return BASIN_OK;
    if (p[5] != ' ' || !text_unescape(&r->name, p + 6, line.size - 6, &bad_at) ||
        r->name.size == 0 || r->name.size > BASIN_NAME_MAX ||
        memchr(r->name.data, '\0', r->name.size) != NULL)
        return bad_line(r, err, "that is no name of a keyspace");
    return BASIN_OK;
}

static basin_status
read_piece(struct dump_reader *r, const char *p, size_t n, basin_error *err)
{
    size_t bad_at = 0;

    grow_clear(&r->piece);
    if (!text_unescape(&r->piece, p, n, &bad_at))
        return bad_line(r, err, "no such escape");
    if (r->piece.size > DUMP_PIECE_SIZE)
        return bad_line(r, err, "a piece of a value is too long");
    r->counts.bytes += r->piece.size;
    return BASIN_OK;
}

static basin_status
read_pair(struct dump_reader *r, basin_bytes line, basin_error *err)
{
    const char *p = line.data, *tab = memchr(p, '\t', line.size);
    size_t bad_at = 0;

    if (!r->in_space)
        return bad_line(r, err, "a pair before the first keyspace");
    if (tab == NULL)
        return bad_line(r, err, "there is no TAB between key and value");
    grow_clear(&r->key);
    if (!text_unescape(&r->key, p + 1, (size_t)(tab - p) - 1, &bad_at))
        return bad_line(r, err, "no such escape");
    if (r->key.size > BASIN_KEY_MAX)
        return bad_line(r, err, "the key is too long");
    r->in_pair = true;
    r->counts.pairs++;
    r->counts.bytes += r->key.size;
    return read_piece(r, tab + 1, line.size - (size_t)(tab - p) - 1, err);
}

/* The end must be word for word what the lines before it say. */
static basin_status
read_end(struct dump_reader *r, basin_bytes line, basin_error *err)
{
    char expected[160];
    int size =
        snprintf(expected, sizeof(expected), "end pairs=%llu spaces=%llu bytes=%llu crc64=%016llx",
                 (unsigned long long)r->counts.pairs, (unsigned long long)r->counts.spaces,
                 (unsigned long long)r->counts.bytes, (unsigned long long)crc64_end(&r->crc));
    basin_bytes more;
    basin_status st;

    if (line.size != (size_t)size || memcmp(line.data, expected, line.size) != 0) {
        bad_line(r, err, "counts or checksum do not fit: the dump was changed or damaged");
        cli_hint(err, "what was read gives `%s`", expected);
        return BASIN_CORRUPT;
    }
    st = input_line(r->in, &more, NULL, err);
    if (st == BASIN_OK || st == BASIN_LIMIT)
        return bad_line(r, err, "something follows the end");
    return st == BASIN_END ? BASIN_OK : st;
}

basin_status
dump_next(struct dump_reader *r, enum dump_event *event, basin_error *err)
{
    basin_bytes line;
    const char *p;
    basin_status st;

    if (!r->begun)
        TRY(read_first_line(r, err));
    TRY(read_line(r, &line, err));
    p = line.data;
    if (line.size > 0 && p[0] == '=') {
        *event = DUMP_PAIR;
        st = read_pair(r, line, err);
    } else if (line.size > 0 && p[0] == '+') {
        *event = DUMP_MORE;
        st = r->in_pair ? read_piece(r, p + 1, line.size - 1, err)
                        : bad_line(r, err, "a value goes on that never began");
    } else if (line.size >= 5 && memcmp(p, "space", 5) == 0) {
        *event = DUMP_SPACE;
        st = read_space(r, line, err);
    } else if (line.size >= 4 && memcmp(p, "end ", 4) == 0) {
        *event = DUMP_END;
        st = read_end(r, line, err);
    } else {
        st = bad_line(r, err, "that is no line of a dump");
    }
out:
    return st;
}
