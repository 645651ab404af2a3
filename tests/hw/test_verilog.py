"""Generated Verilog: equal modules are one, it lints without a warning, and memories stay memories."""

import re

import pytest
from amaranth.back import verilog as amaranth_verilog
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gatewright.hw.config import AcceleratorConfig, binary_weight, integer, stochastic, xnor
from gatewright.hw.operators import circuit
from gatewright.hw.post import SCALE_BITS
from gatewright.hw.system import System
from gatewright.hw.verilog import emit
from gatewright.sim import synthesis, verilator
from gatewright.sim.network import system_verilog
from tests.generators import random_case
from tests.rtl.checks import complaint

CONFIGS = {
    "one element": AcceleratorConfig(rows=1, cols=1, operators=(integer(8),), pipeline_stages=0, pooling=False),
    "every operator": AcceleratorConfig(
        rows=3,
        cols=4,
        operand_bits=32,
        operators=(integer(8), xnor(), stochastic(64), stochastic(32, "bipolar", "lfsr"), binary_weight(5, signed=True)),
        accumulator_depth=6,
    ),
    "narrow lanes": AcceleratorConfig(rows=2, cols=8, operators=(integer(3, 5, signed=True), integer(2)), accumulator_bits=32),
    "one bit": AcceleratorConfig(rows=1, cols=2, operators=(xnor(),), accumulator_bits=12, accumulator_depth=4),
    "short streams": AcceleratorConfig(rows=4, cols=1, operand_bits=32, operators=(stochastic(8, source="lfsr", bits=3),)),
}
named = pytest.mark.parametrize("name", CONFIGS)


def modules(verilog: str) -> list[str]:
    return re.findall(r"^module (\S+?) ?\(", verilog, re.MULTILINE)


class Pair(wiring.Component):
    """Two equal lanes and one that differs in its arithmetic alone."""

    def __init__(self) -> None:
        super().__init__({"activation": In(8), "weight": In(8), "sums": Out(32).array(3)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for i, operator in enumerate((integer(8, signed=True), integer(8), integer(8))):
            m.submodules[f"lanes{i}"] = lanes = circuit(operator).Lanes(operator, 8)
            m.d.comb += [lanes.activation.eq(self.activation), lanes.weight.eq(self.weight), self.sums[i].eq(lanes.sum)]
        return m


def test_equal_modules_become_one_and_different_ones_stay() -> None:
    text = emit(Pair(), "pair")
    assert len(modules(text)) == 3  # the pair, signed lanes, unsigned lanes
    assert modules(text).count("pair") == 1
    assert len(modules(amaranth_verilog.convert(Pair(), name="pair"))) == 4


def test_merging_and_cleaning_do_not_change_what_modules_do() -> None:
    """The same programs on the Verilog as Amaranth writes it, every instance its own module with its dead logic, and on ours."""
    config = CONFIGS["one bit"]
    plain, merged = amaranth_verilog.convert(System(config), name="gatewright"), system_verilog(config)
    assert len(modules(plain)) > len(modules(merged)) > 10
    cases = [random_case(config, seed) for seed in range(8)]
    assert [found for case in cases for text in (plain, merged) if (found := complaint(case, verilog=text))] == []


def test_a_grid_has_one_element_module() -> None:
    assert len(modules(system_verilog(CONFIGS["every operator"]))) < 40  # of 12 elements, 7 edges, 3 activation buffers, ...
    assert sum("element" in name for name in modules(system_verilog(CONFIGS["every operator"]))) == 1


@named
def test_lints_without_a_warning(name: str) -> None:
    verilator.lint(system_verilog(CONFIGS[name]), "gatewright")


@named
def test_memories_stay_memories(name: str) -> None:
    """Yosys finds every buffer as a memory of its own, at its size: nothing of them becomes flip-flops."""
    config = CONFIGS[name]
    word, cols = config.operand_bits, config.cols
    expected = {
        (config.activation_words, word),
        (config.weight_words, word * cols),
        (config.output_words, config.output_bits),
        (config.parameter_words, config.accumulator_bits * cols),
        (config.parameter_words, SCALE_BITS * cols),
    }
    text, memories = synthesis.elaborate(system_verilog(config), "gatewright")
    assert {(memory.depth, memory.width) for memory in memories.values()} == expected
    assert sum(module.count("cell $mem_v2") for module in text.values()) == len(memories)
    instances = sum(
        len(re.findall(rf"^  cell \\{re.escape(name)} ", module, re.MULTILINE)) for module in text.values() for name in memories
    )
    assert instances == config.rows + 4
