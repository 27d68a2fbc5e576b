// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Objects by their ids, so that an edit costs what it says and not the number of objects that there
 * are. At most half of the slots are used; a dropped id leaves no mark behind: those after it move
 * up (Knuth 6.4, algorithm R).
 */
#include "lsm/ids.h"

static size_t
home_of(const struct id_map *m, struct object_id id)
{
    uint64_t both[] = { id.epoch, id.number };

    return (size_t)hash64(both, sizeof(both), 0) & (m->capacity - 1);
}

/* Where id is, or the free slot where it would be. */
static size_t
place_of(struct id_map *m, struct object_id id)
{
    size_t i = home_of(m, id);

    for (m->steps++; m->slots[i].used &&
                     (m->slots[i].id.epoch != id.epoch || m->slots[i].id.number != id.number);
         m->steps++)
        i = (i + 1) & (m->capacity - 1);
    return i;
}

bool
lsm__ids_reserve(struct id_map *m, const basin_allocator *mem, size_t more)
{
    struct id_map next = { .capacity = m->capacity ? m->capacity : 16,
                           .count = m->count,
                           .steps = m->steps };

    while (next.capacity / 2 < m->count + more)
        next.capacity *= 2;
    if (next.capacity == m->capacity)
        return true;
    next.slots = mem_new(mem, next.capacity * sizeof(*next.slots));
    if (next.slots == NULL)
        return false;
    for (size_t i = 0; i < m->capacity; i++)
        if (m->slots[i].used)
            next.slots[place_of(&next, m->slots[i].id)] = m->slots[i];
    mem_free(mem, m->slots, m->capacity * sizeof(*m->slots));
    *m = next;
    return true;
}

void
lsm__ids_release(struct id_map *m, const basin_allocator *mem)
{
    mem_free(mem, m->slots, m->capacity * sizeof(*m->slots));
    *m = (struct id_map){ 0 };
}

struct id_slot *
lsm__ids_find(struct id_map *m, struct object_id id)
{
    size_t i = m->count ? place_of(m, id) : 0;

    return m->count && m->slots[i].used ? &m->slots[i] : NULL;
}

struct id_slot *
lsm__ids_put(struct id_map *m, struct object_id id)
{
    size_t i;

    must(m->capacity > 0);
    i = place_of(m, id);
    if (!m->slots[i].used) {
        must(m->count < m->capacity / 2);
        m->slots[i] = (struct id_slot){ .id = id, .used = true };
        m->count++;
    }
    return &m->slots[i];
}

void
lsm__ids_drop(struct id_map *m, struct object_id id)
{
    size_t hole = m->count ? place_of(m, id) : 0, mask = m->capacity - 1;

    if (m->count == 0 || !m->slots[hole].used)
        return;
    for (size_t i = (hole + 1) & mask; m->slots[i].used; i = (i + 1) & mask, m->steps++) {
        size_t home = home_of(m, m->slots[i].id);
        if (((i - home) & mask) < ((i - hole) & mask))
            continue; /* it would come before its home */
        m->slots[hole] = m->slots[i];
        hole = i;
    }
    m->slots[hole] = (struct id_slot){ 0 };
    m->count--;
}
