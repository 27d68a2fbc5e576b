#!/bin/sh
# SPDX-FileCopyrightText: the Basin authors
# SPDX-License-Identifier: Apache-2.0
# Pins, keyspaces, the change feed, figures, secrets, and care for damaged databases.
. "$(dirname "$0")/lib.sh"

# pins
runs 0 basin put d apple red
runs 0 basin pin add d monday --owner 'the test'
prints '^[0-9][0-9]*$'
runs 0 basin put d apple green
runs 0 basin del d apple
runs 0 basin get d apple --at monday
printed red
runs 0 basin scan d --at monday
printed 'apple	red'
runs 1 basin get d apple --at tuesday
says "no pin 'tuesday'"
runs 0 basin compact d
runs 0 basin get d apple --at monday
printed red
runs 0 basin pin ls d
prints '^monday	[0-9]*	20[0-9-]*T[0-9:]*Z	.*	the test$'
runs 0 basin pin ls d --json
prints '^{"name":"monday","owner":"the test","seqno":[0-9]*,"made":"20'
runs 6 basin pin add d monday
runs 0 basin pin rm d monday
runs 1 basin pin rm d monday
says "no pin 'monday'"
runs 1 basin get d apple --at monday

# keyspaces
runs 0 basin space ls d
printed ''
runs 0 basin space add d colours
runs 6 basin space add d colours
says "there is a keyspace 'colours' already"
runs 0 basin put d sky blue --space colours
runs 1 basin get d sky
runs 0 basin get d sky --space colours
printed blue
runs 1 basin get d sky --space coulours
says "no keyspace 'coulours'"
runs 1 basin space drop d colours
says 'nothing is done without --yes'
runs 0 basin get d sky --space colours
runs 0 basin space drop d colours --yes
runs 1 basin get d sky --space colours
runs 1 basin space drop d colours --yes
runs 0 basin put d sky grey --space colours
runs 0 basin scan d --space colours
printed 'sky	grey'

# the change feed: a hold keeps the log for who was away
runs 0 basin put w zero 0
runs 0 basin hold add w mirror
since=$(cat "$place/out")
runs 0 basin put w a 1
runs 0 basin put w b 2 --space other
runs 0 basin del w a
runs 0 basin del w --range x y --yes
runs 0 basin watch w --since "$since" --once
cp "$place/out" feed
cut -f 2-5 feed >found
printf 'put\t\ta\t1\nput\tother\tb\t2\ndelete\t\ta\t\ndelete_range\t\tx\ty\n' >expected
same expected found
after=$(sed -n 2p feed | cut -f 1)
runs 0 basin watch w --since "$after" --once
cut -f 2 "$place/out" >found
printf 'delete\ndelete_range\n' >expected
same expected found
runs 0 basin watch w --since "$since" --count 1 --json
prints '^{"seqno":[0-9]*,"commit":[0-9]*,"kind":"put","space":null,"key":"a","value":"1",'
(
    sleep 1
    basin put w later 3
) &
runs 0 basin watch w --count 1 --timeout 30s
cut -f 2-5 "$place/out" >found
printf 'put\t\tlater\t3\n' >expected
same expected found
wait
runs 0 basin watch w --once
printed ''
runs 0 basin hold add w mirror --since "$after" --json
printed "{\"name\":\"mirror\",\"since\":$after}"
runs 0 basin hold rm w mirror
for i in 1 2 3 4 5; do
    basin put w "more $i" x || fail 'put'
done
runs 10 basin watch w --since "$since" --once
says 'is gone'
runs 2 basin hold add w mirror --since 999999999

# figures
runs 0 basin stat w
prints '^last commit  *[0-9]'
prints '^strata '
runs 0 basin stat w --strata --readers
runs 0 basin stat w --json --strata --readers
prints '^{"seqno":[0-9]*,.*"levels":\[.*"strata":\[.*"reader_list":\['
checks=$((checks + 1))
if command -v python3 >/dev/null; then
    python3 -m json.tool <"$place/out" >/dev/null || fail 'stat --json is no JSON'
fi

# secrets
printf 'open sesame\nsecond line\n' >pass
printf 'open sesame' >pass_again
printf wrong >wrong
head -c 32 /dev/urandom >key
od -An -v -tx1 key | tr -d ' \n' >key.hex
runs 0 basin init safe --passphrase-file pass
runs 6 basin init safe --passphrase-file pass
runs 0 basin put safe gold 'the secret value' --passphrase-file pass
runs 0 basin get safe gold --passphrase-file pass_again
printed 'the secret value'
shell_runs 0 'BASIN_PASSPHRASE="open sesame" basin get safe gold'
printed 'the secret value'
runs 7 basin get safe gold --passphrase-file wrong
runs 7 basin get safe gold
runs 7 basin put safe gold x
runs 7 basin get safe gold --key-file key
checks=$((checks + 1))
grep -rq 'the secret value' safe && fail 'the value can be read in a file'
grep -rq gold safe && fail 'the key can be read in a file'
runs 0 basin check safe --deep --passphrase-file pass
runs 0 basin check safe --deep
runs 0 basin rekey safe --passphrase-file pass --new-key-file key
runs 7 basin get safe gold --passphrase-file pass
runs 0 basin get safe gold --key-file key.hex
printed 'the secret value'
runs 2 basin rekey safe --key-file key
says 'what is the new secret'
runs 7 basin rekey safe --passphrase-file wrong --new-passphrase-file pass
runs 0 basin rekey safe --key-file key.hex --new-passphrase-file wrong
runs 0 basin get safe gold --passphrase-file wrong
printed 'the secret value'
shell_runs 0 'basin dump safe --passphrase-file wrong | basin load safe2 - --key-file key'
runs 0 basin get safe2 gold --key-file key

# page size and codec
for codec in none lz4 zstd; do
    runs 0 basin init "c_$codec" --page-size 1K --codec $codec
    shell_runs 0 "seq 5000 | basin import c_$codec - --format lines --bulk"
    size=$(cat "c_$codec"/strata/* | wc -c)
    [ $codec = none ] && plain=$size
    checks=$((checks + 1))
    [ $codec = none ] || [ "$size" -lt $((plain * 3 / 4)) ] ||
        fail "init --codec $codec does not last: $size bytes, uncompressed $plain"
    runs 0 basin check "c_$codec" --deep
    printed sound
    runs 0 basin compact "c_$codec" --codec none
    runs 0 basin scan "c_$codec" --count
    printed 5000
done

# a sound database
seq 20000 | sed 's/$/\tsome value/' | basin import s - --format tsv >/dev/null 2>&1
runs 0 basin compact s
runs 0 basin check s
printed sound
runs 0 basin check s --deep --json
printed '{"sound":true,"faults":0}'
runs 0 basin dump s -o sound.dump
runs 0 basin salvage s -o salvaged.dump
same sound.dump salvaged.dump
runs 0 basin repair s --to mended
runs 0 basin check mended --deep
runs 0 basin dump mended -o mended.dump
same sound.dump mended.dump
runs 1 basin repair s --in-place
says 'nothing is done without --yes'
runs 0 basin repair s --in-place --yes
runs 0 basin dump s -o mended.dump
same sound.dump mended.dump

# a damaged one: bytes in the middle of the largest stratum are turned over
largest=$(find s -type f -size +20k -path '*strata*' -exec ls -S {} + | head -n 1)
checks=$((checks + 1))
if [ -z "$largest" ]; then
    fail 'there is no stratum to damage'
else
    middle=$(($(wc -c <"$largest") / 2))
    head -c 64 /dev/urandom |
        dd of="$largest" bs=1 seek=$middle conv=notrunc 2>/dev/null
    runs 4 basin check s --deep
    says '^  hint: .*salvage'
    runs 4 basin check s --deep --json
    prints '^{"fault":'
    prints '^{"sound":false,"faults":[1-9]'
    runs 0 basin salvage s -o rescued.dump
    says 'pairs, [1-9][0-9]* fault'
    runs 0 basin load rescued rescued.dump
    runs 0 basin scan rescued --count
    checks=$((checks + 1))
    [ "$(cat "$place/out")" -gt 10000 ] || fail "only $(cat "$place/out") pairs were rescued"
    runs 0 basin repair s --to mended2
    runs 0 basin check mended2 --deep
fi

# bench proves what it reads
runs 0 basin bench bench --pairs 3000 --json
prints '"what":"scan","count":3000,'
prints '"durability":"each put durable"'
runs 6 basin bench bench --pairs 10
# large values are counted by a reader too, and dead ones given back
shell_runs 0 'head -c 300000 /dev/urandom | basin put large k -'
runs 0 basin compact large
shell_runs 0 'basin stat large --json | grep -o "value_bytes\":[0-9]*" | cut -d : -f 2'
[ "$(cat "$place/out")" -gt 300000 ] || fail 'stat does not count the large value'
shell_runs 0 'basin stat large --readers | tail -n 1 | grep -c "^0  .* 0 B$"'
shell_runs 0 'basin compact large --json | cut -d : -f 3 | tr -d "}"'
size=$(find large -type f -printf '%s\n' | awk '{ s += $1 } END { print s }')
[ "$(cat "$place/out")" = "$size" ] ||
    fail 'compact tells another size than the files have'
checks=$((checks + 2))

finish
