"""The library for tests of hardware blocks: against NumPy, a calculation by hand, and Yosys's own counts."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from amaranth.hdl import Cat, Elaboratable, Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

import gatewright.sim
import gatewright.sim.energy_analysis
from gatewright.hw.errors import BadInput
from gatewright.sim import Design, energy, from_liberty, luts, simulate, synthesise, yosys
from gatewright.sim.gate_verilog import gate_verilog
from tests.sim.designs import GRID, MEMORY

ROOT = Path(__file__).parents[2]
RNG = np.random.default_rng

SCALAR = "rise_power (scalar) {{ values ({0}); }} fall_power (scalar) {{ values ({1}); }}"
LIBERTY = f"""
library (plain) {{
  time_unit : "1ns"; voltage_unit : "1V"; nom_voltage : 2.0; leakage_power_unit : "1nW"; capacitive_load_unit (1,ff);
  cell (INV) {{ area : 3; cell_leakage_power : 2;
    pin (A) {{ direction : input; capacitance : 10; }}
    pin (Y) {{ direction : output; function : "!A";
      internal_power () {{ related_pin : A; {SCALAR.format(4, 2)} }}
      timing () {{ related_pin : A; cell_rise (scalar) {{ values (0.1); }} cell_fall (scalar) {{ values (0.1); }}
        rise_transition (scalar) {{ values (0.1); }} fall_transition (scalar) {{ values (0.1); }} }} }} }}
  cell (NAND2) {{ area : 4; cell_leakage_power : 2;
    pin (A) {{ direction : input; capacitance : 10; }} pin (B) {{ direction : input; capacitance : 10; }}
    pin (Y) {{ direction : output; function : "!(A&B)"; }} }}
  cell (BUF) {{ area : 4; cell_leakage_power : 2; pin (A) {{ direction : input; capacitance : 10; }}
    pin (Y) {{ direction : output; function : "A"; }} }}
  cell (NOR2) {{ area : 4; cell_leakage_power : 2;
    pin (A) {{ direction : input; capacitance : 10; }} pin (B) {{ direction : input; capacitance : 10; }}
    pin (Y) {{ direction : output; function : "!(A|B)"; }} }}
  cell (DFF) {{ area : 5; cell_leakage_power : 3; ff (IQ, IQN) {{ clocked_on : CK; next_state : D; }}
    pin (CK) {{ direction : input; capacitance : 5; clock : true; internal_power () {{ {SCALAR.format(1, 8)} }} }}
    pin (D) {{ direction : input; capacitance : 3; }}
    pin (Q) {{ direction : output; function : IQ; internal_power () {{ related_pin : CK; {SCALAR.format(7, 5)} }} }} }}
}}
"""


class Mac(wiring.Component):
    a: In(signed(8))
    b: In(8).array(2)
    wide: In(70)
    sum: Out(signed(18))
    flipped: Out(70)

    def elaborate(self, platform):
        m = Module()
        m.d.sync += self.sum.eq(self.a * self.b[0] + self.b[1])
        m.d.comb += self.flipped.eq(~self.wide)
        return m


class Follower(wiring.Component):
    """An inverter into a register that reset does not touch."""

    a: In(1)
    q: Out(1)

    def elaborate(self, platform):
        m = Module()
        state = Signal(reset_less=True)
        m.d.sync += state.eq(~self.a)
        m.d.comb += self.q.eq(state)
        return m


@pytest.fixture(scope="module")
def mac():
    return Design.of(Mac())


def operands(shape, seed=1):
    rng = RNG(seed)
    high, low = rng.integers(0, 1 << 30, shape).astype(object), rng.integers(0, 1 << 40, shape).astype(object)
    return {"a": rng.integers(-128, 128, shape), "b__0": rng.integers(0, 256, shape), "b__1": 7, "wide": high << 40 | low}


@pytest.mark.parametrize("engine", ["verilator", "gates"])
@pytest.mark.parametrize("shape", [(40,), (20, 3)])
def test_arrays_go_in_and_come_out(mac, engine, shape):
    inputs = operands(shape)
    shown = simulate(mac, inputs, engine=engine)
    assert shown["sum"].dtype == np.int64
    assert not shown["sum"][0].any()
    np.testing.assert_array_equal(shown["sum"][1:], (inputs["a"] * inputs["b__0"] + 7)[:-1])
    np.testing.assert_array_equal(shown["flipped"], (1 << 70) - 1 - inputs["wide"])


@pytest.mark.parametrize("engine", ["verilator", "gates"])
def test_verilog_and_64_bits(engine):
    text = "module pass(input [63:0] x, output [63:0] y, output signed [63:0] s); assign y = x; assign s = x; endmodule"
    x = RNG(2).integers(0, 1 << 64, 10, dtype=np.uint64)
    shown = simulate(text, {"x": x}, engine=engine)
    assert (shown["y"].dtype, shown["s"].dtype) == (np.uint64, np.int64)
    np.testing.assert_array_equal(shown["y"], x)
    np.testing.assert_array_equal(shown["s"], x.view(np.int64))


AROUND = (
    MEMORY
    + """
module around(input clk, input [1:0] write_enable, input [2:0] write_address, input [7:0] write_data,
              input read_enable, input [2:0] read_address, output [7:0] read_data);
    store inner(clk, write_enable, write_address, write_data, read_enable, read_address, read_data);
endmodule
"""
)


@pytest.mark.parametrize("engine", ["verilator", "gates"])
def test_streams_of_a_memory_are_independent(engine):
    rng, shape = RNG(3), (60, 3)
    inputs = {name: rng.integers(0, 1 << bits, shape) for name, bits in (("write_enable", 2), ("write_address", 3), ("write_data", 8))}
    inputs |= {"read_enable": 1, "read_address": rng.integers(0, 8, shape)}
    shown = simulate(AROUND, inputs, engine=engine, top="around")["read_data"]
    for stream in range(3):
        words, expected = [0] * 8, [0]
        for t in range(60):
            expected.append(words[inputs["read_address"][t, stream]])
            mask = 0x0F * (inputs["write_enable"][t, stream] & 1) | 0xF0 * (inputs["write_enable"][t, stream] >> 1)
            at = inputs["write_address"][t, stream]
            words[at] = words[at] & ~mask | inputs["write_data"][t, stream] & mask
        np.testing.assert_array_equal(shown[:, stream], expected[:-1])


def test_energy_of_streams_adds_up():
    rng, shape = RNG(4), (50, 3)
    inputs = {name: rng.integers(0, 1 << bits, shape) for name, bits in (("data", 8), ("write", 2), ("read", 1), ("at", 3))}
    together = energy(GRID, inputs, top="grid")
    alone = [energy(GRID, {name: values[:, i] for name, values in inputs.items()}, top="grid") for i in range(3)]
    assert together.logic_pj == pytest.approx(sum(report.logic_pj for report in alone), rel=0.02)  # mean chances of a cell's states
    assert together.memory_pj == pytest.approx(sum(report.memory_pj for report in alone))
    assert set(together.by_path(1)) == {(), ("left",), ("right",), ("buffer",)}


def test_energy_by_hand(tmp_path):
    path = tmp_path / "plain.lib"
    path.write_text(LIBERTY)
    technology = from_liberty(path)
    synthesis = synthesise(Follower(), technology)
    assert synthesis.cells == {"INV": 1, "DFF": 1}
    assert synthesis.area_um2 == 3 + 5
    report = energy(Follower(), {"a": np.arange(1, 101) % 2}, technology, clock_ns=10.0, activity="zero_delay")
    # 1, 0, 1 ... after a reset with 0: input, inverter and register toggle in each of 100 cycles; half C V^2 is 2 fJ for a fF
    assert report.parts["switching"] == pytest.approx(100 * (10 + 3) * 2 / 1e3)
    assert report.parts["internal"] == pytest.approx(100 * (3 + 6) / 1e3)  # means of rise and fall
    assert report.parts["clock"] == pytest.approx(100 * (2 * 5 * 2 + 1 + 8) / 1e3)
    assert report.parts["leakage"] == pytest.approx((2 + 3) * 1000 * 1e-6)
    assert report.per_cycle_pj == pytest.approx(0.026 + 0.009 + 0.029 + 5e-5)


def test_area_is_that_of_yosys(mac):
    synthesis = synthesise(mac)
    liberty = synthesis.technology.liberty_files()[0]
    commands = ["read_liberty -lib cells.lib", "read_verilog design.v", "tee -o stat.json stat -json -liberty cells.lib -top \\Mac"]
    stat = yosys.run(commands, {"cells.lib": liberty, "design.v": gate_verilog(synthesis.netlist)}, ["stat.json"], "stat")["stat.json"]
    counted = json.loads(stat)["design"]
    assert synthesis.area_um2 == pytest.approx(counted["area"])
    assert synthesis.cells == counted["num_cells_by_type"]
    assert synthesis.flip_flops == 17  # of the sum's 18 bits two are always equal
    assert sum(synthesis.areas(0).values()) == pytest.approx(synthesis.area_um2)
    assert 50 < synthesis.fmax_mhz_estimate < 2000


RAM = """module t(input clk, w, input [8:0] a, input [7:0] d, output reg [7:0] y); reg [7:0] m [0:511];
    always @(posedge clk) begin if (w) m[a] <= d; y <= m[a]; end endmodule"""
GATE_AND_REGISTER = """module t(input [3:0] a, input clk, input [7:0] d, output y, output reg [7:0] q);
    assign y = &a; always @(posedge clk) q <= d; endmodule"""


@pytest.mark.parametrize("family", ["ice40", "ecp5"])
def test_lookup_tables_one_can_count(family):
    both = luts(GATE_AND_REGISTER, family)
    assert (both.lut4, both.flip_flops, both.block_rams) == (1, 8, 0)
    assert luts(RAM, family).block_rams == 1


def test_a_tree_of_tables():
    assert luts("module t(input [15:0] a, output y); assign y = ^a; endmodule").lut4 == 5


class Plain(Elaboratable):
    def __init__(self):
        self.x = Signal(signed(4))
        self.y = Signal(signed(5))

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.y.eq(-self.x)
        return m


def test_an_elaboratable_names_its_ports():
    plain = Plain()
    assert simulate(plain, {"x": [-8, 0, 7]}, ports=[plain.x, plain.y])["y"].tolist() == [8, 0, -7]
    with pytest.raises(BadInput, match="Plain is not a wiring.Component"):
        synthesise(plain)
    with pytest.raises(BadInput, match="Ports are signals"):
        synthesise(plain, ports=[Cat(plain.x, plain.y)])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"a": None}, "give every input"),
        ({"c": 1}, "give every input"),
        ({"a": np.zeros(9, int)}, "all of one shape"),
        ({"a": 0, "b__0": 0, "wide": 0}, "beside at least one array"),
        ({"a": np.zeros((2, 2, 2), int)}, "all of one shape"),
        ({"a": np.full(5, 256)}, "input a has 8 bits, got values from 256"),
        ({"a": np.full(5, -129)}, "input a has 8 bits"),
        ({"a": np.zeros(5)}, "takes integers, got float64"),
    ],
)
def test_stimulus_that_cannot_be_is_refused(mac, changes, message):
    inputs = {name: values for name, values in (operands((5,)) | changes).items() if values is not None}
    for function in (simulate, energy):
        with pytest.raises(BadInput, match=message):
            function(mac, inputs)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Design.of(7), "A design is"),
        (lambda: Design.of("module t(inout a, output y); assign y = a; endmodule"), "ports in both directions"),
        (lambda: Design.of("module t; endmodule"), "no top module with ports"),
        (lambda: Design.of("module t(input a, output y); assign y = a; endmodule", top="u"), "u"),
        (lambda: simulate(Mac(), operands((5,)), engine="icarus"), "engine must be"),
        (lambda: synthesise(MEMORY), "store is a memory and nothing else"),
        (lambda: luts(RAM, "virtex"), "family must be one of ice40, ecp5"),
    ],
)
def test_designs_that_cannot_be_are_refused(call, message):
    with pytest.raises(BadInput, match=message):
        call()


def test_a_synthesis_is_shown_in_a_line():
    synthesis = synthesise(Mac())
    shown = repr(synthesis)
    assert shown == str(synthesis)
    assert "\n" not in shown
    assert shown.startswith(f"Synthesis(Mac: {synthesis.area_um2:.6g} um2, ")
    assert shown.endswith(f"{synthesis.flip_flops} flip-flops, ihp130)")


def test_names_are_functions_and_come_late():
    assert callable(gatewright.sim.energy)
    assert {name for name in gatewright.sim.__all__ if not hasattr(gatewright.sim, name)} == set()
    with pytest.raises(AttributeError, match="no attribute 'joules'"):
        gatewright.sim.joules  # noqa: B018
    code = "import sys, gatewright.sim; sys.exit('numpy' in sys.modules or 'amaranth' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def run(*command, cwd):
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{cwd}"}
    return subprocess.run([sys.executable, *command], cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def test_the_example_passes_its_own_tests():
    done = run("-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=ROOT / "examples" / "own_block")
    assert done.returncode == 0, done.stdout
    assert "8 passed" in done.stdout


def test_the_tutorial_runs():
    blocks = (ROOT / "docs" / "library.md").read_text().split("```python\n")[1:]
    code = "\n".join(block.partition("```")[0] for block in blocks)
    assert len(blocks) >= 4
    done = run("-c", code, cwd=ROOT / "examples" / "own_block")
    assert done.returncode == 0, done.stderr
