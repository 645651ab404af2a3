"""`gatewright report`: the page of a run, made again from its records."""

from pathlib import Path
from typing import Annotated

import typer

from gatewright.cli.common import Json, Output, Quiet, Seed, explored, maker, run_folder

Folder = Annotated[Path, typer.Argument(help="A run folder.", metavar="RUN")]


def report(run: Folder, as_json: Json = False, seed: Seed = 0, quiet: Quiet = False) -> None:
    """Write the page of a finished run."""
    folder = run_folder(run)  # what is not there is said before the imports, which take seconds
    if maker(folder) == "reproduce":
        from gatewright.dse.scnas.report import write
    else:
        explored(run)
        from gatewright.dse.report import write
    from gatewright.dse.run import Run

    output = Output(as_json, quiet)
    output.note("Writing the report")
    path = write(Run(folder))
    output.emit({"report": path, "bytes": path.stat().st_size}, str(path))
