// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * A log made of any bytes. The first byte says how: 1 = its checksums stay as they are, 2 = the
 * header comes from the input too, 4 = read by a reader process, 8 = without the strata of the
 * template, 16 = checked and salvaged first. What is read once is read the same again.
 */
#include "machine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RAW = 1, OWN_HEADER = 2, READER = 4, BARE = 8, CARE = 16, LOG_MAX = 200 * 1024 };

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct machine m;
    struct lsm_options o;
    uint8_t how, *log;
    size_t header, n;
    basin_status st;

    if (size < 1 || size > LOG_MAX)
        return 0;
    how = *data++;
    size--;
    header = how & OWN_HEADER ? 0 : MACHINE_LOG_HEADER;
    n = header + size;
    if (n < MACHINE_LOG_HEADER)
        return 0;
    log = mem_new(&base_malloc, n);
    must(log != NULL);
    if (size)
        memcpy(log + header, data, size);
    if (!(how & OWN_HEADER) || !(how & RAW))
        machine_seal_log_header(log, 1);
    if (!(how & RAW))
        machine_seal_records(log, n);
    machine_copy(&m, "db/log/", how & BARE ? "db/strata/" : "db/ckpt/");
    machine_put(&m, "db/log/1", bytes_of(log, n));
    o = machine_options(&m);
    if (how & CARE)
        machine_care(&m, &o);
    o.read_only = how & READER;
    st = machine_read(&m, &o, true);
    must(st == BASIN_OK || st == BASIN_CORRUPT || st == BASIN_VERSION || st == BASIN_LIMIT ||
         st == BASIN_UNKNOWN_OPERATOR);
    machine_release(&m);
    mem_free(&base_malloc, log, n);
    return 0;
}
