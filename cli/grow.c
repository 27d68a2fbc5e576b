// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Growing bytes; capacity doubles, so n single additions cost O(n).
 */
#include "grow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

enum { GROW_MIN = 64 };

static void
memory_refused(void)
{
    static const char text[] = "basin: out of memory\n";

    if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
        _exit(EXIT_MEMORY);
    _exit(EXIT_MEMORY);
}

void *
need_memory(size_t n)
{
    void *p = calloc(1, n > 0 ? n : 1);

    if (p == NULL)
        memory_refused();
    return p;
}

void *
need_more(void *p, size_t n)
{
    void *more = realloc(p, n > 0 ? n : 1);

    if (more == NULL)
        memory_refused();
    return more;
}

uint8_t *
grow_room(struct grow *g, size_t n)
{
    size_t capacity = g->capacity > 0 ? g->capacity : GROW_MIN;

    if (g->data == NULL || n > g->capacity - g->size) {
        if (n > SIZE_MAX / 4 - g->size)
            memory_refused();
        while (capacity - g->size < n)
            capacity *= 2;
        g->data = need_more(g->data, capacity);
        g->capacity = capacity;
    }
    return g->data + g->size;
}

void
grow_add(struct grow *g, const void *p, size_t n)
{
    if (n == 0)
        return;
    memcpy(grow_room(g, n), p, n);
    g->size += n;
}

void
grow_byte(struct grow *g, uint8_t b)
{
    grow_room(g, 1)[0] = b;
    g->size++;
}

void
grow_text(struct grow *g, const char *s)
{
    grow_add(g, s, strlen(s));
}

void
grow_vformat(struct grow *g, const char *fmt, va_list ap)
{
    va_list again;
    int n;

    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, ap);
    if (n > 0) {
        char *to = (char *)grow_room(g, (size_t)n + 1);
        vsnprintf(to, (size_t)n + 1, fmt, again);
        g->size += (size_t)n;
    }
    va_end(again);
}

void
grow_format(struct grow *g, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    grow_vformat(g, fmt, ap);
    va_end(ap);
}

const char *
grow_string(struct grow *g)
{
    grow_room(g, 1)[0] = '\0';
    return (const char *)g->data;
}

void
grow_clear(struct grow *g)
{
    g->size = 0;
}

void
grow_free(struct grow *g)
{
    free(g->data);
    *g = (struct grow){ 0 };
}

void
grow_wipe(struct grow *g)
{
    if (g->data != NULL)
        explicit_bzero(g->data, g->capacity);
    grow_free(g);
}
