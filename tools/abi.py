#!/usr/bin/env python3
# SPDX-FileCopyrightText: the Basin authors
# SPDX-License-Identifier: Apache-2.0
"""Compares the ABI of the library with docs/abi.txt: exported symbols, and sizes of structs.

    tools/abi.py [--write] LIBRARY COMPILER [OPTION...]

LIBRARY is the shared one; COMPILER with its OPTIONs compiles C against include/. What the headers
declare as BASIN_API is exactly what is exported. A struct that a caller allocates starts with its
size or ends in reserved zeros, unless it is one of the values named in PLAIN. docs/abi.txt holds
what a program may have been built against: additions are new lines in it, nothing else changes.
"""
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# Two words, by value everywhere; a pair of them.
PLAIN = {"basin_bytes", "basin_pair"}
# The library allocates these and shows them to a callback.
SHOWN = {"basin_progress", "basin_fault", "basin_pin_info", "basin_reader_info",
         "basin_stratum_info", "basin_level_stat", "basin_piece"}


def headers():
    folder = os.path.join(ROOT, "include", "basin")
    text = ""
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), encoding="utf-8") as f:
            text += f.read()
    return re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.S)


def declared(text):
    calls = re.findall(r"^BASIN_API\b[^;]*?\b(basin_[a-z0-9_]+)\s*\(", text, re.M | re.S)
    return sorted(set(calls))


def exported(library):
    lines = subprocess.run(["nm", "-D", "--defined-only", library], check=True,
                           capture_output=True, text=True).stdout.split("\n")
    return sorted({line.split()[-1].split("@")[0] for line in lines
                   if len(line.split()) == 3 and line.split()[1] in "TDBRVW"})


def structs(text):
    """name -> members, in the order of the headers."""
    found = {}
    form = r"typedef struct (basin_[a-z_]+) \{(.*?)\n\} (basin_[a-z_]+);"
    for m in re.finditer(form, text, re.S):
        found[m.group(3)] = [part.strip() for part in m.group(2).split(";") if part.strip()]
    return found


def check_forms(found):
    for name, members in found.items():
        if name in PLAIN | SHOWN:
            continue
        if members[0] != "size_t struct_size" and not re.search(r"\breserved\[", members[-1]):
            yield f"{name} neither starts with struct_size nor ends in reserved zeros"


def sizes(found, compiler):
    """Lines "struct NAME SIZE", asked of the compiler."""
    prints = "".join(f'    printf("struct {name} %zu\\n", sizeof({name}));\n' for name in found)
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, "abi.c")
        with open(source, "w", encoding="utf-8") as f:
            f.write("#include <stdio.h>\n#include <basin/basin.h>\n"
                    "int\nmain(void)\n{\n" + prints + "    return 0;\n}\n")
        program = os.path.join(folder, "abi")
        subprocess.run(compiler + ["-I", os.path.join(ROOT, "include"), source, "-o", program],
                       check=True)
        return subprocess.run([program], check=True, capture_output=True,
                              text=True).stdout.split("\n")[:-1]


def main(arguments):
    write = arguments[:1] == ["--write"]
    arguments = arguments[write:]
    if len(arguments) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    text = headers()
    found = structs(text)
    faults = list(check_forms(found))
    calls, symbols = declared(text), exported(arguments[0])
    faults += [f"{s} is declared and not exported" for s in calls if s not in symbols]
    faults += [f"{s} is exported and not declared" for s in symbols
               if s not in calls and not s.startswith("BASIN_")]
    lines = sizes(found, arguments[1:]) + [f"symbol {s}" for s in calls]
    path = os.path.join(ROOT, "docs", "abi.txt")
    if write:
        with open(path, "w", encoding="utf-8") as f:
            f.write("\n".join(lines) + "\n")
    with open(path, encoding="utf-8") as f:
        stored = f.read().split("\n")[:-1]
    faults += [f"not as docs/abi.txt has it: {s}" for s in lines if s not in stored]
    faults += [f"gone since docs/abi.txt: {s}" for s in stored if s not in lines]
    for fault in faults:
        print(fault)
    print(f"abi: {len(faults)} faults" if faults else
          f"abi: {len(calls)} symbols and {len(found)} structs as they were")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
