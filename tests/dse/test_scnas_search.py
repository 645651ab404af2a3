"""Searches of SC-NAS: energy before accuracy, the same points again, the designs that are trained to the end, and the claims about them."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import optuna
import pytest

from gatewright.dse.evaluate import Outcome, Source
from gatewright.dse.scnas import comparison, methods, part, plan, reproduce, search, shared
from gatewright.dse.scnas.finalists import file_of, finalists, fit
from gatewright.dse.scnas.methods import Method, drawn, together
from gatewright.dse.scnas.plan import QUICK
from gatewright.dse.scnas.result import Design, Point, Search, Step
from gatewright.dse.scnas.tables import verdict
from gatewright.hw.config import integer
from gatewright.hw.errors import BadInput
from gatewright.sim import cache
from gatewright.sim.metrics import Metrics
from gatewright.sw.accuracy import wilson
from gatewright.sw.models import Architecture, workload
from gatewright.sw.super_training import SuperTraining
from gatewright.sw.train import Training

PLAN = QUICK.replace(points=40, scored=12)
SHAPE, CLASSES = (1, 8, 8), 10
FIXED = PLAN.fixed(*SHAPE, CLASSES)
SOURCE = Source(dataset="digits", validation=PLAN.data.validation)


def metrics(energy_pj: float, memory_pj: float = 0.0) -> Metrics:
    return Metrics(
        energy_pj=energy_pj,
        memory_energy_pj=memory_pj,
        external_energy_pj=0,
        cycles=1,
        latency_ns=1,
        area_um2=1,
        memory_area_um2=0,
        origin="calibrated",
    )


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


def test_the_sampler_is_told_the_reward(seen: Seen, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    told: list[tuple[int, float]] = []
    tell = optuna.study.Study.tell

    def listening(study: optuna.Study, trial: optuna.Trial, value: float) -> Any:
        told.append((trial.number, value))
        return tell(study, trial, value)

    monkeypatch.setattr(optuna.study.Study, "tell", listening)
    limit = 0.8 * products(FIXED)
    points = search.search(ALL["scnas"], PLAN, limit, Path("none"), SOURCE, tmp_path / "part").points
    worth = {"impossible": lambda p: -1.0, "over_budget": lambda p: max(-1.0, 1 - p.energy_pj / limit)}
    worth["scored"] = lambda p: p.estimate - PLAN.halving * math.log2(p.energy_pj / limit)
    expected = []
    for p in points:
        first = next(q for q in points if q.architecture == p.architecture)
        expected.append((p.number, pytest.approx(worth[first.status](first))))
    assert told == expected


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


def scored(*pairs: tuple[float, float]) -> tuple[Point, ...]:
    networks = [FIXED.replace(widths=(i + 1, 8)) for i in range(len(pairs))]
    return tuple(
        Point(number=i, status="scored", architecture=networks[i], energy_pj=energy, memory_energy_pj=0.0, estimate=accuracy)
        for i, (energy, accuracy) in enumerate(pairs)
    )


def made(points: tuple[Point, ...], method: str = "scnas") -> Search:
    return Search(method=method, label=method, kind="stochastic", space=1e6, budget_pj=100.0, points=points, seconds=1.0)


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
    chosen = search.chosen(made(points), 3, (0.025, 0.0, 0.1))
    assert [p.energy_pj for p in chosen] == [50, 100, 25]
    assert [p.energy_pj for p in search.chosen(made(points), 1, (0.025, 0.0))] == [50]
    assert [p.energy_pj for p in search.chosen(made(points), 3, (0.0,))] == [100, 50, 25]  # the rest of the front, the dearest first
    assert search.chosen(made(()), 3, (0.0,)) == []


def test_what_is_trained_to_the_end() -> None:
    many = scored((100, 0.99), (50, 0.97), (25, 0.94), (20, 0.80))
    plan = PLAN.replace(finalists=3, others=1, converted=("sc_sign_magnitude_sobol16_8",), pure=("sc_sign_magnitude_sobol16_8",))
    found = finalists(plan, [made(many), made(many, "random")], FIXED)
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


def design(
    method: str, right: int, energy_pj: float, kind: str = "integer", measured: float | None = None, test: int | None = None, **more: Any
) -> Design:
    """A design with so many of 1,000 validation images right, and unless `test` says otherwise as many test images."""
    return Design(
        method=method,
        label=method,
        kind=kind,
        architecture=FIXED,
        config=None,
        mappings=(),
        metrics=metrics(energy_pj, 10.0),
        estimate=None,
        validation=wilson(right, 1000),
        test=wilson(right if test is None else test, 1000),
        measured=measured and metrics(measured, 10.0),
        **more,
    )


def test_winner_and_rivals() -> None:
    integers = [design("int8", 960, 100), design("int8", 940, 60), design("int4", 930, 50)]
    streams = [design("scnas", 970, 90, "stochastic"), design("scnas", 961, 40, "stochastic"), design("scnas", 900, 10, "stochastic")]
    designs = [*integers, *streams]
    best = designs[comparison.winner(designs)]
    assert best == streams[1]
    assert comparison.rival(designs, "int8", best) == integers[0]  # none is as accurate: the most accurate
    short = [*integers, streams[2]]
    assert short[comparison.winner(short)] == streams[2]
    assert comparison.rival(short, "int8", streams[2]) == integers[1]  # the cheapest of those that are
    assert comparison.rival(short, "fp32", streams[2]) is None


def test_validation_images_choose() -> None:
    """Test images would choose otherwise everywhere."""
    streams = [design("scnas", 950, 40, "stochastic", test=999), design("scnas", 960, 50, "stochastic", test=900)]
    integers = [design("int8", 955, 70, test=990), design("int8", 960, 80, test=800), design("int8", 960, 90, test=999)]
    designs = [*streams, *integers]
    best = designs[comparison.winner(designs)]
    assert best == streams[1]
    assert comparison.rival(designs, "int8", best) == integers[1]
    pure = [design("pure", right, 50, "stochastic", test=test, converted=True) for right, test in ((800, 890), (850, 700))]
    trained = design("pure", 940, 50, "stochastic", test=940)
    points = claims([*designs, *pure, trained], best)["accuracy above pure stochastic computing"]
    assert points.measured == pytest.approx(20.0)


MEMORIES = {
    "logic": 0.0,
    "with memories at half their cited cost": 0.5,
    "with memories at their cited cost": 1.0,
    "at twice their cited cost": 2.0,
}


def claims(designs: list[Design], best: Design, *, published: bool = True) -> dict[str, Any]:
    over = Point(number=2, status="over_budget", architecture=FIXED, energy_pj=200.0)
    searches = [made((*scored((1, 0.5), (2, 0.6)), over))]
    steps = (Step(name="all", size=1e20, why=""), Step(name="contracted", size=1e6, why=""))
    return {c.name: c for c in comparison.claims(designs, best, searches, steps, published=published)}


def test_claims_by_hand() -> None:
    best = design("scnas", 960, 20, "stochastic", measured=25)
    others = [
        design("fp32", 960, 200, "float"),
        design("fp16", 970, 90, "float"),
        design("int8", 955, 60, measured=50),
        design("int4", 990, 10),
        design("pure", 900, 15, "stochastic", converted=True),
        design("pure", 910, 22, "stochastic", converted=True),
        design("pure", 950, 22.1, "stochastic", converted=True),
    ]
    found = claims([best, *others], best)
    assert [claim.paper for claim in found.values() if claim.paper] == [7.0, 3.8, 8.6e19]  # its abstract
    assert not any("not searched" in name for name in found)
    floating = found["energy of FP-NAS (FP32) over that of SC-NAS"]
    assert (floating.paper, floating.measured, floating.holds) == (7.0, 8.0, True)  # measured streams, bounded floating point
    assert found["energy of FP-NAS (FP16) over that of SC-NAS"].paper is None
    pure = found["accuracy above pure stochastic computing"]
    assert (pure.measured, pure.holds) == (pytest.approx(5.0), True)  # the third takes more than a tenth more
    fewer = found["networks of the whole space for each that was evaluated"]
    assert (fewer.measured, fewer.holds) == (5e19, False)
    assert found["energy of INT8 NAS over that of SC-NAS, logic"].measured == 2.0  # both measured
    ratios = {words: found[f"energy of INT8 NAS over that of SC-NAS, {words}"].measured for words in MEMORIES}
    assert ratios == {words: pytest.approx((50 + factor * 10) / (25 + factor * 10)) for words, factor in MEMORIES.items()}
    worse = found["energy of INT4 NAS over that of SC-NAS, logic"]
    assert (worse.measured, worse.holds) == (0.5, False)  # only one of them measured: predicted
    small = claims([best, *others], best, published=False)["networks of the whole space for each that was evaluated"]
    assert (small.paper, small.holds) == (None, True)


def test_streams_of_other_searches_are_compared_too() -> None:
    best = design("scnas", 960, 20, "stochastic")
    others = [design("tpe", 970, 15, "stochastic"), design("hardware", 960, 25, "stochastic"), design("pure", 900, 30, "stochastic")]
    found = claims([best, *others], best)
    names = ("the same search by TPE", "hardware alone")
    worse, better = (found[f"energy of streams by {name} over that of SC-NAS, logic"] for name in names)
    assert (worse.measured, worse.holds, better.measured, better.holds) == (0.75, False, 1.25, True)
    assert found["energy of pure, not searched over that of SC-NAS, logic"].measured == 1.5


def test_a_lower_bound_shows_nothing_against_a_claim() -> None:
    best = design("scnas", 960, 20, "stochastic")
    dear, cheap = (
        claims([best, design("fp32", 960, pj, "float")], best)["energy of FP-NAS (FP32) over that of SC-NAS"] for pj in (200, 60)
    )
    assert (verdict(dear), verdict(cheap)) == ("holds", "not shown")
    assert (dear.found, dear.claimed, cheap.found) == ("≥ 10 times", "7 times", "≥ 3 times")


def test_cheap_but_less_accurate_is_not_as_good() -> None:
    best, other = design("scnas", 900, 20, "stochastic"), design("int8", 960, 60)
    assert not claims([best, other], best)["energy of INT8 NAS over that of SC-NAS, logic"].holds


def test_as_good_is_enough_and_of_equals_the_cheapest_counts() -> None:
    streams = [design("scnas", right, pj, "stochastic") for right, pj in ((970, 50), (960, 45), (960, 40))]
    same, better = design("int8", 960, 80), design("int8", 990, 85)
    assert comparison.winner([*streams, same]) == 2
    assert comparison.winner([*streams[1:], better]) == 1
    best = streams[2]
    assert comparison.rival([better, same], "int8", best) == same
    assert comparison.rival([design("int8", 950, 90), design("int8", 950, 70)], "int8", best) == design("int8", 950, 70)
    assert claims([best, design("int8", 960, 40)], best)["energy of INT8 NAS over that of SC-NAS, logic"].holds
    pure = [design("pure", 900, pj, "stochastic", converted=True) for pj in (42, 30)]
    assert "of 0.75 times the energy" in claims([best, *pure], best)["accuracy above pure stochastic computing"].note


@pytest.mark.parametrize(("test", "holds"), [(965, True), (985, False)])
def test_less_accurate_is_by_more_than_chance_explains(test: int, holds: bool) -> None:
    """On test images. Half a point is within chance, of 1,000 images; two and a half are not."""
    best = design("scnas", 960, 20, "stochastic")
    found = claims([best, design("int8", 960, 60, test=test), design("fp32", 960, 200, "float", test=test)], best)
    for name in ("energy of INT8 NAS over that of SC-NAS, logic", "energy of FP-NAS (FP32) over that of SC-NAS"):
        assert found[name].holds == holds
        assert ("less accurate on test images by more than chance" in found[name].note) != holds


def test_nothing_to_compare() -> None:
    best = design("scnas", 960, 20, "stochastic")
    found = claims([best, design("pure", 950, 23, "stochastic", converted=True)], best)["accuracy above pure stochastic computing"]
    assert (found.measured, found.holds) == (None, False)
    assert "none takes at most 10% more" in found.note


def test_a_claim_that_fails() -> None:
    best = design("scnas", 960, 20, "stochastic")
    found = claims([best, design("fp32", 960, 139, "float"), design("pure", 923, 15, "stochastic", converted=True)], best)
    assert not found["energy of FP-NAS (FP32) over that of SC-NAS"].holds
    assert not found["accuracy above pure stochastic computing"].holds


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
    found = made(scored((1, 0.5)))
    reproduce.check([found])
    empty = found.replace(points=(Point(number=0, status="over_budget", energy_pj=200.0), Point(number=1, status="impossible")))
    with pytest.raises(BadInput, match=r"drew 2 points, of which none .* 0.1 nJ \(1 above it, 1 impossible\). Raise points or budget"):
        reproduce.check([found, empty])
