"""Networks in floating point, and what their weights are worth in circuits: the baselines of stochastic and integer networks.

A floating-point network trains as the only network of a super-network, so that there is one way of training by parts.
"""

from collections.abc import Callable
from pathlib import Path

import torch

from gatewright.hw.errors import BadInput
from gatewright.sw.checkpoint import Recipe, read, write
from gatewright.sw.data import Dataset, encode
from gatewright.sw.float_network import FloatNetwork, float_accuracy
from gatewright.sw.models import Architecture, network
from gatewright.sw.modules import QuantisedNetwork
from gatewright.sw.super_training import train_super
from gatewright.sw.supernet import Span, inherit_float
from gatewright.sw.train import SETTLING, load_parameters, settle

__all__ = ["FloatNetwork", "converted", "float_accuracy", "load", "save", "train_float"]

ARCHITECTURE = "float_architecture"  # key of a file's record


def train_float(
    architecture: Architecture,
    dataset: Dataset,
    recipe: Recipe,
    progress: Callable[[int, float], None] | None = None,
    part: Path | None = None,
) -> FloatNetwork:
    """Train a vgg of floating-point operators in fp32, as `train` trains circuits: same optimiser, rates, draws and normalisation.

    Its statistics are then those of training images. progress: told each epoch's number, from 1, and its mean loss. part: a file from
    which it goes on, as in `train_super`.
    """
    a = architecture
    FloatNetwork(a)  # refuses what is not floating-point
    span = Span(
        **{name: getattr(a, name) for name in ("channels", "height", "width", "classes", "widths", "pool_after")},
        kernels=tuple(kernel for _, kernel, *_ in a.convolutions),
    )
    shared = train_super(span, lambda _: a, dataset, recipe, progress=progress, drawn=0, part=part)
    return inherit_float(shared, a, dataset, SETTLING)


@torch.no_grad()
def converted(trained: FloatNetwork, architecture: Architecture, dataset: Dataset, settled: int) -> QuantisedNetwork:
    """A floating-point network's weights in circuits as they are, without retraining: pure stochastic computing, or plain quantisation.

    Weights are quantised in each operator's steps, which follow their standard deviation, activations in the range that training of the
    operator starts from; gains and biases of normalisation stay. Only its means and variances are taken again, in the circuit's exact
    arithmetic, on `settled` training images. Raises BadInput where the two differ in more than operators.
    """
    mine = trained.architecture
    wanted = mine.replace(operators=architecture.operators, join=architecture.join, activations=architecture.activations)
    if architecture != wanted:
        raise BadInput(f"Weights move between networks that differ in operators alone; {mine.name} and {architecture.name} differ in more.")
    model = network(architecture)
    load_parameters(model, dict(trained.named_parameters()))
    codes = encode(architecture.operators[0], dataset.train.images[:settled], dataset.maximum)
    settle(model, torch.from_numpy(codes), 256)
    return model


def save(trained: FloatNetwork, path: Path) -> None:
    """Write weights and statistics as safetensors, with the architecture in the header; whole or not at all."""
    write(path, {ARCHITECTURE: trained.architecture.to_json()}, trained.state_dict())


def load(path: Path) -> FloatNetwork:
    """Read what `save` wrote, in evaluation mode. Raises BadInput for any other file, and for a damaged one."""
    record, tensors = read(path)
    if ARCHITECTURE not in record:
        raise BadInput(f"{path} is not a floating-point network: its header has no architecture.")
    found = FloatNetwork(Architecture.from_json(record[ARCHITECTURE]))
    found.load_state_dict(tensors)
    return found.eval()
