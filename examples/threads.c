// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Threads move money between accounts in optimistic transactions and try again on a conflict. The
 * sum never changes, in whatever order the commits come.
 *
 *     cc -pthread threads.c $(pkg-config --cflags --libs basin) && ./a.out FOLDER
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <basin/basin.h>

enum { ACCOUNTS = 8, THREADS = 3, TRANSFERS = 200, START = 100 };

static basin_bytes
account(char name[16], unsigned n)
{
    return (basin_bytes){ name, (size_t)snprintf(name, 16, "account-%u", n) };
}

static basin_status
read_amount(basin_txn *txn, unsigned n, int64_t *amount, basin_error *err)
{
    char name[16];
    size_t got;
    basin_status st = basin_read(txn, BASIN_SPACE_DEFAULT, account(name, n), 0, amount,
                                 sizeof *amount, &got, NULL, err);

    if (st == BASIN_OK && got != sizeof *amount)
        return BASIN_CORRUPT;
    return st;
}

static basin_status
write_amount(basin_txn *txn, unsigned n, int64_t amount, basin_error *err)
{
    char name[16];

    return basin_put(txn, BASIN_SPACE_DEFAULT, account(name, n),
                     (basin_bytes){ &amount, sizeof amount }, err);
}

static basin_status
transfer(basin_db *db, unsigned from, unsigned to, int64_t amount, basin_error *err)
{
    basin_txn *txn;
    int64_t there, here;
    basin_status st = basin_begin_mode(db, BASIN_WRITE, &txn, err);

    if (st != BASIN_OK)
        return st;
    st = read_amount(txn, from, &there, err);
    if (st == BASIN_OK)
        st = read_amount(txn, to, &here, err);
    if (st == BASIN_OK)
        st = write_amount(txn, from, there - amount, err);
    if (st == BASIN_OK)
        st = write_amount(txn, to, here + amount, err);
    if (st == BASIN_OK)
        return basin_commit(txn, BASIN_BUFFERED, NULL, err); /* CONFLICT: nothing happened */
    basin_abort(txn);
    return st;
}

struct clerk {
    basin_db *db;
    unsigned seed;
    unsigned conflicts;
    basin_status status;
    basin_error err;
};

static void *
work(void *argument)
{
    struct clerk *c = argument;
    unsigned done = 0, from, to;

    while (done < TRANSFERS && c->status == BASIN_OK) {
        c->seed = c->seed * 1103515245u + 12345u;
        from = c->seed >> 16 & 7;
        to = (from + 1 + (c->seed >> 20 & 3)) % ACCOUNTS;
        c->status = transfer(c->db, from, to, 1 + (c->seed >> 24 & 15), &c->err);
        if (c->status == BASIN_CONFLICT) {
            c->conflicts++;
            c->status = BASIN_OK; /* read again, decide again */
        } else {
            done++;
        }
    }
    return NULL;
}

static basin_status
sum(basin_db *db, int64_t *total, basin_error *err)
{
    basin_txn *txn;
    int64_t amount;
    basin_status st = basin_begin_mode(db, BASIN_READ, &txn, err);

    *total = 0;
    if (st != BASIN_OK)
        return st;
    for (unsigned n = 0; n < ACCOUNTS && st == BASIN_OK; n++) {
        st = read_amount(txn, n, &amount, err);
        if (st == BASIN_OK)
            *total += amount;
    }
    basin_abort(txn);
    return st;
}

static basin_status
open_accounts(basin_db *db, basin_error *err)
{
    basin_txn *txn;
    basin_status st = basin_begin_mode(db, BASIN_WRITE, &txn, err);

    if (st != BASIN_OK)
        return st;
    for (unsigned n = 0; n < ACCOUNTS && st == BASIN_OK; n++)
        st = write_amount(txn, n, START, err);
    if (st == BASIN_OK)
        return basin_commit(txn, BASIN_DURABLE, NULL, err);
    basin_abort(txn);
    return st;
}

static basin_status
run(basin_db *db, int64_t *total, basin_error *err)
{
    struct clerk clerks[THREADS];
    pthread_t threads[THREADS];
    unsigned started = 0;
    basin_status st = open_accounts(db, err);

    for (; st == BASIN_OK && started < THREADS; started++) {
        clerks[started] = (struct clerk){ .db = db, .seed = started + 1 };
        if (pthread_create(&threads[started], NULL, work, &clerks[started]) != 0)
            break;
    }
    for (unsigned i = 0; i < started; i++) {
        pthread_join(threads[i], NULL);
        printf("thread %u: %u transfers, %u conflicts\n", i, TRANSFERS, clerks[i].conflicts);
        if (st == BASIN_OK && clerks[i].status != BASIN_OK) {
            st = clerks[i].status;
            *err = clerks[i].err;
        }
    }
    return st == BASIN_OK ? sum(db, total, err) : st;
}

int
main(int argc, char **argv)
{
    basin_options options = BASIN_OPTIONS_INIT;
    basin_error err = { 0 };
    basin_db *db;
    int64_t total = 0;
    basin_status st;

    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    st = basin_open(argv[1], &options, &db, &err);
    if (st == BASIN_OK)
        st = run(db, &total, &err);
    if (st != BASIN_OK)
        fprintf(stderr, "%s: %s\n", basin_status_name(st), err.what);
    else
        printf("sum: %" PRId64 "\n", total);
    if (basin_close(db, &err) != BASIN_OK) {
        fprintf(stderr, "close: %s\n", err.what);
        return 1;
    }
    return st != BASIN_OK || total != ACCOUNTS * START;
}
