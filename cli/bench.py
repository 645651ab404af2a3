"""`gatewright bench`: the project's own benchmarks, side by side in one run."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group
from rich.table import Table

from gatewright.cli.common import Json, Output, Quiet, Seed
from gatewright.dse.bench import BENCHMARKS, check

if TYPE_CHECKING:
    from gatewright.dse.bench.base import Outcome

Name = Annotated[str | None, typer.Argument(help=f"One of {', '.join(BENCHMARKS)}; all of them if left out.", metavar="NAME")]
Tiny = Annotated[bool, typer.Option("--tiny", help="The least work that runs every side: rates mean nothing, results are compared.")]
BUSY = "The machine was busy (load {load} before, {after} after, {cores} cores): rates are too low, ratios rough."
NOTE = (
    "A rate is the median over the rounds, its spread their range. Sides take turns; a ratio is the median of the rounds' ratios, "
    "above 1 where the row does better than the other one. Simulators are compiled before, and not counted."
)


def bench(name: Name = None, tiny: Tiny = False, as_json: Json = False, seed: Seed = 0, quiet: Quiet = False) -> None:
    """Time what Gatewright claims to be fast, against another way of doing the same work in the same run."""
    from dataclasses import asdict

    if name:
        check(name)  # before the imports, which take seconds
    from gatewright.dse.bench import named
    from gatewright.dse.bench.base import machine

    output = Output(as_json, quiet)
    chosen = [named(one) for one in ([name] if name else BENCHMARKS)]
    before, outcomes = machine(), []
    for benchmark in chosen:
        output.note(benchmark.title)
        outcomes.append(benchmark(tiny))
    after = machine()["load"]
    record = {"machine": before, "load_after": after, "benchmarks": [asdict(outcome) for outcome in outcomes]}
    lines = [f"{before['processor']}, {before['cores']} cores, load {before['load'][0]}; {before['system']}"]
    lines.append(", ".join(f"{tool} {version}" for tool, version in before["versions"].items()))
    if max(before["load"][0], after[0] - 1) > before["cores"]:
        lines.append(BUSY.format(load=before["load"][0], cores=before["cores"], after=after[0]))
    output.emit(record, Group("\n".join(lines), *(part for outcome in outcomes for part in ("", *_text(outcome))), "", NOTE))


def _text(outcome: "Outcome") -> list[str | Table]:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for i, heading in enumerate((f"  {outcome.name}", "", "", "spread", "rounds", "ratio", "to")):
        table.add_column(heading, justify="left" if i in (0, 2, 6) else "right")
    for row in (row for row in outcome.rows if row.origin != "goal"):
        spread = (f"{row.spread:.0%}", str(row.rounds)) if row.rounds > 1 else ("", "")
        ratio = (f"{row.ratio:.3g}", row.baseline or "") if row.ratio is not None else ("", "")
        table.add_row(f"  {row.name}", number(row.value), row.unit, *spread, *ratio)
    goals = [
        f"  Goal: {number(row.value)} {row.unit} ({row.name}); {row.baseline}: {1 / row.ratio:.2f} times that."
        for row in outcome.rows
        if row.origin == "goal" and row.ratio is not None
    ]
    return [f"{outcome.title} ({outcome.seconds:.0f} s)", table, *goals, f"  Same results: {outcome.same}."]


def number(value: float) -> str:
    """Three digits, with thousands as k, M, G."""
    for limit, letter in ((1e9, " G"), (1e6, " M"), (1e4, " k")):
        if value >= limit:
            return f"{value / {' G': 1e9, ' M': 1e6, ' k': 1e3}[letter]:.3g}{letter}"
    return f"{value:.3g}" if value < 100 else f"{value:,.0f}"
