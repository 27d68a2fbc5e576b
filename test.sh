#!/bin/sh
# SPDX-FileCopyrightText: the Basin authors
# SPDX-License-Identifier: Apache-2.0
# The one command that tests Basin: installs the Debian packages that are missing, builds, and runs
# the tests under AddressSanitizer and UndefinedBehaviorSanitizer (gcc), a minute of fuzzing (clang)
# and the house checks. Large cases run at a twentieth of their size; BASIN_TEST_SCALE=20 is full.
# It may be interrupted and run again at any time. The last line counts; the exit status is 0 when
# nothing failed.
set -u
cd "$(dirname "$0")" || exit 1
. tools/lib.sh
trap 'echo; echo "Interrupted; ./test.sh starts again where the build was." >&2; exit 130' INT TERM

sh tools/deps.sh build test || exit 1
one_at_a_time
find_data
export BASIN_TEST_SCALE="${BASIN_TEST_SCALE:-1}"

build_asan() {
    configure asan build-asan -DCMAKE_C_COMPILER=gcc -DBASIN_TESTS=ON -DBASIN_BENCH=ON &&
        compile build-asan all bench
}
build_fuzz() {
    configure fuzz build-fuzz && compile build-fuzz fuzzers
}
build_floors() {
    configure release build -DBASIN_TESTS=ON && compile build floors
}

step 'Spelling' codespell
step 'Floors: each room links with the rooms below it alone' build_floors
step 'Building with gcc, AddressSanitizer and UndefinedBehaviorSanitizer' build_asan
[ -e build-asan/CTestTestfile.cmake ] &&
    run_tests 'Tests with gcc under AddressSanitizer and UndefinedBehaviorSanitizer' build-asan 300
step 'Building the fuzz targets with clang' build_fuzz
step 'A minute of fuzzing' sh tools/fuzz.sh build-fuzz "${BASIN_FUZZ_SECONDS:-60}"
finish
