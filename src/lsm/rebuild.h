// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/* Making a manifest from what is left; see rebuild.c. */
#ifndef LSM_REBUILD_H
#define LSM_REBUILD_H

#include "lsm/recover.h"

/* Where faults are told, and how many there were. */
struct rebuild {
    const struct lsm_check_options *options; /* may be NULL */
    uint64_t faults;
    bool log_lost; /* a part of some log is not there: the change feed cannot go through it */
};

/* In place of lsm__recover: from all that can be read. Faults go to db->rebuild. */
basin_status lsm__rebuild(struct lsm *db, struct recovery *r, basin_error *err);
/* from, to: the lost keys, or both NULL. */
void lsm__rebuild_fault(struct rebuild *b, const char *object, const basin_error *fault,
                        const struct bytes *from, const struct bytes *to);
/* All keys of a stratum of the manifest are lost. */
void lsm__rebuild_lost(struct rebuild *b, const struct lsm_stratum *ls, const basin_error *fault);

#endif
