"""`gatewright operators`: what a product of each operator costs, beside published figures."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group
from rich.table import Table

from gatewright.cli.common import Json, Output, Quiet, Seed
from gatewright.hw.errors import BadInput

Technologies = Annotated[
    list[str] | None, typer.Option("--technology", help="Only this technology; may be repeated: ihp130, sky130, asap7.", metavar="NAME")
]
Measure = Annotated[bool, typer.Option("--measure", help="Measure again, in place of the figures that come with Gatewright.")]
Out = Annotated[Path | None, typer.Option("--out", help="With --measure: write the figures here.", metavar="FILE")]
Markdown = Annotated[bool, typer.Option("--markdown", help="All tables as text, as docs/operators.md has them.")]


def operators(
    technology: Technologies = None,
    measure: Measure = False,
    out: Out = None,
    markdown: Markdown = False,
    as_json: Json = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Show every operator's area, energy per product and clock rate in each technology, beside published figures."""
    from gatewright.sim.files import check
    from gatewright.sim.operators.cost import load, measure_all, save
    from gatewright.sim.operators.published import compare, published
    from gatewright.sim.operators.table import SHARING, costs_table, document
    from gatewright.sim.technology import EMBEDDED, technology_named

    output, names = Output(as_json, quiet), technology or EMBEDDED
    for name in names:
        technology_named(name)  # says what is wrong with it, before minutes of work
    if out is not None and not measure:
        raise BadInput("--out writes what --measure finds: give both.")
    if out is not None:
        check(out)
    provenance, costs = measure_all(names, output.note, seed) if measure else load()
    if out is not None:
        save(out, provenance, costs)
    costs = [cost for cost in costs if cost.technology in names]
    figures = published()
    head, rows = costs_table(costs, figures)
    table = Table(box=None, pad_edge=False)
    for i, heading in enumerate(head):
        table.add_column(heading, justify="right" if i else "left")
    for row in rows:
        table.add_row(*row)
    note = (
        f"Area of a lane and energy of a product in an element whose edges serve {SHARING} elements. Ratios are of the element alone; "
        "stochastic ones with its generators, shared as in the cited figure. Sources: gatewright operators --markdown."
    )
    record = {"provenance": provenance, "costs": costs, "comparisons": compare(costs, figures), "note": note}
    output.emit(record, document(costs, figures) if markdown else Group(table, "", note))
