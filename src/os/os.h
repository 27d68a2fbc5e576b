// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Door of the room os: the only room with system calls. Files, directories, maps, locks, threads,
 * clocks and random numbers come through `struct os`, a table with two implementations: POSIX and
 * the simulator, which keeps files in memory, injects faults and crashes.
 *
 * Threads:  every function may be called from any thread; one file handle may be used by several
 *           threads for positional reads and writes.
 * Paths:    '/'-separated, shorter than OS_PATH_MAX; the caller passes the directory of the
 *           database joined to a name (os_join).
 * Statuses: NOT_FOUND no such file or directory; EXISTS it is there; BUSY lock held elsewhere;
 *           LIMIT name, path, file size or number of open files over what the system allows;
 *           NO_SPACE disk or quota full; READ_ONLY no right to write; IO anything else.
 */
#ifndef OS_H
#define OS_H

#include "base/base.h"

struct os;
struct os_file;
struct os_map;

enum os_open_flag {
    OS_READ = 0,
    OS_WRITE = 1,     /* read and write */
    OS_CREATE = 2,    /* create when absent */
    OS_EXCLUSIVE = 4, /* with OS_CREATE: EXISTS when present */
    OS_TRUNCATE = 8
};

enum { OS_PATH_MAX = 4096 }; /* bytes of a path with its NUL */

enum os_lock_kind { OS_LOCK_SHARED, OS_LOCK_EXCLUSIVE };

/* Called by list for each name (no path, no "." and ".."); a status other than OK stops it. */
typedef basin_status os_list_fn(void *ctx, const char *name, basin_error *err);

struct os_ops {
    /* files */
    basin_status (*open)(struct os *os, const char *path, unsigned flags, struct os_file **out,
                         basin_error *err);
    void (*close)(struct os_file *f); /* takes NULL; drops the locks of this handle */
    /* Short only at the end of the file: *got < n. */
    basin_status (*read)(struct os_file *f, uint64_t at, void *to, size_t n, size_t *got,
                         basin_error *err);
    /* READ_ONLY on a handle opened without OS_WRITE. A failed write may have written a part. */
    basin_status (*write)(struct os_file *f, uint64_t at, const void *p, size_t n,
                          basin_error *err);
    basin_status (*size)(struct os_file *f, uint64_t *size, basin_error *err);
    basin_status (*truncate)(struct os_file *f, uint64_t size, basin_error *err);
    /* Blocks for [0, size) exist and read as zeros where never written; the size becomes at least
     * `size`. NO_SPACE when they do not fit. Nobody may write to the file meanwhile. */
    basin_status (*allocate)(struct os_file *f, uint64_t size, basin_error *err);
    /* data_only = fdatasync: data and size, not times; map_write is covered too. After a failure
     * the handle is poisoned: every later sync of it fails too. Another handle is not, and its
     * sync may succeed although pages were lost: give up the file, not the handle. */
    basin_status (*sync)(struct os_file *f, bool data_only, basin_error *err);
    /* A hint: the system may start now to bring [at, at + n) to the disk. Promises nothing; makes
     * a later sync of a large file short, and keeps it from delaying the syncs of others. */
    void (*write_behind)(struct os_file *f, uint64_t at, uint64_t n);
    /* Maps [at, at + size) of the file, size > 0. Shared with other processes. write = for
     * map_write; then the blocks must be allocated. CORRUPT when the file ends before. The map
     * outlives its handle. */
    basin_status (*map)(struct os_file *f, uint64_t at, size_t size, bool write,
                        struct os_map **out, basin_error *err);
    void (*unmap)(struct os_map *m); /* takes NULL */
    /* The mapped bytes. Read-only for callers: writing goes through map_write. */
    uint8_t *(*map_data)(struct os_map *m);
    /* Copies p into the map at `at`: the one way to write to a mapped file. Cannot fail. */
    void (*map_write)(struct os_map *m, size_t at, const void *p, size_t n);
    /* One sequentially consistent store of 8 bytes, `at` aligned to 8: what another process reads
     * with os_map_load_u64 is never half of it, and all earlier map_writes come before it. */
    void (*map_store_u64)(struct os_map *m, size_t at, uint64_t v);

    /* locks: open-file-description byte locks, n > 0; BUSY at once when another handle holds it.
     * An exclusive one needs OS_WRITE. A handle's own locks are replaced where they overlap. */
    basin_status (*lock)(struct os_file *f, uint64_t at, uint64_t n, enum os_lock_kind kind,
                         basin_error *err);
    basin_status (*unlock)(struct os_file *f, uint64_t at, uint64_t n, basin_error *err);
    /* OK when nobody else holds a conflicting lock, BUSY when somebody does; takes nothing. */
    basin_status (*test_lock)(struct os_file *f, uint64_t at, uint64_t n, enum os_lock_kind kind,
                              basin_error *err);

    /* names */
    basin_status (*make_dir)(struct os *os, const char *path, basin_error *err); /* EXISTS */
    basin_status (*list)(struct os *os, const char *path, os_list_fn *fn, void *ctx,
                         basin_error *err); /* NOT_FOUND when no such directory */
    basin_status (*link)(struct os *os, const char *from, const char *to,
                         basin_error *err); /* EXISTS when `to` is there: the atomic create */
    /* Replaces `to`. Between two directories: sync the one of `to` first, then the other. */
    basin_status (*rename)(struct os *os, const char *from, const char *to, basin_error *err);
    basin_status (*unlink)(struct os *os, const char *path, basin_error *err); /* NOT_FOUND */
    basin_status (*remove_dir)(struct os *os, const char *path,
                               basin_error *err); /* EXISTS when not empty */
    /* Size of a file by its name; NOT_FOUND also when it is a directory. */
    basin_status (*path_size)(struct os *os, const char *path, uint64_t *size, basin_error *err);
    /* Makes the entries of a directory durable: names created, linked, renamed, unlinked. */
    basin_status (*sync_dir)(struct os *os, const char *path, basin_error *err);
    basin_status (*free_space)(struct os *os, const char *path, uint64_t *bytes, basin_error *err);
    /* Identity of a directory for the table of open databases: device and inode. */
    basin_status (*identity)(struct os *os, const char *path, uint64_t id[2], basin_error *err);

    /* time and chance */
    uint64_t (*monotonic_ns)(struct os *os);
    uint64_t (*wall_ms)(struct os *os); /* since 1970 */
    basin_status (*random)(struct os *os, void *to, size_t n, basin_error *err);
    void (*sleep_ns)(struct os *os, uint64_t ns);
    uint64_t (*process_id)(struct os *os);
    /* How many files the process may have open, all libraries in it together. */
    uint64_t (*handle_limit)(struct os *os);
    /* A short "host pid command" text for lock holders; NUL-terminated within n. */
    void (*process_name)(struct os *os, char *to, size_t n);
};

struct os {
    const struct os_ops *ops;
    bool threads; /* false: the simulator; the engine then runs its background work when pumped */
    bool maps;    /* false: map always fails with MISUSE, callers use read and write */
};

/* The operating system itself. One per process, never freed. */
struct os *os_posix(void);

/* Writes "dir/name"; LIMIT when it does not fit. */
basin_status os_join(char to[OS_PATH_MAX], const char *dir, const char *name, basin_error *err);

/* ---- calls with the table spelled out, so that call sites read plainly ---- */
basin_status os_open(struct os *os, const char *path, unsigned flags, struct os_file **out,
                     basin_error *err);
void os_close(struct os_file *f);
basin_status os_read(struct os_file *f, uint64_t at, void *to, size_t n, size_t *got,
                     basin_error *err);
/* Reads exactly n bytes: CORRUPT when the file ends before. */
basin_status os_read_exact(struct os_file *f, uint64_t at, void *to, size_t n, basin_error *err);
basin_status os_write(struct os_file *f, uint64_t at, const void *p, size_t n, basin_error *err);
basin_status os_size(struct os_file *f, uint64_t *size, basin_error *err);
basin_status os_truncate(struct os_file *f, uint64_t size, basin_error *err);
basin_status os_allocate(struct os_file *f, uint64_t size, basin_error *err);
basin_status os_sync(struct os_file *f, bool data_only, basin_error *err);
void os_write_behind(struct os_file *f, uint64_t at, uint64_t n);
basin_status os_map(struct os_file *f, uint64_t at, size_t size, bool write, struct os_map **out,
                    basin_error *err);
void os_unmap(struct os_map *m);
uint8_t *os_map_data(struct os_map *m);
void os_map_write(struct os_map *m, size_t at, const void *p, size_t n);
void os_map_store_u64(struct os_map *m, size_t at, uint64_t v);
uint64_t os_map_load_u64(struct os_map *m, size_t at); /* sequentially consistent */
basin_status os_lock(struct os_file *f, uint64_t at, uint64_t n, enum os_lock_kind kind,
                     basin_error *err);
basin_status os_unlock(struct os_file *f, uint64_t at, uint64_t n, basin_error *err);
basin_status os_test_lock(struct os_file *f, uint64_t at, uint64_t n, enum os_lock_kind kind,
                          basin_error *err);
basin_status os_make_dir(struct os *os, const char *path, basin_error *err);
basin_status os_list(struct os *os, const char *path, os_list_fn *fn, void *ctx, basin_error *err);
basin_status os_link(struct os *os, const char *from, const char *to, basin_error *err);
basin_status os_rename(struct os *os, const char *from, const char *to, basin_error *err);
basin_status os_unlink(struct os *os, const char *path, basin_error *err);
basin_status os_remove_dir(struct os *os, const char *path, basin_error *err);
basin_status os_path_size(struct os *os, const char *path, uint64_t *size, basin_error *err);
basin_status os_sync_dir(struct os *os, const char *path, basin_error *err);
basin_status os_free_space(struct os *os, const char *path, uint64_t *bytes, basin_error *err);
basin_status os_identity(struct os *os, const char *path, uint64_t id[2], basin_error *err);
uint64_t os_monotonic_ns(struct os *os);
uint64_t os_wall_ms(struct os *os);
basin_status os_random(struct os *os, void *to, size_t n, basin_error *err);
void os_sleep_ns(struct os *os, uint64_t ns);
uint64_t os_process_id(struct os *os);
uint64_t os_handle_limit(struct os *os);
void os_process_name(struct os *os, char *to, size_t n);
/* The table's struct os of an open file. Every implementation's os_file begins with this. */
struct os_file {
    struct os *os;
};
struct os_map {
    struct os *os;
};

/* Small pieces from the C library, large ones straight from the system and back. Threads: any. */
extern const basin_allocator os_allocator;

/* ------------------------------------------------------------------ threads (always real) */
struct os_thread;
struct os_mutex; /* ranks are asserted in debug builds: a thread locks in ascending rank only */
struct os_cond;

/* Starts fn(ctx) in a thread that blocks all signals. */
basin_status os_thread_start(const basin_allocator *mem, void (*fn)(void *ctx), void *ctx,
                             const char *name, struct os_thread **out, basin_error *err);
void os_thread_join(struct os_thread *t); /* waits, frees; takes NULL */
uint64_t os_thread_self(void);            /* not 0; of this thread while it lives */

/* Tells the process that made it from a child that it forked later. */
struct os_mark;
basin_status os_mark_new(const basin_allocator *mem, struct os_mark **out, basin_error *err);
void os_mark_free(struct os_mark *m); /* takes NULL */
bool os_mark_is_own(const struct os_mark *m);

/* rank: docs/locks.md. name: static. */
basin_status os_mutex_new(const basin_allocator *mem, unsigned rank, const char *name,
                          struct os_mutex **out, basin_error *err);
void os_mutex_free(struct os_mutex *m);
void os_mutex_lock(struct os_mutex *m);
bool os_mutex_try(struct os_mutex *m);
void os_mutex_unlock(struct os_mutex *m);
void os_mutex_held(struct os_mutex *m); /* must() that the caller holds it (debug builds) */

basin_status os_cond_new(const basin_allocator *mem, struct os_cond **out, basin_error *err);
void os_cond_free(struct os_cond *c);
/* Waits on the monotonic clock; false when timeout_ns passed. UINT64_MAX = for ever. May wake
 * without a signal: test the condition in a loop. */
bool os_cond_wait(struct os_cond *c, struct os_mutex *m, uint64_t timeout_ns);
void os_cond_signal(struct os_cond *c);
void os_cond_broadcast(struct os_cond *c);

/* ------------------------------------------------------------------ the simulator */
/*
 * A machine in memory: for each file its bytes now and the un-synced changes that a power loss may
 * take back, page by page; for each directory its entries now and the un-synced changes of them.
 * Data and names are apart: os_sync makes the bytes and the size of a file durable, os_sync_dir
 * the entries of one directory; a file survives a power loss only with both.
 * Paths start at the root of the machine, which exists; a leading '/' means nothing.
 * A writable map over blocks that were never written or allocated is MISUSE here, because on a
 * full disk the real one would die by SIGBUS.
 * Confined to one thread.
 */
struct os_sim;

struct os_sim_options {
    uint64_t seed;
    bool maps;          /* offer maps (writes tracked by page) */
    uint64_t space_max; /* bytes of disk, counted in pages of 4 KiB; 0 = without bound */
    const basin_allocator *mem;
};

basin_status os_sim_new(const struct os_sim_options *options, struct os_sim **out,
                        basin_error *err);
/* Takes NULL. Every handle and map must be closed before: it panics when one is left. */
void os_sim_free(struct os_sim *sim);
struct os *os_sim_os(struct os_sim *sim);
/* Another process on the machine: handles, locks and process id of its own, the same files. It
 * goes with the machine. */
basin_status os_sim_process(struct os_sim *sim, struct os **out, basin_error *err);
/* kill -9 of one process, as OS_CRASH_KILL is of all; os is then a new process. */
void os_sim_kill(struct os *os);

/* How the un-synced changes of a crash are treated. */
enum os_crash_mode {
    OS_CRASH_KILL,     /* kill -9: the page cache survives, nothing is lost */
    OS_CRASH_LOSE_ALL, /* power loss: every un-synced change is gone */
    OS_CRASH_RANDOM    /* power loss: a random subset survives, re-ordered, writes torn at
                          512 bytes, each dirtied 4 KiB map page holds any intermediate content,
                          un-synced growth lost, or kept with zeros or garbage in it,
                          un-synced directory entries lost or kept one by one */
};
/* All handles become stale (their later use fails with IO; they still want closing), locks are
 * dropped, maps keep their bytes but map_write does nothing; the files are as a restarted machine
 * would see them. Armed faults are disarmed. */
void os_sim_crash(struct os_sim *sim, enum os_crash_mode mode);

/* The n-th (from 1) call that changes something from now on does its work not at all and crashes
 * the machine: it and every later call return IO until os_sim_crash. 0 = never. */
void os_sim_crash_at(struct os_sim *sim, uint64_t n);
/* Called before each change with what it is ("write", "fdatasync", "link" ...) and of which path;
 * crashes: the machine goes down instead. fn may arm faults for the next calls. NULL = nobody. */
typedef void os_sim_watch_fn(void *ctx, const char *verb, const char *path, bool crashes);
void os_sim_watch(struct os_sim *sim, os_sim_watch_fn *fn, void *ctx);
/* The n-th call (reads included) from now on fails once with this status (IO or NO_SPACE); a
 * failed write leaves a random part of it written; a failed sync marks its pages clean although
 * they are not on disk, so that a later sync does not write them (ATC'20). 0 = never. */
void os_sim_fail_at(struct os_sim *sim, uint64_t n, basin_status with);
/* As fail_at, but every call from the n-th on fails. */
void os_sim_fail_from(struct os_sim *sim, uint64_t n, basin_status with);
uint64_t os_sim_calls(const struct os_sim *sim);   /* all calls so far that can fail */
uint64_t os_sim_changes(const struct os_sim *sim); /* calls that change something so far; syncs
                                                      and map writes count */
bool os_sim_crashed(const struct os_sim *sim);     /* crash_at was reached */
size_t os_sim_handles(const struct os_sim *sim);   /* files and maps that are not closed */
void os_sim_set_space(struct os_sim *sim, uint64_t bytes);
void os_sim_set_handle_limit(struct os_sim *sim, uint64_t handles); /* of each process; 0 = none */
uint64_t os_sim_space_used(const struct os_sim *sim);
void os_sim_advance(struct os_sim *sim, uint64_t ns);   /* moves both clocks */
void os_sim_shift_wall(struct os_sim *sim, int64_t ms); /* the wall clock jumps, also back */
/* Direct access to a stored file for the tests. peek: its bytes now (NOT_FOUND), valid until the
 * file changes. poke overwrites them behind the engine's back (bit rot), in memory and on disk;
 * MISUSE past the end. cut sets the size, at once durable together with all of the file's data. */
basin_status os_sim_peek(struct os_sim *sim, const char *path, struct bytes *out);
basin_status os_sim_poke(struct os_sim *sim, const char *path, uint64_t at, const void *p,
                         size_t n);
basin_status os_sim_cut(struct os_sim *sim, const char *path, uint64_t size);

#endif
