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

# waits for a line of FILE to match
wait_for() {
    tries=0
    while ! grep -q -e "$1" "$2" 2>/dev/null && [ $tries -lt 300 ]; do
        sleep 0.1
        tries=$((tries + 1))
    done
}

# sends SIGNAL to a command that is at work; it ends with CODE and the database is whole
# (a background job of a script ignores SIGINT, so the program is started by one that does not)
interrupted() {
    signal=$1 expected=$2
    shift 2
    checks=$((checks + 1))
    python3 -c '
import signal, subprocess, sys, time
signal.signal(signal.SIGINT, signal.SIG_DFL)
p = subprocess.Popen(sys.argv[3:], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                     stderr=open(sys.argv[2], "w"))
p.stdout.read(1) if "--ready" in sys.argv else time.sleep(0.7)
p.send_signal(getattr(signal, sys.argv[1]))
p.stdout.close()
try:
    code = p.wait(60)
except subprocess.TimeoutExpired:
    p.kill()
    code = "hangs"
sys.exit(0 if str(code) == "'"$expected"'" else print("code", code) or 1)
' "$signal" "$place/err" "$program" "$@" || fail "$signal: $*"
}

if command -v python3 >/dev/null; then
    interrupted SIGINT 130 put p key -
    runs 0 basin scan p --count
    printed 0
    interrupted SIGINT 130 watch d
    interrupted SIGTERM 143 watch d
    interrupted SIGHUP 129 import p - --format tsv
    says 'interrupted'
    runs 0 basin check p
fi
sleep 5 | timeout -s INT 1 "$program" put q key - >"$place/out" 2>"$place/err"
checks=$((checks + 1))

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
