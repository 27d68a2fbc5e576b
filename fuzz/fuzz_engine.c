// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Any sequence of operations on the engine, over a simulated machine, against a plain table. A byte
 * chooses the operation, the next ones its key and value: puts, deletes, range deletes, counters,
 * appends, savepoints, commits and aborts, flush, compact, bulk load, pins, close and open, kill
 * -9. After each end of a transaction every scan, and at times every get and every pin, must be
 * what the table says.
 */
#include "machine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    KEYS = 24,
    VALUE_MAX = 400,
    OPS_MAX = 80,
    REOPENS_MAX = 2 /* an opening looks through a whole log */,
    PINS = 3
};

struct cell {
    bool there;
    uint16_t size;
    uint8_t bytes[VALUE_MAX];
};

struct table {
    struct cell cells[KEYS];
};

struct run {
    struct rd in;
    struct machine m;
    struct lsm_options o;
    struct lsm *db;
    struct lsm_txn *txn; /* NULL: none is open */
    struct table now;    /* with what the open transaction wrote */
    struct table before; /* committed */
    struct table saved;  /* at the savepoint */
    bool has_savepoint;
    struct table pinned[PINS];
    bool has_pin[PINS];
    int reopens;
};

/* Keys of one, two and three bytes that share their beginnings. */
static struct bytes
key_of(size_t i, uint8_t to[3])
{
    to[0] = (uint8_t)('a' + i / 3);
    to[1] = 0;
    to[2] = 255;
    return bytes_of(to, 1 + i % 3);
}

static int
compare_keys(size_t a, size_t b)
{
    uint8_t x[3], y[3];

    return bytes_compare(key_of(a, x), key_of(b, y));
}

/* ------------------------------------------------------------------ comparing */

/* The key next to `from` (SIZE_MAX: from the end) in the order of the keys. */
static size_t
neighbour(const struct table *t, size_t from, bool forward)
{
    size_t best = SIZE_MAX;

    for (size_t i = 0; i < KEYS; i++) {
        int past = from == SIZE_MAX ? 1 : compare_keys(i, from);
        if (!t->cells[i].there || (from != SIZE_MAX && (forward ? past <= 0 : past >= 0)))
            continue;
        if (best == SIZE_MAX || (compare_keys(i, best) < 0) == forward)
            best = i;
    }
    return best;
}

static void
check_scan(struct lsm_txn *txn, const struct table *t, bool forward)
{
    const struct lsm_range all = { 0 };
    struct lsm_cursor *c;
    struct bytes value;
    uint8_t key[3];
    size_t at = SIZE_MAX;
    basin_status st;

    must(lsm_cursor_open(txn, &all, &c, NULL) == BASIN_OK);
    st = forward ? lsm_cursor_first(c, NULL) : lsm_cursor_last(c, NULL);
    for (;;) {
        at = neighbour(t, at, forward);
        must(st == (at == SIZE_MAX ? BASIN_END : BASIN_OK));
        if (at == SIZE_MAX)
            break;
        must(bytes_equal(lsm_cursor_key(c), key_of(at, key)));
        must(lsm_cursor_value(c, &value, NULL) == BASIN_OK);
        must(bytes_equal(value, bytes_of(t->cells[at].bytes, t->cells[at].size)));
        st = forward ? lsm_cursor_next(c, NULL) : lsm_cursor_prev(c, NULL);
    }
    lsm_cursor_close(c);
}

static void
check_gets(struct lsm_txn *txn, const struct table *t, size_t from, size_t to)
{
    struct bytes value;
    uint8_t key[3];

    for (size_t i = from; i < to; i++) {
        basin_status st = lsm_get(txn, key_of(i, key), &value, NULL);
        must(st == (t->cells[i].there ? BASIN_OK : BASIN_NOT_FOUND));
        must(st != BASIN_OK || bytes_equal(value, bytes_of(t->cells[i].bytes, t->cells[i].size)));
    }
}

static void
check_at(struct run *r, const char *pin, const struct table *t)
{
    const struct lsm_begin how = { .mode = LSM_READ, .at_pin = pin };
    struct lsm_txn *txn;

    must(lsm_begin(r->db, &how, &txn, NULL) == BASIN_OK);
    check_gets(txn, t, 0, KEYS);
    check_scan(txn, t, true);
    check_scan(txn, t, false);
    lsm_abort(txn);
}

static const char *
pin_name(size_t i)
{
    static const char *const names[PINS] = { "one", "two", "three" };

    return names[i];
}

static void
check_all(struct run *r)
{
    check_at(r, NULL, &r->before);
    for (size_t i = 0; i < PINS; i++)
        if (r->has_pin[i])
            check_at(r, pin_name(i), &r->pinned[i]);
}

/* ------------------------------------------------------------------ writing */

static void
begin(struct run *r)
{
    const struct lsm_begin how = { .mode = LSM_WRITE };

    if (r->txn == NULL)
        must(lsm_begin(r->db, &how, &r->txn, NULL) == BASIN_OK);
}

static void
end(struct run *r, bool commit)
{
    uint64_t seqno;

    if (r->txn == NULL)
        return;
    if (commit)
        must(lsm_commit(r->txn, rd_u8(&r->in) & 1, &seqno, NULL) == BASIN_OK);
    else
        lsm_abort(r->txn);
    r->txn = NULL;
    r->has_savepoint = false;
    if (commit)
        r->before = r->now;
    else
        r->now = r->before;
    check_at(r, NULL, &r->before);
}

static void
write_put(struct run *r, size_t i)
{
    struct cell *c = &r->now.cells[i];
    uint8_t key[3], n = rd_u8(&r->in);

    c->there = true;
    c->size = (uint16_t)(n < 200 ? n % 32 : VALUE_MAX); /* a large one is out of line */
    memset(c->bytes, n, c->size);
    must(lsm_put(r->txn, key_of(i, key), bytes_of(c->bytes, c->size), NULL) == BASIN_OK);
}

static void
write_append(struct run *r, size_t i)
{
    struct cell *c = &r->now.cells[i];
    uint8_t key[3], piece[4];
    size_t n = rd_u8(&r->in) % (sizeof piece + 1);

    if (!c->there)
        c->size = 0;
    if (c->size + n > VALUE_MAX)
        return;
    memset(piece, (int)n, sizeof piece);
    memcpy(c->bytes + c->size, piece, n);
    c->size = (uint16_t)(c->size + n);
    c->there = true;
    must(lsm_merge(r->txn, key_of(i, key), LSM_OP_APPEND, bytes_of(piece, n), NULL) == BASIN_OK);
}

static void
write_delete_range(struct run *r, size_t from)
{
    size_t to = rd_u8(&r->in) % (KEYS + 1);
    uint8_t a[3], b[3];
    bool unbounded = to == KEYS;

    if (!unbounded && compare_keys(from, to) >= 0)
        return;
    for (size_t i = 0; i < KEYS; i++)
        if (compare_keys(i, from) >= 0 && (unbounded || compare_keys(i, to) < 0))
            r->now.cells[i].there = false;
    must(lsm_delete_range(r->txn, key_of(from, a), unbounded ? BYTES_NULL : key_of(to, b),
                          unbounded, NULL) == BASIN_OK);
}

static void
savepoint(struct run *r)
{
    if (r->has_savepoint && rd_u8(&r->in) & 1) {
        must(lsm_rollback_to(r->txn, "s", NULL) == BASIN_OK);
        r->now = r->saved;
        return;
    }
    must(lsm_savepoint(r->txn, "s", NULL) == BASIN_OK);
    r->saved = r->now;
    r->has_savepoint = true;
}

/* ------------------------------------------------------------------ the rest */

static void
load(struct run *r)
{
    const struct lsm_load_options how = { .unsorted = true };
    struct lsm_load *l;
    uint8_t key[3], n = rd_u8(&r->in) % 8;
    uint64_t seqno;

    end(r, true);
    must(lsm_load_open(r->db, &how, &l, NULL) == BASIN_OK);
    for (uint8_t k = 0; k < n; k++) {
        size_t i = rd_u8(&r->in) % KEYS;
        struct cell *c = &r->now.cells[i];
        c->there = true;
        c->size = 5;
        memset(c->bytes, k, 5);
        must(lsm_load_add(l, key_of(i, key), bytes_of(c->bytes, 5), NULL) == BASIN_OK);
    }
    must(lsm_load_commit(l, &seqno, NULL) == BASIN_OK);
    r->before = r->now;
    check_all(r);
}

static void
pin(struct run *r)
{
    size_t i = rd_u8(&r->in) % PINS;
    uint64_t seqno;

    if (r->has_pin[i])
        must(lsm_unpin(r->db, pin_name(i), NULL) == BASIN_OK);
    else
        must(lsm_pin(r->db, pin_name(i), "fuzz", &seqno, NULL) == BASIN_OK);
    r->has_pin[i] = !r->has_pin[i];
    r->pinned[i] = r->before;
}

static void
reopen(struct run *r, bool kill)
{
    end(r, false);
    if (kill)
        os_sim_crash(r->m.sim, OS_CRASH_KILL);
    (void)!lsm_close(r->db, NULL); /* after a kill only to free */
    must(lsm_open("db", &r->o, &r->db, NULL) == BASIN_OK);
    check_all(r);
}

static void
step(struct run *r)
{
    uint8_t op = rd_u8(&r->in) % 20, key[3];
    size_t i = rd_u8(&r->in) % KEYS;
    bool more;

    if (op < 12)
        begin(r);
    if (op < 5) {
        write_put(r, i);
    } else if (op < 7) {
        r->now.cells[i].there = false;
        must(lsm_delete(r->txn, key_of(i, key), NULL) == BASIN_OK);
    } else if (op < 9) {
        write_append(r, i);
    } else if (op < 11) {
        write_delete_range(r, i);
    } else if (op == 11) {
        savepoint(r);
    } else if (op < 14) {
        end(r, true);
    } else if (op == 14) {
        end(r, i & 1);
    } else if (op == 15) {
        must(lsm_flush(r->db, NULL) == BASIN_OK);
        must(i & 1 || lsm_pump(r->db, &more, NULL) == BASIN_OK);
    } else if (op == 16) {
        must(lsm_compact(r->db, NULL, NULL) == BASIN_OK);
        check_all(r);
    } else if (op == 17) {
        load(r);
    } else if (op == 18) {
        pin(r);
    } else if (r->reopens++ < REOPENS_MAX) {
        reopen(r, i & 1);
    }
    if (r->txn != NULL)
        check_gets(r->txn, &r->now, i, i + 1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct run *r = mem_new(&base_malloc, sizeof *r);

    must(r != NULL);
    *r = (struct run){ .in = rd_over(data, size) };
    machine_init(&r->m);
    r->o = machine_options(&r->m);
    r->o.must_exist = false;
    must(lsm_open("db", &r->o, &r->db, NULL) == BASIN_OK);
    for (int n = 0; n < OPS_MAX && rd_left(&r->in) >= 2; n++)
        step(r);
    end(r, true);
    reopen(r, false);
    must(lsm_close(r->db, NULL) == BASIN_OK);
    machine_release(&r->m);
    mem_free(&base_malloc, r, sizeof *r);
    return 0;
}
