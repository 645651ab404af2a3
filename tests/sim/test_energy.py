"""The energy chain against a netlist worked out by hand: a flip-flop that toggles every cycle, and two inverters.

q -> INV -> n -> INV -> y        n -> D of the flip-flop, so q toggles at every clock edge
"""

import dataclasses

import numpy as np
import pytest

from gatewright.hw.errors import BadInput
from gatewright.sim.energy_analysis import energy
from gatewright.sim.gates import Accesses, Toggles, Transitions
from gatewright.sim.memories import ihp130_memories
from gatewright.sim.netlist import Cells, Memory, Netlist
from gatewright.sim.technology import Conventions, from_liberty
from gatewright.sim.timing import critical_path

LIBERTY = """
library (tiny) {
  time_unit : "1ns"; voltage_unit : "1V"; nom_voltage : 2.0; leakage_power_unit : "1nW"; capacitive_load_unit (1,ff);
  lu_table_template (loads) { variable_1 : total_output_net_capacitance; index_1 ("0, 20"); }
  power_lut_template (loads) { variable_1 : total_output_net_capacitance; index_1 ("0, 20"); }
  cell (INV) { area : 1;
    leakage_power () { value : 2; when : "A&!Y"; }
    leakage_power () { value : 1; when : "!A&Y"; }
    pin (A) { direction : input; capacitance : 10; }
    pin (Y) { direction : output; function : "!A";
      internal_power () { related_pin : A; rise_power (loads) { values ("4, 6"); } fall_power (loads) { values ("2, 4"); } }
      timing () { related_pin : A; timing_sense : negative_unate;
        cell_rise (loads) { values ("0.1, 0.3"); } cell_fall (loads) { values ("0.1, 0.2"); }
        rise_transition (scalar) { values ("0.1"); } fall_transition (scalar) { values ("0.1"); } } } }
  cell (DFF) { area : 5; cell_leakage_power : 3;
    ff (IQ, IQN) { clocked_on : CK; next_state : D; }
    pin (CK) { direction : input; capacitance : 5; clock : true;
      internal_power () { when : "D&!Q"; rise_power (scalar) { values ("0"); } fall_power (scalar) { values ("8"); } }
      internal_power () { when : "!D&Q"; rise_power (scalar) { values ("0"); } fall_power (scalar) { values ("10"); } }
      internal_power () { rise_power (scalar) { values ("4"); } fall_power (scalar) { values ("6"); } } }
    pin (D) { direction : input; capacitance : 3;
      internal_power () { when : "CK"; rise_power (scalar) { values ("2"); } fall_power (scalar) { values ("0"); } }
      internal_power () { when : "!CK"; rise_power (scalar) { values ("12"); } fall_power (scalar) { values ("6"); } }
      timing () { related_pin : CK; timing_type : setup_rising; rise_constraint (scalar) { values ("0.05"); } } }
    pin (Q) { direction : output; function : IQ;
      internal_power () { related_pin : CK; rise_power (scalar) { values ("7"); } fall_power (scalar) { values ("5"); } }
      timing () { related_pin : CK; timing_type : rising_edge; cell_rise (scalar) { values ("0.4"); } cell_fall (scalar) { values ("0.2"); }
        rise_transition (scalar) { values ("0.1"); } fall_transition (scalar) { values ("0.1"); } } } }
}
"""
CK, Q, N, Y = 2, 3, 4, 5
PERIOD_NS = 10.0


def nets(*rows):
    return np.array(rows, dtype=np.int32)


@pytest.fixture
def ring():
    cells = {
        "INV": Cells(("A", "Y"), nets([Q, N], [N, Y]), nets(0, 1)),
        "DFF": Cells(("CK", "D", "Q"), nets([CK, N, Q]), nets(1)),
    }
    return Netlist("ring", 6, CK, {"clk": nets(CK)}, {"y": nets(Y)}, cells, paths=((), ("block",)))


@pytest.fixture
def counts():
    return Toggles(50, 2, np.array([0, 0, 0, 100, 100, 100]), np.array([0, 100, 0, 50, 50, 50]))


@pytest.fixture
def technology(tmp_path):
    return make(tmp_path, LIBERTY)


def make(folder, text, **conventions):
    path = folder / "tiny.lib"
    path.write_text(text)
    return from_liberty(path, conventions=Conventions(slew_ns=0.1, **conventions))


def test_every_part_in_closed_form(ring, counts, technology):
    report = energy(ring, counts, technology, PERIOD_NS)
    half_v2 = 0.5 * 2.0**2
    # net q carries one inverter (10 fF), net n the flip-flop's D and an inverter (13 fF), net y nothing
    assert report.switching.tolist() == pytest.approx([100 * 13 * half_v2 / 1e3, 0.0, 100 * 10 * half_v2 / 1e3])
    # inverters: mean of rise and fall 3 fJ unloaded, 5 fJ at 20 fF; Q 6 fJ a toggle, D 1 fJ a toggle since the clock is high
    assert report.internal.tolist() == pytest.approx([0.43, 0.30, 100 * (6 + 1) / 1e3])
    # the pin's 5 fF twice a cycle; data always differs from the state: 8 or 10 fJ, never the 4 + 6 of the group without `when`
    assert report.clock.tolist() == pytest.approx([0, 0, 100 * (2 * half_v2 * 5 + 9) / 1e3])
    # 1 and 2 nW half of the time each; 3 nW; 1000 ns
    assert report.leakage.tolist() == pytest.approx([1.5e-3, 1.5e-3, 3e-3])
    assert report.total_pj == pytest.approx(2.6 + 2.0 + 0.43 + 0.3 + 0.7 + 2.9 + 6e-3)
    assert report.per_cycle_pj == pytest.approx(report.total_pj / 100)
    assert sum(report.parts.values()) == pytest.approx(report.total_pj)


STATES = """
library (states) { nom_voltage : 2.0; capacitive_load_unit (1,ff);
  cell (DFF) { area : 5; cell_leakage_power : 9;
    leakage_power () { value : 4; when : CK; }
    ff (IQ, IQN) { clocked_on : CK; next_state : D; }
    pin (CK) { direction : input; capacitance : 5; clock : true;
      internal_power () { when : "D&LOW"; fall_power (scalar) { values ("8"); } }
      internal_power () { when : "!D&HIGH"; fall_power (scalar) { values ("10"); } }
      internal_power () { when : "D&HIGH"; fall_power (scalar) { values ("3"); } }
      internal_power () { when : "!D&LOW"; fall_power (scalar) { values ("5"); } } }
    pin (D) { direction : input; }
    pin (Q) { direction : output; function : FUNCTION; } }
  cell (AND2) { area : 2;
    pin (A) { direction : input; capacitance : 1; }
    pin (B) { direction : input; capacitance : 2; }
    pin (Y) { direction : output; function : "A&B";
      internal_power () { related_pin : A; when : B; rise_power (scalar) { values ("4"); } fall_power (scalar) { values ("6"); } }
      internal_power () { related_pin : A; rise_power (scalar) { values ("500"); } fall_power (scalar) { values ("700"); } }
      internal_power () { related_pin : B; rise_power (scalar) { values ("10"); } fall_power (scalar) { values ("30"); } } } }
}
"""
UPRIGHT = STATES.replace("LOW", "!Q").replace("HIGH", "Q").replace("FUNCTION", "IQ")
INVERTED = STATES.replace("LOW", "Q").replace("HIGH", "!Q").replace("FUNCTION", "IQN")


@pytest.mark.parametrize(
    ("text", "high", "toggles", "connected", "expected_fj"),
    [
        # in 100 cycles the state rises 20 times and falls 20 times, stays 1 in 40 and 0 in 20
        (UPRIGHT, 60, 40, True, 20 * 8 + 20 * 10 + 40 * 3 + 20 * 5),
        (INVERTED, 40, 40, True, 20 * 8 + 20 * 10 + 40 * 3 + 20 * 5),
        # 0 in 10 cycles: it cannot leave 1 more often than that, whatever was counted across the ends of windows
        (UPRIGHT, 90, 40, True, 10 * 8 + 10 * 10 + 80 * 3),
        # nobody looks at it: either state is as likely, and it stays
        (UPRIGHT, 60, 40, False, 50 * 3 + 50 * 5),
    ],
)
def test_a_clock_edge_costs_what_the_states_before_and_after_it_say(tmp_path, text, high, toggles, connected, expected_fj):
    pins, row = (("CK", "D", "Q"), [CK, N, Q]) if connected else (("CK", "D"), [CK, N])
    netlist = Netlist("flop", 6, CK, {"clk": nets(CK), "d": nets(N)}, {}, {"DFF": Cells(pins, nets(row), nets(0))})
    counted = Toggles(50, 2, np.array([0, 0, 200, toggles, 30, 0]), np.array([0, 100, 50, high, 50, 0]))
    report = energy(netlist, counted, make(tmp_path, text), PERIOD_NS)
    pin = 100 * 2 * 5 * 0.5 * 2.0**2  # the clock net's load is the flip-flops', though the clock is a port that toggles
    assert report.clock.tolist() == pytest.approx([(pin + expected_fj) / 1e3])
    assert report.ports_pj == 0.0


def test_leakage_of_a_flip_flop_has_the_clock_high_half_of_the_time(tmp_path):
    """1000 ns in all: 4 nW in half of them, 9 nW in the others."""
    netlist = Netlist("flop", 6, CK, {"clk": nets(CK), "d": nets(N)}, {}, {"DFF": Cells(("CK", "D"), nets([CK, N]), nets(0))})
    counted = Toggles(50, 2, np.array([0, 0, 200, 0, 0, 0]), np.array([0, 100, 90, 0, 60, 0]))
    report = energy(netlist, counted, make(tmp_path, UPRIGHT), PERIOD_NS)
    assert report.leakage.tolist() == pytest.approx([(0.5 * 4 + 0.5 * 9) * 1000 * 1e-6])


def test_an_outputs_energy_is_that_of_the_inputs_that_move_it(tmp_path):
    """A moves in 60 of 100 cycles and B in 20; A is 1 in a quarter of the time, B in half. A moves the output where B is 1, at 5 fJ (the
    group without `when` has no states left); B where A is 1, at 20 fJ. Weights: 60 x 1/2 and 20 x 1/4."""
    cells = {"AND2": Cells(("A", "B", "Y"), nets([CK, Q, N]), nets(0))}
    netlist = Netlist("and", 6, -1, {"a": nets(CK), "b": nets(Q)}, {"y": nets(N)}, cells)
    counted = Toggles(50, 2, np.array([0, 0, 60, 20, 36, 0]), np.array([0, 100, 25, 50, 12, 0]))
    report = energy(netlist, counted, make(tmp_path, UPRIGHT), PERIOD_NS)
    assert report.internal.tolist() == pytest.approx([36 * (30 * 5 + 5 * 20) / 35 / 1e3])
    assert report.ports_pj == pytest.approx((60 * 1 + 20 * 2) * 2 / 1e3)
    # B tied to 1, whatever its count says: A alone moves the output, always at 5 fJ
    tied = Netlist("and", 6, -1, {"a": nets(CK)}, {"y": nets(N)}, {"AND2": Cells(("A", "B", "Y"), nets([CK, 1, N]), nets(0))})
    silent = dataclasses.replace(counted, high=np.array([0, 0, 25, 50, 12, 0]))
    assert energy(tied, silent, make(tmp_path, UPRIGHT), PERIOD_NS).internal.tolist() == pytest.approx([36 * 5 / 1e3])


def test_blocks_and_types_add_up(ring, counts, technology):
    report = energy(ring, counts, technology, PERIOD_NS)
    assert report.by_path() == pytest.approx({(): 2.6 + 0.43 + 1.5e-3, ("block",): 0.3 + 1.5e-3 + 2.0 + 0.7 + 2.9 + 3e-3})
    assert report.by_path(0) == pytest.approx({(): report.logic_pj})
    assert report.by_type() == pytest.approx({"INV": 2.6 + 0.43 + 0.3 + 3e-3, "DFF": 2.0 + 0.7 + 2.9 + 3e-3})


def test_a_register_that_never_changes_pays_its_clock_only(ring, technology):
    still = Toggles(50, 2, np.zeros(6, dtype=np.int64), np.array([0, 100, 0, 100, 0, 100]))
    report = energy(ring, still, technology, PERIOD_NS)
    assert report.parts["switching"] == report.parts["internal"] == 0
    assert report.parts["clock"] == pytest.approx(100 * (20 + 10) / 1e3)


def test_wires_and_clock_level_are_assumptions(ring, counts, technology, tmp_path):
    base = energy(ring, counts, technology, PERIOD_NS)
    wired = energy(ring, counts, make(tmp_path, LIBERTY, wire_ff_per_sink=1.0), PERIOD_NS)
    # three more fF on toggling nets (n has two sinks), one on the clock; the loaded inverter's energy follows its load
    assert wired.logic_pj - base.logic_pj == pytest.approx(100 * (3 * 2 + 2 * 2 * 1 + 2 * 2 / 20) / 1e3)
    low = energy(ring, counts, make(tmp_path, LIBERTY, clock_high=0.0), PERIOD_NS)
    assert low.internal[2] - base.internal[2] == pytest.approx(100 * (9 - 1) / 1e3)


def test_nets_of_input_ports_count_once(technology, counts):
    cells = {"INV": Cells(("A", "Y"), nets([Q, N], [Q, Y]), nets(0, 0))}
    report = energy(Netlist("two", 6, -1, {"q": nets(Q)}, {}, cells), counts, technology, PERIOD_NS)
    assert report.ports_pj == pytest.approx(100 * 20 * 2 / 1e3)
    assert report.parts["switching"] == pytest.approx(report.ports_pj)


def test_each_blocks_glitches_are_scaled_by_its_own_transitions(technology):
    """Two inverters that drive nothing, 3 fJ a transition, 10 of 100 cycles timed. One settled 10 times in these and 100 times in all, with
    20 more transitions while timed: 200 in all. The other settled 25 times of 50, with 10 more: 20. A third never settles anew."""
    cells = {"INV": Cells(("A", "Y"), nets([1, CK], [1, Q], [1, N]), nets(0, 1, 2))}
    netlist = Netlist("three", 6, -1, {}, {}, cells, paths=(("busy",), ("quiet",), ("still",)))
    timed = Transitions(10, np.array([0, 0, 30, 35, 0, 0]), np.array([0, 0, 10, 25, 0, 0]))
    counted = Toggles(50, 2, np.array([0, 0, 100, 50, 0, 0]), np.array([0, 100, 50, 50, 0, 0]), timed=timed)
    report = energy(netlist, counted, technology, PERIOD_NS)
    assert report.glitches.tolist() == pytest.approx([200 * 3e-3, 20 * 3e-3, 0.0])
    assert report.logic_pj == pytest.approx(370 * 3e-3 + report.parts["leakage"])
    assert report.zero_delay_pj == pytest.approx(150 * 3e-3 + report.parts["leakage"])
    assert (report.activity, report.timed_cycles) == ("timed", 10)


def test_memories_are_priced_by_access(technology):
    cost = ihp130_memories().macro_for(64, 16)
    memory = Memory(("ram",), 64, 16, nets(2), nets(*[0] * 6), nets(*range(4, 20)), nets(*[3] * 16), nets(*[0] * 6), nets(*[0] * 16))
    netlist = Netlist(
        "m", 20, -1, {"re": nets(2), "we": nets(3)}, {"q": memory.read_data}, {"INV": Cells(("A", "Y"), nets([4, 5]), nets(0))}, (memory,)
    )
    toggles = np.zeros(20, dtype=np.int64)
    toggles[4] = 40
    counts = Toggles(50, 2, toggles, np.zeros(20, dtype=np.int64), {"ram": Accesses(30, 10, 0, 0)})
    report = energy(netlist, counts, technology, PERIOD_NS)
    assert (report.memories[0].reads, report.memories[0].writes) == (30, 10)
    expected = 30 * cost.read_pj + 10 * cost.write_pj + 100 * cost.idle_pj + cost.leakage_nw * 1e-3
    assert report.memory_pj == pytest.approx(expected)
    assert report.with_memories(2.0) - report.with_memories(0.5) == pytest.approx(1.5 * expected)
    # what the memory drives is logic: 40 toggles of 10 fF, in the memory's block; and an inverter that leaks 1 nW for 1000 ns
    assert report.logic_pj == pytest.approx(40 * 10 * 2 / 1e3 + 1e-3)
    assert report.by_path()[("ram",)] == pytest.approx(0.8)
    with pytest.raises(BadInput, match="accesses of ram were not counted"):
        energy(netlist, dataclasses.replace(counts, memories={}), technology)


@pytest.mark.parametrize(
    ("old", "new", "change_pj"),
    [
        ("pin (A) { direction : input; capacitance : 10", "pin (A) { direction : input; capacitance : 11", 0.4 + 0.01),
        ('values ("4, 6"); } fall', 'values ("6, 8"); } fall', 0.2),
        ('fall_power (scalar) { values ("8")', 'fall_power (scalar) { values ("9")', 0.05),
        ("nom_voltage : 2.0", "nom_voltage : 4.0", 3 * (2.6 + 2.0 + 2.0)),
    ],
)
def test_a_changed_library_is_noticed(ring, counts, technology, tmp_path, old, new, change_pj):
    assert old in LIBERTY
    before = energy(ring, counts, technology, PERIOD_NS).total_pj
    after = energy(ring, counts, make(tmp_path, LIBERTY.replace(old, new, 1)), PERIOD_NS).total_pj
    assert after - before == pytest.approx(change_pj)


def test_one_more_toggle_is_noticed(ring, counts, technology):
    more = dataclasses.replace(counts, toggles=counts.toggles + np.array([0, 0, 0, 0, 1, 0]))
    change = energy(ring, more, technology).total_pj - energy(ring, counts, technology).total_pj
    assert change == pytest.approx((13 * 2 + 4.3 + 1) / 1e3)  # its load, the inverter that drives it, and D


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"toggles": np.zeros(5, dtype=np.int64)}, "5 toggles for 6 nets"),
        ({"toggles": np.full(6, -1)}, "cannot be negative"),
        ({"high": np.full(6, 101)}, "high in 101 of 100 cycles"),
        ({"streams": 0}, "at least one cycle"),
    ],
)
def test_counts_that_cannot_be_are_refused(ring, counts, technology, changes, rule):
    with pytest.raises(BadInput, match=rule):
        energy(ring, dataclasses.replace(counts, **changes), technology)


def test_a_cell_the_library_lacks_is_named(counts, technology):
    netlist = Netlist("odd", 6, -1, {}, {}, {"NAND9": Cells(("Y",), nets([N]), nets(0))})
    for function in (lambda: energy(netlist, counts, technology), lambda: critical_path(netlist, technology)):
        with pytest.raises(BadInput, match="lacks the cells NAND9"):
            function()


def test_the_critical_path_in_closed_form(ring, technology):
    report = critical_path(ring, technology)
    # clock to Q 0.4, the inverter at 13 fF 0.1 + 0.2 * 13 / 20 = 0.23, setup 0.05; the second inverter at 0 fF ends at 0.73
    assert report.critical_path_ns == pytest.approx(0.4 + 0.23 + 0.1)
    assert [(kind, path) for kind, path, _ in report.stages] == [("DFF", ("block",)), ("INV", ()), ("INV", ("block",))]
    assert report.stages[1][2] == pytest.approx(0.63)
    slower = from_liberty(technology.liberty_files()[0], conventions=Conventions(slew_ns=0.1, wire_ff_per_sink=20))
    # 53 fF on n, beyond the table: 0.1 + 0.01 * 53; q carries 30 fF but Q's delay is constant; then y
    assert critical_path(ring, slower).critical_path_ns == pytest.approx(0.4 + 0.63 + 0.1)


def test_setup_and_memories_end_paths(technology):
    cells = {"DFF": Cells(("CK", "D", "Q"), nets([CK, Q, N]), nets(0)), "INV": Cells(("A", "Y"), nets([Y, Q]), nets(0))}
    cost = ihp130_memories().macro_for(64, 1)
    memory = Memory(("ram",), 64, 1, nets(N), nets(*[0] * 6), nets(Y), nets(0), nets(*[0] * 6), nets(0))
    netlist = Netlist("m", 6, CK, {"clk": nets(CK)}, {}, cells, (memory,))
    report = critical_path(netlist, technology)
    assert report.critical_path_ns == pytest.approx(cost.access_ns + 0.1 + 0.2 * 3 / 20 + 0.05)
    assert [kind for kind, _, _ in report.stages] == ["memory", "INV"]
    assert report.fmax_mhz_estimate == pytest.approx(1e3 / report.critical_path_ns)


def test_a_loop_is_refused(technology):
    cells = {"INV": Cells(("A", "Y"), nets([Q, N], [N, Q]), nets(0, 0))}
    with pytest.raises(BadInput, match="loop"):
        critical_path(Netlist("loop", 6, -1, {}, {}, cells), technology)
