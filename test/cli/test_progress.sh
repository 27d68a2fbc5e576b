#!/bin/sh
# SPDX-FileCopyrightText: the Basin authors
# SPDX-License-Identifier: Apache-2.0
# The bar, its JSON form, and that neither ever goes backwards or gets into the data.
. "$(dirname "$0")/lib.sh"

seq 200000 | sed 's/$/\tvalue of some length/' >a.tsv
runs 0 basin import d a.tsv --progress=bar --batch 5000
tr '\r' '\n' <"$place/err" >"$place/lines"
cp "$place/lines" "$place/err"
says '^import  *[0-9]*% \[#*>* *\] [0-9.]* [KM]iB'
says '100% \[########################\]'
says '/s'
says '^basin: import: 200 000 pairs'
printed ''
checks=$((checks + 1))
sed -n 's/^import  *\([0-9]*\)%.*/\1/p' "$place/lines" >"$place/percent"
sort -n -c "$place/percent" 2>/dev/null || fail 'the percentage went backwards'
checks=$((checks + 1))
awk 'length > 79' "$place/lines" | grep -q . && fail 'a line is wider than the terminal'

COLUMNS=40 basin import e a.tsv --progress=bar --bulk >"$place/out" 2>"$place/err"
checks=$((checks + 1))
tr '\r' '\n' <"$place/err" | grep '^import' | awk 'length > 39' | grep -q . &&
    fail 'a line is wider than COLUMNS'

runs 0 basin import f a.tsv --progress=json --batch 5000
says '^{"progress":{"stage":"import","unit":"bytes","done":[0-9]*,"total":[0-9]*,'
checks=$((checks + 1))
grep -v '^{"progress":{.*}}$' "$place/err" | grep -q . && fail 'a line is no JSON'
checks=$((checks + 1))
sed -n 's/.*"done":\([0-9]*\),.*/\1/p' "$place/err" | sort -n -c 2>/dev/null ||
    fail 'the figures went backwards'

runs 0 basin import g a.tsv --progress=off
says '^basin: import: 200 000 pairs'
checks=$((checks + 1))
[ "$(wc -l <"$place/err")" = 1 ] || fail 'there is talk with --progress=off'
runs 0 basin import h a.tsv
checks=$((checks + 1))
grep -q '%' "$place/err" && fail 'a bar is drawn where there is no terminal'

for verb in dump export scan compact check salvage; do
    checks=$((checks + 1))
    basin $verb d --progress=bar >"$place/with" 2>"$place/err" || fail "$verb with a bar"
    basin $verb d --progress=off >"$place/without" 2>"$place/err" || fail "$verb without a bar"
    same "$place/with" "$place/without"
done
finish
