// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * What each verb runs. A verb returns BASIN_OK, or the status of what stopped it with the story in
 * c->err; c->exit_code may ask for another exit code than 0 when the status is OK.
 */
#ifndef CLI_VERBS_H
#define CLI_VERBS_H

#include "table.h"

verb_fn verb_put, verb_get, verb_del, verb_scan;
verb_fn verb_import, verb_export, verb_dump, verb_load;
verb_fn verb_pin, verb_watch, verb_hold, verb_space;
verb_fn verb_init, verb_stat, verb_check, verb_repair, verb_salvage, verb_compact, verb_rekey;
verb_fn verb_bench, verb_demo, verb_completion, verb_version, verb_help;

#endif
