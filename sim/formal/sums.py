"""Whether a circuit's `sum` is a sum of what its lanes give, whatever they give: the adders alone, with the lanes cut off as free inputs.

Every node that depends on one lane and feeds one that depends on several is cut and becomes an input. If the claim holds for all values
of these, it holds for those that can occur. A claim that fails may fail at values that cannot occur: then nothing is known.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gatewright.sim.formal.aig import FALSE, TRUE, Aig, read

FULL_ADDER = (0b10010110, 0b11101000)  # tables of three inputs' sum and carry
COLUMNS = (0b10101010, 0b11001100, 0b11110000)


@dataclass(frozen=True)
class Cut:
    """A circuit of its lanes' cut nodes: `owner[node]` is the lane, `zero[node]` the value where every operand is 0."""

    circuit: Aig
    sum: list[int]
    owner: dict[int, int]
    zero: dict[int, int]

    def sums(self, into: Aig, given: Mapping[int, int]) -> list[int]:
        """The bits of the sum in another graph, with literals there for the cut nodes. KeyError if the sum depends on something else."""
        here: dict[int, int] = {0: FALSE, **given}
        for node, operands in enumerate(self.circuit.ands):
            if node not in here and operands is not None and all(literal >> 1 in here for literal in operands):
                a, b = (here[literal >> 1] ^ (literal & 1) for literal in operands)
                here[node] = into.both(a, b)
        return [here[literal >> 1] ^ (literal & 1) for literal in self.sum]

    def constants(self) -> dict[int, int]:
        return {node: TRUE if value else FALSE for node, value in self.zero.items()}

    def value(self, given: Mapping[int, int]) -> int:
        """The sum, unsigned, for constants in place of the cut nodes."""
        bits = self.sums(Aig(), given)
        return sum(bit << i for i, bit in enumerate(bits))


def cut(circuit: Aig, lanes: Sequence[frozenset[str]], parts: Mapping[str, int]) -> Cut | None:
    """Cut the lanes off. Input bits of one of `parts` go together; the lane's other bits may join any part of it.

    None if the sum depends on an input that is in no lane.
    """
    lane_of = {name: number for number, names in enumerate(lanes) for name in names}
    depends = [(0, 0)] * len(circuit.ands)  # a bit for every lane, one for every part
    for name, literal in circuit.inputs.items():
        depends[literal >> 1] = 1 << lane_of.get(name, len(lanes)), 1 << parts[name] if name in parts else 0
    for node, operands in enumerate(circuit.ands):
        if operands is not None:
            (lane_a, part_a), (lane_b, part_b) = (depends[literal >> 1] for literal in operands)
            depends[node] = lane_a | lane_b, part_a | part_b
    bits = sum(name.startswith("sum[") for name in circuit.outputs)
    sums = [circuit.outputs[f"sum[{i}]"] for i in range(bits)]
    values = circuit.evaluate(dict.fromkeys(circuit.inputs.values(), 0))
    owner: dict[int, int] = {}
    seen: set[int] = set()
    waiting = [literal >> 1 for literal in reversed(sums)]
    while waiting:  # from the lowest bit of the sum, depth first: the cut nodes come in an order in which decision diagrams stay small
        node = waiting.pop()
        on, of_parts = depends[node]
        if node in seen or not on:
            continue
        seen.add(node)
        if on.bit_count() == 1 and of_parts.bit_count() <= 1:
            if on.bit_length() > len(lanes):
                return None
            owner[node] = on.bit_length() - 1
        else:
            waiting += [literal >> 1 for literal in reversed(circuit.ands[node] or ())]
    return Cut(circuit, sums, owner, {node: read(values, 2 * node) for node in owner})


def additive(of: Cut) -> Aig:
    """A graph whose output says that the sum is not S(0) plus, for every lane, what the sum becomes with the others zero less S(0)."""
    graph = Aig()
    free = {node: graph.input(f"n{node}") for node in of.owner}
    zeros = of.constants()
    nothing = of.value(zeros)
    total = _constant(nothing, len(of.sum))
    for lane in sorted(set(of.owner.values())):
        alone = of.sums(graph, zeros | {node: literal for node, literal in free.items() if of.owner[node] == lane})
        total = _plus(graph, _plus(graph, total, alone), _constant(-nothing, len(of.sum)))
    return _differ(graph, of.sums(graph, free), total)


def linear(of: Cut) -> Aig | None:
    """A graph whose output says that the sum is not a sum of its cut nodes with fixed weights; None if there are no full adders
    to take away.

    A full adder keeps the weighted sum of its bits, so three nodes of equal weight that it adds may be replaced by its two outputs.
    """
    bits, zeros = len(of.sum), of.constants()
    nothing = of.value(zeros)
    weight: dict[int, int] = {}  # by literal; the constant is what is left where all of these are 0
    constant = nothing
    for node, zero in of.zero.items():
        change = (of.value(zeros | {node: zeros[node] ^ 1}) - nothing) * (-1 if zero else 1)
        change = (change + (1 << (bits - 1))) % (1 << bits) - (1 << (bits - 1))
        weight[2 * node + (change < 0)] = abs(change)
        constant -= abs(change) * (zero ^ (change < 0))
    before = len(weight)
    while found := _full_adders(of.circuit, weight):
        for inputs, (total, carry) in found.items():
            size = weight[inputs[0]]
            for literal in inputs:
                del weight[literal]
            weight[total], weight[carry] = size, 2 * size
    if len(weight) == before:
        return None
    graph = Aig()
    free = {literal: graph.input(f"n{literal}") for literal in sorted(weight, key=lambda literal: weight[literal])}
    expected = _constant(constant, bits)
    for literal, size in weight.items():
        expected = _plus(graph, expected, [free[literal] if size >> i & 1 else FALSE for i in range(bits)])
    given = {literal >> 1: mine ^ (literal & 1) for literal, mine in free.items()}
    try:
        return _differ(graph, of.sums(graph, given), expected)
    except KeyError:  # something else reads what a full adder adds
        return None


def _full_adders(circuit: Aig, weight: Mapping[int, int]) -> dict[tuple[int, ...], tuple[int, int]]:
    """Three literals of equal weight, and the literals of their sum and carry, where the circuit has both; no literal in two of them."""
    tables: dict[int, tuple[tuple[int, ...], int]] = {literal >> 1: ((literal,), COLUMNS[0] ^ (255 * (literal & 1))) for literal in weight}
    known: dict[tuple[tuple[int, ...], int], int] = {}
    for node, operands in enumerate(circuit.ands):
        if node in tables or operands is None or not all(literal >> 1 in tables for literal in operands):
            continue
        leaves = tuple(sorted({leaf for literal in operands for leaf in tables[literal >> 1][0]}))
        if len(leaves) <= len(COLUMNS):
            a, b = (_widened(*tables[literal >> 1], leaves) ^ (255 * (literal & 1)) for literal in operands)
            tables[node] = leaves, a & b
            known[leaves, a & b], known[leaves, (a & b) ^ 255] = 2 * node, 2 * node + 1
    found: dict[tuple[int, ...], tuple[int, int]] = {}
    used: set[int] = set()
    for leaves in {leaves: None for leaves, _ in known}:
        results = [known.get((leaves, table)) for table in FULL_ADDER]
        if None not in results and used.isdisjoint(leaves) and len({weight[leaf] for leaf in leaves}) == 1:
            used.update(leaves)
            found[leaves] = results[0] or 0, results[1] or 0
    return found


def _widened(leaves: tuple[int, ...], table: int, wider: tuple[int, ...]) -> int:
    """The same function as a table of more inputs."""
    rows = (sum((row >> wider.index(leaf) & 1) << i for i, leaf in enumerate(leaves)) for row in range(8))
    return sum((table >> small & 1) << row for row, small in enumerate(rows))


def _constant(value: int, bits: int) -> list[int]:
    return [TRUE if value >> i & 1 else FALSE for i in range(bits)]


def _plus(graph: Aig, left: Sequence[int], right: Sequence[int]) -> list[int]:
    """A sum modulo the operands' width."""
    carry, out = FALSE, []
    for a, b in zip(left, right, strict=True):
        half = graph.differ(a, b)
        out.append(graph.differ(half, carry))
        carry = graph.either(graph.both(a, b), graph.both(half, carry))
    return out


def _differ(graph: Aig, left: Sequence[int], right: Sequence[int]) -> Aig:
    wrong = FALSE
    for a, b in zip(left, right, strict=True):
        wrong = graph.either(wrong, graph.differ(a, b))
    graph.outputs = {"differ": wrong}
    return graph
