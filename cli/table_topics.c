// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The topics of help. A paragraph is one line of the text; one that starts with a space is shown
 * as it stands.
 */
#include "table.h"

static const char durability[] =
    "A commit has one of two strengths.\n"
    "    durable    on disk when the verb returns: survives power loss (default)\n"
    "    buffered   survives the death of the process at once; it reaches the disk\n"
    "               within one second or 4 MiB, whichever comes first\n"
    "put and del wait for the disk unless --buffered is given. import commits its batches "
    "buffered and syncs once at the end, so that its success means: everything is on disk. With "
    "--durable every batch waits. import --bulk and load publish durably.\n"
    "After a crash the commits that are left are a prefix of the order in which they were made, "
    "and hold every durable one. A commit is whole or absent.\n"
    "Readers never see what a failed write would take back: a durable commit becomes visible "
    "after the disk has it.\n"
    "When the disk is full, or the system reports an error at a write, the verb fails with exit "
    "code 5 and what was committed before stays.";

static const char keyspaces[] =
    "A database holds any number of keyspaces, each an ordered map of its own from keys to "
    "values. The default keyspace has no name; --space NAME takes another one. put, import and "
    "load create a keyspace when it is missing; verbs that read exit with 1.\n"
    "    basin space add shop.db colours\n"
    "    basin put shop.db apple red --space colours\n"
    "    basin space ls shop.db\n"
    "    basin space drop shop.db colours --yes\n"
    "Dropping a keyspace deletes its keys as one record, at once and for any size; the room comes "
    "back as strata are merged. One commit may change several keyspaces, and a snapshot shows all "
    "of them at the same moment.\n"
    "A key has 0 to 65000 bytes, any of the 256; keys are ordered byte by byte, a shorter one "
    "before a longer one that starts with it. A keyspace name has at most 255 bytes.";

static const char exit_codes[] =
    "    0    done\n"
    "    1    not found, or the answer is no; a destructive verb without --yes\n"
    "    2    the command line is wrong\n"
    "    3    busy: another process has it, or the time given was short; try again\n"
    "    4    corrupt: stored bytes or an input file are damaged\n"
    "    5    the system reported an error at reading or writing, or the disk is full\n"
    "    6    refused: exists already, is open for reading only, or over a limit\n"
    "    7    the passphrase or key does not open this database\n"
    "    8    written by a format that this build does not read\n"
    "    9    memory was refused\n"
    "   10    the snapshot or feed position is no longer kept\n"
    "   11    a value needs a merge operator that the program does not have\n"
    "  128+n  ended by signal n: 130 is Ctrl-C; 141: the reader of standard output\n"
    "         went away\n"
    "A failure is told in one line on standard error, followed by a hint where there is one. With "
    "--json it is one object: {\"error\":{\"status\":...,\"what\":...,\"hint\":...}}.";

static const char formats[] =
    "The name of a file tells its format; --format overrides it and is needed for standard "
    "input.\n"
    "    tsv       .tsv .tab          KEY TAB VALUE, escaped; both ways\n"
    "    csv       .csv               RFC 4180; import\n"
    "    jsonl     .jsonl .ndjson     {\"key\":...,\"value\":...} per line; both ways\n"
    "    lines     .txt .lines        each line is a key with an empty value; import\n"
    "    packages  *Packages, status  a Debian package index; import\n"
    "tsv: \\t \\n \\r \\\\ and \\xNN stand for bytes that would break the line; import --raw takes "
    "backslashes as they are. A line without a TAB is a key with an empty value.\n"
    "jsonl: strings are their UTF-8 bytes. Bytes that are no UTF-8 stand in hexadecimal under "
    "\"key_hex\" or \"value_hex\". A value that is no string (an object, a number) is stored as "
    "its JSON text. Other members are ignored.\n"
    "csv: column 1 is the key and column 2 the value; --key and --value take other columns, by "
    "number or, with --header, by name. With --header and without --value the value is a JSON "
    "object of all columns.\n"
    "packages: the key is Package_Version_Architecture, the value is the stanza.\n"
    "dump: see `basin help dump`. The first line is `basin dump 1`; a line `space NAME` starts a "
    "keyspace, `=KEY TAB VALUE` is a pair, `+VALUE` continues a long value, and the last line "
    "is `end pairs=N spaces=N bytes=N crc64=HEX`. Keys and values are escaped as in tsv.\n"
    "On the command line keys and values are the bytes as typed; with --escape they may hold "
    "escapes, with --hex they are hexadecimal, and what is printed is so too.";

static const char encryption[] =
    "A database that is created with --passphrase-file or --key-file (or with BASIN_PASSPHRASE "
    "set) is encrypted: log, strata, checkpoints and temporary files. Every later verb needs the "
    "same secret.\n"
    "    basin init safe.db --passphrase-file pass\n"
    "    BASIN_PASSPHRASE='open sesame' basin get safe.db gold\n"
    "    basin rekey safe.db --passphrase-file pass --new-passphrase-file new\n"
    "A passphrase is the first line of its file, without the newline; it is stretched with "
    "Argon2id. A key file holds 32 bytes, or 64 hexadecimal digits. The secret never stands on "
    "the command line, where other users could read it.\n"
    "What stays visible: names and sizes of files, and sequence numbers. check works without the "
    "secret, as far as the stored bytes go. A wrong secret gives exit code 7. A secret that is "
    "lost cannot be brought back.";

const struct topic table_topics[] = {
    { "durability", "what is on disk when", durability },
    { "encryption", "passphrases and keys", encryption },
    { "exit-codes", "what the exit code says", exit_codes },
    { "formats", "files that import, export, dump and load know", formats },
    { "keyspaces", "several maps in one database", keyspaces },
    { NULL, NULL, NULL },
};
