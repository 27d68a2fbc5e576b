// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * A map from object ids to two numbers: a hash table with linear probing. Confined; whoever holds
 * it guards it. All zeros is an empty one.
 */
#ifndef LSM_IDS_H
#define LSM_IDS_H

#include "lsm/version.h"

struct id_slot {
    struct object_id id;
    uint64_t a, b;
    bool used;
};

struct id_map {
    struct id_slot *slots;
    size_t count, capacity; /* a power of two, or 0 */
    uint64_t steps;         /* slots looked at so far */
};

/* Room for `more` further ids: as many puts then cannot fail. False: no memory. */
bool lsm__ids_reserve(struct id_map *m, const basin_allocator *mem, size_t more);
void lsm__ids_release(struct id_map *m, const basin_allocator *mem);
/* NULL when it is not there. The slot is valid until the next put or drop. */
struct id_slot *lsm__ids_find(struct id_map *m, struct object_id id);
/* The slot of id, made with zeros when it is not there. */
struct id_slot *lsm__ids_put(struct id_map *m, struct object_id id);
void lsm__ids_drop(struct id_map *m, struct object_id id);

#endif
