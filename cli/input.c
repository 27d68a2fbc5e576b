// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Reading lines.
 *
 * A compressed file is recognised by its first bytes, not by its name, and handed to `lz4 -dc` and
 * the like as standard input; their output is read through a pipe. No shell is involved. A tool
 * that ends with an error makes the whole input fail: a file that was cut off is not half an
 * import.
 */
#include "input.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"
#include "stop.h"

enum { INPUT_READ_SIZE = 256 * 1024, EXEC_FAILED = 127 };

/* ------------------------------------------------------------------ unpacking */

static const struct unpacker {
    const char *tool;
    size_t size;
    const char *magic;
} unpackers[] = {
    { "gzip", 2, "\x1f\x8b" },
    { "xz", 6,
      "\xfd"
      "7zXZ\0" },
    { "lz4", 4, "\x04\x22\x4d\x18" },
    { "zstd", 4, "\x28\xb5\x2f\xfd" },
    { "bzip2", 3, "BZh" },
};

static const struct unpacker *
find_magic(const uint8_t *head, size_t size)
{
    for (size_t i = 0; i < LENGTH_OF(unpackers); i++) {
        if (size >= unpackers[i].size && memcmp(head, unpackers[i].magic, unpackers[i].size) == 0)
            return &unpackers[i];
    }
    return NULL;
}

static const struct unpacker *
find_unpacker(int fd)
{
    uint8_t head[8];
    ssize_t n = pread(fd, head, sizeof(head), 0);

    return n > 0 ? find_magic(head, (size_t)n) : NULL;
}

/* In the child: file as standard input, pipe as standard output, the tool instead of us. */
static _Noreturn void
become_unpacker(const char *tool, int file, int pipe_end)
{
    char *const argv[] = { (char *)tool, "-dc", NULL };

    signal(SIGPIPE, SIG_DFL);
    if (dup2(file, STDIN_FILENO) >= 0 && dup2(pipe_end, STDOUT_FILENO) >= 0)
        execvp(tool, argv);
    _exit(EXEC_FAILED);
}

static basin_status
start_unpacker(struct input *in, const struct unpacker *u, basin_error *err)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0)
        return cli_system_error(err, errno, "%s: cannot make a pipe", in->name);
    in->tool = u->tool;
    in->unpacker = fork();
    if (in->unpacker == 0)
        become_unpacker(u->tool, in->fd, ends[1]);
    close(ends[1]);
    if (in->unpacker < 0) {
        in->unpacker = 0;
        close(ends[0]);
        return cli_system_error(err, errno, "%s: cannot start %s", in->name, u->tool);
    }
    in->file_fd = in->fd;
    in->fd = ends[0];
    return BASIN_OK;
}

basin_status
input_open(struct input *in, const char *path, size_t line_max, basin_error *err)
{
    const struct unpacker *u;
    struct stat info;

    *in = (struct input){ .name = path, .fd = STDIN_FILENO, .file_fd = -1, .line_max = line_max };
    grow_room(&in->buffer, INPUT_READ_SIZE); /* never NULL from here on */
    if (strcmp(path, "-") == 0)
        in->name = "standard input";
    else
        in->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (in->fd < 0)
        return cli_system_error(err, errno, "cannot open %s", path);
    if (fstat(in->fd, &info) != 0)
        return cli_system_error(err, errno, "cannot read %s", in->name);
    if (S_ISDIR(info.st_mode))
        return cli_error(err, BASIN_MISUSE, "%s is a folder", path);
    if (!S_ISREG(info.st_mode))
        return BASIN_OK;
    in->is_file = true;
    in->file_size = (uint64_t)info.st_size;
    u = in->fd != STDIN_FILENO ? find_unpacker(in->fd) : NULL;
    return u != NULL ? start_unpacker(in, u, err) : BASIN_OK;
}

static basin_status
wait_for_unpacker(struct input *in, basin_error *err)
{
    int status = 0;
    pid_t pid;

    do {
        pid = waitpid(in->unpacker, &status, 0);
    } while (pid < 0 && errno == EINTR);
    in->unpacker = 0;
    if (pid < 0)
        return cli_system_error(err, errno, "%s: waiting for %s", in->name, in->tool);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return BASIN_OK;
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXEC_FAILED) {
        cli_error(err, BASIN_IO, "%s: %s is needed to unpack it", in->name, in->tool);
        cli_hint(err, "install %s", in->tool);
        return BASIN_IO;
    }
    return cli_error(err, BASIN_CORRUPT, "%s: %s could not unpack it to the end", in->name,
                     in->tool);
}

/* ------------------------------------------------------------------ lines */

/* A stream has been read when its first bytes are known: it cannot be handed on any more, and
 * packed bytes must not become keys. */
static basin_status
refuse_packed(const uint8_t *head, size_t size, basin_error *err)
{
    const struct unpacker *u = find_magic(head, size);

    if (u == NULL)
        return BASIN_OK;
    cli_error(err, BASIN_MISUSE, "standard input is packed with %s", u->tool);
    cli_hint(err, "unpack it on the way: `%s -dc FILE | basin ...`, or name the file", u->tool);
    return BASIN_MISUSE;
}

static basin_status
fill(struct input *in, basin_error *err)
{
    uint8_t *room;
    ssize_t n;
    basin_status st = BASIN_OK;

    if (in->at > 0) {
        memmove(in->buffer.data, in->buffer.data + in->at, in->buffer.size - in->at);
        in->buffer.size -= in->at;
        in->at = 0;
    }
    room = grow_room(&in->buffer, INPUT_READ_SIZE);
    do {
        TRY(stop_check(err));
        n = read(in->fd, room, INPUT_READ_SIZE);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return cli_system_error(err, errno, "cannot read %s", in->name);
    if (n > 0 && in->fd == STDIN_FILENO && in->bytes == 0 && in->buffer.size == 0)
        TRY(refuse_packed(room, (size_t)n, err));
    in->buffer.size += (size_t)n;
    if (n > 0)
        goto out;
    in->at_end = true;
    st = in->unpacker != 0 ? wait_for_unpacker(in, err) : BASIN_OK;
out:
    return st;
}

/* Passes over what is left of a line that was too long. */
static basin_status
skip_line(struct input *in, basin_error *err)
{
    basin_status st = BASIN_OK;

    while (in->skip_rest) {
        const uint8_t *from = in->buffer.data + in->at;
        size_t left = in->buffer.size - in->at;
        const uint8_t *newline = left > 0 ? memchr(from, '\n', left) : NULL;

        in->at = newline != NULL ? (size_t)(newline - in->buffer.data) + 1 : in->buffer.size;
        in->skip_rest = newline == NULL && !in->at_end;
        if (in->skip_rest)
            TRY(fill(in, err));
    }
out:
    return st;
}

static basin_status
line_too_long(const struct input *in, basin_error *err)
{
    cli_error(err, BASIN_LIMIT, "%s: line %llu is longer than %zu bytes", in->name,
              (unsigned long long)in->line, in->line_max);
    cli_hint(err, "a line may take a quarter of --mem; `put DB KEY -` and `load` have no such "
                  "limit");
    return BASIN_LIMIT;
}

basin_status
input_line(struct input *in, basin_bytes *line, bool *ended, basin_error *err)
{
    size_t searched = 0;
    basin_status st;

    *line = (basin_bytes){ 0 };
    TRY(skip_line(in, err));
    for (;;) {
        size_t left = in->buffer.size - in->at;
        const uint8_t *from = in->buffer.data + in->at, *newline = NULL;

        if (left > searched)
            newline = memchr(from + searched, '\n', left - searched);
        if (newline == NULL && left <= in->line_max && !in->at_end) {
            searched = left;
            TRY(fill(in, err));
            continue;
        }
        if (newline == NULL && left == 0)
            return BASIN_END;
        *line = bytes_from(from, newline != NULL ? (size_t)(newline - from) : left);
        in->line++;
        in->bytes += line->size + (newline != NULL);
        in->at += line->size + (newline != NULL);
        if (ended != NULL)
            *ended = newline != NULL;
        if (line->size > in->line_max) {
            in->skip_rest = newline == NULL;
            return line_too_long(in, err);
        }
        return BASIN_OK;
    }
out:
    return st;
}

bool
input_can_rewind(const struct input *in)
{
    return in->is_file && in->file_fd < 0 && in->fd != STDIN_FILENO;
}

basin_status
input_rewind(struct input *in, basin_error *err)
{
    if (lseek(in->fd, 0, SEEK_SET) < 0)
        return cli_system_error(err, errno, "cannot read %s again", in->name);
    grow_clear(&in->buffer);
    in->at = 0;
    in->line = in->bytes = 0;
    in->at_end = in->skip_rest = false;
    return BASIN_OK;
}

void
input_place(const struct input *in, uint64_t *done, uint64_t *total)
{
    off_t at = in->file_fd >= 0 ? lseek(in->file_fd, 0, SEEK_CUR) : -1;

    *total = in->file_size;
    *done = at >= 0 ? (uint64_t)at : in->bytes;
}

basin_status
input_close(struct input *in, basin_error *err)
{
    basin_status st = BASIN_OK;

    if (in->fd > STDIN_FILENO)
        close(in->fd);
    if (in->file_fd >= 0)
        close(in->file_fd);
    in->fd = in->file_fd = -1;
    if (in->unpacker != 0) {
        /* we stopped early: its failing over the closed pipe is no news */
        basin_status ended = wait_for_unpacker(in, err);
        st = in->at_end ? ended : BASIN_OK;
    }
    grow_free(&in->buffer);
    return st;
}
