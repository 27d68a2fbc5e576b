// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The head object "head/N": what a database is (identity, settings, wrapped data key). Written
 * once at creation and anew, under the next number, when the secret changes; the newest counts.
 * docs/format/database.md is the law.
 */
#include <stdio.h>

#include "lsm/formats.h"
#include "lsm/rebuild.h"

enum {
    HEAD_SIZE = 256,
    HEAD_LEAST = 24,
    HEAD_SIZE_MAX = 4096,
    HEAD_AD_SIZE = 104,
    HEAD_FLAG_SEALED = 1,
    HEAD_FLAG_PASSPHRASE = 2
};

/* 0 magic 8 version 12 flags 16 id 32 page size 36 level factor 40 created 48 passes 52 memory
 * 56 salt 80 codec 84 its level 88 zeros 104 wrapped key (48) 152 zeros 248 checksum */

static basin_status
derive(const struct lsm_options *o, const uint8_t *h, struct codec_key *kek, basin_error *err)
{
    struct codec_cost cost = { load_u32(h + 48), load_u32(h + 52) };
    struct codec_key own;

    if (o->key.size != 0) {
        if (load_u32(h + 12) & HEAD_FLAG_PASSPHRASE)
            return error_set(err, BASIN_WRONG_KEY, "the database wants a passphrase, not a key");
        memcpy(own.bytes, o->key.data, CODEC_KEY_SIZE);
        codec_subkey(&own, h + 56, "basinhed", kek); /* one key may open several databases */
        codec_wipe(&own, sizeof(own));
        return BASIN_OK;
    }
    if (!(load_u32(h + 12) & HEAD_FLAG_PASSPHRASE))
        return error_set(err, BASIN_WRONG_KEY, "the database wants a key, not a passphrase");
    return codec_stretch(o->passphrase, h + 56, cost, kek, err);
}

static basin_status
check_secret(const struct lsm_options *o, basin_error *err)
{
    if (o->key.size != 0 && o->passphrase.size != 0)
        return error_set(err, BASIN_MISUSE, "give a passphrase or a key, not both");
    if (o->key.size != 0 && o->key.size != CODEC_KEY_SIZE)
        return error_set(err, BASIN_MISUSE, "a key of %zu bytes: it must have %d", o->key.size,
                         CODEC_KEY_SIZE);
    return BASIN_OK;
}

/* Fills flags, cost, salt and the wrapped key of a head whose other fields are set. */
static basin_status
wrap(struct lsm *db, const struct lsm_options *o, uint8_t *h, basin_error *err)
{
    basin_status st;
    struct codec_key kek = { { 0 } };

    store_u32(h + 12, o->key.size ? HEAD_FLAG_SEALED : HEAD_FLAG_SEALED | HEAD_FLAG_PASSPHRASE);
    store_u32(h + 48, o->key.size ? 0 : o->kdf.passes);
    store_u32(h + 52, o->key.size ? 0 : o->kdf.memory_kib);
    TRY(db->os->ops->random(db->os, h + 56, CODEC_SALT_SIZE, err));
    TRY(derive(o, h, &kek, err));
    codec_seal(&kek, 0, bytes_of(h, HEAD_AD_SIZE), bytes_of(db->data_key.bytes, CODEC_KEY_SIZE),
               h + HEAD_AD_SIZE);
out:
    codec_wipe(&kek, sizeof(kek));
    return st;
}

static basin_status
write_head(struct lsm *db, const struct lsm_options *secret, uint64_t generation, basin_error *err)
{
    basin_status st;
    uint8_t h[HEAD_SIZE] = { 0 };
    char name[LSM_OBJECT_NAME_SIZE];

    memcpy(h, HEAD_MAGIC, 8);
    store_u32(h + 8, LSM_FORMAT_VERSION);
    store_u64(h + 16, db->database_id[0]);
    store_u64(h + 24, db->database_id[1]);
    store_u32(h + 32, db->o.page_size);
    store_u32(h + 36, db->o.level_factor);
    store_u64(h + 40, db->created_ms);
    store_u32(h + 80, db->stored_codec);
    store_u32(h + 84, db->stored_level);
    if (db->encrypted)
        TRY(wrap(db, secret, h, err));
    store_u64(h + HEAD_SIZE - 8, hash64(h, HEAD_SIZE - 8, 0));
    lsm__object_name(name, "head", (struct object_id){ 0, generation });
    TRY(store_put(db->store, name, bytes_of(h, HEAD_SIZE), err));
out:
    codec_wipe(h, sizeof(h));
    return st;
}

/* The settings of a database that has none stored yet. */
static void
settle_codec(struct lsm *db)
{
    if (db->o.codec_level == 0)
        db->o.codec_level = CODEC_LEVEL_DEFAULT;
    db->stored_codec = (uint32_t)db->o.codec;
    db->stored_level = (uint32_t)db->o.codec_level;
}

/* What is encrypted is never mapped (decision 28); the store is open by now, its objects are not.
 */
static void
set_encrypted(struct lsm *db, bool encrypted)
{
    db->encrypted = encrypted;
    if (encrypted)
        store_no_maps(db->store);
}

basin_status
lsm__head_create(struct lsm *db, basin_error *err)
{
    basin_status st;

    TRY(check_secret(&db->o, err));
    TRY(db->os->ops->random(db->os, db->database_id, sizeof(db->database_id), err));
    set_encrypted(db, db->o.key.size != 0 || db->o.passphrase.size != 0);
    settle_codec(db);
    db->created_ms = db->os->ops->wall_ms(db->os);
    if (db->encrypted)
        TRY(db->os->ops->random(db->os, db->data_key.bytes, CODEC_KEY_SIZE, err));
    TRY(write_head(db, &db->o, 1, err));
out:
    return st;
}

/* ------------------------------------------------------------------ reading */

static basin_status
note_newest(void *ctx, const char *name, uint64_t size, basin_error *err)
{
    uint64_t *newest = ctx;
    struct object_id id;

    (void)size;
    (void)err;
    if (lsm__object_parse(name, &id) && id.epoch == 0)
        *newest = MAX_OF(*newest, id.number);
    return BASIN_OK;
}

static basin_status
unwrap(struct lsm *db, const uint8_t *h, basin_error *err)
{
    basin_status st;
    struct codec_key kek = { { 0 } };

    TRY(check_secret(&db->o, err));
    if (db->o.key.size == 0 && db->o.passphrase.size == 0) {
        if (db->without_key)
            return BASIN_OK;
        st = error_set(err, BASIN_WRONG_KEY, "the database is encrypted and no key was given");
        error_hint(err, "give the passphrase or key file that it was made with");
        return st;
    }
    TRY(derive(&db->o, h, &kek, err));
    if (codec_unseal(&kek, 0, bytes_of(h, HEAD_AD_SIZE),
                     bytes_of(h + HEAD_AD_SIZE, CODEC_KEY_SIZE + CODEC_TAG_SIZE),
                     db->data_key.bytes, NULL) != BASIN_OK)
        FAIL(err, BASIN_WRONG_KEY, "the passphrase or key does not open this database");
out:
    codec_wipe(&kek, sizeof(kek));
    return st;
}

static bool
all_zero(const uint8_t *p, size_t n)
{
    while (n > 0 && p[n - 1] == 0)
        n--;
    return n == 0;
}

/* Fields that the flags do not use, and reserved bytes, are zero. */
static basin_status
check_flags(const char *name, const uint8_t *h, basin_error *err)
{
    uint32_t flags = load_u32(h + 12);
    bool stretched = flags & HEAD_FLAG_PASSPHRASE, sealed = flags & HEAD_FLAG_SEALED;

    if (flags > 3 || (stretched && !sealed))
        return error_set(err, BASIN_CORRUPT, "%s: flags %u", name, flags);
    if ((!stretched && !all_zero(h + 48, 8)) ||
        (!sealed && !(all_zero(h + 56, 24) && all_zero(h + HEAD_AD_SIZE, 48))) ||
        !all_zero(h + 88, 16) || !all_zero(h + 152, 96))
        return error_set(err, BASIN_CORRUPT, "%s: reserved bytes are used", name);
    return BASIN_OK;
}

static basin_status
decode_settings(struct lsm *db, const char *name, const uint8_t *h, basin_error *err)
{
    db->o.page_size = load_u32(h + 32);
    db->o.level_factor = load_u32(h + 36);
    db->stored_codec = load_u32(h + 80);
    db->stored_level = load_u32(h + 84);
    if (db->o.page_size < STRATUM_PAGE_SIZE_MIN || db->o.page_size > STRATUM_PAGE_SIZE_MAX ||
        db->o.level_factor < 2)
        return error_set(err, BASIN_CORRUPT, "%s: page size %u, level factor %u", name,
                         db->o.page_size, db->o.level_factor);
    if (db->stored_codec >= CODEC_COUNT || db->stored_level < 1 ||
        db->stored_level > CODEC_LEVEL_MAX)
        return error_set(err, BASIN_CORRUPT, "%s: codec %u, level %u", name, db->stored_codec,
                         db->stored_level);
    if (!db->o.stored_codec)
        return BASIN_OK;
    db->o.codec = (enum codec_id)db->stored_codec;
    if (db->o.codec_level == 0)
        db->o.codec_level = (int)db->stored_level;
    return BASIN_OK;
}

static basin_status
decode(struct lsm *db, const char *name, struct bytes in, basin_error *err)
{
    const uint8_t *h = in.data;
    basin_status st = BASIN_OK;

    if (in.size < HEAD_LEAST || memcmp(h, HEAD_MAGIC, 8) != 0)
        FAIL(err, BASIN_CORRUPT, "%s: not the head of a Basin database (%zu bytes)", name, in.size);
    if (hash64(h, in.size - 8, 0) != load_u64(h + in.size - 8))
        FAIL(err, BASIN_CORRUPT, "%s: damaged: checksum %016llx of %zu bytes is not %016llx", name,
             (unsigned long long)load_u64(h + in.size - 8), in.size,
             (unsigned long long)hash64(h, in.size - 8, 0));
    if (load_u32(h + 8) != LSM_FORMAT_VERSION) {
        st = error_set(err, BASIN_VERSION, "%s: written in format %u, this build reads %u", name,
                       load_u32(h + 8), LSM_FORMAT_VERSION);
        error_hint(err, "open it with the release that wrote it, and dump it there");
        goto out;
    }
    if (in.size != HEAD_SIZE)
        FAIL(err, BASIN_CORRUPT, "%s: %zu bytes, not %d", name, in.size, HEAD_SIZE);
    db->database_id[0] = load_u64(h + 16);
    db->database_id[1] = load_u64(h + 24);
    db->created_ms = load_u64(h + 40);
    set_encrypted(db, load_u32(h + 12) & HEAD_FLAG_SEALED);
    TRY(decode_settings(db, name, h, err));
    TRY(check_flags(name, h, err));
    if (db->encrypted)
        TRY(unwrap(db, h, err));
    else if (db->o.key.size != 0 || db->o.passphrase.size != 0)
        FAIL(err, BASIN_WRONG_KEY, "the database is not encrypted, and a key was given");
out:
    return st;
}

/* ------------------------------------------------------------------ without a head */

struct search {
    struct lsm *db;
    const char *class_name;
    bool found, sealed;
};

static void
found_id(struct search *s, const uint8_t *id, bool sealed)
{
    s->db->database_id[0] = load_u64(id);
    s->db->database_id[1] = load_u64(id + 8);
    s->sealed = sealed;
    s->found = true;
}

/* Logs and checkpoints have flags, id and the checksum of their header at the same places. */
static basin_status
look_at_header(struct search *s, const char *path, const char *magic)
{
    struct os_file *f = NULL;
    uint8_t h[128];
    size_t got = 0;

    if (os_open(s->db->os, path, OS_READ, &f, NULL) == BASIN_OK &&
        os_read(f, 0, h, sizeof(h), &got, NULL) == BASIN_OK && got == sizeof(h) &&
        memcmp(h, magic, 8) == 0 && hash64(h, 120, 0) == load_u64(h + 120))
        found_id(s, h + 16, load_u32(h + 12) & 1);
    os_close(f);
    return s->found ? BASIN_END : BASIN_OK;
}

static basin_status
look_at_footer(struct search *s, const char *name)
{
    struct source *from;
    struct stratum_identity id;
    uint8_t bytes[16];

    if (store_open(s->db->store, name, &from, NULL) != BASIN_OK)
        return BASIN_OK;
    if (stratum_identify(from, &id, NULL) == BASIN_OK) {
        store_u64(bytes, id.database_id[0]);
        store_u64(bytes + 8, id.database_id[1]);
        found_id(s, bytes, id.sealed);
    }
    from->ops->close(from);
    return s->found ? BASIN_END : BASIN_OK;
}

static basin_status
look_at(void *ctx, const char *name, basin_error *err)
{
    struct search *s = ctx;
    char path[PATH_SIZE_MAX + 96], object[STORE_NAME_MAX + 1];
    int n = snprintf(object, sizeof(object), "%s/%s", s->class_name, name);

    if (n < 0 || (size_t)n >= sizeof(object))
        return BASIN_OK; /* no name that we make */
    (void)err;
    (void)snprintf(path, sizeof(path), "%s/%s", s->db->path, object);
    if (strcmp(s->class_name, "log") == 0)
        return look_at_header(s, path, LOG_MAGIC);
    if (strcmp(s->class_name, "ckpt") == 0)
        return look_at_header(s, path, CKPT_MAGIC);
    return look_at_footer(s, object);
}

/* Every other object tells whose it is. What only the head knows is lost: the wrapped key. */
static basin_status
guess(struct lsm *db, basin_status why, const basin_error *fault, basin_error *err)
{
    basin_status st;
    static const char *const classes[] = { "log", "ckpt", "strata", "values" };
    struct search s = { .db = db };
    char path[PATH_SIZE_MAX + 16];

    for (size_t i = 0; i < COUNT_OF(classes) && !s.found; i++) {
        s.class_name = classes[i];
        (void)snprintf(path, sizeof(path), "%s/%s", db->path, classes[i]);
        st = db->os->ops->list(db->os, path, look_at, &s, err);
        if (st != BASIN_OK && st != BASIN_END && st != BASIN_NOT_FOUND)
            return st;
    }
    if (!s.found && why == BASIN_NOT_FOUND)
        return BASIN_NOT_FOUND;
    if (!s.found || s.sealed) {
        if (s.sealed)
            lsm__rebuild_fault(db->rebuild, "head", fault, NULL, NULL);
        (void)error_set(err, BASIN_CORRUPT, "%s; %s", fault->what,
                        s.sealed ? "the key of the data is lost with it" : "nothing else is left");
        error_hint(err, "bring head/ back from a copy of the database");
        return BASIN_CORRUPT;
    }
    lsm__rebuild_fault(db->rebuild, "head", fault, NULL, NULL);
    db->encrypted = false;
    settle_codec(db);
    db->created_ms = db->os->ops->wall_ms(db->os);
    db->head_lost = true;
    return BASIN_OK;
}

static basin_status
read_newest(struct lsm *db, uint64_t *generation, basin_error *err)
{
    basin_status st;
    struct buf raw;
    char name[LSM_OBJECT_NAME_SIZE];

    *generation = 0;
    buf_init(&raw, db->mem);
    TRY(store_list(db->store, "head", note_newest, generation, err));
    if (*generation == 0) {
        st = BASIN_NOT_FOUND;
        goto out;
    }
    lsm__object_name(name, "head", (struct object_id){ 0, *generation });
    TRY(store_get(db->store, name, HEAD_SIZE_MAX, &raw, err));
    TRY(decode(db, name, buf_bytes(&raw), err));
out:
    codec_wipe(raw.data, raw.size);
    buf_release(&raw);
    return st;
}

/* NOT_FOUND when there is no head at all. */
basin_status
lsm__head_read(struct lsm *db, uint64_t *generation, basin_error *err)
{
    basin_error fault = { 0 };
    basin_status st = read_newest(db, generation, &fault);

    if (db->rebuild != NULL && st == BASIN_NOT_FOUND)
        (void)error_set(&fault, BASIN_CORRUPT, "head/0-1 is missing");
    if (db->rebuild != NULL && (st == BASIN_NOT_FOUND || st == BASIN_CORRUPT || st == BASIN_LIMIT))
        return guess(db, st, &fault, err);
    if (st != BASIN_OK && st != BASIN_NOT_FOUND && err != NULL)
        *err = fault;
    return st;
}

basin_status
lsm__head_replace(struct lsm *db, uint64_t generation, basin_error *err)
{
    basin_status st;
    char name[LSM_OBJECT_NAME_SIZE];

    TRY(write_head(db, &db->o, generation + 1, err));
    if (generation > 0) {
        lsm__object_name(name, "head", (struct object_id){ 0, generation });
        TRY(store_remove(db->store, name, err));
    }
    db->head_lost = false;
out:
    return st;
}

basin_status
lsm_rekey(const char *path, const struct lsm_options *from, const struct lsm_options *to,
          basin_error *err)
{
    basin_status st;
    struct lsm *db = NULL;
    uint64_t generation;
    char name[LSM_OBJECT_NAME_SIZE];
    struct lsm_options secret = *to, how = *from;

    TRY(check_secret(to, err));
    how.no_threads = true; /* the head is read again: nobody else may look at it */
    TRY(lsm_open(path, &how, &db, err));
    if (!db->encrypted || (to->key.size == 0 && to->passphrase.size == 0))
        FAIL(err, BASIN_MISUSE, "a key can be changed, not added or taken away");
    lsm__kdf_defaults(&secret);
    TRY(lsm__head_read(db, &generation, err));
    TRY(write_head(db, &secret, generation + 1, err));
    lsm__object_name(name, "head", (struct object_id){ 0, generation });
    TRY(store_remove(db->store, name, err));
out:
    if (db != NULL && st == BASIN_OK)
        st = lsm_close(db, err);
    else if (db != NULL)
        (void)!lsm_close(db, NULL);
    return st;
}
