"""Counts a storm's processes among a controller's events. storm_arrivals.py TAG BEGAN_UNIX_NANOS <EVENTS
(cordonctl -o json events)

Prints how many different ones of the storm are told one by one, and how many starts of its program are in summaries of bursts.
"""

import json
import sys

tag, began = sys.argv[1], int(sys.argv[2])
told, folded = set(), 0
for line in sys.stdin:
    event = json.loads(line)
    argv = event.get("process_started", {}).get("argv", [])
    if argv[:2] == ["storm", tag]:
        told.add(argv[2])
    burst = event.get("process_burst", {})
    if int(burst.get("first_time_unix_nanos", 0)) < began:
        continue
    for program in burst.get("programs", []):
        if program.get("executable", "").endswith("/tiny_program"):
            folded += int(program["started"])
print(len(told), folded)
