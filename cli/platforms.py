"""`gatewright platforms`: what layers cost on FPGAs, GPUs, processors and RRAM crossbars, as charts."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group
from rich.table import Table

from gatewright.cli.common import Json, Output, Quiet, Seed
from gatewright.hw.errors import BadInput

if TYPE_CHECKING:
    from gatewright.sim.platforms.chart import Chart, Value

PLATFORMS = {
    "fpga": "iCE40 and ECP5 by Yosys and nextpnr",
    "gpu": "timed packed-XNOR, int8 and fp32 kernels; needs a CUDA device",
    "cpu": "the same kernels on one core",
    "rram": "crossbars of XNOR cells by a cited model",
}
ROWS = 40  # of a table; the others are left out

Name = Annotated[str | None, typer.Argument(help="A chart, as fpga/layer; without it, the list.", metavar="CHART")]
At = Annotated[
    str | None,
    typer.Option(
        "--at",
        help="A value for each axis, as C=48,K=64,size=8: the costs there; for some axes: those rows. With --html, numbers to hold.",
        metavar="AXES",
    ),
]
Html = Annotated[Path | None, typer.Option("--html", help="Write the chart's plots here.", metavar="FILE")]
Over = Annotated[str | None, typer.Option("--over", help="With --html: the axis to plot over.", metavar="AXIS")]
Measure = Annotated[str | None, typer.Option("--measure", help=f"Make the charts of {', '.join(PLATFORMS)} again.", metavar="PLATFORM")]
Out = Annotated[Path | None, typer.Option("--out", help="With --measure: the folder for the charts.", metavar="FOLDER")]
Workers = Annotated[int, typer.Option("--workers", min=1, help="With --measure fpga: runs side by side.")]


def platforms(
    name: Name = None,
    at: At = None,
    html: Html = None,
    over: Over = None,
    measure: Measure = None,
    out: Out = None,
    workers: Workers = 1,
    as_json: Json = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Show what layers cost on FPGAs, GPUs, processors and RRAM crossbars: charts with where each figure is from."""
    from gatewright.sim.platforms import store

    output = Output(as_json, quiet)
    _consistent(name, at, html, over, measure, out)
    if measure is not None and out is not None:
        _make(out)
        paths = [store.save(made, out) for made in _measured(measure, output, workers, seed)]
        output.emit({"charts": paths}, "\n".join(str(path) for path in paths))
        return
    known = store.shipped()
    if name is None:
        output.emit({"charts": [_summary(chart) for chart in known], "platforms": PLATFORMS}, _list(known))
        return
    chart = store.named(name, known)
    where = _where(at)
    if html is not None:
        from gatewright.dse.platforms import page
        from gatewright.sim.files import write

        write(html, page(chart, over, _held(where)))
        output.emit({"chart": name, "html": html}, f"Written to {html}.")
    elif where.keys() == {axis.name for axis in chart.axes}:
        found, how = _at(chart, where)
        origins = {cost.name: cost.origin for cost in chart.costs}
        record = {"chart": name, "at": where, "costs": found, "origins": origins, "how": how, "provenance": chart.provenance}
        output.emit(record, Group(_costs(chart, found), "", f"{how[0].upper()}{how[1:]}."))
    elif where:
        rows, columns = chart.select(**where), [column.name for column in chart.columns]
        record = {"chart": name, "at": where, "columns": columns, "rows": rows, "provenance": chart.provenance}
        output.emit(record, Group(_table(chart, rows, where), "", *_facts(chart, rows, where)))
    else:
        output.emit(chart.model_dump(mode="json"), Group(_table(chart, chart.rows), "", *_facts(chart, chart.rows)))


def _consistent(name: str | None, at: str | None, html: Path | None, over: str | None, measure: str | None, out: Path | None) -> None:
    """Options that need each other."""
    if measure is not None and measure not in PLATFORMS:
        raise BadInput(f"There is no platform {measure!r}; there are {', '.join(PLATFORMS)}.")
    if measure in ("cpu", "gpu"):
        from gatewright.sim.platforms.processors import require

        require("gpu" if measure == "gpu" else "cpu")
    if (measure is None) != (out is None):
        raise BadInput("--measure makes charts and --out says where to: give both.")
    if measure is not None and (name or at or html or over):
        raise BadInput("--measure makes all charts of a platform: leave CHART, --at, --html and --over out.")
    if name is None and (at or html or over):
        raise BadInput("--at, --html and --over are of one chart: name it; `gatewright platforms` lists them.")
    if over is not None and html is None:
        raise BadInput("--over is of the plots: give --html too.")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"{folder} cannot be made a folder: {(error.strerror or str(error)).lower()}. Name another one.") from None


def _measured(platform: str, output: Output, workers: int, seed: int) -> "Iterator[Chart]":
    if platform == "fpga":
        from gatewright.boards.charts import accelerators, elements
        from gatewright.dse.layer_chart import layers

        built = accelerators(output.note, workers)
        yield from (elements(output.note, workers), built, layers(built, output.note))
    elif platform == "rram":
        from gatewright.sim.platforms import rram

        yield from rram.charts()
    else:
        from gatewright.sim.platforms.processors import measure

        yield measure("gpu" if platform == "gpu" else "cpu", output.note, seed)


def _where(text: str | None) -> "dict[str, Value]":
    """`C=48,operator=xnor` as axis values."""
    found: dict[str, Value] = {}
    for part in text.split(",") if text else ():
        axis, equals, value = (piece.strip() for piece in part.partition("="))
        if not (axis and equals and value) or axis in found:
            raise BadInput(f"--at is a list like C=48,K=64, every axis once; got {text!r}.")
        try:
            found[axis] = float(value)
        except ValueError:
            found[axis] = value
    return found


def _held(where: "Mapping[str, Value]") -> dict[str, float]:
    """Numbers for the plots."""
    held = {axis: value for axis, value in where.items() if not isinstance(value, str)}
    if names := [f"{axis}={value}" for axis, value in where.items() if axis not in held]:
        raise BadInput(f"With --html, --at holds numbers, and all names are drawn; got {', '.join(names)}.")
    return held


def _at(chart: "Chart", where: "Mapping[str, Value]") -> tuple[dict[str, float], str]:
    """The costs at a shape, and how they were had."""
    from gatewright.sim.platforms import rram

    if chart.key in rram.MODELS:
        return rram.exact(chart, **where), "the model itself, not interpolated"
    found = chart.at(**where)
    if chart.holds(**where):
        return found, "a point of the chart, not interpolated"
    return found, f"interpolated between points of the chart; {chart.interpolation or 'how far that is off was not measured'}"


def _summary(chart: "Chart") -> dict[str, object]:
    return {
        "chart": chart.key,
        "title": chart.title,
        "axes": {axis.name: chart.values(axis.name) for axis in chart.axes},
        "costs": {cost.name: cost.origin for cost in chart.costs},
        "points": len(chart.rows),
        "device": chart.provenance.device,
        "date": chart.provenance.date,
    }


def _list(known: "Iterable[Chart]") -> Group:
    from gatewright.sim.platforms.chart import ORIGINS

    table = _empty("chart", "is", "over", "points", "figures", "date")
    for platform, what in PLATFORMS.items():
        mine = [chart for chart in known if chart.platform == platform]
        for chart in mine:
            origins = ", ".join(ORIGINS[origin] for origin in dict.fromkeys(cost.origin for cost in chart.costs))
            axes = ", ".join(axis.name for axis in chart.axes)
            table.add_row(chart.key, chart.title, axes, str(len(chart.rows)), origins, chart.provenance.date)
        if not mine:
            table.add_row(platform, what, "", "0", "not measured here", "")
    return Group(table, "", "gatewright platforms CHART shows one, --at C=48,... its costs at a shape, --html FILE its plots.")


def _table(chart: "Chart", rows: "Iterable[Sequence[Value]]", left_out: Container[str] = ()) -> Table:
    """The first rows, without the columns that `left_out` has."""
    shown = [i for i, column in enumerate(chart.columns) if column.name not in left_out]
    table = _empty(*(chart.columns[i].name for i in shown))
    for row in islice(rows, ROWS):
        table.add_row(*(f"{row[i]:,.5g}" if isinstance(row[i], float) else str(row[i]) for i in shown))
    return table


def _facts(chart: "Chart", rows: "Sequence[Sequence[Value]]", where: "Mapping[str, Value] | None" = None) -> Iterator[str]:
    """What the columns are, and where they are from. `where`: axes whose values were chosen."""
    from gatewright.sim.platforms.chart import ORIGINS

    if (left := len(rows) - ROWS) > 0:
        i, name = next((i, axis.name) for i, axis in enumerate(chart.axes) if axis.name not in (where or {}))
        how = f"{name}={rows[-1][i]} in --at too selects some" if where else f"--at {name}={rows[-1][i]} selects some, also by several axes"
        yield f"{left} more rows: {how}; --json has them all.\n"
    for i, axis in enumerate(chart.axes):
        here = f"; here {', '.join(dict.fromkeys(str(row[i]) for row in rows))}" if axis.name in chart.names else ""
        yield f"{axis.name}: {axis.title}{here}"
    yield from (f"{cost.name}: {cost.title} ({ORIGINS[cost.origin]})" for cost in chart.costs)
    p = chart.provenance
    yield f"\nOn {p.device}. {p.method}. {p.date}, {', '.join(f'{tool} {version}' for tool, version in p.tools.items()) or 'no tools'}."
    yield from p.sources


def _costs(chart: "Chart", found: dict[str, float]) -> Table:
    from gatewright.sim.platforms.chart import ORIGINS

    table = _empty("cost", "value", "is", "origin")
    for cost in chart.costs:
        table.add_row(cost.name, f"{found[cost.name]:,.5g}", cost.title, ORIGINS[cost.origin])
    return table


def _empty(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table
