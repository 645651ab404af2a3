"""A design built and proven: agreement is believed, any other Verilog is noticed, results are kept."""

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace

import pytest

from gatewright.dse.config import Measure
from gatewright.dse.evaluate import Source
from gatewright.dse.prove import Verified, prepare
from gatewright.dse.scnas import gates
from gatewright.dse.scnas.gates import prove, proven
from gatewright.dse.scnas.plan import QUICK
from gatewright.dse.scnas.price import bill, pricing
from gatewright.dse.scnas.result import Design
from gatewright.hw.config import floating, integer
from gatewright.hw.errors import BadInput, Mismatch
from gatewright.sim.delivery import PROGRAM, VERILOG
from gatewright.sw import checkpoint
from gatewright.sw.accuracy import Accuracy
from gatewright.sw.checkpoint import Recipe
from gatewright.sw.data import digits
from gatewright.sw.models import Architecture
from gatewright.sw.train import train

PLAN = QUICK.replace(rows=(2,), cols=(2,), gates=8, verified=4)
SOURCE = Source(dataset="digits")
NETWORK = Architecture(family="vgg", channels=1, height=8, width=8, classes=10, widths=(4,), pool_after=(0,), operators=(integer(4),))


@lru_cache
def design(floats: bool = False) -> Design:
    asked = NETWORK.replace(operators=(floating("fp32"),)) if floats else NETWORK
    priced = bill(asked, PLAN, pricing(PLAN))
    assert priced.metrics is not None
    accuracy = Accuracy(value=0.5, n=10, low=0.2, high=0.8)
    kind, config = ("float", None) if floats else ("integer", priced.config)
    return Design(
        method="m",
        label="small",
        kind=kind,
        architecture=asked,
        config=config,
        mappings=priced.mappings,
        metrics=priced.metrics,
        estimate=None,
        validation=accuracy,
        test=accuracy,
    )


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("trained") / "network.safetensors"
    checkpoint.save(train(NETWORK, digits(), Recipe(epochs=1)), path)
    return path


def test_floating_point_has_no_gates_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="has no accelerator"):
        prove(design(floats=True), tmp_path / "absent", tmp_path, PLAN, SOURCE)


@pytest.mark.parametrize(("mismatches", "cycles"), [(1, (100,)), (0, (101,)), (0, (100, 101))])
def test_a_wrong_result_or_cycle_is_no_proof(
    network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mismatches: int, cycles: tuple[int, ...]
) -> None:
    wrong = Verified(images=4, mismatches=mismatches, cycles_predicted=100, cycles_simulated=cycles)
    monkeypatch.setattr(gates, "on_rtl", lambda folder, source, images: wrong)
    with pytest.raises(Mismatch, match=f"{mismatches} of 4 test images differ"):
        prove(design(), network, tmp_path, PLAN, SOURCE)


def test_a_proof_is_kept_by_everything_that_it_rests_on(network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many images as the plan says, on Verilog and side by side on gates; anything else is proven again."""
    asked: list[tuple[str, int, float]] = []

    def on_rtl(folder: Path, source: Source, images: int) -> Verified:
        asked.append(("verilog", images, 0.0))
        return Verified(images=images, mismatches=0, cycles_predicted=100, cycles_simulated=(100,))

    def run_gates(folder: Path, source: Source, how: Measure) -> SimpleNamespace:
        asked.append(("gates", how.images, how.clock_ns))
        return SimpleNamespace(metrics=small.metrics.replace(origin="measured"), netlist=SimpleNamespace(size=7))

    monkeypatch.setenv("GATEWRIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(gates, "on_rtl", on_rtl)
    monkeypatch.setattr(gates, "run_gates", run_gates)
    small = design().replace(validation=design().test.replace(value=0.4))
    assert small.config is not None
    program = prepare(network, small.config, small.mappings, PLAN.images, tmp_path)
    found = [proven(small, program, tmp_path, PLAN, SOURCE) for _ in range(2)]
    assert asked == [("verilog", 4, 0.0), ("gates", 2, 20.0)]  # 8 images, 4 a run; once
    assert found[0] == found[1]
    assert found[0].measured is not None
    assert (found[0].measured.accuracy, found[0].cells) == (0.4, 7)
    plans = (PLAN.replace(verified=3), PLAN.replace(gates=4), PLAN.replace(clock_ns=10.0))
    for number, plan in enumerate(plans, 2):
        proven(small, program, tmp_path, plan, SOURCE)
        assert len(asked) == 2 * number
    for number, name in enumerate((VERILOG, PROGRAM), 2 + len(plans)):
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes() + b"\n")
        proven(small, program, tmp_path, PLAN, SOURCE)
        assert len(asked) == 2 * number
    data = SOURCE.load()
    monkeypatch.setattr(Source, "load", lambda source: replace(data, validation=data.validation.take(slice(8, None))))
    proven(small, program, tmp_path, PLAN, SOURCE)
    assert len(asked) == 2 * (2 + len(plans) + 2)


@pytest.mark.thorough
def test_a_design_is_proven_and_kept(network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, small = tmp_path / "built", design()
    assert small.config is not None
    found = prove(small, network, folder, PLAN, SOURCE)
    assert found.verified is not None
    assert found.measured is not None
    assert (found.verified.images, found.verified.passed) == (4, True)
    assert (found.measured.origin, found.measured.accuracy) == ("measured", 0.5)
    assert found.measured.cycles == found.metrics.cycles
    assert found.measured.energy_pj == pytest.approx(found.metrics.energy_pj, rel=0.25)
    assert found.cells is not None
    assert found.cells > 1000

    def fails(*args: object) -> Verified:
        raise AssertionError("measured again")

    monkeypatch.setattr(gates, "on_rtl", fails)
    assert prove(small, network, tmp_path / "again", PLAN, SOURCE) == found
    monkeypatch.undo()
    program = prepare(network, small.config, small.mappings, 1, folder)
    text = (folder / VERILOG).read_text()
    mutated = text.replace(" + $signed(bias)", " - $signed(bias)")
    assert mutated != text
    (folder / VERILOG).write_text(mutated)
    with pytest.raises(Mismatch):
        proven(small, program, folder, PLAN, SOURCE)
