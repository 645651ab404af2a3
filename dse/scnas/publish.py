"""Reproductions on record: `python -m gatewright.dse.scnas.publish RUN...` keeps finished runs in docs/scnas.json and fills docs/scnas.md.

`--plot FILE.html` draws the fronts of the full plan's result from what is kept.
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

from gatewright.dse.run import Run
from gatewright.dse.scnas.folder import result_of
from gatewright.dse.scnas.front import front_info
from gatewright.dse.scnas.front_plot import front_plot
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
    figure = front_plot(front_info(result), front_info(result, 1.0))
    figure.update_layout(
        title={"text": f"{result.data}: accuracy against energy. n ×: energy over the winner's, more than 1 where the winner takes less"},
        title_x=0.5,
        title_font_size=16,
        width=1500,
        height=640,
        margin={"t": 80, "l": 70, "r": 20, "b": 60},
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
