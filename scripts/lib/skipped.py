"""Prints each skipped test of a ctest run with its reason. skipped.py JUNIT_XML (ctest --output-junit)"""

import re
import sys
import xml.etree.ElementTree

lines = []
for case in xml.etree.ElementTree.parse(sys.argv[1]).getroot().iter("testcase"):
    if case.get("status") == "disabled":
        lines.append(f"  {case.get('name')}: DISABLED_ in its source: another test runs it, as a process to be killed")
    elif case.get("status") == "notrun":
        # GoogleTest: "FILE:LINE: Skipped", then the reason.
        reason = re.search(r": Skipped\r?\n[ \t]*(\S[^\r\n]*)", case.findtext("system-out") or "")
        skipped = case.find("skipped")
        told = skipped.get("message", "") if skipped is not None else ""
        lines.append(f"  {case.get('name')}: {reason[1] if reason else told or 'no reason given'}")
print("\n".join(sorted(lines)), end="")
