"""A stand-in for an operator's exact arithmetic while many networks are trained at once: differentiable, linear, with measured noise.

A stream of few bits tells few operands apart. So every operand code has an *effective value*: those values whose products come nearest
to the operator's table of products, over normally distributed operands (the best table of rank one, weighted), in each lane where lanes
differ; pulses that an OR joins then saturate as independent ones would. What that leaves is noise:
Gaussian, with a standard deviation that grows with the square root of the number of products, as does that of `laws.counter_std`. Its
size is measured on one block of exact arithmetic. Operators whose products are linear have no noise and are computed as they are.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gatewright.hw.config import Operator
from gatewright.sw.arithmetic import Arithmetic
from gatewright.sw.differentiable import saturating, straight_through
from gatewright.sw.layers import Layer
from gatewright.sw.modules import OperatorConv2d
from gatewright.sw.operators import arithmetic

PRODUCTS, KERNELS, SIDE = 64, 24, 24  # the block on which the noise is measured: SIDE**2 sums of KERNELS kernels
DRAWN, SEED = 1 << 16, 20260102
ROUNDS = 4  # alternating least squares has converged after these


@dataclass(frozen=True, eq=False)
class Law:
    """Effective values of an operator's activation and weight codes, by lane and code from the least one, float32 [lane_period, codes];
    noise: standard deviation of a sum's error in accumulator units, divided by the square root of its products."""

    activations: Tensor
    weights: Tensor
    noise: float


@cache
def law(operator: Operator) -> Law:
    """The law of an operator whose products are not linear, measured once."""
    kind, rng = arithmetic(operator), np.random.default_rng(SEED)
    activations, weights = _drawn(kind, rng)
    lanes = [_effective(kind, table, activations, weights) for table in kind.tables]
    a, w = (torch.from_numpy(np.stack(part)).float() for part in zip(*lanes, strict=True))
    return Law(a, w, _noise(kind, Law(a, w, 0.0), activations, weights))


def sums(kind: Arithmetic, known: Law, codes: Tensor, weights: Tensor, smooth: Tensor, stride: int, padding: int) -> Tensor:
    """Accumulators [N, K, P, Q] without noise, of activation codes [N, C, H, W] and weight codes; gradients go to them and `smooth`."""
    low, products = kind.operator.activation_range[0], weights[0].numel()
    lanes = (torch.arange(codes.shape[1], device=codes.device) % kind.lane_period)[:, None, None]
    codes = F.pad(codes, (padding,) * 4)
    inputs = straight_through(codes, known.activations.to(codes.device)[lanes, codes.detach().long() - low])
    values = straight_through(smooth, known.weights.to(codes.device)[lanes, weights.long() - kind.weight_range[0]])
    if kind.joined_lanes > 1:
        return saturating(kind, inputs, values, stride)
    return kind.gain * F.conv2d(inputs, values, stride=stride).float() + kind.offset * products


class Surrogate(OperatorConv2d):
    """A layer without groups that trains in its operator's surrogate. generator: of the noise; None: without."""

    def __init__(self, layer: Layer, following: Operator | None, generator: torch.Generator | None) -> None:
        super().__init__(layer, following, torch.Generator())
        self.generator = generator

    def accumulate(self, x: Tensor) -> Tensor:
        if self.arithmetic.linear:
            return super().accumulate(x)
        layer, known = self.layer, law(self.layer.operator)
        codes, smooth = self.arithmetic.quantise(self.weight, self.deviation)
        found = sums(self.arithmetic, known, x.float(), codes, smooth, layer.stride, layer.padding)
        if self.generator is None:
            return found
        scale = known.noise * codes[0].numel() ** 0.5
        return found + scale * torch.randn(found.shape, generator=self.generator, device=found.device)


def _drawn(kind: Arithmetic, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Activation and weight codes as layers have them: normal before they are clamped and rounded, int64."""
    low, high = kind.operator.activation_range
    activations = np.rint(rng.normal(size=DRAWN) * high / kind.activation_clip).clip(low, high)
    codes, _ = kind.quantise(torch.from_numpy(rng.normal(size=DRAWN)))
    return activations.astype(np.int64), codes.numpy().astype(np.int64)


def _effective(kind: Arithmetic, products: np.ndarray, activations: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The weighted best table of rank one, by alternating least squares from the codes' own values. products: of a lane, by bits."""
    (low, high), (least, greatest) = kind.operator.activation_range, kind.weight_range
    a, w = np.arange(low, high + 1), np.arange(least, greatest + 1)
    table = products[np.ix_(kind.activation_bits(a), kind.weight_bits(w))]
    table = (table - kind.offset) / kind.gain
    if not table.any():  # a lane that a multiplexer never selects
        return np.zeros(len(a)), np.zeros(len(w))
    counted_a, counted_w = (
        np.bincount(part - first, minlength=size) for part, first, size in ((activations, low, len(a)), (weights, least, len(w)))
    )
    of_a, of_w = a.astype(float), w.astype(float)
    for _ in range(ROUNDS):
        of_a = table @ (counted_w * of_w) / (counted_w * of_w**2).sum()
        of_w = (counted_a * of_a) @ table / (counted_a * of_a**2).sum()
    return of_a, of_w


def _noise(kind: Arithmetic, known: Law, activations: np.ndarray, weights: np.ndarray) -> float:
    """Standard deviation of what a block's exact sums have beside the law's, each kernel's mean left to normalisation."""
    x = activations[: PRODUCTS * SIDE**2].reshape(1, PRODUCTS, SIDE, SIDE)
    w = weights[: KERNELS * PRODUCTS].reshape(KERNELS, PRODUCTS, 1, 1)
    codes = torch.from_numpy(w).float()
    ideal = sums(kind, known, torch.from_numpy(x).float(), codes, codes, 1, 0).numpy()
    error = kind.accumulate(x, w) - ideal
    return float((error - error.mean(axis=(0, 2, 3), keepdims=True)).std() / PRODUCTS**0.5)
