"""Plots of a reproduction's searches: `*_info` gives the numbers, `*_plot` draws them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from gatewright.dse.plots import LOGARITHMIC, bars, style
from gatewright.dse.scnas.front_plot import ticks
from gatewright.dse.scnas.names import KINDS, OFF, SOFT
from gatewright.dse.scnas.panels import panels, place
from gatewright.dse.scnas.result import Kind, Result, Search, Status
from gatewright.dse.scnas.tables import STATUSES

ENDINGS: dict[Status, tuple[str, str]] = {
    "scored": ("accuracy estimated", "#1f8f6c"),
    "over_budget": ("over the budget: not evaluated", "#d9771f"),
    "impossible": ("runs on no accelerator", "#c2362f"),
    "repeated": ("drawn before", "#c9d2da"),
}


def by_kind(result: Result) -> list[Search]:
    """The searches of streams, then those of integers, then those of floating point."""
    order = [*KINDS]
    return sorted(result.searches, key=lambda search: order.index(search.kind))


@dataclass(frozen=True)
class Estimates:
    """A search: nJ per image of the logic and percent of validation images, as shared weights estimate it, of every network evaluated."""

    label: str
    kind: Kind
    budget_nj: float
    energies_nj: tuple[float, ...]
    accuracies: tuple[float, ...]


def estimates_info(result: Result) -> tuple[Estimates, ...]:
    """Every search."""
    found = []
    for search in by_kind(result):
        scored = [(p.energy_pj / 1e3, 100 * p.estimate) for p in search.points if p.estimate is not None and p.energy_pj is not None]
        energies, accuracies = zip(*scored, strict=True) if scored else ((), ())
        found.append(Estimates(search.label, search.kind, search.budget_pj / 1e3, tuple(energies), tuple(accuracies)))
    return tuple(found)


def estimates_plot(searches: Sequence[Estimates]) -> go.Figure:
    """A panel for each search, its networks in colour before those of all the others; the budget dashed."""
    energies = [x for search in searches for x in search.energies_nj]
    accuracies = [y for search in searches for y in search.accuracies]
    figure = panels([search.label for search in searches], "nJ an image", "estimate, %")
    for i, search in enumerate(searches):
        where = place(i)
        figure.add_scatter(x=energies, y=accuracies, **_dots(OFF, 3), **where)
        figure.add_scatter(x=search.energies_nj, y=search.accuracies, **_dots(KINDS[search.kind][1], 4), **where)
        figure.add_vline(search.budget_nj, line={"color": SOFT, "width": 1, "dash": "dash"}, **where)
    if energies:
        figure.update_xaxes(LOGARITHMIC, tickvals=ticks((min(energies), max(energies))))
        low, high = sorted(accuracies)[len(accuracies) // 10], max(accuracies)  # what is poorer than nine tenths would flatten the rest
        figure.update_yaxes(range=[low - 0.05 * (high - low), high + 0.08 * (high - low)])
    return figure


def _dots(colour: str, size: int) -> dict[str, object]:
    return {"mode": "markers", "marker": {"color": colour, "size": size}, "showlegend": False, "hoverinfo": "skip"}


@dataclass(frozen=True)
class Course:
    """A search: percent of validation images that its best network so far had, after each point drawn; None before the first."""

    label: str
    kind: Kind
    best: tuple[float | None, ...]


def progress_info(result: Result) -> tuple[Course, ...]:
    """Every search, point by point in the order drawn."""
    return tuple(Course(search.label, search.kind, tuple(_best(search))) for search in by_kind(result))


def _best(search: Search) -> Iterable[float | None]:
    best: float | None = None
    for point in search.points:
        if point.estimate is not None:
            best = max(100 * point.estimate, best or 0.0)
        yield best


def progress_plot(courses: Sequence[Course]) -> go.Figure:
    """A panel for each search: its best estimate within the budget over points drawn, before those of all the others."""
    figure = panels([course.label for course in courses], "points drawn", "best so far, %")
    for i, course in enumerate(courses):
        for other in courses:
            if other != course:
                figure.add_scatter(**_curve(other, OFF, 1.2), hoverinfo="skip", **place(i))
        hover = f"{course.label}: %{{y:.1f}}% after %{{x}} points<extra></extra>"
        figure.add_scatter(**_curve(course, KINDS[course.kind][1], 2.5), hovertemplate=hover, **place(i))
    settled = [value for course in courses for value in course.best[len(course.best) // 10 :] if value is not None]
    if settled:
        margin = 0.05 * (max(settled) - min(settled)) + 0.5
        figure.update_yaxes(range=[min(settled) - margin, min(101.0, max(settled) + margin)])
        most = max(len(course.best) for course in courses)
        figure.update_xaxes(range=[-0.02 * most, 1.05 * most])
    return figure


def _curve(course: Course, colour: str, width: float) -> dict[str, object]:
    x = list(range(1, len(course.best) + 1))
    return {"x": x, "y": course.best, "mode": "lines", "line": {"color": colour, "width": width, "shape": "hv"}, "showlegend": False}


@dataclass(frozen=True)
class SkippedInfo:
    """How many points of each search ended how."""

    labels: tuple[str, ...]
    counts: dict[Status, tuple[int, ...]]


def skipped_info(result: Result) -> SkippedInfo:
    """Every search."""
    searches = by_kind(result)
    return SkippedInfo(tuple(s.label for s in searches), {status: tuple(s.count(status) for s in searches) for status in STATUSES})


def skipped_plot(info: SkippedInfo) -> go.Figure:
    """A stacked bar for each search."""
    figure = go.Figure()
    for status, counts in info.counts.items():
        name, colour = ENDINGS[status]
        bars(figure, info.labels, counts, name, colour, "%{y}: %{x} " + name)
    style(figure, "points drawn", "", 110 + 34 * len(info.labels))
    figure.update_layout(bargap=0.3)
    figure.update_yaxes(autorange="reversed", showgrid=False, ticksuffix="  ")
    return figure
