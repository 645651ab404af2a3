"""Activation and pooling of stochastic computing, in streams and in binary: what they err and what they cost in gates.

`python -m gatewright.sim.stochastic_outputs` prints the table of docs/stochastic.md; with a file's path it rewrites it there.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Component, In, Out

from gatewright.hw.arithmetic import popcount
from gatewright.hw.stochastic.max_pool import SegmentMax
from gatewright.hw.stochastic.mux_adder import MuxAdder
from gatewright.hw.stochastic.parallel_counter import ParallelCounter
from gatewright.hw.stochastic.tanh import StochasticTanh
from gatewright.sim import library
from gatewright.sw.stochastic import activate, add, pool
from gatewright.sw.stochastic.measure import products, publish, rms

LENGTHS = (16, 64, 256)
INPUTS, POOLED, SEGMENT = 64, 4, 8
TRIALS, MEASURED = 400, 16  # sums whose errors are taken, and those that the gates are given
BEGIN, END = "<!-- outputs: begin -->\n", "<!-- outputs: end -->"
FEMTO = 1000


class Activation(wiring.Component):
    """Streams added (counted, or one selected) and handed to a saturating counter."""

    def __init__(self, *, counted: bool) -> None:
        self.counted = counted
        selected = {} if counted else {"select": In((INPUTS - 1).bit_length())}
        super().__init__({"restart": In(1), "advance": In(1), "bits": In(INPUTS), "out": Out(1), **selected})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.tanh = tanh = StochasticTanh(2 * INPUTS, INPUTS if self.counted else 1)
        m.d.comb += [tanh.restart.eq(self.restart), tanh.advance.eq(self.advance), self.out.eq(tanh.out)]
        if self.counted:
            m.d.comb += tanh.count.eq(popcount(m, list(self.bits)))
        else:
            m.submodules.mux = mux = MuxAdder(INPUTS)
            m.d.comb += [mux.bits.eq(self.bits), mux.select.eq(self.select), tanh.count.eq(mux.sum)]
        return m


class BinaryPool(wiring.Component):
    """The greatest, or the sum, of the values since the restart, one a cycle."""

    def __init__(self, bits: int, *, greatest: bool) -> None:
        self.greatest = greatest
        super().__init__({"restart": In(1), "value": In(bits), "result": Out(bits + (0 if greatest else POOLED.bit_length() - 1))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        held = Signal.like(self.result)
        before = Mux(self.restart, 0, held)
        m.d.comb += self.result.eq(Mux(self.value > before, self.value, before) if self.greatest else before + self.value)
        m.d.sync += held.eq(self.result)
        return m


@dataclass(frozen=True)
class Row:
    """A block with streams of `length` bits. error: root mean square, in standard deviations of what it stands for over the trials.

    energy_fj: of a product where it adds, of a pooled stream where it pools.
    """

    block: str
    length: int
    error: float
    energy_fj: float

    def text(self) -> str:
        return f"| {self.block} | {self.length} | {self.error:.3f} | {self.energy_fj:.0f} |"


def error(found: np.ndarray, ideal: np.ndarray) -> float:
    """The root mean square error, in standard deviations of the ideal."""
    return rms(list(found - ideal)) / float(ideal.std())


def streams(length: int, trials: int) -> tuple[np.ndarray, np.ndarray]:
    """Products of values uniform over their range: their sums [trials], and streams that do not depend on each other [trials, N, L]."""
    drawn = [products("random numbers", INPUTS, 1, length, trial, bipolar=True) for trial in range(trials)]
    return np.array([values.sum() for values, _ in drawn]), np.array([bits for _, bits in drawn])


def words(bits: np.ndarray) -> np.ndarray:
    """Streams [trials, N, L] one after the other as words, uint64 [trials * L]."""
    places = np.arange(bits.shape[1], dtype=np.uint64)[None, :, None]
    return (bits.astype(np.uint64) << places).sum(axis=1, dtype=np.uint64).reshape(-1)


def cost(block: Component, length: int, shared_by: int, **inputs: np.ndarray) -> float:
    """Energy in fJ of a run of `length` cycles, for one of `shared_by`."""
    cycles = len(next(iter(inputs.values())))
    given: dict[str, object] = {"restart": np.arange(cycles) % length == 0, "advance": np.ones(cycles, dtype=np.int64), **inputs}
    driven = {name: given[name] for name in block.signature.members if name in given}
    return library.energy(block, driven, activity="zero_delay").per_cycle_pj * FEMTO * length / shared_by


def activations(length: int, trials: int = TRIALS) -> Iterator[Row]:
    """Sums of `INPUTS` products through an activation."""
    sums, bits = streams(length, trials)
    select = np.random.default_rng(length).integers(0, INPUTS, (trials, length))
    counts = add.count(bits)
    counted = (2 * counts.sum(axis=-1) - INPUTS * length) / length
    played, chosen = words(bits[:MEASURED]), select[:MEASURED].reshape(-1)
    counter = cost(ParallelCounter(INPUTS, 16), length, INPUTS, bits=played)
    yield Row("exact counter, ReLU in binary", length, error(counted.clip(0), sums.clip(0)), counter)
    yield Row("exact counter, hard tanh in binary", length, error(counted.clip(-1, 1), sums.clip(-1, 1)), counter)
    for name, states, made, gates in (
        ("Btanh of the count", INPUTS, counts, cost(Activation(counted=True), length, INPUTS, bits=played)),
        ("multiplexer, Stanh", 1, add.mux(bits, select), cost(Activation(counted=False), length, INPUTS, bits=played, select=chosen)),
    ):
        out = 2 * activate.tanh(made, 2 * INPUTS, states).mean(axis=-1) - 1
        yield Row(name, length, error(out, np.tanh(sums)), gates)


def poolings(length: int, trials: int = TRIALS) -> Iterator[Row]:
    """`POOLED` values pooled."""
    rng = np.random.default_rng(length)
    values = rng.uniform(-1, 1, (trials, POOLED))
    bits = rng.random((trials, POOLED, length)) < (values[..., None] + 1) / 2
    select = rng.integers(0, POOLED, (trials, length))
    counted = 2 * bits.mean(axis=-1) - 1
    totals, played, chosen = bits.sum(axis=-1).reshape(-1), words(bits[:MEASURED]), select[:MEASURED].reshape(-1)
    size = length.bit_length()
    for name, greatest in (("greatest in binary", True), ("average in binary", False)):
        ideal, found = (part.max(axis=1) if greatest else part.mean(axis=1) for part in (values, counted))
        yield Row(name, length, error(found, ideal), cost(BinaryPool(size, greatest=greatest), POOLED, POOLED, value=totals))
    shown = 2 * pool.segment_max(bits, SEGMENT).mean(axis=-1) - 1
    yield Row(
        "greatest by segments", length, error(shown, values.max(axis=1)), cost(SegmentMax(POOLED, SEGMENT), length, POOLED, bits=played)
    )
    mean = 2 * add.mux(bits, select).mean(axis=-1) - 1
    yield Row("multiplexer", length, error(mean, values.mean(axis=1)), cost(MuxAdder(POOLED), length, POOLED, bits=played, select=chosen))


def table(lengths: tuple[int, ...] = LENGTHS) -> str:
    """Markdown of everything measured."""
    made: tuple[Callable[[int], Iterator[Row]], ...] = (activations, poolings)
    rows = [row for each in made for length in lengths for row in each(length)]
    return "\n".join(["| output | L | error | fJ |", "|---|---|---|---|", *(row.text() for row in rows)]) + "\n"


def main(arguments: list[str]) -> None:
    """The table, printed or rewritten in a page."""
    publish(arguments, table(), BEGIN, END)


if __name__ == "__main__":
    main(sys.argv[1:])
