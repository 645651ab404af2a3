"""Technologies: the embedded ones, any Liberty file, and the compact libraries against the full ones."""

import json
import os
import re
from pathlib import Path

import pytest

from gatewright.hw.errors import BadInput
from gatewright.sim.compact import compact, from_json, to_json
from gatewright.sim.comparison import BLOCKS, compare, table
from gatewright.sim.derive import RECIPES, derive_cells
from gatewright.sim.liberty import loads
from gatewright.sim.memory_table import DATA as MEMORIES
from gatewright.sim.memory_table import SCALINGS, Table
from gatewright.sim.synthesis import synthesise
from gatewright.sim.technology import DATA, EMBEDDED, Conventions, Technology, from_liberty, ihp130, memories_of, technology_named

CELLS = RECIPES["ihp130"].cells
by_name = pytest.mark.parametrize("name", EMBEDDED)


def full(name: str) -> list[Path]:
    """The full library of a technology: GATEWRIGHT_FULL_IHP130 and so on name its files, with colons between them."""
    variable = f"GATEWRIGHT_FULL_{name.upper()}"
    if not os.environ.get(variable):
        pytest.skip(f"{variable} does not name the full library of {name}")
    return [Path(path) for path in os.environ[variable].split(":")]


INVERTER = """library (one) { nom_voltage : 1; capacitive_load_unit (1,ff);
lu_table_template (t) { variable_1 : input_net_transition; variable_2 : total_output_net_capacitance; index_1 ("0, 1"); index_2 ("0, 10"); }
cell (INV) { area : 1; pin (A) { direction : input; capacitance : 2; }
pin (Y) { direction : output; function : "!A"; timing () { related_pin : A;
rise_transition (t) { values ("0.1, 0.2", "0.6, 0.7"); } fall_transition (t) { values ("0.1, 0.2", "0.6, 0.7"); } } } }
}"""

LARGE = """library (large) { nom_voltage : 1.5; capacitive_load_unit (1,ff);
lu_table_template (t) { variable_1 : input_net_transition; variable_2 : total_output_net_capacitance;
index_1 ("0, 1, 2"); index_2 ("0, 10, 20"); }
power_lut_template (t) { variable_1 : input_net_transition; variable_2 : total_output_net_capacitance;
index_1 ("0, 1, 2"); index_2 ("0, 10, 20"); }
cell (NAND) { area : 3; cell_leakage_power : 7; leakage_power () { value : 5; when : "A&B"; } leakage_power () { value : 9; when : "!A"; }
pin (A) { direction : input; capacitance : 2.25; } pin (B) { direction : input; capacitance : 2.5; }
pin (Y) { direction : output; function : "!(A&B)"; max_capacitance : 20;
internal_power () { related_pin : A; when : B; rise_power (t) { values ("1, 3, 5", "2, 4, 6", "3, 5, 7"); }
fall_power (scalar) { values ("4"); } }
internal_power () { related_pin : A; when : "!B"; rise_power (t) { values ("3, 5, 7", "4, 6, 8", "5, 7, 9"); }
fall_power (scalar) { values ("10"); } }
internal_power () { related_pin : A; rise_power (scalar) { values ("99"); } fall_power (scalar) { values ("99"); } }
internal_power () { related_pin : B; rise_power (t) { values ("6, 6, 6", "8, 8, 8", "10, 10, 10"); } fall_power (scalar) { values ("8"); } }
timing () { related_pin : A; timing_sense : negative_unate; when : B; cell_rise (t) { values ("1, 2, 3", "2, 3, 4", "3, 4, 5"); }
cell_fall (scalar) { values ("0.5"); } }
timing () { related_pin : A; timing_sense : negative_unate; cell_rise (t) { values ("0, 4, 8", "0, 4, 8", "0, 4, 8"); }
cell_fall (scalar) { values ("0.25"); } } } }
cell (DFF) { area : 9; cell_leakage_power : 4; ff (IQ, IQN) { clocked_on : CK; next_state : D; }
pin (CK) { direction : input; clock : true; capacitance : 1.25; internal_power () { when : D; fall_power (scalar) { values ("2"); } }
internal_power () { when : "!D"; fall_power (scalar) { values ("3"); } } }
pin (D) { direction : input; capacitance : 1; timing () { related_pin : CK; timing_type : setup_rising;
rise_constraint (scalar) { values ("0.25"); } fall_constraint (scalar) { values ("0.5"); } }
timing () { related_pin : CK; timing_type : hold_rising;
rise_constraint (scalar) { values ("8"); } fall_constraint (scalar) { values ("9"); } } }
pin (Q) { direction : output; function : IQ; timing () { related_pin : CK; timing_type : rising_edge; cell_rise (scalar) { values ("1"); }
cell_fall (scalar) { values ("2"); } } } }
cell (OTHER) { area : 1; pin (A) { direction : input; capacitance : 1; } pin (Y) { direction : output; function : A; } }
}"""


def test_a_compact_library_by_hand():
    """At slews 0 and 2 and loads 5 and 15: energies are the mean of those with `when`, delays the worst, a clock pin's `when` stays."""
    small = compact(loads(LARGE), ["NAND", "DFF"], [0.0, 2.0], [5.0, 15.0])
    text = to_json(small, {"source": "by hand"}, [0.0, 2.0], [5.0, 15.0])
    for library in (small, from_json(json.loads(text))):
        assert library.voltage == 1.5
        assert set(library.cells) == {"NAND", "DFF"}
        nand, flop = library.cells["NAND"], library.cells["DFF"]
        assert (nand.area, nand.leakage_nw, nand.leakage_states) == (3, 7, ())
        assert (nand.pins["A"].capacitance_ff, nand.pins["B"].capacitance_ff) == (2.25, 2.5)
        first, second = nand.pins["Y"].powers
        assert (first.related_pin, first.when, second.related_pin) == ("A", None, "B")
        assert first.rise.values.tolist() == [[3, 5], [5, 7]]  # 1 to 5 and 3 to 7 over the load, 2 more over the slew
        assert first.fall.values.tolist() == [[7]]
        assert (second.rise.values.tolist(), second.fall.values.tolist()) == ([[6], [10]], [[8]])  # no load's
        (arc,) = nand.pins["Y"].arcs
        assert arc.delay_rise.values.tolist() == [[2, 6], [3.5, 6]]  # 1.5 or 2, 2.5 or 6; then 3.5 or 2, 4.5 or 6
        assert arc.delay_fall.values.item() == 0.5
        states = {power.when.evaluate({"D": 1}): power.fall.values.item() for power in flop.pins["CK"].powers}
        assert states == {1: 2, 0: 3}
        assert (flop.clock_pin, flop.ff.names, flop.ff.next_state) == ("CK", ("IQ", "IQN"), "D")
        assert [table.values.item() for table in flop.pins["D"].setup] == [0.25, 0.5]
        assert (flop.pins["Q"].arcs[0].delay_rise.values.item(), flop.pins["Q"].arcs[0].delay_fall.values.item()) == (1, 2)
    assert to_json(from_json(json.loads(text)), {"source": "by hand"}, [0.0, 2.0], [5.0, 15.0]) == text


def test_figures_of_the_embedded_library():
    """Against the published file: area, capacitance, leakage (pW there), the flip-flop's functions."""
    library = ihp130().library
    assert library.voltage == 1.2
    assert set(library.cells) == set(CELLS)
    inverter, flop = library.cells["sg13g2_inv_1"], library.cells["sg13g2_dfrbpq_1"]
    assert (inverter.area, inverter.leakage_nw, inverter.pins["A"].capacitance_ff) == (5.4432, 0.063003, 2.86745)
    assert (flop.area, flop.clock_pin, flop.ff.clear, flop.pins["D"].capacitance_ff) == (48.9888, "CLK", "!RESET_B", 1.41954)
    waits = [power for power in flop.pins["CLK"].powers if power.when is not None and power.when.evaluate({"D": 0, "RESET_B": 1, "Q": 1})]
    assert waits[0].fall.at(0.0186, 0.0) == pytest.approx(35.0779, rel=1e-4)


@by_name
def test_source_and_licence_travel_with_the_figures(name):
    data = json.loads((DATA / f"{name}.json").read_text())
    text = technology_named(name).liberty_files()[0].read_text()
    for key in ("source", "licence"):
        assert data[key] in text
    origin = {"ihp130": ("IHP-Open-PDK", "Apache-2.0"), "sky130": ("SkyWater", "Apache-2.0"), "asap7": ("ASAP7", "BSD-3-Clause")}[name]
    assert origin[0] in data["source"]
    assert origin[1] in data["licence"]


@by_name
def test_the_generated_file_serves_synthesis(name):
    verilog = "module t (input clk, rst, input [3:0] a, b, output reg [4:0] s); always @(posedge clk) s <= rst ? 0 : a + b; endmodule"
    technology = technology_named(name)
    netlist = synthesise(verilog, "t", technology.liberty_files())
    assert sum(len(cells) for kind, cells in netlist.cells.items() if technology.library.cells[kind].ff) == 5
    assert set(netlist.cells) <= set(technology.library.cells) == set(RECIPES[name].cells)


def test_unknown_names():
    with pytest.raises(BadInput, match="no embedded technology 'n5'; there are ihp130, sky130, asap7"):
        technology_named("n5")
    with pytest.raises(BadInput, match="no recipe for a technology 'n5'"):
        derive_cells("n5", [])


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("ihp130", "^IHP SG13G2 SRAM macros, cited$"),
        (
            "sky130",
            "^CACTI 7 at 90 nm, cited and scaled: energy x 19.9 = 130/90 nm x .1.8/0.9 V.\\^2 x 3.45 .IHP's macros., area",
        ),
        ("asap7", "^CACTI 7 at 22 nm, cited and scaled: energy x 0.841 = 13.6/22 nm x .0.7/0.6 V.\\^2, area x 0.382, time x 0.618$"),
    ],
)
def test_memories_say_where_they_are_from(name, note):
    technology = technology_named(name)
    assert re.search(note, technology.memories_note)
    assert memories_of(name) is technology.memories
    cost = technology.memories.macro_for(512, 64)
    assert cost.provenance == "cited" if name == "ihp130" else cost.provenance.startswith("cited, scaled: energy x")


def test_memories_shrink_with_the_process():
    """One memory at 130 nm and 1.8 V, 130 nm and 1.2 V, 7 nm and 0.7 V, like the logic beside it."""
    sky, ihp, asap = (memories_of(name).macro_for(1024, 64) for name in ("sky130", "ihp130", "asap7"))
    assert sky.read_pj > 1.8 * ihp.read_pj > 50 * asap.read_pj
    assert sky.area_um2 == pytest.approx(ihp.area_um2, rel=0.2)
    assert ihp.area_um2 > 50 * asap.area_um2


def test_energy_falls_with_process_and_voltage():
    """One block at 130 nm and 1.8 V, 130 nm and 1.2 V, 7 nm and 0.7 V."""
    made = [technology_named(name) for name in ("sky130", "ihp130", "asap7")]
    energies = [compare(technology, technology, ["fifo8x16"])[0].energy_full for technology in made]
    assert energies[0] > energies[1] > 10 * energies[2]


def test_the_hash_stands_for_cells_and_conventions():
    technology = ihp130()
    assert technology.hash == ihp130().hash
    assert technology.hash != technology.replace(Conventions(wire_ff_per_sink=0.5)).hash
    copy = from_liberty(*technology.liberty_files())
    assert copy.hash != technology.hash
    assert "not scaled" in copy.memories_note
    assert memories_of(copy.name) is ihp130().memories
    asap7 = technology_named("asap7")
    priced = Table(MEMORIES.read_text(), SCALINGS["asap7"].replace(voltage=0.8))
    others = [Technology("asap7", asap7.liberty_files, "", memories, "", Conventions()).hash for memories in (asap7.memories, priced)]
    assert len({*others}) == 2


def test_the_typical_slew_is_a_fixed_point(tmp_path):
    """Slew out = 0.1 + 0.5 slew in + 0.01 load; four inverters are 8 fF: s = 0.18 + 0.5 s, so s = 0.36."""
    path = tmp_path / "one.lib"
    path.write_text(INVERTER)
    assert from_liberty(path).slew_ns == pytest.approx(0.36)
    assert from_liberty(path, conventions=Conventions(slew_ns=0.2)).slew_ns == 0.2
    path.write_text(INVERTER.replace("!A", "A"))
    with pytest.raises(BadInput, match="no inverter"):
        _ = from_liberty(path).slew_ns


def test_the_comparison_notices_a_wrong_library(tmp_path):
    """A technology against itself differs by nothing; with one capacitance tripled or one area changed it does not agree any more."""
    technology = ihp130()
    (row,) = compare(technology, technology, ["int8_mac"])
    assert (row.area_error, row.energy_error, row.tables_error) == (0.0, 0.0, 0.0)
    mutated = (
        technology.liberty_files()[0]
        .read_text()
        .replace("area : 48.9888", "area : 68.9888")
        .replace("capacitance : 2.76976", "capacitance : 27.6976")
    )
    path = tmp_path / "mutated.lib"
    path.write_text(mutated)
    (row,) = compare(technology, from_liberty(path), ["int8_mac"])
    assert row.area_error > 0.05
    assert row.energy_error > 0.15


@by_name
def test_compact_against_full(name, capsys):
    rows = compare(from_liberty(*full(name)), technology_named(name))
    with capsys.disabled():
        print(f"\n{name}\n{table(rows)}")
    assert {row.block for row in rows} == set(BLOCKS)
    for row in rows:
        assert abs(row.area_error) < 0.15, row
        assert abs(row.energy_error) < 0.15, row
        assert abs(row.tables_error) < 0.02, row


@by_name
def test_the_embedded_data_is_what_derive_makes(name):
    assert derive_cells(name, full(name)) == (DATA / f"{name}.json").read_text()


def test_a_library_without_the_cells_cannot_be_compacted(tmp_path):
    path = tmp_path / "one.lib"
    path.write_text(INVERTER)
    with pytest.raises(BadInput, match="lacks the cells sg13g2_a21o_1"):
        derive_cells("ihp130", [path])
