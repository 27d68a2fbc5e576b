#!/bin/sh
# SPDX-FileCopyrightText: the Basin authors
# SPDX-License-Identifier: Apache-2.0
# run.sh [--smoke]: runs the benchmark that was built and makes its report.
#
# Settings come from the environment:
#   BUILD    build directory that has bench/basin_bench      (build, or the first build*/ with it)
#   SUITE    std v1k large hot quick smoke, several with commas                         (quick)
#   ENGINES  columns, with commas          (all that were built, without variants and control)
#   WORKLOADS  groups of workloads, with commas                        (those of the suite)
#   ROUNDS   turns of each engine                                                          (3)
#   OUT      directory for rows, tables, chart and the databases meanwhile     ($BUILD/bench/out)
#   LIMITS   yes = measure the machine first                                             (yes)
#
# --smoke: all groups with few keys, basin and mem only, and the negative control; some seconds.
# Leaves 0 when all engines answered right and the control was caught.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")

find_build() {
    for b in "$root/build" "$root"/build*/; do
        if [ -x "$b/bench/basin_bench" ]; then
            echo "${b%/}"
            return
        fi
    done
    echo "run.sh: no bench/basin_bench in build*/: configure with -DBASIN_BENCH=ON" >&2
    exit 2
}

smoke=no
case ${1-} in
--smoke) smoke=yes ;;
'') ;;
*) echo "usage: run.sh [--smoke]" >&2; exit 2 ;;
esac
BUILD=${BUILD-$(find_build)}
program=$BUILD/bench/basin_bench
if [ $smoke = yes ]; then
    SUITE=smoke
    ENGINES=${ENGINES-basin,mem,control}
    ROUNDS=1
    LIMITS=no
fi
SUITE=${SUITE-quick}
ROUNDS=${ROUNDS-3}
OUT=${OUT-$BUILD/bench/out}
mkdir -p "$OUT"

if [ "${LIMITS-yes}" = yes ]; then
    "$BUILD/bench/basin_limits" "$OUT" | tee "$OUT/limits.md"
fi
status=0
for suite in $(echo "$SUITE" | tr , ' '); do
    set -- --suite "$suite" --rounds "$ROUNDS" --out "$OUT/$suite.jsonl" --dir "$OUT/data"
    [ -n "${ENGINES-}" ] && set -- "$@" --engines "$ENGINES"
    [ -n "${WORKLOADS-}" ] && set -- "$@" --groups "$WORKLOADS"
    "$program" "$@" || status=1
    if command -v python3 >/dev/null 2>&1; then
        python3 "$here/report.py" "$OUT/$suite.jsonl" --markdown "$OUT/$suite.md" \
            --svg "$OUT/$suite.svg"
        echo "$OUT/$suite.md"
    else
        echo "run.sh: python3 is not there, the rows are in $OUT/$suite.jsonl" >&2
    fi
done
exit $status
