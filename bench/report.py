#!/usr/bin/env python3
# SPDX-FileCopyrightText: the Basin authors
# SPDX-License-Identifier: Apache-2.0
"""Makes tables and a chart from the rows of a benchmark run.

    report.py ROWS.jsonl [--markdown FILE] [--svg FILE] [--base ENGINE]

A cell is the median of its rounds; rounds in which others used the machine count only where there
is no quiet one, and are marked ~. The number in brackets is the ratio to the base engine, always
such that more than 1 is better. Synced and unsynced commits stand in tables of their own; the
chart shows no synced row beside an unsynced one.
"""
import argparse
import json
import math
import statistics
import sys
from xml.sax.saxutils import escape

# Workloads of which the time counts, and where it is found.
TIMES = {"open_warm": "seconds", "open_cold": "seconds", "settle_fill": "settle_s",
         "settle_overwrite": "settle_s", "compact": "seconds", "recover_kill9": "seconds"}
SIZES = {"size_fill", "size_overwrite", "size_compact"}
NOT_BEST = {"mem", "control"}          # ceilings and controls are not competitors
CHECKS = {"single_check", "sync_check"}
CHART = ["fillrand_b1000", "fillrand_b1", "overwrite_b100", "mixed_zipf", "get_hit", "get_miss",
         "get_zipf", "get_after_ow", "get_bulk", "scan_full", "scan_back", "scan_100",
         "bulk_sorted", "sync_1thr", "sync_4thr"]
COLOURS = ["#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#999999", "#bb5500",
           "#332288", "#117733"]


class Results:
    """The rows of a run: cells[workload][engine] = list of rows, in order of first appearance."""

    def __init__(self, lines):
        self.meta, self.cells, self.engines, self.failed, self.levels = {}, {}, [], [], {}
        for line in lines:
            row = json.loads(line)
            if "meta" in row:
                self.meta = row["meta"]
            elif row.get("failed"):
                self.failed.append(row)
            else:
                self.add(row)

    def add(self, row):
        if row["engine"] not in self.engines:
            self.engines.append(row["engine"])
        self.levels[row["workload"]] = row["level"]
        self.cells.setdefault(row["workload"], {}).setdefault(row["engine"], []).append(row)

    def median(self, workload, engine, field):
        """(value, mark) of a cell, or None."""
        rows = [r for r in self.cells.get(workload, {}).get(engine, []) if field in r]
        if not rows:
            return None
        quiet = [r for r in rows if r["quiet"]]
        mark = "" if quiet else "~"
        use = quiet or rows
        mark += "c" if any(r["cut"] for r in use) else ""
        mark += " refused" if any(r["refused"] for r in use) else ""
        mark += " WRONG" if any(r["errors"] for r in rows) else ""
        return statistics.median(r[field] for r in use), mark


def short(x):
    """1234567 -> 1.23M, small numbers with three digits."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(x) >= limit:
            x, end = x / limit, unit
            break
    else:
        end = ""
    if x == 0:
        return "0"
    digits = max(0, 2 - int(math.floor(math.log10(abs(x)))))
    return f"{x:.{min(digits, 6)}f}{end}"


def ratio(value, base, less_is_better, floor=0):
    """How much better than the base; values below the floor are too small to compare."""
    if not value or not base:
        return None
    value, base = max(value, floor), max(base, floor)
    return base / value if less_is_better else value / base


def table(res, base, title, lines):
    """lines: (label, workload, field, scale, less_is_better)."""
    engines = [e for e in res.engines
               if any(res.median(w, e, f) for _, w, f, _, _ in lines)]
    if not engines:
        return ""
    out = [f"### {title}", "", "| workload | " + " | ".join(engines) + " | best peer |",
           "|---|" + "---:|" * (len(engines) + 1)]
    for label, workload, field, scale, less in lines:
        cells = {e: res.median(workload, e, field) for e in engines}
        if not any(cells.values()):
            continue
        values = {e: c[0] * scale for e, c in cells.items() if c}
        texts = []
        for e in engines:
            if not cells[e]:
                texts.append("")
                continue
            r = ratio(values[e], values.get(base), less, 1e-4 if workload in TIMES else 0)
            texts.append(short(values[e]) + (f" ({r:.2f})" if r else "") + cells[e][1])
        rivals = {e: v for e, v in values.items()
                  if e not in NOT_BEST and not e.startswith("basin") and v > 0}
        best = (min if less else max)(rivals, key=rivals.get) if rivals else ""
        out.append(f"| {label} | " + " | ".join(texts) + f" | {best} |")
    return "\n".join(out) + "\n"


def rate_lines(res, level):
    return [(w, w, "rate", 1, False) for w in res.cells
            if w not in TIMES and w not in SIZES and w not in CHECKS and res.levels[w] == level]


def all_tables(res, base):
    unsynced = [w for w in res.cells if res.levels[w] == "unsynced"]
    rated = [w for w in unsynced if w not in TIMES and w not in SIZES and w not in CHECKS]
    synced = [w for w in res.cells if res.levels[w] == "synced" and w not in CHECKS]
    writes = [w for w in rated if w.startswith(("fill", "overwrite", "delete", "bulk"))]
    timed = [w for w in rated if not w.startswith(("scan_f", "scan_b", "scan_c", "scan_a", "bulk"))]
    both = [w for w in timed + synced]
    return [
        table(res, base, "Rates, unsynced commits (operations a second; scans: pairs a second)",
              rate_lines(res, "unsynced")),
        table(res, base, "Rates, durable commits (pairs a second)", rate_lines(res, "synced")),
        table(res, base, "CPU (us an operation, all threads)",
              [(w, w, "cpu_us", 1, True) for w in rated + synced]),
        table(res, base, "Latency p99 (us a get, seek or commit)",
              [(w, w, "p99_ns", 1e-3, True) for w in both]),
        table(res, base, "Worst pause (ms)",
              [(w, w, "max_ns", 1e-6, True) for w in both]),
        table(res, base, "Times (s)", [(w, w, TIMES[w], 1, True) for w in unsynced if w in TIMES]),
        table(res, base, "Size on disk (MB)",
              [(w, w, "disk", 1e-6, True) for w in unsynced if w in SIZES]),
        table(res, base, "Bytes written (MB)", [(w, w, "written", 1e-6, True) for w in writes]),
        table(res, base, "Peak memory (MB, mapped file pages included)",
              [(w, w, "rss_peak", 1e-6, True) for w in rated]),
        table(res, base, "Peak anonymous and shared memory (MB)",
              [(w, w, "anon_peak", 1e-6, True) for w in rated]),
    ]


def verification(res):
    out = ["### Verification", "", "| engine | values and pairs compared | errors | kill -9 |",
           "|---|---:|---:|---|"]
    for e in res.engines:
        rows = [r for cells in res.cells.values() for r in cells.get(e, [])]
        crash = [r for r in rows if "acked" in r]
        text = ", ".join(f"{sum(r[k] for r in crash)} {k}" for k in ("lost", "torn", "holes"))
        out.append(f"| {e} | {sum(r['verified'] for r in rows):,} | "
                   f"{sum(r['errors'] for r in rows):,}{' (as it must)' if e == 'control' else ''} "
                   f"| {text if crash else ''} |")
    return "\n".join(out) + "\n"


def markdown(res, base):
    m = res.meta
    head = [f"## Suite {m['suite']}", "",
            f"{m['count']:,} keys of {m['key_size']} B ({m['keys']}), values of "
            f"{m['value_size']} B; {m['cache_size'] >> 20} MiB of cache and "
            f"{m['write_buffer_size'] >> 20} MiB of write buffer; {m['rounds']} round(s), "
            f"engines taking turns; {m['when']}.",
            f"{m['processors']} x {m['processor']}, {m['memory'] / 2**30:.0f} GiB, Linux "
            f"{m['kernel']}; a durable 4 KiB append takes {m['sync_us']:.0f} us; bytes written by "
            f"{m['written']}.",
            "Versions: " + ", ".join(f"{k} {v}" for k, v in m["versions"].items()) + ".", "",
            f"In brackets the ratio to {base}, more than 1 is better. ~ others used the machine in "
            "every round; c the time limit cut it, the rate is of what was done.", ""]
    if not m["sync_real"]:
        head.append("**Durable commits are refused: a sync this fast reaches no disk.**\n")
    for f in res.failed:
        head.append(f"**{f['engine']} FAILED in group {f['group']}, round {f['round']}.**\n")
    return "\n".join(head) + "\n" + "\n".join(t for t in all_tables(res, base) if t) + \
        "\n" + verification(res)


def bar(x, y, width, height, colour, tip):
    return (f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height}" '
            f'fill="{colour}"><title>{escape(tip)}</title></rect>')


def svg(res, base):
    """Bars of the ratio to the base engine on a logarithmic scale, a block per workload."""
    engines = [e for e in res.engines if e not in NOT_BEST]
    rows = [(w, e, res.median(w, e, "rate"), res.median(w, base, "rate"))
            for w in CHART if w in res.cells for e in engines]
    rows = [(w, e, v, ratio(v[0], b[0], False)) for w, e, v, b in rows
            if v and b and "refused" not in v[1]]
    low, high = 1 / 8, 32
    left, width, step, gap = 150, 640, 13, 14
    parts, y, last = [], 60, None

    def at(r):
        return left + width * math.log(min(max(r, low), high) / low) / math.log(high / low)

    for w, e, v, r in rows:
        if r is None:
            continue
        if w != last:
            y += gap if last else 0
            note = " (durable)" if res.levels[w] == "synced" else ""
            parts.append(f'<text x="{left - 8}" y="{y + 10}" text-anchor="end">'
                         f'{escape(w + note)}</text>')
            last = w
        x0, x1 = sorted((at(1), at(r)))
        parts.append(bar(x0, y, max(x1 - x0, 1), step - 3,
                         COLOURS[engines.index(e) % len(COLOURS)], f"{w}, {e}: {r:.2f} x {base}"))
        parts.append(f'<text class="n" x="{max(x1, at(1)) + 4:.1f}" y="{y + 9}">{r:.2f} '
                     f'({short(v[0])}/s{v[1]})</text>')
        y += step
    axis = [f'<line x1="{at(t):.1f}" x2="{at(t):.1f}" y1="50" y2="{y + 4}" '
            f'stroke="{"#000" if t == 1 else "#ddd"}"/><text class="n" x="{at(t):.1f}" y="46" '
            f'text-anchor="middle">{t:g}</text>' for t in (1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8, 16, 32)]
    keys = [f'<rect x="{left + 105 * i}" y="12" width="10" height="10" '
            f'fill="{COLOURS[i % len(COLOURS)]}"/><text x="{left + 105 * i + 14}" y="21">'
            f'{escape(e)}</text>' for i, e in enumerate(engines)]
    total = max(left + width + 130, left + 105 * len(engines) + 20)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{total}" height="{y + 20}" '
            'font-family="sans-serif" font-size="11"><style>.n{font-size:9px;fill:#444}</style>'
            f'<rect width="100%" height="100%" fill="#fff"/>'
            f'<text x="8" y="46" class="n">rate / {escape(base)}, more is better</text>'
            + "\n".join(axis + keys + parts) + "</svg>\n")


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("rows")
    p.add_argument("--markdown", help="default: standard output")
    p.add_argument("--svg")
    p.add_argument("--base", help="default: rocksdb, or the first engine")
    a = p.parse_args()
    with open(a.rows, encoding="utf-8") as f:
        res = Results(f)
    if not res.engines:
        sys.exit("report: no rows")
    base = a.base or ("rocksdb" if "rocksdb" in res.engines else res.engines[0])
    text = markdown(res, base)
    if a.markdown:
        with open(a.markdown, "w", encoding="utf-8") as f:
            f.write(text)
    else:
        sys.stdout.write(text)
    if a.svg:
        with open(a.svg, "w", encoding="utf-8") as f:
            f.write(svg(res, base))


if __name__ == "__main__":
    main()
