"""The mapping of least energy, latency or energy-delay product on a spatial hierarchy, with the proof that there is no better one.

The space: every split of every loop into factors that multiply to its trips (perfect factors) over all levels and arrays where the
hierarchy allows it, every order of loops in time, every choice of tensors to keep where there is one. Nothing is left out but

- orders: the sets of loops that do not move one tensor's tile do not overlap, so at each level it only matters which of the three sets is
  innermost; any other order costs as much or more. Orders: at most three a level.
- dominated inner mappings: see `partial`.
- inner mappings whose lower bound is above the best whole mapping found: see `bounds`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from time import monotonic
from typing import Literal

import numpy as np

from gatewright.dse.spatial import leaf
from gatewright.dse.spatial.bounds import Arrivals, Bounds
from gatewright.dse.spatial.hierarchy import Hierarchy
from gatewright.dse.spatial.nest import Cost, LoopNest, Step, evaluate
from gatewright.dse.spatial.partial import IN_TIME, SETS, Floats, Inner, Keeps, Longs, Partials, divisors, keeps_of, ports
from gatewright.dse.spatial.problem import DIMS, TENSORS, Dim, Problem
from gatewright.dse.spatial.prune import SLACK, grouped, undominated, within
from gatewright.hw.errors import BadInput, GatewrightError

Objective = Literal["energy", "latency", "edp"]
OBJECTIVES: dict[Objective, int] = {"energy": leaf.ENERGY, "latency": leaf.LATENCY, "edp": leaf.EDP}
CHUNK = 64  # groups that one call of the compiled part looks at; then the best known value is renewed
BEAM = 16  # inner mappings that the first, quick search keeps after each level
MOST_TILES = 1 << 20  # of a layer: the bounds look at all of them together, in about a gigabyte


@dataclass(frozen=True)
class Certified:
    """A mapping with its exact cost. `certified`: no mapping of the space is better; else the best one may be better by `gap` (best value
    over its lower bound, less 1). `partials`: inner mappings made; `evaluated`: whole mappings whose cost was computed."""

    problem: Problem
    nest: LoopNest
    cost: Cost
    certified: bool
    gap: float
    seconds: float
    partials: int
    evaluated: int


def certify(problem: Problem, hierarchy: Hierarchy, objective: Objective = "edp", seconds: float | None = None) -> Certified:
    """The best mapping with perfect factors; after `seconds`, once there is one, the best found so far. Raises BadInput if none is legal,
    and for a layer with more tiles than can be looked at."""
    if (tiles := tiles_of(problem)) > MOST_TILES:
        raise BadInput(
            f"Layer {problem.name} has {tiles:,} tiles (numbers of divisors of its sizes, multiplied); at most {MOST_TILES:,} "
            "can be searched. Choose sizes with fewer divisors, or map a part of the layer."
        )
    found = Search(problem, hierarchy, objective, monotonic() + seconds if seconds is not None else float("inf")).run()
    if found is None:
        raise BadInput(
            f"Layer {problem.name} has no mapping on {hierarchy.name}: no split of its loops into factors fits every level. "
            "Allow more loops at a level or more words, or pad the layer's sizes."
        )
    return found


def tiles_of(problem: Problem) -> int:
    """Tiles that divide a layer: a divisor of each of its sizes."""
    return prod(len(divisors(size)) for size in problem.sizes)


def gap_of(value: float, floor: float) -> float:
    """How far `value` may be above the best one, as a share of it, if no mapping that was not looked at is below `floor`."""
    return max(0.0, value / max(floor, value * 1e-9) - 1)


def value_of(cost: Cost, objective: Objective) -> float:
    return {"energy": cost.energy_pj, "latency": cost.cycles, "edp": cost.energy_pj * cost.cycles}[objective]


@dataclass(frozen=True, eq=False)
class _Whole:
    value: float
    second: float
    keeps: Keeps
    inner: Partials  # one row
    split: tuple[int, ...]  # trips at level 1
    orders: tuple[int, int]  # at level 1 and level 0


class Search:
    """One search; only mappings whose value is less than `below` are wanted. `deadline`: a time of `time.monotonic`."""

    def __init__(
        self, problem: Problem, hierarchy: Hierarchy, objective: Objective, deadline: float = float("inf"), below: float = float("inf")
    ) -> None:
        self.below = below
        self.problem, self.hierarchy, self.objective, self.deadline = problem, hierarchy, objective, deadline
        self.ports = np.array([[port.level, port.writes, port.words] for port in ports(hierarchy)], dtype=float).reshape(-1, 3)
        self.best: _Whole | None = None
        self.floor = float("inf")  # least bound of what was not looked at
        self.partials = self.evaluated = 0

    def run(self) -> Certified | None:
        """The best mapping, or None if there is none (or none below)."""
        start = monotonic()
        choices = keeps_of(self.hierarchy)
        deep = len(self.hierarchy.levels) > 2
        bounds = [Bounds(self.problem, self.hierarchy, keeps, Arrivals(self.problem, self.hierarchy, keeps)) for keeps in choices]
        for known in bounds if deep else ():
            self.search(known, BEAM)
        self.floor = float("inf")
        for known in bounds:
            self.search(known, None)
        if self.best is None:
            return None
        nest = self.nest(self.best)
        cost = evaluate(self.problem, self.hierarchy, nest)
        if not np.isclose(value_of(cost, self.objective), self.best.value, rtol=1e-9):
            raise GatewrightError(
                f"The mapper's cost {self.best.value} of {nest.words(self.hierarchy)} is not its cost by definition, {cost}."
            )
        gap = gap_of(self.best.value, self.floor)
        return Certified(self.problem, nest, cost, gap == 0.0, gap, monotonic() - start, self.partials, self.evaluated)

    @property
    def incumbent(self) -> float:
        return self.best.value if self.best else self.below

    def late(self) -> bool:
        return monotonic() > self.deadline and self.incumbent < float("inf")

    def score(self, energy: Floats, cycles: Floats) -> Floats:
        return {"energy": energy, "latency": cycles, "edp": energy * cycles}[self.objective].min(axis=1)

    def search(self, bounds: Bounds, beam: int | None) -> None:
        """All mappings that keep the tensors of the bounds; with a beam only those that begin with some of the best bounds."""

        def prune(found: Partials) -> Partials:
            self.partials += len(found)
            if not len(found):
                return found
            bound = self.score(*bounds.of(found))
            rows = within(bound, self.incumbent)
            if self.late():
                self.floor = min(self.floor, float(bound[rows].min(initial=np.inf)))
                rows = rows[:0]
            elif beam is not None and len(rows) > beam:
                rows = np.sort(rows[np.argsort(bound[rows], kind="stable")[:beam]])
            return undominated(found.take(rows))

        found = Inner(self.problem, self.hierarchy, bounds.keeps).enumerate(prune)
        if len(found):
            self.leaves(found, bounds)

    def leaves(self, found: Partials, bounds: Bounds) -> None:
        """The two outermost levels for each group, groups with the least bound first."""
        found, first = grouped(found)
        bound = self.score(*bounds.of(found))
        group_bound = np.minimum.reduceat(bound, first[:-1])
        order = np.argsort(group_bound, kind="stable")
        size = CHUNK // 4
        at = 0
        while at < len(order):
            chunk = order[at : at + size]
            chunk = chunk[group_bound[chunk] <= self.incumbent * SLACK]
            if not len(chunk):
                return
            if self.late():
                self.floor = min(self.floor, float(group_bound[chunk].min()))
                return
            self.look(found, first, chunk, bound, bounds.keeps)
            at, size = at + size, CHUNK

    def look(self, found: Partials, first: Longs, chunk: Longs, bound: Floats, keeps: Keeps) -> None:
        spans = [np.arange(first[g], first[g + 1]) for g in chunk]
        spans = [span[bound[span] <= self.incumbent * SLACK] for span in spans]
        rows = np.concatenate(spans)
        starts = np.concatenate([[0], np.cumsum([len(span) for span in spans])]).astype(np.int64)
        tiles = found.tile[first[chunk]]
        divisors, numbers = self.divisors(tiles)
        outer, inner = self.hierarchy.levels[:2]
        values, best, looked = leaf.best(
            tiles,
            found.reused[first[chunk]],
            starts,
            found.cost[rows],
            found.copies[rows].astype(float),
            divisors,
            numbers,
            np.array(self.problem.sizes),
            self.problem.stride,
            np.array([tensor in keeps[1] for tensor in TENSORS]),
            inner.words or 0,
            np.array([outer.word_read_pj, outer.word_write_pj, inner.word_read_pj, inner.word_write_pj]),
            self.ports,
            OBJECTIVES[self.objective],
            self.incumbent,
        )
        self.evaluated += int(looked.sum())
        for g in np.lexsort((np.arange(len(chunk)), values[:, 1], values[:, 0]))[:1]:
            value, second = float(values[g, 0]), float(values[g, 1])
            if best[g, 0] < 0 or (self.best and (value, second) >= (self.best.value, self.best.second)):
                continue
            split, rest = [], int(best[g, 1])
            for d in range(len(DIMS)):
                split.append(int(divisors[g, d, rest % numbers[g, d]]))
                rest //= int(numbers[g, d])
            self.best = _Whole(
                value, second, keeps, found.take(rows[best[g, 0] : best[g, 0] + 1]), tuple(split), (int(best[g, 2]), int(best[g, 3]))
            )

    def divisors(self, tiles: Longs) -> tuple[Longs, Longs]:
        """[groups, 8, n] trips that level 1 can take of what is left, and how many there are; none where the rest has no place."""
        outer, inner = self.hierarchy.levels[:2]
        left = np.array(self.problem.sizes) // tiles
        lists = [[_places(int(n), dim in inner.loops, dim in outer.loops) for dim, n in zip(DIMS, row, strict=True)] for row in left]
        numbers = np.array([[len(options) for options in row] for row in lists], dtype=np.int64)
        table = np.ones((*numbers.shape, int(numbers.max(initial=1))), dtype=np.int64)
        for g, row in enumerate(lists):
            for d, options in enumerate(row):
                table[g, d, : len(options)] = options
        return table, numbers

    def nest(self, whole: _Whole) -> LoopNest:
        """The loops of a mapping that the arrays describe."""
        levels, row = self.hierarchy.levels, whole.inner
        slots = {slot: row.slots[0, i] for i, slot in enumerate(Inner(self.problem, self.hierarchy, whole.keeps).slots)}
        slots[1, IN_TIME] = np.array(whole.split)
        slots[0, IN_TIME] = np.array(self.problem.sizes) // row.tile[0] // slots[1, IN_TIME]
        orders = [whole.orders[1], whole.orders[0], *row.orders[0, 2:]]
        steps = []
        for i, level in enumerate(levels):
            spread = tuple(tuple(_loops(slots[i, a], -1)) for a in range(len(level.inside)))
            keeps = tuple(tensor for tensor in TENSORS if tensor in whole.keeps[i])
            steps.append(Step(keeps=keeps, loops=tuple(_loops(slots[i, IN_TIME], int(orders[i]))), spread=spread))
        return LoopNest(steps=tuple(steps))


def _places(left: int, inner: bool, outer: bool) -> list[int]:
    if inner and outer:
        return divisors(left).tolist()
    return [left] if inner else [1] if outer or left == 1 else []


def _loops(trips: Longs, order: int) -> Iterator[tuple[Dim, int]]:
    """Loops with more than one trip; those that leave tensor `order`'s tile in place come last."""
    last = SETS[order] if 0 <= order < len(SETS) else np.zeros(len(DIMS), np.bool_)
    for inside in (False, True):
        yield from ((dim, int(n)) for dim, n, within_set in zip(DIMS, trips, last, strict=True) if n > 1 and within_set == inside)
