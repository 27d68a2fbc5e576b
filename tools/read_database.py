#!/usr/bin/env python3
# SPDX-FileCopyrightText: the Basin authors
# SPDX-License-Identifier: Apache-2.0
"""Plain reader of heads, logs and checkpoints, written from docs/format alone; shares no code.

    tools/read_database.py FILE...       prints what is in a head, a log, a checkpoint
    tools/read_database.py --state DIR   one line of JSON: seqno, epoch, strata, pins, and the pairs
                                         that only the logs hold (keys and values in hexadecimal)
    tools/read_database.py --self-test   reads the worked examples of the documents

Checks checksums, sizes, ranges and reserved zeros. Does not open what is sealed. Exits 1 at the
first thing that is wrong.
"""
import json
import os
import re
import sys

from xxh3 import M64, u32, u64, xxh3

OPS = ("put", "delete", "merge", "put by reference", "delete range", "delete from")
RECORDS = {1: "batch", 2: "edit", 3: "seal"}


class Wrong(Exception):
    pass


def need(condition, text):
    if not condition:
        raise Wrong(text)


# ---------------------------------------------------------------------- bytes


class Rd:
    def __init__(self, data, what):
        self.data, self.at, self.what = data, 0, what

    def more(self):
        return self.at < len(self.data)

    def take(self, n):
        need(n <= len(self.data) - self.at, f"{self.what}: ends before byte {self.at + n}")
        self.at += n
        return self.data[self.at - n:self.at]

    def leb(self):
        value, shift = 0, 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                need(byte or shift == 7, f"{self.what}: padded number")
                return value

    def lebs(self, n):
        return [self.leb() for _ in range(n)]

    def text(self):
        return self.take(self.leb())

    def id(self):
        return "%d-%d" % tuple(self.lebs(2))


def zeros(b, text):
    need(not any(b), f"{text}: reserved bytes are used")


def header(b, magic, version, text):
    need(b[:8] == magic, f"{text}: the magic is {b[:8]}")
    need(u32(b, 8) == version, f"{text}: version {u32(b, 8)}")
    return {"flags": u32(b, 12), "database": b[16:32].hex()}


# ---------------------------------------------------------------------- head


def read_head(b):
    need(len(b) == 256, f"head: {len(b)} bytes")
    h = header(b, b"BASIN DB", 1, "head")
    need(xxh3(b[:248]) == u64(b, 248), "head: checksum")
    flags = h["flags"]
    need(flags in (0, 1, 3), f"head: flags {flags}")
    h.update(page_size=u32(b, 32), level_factor=u32(b, 36), created_ms=u64(b, 40),
             codec=("none", "lz4", "zstd")[u32(b, 80)], codec_level=u32(b, 84))
    need(256 <= h["page_size"] <= 65536 and h["level_factor"] >= 2, "head: settings")
    zeros(b[88:104] + b[152:248], "head")
    if flags & 2:
        h.update(passes=u32(b, 48), memory_kib=u32(b, 52))
    else:
        zeros(b[48:56], "head")
    if not flags & 1:
        zeros(b[56:80] + b[104:152], "head")
    return h


# ---------------------------------------------------------------------- edits and batches


def read_uses(r):
    return [{"id": r.id(), "bytes": r.leb(), "count": r.leb()} for _ in range(r.leb())]


def read_stratum(r):
    s = {"id": r.id(), "level": r.leb(), "run": r.leb(), "first": r.text().hex(),
         "last": r.text().hex(), "flags": r.take(1)[0]}
    for name in ("entries", "deletes", "merges", "ranges", "refs", "seqno_min", "seqno_max",
                 "size", "raw_bytes"):
        s[name] = r.leb()
    s["hash"] = r.take(8).hex()
    s["uses"] = read_uses(r)
    need(s["level"] <= 8 and s["flags"] <= 7, "edit: stratum out of range")
    return s


def read_edit(b):
    """(field, content) of each field."""
    r = Rd(b, "edit")
    while r.more():
        tag = r.take(1)[0]
        if tag == 1:
            yield "add stratum", read_stratum(r)
        elif tag == 2:
            yield "remove stratum", r.id()
        elif tag == 3:
            yield "replay from", tuple(r.lebs(3))
        elif tag == 4:
            yield "pin", {"name": r.text().decode(), "owner": r.text().decode(),
                          "seqno": r.leb(), "made_ms": r.leb()}
        elif tag == 5:
            yield "unpin", r.text().decode()
        elif tag in (8, 11):
            yield "seqno" if tag == 8 else "load", r.leb()
        elif tag == 9:
            yield "checkpoint", tuple(r.lebs(2))
        elif tag == 10:
            yield "hold", (r.text().decode(), *r.lebs(2))
        elif tag == 12:
            yield "clean", None
        elif tag == 13:
            yield "move stratum", (r.id(), *r.lebs(2))
        elif tag == 14:
            yield "spill", tuple(r.lebs(2))
        else:
            raise Wrong(f"edit: unknown field {tag} before byte {r.at}")


def read_batch(b):
    """(kind, key, value) of each operation."""
    r = Rd(b, "batch")
    while r.more():
        kind = r.take(1)[0]
        need(kind < len(OPS), f"batch: operation {kind}")
        key = r.leb()
        value = 0 if kind in (1, 5) else r.leb()
        need(key <= 65535, f"batch: a key of {key} bytes")
        yield OPS[kind], r.take(key), r.take(value)


# ---------------------------------------------------------------------- log and checkpoint


def read_log(b):
    """Header and (position, type, seqno, synced, body) of each record."""
    need(len(b) >= 128, f"log: {len(b)} bytes")
    h = header(b, b"BASINLOG", 3, "log")
    need(xxh3(b[:120]) == u64(b, 120) and xxh3(b[:72]) == u64(b, 112), "log: header's checksum")
    need(b[40:72] == b[72:104], "log: the copy differs")
    h.update(epoch=u64(b, 32), process=u64(b, 64), end_before=u64(b, 104))
    seed, at, records = xxh3(b[16:72], 0x6261736E6C6F6721), 128, []
    while at + 32 <= len(b):
        n, kind = u32(b, at + 8), b[at + 12]
        own = seed ^ (at * 0x9E3779B97F4A7C15 & M64)
        if kind not in RECORDS or at + 32 + n > len(b) or \
                xxh3(b[at + 8:at + 32 + n], own) != u64(b, at):
            break
        head = b[at + 8:at + 13] + bytes(3) + b[at + 16:at + 32]
        need(xxh3(head, own) >> 40 == u32(b, at + 12) >> 8, f"log: record at {at}: check")
        records.append((at, RECORDS[kind], u64(b, at + 16), u64(b, at + 24),
                        b[at + 32:at + 32 + n]))
        at += 32 + n + -n % 8
        if kind == 3:
            break
    return h, records


def read_checkpoint(b):
    need(len(b) >= 136, f"checkpoint: {len(b)} bytes")
    h = header(b, b"BASINCKP", 0, "checkpoint")
    need(xxh3(b[:120]) == u64(b, 120), "checkpoint: checksum of the header")
    need(u64(b, 72) == len(b) - 136, "checkpoint: size of the body")
    need(xxh3(b[128:-8], u64(b, 120)) == u64(b, len(b) - 8), "checkpoint: checksum of the body")
    zeros(b[80:120], "checkpoint")
    h.update(epoch=u64(b, 32), position=u64(b, 40))
    return h, b[128:-8]


# ---------------------------------------------------------------------- the whole


def load(path):
    with open(path, "rb") as f:
        return f.read()


def names(folder, pattern):
    found = os.listdir(folder) if os.path.isdir(folder) else []
    return sorted(tuple(map(int, m.groups())) for m in (re.fullmatch(pattern, f) for f in found)
                  if m)


def apply(state, field, v):
    if field == "add stratum":
        state["strata"][v["id"]] = v
    elif field == "remove stratum":
        del state["strata"][v]
    elif field == "move stratum":
        state["strata"][v[0]].update(level=v[1], run=v[2])
    elif field == "pin":
        state["pins"][v["name"]] = v
    elif field == "unpin":
        del state["pins"][v]
    elif field == "replay from":
        state["from"] = v[:2]
    elif field in ("seqno", "load", "spill"):
        state["seqno"] = max(state["seqno"], v[1] if field == "spill" else v)


def replay(pairs, body):
    for kind, key, value in read_batch(body):
        need(kind in ("put", "delete"), f"--state knows no {kind}")
        pairs.pop(key.hex(), None)
        if kind == "put":
            pairs[key.hex()] = value.hex()


def state_of(folder):
    """The newest checkpoint, the edits behind it, and the batches from where it says."""
    state = {"strata": {}, "pins": {}, "seqno": 0, "from": (0, 0), "epoch": 0}
    newest = names(folder + "/head", r"0-(\d+)")[-1][0]
    head = read_head(load(f"{folder}/head/0-{newest}"))
    need(head["flags"] == 0, "the database is sealed")
    at = (0, 0)
    for at in names(folder + "/ckpt", r"(\d+)-(\d+)")[-1:]:
        _, body = read_checkpoint(load(f"{folder}/ckpt/{at[0]}-{at[1]}"))
        for field in read_edit(body):
            apply(state, *field)
    batches, pairs = [], {}
    for (epoch,) in names(folder + "/log", r"(\d+)"):
        for place, kind, seqno, _, body in read_log(load(f"{folder}/log/{epoch}"))[1]:
            if kind == "edit" and (epoch, place) >= at:
                for field in read_edit(body):
                    apply(state, *field)
            elif kind == "batch":
                count = sum(1 for _ in read_batch(body))
                state["seqno"] = max(state["seqno"], seqno + count - 1)
                batches.append(((epoch, place), body))
        state["epoch"] = epoch
    for place, body in batches:
        if place >= tuple(state["from"]):
            replay(pairs, body)
    return {"seqno": state["seqno"], "epoch": state["epoch"], "codec": head["codec"],
            "pins": sorted(state["pins"]), "pairs": pairs,
            "live_bytes": sum(s["size"] for s in state["strata"].values()),
            "entries": sum(s["entries"] for s in state["strata"].values())}


def show(b):
    if b[:8] == b"BASIN DB":
        print("head", read_head(b))
    elif b[:8] == b"BASINCKP":
        h, body = read_checkpoint(b)
        print("checkpoint", h)
        for field in read_edit(body) if not h["flags"] else ():
            print("   ", *field)
    else:
        h, records = read_log(b)
        print("log", h)
        for at, kind, seqno, synced, body in records:
            print(f"  {at}: {kind}, seqno {seqno}, synced {synced}, {len(body)} bytes")
            if not h["flags"] and kind != "seal":
                for item in read_batch(body) if kind == "batch" else read_edit(body):
                    print("   ", *item)


def example(name, n=0):
    top = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    text = load(os.path.join(top, "docs", "format", name)).decode()
    block = re.findall(r"```hex\n(.*?)```", text, re.S)[n]
    return bytes.fromhex("".join(re.match(r"[0-9a-f]+:((?: [0-9a-f]{2})+)", line).group(1)
                                 for line in block.splitlines()))


def self_test():
    need(read_head(example("database.md"))["codec"] == "zstd", "head of the page")
    need(read_head(example("database.md", 1))["flags"] == 1, "sealed head of the page")
    h, records = read_log(example("log.md"))
    need((h["epoch"], [r[1] for r in records]) == (1, ["batch", "edit", "edit"]), "log of the page")
    need([op[0] for op in read_batch(records[0][4])] ==
         ["put", "put", "delete", "merge", "delete range", "delete from"], "batch of the page")
    fields = dict(read_edit(read_checkpoint(example("checkpoint.md"))[1]))
    need(fields["add stratum"]["uses"][0]["bytes"] == 120, "checkpoint of the page")
    print("read_database: the examples of the documents are as they should be")


def main(args):
    try:
        if args == ["--self-test"]:
            self_test()
        elif len(args) == 2 and args[0] == "--state":
            print(json.dumps(state_of(args[1])))
        elif not args:
            sys.exit(__doc__)
        else:
            for name in args:
                show(load(name))
    except Wrong as e:
        print(f"{args[-1]}: {e}", file=sys.stderr)
        return 1
    return 0


sys.exit(main(sys.argv[1:]))
