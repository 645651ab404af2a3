"""`gatewright explore`: the main job, from a configuration to a proven accelerator in a run folder."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Group
from rich.progress import Progress, TaskID
from rich.table import Table
from rich.text import Text

from gatewright.cli.common import DONE, FAILED, INTERRUPTED, RUNS, Json, Output, Quiet, parse_toml, read_text, run_folder
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
    from gatewright.dse.config import RunConfig
    from gatewright.dse.cost import CostModel
    from gatewright.dse.evaluate import Source
    from gatewright.dse.explore import Explorer
    from gatewright.dse.prove import technology
    from gatewright.dse.report import write

    output, started = Output(as_json, quiet), time.perf_counter()
    text = read_text(config)
    wanted = RunConfig(**parse_toml(text, str(config)))
    if seed is not None:
        wanted = wanted.replace(search=wanted.search.replace(seed=seed))
    source = Source(**wanted.data.model_dump())
    source.load()  # what is missing or malformed is said before anything is written
    technology(wanted.measure.liberty)
    CostModel.default().check_operators(wanted.operator_choices())
    if wanted.measure.verify_images > (there := len(source.load().test())):
        raise BadInput(f"{config}: [measure] verify_images must be at most {there}, the test images; got {wanted.measure.verify_images}.")
    run = runs.resume(run_folder(resume), wanted) if resume else runs.create(RUNS, wanted, text)
    output.note(f"{'Resuming' if resume else 'Run'} {run.folder}")
    try:
        with output.progress() as bars:
            result = Explorer(run, wanted, source, Bars(bars)).explore()
        write(run)
    except KeyboardInterrupt:
        output.note(f"Interrupted; every finished trial is kept. Go on with: gatewright explore {config} --resume {run.folder}")
        raise typer.Exit(INTERRUPTED) from None
    seconds = time.perf_counter() - started
    output.emit(record(run.folder, result, seconds), table(run.folder, result, seconds))
    raise typer.Exit(DONE if result.passed else FAILED)


class Bars:
    """A progress bar for each phase."""

    def __init__(self, bars: Progress) -> None:
        self.bars = bars
        self.task: TaskID | None = None

    def phase(self, name: str, total: int) -> None:
        self.task = self.bars.add_task(name, total=total)

    def advance(self) -> None:
        if self.task is not None:
            self.bars.advance(self.task)


KEYS = ("accuracy", "energy_pj", "latency_ns", "cycles", "area_um2")


def record(folder: Path, result: "Result", seconds: float) -> dict[str, Any]:
    """The keys that shared contracts name, and what else a script may want."""
    winner, proof = result.winner, result.proof
    return {
        "run": folder,
        "best": costs(proof.predicted, winner.validation.value),
        "measured": costs(proof.measured, winner.test.value),
        "errors": proof.errors,
        "accuracy": {"validation": winner.validation, "test": winner.test},
        "verified": proof.verified,
        "target": {"text": result.target, "met": result.met},
        "network": winner.architecture,
        "accelerator": winner.config,
        "tally": result.tally,
        "trials": sum(n for status, n in result.tally.items() if status != "repeated"),
        "phases": result.seconds,
        "seconds": round(seconds, 1),
    }


def costs(metrics: "Metrics", accuracy: float) -> dict[str, float]:
    return {"accuracy": accuracy} | {name: getattr(metrics, name) for name in KEYS[1:]}


def table(folder: Path, result: "Result", seconds: float) -> Group:
    """The winner in words, predicted beside measured, and where everything is."""
    from gatewright.dse.words import accelerator_words, network_words

    winner, proof = result.winner, result.proof
    v = proof.verified
    rows = Table(box=None, pad_edge=False)
    rows.add_column("")
    for heading in ("predicted", "measured", "error"):
        rows.add_column(heading, justify="right")
    for label, name, unit, scale in (
        ("energy of the logic", "energy_pj", "nJ", 1e-3),
        ("on-chip memories (cited)", "memory_energy_pj", "nJ", 1e-3),
        ("area of the logic", "area_um2", "mm2", 1e-6),
        ("cycles", "cycles", "", 1.0),
        ("latency", "latency_ns", "us", 1e-3),
    ):
        mine, real = getattr(proof.predicted, name), getattr(proof.measured, name)
        digits = 0 if name == "cycles" else 3 if unit == "mm2" else 1
        rows.add_row(label, f"{mine * scale:,.{digits}f} {unit}", f"{real * scale:,.{digits}f} {unit}", f"{100 * (mine / real - 1):+.1f}%")
    simulated = ", ".join(f"{cycles:,}" for cycles in v.cycles_simulated)
    gates = f"{proof.cells:,} gates classify {proof.streams * proof.images} images alike"
    lines = [
        f"Target    {result.target}: {'met' if result.met else 'MISSED'}",
        f"Network   {network_words(winner.architecture)}",
        f"Grid      {accelerator_words(winner.config)}",
        f"Accuracy  {winner.validation} on validation images; test {winner.test}",
        f"RTL       {v.images} test images, {v.mismatches} mismatches; {v.cycles_predicted:,} cycles predicted, {simulated} simulated",
        f"Gates     {gates}, {proof.technology}",
    ]
    tally = ", ".join(f"{n} {status.replace('_', ' ')}" for status, n in result.tally.items())
    tail = f"\n{sum(result.tally.values())} points ({tally}) in {seconds:.0f} s. "
    return Group(Text("\n".join(lines) + "\n"), rows, Text(tail + f"Report: {folder / 'report.html'}"))
