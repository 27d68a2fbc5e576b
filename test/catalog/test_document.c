// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * docs/format/catalog.md is checked against the code: the bytes of models, the names, and the
 * records of a dictionary are what the library writes and reads.
 */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>

#include "model/document.h"

static struct world world;
static struct world *const w = &world;

static const struct model {
    const char *name;
    enum catalog_model model;
} models[] = {
    { "archive", CATALOG_ARCHIVE }, { "docs", CATALOG_DOCS },     { "forest", CATALOG_FOREST },
    { "graph", CATALOG_GRAPH },     { "keyspace", CATALOG_KEYS }, { "links", CATALOG_LINKS },
};

static int
setup(void **state)
{
    (void)state;
    world_init(w);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    world_release(w);
    return 0;
}

/* The record as the page writes it: model "part" "part" = id. */
static void
name_text(const struct catalog_name *name, uint64_t space, char *to, size_t size)
{
    size_t used = 0;

    for (size_t i = 0; i < COUNT_OF(models); i++) {
        if (models[i].model == name->model)
            used += (size_t)snprintf(to, size, "%s", models[i].name);
    }
    for (size_t i = 0; i < name->part_count; i++)
        used += (size_t)snprintf(to + used, size - used, " \"%.*s\"", (int)name->parts[i].size,
                                 name->parts[i].size ? (const char *)name->parts[i].data : "");
    snprintf(to + used, size - used, " = %llu", (unsigned long long)space);
}

/* Reads the record, then writes it through the door, where it must get the same bytes. */
static void
check_name_row(const struct document_row *row)
{
    struct lsm_txn *txn = world_begin(w);
    struct buf key, value, room;
    struct catalog_name name;
    struct bytes stored;
    uint64_t space, made = 0;
    char text[128] = "";
    uint8_t next[8];

    buf_init(&key, &base_malloc);
    buf_init(&value, &base_malloc);
    buf_init(&room, &base_malloc);
    assert_true(hex_read(row->cells[1], strlen(row->cells[1]), &key));
    assert_true(hex_read(row->cells[2], strlen(row->cells[2]), &value));
    expect_ok(w, catalog_record_decode(buf_bytes(&key), buf_bytes(&value), &room, &name, &space,
                                       &w->err));
    name_text(&name, space, text, sizeof text);
    assert_string_equal(text, row->cells[0]);
    store_u64(next, space);
    expect_ok(w, lsm_put(txn, BYTES_LIT("\0\0"), bytes_of(next, sizeof next), &w->err));
    expect_ok(w, catalog_space_create(txn, &name, &made, &w->err));
    assert_int_equal(made, space);
    expect_ok(w, lsm_get(txn, buf_bytes(&key), &stored, &w->err));
    assert_true(bytes_equal(stored, buf_bytes(&value)));
    lsm_abort(txn);
    buf_release(&key);
    buf_release(&value);
    buf_release(&room);
}

static void
check_model_row(const struct document_row *row)
{
    for (size_t i = 0; i < COUNT_OF(models); i++) {
        if (strcmp(models[i].name, row->cells[0]) == 0) {
            assert_int_equal(strtoul(row->cells[1], NULL, 16), models[i].model);
            return;
        }
    }
    fail_msg("a model that is not known: %s", row->cells[0]);
}

/* What the page's last example says was done, and the first space for "next = 2". */
static void
make_the_examples(void)
{
    static const struct catalog_dictionary_place place = { .space = 5,
                                                           .counter_tag = 0x0C,
                                                           .id_tag = 0x0D,
                                                           .bytes_tag = 0x0E,
                                                           .count_tag = 0x11,
                                                           .kind = 1 };
    struct catalog_name name = { CATALOG_KEYS, { BYTES_LIT("any") }, 1 };
    struct lsm_txn *txn = world_begin(w);
    struct catalog_dictionary d;
    uint64_t id;

    catalog_dictionary_init(&d, &w->memory.table, &place);
    expect_ok(w, catalog_dictionary_intern(&d, txn, BYTES_LIT("a\0b"), 3, &id, &w->err));
    expect_ok(w, catalog_space_create(txn, &name, &id, &w->err));
    world_commit(w, txn);
    catalog_dictionary_release(&d);
}

static void
every_row_of_the_document_holds(void **state)
{
    struct document document;
    struct document_row row;
    size_t names = 0, raw = 0, listed = 0;

    (void)state;
    make_the_examples();
    document_open(&document, "docs/format/catalog.md");
    while (document_next(&document, &row)) {
        if (strcmp(row.head, "model") == 0) {
            check_model_row(&row);
            listed++;
        } else if (strcmp(row.head, "example") == 0 && strchr(row.cells[0], '"') != NULL) {
            check_name_row(&row);
            names++;
        } else if (strcmp(row.head, "example") == 0) {
            world_expect_raw(w, row.cells[1], row.cells[2]);
            raw++;
        }
    }
    document_close(&document);
    assert_int_equal(listed, COUNT_OF(models));
    assert_true(names >= 3 && raw >= 5);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_row_of_the_document_holds, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
