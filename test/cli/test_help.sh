#!/bin/sh
# SPDX-FileCopyrightText: the Basin authors
# SPDX-License-Identifier: Apache-2.0
# Help, the manual page and the completions come from one table and agree.
. "$(dirname "$0")/lib.sh"

basin help --examples | cut -f 1 | uniq >verbs
runs 0 basin help
cp "$place/out" overview
basin help --man >basin.1
for shell in bash zsh fish; do
    runs 0 basin completion $shell
    cp "$place/out" complete.$shell
done
for verb in $(cat verbs); do
    checks=$((checks + 1))
    grep -q "^  $verb  *[a-z]" overview || fail "$verb is not in the overview"
    grep -q "basin $verb: " basin.1 || fail "$verb is not in the manual page"
    basin help "$verb" >text
    awk 'length > 80 && !/^  / && !/^usage/ && !/^       basin/' text | grep -q . &&
        fail "help of $verb is wider than 80 columns"
    sed -n 's/^  *\(-[a-z], \)\{0,1\}--\([a-z-]*\).*/\2/p' text >options
    [ -s options ] || fail "$verb has no options"
    for option in $(cat options); do
        checks=$((checks + 1))
        grep -q -e "--$option" complete.bash || fail "bash does not know --$option"
        grep -q -e "--$option\[" complete.zsh || fail "zsh does not know --$option"
        grep -q -e "seen_subcommand_from $verb' -l $option" complete.fish ||
            fail "fish does not know --$option of $verb"
        grep -q -e "$(echo "--$option" | sed 's/-/\\\\-/g')" basin.1 ||
            fail "--$option is not in the manual page"
    done
done
for topic in durability encryption exit-codes formats keyspaces; do
    runs 0 basin help $topic
    prints "^basin: $topic - "
done
runs 0 basin help --json
prints '^{"verb":"put","group":"Pairs",'

# the page is good roff
if command -v groff >/dev/null; then
    runs 0 groff -man -ww -Tascii basin.1
    silent
fi
if command -v mandoc >/dev/null; then
    runs 0 mandoc -T lint -W error basin.1
fi

# bash completes with it
if command -v bash >/dev/null; then
    cat >complete.test <<'END'
source ./complete.bash
try() {
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    _basin
    echo "${COMPREPLY[*]}"
}
try basin sc
try basin scan d --rev
try basin import d --format ''
try basin pin ''
try basin help exit
try basin get ver
END
    runs 0 bash complete.test
    printed 'scan
--reverse
tsv csv jsonl lines packages
add rm ls
exit-codes
verbs'
fi
if command -v zsh >/dev/null; then
    runs 0 zsh -n complete.zsh
fi
if command -v fish >/dev/null; then
    runs 0 fish --no-execute complete.fish
fi
runs 0 basin version --json
prints '^{"version":"[0-9.]*","format":[0-9]*,"format_oldest":[0-9]*}$'
# options that mean something else for a verb say so
runs 0 basin help export
prints '--format tsv|jsonl  '
runs 0 basin help load
prints 'load into a database that is not empty'

finish
