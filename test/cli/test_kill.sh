#!/bin/sh
# SPDX-FileCopyrightText: the Basin authors
# SPDX-License-Identifier: Apache-2.0
# An import that is killed leaves whole batches, from the first on, in a sound database; what was
# put durably before is there; and the next run goes on as if nothing had been.
. "$(dirname "$0")/lib.sh"

rounds=$((5 * ${BASIN_TEST_SCALE:-1}))
seq -f '%08.0f	value of some length' 300000 >input.tsv
runs 0 basin put d first 'put durably'
round=0
killed=0
while [ $round -lt $rounds ]; do
    round=$((round + 1))
    "$program" import d input.tsv --space "s$round" --batch 100 >/dev/null 2>&1 &
    importer=$!
    # from the first batch that can be seen on, a little later in each round
    tries=0
    while [ $tries -lt 200 ] && kill -0 $importer 2>/dev/null; do
        seen=$(basin scan d --space "s$round" --count 2>/dev/null) || seen=0
        [ "$seen" -ge $((round * 100)) ] && break
        tries=$((tries + 1))
    done
    kill -KILL $importer 2>/dev/null && killed=$((killed + 1))
    wait $importer 2>/dev/null
    runs 0 basin check d --deep
    printed sound
    runs 0 basin get d first
    printed 'put durably'
    runs 0 basin scan d --space "s$round" --raw
    cp "$place/out" found
    count=$(wc -l <found)
    checks=$((checks + 2))
    [ "$count" -ge "$seen" ] || fail "round $round: $seen pairs were seen, $count are left"
    [ $((count % 100)) = 0 ] || fail "round $round: $count pairs are no whole batches"
    head -n "$count" input.tsv >expected
    same expected found
    runs 0 basin put d "round$round" done
done
checks=$((checks + 1))
[ $killed -gt 0 ] || fail 'no import was killed at work'
runs 0 basin scan d --prefix round --count
printed "$rounds"
finish
