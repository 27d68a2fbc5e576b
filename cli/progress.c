// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Drawing progress.
 *
 * The bar is one line that is drawn over: on a terminal it is wiped at the end, elsewhere
 * (--progress=bar into a file) each drawing ends with a carriage return and the last with a
 * newline. It is cut to the width of the terminal.
 */
#include "progress.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli.h"
#include "stop.h"

enum { PROGRESS_INTERVAL_MS = 100, BAR_CELLS = 24, COLUMNS_DEFAULT = 80 };

void
progress_start(struct progress *p, enum progress_mode mode)
{
    *p = (struct progress){ .mode = mode, .started_ms = cli_now_ms() };
    p->is_tty = isatty(STDERR_FILENO) == 1;
    if (p->mode == PROGRESS_AUTO)
        p->mode = p->is_tty ? PROGRESS_BAR : PROGRESS_OFF;
}

static size_t
terminal_columns(void)
{
    struct winsize size;
    const char *text = getenv("COLUMNS");
    uint64_t columns;

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    if (text != NULL && text_number(text, &columns) && columns >= 20 && columns < 1000)
        return (size_t)columns;
    return COLUMNS_DEFAULT;
}

static void
write_stderr(const struct grow *line)
{
    if (write(STDERR_FILENO, line->data, line->size) < 0)
        return; /* talk that cannot be heard is no failure */
}

static void
add_bar(struct grow *line, const basin_progress *now)
{
    double part = (double)now->done / (double)now->total;
    unsigned cells = (unsigned)(part * BAR_CELLS);

    grow_format(line, " %3u%% [", (unsigned)(part * 100));
    for (unsigned i = 0; i < BAR_CELLS; i++)
        grow_byte(line, i < cells ? '#' : i == cells ? '>' : ' ');
    grow_text(line, "]");
}

static void
draw_bar(struct progress *p)
{
    const basin_progress *now = &p->last;
    double seconds = (double)now->elapsed_ms / 1000;
    bool bytes = strcmp(now->unit, "bytes") == 0;
    char a[HUMAN_SIZE], b[HUMAN_SIZE];
    struct grow line = { 0 };
    size_t width = terminal_columns() - 1;

    grow_text(&line, now->stage);
    if (now->total > 0)
        add_bar(&line, now);
    if (bytes)
        grow_format(&line, " %s", human_bytes(a, now->done));
    else
        grow_format(&line, " %s %s", human_count(a, now->done), now->unit);
    if (seconds > 0.05) {
        double rate = (double)now->done / seconds;
        grow_format(&line, "  %s/s", bytes ? human_bytes(b, (uint64_t)rate) : human_rate(b, rate));
    }
    if (now->total > 0 && now->eta_ms != UINT64_MAX)
        grow_format(&line, "  %s left", human_clock(a, now->eta_ms));
    else
        grow_format(&line, "  %s", human_clock(a, now->elapsed_ms));
    if (line.size > width)
        line.size = width;
    if (p->is_tty)
        grow_text(&line, "\033[K");
    grow_byte(&line, '\r');
    write_stderr(&line);
    grow_free(&line);
    p->drawn = true;
}

static void
draw_json(const struct progress *p)
{
    const basin_progress *now = &p->last;
    struct grow line = { 0 };

    grow_text(&line, "{\"progress\":{\"stage\":");
    jout_quote(&line, now->stage);
    grow_text(&line, ",\"unit\":");
    jout_quote(&line, now->unit);
    grow_format(&line, ",\"done\":%llu,\"total\":%llu", (unsigned long long)now->done,
                (unsigned long long)now->total);
    grow_format(&line, ",\"bytes_in\":%llu,\"bytes_out\":%llu,\"elapsed_ms\":%llu,\"eta_ms\":",
                (unsigned long long)now->bytes_in, (unsigned long long)now->bytes_out,
                (unsigned long long)now->elapsed_ms);
    if (now->eta_ms == UINT64_MAX)
        grow_text(&line, "null");
    else
        grow_format(&line, "%llu", (unsigned long long)now->eta_ms);
    grow_text(&line, "}}\n");
    write_stderr(&line);
    grow_free(&line);
}

static void
draw(struct progress *p)
{
    if (p->mode == PROGRESS_BAR)
        draw_bar(p);
    else if (p->mode == PROGRESS_JSON)
        draw_json(p);
}

/* Takes over `now`; within a stage no figure goes backwards and done stays within total. */
static void
accept(struct progress *p, const basin_progress *now)
{
    const basin_progress before = p->last;
    bool same = before.stage != NULL && strcmp(before.stage, now->stage) == 0;

    p->last = *now;
    if (same && p->last.done < before.done)
        p->last.done = before.done;
    if (same && p->last.elapsed_ms < before.elapsed_ms)
        p->last.elapsed_ms = before.elapsed_ms;
    if (p->last.total > 0 && p->last.done > p->last.total)
        p->last.total = p->last.done;
}

int
progress_watch(void *ctx, const basin_progress *now)
{
    struct progress *p = ctx;

    if (p->mode != PROGRESS_OFF) {
        accept(p, now);
        p->shown_ms = cli_now_ms();
        draw(p);
    }
    return stop_seen();
}

void
progress_tick_bytes(struct progress *p, const basin_progress *given)
{
    basin_progress now = *given;
    uint64_t at_ms;

    if (p->mode == PROGRESS_OFF)
        return;
    at_ms = cli_now_ms();
    now.elapsed_ms = at_ms - p->started_ms;
    now.eta_ms = UINT64_MAX;
    if (now.total > 0 && now.done > 0 && now.done <= now.total)
        now.eta_ms =
            (uint64_t)((double)now.elapsed_ms * (double)(now.total - now.done) / (double)now.done);
    accept(p, &now);
    if (p->shown_ms != 0 && at_ms - p->shown_ms < PROGRESS_INTERVAL_MS)
        return;
    p->shown_ms = at_ms;
    draw(p);
}

void
progress_tick(struct progress *p, const char *stage, const char *unit, uint64_t done,
              uint64_t total)
{
    basin_progress now = { .stage = stage, .unit = unit, .done = done, .total = total };

    progress_tick_bytes(p, &now);
}

void
progress_end(struct progress *p)
{
    if (p->last.stage == NULL || p->mode == PROGRESS_OFF)
        return;
    draw(p);
    if (p->drawn)
        write_stderr(&(struct grow){ .data = (uint8_t *)(p->is_tty ? "\033[K" : "\n"),
                                     .size = p->is_tty ? 3 : 1 });
    p->last.stage = NULL;
    p->drawn = false;
}
