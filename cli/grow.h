// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Owned, growing bytes of the program. A refused allocation ends the program with EXIT_MEMORY:
 * the database survives that as it survives any death of a process.
 * Threads: confined.
 */
#ifndef CLI_GROW_H
#define CLI_GROW_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "basin/basin.h"

#define LENGTH_OF(a) (sizeof(a) / sizeof((a)[0]))

struct grow {
    uint8_t *data;
    size_t size;
    size_t capacity;
};

void grow_add(struct grow *g, const void *p, size_t n);
void grow_byte(struct grow *g, uint8_t b);
void grow_text(struct grow *g, const char *s);
void grow_format(struct grow *g, const char *fmt, ...) BASIN_PRINTF(2, 3);
void grow_vformat(struct grow *g, const char *fmt, va_list ap) BASIN_PRINTF(2, 0)
    __attribute__((nonnull(2)));
/* Room for n more bytes; returns where they go. They count only after size is raised. */
uint8_t *grow_room(struct grow *g, size_t n);
/* The content as a C string; valid until the next change. */
const char *grow_string(struct grow *g);
void grow_clear(struct grow *g);
void grow_free(struct grow *g); /* empty and usable again */
/* Overwrites the content first: for secrets. */
void grow_wipe(struct grow *g);

static inline basin_bytes
grow_bytes(const struct grow *g)
{
    return (basin_bytes){ g->data, g->size };
}

static inline basin_bytes
bytes_from(const void *p, size_t n)
{
    return (basin_bytes){ p, n };
}

/* malloc and realloc that end the program when refused. */
void *need_memory(size_t n);
void *need_more(void *p, size_t n);

#endif
