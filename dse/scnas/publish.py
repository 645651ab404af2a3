"""Reproductions on record: `python -m gatewright.dse.scnas.publish RUN...` keeps finished runs in docs/scnas.json and fills docs/scnas.md.

`--plot FILE.html` draws the fronts of the full plan's result from what is kept.
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

from plotly.subplots import make_subplots

from gatewright.dse.calibration_table import table
from gatewright.dse.plots import INK
from gatewright.dse.run import Run
from gatewright.dse.scnas.folder import result_of
from gatewright.dse.scnas.front import front_info, front_plot, window
from gatewright.dse.scnas.plan import PLANS
from gatewright.dse.scnas.record import read, write
from gatewright.dse.scnas.result import Result
from gatewright.dse.scnas.tables import STATUSES, Row, rows, search_rows, standing_words, standings, winner_words
from gatewright.hw.errors import GatewrightError
from gatewright.sw.accuracy import Accuracy
from gatewright.sw.stochastic.measure import publish

DOCS = Path("docs")
RECORD, PAGE = "scnas.json", "scnas.md"


def fill(results: Mapping[str, Result], path: Path) -> None:
    """Put the tables of each plan between its marks in a Markdown page."""
    for name, result in results.items():
        publish([str(path)], tables(result), f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->")


def tables(result: Result) -> str:
    """Everything in Markdown: the winner, claims, designs, streams beside integers, the space, the searches, times."""
    designs = rows(result)
    seconds = ", ".join(f"{name} {value:,.0f} s" for name, value in result.seconds.items())
    provenance = "; ".join(f"{name} {value}" for name, value in result.provenance.items())
    parts = (
        f"{result.data}, seed {result.plan.seed}. {winner_words(designs[result.winner])}.",
        _claims(result),
        "Designs, nJ an image:",
        _designs(designs),
        "Streams beside integers:",
        "\n".join(f"- {line}." for line in standing_words(standings(result))),
        _standings(result),
        "The space:",
        table(("step", "why", "networks"), ((step.name, step.why, f"{step.size:.3g}") for step in result.steps), left=2),
        "The searches:",
        _searches(result),
        f"Times: {seconds}. {provenance}.",
    )
    return "\n\n".join(parts) + "\n"


def _claims(result: Result) -> str:
    headings = ("claim", "how it was taken", "paper", "here", "holds")
    listed = []
    for claim in result.claims:
        paper, here = (f"{value:.3g} {claim.unit}" if value is not None else "" for value in (claim.paper, claim.measured))
        listed.append((claim.name, claim.note, paper, here, "yes" if claim.holds else "no"))
    return table(headings, listed, left=2)


def _designs(designs: tuple[Row, ...]) -> str:
    headings = (
        "design",
        "convolutions",
        "circuits",
        "test accuracy, 95%",
        "predicted",
        "on gates",
        "memories half, once, twice",
        "mm²",
        "cycles",
    )
    listed = []
    for row in designs:
        known = row.best
        listed.append(
            (
                f"**{row.label}**" if row.winner else row.label,
                row.network,
                f"`{row.circuits}`",
                _accuracy(row.accuracy),
                f"{'≥ ' if row.bound else ''}{_nj(row.predicted.energy_pj)}",
                _nj(row.measured.energy_pj) if row.measured else "",
                ", ".join(map(_nj, known.with_memories_pj.values())),
                f"{known.area_um2 / 1e6:.3f}",
                f"{known.cycles:,.0f}",
            )
        )
    return table(headings, listed, left=3)


def _standings(result: Result) -> str:
    headings = (
        "energy",
        "integer design",
        "stream design",
        "test",
        "nJ",
        "test of streams",
        "nJ of streams",
        "streams over integers",
        "rests on",
    )
    listed = []
    for item in standings(result):
        there = item.ratio is not None and item.stochastic_pj is not None and item.stochastic_accuracy is not None
        listed.append(
            (
                item.energy,
                f"{item.integer}: {item.network}",
                f"{item.stochastic}: {item.stochastic_network}" if there else "none is as accurate",
                _accuracy(item.accuracy),
                _nj(item.energy_pj),
                _accuracy(item.stochastic_accuracy) if item.stochastic_accuracy else "",
                _nj(item.stochastic_pj) if item.stochastic_pj is not None else "",
                f"{item.ratio:.2f}" if item.ratio is not None else "",
                "gates" if item.measured else "prediction",
            )
        )
    return table(headings, listed, left=3)


def _searches(result: Result) -> str:
    headings = (
        "search",
        "its space",
        "budget, nJ",
        "points",
        "evaluated",
        "over budget",
        "impossible",
        "repeated",
        "best estimate",
        "seconds",
    )
    return table(
        headings,
        (
            (
                row.label,
                f"{row.space:.3g}",
                _nj(row.budget_pj),
                str(row.points),
                *(str(row.counts[status]) for status in STATUSES),
                f"{100 * row.best:.1f}%" if row.best is not None else "",
                f"{row.seconds:,.0f}",
            )
            for row in search_rows(result)
        ),
    )


def _accuracy(a: Accuracy) -> str:
    return f"{100 * a.value:.1f}% ({100 * a.low:.1f}..{100 * a.high:.1f}, n = {a.n:,})"


def _nj(pj: float) -> str:
    return f"{pj / 1e3:,.1f}"


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
    results = read(options.docs / RECORD)
    for folder in options.runs:
        result = result_of(Run(folder))
        results[result.plan.name] = result
    write(results, options.docs / RECORD)
    results = read(options.docs / RECORD)  # the page says what the record says
    fill(results, options.docs / PAGE)
    if options.plot:
        options.plot.write_text(picture(next(results[name] for name in reversed(PLANS) if name in results)))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except GatewrightError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_status)
