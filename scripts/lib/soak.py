"""Runs storms one after the other, each with the time that it needs, and writes what came of them.

soak.py BUILD PATTERN COMMIT [PAGE]: the tests of BUILD whose names match PATTERN; with PAGE, their rows in that page are
written anew.
ctest itself would end each after the time that scripts/test gives it.
"""

import datetime
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

LIMIT_SECONDS = 7200
# What a test program says beside gtest's own lines and the log.
OWN_WORDS = re.compile(r"^(?!\[|Running main|Note: |Repeating|\s*$|E\d{4} )(.*)$")


def listed(build, pattern):
    run = subprocess.run(["ctest", "--test-dir", build, "--show-only=json-v1", "-L", "integration|security|contract|unit",
                          "-R", pattern], capture_output=True, text=True, check=True)
    for test in json.loads(run.stdout)["tests"]:
        properties = {entry["name"]: entry["value"] for entry in test.get("properties", [])}
        if not properties.get("DISABLED"):
            yield test["name"], test["command"], properties.get("WORKING_DIRECTORY", build)


def run_one(command, folder):
    began = time.monotonic()
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT, text=True,
                                   env={**os.environ, "CORDON_SOAK": "1"}, start_new_session=True)
        try:
            status = process.wait(LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            status = f"did not end within {LIMIT_SECONDS} s"
        output.seek(0)
        text = output.read()
    state = "passed" if status == 0 and "[  SKIPPED ]" not in text else "skipped" if status == 0 else "FAILED"
    words = [match.group(1).strip() for line in text.splitlines() if (match := OWN_WORDS.match(line))]
    return state, time.monotonic() - began, words, text


ROW = re.compile(r"^\| (\w+\.\S+) \|.*\n", re.M)


def write_row(path, row):
    """It takes the place of the storm's earlier one; a new one comes behind the last. What else the page says stays."""
    with open(path, encoding="utf-8") as page:
        text = page.read()
    line = f"| {' | '.join(row)} |\n"
    rows = list(ROW.finditer(text))
    old = [match for match in rows if match[1] == row[0]]
    begin, end = old[0].span() if old else (rows[-1].end(), rows[-1].end())
    with open(path, "w", encoding="utf-8") as page:
        page.write(text[:begin] + line + text[end:])


def main():
    build, pattern, commit = sys.argv[1:4]
    ran = failed = 0
    for name, command, folder in listed(build, pattern):
        print(f"soak: {name} …", flush=True)
        state, seconds, words, text = run_one(command, folder)
        print(f"soak: {name}: {state} after {seconds:.0f} s{': ' + words[-1] if words else ''}", flush=True)
        if state == "FAILED":
            failed += 1
            print(text)
        ran += 1
        if len(sys.argv) > 4:  # at once: a run of hours may be cut
            write_row(sys.argv[4], (name, f"{datetime.date.today().isoformat()}, {commit}", state, f"{seconds:.0f}",
                                    "; ".join(words[-3:]).replace("|", "\\|")))
    if ran == 0:
        sys.exit("soak: no such test was built")
    sys.exit(1 if failed else 0)


main()
