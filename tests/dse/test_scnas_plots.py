"""The plots of a reproduction: numbers by brute force, names that keep apart, and what a legend says."""

import random
from itertools import pairwise

import pytest

from gatewright.dse.scnas.comparison import FLOATING, INTEGERS, ratio_of, rival
from gatewright.dse.scnas.front import FrontInfo, Mark, front_info, pareto, window
from gatewright.dse.scnas.front_plot import front_plot, looks
from gatewright.dse.scnas.names import KINDS, named, spread
from gatewright.dse.scnas.panels import method_plot
from gatewright.dse.scnas.result import Result
from gatewright.dse.scnas.search_plots import estimates_info, estimates_plot, progress_info, progress_plot
from tests.dse.scnas_result import made


@pytest.fixture(scope="module")
def result() -> Result:
    return made()


def beats(one: Mark, other: Mark) -> bool:
    better = one.energy_nj < other.energy_nj or one.accuracy > other.accuracy
    return better and one.energy_nj <= other.energy_nj and one.accuracy >= other.accuracy


@pytest.mark.parametrize("memories", [0.0, 1.0])
def test_fronts_by_brute_force(result: Result, memories: float) -> None:
    info = front_info(result, memories)
    streams, others = ["SC-NAS", "streams, random", "pure SC"], ["INT8 NAS", "INT4 NAS", "FP-NAS, FP32"]
    assert [method.label for method in info.methods] == streams + others
    assert len(info.marks) == len(result.designs)
    groups = [(method.designs, method.front) for method in info.methods]
    groups += [(tuple(m for method in info.methods if method.kind == kind for m in method.designs), info.fronts[kind]) for kind in KINDS]
    for designs, front in groups:
        best = [mark for mark in designs if not any(beats(other, mark) for other in designs)]
        assert sorted(best, key=lambda mark: mark.energy_nj) == list(front)
    (winner,) = [mark for mark in info.marks if mark.winner]
    first = result.designs[0]
    assert first.measured is not None
    assert winner.measured
    assert winner.energy_nj == pytest.approx(first.measured.with_memories(memories) / 1e3)
    assert (winner.low, winner.accuracy, winner.high) == pytest.approx([100 * getattr(first.test, k) for k in ("low", "value", "high")])
    assert {method.label for method in info.methods for mark in method.designs if mark.bound} == {"FP-NAS, FP32"}
    assert f"n = {first.test.n}" in winner.text


@pytest.mark.parametrize("memories", [0.0, 1.0])
def test_names_are_the_winner_and_what_claims_compare(result: Result, memories: float) -> None:
    first, *others = front_info(result, memories).notes
    best = result.designs[result.winner]
    assert first.mark.winner
    rivals = [found for method in INTEGERS | FLOATING if (found := rival(result.designs, method, best))]
    assert len(others) == len(rivals) == 3
    for note, design in zip(others, rivals, strict=True):
        assert note.kind == design.kind
        assert f"{ratio_of(design, best, memories):.2f} ×" in note.lines[-1]
        assert ("≥" in note.lines[-1]) == note.mark.bound == (design.kind == "float")


def test_a_front_of_equals_has_one() -> None:
    mark = Mark(1.0, 90.0, 89.0, 91.0, False, False, False, "")
    assert pareto([mark, mark, Mark(1.0, 89.0, 88.0, 90.0, False, False, False, "")]) == [mark]
    assert pareto([]) == []


def test_what_a_plot_shows(result: Result) -> None:
    info = front_info(result)
    low, high = window([info])
    shown = [mark for front in info.fronts.values() for mark in front]
    assert low < min(mark.accuracy for mark in shown)
    assert high > max(mark.accuracy for mark in info.marks)
    poor = result.designs[-1].replace(test=result.designs[-1].test.replace(value=0.1, low=0.08, high=0.12))
    far = front_info(result.replace(designs=(*result.designs, poor)))
    assert window([far]) == (low, high)
    floor = front_plot(far).layout.yaxis.range[0]
    assert floor < low
    hidden = 1 + sum(mark.accuracy < floor for mark in info.marks)
    assert f"; not shown: {hidden} of {len(info.marks) + 1} designs" in front_plot(far).layout.xaxis.title.text
    assert window([FrontInfo(0.0, (), {}, ())]) == (0.0, 100.0)


def test_the_legend_says_what_is_drawn(result: Result) -> None:
    infos = front_info(result), front_info(result, 1.0)
    for drawn in ([infos[0]], infos):
        figure = front_plot(*drawn)
        legend = [trace for trace in figure.data if trace.showlegend is not False]
        assert all(trace.x == (None,) for trace in legend)
        entries = [(trace.legendgroup, trace.name) for trace in legend]
        assert len(set(entries)) == len(entries)
        for method in infos[0].methods:
            assert (KINDS[method.kind][0], method.label) in entries
        assert [group for group, name in entries if name == "front"] == [name for name, _ in KINDS.values()]
        marks = [name.partition(":")[0] for group, name in entries if group == "marks"]
        assert marks == ["ring", "no ring", "star", "diamond", "95% interval"]
        hovers = [trace for trace in figure.data if trace.hovertemplate]
        assert sum(len(trace.x) for trace in hovers) == len(drawn) * len(result.designs)
        rings = [trace for trace in figure.data if trace.marker.symbol == "circle" and trace.marker.line.width == 1.5]
        assert [len(trace.x) for trace in rings] == [sum(mark.measured for mark in info.marks) for info in drawn]
    assert len({look for _, look in looks(infos[0])}) == len(infos[0].methods)


def test_a_row_of_names_keeps_apart() -> None:
    random_ = random.Random(3)
    for _ in range(200):
        places = sorted(random_.random() for _ in range(random_.randint(1, 4)))
        found = spread(places, 0.21)
        assert all(b - a > 0.21 - 1e-9 for a, b in pairwise(found))
        assert 0.1 < found[0] <= found[-1] < 0.9
    assert spread([0.2, 0.5, 0.8], 0.2) == pytest.approx([0.2, 0.5, 0.8])
    assert spread([0.5, 0.5], 0.2) == pytest.approx([0.4, 0.6])
    assert spread([0.0, 0.0, 0.0, 0.0], 0.4) == pytest.approx([0.125, 0.375, 0.625, 0.875])
    assert spread([], 0.2) == []


def test_names_stand_above_or_below_the_designs(result: Result) -> None:
    info = front_info(result)
    found = list(named(info, (10.0, 1e4), (101.0, 80.0)))
    assert sorted(note["text"] for note in found) == sorted("<br>".join(note.lines) for note in info.notes)
    above, below = ([note["y"] for note in found if note["ay"] == row] for row in (101.0, 80.0))
    assert len(above) == len(below) == 2
    assert min(above) >= max(below)


def test_each_method_and_each_search_has_a_panel(result: Result) -> None:
    info = front_info(result)
    assert [note.text for note in method_plot(info).layout.annotations] == [method.label for method in info.methods]
    searches = estimates_info(result)
    for found, search in zip(searches, result.searches, strict=True):
        scored = [point for point in search.points if point.status == "scored"]
        assert found.energies_nj == pytest.approx([(point.energy_pj or 0) / 1e3 for point in scored])
        assert found.accuracies == pytest.approx([100 * (point.estimate or 0) for point in scored])
        assert found.budget_nj == pytest.approx(search.budget_pj / 1e3)
    assert [note.text for note in estimates_plot(searches).layout.annotations] == [search.label for search in result.searches]


def test_progress_is_the_best_so_far(result: Result) -> None:
    for course, search in zip(progress_info(result), result.searches, strict=True):
        for i, best in enumerate(course.best):
            known = [100 * point.estimate for point in search.points[: i + 1] if point.estimate is not None]
            assert best == (max(known) if known else None)


def test_searches_without_points_are_drawn_empty(result: Result) -> None:
    empty = result.replace(searches=tuple(search.replace(points=()) for search in result.searches))
    assert all(course.best == () for course in progress_info(empty))
    progress_plot(progress_info(empty))
    estimates_plot(estimates_info(empty))
    for few in (progress_plot(()), estimates_plot(())):
        assert not few.data
