"""Proof that a circuit adds up the products of its lanes, lane by lane.

A sum S of all lanes is right for all operands if it is right where every operand is 0, and if, for every lane and whatever the others
hold, S with this lane's operands is S with zeros in their place, plus the product, less the product of zeros. That is one small
proof for each lane at full width, where a proof of the whole sum at once does not end.
"""

import time
from collections.abc import Mapping, Sequence

from gatewright.hw.config import Operator
from gatewright.hw.errors import Mismatch
from gatewright.sim.formal import abc
from gatewright.sim.formal.aig import FALSE, TRUE, Aig
from gatewright.sim.formal.equivalence import Proof, Undecided, play, read_literal, story, words_of
from gatewright.sim.formal.graphs import graph
from gatewright.sim.formal.specification import Product

Lane = Mapping[str, str]  # input bits of the specification (`a_bits[0]`): those of the circuit


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
) -> Proof:
    """Prove that the output `sum` is the sum of the lanes' products, modulo its width, with some inputs `fixed` (a mode).

    `low_high` is the range of a product: the sum must have room for all of them. Raises Mismatch with a counterexample, or Undecided.
    """
    began = time.monotonic()
    fixed = dict(fixed or {})
    bits = sum(name.startswith("sum[") for name in circuit.outputs)
    low, high = (extreme * len(lanes) for extreme in low_high)
    if not -(1 << (bits - 1)) <= low <= high < 1 << (bits - 1):
        raise Mismatch(f"A sum of {bits} bits has no room for {low} to {high}.")
    step = graph(product.verilog(bits), "step")
    zeros = play(circuit, [dict(fixed)])[0]
    nothing = _value(play(graph(product.verilog(bits), "product"), [{}])[0], "value", 32)
    if (found := _value(zeros, "sum", bits)) != nothing * len(lanes):
        raise Mismatch(f"The sum is {found} where every operand is 0; it must be {nothing * len(lanes)}.")
    for number, one in enumerate(lanes):
        both = _lemma(circuit, step, one, fixed)
        answer = abc.solve(both, "strash; sat", seconds)
        if answer.outcome == "refuted":
            given = {**answer.frames[0], **fixed}
            found = _value(play(circuit, [given])[0], "sum", bits)
            zeroed = _value(play(circuit, [{name: bit for name, bit in given.items() if name not in one.values()}])[0], "sum", bits)
            operands = {its: given.get(name, 0) for its, name in one.items()}
            wanted = words_of(play(step, [operands])[0])["sum"]
            wanted -= (wanted >> (bits - 1)) << bits
            raise Mismatch(f"The operands of lane {number} must add {wanted} to the sum and add {found - zeroed}; {story([given])}.")
        if answer.outcome == "undecided":
            raise Undecided(f"Undecided after {seconds:.0f} s: lane {number} of {len(lanes)}. Give it more seconds.")
    return Proof("SAT, lane by lane", time.monotonic() - began)


def _value(outputs: Mapping[str, int], name: str, bits: int) -> int:
    """A two's complement output."""
    value = words_of(outputs)[name]
    return value - ((value >> (bits - 1)) << bits)


def _lemma(circuit: Aig, step: Aig, one: Lane, fixed: dict[str, int]) -> Aig:
    """Whether one lane's operands change the sum otherwise than the specification's step does."""
    both = Aig()
    leaves = {name: TRUE if fixed[name] else FALSE for name in fixed} | {
        name: both.input(name) for name in circuit.inputs if name not in fixed
    }
    mine = set(one.values())
    sums = []
    for zeroed in (set(), mine):
        here = both.copy(circuit, {literal: FALSE if name in zeroed else leaves[name] for name, literal in circuit.inputs.items()})
        sums.append({name: read_literal(here, literal) for name, literal in circuit.outputs.items()})
    given = {literal: leaves[one[name]] if name in one else sums[1][name.replace("before", "sum")] for name, literal in step.inputs.items()}
    here = both.copy(step, given)
    legal = read_literal(here, step.outputs["legal"])
    wrong = FALSE
    for name, literal in sums[0].items():
        wrong = both.either(wrong, both.differ(literal, read_literal(here, step.outputs[name])))
    both.outputs = {"differ": both.both(wrong, legal)}
    return both
