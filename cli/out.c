// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Buffered output.
 *
 * A file is written under the name `path`.partial, synced and renamed at the end, so that a dump
 * or export that failed half way never stands where a whole one is expected. What is there and is
 * no ordinary file (a device, a pipe) is written to as it is.
 */
#include "out.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "stop.h"

enum { OUT_BUFFER_SIZE = 64 * 1024 };

void
out_open_stdout(struct out *o)
{
    *o = (struct out){ .fd = STDOUT_FILENO, .name = "standard output" };
    o->is_tty = isatty(o->fd) == 1;
}

static bool
is_special(const char *path)
{
    struct stat s;

    return stat(path, &s) == 0 && !S_ISREG(s.st_mode) && !S_ISDIR(s.st_mode);
}

static basin_status
open_special(struct out *o, const char *path, basin_error *err)
{
    *o = (struct out){ .fd = open(path, O_WRONLY | O_CLOEXEC), .name = path };
    return o->fd < 0 ? cli_system_error(err, errno, "cannot open %s", path) : BASIN_OK;
}

basin_status
out_open_file(struct out *o, const char *path, basin_error *err)
{
    basin_status st = BASIN_OK;
    struct grow name = { 0 };

    out_open_stdout(o);
    if (strcmp(path, "-") == 0)
        return BASIN_OK;
    if (is_special(path))
        return open_special(o, path, err);
    grow_format(&name, "%s.partial", path);
    *o = (struct out){ .fd = -1, .name = path };
    o->fd = open(grow_string(&name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (o->fd < 0)
        st = cli_system_error(err, errno, "cannot create %s", grow_string(&name));
    else
        o->partial = strdup(grow_string(&name));
    grow_free(&name);
    return st;
}

static void
write_all(struct out *o, const uint8_t *p, size_t n)
{
    while (n > 0 && o->failed == 0) {
        ssize_t done = write(o->fd, p, n);

        if (done > 0) {
            p += done;
            n -= (size_t)done;
        } else if (done < 0 && errno != EINTR) {
            o->failed = errno;
        } else if (done < 0 && stop_seen()) {
            o->failed = EINTR;
        }
    }
}

basin_status
out_status(const struct out *o, basin_error *err)
{
    if (o->failed == 0)
        return BASIN_OK;
    if (o->failed == EPIPE || o->failed == EINTR)
        return cli_error(err, BASIN_CANCELLED, "%s: the reader went away", o->name);
    return cli_system_error(err, o->failed, "cannot write to %s", o->name);
}

basin_status
out_flush(struct out *o, basin_error *err)
{
    write_all(o, o->buffer.data, o->buffer.size);
    grow_clear(&o->buffer);
    return out_status(o, err);
}

basin_status
out_finish(struct out *o, basin_error *err)
{
    basin_status st;

    TRY(out_flush(o, err));
    if (o->partial == NULL)
        goto out;
    if (fsync(o->fd) != 0 && errno != EINVAL && errno != EROFS)
        FAIL(err, BASIN_IO, "cannot sync %s: %s", o->partial, strerror(errno));
    if (close(o->fd) != 0) {
        o->fd = -1;
        FAIL(err, BASIN_IO, "cannot close %s: %s", o->partial, strerror(errno));
    }
    o->fd = -1;
    if (rename(o->partial, o->name) != 0)
        FAIL(err, BASIN_IO, "cannot rename %s to %s: %s", o->partial, o->name, strerror(errno));
    free(o->partial);
    o->partial = NULL;
out:
    return st;
}

void
out_close(struct out *o)
{
    if (o->partial != NULL) {
        unlink(o->partial);
        free(o->partial);
        o->partial = NULL;
    }
    if (o->fd > STDERR_FILENO)
        close(o->fd);
    o->fd = -1;
    grow_free(&o->buffer);
    grow_free(&o->scratch);
}

void
out_bytes(struct out *o, const void *p, size_t n)
{
    o->bytes += n;
    if (o->failed != 0)
        return;
    if (o->buffer.size + n > OUT_BUFFER_SIZE) {
        write_all(o, o->buffer.data, o->buffer.size);
        grow_clear(&o->buffer);
    }
    if (n >= OUT_BUFFER_SIZE)
        write_all(o, p, n);
    else
        grow_add(&o->buffer, p, n);
}

void
out_text(struct out *o, const char *s)
{
    out_bytes(o, s, strlen(s));
}

void
out_format(struct out *o, const char *fmt, ...)
{
    struct grow text = { 0 };
    va_list ap;

    va_start(ap, fmt);
    grow_vformat(&text, fmt, ap);
    va_end(ap);
    out_bytes(o, text.data, text.size);
    grow_free(&text);
}
