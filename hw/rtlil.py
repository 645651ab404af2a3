"""RTLIL without what a linter would warn of: dead logic, operands of unequal width, cases without a default, unnamed leftovers.

Amaranth writes every expression at its natural width, so sums have carries that nobody reads, and comparisons have operands of two widths.
Both are right and both look like mistakes in Verilog. This pass says the same with every width spelt out.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

Bit = tuple[str, int] | str  # a wire's bit, or a constant "0", "1", "x"
Bits = list[Bit]  # lowest first

_MODULE = re.compile(r"^((?:attribute [^\n]*\n)*)module (\\\S+)\n(.*?)^end\n", re.M | re.S)
_TOKEN = re.compile(r"[{}]|\d+'[01xz-]+|[\\$]\S+|\[\d+(?::\d+)?\]")
_WIRE = re.compile(r"  wire width (\d+) (?:(input|output) \d+ +)?(?:signed +)?(\S+)$")

# Cells whose low result bits depend on the low operand bits alone, so that unread high bits need not be computed.
_MODULAR = {"$add": "AB", "$sub": "AB", "$mul": "AB", "$and": "AB", "$or": "AB", "$xor": "AB", "$not": "A", "$neg": "A", "$mux": "AB"}
_EQUAL_OPERANDS = {"$eq", "$ne", "$lt", "$le", "$gt", "$ge"}
_EQUAL_TO_RESULT = {"$add": "AB", "$sub": "AB", "$and": "AB", "$or": "AB", "$xor": "AB", "$not": "A", "$neg": "A", "$shl": "A"}
_MEMORY_WRITERS = {"$memwr_v2", "$meminit_v2"}


@dataclass
class _Cell:
    kind: str
    name: str
    parameters: dict[str, str]
    pins: dict[str, Bits]


@dataclass
class _Process:
    lines: list[str]
    reads: Bits
    writes: Bits


@dataclass
class _Module:
    """One module, its wires' widths and directions, and all that drives or reads them."""

    attributes: str
    name: str
    wires: dict[str, tuple[int, str | None]] = field(default_factory=dict)
    memories: list[str] = field(default_factory=list)
    cells: list[_Cell] = field(default_factory=list)
    processes: list[_Process] = field(default_factory=list)
    connections: list[tuple[Bits, Bits]] = field(default_factory=list)


def clean(text: str) -> str:
    """The same circuits, every module by itself. `text` is RTLIL as Amaranth writes it."""
    modules = [_parse(*match) for match in _MODULE.findall(text)]
    outputs = {module.name: {name for name, (_, way) in module.wires.items() if way == "output"} for module in modules}
    for module in modules:
        _remove_dead(module, outputs)
        _equalise(module)
        _name_unused(module, outputs)
    return "\n".join(_write(module) for module in modules)


def _parse(attributes: str, name: str, body: str) -> _Module:
    module = _Module(attributes, name)
    lines = iter(body.splitlines())
    for line in lines:
        if wire := _WIRE.match(line):
            module.wires[wire[3]] = int(wire[1]), wire[2]
        elif line.startswith("  memory "):
            module.memories.append(line)
        elif line.startswith("  cell "):
            kind, cell = line.split()[1:]
            parameters, pins = {}, {}
            for item in _until_end(lines):
                word, key, value = item.split(maxsplit=2)
                if word == "parameter":
                    parameters[key] = value
                else:
                    pins[key] = _bits(module, value)
            module.cells.append(_Cell(kind, cell, parameters, pins))
        elif line.startswith("  process "):
            module.processes.append(_process(module, [line, *_until_end(lines), "  end"]))
        elif line.startswith("connect "):
            left, right = _sides(module, line.removeprefix("connect "))
            module.connections.append((left, right))
        elif line.strip() and not line.lstrip().startswith("attribute "):
            raise ValueError(f"unknown RTLIL: {line}")
    return module


def _until_end(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        if line == "  end":
            return
        yield line


def _bits(module: _Module, text: str) -> Bits:
    """A signal, a slice, a constant or a concatenation as single bits."""
    out: list[Bits] = []
    for token in _TOKEN.findall(text):
        if token[0] == "[":
            high, _, low = token[1:-1].partition(":")
            out[-1] = out[-1][int(low or high) : int(high) + 1]
        elif token[0].isdigit():
            out.append(list(reversed(token.split("'")[1])))
        elif token not in "{}":
            out.append([(token, i) for i in range(module.wires[token][0])])
    return [bit for part in reversed(out) for bit in part]


def _sides(module: _Module, text: str) -> tuple[Bits, Bits]:
    """The two signals of an assignment."""
    tokens, depth, left = _TOKEN.findall(text), 0, 0
    for i, token in enumerate(tokens):
        depth += (token == "{") - (token == "}")
        if depth == 0 and not (i + 1 < len(tokens) and tokens[i + 1][0] == "["):
            left = i + 1
            break
    return _bits(module, " ".join(tokens[:left])), _bits(module, " ".join(tokens[left:]))


def _process(module: _Module, lines: list[str]) -> _Process:
    """A process, with a default for every `switch` that has none."""
    out, reads, writes, defaults = [], [], [], []
    for line in lines:
        word, _, rest = line.strip().partition(" ")
        if word == "switch":
            reads += _bits(module, rest)
            defaults.append(False)
        elif word == "case" and not rest:
            defaults[-1] = True
        elif word == "assign":
            left, right = _sides(module, rest)
            writes += left
            reads += right
        elif word == "end" and defaults and not defaults.pop():
            out.append(f"{line[: len(line) - len(line.lstrip())]}  case")
        out.append(line)
    return _Process(out, reads, writes)


def _driven(cell: _Cell, outputs: dict[str, set[str]]) -> Iterator[str]:
    """The pins a cell drives."""
    if cell.kind in outputs:
        return (pin for pin in cell.pins if pin in outputs[cell.kind])
    names = () if cell.kind in _MEMORY_WRITERS else ("\\DATA", "\\Q") if cell.kind in ("$memrd_v2", "$dff") else ("\\Y",)
    return (pin for pin in cell.pins if pin in names)


def _readers(module: _Module, outputs: dict[str, set[str]]) -> "Counter[Bit]":
    """How often each bit is read in the module; a bit of an output port is read outside."""
    reads: Counter[Bit] = Counter()
    for cell in module.cells:
        driven = set(_driven(cell, outputs))
        for pin, bits in cell.pins.items():
            if pin not in driven:
                reads.update(bits)
    for process in module.processes:
        reads.update(process.reads)
    for _, right in module.connections:
        reads.update(right)
    for name, (width, way) in module.wires.items():
        if way == "output":
            reads.update((name, i) for i in range(width))
    return reads


def _remove_dead(module: _Module, outputs: dict[str, set[str]]) -> None:
    """Remove what drives nothing that is read, and high result bits that are not read, until nothing changes."""
    size = -1
    while size != (size := _size(module)):
        reads = _readers(module, outputs)
        module.cells = [
            cell
            for cell in module.cells
            if cell.kind[0] != "$"
            or cell.kind in _MEMORY_WRITERS
            or any(reads[bit] for pin in _driven(cell, outputs) for bit in cell.pins[pin])
        ]
        module.processes = [process for process in module.processes if any(reads[bit] for bit in process.writes)]
        module.connections = [(left, right) for left, right in module.connections if any(reads[bit] for bit in left)]
        for cell in module.cells:
            if cell.kind in _MODULAR:
                _narrow(cell, max(i for i, bit in enumerate(cell.pins["\\Y"]) if reads[bit]) + 1)
    tops: dict[str, int] = {}
    for name, i in (bit for bits in _everything(module) for bit in bits if not isinstance(bit, str)):
        tops[name] = max(tops.get(name, 0), i)
    module.wires = {name: (width if way else tops[name] + 1, way) for name, (width, way) in module.wires.items() if way or name in tops}


def _size(module: _Module) -> int:
    return sum(len(bits) for bits in _everything(module))


def _everything(module: _Module) -> Iterator[Bits]:
    for cell in module.cells:
        yield from cell.pins.values()
    for process in module.processes:
        yield from (process.reads, process.writes)
    for sides in module.connections:
        yield from sides


def _narrow(cell: _Cell, width: int) -> None:
    for pin in ("\\Y", *(f"\\{name}" for name in _MODULAR[cell.kind])):
        _set(cell, pin, cell.pins[pin][:width])


def _set(cell: _Cell, pin: str, bits: Bits) -> None:
    cell.pins[pin] = bits
    parameter = "\\WIDTH" if cell.kind == "$mux" else f"{pin}_WIDTH"
    cell.parameters[parameter] = str(len(bits))


def _equalise(module: _Module) -> None:
    """Extend operands to the width at which the cell works, by their sign where both are signed."""
    for number, cell in enumerate(module.cells):
        width = 0
        if cell.kind in _EQUAL_OPERANDS:
            names, width = "AB", max(len(cell.pins["\\A"]), len(cell.pins["\\B"]))
        elif cell.kind in _EQUAL_TO_RESULT:
            names, width = _EQUAL_TO_RESULT[cell.kind], len(cell.pins["\\Y"])
        elif cell.kind in ("$shift", "$shr", "$sshr") and len(cell.pins["\\A"]) > len(cell.pins["\\Y"]):
            whole = f"\\shifted{number}"
            module.wires[whole] = len(cell.pins["\\A"]), None
            bits: Bits = [(whole, i) for i in range(len(cell.pins["\\A"]))]
            module.connections.append((cell.pins["\\Y"], bits[: len(cell.pins["\\Y"])]))
            _set(cell, "\\Y", bits)
        if width:
            signed = all(cell.parameters.get(f"\\{name}_SIGNED", "0") == "1" for name in names)
            for name in names:
                operand = cell.pins[f"\\{name}"]
                _set(cell, f"\\{name}", operand + [operand[-1] if signed else "0"] * (width - len(operand)))


def _name_unused(module: _Module, outputs: dict[str, set[str]]) -> None:
    """Bits that nobody reads go into a wire called `unused`: the linters' convention for "this is meant"."""
    reads = _readers(module, outputs)
    bits: Bits = [(name, i) for name, (width, _) in module.wires.items() for i in range(width) if not reads[name, i]]
    if bits:
        module.wires["\\unused"] = 1, None
        parameters = {"\\A_SIGNED": "0", "\\A_WIDTH": str(len(bits) + 1), "\\Y_WIDTH": "1"}
        module.cells.append(_Cell("$reduce_and", "$unused", parameters, {"\\A": [*bits, "0"], "\\Y": [("\\unused", 0)]}))


def _text(bits: Iterable[Bit]) -> str:
    """Bits as slices and constants, highest first."""
    parts: list[str | tuple[str, int, int]] = []
    for bit in reversed(list(bits)):
        if isinstance(bit, str):
            if parts and isinstance(parts[-1], str):
                parts[-1] += bit
            else:
                parts.append(bit)
        elif parts and not isinstance(parts[-1], str) and parts[-1][0] == bit[0] and parts[-1][2] == bit[1] + 1:
            parts[-1] = (*parts[-1][:2], bit[1])
        else:
            parts.append((bit[0], bit[1], bit[1]))
    words = [f"{len(part)}'{part}" if isinstance(part, str) else f"{part[0]} [{part[1]}:{part[2]}]" for part in parts]
    return words[0] if len(words) == 1 else f"{{ {' '.join(words)} }}"


def _write(module: _Module) -> str:
    """Initial values are left out: reset defines the state."""
    out = [f"{module.attributes}module {module.name}"]
    ports = [name for name, (_, way) in module.wires.items() if way]
    for name, (width, way) in module.wires.items():
        out.append(f"  wire width {width} {f'{way} {ports.index(name) + 1} ' if way else ''}{name}")
    out += module.memories
    for cell in module.cells:
        out.append(f"  cell {cell.kind} {cell.name}")
        out += [f"    parameter {key} {value}" for key, value in cell.parameters.items()]
        out += [f"    connect {pin} {_text(bits)}" for pin, bits in cell.pins.items()]
        out.append("  end")
    for process in module.processes:
        out += process.lines
    out += [f"  connect {_text(left)} {_text(right)}" for left, right in module.connections]
    return "\n".join([*out, "end", ""])
