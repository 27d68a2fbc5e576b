// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The reader table: one small file that all processes of a database map. The writer tells in its
 * header how far the log is committed; each reader tells in a slot what it still needs. The law is
 * docs/format/readers.md, the reasons are in docs/notes/0032-readers-in-other-processes.md.
 *
 * Threads:  the header is lock-free: the commit leader writes it, anybody reads. Slots are scanned
 *           under a mutex; a slot is written by its owner only (under dead_mu or at open).
 * (R1) a slot counts while its lock byte is held; what a free slot says is ignored.
 * (R2) every slot below a used one is marked as used: the scan ends at the first that is not.
 * (R3) what other processes read of a slot's place is never newer than the owner's oldest version.
 */
#ifndef LSM_READERS_H
#define LSM_READERS_H

#include "lsm/internal.h"

enum {
    READERS_HEADER_SIZE = 4096,
    READERS_SLOT_SIZE = 128,
    READERS_NAME_SIZE = 64,
    READERS_SLOTS_START = 1024,
    READERS_SLOTS_MAX = 64 * 1024
};
/* Locks are taken on bytes that the file need not have. */
#define READERS_INIT_LOCK_AT (((uint64_t)1 << 30) - 1)
#define READERS_SLOT_LOCK_AT ((uint64_t)1 << 30)

struct readers {
    /* immutable after open */
    struct lsm *db;
    struct os_file *file;
    struct os_map *header;
    bool writable;
    /* leader only */
    uint64_t sequence;
    struct place end;
    uint64_t seqno, durable;
    /* of a reader */
    bool has_slot;
    uint64_t slot;
    struct os_map *own;
    struct os_mutex *mu;
    struct os_map *slots; /* GUARDED(mu) */
    uint64_t slot_count;  /* GUARDED(mu) that are mapped */
};

/* What the writer tells. */
struct readers_header {
    uint64_t sequence;   /* changes with every publication */
    uint64_t generation; /* changes when a writer opens, and again when it is ready */
    bool ready;          /* end and seqno were published by a writer that finished its recovery */
    struct place end;    /* committed up to here */
    uint64_t seqno;
    uint64_t durable; /* on disk up to here */
};

/* Opens or makes the table. Without the right to write: the table is read only, or *out is NULL
 * when there is none. */
basin_status lsm__table_open(struct lsm *db, struct readers **out, basin_error *err);
void lsm__table_close(struct readers *t); /* takes NULL */
/* Takes a free slot, which then says "opening: nothing may go". LIMIT names the holders. */
basin_status lsm__table_take_slot(struct readers *t, const char *name, basin_error *err);
void lsm__slot_opening(struct readers *t);
void lsm__slot_place(struct readers *t, struct place p);
void lsm__slot_seqno(struct readers *t, uint64_t seqno);
/* False while the writer publishes faster than it can be read: try later. */
bool lsm__table_header(const struct readers *t, struct readers_header *h);
uint64_t lsm__table_sequence(const struct readers *t);
/* Logs of earlier epochs may be gone. */
uint64_t lsm__table_kept(const struct readers *t);
/* Times that a reader loaded its whole state; the first is at open. */
uint64_t lsm__reader_loads(const struct lsm *db);

#endif
