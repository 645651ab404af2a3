"""Accuracy against energy of every method of a reproduction: `front_info` gives the numbers, `front_plot` draws them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from gatewright.dse.plots import ACCENT, LOGARITHMIC, style
from gatewright.dse.scnas.result import Design, Kind, Result
from gatewright.dse.scnas.tables import network_words
from gatewright.dse.words import operators_words

PALETTES: dict[Kind, tuple[str, ...]] = {
    "stochastic": ("#2d9a78", "#b4436c", "#d98324", "#6b7a1f", "#7a5ea8", "#b58a5a", "#3fb5c4"),
    "integer": ("#2f6fab", "#4aa3e0", "#1b3f73"),
    "float": ("#1c2733", "#8d99a6", "#5b6875"),
}
DEPTH = 15.0  # percent below the most accurate design that the plots of fronts show


@dataclass(frozen=True)
class Mark:
    """A design: nJ per image, on gates if `measured`, at least so much if `bound`, else predicted; percent of test images, 95% interval."""

    energy_nj: float
    accuracy: float
    low: float
    high: float
    measured: bool
    bound: bool
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
    """Accuracy against energy. Floating point's is a lower bound."""
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
    energy, (value, low, high) = (
        known.with_memories(memories) / 1e3,
        (100 * getattr(design.test, name) for name in ("value", "low", "high")),
    )
    return Mark(energy, value, low, high, design.measured is not None, design.config is None, winner, text)


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
            marker={"color": cloud.colour, "size": 5, "opacity": 0.35},
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
                "symbol": ["diamond" if mark.bound else "circle" for mark in cloud.designs],
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
    style(figure, f"{what}, nJ an image (log scale; full: on gates, hollow: predicted, diamonds: at least)", "accuracy, %", 560)
    energies = [x for cloud in info.clouds for x in (*cloud.energies_nj, *(mark.energy_nj for mark in cloud.designs))]
    figure.update_xaxes(LOGARITHMIC, tickvals=ticks(energies))
    figure.update_yaxes(range=window(info))
    return figure


def ticks(values: Sequence[float]) -> list[float]:
    """Of a logarithmic axis: three a decade where values span more than one and a half, else more."""
    wide = bool(values) and max(values) > 30 * min(values)
    return [n * 10.0**p for p in range(-3, 9) for n in ((1, 2, 5) if wide else (1, 1.5, 2, 3, 4, 5, 7))]


def window(info: FrontInfo) -> tuple[float, float]:
    """What is drawn, in percent: down to the intervals of designs at most `DEPTH` below the best; poorer ones would flatten the rest."""
    marks = [mark for cloud in info.clouds for mark in cloud.designs]
    if not marks:
        return 0.0, 100.0
    high = max(mark.high for mark in marks)
    low = min(mark.low for mark in marks if mark.accuracy >= max(m.accuracy for m in marks) - DEPTH)
    return max(-1.0, low - 0.08 * (high - low)), min(101.0, high + 0.05 * (high - low))
