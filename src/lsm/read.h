// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/* What get.c, run.c and view.c share. */
#ifndef LSM_READ_H
#define LSM_READ_H

#include "lsm/internal.h"

/* lsm__stratum_use, but CORRUPT with the object's name when the stratum is fenced off. */
basin_status lsm__stratum_read(struct lsm_stratum *ls, struct stratum **out, basin_error *err);
/* Index of the first stratum of the run that does not end before key; count when all do. */
size_t lsm__run_find(const struct lsm_run *run, struct bytes key);
/* Whether the stratum found by lsm__run_find begins at or before key. */
static inline bool
lsm__stratum_begins(const struct lsm_stratum *ls, struct bytes key)
{
    return bytes_compare(buf_bytes(&ls->first_key), key) <= 0;
}

/* What a reader sees. */
struct sight {
    struct version *version;
    struct memtable *extra;  /* may be NULL */
    const struct spilled *spilled; /* may be NULL */
    uint64_t extra_snapshot;
    uint64_t snapshot;
};
/* lsm__get, with a part of extra only. *unresolved (may be NULL): the failure is that of an
 * operator; everything was read. */
basin_status lsm__resolve(const struct sight *at, struct bytes key, struct lsm_found *f,
                          bool *unresolved, basin_error *err);

#endif
