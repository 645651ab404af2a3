"""`gatewright train`: one network trained and tested, in a run folder."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from gatewright.cli.common import (
    RUN_CONFIG,
    RUNS,
    Json,
    Output,
    Quiet,
    maker,
    parse_toml,
    read_text,
    run_folder,
)
from gatewright.hw.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.progress import Progress

    from gatewright.sw.checkpoint import Epoch
    from gatewright.sw.experiment import Experiment, Phase, Record

Config = Annotated[Path, typer.Argument(help="A TOML file; examples/train.toml is a commented one.", metavar="CONFIG")]
Resume = Annotated[Path | None, typer.Option("--resume", help="Go on with an interrupted run.", metavar="RUN")]
OwnSeed = Annotated[int | None, typer.Option("--seed", min=0, help="Seed of everything random, instead of the configuration's.")]
TABLES = ("data", "network", "training")


def train(config: Config, resume: Resume = None, as_json: Json = False, seed: OwnSeed = None, quiet: Quiet = False) -> None:
    """Train a network in its operators' exact arithmetic; the accuracy of its integers on the test images; write a run folder."""
    from gatewright.dse.run import Run, numbered
    from gatewright.sw.experiment import NETWORK, run

    output, text = Output(as_json, quiet), read_text(config)
    experiment, images = experiment_from(parse_toml(text, str(config)), str(config), seed)
    folder = run_folder(resume) if resume else numbered(RUNS, config.stem)
    if resume and (command := maker(folder)) != "train":
        raise BadInput(f"{folder} is a run of `gatewright {command}`, not of a training. Leave out --resume, or name a training's run.")
    if not resume:
        Run(folder).write_text(RUN_CONFIG, text)
    output.note(f"{'Resuming' if resume else 'Run'} {folder}")
    command = f"gatewright train {config}" + ("" if seed is None else f" --seed {seed}")
    with output.interruptible("every finished epoch", f"{command} --resume {folder}"), Run(folder).locked(), output.progress() as bars:
        record = run(experiment, folder, images, _phase(bars), _epoch(bars))
    output.emit({"run": folder, "network": folder / NETWORK, "command": command} | summary(record), text_of(record, folder))


def experiment_from(tables: dict[str, Any], source: str, seed: int | None) -> "tuple[Experiment, str | None]":
    """The experiment of a file's tables, and the folder of its data. The network's shape is that of the images where it is left out."""
    from gatewright.dse.config import Data
    from gatewright.sim.summary import architecture_from
    from gatewright.sw.checkpoint import Recipe
    from gatewright.sw.data import load
    from gatewright.sw.experiment import Experiment
    from gatewright.sw.train import check_fit, check_trains, device_named

    if {"accelerator", "target"} <= {*tables}:
        raise BadInput(f"{source} is a search's configuration, for `gatewright explore {source}`; examples/train.toml is a training's.")
    if unknown := sorted({*tables} - {*TABLES}):
        raise BadInput(f"{source}: {', '.join(unknown)} is not a known table; known are {', '.join(TABLES)}.")
    if wrong := [name for name in tables if not isinstance(tables[name], dict)]:
        raise BadInput(f"{source}: {wrong[0]} must be a table; got {tables[wrong[0]]!r}.")
    if "network" not in tables:
        raise BadInput(f"{source} has no [network] table; it needs one with family and operators, such as 'vgg' and ['int8', 'xnor'].")
    images = Data(**tables.get("data", {}))
    recipe = Recipe(**{"device": "auto", **tables.get("training", {})} | ({} if seed is None else {"seed": seed}))
    dataset = load(images.dataset, images.folder, images.validation)
    channels, height, width = dataset.shape
    network = architecture_from(tables["network"], channels=channels, height=height, width=width, classes=dataset.classes)
    check_fit(network, dataset)  # what cannot run is said before anything is written
    check_trains(network)
    device_named(recipe.device)
    made = Experiment(dataset=images.dataset, validation=images.validation, architecture=network, recipe=recipe)
    return made, images.folder


def _phase(bars: "Progress") -> "Phase":
    """A bar for each phase."""

    def start(name: str, total: int) -> "Callable[[], None]":
        task = bars.add_task(name, total=total)
        return lambda: bars.advance(task)

    return start


def _epoch(bars: "Progress") -> "Callable[[Epoch], None]":
    return lambda epoch: bars.console.print(f"Epoch {epoch.epoch}: loss {epoch.loss:.4f}, validation {100 * epoch.validation:.1f}%")


def summary(record: "Record") -> dict[str, Any]:
    """The keys of --json."""
    made, test = record.experiment, record.test
    return {
        "accuracy": test.value,
        "n": test.n,
        "interval": [test.low, test.high],
        "validation": record.validation,
        "seed": made.recipe.seed,
        "epochs": len(record.history),
        "history": record.history,
        "seconds": record.seconds,
    }


def text_of(record: "Record", folder: Path) -> Table:
    """The result in words."""
    made = record.experiment
    rows = Table(box=None, pad_edge=False, show_header=False)
    for label, words in (
        ("Network", made.architecture.name),
        ("Accuracy", f"{record.test} on the test images of {made.dataset}, in integers"),
        ("Validation", str(record.validation)),
        ("Training", f"{len(record.history)} epochs, seed {made.recipe.seed}, {record.seconds:.0f} s"),
        ("Run", str(folder)),
    ):
        rows.add_row(label, Text(words))
    return rows
