"""`gatewright explain` on a reproduction's run: its winner, or a method's design beside it, as the explicit program is priced."""

import json
from pathlib import Path
from typing import Any

import pytest

from gatewright.cli.main import main
from gatewright.dse.cost import CostModel
from gatewright.dse.mapper import Mapper
from gatewright.dse.run import RESULT
from gatewright.dse.scnas.finalists import file_of
from gatewright.dse.scnas.folder import create
from gatewright.dse.scnas.result import Design
from gatewright.hw.config import AcceleratorConfig, Operator, floating, integer, stochastic
from gatewright.sw import checkpoint, data
from gatewright.sw.accuracy import wilson
from gatewright.sw.activity import IMAGES, activities
from gatewright.sw.checkpoint import Trained
from gatewright.sw.models import Architecture, network, workload
from gatewright.sw.schedule import Schedule
from tests.dse.scnas_result import made

SC, I8 = stochastic(32), integer(8)
MADE = made()
MODEL = CostModel.default()


def architecture(operator: Operator) -> Architecture:
    return Architecture(family="vgg", channels=1, height=8, width=8, widths=(6, 8), operators=(operator,), pool_after=(0,))


def planned(operator: Operator) -> Schedule:
    config = AcceleratorConfig(rows=2, cols=4, operators=(operator,), accumulator_bits=24, activation_words=128)
    return Mapper(MODEL, images=MADE.plan.images).schedule(workload(architecture(operator)), config)


def design(method: str, operator: Operator, right: int, measured: float | None = None) -> Design:
    """On gates it took `measured` times as much as predicted."""
    program = planned(operator if operator.kind != "float" else I8)
    priced = MODEL.predict(program).metrics
    circuits = operator.kind != "float"
    return Design(
        method=method,
        label=method,
        kind="integer",
        architecture=architecture(operator),
        config=program.config if circuits else None,
        mappings=program.mappings if circuits else (),
        metrics=priced,
        estimate=None,
        validation=wilson(right, 100),
        test=wilson(right, 100),
        measured=measured and priced.replace(origin="measured", energy_pj=measured * priced.energy_pj),
    )


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A finished run of three designs, whose winner was measured on gates at twice what was predicted."""
    designs = (design("int8", I8, 90), design("scnas", SC, 95, measured=2.0), design("fp32", floating("fp32"), 96))
    result = MADE.replace(designs=designs, winner=1, provenance={"technology": "ihp130"})
    folder = create(tmp_path, MADE.plan)
    folder.write(RESULT, result.model_dump(mode="json"))
    return folder.folder


def explained(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert main(["explain", *arguments, "--json", "--quiet"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(("how", "operator"), [([], SC), (["--design", "scnas"], SC), (["--design", "int8"], I8)])
def test_a_design_is_priced_as_its_program(run: Path, how: list[str], operator: Operator, capsys: pytest.CaptureFixture[str]) -> None:
    record, program = explained(capsys, str(run), *how), planned(operator)
    assert [layer["operator"] for layer in record["layers"]] == [operator.name] * 3
    assert record["images"] == MADE.plan.images
    assert record["energy_pj"] == pytest.approx(MODEL.predict(program).metrics.energy_pj)


def test_what_was_measured_of_the_whole_is_said(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for how, said in ([], True), (["--design", "int8"], False):
        assert main(["explain", str(run), "--quiet", *how]) == 0
        assert ("nJ in ihp130; predicted -50.0%" in " ".join(capsys.readouterr().out.split())) == said


def test_a_design_is_priced_with_its_own_network(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "designs").mkdir()
    model = network(architecture(SC), seed=5).eval()
    trained = Trained(architecture=architecture(SC), recipe=MADE.plan.final, dataset="digits", network=model, history=())
    checkpoint.save(trained, file_of(architecture(SC), MADE.plan.final, run / "designs"))
    digits = data.load("digits")
    codes = data.encode(SC, digits.train.images[:IMAGES], digits.maximum)
    program = planned(SC)
    own = MODEL.predict(program, activities=activities(trained.export(), codes, program.config.operand_bits)).metrics.energy_pj
    assert own != pytest.approx(MODEL.predict(program).metrics.energy_pj, rel=1e-3)
    assert explained(capsys, str(run))["energy_pj"] == pytest.approx(own)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        (["--design", "fp32"], "fp32 has no accelerator: floating point is priced as a multiply-add unit"),
        (["--design", "int3"], "The run has no design of a method 'int3'; its methods are int8, scnas, fp32."),
        (["--layer", "conv7"], "There is no layer 'conv7'"),
    ],
)
def test_what_is_not_there_is_refused(run: Path, how: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(run), "--quiet", *how]) == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_only_a_reproduction_has_several_designs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "one.toml").write_text("[accelerator]\n[network]\n")
    assert main(["explain", str(tmp_path / "one.toml"), "--design", "int8"]) == 2
    assert "--design is for runs of `gatewright reproduce`" in " ".join(capsys.readouterr().err.split())


def test_an_unfinished_run_says_how_to_finish_it(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / RESULT).unlink()
    assert main(["explain", str(run), "--quiet"]) == 2
    assert f"gatewright reproduce scnas --resume {run}" in " ".join(capsys.readouterr().err.split())
