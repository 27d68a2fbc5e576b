// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Files of the operating system: positional reads and writes that go on after short counts and
 * signals, allocation, syncs, and open-file-description locks.
 * Every descriptor is close-on-exec. A handle whose sync failed is poisoned for ever: the kernel
 * marks the pages clean although they are not on disk, so a second sync would succeed and mean
 * nothing (Rebello and others, "Can applications recover from fsync failures?", ATC'20).
 * Memory is the C library's: the system exists before any allocator does.
 */
#include "os/posix.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { POSIX_ZEROS_SIZE = 64 * 1024 };

/* What the caller can act on, for the errnos that are not plain IO; OK = leave it. */
static basin_status
status_of_errno(int e, bool writing)
{
    switch (e) {
    case ENOENT:
    case ENOTDIR:
        return BASIN_NOT_FOUND;
    case EEXIST:
    case ENOTEMPTY:
        return BASIN_EXISTS;
    case EROFS:
        return BASIN_READ_ONLY;
    case EACCES:
    case EPERM:
    case ETXTBSY:
        return writing ? BASIN_READ_ONLY : BASIN_IO;
    case ENAMETOOLONG:
    case EMFILE:
    case ENFILE:
    case EFBIG:
    case EOVERFLOW:
    case EMLINK:
        return BASIN_LIMIT;
    case ENOMEM:
        return BASIN_NO_MEM;
    default:
        return BASIN_OK;
    }
}

static const char *
hint_of_errno(int e, bool writing)
{
    switch (e) {
    case ENAMETOOLONG:
        return "use a shorter name: this file system does not allow it";
    case EMFILE:
        return "raise the limit on open files of this process (ulimit -n)";
    case ENFILE:
        return "the whole system has too many open files";
    case EFBIG:
        return "the file system or ulimit -f allows no file of this size";
    case ENOSPC:
        return "free some space on the file system";
    case EDQUOT:
        return "free some space, or ask for a larger quota";
    case EROFS:
        return "the file system is mounted read-only: open the database for reading";
    case EACCES:
    case EPERM:
        return writing ? "check owner and permissions, or open the database for reading"
                       : "check owner and permissions";
    case ENOLCK:
        return "network file systems are not supported";
    default:
        return NULL;
    }
}

basin_status
posix__fail(basin_error *err, int e, bool writing, const char *verb, const char *path)
{
    basin_status st = error_set_os(err, e, "%s %s", verb, path);
    basin_status better = status_of_errno(e, writing);
    const char *hint = hint_of_errno(e, writing);

    if (better != BASIN_OK) {
        st = better;
        if (err)
            err->status = better;
    }
    if (hint)
        error_hint(err, "%s", hint);
    return st;
}

/* ------------------------------------------------------------------ open, close */

static int
open_flags(unsigned flags)
{
    int to = O_CLOEXEC | O_NOCTTY;

    to |= flags & OS_WRITE ? O_RDWR : O_RDONLY;
    if (flags & OS_CREATE)
        to |= O_CREAT;
    if (flags & OS_EXCLUSIVE)
        to |= O_EXCL;
    if (flags & OS_TRUNCATE)
        to |= O_TRUNC;
    return to;
}

static basin_status
check_regular(int fd, const char *path, basin_error *err)
{
    struct stat info;

    if (fstat(fd, &info) != 0)
        return posix__fail(err, errno, false, "open", path);
    if (S_ISDIR(info.st_mode))
        return posix__fail(err, EISDIR, false, "open", path);
    if (!S_ISREG(info.st_mode))
        return error_set(err, BASIN_IO, "open %s: not a regular file", path);
    return BASIN_OK;
}

basin_status
posix__open(struct os *os, const char *path, unsigned flags, struct os_file **out, basin_error *err)
{
    bool writing = (flags & (OS_WRITE | OS_CREATE | OS_TRUNCATE)) != 0;
    size_t path_size = strlen(path) + 1;
    struct posix_file *f = NULL;
    basin_status st = BASIN_OK;
    int fd = -1;

    *out = NULL;
    f = mem_new(&base_malloc, sizeof *f + path_size);
    if (!f)
        FAIL(err, BASIN_NO_MEM, "open %s: out of memory", path);
    do {
        fd = open(path, open_flags(flags), 0666);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) {
        st = posix__fail(err, errno, writing, "open", path);
        goto out;
    }
    TRY(check_regular(fd, path, err));
    if (pthread_mutex_init(&f->sync_mu, NULL) != 0)
        FAIL(err, BASIN_NO_MEM, "open %s: no lock to be had", path);
    f->base.os = os;
    f->fd = fd;
    f->writable = (flags & OS_WRITE) != 0;
    memcpy(f->path, path, path_size);
    *out = &f->base;
    f = NULL; /* given away */
    fd = -1;
out:
    if (fd >= 0)
        close(fd);
    mem_free(&base_malloc, f, sizeof *f + path_size);
    return st;
}

void
posix__close(struct os_file *file)
{
    struct posix_file *f = (struct posix_file *)file;

    if (!f)
        return;
    close(f->fd); /* not again after EINTR: Linux has closed it then */
    must(pthread_mutex_destroy(&f->sync_mu) == 0);
    mem_free(&base_malloc, f, sizeof *f + strlen(f->path) + 1);
}

/* ------------------------------------------------------------------ read, write */

/* File positions of the system are signed. */
static basin_status
check_range(const struct posix_file *f, const char *verb, uint64_t at, uint64_t n, basin_error *err)
{
    if (at <= INT64_MAX && n <= INT64_MAX - at)
        return BASIN_OK;
    return error_set(err, BASIN_LIMIT, "%s %s: %" PRIu64 " bytes at %" PRIu64 ": over 2^63", verb,
                     f->path, n, at);
}

basin_status
posix__read(struct os_file *file, uint64_t at, void *to, size_t n, size_t *got, basin_error *err)
{
    struct posix_file *f = (struct posix_file *)file;
    size_t done = 0;
    basin_status st = check_range(f, "read", at, n, err);

    *got = 0;
    if (st != BASIN_OK)
        return st;
    while (done < n) {
        ssize_t k = pread(f->fd, (uint8_t *)to + done, n - done, (off_t)(at + done));
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return posix__fail(err, errno, false, "read", f->path);
        if (k == 0)
            break;
        done += (size_t)k;
    }
    *got = done;
    return BASIN_OK;
}

basin_status
posix__write(struct os_file *file, uint64_t at, const void *p, size_t n, basin_error *err)
{
    struct posix_file *f = (struct posix_file *)file;
    size_t done = 0;
    basin_status st;

    if (!f->writable)
        return error_set(err, BASIN_READ_ONLY, "write %s: opened for reading", f->path);
    st = check_range(f, "write", at, n, err);
    if (st != BASIN_OK)
        return st;
    while (done < n) {
        ssize_t k = pwrite(f->fd, (const uint8_t *)p + done, n - done, (off_t)(at + done));
        if (k < 0 && errno == EINTR)
            continue;
        if (k == 0) /* nothing taken and no reason given: a regular file has no other */
            return posix__fail(err, ENOSPC, true, "write", f->path);
        if (k < 0)
            return posix__fail(err, errno, true, "write", f->path);
        done += (size_t)k;
    }
    return BASIN_OK;
}

basin_status
posix__size(struct os_file *file, uint64_t *size, basin_error *err)
{
    struct posix_file *f = (struct posix_file *)file;
    struct stat info;

    *size = 0;
    if (fstat(f->fd, &info) != 0)
        return posix__fail(err, errno, false, "stat", f->path);
    *size = (uint64_t)info.st_size;
    return BASIN_OK;
}

basin_status
posix__truncate(struct os_file *file, uint64_t size, basin_error *err)
{
    struct posix_file *f = (struct posix_file *)file;
    basin_status st;
    int rc;

    if (!f->writable)
        return error_set(err, BASIN_READ_ONLY, "truncate %s: opened for reading", f->path);
    st = check_range(f, "truncate", 0, size, err);
    if (st != BASIN_OK)
        return st;
    do {
        rc = ftruncate(f->fd, (off_t)size);
    } while (rc != 0 && errno == EINTR);
    return rc == 0 ? BASIN_OK : posix__fail(err, errno, true, "truncate", f->path);
}

/* ------------------------------------------------------------------ allocate */

static basin_status
write_zeros(struct posix_file *f, uint64_t from, uint64_t to, basin_error *err)
{
    static const uint8_t zeros[POSIX_ZEROS_SIZE];
    basin_status st = BASIN_OK;

    while (st == BASIN_OK && from < to) {
        size_t n = (size_t)MIN_OF(to - from, (uint64_t)sizeof zeros);
        st = posix__write(&f->base, from, zeros, n, err);
        from += n;
    }
    return st;
}

/* Writes zeros into the holes of [0, old_size). Where holes cannot be asked for there are none. */
static basin_status
fill_holes(struct posix_file *f, uint64_t old_size, basin_error *err)
{
    basin_status st = BASIN_OK;
    off_t at = 0;

    while (st == BASIN_OK && (uint64_t)at < old_size) {
        off_t hole = lseek(f->fd, at, SEEK_HOLE), data;
        if (hole < 0 || (uint64_t)hole >= old_size)
            break;
        data = lseek(f->fd, hole, SEEK_DATA);
        if (data < 0 || (uint64_t)data > old_size)
            data = (off_t)old_size; /* ENXIO: a hole to the end */
        st = write_zeros(f, (uint64_t)hole, (uint64_t)data, err);
        at = data;
    }
    return st;
}

basin_status
posix__allocate_zeros(struct os_file *file, uint64_t size, basin_error *err)
{
    struct posix_file *f = (struct posix_file *)file;
    uint64_t old_size;
    basin_status st;

    TRY(posix__size(file, &old_size, err));
    TRY(fill_holes(f, MIN_OF(old_size, size), err));
    TRY(write_zeros(f, old_size, size, err));
out:
    return st;
}

basin_status
posix__allocate(struct os_file *file, uint64_t size, basin_error *err)
{
    struct posix_file *f = (struct posix_file *)file;
    uint64_t old_size, now;
    basin_status st;
    int rc;

    if (!f->writable)
        FAIL(err, BASIN_READ_ONLY, "allocate %s: opened for reading", f->path);
    TRY(check_range(f, "allocate", 0, size, err));
    if (size == 0)
        goto out;
    TRY(posix__size(file, &old_size, err));
    do {
        rc = fallocate(f->fd, 0, 0, (off_t)size);
    } while (rc != 0 && errno == EINTR);
    if (rc != 0 && (errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL))
        st = posix__allocate_zeros(file, size, err);
    else if (rc != 0)
        st = posix__fail(err, errno, true, "allocate", f->path);
    /* what did fit is given back, so that a full disk is not kept full by a failed call */
    if (st != BASIN_OK && posix__size(file, &now, NULL) == BASIN_OK && now > old_size)
        (void)!ftruncate(f->fd, (off_t)old_size);
out:
    return st;
}

/* ------------------------------------------------------------------ sync */

static basin_status
sync_alone(struct posix_file *f, bool data_only, basin_error *err)
{
    basin_status st;
    int rc;

    if (f->poisoned) {
        st = error_set(err, BASIN_IO, "sync %s: an earlier sync of this handle failed", f->path);
        error_hint(err, "reopen the database: what was written since is not certain");
        return st;
    }
    do {
        rc = data_only ? fdatasync(f->fd) : fsync(f->fd);
    } while (rc != 0 && errno == EINTR);
    f->poisoned = rc != 0;
    return rc == 0 ? BASIN_OK : posix__fail(err, errno, true, "sync", f->path);
}

basin_status
posix__sync(struct os_file *file, bool data_only, basin_error *err)
{
    struct posix_file *f = (struct posix_file *)file;
    basin_status st;

    must(pthread_mutex_lock(&f->sync_mu) == 0);
    st = sync_alone(f, data_only, err);
    must(pthread_mutex_unlock(&f->sync_mu) == 0);
    return st;
}

/* What fails here fails again, and is told, in the sync. */
void
posix__write_behind(struct os_file *file, uint64_t at, uint64_t n)
{
    struct posix_file *f = (struct posix_file *)file;

    if (check_range(f, "write", at, n, NULL) == BASIN_OK && n > 0)
        (void)sync_file_range(f->fd, (off_t)at, (off_t)n, SYNC_FILE_RANGE_WRITE);
}

/* ------------------------------------------------------------------ locks */

static basin_status
lock_call(struct posix_file *f, int command, short type, const char *verb, uint64_t at, uint64_t n,
          bool *held, basin_error *err)
{
    struct flock l = { .l_type = type, .l_whence = SEEK_SET };
    basin_status st = check_range(f, verb, at, n, err);
    int rc;

    *held = false;
    if (st != BASIN_OK)
        return st;
    if (n == 0)
        return error_set(err, BASIN_MISUSE, "%s %s: 0 bytes", verb, f->path);
    l.l_start = (off_t)at;
    l.l_len = (off_t)n;
    do {
        rc = fcntl(f->fd, command, &l);
    } while (rc != 0 && errno == EINTR);
    if (rc != 0 && (errno == EAGAIN || errno == EACCES))
        *held = true;
    else if (rc != 0)
        return posix__fail(err, errno, true, verb, f->path);
    else if (command == F_OFD_GETLK)
        *held = l.l_type != F_UNLCK;
    return BASIN_OK;
}

static basin_status
busy(const struct posix_file *f, uint64_t at, uint64_t n, basin_error *err)
{
    return error_set(err, BASIN_BUSY, "lock %s: another handle holds bytes %" PRIu64 " to %" PRIu64,
                     f->path, at, at + n - 1);
}

basin_status
posix__lock(struct os_file *file, uint64_t at, uint64_t n, enum os_lock_kind kind, basin_error *err)
{
    struct posix_file *f = (struct posix_file *)file;
    bool held;
    basin_status st;

    if (kind == OS_LOCK_EXCLUSIVE && !f->writable)
        return error_set(err, BASIN_READ_ONLY, "lock %s: opened for reading", f->path);
    st = lock_call(f, F_OFD_SETLK, kind == OS_LOCK_EXCLUSIVE ? F_WRLCK : F_RDLCK, "lock", at, n,
                   &held, err);
    return st == BASIN_OK && held ? busy(f, at, n, err) : st;
}

basin_status
posix__unlock(struct os_file *file, uint64_t at, uint64_t n, basin_error *err)
{
    bool held;

    return lock_call((struct posix_file *)file, F_OFD_SETLK, F_UNLCK, "unlock", at, n, &held, err);
}

basin_status
posix__test_lock(struct os_file *file, uint64_t at, uint64_t n, enum os_lock_kind kind,
                 basin_error *err)
{
    struct posix_file *f = (struct posix_file *)file;
    bool held;
    basin_status st = lock_call(f, F_OFD_GETLK, kind == OS_LOCK_EXCLUSIVE ? F_WRLCK : F_RDLCK,
                                "test lock", at, n, &held, err);

    return st == BASIN_OK && held ? busy(f, at, n, err) : st;
}
