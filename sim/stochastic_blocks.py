"""What the blocks of stochastic computing cost in gates: stream generators at every degree of sharing, and adders of as many streams.

`python -m gatewright.sim.stochastic_blocks` prints the tables of docs/stochastic.md; with a file's path it rewrites them there.
"""

import sys
from collections.abc import Iterator

import numpy as np
from amaranth.lib.wiring import Component

from gatewright.hw.stochastic.carry_adder import CarryAdder
from gatewright.hw.stochastic.conditional import ConditionalMultiplier
from gatewright.hw.stochastic.generator import StreamGenerator
from gatewright.hw.stochastic.mux_adder import MuxAdder
from gatewright.hw.stochastic.or_adder import OrAdder
from gatewright.hw.stochastic.parallel_counter import ParallelCounter
from gatewright.hw.stochastic.sharing import Rotation, Sharing
from gatewright.hw.stochastic.tanh import StochasticTanh
from gatewright.sim import library
from gatewright.sw.stochastic.measure import publish

STREAMS, BITS, LENGTH, PLAYED = 64, 8, 256, 8  # streams of 8-bit values, 256 cycles each, eight values one after the other
BEGIN, END = "<!-- gates: begin -->\n", "<!-- gates: end -->"
FEMTO = 1000


def plans() -> Iterator[tuple[str, Sharing]]:
    """Rows of generators; `sharing` neighbours take the same numbers."""
    for sharing in (1, 4, 16, 64):
        groups = STREAMS // sharing
        yield "own registers", Sharing("lfsr", BITS, STREAMS, sharing)
        if groups > 1:
            turns = tuple(Rotation(turn % BITS) for turn in range(min(groups, BITS)))
            yield "registers, each rotated for up to 8 groups", Sharing("lfsr", BITS, STREAMS, sharing, turns)
        if groups <= 16:
            yield "Sobol dimensions", Sharing("sobol", BITS, STREAMS, sharing)
        if groups > 1:
            masks = tuple(Rotation(mask=group * 97 % 256) for group in range(groups))
            yield "one Sobol dimension, shifted digitally", Sharing("sobol", BITS, STREAMS, sharing, masks)
    yield "counter", Sharing("counter", BITS, STREAMS, STREAMS, length=LENGTH)


def adders() -> Iterator[tuple[str, Component]]:
    yield "exact counter, accumulator", ParallelCounter(STREAMS, 16)
    yield "approximate counter, accumulator", ParallelCounter(STREAMS, 16, approximate=True)
    yield "adder with carry", CarryAdder(STREAMS)
    yield "multiplexer", MuxAdder(STREAMS)
    yield "OR", OrAdder(STREAMS)


def cost(block: Component, inputs: dict[str, object], streams: int) -> str:
    """Table cells: area per stream, energy per stream and cycle."""
    ports = {"restart": np.arange(PLAYED * LENGTH) % LENGTH == 0, "advance": 1}
    driven = {name: value for name, value in ports.items() if name in block.signature.members} | inputs
    area = library.synthesise(block).area_um2
    energy = library.energy(block, driven, activity="zero_delay").per_cycle_pj * FEMTO
    return f"{area / streams:.0f} | {energy / streams:.1f}"


def lines_of_generators() -> Iterator[str]:
    """A Markdown table. Values are uniform."""
    values = np.repeat(np.random.default_rng(1).integers(0, 1 << BITS, (PLAYED, STREAMS)), LENGTH, axis=0)
    by_port: dict[str, object] = {f"values__{i}": values[:, i] for i in range(STREAMS)}
    yield "| generator of 64 streams of 8-bit values | sharing | um2 a stream | fJ a stream and cycle |"
    yield "|---|---|---|---|"
    for name, plan in plans():
        yield f"| {name} | {plan.sharing} | {cost(StreamGenerator(plan), by_port, STREAMS)} |"


def blocks() -> Iterator[tuple[str, Component, dict[str, object], int]]:
    """Name, block, its inputs and streams: with a quarter of ones, like products of uniform values."""
    rng = np.random.default_rng(2)
    drawn = rng.random((PLAYED * LENGTH, STREAMS)) < 0.25
    words = np.array([sum(int(bit) << i for i, bit in enumerate(row)) for row in drawn], dtype=np.uint64)
    for name, block in adders():
        select = {"select": rng.integers(0, STREAMS, len(words))} if name == "multiplexer" else {}
        yield f"{name} of {STREAMS}", block, {"bits": words, **select}, STREAMS
    yield "Btanh of 25 streams, 50 states", StochasticTanh(50, 25), {"count": drawn[:, :25].sum(axis=1)}, 25
    values = np.repeat(rng.integers(0, 1 << BITS, PLAYED), LENGTH)
    yield "conditional multiplier, 8 bits", ConditionalMultiplier(BITS, BITS), {"a": drawn[:, 0].astype(int), "value": values}, 1


def row(name: str, block: Component, inputs: dict[str, object], streams: int) -> str:
    return f"| {name} | {cost(block, inputs, streams)} |"


def main(arguments: list[str]) -> None:
    """The tables, printed or rewritten in a page."""
    head = ["", "| block | um2 a stream | fJ a stream and cycle |", "|---|---|---|"]
    text = "\n".join([*lines_of_generators(), *head, *(row(*block) for block in blocks())]) + "\n"
    publish(arguments, text, BEGIN, END)


if __name__ == "__main__":
    main(sys.argv[1:])
