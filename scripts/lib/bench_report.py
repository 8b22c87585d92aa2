"""Turns what scripts/bench measured into tables.

bench_report.py RESULTS CONTROLLER_DATA BUILD [BENCHMARKS.md]: prints; with a fourth argument replaces that page.
"""

import datetime
import glob
import json
import os
import platform
import sqlite3
import statistics
import subprocess
import sys

results, controller_data, build = sys.argv[1:4]
page = sys.argv[4] if len(sys.argv) > 4 else None


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))]


def read(name):
    path = os.path.join(results, name)
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        return file.read().splitlines()


def find(value, key):
    """Every value of `key` at any depth."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == key:
                yield inner
            yield from find(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from find(inner, key)


def idle():
    resident, ticks, seconds, per_second = map(int, read("idle")[0].split())
    share = ticks / per_second / seconds * 100
    return [
        ("agent, idle: resident memory", f"{resident / 1024:.1f} MB", "≤ 25 MB"),
        (f"agent, idle: CPU over {seconds} s", f"{share:.2f} % of one core", "≤ 0.3 %"),
    ]


def isolation():
    rows = []
    for entries in (10, 1000):
        nanos = [int(value) for line in read(f"isolate-{entries}") for value in find(json.loads(line), "apply_nanos")]
        if not nanos:
            continue
        millis = [value / 1e6 for value in nanos if value > 0]
        rows.append((
            f"isolate, profile of {entries} addresses: order received → enforced and read back, {len(millis)} orders",
            f"p50 {percentile(millis, 0.5):.1f} ms, p99 {percentile(millis, 0.99):.1f} ms", "≤ 20 ms p99"))
    return rows


def storm():
    runs = {"with": [], "without": []}
    ticks = []
    for line in read("storm"):
        kind, *values = line.split()
        runs[kind].append(float(values[0]))
        if kind == "with":
            ticks.append(int(values[-1]))
    ratio = statistics.median(runs["with"]) / statistics.median(runs["without"])
    spread = "; ".join(f"{kind} {min(values):.2f}–{max(values):.2f} s" for kind, values in runs.items())
    return [(f"exec storm, {len(ticks)} rounds each way: wall time with agent ÷ without (medians; {spread})",
             f"{ratio:.3f}", "≤ 1.03"),
            ("exec storm: CPU time of the agent per round, median", f"{statistics.median(ticks) / 100:.2f} s", "")]


def losses():
    lost = sum(int(gap.get("count", 0)) for line in read("control-events") for gap in find(json.loads(line), "gap")
               if gap.get("cause") == "kernel-buffer-full")
    return [("exec storm: events that gap events report lost", str(lost), "0")]


def wire():
    path = glob.glob(os.path.join(controller_data, "*.db"))
    rows = []
    for name in path:
        database = sqlite3.connect(f"file:{name}?mode=ro", uri=True)
        try:
            size, events = database.execute(
                "SELECT sum(length(payload)), sum(event_count) FROM batches WHERE event_class = 1").fetchone()
        except sqlite3.OperationalError:
            continue
        if events:
            rows.append((f"wire: bytes per process event, compressed, in a batch ({events} events)",
                         f"{size / events:.1f}", "≤ 40"))
    return rows


def programs():
    """The benchmark programs of tests/bench that print `name<TAB>value` lines themselves."""
    rows = []
    for name in ("store_commit", "spool_append"):
        program = os.path.join(build, "tests", name)
        if not os.path.exists(program):
            continue
        run = subprocess.run([program], capture_output=True, text=True, check=True)
        for line in run.stdout.splitlines():
            parts = line.split("\t")
            if len(parts) >= 2:
                rows.append((parts[0], parts[1], parts[2] if len(parts) > 2 else ""))
    return rows


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), "unknown")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores of {model}, {memory:.0f} GiB, Linux {platform.release()}"


def main():
    rows = idle() + isolation() + storm() + losses() + wire() + programs()
    lines = ["| what | measured | budget |", "|---|---|---|"] + [f"| {a} | {b} | {c} |" for a, b, c in rows]
    table = "\n".join(lines)
    print(table)
    if page:
        with open(page, "w", encoding="utf-8") as file:
            file.write("# Benchmarks\n\nFigures of the last run of `scripts/bench --write`, in the practice clinic of "
                       "`scripts/lib`, release build.\n\n"
                       f"{datetime.date.today().isoformat()}, {machine()}. The machine is shared: wall times drift by "
                       "tens of per cent, so judge by the ratios.\n\n" + table + "\n")


main()
