#!/bin/sh
# SPDX-FileCopyrightText: the Basin authors
# SPDX-License-Identifier: Apache-2.0
# headers.sh: every public header compiles alone, as C and as C++; every header of a room compiles
# alone as C. With each compiler that is there; one of each language must be.
set -u
cd "$(dirname "$0")/.." || exit 1
export LC_ALL=C
strict='-fsyntax-only -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror'
failed=0
c_seen=0
cxx_seen=0

# try LANGUAGE STANDARD COMPILER FOLDERS HEADER
try() {
    name=${5#include/}
    name=${name#src/}
    if ! printf '#include "%s"\n' "$name" |
        "$3" -x "$1" "-std=$2" $strict -D_GNU_SOURCE $4 -; then
        echo "headers: $5 does not compile alone with $3 as $2" >&2
        failed=$((failed + 1))
    fi
}

for compiler in gcc clang; do
    command -v $compiler >/dev/null 2>&1 || continue
    c_seen=1
    for header in include/basin/*.h; do
        try c c17 $compiler "-Iinclude" "$header"
    done
    strict_before=$strict
    strict='-fsyntax-only -Wall -Wextra -Wshadow -Werror -Wno-unused-function'
    for header in src/*/*.h; do
        [ -e "$header" ] && try c c17 $compiler "-Iinclude -Isrc $(pkg-config --cflags \
            libzstd liblz4 libxxhash libsodium 2>/dev/null)" "$header"
    done
    strict=$strict_before
done
for compiler in g++ clang++; do
    command -v $compiler >/dev/null 2>&1 || continue
    cxx_seen=1
    for header in include/basin/*.h; do
        try c++ c++11 $compiler "-Iinclude" "$header"
        try c++ c++17 $compiler "-Iinclude" "$header"
    done
done
if [ $c_seen = 0 ] || [ $cxx_seen = 0 ]; then
    echo "headers: no compiler for C or for C++ found" >&2
    exit 1
fi
[ $failed = 0 ] && echo "headers: all compile alone"
[ $failed = 0 ]
