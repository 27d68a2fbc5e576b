#!/bin/sh
# SPDX-FileCopyrightText: the Basin authors
# SPDX-License-Identifier: Apache-2.0
# Wrong command lines and wrong places: a clear sentence, the right exit code, never a crash.
. "$(dirname "$0")/lib.sh"

basin help --examples | cut -f 1 | uniq >"$place/verbs"
for verb in $(cat "$place/verbs"); do
    runs 0 basin "$verb" --help
    prints "^basin $verb - "
    prints '^Examples:'
    runs 0 basin help "$verb"
    case $verb in
    demo | version | help) ;;
    *)
        runs 2 basin "$verb"
        says "^basin: $verb: something is missing"
        says '^  hint: usage: basin '
        ;;
    esac
    runs 2 basin "$verb" --no-such-option
    says 'no option --no-such-option'
    runs 2 basin "$verb" a b c d e f --no-such-option=7
    runs 2 basin "$verb" --progress
    says 'needs a value'
    runs 2 basin "$verb" --progress=maybe
    says 'auto|bar|json|off'
done

runs 0 basin
prints '^usage: basin VERB'
runs 0 basin --help
runs 0 basin --version
prints '^basin [0-9]'
runs 2 basin sacn d
says 'did you mean `basin scan`'
runs 2 basin nothinglikeit
says '`basin help` lists the verbs'
runs 2 basin ''
runs 2 basin help durabilty
says 'did you mean `basin help durability`'
runs 2 basin scan d --revers
says 'did you mean --reverse'
runs 2 basin scan d --k
runs 2 basin scan d -Z
says 'no option -Z'
runs 2 basin scan d --keys=yes
says 'takes no value'
runs 2 basin scan d extra
says "a word too many: 'extra'"
runs 2 basin scan d --limit ten
says 'not a number'
runs 2 basin scan d --limit -1
runs 2 basin scan d --limit 18446744073709551616
runs 2 basin scan d --mem 12Q
says 'not a size'
runs 2 basin scan d --mem 99999999T
runs 2 basin scan d --timeout soon
says 'not a time'
runs 2 basin scan d --range a
runs 2 basin get d --hex xyz
says 'not hexadecimal'
runs 2 basin get d --hex abc
runs 2 basin get d --escape 'a\qb'
says 'escapes are \\t \\n'
says 'no such escape at byte 1'
runs 2 basin get d k --hex --escape
says 'exclude each other'
runs 2 basin scan d --prefix a --from b
says 'exclude each other'
runs 2 basin scan d --json --raw
runs 2 basin del d
says 'which keys'
runs 2 basin del d k --prefix a
runs 2 basin pin put d x
says 'no `pin put`'
runs 2 basin pin add d
says 'usage: basin pin add DB NAME'
runs 2 basin pin ls d x
runs 2 basin space drop d
runs 2 basin completion tcsh
runs 2 basin repair d
says 'where should the repaired database be'
runs 2 basin repair d --to e --in-place
runs 2 basin init d --page-size 1M
runs 2 basin init d --page-size 100
says 'from 256 to 65536'
runs 2 basin hold ls d
says 'there is no `hold ls`'
runs 2 basin pin ls
says 'usage: basin pin ls DB'
runs 2 basin import d x.tsv --on-error skip:
says 'it is stop or skip:FILE'
runs 2 basin load d x --codec snappy
runs 2 basin bench d --pairs 0
runs 2 basin import d - --batch 0 --format tsv
runs 2 basin import d -
says 'does not tell the format'
runs 2 basin import d x.tsv --on-error ignore
runs 2 basin export d --format csv
runs 2 basin scan d --space ''

# places that are no database
for verb in get scan del stat check export dump salvage compact pin watch repair space rekey; do
    case $verb in
    get | del) set -- nowhere key ;;
    pin | space) set -- ls nowhere ;;
    repair) set -- nowhere --to mended ;;
    rekey)
        printf new >new
        set -- nowhere --new-passphrase-file new
        ;;
    *) set -- nowhere ;;
    esac
    runs 1 basin $verb "$@"
    says "^basin: $verb: "
done
[ ! -e nowhere ] || fail 'a reading verb made a folder'
[ ! -e mended ] || fail 'repair made a folder'
checks=$((checks + 2))
echo text >file
for verb in get scan put stat check dump salvage compact; do
    case $verb in
    get) set -- file key ;;
    put) set -- file key value ;;
    *) set -- file ;;
    esac
    checks=$((checks + 1))
    basin $verb "$@" >"$place/out" 2>"$place/err"
    code=$?
    case $code in
    1 | 2 | 4 | 5 | 6) ;;
    *) fail "exit code $code: $verb of a plain file" ;;
    esac
    says "^basin: $verb: "
done
[ "$(cat file)" = text ] || fail 'the file was changed'
mkdir folder
echo something >folder/else
runs 1 basin get folder key
runs 2 basin put folder k v
says 'not a Basin database, and not empty'
for verb in compact 'del folder key' 'pin add folder monday'; do
    [ "$verb" = compact ] && verb='compact folder'
    runs 1 basin $verb
    says 'there is no Basin database here'
done
[ "$(ls folder)" = else ] || fail 'something was left in a folder of others'
runs 2 basin put file k v
says 'file: not a directory'
runs 1 basin compact nowhere
says 'nowhere: there is no Basin database here'
shell_runs 1 'basin salvage nowhere >salvaged'
[ ! -s salvaged ] || fail 'a dump was begun although nothing could be read'
checks=$((checks + 2))
runs 1 basin put no/such/folder/d k v

# files that are not there
runs 5 basin import d missing.tsv
says 'missing.tsv'
[ ! -e d ] || fail 'a failed import made a database'
runs 5 basin load d missing.dump
runs 2 basin load d folder
says 'is a folder'
runs 5 basin get d k --passphrase-file missing
runs 5 basin get d k --key-file missing
printf short >short
runs 2 basin get d k --key-file short
says '32 bytes or 64 hexadecimal digits'
printf '\n' >blank
runs 2 basin get d k --passphrase-file blank
printf 'p\n' >pass
runs 2 basin get d k --passphrase-file pass --key-file short
says 'exclude each other'

# failures as JSON
runs 1 basin get nowhere k --json
says '^{"error":{"status":"not_found",'
runs 2 basin get d k --json --hex --escape
says '"exit":2}}$'

# a pipe is written to as it is, never replaced by a file
runs 0 basin init d
mkfifo pipe
shell_runs 0 'cat pipe >piped & basin dump d -o pipe; wait'
[ -p pipe ] || fail 'the pipe was replaced'
shell_runs 0 'grep -q "^end pairs=" piped'

# closed standard streams are no crash
shell_runs 0 'basin put d k v >&- 2>&-'
shell_runs 0 'basin get d k <&-'
shell_runs 0 'basin put d k v <&-'
finish
