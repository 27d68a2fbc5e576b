#!/bin/sh
# SPDX-FileCopyrightText: the Basin authors
# SPDX-License-Identifier: Apache-2.0
# format.sh [--check] [FILE...]: lays out the C files as .clang-format says, or says which ones
# are not. Versions of clang-format differ in details; the house's is 14, Debian 12's.
set -u
cd "$(dirname "$0")/.." || exit 1
check=no
if [ "${1-}" = --check ]; then
    check=yes
    shift
fi
program=
for name in clang-format-14 clang-format; do
    if command -v $name >/dev/null 2>&1 && $name --version | grep -q ' version 14\.'; then
        program=$name
        break
    fi
done
if [ -z "$program" ]; then
    echo 'format: clang-format 14 is not installed (Debian package clang-format-14)' >&2
    [ $check = yes ] && exit 77
    exit 1
fi
if [ $# = 0 ]; then
    set -- $(find include src cli test fuzz bench examples -name '*.[ch]' | LC_ALL=C sort)
fi
if [ $check = no ]; then
    exec $program -i "$@"
fi
bad=0
for file in "$@"; do
    if ! $program "$file" | cmp -s - "$file"; then
        echo "$file: is not laid out as .clang-format says (tools/format.sh $file)"
        bad=$((bad + 1))
    fi
done
echo "format: $# files, $bad to be laid out"
[ $bad = 0 ]
