"""Turns what scripts/bench measured into tables.

bench_report.py RESULTS CONTROLLER_DATA [PAGE]: prints; with PAGE, also replaces what stands there between the markers.
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

BEGIN = "<!-- scripts/bench --write: begin -->"
END = "<!-- scripts/bench --write: end -->"
WAYS = {"cordon": "Cordon", "nft-script": "`nft -f`", "nft-commands": "one `nft` per rule"}

results, controller_data = sys.argv[1:3]
page = sys.argv[3] if len(sys.argv) > 3 else None


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


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def idle():
    for line in read("idle"):
        resident, anon, file, shared, ticks, seconds, per_second, forks = map(int, line.split())
        yield ("agent, idle: resident memory (VmRSS)", f"{resident / 1024:.1f} MiB", "≤ 25 MB")
        yield ("— of it its own (RssAnon); of files and the kernel's ring (RssFile + RssShmem)",
               f"{anon / 1024:.1f} MiB; {(file + shared) / 1024:.1f} MiB", "")
        yield (f"agent, idle: CPU over {seconds} s, in which {forks} processes started on the machine",
               f"{ticks / per_second / seconds * 100:.2f} % of one core", "≤ 0.3 %")
    for line in read("size"):
        yield ("cordon-agent, stripped", f"{int(line) / 1e6:.1f} MB", "≤ 20 MB installed")


def orders():
    nanos = [int(value) for line in read("orders") for value in find(json.loads(line), "apply_nanos")]
    millis = [value / 1e6 for value in nanos if value > 0]
    if millis:
        yield (f"isolate in the clinic: order received → enforced and read back, {len(millis)} orders, every other "
               "one with a profile of 1,000 addresses",
               f"p50 {percentile(millis, 0.5):.1f} ms, p99 {percentile(millis, 0.99):.1f} ms", "≤ 20 ms p99")


def files():
    lines = [line.split() for line in read("files")]
    if not lines:
        return
    head, wall, cpu = lines
    yield (f"unpacking and deleting {head[1]} files under watch, {head[3]} rounds: wall time", f"× {wall[6]} ({wall[2]} s → {wall[4]} s)",
           "≤ 1.05")
    yield ("— CPU time, with the sensor's until all is told", f"× {cpu[6]} ({cpu[2]} s → {cpu[4]} s)", "")
    yield ("— told as created; as deleted; of; gaps", f"{head[5]}; {head[7]}; {head[9]}; {head[11]}", "0 silent loss")


def scan():
    lines = [json.loads(line) for line in read("scan") if line.startswith("{")]
    if not lines:
        return
    number, size = map(int, read("scan-size")[0].split())

    def middle(way, key):
        return statistics.median(line[key] for line in lines if line["way"] == way)

    bare, first = middle("bare hash", "seconds"), middle("first pass", "seconds")
    stat, check = middle("find -printf", "seconds"), middle("check", "seconds")
    alone, beside = middle("people alone", "p99_ms"), middle("people beside a scan", "p99_ms")
    yield (f"integrity scan of {number:,} files, {size / 1e9:.1f} GB, warm, full speed: rate of a first pass ÷ of a bare read and "
           f"hash by two threads", f"{bare / first:.2f} ({first:.2f} s; bare {bare:.2f} s)", "≥ 0.85")
    yield ("— check of the unchanged tree ÷ `find -printf`", f"× {check / stat:.2f} ({check:.2f} s; find {stat:.2f} s)", "≤ 1.2")
    yield ("a practice's transactions and small files beside a scan with its usual manners: p99 ÷ alone",
           f"× {beside / alone:.2f} ({alone:.2f} ms → {beside:.2f} ms)", "≤ 1.05")


def storm():
    runs = {"with": [], "without": []}
    for line in read("storm"):
        kind, *values = line.split()
        runs[kind].append([float(value) for value in values])
    if not runs["with"]:
        return
    total, per_second = map(int, read("storm-size")[0].split())
    wall = {kind: [run[0] for run in values] for kind, values in runs.items()}
    cpu = {kind: [run[1] + run[2] / per_second for run in values] for kind, values in runs.items()}
    agent = statistics.median(run[2] / per_second for run in runs["with"])
    each = total / len(runs["with"])

    def ratio(values):
        return statistics.median(values["with"]) / statistics.median(values["without"])

    spread = "; ".join(f"{kind} {min(values):.2f}–{max(values):.2f} s" for kind, values in wall.items())
    yield (f"exec storm, {len(runs['with'])} rounds of {each:.0f} each way: wall time with the agent ÷ without "
           f"(medians; {spread})", f"{ratio(wall):.3f}", "≤ 1.03")
    yield ("— CPU time of the storm and the agent ÷ of the storm alone (medians)", f"{ratio(cpu):.3f}", "")
    yield ("— CPU time of the agent, to the spool and the controller, per process", f"{agent / each * 1e6:.0f} µs", "")
    lost = sum(int(gap.get("count", 0)) for line in read("control-events") for gap in find(json.loads(line), "gap")
               if gap.get("cause") == "kernel-buffer-full")
    arrivals = [[int(value) for value in line.split()] for line in read("storm-arrivals")]
    if arrivals:
        sent, told, folded = map(sum, zip(*arrivals))
        yield (f"— of the {sent:,} processes of the storms with the agent, counted at the controller: told one by one; in "
               "summaries of bursts", f"{told:,}; {folded:,}", f"{sent:,} together")
    yield ("— events that gap events report lost", str(lost), "0")


def wire():
    for name in glob.glob(os.path.join(controller_data, "*.db")):
        database = sqlite3.connect(f"file:{name}?mode=ro", uri=True)
        try:
            size, events = database.execute(
                "SELECT sum(length(payload)), sum(event_count) FROM batches WHERE event_class = 1").fetchone()
        except sqlite3.OperationalError:
            continue
        if events:
            yield (f"wire: bytes per process event, compressed, in a batch ({events} events)",
                   f"{size / events:.1f}", "≤ 40")


def delivery():
    for line in map(json.loads, read("delivery")):
        what = line["what"]
        if "per_second" in line:
            yield (f"{what}, every batch durable ({line['events']:,} events)", f"{line['per_second']:,.0f} events/s", "")
        elif "ms" in line:
            yield (f"{what}, a database of {line['bytes'] / 2**20:,.0f} MiB", f"{line['ms']:,.0f} ms", "")
        elif "ns_each" in line:
            yield (what, f"{line['ns_each'] / 1000:,.2f} µs", "")
        else:
            yield (f"{what}: bytes per event, headers included, in batches of a busy host", f"{line['bytes_per_event']:.1f}", "≤ 40")


def fleet():
    answers = []
    for line in read("fleet"):
        kind, *values = line.split()
        if kind == "failed":
            yield (f"fleet of {values[0]} simulated agents", "did not connect: " + " ".join(values[1:]), "")
        elif kind == "ready":
            hosts, seconds, before, after = map(int, values)
            yield (f"controller: memory per connected idle agent ({hosts} of them, simulated on the same cores)",
                   f"{(after - before) / hosts:.0f} KiB", "≤ 60 KB")
            yield ("— enrolled and connected in", f"{seconds} s", "")
        else:
            answers.append((int(values[0]) / 1000, int(values[1])))
    if answers:
        seconds = statistics.median(taken for taken, _ in answers)
        yield (f"{min(done for _, done in answers)} agents ordered and acknowledged: `cordonctl isolate --wait` from start to end, median of "
               f"{len(answers)}", f"{seconds:.2f} s", "≤ 2 s for 10,000")


def isolate():
    lines = [json.loads(line) for line in read("isolate")]
    latency = [line for line in lines if "p50_ms" in line and "changes" in line]
    repairs = [line for line in lines if "repairs" in line]
    packets = [line for line in lines if "leaked" in line]
    if not lines:
        return []
    budget = {("cordon", 1000): "≤ 20 ms p99"}
    texts = ["A change from one profile to another of the same size, on an idle network. Cordon: the order's bytes on "
             "disk, one transaction, connections cut, rules read back and compared. The others: the rules alone.",
             table(["way", "addresses", "changes", "p50", "p99", "worst", "budget"],
                   [[WAYS[line["way"]], f"{line['entries']:,}", str(line["changes"]), f"{line['p50_ms']:.1f} ms",
                     f"{line['p99_ms']:.1f} ms", f"{line['max_ms']:.1f} ms",
                     budget.get((line["way"], line["entries"]), "")] for line in latency])]
    texts += ["Somebody deletes the rules. Cordon: from the kernel's notification to the commit of the repair, as its event "
              "says. The others: a script that looks without a pause, one look and the rules anew.",
              table(["way", "addresses", "repairs", "p50", "p99", "worst", "budget"],
                    [[WAYS[line["way"]], f"{line['entries']:,}", str(line["repairs"]), f"{line['p50_ms']:.1f} ms",
                      f"{line['p99_ms']:.1f} ms", f"{line['max_ms']:.1f} ms", "≤ 50 ms" if line["way"] == "cordon" else ""]
                     for line in repairs])]
    texts += ["The same changes under a packet pump in both directions. Lost: the old and the new rules both allow it. "
              "Leaked: both forbid it. Per 1,000 changes.",
              table(["way", "addresses", "changes", "packets allowed", "lost", "forbidden", "leaked", "budget"],
                    [packet_row(line) for line in packets])]
    return texts


def packet_row(line):
    def per_thousand(count):
        return f"{count * 1000 / line['changes']:,.0f}" if line["changes"] else str(count)

    way = WAYS.get(line["way"], "rules that stand still, 2 s (control)")
    return [way, f"{line['entries']:,}", str(line["changes"]), f"{line['sent']:,}", per_thousand(line["lost"]),
            f"{line['forbidden']:,}", per_thousand(line["leaked"]), "0 and 0" if line["way"] == "cordon" else ""]


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), "unknown")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores of {model}, {memory:.0f} GiB, Linux {platform.release()}"


def commit():
    run = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return run.stdout.strip() or "unknown"


def main():
    rows = [row for part in (idle, orders, storm, files, scan, delivery, wire, fleet) for row in part()]
    texts = [f"{datetime.date.today().isoformat()}, commit {commit()}, {machine()}, release build."]
    if rows:
        texts.append(table(["what", "measured", "budget"], rows))
    text = "\n\n".join(texts + isolate())
    print(text)
    if page:
        with open(page, encoding="utf-8") as file:
            before, rest = file.read().split(BEGIN)
        after = rest.split(END)[1]
        with open(page, "w", encoding="utf-8") as file:
            file.write(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")


main()
