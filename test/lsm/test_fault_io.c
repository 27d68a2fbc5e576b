// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Every call of every operation fails in turn with an error of the disk, alone and with all after
 * it.
 */
#include "lsm/fault_cases.h"

int
main(int argc, char **argv)
{
    static const enum fault_kind kinds[] = { FAULT_CALL, FAULT_DISK };

    return fault_main(argc, argv, fault_cases, COUNT_OF(fault_cases), kinds, COUNT_OF(kinds),
                      fault_stride(17));
}
