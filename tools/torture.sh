#!/bin/sh
# SPDX-FileCopyrightText: the Basin authors
# SPDX-License-Identifier: Apache-2.0
# torture.sh [SCALE [ROUNDS [CRASHES]]]: the tests under sanitizers with SCALE times the random
# cases, each round with new seeds (BASIN_TEST_SEED repeats one), then in release histories on the
# simulated machine until it has crashed CRASHES times, with a table of what was hit. Ends at the
# first round that fails; a failing history is made short and printed.
set -u
cd "$(dirname "$0")/.." || exit 1
. tools/lib.sh
trap 'exit 130' INT TERM
sh tools/deps.sh build test || exit 1
one_at_a_time
find_data
export BASIN_TEST_SCALE="${1:-200}"
rounds=${2:-1}
crashes=${3:-1000000}
given=${BASIN_TEST_SEED-}

configure asan build-asan -DCMAKE_C_COMPILER=gcc -DBASIN_TESTS=ON && compile build-asan || exit 1
round=1
while [ "$round" -le "$rounds" ]; do
    BASIN_TEST_SEED=${given:-$(od -An -N7 -tu8 /dev/urandom | tr -d ' ')}
    export BASIN_TEST_SEED
    run_tests "Round $round of $rounds, BASIN_TEST_SEED=$BASIN_TEST_SEED" build-asan 86400
    [ $failed = 0 ] || break
    round=$((round + 1))
done
if [ $failed = 0 ]; then
    say "$crashes crashes of the simulated machine"
    configure release build -DBASIN_TESTS=ON && cmake --build build --target lsm_test_crash &&
        build/lsm_test_crash torture "$crashes" "$BASIN_TEST_SEED" || count_failed crashes
fi
finish
