// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/* Magic and version of every format of the engine. docs/format/README.md lists them; a test holds
 * it to these. */
#ifndef LSM_FORMATS_H
#define LSM_FORMATS_H

#define HEAD_MAGIC "BASIN DB" /* its version is LSM_FORMAT_VERSION, in the door */
#define LOG_MAGIC "BASINLOG"
#define CKPT_MAGIC "BASINCKP"
#define READERS_MAGIC "BASINRDR"
enum { LOG_VERSION = 3, CKPT_VERSION = 0, READERS_VERSION = 1, NOTE_VERSION = 1 }; /* drafts */

#endif
