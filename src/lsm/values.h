// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/* Value strata of an open database; see values.c. */
#ifndef LSM_VALUES_H
#define LSM_VALUES_H

#include "lsm/internal.h"

/* A value stratum being written. Confined. */
struct value_out {
    struct lsm *db;
    struct object_id id;
    struct sink *sink;
    struct value_writer *writer;
    bool busy;                 /* a put or a stream is writing */
    struct lsm_stream *stream; /* ... this stream */
    bool finished;             /* GUARDED(db->values_mu) against others: complete and synced */
    bool registered;           /* lsm__values_sweep takes care of it from now on */
    uint64_t count, size;
    struct value_out *next;       /* of the same transaction */
    struct value_out *next_out;   /* GUARDED(db->values_mu) of the database */
};

basin_status lsm__value_out_open(struct lsm *db, struct value_out **out, basin_error *err);
basin_status lsm__value_out_finish(struct value_out *v, basin_error *err);
/* Makes a finished one known, before the batch or edit that refers to it is logged; until
 * lsm__values_born it counts as live. Takes mu. */
basin_status lsm__value_out_register(struct value_out *v, basin_error *err);
/* Takes NULL. One that is not registered leaves nothing. */
void lsm__value_out_close(struct value_out *v);

/* Adds the bytes of a value to the one that v is at. */
basin_status lsm__value_append(struct value_out *v, struct bytes ref, basin_error *err);
/* The stream goes on in another value stratum, so that the one it writes to can be finished. */
basin_status lsm__stream_move(struct lsm_stream *s, basin_error *err);
/* Copies a value into v and gives its new place. */
basin_status lsm__value_copy(struct value_out *v, struct bytes ref, struct value_place *to,
                             basin_error *err);
/* Sets the birth of a transaction's value strata, once its batch has a place. Takes mu. */
void lsm__values_born(struct lsm *db, const struct value_out *list, struct place born);

#endif
