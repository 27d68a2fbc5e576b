// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * What a crash leaves. Names first: all un-synced changes are undone, then, in the random mode,
 * some are made again: each one that comes up and whose names have lost no earlier change. Then the
 * files: a size out of those it had since the last sync, and for each page a moment of its history,
 * for the whole page or sector by sector (a torn write-back); a mapped page may also stop in the
 * middle of a copy. Fresh blocks that never were written back hold zeros or rubbish.
 * Nothing here can fail: where memory is needed and refused it panics.
 */
#include "os/sim.h"

/* ------------------------------------------------------------------ names */

static void
undo_names(struct os_sim *sim)
{
    for (struct sim_name_change *c = sim->names_newest; c; c = c->older) {
        for (unsigned i = c->part_count; i > 0; i--)
            sim__dir_set(sim, c->dir, c->parts[i - 1].name, c->parts[i - 1].before);
    }
}

static bool
touches(const struct sim_name_change *a, const struct sim_name_change *b)
{
    if (a->dir != b->dir)
        return false;
    for (unsigned i = 0; i < a->part_count; i++) {
        for (unsigned k = 0; k < b->part_count; k++) {
            if (strcmp(a->parts[i].name, b->parts[k].name) == 0)
                return true;
        }
    }
    return false;
}

/* A change builds on the earlier ones of its names, and on the one that it needs. */
static bool
is_possible(const struct sim_name_change *c)
{
    for (const struct sim_name_change *o = c->older; o; o = o->older) {
        if (o->lost && (o->id == c->needs || touches(o, c)))
            return false;
    }
    return true;
}

static void
redo_some_names(struct os_sim *sim)
{
    uint64_t keep = sim__chance_below(&sim->fault_chance, 5); /* of 4: none, few, ..., all */

    for (struct sim_name_change *c = sim->names_oldest; c; c = c->newer) {
        c->lost = sim__chance_below(&sim->fault_chance, 4) >= keep || !is_possible(c);
        if (c->lost)
            continue;
        for (unsigned i = 0; i < c->part_count; i++)
            sim__dir_set(sim, c->dir, c->parts[i].name, c->parts[i].after);
    }
}

static void
crash_names(struct os_sim *sim, enum os_crash_mode mode)
{
    undo_names(sim);
    if (mode == OS_CRASH_RANDOM)
        redo_some_names(sim);
    while (sim->names_newest)
        sim__name_change_free(sim, sim->names_newest);
}

/* ------------------------------------------------------------------ sizes */

/* What of a file survives. */
struct outcome {
    uint64_t *chance; /* NULL: nothing un-synced survives */
    uint64_t size_synced;
    uint64_t size;
    uint64_t lost_from; /* ordinal of the first size change that is lost */
};

static void
choose_size(const struct sim_inode *inode, struct outcome *o)
{
    uint64_t count = 0, lost = 0;

    o->size = o->size_synced = inode->size;
    o->lost_from = inode->resize_ordinal;
    for (const struct sim_resize *r = inode->resize_newest; r; r = r->older) {
        o->size_synced = r->before;
        count++;
    }
    if (!o->chance)
        lost = count;
    else if (count) /* a third each: all lost, all kept, something between */
        switch (sim__chance_below(o->chance, 3)) {
        case 0:
            lost = count;
            break;
        case 1:
            lost = 0;
            break;
        default:
            lost = sim__chance_below(o->chance, count + 1);
        }
    for (const struct sim_resize *r = inode->resize_newest; lost > 0; r = r->older, lost--) {
        o->size = r->before;
        o->lost_from = r->ordinal;
    }
}

/* ------------------------------------------------------------------ pages */

/* Moments of a page are counted: 0 = as on disk, k = after its k-th change since. */
struct moments {
    size_t count;
    size_t low; /* the cuts that survive lie before it */
    size_t high;
    size_t of[SIM_SECTORS];
    size_t halfway; /* the whole page stopped in this change; 0 = in none */
};

static void
bound_moments(const struct sim_page *page, const struct outcome *o, struct moments *m)
{
    size_t i = 0;

    for (const struct sim_change *c = page->newest; c; c = c->older)
        m->count++;
    m->high = m->count;
    i = m->count;
    for (const struct sim_change *c = page->newest; c; c = c->older, i--) {
        if (c->kind != SIM_CUT)
            continue;
        if (c->ordinal >= o->lost_from)
            m->high = i - 1;
        else if (m->low == 0)
            m->low = i;
    }
}

static const struct sim_change *
change_number(const struct sim_page *page, const struct moments *m, size_t number)
{
    const struct sim_change *c = page->newest;

    for (size_t i = m->count; i > number; i--)
        c = c->older;
    return c;
}

static size_t
random_moment(const struct moments *m, uint64_t *chance)
{
    switch (sim__chance_below(chance, 4)) {
    case 0:
        return m->low;
    case 1:
        return m->high;
    default:
        return m->low + (size_t)sim__chance_below(chance, m->high - m->low + 1);
    }
}

static void
choose_moments(const struct sim_page *page, const struct outcome *o, struct moments *m)
{
    bool torn = o->chance && sim__chance_below(o->chance, 2) == 0;
    size_t whole = m->low;

    if (o->chance)
        whole = random_moment(m, o->chance);
    for (size_t s = 0; s < SIM_SECTORS; s++)
        m->of[s] = torn ? random_moment(m, o->chance) : whole;
    if (!o->chance || torn || whole >= m->high || sim__chance_below(o->chance, 2) == 0)
        return;
    if (change_number(page, m, whole + 1)->kind == SIM_MAP_WRITE)
        m->halfway = whole + 1;
}

static void
undo_bytes(uint8_t *bytes, const struct sim_change *c, size_t from, size_t to)
{
    if (c->zeros)
        memset(bytes + c->at + from, 0, to - from);
    else
        memcpy(bytes + c->at + from, c->before + from, to - from);
}

/* Undoes a change; on the way, if the page stopped inside it, takes that state: a copy goes
 * upwards or downwards, so a start or an end of it is there. */
static void
undo_change(uint8_t *now, uint8_t *out, const struct sim_change *c, bool halfway, uint64_t *chance)
{
    size_t cut = 0;

    if (halfway) {
        cut = (size_t)sim__chance_below(chance, (uint64_t)c->size + 1);
        if (sim__chance_below(chance, 2))
            undo_bytes(now, c, cut, c->size);
        else
            undo_bytes(now, c, 0, cut);
        memcpy(out, now, SIM_PAGE_SIZE);
    }
    undo_bytes(now, c, 0, c->size);
}

/* Walks back through the page's history and takes each sector at its moment. */
static void
rebuild_page(const struct sim_page *page, const struct outcome *o, const struct moments *m,
             uint8_t *bytes)
{
    uint8_t now[SIM_PAGE_SIZE], out[SIM_PAGE_SIZE];
    const struct sim_change *c = page->newest;

    memcpy(now, bytes, sizeof now);
    memcpy(out, bytes, sizeof out);
    for (size_t i = m->count;; i--) {
        for (size_t s = 0; s < SIM_SECTORS && !m->halfway; s++) {
            if (m->of[s] == i)
                memcpy(out + s * SIM_SECTOR_SIZE, now + s * SIM_SECTOR_SIZE, SIM_SECTOR_SIZE);
        }
        if (i == 0)
            break;
        undo_change(now, out, c, m->halfway == i, o->chance);
        c = c->older;
    }
    memcpy(bytes, out, sizeof out);
}

/* What lies on blocks that were given to a file and never written. */
static void
fill_rubbish(struct os_sim *sim, uint8_t *to, uint64_t kind)
{
    if (kind == 2) {
        for (size_t i = 0; i < SIM_SECTOR_SIZE; i += 8)
            store_u64(to + i, sim__chance(&sim->fault_chance));
    } else if (kind == 3 && sim->rubbish_size >= SIM_SECTOR_SIZE) {
        uint64_t sectors = sim->rubbish_size / SIM_SECTOR_SIZE;
        uint64_t at = sim__chance_below(&sim->fault_chance, sectors) * SIM_SECTOR_SIZE;
        memcpy(to, sim->rubbish->data + at, SIM_SECTOR_SIZE);
    } else {
        memset(to, 0, SIM_SECTOR_SIZE);
    }
}

static void
rubbish_into_fresh_sectors(struct os_sim *sim, const struct outcome *o, const struct moments *m,
                           uint64_t page_at, uint8_t *bytes)
{
    uint64_t kind = sim__chance_below(&sim->fault_chance, 4);

    for (size_t s = 0; s < SIM_SECTORS; s++) {
        uint64_t at = page_at + s * SIM_SECTOR_SIZE;
        if (at >= o->size_synced && at < o->size && m->of[s] == 0 && !m->halfway)
            fill_rubbish(sim, bytes + s * SIM_SECTOR_SIZE, kind);
    }
}

static void
crash_page(struct os_sim *sim, struct sim_inode *inode, size_t index, const struct outcome *o)
{
    struct sim_page *page = &inode->pages[index];
    uint64_t at = (uint64_t)index * SIM_PAGE_SIZE;
    uint8_t *bytes = inode->buffer->data + at;
    struct moments m = { 0 };

    bound_moments(page, o, &m);
    if (m.count) {
        choose_moments(page, o, &m);
        rebuild_page(page, o, &m, bytes);
        sim__inode_set_allocated(sim, inode, index, true);
    }
    if (o->chance && page->allocated && at + SIM_PAGE_SIZE > o->size_synced && at < o->size) {
        rubbish_into_fresh_sectors(sim, o, &m, at, bytes);
        page->written = true;
    }
    if (at >= o->size)
        sim__inode_set_allocated(sim, inode, index, false);
}

/* ------------------------------------------------------------------ files */

static void
crash_file(struct os_sim *sim, struct sim_inode *inode, enum os_crash_mode mode)
{
    struct outcome o = { .chance = mode == OS_CRASH_RANDOM ? &sim->fault_chance : NULL };

    if (!inode->buffer)
        return;
    choose_size(inode, &o);
    for (size_t i = 0; i < inode->buffer->capacity / SIM_PAGE_SIZE && i < inode->page_count; i++)
        crash_page(sim, inode, i, &o);
    must(o.size <= inode->buffer->capacity);
    memset(inode->buffer->data + o.size, 0, inode->buffer->capacity - (size_t)o.size);
    sim__inode_forget(sim, inode);
    inode->size = o.size;
}

void
os_sim_crash(struct os_sim *sim, enum os_crash_mode mode)
{
    sim->burying = true; /* nobody leaves the list of inodes while it is walked */
    sim__kill(&sim->first);
    for (struct sim_process *p = sim->others; p; p = p->next)
        sim__kill(p);
    for (struct sim_inode *i = sim->inodes; i; i = i->next)
        sim__inode_unshare(sim, i);
    if (mode != OS_CRASH_KILL) {
        crash_names(sim, mode);
        for (struct sim_inode *i = sim->inodes; i; i = i->next) {
            if (!i->is_dir)
                crash_file(sim, i, mode);
        }
    }
    sim__bury_all(sim);
    sim->crashed = false;
    sim->crash_at = sim->fail_at = 0;
    sim->fail_all = false;
}
