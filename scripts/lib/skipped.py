"""Prints each skipped test of a ctest run with its reason. skipped.py JUNIT_XML (ctest --output-junit)"""

import re
import sys
import xml.etree.ElementTree

lines = []
for case in xml.etree.ElementTree.parse(sys.argv[1]).getroot().iter("testcase"):
    if case.get("status") == "disabled":
        lines.append(f"  {case.get('name')}: disabled in its source, see docs/known-issues.md")
    elif case.get("status") == "notrun":
        # GoogleTest: "FILE:LINE: Skipped", then the reason.
        reason = re.search(r": Skipped\n(.*)", case.findtext("system-out") or "")
        skipped = case.find("skipped")
        told = skipped.get("message", "") if skipped is not None else ""
        lines.append(f"  {case.get('name')}: {reason[1] if reason and reason[1] else told or 'no reason given'}")
print("\n".join(sorted(lines)), end="")
