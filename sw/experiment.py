"""From data to a reported accuracy: training images teach, validation images watch, the test images are read once, at the end."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from pydantic import Field

from gatewright.hw.errors import BadInput
from gatewright.hw.noun import Noun
from gatewright.sw.accuracy import BATCH, Accuracy, accuracy, wilson
from gatewright.sw.checkpoint import Epoch, Recipe, Trained, save, whole
from gatewright.sw.data import Dataset, load
from gatewright.sw.models import Architecture
from gatewright.sw.train import Training

EXPERIMENT, NETWORK, RECORD = "experiment.json", "network.safetensors", "record.json"
TABLES = {"architecture": "network", "recipe": "training"}  # of a configuration file; what is in none of them is in [data]
AFRESH = "Train in a folder of its own (`gatewright train`: leave out --resume)."
Phase = Callable[[str, int], Callable[[], None]]
"""Told a phase's name and how many steps it has; gives what is called after each step."""


class Experiment(Noun):
    """What is trained, on what, how. `validation`: how many training images of a published set are set aside."""

    dataset: str = "digits"
    validation: int = Field(default=5000, ge=1)
    architecture: Architecture
    recipe: Recipe = Recipe()


class Record(Noun):
    """What an experiment gave. Accuracies are those of the network's integers; `seconds` are those of training and testing."""

    experiment: Experiment
    validation: Accuracy
    test: Accuracy
    history: tuple[Epoch, ...]
    seconds: float
    torch: str


def run(
    experiment: Experiment,
    folder: Path,
    data: str | Path | None = None,
    phase: Phase | None = None,
    progress: Callable[[Epoch], None] | None = None,
) -> Record:
    """Train and test in `folder`, which gets the experiment, the network (a checkpoint after every epoch) and at the end the record.

    In a folder that holds an interrupted run of the same experiment it goes on, in one that holds a finished run it returns its record.
    data: the folder of published data sets. Raises BadInput and Missing as `load` and `train` do, and BadInput for another's folder.
    """
    if (done := folder / RECORD).exists():
        record = Record.from_json(done.read_text())
        _same(record.experiment, experiment, folder)
        return record
    if (begun := folder / EXPERIMENT).exists():
        _same(Experiment.from_json(begun.read_text()), experiment, folder)
    elif (file := folder / NETWORK).exists():
        raise BadInput(f"{file} has no {EXPERIMENT} beside it, which says how its training began: it cannot go on. {AFRESH}")
    dataset = load(experiment.dataset, data, experiment.validation)
    training = Training(experiment.architecture, dataset, experiment.recipe)
    folder.mkdir(parents=True, exist_ok=True)
    whole(begun, (experiment.to_json(indent=1) + "\n").encode())
    if (file := folder / NETWORK).exists():
        training.go_on(file)
    step = phase("Training", training.left * training.batches) if phase else None
    while training.left:
        epoch = training.epoch(step)
        save(training.trained, file, training.position)
        if progress:
            progress(epoch)
    started, test = time.perf_counter(), dataset.test()
    step = phase("Testing", -(-len(test) // BATCH)) if phase else None
    record = Record(
        experiment=experiment,
        validation=_validation(training.trained, dataset),
        test=accuracy(training.trained.export(), test, dataset.maximum, step),
        history=training.history,
        seconds=round(training.seconds + time.perf_counter() - started, 1),
        torch=torch.__version__.partition("+")[0],
    )
    whole(done, (record.to_json(indent=1) + "\n").encode())
    save(training.trained, file)
    return record


def _same(begun: Experiment, wanted: Experiment, folder: Path) -> None:
    """Raises BadInput that names the first key of the configuration in which two experiments differ."""
    there, here = _keys(begun), _keys(wanted)
    for key in there:
        if there[key] != here[key]:
            raise BadInput(f"{folder} is a training with {key} = {there[key]}, and now it is {here[key]}: it goes on as it began. {AFRESH}")


def _keys(experiment: Experiment) -> dict[str, str]:
    """The values of a configuration's keys, as `[training] epochs`; operators by name."""
    found = {}
    for name, value in experiment:
        for key, field in value if isinstance(value, Noun) else ((name, value),):
            found[f"[{TABLES.get(name, 'data')}] {key}"] = json.dumps(field, default=_plain)
    return found


def _plain(value: Any) -> Any:
    """JSON of an operator: its name says all of it."""
    return value.name


def _validation(trained: Trained, dataset: Dataset) -> Accuracy:
    """The last epoch's, with its interval."""
    images = len(dataset.validation)
    return wilson(round(trained.history[-1].validation * images), images)
