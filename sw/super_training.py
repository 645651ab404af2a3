"""Training of a super-network: `train_super` for all of it, `SuperTraining` for an epoch at a time."""

import hashlib
import json
import math
import random
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from gatewright.hw.errors import BadInput
from gatewright.sw.augment import augment
from gatewright.sw.checkpoint import Recipe, check_same, moments, read, set_moments, write
from gatewright.sw.data import Dataset, Split, stratified
from gatewright.sw.float_network import scaled
from gatewright.sw.models import Architecture
from gatewright.sw.supernet import Span, SuperNetwork
from gatewright.sw.train import check_fit, deterministic, device_named, rate

LOSSES, CHANCE = "losses", "chance"  # keys of an unfinished training's record
WEIGHTS = "weights."  # names of the shared weights in its file
FIRST = 8  # networks that tell one way of drawing them from another

Draw = Callable[[random.Random], Architecture]


def train_super(
    span: Span,
    draw: Draw,
    dataset: Dataset,
    recipe: Recipe,
    sample: int | None = None,
    progress: Callable[[int, float], None] | None = None,
    drawn: int = 2,
    part: Path | None = None,
) -> SuperNetwork:
    """Train all networks of a span together on `sample` training images (None: all). Same arguments, same weights, on one machine's CPU.

    In each step the gradients of `drawn` networks and of the first of them at the span's widths and kernels are added, all of the same
    images (the sandwich rule without its least network; Yu and Huang, arXiv 1903.05134). The greatest one learns the labels; the others
    also, with equal weight, what it makes of the images. progress: told the number of each epoch, from 1, and its mean loss. part: a file
    that is written after every epoch; where it is there, training goes on from it.
    """
    training = SuperTraining(span, draw, dataset, recipe, sample, drawn)
    if part and part.is_file():
        training.go_on(part)
    while training.left:
        loss = training.epoch()
        if part:
            training.save(part)
        if progress:
            progress(len(training.losses), loss)
    return training.network.cpu()


class SuperTraining:
    """Shared weights, their optimiser and everything random, between two epochs; see `train_super`."""

    def __init__(self, span: Span, draw: Draw, dataset: Dataset, recipe: Recipe, sample: int | None = None, drawn: int = 2) -> None:
        first = random.Random(recipe.seed)
        networks = [draw(first) for _ in range(FIRST)]
        check_fit(span.greatest(networks[0]), dataset)
        self.known = {
            "super-network": span.to_json(),
            "recipe": recipe.to_json(),
            "device": device_named(recipe.device).type,
            "data": dataset.name,
            "number of images": str(sample),
            "number of networks a step": str(drawn),
            "choice of networks": hashlib.sha256(" ".join(network.content_hash for network in networks).encode()).hexdigest()[:16],
        }
        self.span, self.draw, self.recipe, self.drawn = span, draw, recipe, drawn
        self.device, self.chance = device_named(recipe.device), random.Random(recipe.seed)
        self.generator, self.noise = torch.Generator().manual_seed(recipe.seed), torch.Generator(self.device).manual_seed(recipe.seed)
        self.network = SuperNetwork(span, recipe.seed).to(self.device)
        part = sampled(dataset.train, sample)
        self.images, self.labels = scaled(part.images, dataset.maximum), torch.from_numpy(part.labels)
        self.batches = math.ceil(len(self.labels) / recipe.batch)
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=recipe.learning_rate)
        self.losses: tuple[float, ...] = ()

    @property
    def left(self) -> int:
        """Epochs still to come."""
        return self.recipe.epochs - len(self.losses)

    def epoch(self) -> float:
        """One pass over the training images; its mean loss."""
        step, total = len(self.losses) * self.batches, 0.0
        self.network.noise = self.noise
        with deterministic(self.recipe.threads, self.device):
            for chosen in torch.randperm(len(self.labels), generator=self.generator).tensor_split(self.batches):
                for group in self.optimiser.param_groups:
                    group["lr"] = rate(self.recipe, step, self.batches)
                for loss in self._step(chosen):
                    total += loss * len(chosen) / len(self.labels) / (self.drawn + 1)
                step += 1
        self.network.noise = None
        self.losses = (*self.losses, total)
        return total

    def _step(self, chosen: Tensor) -> list[float]:
        """One step down the gradients of some networks on a batch, the images numbered `chosen`; each network's loss on the labels."""
        x, recipe, losses = self.images[chosen], self.recipe, []
        if recipe.margin or recipe.mirror:
            x = augment(x, recipe.margin, recipe.mirror, self.generator)
        x, y = x.to(self.device).contiguous(memory_format=torch.channels_last), self.labels[chosen].to(self.device)
        self.optimiser.zero_grad()
        paths, taught = [self.draw(self.chance) for _ in range(max(1, self.drawn))], None
        for path in (self.span.greatest(paths[0]), *paths[: self.drawn]):
            with torch.autocast(self.device.type, torch.bfloat16, enabled=recipe.precision == "bfloat16"):
                logits = self.network(x, path).float()
            loss = F.cross_entropy(logits, y)
            losses.append(loss.item())
            (loss if taught is None else (loss + F.cross_entropy(logits, taught)) / 2).backward()
            taught = logits.detach().softmax(dim=1) if taught is None else taught
        self.optimiser.step()
        return losses

    def save(self, path: Path) -> None:
        """Write everything that the next epoch depends on; whole or not at all. The learning rate follows from the epochs done."""
        record = self.known | {LOSSES: json.dumps(self.losses), CHANCE: json.dumps(self.chance.getstate())}
        weights = {WEIGHTS + name: tensor for name, tensor in self.network.state_dict().items()}
        write(path, record, {"generator": self.generator.get_state(), "noise": self.noise.get_state()} | weights | moments(self.optimiser))

    def go_on(self, path: Path) -> None:
        """Go on from a file that `save` wrote, to the same end as without a stop. Raises BadInput for another training's file."""
        losses, record, tensors = _unfinished(path)
        check_same(path, self.known, record)
        version, state, spare = json.loads(record[CHANCE])
        self.chance.setstate((version, tuple(state), spare))
        self.generator.set_state(tensors["generator"])
        self.noise.set_state(tensors["noise"])
        self.network.load_state_dict({name.removeprefix(WEIGHTS): t for name, t in tensors.items() if name.startswith(WEIGHTS)})
        set_moments(self.optimiser, tensors)
        self.losses = losses


def epochs_done(path: Path) -> int:
    """How many epochs an unfinished training has behind it by its file; none where there is no file."""
    return len(_unfinished(path)[0]) if path.is_file() else 0


def _unfinished(path: Path) -> tuple[tuple[float, ...], dict[str, str], dict[str, Tensor]]:
    """Losses of the epochs done, record and tensors of an unfinished training."""
    record, tensors = read(path)
    if not {LOSSES, CHANCE} <= record.keys():
        raise BadInput(f"{path} is not of an unfinished super-network: its header has no {LOSSES}. Delete it to train from the beginning.")
    return tuple(json.loads(record[LOSSES])), record, tensors


def sampled(split: Split, images: int | None) -> Split:
    """So many images of a split, with the classes in proportion; None, or as many as there are: all."""
    if images is None or images >= len(split):
        return split
    return split.take(stratified(split.labels, (images,))[0])
