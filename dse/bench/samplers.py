"""Samplers of studies side by side: the time they take and what they find, on a made-up problem whose optimum is known.

The problem is as cheap as can be and shaped like ours: layers with a width and an operator each, then an array. The cost to lower is of
single choices and of pairs of neighbours; quality must be enough and area must not be too much.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from gatewright.dse.bench.base import Benchmark, Row, equal
from gatewright.dse.config import Search
from gatewright.dse.study import sampler

SPACE: dict[str, BaseDistribution] = {
    **{
        name: distribution
        for i in range(4)
        for name, distribution in (
            (f"width_{i}", IntDistribution(4, 32, step=4)),
            (f"operator_{i}", CategoricalDistribution(("int8", "int4", "shift", "xnor", "stochastic"))),
        )
    },
    "rows": IntDistribution(1, 8, log=True),
    "share": FloatDistribution(0.0, 1.0, step=0.25),
    "gated": CategoricalDistribution((False, True)),
}
MARKS = (100, 500, 1000)  # trials
GENERATION = 8
SEEDS = 3
SIDES = {"controller": "controller", "TPE": "tpe", "random": "random"}


def values(distribution: BaseDistribution) -> list[Any]:
    """Everything a parameter can be, in order."""
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    if isinstance(distribution, IntDistribution):
        return list(range(distribution.low, distribution.high + 1, distribution.step))
    assert isinstance(distribution, FloatDistribution)
    step = distribution.step or 1.0
    return [distribution.low + step * k for k in range(round((distribution.high - distribution.low) / step) + 1)]


class Chain:
    """costs, gains, areas: of each value of each parameter, drawn; pairs: cost of each pair of values of neighbours in the space."""

    def __init__(self, space: Mapping[str, BaseDistribution], seed: int) -> None:
        draw = np.random.default_rng(seed)
        self.space = dict(space)
        self.places = {name: {value: k for k, value in enumerate(values(one))} for name, one in self.space.items()}
        sizes = [len(places) for places in self.places.values()]
        self.costs = [np.sort(draw.integers(1, 30, size)).tolist() for size in sizes]
        self.gains = [np.sort(draw.integers(0, 20, size)).tolist() for size in sizes]  # what costs more is better
        self.areas = [draw.integers(0, 20, size).tolist() for size in sizes]
        self.pairs = [draw.integers(0, 12, (first, second)).tolist() for first, second in pairwise(sizes)]
        self.gain = int(0.62 * sum(map(max, self.gains)))  # at least
        self.area = int(0.5 * sum(map(max, self.areas)))  # at most

    def judged(self, params: Mapping[str, Any]) -> tuple[float, int, int]:
        """Cost, and by how much gain and area miss their limits: feasible where neither is above 0."""
        chosen = [places[params[name]] for name, places in self.places.items()]
        cost = sum(table[k] for table, k in zip(self.costs, chosen, strict=True))
        cost += sum(table[a][b] for table, (a, b) in zip(self.pairs, pairwise(chosen), strict=True))
        gain, area = (sum(table[k] for table, k in zip(tables, chosen, strict=True)) for tables in (self.gains, self.areas))
        return float(cost), self.gain - gain, area - self.area

    def most(self) -> float:
        """No point costs more."""
        return float(sum(map(max, self.costs)) + sum(max(map(max, table)) for table in self.pairs))

    def optimum(self) -> float:
        """The least cost of a feasible point, by dynamic programming over (last value, gain, area)."""
        reached = {
            (k, gain, area): cost for k, (cost, gain, area) in enumerate(zip(self.costs[0], self.gains[0], self.areas[0], strict=True))
        }
        for i, pairs in enumerate(self.pairs, 1):
            further = dict[tuple[int, int, int], int]()
            for (before, gain, area), cost in reached.items():
                for k, more in enumerate(self.costs[i]):
                    key = (k, min(self.gain, gain + self.gains[i][k]), area + self.areas[i][k])
                    total = cost + more + pairs[before][k]
                    if key[2] <= self.area and total < further.get(key, total + 1):
                        further[key] = total
            reached = further
        return float(min(cost for (_, gain, area), cost in reached.items() if gain >= self.gain and area <= self.area))


@dataclass(frozen=True)
class Found:
    """After so many trials: seconds in the sampler and Optuna, and the least cost of a feasible point (the greatest there is, if none)."""

    seconds: float
    cost: float


def searched(chain: Chain, side: str, seed: int, marks: tuple[int, ...]) -> list[Found]:
    """One study in memory, asked and told in generations."""
    study = optuna.create_study(sampler=sampler(Search(sampler=SIDES[side], generation=GENERATION, seed=seed), 0))
    found, seconds, cost, done = list[Found](), 0.0, chain.most(), 0
    while done < marks[-1]:
        number = min(GENERATION, next(mark for mark in marks if mark > done) - done)
        started = time.perf_counter()
        trials = [study.ask(chain.space) for _ in range(number)]
        seconds += time.perf_counter() - started
        for trial in trials:
            value, less, more = chain.judged(trial.params)
            trial.set_constraint("gain", less)
            trial.set_constraint("area", more)
            cost = min(cost, value) if less <= 0 and more <= 0 else cost
            started = time.perf_counter()
            study.tell(trial, value)
            seconds += time.perf_counter() - started
        done += number
        if done in marks:
            found.append(Found(seconds, cost))
    again = [chain.judged(trial.params) for trial in study.get_trials(deepcopy=False)]
    kept = [value for value, less, more in again if less <= 0 and more <= 0]
    equal(f"the best cost that was kept and that of the study ({side})", found[-1].cost, min(kept, default=chain.most()))
    return found


def run(tiny: bool) -> tuple[list[Row], str]:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    marks, seeds = ((8, 24), 1) if tiny else (MARKS, SEEDS)
    chains = [Chain(SPACE, seed) for seed in range(seeds)]
    least = [chain.optimum() for chain in chains]
    found: dict[str, list[list[Found]]] = {side: [] for side in SIDES}
    for seed, chain in enumerate(chains):
        for side in SIDES:
            found[side].append(searched(chain, side, seed, marks))
    below = [one.cost < bound for runs in found.values() for run, bound in zip(runs, least, strict=True) for one in run]
    equal("costs below the optimum", below, [False] * len(below))
    rows = []
    for i, mark in enumerate(marks):
        seconds = {side: [run[i].seconds for run in runs] for side, runs in found.items()}
        costs = {side: [run[i].cost / bound for run, bound in zip(runs, least, strict=True)] for side, runs in found.items()}
        rows += _compared(f"{mark:,} trials", "s", seconds)
        rows += _compared(f"best of {mark:,}", "x optimum", costs)
    return rows, f"best costs, from the studies again, none below the optimum by dynamic programming; {seeds} made-up problems"


def _compared(what: str, unit: str, figures: Mapping[str, list[float]]) -> list[Row]:
    """A row for each side, less is better: the median over problems, and the median ratio of TPE's figure to it."""
    rows = []
    for side, mine in figures.items():
        ratio = median(theirs / own for theirs, own in zip(figures["TPE"], mine, strict=True)) if side != "TPE" else None
        spread = (max(mine) - min(mine)) / median(mine)
        rows.append(Row(f"{side}, {what}", median(mine), unit, len(mine), spread, ratio, f"TPE, {what}" if ratio else None))
    return rows


SAMPLERS = Benchmark("samplers", "Samplers on eleven discrete parameters with two constraints, in generations of 8", run)
