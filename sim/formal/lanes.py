"""Proof that a circuit adds up the products of its lanes, at any number of lanes.

Two claims together: each lane alone, every other operand being zero, changes the sum by its product, for every pair of operands; and the
sum is additive: what a lane changes does not depend on what the others hold. The first is decided by looking at every pair, the second
by `sums`, where the lanes' contributions are free, so that only adders are left. A proof of the whole sum at once does not end.
"""

import time
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from gatewright.hw.config import Operator
from gatewright.hw.errors import Mismatch
from gatewright.sim.formal import abc, sums
from gatewright.sim.formal.aig import FALSE, TRUE, Aig
from gatewright.sim.formal.equivalence import Proof, Undecided, play, read_literal, story, words_of
from gatewright.sim.formal.graphs import graph
from gatewright.sim.formal.specification import Product

Lane = Mapping[str, str]  # input bits of the specification (`a_bits[0]`): those of the circuit
Words: TypeAlias = NDArray[np.uint64] | np.uint64  # 64 cases in each; a scalar is the same for all
ONES = np.uint64((1 << 64) - 1)
ADDERS = "strash; collapse -r -B 4000000; strash; iprove"  # decision diagrams in the order of inputs that `sums` chose


def lane(product: Product, activation: Sequence[int], weight: Sequence[int]) -> Lane:
    """The lane whose operands are these bits of the ports `activation` and `weight`."""
    sides = (("a_bits", "activation", activation, product.activation_bits), ("w_bits", "weight", weight, product.weight_bits))
    return {(f"{name}[{i}]" if bits > 1 else name): f"{port}[{bit}]" for name, port, places, bits in sides for i, bit in enumerate(places)}


def lanes_of(operator: Operator, product: Product, operand_bits: int, encoded: tuple[int, int]) -> list[Lane]:
    """The lanes of an operator, as docs/hardware.md places them in words; `encoded` are the bits of the words that reach the lanes."""
    count = operand_bits // operator.width
    a, w = (bits // count for bits in encoded)
    return [lane(product, range(i * a, i * a + product.activation_bits), range(i * w, i * w + product.weight_bits)) for i in range(count)]


def prove_sum(
    circuit: Aig,
    product: Product,
    lanes: Sequence[Lane],
    low_high: tuple[int, int],
    fixed: Mapping[str, int] | None = None,
    seconds: float = 60.0,
    parts: Mapping[str, int] | None = None,
) -> Proof:
    """Prove that the output `sum` is the sum of the lanes' products, modulo its width, with some inputs `fixed` (a mode).

    `low_high` is the range of a product: the sum must have room for all of them. `parts` is that of `sums.cut`.
    Raises Mismatch with a counterexample, or Undecided.
    """
    began = time.monotonic()
    circuit = _specialised(circuit, fixed or {})
    bits = sum(name.startswith("sum[") for name in circuit.outputs)
    low, high = (extreme * len(lanes) for extreme in low_high)
    if not -(1 << (bits - 1)) <= low <= high < 1 << (bits - 1):
        raise Mismatch(f"A sum of {bits} bits has no room for {low} to {high}.")
    step = graph(product.verilog(bits), "step")
    nothing = _value(play(graph(product.verilog(bits), "product"), [{}])[0], "value", 32) * len(lanes)
    if (found := _value(play(circuit, [{}])[0], "sum", bits)) != nothing:
        raise Mismatch(f"The sum is {found} where every operand is 0; it must be {nothing}.")
    for number, one in enumerate(lanes):
        if operands := _wrong_alone(circuit, step, one, nothing):
            raise _wrong(circuit, step, number, one, {one[its]: bit for its, bit in operands.items()})
    cut = sums.cut(circuit, [frozenset(one.values()) for one in lanes], parts or {})
    for method, claim in (("full adders", sums.linear), ("decision diagrams", sums.additive)):
        adders = cut and claim(cut)
        if adders and abc.solve(adders, ADDERS, seconds).outcome == "proved":
            return Proof(f"every pair, {method}", time.monotonic() - began)
    for number, one in enumerate(lanes):  # what fails with free contributions may still be right
        answer = abc.solve(_lemma(circuit, step, one), "strash; sat", seconds)
        if answer.outcome == "refuted":
            raise _wrong(circuit, step, number, one, answer.frames[0])
        if answer.outcome == "undecided":
            raise Undecided(f"Undecided after {seconds:.0f} s: lane {number} of {len(lanes)}. Give it more seconds.")
    return Proof("every pair, SAT lane by lane", time.monotonic() - began)


def _specialised(circuit: Aig, fixed: Mapping[str, int]) -> Aig:
    """The circuit with some inputs constant."""
    copy = Aig()
    values = {literal: (TRUE if fixed[name] else FALSE) if name in fixed else copy.input(name) for name, literal in circuit.inputs.items()}
    here = copy.copy(circuit, values)
    copy.outputs = {name: read_literal(here, literal) for name, literal in circuit.outputs.items()}
    return copy


def _wrong_alone(circuit: Aig, step: Aig, one: Lane, nothing: int) -> dict[str, int]:
    """Operands of a lane for which the sum is not the specification's while the others are zero; empty if there are none."""
    rows = np.arange(1 << len(one), dtype=np.uint64)
    columns: dict[str, NDArray[np.uint8]] = {
        name: np.packbits((rows >> np.uint64(i) & np.uint64(1)).astype(np.uint8), bitorder="little") for i, name in enumerate(one)
    }
    words: dict[str, NDArray[np.uint64]] = {
        name: np.resize(column, max(8, len(column))).view(np.uint64) for name, column in columns.items()
    }
    before = {f"before[{name[4:-1]}]": nothing >> int(name[4:-1]) & 1 for name in circuit.outputs}
    mine = _every({circuit.inputs[its]: words[name] for name, its in one.items()}, circuit)
    constants: dict[int, Words] = {step.inputs[name]: ONES if bit else np.uint64(0) for name, bit in before.items()}
    wanted = _every(constants | {step.inputs[name]: column for name, column in words.items()}, step)
    wrong: Words = np.uint64(0)
    for name, literal in circuit.outputs.items():
        wrong = wrong | (_table(mine, literal) ^ _table(wanted, step.outputs[name]))
    each = np.broadcast_to(wrong & _table(wanted, step.outputs["legal"]), next(iter(words.values())).shape)
    found = np.flatnonzero(np.unpackbits(np.ascontiguousarray(each).view(np.uint8), bitorder="little")[: len(rows)])
    return {name: int(found[0]) >> i & 1 for i, name in enumerate(one)} if len(found) else {}


def _every(leaves: Mapping[int, Words], circuit: Aig) -> list[Words]:
    """The values of all nodes, 64 cases in a word; leaves that are not given are 0."""
    values: list[Words] = [np.uint64(0)] * len(circuit.ands)
    for literal, column in leaves.items():
        values[literal >> 1] = column
    for node, operands in enumerate(circuit.ands):
        if operands is not None:
            values[node] = _table(values, operands[0]) & _table(values, operands[1])
    return values


def _table(values: Sequence[Words], literal: int) -> Words:
    return values[literal >> 1] ^ ONES if literal & 1 else values[literal >> 1]


def _wrong(circuit: Aig, step: Aig, number: int, one: Lane, given: Mapping[str, int]) -> Mismatch:
    """The error that tells what a lane adds to the sum and what it must add."""
    bits = sum(name.startswith("sum[") for name in circuit.outputs)
    others = {name: bit for name, bit in given.items() if name not in one.values()}
    change = _value(play(circuit, [given])[0], "sum", bits) - _value(play(circuit, [others])[0], "sum", bits)
    wanted = _value(play(step, [{its: given.get(name, 0) for its, name in one.items()}])[0], "sum", bits)
    return Mismatch(f"The operands of lane {number} must add {wanted} to the sum and add {change}; {story([given])}.")


def _value(outputs: Mapping[str, int], name: str, bits: int) -> int:
    """A two's complement output."""
    value = words_of(outputs)[name]
    return value - ((value >> (bits - 1)) << bits)


def _lemma(circuit: Aig, step: Aig, one: Lane) -> Aig:
    """Whether one lane's operands change the sum otherwise than the specification's step does, whatever the others hold."""
    both = Aig()
    leaves = {name: both.input(name) for name in circuit.inputs}
    mine = set(one.values())
    found = []
    for zeroed in (set(), mine):
        here = both.copy(circuit, {literal: FALSE if name in zeroed else leaves[name] for name, literal in circuit.inputs.items()})
        found.append({name: read_literal(here, literal) for name, literal in circuit.outputs.items()})
    given = {
        literal: leaves[one[name]] if name in one else found[1][name.replace("before", "sum")] for name, literal in step.inputs.items()
    }
    here = both.copy(step, given)
    legal = read_literal(here, step.outputs["legal"])
    wrong = FALSE
    for name, literal in found[0].items():
        wrong = both.either(wrong, both.differ(literal, read_literal(here, step.outputs[name])))
    both.outputs = {"differ": both.both(wrong, legal)}
    return both
