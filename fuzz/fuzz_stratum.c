// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * A stratum made of any bytes. The first byte chooses how it is read (mapped or not, with a cache,
 * with damage skipped), the rest is the object; its checksums are made right first. Every call must
 * come back with a status, within the memory of the object, and every walk must end.
 */
#include "reseal.h"
#include "stratum/stratum.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEPS_MAX = 200000 };

static const char *const probes[] = { "", "a", "dense000021", "many", "point000130", "zz" };

static void
walk(struct stratum_cursor *c, bool forward)
{
    size_t steps = 0;
    basin_status st = forward ? stratum_cursor_first(c, NULL) : stratum_cursor_last(c, NULL);

    while (st == BASIN_OK && stratum_cursor_valid(c)) {
        const struct entry *e = stratum_cursor_entry(c);
        must(e->key.size <= STRATUM_KEY_MAX + 1);
        (void)hash64(e->key.data, e->key.size, 0); /* reads every byte */
        (void)hash64(e->value.data, e->value.size, 0);
        must(++steps < STEPS_MAX);
        st = forward ? stratum_cursor_next(c, NULL) : stratum_cursor_prev(c, NULL);
    }
    must(st == BASIN_OK || !stratum_cursor_valid(c));
}

static void
probe(struct stratum *s, struct stratum_cursor *c, struct bytes key)
{
    struct stratum_hit hit;
    uint64_t before;
    bool changed;

    if (stratum_get(s, key, 90, &hit, NULL) == BASIN_OK)
        (void)hash64(hit.entry.value.data, hit.entry.value.size, 0);
    stratum_unpin(s, &hit);
    if (stratum_cursor_seek_ge(c, key, 90, NULL) == BASIN_OK)
        (void)!stratum_cursor_prev(c, NULL);
    if (stratum_cursor_seek_le(c, key, NULL) == BASIN_OK)
        (void)!stratum_cursor_next(c, NULL);
    (void)!stratum_rank(s, key, &before, NULL);
    (void)!stratum_changed_since(s, key, BYTES_NULL, true, 3, &changed, NULL);
    (void)stratum_range_covering(s, key, 40);
    (void)stratum_may_hold(s, &key, NULL, false);
    (void)stratum_may_hold(s, NULL, &key, true);
}

static basin_status
see_fence(void *ctx, const struct stratum_fence *f)
{
    *(uint64_t *)ctx += hash64(f->separator.data, f->separator.size, 0);
    return BASIN_OK;
}

static void
exercise(struct stratum *s, bool skip)
{
    struct stratum_cursor *c;
    uint64_t sum = 0;

    must(stratum_cursor_open(s, &c, NULL) == BASIN_OK);
    if (skip)
        stratum_cursor_skip_damage(c, NULL, NULL);
    walk(c, true);
    walk(c, false);
    for (size_t i = 0; i < COUNT_OF(probes); i++)
        probe(s, c, bytes_of(probes[i], strlen(probes[i])));
    (void)!stratum_each_fence(s, see_fence, &sum, NULL);
    stratum_cursor_close(c);
    (void)!stratum_verify(s, NULL, NULL, NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint64_t ids[] = { 11, 12, 3, 41 };
    struct stratum_read_options o = { .mem = &base_malloc,
                                      .database_id = { 11, 12 },
                                      .object_id = { 3, 41 } };
    struct stratum_cache *cache = NULL;
    struct memory_source source;
    struct stratum *s;
    uint8_t *copy;

    if (size < 1 + RESEAL_FOOTER)
        return 0;
    size--;
    copy = mem_new(&base_malloc, size);
    must(copy && stratum_cache_new(&base_malloc, 5000, &cache, NULL) == BASIN_OK);
    memcpy(copy, data + 1, size);
    if (!(data[0] & 8))
        reseal(copy, size, ids);
    memory_source_init(&source, bytes_of(copy, size), "fuzz");
    source.mappable = data[0] & 1;
    o.cache = data[0] & 2 ? cache : NULL;
    if (stratum_open(&source.base, &o, &s, NULL) == BASIN_OK) {
        exercise(s, data[0] & 4);
        stratum_close(s);
    }
    stratum_cache_free(cache);
    mem_free(&base_malloc, copy, size);
    return 0;
}
