"""Plots of a reproduction's search space: `*_info` gives the numbers, `*_plot` draws them."""

from collections.abc import Collection
from dataclasses import dataclass
from math import log10

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from gatewright.dse.plots import ACCENT, INK, LOGARITHMIC, style
from gatewright.dse.scnas.chart import Chart
from gatewright.dse.scnas.names import SOFT
from gatewright.dse.scnas.result import Result
from gatewright.hw.names import operator_named

COLOURS = ("#2d9a78", "#b4436c", "#d98324", "#6b7a1f", "#7a5ea8", "#b58a5a", "#3fb5c4", "#2f6fab")  # of kinds of circuits


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
        for kind, colour in zip(kinds, COLOURS, strict=False):
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
    for words, filled in (("full: searches choose from it", True), ("hollow: dropped", False)):
        marker = {"color": SOFT if filled else "white", "size": 11 if filled else 7, "line": {"width": 1.4, "color": SOFT}}
        figure.add_scatter(x=[None], y=[None], mode="markers", marker=marker, name=words, row=1, col=1)
    figure.update_layout(legend={"y": 1.1}, margin={"t": 90})
    return figure
