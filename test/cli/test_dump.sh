#!/bin/sh
# SPDX-FileCopyrightText: the Basin authors
# SPDX-License-Identifier: Apache-2.0
# dump -> load -> dump gives the same bytes, whatever the database holds; a dump that was cut off or
# changed is refused.
. "$(dirname "$0")/lib.sh"

runs 0 basin put d '' 'empty key'
runs 0 basin put d 'empty value' ''
runs 0 basin put d --escape 'odd\x00\xff\n\t\\' '\x00\x01'
runs 0 basin put d a b --space 'a name with spaces'
runs 0 basin put d a c --escape --space 'zz\'
runs 0 basin put d text 'Zürich' --space ümlaut
runs 0 basin space add d 'nothing in it'
for size in 0 1 100 16383 16384 16385 32768 100000 1048576 1048577 3000000; do
    head -c $size /dev/urandom >value
    shell_runs 0 "basin put d random-$size - --space values <value"
done
i=0
while [ $i -lt 50 ]; do
    key=$(head -c $((i % 9)) /dev/urandom | od -An -v -tx1 | tr -d ' \n')
    value=$(head -c $((i * 7)) /dev/urandom | od -An -v -tx1 | tr -d ' \n')
    basin put d --hex "$key" "$value" --space random --buffered || fail 'put of random bytes'
    i=$((i + 1))
done

runs 0 basin dump d -o one
runs 0 basin load e one
says 'pairs in 7 keyspaces'
runs 0 basin dump e -o two
same one two
shell_runs 0 'basin dump d | basin load f - --json'
prints '"spaces":7'
runs 0 basin dump f -o three
same one three
shell_runs 0 'basin dump d >four'
same one four
shell_runs 0 'tail -n 1 one'
prints '^end pairs=[0-9]* spaces=7 bytes=[0-9]* crc64=[0-9a-f]\{16\}$'
shell_runs 0 'head -n 3 one'
prints '^basin dump 1$'
prints '^space$'
prints '^=	empty key$'
runs 0 basin space ls f
printed 'a name with spaces
nothing in it
random
values
zz\\
ümlaut'
# no control byte and no line beyond the limit, whatever the values are
checks=$((checks + 1))
if LC_ALL=C tr -d '\11\12\40-\176\200-\377' <one | grep -q .; then
    fail 'a control byte is in the dump'
fi

# the checksum is CRC-64/XZ: computed by another program for an empty database
runs 0 basin init empty
runs 0 basin dump empty
printed 'basin dump 1
space
end pairs=0 spaces=1 bytes=0 crc64=5f109139ce0da492'
shell_runs 0 'basin dump empty | basin load empty2 -'
runs 0 basin scan empty2 --count
printed 0

# a compressed dump is unpacked
if command -v gzip >/dev/null; then
    gzip -c one >one.gz
    runs 0 basin load unpacked one.gz
    runs 0 basin dump unpacked -o two
    same one two
    head -c 20000 one.gz >cut.gz
    runs 4 basin load cut_packed cut.gz
fi

# loading into something
runs 6 basin load f one
says 'f is not empty'
runs 0 basin put g random-1 old --space values
runs 6 basin load g one
runs 0 basin load g one --yes
runs 0 basin dump g -o five
same one five

# a dump read at a pin
runs 0 basin pin add d before
runs 0 basin put d new 1
runs 0 basin dump d --at before -o six
same one six

# what is cut off or changed is refused, and a file leaves nothing behind
lines=$(wc -l <one)
for keep in 0 1 2 3 10 $((lines - 1)); do
    head -n "$keep" one >cut
    runs 4 basin load "cut_$keep" cut
    says 'cut off'
    [ ! -e "cut_$keep" ] || fail "a database was made of a dump cut off after line $keep"
done
size=$(wc -c <one)
for keep in 5 100 5000 $((size - 1)) $((size - 20)); do
    head -c "$keep" one >cut
    runs 4 basin load cutbytes cut
done
for place_of in 15 300 5000 100000 $((size - 3)); do
    {
        head -c "$place_of" one
        printf '~'
        tail -c +$((place_of + 2)) one
    } >changed
    cmp -s one changed && continue
    runs 4 basin load changed_db changed
    [ ! -e changed_db ] || fail "a database was made of a changed dump: $place_of"
done
sed '4,6d' one >missing
runs 4 basin load missing_db missing
{
    cat one
    echo more
} >longer
runs 4 basin load longer_db longer
says 'something follows the end'
sed '1s/1/2/' one >newer
runs 8 basin load newer_db newer
says 'version 2 of the dump format'
for text in '' 'x' 'basin dump' 'basin dump x' 'basin dump 99999999999999999999999' \
    'basin dump 1
=a	b' 'basin dump 1
space
=a' 'basin dump 1
space
+a' 'basin dump 1
space
=\q	a' 'basin dump 1
space a\x00b' 'basin dump 1
spaceship' 'basin dump 1
space ' 'basin dump 1
space
end' 'basin dump 1
space
end pairs=0 spaces=1 bytes=0 crc64=0000000000000000'; do
    printf '%s\n' "$text" >bad
    checks=$((checks + 1))
    basin load bad_db bad >"$place/out" 2>"$place/err"
    code=$?
    [ $code = 4 ] || fail "exit code $code of the dump '$text'"
    says 'bad'
done
shell_runs 4 'head -n 10 one | basin load stream -'
says 'cut off'

# a dump that was edited by hand may be out of order, with its end made anew by salvage or dump
printf 'b\t2\na\t1\nc\t3\n' >abc.tsv
runs 0 basin import abc abc.tsv
runs 0 basin dump abc -o abc.dump
shell_runs 0 'basin salvage abc'
same "$place/out" abc.dump
finish
