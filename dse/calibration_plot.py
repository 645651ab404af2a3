"""The calibration's plot: energy predicted by models that had not seen a configuration, over what was measured of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from gatewright.dse.heldout import OPERATOR_ENERGY, OPERATOR_WORST, WHOLE_ENERGY, HeldOut, Row
from gatewright.dse.plots import ACCENT, COLOURS, GRID, INK, KINDS, LOGARITHMIC, OTHER
from gatewright.hw.names import operator_named

BAND = OPERATOR_ENERGY  # dashed: how many are within it is told of accelerators, too
DECADES = [10**p for p in range(-1, 6)]


@dataclass(frozen=True)
class Dot:
    """Energies in nJ per run of the program, of an accelerator or of the grid in one operator's layers."""

    measured_nj: float
    predicted_nj: float
    kind: str
    text: str


@dataclass(frozen=True)
class CalibrationInfo:
    """Every accelerator, and every operator of every accelerator; `inside`: the part of each within `BAND`."""

    accelerators: tuple[Dot, ...]
    operators: tuple[Dot, ...]
    inside: tuple[float, float]


def calibration_info(errors: HeldOut) -> CalibrationInfo:
    """From held-out errors."""
    whole = tuple(_dot(row, "accelerator", row.name) for row in errors.whole)
    single = tuple(_dot(row, _kind(row.part), f"{row.part} in {row.name}") for row in errors.operators)
    inside = tuple(sum(abs(d.predicted_nj / d.measured_nj - 1) <= BAND for d in dots) / len(dots) for dots in (whole, single))
    return CalibrationInfo(whole, single, (inside[0], inside[1]))


def _kind(name: str) -> str:
    kind = operator_named(name).kind
    return KINDS.get(kind, kind)


def _dot(row: Row, kind: str, text: str) -> Dot:
    return Dot(row.energy_pj / 1e3, row.predicted_pj / 1e3, kind, f"{text}: {row.energy_error or 0.0:+.1%}")


def calibration_plot(info: CalibrationInfo) -> go.Figure:
    """Accelerators on the left, operators on the right; above, predicted over measured, below, the error, with its targets."""
    subjects = (("complete accelerators", info.accelerators, WHOLE_ENERGY), ("operators", info.operators, OPERATOR_WORST))
    titles = [f"{name}: {share:.0%} of {len(dots)} within {BAND:.0%}" for (name, dots, _), share in zip(subjects, info.inside, strict=True)]
    figure = make_subplots(2, 2, subplot_titles=titles, shared_xaxes=True, horizontal_spacing=0.08, vertical_spacing=0.05)
    for column, (_, dots, most) in enumerate(subjects, start=1):
        ends = [0.8 * min(d.measured_nj for d in dots), 1.25 * max(d.measured_nj for d in dots)]
        _line(figure, 1, column, ends, ends)
        for off, style in ((0.0, "solid"), (BAND, "dash"), (most, "dot")):
            for signed in {off, -off}:
                _line(figure, 2, column, ends, [signed, signed], style)
        for kind in sorted({d.kind for d in dots}):
            _dots(figure, column, [d for d in dots if d.kind == kind], COLOURS.get(kind, OTHER))
    figure.update_xaxes(LOGARITHMIC, tickvals=DECADES, tickangle=0, gridcolor=GRID)
    figure.update_xaxes(title="measured, nJ per run", row=2)
    figure.update_yaxes(LOGARITHMIC, tickvals=DECADES, gridcolor=GRID, row=1)
    figure.update_yaxes(tickformat="+.0%", gridcolor=GRID, row=2)
    figure.update_yaxes(title="predicted, nJ per run", row=1, col=1)
    figure.update_yaxes(title="error", row=2, col=1)
    lines = f"dashed {BAND:.0%}, dotted {WHOLE_ENERGY:.0%} and {OPERATOR_WORST:.0%} off"
    title = f"Energy predicted by models that had not seen the accelerator; {lines}"
    figure.update_layout(
        title={"text": title, "x": 0.5, "font": {"size": 16}},
        template="plotly_white",
        font={"color": INK},
        legend={"orientation": "h", "x": 0.5, "xanchor": "center", "y": -0.1, "itemsizing": "constant"},
        width=1150,
        height=760,
        margin={"t": 90, "l": 70, "r": 20},
    )
    return figure


def _dots(figure: go.Figure, column: int, dots: Sequence[Dot], colour: str) -> None:
    """Those of one kind, in both rows."""
    ways = (([d.predicted_nj for d in dots], True), ([d.predicted_nj / d.measured_nj - 1 for d in dots], False))
    for row, (values, named) in enumerate(ways, start=1):
        figure.add_scatter(
            x=[d.measured_nj for d in dots],
            y=values,
            text=[d.text for d in dots],
            customdata=[d.predicted_nj for d in dots],
            mode="markers",
            marker={"color": colour, "size": 7, "opacity": 0.8, "line": {"width": 0.6, "color": "white"}},
            name=dots[0].kind,
            legendgroup=dots[0].kind,
            showlegend=named,
            hovertemplate="%{text}<br>%{x:,.1f} nJ measured, %{customdata:,.1f} predicted<extra></extra>",
            row=row,
            col=column,
        )


def _line(figure: go.Figure, row: int, column: int, x: Sequence[float], y: Sequence[float], style: str = "solid") -> None:
    line = {"color": ACCENT, "width": 1, "dash": style}
    figure.add_scatter(x=x, y=y, mode="lines", line=line, showlegend=False, hoverinfo="skip", row=row, col=column)
