"""Which units may be read as one: no two of them define the same local name, and none takes a name in (using a::Name) by
which another means something else.

unit_groups.py FOLDER LARGEST FILE.cc …: a line for each group of two and more, files divided by ';', for
cmake/CordonUnity.cmake. tidy.py imports it.
"""

import pathlib
import re
import sys

LOCAL = re.compile(r"^(?:TEST(?:_[FP])?\((\w+), *(\w+)|[A-Za-z].*?\b(\w+)(?=\(|\[|\{| =|;$| : | \{))")
USING = re.compile(r"^using ((?:\w+::|::)+)(\w+);", re.MULTILINE)


# Headers of others whose macros (`true`) change what is read after them.
ALONE = re.compile(r"^#include <ldns/", re.MULTILINE)


class Unit:
    def __init__(self, text):
        self.alone = ALONE.search(text) is not None
        self.taken_in = {match[2]: match[1].lstrip(":") for match in USING.finditer(text)}
        self.words = set(re.findall(r"\w+", text))
        self.names = set()
        # Names at column 0, where clang-format keeps namespace level; too many rather than too few.
        for line in text.splitlines():
            match = LOCAL.match(line)
            qualified = match and line[: match.start(3)].endswith("::")  # a member, or a type: cannot clash
            if match and not qualified and not line.startswith(("using ", "namespace")):
                self.names.add((match[1] + "." + match[2]) if match[1] else match[3])
            elif line.startswith("using ") and " = " in line:
                self.names.add(line.split()[1])

    def hides(self, other):
        return any(other.taken_in.get(name) != source for name, source in self.taken_in.items() if name in other.words)

    def clashes(self, other):
        return self.alone or other.alone or bool(self.names & other.names) or self.hides(other) or other.hides(self)


def grouped(folder, files, largest):
    """Files into groups of which no two clash."""
    groups = []
    for file in files:
        unit = Unit((folder / file).read_text())
        for group in groups:
            if len(group) < largest and not any(unit.clashes(other) for _, other in group):
                group.append((file, unit))
                break
        else:
            groups.append([(file, unit)])
    return [[file for file, _ in group] for group in groups]


if __name__ == "__main__":
    for together in grouped(pathlib.Path(sys.argv[1]), sys.argv[3:], int(sys.argv[2])):
        if len(together) > 1:
            print(";".join(together))
