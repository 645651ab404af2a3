"""Operators' circuits, several in one simulator: operand words in, the sum that an element would accumulate out."""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from amaranth.hdl import Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from numpy.ctypeslib import ndpointer

from gatewright.hw.config import Operator
from gatewright.hw.operators import circuit
from gatewright.hw.stochastic.numbers import Side
from gatewright.hw.verilog import emit
from gatewright.sim import verilator
from gatewright.sw.operators import arithmetic

WORDS = ndpointer(np.uint64, flags="C_CONTIGUOUS")
SUMS = ndpointer(np.int64, flags="C_CONTIGUOUS")
STEP_BITS = 12


Words = tuple[np.ndarray, np.ndarray]  # activation and weight words, uint64 [n] each


@dataclass(frozen=True)
class Circuit:
    """An operator's lanes at a width, and the words they are tried with."""

    operator: Operator
    bits: int
    words: Words

    @property
    def name(self) -> str:
        return f"{self.operator.name}/{self.bits}"


class Bank(wiring.Component):
    """All circuits, each with its own words: encoders with their sources where the operator has them, then lanes."""

    def __init__(self, circuits: Sequence[Circuit]) -> None:
        self.circuits = circuits
        ports: dict[str, object] = {"step": In(STEP_BITS), "alive": Out(1)}
        for i in range(len(circuits)):
            ports |= {f"activation{i}": In(64), f"weight{i}": In(64), f"sum{i}": Out(32)}
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.sync += self.alive.eq(1)  # a clock, even if no circuit has one
        for i, case in enumerate(self.circuits):
            module = circuit(case.operator)
            m.submodules[f"lanes{i}"] = lanes = module.Lanes(case.operator, case.bits)
            for side in ("activation", "weight"):
                word = getattr(self, f"{side}{i}")
                if hasattr(module, "Encoder"):
                    word = self._encoded(m, i, case, side, word)
                m.d.comb += getattr(lanes, side).eq(word)
            m.d.comb += getattr(self, f"sum{i}").eq(lanes.sum)
        return m

    def _encoded(self, m: Module, i: int, case: Circuit, side: Side, word: Value) -> Value:
        module, operator = circuit(case.operator), case.operator
        source, encoder = module.Numbers(operator, side), module.Encoder(operator, case.bits, side)
        m.submodules[f"{side}_source{i}"], m.submodules[f"{side}_encoder{i}"] = source, encoder
        m.d.comb += [source.step.eq(self.step), source.advance.eq(1), encoder.word.eq(word)]
        m.d.comb += [encoder.numbers[j].eq(source.numbers[j]) for j in range(operator.width)]
        return encoder.encoded


HARNESS = """
#include "Vtop.h"
using Words = const uint64_t *;
extern "C" void run(uint64_t pairs, uint64_t most, Words activations, Words weights, Words steps, int64_t *sums) {
    VerilatedContext context;
    Vtop top{&context};
    auto cycle = [&] { top.clk = 0; top.eval(); top.clk = 1; top.eval(); };
    top.rst = 1;
    cycle();
    top.rst = 0;
    for (uint64_t p = 0; p < pairs; p++, activations += CIRCUITS, weights += CIRCUITS, sums += CIRCUITS)
        for (uint64_t step = 0; step < most; step++) {
            SET
            top.step = step;
            top.clk = 0;
            top.eval();
            ADD
            top.clk = 1;
            top.eval();
        }
}
"""


class Bench:
    """Plays all words of all circuits, every pair for all steps of the operator's stream."""

    def __init__(self, circuits: Sequence[Circuit], verilog: str | None = None) -> None:
        self.circuits, number = circuits, len(circuits)
        set_words = " ".join(f"top.activation{i} = activations[{i}]; top.weight{i} = weights[{i}];" for i in range(number))
        add = " ".join(f"if (step < steps[{i}]) sums[{i}] += (int32_t)top.sum{i};" for i in range(number))
        harness = HARNESS.replace("CIRCUITS", str(number)).replace("SET", set_words).replace("ADD", add)
        self.verilog = verilog or emit(Bank(circuits), "bank")
        run = ctypes.CDLL(
            str(verilator.build(self.verilog, "bank", harness, shared=True, optimise="-O1", options=("--output-split", "0")))
        ).run
        run.argtypes = [ctypes.c_uint64, ctypes.c_uint64, WORDS, WORDS, WORDS, SUMS]
        pairs = max(len(case.words[0]) for case in circuits)
        words = [np.zeros((pairs, number), dtype=np.uint64) for _ in range(2)]
        for i, case in enumerate(circuits):
            for side in range(2):
                words[side][: len(case.words[side]), i] = case.words[side]
        steps = np.array([case.operator.steps for case in circuits], dtype=np.uint64)
        self.sums = np.zeros((pairs, number), dtype=np.int64)
        run(pairs, int(steps.max()), *words, steps, self.sums)

    def check(self, i: int) -> None:
        """Circuit i against its operator's arithmetic, on all its words."""
        case = self.circuits[i]
        np.testing.assert_array_equal(self.sums[: len(case.words[0]), i], expected(case.operator, case.bits, *case.words))


def expected(operator: Operator, bits: int, activations: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The sum of the lanes' products by the operator's arithmetic, int64 [n]; bits of a lane beyond the operand's do not count."""
    made, lanes = arithmetic(operator), np.arange(bits // operator.width)
    a, w = (
        (words[:, None] >> (lanes * width).astype(np.uint64)).astype(np.int64) & ((1 << size) - 1)
        for words, width, size in (
            (activations, operator.activation_width, operator.activation_bits),
            (weights, operator.weight_width, operator.weight_bits),
        )
    )
    return made.tables[lanes % made.lane_period, a, w].sum(axis=1)


def every_word(activation_bits: int, weight_bits: int) -> Words:
    """All pairs of words of these many bits."""
    a, w = np.meshgrid(np.arange(1 << activation_bits, dtype=np.uint64), np.arange(1 << weight_bits, dtype=np.uint64))
    return a.reshape(-1), w.reshape(-1)


def every_pair_in_every_lane(operator: Operator, bits: int, rng: np.random.Generator) -> Words:
    """All pairs of codes in each lane, in another order in each: the sums check every lane's whole table."""
    pairs = 1 << (operator.activation_bits + operator.weight_bits)
    activations, weights = np.zeros(pairs, dtype=np.uint64), np.zeros(pairs, dtype=np.uint64)
    for lane in range(bits // operator.width):
        order = rng.permutation(pairs).astype(np.uint64)
        activations |= (order >> np.uint64(operator.weight_bits)) << np.uint64(lane * operator.activation_width)
        weights |= (order & np.uint64((1 << operator.weight_bits) - 1)) << np.uint64(lane * operator.weight_width)
    return activations, weights


def random_words(rng: np.random.Generator, number: int) -> Words:
    """Words of 64 random bits, extremes first."""
    extremes = np.array([0, 0, (1 << 64) - 1, (1 << 64) - 1], dtype=np.uint64)
    a, w = (rng.integers(0, 1 << 64, number, dtype=np.uint64) for _ in range(2))
    a[:4], w[:4] = extremes, extremes[[0, 2, 1, 3]]
    return a, w


def joined(*words: Words) -> Words:
    """One list of words after the other."""
    return np.concatenate([pair[0] for pair in words]), np.concatenate([pair[1] for pair in words])


def small(operator: Operator, bits: int) -> Circuit:
    """With all words."""
    return Circuit(operator, bits, every_word(bits, bits))


def wide(operator: Operator, bits: int, random: int = 20_000) -> Circuit:
    """With all pairs of codes in every lane, and random words."""
    rng = np.random.default_rng(bits)
    return Circuit(operator, bits, joined(every_pair_in_every_lane(operator, bits, rng), random_words(rng, random)))


def mutant(bench: Bench, old: str, new: str) -> Bench:
    """The same bench with the last `old` in its Verilog replaced."""
    before, found, after = bench.verilog.rpartition(old)
    assert found
    return Bench(bench.circuits, before + new + after)
