// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/* Bytes of log files, shared by the writer and the reader of them: docs/format/log.md. */
#ifndef LSM_LOG_FORMAT_H
#define LSM_LOG_FORMAT_H

#include "lsm/formats.h"
#include "lsm/internal.h"

enum {
    LOG_FLAG_SEALED = 1,
    LOG_COPIED_AT = 40, /* salt and process */
    LOG_COPY_SIZE = 32,
    LOG_COPY_AT = 72,
    LOG_END_BEFORE_AT = 104
};

uint64_t lsm__log_seed(const uint8_t header[LOG_HEADER_SIZE]);
uint64_t lsm__record_seed(uint64_t log_seed, uint64_t at);
uint32_t lsm__record_check(const uint8_t head[LOG_RECORD_HEADER_SIZE], uint64_t seed);
void lsm__log_header_make(const struct lsm *db, uint64_t epoch,
                          const uint8_t salt[CODEC_SALT_SIZE], uint64_t end_before,
                          uint8_t header[LOG_HEADER_SIZE]);
/* Fills the copy and the checksums. */
void lsm__log_header_seal(uint8_t header[LOG_HEADER_SIZE]);

#endif
