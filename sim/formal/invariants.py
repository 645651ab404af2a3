"""What always holds in a circuit, proved for all time or to a stated depth."""

import time
from collections.abc import Sequence

from amaranth.lib.wiring import Component

from gatewright.hw.errors import BadInput, Mismatch
from gatewright.sim.design import RESET
from gatewright.sim.formal import abc
from gatewright.sim.formal.aig import FALSE, TRUE, UNKNOWN, Aig
from gatewright.sim.formal.equivalence import Proof, Undecided, after_reset, play, read_literal, story
from gatewright.sim.formal.graphs import graph

UNBOUNDED = {
    "PDR": "pdr -T {seconds}",  # property-directed reachability finds an inductive invariant, or a counterexample
    "merged, PDR": "scorr; dc2; scleanup; pdr -T {seconds}",  # registers that always hold equal values become one first
    "induction": "scorr; dprove -r -m -T {seconds}",
}
BOUNDED = "bmc3 -F {depth} -T {seconds}"


def assert_always(monitor: Component, name: str, *, seconds: float = 60.0, depth: int = 0) -> Proof:
    """Prove that the monitor's output `holds_<name>` is 1 in every cycle after a reset up to which all its outputs `given_*` were 1.

    A monitor is a component with the circuit inside and one-bit outputs that state properties (`holds_*`) and assumptions (`given_*`).
    With `depth`, a property that cannot be proved for all time in `seconds` (shared by the methods) may be proved
    for that many cycles; the proof says so.
    Raises Mismatch with a counterexample, Undecided, or BadInput if there is no such output.
    """
    return prove_always(graph(monitor), name, seconds, depth)


def prove_always(circuit: Aig, name: str, seconds: float = 60.0, depth: int = 0) -> Proof:
    """The same of a graph."""
    if f"holds_{name}" not in circuit.outputs:
        known = sorted(output.removeprefix("holds_") for output in circuit.outputs if output.startswith("holds_"))
        raise BadInput(f"There is no property {name!r}; the monitor states {', '.join(known) or 'none'}.")
    began = time.monotonic()
    checked = _violation(circuit, name)
    share = seconds / len(UNBOUNDED)
    answers = (
        (f"{method}, unbounded", abc.solve(checked, script.format(seconds=round(share)), share)) for method, script in UNBOUNDED.items()
    )
    method, answer = next((pair for pair in answers if pair[1].outcome != "undecided"), ("", abc.Answer("undecided")))
    if answer.outcome == "undecided" and depth:
        answer = abc.solve(checked, BOUNDED.format(depth=depth, seconds=round(seconds)), seconds)
        method = f"BMC, {depth} cycles"
        if answer.outcome == "undecided" and answer.depth >= depth:
            return Proof(method, time.monotonic() - began, depth)
    if answer.outcome == "refuted":
        raise Mismatch(f"{name} does not hold in cycle {_first(circuit, name, answer.frames)}; {story(answer.frames)}.")
    if answer.outcome == "undecided":
        raise Undecided(f"Undecided after {seconds:.0f} s: {name}. Give it more seconds, or a depth.")
    return Proof(method, time.monotonic() - began)


def _first(circuit: Aig, name: str, frames: Sequence[dict[str, int]]) -> int:
    """The cycle in which a property is first seen to fail."""
    for cycle, outputs in enumerate(play(circuit, frames)):
        if not outputs[f"holds_{name}"]:
            return cycle
    raise Mismatch(f"abc says that {name} fails, and its counterexample does not show it: a defect of the proof's translation.")


def _violation(circuit: Aig, name: str) -> Aig:
    """A graph whose output is 1 where the property fails while the assumptions held. There is no further reset."""
    checked = Aig()
    leaves = {literal: FALSE if its == RESET else checked.input(its) for its, literal in circuit.inputs.items()}
    for its, value in after_reset(circuit).items():
        leaves[circuit.latches[its].value] = checked.latch(its, 0 if value == UNKNOWN else value).value
    here = checked.copy(circuit, leaves)
    given = TRUE
    for output, literal in circuit.outputs.items():
        if output.startswith("given_"):
            given = checked.both(given, read_literal(here, literal))
    for its, latch in circuit.latches.items():  # back to the start after a broken assumption: there equal registers are equal
        following, mine = read_literal(here, latch.following), checked.latches[its]
        mine.following = checked.either(given ^ 1, following) if mine.start else checked.both(given, following)
    broken = checked.latch("an assumption was broken", 0)
    given = checked.both(given, broken.value ^ 1)
    broken.following = given ^ 1
    checked.outputs = {"violation": checked.both(given, read_literal(here, circuit.outputs[f"holds_{name}"]) ^ 1)}
    return checked
