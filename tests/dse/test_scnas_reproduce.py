"""A whole reproduction, small: from the super-network to gates and Verilog; interrupted, it goes on to the same result."""

import re
import shutil
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from gatewright.dse.evaluate import Source
from gatewright.dse.run import Run
from gatewright.dse.scnas import part, reproduce, search, shared
from gatewright.dse.scnas.folder import create, result_of
from gatewright.dse.scnas.methods import together
from gatewright.dse.scnas.plan import QUICK
from gatewright.dse.scnas.report import write
from gatewright.dse.scnas.result import Result
from gatewright.hw.errors import BadInput
from gatewright.sw import supernet
from gatewright.sw.super_training import SuperTraining
from tests.dse.scnas_result import scored, searched

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


class Bars:
    """What a listener was told: of each phase its name, its total and how far it came."""

    def __init__(self) -> None:
        self.phases: list[tuple[str, int]] = []
        self.steps: list[int] = []

    def phase(self, name: str, total: int) -> None:
        self.phases.append((name, total))
        self.steps.append(0)

    def advance(self) -> None:
        self.steps[-1] += 1

    @property
    def full(self) -> bool:
        return self.steps == [total for _, total in self.phases]


class Stopped(Exception):
    pass


def timeless(result: Result) -> Result:
    searches = tuple(search.replace(seconds=0.0) for search in result.searches)
    return result.replace(searches=searches, seconds={})


@pytest.mark.thorough
def test_from_the_super_network_to_gates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = create(tmp_path, PLAN)
    bars = Bars()
    result = reproduce.Reproduction(run, PLAN, SOURCE, bars).run()
    assert bars.full
    assert bars.phases[:2] == [("Training the super-network", 2), ("Searching", 9 * PLAN.points)]
    assert not [*run.folder.rglob("*.part")]
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

    # Stopped in the super-network, in a search, and before the designs: what is there is read, and the end is the same.
    other = Run(tmp_path / "other")
    shutil.copytree(run.folder, other.folder)
    (other / "result.json").unlink()
    (weights,) = other.folder.glob("shared-*.safetensors")
    weights.unlink()
    (int4,) = (other / "searches").glob("int4-*.json")
    int4.unlink()
    shutil.rmtree(other / "designs")
    (kept,) = run.folder.glob("shared-*.safetensors")
    with monkeypatch.context() as patched:
        patched.setattr(SuperTraining, "epoch", after(1, SuperTraining.epoch))
        with pytest.raises(Stopped):
            shared.share(PLAN, SOURCE, weights)
        assert shared.epochs(PLAN, weights) == 1
        patched.setattr(part, "EVERY", 1)
        patched.setattr(search, "estimate", after(2, supernet.estimate))
        (found,) = (s for s in result.searches if s.method == "int4")
        (method,) = (m for m in together(PLAN, PLAN.fixed(1, 8, 8, 10)) if m.name == "int4")
        with pytest.raises(Stopped):
            search.search(method, PLAN, found.budget_pj, kept, SOURCE, int4.with_suffix(".part"))
        assert part.drawn(int4.with_suffix(".part")) >= 2
        patched.setattr(reproduce.Reproduction, "_designs", after(0))
        with pytest.raises(Stopped):
            reproduce.Reproduction(other, PLAN, SOURCE, Bars()).run()
    assert weights.read_bytes() == kept.read_bytes()
    with pytest.raises(BadInput, match="did not get so far"):
        result_of(other)
    bars = Bars()
    assert timeless(reproduce.Reproduction(other, PLAN, SOURCE, bars).run()) == timeless(result)
    assert bars.full
    assert not [*other.folder.rglob("*.part")]


def test_damaged_searches_are_said_together_before_anything_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reproduce.Reproduction, "_share", after(0))
    run = create(tmp_path, PLAN)
    made = reproduce.Reproduction(run, PLAN, SOURCE, Bars())
    folder = run / "searches"
    folder.mkdir()
    whole = searched(scored((1.0, 0.5)))
    ending = f"-{made.hash}"
    for name, text in {
        f"fp32{ending}.json": whole.to_json(),
        f"int4{ending}.json": whole.to_json()[:-5],
        f"int8{ending}.part": "null",
        f"sequential{ending}.json": "{}",
        "int8-0123456789ab.json": "of another plan",
    }.items():
        (folder / name).write_text(text)
    with pytest.raises(BadInput) as error:
        made.run()
    names = re.findall(rf"{folder}/([^ ]+) \(", str(error.value))
    assert names == [f"int4{ending}.json", f"sequential{ending}.json", f"int8{ending}.part"]
    assert str(error.value).endswith("Delete them and go on with --resume: those searches begin anew.")
    for name in names:
        (folder / name).unlink()
    with pytest.raises(Stopped):
        made.run()


def after(calls: int, function: Callable[..., Any] = print) -> Callable[..., Any]:
    """A function that stops instead of being called once more."""
    left = iter(range(calls))

    def stopping(*arguments: Any) -> Any:
        if next(left, None) is None:
            raise Stopped
        return function(*arguments)

    return stopping


def test_progress_is_what_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reproduce, "LOOK", 0.0)
    bars, jobs, seen = Bars(), [Future[int](), Future[int]()], list[int]()
    bars.phase("waiting", 9)
    known = iter((2, 2, 5, 4, 9, 9))

    def done() -> int:
        seen.append(bars.steps[0])
        if len(seen) == 3:
            jobs[1].set_result(1)
        if len(seen) == 5:
            jobs[0].set_result(0)
        return next(known)

    assert [job.result() for job in reproduce.followed(jobs, done, bars)] == [1, 0]
    assert seen == [0, 2, 2, 5, 5, 9]
    assert bars.full
