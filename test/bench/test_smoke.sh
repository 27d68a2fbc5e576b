#!/bin/sh
# SPDX-FileCopyrightText: the Basin authors
# SPDX-License-Identifier: Apache-2.0
# The benchmark answers right with basin, and notices the engine that drops one put in 5000. Runs in
# the build directory; skipped where the benchmark was not built.
set -u
[ -x bench/basin_bench ] || exit 77
root=$(cd "$(dirname "$0")/../.." && pwd)
out=$(mktemp -d) || exit 1
trap 'rm -rf "$out"' EXIT INT TERM
BUILD=$PWD OUT=$out sh "$root/bench/run.sh" --smoke || exit 1
grep -q '"engine":"control"' "$out/smoke.jsonl" || exit 1
! grep '"failed":true' "$out/smoke.jsonl"
