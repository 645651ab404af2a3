"""`gatewright map`: the mapping of least cost of each layer of a network, certified, on our grid or on a published spatial hierarchy."""

from time import monotonic
from typing import Annotated, Literal

import typer

from gatewright.cli import map_files
from gatewright.cli.common import Json, Output, Quiet, Seed
from gatewright.cli.map_designs import PAD_SECONDS, OnGrid, OnHierarchy, Row
from gatewright.cli.map_text import record, text
from gatewright.hw.errors import BadInput

WorkloadFile = Annotated[str, typer.Argument(help="A TOML file with [[layers]], or a network by name.", metavar="WORKLOAD")]
Accelerator = Annotated[
    str,
    typer.Argument(
        help="A TOML file: [accelerator] is a grid of ours, [[levels]] any hierarchy of memories and arrays. Or a hierarchy by name.",
        metavar="ACCELERATOR",
    ),
]
Goal = Annotated[Literal["edp", "energy", "latency"], typer.Option("--objective", help="What is least.")]
Budget = Annotated[
    float | None,
    typer.Option("--seconds", min=0, help="Time for a layer once a first mapping is found; then the best so far and its gap."),
]
Pad = Annotated[
    bool,
    typer.Option("--pad", help=f"Hierarchies: also pad loops by up to a quarter (imperfect factors); {PAD_SECONDS:g} seconds a layer."),
]
OperatorName = Annotated[str | None, typer.Option("--operator", help="Grids: the operator of all layers; by default the grid's first.")]
Named = Annotated[str | None, typer.Option("--technology", help="Grids: whose energies: ihp130 (default), sky130, asap7.", metavar="NAME")]
Images = Annotated[int, typer.Option("--images", min=1, help="Images that are mapped together.")]


def map(
    workload: WorkloadFile,
    accelerator: Accelerator,
    objective: Goal = "edp",
    seconds: Budget = None,
    pad: Pad = False,
    operator: OperatorName = None,
    technology: Named = None,
    images: Images = 1,
    as_json: Json = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Find the mapping of least energy, latency or energy-delay product for each layer, and prove that there is no better one."""
    output, start = Output(as_json, quiet), monotonic()
    network = map_files.network(workload)
    network = network.replace(layers=tuple(layer.replace(N=layer.N * images) for layer in network.layers))
    design = _design(accelerator, objective, seconds, pad, operator, technology)
    rows: list[Row] = []
    refused = {}
    with output.progress() as bar:
        task = bar.add_task("Mapping layers", total=len(network.layers))
        for layer in network.layers:
            try:
                rows.append(design.row(layer))
            except BadInput as error:
                refused[layer] = str(error)
            bar.advance(task)
    if refused:
        names = ", ".join(layer.name for layer in refused)
        raise BadInput(f"{len(refused)} of {len(network.layers)} layers cannot be mapped: {names}. {design.refusal(refused)}")
    head = {"network": network.name, "design": design.name, "objective": objective, "images": images} | design.basis()
    output.emit(record(head, rows, monotonic() - start), text(head, rows, pad))


def _design(
    name: str, objective: Goal, seconds: float | None, pad: bool, operator: str | None, technology: str | None
) -> OnGrid | OnHierarchy:
    """Raises BadInput for options that the design does not take."""
    from gatewright.dse.spatial.hierarchy import Hierarchy

    design = map_files.design(name)
    if not isinstance(design, Hierarchy):
        if pad:
            raise BadInput("--pad is for hierarchies: tiles of our grid need not divide a layer, so its mappings are padded already.")
        return OnGrid(design, operator, technology or "ihp130", objective, seconds)
    if operator:
        raise BadInput(f"--operator is for grids of ours; {design.name} has multipliers of one price.")
    if technology:
        raise BadInput(f"--technology is for grids of ours; the energies of {design.name} are cited, in its file.")
    return OnHierarchy(design, objective, seconds, pad)
