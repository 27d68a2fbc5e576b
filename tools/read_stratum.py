#!/usr/bin/env python3
# SPDX-FileCopyrightText: the Basin authors
# SPDX-License-Identifier: Apache-2.0
"""Plain reader of strata and value strata, written from docs/format alone; shares no code.

    tools/read_stratum.py [--quiet] FILE...   prints footer, blocks, range tombstones, entries
    tools/read_stratum.py --self-test         reads the worked examples of the documents

Checks sizes, places, order, separators, counts, reserved zeros; not XXH3 checksums. Does not open
sealed or hooked strata, leaves out pages of zstd. Exits 1 at the first thing that is wrong.
"""
import os
import re
import sys

FOOTER = 256
HEAD = 12
SUM = 8
KINDS = {1: "point", 2: "dense", 3: "index", 4: "root", 5: "filter", 6: "ranges", 7: "properties",
         8: "frame", 9: "table"}
ENTRY = ("put", "delete", "merge", "ref")


class Wrong(Exception):
    pass


def need(condition, text):
    if not condition:
        raise Wrong(text)


class Rd:
    """Bounded reader over bytes."""
    def __init__(self, data, what):
        self.data, self.at, self.what = data, 0, what

    def take(self, n):
        need(n <= len(self.data) - self.at, f"{self.what}: ends before byte {self.at + n}")
        self.at += n
        return self.data[self.at - n:self.at]

    def u(self, n):
        return int.from_bytes(self.take(n), "little")

    def many(self, n, count):
        return [self.u(n) for _ in range(count)]

    def leb(self):
        value, shift = 0, 0
        while True:
            byte = self.u(1)
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                need(byte or shift == 7, f"{self.what}: padded number")
                return value

    def zeros(self, n):
        need(not any(self.take(n)), f"{self.what}: reserved bytes are not zero")

    def left(self):
        return len(self.data) - self.at

    def done(self):
        need(self.left() == 0, f"{self.what}: {self.left()} bytes too many")


def longer(r, n):
    """What the bytes behind a length nibble of 15 add."""
    total, more = 0, 255
    while n == 15 and more == 255:
        more = r.u(1)
        total += more
    return total


def expand_lz4(data, size, what):
    """One LZ4 block."""
    out, r = bytearray(), Rd(data, what)
    while r.at < len(data):
        token = r.u(1)
        n = token >> 4
        out += r.take(n + longer(r, n))
        if r.at == len(data):
            break
        back = r.u(2)
        need(0 < back <= len(out), f"{what}: a match before the start")
        n = token & 15
        for _ in range(n + longer(r, n) + 4):
            out.append(out[-back])
    need(len(out) == size, f"{what}: expands to {len(out)} bytes, not {size}")
    return bytes(out)


class Object:
    """What strata and value strata have in common: footer and blocks."""
    def __init__(self, data):
        need(len(data) >= FOOTER, f"{len(data)} bytes are too few")
        self.data, self.end = data, len(data) - FOOTER
        r = Rd(data[self.end:], "footer")
        self.magic = r.take(8)
        need(self.magic in (b"BSNSTRAT", b"BSNVALUE"), f"no stratum ends here: {self.magic}")
        self.version, size, self.features = r.u(2), r.u(2), r.u(4)
        need(self.version == 0, f"format {self.version}, this reader knows 0")
        need(size == FOOTER, f"footer of {size} bytes")
        need(self.features & ~63 == 0, f"unknown features {self.features:#x}")
        self.salt = r.take(24)
        self.page_size, self.reserved = r.u(4), r.u(2)
        r.zeros(2)
        self.sealed, self.plain = self.features & 1, not self.features & 3
        need(self.sealed or not any(self.salt), "a salt, and not sealed")
        self.fields(r)
        self.id = r.many(8, 4)
        r.zeros(32)
        self.hashes = r.many(8, 2)
        r.done()

    def block(self, at, size=None):
        """(kind, codec, raw size, data) of the block at a position."""
        r = Rd(self.data[:self.end], f"block at {at}")
        r.at = at
        kind, codec = r.u(1), r.u(1)
        r.zeros(2)
        stored, raw = r.u(4), r.u(4)
        extra = HEAD + SUM + (16 if self.sealed else 0) + self.reserved
        need(size in (None, stored), f"block at {at}: {stored} bytes, its fence says {size}")
        need(kind in KINDS and codec <= 2, f"block at {at}: kind {kind}, codec {codec}")
        need(stored >= extra and at + stored <= self.end, f"block at {at}: {stored} bytes")
        data = r.take(stored - extra)
        need(len(data) == raw if codec == 0 else len(data) < raw, f"block at {at}: raw size {raw}")
        if codec and self.plain:
            data = expand_lz4(data, raw, f"block at {at}") if codec == 1 else None
        return kind, codec, stored, data

    def blocks(self):
        at = 0
        while at < self.end:
            kind, codec, stored, data = self.block(at)
            yield at, kind, codec, stored, data
            at += stored
        need(at == self.end, "blocks do not end where the footer begins")


class Node:
    def __init__(self, data, root, what):
        r = Rd(data, what)
        flags = r.u(1)
        r.zeros(1)
        prefix_size, self.count = r.u(2), r.u(4)
        need(flags & ~63 == 0 and bool(flags & 16) == root, f"{what}: flags {flags:#x}")
        self.first = r.u(8)
        at_base, entry_base, delete_base, seqno_base = r.many(8, 4)
        n, wide_count = self.count, 8 if flags & 2 else 4
        prefix = r.take(prefix_size)
        heads = r.many(8, n)
        self.places = [(at_base + r.u(8 if flags & 1 else 4), r.u(4)) for _ in range(n)]
        self.entries = [entry_base + v for v in r.many(wide_count, n + 1)]
        self.deletes = [delete_base + v for v in r.many(wide_count, n + 1)] if flags & 8 \
            else [delete_base] * (n + 1)
        self.seqnos = [seqno_base + v for v in r.many(8 if flags & 4 else 4, n)]
        self.leaves = r.many(8, n + 1) if root else None
        self.filters = [(r.u(8), r.u(4)) for _ in range(n)] if flags & 32 else None
        ends, sizes = r.many(4, n), r.many(2, n)
        tails, at = r.take(r.left()), 0
        self.separators, self.continues = [], []
        for i in range(n):
            tail, at = tails[at:ends[i]], ends[i]
            plain = max(0, sizes[i] - 8)
            need(len(tail) in (plain, plain + 8), f"{what}: tail {i} has {len(tail)} bytes")
            head = heads[i].to_bytes(8, "big")
            need(not any(head[sizes[i]:]), f"{what}: separator {i} is not zero-filled")
            self.separators.append(prefix + head[:sizes[i]] + tail[:plain])
            more = tail[plain:]
            self.continues.append(~int.from_bytes(more, "big") % 2**64 if more else None)
        need(at == len(tails), f"{what}: bytes behind the tails")
        need(self.entries == sorted(self.entries), f"{what}: counts go backwards")


def page_entries(kind, packed, data, what):
    """(key, seqno, kind, value) of each entry of a leaf page; packed: a compressed point page."""
    r = Rd(data, what)
    flags, width, only_kind = r.u(1), r.u(1), r.u(1)
    r.zeros(1)
    count, prefix_size, key_max = r.u(4), r.u(2), r.u(2)
    r.zeros(4)
    base = r.u(8)
    need(flags & ~7 == 0 and width in (0, 1, 2, 4, 8) and count > 0, f"{what}: head")
    r.take(count if kind == 1 and not packed else 0)  # fingerprints
    restarts = r.many(4 if flags & 1 else 2, count if kind == 1 else (count + 15) // 16)
    kinds = r.take((count + 3) // 4) if flags & 2 else None
    seqnos = [base + (r.u(width) if width else 0) for _ in range(count)]
    prefix = r.take(prefix_size)
    area = r.take(r.left())
    if packed:  # sizes in place of offsets
        restarts = [sum(restarts[:i]) for i in range(count)]
    rows, longest = point_rows if kind == 1 else dense_rows, 0
    for i, (rest, entry, value) in enumerate(rows(area, restarts, count, what)):
        if kind == 2:
            entry = kinds[i // 4] >> i % 4 * 2 & 3 if kinds else only_kind
        need(not value or not flags & 4, f"{what}: a value on a page of empty values")
        longest = max(longest, prefix_size + len(rest))
        yield prefix + rest, seqnos[i], entry, value
    need(longest == key_max, f"{what}: longest key {longest}, not {key_max}")


def point_rows(area, offsets, _, what):
    for i, (at, end) in enumerate(zip(offsets, offsets[1:] + [len(area)])):
        need(at < end <= len(area) and (i or at == 0), f"{what}: offset {i}")
        r = Rd(area[at:end], f"{what}: entry {i}")
        head = r.leb()
        rest = r.take(head >> 2)
        yield rest, head & 3, r.take(r.left())


def dense_rows(area, restarts, count, what):
    r, key = Rd(area, what), b""
    for i in range(count):
        if i % 16 == 0:
            need(restarts[i // 16] == r.at, f"{what}: restart {i // 16}")
        shared, own = divmod(r.u(1), 16)
        shared += r.leb() if shared == 15 else 0
        own += r.leb() if own == 15 else 0
        need(shared <= len(key) and (i % 16 or shared == 0), f"{what}: entry {i} shares {shared}")
        key = key[:shared] + r.take(own)
        yield key, None, b""
    r.done()


class Stratum(Object):
    def fields(self, r):
        self.leaves, self.groups = r.u(8), r.u(8)
        self.root = (r.u(8), r.u(4))
        ranges_size, ranges_at = r.u(4), r.u(8)
        self.ranges_place = (ranges_at, ranges_size)
        self.props = (r.u(8), r.u(4))
        self.filter_bits, self.tail_at = r.u(4), r.u(8)
        names = "entries deletes merges refs ranges seqno_min seqno_max raw".split()
        self.counts = dict(zip(names, r.many(8, 8)))
        need(self.root[0] + self.root[1] == ranges_at, "ranges do not follow the root")
        need(ranges_at + ranges_size == self.props[0], "properties do not follow the ranges")
        need(sum(self.props) == self.end, "properties do not end at the footer")

    def read_ranges(self):
        if not self.ranges_place[1]:
            return
        r, last = Rd(self.block(*self.ranges_place)[3], "ranges"), None
        for _ in range(r.u(8)):
            unbounded, seqno = r.u(1), r.u(8)
            begin = r.take(r.leb())
            end = None if unbounded else r.take(r.leb())
            need(end is None or begin < end, "ranges: an empty one")
            same = last and last[:2] == (begin, end)
            need(not same or seqno < last[2], "ranges: seqnos of one fragment")
            need(same or not last or last[1] and last[1] <= begin, "ranges: overlap")
            last = (begin, end, seqno)
            yield last
        r.done()

    def read_props(self):
        r = Rd(self.block(*self.props)[3], "properties")
        need(r.take(8) == b"BSNPROPS", "properties: magic")
        flags, first, last, meta = r.u(1), *(r.take(r.leb()) for _ in range(3))
        ends = r.many(2, r.u(2)) if self.features & 32 else []
        need(ends == sorted(ends), "properties: prefixes end before others")
        prefixes = [r.take(b - a) for a, b in zip([0] + ends, ends)]
        need(bool(ends) == bool(self.features & 32) and len(ends) <= 1024
             and prefixes == sorted(set(prefixes)) and all(len(p) <= 16 for p in prefixes),
             "properties: prefixes are too many, too long or not in order")
        r.done()
        return flags, first, last, meta, prefixes

    def pages(self):
        """(number, place, separator, continues, fence counts) of each leaf, by the index."""
        if not self.root[1]:
            return
        root = Node(self.block(*self.root)[3], True, "root")
        need(root.count == self.groups and root.first == 0, "root: count")
        need(root.leaves[-1] == self.leaves and root.entries[-1] == self.counts["entries"],
             "root and footer count differently")
        for g in range(root.count):
            kind, _, _, data = self.block(*root.places[g])
            need(kind == 3, f"index {g}: kind {kind}")
            node = Node(data, False, f"index {g}")
            need(node.first == root.leaves[g] and node.separators[0] == root.separators[g],
                 f"index {g}: does not fit the root")
            need(not root.filters or self.block(*root.filters[g])[0] == 5, f"filter {g}: kind")
            for i in range(node.count):
                yield (node.first + i, node.places[i], node.separators[i], node.continues[i],
                       node.entries[i + 1] - node.entries[i], node.seqnos[i])

    def rows(self):
        """Every entry in order, checked against order, separators and fences."""
        last, last_seqno, entries, deletes, skipped = None, 0, 0, 0, 0
        known = tuple(self.read_props()[4])
        for number, place, separator, continues, count, seqno_max in self.pages():
            kind, codec, _, data = self.block(*place)
            what = f"page {number}"
            need(kind in (1, 2), f"{what}: kind {kind}")
            if data is None:
                skipped += count
                last = None
                continue
            need(last is None or last < separator or (last == separator and continues is not None),
                 f"{what}: separator {separator!r} is not behind {last!r}")
            n = 0
            for key, seqno, entry, value in page_entries(kind, codec and kind == 1, data, what):
                need(n or separator <= key, f"{what}: first key before its separator")
                need(last is None or last < key or (last == key and (
                    seqno < last_seqno or seqno == last_seqno == 0)), f"{what}: order")
                need(seqno <= seqno_max, f"{what}: seqno over that of its fence")
                need(not known or key.startswith(known), f"{what}: prefix of {key!r}")
                last, last_seqno = key, seqno
                n += 1
                deletes += entry == 1
                yield key, seqno, ENTRY[entry], value
            need(n == count, f"{what}: {n} entries, its fence says {count}")
            entries += n
        need(entries + skipped == self.counts["entries"], "footer counts other entries")
        need(skipped or deletes == self.counts["deletes"], "footer counts other deletes")
        if skipped:
            print(f"note: {skipped} entries in pages of zstd were left out", file=sys.stderr)


class Values(Object):
    def fields(self, r):
        self.values, self.bytes = r.many(8, 2)
        r.zeros(112)


def show(data, quiet):
    out = (lambda *a: None) if quiet else print
    kind = Values if data[-FOOTER:][:8] == b"BSNVALUE" else Stratum
    o = kind(data)
    out(f"format {o.version}, features {o.features:#x}, page size {o.page_size}, "
        f"database {o.id[0]}.{o.id[1]}, object {o.id[2]}.{o.id[3]}")
    for at, k, codec, stored, _ in o.blocks():
        out(f"  block at {at}: {KINDS[k]}, codec {codec}, {stored} bytes")
    if kind is Values:
        out(f"{o.values} values, {o.bytes} bytes")
        return
    out(", ".join(f"{k} {v}" for k, v in o.counts.items()))
    if not o.plain:
        print("note: sealed or hooked: nothing more can be read", file=sys.stderr)
        return
    flags, first, last, meta, prefixes = o.read_props()
    out(f"first {first!r}, last {last!r}, flags {flags}, meta {len(meta)} bytes")
    out(f"{len(prefixes)} prefixes: {' '.join(p.hex() for p in prefixes)}")
    for begin, end, seqno in o.read_ranges():
        out(f"  range [{begin!r}, {end!r}) at {seqno}")
    for key, seqno, entry, value in o.rows():
        out(f"  {key!r} at {seqno}: {entry} {value[:60]!r}")


def example(name):
    top = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    with open(os.path.join(top, "docs", "format", name), encoding="utf-8") as f:
        text = re.search(r"```hex\n(.*?)```", f.read(), re.S).group(1)
    return bytes.fromhex("".join(re.match(r"[0-9a-f]+:((?: [0-9a-f]{2})+)", line).group(1)
                                 for line in text.splitlines()))


def self_test():
    s = Stratum(example("stratum.md"))
    assert list(s.read_ranges()) == [(b"ax", b"b", 9)]
    assert s.read_props() == (1, b"ant", b"b", b"", [])
    assert list(s.rows()) == [(b"ant", 7, "put", b"6"), (b"ant", 5, "delete", b""),
                              (b"anteater", 8, "put", b"4 feet")]
    assert [k for _, k, _, _, _ in s.blocks()] == [1, 5, 3, 4, 6, 7]
    v = Values(example("value-stratum.md"))
    assert (v.values, v.bytes, v.block(0)[3]) == (1, 12, b"hello, basin")
    for cut in range(len(s.data)):
        try:
            show(s.data[:cut], True)
        except Wrong:
            continue
        raise AssertionError(f"a stratum cut at {cut} was accepted")
    assert expand_lz4(b"\x11a\x01\x00\x10b", 7, "lz4") == b"aaaaaab"
    print("read_stratum: the examples of the documents are as they should be")
    return 0


def main(args):
    if args == ["--self-test"]:
        return self_test()
    quiet, files = "--quiet" in args, [a for a in args if a != "--quiet"]
    if not files:
        sys.exit(__doc__)
    for name in files:
        try:
            with open(name, "rb") as f:
                show(f.read(), quiet)
        except Wrong as e:
            print(f"{name}: {e}", file=sys.stderr)
            return 1
    return 0


sys.exit(main(sys.argv[1:]))
