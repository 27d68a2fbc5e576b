// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * An edit of any bytes, in a log or, when the first byte has 1, as the body of a checkpoint. It may
 * name the strata that the template has. What is accepted is restated by a checkpoint that says the
 * same: after it the database opens again and shows the same.
 */
#include "machine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { AS_CHECKPOINT = 1, READER = 2, CARE = 4, EDIT_MAX = 100 * 1024, RECORD = 32, SUM = 8 };

/* A log of this epoch with one record of type EDIT, or with none. */
static void
put_log(struct machine *m, struct bytes body, bool record)
{
    size_t n = MACHINE_LOG_HEADER + (record ? RECORD + body.size : 0);
    uint8_t *log = mem_new(&base_malloc, n);

    must(log != NULL);
    machine_seal_log_header(log, 1);
    if (record) {
        store_u32(log + MACHINE_LOG_HEADER + 8, (uint32_t)body.size);
        log[MACHINE_LOG_HEADER + 12] = 2;
        if (body.size)
            memcpy(log + MACHINE_LOG_HEADER + RECORD, body.data, body.size);
        machine_seal_records(log, n);
    }
    machine_put(m, "db/log/1", bytes_of(log, n));
    mem_free(&base_malloc, log, n);
}

static void
put_checkpoint(struct machine *m, struct bytes body)
{
    size_t n = MACHINE_LOG_HEADER + body.size + SUM;
    uint8_t *c = mem_new(&base_malloc, n);

    must(c != NULL);
    memcpy(c, machine_find("db/ckpt/")->bytes.data, 12); /* magic and version */
    memcpy(c + 16, machine_database_id(), 16);
    store_u64(c + 32, 1);
    store_u64(c + 40, MACHINE_LOG_HEADER);
    store_u64(c + 72, body.size);
    store_u64(c + 120, hash64(c, 120, 0));
    if (body.size)
        memcpy(c + 128, body.data, body.size);
    store_u64(c + 128 + body.size, hash64(c + 128, body.size, load_u64(c + 120)));
    machine_put(m, "db/ckpt/1-128", bytes_of(c, n));
    mem_free(&base_malloc, c, n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct machine m;
    struct lsm_options o;
    struct bytes body;
    basin_status st;
    uint8_t how;

    if (size < 1 || size > EDIT_MAX)
        return 0;
    how = data[0];
    body = bytes_of(data + 1, size - 1);
    machine_copy(&m, "db/log/", "db/ckpt/");
    put_log(&m, body, !(how & AS_CHECKPOINT));
    if (how & AS_CHECKPOINT)
        put_checkpoint(&m, body);
    o = machine_options(&m);
    if (how & CARE)
        machine_care(&m, &o);
    o.read_only = how & READER;
    st = machine_read(&m, &o, false);
    must(st == BASIN_OK || st == BASIN_CORRUPT || st == BASIN_LIMIT || st == BASIN_NOT_FOUND);
    machine_release(&m);
    return 0;
}
