"""Delays of cells against their library's tables, by hand and by another interpolation."""

import dataclasses

import numpy as np
import pytest
from scipy.interpolate import RegularGridInterpolator

from gatewright.hw.errors import BadInput
from gatewright.sim.delays import delays
from gatewright.sim.netlist import Cells, Netlist
from gatewright.sim.synthesis import synthesise
from gatewright.sim.technology import ihp130
from tests.sim.designs import DESIGNS
from tests.sim.netlists import AND, INVERTED, LIBRARY, TECHNOLOGY, A, hazard, nets


def test_delays_are_those_of_the_tables() -> None:
    netlist = synthesise(DESIGNS["grid"][0], "grid", TECHNOLOGY.liberty_files())
    least, mean, most, twice = (
        delays(netlist, TECHNOLOGY, **options)
        for options in ({"arcs": "min"}, {}, {"arcs": "max"}, {"scale": 2.0})  # type: ignore[arg-type]
    )
    for side in ("rise", "fall"):
        low, middle, high = (getattr(each, side) for each in (least, mean, most))
        assert (low <= middle).all()
        assert (middle <= high).all()
        assert (low < high).any()
        assert np.abs(getattr(twice, side) - 2 * middle).max() <= 1
    memory = netlist.memories[0]
    access = TECHNOLOGY.memories.macro_for(memory.depth, memory.width).access_ns
    assert set(mean.rise[memory.read_data].tolist()) == {round(1e3 * access)}
    driven = [net for name, each in netlist.inputs.items() if name != "clk" for net in each.tolist()]
    assert not mean.rise[driven].any()
    bare = {}
    for name, cell in LIBRARY.cells.items():
        bare[name] = dataclasses.replace(cell, pins={key: dataclasses.replace(pin, arcs=()) for key, pin in cell.pins.items()})
    without = ihp130().replace(TECHNOLOGY.conventions.replace(slew_ns=0.05))
    without.library = dataclasses.replace(LIBRARY, cells=bare)
    with pytest.raises(BadInput, match="has no delay tables at its output .*zero-delay activity"):
        delays(netlist, without)


def test_an_inverters_delays_by_hand() -> None:
    """Rise and fall of an inverter that drives an AND gate, from the embedded library's numbers, interpolated by SciPy."""
    cell, gate = LIBRARY.cells["sg13g2_inv_1"], LIBRARY.cells["sg13g2_and2_1"]
    (arc,) = cell.pins["Y"].arcs
    expected = []
    for table in (arc.delay_rise, arc.delay_fall):
        assert table is not None
        at = RegularGridInterpolator((table.slews, table.loads), table.values)
        expected.append(round(1e3 * float(at((TECHNOLOGY.slew_ns, gate.pins["B"].capacitance_ff)).item())))
    found = delays(hazard(), TECHNOLOGY)
    assert [found.rise[INVERTED], found.fall[INVERTED]] == expected
    assert expected[0] != expected[1]


def test_a_gates_delay_is_the_mean_over_its_inputs() -> None:
    """An AND gate that drives 200 inverters: each input's table continued in a straight line beyond its last load, by SciPy."""
    gate, load = LIBRARY.cells["sg13g2_and2_1"].pins["X"], 200 * LIBRARY.cells["sg13g2_inv_1"].pins["A"].capacitance_ff
    assert {arc.related_pin for arc in gate.arcs} == {"A", "B"}
    inverters = nets([A, INVERTED], *([AND, 5 + i] for i in range(200)))
    loaded = dataclasses.replace(
        hazard(), nets=205, cells=hazard().cells | {"sg13g2_inv_1": Cells(("A", "Y"), inverters, nets(*[0] * 201))}
    )
    found = delays(loaded, TECHNOLOGY)
    for side, name in ((found.rise, "delay_rise"), (found.fall, "delay_fall")):
        tables = [getattr(arc, name) for arc in gate.arcs]
        assert max(table.loads[-1] for table in tables) < load
        each = [RegularGridInterpolator((t.slews, t.loads), t.values, bounds_error=False, fill_value=None) for t in tables]
        times = [1e3 * float(at((TECHNOLOGY.slew_ns, load)).item()) for at in each]
        assert max(times) - min(times) > 2
        assert side[AND] == round(sum(times) / len(times))
    short = delays(loaded, TECHNOLOGY, scale=1e-6)
    assert set(short.rise[INVERTED:].tolist()) == set(short.fall[INVERTED:].tolist()) == {1}, "no delay is nothing"
    assert (short.rise[A], short.fall[A]) == (0, 0)


def test_a_flip_flops_delay_is_that_from_its_clock() -> None:
    """From the embedded library's numbers at the least load of its table, by SciPy; what drives nothing has that load."""
    cell = LIBRARY.cells["sg13g2_dfrbpq_1"]
    (own,) = (arc for arc in cell.pins["Q"].arcs if arc.related_pin == "CLK")
    pins = nets([2 if name == "CLK" else 4 if name == "Q" else 3 for name in cell.pins])
    netlist = Netlist("flop", 5, 2, {"clk": nets(2), "d": nets(3)}, {"q": nets(4)}, {cell.name: Cells(tuple(cell.pins), pins, nets(0))})
    found = delays(netlist, TECHNOLOGY)
    for side, table in ((found.rise, own.delay_rise), (found.fall, own.delay_fall)):
        assert table is not None
        at = RegularGridInterpolator((table.slews, table.loads), table.values)
        assert side[4] == round(1e3 * float(at((TECHNOLOGY.slew_ns, table.loads[0])).item()))
