// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * export: one keyspace as tsv or jsonl.
 */
#include "record.h"
#include "session.h"
#include "spaces.h"
#include "stop.h"
#include "value.h"
#include "verbs.h"

static basin_status
export_format(struct cli *c, const char *path, enum format *format)
{
    const struct given *given = args_find(&c->args, OPT_EXPORT_FORMAT);

    *format = FORMAT_TSV;
    if (given != NULL)
        *format = given->number == 0 ? FORMAT_TSV : FORMAT_JSONL;
    else if (!record_format_of(path, format))
        *format = c->json ? FORMAT_JSONL : FORMAT_TSV;
    if (*format == FORMAT_TSV || *format == FORMAT_JSONL)
        return BASIN_OK;
    cli_error(&c->err, BASIN_MISUSE, "export writes tsv and jsonl only");
    cli_hint(&c->err, "--format tsv or --format jsonl");
    return BASIN_MISUSE;
}

static basin_status
export_pair(struct cli *c, basin_cursor *cursor, struct value *v, enum format format,
            struct out *out)
{
    struct jout j;
    basin_status st;

    TRY(value_at_cursor(v, cursor, &c->err));
    if (format == FORMAT_TSV) {
        form_write(out, FORM_ESCAPED, basin_cursor_key(cursor));
        out_text(out, "\t");
        TRY(value_write(v, 0, UINT64_MAX, FORM_ESCAPED, out, &c->err));
        out_text(out, "\n");
        return out_status(out, &c->err);
    }
    jout_start(&j, out);
    jout_open(&j, NULL, '{');
    jout_bytes(&j, "key", basin_cursor_key(cursor), false);
    TRY(value_write_json(v, &j, "value", 0, UINT64_MAX, false, &c->err));
    jout_close(&j, '{');
    jout_line(&j);
    st = out_status(out, &c->err);
out:
    return st;
}

static basin_status
export_all(struct cli *c, basin_cursor *cursor, enum format format, struct out *out)
{
    struct value v = { 0 };
    uint64_t count = 0;
    basin_status st = basin_cursor_first(cursor, &c->err);

    while (st == BASIN_OK) {
        TRY(export_pair(c, cursor, &v, format, out));
        if (++count % 256 == 0) {
            progress_tick(&c->progress, "export", "pairs", count, 0);
            TRY(stop_check(&c->err));
        }
        st = basin_cursor_next(cursor, &c->err);
    }
    st = st == BASIN_END ? BASIN_OK : st;
out:
    value_free(&v);
    return st;
}

basin_status
verb_export(struct cli *c)
{
    struct output o = { 0 };
    struct session s = { 0 };
    struct cli_range range = { 0 };
    basin_cursor *cursor = NULL;
    enum format format;
    basin_status st;

    TRY(export_format(c, args_text(&c->args, OPT_OUTPUT, "-"), &format));
    TRY(cli_range_read(c, &range));
    TRY(session_open(c, c->args.words[0], SESSION_READ, &s));
    TRY(session_read(&s));
    TRY(basin_cursor_open(s.txn, s.space, &range.range, &cursor, &c->err));
    TRY(output_open(c, &o));
    TRY(export_all(c, cursor, format, o.to));
    TRY(output_finish(c, &o));
out:
    output_close(&o);
    basin_cursor_close(cursor);
    cli_range_free(&range);
    return session_close(&s, st);
}
