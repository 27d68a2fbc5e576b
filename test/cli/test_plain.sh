#!/bin/sh
# SPDX-FileCopyrightText: the Basin authors
# SPDX-License-Identifier: Apache-2.0
# The plain readers of tools/ read what the program writes, and say what the program says.
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || exit 77
tools=$here/../../tools

runs 0 python3 "$tools/read_stratum.py" --self-test
runs 0 python3 "$tools/read_database.py" --self-test

# same_state DB: seqno, epoch, size, entries and pins as stat has them
same_state() {
    python3 "$tools/read_database.py" --state "$1" >"$1.state" || fail "state of $1"
    basin stat "$1" --json >"$1.stat"
    basin pin ls "$1" --json >"$1.pins"
    runs 0 python3 - "$1" <<'END'
import json, sys
state, stat = (json.load(open(f"{sys.argv[1]}.{x}")) for x in ("state", "stat"))
pins = [json.loads(line)["name"] for line in open(f"{sys.argv[1]}.pins")]
for name in ("seqno", "epoch", "live_bytes"):
    assert state[name] == stat[name], (name, state[name], stat[name])
assert state["entries"] == sum(level["entries"] for level in stat["levels"]), state["entries"]
assert state["pins"] == sorted(pins), (state["pins"], pins)
END
}

# all in the log: the pairs are those of scan, with the id of their space in front
shell_runs 0 "seq 9 | sed 's/.*/key&\tvalue of &/' | basin import d - --format tsv"
basin del d key4 >/dev/null
basin pin add d monday --owner ann >/dev/null
same_state d
basin scan d --hex >scan
runs 0 python3 - <<'END'
import json
pairs = json.load(open("d.state"))["pairs"]
have = sorted("\t".join((key[2:], value)) for key, value in pairs.items() if key[:2] == "01")
want = sorted(line.rstrip("\n") for line in open("scan"))
assert have == want and len(have) == 8, (have, want)
END

# in strata, with a checkpoint
seq 20000 | sed 's/$/\tsome value/' | basin import d - --format tsv --bulk >/dev/null 2>&1
runs 0 basin compact d
basin pin add d tuesday >/dev/null
basin pin rm d monday >/dev/null
same_state d
runs 0 python3 "$tools/read_database.py" d/head/* d/log/[0-9]* d/ckpt/*
prints "add stratum"
prints "'codec': 'lz4'"
runs 0 python3 "$tools/read_stratum.py" --quiet d/strata/*

# what is sealed, cut or flipped
printf 'open sesame' >pass
basin put safe gold 7 --passphrase-file pass
runs 0 python3 "$tools/read_database.py" safe/head/* safe/log/1
prints "'flags': 3"
runs 1 python3 "$tools/read_database.py" --state safe
says 'sealed'
head -c 200 d/head/0-1 >cut
runs 1 python3 "$tools/read_database.py" cut
says '200 bytes'
tr '\003' '\004' <d/head/0-1 >flipped
runs 1 python3 "$tools/read_database.py" flipped
says 'checksum'
finish
