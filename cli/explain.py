"""`gatewright explain`: where the energy goes, layer by layer, and which measurements each number rests on."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group

from gatewright.cli import explain_text as text
from gatewright.cli.common import Json, Output, Quiet, Seed, accelerator_tables, run_folder
from gatewright.hw.errors import BadInput

if TYPE_CHECKING:
    from gatewright.dse.evaluate import Pricing
    from gatewright.dse.prove import Proof
    from gatewright.sw.schedule import Schedule

Subject = Annotated[
    Path,
    typer.Argument(help="A run folder (or its name under runs/), or TOML with [accelerator] and [network].", metavar="RUN|CONFIG"),
]
Measurements = Annotated[
    Path | None,
    typer.Option("--measurements", help="Explain the model fitted to this file, as `calibrate --out` wrote it.", metavar="FILE"),
]
Layer = Annotated[str | None, typer.Option("--layer", help="Only this layer, by its name or its number from 0.", metavar="L")]


def explain(
    subject: Subject,
    layer: Layer = None,
    measurements: Measurements = None,
    as_json: Json = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Show where the energy of a run's winner (or of a configuration) goes, and what each number rests on."""
    from gatewright.dse.evaluate import mapper
    from gatewright.dse.explain import explain as take_apart

    output = Output(as_json, quiet)
    schedule, pricing, proof = _configured(subject, measurements) if subject.is_file() else _run(subject, measurements)
    chosen = _chosen(schedule, layer)
    output.note("Taking the prediction apart")
    found = take_apart(mapper(pricing).model, schedule, pricing.clock_ns)
    # proofs are per image, explanations per run
    measured = None if proof is None else [{kind: pj * schedule.images for kind, pj in one.measured.items()} for one in proof.layers]
    layers = [part for i in chosen for part in ("", *text.layer(i, found.layers[i], None if measured is None else measured[i]))]
    shown = Group(text.heading(found, proof), *layers, "", text.LEGEND, "", *text.rests(found))
    output.emit({"subject": subject, **found.record(chosen, measured)}, shown)


def _configured(path: Path, measurements: Path | None) -> "tuple[Schedule, Pricing, None]":
    """The program of least predicted energy for a file's accelerator and network."""
    from gatewright.dse.evaluate import Pricing, mapper
    from gatewright.hw.names import accelerator_from
    from gatewright.sim.summary import network_for
    from gatewright.sw.models import workload

    tables = accelerator_tables(path)
    config = accelerator_from(tables, str(path))
    pricing = Pricing(measurements=_name(measurements))
    return mapper(pricing).schedule(workload(network_for(config, tables.get("network"))), config), pricing, None


def _name(measurements: Path | None) -> str | None:
    return None if measurements is None else str(measurements)


def _run(name: Path, measurements: Path | None) -> "tuple[Schedule, Pricing, Proof]":
    """A finished run's winner, and what was measured of it."""
    from gatewright.dse.evaluate import Pricing
    from gatewright.dse.explore import Result
    from gatewright.dse.run import RESULT, Run
    from gatewright.sw.models import workload
    from gatewright.sw.schedule import schedule

    run = Run(run_folder(name))
    result, config = Result(**run.read(RESULT)), run.config
    winner = result.winner
    planned = schedule(workload(winner.architecture), winner.config, winner.mappings, config.search.images)
    chosen = Pricing(
        clock_ns=config.measure.clock_ns,
        technology=config.measure.technology,
        measurements=_name(measurements) or config.measure.measurements,
    )
    return planned, chosen, result.proof


def _chosen(schedule: "Schedule", layer: str | None) -> list[int]:
    names = [part.name for part in schedule.workload.layers]
    if layer is None:
        return list(range(len(names)))
    if layer in names:
        return [names.index(layer)]
    if layer.isdecimal() and int(layer) < len(names):
        return [int(layer)]
    raise BadInput(f"There is no layer {layer!r}; the layers are {', '.join(f'{i} {name}' for i, name in enumerate(names))}.")
