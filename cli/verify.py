"""`gatewright verify`: a run's winner on its Verilog against the golden model."""

from pathlib import Path
from typing import Annotated, get_args

import typer

from gatewright.cli.common import DONE, FAILED, RUN_CONFIG, Json, Output, Quiet, Seed, read_toml, run_folder, winner
from gatewright.hw.errors import BadInput

Run = Annotated[Path, typer.Argument(help="A run folder, or its name under runs/.")]
Images = Annotated[int, typer.Option("--images", min=1, help="How many test images.")]
EngineName = Annotated[str, typer.Option("--engine", help="verilator (a C++ harness) or cocotb (a host and memory in Python).")]


def verify(
    run: Run, images: Images = 300, engine: EngineName = "verilator", as_json: Json = False, seed: Seed = 0, quiet: Quiet = False
) -> None:
    """Run test images through the winner's Verilog; every logit must equal the golden model's and the cycles the prediction."""
    from gatewright.dse.config import Data
    from gatewright.sim import verification
    from gatewright.sim.delivery import VERILOG, WINNER, check
    from gatewright.sw.data import encode, load

    output = Output(as_json, quiet)
    folder = run_folder(run)
    if (chosen := next((name for name in get_args(verification.Engine) if name == engine), None)) is None:
        raise BadInput(f"--engine must be verilator or cocotb; got {engine!r}.")
    data = Data(**read_toml(folder / RUN_CONFIG).get("data", {}))
    program = winner(folder)
    verilog = folder / WINNER / VERILOG
    if not verilog.is_file():
        raise BadInput(f"{verilog} is missing; `gatewright generate {run} -o {folder / 'winner'}` writes it again.")
    check(folder / WINNER, program)
    dataset = load(data.dataset, data.folder, data.validation)
    test = dataset.test().images
    if images > len(test):
        raise BadInput(f"--images must be at most {len(test)}, the test images of {dataset.name}; got {images}.")
    reader = program.network.workload.maps[0].readers[0]
    codes = encode(program.network.layers[reader].layer.operator, test[:images], dataset.maximum)
    output.note(f"Running {images} test images through {verilog} ({engine})")
    with output.progress() as bar:
        task = bar.add_task("Images", total=images)
        result = verification.verify(program, codes, chosen, verilog.read_text(), lambda done: bar.advance(task, done))
    simulated = result.cycles_simulated[0] if len(result.cycles_simulated) == 1 else list(result.cycles_simulated)
    keys = {"images": result.images, "mismatches": result.mismatches, "cycles_predicted": result.cycles_predicted}
    text = (
        f"{result.images} images, {result.mismatches} mismatches; cycles a run: predicted {result.cycles_predicted}, "
        f"simulated {simulated}; {result.seconds:.1f} s"
    )
    output.emit(keys | {"cycles_simulated": simulated, "engine": engine, "seconds": result.seconds}, text)
    raise typer.Exit(DONE if result.passed else FAILED)
