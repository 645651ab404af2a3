"""Searches of SC-NAS: energy before accuracy, the same points again, and the designs that are trained to the end."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import optuna
import pytest

from gatewright.dse.evaluate import Outcome, Source
from gatewright.dse.scnas import methods, part, plan, reproduce, search, shared
from gatewright.dse.scnas.finalists import file_of, finalists, fit
from gatewright.dse.scnas.methods import Method, drawn, together
from gatewright.dse.scnas.plan import QUICK, Plan
from gatewright.dse.scnas.result import Point, Search
from gatewright.hw.config import integer
from gatewright.hw.errors import BadInput
from gatewright.sim import cache
from gatewright.sw.models import Architecture, workload
from gatewright.sw.super_training import SuperTraining
from gatewright.sw.train import Training
from tests.dse.scnas_result import FIXED, metrics, scored, searched

PLAN = QUICK.replace(points=40, scored=12)
SHAPE, CLASSES = (1, 8, 8), 10
SOURCE = Source(dataset="digits", validation=PLAN.data.validation)


def products(network: Architecture) -> float:
    as_integers = network.replace(operators=(integer(8),))
    return float(sum(layer.products for layer in workload(as_integers).layers))


def priced(network: Architecture, *_: Any) -> Outcome:
    """A picojoule a product; networks whose first layer has 12 channels cannot be built."""
    if network.widths[0] == 12:
        return Outcome(status="impossible", rule="twelve")
    return Outcome(status="over_budget", metrics=metrics(products(network), 5.0))


class Seen:
    """In place of a super-network: remembers whose accuracy was asked for."""

    def __init__(self) -> None:
        self.asked: list[Architecture] = []
        self.left: int | None = None  # estimates before an interruption

    def estimate(self, weights: object, network: Architecture, images: object, settled: int, seen: int) -> float:
        assert (settled, seen) == (PLAN.settled, PLAN.seen)
        if len(self.asked) == self.left:
            raise KeyboardInterrupt
        self.asked.append(network)
        return 1 - 1 / math.log2(products(network))


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    found = Seen()
    monkeypatch.setattr(search, "bill", priced)
    monkeypatch.setattr(search, "load", lambda path: None)
    monkeypatch.setattr(search, "estimate", found.estimate)
    return found


ALL = {method.name: method for method in together(PLAN, FIXED)}


@pytest.mark.parametrize("name", ["scnas", "tpe", "random", "int8", "fp32"])
def test_accuracy_is_asked_for_within_the_budget_alone(seen: Seen, name: str, tmp_path: Path) -> None:
    limit = 0.8 * products(FIXED)
    found = search.search(ALL[name], PLAN, limit, Path("none"), SOURCE, tmp_path / "part")
    scored = [point.architecture for point in found.points if point.status == "scored"]
    assert seen.asked == scored
    assert scored
    for point in found.points:
        if point.status == "repeated":
            assert point.architecture in [p.architecture for p in found.points[: point.number]]
            continue
        assert point.architecture is not None
        energy = products(point.architecture)
        impossible, over = point.architecture.widths[0] == 12, energy > limit
        assert point.status == ("impossible" if impossible else "over_budget" if over else "scored")
        assert (point.energy_pj, point.memory_energy_pj) == ((None, None) if impossible else (energy, 5.0))
        assert (point.estimate is None) == (point.status != "scored")
    assert found.count("over_budget")
    assert len(scored) == PLAN.scored or len(found.points) == PLAN.points


FEW = PLAN.replace(widths=((4, 12), (8, 16)), kernels=(3,))  # networks, so that most are drawn again


@pytest.mark.parametrize(("name", "plan", "again"), [("scnas", PLAN, set()), ("int8", FEW, {"scored", "impossible"})])
def test_the_sampler_is_told_the_reward(
    name: str, plan: Plan, again: set[str], seen: Seen, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told: list[tuple[int, float]] = []
    tell = optuna.study.Study.tell

    def listening(study: optuna.Study, trial: optuna.Trial, value: float) -> Any:
        told.append((trial.number, value))
        return tell(study, trial, value)

    monkeypatch.setattr(optuna.study.Study, "tell", listening)
    limit = 0.8 * products(FIXED)
    points = search.search(ALL[name], plan, limit, Path("none"), SOURCE, tmp_path / "part").points
    worth = {"impossible": lambda p: -1.0, "over_budget": lambda p: max(-1.0, 1 - p.energy_pj / limit)}
    worth["scored"] = lambda p: p.estimate - PLAN.halving * math.log2(p.energy_pj / limit)
    firsts = [next(q for q in points if q.architecture == p.architecture) for p in points]
    assert told == [(p.number, pytest.approx(worth[first.status](first))) for p, first in zip(points, firsts, strict=True)]
    assert again <= {first.status for p, first in zip(points, firsts, strict=True) if p.status == "repeated"}


def test_the_same_search_draws_the_same_points(seen: Seen, tmp_path: Path) -> None:
    limit = 0.8 * products(FIXED)
    one, two, other = (
        search.search(ALL["scnas"], PLAN.replace(seed=seed), limit, Path("none"), SOURCE, tmp_path / str(i))
        for i, seed in enumerate((3, 3, 4))
    )
    assert one.points == two.points
    assert one.points != other.points


@pytest.mark.parametrize(("name", "estimates"), [("scnas", 10), ("tpe", 10), ("random", 4), ("fp32", 7)])
def test_an_interrupted_search_goes_on(seen: Seen, name: str, estimates: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """To the points of an uninterrupted one, and what is in its part is neither priced nor estimated again."""
    limit, file = 0.8 * products(FIXED), tmp_path / "part"
    billed: list[Architecture] = []

    def bill(network: Architecture, *_: Any) -> Outcome:
        billed.append(network)
        return priced(network)

    monkeypatch.setattr(search, "bill", bill)

    def go() -> Search:
        return search.search(ALL[name], PLAN, limit, Path("none"), SOURCE, file)

    whole = search.search(ALL[name], PLAN, limit, Path("none"), SOURCE, tmp_path / "whole")
    asked, bills = seen.asked[:], billed[:]
    seen.asked.clear()
    billed.clear()
    seen.left = estimates
    with pytest.raises(KeyboardInterrupt):
        go()
    kept = json.loads(file.read_text())
    known = [network for network in bills if network.content_hash in kept["points"]]
    assert known == bills[: (len(billed) - 1) // part.EVERY * part.EVERY] != []
    assert part.drawn(file) == kept["drawn"] == 1 + next(p.number for p in whole.points if p.architecture == known[-1])
    longer = {name: kept[name] for name in ("drawn", "points")} | {"seconds": 1000.0}
    file.write_text(json.dumps(longer | {part.HASH: cache.key(**longer)}))
    seen.asked.clear()
    billed.clear()
    seen.left = None
    resumed = go()
    assert resumed.points == whole.points
    assert resumed.seconds > 1000 > whole.seconds
    assert billed == bills[len(known) :]
    assert seen.asked == [network for network in asked if network not in known]


def test_a_damaged_part_is_said(seen: Seen, tmp_path: Path) -> None:
    file = tmp_path / "part"
    assert part.drawn(file) == 0
    kept, networks = part.Part(file), [FIXED.replace(widths=(i + 1, 8)) for i in range(part.EVERY)]
    for i, network in enumerate(networks):
        kept.keep(network, Point(number=i, status="scored", architecture=network, energy_pj=1.0, memory_energy_pj=1.0, estimate=0.5))
    assert part.drawn(file) == part.EVERY
    whole = file.read_text()
    for damaged in ("", "{", "{}", "[]", "null", whole[:-9], whole.replace("0.5", "0.7", 1)):
        file.write_text(damaged)
        for reading in (part.drawn, part.Part):
            with pytest.raises(BadInput, match="part is damaged .* Delete it and go on with --resume"):
                reading(file)


def test_a_network_may_take_all_of_the_budget() -> None:
    found = [search.priced(0, FIXED, Outcome(status="over_budget", metrics=metrics(pj)), 100.0).status for pj in (100.0, 100.1)]
    assert found == ["scored", "over_budget"]


def test_the_reward() -> None:
    assert search.reward(200, 100, None, 0.01) == -1
    assert search.reward(900, 100, None, 0.01) == -1
    assert search.reward(125, 100, None, 0.01) == pytest.approx(-0.25)
    assert search.reward(100, 100, 0.9, 0.01) == 0.9
    assert search.reward(25, 100, 0.9, 0.01) == pytest.approx(0.92)


def test_a_budget_is_a_part_of_the_reference_network_s(seen: Seen) -> None:
    assert search.budget(PLAN.replace(budget=0.5), FIXED, ALL["int4"]) == 0.5 * products(FIXED)


def test_a_budget_of_floating_point_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def dear(network: Architecture, *_: Any) -> Outcome:
        return Outcome(status="over_budget", metrics=metrics({"fp32": 900, "int8": 100}[network.operators[0].name]))

    monkeypatch.setattr(search, "bill", dear)
    assert [search.budget(PLAN, FIXED, ALL[name]) for name in ("fp32", "int4", "scnas")] == [900, 100, 100]


def test_a_hash_of_what_searches_rest_on() -> None:
    assert PLAN.replace(finalists=7, gates=8, final=PLAN.final.replace(epochs=3)).searching == PLAN.searching
    changed: dict[str, Any] = {"data": PLAN.data.replace(validation=200), "shared": PLAN.shared.replace(epochs=3), "pooling": ("max",)}
    changed |= {"widths": ((4, 8), (8, 16)), "kernels": (3,), "pool_after": (1,), "rows": (2,), "cols": (2,), "sample": 100}
    changed |= {"reference": 0, "operand_bits": 32, "buffer_words_max": 64, "images": 2, "clock_ns": 10.0, "budget": 0.7, "points": 3}
    changed |= {"scored": 2, "halving": 0.5, "settled": 64, "seen": 9, "seed": 5}
    assert set(changed) == {name for name, _ in PLAN} - set(plan.AFTERWARDS)
    for name, value in changed.items():
        assert PLAN.replace(**{name: value}).searching != PLAN.searching, name


def test_methods_search_with_seeds_of_their_own() -> None:
    assert len({search.seed(PLAN, method) for method in ALL.values()}) == len(ALL)
    assert search.seed(PLAN, ALL["scnas"]) != search.seed(PLAN.replace(seed=1), ALL["scnas"])


def test_large_spaces_are_searched_by_imitation_too() -> None:
    imitation = {name: getattr(methods.sampler(method, QUICK, 0), "imitation", None) for name, method in ALL.items()}
    assert imitation == {"scnas": 1.0, "tpe": None, "random": None, **dict.fromkeys(("hardware", "int8", "int4", "fp32", "fp16"), 0.0)}


def test_what_each_method_may_choose() -> None:
    random = Random(0)
    for name, operators in {"int8": {"int8"}, "int4": {"int4"}, "fp32": {"fp32"}, "fp16": {"fp16"}}.items():
        for _ in range(5):
            assert {o.name for o in drawn([ALL[name]], PLAN, random, SHAPE, CLASSES).operators} == operators
    for name in ("scnas", "tpe", "random", "hardware"):
        for _ in range(10):
            network = drawn([ALL[name]], PLAN, random, SHAPE, CLASSES)
            assert {o.kind for o in network.operators} <= {"stochastic", "xnor"}
            if name == "hardware":
                assert network.replace(operators=FIXED.operators) == FIXED


def test_the_front_by_brute_force() -> None:
    random = Random(1)
    points = scored(*((random.randint(1, 30), random.randint(1, 30) / 30) for _ in range(60)))

    def beaten(p: Point) -> bool:
        return any(
            (q.energy_pj or 0) <= (p.energy_pj or 0)
            and (q.estimate or 0) >= (p.estimate or 0)
            and (q.energy_pj, q.estimate) != (p.energy_pj, p.estimate)
            for q in points
        )

    found = search.front(points)
    assert {(p.energy_pj, p.estimate) for p in found} == {(p.energy_pj, p.estimate) for p in points if not beaten(p)}


def test_designs_for_several_exchange_rates() -> None:
    points = scored((100, 0.99), (50, 0.97), (25, 0.94), (20, 0.80), (60, 0.96))
    chosen = search.chosen(searched(points), 3, (0.025, 0.0, 0.1))
    assert [p.energy_pj for p in chosen] == [50, 100, 25]
    assert [p.energy_pj for p in search.chosen(searched(points), 1, (0.025, 0.0))] == [50]
    assert [p.energy_pj for p in search.chosen(searched(points), 3, (0.0,))] == [100, 50, 25]  # the rest of the front, the dearest first
    assert search.chosen(searched(()), 3, (0.0,)) == []


def test_what_is_trained_to_the_end() -> None:
    many = scored((100, 0.99), (50, 0.97), (25, 0.94), (20, 0.80))
    plan = PLAN.replace(finalists=3, others=1, converted=("sc_sign_magnitude_sobol16_8",), pure=("sc_sign_magnitude_sobol16_8",))
    found = finalists(plan, [searched(many), searched(many, "random")], FIXED)
    assert [f.method for f in found] == ["scnas"] * 3 + ["random", "pure", "pure"]
    converted, trained = found[-2:]
    assert (converted.converted, trained.converted) == (True, False)
    assert converted.architecture == trained.architecture
    assert converted.trained_as.operators[0].name == "fp32"
    assert file_of(converted.architecture, plan.final, Path(), converted=True) != trained.file(plan, Path()) != converted.file(plan, Path())
    assert trained.trained_as == trained.architecture


@pytest.mark.parametrize(("operator", "training"), [("int4", Training), ("fp32", SuperTraining)])
def test_a_training_goes_on_where_it_stopped(operator: str, training: type[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = PLAN.replace(final=PLAN.final.replace(epochs=2, batch=256), converted=(), pure=(operator,))
    (finalist,) = finalists(plan, [], FIXED.replace(widths=(4, 4)))
    folders = [tmp_path / name for name in ("whole", "stopped")]
    for folder in folders:
        folder.mkdir()
    fit(finalist, plan, SOURCE, folders[0])
    whole = finalist.file(plan, folders[0])
    with monkeypatch.context() as patched:
        patched.setattr(training, "epoch", one_epoch(training.epoch))
        with pytest.raises(KeyboardInterrupt):
            fit(finalist, plan, SOURCE, folders[1])
    assert [path.suffix for path in folders[1].iterdir()] == [".part"]
    fit(finalist, plan, SOURCE, folders[1])
    assert [path.read_bytes() for path in folders[1].iterdir()] == [whole.read_bytes()]


def one_epoch(epoch: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def stopping(training: Any) -> Any:
        if training.left == 1:
            raise KeyboardInterrupt
        return epoch(training)

    return stopping


def test_the_super_network_spans_every_method(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def trained(span: Any, draw: Any, *_: Any, part: Path) -> Any:
        assert part == tmp_path / "shared.part"
        random = Random(0)
        for _ in range(20):
            span.check(draw(random))
        return span

    monkeypatch.setattr(shared, "train_super", trained)
    monkeypatch.setattr(shared, "save", lambda span, path: path.write_text(span.to_json()))
    file = tmp_path / "shared.safetensors"
    assert shared.epochs(PLAN, file) == 0
    shared.share(PLAN, SOURCE, file)
    assert shared.epochs(PLAN, file) == PLAN.shared.epochs


def test_methods_have_names_of_their_own() -> None:
    found: list[Method] = [*together(PLAN, FIXED), methods.sequential(FIXED)]
    assert len({m.name for m in found}) == len({m.label for m in found}) == len(found)


def test_a_search_that_finds_nothing_says_so() -> None:
    found = searched(scored((1, 0.5)))
    reproduce.check([found])
    empty = found.replace(points=(Point(number=0, status="over_budget", energy_pj=200.0), Point(number=1, status="impossible")))
    with pytest.raises(BadInput, match=r"drew 2 points, of which none .* 0.1 nJ \(1 above it, 1 impossible\). Raise points or budget"):
        reproduce.check([found, empty])
