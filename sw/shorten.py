"""The same weights on shorter streams: the first pass of a network whose streams end early where its decision is already clear."""

import torch

from gatewright.hw.config import Operator
from gatewright.hw.errors import BadInput
from gatewright.sw.checkpoint import Trained
from gatewright.sw.data import Dataset, encode
from gatewright.sw.models import Architecture, network
from gatewright.sw.train import SETTLING, settle


def shorter(architecture: Architecture, divisor: int) -> Architecture:
    """The architecture with all its streams `divisor` times shorter. Raises BadInput where it has none, or one is too short for that."""
    if not any(operator.stream_length for operator in architecture.operators):
        raise BadInput(f"{architecture.name} has no streams to end early; give it stochastic operators.")
    return architecture.replace(operators=tuple(_shorter(operator, divisor) for operator in architecture.operators))


def _shorter(operator: Operator, divisor: int) -> Operator:
    if operator.stream_length is None:
        return operator
    if operator.stream_length % divisor:
        raise BadInput(f"Streams of {operator.name} cannot be {divisor} times shorter: their {operator.stream_length} bits do not divide.")
    return operator.replace(stream_length=operator.stream_length // divisor)


def shortened(trained: Trained, divisor: int, dataset: Dataset, settled: int = SETTLING) -> Trained:
    """A trained network with all its streams `divisor` times shorter: the same weight codes, its normalisation settled on training images.

    settled: how many of them. Raises BadInput as `shorter`.
    """
    architecture = shorter(trained.architecture, divisor)
    model = network(architecture)
    model.load_state_dict(trained.network.state_dict())
    images = dataset.train.images[:settled]
    settle(model, torch.from_numpy(encode(model.workload.layers[0].operator, images, dataset.maximum)), trained.recipe.batch)
    return Trained(architecture=architecture, recipe=trained.recipe, dataset=trained.dataset, network=model, history=trained.history)
