// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Runs a fuzz target over files without libFuzzer: each argument is a file or a folder of files.
 * So the seeds are a test under every compiler and sanitizer. Always runs the empty input first, so
 * that a target without seeds is run too.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned long inputs;

static int
complain(const char *path)
{
    fprintf(stderr, "replay: %s: %s\n", path, strerror(errno));
    return 1;
}

/* The bytes are in a block of exactly their size, so that a read past the end is seen. */
static int
run_file(const char *path, size_t size)
{
    FILE *f = fopen(path, "rb");
    uint8_t *data = malloc(size ? size : 1);
    int result = 0;

    if (!f || !data || fread(data, 1, size, f) != size) {
        result = complain(path);
    } else {
        LLVMFuzzerTestOneInput(data, size);
        inputs++;
    }
    if (f)
        fclose(f);
    free(data);
    return result;
}

static int
run_folder(const char *path)
{
    struct dirent *entry;
    struct stat info;
    char name[4096];
    DIR *folder = opendir(path);
    int result = 0;

    if (!folder)
        return complain(path);
    while ((entry = readdir(folder)) != NULL) {
        if (snprintf(name, sizeof name, "%s/%s", path, entry->d_name) >= (int)sizeof name ||
            stat(name, &info) != 0)
            result = complain(name);
        else if (S_ISREG(info.st_mode))
            result |= run_file(name, (size_t)info.st_size);
    }
    closedir(folder);
    return result;
}

int
main(int argc, char **argv)
{
    struct stat info;
    int result = 0;

    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++) {
        if (stat(argv[i], &info) != 0)
            result |= complain(argv[i]);
        else if (S_ISDIR(info.st_mode))
            result |= run_folder(argv[i]);
        else
            result |= run_file(argv[i], (size_t)info.st_size);
    }
    fprintf(stderr, "replay: %lu inputs and the empty one\n", inputs);
    return result;
}
