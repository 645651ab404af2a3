"""`gatewright generate`: Verilog of an accelerator, and with a run its winner's program and memory images.

A run of `gatewright train` has no accelerator: `--accelerator` names one, and its network becomes that accelerator's program, in the
run's folder, where `gatewright verify RUN` finds it.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gatewright.cli.common import RUN_CONFIG, Json, Output, Quiet, Seed, accelerator_tables, run_folder, winner
from gatewright.hw.errors import BadInput

if TYPE_CHECKING:
    from gatewright.sw.integer import IntegerNetwork

Source = Annotated[Path, typer.Argument(help="A run folder, or a TOML file with an [accelerator] table.", metavar="CONFIG|RUN")]
Accelerator = Annotated[
    Path | None,
    typer.Option("--accelerator", help="For a run of `gatewright train`: a TOML file with an [accelerator] table.", metavar="FILE"),
]
Folder = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        help="Where to write; by default generated/NAME, with --accelerator RUN/winner: leave it out to verify.",
        metavar="DIR",
    ),
]


def generate(
    source: Source, accelerator: Accelerator = None, output: Folder = None, as_json: Json = False, seed: Seed = 0, quiet: Quiet = False
) -> None:
    """Write an accelerator's Verilog; of a run also its winner's program, memory image and listing."""
    from gatewright.dse.cost import CostModel
    from gatewright.dse.mapper import Mapper
    from gatewright.hw.names import accelerator_from
    from gatewright.sim.delivery import WINNER, deliver
    from gatewright.sw.program import lower

    out = Output(as_json, quiet)
    if accelerator is not None:
        folder, config = run_folder(source), accelerator_from(accelerator_tables(accelerator), str(accelerator))
        network = _trained(folder)
        out.note("Mapping the trained network")
        program = lower(network, config, Mapper(CostModel.default()).map(network.workload, config))
        output = output or folder / WINNER
    elif source.is_file() and source.name != RUN_CONFIG:
        program, config = None, accelerator_from(accelerator_tables(source), str(source))
    else:
        program = winner(run_folder(source.parent if source.is_file() else source))
        config = program.config
    out.note("Generating Verilog")
    files = deliver(output or Path("generated") / source.stem, config, program)
    text = "\n".join(f"{path}  {path.stat().st_size:,} bytes" for path in files)
    out.emit({"files": files, "accelerator": config}, text)


def _trained(folder: Path) -> "IntegerNetwork":
    """The network of a run of `gatewright train`, in integers."""
    from gatewright.sw.checkpoint import load
    from gatewright.sw.experiment import NETWORK

    file = folder / NETWORK
    if not file.is_file():
        raise BadInput(f"{folder} holds no {NETWORK}: --accelerator takes a run of `gatewright train`. Leave it out for a run of explore.")
    return load(file).export()
