"""Mutation testing: faults are found where a bench looks, and only there."""

import subprocess
import sys

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gatewright.hw.errors import BadInput, Mismatch
from gatewright.hw.verilog import emit
from gatewright.sim.mutation import choose, mutate, passes, single, table, trials, with_mutants

BENCHES = "tests.sim.mutation_benches"


class Counter(wiring.Component):
    """Counts while `enable` is high, up to 11."""

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


COUNT = 5  # of every bench, so that they share a build


def test_a_thorough_bench_kills() -> None:
    score = mutate(Counter(), bench("thorough"), COUNT, seconds=5)
    assert score.count("killed") >= COUNT - 1
    assert score.value == 1.0
    assert passes({"counter": score}, {"counter": 1.0})


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
    score = mutate(Counter(), bench("blind"), COUNT, seconds=5)
    assert score.count("killed") == 0
    assert score.value < 0.5
    assert all("can be told apart" in verdict.reason for verdict in score.unresolved)
    assert not passes({"counter": score}, {"counter": 0.9})
    assert "counter: the score" in table({"counter": score}, {"counter": 0.9})[-1]


def test_a_mutant_that_does_not_end_is_killed() -> None:
    """The bench waits for the counter's end and compares nothing, so that a kill is a wait without end."""
    verilog = emit(Counter(), "top")
    mutants = choose(verilog, "top", COUNT, 1)
    assert trials(with_mutants(verilog, "top", mutants), "top", bench("patient"), COUNT, {})


def test_a_simulator_that_gives_up_is_a_kill_and_the_others_are_still_tried() -> None:
    """The first mutant is a loop without a register, which never settles; the second is none."""
    ports = "input clk, input rst, input enable, input [15:0] mutsel, output seen"
    verilog = f"module top({ports}); assign seen = mutsel == 1 && enable ? ~seen : enable; endmodule"
    assert trials(verilog, "top", bench("blind"), 2, {}) == {1}


def test_a_fault_without_effect_is_proven_so() -> None:
    score = mutate(Redundant(), bench("redundant"), 4, seconds=5)
    assert score.count("equivalent") > 0
    assert score.value == 1.0


def test_a_bench_that_fails_without_a_mutant_is_refused() -> None:
    with pytest.raises(Mismatch, match="wrong fails on the circuit without a mutant"):
        mutate(Counter(), bench("wrong"), COUNT)


def test_a_circuit_without_cells_is_refused() -> None:
    with pytest.raises(BadInput, match="has no cells that could be mutated"):
        mutate("module top(input clk, input a, output b); assign b = a; endmodule", bench("blind"), 2)


def test_the_command_on_blocks_of_ours() -> None:
    """Two mutants of each, none left, and a threshold that nothing reaches; `make mutation` tries them all on every block."""
    command = [sys.executable, "-m", "tests.benches.mutation", "--mutants", "2", "--threshold", "1.1", "memory", "uart transmitter"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    lines = done.stdout.splitlines()
    assert [line.rsplit(maxsplit=6)[0] for line in lines[1:3]] == ["memory", "uart transmitter"]
    assert [(line.split()[-6], line.split()[-2]) for line in lines[1:3]] == [("2", "100.0%")] * 2
    assert "memory: the score 100.0% is under its threshold 110.0%." in lines
