// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Door of the room catalog: what every data model needs beside raw keys: names of spaces, ids that
 * are never given twice, and dictionaries. All of it is ordinary keys, read and written through the
 * caller's transaction, so it commits, conflicts and rolls back with it.
 * Bytes of the keys: docs/format/catalog.md.
 *
 * Threads:  confined, like the transaction.
 * (C1) a space id is handed out once, whatever is dropped, aborted or lost in a crash.
 * (C2) a space without a catalog record has no keys: dropping is one range delete.
 * (C3) lookups write nothing.
 * (C4) who writes into a space has found or checked it in the same transaction; then a concurrent
 *      drop is a conflict, and no key outlives its space.
 */
#ifndef CATALOG_H
#define CATALOG_H

#include "base/base.h"
#include "lsm/lsm.h"
#include "tuple/tuple.h"

/* ------------------------------------------------------------------ spaces (E66) */

/* Whose space it is: the second byte of the catalog's keys. */
enum catalog_model {
    CATALOG_ARCHIVE = 0x41,
    CATALOG_DOCS = 0x44,
    CATALOG_FOREST = 0x46,
    CATALOG_GRAPH = 0x47,
    CATALOG_KEYS = 0x4B, /* plain keyspaces */
    CATALOG_LINKS = 0x4C
};

enum {
    CATALOG_VERSION = 0, /* draft */
    CATALOG_PARTS_MAX = 2,
    CATALOG_NAME_MAX = 4096 /* bytes of all parts */
};

/* A name has one part, or two (database and collection); parts hold any bytes. */
struct catalog_name {
    enum catalog_model model;
    struct bytes parts[CATALOG_PARTS_MAX];
    size_t part_count;
};

/* NOT_FOUND is an ordinary result: *space is 0 and err is untouched. */
basin_status catalog_space_find(struct lsm_txn *txn, const struct catalog_name *name,
                                uint64_t *space, basin_error *err);
/* NOT_FOUND, told in err, when no space has this id. */
basin_status catalog_space_check(struct lsm_txn *txn, uint64_t space, basin_error *err);
/* EXISTS with the id in *space when it is there; LIMIT when the name is too long. */
basin_status catalog_space_create(struct lsm_txn *txn, const struct catalog_name *name,
                                  uint64_t *space, basin_error *err);
/* Finds it, or creates it when it is absent. */
basin_status catalog_space_ensure(struct lsm_txn *txn, const struct catalog_name *name,
                                  uint64_t *space, basin_error *err);
/* Removes the record and, as one range delete, every key of the space. NOT_FOUND. */
basin_status catalog_space_drop(struct lsm_txn *txn, const struct catalog_name *name,
                                basin_error *err);
/* The space keeps its id and keys. NOT_FOUND, or EXISTS when `to` is there. */
basin_status catalog_space_rename(struct lsm_txn *txn, const struct catalog_name *from,
                                  const struct catalog_name *to, basin_error *err);

/* Which names to list: of one model or of all (0), in order of model and parts. Every condition is
 * on the first part; {0} has none. */
struct catalog_select {
    enum catalog_model model;
    struct bytes prefix;
    bool has_lower, has_upper;
    bool exact;         /* the first part is `lower` */
    struct bytes lower; /* included */
    struct bytes upper; /* excluded */
};
/* The name is borrowed until fn returns; a status other than OK ends the list and is returned, END
 * as OK. fn may write in the transaction: the list is as of its beginning. */
typedef basin_status catalog_space_fn(void *ctx, const struct catalog_name *name, uint64_t space,
                                      basin_error *err);
basin_status catalog_space_list(struct lsm_txn *txn, const struct catalog_select *select,
                                catalog_space_fn *fn, void *ctx, basin_error *err);
/* Drops all that are selected (a logical database, E57); *dropped may be NULL. */
basin_status catalog_space_drop_all(struct lsm_txn *txn, const struct catalog_select *select,
                                    uint64_t *dropped, basin_error *err);

/*
 * Reads a raw pair as a record of a name, for tools that see pairs without a transaction. NOT_FOUND
 * when the key is not one of space 0's names, CORRUPT when it is and is damaged. The parts lie in
 * `room`, which is overwritten.
 */
basin_status catalog_record_decode(struct bytes key, struct bytes value, struct buf *room,
                                   struct catalog_name *name, uint64_t *space, basin_error *err);

/* Appends the first elements of a key: the space id, and the tag when it is not negative. */
basin_status catalog_key(struct buf *to, uint64_t space, int tag);
/* Appends the exclusive upper bound of the space's keys; *unbounded when there is none. */
basin_status catalog_space_end(struct buf *to, uint64_t space, bool *unbounded);

/* ------------------------------------------------------------------ ids (E67) */

/* A counter of ids is one key with the last id given, u64 little-endian; absent = 0. The first id
 * is 1. Taking happens in the transaction: what is rolled back is not burnt, and two transactions
 * that take from one counter conflict. */

/* The next `count` ids, count > 0: *first and those behind it. LIMIT when they are used up. */
basin_status catalog_id_take(struct lsm_txn *txn, struct bytes key, uint64_t count,
                             uint64_t *first, basin_error *err);
/* An id that the caller chose: taking never gives it afterwards. Never fails for a used one: who
 * holds the record knows. */
basin_status catalog_id_given(struct lsm_txn *txn, struct bytes key, uint64_t id,
                              basin_error *err);
/* The last id given, 0 when none was. */
basin_status catalog_id_last(struct lsm_txn *txn, struct bytes key, uint64_t *last,
                             basin_error *err);

/* ------------------------------------------------------------------ dictionaries (E68) */

/* Where a dictionary lives; several may share the counter and the use counts. */
struct catalog_dictionary_place {
    uint64_t space;
    uint8_t counter_tag; /* -> last id */
    uint8_t id_tag;      /* bytes as str, cut (C11) -> id u64 */
    uint8_t bytes_tag;   /* id u64 -> bytes */
    uint8_t count_tag;   /* kind u8, id u64 -> merge counter */
    uint8_t kind;
};

/* Bytes <-> id. Confined. Holds a key buffer only, so it may be kept over transactions. */
struct catalog_dictionary {
    struct catalog_dictionary_place place;
    struct buf key;
};

void catalog_dictionary_init(struct catalog_dictionary *d, const basin_allocator *mem,
                             const struct catalog_dictionary_place *place);
void catalog_dictionary_release(struct catalog_dictionary *d);
/* NOT_FOUND is an ordinary result; creates nothing. */
basin_status catalog_dictionary_find(struct catalog_dictionary *d, struct lsm_txn *txn,
                                     struct bytes bytes, uint64_t *id, basin_error *err);
/* *bytes lives until the transaction ends. NOT_FOUND is an ordinary result. */
basin_status catalog_dictionary_get(struct catalog_dictionary *d, struct lsm_txn *txn, uint64_t id,
                                    struct bytes *bytes, basin_error *err);
/* The id of bytes, new when they are not there, with `uses` > 0 more uses. */
basin_status catalog_dictionary_intern(struct catalog_dictionary *d, struct lsm_txn *txn,
                                       struct bytes bytes, uint32_t uses, uint64_t *id,
                                       basin_error *err);
/* Takes back `uses`; the entry goes with its last use. MISUSE when there are fewer. */
basin_status catalog_dictionary_give_back(struct catalog_dictionary *d, struct lsm_txn *txn,
                                          uint64_t id, uint32_t uses, basin_error *err);
/* 0 when there is no such entry. */
basin_status catalog_dictionary_uses(struct catalog_dictionary *d, struct lsm_txn *txn,
                                     uint64_t id, uint64_t *uses, basin_error *err);

#endif
