// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * A value stratum made of any bytes, with right checksums, read by any reference: the first 25
 * bytes are how it is read, place, size and stored bytes of the value; the rest is the object.
 */
#include "reseal.h"
#include "stratum/stratum.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEAD = 25 };

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t to[200000];
    const uint64_t ids[] = { 11, 12, 3, 41 };
    struct stratum_read_options o = { .mem = &base_malloc,
                                      .database_id = { 11, 12 },
                                      .object_id = { 3, 41 } };
    struct memory_source source;
    struct value_stratum *v;
    struct value_ref ref;
    uint8_t *copy;
    size_t got;

    if (size < HEAD + RESEAL_FOOTER)
        return 0;
    size -= HEAD;
    copy = mem_new(&base_malloc, size);
    must(copy);
    memcpy(copy, data + HEAD, size);
    reseal(copy, size, ids);
    ref = (struct value_ref){ load_u64(data + 1), load_u64(data + 9), load_u64(data + 17) };
    memory_source_init(&source, bytes_of(copy, size), "fuzz");
    source.mappable = data[0] & 1;
    if (value_open(&source.base, &o, &v, NULL) == BASIN_OK) {
        if (value_read(v, &ref, 0, to, sizeof(to), &got, NULL) == BASIN_OK)
            must(got == MIN_OF(ref.size, (uint64_t)sizeof(to)));
        if (value_read(v, &ref, ref.size / 2, to, 1000, &got, NULL) == BASIN_OK)
            must(got == MIN_OF(ref.size - ref.size / 2, (uint64_t)1000));
        (void)!value_verify(v, NULL);
        value_close(v);
    }
    mem_free(&base_malloc, copy, size);
    return 0;
}
