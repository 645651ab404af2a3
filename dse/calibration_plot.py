"""The calibration's plot: energy predicted by models that had not seen a configuration, over what was measured of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from gatewright.dse.heldout import HeldOut, Row
from gatewright.dse.plots import ACCENT, COLOURS, GRID, INK, KINDS, LOGARITHMIC, OTHER
from gatewright.hw.names import operator_named

BAND = 0.05  # what is shown as the target

DECADES = [n * 10**p for p in range(-1, 6) for n in (1, 2, 5)]


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
    """Predicted over measured, both on logarithmic axes, with the band; accelerators on the left, operators on the right."""
    titles = [
        f"{name}: {share:.0%} of {len(dots)} within {BAND:.0%}"
        for name, dots, share in zip(("complete accelerators", "operators"), (info.accelerators, info.operators), info.inside, strict=True)
    ]
    figure = make_subplots(1, 2, subplot_titles=titles, horizontal_spacing=0.1)
    for column, dots in enumerate((info.accelerators, info.operators), start=1):
        _band(figure, column, dots)
        for kind in sorted({d.kind for d in dots}):
            mine = [d for d in dots if d.kind == kind]
            figure.add_scatter(
                x=[d.measured_nj for d in mine],
                y=[d.predicted_nj for d in mine],
                text=[d.text for d in mine],
                mode="markers",
                marker={"color": COLOURS.get(kind, OTHER), "size": 8, "opacity": 0.85, "line": {"width": 0.8, "color": "white"}},
                name=kind,
                hovertemplate="%{text}<br>%{x:,.1f} nJ measured, %{y:,.1f} predicted<extra></extra>",
                row=1,
                col=column,
            )
    for axis, text in (("x", "measured, nJ per run"), ("y", "predicted, nJ per run")):
        getattr(figure, f"update_{axis}axes")(LOGARITHMIC, tickvals=DECADES, title=text, gridcolor=GRID)
    title = f"Energy predicted by models that had not seen the accelerator, against its gates'; dotted: {BAND:.0%} off"
    figure.update_layout(
        title={"text": title, "x": 0.5, "font": {"size": 16}},
        template="plotly_white",
        font={"color": INK},
        width=1150,
        height=560,
        margin={"t": 90, "l": 70, "r": 20},
    )
    return figure


def _band(figure: go.Figure, column: int, dots: Sequence[Dot]) -> None:
    """Where both are equal, and the band beside."""
    ends = [0.8 * min(d.measured_nj for d in dots), 1.25 * max(d.measured_nj for d in dots)]
    for factor, style in ((1.0, "solid"), (1 - BAND, "dot"), (1 + BAND, "dot")):
        figure.add_scatter(
            x=ends,
            y=[end * factor for end in ends],
            mode="lines",
            line={"color": ACCENT, "width": 1, "dash": style},
            showlegend=False,
            hoverinfo="skip",
            row=1,
            col=column,
        )
