// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Each file of a database is deleted, cut at many places and turned over bit by bit. What is read
 * then is right, or it is a clear error; check tells the damage; salvage and repair keep what the
 * surviving objects hold, name what is lost and leave the originals alone. EC41, EC57.
 *
 * BASIN_DAMAGE="FILE HARM AT BIT" (as printed by a failure) repeats one damage of each kind.
 */
#include "lsm/damage.h"

enum { FAULTS_MAX = 512, TEXT_MAX = 400 };
#define MEMORY_MAX ((size_t)64 * MIB)

/* What a care function told, and the pairs that it gave. */
struct told {
    struct site *s;
    size_t count;
    bool named; /* some fault names the damaged object */
    const char *object;
    char first[TEXT_MAX];
    struct {
        uint8_t from[SITE_KEY_SIZE], to[SITE_KEY_SIZE];
        size_t from_size, to_size;
        bool unbounded;
    } lost[FAULTS_MAX];
    size_t lost_count;
    bool there[SITE_KEYS];
    size_t size[SITE_KEYS];
    uint8_t value[SITE_KEYS][2048];
};

static struct told found, again;
static struct damage now; /* for messages */
static size_t damages, refused, untold;

static void
broken(const struct site *s, const char *format, ...)
{
    static const char *const harms[] = { "delete", "cut", "flip" };
    va_list args;

    print_error("%s: BASIN_DAMAGE=\"%s %s %zu %u\": ", s->kind->name,
                now.file < s->file_count ? s->files[now.file].path : "-", harms[now.harm], now.at,
                now.bit);
    va_start(args, format);
    vprint_error(format, args);
    va_end(args);
    fail();
}

/* ------------------------------------------------------------------ what is lost */

static const struct site_file *
harmed(const struct site *s)
{
    return now.file < s->file_count ? &s->files[now.file] : NULL;
}

static bool
harmed_is(const struct site *s, const char *start)
{
    return harmed(s) != NULL && site_is(harmed(s), start);
}

/* Files that hold nothing of the database. */
static bool
is_idle(const struct site *s)
{
    return harmed(s) == NULL || harmed_is(s, "db/lock") || harmed_is(s, "db/readers") ||
           harmed_is(s, "db/log/spare") || harmed_is(s, "db/tmp") || harmed_is(s, "db/reserve");
}

static bool
in_log(const struct site *s)
{
    return harmed_is(s, "db/log/") && !is_idle(s);
}

static uint64_t
newest_log(const struct site *s)
{
    uint64_t newest = 0;

    for (size_t i = 0; i < s->record_count; i++)
        newest = MAX_OF(newest, s->records[i].epoch);
    return newest;
}

static const struct site_record *
last_of(const struct site *s, uint64_t epoch)
{
    const struct site_record *last = NULL;

    for (size_t i = 0; i < s->record_count; i++)
        if (s->records[i].epoch == epoch)
            last = &s->records[i];
    return last;
}

/* Whether the damage took this record. */
static bool
is_taken(const struct site *s, const struct site_record *r)
{
    if (!in_log(s) || site_epoch(harmed(s)) != r->epoch)
        return false;
    if (now.harm == HARM_CUT)
        return now.at < r->end;
    return now.harm == HARM_DELETE || (now.at >= r->at && now.at < r->after);
}

/* No later record, log or checkpoint proves that the record was there. */
static bool
is_loose(const struct site *s)
{
    if (!in_log(s) || site_epoch(harmed(s)) != newest_log(s))
        return false;
    return now.harm != HARM_FLIP || now.at >= last_of(s, newest_log(s))->at;
}

/* Bytes that are never looked at, or that nothing tells apart from a crash. */
static bool
is_unused(const struct site *s)
{
    const struct site_record *last;
    bool only_last = false;

    if (is_idle(s) || is_loose(s))
        return true;
    if (!in_log(s))
        return false;
    last = last_of(s, site_epoch(harmed(s)));
    if (last == NULL || (now.harm != HARM_DELETE && now.at >= last->end))
        return true;
    for (size_t i = 0; i < s->record_count; i++) {
        const struct site_record *r = &s->records[i];
        if (!is_taken(s, r))
            continue;
        if (r != last || r->last >= r->first)
            return now.harm == HARM_FLIP && now.at >= r->end;
        only_last = true; /* that it was closed: a crash may take that alone */
    }
    return only_last;
}

static struct bytes
behind(struct bytes key, uint8_t to[SITE_KEY_SIZE])
{
    memcpy(to, key.data, key.size);
    to[key.size] = 0;
    return bytes_of(to, key.size + 1);
}

/* Whether a record that the damage took changed the key. */
static bool
is_touched(const struct site *s, struct bytes key)
{
    uint8_t next[SITE_KEY_SIZE];

    for (size_t i = 0; i < s->record_count; i++) {
        const struct site_record *r = &s->records[i];
        if (r->last >= r->first && is_taken(s, r) &&
            oracle_changed(s->oracle, key, behind(key, next), false, r->first - 1, r->last))
            return true;
    }
    return false;
}

static bool
is_told_lost(const struct told *t, struct bytes key)
{
    for (size_t i = 0; i < t->lost_count; i++) {
        struct bytes from = bytes_of(t->lost[i].from, t->lost[i].from_size);
        struct bytes to = bytes_of(t->lost[i].to, t->lost[i].to_size);
        if (bytes_compare(from, key) <= 0 && (t->lost[i].unbounded || bytes_compare(key, to) <= 0))
            return true;
    }
    return false;
}

/* Whether the key ever had the value. */
static bool
was_ever(struct site *s, struct bytes key, struct bytes value)
{
    struct bytes old;

    for (uint64_t at = 1; at <= s->seqno; at++)
        if (oracle_get(s->oracle, key, at, &old) == ORACLE_VALUE && bytes_equal(old, value))
            return true;
    return false;
}

/* ------------------------------------------------------------------ messages */

/* A text tells the object, by its whole name if it is still there. */
static bool
names_object(const struct site *s, const char *text)
{
    const char *path, *slash;
    char class_name[16];

    if (harmed(s) == NULL)
        return true;
    path = harmed(s)->path + strlen("db/");
    if (strstr(text, path) != NULL)
        return true;
    slash = strchr(path, '/');
    (void)snprintf(class_name, sizeof class_name, "%.*s", (int)(slash ? slash - path : 0), path);
    return now.harm == HARM_DELETE && slash != NULL &&
           (strstr(text, class_name) != NULL || strstr(text, "checkpoint is missing") != NULL);
}

/* Damage is `corrupt`, never something that another program or key would cure. */
static void
expect_refusal(struct site *s, const char *what, basin_status st)
{
    if (st != BASIN_CORRUPT)
        broken(s, "%s: %s: %s\n", what, basin_status_name(st), s->err.what);
    if (is_idle(s))
        broken(s, "%s: refused: %s\n", what, s->err.what);
    if (s->err.what[0] == 0 || s->err.hint[0] == 0)
        broken(s, "%s: '%s' has no text or hint\n", what, s->err.what);
}

static void
take_fault(void *ctx, const struct lsm_fault *f)
{
    struct told *t = ctx;
    size_t i = t->lost_count;

    if (f->what == NULL || f->what[0] == 0 || f->object == NULL || f->status == BASIN_OK)
        broken(t->s, "a fault without text, object or status\n");
    if (t->count++ == 0)
        (void)snprintf(t->first, sizeof t->first, "%s", f->what);
    t->named = t->named || names_object(t->s, f->what) || names_object(t->s, f->object);
    if (!f->has_range)
        return;
    if (i == FAULTS_MAX || f->lost_from.size > SITE_KEY_SIZE || f->lost_to.size > SITE_KEY_SIZE)
        broken(t->s, "%s: a strange key range\n", f->what);
    memcpy(t->lost[i].from, f->lost_from.size ? f->lost_from.data : (const uint8_t *)"",
           f->lost_from.size);
    memcpy(t->lost[i].to, f->lost_to.size ? f->lost_to.data : (const uint8_t *)"", f->lost_to.size);
    t->lost[i].from_size = f->lost_from.size;
    t->lost[i].to_size = f->lost_to.size;
    t->lost[i].unbounded = f->lost_to.data == NULL;
    t->lost_count++;
}

static struct lsm_check_options
listening(struct site *s, struct told *t, bool deep)
{
    memset(t, 0, sizeof *t);
    t->s = s;
    return (struct lsm_check_options){ .deep = deep, .fault = take_fault, .ctx = t };
}

/* ------------------------------------------------------------------ a handle that is open */

static void
want_value(struct site *s, basin_status st, struct bytes key, struct bytes got, uint64_t at)
{
    struct bytes want;
    enum oracle_answer answer = oracle_get(s->oracle, key, at, &want);

    if (st != BASIN_OK && st != BASIN_NOT_FOUND) {
        expect_refusal(s, "get", st);
        return;
    }
    if ((st == BASIN_OK) != (answer == ORACLE_VALUE) || (st == BASIN_OK && !bytes_equal(got, want)))
        broken(s, "wrong value of %.*s\n", (int)key.size, key.data);
}

static void
read_all(struct site *s, const struct lsm_begin *how, uint64_t at)
{
    struct lsm_txn *txn;
    struct lsm_cursor *c;
    struct bytes got = BYTES_NULL, want = BYTES_NULL, from;
    uint8_t key[SITE_KEY_SIZE], last[SITE_KEY_SIZE];

    site_ok(s, lsm_begin(s->db, how, &txn, &s->err));
    for (unsigned i = 0; i < SITE_KEYS; i++) {
        basin_status st = lsm_get(txn, site_key(i, key), &got, &s->err);
        want_value(s, st, site_key(i, key), got, at);
    }
    for (int forward = 0; forward < 2; forward++) {
        basin_status st;
        bool there = oracle_step(s->oracle, NULL, true, forward, at, &want);
        site_ok(s, lsm_cursor_open(txn, NULL, &c, &s->err));
        st = forward ? lsm_cursor_first(c, &s->err) : lsm_cursor_last(c, &s->err);
        for (; st == BASIN_OK && there;
             st = forward ? lsm_cursor_next(c, &s->err) : lsm_cursor_prev(c, &s->err)) {
            if (!bytes_equal(lsm_cursor_key(c), want))
                broken(s, "a scan is at %.*s, not at %.*s\n", (int)lsm_cursor_key(c).size,
                       lsm_cursor_key(c).data, (int)want.size, want.data);
            want_value(s, lsm_cursor_value(c, &got, &s->err), want, got, at);
            memcpy(last, want.data, want.size);
            from = bytes_of(last, want.size);
            there = oracle_step(s->oracle, &from, false, forward, at, &want);
        }
        if (st != BASIN_OK && st != BASIN_END)
            expect_refusal(s, "scan", st);
        else if ((st == BASIN_OK) != there)
            broken(s, "a scan ends at the wrong place\n");
        lsm_cursor_close(c);
    }
    lsm_abort(txn);
}

static bool
is_end_of_commit(const struct site *s, uint64_t seqno)
{
    for (size_t i = 0; i < s->record_count; i++)
        if (s->records[i].last >= s->records[i].first && s->records[i].last == seqno)
            return true;
    return seqno == 0;
}

/* What is open shows the newest state, or an earlier one when nothing proves the newest. */
static void
expect_right(struct site *s)
{
    static const struct lsm_begin newest = { .mode = LSM_READ };
    struct lsm_txn *txn = site_begin(s, LSM_READ);
    uint64_t at = lsm_txn_seqno(txn);

    lsm_abort(txn);
    if (at != s->seqno && !(is_loose(s) && at < s->seqno && is_end_of_commit(s, at)))
        broken(s, "open at %llu, not at %llu\n", (unsigned long long)at,
               (unsigned long long)s->seqno);
    read_all(s, &newest, at);
    if (!is_loose(s))
        read_all(s, &(struct lsm_begin){ .mode = LSM_READ, .at_pin = "new" }, s->pinned);
}

static void
open_and_read(struct site *s, bool read_only)
{
    struct lsm_options o = s->o;
    basin_status st;

    o.read_only = read_only;
    st = lsm_open("db", &o, &s->db, &s->err);
    if (st != BASIN_OK) {
        expect_refusal(s, read_only ? "open to read" : "open", st);
        if (!names_object(s, s->err.what))
            broken(s, "'%s' does not name it\n", s->err.what);
        refused++;
        return;
    }
    expect_right(s);
    st = lsm_close(s->db, &s->err);
    s->db = NULL;
    if (st != BASIN_OK)
        expect_refusal(s, "close", st);
}

/* ------------------------------------------------------------------ check */

static void
check_at(struct site *s, const char *path, bool deep, bool sound, bool damaged)
{
    struct lsm_check_options o = listening(s, &found, deep);
    basin_status st = lsm_check(path, &s->o, &o, &s->err);

    if (st != BASIN_OK && st != BASIN_CORRUPT)
        broken(s, "check: %s: %s\n", basin_status_name(st), s->err.what);
    if ((found.count > 0 && st == BASIN_OK) || (sound && st != BASIN_OK))
        broken(s, "check of %s: %s: %zu faults, %s\n", path, s->err.what, found.count, found.first);
    if (damaged && st == BASIN_OK)
        broken(s, "check says that it is sound\n");
    if (damaged && !found.named && !names_object(s, s->err.what))
        broken(s, "no fault names it; one says: %s\n", found.first);
    untold += st == BASIN_OK;
}

/* ------------------------------------------------------------------ salvage */

static basin_status
take_pair(void *ctx, const struct lsm_piece *p, basin_error *err)
{
    struct told *t = ctx;
    struct bytes key = p->key, value = p->piece;
    uint8_t same[SITE_KEY_SIZE];
    unsigned i = 0;

    (void)err;
    for (size_t k = 1; k < key.size; k++)
        i = i * 10 + key.data[k] - '0';
    if (i >= SITE_KEYS || !bytes_equal(site_key(i, same), key) || t->there[i] ||
        value.size > sizeof t->value[i] || value.size != p->value_size)
        broken(t->s, "a pair that nobody wrote\n");
    t->there[i] = true;
    t->size[i] = value.size;
    if (value.size > 0)
        memcpy(t->value[i], value.data, value.size);
    return BASIN_OK;
}

/* What survives is as it was; keys of which a part is lost are told, or were changed by a record
 * that the damage took. */
static void
expect_survivors(struct site *s, const struct told *t)
{
    uint8_t data[SITE_KEY_SIZE];
    struct bytes want;

    for (unsigned i = 0; i < SITE_KEYS; i++) {
        struct bytes key = site_key(i, data), got = bytes_of(t->value[i], t->size[i]);
        bool has = oracle_get(s->oracle, key, s->seqno, &want) == ORACLE_VALUE;
        if (has == t->there[i] && (!has || bytes_equal(got, want)))
            continue;
        if (is_told_lost(t, key))
            continue;
        if (!is_touched(s, key))
            broken(s, "%.*s %s, and nothing tells it\n", (int)key.size, key.data,
                   !t->there[i] ? "is lost"
                   : has        ? "is wrong"
                                : "was deleted and is there");
        if (t->there[i] && !was_ever(s, key, got) && t->count == 0)
            broken(s, "%.*s is wrong\n", (int)key.size, key.data);
    }
}

/* Without a head the key of a sealed database is gone. */
static bool
is_hopeless(const struct site *s)
{
    return s->kind->encrypted && harmed_is(s, "db/head/");
}

static bool
salvage(struct site *s)
{
    struct lsm_check_options o = listening(s, &found, false);
    basin_status st = lsm_salvage("db", &s->o, &o, take_pair, &found, &s->err);

    if (st != BASIN_OK) {
        if (!is_hopeless(s))
            broken(s, "salvage: %s: %s\n", basin_status_name(st), s->err.what);
        expect_refusal(s, "salvage", st);
        return false;
    }
    expect_survivors(s, &found);
    return true;
}

/* What a database holds, as salvage gives it. */
static void
expect_same(struct site *s, const char *path)
{
    struct lsm_check_options o = listening(s, &again, false);

    site_ok(s, lsm_salvage(path, &s->o, &o, take_pair, &again, &s->err));
    for (unsigned i = 0; i < SITE_KEYS; i++)
        if (found.there[i] != again.there[i] || found.size[i] != again.size[i] ||
            memcmp(found.value[i], again.value[i], found.size[i]) != 0)
            broken(s, "k%03u is not as salvage gives it\n", i);
}

/* ------------------------------------------------------------------ repair */

static void
repair_elsewhere(struct site *s)
{
    struct lsm_check_options o = listening(s, &again, false);
    basin_status st = lsm_repair("db", "new", &s->o, &o, &s->err);

    if (st != BASIN_OK)
        broken(s, "repair: %s: %s\n", basin_status_name(st), s->err.what);
    if (again.count != found.count)
        broken(s, "repair tells %zu faults, salvage %zu\n", again.count, found.count);
    expect_same(s, "new");
    check_at(s, "new", true, true, false);
}

/* Holds what it held before, takes new commits, and is sound. */
static void
expect_usable(struct site *s, const struct told *t)
{
    struct lsm_txn *txn;
    struct bytes value;
    struct lsm_check_options o;
    uint64_t seqno;

    for (int i = 0; i < 2; i++) {
        site_open(s);
        txn = site_begin(s, LSM_WRITE);
        site_ok(s, lsm_put(txn, bytes_of("after", 5), bytes_of("repair", 6), &s->err));
        site_ok(s, lsm_commit(txn, true, &seqno, &s->err));
        txn = site_begin(s, LSM_READ);
        site_ok(s, lsm_get(txn, bytes_of("after", 5), &value, &s->err));
        assert_int_equal(value.size, 6);
        lsm_abort(txn);
        txn = site_begin(s, LSM_WRITE);
        site_ok(s, lsm_delete(txn, bytes_of("after", 5), &s->err));
        site_ok(s, lsm_commit(txn, true, &seqno, &s->err));
        site_close(s);
    }
    o = listening(s, &found, false);
    site_ok(s, lsm_salvage("db", &s->o, &o, take_pair, &found, &s->err));
    found.lost_count = t->lost_count;
    memcpy(found.lost, t->lost, sizeof found.lost);
    found.count = t->count;
    expect_survivors(s, &found);
    check_at(s, "db", true, true, false);
}

static void
repair_in_place(struct site *s)
{
    static struct told mended;
    struct lsm_check_options o = listening(s, &mended, false);
    basin_status st = lsm_repair("db", NULL, &s->o, &o, &s->err);

    if (st != BASIN_OK)
        broken(s, "repair in place: %s: %s\n", basin_status_name(st), s->err.what);
    check_at(s, "db", true, true, false);
    expect_usable(s, &mended);
}

/* ------------------------------------------------------------------ one damage */

static void
suffer(struct site *s, const struct damage *d)
{
    now = *d;
    damages++;
    s->memory.peak = 0;
    site_lay(s, d);
    check_at(s, "db", false, is_idle(s), false);
    check_at(s, "db", true, is_idle(s), !is_unused(s));
    if (salvage(s))
        repair_elsewhere(s);
    site_check_untouched(s, d);
    open_and_read(s, true);
    open_and_read(s, false);
    if (!is_hopeless(s)) {
        site_lay(s, d);
        repair_in_place(s);
    }
    assert_int_equal(s->memory.live, 0);
    if (s->memory.peak > MEMORY_MAX)
        broken(s, "%zu bytes of memory\n", (size_t)s->memory.peak);
}

/* Every place of a small file, some of a large one; more with BASIN_TEST_SCALE. */
static void
suffer_all(struct site *s, size_t per_file)
{
    for (size_t i = 0; i < s->file_count; i++) {
        size_t size = s->files[i].size;
        size_t places = MIN_OF(size, per_file);
        suffer(s, &(struct damage){ HARM_DELETE, i, 0, 0 });
        for (size_t k = 0; k < places; k++) {
            size_t from = size * k / places, to = size * (k + 1) / places;
            size_t at = from + chance_below(&s->c, to - from);
            suffer(s, &(struct damage){ HARM_FLIP, i, at, (uint8_t)chance_below(&s->c, 8) });
            if (k % 2 == 0)
                suffer(s, &(struct damage){ HARM_CUT, i, at, 0 });
        }
    }
}

/* Places of each file: 2, and at full scale 120. */
static size_t
places(void)
{
    size_t scale = test_scale(1);

    return 2 * scale + scale * scale / 5;
}

/* The one that the environment asks for. */
static bool
suffer_given(struct site *s)
{
    const char *given = getenv("BASIN_DAMAGE");
    char path[SITE_PATH_MAX], harm[8];
    struct damage d = { .file = 0 };
    unsigned bit;

    if (given == NULL || sscanf(given, "%63s %7s %zu %u", path, harm, &d.at, &bit) != 4)
        return false;
    d.harm = harm[0] == 'd' ? HARM_DELETE : harm[0] == 'c' ? HARM_CUT : HARM_FLIP;
    d.bit = (uint8_t)bit;
    for (; d.file < s->file_count; d.file++)
        if (strcmp(s->files[d.file].path, path) == 0)
            suffer(s, &d);
    return true;
}

static void
sweep(const struct site_kind *kind)
{
    struct site *s = malloc(sizeof *s);
    struct chance c = chance_init(kind->name, 1);

    assert_non_null(s);
    damages = refused = untold = 0;
    now = (struct damage){ HARM_CUT, SIZE_MAX, 0, 0 };
    site_init(s, kind, chance_u64(&c));
    suffer(s, &now); /* without damage */
    if (!suffer_given(s))
        suffer_all(s, places());
    print_message("%s: %zu damages of %zu files, %zu openings refused, %zu checks sound\n",
                  kind->name, damages, s->file_count, refused, untold);
    site_release(s);
    free(s);
}

static void
survives_damage_plain(void **state)
{
    static const struct site_kind kind = { "plain", .codec = CODEC_NONE, .maps = true };

    (void)state;
    sweep(&kind);
}

static void
survives_damage_compressed(void **state)
{
    static const struct site_kind kind = { "compressed", .codec = CODEC_LZ4 };

    (void)state;
    sweep(&kind);
}

static void
survives_damage_encrypted(void **state)
{
    static const struct site_kind kind = { "encrypted", .encrypted = true };

    (void)state;
    sweep(&kind);
}

static void
survives_damage_killed(void **state)
{
    static const struct site_kind kind = { "killed", .codec = CODEC_NONE, .killed = true };

    (void)state;
    sweep(&kind);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(survives_damage_plain),
        cmocka_unit_test(survives_damage_compressed),
        cmocka_unit_test(survives_damage_encrypted),
        cmocka_unit_test(survives_damage_killed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
