// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Records of the catalog on any bytes: the first byte is the size of the key, the rest is key and
 * value. A record that is accepted has the bytes that its name and id are written with.
 */
#include "catalog/catalog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
same_again(struct bytes key, struct bytes value, const struct catalog_name *name, uint64_t space)
{
    struct buf again;

    buf_init(&again, &base_malloc);
    must(catalog_key(&again, 0, (int)name->model) == BASIN_OK);
    for (size_t i = 0; i < name->part_count; i++)
        must(tuple_put_str(&again, name->parts[i]) == BASIN_OK);
    must(bytes_equal(buf_bytes(&again), key));
    buf_clear(&again);
    must(tuple_put_varint(&again, space) == BASIN_OK);
    must(bytes_equal(buf_bytes(&again), value));
    buf_release(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct catalog_name name;
    struct bytes key, value;
    struct buf room;
    uint64_t space;
    basin_status st;

    if (size == 0 || data[0] > size - 1)
        return 0;
    key = bytes_of(data + 1, data[0]);
    value = bytes_of(data + 1 + data[0], size - 1 - data[0]);
    buf_init(&room, &base_malloc);
    st = catalog_record_decode(key, value, &room, &name, &space, NULL);
    if (st == BASIN_OK) {
        must(name.part_count >= 1 && name.part_count <= CATALOG_PARTS_MAX && space != 0);
        same_again(key, value, &name, space);
    } else {
        must(st == BASIN_NOT_FOUND || st == BASIN_CORRUPT);
        must(name.part_count == 0 && space == 0);
    }
    buf_release(&room);
    return 0;
}
