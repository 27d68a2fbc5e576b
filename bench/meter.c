// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Measures a workload: wall time, CPU of all threads of the process, memory, bytes written, and
 * whether somebody else used the machine meanwhile; writes the figures as one JSON line.
 *
 * CPU comes from getrusage. Bytes written are write_bytes of /proc/self/io: pages that the process
 * dirtied, through write calls or maps; a page dirtied again before write-back counts once. On a
 * file system that does not count them, what write calls were given (wchar); rows say which. Peak
 * RSS is the kernel's high-water mark, reset at the start; the parent samples anonymous memory
 * from outside, so that no thread of ours is in the figures. What the driver itself holds when the
 * group starts is subtracted from both.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine.h"
#include "work.h"

/* Other processes may use this part of one processor before a row counts as disturbed. */
#define QUIET_SHARE 0.10
enum { QUIET_TICKS = 3, TEXT_SIZE = 4096 };

/* Reads a small file of /proc; an empty text when it is not there. */
static void
read_text(const char *path, char text[TEXT_SIZE])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, TEXT_SIZE - 1);

    text[n > 0 ? n : 0] = 0;
    if (fd >= 0)
        close(fd);
}

/* The number behind a label; 0 when the label is absent. */
static uint64_t
number_after(const char *text, const char *label)
{
    const char *at = strstr(text, label);

    return at ? strtoull(at + strlen(label), NULL, 10) : 0;
}

uint64_t
anon_bytes(int pid)
{
    char path[64], text[TEXT_SIZE];

    if (pid)
        snprintf(path, sizeof path, "/proc/%d/status", pid);
    else
        snprintf(path, sizeof path, "/proc/self/status");
    read_text(path, text);
    return (number_after(text, "RssAnon:") + number_after(text, "RssShmem:")) * 1024;
}

static uint64_t
rss_high_water(void)
{
    char text[TEXT_SIZE];

    read_text("/proc/self/status", text);
    return number_after(text, "VmHWM:") * 1024;
}

static void
rss_reset(void)
{
    int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        return;
    if (write(fd, "5", 1) != 1)
        fprintf(stderr, "bench: the peak of memory cannot be reset: %s\n", strerror(errno));
    close(fd);
}

static uint64_t
io_bytes(const char *label)
{
    char text[TEXT_SIZE];

    read_text("/proc/self/io", text);
    return number_after(text, label);
}

const char *
io_label_of(const char *dir)
{
    uint64_t before = io_bytes("\nwrite_bytes:");

    sync_probe(dir);
    return io_bytes("\nwrite_bytes:") > before ? "\nwrite_bytes:" : "\nwchar:";
}

static uint64_t
own_cpu_us(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000u +
           (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

/* Ticks that all processors were busy, stolen time included. */
static uint64_t
machine_ticks(void)
{
    char text[TEXT_SIZE];
    unsigned long long user = 0, nice = 0, sys = 0, idle = 0, wait = 0;
    unsigned long long irq = 0, soft = 0, steal = 0;

    read_text("/proc/stat", text);
    sscanf(text, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &sys, &idle, &wait,
           &irq, &soft, &steal);
    return user + nice + sys + irq + soft + steal;
}

static struct usage
usage_now(const struct run *r)
{
    return (struct usage){ now_ns(), own_cpu_us(), io_bytes(r->io_label), machine_ticks() };
}

void
meter_base(struct run *r)
{
    rss_reset();
    r->rss_base = rss_high_water();
    r->anon_base = anon_bytes(0);
}

/* Lets perf look at this process until meter_end; only with --profile. */
static int
profiler_start(const struct run *r, const char *workload)
{
    char data[512], self[32];
    int pid;

    snprintf(data, sizeof data, "%s/%s-%s.perf", r->profile, r->column->name, workload);
    snprintf(self, sizeof self, "%d", (int)getpid());
    pid = fork();
    if (pid == 0) {
        execlp("perf", "perf", "record", "-q", "-g", "-F", "997", "-o", data, "-p", self, NULL);
        _exit(127);
    }
    nanosleep(&(struct timespec){ 0, 400000000 }, NULL);
    return pid;
}

void
meter_begin(struct run *r, struct meter *m, const char *workload)
{
    *m = (struct meter){ .profiler = 0 };
    if (r->profile)
        m->profiler = profiler_start(r, workload);
    rss_reset();
    atomic_store(&r->watch->anon_peak, anon_bytes(0));
    m->from = usage_now(r);
}

void
meter_end(struct run *r, struct meter *m)
{
    uint64_t anon, seen;

    m->to = usage_now(r);
    anon = anon_bytes(0);
    seen = atomic_load(&r->watch->anon_peak);
    if (seen > anon)
        anon = seen;
    m->rss_peak = rss_high_water();
    m->rss_peak = m->rss_peak > r->rss_base ? m->rss_peak - r->rss_base : 0;
    m->anon_peak = anon > r->anon_base ? anon - r->anon_base : 0;
    if (m->profiler > 0) {
        kill(m->profiler, SIGINT);
        waitpid(m->profiler, NULL, 0);
    }
}

/* Processors that others kept busy meanwhile, as a number of processors. */
static double
others_share(const struct meter *m, bool *quiet)
{
    double seconds = (double)(m->to.at_ns - m->from.at_ns) * 1e-9;
    double hz = (double)sysconf(_SC_CLK_TCK);
    double busy = (double)(m->to.machine_ticks - m->from.machine_ticks) / hz;
    double other = busy - (double)(m->to.cpu_us - m->from.cpu_us) * 1e-6;

    *quiet = other * hz <= QUIET_TICKS || other <= QUIET_SHARE * seconds;
    return other > 0 && seconds > 0 ? other / seconds : 0;
}

static int
write_figures(char *to, size_t n, const struct meter *m, const struct tally *t)
{
    double seconds = (double)(m->to.at_ns - m->from.at_ns) * 1e-9;
    double ops = (double)t->ops;
    bool quiet;
    double others = others_share(m, &quiet);

    return snprintf(to, n,
                    "\"ops\":%llu,\"seconds\":%.6f,\"rate\":%.1f,\"cpu_us\":%.4f,"
                    "\"p50_ns\":%llu,\"p99_ns\":%llu,\"p999_ns\":%llu,\"max_ns\":%llu,"
                    "\"rss_peak\":%llu,\"anon_peak\":%llu,\"written\":%llu,\"user_bytes\":%llu,"
                    "\"verified\":%llu,\"errors\":%llu,\"cut\":%s,\"others\":%.3f,\"quiet\":%s",
                    (unsigned long long)t->ops, seconds, seconds > 0 ? ops / seconds : 0,
                    t->ops ? (double)(m->to.cpu_us - m->from.cpu_us) / ops : 0,
                    (unsigned long long)hist_quantile(&t->hist, 0.5),
                    (unsigned long long)hist_quantile(&t->hist, 0.99),
                    (unsigned long long)hist_quantile(&t->hist, 0.999),
                    (unsigned long long)t->hist.max, (unsigned long long)m->rss_peak,
                    (unsigned long long)m->anon_peak,
                    (unsigned long long)(m->to.io_bytes - m->from.io_bytes),
                    (unsigned long long)t->user_bytes, (unsigned long long)t->verified,
                    (unsigned long long)t->errors, t->cut ? "true" : "false", others,
                    quiet && !m->profiler ? "true" : "false");
}

/* One line for who watches. */
static void
tell(const struct run *r, const char *workload, const struct meter *m, const struct tally *t)
{
    double seconds = (double)(m->to.at_ns - m->from.at_ns) * 1e-9;

    fprintf(stderr, "  %-14s %-24s", r->column->name, workload);
    if (t->ops > 1)
        fprintf(stderr, "%12.1f /s %9.3f us cpu", (double)t->ops / seconds,
                (double)(m->to.cpu_us - m->from.cpu_us) / (double)t->ops);
    else
        fprintf(stderr, "%12.4f s ", seconds);
    fprintf(stderr, "%s%s\n", t->cut ? " cut" : "", t->errors ? " ERRORS" : "");
}

void
row_write(struct run *r, const char *workload, const struct meter *m, const struct tally *t,
          const char *extra)
{
    bool refused = r->synced && !r->sync_real;
    char line[2048];
    int n;

    n = snprintf(line, sizeof line,
                 "{\"suite\":\"%s\",\"round\":%u,\"engine\":\"%s\",\"group\":\"%s\","
                 "\"workload\":\"%s\",\"level\":\"%s\",\"refused\":%s,",
                 r->suite->name, r->round, r->column->name, r->group, workload,
                 r->synced ? "synced" : "unsynced", refused ? "true" : "false");
    n += write_figures(line + n, sizeof line - (size_t)n, m, t);
    n += snprintf(line + n, sizeof line - (size_t)n, "%s}\n", extra ? extra : "");
    if (n >= (int)sizeof line || write(r->out, line, (size_t)n) != n)
        bench_fail("a row of %d bytes could not be written", n);
    r->errors += t->errors;
    tell(r, workload, m, t);
}

uint64_t
settle(const struct run *r)
{
    enum { STEP_MS = 50, CPU_US = 6000, WRITTEN = 64 * 1024, CALM_MS = 400, LIMIT_MS = 120000 };
    uint64_t from = now_ns(), last_busy = from;
    unsigned calm = 0;

    for (unsigned ms = 0; ms < LIMIT_MS && calm < CALM_MS; ms += STEP_MS) {
        uint64_t cpu = own_cpu_us(), io = io_bytes(r->io_label);

        nanosleep(&(struct timespec){ 0, STEP_MS * 1000000 }, NULL);
        calm += STEP_MS;
        if (own_cpu_us() - cpu >= CPU_US || io_bytes(r->io_label) - io >= WRITTEN) {
            calm = 0;
            last_busy = now_ns();
        }
    }
    return last_busy - from;
}
