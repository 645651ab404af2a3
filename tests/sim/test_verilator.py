import ctypes
import subprocess

import pytest

from gatewright.hw.errors import BadInput
from gatewright.sim import verilator
from gatewright.sim.gate_verilog import gate_verilog
from gatewright.sim.saif import read_saif
from gatewright.sim.synthesis import synthesise
from gatewright.sim.technology import ihp130
from tests.sim.designs import COUNTER, GRID

HARNESS = """
#include "Vtop.h"
#include "start.h"
#include <cstdio>
int main() {
    Vtop top;
    for (int cycle = 0; cycle < CYCLES; ++cycle) {
        top.rst = cycle == 0;
        top.up = 1;
        top.clk = 0; top.eval();
        top.clk = 1; top.eval();
    }
    printf("%d\\n", int(top.count));
}
"""

SHARED = """
#include "Vtop.h"
extern "C" int count(int cycles) {
    Vtop top;
    for (int cycle = 0; cycle < cycles; ++cycle) {
        top.rst = cycle == 0;
        top.up = 1;
        top.clk = 0; top.eval();
        top.clk = 1; top.eval();
    }
    return top.count;
}
"""

CLEAN = """
module adder(input [3:0] a, input [3:0] b, output [4:0] sum);
    assign sum = {1'b0, a} + {1'b0, b};
endmodule
"""
NARROW = ("{1'b0, a}", "a[3:2] ^ a[1:0]")


def test_clean_verilog_passes() -> None:
    verilator.lint(CLEAN, "adder")


@pytest.mark.parametrize(
    ("change", "warning"),
    [
        (NARROW, "WIDTHEXPAND"),
        (("input [3:0] b,", "input [3:0] b, input c,"), "UNUSEDSIGNAL"),
        (("assign sum", "assign som"), "IMPLICIT"),
        (("endmodule", ""), "syntax error"),
    ],
)
def test_every_warning_is_an_error(change: tuple[str, str], warning: str) -> None:
    with pytest.raises(BadInput, match=rf"Verilog of adder: Verilator refuses it:\n(.*\n)*.*{warning}"):
        verilator.lint(CLEAN.replace(*change), "adder")


def test_a_warning_can_be_waived() -> None:
    verilator.lint(CLEAN.replace(*NARROW), "adder", waive=["WIDTHEXPAND"])


def test_a_program_runs_and_is_built_once() -> None:
    program = verilator.build(COUNTER, "counter", HARNESS, files={"start.h": "#define CYCLES 11\n"})
    assert subprocess.run([program], capture_output=True, text=True, check=True).stdout == "10\n"
    stamp = program.stat().st_mtime_ns
    assert verilator.build(COUNTER, "counter", HARNESS, files={"start.h": "#define CYCLES 11\n"}) == program
    assert program.stat().st_mtime_ns == stamp
    assert verilator.build(COUNTER, "counter", HARNESS, files={"start.h": "#define CYCLES 12\n"}) != program


def test_a_shared_object_is_called() -> None:
    library = ctypes.CDLL(str(verilator.build(COUNTER, "counter", SHARED, shared=True)))
    assert [library.count(cycles) for cycles in (1, 2, 70)] == [0, 1, 69 % 64]


def test_a_harness_that_does_not_compile_is_reported() -> None:
    with pytest.raises(BadInput, match=r"Simulator of counter: Verilator refuses it:\n(.*\n)*.*has no member named .clock"):
        verilator.build(COUNTER, "counter", HARNESS.replace("top.clk", "top.clock"), files={"start.h": "#define CYCLES 11\n"})


def test_gate_level_verilog_names_what_verilator_traces() -> None:
    netlist = synthesise(GRID, "grid", ihp130().liberty_files())
    text = gate_verilog(netlist)
    assert text.count("gatewright_memory #(.DEPTH(8), .WIDTH(8)") == 1
    assert f"wire n{netlist.nets - 1};" in text
    assert " _" not in text.split("endmodule")[0]


def test_saif_is_read() -> None:
    lines = ["(n2 (T0 3) (T1 2) (TZ 0) (TX 0) (TB 0) (TC 4))", "(n10 (T0 0) (T1 5) (TZ 0) (TX 0) (TC 1))", "(a (T0 1) (T1 1) (TC 1))"]
    nets, high, changes = read_saif("\n".join(lines))
    assert (nets.tolist(), high.tolist(), changes.tolist()) == ([2, 10], [2, 5], [4, 1])


def test_headers_are_translated_once() -> None:
    """A quick simulator takes them as they are: g++ says so where its flags differ, and reads them again (slower, not wrong)."""
    header = verilator.headers()
    assert header.with_suffix(".hpp.gch").stat().st_size > 1_000_000
    assert verilator.headers() == header
