# SPDX-FileCopyrightText: the Basin authors
# SPDX-License-Identifier: Apache-2.0
# Sourced by the tests of the program. Each runs in an empty folder, with `basin` standing for the
# program under test: the first argument, or BASIN_PROGRAM.
set -u
program=${1:-${BASIN_PROGRAM:?the program under test}}
case $program in
/*) ;;
*) program=$PWD/$program ;;
esac
here=$(cd "$(dirname "$0")" && pwd)
unset BASIN_PASSPHRASE COLUMNS
export LC_ALL=C TZ=UTC NO_COLOR=1
place=$(mktemp -d "${TMPDIR:-/tmp}/basin-cli-XXXXXX")
trap 'cd /; rm -rf "$place"' EXIT
trap 'exit 130' INT TERM HUP
mkdir "$place/work"
cd "$place/work" || exit 1
checks=0
wrong=0

basin() {
    "$program" "$@"
}

fail() {
    wrong=$((wrong + 1))
    echo "FAILED: $*"
    if [ -s "$place/err" ]; then
        sed 's/^/    stderr: /' "$place/err" | head -n 20
    fi
}

# runs CODE COMMAND...: the exit code must be CODE; outputs are kept for the checks below.
runs() {
    expected=$1
    shift
    checks=$((checks + 1))
    "$@" >"$place/out" 2>"$place/err"
    code=$?
    last="$*"
    [ $code = "$expected" ] || fail "exit code $code, not $expected: $last"
}

# The same for a line of shell.
shell_runs() {
    expected=$1
    checks=$((checks + 1))
    (eval "$2") >"$place/out" 2>"$place/err"
    code=$?
    last=$2
    [ $code = "$expected" ] || fail "exit code $code, not $expected: $last"
}

# printed TEXT: standard output of the last run, but for the newline at its end.
printed() {
    checks=$((checks + 1))
    [ "$(cat "$place/out")" = "$1" ] ||
        fail "printed '$(head -c 300 "$place/out")', not '$1': $last"
}

# says PATTERN, prints PATTERN: a line of standard error, or output, matches.
says() {
    checks=$((checks + 1))
    grep -q -e "$1" "$place/err" || fail "standard error lacks '$1': $last"
}

prints() {
    checks=$((checks + 1))
    grep -q -e "$1" "$place/out" || fail "standard output lacks '$1': $last"
}

silent() {
    checks=$((checks + 1))
    [ ! -s "$place/err" ] || fail "standard error is not empty: $last"
}

# same FILE FILE
same() {
    checks=$((checks + 1))
    cmp "$1" "$2" >"$place/err" 2>&1 || fail "$1 and $2 differ"
}

finish() {
    echo "$checks checks, $wrong wrong"
    [ $wrong = 0 ] && [ $checks -gt 0 ]
    exit
}
