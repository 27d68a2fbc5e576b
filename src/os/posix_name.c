// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Names, clocks and chance of the operating system, and the table that gathers it.
 * Nothing here keeps state: the table is constant and lives as long as the program.
 */
#include "os/posix.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

static basin_status
posix_make_dir(struct os *os, const char *path, basin_error *err)
{
    (void)os;
    return mkdir(path, 0777) == 0 ? BASIN_OK : posix__fail(err, errno, true, "mkdir", path);
}

static bool
is_dots(const char *name)
{
    return name[0] == '.' && (name[1] == 0 || (name[1] == '.' && name[2] == 0));
}

static basin_status
posix_list(struct os *os, const char *path, os_list_fn *fn, void *ctx, basin_error *err)
{
    DIR *dir = opendir(path); /* close-on-exec by POSIX.1-2008 */
    struct dirent *entry = NULL;
    basin_status st = BASIN_OK;

    (void)os;
    if (!dir)
        return posix__fail(err, errno, false, "list", path);
    while (st == BASIN_OK) {
        errno = 0;
        entry = readdir(dir);
        if (!entry)
            break;
        if (!is_dots(entry->d_name))
            st = fn(ctx, entry->d_name, err);
    }
    if (st == BASIN_OK && errno != 0)
        st = posix__fail(err, errno, false, "list", path);
    closedir(dir);
    return st;
}

static basin_status
posix_link(struct os *os, const char *from, const char *to, basin_error *err)
{
    basin_status st;
    int e;

    (void)os;
    if (link(from, to) == 0)
        return BASIN_OK;
    e = errno;
    st = posix__fail(err, e, true, "link", to);
    if (e == EPERM || e == EOPNOTSUPP || e == ENOSYS) {
        error_hint(err, "this file system has no hard links: keep the database on another one");
        if (err)
            err->status = BASIN_IO;
        st = BASIN_IO;
    }
    return st;
}

static basin_status
posix_rename(struct os *os, const char *from, const char *to, basin_error *err)
{
    (void)os;
    return rename(from, to) == 0 ? BASIN_OK : posix__fail(err, errno, true, "rename", from);
}

static basin_status
posix_unlink(struct os *os, const char *path, basin_error *err)
{
    (void)os;
    return unlink(path) == 0 ? BASIN_OK : posix__fail(err, errno, true, "unlink", path);
}

static basin_status
posix_remove_dir(struct os *os, const char *path, basin_error *err)
{
    (void)os;
    return rmdir(path) == 0 ? BASIN_OK : posix__fail(err, errno, true, "rmdir", path);
}

static basin_status
posix_path_size(struct os *os, const char *path, uint64_t *size, basin_error *err)
{
    struct stat info;

    (void)os;
    *size = 0;
    if (stat(path, &info) != 0)
        return posix__fail(err, errno, false, "stat", path);
    if (!S_ISREG(info.st_mode))
        return error_set(err, BASIN_NOT_FOUND, "stat %s: not a regular file", path);
    *size = (uint64_t)info.st_size;
    return BASIN_OK;
}

static basin_status
posix_sync_dir(struct os *os, const char *path, basin_error *err)
{
    basin_status st = BASIN_OK;
    int fd, rc;

    (void)os;
    do {
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return posix__fail(err, errno, false, "sync", path);
    do {
        rc = fsync(fd);
    } while (rc != 0 && errno == EINTR);
    /* EINVAL: a file system that keeps directories itself and has no sync of them */
    if (rc != 0 && errno != EINVAL)
        st = posix__fail(err, errno, true, "sync", path);
    close(fd);
    return st;
}

static basin_status
posix_free_space(struct os *os, const char *path, uint64_t *bytes, basin_error *err)
{
    struct statvfs info;
    int rc;

    (void)os;
    *bytes = 0;
    do {
        rc = statvfs(path, &info);
    } while (rc != 0 && errno == EINTR);
    if (rc != 0)
        return posix__fail(err, errno, false, "statvfs", path);
    *bytes = (uint64_t)info.f_bavail * (uint64_t)info.f_frsize;
    return BASIN_OK;
}

static basin_status
posix_identity(struct os *os, const char *path, uint64_t id[2], basin_error *err)
{
    struct stat info;

    (void)os;
    id[0] = id[1] = 0;
    if (stat(path, &info) != 0)
        return posix__fail(err, errno, false, "stat", path);
    id[0] = (uint64_t)info.st_dev;
    id[1] = (uint64_t)info.st_ino;
    return BASIN_OK;
}

/* ------------------------------------------------------------------ time and chance */

static uint64_t
posix_monotonic_ns(struct os *os)
{
    struct timespec t;

    (void)os;
    must(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t
posix_wall_ms(struct os *os)
{
    struct timespec t;

    (void)os;
    must(clock_gettime(CLOCK_REALTIME, &t) == 0);
    return t.tv_sec < 0 ? 0 : (uint64_t)t.tv_sec * 1000u + (uint64_t)t.tv_nsec / 1000000u;
}

static basin_status
posix_random(struct os *os, void *to, size_t n, basin_error *err)
{
    size_t done = 0;

    (void)os;
    while (done < n) {
        ssize_t k = getrandom((uint8_t *)to + done, n - done, 0);
        if (k < 0 && errno != EINTR)
            return error_set_os(err, errno, "random: %zu bytes", n);
        if (k > 0)
            done += (size_t)k;
    }
    return BASIN_OK;
}

static void
posix_sleep_ns(struct os *os, uint64_t ns)
{
    struct timespec t;
    int rc;

    (void)os;
    t.tv_sec = (time_t)(ns / 1000000000u);
    t.tv_nsec = (long)(ns % 1000000000u);
    do {
        rc = nanosleep(&t, &t);
    } while (rc != 0 && errno == EINTR);
}

static uint64_t
posix_process_id(struct os *os)
{
    (void)os;
    return (uint64_t)getpid();
}

static uint64_t
posix_handle_limit(struct os *os)
{
    struct rlimit limit;

    (void)os;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return UINT64_MAX;
    return (uint64_t)limit.rlim_cur;
}

/* The name that ps shows; it may hold any byte, so the odd ones become '?'. */
static void
command_name(char *to, size_t n)
{
    size_t got = 0;
    int fd = open("/proc/self/comm", O_RDONLY | O_CLOEXEC);

    if (fd >= 0) {
        ssize_t k = read(fd, to, n - 1);
        got = k > 0 ? (size_t)k : 0;
        close(fd);
    }
    while (got && to[got - 1] == '\n')
        got--;
    to[got] = 0;
    if (!got)
        snprintf(to, n, "%s", program_invocation_short_name);
    for (char *p = to; *p; p++) {
        if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7F)
            *p = '?';
    }
}

static void
posix_process_name(struct os *os, char *to, size_t n)
{
    char host[256] = "", command[64] = "";

    (void)os;
    if (n == 0)
        return;
    if (gethostname(host, sizeof host - 1) != 0 || host[0] == 0)
        memcpy(host, "?", 2);
    command_name(command, sizeof command);
    snprintf(to, n, "%s %ld %s", host, (long)getpid(), command);
}

static const struct os_ops posix_ops = {
    .open = posix__open,
    .close = posix__close,
    .read = posix__read,
    .write = posix__write,
    .size = posix__size,
    .truncate = posix__truncate,
    .allocate = posix__allocate,
    .sync = posix__sync,
    .write_behind = posix__write_behind,
    .map = posix__map,
    .unmap = posix__unmap,
    .map_data = posix__map_data,
    .map_write = posix__map_write,
    .map_store_u64 = posix__map_store_u64,
    .lock = posix__lock,
    .unlock = posix__unlock,
    .test_lock = posix__test_lock,
    .make_dir = posix_make_dir,
    .list = posix_list,
    .link = posix_link,
    .rename = posix_rename,
    .unlink = posix_unlink,
    .remove_dir = posix_remove_dir,
    .path_size = posix_path_size,
    .sync_dir = posix_sync_dir,
    .free_space = posix_free_space,
    .identity = posix_identity,
    .monotonic_ns = posix_monotonic_ns,
    .wall_ms = posix_wall_ms,
    .random = posix_random,
    .sleep_ns = posix_sleep_ns,
    .process_id = posix_process_id,
    .handle_limit = posix_handle_limit,
    .process_name = posix_process_name,
};

struct os *
os_posix(void)
{
    /* constant: the table's type is not, because the simulator's carries state */
    static const struct os posix = { .ops = &posix_ops, .threads = true, .maps = true };

    return (struct os *)(uintptr_t)&posix;
}
