"""What a benchmark is: sides that do the same work, timed in turns, so that a machine that is busy is busy for all of them."""

import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, Literal

import numpy as np

from gatewright import __version__
from gatewright.hw.errors import Mismatch
from gatewright.sim import tools

TOOLS = ("verilator", "g++", "pyosys")
PACKAGES = ("numpy", "torch", "numba")


@dataclass(frozen=True)
class Row:
    """One figure. A measured one is the median over rounds and `spread` their range, as a share of it.

    `ratio`: to `baseline`, the median of the rounds' ratios, over 1 where this row is better. `cited`: a published figure, not run here;
    `goal`: what `baseline` should reach.
    """

    name: str
    value: float
    unit: str
    rounds: int = 1
    spread: float = 0.0
    ratio: float | None = None
    baseline: str | None = None
    origin: Literal["measured", "cited", "goal"] = "measured"


@dataclass(frozen=True)
class Outcome:
    """The rows of one benchmark. `same`: in which results the sides were compared, and found equal."""

    name: str
    title: str
    rows: tuple[Row, ...]
    same: str
    seconds: float


@dataclass(frozen=True)
class Benchmark:
    """`run` takes `tiny` (the least work that runs every side), returns rows and what was compared; Mismatch where sides differ."""

    name: str
    title: str
    run: Callable[[bool], tuple[Sequence[Row], str]]

    def __call__(self, tiny: bool = False) -> Outcome:
        started = time.perf_counter()
        rows, same = self.run(tiny)
        return Outcome(self.name, self.title, tuple(rows), same, time.perf_counter() - started)


def race(
    unit: str, sides: Mapping[str, Callable[[], float]], rounds: int, against: Mapping[str, str] | None = None, least: float = 0.0
) -> list[Row]:
    """Rates of sides that take turns. A side does its work and returns how many units that was; the first round is not counted.

    unit: of the rate, `x/s`. against: side to the side that its ratio is to. least: seconds for which a turn repeats its work, so that on
    a busy machine a short piece of work waits as a long one does.
    """
    rates: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, work in sides.items():
            started, done = time.perf_counter(), work()
            while (seconds := time.perf_counter() - started) < least:
                done += work()
            if number:
                rates[name].append(done / seconds)
    return [row(name, unit, found, (against or {}).get(name), rates) for name, found in rates.items()]


def row(name: str, unit: str, found: Sequence[float], baseline: str | None, rates: Mapping[str, Sequence[float]]) -> Row:
    """The row of one side from the rates of all of them."""
    middle = median(found)
    ratio = median(mine / theirs for mine, theirs in zip(found, rates[baseline], strict=True)) if baseline else None
    return Row(name, middle, unit, len(found), (max(found) - min(found)) / middle, ratio, baseline)


def equal(what: str, first: Any, second: Any) -> None:
    """Raises Mismatch where two sides' results differ."""
    a, b = np.asarray(first), np.asarray(second)
    if a.shape != b.shape or (a != b).any():
        raise Mismatch(f"A benchmark's sides did not do the same work: {what} differ.")


def _processor() -> str:
    """As Linux names it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def machine() -> dict[str, Any]:
    """The machine, how busy it is, and the versions of what runs."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "load": [round(load, 2) for load in os.getloadavg()],
        "system": platform.platform(terse=True),
        "versions": {"gatewright": __version__, "python": platform.python_version(), **{name: version(name) for name in PACKAGES}}
        | tools.versions(*TOOLS),
    }
