"""Which units may be read as one: no two of them define the same local name.

unit_groups.py FOLDER LARGEST FILE.cc …: a line for each group of two and more, files divided by ';', for
cmake/CordonUnity.cmake. tidy.py imports it.
"""

import pathlib
import re
import sys

LOCAL = re.compile(r"^(?:TEST(?:_[FP])?\((\w+), *(\w+)|[A-Za-z].*?\b(\w+)(?=\(|\[|\{| =|;$| : | \{))")


def local_names(file):
    """Names that the file defines at column 0, where clang-format keeps namespace level; too many rather than too few."""
    names = set()
    for line in pathlib.Path(file).read_text().splitlines():
        match = LOCAL.match(line)
        qualified = match and line[: match.start(3)].endswith("::")  # a member, or a type: cannot clash
        if match and not qualified and not line.startswith(("using namespace", "namespace")):
            names.add((match[1] + "." + match[2]) if match[1] else match[3])
    return names


def grouped(files, names_of, largest):
    """Files into groups of which no two define the same name."""
    groups = []
    for file in files:
        names = names_of(file)
        for group in groups:
            if len(group[0]) < largest and not group[1] & names:
                group[0].append(file)
                group[1].update(names)
                break
        else:
            groups.append(([file], names))
    return [group[0] for group in groups]


if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1])
    for together in grouped(sys.argv[3:], lambda file: local_names(folder / file), int(sys.argv[2])):
        if len(together) > 1:
            print(";".join(together))
