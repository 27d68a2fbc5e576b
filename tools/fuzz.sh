#!/bin/sh
# SPDX-FileCopyrightText: the Basin authors
# SPDX-License-Identifier: Apache-2.0
# fuzz.sh FOLDER SECONDS [TARGET...]: runs each fuzz target of a build folder for its share of the
# seconds, from the seeds in fuzz/corpus and what earlier runs found in FOLDER/corpus.
# A crash leaves its input in FOLDER/crashes and makes the exit status 1.
set -u
top=$(cd "$(dirname "$0")/.." && pwd) || exit 1
folder=$1
seconds=$2
shift 2
if [ $# = 0 ]; then
    for source in "$top"/fuzz/fuzz_*.c; do
        [ -e "$source" ] && set -- "$@" "$(basename "$source" .c)"
    done
fi
if [ $# = 0 ]; then
    echo 'fuzz: there are no targets' >&2
    exit 1
fi
share=$((seconds / $#))
[ $share -ge 1 ] || share=1
mkdir -p "$folder/corpus" "$folder/crashes" || exit 1
bad=0
for target in "$@"; do
    subject=${target#fuzz_}
    found=$folder/corpus/$subject
    seeds=$top/fuzz/corpus/$subject
    mkdir -p "$found"
    [ -d "$seeds" ] || seeds=
    log=$folder/$target.log
    "$folder/$target" -max_total_time=$share -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
        -max_len=65536 -artifact_prefix="$folder/crashes/$subject-" "$found" ${seeds:+"$seeds"} \
        >"$log" 2>&1
    status=$?
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    cover=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
    echo "fuzz: $target: ${runs:-no} runs, ${cover:-no} edges, $share s"
    if [ $status != 0 ]; then
        bad=$((bad + 1))
        echo "fuzz: $target FAILED with status $status:" >&2
        tail -n 60 "$log" >&2
    fi
done
echo "fuzz: $# targets, $bad failed"
[ $bad = 0 ]
