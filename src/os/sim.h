// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Inside of the simulator: a machine with inodes, directories and what of them is not synced.
 *
 * Data.  An inode keeps its bytes of now, and for each 4 KiB page the chain of its un-synced
 *        changes, newest first, each with the bytes that it replaced. Undoing the chain to its end
 *        gives the page on disk; undoing a part of it gives what the page was at some moment, which
 *        is what a write-back at that moment would have put on disk. No image is ever copied.
 * Size.  The same chain with sizes. A cut is both: a size, and a change of each page that it
 *        cleared; the two are kept or lost together.
 * Names. One chain for the machine: each change of a directory with what the name was before.
 * Why it is so: docs/notes/0011-the-simulated-machine.md.
 * A failed sync marks changes `dropped`: they are in memory, not on disk, and no later sync writes
 * them, except when the same page (the same name) is changed again.
 *
 * (S1) bytes of the buffer past the size are zero.
 * (S2) an inode lives while refs > 0; it takes disk space while links + opens > 0.
 * (S3) handles and maps of a process that was killed are stale: they wait to be closed.
 */
#ifndef OS_SIM_H
#define OS_SIM_H

#include "os/os.h"

enum {
    SIM_PAGE_SIZE = 4096,
    SIM_SECTOR_SIZE = 512,
    SIM_SECTORS = SIM_PAGE_SIZE / SIM_SECTOR_SIZE,
    SIM_NAME_MAX = 255,
    SIM_FILE_SIZE_MAX = 1 << 30,
    SIM_RUBBISH_SIZE = 64 * 1024 /* of a dead file kept as what may lie on fresh blocks */
};

/* Bytes that maps may share with their inode; they never move. */
struct sim_buffer {
    size_t refs;
    size_t capacity; /* a multiple of the page size */
    uint8_t data[];
};

enum sim_change_kind { SIM_WRITE, SIM_MAP_WRITE, SIM_CUT };

/* An un-synced change of bytes within one page. */
struct sim_change {
    struct sim_change *older;
    uint64_t ordinal; /* SIM_CUT: of the size change that it belongs to */
    uint16_t at;      /* in the page */
    uint16_t size;
    uint8_t kind;
    bool dropped;
    bool zeros; /* what it replaced was zeros: `before` is empty */
    uint8_t before[];
};

struct sim_page {
    struct sim_change *newest;
    bool allocated; /* has blocks on disk */
    bool written;   /* may hold other bytes than zeros */
};

/* An un-synced change of the size. */
struct sim_resize {
    struct sim_resize *older;
    uint64_t ordinal;
    uint64_t before;
};

struct sim_lock {
    struct sim_lock *next;
    const struct sim_file *owner;
    uint64_t from; /* first byte */
    uint64_t to;   /* last byte */
    enum os_lock_kind kind;
};

struct sim_entry {
    struct sim_inode *inode;
    char name[SIM_NAME_MAX + 1];
};

struct sim_inode {
    struct sim_inode *next; /* of all, in order of creation */
    struct sim_inode *prev;
    struct sim_inode *dying; /* next in the chain of those without refs */
    uint64_t id;
    size_t refs;
    size_t links; /* names now */
    size_t opens; /* handles and maps now */
    bool is_dir;

    struct sim_buffer *buffer; /* NULL while empty */
    uint64_t size;
    struct sim_page *pages;
    size_t page_count;      /* entries in pages */
    size_t pages_allocated; /* of them with blocks */
    size_t dirty_first;     /* pages with changes lie in [dirty_first, dirty_end) */
    size_t dirty_end;
    struct sim_resize *resize_newest;
    uint64_t resize_ordinal; /* of the next resize */
    struct sim_map *maps;    /* those that are not stale */
    struct sim_lock *locks;

    struct sim_entry *entries; /* a directory's, in no order */
    size_t entry_count;
    size_t entry_capacity;
};

/* What a change of names did to one name. */
struct sim_name_part {
    struct sim_inode *before; /* NULL = absent */
    struct sim_inode *after;
    char name[SIM_NAME_MAX + 1];
};

/* An un-synced change of one directory; a rename within it has two parts, kept or lost as one. */
struct sim_name_change {
    struct sim_name_change *older;
    struct sim_name_change *newer;
    uint64_t id;
    uint64_t needs; /* another change without which this one cannot survive; 0 = none */
    struct sim_inode *dir;
    bool dropped;
    bool lost; /* decided by a crash */
    unsigned part_count;
    struct sim_name_part parts[2];
};

struct sim_file {
    struct os_file base;
    struct sim_file *next; /* of all */
    struct sim_file *prev;
    struct sim_inode *inode;
    bool stale;
    bool writable;
    bool poisoned;
    char path[];
};

struct sim_map {
    struct os_map base;
    struct sim_inode *inode; /* NULL when stale */
    struct sim_buffer *buffer;
    struct sim_map *next; /* of the inode */
    size_t at;            /* in the file */
    size_t size;
    bool writable;
    char path[];
};

/* What a process sees of the machine. */
struct sim_process {
    struct os base;
    struct os_sim *sim;
    struct sim_process *next;
    uint64_t id;     /* a new one after each kill */
    uint64_t opened; /* files that are open and not stale */
};

struct os_sim {
    struct sim_process first;
    struct sim_process *others;
    uint64_t process_id; /* the last one given */
    const basin_allocator *mem;
    uint64_t chance;       /* state of the numbers that the engine asks for */
    uint64_t fault_chance; /* state of those that decide what a crash leaves */
    uint64_t monotonic_ns;
    int64_t wall_shift_ms;
    size_t handles;
    struct sim_file *files; /* every open one, stale or not */

    uint64_t calls;
    uint64_t changes;
    uint64_t crash_at; /* number of the change; 0 = never */
    uint64_t fail_at;  /* number of the call; 0 = never */
    basin_status fail_with;
    bool fail_all;
    bool injected; /* the last call failed by injection */
    bool crashed;
    os_sim_watch_fn *watch; /* NULL = nobody watches */
    void *watch_ctx;

    struct sim_inode *inodes; /* oldest */
    struct sim_inode *inodes_last;
    struct sim_inode *dying; /* those whose last ref is gone */
    bool burying;            /* somebody is freeing that chain */
    struct sim_inode *root;
    uint64_t inode_id;
    struct sim_name_change *names_newest;
    struct sim_name_change *names_oldest;
    uint64_t name_change_id;

    uint64_t handle_limit; /* of each process; 0 = none */
    uint64_t pages_max;    /* of the disk; 0 = without bound */
    uint64_t pages_used;
    struct sim_buffer *rubbish; /* of a file that died */
    uint64_t rubbish_size;
};

static inline struct os_sim *
sim_of(struct os *os)
{
    return ((struct sim_process *)os)->sim;
}

/* sim.c. Counts a call, and fails it when the machine is down or a fault is armed for it. */
basin_status sim__call(struct os_sim *sim, bool change, const char *verb, const char *path,
                       basin_error *err);
/* Counts a change; false when the machine goes down instead, or is down. */
bool sim__change(struct os_sim *sim, const char *verb, const char *path);
basin_status sim__no_mem(basin_error *err, const char *verb, const char *path);
uint64_t sim__chance(uint64_t *state);
uint64_t sim__chance_below(uint64_t *state, uint64_t n);

/* sim_inode.c. What an inode is made of. */
struct sim_inode *sim__inode_new(struct os_sim *sim, bool is_dir);
void sim__inode_ref(struct sim_inode *inode);
void sim__inode_unref(struct os_sim *sim, struct sim_inode *inode);
/* Count names (links) and handles (opens); the disk space of an inode without any is free. */
void sim__inode_use(struct os_sim *sim, struct sim_inode *inode, size_t *counter);
void sim__inode_unuse(struct os_sim *sim, struct sim_inode *inode, size_t *counter);
void sim__inode_set_allocated(struct os_sim *sim, struct sim_inode *inode, size_t page,
                              bool allocated);
/* Room for `size` bytes in buffer and pages; false when memory is out. */
bool sim__inode_reserve(struct os_sim *sim, struct sim_inode *inode, uint64_t size);
void sim__buffer_unref(struct os_sim *sim, struct sim_buffer *buffer);
/* Gives the inode a buffer of its own; panics when memory is out (a crash cannot fail). */
void sim__inode_unshare(struct os_sim *sim, struct sim_inode *inode);
/* Records and makes a change of [at, at + n), which lies in one page; p NULL = zeros. */
bool sim__inode_change(struct os_sim *sim, struct sim_inode *inode, enum sim_change_kind kind,
                       uint64_t at, const uint8_t *p, size_t n);
/* Changes bytes in the buffer and in the maps that have another one. */
void sim__inode_put(struct sim_inode *inode, uint64_t at, const uint8_t *p, size_t n);
bool sim__inode_resize(struct os_sim *sim, struct sim_inode *inode, uint64_t size);
void sim__page_forget(struct os_sim *sim, struct sim_page *page);
void sim__inode_forget(struct os_sim *sim, struct sim_inode *inode); /* all changes */
void sim__inode_sync(struct os_sim *sim, struct sim_inode *inode);
void sim__inode_sync_failed(struct sim_inode *inode);

/* sim_file.c. The calls on an open file. */
basin_status sim__open(struct os *os, const char *path, unsigned flags, struct os_file **out,
                       basin_error *err);
void sim__close(struct os_file *file);
/* Makes the handles and maps of a process stale and drops its locks. */
void sim__kill(struct sim_process *process);
basin_status sim__read(struct os_file *file, uint64_t at, void *to, size_t n, size_t *got,
                       basin_error *err);
basin_status sim__write(struct os_file *file, uint64_t at, const void *p, size_t n,
                        basin_error *err);
basin_status sim__size(struct os_file *file, uint64_t *size, basin_error *err);
basin_status sim__truncate(struct os_file *file, uint64_t size, basin_error *err);
basin_status sim__allocate(struct os_file *file, uint64_t size, basin_error *err);
basin_status sim__sync(struct os_file *file, bool data_only, basin_error *err);
void sim__write_behind(struct os_file *file, uint64_t at, uint64_t n);
/* Counts a call on an open file; fails it as sim__call does, or because the handle is stale. */
basin_status sim__file_call(struct sim_file *f, bool change, const char *verb, basin_error *err);
/* Sets the size; a cut records what it clears. False when memory is out: the size is the old one
 * then, a part of the tail may be cleared. */
bool sim__inode_set_size(struct os_sim *sim, struct sim_inode *inode, uint64_t size);

/* sim_map.c */
basin_status sim__map(struct os_file *file, uint64_t at, size_t size, bool write,
                      struct os_map **out, basin_error *err);
void sim__unmap(struct os_map *map);
uint8_t *sim__map_data(struct os_map *map);
void sim__map_write(struct os_map *map, size_t at, const void *p, size_t n);
void sim__map_store_u64(struct os_map *map, size_t at, uint64_t v);

/* sim_lock.c */
basin_status sim__lock(struct os_file *file, uint64_t at, uint64_t n, enum os_lock_kind kind,
                       basin_error *err);
basin_status sim__unlock(struct os_file *file, uint64_t at, uint64_t n, basin_error *err);
basin_status sim__test_lock(struct os_file *file, uint64_t at, uint64_t n, enum os_lock_kind kind,
                            basin_error *err);
void sim__locks_drop(struct os_sim *sim, struct sim_inode *inode, const struct sim_file *owner);

/* sim_name.c. Directories. */
basin_status sim__make_dir(struct os *os, const char *path, basin_error *err);
basin_status sim__list(struct os *os, const char *path, os_list_fn *fn, void *ctx,
                       basin_error *err);
basin_status sim__link(struct os *os, const char *from, const char *to, basin_error *err);
basin_status sim__rename(struct os *os, const char *from, const char *to, basin_error *err);
basin_status sim__unlink(struct os *os, const char *path, basin_error *err);
basin_status sim__remove_dir(struct os *os, const char *path, basin_error *err);
basin_status sim__path_size(struct os *os, const char *path, uint64_t *size, basin_error *err);
basin_status sim__sync_dir(struct os *os, const char *path, basin_error *err);
basin_status sim__identity(struct os *os, const char *path, uint64_t id[2], basin_error *err);
/* Where a path leads: its directory, its last name, and what is there (NULL = nothing). */
struct sim_place {
    struct sim_inode *dir; /* NULL for the root itself */
    struct sim_inode *inode;
    char name[SIM_NAME_MAX + 1];
};
/* NOT_FOUND when a directory on the way is absent, LIMIT when a name is too long. */
basin_status sim__walk(struct os_sim *sim, const char *path, struct sim_place *to,
                       basin_error *err);
/* Adds a new file at a free place, un-synced. */
basin_status sim__add_file(struct os_sim *sim, const struct sim_place *place, const char *path,
                           struct sim_inode **out, basin_error *err);
void sim__dir_set(struct os_sim *sim, struct sim_inode *dir, const char *name,
                  struct sim_inode *inode);
void sim__name_change_free(struct os_sim *sim, struct sim_name_change *change);

/* sim_crash.c is the door's os_sim_crash. Frees what died while deaths were held up. */
void sim__bury_all(struct os_sim *sim); /* sim_inode.c */

#endif
