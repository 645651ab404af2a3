"""The FPGA chart of layers: cycles against every mapping timed one by one, latency against the clock given; and pages of charts."""

from itertools import product
from pathlib import Path

import pytest

from gatewright.dse.layer_chart import layers
from gatewright.dse.mapper import alone
from gatewright.dse.platforms import lines_plot, page
from gatewright.hw.config import AcceleratorConfig, integer, xnor
from gatewright.sim.platforms import fpga, store
from gatewright.sim.platforms.chart import Axis, Chart, Cost, Provenance
from gatewright.sim.platforms.lines import Line, Lines
from gatewright.sw.counts import count
from gatewright.sw.layers import Context
from gatewright.sw.mapping import mappings

CONFIG = AcceleratorConfig(rows=2, cols=2, operand_bits=32, operators=(xnor(),), weight_words=512, parameter_words=64)
PLAN = fpga.Plan(config=CONFIG, operators=("xnor", "int4"), rows=(1, 2), cols=(2,), channels=(16, 32), sizes=(3,))


def accelerators() -> Chart:
    """Made up: clocks and LUTs that tell the accelerators apart."""
    rows = [("bench", name, rows, 2, 100 * rows, 10 * rows + len(name)) for name, rows in product(("xnor", "int4"), (1, 2))]
    return Chart(
        platform="fpga",
        name="accelerator",
        title="by hand",
        axes=tuple(Axis(name=name, title=name) for name in ("board", "operator", "rows", "cols")),
        costs=(Cost(name="luts", title="LUTs", origin="measured"), Cost(name="fmax_mhz", title="clock", origin="measured")),
        rows=tuple(rows),
        provenance=Provenance(device="a bench", method="by hand", command="none", date="2026-01-31", tools={"hand": "1"}),
    )


def test_latency_is_the_least_of_all_mappings_over_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fpga, "PLANS", {"bench": PLAN})
    made = layers(accelerators())
    assert len(made.rows) == 2 * 2 * 2 * 2
    for operator, k, kernel in product((xnor(), integer(4)), (16, 32), (1, 3)):
        config = CONFIG.replace(operators=(operator,))
        work = fpga.layer(operator, 32, k, 3, kernel)
        context = Context(operator)
        every = [count(alone(work, config, mapping, 1, context))[0].cycles for mapping in mappings(work, config, 1, context)]
        found = made.at(board="bench", operator=operator.name, C=32, K=k, size=3, kernel=kernel)
        assert found == {"cycles": min(every), "latency_us": pytest.approx(min(every) / 24), "luts": 200}


def test_the_shipped_layers_are_those_of_the_shipped_accelerators() -> None:
    """Every latency is its cycles over the clock of the accelerator, every board and operator that was built is there."""
    built, made = store.named("fpga/accelerator"), store.named("fpga/layer")
    assert {tuple(row[:2]) for row in made.rows} == {tuple(row[:2]) for row in built.rows}
    for board, config in fpga.largest():
        on = {"board": board, "operator": config.operators[0].name}
        clock = built.at(**on, rows=config.rows, cols=config.cols)["fmax_mhz"]
        for channels, size in ((16, 4), (64, 16)):
            found = made.at(**on, C=channels, K=channels, size=size, kernel=3)
            assert found["latency_us"] == pytest.approx(found["cycles"] / clock, rel=1e-4)


@pytest.mark.parametrize("key", ["rram/array", "rram/layer", "cpu/layer", "fpga/element"])
def test_pages_hold_every_cost_and_source(key: str, tmp_path: Path) -> None:
    chart = store.named(key)
    text = page(chart)
    for cost in chart.costs:
        assert f"<h2>{cost.title}" in text.replace("&#39;", "'")
    assert chart.provenance.date in text
    assert all(source in text.replace("&#39;", "'") for source in chart.provenance.sources)


def test_few_points_are_bars() -> None:
    one = Lines("cost", "us", "x", {}, (Line("a", (1.0, 2.0), (3.0, 4.0)), Line("b", (1.0,), (5.0,))))
    assert [(bar.type, bar.name, list(bar.x), list(bar.y)) for bar in lines_plot(one).data] == [
        ("bar", "1", [3, 5], ["a", "b"]),
        ("bar", "2", [4], ["a"]),
    ]
    assert lines_plot(one).layout.xaxis.title.text == "us"
    many = Lines("cost", "us", "x", {}, (Line("a", (1.0, 2.0, 4.0), (3.0, 4.0, 0.0)),))
    drawn = lines_plot(many)
    assert drawn.data[0].type == "scatter"
    assert drawn.layout.yaxis.title.text == "us"
    assert drawn.layout.yaxis.type is None, "a cost of zero has no logarithm"
