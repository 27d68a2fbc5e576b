#!/bin/sh
# SPDX-FileCopyrightText: the Basin authors
# SPDX-License-Identifier: Apache-2.0
# The demo runs to its end on a small index, and its commands can be repeated.
. "$(dirname "$0")/lib.sh"

awk 'BEGIN { for (i = 0; i < 3000; i++)
    printf "Package: %s%d\nVersion: 1.%d\nArchitecture: all\nDescription: number %d\n\n",
           i % 3 ? "lib" : "tool", i, i % 7, i }' >Packages
runs 0 basin demo tour --packages Packages
prints '^\$ basin import packages.db .*Packages --format packages --bulk$'
prints '^3001$'
prints '^sound$'
prints '^end pairs=3001 '
runs 0 basin get tour/packages.db zz-new
printed 'written meanwhile'
runs 6 basin demo tour --packages Packages
says 'is there already'
runs 5 basin demo tour2 --packages nothere
runs 0 basin demo 'a folder' --packages Packages --json
checks=$((checks + 1))
grep -vq '^{"command":"' "$place/out" && fail 'a line of the demo is no JSON object'
finish
