"""docs/security.md lists, below each property, the tests that carry its ID. This checks that the lists are those of the
sources, and writes them.

security_tests.py [--write]     exit 1 and what differs when they are not
"""

import collections
import glob
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PAGE = os.path.join(ROOT, "docs/security.md")
TEST = re.compile(r"^(?:TYPED_)?TEST(?:_F|_P)?\(\s*(\w+)\s*,\s*(ISO|TEL|AUT)(\d+)_(\w+)\s*\)", re.M)
SECTION = re.compile(r"(<!-- tests of ((?:ISO|TEL|AUT)-\d+) -->\n)(.*?)(<!-- end -->)", re.S)


def tests_by_property():
    found = collections.defaultdict(lambda: collections.defaultdict(set))
    for path in glob.glob(os.path.join(ROOT, "tests/**/*.cc"), recursive=True):
        with open(path, encoding="utf-8") as source:
            for suite, kind, number, name in TEST.findall(source.read()):
                found[f"{kind}-{number}"][suite].add(name)
    return found


def main():
    found = tests_by_property()
    with open(PAGE, encoding="utf-8") as page:
        before = page.read()
    listed = set()

    def section(match):
        listed.add(match[2])
        lines = [f"- `{suite}`: {', '.join(sorted(names))}\n" for suite, names in sorted(found[match[2]].items())]
        return match[1] + "".join(lines) + match[4]

    after = SECTION.sub(section, before)
    if missing := sorted(set(found) - listed):
        sys.exit(f"docs/security.md has no section for {', '.join(missing)}")
    if empty := sorted(name for name in listed if not found[name]):
        sys.exit(f"docs/security.md: no test carries {', '.join(empty)}")
    if after == before:
        return
    if "--write" not in sys.argv[1:]:
        sys.exit("docs/security.md: its lists of tests are not those of the sources; run scripts/lib/security_tests.py --write")
    with open(PAGE, "w", encoding="utf-8") as page:
        page.write(after)


main()
