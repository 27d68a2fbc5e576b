// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The verbs: what they are called, take and do, in the words that --help, the man page and the
 * completion show. Each has two examples that run as they stand in an empty folder.
 */
#include "table.h"
#include "verbs.h"

#define SECRET OPT_PASSPHRASE_FILE, OPT_KEY_FILE
#define READING OPT_MEM, OPT_DEADLINE, OPT_RO, SECRET
#define WRITING OPT_MEM, OPT_TIMEOUT, SECRET
#define LONG OPT_MEM, OPT_DEADLINE, SECRET
#define NOTATION OPT_HEX, OPT_ESCAPE
#define COMMITTING OPT_DURABLE, OPT_BUFFERED
#define RANGE OPT_PREFIX, OPT_FROM, OPT_TO

const struct verb table_verbs[] = {
    { .name = "put",
      .group = "Pairs",
      .run = verb_put,
      .summary = "store a value under a key",
      .usage = { "put DB KEY VALUE", "put DB KEY -" },
      .about = "Stores VALUE under KEY, over what was there, and creates the database and the "
               "keyspace when they are missing. With - the value is read from standard input and "
               "may be of any size: it never has to fit into memory.\n"
               "The value is on disk when the verb returns, unless --buffered is given.",
      .word_min = 3,
      .word_max = 3,
      .options = { OPT_SPACE, NOTATION, COMMITTING, OPT_CODEC, WRITING },
      .example = { "basin put shop.db apple red", "date | basin put shop.db now -" } },
    { .name = "get",
      .group = "Pairs",
      .run = verb_get,
      .summary = "print the value of a key",
      .usage = { "get DB KEY" },
      .about = "Writes the bytes of the value to standard output, nothing before and, except on a "
               "terminal, nothing behind them. Large values are read in pieces; --offset and "
               "--length read a part without reading what is before it.\n"
               "Exits with 1 when there is no such key.",
      .word_min = 2,
      .word_max = 2,
      .options = { OPT_OFFSET, OPT_LENGTH, OPT_SPACE, OPT_AT, NOTATION, READING },
      .example = { "basin put shop.db apple red && basin get shop.db apple",
                   "basin put shop.db song 'la la la' && basin get shop.db song --offset 3 "
                   "--length 2" } },
    { .name = "del",
      .group = "Pairs",
      .run = verb_del,
      .summary = "delete keys, a range or a prefix",
      .usage = { "del DB KEY...", "del DB --range A B --yes", "del DB --prefix P --yes" },
      .about = "Deletes keys in one commit; exits with 1 when one of them is not there. A range "
               "or prefix of any size is deleted as one record; without --yes the verb only "
               "counts what it would delete and exits with 1.",
      .word_min = 1,
      .word_max = WORDS_ANY,
      .options = { OPT_RANGE, OPT_PREFIX, OPT_YES, OPT_SPACE, NOTATION, COMMITTING, OPT_CODEC,
                   WRITING },
      .example = { "basin put shop.db apple red && basin del shop.db apple",
                   "basin put shop.db apple red && basin del shop.db --prefix a --yes" } },
    { .name = "scan",
      .group = "Pairs",
      .run = verb_scan,
      .summary = "list pairs in the order of their keys",
      .usage = { "scan DB" },
      .about = "Writes one pair per line, KEY, TAB, VALUE, from one snapshot: what is written "
               "meanwhile does not show. Keys and values are escaped (\\t \\n \\r \\\\ \\xNN), "
               "so that a line is a pair whatever the bytes are; --raw leaves them as they are.",
      .word_min = 1,
      .word_max = 1,
      .options = { RANGE, OPT_REVERSE, OPT_LIMIT, OPT_KEYS, OPT_COUNT, OPT_RAW, OPT_HEX, OPT_ESCAPE,
                   OPT_SPACE, OPT_AT, READING },
      .example = { "basin put shop.db apple red && basin scan shop.db --prefix a",
                   "basin put shop.db apple red && basin scan shop.db --json --reverse "
                   "--limit 10" } },
    { .name = "import",
      .group = "Data in and out",
      .run = verb_import,
      .summary = "read pairs from a file or a stream",
      .usage = { "import DB FILE...", "import DB - --format FORMAT" },
      .about = "Reads tsv, csv, jsonl, lines or packages (a Debian package index); the name of "
               "the file tells which, --format overrides it. Files compressed with gzip, xz, "
               "lz4, zstd or bzip2 are unpacked by the tool of that name. See `basin help "
               "formats`.\n"
               "Pairs are committed in batches that do not wait for the disk, and synced at the "
               "end. With --bulk everything is sorted outside memory and published at once: "
               "faster, and all or nothing.",
      .word_min = 2,
      .word_max = WORDS_ANY,
      .options = { OPT_FORMAT, OPT_BULK, OPT_BATCH, OPT_ON_ERROR, OPT_HEADER, OPT_KEY, OPT_VALUE,
                   OPT_RAW, OPT_SPACE, COMMITTING, OPT_CODEC, WRITING },
      .example = { "printf 'apple\\tred\\nplum\\tblue\\n' > fruit.tsv && basin import shop.db "
                   "fruit.tsv",
                   "seq 1000 | basin import shop.db - --format lines --bulk --space numbers" } },
    { .name = "export",
      .group = "Data in and out",
      .run = verb_export,
      .summary = "write pairs as tsv or jsonl",
      .usage = { "export DB" },
      .about = "Writes the pairs of one keyspace, from one snapshot, in a format that import "
               "reads back to the same bytes. For a whole database take dump.",
      .word_min = 1,
      .word_max = 1,
      .options = { OPT_EXPORT_FORMAT, OPT_OUTPUT, RANGE, OPT_SPACE, OPT_AT, READING },
      .example = { "basin put shop.db apple red && basin export shop.db -o fruit.jsonl",
                   "basin put shop.db apple red && basin export shop.db --format tsv" } },
    { .name = "dump",
      .group = "Data in and out",
      .run = verb_dump,
      .summary = "write the whole database as text",
      .usage = { "dump DB" },
      .about = "Writes every keyspace, from one snapshot, as lines that can be compared and kept "
               "for years. The same content always gives the same bytes. The last line carries "
               "counts and a checksum: load refuses a dump that was cut off or changed.",
      .word_min = 1,
      .word_max = 1,
      .options = { OPT_OUTPUT, OPT_AT, READING },
      .example = { "basin put shop.db apple red && basin dump shop.db -o shop.dump",
                   "basin put shop.db apple red && basin dump shop.db | basin load copy.db -" } },
    { .name = "load",
      .group = "Data in and out",
      .run = verb_load,
      .summary = "read a dump into a database",
      .usage = { "load DB FILE", "load DB -" },
      .about = "Reads what dump or salvage wrote, unpacking it when it is compressed. A file is "
               "checked to its end before anything "
               "is stored; a stream is checked as it comes, and a keyspace is published when it "
               "is complete. DB must be new or empty, unless --yes allows to add to it and to "
               "overwrite.",
      .word_min = 2,
      .word_max = 2,
      .options = { OPT_LOAD_YES, OPT_CODEC, WRITING },
      .example = { "basin put shop.db apple red && basin dump shop.db | basin load copy.db -",
                   "basin put shop.db apple red && basin dump shop.db -o shop.dump && basin load "
                   "copy.db shop.dump" } },
    { .name = "pin",
      .group = "Snapshots and changes",
      .run = verb_pin,
      .summary = "name the present, to read it later",
      .usage = { "pin add DB NAME", "pin rm DB NAME", "pin ls DB" },
      .about = "A pin keeps the database readable as it was (--at NAME), also after closing and "
               "compaction, until it is removed. What it holds takes room: pin ls tells how "
               "much.",
      .actions = "add|rm|ls",
      .word_min = 2,
      .word_max = 3,
      .options = { OPT_OWNER, WRITING },
      .example = { "basin put shop.db apple red && basin pin add shop.db monday && basin get "
                   "shop.db apple --at monday",
                   "basin put shop.db apple red && basin pin add shop.db monday && basin pin ls "
                   "shop.db" } },
    { .name = "watch",
      .group = "Snapshots and changes",
      .run = verb_watch,
      .summary = "follow the changes",
      .usage = { "watch DB" },
      .about = "Writes one line per change: number, kind, keyspace, key and value, separated by "
               "TABs and escaped. Follows until Ctrl-C, --count, --once or --timeout. The number "
               "of the last commit seen is what --since takes to go on.\n"
               "Exits with 10 when the log behind --since is no longer kept: see hold.",
      .word_min = 1,
      .word_max = 1,
      .options = { OPT_SINCE, OPT_EVENTS, OPT_ONCE, OPT_HEX, READING },
      .example = { "basin put shop.db apple red && basin watch shop.db --since 0 --count 1",
                   "basin put shop.db apple red && basin watch shop.db --since 0 --once --json" } },
    { .name = "hold",
      .group = "Snapshots and changes",
      .run = verb_hold,
      .summary = "keep the log for a follower of the changes",
      .usage = { "hold add DB NAME", "hold rm DB NAME" },
      .about = "Without a hold the log of finished runs is given back soon, and a follower that "
               "was away finds that what it missed is gone. hold add keeps the commits behind "
               "--since, up to --bytes, until NAME moves its hold on (hold add again, with a "
               "later --since) or gives it up. It prints the commit behind which the log is "
               "kept.",
      .actions = "add|rm",
      .word_min = 3,
      .word_max = 3,
      .options = { OPT_HOLD_SINCE, OPT_HOLD_BYTES, WRITING },
      .example = { "basin put shop.db apple red && basin hold add shop.db mirror && basin put "
                   "shop.db plum blue && basin watch shop.db --since 0 --once",
                   "basin put shop.db apple red && basin hold add shop.db mirror && basin hold rm "
                   "shop.db mirror" } },
    { .name = "space",
      .group = "Snapshots and changes",
      .run = verb_space,
      .summary = "list, add or drop keyspaces",
      .usage = { "space ls DB", "space add DB NAME", "space drop DB NAME --yes" },
      .about = "A keyspace is a map of its own inside the database. Dropping one deletes all its "
               "keys as one record.",
      .actions = "ls|add|drop",
      .word_min = 2,
      .word_max = 3,
      .options = { OPT_YES, OPT_AT, WRITING },
      .example = { "basin space add shop.db colours && basin space ls shop.db",
                   "basin space add shop.db colours && basin space drop shop.db colours --yes" } },
    { .name = "init",
      .group = "Care",
      .run = verb_init,
      .summary = "create a database with settings",
      .usage = { "init DB" },
      .about = "Creates an empty database; page size and secret stay with it for ever (rekey "
               "changes the secret), and so does the codec of new strata, unless a run names "
               "another for itself. put, import and load create a database "
               "with default settings when it is missing.",
      .word_min = 1,
      .word_max = 1,
      .options = { OPT_PAGE_SIZE, OPT_CODEC, WRITING },
      .example = { "basin init shop.db --page-size 8K",
                   "printf 'open sesame' > pass && basin init safe.db --passphrase-file pass && "
                   "basin put safe.db gold 7 --passphrase-file pass" } },
    { .name = "stat",
      .group = "Care",
      .run = verb_stat,
      .summary = "sizes, levels, pins and readers",
      .usage = { "stat DB" },
      .about = "Tells what the database holds and where its room goes. Works beside a writer.",
      .word_min = 1,
      .word_max = 1,
      .options = { OPT_STRATA, OPT_READERS, READING },
      .example = { "basin put shop.db apple red && basin stat shop.db",
                   "basin put shop.db apple red && basin stat shop.db --json --strata" } },
    { .name = "check",
      .group = "Care",
      .run = verb_check,
      .summary = "look for damage",
      .usage = { "check DB" },
      .about = "Reads the database and tells every fault with its place and the keys that are "
               "lost by it. Works beside a writer. Without the secret an encrypted database is "
               "checked as far as its stored bytes go. Exits with 4 when something is damaged.",
      .word_min = 1,
      .word_max = 1,
      .options = { OPT_DEEP, LONG },
      .example = { "basin put shop.db apple red && basin check shop.db",
                   "basin put shop.db apple red && basin check shop.db --deep --json" } },
    { .name = "repair",
      .group = "Care",
      .run = verb_repair,
      .summary = "rebuild a damaged database from what can be read",
      .usage = { "repair DB --to DIR", "repair DB --in-place --yes" },
      .about = "Rebuilds the database from the strata and logs that can be read, and tells what "
               "is lost. With --to the damaged one is left alone: prefer that. Exits with 0 when "
               "the result is sound, whether or not keys were lost.",
      .word_min = 1,
      .word_max = 1,
      .options = { OPT_REPAIR_TO, OPT_IN_PLACE, OPT_YES, LONG },
      .example = { "basin put shop.db apple red && basin repair shop.db --to mended.db",
                   "basin put shop.db apple red && basin repair shop.db --in-place --yes" } },
    { .name = "salvage",
      .group = "Care",
      .run = verb_salvage,
      .summary = "write a dump of whatever can still be read",
      .usage = { "salvage DB" },
      .about = "Writes every pair that can be read, newest version, in the form of dump, and "
               "changes nothing. For a database that does not open any more.",
      .word_min = 1,
      .word_max = 1,
      .options = { OPT_OUTPUT, LONG },
      .example = { "basin put shop.db apple red && basin salvage shop.db -o rescued.dump",
                   "basin put shop.db apple red && basin salvage shop.db | basin load new.db -" } },
    { .name = "compact",
      .group = "Care",
      .run = verb_compact,
      .summary = "merge everything and give room back",
      .usage = { "compact DB" },
      .about = "Merges all strata into the last level. The database does this by itself, piece "
               "by piece; the verb is for when the room is wanted now.",
      .word_min = 1,
      .word_max = 1,
      .options = { OPT_CODEC, LONG },
      .example = { "basin put shop.db apple red && basin compact shop.db",
                   "basin put shop.db apple red && basin compact shop.db --json" } },
    { .name = "rekey",
      .group = "Care",
      .run = verb_rekey,
      .summary = "change the passphrase or key",
      .usage = { "rekey DB --passphrase-file OLD --new-passphrase-file NEW",
                 "rekey DB --key-file OLD --new-key-file NEW" },
      .about = "Replaces the secret. No data is rewritten, so it takes the same time for any "
               "size. Nobody else may have the database open.",
      .word_min = 1,
      .word_max = 1,
      .options = { OPT_NEW_PASSPHRASE_FILE, OPT_NEW_KEY_FILE, WRITING },
      .example = { "printf old > a && printf new > b && basin init safe.db --passphrase-file a && "
                   "basin rekey safe.db --passphrase-file a --new-passphrase-file b",
                   "head -c 32 /dev/urandom > k && printf old > a && basin init safe.db "
                   "--passphrase-file a && basin rekey safe.db --passphrase-file a "
                   "--new-key-file k" } },
    { .name = "bench",
      .group = "Other",
      .run = verb_bench,
      .summary = "a small benchmark of this machine",
      .usage = { "bench DB" },
      .about = "Fills a new database, reads it and tells rates, together with the durability "
               "that each figure was measured at. The database stays for further looks.",
      .word_min = 1,
      .word_max = 1,
      .options = { OPT_PAIRS, OPT_VALUE_SIZE, OPT_SEED, OPT_CODEC, COMMITTING, WRITING },
      .example = { "basin bench bench.db --pairs 2000",
                   "basin bench bench.db --pairs 500 --durable --json" } },
    { .name = "demo",
      .group = "Other",
      .run = verb_demo,
      .summary = "a tour with the package index of this machine",
      .usage = { "demo [DIR]" },
      .about = "Imports the Debian package index into a database in DIR (basin-demo) and shows, "
               "command by command, what the program does: loading, reading, a snapshot that is "
               "held while a writer goes on, a range delete undone by a pin, a second process "
               "that reads, compaction and check. Every line that starts with $ can be "
               "repeated.",
      .word_min = 0,
      .word_max = 1,
      .options = { OPT_PACKAGES },
      .example = { "basin demo", "basin demo tour --packages /var/lib/dpkg/status" } },
    { .name = "completion",
      .group = "Other",
      .run = verb_completion,
      .summary = "completion of verbs and options for a shell",
      .usage = { "completion bash|zsh|fish" },
      .about = "Writes the completion code of a shell. bash: `source <(basin completion bash)`. "
               "zsh: write it to a file _basin in $fpath. fish: write it to "
               "~/.config/fish/completions/basin.fish.",
      .actions = "bash|zsh|fish",
      .word_min = 1,
      .word_max = 1,
      .example = { "basin completion bash > basin.bash", "basin completion zsh > _basin" } },
    { .name = "version",
      .group = "Other",
      .run = verb_version,
      .summary = "version of the program and of its formats",
      .usage = { "version" },
      .about = "Tells the version, the format that this build writes and the oldest that it "
               "reads.",
      .word_min = 0,
      .word_max = 0,
      .example = { "basin version", "basin version --json" } },
    { .name = "help",
      .group = "Other",
      .run = verb_help,
      .summary = "help on a verb or a topic",
      .usage = { "help [VERB or TOPIC]", "help --man" },
      .about = "Without a word it lists the verbs and topics. --man writes the manual page, from "
               "the same source.",
      .word_min = 0,
      .word_max = 1,
      .options = { OPT_MAN, OPT_EXAMPLES },
      .example = { "basin help durability", "basin help --man > basin.1" } },
    { .name = NULL },
};
