"""`gatewright reproduce`: a published system searched, trained and measured, beside the methods it is compared with and its own claims."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from gatewright.cli.common import DONE, FAILED, RUNS, Bars, Json, Output, Quiet, maker, run_folder
from gatewright.hw.errors import BadInput

if TYPE_CHECKING:
    from gatewright.dse.run import Run
    from gatewright.dse.scnas.result import Result
    from gatewright.dse.scnas.tables import Row

System = Annotated[Literal["scnas"], typer.Argument(help="The system: scnas, stochastic-computing networks with their circuits.")]
Quick = Annotated[bool, typer.Option("--quick", help="On handwritten digits, minutes; this is the default.")]
Full = Annotated[bool, typer.Option("--full", help="On CIFAR-10 from the folder that GATEWRIGHT_DATA names, hours.")]
Resume = Annotated[Path | None, typer.Option("--resume", help="Go on with an interrupted run.", metavar="RUN")]
OwnSeed = Annotated[int | None, typer.Option("--seed", min=0, help="Seed of everything random, instead of the plan's.")]


def reproduce(
    system: System,
    quick: Quick = False,
    full: Full = False,
    resume: Resume = None,
    as_json: Json = False,
    seed: OwnSeed = None,
    quiet: Quiet = False,
) -> None:
    """Reproduce a published system: a table of designs, plots, and its claims beside measurements; write a run folder.

    Exits with 1 where a claim of the paper does not hold here, or a result on Verilog differs from the golden model's.
    """
    if quick and full:
        raise BadInput("--quick and --full are two plans: give one of them.")
    wanted = "full" if full else "quick" if quick or not resume else None
    from gatewright.dse.evaluate import Source
    from gatewright.dse.scnas.folder import plan_of
    from gatewright.dse.scnas.report import write
    from gatewright.dse.scnas.reproduce import Reproduction

    output, started = Output(as_json, quiet), time.perf_counter()
    run = _resumed(resume, wanted, seed) if resume else _created(wanted or "quick", seed)
    plan = plan_of(run)
    source = Source(**plan.data.model_dump())
    output.note(f"{'Resuming' if resume else 'Run'} {run.folder}")
    with output.interruptible("what is finished", f"gatewright reproduce {system} --resume {run.folder}"):
        with output.progress() as bars:
            result = Reproduction(run, plan, source, Bars(bars)).run()
        write(run)
    seconds = time.perf_counter() - started
    output.emit(record(run.folder, result, seconds), table(run.folder, result, seconds))
    raise typer.Exit(DONE if passed(result) else FAILED)


def _resumed(folder: Path, plan: str | None, seed: int | None) -> "Run":
    from gatewright.dse.scnas.folder import plan_of, resume

    found = run_folder(folder)
    if (command := maker(found)) != "reproduce":
        raise BadInput(
            f"{found} is a run of `gatewright {command}`, not of a reproduction. Leave out --resume, or name a reproduction's run."
        )
    run = resume(found, plan, seed)
    _data(plan_of(run).data.model_dump())
    return run


def _created(name: str, seed: int | None) -> "Run":
    from gatewright.dse.scnas.folder import create
    from gatewright.dse.scnas.plan import PLANS

    plan = PLANS[name] if seed is None else PLANS[name].seeded(seed)
    _data(plan.data.model_dump())
    return create(RUNS, plan)


def _data(tables: dict[str, Any]) -> None:
    """What is missing or malformed is said before anything is written."""
    from gatewright.dse.evaluate import Source

    Source(**tables).load()


def passed(result: "Result") -> bool:
    """Every claim that the paper makes holds, and whatever ran on Verilog gave what the golden model gives."""
    return all(claim.holds for claim in result.claims if claim.paper is not None) and all(
        d.verified.passed for d in result.designs if d.verified
    )


def record(folder: Path, result: "Result", seconds: float) -> dict[str, Any]:
    """The keys that shared contracts name, and what else a script may want."""
    from gatewright.dse.scnas.tables import rows, search_rows, standings

    designs = rows(result)
    return {
        "run": folder,
        "plan": result.plan.name,
        "seed": result.plan.seed,
        "data": result.data,
        "claims": result.claims,
        "passed": passed(result),
        "winner": designs[result.winner],
        "rows": designs,
        "standings": standings(result),
        "space": result.steps,
        "searches": search_rows(result),
        "phases": result.seconds,
        "provenance": result.provenance,
        "seconds": round(seconds, 1),
    }


def table(folder: Path, result: "Result", seconds: float) -> Group:
    """The designs, the claims beside what was measured, the winner in words, and where everything is."""
    from gatewright.dse.scnas.tables import rows, standing_words, standings, verdict, winner_words
    from gatewright.dse.words import accelerator_words, network_words

    designs, best = rows(result), result.designs[result.winner]
    shown = Table(box=None, pad_edge=False)
    for heading in ("design", "convolutions", "circuits"):
        shown.add_column(heading, overflow="fold")
    for heading in ("test, 95%", "nJ predicted", "on gates", "with memories", "mm2", "cycles"):
        shown.add_column(heading, justify="right", no_wrap=True)
    for row in designs:
        shown.add_row(*_cells(row), style="bold" if row.winner else None)
    claims = Table(box=None, pad_edge=False)
    for heading in ("claim", "paper", "here", ""):
        claims.add_column(heading, justify="left" if heading in ("claim", "") else "right")
    for claim in result.claims:
        claims.add_row(claim.name, claim.claimed, claim.found, verdict(claim) if claim.holds else verdict(claim).upper())
    lines = [
        "",
        f"Winner    {winner_words(designs[result.winner])}",
        f"Network   {network_words(best.architecture)}",
        *([f"Grid      {accelerator_words(best.config)}"] if best.config else []),
        *(f"{'' if i else 'Integers':10}{words}" for i, words in enumerate(standing_words(standings(result)))),
        f"\n{result.data}; seed {result.plan.seed}; {seconds:.0f} s. Report: {folder / 'report.html'}",
    ]
    return Group(shown, Text(), claims, Text("\n".join(lines)))


def _cells(row: "Row") -> tuple[str, ...]:
    """A design's line."""
    known = row.best
    test = row.accuracy
    return (
        row.label,
        row.network,
        row.circuits,
        f"{100 * test.value:.1f}% ({100 * test.low:.1f}..{100 * test.high:.1f})",
        f"{'>= ' if row.bound else ''}{row.predicted.energy_pj / 1e3:,.1f}",
        f"{row.measured.energy_pj / 1e3:,.1f}" if row.measured else "",
        f"{known.with_memories_pj['once'] / 1e3:,.1f}",
        f"{known.area_um2 / 1e6:.3f}",
        f"{known.cycles:,.0f}",
    )
