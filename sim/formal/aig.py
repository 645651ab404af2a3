"""And-inverter graphs: what Yosys writes as AIGER, joined into one, written for abc, and evaluated to read counterexamples.

A literal is twice a node's number, plus one where it is inverted; literals 0 and 1 are the constants. The format is that of
A. Biere, "The AIGER And-Inverter Graph Format", 2007.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

FALSE, TRUE = 0, 1
UNKNOWN = -1  # the third value: not determined


@dataclass
class Latch:
    """A register bit: the literal of its value, that of its next value, and its value at the start (0, 1 or UNKNOWN)."""

    value: int
    following: int = FALSE
    start: int = UNKNOWN


@dataclass
class Aig:
    """Inputs, latches and outputs are bits by name (`data[3]`); `ands[n]` holds the operands of node n, None for a leaf."""

    inputs: dict[str, int] = field(default_factory=dict)
    latches: dict[str, Latch] = field(default_factory=dict)
    outputs: dict[str, int] = field(default_factory=dict)
    ands: list[tuple[int, int] | None] = field(default_factory=lambda: [None])
    _known: dict[tuple[int, int], int] = field(default_factory=dict)

    def leaf(self) -> int:
        """A new node that is no gate."""
        self.ands.append(None)
        return 2 * (len(self.ands) - 1)

    def input(self, name: str) -> int:
        """The input called `name`, made where it does not exist yet."""
        if name not in self.inputs:
            self.inputs[name] = self.leaf()
        return self.inputs[name]

    def latch(self, name: str, start: int) -> Latch:
        self.latches[name] = Latch(self.leaf(), start=start)
        return self.latches[name]

    def both(self, a: int, b: int) -> int:
        """a and b. Equal gates are one gate."""
        a, b = (a, b) if a <= b else (b, a)
        if a == FALSE or a == b ^ 1:
            return FALSE
        if a in (TRUE, b):
            return b
        if (a, b) not in self._known:
            self.ands.append((a, b))
            self._known[a, b] = 2 * (len(self.ands) - 1)
        return self._known[a, b]

    def either(self, a: int, b: int) -> int:
        return self.both(a ^ 1, b ^ 1) ^ 1

    def differ(self, a: int, b: int) -> int:
        return self.either(self.both(a, b ^ 1), self.both(a ^ 1, b))

    def copy(self, other: "Aig", leaves: Mapping[int, int]) -> list[int]:
        """Add `other`'s gates; `leaves` gives the literals here of its input and latch literals. Returns those of all its nodes."""
        here = [FALSE] * len(other.ands)
        for literal, mine in leaves.items():
            here[literal >> 1] = mine ^ (literal & 1)
        for node, operands in enumerate(other.ands):
            if operands is not None:
                a, b = operands
                here[node] = self.both(here[a >> 1] ^ (a & 1), here[b >> 1] ^ (b & 1))
        return here

    def evaluate(self, leaves: Mapping[int, int]) -> list[int]:
        """The value of every node, 0, 1 or UNKNOWN, from those of leaf literals; leaves not given are UNKNOWN."""
        values = [UNKNOWN] * len(self.ands)
        values[0] = 0
        for literal, value in leaves.items():
            values[literal >> 1] = value
        for node, operands in enumerate(self.ands):
            if operands is not None:
                a, b = (read(values, literal) for literal in operands)
                values[node] = 0 if 0 in (a, b) else UNKNOWN if UNKNOWN in (a, b) else 1
        return values

    def binary(self) -> bytes:
        """AIGER, binary, of the latches and outputs. Every start must be known; a latch that starts at 1 is written inverted."""
        order = [literal >> 1 for literal in self.inputs.values()] + [latch.value >> 1 for latch in self.latches.values()]
        leaves = len(order)
        order += [node for node, operands in enumerate(self.ands) if operands is not None]
        place = {node: i + 1 for i, node in enumerate(order)}
        inverted = {latch.value >> 1 for latch in self.latches.values() if latch.start}
        place[0] = 0

        def there(literal: int) -> int:
            return 2 * place[literal >> 1] + ((literal & 1) ^ ((literal >> 1) in inverted))

        gates = len(order) - leaves
        lines = [f"aig {len(order)} {len(self.inputs)} {len(self.latches)} {len(self.outputs)} {gates}"]
        lines += [str(there(latch.following) ^ latch.start) for latch in self.latches.values()]
        lines += [str(there(literal)) for literal in self.outputs.values()]
        deltas = bytearray()
        for node in order[leaves:]:
            operands = self.ands[node]
            low, high = sorted(there(literal) for literal in operands or ())
            for delta in (2 * place[node] - high, high - low):
                deltas += _varying(delta)
        return ("\n".join(lines) + "\n").encode() + bytes(deltas)


def _varying(number: int) -> bytes:
    """Seven bits a byte, lowest first; the top bit says that more follow."""
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def read(values: Sequence[int], literal: int) -> int:
    """A literal's value, by the values of the nodes."""
    value = values[literal >> 1]
    return value if value == UNKNOWN else value ^ (literal & 1)


def parse(text: str) -> Aig:
    """ASCII AIGER with a symbol for every input, latch and output, as Yosys writes it."""
    lines = iter(text.splitlines())
    _, _, inputs, latches, outputs, gates = (int(word) if word.isdigit() else 0 for word in next(lines).split()[:6])
    rows = {
        kind: [next(lines).split() for _ in range(count)] for kind, count in zip("iloa", (inputs, latches, outputs, gates), strict=True)
    }
    names = {match[1]: _public(match[2]) for line in lines if (match := re.match(r"([ilo]\d+) (.*)", line))}
    graph = Aig()
    literals = [FALSE] * (2 + max((int(row[0]) for kind in "ila" for row in rows[kind]), default=0))
    for number, row in enumerate(rows["i"]):
        literals[int(row[0]) & ~1] = graph.input(names[f"i{number}"])
    for number, row in enumerate(rows["l"]):
        literals[int(row[0]) & ~1] = graph.latch(names[f"l{number}"], UNKNOWN).value

    def here(word: str) -> int:
        return literals[int(word) & ~1] ^ (int(word) & 1)

    for row in _ordered(rows["a"]):
        literals[int(row[0])] = graph.both(here(row[1]), here(row[2]))
    for number, row in enumerate(rows["l"]):
        graph.latches[names[f"l{number}"]].following = here(row[1])
    graph.outputs = {names[f"o{number}"]: here(row[0]) for number, row in enumerate(rows["o"])}
    return graph


def _public(symbols: str) -> str:
    """Of all a bit's names, as Yosys lists them, those not made up: these depend on what else is in the circuit."""
    names = symbols.split()
    return " ".join([name for name in names if not name.startswith(("$", "\\$"))] or names)


def _ordered(gates: list[list[str]]) -> list[list[str]]:
    """AIGER's gates, operands before results."""
    return sorted(gates, key=lambda row: int(row[0]))
