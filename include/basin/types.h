// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Types shared by every Basin header: status codes, the error record, byte slices, the allocator
 * and the progress callback. Nothing here allocates or depends on a handle.
 */
#ifndef BASIN_TYPES_H
#define BASIN_TYPES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__) || defined(__clang__)
#define BASIN_MUST_USE __attribute__((warn_unused_result))
#define BASIN_API __attribute__((visibility("default")))
#define BASIN_PRINTF(fmt_at, arg_at) __attribute__((format(printf, fmt_at, arg_at)))
#else
#define BASIN_MUST_USE
#define BASIN_API
#define BASIN_PRINTF(fmt_at, arg_at)
#endif

/* What a caller can act on. END and NOT_FOUND are ordinary results. */
typedef enum basin_status {
    BASIN_OK = 0,
    BASIN_END = 1,          /* no further item */
    BASIN_NOT_FOUND = 2,    /* no such key, pin, space or file */
    BASIN_EXISTS = 3,       /* it is there already */
    BASIN_BUSY = 4,         /* another holder has it; the error names the holder */
    BASIN_TIMEOUT = 5,      /* the wait was longer than asked for */
    BASIN_CONFLICT = 6,     /* another commit changed what this transaction read: retry it */
    BASIN_LIMIT = 7,        /* a size or count is over its stated limit */
    BASIN_NO_MEM = 8,       /* the allocator or mem_limit refused */
    BASIN_NO_SPACE = 9,     /* the disk is full */
    BASIN_IO = 10,          /* the system reported an error; os_errno has it */
    BASIN_CORRUPT = 11,     /* stored bytes are damaged; the error names object and position */
    BASIN_VERSION = 12,     /* written by a format that this build does not read */
    BASIN_WRONG_KEY = 13,   /* the passphrase or key file does not open this database */
    BASIN_MISUSE = 14,      /* a call that the manual forbids */
    BASIN_CANCELLED = 15,   /* a callback or basin_interrupt asked to stop */
    BASIN_TOO_OLD = 16,     /* the snapshot or feed position is no longer kept */
    BASIN_READ_ONLY = 17,   /* a write to what was opened for reading */
    BASIN_UNKNOWN_OPERATOR = 18 /* a value needs a merge operator that is not registered */
} basin_status;

/* A name such as "not_found"; never NULL. Valid for ever. */
BASIN_API const char *basin_status_name(basin_status status);

enum { BASIN_WHAT_SIZE = 320, BASIN_HINT_SIZE = 192, BASIN_WHERE_SIZE = 256 };

/*
 * The story of a failure, owned by the caller and filled by the place where it was born.
 * Every text is NUL-terminated; unused ones are empty.
 */
typedef struct basin_error {
    basin_status status;          /* the code that was returned */
    int os_errno;                 /* errno of the system call, or 0 */
    char what[BASIN_WHAT_SIZE];   /* the object and the numbers, one line, lower case */
    char hint[BASIN_HINT_SIZE];   /* what to do about it */
    char where[BASIN_WHERE_SIZE]; /* file or object, and position */
    uint64_t reserved[4];         /* 0 */
} basin_error;

/* Borrowed bytes: valid as long as the call that returned them says. */
typedef struct basin_bytes {
    const void *data; /* may be NULL when size is 0 */
    size_t size;
} basin_bytes;

/*
 * Memory comes from here. resize(p, old, 0) frees, resize(NULL, 0, n) allocates; sizes are exact,
 * so that an allocator may count. Returns NULL when it refuses; then p is untouched.
 * Threads: called from any.
 */
typedef struct basin_allocator {
    void *(*resize)(void *ctx, void *p, size_t old_size, size_t new_size);
    void *ctx;
    void *reserved[2]; /* NULL */
} basin_allocator;

/* How far a long call has come. All counts grow monotonically. */
typedef struct basin_progress {
    const char *stage;   /* a word such as "compact"; static */
    const char *unit;    /* what done and total count: "bytes", "pairs"; static */
    uint64_t done;
    uint64_t total;      /* 0 = unknown */
    uint64_t bytes_in;
    uint64_t bytes_out;
    uint64_t elapsed_ms;
    uint64_t eta_ms;     /* UINT64_MAX = unknown */
} basin_progress;

/*
 * Watches a long call. progress is called from the calling thread at most every interval_ms;
 * a result other than 0 cancels the call, which then returns BASIN_CANCELLED.
 */
typedef struct basin_watch {
    size_t struct_size;
    int (*progress)(void *ctx, const basin_progress *p);
    void *ctx;
    uint32_t interval_ms; /* 0 = 200 */
    uint32_t deadline_ms; /* 0 = none; over it the call returns BASIN_TIMEOUT */
} basin_watch;
#define BASIN_WATCH_INIT { sizeof(basin_watch), NULL, NULL, 0, 0 }

#ifdef __cplusplus
}
#endif
#endif
