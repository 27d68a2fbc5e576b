// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * CSV as in RFC 4180: fields in quotes may hold commas, newlines and doubled quotes. A record whose
 * quotes do not close takes the rest of the file, up to the limit of a line.
 */
#include "record.h"

#include <stdlib.h>
#include <string.h>

#include "cli.h"

static void
end_field(struct record_reader *r)
{
    if (r->field_count == r->field_max) {
        r->field_max = r->field_max > 0 ? r->field_max * 2 : 16;
        r->ends = need_more(r->ends, r->field_max * sizeof(*r->ends));
    }
    r->ends[r->field_count++] = r->fields.size;
}

static basin_bytes
field_at(const struct record_reader *r, size_t index)
{
    size_t from = index > 0 ? r->ends[index - 1] : 0;

    return bytes_from(r->fields.size > 0 ? r->fields.data + from : NULL, r->ends[index] - from);
}

/* Where the reading of a record stands between two lines. */
enum csv_state { CSV_START, CSV_PLAIN, CSV_QUOTED, CSV_CLOSED };

static basin_status
csv_bad(struct record_reader *r, basin_error *err, const char *what)
{
    return cli_error(err, BASIN_CORRUPT, "%s: line %llu: %s", r->in->name,
                     (unsigned long long)r->line, what);
}

/* Reads one line of the record. */
static basin_status
csv_line(struct record_reader *r, basin_bytes line, enum csv_state *state, basin_error *err)
{
    const uint8_t *p = line.data;

    for (size_t i = 0; i < line.size; i++) {
        uint8_t c = p[i];

        if (c == '\r' && i + 1 == line.size && *state != CSV_QUOTED)
            break; /* of CR LF */
        if (*state == CSV_QUOTED) {
            if (c == '"')
                *state = CSV_CLOSED;
            else
                grow_byte(&r->fields, c);
        } else if (c == ',') {
            end_field(r);
            *state = CSV_START;
        } else if (c == '"' && *state == CSV_CLOSED) {
            grow_byte(&r->fields, c);
            *state = CSV_QUOTED;
        } else if (c == '"' && *state == CSV_START) {
            *state = CSV_QUOTED;
        } else if (*state == CSV_CLOSED) {
            return csv_bad(r, err, "something follows a closing quote");
        } else if (c == '"') {
            return csv_bad(r, err, "a quote inside a field that has none around it");
        } else {
            grow_byte(&r->fields, c);
            *state = CSV_PLAIN;
        }
    }
    return BASIN_OK;
}

static bool
csv_line_is_empty(basin_bytes line)
{
    bytes_chop(&line);
    return line.size == 0;
}

/* Reads the fields of the next record; empty lines are passed over. */
static basin_status
csv_record(struct record_reader *r, basin_error *err)
{
    enum csv_state state = CSV_START;
    basin_status st, spoilt = BASIN_OK;
    basin_bytes line;

    r->field_count = 0;
    grow_clear(&r->fields);
    grow_clear(&r->raw);
    do {
        st = input_line(r->in, &line, NULL, err);
        if (st != BASIN_OK)
            return st == BASIN_END && state == CSV_QUOTED ? csv_bad(r, err, "a quote is not closed")
                                                          : st;
        if (r->raw.size == 0)
            r->line = r->in->line;
        else
            grow_byte(&r->raw, '\n');
        grow_add(&r->raw, line.data, line.size);
        r->text = grow_bytes(&r->raw);
        if (r->raw.size > r->in->line_max)
            return cli_error(err, BASIN_LIMIT, "%s: line %llu: a record is longer than %zu bytes",
                             r->in->name, (unsigned long long)r->line, r->in->line_max);
        if (state == CSV_QUOTED)
            grow_byte(&r->fields, '\n');
        if (state == CSV_START && csv_line_is_empty(line)) {
            grow_clear(&r->raw);
            continue;
        }
        spoilt = csv_line(r, line, &state, err);
    } while (spoilt == BASIN_OK && (state == CSV_QUOTED || r->raw.size == 0));
    end_field(r);
    return spoilt;
}

static basin_status
read_header(struct record_reader *r, basin_error *err)
{
    basin_status st = csv_record(r, err);

    if (st == BASIN_END)
        return BASIN_END;
    if (st != BASIN_OK)
        return st;
    r->names = need_memory(r->field_count * sizeof(*r->names));
    for (; r->name_count < r->field_count; r->name_count++) {
        basin_bytes name = field_at(r, r->name_count);
        char *copy = need_memory(name.size + 1);

        if (name.size > 0)
            memcpy(copy, name.data, name.size);
        r->names[r->name_count] = copy;
    }
    return BASIN_OK;
}

/* The index of a column given by name or number. */
static basin_status
find_column(const struct record_reader *r, const char *column, size_t otherwise, size_t *index,
            basin_error *err)
{
    uint64_t number;

    *index = otherwise;
    if (column == NULL)
        return BASIN_OK;
    for (size_t i = 0; i < r->name_count; i++) {
        if (strcmp(r->names[i], column) == 0) {
            *index = i;
            return BASIN_OK;
        }
    }
    if (!text_number(column, &number) || number == 0 || number > 1000000) {
        cli_error(err, BASIN_MISUSE, "%s has no column '%s'", r->in->name, column);
        cli_hint(err, "name a column of --header, or give its number, from 1");
        return BASIN_MISUSE;
    }
    *index = (size_t)number - 1;
    return BASIN_OK;
}

static basin_status
take_field(struct record_reader *r, size_t index, struct grow *to, basin_error *err)
{
    basin_bytes field;

    if (index >= r->field_count)
        return cli_error(err, BASIN_CORRUPT, "%s: line %llu: column %zu is missing, there are %zu",
                         r->in->name, (unsigned long long)r->line, index + 1, r->field_count);
    field = field_at(r, index);
    grow_add(to, field.data, field.size);
    return BASIN_OK;
}

/* All columns as a JSON object. */
static basin_status
take_object(struct record_reader *r, basin_error *err)
{
    struct grow text = { 0 };
    basin_status st = BASIN_OK;

    if (r->field_count != r->name_count)
        return cli_error(err, BASIN_CORRUPT, "%s: line %llu: %zu fields, but %zu columns",
                         r->in->name, (unsigned long long)r->line, r->field_count, r->name_count);
    for (size_t i = 0; i < r->field_count; i++) {
        grow_text(&r->value, i == 0 ? "{" : ",");
        jout_quote(&r->value, r->names[i]);
        grow_byte(&r->value, ':');
        grow_clear(&text);
        TRY(take_field(r, i, &text, err));
        if (memchr(grow_string(&text), '\0', text.size) != NULL ||
            !text_is_utf8(text.data, text.size))
            FAIL(err, BASIN_CORRUPT, "%s: line %llu: column %zu is not UTF-8 text", r->in->name,
                 (unsigned long long)r->line, i + 1);
        jout_quote(&r->value, grow_string(&text));
    }
    grow_byte(&r->value, '}');
out:
    grow_free(&text);
    return st;
}

basin_status
record__next_csv(struct record_reader *r, basin_error *err)
{
    size_t key, value;
    basin_status st;

    if (!r->started && r->options.header)
        TRY(read_header(r, err));
    r->started = true;
    TRY(find_column(r, r->options.key, 0, &key, err));
    TRY(find_column(r, r->options.value, 1, &value, err));
    TRY(csv_record(r, err));
    TRY(take_field(r, key, &r->key, err));
    if (r->options.header && r->options.value == NULL)
        st = take_object(r, err);
    else
        st = take_field(r, value, &r->value, err);
out:
    return st;
}
