"""Mutation testing: faults are found where a bench looks, and only there."""

import subprocess
import sys
from pathlib import Path

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gatewright.hw.errors import BadInput, Mismatch
from gatewright.hw.verilog import emit
from gatewright.sim.mutation import Score, choose, mutate, passes, single, table, with_mutants
from tests.benches.blocks import BLOCKS, TOP

BENCHES = "tests.sim.mutation_benches"


class Counter(wiring.Component):
    """Counts while `enable` is high, up to 11; `shadow` is computed twice, so that a fault in one copy can hide."""

    enable: In(1)
    count: Out(4)
    full: Out(1)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.full.eq(self.count == 11)
        with m.If(self.enable & ~self.full):
            m.d.sync += self.count.eq(self.count + 1)
        return m


class Redundant(wiring.Component):
    """Twice the same register: a fault in one of them changes nothing that can be seen."""

    bit: In(1)
    seen: Out(1)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        left, right = Signal(), Signal()
        m.d.sync += [left.eq(self.bit), right.eq(left & self.bit)]
        m.d.comb += self.seen.eq(left & (right | left))
        return m


def bench(name: str) -> str:
    return f"{BENCHES}.{name}"


@pytest.fixture(scope="module")
def good() -> Score:
    return mutate(Counter(), bench("thorough"), 20, seed=3, seconds=5)


def test_a_thorough_bench_kills(good: Score) -> None:
    assert good.value == 1.0
    assert good.count("killed") >= 15
    assert good.count("killed") + good.count("equivalent") == 20


def test_the_choice_is_a_function_of_the_seed_and_covers_the_cells() -> None:
    verilog = emit(Counter(), "top")
    first = choose(verilog, "top", 8, 1)
    assert first == choose(verilog, "top", 8, 1) != choose(verilog, "top", 8, 2)
    assert len({mutant.cell for mutant in first}) == min(8, len({m.cell for m in choose(verilog, "top", 100, 1)}))
    assert len(set(first)) == 8
    assert not any(mutant.clock for mutant in first)


def test_number_0_selects_no_mutant_and_every_number_its_own() -> None:
    verilog = emit(Counter(), "top")
    mutants = choose(verilog, "top", 5, 1)
    text = with_mutants(verilog, "top", mutants)
    assert all(f"16'h{number:04x}" in text for number in range(1, 6))
    assert len({single(verilog, "top", mutant) for mutant in [None, *mutants]}) == 6


def test_a_bench_that_checks_nothing_scores_0() -> None:
    score = mutate(Counter(), bench("blind"), 6, seed=1, seconds=5)
    assert score.count("killed") == 0
    assert score.value < 0.5
    assert all("can be told apart" in verdict.reason for verdict in score.unresolved)
    assert not passes({"counter": score}, {"counter": 0.9})
    assert "counter: the score" in table({"counter": score}, {"counter": 0.9})[-1]


def test_a_mutant_that_does_not_end_is_killed() -> None:
    score = mutate(Counter(), bench("patient"), 6, seed=1, seconds=5)
    assert score.count("killed") > 0


def test_a_fault_without_effect_is_proven_so() -> None:
    score = mutate(Redundant(), bench("redundant"), 12, seed=1, seconds=5)
    assert score.count("equivalent") > 0
    assert score.value == 1.0


def test_a_bench_that_fails_without_a_mutant_is_refused() -> None:
    with pytest.raises(Mismatch, match="wrong fails on the circuit without a mutant"):
        mutate(Counter(), bench("wrong"), 2)


def test_a_circuit_without_cells_is_refused() -> None:
    with pytest.raises(BadInput, match="has no cells that could be mutated"):
        mutate("module top(input clk, input a, output b); assign b = a; endmodule", bench("blind"), 2)


@pytest.mark.parametrize("name", ["loop_nest", "linear 32"])
def test_blocks_of_ours(name: str) -> None:
    """A few mutants; `make mutation` tries them all, on every block."""
    block = BLOCKS[name]
    score = mutate(block.build(), block.module, 5, top=TOP, environment=block.environment(name), seconds=5)
    assert score.value == 1.0


def test_the_command_fails_under_a_threshold(tmp_path: Path) -> None:
    """Its whole way, with a threshold that nothing reaches."""
    script = (
        "import sys; from dataclasses import replace; from tests.benches import blocks, mutation\n"
        "blocks.BLOCKS['memory'] = replace(blocks.BLOCKS['memory'], mutants=1, threshold=1.1)\n"
        "sys.argv = ['mutation', 'memory']\n"
        "sys.exit(mutation.main())\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "memory: the score" in done.stdout
