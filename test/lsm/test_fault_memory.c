// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * Every allocation of every operation is refused in turn, alone and together with all after it.
 */
#include "lsm/fault_cases.h"

int
main(int argc, char **argv)
{
    static const enum fault_kind kinds[] = { FAULT_ALLOCATION, FAULT_MEMORY };

    return fault_main(argc, argv, fault_cases, COUNT_OF(fault_cases), kinds, COUNT_OF(kinds),
                      fault_stride(41));
}
