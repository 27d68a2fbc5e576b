// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * A verb's open database: options and secret from the command line, keyspace and snapshot.
 */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include "cli.h"

/* What opens a database, read from the command line; holds the secret. */
struct opening {
    basin_options options;
    struct grow secret;
};

struct session {
    struct cli *c;
    basin_db *db;
    basin_txn *txn;    /* the running transaction, or NULL */
    basin_space space; /* --space */
};

enum session_mode { SESSION_READ, SESSION_WRITE /* must exist */, SESSION_CREATE /* or create */ };

/* Reads --mem, --timeout and the secret. Free with opening_release, also after a failure. */
basin_status opening_read(struct cli *c, struct opening *o);
/* The secret of two given options; NULL name of a file option that was not given is fine. */
basin_status opening_secret(struct cli *c, enum option_id passphrase_file, enum option_id key_file,
                            struct opening *o);
void opening_release(struct opening *o);

/* DB is the word `path`. Ctrl-C interrupts it from here on. */
basin_status session_open(struct cli *c, const char *path, enum session_mode mode,
                          struct session *s);
/* A read transaction at --at or the present, and the keyspace of --space. */
basin_status session_read(struct session *s);
/* A locked write transaction; --space is created. */
basin_status session_write(struct session *s);
/* Commits s->txn with the strength the command line asks for. */
basin_status session_commit(struct session *s, basin_durability otherwise);
/* Ends the transaction, closes; returns st, or the failure of closing when st was OK. */
basin_status session_close(struct session *s, basin_status st);

/* BASIN_DURABLE or BASIN_BUFFERED as asked for. */
basin_durability cli_durability(const struct cli *c, basin_durability otherwise);
enum notation cli_notation(const struct cli *c);
/* A key or value as typed: plain, --hex or --escape. LIMIT when a key is too long. */
basin_status cli_bytes(struct cli *c, const char *text, struct grow *to);
basin_status cli_key(struct cli *c, const char *text, struct grow *to);

/* Verbs with actions: whether as many words follow as this action takes. */
basin_status cli_check_action(struct cli *c, size_t words);

/* --prefix, --from and --to, or --range. */
struct cli_range {
    basin_range range;
    struct grow lower;
    struct grow upper;
    struct grow prefix;
};
basin_status cli_range_read(struct cli *c, struct cli_range *r);
void cli_range_free(struct cli_range *r);

/* For the engine's long calls. */
basin_watch cli_watch(struct cli *c);

#endif
