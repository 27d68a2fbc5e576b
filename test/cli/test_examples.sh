#!/bin/sh
# SPDX-FileCopyrightText: the Basin authors
# SPDX-License-Identifier: Apache-2.0
# Every example of every verb runs as it stands in an empty folder and succeeds.
. "$(dirname "$0")/lib.sh"

mkdir "$place/bin"
ln -s "$program" "$place/bin/basin"
PATH=$place/bin:$PATH
runs 0 basin help --examples
cp "$place/out" "$place/examples"
verbs=$(cut -f 1 "$place/examples" | uniq -d | wc -l)
[ "$verbs" -ge 20 ] || fail "only $verbs verbs have two examples"
number=0
while IFS='	' read -r verb command; do
    case $verb in
    demo) continue ;; # has a test of its own
    esac
    number=$((number + 1))
    checks=$((checks + 1))
    mkdir "$place/work/$number"
    (cd "$place/work/$number" && sh -c "$command") >"$place/out" 2>"$place/err" </dev/null ||
        fail "example of $verb: $command"
    checks=$((checks + 1))
    basin help "$verb" | grep -qF -e "$command" || fail "not in the help of $verb: $command"
done <"$place/examples"
finish
