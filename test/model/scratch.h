// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * A directory of the test's own on the real file system, below $TMPDIR or /tmp.
 */
#ifndef TEST_MODEL_SCRATCH_H
#define TEST_MODEL_SCRATCH_H

enum { SCRATCH_PATH_MAX = 256 };

/* Makes an empty directory and writes its path. Fails the program when it cannot. */
void scratch_make(char path[SCRATCH_PATH_MAX]);
/* Removes the directory and all that is in it. */
void scratch_remove(const char *path);

#endif
