#!/bin/sh
# SPDX-FileCopyrightText: the Basin authors
# SPDX-License-Identifier: Apache-2.0
# Ctrl-C ends a verb cleanly with 130, a reader that goes away is no failure, a full disk is one,
# and a second writer is told to wait.
. "$(dirname "$0")/lib.sh"

seq 300000 | sed 's/$/\tvalue/' >a.tsv
runs 0 basin import d a.tsv --bulk

# the output goes nowhere
if [ -c /dev/full ]; then
    for verb in scan dump export; do
        shell_runs 5 "basin $verb d >/dev/full"
        says "^basin: $verb: cannot write to standard output: "
    done
    shell_runs 5 'basin get d 1 >/dev/full'
    shell_runs 5 'basin help >/dev/full'
    shell_runs 5 'basin version --json >/dev/full'
fi

# the reader goes away
for verb in scan dump export; do
    rm -f "$place/code"
    shell_runs 0 "{ basin $verb d; echo \$? >\"\$place/code\"; } | head -n 1 >/dev/null"
    silent
    checks=$((checks + 1))
    [ "$(cat "$place/code")" = 141 ] || fail "$verb ended with $(cat "$place/code"), not 141"
done

# interrupted SIGNAL CODE ARGUMENT...: the program, at work, gets the signal and ends with CODE.
# (A background job of a script ignores SIGINT, hence Python. On a slow machine the signal may come
# before the program has begun to catch it: then once more, later.)
cat >interrupt.py <<'END'
import signal
import subprocess
import sys
import time

number, expected = getattr(signal, sys.argv[1]), int(sys.argv[2])
signal.signal(signal.SIGINT, signal.SIG_DFL)
for delay in (0.3, 1, 3, 10):
    p = subprocess.Popen(sys.argv[3:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    time.sleep(delay)
    p.send_signal(number)
    p.stdout.read()
    code = p.wait(60)
    if code != -number:
        break
sys.exit(0 if code == expected else print("ended with", code) or 1)
END
interrupted() {
    checks=$((checks + 1))
    signal=$1 expected=$2
    shift 2
    timeout 120 python3 interrupt.py "$signal" "$expected" "$program" "$@" >"$place/out" \
        2>"$place/err" || fail "$signal: $*: $(cat "$place/out")"
}

if command -v python3 >/dev/null; then
    runs 0 basin init p
    interrupted SIGINT 130 put p key -
    runs 0 basin scan p --count
    printed 0
    interrupted SIGINT 130 watch d
    interrupted SIGTERM 143 watch d
    interrupted SIGHUP 129 import p - --format tsv
    says 'interrupted'
    runs 0 basin check p
fi

# --timeout
runs 3 basin scan d --timeout 0
says 'the time that --timeout gives is over'
shell_runs 0 'basin watch d --timeout 300ms'

# one writer at a time
mkfifo pipe
basin put d held - <pipe >/dev/null 2>&1 &
holder=$!
exec 3>pipe
checks=$((checks + 1))
tries=0
while basin put d probe 1 --timeout 0 2>"$place/err" && [ $tries -lt 100 ]; do
    sleep 0.1
    tries=$((tries + 1))
done
runs 3 basin put d other 1 --timeout 100ms
says '^basin: put: '
runs 3 basin compact d --timeout 100ms
runs 0 basin get d 1
runs 0 basin scan d --count
runs 0 basin check d
runs 0 basin stat d
echo value >&3
exec 3>&-
wait $holder
runs 0 basin get d held
printed value
runs 0 basin put d other 1
# and a writer that waits gets its turn
basin put d slow - <pipe >/dev/null 2>&1 &
holder=$!
exec 3>pipe
sleep 0.3
(sleep 0.5; exec 3>&-) &
closer=$!
exec 3>&-
runs 0 basin put d waited 1 --timeout 20s
wait $holder $closer
finish
