"""Wires, clock tree and clock gating: the models by hand, on netlists small enough to count."""

import numpy as np
import pytest
from scipy.interpolate import RegularGridInterpolator

from gatewright.hw.errors import BadInput
from gatewright.sim.clock_tree import clock_tree, gated
from gatewright.sim.energy_analysis import energy, net_loads
from gatewright.sim.gates import simulate
from gatewright.sim.left_out import left_out, table
from gatewright.sim.synthesis import synthesise
from gatewright.sim.technology import Conventions, ihp130, technology_named
from gatewright.sim.wires import UTILISATION, Regions, donath, toggles_of, tree
from tests.sim.designs import COUNTER

TWO = """
module half(input clk, input [3:0] a, output reg [3:0] q);
    always @(posedge clk) q <= a ^ {a[0], a[3:1]};
endmodule
module two(input clk, input rst, input [3:0] a, output [3:0] x);
    wire [3:0] between;
    half first (.clk(clk), .a(a), .q(between));
    half second (.clk(clk), .a(between), .q(x));
endmodule
"""

NESTED = """
module pair(input clk, input [3:0] a, output [3:0] x);
    wire [3:0] between;
    half first (.clk(clk), .a(a), .q(between));
    half second (.clk(clk), .a(between), .q(x));
endmodule
module nested(input clk, input rst, input [3:0] a, output [3:0] x);
    wire [3:0] between;
    pair inner (.clk(clk), .a(a), .x(between));
    half last (.clk(clk), .a(between), .q(x));
endmodule
"""


@pytest.fixture(scope="module")
def counter():
    technology = ihp130()
    netlist = synthesise(COUNTER, "counter", technology.liberty_files())
    toggles = simulate(netlist, technology.library, {"up": np.random.default_rng(0).integers(0, 2, (100, 8))}).toggles
    return technology, toggles, energy(netlist, toggles, technology)


def test_donaths_bound() -> None:
    """Figures of the formula worked out with a calculator: exponent 0.6, 1000 cells; it grows with both, and is at least a pitch."""
    assert donath(1000, 0.6) == pytest.approx(4.59, abs=0.02)
    assert donath(4, 0.6) == pytest.approx(2 / 9 * (7 - 1) * 1, rel=1e-9)
    assert donath(1000, 0.5 + 1e-9) < donath(1000, 0.6) < donath(1000, 0.7) < donath(4000, 0.7)
    assert donath(1) == 1.0


def test_trees_through_random_points() -> None:
    """Two points of a square of side 1 are 2/3 apart (1/3 in each direction); a Monte Carlo of half the box agrees for three."""
    assert tree(np.array([1.0, 2.0]), np.array([1.0, 9.0])) == pytest.approx([0.0, 2.0])
    points = np.random.default_rng(0).random((20000, 3, 2))
    assert tree(np.array([3.0]), np.array([1.0]))[0] == pytest.approx(np.ptp(points, axis=1).sum(axis=1).mean(), rel=0.01)
    assert tree(np.array([400.0]), np.array([1.0]))[0] == pytest.approx(0.71 * 20)


def test_lengths_of_nets_in_and_between_blocks() -> None:
    technology = ihp130()
    netlist = synthesise(TWO, "two", technology.liberty_files())
    regions = Regions(netlist, technology)
    lengths = regions.lengths()
    area = sum(technology.library.cells[cell.type].area for cell in netlist.each_cell()) / UTILISATION
    assert regions.area == pytest.approx(area)
    assert lengths[netlist.clock] == lengths[0] == lengths[1] == 0.0
    first = {net for cell in netlist.each_cell() if cell.path == ("first",) for pin, net in cell.pins.items() if pin == "Q"}
    assert len(first) == 4
    pins = [(net, cell.path) for cell in netlist.each_cell() for net in cell.pins.values()]
    for net in first:
        inside = sum(one == net and path == ("second",) for one, path in pins) - 1
        cells = sum(cell.path == ("second",) for cell in netlist.each_cell())
        hop = donath(cells) * np.sqrt(area / 2 / cells)
        assert lengths[net] == pytest.approx(2 / 3 * np.sqrt(area) + inside * hop, rel=1e-6)


def test_a_net_between_blocks_stays_in_the_block_around_both() -> None:
    """Of three equal blocks two stand in a block of their own: nets between these cross two thirds of its square's side, nets that leave
    it two thirds of the whole square's."""
    technology = ihp130()
    netlist = synthesise(TWO[: TWO.index("module two")] + NESTED, "nested", technology.liberty_files())
    area = sum(technology.library.cells[cell.type].area for cell in netlist.each_cell()) / 0.7
    lengths, cells = Regions(netlist, technology).lengths(), list(netlist.each_cell())
    hop = donath(len(cells) / 3) * np.sqrt(area / len(cells))
    for driver, reader, square in ((("inner", "first"), ("inner", "second"), 2 / 3 * area), (("inner", "second"), ("last",), area)):
        driven = {cell.pins["Q"] for cell in cells if cell.path == driver and "Q" in cell.pins}
        assert len(driven) == 4
        for net in driven:
            inside = sum(list(cell.pins.values()).count(net) for cell in cells if cell.path == reader) - 1
            assert lengths[net] == pytest.approx(2 / 3 * np.sqrt(square) + inside * hop)


def test_donaths_formula_at_the_exponent_of_the_page() -> None:
    """0.65: N^(p - 1/2) = 100^0.15 = 1.99526, 4^0.15 = 1.23114, N^(p - 3/2) = 0.019953, 4^-0.85 = 0.30779, 4^-0.35 = 0.61557,
    N^-0.35 = 0.19953; 2/9 (7 x 0.99526 / 0.23114 - 0.980047 / 0.69221) x 0.38443 / 0.80047 = 3.0657."""
    assert donath(100) == pytest.approx(3.0657, rel=1e-3)


def test_wires_take_what_their_length_says(counter) -> None:
    """Half of the bound, 0.173 fF a micrometre, C V^2 / 2 at 1.2 V for each change."""
    technology, toggles, report = counter
    row = left_out("counter", [report], [1.0], technology)
    lengths = Regions(report.netlist, technology).lengths()
    driven = np.unique(np.concatenate([cells.pin(pin) for cells in report.netlist.cells.values() for pin in cells.pins if pin in "XYQ"]))
    read = driven[net_loads(report.netlist, technology)[driven] > 0]
    expected = 0.5 * (lengths[read] * toggles.toggles[read]).sum() * 0.173 * 0.5 * 1.44 * 1e-3
    assert row.wires == pytest.approx(expected / report.logic_pj)
    assert row.wire_um == pytest.approx(0.5 * lengths[lengths > 0].mean())


def test_toggles_come_back_from_energies(counter) -> None:
    technology, toggles, report = counter
    loaded = net_loads(report.netlist, technology) > 0
    driven = np.zeros(report.netlist.nets, bool)
    for kind, cells in report.netlist.cells.items():
        for pin in technology.library.cells[kind].outputs:
            driven[cells.pin(pin.name)] = True
    found = toggles_of(report, technology)
    assert found[loaded & driven] == pytest.approx(toggles.toggles[loaded & driven])


def test_wires_cost_what_a_convention_says(counter) -> None:
    """The added energy of a wire is the switching of its capacitance: two analyses with and without 1 fF a sink differ by the same."""
    technology, toggles, report = counter
    more = energy(report.netlist, toggles, technology.replace(Conventions(wire_ff_per_sink=1.0)))
    sinks = net_loads(report.netlist, technology.replace(Conventions(wire_ff_per_sink=1.0))) - net_loads(report.netlist, technology)
    expected = (toggles_of(report, technology) * sinks).sum() * 0.5 * 1.2**2 * 1e-3
    assert more.switching.sum() - report.switching.sum() == pytest.approx(expected)


def test_a_clock_tree_by_hand() -> None:
    """64 flip-flops in four groups of 16: four leaf buffers and a root, an H of one and a half sides, trees in the groups."""
    made = clock_tree(64, 1e4, ihp130())
    assert made.buffers == 5
    assert made.wire_um == pytest.approx(1.5 * 100 * (2 - 1) + 0.71 * 8 * 100)
    assert made.wires_pj == pytest.approx(made.wire_um * 0.145e-3 * 1.44)
    pins = 5 * 2.26e-3 * 1.44
    assert pins < made.buffers_pj < 20 * pins
    assert clock_tree(1, 100.0, ihp130()).buffers == 1
    larger = clock_tree(64, 4e4, ihp130())
    assert larger.wires_pj == pytest.approx(2 * made.wires_pj)
    assert larger.buffers == 5
    with pytest.raises(BadInput, match="at least one flip-flop, got 0"):
        clock_tree(0, 1.0, ihp130())


def test_a_trees_buffers_by_hand() -> None:
    """Four at groups of 16 flip-flops of 2.76976 fF with 0.71 x 800 / 4 um of wire, one at an H of 150 um and four buffers; each edge of
    each from the library's table, by SciPy, and the capacitance of its input."""
    technology = ihp130()
    buffer = technology.library.cells["sg13g2_buf_1"]
    (power,), given = buffer.pins["X"].powers, buffer.pins["A"].capacitance_ff
    assert not buffer.pins["A"].powers

    def cycle(load: float) -> float:
        edges = (RegularGridInterpolator((table.slews, table.loads), table.values) for table in (power.rise, power.fall))
        return sum(float(at((technology.slew_ns, load)).item()) for at in edges)

    leaves, root = cycle(142.0 * 0.145 + 16 * 2.76976), cycle(150.0 * 0.145 + 4 * given)
    assert clock_tree(64, 1e4, technology).buffers_pj == pytest.approx((4 * leaves + root + 5 * given * 1.44) / 1e3, rel=1e-6)


@pytest.mark.parametrize(("name", "ff_per_um", "volts"), [("ihp130", 0.145, 1.2), ("sky130", 0.215, 1.8), ("asap7", 0.145, 0.7)])
def test_a_trees_wires_take_what_their_length_says(name, ff_per_um, volts) -> None:
    made = clock_tree(100, 900.0, technology_named(name))
    assert made.wire_um == pytest.approx(1.5 * 30 * (7**0.5 - 1) + 0.71 * 300)
    assert made.wires_pj == pytest.approx(made.wire_um * ff_per_um * volts**2 * 1e-3)


@pytest.mark.parametrize("name", ["ihp130", "sky130", "asap7"])
def test_every_technology_has_a_tree(name) -> None:
    made = clock_tree(1000, 100 * technology_named(name).library.cells[_flip_flop(name)].area * 1000, technology_named(name))
    assert made.buffers_pj > 0
    assert made.wires_pj > 0


def _flip_flop(name: str) -> str:
    return next(cell.name for cell in technology_named(name).library.cells.values() if cell.clock_pin)


def test_gating_saves_the_clock_of_what_stands_still(counter) -> None:
    """Counted here cell by cell; a register that never changes saves all of its clock, one that always does nothing."""
    technology, toggles, report = counter
    clocked = [cell for cell in report.netlist.each_cell() if technology.library.cells[cell.type].ff]
    rates = [toggles.toggles[cell.pins["Q"]] / toggles.samples for cell in clocked]
    energies = [report.clock[int(cell.name[1:])] for cell in clocked]
    each, block = gated(report, technology)
    loads = net_loads(report.netlist, technology)
    known = [rate if loads[cell.pins["Q"]] > 0 else 0.0 for rate, cell in zip(rates, clocked, strict=True)]
    assert each == pytest.approx(sum(energy * (1 - rate) for energy, rate in zip(energies, known, strict=True)))
    assert block == pytest.approx(sum(energies) * (1 - max(known)))
    assert 0 < block < each < report.parts["clock"]


def test_the_summary_adds_up(counter) -> None:
    technology, _, report = counter
    row = left_out("counter", [report, report], [1.0, 3.0], technology)
    once = left_out("counter", [report], [1.0], technology)
    assert (row.wires, row.tree, row.gated_each) == pytest.approx((once.wires, once.tree, once.gated_each))
    assert row.wires_bound == pytest.approx(2 * row.wires)
    assert row.clock == pytest.approx(report.parts["clock"] / report.logic_pj)
    assert 0 < row.gated_blocks < row.gated_each < row.clock
    assert row.tree_of_clock == pytest.approx(row.tree / row.clock)
    assert "| ihp130 | counter | 8 |" in table([row])
