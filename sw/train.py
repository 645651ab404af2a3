"""Training in the operators' exact arithmetic."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
import torch.nn.functional as F

from gatewright.hw.errors import BadInput
from gatewright.sw.checkpoint import Epoch, Recipe, Trained
from gatewright.sw.data import Dataset, encode
from gatewright.sw.models import Architecture, network
from gatewright.sw.modules import QuantisedNetwork

SETTLING = 2048  # training images whose statistics evaluation uses: enough for means within 2% of a standard deviation


def train(architecture: Architecture, dataset: Dataset, recipe: Recipe, progress: Callable[[Epoch], None] | None = None) -> Trained:
    """Train on the training images; validation images only measure. Same arguments, same network, on one machine.

    progress: called after every epoch; an exception it raises stops the training and passes through. Raises BadInput where the data
    do not fit the network.
    """
    _check_fit(architecture, dataset)
    with _deterministic(recipe.threads):
        generator = torch.Generator().manual_seed(recipe.seed)
        model = network(architecture, recipe.seed)
        codes = torch.from_numpy(encode(architecture.operators[0], dataset.train.images, dataset.maximum))
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
                batch_loss = F.cross_entropy(model(codes[part].float()), labels[part])
                batch_loss.backward()
                optimiser.step()
                schedule.step()
                loss += batch_loss.item() * len(part) / len(labels)
            settle(model, codes[:SETTLING], recipe.batch)
            right = (predict(model, validation) == dataset.validation.labels).mean()
            history.append(Epoch(epoch=index + 1, loss=loss, validation=float(right)))
            if progress:
                progress(history[-1])
    return Trained(architecture=architecture, recipe=recipe, dataset=dataset.name, network=model, history=tuple(history))


@torch.no_grad()
def settle(model: QuantisedNetwork, codes: torch.Tensor, batch: int) -> None:
    """Make the remembered statistics the averages over `codes` with the weights as they are; leaves evaluation mode on."""
    model.train()
    for count, part in enumerate(codes.tensor_split(math.ceil(len(codes) / batch))):
        for layer in model.operator_layers:
            layer.momentum = 1 / (count + 1)
        model(part.float())
    model.eval()


@torch.no_grad()
def predict(model: QuantisedNetwork, codes: np.ndarray, batch: int = 256) -> np.ndarray:
    """The class of each image by the network's integers (evaluation mode), int64 [N]."""
    model.eval()
    parts = torch.from_numpy(codes).float().split(batch)
    return torch.cat([model(part).argmax(dim=1) for part in parts]).numpy()


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
