"""The picture of accuracy against energy: a front for each kind of arithmetic, a symbol for each method, and names."""

from collections.abc import Sequence
from math import log10

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from gatewright.dse.plots import INK, LOGARITHMIC, style
from gatewright.dse.scnas.front import FrontInfo, Mark, MethodMarks, window
from gatewright.dse.scnas.names import KINDS, LINE, SOFT, named
from gatewright.dse.scnas.result import Kind

LOOKS: dict[Kind, tuple[tuple[str, str], ...]] = {  # symbol and colour of a kind's methods, one after the other
    "stochastic": tuple((symbol, "#1f8f6c") for symbol in ("circle", "triangle-up", "triangle-down", "pentagon", "hexagram", "x")),
    "integer": (("square", "#1d4f86"), ("square", "#5aa5e0")),
    "float": (("diamond", "#a6520a"), ("diamond", "#f0a050")),
}
BAND = 0.15  # of the height of the designs, above and below them: the names of winner and rivals


def front_plot(*infos: FrontInfo) -> go.Figure:
    """A panel for each, with the same percents: designs, the front of each kind with 95% intervals, the winner and its rivals by name."""
    names = [_energy(info) for info in infos]
    figure = make_subplots(1, len(infos), subplot_titles=names if len(infos) > 1 else None, horizontal_spacing=0.06)
    style(figure, "", "", 600)
    low, high = window(infos)
    band = BAND * (high - low)
    step = next(n for n in (0.2, 0.5, 1, 2, 5, 10, 20) if high - low <= 10 * n)
    figure.update_yaxes(range=[low - band, high + band], tickvals=[n * step for n in range(501) if low <= n * step <= min(high, 100)])
    figure.update_yaxes(title="accuracy on test images, %", col=1)
    for column, info in enumerate(infos, start=1):
        where = {"row": 1, "col": column}
        figure.add_traces(_panel(info), rows=1, cols=column)
        if best := [mark.accuracy for mark in info.marks if mark.winner]:
            figure.add_hline(best[0], line={"color": LINE, "width": 1, "dash": "dash"}, layer="below", **where)
        left, right = reach(info, low - band)
        for note in named(info, (left, right), (high + 0.5 * band, low - 0.5 * band)):
            figure.add_annotation(note, axref=f"x{column}", ayref=f"y{column}", **where)
        title = _axis(info, low - band, names[0] if len(infos) == 1 else "energy")
        figure.update_xaxes(LOGARITHMIC, tickvals=ticks((left, right)), range=[log10(left), log10(right)], title=title, **where)
    figure.add_traces(_legend(infos[0]), rows=1, cols=1)
    figure.update_layout(
        legend={"orientation": "v", "x": 1.01, "xanchor": "left", "y": 1, "yanchor": "top", "tracegroupgap": 6, "groupclick": "toggleitem"}
    )
    return figure


def _energy(info: FrontInfo) -> str:
    if not info.memories:
        return "energy of the logic alone"
    return f"energy with memories at {'' if info.memories == 1 else f'{info.memories:g} times '}their cited cost"


def _axis(info: FrontInfo, low: float, energy: str) -> str:
    hidden = sum(mark.accuracy < low for mark in info.marks)
    return f"{energy}, nJ an image (log scale){f'; not shown: {hidden} of {len(info.marks)} designs' if hidden else ''}"


def _panel(info: FrontInfo) -> list[go.Scatter]:
    """What lies in a panel, from the back to the front."""
    drawn = []
    for kind, marks in info.fronts.items():
        drawn.append(intervals(marks, KINDS[kind][1]))
    for kind, marks in info.fronts.items():
        drawn.append(line(marks, KINDS[kind][1], 3.5))
    drawn += [intervals([n.mark], KINDS[n.kind][1]) for n in info.notes if n.mark not in info.fronts[n.kind]]
    for method, look in looks(info):
        drawn.append(_designs(method, look, [*info.fronts[method.kind], *(note.mark for note in info.notes)]))
    gates = [mark for mark in info.marks if mark.measured]
    sizes = [26 if mark.winner else 20 for mark in gates]
    drawn.append(
        _plain(gates, {"color": "rgba(0,0,0,0)", "symbol": "circle", "size": sizes, "opacity": 1, "line": {"width": 1.5, "color": INK}})
    )
    best = [mark for mark in info.marks if mark.winner]
    drawn.append(_plain(best, {"color": KINDS["stochastic"][1], "symbol": "star", "size": 19, "line": {"width": 1.5, "color": INK}}))
    return drawn


def looks(info: FrontInfo) -> list[tuple[MethodMarks, tuple[str, str]]]:
    """Every method with its symbol and colour."""
    found, taken = [], dict.fromkeys(LOOKS, 0)
    for method in info.methods:
        found.append((method, LOOKS[method.kind][taken[method.kind] % len(LOOKS[method.kind])]))
        taken[method.kind] += 1
    return found


def intervals(marks: Sequence[Mark], colour: str) -> go.Scatter:
    """95% intervals of designs, faint."""
    up, down = [m.high - m.accuracy for m in marks], [m.accuracy - m.low for m in marks]
    bars = {"type": "data", "array": up, "arrayminus": down, "thickness": 1.2, "width": 0, "color": colour}
    return go.Scatter(
        x=[m.energy_nj for m in marks],
        y=[m.accuracy for m in marks],
        error_y=bars,
        mode="markers",
        marker={"size": 1, "color": colour},
        opacity=0.3,
        showlegend=False,
        hoverinfo="skip",
    )


def line(marks: Sequence[Mark], colour: str, width: float) -> go.Scatter:
    """From design to design."""
    return go.Scatter(
        x=[m.energy_nj for m in marks],
        y=[m.accuracy for m in marks],
        mode="lines",
        line={"color": colour, "width": width},
        showlegend=False,
        hoverinfo="skip",
    )


def _designs(method: MethodMarks, look: tuple[str, str], large: Sequence[Mark]) -> go.Scatter:
    """Those of the kind's front and those with names large, the others small and pale."""
    symbol, colour = look
    return go.Scatter(
        x=[m.energy_nj for m in method.designs],
        y=[m.accuracy for m in method.designs],
        text=[m.text for m in method.designs],
        mode="markers",
        marker={
            "symbol": symbol,
            "color": colour,
            "size": [12 if m in large else 9 for m in method.designs],
            "opacity": [1.0 if m in large else 0.5 for m in method.designs],
            "line": {"width": 1, "color": "white"},
        },
        name=method.label,
        showlegend=False,
        hovertemplate="%{text}<extra></extra>",
    )


def _plain(marks: Sequence[Mark], marker: dict[str, object]) -> go.Scatter:
    return go.Scatter(
        x=[m.energy_nj for m in marks],
        y=[m.accuracy for m in marks],
        mode="markers",
        marker=marker,
        showlegend=False,
        hoverinfo="skip",
    )


def _legend(info: FrontInfo) -> list[go.Scatter]:
    """What every line and symbol means."""
    entries: list[tuple[str, str, dict[str, object]]] = []
    for kind in info.fronts:
        name, colour = KINDS[kind]
        entries.append((name, "front", {"mode": "lines", "line": {"color": colour, "width": 3.5}}))
        for method, (symbol, shade) in looks(info):
            if method.kind == kind:
                entries.append((name, method.label, {"mode": "markers", "marker": {"symbol": symbol, "color": shade, "size": 11}}))
    hollow = {"color": "rgba(0,0,0,0)", "line": {"width": 1.8, "color": INK}}
    for words, marker in (
        ("ring: run on its gates", hollow | {"symbol": "circle", "size": 15}),
        ("no ring: predicted", {"symbol": "circle", "size": 9, "color": SOFT}),
        ("star: the winner", hollow | {"symbol": "star", "size": 13}),
        ("diamond: at least so much", hollow | {"symbol": "diamond", "size": 11}),
        ("95% interval", {"symbol": "line-ns", "size": 14, "line": {"width": 1.2, "color": SOFT}}),
    ):
        entries.append(("marks", words, {"mode": "markers", "marker": marker}))
    shades = dict(KINDS.values())
    return [
        go.Scatter(
            x=[None],
            y=[None],
            name=words,
            legendgroup=group,
            legendgrouptitle={"text": f"<b>{group}</b>", "font": {"color": shades.get(group, INK)}},
            hoverinfo="skip",
            **how,
        )
        for group, words, how in entries
    ]


def reach(info: FrontInfo, low: float) -> tuple[float, float]:
    """The energies that a panel shows, in nJ."""
    energies = [mark.energy_nj for mark in info.marks if mark.accuracy >= low] or [1.0]
    margin = 10 ** (0.05 * max(log10(max(energies) / min(energies)), 0.5))
    return min(energies) / margin, max(energies) * margin


def ticks(span: tuple[float, float]) -> list[float]:
    """Of a logarithmic axis: three a decade where it spans more than a factor of twelve, else more."""
    steps = (1, 2, 5) if span[1] > 12 * span[0] else (1, 1.5, 2, 3, 4, 5, 7)
    return [n * 10.0**p for p in range(-3, 9) for n in steps]
