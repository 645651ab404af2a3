"""`gatewright regress`: blocks measured and compared with the committed baseline."""

import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group, RenderableType
from rich.table import Table

from gatewright.cli.common import DONE, FAILED, Json, Output, Quiet, Seed, read_toml
from gatewright.hw.errors import BadInput

if TYPE_CHECKING:
    from gatewright.sim.regress.baseline import Baseline, Row

File = Annotated[Path, typer.Argument(help="TOML with a list of blocks; FILE.baseline.json lies beside it.", metavar="FILE")]
Names = Annotated[list[str] | None, typer.Option("--block", help="Only this block; may be repeated.", metavar="NAME")]
Update = Annotated[bool, typer.Option("--update", help="Measure all blocks and rewrite the baseline.")]
Strict = Annotated[bool, typer.Option("--strict", help="An improvement beyond its tolerance is a failure too.")]
MARKS = {"regressed": "REGRESSED", "improved": "improved: update the baseline", "within": "within tolerance", "same": ""}


def regress(
    file: File,
    block: Names = None,
    update: Update = False,
    strict: Strict = False,
    as_json: Json = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> int:
    """Measure hardware blocks and compare area, LUTs, cycles, energy and clock rate with a committed baseline."""
    from amaranth.hdl import UnusedElaboratable

    from gatewright.sim import tools
    from gatewright.sim.regress.baseline import Baseline, Entry, baseline_path, check, compare
    from gatewright.sim.regress.plan import Plan, naming
    from gatewright.sim.regress.run import TOOLS, measure

    warnings.simplefilter("ignore", UnusedElaboratable)  # a block that cannot be made or elaborated is reported once, and better
    output, started = Output(as_json, quiet), time.monotonic()
    plan, folder, path = Plan.of(read_toml(file), file), file.parent, baseline_path(file)
    chosen = plan.choose(block or [])
    if update and block:
        raise BadInput("--update rewrites the baseline whole: leave out --block.")
    with naming(str(file)):
        technology = plan.cells(folder)
    definitions = {}
    for each in chosen:
        with naming(f"{file}, block {each.name}"):
            definitions[each.name] = plan.definition(each, folder, seed)
    old = _old(path) if update else Baseline.read(path)
    if old is not None and not update:
        check(old, definitions, not block, technology.hash, path)
    entries = {}
    for i, each in enumerate(chosen, 1):
        output.note(f"[{i}/{len(chosen)}] {each.name}")
        with naming(f"{file}, block {each.name}"):
            figures = measure(plan, each, folder, technology, seed)
        entries[each.name] = Entry(definition=definitions[each.name], figures=figures)
    before = old.blocks if old else {}
    rows = [
        row
        for each in chosen
        if each.name in before
        for row in compare(each.name, before[each.name].figures, entries[each.name].figures, plan.tolerances(each))
    ]
    new = Baseline(technology=technology.name, technology_hash=technology.hash, tools=tools.versions(*TOOLS), blocks=entries)
    if update:
        new.write(path)
    counts = {verdict: sum(row.verdict == verdict for row in rows) for verdict in ("regressed", "improved", "within", "same")}
    record = {
        "baseline": path,
        "updated": update,
        "blocks": {name: entry.figures for name, entry in entries.items()},
        "rows": rows,
        **counts,
        "added": sorted(set(entries) - set(before)) if update else [],
        "removed": sorted(set(before) - set(entries)) if update else [],
        "technology": technology.name,
        "technology_hash": technology.hash,
        "tools": new.tools,
        "baseline_tools": old.tools if old else {},
        "seconds": time.monotonic() - started,
    }
    output.emit(record, _text(rows, counts, new, old, path, update))
    failed = counts["regressed"] or (strict and counts["improved"])
    return FAILED if failed and not update else DONE


def _old(path: Path) -> "Baseline | None":
    """The baseline that --update replaces, if there is one that can be read."""
    from gatewright.sim.regress.baseline import Baseline

    try:
        return Baseline.read(path)
    except BadInput:
        return None


def _text(
    rows: Sequence["Row"], counts: dict[str, int], new: "Baseline", old: "Baseline | None", path: Path, update: bool
) -> RenderableType:
    moved = [row for row in rows if row.verdict != "same"]
    lines: list[RenderableType] = []
    if old is not None and old.tools != new.tools:
        changes = [f"{name} {old.tools.get(name)} -> {version}" for name, version in new.tools.items() if old.tools.get(name) != version]
        lines.append(f"The baseline was measured with other tools: {', '.join(changes)}.")
    blocks = f"{len(new.blocks)} block{'s' if len(new.blocks) > 1 else ''}"
    lines.append(
        f"{blocks} in {new.technology}: {counts['same']} figures as before, {counts['within']} moved within tolerance, "
        f"{counts['regressed']} regressed, {counts['improved']} improved."
    )
    if update:
        before = set(old.blocks) if old else set()
        for word, names in (("Added", set(new.blocks) - before), ("Removed", before - set(new.blocks))):
            if names:
                lines.append(f"{word}: {', '.join(sorted(names))}.")
        lines.append(f"Wrote {path}.")
    if moved:
        lines = [_table(moved), "", *lines]
    return Group(*lines)


def _table(rows: Sequence["Row"]) -> Table:
    table = Table(box=None, pad_edge=False)
    for i, heading in enumerate(("block", "figure", "old", "new", "change %", "tolerance %", "verdict")):
        table.add_column(heading, justify="right" if 1 < i < 6 else "left")
    for row in rows:
        change = "" if row.change_percent is None else f"{row.change_percent:+.3g}"
        table.add_row(row.block, row.figure, _number(row.old), _number(row.new), change, f"{row.tolerance_percent:g}", MARKS[row.verdict])
    return table


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:g}"
