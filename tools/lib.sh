# SPDX-FileCopyrightText: the Basin authors
# SPDX-License-Identifier: Apache-2.0
# Shared by demo.sh, test.sh and .ci/run, which source it from the top of the checkout: configuring
# and building that survive an interruption, and counting what passed.
export LC_ALL=C TZ=UTC
export UBSAN_OPTIONS="${UBSAN_OPTIONS:-print_stacktrace=1}"
export TSAN_OPTIONS="${TSAN_OPTIONS:-halt_on_error=1:second_deadlock_stack=1}"
unset CDPATH GREP_OPTIONS CMAKE_GENERATOR 2>/dev/null || true
jobs=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
passed=0 failed=0 skipped=0
failures=

say() {
    printf '\n== %s\n' "$*"
}

# One run in a checkout at a time: a second one waits. The lock goes with the process.
one_at_a_time() {
    mkdir -p build
    if command -v flock >/dev/null 2>&1; then
        exec 9>build/.lock
        if ! flock -n 9; then
            echo 'Waiting for another run in this checkout to end ...' >&2
            flock 9
        fi
    fi
}

# configure PRESET FOLDER [ARGUMENT...]: a folder that an interrupted run, another place or another
# compiler spoilt is made anew.
configure() {
    preset=$1 folder=$2
    shift 2
    cmake --preset "$preset" -B "$folder" "$@" >"$folder.log" 2>&1 && rm -f "$folder.log" &&
        return 0
    echo "Configuring $folder failed; once more from nothing"
    rm -rf "$folder"
    cmake --preset "$preset" -B "$folder" "$@"
    result=$?
    rm -f "$folder.log"
    return $result
}

# compile FOLDER [TARGET...]: into a file, only complaints are shown.
compile() {
    folder=$1
    shift
    quiet=
    [ -t 1 ] || quiet='-- --quiet'
    cmake --build "$folder" -j "$jobs" ${1:+--target "$@"} $quiet 9>&-
}

count_failed() {
    failed=$((failed + 1))
    failures="$failures
    $1"
}

# step NAME COMMAND...: counts as one.
step() {
    name=$1
    shift
    say "$name"
    if "$@"; then
        passed=$((passed + 1))
    else
        count_failed "$name"
        echo "FAILED: $name"
    fi
}

# run_tests NAME FOLDER SECONDS [ARGUMENT...]: ctest; each test counts, none at all is a failure.
run_tests() {
    name=$1 folder=$2 seconds=$3
    shift 3
    say "$name"
    log=$folder/tests.log
    {
        without_scatter ctest --test-dir "$folder" -j "$jobs" --timeout "$seconds" \
            --output-on-failure --no-tests=error "$@" 9>&-
        echo $? >"$folder/tests.status"
    } 2>&1 | tee "$log"
    total=$(sed -n 's/.*tests failed out of \([0-9]*\).*/\1/p' "$log" | tail -n 1)
    bad=$(sed -n 's/.*tests passed, \([0-9]*\) tests failed out of.*/\1/p' "$log" | tail -n 1)
    left=$(grep -c '\*\*\*Skipped\|Not Run (Disabled)' "$log")
    if [ -z "$total" ]; then
        count_failed "$name: ctest did not come to its end"
        return
    fi
    passed=$((passed + total - bad - left))
    skipped=$((skipped + left))
    failed=$((failed + bad))
    if [ "$bad" -gt 0 ]; then
        failures="$failures
$(grep '\*\*\*' "$log" | grep -v '\*\*\*Skipped' | sed "s/^.*Test *#[0-9]*: /    /")"
    fi
    if [ "$bad" = 0 ] && [ "$(cat "$folder/tests.status")" != 0 ]; then
        count_failed "$name: ctest ended with status $(cat "$folder/tests.status")"
    fi
}

# The last line, and the exit status of the whole run.
finish() {
    [ -n "$failures" ] && printf '\nFailed:%s\n' "$failures"
    printf '\n%d passed, %d failed, %d skipped\n' $passed $failed $skipped
    [ $failed = 0 ] && [ $passed -gt 0 ]
    exit
}

# Conformance data beside the checkout, where there is some.
find_data() {
    if [ -z "${BASIN_TEST_DATA-}" ] && [ -d ../shared/data ]; then
        BASIN_TEST_DATA=$(cd ../shared/data && pwd)
        export BASIN_TEST_DATA
    fi
}

# ThreadSanitizer needs its own map of memory; where the kernel scatters addresses too widely for
# it, a run without that goes well.
without_scatter() {
    if command -v setarch >/dev/null 2>&1 && setarch "$(uname -m)" -R true 2>/dev/null; then
        setarch "$(uname -m)" -R "$@"
    else
        "$@"
    fi
}
