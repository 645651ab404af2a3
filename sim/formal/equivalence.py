"""Equivalence of two circuits by proof: `assert_equivalent`."""

import re
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gatewright.hw.errors import BadInput, Mismatch
from gatewright.sim.design import CLOCK, RESET
from gatewright.sim.formal import abc
from gatewright.sim.formal.abc import Answer
from gatewright.sim.formal.aig import FALSE, UNKNOWN, Aig, read
from gatewright.sim.formal.graphs import Circuit, graph

FRAMES_SHOWN = 12


class Undecided(Mismatch):
    """A proof neither succeeded nor failed in its time."""


@dataclass(frozen=True)
class Proof:
    """What was proved, how and how long it took; `depth` cycles after a reset, 0 for all time."""

    method: str
    seconds: float
    depth: int = 0


def assert_equivalent(
    left: Circuit, right: Circuit, *, top: str | None = None, liberty: Sequence[Path] | None = None, seconds: float = 60.0
) -> Proof:
    """Prove that two circuits with the same ports have the same outputs, for all inputs in all cycles after a reset.

    Each is Verilog text (with one top module, or that called `top`), an Amaranth component, a `Design`, or a gate netlist on the cells of
    `liberty` (by default the embedded technology). Memories in modules of their own are black boxes: both sides must drive them alike.
    Each method gets `seconds`.
    Raises Mismatch with a counterexample, Undecided (a Mismatch) if no method finishes, BadInput if the ports differ or there is no output.
    """
    return prove_equal(graph(left, top, liberty), graph(right, top, liberty), seconds)


def prove_equal(left: Aig, right: Aig, seconds: float = 60.0, order: Iterable[str] = (), legal: str = "") -> Proof:
    """The same of two graphs. `order` is an order of input bits in which decision diagrams stay small, where there is one.

    `legal` names an output of `right` alone: where it is 0, the other outputs may differ.
    """
    if legal:
        left, right = _where(left, right, right.outputs[legal]), _where(right, right, right.outputs[legal])
        right.outputs.pop(legal)
    check_ports(left, right)
    began = time.monotonic()
    combinational = not left.latches and not right.latches
    attempts = []
    if combinational and order:
        attempts.append(("decision diagrams", joined(left, right, order=order), DIAGRAMS))
    if left.latches.keys() == right.latches.keys():
        attempts.append(("SAT" if combinational else "SAT, registers by name", joined(left, right, by_name=True), COMBINATIONAL))
    if not combinational:
        attempts.append(("sequential", joined(left, right), SEQUENTIAL))
    for method, both, script in attempts:
        answer = abc.solve(both, script.format(seconds=round(seconds)), seconds)
        if answer.outcome == "proved":
            return Proof(method, time.monotonic() - began)
        if answer.outcome == "refuted" and "by name" not in method:  # registers by name may hold values that cannot occur
            raise Mismatch(counterexample(left, right, answer))
    raise Undecided(f"Undecided after {seconds:.0f} s by each of: {', '.join(method for method, _, _ in attempts)}. Give it more seconds.")


COMBINATIONAL = "iprove"
DIAGRAMS = "strash; collapse -B 4000000; strash; iprove"
# Registers that always hold equal values become one, by induction; what is left is searched for a difference.
SEQUENTIAL = "scorr; dc2; scorr; dprove -r -m -T {seconds}"


def check_ports(left: Aig, right: Aig) -> None:
    """Raise BadInput unless both have the same ports, and an output: a proof of nothing is no proof."""
    for kind, mine, others in (("inputs", left.inputs, right.inputs), ("outputs", left.outputs, right.outputs)):
        if different := sorted({bit.partition("[")[0] for bit in mine.keys() ^ others.keys()} - {CLOCK, RESET}):
            raise BadInput(f"The two circuits must have the same {kind} of the same widths; they differ in {', '.join(different[:9])}.")
    if not left.outputs:
        raise BadInput("The two circuits have no output, so there is nothing to compare. Give circuits with outputs.")


def after_reset(circuit: Aig) -> dict[str, int]:
    """Every register's value after a cycle of reset: 0, 1 or UNKNOWN, whatever the values before and the other inputs are."""
    values = circuit.evaluate({circuit.inputs[RESET]: 1} if RESET in circuit.inputs else {})
    return {name: read(values, latch.following) for name, latch in circuit.latches.items()}


def joined(left: Aig, right: Aig, by_name: bool = False, order: Iterable[str] = ()) -> Aig:
    """Both circuits on the same inputs, and one output that says that some output differs.

    The registers begin as a reset leaves them; one that reset does not define must not matter, so it begins at 0 on the left and at 1
    on the right. With `by_name`, registers of equal name are inputs, and their next values are compared too.
    """
    both = Aig()
    for name in order:
        both.input(name)
    wrong = FALSE
    placed: list[dict[str, int]] = []
    for side, circuit in enumerate((left, right)):
        leaves = {literal: both.input(name) for name, literal in circuit.inputs.items()}
        start = {} if by_name else after_reset(circuit)
        for name, latch in circuit.latches.items():
            if by_name:
                leaves[latch.value] = both.input(f"register {name}")
            else:
                leaves[latch.value] = both.latch(f"{side}.{name}", side if start[name] == UNKNOWN else start[name]).value
        here = both.copy(circuit, leaves)
        results = dict(circuit.outputs)
        for name, latch in circuit.latches.items():
            if by_name:
                results[f"next {name}"] = latch.following
            else:
                both.latches[f"{side}.{name}"].following = read_literal(here, latch.following)
        placed.append({name: read_literal(here, literal) for name, literal in results.items()})
    for name, literal in placed[0].items():
        wrong = both.either(wrong, both.differ(literal, placed[1][name]))
    both.outputs = {"differ": wrong}
    return both


def _where(circuit: Aig, judge: Aig, legal: int) -> Aig:
    """A combinational circuit whose outputs are 0 where the judge's literal `legal` is."""
    masked = Aig()
    mine, its = (masked.copy(one, {literal: masked.input(name) for name, literal in one.inputs.items()}) for one in (circuit, judge))
    allowed = read_literal(its, legal)
    masked.outputs = {name: masked.both(read_literal(mine, literal), allowed) for name, literal in circuit.outputs.items()}
    return masked


def read_literal(here: Sequence[int], literal: int) -> int:
    """Where a literal of a copied graph is now."""
    return here[literal >> 1] ^ (literal & 1)


def play(circuit: Aig, frames: Sequence[Mapping[str, int]], unknown: int = 0) -> list[dict[str, int]]:
    """The output bits in every cycle after a reset; inputs that are not given are 0."""
    state = {name: unknown if value == UNKNOWN else value for name, value in after_reset(circuit).items()}
    out = []
    for frame in frames:
        leaves = {literal: frame.get(name, 0) for name, literal in circuit.inputs.items()}
        leaves |= {latch.value: state[name] for name, latch in circuit.latches.items()}
        values = circuit.evaluate(leaves)
        out.append({name: read(values, literal) for name, literal in circuit.outputs.items()})
        state = {name: read(values, latch.following) for name, latch in circuit.latches.items()}
    return out


def counterexample(left: Aig, right: Aig, answer: Answer) -> str:
    """The inputs that tell two circuits apart and the outputs that differ, in words; found by playing the answer on both."""
    sides = play(left, answer.frames), play(right, answer.frames, unknown=1)
    for cycle, (mine, others) in enumerate(zip(*sides, strict=True)):
        names = sorted({name.partition("[")[0] for name in mine if mine[name] != others[name]})
        if names:
            words = [words_of(bits) for bits in (mine, others)]
            what = ", ".join(f"{name} is {words[0][name]:#x} on the left, {words[1][name]:#x} on the right" for name in names[:6])
            return f"The circuits differ: {what}; {story(answer.frames[: cycle + 1])}."
    raise Mismatch("abc says that the circuits differ, and its counterexample does not show it: a defect of the proof's translation.")


def story(frames: Sequence[Mapping[str, int]]) -> str:
    """The inputs of every cycle in words; those that are 0 are left out."""
    shown = []
    for cycle, frame in list(enumerate(frames))[-FRAMES_SHOWN:]:
        inputs = [f"{name} = {value:#x}" for name, value in sorted(words_of(frame).items()) if value and name != CLOCK]
        shown.append(f"cycle {cycle}: {', '.join(inputs) or 'all 0'}")
    return f"inputs after a reset, those not named are 0: {'; '.join(shown)}"


def words_of(bits: Mapping[str, int]) -> dict[str, int]:
    """Bits called `name[i]` as unsigned integers by name."""
    words: dict[str, int] = defaultdict(int)
    for name, value in bits.items():
        match = re.fullmatch(r"(.*)\[(\d+)\]", name)
        words[match[1] if match else name] |= value << int(match[2] if match else 0)
    return dict(words)
