"""What a product costs: the blocks compute what the arithmetic says, costs are shared and compared as told, the page is up to date."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gatewright.cli import main
from gatewright.hw.config import Operator, floating, integer, stochastic, xnor
from gatewright.hw.errors import BadInput, Mismatch
from gatewright.sim.library import run_gates, synthesise
from gatewright.sim.operators import operands as source
from gatewright.sim.operators.block import block
from gatewright.sim.operators.cost import LISTED, REFERENCE, OperatorCost, Part, load, measure_operator, measured_operators, save, shipped
from gatewright.sim.operators.operands import Operands, operands
from gatewright.sim.operators.published import Published, compare, published, reference
from gatewright.sim.operators.table import costs_table, document
from gatewright.sim.technology import EMBEDDED, ihp130
from gatewright.sw.checkpoint import Recipe, Trained
from gatewright.sw.models import Architecture, network
from gatewright.sw.operators.float import floats
from tests.operators.circuits import expected

DOCS = Path(__file__).parents[2] / "docs" / "operators.md"
SMALL = [integer(4), xnor(), stochastic(8, "sign_magnitude", "lfsr", 4), floating("fp16")]


def random_operands(operator: Operator, bits: int) -> Operands:
    """Three sums of five words in four streams."""
    rng = np.random.default_rng(0)
    shape = 3, 5, 4
    if operator.kind == "float":
        a, w = (floats(operator).encode(rng.normal(0, 1, shape)) for _ in range(2))
        sums = np.stack([floats(operator).accumulate(x, y) for x, y in zip(a, w, strict=True)])
    else:
        a, w = (rng.integers(0, 1 << bits, shape, dtype=np.uint64) for _ in range(2))
        sums = expected(operator, bits, a.reshape(-1), w.reshape(-1)).reshape(shape).sum(axis=1)
    return Operands(a, w, sums.astype(np.int64), "random")


@pytest.mark.parametrize("operator", SMALL, ids=lambda operator: operator.name)
def test_gates_give_the_sums(operator: Operator) -> None:
    """Every sum is looked at, and one wrong sum is noticed."""
    given = random_operands(operator, 32)
    made = block(operator, given, 32)
    outputs = run_gates(synthesise(made.design, ihp130()), made.stimulus).outputs[made.output]
    made.check(outputs)
    assert made.valid.sum() == 3 * 4
    wrong = given.sums.copy()
    wrong[0, 0] += 1
    with pytest.raises(Mismatch, match=f"{operator.name}: the gates differ from the arithmetic in 1 of 12 sums"):
        block(operator, replace(given, sums=wrong), 32).check(outputs)


def untrained(operator: Operator) -> Trained:
    architecture = Architecture(family="vgg", channels=1, height=8, width=8, widths=(64, 64), operators=(operator,) * 3, pool_after=(0,))
    made = network(architecture)
    made.eval()
    return Trained(architecture=architecture, recipe=Recipe(), dataset="digits", network=made, history=())


@pytest.mark.parametrize("operator", [integer(4, 8), xnor()], ids=lambda operator: operator.name)
def test_words_hold_what_the_sums_add(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "network", untrained)
    given = operands(operator, 64)
    a, w = (words.reshape(-1) for words in (given.activations, given.weights))
    sums = expected(operator, 64, a, w).reshape(given.activations.shape).sum(axis=1)
    np.testing.assert_array_equal(sums, given.sums)
    assert len(np.unique(given.sums)) > 10
    assert given.activations.shape[1] * (64 // operator.width) == 9 * 64


def test_float_operands_are_the_same_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "network", untrained)
    form = floats(floating("bf16"))
    given = operands(floating("bf16"), 64)
    values, weights = form.decode(given.activations), form.decode(given.weights)
    assert values.min() == 0.0
    assert (weights < 0).mean() == pytest.approx(0.5, abs=0.1)
    np.testing.assert_allclose(
        form.decode(given.sums), (values * weights).sum(axis=1), rtol=0.5, atol=np.abs(values * weights).sum(axis=1).max() / 20
    )


def test_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer bits of a lane cost less."""
    monkeypatch.setattr("gatewright.sim.operators.cost.operands", lambda operator, bits, seed: random_operands(operator, bits))
    monkeypatch.setattr("gatewright.sim.operators.cost.OPERAND_BITS", 32)
    (four,), (one,) = (measure_operator(operator, [ihp130()]) for operator in (integer(4), xnor()))
    assert (four.lanes, four.steps, one.lanes) == (8, 1, 32)
    assert four.energy_pj(1) > 3 * one.energy_pj(1) > 0
    assert four.energy_pj(1) > four.zero_delay_pj(1) > 0
    assert four.area_um2(1) > one.area_um2(1) > 0


def cost(name: str, energy: float, technology: str = "ihp130") -> OperatorCost:
    """An element of two lanes, whose edges cost a tenth of it and whose sources a hundredth."""
    element, edges, sources = (
        Part(area_um2=100 * energy * part, energy_pj=energy * part, zero_delay_pj=energy * part / 2) for part in (1.0, 0.1, 0.01)
    )
    return OperatorCost(
        operator=name, technology=technology, lanes=2, steps=1, element=element, edges=edges, sources=sources, fmax_mhz_estimate=100
    )


def test_sharing() -> None:
    assert cost("int8", 1.0).energy_pj(1) == pytest.approx(1.11)
    assert cost("int8", 1.0).zero_delay_pj(1) == pytest.approx(1.11 / 2)
    assert cost("int8", 1.0).energy_pj(2) == pytest.approx(1.0 + 0.05 + 0.0025)
    assert cost("int8", 1.0).area_um2(2) == pytest.approx(105.25 / 2)


@pytest.mark.parametrize(("energy", "worse"), [(2.59, False), (2.61, True)])
def test_ratios_worse_by_30_percent_are_flagged(energy: float, worse: bool) -> None:
    """Cited: twice an int8 product."""
    figure = Published(
        operator="fp16", energy_pj=4, area_um2=None, reference_pj=2, reference_um2=None, sharing=None, terms="", process="", source=""
    )
    (row,) = compare([cost("int8", 1.0), cost("fp16", energy)], [figure])
    assert row.worse == worse
    assert row.excess == pytest.approx(energy / 2 - 1)
    _, rows = costs_table([cost("int8", 1.0), cost("fp16", energy)], [figure])
    assert [row[-1] for row in rows] == ["-", "yes" if worse else "no"]


def test_generators_count_as_in_the_cited_figure() -> None:
    figures = [figure for figure in published() if figure.operator == "sc_sign_magnitude_lfsr64_8"]
    rows = compare([cost("int8", 1.0), cost("sc_sign_magnitude_lfsr64_8", 10.0)], figures)
    assert {row.sharing: row.measured for row in rows} == pytest.approx({64: 10 + 1 / 64 + 0.1 / 64**2, 1: 11.1})


def test_every_kind_is_in_the_table() -> None:
    assert [operator.name for operator in measured_operators()][: len(LISTED)] == list(LISTED)
    _, costs = load()
    assert {(each.operator, each.technology) for each in costs} == {(name, technology) for name in LISTED for technology in EMBEDDED}
    assert {figure.operator for figure in published()} <= set(LISTED)


def test_the_page_shows_the_shipped_figures() -> None:
    """`gatewright operators --markdown` made the tables in docs/operators.md."""
    assert document(load()[1], published()) in DOCS.read_text()


def test_files(tmp_path: Path) -> None:
    provenance, costs = load()
    save(tmp_path / "costs.json", provenance, costs)
    assert load(tmp_path / "costs.json") == (provenance, costs)
    (tmp_path / "costs.json").write_text("{}")
    with pytest.raises(BadInput, match="holds no operators' costs"):
        load(tmp_path / "costs.json")


def _without(*names: str) -> Callable[[list[dict[str, Any]]], list[dict[str, Any]]]:
    return lambda costs: [cost for cost in costs if cost["operator"] not in names]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_without("int8"), "there is no int8"),
        (lambda costs: [], "there is no int8"),
        (lambda costs: [c for c in costs if (c["operator"], c["technology"]) != ("bw4", "asap7")], "bw4 in asap7 is missing"),
        (lambda costs: [*costs, costs[0]], "occurs twice"),
        (lambda costs: [{**costs[0], "fmax_mhz_estimate": float("nan")}, *costs[1:]], "fmax_mhz_estimate: Input should be"),
        (
            lambda costs: [{**costs[0], "element": {"area_um2": float("inf"), "energy_pj": 1, "zero_delay_pj": 1}}, *costs[1:]],
            "area_um2: Input should be",
        ),
        (lambda costs: [{**costs[0], "element": {"area_um2": 1, "energy_pj": 0, "zero_delay_pj": 0}}, *costs[1:]], "has no energy"),
        (lambda costs: [{**costs[0], "lanes": 0}, *costs[1:]], "lanes: Input should be"),
        (lambda costs: 7, "not iterable"),
    ],
)
def test_a_file_of_costs_with_something_wrong_is_refused(tmp_path: Path, change: Callable[[Any], Any], message: str) -> None:
    record = json.loads(shipped().read_text())
    path = tmp_path / "costs.json"
    path.write_text(json.dumps(record | {"costs": change(record["costs"])}))
    with pytest.raises(BadInput, match=f"costs.json holds no operators' costs .*{message}"):
        load(path)


def test_the_costs_ratios_are_to_are_those_published() -> None:
    assert reference() == REFERENCE


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "costs.json"
    path.write_text("before")

    def full(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device", str(target))

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(BadInput, match="the disk is full"):
        save(path, *load())
    assert [each.read_text() for each in tmp_path.iterdir()] == ["before"]


def test_the_place_of_the_figures_is_looked_at_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gatewright.sim.operators.cost.measure_all", lambda *arguments: pytest.fail("it was measured"))
    for out, message in ((tmp_path / "none" / "x.json", "there is no folder"), (tmp_path, "is a folder"), (Path("/proc/x"), "annot be")):
        assert main.main(["operators", "--measure", "--out", str(out)]) == 2
        assert message in capsys.readouterr().err


def test_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["operators", "--json", "--technology", "sky130"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert {each["technology"] for each in record["costs"]} == {"sky130"}
    assert {"provenance", "comparisons", "note"} <= set(record)
    assert main.main(["operators"]) == 0
    assert "fp32" in capsys.readouterr().out
    assert main.main(["operators", "--technology", "n5"]) == 2
    assert "no embedded technology 'n5'" in capsys.readouterr().err
    assert main.main(["operators", "--out", "x.json"]) == 2
    assert "--out writes what --measure finds" in capsys.readouterr().err


def test_measure_takes_a_technology_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "one.toml"
    config.write_text("[accelerator]\nrows = 1\ncols = 1\noperators = ['int8']\n")
    assert main.main(["measure", str(config), "--technology", "n5"]) == 2
    assert "no embedded technology 'n5'" in capsys.readouterr().err
    assert main.main(["measure", str(config), "--technology", "sky130", "--liberty", "some.lib"]) == 2
    assert "give one of them" in capsys.readouterr().err
