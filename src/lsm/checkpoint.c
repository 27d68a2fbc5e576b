// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Checkpoints: an immutable object "ckpt/EPOCH-POSITION" that restates the manifest as of a place
 * in the log, so that older log can go. docs/format/checkpoint.md.
 *
 *   capture (leader, mu) -> write object, synced -> publish edit -> remove what it covers
 *
 * R3: data and name of the checkpoint are synced before the record that names it and before any
 * log that it covers is removed. The log is synced up to the place before: a log that ends before
 * its checkpoint is damaged, not torn.
 */
#include <stdio.h>

#include "lsm/formats.h"
#include "lsm/internal.h"

enum { CKPT_HEADER_SIZE = 128, CKPT_SIZE_MAX = EDIT_SIZE_MAX };

/* ------------------------------------------------------------------ the object */

/* header: magic, version, flags, database id, place, salt, body size, zeros, checksum */
static basin_status
encode(struct lsm *db, struct place at, struct bytes body, struct buf *out, basin_error *err)
{
    basin_status st;
    uint8_t *h;
    struct codec_key key;
    size_t stored = body.size + (db->encrypted ? CODEC_TAG_SIZE : 0);

    if (stored > CKPT_SIZE_MAX - CKPT_HEADER_SIZE - 8)
        FAIL(err, BASIN_LIMIT, "a checkpoint of %zu bytes: %d at most", stored, CKPT_SIZE_MAX);
    if (buf_reserve(out, CKPT_HEADER_SIZE + stored + 8) != BASIN_OK)
        FAIL(err, BASIN_NO_MEM, "no memory for a checkpoint of %zu bytes", stored);
    h = out->data;
    memset(h, 0, CKPT_HEADER_SIZE);
    memcpy(h, CKPT_MAGIC, 8);
    store_u32(h + 8, CKPT_VERSION);
    store_u32(h + 12, db->encrypted ? 1 : 0);
    store_u64(h + 16, db->database_id[0]);
    store_u64(h + 24, db->database_id[1]);
    store_u64(h + 32, at.epoch);
    store_u64(h + 40, at.at);
    TRY(db->os->ops->random(db->os, h + 48, CODEC_SALT_SIZE, err));
    store_u64(h + 72, stored);
    store_u64(h + 120, hash64(h, 120, 0));
    if (db->encrypted) {
        codec_subkey(&db->data_key, h + 48, "basinckp", &key);
        codec_seal(&key, 0, bytes_of(h, CKPT_HEADER_SIZE), body, h + CKPT_HEADER_SIZE);
        codec_wipe(&key, sizeof(key));
    } else if (body.size) {
        memcpy(h + CKPT_HEADER_SIZE, body.data, body.size);
    }
    store_u64(h + CKPT_HEADER_SIZE + stored,
              hash64(h + CKPT_HEADER_SIZE, stored, load_u64(h + 120)));
    out->size = CKPT_HEADER_SIZE + stored + 8;
out:
    return st;
}

static basin_status
decode_header(struct lsm *db, const char *name, struct bytes in, struct place *at,
              basin_error *err)
{
    const uint8_t *h = in.data;

    if (in.size < CKPT_HEADER_SIZE + 8 || memcmp(h, CKPT_MAGIC, 8) != 0 ||
        hash64(h, 120, 0) != load_u64(h + 120))
        return error_set(err, BASIN_CORRUPT, "%s: the header is damaged", name);
    if (load_u32(h + 8) != CKPT_VERSION)
        return error_set(err, BASIN_VERSION, "%s: format %u, this build reads %u", name,
                         load_u32(h + 8), CKPT_VERSION);
    if (load_u64(h + 16) != db->database_id[0] || load_u64(h + 24) != db->database_id[1])
        return error_set(err, BASIN_CORRUPT, "%s: belongs to another database", name);
    *at = (struct place){ load_u64(h + 32), load_u64(h + 40) };
    if (load_u64(h + 72) != in.size - CKPT_HEADER_SIZE - 8)
        return error_set(err, BASIN_CORRUPT, "%s: %zu bytes, the header says %llu", name, in.size,
                         (unsigned long long)load_u64(h + 72));
    if (hash64(h + CKPT_HEADER_SIZE, in.size - CKPT_HEADER_SIZE - 8, load_u64(h + 120)) !=
        load_u64(h + in.size - 8))
        return error_set(err, BASIN_CORRUPT, "%s: the body is damaged", name);
    for (size_t i = 80; i < 120; i++)
        if (h[i] != 0)
            return error_set(err, BASIN_CORRUPT, "%s: reserved byte %zu is used", name, i);
    if (load_u32(h + 12) > 1 || (load_u32(h + 12) == 1) != db->encrypted)
        return error_set(err, BASIN_CORRUPT, "%s: sealed %u, the database %d", name,
                         load_u32(h + 12), db->encrypted);
    return BASIN_OK;
}

basin_status
lsm__checkpoint_load(struct lsm *db, struct place at, struct manifest *m, basin_error *err)
{
    basin_status st;
    char name[LSM_OBJECT_NAME_SIZE];
    struct buf raw, plain;
    struct codec_key key;
    struct place found = { 0, 0 };
    struct bytes body;

    buf_init(&raw, db->mem);
    buf_init(&plain, db->mem);
    lsm__object_name(name, "ckpt", (struct object_id){ at.epoch, at.at });
    TRY(store_get(db->store, name, CKPT_SIZE_MAX, &raw, err));
    TRY(decode_header(db, name, buf_bytes(&raw), &found, err));
    if (place_compare(found, at) != 0)
        FAIL(err, BASIN_CORRUPT, "%s: says that it is %llu-%llu", name,
             (unsigned long long)found.epoch, (unsigned long long)found.at);
    body = bytes_of(raw.data + CKPT_HEADER_SIZE, raw.size - CKPT_HEADER_SIZE - 8);
    if (db->without_key)
        goto out; /* as far as the stored bytes tell */
    if (db->encrypted) {
        if (body.size < CODEC_TAG_SIZE || buf_reserve(&plain, body.size) != BASIN_OK)
            FAIL(err, BASIN_CORRUPT, "%s: sealed body of %zu bytes", name, body.size);
        codec_subkey(&db->data_key, raw.data + 48, "basinckp", &key);
        st = codec_unseal(&key, 0, bytes_of(raw.data, CKPT_HEADER_SIZE), body, plain.data, err);
        codec_wipe(&key, sizeof(key));
        TRY(st);
        body = bytes_of(plain.data, body.size - CODEC_TAG_SIZE);
    }
    TRY(lsm__manifest_apply(db, m, body, at, err));
out:
    if (st == BASIN_CORRUPT)
        error_hint(err, "run basin repair: it rebuilds the checkpoint from the strata");
    buf_release(&raw);
    buf_release(&plain);
    return st;
}

/* ------------------------------------------------------------------ taking one */

struct capture {
    struct edit edit;
    struct log_file *log;
    struct place at;
    uint64_t edits;
};

/* On the leader, under mu: nothing of the log before `at` is missing in the manifest. */
static basin_status
capture_now(struct lsm *db, void *ctx, basin_error *err)
{
    struct capture *c = ctx;

    (void)err;
    c->log = db->log;
    lsm__log_ref(c->log);
    c->at = (struct place){ db->log->epoch, db->log->end };
    c->edits = db->manifest.edits;
    db->manifest.seqno = MAX_OF(db->manifest.seqno, db->last_seqno);
    lsm__edit_all(&c->edit, &db->manifest);
    return BASIN_OK;
}

static void
checkpoint_install(struct lsm *db, void *ctx)
{
    struct capture *c = ctx;

    db->checkpoint = c->at;
    db->checkpoint_edits = c->edits;
}

/* Captures and writes the object. One that is there under its name was written by an attempt that
 * failed later, and says the same. */
static basin_status
write_checkpoint(struct lsm *db, struct capture *c, basin_error *err)
{
    basin_status st;
    struct buf object;
    char name[LSM_OBJECT_NAME_SIZE];

    buf_init(&object, db->mem);
    TRY(lsm__call(db, capture_now, c, err));
    if (c->edit.failed)
        FAIL(err, BASIN_NO_MEM, "no memory for a checkpoint");
    TRY(lsm__log_sync(c->log, err));
    if (PLANTED(COVERED_FIRST)) {
        db->checkpoint = c->at;
        TRY(lsm__remove_covered(db, err));
    }
    TRY(encode(db, c->at, buf_bytes(&c->edit.body), &object, err));
    lsm__object_name(name, "ckpt", (struct object_id){ c->at.epoch, c->at.at });
    st = store_put(db->store, name, buf_bytes(&object), err);
    if (st == BASIN_EXISTS)
        st = BASIN_OK;
out:
    buf_release(&object);
    return st;
}

basin_status
lsm__checkpoint(struct lsm *db, basin_error *err)
{
    basin_status st;
    struct capture c = { 0 };
    struct edit note;

    lsm__edit_init(&c.edit, db->mem);
    lsm__edit_init(&note, db->mem);
    TRY(write_checkpoint(db, &c, err));
    lsm__edit_checkpoint(&note, c.at);
    TRY(lsm__publish(db, &note, checkpoint_install, &c, err));
    TRY(lsm__remove_covered(db, err));
out:
    lsm__log_unref(c.log);
    lsm__edit_release(&c.edit);
    lsm__edit_release(&note);
    return st;
}

/*
 * What recovery found may be in the page cache only, so nothing is built on it and nothing that it
 * un-references is removed before a checkpoint holds it in new blocks.
 */
basin_status
lsm__checkpoint_first(struct lsm *db, basin_error *err)
{
    basin_status st;
    struct capture c = { 0 };

    lsm__edit_init(&c.edit, db->mem);
    TRY(write_checkpoint(db, &c, err));
    os_mutex_lock(db->mu);
    checkpoint_install(db, &c);
    os_mutex_unlock(db->mu);
out:
    lsm__log_unref(c.log);
    lsm__edit_release(&c.edit);
    return st;
}

/* ------------------------------------------------------------------ what it covers */

struct cover {
    struct lsm *db;
    struct place keep;  /* checkpoints before go */
    uint64_t keep_log;  /* logs of earlier epochs go */
};

static basin_status
drop_checkpoint(void *ctx, const char *base, uint64_t size, basin_error *err)
{
    struct cover *c = ctx;
    struct object_id id;
    char name[LSM_OBJECT_NAME_SIZE];
    basin_status st = BASIN_OK;

    (void)size;
    if (!lsm__object_parse(base, &id) ||
        place_compare((struct place){ id.epoch, id.number }, c->keep) >= 0)
        return BASIN_OK;
    lsm__object_name(name, "ckpt", id);
    st = store_remove(c->db->store, name, err);
    return st == BASIN_NOT_FOUND ? BASIN_OK : st;
}

static bool
parse_epoch(const char *name, uint64_t *epoch)
{
    char with[40];
    struct object_id id;

    if (strlen(name) > 20)
        return false;
    (void)snprintf(with, sizeof(with), "%s-0", name);
    if (!lsm__object_parse(with, &id))
        return false;
    *epoch = id.epoch;
    return true;
}

void
lsm__log_remove(struct lsm *db, uint64_t epoch)
{
    char path[PATH_SIZE_MAX + 64];

    if (lsm__log_path(db, epoch, path, sizeof(path), NULL) == BASIN_OK)
        (void)!db->os->ops->unlink(db->os, path, NULL);
}

static basin_status
drop_log(void *ctx, const char *name, basin_error *err)
{
    struct cover *c = ctx;
    uint64_t epoch;

    (void)err;
    if (parse_epoch(name, &epoch) && epoch < c->keep_log)
        lsm__log_retire(c->db, epoch);
    return BASIN_OK;
}

struct epoch_list {
    uint64_t *epochs;
    size_t count, capacity;
    const basin_allocator *mem;
};

static basin_status
note_epoch(void *ctx, const char *name, basin_error *err)
{
    struct epoch_list *l = ctx;
    uint64_t epoch, *more;
    size_t at;

    if (!parse_epoch(name, &epoch))
        return BASIN_OK;
    if (l->count == l->capacity) {
        more = l->mem->resize(l->mem->ctx, l->epochs, l->capacity * sizeof(*more),
                              (l->capacity + 64) * sizeof(*more));
        if (more == NULL)
            return error_set(err, BASIN_NO_MEM, "no memory for %zu logs", l->capacity + 64);
        l->epochs = more;
        l->capacity += 64;
    }
    for (at = l->count; at > 0 && l->epochs[at - 1] > epoch; at--)
        l->epochs[at] = l->epochs[at - 1];
    l->epochs[at] = epoch;
    l->count++;
    return BASIN_OK;
}

/* Epochs that have a log, ascending. Free with mem_free(mem, *out, *capacity * 8). */
basin_status
lsm__log_list(struct lsm *db, uint64_t **out, size_t *count, size_t *capacity, basin_error *err)
{
    basin_status st;
    struct epoch_list l = { .mem = db->mem };
    char path[PATH_SIZE_MAX + 64];

    (void)snprintf(path, sizeof(path), "%s/log", db->path);
    st = db->os->ops->list(db->os, path, note_epoch, &l, err);
    if (st == BASIN_NOT_FOUND)
        st = BASIN_OK;
    *out = l.epochs;
    *count = l.count;
    *capacity = l.capacity;
    return st;
}

/* Removes checkpoints and logs that the newest checkpoint makes unnecessary, unless a reader or a
 * consumer of the change feed still needs them. What may go is decided first, then the slots are
 * scanned: who opens after the scan knows of the newest checkpoint. */
basin_status
lsm__remove_covered(struct lsm *db, basin_error *err)
{
    basin_status st;
    char path[PATH_SIZE_MAX + 64];
    struct cover c = { .db = db };
    uint64_t held;

    TRY(lsm__feed_keep_epoch(db, &held, err));
    os_mutex_lock(db->mu);
    c.keep = db->checkpoint;
    if (PLANTED(LOG_HELD))
        held = UINT64_MAX;
    c.keep_log = MIN_OF(MIN_OF(db->manifest.replay_from.epoch, c.keep.epoch), held);
    os_mutex_unlock(db->mu);
    if (lsm__readers_oldest(db).epoch == 0) {
        atomic_store_explicit(&db->cover_pending, true, memory_order_relaxed);
        goto out; /* a reader is just opening: the next background step removes */
    }
    atomic_store_explicit(&db->cover_pending, false, memory_order_relaxed);
    lsm__readers_keep(db, c.keep_log);
    TRY(store_list(db->store, "ckpt", drop_checkpoint, &c, err));
    (void)snprintf(path, sizeof(path), "%s/log", db->path);
    TRY(db->os->ops->list(db->os, path, drop_log, &c, err));
out:
    return st;
}

/* Due when log could go, or many edits would have to be read again at open. */
bool
lsm__checkpoint_due(struct lsm *db)
{
    return db->failed == BASIN_OK && !db->tail_unsafe &&
           (db->manifest.replay_from.epoch > db->covered_epoch ||
            db->manifest.edits - db->checkpoint_edits > 200);
}
