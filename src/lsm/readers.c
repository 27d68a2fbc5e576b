// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The reader table: placeholder until the table exists; a database then has no reader processes.
 */
#include "lsm/recover.h"

struct place
lsm__readers_oldest(struct lsm *db)
{
    (void)db;
    return (struct place){ UINT64_MAX, 0 };
}

uint64_t
lsm__readers_count(struct lsm *db)
{
    (void)db;
    return 0;
}

void
lsm__readers_publish(struct lsm *db)
{
    (void)db;
}

basin_status
lsm__readers_open_writer(struct lsm *db, basin_error *err)
{
    (void)db;
    (void)err;
    return BASIN_OK;
}

void
lsm__readers_close(struct lsm *db)
{
    (void)db;
}

basin_status
lsm__open_reader(struct lsm *db, basin_error *err)
{
    (void)db;
    return error_set(err, BASIN_READ_ONLY, "readers are not there yet");
}

basin_status
lsm_refresh(struct lsm *db, uint64_t *seqno, basin_error *err)
{
    (void)err;
    *seqno = atomic_load(&db->visible);
    return BASIN_OK;
}

basin_status
lsm_reader_list(struct lsm *db, lsm_reader_fn *fn, void *ctx, basin_error *err)
{
    (void)db;
    (void)fn;
    (void)ctx;
    (void)err;
    return BASIN_OK;
}

uint64_t
lsm__feed_keep_epoch(struct lsm *db)
{
    (void)db;
    return UINT64_MAX;
}
