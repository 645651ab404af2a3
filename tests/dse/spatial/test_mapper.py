"""The certified mapper against brute force: every mapping in every order, priced by definition."""

import contextlib
import itertools
import random

import pytest

from gatewright.dse.spatial import mapper, padded
from gatewright.dse.spatial.hierarchy import Hierarchy
from gatewright.dse.spatial.library import hierarchy as preset
from gatewright.dse.spatial.library import network
from gatewright.dse.spatial.mapper import OBJECTIVES, certify, value_of
from gatewright.dse.spatial.nest import evaluate
from gatewright.dse.spatial.padded import certify_padded
from gatewright.dse.spatial.partial import divisors, keeps_of
from gatewright.dse.spatial.problem import TENSORS, Problem
from gatewright.hw.errors import BadInput
from tests.dse.spatial import oracle


def agreement(seed: int, number: int, most: int) -> tuple[int, int]:
    """Random problems with the same optimum as brute force, and the mappings that it priced."""
    draw, agreed, priced = random.Random(seed), 0, 0
    while agreed < number:
        problem, hierarchy = oracle.random_problem(draw, "p"), oracle.random_hierarchy(draw)
        if not 1 < oracle.number_of(problem, hierarchy) <= most:
            continue
        objective = draw.choice(tuple(OBJECTIVES))
        least = float("inf")
        for nest in oracle.nests(problem, hierarchy):
            cost = evaluate(problem, hierarchy, nest)
            priced += 1
            least = min(least, value_of(cost, objective))
        # no better value is known than a hair above the optimum: a bound that is the least bit too high would discard it
        tight = mapper.Search(problem, hierarchy, objective, below=least * (1 + 1e-9)).run()
        assert tight is not None, (problem, hierarchy, objective)
        assert value_of(tight.cost, objective) == pytest.approx(least, rel=1e-12)
        found = certify(problem, hierarchy, objective)
        assert found.certified
        assert found.gap == 0.0
        assert value_of(found.cost, objective) == pytest.approx(least, rel=1e-12), (problem, hierarchy, objective)
        agreed += 1
    return agreed, priced


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    """The quick first search keeps one row, so that it is the exact one that is tested."""
    monkeypatch.setattr(mapper, "BEAM", 1)


def test_the_optimum_is_brute_forces():
    _, priced = agreement(seed=7, number=60, most=150)
    assert priced > 5_000


@pytest.mark.thorough
def test_the_optimum_is_brute_forces_on_hundreds():
    agreed, priced = agreement(seed=11, number=600, most=500)
    print(f"{agreed} optima agree, {priced:,} mappings priced by brute force")
    assert priced > 100_000


def test_the_same_mapping_every_time():
    problem = Problem(name="p", K=12, C=8, P=6, Q=6, R=3, S=3)
    first, second = (certify(problem, preset("eyeriss")) for _ in range(2))
    assert first.nest == second.nest


def test_a_budget_leaves_a_true_gap():
    """Out of time the mapping is legal and the gap no smaller than the true one."""
    problem, hierarchy = Problem(name="p", K=64, C=64, P=28, Q=28, R=3, S=3), preset("eyeriss")
    hurried, best = certify(problem, hierarchy, seconds=0.0), certify(problem, hierarchy)
    assert best.certified
    assert evaluate(problem, hierarchy, hurried.nest) == hurried.cost
    assert hurried.cost.edp / best.cost.edp - 1 <= hurried.gap + 1e-12
    assert not hurried.certified
    search = mapper.Search(problem, hierarchy, "edp", deadline=0.0)
    again = search.run()
    assert again is not None
    assert again.gap == pytest.approx(value_of(again.cost, "edp") / search.floor - 1)


def test_out_of_time_the_first_search_ends_with_its_first_mapping(monkeypatch):
    """Each choice of what to keep has one look at whole mappings; late, only the first choice has."""
    looks, honest = [], mapper.Search.look
    monkeypatch.setattr(mapper.Search, "look", lambda self, *rest: looks.append(rest) or honest(self, *rest))
    problem = Problem(name="p", K=64, C=64, P=28, Q=28, R=3, S=3)
    assert len(keeps_of(preset("tpu"))) == 2
    assert not certify(problem, preset("tpu"), seconds=0.0).certified
    assert len(looks) == 1


def test_huge_loops_are_mapped_and_hopeless_ones_refused(monkeypatch):
    """One input and 999,999,999,999 sums are written into the buffer, 16 words a cycle; its arrays make more products than that."""
    found = certify(Problem(name="p", K=999_999_999_999), preset("eyeriss"), "latency")
    assert found.certified
    assert found.cost.cycles == 1e12 / 16
    hopeless = Problem(name="p", K=720_720, C=720_720, P=840)
    with pytest.raises(BadInput, match="Layer p has 1,843,200 tiles .*at most 1,048,576 can be searched. Choose sizes with fewer divisors"):
        certify(hopeless, preset("eyeriss"))
    monkeypatch.setattr(padded, "MOST_TILES", 1)
    assert not certify_padded(Problem(name="p", K=7), preset("eyeriss")).certified


@pytest.mark.parametrize("size", [1, 2, 7, 36, 97, 720, 9_901])
def test_divisors(size):
    assert divisors(size).tolist() == [n for n in range(1, size + 1) if size % n == 0]


def test_a_bound_that_lies_would_be_noticed(monkeypatch):
    """Bounds two per cent too high discard optima: the comparison with brute force must fail."""
    honest = mapper.Bounds.of
    monkeypatch.setattr(mapper.Bounds, "of", lambda self, found: tuple(1.02 * bound for bound in honest(self, found)))
    with pytest.raises(AssertionError):
        agreement(seed=7, number=60, most=150)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("sizes", [{"P": 4, "R": 3}, {"G": 4, "R": 3}])
def test_arrays_that_share_rows_and_divide_the_words_of_a_port(objective, sizes):
    """Four elements of three rows each read six rows between them, and each its own words only; groups are walked in an element, too."""
    rows = {"name": "row", "size": 4, "loops": ["P"]}
    levels = [
        {"name": "memory", "keeps": TENSORS, "read_pj": 0.1, "write_pj": 0.1, "loops": []},
        {"name": "buffer", "keeps": ["inputs"], "read_pj": 50.0, "write_pj": 0.1, "loops": [], "inside": [rows]},
        {"name": "element", "keeps": ["inputs"], "words": 12, "read_pj": 0.1, "write_pj": 0.1, "read_words": 1, "loops": ["G", "P"]},
        {"name": "register", "keeps": ["inputs"], "words": 3, "read_pj": 0.1, "write_pj": 0.1, "read_words": 1, "loops": ["R"]},
    ]
    hierarchy = Hierarchy(name="shared", source="none", mac_pj=0.1, levels=levels)
    problem = Problem(name="p", **sizes)
    least = min(value_of(evaluate(problem, hierarchy, nest), objective) for nest in oracle.nests(problem, hierarchy))
    found = mapper.Search(problem, hierarchy, objective, below=least * (1 + 1e-9)).run()
    assert found is not None
    assert value_of(found.cost, objective) == pytest.approx(least, rel=1e-12)


def test_no_mapping_says_so():
    levels = preset("eyeriss").levels
    closed = (levels[0].replace(loops=()), levels[1].replace(loops=()), *levels[2:])
    hierarchy = Hierarchy(name="closed", source="none", mac_pj=1.0, levels=closed)
    with pytest.raises(BadInput, match="Layer p has no mapping on closed: .* pad the layer's sizes"):
        certify(Problem(name="p", P=5), hierarchy)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_padding_finds_what_a_prime_number_hides(objective):
    """Seven channels on an array of four: padded to eight two steps do, perfect factors need seven."""
    levels = [
        {"name": "memory", "keeps": TENSORS, "read_pj": 10.0, "write_pj": 10.0},
        {"name": "buffer", "keeps": TENSORS, "words": 4000, "read_pj": 1.0, "write_pj": 1.0, "inside": [{"name": "array", "size": 4}]},
    ]
    hierarchy = Hierarchy(name="four", source="none", mac_pj=1.0, levels=levels)
    problem = Problem(name="p", K=7, C=5)
    best = min(value_of(certify(problem.replace(K=k, C=c), hierarchy, objective).cost, objective) for k in (7, 8) for c in (5, 6))
    found = certify_padded(problem, hierarchy, objective, seconds=60)
    assert found.certified
    assert value_of(found.cost, objective) == best
    if objective == "latency":
        assert found.cost.cycles < certify(problem, hierarchy, objective).cost.cycles
    hurried = certify_padded(problem, hierarchy, objective, seconds=0.0)
    assert value_of(hurried.cost, objective) / best - 1 <= hurried.gap + 1e-12


def test_padding_finds_the_best_of_all_padded_sizes():
    """Each padded problem certified by itself: no better one may be left out because its bound was thought too high."""
    draw, better = random.Random(5), 0
    for _ in range(40):
        problem = Problem(name="p", K=draw.choice((3, 5, 7)), C=draw.choice((2, 4, 5)), P=draw.choice((1, 7)))
        hierarchy, objective = oracle.random_hierarchy(draw), draw.choice(tuple(OBJECTIVES))
        sizes = itertools.product(*(padded.sizes_of(getattr(problem, dim)) for dim in "KCP"))
        values = []
        for K, C, P in sizes:
            with contextlib.suppress(BadInput):  # some have no mapping
                values.append(value_of(certify(problem.replace(K=K, C=C, P=P), hierarchy, objective).cost, objective))
        try:
            plain = value_of(certify(problem, hierarchy, objective).cost, objective)
        except BadInput:
            continue
        found = certify_padded(problem, hierarchy, objective, seconds=60)
        assert found.certified
        assert value_of(found.cost, objective) == pytest.approx(min(values), rel=1e-12)
        better += min(values) < plain
    assert better >= 3


class Unfinished:
    """A search whose time is over before it found anything: what it left out may be half as dear."""

    partials = evaluated = 0

    def __init__(self, *_: object, below: float) -> None:
        self.floor = below / 2

    def run(self) -> None:
        return None


def test_a_padding_not_searched_to_its_end_counts_in_the_gap(monkeypatch):
    monkeypatch.setattr(padded, "Search", Unfinished)
    levels = [
        {"name": "memory", "keeps": TENSORS, "read_pj": 10.0, "write_pj": 10.0},
        {"name": "buffer", "keeps": TENSORS, "words": 4000, "read_pj": 1.0, "write_pj": 1.0, "inside": [{"name": "array", "size": 4}]},
    ]
    found = certify_padded(
        Problem(name="p", K=7, C=5), Hierarchy(name="four", source="none", mac_pj=1.0, levels=levels), "latency", seconds=60
    )
    assert not found.certified
    assert found.gap == pytest.approx(1.0)


def test_resnet18_on_the_eyeriss_like_design_beats_the_best_published():
    """Timeloop's best of 2,000 valid mappings a layer has energy x cycles 9.37e4 J x cycle; all our layers are proven optimal."""
    found = [certify(layer, preset("eyeriss")) for layer in network("resnet18").layers]
    assert all(one.certified for one in found)
    energy, cycles = (sum(one.problem.count * getattr(one.cost, name) for one in found) for name in ("energy_pj", "cycles"))
    assert cycles == 10_852_352
    assert energy == pytest.approx(6.285e9, rel=1e-4)
    assert energy * cycles * 1e-12 < 9.37e4
    assert all(evaluate(one.problem, preset("eyeriss"), one.nest) == one.cost for one in found)


def medium(seed: int, number: int) -> list[tuple[Problem, Hierarchy]]:
    """Problems too large for brute force, small enough to go without pruning: larger arrays, deeper hierarchies, wider loops."""
    draw, found = random.Random(seed), []
    while len(found) < number:
        sizes = {dim: draw.choice((1, 1, 2, 4, 4, 6, 8)) for dim in ("N", "K", "C", "P", "Q", "R")}
        problem, hierarchy = Problem(name="p", stride=draw.choice((1, 2)), **sizes), oracle.random_hierarchy(draw)
        if 400 < oracle.number_of(problem, hierarchy) < 30_000 and any(level.inside for level in hierarchy.levels):
            found.append((problem, hierarchy))
    return found


def without_pruning(monkeypatch, number: int) -> None:
    cases = [(*case, list(OBJECTIVES)[i % 3]) for i, case in enumerate(medium(5, number))]
    pruned = [value_of(certify(*case).cost, case[2]) for case in cases]
    monkeypatch.setattr(mapper, "undominated", lambda found: found)
    monkeypatch.setattr(mapper.Bounds, "of", lambda self, found: (0 * found.cost[:, 0, :3], 0 * found.cost[:, 0, :3]))
    assert pruned == pytest.approx([value_of(certify(*case).cost, case[2]) for case in cases], rel=1e-12)


def test_pruning_discards_no_optimum(monkeypatch):
    """The same optimum without dominance and without bounds, where nothing but equal orders is left out."""
    without_pruning(monkeypatch, 200)


@pytest.mark.thorough
def test_pruning_discards_no_optimum_of_thousands(monkeypatch):
    without_pruning(monkeypatch, 3000)
