// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * How far a long verb has come, on standard error: a bar with rate and time left on a terminal,
 * JSON lines with --progress=json, nothing otherwise. The figures never go backwards.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>

#include "basin/basin.h"

enum progress_mode { PROGRESS_AUTO, PROGRESS_BAR, PROGRESS_JSON, PROGRESS_OFF };

struct progress {
    enum progress_mode mode;
    bool is_tty;
    bool drawn;
    uint64_t started_ms;
    uint64_t shown_ms;
    basin_progress last;
};

void progress_start(struct progress *p, enum progress_mode mode);
/* Shows what a verb counts itself, at most ten times a second. Time and time left are filled in. */
void progress_tick(struct progress *p, const char *stage, const char *unit, uint64_t done,
                   uint64_t total);
void progress_tick_bytes(struct progress *p, const basin_progress *now);
/* For basin_watch: ctx is a struct progress; asks to stop once a signal was seen. */
int progress_watch(void *ctx, const basin_progress *now);
/* The last state, then the line is given free. Before anything else is written. */
void progress_end(struct progress *p);

#endif
