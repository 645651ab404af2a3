"""The plots of a reproduction beside its fronts: `*_info` gives the numbers, `*_plot` draws them."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from math import log10

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from gatewright.dse.plots import ACCENT, INK, LOGARITHMIC, style
from gatewright.dse.scnas.chart import Chart
from gatewright.dse.scnas.front import PALETTES, method_colours
from gatewright.dse.scnas.result import Result, Search, Status
from gatewright.dse.scnas.tables import STATUSES
from gatewright.hw.names import operator_named

ENDINGS: dict[Status, tuple[str, str]] = {
    "scored": ("accuracy estimated", "#2d9a78"),
    "over_budget": ("over the budget: not evaluated", "#d98324"),
    "impossible": ("runs on no accelerator", "#c2362f"),
    "repeated": ("drawn before", "#c9d2da"),
}


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
    figure.update_yaxes(autorange="reversed", showgrid=False, ticksuffix="  ")
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
    figure.update_yaxes(autorange="reversed", showgrid=False, ticksuffix="  ")
    return figure


@dataclass(frozen=True)
class Circuit:
    """A stream circuit of the one-block chart: pJ per product, and what is left of a sum's error in standard deviations of the sums.

    `kind`: coding and adder. `bits`: of an operand. `kept`: searches choose from it.
    """

    name: str
    kind: str
    bits: int
    energy_pj: float
    error: float
    kept: bool


@dataclass(frozen=True)
class ChartInfo:
    """Every circuit, and by operand bits what an exact product costs in pJ."""

    circuits: tuple[Circuit, ...]
    exact: dict[int, float]


def chart_info(chart: Chart, kept: Collection[str]) -> ChartInfo:
    """The circuits of a chart. kept: names of those that the contraction leaves."""
    found, exact = [], {}
    for entry in chart.entries:
        operator = operator_named(entry.operator)
        if operator.kind == "stochastic":
            kind = f"{(operator.coding or '').replace('_', '-')}, {operator.adder} sum"
            found.append(
                Circuit(entry.operator, kind, operator.weight_bits, entry.energy_pj, entry.error, entry.operator in kept),
            )
        else:
            exact[operator.weight_bits] = entry.energy_pj
    return ChartInfo(tuple(found), exact)


def chart_plot(info: ChartInfo) -> go.Figure:
    """Error against energy, both logarithmic, for each width of operands: full marks are kept, hollow ones dropped."""
    widths = sorted({c.bits for c in info.circuits})
    exact = {bits: f" (dashed: exact products, {info.exact[bits]:.3g} pJ)" if bits in info.exact else "" for bits in widths}
    figure = make_subplots(1, len(widths), subplot_titles=[f"{bits}-bit operands{exact[bits]}" for bits in widths], shared_yaxes=True)
    style(figure, "pJ a product (log scale)", "", 480)
    kinds, least = sorted({c.kind for c in info.circuits}), min((c.error for c in info.circuits if c.error), default=1.0)
    for column, bits in enumerate(widths, start=1):
        for kind, colour in zip(kinds, (*PALETTES["stochastic"], *PALETTES["integer"]), strict=False):
            mine = [c for c in info.circuits if (c.kind, c.bits) == (kind, bits)]
            figure.add_scatter(
                x=[c.energy_pj for c in mine],
                y=[max(c.error, least) for c in mine],  # no error at all has no place on a logarithmic axis
                text=[f"{c.name}: error {c.error:.3g}" for c in mine],
                mode="markers",
                marker={
                    "color": [colour if c.kept else "white" for c in mine],
                    "size": [11 if c.kept else 7 for c in mine],
                    "line": {"width": 1.4, "color": colour},
                },
                name=kind,
                legendgroup=kind,
                showlegend=column == 1,
                hovertemplate="%{text}<br>%{x:.3g} pJ<extra></extra>",
                row=1,
                col=column,
            )
        if bits in info.exact:
            figure.add_vline(info.exact[bits], line={"color": ACCENT, "width": 1, "dash": "dash"}, row=1, col=column)
    figure.update_xaxes(LOGARITHMIC, tickvals=[n * 10**p for p in range(-3, 3) for n in (1, 2, 5)])
    figure.update_yaxes(LOGARITHMIC, tickvals=[n * 10**p for p in range(-4, 2) for n in (1, 2, 5)])
    figure.update_yaxes(title="error of a sum", col=1)
    figure.update_layout(legend={"y": 1.1}, margin={"t": 90})
    return figure
