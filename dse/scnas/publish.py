"""Reproductions on record: `python -m gatewright.dse.scnas.publish RUN...` keeps finished runs in docs/scnas.json and fills docs/scnas.md.

`--plot FILE.html` draws the fronts of the full plan's result from what is kept.
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

from plotly.subplots import make_subplots

from gatewright.dse.plots import INK
from gatewright.dse.run import Run
from gatewright.dse.scnas.folder import result_of
from gatewright.dse.scnas.front import front_info, front_plot, window
from gatewright.dse.scnas.markdown import tables
from gatewright.dse.scnas.plan import PLANS
from gatewright.dse.scnas.record import read, write
from gatewright.dse.scnas.result import Result
from gatewright.hw.errors import BadInput, GatewrightError
from gatewright.sw.stochastic.measure import publish

DOCS = Path("docs")
RECORD, PAGE = "scnas.json", "scnas.md"


def fill(results: Mapping[str, Result], path: Path) -> None:
    """Put the tables of each plan between its marks in a Markdown page."""
    for name, result in results.items():
        publish([str(path)], tables(result), f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->")


def picture(result: Result) -> str:
    """A page with the fronts, of the logic alone and with memories, side by side: what docs/scnas.png is taken of."""
    figure = make_subplots(1, 2, subplot_titles=("logic alone", "with memories at once their cited cost"), horizontal_spacing=0.08)
    for column, memories in enumerate((0.0, 1.0), start=1):
        info = front_info(result, memories)
        drawn = front_plot(info)
        for trace in drawn.data:
            trace.showlegend = column == 1 and trace.showlegend is not False
            figure.add_trace(trace, row=1, col=column)
        figure.update_xaxes(drawn.layout.xaxis, row=1, col=column, title_text="nJ an image (log scale)")
        figure.update_yaxes(drawn.layout.yaxis, row=1, col=column, title_text="accuracy, %" if column == 1 else "", range=window(info))
    figure.update_layout(
        template="plotly_white",
        font={"color": INK},
        title={
            "text": f"{result.data}: designs by test accuracy and energy (full: on gates, hollow: predicted), faint: estimates",
            "x": 0.5,
            "font": {"size": 16},
        },
        width=1500,
        height=640,
        margin={"t": 120, "l": 70, "r": 20, "b": 60},
        legend={"orientation": "h", "y": 1.06, "yanchor": "bottom", "x": 0},
    )
    page: str = figure.to_html(include_plotlyjs=True, config={"displayModeBar": False})
    return page


def main(arguments: list[str] | None = None) -> int:
    """Keep finished runs, fill the page, draw the picture."""
    parser = argparse.ArgumentParser(prog="python -m gatewright.dse.scnas.publish", description=__doc__)
    parser.add_argument("runs", nargs="*", type=Path, help="finished run folders; the page is filled again without any", metavar="RUN")
    parser.add_argument("--docs", type=Path, default=DOCS, help="folder of the record and the page (default: %(default)s)")
    parser.add_argument(
        "--plot", type=Path, help="draw the fronts of the full plan's result, or the quick one's without it", metavar="FILE.html"
    )
    options = parser.parse_args(arguments)
    if not (page := options.docs / PAGE).is_file():
        raise BadInput(f"{page} is not there: its tables are what is filled. Name the folder of the documentation with --docs.")
    results = read(options.docs / RECORD)
    for folder in options.runs:
        result = result_of(Run(folder))
        results[result.plan.name] = result
    write(results, options.docs / RECORD)
    results = read(options.docs / RECORD)  # the page says what the record says
    fill(results, options.docs / PAGE)
    if options.plot and not results:
        raise BadInput("There is no result to draw yet: name the folder of a finished run.")
    if options.plot:
        options.plot.write_text(picture(next(results[name] for name in reversed(PLANS) if name in results)))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except GatewrightError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_status)
