"""From accumulators to the next layer's codes, as docs/hardware.md defines it: bias, multiplier and shift, clamp, pooling.

`fold` turns normalisation into integers and `finish` applies them; training and export call the same two, so that the network
that is trained is the one that is built. The numpy counterpart, written apart, is in `gatewright.sw.golden`.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from gatewright.hw.config import MULTIPLIER_BITS, SHIFT_MAX
from gatewright.sw.differentiable import straight_through
from gatewright.sw.integer import Mode
from gatewright.sw.layers import Layer

Range = tuple[int, int]
BIAS_MAX = 1 << 30  # leaves the sum of bias and accumulator within 32 bits


@dataclass(frozen=True, kw_only=True, eq=False)
class Folded:
    """Post-processing of a layer in integers: int64 [K] each; see `IntegerLayer`."""

    bias: Tensor
    multiplier: Tensor
    shift: Tensor


@torch.no_grad()
def fold(mode: Mode, scale: Tensor, mean: Tensor, beta: Tensor) -> Folded:
    """Integers for y = (accumulator - mean) * scale + beta, all [K] and scale positive.

    The sign of y folds exactly: accumulator - mean + beta / scale >= 0 is accumulator + floor(beta / scale - mean) >= 0 on
    integers. Otherwise the bias is rounded to one accumulator unit and the scale to m / 2**s with 128 <= m <= 255; where the scale is
    out of reach (above 127.5 or below 2**-24) the nearest legal one is taken.
    """
    scale, mean, beta = scale.double(), mean.double(), beta.double()
    real_bias = beta / scale - mean
    bias = (real_bias.floor() if mode == "sign" else real_bias.round()).clamp(-BIAS_MAX, BIAS_MAX).long()
    top = 1 << MULTIPLIER_BITS
    shift = (MULTIPLIER_BITS - 1 - torch.log2(scale).floor()).clamp(1, SHIFT_MAX)
    shift = torch.where(((scale * 2**shift).round() >= top) & (shift > 1), shift - 1, shift)
    multiplier = (scale * 2**shift).round().clamp(1, top - 1)
    return Folded(bias=bias, multiplier=multiplier.long(), shift=shift.long())


def finish(mode: Mode, accumulated: Tensor, real: Tensor, folded: Folded, low: int, high: int) -> Tensor:
    """Codes [N, K, P, Q] of accumulators, exactly; the gradient is that of `real`, the normalised accumulators, within the range.

    Mode raw gives accumulator + bias in float64, without a gradient.
    """
    shape = (1, -1, 1, 1)
    v = accumulated.detach().to(torch.float64, copy=True)  # every step is exact: sums < 2**32, multipliers < 2**8
    if mode == "raw":
        return v + folded.bias.reshape(shape)
    if mode == "sign":
        return straight_through((real.clamp(-1, 1) + 1) / 2, (v >= -folded.bias.reshape(shape)).double())
    scale = folded.multiplier * 2.0 ** -folded.shift.double()
    y = v.mul_(scale.reshape(shape)).add_((folded.bias * scale + 0.5).reshape(shape)).floor_().clamp_(low, high)
    return straight_through(real.clamp(low, high), y)


class _Finish(torch.autograd.Function):
    """floor(accumulator * factor + offset), clamped to codes; the gradient goes to `real`, times `slope`, where it is within `inside`."""

    @staticmethod
    def forward(
        context: Any, real: Tensor, accumulated: Tensor, factor: Tensor, offset: Tensor, codes: Range, inside: Range, slope: float
    ) -> Tensor:
        context.save_for_backward(real)
        context.inside, context.slope = inside, slope
        return torch.addcmul(offset, accumulated, factor).floor_().clamp_(*codes)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        passed: Tensor = torch.ops.aten.hardtanh_backward(gradients[0], *context.saved_tensors, *context.inside)
        return passed if context.slope == 1 else passed * context.slope, None, None, None, None, None, None


def finish_quickly(mode: Mode, accumulated: Tensor, real: Tensor, folded: Folded, low: int, high: int) -> Tensor:
    """`finish` in float32, for training (not for mode raw): what lies within rounding of a tie may go to the other side."""
    shape, accumulated = (1, -1, 1, 1), accumulated.detach()
    bias = folded.bias.to(real.dtype).reshape(shape)
    if mode == "sign":
        return _apply(real, accumulated, torch.ones_like(bias), bias + 1, (0, 1), (-1, 1), 0.5)
    factor = (folded.multiplier.double() * 2.0 ** -folded.shift.double()).to(real.dtype).reshape(shape)
    return _apply(real, accumulated, factor, bias * factor + 0.5, (low, high), (low, high), 1.0)


def _apply(*arguments: Any) -> Tensor:
    result: Tensor = _Finish.apply(*arguments)
    return result


def pool(layer: Layer, codes: Tensor) -> Tensor:
    """Pooling of codes [N, K, P, Q]: the greatest, or (sum + 2**(p - 1)) >> p with p = ceil(log2(window size))."""
    if layer.pooling is None:
        return codes
    if layer.pooling == "max":
        return F.max_pool2d(codes, layer.pool_window, layer.pool_stride)
    size = layer.pool_window**2
    divisor = 1 << (size - 1).bit_length()
    total = F.avg_pool2d(codes, layer.pool_window, layer.pool_stride, divisor_override=1)
    return straight_through(total / divisor, torch.floor((total.detach() + divisor // 2) / divisor))
