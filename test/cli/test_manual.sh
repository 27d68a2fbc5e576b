#!/bin/sh
# SPDX-FileCopyrightText: the Basin authors
# SPDX-License-Identifier: Apache-2.0
# What the manual shows of the program is what the program does.
. "$(dirname "$0")/lib.sh"

command -v python3 >/dev/null || exit 77
mkdir "$place/bin"
ln -s "$program" "$place/bin/basin"
runs 0 python3 "$here/../../tools/examples.py" shell "$here/../../docs/MANUAL.md" \
    "$place/bin/basin"
prints ' 0 wrong$'
# every verb of the program is in the manual
runs 0 basin help --examples
for verb in $(cut -f 1 "$place/out" | uniq); do
    checks=$((checks + 1))
    grep -q "\`$verb\`" "$here/../../docs/MANUAL.md" || fail "$verb is not in the manual"
done
finish
