"""Training in the operators' exact arithmetic, and accuracy as the integers give it."""

import json
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from gatewright.hw.errors import BadInput
from gatewright.hw.noun import Noun
from gatewright.sw import golden
from gatewright.sw.data import Dataset, Split, encode
from gatewright.sw.integer import IntegerNetwork
from gatewright.sw.models import Architecture, network
from gatewright.sw.modules import QuantisedNetwork, export


class Accuracy(Noun):
    """Part of `n` images classified rightly, with the 95% Wilson score interval `low`..`high`."""

    value: float
    n: int
    low: float
    high: float

    def __str__(self) -> str:
        return f"{100 * self.value:.1f}% (n = {self.n}, 95% interval {100 * self.low:.1f}..{100 * self.high:.1f}%)"


def wilson(right: int, n: int) -> Accuracy:
    """The score interval of `right` successes in `n` (Wilson, J. Am. Stat. Assoc. 22, 1927)."""
    if not 0 <= right <= n or n < 1:
        raise BadInput(f"an accuracy needs 0 <= right <= n and n >= 1; got {right} of {n}.")
    z = 1.959964
    centre = (right + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * math.sqrt(right * (n - right) / n + z * z / 4)
    return Accuracy(value=right / n, n=n, low=max(0.0, centre - half), high=min(1.0, centre + half))


class Epoch(Noun):
    """What one pass over the training images gave: mean loss, and part of the validation images that the integers classify rightly."""

    epoch: int
    loss: float
    validation: float


class Recipe(Noun):
    """How a network is trained: Adam with a cosine from `learning_rate` to zero, `epochs` passes in batches of `batch`."""

    epochs: int = 20
    batch: int = 64
    learning_rate: float = 0.01
    seed: int = 0
    threads: int = 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Trained:
    """A trained network with what made it."""

    architecture: Architecture
    recipe: Recipe
    dataset: str
    network: QuantisedNetwork
    history: tuple[Epoch, ...]

    def export(self) -> IntegerNetwork:
        """The network in integers."""
        return export(self.network)


def train(architecture: Architecture, dataset: Dataset, recipe: Recipe, progress: Callable[[Epoch], None] | None = None) -> Trained:
    """Train on the training images; validation images only measure. Same arguments, same network, on one machine.

    progress: called after every epoch. Raises BadInput where the data do not fit the network.
    """
    _check_fit(architecture, dataset)
    with _deterministic(recipe.threads):
        generator = torch.Generator().manual_seed(recipe.seed)
        model = network(architecture, recipe.seed)
        codes = torch.from_numpy(encode(architecture.operators[0], dataset.train.images, dataset.maximum)).float()
        labels = torch.from_numpy(dataset.train.labels)
        validation = encode(architecture.operators[0], dataset.validation.images, dataset.maximum)
        optimiser = torch.optim.Adam(model.parameters(), lr=recipe.learning_rate)
        batches = math.ceil(len(labels) / recipe.batch)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, recipe.epochs * batches)
        history: list[Epoch] = []
        for index in range(recipe.epochs):
            loss = 0.0
            model.train()
            for part in torch.randperm(len(labels), generator=generator).tensor_split(batches):
                optimiser.zero_grad()
                batch_loss = F.cross_entropy(model(codes[part]), labels[part])
                batch_loss.backward()
                optimiser.step()
                schedule.step()
                loss += batch_loss.item() * len(part) / len(labels)
            settle(model, codes, recipe.batch)
            right = (predict(model, validation) == dataset.validation.labels).mean()
            history.append(Epoch(epoch=index + 1, loss=loss, validation=float(right)))
            if progress:
                progress(history[-1])
    return Trained(architecture=architecture, recipe=recipe, dataset=dataset.name, network=model, history=tuple(history))


@torch.no_grad()
def settle(model: QuantisedNetwork, codes: torch.Tensor, batch: int) -> None:
    """Make the remembered statistics the averages over `codes` with the weights as they are; leaves evaluation mode on."""
    model.train()
    for count, part in enumerate(codes.split(batch)):
        for layer in model.operator_layers:
            layer.momentum = 1 / (count + 1)
        model(part)
    model.eval()


@torch.no_grad()
def predict(model: QuantisedNetwork, codes: np.ndarray, batch: int = 256) -> np.ndarray:
    """The class of each image by the network's integers (evaluation mode), int64 [N]."""
    model.eval()
    parts = torch.from_numpy(codes).float().split(batch)
    return torch.cat([model(part).argmax(dim=1) for part in parts]).numpy()


def accuracy(integers: IntegerNetwork, split: Split, maximum: int) -> Accuracy:
    """Accuracy of the golden model on images, the only kind that is reported."""
    codes = encode(integers.layers[0].layer.operator, split.images, maximum)
    return wilson(int((golden.classify(integers, codes) == split.labels).sum()), len(split))


def save(trained: Trained, path: Path) -> None:
    """Write weights and statistics as safetensors, with what made them as JSON in its header; whole or not at all."""
    record = {
        "architecture": trained.architecture.to_json(),
        "recipe": trained.recipe.to_json(),
        "dataset": trained.dataset,
        "history": json.dumps([epoch.model_dump() for epoch in trained.history]),
    }
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        save_file(dict(trained.network.state_dict()), partial, metadata=record)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def load(path: Path) -> Trained:
    """Read what `save` wrote, in evaluation mode. Raises BadInput for any other file."""
    try:
        with safe_open(path, framework="pt") as file:
            record = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dictionary
        architecture = Architecture.from_json(record["architecture"])
        model = network(architecture)
        model.load_state_dict(state)
        model.eval()
        history = tuple(Epoch(**epoch) for epoch in json.loads(record["history"]))
        recipe, dataset = Recipe.from_json(record["recipe"]), record["dataset"]
    except (SafetensorError, KeyError, RuntimeError, json.JSONDecodeError, OSError) as error:
        raise BadInput(f"{path}: not a network that Gatewright trained ({error}).") from None
    return Trained(architecture=architecture, recipe=recipe, dataset=dataset, network=model, history=history)


def _check_fit(architecture: Architecture, dataset: Dataset) -> None:
    wanted = (architecture.channels, architecture.height, architecture.width)
    if wanted != dataset.shape or architecture.classes < dataset.classes:
        raise BadInput(
            f"{dataset.name} has images of {dataset.shape} (C, H, W) in {dataset.classes} classes; "
            f"the network takes {wanted} in {architecture.classes}."
        )


@contextmanager
def _deterministic(threads: int) -> Iterator[None]:
    """Deterministic algorithms on `threads` threads, as before afterwards."""
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1])
