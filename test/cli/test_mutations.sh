#!/bin/sh
# SPDX-FileCopyrightText: the Basin authors
# SPDX-License-Identifier: Apache-2.0
# Files that were changed at random: import and load say what is wrong, and never crash, hang or
# take what is damaged for whole. BASIN_TEST_SEED and BASIN_TEST_SCALE as everywhere.
. "$(dirname "$0")/lib.sh"

command -v python3 >/dev/null || exit 77
seed=${BASIN_TEST_SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
scale=${BASIN_TEST_SCALE:-1}

cat >mutate.py <<'END'
"""mutate.py SEED COUNT FILE...: COUNT records, lines or stretches of the files, each changed."""
import random
import sys

rng = random.Random(int(sys.argv[1]))
seeds = [open(name, "rb").read() for name in sys.argv[3:]]
special = [b"\\", b'"', b"\t", b"\n", b"\r\n", b"\0", b"{", b"}", b"[", b"]", b",", b"\\x", b"\\u",
           b"\xff", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b":", b"=", b"+", b"end ", b"space", b" "]
for _ in range(int(sys.argv[2])):
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(len(data) + 1)
        what = rng.randrange(5)
        if what == 0:
            data[at:at] = rng.choice(special)
        elif what == 1:
            del data[at:at + rng.randrange(1, 9)]
        elif what == 2 and at < len(data):
            data[at] = rng.randrange(256)
        elif what == 3:
            other = rng.choice(seeds)
            data[at:] = other[rng.randrange(len(other) + 1):]
        else:
            data[at:at + 1] = rng.choice(special)
    sys.stdout.buffer.write(bytes(data))
    sys.stdout.buffer.write(b"\n")
END

# ends_well CODES COMMAND...: one of the codes, within a minute, and no report of a sanitizer
ends_well() {
    codes=$1
    shift
    checks=$((checks + 1))
    timeout 60 "$program" "$@" >"$place/out" 2>"$place/err"
    code=$?
    case " $codes " in
    *" $code "*) ;;
    *) fail "seed $seed: exit code $code: $*" ;;
    esac
    grep -q 'Sanitizer\|runtime error' "$place/err" && fail "seed $seed: a sanitizer complains: $*"
}

printf 'apple\tred\\x00\\n\nplum\tblue\n' >s.tsv
printf 'name,"co""lour",z\n"a\nb",2,3\n' >s.csv
printf '{"key":"a\\u00fc\\ud83d\\ude00","value":[1.5e3,{"b":null}],"x":true}\n' >s.jsonl
printf '{"value_hex":"00ff","key_hex":"0a"}\n{"key":"","value":"\\"\\\\"}\n' >t.jsonl
printf 'Package: bash\nVersion: 5\nArchitecture: all\nDescription: x\n more\n\n' >s.packages
for format in tsv csv jsonl packages lines; do
    case $format in
    jsonl) set -- s.jsonl t.jsonl ;;
    lines) set -- s.tsv ;;
    *) set -- s.$format ;;
    esac
    round=0
    while [ $round -lt $((4 * scale)) ]; do
        round=$((round + 1))
        rm -rf db
        python3 mutate.py $((seed + round)) 400 "$@" >input
        ends_well '0' import db input --format $format --on-error skip:/dev/null --mem 4M
        ends_well '0' import db input --format $format --on-error skip:rejected --bulk --raw
        ends_well '0' check db --deep
    done
done
ends_well '0 2' import db s.csv --header --key name --on-error skip:/dev/null

# a dump that was changed anywhere is refused, and leaves nothing behind
runs 0 basin put d --escape 'key\x00' 'value\xff'
runs 0 basin put d b 2 --space other
runs 0 basin dump d -o whole
number=0
while [ $number -lt $((60 * scale)) ]; do
    number=$((number + 1))
    python3 mutate.py $((seed + number)) 1 whole | head -c -1 >changed
    cmp -s whole changed && continue
    ends_well '4 8' load "never$number" changed
    checks=$((checks + 1))
    [ ! -e "never$number" ] || fail "seed $seed: a database was made of a changed dump"
done
finish
