"""Operators in PyTorch: forward is exactly the integer arithmetic, backward is that of the ideal (unrounded, linear) operation."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from gatewright.sw.arithmetic import CHUNK, FLOAT32_EXACT, Arithmetic, Terms


class StraightThrough(torch.autograd.Function):
    """The exact result forward; the gradient goes to the smooth one (Bengio et al., arXiv 1308.3432)."""

    @staticmethod
    def forward(context: Any, smooth: Tensor, exact: Tensor) -> Tensor:
        return exact.to(smooth.dtype, copy=True)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0], None


def straight_through(smooth: Tensor, exact: Tensor) -> Tensor:
    """`exact` forward, the gradient of `smooth` backward; both of one shape."""
    result: Tensor = StraightThrough.apply(smooth, exact)
    return result


def quantise_weight(arithmetic: Arithmetic, latent: Tensor) -> tuple[Tensor, Tensor]:
    """Latent float weights (any shape) as codes (no gradient) and their values (straight-through); see `Arithmetic.quantise`."""
    codes, smooth = arithmetic.quantise(latent)
    return codes, straight_through(smooth, arithmetic.weight_value(codes))


def stacked(values: Tensor, terms: Callable[[Tensor], Terms]) -> Tensor:
    """The terms of values [N, C, ...] one after the other along C, with the derivatives that the operator gives them."""
    return torch.cat([straight_through(slope * values, factor) for factor, slope in terms(values.detach())], dim=1)


def convolve(
    arithmetic: Arithmetic, x: Tensor, codes: Tensor, values: Tensor, stride: int, padding: int, *, exact: bool, first: int = 0
) -> Tensor:
    """The accumulators of a convolution, [N, K, P, Q], holding integers.

    x: activation codes [N, C, H, W] in floating point; codes, values: [K, C, R, S] from `quantise_weight`.
    exact: use float64 where float32 could round (sums of 2**24 and more); training does without.
    first: the channel of the feature map that is channel 0 of `x`; lanes go by the map's channels.
    """
    products = codes[0].numel()
    wide = exact and arithmetic.bound(products) >= FLOAT32_EXACT
    dtype = torch.float64 if wide else torch.float32
    zero = int(arithmetic.activation_values[0])  # outside the image the lanes hold zero bits
    inputs = F.pad(arithmetic.activation_value(x), (padding,) * 4, value=zero).to(dtype)
    activations = stacked(inputs, arithmetic.activation_terms)
    weights = stacked(values.to(dtype), arithmetic.weight_terms)
    if arithmetic.linear:
        return arithmetic.gain * F.conv2d(activations, weights, stride=stride) + arithmetic.offset * products
    if arithmetic.joined_lanes == 1:
        counted = _table_sums(arithmetic, x.detach(), codes, stride, padding, dtype, first)
    else:
        activations_in, weights_in = (part.detach().to(torch.int64).numpy() for part in (x, codes))
        counted = torch.from_numpy(arithmetic.accumulate(activations_in, weights_in, stride, padding, first)).to(dtype)
    if not torch.is_grad_enabled():
        return counted
    if arithmetic.joined_lanes > 1:
        return straight_through(saturating(arithmetic, inputs, values.to(dtype), stride, first), counted)
    return straight_through(arithmetic.gain * F.conv2d(activations, weights, stride=stride) + arithmetic.offset * products, counted)


def saturating(arithmetic: Arithmetic, inputs: Tensor, values: Tensor, stride: int, first: int = 0) -> Tensor:
    """What lanes joined by OR count on average: for each group, sign and place in the kernel L (1 - exp(-s)), s being the group's sum.

    That is 1 - (1 - p_1)(1 - p_2)... for small products p_i. inputs: padded values [N, C, H, W]; values: [K, C, R, S]; gives [N, K, P, Q].
    """
    kernels, channels, r, s = values.shape
    lanes, length = arithmetic.joined_lanes, arithmetic.operator.stream_length or 0
    before = first % lanes
    around = (0, 0, 0, 0, before, -(before + channels) % lanes)
    places = F.unfold(F.pad(inputs, around), (r, s), stride=stride)
    places = places.reshape(len(inputs), -1, lanes, r * s, places.shape[-1])
    weights = F.pad(values, around).reshape(kernels, -1, lanes, r * s) * (arithmetic.gain / length)
    up, down = (torch.einsum("nglrp,kglr->nkgrp", places, part) for part in (weights.clamp(min=0), (-weights).clamp(min=0)))
    counted = length * ((-down).exp() - (-up).exp()).sum(dim=(2, 3))
    return counted.reshape(len(inputs), kernels, (inputs.shape[2] - r) // stride + 1, -1)


@torch.no_grad()
def _table_sums(arithmetic: Arithmetic, x: Tensor, codes: Tensor, stride: int, padding: int, dtype: torch.dtype, first: int) -> Tensor:
    """Sums of tabulated products: one row of K products per position and activation, gathered and added by `embedding_bag`."""
    rows, row_of = (torch.from_numpy(part) for part in arithmetic.classes)
    kernels, _, r, s = codes.shape
    weight_bits = torch.from_numpy(arithmetic.weight_bits(codes.reshape(kernels, -1).to(torch.int64).numpy()))  # [K, n]
    lanes = (first + torch.arange(weight_bits.shape[1]) // (r * s)) % arithmetic.lane_period
    weight_bits = weight_bits + lanes * (1 << arithmetic.operator.weight_bits)  # columns of the lanes' tables side by side
    size = 1 << arithmetic.operator.activation_bits
    bits = F.pad(x, (padding,) * 4).to(torch.int64) % size
    index = F.unfold(row_of[bits].float(), (r, s), stride=stride).to(torch.int64)  # [N, n, P * Q]
    images, positions, pixels = index.shape
    index = index.transpose(1, 2).reshape(images * pixels, positions)
    total = torch.zeros(images * pixels, kernels, dtype=dtype)
    step = max(1, CHUNK // (kernels * len(rows)))
    for start in range(0, positions, step):
        part = weight_bits[:, start : start + step]
        table = rows.to(dtype)[:, part.T].transpose(0, 1).reshape(-1, kernels)  # [positions * rows, K]
        offset = torch.arange(part.shape[1]) * len(rows)
        total += F.embedding_bag(index[:, start : start + step] + offset, table, mode="sum")
    height = (x.shape[2] + 2 * padding - r) // stride + 1
    return total.reshape(images, height, -1, kernels).permute(0, 3, 1, 2).contiguous()
