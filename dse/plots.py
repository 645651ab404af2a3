"""The report's plots: `*_info` gives the numbers, `*_plot` draws them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from gatewright.dse.evaluate import Outcome
from gatewright.dse.explore import Result
from gatewright.dse.words import channels_words, every_operator, operators_words
from gatewright.sw.models import Architecture, workload

KINDS = {
    "int": "integer",
    "binary_weight": "binary weights",
    "shift": "shifts",
    "multiplication_free": "multiplication-free",
    "xnor": "XNOR",
    "stochastic": "bit streams",
}
COLOURS = {
    "integer": "#2f6fab",
    "binary weights": "#d98324",
    "shifts": "#b4436c",
    "multiplication-free": "#6b7a1f",
    "XNOR": "#7a5ea8",
    "bit streams": "#2d9a78",
}
OTHER = "#8d99a6"
INK, GRID, ACCENT = "#1c2733", "#e6eaee", "#c2362f"
BLOCKS = {  # kind of block: group in the plots
    "element": "processing elements",
    "grid": "processing elements",
    "activation_edge": "edges and stream generators",
    "weight_edge": "edges and stream generators",
    "source": "edges and stream generators",
    "post": "post-processing",
    "drain": "post-processing",
    "sequencer": "control",
    "fetch": "control",
    "instruction": "control",
    "system": "control",
    "image": "loading and storing",
    "linear": "loading and storing",
    "store": "loading and storing",
    "memory_port": "loading and storing",
}
GROUPS = {
    "processing elements": "#2f6fab",
    "edges and stream generators": "#2d9a78",
    "post-processing": "#d98324",
    "control": "#7a5ea8",
    "loading and storing": "#9aa7b3",
}


@dataclass(frozen=True)
class Dot:
    """A trained trial: energy in nJ per image, validation accuracy in percent. `kind`: of the layer with most products; `mixed`: it has
    others too."""

    number: int
    energy_nj: float
    accuracy: float
    kind: str
    mixed: bool
    text: str


@dataclass(frozen=True)
class FrontInfo:
    """Every trained trial, which of them no other one beats, and the winner after its final training."""

    dots: tuple[Dot, ...]
    front: tuple[Dot, ...]
    winner: Dot


def dot(number: int, architecture: Architecture, energy_pj: float, accuracy: float, text: str) -> Dot:
    """A network as a dot."""
    largest = max(workload(architecture).layers, key=lambda layer: layer.products)
    kinds = {o.kind for o in every_operator(architecture)}
    kind = KINDS.get(largest.operator.kind, largest.operator.kind)
    return Dot(number, energy_pj / 1e3, 100 * accuracy, kind, len(kinds) > 1, text)


def front_info(trials: Sequence[dict[str, Any]], result: Result) -> FrontInfo:
    """From a run's trials (as `trials.json` has them) and its result."""
    dots = []
    for trial in trials:
        outcome = Outcome(**trial["outcome"]) if trial["outcome"] else None
        if outcome is None or outcome.accuracy is None or outcome.metrics is None or outcome.config is None:
            continue
        architecture = Architecture(**trial["architecture"])
        grid = f"{outcome.config.rows} x {outcome.config.cols} x {outcome.config.operand_bits} bits"
        layers = operators_words(architecture)
        text = f"trial {trial['number']}: {channels_words(architecture)}<br>{layers}<br>{grid}"
        dots.append(dot(trial["number"], architecture, outcome.metrics.energy_pj, outcome.accuracy.value, text))
    w = result.winner
    best = dot(w.trial, w.architecture, w.metrics.energy_pj, w.validation.value, f"winner, from trial {w.trial}")
    return FrontInfo(tuple(dots), tuple(pareto(dots)), best)


def pareto(dots: Sequence[Dot]) -> list[Dot]:
    """Dots that none beats in both energy and accuracy, by energy."""
    found: list[Dot] = []
    for dot in sorted(dots, key=lambda d: (d.energy_nj, -d.accuracy, d.number)):
        if not found or dot.accuracy > found[-1].accuracy:
            found.append(dot)
    return found


def front_plot(info: FrontInfo, wanted: float | None) -> go.Figure:
    """Accuracy over energy, the front as a line, the winner as a star; `wanted` is the accuracy in percent that was asked for."""
    figure = go.Figure()
    figure.add_scatter(
        x=[d.energy_nj for d in info.front],
        y=[d.accuracy for d in info.front],
        mode="lines",
        line={"color": INK, "width": 1.2, "shape": "hv", "dash": "dot"},
        name="front of the trials",
        hoverinfo="skip",
    )
    for name in sorted({d.kind for d in info.dots}):
        dots = [d for d in info.dots if d.kind == name]
        figure.add_scatter(
            x=[d.energy_nj for d in dots],
            y=[d.accuracy for d in dots],
            text=[d.text for d in dots],
            mode="markers",
            marker={
                "color": COLOURS.get(name, OTHER),
                "symbol": ["diamond" if d.mixed else "circle" for d in dots],
                "size": 10,
                "opacity": 0.85,
                "line": {"width": 0.8, "color": "white"},
            },
            name=f"mostly {name}",
            hovertemplate="%{text}<br>%{y:.1f}% at %{x:,.0f} nJ<extra></extra>",
        )
    figure.add_scatter(
        x=[info.winner.energy_nj],
        y=[info.winner.accuracy],
        text=[info.winner.text],
        mode="markers",
        marker={"color": ACCENT, "size": 17, "symbol": "star", "line": {"width": 1, "color": "white"}},
        name="winner, trained to the end",
        hovertemplate="%{text}<br>%{y:.1f}% at %{x:,.0f} nJ<extra></extra>",
    )
    if wanted is not None:
        figure.add_hline(
            y=wanted, line={"color": ACCENT, "width": 1, "dash": "dash"}, annotation_text="target", annotation_font_color=ACCENT
        )
    style(figure, "energy of the logic, nJ an image (calibrated, log scale)", "validation accuracy, %", 430)
    figure.update_xaxes(LOGARITHMIC)
    return figure


@dataclass(frozen=True)
class EnergyInfo:
    """nJ per image of each group of blocks (see `GROUPS`), for every layer, predicted and measured."""

    layers: tuple[str, ...]
    predicted: dict[str, tuple[float, ...]]
    measured: dict[str, tuple[float, ...]]


def energy_info(result: Result) -> EnergyInfo:
    """Where the winner's energy goes."""

    def grouped(which: str) -> dict[str, tuple[float, ...]]:
        sums = {group: [0.0] * len(result.proof.layers) for group in GROUPS}
        for i, layer in enumerate(result.proof.layers):
            for kind, pj in getattr(layer, which).items():
                sums[BLOCKS.get(kind, "control")][i] += pj / 1e3
        return {group: tuple(values) for group, values in sums.items()}

    names = tuple(f"{layer.name} ({layer.operator})" for layer in result.proof.layers)
    return EnergyInfo(names, grouped("predicted"), grouped("measured"))


def bars(figure: go.Figure, labels: Sequence[Any], values: Sequence[float], name: str, colour: str, hover: str) -> None:
    """One colour of horizontal bars that are stacked."""
    marker = {"color": colour, "line": {"width": 0.5, "color": "white"}}
    figure.add_bar(y=labels, x=values, orientation="h", name=name, marker=marker, hovertemplate=f"{hover}<extra></extra>")
    figure.update_layout(barmode="stack", legend_traceorder="normal")


def energy_plot(info: EnergyInfo) -> go.Figure:
    """For each layer two stacked bars, predicted above measured."""
    figure = go.Figure()
    labels = [[name for name in info.layers for _ in range(2)], ["predicted", "measured"] * len(info.layers)]
    for group, colour in GROUPS.items():
        values = [v for pair in zip(info.predicted[group], info.measured[group], strict=True) for v in pair]
        bars(figure, labels, values, group, colour, "%{y}<br>" + group + ": %{x:.2f} nJ")
    style(figure, "energy of the logic, nJ an image", "", 90 + 92 * len(info.layers))
    figure.update_layout(bargap=0.25)
    figure.update_yaxes(autorange="reversed", showgrid=False, dividercolor=GRID)
    return figure


LOGARITHMIC = {"type": "log", "tickvals": [n * 10**p for p in range(-3, 9) for n in (1, 1.5, 2, 3, 5, 7)], "tickformat": ",~r"}
"""Settings of an axis whose numbers are written in full."""


def style(figure: go.Figure, x: str, y: str, height: int) -> None:
    """The look of every plot, with the titles of its axes and its height in pixels."""
    figure.update_layout(
        template="plotly_white",
        height=height,
        margin={"l": 10, "r": 10, "t": 40, "b": 10},
        font={"family": "system-ui, -apple-system, Segoe UI, Roboto, sans-serif", "size": 13, "color": INK},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "title": None},
        plot_bgcolor="white",
        hoverlabel={"bgcolor": "white"},
    )
    figure.update_xaxes(title=x, gridcolor=GRID, zeroline=False, automargin=True)
    figure.update_yaxes(title=y, gridcolor=GRID, zeroline=False, automargin=True)
