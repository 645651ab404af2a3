"""Training in the operators' exact arithmetic: `train` for all of it, `Training` for an epoch at a time."""

import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gatewright.hw.errors import BadInput, Missing
from gatewright.sw.augment import augment
from gatewright.sw.checkpoint import Epoch, Recipe, Trained, check_same, load_position, moments, set_moments
from gatewright.sw.data import Dataset, encode
from gatewright.sw.float_network import FloatNetwork
from gatewright.sw.models import Architecture, integers, network
from gatewright.sw.modules import QuantisedNetwork

BEGINNING = 256  # training images that imported weights are quantised by
SETTLING = 2048  # training images whose statistics evaluation uses: enough for means within 2% of a standard deviation


def train(architecture: Architecture, dataset: Dataset, recipe: Recipe, progress: Callable[[Epoch], None] | None = None) -> Trained:
    """Train on the training images; validation images only measure. Same arguments, same network, on one machine's CPU.

    progress: called after every epoch; an exception it raises stops the training and passes through. Raises BadInput where the data
    do not fit the network. Of a network whose integers are given nothing is trained.
    """
    if integers(architecture) is not None:
        check_fit(architecture, dataset)
        return Trained(architecture=architecture, recipe=recipe, dataset=dataset.name, network=network(architecture), history=())
    training = Training(architecture, dataset, recipe)
    while training.left:
        epoch = training.epoch()
        if progress:
            progress(epoch)
    return training.trained


class Training:
    """A network, its optimiser and its random numbers, between two epochs. Training images are codes [N, C, H, W]."""

    def __init__(self, architecture: Architecture, dataset: Dataset, recipe: Recipe) -> None:
        check_fit(architecture, dataset)
        check_trains(architecture)
        self.architecture, self.dataset, self.recipe = architecture, dataset, recipe
        self.device = device_named(recipe.device)
        self.generator = torch.Generator().manual_seed(recipe.seed)
        self.model = network(architecture, recipe.seed)
        operator = self.model.workload.layers[0].operator  # the first layer reads the image
        self.codes = torch.from_numpy(encode(operator, dataset.train.images, dataset.maximum))
        self.labels = torch.from_numpy(dataset.train.labels)
        self.validation = encode(operator, dataset.validation.images, dataset.maximum)
        self.batches = math.ceil(len(self.labels) / recipe.batch)
        if self.model.begin:
            self.model.begin(self.codes[:BEGINNING])
        self.optimiser = torch.optim.Adam(self.model.parameters(), lr=recipe.learning_rate)
        self.history: tuple[Epoch, ...] = ()
        self.seconds = 0.0

    @property
    def left(self) -> int:
        """Epochs still to come."""
        return self.recipe.epochs - len(self.history)

    def epoch(self, advance: Callable[[], None] | None = None) -> Epoch:
        """One pass over the training images, then the integers' accuracy on the validation images. advance: called after every batch."""
        started, step, loss = time.perf_counter(), len(self.history) * self.batches, 0.0
        with deterministic(self.recipe.threads, self.device):
            self.model.to(self.device).train()
            for part in torch.randperm(len(self.labels), generator=self.generator).tensor_split(self.batches):
                for group in self.optimiser.param_groups:
                    group["lr"] = rate(self.recipe, step, self.batches)
                loss += self._step(part) * len(part) / len(self.labels)
                step += 1
                if advance:
                    advance()
            self.model.cpu()  # whose sums are exact
            settle(self.model, self.codes[:SETTLING], self.recipe.batch)
            right = (predict(self.model, self.validation) == self.dataset.validation.labels).mean()
        found = Epoch(epoch=len(self.history) + 1, loss=loss, validation=float(right))
        self.history = (*self.history, found)
        self.seconds += time.perf_counter() - started
        return found

    def _step(self, part: Tensor) -> float:
        """One step down the gradient of a batch, the images numbered `part`; its loss."""
        codes, recipe = self.codes[part], self.recipe
        if recipe.margin or recipe.mirror:
            codes = augment(codes, recipe.margin, recipe.mirror, self.generator)
        codes = codes.to(self.device).float().contiguous(memory_format=torch.channels_last)  # convolves twice as fast
        self.optimiser.zero_grad()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=recipe.precision == "bfloat16"):
            logits = self.model(codes)
        loss = F.cross_entropy(logits.float(), self.labels[part].to(self.device))
        loss.backward()
        self.optimiser.step()
        return loss.item()

    @property
    def trained(self) -> Trained:
        """The network as it is now."""
        return Trained(
            architecture=self.architecture, recipe=self.recipe, dataset=self.dataset.name, network=self.model, history=self.history
        )

    @property
    def position(self) -> dict[str, Tensor]:
        """Everything but the network that the next epoch depends on. The learning rate follows from the epochs done."""
        seconds = torch.tensor(self.seconds, dtype=torch.float64)
        return {"generator": self.generator.get_state(), "seconds": seconds} | moments(self.optimiser)

    def go_on(self, path: Path) -> None:
        """Go on from a file that `save` wrote, to the same end as without a stop. Raises BadInput for another training's file."""
        found, position = load_position(path)
        wanted = {"network": self.architecture, "recipe": self.recipe, "data": self.dataset.name}
        check_same(path, wanted, {"network": found.architecture, "recipe": found.recipe, "data": found.dataset})
        if "generator" not in position:
            raise BadInput(f"{path} holds a trained network without the state that training goes on from.")
        self.model.to(self.device).load_state_dict(found.network.state_dict())  # where it is, an optimiser puts its moments
        self.generator.set_state(position["generator"])
        set_moments(self.optimiser, position)
        self.history, self.seconds = found.history, position["seconds"].item()


def rate(recipe: Recipe, step: int, batches: int) -> float:
    """Learning rate of a step, from 0, with so many in an epoch: a linear rise over the warm-up, then a cosine to zero."""
    rising, total = recipe.warm_up * batches, recipe.epochs * batches
    if step < rising:
        return recipe.learning_rate * (step + 1) / rising
    return recipe.learning_rate * (1 + math.cos(math.pi * (step - rising) / (total - rising))) / 2


def load_parameters(model: QuantisedNetwork | FloatNetwork, parameters: Mapping[str, Tensor]) -> None:
    """Copy into a network all of its parameters, by their names; its statistics stay. RuntimeError: a name is missing or unknown."""
    statistics = {name: value for name, value in model.state_dict().items() if name.rpartition(".")[2].startswith("running_")}
    model.load_state_dict(statistics | dict(parameters))


@torch.no_grad()
def settle(model: QuantisedNetwork | FloatNetwork, codes: Tensor, batch: int) -> None:
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


def device_named(name: str) -> torch.device:
    """The device of a recipe. Raises Missing for a CUDA device that is not there."""
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise Missing('device = "cuda" needs a CUDA device and PyTorch\'s CUDA build, and this PyTorch sees none. Use "cpu" or "auto".')
    return torch.device("cuda" if name == "cuda" or (name == "auto" and there) else "cpu")


def check_fit(architecture: Architecture, dataset: Dataset) -> None:
    """Raises BadInput where the images are not what the network takes."""
    wanted = (architecture.channels, architecture.height, architecture.width)
    if wanted != dataset.shape or architecture.classes < dataset.classes:
        raise BadInput(
            f"{dataset.name} has images of {dataset.shape} (C, H, W) in {dataset.classes} classes; "
            f"the network takes {wanted} in {architecture.classes}."
        )


def check_trains(architecture: Architecture) -> None:
    """Raises BadInput for a network whose integers are given."""
    if integers(architecture) is not None:
        raise BadInput(
            f"{architecture.source} is quantised: its integers are in the file, and there is nothing to train. "
            "`gatewright explore` finds an accelerator for it as it is."
        )


@contextmanager
def deterministic(threads: int, device: torch.device) -> Iterator[None]:
    """Deterministic algorithms on `threads` threads, as before afterwards. CUDA lacks some of them, and warns.

    New memory is not filled first, as PyTorch otherwise does with them: that takes a tenth of the time, and nothing here reads it.
    """
    memory: Any = torch.utils.deterministic  # its types leave the switch out
    filled = memory.fill_uninitialized_memory
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True, warn_only=device.type == "cuda")
    memory.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1])
        memory.fill_uninitialized_memory = filled
