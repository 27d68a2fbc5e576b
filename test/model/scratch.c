// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
#include "scratch.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/base.h"

void
scratch_make(char path[SCRATCH_PATH_MAX])
{
    const char *parent = getenv("TMPDIR");
    int n = snprintf(path, SCRATCH_PATH_MAX, "%s/basin-test-XXXXXX",
                     parent && *parent ? parent : "/tmp");

    must(n > 0 && n < SCRATCH_PATH_MAX);
    must(mkdtemp(path) != NULL);
}

static int
remove_one(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    (void)info;
    (void)kind;
    (void)at;
    return remove(path);
}

void
scratch_remove(const char *path)
{
    must(nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0);
}
