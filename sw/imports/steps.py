"""What one integer code of each feature map stands for: the step that the float network's values on sample images lose least by."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from gatewright.sw.imports.lower import FloatLayer
from gatewright.sw.layers import Layer, Workload
from gatewright.sw.modules import OperatorConv2d, QuantisedNetwork

FRACTIONS = torch.linspace(1.0, 0.2, 33)  # of the greatest magnitude, that the greatest code may stand for
SAMPLE = 20_000  # values of a layer that its step is chosen by


@dataclass(frozen=True)
class Result:
    """What a layer gives in floating point, [N, K, P, Q] before the clamp and after it, and pooled."""

    before: Tensor
    clamped: Tensor
    pooled: Tensor


def read(work: Workload, i: int, maps: dict[int, Tensor]) -> Tensor:
    """What layer i takes of the maps so far, [N, C, H, W]."""
    joined = torch.cat([maps[k] for k in work.sources(i)], dim=1)
    return joined[:, list(work.layers[i].gather)] if work.layers[i].gather else joined


def write(work: Workload, i: int, maps: dict[int, Tensor], given: Tensor) -> None:
    """Add layer i's channels to its map."""
    target = work.target(i)
    maps[target] = torch.cat([maps[target], given], dim=1) if target in maps else given


def float_results(work: Workload, floats: Sequence[FloatLayer], images: Tensor) -> list[Result]:
    """Every layer's result in floating point on images [N, C, H, W]."""
    maps: dict[int, Tensor] = {0: images}
    results = []
    for i, (layer, numbers) in enumerate(zip(work.layers, floats, strict=True)):
        weight, bias = numbers.weight.to(images), numbers.bias.to(images)
        y = F.conv2d(read(work, i, maps), weight, bias, layer.stride, layer.padding, groups=layer.groups)
        clamped = pooled = y.clamp(numbers.low, numbers.limit)
        if layer.pooling:
            pooled = (F.max_pool2d if layer.pooling == "max" else F.avg_pool2d)(clamped, layer.pool_window, layer.pool_stride)
        results.append(Result(y, clamped, pooled))
        write(work, i, maps, pooled)
    return results


def pooled_part(layer: Layer) -> float:
    """What pooled codes must be multiplied by to be averages of codes: the accelerator divides by a power of two."""
    size = layer.pool_window**2
    return size / (1 << (size - 1).bit_length()) if layer.pooling == "average" else 1.0


class _Ties:
    """Maps whose steps have a fixed ratio: a union-find with ratios to the root."""

    def __init__(self, maps: int) -> None:
        self.parents = list(range(maps))
        self.ratios = [1.0] * maps

    def root(self, k: int) -> tuple[int, float]:
        """Root of a map, and its step in steps of the root."""
        ratio = 1.0
        while self.parents[k] != k:
            ratio *= self.ratios[k]
            k = self.parents[k]
        return k, ratio

    def tie(self, a: int, b: int, ratio: float) -> None:
        """The step of b is `ratio` times that of a."""
        (root_a, of_a), (root_b, of_b) = self.root(a), self.root(b)
        if root_a != root_b:
            first, second, link = (root_a, root_b, of_a * ratio / of_b) if root_a < root_b else (root_b, root_a, of_b / (of_a * ratio))
            self.parents[second], self.ratios[second] = first, link


def steps_of(network: QuantisedNetwork, results: Sequence[Result]) -> list[float]:
    """The step of every map of the workload; 1 for one-bit codes and logits.

    Maps that one layer reads have one step, and so have the two sides of a layer that hands codes on.
    """
    work, layers = network.workload, network.operator_layers
    ties = _Ties(len(work.maps))
    for i, layer in enumerate(layers):
        first, *others = work.sources(i)
        for other in others:
            ties.tie(first, other, 1.0)
        if layer.handed is not None and layer.mode == "requantise":
            ties.tie(first, work.target(i), 1 / (layer.handed * pooled_part(layer.layer)))
    chosen: dict[int, float] = {0: 1 / layers[work.maps[0].readers[0]].layer.operator.activation_range[1]}
    members: dict[int, list[tuple[OperatorConv2d, Tensor, float]]] = {}
    for i, layer in enumerate(layers):
        if layer.mode == "requantise" and layer.handed is None:
            root, ratio = ties.root(work.target(i))
            members.setdefault(root, []).append((layer, _sample(results[i].clamped), ratio * pooled_part(layer.layer)))
    steps = []
    for k in range(len(work.maps)):
        root, ratio = ties.root(k)
        if root not in chosen:
            chosen[root] = _best(members[root]) if root in members else 1.0
        steps.append(chosen[root] * ratio)
    return steps


def _sample(values: Tensor) -> Tensor:
    flat = values.flatten()
    return flat[:: max(1, len(flat) // SAMPLE)].double()


def _best(members: list[tuple[OperatorConv2d, Tensor, float]]) -> float:
    """The step after which codes are nearest to the values, by squares relative to each layer's own."""
    fit = [max(values.max().item() / layer.high, values.min().item() / min(layer.low, -1)) / ratio for layer, values, ratio in members]
    greatest = max(fit)
    if greatest <= 0:
        return 1.0
    errors = []
    for fraction in FRACTIONS:
        error = 0.0
        for layer, values, ratio in members:
            step = greatest * fraction.item() * ratio
            coded = (values / step).round().clamp(layer.low, layer.high) * step
            error += (((coded - values) ** 2).sum() / (values**2).sum().clamp(min=1e-12)).item()
        errors.append(error)
    return greatest * FRACTIONS[min(range(len(errors)), key=errors.__getitem__)].item()
