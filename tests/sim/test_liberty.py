"""Reading Liberty: units, tables, conventions, and errors that name the line."""

import numpy as np
import pytest

from gatewright.hw.errors import BadInput
from gatewright.sim.liberty import loads, read
from gatewright.sim.liberty_writer import write

TEXT = """
library (tiny) { /* a comment { with braces */
  time_unit : "1ps"; voltage_unit : "1V"; nom_voltage : 2.0;
  leakage_power_unit : "1pW"; capacitive_load_unit (1,ff);
  lu_table_template (by_load) { variable_1 : total_output_net_capacitance; index_1 ("0, 10"); }
  power_lut_template (both) {
    variable_1 : total_output_net_capacitance; variable_2 : input_transition_time;
    index_1 ("0, 10"); index_2 ("100, 200, 400");
  }
  cell ("INV") {
    area : 1.5
    cell_leakage_power : 3000;
    leakage_power () { value : 1000; when : "!A"; related_pg_pin : VDD; }
    leakage_power () { value : 9; when : "!A"; related_pg_pin : VSS; }
    pg_pin (VDD) { pg_type : primary_power; } pg_pin (VSS) { pg_type : primary_ground; }
    pin ("A") { direction : input; capacitance : 2.5; }
    pin (Y) {
      direction : output; function : "A'"; max_capacitance : 50;
      internal_power () { related_pin : "A"; related_pg_pin : VDD;
        rise_power (both) { values ("1, 2, 4", \\
                                    "11, 12, 14"); }
        fall_power (scalar) { values ("3"); } }
      internal_power () { related_pin : "A"; related_pg_pin : VSS; rise_power (scalar) { values ("100"); } }
      timing () { related_pin : A; timing_sense : negative_unate;
        cell_rise (by_load) { values ("100, 200"); } rise_transition (by_load) { values ("50, 60"); } }
    }
  }
}
"""


def test_units_become_ns_ff_fj_nw():
    cell = loads(TEXT).cells["INV"]
    assert (cell.area, cell.leakage_nw, cell.leakage_states[0][1]) == (1.5, 3.0, 1.0)
    assert cell.pins["A"].capacitance_ff == 2.5
    assert cell.pins["Y"].max_capacitance_ff == 50
    assert loads(TEXT.replace("(1,ff)", "(0.1,pf)")).cells["INV"].pins["A"].capacitance_ff == pytest.approx(250.0)
    arc = cell.pins["Y"].arcs[0]
    assert (arc.related_pin, arc.kind) == ("A", "combinational")
    assert arc.delay_rise.at(0.1, 5.0) == pytest.approx(0.150)


def test_energy_unit_is_voltage_squared_times_capacitance():
    """With volts and pF an energy of 1 is 1 pJ = 1000 fJ, whatever the supply is."""
    power = loads(TEXT.replace("(1,ff)", "(1,pf)")).cells["INV"].pins["Y"].powers[0]
    assert power.fall.at(0.1, 0.0) == pytest.approx(3000.0)


def test_groups_of_the_ground_pin_do_not_count_twice():
    cell = loads(TEXT).cells["INV"]
    assert len(cell.pins["Y"].powers) == 1
    assert len(cell.leakage_states) == 1


def test_tables_with_the_load_first_are_turned():
    rise = loads(TEXT).cells["INV"].pins["Y"].powers[0].rise
    assert rise.values.shape == (3, 2)
    assert rise.at(0.3, 5.0) == pytest.approx(8.0)  # between 2, 4 and 12, 14
    assert rise.at(9.0, 99.0) == pytest.approx(14.0)  # clamped
    assert rise.at(0.1, 20.0, extrapolate=True) == pytest.approx(21.0)


def test_tables_with_the_slew_first_keep_their_unit():
    text = TEXT.replace(
        "variable_1 : total_output_net_capacitance; variable_2 : input_transition_time;", "variable_1 : input_transition_time;"
    )
    text = text.replace(
        'index_1 ("0, 10"); index_2 ("100, 200, 400");',
        'variable_2 : total_output_net_capacitance; index_1 ("100, 300"); index_2 ("0, 10, 20");',
    )
    rise = loads(text).cells["INV"].pins["Y"].powers[0].rise
    assert rise.slews.tolist() == pytest.approx([0.1, 0.3])
    assert rise.loads.tolist() == [0, 10, 20]
    assert rise.at(0.2, 15.0) == pytest.approx(8.0)  # between 2, 4 and 12, 14


def test_a_pin_with_the_grounds_energy_alone_keeps_it():
    """Some libraries book all of a pin's energy there."""
    only = TEXT.replace('related_pin : "A"; related_pg_pin : VDD;', 'related_pin : "A"; related_pg_pin : VSS;')
    assert len(loads(only).cells["INV"].pins["Y"].powers) == 2


def test_what_a_file_leaves_out_has_its_default():
    """A pin's capacitance is the library's, a cell's leakage the mean of its states; hold times are no setup times."""
    text = TEXT.replace("nom_voltage : 2.0;", "nom_voltage : 2.0; default_input_pin_cap : 1.75;").replace("capacitance : 2.5; }", "}")
    assert loads(text).cells["INV"].pins["A"].capacitance_ff == 1.75
    bare = TEXT.replace("cell_leakage_power : 3000;", 'leakage_power () { value : 4000; when : "A"; related_pg_pin : VDD; }')
    assert loads(bare).cells["INV"].leakage_nw == pytest.approx(2.5)
    times = 'timing () { related_pin : Y; timing_type : KIND; rise_constraint (scalar) { values ("50"); } }'
    for kind, found in (("setup_rising", [0.05]), ("hold_rising", [])):
        timed = TEXT.replace("capacitance : 2.5; }", f"capacitance : 2.5; {times.replace('KIND', kind)} }}")
        assert [table.values.item() for table in loads(timed).cells["INV"].pins["A"].setup] == pytest.approx(found)


def test_what_is_written_reads_back_the_same():
    library = loads(TEXT)
    again = loads(write(library, "a note"))
    assert again.voltage == library.voltage
    for name, pin in library.cells["INV"].pins.items():
        other = again.cells["INV"].pins[name]
        assert (other.direction, other.capacitance_ff, other.function) == (pin.direction, pin.capacitance_ff, pin.function)
        for power, copy in zip(pin.powers, other.powers, strict=True):
            assert np.allclose(power.rise.values, copy.rise.values)
            assert np.allclose(power.rise.slews, copy.rise.slews)


@pytest.mark.parametrize(
    ("old", "new", "line", "rule"),
    [
        ("    area : 1.5", "    area : wide", 10, "needs a number for area, got 'wide'"),
        ("    area : 1.5", "    area 1.5", 11, "expected"),
        ("capacitance : 2.5", "capacitance : -2.5", 16, "must lie within 0 and 100 pF"),
        ('"11, 12, 14"', '"11, 12"', 20, "5 values where its indices need 6"),
        ('"11, 12, 14"', '"11, x, 14"', 20, "not a number"),
        ('index_2 ("100, 200, 400")', 'index_2 ("100, 400, 200")', 20, "does not increase"),
        ('function : "A\'"', 'function : "A*"', 17, "ends where an operand"),
        ("nom_voltage : 2.0;", "", 2, "nom_voltage, it is missing"),
        ('"1ps"', '"1 parsec"', 2, "time_unit"),
        ("(1,ff)", "(ff)", 2, "capacitive_load_unit"),
    ],
)
def test_a_malformed_file_names_line_and_rule(old, new, line, rule):
    text = TEXT.replace(old, new)
    assert text != TEXT
    with pytest.raises(BadInput) as error:
        loads(text, "cells.lib")
    assert f"cells.lib, line {line}: " in str(error.value)
    assert rule in str(error.value)


def test_a_truncated_file_names_the_open_group():
    with pytest.raises(BadInput, match=r"never closed"):
        loads(TEXT[: TEXT.index("timing ()")])


def test_not_liberty_at_all(tmp_path):
    for text, rule in (("", "one library group"), ("PK\x03\x04", "expected"), ("library (x) { nom_voltage : 1; }", "has no cells")):
        with pytest.raises(BadInput, match=rule):
            loads(text)
    with pytest.raises(BadInput, match="cannot read the Liberty file"):
        read(tmp_path / "absent.lib")


def test_files_of_two_corners_do_not_mix(tmp_path):
    for name, voltage in (("a", "2.0"), ("b", "1.8")):
        (tmp_path / name).write_text(TEXT.replace("nom_voltage : 2.0", f"nom_voltage : {voltage}"))
    with pytest.raises(BadInput, match="one corner"):
        read(tmp_path / "a", tmp_path / "b")
