"""The plots of a reproduction: `*_info` gives the numbers, `*_plot` draws them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import log10

import plotly.graph_objects as go

from gatewright.dse.plots import ACCENT, GRID, INK, LOGARITHMIC, style
from gatewright.dse.scnas.result import Design, Kind, Result, Search, Status
from gatewright.dse.scnas.tables import STATUSES, network_words
from gatewright.dse.words import operators_words

PALETTES: dict[Kind, tuple[str, ...]] = {
    "stochastic": ("#2d9a78", "#b4436c", "#d98324", "#6b7a1f", "#7a5ea8", "#b58a5a", "#3fb5c4"),
    "integer": ("#2f6fab", "#4aa3e0", "#1b3f73"),
    "float": ("#1c2733", "#8d99a6", "#5b6875"),
}
ENDINGS: dict[Status, tuple[str, str]] = {
    "scored": ("accuracy estimated", "#2d9a78"),
    "over_budget": ("over the budget: not evaluated", "#d98324"),
    "impossible": ("runs on no accelerator", "#c2362f"),
    "repeated": ("drawn before", "#c9d2da"),
}


@dataclass(frozen=True)
class Mark:
    """A design: nJ per image, on gates if `measured`, else predicted; percent of test images, with the 95% interval."""

    energy_nj: float
    accuracy: float
    low: float
    high: float
    measured: bool
    winner: bool
    text: str


@dataclass(frozen=True)
class Cloud:
    """A method: nJ per image and percent of validation images of every network it estimated, its designs, and which none of them beats."""

    label: str
    colour: str
    energies_nj: tuple[float, ...]
    estimates: tuple[float, ...]
    designs: tuple[Mark, ...]
    front: tuple[Mark, ...]


@dataclass(frozen=True)
class FrontInfo:
    """Every method. `memories`: how many times their cited cost the on-chip memories count, 0 for the logic alone."""

    memories: float
    clouds: tuple[Cloud, ...]


def front_info(result: Result, memories: float = 0.0) -> FrontInfo:
    """Accuracy against energy. Floating point has the energy of its multiply-add units alone, whatever `memories` is."""
    colours = method_colours(result)
    clouds = []
    for method, (label, colour) in colours.items():
        scored = [p for s in result.searches if s.method == method for p in s.points if p.estimate is not None and p.energy_pj is not None]
        mine = [_mark(d, memories, i == result.winner) for i, d in enumerate(result.designs) if d.method == method]
        clouds.append(
            Cloud(
                label,
                colour,
                tuple(((p.energy_pj or 0.0) + memories * (p.memory_energy_pj or 0.0)) / 1e3 for p in scored),
                tuple(100 * (p.estimate or 0.0) for p in scored),
                tuple(mine),
                tuple(pareto(mine)),
            )
        )
    return FrontInfo(memories, tuple(clouds))


def method_colours(result: Result) -> dict[str, tuple[str, str]]:
    """A label and a colour for each method, in the order of the searches, then of the designs without one."""
    kinds: dict[str, tuple[str, Kind]] = {search.method: (search.label, search.kind) for search in result.searches}
    for design in result.designs:
        kinds.setdefault(design.method, (design.label.partition(",")[0], design.kind))
    taken = dict.fromkeys(PALETTES, 0)
    found = {}
    for method, (label, kind) in kinds.items():
        found[method] = (label, PALETTES[kind][taken[kind] % len(PALETTES[kind])])
        taken[kind] += 1
    return found


def _mark(design: Design, memories: float, winner: bool) -> Mark:
    known = design.measured or design.metrics
    text = f"{design.label}<br>{network_words(design.architecture)}<br>{operators_words(design.architecture)}"
    test = design.test
    energy = known.with_memories(memories) / 1e3
    return Mark(energy, 100 * test.value, 100 * test.low, 100 * test.high, design.measured is not None, winner, text)


def pareto(marks: Iterable[Mark]) -> list[Mark]:
    """Designs that none beats in both energy and accuracy, by energy."""
    found: list[Mark] = []
    for mark in sorted(marks, key=lambda m: (m.energy_nj, -m.accuracy)):
        if not found or mark.accuracy > found[-1].accuracy:
            found.append(mark)
    return found


def front_plot(info: FrontInfo) -> go.Figure:
    """Estimates faint, designs with their intervals (full where gates were measured, hollow where predicted), fronts as steps."""
    figure = go.Figure()
    for cloud in info.clouds:
        figure.add_scatter(
            x=cloud.energies_nj,
            y=cloud.estimates,
            mode="markers",
            marker={"color": cloud.colour, "size": 4, "opacity": 0.28},
            name=cloud.label,
            legendgroup=cloud.label,
            showlegend=False,
            hoverinfo="skip",
        )
    for cloud in info.clouds:
        figure.add_scatter(
            x=[mark.energy_nj for mark in cloud.front],
            y=[mark.accuracy for mark in cloud.front],
            mode="lines",
            line={"color": cloud.colour, "width": 1.6, "shape": "hv"},
            name=cloud.label,
            legendgroup=cloud.label,
            showlegend=False,
            hoverinfo="skip",
        )
        figure.add_scatter(
            x=[mark.energy_nj for mark in cloud.designs],
            y=[mark.accuracy for mark in cloud.designs],
            error_y={
                "type": "data",
                "array": [mark.high - mark.accuracy for mark in cloud.designs],
                "arrayminus": [mark.accuracy - mark.low for mark in cloud.designs],
                "thickness": 1,
                "width": 2,
                "color": cloud.colour,
            },
            text=[mark.text for mark in cloud.designs],
            mode="markers",
            marker={
                "color": [cloud.colour if mark.measured else "white" for mark in cloud.designs],
                "size": 10,
                "line": {"width": 2, "color": cloud.colour},
            },
            name=cloud.label,
            legendgroup=cloud.label,
            hovertemplate="%{text}<br>%{y:.2f}% at %{x:,.1f} nJ<extra></extra>",
        )
    best = [mark for cloud in info.clouds for mark in cloud.designs if mark.winner]
    figure.add_scatter(
        x=[mark.energy_nj for mark in best],
        y=[mark.accuracy for mark in best],
        mode="markers",
        marker={"color": ACCENT, "size": 19, "symbol": "star-open", "line": {"width": 2}},
        name="winner",
        hoverinfo="skip",
    )
    what = f"energy with memories at {info.memories:g} x their cited cost" if info.memories else "energy of the logic"
    style(figure, f"{what}, nJ an image (log scale; full marks: on gates, hollow: predicted)", "accuracy, %", 560)
    figure.update_xaxes(LOGARITHMIC, tickvals=[n * 10**p for p in range(-3, 9) for n in (1, 2, 5)])
    low, high = _window(info)
    figure.update_yaxes(range=[low, high])
    return figure


def _window(info: FrontInfo) -> tuple[float, float]:
    """From below the least accurate design's interval to above the best, so that poor estimates do not flatten the plot."""
    marks = [mark for cloud in info.clouds for mark in cloud.front]
    if not marks:
        return 0.0, 100.0
    low, high = min(mark.low for mark in marks), max(mark.high for mark in marks)
    return max(-1.0, low - 0.1 * (high - low)), min(101.0, high + 0.05 * (high - low))


@dataclass(frozen=True)
class Course:
    """A search: percent of validation images that its best network so far had, after each point drawn; None before the first."""

    label: str
    colour: str
    best: tuple[float | None, ...]


def progress_info(result: Result) -> tuple[Course, ...]:
    """Every search, point by point in the order drawn."""
    colours = method_colours(result)
    return tuple(Course(search.label, colours[search.method][1], tuple(_best(search))) for search in result.searches)


def _best(search: Search) -> Iterable[float | None]:
    best: float | None = None
    for point in search.points:
        if point.estimate is not None:
            best = max(100 * point.estimate, best or 0.0)
        yield best


def progress_plot(courses: Sequence[Course]) -> go.Figure:
    """Best estimate within the budget over points drawn."""
    figure = go.Figure()
    for course in courses:
        figure.add_scatter(
            x=list(range(1, len(course.best) + 1)),
            y=course.best,
            mode="lines",
            line={"color": course.colour, "width": 2, "shape": "hv"},
            name=course.label,
            hovertemplate=f"{course.label}: %{{y:.1f}}% after %{{x}} points<extra></extra>",
        )
    style(figure, "points drawn", "best estimate within the budget, %", 420)
    settled = [value for course in courses for value in course.best[len(course.best) // 10 :] if value is not None]
    if settled:
        margin = 0.05 * (max(settled) - min(settled)) + 0.5
        figure.update_yaxes(range=[min(settled) - margin, min(101.0, max(settled) + margin)])
    return figure


@dataclass(frozen=True)
class ContractionInfo:
    """The space, step by step: how many networks with their circuits, and why fewer than before."""

    names: tuple[str, ...]
    sizes: tuple[float, ...]
    why: tuple[str, ...]


def contraction_info(result: Result) -> ContractionInfo:
    """The steps as they were taken."""
    steps = result.steps
    return ContractionInfo(tuple(s.name for s in steps), tuple(s.size for s in steps), tuple(s.why for s in steps))


def contraction_plot(info: ContractionInfo) -> go.Figure:
    """A bar for each step, as long as its size has digits."""
    figure = go.Figure()
    figure.add_bar(
        y=info.names,
        x=[log10(size) for size in info.sizes],
        text=[f"{size:.2g}" for size in info.sizes],
        customdata=info.why,
        orientation="h",
        marker={"color": [INK, *["#2d9a78"] * (len(info.sizes) - 1)]},
        hovertemplate="%{customdata}<extra></extra>",
    )
    style(figure, "networks with their circuits (log scale)", "", 110 + 42 * len(info.names))
    most = max((log10(size) for size in info.sizes), default=1.0)
    every = 3 if most < 30 else 10
    ticks = list(range(0, int(most) + every, every))
    figure.update_xaxes(tickvals=ticks, ticktext=[f"10<sup>{tick}</sup>" for tick in ticks], range=[0, 1.08 * most])
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return figure


@dataclass(frozen=True)
class SkippedInfo:
    """How many points of each search ended how."""

    labels: tuple[str, ...]
    counts: dict[Status, tuple[int, ...]]


def skipped_info(result: Result) -> SkippedInfo:
    """Every search."""
    searches = result.searches
    return SkippedInfo(tuple(s.label for s in searches), {status: tuple(s.count(status) for s in searches) for status in STATUSES})


def skipped_plot(info: SkippedInfo) -> go.Figure:
    """A stacked bar for each search."""
    figure = go.Figure()
    for status, counts in info.counts.items():
        name, colour = ENDINGS[status]
        figure.add_bar(
            y=info.labels,
            x=counts,
            orientation="h",
            name=name,
            marker={"color": colour, "line": {"width": 0.5, "color": "white"}},
            hovertemplate="%{y}: %{x} " + name + "<extra></extra>",
        )
    style(figure, "points drawn", "", 110 + 34 * len(info.labels))
    figure.update_layout(barmode="stack", bargap=0.3, legend_traceorder="normal")
    figure.update_yaxes(autorange="reversed", showgrid=False, gridcolor=GRID)
    return figure
