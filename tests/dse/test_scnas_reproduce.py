"""A whole reproduction, small: from the super-network to gates and Verilog; interrupted, it goes on to the same result."""

import shutil
from pathlib import Path

import pytest

from gatewright.dse.evaluate import Source
from gatewright.dse.run import Run
from gatewright.dse.scnas import reproduce
from gatewright.dse.scnas.folder import create, result_of
from gatewright.dse.scnas.plan import QUICK
from gatewright.dse.scnas.report import write
from gatewright.dse.scnas.result import Result
from gatewright.hw.errors import BadInput

STREAMS = "sc_sign_magnitude_sobol8_8"
PLAN = QUICK.replace(
    name="small",
    widths=((4,), (8,)),
    reference=0,
    kernels=(3,),
    points=24,
    scored=3,
    finalists=1,
    shared=QUICK.shared.replace(epochs=2),
    final=QUICK.final.replace(epochs=2),
    converted=(STREAMS,),
    pure=(),
    rows=(2,),
    cols=(2,),
    verified=8,
    gates=8,
)
SOURCE = Source(**PLAN.data.model_dump())


class Silent:
    def phase(self, name: str, total: int) -> None:
        pass

    def advance(self) -> None:
        pass


class Stopped(Exception):
    pass


def timeless(result: Result) -> Result:
    searches = tuple(search.replace(seconds=0.0) for search in result.searches)
    return result.replace(searches=searches, seconds={})


@pytest.mark.thorough
def test_from_the_super_network_to_gates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = create(tmp_path, PLAN)
    result = reproduce.Reproduction(run, PLAN, SOURCE, Silent()).run()
    best = result.designs[result.winner]
    assert best.method == "scnas"
    assert best.verified is not None
    assert best.verified.passed
    assert best.measured is not None
    assert best.measured.cycles == best.metrics.cycles
    assert abs(best.metrics.energy_pj / best.measured.energy_pj - 1) < 0.15
    assert {d.method for d in result.designs if d.measured} == {"scnas", "int8", "int4"}
    assert {s.method for s in result.searches} == {d.method for d in result.designs} - {"pure"}
    assert result_of(run) == result
    assert write(run).stat().st_size > 100_000

    # Stopped before the designs, with one search lost: the rest is read, and the end is the same.
    other = Run(tmp_path / "other")
    shutil.copytree(run.folder, other.folder)
    (other / "result.json").unlink()
    next((other / "searches").glob("int4-*.json")).unlink()
    shutil.rmtree(other / "designs")
    with monkeypatch.context() as patched:
        patched.setattr(reproduce.Reproduction, "_designs", stop)
        with pytest.raises(Stopped):
            reproduce.Reproduction(other, PLAN, SOURCE, Silent()).run()
    with pytest.raises(BadInput, match="did not get so far"):
        result_of(other)
    assert timeless(reproduce.Reproduction(other, PLAN, SOURCE, Silent()).run()) == timeless(result)


def stop(*_: object) -> None:
    raise Stopped
