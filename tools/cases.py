#!/usr/bin/env python3
# SPDX-FileCopyrightText: the Basin authors
# SPDX-License-Identifier: Apache-2.0
"""Compares docs/CASES.md, the table of acceptance cases, with the tests, both ways.

    tools/cases.py          checks
    tools/cases.py --list   prints which tests claim which case

Every case of the table has a test, or says who takes it, or that it is open; every test
that is named exists; every test whose name claims a case stands in the row of that case. A test
claims cases by how its name begins: ec10_ec15_, cc3_, d25_.
"""
import glob
import os
import re
import sys

CLAIM = re.compile(r"^((?:(?:ec|cc|d)\d+_)+)")
DEFINED = re.compile(r"^([a-z][a-z0-9_]*)\(void \*\*state\)", re.M)
PROOF = re.compile(r"`([a-z]+/[a-z_]+\.(?:c|sh)|tools/[a-z_]+\.(?:py|sh))(?::([a-z0-9_]+))?`")
OTHERWISE = ("benchmark: ", "campaign: ", "check: ", "not used", "manner: ", "open: ")


def tests(root):
    """(room/file.c, name) of every test that is defined and registered."""
    found = set()
    for path in sorted(glob.glob(os.path.join(root, "test", "*", "test_*.c"))):
        with open(path, encoding="utf-8") as f:
            text = f.read()
        name = os.path.relpath(path, os.path.join(root, "test"))
        for case in DEFINED.findall(text):
            if len(re.findall(rf"\b{case}\b", text)) > 1:
                found.add((name, case))
    return found


def claims(name):
    m = CLAIM.match(name)
    return [part.upper() for part in m.group(1).split("_") if part] if m else []


def rows(root):
    """(line number, id, proof) of the table's rows."""
    with open(os.path.join(root, "docs", "CASES.md"), encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            m = re.match(r"^\| (EC|CC|D)(\d+) \| .* \| (.*) \|$", line)
            if m:
                yield number, m.group(1), int(m.group(2)), m.group(3)


def check_row(root, known, case, proof):
    named = set()
    for file, name in PROOF.findall(proof):
        if not name:
            at = os.path.join(root, file if file.startswith("tools/") else "test/" + file)
            if not os.path.exists(at):
                yield f"{case}: there is no {file}"
        elif (file, name) not in known:
            yield f"{case}: there is no test {name} in {file}"
        named.add((file, name))
    if not named and not proof.startswith(OTHERWISE):
        yield f"{case}: no test and no {', '.join(o.strip(': ') for o in OTHERWISE)}"
    for file, name in sorted(known - named):
        if case in claims(name):
            yield f"{case}: {file}:{name} claims it and is not named"


def check(root):
    known = tests(root)
    next_of, seen = {}, set()
    for number, kind, n, proof in rows(root):
        if n != next_of.get(kind, 1):
            yield f"docs/CASES.md:{number}: {kind}{n} where {kind}{next_of.get(kind, 1)} belongs"
        next_of[kind] = n + 1
        seen.add(f"{kind}{n}")
        for fault in check_row(root, known, f"{kind}{n}", proof):
            yield f"docs/CASES.md:{number}: {fault}"
    for file, name in sorted(known):
        for case in claims(name):
            if case not in seen:
                yield f"{file}:{name}: there is no case {case}"
    if not seen:
        yield "docs/CASES.md: no rows"


def main(arguments):
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    if arguments == ["--list"]:
        for file, name in sorted(tests(root)):
            for case in claims(name):
                print(f"{case}\t{file}:{name}")
        return 0
    if arguments:
        print(__doc__, file=sys.stderr)
        return 2
    faults = list(check(root))
    for fault in faults:
        print(fault)
    print(f"cases: {len(faults)} faults" if faults else "cases: every case has its proof")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
