// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * A head made of any bytes, the block of the secret included. The first byte says whether (1) its
 * checksum stays as it is, (2) a key, (4) a passphrase is given, (8) a reader opens it. The cost of
 * a passphrase is cut down, within what the page allows. A head that is accepted names settings in
 * their range, and rekeying writes one that opens with the new key.
 */
#include "machine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RAW = 1, KEY = 2, PASSPHRASE = 4, READER = 8, HEAD = 256 };

static const uint8_t keys[2][CODEC_KEY_SIZE] = { { 1 }, { 2 } };

static void
change_secret(const struct lsm_options *o)
{
    struct lsm_options to = { .key = { keys[1], CODEC_KEY_SIZE } }, how = *o;
    struct lsm *db;

    how.read_only = false;
    if (lsm_rekey("db", &how, &to, NULL) != BASIN_OK)
        return;
    how.key = to.key;
    how.passphrase = BYTES_NULL;
    must(lsm_open("db", &how, &db, NULL) == BASIN_OK);
    (void)!lsm_close(db, NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t head[HEAD + 8] = { 0 }, how;
    struct machine m;
    struct lsm_options o;
    size_t n;
    basin_status st;

    if (size < 1)
        return 0;
    how = data[0];
    n = MIN_OF(size - 1, sizeof head);
    memcpy(head, data + 1, n);
    if (how & PASSPHRASE && n >= 56) {
        store_u32(head + 48, load_u32(head + 48) % 3);
        store_u32(head + 52, load_u32(head + 52) % 64);
    }
    if (!(how & RAW) && n >= HEAD) {
        memcpy(head, "BASIN DB", 8);
        store_u32(head + 8, LSM_FORMAT_VERSION);
        store_u64(head + HEAD - 8, hash64(head, HEAD - 8, 0));
    }
    machine_init(&m);
    machine_put(&m, "db/head/0-1", bytes_of(head, n));
    o = machine_options(&m);
    if (how & KEY)
        o.key = bytes_of(keys[0], CODEC_KEY_SIZE);
    if (how & PASSPHRASE)
        o.passphrase = BYTES_LIT("open sesame");
    o.stored_codec = true;
    o.read_only = how & READER;
    st = machine_read(&m, &o, true);
    must(st == BASIN_OK || st == BASIN_CORRUPT || st == BASIN_VERSION || st == BASIN_WRONG_KEY ||
         st == BASIN_MISUSE || st == BASIN_NOT_FOUND || st == BASIN_LIMIT);
    if (st == BASIN_OK)
        change_secret(&o);
    machine_release(&m);
    return 0;
}
