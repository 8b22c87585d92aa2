"""Finds BPF programs of Cordon on the root cgroup whose network namespace is gone: a test that died left them there.
Takes them away and prints a line for each. Usage: marks.py ROOT, with ROOT where cgroup version 2 is mounted."""
import glob
import json
import os
import subprocess
import sys


def bpftool(*args):
    done = subprocess.run(["bpftool", "-j", *args], capture_output=True, text=True)
    return json.loads(done.stdout) if done.returncode == 0 and done.stdout.strip() else None


def served_namespace(program):
    """The inode number of the network namespace that it serves; None when that cannot be read."""
    for number in (bpftool("prog", "show", "id", str(program)) or {}).get("map_ids", []):
        if (bpftool("map", "show", "id", str(number)) or {}).get("name") != "cordon_scope":
            continue
        for entry in bpftool("map", "dump", "id", str(number)) or []:
            value = bytes(int(byte, 16) for byte in entry["value"])
            return int.from_bytes(value[4:8], sys.byteorder)
    return None


def inode(path):
    try:
        return os.stat(path).st_ino
    except OSError:
        return None


def main(root):
    attached = [p for p in bpftool("cgroup", "show", root) or [] if p.get("name", "").startswith("cordon_c")]
    if not attached:
        return
    served = {p["id"]: served_namespace(p["id"]) for p in attached}
    # After the programs: a namespace that lives now is not taken for one that is gone.
    alive = {inode(path) for path in glob.glob("/proc/[0-9]*/ns/net") + glob.glob("/run/netns/*")}
    for program in attached:
        namespace = served[program["id"]]
        if namespace is None or namespace in alive:
            continue
        print(f"BPF program {program['name']} of network namespace {namespace}")
        subprocess.run(["bpftool", "cgroup", "detach", root, program["attach_type"], "id", str(program["id"])],
                       check=False)


main(sys.argv[1])
