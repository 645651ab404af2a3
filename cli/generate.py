"""`gatewright generate`: Verilog of an accelerator, and with a run its winner's program and memory images."""

from pathlib import Path
from typing import Annotated

import typer

from gatewright.cli.common import RUN_CONFIG, Json, Output, Quiet, Seed, accelerator_tables, run_folder

Source = Annotated[Path, typer.Argument(help="A run folder, or a TOML file with an [accelerator] table.", metavar="CONFIG|RUN")]
Folder = Annotated[Path | None, typer.Option("--output", "-o", help="Where to write; by default generated/NAME.", metavar="DIR")]


def generate(source: Source, output: Folder = None, as_json: Json = False, seed: Seed = 0, quiet: Quiet = False) -> None:
    """Write an accelerator's Verilog; of a run also its winner's program, memory image and listing."""
    from gatewright.hw.names import accelerator_from
    from gatewright.sim.delivery import deliver
    from gatewright.sw.program import Program

    out = Output(as_json, quiet)
    out.note("Generating Verilog")
    if source.is_file() and source.name != RUN_CONFIG:
        program, config = None, accelerator_from(accelerator_tables(source), str(source))
    else:
        program = Program.load(run_folder(source.parent if source.is_file() else source) / "winner" / "program.safetensors")
        config = program.config
    files = deliver(output or Path("generated") / source.stem, config, program)
    text = "\n".join(f"{path}  {path.stat().st_size:,} bytes" for path in files)
    out.emit({"files": files, "accelerator": config}, text)
