#!/bin/sh
# SPDX-FileCopyrightText: the Basin authors
# SPDX-License-Identifier: Apache-2.0
# put, get, del and scan: any bytes, every notation, values of any size.
. "$(dirname "$0")/lib.sh"

runs 0 basin put d apple red
printed ''
silent
runs 0 basin get d apple
printed red
shell_runs 0 'basin get d apple | od -An -c | tr -d " \n"'
printed red
runs 1 basin get d pear
says 'no such key'
runs 0 basin put d apple green
runs 0 basin get d apple
printed green

# keys and values may be any bytes, and empty
runs 0 basin put d '' nothing
runs 0 basin get d ''
printed nothing
runs 0 basin put d empty ''
runs 0 basin get d empty
printed ''
runs 0 basin put d --hex 00ff0a 0009
runs 0 basin get d --hex 00FF0A
printed 0009
runs 0 basin get d --escape '\x00\xff\n'
printed '\x00\t'
runs 0 basin put d --escape 'a\tb' 'c\\d'
runs 0 basin get d --escape 'a\tb'
printed 'c\\d'
runs 0 basin put d -- -5 minus
runs 0 basin get d -- -5
printed minus

runs 0 basin scan d
printed "	nothing
\\x00\\xff\\n	\\x00\\t
-5	minus
a\\tb	c\\\\d
apple	green
empty	"
runs 0 basin scan d --hex --limit 2
printed "	6e6f7468696e67
00ff0a	0009"
runs 0 basin scan d --keys --from a --to b
printed 'a\tb
apple'
runs 0 basin scan d --reverse --limit 1
printed 'empty	'
runs 0 basin scan d --prefix a --count
printed 2
runs 0 basin scan d --prefix a --count --json
printed '{"count":2}'
runs 0 basin scan d --prefix app --json
printed '{"key":"apple","value":"green"}'
runs 0 basin scan d --json --from '' --to a --limit 2
printed '{"key":"","value":"nothing"}
{"key_hex":"00ff0a","value":"\u0000\t"}'
runs 0 basin scan d --raw --prefix apple
printed 'apple	green'
runs 0 basin get d apple --json
printed '{"key":"apple","size":5,"value":"green"}'
runs 0 basin get d apple --offset 1 --length 3
printed ree
runs 0 basin get d apple --offset 3 --length 100
printed en
runs 0 basin get d apple --offset 100
printed ''

# text that is UTF-8 stays text; what could play with a terminal is escaped
runs 0 basin put d utf 'Zürich €'
runs 0 basin scan d --prefix utf
printed 'utf	Zürich €'
runs 0 basin put d --escape ctl '\x1b[31m\xe2\x80\xae\xff'
runs 0 basin scan d --prefix ctl
printed 'ctl	\x1b[31m\xe2\x80\xae\xff'
runs 0 basin get d --json utf
printed '{"key":"utf","size":11,"value":"Zürich €"}'

# values of any size go through standard input
head -c 3000001 /dev/urandom >big
shell_runs 0 'basin put d big - <big'
shell_runs 0 'basin get d big >big.out'
same big big.out
shell_runs 0 'basin get d big --offset 1000000 --length 1234567 >part.out'
tail -c +1000001 big | head -c 1234567 >part
same part part.out
shell_runs 0 'printf "" | basin put d big -'
runs 0 basin get d big
printed ''
# a large text with a long character at every place where pieces may end
awk 'BEGIN { for (i = 0; i < 200000; i++) printf "%s", i % 7 ? "€" : "x" }' >text
shell_runs 0 'basin put d text - <text'
shell_runs 0 'basin scan d --prefix text --raw | cut -f 2 | tr -d "\n" >text.out'
same text text.out
shell_runs 0 'basin scan d --prefix text | cut -f 2 | tr -d "\n" >text.out'
same text text.out
shell_runs 0 'basin get d text --json | sed "s/.*\"value\":\"//; s/\"}\$//" | tr -d "\n" >text.out'
same text text.out

# the longest key
long=$(printf '%065000d' 0)
runs 0 basin put d "$long" x
runs 0 basin get d "$long"
printed x
runs 6 basin put d "${long}0" x
says '65001 bytes'

# deleting
runs 0 basin del d apple
runs 1 basin get d apple
runs 1 basin del d apple
says "no such key: 'apple'"
runs 0 basin put d k1 1
runs 0 basin put d k2 2
runs 0 basin put d k3 3
runs 1 basin del d k1 nothere
runs 1 basin get d k1
runs 1 basin del d --range k2 k3
says 'would delete 1 pair;'
runs 0 basin get d k2
runs 0 basin del d --range k2 k3 --yes
runs 1 basin get d k2
runs 0 basin get d k3
runs 1 basin del d --prefix k --json
printed '{"would_delete":1}'
runs 0 basin del d --prefix k --yes
runs 1 basin get d k3
runs 0 basin del d --prefix '' --yes
runs 0 basin scan d --count
printed 0

# strengths of a commit
runs 0 basin put d b 1 --buffered
runs 0 basin get d b
printed 1
runs 0 basin put d b 2 --durable
runs 2 basin put d b 2 --durable --buffered
finish
