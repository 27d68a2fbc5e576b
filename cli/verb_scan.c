// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * scan: pairs in order, from one snapshot.
 */
#include "session.h"
#include "stop.h"
#include "value.h"
#include "verbs.h"

struct scan {
    struct cli *c;
    basin_cursor *cursor;
    struct value value;
    enum form form;
    bool keys_only;
    bool count_only;
    bool reverse;
    uint64_t limit;
    uint64_t count;
};

static basin_status
write_json_pair(struct scan *s)
{
    struct cli *c = s->c;
    bool hex = s->form == FORM_HEX;
    struct jout j;
    basin_status st = BASIN_OK;

    jout_start(&j, &c->out);
    jout_open(&j, NULL, '{');
    jout_bytes(&j, "key", basin_cursor_key(s->cursor), hex);
    if (!s->keys_only) {
        TRY(value_at_cursor(&s->value, s->cursor, &c->err));
        TRY(value_write_json(&s->value, &j, "value", 0, UINT64_MAX, hex, &c->err));
    }
    jout_close(&j, '{');
    jout_line(&j);
out:
    return st;
}

static basin_status
write_pair(struct scan *s)
{
    struct cli *c = s->c;
    basin_status st = BASIN_OK;

    if (s->count_only)
        return BASIN_OK;
    if (c->json)
        return write_json_pair(s);
    form_write(&c->out, s->form, basin_cursor_key(s->cursor));
    if (!s->keys_only) {
        out_text(&c->out, "\t");
        TRY(value_at_cursor(&s->value, s->cursor, &c->err));
        TRY(value_write(&s->value, 0, UINT64_MAX, s->form, &c->out, &c->err));
    }
    out_text(&c->out, "\n");
out:
    return st;
}

static basin_status
step(struct scan *s, bool first)
{
    basin_error *err = &s->c->err;

    if (s->reverse)
        return first ? basin_cursor_last(s->cursor, err) : basin_cursor_prev(s->cursor, err);
    return first ? basin_cursor_first(s->cursor, err) : basin_cursor_next(s->cursor, err);
}

static basin_status
run_scan(struct scan *s)
{
    struct cli *c = s->c;
    basin_status st = BASIN_OK;

    while (s->count < s->limit) {
        st = step(s, s->count == 0);
        if (st == BASIN_END)
            break;
        TRY(st);
        TRY(write_pair(s));
        s->count++;
        if (s->count % 1024 == 0) {
            progress_tick(&c->progress, "scan", "pairs", s->count, 0);
            TRY(stop_check(&c->err));
        }
        TRY(out_status(&c->out, &c->err));
    }
    st = BASIN_OK;
out:
    return st;
}

static void
write_count(struct scan *s)
{
    struct jout j;

    if (!s->c->json) {
        out_format(&s->c->out, "%llu\n", (unsigned long long)s->count);
        return;
    }
    jout_start(&j, &s->c->out);
    jout_open(&j, NULL, '{');
    jout_number(&j, "count", s->count);
    jout_close(&j, '{');
    jout_line(&j);
}

static basin_status
check_scan_options(struct cli *c)
{
    basin_status st;

    TRY(args_exclude(&c->args, OPT_HEX, OPT_ESCAPE, &c->err));
    TRY(args_exclude(&c->args, OPT_RAW, OPT_HEX, &c->err));
    TRY(args_exclude(&c->args, OPT_RAW, OPT_ESCAPE, &c->err));
    TRY(args_exclude(&c->args, OPT_KEYS, OPT_COUNT, &c->err));
    if (c->json && args_has(&c->args, OPT_RAW))
        FAIL(&c->err, BASIN_MISUSE, "--json and --raw exclude each other");
out:
    return st;
}

basin_status
verb_scan(struct cli *c)
{
    struct session s = { 0 };
    struct cli_range range = { 0 };
    struct scan scan = { .c = c, .form = FORM_ESCAPED };
    basin_status st;

    TRY(check_scan_options(c));
    TRY(cli_range_read(c, &range));
    scan.form = args_has(&c->args, OPT_HEX) ? FORM_HEX : FORM_ESCAPED;
    scan.form = args_has(&c->args, OPT_RAW) ? FORM_RAW : scan.form;
    scan.keys_only = args_has(&c->args, OPT_KEYS);
    scan.count_only = args_has(&c->args, OPT_COUNT);
    scan.reverse = args_has(&c->args, OPT_REVERSE);
    scan.limit = args_number(&c->args, OPT_LIMIT, UINT64_MAX);
    TRY(session_open(c, c->args.words[0], SESSION_READ, &s));
    TRY(session_read(&s));
    TRY(basin_cursor_open(s.txn, s.space, &range.range, &scan.cursor, &c->err));
    TRY(run_scan(&scan));
    if (scan.count_only)
        write_count(&scan);
out:
    basin_cursor_close(scan.cursor);
    value_free(&scan.value);
    cli_range_free(&range);
    return session_close(&s, st);
}
