"""`gatewright report`: the page of a run, made again from its records."""

from pathlib import Path
from typing import Annotated

import typer

from gatewright.cli.common import Json, Output, Quiet, Seed, run_folder

Folder = Annotated[Path, typer.Argument(help="A run folder.", metavar="RUN")]


def report(run: Folder, as_json: Json = False, seed: Seed = 0, quiet: Quiet = False) -> None:
    """Write the page of a finished run."""
    from gatewright.dse.report import write
    from gatewright.dse.run import Run

    output = Output(as_json, quiet)
    output.note("Writing the report")
    path = write(Run(run_folder(run)))
    output.emit({"report": path, "bytes": path.stat().st_size}, str(path))
