"""Pages of platform charts: every cost as a plot, and where the figures are from."""

import plotly.graph_objects as go
from markupsafe import escape
from plotly.offline import get_plotlyjs

from gatewright.dse.plots import COLOURS, GRID, INK, LOGARITHMIC, style
from gatewright.sim.platforms.chart import ORIGINS, Chart
from gatewright.sim.platforms.lines import Lines, lines_info

PALETTE = (*COLOURS.values(), "#1c2733", "#c2362f", "#8d99a6", "#4aa3c7")
DASHES = ("solid", "dash", "dot", "dashdot")
BARS = 2  # points of a line that are drawn as bars, as many or fewer

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>body {{ font: 15px/1.5 system-ui, sans-serif; color: {ink}; max-width: 1000px; margin: 2em auto; padding: 0 1em; }}
h2 {{ margin: 1.6em 0 0; font-size: 1.1em; }} p {{ margin: .3em 0; }} .small {{ color: #5b6875; font-size: .9em; }}
footer {{ border-top: 1px solid {grid}; margin-top: 2em; padding-top: .6em; }}</style>
<script>{script}</script></head><body><h1>{title}</h1>{plots}<footer class="small">{facts}</footer></body></html>
"""


def lines_plot(info: Lines) -> go.Figure:
    """Lines on logarithmic axes; bars where a line would have two points or one."""
    figure = go.Figure()
    if max(len(line.x) for line in info.lines) <= BARS:
        for i, x in enumerate(sorted({x for line in info.lines for x in line.x})):
            found = [(line.name, line.y[line.x.index(x)]) for line in info.lines if x in line.x]
            names, values = zip(*found, strict=True)
            figure.add_bar(x=values, y=names, orientation="h", name=f"{x:g}", marker_color=PALETTE[i])
        style(figure, info.unit, "", 120 + 26 * len(info.lines))
        figure.update_layout(legend_title_text=info.x, bargap=0.3)
        figure.update_yaxes(autorange="reversed", showgrid=False)
        return figure
    for i, line in enumerate(info.lines):
        look = {"color": PALETTE[i % len(PALETTE)], "dash": DASHES[i // len(PALETTE) % len(DASHES)]}
        figure.add_scatter(x=line.x, y=line.y, mode="lines+markers", name=line.name, line=look)
    style(figure, info.x, info.unit, 400)
    ticks = sorted({x for line in info.lines for x in line.x})
    figure.update_xaxes(type="log", tickvals=ticks, ticktext=[f"{tick:g}" for tick in ticks])
    if all(min(line.y) > 0 for line in info.lines):
        figure.update_yaxes(LOGARITHMIC)
    figure.update_layout(showlegend=len(info.lines) > 1)
    return figure


def page(chart: Chart, x: str | None = None, held: dict[str, float] | None = None) -> str:
    """HTML that needs nothing else: a plot for each cost over the axis `x`, and the provenance."""
    plots = []
    for i, cost in enumerate(chart.costs):
        info = lines_info(chart, cost.name, x, held)
        at = ", ".join(f"{name} {value:g}" for name, value in info.held.items())
        drawn = lines_plot(info).to_html(full_html=False, include_plotlyjs=False, div_id=f"plot{i}", config={"displayModeBar": False})
        note = f"{ORIGINS[cost.origin]}; at {at}" if at else ORIGINS[cost.origin]
        plots.append(f"<h2>{escape(info.cost)}</h2><p class='small'>{escape(note)}</p>{drawn}")
    p = chart.provenance
    versions = ", ".join(f"{tool} {version}" for tool, version in p.tools.items())
    facts = [f"On {p.device}.", f"{p.method}.", f"{p.date}; again with: {p.command}.", versions, *p.sources]
    text = "".join(f"<p>{escape(fact)}</p>" for fact in facts if fact)
    return _PAGE.format(title=escape(chart.title), ink=INK, grid=GRID, script=get_plotlyjs(), plots="".join(plots), facts=text)
