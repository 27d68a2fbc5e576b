// SPDX-FileCopyrightText: the Basin authors
// SPDX-License-Identifier: Apache-2.0
/*
 * The disk is full at every call of every operation, and at every page that it takes.
 */
#include "lsm/fault_cases.h"

int
main(int argc, char **argv)
{
    static const enum fault_kind kinds[] = { FAULT_CALL_NO_SPACE, FAULT_SPACE };

    return fault_main(argc, argv, fault_cases, COUNT_OF(fault_cases), kinds, COUNT_OF(kinds),
                      fault_stride(23));
}
