"""Imperfect factors: a loop may be padded with empty trips, so that its size has better factors. Empty trips are priced like any other.

The space: every loop padded by up to a quarter, then all that `certify` searches. Sizes with the least bound come first; what is left when
time is over bounds the gap.
"""

import heapq
from collections.abc import Iterator
from time import monotonic

from gatewright.dse.spatial.bounds import Bounds
from gatewright.dse.spatial.hierarchy import Hierarchy
from gatewright.dse.spatial.mapper import MOST_TILES, Certified, Objective, Search, certify, gap_of, tiles_of, value_of
from gatewright.dse.spatial.partial import Inner, keeps_of
from gatewright.dse.spatial.problem import DIMS, Problem
from gatewright.dse.spatial.prune import SLACK

MOST = 1.25  # of a loop's trips


def sizes_of(trips: int) -> range:
    """Sizes that a loop may have: its own, and padded ones. A single trip stays alone."""
    return range(trips, int(trips * MOST) + 1 if trips > 1 else 2)


def least(problem: Problem, hierarchy: Hierarchy, objective: Objective) -> float:
    """A value that no mapping of a problem can be below: every array full, every word moved once."""
    found = []
    for keeps in keeps_of(hierarchy):
        energy, cycles = Bounds(problem, hierarchy, keeps).of(Inner(problem, hierarchy, keeps).start())
        found.append({"energy": energy, "latency": cycles, "edp": energy * cycles}[objective])
    return float(min(value.min() for value in found))


def candidates(problem: Problem, hierarchy: Hierarchy, objective: Objective) -> Iterator[tuple[float, Problem]]:
    """Padded problems, those with the least bound first. A bound only grows with a size, so they need not all be made to be sorted."""

    def entry(steps: tuple[int, ...]) -> tuple[float, tuple[int, ...], Problem]:
        sizes = {dim: choice[step] for dim, choice, step in zip(DIMS, choices, steps, strict=True)}
        padded = problem.replace(**sizes)
        return least(padded, hierarchy, objective), steps, padded

    choices = [sizes_of(size) for size in problem.sizes]
    heap, seen = [entry((0,) * len(DIMS))], {(0,) * len(DIMS)}
    while heap:
        bound, steps, padded = heapq.heappop(heap)
        yield bound, padded
        for d, step in enumerate(steps):
            grown = (*steps[:d], step + 1, *steps[d + 1 :])
            if grown not in seen and step + 1 < len(choices[d]):
                seen.add(grown)
                heapq.heappush(heap, entry(grown))


def certify_padded(problem: Problem, hierarchy: Hierarchy, objective: Objective = "edp", seconds: float = 10.0) -> Certified:
    """The best mapping with padding found in `seconds` (at least the best without); its gap covers every padding that was not tried."""
    start = monotonic()
    best = certify(problem, hierarchy, objective, seconds)
    floor, partials, evaluated = float("inf"), best.partials, best.evaluated
    if best.gap:
        floor = value_of(best.cost, objective) / (1 + best.gap)
    for bound, padded in candidates(problem, hierarchy, objective):
        value = value_of(best.cost, objective)
        if bound * SLACK >= value:
            break
        left = seconds - (monotonic() - start)
        if left <= 0:
            floor = min(floor, bound)
            break
        if padded == problem:
            continue
        if tiles_of(padded) > MOST_TILES:
            floor = min(floor, bound)
            continue
        search = Search(padded, hierarchy, objective, monotonic() + left, below=value)
        found = search.run()
        partials, evaluated, floor = partials + search.partials, evaluated + search.evaluated, min(floor, search.floor)
        best = found or best
    gap = gap_of(value_of(best.cost, objective), floor)
    return Certified(best.problem, best.nest, best.cost, gap == 0.0, gap, monotonic() - start, partials, evaluated)
