// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Opening, transactions and bytes of the command line, shared by all verbs.
 */
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stop.h"

enum { SECRET_MAX = 4096, KEY_SIZE = 32, LOCK_WAIT_MS = 1000 };

/* ------------------------------------------------------------------ the secret */

static basin_status
read_secret_file(const char *path, struct grow *to, basin_error *err)
{
    basin_status st = BASIN_OK;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return cli_system_error(err, errno, "cannot open %s", path);
    do {
        uint8_t *room = grow_room(to, SECRET_MAX);
        n = read(fd, room, SECRET_MAX);
        if (n < 0 && errno != EINTR)
            st = cli_system_error(err, errno, "cannot read %s", path);
        to->size += n > 0 ? (size_t)n : 0;
    } while (n > 0 && to->size <= SECRET_MAX);
    close(fd);
    if (st == BASIN_OK && to->size > SECRET_MAX)
        st = cli_error(err, BASIN_LIMIT, "%s: a secret has at most %d bytes", path, SECRET_MAX);
    return st;
}

static basin_status
read_passphrase(const char *path, struct opening *o, basin_error *err)
{
    basin_status st;
    const uint8_t *newline;

    TRY(read_secret_file(path, &o->secret, err));
    newline = o->secret.size > 0 ? memchr(o->secret.data, '\n', o->secret.size) : NULL;
    if (newline != NULL)
        o->secret.size = (size_t)(newline - o->secret.data);
    if (o->secret.size == 0)
        FAIL(err, BASIN_MISUSE, "%s: the first line is empty: that is no passphrase", path);
    o->options.passphrase = grow_bytes(&o->secret);
out:
    return st;
}

static basin_status
read_key(const char *path, struct opening *o, basin_error *err)
{
    struct grow file = { 0 };
    basin_status st;

    TRY(read_secret_file(path, &file, err));
    if (file.size == KEY_SIZE) {
        grow_add(&o->secret, file.data, file.size);
    } else {
        while (file.size > 0 &&
               (file.data[file.size - 1] == '\n' || file.data[file.size - 1] == '\r'))
            file.size--;
        if (file.size != 2 * KEY_SIZE || !text_from_hex(&o->secret, file.data, file.size))
            FAIL(err, BASIN_MISUSE, "%s: a key is %d bytes or %d hexadecimal digits", path,
                 KEY_SIZE, 2 * KEY_SIZE);
    }
    o->options.key = grow_bytes(&o->secret);
out:
    grow_wipe(&file);
    return st;
}

basin_status
opening_secret(struct cli *c, enum option_id passphrase_file, enum option_id key_file,
               struct opening *o)
{
    const char *passphrase = args_text(&c->args, passphrase_file, NULL);
    const char *key = args_text(&c->args, key_file, NULL);
    const char *environment = getenv("BASIN_PASSPHRASE");

    if (passphrase != NULL && key != NULL)
        return args_exclude(&c->args, passphrase_file, key_file, &c->err);
    if (passphrase != NULL)
        return read_passphrase(passphrase, o, &c->err);
    if (key != NULL)
        return read_key(key, o, &c->err);
    if (passphrase_file == OPT_PASSPHRASE_FILE && environment != NULL && environment[0] != '\0') {
        grow_text(&o->secret, environment);
        o->options.passphrase = grow_bytes(&o->secret);
    }
    return BASIN_OK;
}

basin_status
opening_read(struct cli *c, struct opening *o)
{
    uint64_t wait = args_number(&c->args, OPT_TIMEOUT, LOCK_WAIT_MS);

    *o = (struct opening){ .options = BASIN_OPTIONS_INIT };
    if (args_has(&c->args, OPT_CODEC)) /* the choices are in the order of the codecs */
        o->options.codec = (basin_codec)(BASIN_CODEC_NONE + args_number(&c->args, OPT_CODEC, 0));
    o->options.mem_limit = args_number(&c->args, OPT_MEM, 0);
    o->options.lock_timeout_ms = wait < UINT32_MAX ? (uint32_t)wait : UINT32_MAX;
    return opening_secret(c, OPT_PASSPHRASE_FILE, OPT_KEY_FILE, o);
}

void
opening_release(struct opening *o)
{
    grow_wipe(&o->secret);
    o->options.passphrase = o->options.key = (basin_bytes){ 0 };
}

/* ------------------------------------------------------------------ the session */

basin_status
session_open(struct cli *c, const char *path, enum session_mode mode, struct session *s)
{
    struct opening o;
    basin_status st;

    *s = (struct session){ .c = c };
    o = (struct opening){ 0 };
    if (args_text(&c->args, OPT_SPACE, "-")[0] == '\0')
        FAIL(&c->err, BASIN_MISUSE, "--space is empty: leave it out for the default keyspace");
    TRY(opening_read(c, &o));
    TRY(stop_check(&c->err));
    o.options.read_only = mode == SESSION_READ;
    o.options.must_exist = mode != SESSION_CREATE;
    st = basin_open(path, &o.options, &s->db, &c->err);
    if (st == BASIN_NOT_FOUND && mode != SESSION_CREATE && c->err.hint[0] == '\0')
        cli_hint(&c->err, "`basin put`, `import`, `load` and `init` create a database");
    if (st == BASIN_OK)
        stop_watch(s->db);
out:
    opening_release(&o);
    return st;
}

/* Finds --space in the running transaction. */
static basin_status
find_space(struct session *s, bool create)
{
    struct cli *c = s->c;
    const char *name = args_text(&c->args, OPT_SPACE, NULL);
    basin_status st;

    s->space = BASIN_SPACE_DEFAULT;
    if (name == NULL)
        return BASIN_OK;
    st = basin_space_open(s->txn, name, create, &s->space, &c->err);
    if (st == BASIN_NOT_FOUND) {
        cli_error(&c->err, st, "there is no keyspace '%s'", name);
        cli_hint(&c->err, "`basin space ls %s` lists them", c->args.words[0]);
    }
    return st;
}

basin_status
session_read(struct session *s)
{
    struct cli *c = s->c;
    basin_begin_options begin = BASIN_BEGIN_INIT;
    basin_status st;

    begin.mode = BASIN_READ;
    begin.at_pin = args_text(&c->args, OPT_AT, NULL);
    st = basin_begin(s->db, &begin, &s->txn, &c->err);
    if (st == BASIN_NOT_FOUND && begin.at_pin != NULL) {
        cli_error(&c->err, st, "there is no pin '%s'", begin.at_pin);
        cli_hint(&c->err, "`basin pin ls %s` lists them", c->args.words[0]);
    }
    return st == BASIN_OK ? find_space(s, false) : st;
}

basin_status
session_write(struct session *s)
{
    basin_status st = basin_begin_mode(s->db, BASIN_WRITE_LOCKED, &s->txn, &s->c->err);

    return st == BASIN_OK ? find_space(s, true) : st;
}

basin_status
session_commit(struct session *s, basin_durability otherwise)
{
    basin_txn *txn = s->txn;

    s->txn = NULL;
    return basin_commit(txn, cli_durability(s->c, otherwise), NULL, &s->c->err);
}

basin_status
session_close(struct session *s, basin_status st)
{
    basin_error err = { 0 };
    basin_status closed;

    basin_abort(s->txn);
    s->txn = NULL;
    stop_watch(NULL);
    closed = basin_close(s->db, &err);
    s->db = NULL;
    if (st == BASIN_OK && closed != BASIN_OK) {
        s->c->err = err;
        st = closed;
    }
    return st;
}

/* ------------------------------------------------------------------ from the command line */

basin_durability
cli_durability(const struct cli *c, basin_durability otherwise)
{
    if (args_has(&c->args, OPT_DURABLE))
        return BASIN_DURABLE;
    return args_has(&c->args, OPT_BUFFERED) ? BASIN_BUFFERED : otherwise;
}

enum notation
cli_notation(const struct cli *c)
{
    if (args_has(&c->args, OPT_HEX))
        return NOTATION_HEX;
    return args_has(&c->args, OPT_ESCAPE) ? NOTATION_ESCAPED : NOTATION_RAW;
}

basin_status
cli_bytes(struct cli *c, const char *text, struct grow *to)
{
    enum notation notation = cli_notation(c);
    size_t size = strlen(text), bad_at = 0;

    grow_clear(to);
    if (notation == NOTATION_HEX && !text_from_hex(to, text, size))
        return cli_error(&c->err, BASIN_MISUSE, "'%.80s' is not hexadecimal", text);
    if (notation == NOTATION_ESCAPED && !text_unescape(to, text, size, &bad_at)) {
        cli_error(&c->err, BASIN_MISUSE, "'%.80s': no such escape at byte %zu", text, bad_at);
        cli_hint(&c->err, "escapes are \\t \\n \\r \\\\ and \\xNN");
        return BASIN_MISUSE;
    }
    if (notation == NOTATION_RAW)
        grow_add(to, text, size);
    return BASIN_OK;
}

basin_status
cli_key(struct cli *c, const char *text, struct grow *to)
{
    basin_status st = cli_bytes(c, text, to);

    if (st == BASIN_OK && to->size > BASIN_KEY_MAX)
        st = cli_error(&c->err, BASIN_LIMIT, "the key has %zu bytes: at most %d are allowed",
                       to->size, BASIN_KEY_MAX);
    return st;
}

basin_status
cli_check_action(struct cli *c, size_t words)
{
    const char *action = c->args.words[0];

    if (c->args.word_count == words)
        return BASIN_OK;
    cli_error(&c->err, BASIN_MISUSE, "`%s %s` takes %s", c->verb->name, action,
              words == 2 ? "a database" : "a database and a name");
    cli_hint(&c->err, "usage: basin %s %s DB%s", c->verb->name, action, words == 2 ? "" : " NAME");
    return BASIN_MISUSE;
}

basin_status
cli_range_read(struct cli *c, struct cli_range *r)
{
    const char *from = args_text(&c->args, OPT_FROM, NULL);
    const char *to = args_text(&c->args, OPT_TO, NULL);
    const char *prefix = args_text(&c->args, OPT_PREFIX, NULL);
    const struct given *both = args_find(&c->args, OPT_RANGE);
    basin_status st;

    *r = (struct cli_range){ .range = BASIN_RANGE_INIT };
    TRY(args_exclude(&c->args, OPT_PREFIX, OPT_FROM, &c->err));
    TRY(args_exclude(&c->args, OPT_PREFIX, OPT_TO, &c->err));
    TRY(args_exclude(&c->args, OPT_PREFIX, OPT_RANGE, &c->err));
    if (both != NULL) {
        from = both->text;
        to = both->second;
    }
    if (from != NULL) {
        TRY(cli_key(c, from, &r->lower));
        r->range.lower_bound = BASIN_INCLUDED;
        r->range.lower = grow_bytes(&r->lower);
    }
    if (to != NULL) {
        TRY(cli_key(c, to, &r->upper));
        r->range.upper_bound = BASIN_EXCLUDED;
        r->range.upper = grow_bytes(&r->upper);
    }
    if (prefix != NULL) {
        TRY(cli_key(c, prefix, &r->prefix));
        r->range.prefix = grow_bytes(&r->prefix);
    }
out:
    return st;
}

void
cli_range_free(struct cli_range *r)
{
    grow_free(&r->lower);
    grow_free(&r->upper);
    grow_free(&r->prefix);
}

basin_watch
cli_watch(struct cli *c)
{
    basin_watch w = BASIN_WATCH_INIT;

    w.progress = progress_watch;
    w.ctx = &c->progress;
    return w;
}
