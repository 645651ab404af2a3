"""Small panels with the same axes: what is each one's own in colour, what belongs to others behind it."""

from collections.abc import Sequence
from math import ceil, log10

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from gatewright.dse.plots import LOGARITHMIC, style
from gatewright.dse.scnas.front import FrontInfo, window
from gatewright.dse.scnas.front_plot import intervals, line, reach
from gatewright.dse.scnas.names import KINDS

COLUMNS = 3


def panels(labels: Sequence[str], x: str, y: str, columns: int = COLUMNS) -> go.Figure:
    """A panel for each label, empty, `columns` side by side."""
    rows = max(1, ceil(len(labels) / columns))
    gaps = {"horizontal_spacing": 0.02, "vertical_spacing": 0.2 / rows}
    figure = make_subplots(rows, columns, shared_xaxes="all", shared_yaxes="all", subplot_titles=labels, **gaps)
    style(figure, "", "", 100 + 165 * rows)
    figure.update_annotations(font_size=13)
    figure.update_xaxes(title=x, row=rows)
    figure.update_yaxes(title=y, col=1)
    return figure


def place(i: int, columns: int = COLUMNS) -> dict[str, int]:
    """Row and column of a panel."""
    return {"row": i // columns + 1, "col": i % columns + 1}


def method_plot(info: FrontInfo, columns: int = 5) -> go.Figure:
    """A panel for each method: its designs and its own front, before the fronts of the kinds."""
    figure = panels([method.label for method in info.methods], "nJ an image", "test, %", columns)
    low, high = window([info])
    for i, method in enumerate(info.methods):
        where, colour = place(i, columns), KINDS[method.kind][1]
        for kind, front in info.fronts.items():
            figure.add_trace(line(front, KINDS[kind][1], 5).update(opacity=0.2), **where)
        figure.add_trace(intervals(method.designs, colour), **where)
        figure.add_trace(line(method.front, colour, 1.8), **where)
        figure.add_scatter(
            x=[m.energy_nj for m in method.designs],
            y=[m.accuracy for m in method.designs],
            text=[m.text for m in method.designs],
            mode="markers",
            marker={
                "symbol": ["star" if m.winner else "circle" for m in method.designs],
                "size": [13 if m.winner else 8 for m in method.designs],
                "color": colour,
                "opacity": 1,
            },
            showlegend=False,
            hovertemplate="%{text}<extra></extra>",
            **where,
        )
    span = [log10(x) for x in reach(info, low)]
    figure.update_xaxes(LOGARITHMIC, tickvals=[n * 10.0**p for p in range(-3, 9) for n in (1, 3)], tickangle=0, range=span)
    figure.update_yaxes(range=[low, high])
    return figure
