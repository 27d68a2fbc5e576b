// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * stat: figures of a database, as a table or as JSON. One list names every figure, so that both
 * forms always tell the same.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "session.h"
#include "value.h"
#include "verbs.h"

enum figure_kind { FIGURE_COUNT, FIGURE_BYTES };

static const struct figure {
    const char *name;
    const char *label;
    size_t at; /* in basin_stats */
    enum figure_kind kind;
    bool of_process; /* of this process: says nothing about the database itself */
} figures[] = {
#define FIGURE(field, label, kind, own)                        \
    {                                                          \
#field, label, offsetof(basin_stats, field), kind, own \
    }
    FIGURE(seqno, "last commit", FIGURE_COUNT, false),
    FIGURE(epoch, "epoch", FIGURE_COUNT, false),
    FIGURE(live_bytes, "strata", FIGURE_BYTES, false),
    FIGURE(value_bytes, "large values", FIGURE_BYTES, false),
    FIGURE(value_dead_bytes, "of them dead", FIGURE_BYTES, false),
    FIGURE(retired_bytes, "held for readers", FIGURE_BYTES, false),
    FIGURE(log_bytes, "log", FIGURE_BYTES, false),
    FIGURE(memtable_bytes, "in memory", FIGURE_BYTES, false),
    FIGURE(pins, "pins", FIGURE_COUNT, false),
    FIGURE(readers, "reading processes", FIGURE_COUNT, false),
    FIGURE(mem_limit, "memory limit", FIGURE_BYTES, true),
    FIGURE(mem_used, "memory used", FIGURE_BYTES, true),
    FIGURE(mem_peak, "memory at most", FIGURE_BYTES, true),
    FIGURE(cache_bytes, "cache", FIGURE_BYTES, true),
    FIGURE(snapshots, "snapshots", FIGURE_COUNT, true),
    FIGURE(oldest_snapshot, "oldest snapshot", FIGURE_COUNT, true),
    FIGURE(commits, "commits", FIGURE_COUNT, true),
    FIGURE(conflicts, "conflicts", FIGURE_COUNT, true),
    FIGURE(syncs, "syncs", FIGURE_COUNT, true),
    FIGURE(log_written, "log written", FIGURE_BYTES, true),
    FIGURE(pages_read, "pages read", FIGURE_COUNT, true),
    FIGURE(pages_written, "pages written", FIGURE_COUNT, true),
    FIGURE(bytes_read, "bytes read", FIGURE_BYTES, true),
    FIGURE(bytes_written, "bytes written", FIGURE_BYTES, true),
    FIGURE(cache_hits, "cache hits", FIGURE_COUNT, true),
    FIGURE(cache_misses, "cache misses", FIGURE_COUNT, true),
    FIGURE(filter_checks, "filter checks", FIGURE_COUNT, true),
    FIGURE(filter_rejects, "filter rejects", FIGURE_COUNT, true),
    FIGURE(flushes, "flushes", FIGURE_COUNT, true),
    FIGURE(merges, "merges", FIGURE_COUNT, true),
    FIGURE(moves, "moves", FIGURE_COUNT, true),
    FIGURE(merge_bytes_in, "merged bytes in", FIGURE_BYTES, true),
    FIGURE(merge_bytes_out, "merged bytes out", FIGURE_BYTES, true),
    FIGURE(stalls, "stalls", FIGURE_COUNT, true),
    FIGURE(stall_us, "stalled us", FIGURE_COUNT, true),
    FIGURE(gets, "gets", FIGURE_COUNT, true),
    FIGURE(puts, "puts", FIGURE_COUNT, true),
    FIGURE(key_compares, "key comparisons", FIGURE_COUNT, true),
#undef FIGURE
};

static uint64_t
figure_of(const basin_stats *s, const struct figure *f)
{
    uint64_t v;

    memcpy(&v, (const char *)s + f->at, sizeof(v));
    return v;
}

static void
write_levels(struct cli *c, const basin_stats *s)
{
    char a[HUMAN_SIZE], b[HUMAN_SIZE], d[HUMAN_SIZE];
    bool any = false;

    for (size_t i = 0; i < BASIN_LEVEL_COUNT; i++) {
        const basin_level_stat *l = &s->levels[i];

        if (l->strata == 0)
            continue;
        if (!any)
            out_format(&c->out, "\n%-7s%6s%8s%14s%16s%14s\n", "level", "runs", "strata", "bytes",
                       "entries", "deletes");
        any = true;
        out_format(&c->out, "%-7zu%6" PRIu64 "%8" PRIu64 "%14s%16s%14s\n", i, l->runs, l->strata,
                   human_bytes(a, l->bytes), human_count(b, l->entries),
                   human_count(d, l->deletes));
    }
}

static void
write_table(struct cli *c, const basin_stats *s)
{
    char text[HUMAN_SIZE];

    for (size_t i = 0; i < LENGTH_OF(figures); i++) {
        uint64_t v = figure_of(s, &figures[i]);

        if (figures[i].of_process)
            continue;
        if (figures[i].kind == FIGURE_BYTES)
            human_bytes(text, v);
        else
            human_count(text, v);
        out_format(&c->out, "%-20s%14s\n", figures[i].label, text);
    }
    write_levels(c, s);
}

static void
write_stats_json(struct jout *j, const basin_stats *s)
{
    for (size_t i = 0; i < LENGTH_OF(figures); i++)
        jout_number(j, figures[i].name, figure_of(s, &figures[i]));
    jout_open(j, "levels", '[');
    for (size_t i = 0; i < BASIN_LEVEL_COUNT; i++) {
        jout_open(j, NULL, '{');
        jout_number(j, "runs", s->levels[i].runs);
        jout_number(j, "strata", s->levels[i].strata);
        jout_number(j, "bytes", s->levels[i].bytes);
        jout_number(j, "entries", s->levels[i].entries);
        jout_number(j, "deletes", s->levels[i].deletes);
        jout_close(j, '{');
    }
    jout_close(j, '[');
}

/* ------------------------------------------------------------------ strata and readers */

/* The lists are written by callbacks; `j` is NULL for the table. */
struct lister {
    struct cli *c;
    struct jout *j;
    uint64_t count;
};

static int
write_stratum(void *ctx, const basin_stratum_info *s)
{
    struct lister *l = ctx;
    char a[HUMAN_SIZE], b[HUMAN_SIZE];

    if (l->j != NULL) {
        jout_open(l->j, NULL, '{');
        jout_text(l->j, "name", s->name);
        jout_number(l->j, "level", s->level);
        jout_number(l->j, "size", s->size);
        jout_number(l->j, "entries", s->entries);
        jout_number(l->j, "deletes", s->deletes);
        jout_number(l->j, "range_deletes", s->range_deletes);
        jout_number(l->j, "seqno_min", s->seqno_min);
        jout_number(l->j, "seqno_max", s->seqno_max);
        jout_bytes(l->j, "first", s->first, true);
        jout_bytes(l->j, "last", s->last, true);
        jout_close(l->j, '{');
        return 0;
    }
    if (l->count++ == 0)
        out_format(&l->c->out, "\n%-20s%6s%12s%14s  %s\n", "stratum", "level", "size", "entries",
                   "commits");
    out_format(&l->c->out, "%-20s%6" PRIu32 "%12s%14s  %" PRIu64 "..%" PRIu64 "\n", s->name,
               s->level, human_bytes(a, s->size), human_count(b, s->entries), s->seqno_min,
               s->seqno_max);
    return 0;
}

static int
write_reader(void *ctx, const basin_reader_info *r)
{
    struct lister *l = ctx;
    const char *name = r->name != NULL ? r->name : "";
    char a[HUMAN_SIZE], b[HUMAN_SIZE];
    struct grow shown = { 0 };

    if (l->j != NULL) {
        jout_open(l->j, NULL, '{');
        jout_number(l->j, "slot", r->slot);
        jout_text(l->j, "name", name);
        jout_number(l->j, "seqno", r->seqno);
        jout_number(l->j, "held_bytes", r->held_bytes);
        jout_close(l->j, '{');
        return 0;
    }
    if (l->count++ == 0)
        out_format(&l->c->out, "\n%-6s%-30s%14s%14s\n", "slot", "reader", "at commit", "holds");
    text_escape(&shown, name, strlen(name));
    out_format(&l->c->out, "%-6" PRIu32 "%-30s%14s%14s\n", r->slot, grow_string(&shown),
               human_count(b, r->seqno), human_bytes(a, r->held_bytes));
    grow_free(&shown);
    return 0;
}

static basin_status
write_lists(struct cli *c, struct session *s, struct jout *j)
{
    struct lister l = { .c = c, .j = j };
    basin_status st = BASIN_OK;

    if (args_has(&c->args, OPT_STRATA)) {
        if (j != NULL)
            jout_open(j, "strata", '[');
        TRY(basin_stratum_list(s->db, write_stratum, &l, &c->err));
        if (j != NULL)
            jout_close(j, '[');
    }
    l.count = 0;
    if (args_has(&c->args, OPT_READERS)) {
        if (j != NULL)
            jout_open(j, "reader_list", '[');
        TRY(basin_reader_list(s->db, write_reader, &l, &c->err));
        if (j != NULL)
            jout_close(j, '[');
    }
out:
    return st;
}

basin_status
verb_stat(struct cli *c)
{
    basin_stats stats = BASIN_STATS_INIT;
    struct session s = { 0 };
    struct jout j;
    basin_status st;

    TRY(session_open(c, c->args.words[0], SESSION_READ, &s));
    TRY(basin_stat(s.db, &stats, &c->err));
    if (!c->json) {
        write_table(c, &stats);
        TRY(write_lists(c, &s, NULL));
        goto out;
    }
    jout_start(&j, &c->out);
    jout_open(&j, NULL, '{');
    write_stats_json(&j, &stats);
    TRY(write_lists(c, &s, &j));
    jout_close(&j, '{');
    jout_line(&j);
out:
    return session_close(&s, st);
}
