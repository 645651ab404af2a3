"""The page of a reproduction: one HTML file that needs nothing else, made from the run folder's records alone."""

from itertools import groupby
from pathlib import Path
from typing import Any

from gatewright.dse.claims import Claim
from gatewright.dse.pages import figure, render
from gatewright.dse.run import RECORD, REPORT, Run
from gatewright.dse.scnas import chart as charts
from gatewright.dse.scnas.circuits import circuits
from gatewright.dse.scnas.folder import result_of
from gatewright.dse.scnas.front import front_info
from gatewright.dse.scnas.front_plot import front_plot
from gatewright.dse.scnas.panels import method_plot
from gatewright.dse.scnas.plots import chart_info, chart_plot, contraction_info, contraction_plot
from gatewright.dse.scnas.result import Result
from gatewright.dse.scnas.search_plots import (
    estimates_info,
    estimates_plot,
    progress_info,
    progress_plot,
    skipped_info,
    skipped_plot,
)
from gatewright.dse.scnas.tables import rows, search_rows, standing_words, standings, verdict, winner_words
from gatewright.dse.words import accelerator_words, network_words


def write(run: Run) -> Path:
    """Write the page into the run folder. Raises BadInput if the run has not finished."""
    run.write_text(REPORT, page(run))
    return run / REPORT


def page(run: Run) -> str:
    """The page as text. Same records, same page."""
    return page_of(result_of(run), run.read(RECORD)["started"])


def page_of(result: Result, started: str) -> str:
    """The page of a result."""
    designs, best = rows(result), result.designs[result.winner]
    return render(
        "scnas/report.j2",
        result=result,
        started=started,
        winner=designs[result.winner],
        sentence=winner_words(designs[result.winner]),
        network=network_words(best.architecture),
        accelerator=accelerator_words(best.config) if best.config else None,
        rows=designs,
        searches=search_rows(result),
        standings=standings(result),
        summary=standing_words(standings(result)),
        cards=_cards(result),
        claims=[[*group] for _, group in groupby(result.claims, key=lambda claim: claim.note)],
        met=[claim for claim in result.claims if claim.paper is not None and claim.holds],
        asked=[claim for claim in result.claims if claim.paper is not None],
        verdict=verdict,
        heldout=best.metrics.heldout_error,
        **_figures(result),
    )


def _cards(result: Result) -> list[Claim]:
    """The paper's first claim, and how streams stand against 8-bit integers."""
    measured = [claim for claim in result.claims if claim.measured is not None]
    paper, integers = ([c for c in measured if c.paper is not None], [c for c in measured if "INT8" in c.name])
    return [*paper[:1], *integers[:1]]


def _figures(result: Result) -> dict[str, Any]:
    """Every plot by its name."""
    drawn = {
        "front": front_plot(front_info(result)),
        "memories": front_plot(front_info(result, 1.0)),
        "methods": method_plot(front_info(result)),
        "estimates": estimates_plot(estimates_info(result)),
        "progress": progress_plot(progress_info(result)),
        "contraction": contraction_plot(contraction_info(result)),
        "skipped": skipped_plot(skipped_info(result)),
        "chart": chart_plot(chart_info(charts.load(), circuits())),
    }
    return {"plots": {name: figure(plot, name) for name, plot in drawn.items()}}
