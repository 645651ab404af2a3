"""`gatewright explore`: the main job, from a configuration to a proven accelerator in a run folder."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from gatewright.cli.common import DONE, FAILED, RUNS, Bars, Json, Output, Quiet, explored, of_training, parse_toml, read_text
from gatewright.hw.errors import BadInput

if TYPE_CHECKING:
    from gatewright.dse.explore import Result
    from gatewright.sim.metrics import Metrics

Config = Annotated[Path, typer.Argument(help="A TOML file; examples/digits.toml is a commented one.", metavar="CONFIG")]
Resume = Annotated[Path | None, typer.Option("--resume", help="Go on with an interrupted run.", metavar="RUN")]
OwnSeed = Annotated[int | None, typer.Option("--seed", min=0, help="Seed of everything random, instead of the configuration's.")]


def explore(config: Config, resume: Resume = None, as_json: Json = False, seed: OwnSeed = None, quiet: Quiet = False) -> None:
    """Search networks, operators and accelerators; build the winner and prove it; write a run folder with a report."""
    from gatewright.dse import run as runs
    from gatewright.dse import space
    from gatewright.dse.config import RunConfig
    from gatewright.dse.cost import CostModel
    from gatewright.dse.evaluate import Source
    from gatewright.dse.explore import Explorer
    from gatewright.dse.prove import technology
    from gatewright.dse.report import write

    output, started = Output(as_json, quiet), time.perf_counter()
    text = read_text(config)
    if of_training(tables := parse_toml(text, str(config))):
        raise BadInput(
            f"{config} is a training's configuration: [network] family is one network's, which `gatewright train {config}` trains. "
            "A search chooses from [network] families, and needs [accelerator] and [target]; examples/digits.toml is one."
        )
    wanted = RunConfig(**tables)
    if seed is not None:
        wanted = wanted.replace(search=wanted.search.replace(seed=seed))
    source = Source(**wanted.data.model_dump())
    images = source.load()  # what is missing or malformed is said before anything is written
    how = wanted.measure
    process, model = technology(how), CostModel.named(how.technology, how.measurements)
    if how.measurements and model.technology != process.name:
        raise BadInput(
            f"{config}: [measure] measurements = {how.measurements!r} holds measurements of {model.technology}, "
            f"the run is for {process.name}. Name a file that `gatewright calibrate` made for {process.name}."
        )
    model.check_operators(wanted.operator_choices())
    if wanted.measure.verify_images > (there := len(images.test())):
        raise BadInput(f"{config}: [measure] verify_images must be at most {there}, the test images; got {wanted.measure.verify_images}.")
    space.distributions(wanted, images.shape, images.classes)  # a user's own network is read, and whatever is wrong with it said
    run = runs.resume(explored(resume), wanted) if resume else runs.create(RUNS, wanted, text)
    output.note(f"{'Resuming' if resume else 'Run'} {run.folder}")
    with output.interruptible("every finished trial", f"gatewright explore {config} --resume {run.folder}"):
        with output.progress() as bars:
            result = Explorer(run, wanted, source, Bars(bars)).explore()
        write(run)
    seconds = time.perf_counter() - started
    output.emit(record(run.folder, result, seconds), table(run.folder, result, seconds))
    raise typer.Exit(DONE if result.passed else FAILED)


KEYS = ("accuracy", "energy_pj", "latency_ns", "cycles", "area_um2")


def record(folder: Path, result: "Result", seconds: float) -> dict[str, Any]:
    """The keys that shared contracts name, and what else a script may want."""
    from gatewright.sim.metrics import with_memories

    winner, proof = result.winner, result.proof
    both = {"best": proof.predicted, "measured": proof.measured}
    return {
        "run": folder,
        "best": costs(proof.predicted, winner.validation.value),
        "measured": costs(proof.measured, winner.test.value),
        "energy_with_memories_pj": {name: with_memories(m.energy_pj, m.memory_energy_pj) for name, m in both.items()},
        "energy_without_glitches_pj": {name: m.zero_delay_pj for name, m in both.items()},
        "errors": proof.errors,
        "accuracy": {"validation": winner.validation, "test": winner.test},
        "verified": proof.verified,
        "target": {"text": result.target, "met": result.met},
        "technology": proof.technology,
        "memories": proof.memories,
        "network": winner.architecture,
        "accelerator": winner.config,
        "tally": result.tally,
        "trials": sum(n for status, n in result.tally.items() if status != "repeated"),
        "phases": result.seconds,
        "seconds": round(seconds, 1),
    }


def costs(metrics: "Metrics", accuracy: float) -> dict[str, float]:
    """What a design costs, energy and area of the logic alone."""
    return {"accuracy": accuracy} | {name: getattr(metrics, name) for name in KEYS[1:]}


def table(folder: Path, result: "Result", seconds: float) -> Group:
    """The winner in words, predicted beside measured, and where everything is."""
    from gatewright.dse.words import accelerator_words, network_words
    from gatewright.sim.metrics import MEMORY_FACTORS

    winner, proof = result.winner, result.proof
    v = proof.verified
    rows = Table(box=None, pad_edge=False)
    rows.add_column("")
    for heading in ("predicted", "measured", "error"):
        rows.add_column(heading, justify="right")
    p, m = proof.predicted, proof.measured
    claims: list[tuple[str, float | None, float, str, int]] = [("energy of the logic", p.energy_pj / 1e3, m.energy_pj / 1e3, "nJ", 1)]
    if m.zero_delay_pj is not None:
        claims.append(("  without glitches", p.zero_delay_pj and p.zero_delay_pj / 1e3, m.zero_delay_pj / 1e3, "nJ", 1))
    for factor in MEMORY_FACTORS:
        claims.append(
            (f"  with memories at {factor:g} x their cost", p.with_memories(factor) / 1e3, m.with_memories(factor) / 1e3, "nJ", 1)
        )
    claims += [
        ("area of the logic", p.area_um2 / 1e6, m.area_um2 / 1e6, "mm2", 3),
        ("  with memories", (p.area_um2 + p.memory_area_um2) / 1e6, (m.area_um2 + m.memory_area_um2) / 1e6, "mm2", 3),
        ("cycles", p.cycles, m.cycles, "", 0),
        ("latency", p.latency_ns / 1e3, m.latency_ns / 1e3, "us", 1),
    ]
    for label, mine, real, unit, digits in claims:
        predicted, error = ("", "") if mine is None else (f"{mine:,.{digits}f} {unit}", f"{100 * (mine / real - 1):+.1f}%")
        rows.add_row(label, predicted, f"{real:,.{digits}f} {unit}", error)
    simulated = ", ".join(f"{cycles:,}" for cycles in v.cycles_simulated)
    gates = f"{proof.cells:,} gates classify {proof.streams * proof.images} images alike"
    lines = [
        f"Target    {result.target}: {'met' if result.met else 'MISSED'}",
        f"Network   {network_words(winner.architecture)}",
        f"Grid      {accelerator_words(winner.config)}",
        f"Accuracy  {winner.validation} on validation images; test {winner.test}",
        f"RTL       {v.images} test images, {v.mismatches} mismatches; {v.cycles_predicted:,} cycles predicted, {simulated} simulated",
        f"Gates     {gates}, {proof.technology}",
        f"Memories  {proof.memories}",
    ]
    tally = ", ".join(f"{n} {status.replace('_', ' ')}" for status, n in result.tally.items())
    tail = f"\n{sum(result.tally.values())} points ({tally}) in {seconds:.0f} s. "
    return Group(Text("\n".join(lines) + "\n"), rows, Text(tail + f"Report: {folder / 'report.html'}"))
