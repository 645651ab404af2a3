"""Operators in PyTorch: forward is exactly the integer arithmetic, backward is that of the ideal (unrounded, linear) operation."""

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from gatewright.sw.arithmetic import FLOAT32_EXACT, Arithmetic, Terms


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


def quantise_weight(arithmetic: Arithmetic, latent: Tensor, deviation: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Latent float weights (any shape) as codes (no gradient) and their values (straight-through); see `Arithmetic.quantise`."""
    codes, smooth = arithmetic.quantise(latent, deviation)
    return codes, straight_through(smooth, arithmetic.weight_value(codes))


def stacked(values: Tensor, terms: Callable[[Tensor], Terms], groups: int = 1) -> Tensor:
    """The terms of values [N, C, ...] one after the other along each group of C, with the derivatives that the operator gives them."""
    known = values.detach()
    made = terms(known)
    if len(made) == 1 and made[0][0] is known and made[0][1] == 1.0:
        return values
    parts = [straight_through(slope * values, factor).unflatten(1, (groups, -1)) for factor, slope in made]
    return torch.cat(parts, dim=2).flatten(1, 2)


def convolve(
    arithmetic: Arithmetic,
    x: Tensor,
    codes: Tensor,
    values: Tensor,
    stride: int,
    padding: int,
    *,
    exact: bool,
    first: int = 0,
    groups: int = 1,
) -> Tensor:
    """The accumulators of a convolution, [N, K, P, Q], holding integers.

    x: activation codes [N, C, H, W] in floating point; codes, values: [K, C / groups, R, S] from `quantise_weight`.
    exact: use float64 where float32 could round (sums of 2**24 and more); training does without.
    first: the channel of the feature map that is channel 0 of `x`; lanes go by the map's channels.
    """
    products = codes[0].numel()
    inputs, around = arithmetic.activation_value(x.float()), padding
    zero = int(arithmetic.activation_values[0])  # outside the image the lanes hold zero bits
    if padding and (zero or arithmetic.joined_lanes > 1 or len(arithmetic.activation_terms(arithmetic.activation_values)) > 1):
        inputs, around = F.pad(inputs, (padding,) * 4, value=zero), 0
    weights = stacked(values.float(), arithmetic.weight_terms)
    wide = exact and _reach(arithmetic, weights, products) >= FLOAT32_EXACT
    dtype = torch.float64 if wide else torch.float32
    unit, *parts = _parts(arithmetic, weights, products) if wide else (1, weights)

    def smooth() -> Tensor:
        activations = stacked(inputs, arithmetic.activation_terms, groups)
        narrow = groups == 1 and torch.is_autocast_enabled(x.device.type)  # in groups, bfloat16 takes several times longer on a CPU
        with torch.autocast(x.device.type, torch.bfloat16, enabled=narrow):
            each = [F.conv2d(activations.to(part.dtype), part, stride=stride, padding=around, groups=groups).to(dtype) for part in parts]
        sums = each[0] if len(each) == 1 else each[0].add(each[1], alpha=unit)
        return sums if arithmetic.gain == 1 and not arithmetic.offset else arithmetic.gain * sums + arithmetic.offset * products

    by_hand = arithmetic.packed and x.device.type == "cpu" and not torch.is_grad_enabled()
    if arithmetic.linear and not by_hand:
        return smooth()
    activations_in, weights_in = (part.detach().to("cpu", torch.int64).numpy() for part in (x, codes))
    counted = torch.from_numpy(arithmetic.accumulate(activations_in, weights_in, stride, padding, first, groups)).to(x.device, dtype)
    if not torch.is_grad_enabled():
        return counted
    if arithmetic.joined_lanes == 1:
        return straight_through(smooth(), counted)
    size = x.shape[1] // groups
    each = zip(inputs.chunk(groups, 1), values.to(dtype).chunk(groups), strict=True)
    ideal = [saturating(arithmetic, *part, stride, first + i * size) for i, part in enumerate(each)]
    return straight_through(torch.cat(ideal, dim=1), counted)


def _parts(arithmetic: Arithmetic, weights: Tensor, products: int) -> tuple[int, Tensor] | tuple[int, Tensor, Tensor]:
    """What convolves exactly in place of weights: a unit, float32 low and high parts (low + unit * high), else float64, which is slow."""
    unit = 1 << math.ceil(math.log2(max(2.0, float(weights.detach().abs().max()))) / 2)
    high = (weights.detach() / unit).round()
    low = weights.detach() - unit * high
    if weights.requires_grad or max(_reach(arithmetic, part, products) for part in (low, high)) >= FLOAT32_EXACT:
        return 1, weights.double()
    return unit, low, high


def _reach(arithmetic: Arithmetic, weights: Tensor, products: int) -> float:
    """No sum of these weights' products, in whatever order it is made, is greater in magnitude. weights: terms [K, n, R, S]."""
    if not arithmetic.linear:
        return arithmetic.bound(products)
    greatest = max(abs(factor).max() for factor, _ in arithmetic.activation_terms(arithmetic.activation_values))
    return float(greatest * weights.detach().double().abs().sum((1, 2, 3)).max()) + abs(arithmetic.offset) * products


def saturating(arithmetic: Arithmetic, inputs: Tensor, values: Tensor, stride: int, first: int = 0) -> Tensor:
    """About what lanes joined by OR count on average: for each sign and each set of joined lanes L (1 - exp(-s)), s being the set's sum.

    That is 1 - (1 - p_1)(1 - p_2)... for small products p_i. The sets of an accumulator (one for each place in the kernel and group of
    lanes) are taken to have equal sums: apart, they would take a hundred times as long. inputs: padded values [N, C, H, W]; values:
    [K, C, R, S]; gives [N, K, P, Q].
    """
    _, channels, r, s = values.shape
    lanes, length = arithmetic.joined_lanes, arithmetic.operator.stream_length or 0
    sets = r * s * -(-(first % lanes + channels) // lanes)
    weights = values * (arithmetic.gain / length)
    up, down = (F.conv2d(inputs, part.clamp(min=0), stride=stride).float() / sets for part in (weights, -weights))
    return length * sets * ((-down).exp() - (-up).exp())
