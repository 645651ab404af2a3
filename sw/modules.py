"""Quantisation-aware layers: `OperatorConv2d` trains a layer in its operator's exact arithmetic, `QuantisedNetwork` chains them.

Activations between modules are integer codes in floating-point tensors. In evaluation mode every layer computes exactly the integers of
`gatewright.sw.golden`, hence of the circuit; in training mode the same with the batch's own statistics.
"""

import torch
from torch import Tensor, nn

from gatewright.hw.config import Operator
from gatewright.hw.errors import BadInput
from gatewright.sw.differentiable import convolve, quantise_weight
from gatewright.sw.integer import IntegerLayer, IntegerNetwork, Mode
from gatewright.sw.layers import Layer, Workload
from gatewright.sw.operators import arithmetic
from gatewright.sw.requantise import Folded, finish, fold, pool

EPSILON = 1 / 12  # variance of rounding to an integer: a channel that never varies is not divided by zero
LOGIT_SPREAD = 3.0  # initial standard deviation of the logits


def output_format(following: Operator | None) -> tuple[Mode, int, int]:
    """Mode and clamp of a layer whose output is read by `following` (None: the logits).

    Unsigned codes clamp at zero (ReLU), signed codes at both ends (hard tanh), one-bit codes are the sign.
    """
    if following is None:
        return "raw", 0, 0
    if following.activation_bits == 1:
        return "sign", 0, 1
    return "requantise", *following.activation_range


class OperatorConv2d(nn.Module):
    """Convolution in an operator's arithmetic, normalisation, the next operator's activation format, pooling.

    Normalisation is per output channel with a positive scale (its logarithm is learned), so that it folds into `Folded` without flipping
    weights. For the logits it is one scale for all classes and a bias per class, so that integers compare like logits.
    """

    running_mean: Tensor
    running_variance: Tensor

    def __init__(self, layer: Layer, following: Operator | None, generator: torch.Generator) -> None:
        super().__init__()
        self.layer, self.following = layer, following
        self.arithmetic = arithmetic(layer.operator)
        self.mode, self.low, self.high = output_format(following)
        if self.mode == "raw" and layer.pooling:
            raise BadInput(f"layer {layer.name} gives the logits and cannot have pooling ({layer.pooling!r}); pool in the layer before it.")
        groups = 1 if self.mode == "raw" else layer.K
        shape = (layer.K, layer.group_channels, layer.R, layer.S)
        deviation = (layer.group_channels * layer.R * layer.S) ** -0.5
        self.weight = nn.Parameter(torch.randn(shape, generator=generator) * deviation)
        self.log_gain = nn.Parameter(torch.zeros(groups))
        self.beta = nn.Parameter(torch.zeros(layer.K))
        self.register_buffer("running_mean", torch.zeros(groups))
        self.register_buffer("running_variance", torch.ones(groups))
        self.momentum = 0.1

    @property
    def unit(self) -> float:
        """Output codes (or logits) per standard deviation of the accumulator, before training."""
        if self.following is None:
            return LOGIT_SPREAD
        if self.mode == "sign":
            return 1.0
        return self.high / arithmetic(self.following).activation_clip

    def quantised_weight(self) -> tuple[Tensor, Tensor]:
        """Codes and values [K, C, R, S]."""
        return quantise_weight(self.arithmetic, self.weight)

    def accumulate(self, x: Tensor) -> Tensor:
        """Accumulators [N, K, P, Q] of codes [N, C, H, W]."""
        layer = self.layer
        codes, values = self.quantised_weight()
        parts = zip(x.chunk(layer.groups, 1), codes.chunk(layer.groups), values.chunk(layer.groups), strict=True)
        sums = [
            convolve(self.arithmetic, *part, layer.stride, layer.padding, exact=not self.training, first=i * layer.group_channels)
            for i, part in enumerate(parts)
        ]
        return sums[0] if layer.groups == 1 else torch.cat(sums, dim=1)

    def statistics(self, accumulated: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance of the accumulators: the batch's in training (and remembered), else the remembered ones."""
        if not self.training:
            return self.running_mean, self.running_variance
        dims = (0, 1, 2, 3) if self.mode == "raw" else (0, 2, 3)
        variance, mean = torch.var_mean(accumulated, dims, correction=0)
        variance, mean = variance.reshape(-1), mean.reshape(-1)
        self.running_mean.lerp_(mean.detach().float(), self.momentum)
        self.running_variance.lerp_(variance.detach().float(), self.momentum)
        return mean, variance

    def normalisation(self, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Scale, mean and beta of y = (accumulator - mean) * scale + beta, [K] each."""
        scale = self.unit * self.log_gain.exp() / torch.sqrt(variance + EPSILON)
        return scale.expand(self.layer.K), mean.expand(self.layer.K), self.unit * self.beta

    def folded(self) -> Folded:
        """The integers of post-processing, from the remembered statistics."""
        return fold(self.mode, *self.normalisation(self.running_mean, self.running_variance))

    def forward(self, x: Tensor) -> Tensor:
        """Codes [N, C, H, W] to codes [N, K, out_h, out_w]; logits in training are scaled, in evaluation integers."""
        accumulated = self.accumulate(x)
        scale, mean, beta = self.normalisation(*self.statistics(accumulated))
        folded = fold(self.mode, scale, mean, beta)
        shape = (1, -1, 1, 1)
        real = (accumulated - mean.reshape(shape)) * scale.reshape(shape) + beta.reshape(shape)
        if self.mode == "raw" and self.training:
            return real  # the folded bias differs by less than half an accumulator unit
        return pool(self.layer, finish(self.mode, accumulated, real, folded, self.low, self.high))

    @torch.no_grad()
    def export(self) -> IntegerLayer:
        """This layer in integers."""
        codes, _ = self.quantised_weight()
        folded = self.folded()
        return IntegerLayer(
            layer=self.layer,
            weights=codes.numpy().astype("int16"),
            bias=folded.bias.numpy(),
            multiplier=folded.multiplier.numpy(),
            shift=folded.shift.numpy(),
            mode=self.mode,
            low=self.low,
            high=self.high,
        )


class QuantisedNetwork(nn.Module):
    """The layers of a workload in order. Input: codes [N, C, H, W] of the first layer's operator; see `gatewright.sw.data.encode`."""

    def __init__(self, workload: Workload, seed: int = 0) -> None:
        super().__init__()
        self.name = workload.name
        generator = torch.Generator().manual_seed(seed)
        following = [layer.operator for layer in workload.layers[1:]] + [None]
        self.layers = nn.ModuleList(
            OperatorConv2d(layer, after, generator) for layer, after in zip(workload.layers, following, strict=True)
        )

    @property
    def operator_layers(self) -> list[OperatorConv2d]:
        return [layer for layer in self.layers if isinstance(layer, OperatorConv2d)]

    @property
    def workload(self) -> Workload:
        """The shape of the work, read back from the modules."""
        return Workload(name=self.name, layers=tuple(layer.layer for layer in self.operator_layers))

    def forward(self, codes: Tensor) -> Tensor:
        """Logits [N, classes]: real in training, integers in evaluation."""
        for layer in self.layers:
            codes = layer(codes)
        return codes.flatten(1)

    @torch.no_grad()
    def trace(self, codes: Tensor) -> list[Tensor]:
        """Every layer's integers, int64, after pooling; the last are the logits. Needs evaluation mode."""
        if self.training:
            raise BadInput("trace gives the integers of evaluation mode, but the network is in training mode; call eval() first.")
        results = []
        for layer in self.layers:
            codes = layer(codes)
            results.append(codes.long())
        return results


def export(network: QuantisedNetwork) -> IntegerNetwork:
    """The network in integers, computing exactly what the network computes in evaluation mode."""
    return IntegerNetwork(name=network.name, layers=tuple(layer.export() for layer in network.operator_layers))
