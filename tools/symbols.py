#!/usr/bin/env python3
# SPDX-FileCopyrightText: the Basin authors
# SPDX-License-Identifier: Apache-2.0
"""What each room takes from the C library, and what it could change behind everybody's back.

    tools/symbols.py FOLDER     the folder with libfloor_<room>.so, see cmake/floors.cmake

Reads the symbol tables with nm and objdump. Outside os, a room may use the pure functions listed
here and nothing else of the C library; base may also allocate and panic. No room has a variable in
.data, .bss or thread-local storage: there is no global state but os's handle of the machine.
"""
import glob
import os
import re
import subprocess
import sys

PURE = set("""memcpy memmove memset memcmp memchr memrchr memmem strlen strnlen strcmp strncmp
    strchr strrchr strstr strspn strcspn snprintf vsnprintf bsearch
    fmod floor ceil trunc ldexp frexp log log2 exp exp2 pow sqrt nextafter isnan
    __errno_location __stack_chk_fail __tls_get_addr __memcpy_chk __snprintf_chk
    __isoc99_sscanf""".split())
EXTRA = {"base": set("malloc realloc calloc free abort fprintf fputs fputc fflush fwrite "
                     "stderr strerror_r __xpg_strerror_r".split())}
RUNTIME = {"_ITM_deregisterTMCloneTable", "_ITM_registerTMCloneTable", "__cxa_finalize",
           "__gmon_start__", "_GLOBAL_OFFSET_TABLE_"}
OUTSIDE = re.compile(r"^(ZSTD_|LZ4_|LZ4F_|XXH|crypto_|sodium_|randombytes_|blake3_)")
# Sections that hold what can change; .data.rel.ro is constant after loading.
CHANGEABLE = {".data", ".bss", ".tdata", ".tbss", "*COM*"}
# The linker's own marks, and what the start files of gcc and BLAKE3 bring along.
NOT_OURS = re.compile(r"^(\.\w+|_\w+|__\w+|completed\.\d+|g_cpu_features)$")


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True,
                          env=dict(os.environ, LC_ALL="C")).stdout


def names(library, *options):
    lines = run("nm", *options, library).split("\n")
    return {line.split()[-1].split("@")[0] for line in lines if line.strip()}


def changeable(library):
    for line in run("objdump", "-t", library).split("\n"):
        m = re.match(r"^[0-9a-f]+ (.{7}) (\S+)\s+[0-9a-f]+\s+(?:\.hidden )?(\S+)$", line)
        if m and m.group(2) in CHANGEABLE and not NOT_OURS.match(m.group(3)):
            if "f" not in m.group(1) and "d" not in m.group(1):
                yield m.group(3)


def main(arguments):
    libraries = {os.path.basename(p)[len("libfloor_"):-len(".so")]: p
                 for p in glob.glob(os.path.join(arguments[0], "libfloor_*.so"))}
    if not libraries:
        print(f"symbols: no libfloor_*.so in {arguments[0]}", file=sys.stderr)
        return 1
    defined = set()
    for path in libraries.values():
        defined |= names(path, "-D", "--defined-only")
    wrong = 0
    for room, path in sorted(libraries.items()):
        if room != "os":
            allowed = defined | PURE | RUNTIME | EXTRA.get(room, set())
            for name in sorted(names(path, "-D", "--undefined-only") - allowed):
                if not OUTSIDE.match(name):
                    print(f"{room}: uses {name} of the C library")
                    wrong += 1
        for name in sorted(changeable(path)):
            print(f"{room}: {name} is a global variable that can change")
            wrong += 1
    print(f"symbols: {len(libraries)} rooms, {wrong} violations")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
