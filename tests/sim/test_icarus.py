"""Timed simulation against Icarus Verilog on real blocks: the same number of transitions on every net."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from gatewright.hw.errors import BadInput, Missing
from gatewright.sim import icarus, icarus_blocks
from gatewright.sim.delays import delays
from gatewright.sim.gates import Delays, simulate
from gatewright.sim.synthesis import synthesise
from gatewright.sim.technology import technology_named
from tests.sim.designs import DESIGNS, MAC, stimulus
from tests.sim.netlists import LIBRARY, TECHNOLOGY, hazard, nets


@pytest.fixture(scope="module")
def second_opinion() -> None:
    try:
        icarus.find()
    except Missing:
        try:
            icarus.fetch()
        except Missing as error:
            pytest.skip(str(error))


PAIRS = [
    ("int8 multiply-accumulate", "ihp130"),
    ("int8 multiply-accumulate", "asap7"),
    ("XNOR popcount of 64", "sky130"),
    ("stochastic lanes", "ihp130"),
    ("FIFO with a state machine", "sky130"),
    ("binary-weight element", "ihp130"),
]


@pytest.mark.usefixtures("second_opinion")
@pytest.mark.parametrize(("block", "technology"), PAIRS)
def test_icarus_counts_the_same_transitions(block: str, technology: str) -> None:
    _, found = icarus_blocks.agreement(block, technology)
    assert found.mismatches == ()
    assert found.transitions > 4_000


@pytest.mark.thorough
@pytest.mark.usefixtures("second_opinion")
@pytest.mark.parametrize("technology", ["ihp130", "sky130", "asap7"])
@pytest.mark.parametrize("block", icarus_blocks.BLOCKS)
def test_icarus_counts_the_same_transitions_in_every_technology(block: str, technology: str) -> None:
    assert icarus_blocks.agreement(block, technology, seed=1)[1].mismatches == ()


@pytest.mark.usefixtures("second_opinion")
def test_icarus_counts_the_same_with_a_memory() -> None:
    netlist = synthesise(DESIGNS["grid"][0], "grid", TECHNOLOGY.liberty_files())
    assert netlist.memories
    found = icarus.compare(netlist, TECHNOLOGY, stimulus("grid", 40, 2, seed=5))
    assert found.mismatches == ()
    assert found.transitions > 4_000


@pytest.mark.usefixtures("second_opinion")
def test_a_wrong_delay_is_noticed() -> None:
    netlist = synthesise(MAC, "mac", TECHNOLOGY.liberty_files())
    known, given = delays(netlist, TECHNOLOGY), stimulus("mac", 30, 2, seed=6)
    glitching = simulate(netlist, LIBRARY, given, delays=known).toggles.timed
    assert glitching is not None
    rise = known.rise.copy()
    rise[int(np.argmax(glitching.toggles - glitching.settled))] += 60
    assert icarus.compare(netlist, TECHNOLOGY, given).mismatches == ()
    assert icarus.compare(netlist, TECHNOLOGY, given, Delays(rise, known.fall)).mismatches


@pytest.mark.usefixtures("second_opinion")
def test_a_wrong_function_is_noticed() -> None:
    netlist, given = synthesise(MAC, "mac", TECHNOLOGY.liberty_files()), stimulus("mac", 20, 1, seed=7)
    kind = max((kind for kind in netlist.cells if LIBRARY.cells[kind].ff is None), key=lambda kind: len(netlist.cells[kind]))
    cell = LIBRARY.cells[kind]
    (output,) = cell.outputs
    wrong = technology_named("ihp130").replace(TECHNOLOGY.conventions.replace(slew_ns=TECHNOLOGY.slew_ns))
    pins = dict(cell.pins) | {output.name: dataclasses.replace(output, function=f"!({cell.inputs[0].name})")}
    wrong.library = dataclasses.replace(LIBRARY, cells=dict(LIBRARY.cells) | {kind: dataclasses.replace(cell, pins=pins)})
    own = simulate(netlist, LIBRARY, given, delays=delays(netlist, TECHNOLOGY)).toggles.timed
    assert own is not None
    assert (icarus.transitions(netlist, wrong, delays(netlist, TECHNOLOGY), given) != own.toggles).any()


@pytest.mark.parametrize("function", ["A'", "A^B*C", "A B"])
def test_functions_beyond_plain_signs_are_refused(function: str) -> None:
    netlist = hazard()
    cell = LIBRARY.cells["sg13g2_inv_1"]
    pins = dict(cell.pins) | {"Y": dataclasses.replace(cell.pins["Y"], function=function)}
    technology = technology_named("ihp130").replace(TECHNOLOGY.conventions)
    technology.library = dataclasses.replace(LIBRARY, cells=dict(LIBRARY.cells) | {"sg13g2_inv_1": dataclasses.replace(cell, pins=pins)})
    with pytest.raises(BadInput, match="cannot be spelled in Verilog sign by sign"):
        icarus.verilog(netlist, technology, Delays(nets(*[1] * 5), nets(*[1] * 5)), {"a": np.zeros((1, 1))})


def test_without_icarus_the_error_says_where_it_comes_from(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("GATEWRIGHT_CACHE", str(tmp_path / "cache"))
    with pytest.raises(Missing, match="Fetch it with: python -m gatewright.sim.icarus"):
        icarus.find()
    with pytest.raises(Missing, match="apt-get is not on this machine.*apt install iverilog"):
        icarus.fetch()
    assert not list((tmp_path / "cache").rglob("*.vpi"))
