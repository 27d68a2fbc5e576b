// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Where tests find files. The source folder is known from the place of this file, which the
 * compiler was given as a full path.
 */
#include "data.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

static atomic_uint skips;

void
test_source_path(const char *name, char *path, size_t size)
{
    static const char here[] = "/test/model/data.c";
    const char *file = __FILE__;
    size_t n = strlen(file);

    if (strcmp(file, here + 1) == 0) { /* compiled from within the source folder */
        must((size_t)snprintf(path, size, "%s", name) < size);
        return;
    }
    must(n >= sizeof here - 1 && strcmp(file + n - (sizeof here - 1), here) == 0);
    n -= sizeof here - 1;
    must((size_t)snprintf(path, size, "%.*s/%s", (int)n, file, name) < size);
}

bool
test_data_path(const char *name, char *path, size_t size)
{
    const char *folder = getenv("BASIN_TEST_DATA");
    const char *require = getenv("BASIN_REQUIRE_DATA");
    struct stat info;

    if (folder && *folder) {
        must((size_t)snprintf(path, size, "%s/%s", folder, name) < size);
    } else {
        char below[512];
        must((size_t)snprintf(below, sizeof below, "../shared/data/%s", name) < sizeof below);
        test_source_path(below, path, size);
    }
    if (stat(path, &info) == 0)
        return true;
    fprintf(stderr, "SKIP %u: no conformance data at %s (set BASIN_TEST_DATA)\n",
            atomic_fetch_add(&skips, 1) + 1, path);
    if (require && strcmp(require, "1") == 0)
        fail_msg("BASIN_REQUIRE_DATA=1, and %s does not exist", path);
    return false;
}

unsigned
test_data_skips(void)
{
    return atomic_load(&skips);
}

bool
test_read_file(const char *path, struct buf *to)
{
    FILE *f = fopen(path, "rb");
    size_t got = 0;
    bool ok = f != NULL;

    to->size = 0;
    while (ok) {
        ok = buf_reserve(to, 64 * KIB) == BASIN_OK;
        got = ok ? fread(to->data + to->size, 1, 64 * KIB, f) : 0;
        to->size += got;
        if (got == 0)
            break;
    }
    ok = ok && !ferror(f);
    if (f)
        fclose(f);
    return ok;
}
