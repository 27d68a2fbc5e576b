// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Histories played in a child process, so that a failure of any kind (a check, a panic, a signal,
 * work without end) is an answer and not the end, and a failing one made short: items are left out,
 * ever smaller pieces of the list, while it still fails.
 */
#ifndef TEST_LSM_SHRINK_H
#define TEST_LSM_SHRINK_H

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lsm/history.h"

enum { SHRINK_ALARM_S = 60 };

/* Shared by a parent and the child that plays. */
struct stage {
    struct sites sites;
    uint64_t at; /* index of the seed that is played */
};

static inline struct stage *
stage_new(void)
{
    struct stage *s =
        mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    must(s != MAP_FAILED);
    return s;
}

static inline void
stage_free(struct stage *s)
{
    munmap(s, sizeof *s);
}

/* Runs play(ctx) in a child; whether it came to its end. It prints to `say`, or nowhere. */
static inline bool
played_well(void (*play)(void *ctx), void *ctx, FILE *say)
{
    int status = 0;
    pid_t child;

    (void)fflush(NULL);
    child = fork();
    must(child >= 0);
    if (child == 0) {
        FILE *null = say ? NULL : fopen("/dev/null", "w");
        must(say || null);
        (void)dup2(fileno(say ? say : null), STDERR_FILENO);
        (void)dup2(fileno(say ? say : null), STDOUT_FILENO);
        (void)setenv("CMOCKA_TEST_ABORT", "1", 1); /* a failed check ends the process */
        (void)alarm(SHRINK_ALARM_S);
        play(ctx);
        (void)fflush(NULL);
        _exit(0);
    }
    while (waitpid(child, &status, 0) < 0)
        ;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static inline void
play_history(void *ctx)
{
    history_play(ctx, NULL);
}

/* Without items [from, to). */
static inline void
history_without(const struct history *h, size_t from, size_t to, struct history *out)
{
    *out = *h;
    memmove(out->items + from, h->items + to, (h->count - to) * sizeof *h->items);
    out->count = h->count - (to - from);
}

/* Plays a history; the first line that a failing one says, without its numbers, goes to `why`. */
static inline bool
played_well_or_why(struct history *h, char *why, size_t size)
{
    FILE *say = tmpfile();
    bool well;
    size_t n = 0;
    int c;

    must(say);
    well = played_well(play_history, h, say);
    rewind(say);
    while ((c = fgetc(say)) != EOF && c != '\n' && n + 1 < size)
        if (c < '0' || c > '9')
            why[n++] = (char)c;
    why[n] = 0;
    (void)fclose(say);
    return well;
}

/* Leaves out what it can while the history fails in the same way. */
static inline void
history_shrink(struct history *h)
{
    struct history *less = malloc(sizeof *less);
    bool shorter = true;
    char why[200], now[200];

    assert_non_null(less);
    (void)played_well_or_why(h, why, sizeof why);
    for (size_t piece = h->count / 2; piece > 0 || shorter; piece /= 2) {
        piece = piece ? piece : 1;
        shorter = false;
        for (size_t at = h->count; at > 0;) {
            size_t from = at > piece ? at - piece : 0;
            history_without(h, from, at, less);
            if (!played_well_or_why(less, now, sizeof now) && strcmp(now, why) == 0) {
                *h = *less;
                shorter = true;
            }
            at = from;
        }
    }
    free(less);
}

/* A history as arguments of the test program: its seed, then each item. */
static inline void
history_print(const struct history *h, FILE *to)
{
    fprintf(to, "lsm_test_crash replay %llu", (unsigned long long)h->seed);
    for (size_t i = 0; i < h->count; i++)
        fprintf(to, " %c%llx", h->items[i].life ? 'L' : 's', (unsigned long long)h->items[i].seed);
    fprintf(to, "\n");
}

static inline void
history_read(struct history *h, int count, char **words)
{
    *h = (struct history){ .seed = strtoull(words[0], NULL, 0) };
    if (count == 1)
        history_make(h, h->seed, HISTORY_LIVES);
    for (int i = 1; i < count && h->count < HISTORY_MAX; i++)
        h->items[h->count++] =
            (struct history_item){ words[i][0] == 'L', strtoull(words[i] + 1, NULL, 16) };
}

#endif
