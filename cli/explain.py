"""`gatewright explain`: where the energy goes, layer by layer, and which measurements each number rests on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group

from gatewright.cli import explain_text as text
from gatewright.cli.common import Json, Output, Quiet, Seed, accelerator_tables, explored, maker
from gatewright.hw.errors import BadInput, Missing

if TYPE_CHECKING:
    from gatewright.dse.evaluate import Pricing, Source
    from gatewright.dse.scnas.result import Design, Result
    from gatewright.hw.config import AcceleratorConfig
    from gatewright.sim.metrics import Metrics
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
Beside = Annotated[
    str | None,
    typer.Option("--design", help="Of a reproduction, not the winner but the design of this method beside it.", metavar="METHOD"),
]
FEW = 3  # layers: so many are shown in detail without being asked for


@dataclass(frozen=True)
class _Case:
    """What is explained. `activities`: of the trained network, or None; `operands` says which. `clock`: where its period comes from.

    `gates`: where it was measured: in which technology, the metrics, and those predicted then. `layers`: pJ an image by kind of block.
    """

    schedule: "Schedule"
    pricing: "Pricing"
    operands: str
    clock: str
    activities: "Sequence[Activity] | None" = None
    gates: "tuple[str, Metrics, Metrics] | None" = None
    layers: "Sequence[Mapping[str, float]] | None" = None


def explain(
    subject: Subject,
    layer: Layer = None,
    design: Beside = None,
    measurements: Measurements = None,
    as_json: Json = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Show where the energy of a run's winner (or of a configuration) goes, and what each number rests on."""
    folder = None if subject.is_file() else explored(subject, "explore", "reproduce")  # said before the imports, which take seconds
    reproduced = folder is not None and maker(folder) == "reproduce"
    if design is not None and not reproduced:
        raise BadInput(f"--design is for runs of `gatewright reproduce`, which have many designs, and {subject} is none. Leave it out.")
    from gatewright.dse.evaluate import mapper
    from gatewright.dse.explain import explain as take_apart

    output = Output(as_json, quiet)
    if folder is None:
        case = _configured(subject, measurements)
    else:
        case = _reproduction(folder, measurements, design) if reproduced else _run(folder, measurements)
    schedule, pricing = case.schedule, case.pricing
    chosen = _chosen(schedule, layer)
    output.note("Taking the prediction apart")
    found = take_apart(mapper(pricing).model, schedule, pricing.clock_ns, case.activities)
    detailed = chosen if layer is not None or len(chosen) <= FEW else []
    layers = [part for i in detailed for part in ("", *text.layer(i, found.layers[i], None if case.layers is None else case.layers[i]))]
    rest = (
        ["", text.LEGEND]
        if detailed
        else ["", f"Events and blocks of a layer: --layer, with its name or number from 0 to {len(chosen) - 1}."]
    )
    heading = text.heading(found, case.gates, case.operands, case.clock)
    shown = Group(heading, "", text.summary(found, case.layers), *layers, *rest, "", *text.rests(found))
    output.emit({"subject": subject, **found.record(chosen, case.layers)}, shown)


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
    """A finished search's winner, and what was measured of it."""
    from gatewright.dse.evaluate import Pricing, Source
    from gatewright.dse.explore import Result
    from gatewright.dse.run import FINALISTS, RESULT, Run
    from gatewright.sw.models import workload
    from gatewright.sw.schedule import schedule

    run = Run(folder)
    result, config = Result(**run.read(RESULT)), run.config
    winner, proof = result.winner, result.proof
    planned = schedule(workload(winner.architecture), winner.config, winner.mappings, config.search.images)
    chosen = Pricing(
        clock_ns=config.measure.clock_ns,
        technology=config.measure.technology,
        measurements=_name(measurements) or config.measure.measurements,
    )
    trained = run / FINALISTS / f"trial-{winner.trial}.safetensors"
    activities, operands = _moved(trained, winner.config, Source(**config.data.model_dump()))
    gates = None if proof is None else (proof.technology, proof.measured, proof.predicted)
    layers = None if proof is None else [layer.measured for layer in proof.layers]
    return _Case(planned, chosen, operands, "[measure] clock_ns of the run", activities, gates, layers)


def _reproduction(folder: Path, measurements: Path | None, method: str | None) -> _Case:
    """A finished reproduction's winner or the design of a method beside it; gates were measured as a whole."""
    from gatewright.dse.evaluate import Source
    from gatewright.dse.run import Run
    from gatewright.dse.scnas.finalists import file_of
    from gatewright.dse.scnas.folder import result_of
    from gatewright.dse.scnas.price import pricing
    from gatewright.dse.scnas.reproduce import DESIGNS
    from gatewright.sw.models import workload
    from gatewright.sw.schedule import schedule

    result = result_of(Run(folder))
    plan, design = result.plan, _design(result, method)
    if design.config is None:
        raise BadInput(f"{design.label} has no accelerator: floating point is priced as a multiply-add unit. Name a method with circuits.")
    planned = schedule(workload(design.architecture), design.config, design.mappings, plan.images)
    trained = file_of(design.architecture, plan.final, folder / DESIGNS, converted=design.converted)
    activities, operands = _moved(trained, design.config, Source(**plan.data.model_dump()))
    gates = None if design.measured is None else (result.provenance["technology"], design.measured, design.metrics)
    priced = pricing(plan).replace(measurements=_name(measurements))
    return _Case(planned, priced, operands, "the plan's clock_ns", activities, gates)


def _design(result: "Result", method: str | None) -> "Design":
    """The winner, or the design of a method that it is set beside."""
    from gatewright.dse.scnas.comparison import rival

    winner = result.designs[result.winner]
    found = winner if method in (None, winner.method) else rival(result.designs, str(method), winner)
    if found is None:
        there = ", ".join(dict.fromkeys(design.method for design in result.designs))
        raise BadInput(f"The run has no design of a method {method!r}; its methods are {there}.")
    return found


def _moved(trained: Path, config: "AcceleratorConfig", source: "Source") -> "tuple[Sequence[Activity] | None, str]":
    """How much the operands of a run's trained network move, and in words whose they are; typical ones where a file is gone."""
    from gatewright.dse.evaluate import moved
    from gatewright.sw import checkpoint
    from gatewright.sw.activity import IMAGES

    if not trained.is_file():
        return None, f"typical ones of measured layers: the run's trained network, {trained}, is gone"
    try:
        images = source.load()
    except Missing as error:
        return None, f"typical ones of measured layers, for the images are not here: {error}"
    network = checkpoint.load(trained).export()
    return moved(network, config, images), f"the run's own trained network's, on {IMAGES} training images of {source.dataset}"


def _chosen(schedule: "Schedule", layer: str | None) -> list[int]:
    names = [part.name for part in schedule.workload.layers]
    if layer is None:
        return list(range(len(names)))
    if layer in names:
        return [names.index(layer)]
    if layer.isdecimal() and int(layer) < len(names):
        return [int(layer)]
    raise BadInput(f"There is no layer {layer!r}; the layers are {', '.join(f'{i} {name}' for i, name in enumerate(names))}.")
