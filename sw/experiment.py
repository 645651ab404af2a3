"""From data to a reported accuracy: training images teach, validation images watch, the test images are read once, at the end."""

import time
from collections.abc import Callable
from pathlib import Path

import torch
from pydantic import Field

from gatewright.hw.errors import BadInput
from gatewright.hw.noun import Noun
from gatewright.sw.accuracy import BATCH, Accuracy, accuracy, wilson
from gatewright.sw.checkpoint import Epoch, Recipe, Trained, save
from gatewright.sw.data import Dataset, load
from gatewright.sw.models import Architecture
from gatewright.sw.train import Training

NETWORK, RECORD = "network.safetensors", "record.json"
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
    """Train and test in `folder`, which gets the network (a checkpoint after every epoch) and at the end the record.

    In a folder that holds an interrupted run of the same experiment it goes on, in one that holds a finished run it returns its record.
    data: the folder of published data sets. Raises BadInput and Missing as `load` and `train` do, and BadInput for another's folder.
    """
    if (done := folder / RECORD).exists():
        record = Record.from_json(done.read_text())
        if record.experiment != experiment:
            raise BadInput(f"{folder} holds a finished run of another experiment. Name a folder of its own.")
        return record
    dataset = load(experiment.dataset, data, experiment.validation)
    folder.mkdir(parents=True, exist_ok=True)
    training = Training(experiment.architecture, dataset, experiment.recipe)
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
    done.write_text(record.to_json(indent=1) + "\n")
    save(training.trained, file)
    return record


def _validation(trained: Trained, dataset: Dataset) -> Accuracy:
    """The last epoch's, with its interval."""
    images = len(dataset.validation)
    return wilson(round(trained.history[-1].validation * images), images)
