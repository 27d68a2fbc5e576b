// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Reading JSON objects from a line.
 *
 * Values that are no strings are only checked and passed over; their nesting is kept in a bit
 * array, so that depth costs no stack.
 */
#include "json_in.h"

#include <string.h>

#include "text.h"

static bool
bad(struct json_reader *r, const char *problem)
{
    r->problem = problem;
    return false;
}

static void
skip_space(struct json_reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\r' || *r->at == '\n'))
        r->at++;
}

/* The next byte, or 0 at the end (a NUL is no legal JSON outside strings either). */
static uint8_t
peek(const struct json_reader *r)
{
    return r->at < r->end ? *r->at : 0;
}

static bool
read_hex4(struct json_reader *r, uint32_t *code)
{
    struct grow two = { 0 };
    bool ok = r->end - r->at >= 4 && text_from_hex(&two, r->at, 4);

    if (ok) {
        *code = (uint32_t)two.data[0] << 8 | two.data[1];
        r->at += 4;
    }
    grow_free(&two);
    return ok || bad(r, "\\u needs four hexadecimal digits");
}

/* Behind "\u": a code unit, or a pair of surrogates. */
static bool
read_unicode(struct json_reader *r, struct grow *to)
{
    uint32_t code, low;

    if (!read_hex4(r, &code))
        return false;
    if (code >= 0xD800 && code <= 0xDBFF) {
        if (r->end - r->at < 6 || r->at[0] != '\\' || r->at[1] != 'u')
            return bad(r, "half of a surrogate pair");
        r->at += 2;
        if (!read_hex4(r, &low))
            return false;
        if (low < 0xDC00 || low > 0xDFFF)
            return bad(r, "half of a surrogate pair");
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    } else if (code >= 0xDC00 && code <= 0xDFFF) {
        return bad(r, "half of a surrogate pair");
    }
    text_add_utf8(to, code);
    return true;
}

static bool
read_escape(struct json_reader *r, struct grow *to)
{
    static const char names[] = "\"\\/bfnrt";
    static const char bytes[] = "\"\\/\b\f\n\r\t";
    const char *name;
    uint8_t c = peek(r);

    r->at += r->at < r->end;
    if (c == 'u')
        return read_unicode(r, to);
    if (c == 0 || (name = strchr(names, c)) == NULL)
        return bad(r, "no such escape");
    grow_byte(to, (uint8_t)bytes[name - names]);
    return true;
}

/* At the opening quote. */
static bool
read_string(struct json_reader *r, struct grow *to)
{
    uint32_t code;

    grow_clear(to);
    if (peek(r) != '"')
        return bad(r, "a string is expected");
    r->at++;
    while (r->at < r->end && *r->at != '"') {
        size_t size;

        if (*r->at == '\\') {
            r->at++;
            if (!read_escape(r, to))
                return false;
            continue;
        }
        if (*r->at < 0x20)
            return bad(r, "a control character inside a string");
        size = text_utf8(r->at, (size_t)(r->end - r->at), &code);
        if (size == 0)
            return bad(r, "a string is not UTF-8");
        grow_add(to, r->at, size);
        r->at += size;
    }
    if (r->at == r->end)
        return bad(r, "a string does not end");
    r->at++;
    return true;
}

static bool
skip_digits(struct json_reader *r)
{
    const uint8_t *from = r->at;

    while (peek(r) >= '0' && peek(r) <= '9')
        r->at++;
    return r->at > from;
}

static bool
skip_number(struct json_reader *r)
{
    if (peek(r) == '-')
        r->at++;
    if (peek(r) == '0')
        r->at++;
    else if (!skip_digits(r))
        return bad(r, "a value is expected");
    if (peek(r) == '.') {
        r->at++;
        if (!skip_digits(r))
            return bad(r, "digits are missing behind the point");
    }
    if (peek(r) == 'e' || peek(r) == 'E') {
        r->at++;
        if (peek(r) == '+' || peek(r) == '-')
            r->at++;
        if (!skip_digits(r))
            return bad(r, "digits are missing in the exponent");
    }
    return true;
}

static bool
skip_word(struct json_reader *r)
{
    static const char *const words[] = { "true", "false", "null" };

    for (size_t i = 0; i < LENGTH_OF(words); i++) {
        size_t size = strlen(words[i]);
        if ((size_t)(r->end - r->at) >= size && memcmp(r->at, words[i], size) == 0) {
            r->at += size;
            return true;
        }
    }
    return skip_number(r);
}

/* The containers that are open around the place that is read. */
struct nest {
    size_t depth;
    uint8_t is_object[JSON_DEPTH_MAX];
};

/* "name": */
static bool
skip_name(struct json_reader *r, struct grow *scratch)
{
    skip_space(r);
    if (!read_string(r, scratch))
        return false;
    skip_space(r);
    if (peek(r) != ':')
        return bad(r, "a colon is expected");
    r->at++;
    return true;
}

/* Opens a container. *value = whether a value has to follow. */
static bool
enter(struct json_reader *r, struct nest *n, struct grow *scratch, bool *value)
{
    bool object = *r->at == '{';

    if (n->depth == JSON_DEPTH_MAX)
        return bad(r, "nested too deeply");
    r->at++;
    skip_space(r);
    n->is_object[n->depth++] = object;
    *value = peek(r) != (object ? '}' : ']');
    return !*value || !object || skip_name(r, scratch);
}

/* Behind a value: closes containers until a comma asks for another value or all are closed. */
static bool
leave(struct json_reader *r, struct nest *n, struct grow *scratch)
{
    while (n->depth > 0) {
        bool object = n->is_object[n->depth - 1];

        skip_space(r);
        if (peek(r) == ',') {
            r->at++;
            return !object || skip_name(r, scratch);
        }
        if (peek(r) != (object ? '}' : ']'))
            return bad(r, "a comma or the end is expected");
        r->at++;
        n->depth--;
    }
    return true;
}

static bool
skip_value(struct json_reader *r, struct grow *scratch)
{
    struct nest n = { 0 };
    bool value;

    do {
        skip_space(r);
        value = false;
        if (peek(r) == '{' || peek(r) == '[') {
            if (!enter(r, &n, scratch, &value))
                return false;
            if (value)
                continue;
        } else if (peek(r) == '"') {
            if (!read_string(r, scratch))
                return false;
        } else if (!skip_word(r)) {
            return false;
        }
        if (!leave(r, &n, scratch))
            return false;
    } while (n.depth > 0);
    return true;
}

bool
json_object_begin(struct json_reader *r, const void *p, size_t n)
{
    *r = (struct json_reader){ .at = p, .start = p, .end = (const uint8_t *)p + n };
    skip_space(r);
    if (peek(r) != '{')
        return bad(r, "an object is expected");
    r->at++;
    return true;
}

static bool
end_object(struct json_reader *r)
{
    r->at++;
    skip_space(r);
    if (r->at != r->end)
        return bad(r, "something follows the object");
    return false;
}

bool
json_object_next(struct json_reader *r, struct json_member *m)
{
    const uint8_t *from;
    bool first = r->at > r->start && r->at[-1] == '{';

    skip_space(r);
    if (peek(r) == '}')
        return end_object(r);
    if (!first && peek(r) != ',')
        return bad(r, "a comma or the end is expected");
    r->at += first ? 0 : 1;
    if (!skip_name(r, &m->name))
        return false;
    skip_space(r);
    from = r->at;
    m->is_string = peek(r) == '"';
    if (m->is_string ? !read_string(r, &m->string) : !skip_value(r, &m->string))
        return false;
    m->text = bytes_from(from, (size_t)(r->at - from));
    return true;
}

void
json_member_free(struct json_member *m)
{
    grow_free(&m->name);
    grow_free(&m->string);
}

size_t
json_place(const struct json_reader *r)
{
    return (size_t)(r->at - r->start);
}
