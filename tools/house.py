#!/usr/bin/env python3
# SPDX-FileCopyrightText: the Basin authors
# SPDX-License-Identifier: Apache-2.0
"""Checks the house rules: floors, lengths, banned calls, heads, words, dead files, links in docs.

    tools/house.py [--compile-commands FILE]    checks the tree it stands in
    tools/house.py --self-test                  plants one violation of each rule and finds it

Prints file:line: message for each violation, and exits 1 when there is one. There is no list of
exemptions. What the linker and the symbol tables can prove better is proven there: see
cmake/floors.cmake and tools/symbols.py.
"""
import json
import os
import re
import sys
import tempfile

# Which room may touch which doors, and which headers from outside. The same table stands in
# CMakeLists.txt, and rule_rooms compares them.
TOUCHES = {
    "base": "",
    "codec": "base",
    "tuple": "base",
    "os": "base",
    "stratum": "base codec",
    "store": "base os",
    "lsm": "base codec os stratum store",
    "catalog": "base tuple lsm",
    "api": "base codec tuple os stratum store lsm catalog",
}
C_HEADERS = set("""assert.h errno.h float.h inttypes.h iso646.h limits.h math.h stdalign.h stdarg.h
    stdatomic.h stdbool.h stddef.h stdint.h stdio.h stdlib.h stdnoreturn.h string.h
    emmintrin.h immintrin.h nmmintrin.h tmmintrin.h smmintrin.h arm_neon.h""".split())
OUTSIDE = {
    "base": {"xxhash.h"},
    "codec": {"zstd.h", "zstd_errors.h", "lz4.h", "lz4hc.h", "sodium.h"},
    "tuple": {"blake3.h"},
}
LINES_OF_FUNCTION = 70
LINES_OF_FILE = 1500
LINES_OF_HEAD = 25
COLUMNS = 100

# Nowhere in C code of ours.
BANNED = set("""strcpy strcat sprintf vsprintf gets strtok alloca atoi atol atof mktemp
    tmpnam""".split())
# Nowhere in the library.
BANNED_LIBRARY = set("""printf puts putchar vprintf perror exit _exit quick_exit atexit assert
    setlocale umask chdir signal sigaction time rand srand random srandom drand48 strtod strtof
    qsort qsort_r setenv putenv getenv system popen strerror localtime gmtime ctime""".split())
# Memory comes from the allocator that was passed in.
BANNED_MEMORY = set("malloc calloc realloc free strdup strndup asprintf vasprintf".split())
# The system is behind os.
BANNED_SYSTEM = set("""open openat creat close read pread readv write pwrite writev lseek fsync
    fdatasync sync syncfs sync_file_range ftruncate truncate fallocate posix_fallocate mmap munmap
    mremap msync madvise posix_madvise posix_fadvise mlock fcntl flock lockf stat fstat lstat
    fstatat statx statvfs fstatvfs access unlink unlinkat rename renameat renameat2 link linkat
    symlink mkdir mkdirat rmdir opendir fdopendir readdir closedir dirfd getpid getppid fork execve
    getuid gethostname sysconf nanosleep clock_nanosleep usleep sleep clock_gettime gettimeofday
    getrandom getentropy poll select epoll_wait ioctl syscall fopen fdopen fclose fread fwrite
    fflush fgets fputs fprintf vfprintf remove sched_yield raise kill abort dlopen""".split())

SPDX = ("SPDX-FileCopyrightText: the Basin authors", "SPDX-License-Identifier: Apache-2.0")
# Put together here, so that this file does not hold them.
WORDS = ["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]
PLACES = ["/" + d + "/" for d in ("work", "home", "root", "Users")]

C_FOLDERS = ("src", "include", "cli", "test", "fuzz", "bench", "examples")
TEXT_ENDS = (".c", ".h", ".py", ".sh", ".md", ".cmake", ".txt", ".in", ".map", ".yml", ".json")
TEXT_NAMES = ("Makefile", "run", ".clang-format")


def strip_c(text):
    """The same text with comments and the insides of strings blanked, line breaks kept."""
    token = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)

    def blank(m):
        s = m.group(0)
        if s[0] in "\"'":
            return s[0] + " " * (len(s) - 2) + s[-1]
        return re.sub(r"[^\n]", " ", s)

    return token.sub(blank, text)


class Tree:
    """The files of the project, read once."""

    def __init__(self, root):
        self.root = root
        self.text = {}
        for folder, folders, names in os.walk(root):
            folders[:] = sorted(d for d in folders
                                if not (d.startswith("build") and folder == root)
                                and d not in (".git", "__pycache__", ".cache", "corpus", "golden"))
            for name in sorted(names):
                path = os.path.relpath(os.path.join(folder, name), root)
                if name.endswith(TEXT_ENDS) or name in TEXT_NAMES:
                    with open(os.path.join(root, path), encoding="utf-8", newline="") as f:
                        self.text[path] = f.read()
        self.c = {p: strip_c(t) for p, t in self.text.items()
                  if p.endswith((".c", ".h")) and p.split("/")[0] in C_FOLDERS}

    def lines(self, path):
        return self.text[path].split("\n")


def room_of(path):
    parts = path.split("/")
    return parts[1] if parts[0] == "src" and len(parts) > 2 else None


def line_of(text, at):
    return text.count("\n", 0, at) + 1


# ---------------------------------------------------------------------- floors


def rule_rooms(tree):
    """The rooms of CMakeLists.txt are these rooms, and every folder of src is one."""
    cmake = tree.text.get("CMakeLists.txt", "")
    found = {}
    for m in re.finditer(r"^room\((\w+)([^)]*)\)", cmake, re.M):
        words = m.group(2).split()
        at = words.index("TOUCHES") + 1 if "TOUCHES" in words else len(words)
        found[m.group(1)] = set(words[at:])
    for name, touches in TOUCHES.items():
        if found.get(name) != set(touches.split()):
            yield "CMakeLists.txt", 1, f"room {name} touches {found.get(name)}, not {touches}"
    for name in set(found) - set(TOUCHES):
        yield "CMakeLists.txt", 1, f"room {name} is not in tools/house.py"
    for path in tree.c:
        if path.startswith("src/") and room_of(path) not in TOUCHES:
            yield path, 1, "is in no room"


def include_target(tree, path, name):
    """The file of the tree that an include means, or None."""
    folders = [os.path.dirname(path), "include"]
    folders += {"cli": ["cli"], "test": ["test", "src"], "bench": ["bench", "src"],
                "examples": []}.get(path.split("/")[0], ["src"])
    for folder in folders:
        there = os.path.normpath(os.path.join(folder, name))
        if there in tree.text:
            return there
    return None


def judge_include(path, target):
    """What is wrong with path including target (both in the tree), or None."""
    top, parts = path.split("/")[0], target.split("/")
    room = room_of(target)
    if parts[0] == "include":
        lower = room_of(path) not in (None, "api")
        if lower and target != "include/basin/types.h":
            return "a room below api knows no public header but basin/types.h"
        return None
    if room is None:
        same = parts[0] == top and (top != "test" or parts[1] in ("model", path.split("/")[1]))
        return None if same else f"{parts[0]} is not for {top}"
    door = target == f"src/{room}/{room}.h"
    if top == "src":
        if room == room_of(path):
            return None
        if room not in TOUCHES.get(room_of(path), "").split():
            return f"{room_of(path)} may not touch {room}"
        return None if door else f"enters {room} beside its door"
    if top in ("cli", "examples", "include"):
        return f"{top} knows include/basin only"
    if door or (top == "test" and path.split("/")[1] == room):
        return None
    return f"enters {room} beside its door; only test/{room} may"


def rule_includes(tree):
    for path, code in tree.c.items():
        for m in re.finditer(r'^[ \t]*#[ \t]*include[ \t]*([<"])', code, re.M):
            end = ">" if m.group(1) == "<" else '"'
            raw = tree.text[path]
            name = raw[m.end():raw.index(end, m.end())]
            line = line_of(code, m.start())
            if ".." in name.split("/"):
                yield path, line, f"includes {name}: no ../"
                continue
            if m.group(1) == '"':
                target = include_target(tree, path, name)
                wrong = judge_include(path, target) if target else "is not in the tree"
                if wrong:
                    yield path, line, f"includes {name}: {wrong}"
            elif room_of(path) not in (None, "os"):
                if name not in C_HEADERS | OUTSIDE.get(room_of(path), set()):
                    yield path, line, f"includes <{name}>: not for {room_of(path)}"


# ---------------------------------------------------------------------- lengths


def functions(code):
    """(name, first line, last line) of each function definition of stripped C code: a '{' at
    column 0 after ')', or a one-line body; the first line is that of the return type."""
    lines = code.split("\n")
    for i, text in enumerate(lines):
        if not (text.startswith("{") and i and lines[i - 1].rstrip().endswith(")")):
            continue
        first = i - 1
        while first > 0 and lines[first - 1].strip() and lines[first - 1].rstrip()[-1] not in ";}":
            if lines[first - 1].startswith("#"):
                break
            first -= 1
        last = i
        while last < len(lines) - 1 and not lines[last].startswith("}"):
            last += 1
        name = re.search(r"(\w+)\s*\(", " ".join(lines[first:i]))
        yield (name.group(1) if name else "?"), first + 1, last + 1


def rule_lengths(tree):
    for path, code in tree.c.items():
        for name, first, last in functions(code):
            if last - first + 1 > LINES_OF_FUNCTION:
                yield path, first, f"{name} has {last - first + 1} lines"
    for path in tree.text:
        if not path.endswith((".c", ".h", ".py", ".sh", ".cmake")):
            continue
        lines = tree.lines(path)
        if len(lines) - 1 > LINES_OF_FILE:
            yield path, LINES_OF_FILE, f"has {len(lines) - 1} lines"
        for i, line in enumerate(lines):
            if len(line) > COLUMNS:
                yield path, i + 1, f"has {len(line)} columns"


def rule_white(tree):
    for path, text in tree.text.items():
        for i, line in enumerate(tree.lines(path)):
            if "\r" in line:
                yield path, i + 1, "ends with a carriage return"
            elif line != line.rstrip():
                yield path, i + 1, "ends with blanks"
            elif path in tree.c and "\t" in line:
                yield path, i + 1, "has a tab"
        if text and not text.endswith("\n"):
            yield path, len(tree.lines(path)), "does not end with a line break"


# ---------------------------------------------------------------------- calls


def banned_for(path):
    bans = set(BANNED)
    room = room_of(path)
    if room:
        bans |= BANNED_LIBRARY
        if room != "base":
            bans |= BANNED_MEMORY
        if room != "os":
            bans |= BANNED_SYSTEM
    if room == "base":
        bans -= {"fprintf", "fputs", "fflush", "abort"}  # base_panic says its last words
    return bans


def rule_calls(tree):
    call = re.compile(r"(?<![\w.>])(\w+)\s*\(")
    for path, code in tree.c.items():
        bans = banned_for(path)
        room = room_of(path)
        for m in call.finditer(code):
            name = m.group(1)
            threads = room not in (None, "os") and re.match(r"(pthread|thrd|mtx|cnd|sem)_", name)
            if name in bans or threads:
                yield path, line_of(code, m.start()), f"calls {name}"
        if room and room != "os":
            for m in re.finditer(r"\b(_Thread_local|__thread|thread_local)\b", code):
                yield path, line_of(code, m.start()), "has a thread-local variable"


# ---------------------------------------------------------------------- heads and words


def rule_heads(tree):
    for path in tree.text:
        lines = tree.lines(path)
        if path.endswith((".c", ".h")):
            mark, at = "// ", 0
        elif path.endswith((".py", ".sh", ".cmake")) or os.path.basename(path) == "CMakeLists.txt":
            mark, at = "# ", 1 if lines[0].startswith("#!") else 0
        else:
            continue
        if lines[at:at + 2] != [mark + SPDX[0], mark + SPDX[1]]:
            yield path, 1, "does not begin with the two SPDX lines"
        if path in tree.c and path.split("/")[0] in ("src", "include", "cli"):
            head = "\n".join(lines[at + 2:])
            if not head.startswith("/*"):
                yield path, at + 3, "has no head comment"
            elif head[:head.index("*/")].count("\n") + 1 > LINES_OF_HEAD:
                yield path, at + 3, f"has a head comment of over {LINES_OF_HEAD} lines"


def rule_guards(tree):
    for path, code in tree.c.items():
        if path.endswith(".h") and not re.search(r"#ifndef (\w+)\n#define \1\n", code):
            yield path, 1, "has no include guard"


def rule_words(tree):
    word = re.compile(r"\b(" + "|".join(WORDS) + r")\b")
    place = re.compile(r"(?<![\w.}$\"])(" + "|".join(PLACES) + ")")
    for path, text in tree.text.items():
        for m in word.finditer(text):
            yield path, line_of(text, m.start()), f"has the word {m.group(1)}"
        for m in place.finditer(text):
            yield path, line_of(text, m.start()), f"names a place on a machine: {m.group(0)}"


def rule_glossary(tree):
    """The words in `code` style of the last column of the glossary are not used."""
    rows = [line.split("|") for line in tree.text.get("docs/GLOSSARY.md", "").split("\n")]
    words = [w for row in rows if len(row) == 5 for w in re.findall(r"`([^`]+)`", row[3])]
    if not words:
        return
    word = re.compile(r"\b(" + "|".join(words) + r")s?\b", re.I)
    for path in tree.c:
        if path.split("/")[0] in ("src", "include", "cli"):
            text = tree.text[path]
            for m in word.finditer(text):
                yield path, line_of(text, m.start()), f"says {m.group(1)}: see docs/GLOSSARY.md"


# ---------------------------------------------------------------------- dead files, broken links


def rule_dead(tree, compiled=None):
    included = set()
    for path, code in tree.c.items():
        for m in re.finditer(r'^[ \t]*#[ \t]*include[ \t]*"', code, re.M):
            raw = tree.text[path]
            name = raw[m.end():raw.index('"', m.end())]
            included.add(include_target(tree, path, name))
    for path in tree.c:
        if path.endswith(".h") and path not in included and not path.startswith("include/"):
            yield path, 1, "is included by no file"
        if path.endswith(".c") and compiled is not None and path.split("/")[0] != "bench":
            if path not in compiled:
                yield path, 1, "is not compiled by this build"
    pages = [p for p in tree.text if p.startswith("docs/") and p.endswith(".md")]
    for page in pages:
        tail = page[len("docs/"):]
        named = any(page in t or tail in t or ("notes/" in tail and os.path.basename(page) in t)
                    for p, t in tree.text.items() if p != page)
        if not named:
            yield page, 1, "is named by no other file"


def rule_links(tree):
    for path, text in tree.text.items():
        if path in ("tools/house.py", "CHANGELOG.md"):
            continue
        for m in re.finditer(r"\bdocs/[\w./-]+\.md\b", text):
            if m.group(0) not in tree.text:
                yield path, line_of(text, m.start()), f"names {m.group(0)}, which is not there"
        if not path.endswith(".md"):
            continue
        for m in re.finditer(r"\]\(([^)#:\s]+)(#[^)]*)?\)", text):
            there = os.path.normpath(os.path.join(os.path.dirname(path), m.group(1)))
            if not os.path.exists(os.path.join(tree.root, there)):
                yield path, line_of(text, m.start()), f"links to {m.group(1)}, which is not there"


# ---------------------------------------------------------------------- running


RULES = [rule_rooms, rule_includes, rule_lengths, rule_white, rule_calls, rule_heads, rule_guards,
         rule_words, rule_glossary, rule_dead, rule_links]


def compiled_files(root, path):
    with open(path, encoding="utf-8") as f:
        commands = json.load(f)
    return {os.path.relpath(os.path.realpath(os.path.join(c["directory"], c["file"])),
                            os.path.realpath(root)) for c in commands}


def check_tree(root, compiled=None):
    tree = Tree(root)
    found = []
    for rule in RULES:
        found += rule(tree, compiled) if rule is rule_dead else rule(tree)
    return sorted(set(found))


HEAD_C = "// " + SPDX[0] + "\n// " + SPDX[1] + "\n/* Planted. */\n"
GOOD = "static int\nf(void)\n{\n    return 0;\n}\n"
PLANTED = [
    ("floors", "src/lsm/a.c", HEAD_C + '#include "tuple/tuple.h"\n', "may not touch tuple"),
    ("beside the door", "src/lsm/a.c", HEAD_C + '#include "os/private.h"\n', "beside its door"),
    ("test beside the door", "test/lsm/a.c", HEAD_C + '#include "os/private.h"\n', "only test/os"),
    ("up to the street", "src/lsm/a.c", HEAD_C + '#include "basin/basin.h"\n', "public header"),
    ("cli past the street", "cli/a.c", HEAD_C + '#include "base/base.h"\n', "not in the tree"),
    ("parent folder", "src/lsm/a.c", HEAD_C + '#include "../os/os.h"\n', "no ../"),
    ("system header", "src/lsm/a.c", HEAD_C + "#include <unistd.h>\n", "not for lsm"),
    ("system call", "src/lsm/a.c", HEAD_C + "int x = fsync(3);\n", "calls fsync"),
    ("thread", "src/lsm/a.c", HEAD_C + "int x = pthread_self();\n", "calls pthread_self"),
    ("memory", "src/lsm/a.c", HEAD_C + "void *x = malloc(3);\n", "calls malloc"),
    ("string call", "test/lsm/a.c", HEAD_C + "char *x = strcpy(0, 0);\n", "calls strcpy"),
    ("clock", "src/os/a.c", HEAD_C + "long x = time(0);\n", "calls time"),
    ("long function", "src/lsm/a.c",
     HEAD_C + "int\nf(void)\n{\n" + "    f();\n" * 68 + "}\n", "f has 72 lines"),
    ("long line", "src/lsm/a.c", HEAD_C + "//" + "x" * 99 + "\n", "101 columns"),
    ("long file", "src/lsm/a.c", HEAD_C + "\n" * 1500, "has 1503 lines"),
    ("blanks", "src/lsm/a.c", HEAD_C + "int x; \n", "ends with blanks"),
    ("tab", "src/lsm/a.c", HEAD_C + "\tint x;\n", "has a tab"),
    ("no SPDX", "src/lsm/a.c", "/* Planted. */\n", "SPDX"),
    ("no head", "src/lsm/a.c", HEAD_C[:HEAD_C.index("/*")] + GOOD, "no head comment"),
    ("guard", "src/lsm/a.h", HEAD_C + "int x;\n", "include guard"),
    ("word", "docs/a.md", "one " + WORDS[0] + " left\n", "has the word"),
    ("place", "docs/a.md", "see " + PLACES[0] + "x\n", "names a place"),
    ("other word", "src/lsm/a.c", HEAD_C + "/* A chapter. */\n", "says chapter"),
    ("dead header", "src/lsm/a.h", HEAD_C + "#ifndef A\n#define A\n#endif\n", "by no file"),
    ("dead source", "src/lsm/sub.c", HEAD_C + GOOD, "not compiled"),
    ("dead page", "docs/notes/0099-x.md", "# x\n", "named by no other"),
    ("broken link", "docs/GLOSSARY.md", "see [x](nowhere.md)\n", "which is not there"),
    ("new room", "src/attic/a.c", HEAD_C + GOOD, "is in no room"),
]


def clean_tree(root):
    """The smallest tree that keeps every rule."""
    files = {"src/os/os.h": HEAD_C + "#ifndef OS_H\n#define OS_H\n#endif\n",
             "src/os/private.h": HEAD_C + "#ifndef PRIVATE_H\n#define PRIVATE_H\n#endif\n",
             "src/os/x.c": HEAD_C + '#include "os.h"\n#include "private.h"\n' + GOOD,
             "src/tuple/tuple.h": HEAD_C + "#ifndef TUPLE_H\n#define TUPLE_H\n#endif\n",
             "src/tuple/x.c": HEAD_C + '#include "tuple/tuple.h"\n' + GOOD,
             "include/basin/basin.h": HEAD_C + "#ifndef BASIN_H\n#define BASIN_H\n#endif\n",
             "docs/GLOSSARY.md": "see docs/GLOSSARY.md\n| stratum | a room | `chapter` |\n",
             "README.md": "docs/GLOSSARY.md\n",
             "CMakeLists.txt": "# " + SPDX[0] + "\n# " + SPDX[1] + "\n" + "".join(
                 f"room({n} TOUCHES {t})\n" if t else f"room({n})\n" for n, t in TOUCHES.items())}
    for path, text in files.items():
        os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
        with open(os.path.join(root, path), "w", encoding="utf-8") as f:
            f.write(text)
    return {p for p in files if p.endswith(".c")} | {"src/lsm/a.c", "test/lsm/a.c", "cli/a.c",
                                                     "src/os/a.c", "src/attic/a.c"}


def self_test():
    missed = 0
    for name, path, text, expected in [("nothing", None, "", None)] + PLANTED:
        with tempfile.TemporaryDirectory() as root:
            compiled = clean_tree(root)
            if path:
                os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
                with open(os.path.join(root, path), "w", encoding="utf-8") as f:
                    f.write(text)
            found = [f"{p}:{n}: {m}" for p, n, m in check_tree(root, compiled)]
        good = any(expected in f for f in found) if expected else not found
        if not good:
            missed += 1
            print(f"planted {name}: expected {expected}, found {found}")
    print(f"house: {len(PLANTED)} planted, {missed} wrong")
    return 1 if missed else 0


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    compiled = None
    if len(arguments) == 2 and arguments[0] == "--compile-commands":
        compiled = compiled_files(root, arguments[1])
    elif arguments:
        print(__doc__, file=sys.stderr)
        return 2
    found = check_tree(root, compiled)
    for path, line, message in found:
        print(f"{path}:{line}: {message}")
    print(f"house: {len(found)} violations" if found else "house: every rule is kept")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
