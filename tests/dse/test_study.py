"""A study that is interrupted at any point and resumed equals one that is not."""

import signal
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import pytest
from optuna.distributions import CategoricalDistribution
from optuna.trial import TrialState

from gatewright.dse.config import Search
from gatewright.dse.evaluate import Outcome
from gatewright.dse.layered import Params
from gatewright.dse.study import Record, Study, tally, uninterrupted
from gatewright.hw.config import integer
from gatewright.hw.errors import BadInput
from gatewright.sim.metrics import Metrics
from gatewright.sw.accuracy import wilson
from gatewright.sw.models import Architecture

SPACE = {
    "width": CategoricalDistribution((4, 8, 12, 16)),
    "bits": CategoricalDistribution((2, 3, 4, 8)),
    "depth": CategoricalDistribution((1, 2, 3)),
}


def classify(params: Params) -> Architecture:
    if params["width"] == 16 and params["depth"] == 3:
        raise BadInput("too large")
    widths, bits = (int(params["width"]),) * int(params["depth"]), integer(int(params["bits"]))
    return Architecture(family="mlp", channels=1, height=4, width=4, widths=widths, operators=(bits,) * (len(widths) + 1))


def outcome(network: Architecture) -> Outcome:
    """A made-up trade-off."""
    size = sum(network.widths) * network.operators[0].weight_bits
    fields = dict.fromkeys(("memory_energy_pj", "external_energy_pj", "cycles", "latency_ns", "area_um2", "memory_area_um2"), 1.0)
    metrics = Metrics(energy_pj=float(size), origin="calibrated", **fields)
    if size > 200:
        return Outcome(status="over_budget", rule="energy", metrics=metrics)
    return Outcome(status="trained", metrics=metrics, accuracy=wilson(min(100, 50 + size // 3), 100))


class Fake(Executor):
    """Evaluates at once; `stop` evaluations in, it is interrupted."""

    def __init__(self, stop: int | None = None) -> None:
        self.stop, self.evaluated = stop, list[int]()

    def evaluate(self, record: Record, before: list[Record]) -> "Future[Outcome]":
        if self.stop is not None and len(self.evaluated) == self.stop:
            raise KeyboardInterrupt
        assert record.architecture is not None
        assert all(r.generation < record.generation for r in before)
        self.evaluated.append(record.number)
        future: Future[Outcome] = Future()
        future.set_result(outcome(record.architecture))
        return future


def run(path: Path, sampler: str, pool: Fake, **other: Any) -> list[Record]:
    study = Study(path, Search(trials=14, generation=4, sampler=sampler, seed=3), SPACE)
    return study.run(
        pool,
        classify=classify,
        submit=lambda pool, record, before: pool.evaluate(record, before),  # type: ignore[attr-defined]
        energy=lambda o: o.metrics.energy_pj if o.metrics else 0.0,
        least=0.6,
        **other,
    )


def facts(records: list[Record]) -> list[tuple[Any, ...]]:
    return [(r.number, r.params, r.generation, r.state, r.outcome and r.outcome.to_json()) for r in records]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[Any, ...]]]:
    folder = tmp_path_factory.mktemp("whole")
    return {sampler: facts(run(folder / f"{sampler}.db", sampler, Fake())) for sampler in ("tpe", "random", "nsga2", "controller")}


@pytest.mark.parametrize("sampler", ["tpe", "random", "nsga2", "controller"])
def test_interrupted_and_resumed_equals_uninterrupted(tmp_path: Path, whole: dict[str, list[tuple[Any, ...]]], sampler: str) -> None:
    evaluated: list[int] = []
    for stop in (0, 3, 2, 5, None):
        pool = Fake(stop)
        try:
            records = run(tmp_path / "study.db", sampler, pool)
        except KeyboardInterrupt:
            evaluated += pool.evaluated
            continue
        evaluated += pool.evaluated
    assert facts(records) == whole[sampler]
    proper = [r.number for r in records if r.architecture is not None]
    assert len(proper) == 14
    # Evaluations that an interruption cut off before their outcome was stored may be done again, others never.
    assert set(evaluated) == set(proper)


def test_an_outcome_is_kept_the_moment_it_is_known(tmp_path: Path, whole: dict[str, list[tuple[Any, ...]]]) -> None:
    def stop(record: Record) -> None:
        raise KeyboardInterrupt

    first, path = Fake(), tmp_path / "study.db"
    with pytest.raises(KeyboardInterrupt):
        run(path, "tpe", first, progress=stop)
    study = Study(path, Search(trials=14, generation=4, seed=3), SPACE)
    kept = [r.number for r in study.records() if r.outcome is not None and r.architecture is not None]
    assert kept == first.evaluated  # all of them had finished
    second = Fake()
    assert facts(run(path, "tpe", second)) == whole["tpe"]
    assert not set(kept) & set(second.evaluated)
    third = Fake()
    assert facts(run(path, "tpe", third)) == whole["tpe"]
    assert third.evaluated == []


def test_a_stop_between_constraint_and_result(
    tmp_path: Path, whole: dict[str, list[tuple[Any, ...]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trial that has its constraint but was not told yet is told when the run goes on, without a warning."""

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    path = tmp_path / "study.db"
    with monkeypatch.context() as patch:
        patch.setattr("optuna.study.Study.tell", stop)
        with pytest.raises(KeyboardInterrupt):
            run(path, "tpe", Fake())
    assert facts(run(path, "tpe", Fake())) == whole["tpe"]


def test_each_trial_says_how_it_ended(whole: dict[str, list[tuple[Any, ...]]], tmp_path: Path) -> None:
    records = run(tmp_path / "study.db", "random", Fake())
    counts = tally(records)
    assert counts["trained"] + counts.get("over_budget", 0) == 14
    assert sum(counts.values()) == len(records)
    networks = [r.architecture for r in records if r.architecture is not None]
    assert len(set(networks)) == len(networks)
    states = {r.outcome.status: r.state for r in records if r.outcome is not None}
    assert states["trained"] == TrialState.COMPLETE
    assert states["over_budget"] == TrialState.PRUNED
    assert all(r.outcome.rule for r in records if r.outcome is not None and r.outcome.status != "trained")


def test_a_small_space_ends_early(tmp_path: Path) -> None:
    study = Study(
        tmp_path / "study.db",
        Search(trials=50, generation=1),
        {name: CategoricalDistribution((d.choices[0],)) for name, d in SPACE.items()},
    )
    records = study.run(
        Fake(),
        classify=classify,
        submit=lambda pool, record, before: pool.evaluate(record, before),  # type: ignore[attr-defined]
        energy=lambda o: 1.0,
    )
    assert tally(records)["trained"] == 1


def test_an_interrupt_waits_until_a_trial_is_asked() -> None:
    reached = []

    def asking() -> None:
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
            reached.append(True)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # pytest's workers ignore interrupts
    try:
        with pytest.raises(KeyboardInterrupt):
            asking()
    finally:
        signal.signal(signal.SIGINT, before)
    assert reached
