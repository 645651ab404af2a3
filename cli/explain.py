"""`gatewright explain`: where the energy goes, layer by layer, and which measurements each number rests on."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group

from gatewright.cli import explain_text as text
from gatewright.cli.common import Json, Output, Quiet, Seed, accelerator_tables, explored
from gatewright.hw.errors import BadInput, Missing

if TYPE_CHECKING:
    from gatewright.dse.evaluate import Pricing
    from gatewright.dse.finalists import Finalist
    from gatewright.dse.prove import Proof
    from gatewright.dse.run import Run
    from gatewright.sw.activity import Activity
    from gatewright.sw.schedule import Schedule

Subject = Annotated[
    Path,
    typer.Argument(help="A run folder (or its name under runs/), or TOML with [accelerator] and [network].", metavar="RUN|CONFIG"),
]
Measurements = Annotated[
    Path | None,
    typer.Option("--measurements", help="Explain the model fitted to this file, as `calibrate --out` wrote it.", metavar="FILE"),
]
Layer = Annotated[str | None, typer.Option("--layer", help="This layer in detail, by its name or its number from 0.", metavar="L")]
FEW = 3  # layers: so many are shown in detail without being asked for


@dataclass(frozen=True)
class _Case:
    """What is explained. `activities`: of the trained network, or None; `operands` says which. `clock`: where its period comes from."""

    schedule: "Schedule"
    pricing: "Pricing"
    operands: str
    clock: str
    activities: "Sequence[Activity] | None" = None
    proof: "Proof | None" = None


def explain(
    subject: Subject,
    layer: Layer = None,
    measurements: Measurements = None,
    as_json: Json = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Show where the energy of a run's winner (or of a configuration) goes, and what each number rests on."""
    folder = None if subject.is_file() else explored(subject)  # what is not there is said before the imports, which take seconds
    from gatewright.dse.evaluate import mapper
    from gatewright.dse.explain import explain as take_apart

    output = Output(as_json, quiet)
    case = _configured(subject, measurements) if folder is None else _run(folder, measurements)
    schedule, pricing, proof = case.schedule, case.pricing, case.proof
    chosen = _chosen(schedule, layer)
    output.note("Taking the prediction apart")
    found = take_apart(mapper(pricing).model, schedule, pricing.clock_ns, case.activities)
    # proofs are per image, explanations per run
    measured = None if proof is None else [{kind: pj * schedule.images for kind, pj in one.measured.items()} for one in proof.layers]
    detailed = chosen if layer is not None or len(chosen) <= FEW else []
    layers = [part for i in detailed for part in ("", *text.layer(i, found.layers[i], None if measured is None else measured[i]))]
    rest = (
        ["", text.LEGEND]
        if detailed
        else ["", f"Events and blocks of a layer: --layer, with its name or number from 0 to {len(chosen) - 1}."]
    )
    heading = text.heading(found, proof, case.operands, case.clock)
    shown = Group(heading, "", text.summary(found, measured), *layers, *rest, "", *text.rests(found))
    output.emit({"subject": subject, **found.record(chosen, measured)}, shown)


def _configured(path: Path, measurements: Path | None) -> _Case:
    """The program of least predicted energy for a file's accelerator and network."""
    from gatewright.dse.evaluate import Pricing, mapper
    from gatewright.hw.names import accelerator_from
    from gatewright.sim.summary import network_for
    from gatewright.sw.models import workload

    tables = accelerator_tables(path)
    config = accelerator_from(tables, str(path))
    pricing = Pricing(measurements=_name(measurements))
    schedule = mapper(pricing).schedule(workload(network_for(config, tables.get("network"))), config)
    return _Case(schedule, pricing, "typical ones of measured layers: a configuration has no trained network", "the default")


def _name(measurements: Path | None) -> str | None:
    return None if measurements is None else str(measurements)


def _run(folder: Path, measurements: Path | None) -> _Case:
    """A finished run's winner, and what was measured of it."""
    from gatewright.dse.evaluate import Pricing
    from gatewright.dse.explore import Result
    from gatewright.dse.run import RESULT, Run
    from gatewright.sw.models import workload
    from gatewright.sw.schedule import schedule

    run = Run(folder)
    result, config = Result(**run.read(RESULT)), run.config
    winner = result.winner
    planned = schedule(workload(winner.architecture), winner.config, winner.mappings, config.search.images)
    chosen = Pricing(
        clock_ns=config.measure.clock_ns,
        technology=config.measure.technology,
        measurements=_name(measurements) or config.measure.measurements,
    )
    activities, operands = _moved(run, winner)
    return _Case(planned, chosen, operands, "[measure] clock_ns of the run", activities, result.proof)


def _moved(run: "Run", winner: "Finalist") -> "tuple[Sequence[Activity] | None, str]":
    """How much the operands of a run's trained network move, and in words whose they are; typical ones where a file is gone."""
    from gatewright.dse.evaluate import Source, moved
    from gatewright.dse.run import FINALISTS
    from gatewright.sw import checkpoint
    from gatewright.sw.activity import IMAGES

    path = run / FINALISTS / f"trial-{winner.trial}.safetensors"
    if not path.is_file():
        return None, f"typical ones of measured layers: the run's trained network, {path}, is gone"
    source = Source(**run.config.data.model_dump())
    try:
        images = source.load()
    except Missing as error:
        return None, f"typical ones of measured layers, for the images are not here: {error}"
    network = checkpoint.load(path).export()
    return moved(network, winner.config, images), f"the run's own trained network's, on {IMAGES} training images of {source.dataset}"


def _chosen(schedule: "Schedule", layer: str | None) -> list[int]:
    names = [part.name for part in schedule.workload.layers]
    if layer is None:
        return list(range(len(names)))
    if layer in names:
        return [names.index(layer)]
    if layer.isdecimal() and int(layer) < len(names):
        return [int(layer)]
    raise BadInput(f"There is no layer {layer!r}; the layers are {', '.join(f'{i} {name}' for i, name in enumerate(names))}.")
