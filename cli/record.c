// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The formats of import, but for csv (record_csv.c).
 */
#include "record.h"

#include <stdlib.h>
#include <string.h>

#include "cli.h"

static bool
ends_with(const char *s, size_t size, const char *end)
{
    size_t n = strlen(end);

    return size >= n && memcmp(s + size - n, end, n) == 0;
}

bool
record_format_of(const char *path, enum format *format)
{
    static const char *const packed[] = { ".gz", ".xz", ".lz4", ".zst", ".bz2" };
    static const struct {
        const char *end;
        enum format format;
    } ends[] = {
        { ".tsv", FORMAT_TSV },         { ".tab", FORMAT_TSV },
        { ".csv", FORMAT_CSV },         { ".jsonl", FORMAT_JSONL },
        { ".ndjson", FORMAT_JSONL },    { ".txt", FORMAT_LINES },
        { ".lines", FORMAT_LINES },     { "Packages", FORMAT_PACKAGES },
        { "/status", FORMAT_PACKAGES }, { ".deb822", FORMAT_PACKAGES },
    };
    size_t size = strlen(path);

    for (size_t i = 0; i < LENGTH_OF(packed); i++) {
        if (ends_with(path, size, packed[i])) {
            size -= strlen(packed[i]);
            break;
        }
    }
    for (size_t i = 0; i < LENGTH_OF(ends); i++) {
        if (ends_with(path, size, ends[i].end)) {
            *format = ends[i].format;
            return true;
        }
    }
    return false;
}

void
record_open(struct record_reader *r, const struct record_options *options, struct input *in)
{
    *r = (struct record_reader){ .options = *options, .in = in };
}

void
record_close(struct record_reader *r)
{
    for (size_t i = 0; i < r->name_count; i++)
        free(r->names[i]);
    free(r->names);
    free(r->ends);
    grow_free(&r->raw);
    grow_free(&r->key);
    grow_free(&r->value);
    grow_free(&r->fields);
    json_member_free(&r->member);
}

static basin_status
bad_record(struct record_reader *r, basin_error *err, const char *what, size_t place)
{
    cli_error(err, BASIN_CORRUPT, "%s: line %llu, byte %zu: %s", r->in->name,
              (unsigned long long)r->line, place, what);
    return BASIN_CORRUPT;
}

/* ------------------------------------------------------------------ tsv and lines */

static basin_status
next_tsv(struct record_reader *r, basin_error *err)
{
    basin_bytes line = r->text;
    const char *p, *tab;
    size_t key_size, bad_at = 0;

    bytes_chop(&line);
    p = line.data;
    tab = line.size > 0 ? memchr(p, '\t', line.size) : NULL;
    key_size = tab != NULL ? (size_t)(tab - p) : line.size;
    if (r->options.raw) {
        grow_add(&r->key, p, key_size);
        if (tab != NULL)
            grow_add(&r->value, tab + 1, line.size - key_size - 1);
        return BASIN_OK;
    }
    if (!text_unescape(&r->key, p, key_size, &bad_at))
        goto bad;
    if (tab == NULL)
        return BASIN_OK;
    if (text_unescape(&r->value, tab + 1, line.size - key_size - 1, &bad_at))
        return BASIN_OK;
    bad_at += key_size + 1;
bad:
    bad_record(r, err, "no such escape", bad_at);
    cli_hint(err, "with --raw a backslash is a backslash");
    return BASIN_CORRUPT;
}

static basin_status
next_line_key(struct record_reader *r)
{
    basin_bytes line = r->text;

    if (!r->options.raw)
        bytes_chop(&line);
    grow_add(&r->key, line.data, line.size);
    return BASIN_OK;
}

/* ------------------------------------------------------------------ jsonl */

static bool
name_is(const struct json_member *m, const char *name)
{
    return m->name.size == strlen(name) && memcmp(m->name.data, name, m->name.size) == 0;
}

/* Takes the member over into `to` when it is called NAME or NAME_hex. */
static bool
take_member(const struct json_member *m, const char *name, const char *name_hex, struct grow *to,
            bool *seen, const char **problem)
{
    bool plain = name_is(m, name), hex = name_is(m, name_hex);

    if (!plain && !hex)
        return true;
    if (*seen) {
        *problem = "a member stands there twice";
        return false;
    }
    *seen = true;
    if (hex) {
        *problem = "it is not hexadecimal";
        return m->is_string && text_from_hex(to, m->string.data, m->string.size);
    }
    if (m->is_string)
        grow_add(to, m->string.data, m->string.size);
    else
        grow_add(to, m->text.data, m->text.size);
    return true;
}

static basin_status
next_jsonl(struct record_reader *r, basin_error *err)
{
    struct json_reader json;
    const char *problem = NULL;
    bool key = false, value = false, ok;

    ok = json_object_begin(&json, r->text.data, r->text.size);
    while (ok && json_object_next(&json, &r->member)) {
        ok = take_member(&r->member, "key", "key_hex", &r->key, &key, &problem) &&
             take_member(&r->member, "value", "value_hex", &r->value, &value, &problem);
    }
    if (json.problem != NULL)
        return bad_record(r, err, json.problem, json_place(&json));
    if (!ok)
        return bad_record(r, err, problem, json_place(&json));
    if (!key || !value)
        return bad_record(r, err, key ? "there is no \"value\"" : "there is no \"key\"", 0);
    return BASIN_OK;
}

/* ------------------------------------------------------------------ packages */

static bool
line_is_blank(basin_bytes line)
{
    const char *p = line.data;

    for (size_t i = 0; i < line.size; i++) {
        if (p[i] != ' ' && p[i] != '\t' && p[i] != '\r')
            return false;
    }
    return true;
}

/* Collects the lines of a stanza in r->raw. A line over the limit spoils the whole stanza. */
static basin_status
read_stanza(struct record_reader *r, basin_error *err)
{
    basin_status st, spoilt = BASIN_OK;
    basin_bytes line;
    bool begun = false;

    grow_clear(&r->raw);
    for (;;) {
        st = input_line(r->in, &line, NULL, err);
        if (st == BASIN_END)
            break;
        if (st != BASIN_OK && st != BASIN_LIMIT)
            return st;
        if (st == BASIN_OK && line_is_blank(line)) {
            if (begun)
                break;
            continue;
        }
        if (!begun)
            r->line = r->in->line;
        begun = true;
        if (st == BASIN_OK && spoilt == BASIN_OK && r->raw.size + line.size > r->in->line_max)
            st = cli_error(err, BASIN_LIMIT, "%s: line %llu: the stanza is longer than %zu bytes",
                           r->in->name, (unsigned long long)r->line, r->in->line_max);
        spoilt = spoilt == BASIN_OK ? st : spoilt;
        if (spoilt == BASIN_OK) {
            grow_add(&r->raw, line.data, line.size);
            grow_byte(&r->raw, '\n');
        }
    }
    r->text = grow_bytes(&r->raw);
    if (spoilt != BASIN_OK)
        return spoilt;
    return begun ? BASIN_OK : BASIN_END;
}

/* The content of a field of the stanza, without space around it; empty when it is not there. */
static basin_bytes
stanza_field(const struct grow *stanza, const char *name)
{
    const char *p = (const char *)stanza->data, *end = p + stanza->size;
    size_t size = strlen(name);

    while (p < end) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        const char *stop = newline != NULL ? newline : end;

        if ((size_t)(stop - p) > size && memcmp(p, name, size) == 0 && p[size] == ':') {
            p += size + 1;
            while (p < stop && (*p == ' ' || *p == '\t'))
                p++;
            while (stop > p && (stop[-1] == ' ' || stop[-1] == '\t' || stop[-1] == '\r'))
                stop--;
            return bytes_from(p, (size_t)(stop - p));
        }
        p = stop + 1;
    }
    return (basin_bytes){ 0 };
}

static basin_status
next_stanza(struct record_reader *r, basin_error *err)
{
    static const char *const names[] = { "Package", "Version", "Architecture" };

    for (size_t i = 0; i < LENGTH_OF(names); i++) {
        basin_bytes field = stanza_field(&r->raw, names[i]);

        if (i == 0 && field.size == 0)
            return bad_record(r, err, "the stanza has no field Package", 0);
        if (i > 0 && field.size > 0)
            grow_byte(&r->key, '_');
        grow_add(&r->key, field.data, field.size);
    }
    grow_add(&r->value, r->raw.data, r->raw.size);
    return BASIN_OK;
}

/* ------------------------------------------------------------------ any */

/* Lines that hold nothing: of tsv the empty ones, of jsonl those of space only. */
static bool
line_is_nothing(const struct record_reader *r)
{
    basin_bytes line = r->text;

    if (r->options.format == FORMAT_JSONL)
        return line_is_blank(line);
    bytes_chop(&line);
    return r->options.format == FORMAT_TSV && line.size == 0;
}

static basin_status
read_record_line(struct record_reader *r, basin_error *err)
{
    basin_status st;

    do {
        st = input_line(r->in, &r->text, NULL, err);
        r->line = r->in->line;
    } while (st == BASIN_OK && line_is_nothing(r));
    return st;
}

basin_status
record_next(struct record_reader *r, basin_error *err)
{
    basin_status st;

    grow_clear(&r->key);
    grow_clear(&r->value);
    if (r->options.format == FORMAT_CSV)
        return record__next_csv(r, err);
    if (r->options.format == FORMAT_PACKAGES) {
        st = read_stanza(r, err);
        return st == BASIN_OK ? next_stanza(r, err) : st;
    }
    st = read_record_line(r, err);
    if (st != BASIN_OK)
        return st;
    if (r->options.format == FORMAT_TSV)
        return next_tsv(r, err);
    if (r->options.format == FORMAT_JSONL)
        return next_jsonl(r, err);
    return next_line_key(r);
}
