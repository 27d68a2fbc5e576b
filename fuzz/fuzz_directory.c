// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * A reader table of any bytes, and files of any names among the objects. The first byte says: 1 =
 * the header of the table is made right, 2 = a reader opens, 4 = check and salvage; the second how
 * many bytes are the table. The rest are lines: a digit for the folder, a name. Whatever lies
 * there, the pairs of the template are shown, or the opening is refused.
 */
#include "machine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SEAL = 1, READER = 2, CARE = 4, TABLE = 4096 + 1024 * 128, NAMES_MAX = 12, NAME_MAX_ = 40 };

static const char *const folders[] = { "head", "log", "ckpt", "strata", "values", "tmp", "." };

static void
put_table(struct machine *m, const uint8_t *data, size_t size, bool seal)
{
    uint8_t *table = mem_new(&base_malloc, TABLE);
    struct os_file *f;

    must(table != NULL);
    memcpy(table, data, MIN_OF(size, (size_t)64));
    if (size > 64) /* the sequence, the copies, and the first slots */
        memcpy(table + 64, data + 64, MIN_OF(size - 64, (size_t)128));
    if (size > 192)
        memcpy(table + 4096, data + 192, size - 192);
    if (seal) {
        memcpy(table, "BASINRDR\0\0\0\0\0\0\0\0", 16);
        memcpy(table + 16, machine_database_id(), 16);
        memset(table + 32, 0, 24);
        store_u64(table + 56, hash64(table, 56, 0));
        store_u64(table + 88, 1024);
    }
    machine_put(m, "db/readers", bytes_of(table, TABLE));
    must(os_open(m->os, "db/readers", OS_WRITE, &f, NULL) == BASIN_OK);
    must(os_allocate(f, TABLE, NULL) == BASIN_OK);
    os_close(f);
    mem_free(&base_malloc, table, TABLE);
}

/* Names without a slash or a zero byte; what is there already stays. */
static void
put_names(struct machine *m, const uint8_t *data, size_t size)
{
    char path[96], name[NAME_MAX_ + 1];
    uint64_t there;
    struct rd r = rd_over(data, size);

    for (int i = 0; i < NAMES_MAX && rd_left(&r) > 1; i++) {
        const char *folder = folders[rd_u8(&r) % COUNT_OF(folders)];
        size_t n = 0;
        uint8_t c;
        while (rd_left(&r) > 0 && (c = rd_u8(&r)) != '\n')
            if (c != '/' && c != 0 && n < NAME_MAX_)
                name[n++] = (char)c;
        name[n] = 0;
        (void)snprintf(path, sizeof path, "db/%s/%s", folder, name);
        if (n > 0 && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
            os_path_size(m->os, path, &there, NULL) != BASIN_OK)
            machine_put(m, path, BYTES_LIT("something"));
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint64_t want;
    struct machine m;
    struct lsm_options o;
    struct lsm *db;
    size_t table;
    uint8_t how;
    basin_status st;

    if (size < 2)
        return 0;
    how = data[0];
    table = MIN_OF((size_t)data[1], size - 2);
    machine_copy(&m, "none", "none");
    o = machine_options(&m);
    if (want == 0) {
        must(lsm_open("db", &o, &db, NULL) == BASIN_OK);
        want = machine_digest(db, true);
        must(lsm_close(db, NULL) == BASIN_OK);
    }
    put_table(&m, data + 2, table, how & SEAL);
    put_names(&m, data + 2 + table, size - 2 - table);
    if (how & CARE)
        machine_care(&m, &o);
    o.read_only = how & READER;
    st = lsm_open("db", &o, &db, NULL);
    if (st == BASIN_OK) {
        must(machine_digest(db, true) == want);
        (void)!lsm_close(db, NULL);
    }
    must(st == BASIN_OK || st == BASIN_CORRUPT || st == BASIN_VERSION || st == BASIN_LIMIT ||
         st == BASIN_MISUSE || st == BASIN_BUSY);
    machine_release(&m);
    return 0;
}
