// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * What the drivers of the room store share: names cut in two, a sorted list of names, and the
 * bounds check of a read. Private to the room.
 */
#ifndef STORE_DRIVER_H
#define STORE_DRIVER_H

#include "store/store.h"

/* A valid name, its class ("" when it has none) and the rest. */
struct store_name {
    char full[STORE_NAME_MAX + 1];
    char class_name[STORE_NAME_MAX + 1];
};

/* One part of a name: [a-z0-9-]+ of at most STORE_NAME_MAX bytes. */
bool store__part_valid(const char *part, size_t n);
/* Cuts a name that the door has checked. */
void store__name_cut(struct store_name *to, const char *name);

/* Names of STORE_NAME_MAX + 1 bytes each in one buffer. */
basin_status store__names_add(struct buf *names, const char *name, basin_error *err);
void store__names_sort(struct buf *names);
size_t store__names_count(const struct buf *names);
const char *store__names_at(const struct buf *names, size_t i);

/* CORRUPT "NAME: ends at N, needed M" unless [at, at + n) is inside the source. */
basin_status store__check_read(const struct source *s, uint64_t at, size_t n, basin_error *err);

#endif
