"""`gatewright doctor`: what Gatewright needs and where it is on this machine."""

from collections.abc import Sequence

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from gatewright.cli.common import DONE, MISSING, Json, Output, Quiet, Seed
from gatewright.sim.tools import Tool, inspect


def doctor(as_json: Json = False, seed: Seed = 0, quiet: Quiet = False) -> None:
    """Show every tool and library needed: where it is, its version, what it is for, and how to get what is missing."""
    output = Output(as_json, quiet)
    output.note("Looking for tools and libraries")
    tools = inspect()
    missing = [tool for tool in tools if not tool.found and not tool.optional]
    output.emit({"ok": not missing, "tools": [record(tool) for tool in tools]}, Group(table(tools), summary(missing)))
    raise typer.Exit(MISSING if missing else DONE)


def record(tool: Tool) -> dict[str, object]:
    return {
        "name": tool.name,
        "purpose": tool.purpose,
        "path": tool.path,
        "version": tool.version,
        "optional": tool.optional,
        "remedy": None if tool.found else tool.remedy,
    }


def table(tools: Sequence[Tool]) -> Table:
    """A row for each tool; what is missing shows its remedy in place of its path."""
    rows = Table(box=None, pad_edge=False)
    for heading in ("", "version", "for", "where"):
        rows.add_column(heading, overflow="fold", no_wrap=heading in ("", "version"))
    for tool in tools:
        if tool.found:
            rows.add_row(tool.name, tool.version, tool.purpose, str(tool.path))
        else:
            lack = Text("optional", "yellow") if tool.optional else Text("MISSING", "bold red")
            rows.add_row(tool.name, lack, tool.purpose, tool.remedy)
    return rows


def summary(missing: Sequence[Tool]) -> Text:
    if missing:
        return Text(f"\nMissing: {', '.join(tool.name for tool in missing)}.", "bold red")
    return Text("\nEverything Gatewright needs is here.", "green")
