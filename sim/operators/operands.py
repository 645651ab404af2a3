"""Operands of a trained network: what the processing element of its second layer multiplies, word after word.

The network is two convolutions of 64 channels and a fully connected layer, trained on the digits in the operator itself. A stream is one
training image; it computes some outputs of the second convolution, each in a row: kernel rows, kernel columns, channel words.
"""

from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray

from gatewright.hw.config import Operator, integer
from gatewright.sim.probe import trained
from gatewright.sw.checkpoint import Recipe, Trained
from gatewright.sw.data import encode, load
from gatewright.sw.golden import run_layer
from gatewright.sw.models import Architecture
from gatewright.sw.modules import OperatorConv2d
from gatewright.sw.operators import arithmetic
from gatewright.sw.operators.float import floats

CHANNELS = 64  # as many as the narrowest operator has lanes: every lane is in use
STREAMS = 64
CYCLES = 512  # at least, of each stream
OUTPUTS = 2  # at least, of each stream
EPOCHS = 3

Words = NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class Operands:
    """Words [outputs, words of one sum, streams], and the sums they must give [outputs, streams]; float: bits, else integers."""

    activations: Words
    weights: Words
    sums: NDArray[np.int64]
    network: str


def network(operator: Operator, epochs: int = EPOCHS) -> Trained:
    """The network in an operator; cached."""
    architecture = Architecture(
        family="vgg", channels=1, height=8, width=8, widths=(CHANNELS, CHANNELS), operators=(operator,) * 3, pool_after=(0,)
    )
    return trained(architecture, Recipe(epochs=epochs))


def operands(operator: Operator, operand_bits: int, seed: int = 0) -> Operands:
    """What one element of `operand_bits` is given. Float operands are the values in the network of 8-bit integers, before rounding."""
    return _floats(operator, seed) if operator.kind == "float" else _integers(operator, operand_bits, seed)


def _images(operator: Operator) -> np.ndarray:
    data = load("digits")
    return encode(operator, data.train.take(slice(0, STREAMS)).images, data.maximum)


def _integers(operator: Operator, operand_bits: int, seed: int) -> Operands:
    made = network(operator)
    first, second = made.export().layers[:2]
    return drawn(operator, run_layer(first, _images(operator)), second.weights, operand_bits, made.architecture.name, seed)


def drawn(operator: Operator, codes: np.ndarray, weights: np.ndarray, operand_bits: int, name: str, seed: int = 0) -> Operands:
    """Some outputs of a 3 x 3 layer of `CHANNELS` channels, for an element: codes [STREAMS, C, H, W] and [K, C, 3, 3] of a network."""
    rules, lanes = arithmetic(operator), operand_bits // operator.width
    patches = _patches(rules.pack_activations(codes))  # zero bits outside the map
    places, channels = _choose(patches, len(weights), 9 * CHANNELS // lanes * operator.steps, seed)
    a = _words(_picked(patches, places), lanes, operator.width)
    w = _words(rules.pack_weights(weights).transpose(0, 2, 3, 1)[channels], lanes, operator.weight_width)
    sums = rules.accumulate(codes, weights, padding=1)  # [N, K, P, Q]
    sums = sums.reshape(STREAMS, len(weights), -1)[np.arange(STREAMS), channels, places]
    return Operands(a, w, sums, name)


def unrounded(made: Trained) -> tuple[np.ndarray, np.ndarray]:
    """What the second layer of the 8-bit integers' network multiplies, float: activations [STREAMS, C, H, W], in their codes' unit, and
    weights [K, C, 3, 3]."""
    first, second = (cast(OperatorConv2d, layer) for layer in made.network.layers[:2])
    with torch.no_grad():
        sums = first.accumulate(torch.from_numpy(_images(integer(8))).float())
        scale, mean, beta = (part.reshape(1, -1, 1, 1) for part in first.normalisation(first.running_mean, first.running_variance))
        values = torch.nn.functional.max_pool2d(((sums - mean) * scale + beta).relu(), 2)
    return values.numpy(), second.weight.detach().numpy()


def _floats(operator: Operator, seed: int) -> Operands:
    made, form = network(integer(8)), floats(operator)
    values, latent = unrounded(made)
    patches, weights = _patches(form.encode(values)), form.encode(latent)
    places, channels = _choose(patches, len(weights), 9 * CHANNELS, seed)
    a = _words(_picked(patches, places), 1, operator.width)
    w = _words(weights.transpose(0, 2, 3, 1)[channels], 1, operator.width)
    totals = np.stack([form.accumulate(x, y) for x, y in zip(a, w, strict=True)])
    return Operands(a, w, totals.astype(np.int64), made.architecture.name)


def _patches(codes: np.ndarray) -> np.ndarray:
    """Activations [N, C, H, W] under a 3 x 3 kernel with padding 1: [N, places, 3, 3, C]."""
    padded = np.pad(codes, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3)).transpose(0, 2, 3, 4, 5, 1)
    return windows.reshape(len(codes), -1, *windows.shape[3:])


def _choose(patches: np.ndarray, channels: int, cycles: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Which outputs each stream computes: place and channel, [outputs, streams] each. `cycles` are those of one output."""
    rng = np.random.default_rng(seed)
    shape = max(OUTPUTS, -(-CYCLES // cycles)), STREAMS
    return rng.integers(0, patches.shape[1], shape), rng.integers(0, channels, shape)


def _picked(patches: np.ndarray, places: np.ndarray) -> np.ndarray:
    return patches[np.arange(STREAMS), places]


def _words(values: np.ndarray, lanes: int, width: int) -> Words:
    """Lane contents [outputs, streams, 3, 3, C] as words [outputs, words, streams]."""
    outputs, streams = values.shape[:2]
    by_lane = values.astype(np.uint64).reshape(outputs, streams, -1, lanes)
    words = (by_lane << (np.arange(lanes, dtype=np.uint64) * np.uint64(width))).sum(axis=-1, dtype=np.uint64)
    return np.ascontiguousarray(words.transpose(0, 2, 1))
