// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The oracle of the engine: a sorted array of keys with every version, and a list of range deletes.
 * It answers by looking at everything; nothing is ever dropped, so that every snapshot stays
 * readable. Merge values are an operator byte and an operand; it knows counter (2) and append (16)
 * by its own arithmetic. Memory is malloc's; a failed allocation ends the test.
 *
 * A transaction is tested by writing its operations with higher seqnos, reading at those, and
 * oracle_cut when it is aborted; concurrent ones by oracle_clone.
 */
#ifndef TEST_MODEL_ORACLE_H
#define TEST_MODEL_ORACLE_H

#include "base/base.h"

struct oracle;
struct oracle *oracle_new(void);
void oracle_free(struct oracle *o); /* takes NULL */
struct oracle *oracle_clone(const struct oracle *o);

/* seqnos ascend over all calls. */
void oracle_put(struct oracle *o, struct bytes key, struct bytes value, uint64_t seqno);
void oracle_delete(struct oracle *o, struct bytes key, uint64_t seqno);
void oracle_merge(struct oracle *o, struct bytes key, struct bytes operand, uint64_t seqno);
void oracle_delete_range(struct oracle *o, struct bytes begin, struct bytes end, bool unbounded,
                         uint64_t seqno);
/* Forgets everything with a larger seqno. */
void oracle_cut(struct oracle *o, uint64_t seqno);

enum oracle_answer {
    ORACLE_NONE,
    ORACLE_VALUE,
    ORACLE_UNRESOLVED /* a value is there, but its operands cannot be resolved */
};
/* value: until the next call that takes o. */
enum oracle_answer oracle_get(struct oracle *o, struct bytes key, uint64_t snapshot,
                              struct bytes *value);
/* The visible key next to `from` in a direction, from itself included or not; from NULL: the first
 * or last. False: none. key: until a write. */
bool oracle_step(struct oracle *o, const struct bytes *from, bool inclusive, bool forward,
                 uint64_t snapshot, struct bytes *key);
/* Whether anything with a seqno in (since, upto] touches [begin, end). */
bool oracle_changed(const struct oracle *o, struct bytes begin, struct bytes end, bool unbounded,
                    uint64_t since, uint64_t upto);
/* Keys that were ever written, and one of them. */
size_t oracle_key_count(const struct oracle *o);
struct bytes oracle_key(const struct oracle *o, size_t i);

#endif
