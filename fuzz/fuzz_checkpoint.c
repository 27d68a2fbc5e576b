// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * A checkpoint made of any bytes: the first byte says whether (1) its checksums stay as they are,
 * (2) a reader opens it, (4) it is checked and salvaged first.
 */
#include "machine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RAW = 1, READER = 2, CARE = 4, HEADER = 128, SUM = 8, SIZE_MAX_HERE = 100 * 1024 };

static void
seal(uint8_t *c, size_t n)
{
    memcpy(c, machine_find("db/ckpt/")->bytes.data, 12); /* magic and version */
    memcpy(c + 16, machine_database_id(), 16);
    store_u64(c + 32, 1);
    store_u64(c + 40, HEADER);
    store_u64(c + 72, n - HEADER - SUM);
    store_u64(c + 120, hash64(c, 120, 0));
    store_u64(c + n - SUM, hash64(c + HEADER, n - HEADER - SUM, load_u64(c + 120)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t log[HEADER] = { 0 }, how, *c;
    struct machine m;
    struct lsm_options o;
    basin_status st;

    if (size < 1 || size > SIZE_MAX_HERE)
        return 0;
    how = *data++;
    size--;
    c = mem_new(&base_malloc, MAX_OF(size, (size_t)1));
    must(c != NULL);
    if (size)
        memcpy(c, data, size);
    if (!(how & RAW) && size >= HEADER + SUM)
        seal(c, size);
    machine_seal_log_header(log, 1);
    machine_copy(&m, "db/log/", "db/ckpt/");
    machine_put(&m, "db/log/1", bytes_of(log, sizeof log));
    machine_put(&m, "db/ckpt/1-128", bytes_of(c, size));
    o = machine_options(&m);
    if (how & CARE)
        machine_care(&m, &o);
    o.read_only = how & READER;
    st = machine_read(&m, &o, false);
    must(st == BASIN_OK || st == BASIN_CORRUPT || st == BASIN_VERSION || st == BASIN_LIMIT ||
         st == BASIN_NOT_FOUND);
    machine_release(&m);
    mem_free(&base_malloc, c, MAX_OF(size, (size_t)1));
    return 0;
}
