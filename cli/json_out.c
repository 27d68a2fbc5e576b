// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Writing JSON (RFC 8259): strings escape quotes, backslashes and control characters only.
 */
#include "json_out.h"

#include <math.h>
#include <string.h>

#include "text.h"

void
jout_start(struct jout *j, struct out *out)
{
    *j = (struct jout){ .out = out };
}

static void
add_escaped(struct grow *to, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] == '"' || p[i] == '\\')
            grow_format(to, "\\%c", p[i]);
        else if (p[i] == '\n')
            grow_text(to, "\\n");
        else if (p[i] == '\t')
            grow_text(to, "\\t");
        else if (p[i] == '\r')
            grow_text(to, "\\r");
        else if (p[i] < 0x20 || p[i] == 0x7F)
            grow_format(to, "\\u%04x", p[i]);
        else
            grow_byte(to, p[i]);
    }
}

void
jout_quote(struct grow *to, const char *s)
{
    size_t n = strlen(s);
    uint32_t code;

    grow_byte(to, '"');
    for (size_t i = 0; i < n;) {
        size_t size = text_utf8((const uint8_t *)s + i, n - i, &code);

        if (size == 0)
            text_add_utf8(to, 0xFFFD);
        else
            add_escaped(to, (const uint8_t *)s + i, size);
        i += size > 0 ? size : 1;
    }
    grow_byte(to, '"');
}

/* The comma and the name before a member. */
static void
member(struct jout *j, const char *name, const char *suffix)
{
    struct grow *s = &j->out->scratch;

    if (j->filled & 1u << j->depth)
        out_text(j->out, ",");
    j->filled |= 1u << j->depth;
    if (name == NULL)
        return;
    grow_clear(s);
    jout_quote(s, name);
    s->size--; /* the suffix comes before the closing quote */
    grow_text(s, suffix);
    grow_text(s, "\":");
    out_bytes(j->out, s->data, s->size);
}

void
jout_open(struct jout *j, const char *name, char kind)
{
    member(j, name, "");
    out_bytes(j->out, &kind, 1);
    j->depth++;
    j->filled &= ~(1u << j->depth);
}

void
jout_close(struct jout *j, char kind)
{
    j->depth--;
    out_text(j->out, kind == '{' ? "}" : "]");
}

void
jout_line(struct jout *j)
{
    out_text(j->out, "\n");
    j->filled = 0;
}

void
jout_text(struct jout *j, const char *name, const char *s)
{
    member(j, name, "");
    if (s == NULL) {
        out_text(j->out, "null");
        return;
    }
    grow_clear(&j->out->scratch);
    jout_quote(&j->out->scratch, s);
    out_bytes(j->out, j->out->scratch.data, j->out->scratch.size);
}

void
jout_number(struct jout *j, const char *name, uint64_t v)
{
    member(j, name, "");
    out_format(j->out, "%llu", (unsigned long long)v);
}

void
jout_real(struct jout *j, const char *name, double v)
{
    member(j, name, "");
    if (isfinite(v))
        out_format(j->out, "%.6g", v);
    else
        out_text(j->out, "null");
}

void
jout_bool(struct jout *j, const char *name, bool v)
{
    member(j, name, "");
    out_text(j->out, v ? "true" : "false");
}

void
jout_begin_bytes(struct jout *j, const char *name, bool as_hex)
{
    member(j, name, as_hex ? "_hex" : "");
    out_text(j->out, "\"");
}

void
jout_piece(struct jout *j, basin_bytes v, bool as_hex)
{
    struct grow *s = &j->out->scratch;

    grow_clear(s);
    if (as_hex)
        text_to_hex(s, v.data, v.size);
    else
        add_escaped(s, v.data, v.size);
    out_bytes(j->out, s->data, s->size);
}

void
jout_end_bytes(struct jout *j)
{
    out_text(j->out, "\"");
}

void
jout_bytes(struct jout *j, const char *name, basin_bytes v, bool as_hex)
{
    as_hex = as_hex || !text_is_utf8(v.data, v.size);
    jout_begin_bytes(j, name, as_hex);
    jout_piece(j, v, as_hex);
    jout_end_bytes(j);
}
