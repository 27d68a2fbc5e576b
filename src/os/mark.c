// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * A mark by which a forked child is told from the process that made it: a page that the system
 * empties at fork. Asking costs one load, where getpid is a call of the system. A kernel that
 * cannot empty pages gets the call.
 */
#include "os/os.h"

#include <sys/mman.h>
#include <unistd.h>

enum { MARK_SIZE = 4096, MARK_OWN = 1 };

struct os_mark {
    const basin_allocator *mem;
    _Atomic uint32_t *page; /* NULL: compare process ids */
    pid_t process;
};

basin_status
os_mark_new(const basin_allocator *mem, struct os_mark **out, basin_error *err)
{
    struct os_mark *m = mem_new(mem, sizeof *m);
    void *p;

    *out = NULL;
    if (m == NULL)
        return error_set(err, BASIN_NO_MEM, "no memory for a mark");
    m->mem = mem;
    m->process = getpid();
    p = mmap(NULL, MARK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p != MAP_FAILED && madvise(p, MARK_SIZE, MADV_WIPEONFORK) != 0) {
        (void)munmap(p, MARK_SIZE);
        p = MAP_FAILED;
    }
    if (p != MAP_FAILED) {
        m->page = p;
        atomic_store_explicit(m->page, MARK_OWN, memory_order_relaxed);
    }
    *out = m;
    return BASIN_OK;
}

void
os_mark_free(struct os_mark *m)
{
    if (m == NULL)
        return;
    if (m->page != NULL)
        (void)munmap((void *)m->page, MARK_SIZE);
    mem_free(m->mem, m, sizeof *m);
}

bool
os_mark_is_own(const struct os_mark *m)
{
    if (LIKELY(m->page != NULL))
        return atomic_load_explicit(m->page, memory_order_relaxed) == MARK_OWN;
    return m->process == getpid();
}
