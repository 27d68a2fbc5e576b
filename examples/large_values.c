// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Values larger than memory: written as a stream, read in pieces from any place.
 */
#include "example.h"

enum { PIECE = 64 * 1024, PIECES = 160 }; /* 10 MiB */

/* The byte that stands at a place of the value. */
static unsigned char
byte_at(uint64_t at)
{
    return (unsigned char)(at * 31 >> 3 ^ at >> 11);
}

static basin_status
write_value(basin_db *db, basin_error *err)
{
    unsigned char piece[PIECE];
    basin_stream *stream = NULL;
    basin_txn *txn = NULL;
    basin_status st;

    TRY(basin_begin_mode(db, BASIN_WRITE_LOCKED, &txn, err));
    TRY(basin_stream_open(txn, BASIN_SPACE_DEFAULT, text("film"), &stream, err));
    for (uint64_t i = 0; i < PIECES; i++) {
        for (uint64_t k = 0; k < PIECE; k++)
            piece[k] = byte_at(i * PIECE + k);
        TRY(basin_stream_write(stream, piece, PIECE, err));
    }
    st = basin_stream_close(stream, err); /* this is the put */
    stream = NULL;
    TRY(st);
    st = basin_commit(txn, BASIN_DURABLE, NULL, err);
    txn = NULL;
out:
    basin_stream_abort(stream);
    basin_abort(txn);
    return st;
}

/* Reads `n` bytes at `offset` and compares them. */
static basin_status
check_piece(basin_txn *txn, uint64_t offset, size_t n, size_t expected, basin_error *err)
{
    unsigned char piece[PIECE];
    uint64_t size;
    size_t got;
    basin_status st;

    TRY(basin_read(txn, BASIN_SPACE_DEFAULT, text("film"), offset, piece, n, &got, &size, err));
    EXPECT(size == (uint64_t)PIECE * PIECES && got == expected);
    for (size_t i = 0; i < got; i++)
        EXPECT(piece[i] == byte_at(offset + i));
out:
    return st;
}

int
main(int argc, char **argv)
{
    const uint64_t size = (uint64_t)PIECE * PIECES;
    basin_options options = BASIN_OPTIONS_INIT;
    basin_error err = { 0 };
    basin_db *db = NULL;
    basin_txn *txn = NULL;
    basin_status st;

    options.mem_limit = 4 * 1024 * 1024; /* less than half of the value */
    TRY(open_database(argc, argv, "films.db", &options, &db, &err));
    TRY(write_value(db, &err));
    TRY(basin_begin_mode(db, BASIN_READ, &txn, &err));
    TRY(check_piece(txn, 0, PIECE, PIECE, &err));
    TRY(check_piece(txn, size / 2 + 12345, 1000, 1000, &err));
    TRY(check_piece(txn, size - 10, PIECE, 10, &err)); /* short at the end */
    TRY(check_piece(txn, size, PIECE, 0, &err));
    for (uint64_t at = 0; at < size; at += PIECE)
        TRY(check_piece(txn, at, PIECE, PIECE, &err));
    printf("%" PRIu64 " bytes are as they were written\n", size);
out:
    basin_abort(txn);
    return finish(db, st, &err);
}
