#!/usr/bin/env python3
# SPDX-FileCopyrightText: the Basin authors
# SPDX-License-Identifier: Apache-2.0
"""Runs what the documents show.

    tools/examples.py shell FILE PROGRAM          the ```sh blocks between <!-- tour --> and
                                                  <!-- end of tour --> of a Markdown file
    tools/examples.py c FILE FOLDER COMMAND...    its blocks that begin with ```c example

shell: all blocks run in one shell, in an empty folder, with the program's folder first on PATH; the
first that fails ends it. A ```text block that follows is what the block must print; `...` alone in
a line of it stands for any lines, within a line for any characters.

c: each block is compiled by COMMAND (which ends with what to link); one with a main is run with an
empty folder as argument and has to exit 0, other ones have to compile. A block without a function
definition is made the body of one that has `db`, `txn` and `err`.
"""
import os
import re
import subprocess
import sys
import tempfile

FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.S | re.M)
PRELUDE = """#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "basin/basin.h"
"""
WRAPPER = """basin_status example(basin_db *db, basin_txn *txn, basin_error *err);
basin_status
example(basin_db *db, basin_txn *txn, basin_error *err)
{
    basin_status st = BASIN_OK;
    (void)db, (void)txn, (void)err;
%s
    return st;
}
"""


def blocks(text):
    """(line, kind, content) of each fenced block."""
    for m in FENCE.finditer(text):
        yield text.count("\n", 0, m.start()) + 2, m.group(1).strip(), m.group(2)


def matches(expected, printed):
    pattern = ""
    for line in expected.splitlines():
        if line.strip() == "...":
            pattern += r"(?:.*\n)*?"
        else:
            pattern += ".*".join(re.escape(part) for part in line.rstrip().split("...")) + r"[ ]*\n"
    return re.fullmatch(pattern, printed if printed.endswith("\n") or not printed
                        else printed + "\n") is not None


def run_shell(path, program):
    with open(path, encoding="utf-8") as f:
        text = f.read()
    begin, end = text.find("<!-- tour -->"), text.find("<!-- end of tour -->")
    if begin < 0 or end < begin:
        print(f"{path}: has no tour")
        return 1
    before = text.count("\n", 0, begin)
    found = [(before + n, kind, body) for n, kind, body in blocks(text[begin:end])]
    steps = [(n, body, found[i + 1][2] if found[i + 1:] and found[i + 1][1] == "text" else None)
             for i, (n, kind, body) in enumerate(found) if kind == "sh"]
    env = dict(os.environ, PATH=os.path.dirname(os.path.abspath(program)) + ":" +
               os.environ["PATH"], NO_COLOR="1")
    mark = "---- end of a block ----"
    with tempfile.TemporaryDirectory(prefix="basin-tour-") as folder:
        script = "set -eu\n" + "".join(f"{body}\necho '{mark}'\n" for _, body, _ in steps)
        done = subprocess.run(["sh", "-c", script], cwd=folder, env=env, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=300)
    printed = done.stdout.split(mark + "\n")
    wrong = 0
    for i, (line, body, expected) in enumerate(steps):
        if i >= len(printed) - 1:
            print(f"{path}:{line}: failed with status {done.returncode}:\n{body}{done.stdout}"
                  f"{done.stderr}")
            wrong += 1
            break
        if expected is not None and not matches(expected, printed[i]):
            print(f"{path}:{line}: expected\n{expected}printed\n{printed[i]}")
            wrong += 1
    print(f"{path}: {len(steps)} blocks, {wrong} wrong")
    return 1 if wrong or not steps else 0


def run_c_block(folder, number, body, command):
    source = os.path.join(folder, f"example{number}.c")
    program = os.path.join(folder, f"example{number}")
    has_main = re.search(r"^(int )?main\(", body, re.M)
    if not has_main and not re.search(r"^\{", body, re.M):
        includes = "".join(re.findall(r"^#include.*\n", body, re.M))
        body = includes + WRAPPER % re.sub(r"^#include.*\n", "", body, flags=re.M)
    with open(source, "w", encoding="utf-8") as f:
        f.write(PRELUDE + "#line 1\n" + body)
    if not has_main:
        command = [c for c in command
                   if not re.search(r"\.(so|a)[.0-9]*$", c) and not c.startswith(("-Wl", "-fsan"))]
        command += ["-c", "-Wno-unused-function", "-Wno-misleading-indentation"]
    done = subprocess.run(command[:1] + ["-o", program, source] + command[1:], text=True,
                          capture_output=True)
    if done.returncode == 0 and has_main:
        os.mkdir(program + ".empty")
        done = subprocess.run([program, program + ".empty"], text=True, capture_output=True,
                              stdin=subprocess.DEVNULL, timeout=120)
    return done


def run_c(path, folder, command):
    with open(path, encoding="utf-8") as f:
        found = [(n, body) for n, kind, body in blocks(f.read()) if kind == "c example"]
    wrong = 0
    os.makedirs(folder, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="examples-", dir=folder) as place:
        for number, (line, body) in enumerate(found):
            done = run_c_block(place, number, body, command)
            if done.returncode != 0:
                wrong += 1
                print(f"{path}:{line}: status {done.returncode}\n{done.stdout}{done.stderr}")
    print(f"{path}: {len(found)} examples, {wrong} wrong")
    return 1 if wrong or not found else 0


def main(arguments):
    if len(arguments) == 3 and arguments[0] == "shell":
        return run_shell(arguments[1], arguments[2])
    if len(arguments) > 3 and arguments[0] == "c":
        return run_c(arguments[1], arguments[2], arguments[3:])
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
