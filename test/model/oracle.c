// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/* Plain arrays, searched by comparing bytes; nothing is shared with the code under test. */
#include "oracle.h"

#include <stdlib.h>

enum kind { PUT, DELETE, MERGE };

struct change {
    enum kind kind;
    uint64_t seqno;
    struct bytes value; /* owned */
};

struct row {
    struct bytes key; /* owned */
    struct change *changes; /* ascending seqno */
    size_t count, capacity;
};

struct range {
    struct bytes begin, end; /* owned */
    bool unbounded;
    uint64_t seqno;
};

struct oracle {
    struct row *rows; /* ascending key */
    size_t row_count, row_capacity;
    struct range *ranges;
    size_t range_count, range_capacity;
    uint8_t *answer;
    size_t answer_size, answer_capacity;
};

static void *
grow(void *p, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return p;
    *capacity = *capacity ? *capacity * 2 : 16;
    p = realloc(p, *capacity * size);
    must(p != NULL);
    return p;
}

static struct bytes
own(struct bytes b)
{
    uint8_t *p = malloc(b.size + 1);

    must(p != NULL);
    if (b.size)
        memcpy(p, b.data, b.size);
    return bytes_of(p, b.size);
}

static void
disown(struct bytes b)
{
    free((void *)(uintptr_t)b.data);
}

struct oracle *
oracle_new(void)
{
    struct oracle *o = calloc(1, sizeof *o);

    must(o != NULL);
    return o;
}

void
oracle_free(struct oracle *o)
{
    if (o == NULL)
        return;
    oracle_cut(o, 0);
    for (size_t i = 0; i < o->row_count; i++) {
        disown(o->rows[i].key);
        free(o->rows[i].changes);
    }
    free(o->rows);
    free(o->ranges);
    free(o->answer);
    free(o);
}

/* Rows whose key is smaller. */
static size_t
rank_of(const struct oracle *o, struct bytes key)
{
    size_t low = 0, high = o->row_count;

    while (low < high) {
        size_t mid = (low + high) / 2;
        if (bytes_compare(o->rows[mid].key, key) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static struct row *
row_for(struct oracle *o, struct bytes key)
{
    size_t i = rank_of(o, key);

    if (i < o->row_count && bytes_equal(o->rows[i].key, key))
        return &o->rows[i];
    o->rows = grow(o->rows, o->row_count, &o->row_capacity, sizeof *o->rows);
    memmove(o->rows + i + 1, o->rows + i, (o->row_count - i) * sizeof *o->rows);
    o->rows[i] = (struct row){ .key = own(key) };
    o->row_count++;
    return &o->rows[i];
}

static void
add(struct oracle *o, struct bytes key, enum kind kind, struct bytes value, uint64_t seqno)
{
    struct row *r = row_for(o, key);

    must(r->count == 0 || r->changes[r->count - 1].seqno < seqno);
    r->changes = grow(r->changes, r->count, &r->capacity, sizeof *r->changes);
    r->changes[r->count++] = (struct change){ kind, seqno, own(value) };
}

void
oracle_put(struct oracle *o, struct bytes key, struct bytes value, uint64_t seqno)
{
    add(o, key, PUT, value, seqno);
}

void
oracle_delete(struct oracle *o, struct bytes key, uint64_t seqno)
{
    add(o, key, DELETE, BYTES_NULL, seqno);
}

void
oracle_merge(struct oracle *o, struct bytes key, struct bytes operand, uint64_t seqno)
{
    add(o, key, MERGE, operand, seqno);
}

void
oracle_delete_range(struct oracle *o, struct bytes begin, struct bytes end, bool unbounded,
                    uint64_t seqno)
{
    o->ranges = grow(o->ranges, o->range_count, &o->range_capacity, sizeof *o->ranges);
    o->ranges[o->range_count++] = (struct range){ own(begin), own(end), unbounded, seqno };
}

void
oracle_cut(struct oracle *o, uint64_t seqno)
{
    size_t kept = 0;

    for (size_t i = 0; i < o->row_count; i++) {
        struct row *r = &o->rows[i];
        while (r->count > 0 && r->changes[r->count - 1].seqno > seqno)
            disown(r->changes[--r->count].value);
    }
    for (size_t i = 0; i < o->range_count; i++) {
        if (o->ranges[i].seqno <= seqno) {
            o->ranges[kept++] = o->ranges[i];
        } else {
            disown(o->ranges[i].begin);
            disown(o->ranges[i].end);
        }
    }
    o->range_count = kept;
}

struct oracle *
oracle_clone(const struct oracle *o)
{
    struct oracle *to = oracle_new();

    for (size_t i = 0; i < o->row_count; i++)
        for (size_t k = 0; k < o->rows[i].count; k++)
            add(to, o->rows[i].key, o->rows[i].changes[k].kind, o->rows[i].changes[k].value,
                o->rows[i].changes[k].seqno);
    for (size_t i = 0; i < o->range_count; i++)
        oracle_delete_range(to, o->ranges[i].begin, o->ranges[i].end, o->ranges[i].unbounded,
                            o->ranges[i].seqno);
    return to;
}

/* ------------------------------------------------------------------ reading */

static bool
in_range(const struct range *r, struct bytes key)
{
    return bytes_compare(r->begin, key) <= 0 &&
           (r->unbounded || bytes_compare(key, r->end) < 0);
}

static void
answer_add(struct oracle *o, struct bytes b)
{
    while (o->answer_size + b.size + 1 > o->answer_capacity) {
        o->answer_capacity = o->answer_capacity ? o->answer_capacity * 2 : 64;
        o->answer = realloc(o->answer, o->answer_capacity);
        must(o->answer != NULL);
    }
    if (b.size)
        memcpy(o->answer + o->answer_size, b.data, b.size);
    o->answer_size += b.size;
}

/* Adds one counter operand to the answer; saturation only matters at the end, so the running sum
 * may not leave 64 bits here: tests that want that test the operator. */
static bool
count_on(struct oracle *o, struct bytes operand, bool fresh)
{
    uint8_t full[9] = { 0 };
    uint64_t sum = 0;

    if (operand.size != 9 || operand.data[0] != 1)
        return false;
    if (!fresh && (o->answer_size != 9 || o->answer[0] != 0))
        return false;
    if (!fresh)
        sum = load_u64(o->answer + 1);
    sum += load_u64(operand.data + 1);
    store_u64(full + 1, sum);
    o->answer_size = 0;
    answer_add(o, bytes_of(full, sizeof full));
    return true;
}

static enum oracle_answer
row_answer(struct oracle *o, const struct row *r, uint64_t snapshot)
{
    enum oracle_answer answer = ORACLE_NONE;
    uint64_t hidden = 0;

    for (size_t i = 0; i < o->range_count; i++)
        if (o->ranges[i].seqno <= snapshot && o->ranges[i].seqno > hidden &&
            in_range(&o->ranges[i], r->key))
            hidden = o->ranges[i].seqno;
    o->answer_size = 0;
    answer_add(o, BYTES_NULL);
    for (size_t i = 0; i < r->count; i++) {
        const struct change *c = &r->changes[i];
        if (c->seqno > snapshot || c->seqno < hidden)
            continue;
        if (c->kind != MERGE) {
            o->answer_size = 0;
            answer_add(o, c->value);
            answer = c->kind == PUT ? ORACLE_VALUE : ORACLE_NONE;
            continue;
        }
        struct bytes operand = c->value.size ? bytes_of(c->value.data + 1, c->value.size - 1)
                                             : BYTES_NULL;
        int number = c->value.size ? c->value.data[0] : -1;
        if (answer == ORACLE_UNRESOLVED)
            continue;
        if (number == 16) {
            answer_add(o, operand);
            answer = ORACLE_VALUE;
        } else if (number == 2 && count_on(o, operand, answer == ORACLE_NONE)) {
            answer = ORACLE_VALUE;
        } else {
            answer = ORACLE_UNRESOLVED;
        }
    }
    return answer;
}

enum oracle_answer
oracle_get(struct oracle *o, struct bytes key, uint64_t snapshot, struct bytes *value)
{
    size_t i = rank_of(o, key);
    enum oracle_answer answer = ORACLE_NONE;

    if (i < o->row_count && bytes_equal(o->rows[i].key, key))
        answer = row_answer(o, &o->rows[i], snapshot);
    *value = answer == ORACLE_VALUE ? bytes_of(o->answer, o->answer_size) : BYTES_NULL;
    return answer;
}

bool
oracle_step(struct oracle *o, const struct bytes *from, bool inclusive, bool forward,
            uint64_t snapshot, struct bytes *key)
{
    size_t i = from ? rank_of(o, *from) : forward ? 0 : o->row_count;
    bool at = from && i < o->row_count && bytes_equal(o->rows[i].key, *from);

    if (forward && at && !inclusive)
        i++;
    if (!forward && at && inclusive)
        i++;
    while (forward ? i < o->row_count : i > 0) {
        const struct row *r = &o->rows[forward ? i : i - 1];
        if (row_answer(o, r, snapshot) != ORACLE_NONE) {
            *key = r->key;
            return true;
        }
        i = forward ? i + 1 : i - 1;
    }
    return false;
}

bool
oracle_changed(const struct oracle *o, struct bytes begin, struct bytes end, bool unbounded,
               uint64_t since, uint64_t upto)
{
    if (!unbounded && bytes_compare(begin, end) >= 0)
        return false;
    for (size_t i = rank_of(o, begin); i < o->row_count; i++) {
        if (!unbounded && bytes_compare(o->rows[i].key, end) >= 0)
            break;
        for (size_t k = 0; k < o->rows[i].count; k++)
            if (o->rows[i].changes[k].seqno > since && o->rows[i].changes[k].seqno <= upto)
                return true;
    }
    for (size_t i = 0; i < o->range_count; i++) {
        const struct range *r = &o->ranges[i];
        if (r->seqno > since && r->seqno <= upto &&
            (unbounded || bytes_compare(r->begin, end) < 0) &&
            (r->unbounded || (bytes_compare(begin, r->end) < 0 &&
                              bytes_compare(r->begin, r->end) < 0)))
            return true;
    }
    return false;
}

size_t
oracle_key_count(const struct oracle *o)
{
    return o->row_count;
}

struct bytes
oracle_key(const struct oracle *o, size_t i)
{
    return o->rows[i].key;
}
