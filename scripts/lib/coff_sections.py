"""Makes what a compiler put into a section of its own droppable: each such section of a COFF object becomes a COMDAT section, and the
unwind tables of its function are tied to it. GCC does so for inline functions alone, so that a linker keeps every other function
for the sake of its unwind table. The format is Microsoft's "PE Format": sections, symbols, COMDAT sections, and /bigobj's header,
which has wider numbers. Sizes and places stay; symbols are put in the order that COMDAT sections ask for."""
import struct

AMD64 = 0x8664
BIG_OBJECT = bytes.fromhex("c7a1bad1eebaa94baf20faf66aa4dcb8")
LINK_COMDAT = 0x1000
RELOCATIONS_OVERFLOW = 0x01000000
EXTERNAL, STATIC, FILE, WEAK_EXTERNAL = 2, 3, 103, 105
NO_DUPLICATES, ANY, ASSOCIATIVE = 1, 2, 5
OWN_SECTION = (b".text$", b".text.unlikely.", b".text.startup.", b".text.hot.", b".rdata$", b".data$", b".bss$")
# In C++23 units of their own have it, inline, and GCC 12's library once more.
ALSO_INLINE = b"_ZNKSt9type_infoeqERKS_"


class Symbol:
    def __init__(self, index, offset, name, value, section, kind, extra):
        self.index, self.offset, self.name, self.value = index, offset, name, value
        self.section, self.kind, self.extra = section, kind, extra


class Object:
    """The parts of one object file that matter here. `data` is changed in place."""

    def __init__(self, data):
        self.data = data
        self.big = data[:4] == b"\0\0\xff\xff" and data[12:28] == BIG_OBJECT
        if self.big:
            machine, = struct.unpack_from("<H", data, 6)
            count, self.symbols_at, self.symbol_count = struct.unpack_from("<III", data, 44)
            self.sections_at, self.symbol_bytes = 56, 20
        else:
            machine, count = struct.unpack_from("<HH", data, 0)
            self.symbols_at, self.symbol_count, optional = struct.unpack_from("<IIH", data, 8)
            self.sections_at, self.symbol_bytes = 20 + optional, 18
        self.useful = machine == AMD64 and count > 0
        if self.useful:
            self.sections = [self.section_name(self.sections_at + 40 * i) for i in range(count)]
            self.symbols = list(self.read_symbols())

    def text(self, offset):
        start = self.symbols_at + self.symbol_count * self.symbol_bytes + offset
        return bytes(self.data[start:self.data.index(0, start)])

    def section_name(self, at):
        name = bytes(self.data[at:at + 8]).rstrip(b"\0")
        return self.text(int(name[1:])) if name.startswith(b"/") else name

    def read_symbols(self):
        index = 0
        while index < self.symbol_count:
            at = self.symbols_at + index * self.symbol_bytes
            name = bytes(self.data[at:at + 8])
            name = self.text(struct.unpack_from("<I", name, 4)[0]) if name[:4] == b"\0\0\0\0" else name.rstrip(b"\0")
            value, section, _, kind, extra = struct.unpack_from("<IiHBB" if self.big else "<IhHBB", self.data, at + 8)
            yield Symbol(index, at, name, value, section, kind, extra)
            index += 1 + extra

    def flags_at(self, section):
        return self.sections_at + 40 * (section - 1) + 36

    def flags(self, section):
        return struct.unpack_from("<I", self.data, self.flags_at(section))[0]

    def make_comdat(self, section, definition, selection, parent=0):
        struct.pack_into("<I", self.data, self.flags_at(section), self.flags(section) | LINK_COMDAT)
        record = definition.offset + self.symbol_bytes  # the section's definition, behind its symbol
        self.data[record + 14] = selection
        if parent:
            struct.pack_into("<H", self.data, record + 12, parent & 0xffff)
            if self.big:
                struct.pack_into("<H", self.data, record + 16, parent >> 16)

    def reorder(self, order):
        """Writes the symbols in this order, and what points to them anew."""
        place, table = {}, bytearray()
        for symbol in order:
            place[symbol.index] = len(table) // self.symbol_bytes
            table += self.data[symbol.offset:symbol.offset + self.symbol_bytes * (1 + symbol.extra)]
        for symbol in order:
            if symbol.kind == WEAK_EXTERNAL and symbol.extra:
                at = (place[symbol.index] + 1) * self.symbol_bytes
                struct.pack_into("<I", table, at, place[struct.unpack_from("<I", table, at)[0]])
        self.data[self.symbols_at:self.symbols_at + len(table)] = table
        for section in range(1, len(self.sections) + 1):
            for at in self.relocations(section):
                struct.pack_into("<I", self.data, at + 4, place[struct.unpack_from("<I", self.data, at + 4)[0]])

    def relocations(self, section):
        header = self.sections_at + 40 * (section - 1)
        first, = struct.unpack_from("<I", self.data, header + 24)
        count, = struct.unpack_from("<H", self.data, header + 32)
        begin = 0
        if self.flags(section) & RELOCATIONS_OVERFLOW and count == 0xffff:
            count, begin = struct.unpack_from("<I", self.data, first)[0], 1
        return range(first + 10 * begin, first + 10 * count, 10)


def definitions_and_leaders(obj):
    """Per section: the symbol that defines it, and the one by which others know it."""
    definitions, leaders = {}, {}
    for symbol in obj.symbols:
        if symbol.section <= 0:
            continue
        is_definition = symbol.kind == STATIC and symbol.extra and symbol.name == obj.sections[symbol.section - 1]
        if is_definition and symbol.section not in definitions:
            definitions[symbol.section] = symbol
        elif symbol.kind in (EXTERNAL, STATIC):
            known = leaders.get(symbol.section)
            if known is None or (known.kind != EXTERNAL and symbol.kind == EXTERNAL and symbol.value == 0):
                leaders[symbol.section] = symbol
    return definitions, leaders


def separate(data):
    """One object file, as a bytearray; returns it."""
    if len(data) < 20 or data[:2] == b"\0\0" and data[12:28] != BIG_OBJECT:
        return data  # empty, or a short import
    obj = Object(data)
    if not obj.useful:
        return data
    definitions, leaders = definitions_and_leaders(obj)
    numbers = {name: number for number, name in reversed(list(enumerate(obj.sections, 1)))}
    plain = [n for n in range(1, len(obj.sections) + 1) if not obj.flags(n) & LINK_COMDAT and n in definitions]
    own = [n for n in plain if obj.sections[n - 1].startswith(OWN_SECTION) and n in leaders]
    tied = []
    for number in plain:
        name = obj.sections[number - 1]
        function = numbers.get(b".text" + name[6:]) if name[:6] in (b".pdata", b".xdata") and name[6:] else None
        if function in own:
            tied.append((number, function))
    if not own:
        return data
    for number in own:
        obj.make_comdat(number, definitions[number], ANY if leaders[number].name == ALSO_INLINE else NO_DUPLICATES)
    for number, function in tied:
        obj.make_comdat(number, definitions[number], ASSOCIATIVE, function)
    first = [symbol for symbol in obj.symbols if symbol.kind == FILE]
    first += [definitions[number] for number in own + [number for number, _ in tied]] + [leaders[number] for number in own]
    listed = {symbol.index for symbol in first}
    obj.reorder(first + [symbol for symbol in obj.symbols if symbol.index not in listed])
    return data


def separate_file(source, target):
    """An object file, or an archive of them."""
    with open(source, "rb") as file:
        data = bytearray(file.read())
    if data[:8] != b"!<arch>\n":
        data = separate(data)
    else:
        at = 8
        while at + 60 <= len(data):
            name, size, begin = data[at:at + 16], int(data[at + 48:at + 58]), at + 60
            if not name.startswith((b"/ ", b"// ")):
                data[begin:begin + size] = separate(data[begin:begin + size])
            at = begin + size + (size & 1)
    with open(target, "wb") as file:
        file.write(data)
