#!/bin/sh
# SPDX-FileCopyrightText: the Basin authors
# SPDX-License-Identifier: Apache-2.0
# import and export: every format, compressed files, records that are wrong, all or nothing.
. "$(dirname "$0")/lib.sh"

# tsv
printf 'apple\tred\nplum\tblue\\nand\\ttab\\x00\\\\\n\nalone\n\tempty key\ncr\tx\r\n' >a.tsv
runs 0 basin import tsv a.tsv
says '^basin: import: 5 pairs'
shell_runs 0 'basin scan tsv | tr "\011" "|"'
printed '|empty key
alone|
apple|red
cr|x
plum|blue\nand\ttab\x00\\'
shell_runs 0 'printf "no newline\tat the end" | basin import tsv - --format tsv'
runs 0 basin get tsv 'no newline'
printed 'at the end'
shell_runs 0 'printf "raw\tC:\\\\dir\\\\x\n" | basin import tsv - --format tsv --raw'
runs 0 basin get tsv raw
printed 'C:\dir\x'
shell_runs 4 'printf "good\t1\nbad\tC:\\\\dir\n" | basin import tsv - --format tsv'
says 'line 2, byte 6: no such escape'
says 'with --raw a backslash is a backslash'

# csv
cat >a.csv <<'END'
apple,red
"comma, inside","quote ""q"" inside"
"two
lines",value

short,"",third
END
printf 'crlf,x\r\n"q\r\nz","y"\r\n' >>a.csv
runs 0 basin import csv a.csv
says '6 pairs'
shell_runs 0 'basin scan csv | tr "\011" "|"'
printed 'apple|red
comma, inside|quote "q" inside
crlf|x
q\r\nz|y
short|
two\nlines|value'
printf 'id,name,colour\n7,apple,red\n8,"the ""plum""",blue\n' >h.csv
runs 0 basin import csv2 h.csv --header --key name --value 3
runs 0 basin scan csv2
printed 'apple	red
the "plum"	blue'
runs 0 basin import csv3 h.csv --header
runs 0 basin get csv3 8
printed '{"id":"8","name":"the \"plum\"","colour":"blue"}'
runs 2 basin import csv3 h.csv --header --key nothere
says "no column 'nothere'"
for bad in 'a,"b' 'a,"b"c' 'a,b"c' 'only'; do
    printf '%s\n' "$bad" >bad.csv
    runs 4 basin import csv4 bad.csv
    says 'bad.csv: line 1'
done

# jsonl
cat >a.jsonl <<'END'
{"key":"apple","value":"red"}
 { "value" : {"a": [1, 2.50, {"b":null}], "c":"}"} , "key" : "object", "other": [[],{}] }

{"key_hex":"00FF","value_hex":"0a"}
{"key":"\u00fc\ud83d\ude00\n\"","value":12}
END
runs 0 basin import jsonl a.jsonl
says '4 pairs'
runs 0 basin get jsonl object
printed '{"a": [1, 2.50, {"b":null}], "c":"}"}'
runs 0 basin get jsonl --hex 00ff
printed 0a
runs 0 basin get jsonl 'ü😀
"'
printed 12
while read -r bad; do
    printf '%s\n' "$bad" >bad.jsonl
    runs 4 basin import jsonl2 bad.jsonl
    says 'bad.jsonl: line 1'
done <<'END'
[]
{"key":"a"}
{"value":"a"}
{"key":"a","value":"b"
{"key":"a","value":"b"}}
{"key":"a","value":"b",}
{"key":"a" "value":"b"}
{"key":"a","value":tru}
{"key":"a","value":01}
{"key":"a","value":1.}
{"key":"a","value":"\x"}
{"key":"a","value":"\ud800"}
{"key":"a","value":"\udc00"}
{"key":"a","value":"\u12"}
{"key":"a","key":"b","value":"c"}
{"key":"a","key_hex":"00","value":"c"}
{"key_hex":"0","value":"c"}
{"key_hex":7,"value":"c"}
{"key":"a","value":[}
{"key":"a","value":{"a":1]}
{"key":"a","value":"tab	inside"}
END
awk 'BEGIN { printf "{\"key\":\"deep\",\"value\":"; for (i = 0; i < 100000; i++) printf "["
             for (i = 0; i < 100000; i++) printf "]"; print "}" }' >deep.jsonl
runs 4 basin import jsonl2 deep.jsonl
says 'nested too deeply'

# lines
seq 1000 | basin import lines - --format lines --space numbers >"$place/out" 2>"$place/err"
runs 0 basin scan lines --space numbers --count
printed 1000
runs 0 basin get lines 999 --space numbers
printed ''

# packages
cat >Packages <<'END'
Package: bash
Version: 5.2
Architecture: amd64
Description: a shell
 with more
 lines


Package: nothing
END
runs 0 basin import packages Packages
runs 0 basin scan packages --keys
printed 'bash_5.2_amd64
nothing'
runs 0 basin get packages bash_5.2_amd64
printed 'Package: bash
Version: 5.2
Architecture: amd64
Description: a shell
 with more
 lines'
printf 'Version: 1\n' >bad_Packages
runs 4 basin import packages bad_Packages
says 'no field Package'

# compressed files, recognised by their content
for tool in gzip xz lz4 zstd bzip2; do
    command -v $tool >/dev/null || continue
    $tool -c <a.tsv >packed_$tool.tsv
    runs 0 basin import "z_$tool" packed_$tool.tsv
    says '5 pairs'
    seq 100000 | $tool -c >cut.txt
    head -c 2000 cut.txt >cut_$tool.txt
    checks=$((checks + 1))
    basin import "cut_$tool" cut_$tool.txt --bulk >"$place/out" 2>"$place/err" &&
        fail "a file cut off went in: $tool"
    says "$tool could not unpack it to the end"
    runs 0 basin scan "cut_$tool" --count
    printed 0
done

# what to do at an error
printf 'a\t1\nb\t\\q\nc\t3\n' >mixed.tsv
runs 4 basin import stop mixed.tsv
runs 4 basin import stop2 mixed.tsv --bulk
says 'nothing was stored'
runs 0 basin scan stop2 --count
printed 0
runs 0 basin import skip mixed.tsv --on-error skip:rejected --json
prints '^{"pairs":2,"bytes":4,"skipped":1,"seconds":'
runs 0 basin scan skip
printed 'a	1
c	3'
runs 0 cat rejected
printed 'b	\q'
seq 2500 | sed 's/$/\tv/' >many.tsv
echo 'bad	\q' >>many.tsv
runs 4 basin import batches many.tsv
says '2 000 pairs before it were stored'
runs 0 basin scan batches --count
printed 2000
runs 4 basin import batches2 many.tsv --batch 300 --durable
says '2 400 pairs before it were stored'
# a line over the limit is an error of its own, and can be skipped
{
    printf 'before\t1\nlong\t'
    head -c 1000000 /dev/zero | tr '\0' x
    printf '\nafter\t2\n'
} >long.tsv
runs 6 basin import limit long.tsv --mem 1M
says 'line 2 is longer than 262144 bytes'
runs 0 basin import limit long.tsv --mem 4M --batch 1
runs 0 basin get limit long --length 3
printed xxx
{
    printf 'x\t1\n'
    head -c 70000 /dev/zero | tr '\0' k
    printf '\t2\n'
} >key.tsv
runs 6 basin import limit key.tsv
says 'the key has 70000 bytes'
runs 0 basin import limit key.tsv --on-error skip:toolong

# several files, and bulk: the last of equal keys wins
printf 'k\told\nz\t1\n' >one.tsv
printf 'k\tnew\na\t2\n' >two.tsv
runs 0 basin import bulk one.tsv two.tsv --bulk
runs 0 basin scan bulk
printed 'a	2
k	new
z	1'

# export and back, any bytes
i=0
while [ $i -lt 60 ]; do
    head -c $((i % 20)) /dev/urandom | od -An -v -tx1 | tr -d ' \n'
    printf '%02x ' $i
    head -c $((i * i)) /dev/urandom | od -An -v -tx1 | tr -d ' \n'
    echo
    i=$((i + 1))
done >random.hex
while read -r key value; do
    basin put random --hex "$key" "$value" --buffered || fail 'put of random bytes'
done <random.hex
head -c 700000 /dev/urandom >big
shell_runs 0 'basin put random big - <big'
awk 'BEGIN { for (i = 0; i < 200000; i++) printf "%s", i % 5 ? "ä" : "x" }' >text
shell_runs 0 'basin put random text - <text'
shell_runs 0 'basin scan random --hex >expected'
for format in tsv jsonl; do
    runs 0 basin export random -o out.$format
    runs 0 basin import back_$format out.$format
    shell_runs 0 "basin scan back_$format --hex >found"
    same expected found
    runs 0 basin import bulk_$format out.$format --bulk
    shell_runs 0 "basin scan bulk_$format --hex >found"
    same expected found
done
shell_runs 0 'basin export random --format jsonl | basin import piped - --format jsonl'
shell_runs 0 'basin scan piped --hex >found'
same expected found
runs 0 basin export tsv --prefix pl
printed 'plum	blue\nand\ttab\x00\\'
[ ! -e out.tsv.partial ] || fail 'a partial file is left'
runs 5 basin export random -o nofolder/out.tsv
# what is packed is not stored as it comes by a stream
shell_runs 2 'printf "k\tv\n" | gzip -c | basin import packed - --format tsv'
says 'standard input is packed with gzip'
runs 0 basin scan packed --count
printed 0

# a line that is too long says what to do
shell_runs 6 'head -c 300000 /dev/zero | tr "\0" x | basin import long - --format tsv --mem 1M'
says 'a quarter of --mem'

finish
