// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Inodes of the simulator: bytes, pages with their un-synced changes, sizes, space on the disk.
 * Nothing here counts calls or injects faults; that is for the callers.
 * A change costs one allocation with the bytes that it replaced, and none of these bytes where they
 * were zeros, so that appending to fresh blocks keeps nothing twice.
 */
#include "os/sim.h"

/* ------------------------------------------------------------------ life */

struct sim_inode *
sim__inode_new(struct os_sim *sim, bool is_dir)
{
    struct sim_inode *inode = mem_new(sim->mem, sizeof *inode);

    if (!inode)
        return NULL;
    inode->id = ++sim->inode_id;
    inode->refs = 1;
    inode->is_dir = is_dir;
    inode->prev = sim->inodes_last;
    if (sim->inodes_last)
        sim->inodes_last->next = inode;
    else
        sim->inodes = inode;
    sim->inodes_last = inode;
    return inode;
}

void
sim__inode_ref(struct sim_inode *inode)
{
    inode->refs++;
}

static void
unlist(struct os_sim *sim, struct sim_inode *inode)
{
    if (inode->prev)
        inode->prev->next = inode->next;
    else
        sim->inodes = inode->next;
    if (inode->next)
        inode->next->prev = inode->prev;
    else
        sim->inodes_last = inode->prev;
}

/* What lay in a dead file may show up in the fresh blocks of another one. */
static void
keep_rubbish(struct os_sim *sim, struct sim_inode *inode)
{
    if (!inode->buffer || inode->buffer->refs > 1 || inode->size < SIM_SECTOR_SIZE)
        return;
    sim__buffer_unref(sim, sim->rubbish);
    sim->rubbish = inode->buffer;
    sim->rubbish_size = MIN_OF(inode->size, (uint64_t)SIM_RUBBISH_SIZE);
    inode->buffer = NULL;
}

static void
bury(struct os_sim *sim, struct sim_inode *inode)
{
    must(!inode->maps && !inode->locks && inode->opens == 0 && inode->links == 0);
    while (inode->entry_count) {
        struct sim_inode *child = inode->entries[--inode->entry_count].inode;
        sim__inode_unuse(sim, child, &child->links);
        sim__inode_unref(sim, child);
    }
    sim__inode_forget(sim, inode);
    keep_rubbish(sim, inode);
    sim__buffer_unref(sim, inode->buffer);
    mem_free(sim->mem, inode->pages, inode->page_count * sizeof *inode->pages);
    mem_free(sim->mem, inode->entries, inode->entry_capacity * sizeof *inode->entries);
    unlist(sim, inode);
    mem_free(sim->mem, inode, sizeof *inode);
}

/* A directory lets go of its entries when it dies; these join the chain, so that the depth of a
 * tree costs no stack. */
void
sim__inode_unref(struct os_sim *sim, struct sim_inode *inode)
{
    if (!inode)
        return;
    must(inode->refs > 0);
    if (--inode->refs > 0)
        return;
    inode->dying = sim->dying;
    sim->dying = inode;
    if (!sim->burying)
        sim__bury_all(sim);
}

void
sim__bury_all(struct os_sim *sim)
{
    sim->burying = true;
    while (sim->dying) {
        struct sim_inode *dead = sim->dying;
        sim->dying = dead->dying;
        bury(sim, dead);
    }
    sim->burying = false;
}

void
sim__inode_use(struct os_sim *sim, struct sim_inode *inode, size_t *counter)
{
    if (inode->links + inode->opens == 0)
        sim->pages_used += inode->pages_allocated;
    (*counter)++;
}

void
sim__inode_unuse(struct os_sim *sim, struct sim_inode *inode, size_t *counter)
{
    must(*counter > 0);
    (*counter)--;
    if (inode->links + inode->opens == 0)
        sim->pages_used -= inode->pages_allocated;
}

void
sim__inode_set_allocated(struct os_sim *sim, struct sim_inode *inode, size_t page, bool allocated)
{
    struct sim_page *p = &inode->pages[page];
    bool counts = inode->links + inode->opens > 0;

    if (p->allocated == allocated)
        return;
    p->allocated = allocated;
    if (allocated) {
        inode->pages_allocated++;
        sim->pages_used += counts;
    } else {
        inode->pages_allocated--;
        sim->pages_used -= counts;
    }
}

/* ------------------------------------------------------------------ bytes */

void
sim__buffer_unref(struct os_sim *sim, struct sim_buffer *buffer)
{
    if (!buffer || --buffer->refs > 0)
        return;
    mem_free(sim->mem, buffer, sizeof *buffer + buffer->capacity);
}

/* A buffer of the inode alone may move; one that maps share stays where it is, and the inode goes
 * on in a copy: sim__inode_put then writes to both. */
static bool
buffer_grow(struct os_sim *sim, struct sim_inode *inode, size_t capacity)
{
    struct sim_buffer *old = inode->buffer, *b;
    size_t old_capacity = old ? old->capacity : 0;

    if (capacity <= old_capacity)
        return true;
    capacity = MAX_OF(capacity, MIN_OF(old_capacity * 2, (size_t)SIM_FILE_SIZE_MAX));
    if (old && old->refs > 1) {
        b = sim->mem->resize(sim->mem->ctx, NULL, 0, sizeof *b + capacity);
        if (!b)
            return false;
        memcpy(b->data, old->data, old_capacity);
        b->refs = 1;
        old->refs--;
    } else {
        b = sim->mem->resize(sim->mem->ctx, old, old ? sizeof *b + old_capacity : 0,
                             sizeof *b + capacity);
        if (!b)
            return false;
        if (!old)
            b->refs = 1;
    }
    memset(b->data + old_capacity, 0, capacity - old_capacity);
    b->capacity = capacity;
    inode->buffer = b;
    return true;
}

static bool
pages_grow(struct os_sim *sim, struct sim_inode *inode, size_t count)
{
    struct sim_page *pages;

    if (count <= inode->page_count)
        return true;
    count = MAX_OF(count, inode->page_count * 2);
    pages = sim->mem->resize(sim->mem->ctx, inode->pages, inode->page_count * sizeof *inode->pages,
                             count * sizeof *pages);
    if (!pages)
        return false;
    memset(pages + inode->page_count, 0, (count - inode->page_count) * sizeof *pages);
    inode->pages = pages;
    inode->page_count = count;
    return true;
}

bool
sim__inode_reserve(struct os_sim *sim, struct sim_inode *inode, uint64_t size)
{
    size_t pages = (size_t)((size + SIM_PAGE_SIZE - 1) / SIM_PAGE_SIZE);

    must(size <= SIM_FILE_SIZE_MAX);
    return pages_grow(sim, inode, pages) && buffer_grow(sim, inode, pages * SIM_PAGE_SIZE);
}

void
sim__inode_unshare(struct os_sim *sim, struct sim_inode *inode)
{
    struct sim_buffer *old = inode->buffer, *b;

    if (!old || old->refs == 1)
        return;
    b = sim->mem->resize(sim->mem->ctx, NULL, 0, sizeof *b + old->capacity);
    must(b != NULL);
    memcpy(b, old, sizeof *b + old->capacity);
    b->refs = 1;
    old->refs--;
    inode->buffer = b;
}

static void
put_into(uint8_t *to, const uint8_t *p, size_t n)
{
    if (p)
        memcpy(to, p, n);
    else
        memset(to, 0, n);
}

void
sim__inode_put(struct sim_inode *inode, uint64_t at, const uint8_t *p, size_t n)
{
    put_into(inode->buffer->data + at, p, n);
    for (struct sim_map *m = inode->maps; m; m = m->next) {
        uint64_t end = MIN_OF(at + n, (uint64_t)m->buffer->capacity);
        if (m->buffer != inode->buffer && at < end)
            put_into(m->buffer->data + at, p, (size_t)(end - at));
    }
}

/* ------------------------------------------------------------------ changes */

static void
mark_dirty(struct sim_inode *inode, size_t page)
{
    if (inode->dirty_first == inode->dirty_end) {
        inode->dirty_first = page;
        inode->dirty_end = page + 1;
        return;
    }
    inode->dirty_first = MIN_OF(inode->dirty_first, page);
    inode->dirty_end = MAX_OF(inode->dirty_end, page + 1);
}

bool
sim__inode_change(struct os_sim *sim, struct sim_inode *inode, enum sim_change_kind kind,
                  uint64_t at, const uint8_t *p, size_t n)
{
    size_t index = (size_t)(at / SIM_PAGE_SIZE);
    struct sim_page *page = &inode->pages[index];
    size_t kept = page->written ? n : 0;
    struct sim_change *c;

    must(n > 0 && at / SIM_PAGE_SIZE == (at + n - 1) / SIM_PAGE_SIZE);
    c = sim->mem->resize(sim->mem->ctx, NULL, 0, sizeof *c + kept);
    if (!c)
        return false;
    *c = (struct sim_change){ .older = page->newest,
                              .ordinal = inode->resize_ordinal,
                              .at = (uint16_t)(at % SIM_PAGE_SIZE),
                              .size = (uint16_t)n,
                              .kind = (uint8_t)kind,
                              .zeros = kept == 0 };
    if (kept)
        memcpy(c->before, inode->buffer->data + at, n);
    page->newest = c;
    page->written = true;
    mark_dirty(inode, index);
    sim__inode_put(inode, at, p, n);
    return true;
}

bool
sim__inode_resize(struct os_sim *sim, struct sim_inode *inode, uint64_t size)
{
    struct sim_resize *r = mem_new(sim->mem, sizeof *r);

    if (!r)
        return false;
    r->older = inode->resize_newest;
    r->ordinal = inode->resize_ordinal++;
    r->before = inode->size;
    inode->resize_newest = r;
    inode->size = size;
    return true;
}

void
sim__page_forget(struct os_sim *sim, struct sim_page *page)
{
    while (page->newest) {
        struct sim_change *c = page->newest;
        page->newest = c->older;
        mem_free(sim->mem, c, sizeof *c + (c->zeros ? 0 : c->size));
    }
}

static void
resizes_forget(struct os_sim *sim, struct sim_inode *inode)
{
    while (inode->resize_newest) {
        struct sim_resize *r = inode->resize_newest;
        inode->resize_newest = r->older;
        mem_free(sim->mem, r, sizeof *r);
    }
}

void
sim__inode_forget(struct os_sim *sim, struct sim_inode *inode)
{
    for (size_t i = inode->dirty_first; i < inode->dirty_end; i++)
        sim__page_forget(sim, &inode->pages[i]);
    inode->dirty_first = inode->dirty_end = 0;
    resizes_forget(sim, inode);
}

/* A page is written whole: one fresh change takes the dropped ones of the same page along. The
 * newest tells, since nothing is dropped after it. */
void
sim__inode_sync(struct os_sim *sim, struct sim_inode *inode)
{
    size_t first = inode->dirty_first, end = inode->dirty_end;

    inode->dirty_first = inode->dirty_end = 0;
    for (size_t i = first; i < end; i++) {
        struct sim_page *page = &inode->pages[i];
        if (page->newest && page->newest->dropped)
            mark_dirty(inode, i);
        else
            sim__page_forget(sim, page);
    }
    resizes_forget(sim, inode);
}

void
sim__inode_sync_failed(struct sim_inode *inode)
{
    for (size_t i = inode->dirty_first; i < inode->dirty_end; i++) {
        for (struct sim_change *c = inode->pages[i].newest; c; c = c->older)
            c->dropped = true;
    }
}
