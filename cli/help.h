// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Help as text and as a manual page, from the table.
 */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "out.h"
#include "table.h"

void help_overview(struct out *o);
void help_verb(struct out *o, const struct verb *v);
void help_topic(struct out *o, const struct topic *t);
void help_man(struct out *o);      /* roff with the man macros */
void help_examples(struct out *o); /* VERB, TAB, command per line */

/* "--limit, -n N" */
void help_option_name(struct grow *to, const struct option *o);

#endif
