"""Runs clang-tidy over the tree quickly; scripts/lint calls it.

tidy.py [--fix] BUILD_DIR FILE.cc …: all checks of .clang-tidy on these units, which BUILD_DIR must know.
--fix also mends what clang-tidy can mend, one unit after the other.
CORDON_TIDY_UNTIL (seconds since 1970) begins no unit after that time, and says how many were not read; .ci/run sets it.

Two things make it quick:
- Most of a unit's time goes into headers that its neighbours include too. Units with the same compiler flags are read as
  one (a file of #includes). Units that cannot stand together, because both define the same local name, are told apart by a
  look at their text, and where that look fails, by the compiler: then they are read again, apart.
  The one check that then says nothing, misc-unused-using-decls, is made up for by unused_using() here.
- What was clean is remembered under the hash of the whole preprocessed text (all headers, comments too), the flags, the
  checks and the tool's version. Kept in ~/.cache/cordon/tidy, or $CORDON_TIDY_CACHE.
"""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import time

import unit_groups

TIDY, CLANG = "clang-tidy-19", "clang++-19"
LARGEST_GROUP = 16
root = pathlib.Path(__file__).resolve().parent.parent.parent
fix = "--fix" in sys.argv
arguments = [argument for argument in sys.argv[1:] if argument != "--fix"]
until = float(os.environ.get("CORDON_TIDY_UNTIL", 0))
unread = []
cache = pathlib.Path(os.environ.get("CORDON_TIDY_CACHE", "~/.cache/cordon/tidy")).expanduser()


def sources_of(entry):
    """The files that a unit of the build holds: itself, or those that CMake made one (cmake/CordonUnity.cmake)."""
    file = pathlib.Path(entry["file"])
    if file.parent.name == "Unity":
        return re.findall(r'^#include "(.*\.cc)"', file.read_text(), re.MULTILINE)
    return [file]


def units(build):
    """(flags, file) of every unit, the file once only; flags without what names the unit or its outputs."""
    seen = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        files = [os.path.relpath(file, root) for file in sources_of(entry)]
        files = [file for file in files if file.endswith(".cc") and not file.startswith(("build", ".."))]
        if not files:
            continue
        words = shlex.split(entry["command"])
        flags, skip = [], True
        for at, word in enumerate(words):
            if skip:  # up to the compiler's own name: launchers and their settings
                skip = not re.search(r"(^|/)(c\+\+|g\+\+|clang\+\+)[-0-9.]*$", word)
            elif word in ("-c", "-o", "-Werror", "-Winvalid-pch") or words[at - 1] in ("-o", "-c"):
                continue
            elif "cmake_pch.hxx" in word or word == "-include":  # GCC's precompiled header
                continue
            else:
                flags.append(word)
        for file in files:
            seen.setdefault(file, tuple(sorted(flags, key=lambda flag: not flag.startswith("-D"))))
    return seen


def unused_using(file):
    """Using-declarations whose name stands nowhere else in the file, as lines to print."""
    text = (root / file).read_text()
    for match in re.finditer(r"^ *using [\w:]+::(\w+);", text, re.MULTILINE):
        if len(re.findall(rf"\b{match[1]}\b", text)) == 1:
            yield f"{root / file}:{text[:match.start()].count(chr(10)) + 1}: error: using decl '{match[1]}' is unused"


version = subprocess.run([TIDY, "--version"], capture_output=True, check=True).stdout
common_key = version + (root / ".clang-tidy").read_bytes()


def source_of(build, files):
    """What the compiler is given: the file itself, or a file that includes them all."""
    if len(files) == 1:
        return root / files[0]
    text = "".join(f'#include "{root / file}"\n' for file in files)
    path = build / "tidy" / (hashlib.sha256(text.encode()).hexdigest()[:16] + ".cc")
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def key_of(build, flags, source):
    """The key, and the files of the tree that it stands for."""
    run = subprocess.run([CLANG, *flags, "-E", "-C", "-w", str(source)], cwd=build, capture_output=True)
    if run.returncode != 0:
        return None, []
    ours = set(re.findall(rf'^# \d+ "({root}/[^"]+)"', run.stdout.decode(errors="replace"), re.MULTILINE))
    # The same tree in another folder has the same key.
    text = common_key + repr(flags).encode() + run.stdout
    return hashlib.sha256(text.replace(str(root).encode(), b".")).hexdigest(), ours


def tidy(build, flags, source):
    # From the root, where clang-tidy finds .clang-tidy for a file of #includes too (that lies below the root).
    command = [TIDY, "--quiet", *(["--fix"] if fix else []), str(source), "--", *flags, f"-working-directory={build}"]
    run = subprocess.run(command, cwd=root, capture_output=True, text=True)
    noise = re.compile(r"^\d+ warnings? generated|^Suppressed|^Use -header")
    errors = "\n".join(line for line in run.stderr.splitlines() if not noise.match(line))
    return run.returncode, (run.stdout + errors).strip()


def check(build, flags, files):
    """Findings of a group as text, empty when it is clean."""
    if until and time.time() > until:
        unread.extend(files)
        return ""
    source = source_of(build, files)
    started = time.time()
    key, ours = key_of(build, flags, source)
    if key and not fix and (cache / key).exists():
        return ""
    code, output = tidy(build, flags, source)
    if code == 0:
        if key and all(os.path.getmtime(file) < started for file in ours):  # not edited in between
            (cache / key).touch()
        return ""
    if len(files) > 1 and "clang-diagnostic-error" in output:
        at_fault = {file for file in files[1:] if f"{root / file}:" in output} or set(files[1:])
        rest = [file for file in files if file not in at_fault]
        return "\n".join(filter(None, (check(build, flags, part) for part in (rest, sorted(at_fault)))))
    return output


def main():
    build = pathlib.Path(arguments[0]).resolve()
    cache.mkdir(parents=True, exist_ok=True)
    known = units(build)
    by_flags = {}
    for file in sorted({os.path.relpath(file, root) for file in arguments[1:]}):
        if file not in known:
            print(f"tidy: {file} is not part of the build {build.name}: not read")
            continue
        by_flags.setdefault(known[file], []).append(file)
    groups = [(flags, group) for flags, files in by_flags.items()
              for group in unit_groups.grouped(root, files, 1 if fix else LARGEST_GROUP)]
    groups.sort(key=lambda group: -len(group[1]))  # the long ones first, so that all cores end together
    print(f"tidy: {sum(len(files) for _, files in groups)} units in {len(groups)} groups", flush=True)

    findings = [line for _, files in groups for file in files for line in unused_using(file)]
    print(*findings, sep="\n", end="\n" if findings else "")
    with concurrent.futures.ThreadPoolExecutor(1 if fix else os.cpu_count()) as pool:
        runs = [pool.submit(check, build, *group) for group in groups]
        for run in concurrent.futures.as_completed(runs):
            output = run.result()
            if output:
                findings.append(output)
                print(output, flush=True)
    if unread:
        print(f"tidy: the time is over: {len(unread)} units were not read, {unread[0]} the first of them")
    sys.exit(1 if findings else 0)


main()
