"""Quantisation-aware layers: `OperatorConv2d` trains a layer in its operator's exact arithmetic, `QuantisedNetwork` joins them.

Activations between modules are integer codes in floating-point tensors. In evaluation mode every layer computes exactly the integers of
`gatewright.sw.golden`, hence of the circuit; in training mode the same with the batch's own statistics, in float32.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, pairwise

import torch
from torch import Tensor, nn

from gatewright.hw.config import Operator
from gatewright.hw.errors import BadInput
from gatewright.sw.differentiable import convolve, quantise_weight
from gatewright.sw.integer import IntegerLayer, IntegerNetwork, Mode
from gatewright.sw.layers import Layer, Workload
from gatewright.sw.operators import arithmetic
from gatewright.sw.requantise import Folded, finish, finish_quickly, fold, pool

EPSILON = 1 / 12  # variance of rounding to an integer: a channel that never varies is not divided by zero
LOGIT_SPREAD = 3.0  # initial standard deviation of the logits


def output_format(following: Operator | None, relu: bool = False) -> tuple[Mode, int, int]:
    """Mode and clamp of a layer whose output is read by `following` (None: the logits).

    Unsigned codes clamp at zero (ReLU), signed codes at both ends (hard tanh) or with `relu` at zero, one-bit codes are the sign.
    """
    if following is None:
        return "raw", 0, 0
    if following.activation_bits == 1:
        return "sign", 0, 1
    low, high = following.activation_range
    return "requantise", 0 if relu else low, high


class OperatorConv2d(nn.Module):
    """Convolution in an operator's arithmetic, normalisation, the next operator's activation format, pooling.

    Normalisation is per output channel with a positive scale (its logarithm is learned), so that it folds into `Folded` without flipping
    weights. For the logits it is one scale for all classes and a bias per class, so that integers compare like logits.

    `deviation` [K, 1, 1, 1] fixes the steps of imported weights, see `Arithmetic.quantise`; None: they follow the weights.

    With `unit_weights` no weight is learned. Codes that are only moved into a format that holds them have nothing to learn either: they
    are handed on, times the power of two that the formats' ranges differ by.
    """

    ones: Tensor
    deviation: Tensor | None
    running_mean: Tensor
    running_variance: Tensor

    def __init__(self, layer: Layer, following: Operator | None, generator: torch.Generator) -> None:
        super().__init__()
        self.layer, self.following = layer, following
        self.arithmetic = arithmetic(layer.operator)
        self.mode, self.low, self.high = output_format(following, layer.relu)
        if self.mode == "raw" and layer.pooling:
            raise BadInput(f"layer {layer.name} gives the logits and cannot have pooling ({layer.pooling!r}); pool in the layer before it.")
        self.momentum = 0.1
        self.handed = self._handed()
        shape = (layer.K, layer.group_channels, layer.R, layer.S)
        if layer.unit_weights:
            self.register_buffer("ones", torch.ones(shape), persistent=False)
        else:
            deviation = (layer.group_channels * layer.R * layer.S) ** -0.5
            self.weight = nn.Parameter(torch.randn(shape, generator=generator) * deviation)
            self.register_buffer("deviation", None)
        if self.handed is None:
            scales = 1 if self.mode == "raw" else layer.K
            self.log_gain = nn.Parameter(torch.zeros(scales))
            self.beta = nn.Parameter(torch.zeros(layer.K))
            self.register_buffer("running_mean", torch.zeros(scales))
            self.register_buffer("running_variance", torch.ones(scales))

    def _handed(self) -> float | None:
        """By what codes that are only moved are multiplied; None where the layer normalises."""
        mine, layer = self.layer.operator, self.layer
        alone = layer.unit_weights and (layer.group_channels, layer.R, layer.S) == (1, 1, 1)
        if not alone or self.following is None or mine.activation_bits > self.following.activation_bits:
            return None
        return (self.high + 1) / (mine.activation_range[1] + 1)

    @property
    def adds(self) -> bool:
        """Whether every result is a plain sum of channels at one place, so that summands can be added without convolving."""
        layer = self.layer
        whole = (layer.R, layer.S, layer.stride, layer.padding) == (1, 1, 1, 0)
        return layer.unit_weights and whole and layer.groups == layer.K

    @property
    def unit(self) -> float:
        """Output codes (or logits) per standard deviation of the accumulator, before training."""
        if self.following is None:
            return LOGIT_SPREAD
        if self.mode == "sign":
            return 1.0
        return self.high / arithmetic(self.following).activation_clip

    def quantised_weight(self) -> tuple[Tensor, Tensor]:
        """Codes and values [K, C / groups, R, S]."""
        return (self.ones, self.ones) if self.layer.unit_weights else quantise_weight(self.arithmetic, self.weight, self.deviation)

    def accumulate(self, x: Tensor) -> Tensor:
        """Accumulators [N, K, P, Q] of codes [N, C, H, W]."""
        layer = self.layer
        return convolve(
            self.arithmetic, x, *self.quantised_weight(), layer.stride, layer.padding, exact=not self.training, groups=layer.groups
        )

    def statistics(self, accumulated: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance of the accumulators over a batch, [K] each (for the logits one of each)."""
        dims = (0, 1, 2, 3) if self.mode == "raw" else (0, 2, 3)
        variance, mean = torch.var_mean(accumulated, dims, correction=0)
        return mean.reshape(-1), variance.reshape(-1)

    def remember(self, mean: Tensor, variance: Tensor) -> None:
        """Move the remembered statistics towards a batch's by `momentum`."""
        self.running_mean.lerp_(mean.detach().float(), self.momentum)
        self.running_variance.lerp_(variance.detach().float(), self.momentum)

    def normalisation(self, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Scale, mean and beta of y = (accumulator - mean) * scale + beta, [K] each."""
        scale = self.unit * self.log_gain.exp() / torch.sqrt(variance + EPSILON)
        return scale.expand(self.layer.K), mean.expand(self.layer.K), self.unit * self.beta

    def remembered(self) -> tuple[Tensor, Tensor, Tensor]:
        """The normalisation of evaluation mode."""
        if self.handed is None:
            return self.normalisation(self.running_mean, self.running_variance)
        one = self.ones[:, 0, 0, 0]
        return self.handed * one, 0 * one, 0 * one

    def folded(self) -> Folded:
        """The integers of post-processing, from the remembered statistics."""
        return fold(self.mode, *self.remembered())

    def forward(self, x: Tensor) -> Tensor:
        """Codes [N, C, H, W] to codes [N, K, out_h, out_w]; logits in training are scaled, in evaluation integers."""
        return self.post_process(self.accumulate(x))

    def post_process(self, accumulated: Tensor) -> Tensor:
        """Accumulators [N, K, P, Q] to what `forward` gives."""
        if self.training and self.mode == "raw":
            mean, variance = self.statistics(accumulated)
            self.remember(mean, variance)
            return _affine(accumulated, *self.normalisation(mean, variance))  # the folded bias differs by less than half a unit
        if self.training and self.handed is None:
            gain, beta = self.unit * self.log_gain.exp(), self.unit * self.beta
            real, mean, inverse = torch.native_batch_norm(accumulated, gain, beta, None, None, True, 0.0, EPSILON)
            self.remember(mean, inverse.detach() ** -2 - EPSILON)
            folded = fold(self.mode, gain * inverse, mean, beta)
        else:
            normalisation = self.remembered()
            real, folded = _affine(accumulated, *normalisation), fold(self.mode, *normalisation)
        last = finish_quickly if self.training else finish
        return pool(self.layer, last(self.mode, accumulated, real, folded, self.low, self.high))

    @torch.no_grad()
    def export(self) -> IntegerLayer:
        """This layer in integers."""
        codes, _ = self.quantised_weight()
        folded = self.folded()
        return IntegerLayer(
            layer=self.layer,
            weights=codes.cpu().numpy().astype("int16"),
            bias=folded.bias.cpu().numpy(),
            multiplier=folded.multiplier.cpu().numpy(),
            shift=folded.shift.cpu().numpy(),
            mode=self.mode,
            low=self.low,
            high=self.high,
        )


def _affine(accumulated: Tensor, scale: Tensor, mean: Tensor, beta: Tensor) -> Tensor:
    shape = (1, -1, 1, 1)
    return (accumulated - mean.reshape(shape)) * scale.reshape(shape) + beta.reshape(shape)


class Gather(nn.Module):
    """Channels of feature maps read side by side, in any order."""

    def __init__(self, channels: Sequence[int], sizes: Sequence[int]) -> None:
        """sizes: channels of each map."""
        super().__init__()
        starts = [0, *accumulate(sizes)]
        first, last = channels[0], channels[-1] + 1
        one = next((i for i, (a, b) in enumerate(pairwise(starts)) if a <= first and last <= b), None)
        straight = list(channels) == list(range(first, last))
        self.slice = (one, first - starts[one], len(channels)) if straight and one is not None else None
        self.whole = straight and len(channels) == starts[-1]
        self.register_buffer("index", torch.tensor(channels), persistent=False)
        self.index: Tensor

    def forward(self, parts: Sequence[Tensor]) -> Tensor:
        """Maps [N, size, H, W] to [N, channels, H, W]."""
        if self.slice:
            i, start, length = self.slice
            return parts[i] if parts[i].shape[1] == length else parts[i].narrow(1, start, length)
        joined = parts[0] if len(parts) == 1 else torch.cat(list(parts), dim=1)
        return joined if self.whole else joined.index_select(1, self.index)


class QuantisedNetwork(nn.Module):
    """The layers of a workload with the feature maps between them.

    Input: codes [N, C, H, W] of the operator that reads the image; see `gatewright.sw.data.encode`. `begin`: what training does first,
    with codes of training images, where the weights are imported and normalisation is to fit them.
    """

    def __init__(self, workload: Workload, seed: int = 0) -> None:
        super().__init__()
        self.workload = workload
        self.begin: Callable[[Tensor], None] | None = None
        generator = torch.Generator().manual_seed(seed)
        number = range(len(workload.layers))
        self.layers = nn.ModuleList(OperatorConv2d(workload.layers[i], workload.following(i), generator) for i in number)
        self.reads = [self._reads(i) for i in number]
        self.gathers = nn.ModuleList(read for reads in self.reads for read in reads)

    def _reads(self, i: int) -> list[Gather]:
        """What layer i takes: all its channels at once, or one by one the summands of a layer that adds."""
        layer, sizes = self.workload.layers[i], [self.workload.maps[k].channels for k in self.workload.sources(i)]
        channels = layer.gather or tuple(range(layer.C))
        each = layer.group_channels if self.operator_layers[i].adds else 1
        return [Gather(channels[j::each], sizes) for j in range(each)]

    @property
    def name(self) -> str:
        return self.workload.name

    @property
    def operator_layers(self) -> list[OperatorConv2d]:
        return [layer for layer in self.layers if isinstance(layer, OperatorConv2d)]

    def results(self, codes: Tensor) -> Iterator[Tensor]:
        """What each layer gives, after pooling [N, K, out_h, out_w]. A feature map is forgotten when its last reader has run."""
        work = self.workload
        maps = {0: codes.contiguous(memory_format=torch.channels_last)}  # convolutions on CPUs train faster so
        for i, (layer, reads) in enumerate(zip(self.operator_layers, self.reads, strict=True)):
            parts = [maps[k] for k in work.sources(i)]
            taken = [read(parts) for read in reads]
            given = layer.post_process(sum(taken[1:], start=taken[0])) if layer.adds else layer(taken[0])
            target = work.target(i)
            maps[target] = torch.cat([maps[target], given], dim=1) if target in maps else given
            for k in {*work.sources(i)}:
                if max(work.maps[k].readers) == i:
                    del maps[k]
            yield given

    def forward(self, codes: Tensor) -> Tensor:
        """Logits [N, classes]: real in training, integers in evaluation."""
        return deque(self.results(codes), maxlen=1).pop().flatten(1)

    @torch.no_grad()
    def trace(self, codes: Tensor) -> list[Tensor]:
        """Every layer's integers, int64, after pooling; the last are the logits. Needs evaluation mode."""
        if self.training:
            raise BadInput("trace gives the integers of evaluation mode, but the network is in training mode; call eval() first.")
        return [given.long() for given in self.results(codes)]


def export(network: QuantisedNetwork) -> IntegerNetwork:
    """The network in integers, computing exactly what the network computes in evaluation mode."""
    return IntegerNetwork(name=network.name, layers=tuple(layer.export() for layer in network.operator_layers))
