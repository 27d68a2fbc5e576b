// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Ctrl-C and its kin: the first SIGINT, SIGTERM or SIGHUP asks the verb to end cleanly, a second
 * one ends the program at once. SIGPIPE is ignored; out.h reports EPIPE.
 */
#ifndef CLI_STOP_H
#define CLI_STOP_H

#include "basin/basin.h"

void stop_install(void);
/* The database whose long calls a signal interrupts; NULL before it is closed. */
void stop_watch(basin_db *db);
/* The number of the signal that was seen, or 0. */
int stop_seen(void);
/* Interrupts as a signal does, after this time. */
void stop_after_ms(uint64_t ms);
/* CANCELLED once a signal was seen, TIMEOUT when the time of stop_after_ms is over. */
basin_status stop_check(basin_error *err);
/* Sleeps, or less when a signal comes. */
void stop_sleep_ms(uint64_t ms);

#endif
