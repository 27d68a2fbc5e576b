// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Merge operators: changes that are written without reading. The counter is built in; an operator
 * of one's own keeps the longest text that was ever offered.
 */
#include "example.h"

enum { OP_LONGEST = BASIN_OP_USER_MIN };

/* The value is the longest of the base and the operands. */
static basin_status
longest_full(void *ctx, basin_bytes key, const basin_bytes *base, const basin_bytes *operands,
             size_t count, basin_merge_reply *reply)
{
    basin_bytes best = base != NULL ? *base : operands[0];

    (void)ctx;
    (void)key;
    for (size_t i = 0; i < count; i++) {
        if (operands[i].size > best.size)
            best = operands[i];
    }
    return basin_merge_result(reply, best.data, best.size);
}

/* Two operands fold into the longer one: keeps what is stored short. */
static basin_status
longest_partial(void *ctx, basin_bytes key, basin_bytes older, basin_bytes newer,
                basin_merge_reply *reply)
{
    basin_bytes best = newer.size > older.size ? newer : older;

    (void)ctx;
    (void)key;
    return basin_merge_result(reply, best.data, best.size);
}

static basin_status
offer(basin_db *db, const char *word, basin_error *err)
{
    basin_txn *txn = NULL;
    basin_status st;

    TRY(basin_begin_mode(db, BASIN_WRITE, &txn, err));
    TRY(basin_merge(txn, BASIN_SPACE_DEFAULT, text("longest"), OP_LONGEST, text(word), err));
    TRY(basin_counter_add(txn, BASIN_SPACE_DEFAULT, text("words"), 1, err));
    TRY(basin_merge(txn, BASIN_SPACE_DEFAULT, text("all"), BASIN_OP_APPEND, text(word), err));
    st = basin_commit(txn, BASIN_BUFFERED, NULL, err);
    txn = NULL;
out:
    basin_abort(txn);
    return st;
}

static basin_status
check(basin_db *db, basin_error *err)
{
    basin_txn *txn = NULL;
    basin_bytes value;
    int64_t words;
    basin_status st;

    TRY(basin_begin_mode(db, BASIN_READ, &txn, err));
    TRY(basin_counter_get(txn, BASIN_SPACE_DEFAULT, text("words"), &words, err));
    EXPECT(words == 4);
    TRY(basin_get(txn, BASIN_SPACE_DEFAULT, text("longest"), &value, err));
    EXPECT(is_text(value, "estuary"));
    TRY(basin_get(txn, BASIN_SPACE_DEFAULT, text("all"), &value, err));
    EXPECT(is_text(value, "pondlakeestuaryriver"));
    printf("%" PRId64 " words, the longest is %.*s\n", words, 7, "estuary");
out:
    basin_abort(txn);
    return st;
}

int
main(int argc, char **argv)
{
    static const char *const words[] = { "pond", "lake", "estuary", "river" };
    const basin_operator longest = {
        .number = OP_LONGEST, .name = "longest", .full = longest_full, .partial = longest_partial
    };
    basin_options options = BASIN_OPTIONS_INIT;
    basin_error err = { 0 };
    basin_db *db = NULL;
    basin_status st;

    options.operators = &longest;
    options.operator_count = 1;
    TRY(open_database(argc, argv, "words.db", &options, &db, &err));
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        TRY(offer(db, words[i], &err));
    TRY(check(db, &err));
    TRY(basin_compact(db, NULL, &err));
    TRY(check(db, &err));
out:
    return finish(db, st, &err);
}
